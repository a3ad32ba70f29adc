//! The errand of a URL to the robots.txt of its origin: there, over redirects to other hosts perhaps, and back home to
//! the host that the file is for.

use std::time::Duration;

use url::Url;

use super::page::compressed;
use super::record::Ended;
use super::request::Attempt;
use super::{Next, Visit, Visitor, epoch_us, one_line};
use crate::fetcher::origins::origin_of;
use crate::fetcher::pace::Mood;
use crate::fetcher::robots_answer::{Found, judge};
use seine_core::protocol::{Errand, Job, RecordHead, RequestKind, RobotsHead, RobotsText};
use seine_core::record::{ErrorClass, Failure};
use seine_page::robots::{self, Robots};

impl Visitor {
    /// Does what the answer to a request on an errand asks for. A site without robots.txt allows everything, one that
    /// cannot say allows nothing (RFC 9309 section 2.3.1).
    pub(super) async fn robots_answered(
        &self,
        mut job: Job,
        mut errand: Errand,
        url: &Url,
        attempt: Attempt,
    ) -> (Next, Option<Mood>) {
        let Attempt { started_at, exchange, .. } = attempt;
        match judge(url, errand.hops, &exchange.answer) {
            Found::Redirect(target) => {
                errand.hops += 1;
                errand.url = target.url;
                job.errand = Some(Box::new(errand));
                (self.go_on(job, url, target.host), Some(Mood::Well))
            }
            Found::File { status, text } => {
                (self.robots_read(job, errand, url, (status, text), started_at).await, Some(Mood::Well))
            }
            Found::Unreachable(mut failure) => {
                failure.message = one_line(&format!("{url} could not be read: {}", failure.message));
                let mood = match &exchange.answer {
                    Ok(answer) => Some(self.mood(&job, answer, started_at)),
                    // Nobody was asked.
                    Err(_) if failure.class == ErrorClass::BlockedAddress => None,
                    Err(_) => Some(Mood::Unreachable),
                };
                let asked = mood.map_or(Duration::ZERO, Mood::hold);
                let ended = Ended { status: exchange.status, started_at: epoch_us() / 1000, asked };
                (self.robots_failed(job, errand, url, failure, ended).await, mood)
            }
        }
    }

    /// Records what an errand to other hosts has come to, back at home.
    pub async fn errand_failed(&self, mut job: Job) -> Visit {
        if let Some(errand) = job.errand.take()
            && let Some(Err(failure)) = &errand.found
        {
            self.robots_given_up(job, &errand, failure.clone(), Ended::at(epoch_us() / 1000)).await;
        }
        Visit::over()
    }

    /// Records the robots.txt found at `url`, its status and text, and brings it home.
    async fn robots_read(
        &self,
        mut job: Job,
        mut errand: Errand,
        url: &Url,
        (status, text): (u16, &[u8]),
        started_at: u64,
    ) -> Next {
        let text = &text[..text.len().min(robots::MAX_BYTES)];
        let rules = Robots::parse(text, &self.settings.politeness.robots_agent);
        let zstd = if text.is_empty() { Vec::new() } else { compressed(text) };
        let sitemaps = rules.sitemaps();
        let head = RobotsHead {
            bytes: text.len() as u64,
            crawl_delay_ms: rules.crawl_delay().map(|delay| delay.as_millis() as u64),
            sitemaps: (!sitemaps.is_empty())
                .then(|| serde_json::to_string(sitemaps).expect("strings always serialise")),
            ..self.robots_head(&mut job, &errand, Ended { status: Some(status), ..Ended::at(started_at) })
        };
        let head = RobotsHead { found: self.sitemaps_of(&head.origin, sitemaps), ..head };
        self.outbox.room().await;
        self.put_robots(head, zstd.clone());
        let home = home_of(&job);
        if url.host_str() == Some(&home) {
            return Next::RobotsRead(Box::new(job), rules);
        }
        errand.found = Some(Ok(RobotsText { status, zstd }));
        job.errand = Some(Box::new(errand));
        self.go_on(job, url, home)
    }

    /// Brings home why the robots.txt could not be read: the record is made there, since it tells of that host.
    async fn robots_failed(&self, mut job: Job, mut errand: Errand, url: &Url, failure: Failure, ended: Ended) -> Next {
        let home = home_of(&job);
        if url.host_str() == Some(&home) {
            self.robots_given_up(job, &errand, failure, ended).await;
            return Next::Over;
        }
        errand.found = Some(Err(failure));
        job.errand = Some(Box::new(errand));
        self.go_on(job, url, home)
    }

    /// Records that a robots.txt could not be read, and what that means for the URL that wanted it.
    async fn robots_given_up(&self, mut job: Job, errand: &Errand, failure: Failure, ended: Ended) {
        let trail = job.trail.clone();
        let mut head = self.robots_head(&mut job, errand, ended);
        head.failure = Some(failure.clone());
        // The requests end the attempt, so they belong to its record.
        (head.requests, job.trail) = (Vec::new(), trail);
        self.outbox.room().await;
        self.put_robots(head, Vec::new());
        self.fail(job, failure, Ended { status: None, ..ended }).await;
    }

    /// The sitemaps of an origin that are to be read.
    fn sitemaps_of(&self, origin: &str, named: &[String]) -> Vec<seine_core::protocol::Found> {
        let finder = self.finder.as_ref().filter(|_| self.settings.follow.finds_sitemaps());
        finder.map(|finder| finder.of_robots(origin, named)).unwrap_or_default()
    }

    fn robots_head(&self, job: &mut Job, errand: &Errand, ended: Ended) -> RobotsHead {
        RobotsHead {
            url_id: job.url_id,
            generation: self.generation,
            origin: Url::parse(&job.url).map(|page| origin_of(&page)).unwrap_or_default(),
            final_url: (errand.hops > 0).then(|| errand.url.clone()),
            status: ended.status,
            failure: None,
            fetched_at: ended.started_at,
            bytes: 0,
            crawl_delay_ms: None,
            sitemaps: None,
            found: Vec::new(),
            requests: job.trail.extract_if(.., |request| request.kind == RequestKind::Robots).collect(),
            attempt: job.attempts + 1,
        }
    }

    fn put_robots(&self, head: RobotsHead, zstd: Vec<u8>) {
        if let Err(error) = self.outbox.put(None, &RecordHead::Robots(head), zstd) {
            // Bounded far below what a frame holds; and what it says is in force all the same.
            tracing::warn!(%error, "a robots.txt is not recorded");
        }
    }
}

/// The host whose robots.txt the job is after.
fn home_of(job: &Job) -> String {
    Url::parse(&job.url).ok().and_then(|page| page.host_str().map(str::to_owned)).unwrap_or_default()
}
