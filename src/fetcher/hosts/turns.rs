//! The turns of one host: which of its URLs is next, what that URL waits for, and when its request starts.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use super::Hosts;
use super::queue::HostQueue;
use super::work::{Places, Work};
use crate::fetcher::origins::{Need, robots_url};
use seine_core::protocol::{Errand, Job};
use seine_core::record::UrlId;

impl Hosts {
    /// Starts the requests of one host, one by one; forgets the host once it has been idle for longer than its pace
    /// could matter.
    pub(super) async fn serve(self, host: Rc<HostQueue>) {
        let mut starts = 0_usize;
        loop {
            self.read_archived(&host).await;
            let Some((url_id, need)) = self.front(&host) else {
                if self.forgets(&host).await {
                    return;
                }
                continue;
            };
            match need {
                Need::Facts(origin) => {
                    host.origins.borrow_mut().asked(origin.clone());
                    self.0.speaker.ask_origin(origin);
                }
                Need::Answer => host.news.notified().await,
                Need::Patience { until } => {
                    let _ = tokio::time::timeout_at(until, host.news.notified()).await;
                }
                Need::Denied(decision) => {
                    if let Some(job) = self.pop(&host, url_id) {
                        self.settle(&host, job, Work::Deny(decision));
                    }
                }
                Need::Errand(_) | Need::Nothing => {
                    let Some(places) = self.turn(&host).await else { return };
                    // The queue may have changed meanwhile: then the places are given back, and the turn is lost.
                    let Some(job) = self.next_job(&host) else { continue };
                    self.request(&host, job, places);
                    // Places that come free together are for all hosts: one that took them all would need as many new
                    // connections, and the others would close theirs.
                    starts = starts.saturating_sub(1);
                    if starts == 0 {
                        tokio::task::yield_now().await;
                        starts = self.share_of(self.0.places.available_permits());
                    }
                }
            }
        }
    }

    /// The next job of a host if its request may start now, on the places of one that has ended.
    pub(super) fn next_at_once(&self, host: &HostQueue) -> Option<Job> {
        if self.0.draining.get() || self.0.rate.is_some() || host.is_shrinking() {
            return None;
        }
        let (url_id, Need::Nothing) = self.front(host)? else { return None };
        let random = self.0.random.borrow_mut().f64();
        let starts = host.pace.borrow_mut().start(Instant::now(), random);
        starts.then(|| self.pop(host, url_id))?
    }

    /// Starts the URLs that an archive answers: they ask nothing of the host, so they wait for no turn.
    async fn read_archived(&self, host: &Rc<HostQueue>) {
        let is_archived = |job: &Job| job.archived.is_some();
        while host.queue.borrow().iter().any(is_archived) {
            let Ok(place) = Arc::clone(&self.0.archive_places).acquire_owned().await else { return };
            let at = host.queue.borrow().iter().position(is_archived);
            let Some(job) = at.and_then(|at| host.queue.borrow_mut().remove(at)) else { return };
            self.count_queued(-1);
            self.settle(host, job, Work::ReadArchive(place));
        }
    }

    /// The first job of the queue and what it needs, unless an archive answers it.
    fn front(&self, host: &HostQueue) -> Option<(UrlId, Need)> {
        let queue = host.queue.borrow();
        let job = queue.front().filter(|job| job.archived.is_none())?;
        Some((job.url_id, host.need(job)))
    }

    /// Takes the first job of the queue if it may be requested, or may go and read its robots.txt.
    fn next_job(&self, host: &HostQueue) -> Option<Job> {
        let (url_id, need @ (Need::Errand(_) | Need::Nothing)) = self.front(host)? else { return None };
        let mut job = self.pop(host, url_id)?;
        if let (Need::Errand(origin), Ok(url)) = (need, Url::parse(&job.url)) {
            let listed = job.hops.is_empty() || host.origins.borrow().is_listed(&url);
            host.origins.borrow_mut().reading(origin, listed);
            job.errand = Some(Box::new(Errand { url: robots_url(&url), hops: 0, found: None }));
        }
        Some(job)
    }

    /// The first job of the queue, if it is still this one.
    fn pop(&self, host: &HostQueue, url_id: UrlId) -> Option<Job> {
        let mut queue = host.queue.borrow_mut();
        let job = if queue.front()?.url_id == url_id { queue.pop_front() } else { None };
        self.count_queued(-(job.iter().len() as isize));
        job
    }

    /// Waits for the next start of a request to `host`, and returns the places it takes; `None` at the end of all.
    async fn turn(&self, host: &HostQueue) -> Option<Places> {
        let of_host = Arc::clone(&host.places).acquire_owned().await.ok()?;
        loop {
            let wait = host.pace.borrow().wait(Instant::now());
            if let Some(wait) = wait {
                tokio::time::sleep(wait).await;
                continue;
            }
            let of_fetcher = Arc::clone(&self.0.places).acquire_owned().await.ok()?;
            if let Some(rate) = &self.0.rate {
                rate.pass().await;
            }
            // With the places in hand, so that nothing comes between the pace's word and the start.
            let random = self.0.random.borrow_mut().f64();
            if host.pace.borrow_mut().start(Instant::now(), random) {
                return Some([of_host, of_fetcher]);
            }
        }
    }

    /// Waits for news of an idle host; `true` if none came for so long that it was forgotten.
    async fn forgets(&self, host: &HostQueue) -> bool {
        // The supervisor keeps a host here for one delay after its last commit, which is later than its last start.
        let forget_after = host.pace.borrow().floor() + Duration::from_secs(1);
        if tokio::time::timeout(forget_after, host.news.notified()).await.is_err()
            && host.queue.borrow().is_empty()
            // A request in flight holds its place of this host, and may still come back as a redirect.
            && host.is_idle()
        {
            self.0.hosts.borrow_mut().remove(&host.name);
            return true;
        }
        false
    }
}
