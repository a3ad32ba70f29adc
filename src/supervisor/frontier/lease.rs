//! URLs on their way to a fetcher, and back.

use std::collections::{HashMap, VecDeque};

use super::hosts::{Host, HostRef, Queued};
use super::{End, Frontier};
use seine_core::protocol::{HostId, Job, Lease, NOT_ASKED, Slot};
use seine_core::time::Mono;

/// URLs of one host in one lease message, so that hosts take turns.
const JOBS_PER_LEASE: usize = 32;

/// What a fetcher may be given.
#[derive(Debug)]
pub struct Demand<'a> {
    /// The fetcher.
    pub slot: Slot,
    /// URLs at most.
    pub room: usize,
    /// URLs that may be leased for the first time; lowered by those that are.
    pub allowance: &'a mut u64,
    /// Up to this time an earlier run may have asked any host.
    pub asked_at: Option<Mono>,
}

/// The limits of how many URLs of a host a run fetches.
#[derive(Debug, Default)]
pub(super) struct Quota {
    /// URLs leased for the first time of each host that has a limit. Hosts come and go; this stays.
    taken: HashMap<HostId, u64>,
    /// URLs were left to the store because their host has had its limit.
    pub has_left_urls: bool,
}

impl Quota {
    /// Whether one more URL of `host` may be leased for the first time; it counts then.
    fn take(&mut self, host: &Host) -> bool {
        let (Some(id), 1..) = (host.id, host.limits.urls) else { return true };
        let taken = self.taken.entry(id).or_default();
        let may = *taken < host.limits.urls;
        *taken += u64::from(may);
        may
    }
}

impl Frontier {
    /// Takes URLs for a fetcher, a few of each host in turn.
    pub fn lease(&mut self, demand: Demand<'_>, now: Mono) -> Vec<(HostRef, Lease)> {
        let Demand { slot, mut room, allowance, asked_at } = demand;
        let mut leases = Vec::new();
        while room > 0 {
            let Some(at) = self.rings[usize::from(slot)].pop_front() else { break };
            let Some(host) = self.hosts.get_mut(at) else { continue };
            if !host.lanes.set_in_ring(slot, false) || host.moving.is_some() || host.held_until > now {
                continue;
            }
            let most = room.min(JOBS_PER_LEASE).min(host.room(slot) as usize);
            let mut jobs = Vec::new();
            while jobs.len() < most {
                let Some(next) = host.next() else { break };
                if host.queue.get(next).is_some_and(|queued| !queued.counted) {
                    if *allowance == 0 || !self.quota.take(host) {
                        break;
                    }
                    *allowance -= 1;
                }
                let Some(queued) = host.queue.remove(next) else { break };
                host.turn = host.turn.wrapping_add(1);
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

    /// Puts a URL at the front of the queue of `host`: it was leased before, or a redirect led it here.
    pub fn put_back(&mut self, host: &str, job: Job, now: Mono) {
        let at = self.host(host, now);
        self.enqueue(at, Queued { job, rank: i32::MIN, counted: true }, End::Front);
        self.refresh(at, now);
    }

    /// A URL of `host` that was leased to `slot` was committed or came back.
    pub fn closed(&mut self, host: HostRef, slot: Slot, now: Mono) {
        if let Some(entry) = self.hosts.get_mut(host) {
            entry.leased = entry.leased.saturating_sub(1);
            entry.lanes.closed(slot);
            entry.active_at = now;
        }
        self.refresh(host, now);
    }

    pub(super) fn has_had_its_limit(&self, at: HostRef) -> bool {
        let Some(Host { id: Some(id), limits, .. }) = self.hosts.get(at) else { return false };
        limits.urls > 0 && self.quota.taken.get(id).is_some_and(|taken| *taken >= limits.urls)
    }

    /// Forgets what is queued of a host that has had its limit, but for what was leased before.
    pub(super) fn leave_to_store(&mut self, at: HostRef) {
        let Some(host) = self.hosts.get_mut(at) else { return };
        let (kept, rest): (VecDeque<_>, VecDeque<_>) = host.queue.drain(..).partition(|queued| queued.counted);
        host.queue = kept;
        self.quota.has_left_urls |= host.more || !rest.is_empty();
        host.more = false;
        for queued in rest {
            self.held.remove(&queued.job.url_id);
        }
    }
}
