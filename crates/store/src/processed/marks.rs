//! Answers of processors, each with the mark that its record is done.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::Result;
use crate::statement::insert;
use crate::{collections, open_for_writing};
use seine_core::protocol::processing::Processed;
use seine_core::record::items::{Collection, ItemKey, MAX_FOUND_BYTES, ProblemKind, item_key};

/// The store, where answers and marks are written. For the writer, with the store's lock held.
pub struct Marks {
    db: Connection,
    collection_ids: Vec<i64>,
}

impl Marks {
    /// Opens the store at `path` and makes the collections of the answers, or brings them up to date.
    ///
    /// # Errors
    /// [`crate::StoreError`], [`crate::StoreError::NameTaken`] among them.
    pub fn open(path: &Path, answers: &[Collection]) -> Result<Self> {
        let db = open_for_writing(path)?;
        let transaction = db.unchecked_transaction()?;
        let collection_ids =
            answers.iter().map(|collection| collections::declare(&db, collection)).collect::<Result<_>>()?;
        transaction.commit()?;
        Ok(Self { db, collection_ids })
    }

    /// Writes these answers with their marks, all or none.
    ///
    /// # Errors
    /// [`crate::StoreError`]
    pub fn commit(&mut self, batch: &[Processed]) -> Result<()> {
        let transaction = self.db.transaction()?;
        for answer in batch {
            if let Some(collection_id) = self.collection_ids.get(usize::from(answer.processor)) {
                self::answer(&transaction, *collection_id, answer)?;
            }
        }
        Ok(transaction.commit()?)
    }
}

/// Writes an answer and its mark; `false` if that was done before. In a transaction of the caller's.
///
/// # Errors
/// [`crate::StoreError`]
pub fn answer(db: &Connection, collection_id: i64, processed: &Processed) -> Result<bool> {
    let Processed { record, version, answer, .. } = processed;
    let earlier = mark(db, collection_id, *record)?;
    if earlier.as_ref().is_some_and(|earlier| earlier.version == *version && !earlier.failed) {
        return Ok(false);
    }
    let had = earlier.map_or(0, |earlier| earlier.items);
    let Some(source) = source(db, processed)? else {
        // The record is gone or will come anew as another version: it is marked as done, and nothing is kept of the answer.
        insert!(
            db,
            "INSERT INTO",
            processed { collection_id: collection_id, record: record, version: version, items: 0, failed: false },
            "ON CONFLICT DO UPDATE SET version = :version"
        )?;
        return Ok(true);
    };
    let items = answer.as_ref().map_or(&[][..], Vec::as_slice);
    replace_items(db, collection_id, processed, &source, items, had)?;
    replace_problem(db, collection_id, processed, &source)?;
    insert!(
        db,
        "INSERT INTO",
        processed {
            collection_id: collection_id,
            record: record,
            version: version,
            items: items.len(),
            failed: answer.is_err(),
        },
        "ON CONFLICT DO UPDATE SET version = :version, items = :items, failed = :failed"
    )?;
    Ok(true)
}

/// The mark of a record.
struct Mark {
    version: i64,
    /// Items of its answer.
    items: usize,
    failed: bool,
}

fn mark(db: &Connection, collection_id: i64, record: i64) -> Result<Option<Mark>> {
    let mark = db
        .prepare_cached("SELECT version, items, failed FROM processed WHERE collection_id = ?1 AND record = ?2")?
        .query_row(params![collection_id, record], |row| {
            Ok(Mark { version: row.get(0)?, items: row.get(1)?, failed: row.get(2)? })
        })
        .optional()?;
    Ok(mark)
}

/// The run and time of the page or item that an answer is to.
struct Source {
    run_id: i64,
    fetched_at: i64,
}

fn source(db: &Connection, processed: &Processed) -> Result<Option<Source>> {
    // An item may outlive the page it was found on, until that comes anew.
    let (table, column, id, time) = if processed.is_item {
        ("item", "item_id", processed.record, "last_seen")
    } else {
        ("page", "url_id", processed.url_id, "fetched_at")
    };
    let source = db
        .prepare_cached(&format!("SELECT run_id, {time} FROM {table} WHERE {column} = ?1"))?
        .query_row([id], |row| Ok(Source { run_id: row.get(0)?, fetched_at: row.get(1)? }))
        .optional()?;
    Ok(source)
}

/// Writes the items of an answer in the place of the `had` items of the one before.
fn replace_items(
    db: &Connection,
    collection_id: i64,
    processed: &Processed,
    source: &Source,
    items: &[String],
    had: usize,
) -> Result<()> {
    let key = |number: usize| -> ItemKey { item_key(&format!("[{},{number}]", processed.record)) };
    let mut remove = db.prepare_cached("DELETE FROM item WHERE collection_id = ?1 AND key = ?2")?;
    for number in items.len()..had {
        remove.execute(params![collection_id, key(number)])?;
    }
    for (number, data) in items.iter().enumerate() {
        insert!(
            db,
            "INSERT INTO",
            item {
                collection_id: collection_id,
                key: key(number),
                url_id: processed.url_id,
                number: number,
                run_id: source.run_id,
                data: data,
                first_seen: source.fetched_at,
                last_seen: source.fetched_at,
                first_run: source.run_id,
            },
            "ON CONFLICT(collection_id, key) WHERE key IS NOT NULL DO UPDATE SET \
               url_id = :url_id, run_id = :run_id, data = :data, last_seen = :last_seen"
        )?;
    }
    Ok(())
}

/// Notes why a processor failed on a record, or that it did not.
fn replace_problem(db: &Connection, collection_id: i64, processed: &Processed, source: &Source) -> Result<()> {
    // Of an item its id tells which it was.
    let number = processed.is_item.then_some(processed.record);
    db.prepare_cached("DELETE FROM extract_problem WHERE url_id = ?1 AND collection_id = ?2 AND number IS ?3")?
        .execute(params![processed.url_id, collection_id, number])?;
    if let Err(failed) = &processed.answer {
        insert!(
            db,
            "INSERT INTO",
            extract_problem {
                url_id: processed.url_id,
                run_id: source.run_id,
                collection_id: collection_id,
                number: number,
                field: "",
                kind: ProblemKind::Processor as u8,
                found: within(&failed.reason, MAX_FOUND_BYTES),
            }
        )?;
    }
    Ok(())
}

fn within(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}
