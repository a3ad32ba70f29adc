//! One queue per host, and politeness: who may start a request when.
//!
//! A host lives in exactly one fetcher (see [`crate::supervisor::partition`]), so the pace kept here is exact, not a
//! share. A request starts when four things hold at the same moment: its host's turn has come (a `governor` limiter,
//! one start per delay), its host has a place free, this fetcher has a place free, and the host is not held because
//! an earlier fetcher may just have been there. Whoever waits for the pace takes no place meanwhile.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::visit::{Visit, Visitor};
use crate::process::status::Row;
use crate::protocol::{Job, Lease};
use crate::record::UrlId;

/// See the module. Clones are the same hosts.
#[derive(Clone)]
pub struct Hosts(Rc<Inner>);

struct Inner {
    visitor: Rc<Visitor>,
    requests: Arc<Semaphore>,
    delay: Duration,
    host_concurrency: usize,
    row: &'static Row,
    hosts: RefCell<HashMap<String, Rc<Host>>>,
    /// URLs requested and not yet in the outbox.
    working: RefCell<HashMap<UrlId, tokio::task::AbortHandle>>,
    queued: Cell<usize>,
    draining: Cell<bool>,
    /// A request ended while draining.
    settled: Notify,
}

struct Host {
    queue: RefCell<VecDeque<Job>>,
    /// A job was queued.
    news: Notify,
    places: Arc<Semaphore>,
    /// `None`: no delay.
    pace: Option<DefaultDirectRateLimiter>,
    held_until: Cell<Instant>,
}

impl Hosts {
    /// No hosts yet. `requests` are the places of this fetcher.
    pub fn new(
        visitor: Rc<Visitor>,
        requests: Arc<Semaphore>,
        delay: Duration,
        host_concurrency: usize,
        row: &'static Row,
    ) -> Self {
        Self(Rc::new(Inner {
            visitor,
            requests,
            delay,
            host_concurrency,
            row,
            hosts: RefCell::default(),
            working: RefCell::default(),
            queued: Cell::new(0),
            draining: Cell::new(false),
            settled: Notify::new(),
        }))
    }

    /// Takes leased URLs.
    pub fn lease(&self, lease: Lease) {
        if self.0.draining.get() {
            return;
        }
        let host = self.host(&lease.host);
        let held_until = Instant::now() + Duration::from_millis(lease.hold_ms.into());
        host.held_until.set(host.held_until.get().max(held_until));
        self.count_queued(lease.jobs.len() as isize);
        host.queue.borrow_mut().extend(lease.jobs);
        host.news.notify_one();
    }

    /// Every URL that is queued or worked on.
    pub fn holding(&self) -> Vec<UrlId> {
        let hosts = self.0.hosts.borrow();
        let queued = hosts.values().flat_map(|host| {
            let queue = host.queue.borrow();
            queue.iter().map(|job| job.url_id).collect::<Vec<_>>()
        });
        queued.chain(self.0.working.borrow().keys().copied()).collect()
    }

    /// Starts nothing from now on.
    pub fn drain(&self) {
        self.0.draining.set(true);
        for host in self.0.hosts.borrow().values() {
            host.queue.borrow_mut().clear();
        }
        self.0.queued.set(0);
        self.0.settled.notify_waiters();
    }

    /// Gives up what is in flight as well.
    pub fn cancel(&self) {
        self.drain();
        for (_, task) in self.0.working.borrow_mut().drain() {
            task.abort();
        }
        self.0.settled.notify_waiters();
    }

    /// Ends when nothing is in flight; to be called while draining.
    pub async fn idle(&self) {
        loop {
            let settled = self.0.settled.notified();
            if self.0.working.borrow().is_empty() {
                return;
            }
            settled.await;
        }
    }

    fn host(&self, name: &str) -> Rc<Host> {
        if let Some(host) = self.0.hosts.borrow().get(name) {
            return Rc::clone(host);
        }
        let pace =
            Quota::with_period(self.0.delay).map(|quota| RateLimiter::direct(quota.allow_burst(NonZeroU32::MIN)));
        let host = Rc::new(Host {
            queue: RefCell::default(),
            news: Notify::new(),
            places: Arc::new(Semaphore::new(self.0.host_concurrency)),
            pace,
            held_until: Cell::new(Instant::now()),
        });
        self.0.hosts.borrow_mut().insert(name.to_owned(), Rc::clone(&host));
        tokio::task::spawn_local(self.clone().serve(name.to_owned(), Rc::clone(&host)));
        host
    }

    /// Starts the requests of one host, one by one; forgets the host once it has been idle for longer than its pace
    /// could matter.
    async fn serve(self, name: String, host: Rc<Host>) {
        let inner = &self.0;
        // The supervisor keeps a host here for one delay after its last commit, which is later than its last start.
        let forget_after = inner.delay + Duration::from_secs(1);
        loop {
            if host.queue.borrow().is_empty() {
                let idle = || host.places.available_permits() == inner.host_concurrency;
                if tokio::time::timeout(forget_after, host.news.notified()).await.is_err()
                    && host.queue.borrow().is_empty()
                    // What is in flight may still come back as a redirect, and holds its place of this host.
                    && idle()
                {
                    inner.hosts.borrow_mut().remove(&name);
                    return;
                }
                continue;
            }
            let Ok(host_place) = Arc::clone(&host.places).acquire_owned().await else { return };
            let request_place = loop {
                let held_until = host.held_until.get();
                if held_until > Instant::now() {
                    tokio::time::sleep_until(held_until).await;
                    continue;
                }
                let Ok(place) = Arc::clone(&inner.requests).acquire_owned().await else { return };
                // With the place in hand, so that nothing comes between the pace's word and the start.
                let wait = host.pace.as_ref().and_then(|pace| {
                    pace.check().err().map(|not_until| not_until.wait_time_from(DefaultClock::default().now()))
                });
                match wait {
                    None => break place,
                    Some(wait) => {
                        drop(place);
                        tokio::time::sleep(wait).await;
                    }
                }
            };
            // Draining may have emptied the queue meanwhile.
            let Some(job) = host.queue.borrow_mut().pop_front() else { continue };
            self.count_queued(-1);
            self.start(job, Rc::clone(&host), (host_place, request_place));
        }
    }

    fn start(&self, job: Job, host: Rc<Host>, places: (OwnedSemaphorePermit, OwnedSemaphorePermit)) {
        let url_id = job.url_id;
        let hosts = self.clone();
        let task = tokio::task::spawn_local(async move {
            let visit = hosts.0.visitor.visit(job).await;
            drop(places);
            if let Visit::SameHost(job) = visit
                && !hosts.0.draining.get()
            {
                // The next hop waits for its turn like any request, ahead of the others.
                hosts.count_queued(1);
                host.queue.borrow_mut().push_front(job);
                host.news.notify_one();
            }
            hosts.0.working.borrow_mut().remove(&url_id);
            hosts.0.row.in_flight.store(hosts.0.working.borrow().len() as u64, Ordering::Relaxed);
            if hosts.0.draining.get() {
                hosts.0.settled.notify_waiters();
            }
        });
        self.0.working.borrow_mut().insert(url_id, task.abort_handle());
        self.0.row.in_flight.store(self.0.working.borrow().len() as u64, Ordering::Relaxed);
        self.0.row.requests.fetch_add(1, Ordering::Relaxed);
    }

    fn count_queued(&self, change: isize) {
        let queued = self.0.queued.get().saturating_add_signed(change);
        self.0.queued.set(queued);
        self.0.row.queued.store(queued as u64, Ordering::Relaxed);
    }
}
