//! Hosts that want to be left alone, and hosts that fail.

use std::collections::VecDeque;

use super::Frontier;
use super::hosts::{HostRef, Queued};
use crate::supervisor::breaker::Trip;
use seine_core::protocol::{HostId, Position, Slot};
use seine_core::record::UrlId;
use seine_core::time::Mono;

/// A pause that a host asks for, from which on it is put aside at once.
const LONG_PAUSE_MS: u64 = 10_000;

/// What is the matter with a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It failed.
    Failed,
    /// It was asked too much.
    Busy,
    /// Its robots.txt, for which all of its URLs wait, timed out: that is as bad once as many other failures.
    Gate,
}

/// What trouble with a host leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Nothing yet: it goes on being asked.
    Tolerated,
    /// It is put aside for a while.
    Aside,
    /// It was put aside for the last time: its URLs are to be ended.
    Down,
}

/// What became of the URLs of a host that was given up.
#[derive(Debug)]
pub struct GivenUp {
    /// Its row; `None` if only redirects have named it.
    pub id: Option<HostId>,
    /// URLs that were listed for other hosts and redirected to this one.
    pub guests: Vec<UrlId>,
}

impl Frontier {
    /// Leases nothing of `host` before `until`.
    pub fn hold(&mut self, host: HostRef, until: Mono, now: Mono) {
        if let Some(entry) = self.hosts.get_mut(host)
            && until > now
            && until > entry.held_until
        {
            entry.held_until = until;
            self.waiting.wake(host, until);
            if !std::mem::replace(&mut entry.asleep, true) {
                self.asleep += 1;
            }
            // (An answer under way would have the last word on what is here.)
            if until > now.plus_ms(LONG_PAUSE_MS) && entry.id.is_some() && !entry.asked {
                // URLs that the store has as well need not wait here.
                let (kept, rest): (VecDeque<_>, VecDeque<_>) =
                    entry.queue.drain(..).partition(|queued| queued.counted || !queued.job.hops.is_empty());
                entry.queue = kept;
                if !rest.is_empty() {
                    (entry.cursor, entry.more) = (Position::START, true);
                    for queued in rest {
                        self.held.remove(&queued.job.url_id);
                    }
                }
            }
        }
    }

    /// `host` answered, whatever it said.
    pub fn well(&mut self, host: HostRef) {
        if let Some(entry) = self.hosts.get_mut(host) {
            entry.breaker.well();
            entry.answered = true;
        }
    }

    /// A request to `host` failed in a way that tells of the host.
    pub fn trouble(&mut self, host: HostRef, trouble: Trouble, now: Mono) -> Judgement {
        let Some(entry) = self.hosts.get_mut(host) else { return Judgement::Tolerated };
        // The retries of a few URLs are bound to end soon by themselves.
        let left = entry.queue.len() + entry.delayed as usize;
        if !entry.breaker.is_probing() && !entry.more && left <= self.max_failures as usize {
            return Judgement::Tolerated;
        }
        // Requests that were under way when it was put aside tell nothing new.
        if self.max_failures == 0 || entry.aside_until > now {
            return Judgement::Tolerated;
        }
        // A host that asks for a long pause need not say so again.
        let is_enough = trouble == Trouble::Gate || entry.held_until > now.plus_ms(LONG_PAUSE_MS);
        let most = if is_enough { 1 } else { self.max_failures };
        match entry.breaker.failed(most, trouble == Trouble::Busy) {
            None => Judgement::Tolerated,
            Some(Trip::Aside { pause_ms }) => {
                entry.aside_until = entry.held_until.max(now.plus_ms(pause_ms));
                self.hold(host, now.plus_ms(pause_ms), now);
                Judgement::Aside
            }
            Some(Trip::Down) => Judgement::Down,
        }
    }

    /// Forgets the URLs of `host` that are here: they are to be ended in the store.
    pub fn give_up(&mut self, host: HostRef, now: Mono) -> GivenUp {
        let mut given_up = GivenUp { id: None, guests: Vec::new() };
        let Some(entry) = self.hosts.get_mut(host) else { return given_up };
        given_up.id = entry.id;
        let mut gone: Vec<Queued> = entry.queue.drain(..).collect();
        if std::mem::take(&mut entry.delayed) > 0 {
            gone.extend(self.waiting.abandon(host));
        }
        entry.more = false;
        for queued in gone {
            self.held.remove(&queued.job.url_id);
            self.counted -= usize::from(queued.counted);
            if given_up.id.is_none() || !queued.job.hops.is_empty() || queued.job.errand.is_some() {
                given_up.guests.push(queued.job.url_id);
            }
        }
        given_up.guests.sort_unstable();
        self.refresh(host, now);
        given_up
    }

    /// The slots of `host` with its name, if URLs of it are with fetchers.
    pub fn away(&self, host: HostRef) -> impl Iterator<Item = (Slot, String)> {
        let away = self.hosts.get(host).filter(|entry| entry.leased > 0);
        away.into_iter().flat_map(|entry| entry.lanes.slots().map(|slot| (slot, entry.name.to_string())))
    }

    /// All hosts of which URLs are with fetchers.
    pub fn all_away(&self) -> impl Iterator<Item = (Slot, String)> {
        self.hosts.refs().flat_map(|host| self.away(host))
    }

    /// Hosts with queued URLs, each with one of them; others at another time.
    pub fn some(&self, now: Mono) -> impl Iterator<Item = (&str, &str)> {
        self.hosts.iter_from(now.ms()).filter_map(|host| {
            let first = host.queue.iter().find(|queued| queued.job.archived.is_none() && queued.job.hops.is_empty())?;
            Some((&*host.name, &*first.job.url))
        })
    }
}
