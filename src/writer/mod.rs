//! The writer process: the only one that opens the store for writing.
//!
//! It drains all page queues fairly, commits in batches, and only then acknowledges, to the supervisor. It makes no
//! network request. While the disk is full it holds its batch, reads nothing and tries again; everyone upstream waits.
//!
//! It waits for the disk and for nobody else: what it says to the supervisor is sent when there is room for it, and until
//! then kept. That is bounded by what the supervisor has asked for and not heard: one pull, the lines on their way, the
//! leases. Only when nothing is left to write does it wait until all is told, since it is about to exit.
//!
//! - [`queue`]: one fetcher's page queue, read to its end.
//! - [`batch`]: records collected for one transaction.

pub mod batch;
pub mod queue;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use batch::{Batch, HostEnded, Item};
use queue::{Queue, QueueState};

use crate::config::Sandbox;
use crate::console::urls::{self, UrlEnd};
use crate::walls;
use seine_core::protocol::{
    Done, EndedBy, FromWriter, Generation, Hello, Imported, PROTOCOL_VERSION, Slot, ToWriter, Verdict,
};
use seine_store::StoreError;
use seine_store::insert::{Growth, PageLine, Session, Store};
use seine_unix::channel::{Channel, ChannelError};
use seine_unix::known::Known;
use seine_unix::limits;
use seine_unix::poll::{Interest, PollSet};
use seine_unix::status::Row;

/// Exit code after a [`FromWriter::Fatal`]: starting again would not help.
pub const FATAL: i32 = 2;

/// A long list shall not keep the crawl waiting: more lines are asked for only after as long as the last ones
/// have taken, times this ...
const LINES_PAUSE: u32 = 2;
/// ... but no longer than so many times as long as the records since then: a crawl that brings few leaves room for lines.
const RECORDS_PAUSE: u32 = 16;
/// ... nor than this.
const LONGEST_LINES_PAUSE: Duration = Duration::from_secs(1);
/// Pause between attempts while the disk is full.
const FULL_PAUSE: Duration = Duration::from_secs(1);
/// Past this size the write-ahead log is emptied, readers permitting.
const WAL_LIMIT_BYTES: u64 = 2 * seine_store::WAL_BYTES as u64;
/// Past this size a reader that never ends its transaction is worth a warning.
const WAL_ALARM_BYTES: u64 = 1 << 30;
/// How often the size of the log is looked at; less and less often while a reader keeps it from being emptied, since
/// each attempt waits for it.
const WAL_CHECK: Duration = Duration::from_secs(1);
const RAREST_WAL_CHECK: Duration = Duration::from_secs(60);
/// Pages whose stored links are followed in one transaction.
const PAGES_TO_FOLLOW: u32 = 256;

/// Everything the writer is given at its birth.
#[derive(Debug)]
pub struct WriterStart {
    /// The store.
    pub path: PathBuf,
    /// The run.
    pub session: Session,
    /// Channel to the supervisor.
    pub control: OwnedFd,
    /// Which writer this is.
    pub generation: Generation,
    /// Largest frame a fetcher may send.
    pub frame_ceiling: usize,
    /// Pages of the store to keep at hand, in bytes.
    pub cache_bytes: u64,
    /// Batches of lines on their way here, at most.
    pub line_batches: usize,
    /// URLs that pages name and that fetchers need not tell of any more.
    pub known: Option<Known>,
    /// Whether it is walled off.
    pub sandbox: Sandbox,
}

/// Runs the writer to its end; the return value is the exit code.
pub fn run(start: WriterStart, row: &Row) -> i32 {
    if let Err(code) = walls::put_up_around_store(start.sandbox, &start.path, true) {
        return code;
    }
    let mut control = Channel::new(start.control, start.frame_ceiling);
    let hello = Hello { version: PROTOCOL_VERSION, generation: start.generation };
    let opened = control.send(&FromWriter::Hello(hello), None).map(|()| Store::open(&start.path, &start.session));
    let (store, ready) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) => return refuse(&mut control, &start.path, &error),
        Err(_) => return FATAL,
    };
    store.keep_at_hand(start.cache_bytes);
    tracing::info!(pending = ready.pending, resumed = ready.resumed, "store open");
    let mut writer = Writer {
        store: Some(store),
        path: start.path,
        control,
        queues: Vec::new(),
        batch: Batch::default(),
        frame_ceiling: start.frame_ceiling,
        line_batches: start.line_batches,
        known: start.known,
        imported: Vec::new(),
        acknowledge_at: None,
        records_took: Duration::ZERO,
        full_since: None,
        retry_at: None,
        stop: None,
        wal_checked: Instant::now(),
        wal_pause: WAL_CHECK,
        wal_warned: false,
        first_queue: 0,
    };
    match writer.say(&FromWriter::Ready(ready)).and_then(|()| writer.work(row)) {
        Ok(()) => 0,
        Err(WriterError::Store(error)) => refuse(&mut writer.control, &writer.path, &error),
        Err(WriterError::Control(error)) => {
            // The supervisor is gone or beyond talking to; what is committed stays.
            tracing::warn!(%error, "control channel lost");
            1
        }
    }
}

fn refuse(control: &mut Channel, path: &std::path::Path, error: &StoreError) -> i32 {
    let message = match error {
        StoreError::Foreign(..) | StoreError::Newer { .. } | StoreError::Missing(_) | StoreError::Tampered { .. } => {
            error.to_string()
        }
        _ => format!("cannot write the store {}: {error}", path.display()),
    };
    let disk_full = matches!(error, StoreError::Full(_));
    let _ = control.say(&FromWriter::Fatal { message, disk_full });
    FATAL
}

#[derive(Debug, thiserror::Error)]
enum WriterError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Control(#[from] ChannelError),
}

type Result<T> = std::result::Result<T, WriterError>;

/// How the writer shall end.
#[derive(Clone, Copy, Debug)]
enum Stop {
    /// As told.
    Told { ended_by: EndedBy, abandon: bool },
    /// The supervisor is gone: commit what has arrived, say nothing of how the run ended.
    Orphaned,
}

struct Writer {
    /// `None` once closed.
    store: Option<Store>,
    path: PathBuf,
    control: Channel,
    queues: Vec<Queue>,
    batch: Batch,
    frame_ceiling: usize,
    line_batches: usize,
    known: Option<Known>,
    /// Lines that are in the store and not acknowledged yet, and until when.
    imported: Vec<Imported>,
    acknowledge_at: Option<Instant>,
    /// Time that records have taken since lines were last committed.
    records_took: Duration,
    full_since: Option<Instant>,
    retry_at: Option<Instant>,
    stop: Option<Stop>,
    wal_checked: Instant,
    wal_pause: Duration,
    wal_warned: bool,
    /// Where the next turn begins, so that no queue is always first.
    first_queue: usize,
}

impl Writer {
    fn work(&mut self, row: &Row) -> Result<()> {
        loop {
            row.beat();
            self.wait()?;
            row.beat();
            self.listen()?;
            if self.takes_records() {
                self.read_queues();
            }
            if self.store.as_ref().is_some_and(|store| self.batch.rows() as u64 >= store.pending()) {
                // All wait for this commit: for the first lines of a run, or with its last pages.
                self.batch.hurry();
                self.acknowledge_at = self.acknowledge_at.map(|_| Instant::now());
            }
            if 2 * self.batch.line_batches() >= self.line_batches {
                // The other half is read meanwhile.
                self.batch.hurry();
            }
            if self.batch.is_due(Instant::now()) || self.is_last_batch() {
                self.commit()?;
            }
            self.follow_stored()?;
            self.acknowledge_lines()?;
            self.report_ended_queues()?;
            self.watch_wal()?;
            if let Some(stop) = self.stop
                && self.close(stop)?
            {
                return Ok(());
            }
        }
    }

    fn takes_records(&self) -> bool {
        self.full_since.is_none() && self.batch.has_room()
    }

    /// Nothing more can come, so there is no reason to let the batch grow.
    fn is_last_batch(&self) -> bool {
        !self.batch.is_empty()
            && self.queues.iter().all(Queue::has_ended)
            && (self.stop.is_some() || !self.queues.is_empty())
    }

    fn wait(&mut self) -> Result<()> {
        let now = Instant::now();
        let deadline = if let Some(retry_at) = self.retry_at { Some(retry_at) } else { self.batch.due_at() };
        let deadline = deadline.into_iter().chain(self.acknowledge_at).min();
        let mut timeout = deadline.map_or(Duration::from_secs(1), |at| at.saturating_duration_since(now));
        if self.has_to_follow() {
            timeout = Duration::ZERO;
        }
        if self.stop.is_some()
            && self.queues.iter().all(Queue::has_ended)
            && self.full_since.is_none()
            && self.control.backlog() == 0
        {
            timeout = Duration::ZERO;
        }
        let mut set = PollSet::new();
        if !matches!(self.stop, Some(Stop::Orphaned)) {
            set.add(self.control.fd(), self.control.interest());
        }
        if self.takes_records() {
            for queue in self.queues.iter().filter(|queue| !queue.has_ended()) {
                set.add(queue.fd(), Interest::Read);
            }
        }
        set.wait(Some(timeout)).map_err(ChannelError::from)?;
        Ok(())
    }

    /// Takes what the supervisor said.
    fn listen(&mut self) -> Result<()> {
        if matches!(self.stop, Some(Stop::Orphaned)) {
            return Ok(());
        }
        self.tell()?;
        self.control.receive()?;
        while let Some(message) = self.control.next::<ToWriter>()? {
            match message {
                ToWriter::Attach { slot, generation } => {
                    let Some(fd) = self.control.take_fd() else { continue };
                    // A slot has one fetcher: a newer one takes over, the older is only read to its end.
                    self.queues.push(Queue::new(fd, slot, generation, self.frame_ceiling));
                }
                ToWriter::Import { file, entries } => self.batch.push(Item::Import { file: file as usize, entries }),
                ToWriter::ImportEnd { file, lines } => {
                    self.batch.push(Item::ImportEnd { file: file as usize, lines });
                }
                ToWriter::End { url_id, outcome, failure } => self.batch.push(Item::End { url_id, outcome, failure }),
                ToWriter::EndHost { host_id, outcome, failure } => {
                    self.batch.push(Item::EndHost { host_id, outcome, failure });
                }
                ToWriter::AskOrigin { slot, generation, origin } => {
                    if let Some(store) = &mut self.store {
                        let facts = store.origin(&origin)?;
                        self.say(&FromWriter::Origin { slot, generation, facts })?;
                    }
                }
                ToWriter::Pull(pull) => {
                    if let Some(store) = &mut self.store {
                        let (hosts, sweep_after) = store.pull(&pull)?;
                        let pending = store.pending();
                        self.say(&FromWriter::Candidates { hosts, sweep_after, pending })?;
                    }
                }
                ToWriter::Recheck(url_ids) => {
                    // The answer is about now, so records that are still in the batch are committed first.
                    self.commit()?;
                    if let Some(store) = &mut self.store {
                        let (done, still) = store.recheck(&url_ids)?;
                        let pending = store.pending();
                        self.say(&FromWriter::Committed { done, grown: Vec::new(), again: false, pending })?;
                        self.say(&FromWriter::StillPending(still))?;
                    }
                }
                ToWriter::Stop { ended_by, abandon } => self.stop = Some(Stop::Told { ended_by, abandon }),
            }
        }
        if self.control.has_ended() && self.stop.is_none() {
            tracing::warn!("supervisor gone; committing what has arrived");
            self.stop = Some(Stop::Orphaned);
        }
        Ok(())
    }

    fn read_queues(&mut self) {
        let count = self.queues.len();
        self.first_queue = (self.first_queue + 1) % count.max(1);
        for turn in 0..count {
            if !self.batch.has_room() {
                return;
            }
            let at = (self.first_queue + turn) % count;
            self.queues[at].read(&mut self.batch);
        }
    }

    /// Commits the batch and acknowledges it; without room on disk keeps it for later.
    fn commit(&mut self) -> Result<()> {
        if self.batch.is_empty() || self.retry_at.is_some_and(|at| Instant::now() < at) {
            return Ok(());
        }
        let Some(store) = &mut self.store else { return Ok(()) };
        let begun = Instant::now();
        match self.batch.commit(store, self.known.as_ref()) {
            Ok(report) => {
                let took = begun.elapsed();
                let only_records = report.imported.is_empty();
                self.records_took += if only_records { took } else { report.records_took };
                let (pending, growth) = (store.pending(), store.growth());
                if urls::are_wanted() {
                    say_urls(store, &report.done)?;
                    for ended in &report.hosts_ended {
                        say_urls(store, &ended.urls)?;
                    }
                }
                if self.full_since.take().is_some() {
                    self.retry_at = None;
                    self.say(&FromWriter::Room)?;
                }
                if !report.imported.is_empty() {
                    let records_took = std::mem::take(&mut self.records_took);
                    // The time of the commit itself counts for the lines: it grows with the pages that they are spread over.
                    let lines_took = took.saturating_sub(report.records_took);
                    let pause = (LINES_PAUSE * lines_took).min(RECORDS_PAUSE * records_took);
                    let now = Instant::now();
                    let from = self.acknowledge_at.map_or(now, |at| at.max(now));
                    self.acknowledge_at = Some(from + pause.min(LONGEST_LINES_PAUSE));
                    self.imported.extend(report.imported);
                    self.acknowledge_lines()?;
                }
                for ended in report.hosts_ended {
                    let HostEnded { host_id, outcome, failure, urls, more } = ended;
                    let urls = urls.len() as u64;
                    self.say(&FromWriter::HostEnded { host_id, outcome, class: failure.class, urls, more, pending })?;
                    if more {
                        self.batch.push(Item::EndHost { host_id, outcome, failure });
                    }
                }
                if !report.done.is_empty() || !growth.hosts.is_empty() {
                    let Growth { hosts: grown, again } = growth;
                    self.say(&FromWriter::Committed { done: report.done, grown, again, pending })?;
                }
                Ok(())
            }
            Err(StoreError::Full(message)) => {
                self.retry_at = Some(Instant::now() + FULL_PAUSE);
                if self.full_since.is_none() {
                    self.full_since = Some(Instant::now());
                    let message = format!("no room on disk for {}: {message}{}", self.path.display(), file_limit());
                    self.say(&FromWriter::Full { message })?;
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Whether stored links wait to be followed and may be now.
    fn has_to_follow(&self) -> bool {
        self.full_since.is_none()
            && self.stop.is_none()
            && self.store.as_ref().is_some_and(|store| store.to_follow() > 0)
    }

    /// Follows some of the stored links that wait for it.
    fn follow_stored(&mut self) -> Result<()> {
        if !self.has_to_follow() {
            return Ok(());
        }
        let Some(store) = &mut self.store else { return Ok(()) };
        match store.transaction(|store| store.follow_stored(PAGES_TO_FOLLOW)) {
            Ok(()) => {
                let (pending, Growth { hosts: grown, again }) = (store.pending(), store.growth());
                self.say(&FromWriter::Committed { done: Vec::new(), grown, again, pending })
            }
            // Nothing of it is done; the next record that does not fit says what is the matter.
            Err(StoreError::Full(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Acknowledges lines, which brings the next ones.
    fn acknowledge_lines(&mut self) -> Result<()> {
        if self.acknowledge_at.is_none_or(|at| at > Instant::now()) {
            return Ok(());
        }
        self.acknowledge_at = None;
        let pending = self.store.as_ref().map_or(0, Store::pending);
        for imported in std::mem::take(&mut self.imported) {
            self.say(&FromWriter::Imported(Imported { pending, ..imported }))?;
        }
        Ok(())
    }

    /// Tells the supervisor which queues have been read to their ends, once all that came from them is committed.
    fn report_ended_queues(&mut self) -> Result<()> {
        if !self.batch.is_empty() {
            return Ok(());
        }
        let (ended, alive): (Vec<_>, Vec<_>) = self.queues.drain(..).partition(Queue::has_ended);
        self.queues = alive;
        for queue in ended {
            let (slot, generation): (Slot, Generation) = queue.fetcher();
            if let QueueState::Broken(message) = queue.state() {
                let message = message.clone();
                self.say(&FromWriter::Broken { slot, generation, message })?;
            }
            self.say(&FromWriter::Drained { slot, generation })?;
        }
        Ok(())
    }

    fn watch_wal(&mut self) -> Result<()> {
        if self.wal_checked.elapsed() < self.wal_pause {
            return Ok(());
        }
        let Some(store) = &mut self.store else { return Ok(()) };
        let bounded = store.bound_wal(&self.path, WAL_LIMIT_BYTES);
        self.wal_checked = Instant::now();
        self.wal_pause = match bounded {
            Some((_, false)) => (self.wal_pause * 2).min(RAREST_WAL_CHECK),
            _ => WAL_CHECK,
        };
        if let Some((bytes, false)) = bounded
            && bytes > WAL_ALARM_BYTES
            && !self.wal_warned
        {
            self.wal_warned = true;
            let message = format!(
                "{}-wal has grown to {} MiB because some program keeps one read transaction open; \
                 end it and the file shrinks",
                self.path.display(),
                bytes >> 20
            );
            self.say(&FromWriter::Warning(message))?;
        }
        Ok(())
    }

    /// Closes the store when nothing is left to write; `true` if the writer may exit.
    fn close(&mut self, stop: Stop) -> Result<bool> {
        let abandon = matches!(stop, Stop::Told { abandon: true, .. }) && self.full_since.is_some();
        let empty = self.batch.is_empty() && self.queues.is_empty();
        let orphan_without_room = matches!(stop, Stop::Orphaned) && self.full_since.is_some();
        if !(empty || abandon || orphan_without_room) {
            return Ok(false);
        }
        self.acknowledge_at = Some(Instant::now());
        self.acknowledge_lines()?;
        // The supervisor counts what it hears, so it is to hear all before the store knows how the run has ended.
        if !self.tell()? {
            return Ok(false);
        }
        let Some(store) = self.store.take() else { return Ok(true) };
        match stop {
            Stop::Told { ended_by, .. } => match store.end(ended_by) {
                // Without room the end of the run cannot be noted; it is resumable all the same.
                Err(StoreError::Full(_)) if abandon => {}
                ended => ended?,
            },
            Stop::Orphaned => store.close(),
        }
        Ok(true)
    }

    /// Says something to the supervisor; never waits.
    fn say(&mut self, message: &FromWriter) -> Result<()> {
        if !matches!(self.stop, Some(Stop::Orphaned)) {
            self.control.send(message, None)?;
        }
        self.tell().map(drop)
    }

    /// Sends what fits of what was said; `true` if that is all, or nobody is left to hear it.
    fn tell(&mut self) -> Result<bool> {
        if matches!(self.stop, Some(Stop::Orphaned)) {
            return Ok(true);
        }
        match self.control.flush() {
            Err(ChannelError::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                self.stop = Some(Stop::Orphaned);
                Ok(true)
            }
            told => Ok(told?),
        }
    }
}

/// The limit on the size of files, which reads like a full disk.
fn file_limit() -> String {
    limits::file_size_limit()
        .map_or_else(String::new, |bytes| format!("; no file may have more than {bytes} bytes (ulimit -f)"))
}

/// Says of each URL that has ended how it did.
fn say_urls(store: &Store, done: &[Done]) -> Result<()> {
    for Done { url_id, verdict, status, .. } in done {
        let Verdict::Ended(outcome, class) = *verdict else { continue };
        let Some(PageLine { url, elapsed_ms, message }) = store.line_of(*url_id)? else { continue };
        UrlEnd { url: &url, outcome, class, status: *status, elapsed_ms, message: message.as_deref() }.say();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
