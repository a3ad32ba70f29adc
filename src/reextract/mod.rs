//! `seine extract`: stored pages read again, for rules and for what a crawl keeps of pages, on all cores.
//!
//! ```text
//!          S supervisor: forks, reaps, replaces; has the lock, opens nothing
//!          │ ToKeeper, FromKeeper
//!          W writer: the store ── pages, compressed ──► E0, E1 … extractors: decompress, apply the rules
//!                              ◄───── what was found ──
//! ```
//!
//! Nothing is lasting before the supervisor says Commit, and it says so once: whatever is killed before, the store is as
//! it was. Extractors wait for the writer and the writer for the disk; nobody else waits.
//!
//! - [`keeper`]: the process that has the store; [`worker`]: one extractor.

pub mod keeper;
pub mod worker;

pub use worker::Limits;

use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::config::{Extraction, Sandbox};
use crate::console::progress::Progress;
use crate::walls;
use seine_core::protocol::frame::MAX_HEAD_BYTES;
use seine_core::protocol::reextract::{Cause, FromKeeper, Report, ToKeeper};
use seine_core::protocol::{Generation, Slot};
use seine_page::extract::extras::Wanted;
use seine_page::extract::rules::Rules;
use seine_unix::Signal;
use seine_unix::channel::{Channel, ChannelError};
use seine_unix::crew::{self, Crew, CrewError, Ended as Death, News, Post};
use seine_unix::fork;
use seine_unix::lock::StoreLock;
use seine_unix::sandbox::Needs;
use seine_unix::signals::Signals;
use seine_unix::title::Role;

/// Largest frame that carries a page: bodies are at most 2 GiB, and compressed.
const PAGE_CEILING: usize = (2 << 30) + MAX_HEAD_BYTES;
/// An extractor silent for longer than this beside the CPU time a page may take, several times over, is stuck: it shows
/// that it is alive before and after each page, and every second without one.
const STALL: Duration = Duration::from_secs(10);
/// Extractors that died one after the other without a single page done between them.
const DEATHS_IN_A_ROW: u32 = 20;
/// Longest time between two looks at extractors that may be stuck.
const TURN: Duration = Duration::from_millis(500);

/// Everything the work needs.
pub struct ExtractStart {
    /// The store.
    pub path: PathBuf,
    /// Its lock, if what differs is to be written.
    pub lock: Option<StoreLock>,
    /// The rules.
    pub rules: Rules,
    /// The rules as they are written, and the parts of pages that are kept beside items.
    pub extraction: Extraction,
    /// A condition over `pages`; `None` for all of them.
    pub condition: Option<String>,
    /// Extractors.
    pub workers: usize,
    /// Bounds for one page.
    pub limits: Limits,
    /// Whether processes are walled off.
    pub sandbox: Sandbox,
    /// Signals, blocked already.
    pub signals: Signals,
    /// Descriptors that all children keep (the log file).
    pub inherited: Vec<RawFd>,
    /// Progress and warnings, for people.
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

/// Applies rules to the stored pages.
///
/// # Errors
/// [`CrewError`]; nothing has changed then.
pub fn run(start: ExtractStart) -> Result<Ended, CrewError> {
    let mut supervisor = Supervisor::new(start)?;
    let ended = supervisor.work();
    // Nothing it holds is worth waiting for: what is not committed is not wanted.
    supervisor.crew.kill_all();
    supervisor.progress.clear();
    ended
}

/// A child of the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Writer,
    Extractor(Slot),
}

impl crew::Member for Who {
    type Said = FromKeeper;

    fn hear(self, _: Generation, channel: &mut Channel) -> Result<Option<FromKeeper>, ChannelError> {
        channel.next()
    }
}

struct Supervisor {
    crew: Crew<Who>,
    rules: Rules,
    wanted: Wanted,
    limits: Limits,
    sandbox: Sandbox,
    workers: Slot,
    progress: Progress,
    /// Others can lock the store once this is dropped.
    _lock: Option<StoreLock>,
    generation: Generation,
    deaths_in_a_row: u32,
    state: State,
}

/// News from the writer.
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
    fn new(start: ExtractStart) -> Result<Self, CrewError> {
        let workers = Slot::try_from(start.workers).unwrap_or(Slot::MAX);
        let mut posts = vec![Post { who: Who::Writer, title: Role::Writer, death: fork::Death::Kill, stall: None }];
        posts.extend((0..workers).map(|slot| Post {
            who: Who::Extractor(slot),
            title: Role::Extractor(slot.into()),
            death: fork::Death::Kill,
            stall: Some(STALL + 4 * start.limits.parse_time),
        }));
        let mut crew = Crew::new(start.signals, start.inherited, posts)?;
        let keep: Vec<RawFd> = start.lock.iter().map(|lock| lock.fd().as_raw_fd()).collect();
        let (path, condition, writes) = (start.path, start.condition, start.lock.is_some());
        let collections = start.rules.collections().to_vec();
        let Extraction { metadata, text, markdown, tables, .. } = start.extraction;
        let (extraction, sandbox) = (start.extraction, start.sandbox);
        crew.spawn(Who::Writer, 0, &keep, |control, _| {
            keeper::run(keeper::KeeperStart {
                path,
                collections,
                extraction,
                condition,
                writes,
                seats: workers.into(),
                control,
                sandbox,
            })
        })?;
        Ok(Self {
            crew,
            rules: start.rules,
            wanted: Wanted { metadata, text, markdown, tables },
            limits: start.limits,
            sandbox: start.sandbox,
            workers,
            progress: start.progress,
            _lock: start.lock,
            generation: 0,
            deaths_in_a_row: 0,
            state: State::default(),
        })
    }

    fn work(&mut self) -> Result<Ended, CrewError> {
        let mut asked_to_commit = false;
        loop {
            self.start_extractors()?;
            let stop = self.turn()?;
            if self.state.committed {
                // The store's files are tidied up when the writer closes it.
                while self.crew.has(Who::Writer) {
                    self.turn()?;
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
            if !self.crew.has(Who::Writer) {
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
                self.crew.tell(Who::Writer, &ToKeeper::Commit, None)?;
                self.progress.clear();
            }
            if let Some(pages) = self.state.pages
                && !self.state.all_read
            {
                self.progress.count(self.state.done, pages, "pages");
            }
        }
    }

    /// Fills every empty seat, as long as there is work for it.
    fn start_extractors(&mut self) -> Result<(), CrewError> {
        let wanted = match self.state.pages {
            Some(pages) if !self.state.all_read => Slot::try_from(pages).unwrap_or(Slot::MAX),
            _ => 0,
        };
        for slot in 0..self.workers.min(wanted) {
            let who = Who::Extractor(slot);
            if self.crew.has(who) {
                continue;
            }
            self.generation += 1;
            let sandbox = self.sandbox;
            let worker = worker::Worker { rules: &self.rules, wanted: self.wanted, limits: self.limits };
            let spawned = self.crew.spawn_apart(who, self.generation, &[], |socket, row| {
                match walls::put_up(sandbox, Role::Extractor(slot.into()), &Needs::nothing()) {
                    Ok(()) => worker::run(socket, PAGE_CEILING, worker, row),
                    Err(code) => code,
                }
            });
            match spawned {
                Ok(socket) => {
                    let attach = ToKeeper::Attach { slot, generation: self.generation };
                    self.crew.tell(Who::Writer, &attach, Some(socket))?;
                }
                // Too many processes or no memory may pass; some seats may do the work of all.
                Err(CrewError::Fork(error)) if (0..self.workers).any(|slot| self.crew.has(Who::Extractor(slot))) => {
                    tracing::warn!(slot, %error, "no extractor");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Waits for news and deals with them; yields the signal that asks to stop.
    fn turn(&mut self) -> Result<Option<Signal>, CrewError> {
        let timeout = self.progress.due().map_or(TURN, |due| TURN.min(due.saturating_duration_since(Instant::now())));
        // The line is due again and again, also when there is nothing to show yet.
        self.crew.wait(timeout.max(Duration::from_millis(20)), None)?;
        let mut stop = None;
        while let Some(news) = self.crew.news() {
            match news {
                News::Signal(signal) => stop = Some(signal),
                News::Said(message) => self.heard(message),
                News::Ended(Death { who: Who::Extractor(slot), pid, exit, .. }) => {
                    if !self.state.all_read && !exit.is_success() {
                        self.deaths_in_a_row += 1;
                        self.progress.warn(&format!("extractor {slot} (pid {pid}) {exit}; another takes its place"));
                    }
                }
                News::Stuck { who: Who::Extractor(slot), pid, seconds } => {
                    self.progress.warn(&format!("extractor {slot} (pid {pid}) is stuck for {seconds} s; it is killed"));
                }
                News::Ended(_) | News::Stuck { .. } => {}
            }
        }
        Ok(stop)
    }

    fn heard(&mut self, message: FromKeeper) {
        match message {
            FromKeeper::Ready { pages } => self.state.pages = Some(pages),
            FromKeeper::Progress { done } => {
                if done > self.state.done {
                    self.deaths_in_a_row = 0;
                }
                self.state.done = done;
            }
            FromKeeper::Again { url } => {
                self.progress.warn(&format!("{url} is tried once more: an extractor died of it"));
            }
            FromKeeper::Read => self.state.all_read = true,
            FromKeeper::Prepared(report) => self.state.prepared = Some(report),
            FromKeeper::Committed => self.state.committed = true,
            FromKeeper::Fatal { message, cause } => self.state.fatal = Some((message, cause)),
        }
    }
}
