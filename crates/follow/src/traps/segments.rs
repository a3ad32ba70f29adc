//! Paths that repeat themselves, or never end.

use crate::parts::Parts;

/// Most segments of a path that is no `depth_of_path`. Deep trees of Java sources have nearly 20.
pub const MAX_SEGMENTS: usize = 30;

/// How often a segment may follow itself: `/a/a/a`.
pub const MAX_SAME: usize = 3;

/// How often a series of several segments may follow itself: `/a/b/a/b`.
pub const MAX_SERIES: usize = 2;

/// How often numbers and short codes may follow themselves: `/0/0/0/17.png` is a tile of a map.
pub const MAX_SAME_CODES: usize = 6;

/// How many segments of a path may have stood in it before. A source file may lie at
/// `/django/django/tree/main/django/…`.
pub const MAX_REPEATED: usize = 5;

/// Segments that are looked at: the work grows with their square.
const MAX_LOOKED_AT: usize = 64;

/// Whether the path has too many segments.
pub(super) fn are_too_many(parts: &Parts<'_>) -> bool {
    parts.segments().nth(MAX_SEGMENTS).is_some()
}

/// Whether the path repeats itself: a series of segments follows itself, or words come again and again.
pub(super) fn repeat(parts: &Parts<'_>) -> bool {
    if parts.segments().nth(MAX_SAME).is_none() {
        return false;
    }
    let mut all = [""; MAX_LOOKED_AT];
    let mut count = 0;
    for (slot, segment) in all.iter_mut().zip(parts.segments()) {
        *slot = segment;
        count += 1;
    }
    let segments = &all[..count];
    has_series(segments) || repeated_words(segments) > MAX_REPEATED
}

/// Whether a series of segments follows itself more often than it may.
fn has_series(segments: &[&str]) -> bool {
    (1..=segments.len() / (MAX_SERIES + 1)).any(|length| {
        // Segments in a row that are the same as those one length later.
        let mut same = 0;
        (length..segments.len()).any(|at| {
            same = if segments[at] == segments[at - length] { same + 1 } else { 0 };
            let times = same / length + 1;
            let series = &segments[at + 1 - length..=at];
            times > MAX_SERIES && times > most_times(series)
        })
    })
}

/// How often `series` may follow itself.
fn most_times(series: &[&str]) -> usize {
    if series.iter().all(|segment| is_code(segment)) {
        MAX_SAME_CODES
    } else if series.iter().all(|segment| segment == &series[0]) {
        MAX_SAME
    } else {
        MAX_SERIES
    }
}

/// How many segments are words that have stood before.
fn repeated_words(segments: &[&str]) -> usize {
    let has_stood_before = |(at, segment): (usize, &&str)| !is_code(segment) && segments[..at].contains(segment);
    segments.iter().enumerate().filter(|&entry| has_stood_before(entry)).count()
}

/// Whether a segment is a number or so short that it may well come again: shards (`/a/3/a3…`), tiles, languages.
fn is_code(segment: &str) -> bool {
    segment.len() <= 2 || segment.bytes().all(|byte| byte.is_ascii_digit())
}
