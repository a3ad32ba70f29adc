//! The supervisor: decides who fetches what and when to stop.
//!
//! One thread, no runtime, no database, no HTTP. Its loop turns signals, messages and time into events for a pure
//! [`plan`] and carries out the plan's actions; it never blocks on a write and always reads.
//!
//! - [`plan`]: the decisions, a state machine without I/O; [`events`]: its vocabulary.
//! - [`frontier`], [`partition`], [`breaker`], [`ledger`], [`backoff`]: its parts, as pure.
//! - [`feed`]: URL lists on their way to the writer.
//! - [`processors`]: the host of the user's programs, beside the crawl.

pub mod backoff;
pub mod breaker;

pub mod events;
pub mod feed;
pub mod frontier;
pub mod lanes;
pub mod ledger;
pub mod partition;
pub mod plan;
pub mod processors;

#[cfg(test)]
mod simulation;

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::config::Crawling;
use crate::console::progress::{Live, Progress};
use crate::console::text;
use crate::{fetcher, writer};
use events::{Action, Event, Phase, PlanConfig, Who};
use feed::Feed;
use frontier::{HostLimits, LimitsOf, Room, Share};
use plan::Plan;
use processors::Beside;
use seine_core::protocol::{
    EndedBy, FromFetcher, FromWriter, Generation, PROCESSORS, Slot, ToFetcher, ToWriter, processing,
};
use seine_core::record::Outcome;
use seine_core::tally::Tally;
use seine_lists::url_list::UrlList;
use seine_store::insert::Session;
use seine_unix::channel::{Channel, ChannelError};
use seine_unix::clock::monotonic_ms;
use seine_unix::fork::{Death, ForkSpec, fork};
use seine_unix::limits;
use seine_unix::lock::StoreLock;
use seine_unix::pace::SharedPace;
use seine_unix::pair::{Mode, stream_pair};
use seine_unix::poll::{Interest, PollSet};
use seine_unix::signals::{self, Exit, Signals};
use seine_unix::status::StatusBoard;
use seine_unix::title::Role;
use seine_unix::{Pid, Signal};

/// A fetcher that has not shown for so long that its runtime turns is killed.
const FETCHER_STALL_MS: u64 = 10_000;
/// The same for the writer, which may have to wait for a slow disk.
const WRITER_STALL_MS: u64 = 120_000;
/// If the loop itself was late by this much, everyone was stopped (a suspended machine, a paused container).
const PAUSE_MS: u64 = 2_000;
/// How often the room on disk is looked at.
const LOOK_FOR_ROOM_MS: u64 = 1_000;
/// How often the bytes of bodies are added up, when they are a budget.
const ADD_UP_MS: u64 = 50;
/// The writer's worst batch, see [`writer::batch`], waits at most this long for its parent's death to be noticed.
const WRITER_GRACE: Duration = Duration::from_secs(1);
/// Besides the place for requests, every host may have this many URLs leased ahead when there is no delay.
const LEASED_AHEAD: u32 = 256;
/// Leases a fetcher may have beside those in flight.
const SLOT_AHEAD: usize = 4096;

/// Everything a run needs.
pub struct Start {
    /// The configuration.
    pub settings: Crawling,
    /// The lists, open.
    pub lists: Vec<UrlList>,
    /// The run, for the store.
    pub session: Session,
    /// The store's lock; inherited by every writer.
    pub lock: StoreLock,
    /// Signals, blocked already.
    pub signals: Signals,
    /// Descriptors that all children keep (the log file).
    pub inherited: Vec<RawFd>,
    /// What a person sees.
    pub progress: Progress,
}

/// How a run ended.
#[derive(Debug)]
pub struct Report {
    /// Why.
    pub ended_by: EndedBy,
    /// Numbers.
    pub tally: Tally,
    /// Lists that could not be read to their ends.
    pub list_failures: Vec<String>,
    /// What processors have done, if they could finish.
    pub processors: Vec<processing::Tally>,
    /// Why they could not.
    pub processor_failure: Option<processors::Failure>,
    /// Time of this invocation.
    pub elapsed: Duration,
    /// The store is nobody else's until this is dropped.
    pub lock: StoreLock,
}

impl Report {
    /// Of a run that was over before it began.
    pub fn of_none(ended_by: EndedBy, tally: Tally, lock: StoreLock) -> Self {
        Self {
            ended_by,
            tally,
            list_failures: Vec::new(),
            processors: Vec::new(),
            processor_failure: None,
            elapsed: Duration::ZERO,
            lock,
        }
    }

    /// Whether there is anything to tell of: not if all was done before.
    pub fn has_done_something(&self) -> bool {
        self.tally.opened && (self.ended_by != EndedBy::Completed || self.tally.outcomes.iter().any(|count| *count > 0))
    }

    /// Whether a page was fetched whole.
    pub fn found_any(&self) -> bool {
        self.tally.outcomes[Outcome::Ok as usize] > 0
    }
}

/// Why there was no run.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// The system refused something every run needs.
    #[error("cannot {0}")]
    System(&'static str, #[source] std::io::Error),
    /// A message could not be sent.
    #[error("cannot send to the {0}")]
    Channel(&'static str, #[source] ChannelError),
}

/// Runs a crawl to its end.
///
/// # Errors
/// [`SupervisorError`]; what is committed stays.
pub fn run(start: Start) -> Result<Report, SupervisorError> {
    Supervisor::new(start)?.run()
}

struct Child {
    pid: Pid,
    generation: Generation,
    channel: Channel,
}

struct Supervisor {
    settings: Crawling,
    session: Session,
    lock: StoreLock,
    signals: Signals,
    inherited: Vec<RawFd>,
    progress: Progress,
    /// Lives as long as the process: children use their rows until they end.
    board: &'static StatusBoard,
    rate: Option<SharedPace>,
    plan: Plan,
    feed: Feed,
    processors: Option<Beside>,
    /// The writer's word to stop, kept back until processors are done.
    held_stop: Option<(EndedBy, bool)>,
    /// A signal came while they were not.
    stopped_late: Option<EndedBy>,
    lists_done: bool,
    writer: Option<Child>,
    fetchers: Vec<Option<Child>>,
    actions: VecDeque<Action>,
    started: Instant,
    /// Processes killed for lack of memory that are known of, if that can be known.
    memory_kills: Option<u64>,
    /// Silence before this does not count.
    stalls_since: u64,
    last_turn: u64,
    /// Bytes of bodies that fetchers had which are gone.
    bytes_of_the_dead: u64,
    /// When the room on disk was last looked at.
    room_seen: u64,
}

impl Supervisor {
    fn new(start: Start) -> Result<Self, SupervisorError> {
        let settings = start.settings;
        let board = StatusBoard::new(*settings.crew.fetchers + 2)
            .map_err(|error| SupervisorError::System("map memory for the status of processes", error))?;
        let rate = settings.politeness.rate.map(|rate| SharedPace::new(rate.gap())).transpose();
        let rate = rate.map_err(|error| SupervisorError::System("map memory for the pace of all processes", error))?;
        let line_batches = settings.crew.buffers.line_batches;
        let now = monotonic_ms();
        let config = PlanConfig {
            slots: *settings.crew.fetchers,
            hosts: limits_of(&settings),
            by_site: settings.http.cookies || settings.politeness.host.iter().any(|rule| rule.cookies == Some(true)),
            host_failures: settings.politeness.host_failures,
            slot_window: settings.crew.concurrency.div_ceil(*settings.crew.fetchers) * 2 + SLOT_AHEAD,
            room: Room { urls: settings.crew.buffers.urls, hosts_per_pull: settings.crew.buffers.hosts_per_pull() },
            limit: settings.budgets.limit,
            grace_ms: settings.budgets.grace.0.as_millis() as u64,
            disk_wait_ms: settings.budgets.disk_wait.0.as_millis() as u64,
            seed: u64::from(std::process::id()) ^ now,
        };
        let (plan, actions) = Plan::new(config, now);
        Ok(Self {
            processors: Beside::new(&settings.processor),
            held_stop: None,
            stopped_late: None,
            fetchers: (0..*settings.crew.fetchers).map(|_| None).collect(),
            settings,
            session: start.session,
            lock: start.lock,
            signals: start.signals,
            inherited: start.inherited,
            progress: start.progress,
            board: Box::leak(Box::new(board)),
            rate,
            plan,
            feed: Feed::new(start.lists, line_batches),
            lists_done: false,
            writer: None,
            actions: actions.into(),
            started: Instant::now(),
            memory_kills: limits::memory_kills(),
            stalls_since: now,
            last_turn: now,
            bytes_of_the_dead: 0,
            room_seen: now,
        })
    }

    fn run(mut self) -> Result<Report, SupervisorError> {
        loop {
            while let Some(action) = self.actions.pop_front() {
                if action == Action::Finish {
                    self.end_processors()?;
                    return Ok(self.report());
                }
                self.act(action)?;
            }
            self.tend_processors()?;
            self.feed_writer()?;
            self.flush();
            self.wait()?;
            self.read_signals();
            self.read_channels();
            self.watch();
            self.on(Event::Tick);
            self.show();
        }
    }

    fn report(mut self) -> Report {
        self.progress.clear();
        let ended_by = match self.plan.phase() {
            Phase::Over { ended_by } => self.stopped_late.unwrap_or(ended_by),
            _ => EndedBy::Failure,
        };
        let (processors, processor_failure) = self.processors.take().map(Beside::report).unwrap_or_default();
        Report {
            ended_by,
            processors,
            processor_failure,
            tally: self.plan.tally().clone(),
            list_failures: self.feed.failures().to_vec(),
            elapsed: self.started.elapsed(),
            lock: self.lock,
        }
    }

    fn on(&mut self, event: Event) {
        let now_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        let actions = self.plan.on(event, monotonic_ms(), now_at);
        self.actions.extend(actions);
    }

    fn act(&mut self, action: Action) -> Result<(), SupervisorError> {
        match action {
            Action::Spawn(who, generation) => self.spawn(who, generation)?,
            Action::Attach(slot, generation) => self.attach(slot, generation)?,
            Action::Lease(slot, lease) => {
                tracing::debug!(slot, host = lease.host, urls = lease.jobs.len(), "lease");
                self.tell_fetcher(slot, &ToFetcher::Lease(lease), None)?;
            }
            Action::Pull(pull) => self.tell_writer(&ToWriter::Pull(pull), None)?,
            Action::Recheck(url_ids) => self.tell_writer(&ToWriter::Recheck(url_ids), None)?,
            Action::End(url_id, outcome, failure) => {
                if outcome == Outcome::Quarantined {
                    self.progress.warn(&format!("url {url_id} is quarantined: {}", failure.message));
                }
                self.tell_writer(&ToWriter::End { url_id, outcome, failure }, None)?;
            }
            Action::EndHost(host_id, outcome, failure) => {
                tracing::info!("{}", failure.message);
                self.tell_writer(&ToWriter::EndHost { host_id, outcome, failure }, None)?;
            }
            Action::Share(Share { slot, host, places }) => {
                self.tell_fetcher(slot, &ToFetcher::Share { host, places }, None)?;
            }
            Action::Recall(slot, host) => {
                tracing::info!(slot, host, "put aside");
                self.tell_fetcher(slot, &ToFetcher::Recall(host), None)?;
            }
            Action::AskOrigin(slot, generation, origin) => {
                self.tell_writer(&ToWriter::AskOrigin { slot, generation, origin }, None)?;
            }
            Action::Origin(slot, facts) => self.tell_fetcher(slot, &ToFetcher::Origin(facts), None)?,
            Action::ResendLists(known) => {
                for frame in self.feed.writer_is_up(known) {
                    if let Some(writer) = &mut self.writer {
                        writer.channel.send_frame(frame, None);
                    }
                }
            }
            Action::Drain(slot) => self.tell_fetcher(slot, &ToFetcher::Drain, None)?,
            Action::Cancel(slot) => self.tell_fetcher(slot, &ToFetcher::Cancel, None)?,
            Action::Kill(who) => {
                if let Some(child) = self.child(who) {
                    let _ = signals::kill(child.pid, Signal::SIGKILL);
                }
            }
            Action::StopWriter { ended_by, abandon } => match &mut self.processors {
                None => self.tell_writer(&ToWriter::Stop { ended_by, abandon }, None)?,
                Some(processors) => {
                    if ended_by == EndedBy::Completed && !abandon && self.stopped_late.is_none() {
                        processors.drain();
                    } else {
                        processors.stop();
                    }
                    self.held_stop = Some((self.stopped_late.unwrap_or(ended_by), abandon));
                }
            },
            Action::Warn(message) => {
                tracing::warn!("{message}");
                self.progress.warn(&message);
            }
            // Handled by the loop.
            Action::Finish => {}
        }
        Ok(())
    }

    fn spawn(&mut self, who: Who, generation: Generation) -> Result<(), SupervisorError> {
        let (ours, theirs) = stream_pair(Mode::Nonblocking, Mode::Nonblocking)
            .map_err(|error| SupervisorError::System("make a socket pair", error))?;
        let row_at = match who {
            Who::Writer => self.fetchers.len(),
            Who::Fetcher(slot) => usize::from(slot),
        };
        let row = self.board.row(row_at);
        row.start(generation);
        let mut keep = self.inherited.clone();
        keep.push(theirs.as_raw_fd());
        let forked = match who {
            Who::Writer => {
                keep.push(self.lock.fd().as_raw_fd());
                let start = writer::Start {
                    path: self.lock.path().to_owned(),
                    session: self.session.clone(),
                    control: theirs,
                    generation,
                    frame_ceiling: frame_ceiling(self.settings.http.max_body.0),
                    cache_bytes: self.settings.crew.buffers.cache_bytes,
                    line_batches: self.settings.crew.buffers.line_batches,
                };
                let spec = ForkSpec { role: Role::Writer, keep: &keep, death: Death::Grace(WRITER_GRACE) };
                fork(spec, || writer::run(start, row))
            }
            Who::Fetcher(slot) => {
                let start = fetcher::Start {
                    slot,
                    generation,
                    control: theirs,
                    concurrency: share(*self.settings.crew.concurrency, self.fetchers.len(), usize::from(slot)),
                    rate: self.rate,
                    settings: self.settings.fetching(),
                };
                let spec = ForkSpec { role: Role::Fetcher(usize::from(slot)), keep: &keep, death: Death::Kill };
                fork(spec, || fetcher::run(start, row))
            }
        };
        match forked {
            Ok(pid) => {
                tracing::info!(?who, generation, pid = pid.as_raw(), "started");
                let child = Child { pid, generation, channel: Channel::new(ours, usize::MAX >> 1) };
                match who {
                    Who::Writer => self.writer = Some(child),
                    Who::Fetcher(slot) => self.fetchers[usize::from(slot)] = Some(child),
                }
            }
            // Too many processes or no memory may pass; the budget of crashes decides when it is enough.
            Err(error) => {
                let how = format!("could not be started ({:#})", anyhow::Error::new(error));
                self.on(Event::Exited { who, generation, clean: false, how, working_on: None });
            }
        }
        Ok(())
    }

    /// Starts the processor host when it is time, and lets the writer stop when it is over.
    fn tend_processors(&mut self) -> Result<(), SupervisorError> {
        let Some(processors) = &mut self.processors else { return Ok(()) };
        let row = self.board.row(self.fetchers.len() + 1);
        if let Some((queue, generation)) = processors.start(self.lock.path(), &self.inherited, row)? {
            self.tell_writer(&ToWriter::Attach { slot: PROCESSORS, generation }, Some(queue))?;
        }
        if self.processors.as_ref().is_some_and(Beside::is_over)
            && let Some((ended_by, abandon)) = self.held_stop.take()
        {
            self.tell_writer(&ToWriter::Stop { ended_by, abandon }, None)?;
        }
        Ok(())
    }

    /// Leaves no processor host behind.
    fn end_processors(&mut self) -> Result<(), SupervisorError> {
        while let Some(processors) = &mut self.processors
            && !processors.is_over()
        {
            processors.stop();
            self.wait()?;
            self.read_signals();
            self.watch();
        }
        Ok(())
    }

    /// Gives a fetcher and the writer the two ends of a new page queue.
    fn attach(&mut self, slot: Slot, generation: Generation) -> Result<(), SupervisorError> {
        let (read, write) = stream_pair(Mode::Nonblocking, Mode::Nonblocking)
            .map_err(|error| SupervisorError::System("make a page queue", error))?;
        self.tell_writer(&ToWriter::Attach { slot, generation }, Some(read))?;
        self.tell_fetcher(slot, &ToFetcher::Queue, Some(write))
    }

    fn tell_writer(&mut self, message: &ToWriter, fd: Option<OwnedFd>) -> Result<(), SupervisorError> {
        // A dead writer is noticed by its exit; what it did not hear is sent again to the next.
        let Some(writer) = &mut self.writer else { return Ok(()) };
        writer.channel.send(message, fd).map_err(|error| SupervisorError::Channel("writer", error))
    }

    fn tell_fetcher(&mut self, slot: Slot, message: &ToFetcher, fd: Option<OwnedFd>) -> Result<(), SupervisorError> {
        let Some(fetcher) = &mut self.fetchers[usize::from(slot)] else { return Ok(()) };
        fetcher.channel.send(message, fd).map_err(|error| SupervisorError::Channel("fetcher", error))
    }

    fn child(&mut self, who: Who) -> Option<&mut Child> {
        match who {
            Who::Writer => self.writer.as_mut(),
            Who::Fetcher(slot) => self.fetchers[usize::from(slot)].as_mut(),
        }
    }

    fn everyone(&self) -> Vec<Who> {
        let fetchers = (0..self.fetchers.len() as Slot).map(Who::Fetcher);
        [Who::Writer].into_iter().chain(fetchers).collect()
    }

    fn feed_writer(&mut self) -> Result<(), SupervisorError> {
        if !self.lists_done && self.feed.is_done() {
            self.lists_done = true;
            self.on(Event::ListsDone);
        }
        if !self.plan.takes_lines() || !self.feed.is_ready() {
            return Ok(());
        }
        let turn = self.feed.turn().map_err(|error| SupervisorError::Channel("writer", error.into()))?;
        let (frames, failure) = turn;
        if let Some(failure) = failure {
            self.progress.warn(&failure);
        }
        if let Some(writer) = &mut self.writer {
            frames.into_iter().for_each(|frame| writer.channel.send_frame(frame, None));
        }
        Ok(())
    }

    fn flush(&mut self) {
        for who in self.everyone() {
            if let Some(child) = self.child(who) {
                // A broken pipe means that it has died; SIGCHLD says the rest.
                let _ = child.channel.flush();
            }
        }
    }

    fn wait(&mut self) -> Result<(), SupervisorError> {
        let now = monotonic_ms();
        let now_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        let mut timeout = Duration::from_millis(self.plan.next_tick(now, now_at).saturating_sub(now));
        if self.settings.budgets.max_bytes.is_some() {
            timeout = timeout.min(Duration::from_millis(ADD_UP_MS));
        }
        if let Some(due) = self.progress.due() {
            timeout = timeout.min(due.saturating_duration_since(Instant::now()));
        }
        let may_feed = self.plan.takes_lines();
        if !self.actions.is_empty() || (may_feed && self.feed.is_ready()) {
            timeout = Duration::ZERO;
        }
        let mut set = PollSet::new();
        set.add(self.signals.fd(), Interest::Read);
        let children = self.writer.iter().chain(self.fetchers.iter().flatten());
        for child in children.filter(|child| !child.channel.has_ended()) {
            set.add(child.channel.fd(), child.channel.interest());
        }
        if let Some(channel) = self.processors.as_ref().and_then(Beside::channel) {
            set.add(channel.fd(), channel.interest());
        }
        let input = self.feed.waits_for().filter(|_| may_feed).map(|fd| set.add(fd, Interest::Read));
        set.wait(Some(timeout)).map_err(|error| SupervisorError::System("wait for events", error))?;
        let wake = input.is_some_and(|place| set.ready(place).readable);
        drop(set);
        if wake {
            self.feed.wake();
        }
        Ok(())
    }

    fn read_signals(&mut self) {
        let arrived: Vec<Signal> = self.signals.read().collect();
        let mut stop = None;
        for signal in arrived {
            match signal {
                Signal::SIGINT => stop = Some((EndedBy::Interrupted, "interrupted")),
                Signal::SIGTERM | Signal::SIGHUP => stop = Some((EndedBy::Terminated, "asked to stop")),
                _ => {}
            }
        }
        if let Some((ended_by, word)) = stop
            && let (Some(processors), Some(held)) = (&mut self.processors, &mut self.held_stop)
        {
            // All pages are in the store; what is left to process is for another time.
            self.progress.note(&format!("seine: {word}: the processors stop"));
            self.stopped_late = Some(ended_by);
            *held = (ended_by, true);
            processors.stop();
        } else if let Some((ended_by, word)) = stop {
            let again = if self.plan.phase() == Phase::Running { "; once more to cancel" } else { "" };
            self.progress.note(&format!("seine: {word}: finishing what is in flight{again}"));
            self.on(Event::Stop(ended_by));
        }
        // Also without a signal: as PID 1 strangers' children are ours to reap, and one SIGCHLD may stand for many.
        for (pid, exit) in signals::reap() {
            if self.processors.as_mut().is_some_and(|processors| processors.ended(pid, exit, &mut self.progress)) {
                continue;
            }
            let Some(who) =
                self.everyone().into_iter().find(|who| self.child(*who).is_some_and(|child| child.pid == pid))
            else {
                continue;
            };
            // What it said before it died comes first.
            self.read_channel(who);
            let taken = match who {
                Who::Writer => self.writer.take(),
                Who::Fetcher(slot) => self.fetchers[usize::from(slot)].take(),
            };
            let Some(child) = taken else { continue };
            if let (Who::Writer, Some(processors)) = (who, &mut self.processors) {
                processors.writer_is_up(false);
            }
            let starved = exit == Exit::Signal(Signal::SIGKILL as i32) && self.memory_ran_out();
            let working_on = match who {
                Who::Writer => None,
                Who::Fetcher(slot) if starved => self.board.row(usize::from(slot)).memory_hog(),
                Who::Fetcher(slot) => self.board.row(usize::from(slot)).work(),
            };
            let how = if starved { out_of_memory(limits::memory_limit()) } else { exit.to_string() };
            let row_at = if let Who::Fetcher(slot) = who { usize::from(slot) } else { self.fetchers.len() };
            let row = self.board.row(row_at);
            let number = |of: &std::sync::atomic::AtomicU64| of.load(std::sync::atomic::Ordering::Relaxed);
            tracing::info!(
                ?who,
                %exit,
                requests = number(&row.requests),
                body_bytes = number(&row.body_bytes),
                parse_ms = number(&row.parse_us) / 1000,
                longest_stall_ms = number(&row.max_stall_ms),
                "ended"
            );
            if let Who::Fetcher(_) = who {
                self.bytes_of_the_dead += row.body_bytes.swap(0, std::sync::atomic::Ordering::Relaxed);
            }
            self.on(Event::Exited { who, generation: child.generation, clean: exit.is_success(), how, working_on });
        }
    }

    /// Whether the kernel has killed one more process for lack of memory than this has told of.
    fn memory_ran_out(&mut self) -> bool {
        let Some((told, now)) = self.memory_kills.as_mut().zip(limits::memory_kills()) else { return false };
        let more = now > *told;
        *told += u64::from(more);
        more
    }

    fn read_channels(&mut self) {
        for who in self.everyone() {
            self.read_channel(who);
        }
        if let Some(processors) = &mut self.processors {
            processors.listen(&mut self.progress);
            if processors.is_misconfigured() && self.plan.phase() == Phase::Running {
                self.on(Event::Stop(EndedBy::Failure));
            }
        }
    }

    fn read_channel(&mut self, who: Who) {
        let Some(child) = self.child(who) else { return };
        if child.channel.has_ended() {
            return;
        }
        let generation = child.generation;
        let mut broken = child.channel.receive().err();
        let mut events = Vec::new();
        while broken.is_none() {
            let event = match who {
                Who::Writer => child.channel.next::<FromWriter>().map(|m| m.map(|m| Event::Writer(generation, m))),
                Who::Fetcher(slot) => {
                    child.channel.next::<FromFetcher>().map(|m| m.map(|m| Event::Fetcher(slot, generation, m)))
                }
            };
            match event {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(error) => broken = Some(error),
            }
        }
        if let Some(error) = broken {
            tracing::warn!(?who, %error, "a child's channel is broken; it is killed");
            let _ = signals::kill(child.pid, Signal::SIGKILL);
        }
        for event in events {
            if let Event::Writer(_, message) = &event {
                match message {
                    FromWriter::Imported(_) => self.feed.acknowledged(),
                    FromWriter::Ready(_) => {
                        self.processors.iter_mut().for_each(|processors| processors.writer_is_up(true));
                    }
                    // Queues of processor hosts are no business of the plan; how one has ended is known by its exit.
                    FromWriter::Drained { slot: PROCESSORS, .. } | FromWriter::Broken { slot: PROCESSORS, .. } => {
                        continue;
                    }
                    _ => {}
                }
            }
            self.on(event);
        }
    }

    /// Kills children whose loops have stopped turning, and watches the wall clock budget.
    fn watch(&mut self) {
        let now = monotonic_ms();
        if now.saturating_sub(self.last_turn) > PAUSE_MS {
            self.stalls_since = now;
        }
        self.last_turn = now;
        for who in self.everyone() {
            let (row_at, limit) = match who {
                Who::Writer => (self.fetchers.len(), WRITER_STALL_MS),
                Who::Fetcher(slot) => (usize::from(slot), FETCHER_STALL_MS),
            };
            let row = self.board.row(row_at);
            let silent = row.silent_ms().min(now.saturating_sub(self.stalls_since));
            if silent < limit {
                continue;
            }
            let Some(pid) = self.child(who).map(|child| child.pid) else { continue };
            self.progress.warn(&format!("{who} (pid {pid}) has not moved for {} s; it is killed", silent / 1000));
            let _ = signals::kill(pid, Signal::SIGKILL);
            row.beat();
        }
        if let Some(processors) = &mut self.processors {
            processors.watch(self.stalls_since, &mut self.progress);
        }
        if let Some(max_wall) = self.settings.budgets.max_wall
            && self.plan.phase() == Phase::Running
            && self.started.elapsed() >= max_wall.0
        {
            self.progress.note("seine: the time of --max-wall is up: finishing what is in flight");
            self.on(Event::Stop(EndedBy::MaxWall));
        }
        if let Some(max_bytes) = self.settings.budgets.max_bytes
            && self.plan.phase() == Phase::Running
            && self.bytes_so_far() >= max_bytes.0
        {
            self.progress.note("seine: the bytes of --max-bytes have come: finishing what is in flight");
            self.on(Event::Stop(EndedBy::MaxBytes));
        }
        if now.saturating_sub(self.room_seen) >= LOOK_FOR_ROOM_MS && self.plan.phase() == Phase::Running {
            self.room_seen = now;
            if let Some(problem) = little_room(&self.lock, self.settings.budgets.min_free_disk.0) {
                self.progress.warn(&format!("{problem}; finishing what is in flight"));
                self.on(Event::Stop(EndedBy::MinFreeDisk));
            }
        }
    }

    /// Bytes of bodies that fetchers have had, dead ones too.
    fn bytes_so_far(&self) -> u64 {
        let rows = &self.board.rows()[..self.fetchers.len()];
        let living: u64 = rows.iter().map(|row| row.body_bytes.load(std::sync::atomic::Ordering::Relaxed)).sum();
        self.bytes_of_the_dead + living
    }

    fn show(&mut self) {
        let rows = &self.board.rows()[..self.fetchers.len()];
        let sum = |number: fn(&seine_unix::status::Row) -> u64| rows.iter().map(number).sum();
        let live = Live {
            in_flight: sum(|row| row.in_flight.load(std::sync::atomic::Ordering::Relaxed)),
            queue_bytes: sum(|row| row.outbox_bytes.load(std::sync::atomic::Ordering::Relaxed)),
            hosts: self.plan.active_hosts(),
            reading_lists: !self.feed.is_read(),
            draining: self.plan.phase() != Phase::Running,
        };
        // Before that nothing is known that could be shown.
        if self.plan.tally().opened {
            self.progress.update(self.plan.tally(), &live);
        }
    }
}

/// How far ahead of its pace a host is leased and how much of it, by the settings that hold for it.
fn limits_of(settings: &Crawling) -> LimitsOf {
    let steady = !*settings.politeness.adaptive && settings.politeness.jitter.0.is_zero();
    let places = u32::try_from(settings.crew.concurrency.div_ceil(*settings.crew.fetchers)).unwrap_or(u32::MAX);
    let limits = move |delay: Duration, concurrency: usize, urls: u64| {
        let delay_ms = delay.as_millis() as u64;
        let concurrency = u32::try_from(concurrency).unwrap_or(u32::MAX);
        let window = match 1000_u64.checked_div(delay_ms) {
            // As many as one fetcher can have in flight, and some: what waits there is out of reach of one that runs dry.
            None => concurrency.min(places).saturating_add(LEASED_AHEAD),
            // Enough for a second of requests, so that a commit is never waited for.
            Some(starts) => concurrency.saturating_mul(2).saturating_add(starts.min(LEASED_AHEAD.into()) as u32),
        };
        HostLimits { delay_ms, window, urls, places: concurrency, shared: delay.is_zero() && steady }
    };
    if settings.politeness.host.is_empty() {
        let policy = settings.politeness.policy("");
        return LimitsOf::all(limits(policy.delay, policy.concurrency, policy.limit));
    }
    let politeness = settings.politeness.clone();
    LimitsOf::new(move |name| {
        let policy = politeness.policy(name);
        limits(policy.delay, policy.concurrency, policy.limit)
    })
}

/// What is wrong if the file system of the store has less than `least` bytes to give; 0 is never looked at.
pub fn little_room(lock: &StoreLock, least: u64) -> Option<String> {
    if least == 0 {
        return None;
    }
    // A file system that does not tell is no reason to stop.
    let free = lock.free_bytes().ok().filter(|free| *free < least)?;
    Some(format!(
        "the disk of {} has {} left, less than the {} of --min-free-disk",
        lock.path().display(),
        text::size(free),
        text::size(least)
    ))
}

/// How a process ended that was killed for lack of memory, of which `limit` bytes are allowed.
fn out_of_memory(limit: Option<u64>) -> String {
    let limit = limit.map(|bytes| format!("; the limit is {} MiB", bytes >> 20)).unwrap_or_default();
    format!("was killed by the kernel for lack of memory (SIGKILL{limit})")
}

/// Requests in flight for one of `slots` fetchers; the sum is exactly `total`.
fn share(total: usize, slots: usize, slot: usize) -> usize {
    total / slots + usize::from(slot < total % slots)
}

/// Largest frame of a page queue: a body that does not compress, and its fields.
fn frame_ceiling(max_body: u64) -> usize {
    let body = usize::try_from(max_body).unwrap_or(usize::MAX);
    body.saturating_add(body / 64).saturating_add(seine_core::protocol::frame::MAX_HEAD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_exactly() {
        for total in 1..200 {
            for slots in 1..=total.min(17) {
                assert_eq!((0..slots).map(|slot| share(total, slots, slot)).sum::<usize>(), total);
                assert!((0..slots).all(|slot| share(total, slots, slot) > 0));
            }
        }
    }
}
