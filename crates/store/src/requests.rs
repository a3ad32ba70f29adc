//! How long requests are kept.
//!
//! Those of the last run stay whatever their age, and so do those whose answers are the pages of now: `why`, `audit` and the
//! export of answers need them. All others go when they are old enough: at the end of a run, or by `seine prune`.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// Requests that are looked at in one transaction.
const REQUESTS_AT_ONCE: i64 = 20_000;

/// Of `request`: its answer is not the page of now.
const IS_PAST: &str = "attempt IS NOT (SELECT p.attempt FROM page p WHERE p.url_id = request.url_id)";

/// Forgets the requests of runs before `run_id` whose last work was before this time, in milliseconds of the Unix epoch, for
/// about as long as `most`. Each run is looked through once; what is left goes another time. How many went is noted with
/// the run `run_id`.
///
/// # Errors
/// [`StoreError`]
pub fn forget(db: &mut Connection, run_id: i64, before: u64, most: Duration) -> Result<(), StoreError> {
    let began = Instant::now();
    let old = db
        .prepare("SELECT run_id FROM run WHERE run_id < ?1 AND last_at < ?2 AND NOT requests_gone ORDER BY run_id")?
        .query_map(params![run_id, before], |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    for old in old {
        let (mut from, end) = (first_of(db, old)?, first_of(db, old + 1)?);
        while began.elapsed() < most {
            let until = end.min(from + REQUESTS_AT_ONCE);
            let transaction = db.transaction()?;
            let deleted = transaction
                .prepare_cached(&format!(
                    "DELETE FROM request WHERE request_id >= ?1 AND request_id < ?2 AND run_id = ?3 AND {IS_PAST}"
                ))?
                .execute([from, until, old])?;
            transaction
                .execute("UPDATE run SET forgotten = forgotten + ?2 WHERE run_id = ?1", params![run_id, deleted])?;
            if until == end {
                transaction.execute("UPDATE run SET requests_gone = 1 WHERE run_id = ?1", [old])?;
            }
            transaction.commit()?;
            if until == end {
                break;
            }
            from = until;
        }
    }
    Ok(())
}

/// Forgets all requests from before this time, in milliseconds of the Unix epoch, that may go; says how many.
///
/// # Errors
/// [`StoreError`]
pub fn prune(db: &Connection, before: u64) -> Result<u64, StoreError> {
    let deleted = db.execute(
        &format!("DELETE FROM request WHERE started_us < ?1 AND run_id < (SELECT max(run_id) FROM run) AND {IS_PAST}"),
        [before.saturating_mul(1000)],
    )?;
    Ok(deleted as u64)
}

/// The first request of the run or a later one; past the last one if there is none. Requests come in the order of their runs, so it
/// is found by halves. (Those of a merge of stores with several runs do not: there some are not found, and stay.)
fn first_of(db: &Connection, run_id: i64) -> Result<i64, StoreError> {
    let mut next =
        db.prepare_cached("SELECT request_id, run_id FROM request WHERE request_id >= ?1 ORDER BY request_id LIMIT 1")?;
    let last: i64 = db.query_row("SELECT coalesce(max(request_id), 0) FROM request", [], |row| row.get(0))?;
    let (mut low, mut high) = (1, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match next.query_row([middle], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).optional()? {
            Some((request_id, of)) if of < run_id => low = request_id + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
