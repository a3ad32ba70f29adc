//! Everything that reads the store: for every process but the writer, on a read-only connection.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::alike::Alike;
use super::diff::Changes;
use super::drift::Drift;
use super::examples::{self, Example};
use super::follow::FoundCounts;
use super::outcomes::{self, OutcomeCounts};
use super::{NO_HOST, StoreError, frontier};
use seine_core::record::items::Fill;
use seine_core::record::{Outcome, UrlId, UrlKey};

/// Hosts named in a summary, of each kind.
const HOSTS_NAMED: usize = 5;

/// The state of a crawl: a running, finished or dead one.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// The latest run; `None` if there was none.
    pub run: Option<RunSummary>,
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
    /// Values and pages of the run that were not as a rule says.
    pub problems: u64,
    /// Fields that the run found less often than the one before; filled in by the caller, who knows the limits.
    pub drifts: Vec<Drift>,
    /// How well the rules of the run fit its pages, by collection; filled in by the caller, who knows the rules.
    pub fill: BTreeMap<String, Fill>,
    /// Counts of all that is new, changed or gone since the last complete run before; only of a run that has just ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Changes>,
    /// URLs that no list names; only of a run that has just ended and followed links, sitemaps or feeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<FoundCounts>,
    /// What brings nothing new: near-duplicates, soft 404s, mirrors, hosts that repeat themselves.
    pub alike: Alike,
    /// Hosts with the longest mean time per URL.
    pub slowest_hosts: Vec<HostLine>,
    /// Hosts with the most failures.
    pub failing_hosts: Vec<HostLine>,
}

/// One run.
#[derive(Debug, Serialize)]
pub struct RunSummary {
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
    pub outcomes: OutcomeCounts,
    /// Decompressed bytes.
    pub bytes: u64,
    /// Requests of old runs that were forgotten at its end.
    pub requests_forgotten: u64,
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

/// When the last complete run began, in milliseconds of the Unix epoch; `None`: there was none.
///
/// # Errors
/// [`StoreError`]
pub fn last_complete_start(db: &Connection) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT started_at FROM run WHERE ended_by = 'completed' ORDER BY run_id DESC LIMIT 1";
    Ok(db.query_row(sql, [], |row| row.get(0)).optional()?)
}

/// The files that lines of the store come from, lists and archives, as they were named.
///
/// # Errors
/// [`StoreError`]
pub fn files(db: &Connection) -> Result<Vec<String>, StoreError> {
    Ok(db.prepare("SELECT name FROM file")?.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
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
    let mut summary = Summary { run: latest_run(&db)?, ..Summary::default() };
    let totals = totals(&db)?;
    summary.pending = frontier::pending(&db)?;
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
    summary.items = items(&db)?;
    if let Some(run) = &summary.run {
        summary.problems =
            db.query_row("SELECT count(*) FROM extract_problem WHERE run_id = ?1", [run.run_id], |row| row.get(0))?;
    }
    summary.alike = Alike::of(&db)?;
    summary.slowest_hosts =
        hosts(&db, "fetched + failed > 0 ORDER BY elapsed_ms * 1.0 / (fetched + failed) DESC, name")?;
    summary.failing_hosts = hosts(&db, "failed > 0 ORDER BY failed DESC, name")?;
    Ok(summary)
}

fn latest_run(db: &Connection) -> Result<Option<RunSummary>, StoreError> {
    let sql = format!(
        "SELECT r.run_id, v.started_at, v.ended_at, r.ended_by, r.active_ms, r.bytes, r.forgotten, {} \
         FROM run r CROSS JOIN (SELECT run_id, started_at, ended_at FROM runs) v USING(run_id) \
         ORDER BY r.run_id DESC LIMIT 1",
        outcomes::columns()
    );
    let run = db.query_row(&sql, [], |row| {
        Ok(RunSummary {
            run_id: row.get("run_id")?,
            started_at: row.get("started_at")?,
            ended_at: row.get("ended_at")?,
            ended_by: row.get("ended_by")?,
            active_ms: row.get("active_ms")?,
            outcomes: outcomes::counts(row)?,
            bytes: row.get("bytes")?,
            requests_forgotten: row.get("forgotten")?,
        })
    });
    Ok(run.optional()?)
}

/// URLs of the store by outcome, as its writer counts them.
fn totals(db: &Connection) -> Result<OutcomeCounts, StoreError> {
    let mut totals = OutcomeCounts::default();
    let mut select = db.prepare("SELECT outcome, urls FROM total")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(total) = totals.get_mut(row.get::<_, usize>(0)?) {
            *total = row.get(1)?;
        }
    }
    Ok(totals)
}

/// Items of the store by collection.
fn items(db: &Connection) -> Result<BTreeMap<String, u64>, StoreError> {
    // Each half has an index that answers it alone.
    let mut select = db.prepare(
        "SELECT collection_id, count(*) FROM item INDEXED BY item_key WHERE key IS NOT NULL GROUP BY 1 UNION ALL \
         SELECT collection_id, count(*) FROM item INDEXED BY item_place WHERE key IS NULL GROUP BY 1",
    )?;
    let items = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let items: Vec<(i64, u64)> = items.collect::<Result<_, _>>()?;
    let mut by_name = BTreeMap::new();
    for (collection_id, collection) in super::collections::all(db)? {
        let counts = items.iter().filter(|(of, _)| *of == collection_id).map(|(_, count)| *count);
        if let Some(count) = counts.reduce(|a, b| a + b) {
            by_name.insert(collection.name, count);
        }
    }
    Ok(by_name)
}

fn hosts(db: &Connection, which: &str) -> Result<Vec<HostLine>, StoreError> {
    let sql = format!("SELECT name, fetched, failed, elapsed_ms / (fetched + failed) FROM host WHERE {which} LIMIT ?1");
    let mut statement = db.prepare(&sql)?;
    let lines = statement.query_map([HOSTS_NAMED], |row| {
        Ok(HostLine { host: row.get(0)?, fetched: row.get(1)?, failed: row.get(2)?, mean_ms: row.get(3)? })
    })?;
    Ok(lines.collect::<Result<_, _>>()?)
}

/// The URL of `host` (empty: a text that is no URL) with this key.
pub(super) fn find_url(db: &Connection, host: &str, key: &UrlKey) -> Result<Option<UrlId>, StoreError> {
    let sql = "SELECT url_id FROM url \
               WHERE host_id = coalesce((SELECT host_id FROM host WHERE name = ?1), ?3) AND key = ?2";
    Ok(db.query_row(sql, params![host, key, NO_HOST], |row| row.get(0)).optional()?)
}
