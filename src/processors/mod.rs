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
//! P waits for W and for the programs, W for the disk; nobody waits for P.
//!
//! - [`host`]: P; [`seat`]: one program and the record it is at. [`marker`]: W.
//! - [`input`]: a record as a line; [`answer`]: a line as items.

pub mod answer;
pub mod host;
pub mod input;
pub mod marker;
pub mod seat;

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::config::processors::Processor;
use crate::console::progress::Progress;
use seine_core::protocol::Generation;
use seine_core::protocol::processing::{FromHost, FromMarker, Tally};
use seine_core::protocol::reextract::Cause;
use seine_unix::Signal;
use seine_unix::channel::{Channel, ChannelError};
use seine_unix::crew::{self, Crew, CrewError, News, Post};
use seine_unix::fork::Death;
use seine_unix::lock::StoreLock;
use seine_unix::signals::Signals;
use seine_unix::strays;
use seine_unix::title::Role;

/// For the host to end its programs, and for the writer to commit what it has, when the supervisor is dead.
pub const GRACE: Duration = Duration::from_secs(1);
/// Longest wait for events.
const TURN: Duration = Duration::from_millis(500);

/// Everything the work needs.
pub struct ProcessStart {
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
    /// Progress and warnings, for people.
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

/// Puts records through the processors until all are done.
///
/// # Errors
/// [`CrewError`]
pub fn run(start: ProcessStart) -> Result<Ended, CrewError> {
    let mut supervisor = Supervisor::new(start)?;
    let ended = supervisor.work();
    // The host ends with its programs, and its end is the writer's, who commits what has come.
    supervisor.queue = None;
    supervisor.crew.end_all();
    strays::end_programs();
    supervisor.progress.clear();
    ended
}

/// A child of the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Writer,
    Host,
}

enum Said {
    Writer(FromMarker),
    Host(FromHost),
}

impl crew::Member for Who {
    type Said = Said;

    fn hear(self, _: Generation, channel: &mut Channel) -> Result<Option<Said>, ChannelError> {
        Ok(match self {
            Self::Writer => channel.next()?.map(Said::Writer),
            Self::Host => channel.next()?.map(Said::Host),
        })
    }
}

struct Supervisor {
    crew: Crew<Who>,
    lock: StoreLock,
    processors: Vec<Processor>,
    failed: bool,
    progress: Progress,
    /// For the host, until it is there.
    queue: Option<OwnedFd>,
    done: Option<Vec<Tally>>,
}

impl Supervisor {
    fn new(start: ProcessStart) -> Result<Self, CrewError> {
        let post = |who, title| Post { who, title, death: Death::Grace(GRACE), stall: None };
        let posts = vec![post(Who::Writer, Role::Writer), post(Who::Host, Role::Processors)];
        let mut crew = Crew::new(start.signals, start.inherited, posts)?;
        let (queue, far) = crew::pair()?;
        let keep = [far.as_raw_fd(), start.lock.fd().as_raw_fd()];
        let (path, processors) = (start.lock.path().to_owned(), start.processors.clone());
        crew.spawn(Who::Writer, 1, &keep, |control, _| {
            marker::run(marker::MarkerStart { path, processors, control, queue: far })
        })?;
        Ok(Self {
            crew,
            lock: start.lock,
            processors: start.processors,
            failed: start.failed,
            progress: start.progress,
            queue: Some(queue),
            done: None,
        })
    }

    fn work(&mut self) -> Result<Ended, CrewError> {
        let mut running = [Who::Writer, Who::Host].len();
        loop {
            self.crew.wait(TURN, None)?;
            let (mut stop, mut failed) = (None, None);
            while let Some(news) = self.crew.news() {
                match news {
                    News::Signal(signal) => stop = Some(signal),
                    News::Said(Said::Writer(FromMarker::Ready)) => self.start_host()?,
                    News::Said(Said::Writer(FromMarker::Fatal { message, cause })) => {
                        return Ok(Ended::Failed { message, cause });
                    }
                    News::Said(Said::Host(FromHost::Progress { done, total })) => {
                        self.progress.count(done, total, "records");
                    }
                    News::Said(Said::Host(FromHost::Warning(text))) => self.progress.warn(&text),
                    News::Said(Said::Host(FromHost::Done(tallies))) => self.done = Some(tallies),
                    News::Said(Said::Host(FromHost::Fatal { message, usage })) => {
                        let cause = if usage { Cause::Usage } else { Cause::Failure };
                        return Ok(Ended::Failed { message, cause });
                    }
                    News::Ended(ended) if ended.exit.is_success() => running -= 1,
                    News::Ended(ended) => {
                        let name = if ended.who == Who::Writer { "writer" } else { "processor host" };
                        failed.get_or_insert(format!("the {name} {}", ended.exit));
                    }
                    News::Stuck { .. } => {}
                }
            }
            if running == 0
                && let Some(tallies) = self.done.take()
            {
                return Ok(Ended::Done(tallies));
            }
            if let Some(signal) = stop {
                return Ok(Ended::Stopped(signal));
            }
            if let Some(message) = failed {
                return Ok(Ended::Failed { message, cause: Cause::Failure });
            }
        }
    }

    fn start_host(&mut self) -> Result<(), CrewError> {
        let Some(queue) = self.queue.take() else { return Ok(()) };
        // A host that is killed leaves the processes that its programs have started.
        strays::adopt();
        let keep = [queue.as_raw_fd()];
        let (path, processors, failed) = (self.lock.path(), &self.processors, self.failed);
        self.crew.spawn(Who::Host, 1, &keep, |control, row| {
            let start = host::HostStart {
                path: path.to_owned(),
                processors: processors.clone(),
                failed,
                is_live: false,
                generation: 1,
                control,
                queue,
            };
            host::run(start, row)
        })
    }
}
