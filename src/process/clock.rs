//! One clock for all processes: milliseconds that never run backwards.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Milliseconds on `CLOCK_MONOTONIC`, which the processes of one machine share and no clock
/// adjustment moves. Only differences have a meaning; stands still while the machine is suspended.
pub fn monotonic_ms() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has CLOCK_MONOTONIC");
    u64::try_from(Duration::from(now).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_runs_backwards() {
        let first = monotonic_ms();
        assert!(first > 0);
        assert!(monotonic_ms() >= first);
    }
}
