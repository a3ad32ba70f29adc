//! One host in a fetcher: its URLs, its places, and what is known of it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use url::Url;

use crate::config::Politeness;
use crate::fetcher::origins::{Need, Origins};
use crate::fetcher::pace::Pace;
use seine_core::policy::HostPolicy;
use seine_core::protocol::Job;

/// See the module.
pub(super) struct HostQueue {
    pub name: String,
    pub policy: Rc<HostPolicy>,
    pub queue: RefCell<VecDeque<Job>>,
    /// Tells the host's task that a job was queued, or that something has happened which one waits for.
    pub news: Notify,
    pub places: Arc<Semaphore>,
    /// How many of them there are, or will be when the requests beyond have ended.
    pub capacity: Cell<usize>,
    /// It has more URLs than were leased, as far as the supervisor knows.
    pub more: Cell<bool>,
    /// How many tasks wait for places in order to give them up.
    shrinking: Cell<u32>,
    pub pace: Rc<RefCell<Pace>>,
    /// Requests in a row that could not reach it.
    pub failures: Cell<u32>,
    pub origins: RefCell<Origins>,
}

impl HostQueue {
    pub fn new(name: &str, policy: Rc<HostPolicy>, places: usize, politeness: &Politeness) -> Self {
        Self {
            name: name.to_owned(),
            queue: RefCell::default(),
            news: Notify::new(),
            places: Arc::new(Semaphore::new(places)),
            capacity: Cell::new(places),
            more: Cell::new(true),
            shrinking: Cell::new(0),
            pace: Rc::new(RefCell::new(Pace::new(policy.delay, *politeness.adaptive, politeness.jitter.0))),
            failures: Cell::new(0),
            origins: RefCell::default(),
            policy,
        }
    }

    /// Has so many places from now on. If they are fewer than are taken, the returned task ends when it is so.
    pub fn set_places(self: &Rc<Self>, places: usize) -> Option<JoinHandle<()>> {
        let before = self.capacity.replace(places);
        if places >= before {
            self.places.add_permits(places - before);
            return None;
        }
        self.shrinking.update(|waiting| waiting + 1);
        let host = Rc::clone(self);
        Some(tokio::task::spawn_local(async move {
            if let Ok(permits) = host.places.acquire_many((before - places) as u32).await {
                permits.forget();
            }
            host.shrinking.update(|waiting| waiting - 1);
        }))
    }

    /// Whether places that come free are to be given up.
    pub fn is_shrinking(&self) -> bool {
        self.shrinking.get() > 0
    }

    /// Whether nothing of it is in flight.
    pub fn is_idle(&self) -> bool {
        self.places.available_permits() == self.capacity.get()
    }

    /// The next thing that a job needs before it may be requested.
    pub fn need(&self, job: &Job) -> Need {
        let target = job.errand.as_ref().map_or(&job.url, |errand| &errand.url);
        // A URL that cannot be parsed fails when it is visited.
        let Ok(url) = Url::parse(target) else { return Need::Nothing };
        let obeys = self.policy.robots && job.errand.is_none();
        if !obeys && is_of_list(job) {
            return Need::Nothing;
        }
        self.origins.borrow().need(&url, obeys)
    }

    /// Whether a list names the host that the job requests now.
    pub fn is_listed(&self, job: &Job) -> bool {
        is_of_list(job)
            || Url::parse(job.errand.as_ref().map_or(&job.url, |errand| &errand.url))
                .is_ok_and(|url| self.origins.borrow().is_listed(&url))
    }
}

/// Whether a list itself names what the job requests now.
fn is_of_list(job: &Job) -> bool {
    job.hops.is_empty() && job.errand.as_ref().is_none_or(|errand| errand.hops == 0)
}
