//! Makes a child process: the only `fork` of the project.
//!
//! The child inherits nothing by accident: no descriptor, no signal setting, no way back into the
//! supervisor's frames, and no life longer than the supervisor's.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction};
use nix::unistd::{ForkResult, Pid, getppid};

use super::say::{Level, say};
use super::title::{self, Role};
use super::{fds, limits, procfs};

/// Exit code of a child whose supervisor died before it began; no process waits for it.
const ORPHAN: i32 = 3;

/// What becomes of a child when the supervisor dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// It is killed at once: nothing it holds is worth waiting for.
    Kill,
    /// It learns of the death by end of file on its channels and may finish its work, but is killed
    /// after this time (whole seconds, rounded up) even if it is stuck.
    Grace(Duration),
}

/// What a child is and what it inherits.
#[derive(Clone, Copy, Debug)]
pub struct ForkSpec<'a> {
    /// What the child is here for; shown in its title and in the message of a panic.
    pub role: Role,
    /// Descriptors the child's body uses. All others but 0, 1 and 2 are closed in the child; 0 reads
    /// from `/dev/null`.
    pub keep: &'a [RawFd],
    /// What becomes of the child when this process dies.
    pub death: Death,
}

/// Why no child was made. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ForkError {
    /// A forked copy of a threaded process would hold locks whose owners do not exist in it.
    #[error("cannot start the {role}: this process has {threads} threads and may only fork with one")]
    Threads {
        /// What was to be started.
        role: Role,
        /// Threads found.
        threads: usize,
    },
    /// The threads of this process could not be counted.
    #[error("cannot start the {role}: cannot count threads in /proc/self/task; mount /proc")]
    Proc {
        /// What was to be started.
        role: Role,
        /// Why not.
        source: io::Error,
    },
    /// A descriptor to be kept is not open.
    #[error("cannot start the {role}: descriptor {fd} to be kept is not open")]
    Keep {
        /// What was to be started.
        role: Role,
        /// The descriptor.
        fd: RawFd,
    },
    /// There is nothing to give the child as standard input.
    #[error("cannot start the {role}: cannot open /dev/null")]
    Null {
        /// What was to be started.
        role: Role,
        /// Why not.
        source: io::Error,
    },
    /// The limit of processes or of memory is reached.
    #[error("cannot start the {role}: fork failed; raise the process or memory limit, or use fewer processes")]
    Fork {
        /// What was to be started.
        role: Role,
        /// Why not.
        source: io::Error,
    },
}

/// Makes a child that runs `body` and exits with the code it returns; yields the child's id.
///
/// What `body` owns moves into the child: here it is dropped before this function returns, so the
/// child's socket ends are closed on this side. The descriptors among it must be named in
/// [`ForkSpec::keep`]. In the child
///
/// - SIGINT, SIGTERM, SIGHUP, SIGPIPE and SIGXFSZ are ignored, all else is at its default, nothing is blocked;
/// - a panic prints its message and aborts, even below a `catch_unwind`;
/// - nothing of the supervisor's is dropped and no exit handler runs; standard output is flushed;
/// - no core file is written;
/// - fetchers and extractors are the first to be killed when memory runs out.
///
/// # Errors
/// [`ForkError`]; no child was made.
pub fn fork(spec: ForkSpec<'_>, body: impl FnOnce() -> i32) -> Result<Pid, ForkError> {
    let role = spec.role;
    match procfs::count_threads() {
        Ok(1) => {}
        Ok(threads) => return Err(ForkError::Threads { role, threads }),
        Err(source) => return Err(ForkError::Proc { role, source }),
    }
    if let Some(&fd) = spec.keep.iter().find(|&&fd| !fds::is_open(fd)) {
        return Err(ForkError::Keep { role, fd });
    }
    let null = File::open("/dev/null").map_err(|source| ForkError::Null { role, source })?;
    // What still waits in the buffer would otherwise be printed by both processes.
    let _ = io::stdout().flush();
    let supervisor = nix::unistd::getpid();

    // Nothing is delivered until the child has its own dispositions: a Ctrl-C in between would end it.
    let fork_failed = |errno: nix::Error| ForkError::Fork { role, source: errno.into() };
    let mask = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK).map_err(fork_failed)?;
    // SAFETY: this process has one thread (counted above, and only this thread could have started
    // another since), so no lock is held by a thread that the copy lacks: the child may allocate and run
    // any code. Every frame from here up belongs to the parent alone: the child's arm never returns.
    let forked = match unsafe { nix::unistd::fork() } {
        Ok(ForkResult::Child) => live_as_child(spec, supervisor, null, body),
        Ok(ForkResult::Parent { child }) => Ok(child),
        Err(errno) => Err(fork_failed(errno)),
    };
    // The mask is the one the kernel handed out above; setting it again cannot fail.
    let _ = mask.thread_set_mask();
    forked
}

/// The child's whole life. Called with all signals blocked.
fn live_as_child(spec: ForkSpec<'_>, supervisor: Pid, null: File, body: impl FnOnce() -> i32) -> ! {
    // First of all: an unwinding child would run and drop the supervisor's frames.
    abort_on_panic(spec.role);

    if nix::unistd::dup2_stdin(&null).is_err() {
        // Reading the supervisor's input would steal URLs from it.
        exit(ORPHAN);
    }
    // Closed by `close_all_but` with everything else, so its drop must not close the number again.
    std::mem::forget(null);
    fds::close_all_but(spec.keep);

    reset_signals();
    die_with(supervisor, spec.death);
    limits::forbid_core_files();
    if matches!(spec.role, Role::Fetcher(_) | Role::Extractor(_)) {
        // What it was at is begun again by the next one; the others have more to lose.
        limits::go_first_without_memory();
    }
    title::set(spec.role);
    let _ = SigSet::empty().thread_set_mask();

    // The hook has aborted before a panic gets here, unless the body took the hook away.
    match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(code) => {
            let _ = io::stdout().flush();
            exit(code)
        }
        Err(_) => process::abort(),
    }
}

/// Ends the process here: no exit handler, no destructor. Those were set up by the supervisor.
fn exit(code: i32) -> ! {
    // SAFETY: `_exit` returns to nobody and touches no memory of this process.
    unsafe { libc::_exit(code) }
}

/// Makes every panic end the process, after its message: a panic caught in some task would leave its
/// URL leased for ever, while a dead process is noticed at once.
fn abort_on_panic(role: Role) {
    panic::set_hook(Box::new(move |info| {
        say(Level::Error, &panic_message(role, info));
        let backtrace = std::backtrace::Backtrace::capture();
        if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
            say(Level::Error, &backtrace.to_string());
        }
        process::abort();
    }));
}

fn panic_message(role: Role, info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("no message");
    format!("seine: {role} (pid {}): panicked at {place}: {}", process::id(), printable(text))
}

/// `text` on one line and without power over the terminal: it may quote what a site sent.
fn printable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => line.push(' '),
            '"' | '\'' | '\\' => line.push(c),
            _ => line.extend(c.escape_debug()),
        }
    }
    line
}

fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        let disposition = match signal {
            // The supervisor directs, the child obeys it alone. A terminal sends Ctrl-C and hang-up to the
            // whole process group, service managers send their SIGTERM to every process of the unit; a
            // fetcher that died of it would be a crash to the supervisor, a writer that died of it would
            // leave what the fetchers have sent unread.
            libc::SIGINT | libc::SIGTERM | libc::SIGHUP => libc::SIG_IGN,
            // A closed peer is the error of a write, not a death.
            libc::SIGPIPE => libc::SIG_IGN,
            // So is a file that has reached the limit of `ulimit -f`.
            libc::SIGXFSZ => libc::SIG_IGN,
            // The standard library's handler, which names a stack overflow before the process dies of it.
            libc::SIGSEGV | libc::SIGBUS => continue,
            _ => libc::SIG_DFL,
        };
        // SAFETY: the two dispositions are constants, no code of ours will run on the signal. Numbers that
        // cannot be set (SIGKILL, SIGSTOP, those the C library keeps) are refused without effect.
        unsafe { libc::signal(signal, disposition) };
    }
}

/// The process whose death ends this one. Written once, by the child arm, before the handler can run.
static SUPERVISOR: AtomicI32 = AtomicI32::new(0);
/// Seconds left to live after that death.
static GRACE_SECONDS: AtomicU32 = AtomicU32::new(0);
/// Whether the grace has begun. Adoptive parents may die too; that must not lengthen it.
static GRACE_BEGUN: AtomicBool = AtomicBool::new(false);

/// Ties the life of this child to `supervisor`. Holds until the process changes its credentials (the
/// kernel then forgets the request), so a sandbox must be put on without doing so.
fn die_with(supervisor: Pid, death: Death) {
    let signal = match death {
        Death::Kill => Signal::SIGKILL,
        Death::Grace(grace) => {
            SUPERVISOR.store(supervisor.as_raw(), Ordering::Relaxed);
            GRACE_SECONDS.store(whole_seconds(grace), Ordering::Relaxed);
            let action = SigAction::new(SigHandler::Handler(begin_grace), SaFlags::SA_RESTART, SigSet::empty());
            // SAFETY: the handler only reads atomics and calls async-signal-safe functions; it is a plain
            // function and lives as long as the process.
            let _ = unsafe { sigaction(Signal::SIGUSR2, &action) };
            Signal::SIGUSR2
        }
    };
    // The belt; end of file on the control channel is the braces. A sandbox that forbids the call takes
    // away only the belt.
    let _ = set_pdeathsig(signal);
    // The supervisor may have died before the request was made; no signal would come then.
    if getppid() != supervisor {
        exit(ORPHAN);
    }
}

/// Lets the kernel end this process when the grace is over, whatever it is stuck in by then.
///
/// A child is given to its new parent before the signal is sent, so a stray SIGUSR2 from somebody
/// else is told by the supervisor still being the parent, and does nothing.
extern "C" fn begin_grace(_signal: c_int) {
    // SAFETY: getppid and alarm are async-signal-safe, always succeed and touch no memory of ours. SIGALRM
    // is at its default, which is death.
    unsafe {
        if libc::getppid() != SUPERVISOR.load(Ordering::Relaxed) && !GRACE_BEGUN.swap(true, Ordering::Relaxed) {
            libc::alarm(GRACE_SECONDS.load(Ordering::Relaxed));
        }
    }
}

/// At least one second: an alarm of zero would never ring.
fn whole_seconds(grace: Duration) -> u32 {
    let seconds = grace.as_secs().saturating_add(u64::from(grace.subsec_nanos() > 0));
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn a_threaded_process_may_not_fork() {
        let (release, wait) = mpsc::channel::<()>();
        let second = thread::spawn(move || wait.recv().is_err());
        let spec = ForkSpec { role: Role::Fetcher(2), keep: &[], death: Death::Kill };
        let refused = fork(spec, || 0).unwrap_err();
        assert!(matches!(refused, ForkError::Threads { threads: 2.., .. }));
        assert!(refused.to_string().starts_with("cannot start the fetcher 2: this process has "));
        drop(release);
        assert!(second.join().unwrap());
    }

    #[test]
    fn a_grace_is_never_shorter_than_asked_and_never_endless() {
        assert_eq!(whole_seconds(Duration::from_millis(1500)), 2);
        assert_eq!(whole_seconds(Duration::from_secs(5)), 5);
        assert_eq!(whole_seconds(Duration::ZERO), 1);
        assert_eq!(whole_seconds(Duration::MAX), u32::MAX);
    }

    #[test]
    fn a_panic_message_cannot_command_the_terminal() {
        assert_eq!(printable("left: \"é\"\nright: 'b\\'"), "left: \"é\" right: 'b\\'");
        assert_eq!(printable("\x1b[2J\r\u{202e}x"), "\\u{1b}[2J\\r\\u{202e}x");
    }
}
