//! The hosts in memory: what is queued of each, what is leased, what keeps it back; and the table of them.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::limits::HostLimits;
use super::pull::FIRST_DEPTH;
use crate::supervisor::breaker::Breaker;
use crate::supervisor::lanes::Lanes;
use seine_core::protocol::{HostId, Job, Position, Slot};
use seine_core::time::Mono;

/// URLs of one host that may be leased and not committed while their answers come from an archive.
const ARCHIVED_WINDOW: u32 = 256;
/// Of the URLs of a host one in so many is the oldest of those that others come before.
const ELDER_TURN: u32 = 8;

/// Index of a host in memory; valid while it is active or resting.
pub type HostRef = usize;

#[derive(Debug)]
pub(super) struct Host {
    pub name: Box<str>,
    pub limits: HostLimits,
    /// Its row; `None` while only a redirect has named it.
    pub id: Option<HostId>,
    pub lanes: Lanes,
    pub queue: VecDeque<Queued>,
    pub leased: u32,
    /// URLs up to here have been pulled.
    pub cursor: Position,
    /// What is before the cursor is to be pulled once more.
    pub rewinds: bool,
    /// The store has some of this rank that may come before those that are queued.
    pub ahead: Option<i32>,
    /// URLs taken from the queue.
    pub turn: u32,
    /// The store may have more after the cursor.
    pub more: bool,
    /// How often the store had grown when it was last asked for this host.
    pub seen: u64,
    /// It is among those the store is to be asked for, or was asked for.
    pub refilling: bool,
    /// The store was asked for more of it and has not answered yet.
    pub asked: bool,
    /// URLs asked for at a time.
    pub depth: u32,
    /// URLs of it among the delayed ones.
    pub delayed: u32,
    pub resting: bool,
    /// Its last activity: no other fetcher may start a request within a delay of it.
    pub active_at: Mono,
    /// Up to this time another process than its present fetcher may have started requests.
    pub asked_at: Option<Mono>,
    /// Nothing is leased before this.
    pub held_until: Mono,
    /// Held because it failed.
    pub aside_until: Mono,
    /// Held, and counted among those that are.
    pub asleep: bool,
    pub breaker: Breaker,
    /// It has answered, so its robots.txt is in the store.
    pub answered: bool,
    /// Waits for its last lease to close before it moves to another slot.
    pub moving: Option<Slot>,
}

/// A URL that waits to be leased.
#[derive(Debug)]
pub(super) struct Queued {
    pub job: Job,
    /// The lower, the sooner.
    pub rank: i32,
    /// Leased before in this run, so it does not count against `--limit` and `--host-limit` again.
    pub counted: bool,
}

impl Host {
    /// A host that has just been named and lives in `home`.
    pub fn new(name: &str, limits: HostLimits, home: Slot, now: Mono) -> Self {
        Self {
            name: name.into(),
            limits,
            id: None,
            lanes: Lanes::new(home),
            queue: VecDeque::new(),
            leased: 0,
            cursor: Position::START,
            rewinds: false,
            ahead: None,
            turn: 0,
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
        }
    }

    /// Whether the store, which has grown `growth` times, is to be asked for more of it.
    pub fn wants_more(&self, growth: u64) -> bool {
        let half = self.depth as usize / 2;
        let few = self.more && self.queue.len() < half || self.ahead.is_some_and(|rank| self.comes_before(rank, half));
        let maybe = self.seen < growth && self.queue.is_empty();
        self.id.is_some() && (few || maybe)
    }

    /// Whether a URL of this rank would be among the first `number` of the queue.
    fn comes_before(&self, rank: i32, number: usize) -> bool {
        self.queue.get(number.saturating_sub(1)).is_none_or(|queued| queued.rank > rank)
    }

    /// Puts a URL behind those of its rank and of lower ones. What was leased before stays ahead of all.
    pub fn queue_by_rank(&mut self, queued: Queued) {
        let ahead = |other: &Queued| other.counted || other.rank <= queued.rank;
        let at = self.queue.iter().rposition(ahead).map_or(0, |last| last + 1);
        self.queue.insert(at, queued);
    }

    /// The place in the queue of the URL that comes next: the first, or now and then the oldest of a later rank, which
    /// might wait for ever otherwise.
    pub fn next(&self) -> Option<usize> {
        let (first, last) = (self.queue.front()?, self.queue.back()?);
        if first.counted || first.rank >= last.rank || self.turn % ELDER_TURN < ELDER_TURN - 1 {
            return Some(0);
        }
        let later = self.queue.iter().enumerate().filter(|(_, queued)| !queued.counted && queued.rank > first.rank);
        later.min_by_key(|(_, queued)| queued.job.url_id).map(|(at, _)| at)
    }

    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.leased == 0 && self.delayed == 0 && !self.more
    }

    /// URLs that may be leased to `slot`.
    pub fn room(&self, slot: Slot) -> u32 {
        match self.window() {
            1 => 1_u32.saturating_sub(self.leased),
            window => self.lanes.room(slot, window),
        }
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

    /// When no other fetcher can come too early any more.
    pub fn rest_until(&self) -> Mono {
        self.active_at.max(self.asked_at.unwrap_or_default()).plus_ms(self.limits.delay_ms).max(self.held_until)
    }
}

/// All hosts in memory.
#[derive(Debug, Default)]
pub(super) struct Table {
    hosts: Vec<Option<Host>>,
    free: Vec<HostRef>,
    by_name: HashMap<Box<str>, HostRef>,
    /// Their rows.
    pub ids: BTreeMap<HostId, HostRef>,
}

impl Table {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    pub fn find(&self, name: &str) -> Option<HostRef> {
        self.by_name.get(name).copied()
    }

    pub fn get(&self, at: HostRef) -> Option<&Host> {
        self.hosts[at].as_ref()
    }

    pub fn get_mut(&mut self, at: HostRef) -> Option<&mut Host> {
        self.hosts[at].as_mut()
    }

    /// All indices that may be in use.
    pub fn refs(&self) -> std::ops::Range<HostRef> {
        0..self.hosts.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Host> {
        self.hosts.iter().flatten()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (HostRef, &mut Host)> {
        self.hosts.iter_mut().enumerate().filter_map(|(at, host)| Some((at, host.as_mut()?)))
    }

    /// All hosts, beginning with another one for another `turn`.
    pub fn iter_from(&self, turn: u64) -> impl Iterator<Item = &Host> {
        let begin = turn as usize % self.hosts.len().max(1);
        self.hosts[begin..].iter().chain(&self.hosts[..begin]).flatten()
    }

    pub fn insert(&mut self, host: Host) -> HostRef {
        let at = self.free.pop().unwrap_or_else(|| {
            self.hosts.push(None);
            self.hosts.len() - 1
        });
        self.by_name.insert(host.name.clone(), at);
        self.hosts[at] = Some(host);
        at
    }

    pub fn remove(&mut self, at: HostRef) -> Option<Host> {
        let host = self.hosts[at].take()?;
        self.by_name.remove(&host.name);
        if let Some(id) = host.id {
            self.ids.remove(&id);
        }
        self.free.push(at);
        Some(host)
    }
}
