//! What is needed to say whether a store is well kept: its latest run, and the latest that has ended.

use rusqlite::{Connection, OptionalExtension, Row};

use super::StoreError;
use seine_core::record::Outcome;

/// One run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFacts {
    /// Its number.
    pub run_id: i64,
    /// In ms of the Unix epoch, as the others.
    pub started_at: u64,
    /// `None`: it goes, or its processes were killed.
    pub ended_at: Option<u64>,
    /// How it ended.
    pub ended_by: Option<String>,
    /// Its last commit.
    pub last_at: u64,
    /// URLs it fetched that ended ok.
    pub ok: u64,
    /// URLs it fetched that did not: `http_error`, `failed` and `quarantined`.
    pub not_ok: u64,
}

/// The runs, as far as a health check asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The latest run.
    pub latest: Option<RunFacts>,
    /// The latest that has ended.
    pub ended: Option<RunFacts>,
    /// URLs of the store that ended ok, whichever run fetched them.
    pub ok: u64,
}

const RUN: &str =
    "SELECT run_id, started_at, ended_at, ended_by, last_at, ok, http_error + failed + quarantined FROM run";

/// Reads them; a few rows, however large the store.
///
/// # Errors
/// [`StoreError`]
pub fn facts(db: &Connection) -> Result<Facts, StoreError> {
    // One snapshot, so that the numbers agree with each other.
    let db = db.unchecked_transaction()?;
    let one =
        |condition: &str| db.query_row(&format!("{RUN} {condition} ORDER BY run_id DESC LIMIT 1"), [], run).optional();
    let ok = db.query_row("SELECT urls FROM total WHERE outcome = ?1", [Outcome::Ok as i64], |row| row.get(0));
    Ok(Facts { latest: one("")?, ended: one("WHERE ended_at IS NOT NULL")?, ok: ok.optional()?.unwrap_or(0) })
}

fn run(row: &Row<'_>) -> rusqlite::Result<RunFacts> {
    Ok(RunFacts {
        run_id: row.get(0)?,
        started_at: row.get(1)?,
        ended_at: row.get(2)?,
        ended_by: row.get(3)?,
        last_at: row.get(4)?,
        ok: row.get(5)?,
        not_ok: row.get(6)?,
    })
}
