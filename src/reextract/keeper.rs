//! The process that has the store: reads pages, deals them out, keeps what is found, writes what differs.
//!
//! It never waits for one extractor: each that has room gets a page, and each that answers is heard. It keeps no page that
//! an extractor has; if that one dies, the page is read from the store once more. The supervisor is never waited for
//! either, but for its word to commit: what does not fit the socket is sent in a later turn.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::config::{Extraction, Sandbox};
use crate::pool::{Death, Pool, Task, Window};
use crate::walls;
use seine_core::protocol::frame::MAX_HEAD_BYTES;
use seine_core::protocol::reextract::{Answer, Cause, FromKeeper, PageJob, ToKeeper, Unread};
use seine_core::protocol::{Generation, Slot};
use seine_core::record::UrlId;
use seine_core::record::items::Collection;
use seine_store::StoreError;
use seine_store::items::ItemPage;
use seine_store::reextract::{Rework, ReworkError};
use seine_unix::channel::{Channel, ChannelError};
use seine_unix::poll::PollSet;

/// Pages an extractor may have at a time ...
const WINDOW_PAGES: usize = 64;
/// ... and bytes of them, compressed; one page may be larger.
const WINDOW_BYTES: usize = 4 << 20;
/// How often the supervisor hears how far it is.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// Pages named that could not be read.
const UNREAD_NAMED: usize = 20;

/// Everything the process is given at its birth.
#[derive(Debug)]
pub struct KeeperStart {
    /// The store.
    pub path: PathBuf,
    /// The collections of the rules.
    pub collections: Vec<Collection>,
    /// The rules as they are written, and what else is looked for.
    pub extraction: Extraction,
    /// A condition over `pages`; `None` for all of them.
    pub condition: Option<String>,
    /// Whether what differs is written.
    pub writes: bool,
    /// Extractors at most.
    pub seats: usize,
    /// Channel to the supervisor.
    pub control: OwnedFd,
    /// Whether it is walled off.
    pub sandbox: Sandbox,
}

/// Runs the process to its end; the return value is the exit code.
pub fn run(start: KeeperStart) -> i32 {
    if let Err(code) = walls::put_up_around_store(start.sandbox, &start.path, start.writes) {
        return code;
    }
    let mut control = Channel::new(start.control, 1 << 20);
    let opened = Rework::open(&start.path, start.collections, start.condition.as_deref(), start.writes);
    let worked = opened
        .map_err(Failure::from)
        .and_then(|store| Keeper::new(store, start.path.clone(), start.seats, &mut control).work(&start.extraction));
    let fatal = match worked {
        Ok(()) => return 0,
        // The supervisor is gone: nothing is to change any more.
        Err(Failure::Control(error)) => {
            tracing::warn!(%error, "control channel lost");
            return 1;
        }
        Err(Failure::Store(error)) => explain(&start.path, error),
    };
    let _ = control.say(&fatal);
    2
}

fn explain(path: &Path, error: ReworkError) -> FromKeeper {
    let (message, cause) = match error {
        ReworkError::Store(StoreError::Full(message)) => {
            (format!("no room on disk for {} or for temporary files: {message}", path.display()), Cause::DiskFull)
        }
        ReworkError::Store(StoreError::Sqlite(error)) => {
            (format!("cannot use the store {}: {error}", path.display()), Cause::Failure)
        }
        error => (error.to_string(), Cause::Usage),
    };
    FromKeeper::Fatal { message, cause }
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Store(#[from] ReworkError),
    #[error(transparent)]
    Control(#[from] ChannelError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}

type Result<T, E = Failure> = std::result::Result<T, E>;

struct Keeper<'a> {
    store: Rework,
    path: PathBuf,
    control: &'a mut Channel,
    pool: Pool<Given>,
    extractors: Vec<Option<Extractor>>,
    /// The page read last; all up to it are dealt out or done.
    reached: UrlId,
    all_dealt: bool,
    done: u64,
    told_at: Instant,
    unread: u64,
    unread_pages: Vec<(String, Unread)>,
}

/// A page that an extractor has.
#[derive(Clone, Debug)]
struct Given {
    origin: ItemPage,
    url: String,
}

struct Extractor {
    channel: Channel,
    generation: Generation,
}

impl<'a> Keeper<'a> {
    fn new(store: Rework, path: PathBuf, seats: usize, control: &'a mut Channel) -> Self {
        Self {
            all_dealt: store.to_read() == 0,
            store,
            path,
            control,
            pool: Pool::new(seats, Window { tasks: WINDOW_PAGES, bytes: WINDOW_BYTES }),
            extractors: (0..seats).map(|_| None).collect(),
            reached: 0,
            done: 0,
            told_at: Instant::now(),
            unread: 0,
            unread_pages: Vec::new(),
        }
    }

    fn work(mut self, extraction: &Extraction) -> Result<()> {
        let pages = self.store.to_read();
        tracing::info!(store = %self.path.display(), pages, "store open");
        self.say(&FromKeeper::Ready { pages })?;
        while !(self.all_dealt && self.pool.unfinished() == 0) {
            self.deal()?;
            self.store.rest()?;
            self.wait()?;
            self.listen()?;
            self.hear()?;
            if self.told_at.elapsed() >= PROGRESS_EVERY {
                self.told_at = Instant::now();
                self.say(&FromKeeper::Progress { done: self.done })?;
            }
        }
        self.say(&FromKeeper::Progress { done: self.done })?;
        self.say(&FromKeeper::Read)?;
        // Their ends are the extractors' ends.
        self.extractors.clear();
        let mut report = self.store.prepare(&|config| extraction.reading_after(config))?;
        report.unread = self.unread;
        report.unread_pages = std::mem::take(&mut self.unread_pages);
        self.say(&FromKeeper::Prepared(report))?;
        self.wait_for_commit()?;
        let Self { mut store, control, .. } = self;
        store.commit()?;
        drop(store);
        // The store is closed, so nothing waits while this waits for the supervisor.
        Ok(control.say(&FromKeeper::Committed)?)
    }

    /// Gives pages to extractors that have room: first those that another extractor died of.
    fn deal(&mut self) -> Result<()> {
        while let Some((seat, given)) = self.pool.deal_again() {
            match self.store.next(given.origin.url_id - 1)? {
                Some((_, job, zstd)) if job.url_id == given.origin.url_id => self.hand(seat, &job, &zstd)?,
                // Beside a crawl: it is gone meanwhile.
                _ => {
                    self.pool.answered(seat);
                    self.done += 1;
                }
            }
        }
        while !self.all_dealt
            && let Some(seat) = self.pool.free_seat()
        {
            let Some((origin, job, zstd)) = self.store.next(self.reached)? else {
                self.all_dealt = true;
                break;
            };
            self.reached = origin.url_id;
            self.pool.give(seat, Task::new(Given { origin, url: job.listed_url.clone() }, zstd.len()));
            self.hand(seat, &job, &zstd)?;
        }
        Ok(())
    }

    /// Sends a page; that its extractor has died shows when it is heard next.
    fn hand(&mut self, seat: usize, job: &PageJob, zstd: &[u8]) -> Result<()> {
        if let Some(extractor) = &mut self.extractors[seat] {
            extractor.channel.send_with_tail(job, zstd)?;
            let _ = extractor.channel.flush();
        }
        Ok(())
    }

    fn wait(&self) -> Result<()> {
        let mut set = PollSet::new();
        set.add(self.control.fd(), self.control.interest());
        for extractor in self.extractors.iter().flatten() {
            set.add(extractor.channel.fd(), extractor.channel.interest());
        }
        set.wait(Some(PROGRESS_EVERY)).map_err(ChannelError::from)?;
        Ok(())
    }

    /// Takes what the supervisor says.
    fn listen(&mut self) -> Result<()> {
        self.control.flush()?;
        self.control.receive()?;
        while let Some(message) = self.control.next::<ToKeeper>()? {
            let ToKeeper::Attach { slot, generation } = message else { continue };
            let Some(fd) = self.control.take_fd() else { continue };
            self.leave(slot)?;
            let channel = Channel::new(fd, MAX_HEAD_BYTES);
            self.extractors[usize::from(slot)] = Some(Extractor { channel, generation });
            self.pool.join(slot.into());
        }
        if self.control.has_ended() {
            return Err(ChannelError::Io(std::io::ErrorKind::BrokenPipe.into()).into());
        }
        Ok(())
    }

    /// Takes what extractors have found.
    fn hear(&mut self) -> Result<()> {
        for seat in 0..self.extractors.len() {
            let Some(extractor) = &mut self.extractors[seat] else { continue };
            let _ = extractor.channel.flush();
            let mut is_alive = extractor.channel.receive().is_ok();
            // Answers that it sent before it died count.
            while let Some(extractor) = &mut self.extractors[seat] {
                match extractor.channel.next::<Answer>() {
                    Ok(Some(answer)) if self.pool.current(seat).is_some_and(|g| g.origin.url_id == answer.url_id) => {
                        self.take(seat, answer)?;
                    }
                    Ok(None) => {
                        is_alive &= !extractor.channel.has_ended();
                        break;
                    }
                    odd => {
                        tracing::warn!(
                            seat,
                            generation = extractor.generation,
                            ?odd,
                            "an extractor answers what it was not asked"
                        );
                        is_alive = false;
                        break;
                    }
                }
            }
            if !is_alive {
                self.leave(seat as Slot)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, seat: usize, answer: Answer) -> Result<()> {
        let Some(given) = self.pool.answered(seat) else { return Ok(()) };
        self.done += 1;
        match answer.found {
            Ok(found) => {
                self.store.keep(&given.origin, &found.items)?;
                if let Some(extras) = &found.extras {
                    self.store.keep_extras(&given.origin, extras)?;
                }
            }
            Err(unread) => self.give_up(given.url, unread),
        }
        Ok(())
    }

    fn give_up(&mut self, url: String, why: Unread) {
        self.unread += 1;
        if self.unread_pages.len() < UNREAD_NAMED {
            self.unread_pages.push((url, why));
        }
    }

    /// The extractor of `slot` is gone, if there was one.
    fn leave(&mut self, slot: Slot) -> Result<()> {
        if self.extractors[usize::from(slot)].take().is_none() {
            return Ok(());
        }
        match self.pool.died(slot.into()) {
            Death::Idle => {}
            Death::Again(given) => self.say(&FromKeeper::Again { url: given.url })?,
            Death::GivenUp(given) => {
                self.done += 1;
                self.give_up(given.url, Unread::Crash);
            }
        }
        Ok(())
    }

    fn wait_for_commit(&mut self) -> Result<()> {
        loop {
            let mut set = PollSet::new();
            set.add(self.control.fd(), self.control.interest());
            set.wait(None).map_err(ChannelError::from)?;
            self.control.flush()?;
            self.control.receive()?;
            while let Some(message) = self.control.next::<ToKeeper>()? {
                if message == ToKeeper::Commit {
                    return Ok(());
                }
            }
            if self.control.has_ended() {
                return Err(ChannelError::Io(std::io::ErrorKind::BrokenPipe.into()).into());
            }
        }
    }

    /// Says something to the supervisor; never waits. What does not fit goes with the next turn.
    fn say(&mut self, message: &FromKeeper) -> Result<()> {
        self.control.send(message, None)?;
        self.control.flush()?;
        Ok(())
    }
}
