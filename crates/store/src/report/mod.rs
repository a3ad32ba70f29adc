//! A whole site in bounded lists: what `seine report` shows.
//!
//! - [`pages`]: one walk over all pages: how they ended, how fast and large they were, where they were redirected.
//! - [`repeated`]: titles and descriptions that several pages share; pages that say nearly the same.
//! - [`broken`]: targets of broken links with the pages that link to them.
//! - [`top`]: the first of many by weight.
//!
//! Every list holds at most as many rows as its caller wants; totals are those of all. What has to be grouped or sorted
//! is by SQLite, which puts on disk what it has no room for.

pub mod broken;
pub mod pages;
pub mod repeated;
pub mod top;

use std::ops::RangeInclusive;

use rusqlite::Connection;

use super::StoreError;
use super::alike::Alike;
use super::audit::{Audit, audit_in};
use super::frontier;
use super::links::{Counts, LinksError};
use super::outcomes::{self, OutcomeCounts};
use broken::BrokenTarget;
use pages::Pages;
use repeated::Repeated;

/// Runs that are told of: the last ones.
pub const RUNS_TOLD: u32 = 40;

/// What is to be said of a store.
#[derive(Debug)]
pub struct Site {
    /// The last runs, at most [`RUNS_TOLD`], the earliest first.
    pub runs: Vec<RunLine>,
    /// Runs in all.
    pub run_count: u64,
    /// URLs that have no outcome yet.
    pub pending: u64,
    /// All pages, walked over once.
    pub pages: Pages,
    /// Links by state.
    pub links: Counts,
    /// URLs that broken links lead to; those with most links first.
    pub broken: Vec<BrokenTarget>,
    /// How many such URLs there are.
    pub broken_count: u64,
    /// Titles that several pages share.
    pub titles: Repeated,
    /// Descriptions likewise.
    pub descriptions: Repeated,
    /// Pages that say nearly what an earlier one of their host says, by the URL of that one.
    pub near_duplicates: Repeated,
    /// Hosts that bring nothing new.
    pub alike: Alike,
    /// Proof of the pace kept.
    pub audit: Audit,
}

/// One run. Times are milliseconds of the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLine {
    /// Its number.
    pub run_id: i64,
    /// When it began.
    pub started_at: u64,
    /// When it ended; `None`: it runs, or was killed.
    pub ended_at: Option<u64>,
    /// How it ended.
    pub ended_by: Option<String>,
    /// URLs by outcome.
    pub outcomes: OutcomeCounts,
    /// Time spent, over all resumptions.
    pub active_ms: u64,
    /// Body bytes, decompressed.
    pub bytes: u64,
}

/// Looks at the whole store in one snapshot; of each list at most the first `most`.
///
/// # Errors
/// [`LinksError`], as of the store.
pub fn site(db: &Connection, most: usize, accepted: &[RangeInclusive<u16>]) -> Result<Site, LinksError> {
    // The caller may have one open already.
    let _snapshot = if db.is_autocommit() { Some(db.unchecked_transaction()?) } else { None };
    let (links, broken, broken_count) = broken::broken(db, most, accepted)?;
    Ok(Site {
        runs: runs(db)?,
        run_count: db.query_row("SELECT count(*) FROM run", [], |row| row.get(0))?,
        pending: frontier::pending(db)?,
        pages: pages::pages(db, most)?,
        links,
        broken,
        broken_count,
        titles: repeated::titles(db, most)?,
        descriptions: repeated::descriptions(db, most)?,
        near_duplicates: repeated::near_duplicates(db, most)?,
        alike: Alike::of(db)?,
        audit: audit_in(db, most)?,
    })
}

fn runs(db: &Connection) -> Result<Vec<RunLine>, StoreError> {
    let columns = outcomes::columns();
    let mut select = db.prepare(&format!(
        "SELECT run_id, started_at, ended_at, ended_by, active_ms, bytes, {columns} FROM run ORDER BY run_id DESC LIMIT ?1"
    ))?;
    let lines = select.query_map([RUNS_TOLD], |row| {
        Ok(RunLine {
            run_id: row.get("run_id")?,
            started_at: row.get("started_at")?,
            ended_at: row.get("ended_at")?,
            ended_by: row.get("ended_by")?,
            outcomes: outcomes::counts(row)?,
            active_ms: row.get("active_ms")?,
            bytes: row.get("bytes")?,
        })
    })?;
    let mut lines = lines.collect::<Result<Vec<_>, _>>()?;
    lines.reverse();
    Ok(lines)
}
