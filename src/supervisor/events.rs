//! The plan's vocabulary: what can happen, and what can be done about it.

use super::frontier::{LimitsOf, Room, Share};
use seine_core::protocol::processing::FromHost;
use seine_core::protocol::{EndedBy, FromFetcher, FromWriter, Generation, HostId, Lease, OriginFacts, Pull, Slot};
use seine_core::record::{Failure, Outcome, UrlId};
use seine_core::time::Mono;

/// What the plan needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct PlanConfig {
    /// Fetcher slots.
    pub slots: usize,
    /// Leases per host.
    pub hosts: LimitsOf,
    /// Whether the hosts of a site live in one slot.
    pub by_site: bool,
    /// Failures in a row after which a host is put aside; 0: never.
    pub host_failures: u32,
    /// Leases per slot.
    pub slot_window: usize,
    /// What of the frontier is in memory.
    pub room: Room,
    /// URLs to fetch at most in this invocation.
    pub limit: Option<u64>,
    /// Nothing is fetched before the lists are read: they say how far links may lead.
    pub lists_first: bool,
    /// Time for requests in flight when the run is stopped.
    pub grace_ms: u64,
    /// How long a full disk is waited for.
    pub disk_wait_ms: u64,
    /// Whether pages are processed beside the crawl.
    pub processors: bool,
    /// How long the end of an outage is waited for.
    pub outage_wait_ms: u64,
    /// Spreads the pauses of respawns.
    pub seed: u64,
}

/// A child of the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// The writer.
    Writer,
    /// The fetcher in this slot.
    Fetcher(Slot),
    /// The processor host.
    Processors,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The writer spoke.
    Writer(Generation, FromWriter),
    /// A fetcher spoke.
    Fetcher(Slot, Generation, FromFetcher),
    /// The processor host spoke.
    Processors(Generation, FromHost),
    /// A child is gone.
    Exited {
        /// Which.
        who: Who,
        /// Its generation.
        generation: Generation,
        /// Exit status 0.
        clean: bool,
        /// How, for people.
        how: String,
        /// The URL its status row named last.
        working_on: Option<UrlId>,
    },
    /// All lists are read and every line is committed.
    ListsDone,
    /// The run shall end: a signal or a budget. A second one while draining cancels.
    Stop(EndedBy),
    /// The store is no longer where it was; the message says so.
    StoreLost(String),
    /// Time has passed.
    Tick,
}

/// What shall be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Fork this child; a processor host comes with a queue to the writer.
    Spawn(Who, Generation),
    /// Give writer and fetcher the two ends of a new page queue.
    Attach(Slot, Generation),
    /// Send URLs to a fetcher.
    Lease(Slot, Lease),
    /// Ask the store for URLs.
    Pull(Pull),
    /// Ask the store what became of these.
    Recheck(Vec<UrlId>),
    /// Record that this URL ends so.
    End(UrlId, Outcome, Failure),
    /// Record that all pending URLs of this host end so.
    EndHost(HostId, Outcome, Failure),
    /// Have a fetcher give back what it has not begun of a host.
    Recall(Slot, String),
    /// Have a fetcher keep to a part of a host's places.
    Share(Share),
    /// Ask the store what it knows of an origin, for a fetcher.
    AskOrigin(Slot, Generation, String),
    /// Tell a fetcher what the store knows of an origin.
    Origin(Slot, OriginFacts),
    /// Have a fetcher find out whether one of these URLs can be reached.
    Probe(Slot, Vec<String>),
    /// The writer came up (again): send what it has not acknowledged of the lists.
    ResendLists(Vec<bool>),
    /// Tell a fetcher or the processor host to finish.
    Drain(Who),
    /// Tell a fetcher or the processor host to give up what it is at.
    Cancel(Who),
    /// SIGKILL.
    Kill(Who),
    /// Tell the writer to close the store and exit.
    StopWriter {
        /// How the run ended.
        ended_by: EndedBy,
        /// Drop what cannot be written.
        abandon: bool,
    },
    /// Tell the user.
    Warn(String),
    /// All children are gone; the run is over.
    Finish,
}

/// How far the run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Fetching.
    Running,
    /// Fetchers finish.
    Draining {
        /// Why.
        ended_by: EndedBy,
        /// When they are cancelled.
        cancel_at: Mono,
        /// When they are killed.
        kill_at: Option<Mono>,
    },
    /// Every page is in the store; the processor host finishes if the run is complete, and stops otherwise.
    Processing {
        /// Why.
        ended_by: EndedBy,
        /// When the host is killed: it was told to stop.
        kill_at: Option<Mono>,
    },
    /// The writer finishes.
    Closing {
        /// Why.
        ended_by: EndedBy,
    },
    /// Nothing is left.
    Over {
        /// Why.
        ended_by: EndedBy,
    },
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Writer => f.write_str("the writer"),
            Self::Fetcher(slot) => write!(f, "fetcher {slot}"),
            Self::Processors => f.write_str("the processor host"),
        }
    }
}
