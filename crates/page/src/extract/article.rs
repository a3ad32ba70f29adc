//! The main text of a page, and the same as Markdown.
//!
//! Which part of a page is its article is for Readability's rules to say, as `dom_smoothie` has them. Those recurse,
//! take time that grows with depth times size, and cannot be stopped; so they get a copy of the page that is bounded in
//! elements, depth and attributes, without what nobody reads. At the bounds they take about a second.
//!
//! Where they find no article it is the body without navigation, headers, footers and asides.

use dom_query::Document;
use dom_smoothie::{Config, Readability, TextMode};
use ego_tree::NodeId;
use ego_tree::iter::Edge;
use scraper::Node;
use scraper::node::Element;

use super::extras::Page;
use super::{dom, prose, text};

/// Most elements of a page that are looked at; what comes after is no part of text or Markdown.
pub const MAX_ELEMENTS: usize = 50_000;
/// Most elements within one another; deeper ones lose their tags, not their text.
pub const MAX_DEPTH: usize = 96;
/// Longest text, and longest Markdown, in bytes of UTF-8; the rest is cut off.
pub const MAX_ARTICLE_BYTES: usize = 4 << 20;
/// Longest attribute.
const MAX_ATTRIBUTE_BYTES: usize = 4096;
/// A body of so little text is its own article: what Readability makes of it is chance.
const SHORT_BYTES: usize = 500;
/// Shorter articles than this share of the page's text are no article but a mistake ...
const LEAST_SHARE: usize = 10;
/// ... unless they are as long as this.
const LONG_ENOUGH_BYTES: usize = 1000;

/// Nothing below these is for readers.
const UNREAD: [&str; 23] = [
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
    "annotation-xml",
];
/// Not the main part of a page.
const ASIDE: [&str; 4] = ["nav", "header", "footer", "aside"];
/// What Readability judges by, and what text and Markdown show.
const ATTRIBUTES: [&str; 17] = [
    "class",
    "id",
    "href",
    "src",
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

/// The main text of a page.
pub(super) struct Article {
    /// With a line for each paragraph and an empty one between them; empty if the page has none.
    pub text: String,
    /// If asked for.
    pub markdown: Option<String>,
}

/// The article of `page`; `None`: told to stop.
pub(super) fn article(page: &Page, with_markdown: bool) -> Option<Article> {
    let body = prose::prose(&page.html, &[&UNREAD[..], &ASIDE].concat(), MAX_ARTICLE_BYTES, &|n| page.goes_on(n))?;
    if body.len() >= SHORT_BYTES
        && let whole = copy(page, &[])?
        && is_tame(page, &whole)?
        && let Some((html, markdown)) = readable(&whole)
    {
        let content = dom::parse(&html, &|| page.goes_on(0))?;
        let text = prose::prose(&content, &UNREAD, MAX_ARTICLE_BYTES, &|n| page.goes_on(n))?;
        if text.len() >= LONG_ENOUGH_BYTES.min(body.len() / LEAST_SHARE).max(1) {
            let markdown = with_markdown.then(|| text::cut(markdown.trim(), MAX_ARTICLE_BYTES).to_owned());
            return Some(Article { text, markdown });
        }
    }
    let mut markdown = None;
    if with_markdown {
        let rest = copy(page, &ASIDE)?;
        let text = if is_tame(page, &rest)? { Document::from(rest).md(None).to_string() } else { body.clone() };
        markdown = Some(text::cut(text.trim(), MAX_ARTICLE_BYTES).to_owned());
    }
    page.goes_on(0).then_some(Article { text: body, markdown })
}

/// HTML and Markdown of the article that Readability sees in `html`.
fn readable(html: &str) -> Option<(String, String)> {
    let config = Config { disable_json_ld: true, text_mode: TextMode::Markdown, ..Config::default() };
    let article = Readability::with_document(Document::from(html), None, Some(config)).ok()?.parse().ok()?;
    Some((article.content.to_string(), article.text_content.to_string()))
}

/// Whether a copy is within the bounds still when it is parsed anew, by the same parser: misnested elements can come
/// out in another place, formatting elements be opened again.
fn is_tame(page: &Page, html: &str) -> Option<bool> {
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

/// The page as HTML, within the bounds of this module and without what is not read or called one of `without`.
fn copy(page: &Page, without: &[&str]) -> Option<String> {
    let mut html = String::new();
    let (mut elements, mut depth) = (0, 0);
    let mut hidden: Option<NodeId> = None;
    if let Some(title) = page.html.tree.root().descendants().find(|node| is_named(node.value(), "title")) {
        html.push_str("<title>");
        title.children().filter_map(|node| node.value().as_text()).for_each(|text| push_text(&mut html, text));
        html.push_str("</title>");
    }
    html.push_str("<body>");
    for (n, edge) in page.html.tree.root().traverse().enumerate() {
        if !page.goes_on(n) {
            return None;
        }
        match edge {
            Edge::Open(node) if hidden.is_none() => match node.value() {
                Node::Element(element) => {
                    let name = element.name();
                    if UNREAD.contains(&name) || without.contains(&name) || is_hidden(element) {
                        hidden = Some(node.id());
                        continue;
                    }
                    depth += 1;
                    elements += 1;
                    if elements > MAX_ELEMENTS {
                        break;
                    }
                    if depth <= MAX_DEPTH && is_tag(name) {
                        push_tag(&mut html, element, page);
                    }
                }
                Node::Text(text) => push_text(&mut html, text),
                _ => {}
            },
            Edge::Close(node) => match node.value() {
                _ if hidden == Some(node.id()) => hidden = None,
                Node::Element(element) if hidden.is_none() => {
                    if depth <= MAX_DEPTH && is_tag(element.name()) && !is_void(element.name()) {
                        html.push_str("</");
                        html.push_str(element.name());
                        html.push('>');
                    }
                    depth -= 1;
                }
                _ => {}
            },
            _ => {}
        }
    }
    Some(html)
}

fn is_named(node: &Node, name: &str) -> bool {
    node.as_element().is_some_and(|element| element.name() == name)
}

fn is_hidden(element: &Element) -> bool {
    element.attr("hidden").is_some()
        || element.attr("style").is_some_and(|style| style.replace(' ', "").contains("display:none"))
}

/// Whether an element's tag is written: its name is a plain one, and it is none of those that are there anyway.
fn is_tag(name: &str) -> bool {
    !matches!(name, "html" | "body" | "plaintext" | "listing" | "xmp" | "frameset")
        && name.len() <= 32
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_void(name: &str) -> bool {
    matches!(name, "br" | "hr" | "img" | "wbr" | "col" | "area" | "source" | "track" | "base" | "param")
}

fn push_tag(html: &mut String, element: &Element, page: &Page) {
    html.push('<');
    html.push_str(element.name());
    for (name, value) in element.attrs() {
        let url;
        let value = match name {
            "href" | "src" => match page.absolute(value) {
                Some(absolute) => {
                    url = absolute;
                    &url
                }
                None if value.starts_with("mailto:") && value.len() <= MAX_ATTRIBUTE_BYTES => value,
                None => continue,
            },
            name if ATTRIBUTES.contains(&name) => text::cut(value, MAX_ATTRIBUTE_BYTES),
            _ => continue,
        };
        html.push(' ');
        html.push_str(name);
        html.push_str("=\"");
        html.push_str(&value.replace('&', "&amp;").replace('"', "&quot;"));
        html.push('"');
    }
    html.push('>');
}

fn push_text(html: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '&' => html.push_str("&amp;"),
            char => html.push(char),
        }
    }
}
