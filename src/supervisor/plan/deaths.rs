//! Children that end, and those that take their places.

use super::{Child, Exit, Plan};
use crate::supervisor::backoff::FIRST_PAUSE_MS;
use crate::supervisor::events::{Action, Phase, Who};
use crate::supervisor::ledger::Whereabouts;
use crate::supervisor::processors::ProcessorHost;
use seine_core::protocol::processing::FromHost;
use seine_core::protocol::{EndedBy, Slot};
use seine_core::time::Mono;

/// URLs remembered as having killed a fetcher once.
const MAX_BLAMED: usize = 10_000;

impl Plan {
    pub(super) fn on_writer_exit(&mut self, exit: &Exit, now: Mono, actions: &mut Vec<Action>) {
        let &Exit { clean, how, .. } = exit;
        self.writer = Child::Down { respawn_at: None };
        self.writer_ready = false;
        self.processors.iter_mut().for_each(ProcessorHost::lose_writer);
        for fetcher in &mut self.fetchers {
            if let Child::Up { attached, .. } = &mut fetcher.child {
                *attached = false;
            }
        }
        if let Phase::Closing { ended_by } = self.phase
            && (clean || ended_by == EndedBy::DiskFull)
        {
            self.phase = Phase::Over { ended_by };
            actions.push(Action::Finish);
            return;
        }
        if self.tally.fatal.is_some() {
            return;
        }
        self.tally.writer_crashes += 1;
        self.frontier.pull_lost();
        self.ending.clear();
        self.sweeping = false;
        self.full_since = None;
        self.tally.disk_full = None;
        actions.push(Action::Warn(format!("the writer {how}; it is started again, nothing committed is lost")));
        if self.writer_budget.crashed(now) {
            self.tally.fatal =
                Some(format!("the writer failed more than five times in ten seconds; the last one {how}"));
            self.stop(EndedBy::Failure, now, actions);
        } else {
            let pause = self.writer_backoff.crashed(now, self.config.seed);
            self.writer = Child::Down { respawn_at: Some(now.plus_ms(pause)) };
        }
    }

    pub(super) fn on_fetcher_exit(&mut self, slot: Slot, exit: &Exit, now: Mono, actions: &mut Vec<Action>) {
        let &Exit { generation, clean, how, working_on } = exit;
        let running = self.phase == Phase::Running;
        let fetcher = &mut self.fetchers[usize::from(slot)];
        let asked_to = matches!(fetcher.child, Child::Up { stopping: true, .. });
        fetcher.child = Child::Down { respawn_at: None };
        fetcher.marks.clear();
        self.frontier.slot_lost(slot, now);
        self.outage.lost(slot);
        if clean && asked_to {
            return;
        }
        self.tally.fetcher_crashes += 1;
        let leased = self.ledger.select(|entry| entry.whereabouts == Whereabouts::Fetcher(slot, generation)).len();
        let blame = working_on
            .filter(|url_id| self.ledger.whereabouts(*url_id) == Some(Whereabouts::Fetcher(slot, generation)));
        let mut at_work = String::new();
        let mut is_of_page = false;
        if let Some(url_id) = blame {
            at_work = format!(" while working on url {url_id}");
            if self.blamed.len() < MAX_BLAMED || self.blamed.contains_key(&url_id) {
                let (deaths, last) = self.blamed.entry(url_id).or_default();
                *deaths = deaths.saturating_add(1);
                *last = format!("its fetcher {how} while working on it, {deaths} times");
                is_of_page = true;
            }
        }
        actions
            .push(Action::Warn(format!("fetcher {slot} {how}{at_work}; {leased} leased URLs go back to the frontier")));
        if self.fetchers[usize::from(slot)].drained == Some(generation) {
            self.on_drained(slot, generation, actions);
        }
        if !running {
            return;
        }
        // A page kills so many and no more, and is put away: pages alone never end the run, however many there are.
        if is_of_page {
            self.fetchers[usize::from(slot)].child = Child::Down { respawn_at: Some(now.plus_ms(FIRST_PAUSE_MS)) };
        } else if self.fetcher_budget.crashed(now) {
            self.tally.fatal = Some(format!("fetchers failed more than five times in ten seconds; the last one {how}"));
            self.stop(EndedBy::Failure, now, actions);
        } else {
            let fetcher = &mut self.fetchers[usize::from(slot)];
            let pause = fetcher.backoff.crashed(now, self.config.seed.wrapping_add(u64::from(slot)));
            fetcher.child = Child::Down { respawn_at: Some(now.plus_ms(pause)) };
        }
    }

    pub(super) fn on_processors(&mut self, message: FromHost, now: Mono, actions: &mut Vec<Action>) {
        let Some(host) = &mut self.processors else { return };
        actions.extend(host.hear(message).map(Action::Warn));
        // Pages that cannot be processed as the configuration wants are not fetched either.
        if self.phase == Phase::Running && host.failure().is_some_and(|failure| failure.is_usage) {
            self.stop(EndedBy::Failure, now, actions);
        }
    }

    pub(super) fn on_processors_exit(&mut self, exit: &Exit, now: Mono, actions: &mut Vec<Action>) {
        let (is_wanted, seed) = (self.wants_processors(), self.config.seed.wrapping_add(self.generations));
        if let Some(host) = &mut self.processors {
            actions.extend(host.exited(exit.how, is_wanted, now, seed).map(Action::Warn));
        }
    }

    /// Whether the processor host has anything to do, or may have.
    pub(super) fn wants_processors(&self) -> bool {
        let is_time = match self.phase {
            Phase::Running | Phase::Draining { .. } => true,
            Phase::Processing { kill_at, .. } => kill_at.is_none(),
            Phase::Closing { .. } | Phase::Over { .. } => false,
        };
        is_time && self.processors.as_ref().is_some_and(ProcessorHost::is_wanted)
    }

    pub(super) fn respawn(&mut self, now: Mono, actions: &mut Vec<Action>) {
        // The writer first: it answers the earliest question, whether the store can be used at all. It is needed
        // until the end of draining, since fetchers still hold finished pages.
        if let Child::Down { respawn_at: Some(at) } = self.writer
            && at <= now
        {
            self.generations += 1;
            self.writer = Child::Up { generation: self.generations, attached: true, stopping: false };
            actions.push(Action::Spawn(Who::Writer, self.generations));
        }
        for slot in 0..self.fetchers.len() {
            if let Child::Down { respawn_at: Some(at) } = self.fetchers[slot].child
                && at <= now
            {
                self.generations += 1;
                let generation = self.generations;
                self.fetchers[slot].child = Child::Up { generation, attached: false, stopping: false };
                actions.push(Action::Spawn(Who::Fetcher(slot as Slot), generation));
                if self.writer_ready {
                    self.attach(slot as Slot, actions);
                }
            }
        }
        if self.writer_ready
            && self.wants_processors()
            && let Some(host) = &mut self.processors
            && host.start_at().is_some_and(|at| at <= now)
        {
            self.generations += 1;
            host.start(self.generations);
            actions.push(Action::Spawn(Who::Processors, self.generations));
            if matches!(self.phase, Phase::Processing { .. }) {
                actions.push(Action::Drain(Who::Processors));
            }
        }
    }

    /// Whether the store cannot be closed, since no writer is up or to come.
    pub(super) fn is_writer_lost(&self) -> bool {
        matches!(self.writer, Child::Down { respawn_at: None })
    }

    pub(super) fn give_up_writer(&mut self, ended_by: EndedBy, actions: &mut Vec<Action>) {
        let ended_by = if ended_by == EndedBy::Completed { EndedBy::Failure } else { ended_by };
        self.phase = Phase::Over { ended_by };
        actions.push(Action::Finish);
    }
}
