//! On which thread a page is read, since no page may keep the others waiting.
//!
//! - On the thread that does I/O: what one pass over a small body has to say. It costs less than to wake another thread.
//! - By the quick worker, a thread of its own: small bodies that need a tree, for rules, links, text or tables. One at a time.
//! - By the slow worker, another one: large bodies, and pages that took longer than is fair to those behind them. They
//!   begin again there, one at a time, with all the CPU time that `--parse-timeout` gives them.
//!
//! So a page that was made to take seconds delays only pages of its kind. Requests go on whatever a worker does.

use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::page::{Chosen, Fetched, Limits, PageProcessor, Processed};
use crate::config::Fetching;
use seine_core::record::UrlId;
use seine_unix::clock::ThreadClock;
use seine_unix::status::Row;

/// CPU time of a page where requests wait for it ...
const AMONG_REQUESTS: Duration = Duration::from_millis(20);
/// ... and where other pages do.
const BY_QUICK_WORKER: Duration = Duration::from_millis(100);
/// A page that has used so much CPU time more than twice what it may will not end.
const PATIENCE: Duration = Duration::from_secs(10);

/// All that read the pages of one fetcher.
pub(super) struct Workers {
    row: &'static Row,
    chosen: Chosen,
    limits: Limits,
    here: RefCell<PageProcessor>,
    quick: Worker,
    slow: Worker,
}

/// A thread that reads one page at a time.
struct Worker {
    turn: Semaphore,
    /// Made with its first page.
    processor: Arc<Mutex<Option<PageProcessor>>>,
    at_work: RefCell<Option<AtWork>>,
}

/// A page that a worker reads.
struct AtWork {
    url_id: UrlId,
    /// The clock of the thread that has it, and what it showed at the beginning.
    clock: Arc<OnceLock<(ThreadClock, Duration)>>,
}

impl Workers {
    /// With these selectors; `row` names the pages that are being read.
    pub fn new(settings: &Fetching, chosen: Chosen, row: &'static Row) -> Self {
        let here = RefCell::new(PageProcessor::new(chosen.clone()));
        Self { row, chosen, limits: Limits::new(settings), here, quick: Worker::new(), slow: Worker::new() }
    }

    /// Hash, fields and compressed body of a page. The status row names its URL meanwhile.
    pub async fn process(&self, url_id: UrlId, page: Box<Fetched>) -> Processed {
        let (begun, bytes) = (Instant::now(), page.body.len());
        let processed = self.process_somewhere(url_id, page).await;
        tracing::debug!(url_id, bytes, read_ms = begun.elapsed().as_millis() as u64, "page read");
        processed
    }

    async fn process_somewhere(&self, url_id: UrlId, page: Box<Fetched>) -> Processed {
        let page = if page.body.is_large() {
            page
        } else {
            let done = if page.needs_tree(&self.limits, &self.chosen) {
                self.by(&self.quick, url_id, page, BY_QUICK_WORKER).await
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
        let done = self.by(&self.slow, url_id, page, self.limits.parse).await;
        self.row.body_is_gone(url_id);
        done.unwrap_or_else(|_| unreachable!("a page is given back only before its time is up"))
    }

    /// The URL of a page that has been at work for far longer than it may: the code that reads it asks for no budget
    /// and may never come back.
    pub fn endless(&self) -> Option<UrlId> {
        let patience = self.limits.parse.saturating_mul(2).saturating_add(PATIENCE);
        [&self.slow, &self.quick].into_iter().find_map(|worker| {
            let at_work = worker.at_work.borrow();
            let (clock, begun) = at_work.as_ref()?.clock.get()?;
            let used = clock.used()?.saturating_sub(*begun);
            (used > patience).then(|| at_work.as_ref().map(|page| page.url_id))?
        })
    }

    /// On this thread, which requests wait for: `Err` if it takes too long.
    fn here(&self, url_id: UrlId, page: Box<Fetched>) -> Result<Processed, Box<Fetched>> {
        self.row.begin_work(url_id);
        let begun = Instant::now();
        let done = self.here.borrow_mut().process(page, &self.limits, AMONG_REQUESTS);
        self.ended(begun);
        done
    }

    /// On the thread of a worker: `Err` if it takes longer than `turn`.
    async fn by(
        &self,
        worker: &Worker,
        url_id: UrlId,
        page: Box<Fetched>,
        turn: Duration,
    ) -> Result<Processed, Box<Fetched>> {
        let _turn = worker.turn.acquire().await;
        let begun = Instant::now();
        let clock = Arc::new(OnceLock::new());
        worker.at_work.replace(Some(AtWork { url_id, clock: Arc::clone(&clock) }));
        self.row.begin_work(url_id);
        let (processor, chosen, limits) = (Arc::clone(&worker.processor), self.chosen.clone(), self.limits);
        let work = move || {
            let own = ThreadClock::of_this_thread();
            let _ = clock.set((own, own.used().unwrap_or_default()));
            let mut processor = processor.lock().unwrap_or_else(PoisonError::into_inner);
            processor.get_or_insert_with(|| PageProcessor::new(chosen)).process(page, &limits, turn)
        };
        let done = tokio::task::spawn_blocking(work).await;
        worker.at_work.take();
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
        for worker in [&self.slow, &self.quick] {
            if let Some(page) = &*worker.at_work.borrow() {
                return self.row.begin_work(page.url_id);
            }
        }
    }
}

impl Worker {
    fn new() -> Self {
        Self { turn: Semaphore::new(1), processor: Arc::default(), at_work: RefCell::default() }
    }
}
