//! Which part of a page is its main text.
//!
//! A page is cut into `runs`, stretches of text without a block boundary inside. For each the `features` are counted:
//! what it is like, which elements and class names (`vocabulary`) it is in, how much text and how many links the
//! blocks around it hold, how many others have its form, what stands beside it, what the page is like. A `forest` says
//! how likely each is main text. Kept are then those runs that make the expected F1 of all their words the largest, so that
//! every page keeps something: of one that is nothing but a menu, the menu.
//!
//! Linear in the size of the page. What a forest is made of, and how it is made anew, is told in `crates/page/model/`.

mod features;
mod forest;
mod kind;
mod runs;
pub mod training;
mod vocabulary;

use super::arena::{Arena, NodeRef};
use super::selection::{Kind, Selection};
use super::tags::Tag;
use features::{Unnamed, View, is_heading};
use forest::{LANES, MODEL};
use runs::{FAR, Run, Runs, SURROUNDING};

/// A heading of what is kept is kept too, unless it is less likely than this.
const LIKELY_HEADING: f32 = 0.2;
/// Pages of fewer words are their own main text: what is likely of so little is chance.
const FEW_WORDS: f32 = 40.0;
/// Parts of a text that are written in pieces.
const PARTS: [Tag; 8] = [Tag::Pre, Tag::Table, Tag::Ul, Tag::Ol, Tag::Dl, Tag::Figure, Tag::Blockquote, Tag::Details];
/// Most elements around a picture that are asked for texts.
const MAX_CLIMB: usize = 16;

/// The main text of `tree`. `None`: told to stop by `goes_on`, which is asked for the `n`th node or run.
pub(super) fn select(tree: &Arena<'_>, goes_on: &dyn Fn(usize) -> bool) -> Option<Selection> {
    let runs = runs::runs(tree, goes_on)?;
    let view = View::new(tree, &runs);
    let words: Vec<f32> = runs.runs.iter().map(|run| run.counts.words).collect();
    let is_short = words.iter().sum::<f32>() < FEW_WORDS;
    let kept = if is_short {
        runs.runs.iter().map(is_seen).collect()
    } else {
        let likely = likely(&view, &runs, goes_on)?;
        let mut kept = best(&words, &likely);
        for n in (1..kept.len()).rev() {
            kept[n - 1] |= kept[n] && is_heading(runs.runs[n - 1].tag) && likely[n - 1] >= LIKELY_HEADING;
        }
        keep_amid(tree, &runs, &mut kept, goes_on)?;
        kept
    };
    let kind = if is_short { Kind::Whole } else { kind::kind(&view, &runs.runs, &kept) };
    let mut selection = Selection::none(tree, kind);
    for (run, _) in runs.runs.iter().zip(&kept).filter(|(_, kept)| **kept) {
        for id in &runs.texts[run.texts.start as usize..run.texts.end as usize] {
            selection.keep(tree, *id);
        }
    }
    keep_void(tree, &runs, &kept, &mut selection, goes_on)?;
    Some(selection)
}

/// Whether a run is shown to readers and in none of the parts that surround a page's own.
fn is_seen(run: &Run) -> bool {
    SURROUNDING.iter().all(|sort| run.above[*sort] == FAR)
}

/// How likely each run is main text.
fn likely(view: &View<'_>, runs: &Runs, goes_on: &dyn Fn(usize) -> bool) -> Option<Vec<f32>> {
    let runs = runs.runs.len();
    let mut rows = [[0.0; 256]; LANES];
    let mut likely = Vec::with_capacity(runs.next_multiple_of(LANES));
    while likely.len() < runs {
        for (lane, row) in rows.iter_mut().enumerate() {
            // The last rows may be those of runs before.
            let Some(n) = Some(likely.len() + lane).filter(|n| *n < runs) else { break };
            if !goes_on(n) {
                return None;
            }
            view.row(n, &mut Unnamed::new(row));
        }
        likely.extend(MODEL.forest.probabilities(&rows));
    }
    likely.truncate(runs);
    Some(likely)
}

/// The runs to keep: the likeliest, so many that the expected F1 of their words is the largest.
fn best(words: &[f32], likely: &[f32]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..words.len()).collect();
    order.sort_by(|a, b| likely[*b].total_cmp(&likely[*a]).then(a.cmp(b)));
    let wanted: f64 = words.iter().zip(likely).map(|(words, likely)| f64::from(words * likely)).sum();
    let (mut right, mut kept, mut best, mut count) = (0.0, 0.0, -1.0, 0);
    for (n, run) in order.iter().enumerate() {
        right += f64::from(words[*run] * likely[*run]);
        kept += f64::from(words[*run]);
        let f1 = 2.0 * right / (kept + wanted).max(f64::MIN_POSITIVE);
        if f1 >= best {
            (best, count) = (f1, n + 1);
        }
    }
    let mut chosen = vec![false; words.len()];
    order[..count].iter().for_each(|run| chosen[*run] = true);
    chosen
}

/// Keeps code, tables, lists and the like as a whole that stand between two texts of their parent which are kept: each of
/// their short texts says little of itself. Lists that are mostly links are left to the model.
fn keep_amid(tree: &Arena<'_>, runs: &Runs, kept: &mut [bool], goes_on: &dyn Fn(usize) -> bool) -> Option<()> {
    let by_model = kept.to_vec();
    let range = |node: NodeRef<'_>| {
        let at = node.id().index();
        (runs.starts[at] as usize, runs.ends[at] as usize)
    };
    let mut inside = tree.descendants();
    let mut n = 0;
    while let Some(node) = inside.next() {
        n += 1;
        if !goes_on(n) {
            return None;
        }
        let (Some(element), Some(parent)) = (node.as_element(), node.parent()) else { continue };
        if !PARTS.contains(&element.tag()) {
            continue;
        }
        let ((start, end), around) = (range(node), range(parent));
        let stands_amid = start > around.0 && end < around.1 && by_model[start - 1] && by_model[end];
        if start == end || !stands_amid || !runs.runs[start..end].iter().all(is_seen) {
            continue;
        }
        let sum = |of: fn(&Run) -> f32| runs.runs[start..end].iter().map(of).sum::<f32>();
        if 2.0 * sum(|run| run.counts.link_words) < sum(|run| run.counts.words) {
            kept[start..end].fill(true);
            inside.skip_inside();
        }
    }
    Some(())
}

/// Keeps what has no text of its own where the texts around it are kept: pictures, rules, line breaks.
fn keep_void(
    tree: &Arena<'_>,
    runs: &Runs,
    kept: &[bool],
    selection: &mut Selection,
    goes_on: &dyn Fn(usize) -> bool,
) -> Option<()> {
    let mut sums = vec![0_u32];
    sums.extend(kept.iter().scan(0, |sum, kept| {
        *sum += u32::from(*kept);
        Some(*sum)
    }));
    for (n, node) in tree.descendants().enumerate() {
        if !goes_on(n) {
            return None;
        }
        let Some(element) = node.as_element() else { continue };
        let is_kept = match element.tag() {
            Tag::Br | Tag::Wbr | Tag::Hr => node.parent().is_some_and(|parent| selection.keeps(parent.id())),
            Tag::Img | Tag::Source | Tag::Video | Tag::Audio => is_among_kept(node, runs, &sums),
            _ => false,
        };
        if is_kept {
            selection.keep(tree, node.id());
        }
    }
    Some(())
}

/// Whether most of the texts are kept that are in the innermost element around `node` that has any.
fn is_among_kept(node: NodeRef<'_>, runs: &Runs, sums: &[u32]) -> bool {
    for around in node.ancestors().take(MAX_CLIMB) {
        let (start, end) = (runs.starts[around.id().index()] as usize, runs.ends[around.id().index()] as usize);
        if end > start {
            return 2 * (sums[end] - sums[start]) as usize > end - start;
        }
    }
    false
}

#[cfg(test)]
mod tests;
