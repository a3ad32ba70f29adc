//! A pace that all processes keep together: a `governor` limiter whose state is one number in shared memory.
//!
//! The limiter is made before the first fork, so all processes count from the same instant of the one monotonic clock.
//! It decides whether a start is due and when the next one is; each start moves the number on with one atomic exchange,
//! so the pace is exact over any number of processes. Since there is no lock, a process killed at any instant leaves
//! nothing to mend: at worst a start was taken and not used.

use std::num::{NonZeroU64, NonZeroUsize};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{io, mem};

use governor::clock::{Clock, MonotonicClock};
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};

/// No gap is shorter ...
const SHORTEST_GAP: Duration = Duration::from_micros(1);
/// ... or longer: the limiter counts nanoseconds in 64 bits.
const LONGEST_GAP: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// See the module. Made before the first fork; lives as long as the processes.
#[derive(Clone, Copy, Debug)]
pub struct SharedPace(&'static RateLimiter<NotKeyed, SharedState, MonotonicClock>);

/// When the next start is due, in nanoseconds since the limiter was made; 0 before the first start.
#[derive(Debug)]
struct SharedState(&'static AtomicU64);

impl StateStore for SharedState {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut due = self.0.load(Ordering::Relaxed);
        loop {
            let (taken, next) = decide(NonZeroU64::new(due).map(|due| due.get().into()))?;
            match self.0.compare_exchange_weak(due, next.as_u64(), Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(taken),
                Err(other) => due = other,
            }
        }
    }
}

impl SharedPace {
    /// A pace of one start every `gap`, shared by this process and all it forks.
    ///
    /// # Errors
    /// Not enough memory.
    pub fn new(gap: Duration) -> io::Result<Self> {
        let len = NonZeroUsize::new(mem::size_of::<AtomicU64>()).expect("a number has a size");
        let flags = MapFlags::MAP_SHARED | MapFlags::MAP_POPULATE;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let mapped: NonNull<AtomicU64> =
            unsafe { mmap_anonymous(None, len, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, flags) }?.cast();
        // SAFETY: page-aligned, zeroed by the kernel (a valid number), never unmapped, and changed by other processes
        // through the same atomic only.
        let state = SharedState(unsafe { mapped.as_ref() });
        // A burst of one: unused starts are not saved up.
        let quota = Quota::with_period(gap.clamp(SHORTEST_GAP, LONGEST_GAP)).expect("the shortest gap is not zero");
        Ok(Self(Box::leak(Box::new(RateLimiter::new(quota, state, MonotonicClock)))))
    }

    /// Takes the next start, or says how long until there is one.
    ///
    /// # Errors
    /// The time to wait.
    pub fn take(&self) -> Result<(), Duration> {
        self.0.check().map_err(|until| until.wait_time_from(self.0.clock().now()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn all_who_share_it_keep_one_gap() {
        let pace = SharedPace::new(Duration::from_secs(100)).unwrap();
        let taken: Vec<bool> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| pace.take().is_ok())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
        let wait = pace.take().unwrap_err();
        assert!(wait > Duration::from_secs(90) && wait <= Duration::from_secs(100), "{wait:?}");
    }

    #[test]
    fn starts_that_nobody_wanted_are_not_saved_up() {
        const GAP: Duration = Duration::from_millis(20);
        let pace = SharedPace::new(GAP).unwrap();
        pace.take().unwrap();
        std::thread::sleep(GAP * 4);
        let mut before = None;
        for _ in 0..4 {
            let began = loop {
                let began = Instant::now();
                match pace.take() {
                    Ok(()) => break began,
                    Err(wait) => std::thread::sleep(wait),
                }
            };
            // A start lies after its `began` and before this.
            assert!(before.is_none_or(|before: Instant| before.elapsed() >= GAP));
            before = Some(began);
        }
    }

    #[test]
    fn a_gap_beyond_all_bounds_is_a_long_one() {
        let pace = SharedPace::new(Duration::MAX).unwrap();
        pace.take().unwrap();
        assert!(pace.take().unwrap_err() > Duration::from_secs(3_000_000_000));
        let pace = SharedPace::new(Duration::ZERO).unwrap();
        pace.take().unwrap();
    }
}
