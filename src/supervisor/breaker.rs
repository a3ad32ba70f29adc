//! When a host that fails again and again is put aside, and when it is given up.
//!
//! After a number of failures in a row the host is left alone for a while; then one URL tries whether it has recovered.
//! If it has not, the next pause is longer; after the last of them the host is down. So a dead host with a hundred
//! thousand URLs costs a crawl a handful of requests and half a minute, and no place that another host could use.
//! (The circuit breaker of M. Nygard, "Release It!", with an end.) Pure.

/// How long a host is put aside, each time it has failed again.
pub const PAUSES_MS: [u64; 3] = [1_000, 4_000, 16_000];
/// The same for one that answers, and says that it is asked too much: limits are often by the minute.
pub const BUSY_PAUSES_MS: [u64; 4] = [2_000, 10_000, 30_000, 60_000];

/// The breaker of one host.
#[derive(Debug, Default)]
pub struct Breaker {
    /// Failures in a row.
    failures: u32,
    /// Times it was put aside in a row.
    trips: usize,
}

/// What a failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trip {
    /// The host is to be left alone for so long.
    Aside {
        /// Milliseconds.
        pause_ms: u64,
    },
    /// It is given up.
    Down,
}

impl Breaker {
    /// The host answered.
    pub fn well(&mut self) {
        *self = Self::default();
    }

    /// A request failed, or was one too many for a `busy` host; `most` in a row are too many, and one is when it was
    /// put aside before.
    pub fn failed(&mut self, most: u32, busy: bool) -> Option<Trip> {
        self.failures += 1;
        if self.failures < most && !self.is_probing() {
            return None;
        }
        self.failures = 0;
        let pauses = if busy { &BUSY_PAUSES_MS[..] } else { &PAUSES_MS[..] };
        let pause = pauses.get(self.trips).copied();
        self.trips += 1;
        Some(pause.map_or(Trip::Down, |pause_ms| Trip::Aside { pause_ms }))
    }

    /// Whether it was put aside and has not answered since.
    pub fn is_probing(&self) -> bool {
        self.trips > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let mut breaker = Breaker::default();
        let trips: Vec<_> = (0..6).filter_map(|_| breaker.failed(3, false)).collect();
        let mut expected: Vec<_> = PAUSES_MS.iter().map(|&pause_ms| Trip::Aside { pause_ms }).collect();
        expected.push(Trip::Down);
        assert_eq!(trips, expected);
    }

    #[test]
    fn an_answer_makes_up_for_everything() {
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            assert_eq!(breaker.failed(2, true), None);
            breaker.well();
        }
        assert!(!breaker.is_probing());
    }
}
