//! What the supervisor decides: a pure state machine, `on(event, now) -> actions`.
//!
//! It holds the frontier's window, the leases, the table of children and the phase of the run. It opens nothing, reads
//! no clock and never blocks; the loop around it turns the world into [`Event`]s and [`Action`]s into the world.
//!
//! The laws it keeps, whatever dies when (and the simulation in its tests checks):
//!
//! - a URL is in at most one fetcher at a time, and so is a host that has a pace;
//! - a lease ends only by a commit the writer has reported, or by the writer's word that it has no record, which it is
//!   asked for when none can arrive any more;
//! - the run has completed when nothing is pending in the store, nothing is leased and the lists are read: a count.
//!
//! - `writer`: what is committed, and what is in the store.
//! - `fetchers`: URLs on their way to fetchers and back.
//! - `health`: how hosts are, and our own network.
//! - `deaths`: children that end, and those that take their places.
//! - `ending`: the ways to the end of a run.

mod deaths;
mod ending;
mod fetchers;
mod health;
mod writer;

use std::collections::{HashMap, HashSet, VecDeque};

use super::backoff::{Backoff, CrashBudget};
use super::events::{Action, Event, Phase, PlanConfig, Who};
use super::frontier::Frontier;
use super::ledger::Ledger;
use super::outage::Outage;
use super::partition::Partition;
use super::processors::{ProcessorFailure, ProcessorHost};
use seine_core::protocol::processing;
use seine_core::protocol::{EndedBy, Generation, HostId};
use seine_core::record::{Failure, Outcome, UrlId};
use seine_core::tally::Tally;
use seine_core::time::{Mono, Now};

/// Time passes for the plan at least so often.
const LONGEST_TICK_MS: u64 = 250;

#[derive(Debug)]
enum Child {
    Down { respawn_at: Option<Mono> },
    Up { generation: Generation, attached: bool, stopping: bool },
}

#[derive(Debug)]
struct Fetcher {
    child: Child,
    backoff: Backoff,
    /// Latest lease sent before each `Attach` that has not been answered by `Holding`.
    marks: VecDeque<u64>,
    /// The generation whose queue the writer has read to its end.
    drained: Option<Generation>,
}

/// How a child has ended.
struct Exit<'a> {
    generation: Generation,
    /// Exit status 0.
    clean: bool,
    /// For people.
    how: &'a str,
    /// The URL its status row named last.
    working_on: Option<UrlId>,
}

/// The state machine.
#[derive(Debug)]
pub struct Plan {
    config: PlanConfig,
    frontier: Frontier,
    ledger: Ledger,
    writer: Child,
    writer_ready: bool,
    writer_backoff: Backoff,
    writer_budget: CrashBudget,
    fetcher_budget: CrashBudget,
    fetchers: Vec<Fetcher>,
    processors: Option<ProcessorHost>,
    generations: Generation,
    phase: Phase,
    lists_done: bool,
    allowance: u64,
    /// URLs at work when a fetcher died.
    blamed: HashMap<UrlId, (u8, String)>,
    /// Up to this time an earlier run may have asked any host.
    quiet_since: Option<Mono>,
    /// Hosts given up, and how their URLs end.
    down: HashMap<HostId, (Outcome, Failure)>,
    /// Those of them that the writer is at work on.
    ending: HashSet<HostId>,
    full_since: Option<Mono>,
    outage: Outage,
    sweeping: bool,
    tally: Tally,
}

impl Plan {
    /// A run about to start, and its first actions.
    pub fn new(config: PlanConfig, now: Mono) -> (Self, Vec<Action>) {
        let fetchers = (0..config.slots)
            .map(|_| Fetcher {
                child: Child::Down { respawn_at: Some(now) },
                backoff: Backoff::default(),
                marks: VecDeque::new(),
                drained: None,
            })
            .collect();
        let mut plan = Self {
            frontier: Frontier::new(
                if config.by_site { Partition::by_site(config.slots) } else { Partition::new(config.slots) },
                config.hosts.clone(),
                config.host_failures,
                config.room,
            ),
            ledger: Ledger::new(config.slots),
            writer: Child::Down { respawn_at: Some(now) },
            writer_ready: false,
            writer_backoff: Backoff::default(),
            writer_budget: CrashBudget::default(),
            fetcher_budget: CrashBudget::default(),
            fetchers,
            processors: config.processors.then(ProcessorHost::default),
            generations: 0,
            phase: Phase::Running,
            lists_done: false,
            allowance: config.limit.unwrap_or(u64::MAX),
            blamed: HashMap::new(),
            quiet_since: None,
            down: HashMap::new(),
            ending: HashSet::new(),
            full_since: None,
            outage: Outage::new(config.outage_wait_ms),
            sweeping: false,
            tally: Tally::default(),
            config,
        };
        let mut actions = Vec::new();
        plan.respawn(now, &mut actions);
        (plan, actions)
    }

    /// Numbers so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// How far the run is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// URLs on their way.
    pub fn leased(&self) -> usize {
        self.ledger.urls()
    }

    /// Hosts with URLs in memory.
    pub fn active_hosts(&self) -> usize {
        self.frontier.active_hosts()
    }

    /// The shortest time that what is pending takes, in milliseconds: that of the host that takes longest.
    pub fn shortest_ms(&self) -> u64 {
        self.frontier.shortest_ms(self.tally.pending)
    }

    /// What processors have done, if they could finish, and why they could not.
    pub fn processed(&self) -> (Vec<processing::Tally>, Option<ProcessorFailure>) {
        self.processors.as_ref().map(ProcessorHost::report).unwrap_or_default()
    }

    /// Whether lines of lists may be sent to the writer.
    pub fn takes_lines(&self) -> bool {
        self.writer_ready && self.phase == Phase::Running && self.full_since.is_none()
    }

    /// Generation of the living child, if it is up.
    pub fn generation(&self, who: Who) -> Option<Generation> {
        let child = match who {
            Who::Writer => &self.writer,
            Who::Fetcher(slot) => &self.fetchers.get(usize::from(slot))?.child,
            Who::Processors => return self.processors.as_ref()?.generation(),
        };
        match child {
            Child::Up { generation, .. } => Some(*generation),
            Child::Down { .. } => None,
        }
    }

    /// Takes an event.
    pub fn on(&mut self, event: Event, now: Now) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Writer(generation, message) => {
                if self.generation(Who::Writer) == Some(generation) {
                    self.on_writer(message, now, &mut actions);
                }
            }
            Event::Fetcher(slot, generation, message) => {
                if self.generation(Who::Fetcher(slot)) == Some(generation) {
                    self.on_fetcher(slot, generation, message, now, &mut actions);
                }
            }
            Event::Processors(generation, message) => {
                if self.generation(Who::Processors) == Some(generation) {
                    self.on_processors(message, now.mono, &mut actions);
                }
            }
            Event::Exited { who, generation, clean, how, working_on } => {
                if self.generation(who) == Some(generation) {
                    let exit = Exit { generation, clean, how: &how, working_on };
                    match who {
                        Who::Writer => self.on_writer_exit(&exit, now.mono, &mut actions),
                        Who::Fetcher(slot) => self.on_fetcher_exit(slot, &exit, now.mono, &mut actions),
                        Who::Processors => self.on_processors_exit(&exit, now.mono, &mut actions),
                    }
                }
            }
            Event::ListsDone => self.lists_done = true,
            Event::Stop(ended_by) => self.stop(ended_by, now.mono, &mut actions),
            Event::StoreLost(message) => {
                self.tally.fatal.get_or_insert(message);
                self.stop(EndedBy::Failure, now.mono, &mut actions);
            }
            Event::Tick => {}
        }
        self.frontier.tick(now.mono);
        self.advance(now.mono, &mut actions);
        actions
    }

    /// Does what the present state allows: respawns, pulls, leases, steps to the next phase.
    fn advance(&mut self, now: Mono, actions: &mut Vec<Action>) {
        if self.phase == Phase::Running {
            self.check_end(now, actions);
        }
        self.respawn(now, actions);
        match self.phase {
            Phase::Running => {
                self.probe(now, actions);
                self.pull(now, actions);
                self.fill_windows(now, actions);
            }
            Phase::Draining { ended_by, cancel_at, kill_at } => self.drain(ended_by, cancel_at, kill_at, now, actions),
            Phase::Processing { ended_by, kill_at } => self.process(ended_by, kill_at, now, actions),
            // It could not close the store, and another one would not do better.
            Phase::Closing { ended_by } if self.is_writer_lost() => self.give_up_writer(ended_by, actions),
            Phase::Closing { .. } | Phase::Over { .. } => {}
        }
    }

    /// When [`Event::Tick`] is due at the latest, for respawns, deadlines and URLs that wait.
    pub fn next_tick(&self, now: Mono) -> Mono {
        let mut next = now.plus_ms(LONGEST_TICK_MS);
        let mut sooner = |at: Mono| next = next.min(at.max(now));
        for child in self.fetchers.iter().map(|fetcher| &fetcher.child).chain([&self.writer]) {
            if let Child::Down { respawn_at: Some(at) } = child {
                sooner(*at);
            }
        }
        match self.phase {
            Phase::Draining { cancel_at, kill_at, .. } => sooner(kill_at.unwrap_or(cancel_at)),
            Phase::Processing { kill_at: Some(kill_at), .. } => sooner(kill_at),
            _ => {}
        }
        if self.writer_ready
            && self.wants_processors()
            && let Some(at) = self.processors.as_ref().and_then(ProcessorHost::start_at)
        {
            sooner(at);
        }
        if let Some(wake) = self.frontier.next_wake() {
            sooner(wake);
        }
        if let Some(due) = self.frontier.next_due() {
            sooner(due);
        }
        next
    }
}
