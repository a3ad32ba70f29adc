//! When a host may be asked next.
//!
//! One number decides, the earliest instant of the next start, and everything that slows a host down moves it later.
//! That is exact, because a host with a pace lives in one fetcher at a time. The smallest gap between the starts of two
//! requests is the configured one, or the site's `Crawl-delay` if that is longer. Jitter, the host's own wish
//! (`Retry-After`) and, in adaptive mode, its latency and errors only ever lengthen it. The adaptive rule is that of
//! Scrapy's AutoThrottle: the gap follows the time an answer takes, at once upwards, halving the distance downwards, and
//! after an error never downwards; an answer that asks for fewer requests doubles it.

use std::time::Duration;

use tokio::time::Instant;

/// Adaptive mode goes no further than this.
const LONGEST_ADAPTED: Duration = Duration::from_secs(60);
/// Adaptive mode begins here when a host without delay is in trouble.
const FIRST_TROUBLE: Duration = Duration::from_millis(500);

/// The state that a host seems to be in, judged by one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// All is well.
    Well,
    /// It failed: no reason to come more often.
    Unwell,
    /// It could not be reached.
    Unreachable,
    /// It says that we come too often (429, 503), and is to be left alone for so long.
    Overrun {
        /// By its `Retry-After`, or by our own measure.
        hold: Duration,
    },
}

impl Mood {
    /// For how long the host is to be left alone.
    pub fn hold(self) -> Duration {
        match self {
            Self::Overrun { hold } => hold,
            Self::Well | Self::Unwell | Self::Unreachable => Duration::ZERO,
        }
    }
}

/// The pace of one host.
#[derive(Debug)]
pub struct Pace {
    /// The smallest gap.
    floor: Duration,
    /// The gap that latency and errors call for; `None`: not adaptive.
    adapted: Option<Duration>,
    jitter: Duration,
    last_start: Option<Instant>,
    earliest: Instant,
}

impl Pace {
    /// A host nobody has asked yet, with `floor` between requests.
    pub fn new(floor: Duration, adaptive: bool, jitter: Duration) -> Self {
        Self { floor, adapted: adaptive.then_some(Duration::ZERO), jitter, last_start: None, earliest: Instant::now() }
    }

    /// The smallest gap in force.
    pub fn floor(&self) -> Duration {
        self.floor
    }

    /// Lengthens the smallest gap; says whether that changed anything.
    pub fn raise(&mut self, floor: Duration) -> bool {
        if floor <= self.floor {
            return false;
        }
        self.floor = floor;
        if let Some(last_start) = self.last_start {
            self.hold(last_start + floor);
        }
        true
    }

    /// Counts from `at`: then a request started, or another fetcher may have made one.
    pub fn asked(&mut self, at: Instant) {
        self.last_start = self.last_start.max(Some(at));
        self.hold(at + self.floor);
    }

    /// Nothing starts before `until`.
    pub fn hold(&mut self, until: Instant) {
        self.earliest = self.earliest.max(until);
    }

    /// How long until a request may start.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        Some(self.earliest.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }

    /// Starts a request at `now` if that is permitted; `random` is from 0 to 1.
    pub fn start(&mut self, now: Instant, random: f64) -> bool {
        if self.wait(now).is_some() {
            return false;
        }
        self.last_start = Some(now);
        let gap = self.floor.max(self.adapted.unwrap_or_default()) + self.jitter.mul_f64(random);
        self.earliest = now + gap;
        true
    }

    /// A request took `latency` and left the host in this mood.
    pub fn answered(&mut self, latency: Duration, mood: Mood) {
        let Some(adapted) = self.adapted else { return };
        let present = adapted.max(self.floor);
        let next = match mood {
            Mood::Well => (present + latency) / 2,
            Mood::Unwell | Mood::Unreachable => present,
            Mood::Overrun { .. } if present.is_zero() => FIRST_TROUBLE,
            Mood::Overrun { .. } => present * 2,
        };
        let next = next.max(latency);
        let next = next.min(LONGEST_ADAPTED);
        self.adapted = Some(next);
        if let Some(last_start) = self.last_start {
            self.hold(last_start + next.max(self.floor));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const OVERRUN: Mood = Mood::Overrun { hold: SECOND };

    #[test]
    fn the_gap_is_kept_from_start_to_start() {
        let mut pace = Pace::new(SECOND, false, Duration::ZERO);
        let now = Instant::now();
        assert!(pace.start(now, 0.0));
        assert!(!pace.start(now, 0.0));
        assert_eq!(pace.wait(now + SECOND / 4), Some(SECOND * 3 / 4));
        assert_eq!(pace.wait(now + SECOND), None);
    }

    #[test]
    fn a_longer_gap_counts_from_the_last_start() {
        let mut pace = Pace::new(SECOND, false, Duration::ZERO);
        let now = Instant::now();
        pace.start(now, 0.0);
        assert!(pace.raise(10 * SECOND));
        assert!(!pace.raise(5 * SECOND));
        assert_eq!(pace.wait(now), Some(10 * SECOND));
    }

    #[test]
    fn what_another_process_asked_counts() {
        let mut pace = Pace::new(SECOND, false, Duration::ZERO);
        let now = Instant::now();
        pace.asked(now);
        assert_eq!(pace.wait(now), Some(SECOND));
        pace.raise(3 * SECOND);
        assert_eq!(pace.wait(now), Some(3 * SECOND));
    }

    #[test]
    fn jitter_only_lengthens() {
        let mut pace = Pace::new(SECOND, false, SECOND);
        let now = Instant::now();
        pace.start(now, 0.5);
        assert_eq!(pace.wait(now), Some(SECOND * 3 / 2));
    }

    #[test]
    fn the_gap_follows_latency_and_comes_back_but_never_below_the_floor() {
        let mut pace = Pace::new(SECOND, true, Duration::ZERO);
        let now = Instant::now();
        pace.start(now, 0.0);
        pace.answered(4 * SECOND, Mood::Well);
        assert_eq!(pace.wait(now), Some(4 * SECOND));
        for _ in 0..20 {
            pace.answered(SECOND / 10, Mood::Well);
        }
        assert!(pace.adapted.unwrap().max(pace.floor) < SECOND * 101 / 100);
        let before = pace.adapted.unwrap();
        pace.answered(SECOND / 10, Mood::Unwell);
        assert_eq!(pace.adapted.unwrap(), before.max(SECOND));
        pace.answered(SECOND / 10, OVERRUN);
        assert_eq!(pace.adapted.unwrap(), before.max(SECOND) * 2);
    }

    #[test]
    fn trouble_slows_down_even_where_there_is_no_delay() {
        let mut pace = Pace::new(Duration::ZERO, true, Duration::ZERO);
        let mut fixed = Pace::new(Duration::ZERO, false, Duration::ZERO);
        let now = Instant::now();
        assert!(pace.start(now, 0.0) && pace.start(now, 0.0));
        pace.answered(Duration::ZERO, OVERRUN);
        assert_eq!(pace.wait(now), Some(FIRST_TROUBLE));
        fixed.start(now, 0.0);
        fixed.answered(SECOND, OVERRUN);
        assert_eq!(fixed.wait(now), None);
    }
}
