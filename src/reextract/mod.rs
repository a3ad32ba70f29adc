//! `seine extract`: rules applied again to stored pages, on all cores.
//!
//! ```text
//!          S supervisor: forks, reaps, replaces; has the lock, opens nothing
//!          │ ToKeeper, FromKeeper
//!          W writer: the store ── pages, compressed ──► E0, E1 … extractors: decompress, apply the rules
//!                              ◄───── what was found ──
//! ```
//!
//! Nothing is lasting before the supervisor says Commit, and it says so once: whatever is killed before, the store is as
//! it was. Who waits for whom: extractors for the writer, the writer for the disk, nobody else for anybody.
//!
//! - [`keeper`]: the process that has the store; [`worker`]: one extractor.

pub mod keeper;
pub mod worker;

use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::console::progress::Progress;
use seine_core::protocol::frame::MAX_HEAD_BYTES;
use seine_core::protocol::reextract::{Cause, FromKeeper, Report, ToKeeper};
use seine_core::protocol::{Generation, Slot};
use seine_page::extract::rules::Rules;
use seine_unix::channel::{Channel, ChannelError};
use seine_unix::clock::monotonic_ms;
use seine_unix::fork::{Death, ForkError, ForkSpec, fork};
use seine_unix::lock::StoreLock;
use seine_unix::pair::{Mode, stream_pair};
use seine_unix::poll::{Interest, PollSet};
use seine_unix::signals::{self, Exit, Signals};
use seine_unix::status::StatusBoard;
use seine_unix::title::Role;
use seine_unix::{Pid, Signal};

/// Largest frame that carries a page: bodies are at most 2 GiB, and compressed.
const PAGE_CEILING: usize = (2 << 30) + MAX_HEAD_BYTES;
/// An extractor silent for longer than this beside the CPU time a page may take, several times over, is stuck: it shows
/// that it is alive before and after each page, and every second without one.
const STALL: Duration = Duration::from_secs(10);
/// Extractors that died one after the other without a single page done between them.
const DEATHS_IN_A_ROW: u32 = 20;
/// If the loop itself was late by this much, everyone was stopped (a suspended machine, a paused container).
const PAUSE_MS: u64 = 2_000;
/// Longest time between two looks at extractors that may be stuck.
const TURN: Duration = Duration::from_millis(500);

/// Everything the work needs.
pub struct Start {
    /// The store.
    pub path: PathBuf,
    /// Its lock, if what differs is to be written.
    pub lock: Option<StoreLock>,
    /// The rules.
    pub rules: Rules,
    /// Which pages: a condition over `pages`; `None` for all.
    pub condition: Option<String>,
    /// Extractors.
    pub workers: usize,
    /// CPU time for one page.
    pub parse_timeout: Duration,
    /// Signals, blocked already.
    pub signals: Signals,
    /// Descriptors that all children keep (the log file).
    pub inherited: Vec<RawFd>,
    /// What a person sees.
    pub progress: Progress,
}

/// How it ended. Only [`Ended::Done`] with a lock has changed anything.
#[derive(Debug)]
pub enum Ended {
    /// All was read and compared, and what differs written if it was to be.
    Done(Box<Report>),
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
pub enum ReextractError {
    /// The system refused something that is needed.
    #[error("cannot {0}")]
    System(&'static str, #[source] std::io::Error),
    /// No process for the store.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// A message could not be sent or understood.
    #[error("cannot talk to the writer")]
    Channel(#[from] ChannelError),
}

/// Applies rules to the stored pages.
///
/// # Errors
/// [`ReextractError`]; nothing has changed then.
pub fn run(start: Start) -> Result<Ended, ReextractError> {
    let mut supervisor = Supervisor::new(start)?;
    let ended = supervisor.work();
    supervisor.end_all();
    supervisor.start.progress.clear();
    ended
}

struct Supervisor {
    start: Start,
    /// Lives as long as the process: children use their rows until they end.
    board: &'static StatusBoard,
    writer: Option<Pid>,
    channel: Channel,
    extractors: Vec<Option<Pid>>,
    generation: Generation,
    deaths_in_a_row: u32,
    state: State,
    /// Silence before this does not count.
    stalls_since: u64,
    last_turn: u64,
}

/// What the writer has said.
#[derive(Debug, Default)]
struct State {
    pages: Option<u64>,
    done: u64,
    all_read: bool,
    prepared: Option<Report>,
    committed: bool,
    fatal: Option<(String, Cause)>,
}

impl Supervisor {
    fn new(start: Start) -> Result<Self, ReextractError> {
        let system = |what| move |error| ReextractError::System(what, error);
        let board = StatusBoard::new(start.workers).map_err(system("map memory for the status of processes"))?;
        let (ours, theirs) = stream_pair(Mode::Nonblocking, Mode::Nonblocking).map_err(system("make a socket pair"))?;
        let mut keep = start.inherited.clone();
        keep.push(theirs.as_raw_fd());
        keep.extend(start.lock.as_ref().map(|lock| lock.fd().as_raw_fd()));
        let given = keeper::Start {
            path: start.path.clone(),
            collections: start.rules.collections().to_vec(),
            condition: start.condition.clone(),
            writes: start.lock.is_some(),
            seats: start.workers,
            control: theirs,
        };
        // Nothing it holds is worth waiting for: what is not committed is not wanted.
        let spec = ForkSpec { role: Role::Writer, keep: &keep, death: Death::Kill };
        let writer = fork(spec, || keeper::run(given))?;
        let now = monotonic_ms();
        Ok(Self {
            extractors: (0..start.workers).map(|_| None).collect(),
            start,
            board: Box::leak(Box::new(board)),
            writer: Some(writer),
            channel: Channel::new(ours, MAX_HEAD_BYTES),
            generation: 0,
            deaths_in_a_row: 0,
            state: State::default(),
            stalls_since: now,
            last_turn: now,
        })
    }

    fn work(&mut self) -> Result<Ended, ReextractError> {
        let mut asked_to_commit = false;
        loop {
            self.start_extractors()?;
            // A writer that is gone says so by its exit.
            let _ = self.channel.flush();
            self.wait()?;
            let stop = self.read_signals();
            self.read_channel()?;
            if self.state.committed {
                // The store's files are tidied up when the writer closes it.
                while self.writer.is_some() {
                    self.wait()?;
                    self.read_signals();
                }
                let report = self.state.prepared.take().unwrap_or_default();
                return Ok(Ended::Done(Box::new(report)));
            }
            if let Some((message, cause)) = self.state.fatal.take() {
                return Ok(Ended::Failed { message, cause });
            }
            // Once Commit is on its way there is no way back, and it takes but a moment.
            if let Some(signal) = stop
                && !asked_to_commit
            {
                return Ok(Ended::Stopped(signal));
            }
            if self.writer.is_none() {
                let what = if asked_to_commit { "all has changed, or nothing" } else { "nothing has changed" };
                let message = format!("the writer was killed; {what}");
                return Ok(Ended::Failed { message, cause: Cause::Failure });
            }
            if self.deaths_in_a_row > DEATHS_IN_A_ROW {
                let message = format!("{DEATHS_IN_A_ROW} extractors died one after the other; nothing has changed");
                return Ok(Ended::Failed { message, cause: Cause::Failure });
            }
            if self.state.prepared.is_some() && !asked_to_commit {
                asked_to_commit = true;
                self.channel.send(&ToKeeper::Commit, None)?;
                self.start.progress.clear();
            }
            self.watch();
            if let Some(pages) = self.state.pages
                && !self.state.all_read
            {
                self.start.progress.count(self.state.done, pages, "pages");
            }
        }
    }

    /// Fills every empty seat, as long as there is work for it.
    fn start_extractors(&mut self) -> Result<(), ReextractError> {
        let wanted = match self.state.pages {
            Some(pages) if !self.state.all_read => usize::try_from(pages).unwrap_or(usize::MAX),
            _ => 0,
        };
        for slot in 0..self.extractors.len().min(wanted) {
            if self.extractors[slot].is_some() {
                continue;
            }
            let (near, far) = stream_pair(Mode::Nonblocking, Mode::Nonblocking)
                .map_err(|error| ReextractError::System("make a socket pair", error))?;
            self.generation += 1;
            let row = self.board.row(slot);
            row.start(self.generation);
            let mut keep = self.start.inherited.clone();
            keep.push(far.as_raw_fd());
            let (rules, parse_timeout) = (&self.start.rules, self.start.parse_timeout);
            let spec = ForkSpec { role: Role::Extractor(slot), keep: &keep, death: Death::Kill };
            match fork(spec, || worker::run(far, PAGE_CEILING, rules, parse_timeout, row)) {
                Ok(pid) => {
                    tracing::info!(slot, generation = self.generation, pid = pid.as_raw(), "started");
                    self.extractors[slot] = Some(pid);
                    let attach = ToKeeper::Attach { slot: slot as Slot, generation: self.generation };
                    self.channel.send(&attach, Some(near))?;
                }
                // Too many processes or no memory may pass; some seats may do the work of all.
                Err(error) => {
                    tracing::warn!(slot, %error, "no extractor");
                    if self.extractors.iter().all(Option::is_none) {
                        return Err(error.into());
                    }
                }
            }
        }
        Ok(())
    }

    fn wait(&self) -> Result<(), ReextractError> {
        let mut set = PollSet::new();
        set.add(self.start.signals.fd(), Interest::Read);
        if !self.channel.has_ended() {
            set.add(self.channel.fd(), self.channel.interest());
        }
        let timeout =
            self.start.progress.due().map_or(TURN, |due| TURN.min(due.saturating_duration_since(Instant::now())));
        // The line is due again and again, also when there is nothing to show yet.
        let timeout = timeout.max(Duration::from_millis(20));
        set.wait(Some(timeout)).map_err(|error| ReextractError::System("wait for events", error))?;
        Ok(())
    }

    /// Reaps; yields the signal that asks to stop.
    fn read_signals(&mut self) -> Option<Signal> {
        let stop = self.start.signals.read().filter(|signal| *signal != Signal::SIGCHLD).last();
        for (pid, exit) in signals::reap() {
            if self.writer == Some(pid) {
                tracing::info!(%exit, "the writer has ended");
                self.writer = None;
                // What it said before it ended comes first.
                let _ = self.read_channel();
            } else if let Some(slot) = self.extractors.iter().position(|extractor| *extractor == Some(pid)) {
                self.extractors[slot] = None;
                self.extractor_ended(slot, pid, exit);
            }
        }
        stop
    }

    fn extractor_ended(&mut self, slot: usize, pid: Pid, exit: Exit) {
        tracing::info!(slot, %exit, "an extractor has ended");
        if !self.state.all_read && !exit.is_success() {
            self.deaths_in_a_row += 1;
            self.start.progress.warn(&format!("extractor {slot} (pid {pid}) {exit}; another takes its place"));
        }
    }

    fn read_channel(&mut self) -> Result<(), ReextractError> {
        if self.channel.has_ended() {
            return Ok(());
        }
        self.channel.receive()?;
        while let Some(message) = self.channel.next::<FromKeeper>()? {
            match message {
                FromKeeper::Ready { pages } => self.state.pages = Some(pages),
                FromKeeper::Progress { done } => {
                    if done > self.state.done {
                        self.deaths_in_a_row = 0;
                    }
                    self.state.done = done;
                }
                FromKeeper::Again { url } => {
                    self.start.progress.warn(&format!("{url} is tried once more: an extractor died of it"));
                }
                FromKeeper::Read => self.state.all_read = true,
                FromKeeper::Prepared(report) => self.state.prepared = Some(report),
                FromKeeper::Committed => self.state.committed = true,
                FromKeeper::Fatal { message, cause } => self.state.fatal = Some((message, cause)),
            }
        }
        Ok(())
    }

    /// Kills extractors that are stuck, in a page or between two.
    fn watch(&mut self) {
        let now = monotonic_ms();
        if now.saturating_sub(self.last_turn) > PAUSE_MS {
            self.stalls_since = now;
        }
        self.last_turn = now;
        let limit = (STALL + 4 * self.start.parse_timeout).as_millis() as u64;
        for slot in 0..self.extractors.len() {
            let Some(pid) = self.extractors[slot] else { continue };
            let row = self.board.row(slot);
            let silent = row.silent_ms().min(now.saturating_sub(self.stalls_since));
            if silent >= limit {
                self.start
                    .progress
                    .warn(&format!("extractor {slot} (pid {pid}) is stuck for {} s; it is killed", silent / 1000));
                let _ = signals::kill(pid, Signal::SIGKILL);
                row.beat();
            }
        }
    }

    /// Leaves no process behind.
    fn end_all(&mut self) {
        let everyone = || self.extractors.iter().flatten().chain(&self.writer).copied();
        for pid in everyone() {
            let _ = signals::kill(pid, Signal::SIGKILL);
        }
        while self.writer.is_some() || self.extractors.iter().any(Option::is_some) {
            if self.wait().is_err() {
                return;
            }
            self.state.all_read = true;
            self.read_signals();
        }
    }
}
