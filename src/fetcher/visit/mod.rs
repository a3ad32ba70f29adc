//! The life of one URL in a fetcher: what it asks for next, and what it makes of the answer.
//!
//! - `request`: one request, noted in the URL's trail.
//! - `circles`: redirects without an end.
//! - `redirect`: the target of a redirect, and whether it may be followed.
//! - `errand`: the way to a robots.txt and back.
//! - `retry`: what an answer says of the time that follows: for the URL, and for its host.
//! - `entries`: what a sitemap or feed names.
//! - `finder`: the URLs that a page names and that are to be asked for.
//! - `record`: the record with which an attempt ends.
//! - `workers`, `page`: on which thread a page is read, and how.
//! - `archived`: an answer that an archive has.

mod archived;
mod circles;
mod entries;
mod errand;
mod finder;
mod page;
mod record;
mod redirect;
mod request;
mod retry;
mod workers;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use url::Url;

use super::control::Speaker;
use super::outbox::Outbox;
use super::pace::{Mood, Pace};
use crate::config::Fetching;
pub use finder::Finder;
use page::Chosen;
pub use record::is_usual_sitemap;
use record::{Answered, Ended};
pub(super) use redirect::redirect_target;
use request::Attempt;
use seine_core::policy::HostPolicy;
use seine_core::protocol::{Generation, Job};
use seine_core::record::headers::Packer;
use seine_core::record::{BadUrl, ErrorClass, Failure, UrlId};
use seine_http::Http;
use seine_page::extract::More;
use seine_page::extract::rules::{Rules, Selector};
use seine_page::robots::Robots;
use seine_unix::clock::monotonic_ms;
use seine_unix::status::Row;
use workers::Workers;

/// The circumstances of one visit.
#[derive(Debug)]
pub struct VisitContext {
    /// The user's settings for the host.
    pub policy: Rc<HostPolicy>,
    /// Whether a list names the host.
    pub listed: bool,
    /// The host's pace, which is told when the request starts.
    pub pace: Rc<RefCell<Pace>>,
    /// It is a sitemap at the usual place, which its robots.txt does not name.
    pub is_guess: bool,
    /// Nothing more is known to be asked of the host.
    pub is_last: bool,
}

/// The result of a visit.
#[derive(Debug)]
pub struct Visit {
    /// The next step of its URL.
    pub next: Next,
    /// News of the host; `None`: the host was not asked.
    pub heard: Option<Heard>,
}

/// News of a host from one request.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// How long the request took.
    pub latency: Duration,
    /// The state that the host seems to be in.
    pub mood: Mood,
}

/// The next step of a URL after a visit.
#[derive(Debug)]
pub enum Next {
    /// Its record is in the outbox.
    Over,
    /// It goes on at another host: the supervisor has it.
    Elsewhere,
    /// It goes on at another URL of the same host.
    SameHost(Box<Job>),
    /// The robots.txt of the job's URL was read; the job goes on with the URL itself.
    RobotsRead(Box<Job>, Robots),
    /// It was not reached, and that may be our own fault: the supervisor has it.
    Unreached,
}

impl Visit {
    /// Nothing more to do, and nothing learned of the host.
    pub fn over() -> Self {
        Self { next: Next::Over, heard: None }
    }
}

/// All that visits have in common.
pub struct Visitor {
    http: Http,
    outbox: Outbox,
    speaker: Speaker,
    row: &'static Row,
    generation: Generation,
    settings: Rc<Fetching>,
    packer: RefCell<Packer>,
    workers: Workers,
    finder: Option<Finder>,
}

/// What a [`Visitor`] is made of.
pub struct VisitorSetup {
    /// Makes the requests.
    pub http: Http,
    /// Takes the records.
    pub outbox: Outbox,
    /// Speaks to the supervisor.
    pub speaker: Speaker,
    /// Which fetcher it is.
    pub generation: Generation,
    /// The configuration.
    pub settings: Rc<Fetching>,
    /// For the items of pages.
    pub rules: Rules,
    /// The elements whose links are followed; `None`: all are.
    pub follow_css: Option<Selector>,
    /// Finds URLs to follow; `None`: none are.
    pub finder: Option<Finder>,
    /// The fetcher's status row.
    pub row: &'static Row,
}

impl Visitor {
    /// A visitor with all that it needs.
    pub fn new(setup: VisitorSetup) -> Self {
        let VisitorSetup { http, outbox, speaker, generation, settings, rules, follow_css, finder, row } = setup;
        let more = More { assets: settings.follow.assets, likeness: settings.follow.reads().words };
        let workers = Workers::new(&settings, Chosen { rules, follow_css, more }, row);
        Self { http, outbox, speaker, row, generation, settings, packer: RefCell::default(), workers, finder }
    }

    /// The URL of a page that has been at work for so long that it will not end.
    pub fn endless(&self) -> Option<UrlId> {
        self.workers.endless()
    }

    /// Makes the next request of `job` and does what the answer asks for.
    pub async fn visit(&self, mut job: Job, context: VisitContext) -> Visit {
        let now_at = epoch_us() / 1000;
        if job.started_at == 0 {
            job.started_at = now_at;
        }
        let target = job.errand.as_ref().map_or(&job.url, |errand| &errand.url);
        let url = match Url::parse(target) {
            Ok(url) => url,
            // Lists and redirects are checked before they get here.
            Err(error) => {
                let failure = Failure::new(ErrorClass::Protocol, BadUrl::Syntax(error).to_string());
                self.fail(job, failure, Ended::at(now_at)).await;
                return Visit::over();
            }
        };
        if job.errand.is_none()
            && let Some(failure) =
                circles::closed(&job, || self.http.cookies(&url, &context.policy), context.policy.cookies)
            && let Some(last) = job.hops.pop()
        {
            job.url = last.url;
            self.fail(job, failure, Ended { status: Some(last.status), ..Ended::at(now_at) }).await;
            return Visit::over();
        }
        let attempt = match job.failed.take() {
            Some(failure) => Attempt::in_vain(*failure, now_at),
            None => {
                tracing::trace!(url_id = job.url_id, %url, "request");
                let began = monotonic_ms();
                let attempt = self.request(&mut job, &url, &context).await;
                if let Err(failure) = &attempt.exchange.answer
                    && failure.class.may_be_ours()
                {
                    return self.unreached(job, &url, failure.clone(), began);
                }
                attempt
            }
        };
        let (url_id, latency) = (job.url_id, attempt.took);
        let (next, mood) = match job.errand.take() {
            None => self.page_answered(job, &url, attempt, context.is_guess).await,
            Some(errand) => self.robots_answered(job, *errand, &url, attempt).await,
        };
        self.row.body_is_gone(url_id);
        Visit { next, heard: mood.map(|mood| Heard { latency, mood }) }
    }

    /// One of `urls` that can be reached now; nothing is requested.
    pub async fn reached(&self, urls: &[(HostPolicy, Url)]) -> Option<String> {
        self.http.reached(urls).await.map(Url::to_string)
    }

    /// Leaves it to the supervisor whether the host or our own network has failed.
    fn unreached(&self, job: Job, url: &Url, failure: Failure, began: u64) -> Visit {
        self.row.body_is_gone(job.url_id);
        self.speaker.unreached(url.host_str().unwrap_or_default().to_owned(), job, failure, began);
        Visit { next: Next::Unreached, heard: None }
    }

    /// Does what the answer to a request for the URL itself asks for.
    async fn page_answered(&self, job: Job, url: &Url, attempt: Attempt, is_guess: bool) -> (Next, Option<Mood>) {
        let Attempt { started_at, exchange, .. } = attempt;
        match exchange.answer {
            Ok(answer) if answer.is_redirect() => {
                (self.redirected(job, url, &answer, exchange.cookies, started_at).await, Some(Mood::Well))
            }
            Ok(answer) => {
                let mood = self.mood(&job, &answer, started_at);
                let answered = Answered { url, started_at, asked: mood.hold(), is_guess };
                self.record(job, answer, answered).await;
                (Next::Over, Some(mood))
            }
            Err(failure) => {
                tracing::debug!(url_id = job.url_id, class = %failure.class, "failed");
                let mood = if failure.class.is_of_host() { Mood::Unreachable } else { Mood::Well };
                self.fail(job, failure, Ended::at(started_at)).await;
                (Next::Over, Some(mood))
            }
        }
    }

    /// Hands a job on to `host`, which the answer at `from` has sent it to.
    fn go_on(&self, job: Job, from: &Url, host: String) -> Next {
        if from.host_str() == Some(&host) {
            Next::SameHost(Box::new(job))
        } else {
            // The other host may live in another fetcher, which keeps its pace.
            self.speaker.redirected(host, job);
            Next::Elsewhere
        }
    }
}

/// Text of a site, fit for a line of ours.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}

/// Microseconds of the Unix epoch.
fn epoch_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64)
}
