//! What the writer says: what is committed, and what is in the store.

use super::{Child, Plan};
use crate::supervisor::events::{Action, Phase, Who};
use crate::supervisor::frontier::Swept;
use crate::supervisor::ledger::Whereabouts;
use seine_core::protocol::{
    Candidate, Done, EndedBy, FromWriter, HostCandidates, HostId, Imported, PROCESSORS, Ready, Slot, StillPending,
    Verdict,
};
use seine_core::record::{ErrorClass, Outcome};
use seine_core::time::{Now, Wall};

impl Plan {
    pub(super) fn on_writer(&mut self, message: FromWriter, now: Now, actions: &mut Vec<Action>) {
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

    pub(super) fn on_ready(&mut self, ready: &Ready, now: Now, actions: &mut Vec<Action>) {
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

    pub(super) fn on_candidates(
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
                host.elders.retain(|candidate| !is_fetched(candidate));
                host.more &= !host.urls.is_empty();
                if self.ending.insert(host.host_id) {
                    actions.push(Action::EndHost(host.host_id, *outcome, failure.clone()));
                }
            }
        }
        let ledger = &self.ledger;
        self.frontier.pulled(hosts, swept, |url_id| ledger.has(url_id), now);
    }

    pub(super) fn on_imported(&mut self, imported: &Imported) {
        self.tally.lines += imported.lines;
        self.tally.pending = imported.pending;
        self.tally.outcomes[Outcome::Rejected as usize] += imported.rejected;
        if imported.new > imported.rejected || imported.again > 0 {
            self.frontier.store_grew(imported.again > 0 || imported.ahead);
        }
    }

    pub(super) fn on_done(&mut self, done: &Done, now: Now, actions: &mut Vec<Action>) {
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

    /// A lease in doubt has no outcome; what it has is perhaps an attempt more, of which the word was lost.
    pub(super) fn still_pending(&mut self, found: StillPending, now: Now, actions: &mut Vec<Action>) {
        let StillPending { url_id, attempts, due_at } = found;
        let is_news = self.ledger.job(url_id).is_some_and(|job| job.attempts < attempts);
        if !is_news {
            self.lease_again(url_id, now.mono, actions);
        } else if let Some(entry) = self.ledger.close(url_id) {
            self.frontier.closed(entry.host, entry.slot, now.mono);
            self.put_off(entry.host, entry.job, attempts, Wall::from_ms(due_at), now);
        }
    }
}
