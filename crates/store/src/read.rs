//! Everything that reads the store: for every process but the writer, on a read-only connection.

use std::collections::BTreeMap;
use std::io::{self, Write};

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::diff::Changes;
use super::drift::Drift;
use super::examples::{self, Example};
use super::{NO_HOST, StoreError};
use seine_core::record::{CrawlUrl, Outcome, UrlId, UrlKey};

/// Hosts named in a summary, of each kind.
const HOSTS_NAMED: usize = 5;

/// What a crawl has come to: of a running, finished or dead one.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// The latest run; `None` if there was none.
    pub run: Option<Run>,
    /// URLs in the store, rejected texts included.
    pub urls: u64,
    /// URLs without outcome.
    pub pending: u64,
    /// URLs of the store by outcome.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Failures of the run by class, HTTP errors by status (`http_404`).
    pub errors: BTreeMap<String, u64>,
    /// A few URLs of each of these classes, with what was said of them.
    pub error_examples: BTreeMap<String, Vec<Example>>,
    /// Items of the store by collection.
    pub items: BTreeMap<String, u64>,
    /// What the run met that was not as a rule says.
    pub problems: u64,
    /// Fields that the run found less often than the one before; filled in by who knows the limits.
    pub drifts: Vec<Drift>,
    /// What is new, changed or gone since the last complete run before; only found out by a run that has just ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// Hosts with the longest mean time per URL.
    pub slowest_hosts: Vec<HostLine>,
    /// Hosts with the most failures.
    pub failing_hosts: Vec<HostLine>,
}

/// One run.
#[derive(Debug, Serialize)]
pub struct Run {
    /// Its number.
    pub run_id: i64,
    /// ISO 8601, UTC.
    pub started_at: String,
    /// The same; `None` while it runs, or if its processes were killed.
    pub ended_at: Option<String>,
    /// How it ended.
    pub ended_by: Option<String>,
    /// Time spent, over all resumptions.
    pub active_ms: u64,
    /// URLs it fetched, by outcome as in [`Outcome::ALL`].
    #[serde(skip)]
    pub outcomes: [u64; Outcome::ALL.len()],
    /// Decompressed bytes.
    pub bytes: u64,
}

/// One host.
#[derive(Debug, Serialize)]
pub struct HostLine {
    /// Its name.
    pub host: String,
    /// URLs with a whole answer.
    pub fetched: u64,
    /// URLs without.
    pub failed: u64,
    /// Mean time of a URL's last request.
    pub mean_ms: u64,
}

/// Whether nothing but the demo has ever worked on the store.
///
/// # Errors
/// [`StoreError`]
pub fn is_demo(db: &Connection) -> Result<bool, StoreError> {
    // One whose making was cut short has no run yet, and no URL either.
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM run WHERE NOT demo) \
                 AND (EXISTS (SELECT 1 FROM run) OR NOT EXISTS (SELECT 1 FROM url))";
    Ok(db.query_row(sql, [], |row| row.get(0))?)
}

/// Sums up the store.
///
/// # Errors
/// [`StoreError`]
pub fn summary(db: &Connection) -> Result<Summary, StoreError> {
    // One snapshot, so that the numbers agree with each other.
    let db = db.unchecked_transaction()?;
    let run = db
        .query_row(
            "SELECT r.run_id, v.started_at, v.ended_at, r.ended_by, r.active_ms, r.ok, r.http_error, r.failed, \
                    r.rejected, r.quarantined, r.robots_denied, r.skipped, r.bytes \
             FROM run r CROSS JOIN runs v USING(run_id) ORDER BY r.run_id DESC LIMIT 1",
            [],
            |row| {
                Ok(Run {
                    run_id: row.get(0)?,
                    started_at: row.get(1)?,
                    ended_at: row.get(2)?,
                    ended_by: row.get(3)?,
                    active_ms: row.get(4)?,
                    outcomes: outcomes(row, 5)?,
                    bytes: row.get(12)?,
                })
            },
        )
        .optional()?;
    let mut summary = Summary { run, ..Summary::default() };
    let mut totals = [0_u64; Outcome::ALL.len()];
    let mut total = db.prepare("SELECT outcome, urls FROM total")?;
    let mut rows = total.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(total) = totals.get_mut(row.get::<_, usize>(0)?) {
            *total = row.get(1)?;
        }
    }
    summary.pending =
        db.query_row("SELECT count(*) FROM url INDEXED BY frontier WHERE outcome IS NULL", [], |row| row.get(0))?;
    summary.urls = summary.pending + totals.iter().sum::<u64>();
    summary.outcomes = Outcome::ALL.iter().map(|outcome| (outcome.name(), totals[*outcome as usize])).collect();
    if let Some(run) = &summary.run {
        let mut errors = db.prepare(
            "SELECT coalesce(error, 'http_' || status), count(*) FROM page \
             WHERE run_id = ?1 AND (error IS NOT NULL OR status NOT BETWEEN 200 AND 299) GROUP BY 1",
        )?;
        summary.errors =
            errors.query_map([run.run_id], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        summary.error_examples = examples::of_errors(&db, run.run_id, &summary.errors)?;
    }
    // Each half has an index that answers it alone.
    let mut items = db.prepare(
        "SELECT collection_id, count(*) FROM item INDEXED BY item_key WHERE key IS NOT NULL GROUP BY 1 UNION ALL \
         SELECT collection_id, count(*) FROM item INDEXED BY item_place WHERE key IS NULL GROUP BY 1",
    )?;
    let items = items.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let items: Vec<(i64, u64)> = items.collect::<Result<_, _>>()?;
    for (collection_id, collection) in super::collections::all(&db)? {
        let counts = items.iter().filter(|(of, _)| *of == collection_id).map(|(_, count)| *count);
        if let Some(count) = counts.reduce(|a, b| a + b) {
            summary.items.insert(collection.name, count);
        }
    }
    if let Some(run) = &summary.run {
        summary.problems =
            db.query_row("SELECT count(*) FROM extract_problem WHERE run_id = ?1", [run.run_id], |row| row.get(0))?;
    }
    summary.slowest_hosts =
        hosts(&db, "fetched + failed > 0 ORDER BY elapsed_ms * 1.0 / (fetched + failed) DESC, name")?;
    summary.failing_hosts = hosts(&db, "failed > 0 ORDER BY failed DESC, name")?;
    Ok(summary)
}

/// Counts by outcome, from the columns that start at `first`.
fn outcomes(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<[u64; Outcome::ALL.len()]> {
    let mut counts = [0; Outcome::ALL.len()];
    for (at, count) in counts.iter_mut().enumerate() {
        *count = row.get(first + at)?;
    }
    Ok(counts)
}

fn hosts(db: &Connection, which: &str) -> Result<Vec<HostLine>, StoreError> {
    let sql = format!("SELECT name, fetched, failed, elapsed_ms / (fetched + failed) FROM host WHERE {which} LIMIT ?1");
    let mut statement = db.prepare(&sql)?;
    let lines = statement.query_map([HOSTS_NAMED], |row| {
        Ok(HostLine { host: row.get(0)?, fetched: row.get(1)?, failed: row.get(2)?, mean_ms: row.get(3)? })
    })?;
    Ok(lines.collect::<Result<_, _>>()?)
}

/// Why a body cannot be given back.
#[derive(Debug, thiserror::Error)]
pub enum CatError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such URL in the store.
    #[error("{0} is not in this store; `SELECT url FROM pages` lists what is")]
    Unknown(String),
    /// The URL has no body.
    #[error("{url} has no stored body: {why}")]
    NoBody {
        /// The URL.
        url: String,
        /// Why not.
        why: String,
    },
    /// The stored bytes are not what was stored.
    #[error("the stored body of {0} is damaged")]
    Damaged(String),
    /// The output.
    #[error("cannot write the body")]
    Output(#[from] io::Error),
}

/// The URL of `host` (empty: a text that is no URL) with this key.
pub(super) fn find_url(db: &Connection, host: &str, key: &UrlKey) -> Result<Option<UrlId>, StoreError> {
    let sql = "SELECT url_id FROM url \
               WHERE host_id = coalesce((SELECT host_id FROM host WHERE name = ?1), ?3) AND key = ?2";
    Ok(db.query_row(sql, params![host, key, NO_HOST], |row| row.get(0)).optional()?)
}

/// Writes the body stored for `raw_url` to `out`, byte for byte as it was received and decompressed.
///
/// # Errors
/// [`CatError`]
pub fn cat(db: &Connection, raw_url: &str, out: &mut impl Write) -> Result<(), CatError> {
    let unknown = || CatError::Unknown(raw_url.to_owned());
    let url = CrawlUrl::parse(raw_url.trim()).map_err(|_| unknown())?;
    let url_id = find_url(db, &url.host, &url.key)?.ok_or_else(unknown)?;
    type Row = (Option<i64>, Option<String>, Option<u64>, Option<Vec<u8>>, Option<Vec<u8>>);
    let row: Row = db
        .query_row(
            "SELECT p.outcome, p.error_message, b.bytes, b.hash, b.zstd FROM url u \
             LEFT JOIN page p USING(url_id) LEFT JOIN body b USING(body_id) WHERE u.url_id = ?1",
            [url_id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
        )
        .optional()
        .map_err(StoreError::from)?
        .ok_or_else(unknown)?;
    let no_body = |why: &str| CatError::NoBody { url: url.url.clone(), why: why.to_owned() };
    // What a failed fetch could not bring anew is still there of the one before.
    let earlier = match row {
        (Some(_), _, None, ..) => db
            .query_row(
                "SELECT h.outcome, NULL, b.bytes, b.hash, b.zstd FROM past_page h CROSS JOIN body b USING(body_id) \
                 WHERE h.url_id = ?1 AND h.outcome = 0 AND b.zstd IS NOT NULL ORDER BY h.fetched_at DESC LIMIT 1",
                [url_id],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )
            .optional()
            .map_err(StoreError::from)?,
        _ => None,
    };
    let (bytes, hash, zstd) = match earlier.unwrap_or(row) {
        (None, ..) => return Err(no_body("it is still pending")),
        (_, Some(error), None, ..) => return Err(no_body(&error)),
        (_, None, None, ..) => return Err(no_body("the answer was empty")),
        (_, _, Some(_), _, None) => return Err(no_body("it was crawled with --no-store-bodies")),
        (_, _, Some(bytes), hash, Some(zstd)) => (bytes, hash, zstd),
    };
    let damaged = || CatError::Damaged(url.url.clone());
    let capacity = usize::try_from(bytes).map_err(|_| damaged())?;
    let body = zstd::bulk::decompress(&zstd, capacity).map_err(|_| damaged())?;
    if hash.as_deref() != Some(blake3::hash(&body).as_bytes().as_slice()) {
        return Err(damaged());
    }
    out.write_all(&body)?;
    out.flush()?;
    Ok(())
}

/// Where the answer for `raw_url` was found, after redirects, and its Content-Type.
///
/// # Errors
/// [`CatError`]
pub fn answer_of(db: &Connection, raw_url: &str) -> Result<(String, Option<String>), CatError> {
    let unknown = || CatError::Unknown(raw_url.to_owned());
    let url = CrawlUrl::parse(raw_url.trim()).map_err(|_| unknown())?;
    let url_id = find_url(db, &url.host, &url.key)?.ok_or_else(unknown)?;
    let sql = "SELECT coalesce(p.final_url, u.url), p.content_type FROM url u CROSS JOIN page p USING(url_id) WHERE u.url_id = ?1";
    let row = db.query_row(sql, [url_id], |row| Ok((row.get(0)?, row.get(1)?))).optional();
    row.map_err(StoreError::from)?.ok_or_else(unknown)
}
