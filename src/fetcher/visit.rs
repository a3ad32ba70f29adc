//! The life of one URL in a fetcher: request, redirects, extraction, record.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use url::Url;

use super::control::Speaker;
use super::http::{Answer, Http};
use super::outbox::Outbox;
use crate::config::Settings;
use crate::extract::{Extractor, is_html};
use crate::process::status::Row;
use crate::protocol::{BodyHead, Ending, Generation, Hop, Job, PageFields, PageHead};
use crate::record::{BadUrl, CrawlUrl, ErrorClass, Failure, HtmlFields, LONGEST_RETRY_MS, Outcome};

/// Level of compression. Pages shrink four- to fivefold at a fifth of what parsing costs; higher levels cost much
/// more for little.
const ZSTD_LEVEL: i32 = 1;
/// First pause before a repeated attempt; it doubles with each.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest pause a failure or a `Retry-After` can cause.
const LONGEST_RETRY: Duration = Duration::from_millis(LONGEST_RETRY_MS);

/// Where a visit led.
#[derive(Debug)]
pub enum Visit {
    /// Its record is in the outbox, or it was handed back to the supervisor.
    Over,
    /// To another URL of the same host.
    SameHost(Job),
}

/// What visits share.
pub struct Visitor {
    http: Http,
    outbox: Outbox,
    speaker: Speaker,
    row: &'static Row,
    generation: Generation,
    max_redirects: usize,
    retries: u16,
    store_bodies: bool,
    tools: RefCell<Tools>,
}

/// Reused from page to page.
struct Tools {
    extractor: Extractor,
    zstd: zstd::bulk::Compressor<'static>,
}

/// What a redirect asks for.
enum Next {
    Follow(CrawlUrl),
    Fail(Failure),
}

impl Visitor {
    /// For the fetcher of this generation.
    pub fn new(
        http: Http,
        outbox: Outbox,
        speaker: Speaker,
        generation: Generation,
        settings: &Settings,
        row: &'static Row,
    ) -> Self {
        let zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL).expect("a fixed, valid compression level");
        Self {
            http,
            outbox,
            speaker,
            row,
            generation,
            max_redirects: settings.max_redirects,
            retries: settings.retries,
            store_bodies: settings.store_bodies,
            tools: RefCell::new(Tools { extractor: Extractor::new(), zstd }),
        }
    }

    /// Requests the present hop of `job` and does what its answer asks for.
    pub async fn visit(&self, mut job: Job) -> Visit {
        let started = Instant::now();
        let now_at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        if job.started_at == 0 {
            job.started_at = now_at;
        }
        let url = match Url::parse(&job.url) {
            Ok(url) => url,
            // Lists and redirects are checked before they get here.
            Err(error) => {
                let failure = Failure::new(ErrorClass::Protocol, BadUrl::Syntax(error).to_string());
                return self.fail(&job, failure, None, 0, now_at).await;
            }
        };
        tracing::trace!(url_id = job.url_id, %url, "request");
        let answer =
            if is_elsewhere(&job, &url) { self.http.get_elsewhere(&url).await } else { self.http.get(&url).await };
        let elapsed_ms = started.elapsed().as_millis().min(u128::from(u32::MAX)) as u32;
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                tracing::debug!(url_id = job.url_id, class = %failure.class, "failed");
                return self.fail(&job, failure, None, elapsed_ms, now_at).await;
            }
        };
        self.row.body_bytes.fetch_add(answer.body.len() as u64, Ordering::Relaxed);
        if answer.is_redirect() {
            let status = answer.status;
            return match self.next(&job, &url, &answer) {
                Next::Follow(next) => {
                    let same_host = url.host_str() == Some(&next.host);
                    job.hops.push(Hop { url: std::mem::replace(&mut job.url, next.url), status });
                    if same_host {
                        Visit::SameHost(job)
                    } else {
                        // The other host may live in another fetcher, which keeps its pace.
                        self.speaker.redirected(next.host, job);
                        Visit::Over
                    }
                }
                Next::Fail(failure) => self.fail(&job, failure, Some(status), elapsed_ms, now_at).await,
            };
        }
        self.record(&job, &url, answer, elapsed_ms, now_at).await;
        Visit::Over
    }

    /// The redirect target, checked (RFC 9110 §15.4; a relative target is resolved against the present URL).
    fn next(&self, job: &Job, url: &Url, answer: &Answer) -> Next {
        let location = String::from_utf8_lossy(answer.location.as_deref().unwrap_or_default());
        let target = match url.join(location.trim()).map_err(BadUrl::Syntax).and_then(CrawlUrl::try_from) {
            Ok(target) => target,
            Err(error) => {
                let message = format!("redirect ({}) to what cannot be followed: {error}", answer.status);
                return Next::Fail(Failure::new(ErrorClass::Protocol, message));
            }
        };
        if target.url == job.url || job.hops.iter().any(|hop| hop.url == target.url) {
            let message = format!("redirects lead back to {}", target.url);
            return Next::Fail(Failure::new(ErrorClass::RedirectLoop, message));
        }
        if job.hops.len() >= self.max_redirects {
            let message = format!("more than {} redirects; the next one led to {}", self.max_redirects, target.url);
            return Next::Fail(Failure::new(ErrorClass::TooManyRedirects, message));
        }
        Next::Follow(target)
    }

    /// Records an answer that is not a redirect.
    async fn record(&self, job: &Job, url: &Url, mut answer: Answer, elapsed_ms: u32, now_at: u64) {
        let outcome = if (200..300).contains(&answer.status) { Outcome::Ok } else { Outcome::HttpError };
        let ending = match self.retry_at(job, is_transient(answer.status), answer.retry_after.as_deref(), now_at) {
            Some(due_at) => Ending::Retry { due_at, failure: None },
            None => Ending::Final { outcome, failure: None },
        };
        let mut head = self.head(job, ending, Some(answer.status), elapsed_ms);
        let mut tail = Vec::new();
        if matches!(head.ending, Ending::Final { .. }) {
            // Before the page grows into fields and links: so at most one record is ever beyond the outbox's room.
            self.outbox.room().await;
            self.row.begin_work(job.url_id);
            let begun = Instant::now();
            tail = self.process(&mut head, url, &answer);
            self.row.parse_us.fetch_add(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
            self.row.end_work();
        }
        head.content_type = answer.content_type.take();
        self.put(head, tail);
    }

    /// Hash, fields and compressed body of a page.
    fn process(&self, head: &mut PageHead, url: &Url, answer: &Answer) -> Vec<u8> {
        let tools = &mut *self.tools.borrow_mut();
        let body: &[u8] = &answer.body;
        let content_type = answer.content_type.as_deref().map(str::as_bytes);
        if !body.is_empty() {
            head.body = Some(BodyHead { bytes: body.len() as u64, hash: *blake3::hash(body).as_bytes() });
        }
        if is_html(content_type, body) {
            let extracted = tools.extractor.html(body, content_type, url);
            head.charset = Some(extracted.charset.to_owned());
            head.page = Some(page_fields(extracted.fields));
        }
        if self.store_bodies && !body.is_empty() {
            tools.zstd.compress(body).expect("compression into a buffer of sufficient size does not fail")
        } else {
            Vec::new()
        }
    }

    /// Records a failed attempt.
    async fn fail(&self, job: &Job, failure: Failure, status: Option<u16>, elapsed_ms: u32, now_at: u64) -> Visit {
        let ending = match self.retry_at(job, failure.class.is_transient(), None, now_at) {
            Some(due_at) => Ending::Retry { due_at, failure: Some(failure) },
            None => Ending::Final { outcome: Outcome::Failed, failure: Some(failure) },
        };
        let head = self.head(job, ending, status, elapsed_ms);
        self.outbox.room().await;
        self.put(head, Vec::new());
        Visit::Over
    }

    /// When to try again, if at all.
    fn retry_at(&self, job: &Job, transient: bool, retry_after: Option<&[u8]>, now_at: u64) -> Option<u64> {
        if !transient || job.attempts >= self.retries {
            return None;
        }
        let pause = backoff(job).max(retry_after.and_then(delay_seconds).unwrap_or_default());
        Some(now_at + pause.min(LONGEST_RETRY).as_millis() as u64)
    }

    fn head(&self, job: &Job, ending: Ending, status: Option<u16>, elapsed_ms: u32) -> PageHead {
        PageHead {
            url_id: job.url_id,
            generation: self.generation,
            ending,
            final_url: (!job.hops.is_empty()).then(|| job.url.clone()),
            hops: job.hops.clone(),
            status,
            started_at: job.started_at,
            elapsed_ms,
            content_type: None,
            charset: None,
            body: None,
            page: None,
        }
    }

    fn put(&self, head: PageHead, tail: Vec<u8>) {
        if let Err(error) = self.outbox.put(&head, tail) {
            // A page whose fields do not fit a frame still ends, by name.
            let failure = Failure::new(ErrorClass::TooLarge, format!("its record is too large: {error}"));
            let head = PageHead {
                ending: Ending::Final { outcome: Outcome::Failed, failure: Some(failure) },
                page: None,
                body: None,
                ..head
            };
            self.outbox.put(&head, Vec::new()).expect("a record without page and body fits a frame");
        }
    }
}

/// Whether redirects have led to an origin other than the listed one.
fn is_elsewhere(job: &Job, url: &Url) -> bool {
    job.hops.first().is_some_and(|hop| Url::parse(&hop.url).is_ok_and(|listed| listed.origin() != url.origin()))
}

/// Statuses that a later attempt may well not meet again.
const fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// Exponential backoff with jitter: from half to the whole of a pause that doubles with each attempt. The jitter
/// comes from the URL and the attempt, so it needs no random generator and spreads URLs that failed together.
fn backoff(job: &Job) -> Duration {
    let full = FIRST_RETRY.saturating_mul(1 << job.attempts.min(10)).min(LONGEST_RETRY);
    let mix = (job.url_id as u64 ^ u64::from(job.attempts) << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    full / 2 + (full / 2).mul_f64(mix as f64 / f64::from(u32::MAX))
}

/// `Retry-After` in seconds (RFC 9110 §10.2.3).
fn delay_seconds(value: &[u8]) -> Option<Duration> {
    std::str::from_utf8(value).ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn page_fields(fields: HtmlFields) -> PageFields {
    let links = (!fields.links.is_empty()).then(|| {
        let links: Vec<_> = fields.links.iter().map(|link| (&link.url, &link.text, &link.rel)).collect();
        serde_json::to_string(&links).expect("strings always serialise")
    });
    PageFields {
        title: fields.title,
        h1: fields.h1,
        description: fields.description,
        canonical: fields.canonical,
        lang: fields.lang,
        links,
    }
}
