//! When a page is due again, by how often it has changed: `--revisit adaptive`.
//!
//! The rule is that of Apache Nutch's `AdaptiveFetchSchedule` with its rates: after a fetch that found a change a page is
//! due a fifth sooner than the last time, after one that found none two fifths later, within bounds. It begins at the
//! lower one. A fetch that failed says nothing of changes and leaves the time as it was.

/// The bounds, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revisit {
    /// No page is due sooner.
    pub min_ms: u64,
    /// No page is due later.
    pub max_ms: u64,
}

impl Revisit {
    /// How long after a fetch the page is due, `before` being the time that held until then.
    #[must_use]
    pub fn next(self, before: Option<u64>, changed: bool) -> u64 {
        let before = before.map_or(self.min_ms, |before| self.within(before));
        self.within(if changed { before - before / 5 } else { before.saturating_add(before / 5 * 2) })
    }

    fn within(self, ms: u64) -> u64 {
        ms.max(self.min_ms).min(self.max_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_bring_a_page_sooner_and_their_absence_later() {
        let revisit = Revisit { min_ms: 1_000, max_ms: 10_000 };
        assert_eq!(revisit.next(None, true), 1_000);
        assert_eq!(revisit.next(None, false), 1_400);
        assert_eq!(revisit.next(Some(5_000), true), 4_000);
        assert_eq!(revisit.next(Some(5_000), false), 7_000);
        assert_eq!(revisit.next(Some(9_000), false), 10_000);
        assert_eq!(revisit.next(Some(1_100), true), 1_000);
        // The bounds of an earlier run were others.
        assert_eq!(revisit.next(Some(90_000), true), 8_000);
        assert_eq!(revisit.next(Some(u64::MAX), false), 10_000);
    }
}
