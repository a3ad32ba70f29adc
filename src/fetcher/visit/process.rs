//! From a body to what its record says of it; and on which thread, since no page may keep the others waiting.
//!
//! - On the thread that does I/O: what one pass over a small body has to say. It costs less than to wake another thread.
//! - In the short lane, a thread of its own: small bodies that need a tree, for rules, text or tables. One at a time.
//! - In the long lane, another one: large bodies, and pages that took longer than is fair to those behind them. They
//!   begin again there, one at a time, with all the CPU time that `--parse-timeout` gives them.
//!
//! So a page that was made to take seconds delays nobody but its like. Whatever a lane does, requests go on.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use url::Url;

use crate::config::{Extraction, Fetching};
use seine_core::protocol::{BodyHead, PageFields};
use seine_core::record::items::{PageExtras, PageItems};
use seine_core::record::{ErrorClass, Failure, HtmlFields, UrlId};
use seine_http::{Body, SMALL};
use seine_page::extract::extras::{Wanted, extras};
use seine_page::extract::rules::{self, Rules};
use seine_page::extract::{Extractor, is_html};
use seine_unix::clock::{CpuBudget, ThreadClock};
use seine_unix::status::Row;

/// Level of compression. Pages shrink four- to fivefold at a fifth of what parsing costs; higher levels cost much
/// more for little.
const ZSTD_LEVEL: i32 = 1;
/// CPU time of a page where requests wait for it ...
const AMONG_REQUESTS: Duration = Duration::from_millis(20);
/// ... and where other pages do.
const IN_SHORT_LANE: Duration = Duration::from_millis(100);
/// A page that has used so much CPU time more than twice what it may will not end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A whole answer on its way to becoming a record.
pub(super) struct Fetched {
    pub url: Url,
    pub listed_url: String,
    pub content_type: Option<String>,
    /// Whether it is what was asked for: an error page has no items and no main text.
    pub is_ok: bool,
    pub body: Body,
}

/// What processing makes of a body.
#[derive(Default)]
pub(super) struct Processed {
    pub body: Option<BodyHead>,
    pub charset: Option<&'static str>,
    pub fields: Option<PageFields>,
    /// What the page asks of robots.
    pub robots: Option<String>,
    pub items: Option<PageItems>,
    pub extras: Option<PageExtras>,
    pub failure: Option<Failure>,
    pub zstd: Vec<u8>,
}

/// Processes the bodies of one fetcher.
pub(super) struct Processing {
    row: &'static Row,
    rules: Rules,
    limits: Limits,
    here: RefCell<Tools>,
    short: Lane,
    long: Lane,
}

/// A thread that does one page at a time.
struct Lane {
    turn: Semaphore,
    tools: Arc<Mutex<Option<Tools>>>,
    at_work: RefCell<Option<AtWork>>,
}

/// A page in a lane.
struct AtWork {
    url_id: UrlId,
    /// The clock of the thread that has it, and what it showed at the beginning.
    clock: Arc<OnceLock<(ThreadClock, Duration)>>,
}

/// What processing a page may take and keep.
#[derive(Clone, Copy)]
struct Limits {
    parse: Duration,
    keep_body: bool,
    wanted: Wanted,
}

/// Reused from page to page.
struct Tools {
    extractor: Extractor,
    rules: Rules,
    zstd: zstd::bulk::Compressor<'static>,
    /// What is being compressed.
    packed: Vec<u8>,
}

impl Processing {
    /// With these rules; `row` names the pages that are being processed.
    pub fn new(settings: &Fetching, rules: Rules, row: &'static Row) -> Self {
        let Extraction { metadata, text, markdown, tables, .. } = settings.extraction;
        let limits = Limits {
            parse: settings.http.parse_timeout.0,
            keep_body: settings.extraction.store_bodies,
            wanted: Wanted { metadata, text, markdown, tables },
        };
        let here = RefCell::new(Tools::new(rules.clone()));
        Self { row, rules, limits, here, short: Lane::new(), long: Lane::new() }
    }

    /// Hash, fields and compressed body of a page. The status row names its URL meanwhile.
    pub async fn process(&self, url_id: UrlId, page: Box<Fetched>) -> Processed {
        let page = if page.body.is_large() {
            page
        } else {
            let done = if self.needs_tree(&page) {
                self.in_lane(&self.short, url_id, page, IN_SHORT_LANE).await
            } else {
                self.here(url_id, page)
            };
            match done {
                Ok(processed) => return processed,
                Err(page) => page,
            }
        };
        // Should memory run out, it is because of this one.
        self.row.body_grows(url_id, u64::MAX);
        let done = self.in_lane(&self.long, url_id, page, self.limits.parse).await;
        self.row.body_is_gone(url_id);
        done.unwrap_or_else(|_| unreachable!("a page is given back only before its time is up"))
    }

    /// The URL of a page that has been at work for far longer than it may: what it is in asks for no budget and may
    /// never come back.
    pub fn endless(&self) -> Option<UrlId> {
        let patience = self.limits.parse.saturating_mul(2).saturating_add(PATIENCE);
        [&self.long, &self.short].into_iter().find_map(|lane| {
            let at_work = lane.at_work.borrow();
            let (clock, begun) = at_work.as_ref()?.clock.get()?;
            let used = clock.used()?.saturating_sub(*begun);
            (used > patience).then(|| at_work.as_ref().map(|page| page.url_id))?
        })
    }

    fn needs_tree(&self, page: &Fetched) -> bool {
        page.is_ok
            && (self.limits.wanted.is_any() && is_html(page.content_type(), &page.body)
                || self.rules.wants(&page.for_rules()))
    }

    /// On this thread, which has better things to do: `Err` if it takes too long.
    fn here(&self, url_id: UrlId, page: Box<Fetched>) -> Result<Processed, Box<Fetched>> {
        self.row.begin_work(url_id);
        let begun = Instant::now();
        let done = self.here.borrow_mut().process(page, &self.limits, AMONG_REQUESTS);
        self.ended(begun);
        done
    }

    /// On the thread of a lane.
    async fn in_lane(
        &self,
        lane: &Lane,
        url_id: UrlId,
        page: Box<Fetched>,
        turn: Duration,
    ) -> Result<Processed, Box<Fetched>> {
        let _turn = lane.turn.acquire().await;
        let begun = Instant::now();
        let clock = Arc::new(OnceLock::new());
        lane.at_work.replace(Some(AtWork { url_id, clock: Arc::clone(&clock) }));
        self.row.begin_work(url_id);
        let (tools, rules, limits) = (Arc::clone(&lane.tools), self.rules.clone(), self.limits);
        let work = move || {
            let own = ThreadClock::of_this_thread();
            let _ = clock.set((own, own.used().unwrap_or_default()));
            let mut tools = tools.lock().unwrap_or_else(PoisonError::into_inner);
            tools.get_or_insert_with(|| Tools::new(rules)).process(page, &limits, turn)
        };
        let done = tokio::task::spawn_blocking(work).await;
        lane.at_work.take();
        match done {
            Ok(done) => {
                self.ended(begun);
                done
            }
            // As on this thread: the process ends, and the supervisor knows what it was working on.
            Err(panic) => {
                self.row.begin_work(url_id);
                std::panic::resume_unwind(panic.into_panic());
            }
        }
    }

    /// A page is done; those at work elsewhere are to blame again for what happens.
    fn ended(&self, begun: Instant) {
        self.row.parse_us.fetch_add(begun.elapsed().as_micros() as u64, Ordering::Relaxed);
        self.row.end_work();
        for lane in [&self.long, &self.short] {
            if let Some(page) = &*lane.at_work.borrow() {
                return self.row.begin_work(page.url_id);
            }
        }
    }
}

impl Lane {
    fn new() -> Self {
        Self { turn: Semaphore::new(1), tools: Arc::default(), at_work: RefCell::default() }
    }
}

impl Fetched {
    fn content_type(&self) -> Option<&[u8]> {
        self.content_type.as_deref().map(str::as_bytes)
    }

    fn for_rules(&self) -> rules::Page<'_> {
        let (url, content_type) = (&self.url, self.content_type());
        rules::Page { url, listed_url: &self.listed_url, content_type, body: &self.body }
    }
}

impl Tools {
    fn new(rules: Rules) -> Self {
        let zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL).expect("a fixed, valid compression level");
        Self { extractor: Extractor::new(), rules, zstd, packed: Vec::new() }
    }

    /// `Err`: its turn was over before its time.
    fn process(&mut self, page: Box<Fetched>, limits: &Limits, turn: Duration) -> Result<Processed, Box<Fetched>> {
        let mut processed = Processed::default();
        if page.body.is_empty() {
            return Ok(processed);
        }
        let budget = CpuBudget::new(turn.min(limits.parse));
        if self.extract(&page, limits.wanted, &mut processed, &|| budget.is_left()).is_none() {
            if turn < limits.parse {
                return Err(page);
            }
            let message = format!("the page took more than {:?} of CPU time (--parse-timeout)", limits.parse);
            processed.failure = Some(Failure::new(ErrorClass::ParseTimeout, message));
        }
        let body: &[u8] = &page.body;
        processed.body = Some(BodyHead { bytes: body.len() as u64, hash: *blake3::hash(body).as_bytes() });
        if limits.keep_body {
            processed.zstd = self.compress(body);
        }
        Ok(processed)
    }

    /// What the page says; `None` if it takes too long.
    fn extract(
        &mut self,
        page: &Fetched,
        wanted: Wanted,
        into: &mut Processed,
        in_time: &dyn Fn() -> bool,
    ) -> Option<()> {
        let content_type = page.content_type();
        if is_html(content_type, &page.body) {
            let mut extracted = self.extractor.html_while(&page.body, content_type, &page.url, &in_time)?;
            into.charset = Some(extracted.charset);
            into.robots = extracted.fields.robots.take();
            into.fields = Some(page_fields(extracted.fields, &page.listed_url));
            if page.is_ok && wanted.is_any() {
                into.extras = Some(extras(&page.body, content_type, &page.url, wanted, in_time)?);
            }
        }
        let for_rules = page.for_rules();
        if page.is_ok && self.rules.wants(&for_rules) {
            into.items = Some(self.rules.apply(&for_rules, in_time)?);
        }
        Some(())
    }

    fn compress(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.packed.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        self.zstd
            .compress_to_buffer(bytes, &mut self.packed)
            .expect("compression into a buffer of sufficient size does not fail");
        let packed = self.packed.to_vec();
        // The outbox holds hundreds of them: each as large as it is, not as it might have been.
        self.packed.clear();
        self.packed.shrink_to(SMALL);
        packed
    }
}

/// A text that is not a page's, as its body would be.
pub(super) fn compressed(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, ZSTD_LEVEL).expect("compression into a buffer of sufficient size does not fail")
}

fn page_fields(fields: HtmlFields, listed_url: &str) -> PageFields {
    let links = (!fields.links.is_empty()).then(|| fields.links.to_json(listed_url));
    PageFields {
        title: fields.title,
        h1: fields.h1,
        description: fields.description,
        canonical: fields.canonical,
        lang: fields.lang,
        links,
    }
}
