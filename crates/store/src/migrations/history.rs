//! The history of a store of a version before 12, in which each fetch has a row: those that found the same are put together.

use rusqlite::{CachedStatement, Row, Transaction, params};

use crate::past::{Since, State};
use seine_core::record::Outcome;

/// Moves what is in `past_page_11` to where it belongs since version 12, in the order of URLs and of their fetches.
///
/// # Errors
/// What SQLite reports.
pub(super) fn compact(db: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut select = db.prepare(
        "SELECT outcome, status, error, body_hash, title, url_id, run_id, fetched_at, elapsed_ms, changed, not_modified, \
                body_id, bytes \
         FROM past_page_11 ORDER BY url_id, run_id, fetched_at",
    )?;
    let mut history = Writer::new(db)?;
    let mut rows = select.query([])?;
    let mut last: Option<Fetch> = None;
    // Of the last answer that was ok: a 304 confirms it.
    let mut confirmed = None;
    while let Some(row) = rows.next()? {
        let mut fetch = Fetch::of(row)?;
        let earlier = last.take();
        let is_other = earlier.as_ref().is_none_or(|earlier| earlier.url_id != fetch.url_id);
        if is_other {
            confirmed = None;
        }
        if fetch.not_modified && fetch.state.status == Some(304) {
            fetch.state.status = confirmed.or(fetch.state.status);
        }
        if fetch.state.outcome == Outcome::Ok as i64 {
            confirmed = fetch.state.status;
        }
        match earlier {
            None => {}
            Some(earlier) if is_other => history.finish(&earlier)?,
            Some(earlier) if earlier.state == fetch.state => {
                fetch.since = history.same(&earlier)?;
                fetch.body_id = fetch.body_id.or(earlier.body_id);
            }
            Some(earlier) => history.past(&earlier)?,
        }
        last = Some(fetch);
    }
    drop(rows);
    last.map_or(Ok(()), |last| history.finish(&last))?;
    drop((select, history));
    // By URL, as each asks for its own; those that say that something is wrong, of which there are few; and by body.
    db.execute_batch(
        "DROP TABLE past_page_11;
         CREATE INDEX past_url ON past_page(url_id);
         CREATE INDEX past_bad ON past_page(url_id) WHERE outcome <> 0;
         CREATE INDEX past_body ON past_page(body_id) WHERE body_id IS NOT NULL;",
    )
}

/// A row of `past_page_11`, and what is known of those before it.
struct Fetch {
    state: State,
    url_id: i64,
    run_id: i64,
    fetched_at: i64,
    elapsed_ms: Option<i64>,
    changed: Option<bool>,
    not_modified: bool,
    body_id: Option<i64>,
    bytes: Option<i64>,
    since: Since,
}

impl Fetch {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            state: State::of(row)?,
            url_id: row.get(5)?,
            run_id: row.get(6)?,
            fetched_at: row.get(7)?,
            elapsed_ms: row.get(8)?,
            changed: row.get(9)?,
            not_modified: row.get(10)?,
            body_id: row.get(11)?,
            bytes: row.get(12)?,
            since: Since::default(),
        })
    }
}

struct Writer<'db> {
    db: &'db Transaction<'db>,
    past: CachedStatement<'db>,
    same: CachedStatement<'db>,
    present: CachedStatement<'db>,
    lead: CachedStatement<'db>,
}

impl<'db> Writer<'db> {
    fn new(db: &'db Transaction<'db>) -> rusqlite::Result<Self> {
        Ok(Self {
            db,
            past: db.prepare_cached(
                "INSERT INTO past_page(url_id, run_id, outcome, status, error, body_id, body_hash, bytes, changed, \
                   not_modified, fetched_at, elapsed_ms, title, since_run, since_changed, same_id) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            )?,
            same: db.prepare_cached(
                "INSERT INTO same_fetch(before_id, run_id, fetched_at, elapsed_ms, changed, not_modified) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?,
            present: db.prepare_cached(
                "SELECT p.outcome, p.status, p.error, b.hash, p.title \
                 FROM page p LEFT JOIN body b ON b.body_id = p.body_id WHERE p.url_id = ?1",
            )?,
            lead: db
                .prepare_cached("UPDATE page SET since_run = ?2, since_changed = ?3, same_id = ?4 WHERE url_id = ?1")?,
        })
    }

    /// The last of a URL's past: the one in `page` comes after it.
    fn finish(&mut self, fetch: &Fetch) -> rusqlite::Result<()> {
        let present = match self.present.query([fetch.url_id])?.next()? {
            Some(row) if row.get::<_, Option<i64>>(0)?.is_some() => Some(State::of(row)?),
            _ => None,
        };
        if present.as_ref() != Some(&fetch.state) {
            return self.past(fetch);
        }
        let since = self.same(fetch)?;
        self.lead.execute(params![fetch.url_id, since.run_id, since.changed, since.same_id])?;
        Ok(())
    }

    /// Another fetch has found the same as this one.
    fn same(&mut self, fetch: &Fetch) -> rusqlite::Result<Since> {
        let Fetch { run_id, fetched_at, elapsed_ms, changed, not_modified, since, .. } = fetch;
        self.same.execute(params![since.same_id, run_id, fetched_at, elapsed_ms, changed, not_modified])?;
        Ok(Since {
            run_id: since.run_id.or(Some(*run_id)),
            changed: if since.same_id.is_some() { since.changed } else { *changed },
            same_id: Some(self.db.last_insert_rowid()),
        })
    }

    /// Another fetch has found something else.
    fn past(&mut self, fetch: &Fetch) -> rusqlite::Result<()> {
        let State { outcome, status, error, hash, title } = &fetch.state;
        self.past.execute(params![
            fetch.url_id,
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
            fetch.since.run_id,
            fetch.since.changed,
            fetch.since.same_id,
        ])?;
        Ok(())
    }
}
