//! `seine process`: stored records put through programs of the user's.
//!
//! ```text
//!          S supervisor: forks, reaps; has the lock, opens nothing
//!          ├── W writer ◄── queue: answers ── P host ── stdin: a record ──► the user's programs,
//!          │     items and marks,             │ ▲       stdout: its answer   started and ended by P
//!          │     one transaction              │ └── records without a mark, read-only
//!          └── P ◄────────────────────────────┘ FromHost
//! ```
//!
//! The store is the queue on disk: a record without a mark is to be done, and the mark comes with the items of the answer
//! in one transaction. So any process may be killed at any moment, and what is not marked is done next time.
//!
//! Who waits for whom: P for W and for the programs, W for the disk.
//!
//! - [`host`]: P; [`seat`]: one program and the record it is at. [`marker`]: W.
//! - [`input`]: a record as a line; [`answer`]: a line as items.

pub mod answer;
pub mod host;
pub mod input;
pub mod marker;
pub mod seat;

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use crate::config::processors::Processor;
use crate::console::progress::Progress;
use seine_core::protocol::processing::{FromHost, FromMarker, Tally};
use seine_core::protocol::reextract::Cause;
use seine_unix::channel::{Channel, ChannelError};
use seine_unix::fork::{Death, ForkError, ForkSpec, fork};
use seine_unix::lock::StoreLock;
use seine_unix::pair::{Mode, stream_pair};
use seine_unix::poll::{Interest, PollSet};
use seine_unix::signals::{self, Exit, Signals};
use seine_unix::title::Role;
use seine_unix::{Pid, Signal};

/// For the host to end its programs, and for the writer to commit what it has, when all is to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// The same when the supervisor is dead.
pub const GRACE: Duration = Duration::from_secs(1);
/// Longest wait for events.
const TURN: Duration = Duration::from_millis(500);

/// Everything the work needs.
pub struct Start {
    /// The store's lock.
    pub lock: StoreLock,
    /// The processors.
    pub processors: Vec<Processor>,
    /// Whether what failed before is done once more.
    pub failed: bool,
    /// Signals, blocked already.
    pub signals: Signals,
    /// Descriptors that all children keep (the log file).
    pub inherited: Vec<RawFd>,
    /// What a person sees.
    pub progress: Progress,
}

/// How it ended. What is committed stays, however.
#[derive(Debug)]
pub enum Ended {
    /// Everything that could be done is done.
    Done(Vec<Tally>),
    /// A signal came before.
    Stopped(Signal),
    /// It could not be done.
    Failed {
        /// Full sentence for people.
        message: String,
        /// Why.
        cause: Cause,
    },
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ProcessorsError {
    /// The system refused something that is needed.
    #[error("cannot {0}")]
    System(&'static str, #[source] std::io::Error),
    /// No process.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// A message could not be understood.
    #[error("cannot talk to a child process")]
    Channel(#[from] ChannelError),
}

type Result<T, E = ProcessorsError> = std::result::Result<T, E>;

/// Puts records through the processors until all are done.
///
/// # Errors
/// [`ProcessorsError`]
pub fn run(start: Start) -> Result<Ended> {
    let mut supervisor = Supervisor::new(start)?;
    let ended = supervisor.work();
    supervisor.stop();
    supervisor.start.progress.clear();
    ended
}

struct Child {
    pid: Pid,
    /// `None` once it was let go.
    channel: Option<Channel>,
    exit: Option<Exit>,
}

struct Supervisor {
    start: Start,
    writer: Child,
    host: Option<Child>,
    /// For the host, until it is there.
    queue: Option<OwnedFd>,
    done: Option<Vec<Tally>>,
    fatal: Option<(String, Cause)>,
}

fn pair() -> Result<(OwnedFd, OwnedFd)> {
    stream_pair(Mode::Nonblocking, Mode::Nonblocking)
        .map_err(|error| ProcessorsError::System("make a socket pair", error))
}

impl Supervisor {
    fn new(start: Start) -> Result<Self> {
        let ((ours, control), (queue, far)) = (pair()?, pair()?);
        let mut keep = start.inherited.clone();
        keep.extend([control.as_raw_fd(), far.as_raw_fd(), start.lock.fd().as_raw_fd()]);
        let given = marker::Start {
            path: start.lock.path().to_owned(),
            processors: start.processors.clone(),
            control,
            queue: far,
        };
        let spec = ForkSpec { role: Role::Writer, keep: &keep, death: Death::Grace(GRACE) };
        let pid = fork(spec, || marker::run(given))?;
        let writer = Child { pid, channel: Some(Channel::new(ours, 1 << 20)), exit: None };
        Ok(Self { start, writer, host: None, queue: Some(queue), done: None, fatal: None })
    }

    fn work(&mut self) -> Result<Ended> {
        loop {
            self.wait()?;
            let stop = self.read_signals();
            self.read_channels()?;
            if let Some((message, cause)) = self.fatal.take() {
                return Ok(Ended::Failed { message, cause });
            }
            let (writer, host) = (self.writer.exit, self.host.as_ref().and_then(|host| host.exit));
            if let (Some(writer), Some(host), Some(tallies)) = (writer, host, self.done.as_ref())
                && writer.is_success()
                && host.is_success()
            {
                return Ok(Ended::Done(tallies.clone()));
            }
            if let Some(signal) = stop {
                return Ok(Ended::Stopped(signal));
            }
            let bad = |exit: Option<Exit>| exit.filter(|exit| !exit.is_success());
            if let Some((who, exit)) =
                bad(writer).map(|exit| ("writer", exit)).or(bad(host).map(|exit| ("processor host", exit)))
            {
                return Ok(Ended::Failed { message: format!("the {who} {exit}"), cause: Cause::Failure });
            }
        }
    }

    fn start_host(&mut self) -> Result<()> {
        let Some(queue) = self.queue.take() else { return Ok(()) };
        let (ours, control) = pair()?;
        let mut keep = self.start.inherited.clone();
        keep.extend([control.as_raw_fd(), queue.as_raw_fd()]);
        let given = host::Start {
            path: self.start.lock.path().to_owned(),
            processors: self.start.processors.clone(),
            failed: self.start.failed,
            is_live: false,
            generation: 1,
            control,
            queue,
        };
        let spec = ForkSpec { role: Role::Processors, keep: &keep, death: Death::Grace(GRACE) };
        let pid = fork(spec, || host::run(given))?;
        self.host = Some(Child { pid, channel: Some(Channel::new(ours, 1 << 20)), exit: None });
        Ok(())
    }

    fn children(&mut self) -> impl Iterator<Item = &mut Child> {
        std::iter::once(&mut self.writer).chain(&mut self.host)
    }

    fn wait(&mut self) -> Result<()> {
        let mut set = PollSet::new();
        set.add(self.start.signals.fd(), Interest::Read);
        for channel in std::iter::once(&self.writer).chain(&self.host).filter_map(|child| child.channel.as_ref()) {
            if !channel.has_ended() {
                set.add(channel.fd(), Interest::Read);
            }
        }
        set.wait(Some(TURN)).map_err(|error| ProcessorsError::System("wait for events", error))?;
        Ok(())
    }

    /// Reaps; yields the signal that asks to stop.
    fn read_signals(&mut self) -> Option<Signal> {
        let stop = self.start.signals.read().filter(|signal| *signal != Signal::SIGCHLD).last();
        for (pid, exit) in signals::reap() {
            if let Some(child) = self.children().find(|child| child.pid == pid) {
                tracing::info!(pid = pid.as_raw(), %exit, "ended");
                child.exit = Some(exit);
            }
        }
        stop
    }

    fn read_channels(&mut self) -> Result<()> {
        for message in heard::<FromMarker>(self.writer.channel.as_mut())? {
            match message {
                FromMarker::Ready => self.start_host()?,
                FromMarker::Fatal { message, cause } => self.fatal = Some((message, cause)),
            }
        }
        for message in heard::<FromHost>(self.host.as_mut().and_then(|host| host.channel.as_mut()))? {
            match message {
                FromHost::Progress { done, total } => self.start.progress.count(done, total, "records"),
                FromHost::Warning(text) => self.start.progress.warn(&text),
                FromHost::Done(tallies) => self.done = Some(tallies),
                FromHost::Fatal { message, usage } => {
                    self.fatal = Some((message, if usage { Cause::Usage } else { Cause::Failure }));
                }
            }
        }
        Ok(())
    }

    /// Lets go of the children, which end then: the host with its programs, the writer with what it has. Leaves no
    /// process behind.
    fn stop(&mut self) {
        self.queue = None;
        // The end of its channel is the host's word to stop, and the host's end is the writer's.
        if let Some(host) = &mut self.host {
            host.channel = None;
        }
        let deadline = Instant::now() + STOP_PATIENCE;
        while self.children().any(|child| child.exit.is_none()) {
            if Instant::now() >= deadline {
                self.kill();
            }
            if self.pause().is_err() {
                return;
            }
            self.read_signals();
        }
    }

    fn kill(&mut self) {
        for child in self.children().filter(|child| child.exit.is_none()) {
            let _ = signals::kill(child.pid, Signal::SIGKILL);
        }
    }

    /// Waits for news of children only.
    fn pause(&self) -> std::io::Result<()> {
        let mut set = PollSet::new();
        set.add(self.start.signals.fd(), Interest::Read);
        set.wait(Some(Duration::from_millis(100))).map(|_| ())
    }
}

/// What has arrived on a channel.
fn heard<T: for<'de> serde::Deserialize<'de>>(channel: Option<&mut Channel>) -> Result<Vec<T>> {
    let Some(channel) = channel else { return Ok(Vec::new()) };
    if !channel.has_ended() {
        channel.receive()?;
    }
    let mut messages = Vec::new();
    while let Some(message) = channel.next()? {
        messages.push(message);
    }
    Ok(messages)
}
