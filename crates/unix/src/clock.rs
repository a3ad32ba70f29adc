//! One clock for all processes, which never runs backwards; and the CPU time of a thread.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Milliseconds on `CLOCK_MONOTONIC`, which the processes of one machine share and no clock
/// adjustment moves. Only differences have a meaning; stands still while the machine is suspended.
pub fn monotonic_ms() -> u64 {
    monotonic_us() / 1000
}

/// The same in microseconds.
pub fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has CLOCK_MONOTONIC");
    u64::try_from(Duration::from(now).as_micros()).unwrap_or(u64::MAX)
}

/// CPU time that the calling thread has used.
pub fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every Linux has CLOCK_THREAD_CPUTIME_ID").into()
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
