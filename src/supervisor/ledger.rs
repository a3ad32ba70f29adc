//! Leases: which URLs are entrusted to which fetcher, from lease to commit.
//!
//! Leases live here and nowhere else; the store knows only pending URLs and outcomes, so a crash leaves nothing to
//! repair. Pure.

use std::collections::HashMap;

use super::frontier::HostRef;
use seine_core::protocol::{Generation, Job, Slot};
use seine_core::record::UrlId;

/// One URL on its way.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As it was leased, for leasing it again.
    pub job: Job,
    /// The host whose window it takes.
    pub host: HostRef,
    /// The slot it was leased to.
    pub slot: Slot,
    /// Where it is.
    pub whereabouts: Whereabouts,
    /// Number of the lease message: what was sent before and after something else.
    pub sent: u64,
}

/// Where a leased URL is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// With this fetcher, or in its page queue, or in the writer's batch.
    Fetcher(Slot, Generation),
    /// Its acknowledgement may have been lost: the writer is asked whether it has an outcome.
    Asked,
    /// It came back from its fetcher and may have failed by our own fault: that is being found out.
    InDoubt,
}

/// All leases.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: HashMap<UrlId, Entry>,
    per_slot: Vec<usize>,
    sent: u64,
}

impl Ledger {
    /// No leases to `slots` slots.
    pub fn new(slots: usize) -> Self {
        Self { per_slot: vec![0; slots], ..Self::default() }
    }

    /// Number of the latest lease.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// URLs on their way.
    pub fn urls(&self) -> usize {
        self.entries.len()
    }

    /// URLs with the fetcher of `slot`.
    pub fn in_slot(&self, slot: Slot) -> usize {
        self.per_slot[usize::from(slot)]
    }

    /// Whether `url_id` is on its way.
    pub fn has(&self, url_id: UrlId) -> bool {
        self.entries.contains_key(&url_id)
    }

    /// Where `url_id` is.
    pub fn whereabouts(&self, url_id: UrlId) -> Option<Whereabouts> {
        self.entries.get(&url_id).map(|entry| entry.whereabouts)
    }

    /// `url_id` as it was leased.
    pub fn job(&self, url_id: UrlId) -> Option<&Job> {
        self.entries.get(&url_id).map(|entry| &entry.job)
    }

    /// Notes that `job` went to a fetcher.
    pub fn lease(&mut self, job: Job, host: HostRef, slot: Slot, generation: Generation) {
        self.sent += 1;
        self.per_slot[usize::from(slot)] += 1;
        let whereabouts = Whereabouts::Fetcher(slot, generation);
        self.entries.insert(job.url_id, Entry { job, host, slot, whereabouts, sent: self.sent });
    }

    /// Ends the lease of `url_id`.
    pub fn close(&mut self, url_id: UrlId) -> Option<Entry> {
        let entry = self.entries.remove(&url_id)?;
        self.leave(entry.whereabouts);
        Some(entry)
    }

    /// Marks `url_id` as asked for at the writer.
    pub fn ask(&mut self, url_id: UrlId) {
        let Some(entry) = self.entries.get_mut(&url_id) else { return };
        let before = std::mem::replace(&mut entry.whereabouts, Whereabouts::Asked);
        self.leave(before);
    }

    /// The URLs for which `wanted` holds, ids ascending so that runs can be repeated.
    pub fn select(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<UrlId> {
        let mut ids: Vec<_> = self.entries.iter().filter(|(_, entry)| wanted(entry)).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// The URL of `job` came back like this, and may have failed by our own fault.
    pub fn doubt(&mut self, job: Job) {
        let Some(entry) = self.entries.get_mut(&job.url_id) else { return };
        entry.job = job;
        let before = std::mem::replace(&mut entry.whereabouts, Whereabouts::InDoubt);
        self.leave(before);
    }

    fn leave(&mut self, whereabouts: Whereabouts) {
        if let Whereabouts::Fetcher(slot, _) = whereabouts {
            self.per_slot[usize::from(slot)] -= 1;
        }
    }
}
