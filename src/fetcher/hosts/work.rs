//! The work in flight: each URL that is worked on, the places it takes, and the requests that may follow on them.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use url::Url;

use super::Hosts;
use super::queue::HostQueue;
use crate::fetcher::origins::origin_of;
use crate::fetcher::visit::{Visit, VisitContext, is_usual_sitemap};
use seine_core::protocol::Job;
use seine_core::record::UrlId;
use seine_page::robots::Decision;

/// Requests that follow one another on the same places, if the host's pace permits and even where it has more than its
/// share of them: its connection is at hand, while each host in turn would find its own closed or keep hundreds open.
const IN_A_ROW: usize = 32;
/// Other hosts do not wait longer for places that a host has beyond its share.
const ROW_TIME: Duration = Duration::from_secs(1);

/// The places that a request takes: one of its host and one of the fetcher.
pub(super) type Places = [OwnedSemaphorePermit; 2];

/// The work that is done for a URL.
pub(super) enum Work {
    /// It, or its robots.txt, is requested.
    Request,
    /// Its failure, which is known already, is recorded.
    RecordFailure,
    /// It came home from an errand that has failed, which is recorded.
    RecordErrand,
    /// That its robots.txt denies it is recorded.
    Deny(Decision),
    /// Its answer is read from an archive, on this place.
    ReadArchive(OwnedSemaphorePermit),
}

impl Hosts {
    /// Requests `job` on these places, and then others of its host as long as they may follow on them.
    pub(super) fn request(&self, host: &Rc<HostQueue>, job: Job, places: Places) {
        let (hosts, host) = (self.clone(), Rc::clone(host));
        self.spawn(job.url_id, async move {
            hosts.request_in_a_row(&host, job).await;
            drop(places);
            hosts.has_ended(&host);
        });
    }

    /// Does for `job` what takes no place of its host.
    pub(super) fn settle(&self, host: &Rc<HostQueue>, job: Job, work: Work) {
        let (hosts, host, url_id) = (self.clone(), Rc::clone(host), job.url_id);
        self.spawn(url_id, async move {
            hosts.visit(&host, job, work).await;
            hosts.0.working.borrow_mut().remove(&url_id);
            hosts.has_ended(&host);
        });
    }

    /// One host's share of so many places, as long as the others want theirs.
    pub(super) fn share_of(&self, places: usize) -> usize {
        places / self.0.hosts.borrow().len().max(1)
    }

    fn spawn(&self, url_id: UrlId, work: impl Future<Output = ()> + 'static) {
        let task = tokio::task::spawn_local(work);
        self.0.working.borrow_mut().insert(url_id, task.abort_handle());
        self.show_in_flight();
    }

    async fn request_in_a_row(&self, host: &Rc<HostQueue>, mut job: Job) {
        let begun = Instant::now();
        for in_a_row in 1.. {
            let url_id = job.url_id;
            self.visit(host, job, Work::Request).await;
            // From here on the URL is nobody's work: its record is in the outbox, or even sent, or it is queued again.
            let task = self.0.working.borrow_mut().remove(&url_id);
            let is_in_time = in_a_row < IN_A_ROW && begun.elapsed() < ROW_TIME;
            if !is_in_time && !self.has_no_more_than_its_share(host) {
                return;
            }
            // Its connection is put back by a task that was woken with this one. Before that has run the next request
            // would find none, and have another one made.
            tokio::task::yield_now().await;
            let Some(next) = self.next_at_once(host) else { return };
            self.0.working.borrow_mut().extend(task.map(|task| (next.url_id, task)));
            job = next;
        }
    }

    /// One visit and what its end means.
    async fn visit(&self, host: &Rc<HostQueue>, job: Job, work: Work) {
        let errand = job.errand.is_some().then(|| Url::parse(&job.url).ok().map(|url| origin_of(&url))).flatten();
        let visit = self.perform(host, job, work).await;
        self.ended(host, visit, errand.as_deref());
    }

    async fn perform(&self, host: &HostQueue, job: Job, work: Work) -> Visit {
        let visitor = &self.0.visitor;
        match work {
            Work::Request => {
                self.0.row.requests.fetch_add(1, Ordering::Relaxed);
                let context = self.context(host, &job);
                visitor.visit(job, context).await
            }
            Work::RecordFailure => {
                let context = self.context(host, &job);
                visitor.visit(job, context).await
            }
            Work::RecordErrand => visitor.errand_failed(job).await,
            Work::Deny(decision) => {
                visitor.deny(job, &decision).await;
                Visit::over()
            }
            Work::ReadArchive(place) => {
                let visit = visitor.archived(job).await;
                drop(place);
                visit
            }
        }
    }

    fn context(&self, host: &HostQueue, job: &Job) -> VisitContext {
        VisitContext {
            policy: Rc::clone(&host.policy),
            listed: host.is_listed(job),
            pace: Rc::clone(&host.pace),
            is_guess: is_usual_sitemap(job)
                && Url::parse(job.listed_url()).is_ok_and(|url| !host.origins.borrow().names_sitemaps(&url)),
            is_last: job.errand.is_none() && !host.more.get() && host.queue.borrow().is_empty(),
        }
    }

    /// Whether a host has so few requests in flight that its places are nobody else's.
    fn has_no_more_than_its_share(&self, host: &HostQueue) -> bool {
        let in_flight = host.capacity.get().saturating_sub(host.places.available_permits());
        in_flight <= self.share_of(self.0.capacity)
    }

    /// Work for a host has ended, and its places are free.
    fn has_ended(&self, host: &HostQueue) {
        // The host's task may wait for a place, or for the host to be idle.
        host.news.notify_one();
        self.show_in_flight();
        if self.0.draining.get() {
            self.0.settled.notify_waiters();
        }
    }

    fn show_in_flight(&self) {
        self.0.row.in_flight.store(self.0.working.borrow().len() as u64, Ordering::Relaxed);
    }
}
