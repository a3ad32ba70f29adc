//! The optional parts of a page, each read on request: metadata, main text, Markdown, tables.

use encoding_rs::Encoding;
use url::Url;

use super::arena::Arena;
use super::limits::{self, Met};
use super::metadata::Told;
use super::parsed::Parsed;
use super::{article, is_html, metadata, resolve, tables};
use seine_core::record::items::PageExtras;
use seine_core::record::{self, MAX_URL_BYTES};

/// Nodes looked at between two questions whether to go on.
const NODES_PER_QUESTION: usize = 1024;

/// Which of them are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `--metadata`.
    pub metadata: bool,
    /// `--text`.
    pub text: bool,
    /// `--markdown`.
    pub markdown: bool,
    /// `--tables`.
    pub tables: bool,
}

impl Wanted {
    /// Whether any is.
    pub fn is_any(self) -> bool {
        self != Self::default()
    }
}

/// The wanted parts of the page `body`, which was decompressed already; none if it is not HTML. `content_type` is the
/// header's value, if there was one; `url` is where the page came from, after redirects.
///
/// `None`: told to stop by `keep_going`, which is asked often enough to bound what a hostile page costs.
pub fn extras(
    body: &[u8],
    content_type: Option<&[u8]>,
    url: &Url,
    wanted: Wanted,
    keep_going: &dyn Fn() -> bool,
) -> Option<PageExtras> {
    extras_of(&Parsed::new(body, content_type), url, wanted, keep_going)
}

/// The same of a page of which a tree may be there already.
pub fn extras_of(parsed: &Parsed<'_>, url: &Url, wanted: Wanted, keep_going: &dyn Fn() -> bool) -> Option<PageExtras> {
    if !wanted.is_any() || !is_html(parsed.content_type(), parsed.body()) {
        return Some(PageExtras::default());
    }
    let (_, charset) = parsed.text();
    let dom = parsed.dom(keep_going)?;
    let tree = dom.tree();
    let page = Page { base: resolve::document_base(url, tree.base_href(), charset), tree, charset, keep_going };
    let mut extras = PageExtras::default();
    let mut met = Met::default();
    if tree.is_cut {
        met.note(&limits::TREE);
    }
    let mut told =
        if wanted.metadata || wanted.markdown { metadata::metadata(&page, &mut met)? } else { Told::default() };
    let (mut kind, mut selection) = (None, None);
    if wanted.text || wanted.markdown {
        let article = article::article(&page, wanted.text, wanted.markdown, told.title(), &mut met)?;
        extras.text = article.text;
        extras.markdown = article.markdown;
        kind = Some(article.kind);
        selection = article.selection;
    }
    if wanted.metadata {
        let comments = metadata::comments(&page, selection.as_ref(), &mut met)?;
        told.add("comments", (!comments.is_empty()).then_some(comments.into()));
        let text = extras.text.as_deref().or(extras.markdown.as_deref());
        told.add("language", text.and_then(|text| metadata::language(&page, text)).map(Into::into));
        told.add("text_kind", kind.map(|kind| kind.name().into()));
        extras.metadata = Some(told.json());
    }
    if wanted.tables {
        extras.tables = Some(tables::tables(&page, &mut met)?);
    }
    extras.beyond = met.told();
    Some(extras)
}

/// A page to ask.
pub(super) struct Page<'p> {
    /// Its tree.
    pub tree: &'p Arena<'p>,
    /// The URL that its links are relative to.
    pub base: Url,
    charset: &'static Encoding,
    /// Whether to go on.
    pub keep_going: &'p dyn Fn() -> bool,
}

impl Page<'_> {
    /// Whether to go on, for the `n`th node of a walk: asked every so often.
    pub fn goes_on(&self, n: usize) -> bool {
        !n.is_multiple_of(NODES_PER_QUESTION) || (self.keep_going)()
    }

    /// The absolute http(s) URL of `href`, with its fragment; `None` if it is none.
    pub fn absolute(&self, href: &str) -> Option<String> {
        let href = href.trim_matches(|c: char| c <= ' ');
        if href.is_empty() || href.len() > MAX_URL_BYTES {
            return None;
        }
        let url = resolve::join(&self.base, href, self.charset).ok()?;
        record::check(&url).ok()?;
        (url.as_str().len() <= MAX_URL_BYTES).then(|| url.into())
    }
}

#[cfg(test)]
mod tests;
