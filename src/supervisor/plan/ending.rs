//! The ways to the end of a run: why it stops, and what it waits for until the store is closed.

use super::{Child, Plan};
use crate::supervisor::events::{Action, Phase, Who};
use seine_core::protocol::{EndedBy, Slot};
use seine_core::time::Mono;

/// After the grace period fetchers are cancelled; after this much more they are killed.
const CANCEL_MS: u64 = 1_500;

/// For the processor host to end its programs when it is to stop; after that it is killed.
const STOP_MS: u64 = 3_000;

impl Plan {
    pub(super) fn stop(&mut self, ended_by: EndedBy, now: Mono, actions: &mut Vec<Action>) {
        let has_work = self.wants_processors();
        match &mut self.phase {
            Phase::Running => {
                let at_once = matches!(ended_by, EndedBy::DiskFull | EndedBy::Failure);
                let grace = if at_once { 0 } else { self.config.grace_ms };
                self.phase = Phase::Draining { ended_by, cancel_at: now.plus_ms(grace), kill_at: None };
                for slot in 0..self.fetchers.len() {
                    let fetcher = &mut self.fetchers[slot];
                    match &mut fetcher.child {
                        Child::Down { respawn_at } => *respawn_at = None,
                        Child::Up { stopping, .. } => {
                            *stopping = true;
                            actions.push(Action::Drain(Who::Fetcher(slot as Slot)));
                        }
                    }
                }
            }
            Phase::Draining { ended_by: why, cancel_at, .. } => {
                *cancel_at = now;
                // All URLs have ended, but there is something to process, which would not be waited for.
                if *why == EndedBy::Completed && has_work {
                    *why = ended_by;
                }
            }
            Phase::Processing { kill_at: Some(kill_at), .. } => *kill_at = now,
            Phase::Processing { ended_by: why, kill_at } => {
                // The pages that are left are processed by another run.
                if *why == EndedBy::Completed {
                    *why = ended_by;
                }
                *kill_at = Some(now.plus_ms(STOP_MS));
                if self.generation(Who::Processors).is_some() {
                    actions.push(Action::Cancel(Who::Processors));
                }
            }
            Phase::Closing { .. } | Phase::Over { .. } => {}
        }
    }

    /// Has the writer close the store.
    pub(super) fn close_writer(&mut self, ended_by: EndedBy, actions: &mut Vec<Action>) {
        self.phase = Phase::Closing { ended_by };
        if let Child::Up { stopping, .. } = &mut self.writer {
            *stopping = true;
        }
        let abandon = ended_by == EndedBy::DiskFull || self.full_since.is_some();
        actions.push(Action::StopWriter { ended_by, abandon });
    }

    pub(super) fn check_end(&mut self, now: Mono, actions: &mut Vec<Action>) {
        if let Some(since) = self.full_since
            && now.ms_since(since) >= self.config.disk_wait_ms
        {
            self.stop(EndedBy::DiskFull, now, actions);
            return;
        }
        if self.outage.is_overdue(now) {
            self.stop(EndedBy::Outage, now, actions);
            return;
        }
        if !self.writer_ready || self.ledger.urls() > 0 {
            return;
        }
        if self.lists_done && self.tally.pending == 0 {
            self.stop(EndedBy::Completed, now, actions);
        } else if self.allowance == 0 && !self.frontier.has_counted() {
            self.stop(EndedBy::Limit, now, actions);
        } else if self.lists_done && self.ending.is_empty() && self.frontier.is_spent() {
            self.stop(EndedBy::HostLimit, now, actions);
        }
    }

    pub(super) fn drain(
        &mut self,
        ended_by: EndedBy,
        cancel_at: Mono,
        kill_at: Option<Mono>,
        now: Mono,
        actions: &mut Vec<Action>,
    ) {
        let up: Vec<Slot> = (0..self.fetchers.len() as Slot)
            .filter(|slot| matches!(self.fetchers[usize::from(*slot)].child, Child::Up { .. }))
            .collect();
        if up.is_empty() {
            if self.writer_ready || self.is_writer_lost() {
                self.phase = Phase::Processing { ended_by, kill_at: None };
                if ended_by != EndedBy::Completed || self.full_since.is_some() {
                    self.stop(ended_by, now, actions);
                } else if self.generation(Who::Processors).is_some() {
                    actions.push(Action::Drain(Who::Processors));
                }
                self.advance(now, actions);
            }
            return;
        }
        match kill_at {
            None if now >= cancel_at => {
                self.phase = Phase::Draining { ended_by, cancel_at, kill_at: Some(now.plus_ms(CANCEL_MS)) };
                actions.extend(up.into_iter().map(|slot| Action::Cancel(Who::Fetcher(slot))));
            }
            Some(kill_at) if now >= kill_at => {
                self.phase = Phase::Draining { ended_by, cancel_at, kill_at: Some(now.plus_ms(CANCEL_MS)) };
                actions.extend(up.into_iter().map(|slot| Action::Kill(Who::Fetcher(slot))));
            }
            _ => {}
        }
    }

    /// Waits for the processor host to be done or gone; then the store may be closed.
    pub(super) fn process(&mut self, ended_by: EndedBy, kill_at: Option<Mono>, now: Mono, actions: &mut Vec<Action>) {
        if self.generation(Who::Processors).is_some() {
            if kill_at.is_some_and(|at| at <= now) {
                self.phase = Phase::Processing { ended_by, kill_at: Some(now.plus_ms(CANCEL_MS)) };
                actions.push(Action::Kill(Who::Processors));
            }
        } else if self.is_writer_lost() {
            self.give_up_writer(ended_by, actions);
        } else if self.writer_ready && !self.wants_processors() {
            // The writer reads the queues of the dead to their ends before it stops.
            self.close_writer(ended_by, actions);
        }
    }
}
