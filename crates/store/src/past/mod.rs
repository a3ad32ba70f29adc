//! What becomes of a page when its URL is fetched again.
//!
//! A fetch that finds what the one before it found leaves one short row at the end of `same_fetch`, to which the row of the
//! page leads; after any other the page's row goes to the end of `past_page`. So what a run writes for its history depends on
//! what has changed, not on how long the history is.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::StoreError;
use seine_core::record::{Outcome, UrlId};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What a fetch has found, as far as it tells one state of a page from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// How it ended.
    pub outcome: i64,
    /// Of the answer.
    pub status: Option<u16>,
    /// Class of the error.
    pub error: Option<String>,
    /// Of the body.
    pub hash: Option<Vec<u8>>,
    /// Of the page.
    pub title: Option<String>,
}

impl State {
    /// Without an answer.
    pub fn failed(outcome: Outcome, error: &str) -> Self {
        Self { outcome: outcome as i64, status: None, error: Some(error.to_owned()), hash: None, title: None }
    }

    /// From the first five columns, in this order.
    ///
    /// # Errors
    /// They are not these.
    pub fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            outcome: row.get(0)?,
            status: row.get(1)?,
            error: row.get(2)?,
            hash: row.get(3)?,
            title: row.get(4)?,
        })
    }
}

/// Since when a page has been as it is, and where its fetches before are: columns of `page`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Since {
    /// The run that found it so first; `None`: the one of its row.
    pub run_id: Option<i64>,
    /// Whether that one found another body than the fetch before it.
    pub changed: Option<bool>,
    /// The fetch before, if it found the same.
    pub same_id: Option<i64>,
}

/// What was passed on.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// What the page was; `None`: nothing.
    pub before: Option<State>,
    /// How it goes on.
    pub since: Since,
}

/// The page of a URL becomes history, since another fetch has found `now`: `None` stands for a 304, which finds what a page
/// that is ok was. The caller writes the row of that fetch.
///
/// # Errors
/// [`StoreError`]
pub(super) fn pass_on(db: &Connection, url_id: UrlId, now: Option<&State>) -> Result<Passed> {
    let row = db
        .prepare_cached(
            "SELECT p.outcome, p.status, p.error, b.hash, p.title, p.run_id, p.changed, p.since_run, p.since_changed, p.same_id \
             FROM page p LEFT JOIN body b ON b.body_id = p.body_id WHERE p.url_id = ?1 AND p.outcome IS NOT NULL",
        )?
        .query_row([url_id], |row| {
            let (run_id, changed): (i64, Option<bool>) = (row.get(5)?, row.get(6)?);
            let since = Since { run_id: row.get(7)?, changed: row.get(8)?, same_id: row.get(9)? };
            let changed = if since.same_id.is_some() { since.changed } else { changed };
            Ok((State::of(row)?, Since { run_id: since.run_id.or(Some(run_id)), changed, ..since }))
        })
        .optional()?;
    let Some((before, since)) = row else { return Ok(Passed::default()) };
    let is_same = now.map_or(before.outcome == Outcome::Ok as i64, |now| *now == before);
    if !is_same {
        keep(db, url_id)?;
        return Ok(Passed { before: Some(before), since: Since::default() });
    }
    db.prepare_cached(
        "INSERT INTO same_fetch(before_id, run_id, fetched_at, elapsed_ms, changed, not_modified) \
         SELECT same_id, run_id, fetched_at, elapsed_ms, changed, not_modified FROM page WHERE url_id = ?1",
    )?
    .execute([url_id])?;
    Ok(Passed { before: Some(before), since: Since { same_id: Some(db.last_insert_rowid()), ..since } })
}

/// The page of a URL becomes history as it is.
///
/// # Errors
/// [`StoreError`]
pub(super) fn keep(db: &Connection, url_id: UrlId) -> Result<()> {
    db.prepare_cached(
        "INSERT OR IGNORE INTO past_page(url_id, run_id, outcome, status, error, body_id, body_hash, bytes, changed, \
           not_modified, fetched_at, elapsed_ms, title, since_run, since_changed, same_id) \
         SELECT p.url_id, p.run_id, p.outcome, p.status, p.error, p.body_id, b.hash, b.bytes, p.changed, \
                p.not_modified, p.fetched_at, p.elapsed_ms, p.title, p.since_run, p.since_changed, p.same_id \
         FROM page p LEFT JOIN body b ON b.body_id = p.body_id WHERE p.url_id = ?1",
    )?
    .execute([url_id])?;
    Ok(())
}

/// The last fetch of a URL is taken back: what of its page is older becomes history.
///
/// # Errors
/// [`StoreError`]
pub(super) fn keep_but_last(db: &Connection, url_id: UrlId) -> Result<()> {
    let same_id: Option<i64> = db
        .prepare_cached("SELECT same_id FROM page WHERE url_id = ?1")?
        .query_row([url_id], |row| row.get(0))
        .optional()?
        .flatten();
    let Some(same_id) = same_id else { return Ok(()) };
    db.prepare_cached(
        "INSERT OR IGNORE INTO past_page(url_id, run_id, outcome, status, error, body_id, body_hash, bytes, changed, \
           not_modified, fetched_at, elapsed_ms, title, since_run, since_changed, same_id) \
         SELECT p.url_id, f.run_id, p.outcome, p.status, p.error, p.body_id, b.hash, b.bytes, f.changed, \
                f.not_modified, f.fetched_at, f.elapsed_ms, p.title, p.since_run, p.since_changed, f.before_id \
         FROM page p CROSS JOIN same_fetch f LEFT JOIN body b ON b.body_id = p.body_id \
         WHERE p.url_id = ?1 AND f.fetch_id = ?2",
    )?
    .execute(params![url_id, same_id])?;
    db.prepare_cached("DELETE FROM same_fetch WHERE fetch_id = ?1")?.execute([same_id])?;
    Ok(())
}

#[cfg(test)]
mod tests;
