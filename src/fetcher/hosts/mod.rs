//! The hosts of a fetcher, and the supervisor's orders about them.
//!
//! There is one queue per host, and a host that has a pace lives in exactly one fetcher (see
//! [`crate::supervisor::partition`]), so its pace is kept exactly here. One without may live in several (see
//! `supervisor/lanes.rs`): then each fetcher has a part of the host's places. A request starts when all of this holds at
//! the same moment: its robots.txt allows it, its host's turn has come ([`super::pace`]), its host has a place free, this
//! fetcher has a place free, and the pace of the whole crawl (`--rate`) permits. A URL that waits for its host takes no
//! place meanwhile; a host that is to be left alone for longer gives its URLs back.
//!
//! - `queue`: one host: its URLs, its places, what is known of it.
//! - `turns`: which of a host's URLs is next, and when its turn comes.
//! - `work`: the work in flight: on which places, and which requests may follow on them.
//! - `verdict`: how the host stands after a visit.
//! - `gate`: the pace of the whole crawl.

mod gate;
mod queue;
mod turns;
mod verdict;
mod work;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;
use url::Url;

use super::control::Speaker;
use super::origins;
use super::visit::Visitor;
use crate::config::Fetching;
use gate::Gate;
use queue::HostQueue;
use seine_core::policy::HostPolicy;
use seine_core::protocol::{Errand, Job, Lease, NOT_ASKED, OriginFacts};
use seine_core::record::UrlId;
use seine_unix::pace::SharedPace;
use seine_unix::status::Row;
use work::Work;

/// Answers that one fetcher takes from archives at a time: one is read while another, large one is worked on.
const ARCHIVE_PLACES: usize = 2;

/// See the module. Clones are the same hosts.
#[derive(Clone)]
pub struct Hosts(Rc<Inner>);

struct Inner {
    visitor: Rc<Visitor>,
    speaker: Speaker,
    places: Arc<Semaphore>,
    /// How many of them there are.
    capacity: usize,
    /// For answers that come from an archive.
    archive_places: Arc<Semaphore>,
    settings: Rc<Fetching>,
    /// The settings of hosts that no rule names.
    common: Rc<HostPolicy>,
    rate: Option<Gate>,
    random: RefCell<fastrand::Rng>,
    row: &'static Row,
    hosts: RefCell<HashMap<String, Rc<HostQueue>>>,
    /// URLs requested and not yet in the outbox.
    working: RefCell<HashMap<UrlId, tokio::task::AbortHandle>>,
    queued: Cell<usize>,
    draining: Cell<bool>,
    /// A request ended while draining.
    settled: Notify,
}

impl Hosts {
    /// No hosts yet. `places` are those of this fetcher.
    pub fn new(
        visitor: Rc<Visitor>,
        speaker: Speaker,
        places: Arc<Semaphore>,
        rate: Option<SharedPace>,
        settings: Rc<Fetching>,
        row: &'static Row,
    ) -> Self {
        Self(Rc::new(Inner {
            visitor,
            speaker,
            capacity: places.available_permits(),
            places,
            archive_places: Arc::new(Semaphore::new(ARCHIVE_PLACES)),
            // No host is called so, so no rule names it.
            common: Rc::new(settings.politeness.policy("")),
            settings,
            rate: rate.map(Gate::new),
            random: RefCell::new(fastrand::Rng::with_seed(seed())),
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
        let host = self.host(&lease.host, lease.places as usize);
        // Another number than before only if the host was at rest meanwhile.
        drop(host.set_places(lease.places as usize));
        if lease.asked_ms_ago != NOT_ASKED
            && let Some(at) = Instant::now().checked_sub(Duration::from_millis(lease.asked_ms_ago.into()))
        {
            host.pace.borrow_mut().asked(at);
        }
        let floor = host.pace.borrow().floor();
        if floor > host.policy.delay {
            // The supervisor may have forgotten the host since it was told.
            self.0.speaker.pace(host.name.clone(), floor);
        }
        host.more.set(lease.more);
        for job in lease.jobs {
            self.take(&host, job);
        }
        host.news.notify_one();
    }

    /// Gives back what is queued of a host.
    pub fn recall(&self, name: &str) {
        if let Some(host) = self.known(name) {
            self.give_back(&host, Duration::ZERO);
        }
    }

    /// Has no more than `places` requests of a host in flight from now on, and says when it is so.
    pub fn set_places(&self, name: String, places: usize) {
        let shrinking = self.known(&name).and_then(|host| host.set_places(places));
        let speaker = self.0.speaker.clone();
        tokio::task::spawn_local(async move {
            if let Some(shrinking) = shrinking {
                let _ = shrinking.await;
            }
            speaker.shrunk(name);
        });
    }

    /// Finds out whether one of these URLs can be reached now, and says which.
    pub fn probe(&self, urls: &[String]) {
        let policy = |url: &Url| self.0.settings.politeness.policy(url.host_str().unwrap_or_default());
        let urls: Vec<_> = urls.iter().filter_map(|url| Url::parse(url).ok()).map(|url| (policy(&url), url)).collect();
        let hosts = self.clone();
        tokio::task::spawn_local(async move {
            let reached = hosts.0.visitor.reached(&urls).await;
            hosts.0.speaker.probed(reached);
        });
    }

    /// Takes over what the store knows of an origin.
    pub fn learn(&self, facts: OriginFacts) {
        let Ok(url) = Url::parse(&facts.origin) else { return };
        let Some(host) = url.host_str().and_then(|name| self.known(name)) else { return };
        // A later time was written by a clock that was wrong.
        let held = Duration::from_millis(facts.hold_until.saturating_sub(epoch_ms()));
        let held = held.min(self.0.settings.politeness.max_retry_after.0);
        host.pace.borrow_mut().hold(Instant::now() + held);
        let rules = host.origins.borrow_mut().learn(facts, &self.0.settings.politeness.robots_agent);
        if let Some(rules) = rules {
            self.obey(&host, &rules);
        }
        host.news.notify_one();
    }

    /// Asks once more what was asked of a writer that died.
    pub fn ask_again(&self) {
        for host in self.0.hosts.borrow().values() {
            host.origins.borrow().open_questions().for_each(|origin| self.0.speaker.ask_origin(origin.clone()));
        }
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

    fn known(&self, name: &str) -> Option<Rc<HostQueue>> {
        self.0.hosts.borrow().get(name).cloned()
    }

    /// The host called `name`; one that was not known has so many places.
    fn host(&self, name: &str, places: usize) -> Rc<HostQueue> {
        if let Some(host) = self.known(name) {
            return host;
        }
        let politeness = &self.0.settings.politeness;
        let policy =
            if politeness.host.is_empty() { Rc::clone(&self.0.common) } else { Rc::new(politeness.policy(name)) };
        let host = Rc::new(HostQueue::new(name, policy, places, politeness));
        self.0.hosts.borrow_mut().insert(name.to_owned(), Rc::clone(&host));
        tokio::task::spawn_local(self.clone().serve(Rc::clone(&host)));
        host
    }

    /// Takes one leased URL.
    fn take(&self, host: &Rc<HostQueue>, mut job: Job) {
        if job.failed.is_some() {
            return self.settle(host, job, Work::RecordFailure);
        }
        match job.errand.take() {
            Some(errand) => self.take_errand(host, job, errand),
            None => {
                self.count_queued(1);
                host.queue.borrow_mut().push_back(job);
            }
        }
    }

    /// Takes a URL on its errand: on its way to a robots.txt, or back home from other hosts.
    fn take_errand(&self, host: &Rc<HostQueue>, mut job: Job, errand: Box<Errand>) {
        match &errand.found {
            Some(Ok(text)) => {
                if let Ok(url) = Url::parse(&job.url) {
                    let rules = Rc::new(origins::rules_of(text, &self.0.settings.politeness.robots_agent));
                    self.read(host, &url, rules);
                }
                self.push_front(host, job);
            }
            Some(Err(_)) => {
                job.errand = Some(errand);
                self.settle(host, job, Work::RecordErrand);
            }
            // Others wait for it.
            None => {
                job.errand = Some(errand);
                self.push_front(host, job);
            }
        }
    }

    fn push_front(&self, host: &HostQueue, job: Job) {
        if !self.0.draining.get() {
            self.count_queued(1);
            host.queue.borrow_mut().push_front(job);
        }
    }

    /// Gives the URLs of a host back to the supervisor, which leases none of them before `wait` is over.
    fn give_back(&self, host: &HostQueue, wait: Duration) {
        let jobs: Vec<_> = host.queue.borrow_mut().drain(..).collect();
        self.count_queued(-(jobs.len() as isize));
        self.0.speaker.returned(host.name.clone(), jobs, wait);
    }

    fn count_queued(&self, change: isize) {
        let queued = self.0.queued.get().saturating_add_signed(change);
        self.0.queued.set(queued);
        self.0.row.queued.store(queued as u64, Ordering::Relaxed);
    }
}

/// Different in every process; nothing seeded before a fork would be.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    now ^ u64::from(std::process::id()) << 32
}

fn epoch_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
