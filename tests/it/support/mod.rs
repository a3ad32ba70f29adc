//! What the black-box tests share: a site to crawl, a way to run the program, and eyes on what it does.
//!
//! - [`site`]: a small HTTP server on loopback addresses that does what a test wants and remembers who came when.
//! - [`crawl`]: a folder with lists and a store, and crawls started in it; after each nothing may be left.
//! - [`family`]: the processes of a crawl, as `/proc` shows them.
//! - [`store`]: the store, as any SQLite reader sees it.
//!
//! Nothing here sleeps for synchronisation: [`eventually`] asks until a condition holds or a deadline has passed.

pub mod crawl;
pub mod family;
pub mod site;
pub mod store;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use crawl::{Crawl, Ended, Place, Running};
pub use family::Member;
pub use nix::sys::signal::Signal;
pub use site::{Reply, Request, Site};
pub use store::Store;

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

/// Random enough for tests, and the same for the same seed.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice with a printed seed: that of `SEINE_TEST_SEED`, or the time.
    pub fn new() -> Self {
        let given = std::env::var("SEINE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given
            .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64));
        println!("SEINE_TEST_SEED={seed}");
        Self::of(seed)
    }

    /// Dice with this seed.
    pub fn of(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number from `from` to `to`, both included.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        from + self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % (to - from + 1)
    }

    /// A time between so many milliseconds.
    pub fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.between(from, to))
    }

    /// Text that hardly compresses.
    pub fn noise(&mut self, bytes: usize) -> Vec<u8> {
        (0..bytes.div_ceil(8)).flat_map(|_| self.between(0, u64::MAX - 1).to_le_bytes()).take(bytes).collect()
    }
}
