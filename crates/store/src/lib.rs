//! The crawl store: one SQLite file that is the whole crawl.
//!
//! - [`alike`]: pages that bring nothing new: near-duplicates, soft 404s, mirrors.
//! - `schema.sql`, `views.sql`: the tables, and the views that users are promised.
//! - [`migrations`]: brings a file of any earlier version to the present one.
//! - [`insert`]: everything that writes; for the writer process only.
//! - `statement`: rows on their way into a table; `outcomes`: how the store writes them.
//! - `pull`: what the supervisor asks of the writer.
//! - [`read`]: everything that reads, for every other process, on a read-only connection; [`life`] of one URL, and
//!   [`audit`] of all requests, are files of their own.
//! - [`collections`]: what rules were declared, with a view for each collection; [`items`]: what they
//!   find, in the page's transaction; [`drift`]: fields that are found less often than before;
//!   [`fill`]: how often each is found.
//! - [`diff`]: what differs between two runs.
//! - [`links`] held against what became of their targets; [`report`]: what is to be said of a whole site.
//! - [`backup`]: copies of a store; [`search`]: words in its pages, by an index beside it.
//! - [`tables`] that users are promised, with the types of their columns; [`rows`] of them, for exports; the [`guard`]
//!   of what users ask.
//! - `lookups`: indexes for those who ask.
//! - [`merge`]: stores put together, those of shards for instance.
//! - [`follow`]: by which rules URLs come in that pages name.
//! - [`health`]: the latest runs, for health checks.
//! - [`body`]: stored bodies, given back within bounds; `bodies`: which there are, by their hashes.
//! - `frontier`: the index of pending URLs.
//! - [`archive`]: answers as they came, for exports.
//! - [`processed`]: which records the user's programs have had.
//! - [`reextract`]: rules applied again to stored pages.
//! - `door`: whether somebody has put something in a store that does not belong there.
//! - [`told`]: whether anybody has seen how the last run ended; [`beginning`]: what the next crawl does.
//! - [`examples`]: what went wrong in a run, by example.
//! - [`retry`]: URLs become pending again, before a crawl; [`revisit`]: when pages are due again.
//! - `past`: what becomes of a page when its URL is fetched again; [`versions`]: how many bodies of a page are kept;
//!   [`requests`]: how long requests are.
//!
//! A file is opened for writing only while its lock is held (see `lock` of the Unix crate).

#![forbid(unsafe_code)]

pub mod alike;
pub mod archive;
pub mod audit;
pub mod backup;
pub mod beginning;
mod bodies;
pub mod body;
pub mod collections;
pub mod diff;
mod door;
pub mod drift;
pub mod examples;
pub mod fill;
pub mod follow;
mod frontier;
pub mod guard;
pub mod health;
pub mod insert;
pub mod items;
pub mod life;
pub mod links;
mod lookups;
pub mod merge;
pub mod migrations;
pub mod order;
mod outcomes;
mod past;
pub mod processed;
mod pull;
pub mod read;
pub mod reextract;
pub mod report;
pub mod requests;
pub mod retry;
pub mod revisit;
pub mod rows;
pub mod search;
mod statement;
pub mod tables;
pub mod told;
pub mod versions;

#[cfg(test)]
pub(crate) mod plans;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use seine_core::protocol::HostId;

/// Has SQLite keep its temporary files in `folder`, whatever the connection, for the rest of this process. Best effort: a
/// folder that cannot be named in SQL or written to is passed over.
pub fn sort_in(folder: &Path) {
    if let (Some(folder), Ok(any)) = (folder.to_str(), Connection::open_in_memory()) {
        let _ = any.pragma_update(None, "temp_store_directory", folder);
    }
}

/// Marks a SQLite file as a crawl store (`PRAGMA application_id`).
const APPLICATION_ID: i32 = 0x5e1e_0001;

/// Earlier versions can lose committed writes when two connections checkpoint at once
/// (<https://sqlite.org/wal.html>, "the WAL-reset bug").
const OLDEST_SQLITE: i32 = 3_051_003;

/// Size of a database page of new stores.
const PAGE_BYTES: i64 = 4096;

/// The write-ahead log is copied into the file when it has grown to this.
pub const WAL_BYTES: i64 = 64 << 20;

/// Pages that are kept at hand, in KiB, unless a crawl says otherwise.
const CACHE_KIB: i64 = 64 * 1024;

/// The host of URLs that have none: texts that are no URL.
const NO_HOST: HostId = 0;

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
    /// Made by an earlier version; whoever opens it for writing brings it up to date.
    #[error(
        "{path} has store version {found}, this program reads {known}; `seine crawl --db {path}` brings it up to date"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: usize,
        /// The one needed.
        known: usize,
    },
    /// Nothing there.
    #[error("no crawl store at {0}; `seine crawl` makes one")]
    Missing(PathBuf),
    /// It has no tables, since they lie in a log that is not there, or since it was never finished.
    #[error(
        "{path} has no tables: it was copied without {path}-wal while a crawl was at work on it, or its making was cut \
         short; copy both files, or let `seine export` or SQLite's .backup make the copy"
    )]
    NoTables {
        /// The file.
        path: PathBuf,
    },
    /// Something in it is not what this program makes.
    #[error(
        "{path} has the {kind} {name:?}, which no crawl makes and which could do harm; the store is left untouched. If you \
         trust whoever made it, DROP it with sqlite3"
    )]
    Tampered {
        /// The file.
        path: PathBuf,
        /// Trigger, view or table.
        kind: String,
        /// Its name.
        name: String,
    },
    /// A collection cannot have its view.
    #[error("the name {0:?} is taken by a table or view of the store; give the collection another name")]
    NameTaken(String),
    /// The disk does not take it.
    #[error("cannot write {0} to disk")]
    Sync(PathBuf, #[source] std::io::Error),
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
    // Looked at before SQLite opens it: even closing a connection can write to a file that is not ours.
    let fresh = std::fs::metadata(path).map(|meta| meta.len() == 0).unwrap_or(true);
    if !fresh {
        check_header(path)?;
    }
    // One thread has the connection: SQLite's own locks would lock out nobody.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut db = connect(path, flags)?;
    // Asked of SQLite: a store whose making was cut short has a first page until its journal takes it back.
    if db.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0))? == 0 {
        // Each of these is a transaction. Nothing is lost with them, so the disk is waited for once, at their end.
        db.pragma_update(None, "synchronous", "off")?;
        db.pragma_update(None, "page_size", PAGE_BYTES)?;
        db.pragma_update(None, "application_id", APPLICATION_ID)?;
        db.pragma_update(None, "journal_mode", "wal")?;
        std::fs::File::open(path)
            .and_then(|file| file.sync_all())
            .map_err(|error| StoreError::Sync(path.into(), error))?;
    } else {
        let version = check_version(&db, path)?;
        door::check(&db, path, version)?;
        db.pragma_update(None, "journal_mode", "wal")?;
    }
    // A killed process loses nothing committed; a power cut may undo the last commits, whose URLs are then pending.
    db.pragma_update(None, "synchronous", "normal")?;
    // Pages are written again and again while they fill up; the more of that stays in the log, the less reaches the
    // file. Past the limit the log starts anew, readers permitting (see `Store::bound_wal`).
    db.pragma_update(None, "wal_autocheckpoint", WAL_BYTES / PAGE_BYTES)?;
    db.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.pragma_update(None, "temp_store", "memory")?;
    // Rows are only ever written together, and checking references would scan tables that need no index otherwise.
    db.pragma_update(None, "foreign_keys", false)?;
    db.set_prepared_statement_cache_capacity(64);
    migrations::migrate(&mut db, path)?;
    forget_statistics(&db)?;
    frontier::tidy(&db)?;
    Ok(db)
}

/// Removes what `ANALYZE` or an earlier version of this program has noted of the tables.
///
/// Statistics are those of a moment, and not of all tables: a store that grows, or a table without an index, of which
/// SQLite notes nothing, has made the planner sort all that is left for each row. Our statements say in which order they
/// read; without statistics those of users have the same plans in every store, too.
fn forget_statistics(db: &Connection) -> Result<(), StoreError> {
    if !db.prepare("SELECT 1 FROM sqlite_schema WHERE name LIKE 'sqlite\\_stat_' ESCAPE '\\'")?.exists([])? {
        return Ok(());
    }
    // SQLite keeps statistics with the schema, so it has to read that again.
    db.execute_batch(
        "BEGIN IMMEDIATE; DROP TABLE IF EXISTS sqlite_stat1; DROP TABLE IF EXISTS sqlite_stat4; COMMIT;
         PRAGMA writable_schema = RESET",
    )?;
    Ok(())
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
    check_header(path)?;
    let db = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    match check_readable(&db, path) {
        // On a read-only file system the log's files cannot be made; a store at rest does without them.
        Err(StoreError::Sqlite(error))
            if matches!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
                && !wal_of(path).exists() =>
        {
            open_immutable(path)
        }
        checked => checked.map(|()| db),
    }
}

/// Opens the store at `path`, of which the caller holds the lock and no writer is left, for reading.
///
/// An ordinary read-only connection would lay the log's files anew and could not take them away again.
///
/// # Errors
/// [`StoreError`]
pub fn open_at_rest(path: &Path) -> Result<Connection, StoreError> {
    if wal_of(path).exists() {
        // Some reader kept the writer from tidying up; what it reads from is needed here too.
        return open_for_reading(path);
    }
    check_header(path)?;
    open_immutable(path)
}

/// A connection as all are that see a store.
#[cfg_attr(not(test), allow(unused_mut, reason = "tests watch it"))]
fn connect(path: impl AsRef<Path>, flags: OpenFlags) -> Result<Connection, StoreError> {
    let path = path.as_ref();
    // SQLite takes a name that begins so for a URI, whatever the flags say.
    let is_meant = flags.contains(OpenFlags::SQLITE_OPEN_URI) || !path.as_os_str().as_bytes().starts_with(b"file:");
    let path = if is_meant { path.to_owned() } else { Path::new(".").join(path) };
    let mut db = Connection::open_with_flags(path, flags)?;
    // Without it a statement is compiled again whenever a value in its WHERE changes, in case another plan would be better.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    #[cfg(test)]
    plans::watch(&mut db);
    Ok(db)
}

fn open_immutable(path: &Path) -> Result<Connection, StoreError> {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => uri.push(byte.into()),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    let db = connect(uri, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)?;
    check_readable(&db, path)?;
    Ok(db)
}

fn wal_of(path: &Path) -> PathBuf {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    wal.into()
}

/// Whether the file is a crawl store, by its first bytes (<https://sqlite.org/fileformat.html>, section 1.3).
fn check_header(path: &Path) -> Result<(), StoreError> {
    let foreign = |what: &str| Err(StoreError::Foreign(path.into(), what.into()));
    let mut header = [0; 100];
    match std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return foreign("not an SQLite file"),
        Err(error) => return foreign(&error.to_string()),
    }
    if !header.starts_with(b"SQLite format 3\0") {
        return foreign("not an SQLite file");
    }
    if header[68..72] != APPLICATION_ID.to_be_bytes() {
        return foreign("an SQLite file of another program");
    }
    Ok(())
}

/// As [`check_version`], and views and tables are those of this program.
fn check_readable(db: &Connection, path: &Path) -> Result<(), StoreError> {
    match check_version(db, path)? {
        // Of a store in the making the tables may still come.
        0 if std::fs::metadata(wal_of(path)).map_or(0, |log| log.len()) == 0 => {
            Err(StoreError::NoTables { path: path.into() })
        }
        found if found < migrations::VERSION => {
            Err(StoreError::Older { path: path.into(), found, known: migrations::VERSION })
        }
        found => door::check(db, path, found),
    }
}

fn check_version(db: &Connection, path: &Path) -> Result<usize, StoreError> {
    match migrations::version(db) {
        Ok(found) if found > migrations::VERSION => {
            Err(StoreError::Newer { path: path.into(), found, known: migrations::VERSION })
        }
        Err(StoreError::Sqlite(error))
            if matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)) =>
        {
            Err(StoreError::Foreign(path.into(), "a damaged SQLite file".into()))
        }
        other => other,
    }
}
