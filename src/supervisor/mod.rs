//! The supervisor: decides who fetches what and when to stop.
//!
//! One thread, no runtime, no database, no HTTP. Its loop turns signals, messages and time into events for a pure
//! [`plan`] and carries out the plan's actions; it never blocks on a write and always reads.
//!
//! - [`plan`]: the decisions, a state machine without I/O; [`events`]: its vocabulary.
//! - [`frontier`], [`partition`], [`breaker`], [`ledger`], [`outage`], [`backoff`]: its parts, as pure.
//! - [`feed`]: URL lists on their way to the writer.
//! - [`processors`]: what the plan knows of the host of the user's programs, beside the crawl.
//! - `roles`: the children: their posts, what they are given, what they may say.

pub mod backoff;
pub mod breaker;
pub mod events;
pub mod feed;
pub mod frontier;
pub mod lanes;
pub mod ledger;
pub mod outage;
pub mod partition;
pub mod plan;
pub mod processors;
mod roles;

#[cfg(test)]
mod simulation;

use std::collections::VecDeque;
use std::error::Error;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::config::Crawling;
use crate::console::progress::{Live, Progress};
use crate::console::text;
use events::{Action, Event, Phase, PlanConfig, Who};
use feed::Feed;
use frontier::{HostLimits, LimitsOf, Room, Share};
use plan::Plan;
use seine_core::protocol::{EndedBy, FromWriter, Generation, PROCESSORS, Slot, ToFetcher, ToWriter, processing};
use seine_core::record::Outcome;
use seine_core::tally::Tally;
use seine_core::time::Mono;
use seine_lists::url_list::UrlList;
use seine_store::insert::Session;
use seine_unix::Signal;
use seine_unix::clock;
use seine_unix::crew::{self, Crew, CrewError, Ended, News};
use seine_unix::known::Known;
use seine_unix::limits;
use seine_unix::lock::StoreLock;
use seine_unix::pace::SharedPace;
use seine_unix::sandbox::InForce;
use seine_unix::signals::{Exit, Signals};
use seine_unix::status::Row;
use seine_unix::strays;
use seine_unix::title::Role;

/// How often the room on disk is looked at.
const LOOK_FOR_ROOM_MS: u64 = 1_000;
/// How often the bytes of bodies are added up, when they are a budget.
const ADD_UP_MS: u64 = 50;
/// Besides the place for requests, every host may have this many URLs leased ahead when there is no delay.
const LEASED_AHEAD: u32 = 256;
/// Leases a fetcher may have beside those in flight.
const SLOT_AHEAD: usize = 4096;

/// Everything a run needs.
pub struct CrawlStart {
    /// The configuration.
    pub settings: Crawling,
    /// What its processes are kept from; `None`: from nothing.
    pub walls: Option<InForce>,
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
    pub processor_failure: Option<processors::ProcessorFailure>,
    /// What its processes were kept from; `None`: from nothing.
    pub walls: Option<InForce>,
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
            walls: None,
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

/// Runs a crawl to its end.
///
/// # Errors
/// [`CrewError`]; what is committed stays.
pub fn run(start: CrawlStart) -> Result<Report, CrewError> {
    Supervisor::new(start)?.run()
}

struct Supervisor {
    settings: Crawling,
    session: Session,
    lock: StoreLock,
    progress: Progress,
    walls: Option<InForce>,
    crew: Crew<Who>,
    rate: Option<SharedPace>,
    /// URLs that pages name and that the store has, if links are followed.
    known: Option<Known>,
    plan: Plan,
    feed: Feed,
    lists_done: bool,
    actions: VecDeque<Action>,
    started: Instant,
    /// Processes killed for lack of memory that are known of, if that can be known.
    memory_kills: Option<u64>,
    /// Bytes of bodies that fetchers had which are gone.
    bytes_of_the_dead: u64,
    /// When the room on disk was last looked at.
    room_seen: Mono,
}

impl Supervisor {
    fn new(start: CrawlStart) -> Result<Self, CrewError> {
        let settings = start.settings;
        let rate = settings.politeness.rate.map(|rate| SharedPace::new(rate.gap())).transpose();
        let rate = rate.map_err(|error| CrewError::System("map memory for the pace of all processes", error))?;
        let known = settings.follow.is_on().then(Known::new).transpose();
        let known = known.map_err(|error| CrewError::System("map memory for the URLs that pages name", error))?;
        let line_batches = settings.crew.buffers.line_batches;
        let now = clock::mono();
        let config = PlanConfig {
            slots: *settings.crew.fetchers,
            hosts: limits_of(&settings),
            by_site: settings.politeness.takes_cookies(),
            host_failures: settings.politeness.host_failures,
            slot_window: settings.crew.concurrency.div_ceil(*settings.crew.fetchers) * 2 + SLOT_AHEAD,
            room: Room { urls: settings.crew.buffers.urls, hosts_per_pull: settings.crew.buffers.hosts_per_pull() },
            limit: settings.budgets.limit,
            lists_first: settings.follow.is_on(),
            grace_ms: settings.budgets.grace.0.as_millis() as u64,
            disk_wait_ms: settings.budgets.disk_wait.0.as_millis() as u64,
            processors: !settings.processor.is_empty(),
            outage_wait_ms: settings.budgets.outage_wait.0.as_millis() as u64,
            seed: u64::from(std::process::id()) ^ now.ms(),
        };
        let (plan, actions) = Plan::new(config, now);
        Ok(Self {
            crew: Crew::new(start.signals, start.inherited, roles::posts(*settings.crew.fetchers))?,
            settings,
            session: start.session,
            lock: start.lock,
            progress: start.progress,
            walls: start.walls,
            rate,
            known,
            plan,
            feed: Feed::new(start.lists, line_batches),
            lists_done: false,
            actions: actions.into(),
            started: Instant::now(),
            memory_kills: limits::memory_kills(),
            bytes_of_the_dead: 0,
            room_seen: now,
        })
    }

    fn run(mut self) -> Result<Report, CrewError> {
        loop {
            while let Some(action) = self.actions.pop_front() {
                if action == Action::Finish {
                    return Ok(self.report());
                }
                self.act(action)?;
            }
            self.feed_writer()?;
            self.wait()?;
            while let Some(news) = self.crew.news() {
                self.hear(news);
            }
            self.watch_budgets();
            self.on(Event::Tick);
            self.show();
        }
    }

    fn report(mut self) -> Report {
        self.progress.clear();
        let ended_by = match self.plan.phase() {
            Phase::Over { ended_by } => ended_by,
            _ => EndedBy::Failure,
        };
        let (processors, processor_failure) = self.plan.processed();
        if !self.settings.processor.is_empty() {
            strays::end_programs();
        }
        Report {
            ended_by,
            processors,
            processor_failure,
            tally: self.plan.tally().clone(),
            list_failures: self.feed.failures().to_vec(),
            walls: self.walls,
            elapsed: self.started.elapsed(),
            lock: self.lock,
        }
    }

    fn on(&mut self, event: Event) {
        let actions = self.plan.on(event, clock::now());
        self.actions.extend(actions);
    }

    fn act(&mut self, action: Action) -> Result<(), CrewError> {
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
            Action::Probe(slot, urls) => self.tell_fetcher(slot, &ToFetcher::Probe(urls), None)?,
            Action::Origin(slot, facts) => self.tell_fetcher(slot, &ToFetcher::Origin(facts), None)?,
            Action::ResendLists(known) => {
                for frame in self.feed.writer_is_up(known) {
                    self.crew.tell_frame(Who::Writer, frame);
                }
            }
            Action::Drain(Who::Processors) => self.crew.tell(Who::Processors, &processing::ToHost::Drain, None)?,
            Action::Drain(who) => self.crew.tell(who, &ToFetcher::Drain, None)?,
            // The end of its channel is the host's word to stop.
            Action::Cancel(Who::Processors) => self.crew.let_go(Who::Processors),
            Action::Cancel(who) => self.crew.tell(who, &ToFetcher::Cancel, None)?,
            Action::Kill(who) => self.crew.kill(who),
            Action::StopWriter { ended_by, abandon } => {
                self.tell_writer(&ToWriter::Stop { ended_by, abandon }, None)?
            }
            Action::Warn(message) => {
                tracing::warn!("{message}");
                self.progress.warn(&message);
            }
            // Handled by the loop.
            Action::Finish => {}
        }
        Ok(())
    }

    fn spawn(&mut self, who: Who, generation: Generation) -> Result<(), CrewError> {
        let spawned = match who {
            Who::Writer => self.spawn_writer(generation),
            Who::Fetcher(slot) => self.spawn_fetcher(slot, generation),
            Who::Processors => {
                let (queue, far) = crew::pair()?;
                let attach = ToWriter::Attach { slot: PROCESSORS, generation };
                self.spawn_processors(generation, far).and_then(|()| self.tell_writer(&attach, Some(queue)))
            }
        };
        match spawned {
            // Too many processes or no memory may pass; the budget of crashes decides when it is enough.
            Err(CrewError::Fork(error)) => {
                let how = format!("could not be started ({})", with_causes(&error));
                self.on(Event::Exited { who, generation, clean: false, how, working_on: None });
                Ok(())
            }
            other => other,
        }
    }

    /// Gives a fetcher and the writer the two ends of a new page queue.
    fn attach(&mut self, slot: Slot, generation: Generation) -> Result<(), CrewError> {
        let (read, write) = crew::pair()?;
        self.tell_writer(&ToWriter::Attach { slot, generation }, Some(read))?;
        self.tell_fetcher(slot, &ToFetcher::Queue, Some(write))
    }

    /// What a dead writer did not hear is sent again to the next.
    fn tell_writer(&mut self, message: &ToWriter, fd: Option<OwnedFd>) -> Result<(), CrewError> {
        self.crew.tell(Who::Writer, message, fd)
    }

    fn tell_fetcher(&mut self, slot: Slot, message: &ToFetcher, fd: Option<OwnedFd>) -> Result<(), CrewError> {
        self.crew.tell(Who::Fetcher(slot), message, fd)
    }

    fn feed_writer(&mut self) -> Result<(), CrewError> {
        if !self.lists_done && self.feed.is_done() {
            self.lists_done = true;
            self.on(Event::ListsDone);
        }
        if !self.plan.takes_lines() || !self.feed.is_ready() {
            return Ok(());
        }
        let turn = self.feed.turn().map_err(|error| CrewError::Channel(Role::Writer, error.into()))?;
        turn.warnings.iter().for_each(|warning| self.progress.warn(warning));
        turn.frames.into_iter().for_each(|frame| self.crew.tell_frame(Who::Writer, frame));
        Ok(())
    }

    fn wait(&mut self) -> Result<(), CrewError> {
        let now = clock::now();
        let mut timeout = Duration::from_millis(self.plan.next_tick(now.mono).ms_since(now.mono));
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
        let input = self.feed.waits_for().filter(|_| may_feed);
        if self.crew.wait(timeout, input)? {
            self.feed.wake();
        }
        Ok(())
    }

    fn hear(&mut self, news: News<Who>) {
        match news {
            News::Signal(signal) => self.stop_for(signal),
            News::Said(event) => {
                if let Event::Writer(_, FromWriter::Imported(_)) = event {
                    self.feed.acknowledged();
                }
                self.on(event);
            }
            News::Stuck { who, pid, seconds } => {
                self.progress.warn(&format!("{who} (pid {pid}) has not moved for {seconds} s; it is killed"));
            }
            News::Ended(ended) => self.bury(&ended),
        }
    }

    fn stop_for(&mut self, signal: Signal) {
        let (ended_by, word) = match signal {
            Signal::SIGINT => (EndedBy::Interrupted, "interrupted"),
            _ => (EndedBy::Terminated, "asked to stop"),
        };
        let what = match self.plan.phase() {
            Phase::Running => "finishing what is in flight; once more to cancel",
            Phase::Processing { .. } => "the processors stop",
            _ => "finishing what is in flight",
        };
        self.progress.note(&format!("seine: {word}: {what}"));
        self.on(Event::Stop(ended_by));
    }

    fn bury(&mut self, ended: &Ended<Who>) {
        let &Ended { who, generation, pid, exit } = ended;
        let row = self.crew.row(who);
        let starved = exit == Exit::Signal(Signal::SIGKILL as i32) && self.memory_ran_out();
        let mut how = if starved { out_of_memory(limits::memory_limit()) } else { exit.to_string() };
        let mut working_on = None;
        match who {
            Who::Writer => {}
            Who::Fetcher(_) => {
                working_on = if starved { row.memory_hog() } else { row.work() };
                self.bytes_of_the_dead += row.body_bytes.swap(0, Ordering::Relaxed);
            }
            Who::Processors => how = format!("(pid {pid}) {how}"),
        }
        self.on(Event::Exited { who, generation, clean: exit.is_success(), how, working_on });
    }

    /// Whether the kernel has killed one more process for lack of memory than this has told of.
    fn memory_ran_out(&mut self) -> bool {
        let Some((told, now)) = self.memory_kills.as_mut().zip(limits::memory_kills()) else { return false };
        let more = now > *told;
        *told += u64::from(more);
        more
    }

    /// Stops the run when a budget is spent.
    fn watch_budgets(&mut self) {
        let now = clock::mono();
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
        if now.ms_since(self.room_seen) >= LOOK_FOR_ROOM_MS && self.plan.phase() == Phase::Running {
            self.room_seen = now;
            if let Some(problem) = lost_store(&self.lock) {
                return self.on(Event::StoreLost(problem));
            }
            if let Some(problem) = little_room(&self.lock, self.settings.budgets.min_free_disk.0) {
                self.progress.warn(&format!("{problem}; finishing what is in flight"));
                self.on(Event::Stop(EndedBy::MinFreeDisk));
            }
        }
    }

    /// Bytes of bodies that fetchers have had, dead ones too.
    fn bytes_so_far(&self) -> u64 {
        self.bytes_of_the_dead + self.sum(|row| &row.body_bytes)
    }

    /// A live number of all fetchers together.
    fn sum(&self, number: fn(&Row) -> &AtomicU64) -> u64 {
        let slots = 0..*self.settings.crew.fetchers as Slot;
        slots.map(|slot| number(self.crew.row(Who::Fetcher(slot))).load(Ordering::Relaxed)).sum()
    }

    fn show(&mut self) {
        // It looks at every host, so only where it is shown.
        let is_due = self.progress.due().is_some_and(|due| Instant::now() >= due);
        let shortest_ms = if is_due { self.plan.shortest_ms() } else { 0 };
        let live = Live {
            in_flight: self.sum(|row| &row.in_flight),
            queue_bytes: self.sum(|row| &row.outbox_bytes),
            hosts: self.plan.active_hosts(),
            reading_lists: !self.feed.is_read(),
            draining: self.plan.phase() != Phase::Running,
            shortest: Duration::from_millis(shortest_ms),
        };
        // Until the store is open there are no numbers to show.
        if self.plan.tally().opened {
            self.progress.update(self.plan.tally(), &live);
        }
    }
}

/// How far ahead of its pace a host is leased and how much of it, by the settings that hold for it.
/// How much of each host may be leased.
pub fn limits_of(settings: &Crawling) -> LimitsOf {
    let steady = !*settings.politeness.adaptive && settings.politeness.jitter.0.is_zero();
    let places = u32::try_from(settings.crew.concurrency.div_ceil(*settings.crew.fetchers)).unwrap_or(u32::MAX);
    let longest_pause_ms = settings.politeness.max_retry_after.0.as_millis() as u64;
    let limits = move |delay: Duration, concurrency: usize, urls: u64| {
        let delay_ms = delay.as_millis() as u64;
        let concurrency = u32::try_from(concurrency).unwrap_or(u32::MAX);
        let window = match 1000_u64.checked_div(delay_ms) {
            // As many as one fetcher can have in flight, and some: what waits there is out of reach of one that runs dry.
            None => concurrency.min(places).saturating_add(LEASED_AHEAD),
            // Enough for a second of requests, so that a commit is never waited for.
            Some(starts) => concurrency.saturating_mul(2).saturating_add(starts.min(LEASED_AHEAD.into()) as u32),
        };
        let shared = delay.is_zero() && steady;
        HostLimits { delay_ms, window, urls, places: concurrency, longest_pause_ms, shared }
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

/// What is wrong if the store is no longer where it was: its file can be removed, moved or replaced in spite of its lock.
pub fn lost_store(lock: &StoreLock) -> Option<String> {
    (!lock.is_in_place()).then(|| {
        format!(
            "{} was removed, moved or replaced while the crawl was at work, which has ended therefore; what it has stored \
             is in the file that was moved, or gone",
            lock.path().display()
        )
    })
}

/// What an error says, and what its causes say.
fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// How a process ended that was killed for lack of memory, of which `limit` bytes are allowed.
fn out_of_memory(limit: Option<u64>) -> String {
    let limit = limit.map(|bytes| format!("; the limit is {} MiB", bytes >> 20)).unwrap_or_default();
    format!("was killed by the kernel for lack of memory (SIGKILL{limit})")
}
