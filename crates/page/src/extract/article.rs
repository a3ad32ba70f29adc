//! The main text of a page, and the same as Markdown.
//!
//! Which part of a page is its article is for Readability's rules to say, as `dom_smoothie` has them. Where they find no
//! article, or the page is too large to ask them, it is the body without navigation, headers, footers and asides.

use dom_query::Document;
use dom_smoothie::{Config, Readability};
use scraper::Html;

use super::copy::{self, AsTheyAre, UNREAD};
use super::extras::Page;
use super::limits::{self, Met};
use super::selection::{Kind, Selection};
use super::tags::Tag;
use super::text::MAX_CHAR_BYTES;
use super::{dom, markdown, prose};

/// Longest text, and longest Markdown, in bytes of UTF-8; the rest is cut off.
pub const MAX_ARTICLE_BYTES: usize = 4 << 20;
/// A body of so little text is its own article: what Readability makes of it is chance.
const SHORT_BYTES: usize = 500;
/// Shorter articles than this share of the page's text are no article but a mistake ...
const LEAST_SHARE: usize = 10;
/// ... unless they are as long as this.
const LONG_ENOUGH_BYTES: usize = 1000;

/// Not the main part of a page.
const ASIDE: [&str; 4] = ["nav", "header", "footer", "aside"];

/// The main text of a page.
#[derive(Default)]
pub(super) struct Article {
    /// With a line for each paragraph and an empty one between them; empty if the page has none.
    pub text: Option<String>,
    /// The same with its headings, lists, tables, links.
    pub markdown: Option<String>,
}

/// The article of `page`, as text and Markdown if they are wanted; `None`: told to stop.
pub(super) fn article(
    page: &Page,
    wants_text: bool,
    wants_markdown: bool,
    title: Option<&str>,
    met: &mut Met,
) -> Option<Article> {
    let mut article = Article::default();
    if wants_text {
        let body = text_of(&page.html, &[&UNREAD[..], &ASIDE].concat(), page)?;
        let mut found = None;
        if body.len() >= SHORT_BYTES
            && let (whole, is_cut) = copy::copy(&page.html, &[], &mut AsTheyAre, page)?
        {
            if is_cut {
                met.note(&limits::TEXT_ELEMENTS);
            }
            if !is_cut && copy::is_tame(&whole, page)? {
                found = main_part(&whole, body.len(), page)?;
            }
        }
        let text = found.as_ref().unwrap_or(&body);
        article.text = Some(met.within(&limits::TEXT, text).to_owned());
    }
    if wants_markdown {
        article.markdown = Some(markdown::markdown(page, &readable(page)?, title, met)?);
    }
    page.goes_on(0).then_some(article)
}

/// What can be read of the body, or of its only article, without what surrounds it.
fn readable(page: &Page) -> Option<Selection> {
    let tree = &page.tree;
    let mut selection = Selection::none(tree, Kind::Whole);
    let only = |tag| {
        let mut found = tree.elements().filter(|element| element.is(tag));
        found.next().filter(|_| found.next().is_none()).map(|element| *element)
    };
    let root = only(Tag::Article).or_else(|| only(Tag::Main)).unwrap_or_else(|| tree.root());
    let mut inside = root.descendants();
    let mut n = 0;
    while let Some(node) = inside.next() {
        if !page.goes_on(n) {
            return None;
        }
        n += 1;
        if let Some(element) = node.as_element() {
            let is_picture = matches!(element.tag(), Tag::Br | Tag::Hr | Tag::Img);
            let is_out = UNREAD.contains(&element.name()) && !element.name().starts_with("annotation");
            if is_out || ASIDE.contains(&element.name()) || element.has_attr("hidden") {
                inside.skip_inside();
            } else if is_picture {
                selection.keep(tree, node.id());
            }
        } else if node.is_text() {
            selection.keep(tree, node.id());
        }
    }
    Some(selection)
}

/// The part of `whole` that Readability takes for the article, and its text; nothing if that is much shorter than the
/// text of the body.
fn main_part(whole: &str, body_bytes: usize, page: &Page) -> Option<Option<String>> {
    let config = Config { disable_json_ld: true, ..Config::default() };
    let readability = Readability::with_document(Document::from(whole), None, Some(config));
    let Some(found) = readability.ok().and_then(|mut readability| readability.parse().ok()) else {
        return Some(None);
    };
    let tree = dom::parse(&found.content, &|| page.goes_on(0))?;
    let text = text_of(&tree, &UNREAD, page)?;
    let is_long_enough = text.len() >= LONG_ENOUGH_BYTES.min(body_bytes / LEAST_SHARE).max(1);
    Some(is_long_enough.then_some(text))
}

/// The text of a tree, a little longer than it may be, so that it shows whether there is more.
fn text_of(tree: &Html, without: &[&str], page: &Page) -> Option<String> {
    prose::prose(tree, without, MAX_ARTICLE_BYTES + MAX_CHAR_BYTES, &|n| page.goes_on(n))
}
