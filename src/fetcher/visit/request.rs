//! One request for a URL, as the URL's state asks for it, and noted in the URL's trail.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use reqwest::Method;
use url::Url;

use super::{VisitContext, Visitor, epoch_us};
use seine_core::protocol::{Job, RequestHead, RequestKind, Validators};
use seine_core::record::Failure;
use seine_http::{Answer, Ask, Exchange, Want};
use seine_page::robots;

/// Most bytes of packed headers that a redirect takes along: a chain of a thousand fits a frame.
const MAX_TRAVELLING_HEADERS: usize = 4096;

/// One request that was made, or is known to fail.
pub(super) struct Attempt {
    /// How long the answer has taken.
    pub took: Duration,
    /// Milliseconds of the Unix epoch.
    pub started_at: u64,
    pub exchange: Exchange,
}

impl Attempt {
    /// A request that was made before and has failed so.
    pub fn in_vain(failure: Failure, started_at: u64) -> Self {
        Self { took: Duration::ZERO, started_at, exchange: Exchange::without_answer(failure) }
    }
}

impl Visitor {
    /// Makes one request and notes it in the job's trail.
    pub(super) async fn request(&self, job: &mut Job, url: &Url, context: &VisitContext) -> Attempt {
        let (method, body) = self.method(job);
        let want = match kind_of(job) {
            RequestKind::Robots => Want::Robots { limit: robots::MAX_BYTES },
            RequestKind::Page => Want::Page,
        };
        // In this order: the next gap is never counted from a time before the one in the record, however long the system
        // has kept this process from running since the pace permitted the start.
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
        let head = RequestHead {
            url: (job.errand.is_some() || !job.hops.is_empty()).then(|| url.to_string()),
            host: url.host_str().unwrap_or_default().to_owned(),
            kind: kind_of(job),
            started_us,
            elapsed_ms: whole_ms(took),
            gap_ms: whole_ms(gap),
            status: exchange.status,
            error: exchange.answer.as_ref().err().map(|failure| failure.class),
            bytes: exchange.bytes,
            remote_ip: exchange.remote_ip,
            http_version: exchange.http_version,
            headers: self.packed_headers(&exchange),
        };
        tell_phases(url, &head, &exchange);
        job.trail.push(head);
        if let Ok(answer) = &exchange.answer {
            self.row.body_bytes.fetch_add(answer.body.len() as u64, Ordering::Relaxed);
        }
        Attempt { took, started_at: started_us / 1000, exchange }
    }

    /// The validators that the next request may ask with for changes only: those of the listed URL itself, since its
    /// answer is the one that is kept.
    pub(super) fn validators<'a>(&self, job: &'a Job) -> Option<&'a Validators> {
        let asks_for_page = job.errand.is_none() && job.hops.is_empty() && *self.settings.http.method == "GET";
        job.validators.as_deref().filter(|_| asks_for_page)
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
}

/// Where the time of a request went, for `-vv`.
fn tell_phases(url: &Url, head: &RequestHead, exchange: &Exchange) {
    let RequestHead { status, elapsed_ms, gap_ms, bytes, .. } = head;
    let head_ms = exchange.head_after.map(whole_ms);
    let body_ms = head_ms.map(|head_ms| elapsed_ms.saturating_sub(head_ms));
    let ip = exchange.remote_ip.map(tracing::field::display);
    tracing::debug!(%url, status, head_ms, body_ms, elapsed_ms, gap_ms, bytes, ip, "requested");
}

/// The purpose of the next request of `job`.
fn kind_of(job: &Job) -> RequestKind {
    if job.errand.is_some() { RequestKind::Robots } else { RequestKind::Page }
}

/// Whether redirects have led to an origin other than the listed one.
fn is_elsewhere(job: &Job, url: &Url) -> bool {
    let has_moved = !job.hops.is_empty() || job.errand.as_ref().is_some_and(|errand| errand.hops > 0);
    has_moved && Url::parse(job.listed_url()).is_ok_and(|listed| listed.origin() != url.origin())
}

fn whole_ms(duration: Duration) -> u32 {
    duration.as_millis().try_into().unwrap_or(u32::MAX)
}
