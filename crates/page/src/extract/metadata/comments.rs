//! What readers have written below a page, kept apart from its main text.
//!
//! A comment is an element that says so: of the type `Comment` of schema.org, or of a class such as `comment` within
//! something called `comments`. Those that the main text keeps are of the page itself, as in a forum, and not told twice.

use serde_json::Value;

use super::{byline, limits, object, push};
use crate::extract::arena::{Element, NodeRef};
use crate::extract::blocks::{hides, is_block_tag};
use crate::extract::extras::Page;
use crate::extract::limits::Met;
use crate::extract::selection::Selection;
use crate::extract::tags::Tag;
use crate::extract::text::{Nul, fold_into};

/// Longest text of a comment that is gathered, in bytes; it is cut where other values are.
const GATHERED: usize = super::MAX_VALUE_BYTES + 64;

/// The comments of a page that `selection`, its main text, leaves out. `None`: told to stop.
pub(in crate::extract) fn comments(
    page: &Page<'_>,
    selection: Option<&Selection>,
    met: &mut Met,
) -> Option<Vec<Value>> {
    let mut comments = Vec::new();
    // Where the outermost thing ends that is called `comments`.
    let mut comments_end = 0;
    for (n, element) in page.tree.elements().enumerate() {
        if !page.goes_on(n) {
            return None;
        }
        let at = element.id().index();
        if at >= comments_end && is_called(element, |name| COMMENTS.contains(&name)) {
            comments_end = element.end().index();
        }
        if !is_comment(element, at < comments_end) {
            continue;
        }
        let comment = Comment::of(element, at < comments_end, selection, page)?;
        let text = met.folded(&limits::METADATA_VALUE, &comment.text);
        if !text.is_empty() {
            let author = byline::names(&comment.author, true);
            push(met, &mut comments, object([("author", author), ("published", comment.time), ("text", Some(text))]));
        }
    }
    Some(comments)
}

const COMMENTS: [&str; 9] = [
    "comments",
    "commentlist",
    "comment-list",
    "comments-area",
    "comments-list",
    "comment-thread",
    "commentthread",
    "comments-section",
    "disqus_thread",
];
const COMMENT: [&str; 6] =
    ["comment", "comment-item", "comment_item", "comments-item", "comment-block", "comment-entry"];

/// Whether its id or one of its classes, in lower case, is such a name.
fn is_called(element: Element<'_>, is_it: impl Fn(&str) -> bool) -> bool {
    let names = element.classes().take(20).chain(element.id_attr());
    names.filter(|name| name.len() <= 40).any(|name| is_it(&name.to_ascii_lowercase()))
}

fn is_comment(element: Element<'_>, is_among_comments: bool) -> bool {
    element.attr("itemprop") == Some("comment")
        || element.attr("itemtype").is_some_and(|kind| kind.trim().ends_with("schema.org/Comment"))
        || is_among_comments && is_called(element, |name| COMMENT.contains(&name))
}

fn is_author(element: Element<'_>) -> bool {
    element.attr("itemprop") == Some("author")
        || is_called(element, |name| AUTHOR.contains(&name))
        || element.attr("rel").is_some_and(|rel| rel.contains("author"))
}

#[derive(Default)]
struct Comment {
    text: String,
    author: String,
    time: Option<String>,
}

impl Comment {
    fn of(
        comment: Element<'_>,
        is_among_comments: bool,
        selection: Option<&Selection>,
        page: &Page<'_>,
    ) -> Option<Self> {
        let mut found = Self::default();
        let mut inside = comment.descendants();
        let mut n = 0;
        while let Some(node) = inside.next() {
            n += 1;
            if !page.goes_on(n) {
                return None;
            }
            if let Some(text) = node.as_text()
                && !selection.is_some_and(|selection| selection.keeps(node.id()))
            {
                fold_into(&mut found.text, text, GATHERED, Nul::Dropped);
            }
            let Some(element) = node.as_element() else { continue };
            if is_block_tag(element.tag()) || element.tag() == Tag::Br {
                fold_into(&mut found.text, " ", GATHERED, Nul::Dropped);
            }
            let is_beside =
                is_author(element) || element.is(Tag::Time) || is_called(element, |name| BESIDE.contains(&name));
            if is_beside && found.author.is_empty() {
                let below = element.descendants().take(40).filter_map(NodeRef::as_element);
                if let Some(author) = std::iter::once(element).chain(below).find(|inner| is_author(*inner)) {
                    let texts = author.descendants().take(40).filter_map(NodeRef::as_text);
                    texts.for_each(|text| fold_into(&mut found.author, text, 200, Nul::Dropped));
                }
            }
            if found.time.is_none() && !is_comment(element, is_among_comments) {
                let own = |element: Element<'_>| element.attr("datetime").map(str::to_owned);
                let below = || element.descendants().take(40).filter_map(NodeRef::as_element).find_map(own);
                found.time = own(element).or_else(|| if is_beside { below() } else { None });
                found.time = found.time.take().filter(|time| super::is_iso_date(time.trim()) && time.len() <= 40);
            }
            // Answers are comments of their own.
            if hides(element) || element.is(Tag::Button) || is_beside || is_comment(element, is_among_comments) {
                inside.skip_inside();
            }
        }
        Some(found)
    }
}

const AUTHOR: [&str; 8] =
    ["comment-author", "comment__author", "author", "username", "vcard", "fn", "comment-user", "comment-author-name"];
const BESIDE: [&str; 10] = [
    "comment-meta",
    "comment-metadata",
    "comment-date",
    "comment-time",
    "comment-footer",
    "comment-actions",
    "comment-form",
    "reply",
    "comment-reply",
    "says",
];
