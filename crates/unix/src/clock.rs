//! One clock for all processes, which never runs backwards; the wall clock; and the CPU time of a thread.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use seine_core::time::{Mono, Now, Wall};

/// What the monotonic clock shows.
pub fn mono() -> Mono {
    Mono::from_ms(monotonic_ms())
}

/// What the wall clock shows.
pub fn wall() -> Wall {
    Wall::from_ms(u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX))
}

/// What both clocks show.
pub fn now() -> Now {
    Now { mono: mono(), wall: wall() }
}

/// Time since the Unix epoch, as fine as the wall clock has it; nothing if that is set to a time before the epoch.
pub fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

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

/// CPU time that the calling thread has used. A system call, unlike the other clocks: microseconds on some machines.
pub fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("every Linux has CLOCK_THREAD_CPUTIME_ID").into()
}

/// The CPU time of one thread, for the others of its process.
#[derive(Clone, Copy, Debug)]
pub struct ThreadClock(ClockId);

impl ThreadClock {
    /// That of the calling thread.
    pub fn of_this_thread() -> Self {
        // As pthread_getcpuclockid(3) makes it: the bits of a thread's number inverted, and which of its clocks.
        const SCHEDULED_TIME_OF_THREAD: i32 = 0b110;
        Self(ClockId::from_raw(!nix::unistd::gettid().as_raw() << 3 | SCHEDULED_TIME_OF_THREAD))
    }

    /// What the thread has used; `None` once it has ended.
    pub fn used(self) -> Option<Duration> {
        clock_gettime(self.0).ok().map(Duration::from)
    }
}

/// A cheap clock: a memory read, at most a tick (10 ms) behind.
fn coarse() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC_COARSE).expect("every Linux has CLOCK_MONOTONIC_COARSE").into()
}

/// CPU time that the thread which makes it may use from then on. Cheap to ask, however often.
///
/// No thread uses more CPU time than time passes. So what is left cannot be used up before as much time has passed, and
/// until then a look at a clock that costs nothing answers; only then the CPU clock is read, and tells how long this
/// holds again. A thread that has a core to itself reads it once or twice in all.
#[derive(Debug)]
pub struct CpuBudget {
    /// What the thread's CPU clock shows at the end.
    end: Duration,
    /// Not used up before the coarse clock shows this.
    safe_until: Cell<Duration>,
}

impl CpuBudget {
    /// A budget of `limit`, give or take a tick of the coarse clock.
    pub fn new(limit: Duration) -> Self {
        Self { end: thread_cpu().saturating_add(limit), safe_until: Cell::new(coarse().saturating_add(limit)) }
    }

    /// Whether there is something left of it. Only for the thread that has made it.
    #[inline]
    pub fn is_left(&self) -> bool {
        let now = coarse();
        if now < self.safe_until.get() {
            return true;
        }
        let left = self.end.saturating_sub(thread_cpu());
        self.safe_until.set(now.saturating_add(left));
        !left.is_zero()
    }
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

    /// Burns CPU time for as long as `budget` says, asking all the time. How often it was asked, and what was used.
    fn burn(limit: Duration) -> (u64, Duration) {
        let begun = thread_cpu();
        let budget = CpuBudget::new(limit);
        let mut asked = 0;
        while budget.is_left() {
            asked += 1;
        }
        (asked, thread_cpu() - begun)
    }

    #[test]
    fn a_budget_lasts_as_long_as_it_says_and_not_much_longer() {
        for limit in [0, 1, 50, 300].map(Duration::from_millis) {
            let (_, used) = burn(limit);
            assert!(used >= limit.saturating_sub(Duration::from_millis(1)), "{limit:?} ended after {used:?}");
            assert!(used < limit + Duration::from_millis(50), "{limit:?} lasted {used:?}");
        }
    }

    #[test]
    fn time_that_the_thread_does_not_run_costs_no_budget() {
        let budget = CpuBudget::new(Duration::from_millis(50));
        std::thread::sleep(Duration::from_millis(200));
        assert!(budget.is_left(), "waiting was counted as work");
    }

    #[test]
    fn a_thread_is_seen_at_work_by_others() {
        let (send, receive) = std::sync::mpsc::channel();
        let worker = std::thread::spawn(move || {
            burn(Duration::from_millis(30));
            send.send((ThreadClock::of_this_thread(), thread_cpu())).expect("it is waited for");
            std::thread::park();
        });
        let (clock, used) = receive.recv().expect("it says what it has used");
        let seen = clock.used().expect("it lives");
        assert!(seen >= used && seen < used + Duration::from_millis(30), "{seen:?} of {used:?}");
        worker.thread().unpark();
        worker.join().expect("it does not panic");
        // It is joined when its memory is free; a moment later it is gone for the kernel too.
        let deadline = std::time::Instant::now() + Duration::from_secs(60);
        while clock.used().is_some() {
            assert!(std::time::Instant::now() < deadline, "it is not gone");
            std::thread::yield_now();
        }
    }

    #[test]
    fn asking_costs_next_to_nothing() {
        // Some 20 ns in a release build. A system call each time would be ten to four hundred times as much.
        let (asked, used) = burn(Duration::from_millis(200));
        let each = used / u32::try_from(asked).unwrap_or(u32::MAX);
        assert!(each < Duration::from_nanos(1000), "{each:?}");
    }
}
