//! Signals as readable events, and how children end.
//!
//! The supervisor blocks the signals it cares about and reads them from a descriptor in its poll
//! loop: no handler runs between any two lines of it. Children never use this.

use std::os::fd::{AsFd, BorrowedFd};
use std::{fmt, io, mem, ptr};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

/// The supervisor's signals: SIGCHLD, SIGINT, SIGTERM and SIGHUP. Blocked as long as this lives.
#[derive(Debug)]
pub struct Signals {
    source: SignalFd,
    mask_before: SigSet,
}

impl Signals {
    /// Blocks the signals and opens their source. To be made while the process has one thread, and
    /// before the first child, so that no news of one is missed.
    ///
    /// SIGHUP is left alone if the process that started this one had it ignored: that is how `nohup` asks to be
    /// left running. SIGINT is taken even then: shells ignore it in every background job of a script, and
    /// a `kill -INT` sent on purpose must still stop the run.
    ///
    /// # Errors
    /// What the kernel says; the signals are then as they were.
    pub fn new() -> io::Result<Self> {
        // Ignored SIGCHLD survives an exec and makes the kernel reap children itself, untold.
        // SAFETY: sets a constant disposition; no code of ours runs on the signal.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
        let mut wanted = SigSet::from_iter([Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT]);
        if !is_ignored(Signal::SIGHUP)? {
            wanted.add(Signal::SIGHUP);
        }
        // An ignored signal is dropped before it can wait to be read.
        // SAFETY: sets a constant disposition; no code of ours runs on the signal, which is blocked below.
        unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
        let mask_before = wanted.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        match SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK) {
            Ok(source) => Ok(Self { source, mask_before }),
            Err(errno) => {
                let _ = mask_before.thread_set_mask();
                Err(errno.into())
            }
        }
    }

    /// Readable when a signal has arrived.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }

    /// The signals that have arrived since the last call; never waits. Several of one kind may have
    /// become one, so SIGCHLD means "[`reap`] until nothing comes".
    pub fn read(&mut self) -> impl Iterator<Item = Signal> + '_ {
        std::iter::from_fn(|| {
            loop {
                match self.source.read_signal() {
                    Ok(Some(info)) => {
                        let number = i32::try_from(info.ssi_signo).unwrap_or(0);
                        if let Ok(signal) = Signal::try_from(number) {
                            return Some(signal);
                        }
                    }
                    Err(Errno::EINTR) => {}
                    Ok(None) | Err(_) => return None,
                }
            }
        })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // What is still waiting was meant for the run that is over; unblocked, it would kill the process
        // before it has told its result.
        self.read().for_each(drop);
        let _ = self.mask_before.thread_set_mask();
    }
}

fn is_ignored(signal: Signal) -> io::Result<bool> {
    // SAFETY: all-zero bytes are a valid `sigaction` (plain numbers and an absent handler).
    let mut current: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: with no new action the call only writes the present one into `current`, which lives on
    // this frame for the whole call.
    let answer = unsafe { libc::sigaction(signal as i32, ptr::null(), &raw mut current) };
    if answer == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(current.sa_sigaction == libc::SIG_IGN)
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// Killed by the signal of this number; the system may know it by [`Exit::signal_name`].
    Signal(i32),
}

impl Exit {
    /// Whether the process ended by itself and reported success.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }

    /// Name of the signal that killed it, such as `SIGKILL`; real-time signals have none.
    pub fn signal_name(self) -> Option<&'static str> {
        match self {
            Self::Code(_) => None,
            Self::Signal(number) => Signal::try_from(number).ok().map(Signal::as_str),
        }
    }

    /// What `waitpid` wrote: `None` for a process that was only stopped or continued.
    fn from_wait_status(status: i32) -> Option<Self> {
        if libc::WIFEXITED(status) {
            Some(Self::Code(libc::WEXITSTATUS(status)))
        } else if libc::WIFSIGNALED(status) {
            Some(Self::Signal(libc::WTERMSIG(status)))
        } else {
            None
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (*self, self.signal_name()) {
            (Self::Code(code), _) => write!(f, "exited with code {code}"),
            (Self::Signal(number), Some(name)) => write!(f, "was killed by signal {number} ({name})"),
            (Self::Signal(number), None) => write!(f, "was killed by signal {number}"),
        }
    }
}

/// Collects every child that has ended; never waits. As process 1 of a container it also collects
/// strangers left to it, so callers look each id up in their own table.
pub fn reap() -> Vec<(Pid, Exit)> {
    let mut ended = Vec::new();
    loop {
        let mut status = 0;
        // The plain call, because a wrapper that knows signals by name fails on real-time ones after the
        // kernel has already forgotten the child.
        // SAFETY: the kernel writes one int into `status`, which lives on this frame for the whole call.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        match pid {
            -1 if Errno::last() == Errno::EINTR => {}
            // No children at all, or none that has ended.
            -1 | 0 => return ended,
            _ => ended.extend(Exit::from_wait_status(status).map(|exit| (Pid::from_raw(pid), exit))),
        }
    }
}

/// Sends `signal` to the child `pid`. A child that has ended but is not yet reaped takes it silently.
///
/// # Errors
/// No such process, or not ours to signal. Ids below 2 are refused: to the system they mean "my whole
/// group", "everybody" and process 1.
pub fn kill(pid: Pid, signal: Signal) -> io::Result<()> {
    if pid.as_raw() < 2 {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("process id {pid} is no child's")));
    }
    Ok(nix::sys::signal::kill(pid, signal)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_reads_as_the_end_of_a_sentence() {
        assert_eq!(Exit::Code(3).to_string(), "exited with code 3");
        assert_eq!(Exit::Signal(9).to_string(), "was killed by signal 9 (SIGKILL)");
        assert_eq!(Exit::Signal(40).to_string(), "was killed by signal 40");
    }

    #[test]
    fn a_wait_status_tells_codes_from_signals_and_stops() {
        assert_eq!(Exit::from_wait_status(3 << 8), Some(Exit::Code(3)));
        assert_eq!(Exit::from_wait_status(9), Some(Exit::Signal(9)));
        assert_eq!(Exit::from_wait_status(6 | 0x80), Some(Exit::Signal(6)), "with a core file");
        assert_eq!(Exit::from_wait_status(40), Some(Exit::Signal(40)));
        assert_eq!(Exit::from_wait_status((19 << 8) | 0x7f), None, "stopped");
        assert!(Exit::Code(0).is_success() && !Exit::Code(1).is_success() && !Exit::Signal(9).is_success());
    }

    #[test]
    fn ids_that_mean_many_processes_are_refused() {
        for pid in [-1, 0, 1] {
            assert_eq!(kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn a_blocked_signal_is_read_once_and_does_not_kill() {
        let mut signals = Signals::new().unwrap();
        assert_eq!(signals.read().count(), 0);
        // Directed at this thread, which has it blocked.
        nix::sys::signal::raise(Signal::SIGTERM).unwrap();
        nix::sys::signal::raise(Signal::SIGTERM).unwrap();
        assert_eq!(signals.read().collect::<Vec<_>>(), [Signal::SIGTERM], "two became one");
        assert_eq!(signals.read().count(), 0);
    }

    #[test]
    fn a_signal_left_unread_dies_with_its_source() {
        let before = SigSet::thread_get_mask().unwrap();
        let signals = Signals::new().unwrap();
        nix::sys::signal::raise(Signal::SIGTERM).unwrap();
        drop(signals);
        assert_eq!(SigSet::thread_get_mask().unwrap(), before);
    }
}
