//! This program once more, as a child, with other arguments: begun afresh by an exec of itself.
//!
//! It is asked to stop (SIGTERM) when the process that started it dies, so a crawl ends as it always does and can be gone on with.
//! It has a process group of its own: a Ctrl-C at the terminal reaches only its parent, which passes it on once.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{ChildStdout, Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::{Pid, getpid};

use super::procfs;

/// What is executed: the file of this process, even if another has taken its name meanwhile.
const THIS_PROGRAM: &str = "/proc/self/exe";

/// A child that was started. Its end is learned from [`super::signals::reap`].
#[derive(Debug)]
pub struct Invocation {
    pid: Pid,
    stdout: Option<ChildStdout>,
}

impl Invocation {
    /// Starts this program with `arguments`. Standard input is empty and standard error is shared; so is standard
    /// output, unless it is `captured`.
    ///
    /// # Errors
    /// The limit of processes or of memory is reached, or `/proc` is not mounted.
    pub fn start(arguments: &[OsString], captured: bool) -> io::Result<Self> {
        let parent = getpid();
        let mut command = Command::new(THIS_PROGRAM);
        command.arg0("seine").args(arguments).stdin(Stdio::null()).process_group(0);
        if captured {
            command.stdout(Stdio::piped());
        }
        // SAFETY: runs in the forked child before exec, where only async-signal-safe functions may be called: prctl,
        // getppid and _exit are, and nothing is allocated. `parent` is a plain number.
        unsafe {
            command.pre_exec(move || {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                // The parent may have died before the request was made; no signal would come then.
                if libc::getppid() != parent.as_raw() {
                    libc::_exit(1);
                }
                Ok(())
            });
        }
        let mut child = command.spawn()?;
        let stdout = child.stdout.take();
        if let Some(stdout) = &stdout {
            fcntl(stdout, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(Self { pid: Pid::from_raw(child.id().cast_signed()), stdout })
    }

    /// Its id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// For polling: its standard output, if it is captured and not at its end.
    pub fn stdout(&self) -> Option<BorrowedFd<'_>> {
        self.stdout.as_ref().map(AsFd::as_fd)
    }

    /// Adds what it has written by now to `text`, never waiting. What would make `text` longer than `most` bytes is
    /// thrown away.
    pub fn read(&mut self, text: &mut Vec<u8>, most: usize) {
        let mut buffer = [0; 4096];
        while let Some(stdout) = &mut self.stdout {
            match stdout.read(&mut buffer) {
                Ok(0) => self.stdout = None,
                Ok(n) => text.extend_from_slice(&buffer[..n.min(most.saturating_sub(text.len()))]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.stdout = None,
            }
        }
    }
}

/// A process for as long as the machine is up: ids are given out again, but not with the same start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Birth {
    /// Its id.
    pub pid: u32,
    /// When it started, in clock ticks since the machine did.
    pub ticks: u64,
}

impl Birth {
    /// Of the process `pid`; `None` if it is gone.
    pub fn of(pid: Pid) -> Option<Self> {
        let pid = u32::try_from(pid.as_raw()).ok()?;
        let ticks = procfs::start_ticks(pid)?;
        Some(Self { pid, ticks })
    }

    /// Whether it is still there, and more than what its parent has yet to reap.
    pub fn is_alive(self) -> bool {
        procfs::start_ticks(self.pid) == Some(self.ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_one_of_another_time_is_not() {
        let birth = Birth::of(getpid()).unwrap();
        assert!(birth.is_alive());
        assert!(!Birth { ticks: birth.ticks + 1, ..birth }.is_alive());
        assert_eq!(Birth::of(Pid::from_raw(-1)), None);
    }
}
