//! What waits for a time: URLs that come again later, hosts that are held, hosts that rest before they are forgotten.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::hosts::{HostRef, Queued};
use super::{End, Frontier};
use seine_core::protocol::Job;
use seine_core::record::{LONGEST_PAUSE_MS, UrlId};
use seine_core::time::{Mono, Now, Wall};

/// The times that are waited for, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// URLs. The times of such that are gone find nothing.
    urls: BinaryHeap<Reverse<(Mono, UrlId)>>,
    jobs: HashMap<UrlId, (HostRef, Queued)>,
    /// Hosts that are held until then.
    waking: BinaryHeap<Reverse<(Mono, HostRef)>>,
    /// Hosts that rest until then.
    resting: BinaryHeap<Reverse<(Mono, HostRef)>>,
}

impl Waiting {
    /// `host` is held until then.
    pub fn wake(&mut self, host: HostRef, until: Mono) {
        self.waking.push(Reverse((until, host)));
    }

    /// `host` rests until then.
    pub fn rest(&mut self, host: HostRef, until: Mono) {
        self.resting.push(Reverse((until, host)));
    }

    /// Gives up the delayed URLs of `host`.
    pub fn abandon(&mut self, host: HostRef) -> Vec<Queued> {
        self.jobs.extract_if(|_, (at, _)| *at == host).map(|(_, (_, queued))| queued).collect()
    }
}

impl Frontier {
    /// Keeps a URL of `host` until `due_at` of the wall clock as it goes now; if memory is full, leaves it to the store.
    pub fn put_off(&mut self, host: &str, job: Job, due_at: Wall, now: Now) {
        if self.held.len() < 2 * self.room.urls {
            let at = self.host(host, now.mono);
            let wait_ms = due_at.ms_since(now.wall).min(LONGEST_PAUSE_MS);
            self.delay(at, Queued { job, rank: i32::MIN, counted: true }, now.mono.plus_ms(wait_ms));
        } else {
            // It is found there by the next sweep.
            self.store_grew(true);
        }
    }

    pub(super) fn delay(&mut self, at: HostRef, queued: Queued, due: Mono) {
        let url_id = queued.job.url_id;
        self.held.insert(url_id);
        self.counted += usize::from(queued.counted);
        if let Some(host) = self.hosts.get_mut(at) {
            host.delayed += 1;
        }
        self.waiting.urls.push(Reverse((due, url_id)));
        self.waiting.jobs.insert(url_id, (at, queued));
    }

    /// Moves URLs whose time has come to their hosts' queues, wakes hosts, forgets those that have rested enough.
    pub fn tick(&mut self, now: Mono) {
        while let Some(&Reverse((due, url_id))) = self.waiting.urls.peek()
            && due <= now
        {
            self.waiting.urls.pop();
            if let Some((at, queued)) = self.waiting.jobs.remove(&url_id) {
                self.held.remove(&url_id);
                self.counted -= usize::from(queued.counted);
                if let Some(host) = self.hosts.get_mut(at) {
                    host.delayed -= 1;
                }
                // Ahead of URLs that --limit may not let pass any more.
                self.enqueue(at, queued, End::Front);
                self.refresh(at, now);
            }
        }
        while let Some(&Reverse((until, at))) = self.waiting.waking.peek()
            && until <= now
        {
            self.waiting.waking.pop();
            if let Some(host) = self.hosts.get_mut(at)
                && host.asleep
                && host.held_until <= now
            {
                host.asleep = false;
                self.asleep -= 1;
            }
            self.refresh(at, now);
        }
        while let Some(&Reverse((until, at))) = self.waiting.resting.peek()
            && until <= now
        {
            self.waiting.resting.pop();
            let Some(host) = self.hosts.get_mut(at) else { continue };
            host.resting = false;
            if !host.is_idle() {
                continue;
            }
            let until = host.rest_until();
            if until <= now {
                self.forget(at);
            } else {
                // It was active again for a while.
                host.resting = true;
                self.waiting.rest(at, until);
            }
        }
    }

    /// When the next held host wakes.
    pub fn next_wake(&self) -> Option<Mono> {
        self.waiting.waking.peek().map(|Reverse((until, _))| *until)
    }

    /// When the next delayed URL is due.
    pub fn next_due(&self) -> Option<Mono> {
        self.waiting.urls.peek().map(|Reverse((due, _))| *due)
    }
}
