//! Rules applied again to stored pages: pages out, what is found into temporary tables, and at the end the difference
//! to what is there, counted or written.
//!
//! New items stay out of the tables of the store until [`Rework::prepare`], and nothing is lasting before
//! [`Rework::commit`]: a process that is killed leaves the store as it was, or as it is to be.
//!
//! Only items of pages that were read are touched. A page without a stored body, or one that could not be read, keeps
//! what it has; so do pages a condition leaves out. An item with a key belongs to the page that last had it.

mod report;
mod standing;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::items::ItemPage;
use super::retry::{self, ConditionError};
use super::{NO_HOST, StoreError, collections};
use seine_core::protocol::reextract::{PageJob, Report};
use seine_core::record::items::{Collection, PageExtras, PageItems};
use seine_core::record::{Outcome, UrlId};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why stored pages cannot be read again.
#[derive(Debug, thiserror::Error)]
pub enum ReworkError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The condition that names pages.
    #[error(transparent)]
    Condition(#[from] ConditionError),
}

/// A store whose pages are read again.
pub struct Rework {
    db: Connection,
    declared: Vec<Collection>,
    /// Whether only some pages are read.
    is_partial: bool,
    /// Whether the difference is to be written.
    writes: bool,
    /// Of pages whose body was never stored.
    not_stored: u64,
    to_read: u64,
    /// Whether what is found is being written down in a transaction.
    in_batch: bool,
}

impl Rework {
    /// Opens the store at `path` for the collections `declared`: for writing, with its lock held, if the difference is
    /// to be written, and otherwise beside whoever is at work on it.
    ///
    /// # Errors
    /// [`ReworkError`]
    pub fn open(
        path: &Path,
        declared: Vec<Collection>,
        condition: Option<&str>,
        writes: bool,
    ) -> Result<Self, ReworkError> {
        let db = if writes { super::open_for_writing(path)? } else { super::open_for_reading(path)? };
        Self::begin(db, declared, condition, writes)
    }

    fn begin(
        db: Connection,
        declared: Vec<Collection>,
        condition: Option<&str>,
        writes: bool,
    ) -> Result<Self, ReworkError> {
        if let Some(condition) = condition {
            retry::check(&db, condition)?;
        }
        let prepared = Self::lay(&db, &declared, condition);
        let (to_read, not_stored) = prepared.map_err(StoreError::from)?;
        Ok(Self { db, declared, is_partial: condition.is_some(), writes, not_stored, to_read, in_batch: false })
    }

    /// Lays the temporary tables; counts pages with and without a stored body.
    fn lay(db: &Connection, declared: &[Collection], condition: Option<&str>) -> rusqlite::Result<(u64, u64)> {
        // As large as all that is found: on disk, and gone with the process.
        db.pragma_update(None, "temp_store", "file")?;
        db.execute_batch(include_str!("reextract.sql"))?;
        match condition {
            Some(condition) => {
                db.execute(
                    &format!("INSERT INTO temp.wanted SELECT url_id FROM pages WHERE {}", retry::is_named(condition)),
                    [],
                )?;
            }
            None => db.execute_batch("DROP TABLE temp.wanted")?,
        }
        for (number, collection) in declared.iter().enumerate() {
            let known = "SELECT collection_id FROM collection WHERE name = ?1";
            let known: Option<i64> = db.query_row(known, [&collection.name], |row| row.get(0)).optional()?;
            db.execute("INSERT INTO temp.declared VALUES (?1, ?2)", params![number, known])?;
        }
        db.query_row(
            &format!(
                "SELECT count(*) FILTER (WHERE b.zstd IS NOT NULL), count(*) FILTER (WHERE b.zstd IS NULL) {}",
                pages(condition.is_some()).0
            ),
            [0],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }

    /// Pages whose body can be read.
    pub fn to_read(&self) -> u64 {
        self.to_read
    }

    /// The next page after `after` with a stored body, which comes along compressed.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn next(&self, after: UrlId) -> Result<Option<(ItemPage, PageJob, Vec<u8>)>> {
        // One at a time: no transaction stays open, so that a log that grows meanwhile can be emptied.
        let (pages, order) = pages(self.is_partial);
        let sql = format!(
            "SELECT p.url_id, u.host_id, p.run_id, coalesce(p.content_at, p.fetched_at), u.url, p.final_url, p.content_type, b.bytes, b.zstd \
             {pages} AND b.zstd IS NOT NULL ORDER BY {order} LIMIT 1"
        );
        let next = self.db.prepare_cached(&sql)?.query_row([after], |row| {
            let origin =
                ItemPage { url_id: row.get(0)?, host_id: row.get(1)?, run_id: row.get(2)?, fetched_at: row.get(3)? };
            let job = PageJob {
                url_id: origin.url_id,
                listed_url: row.get(4)?,
                final_url: row.get(5)?,
                content_type: row.get(6)?,
                bytes: row.get(7)?,
            };
            Ok((origin, job, row.get(8)?))
        });
        Ok(next.optional()?)
    }

    /// Notes what was found on a page. Once for each page.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn keep(&mut self, page: &ItemPage, found: &PageItems) -> Result<()> {
        if !self.in_batch {
            self.db.execute_batch("BEGIN")?;
            self.in_batch = true;
        }
        self.db.prepare_cached("INSERT INTO temp.page_read VALUES (?1, ?2, ?3)")?.execute(params![
            page.url_id,
            page.run_id,
            page.fetched_at
        ])?;
        self.keep_items(page, found)?;
        self.keep_problems(page, found)?;
        self.keep_counts(page, found)
    }

    fn keep_items(&self, page: &ItemPage, found: &PageItems) -> Result<()> {
        if found.items.is_empty() {
            return Ok(());
        }
        // As in a crawl, see `store::items`: the page fetched last says what the item is, in whatever order pages come.
        const WINS: &str = "(excluded.last_seen, excluded.url_id, excluded.number) > (last_seen, url_id, number)";
        let mut insert = self.db.prepare_cached(&format!(
            "INSERT INTO temp.fresh(collection, key, url_id, number, run_id, data, first_seen, last_seen, first_run) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8) \
             ON CONFLICT(collection, key) WHERE key IS NOT NULL DO UPDATE SET \
               url_id = iif({WINS}, excluded.url_id, url_id), number = iif({WINS}, excluded.number, number), \
               run_id = iif({WINS}, excluded.run_id, run_id), data = iif({WINS}, excluded.data, data), \
               first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen), \
               first_run = min(first_run, excluded.first_run)"
        ))?;
        let first_run = first_run(&self.db, page)?;
        for item in &found.items {
            insert.execute(params![
                item.collection,
                item.key,
                page.url_id,
                item.number,
                page.run_id,
                item.data,
                page.fetched_at,
                first_run
            ])?;
        }
        Ok(())
    }

    fn keep_problems(&self, page: &ItemPage, found: &PageItems) -> Result<()> {
        let mut insert = self.db.prepare_cached("INSERT INTO temp.problem VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        for problem in &found.problems {
            insert.execute(params![
                page.url_id,
                page.run_id,
                problem.collection,
                problem.number,
                problem.field,
                problem.kind as u8,
                problem.found
            ])?;
        }
        Ok(())
    }

    fn keep_counts(&self, page: &ItemPage, found: &PageItems) -> Result<()> {
        let mut insert = self.db.prepare_cached(
            "INSERT INTO temp.rate VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET \
               of_items = of_items + excluded.of_items, found = found + excluded.found",
        )?;
        for count in &found.counts {
            let Some(collection) = self.declared.get(usize::from(count.collection)) else { continue };
            let field = count.field.and_then(|at| collection.fields.get(usize::from(at)));
            let (at, name) = (count.field.map_or(0, |at| u32::from(at) + 1), field.map_or("", |field| &field.name));
            insert.execute(params![page.run_id, count.collection, page.host_id, at, name, count.of, count.found])?;
        }
        Ok(())
    }

    /// Notes what else a page says that was kept with [`Self::keep`] just now. What is `None` of it stays as it is.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn keep_extras(&mut self, page: &ItemPage, extras: &PageExtras) -> Result<()> {
        // The limits that a page has met are told by the crawl that fetched it.
        let PageExtras { metadata, text, markdown, tables, beyond: _ } = extras;
        self.db.prepare_cached("INSERT INTO temp.extra VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            page.url_id,
            metadata,
            text,
            markdown,
            tables
        ])?;
        Ok(())
    }

    /// Ends the batch that [`Self::keep`] began; to be called before waiting for anything.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn rest(&mut self) -> Result<()> {
        if std::mem::take(&mut self.in_batch) {
            self.db.execute_batch("COMMIT")?;
        }
        Ok(())
    }

    /// Finds what differs from the store and writes it, if it is to be written: all of it in one transaction that is
    /// open afterwards. `reading_of` says for the settings of a run what its pages are read for from now on, if that
    /// can be said (see [`crate::insert::Session::reading`]).
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn prepare(&mut self, reading_of: &dyn Fn(&str) -> Option<[u8; 16]>) -> Result<Report> {
        self.rest()?;
        self.db.execute_batch(if self.writes { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
        if self.writes {
            for (number, collection) in self.declared.iter().enumerate() {
                let collection_id = collections::declare(&self.db, collection)?;
                self.db.execute(
                    "UPDATE temp.declared SET collection_id = ?2 WHERE number = ?1",
                    params![number, collection_id],
                )?;
            }
        }
        self.db.execute_batch(COMPARE)?;
        let report = self.report()?;
        if self.writes {
            self.db.execute_batch(REPLACE)?;
            if !self.is_partial {
                self.let_stand(reading_of)?;
            }
            // Of earlier runs only a part of the pages is still here.
            let has_past = self.db.prepare("SELECT 1 FROM run LIMIT 1 OFFSET 1")?.exists([])?;
            if !self.is_partial && !has_past {
                self.db.execute_batch(REPLACE_RATES)?;
            }
        }
        Ok(report)
    }

    /// Makes lasting what was prepared.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn commit(&mut self) -> Result<()> {
        self.db.execute_batch("COMMIT")?;
        Ok(())
    }
}

/// The first run that had the page.
///
/// An item that new rules find on it counts as there since then. They never read earlier versions of the page, so nobody
/// knows that the item was missing there; as something new of the run that fetched the page last, all of it would be told by `diff`.
fn first_run(db: &Connection, page: &ItemPage) -> Result<i64> {
    let sql = "SELECT coalesce(since_run, run_id) FROM past_page INDEXED BY past_url \
               WHERE url_id = ?1 AND outcome = 0 ORDER BY past_id LIMIT 1";
    let earlier = db.prepare_cached(sql)?.query_row([page.url_id], |row| row.get(0)).optional()?;
    if let Some(earlier) = earlier {
        return Ok(earlier);
    }
    let sql = "SELECT coalesce(since_run, run_id) FROM page WHERE url_id = ?1";
    let present = db.prepare_cached(sql)?.query_row([page.url_id], |row| row.get(0)).optional()?;
    Ok(present.unwrap_or(page.run_id))
}

/// The pages after `?1` that rules can be applied to, if their body was stored, and the column of their order.
///
/// Each time it is asked, nothing is read but the next page: from the pages that are wanted, or from all.
fn pages(is_partial: bool) -> (String, &'static str) {
    let (first, order) =
        if is_partial { ("temp.wanted w CROSS JOIN page p USING(url_id)", "w.url_id") } else { ("page p", "p.url_id") };
    let sql = format!(
        "FROM {first} CROSS JOIN url u ON u.url_id = p.url_id CROSS JOIN body b ON b.body_id = p.body_id \
         WHERE {order} > ?1 AND p.outcome = {} AND u.host_id <> {NO_HOST}",
        Outcome::Ok as i64
    );
    (sql, order)
}

/// Finds out which fresh items are which stored ones, and what differs.
///
/// An item of a page that was not read gives way only to one of a page fetched later. One that its page had when it was
/// fetched before, and no longer has, stays as it stayed in the crawl.
const COMPARE: &str = "
UPDATE temp.fresh SET item_id = CASE WHEN key IS NULL
  THEN (SELECT i.item_id FROM temp.declared d CROSS JOIN item i ON i.collection_id = d.collection_id
        WHERE d.number = fresh.collection AND i.url_id = fresh.url_id AND i.number = fresh.number AND i.key IS NULL)
  ELSE (SELECT i.item_id FROM temp.declared d CROSS JOIN item i ON i.collection_id = d.collection_id
        WHERE d.number = fresh.collection AND i.key = fresh.key AND i.key IS NOT NULL) END;
CREATE INDEX temp.fresh_item ON fresh(item_id);
INSERT INTO temp.added SELECT fresh_id, collection FROM temp.fresh WHERE item_id IS NULL;
INSERT INTO temp.winner SELECT f.fresh_id, f.item_id, f.collection, f.data IS NOT i.data
  FROM temp.fresh f CROSS JOIN item i ON i.item_id = f.item_id LEFT JOIN temp.page_read r ON r.url_id = i.url_id
  WHERE i.last_seen >= r.fetched_at
     OR (f.last_seen, f.url_id, f.number) >= (i.last_seen, i.url_id, i.number);
INSERT INTO temp.changed SELECT fresh_id, collection FROM temp.winner WHERE differs;
INSERT INTO temp.removed SELECT i.item_id, d.number
  FROM item i CROSS JOIN temp.page_read r ON r.url_id = i.url_id
    CROSS JOIN temp.declared d ON d.collection_id = i.collection_id
  WHERE i.last_seen >= r.fetched_at
    AND NOT EXISTS (SELECT 1 FROM temp.fresh f WHERE f.item_id = i.item_id);
";

/// Writes what differs. Items that stay keep their rows, ids and times.
const REPLACE: &str = "
DELETE FROM item WHERE item_id IN (SELECT item_id FROM temp.removed);
UPDATE item SET data = f.data, url_id = f.url_id, number = f.number, run_id = f.run_id,
                last_seen = max(item.last_seen, f.last_seen)
  FROM temp.winner w CROSS JOIN temp.fresh f ON f.fresh_id = w.fresh_id
  WHERE item.item_id = w.item_id
    AND (w.differs OR (item.url_id, item.number, item.run_id) IS NOT (f.url_id, f.number, f.run_id)
         OR item.last_seen < f.last_seen);
INSERT INTO item(collection_id, key, url_id, number, run_id, data, first_seen, last_seen, first_run)
  SELECT d.collection_id, f.key, f.url_id, f.number, f.run_id, f.data, f.first_seen, f.last_seen, f.first_run
  FROM temp.added a CROSS JOIN temp.fresh f ON f.fresh_id = a.fresh_id CROSS JOIN temp.declared d ON d.number = f.collection
  ORDER BY a.fresh_id;
DELETE FROM extract_problem INDEXED BY extract_problem_url WHERE url_id IN (SELECT url_id FROM temp.page_read)
  AND collection_id IN (SELECT collection_id FROM temp.declared);
INSERT INTO extract_problem(url_id, run_id, collection_id, number, field, kind, found)
  SELECT p.url_id, p.run_id, d.collection_id, p.number, p.field, p.kind, p.found
  FROM temp.problem p CROSS JOIN temp.declared d ON d.number = p.collection ORDER BY p.rowid;
INSERT INTO page_extra(url_id, metadata, text, markdown, tables)
  SELECT url_id, metadata, text, markdown, tables FROM temp.extra WHERE true
  ON CONFLICT(url_id) DO UPDATE SET
    metadata = coalesce(excluded.metadata, metadata), text = coalesce(excluded.text, text),
    markdown = coalesce(excluded.markdown, markdown), tables = coalesce(excluded.tables, tables)
  WHERE (coalesce(excluded.metadata, metadata), coalesce(excluded.text, text),
         coalesce(excluded.markdown, markdown), coalesce(excluded.tables, tables))
    IS NOT (metadata, text, markdown, tables);
";

/// Writes how often fields were found, for the runs whose pages were read. Not if only some of them were.
const REPLACE_RATES: &str = "
DELETE FROM field_rate WHERE run_id IN (SELECT run_id FROM temp.page_read)
  AND collection_id IN (SELECT collection_id FROM temp.declared);
INSERT INTO field_rate(run_id, collection_id, host_id, counts)
  SELECT r.run_id, d.collection_id, r.host_id, json_group_object(r.name, json_array(r.of_items, r.found) ORDER BY r.field)
  FROM temp.rate r CROSS JOIN temp.declared d ON d.number = r.collection WHERE r.of_items > 0
  GROUP BY r.run_id, d.collection_id, r.host_id;
";

#[cfg(test)]
mod tests;
