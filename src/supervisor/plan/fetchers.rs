//! What fetchers say, and what they are given: URLs on their way there and back.

use super::{Child, Plan};
use crate::supervisor::events::{Action, Who};
use crate::supervisor::frontier::{Demand, HostRef};
use crate::supervisor::ledger::Whereabouts;
use seine_core::protocol::{FromFetcher, Generation, Job, Slot};
use seine_core::record::{CrawlUrl, ErrorClass, Failure, LONGEST_PAUSE_MS, Outcome, UrlId};
use seine_core::time::{Mono, Now, Wall};

/// Deaths of a fetcher while working on the same URL after which it is quarantined.
const DEATHS_PER_URL: u8 = 2;

impl Plan {
    /// A URL comes again at `due_at`, after an attempt whose record is in the store. `host` is the one it was leased at.
    pub(super) fn put_off(&mut self, host: HostRef, mut job: Job, attempts: u16, due_at: Wall, now: Now) {
        job.attempts = attempts;
        job.trail.clear();
        self.begin_again(host, job, due_at, now);
    }

    /// A URL comes again at `due_at`, from the listed URL on: where its redirects lead may have changed.
    pub(super) fn begin_again(&mut self, host: HostRef, job: Job, due_at: Wall, now: Now) {
        let moved = !job.hops.is_empty() || job.errand.is_some();
        let job = job.afresh();
        let listed = if moved { CrawlUrl::parse(&job.url).ok().map(|url| url.host) } else { None };
        let host = listed.unwrap_or_else(|| self.frontier.name(host).to_owned());
        self.frontier.put_off(&host, job, due_at, now);
    }

    pub(super) fn on_drained(&mut self, slot: Slot, generation: Generation, actions: &mut Vec<Action>) {
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

    pub(super) fn on_fetcher(
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

    /// Asks the writer about leases whose acknowledgement may have been lost.
    pub(super) fn ask(&mut self, url_ids: Vec<UrlId>, actions: &mut Vec<Action>) {
        if url_ids.is_empty() {
            return;
        }
        for &url_id in &url_ids {
            self.ledger.ask(url_id);
        }
        actions.push(Action::Recheck(url_ids));
    }

    /// A lease whose record cannot arrive any more goes back to the frontier, or to quarantine.
    pub(super) fn lease_again(&mut self, url_id: UrlId, now: Mono, actions: &mut Vec<Action>) {
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

    pub(super) fn attach(&mut self, slot: Slot, actions: &mut Vec<Action>) {
        let fetcher = &mut self.fetchers[usize::from(slot)];
        if let Child::Up { generation, attached, .. } = &mut fetcher.child {
            *attached = true;
            fetcher.marks.push_back(self.ledger.sent());
            actions.push(Action::Attach(slot, *generation));
        }
    }

    pub(super) fn pull(&mut self, now: Mono, actions: &mut Vec<Action>) {
        if !self.writer_ready || self.full_since.is_some() || self.config.lists_first && !self.lists_done {
            return;
        }
        let here = (self.frontier.urls() + self.ledger.urls()) as u64;
        if let Some(pull) = self.frontier.pull(self.tally.pending.saturating_sub(here), now) {
            self.sweeping = pull.sweep.is_some();
            actions.push(Action::Pull(pull));
        }
    }

    pub(super) fn fill_windows(&mut self, now: Mono, actions: &mut Vec<Action>) {
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
}
