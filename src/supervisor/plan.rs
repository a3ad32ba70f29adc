//! What the supervisor decides: a pure state machine, `on(event, now) -> actions`.
//!
//! It holds the frontier's window, the leases, the table of children and the phase of the run. It opens nothing, reads
//! no clock and never blocks; the loop around it turns the world into [`Event`]s and [`Action`]s into the world.
//!
//! The laws it keeps, whatever dies when (and the simulation in its tests checks):
//!
//! - a URL is in at most one fetcher at a time, and so is a host that has a pace;
//! - a lease ends only by a commit the writer has reported, or by the writer's word that it has no record, which it is
//!   asked for when none can arrive any more;
//! - the run has completed when nothing is pending in the store, nothing is leased and the lists are read: a count.

use std::collections::{HashMap, HashSet, VecDeque};

use super::backoff::{Backoff, CrashBudget, FIRST_PAUSE_MS};
use super::events::{Action, Event, Phase, PlanConfig, Who};
use super::frontier::{Demand, Frontier, HostRef, Judgement, Swept, Trouble};
use super::ledger::{Ledger, Whereabouts};
use super::outage::{Findings, News, Outage};
use super::partition::Partition;
use super::processors::{ProcessorFailure, ProcessorHost};
use seine_core::protocol::processing::{self, FromHost};
use seine_core::protocol::{
    Candidate, Done, EndedBy, FromFetcher, FromWriter, Generation, HostCandidates, HostId, Imported, Job, PROCESSORS,
    Ready, Slot, StillPending, Verdict,
};
use seine_core::record::{CrawlUrl, ErrorClass, Failure, LONGEST_PAUSE_MS, Outcome, UrlId};
use seine_core::tally::Tally;
use seine_core::time::{Mono, Now, Wall};

/// Deaths of a fetcher while working on the same URL after which it is quarantined.
const DEATHS_PER_URL: u8 = 2;
/// URLs remembered as having killed a fetcher once.
const MAX_BLAMED: usize = 10_000;
/// After the grace period fetchers are cancelled; after this much more they are killed.
const CANCEL_MS: u64 = 1_500;
/// Time passes for the plan at least so often.
const LONGEST_TICK_MS: u64 = 250;

#[derive(Debug)]
enum Child {
    Down { respawn_at: Option<Mono> },
    Up { generation: Generation, attached: bool, stopping: bool },
}

#[derive(Debug)]
struct Fetcher {
    child: Child,
    backoff: Backoff,
    /// Latest lease sent before each `Attach` that has not been answered by `Holding`.
    marks: VecDeque<u64>,
    /// The generation whose queue the writer has read to its end.
    drained: Option<Generation>,
}

/// How a child has ended.
struct Exit<'a> {
    generation: Generation,
    /// Exit status 0.
    clean: bool,
    /// For people.
    how: &'a str,
    /// The URL its status row named last.
    working_on: Option<UrlId>,
}

/// For the processor host to end its programs when it is to stop; after that it is killed.
const STOP_MS: u64 = 3_000;

/// The state machine.
#[derive(Debug)]
pub struct Plan {
    config: PlanConfig,
    frontier: Frontier,
    ledger: Ledger,
    writer: Child,
    writer_ready: bool,
    writer_backoff: Backoff,
    writer_budget: CrashBudget,
    fetcher_budget: CrashBudget,
    fetchers: Vec<Fetcher>,
    processors: Option<ProcessorHost>,
    generations: Generation,
    phase: Phase,
    lists_done: bool,
    allowance: u64,
    /// URLs at work when a fetcher died.
    blamed: HashMap<UrlId, (u8, String)>,
    /// Up to this time an earlier run may have asked any host.
    quiet_since: Option<Mono>,
    /// Hosts given up, and how their URLs end.
    down: HashMap<HostId, (Outcome, Failure)>,
    /// Those of them that the writer is at work on.
    ending: HashSet<HostId>,
    full_since: Option<Mono>,
    outage: Outage,
    sweeping: bool,
    tally: Tally,
}

impl Plan {
    /// A run about to start, and its first actions.
    pub fn new(config: PlanConfig, now: Mono) -> (Self, Vec<Action>) {
        let fetchers = (0..config.slots)
            .map(|_| Fetcher {
                child: Child::Down { respawn_at: Some(now) },
                backoff: Backoff::default(),
                marks: VecDeque::new(),
                drained: None,
            })
            .collect();
        let mut plan = Self {
            frontier: Frontier::new(
                if config.by_site { Partition::by_site(config.slots) } else { Partition::new(config.slots) },
                config.hosts.clone(),
                config.host_failures,
                config.room,
            ),
            ledger: Ledger::new(config.slots),
            writer: Child::Down { respawn_at: Some(now) },
            writer_ready: false,
            writer_backoff: Backoff::default(),
            writer_budget: CrashBudget::default(),
            fetcher_budget: CrashBudget::default(),
            fetchers,
            processors: config.processors.then(ProcessorHost::default),
            generations: 0,
            phase: Phase::Running,
            lists_done: false,
            allowance: config.limit.unwrap_or(u64::MAX),
            blamed: HashMap::new(),
            quiet_since: None,
            down: HashMap::new(),
            ending: HashSet::new(),
            full_since: None,
            outage: Outage::new(config.outage_wait_ms),
            sweeping: false,
            tally: Tally::default(),
            config,
        };
        let mut actions = Vec::new();
        plan.respawn(now, &mut actions);
        (plan, actions)
    }

    /// Numbers so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How far the run is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// URLs on their way.
    pub fn leased(&self) -> usize {
        self.ledger.urls()
    }

    /// Hosts with URLs in memory.
    pub fn active_hosts(&self) -> usize {
        self.frontier.active_hosts()
    }

    /// The shortest time that what is pending takes, in milliseconds: that of the host that takes longest.
    pub fn shortest_ms(&self) -> u64 {
        self.frontier.shortest_ms(self.tally.pending)
    }

    /// What processors have done, if they could finish, and why they could not.
    pub fn processed(&self) -> (Vec<processing::Tally>, Option<ProcessorFailure>) {
        self.processors.as_ref().map(ProcessorHost::report).unwrap_or_default()
    }

    /// Whether lines of lists may be sent to the writer.
    pub fn takes_lines(&self) -> bool {
        self.writer_ready && self.phase == Phase::Running && self.full_since.is_none()
    }

    /// Generation of the living child, if it is up.
    pub fn generation(&self, who: Who) -> Option<Generation> {
        let child = match who {
            Who::Writer => &self.writer,
            Who::Fetcher(slot) => &self.fetchers.get(usize::from(slot))?.child,
            Who::Processors => return self.processors.as_ref()?.generation(),
        };
        match child {
            Child::Up { generation, .. } => Some(*generation),
            Child::Down { .. } => None,
        }
    }

    /// Takes an event.
    pub fn on(&mut self, event: Event, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Writer(generation, message) => {
                if self.generation(Who::Writer) == Some(generation) {
                    self.on_writer(message, now, &mut actions);
                }
            }
            Event::Fetcher(slot, generation, message) => {
                if self.generation(Who::Fetcher(slot)) == Some(generation) {
                    self.on_fetcher(slot, generation, message, now, &mut actions);
                }
            }
            Event::Processors(generation, message) => {
                if self.generation(Who::Processors) == Some(generation) {
                    self.on_processors(message, now.mono, &mut actions);
                }
            }
            Event::Exited { who, generation, clean, how, working_on } => {
                if self.generation(who) == Some(generation) {
                    let exit = Exit { generation, clean, how: &how, working_on };
                    match who {
                        Who::Writer => self.on_writer_exit(&exit, now.mono, &mut actions),
                        Who::Fetcher(slot) => self.on_fetcher_exit(slot, &exit, now.mono, &mut actions),
                        Who::Processors => self.on_processors_exit(&exit, now.mono, &mut actions),
                    }
                }
            }
            Event::ListsDone => self.lists_done = true,
            Event::Stop(ended_by) => self.stop(ended_by, now.mono, &mut actions),
            Event::StoreLost(message) => {
                self.tally.fatal.get_or_insert(message);
                self.stop(EndedBy::Failure, now.mono, &mut actions);
            }
            Event::Tick => {}
        }
        self.frontier.tick(now.mono);
        self.advance(now.mono, &mut actions);
        actions
    }

    fn on_writer(&mut self, message: FromWriter, now: Now, actions: &mut Vec<Action>) {
        match message {
            FromWriter::Hello(_) => {}
            FromWriter::Ready(ready) => self.on_ready(&ready, now, actions),
            FromWriter::Candidates { hosts, sweep_after, pending } => {
                self.on_candidates(hosts, sweep_after, now, actions);
                self.tally.pending = pending;
            }
            FromWriter::Imported(imported) => self.on_imported(&imported),
            FromWriter::Committed { done, grown, again, pending } => {
                for done in done {
                    self.on_done(&done, now, actions);
                }
                self.frontier.hosts_grew(&grown, again, now.mono);
                self.tally.pending = pending;
            }
            FromWriter::StillPending(url_ids) => {
                for found in url_ids {
                    if self.ledger.whereabouts(found.url_id) == Some(Whereabouts::Asked) {
                        self.still_pending(found, now, actions);
                    }
                }
            }
            FromWriter::HostEnded { host_id, outcome, class, urls, more, pending } => {
                self.tally.outcomes[outcome as usize] += urls;
                *self.tally.errors.entry(class).or_default() += urls;
                self.tally.pending = pending;
                if !more {
                    self.ending.remove(&host_id);
                }
            }
            FromWriter::Origin { slot, generation, facts } => {
                if self.generation(Who::Fetcher(slot)) == Some(generation) {
                    actions.push(Action::Origin(slot, facts));
                }
            }
            // How a processor host has ended is known by its exit; what it has sent last is marked, or done again.
            FromWriter::Drained { slot: PROCESSORS, .. } | FromWriter::Broken { slot: PROCESSORS, .. } => {}
            FromWriter::Drained { slot, generation } => self.on_drained(slot, generation, actions),
            FromWriter::Broken { slot, generation, message } => {
                if self.generation(Who::Fetcher(slot)) == Some(generation) {
                    actions
                        .push(Action::Warn(format!("fetcher {slot} sent what is no record ({message}); it is killed")));
                    actions.push(Action::Kill(Who::Fetcher(slot)));
                }
            }
            FromWriter::Full { message } => {
                if self.full_since.is_none() {
                    self.full_since = Some(now.mono);
                    actions.push(Action::Warn(format!(
                        "{message}; fetching pauses and goes on by itself when there is room; nothing is lost"
                    )));
                    self.tally.disk_full = Some(message);
                }
                // Only the writer is left to wait for room, and it would wait for ever.
                match self.phase {
                    Phase::Closing { .. } => self.close_writer(EndedBy::DiskFull, actions),
                    Phase::Processing { kill_at: None, .. } => self.stop(EndedBy::DiskFull, now.mono, actions),
                    _ => {}
                }
            }
            FromWriter::Room => {
                self.full_since = None;
                self.tally.disk_full = None;
                actions.push(Action::Warn("there is room on disk again; fetching goes on".into()));
            }
            FromWriter::Warning(message) => actions.push(Action::Warn(message)),
            FromWriter::Fatal { message, disk_full } => {
                self.tally.fatal = Some(message);
                if disk_full && let Phase::Closing { ended_by } = &mut self.phase {
                    *ended_by = EndedBy::DiskFull;
                }
                self.stop(if disk_full { EndedBy::DiskFull } else { EndedBy::Failure }, now.mono, actions);
            }
        }
    }

    fn on_ready(&mut self, ready: &Ready, now: Now, actions: &mut Vec<Action>) {
        if !std::mem::replace(&mut self.tally.opened, true) {
            self.tally.outcomes = ready.done;
            self.tally.outcomes_before = ready.done;
            self.tally.resumed = ready.resumed && ready.done.iter().any(|count| *count > 0);
            if ready.untold {
                let message = "the last run was complete, but its process was killed and nobody saw how it ended; \
                               this finishes it, and fetches nothing that it has fetched";
                actions.push(Action::Warn(message.into()));
            }
            // The store tells when the earlier invocation was last active, and not which host it asked then.
            let ago_ms = now.wall.ms_since(Wall::from_ms(ready.last_activity_at));
            self.quiet_since = (ready.last_activity_at > 0).then(|| now.mono.minus_ms(ago_ms));
        }
        self.writer_ready = true;
        self.tally.pending = ready.pending;
        actions.push(Action::ResendLists(ready.lists_known.clone()));
        for slot in 0..self.fetchers.len() {
            self.attach(slot as Slot, actions);
        }
        // Fetchers that are up say what they hold; what others had can only be in the store, or nowhere.
        let (fetchers, ledger) = (&self.fetchers, &self.ledger);
        let lost = ledger.select(|entry| match entry.whereabouts {
            Whereabouts::Asked => true,
            Whereabouts::InDoubt => false,
            Whereabouts::Fetcher(slot, generation) => {
                !matches!(fetchers[usize::from(slot)].child, Child::Up { generation: up, .. } if up == generation)
            }
        });
        self.ask(lost, actions);
        if let Phase::Closing { ended_by } = self.phase {
            actions.push(Action::StopWriter { ended_by, abandon: false });
        }
    }

    fn on_candidates(
        &mut self,
        mut hosts: Vec<HostCandidates>,
        sweep_after: Option<HostId>,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let swept = match (std::mem::take(&mut self.sweeping), sweep_after) {
            (false, _) => Swept::Nothing,
            (true, Some(host_id)) => Swept::UpTo(host_id),
            (true, None) => Swept::Round,
        };
        // More URLs of a host that was given up end as the others did, but for those that need no host.
        let is_fetched = |candidate: &Candidate| candidate.archived.is_none();
        for host in hosts.iter_mut().filter(|host| host.urls.iter().any(is_fetched)) {
            if let Some((outcome, failure)) = self.down.get(&host.host_id) {
                host.urls.retain(|candidate| !is_fetched(candidate));
                host.more &= !host.urls.is_empty();
                if self.ending.insert(host.host_id) {
                    actions.push(Action::EndHost(host.host_id, *outcome, failure.clone()));
                }
            }
        }
        let ledger = &self.ledger;
        self.frontier.pulled(hosts, swept, |url_id| ledger.has(url_id), now);
    }

    fn on_imported(&mut self, imported: &Imported) {
        self.tally.lines += imported.lines;
        self.tally.pending = imported.pending;
        self.tally.outcomes[Outcome::Rejected as usize] += imported.rejected;
        if imported.new > imported.rejected || imported.again > 0 {
            self.frontier.store_grew(imported.again > 0);
        }
    }

    fn on_done(&mut self, done: &Done, now: Now, actions: &mut Vec<Action>) {
        match done.verdict {
            Verdict::Ended(outcome, class) => {
                self.tally.outcomes[outcome as usize] += 1;
                self.tally.bytes += done.bytes;
                if let Some(class) = class {
                    *self.tally.errors.entry(class).or_default() += 1;
                }
                self.blamed.remove(&done.url_id);
            }
            Verdict::Again { .. } => self.tally.retries += 1,
            Verdict::Known => self.tally.stale_records += 1,
        }
        let Some(entry) = self.ledger.close(done.url_id) else { return };
        let is_archived = entry.job.archived.is_some();
        let class = match done.verdict {
            Verdict::Ended(_, class) | Verdict::Again { class, .. } => class,
            Verdict::Known => None,
        };
        let is_answer = done.status.is_some() || class.is_some_and(ErrorClass::is_answer);
        if is_answer && !is_archived && entry.job.hops.is_empty() {
            self.outage.answered(self.frontier.name(entry.host), &entry.job.url, now.mono);
        }
        if let Verdict::Again { due_at, .. } = done.verdict {
            let attempts = entry.job.attempts + 1;
            self.put_off(entry.host, entry.job, attempts, Wall::from_ms(due_at), now);
        }
        self.frontier.closed(entry.host, entry.slot, now.mono);
        // An answer from an archive tells how the host was long ago, not how it is.
        if !is_archived {
            self.judge_host(entry.host, done, now.mono, actions);
        }
    }

    /// A URL comes again at `due_at`, after an attempt whose record is in the store. `host` is the one it was leased at.
    fn put_off(&mut self, host: HostRef, mut job: Job, attempts: u16, due_at: Wall, now: Now) {
        job.attempts = attempts;
        job.trail.clear();
        self.begin_again(host, job, due_at, now);
    }

    /// A URL comes again at `due_at`, from the listed URL on: where its redirects lead may have changed.
    fn begin_again(&mut self, host: HostRef, job: Job, due_at: Wall, now: Now) {
        let moved = !job.hops.is_empty() || job.errand.is_some();
        let job = job.afresh();
        let listed = if moved { CrawlUrl::parse(&job.url).ok().map(|url| url.host) } else { None };
        let host = listed.unwrap_or_else(|| self.frontier.name(host).to_owned());
        self.frontier.put_off(&host, job, due_at, now);
    }

    /// A lease in doubt has no outcome; what it has is perhaps an attempt more, of which the word was lost.
    fn still_pending(&mut self, found: StillPending, now: Now, actions: &mut Vec<Action>) {
        let StillPending { url_id, attempts, due_at } = found;
        let is_news = self.ledger.job(url_id).is_some_and(|job| job.attempts < attempts);
        if !is_news {
            self.lease_again(url_id, now.mono, actions);
        } else if let Some(entry) = self.ledger.close(url_id) {
            self.frontier.closed(entry.host, entry.slot, now.mono);
            self.put_off(entry.host, entry.job, attempts, Wall::from_ms(due_at), now);
        }
    }

    /// What a URL's end tells of its host.
    fn judge_host(&mut self, host: HostRef, done: &Done, now: Mono, actions: &mut Vec<Action>) {
        let class = match done.verdict {
            Verdict::Known | Verdict::Ended(Outcome::Quarantined, _) => return,
            Verdict::Again { class, .. } | Verdict::Ended(_, class) => class,
        };
        let (why, trouble) = match (done.status, class) {
            // In an outage no host can be reached, so a failure tells nothing of this one.
            (None, Some(class)) if class.is_of_host() && self.outage.is_on() => return,
            // Without its robots.txt nothing of the host may be fetched, and each of its URLs would wait for it in turn.
            (_, Some(class @ ErrorClass::Timeout)) if done.robots => (class.name().to_owned(), Trouble::Gate),
            (_, Some(class)) if done.robots && class != ErrorClass::BlockedAddress => {
                (class.name().to_owned(), Trouble::Failed)
            }
            // A timeout after the status line still proves that the host is up.
            (Some(_), Some(ErrorClass::Timeout | ErrorClass::Tls)) => {
                self.frontier.well(host);
                return;
            }
            (_, Some(class)) if class.is_of_host() => (class.name().to_owned(), Trouble::Failed),
            // The host is overloaded or says that it is asked too often: it wants to be left alone.
            (Some(status @ (429 | 503)), _) => (format!("status {status}"), Trouble::Busy),
            // No request was made, or its end is not known any more.
            (_, Some(ErrorClass::Robots | ErrorClass::BlockedAddress)) | (None, None) => return,
            _ => {
                self.frontier.well(host);
                return;
            }
        };
        match self.frontier.trouble(host, trouble, now) {
            Judgement::Tolerated => {}
            Judgement::Aside => {
                actions.extend(self.frontier.away(host).map(|(slot, name)| Action::Recall(slot, name)));
            }
            Judgement::Down => self.give_up(host, class, &why, now, actions),
        }
    }

    /// Ends all URLs of a host that is down.
    fn give_up(&mut self, host: HostRef, class: Option<ErrorClass>, why: &str, now: Mono, actions: &mut Vec<Action>) {
        let message = format!(
            "{} failed again and again, the last time with {why}; its URLs are given up, `seine retry` brings them back",
            self.frontier.name(host)
        );
        // A host whose robots.txt cannot be read allows nothing (RFC 9309 section 2.3.1.4).
        let (outcome, class) = match class {
            Some(class @ ErrorClass::RobotsUnreachable) => (Outcome::RobotsDenied, class),
            _ => (Outcome::Failed, ErrorClass::HostDown),
        };
        let failure = Failure::new(class, message);
        let given_up = self.frontier.give_up(host, now);
        for url_id in given_up.guests {
            actions.push(Action::End(url_id, outcome, failure.clone()));
        }
        if let Some(host_id) = given_up.id {
            self.down.insert(host_id, (outcome, failure.clone()));
            if self.ending.insert(host_id) {
                actions.push(Action::EndHost(host_id, outcome, failure));
            }
        }
    }

    fn on_drained(&mut self, slot: Slot, generation: Generation, actions: &mut Vec<Action>) {
        if self.generation(Who::Fetcher(slot)) == Some(generation) {
            // The writer saw its end before we did; its leases are settled when it is known to be gone. Should it only
            // have lost its queue, it is of no more use either.
            let fetcher = &mut self.fetchers[usize::from(slot)];
            fetcher.drained = Some(generation);
            if matches!(fetcher.child, Child::Up { stopping: false, .. }) {
                actions.push(Action::Kill(Who::Fetcher(slot)));
            }
            return;
        }
        // Records that it sent to an earlier writer may be in the store all the same: only their acknowledgement was lost.
        let left = self.ledger.select(|entry| entry.whereabouts == Whereabouts::Fetcher(slot, generation));
        self.ask(left, actions);
    }

    fn on_fetcher(
        &mut self,
        slot: Slot,
        generation: Generation,
        message: FromFetcher,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        match message {
            FromFetcher::Hello(_) => {}
            FromFetcher::Holding(mut held) => {
                held.sort_unstable();
                let Some(mark) = self.fetchers[usize::from(slot)].marks.pop_front() else { return };
                let lost = self.ledger.select(|entry| {
                    entry.whereabouts == Whereabouts::Fetcher(slot, generation)
                        && entry.sent <= mark
                        && held.binary_search(&entry.job.url_id).is_err()
                });
                self.ask(lost, actions);
            }
            FromFetcher::Redirected { host, job } => {
                if self.ledger.whereabouts(job.url_id) == Some(Whereabouts::Fetcher(slot, generation))
                    && let Some(entry) = self.ledger.close(job.url_id)
                {
                    self.frontier.closed(entry.host, entry.slot, now.mono);
                    self.frontier.put_back(&host, job, now.mono);
                }
            }
            FromFetcher::Unreached { host: _, job, failure, began } => {
                self.unreached((slot, generation), job, failure, Mono::from_ms(began), now);
            }
            FromFetcher::Probed(reached) => {
                let reached = reached.as_deref().and_then(|url| Some((CrawlUrl::parse(url).ok()?.host, url)));
                let reached = reached.as_ref().map(|(host, url)| (host.as_str(), *url));
                let findings = self.outage.probed(slot, reached, now.mono);
                self.probed(findings, now, actions);
            }
            FromFetcher::Returned { host, jobs, wait_ms } => {
                for job in jobs.into_iter().rev() {
                    if self.ledger.whereabouts(job.url_id) == Some(Whereabouts::Fetcher(slot, generation))
                        && let Some(entry) = self.ledger.close(job.url_id)
                    {
                        self.frontier.closed(entry.host, entry.slot, now.mono);
                        self.frontier.put_back(&host, job, now.mono);
                    }
                }
                if let Some(host) = self.frontier.find(&host).filter(|_| wait_ms > 0) {
                    self.frontier.hold(host, now.mono.plus_ms(wait_ms.min(LONGEST_PAUSE_MS)), now.mono);
                    // Other fetchers that ask this host are to leave it alone too.
                    let others = self.frontier.away(host).filter(|(other, _)| *other != slot);
                    actions.extend(others.map(|(other, name)| Action::Recall(other, name)));
                }
            }
            FromFetcher::Pace { host, delay_ms } => {
                let others = self.frontier.pace(&host, delay_ms, now.mono);
                actions.extend(others.into_iter().map(|other| Action::Recall(other, host.clone())));
            }
            FromFetcher::Shrunk(host) => self.frontier.shrunk(&host, slot, now.mono),
            FromFetcher::AskOrigin(origin) => actions.push(Action::AskOrigin(slot, generation, origin)),
            FromFetcher::Warning(message) => actions.push(Action::Warn(message)),
        }
    }

    /// A URL could not be requested, and it is not known yet whether the host or our network is at fault.
    fn unreached(&mut self, (slot, generation): (Slot, Generation), job: Job, failure: Failure, began: Mono, now: Now) {
        if self.ledger.whereabouts(job.url_id) != Some(Whereabouts::Fetcher(slot, generation)) {
            return;
        }
        let (url_id, url) = (job.url_id, job.listed_url().to_owned());
        let host = CrawlUrl::parse(&url).map(|url| url.host).unwrap_or_default();
        self.ledger.doubt(job);
        if self.outage.failed(url_id, &host, &url, failure, began, now.mono) {
            self.forget_attempt(url_id, now);
        }
    }

    /// A URL in doubt comes again, as if it had not been tried.
    fn forget_attempt(&mut self, url_id: UrlId, now: Now) {
        if self.ledger.whereabouts(url_id) == Some(Whereabouts::InDoubt)
            && let Some(mut entry) = self.ledger.close(url_id)
        {
            self.frontier.closed(entry.host, entry.slot, now.mono);
            // Hops before may have been answered: that was asked, and is to be told.
            entry.job.trail.retain(|request| request.status.is_some());
            self.begin_again(entry.host, entry.job, now.wall, now);
        }
    }

    /// What has been found out about URLs in doubt, and about the network.
    fn probed(&mut self, findings: Findings, now: Now, actions: &mut Vec<Action>) {
        for (url_id, failure) in findings.theirs {
            if self.ledger.whereabouts(url_id) == Some(Whereabouts::InDoubt)
                && let Some(mut entry) = self.ledger.close(url_id)
            {
                self.frontier.closed(entry.host, entry.slot, now.mono);
                entry.job.failed = Some(Box::new(failure));
                let host = self.frontier.name(entry.host).to_owned();
                self.frontier.put_back(&host, entry.job, now.mono);
            }
        }
        for url_id in findings.ours {
            self.forget_attempt(url_id, now);
        }
        match findings.news {
            None => {}
            Some(News::Out(failure)) => {
                self.tally.outage = true;
                // The URLs that fetchers have would only fail as well.
                actions.extend(self.frontier.all_away().map(|(slot, name)| Action::Recall(slot, name)));
                actions.push(Action::Warn(format!(
                    "nothing can be reached any more ({}): our network or its resolver is out; fetching pauses and goes \
                     on by itself when it is back; nothing is lost",
                    failure.message
                )));
            }
            Some(News::Back(lasted_ms)) => {
                self.tally.outage = false;
                let lasted = lasted_ms as f64 / 1000.0;
                actions.push(Action::Warn(format!("the network is back after {lasted:.1} s; fetching goes on")));
            }
        }
    }

    /// Has a fetcher find out why hosts cannot be reached, or whether they can be reached again.
    fn probe(&mut self, now: Mono, actions: &mut Vec<Action>) {
        let is_up = |fetcher: &Fetcher| matches!(fetcher.child, Child::Up { attached: true, stopping: false, .. });
        if let Some(slot) = self.fetchers.iter().position(is_up)
            && let Some(urls) = self.outage.probe(slot as Slot, self.frontier.some(now), now)
        {
            actions.push(Action::Probe(slot as Slot, urls));
        }
    }

    fn on_writer_exit(&mut self, exit: &Exit, now: Mono, actions: &mut Vec<Action>) {
        let &Exit { clean, how, .. } = exit;
        self.writer = Child::Down { respawn_at: None };
        self.writer_ready = false;
        self.processors.iter_mut().for_each(ProcessorHost::lose_writer);
        for fetcher in &mut self.fetchers {
            if let Child::Up { attached, .. } = &mut fetcher.child {
                *attached = false;
            }
        }
        if let Phase::Closing { ended_by } = self.phase
            && (clean || ended_by == EndedBy::DiskFull)
        {
            self.phase = Phase::Over { ended_by };
            actions.push(Action::Finish);
            return;
        }
        if self.tally.fatal.is_some() {
            return;
        }
        self.tally.writer_crashes += 1;
        self.frontier.pull_lost();
        self.ending.clear();
        self.sweeping = false;
        self.full_since = None;
        self.tally.disk_full = None;
        actions.push(Action::Warn(format!("the writer {how}; it is started again, nothing committed is lost")));
        if self.writer_budget.crashed(now) {
            self.tally.fatal =
                Some(format!("the writer failed more than five times in ten seconds; the last one {how}"));
            self.stop(EndedBy::Failure, now, actions);
        } else {
            let pause = self.writer_backoff.crashed(now, self.config.seed);
            self.writer = Child::Down { respawn_at: Some(now.plus_ms(pause)) };
        }
    }

    fn on_fetcher_exit(&mut self, slot: Slot, exit: &Exit, now: Mono, actions: &mut Vec<Action>) {
        let &Exit { generation, clean, how, working_on } = exit;
        let running = self.phase == Phase::Running;
        let fetcher = &mut self.fetchers[usize::from(slot)];
        let asked_to = matches!(fetcher.child, Child::Up { stopping: true, .. });
        fetcher.child = Child::Down { respawn_at: None };
        fetcher.marks.clear();
        self.frontier.slot_lost(slot, now);
        self.outage.lost(slot);
        if clean && asked_to {
            return;
        }
        self.tally.fetcher_crashes += 1;
        let leased = self.ledger.select(|entry| entry.whereabouts == Whereabouts::Fetcher(slot, generation)).len();
        let blame = working_on
            .filter(|url_id| self.ledger.whereabouts(*url_id) == Some(Whereabouts::Fetcher(slot, generation)));
        let mut at_work = String::new();
        let mut is_of_page = false;
        if let Some(url_id) = blame {
            at_work = format!(" while working on url {url_id}");
            if self.blamed.len() < MAX_BLAMED || self.blamed.contains_key(&url_id) {
                let (deaths, last) = self.blamed.entry(url_id).or_default();
                *deaths = deaths.saturating_add(1);
                *last = format!("its fetcher {how} while working on it, {deaths} times");
                is_of_page = true;
            }
        }
        actions
            .push(Action::Warn(format!("fetcher {slot} {how}{at_work}; {leased} leased URLs go back to the frontier")));
        if self.fetchers[usize::from(slot)].drained == Some(generation) {
            self.on_drained(slot, generation, actions);
        }
        if !running {
            return;
        }
        // A page kills so many and no more, and is put away: pages alone never end the run, however many there are.
        if is_of_page {
            self.fetchers[usize::from(slot)].child = Child::Down { respawn_at: Some(now.plus_ms(FIRST_PAUSE_MS)) };
        } else if self.fetcher_budget.crashed(now) {
            self.tally.fatal = Some(format!("fetchers failed more than five times in ten seconds; the last one {how}"));
            self.stop(EndedBy::Failure, now, actions);
        } else {
            let fetcher = &mut self.fetchers[usize::from(slot)];
            let pause = fetcher.backoff.crashed(now, self.config.seed.wrapping_add(u64::from(slot)));
            fetcher.child = Child::Down { respawn_at: Some(now.plus_ms(pause)) };
        }
    }

    fn on_processors(&mut self, message: FromHost, now: Mono, actions: &mut Vec<Action>) {
        let Some(host) = &mut self.processors else { return };
        actions.extend(host.hear(message).map(Action::Warn));
        // Pages that cannot be processed as the configuration wants are not fetched either.
        if self.phase == Phase::Running && host.failure().is_some_and(|failure| failure.is_usage) {
            self.stop(EndedBy::Failure, now, actions);
        }
    }

    fn on_processors_exit(&mut self, exit: &Exit, now: Mono, actions: &mut Vec<Action>) {
        let (is_wanted, seed) = (self.wants_processors(), self.config.seed.wrapping_add(self.generations));
        if let Some(host) = &mut self.processors {
            actions.extend(host.exited(exit.how, is_wanted, now, seed).map(Action::Warn));
        }
    }

    /// Whether the processor host has anything to do, or may have.
    fn wants_processors(&self) -> bool {
        let is_time = match self.phase {
            Phase::Running | Phase::Draining { .. } => true,
            Phase::Processing { kill_at, .. } => kill_at.is_none(),
            Phase::Closing { .. } | Phase::Over { .. } => false,
        };
        is_time && self.processors.as_ref().is_some_and(ProcessorHost::is_wanted)
    }

    /// Asks the writer about leases whose acknowledgement may have been lost.
    fn ask(&mut self, url_ids: Vec<UrlId>, actions: &mut Vec<Action>) {
        if url_ids.is_empty() {
            return;
        }
        for &url_id in &url_ids {
            self.ledger.ask(url_id);
        }
        actions.push(Action::Recheck(url_ids));
    }

    /// A lease whose record cannot arrive any more goes back to the frontier, or to quarantine.
    fn lease_again(&mut self, url_id: UrlId, now: Mono, actions: &mut Vec<Action>) {
        if let Some((deaths, how)) = self.blamed.get(&url_id)
            && *deaths >= DEATHS_PER_URL
        {
            let failure = Failure::new(ErrorClass::Crash, how.clone());
            self.ledger.ask(url_id);
            actions.push(Action::End(url_id, Outcome::Quarantined, failure));
            return;
        }
        let Some(entry) = self.ledger.close(url_id) else { return };
        self.tally.leased_again += 1;
        self.frontier.closed(entry.host, entry.slot, now);
        let host = self.frontier.name(entry.host).to_owned();
        self.frontier.put_back(&host, entry.job, now);
    }

    fn stop(&mut self, ended_by: EndedBy, now: Mono, actions: &mut Vec<Action>) {
        let has_work = self.wants_processors();
        match &mut self.phase {
            Phase::Running => {
                let at_once = matches!(ended_by, EndedBy::DiskFull | EndedBy::Failure);
                let grace = if at_once { 0 } else { self.config.grace_ms };
                self.phase = Phase::Draining { ended_by, cancel_at: now.plus_ms(grace), kill_at: None };
                for slot in 0..self.fetchers.len() {
                    let fetcher = &mut self.fetchers[slot];
                    match &mut fetcher.child {
                        Child::Down { respawn_at } => *respawn_at = None,
                        Child::Up { stopping, .. } => {
                            *stopping = true;
                            actions.push(Action::Drain(Who::Fetcher(slot as Slot)));
                        }
                    }
                }
            }
            Phase::Draining { ended_by: why, cancel_at, .. } => {
                *cancel_at = now;
                // All URLs have ended, but there is something to process, which would not be waited for.
                if *why == EndedBy::Completed && has_work {
                    *why = ended_by;
                }
            }
            Phase::Processing { kill_at: Some(kill_at), .. } => *kill_at = now,
            Phase::Processing { ended_by: why, kill_at } => {
                // The pages that are left are processed by another run.
                if *why == EndedBy::Completed {
                    *why = ended_by;
                }
                *kill_at = Some(now.plus_ms(STOP_MS));
                if self.generation(Who::Processors).is_some() {
                    actions.push(Action::Cancel(Who::Processors));
                }
            }
            Phase::Closing { .. } | Phase::Over { .. } => {}
        }
    }

    /// Has the writer close the store.
    fn close_writer(&mut self, ended_by: EndedBy, actions: &mut Vec<Action>) {
        self.phase = Phase::Closing { ended_by };
        if let Child::Up { stopping, .. } = &mut self.writer {
            *stopping = true;
        }
        let abandon = ended_by == EndedBy::DiskFull || self.full_since.is_some();
        actions.push(Action::StopWriter { ended_by, abandon });
    }

    /// Does what the present state allows: respawns, pulls, leases, steps to the next phase.
    fn advance(&mut self, now: Mono, actions: &mut Vec<Action>) {
        if self.phase == Phase::Running {
            self.check_end(now, actions);
        }
        self.respawn(now, actions);
        match self.phase {
            Phase::Running => {
                self.probe(now, actions);
                self.pull(now, actions);
                self.fill_windows(now, actions);
            }
            Phase::Draining { ended_by, cancel_at, kill_at } => self.drain(ended_by, cancel_at, kill_at, now, actions),
            Phase::Processing { ended_by, kill_at } => self.process(ended_by, kill_at, now, actions),
            // It could not close the store, and another one would not do better.
            Phase::Closing { ended_by } if self.is_writer_lost() => self.give_up_writer(ended_by, actions),
            Phase::Closing { .. } | Phase::Over { .. } => {}
        }
    }

    fn check_end(&mut self, now: Mono, actions: &mut Vec<Action>) {
        if let Some(since) = self.full_since
            && now.ms_since(since) >= self.config.disk_wait_ms
        {
            self.stop(EndedBy::DiskFull, now, actions);
            return;
        }
        if self.outage.is_overdue(now) {
            self.stop(EndedBy::Outage, now, actions);
            return;
        }
        if !self.writer_ready || self.ledger.urls() > 0 {
            return;
        }
        if self.lists_done && self.tally.pending == 0 {
            self.stop(EndedBy::Completed, now, actions);
        } else if self.allowance == 0 && !self.frontier.has_counted() {
            self.stop(EndedBy::Limit, now, actions);
        } else if self.lists_done && self.ending.is_empty() && self.frontier.is_spent() {
            self.stop(EndedBy::HostLimit, now, actions);
        }
    }

    fn respawn(&mut self, now: Mono, actions: &mut Vec<Action>) {
        // The writer first: it answers the earliest question, whether the store can be used at all. It is needed
        // until the end of draining, since fetchers still hold finished pages.
        if let Child::Down { respawn_at: Some(at) } = self.writer
            && at <= now
        {
            self.generations += 1;
            self.writer = Child::Up { generation: self.generations, attached: true, stopping: false };
            actions.push(Action::Spawn(Who::Writer, self.generations));
        }
        for slot in 0..self.fetchers.len() {
            if let Child::Down { respawn_at: Some(at) } = self.fetchers[slot].child
                && at <= now
            {
                self.generations += 1;
                let generation = self.generations;
                self.fetchers[slot].child = Child::Up { generation, attached: false, stopping: false };
                actions.push(Action::Spawn(Who::Fetcher(slot as Slot), generation));
                if self.writer_ready {
                    self.attach(slot as Slot, actions);
                }
            }
        }
        if self.writer_ready
            && self.wants_processors()
            && let Some(host) = &mut self.processors
            && host.start_at().is_some_and(|at| at <= now)
        {
            self.generations += 1;
            host.start(self.generations);
            actions.push(Action::Spawn(Who::Processors, self.generations));
            if matches!(self.phase, Phase::Processing { .. }) {
                actions.push(Action::Drain(Who::Processors));
            }
        }
    }

    /// Whether the store cannot be closed, since no writer is up or to come.
    fn is_writer_lost(&self) -> bool {
        matches!(self.writer, Child::Down { respawn_at: None })
    }

    fn give_up_writer(&mut self, ended_by: EndedBy, actions: &mut Vec<Action>) {
        let ended_by = if ended_by == EndedBy::Completed { EndedBy::Failure } else { ended_by };
        self.phase = Phase::Over { ended_by };
        actions.push(Action::Finish);
    }

    fn attach(&mut self, slot: Slot, actions: &mut Vec<Action>) {
        let fetcher = &mut self.fetchers[usize::from(slot)];
        if let Child::Up { generation, attached, .. } = &mut fetcher.child {
            *attached = true;
            fetcher.marks.push_back(self.ledger.sent());
            actions.push(Action::Attach(slot, *generation));
        }
    }

    fn pull(&mut self, now: Mono, actions: &mut Vec<Action>) {
        if !self.writer_ready || self.full_since.is_some() || self.config.lists_first && !self.lists_done {
            return;
        }
        let here = (self.frontier.urls() + self.ledger.urls()) as u64;
        if let Some(pull) = self.frontier.pull(self.tally.pending.saturating_sub(here), now) {
            self.sweeping = pull.sweep.is_some();
            actions.push(Action::Pull(pull));
        }
    }

    fn fill_windows(&mut self, now: Mono, actions: &mut Vec<Action>) {
        if self.full_since.is_some() || self.outage.holds() {
            return;
        }
        for slot in 0..self.fetchers.len() as Slot {
            let Child::Up { generation, attached: true, .. } = self.fetchers[usize::from(slot)].child else { continue };
            let in_slot = self.ledger.in_slot(slot);
            let room = self.config.slot_window.saturating_sub(in_slot);
            if room == 0 {
                continue;
            }
            let demand = Demand { slot, room, allowance: &mut self.allowance, asked_at: self.quiet_since };
            for (host, lease) in self.frontier.lease(demand, now) {
                for job in &lease.jobs {
                    self.ledger.lease(job.clone(), host, slot, generation);
                }
                actions.push(Action::Lease(slot, lease));
            }
        }
        // Only when every slot has taken what it could: a host that is about to be leased shall not move.
        for slot in 0..self.fetchers.len() as Slot {
            if self.ledger.in_slot(slot) < self.config.slot_window / 64 {
                for share in self.frontier.invite(slot, now) {
                    match self.fetchers[usize::from(share.slot)].child {
                        // It has nothing in flight, and whoever comes next is told with the first lease.
                        Child::Down { .. } => self.frontier.shrunk(&share.host, share.slot, now),
                        Child::Up { .. } => actions.push(Action::Share(share)),
                    }
                }
            }
        }
    }

    fn drain(
        &mut self,
        ended_by: EndedBy,
        cancel_at: Mono,
        kill_at: Option<Mono>,
        now: Mono,
        actions: &mut Vec<Action>,
    ) {
        let up: Vec<Slot> = (0..self.fetchers.len() as Slot)
            .filter(|slot| matches!(self.fetchers[usize::from(*slot)].child, Child::Up { .. }))
            .collect();
        if up.is_empty() {
            if self.writer_ready || self.is_writer_lost() {
                self.phase = Phase::Processing { ended_by, kill_at: None };
                if ended_by != EndedBy::Completed || self.full_since.is_some() {
                    self.stop(ended_by, now, actions);
                } else if self.generation(Who::Processors).is_some() {
                    actions.push(Action::Drain(Who::Processors));
                }
                self.advance(now, actions);
            }
            return;
        }
        match kill_at {
            None if now >= cancel_at => {
                self.phase = Phase::Draining { ended_by, cancel_at, kill_at: Some(now.plus_ms(CANCEL_MS)) };
                actions.extend(up.into_iter().map(|slot| Action::Cancel(Who::Fetcher(slot))));
            }
            Some(kill_at) if now >= kill_at => {
                self.phase = Phase::Draining { ended_by, cancel_at, kill_at: Some(now.plus_ms(CANCEL_MS)) };
                actions.extend(up.into_iter().map(|slot| Action::Kill(Who::Fetcher(slot))));
            }
            _ => {}
        }
    }

    /// Waits for the processor host to be done or gone; then the store may be closed.
    fn process(&mut self, ended_by: EndedBy, kill_at: Option<Mono>, now: Mono, actions: &mut Vec<Action>) {
        if self.generation(Who::Processors).is_some() {
            if kill_at.is_some_and(|at| at <= now) {
                self.phase = Phase::Processing { ended_by, kill_at: Some(now.plus_ms(CANCEL_MS)) };
                actions.push(Action::Kill(Who::Processors));
            }
        } else if self.is_writer_lost() {
            self.give_up_writer(ended_by, actions);
        } else if self.writer_ready && !self.wants_processors() {
            // The writer reads the queues of the dead to their ends before it stops.
            self.close_writer(ended_by, actions);
        }
    }

    /// When [`Event::Tick`] is due at the latest, for respawns, deadlines and URLs that wait.
    pub fn next_tick(&self, now: Mono) -> Mono {
        let mut next = now.plus_ms(LONGEST_TICK_MS);
        let mut sooner = |at: Mono| next = next.min(at.max(now));
        for child in self.fetchers.iter().map(|fetcher| &fetcher.child).chain([&self.writer]) {
            if let Child::Down { respawn_at: Some(at) } = child {
                sooner(*at);
            }
        }
        match self.phase {
            Phase::Draining { cancel_at, kill_at, .. } => sooner(kill_at.unwrap_or(cancel_at)),
            Phase::Processing { kill_at: Some(kill_at), .. } => sooner(kill_at),
            _ => {}
        }
        if self.writer_ready
            && self.wants_processors()
            && let Some(at) = self.processors.as_ref().and_then(ProcessorHost::start_at)
        {
            sooner(at);
        }
        if let Some(wake) = self.frontier.next_wake() {
            sooner(wake);
        }
        if let Some(due) = self.frontier.next_due() {
            sooner(due);
        }
        next
    }
}
