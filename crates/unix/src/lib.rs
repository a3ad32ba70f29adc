//! Everything Unix, and every `unsafe` line of the project.
//!
//! - [`fork`]: makes a child process, the only place that does.
//! - [`crew`]: the one table of children: spawns, hears, reaps, watches and ends them.
//! - `fds`: closes every file descriptor that was not asked for.
//! - [`title`]: what `ps` shows for each role.
//! - [`signals`]: signals as readable events; reaping, exit reasons, `kill`.
//! - [`pair`]: connected stream sockets: bytes, and descriptors passed along with them.
//! - [`channel`]: messages over a nonblocking stream socket, both ways.
//! - [`poll`]: waits for any of several descriptors, with a deadline.
//! - [`status`]: live numbers of every slot in shared memory.
//! - [`known`]: URLs that all processes know, in shared memory.
//! - [`pace`]: one pace kept by all processes together, in shared memory.
//! - [`lock`]: the one-writer lock on the store's file, and who holds it.
//! - [`program`]: programs of the user's, with pipes to talk through.
//! - [`sandbox`]: walls around a process.
//! - [`strays`]: what such programs leave behind.
//! - [`invocation`]: this program once more, as a child, with other arguments.
//! - [`limits`]: descriptors, core files, CPUs, memory.
//! - [`say`]: what is said on the way, as text or as JSON lines.
//! - `procfs`: what `/proc` tells about processes.
//! - [`clock`]: one monotonic clock for all processes; the wall clock.
//!
//! # The laws of the room
//!
//! 1. **Only the supervisor forks, and only while it has one thread.** A forked copy of a threaded
//!    process holds locks whose owners do not exist in it. [`fork::fork`] counts the threads and
//!    refuses. Hence nothing that starts threads, seeds a random generator, opens a TLS session or
//!    an SQLite connection may run in the supervisor.
//! 2. **A child touches only what its body was given**: plain values, and the descriptors named in
//!    [`fork::ForkSpec::keep`]. All others are closed, so that the end of a process is always seen
//!    as end of file by the process at the other end.
//! 3. **A child never returns** into the supervisor's frames: nothing the supervisor owns is
//!    dropped twice. A panic in a child ends the process.
//! 4. **The supervisor directs, the children obey it alone**: terminal and service-manager signals
//!    are ignored there. When the supervisor dies the children die too, see [`fork::Death`].
//! 5. **Shared memory is for eyes** ([`status`]): no lease, acknowledgement or exit code rests on it. The exceptions are
//!    [`pace`], a number that is right whoever dies when, and [`known`], which only says what is committed.
//! 6. **Titles overwrite the argument strings**: arguments are read before [`title::set`], never after.

pub mod channel;
pub mod clock;
pub mod crew;
mod fds;
pub mod fork;
pub mod invocation;
pub mod known;
pub mod limits;
pub mod lock;
pub mod pace;
pub mod pair;
pub mod poll;
mod procfs;
pub mod program;
pub mod sandbox;
pub mod say;
pub mod signals;
pub mod status;
pub mod strays;
pub mod title;

pub use nix::sys::signal::Signal;
pub use nix::unistd::Pid;
