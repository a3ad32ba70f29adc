//! All fetches of a URL: read from either side, put into one order, and written back.
//!
//! They are told apart by run and time. The last one is the page; those before it are in `past_page` and `same_fetch`, see
//! [`crate::past`].

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use crate::past::{Since, State};

/// Fetches of one URL; more are those of no crawl.
const MOST: usize = 200_000;

/// One fetch.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    pub run_id: i64,
    pub fetched_at: i64,
    pub state: State,
    pub elapsed_ms: Option<i64>,
    pub changed: Option<bool>,
    pub not_modified: bool,
    /// Of the side it was read from; `None`: it had none, or it is gone.
    pub body_id: Option<i64>,
    pub bytes: Option<i64>,
    /// The other side has it.
    pub is_of_source: bool,
}

impl Fetch {
    /// What it is told by.
    pub fn id(&self) -> (i64, i64) {
        (self.run_id, self.fetched_at)
    }
}

/// The fetches of a URL in their order, and where some of them are written.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    pub all: Vec<Fetch>,
    /// Rows of `same_fetch`.
    pub same_ids: Vec<i64>,
}

/// What is wrong with a history.
#[derive(Debug)]
pub(super) enum HistoryError {
    Sqlite(rusqlite::Error),
    Endless,
}

impl From<rusqlite::Error> for HistoryError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// Reads them; with `has_past` those before the page too.
pub(super) fn read(db: &Connection, url_id: i64, has_past: bool, is_of_source: bool) -> Result<Fetches, HistoryError> {
    let mut fetches = Fetches::default();
    if has_past {
        let mut past = db.prepare_cached(
            "SELECT outcome, status, error, body_hash, title, run_id, fetched_at, elapsed_ms, changed, not_modified, body_id, \
                    bytes, same_id \
             FROM past_page INDEXED BY past_url WHERE url_id = ?1 ORDER BY past_id",
        )?;
        let mut rows = past.query([url_id])?;
        while let Some(row) = rows.next()? {
            let same_id = row.get(12)?;
            add(db, &mut fetches, of(row, is_of_source)?, same_id)?;
        }
    }
    // A row without an outcome is of a version that knew none.
    let page = db
        .prepare_cached(
            "SELECT p.outcome, p.status, p.error, b.hash, p.title, p.run_id, p.fetched_at, p.elapsed_ms, p.changed, \
                    p.not_modified, p.body_id, b.bytes, p.same_id \
             FROM page p LEFT JOIN body b ON b.body_id = p.body_id WHERE p.url_id = ?1 AND p.outcome IS NOT NULL",
        )?
        .query_row([url_id], |row| Ok((of(row, is_of_source)?, row.get(12)?)))
        .optional()?;
    if let Some((page, same_id)) = page {
        add(db, &mut fetches, page, same_id)?;
    }
    Ok(fetches)
}

fn of(row: &Row<'_>, is_of_source: bool) -> rusqlite::Result<Fetch> {
    Ok(Fetch {
        state: State::of(row)?,
        run_id: row.get(5)?,
        fetched_at: row.get(6)?,
        elapsed_ms: row.get(7)?,
        changed: row.get(8)?,
        not_modified: row.get(9)?,
        body_id: row.get(10)?,
        bytes: row.get(11)?,
        is_of_source,
    })
}

/// Adds a row, and before it those that found the same.
fn add(db: &Connection, fetches: &mut Fetches, last: Fetch, same_id: Option<i64>) -> Result<(), HistoryError> {
    let first = fetches.all.len();
    let mut next = same_id;
    let mut before: CachedStatement<'_> = db.prepare_cached(
        "SELECT before_id, run_id, fetched_at, elapsed_ms, changed, not_modified FROM same_fetch WHERE fetch_id = ?1",
    )?;
    while let Some(fetch_id) = next {
        if fetches.all.len() >= MOST {
            return Err(HistoryError::Endless);
        }
        let found = before.query_row([fetch_id], |row| {
            let fetch = Fetch {
                run_id: row.get(1)?,
                fetched_at: row.get(2)?,
                elapsed_ms: row.get(3)?,
                changed: row.get(4)?,
                not_modified: row.get(5)?,
                ..last.clone()
            };
            Ok((row.get(0)?, fetch))
        });
        let Some((before_id, fetch)) = found.optional()? else { break };
        fetches.same_ids.push(fetch_id);
        fetches.all.push(fetch);
        next = before_id;
    }
    fetches.all[first..].reverse();
    fetches.all.push(last);
    if fetches.all.len() > MOST { Err(HistoryError::Endless) } else { Ok(()) }
}

/// Takes away what is written of those before the page.
pub(super) fn remove_past(db: &Connection, url_id: i64, same_ids: &[i64]) -> rusqlite::Result<()> {
    let mut remove = db.prepare_cached("DELETE FROM same_fetch WHERE fetch_id = ?1")?;
    for fetch_id in same_ids {
        remove.execute([fetch_id])?;
    }
    // Their bodies may be nobody's then.
    db.prepare_cached(
        "INSERT OR IGNORE INTO loose_body(body_id) SELECT body_id FROM past_page INDEXED BY past_url \
         WHERE url_id = ?1 AND body_id IS NOT NULL",
    )?
    .execute([url_id])?;
    db.prepare_cached(
        "DELETE FROM past_page WHERE past_id IN (SELECT past_id FROM past_page INDEXED BY past_url WHERE url_id = ?1)",
    )?
    .execute([url_id])?;
    Ok(())
}

/// Writes all but the last one; says how that goes on. Bodies are those of the store that is written.
pub(super) fn write_past(db: &Connection, url_id: i64, all: &[Fetch]) -> rusqlite::Result<Since> {
    let mut since = Since::default();
    for pair in all.windows(2) {
        let [fetch, next] = pair else { continue };
        let first = since.same_id.is_none();
        let start = (since.run_id.or(Some(fetch.run_id)), if first { fetch.changed } else { since.changed });
        if fetch.state == next.state {
            db.prepare_cached(
                "INSERT INTO same_fetch(before_id, run_id, fetched_at, elapsed_ms, changed, not_modified) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                since.same_id,
                fetch.run_id,
                fetch.fetched_at,
                fetch.elapsed_ms,
                fetch.changed,
                fetch.not_modified
            ])?;
            since = Since { run_id: start.0, changed: start.1, same_id: Some(db.last_insert_rowid()) };
            continue;
        }
        let State { outcome, status, error, hash, title } = &fetch.state;
        db.prepare_cached(
            "INSERT INTO past_page(url_id, run_id, outcome, status, error, body_id, body_hash, bytes, changed, not_modified, \
               fetched_at, elapsed_ms, title, since_run, since_changed, same_id) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            url_id,
            fetch.run_id,
            outcome,
            status,
            error,
            fetch.body_id,
            hash,
            fetch.bytes,
            fetch.changed,
            fetch.not_modified,
            fetch.fetched_at,
            fetch.elapsed_ms,
            title,
            since.run_id,
            since.changed,
            since.same_id,
        ])?;
        since = Since::default();
    }
    Ok(since)
}
