//! For tests alone: [`Dice`] that print their seed, and [`eventually`], which waits for a condition and never longer
//! than [`DEADLINE`]. No product code depends on this crate.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// No test waits longer for anything: generous, since the machine may be slow and shared.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Pause between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Waits until `holds`, at most [`DEADLINE`].
///
/// # Panics
/// The deadline has passed; `what` says what was waited for.
pub fn eventually(what: &str, holds: impl FnMut() -> bool) {
    assert!(within(DEADLINE, holds), "waited for {DEADLINE:?} in vain: {what}");
}

/// Whether `holds` becomes true within `limit`.
pub fn within(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// How many rounds a test makes: as many as `SEINE_TEST_ROUNDS` says, or else `default`.
pub fn rounds(default: u64) -> u64 {
    std::env::var("SEINE_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(default)
}

/// Numbers that look random, and are the same for the same seed, which is printed: a test that failed shows it.
#[derive(Debug)]
pub struct Dice(fastrand::Rng);

impl Dice {
    /// Dice with the seed in `SEINE_TEST_SEED`, or with one that is another each time.
    pub fn new() -> Self {
        let given = std::env::var("SEINE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        Self::of(given.unwrap_or_else(|| fastrand::u64(..)))
    }

    /// Dice with this seed.
    pub fn of(seed: u64) -> Self {
        println!("SEINE_TEST_SEED={seed}");
        Self(fastrand::Rng::with_seed(seed))
    }

    /// A number from `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        self.0.u64(from..=to)
    }

    /// A number below `bound`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0.usize(..bound.max(1))
    }

    /// Whether something happens that does so in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.0.u64(..100) < percent
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.0.u8(..)
    }

    /// A time between so many milliseconds, both included.
    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.between(from, to))
    }

    /// So many bytes that hardly compress.
    pub fn noise(&mut self, bytes: usize) -> Vec<u8> {
        let mut noise = vec![0; bytes];
        self.0.fill(&mut noise);
        noise
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::new()
    }
}
