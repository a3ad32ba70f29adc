//! A page as HTML again: bounded in elements, depth and attributes, without what nobody reads, links absolute.
//!
//! Libraries find the article in the copy and write its Markdown. They recurse and cannot be stopped; at these bounds they
//! take about a second.

use ego_tree::iter::Edge;
use ego_tree::{NodeId, NodeRef};
use scraper::node::Element;
use scraper::{ElementRef, Html, Node};

use super::extras::Page;
use super::{dom, text};

/// Most elements of a page that are looked at.
pub const MAX_ELEMENTS: usize = 50_000;
/// Most elements within one another; deeper ones lose their tags, not their text.
pub const MAX_DEPTH: usize = 96;
/// Longest attribute that only tells what an element is for.
const MAX_ATTRIBUTE_BYTES: usize = 4096;

/// Nothing below these is for readers.
pub(super) const UNREAD: [&str; 24] = [
    "script",
    "style",
    "template",
    "noscript",
    "svg",
    "iframe",
    "object",
    "embed",
    "applet",
    "canvas",
    "audio",
    "video",
    "select",
    "datalist",
    "textarea",
    "input",
    "button",
    "dialog",
    "head",
    "link",
    "meta",
    "map",
    "annotation",
    "annotation-xml",
];
/// Attributes that Readability judges by, or that Markdown shows.
const ATTRIBUTES: [&str; 16] = [
    "class",
    "id",
    "href",
    "alt",
    "title",
    "rel",
    "role",
    "itemprop",
    "itemtype",
    "itemscope",
    "lang",
    "dir",
    "colspan",
    "rowspan",
    "start",
    "aria-hidden",
];

/// How the elements of a page are written down.
pub(super) trait Writer {
    /// An element begins. What is written beyond its own tag counts as so many elements.
    fn start(&mut self, html: &mut String, node: NodeRef<'_, Node>, element: &Element, page: &Page) -> usize;
    /// Text stands in it.
    fn text(&mut self, html: &mut String, text: &str);
    /// It ends; as with its start.
    fn end(&mut self, html: &mut String, node: NodeRef<'_, Node>, element: &Element) -> usize;
}

/// Elements as they are.
#[derive(Default)]
pub(super) struct AsTheyAre;

impl Writer for AsTheyAre {
    fn start(&mut self, html: &mut String, node: NodeRef<'_, Node>, element: &Element, page: &Page) -> usize {
        let src = element.attr("src").filter(|_| element.name() == "img").and_then(|src| page.absolute(src));
        push_tag(html, element.name(), node, page, src.as_deref());
        0
    }

    fn text(&mut self, html: &mut String, text: &str) {
        push_text(html, text);
    }

    fn end(&mut self, html: &mut String, _: NodeRef<'_, Node>, element: &Element) -> usize {
        push_end(html, element.name());
        0
    }
}

/// `tree` as HTML, without what is not read or called one of `without`, and whether elements were left out at its end;
/// `None`: told to stop.
pub(super) fn copy(tree: &Html, without: &[&str], writer: &mut dyn Writer, page: &Page) -> Option<(String, bool)> {
    let mut html = String::new();
    let (mut elements, mut depth) = (0, 0);
    let mut hidden: Option<NodeId> = None;
    if let Some(title) = title(tree) {
        html.push_str("<title>");
        title.text().for_each(|text| push_text(&mut html, text));
        html.push_str("</title>");
    }
    html.push_str("<body>");
    for (n, edge) in tree.tree.root().traverse().enumerate() {
        if !page.goes_on(n) {
            return None;
        }
        match edge {
            Edge::Open(node) if hidden.is_none() => match node.value() {
                Node::Element(element) => {
                    let name = element.name();
                    if UNREAD.contains(&name) || without.contains(&name) || is_unseen(element) {
                        hidden = Some(node.id());
                        continue;
                    }
                    depth += 1;
                    elements += 1;
                    if elements > MAX_ELEMENTS {
                        return Some((html, true));
                    }
                    if depth <= MAX_DEPTH && is_tag(name) {
                        elements += writer.start(&mut html, node, element, page);
                    }
                }
                Node::Text(text) => writer.text(&mut html, text),
                _ => {}
            },
            Edge::Close(node) => match node.value() {
                _ if hidden == Some(node.id()) => hidden = None,
                Node::Element(element) if hidden.is_none() => {
                    if depth <= MAX_DEPTH && is_tag(element.name()) {
                        elements += writer.end(&mut html, node, element);
                    }
                    depth -= 1;
                }
                _ => {}
            },
            _ => {}
        }
    }
    Some((html, false))
}

/// Whether a copy is within the bounds still when it is parsed anew, by the same parser: misnested elements can come
/// out in another place, formatting elements be opened again.
pub(super) fn is_tame(html: &str, page: &Page) -> Option<bool> {
    let tree = dom::parse(html, &|| page.goes_on(0))?.tree;
    let mut depth = 0_usize;
    for (n, edge) in tree.root().traverse().enumerate() {
        if !page.goes_on(n) {
            return None;
        }
        match edge {
            Edge::Open(_) if depth > 2 * MAX_DEPTH || n > 8 * MAX_ELEMENTS => return Some(false),
            Edge::Open(_) => depth += 1,
            Edge::Close(_) => depth -= 1,
        }
    }
    Some(true)
}

/// The page's title element: none of a drawing or a template.
fn title(tree: &Html) -> Option<ElementRef<'_>> {
    let mut elements = tree.tree.root().descendants().filter_map(ElementRef::wrap);
    elements.find(|element| element.value().name() == "title" && dom::is_of_document(element))
}

fn is_unseen(element: &Element) -> bool {
    element.attr("hidden").is_some()
        || element.attr("style").is_some_and(|style| style.replace(' ', "").contains("display:none"))
}

/// Whether an element's tag is written: its name is plain, and the copy does not have the element anyway.
fn is_tag(name: &str) -> bool {
    !matches!(name, "html" | "body" | "plaintext" | "listing" | "xmp" | "frameset")
        && name.len() <= 32
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_void(name: &str) -> bool {
    matches!(name, "br" | "hr" | "img" | "wbr" | "col" | "area" | "source" | "track" | "base" | "param")
}

/// Writes the start tag of an element under this name, with its attributes and this `src`.
pub(super) fn push_tag(html: &mut String, name: &str, node: NodeRef<'_, Node>, page: &Page, src: Option<&str>) {
    let Some(element) = node.value().as_element() else { return };
    html.push('<');
    html.push_str(name);
    if let Some(src) = src {
        push_attribute(html, "src", src);
    }
    for (name, value) in element.attrs().filter(|(name, _)| ATTRIBUTES.contains(name)) {
        match name {
            "href" => match page.absolute(value) {
                Some(url) => push_attribute(html, name, &url),
                None if value.starts_with("mailto:") => push_attribute(html, name, value),
                None => {}
            },
            // These are texts.
            "alt" | "title" => push_attribute(html, name, value),
            _ => push_attribute(html, name, text::cut(value, MAX_ATTRIBUTE_BYTES)),
        }
    }
    html.push('>');
}

fn push_attribute(html: &mut String, name: &str, value: &str) {
    html.push(' ');
    html.push_str(name);
    html.push_str("=\"");
    html.push_str(&value.replace('&', "&amp;").replace('"', "&quot;"));
    html.push('"');
}

/// Writes the end tag of an element of this name, if it has one.
pub(super) fn push_end(html: &mut String, name: &str) {
    if !is_void(name) {
        html.push_str("</");
        html.push_str(name);
        html.push('>');
    }
}

/// Writes text.
pub(super) fn push_text(html: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            char => html.push(char),
        }
    }
}
