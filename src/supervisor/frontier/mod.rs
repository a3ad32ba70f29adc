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
//! - `hosts`: the hosts, and the table of them; `limits`: how much of each may be leased.
//! - `pull`: what the store is asked for, and what becomes of its answers.
//! - `lease`: URLs on their way to a fetcher, and back.
//! - `waiting`: URLs that come again later, hosts that are held or rest.
//! - `health`: hosts that want to be left alone, and hosts that fail.
//! - `sharing`: work for slots that have run dry.
//!
//! Pure: no clock, no I/O; callers pass `now`.

mod health;
mod hosts;
mod lease;
mod limits;
mod pull;
mod sharing;
mod waiting;

use std::collections::{HashSet, VecDeque};

use super::partition::Partition;
pub use health::{GivenUp, Judgement, Trouble};
pub use hosts::HostRef;
use hosts::{Host, Queued, Table};
pub use lease::Demand;
use lease::Quota;
pub use limits::{HostLimits, LimitsOf, Room};
use pull::Pulls;
pub use pull::{MAX_HOSTS, Swept};
use seine_core::record::UrlId;
use seine_core::time::Mono;
pub use sharing::Share;
use waiting::Waiting;

/// The window of the frontier that is in memory.
#[derive(Debug)]
pub struct Frontier {
    room: Room,
    limits: LimitsOf,
    /// Failures in a row that are too many; 0: never.
    max_failures: u32,
    partition: Partition,
    hosts: Table,
    /// Hosts that are held: they keep no other from coming.
    asleep: usize,
    /// URLs queued or delayed here.
    held: HashSet<UrlId>,
    /// Those of them that were leased before.
    counted: usize,
    /// For each slot, the hosts that could be leased from, in turn.
    rings: Vec<VecDeque<HostRef>>,
    /// For each slot, whether a host is on its way there.
    invited: Vec<bool>,
    /// When hosts may be looked through for one to share.
    next_lane_at: Mono,
    waiting: Waiting,
    pulls: Pulls,
    quota: Quota,
}

/// Where a URL is put into the queue of its host.
#[derive(Clone, Copy, Debug)]
enum End {
    Front,
    /// Behind those that come sooner.
    ByRank,
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
            hosts: Table::default(),
            asleep: 0,
            held: HashSet::new(),
            counted: 0,
            rings: vec![VecDeque::new(); slots],
            invited: vec![false; slots],
            next_lane_at: Mono::EARLIEST,
            waiting: Waiting::default(),
            pulls: Pulls::new(),
            quota: Quota::default(),
        }
    }

    /// URLs queued or delayed.
    pub fn urls(&self) -> usize {
        self.held.len()
    }

    /// Hosts with queued or leased URLs.
    pub fn active_hosts(&self) -> usize {
        self.hosts.len()
    }

    /// The shortest time within which the host that takes longest can be done, in milliseconds, if `pending` URLs are
    /// left in all. Of URLs that only the store has it is known of whom they are where few hosts have more there.
    pub fn shortest_ms(&self, pending: u64) -> u64 {
        let here = |host: &Host| host.queue.len() as u64 + u64::from(host.leased) + u64::from(host.delayed);
        let (mut all, mut with_more) = (0, 0);
        for host in self.hosts.iter() {
            all += here(host);
            with_more += u64::from(host.more);
        }
        // Before a round has found nothing new, there may be other hosts.
        let elsewhere = if self.pulls.has_seen_all_hosts() { pending.saturating_sub(all) } else { 0 };
        let share = elsewhere.checked_div(with_more).unwrap_or(0);
        let ms = |host: &Host| (here(host) + if host.more { share } else { 0 }).saturating_mul(host.limits.delay_ms);
        self.hosts.iter().map(ms).max().unwrap_or(0)
    }

    /// Whether a URL is queued or delayed here that was leased before in this run.
    pub fn has_counted(&self) -> bool {
        self.counted > 0
    }

    /// Whether hosts have had their limits, and nothing of others is here or to be found in the store.
    pub fn is_spent(&self) -> bool {
        self.quota.has_left_urls
            && self.pulls.have_found_all()
            && self.held.is_empty()
            && self.hosts.iter().all(Host::is_idle)
    }

    /// Name of an active host.
    pub fn name(&self, host: HostRef) -> &str {
        self.hosts.get(host).map_or("", |host| &host.name)
    }

    /// The host called `name`, if it is active or rests.
    pub fn find(&self, name: &str) -> Option<HostRef> {
        self.hosts.find(name)
    }

    /// The entry of the host called `name`, made if need be.
    fn host(&mut self, name: &str, now: Mono) -> HostRef {
        if let Some(at) = self.hosts.find(name) {
            return at;
        }
        let home = self.partition.settle(name);
        self.hosts.insert(Host::new(name, self.limits.host(name), home, now))
    }

    fn enqueue(&mut self, at: HostRef, queued: Queued, end: End) {
        self.held.insert(queued.job.url_id);
        let Some(host) = self.hosts.get_mut(at) else { return };
        self.counted += usize::from(queued.counted);
        match end {
            End::Front => host.queue.push_front(queued),
            End::ByRank => host.queue_by_rank(queued),
        }
    }

    /// Puts the host where its state belongs: the ring of its slot, the refill list, another slot, or to rest.
    fn refresh(&mut self, at: HostRef, now: Mono) {
        let Some(host) = self.hosts.get_mut(at) else { return };
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
        if !host.refilling && host.held_until <= now && host.wants_more(self.pulls.growth()) {
            host.refilling = true;
            self.pulls.refill(at);
        }
        if !host.resting && host.is_idle() {
            host.resting = true;
            self.waiting.rest(at, host.rest_until().max(now));
        }
    }

    fn forget(&mut self, at: HostRef) {
        if let Some(mut host) = self.hosts.remove(at) {
            if let Some(slot) = host.lanes.abandon() {
                self.invited[usize::from(slot)] = false;
            }
            self.pulls.left(host.id.map(|_| host.seen));
            self.partition.left(host.lanes.home());
            self.asleep -= usize::from(host.asleep);
        }
    }
}

#[cfg(test)]
mod tests;
