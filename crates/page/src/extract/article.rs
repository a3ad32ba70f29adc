//! The main text of a page, and the same as Markdown: both of what [`select`] keeps of its tree.

use super::extras::Page;
use super::limits::{self, Met};
use super::select::select;
use super::selection::{Kind, Selection};
use super::text::MAX_CHAR_BYTES;
use super::{markdown, prose};

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
    /// The kept part of the page.
    pub selection: Option<Selection>,
}

/// The article of `page`, as text and Markdown if they are wanted, that under `title`; `None`: told to stop.
pub(super) fn article(
    page: &Page,
    wants_text: bool,
    wants_markdown: bool,
    title: Option<&str>,
    met: &mut Met,
) -> Option<Article> {
    let goes_on = |n| page.goes_on(n);
    let selection = select(page.tree, &goes_on)?;
    let mut article = Article { kind: selection.kind, ..Article::default() };
    if wants_text {
        // A little longer than it may be, so that it shows whether there is more.
        let text = prose::prose(page.tree, &selection, MAX_ARTICLE_BYTES + MAX_CHAR_BYTES, &goes_on)?;
        article.text = Some(met.within(&limits::TEXT, &text).to_owned());
    }
    if wants_markdown {
        article.markdown = Some(markdown::markdown(page, &selection, title, met)?);
    }
    article.selection = Some(selection);
    page.goes_on(0).then_some(article)
}
