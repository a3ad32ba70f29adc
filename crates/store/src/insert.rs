//! Everything that writes to the store. For the writer process only, and only inside [`Store::transaction`].
//!
//! Every method here may be repeated with the same arguments: a line imported twice, a record received twice or a
//! message sent again after a crash changes nothing the second time.
//!
//! - `import`: lines of lists, and which URLs they make pending.

mod import;

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::StoreError;
use super::items::{Collections, Origin, insert_extras};
use super::revisit::Revisit;
use super::versions::{self, Keep};
use seine_core::protocol::processing::Processed;
use seine_core::protocol::{
    Done, EndedBy, Ending, HostId, PageHead, Ready, RequestHead, RequestKind, RobotsHead, Verdict,
};
use seine_core::record::items::Collection;
use seine_core::record::{ErrorClass, Failure, Outcome, UrlId};

/// Host ids kept at hand while importing; past it the cache starts anew. More than the lines of one transaction.
const CACHED_HOSTS: usize = 100_000;

/// How long readers are waited for when the write-ahead log is to be emptied.
const WAL_PATIENCE: Duration = Duration::from_millis(500);

/// How long bodies that nobody refers to are removed at the end of a run: whoever waits for the end shall not wait long.
const SWEEP_TIME: Duration = Duration::from_secs(20);

/// Pages that are about to be replaced become history; a condition on `page p` follows.
pub(super) const KEEP_PAST: &str = "INSERT OR IGNORE INTO past_page(url_id, run_id, outcome, status, error, body_id, body_hash, \
     bytes, changed, not_modified, fetched_at, elapsed_ms, title) \
   SELECT p.url_id, p.run_id, p.outcome, iif(p.not_modified, 304, p.status), p.error, p.body_id, b.hash, b.bytes, p.changed, \
          p.not_modified, p.fetched_at, p.elapsed_ms, p.title \
   FROM page p LEFT JOIN body b ON b.body_id = p.body_id WHERE ";

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A URL list as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFile {
    /// As given on the command line; `-` for standard input.
    pub name: String,
    /// Changes whenever the file does; `None` for streams.
    pub fingerprint: Option<String>,
}

/// Who is running.
#[derive(Clone, Debug)]
pub struct Session {
    /// Pid of the supervisor.
    pub pid: u32,
    /// Resolved configuration as JSON, without secrets.
    pub config: String,
    /// The lists of this run.
    pub lists: Vec<ListFile>,
    /// The collections of its rules.
    pub collections: Vec<Collection>,
    /// Those of its processors' answers.
    pub processors: Vec<Collection>,
    /// Which URLs of its lists are fetched again that earlier runs have fetched.
    pub again: Again,
    /// How many versions of a page keep their bodies.
    pub keep: Keep,
    /// What it reads and keeps of pages: where that is another than before, nothing is asked for only if it has changed.
    pub reading: [u8; 16],
    /// A complete run of which nobody has seen that it ended goes on too: to its end, at once.
    pub finishes_untold: bool,
    /// It is the demo's, whose store is of no worth when it is over.
    pub is_demo: bool,
}

/// Which URLs of the lists are fetched again that an earlier run has fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// None: only what has no outcome yet.
    New,
    /// Those that ended in an error.
    Failed,
    /// Those that have changed before.
    Changed,
    /// Every one.
    All,
}

/// See [`Session::again`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// Of which kind.
    pub only: Only,
    /// Only those last fetched before this time, in milliseconds of the Unix epoch.
    pub fetched_before: u64,
    /// Only those that are due; `None`: all are.
    pub revisit: Option<Revisit>,
}

/// The open store, its present run and the counts that go with it.
pub struct Store {
    db: Connection,
    run_id: i64,
    lists: Vec<(i64, ListFile)>,
    opened: Instant,
    /// As of the last commit.
    counts: Counts,
    /// What the open transaction adds.
    change: Change,
    collections: Collections,
    reading: [u8; 16],
    again: Again,
    keep: Keep,
    /// There are earlier runs.
    has_past: bool,
    /// The collections of processors' answers.
    processors: Vec<i64>,
    /// With whether they are known to be listed.
    host_ids: HashMap<String, (HostId, bool)>,
    /// Lists of which lines are in the store from an earlier reading.
    reread: Vec<bool>,
    /// Lists of which it is written down that lines differ from an earlier reading.
    relisted: Vec<bool>,
    inserted_at: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    pending: u64,
    urls: u64,
    outcomes: [u64; Outcome::ALL.len()],
    bytes: u64,
    active_ms: u64,
}

#[derive(Debug, Default)]
struct Change {
    pending: i64,
    urls: u64,
    outcomes: [u64; Outcome::ALL.len()],
    /// Of the store as a whole.
    totals: [i64; Outcome::ALL.len()],
    bytes: u64,
    hosts: HashMap<HostId, HostChange>,
}

#[derive(Debug, Default)]
struct HostChange {
    fetched: u64,
    failed: u64,
    elapsed_ms: u64,
}

/// Milliseconds since the Unix epoch.
pub fn epoch_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// A page as one line tells it.
#[derive(Debug)]
pub struct PageLine {
    /// The URL.
    pub url: String,
    /// Time of the last request; `None` before the URL was ended.
    pub elapsed_ms: Option<u32>,
    /// The message of a failure.
    pub message: Option<String>,
}

impl Store {
    /// Opens the store and the run: an unfinished one goes on, and one that nobody knows to be finished; otherwise a new
    /// one starts.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open(path: &Path, session: &Session) -> Result<(Self, Ready)> {
        let mut db = super::open_for_writing(path)?;
        let transaction = db.transaction()?;
        let now = epoch_ms();
        let untold = super::told::untold(&transaction)?.filter(|_| session.finishes_untold);
        let last = transaction
            .query_row(
                "SELECT run_id, ended_by IS NOT 'completed', urls, ok, http_error, failed, rejected, quarantined, \
                        robots_denied, skipped, bytes, active_ms, iif(ended_at IS NULL, ?1, last_at) FROM run ORDER BY run_id DESC LIMIT 1",
                // A run that was killed may have made requests until a moment ago that it never recorded.
                [now],
                |row| {
                    let mut outcomes = [0; Outcome::ALL.len()];
                    for (i, count) in outcomes.iter_mut().enumerate() {
                        *count = row.get(3 + i)?;
                    }
                    let counts =
                        Counts { pending: 0, urls: row.get(2)?, outcomes, bytes: row.get(10)?, active_ms: row.get(11)? };
                    Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, counts, row.get::<_, u64>(12)?))
                },
            )
            .optional()?;
        let last_activity_at = last.as_ref().map_or(0, |last| last.3);
        let (run_id, resumed, mut counts) = match last {
            Some((run_id, is_unfinished, counts, _)) if is_unfinished || untold == Some(run_id) => {
                transaction.execute(
                    "UPDATE run SET ended_at = NULL, ended_by = NULL, pid = ?2, config = ?3, reading = iif(reading = ?4, ?4, NULL), \
                                    demo = demo AND ?5 WHERE run_id = ?1",
                    params![run_id, session.pid, session.config, session.reading, session.is_demo],
                )?;
                (run_id, true, counts)
            }
            _ => {
                transaction.execute(
                    "INSERT INTO run(started_at, pid, last_at, seine_version, config, reading, demo) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![now, session.pid, last_activity_at, env!("CARGO_PKG_VERSION"), session.config, session.reading, session.is_demo],
                )?;
                (transaction.last_insert_rowid(), false, Counts::default())
            }
        };
        counts.pending =
            transaction.query_row("SELECT count(*) FROM url INDEXED BY frontier WHERE outcome IS NULL", [], |row| {
                row.get(0)
            })?;
        let mut lists = Vec::new();
        let mut lists_known = Vec::new();
        let mut reread = Vec::new();
        for list in &session.lists {
            transaction.execute("INSERT INTO file(name) VALUES (?1) ON CONFLICT DO NOTHING", [&list.name])?;
            // What is to be fetched again is found line by line: so each run reads a list for itself.
            let any_run = session.again.only == Only::New;
            let (file_id, complete) = transaction.query_row(
                "SELECT file_id, iif(?2 OR read_in = ?3, complete, NULL) FROM file WHERE name = ?1",
                params![list.name, any_run, run_id],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?)),
            )?;
            reread.push(transaction.query_row(
                "SELECT EXISTS (SELECT 1 FROM input WHERE file_id = ?1)",
                [file_id],
                |row| row.get(0),
            )?);
            lists_known.push(complete.is_some() && complete == list.fingerprint);
            lists.push((file_id, list.clone()));
        }
        let has_past =
            transaction.query_row("SELECT EXISTS (SELECT 1 FROM run WHERE run_id < ?1)", [run_id], |row| row.get(0))?;
        let collections = Collections::declare(&transaction, &session.collections, has_past)?;
        let processors = session
            .processors
            .iter()
            .map(|collection| super::collections::declare(&transaction, collection))
            .collect::<Result<_>>()?;
        transaction.commit()?;
        let ready = Ready {
            pending: counts.pending,
            done: counts.outcomes,
            resumed,
            untold: untold.is_some(),
            last_activity_at,
            lists_known,
        };
        let store = Self {
            db,
            run_id,
            reread,
            relisted: vec![false; lists.len()],
            lists,
            opened: Instant::now(),
            counts,
            change: Change::default(),
            collections,
            reading: session.reading,
            again: session.again,
            keep: session.keep,
            has_past,
            processors,
            host_ids: HashMap::new(),
            inserted_at: now,
        };
        Ok((store, ready))
    }

    /// URLs without outcome, as of the last commit.
    pub fn pending(&self) -> u64 {
        self.counts.pending
    }

    /// The page of a URL as one line tells it, as of the last commit.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn line_of(&self, url_id: UrlId) -> Result<Option<PageLine>> {
        let sql = "SELECT u.url, p.elapsed_ms, p.error_message FROM url u LEFT JOIN page p ON p.url_id = u.url_id \
                   WHERE u.url_id = ?1";
        let line = self.statement(sql)?.query_row([url_id], |row| {
            Ok(PageLine { url: row.get(0)?, elapsed_ms: row.get(1)?, message: row.get(2)? })
        });
        Ok(line.optional()?)
    }

    /// Runs `work` in one transaction, all or nothing.
    ///
    /// # Errors
    /// Whatever `work` or the commit reports; nothing has changed then.
    pub fn transaction<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        self.inserted_at = epoch_ms();
        let result = work(self).and_then(|value| self.write_counts().map(|()| value)).and_then(|value| {
            self.db.execute_batch("COMMIT")?;
            Ok(value)
        });
        let change = std::mem::take(&mut self.change);
        match &result {
            Ok(_) => self.counts.add(&change),
            Err(_) => {
                // The failed statement may have rolled back already; then this one fails, and that is fine.
                let _ = self.db.execute_batch("ROLLBACK");
                self.host_ids.clear();
                self.collections.forget();
                self.relisted.fill(false);
            }
        }
        result
    }

    fn write_counts(&mut self) -> Result<()> {
        let mut now = self.counts;
        now.add(&self.change);
        let [ok, http_error, failed, rejected, quarantined, robots_denied, skipped] = now.outcomes;
        self.db
            .prepare_cached(
                "UPDATE run SET last_at = ?2, active_ms = ?3, urls = ?4, ok = ?5, http_error = ?6, failed = ?7, \
                                rejected = ?8, quarantined = ?9, bytes = ?10, robots_denied = ?11, skipped = ?12 \
                 WHERE run_id = ?1",
            )?
            .execute(params![
                self.run_id,
                self.inserted_at,
                self.active_ms(),
                now.urls,
                ok,
                http_error,
                failed,
                rejected,
                quarantined,
                now.bytes,
                robots_denied,
                skipped
            ])?;
        let mut update = self.db.prepare_cached(
            "UPDATE host SET fetched = fetched + ?2, failed = failed + ?3, elapsed_ms = elapsed_ms + ?4 \
             WHERE host_id = ?1",
        )?;
        for (host_id, host) in &self.change.hosts {
            update.execute(params![host_id, host.fetched, host.failed, host.elapsed_ms])?;
        }
        let mut total = self.db.prepare_cached(
            "INSERT INTO total(outcome, urls) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET urls = urls + excluded.urls",
        )?;
        for (outcome, change) in self.change.totals.iter().enumerate().filter(|(_, change)| **change != 0) {
            total.execute(params![outcome, change])?;
        }
        self.collections.write_rates(&self.db)
    }

    fn active_ms(&self) -> u64 {
        self.counts.active_ms + self.opened.elapsed().as_millis() as u64
    }

    /// Takes one record: the page, its links, its body and the state of its URL.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn page(&mut self, head: &PageHead, zstd: &[u8]) -> Result<Done> {
        let bytes = head.body.map_or(0, |body| body.bytes);
        let status = head.status.or_else(|| head.requests.last().and_then(|request| request.status));
        let robots = head.requests.last().is_some_and(|request| request.kind == RequestKind::Robots);
        let mut done = Done { url_id: head.url_id, verdict: Verdict::Known, bytes, status, robots };
        self.requests(head.url_id, &head.requests, head.attempt, true)?;
        if head.hold_until > 0
            && let Some(last) = head.requests.last()
        {
            let host_id = self.host_id(&last.host, false)?;
            self.statement("UPDATE host SET hold_until = max(hold_until, ?2) WHERE host_id = ?1")?
                .execute(params![host_id, head.hold_until])?;
        }
        let (outcome, failure) = match &head.ending {
            Ending::Final { outcome, failure } => (*outcome, failure),
            Ending::Retry { due_at, failure } => {
                let updated = self
                    .statement(
                        "UPDATE url SET attempts = attempts + 1, due_at = ?2 WHERE url_id = ?1 AND outcome IS NULL",
                    )?
                    .execute(params![head.url_id, due_at])?;
                if updated == 1 {
                    done.verdict = Verdict::Again { due_at: *due_at, class: failure.as_ref().map(|f| f.class) };
                }
                return Ok(done);
            }
        };
        // What was never asked for was no attempt.
        let attempts = u32::from(!head.requests.is_empty() || !head.hops.is_empty());
        let Some(host_id) = self.end_url(head.url_id, outcome, attempts)? else { return Ok(done) };
        done.verdict = Verdict::Ended(outcome, failure.as_ref().map(|f| f.class));
        if self.has_past {
            self.statement(&format!("{KEEP_PAST} p.url_id = ?1"))?.execute([head.url_id])?;
        }
        if head.not_modified {
            let revisit_ms = self.due_again(head.url_id, Some(false))?;
            self.statement(
                "UPDATE page SET content_at = coalesce(content_at, fetched_at), run_id = ?2, fetched_at = ?3, \
                                 elapsed_ms = ?4, outcome = 0, changed = 0, not_modified = 1, revisit_ms = ?5 \
                 WHERE url_id = ?1",
            )?
            .execute(params![head.url_id, self.run_id, head.started_at, head.elapsed_ms, revisit_ms])?;
            self.count_host(host_id, outcome, head.elapsed_ms);
            return Ok(done);
        }
        let body_id = match &head.body {
            Some(body) => Some(self.body_id(&body.hash, body.bytes, zstd)?),
            None => None,
        };
        let changed = if self.has_past { self.forget_for(head, outcome, body_id)? } else { None };
        let revisit_ms = self.due_again(head.url_id, changed)?;
        let fields = head.page.as_ref();
        let validators = head.validators.as_deref();
        let redirects = (!head.hops.is_empty()).then(|| {
            let hops: Vec<_> = head.hops.iter().map(|hop| (&hop.url, hop.status)).collect();
            serde_json::to_string(&hops).unwrap_or_default()
        });
        let row = params![
            head.url_id,
            self.run_id,
            head.final_url,
            redirects,
            head.status,
            failure.as_ref().map(|f| f.class.name()),
            failure.as_ref().map(|f| &f.message),
            fields.map(|p| &p.title),
            fields.map(|p| &p.h1),
            fields.map(|p| &p.description),
            fields.map(|p| &p.canonical),
            fields.map(|p| &p.lang),
            head.content_type,
            head.charset,
            body_id,
            head.started_at,
            head.elapsed_ms,
            head.meta_robots,
            outcome as i64,
            validators.and_then(|v| v.etag.as_ref()),
            validators.and_then(|v| v.last_modified.as_ref()),
            changed,
            head.attempt,
            revisit_ms,
        ];
        self.statement(
            "INSERT OR REPLACE INTO page(url_id, run_id, final_url, redirects, status, error, error_message, title, h1, \
               description, canonical, lang, content_type, charset, body_id, fetched_at, elapsed_ms, meta_robots, outcome, \
               etag, last_modified, changed, attempt, revisit_ms) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
        )?
        .execute(row)?;
        if self.has_past && body_id.is_some() && changed != Some(false) {
            versions::drop_old(&self.db, head.url_id, self.keep)?;
        }
        if let Some(links) = fields.and_then(|p| p.links.as_ref()) {
            self.statement("INSERT INTO page_link(url_id, links) VALUES (?1, ?2)")?
                .execute(params![head.url_id, links])?;
        }
        if let Some(items) = &head.items {
            let of = Origin { url_id: head.url_id, host_id, run_id: self.run_id, fetched_at: head.started_at };
            self.collections.insert(&self.db, &of, items)?;
        }
        if let Some(extras) = &head.extras {
            insert_extras(&self.db, head.url_id, extras)?;
        }
        self.change.bytes += done.bytes;
        self.count_host(host_id, outcome, head.elapsed_ms);
        Ok(done)
    }

    /// What a whole answer takes the place of goes; whether its body is another one than the last.
    fn forget_for(&mut self, head: &PageHead, outcome: Outcome, body_id: Option<i64>) -> Result<Option<bool>> {
        if !matches!(outcome, Outcome::Ok | Outcome::HttpError) {
            // What was there may be there still.
            return Ok(None);
        }
        for table in ["page_link", "page_extra", "extract_problem"] {
            self.statement(&format!("DELETE FROM {table} WHERE url_id = ?1"))?.execute([head.url_id])?;
        }
        let before = self
            .statement(
                "SELECT body_hash FROM past_page WHERE url_id = ?1 AND outcome = ?2 \
                 ORDER BY run_id DESC, fetched_at DESC LIMIT 1",
            )?
            .query_row(params![head.url_id, outcome as i64], |row| row.get::<_, Option<Vec<u8>>>(0))
            .optional()?;
        let now = match body_id {
            Some(_) => head.body.map(|body| body.hash.to_vec()),
            None => None,
        };
        Ok(before.map(|before| before != now))
    }

    /// How long after this fetch the page is due again: `None` if nobody asks, or nothing is known.
    fn due_again(&self, url_id: UrlId, changed: Option<bool>) -> Result<Option<u64>> {
        if !self.has_past {
            return Ok(None);
        }
        let before = self
            .statement("SELECT revisit_ms FROM page WHERE url_id = ?1")?
            .query_row([url_id], |row| row.get::<_, Option<u64>>(0))
            .optional()?
            .flatten();
        Ok(match (self.again.revisit, changed) {
            (Some(revisit), Some(changed)) => Some(revisit.next(before, changed)),
            _ => before,
        })
    }

    /// Takes what a processor has said to a record.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn processed(&mut self, processed: &Processed) -> Result<()> {
        if let Some(collection_id) = self.processors.get(usize::from(processed.processor)) {
            super::processed::insert(&self.db, *collection_id, processed)?;
        }
        Ok(())
    }

    /// Records requests made for a URL. Those of a record that comes twice are there twice: they were made.
    fn requests(&mut self, url_id: UrlId, requests: &[RequestHead], attempt: u16, ends_attempt: bool) -> Result<()> {
        for (at, request) in requests.iter().enumerate() {
            let host_id = self.host_id(&request.host, false)?;
            let is_last = ends_attempt && at + 1 == requests.len();
            let row = params![
                url_id,
                self.run_id,
                host_id,
                request.url,
                request.kind as i64,
                attempt,
                is_last,
                request.started_us,
                request.elapsed_ms,
                request.gap_ms,
                request.status,
                request.error.map(ErrorClass::name),
                request.bytes,
                request.remote_ip.map(|ip| ip.to_string()),
                request.http_version.map(|version| version.number()),
                (!request.headers.is_empty()).then_some(&request.headers),
            ];
            self.statement(
                "INSERT INTO request(url_id, run_id, host_id, url, kind, attempt, is_last, started_us, elapsed_ms, gap_ms, \
                   status, error, bytes, remote_ip, http_version, headers) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )?
            .execute(row)?;
        }
        Ok(())
    }

    /// Takes a robots.txt; a later one of the same origin replaces it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn robots(&mut self, head: &RobotsHead, zstd: &[u8]) -> Result<()> {
        self.requests(head.url_id, &head.requests, head.attempt, false)?;
        let row = params![
            head.origin,
            self.run_id,
            head.fetched_at,
            head.final_url,
            head.status,
            head.failure.as_ref().map(|f| f.class.name()),
            head.failure.as_ref().map(|f| &f.message),
            head.bytes,
            head.crawl_delay_ms,
            head.sitemaps,
            (!zstd.is_empty()).then_some(zstd),
        ];
        self.statement(
            "INSERT INTO robots(origin, run_id, fetched_at, final_url, status, error, error_message, bytes, crawl_delay_ms, \
               sitemaps, zstd) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
             ON CONFLICT(origin) DO UPDATE SET run_id = excluded.run_id, fetched_at = excluded.fetched_at, \
               final_url = excluded.final_url, status = excluded.status, error = excluded.error, \
               error_message = excluded.error_message, bytes = excluded.bytes, \
               crawl_delay_ms = excluded.crawl_delay_ms, sitemaps = excluded.sitemaps, zstd = excluded.zstd",
        )?
        .execute(row)?;
        Ok(())
    }

    /// Ends a URL of which no fetcher will send a record.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn end_one(&mut self, url_id: UrlId, outcome: Outcome, failure: &Failure) -> Result<Done> {
        let mut done = Done { url_id, verdict: Verdict::Known, bytes: 0, status: None, robots: false };
        // A quarantined URL was being worked on; others were not asked for.
        let attempts = u32::from(outcome == Outcome::Quarantined);
        if let Some(host_id) = self.end_url(url_id, outcome, attempts)? {
            done.verdict = Verdict::Ended(outcome, Some(failure.class));
            let row =
                params![url_id, self.run_id, failure.class.name(), failure.message, self.inserted_at, outcome as i64];
            if self.has_past {
                self.statement(&format!("{KEEP_PAST} p.url_id = ?1"))?.execute([url_id])?;
            }
            self.statement(
                "INSERT OR REPLACE INTO page(url_id, run_id, error, error_message, fetched_at, outcome) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(row)?;
            self.count_host(host_id, outcome, 0);
        }
        Ok(done)
    }

    /// Ends pending URLs of a host, at most `limit` of them, but those whose answers are in an archive; says how many.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn end_host(&mut self, host_id: HostId, outcome: Outcome, failure: &Failure, limit: u32) -> Result<u64> {
        let url_ids = self
            .statement(
                "SELECT url_id FROM url INDEXED BY frontier WHERE outcome IS NULL AND host_id = ?1 \
                   AND archived_at IS NULL ORDER BY url_id LIMIT ?2",
            )?
            .query_map(params![host_id, limit], |row| row.get(0))?
            .collect::<Result<Vec<UrlId>, _>>()?;
        for &url_id in &url_ids {
            self.end_one(url_id, outcome, failure)?;
        }
        Ok(url_ids.len() as u64)
    }

    /// Gives a pending URL its outcome; `None` if it has one already (or is not known).
    fn end_url(&mut self, url_id: UrlId, outcome: Outcome, attempts: u32) -> Result<Option<HostId>> {
        let host_id = self
            .statement(
                "UPDATE url SET outcome = ?2, attempts = attempts + ?3 WHERE url_id = ?1 AND outcome IS NULL \
                 RETURNING host_id",
            )?
            .query_row(params![url_id, outcome as i64, attempts], |row| row.get(0))
            .optional()?;
        if host_id.is_some() {
            self.change.pending -= 1;
            self.change.outcomes[outcome as usize] += 1;
            self.change.totals[outcome as usize] += 1;
        }
        Ok(host_id)
    }

    fn count_host(&mut self, host_id: HostId, outcome: Outcome, elapsed_ms: u32) {
        let host = self.change.hosts.entry(host_id).or_default();
        match outcome {
            Outcome::Ok | Outcome::HttpError | Outcome::Skipped => host.fetched += 1,
            Outcome::Failed | Outcome::Quarantined => host.failed += 1,
            Outcome::Rejected | Outcome::RobotsDenied => {}
        }
        host.elapsed_ms += u64::from(elapsed_ms);
    }

    fn body_id(&mut self, hash: &[u8; 32], bytes: u64, zstd: &[u8]) -> Result<i64> {
        let zstd = (!zstd.is_empty()).then_some(zstd);
        let inserted = self
            .statement("INSERT INTO body(hash, bytes, zstd) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?
            .execute(params![hash, bytes, zstd])?;
        if inserted == 1 {
            return Ok(self.db.last_insert_rowid());
        }
        if zstd.is_some() {
            // Known so far by its hash only, from a run that kept no bodies.
            self.statement("UPDATE body SET zstd = ?2 WHERE hash = ?1 AND zstd IS NULL")?
                .execute(params![hash, zstd])?;
        }
        Ok(self.statement("SELECT body_id FROM body WHERE hash = ?1")?.query_row([hash], |row| row.get(0))?)
    }

    /// The row of a host; `listed` if a list names it.
    fn host_id(&mut self, name: &str, listed: bool) -> Result<HostId> {
        if let Some(&(host_id, known_as_listed)) = self.host_ids.get(name)
            && known_as_listed >= listed
        {
            return Ok(host_id);
        }
        let known = self
            .statement("SELECT host_id, listed FROM host WHERE name = ?1")?
            .query_row([name], |row| Ok((row.get::<_, HostId>(0)?, row.get::<_, bool>(1)?)))
            .optional()?;
        let host_id = match known {
            Some((host_id, was_listed)) => {
                if listed && !was_listed {
                    self.statement("UPDATE host SET listed = 1 WHERE host_id = ?1")?.execute([host_id])?;
                }
                host_id
            }
            None => {
                self.statement("INSERT INTO host(name, listed) VALUES (?1, ?2)")?.execute(params![name, listed])?;
                self.db.last_insert_rowid()
            }
        };
        if self.host_ids.len() >= CACHED_HOSTS {
            self.host_ids.clear();
        }
        let listed = listed || known.is_some_and(|(_, was_listed)| was_listed);
        self.host_ids.insert(name.to_owned(), (host_id, listed));
        Ok(host_id)
    }

    pub(super) fn run_id(&self) -> i64 {
        self.run_id
    }

    pub(super) fn has_past(&self) -> bool {
        self.has_past
    }

    pub(super) fn reading(&self) -> &[u8; 16] {
        &self.reading
    }

    /// Ends the run and leaves one tidy file. A run that found nothing to do leaves no row.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn end(mut self, ended_by: EndedBy) -> Result<()> {
        let idle =
            ended_by == EndedBy::Completed && self.counts.urls == 0 && self.counts.outcomes == [0; Outcome::ALL.len()];
        let now = epoch_ms();
        if ended_by == EndedBy::Completed {
            match versions::sweep(&mut self.db, SWEEP_TIME) {
                // What would give room needs some. They go another time.
                Err(StoreError::Full(_)) => {}
                swept => drop(swept?),
            }
        }
        self.transaction(|store| {
            if idle {
                store.db.execute("DELETE FROM run WHERE run_id = ?1", [store.run_id])?;
                // The next run will have this number.
                store.db.execute("UPDATE file SET read_in = NULL WHERE read_in = ?1", [store.run_id])?;
            } else {
                store.db.execute(
                    "UPDATE run SET ended_at = ?2, ended_by = ?3 WHERE run_id = ?1",
                    params![store.run_id, now, ended_by.name()],
                )?;
            }
            Ok(())
        })?;
        self.close();
        Ok(())
    }

    /// Closes without a word on how the run ended; the next crawl goes on with it.
    pub fn close(mut self) {
        // The last connection to leave empties and removes the log. With readers around it stays, so leave them none.
        self.empty_wal();
        let _ = self.db.close();
    }

    /// Keeps so many bytes of the store's pages at hand from now on. Best effort.
    pub fn keep_at_hand(&self, bytes: u64) {
        let kib = i64::try_from(bytes >> 10).unwrap_or(i64::MAX);
        let _ = self.db.pragma_update(None, "cache_size", -kib);
    }

    /// Bytes of the write-ahead log if they are more than `limit_bytes`, and whether it could be emptied.
    ///
    /// SQLite starts the log anew only when nobody reads from it. Readers that come and go never leave such a moment by
    /// themselves, so it is waited for: once all is copied into the file, new readers do without the log. A reader
    /// that stays in one transaction is waited for in vain.
    pub fn bound_wal(&mut self, path: &Path, limit_bytes: u64) -> Option<(u64, bool)> {
        let bytes = std::fs::metadata(super::wal_of(path)).map_or(0, |meta| meta.len());
        (bytes > limit_bytes).then(|| (bytes, self.empty_wal()))
    }

    fn empty_wal(&mut self) -> bool {
        let _ = self.db.busy_timeout(WAL_PATIENCE);
        let busy = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        let _ = self.db.busy_timeout(super::BUSY_TIMEOUT);
        matches!(busy, Ok(0))
    }

    /// A prepared statement, from the cache.
    pub(super) fn statement(&self, sql: &str) -> Result<CachedStatement<'_>> {
        Ok(self.db.prepare_cached(sql)?)
    }
}

impl Counts {
    fn add(&mut self, change: &Change) {
        self.pending = self.pending.saturating_add_signed(change.pending);
        self.urls += change.urls;
        self.bytes += change.bytes;
        for (count, more) in self.outcomes.iter_mut().zip(change.outcomes) {
            *count += more;
        }
    }
}
