//! The record with which an attempt ends: a page, a failure, or a refusal by robots.txt.

use std::time::Duration;

use url::Url;

use super::finder::USUAL_SITEMAP;
use super::page::{Fetched, NamedUrls, Processed};
use super::retry::{hold_until, is_transient};
use super::{Visitor, epoch_us, one_line};
use crate::fetcher::origins::robots_url;
use seine_core::protocol::{Ending, Found, Job, PageHead, RecordHead, UrlKind, Validators};
use seine_core::record::{ErrorClass, Failure, Outcome};
use seine_http::Answer;
use seine_page::extract::robots::directives;
use seine_page::robots::Decision;

/// Longest `ETag` or `Last-Modified` that is kept.
const MAX_VALIDATOR_BYTES: usize = 1024;

/// Bytes of URLs to ask for that a record brings along; those of a page with more are found by its stored links. A page, its
/// links and these fit a message, and a sitemap of 50,000 URLs fits here.
const MAX_NAMED_BYTES: usize = 16 << 20;
/// What a URL takes beside its text, at most.
const NAMED_BYTES: usize = 64;

/// Whether the URL is that of a sitemap at the usual place: if its robots.txt names none, it was only looked for.
pub fn is_usual_sitemap(job: &Job) -> bool {
    let is_at_root = |url: Url| url.path() == USUAL_SITEMAP && url.query().is_none();
    job.place.kind == UrlKind::Sitemap && Url::parse(job.listed_url()).is_ok_and(is_at_root)
}

/// The circumstances of an answer that is going to be a record.
pub(super) struct Answered<'u> {
    /// The URL that gave it.
    pub url: &'u Url,
    /// Milliseconds of the Unix epoch.
    pub started_at: u64,
    /// For so long the host asked to be left alone.
    pub asked: Duration,
    /// It is a sitemap that nothing names.
    pub is_guess: bool,
}

/// How an attempt went.
#[derive(Clone, Copy)]
pub(super) struct Ended {
    /// The status of its last answer.
    pub status: Option<u16>,
    /// Milliseconds of the Unix epoch.
    pub started_at: u64,
    /// For so long the host asked to be left alone.
    pub asked: Duration,
}

impl Ended {
    /// An attempt without an answer, begun at this time.
    pub fn at(started_at: u64) -> Self {
        Self { status: None, started_at, asked: Duration::ZERO }
    }
}

impl Visitor {
    /// Records that robots.txt does not allow the URL.
    pub async fn deny(&self, job: Job, decision: &Decision) {
        let robots = Url::parse(&job.url).map(|url| robots_url(&url)).unwrap_or_default();
        let message = match (&decision.rule, decision.line) {
            (Some(rule), Some(line)) => format!("{rule} (line {line} of {robots})"),
            _ => format!("the rules of {robots} are too many to be tried on this URL"),
        };
        let failure = Failure::new(ErrorClass::Robots, one_line(&message));
        let ending = Ending::Final { outcome: Outcome::RobotsDenied, failure: Some(failure) };
        let head = self.head(job, ending, Ended::at(epoch_us() / 1000));
        self.outbox.room().await;
        self.put(head, Vec::new());
    }

    /// Records a failed attempt.
    pub(super) async fn fail(&self, job: Job, failure: Failure, ended: Ended) {
        let ending = match self.retry_at(&job, failure.class.is_transient(), ended.asked) {
            Some(due_at) => Ending::Retry { due_at, failure: Some(failure) },
            None if failure.class == ErrorClass::RobotsUnreachable => {
                Ending::Final { outcome: Outcome::RobotsDenied, failure: Some(failure) }
            }
            None => Ending::Final { outcome: Outcome::Failed, failure: Some(failure) },
        };
        let head = self.head(job, ending, ended);
        self.outbox.room().await;
        self.put(head, Vec::new());
    }

    /// Records an answer that is not a redirect.
    pub(super) async fn record(&self, job: Job, mut answer: Answer, answered: Answered<'_>) {
        let Answered { url, started_at, asked, is_guess } = answered;
        let is_guess = is_guess && self.settings.follow.finds_sitemaps();
        let not_modified = answer.status == 304 && self.validators(&job).is_some();
        let ending = self.ending(&job, &answer, not_modified, asked, is_guess);
        let listed_url = job.listed_url().to_owned();
        let mut head = self.head(job, ending, Ended { status: Some(answer.status), started_at, asked });
        head.not_modified = not_modified;
        head.content_type = answer.content_type.take();
        let mut meta_robots = std::mem::take(&mut answer.x_robots_tag);
        let (mut body, mut named) = (Vec::new(), NamedUrls::default());
        if matches!(head.ending, Ending::Final { .. }) && !not_modified {
            head.validators = validators_of(&head, &answer).filter(|_| *self.settings.http.method == "GET");
            // Before the page grows into fields and links: so at most one record is ever beyond the outbox's room.
            self.outbox.room().await;
            let page = Box::new(Fetched {
                listed_url,
                url: url.clone(),
                content_type: head.content_type.clone(),
                is_ok: matches!(head.ending, Ending::Final { outcome: Outcome::Ok, .. }),
                kind: head.place.kind,
                link_headers: std::mem::take(&mut answer.link),
                body: answer.body,
            });
            let mut processed = self.workers.process(head.url_id, page).await;
            meta_robots.extend(processed.robots.take());
            body = std::mem::take(&mut processed.zstd);
            named = std::mem::take(&mut processed.named);
            for note in &processed.notes {
                self.speaker.warn(format!("{url}: {note}"));
            }
            fill(&mut head, processed, is_guess);
        }
        head.meta_robots = directives(&self.settings.politeness.robots_agent, meta_robots.iter().map(String::as_str));
        self.find(&mut head, named).await;
        self.put(head, body);
    }

    /// Adds the URLs that are to be asked for because the page names them.
    async fn find(&self, head: &mut PageHead, named: NamedUrls) {
        let is_ok = matches!(head.ending, Ending::Final { outcome: Outcome::Ok, .. });
        if let Some(finder) = self.finder.as_ref().filter(|_| is_ok) {
            head.found = match named {
                NamedUrls::Links(links) => finder.of_page(head.place, head.meta_robots.as_deref(), &links).await,
                NamedUrls::Entries(entries) => finder.of_entries(head.place, &entries),
            };
        }
    }

    /// How an attempt ends that was answered so.
    fn ending(&self, job: &Job, answer: &Answer, not_modified: bool, asked: Duration, is_guess: bool) -> Ending {
        if let Some(due_at) = self.retry_at(job, is_transient(answer.status), asked) {
            return Ending::Retry { due_at, failure: None };
        }
        if let Some(kind) = &answer.skipped {
            let message = format!("{} is not among --accept-types", one_line(kind));
            let failure = Some(Failure::new(ErrorClass::ContentType, message));
            return Ending::Final { outcome: Outcome::Skipped, failure };
        }
        if is_guess && matches!(answer.status, 404 | 410) {
            let failure = Some(Failure::new(ErrorClass::Unreadable, "there is no sitemap at the usual place"));
            return Ending::Final { outcome: Outcome::Skipped, failure };
        }
        let is_good = (200..300).contains(&answer.status) || not_modified;
        Ending::Final { outcome: if is_good { Outcome::Ok } else { Outcome::HttpError }, failure: None }
    }

    fn head(&self, job: Job, ending: Ending, ended: Ended) -> PageHead {
        PageHead {
            url_id: job.url_id,
            generation: self.generation,
            ending,
            place: job.place,
            found: Vec::new(),
            finds_more: false,
            final_url: (!job.hops.is_empty()).then_some(job.url),
            hops: job.hops,
            status: ended.status,
            started_at: if job.started_at == 0 { ended.started_at } else { job.started_at },
            elapsed_ms: job.trail.last().map_or(0, |request| request.elapsed_ms),
            requests: job.trail,
            attempt: job.attempts + 1,
            hold_until: hold_until(ended.asked),
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

    /// Puts a record into the outbox. One whose fields do not fit a frame still ends its URL, by name.
    fn put(&self, head: PageHead, body: Vec<u8>) {
        let url_id = head.url_id;
        let head =
            if is_too_much(&head.found) { PageHead { found: Vec::new(), finds_more: true, ..head } } else { head };
        let record = RecordHead::Page(head);
        if let Err(error) = self.outbox.put(Some(url_id), &record, body) {
            let RecordHead::Page(head) = record else { return };
            let failure = Failure::new(ErrorClass::TooLarge, format!("its record is too large: {error}"));
            let head = PageHead {
                ending: Ending::Final { outcome: Outcome::Failed, failure: Some(failure) },
                page: None,
                items: None,
                extras: None,
                body: None,
                found: Vec::new(),
                ..head
            };
            self.outbox
                .put(Some(url_id), &RecordHead::Page(head), Vec::new())
                .expect("a record without page and body fits a frame");
        }
    }
}

/// Whether these are more URLs than a record brings along.
fn is_too_much(found: &[Found]) -> bool {
    found.iter().map(|one| one.url.len() + NAMED_BYTES).sum::<usize>() > MAX_NAMED_BYTES
}

/// Takes over what a page was found to say. That there is no sitemap where one `is_guess`ed is no failure.
fn fill(head: &mut PageHead, processed: Processed, is_guess: bool) {
    head.body = processed.body;
    head.items = processed.items.map(Box::new);
    head.extras = processed.extras.map(Box::new);
    head.charset = processed.charset.map(str::to_owned);
    head.page = processed.fields;
    if let (Some(problem), Ending::Final { outcome, failure }) = (processed.failure, &mut head.ending) {
        let is_none = is_guess && problem.class == ErrorClass::Unreadable;
        *outcome = if is_none { Outcome::Skipped } else { Outcome::Failed };
        *failure = Some(problem);
    }
}

/// The validators that a later request may ask with: only those of the URL itself.
fn validators_of(head: &PageHead, answer: &Answer) -> Option<Box<Validators>> {
    let text = |value: &Option<Vec<u8>>| {
        let text = String::from_utf8(value.clone()?).ok()?;
        (text.len() <= MAX_VALIDATOR_BYTES).then_some(text)
    };
    let validators = Validators { etag: text(&answer.etag), last_modified: text(&answer.last_modified) };
    let is_own = head.hops.is_empty() && answer.status == 200 && validators != Validators::default();
    is_own.then(|| Box::new(validators))
}
