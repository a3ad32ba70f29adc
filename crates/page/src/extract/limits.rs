//! The limits of a page: what is beyond one is left out or cut, and told.

use seine_core::record::MAX_URL_BYTES;
use seine_core::record::items::Excess;

use super::article::MAX_ARTICLE_BYTES;
use super::metadata::{MAX_ENTRIES, MAX_VALUE_BYTES};
use super::rules::json::MAX_BLOCKS;
use super::tables::{MAX_CELL_BYTES, MAX_CELLS, MAX_TABLES_BYTES};
use super::{
    MAX_ANCHOR_BYTES, MAX_ANCHORS_TOTAL_BYTES, MAX_LINKS, MAX_LINKS_TOTAL_BYTES, MAX_TEXT_BYTES, MAX_TOKEN_BYTES,
    arena, robots, text,
};

/// A limit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Limit {
    /// The column of `pages`, or the view, that has less for it.
    field: &'static str,
    most: usize,
    /// The things or units that are counted.
    of: &'static str,
    /// The fate of the rest.
    then: &'static str,
}

impl Limit {
    /// How many there are at most.
    pub fn most(&self) -> usize {
        self.most
    }
}

const fn limit(field: &'static str, most: usize, of: &'static str, then: &'static str) -> Limit {
    Limit { field, most, of, then }
}

const CUT: &str = "cut";
const LEFT_OUT: &str = "the rest is left out";

pub(super) static TITLE: Limit = limit("title", MAX_TEXT_BYTES, "bytes", CUT);
pub(super) static H1: Limit = limit("h1", MAX_TEXT_BYTES, "bytes", CUT);
pub(super) static DESCRIPTION: Limit = limit("description", MAX_TEXT_BYTES, "bytes", CUT);
pub(super) static LANG: Limit = limit("lang", MAX_TOKEN_BYTES, "bytes", CUT);
pub(super) static ROBOTS: Limit = limit("meta_robots", robots::MAX_BYTES, "bytes", LEFT_OUT);
pub(super) static LINKS: Limit = limit("links", MAX_LINKS, "links", LEFT_OUT);
pub(super) static LINK_URL: Limit = limit("links", MAX_URL_BYTES, "bytes of a link's URL", "it is left out");
pub(super) static LINK_BYTES: Limit = limit("links", MAX_LINKS_TOTAL_BYTES, "bytes of URLs", LEFT_OUT);
pub(super) static LINK_TEXT: Limit = limit("links", MAX_ANCHOR_BYTES, "bytes of a link's text", CUT);
pub(super) static LINK_TEXTS: Limit =
    limit("links", MAX_ANCHORS_TOTAL_BYTES, "bytes of all links' texts", "later texts are empty");
pub(super) static LINK_REL: Limit = limit("links", MAX_TOKEN_BYTES, "bytes of a link's rel", CUT);
pub(super) static TREE: Limit = limit(
    "",
    arena::MAX_NODES,
    "nodes and attributes",
    "the rest of the page is not in text, markdown, metadata, tables",
);
pub(super) static TEXT: Limit = limit("text", MAX_ARTICLE_BYTES, "bytes", CUT);
pub(super) static MARKDOWN: Limit = limit("markdown", MAX_ARTICLE_BYTES, "bytes", CUT);
pub(super) static METADATA_VALUE: Limit = limit("metadata", MAX_VALUE_BYTES, "bytes of a value", CUT);
pub(super) static METADATA_ENTRIES: Limit = limit("metadata", MAX_ENTRIES, "entries of a list or object", LEFT_OUT);
pub(super) static JSONLD_BLOCKS: Limit = limit("metadata", MAX_BLOCKS, "JSON-LD blocks", LEFT_OUT);
pub(super) static CELLS: Limit = limit("tables", MAX_CELLS, "cells", LEFT_OUT);
pub(super) static CELL: Limit = limit("tables", MAX_CELL_BYTES, "bytes of a cell", CUT);
pub(super) static TABLES_BYTES: Limit = limit("tables", MAX_TABLES_BYTES, "bytes of all cells", LEFT_OUT);

/// The limits that a page has met, and how often.
#[derive(Debug, Default)]
pub(super) struct Met(Vec<(&'static Limit, u64)>);

impl Met {
    /// A limit was met once more.
    pub fn note(&mut self, limit: &'static Limit) {
        match self.0.iter_mut().find(|(known, _)| std::ptr::eq(*known, limit)) {
            Some((_, times)) => *times += 1,
            None => self.0.push((limit, 1)),
        }
    }

    /// `raw` with white space folded, up to the limit, which is one of bytes.
    pub fn folded(&mut self, limit: &'static Limit, raw: &str) -> String {
        let mut folded = String::new();
        // A few bytes more show whether there is more.
        text::fold_into(&mut folded, raw, limit.most + text::MAX_CHAR_BYTES, text::Nul::Dropped);
        folded.truncate(self.within(limit, &folded).len());
        folded
    }

    /// As much of a text as the limit allows, which is one of bytes; without white space at its end.
    pub fn within<'t>(&mut self, limit: &'static Limit, text: &'t str) -> &'t str {
        self.cut(limit, text.trim_end()).trim_end()
    }

    /// The same with the white space that there is.
    pub fn cut<'t>(&mut self, limit: &'static Limit, text: &'t str) -> &'t str {
        if text.len() > limit.most {
            self.note(limit);
        }
        text::cut(text, limit.most)
    }

    /// The limits that were met, as problems of the page.
    pub fn told(self) -> Vec<Excess> {
        let told = self.0.into_iter().map(|(limit, times)| {
            let times = if times > 1 { format!(" ({times} times)") } else { String::new() };
            Excess {
                field: limit.field.to_owned(),
                found: format!("more than {} {}: {}{times}", limit.most, limit.of, limit.then),
            }
        });
        told.collect()
    }
}
