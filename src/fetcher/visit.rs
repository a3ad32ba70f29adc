//! The life of one URL in a fetcher: robots.txt, request, redirects, extraction (`process`), record.

mod archived;
mod process;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reqwest::Method;
use url::Url;

use super::control::Speaker;
use super::origins::{origin_of, robots_url};
use super::outbox::Outbox;
use super::pace::{Mood, Pace};
use super::retry_after;
use super::robots_txt::{self, Found};
use crate::config::Fetching;
use process::{Fetched, Processing, compressed};
use seine_core::policy::HostPolicy;
use seine_core::protocol::{
    Ending, Errand, Generation, Hop, Job, PageHead, RecordHead, RequestHead, RequestKind, RobotsHead, RobotsText,
    Validators,
};
use seine_core::record::headers::Packer;
use seine_core::record::{BadUrl, CrawlUrl, ErrorClass, Failure, Outcome, UrlId};
use seine_http::{Answer, Ask, Exchange, Http, Want};
use seine_page::extract::robots::directives;
use seine_page::extract::rules::Rules;
use seine_page::robots::{self, Decision, Robots};
use seine_unix::clock;
use seine_unix::status::Row;

/// First pause before a repeated attempt; it doubles with each ...
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// ... up to this.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Longest `ETag` or `Last-Modified` that is kept.
const MAX_VALIDATOR_BYTES: usize = 1024;
/// Most bytes of packed headers that a redirect takes along: a chain of a thousand fits a frame.
const MAX_TRAVELLING_HEADERS: usize = 4096;

/// What holds for one visit.
#[derive(Debug)]
pub struct VisitContext {
    /// What the user has set for the host.
    pub policy: Rc<HostPolicy>,
    /// Whether a list names the host.
    pub listed: bool,
    /// Its pace, to be told when it is asked.
    pub pace: Rc<RefCell<Pace>>,
    /// Nothing more is known to be asked of the host.
    pub is_last: bool,
}

/// What came of a visit.
#[derive(Debug)]
pub struct Visit {
    /// Where it led.
    pub next: Next,
    /// How long the request took, if one was made, and what it tells of the host.
    pub answered: Option<(Duration, Mood)>,
    /// The host is not to be asked for so long.
    pub hold: Option<Duration>,
}

/// Where a visit led.
#[derive(Debug)]
pub enum Next {
    /// Its record is in the outbox.
    Over,
    /// To another host: the supervisor has it.
    Elsewhere,
    /// To another URL of the same host.
    SameHost(Box<Job>),
    /// The robots.txt of the job's URL was read; the job goes on with the URL itself.
    RobotsRead(Box<Job>, Robots),
    /// Nowhere, and that may be our own fault: the supervisor has it.
    Unreached,
}

impl Visit {
    /// Nothing more to do, and nothing learned of the host.
    pub fn over() -> Self {
        Self { next: Next::Over, answered: None, hold: None }
    }
}

/// What visits share.
pub struct Visitor {
    http: Http,
    outbox: Outbox,
    speaker: Speaker,
    row: &'static Row,
    generation: Generation,
    settings: Rc<Fetching>,
    packer: RefCell<Packer>,
    processing: Processing,
}

/// What a redirect asks for.
enum Target {
    Follow(CrawlUrl),
    Fail(Failure),
}

/// One request that was made.
struct Made {
    /// How long the answer has taken.
    took: Duration,
    started_at: u64,
    exchange: Exchange,
}

impl Visitor {
    /// For the fetcher of this generation.
    pub fn new(
        http: Http,
        outbox: Outbox,
        speaker: Speaker,
        generation: Generation,
        settings: Rc<Fetching>,
        rules: Rules,
        row: &'static Row,
    ) -> Self {
        let processing = Processing::new(&settings, rules, row);
        Self { http, outbox, speaker, row, generation, settings, packer: RefCell::new(Packer::new()), processing }
    }

    /// The URL of a page that has been processed for so long that it will not end.
    pub fn endless(&self) -> Option<UrlId> {
        self.processing.endless()
    }

    /// Requests what `job` is after now and does what the answer asks for.
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
                self.fail(job, failure, None, now_at, Duration::ZERO).await;
                return Visit::over();
            }
        };
        let url_id = job.url_id;
        let made = match job.failed.take() {
            Some(failure) => Made::in_vain(*failure, now_at),
            None => {
                tracing::trace!(url_id, %url, "request");
                let began = clock::mono().ms();
                let made = self.request(&mut job, &url, &context).await;
                if let Err(failure) = &made.exchange.answer
                    && failure.class.may_be_ours()
                {
                    self.row.body_is_gone(url_id);
                    self.speaker.unreached(url.host_str().unwrap_or_default().to_owned(), job, failure.clone(), began);
                    return Visit { next: Next::Unreached, answered: None, hold: None };
                }
                made
            }
        };
        let latency = made.took;
        let (next, hold) = match job.errand.take() {
            None => self.page_answered(job, &url, made).await,
            Some(errand) => self.robots_answered(job, *errand, &url, made).await,
        };
        self.row.body_is_gone(url_id);
        let (hold, mood) = match hold {
            Hold::NotAsked => return Visit { next, answered: None, hold: None },
            Hold::Not => (None, Mood::Well),
            Hold::NotSooner => (None, Mood::Unwell),
            Hold::Unreachable => (None, Mood::Unreachable),
            Hold::For(hold) => (Some(hold), Mood::Overrun),
        };
        Visit { next, answered: Some((latency, mood)), hold }
    }

    /// One of `urls` that can be reached now; nothing is requested.
    pub async fn reached(&self, urls: &[(HostPolicy, Url)]) -> Option<String> {
        self.http.reached(urls).await.map(Url::to_string)
    }

    /// Records that robots.txt does not allow the URL.
    pub async fn deny(&self, job: Job, decision: &Decision) {
        let robots = Url::parse(&job.url).map(|url| robots_url(&url)).unwrap_or_default();
        let message = match (&decision.rule, decision.line) {
            (Some(rule), Some(line)) => format!("{rule} (line {line} of {robots})"),
            _ => format!("the rules of {robots} are too many to be tried on this URL"),
        };
        let failure = Failure::new(ErrorClass::Robots, one_line(&message));
        let ending = Ending::Final { outcome: Outcome::RobotsDenied, failure: Some(failure) };
        let head = self.head(job, ending, None, epoch_us() / 1000);
        self.outbox.room().await;
        self.put(head, Vec::new());
    }

    /// One request; what it was goes to the job's trail.
    async fn request(&self, job: &mut Job, url: &Url, context: &VisitContext) -> Made {
        let is_errand = job.errand.is_some();
        let (method, body) = self.method(job);
        let want = if is_errand { Want::Robots { limit: robots::MAX_BYTES } } else { Want::Page };
        // In this order: the next gap is never counted from a time before the one in the record, however long the system
        // has kept this process from running since the pace gave its word.
        let started_us = epoch_us();
        let started = Instant::now();
        context.pace.borrow_mut().asked(started.into());
        let gap = context.pace.borrow().floor();
        let url_id = job.url_id;
        let grows = |bytes| self.row.body_grows(url_id, bytes as u64);
        let ask = Ask {
            url,
            policy: &context.policy,
            listed: context.listed,
            elsewhere: is_elsewhere(job, url),
            method: &method,
            body,
            validators: self.validators(job),
            is_last: context.is_last,
            want,
            grows: Some(&grows),
        };
        let exchange = self.http.request(&ask).await;
        let took = started.elapsed().saturating_sub(exchange.waited);
        let elapsed_ms = took.as_millis().min(u128::from(u32::MAX)) as u32;
        job.trail.push(RequestHead {
            url: (is_errand || !job.hops.is_empty()).then(|| url.to_string()),
            host: url.host_str().unwrap_or_default().to_owned(),
            kind: if is_errand { RequestKind::Robots } else { RequestKind::Page },
            started_us,
            elapsed_ms,
            gap_ms: gap.as_millis().min(u128::from(u32::MAX)) as u32,
            status: exchange.status,
            error: exchange.answer.as_ref().err().map(|failure| failure.class),
            bytes: exchange.bytes,
            remote_ip: exchange.remote_ip,
            http_version: exchange.http_version,
            headers: self.packed_headers(&exchange),
        });
        if let Ok(answer) = &exchange.answer {
            self.row.body_bytes.fetch_add(answer.body.len() as u64, Ordering::Relaxed);
        }
        Made { took, started_at: started_us / 1000, exchange }
    }

    /// Method and body of the next request: redirects turn a POST into a GET, but for 307 and 308 (RFC 9110 §15.4).
    fn method(&self, job: &Job) -> (Method, Option<&str>) {
        let settings = &self.settings;
        if job.errand.is_some() {
            return (Method::GET, None);
        }
        let listed = Method::from_bytes(settings.http.method.as_bytes()).unwrap_or(Method::GET);
        let becomes_get = |status: u16| {
            status == 303 && listed != Method::HEAD || matches!(status, 301 | 302) && listed == Method::POST
        };
        if job.hops.iter().any(|hop| becomes_get(hop.status)) {
            (Method::GET, None)
        } else {
            (listed, settings.http.body.as_deref())
        }
    }

    /// By what the next request may ask for changes only: of the listed URL itself, since it is its answer that is kept.
    fn validators<'a>(&self, job: &'a Job) -> Option<&'a Validators> {
        let asks_for_page = job.errand.is_none() && job.hops.is_empty() && *self.settings.http.method == "GET";
        job.validators.as_deref().filter(|_| asks_for_page)
    }

    async fn page_answered(&self, mut job: Job, url: &Url, made: Made) -> (Next, Hold) {
        let Made { started_at, exchange, .. } = made;
        let answer = match exchange.answer {
            Ok(answer) => answer,
            Err(failure) => {
                tracing::debug!(url_id = job.url_id, class = %failure.class, "failed");
                let hold = if failure.class.is_of_host() { Hold::Unreachable } else { Hold::Not };
                self.fail(job, failure, None, started_at, Duration::ZERO).await;
                return (Next::Over, hold);
            }
        };
        if answer.is_redirect() {
            return match self.target(&job, url, &answer) {
                Target::Follow(next) => {
                    let same_host = url.host_str() == Some(&next.host);
                    job.hops.push(Hop { url: std::mem::replace(&mut job.url, next.url), status: answer.status });
                    (self.go_on(job, same_host, next.host), Hold::Not)
                }
                Target::Fail(failure) => {
                    self.fail(job, failure, Some(answer.status), started_at, Duration::ZERO).await;
                    (Next::Over, Hold::Not)
                }
            };
        }
        let hold = self.hold(&job, answer.status, answer.retry_after.as_deref(), started_at);
        self.record(job, url, answer, started_at, &hold).await;
        (Next::Over, hold)
    }

    /// What came of an errand. A site without robots.txt allows everything, one that cannot say allows nothing
    /// (RFC 9309 section 2.3.1).
    async fn robots_answered(&self, mut job: Job, mut errand: Errand, url: &Url, made: Made) -> (Next, Hold) {
        let Made { started_at, exchange, .. } = made;
        match robots_txt::judge(url, errand.hops, &exchange.answer) {
            Found::Redirect(next) => {
                errand.hops += 1;
                errand.url = next.url;
                job.errand = Some(Box::new(errand));
                let same_host = url.host_str() == Some(&next.host);
                (self.go_on(job, same_host, next.host), Hold::Not)
            }
            Found::File { status, text } => self.robots_read(job, &errand, url, status, text, started_at).await,
            Found::Unreachable(mut failure) => {
                failure.message = one_line(&format!("{url} could not be read: {}", failure.message));
                let hold = match &exchange.answer {
                    Ok(answer) => self.hold(&job, answer.status, answer.retry_after.as_deref(), started_at),
                    Err(_) if failure.class == ErrorClass::BlockedAddress => Hold::NotAsked,
                    Err(_) => Hold::Unreachable,
                };
                let next = self.robots_failed(job, errand, url, exchange.status, failure, hold.asked()).await;
                (next, hold)
            }
        }
    }

    /// Records a robots.txt, and brings it to the host it is for.
    async fn robots_read(
        &self,
        mut job: Job,
        errand: &Errand,
        url: &Url,
        status: u16,
        text: &[u8],
        started_at: u64,
    ) -> (Next, Hold) {
        let text = &text[..text.len().min(robots::MAX_BYTES)];
        let rules = Robots::parse(text, &self.settings.politeness.robots_agent);
        let zstd = if text.is_empty() { Vec::new() } else { compressed(text) };
        let sitemaps = rules.sitemaps();
        let head = RobotsHead {
            bytes: text.len() as u64,
            crawl_delay_ms: rules.crawl_delay().map(|delay| delay.as_millis() as u64),
            sitemaps: (!sitemaps.is_empty())
                .then(|| serde_json::to_string(sitemaps).expect("strings always serialise")),
            ..self.robots_head(&mut job, errand, Some(status), started_at)
        };
        self.outbox.room().await;
        self.put_robots(head, zstd.clone());
        let page = Url::parse(&job.url).ok();
        let host = page.as_ref().and_then(Url::host_str).unwrap_or_default().to_owned();
        if url.host_str() == Some(&host) {
            return (Next::RobotsRead(Box::new(job), rules), Hold::Not);
        }
        let found = Some(Ok(RobotsText { status, zstd }));
        job.errand = Some(Box::new(Errand { url: errand.url.clone(), hops: errand.hops, found }));
        (self.go_on(job, false, host), Hold::Not)
    }

    /// Records that a robots.txt could not be read, and what that means for the URL that wanted it; at the host it is
    /// for, since that is what it tells of.
    async fn robots_failed(
        &self,
        mut job: Job,
        errand: Errand,
        url: &Url,
        status: Option<u16>,
        failure: Failure,
        asked: Duration,
    ) -> Next {
        let host = Url::parse(&job.url).ok().and_then(|page| page.host_str().map(str::to_owned)).unwrap_or_default();
        if url.host_str() != Some(&host) {
            job.errand = Some(Box::new(Errand { found: Some(Err(failure)), ..errand }));
            return self.go_on(job, false, host);
        }
        self.robots_given_up(job, &errand, status, failure, asked).await;
        Next::Over
    }

    /// Records what an errand to other hosts has come to, back at home.
    pub async fn errand_failed(&self, mut job: Job) -> Visit {
        if let Some(errand) = job.errand.take()
            && let Some(Err(failure)) = &errand.found
        {
            self.robots_given_up(job, &errand, None, failure.clone(), Duration::ZERO).await;
        }
        Visit::over()
    }

    async fn robots_given_up(
        &self,
        mut job: Job,
        errand: &Errand,
        status: Option<u16>,
        failure: Failure,
        asked: Duration,
    ) {
        let now_at = epoch_us() / 1000;
        let trail = job.trail.clone();
        let mut head = self.robots_head(&mut job, errand, status, now_at);
        head.failure = Some(failure.clone());
        // They end the attempt, and so belong to its record.
        (head.requests, job.trail) = (Vec::new(), trail);
        self.outbox.room().await;
        self.put_robots(head, Vec::new());
        self.fail(job, failure, None, now_at, asked).await;
    }

    fn robots_head(&self, job: &mut Job, errand: &Errand, status: Option<u16>, started_at: u64) -> RobotsHead {
        let page = Url::parse(&job.url).ok();
        RobotsHead {
            url_id: job.url_id,
            generation: self.generation,
            origin: page.as_ref().map(origin_of).unwrap_or_default(),
            final_url: (errand.hops > 0).then(|| errand.url.clone()),
            status,
            failure: None,
            fetched_at: started_at,
            bytes: 0,
            crawl_delay_ms: None,
            sitemaps: None,
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

    /// Hands a job on to where it goes next.
    fn go_on(&self, job: Job, same_host: bool, host: String) -> Next {
        if same_host {
            Next::SameHost(Box::new(job))
        } else {
            // The other host may live in another fetcher, which keeps its pace.
            self.speaker.redirected(host, job);
            Next::Elsewhere
        }
    }

    /// The redirect target, checked (RFC 9110 §15.4; a relative target is resolved against the present URL).
    fn target(&self, job: &Job, url: &Url, answer: &Answer) -> Target {
        let target = match redirect_target(url, answer) {
            Ok(target) => target,
            Err(error) => {
                let message = format!("redirect ({}) to what cannot be followed: {error}", answer.status);
                return Target::Fail(Failure::new(ErrorClass::Protocol, message));
            }
        };
        if target.url == job.url || job.hops.iter().any(|hop| hop.url == target.url) {
            let message = format!("redirects lead back to {}", target.url);
            return Target::Fail(Failure::new(ErrorClass::RedirectLoop, message));
        }
        let most = self.settings.http.max_redirects;
        if job.hops.len() >= most {
            let message = format!("more than {most} redirects; the next one led to {}", target.url);
            return Target::Fail(Failure::new(ErrorClass::TooManyRedirects, message));
        }
        Target::Follow(target)
    }

    /// Records an answer that is not a redirect.
    async fn record(&self, job: Job, url: &Url, mut answer: Answer, started_at: u64, hold: &Hold) {
        let not_modified = answer.status == 304 && self.validators(&job).is_some();
        let is_good = (200..300).contains(&answer.status) || not_modified;
        let outcome = if is_good { Outcome::Ok } else { Outcome::HttpError };
        let asked = hold.asked();
        let listed_url = job.listed_url().to_owned();
        let ending = match (self.retry_at(&job, is_transient(answer.status), asked), &answer.skipped) {
            (Some(due_at), _) => Ending::Retry { due_at, failure: None },
            (None, Some(kind)) => {
                let message = format!("{} is not among --accept-types", one_line(kind));
                let failure = Some(Failure::new(ErrorClass::ContentType, message));
                Ending::Final { outcome: Outcome::Skipped, failure }
            }
            (None, None) => Ending::Final { outcome, failure: None },
        };
        let mut head = self.head(job, ending, Some(answer.status), started_at);
        head.hold_until = hold_until(asked);
        head.content_type = answer.content_type.take();
        let mut meta_robots = std::mem::take(&mut answer.x_robots_tag);
        let mut tail = Vec::new();
        head.not_modified = not_modified;
        if matches!(head.ending, Ending::Final { .. }) && !not_modified {
            head.validators = validators_of(&head, &answer).filter(|_| *self.settings.http.method == "GET");
            // Before the page grows into fields and links: so at most one record is ever beyond the outbox's room.
            self.outbox.room().await;
            let page = Box::new(Fetched {
                listed_url,
                url: url.clone(),
                content_type: head.content_type.clone(),
                is_ok: matches!(head.ending, Ending::Final { outcome: Outcome::Ok, .. }),
                body: answer.body,
            });
            let processed = self.processing.process(head.url_id, page).await;
            (head.body, tail) = (processed.body, processed.zstd);
            head.items = processed.items.map(Box::new);
            head.extras = processed.extras.map(Box::new);
            head.charset = processed.charset.map(str::to_owned);
            if let (Some(failure), Ending::Final { outcome, failure: because }) = (processed.failure, &mut head.ending)
            {
                (*outcome, *because) = (Outcome::Failed, Some(failure));
            }
            meta_robots.extend(processed.robots);
            head.page = processed.fields;
        }
        head.meta_robots = directives(&self.settings.politeness.robots_agent, meta_robots.iter().map(String::as_str));
        self.put(head, tail);
    }

    /// The header lines of an answer, for its record. Those of a redirect travel on with the job, so they are small or
    /// left out.
    fn packed_headers(&self, exchange: &Exchange) -> Vec<u8> {
        if exchange.headers.is_empty() {
            return Vec::new();
        }
        let packed = self.packer.borrow_mut().pack(&exchange.headers).unwrap_or_default();
        let travels = exchange.answer.as_ref().is_ok_and(Answer::is_redirect);
        if travels && packed.len() > MAX_TRAVELLING_HEADERS { Vec::new() } else { packed }
    }

    /// Records a failed attempt; `asked` is how long the host is to be left alone.
    async fn fail(&self, job: Job, failure: Failure, status: Option<u16>, started_at: u64, asked: Duration) {
        let ending = match self.retry_at(&job, failure.class.is_transient(), asked) {
            Some(due_at) => Ending::Retry { due_at, failure: Some(failure) },
            None if failure.class == ErrorClass::RobotsUnreachable => {
                Ending::Final { outcome: Outcome::RobotsDenied, failure: Some(failure) }
            }
            None => Ending::Final { outcome: Outcome::Failed, failure: Some(failure) },
        };
        let mut head = self.head(job, ending, status, started_at);
        head.hold_until = hold_until(asked);
        self.outbox.room().await;
        self.put(head, Vec::new());
    }

    /// When to try again, if at all; not before the host has been left alone for as long as it asked.
    fn retry_at(&self, job: &Job, transient: bool, asked: Duration) -> Option<u64> {
        // An archive says tomorrow what it says today.
        if !transient
            || job.archived.is_some()
            || job.attempts - job.forgiven.min(job.attempts) >= self.settings.http.retries
        {
            return None;
        }
        Some(epoch_us() / 1000 + backoff(job).max(asked).as_millis() as u64)
    }

    /// How long the host is to be left alone after an answer with this status.
    fn hold(&self, job: &Job, status: u16, retry_after: Option<&[u8]>, now_at: u64) -> Hold {
        let asked = retry_after.and_then(|value| retry_after::parse(value, retry_after::at_ms(now_at)));
        match (status, asked) {
            (429 | 503, Some(asked)) => Hold::For(asked.min(self.settings.politeness.max_retry_after.0)),
            (429 | 503, None) => Hold::For(backoff(job)),
            (500.., _) => Hold::NotSooner,
            _ => Hold::Not,
        }
    }

    fn head(&self, job: Job, ending: Ending, status: Option<u16>, started_at: u64) -> PageHead {
        PageHead {
            url_id: job.url_id,
            generation: self.generation,
            ending,
            final_url: (!job.hops.is_empty()).then_some(job.url),
            hops: job.hops,
            status,
            started_at: if job.started_at == 0 { started_at } else { job.started_at },
            elapsed_ms: job.trail.last().map_or(0, |request| request.elapsed_ms),
            requests: job.trail,
            attempt: job.attempts + 1,
            hold_until: 0,
            not_modified: false,
            validators: None,
            meta_robots: None,
            content_type: None,
            charset: None,
            body: None,
            page: None,
            items: None,
            extras: None,
        }
    }

    fn put(&self, head: PageHead, tail: Vec<u8>) {
        let url_id = head.url_id;
        let record = RecordHead::Page(head);
        if let Err(error) = self.outbox.put(Some(url_id), &record, tail) {
            let RecordHead::Page(head) = record else { return };
            // A page whose fields do not fit a frame still ends, by name.
            let failure = Failure::new(ErrorClass::TooLarge, format!("its record is too large: {error}"));
            let head = PageHead {
                ending: Ending::Final { outcome: Outcome::Failed, failure: Some(failure) },
                page: None,
                items: None,
                extras: None,
                body: None,
                ..head
            };
            self.outbox
                .put(Some(url_id), &RecordHead::Page(head), Vec::new())
                .expect("a record without page and body fits a frame");
        }
    }
}

impl Made {
    /// A request that was made before and has failed so.
    fn in_vain(failure: Failure, started_at: u64) -> Self {
        Self { took: Duration::ZERO, started_at, exchange: Exchange::without_answer(failure) }
    }
}

/// What an answer means for the pace of its host.
enum Hold {
    /// Nothing: nobody was asked.
    NotAsked,
    /// Nothing.
    Not,
    /// No more requests than now, in adaptive mode.
    NotSooner,
    /// It could not be reached: how often in a row is counted.
    Unreachable,
    /// None for so long.
    For(Duration),
}

impl Hold {
    fn asked(&self) -> Duration {
        match self {
            Self::For(hold) => *hold,
            _ => Duration::ZERO,
        }
    }
}

/// For the store: until when a host is to be left alone, if for long enough to matter after a restart.
fn hold_until(asked: Duration) -> u64 {
    if asked < Duration::from_secs(1) { 0 } else { epoch_us() / 1000 + asked.as_millis() as u64 }
}

/// What an answer can be asked for again by: only that of the URL itself.
fn validators_of(head: &PageHead, answer: &Answer) -> Option<Box<Validators>> {
    let text = |value: &Option<Vec<u8>>| {
        let text = String::from_utf8(value.clone()?).ok()?;
        (text.len() <= MAX_VALIDATOR_BYTES).then_some(text)
    };
    let validators = Validators { etag: text(&answer.etag), last_modified: text(&answer.last_modified) };
    let is_own = head.hops.is_empty() && answer.status == 200 && validators != Validators::default();
    is_own.then(|| Box::new(validators))
}

/// Where a redirect leads.
pub(super) fn redirect_target(url: &Url, answer: &Answer) -> Result<CrawlUrl, BadUrl> {
    let location = String::from_utf8_lossy(answer.location.as_deref().unwrap_or_default());
    url.join(location.trim()).map_err(BadUrl::Syntax).and_then(CrawlUrl::try_from)
}

/// Whether redirects have led to an origin other than the listed one.
fn is_elsewhere(job: &Job, url: &Url) -> bool {
    let has_moved = !job.hops.is_empty() || job.errand.as_ref().is_some_and(|errand| errand.hops > 0);
    has_moved && Url::parse(job.listed_url()).is_ok_and(|listed| listed.origin() != url.origin())
}

/// Statuses that a later attempt may well not meet again.
const fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// Exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter", 2015): anything up to a pause
/// that doubles with each attempt. The jitter comes from the URL and the attempt, so it needs no random generator and
/// spreads URLs that failed together.
fn backoff(job: &Job) -> Duration {
    let round = job.attempts.saturating_sub(job.forgiven);
    let full = FIRST_RETRY.saturating_mul(1 << round.min(10)).min(LONGEST_RETRY);
    let mix = (job.url_id as u64 ^ u64::from(job.attempts) << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    full.mul_f64(mix as f64 / f64::from(u32::MAX))
}

/// Text of a site, fit for a line of ours.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}

/// Microseconds of the Unix epoch.
fn epoch_us() -> u64 {
    clock::since_epoch().as_micros() as u64
}
