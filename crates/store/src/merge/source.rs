//! A store that is read for a merge: one snapshot of it, with types that are checked.

use std::path::{Path, PathBuf};

use rusqlite::types::{Type, Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row};

use super::{MergeError, Result};
use crate::{StoreError, body, open_for_reading};

/// Ids that are kept at hand; past it they are looked up again.
pub(super) const AT_HAND: usize = 100_000;

/// No crawl stores larger bodies (`--max-body`); what says so is not unpacked.
const LARGEST_BODY: u64 = 2 << 30;

/// A store that is read.
pub struct Source {
    pub(super) db: Connection,
    pub(super) path: PathBuf,
    /// Some of its pages have been fetched more than once.
    pub(super) has_past: bool,
    pub(super) last_run: i64,
}

/// A body as the store has it.
pub(super) struct Body {
    pub hash: [u8; 32],
    pub bytes: u64,
}

impl Source {
    /// Opens the store at `path` as it is now; what a crawl adds meanwhile is not seen.
    ///
    /// # Errors
    /// [`MergeError::Source`]
    pub fn open(path: &Path) -> Result<Self> {
        Self::opened(path).map_err(|source| MergeError::Source { path: path.to_owned(), source })
    }

    fn opened(path: &Path) -> Result<Self, StoreError> {
        let db = open_for_reading(path)?;
        db.set_prepared_statement_cache_capacity(64);
        // What its schema calls is called by no friend.
        db.pragma_update(None, "trusted_schema", false)?;
        db.execute_batch("BEGIN")?;
        let has_past =
            db.query_row("SELECT EXISTS (SELECT 1 FROM past_page) OR EXISTS (SELECT 1 FROM same_fetch)", [], |row| {
                row.get(0)
            })?;
        let last_run = db.query_row("SELECT coalesce(max(run_id), 0) FROM run", [], |row| row.get(0))?;
        Ok(Self { db, path: path.to_owned(), has_past, last_run })
    }

    /// An error of reading it, by its name.
    pub(super) fn error(&self, error: rusqlite::Error) -> MergeError {
        use rusqlite::Error as E;
        match error {
            E::InvalidColumnType(..)
            | E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::QueryReturnedNoRows
            | E::Utf8Error(..) => self.damaged(&error.to_string()),
            other => MergeError::Source { path: self.path.clone(), source: other.into() },
        }
    }

    pub(super) fn damaged(&self, what: &str) -> MergeError {
        MergeError::Damaged { path: self.path.clone(), what: what.to_owned() }
    }

    /// Runs `read` with each row of a query.
    pub(super) fn each(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        mut read: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut select = self.db.prepare_cached(sql).map_err(|error| self.error(error))?;
        let mut rows = select.query(parameters).map_err(|error| self.error(error))?;
        while let Some(row) = rows.next().map_err(|error| self.error(error))? {
            read(row)?;
        }
        Ok(())
    }

    /// The row of a query, if there is one.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        let found = self.db.prepare_cached(sql).and_then(|mut select| select.query_row(parameters, read).optional());
        found.map_err(|error| self.error(error))
    }

    /// A column of a row.
    pub(super) fn get<T: rusqlite::types::FromSql>(&self, row: &Row<'_>, column: usize) -> Result<T> {
        row.get(column).map_err(|error| self.error(error))
    }

    /// The columns from `first` on, as they are, each of the kind that it is to have or NULL.
    pub(super) fn values(&self, row: &Row<'_>, first: usize, kinds: &[Type]) -> Result<Vec<Value>> {
        let value = |(at, kind): (usize, &Type)| {
            let value = row.get_ref(first + at).map_err(|error| self.error(error))?;
            if !matches!(value, ValueRef::Null) && value.data_type() != *kind {
                let name = row.as_ref().column_name(first + at).unwrap_or_default().to_owned();
                return Err(self.damaged(&format!("the column {name} is {}", value.data_type())));
            }
            Value::try_from(value).map_err(|error| self.damaged(&error.to_string()))
        };
        kinds.iter().enumerate().map(value).collect()
    }

    /// The hash of a body.
    pub(super) fn body(&self, body_id: i64) -> Result<Option<Body>> {
        self.one("SELECT hash, bytes FROM body WHERE body_id = ?1", [body_id], |row| {
            Ok(Body { hash: row.get(0)?, bytes: row.get(1)? })
        })
    }

    /// Its compressed bytes, if it was kept and is what its hash says; an error says that it is not.
    pub(super) fn packed(&self, body_id: i64, told: &Body) -> Result<std::result::Result<Option<Vec<u8>>, ()>> {
        let packed: Option<Option<Vec<u8>>> =
            self.one("SELECT zstd FROM body WHERE body_id = ?1", [body_id], |row| row.get(0))?;
        let Some(packed) = packed.flatten() else { return Ok(Ok(None)) };
        let mut hasher = blake3::Hasher::new();
        let is_whole = told.bytes <= LARGEST_BODY && body::unpack_into(&packed, told.bytes, &mut hasher).is_ok();
        Ok(if is_whole && hasher.finalize() == told.hash { Ok(Some(packed)) } else { Err(()) })
    }
}
