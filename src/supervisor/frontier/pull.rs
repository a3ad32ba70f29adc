//! What the store is asked for, and what becomes of its answers.
//!
//! A pull *refills* hosts that are here and *sweeps* over the store for others, a part of a round each time.

use std::collections::VecDeque;

use super::hosts::{HostRef, Queued};
use super::{End, Frontier};
use seine_core::policy::longest_backoff;
use seine_core::protocol::{Candidate, HostCandidates, HostId, Job, Position, Pull, Sweep};
use seine_core::record::UrlId;
use seine_core::time::{Mono, Now, Wall};

/// Hosts active at once at most. Each may start a request every delay, so this is no brake on the pace.
pub const MAX_HOSTS: usize = 8_192;
/// Hosts held at once at most, while others are looked for.
const MAX_ASLEEP: usize = 4 * MAX_HOSTS;
/// URLs of a host in its first pull. A host that works them off quickly gets twice as many each time, so that slow
/// hosts cannot fill the memory that fast ones need.
pub(super) const FIRST_DEPTH: u32 = 16;
/// URLs of a host in one pull at most.
const MAX_DEPTH: u32 = 1024;
/// Hosts that are here already and that one pull passes over, at most.
const PASSED_OVER: usize = 4_096;
/// Pause after a sweep that found nothing new.
const SWEEP_PAUSE_MS: u64 = 200;
/// The longest, after many such in a row.
pub(super) const LONGEST_SWEEP_PAUSE_MS: u64 = 5_000;

/// How far the sweep of a pull has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swept {
    /// The pull had no sweep.
    Nothing,
    /// Up to this host, and the round goes on after it.
    UpTo(HostId),
    /// To the end of a round.
    Round,
}

/// What was asked of the store.
#[derive(Debug)]
pub(super) struct Pulls {
    is_under_way: bool,
    /// How often URLs were added to the store, and that as of the pull that was last asked for.
    growth: u64,
    asked_growth: u64,
    /// When that last made URLs pending that may come before any: such that were fetched before, or that others are behind.
    rewound: u64,
    /// Hosts to ask for more of.
    refills: VecDeque<HostRef>,
    round: Round,
}

/// A round of sweeps over all hosts of the store.
#[derive(Debug)]
struct Round {
    /// Where the present one got to; 0: none is under way.
    after: HostId,
    /// There is something that the present one may have missed.
    again: bool,
    has_found: bool,
    /// The present or last one has left out hosts that are here.
    has_passed_over: bool,
    /// When a whole one last found nothing new.
    in_vain_at: Option<Mono>,
    /// How long to wait after it.
    pause_ms: u64,
}

impl Pulls {
    pub fn new() -> Self {
        let round = Round {
            after: 0,
            again: true,
            has_found: false,
            has_passed_over: false,
            in_vain_at: None,
            pause_ms: SWEEP_PAUSE_MS,
        };
        Self { is_under_way: false, growth: 1, asked_growth: 0, rewound: 0, refills: VecDeque::new(), round }
    }

    /// How often the store has grown.
    pub fn growth(&self) -> u64 {
        self.growth
    }

    /// The store is to be asked for more of this host.
    pub fn refill(&mut self, host: HostRef) {
        self.refills.push_back(host);
    }

    /// A host is here no more. If it has a row, the store may have more of it than it had when it was last `seen`.
    pub fn left(&mut self, seen: Option<u64>) {
        // A sweep may have passed over it.
        self.round.again |= seen.is_some_and(|seen| seen < self.growth);
        self.round.pause_ms = SWEEP_PAUSE_MS;
    }

    /// Whether a whole round has found no other host than those that are here.
    pub fn has_seen_all_hosts(&self) -> bool {
        self.round.in_vain_at.is_some()
    }

    /// Whether a whole round that left nobody out has found nothing, and nothing is asked for.
    pub fn have_found_all(&self) -> bool {
        let Round { after, again, has_passed_over, in_vain_at, .. } = &self.round;
        !self.is_under_way
            && !again
            && *after == 0
            && in_vain_at.is_some()
            && !has_passed_over
            && self.refills.is_empty()
    }
}

impl Frontier {
    /// URLs have become pending in the store; `again`: such that may come before others, too.
    pub fn store_grew(&mut self, again: bool) {
        let pulls = &mut self.pulls;
        pulls.growth += 1;
        if again {
            pulls.rewound = pulls.growth;
        }
        pulls.round.again = true;
        pulls.round.pause_ms = SWEEP_PAUSE_MS;
    }

    /// Pages name URLs of these hosts, which have become pending in the store, with the lowest rank of those; `again`: such
    /// that were fetched before, too.
    pub fn hosts_grew(&mut self, hosts: &[(HostId, i32)], again: bool, now: Mono) {
        for (id, rank) in hosts {
            // The others are found by a sweep.
            let Some(&at) = self.hosts.ids.get(id) else {
                self.pulls.round.again = true;
                self.pulls.round.pause_ms = SWEEP_PAUSE_MS;
                continue;
            };
            if let Some(host) = self.hosts.get_mut(at) {
                host.more = true;
                if *rank < host.cursor.rank {
                    host.ahead = Some(host.ahead.map_or(*rank, |ahead| ahead.min(*rank)));
                }
                host.rewinds |= again || *rank < host.cursor.rank;
                self.refresh(at, now);
            }
        }
    }

    /// What to ask the store for, if anything: `unknown` is how many pending URLs it has that are neither here nor
    /// leased. At most one pull is under way at a time.
    pub fn pull(&mut self, unknown: u64, now: Mono) -> Option<Pull> {
        if self.pulls.is_under_way || unknown == 0 || self.held.len() >= self.room.urls {
            return None;
        }
        let mut pull = Pull { per_host: FIRST_DEPTH, refills: self.refills(), ..Pull::default() };
        let is_dry = pull.refills.is_empty() && self.rings.iter().all(VecDeque::is_empty);
        pull.sweep = self.sweep(is_dry, now);
        let asks = !pull.refills.is_empty() || pull.sweep.is_some();
        self.pulls.is_under_way = asks;
        self.pulls.asked_growth = self.pulls.growth;
        asks.then_some(pull)
    }

    /// The hosts to ask for more of: each with the last position it has had and the number of URLs.
    fn refills(&mut self) -> Vec<(HostId, Position, u32)> {
        let mut refills = Vec::new();
        while refills.len() < self.room.hosts_per_pull {
            let Some(at) = self.pulls.refills.pop_front() else { break };
            let Some(host) = self.hosts.get_mut(at) else { continue };
            let Some(id) = host.id.filter(|_| host.more || host.seen < self.pulls.growth) else {
                host.refilling = false;
                continue;
            };
            host.ahead = None;
            if std::mem::take(&mut host.rewinds) || host.seen < self.pulls.rewound {
                host.cursor = Position::START;
            }
            host.asked = true;
            refills.push((id, host.cursor, host.depth));
        }
        refills
    }

    /// The next part of the round, if there is room for more hosts and reason to look for them; `is_dry`: nothing is left
    /// to lease.
    fn sweep(&mut self, is_dry: bool, now: Mono) -> Option<Sweep> {
        let (awake, round) = (self.hosts.len() - self.asleep, &mut self.pulls.round);
        let has_room = awake < MAX_HOSTS && self.asleep < MAX_ASLEEP;
        let has_reason = round.again || round.after > 0 || is_dry;
        let is_time = round.in_vain_at.is_none_or(|at| now >= at.plus_ms(round.pause_ms));
        if !(has_room && has_reason && is_time) {
            return None;
        }
        if round.after == 0 {
            (round.again, round.has_found, round.has_passed_over) = (false, false, false);
        }
        // Hosts with few URLs, as at the beginning of a long list, shall not mean as many pulls.
        let (hosts, urls) = ((MAX_HOSTS - awake) as u32, self.room.hosts_per_pull as u32 * FIRST_DEPTH);
        // Hosts that are here ask for more by themselves; where nothing is left they are looked at all the same.
        let mut but = Vec::new();
        if !is_dry {
            but.extend(self.hosts.ids.range(round.after + 1..).map(|(id, _)| *id).take(PASSED_OVER));
        }
        let until = but.last().filter(|_| but.len() == PASSED_OVER).map_or(HostId::MAX, |last| *last);
        round.has_passed_over |= !but.is_empty();
        Some(Sweep { after: round.after, hosts, urls, but, until })
    }

    /// The answer to a pull. URLs for which `is_leased` holds, and those already here, are passed over: pulling may
    /// always be repeated.
    pub fn pulled(&mut self, hosts: Vec<HostCandidates>, swept: Swept, is_leased: impl Fn(UrlId) -> bool, now: Now) {
        self.pulls.is_under_way = false;
        for candidates in hosts {
            self.take(candidates, &is_leased, now);
        }
        let round = &mut self.pulls.round;
        match swept {
            Swept::Nothing => {}
            Swept::UpTo(host) => round.after = host,
            Swept::Round => {
                round.after = 0;
                // Go on at once only if it was worth it.
                round.again |= round.has_found;
                if round.has_found {
                    round.in_vain_at = None;
                } else {
                    round.in_vain_at = Some(now.mono);
                    round.pause_ms = (2 * round.pause_ms).min(LONGEST_SWEEP_PAUSE_MS);
                }
            }
        }
    }

    /// Takes what the store has of one host.
    fn take(&mut self, candidates: HostCandidates, is_leased: impl Fn(UrlId) -> bool, now: Now) {
        let at = self.host(&candidates.host, now.mono);
        self.hosts.ids.insert(candidates.host_id, at);
        let Some(host) = self.hosts.get_mut(at) else { return };
        host.seen = host.seen.max(self.pulls.asked_growth);
        host.id = Some(candidates.host_id);
        let is_unpaced = candidates.urls.last().is_some_and(|last| last.archived.is_some());
        let is_refill = std::mem::take(&mut host.asked);
        host.refilling &= !is_refill;
        if is_refill && (host.limits.delay_ms == 0 || is_unpaced) {
            host.depth = (host.depth * 2).min(MAX_DEPTH);
        }
        host.more = candidates.more;
        // A sweep begins with the host's first URL, whatever was asked for before.
        let before = if is_refill { host.cursor } else { Position::START };
        let position = |last: &Candidate| Position { rank: last.rank, url_id: last.url_id };
        host.cursor = before.max(candidates.urls.last().map_or(Position::START, position));
        if self.has_had_its_limit(at) {
            self.leave_to_store(at);
            self.quota.has_left_urls |= !candidates.urls.is_empty();
            self.refresh(at, now.mono);
            return;
        }
        let longest_ms = self.limits.host(&candidates.host).longest_pause_ms;
        let hold_ms = Wall::from_ms(candidates.hold_until).ms_since(now.wall).min(longest_ms);
        self.hold(at, now.mono.plus_ms(hold_ms), now.mono);
        if let Some(host) = self.hosts.get_mut(at) {
            // There are thousands of such queues: room to spare would be most of the memory here.
            host.queue.reserve_exact(candidates.urls.len());
        }
        for candidate in candidates.urls.into_iter().chain(candidates.elders) {
            if is_leased(candidate.url_id) || self.held.contains(&candidate.url_id) {
                continue;
            }
            self.pulls.round.has_found |= !is_refill;
            let backoff = longest_backoff(candidate.attempts.saturating_sub(candidate.forgiven));
            let wait_ms =
                Wall::from_ms(candidate.due_at).ms_since(now.wall).min(longest_ms.max(backoff.as_millis() as u64));
            let job = Job {
                url_id: candidate.url_id,
                url: candidate.url,
                attempts: candidate.attempts,
                forgiven: candidate.forgiven,
                validators: candidate.validators,
                place: candidate.place,
                hops: Vec::new(),
                started_at: 0,
                trail: Vec::new(),
                errand: None,
                archived: candidate.archived,
                failed: None,
            };
            let queued = Queued { job, rank: candidate.rank, counted: false };
            if wait_ms > 0 {
                self.delay(at, queued, now.mono.plus_ms(wait_ms));
            } else {
                self.enqueue(at, queued, End::ByRank);
            }
        }
        self.refresh(at, now.mono);
    }

    /// The answer to a pull will never come (the writer died).
    pub fn pull_lost(&mut self) {
        self.pulls.is_under_way = false;
        self.pulls.round.after = 0;
        // Nor will some acknowledgements: what was committed is not new when it is sent once more.
        self.store_grew(true);
        self.pulls.refills.clear();
        for (at, host) in self.hosts.iter_mut() {
            (host.refilling, host.asked) = (false, false);
            if host.wants_more(self.pulls.growth) {
                host.refilling = true;
                self.pulls.refills.push_back(at);
            }
        }
    }
}
