//! The hosts in memory: what is queued of each, what is leased, what keeps it back; and the table of them.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::limits::HostLimits;
use super::pull::FIRST_DEPTH;
use crate::supervisor::breaker::Breaker;
use crate::supervisor::lanes::Lanes;
use seine_core::protocol::{HostId, Job, Slot};
use seine_core::record::UrlId;
use seine_core::time::Mono;

/// URLs of one host that may be leased and not committed while their answers come from an archive.
const ARCHIVED_WINDOW: u32 = 256;

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
    /// Ids up to here have been pulled.
    pub cursor: UrlId,
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
        }
    }

    /// Whether the store, which has grown `growth` times, is to be asked for more of it.
    pub fn wants_more(&self, growth: u64) -> bool {
        let few = self.more && self.queue.len() < self.depth as usize / 2;
        let maybe = self.seen < growth && self.queue.is_empty();
        self.id.is_some() && (few || maybe)
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
