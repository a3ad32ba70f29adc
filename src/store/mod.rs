//! The crawl store: one SQLite file that is the whole crawl.
//!
//! - `schema.sql`, `views.sql`: the tables, and the views that users are promised.
//! - [`migrations`]: brings a file of any earlier version to the present one.
//! - [`insert`]: everything that writes; for the writer process only.
//! - [`read`]: everything that reads, for every other process, on a read-only connection.
//!
//! A file is opened for writing only while its lock is held (see [`crate::process::lock`]).

pub mod insert;
pub mod migrations;
pub mod read;

#[cfg(test)]
mod tests;

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

/// Marks a SQLite file as a crawl store (`PRAGMA application_id`).
const APPLICATION_ID: i32 = 0x5e1e_0001;

/// Earlier versions can lose committed writes when two connections checkpoint at once
/// (<https://sqlite.org/wal.html>, "the WAL-reset bug").
const OLDEST_SQLITE: i32 = 3_051_003;

/// Size of a database page of new stores.
const PAGE_BYTES: i64 = 4096;

/// The write-ahead log is copied into the file when it has grown to this.
pub const WAL_BYTES: i64 = 64 << 20;

/// Pages the writer may keep at hand, in KiB. The index of a million URLs fits; a transaction that outgrows it is
/// slower, not wrong.
const CACHE_KIB: i64 = 64 * 1024;

/// A reader or checkpoint waits this long for another connection.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not made by this program.
    #[error("{0} is not a crawl store ({1}); it is left untouched, choose another file with --db")]
    Foreign(PathBuf, String),
    /// Made by a later version.
    #[error("{path} has store version {found}, this program knows {known}; use the newer seine that made it")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The latest known.
        known: usize,
    },
    /// Nothing there.
    #[error("no crawl store at {0}; `seine crawl` makes one")]
    Missing(PathBuf),
    /// The file system has no room.
    #[error("no room on disk: {0}")]
    Full(String),
    /// The linked library is too old to be trusted with the data.
    #[error("SQLite {0} can lose committed writes; 3.51.3 or later is needed")]
    OldLibrary(&'static str),
    /// Anything else SQLite reports.
    #[error(transparent)]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        if is_full(&error) { Self::Full(error.to_string()) } else { Self::Sqlite(error) }
    }
}

/// Whether `error` says that the file system has no room. Extending the shared-memory file of the WAL reports it
/// as an I/O error of its own, and so do quotas.
fn is_full(error: &rusqlite::Error) -> bool {
    let Some(code) = error.sqlite_error() else { return false };
    code.code == ErrorCode::DiskFull
        || matches!(code.extended_code, rusqlite::ffi::SQLITE_IOERR_SHMSIZE | rusqlite::ffi::SQLITE_IOERR_WRITE)
}

/// Opens the store at `path` for writing, making it if the file is empty. The caller holds its lock.
///
/// # Errors
/// [`StoreError`]; a file that is not ours is never written to.
pub fn open_for_writing(path: &Path) -> Result<Connection, StoreError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(StoreError::OldLibrary(rusqlite::version()));
    }
    let fresh = std::fs::metadata(path).map(|m| m.len() == 0).unwrap_or(true);
    let mut db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    if fresh {
        db.pragma_update(None, "page_size", PAGE_BYTES)?;
        db.pragma_update(None, "application_id", APPLICATION_ID)?;
    } else {
        check_identity(&db, path)?;
    }
    db.pragma_update(None, "journal_mode", "wal")?;
    // A killed process loses nothing committed; a power cut may undo the last commits, whose URLs are then pending.
    db.pragma_update(None, "synchronous", "normal")?;
    // Pages are written again and again while they fill up; the more of that stays in the log, the less reaches the
    // file. Past the limit the log starts anew, readers permitting (see `Store::bound_wal`).
    db.pragma_update(None, "wal_autocheckpoint", WAL_BYTES / PAGE_BYTES)?;
    db.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.pragma_update(None, "temp_store", "memory")?;
    db.set_prepared_statement_cache_capacity(64);
    migrations::migrate(&mut db, path)?;
    Ok(db)
}

/// Opens the store at `path` for reading, beside a running crawl or not.
///
/// # Errors
/// [`StoreError`]
pub fn open_for_reading(path: &Path) -> Result<Connection, StoreError> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_file() && meta.len() > 0 => {}
        Ok(meta) if !meta.is_file() => return Err(StoreError::Foreign(path.into(), "not a file".into())),
        _ => return Err(StoreError::Missing(path.into())),
    }
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    check_identity(&db, path)?;
    Ok(db)
}

/// Opens the store at `path`, of which the caller holds the lock and no writer is left, for reading.
///
/// A read-only connection would lay the log's files anew and could not take them away again.
///
/// # Errors
/// [`StoreError`]
pub fn open_at_rest(path: &Path) -> Result<Connection, StoreError> {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    if Path::new(&wal).exists() {
        // Some reader kept the writer from tidying up; what it reads from is needed here too.
        return open_for_reading(path);
    }
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => uri.push(byte.into()),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let db = Connection::open_with_flags(uri, flags)?;
    check_identity(&db, path)?;
    Ok(db)
}

fn check_identity(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let id = db.query_row("PRAGMA application_id", [], |row| row.get::<_, i32>(0)).map_err(|error| {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::Foreign(path.into(), "not an SQLite file".into()),
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Foreign(path.into(), "a damaged SQLite file".into()),
            _ => error.into(),
        }
    })?;
    if id != APPLICATION_ID {
        return Err(StoreError::Foreign(path.into(), "an SQLite file of another program".into()));
    }
    let found = migrations::version(db)?;
    if found > migrations::VERSION {
        return Err(StoreError::Newer { path: path.into(), found, known: migrations::VERSION });
    }
    Ok(())
}
