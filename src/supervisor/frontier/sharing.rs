//! Work for slots that have run dry: a host of another slot, or a lane of one.

use super::Frontier;
use super::hosts::{Host, HostRef};
use seine_core::protocol::Slot;
use seine_core::time::Mono;

/// How often hosts are looked through for one that a slot without any could share.
const LANE_PAUSE_MS: u64 = 50;
/// URLs of a host in memory from which on another lane is worth it.
const WORTH_A_LANE: usize = 16;

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
    /// Gives `slot`, which has run dry, a host of the busiest slot. The host moves once its leases are closed, so that it
    /// is never in two fetchers at once. If no slot has one to spare, a host may be shared: the fetchers that have it so
    /// far are to be told.
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
        if let Some(host) = self.hosts.get_mut(at)
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
        let hosts = self.hosts.iter_mut().map(|(_, host)| host);
        let Some(host) = hosts.filter(may_be_shared).max_by_key(|host| host.queue.len()) else { return Vec::new() };
        host.lanes.open(slot);
        self.invited[usize::from(slot)] = true;
        let share =
            |slot| Share { slot, host: host.name.to_string(), places: host.lanes.places(slot, host.limits.places) };
        host.lanes.slots().map(share).collect()
    }

    /// The fetcher of `slot` keeps to its share of the host called `name`.
    pub fn shrunk(&mut self, name: &str, slot: Slot, now: Mono) {
        if let Some(at) = self.find(name)
            && let Some(lane) = self.hosts.get_mut(at).and_then(|host| host.lanes.shrunk(slot))
        {
            self.lane_opened(at, lane, now);
        }
    }

    /// The fetcher of `slot` is gone and with it the knowledge of its last requests.
    pub fn slot_lost(&mut self, slot: Slot, now: Mono) {
        let mut opened = Vec::new();
        for (at, host) in self.hosts.iter_mut().filter(|(_, host)| host.lanes.has(slot)) {
            host.asked_at = Some(now);
            host.active_at = now;
            opened.extend(host.lanes.shrunk(slot).map(|lane| (at, lane)));
        }
        opened.into_iter().for_each(|(at, lane)| self.lane_opened(at, lane, now));
    }

    fn lane_opened(&mut self, at: HostRef, slot: Slot, now: Mono) {
        self.invited[usize::from(slot)] = false;
        self.refresh(at, now);
    }

    /// The smallest gap between requests to the host called `name` is this. If it was shared, yields its slots: all but
    /// the first must stop asking it, and the first must wait until it knows when the others last did.
    pub fn pace(&mut self, name: &str, delay_ms: u64, now: Mono) -> Vec<Slot> {
        let mut others = Vec::new();
        if let Some(at) = self.find(name)
            && let Some(host) = self.hosts.get_mut(at)
        {
            // A pace is exact in one slot only.
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
}
