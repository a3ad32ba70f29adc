//! A seeded simulation of a whole crawl around the pure plan: a store, a writer and fetchers made of plain data, any
//! of which may be killed between any two steps. Checks the laws of [`super::plan`] after every step.
//!
//! - [`stops`]: the ways to the end of a run, and the processor host, on which that waits.

mod found;
mod stops;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::events::{Action, Event, Phase, PlanConfig, Who};
use super::frontier::{HostLimits, LimitsOf, Room, Share};
use super::plan::Plan;
use found::Growth;
use seine_core::protocol::processing::FromHost;
use seine_core::protocol::{
    Candidate, Done, EndedBy, FromFetcher, FromWriter, Generation, Hop, HostCandidates, HostId, Imported, Job,
    NOT_ASKED, PROCESSORS, Position, Pull, Ready, Slot, StillPending, Verdict,
};
use seine_core::record::{ErrorClass, Failure, Outcome, UrlId};
use seine_core::time::{Mono, Now, Wall};
use stops::{HostModel, Setup};

/// Splitmix64: small, seeded, good enough to choose who dies.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

#[derive(Clone, Debug)]
struct StoredUrl {
    host: usize,
    outcome: Option<Outcome>,
    attempts: u16,
    due_at: u64,
}

/// What the disk holds: survives every process.
#[derive(Default)]
struct Disk {
    urls: BTreeMap<UrlId, StoredUrl>,
    /// Pages whose answers are in the store.
    marked: BTreeSet<UrlId>,
    /// URLs that an earlier run has fetched, and this one not yet.
    old: BTreeSet<UrlId>,
    /// How the run ended, once a writer has closed the store.
    closed: Option<EndedBy>,
}

impl Disk {
    fn pending(&self) -> u64 {
        self.urls.values().filter(|url| url.outcome.is_none()).count() as u64
    }
}

#[derive(Clone, Debug)]
enum Record {
    End(UrlId, Outcome, Option<ErrorClass>),
    Again(UrlId, u64, Option<ErrorClass>),
    /// A processor's answer for a page.
    Mark(UrlId),
}

/// A page queue: what was sent and not yet read by the writer.
#[derive(Default)]
struct Queue {
    records: VecDeque<Record>,
    /// The fetcher's end is closed.
    closed: bool,
}

struct FetcherModel {
    generation: Generation,
    /// Leased, redirected or finished and not sent.
    jobs: VecDeque<Job>,
    outbox: VecDeque<Record>,
    queue: Option<u64>,
    draining: bool,
    /// It obeys nobody any more.
    stuck: bool,
    orders: VecDeque<Order>,
    working_on: Option<UrlId>,
    last_start: HashMap<usize, u64>,
}

enum Order {
    Queue(u64),
    Jobs(Vec<Job>),
    Recall(usize),
    Share(usize, u32),
    Probe(Vec<String>),
    Drain,
}

enum ToWriterModel {
    Attach(Slot, Generation, u64),
    Pull(Pull),
    Recheck(Vec<UrlId>),
    End(UrlId, Outcome, ErrorClass),
    EndHost(usize, Outcome, ErrorClass),
    Import(usize),
    Stop(EndedBy, bool),
}

struct WriterModel {
    generation: Generation,
    inbox: VecDeque<ToWriterModel>,
    queues: Vec<(Slot, Generation, u64)>,
    batch: Vec<Record>,
    imports: Vec<usize>,
    ends: Vec<(UrlId, Outcome, ErrorClass)>,
    hosts_ended: Vec<(usize, Outcome, ErrorClass)>,
    opened: bool,
    stop: Option<(EndedBy, bool)>,
    /// It has said that there is no room.
    full: bool,
}

struct World {
    random: Random,
    now: u64,
    plan: Plan,
    disk: Disk,
    /// URLs by list position; those before `listed` were sent to some writer and are kept until acknowledged.
    list: Vec<usize>,
    sent: usize,
    acknowledged: usize,
    lists_done: bool,
    writer: Option<WriterModel>,
    fetchers: Vec<Option<FetcherModel>>,
    host: Option<HostModel>,
    setup: Setup,
    queues: HashMap<u64, Queue>,
    next_queue: u64,
    /// What the writer has said and the supervisor not yet heard.
    said: VecDeque<(Generation, FromWriter)>,
    fetcher_said: VecDeque<(Slot, Generation, FromFetcher)>,
    host_said: VecDeque<(Generation, FromHost)>,
    exits: VecDeque<(Who, Generation, bool, Option<UrlId>)>,
    requests: HashMap<UrlId, u64>,
    /// URLs that kill whatever works on them.
    poison: BTreeSet<UrlId>,
    /// Hosts that never answer.
    dead: BTreeSet<usize>,
    /// Hosts whose names the resolver never has an answer about.
    mute: BTreeSet<usize>,
    /// From when to when nothing can be reached.
    cut: (u64, u64),
    /// When the failures began that the cut has caused.
    cut_off: HashMap<UrlId, u64>,
    /// Those of them that were counted, though the cut lasted on for long enough to be noticed.
    wronged: u64,
    /// Pauses for want of a network.
    outages: u64,
    /// Hosts that asked to be left alone, as far as the supervisor has heard.
    held_until: HashMap<usize, u64>,
    hosts_now: HashMap<String, Slot>,
    delay_ms: u64,
    /// Requests in flight that each host permits, and what each fetcher may have of them.
    host_places: u32,
    places: HashMap<(Slot, Generation, usize), u32>,
    /// Hosts that were in several slots at once.
    shared: BTreeSet<usize>,
    last_start: HashMap<usize, (u64, Generation)>,
    hold_until: HashMap<(Slot, Generation, String), u64>,
    kills: u64,
    last_kill: Option<u64>,
    /// When the writer was first told to close the store, and whether it was told last to drop what it cannot write.
    closing_at: Option<u64>,
    is_abandoned: bool,
    /// How far the run was when it was asked to stop, and when that was.
    asked: Vec<(&'static str, u64)>,
    over: Option<EndedBy>,
    log: Vec<String>,
}

const HOSTS: usize = 7;
/// What is shorter is a hiccup, and costs an attempt. (Messages take long here.)
const NOTICED_MS: u64 = 3_000;

impl World {
    fn new(seed: u64) -> (Self, Vec<Action>) {
        let processors = Random(!seed).chance(50);
        Self::with(seed, Setup { processors, ..Setup::default() }, Disk::default())
    }

    fn with(seed: u64, setup: Setup, disk: Disk) -> (Self, Vec<Action>) {
        let mut random = Random(seed);
        let delay_ms = [0, 0, 40][random.below(3)];
        let host_places = 1 + random.below(6) as u32;
        let config = PlanConfig {
            slots: 1 + random.below(3),
            hosts: LimitsOf::all(HostLimits {
                delay_ms,
                window: 1 + random.below(40) as u32,
                urls: 0,
                places: host_places,
                longest_pause_ms: 86_400_000,
                shared: delay_ms == 0,
            }),
            by_site: false,
            host_failures: [0, 2, 3][random.below(3)],
            // From 64 on a slot that has run dry is given hosts of others.
            slot_window: 4 + random.below(150),
            room: Room { urls: 16 + random.below(400), hosts_per_pull: 1 + random.below(8) },
            lists_first: setup.follows,
            limit: setup.limit,
            grace_ms: 500,
            disk_wait_ms: 5_000,
            processors: setup.processors,
            outage_wait_ms: 100_000,
            seed,
        };
        let slots = config.slots;
        let dead = if config.host_failures > 0 { random.below(3) } else { 0 };
        let (plan, actions) = Plan::new(config, Mono::EARLIEST);
        // With few hosts they are shared, with many they move.
        let hosts = [1, 2, HOSTS][random.below(3)];
        let list = (0..150 + random.below(150)).map(|_| random.below(hosts)).collect();
        let poison = (0..random.below(2)).map(|_| 1 + random.below(100) as UrlId).collect();
        let world = Self {
            random,
            now: 0,
            plan,
            disk,
            list,
            sent: 0,
            acknowledged: 0,
            lists_done: false,
            writer: None,
            fetchers: (0..slots).map(|_| None).collect(),
            host: None,
            setup,
            queues: HashMap::new(),
            next_queue: 0,
            said: VecDeque::new(),
            fetcher_said: VecDeque::new(),
            host_said: VecDeque::new(),
            exits: VecDeque::new(),
            requests: HashMap::new(),
            poison,
            // Hosts are numbered from 1.
            dead: (1..=dead).collect(),
            mute: BTreeSet::new(),
            cut: (0, 0),
            cut_off: HashMap::new(),
            wronged: 0,
            outages: 0,
            held_until: HashMap::new(),
            hosts_now: HashMap::new(),
            delay_ms,
            host_places,
            places: HashMap::new(),
            shared: BTreeSet::new(),
            last_start: HashMap::new(),
            hold_until: HashMap::new(),
            kills: 0,
            last_kill: None,
            closing_at: None,
            is_abandoned: false,
            asked: Vec::new(),
            over: None,
            log: Vec::new(),
        };
        (world, actions)
    }

    fn event(&mut self, event: Event) {
        if let Event::Fetcher(slot, generation, FromFetcher::Returned { host, wait_ms, .. }) = &event
            && *wait_ms > 0
            && self.plan.generation(Who::Fetcher(*slot)) == Some(*generation)
        {
            let held = self.held_until.entry(host_index(host)).or_default();
            *held = (*held).max(self.now + wait_ms);
        }
        self.log.push(format!("{} {event:?}", self.now));
        let now = Now { mono: Mono::from_ms(self.now), wall: Wall::from_ms(self.now) };
        let actions = self.plan.on(event, now);
        self.carry_out(actions);
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            self.log.push(format!("{}   -> {action:?}", self.now));
            match action {
                Action::Spawn(Who::Writer, generation) => {
                    self.writer = Some(WriterModel {
                        generation,
                        inbox: VecDeque::new(),
                        queues: Vec::new(),
                        batch: Vec::new(),
                        imports: Vec::new(),
                        ends: Vec::new(),
                        hosts_ended: Vec::new(),
                        opened: false,
                        stop: None,
                        full: false,
                    });
                }
                Action::Spawn(Who::Fetcher(slot), generation) => {
                    self.fetchers[usize::from(slot)] = Some(FetcherModel {
                        generation,
                        jobs: VecDeque::new(),
                        outbox: VecDeque::new(),
                        queue: None,
                        draining: false,
                        stuck: false,
                        orders: VecDeque::new(),
                        working_on: None,
                        last_start: HashMap::new(),
                    });
                }
                Action::Attach(slot, generation) => {
                    self.next_queue += 1;
                    let queue = self.next_queue;
                    self.queues.insert(queue, Queue::default());
                    if let Some(writer) = &mut self.writer {
                        writer.inbox.push_back(ToWriterModel::Attach(slot, generation, queue));
                    }
                    match &mut self.fetchers[usize::from(slot)] {
                        Some(fetcher) if fetcher.generation == generation => {
                            fetcher.orders.push_back(Order::Queue(queue));
                        }
                        _ => self.close(queue),
                    }
                }
                Action::Lease(slot, lease) => {
                    self.hosts_now.insert(lease.host.clone(), slot);
                    self.check_places(slot, host_index(&lease.host), lease.places);
                    lease.jobs.iter().for_each(|job| self.check_alone(job.url_id));
                    if let Some(fetcher) = &mut self.fetchers[usize::from(slot)] {
                        for job in &lease.jobs {
                            assert_eq!(host_of(&job.url), host_index(&lease.host));
                        }
                        let held = match lease.asked_ms_ago {
                            NOT_ASKED => 0,
                            ago => (self.now + self.delay_ms).saturating_sub(ago.into()),
                        };
                        // Law: a host that asked to be left alone is.
                        let asked = self.held_until.get(&host_index(&lease.host)).copied().unwrap_or(0);
                        assert!(
                            self.now >= asked,
                            "host {} is leased at {} and not before {asked}",
                            lease.host,
                            self.now
                        );
                        let hold = self.hold_until.entry((slot, fetcher.generation, lease.host.clone())).or_default();
                        *hold = held.max(*hold);
                        fetcher.orders.push_back(Order::Jobs(lease.jobs));
                    }
                }
                Action::Pull(pull) => self.tell_writer(ToWriterModel::Pull(pull)),
                Action::Recheck(ids) => self.tell_writer(ToWriterModel::Recheck(ids)),
                Action::End(id, outcome, failure) => {
                    let innocent = outcome == Outcome::Quarantined && !self.poison.contains(&id) && self.kills == 0;
                    assert!(!innocent, "an innocent URL was quarantined");
                    self.tell_writer(ToWriterModel::End(id, outcome, failure.class));
                }
                Action::EndHost(id, outcome, failure) => {
                    let is_down = self.dead.contains(&(id as usize)) || self.mute.contains(&(id as usize));
                    assert!(is_down, "a healthy host was given up");
                    self.tell_writer(ToWriterModel::EndHost(id as usize, outcome, failure.class));
                }
                Action::Recall(slot, host) => {
                    if let Some(fetcher) = &mut self.fetchers[usize::from(slot)] {
                        fetcher.orders.push_back(Order::Recall(host_index(&host)));
                    }
                }
                Action::Share(Share { slot, host, places }) => {
                    if let Some(fetcher) = &mut self.fetchers[usize::from(slot)] {
                        fetcher.orders.push_back(Order::Share(host_index(&host), places));
                    }
                }
                Action::AskOrigin(..) | Action::Origin(..) => {}
                Action::Probe(slot, urls) => {
                    if let Some(fetcher) = &mut self.fetchers[usize::from(slot)] {
                        fetcher.orders.push_back(Order::Probe(urls));
                    }
                }
                Action::ResendLists(_) => {
                    for at in self.acknowledged..self.sent {
                        self.tell_writer(ToWriterModel::Import(at));
                    }
                }
                Action::Drain(Who::Fetcher(slot)) | Action::Cancel(Who::Fetcher(slot)) => {
                    if let Some(fetcher) = &mut self.fetchers[usize::from(slot)] {
                        fetcher.orders.push_back(Order::Drain);
                    }
                }
                Action::Spawn(Who::Processors, generation) => self.start_host(generation),
                Action::Drain(_) => self.host.iter_mut().for_each(|host| host.told_to_drain = true),
                Action::Cancel(_) => self.host.iter_mut().for_each(|host| host.is_let_go = true),
                Action::Kill(who) => self.kill(who, None),
                Action::StopWriter { ended_by, abandon } => {
                    self.check_stop(ended_by, abandon);
                    self.tell_writer(ToWriterModel::Stop(ended_by, abandon));
                }
                Action::Warn(message) => self.outages += u64::from(message.contains("nothing can be reached")),
                Action::Finish => {
                    let Phase::Over { ended_by } = self.plan.phase() else { panic!("finished before it was over") };
                    self.check_end(ended_by);
                    self.over = Some(ended_by);
                }
            }
        }
    }

    /// Law: a URL is in at most one fetcher at a time.
    fn check_alone(&self, url_id: UrlId) {
        let is_it = |job: &Job| job.url_id == url_id;
        for fetcher in self.fetchers.iter().flatten() {
            let is_on_its_way = fetcher.orders.iter().any(|order| match order {
                Order::Jobs(jobs) => jobs.iter().any(is_it),
                _ => false,
            });
            assert!(!is_on_its_way && !fetcher.jobs.iter().any(is_it), "url {url_id} is leased while a fetcher has it");
        }
    }

    /// Law: a host with a pace lives in one slot at a time, which may change only when none of its URLs is out. One
    /// without may be in several, which never have more places of it together than it has.
    fn check_places(&mut self, slot: Slot, host: usize, places: u32) {
        let Some(generation) = self.fetchers[usize::from(slot)].as_ref().map(|fetcher| fetcher.generation) else {
            return;
        };
        self.places.insert((slot, generation, host), places);
        let mut sum = 0;
        for (other, fetcher) in self.fetchers.iter().enumerate() {
            let Some(fetcher) = fetcher else { continue };
            let queued = fetcher.orders.iter().any(|order| match order {
                Order::Jobs(jobs) => jobs.iter().any(|job| host_of(&job.url) == host),
                _ => false,
            });
            let has = queued || fetcher.jobs.iter().any(|job| host_of(&job.url) == host);
            if other != usize::from(slot) && has {
                assert_eq!(self.delay_ms, 0, "host h{host} is in slots {other} and {slot} at once");
                self.shared.insert(host);
                sum += self.places.get(&(other as Slot, fetcher.generation, host)).copied().unwrap_or_default();
            }
        }
        assert!(
            places > 0 && sum + places <= self.host_places,
            "host h{host} has {} places, and fetchers {sum} and {places}",
            self.host_places
        );
    }

    fn tell_writer(&mut self, message: ToWriterModel) {
        if let Some(writer) = &mut self.writer {
            writer.inbox.push_back(message);
        }
    }

    fn close(&mut self, queue: u64) {
        if let Some(queue) = self.queues.get_mut(&queue) {
            queue.closed = true;
        }
    }

    fn kill(&mut self, who: Who, working_on: Option<UrlId>) {
        match who {
            Who::Writer => {
                if let Some(writer) = self.writer.take() {
                    // Its read ends are gone: what was in its queues is lost.
                    for (_, _, queue) in writer.queues {
                        self.queues.remove(&queue);
                    }
                    self.exits.push_back((who, writer.generation, false, None));
                }
            }
            Who::Fetcher(slot) => {
                if let Some(fetcher) = self.fetchers[usize::from(slot)].take() {
                    if let Some(queue) = fetcher.queue {
                        self.close(queue);
                    }
                    for order in &fetcher.orders {
                        if let Order::Queue(queue) = order {
                            let queue = *queue;
                            if let Some(queue) = self.queues.get_mut(&queue) {
                                queue.closed = true;
                            }
                        }
                    }
                    self.exits.push_back((who, fetcher.generation, false, working_on.or(fetcher.working_on)));
                }
            }
            Who::Processors => {
                if let Some(host) = self.host.take() {
                    self.close(host.queue);
                    self.exits.push_back((who, host.generation, false, None));
                }
            }
        }
    }

    /// One step of one of the parties, chosen by chance.
    fn step(&mut self) {
        self.now += self.random.below(4) as u64;
        match self.random.below(13) {
            0 | 1 => {
                if let Some((generation, message)) = self.said.pop_front() {
                    if let FromWriter::Imported(_) = message {
                        self.acknowledged += 1;
                    }
                    self.event(Event::Writer(generation, message));
                }
            }
            2 => {
                if let Some((slot, generation, message)) = self.fetcher_said.pop_front() {
                    self.event(Event::Fetcher(slot, generation, message));
                }
                if let Some((generation, message)) = self.host_said.pop_front() {
                    self.event(Event::Processors(generation, message));
                }
            }
            3 => self.exit_seen(),
            4 | 5 => self.writer_step(),
            6..=8 => {
                let slot = self.random.below(self.fetchers.len()) as Slot;
                self.fetcher_step(slot);
            }
            9 => self.feed(),
            10 => self.host_step(),
            _ => {
                self.now += self.random.below(80) as u64;
                self.event(Event::Tick);
            }
        }
    }

    fn exit_seen(&mut self) {
        let Some(&(who, generation, ..)) = self.exits.front() else { return };
        // What a child said before its end is heard first.
        while let Some(at) = self.said.iter().position(|(of, _)| who == Who::Writer && *of == generation) {
            let Some((generation, message)) = self.said.remove(at) else { break };
            if let FromWriter::Imported(_) = message {
                self.acknowledged += 1;
            }
            self.event(Event::Writer(generation, message));
        }
        while let Some(at) = self.fetcher_said.iter().position(|(_, of, _)| *of == generation) {
            let Some((slot, generation, message)) = self.fetcher_said.remove(at) else { break };
            self.event(Event::Fetcher(slot, generation, message));
        }
        while let Some(at) = self.host_said.iter().position(|(of, _)| *of == generation) {
            let Some((generation, message)) = self.host_said.remove(at) else { break };
            self.event(Event::Processors(generation, message));
        }
        if let Some((who, generation, clean, working_on)) = self.exits.pop_front() {
            self.event(Event::Exited { who, generation, clean, how: "ended".into(), working_on });
        }
    }

    fn feed(&mut self) {
        while self.plan.takes_lines() && self.sent < self.list.len() && self.sent - self.acknowledged < 40 {
            let at = self.sent;
            self.sent += 1;
            self.tell_writer(ToWriterModel::Import(at));
        }
        if !self.lists_done && self.acknowledged == self.list.len() {
            self.lists_done = true;
            self.event(Event::ListsDone);
        }
    }

    fn say(&mut self, message: FromWriter) {
        if let Some(writer) = &self.writer {
            self.said.push_back((writer.generation, message));
        }
    }

    fn writer_step(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        if !writer.opened {
            writer.opened = true;
            let ready = Ready { pending: self.disk.pending(), ..Ready::default() };
            self.say(FromWriter::Ready(ready));
            return;
        }
        match self.random.below(4) {
            0 => {
                if let Some(message) = writer.inbox.pop_front() {
                    self.writer_hears(message);
                }
            }
            1 | 2 => {
                if writer.queues.is_empty() || writer.full {
                    return;
                }
                let at = self.random.below(writer.queues.len());
                if let Some(queue) = self.queues.get_mut(&writer.queues[at].2)
                    && let Some(record) = queue.records.pop_front()
                {
                    writer.batch.push(record);
                }
            }
            _ => self.commit(),
        }
    }

    fn writer_hears(&mut self, message: ToWriterModel) {
        let Some(writer) = &mut self.writer else { return };
        match message {
            ToWriterModel::Attach(slot, generation, queue) => writer.queues.push((slot, generation, queue)),
            ToWriterModel::Import(at) => writer.imports.push(at),
            ToWriterModel::End(id, outcome, class) => writer.ends.push((id, outcome, class)),
            ToWriterModel::EndHost(host, outcome, class) => writer.hosts_ended.push((host, outcome, class)),
            ToWriterModel::Stop(ended_by, abandon) => writer.stop = Some((ended_by, abandon)),
            ToWriterModel::Recheck(ids) => {
                self.commit();
                let (done, still): (Vec<_>, Vec<_>) =
                    ids.into_iter().partition(|id| self.disk.urls.get(id).is_some_and(|url| url.outcome.is_some()));
                let done = done.into_iter().map(|id| self.done(id, self.disk.urls[&id].outcome)).collect();
                let pending = self.disk.pending();
                self.say(FromWriter::Committed { done, grown: Vec::new(), again: false, pending });
                let still = still.into_iter().map(|id| {
                    let url = self.disk.urls.get(&id);
                    let (attempts, due_at) = url.map_or((0, 0), |url| (url.attempts, url.due_at));
                    StillPending { url_id: id, attempts, due_at }
                });
                let still = still.collect();
                self.say(FromWriter::StillPending(still));
            }
            ToWriterModel::Pull(pull) => {
                let mut hosts = Vec::new();
                for (host, after, limit) in &pull.refills {
                    hosts.push(self.candidates(*host as usize, *after, *limit));
                }
                let mut sweep_after = None;
                if let Some(sweep) = pull.sweep {
                    let pending: Vec<usize> = (1..=HOSTS)
                        .filter(|host| *host as i64 > sweep.after)
                        .filter(|host| self.disk.urls.values().any(|url| url.outcome.is_none() && url.host == *host))
                        .collect();
                    let mut next = Vec::new();
                    for host in pending {
                        if next.len() == sweep.hosts as usize || sweep_after.is_some_and(|after| after >= sweep.until) {
                            break;
                        }
                        sweep_after = Some(host as i64);
                        if !sweep.but.contains(&(host as i64)) {
                            next.push(host);
                        }
                    }
                    if next.len() < sweep.hosts as usize && sweep_after.is_none_or(|after| after < sweep.until) {
                        sweep_after = None;
                    }
                    hosts.extend(next.into_iter().map(|host| self.candidates(host, Position::START, pull.per_host)));
                }
                let pending = self.disk.pending();
                self.say(FromWriter::Candidates { hosts, sweep_after, pending });
            }
        }
    }

    fn candidates(&self, host: usize, after: Position, limit: u32) -> HostCandidates {
        let pending = self.disk.urls.iter().filter(|(_, url)| url.outcome.is_none() && url.host == host);
        let behind = pending
            .map(|(id, url)| (self.rank(*id), *id, url))
            .filter(|(rank, id, _)| after < Position { rank: *rank, url_id: *id });
        let mut behind: Vec<_> = behind.collect();
        behind.sort_by_key(|(rank, id, _)| (*rank, *id));
        let candidate = |(rank, id, url): &(i32, UrlId, &StoredUrl)| Candidate {
            validators: None,
            url_id: *id,
            rank: *rank,
            url: format!("http://h{host}/{id}"),
            attempts: url.attempts,
            forgiven: 0,
            due_at: url.due_at,
            place: seine_core::protocol::Place::default(),
            archived: None,
        };
        let more = behind.len() > limit as usize;
        let urls: Vec<Candidate> = behind.iter().take(limit as usize).map(candidate).collect();
        let last = urls.last().map_or(i32::MAX, |last| last.rank);
        let elders = behind.iter().filter(|(rank, ..)| *rank > last).take(limit as usize / 8).map(candidate).collect();
        HostCandidates { host_id: host as i64, host: format!("h{host}"), hold_until: 0, urls, elders, more }
    }

    fn done(&self, url_id: UrlId, outcome: Option<Outcome>) -> Done {
        self.done_for(url_id, outcome, None)
    }

    fn done_for(&self, url_id: UrlId, outcome: Option<Outcome>, class: Option<ErrorClass>) -> Done {
        let verdict = outcome.map_or(Verdict::Known, |outcome| Verdict::Ended(outcome, class));
        let status = (outcome == Some(Outcome::Ok)).then_some(200);
        Done { url_id, verdict, bytes: 1, status, robots: false }
    }

    fn commit(&mut self) {
        if self.is_held_up_by_the_disk() {
            return;
        }
        let Some(writer) = &mut self.writer else { return };
        let (batch, imports, ends, hosts_ended) = (
            std::mem::take(&mut writer.batch),
            std::mem::take(&mut writer.imports),
            std::mem::take(&mut writer.ends),
            std::mem::take(&mut writer.hosts_ended),
        );
        let (mut done, mut growth) = (Vec::new(), Growth::default());
        let mut imported = Vec::new();
        for at in &imports {
            imported.push(u64::from(!self.disk.urls.contains_key(&(*at as UrlId + 1))));
            let url = StoredUrl { host: self.list[*at] + 1, outcome: None, attempts: 0, due_at: 0 };
            self.disk.urls.entry(*at as UrlId + 1).or_insert(url);
        }
        let ends = ends.into_iter().map(|(id, outcome, class)| Record::End(id, outcome, Some(class)));
        for record in batch.into_iter().chain(ends.collect::<Vec<_>>()) {
            match record {
                Record::End(id, outcome, class) => {
                    let url = self.disk.urls.get_mut(&id).expect("only known URLs are fetched");
                    if url.outcome.is_none() {
                        url.outcome = Some(outcome);
                        done.push(self.done_for(id, Some(outcome), class));
                        if outcome == Outcome::Ok {
                            self.find(id, &mut growth);
                        }
                    } else {
                        done.push(self.done(id, None));
                    }
                }
                Record::Mark(id) => drop(self.disk.marked.insert(id)),
                Record::Again(id, due_at, class) => {
                    let url = self.disk.urls.get_mut(&id).expect("only known URLs are fetched");
                    if url.outcome.is_none() {
                        url.attempts += 1;
                        url.due_at = due_at;
                        let verdict = Verdict::Again { due_at, class };
                        done.push(Done { url_id: id, verdict, bytes: 0, status: None, robots: false });
                    } else {
                        done.push(self.done(id, None));
                    }
                }
            }
        }
        let mut ended = Vec::new();
        for (host, outcome, class) in hosts_ended {
            let urls = self.disk.urls.values_mut().filter(|url| url.host == host && url.outcome.is_none());
            let urls = urls.map(|url| url.outcome = Some(outcome)).count() as u64;
            ended.push((host, outcome, class, urls));
        }
        // A kill right after the commit and before its acknowledgement.
        if self.random.chance(3) && self.may_kill() {
            self.murder(Who::Writer);
            return;
        }
        let pending = self.disk.pending();
        for new in imported {
            self.say(FromWriter::Imported(Imported { lines: 1, new, pending, ..Imported::default() }));
        }
        for (host, outcome, class, urls) in ended {
            let host_id = host as i64;
            self.say(FromWriter::HostEnded { host_id, outcome, class, urls, more: false, pending });
        }
        if !done.is_empty() {
            let grown = growth.hosts.into_iter().collect();
            self.say(FromWriter::Committed { done, grown, again: growth.again, pending });
        }
        let Some(writer) = &mut self.writer else { return };
        let mut drained = Vec::new();
        writer.queues.retain(|(slot, generation, queue)| {
            let ended = self.queues.get(queue).is_none_or(|queue| queue.closed && queue.records.is_empty());
            if ended {
                drained.push((*slot, *generation));
            }
            !ended
        });
        for (slot, generation) in drained {
            self.say(FromWriter::Drained { slot, generation });
        }
        if let Some(writer) = &self.writer
            && let Some((ended_by, _)) = writer.stop
            && writer.queues.is_empty()
            && writer.inbox.is_empty()
        {
            let generation = writer.generation;
            self.disk.closed = Some(ended_by);
            self.writer = None;
            self.exits.push_back((Who::Writer, generation, true, None));
        }
    }

    fn fetcher_step(&mut self, slot: Slot) {
        let now = self.now;
        let Some(fetcher) = &mut self.fetchers[usize::from(slot)] else { return };
        let generation = fetcher.generation;
        if fetcher.stuck {
            return;
        }
        if let Some(order) = fetcher.orders.pop_front() {
            match order {
                Order::Queue(queue) => {
                    let old = fetcher.queue.replace(queue);
                    let mut holding: Vec<UrlId> = fetcher.jobs.iter().map(|job| job.url_id).collect();
                    holding.extend(fetcher.outbox.iter().map(|record| match record {
                        Record::End(id, ..) | Record::Again(id, ..) | Record::Mark(id) => *id,
                    }));
                    self.fetcher_said.push_back((slot, generation, FromFetcher::Holding(holding)));
                    if let Some(old) = old {
                        self.close(old);
                    }
                }
                Order::Jobs(jobs) => {
                    if !fetcher.draining {
                        fetcher.jobs.extend(jobs);
                    }
                }
                Order::Recall(host) => {
                    let (jobs, kept) = fetcher.jobs.drain(..).partition(|job| host_of(&job.url) == host);
                    fetcher.jobs = kept;
                    let jobs: VecDeque<Job> = jobs;
                    let returned = FromFetcher::Returned { host: format!("h{host}"), jobs: jobs.into(), wait_ms: 0 };
                    self.fetcher_said.push_back((slot, generation, returned));
                }
                Order::Share(host, places) => {
                    self.places.insert((slot, generation, host), places);
                    self.fetcher_said.push_back((slot, generation, FromFetcher::Shrunk(format!("h{host}"))));
                }
                Order::Probe(urls) => {
                    let reached = urls.into_iter().find(|url| self.can_reach(host_of(url)));
                    self.fetcher_said.push_back((slot, generation, FromFetcher::Probed(reached)));
                }
                Order::Drain => {
                    fetcher.stuck = self.setup.is_stubborn;
                    fetcher.draining = true;
                    fetcher.jobs.clear();
                }
            }
            return;
        }
        if self.random.chance(50) {
            // Send one record.
            if let Some(queue) = fetcher.queue
                && let Some(queue) = self.queues.get_mut(&queue)
                && let Some(record) = fetcher.outbox.pop_front()
            {
                queue.records.push_back(record);
            } else if fetcher.draining && fetcher.jobs.is_empty() && fetcher.outbox.is_empty() {
                let queue = fetcher.queue;
                self.fetchers[usize::from(slot)] = None;
                if let Some(queue) = queue {
                    self.close(queue);
                }
                self.exits.push_back((Who::Fetcher(slot), generation, true, None));
            }
            return;
        }
        let Some(mut job) = fetcher.jobs.pop_front() else { return };
        let host = host_of(&job.url);
        if let Some(failure) = job.failed.take() {
            let began = self.cut_off.remove(&job.url_id).filter(|_| !self.mute.contains(&host));
            self.wronged += u64::from(began.is_some_and(|began| began + NOTICED_MS < self.cut.1));
            fetcher.outbox.push_back(match job.attempts < 2 {
                true => Record::Again(job.url_id, now + 50, Some(failure.class)),
                false => Record::End(job.url_id, Outcome::Failed, Some(failure.class)),
            });
            return;
        }
        let hold = self.hold_until.get(&(slot, generation, format!("h{host}"))).copied().unwrap_or(0);
        let next_own = fetcher.last_start.get(&host).map_or(0, |last| last + self.delay_ms);
        if now < hold.max(next_own) {
            fetcher.jobs.push_back(job);
            return;
        }
        fetcher.last_start.insert(host, now);
        // Law: the pace holds over all fetchers, though each keeps it against its own starts only.
        if let Some((last, by)) = self.last_start.insert(host, (now, generation)) {
            assert!(
                now >= last + self.delay_ms,
                "host h{host} was asked at {last} by generation {by} and at {now} by {generation}"
            );
        }
        *self.requests.entry(job.url_id).or_default() += 1;
        // Law: what is in the store is not asked for again.
        let stored = self.disk.urls.get(&job.url_id).and_then(|url| url.outcome);
        assert_ne!(stored, Some(Outcome::Ok), "url {} is in the store and is asked for", job.url_id);
        if self.poison.contains(&job.url_id) {
            let id = job.url_id;
            self.kill(Who::Fetcher(slot), Some(id));
            return;
        }
        if !self.can_reach(host) {
            // As a fetcher does: with the URL, those of its host come back that have not begun.
            let Some(fetcher) = &mut self.fetchers[usize::from(slot)] else { return };
            let (jobs, kept): (VecDeque<Job>, _) = fetcher.jobs.drain(..).partition(|job| host_of(&job.url) == host);
            fetcher.jobs = kept;
            let class = if self.mute.contains(&host) { ErrorClass::Resolver } else { ErrorClass::Network };
            let (failure, host) = (Failure::new(class, "no way"), format!("h{host}"));
            self.cut_off.insert(job.url_id, now);
            let unreached = FromFetcher::Unreached { host: host.clone(), job, failure, began: now };
            self.fetcher_said.push_back((slot, generation, unreached));
            let returned = FromFetcher::Returned { host, jobs: jobs.into(), wait_ms: 250 };
            self.fetcher_said.push_back((slot, generation, returned));
            return;
        }
        let Some(fetcher) = &mut self.fetchers[usize::from(slot)] else { return };
        if self.dead.contains(&host) {
            let class = Some(ErrorClass::Connect);
            fetcher.outbox.push_back(match job.attempts < 2 {
                true => Record::Again(job.url_id, now + 50, class),
                false => Record::End(job.url_id, Outcome::Failed, class),
            });
            return;
        }
        match self.random.below(22) {
            20 if job.attempts < 2 => {
                // The host wants to be left alone: what is queued goes back, the URL itself is retried.
                let (jobs, kept): (VecDeque<Job>, _) =
                    fetcher.jobs.drain(..).partition(|job| host_of(&job.url) == host);
                fetcher.jobs = kept;
                fetcher.outbox.push_back(Record::Again(job.url_id, now + 300, None));
                let returned = FromFetcher::Returned { host: format!("h{host}"), jobs: jobs.into(), wait_ms: 300 };
                self.fetcher_said.push_back((slot, generation, returned));
            }
            0 if job.hops.len() < 2 => {
                let to = 1 + (host + job.url_id as usize) % HOSTS;
                let url = format!("http://h{to}/{}", job.url_id);
                job.hops.push(Hop {
                    url: std::mem::replace(&mut job.url, url),
                    status: 302,
                    cookies: 0,
                    sets_cookie: false,
                });
                if to == host {
                    fetcher.jobs.push_front(job);
                } else {
                    let host = format!("h{to}");
                    self.fetcher_said.push_back((slot, generation, FromFetcher::Redirected { host, job }));
                }
            }
            1 if job.attempts < 2 => fetcher.outbox.push_back(Record::Again(job.url_id, now + 200, None)),
            2 => fetcher.outbox.push_back(Record::End(job.url_id, Outcome::Failed, Some(ErrorClass::Protocol))),
            _ => fetcher.outbox.push_back(Record::End(job.url_id, Outcome::Ok, None)),
        }
    }

    fn can_reach(&self, host: usize) -> bool {
        !self.mute.contains(&host) && !(self.cut.0..self.cut.1).contains(&self.now)
    }

    /// Never so often that the budget of crashes ends the run: that is another test.
    fn may_kill(&self) -> bool {
        self.kills * 4_000 < self.now && self.last_kill.is_none_or(|last| self.now >= last + 4_000)
    }

    fn murder(&mut self, who: Who) {
        self.kills += 1;
        self.last_kill = Some(self.now);
        self.kill(who, None);
    }
}

fn host_of(url: &str) -> usize {
    host_index(url.trim_start_matches("http://").split('/').next().unwrap_or_default())
}

fn host_index(host: &str) -> usize {
    host.trim_start_matches('h').parse().expect("hosts of the simulation are numbered")
}

/// Runs one seed to its end.
fn run(seed: u64, kill_percent: u64, stop_at: Option<u64>) -> World {
    let stops: Vec<_> = stop_at.into_iter().map(|at| (When::Step(at), EndedBy::Interrupted)).collect();
    drive(seed, World::new(seed), kill_percent, &stops)
}

/// When a run is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// At this step.
    Step(u64),
    /// At this step of those after the last URL has ended.
    Complete(u64),
}

/// Runs a world to its end, asking it to stop at these times.
fn drive(seed: u64, (mut world, actions): (World, Vec<Action>), kill_percent: u64, stops: &[(When, EndedBy)]) -> World {
    world.carry_out(actions);
    let (mut steps, mut complete) = (0_u64, 0_u64);
    while world.over.is_none() {
        steps += 1;
        if steps > 400_000 {
            for line in world.log.iter().rev().take(60).rev() {
                eprintln!("{line}");
            }
            panic!(
                "seed {seed} does not end: pending {}, leased {}, phase {:?}",
                world.disk.pending(),
                world.plan.leased(),
                world.plan.phase()
            );
        }
        complete += u64::from(matches!(
            world.plan.phase(),
            Phase::Draining { ended_by: EndedBy::Completed, .. } | Phase::Processing { .. }
        ));
        for (when, ended_by) in stops {
            if *when == When::Step(steps) || (complete > 0 && *when == When::Complete(complete)) {
                world.stop(*ended_by);
            }
        }
        if world.random.chance(kill_percent) && world.random.chance(10) && world.may_kill() {
            let roles = world.fetchers.len() + 2;
            match world.random.below(roles) {
                0 => world.murder(Who::Writer),
                1 => world.murder(Who::Processors),
                slot => world.murder(Who::Fetcher(slot as Slot - 2)),
            }
        }
        world.step();
    }
    world
}

fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let base = std::env::var("SEINE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0x5e1e_0000);
    println!("seeds from {base} (SEINE_SEED chooses another start)");
    base..base + count
}

#[test]
fn every_url_gets_one_outcome_whoever_dies_when() {
    let (mut kills, mut shared) = (0, 0);
    for seed in seeds(80) {
        let world = run(seed, 20, None);
        kills += world.kills;
        shared += world.shared.len();
        assert_eq!(world.over, Some(EndedBy::Completed), "seed {seed}");
        assert_eq!(world.disk.urls.len(), world.list.len(), "seed {seed}");
        assert_eq!(world.disk.pending(), 0, "seed {seed}");
        for id in &world.poison {
            if let Some(url) = world.disk.urls.get(id) {
                let given_up = world.dead.contains(&url.host) && url.outcome == Some(Outcome::Failed);
                assert!(given_up || url.outcome == Some(Outcome::Quarantined), "seed {seed}: poison {id}: {url:?}");
            }
        }
        assert_eq!(world.plan.leased(), 0, "seed {seed}");
        assert_eq!(world.unmarked(), 0, "seed {seed}: pages were not processed");
    }
    assert!(kills > 100, "only {kills} kills: the test tests little");
    assert!(shared > 5, "only {shared} hosts were shared: the test tests little");
}

#[test]
fn pages_that_kill_fetchers_are_put_away_however_many_and_never_end_the_run() {
    let mut deaths = 0;
    for seed in seeds(30) {
        let (mut world, actions) = World::new(seed);
        world.dead.clear();
        world.poison = (0..10 + world.random.below(60)).map(|_| 1 + world.random.below(150) as UrlId).collect();
        world.carry_out(actions);
        while world.over.is_none() {
            // Nobody dies but by a page.
            world.kills = u64::MAX / 5_000;
            world.step();
        }
        assert_eq!(world.over, Some(EndedBy::Completed), "seed {seed}: {:?}", world.plan.tally().fatal);
        for (id, url) in &world.disk.urls {
            let is_put_away = url.outcome == Some(Outcome::Quarantined);
            assert_eq!(is_put_away, world.poison.contains(id), "seed {seed}: url {id}: {url:?}");
        }
        assert_eq!(world.plan.tally().fetcher_crashes, 2 * world.poison.len() as u64, "seed {seed}");
        deaths += world.plan.tally().fetcher_crashes;
    }
    assert!(deaths > 1_000, "only {deaths} deaths: the test tests little");
}

#[test]
fn fetchers_that_die_while_no_page_is_to_blame_end_the_run() {
    let (mut world, actions) = World::new(1);
    world.poison.clear();
    world.carry_out(actions);
    for _ in 0..5_000 {
        if world.over.is_some() {
            break;
        }
        (0..world.fetchers.len()).for_each(|slot| world.kill(Who::Fetcher(slot as Slot), None));
        (0..20).for_each(|_| {
            if world.over.is_none() {
                world.step()
            }
        });
    }
    assert_eq!(world.over, Some(EndedBy::Failure));
    assert!(world.plan.tally().fatal.as_ref().is_some_and(|fatal| fatal.contains("fetchers failed")));
}

#[test]
fn without_deaths_every_url_is_requested_as_often_as_its_attempts_and_hops_need() {
    for seed in seeds(30) {
        let (mut world, actions) = World::new(seed);
        world.poison.clear();
        world.carry_out(actions);
        while world.over.is_none() {
            // Commits may kill the writer by themselves; not here.
            world.kills = u64::MAX / 5_000;
            world.step();
        }
        assert_eq!(world.over, Some(EndedBy::Completed), "seed {seed}");
        for (id, requests) in &world.requests {
            assert!(*requests <= 3 * 3, "seed {seed}: url {id} was requested {requests} times");
        }
        let ended = world.disk.urls.values().filter(|url| url.outcome.is_some()).count();
        assert_eq!(ended, world.list.len(), "seed {seed}");
        assert_eq!(world.plan.tally().leased_again, 0, "seed {seed}: something was leased twice");
    }
}

#[test]
fn a_stopped_run_ends_and_nothing_it_committed_is_lost() {
    for seed in seeds(40) {
        let stop_at = 500 + Random(seed).below(3_000) as u64;
        let world = run(seed, 10, Some(stop_at));
        assert!(matches!(world.over, Some(EndedBy::Interrupted | EndedBy::Completed)), "seed {seed}: {:?}", world.over);
        let tally = world.plan.tally();
        let ended = world.disk.urls.values().filter(|url| url.outcome.is_some()).count() as u64;
        assert!(tally.outcomes.iter().sum::<u64>() <= ended, "seed {seed}: acknowledged more than there is");
    }
}

/// A world whose network is out for a while early on, and one of whose hosts, if others are there, has a name that
/// nobody knows anything about.
fn with_outage(seed: u64) -> (World, Vec<Action>) {
    let (mut world, actions) = World::new(seed);
    let mut random = Random(seed ^ 0x6f75_7461_6765);
    let from = random.below(6_000) as u64;
    world.cut = (from, from + 6_000 + random.below(60_000) as u64);
    if world.list.iter().any(|host| *host > 0) {
        world.mute = [1].into();
        world.dead.clear();
    }
    (world, actions)
}

#[test]
fn an_outage_counts_for_no_host_and_a_host_that_is_never_reached_still_ends() {
    let (mut outages, mut ended) = (0, 0);
    for seed in seeds(60) {
        let (mut world, actions) = with_outage(seed);
        world.poison.clear();
        // Commits may kill the writer by themselves; not here.
        world.kills = u64::MAX / 5_000;
        let world = drive(seed, (world, actions), 0, &[]);
        assert_eq!(world.over, Some(EndedBy::Completed), "seed {seed}");
        assert_eq!(world.disk.pending(), 0, "seed {seed}");
        assert_eq!(world.wronged, 0, "seed {seed}: a failure in the outage was counted");
        outages += world.outages;
        for url in world.disk.urls.values().filter(|url| world.mute.contains(&url.host)) {
            assert_eq!(url.outcome, Some(Outcome::Failed), "seed {seed}: {url:?}");
            ended += 1;
        }
    }
    assert!(outages > 40 && ended > 1_000, "only {outages} outages and {ended} URLs of mute hosts");
}

#[test]
fn an_outage_loses_nothing_whoever_dies_meanwhile() {
    let (mut kills, mut outages) = (0, 0);
    for seed in seeds(60) {
        let (world, actions) = with_outage(seed);
        let world = drive(seed, (world, actions), 20, &[]);
        kills += world.kills;
        outages += world.outages;
        assert_eq!(world.over, Some(EndedBy::Completed), "seed {seed}");
        assert_eq!(world.disk.pending(), 0, "seed {seed}");
        assert_eq!(world.plan.leased(), 0, "seed {seed}");
    }
    assert!(kills > 100 && outages > 40, "only {kills} kills and {outages} outages: the test tests little");
}

#[test]
fn an_outage_that_lasts_ends_the_run_with_what_is_left_pending() {
    for seed in seeds(20) {
        let (mut world, actions) = World::new(seed);
        world.cut = (500, u64::MAX);
        // It would end before.
        world.dead.clear();
        world.poison.clear();
        world.kills = u64::MAX / 5_000;
        let world = drive(seed, (world, actions), 0, &[]);
        assert_eq!(world.over, Some(EndedBy::Outage), "seed {seed}");
        assert!(world.disk.pending() > 0, "seed {seed}");
        let counted = world.disk.urls.values().filter(|url| url.attempts > 2).count();
        assert_eq!(counted, 0, "seed {seed}");
        assert!(world.now < 300_000, "seed {seed}: only at {}", world.now);
    }
}

#[test]
fn an_interrupt_in_an_outage_ends_the_run() {
    for seed in seeds(20) {
        let (mut world, actions) = with_outage(seed);
        world.cut.1 = u64::MAX;
        world.carry_out(actions);
        while world.outages == 0 {
            world.step();
        }
        world.event(Event::Stop(EndedBy::Interrupted));
        while world.over.is_none() {
            world.step();
        }
        assert_eq!(world.over, Some(EndedBy::Interrupted), "seed {seed}");
        assert!(world.disk.pending() > 0, "seed {seed}");
    }
}

#[test]
fn a_role_that_keeps_crashing_ends_the_run() {
    let (mut world, actions) = World::new(1);
    world.carry_out(actions);
    for _ in 0..5_000 {
        if world.over.is_some() {
            break;
        }
        world.kill(Who::Writer, None);
        for _ in 0..20 {
            world.step();
            if world.over.is_some() {
                break;
            }
        }
    }
    assert_eq!(world.over, Some(EndedBy::Failure));
    assert!(world.plan.tally().fatal.is_some());
}
