//! Walls around a process: what it can do no more, whoever has taken it over.
//!
//! A process that reads what strangers send has no use for most of what a process may do. [`enter`] takes that away for
//! the rest of its life, before it has read a byte: new privileges, system calls that no part of it makes (`calls`), and
//! files but for those that it names (`files`). What the kernel does not know is left out, and [`InForce`] says so.
//!
//! The walls are of the calling thread and of those that it starts from then on, so they are put up while there is no
//! other. They are inherited, so a process that starts the user's programs, or that starts processes with more rights
//! than it has use for itself, cannot have them.

mod calls;
mod files;

pub use calls::Offline;

use std::fmt;
use std::io;
use std::path::PathBuf;

use nix::sys::prctl::set_no_new_privs;
use nix::sys::wait::{WaitStatus, waitpid};

use super::fork::{Death, ForkSpec, fork};
use super::procfs;
use super::title::Role;

/// How much of the network is left to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Connect over IP and ask for names; not listen, and send nothing but TCP and UDP.
    Outward,
    /// Nothing; it keeps the sockets it has.
    None,
}

/// The needs of a process; all else is behind the walls.
#[derive(Clone, Debug)]
pub struct Needs {
    /// The network.
    pub network: Network,
    /// Files, and folders with all in them, that it reads. What is not there is passed over.
    pub reads: Vec<PathBuf>,
    /// Folders in which it reads, writes, makes and removes files. Without one it can write to no file that it opens.
    pub writes: Vec<PathBuf>,
}

impl Needs {
    /// Nothing but the descriptors that it has.
    pub fn nothing() -> Self {
        Self { network: Network::None, reads: Vec::new(), writes: Vec::new() }
    }
}

/// Which walls stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InForce {
    /// System calls are refused.
    pub calls: bool,
    /// Files are refused: the version of the kernel's interface (Landlock), 0 if it has none.
    pub files: u8,
}

impl InForce {
    /// Whether a kernel of today has more to offer.
    pub fn is_whole(self) -> bool {
        self.calls && self.files > 0
    }

    /// The weaker of two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { calls: self.calls && other.calls, files: self.files.min(other.files) }
    }
}

impl fmt::Display for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.calls, self.files) {
            (true, 1..) => f.write_str("system calls and files"),
            (true, 0) => f.write_str("system calls alone, since this kernel has no Landlock"),
            (false, 1..) => f.write_str("files alone, since seccomp is refused here"),
            (false, 0) => f.write_str("none, since this kernel or container refuses them"),
        }
    }
}

/// Why there are no walls. What the kernel does not know is no error.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Other threads would stay outside.
    #[error("cannot wall off a process of {0} threads")]
    Threads(usize),
    /// `/proc` is not mounted.
    #[error("cannot count the threads of this process; mount /proc")]
    Proc(#[source] io::Error),
    /// The filter for this kind of processor is unknown, or cannot be made.
    #[error("cannot make the filter of system calls: {0}")]
    Calls(String),
    /// The kernel has answered as it never should.
    #[error("cannot keep files out: {0}")]
    Files(String),
}

/// Leaves this process what it `needs` and nothing else, for good.
///
/// # Errors
/// [`SandboxError`]; some of the walls may stand.
pub fn enter(needs: &Needs) -> Result<InForce, SandboxError> {
    match procfs::count_threads().map_err(SandboxError::Proc)? {
        1 => {}
        threads => return Err(SandboxError::Threads(threads)),
    }
    // The death signal of `fork::die_with` stays: credentials do not change. Fails on no kernel of this century.
    let _ = set_no_new_privs();
    let files = files::shut(needs).map_err(|error| SandboxError::Files(error.to_string()))?;
    // Last: the filter refuses the calls that put up the others.
    let calls = calls::refuse(needs)?;
    Ok(InForce { calls, files })
}

/// Which walls this machine has, as a child finds out that puts them up. None if there is no child to be had: whoever
/// needs one next will say why.
pub fn try_out() -> InForce {
    let spec = ForkSpec { role: Role::Fetcher(0), keep: &[], death: Death::Kill };
    let child = fork(spec, || match enter(&Needs::nothing()) {
        Ok(InForce { calls, files }) => i32::from(files) << 1 | i32::from(calls),
        Err(_) => 0,
    });
    match child.ok().and_then(|child| waitpid(child, None).ok()) {
        Some(WaitStatus::Exited(_, code)) => InForce { calls: code & 1 == 1, files: (code >> 1).clamp(0, 127) as u8 },
        _ => InForce::default(),
    }
}
