//! What sort of page it is, by what is kept of it and by what it says of itself.

use super::super::selection::Kind;
use super::features::{View, is_prose};
use super::runs::{AROUND, FAR, Run};
use super::vocabulary::NAMES;

/// A post is within so many elements of what is called one.
const NEAR: u8 = 8;
/// Entries of a list have fewer words each, on average.
const ENTRY_WORDS: f32 = 9.0;
/// A list has more of them.
const ENTRIES: usize = 12;

/// The sort of a page of which these runs are kept.
pub(super) fn kind(view: &View<'_>, runs: &[Run], kept: &[bool]) -> Kind {
    let says = |name| view.page_number(name) > 0.0;
    let message = NAMES.iter().position(|(name, _)| *name == "message").map_or(0, |n| n + AROUND.len());
    let (mut words, mut prose, mut posted, mut count) = (0.0, 0.0, 0.0, 0);
    for (run, _) in runs.iter().zip(kept).filter(|(_, kept)| **kept) {
        let own = run.counts.words;
        count += 1;
        words += own;
        prose += if is_prose(run) { own } else { 0.0 };
        posted += if run.above[message].min(FAR) < NEAR { own } else { 0.0 };
    }
    if says("discourse") || says("ld_forum") || posted > 0.7 * words {
        Kind::Forum
    } else if says("og_product") || says("ld_product") && !says("ld_article") && !says("ld_list") {
        Kind::Product
    } else if prose > 0.5 * words {
        Kind::Article
    } else if count >= ENTRIES && words < ENTRY_WORDS * count as f32 {
        Kind::Listing
    } else {
        Kind::Whole
    }
}
