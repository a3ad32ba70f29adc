//! A pace that all processes keep together: one number in shared memory.
//!
//! The number is the earliest time of the next start. Whoever may start moves it one gap on, with one atomic exchange,
//! so the pace is exact over any number of processes; and since there is no lock, a process killed at any instant
//! leaves nothing to mend: at worst a start was taken and not used.

use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{io, mem};

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};

use super::clock::monotonic_us;

/// See the module. Made before the first fork; lives as long as the processes.
#[derive(Clone, Copy, Debug)]
pub struct SharedPace {
    next_us: &'static AtomicU64,
    gap_us: u64,
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
        let next_us = unsafe { mapped.as_ref() };
        Ok(Self { next_us, gap_us: (gap.as_micros() as u64).max(1) })
    }

    /// Takes the next start, or says how long until there is one.
    ///
    /// # Errors
    /// The time to wait.
    pub fn take(&self) -> Result<(), Duration> {
        let now = monotonic_us();
        let mut next = self.next_us.load(Ordering::Relaxed);
        loop {
            if next > now {
                return Err(Duration::from_micros(next - now));
            }
            // Starts that nobody wanted are not saved up.
            match self.next_us.compare_exchange_weak(next, now + self.gap_us, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Ok(()),
                Err(other) => next = other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
}
