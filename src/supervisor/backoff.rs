//! When a child process is started again: backoff, and the budget of crashes. Pure.

use std::collections::VecDeque;

use seine_core::time::Mono;

/// First pause before a respawn; and the only one where a page was to blame, which is soon put away.
pub const FIRST_PAUSE_MS: u64 = 100;
/// Longest pause.
const LONGEST_PAUSE_MS: u64 = 5_000;
/// After this long without a crash a child counts as healthy and the pauses start anew.
const HEALTHY_MS: u64 = 60_000;
/// More crashes of one role than this ...
const CRASHES: usize = 5;
/// ... within this time end the run: something is wrong that starting again does not cure.
const CRASH_SPAN_MS: u64 = 10_000;

/// Pauses between respawns of one child: doubling, with jitter, reset by health.
#[derive(Debug, Default)]
pub struct Backoff {
    crashes: u32,
    last_crash: Option<Mono>,
}

impl Backoff {
    /// The child crashed; how many milliseconds to wait before it is started again. `seed` spreads children that crash together.
    pub fn crashed(&mut self, now: Mono, seed: u64) -> u64 {
        if self.last_crash.is_some_and(|last| now.ms_since(last) >= HEALTHY_MS) {
            self.crashes = 0;
        }
        self.last_crash = Some(now);
        let pause = FIRST_PAUSE_MS.saturating_mul(1 << self.crashes.min(10)).min(LONGEST_PAUSE_MS);
        self.crashes += 1;
        // Up to a fifth less; a linear congruence is random enough for that.
        let jitter = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(now.ms()) >> 33;
        pause - jitter % (pause / 5)
    }
}

/// The crashes of one role of late.
#[derive(Debug, Default)]
pub struct CrashBudget {
    crashes: VecDeque<Mono>,
}

impl CrashBudget {
    /// Notes a crash; `true` if there were too many.
    pub fn crashed(&mut self, now: Mono) -> bool {
        self.crashes.push_back(now);
        while self.crashes.front().is_some_and(|&at| now.ms_since(at) > CRASH_SPAN_MS) {
            self.crashes.pop_front();
        }
        self.crashes.len() > CRASHES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_seconds_and_start_anew_after_a_healthy_minute() {
        let mut backoff = Backoff::default();
        let mut now = Mono::EARLIEST;
        let mut pauses = Vec::new();
        for seed in 0..8 {
            let pause = backoff.crashed(now, seed);
            pauses.push(pause);
            now = now.plus_ms(pause);
        }
        for (i, pause) in pauses.iter().enumerate() {
            let full = (100 << i).min(5_000);
            assert!(*pause <= full && *pause >= full * 4 / 5, "pause {i} is {pause}");
        }
        assert!(backoff.crashed(now.plus_ms(HEALTHY_MS), 1) <= 100);
    }

    #[test]
    fn six_crashes_in_ten_seconds_are_too_many() {
        let mut budget = CrashBudget::default();
        assert!((0..5).all(|i| !budget.crashed(Mono::from_ms(i * 1000))));
        assert!(budget.crashed(Mono::from_ms(5000)));
        let mut slow = CrashBudget::default();
        assert!((0..50).all(|i| !slow.crashed(Mono::from_ms(i * 2500))));
    }
}
