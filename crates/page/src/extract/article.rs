//! The main text of a page, and the same as Markdown: both of what [`select`] keeps of its tree.

use super::arena::{Arena, Data, Edge};
use super::extras::Page;
use super::limits::{self, Met};
use super::select::select;
use super::selection::{Kind, Selection};
use super::tags::{self, Tag};
use super::text::MAX_CHAR_BYTES;
use super::{copy, dom, markdown, prose};

/// Longest text, and longest Markdown, in bytes of UTF-8; the rest is cut off.
pub const MAX_ARTICLE_BYTES: usize = 4 << 20;

/// The main text of a page.
#[derive(Default)]
pub(super) struct Article {
    /// With a line for each paragraph and an empty one between them; empty if the page has none.
    pub text: Option<String>,
    /// The same with its headings, lists, tables, links.
    pub markdown: Option<String>,
    /// In which way it was found.
    pub kind: Kind,
}

/// The article of `page`, as text and Markdown if they are wanted; `None`: told to stop.
pub(super) fn article(page: &Page, wants_text: bool, wants_markdown: bool, met: &mut Met) -> Option<Article> {
    let goes_on = |n| page.goes_on(n);
    let selection = select(&page.tree, &goes_on)?;
    let mut article = Article { kind: selection.kind, ..Article::default() };
    if wants_text {
        // A little longer than it may be, so that it shows whether there is more.
        let text = prose::prose(&page.tree, &selection, MAX_ARTICLE_BYTES + MAX_CHAR_BYTES, &goes_on)?;
        article.text = Some(met.within(&limits::TEXT, &text).to_owned());
    }
    if wants_markdown {
        let kept = dom::parse(&html(&page.tree, &selection, page)?, page.keep_going)?;
        let markdown = match markdown::markdown(&kept, &[], page, met)? {
            Some(markdown) => markdown,
            None => prose::prose(&page.tree, &selection, MAX_ARTICLE_BYTES + MAX_CHAR_BYTES, &goes_on)?,
        };
        article.markdown = Some(met.within(&limits::MARKDOWN, &markdown).to_owned());
    }
    page.goes_on(0).then_some(article)
}

/// What is kept of `tree`, as HTML again, for the writer of Markdown.
fn html(tree: &Arena<'_>, selection: &Selection, page: &Page) -> Option<String> {
    let mut html = String::from("<body>");
    let mut hidden = None;
    for (n, edge) in tree.root().edges().enumerate() {
        if !page.goes_on(n) {
            return None;
        }
        let (node, is_start) = match edge {
            Edge::Open(node) => (node, true),
            Edge::Close(node) => (node, false),
        };
        if hidden.is_some() || !selection.keeps(node.id()) {
            match hidden {
                None => hidden = Some(node.id()),
                Some(id) if id == node.id() && !is_start => hidden = None,
                Some(_) => {}
            }
            continue;
        }
        match node.data() {
            Data::Text(text) if is_start => copy::push_text(&mut html, text),
            Data::Element(element) if !matches!(element.tag(), Tag::Html | Tag::Body) => {
                // What such elements are for, the selection has decided.
                let name = match element.tag() {
                    Tag::Noscript | Tag::Template | Tag::Button | Tag::Dialog => "div",
                    _ => element.name(),
                };
                if is_start {
                    html.push('<');
                    html.push_str(name);
                    for (name, value) in element.attributes().filter(|(name, _)| !matches!(*name, "hidden" | "style")) {
                        copy::push_attribute(&mut html, name, value);
                    }
                    html.push('>');
                    if element.is(Tag::Pre) {
                        // A parser drops the first line break, and this tree is that of a parser already.
                        html.push('\n');
                    }
                } else if !element.tag().is(tags::VOID) {
                    copy::push_end(&mut html, name);
                }
            }
            _ => {}
        }
    }
    Some(html)
}
