//! What is still to do, host by host: the part of it that is in memory.
//!
//! The store holds the whole frontier; this holds a bounded window of it, refilled from the store before it runs low.
//! A host with queued or leased URLs is *active* and lives in one slot, or in several that share it ([`super::lanes`]);
//! after its last URL it *rests* for one delay, so that whatever fetcher gets it next cannot come too early, and is then
//! forgotten.
//!
//! A host may be *held*: because it asked to be left alone for a while, or because it has failed too often in a row
//! and [`super::breaker`] has put it aside. Nothing of a held host is leased, so it takes nobody's place.
//!
//! Pure: no clock, no I/O; callers pass `now`.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::rc::Rc;

use super::breaker::{Breaker, Trip};
use super::lanes::Lanes;
use super::partition::Partition;
use seine_core::protocol::{HostCandidates, HostId, Job, Lease, NOT_ASKED, Pull, Slot, Sweep};
use seine_core::record::{LONGEST_PAUSE_MS, UrlId};
use seine_core::time::{Mono, Now, Wall};

/// Hosts active at once at most. Each may start a request every delay, so this is no brake on the pace.
pub const MAX_HOSTS: usize = 8_192;
/// Hosts held at once at most, while others are looked for.
const MAX_ASLEEP: usize = 4 * MAX_HOSTS;
/// URLs of one host in one lease message, so that hosts take turns.
const JOBS_PER_LEASE: usize = 32;
/// URLs of a host in its first pull. A host that works them off quickly gets twice as many each time, so that slow
/// hosts cannot fill the memory that fast ones need.
const FIRST_DEPTH: u32 = 16;
/// URLs of a host in one pull at most.
const MAX_DEPTH: u32 = 1024;
/// URLs of one host that may be leased and not committed while their answers come from an archive.
const ARCHIVED_WINDOW: u32 = 256;
/// A pause that a host asks for, from which on it is put aside at once.
const LONG_PAUSE_MS: u64 = 10_000;
/// Hosts that are here already and that one pull passes over, at most.
const PASSED_OVER: usize = 4_096;
/// Pause after a sweep that found nothing new.
const SWEEP_PAUSE_MS: u64 = 200;
/// The longest, after many such in a row.
const LONGEST_SWEEP_PAUSE_MS: u64 = 5_000;
/// How often hosts are looked through for one that a slot without any could share.
const LANE_PAUSE_MS: u64 = 50;
/// URLs of a host in memory from which on another lane is worth it.
const WORTH_A_LANE: usize = 16;

/// Index of a host in memory; valid while it is active or resting.
pub type HostRef = usize;

/// What the pace of a host means for leases.
#[derive(Clone, Copy, Debug)]
pub struct HostLimits {
    /// Smallest gap between request starts.
    pub delay_ms: u64,
    /// URLs of one host that may be leased to a fetcher and not committed.
    pub window: u32,
    /// URLs of one host that may be leased for the first time; 0: any.
    pub urls: u64,
    /// Requests in flight.
    pub places: u32,
    /// Whether nothing else limits it, so that several fetchers may have a part of them each.
    pub shared: bool,
}

/// The limits of each host, by name.
#[derive(Clone)]
pub struct LimitsOf(Rc<dyn Fn(&str) -> HostLimits>);

impl LimitsOf {
    /// As `of` says.
    pub fn new(of: impl Fn(&str) -> HostLimits + 'static) -> Self {
        Self(Rc::new(of))
    }

    /// The same for all.
    pub fn all(limits: HostLimits) -> Self {
        Self::new(move |_| limits)
    }

    /// Those of the host called `name`.
    pub fn host(&self, name: &str) -> HostLimits {
        (self.0)(name)
    }
}

impl fmt::Debug for LimitsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LimitsOf")
    }
}

/// What is the matter with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It failed.
    Failed,
    /// It was asked too much.
    Busy,
    /// What all of its URLs wait for did not come in all the time there is: once is as bad as many a failure.
    Gate,
}

/// What became of the URLs of a host that was given up.
#[derive(Debug)]
pub struct GivenUp {
    /// Its row; `None` if only redirects have named it.
    pub id: Option<HostId>,
    /// URLs that were listed for other hosts and redirected to this one.
    pub guests: Vec<UrlId>,
}

#[derive(Debug)]
struct Host {
    name: Box<str>,
    limits: HostLimits,
    /// Its row; `None` while only a redirect has named it.
    id: Option<HostId>,
    lanes: Lanes,
    queue: VecDeque<Queued>,
    leased: u32,
    /// Ids up to here have been pulled.
    cursor: UrlId,
    /// The store may have more after the cursor.
    more: bool,
    /// [`Frontier::growth`] when it was last asked for.
    seen: u64,
    /// It is among those the store is to be asked for, or was asked for.
    refilling: bool,
    /// The store was asked for more of it and has not answered yet.
    asked: bool,
    /// URLs asked for at a time.
    depth: u32,
    /// URLs of it among the delayed ones.
    delayed: u32,
    resting: bool,
    /// Its last activity: no other fetcher may start a request within a delay of it.
    active_at: Mono,
    /// Up to this time another process than its present fetcher may have started requests.
    asked_at: Option<Mono>,
    /// Nothing is leased before this.
    held_until: Mono,
    /// Held because it failed.
    aside_until: Mono,
    /// Held, and counted among [`Frontier::asleep`].
    asleep: bool,
    breaker: Breaker,
    /// It has answered, so its robots.txt is in the store.
    answered: bool,
    /// Waits for its last lease to close before it moves to another slot.
    moving: Option<Slot>,
}

#[derive(Debug)]
struct Queued {
    job: Job,
    /// Leased before in this run, so it does not count against `--limit` and `--host-limit` again.
    counted: bool,
}

/// How much of the frontier is in memory.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// URLs held at most, whatever the length of the lists.
    pub urls: usize,
    /// Hosts asked for in one pull, and 16 times as many URLs of new ones.
    pub hosts_per_pull: usize,
}

/// The window of the frontier that is in memory.
#[derive(Debug)]
pub struct Frontier {
    room: Room,
    limits: LimitsOf,
    /// Failures in a row that are too many; 0: never.
    max_failures: u32,
    partition: Partition,
    hosts: Vec<Option<Host>>,
    free: Vec<HostRef>,
    by_name: HashMap<Box<str>, HostRef>,
    /// Rows of the hosts here.
    ids: BTreeSet<HostId>,
    /// How often URLs were added to the store, and that as of the pull that was last asked for.
    growth: u64,
    asked_growth: u64,
    /// When that last made URLs pending that were fetched before: their ids may be lower than any.
    rewound: u64,
    /// For each slot, the hosts that could be leased from, in turn.
    rings: Vec<VecDeque<HostRef>>,
    /// URLs that wait for a time of the wall clock: (due, tie-break).
    delayed: BinaryHeap<Reverse<(Wall, UrlId)>>,
    delayed_jobs: HashMap<UrlId, (HostRef, Queued)>,
    /// Hosts that rest until a time.
    resting: BinaryHeap<Reverse<(Mono, HostRef)>>,
    /// Hosts held until a time.
    waking: BinaryHeap<Reverse<(Mono, HostRef)>>,
    refills: VecDeque<HostRef>,
    /// URLs queued or delayed here.
    held: HashSet<UrlId>,
    active: usize,
    /// Hosts that are held: they keep no other from coming.
    asleep: usize,
    /// Queued and delayed URLs that were leased before.
    counted: usize,
    /// URLs leased for the first time of each host that has a limit. Hosts come and go; this stays.
    taken: HashMap<HostId, u64>,
    /// URLs were left to the store because their host has had its limit.
    left: bool,
    /// For each slot, whether a host is on its way there.
    invited: Vec<bool>,
    /// Where the present sweep got to; 0: none is under way.
    sweep_after: HostId,
    /// Something the present sweep may have missed.
    sweep_again: bool,
    sweep_found: bool,
    /// The present or last round has left out hosts that are here.
    passed_over: bool,
    /// When a whole round last found nothing new.
    swept_in_vain_at: Option<Mono>,
    /// How long to wait after it.
    sweep_pause_ms: u64,
    pulling: bool,
    /// When hosts may be looked through for one to share.
    next_lane_at: Mono,
}

/// What a fetcher is to be told before a lane of a host opens elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The fetcher.
    pub slot: Slot,
    /// The host.
    pub host: String,
    /// Requests in flight it may have of it from now on.
    pub places: u32,
}

impl Frontier {
    /// An empty frontier. A host is put aside after `max_failures` in a row, if that is not 0.
    pub fn new(partition: Partition, limits: LimitsOf, max_failures: u32, room: Room) -> Self {
        let slots = partition.slots();
        Self {
            room,
            limits,
            max_failures,
            partition,
            hosts: Vec::new(),
            free: Vec::new(),
            by_name: HashMap::new(),
            ids: BTreeSet::new(),
            growth: 1,
            asked_growth: 0,
            rewound: 0,
            rings: vec![VecDeque::new(); slots],
            delayed: BinaryHeap::new(),
            delayed_jobs: HashMap::new(),
            resting: BinaryHeap::new(),
            waking: BinaryHeap::new(),
            refills: VecDeque::new(),
            held: HashSet::new(),
            active: 0,
            asleep: 0,
            counted: 0,
            taken: HashMap::new(),
            left: false,
            invited: vec![false; slots],
            sweep_after: 0,
            sweep_again: true,
            sweep_found: false,
            passed_over: false,
            swept_in_vain_at: None,
            sweep_pause_ms: SWEEP_PAUSE_MS,
            pulling: false,
            next_lane_at: Mono::EARLIEST,
        }
    }

    /// URLs queued or delayed.
    pub fn urls(&self) -> usize {
        self.held.len()
    }

    /// Hosts with queued or leased URLs.
    pub fn active_hosts(&self) -> usize {
        self.active
    }

    /// Whether a URL is queued or delayed here that was leased before in this run.
    pub fn has_counted(&self) -> bool {
        self.counted > 0
    }

    /// Whether hosts have had their limits, and nothing of others is here or to be found in the store.
    pub fn is_spent(&self) -> bool {
        self.left
            && !self.pulling
            && !self.sweep_again
            && self.sweep_after == 0
            && self.swept_in_vain_at.is_some()
            && !self.passed_over
            && self.refills.is_empty()
            && self.held.is_empty()
            && self.hosts.iter().flatten().all(Host::is_idle)
    }

    /// URLs have become pending in the store; `again`: such that were fetched before, too.
    pub fn store_grew(&mut self, again: bool) {
        self.growth += 1;
        if again {
            self.rewound = self.growth;
        }
        self.sweep_again = true;
        self.sweep_pause_ms = SWEEP_PAUSE_MS;
    }

    /// What to ask the store for, if anything: `unknown` is how many pending URLs it has that are neither here nor
    /// leased. At most one pull is under way at a time.
    pub fn pull(&mut self, unknown: u64, now: Mono) -> Option<Pull> {
        if self.pulling || unknown == 0 || self.held.len() >= self.room.urls {
            return None;
        }
        let mut pull = Pull { per_host: FIRST_DEPTH, ..Pull::default() };
        while pull.refills.len() < self.room.hosts_per_pull {
            let Some(at) = self.refills.pop_front() else { break };
            let Some(host) = self.hosts[at].as_mut() else { continue };
            let Some(id) = host.id.filter(|_| host.more || host.seen < self.growth) else {
                host.refilling = false;
                continue;
            };
            if host.seen < self.rewound {
                host.cursor = 0;
            }
            host.asked = true;
            pull.refills.push((id, host.cursor, host.depth));
        }
        let dry = pull.refills.is_empty() && self.rings.iter().all(VecDeque::is_empty);
        let awake = self.active - self.asleep;
        if awake < MAX_HOSTS
            && self.asleep < MAX_ASLEEP
            && (self.sweep_again || self.sweep_after > 0 || dry)
            && self.swept_in_vain_at.is_none_or(|at| now >= at.plus_ms(self.sweep_pause_ms))
        {
            if self.sweep_after == 0 {
                (self.sweep_again, self.sweep_found, self.passed_over) = (false, false, false);
            }
            // Hosts with few URLs, as at the beginning of a long list, shall not mean as many pulls.
            let (hosts, urls) = ((MAX_HOSTS - awake) as u32, self.room.hosts_per_pull as u32 * FIRST_DEPTH);
            // Hosts that are here ask for more by themselves; where nothing is left they are looked at all the same.
            let mut but = Vec::new();
            if !dry {
                but.extend(self.ids.range(self.sweep_after + 1..).take(PASSED_OVER));
            }
            let until = but.last().filter(|_| but.len() == PASSED_OVER).map_or(HostId::MAX, |last| *last);
            self.passed_over |= !but.is_empty();
            pull.sweep = Some(Sweep { after: self.sweep_after, hosts, urls, but, until });
        }
        let asks = !pull.refills.is_empty() || pull.sweep.is_some();
        self.pulling = asks;
        self.asked_growth = self.growth;
        asks.then_some(pull)
    }

    /// The answer to a pull; `swept` says where its sweep got to, if it had one. URLs for which `is_leased` holds, and
    /// those already here, are passed over: pulling may always be repeated.
    pub fn pulled(
        &mut self,
        hosts: Vec<HostCandidates>,
        swept: Option<Option<HostId>>,
        is_leased: impl Fn(UrlId) -> bool,
        now: Now,
    ) {
        self.pulling = false;
        for candidates in hosts {
            let at = self.host(&candidates.host, now.mono);
            self.ids.insert(candidates.host_id);
            let mut refilled = false;
            if let Some(host) = self.hosts[at].as_mut() {
                host.seen = host.seen.max(self.asked_growth);
                host.id = Some(candidates.host_id);
                let is_unpaced = candidates.urls.last().is_some_and(|last| last.archived.is_some());
                refilled = std::mem::take(&mut host.asked);
                host.refilling &= !refilled;
                if refilled && (host.limits.delay_ms == 0 || is_unpaced) {
                    host.depth = (host.depth * 2).min(MAX_DEPTH);
                }
                host.more = candidates.more;
                // A sweep begins with the host's first URL, whatever was asked for before.
                let before = if refilled { host.cursor } else { 0 };
                host.cursor = before.max(candidates.urls.last().map_or(0, |last| last.url_id));
            }
            if self.has_had_its_limit(at) {
                self.leave_to_store(at);
                self.left |= !candidates.urls.is_empty();
                self.refresh(at, now.mono);
                continue;
            }
            let hold_ms = Wall::from_ms(candidates.hold_until).ms_since(now.wall).min(LONGEST_PAUSE_MS);
            self.hold(at, now.mono.plus_ms(hold_ms), now.mono);
            if let Some(host) = self.hosts[at].as_mut() {
                // There are thousands of such queues: room to spare would be most of the memory here.
                host.queue.reserve_exact(candidates.urls.len());
            }
            for candidate in candidates.urls {
                if is_leased(candidate.url_id) || self.held.contains(&candidate.url_id) {
                    continue;
                }
                self.sweep_found |= !refilled;
                let job = Job {
                    url_id: candidate.url_id,
                    url: candidate.url,
                    attempts: candidate.attempts,
                    forgiven: candidate.forgiven,
                    validators: candidate.validators,
                    hops: Vec::new(),
                    started_at: 0,
                    trail: Vec::new(),
                    errand: None,
                    archived: candidate.archived,
                    failed: None,
                };
                let due_at = Wall::from_ms(candidate.due_at);
                if due_at > now.wall {
                    self.delay(at, Queued { job, counted: false }, due_at, now.wall);
                } else {
                    self.enqueue(at, job, false, false);
                }
            }
            self.refresh(at, now.mono);
        }
        if let Some(reached) = swept {
            self.sweep_after = reached.unwrap_or(0);
            if reached.is_none() {
                // A whole round: go on at once only if it was worth it.
                self.sweep_again |= self.sweep_found;
                if self.sweep_found {
                    self.swept_in_vain_at = None;
                } else {
                    self.swept_in_vain_at = Some(now.mono);
                    self.sweep_pause_ms = (2 * self.sweep_pause_ms).min(LONGEST_SWEEP_PAUSE_MS);
                }
            }
        }
    }

    /// The answer to a pull will never come (the writer died).
    pub fn pull_lost(&mut self) {
        self.pulling = false;
        self.sweep_after = 0;
        // Nor will some acknowledgements: what was committed is not new when it is sent once more.
        self.store_grew(true);
        self.refills.clear();
        for at in 0..self.hosts.len() {
            if let Some(host) = self.hosts[at].as_mut() {
                (host.refilling, host.asked) = (false, false);
                if host.wants_more(self.growth) {
                    host.refilling = true;
                    self.refills.push_back(at);
                }
            }
        }
    }

    /// Puts a URL at the front of the queue of `host`: it was leased before, or a redirect led it here.
    pub fn put_back(&mut self, host: &str, job: Job, now: Mono) {
        let at = self.host(host, now);
        self.enqueue(at, job, true, true);
        self.refresh(at, now);
    }

    /// Keeps a URL of `host` until the wall clock reads `due_at`; if memory is full, leaves it to the store.
    pub fn put_off(&mut self, host: &str, job: Job, due_at: Wall, now: Now) {
        if self.held.len() < 2 * self.room.urls {
            let at = self.host(host, now.mono);
            self.delay(at, Queued { job, counted: true }, due_at, now.wall);
        } else {
            // Whoever runs dry looks for it in the store.
            self.store_grew(true);
        }
    }

    /// Leases nothing of `host` before `until`.
    pub fn hold(&mut self, host: HostRef, until: Mono, now: Mono) {
        if let Some(entry) = self.hosts[host].as_mut()
            && until > now
            && until > entry.held_until
        {
            entry.held_until = until;
            self.waking.push(Reverse((until, host)));
            if !std::mem::replace(&mut entry.asleep, true) {
                self.asleep += 1;
            }
            // (An answer under way would have the last word on what is here.)
            if until > now.plus_ms(LONG_PAUSE_MS) && entry.id.is_some() && !entry.asked {
                // What the store has as well need not wait here.
                let (kept, rest): (VecDeque<_>, VecDeque<_>) =
                    entry.queue.drain(..).partition(|queued| queued.counted || !queued.job.hops.is_empty());
                entry.queue = kept;
                if !rest.is_empty() {
                    (entry.cursor, entry.more) = (0, true);
                    for queued in rest {
                        self.held.remove(&queued.job.url_id);
                    }
                }
            }
        }
    }

    /// The smallest gap between requests to the host called `name` is this. If it was shared, its slots: nobody but the
    /// first may go on asking it, and that one not before it knows when the others have.
    pub fn pace(&mut self, name: &str, delay_ms: u64, now: Mono) -> Vec<Slot> {
        let mut others = Vec::new();
        if let Some(&at) = self.by_name.get(name)
            && let Some(host) = self.hosts[at].as_mut()
        {
            // A pace is exact in one place only.
            host.limits.shared = false;
            let home = host.lanes.home();
            others = host.lanes.narrow();
            if !others.is_empty() {
                host.asked_at = Some(now);
                others.push(home);
            }
            if let Some(slot) = host.lanes.abandon() {
                self.invited[usize::from(slot)] = false;
            }
            host.limits.delay_ms = delay_ms;
            // A slow host shall not keep leases for minutes that others could use now.
            host.limits.window = host.limits.window.min(2 + 2_000_u64.checked_div(delay_ms).unwrap_or(4096) as u32);
        }
        others
    }

    /// `host` answered, whatever it said.
    pub fn well(&mut self, host: HostRef) {
        if let Some(entry) = self.hosts[host].as_mut() {
            entry.breaker.well();
            entry.answered = true;
        }
    }

    /// A request to `host` failed in a way that tells of the host. If that was once too often it is put aside:
    /// `Some(true)` if it was for the last time, and its URLs are to be ended.
    pub fn trouble(&mut self, host: HostRef, trouble: Trouble, now: Mono) -> Option<bool> {
        let entry = self.hosts[host].as_mut()?;
        // The retries of a few URLs are bound to end soon by themselves.
        let left = entry.queue.len() + entry.delayed as usize;
        if !entry.breaker.is_probing() && !entry.more && left <= self.max_failures as usize {
            return None;
        }
        // What was under way when it was put aside tells nothing new.
        if self.max_failures == 0 || entry.aside_until > now {
            return None;
        }
        // Who asks for a long pause has said enough.
        let is_enough = trouble == Trouble::Gate || entry.held_until > now.plus_ms(LONG_PAUSE_MS);
        let most = if is_enough { 1 } else { self.max_failures };
        match entry.breaker.failed(most, trouble == Trouble::Busy)? {
            Trip::Aside { pause_ms } => {
                entry.aside_until = entry.held_until.max(now.plus_ms(pause_ms));
                self.hold(host, now.plus_ms(pause_ms), now);
                Some(false)
            }
            Trip::Down => Some(true),
        }
    }

    /// The slots of `host` with its name, if URLs of it are with fetchers.
    pub fn away(&self, host: HostRef) -> impl Iterator<Item = (Slot, String)> {
        let away = self.hosts[host].as_ref().filter(|entry| entry.leased > 0);
        away.into_iter().flat_map(|entry| entry.lanes.slots().map(|slot| (slot, entry.name.to_string())))
    }

    /// All hosts of which URLs are with fetchers.
    pub fn all_away(&self) -> impl Iterator<Item = (Slot, String)> {
        (0..self.hosts.len()).flat_map(|host| self.away(host))
    }

    /// Hosts with queued URLs, each with one of them; others at another time.
    pub fn some(&self, now: Mono) -> impl Iterator<Item = (&str, &str)> {
        let begin = now.ms() as usize % self.hosts.len().max(1);
        let hosts = self.hosts[begin..].iter().chain(&self.hosts[..begin]).flatten();
        hosts.filter_map(|host| {
            let first = host.queue.iter().find(|queued| queued.job.archived.is_none() && queued.job.hops.is_empty())?;
            Some((&*host.name, &*first.job.url))
        })
    }

    /// Forgets the URLs of `host` that are here: they are to be ended in the store.
    pub fn give_up(&mut self, host: HostRef, now: Mono) -> GivenUp {
        let mut given_up = GivenUp { id: None, guests: Vec::new() };
        let Some(entry) = self.hosts[host].as_mut() else { return given_up };
        given_up.id = entry.id;
        let mut gone: Vec<Queued> = entry.queue.drain(..).collect();
        if entry.delayed > 0 {
            // Their times stay in the heap and find nothing.
            let delayed: Vec<_> =
                self.delayed_jobs.iter().filter(|(_, (at, _))| *at == host).map(|(url_id, _)| *url_id).collect();
            gone.extend(delayed.iter().filter_map(|url_id| self.delayed_jobs.remove(url_id)).map(|(_, queued)| queued));
            entry.delayed = 0;
        }
        entry.more = false;
        for queued in gone {
            self.held.remove(&queued.job.url_id);
            self.counted -= usize::from(queued.counted);
            if given_up.id.is_none() || !queued.job.hops.is_empty() || queued.job.errand.is_some() {
                given_up.guests.push(queued.job.url_id);
            }
        }
        given_up.guests.sort_unstable();
        self.refresh(host, now);
        given_up
    }

    /// Moves URLs whose time has come to their hosts' queues, forgets hosts that have rested enough.
    pub fn tick(&mut self, now: Now) {
        while let Some(&Reverse((due_at, url_id))) = self.delayed.peek() {
            if due_at > now.wall {
                break;
            }
            self.delayed.pop();
            if let Some((at, queued)) = self.delayed_jobs.remove(&url_id) {
                self.held.remove(&url_id);
                self.counted -= usize::from(queued.counted);
                if let Some(host) = self.hosts[at].as_mut() {
                    host.delayed -= 1;
                }
                // Ahead of URLs that --limit may not let pass any more.
                self.enqueue(at, queued.job, true, queued.counted);
                self.refresh(at, now.mono);
            }
        }
        while let Some(&Reverse((until, at))) = self.waking.peek() {
            if until > now.mono {
                break;
            }
            self.waking.pop();
            if let Some(host) = self.hosts[at].as_mut()
                && host.asleep
                && host.held_until <= now.mono
            {
                host.asleep = false;
                self.asleep -= 1;
            }
            self.refresh(at, now.mono);
        }
        while let Some(&Reverse((until, at))) = self.resting.peek() {
            if until > now.mono {
                break;
            }
            self.resting.pop();
            let Some(host) = self.hosts[at].as_mut() else { continue };
            host.resting = false;
            if !host.is_idle() {
                continue;
            }
            let until = host.rest_until();
            if until <= now.mono {
                self.forget(at);
            } else {
                // It was active again for a while.
                host.resting = true;
                self.resting.push(Reverse((until, at)));
            }
        }
    }

    /// When the next held host wakes.
    pub fn next_wake(&self) -> Option<Mono> {
        self.waking.peek().map(|Reverse((until, _))| *until)
    }

    /// The next time of the wall clock at which [`Self::tick`] has a delayed URL.
    pub fn next_due_at(&self) -> Option<Wall> {
        self.delayed.peek().map(|Reverse((due_at, _))| *due_at)
    }

    /// Takes up to `room` URLs for `slot`, a few of each host in turn. `allowance` is how many URLs may still be
    /// leased for the first time; it is lowered. Up to `asked_at` an earlier run may have asked any host.
    pub fn lease(
        &mut self,
        slot: Slot,
        room: usize,
        allowance: &mut u64,
        asked_at: Option<Mono>,
        now: Mono,
    ) -> Vec<(HostRef, Lease)> {
        let mut leases = Vec::new();
        let mut room = room;
        while room > 0 {
            let Some(at) = self.rings[usize::from(slot)].pop_front() else { break };
            let Some(host) = self.hosts[at].as_mut() else { continue };
            if !host.lanes.set_in_ring(slot, false) || host.moving.is_some() || host.held_until > now {
                continue;
            }
            let most = room.min(JOBS_PER_LEASE).min(host.room(slot) as usize);
            let mut jobs = Vec::new();
            while jobs.len() < most {
                let Some(queued) = host.queue.front() else { break };
                if !queued.counted {
                    if *allowance == 0 {
                        break;
                    }
                    if let (Some(id), 1..) = (host.id, host.limits.urls) {
                        let taken = self.taken.entry(id).or_default();
                        if *taken >= host.limits.urls {
                            break;
                        }
                        *taken += 1;
                    }
                    *allowance -= 1;
                }
                let Some(queued) = host.queue.pop_front() else { break };
                self.held.remove(&queued.job.url_id);
                self.counted -= usize::from(queued.counted);
                jobs.push(queued.job);
            }
            let spent = jobs.is_empty();
            if !spent {
                host.leased += jobs.len() as u32;
                host.lanes.leased(slot, jobs.len() as u32);
                host.active_at = now;
                room -= jobs.len();
                let asked = host.asked_at.max(asked_at);
                let ago = asked.map_or(u64::MAX, |at| now.ms_since(at));
                let asked_ms_ago = ago.min(NOT_ASKED.into()) as u32;
                let places = host.lanes.places(slot, host.limits.places);
                let more = host.more || !host.queue.is_empty() || host.delayed > 0;
                leases.push((at, Lease { host: host.name.to_string(), asked_ms_ago, places, jobs, more }));
            }
            if self.has_had_its_limit(at) {
                self.leave_to_store(at);
            }
            if !spent || *allowance > 0 {
                self.refresh(at, now);
            }
        }
        leases
    }

    /// A URL of `host` that was leased to `slot` was committed or came back.
    pub fn closed(&mut self, host: HostRef, slot: Slot, now: Mono) {
        if let Some(entry) = self.hosts[host].as_mut() {
            entry.leased = entry.leased.saturating_sub(1);
            entry.lanes.closed(slot);
            entry.active_at = now;
        }
        self.refresh(host, now);
    }

    /// The fetcher of `slot` is gone and with it the knowledge of its last requests.
    pub fn slot_lost(&mut self, slot: Slot, now: Mono) {
        let of_slot = self.hosts.iter_mut().enumerate().filter_map(|(at, host)| Some((at, host.as_mut()?)));
        let mut opened = Vec::new();
        for (at, host) in of_slot.filter(|(_, host)| host.lanes.has(slot)) {
            host.asked_at = Some(now);
            host.active_at = now;
            opened.extend(host.lanes.shrunk(slot).map(|lane| (at, lane)));
        }
        opened.into_iter().for_each(|(at, lane)| self.lane_opened(at, lane, now));
    }

    /// The fetcher of `slot` keeps to its share of the host called `name`.
    pub fn shrunk(&mut self, name: &str, slot: Slot, now: Mono) {
        if let Some(at) = self.find(name)
            && let Some(lane) = self.hosts[at].as_mut().and_then(|host| host.lanes.shrunk(slot))
        {
            self.lane_opened(at, lane, now);
        }
    }

    fn lane_opened(&mut self, at: HostRef, slot: Slot, now: Mono) {
        self.invited[usize::from(slot)] = false;
        self.refresh(at, now);
    }

    /// Name of an active host.
    pub fn name(&self, host: HostRef) -> &str {
        self.hosts[host].as_ref().map_or("", |host| &host.name)
    }

    /// The host called `name`, if it is active or rests.
    pub fn find(&self, name: &str) -> Option<HostRef> {
        self.by_name.get(name).copied()
    }

    /// The entry of the host called `name`, made if need be.
    fn host(&mut self, name: &str, now: Mono) -> HostRef {
        if let Some(&at) = self.by_name.get(name) {
            return at;
        }
        let host = Host {
            name: name.into(),
            limits: self.limits.host(name),
            id: None,
            lanes: Lanes::new(self.partition.settle(name)),
            queue: VecDeque::new(),
            leased: 0,
            cursor: 0,
            more: false,
            seen: 0,
            refilling: false,
            asked: false,
            depth: FIRST_DEPTH,
            delayed: 0,
            resting: false,
            active_at: now,
            asked_at: None,
            held_until: Mono::EARLIEST,
            aside_until: Mono::EARLIEST,
            asleep: false,
            breaker: Breaker::default(),
            answered: false,
            moving: None,
        };
        let at = self.free.pop().unwrap_or_else(|| {
            self.hosts.push(None);
            self.hosts.len() - 1
        });
        self.hosts[at] = Some(host);
        self.by_name.insert(name.into(), at);
        self.active += 1;
        at
    }

    fn has_had_its_limit(&self, at: HostRef) -> bool {
        let Some(Host { id: Some(id), limits, .. }) = &self.hosts[at] else { return false };
        limits.urls > 0 && self.taken.get(id).is_some_and(|taken| *taken >= limits.urls)
    }

    /// Forgets what is queued of a host that has had its limit, but for what was leased before.
    fn leave_to_store(&mut self, at: HostRef) {
        let Some(host) = self.hosts[at].as_mut() else { return };
        let (kept, rest): (VecDeque<_>, VecDeque<_>) = host.queue.drain(..).partition(|queued| queued.counted);
        host.queue = kept;
        self.left |= host.more || !rest.is_empty();
        host.more = false;
        for queued in rest {
            self.held.remove(&queued.job.url_id);
        }
    }

    fn enqueue(&mut self, at: HostRef, job: Job, front: bool, counted: bool) {
        self.held.insert(job.url_id);
        let Some(host) = self.hosts[at].as_mut() else { return };
        self.counted += usize::from(counted);
        let queued = Queued { job, counted };
        if front {
            host.queue.push_front(queued);
        } else {
            host.queue.push_back(queued);
        }
    }

    fn delay(&mut self, at: HostRef, queued: Queued, due_at: Wall, now: Wall) {
        let url_id = queued.job.url_id;
        // A later time than any retry has was written by a clock that was wrong.
        let due_at = due_at.min(now.plus_ms(LONGEST_PAUSE_MS));
        self.held.insert(url_id);
        self.counted += usize::from(queued.counted);
        if let Some(host) = self.hosts[at].as_mut() {
            host.delayed += 1;
        }
        self.delayed.push(Reverse((due_at, url_id)));
        self.delayed_jobs.insert(url_id, (at, queued));
    }

    /// Puts the host where its state belongs: the ring of its slot, the refill list, another slot, or to rest.
    fn refresh(&mut self, at: HostRef, now: Mono) {
        let Some(host) = self.hosts[at].as_mut() else { return };
        if let (Some(slot), 0) = (host.moving, host.leased) {
            self.partition.moved(host.lanes.home(), slot);
            self.invited[usize::from(slot)] = false;
            host.lanes.move_to(slot);
            host.moving = None;
            host.asked_at = host.asked_at.max(Some(host.active_at));
        }
        if host.moving.is_none() && host.held_until <= now && !host.queue.is_empty() {
            let slots: Vec<_> = host.lanes.slots().filter(|slot| host.room(*slot) > 0).collect();
            for slot in slots {
                if host.lanes.set_in_ring(slot, true) {
                    self.rings[usize::from(slot)].push_back(at);
                }
            }
        }
        if !host.refilling && host.held_until <= now && host.wants_more(self.growth) {
            host.refilling = true;
            self.refills.push_back(at);
        }
        if !host.resting && host.is_idle() {
            host.resting = true;
            self.resting.push(Reverse((host.rest_until().max(now), at)));
        }
    }

    fn forget(&mut self, at: HostRef) {
        if let Some(mut host) = self.hosts[at].take() {
            if let Some(slot) = host.lanes.abandon() {
                self.invited[usize::from(slot)] = false;
            }
            self.by_name.remove(&host.name);
            if let Some(id) = host.id {
                self.ids.remove(&id);
                // A sweep may have passed over it.
                self.sweep_again |= host.seen < self.growth;
            }
            self.partition.left(host.lanes.home());
            self.free.push(at);
            self.active -= 1;
            self.asleep -= usize::from(host.asleep);
            self.sweep_pause_ms = SWEEP_PAUSE_MS;
        }
    }

    /// Gives `slot`, which has run dry, a host of the busiest slot. The host moves once its leases are closed, so that it
    /// is never in two fetchers at once. If no slot has one to spare, a host may be shared: who has it so far is to be
    /// told.
    pub fn invite(&mut self, slot: Slot, now: Mono) -> Vec<Share> {
        let to = usize::from(slot);
        if self.invited[to] || !self.rings[to].is_empty() || self.partition.is_fixed() {
            return Vec::new();
        }
        let busiest = (0..self.rings.len()).max_by_key(|&other| self.rings[other].len());
        let Some(from) = busiest.filter(|&other| other != to && self.rings[other].len() >= 2) else {
            return self.open_lane(slot, now);
        };
        let Some(&at) = self.rings[from].back() else { return Vec::new() };
        if let Some(host) = self.hosts[at].as_mut()
            && host.lanes.count() == 1
            && host.lanes.set_in_ring(from as Slot, false)
        {
            self.rings[from].pop_back();
            host.moving = Some(slot);
            self.invited[to] = true;
            self.refresh(at, now);
        }
        Vec::new()
    }

    /// Begins to open a lane to `slot`, of the host with most to do.
    fn open_lane(&mut self, slot: Slot, now: Mono) -> Vec<Share> {
        if now < self.next_lane_at {
            return Vec::new();
        }
        self.next_lane_at = now.plus_ms(LANE_PAUSE_MS);
        let may_be_shared = |host: &&mut Host| {
            host.limits.shared
                && host.answered
                && host.held_until <= now
                && host.moving.is_none()
                && !host.breaker.is_probing()
                && !host.lanes.is_opening()
                && !host.lanes.has(slot)
                && host.lanes.count() < host.limits.places as usize
                && (host.queue.len() >= WORTH_A_LANE || host.more)
        };
        let Some(host) = self.hosts.iter_mut().flatten().filter(may_be_shared).max_by_key(|host| host.queue.len())
        else {
            return Vec::new();
        };
        host.lanes.open(slot);
        self.invited[usize::from(slot)] = true;
        let share =
            |slot| Share { slot, host: host.name.to_string(), places: host.lanes.places(slot, host.limits.places) };
        host.lanes.slots().map(share).collect()
    }
}

impl Host {
    /// Whether the store is to be asked for more of it; `growth` is [`Frontier::growth`].
    fn wants_more(&self, growth: u64) -> bool {
        let few = self.more && self.queue.len() < self.depth as usize / 2;
        let maybe = self.seen < growth && self.queue.is_empty();
        self.id.is_some() && (few || maybe)
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.leased == 0 && self.delayed == 0 && !self.more
    }

    /// URLs that may be leased and not committed: one while it is tried whether the host has recovered. What an archive
    /// has is asked of no host.
    fn window(&self) -> u32 {
        match self.queue.front() {
            Some(Queued { job: Job { archived: Some(_), .. }, .. }) => ARCHIVED_WINDOW.max(self.limits.window),
            _ if self.breaker.is_probing() => 1,
            _ => self.limits.window,
        }
    }

    /// URLs that may be leased to `slot`.
    fn room(&self, slot: Slot) -> u32 {
        match self.window() {
            1 => 1_u32.saturating_sub(self.leased),
            window => self.lanes.room(slot, window),
        }
    }

    fn rest_until(&self) -> Mono {
        self.active_at.max(self.asked_at.unwrap_or_default()).plus_ms(self.limits.delay_ms).max(self.held_until)
    }
}

#[cfg(test)]
mod tests;
