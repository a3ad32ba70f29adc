//! The index: a file with one FTS5 table, and what of each page it was made of.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use serde::Serialize;

use super::query::{self, QueryError};
use super::{PAGES_AT_ONCE, SHOWN, STAMPED, TEXTS};
use crate::{BUSY_TIMEOUT, StoreError};

/// Marks the file as an index, see `PRAGMA application_id`.
const INDEX_ID: i32 = 0x5e1e_0002;

/// Of how the index is laid out; one of another version is made anew.
const LAYOUT: i32 = 1;

/// How words are told apart: letters and digits of all scripts, whatever their accents and their case.
const WORDS: &str = "unicode61 remove_diacritics 2";

/// Words of a snippet.
const SNIPPET_WORDS: u32 = 24;

/// Around a word that was found, in a snippet.
pub const MARKS: [char; 2] = ['\u{2}', '\u{3}'];

/// Why nothing can be looked for.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The words.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The file of the index is none.
    #[error("{0} is no search index; move it away, or remove it")]
    Foreign(PathBuf),
    /// It cannot be opened or written.
    #[error("cannot write the search index {0}")]
    Index(PathBuf, #[source] rusqlite::Error),
}

impl From<rusqlite::Error> for SearchError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What bringing an index up to date came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Updated {
    /// Pages whose words were taken in, for the first time or again.
    pub taken: u64,
    /// Pages that are gone from the index, or have other words now.
    pub dropped: u64,
    /// Pages in it.
    pub pages: u64,
    /// Of these, pages whose main text is stored.
    pub with_text: u64,
}

/// A page that has the words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// Its URL.
    pub url: String,
    /// Its title.
    pub title: Option<String>,
    /// Some of its text around words that were found, each between [`MARKS`].
    pub snippet: String,
    /// How well it fits: the greater, the better.
    pub score: f64,
}

/// An index.
#[derive(Debug)]
pub struct Index {
    db: Connection,
    path: PathBuf,
}

/// The file of the index of the store `db`.
pub fn path_of(db: &Path) -> PathBuf {
    let mut name = db.as_os_str().to_owned();
    name.push(".search");
    name.into()
}

impl Index {
    /// Opens the index at `path`, making it if there is none, or anew.
    ///
    /// # Errors
    /// [`SearchError`]
    pub fn open(path: &Path, anew: bool) -> Result<Self, SearchError> {
        let failed = |error| SearchError::Index(path.into(), error);
        let db = Connection::open(path).map_err(failed)?;
        db.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        let is_of = |name: &str, wanted: i32| {
            db.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map(|found| found == wanted)
        };
        let objects = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
        let is_empty = match objects {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
                return Err(SearchError::Foreign(path.into()));
            }
            objects => objects.map_err(failed)? == 0,
        };
        if !is_empty && !is_of("application_id", INDEX_ID).map_err(failed)? {
            return Err(SearchError::Foreign(path.into()));
        }
        if is_empty || anew || !is_of("user_version", LAYOUT).map_err(failed)? {
            db.execute_batch(&format!(
                "BEGIN IMMEDIATE;
                 PRAGMA application_id = {INDEX_ID};
                 PRAGMA user_version = {LAYOUT};
                 DROP TABLE IF EXISTS words;
                 DROP TABLE IF EXISTS taken;
                 CREATE VIRTUAL TABLE words USING fts5(title, text, content = '', contentless_delete = 1, tokenize = '{WORDS}');
                 CREATE TABLE taken(url_id INTEGER PRIMARY KEY, stamp BLOB NOT NULL);
                 COMMIT"
            ))
            .map_err(failed)?;
        }
        Ok(Self { db, path: path.into() })
    }

    /// Brings it up to date with the store. `goes_on` is asked now and then; what was done before a no is kept.
    ///
    /// # Errors
    /// [`SearchError`]
    pub fn update(&mut self, store: &Connection, mut goes_on: impl FnMut() -> bool) -> Result<Updated, SearchError> {
        let path = self.path.clone();
        let failed = |error: rusqlite::Error| match StoreError::from(error) {
            StoreError::Sqlite(error) => SearchError::Index(path.clone(), error),
            full => full.into(),
        };
        let mut updated = Updated::default();
        let index = self.db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
        {
            let mut last = i64::MIN;
            let mut taken =
                index.prepare("SELECT url_id, stamp FROM taken WHERE url_id > ?1 AND url_id <= ?2").map_err(failed)?;
            let mut drop_words = index.prepare("DELETE FROM words WHERE rowid = ?1").map_err(failed)?;
            let mut drop_stamp = index.prepare("DELETE FROM taken WHERE url_id = ?1").map_err(failed)?;
            let mut put_words =
                index.prepare("INSERT INTO words(rowid, title, text) VALUES (?1, ?2, ?3)").map_err(failed)?;
            let mut put_stamp = index.prepare("INSERT INTO taken(url_id, stamp) VALUES (?1, ?2)").map_err(failed)?;
            let mut stamps = store.prepare(STAMPED)?;
            let mut texts = store.prepare(TEXTS)?;
            while goes_on() {
                let rows = stamps.query_map([last, PAGES_AT_ONCE], stamp)?;
                let found: Vec<(i64, Option<Vec<u8>>, bool)> = rows.collect::<Result<_, _>>()?;
                let is_last = (found.len() as i64) < PAGES_AT_ONCE;
                let end = if is_last { i64::MAX } else { found.last().map_or(i64::MAX, |(url_id, ..)| *url_id) };
                let rows = taken.query_map([last, end], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
                let mut had: HashMap<i64, Vec<u8>> = rows.collect::<Result<_, _>>().map_err(failed)?;
                for (url_id, stamp, has_text) in found {
                    let Some(stamp) = stamp else { continue };
                    updated.pages += 1;
                    updated.with_text += u64::from(has_text);
                    match had.remove(&url_id) {
                        Some(before) if before == stamp => continue,
                        Some(_) => {
                            updated.dropped += 1;
                            drop_words.execute([url_id]).map_err(failed)?;
                            drop_stamp.execute([url_id]).map_err(failed)?;
                        }
                        None => {}
                    }
                    type Texts = (Option<String>, Option<String>);
                    let (title, text): Texts = texts.query_row([url_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
                    put_words.execute(params![url_id, title, text]).map_err(failed)?;
                    put_stamp.execute(params![url_id, stamp]).map_err(failed)?;
                    updated.taken += 1;
                }
                for url_id in had.into_keys() {
                    updated.dropped += 1;
                    drop_words.execute([url_id]).map_err(failed)?;
                    drop_stamp.execute([url_id]).map_err(failed)?;
                }
                if is_last {
                    break;
                }
                last = end;
            }
        }
        index.commit().map_err(failed)?;
        Ok(updated)
    }

    /// The `limit` pages of the store that fit `words` best.
    ///
    /// # Errors
    /// [`SearchError`]
    pub fn find(&self, store: &Connection, words: &[String], limit: u32) -> Result<Vec<Hit>, SearchError> {
        let query = query::of_words(words)?;
        let failed = |error| SearchError::Index(self.path.clone(), error);
        // A word in the title counts for five in the text.
        let sql = "SELECT rowid, -bm25(words, 5.0, 1.0) FROM words WHERE words MATCH ?1 ORDER BY 2 DESC, 1 LIMIT ?2";
        let mut select = self.db.prepare(sql).map_err(failed)?;
        let rows = select.query_map(params![query, limit], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
        let found: Vec<(i64, f64)> = rows.collect::<Result<_, _>>().map_err(failed)?;
        // FTS5 makes snippets of texts that it has: of those that are shown, in memory.
        let shown = Connection::open_in_memory()?;
        shown.execute_batch(&format!("CREATE VIRTUAL TABLE words USING fts5(title, text, tokenize = '{WORDS}')"))?;
        let mut texts = store.prepare(SHOWN)?;
        let mut hits = Vec::new();
        for (url_id, score) in found {
            type Texts = (String, Option<String>, String);
            let texts = texts.query_row([url_id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
            let Some((url, title, text)): Option<Texts> = texts else { continue };
            shown.execute("INSERT INTO words(rowid, title, text) VALUES (?1, ?2, ?3)", params![url_id, title, text])?;
            let sql = "SELECT snippet(words, 1, ?3, ?4, '…', ?5) FROM words WHERE words MATCH ?1 AND rowid = ?2";
            let [open, close] = MARKS.map(String::from);
            let snippet = shown.query_row(sql, params![query, url_id, open, close, SNIPPET_WORDS], |row| row.get(0));
            // A page that has changed since is shown without.
            hits.push(Hit { url, title, snippet: snippet.optional()?.unwrap_or_default(), score });
            shown.execute("DELETE FROM words WHERE rowid = ?1", [url_id])?;
        }
        Ok(hits)
    }
}

/// The page of a row of [`STAMPED`], its stamp, and whether its main text is stored.
fn stamp(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Option<Vec<u8>>, bool)> {
    let mut stamp = Vec::with_capacity(40);
    let mut lengths = [None; 3];
    for column in 1..6 {
        let value: Option<i64> = row.get(column)?;
        stamp.extend_from_slice(&value.unwrap_or(-1).to_le_bytes());
        if let Some(length) = column.checked_sub(3).and_then(|at| lengths.get_mut(at)) {
            *length = value;
        }
    }
    let has_words = lengths.iter().any(Option::is_some);
    Ok((row.get(0)?, has_words.then_some(stamp), lengths[1].is_some() || lengths[2].is_some()))
}
