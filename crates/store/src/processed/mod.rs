//! The records that processors are to have; `marks`: their answers.
//!
//! The store is the queue: a record without a mark is to be done. A mark is written in one transaction with the items of
//! its answer, so a record is answered exactly once, whichever process is killed. A record that has changed since (a page
//! fetched again, an item with other data) is done again, and its new items take the place of the old.

mod marks;

use std::path::Path;
use std::rc::Rc;

use rusqlite::{Connection, OptionalExtension, params};

use super::retry::{ConditionError, check_over, is_named_by};
use super::{StoreError, collections};
pub use marks::{Marks, answer};
use seine_core::protocol::processing::Input;
use seine_core::record::{Outcome, UrlId};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The records that one processor is to have.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Name of the processor, and of the collection of its answers.
    pub name: String,
    /// The kind of record.
    pub input: Input,
    /// The collection whose items are the records, with [`Input::Items`].
    pub source: Option<String>,
    /// A condition in SQL over the columns of `pages`, or of that collection's view.
    pub condition: Option<String>,
}

/// The records of one processor, as far as they are to be done.
pub struct Todo {
    db: Rc<Connection>,
    collection_id: i64,
    input: Input,
    /// Of the items; `None` if the store has no such collection (yet).
    source: Option<String>,
    sql: String,
    /// Whether what failed is done once more.
    with_failed: bool,
    /// Everything up to it has been looked at.
    reached: i64,
}

/// A record to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Id of its URL, or its own if it is an item.
    pub id: i64,
    /// Changes whenever the record does.
    pub version: i64,
    /// Its page.
    pub url_id: UrlId,
    /// The record itself.
    pub what: What,
}

/// The kind of record.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A page.
    Page(Box<Page>),
    /// An item.
    Item {
        /// URL of its page.
        url: String,
        /// JSON object.
        data: String,
    },
}

/// A page, as processors get it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// As listed.
    pub url: String,
    /// After redirects; `None` if there were none.
    pub final_url: Option<String>,
    /// Of the answer.
    pub status: Option<u16>,
    /// The header's value.
    pub content_type: Option<String>,
    /// Text of the first `<title>`.
    pub title: Option<String>,
    /// The main text, if it was asked for.
    pub text: Option<String>,
    /// ISO 8601, UTC.
    pub fetched_at: String,
    /// Size of the body, decompressed, and its stored bytes.
    pub body: Option<(u64, Vec<u8>)>,
}

/// Why nobody can say what is to be done.
#[derive(Debug, thiserror::Error)]
pub enum TodoError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The condition that names records.
    #[error("processor {0}: {1}")]
    Condition(String, #[source] ConditionError),
}

/// The records to be done for each of `wanted`, whose collections the writer has declared. With `failed` also what they failed on before.
/// Beside whoever writes.
///
/// # Errors
/// [`TodoError`]; a condition over a collection that the store does not have yet is not looked at.
pub fn todos(path: &Path, wanted: &[Wanted], failed: bool) -> Result<Vec<Todo>, TodoError> {
    let db = Rc::new(super::open_for_reading(path)?);
    let todo = |wanted: &Wanted| {
        let collection_id = db
            .query_row("SELECT collection_id FROM collection WHERE name = ?1", [&wanted.name], |row| row.get(0))
            .map_err(StoreError::from)?;
        Todo::new(db.clone(), wanted, collection_id, failed)
            .map_err(|error| TodoError::Condition(wanted.name.clone(), error))
    };
    wanted.iter().map(todo).collect()
}

impl Todo {
    fn new(db: Rc<Connection>, wanted: &Wanted, collection_id: i64, failed: bool) -> Result<Self, ConditionError> {
        let mut todo = Self {
            db,
            collection_id,
            input: wanted.input,
            source: wanted.source.clone(),
            sql: String::new(),
            with_failed: failed,
            reached: 0,
        };
        let (view, id) = match &wanted.source {
            None => ("pages".to_owned(), "url_id"),
            Some(name) => (collections::quoted(name), "_item_id"),
        };
        let is_there = wanted.source.as_deref().is_none_or(|name| is_known(&todo.db, name).unwrap_or(false));
        if let Some(condition) = wanted.condition.as_deref().filter(|_| is_there) {
            check_over(&todo.db, &view, id, condition)?;
        }
        let condition = |row: &str| match &wanted.condition {
            Some(condition) => format!("AND {}", is_named_by(&view, id, row, condition)),
            None => String::new(),
        };
        let ok = Outcome::Ok as i64;
        todo.sql = match wanted.input {
            Input::Pages | Input::Bodies => {
                let body = if wanted.input == Input::Bodies { "b.bytes, b.zstd" } else { "NULL, NULL" };
                let stored = if wanted.input == Input::Bodies { "AND b.zstd IS NOT NULL" } else { "" };
                format!(
                    "SELECT p.url_id, coalesce(p.content_at, p.fetched_at), p.url_id, u.url, p.final_url, p.status, p.content_type, p.title, e.text, \
                       strftime('%Y-%m-%dT%H:%M:%S', p.fetched_at / 1000, 'unixepoch') || printf('.%03dZ', p.fetched_at % 1000), {body} \
                     FROM page p CROSS JOIN url u ON u.url_id = p.url_id LEFT JOIN body b ON b.body_id = p.body_id \
                     LEFT JOIN page_extra e ON e.url_id = p.url_id \
                     LEFT JOIN processed m ON m.collection_id = ?1 AND m.record = p.url_id \
                     WHERE p.url_id > ?2 AND u.outcome = {ok} {stored} \
                       AND (m.record IS NULL OR m.version <> coalesce(p.content_at, p.fetched_at) OR (m.failed AND ?3)) {} \
                     ORDER BY p.url_id LIMIT 1",
                    condition("p.url_id"),
                )
            }
            // Whether an item's data has changed is seen when it is read.
            Input::Items => format!(
                "SELECT t.item_id, m.version, t.url_id, u.url, t.data, m.failed \
                 FROM item t CROSS JOIN url u ON u.url_id = t.url_id \
                 LEFT JOIN processed m ON m.collection_id = ?1 AND m.record = t.item_id \
                 WHERE t.item_id > ?2 AND t.collection_id = (SELECT collection_id FROM collection WHERE name = ?3) {} \
                 ORDER BY t.item_id LIMIT 1",
                condition("t.item_id")
            ),
        };
        Ok(todo)
    }

    /// The next record to be done, each once until [`Self::again`].
    ///
    /// # Errors
    /// [`StoreError`]
    #[allow(clippy::should_implement_trait, reason = "records come and go, so the end is not the end")]
    pub fn next(&mut self) -> Result<Option<Record>> {
        match self.input {
            Input::Pages | Input::Bodies => self.next_page(),
            Input::Items => self.next_item(),
        }
    }

    fn next_page(&mut self) -> Result<Option<Record>> {
        let next = self.db.prepare_cached(&self.sql)?.query_row(
            params![self.collection_id, self.reached, self.with_failed],
            |row| {
                let body = match (row.get::<_, Option<u64>>(10)?, row.get::<_, Option<Vec<u8>>>(11)?) {
                    (Some(bytes), Some(zstd)) => Some((bytes, zstd)),
                    _ => None,
                };
                let page = Page {
                    url: row.get(3)?,
                    final_url: row.get(4)?,
                    status: row.get(5)?,
                    content_type: row.get(6)?,
                    title: row.get(7)?,
                    text: row.get(8)?,
                    fetched_at: row.get(9)?,
                    body,
                };
                Ok(Record {
                    id: row.get(0)?,
                    version: row.get(1)?,
                    url_id: row.get(2)?,
                    what: What::Page(Box::new(page)),
                })
            },
        );
        let next = next.optional()?;
        self.reached = next.as_ref().map_or(self.reached, |record| record.id);
        Ok(next)
    }

    fn next_item(&mut self) -> Result<Option<Record>> {
        if !is_known(&self.db, self.source.as_deref().unwrap_or_default())? {
            return Ok(None);
        }
        let db = self.db.clone();
        let mut select = db.prepare_cached(&self.sql)?;
        loop {
            let next = select.query_row(params![self.collection_id, self.reached, self.source], |row| {
                let data: String = row.get(4)?;
                let mut hash = [0; 8];
                hash.copy_from_slice(&blake3::hash(data.as_bytes()).as_bytes()[..8]);
                let record = Record {
                    id: row.get(0)?,
                    version: i64::from_le_bytes(hash),
                    url_id: row.get(2)?,
                    what: What::Item { url: row.get(3)?, data },
                };
                let failed = row.get::<_, Option<bool>>(5)?.unwrap_or(false);
                let is_done = row.get::<_, Option<i64>>(1)? == Some(record.version) && !(failed && self.with_failed);
                Ok((record, is_done))
            });
            let Some((record, is_done)) = next.optional()? else { return Ok(None) };
            self.reached = record.id;
            if !is_done {
                return Ok(Some(record));
            }
        }
    }

    /// How many records there are, about: a condition is not looked at, nor whether an item has changed.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn count(&self) -> Result<u64> {
        let undone = "NOT EXISTS (SELECT 1 FROM processed m WHERE m.collection_id = ?1 AND m.record =";
        let count = match self.input {
            Input::Pages | Input::Bodies => self.db.query_row(
                &format!("SELECT count(*) FROM url u WHERE u.outcome = {} AND {undone} u.url_id)", Outcome::Ok as i64),
                [self.collection_id],
                |row| row.get(0),
            )?,
            Input::Items => self.db.query_row(
                &format!(
                    "SELECT count(*) FROM item t JOIN collection c ON c.collection_id = t.collection_id \
                     WHERE c.name = ?2 AND {undone} t.item_id)"
                ),
                params![self.collection_id, self.source],
                |row| row.get(0),
            )?,
        };
        Ok(count)
    }

    /// Looks at all records anew from here on; what has failed, twice now, is left alone.
    pub fn again(&mut self) {
        self.reached = 0;
        self.with_failed = false;
    }

    /// Whether the mark of this answer is lasting.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn is_marked(&self, record: i64, version: i64) -> Result<bool> {
        Ok(self
            .db
            .prepare_cached("SELECT 1 FROM processed WHERE collection_id = ?1 AND record = ?2 AND version = ?3")?
            .exists(params![self.collection_id, record, version])?)
    }
}

fn is_known(db: &Connection, collection: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM collection WHERE name = ?1")?.exists([collection])
}
