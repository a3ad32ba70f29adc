//! Stores put together: `seine merge`.
//!
//! Run *n* of each store is run *n* of the merge. A URL is one by its host and key, and a fetch of it by its run and time: a
//! store that was merged before brings only what it has come to since, and a fetch that both sides know is there once.
//!
//! - `source`: a store that is read, as it was at one moment; nothing in it is believed that would do harm.
//! - `fetches`: all that is known of a URL's fetches, from both sides in one order.
//! - `urls`: URLs with their pages and what belongs to a page alone.
//! - `lines`: lists and their lines; those of shards go back to where they were.
//! - `others`: items, marks of processors, requests, robots.txt files: rows that refer to URLs.
//! - `runs`: runs, and what they count.
//!
//! All is one transaction. The caller holds the lock of the store that is written.

mod fetches;
mod lines;
mod others;
mod runs;
mod source;
mod urls;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, params};
use serde::Serialize;

use super::bodies::Bodies;
use super::{APPLICATION_ID, StoreError, migrations, told};
use runs::Counts;
use seine_core::record::Outcome;
pub use source::Source;

/// Why stores cannot be merged. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The store that is written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One that is read cannot be opened.
    #[error("cannot merge {path}")]
    Source {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: StoreError,
    },
    /// One that is read has what no crawl writes.
    #[error("cannot merge {path}: it is damaged, or no crawl has made it: {what}")]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Two stores have fetched a URL in the same run: they are no shards of one crawl.
    #[error(
        "{url} was fetched in run {run_id} by both {first} and {second}; shards of one crawl have no URL in common, so one \
         of them does not belong here"
    )]
    Twice {
        /// What was fetched.
        url: String,
        /// In which run.
        run_id: i64,
        /// The store that came first; the merge itself if it has the fetch from an earlier time.
        first: PathBuf,
        /// The one after it.
        second: PathBuf,
    },
    /// The caller has had enough.
    #[error("stopped; nothing has changed")]
    Stopped,
}

impl From<rusqlite::Error> for MergeError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

type Result<T, E = MergeError> = std::result::Result<T, E>;

/// What a store has brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Brought {
    /// The store.
    pub store: PathBuf,
    /// URLs that were not there.
    pub urls: u64,
    /// Fetches that were not there, each URL's outcome in a run.
    pub fetches: u64,
    /// Lines of lists.
    pub lines: u64,
    /// Items that are new or say something else.
    pub items: u64,
    /// Requests.
    pub requests: u64,
    /// Bodies that nobody had brought before.
    pub bodies: u64,
    /// Their compressed bytes.
    pub bytes: u64,
    /// Bodies that are not what their hash says; their pages are kept without them.
    pub damaged_bodies: u64,
    /// URLs of it that are still pending.
    pub pending: u64,
}

/// How far a merge has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Stores that are done.
    pub stores: usize,
    /// URLs of the present one that are done.
    pub urls: u64,
}

/// Steps between two looks of the caller's.
const ROWS_BETWEEN_LOOKS: u64 = 256;

/// A merge in its transaction.
struct Merge<'m> {
    db: &'m Transaction<'m>,
    /// Where the store lies that is written.
    path: &'m Path,
    /// All that are merged.
    sources: &'m [PathBuf],
    bodies: Bodies,
    counts: Counts,
    /// The last run before the merge.
    first_last_run: i64,
    /// Hosts, bodies and collections of the present source, by its ids.
    hosts: HashMap<i64, i64>,
    body_ids: HashMap<i64, i64>,
    collections: HashMap<i64, i64>,
    /// Names of its lists.
    lists: HashMap<i64, String>,
    /// Lists by their names.
    files: HashMap<String, i64>,
    /// Only pending URLs of these hosts are taken; `None`: all there is.
    wanted: Option<&'m dyn Fn(&str) -> bool>,
    look: &'m mut dyn FnMut(Progress) -> bool,
    progress: Progress,
    rows: u64,
}

/// Merges the stores at `sources` into `db`, which lies at `path` for its readers, in this order; all or nothing. `look` is
/// told how far it has come, and says whether to go on.
///
/// # Errors
/// [`MergeError`]
pub fn merge(
    db: &mut Connection,
    path: &Path,
    sources: &[PathBuf],
    look: &mut dyn FnMut(Progress) -> bool,
) -> Result<Vec<Brought>> {
    taken(db, path, sources, None, look)
}

/// Puts what is pending of the store at `source` into `db`, a new store, as far as its hosts are `wanted`, with all that is
/// known of it: a crawl of it goes on as that of the source would. Merged into the source, it is the work of that one.
///
/// # Errors
/// [`MergeError`]
pub fn split(
    db: &mut Connection,
    path: &Path,
    source: &Path,
    wanted: &dyn Fn(&str) -> bool,
    look: &mut dyn FnMut(Progress) -> bool,
) -> Result<Brought> {
    let brought = taken(db, path, std::slice::from_ref(&source.to_owned()), Some(wanted), look)?;
    Ok(brought.into_iter().next().unwrap_or_default())
}

fn taken(
    db: &mut Connection,
    path: &Path,
    sources: &[PathBuf],
    wanted: Option<&dyn Fn(&str) -> bool>,
    look: &mut dyn FnMut(Progress) -> bool,
) -> Result<Vec<Brought>> {
    // What has become of which id shall not be in memory, however many there are.
    db.pragma_update(None, "temp_store", "file")?;
    let transaction = db.transaction()?;
    let mut merge = Merge {
        db: &transaction,
        path,
        sources,
        bodies: Bodies::default(),
        counts: Counts::default(),
        first_last_run: transaction.query_row("SELECT coalesce(max(run_id), 0) FROM run", [], |row| row.get(0))?,
        hosts: HashMap::new(),
        body_ids: HashMap::new(),
        collections: HashMap::new(),
        lists: HashMap::new(),
        files: HashMap::new(),
        wanted,
        look,
        progress: Progress { stores: 0, urls: 0 },
        rows: 0,
    };
    transaction.execute_batch(
        "CREATE TEMP TABLE moved_url(source_id INTEGER PRIMARY KEY, url_id INTEGER NOT NULL, is_new INTEGER NOT NULL, \
                                     is_taken INTEGER NOT NULL);
         CREATE TEMP TABLE moved_item(source_id INTEGER PRIMARY KEY, item_id INTEGER NOT NULL);
         CREATE TEMP TABLE known_gone(url_id INTEGER NOT NULL, collection_id INTEGER NOT NULL, number INTEGER NOT NULL, \
                                      gone_by INTEGER NOT NULL, PRIMARY KEY(url_id, collection_id, number, gone_by)) WITHOUT ROWID;
         INSERT OR IGNORE INTO temp.known_gone SELECT url_id, collection_id, number, gone_by FROM gone_item",
    )?;
    let mut brought = Vec::with_capacity(sources.len());
    for source in sources {
        brought.push(merge.take(source).map_err(|error| of_source(error, source))?);
        merge.progress = Progress { stores: merge.progress.stores + 1, urls: 0 };
        merge.say()?;
    }
    merge.finish()?;
    transaction.execute_batch("DROP TABLE temp.moved_url; DROP TABLE temp.moved_item; DROP TABLE temp.known_gone")?;
    transaction.commit()?;
    db.pragma_update(None, "temp_store", "memory")?;
    Ok(brought)
}

/// What the tables do not take is nothing that a crawl writes.
fn of_source(error: MergeError, source: &Path) -> MergeError {
    match error {
        MergeError::Store(StoreError::Sqlite(error))
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) =>
        {
            MergeError::Damaged { path: source.to_owned(), what: error.to_string() }
        }
        other => other,
    }
}

/// Makes a new store at `path`, an empty file, for a merge that nobody sees before it is renamed: it has no log, and a kill
/// costs the file.
///
/// # Errors
/// [`StoreError`]
pub fn fresh(path: &Path) -> Result<Connection, StoreError> {
    use rusqlite::OpenFlags;
    let mut db = super::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.pragma_update(None, "synchronous", "off")?;
    db.pragma_update(None, "page_size", super::PAGE_BYTES)?;
    db.pragma_update(None, "application_id", APPLICATION_ID)?;
    db.pragma_update(None, "journal_mode", "off")?;
    db.pragma_update(None, "cache_size", -super::CACHE_KIB)?;
    db.pragma_update(None, "foreign_keys", false)?;
    db.set_prepared_statement_cache_capacity(128);
    migrations::migrate(&mut db, path)?;
    Ok(db)
}

/// Ends what [`fresh`] has begun: the file is a store like any other, and on disk.
///
/// # Errors
/// [`StoreError`]
pub fn finish_fresh(db: Connection, path: &Path) -> Result<(), StoreError> {
    db.pragma_update(None, "journal_mode", "wal")?;
    db.close().map_err(|(_, error)| error)?;
    let file = std::fs::File::open(path).and_then(|file| file.sync_all());
    file.map_err(|error| StoreError::Sync(path.into(), error))
}

impl Merge<'_> {
    /// Takes all that a store has.
    fn take(&mut self, path: &Path) -> Result<Brought> {
        self.db.execute_batch("DELETE FROM temp.moved_url; DELETE FROM temp.moved_item")?;
        let source = Source::open(path)?;
        self.hosts.clear();
        self.body_ids.clear();
        let mut brought = Brought { store: path.to_owned(), ..Brought::default() };
        self.take_runs(&source)?;
        self.take_collections(&source)?;
        self.take_lists(&source)?;
        self.take_urls(&source, &mut brought)?;
        self.take_lines(&source, &mut brought)?;
        self.take_references(&source)?;
        self.take_items(&source, &mut brought)?;
        self.take_requests(&source, &mut brought)?;
        self.take_robots(&source)?;
        self.take_rules(&source)?;
        self.write_counts()?;
        Ok(brought)
    }

    /// What is said of the whole when all is there.
    fn finish(&mut self) -> Result<()> {
        self.end_runs()?;
        // Spent budgets are counted anew by the next crawl that has some.
        self.db.execute_batch(
            "DELETE FROM spent;
             CREATE INDEX IF NOT EXISTS \"lookup.url\" ON url(url);
             CREATE INDEX IF NOT EXISTS \"lookup.request\" ON request(url_id)",
        )?;
        let last = self.db.query_row("SELECT coalesce(max(run_id), 0) FROM run", [], |row| row.get(0))?;
        // Whoever merges knows how the runs have ended.
        told::set(self.db, last)?;
        Ok(())
    }

    /// A row is done; from time to time the caller has a look.
    fn row(&mut self) -> Result<()> {
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_BETWEEN_LOOKS) { self.say() } else { Ok(()) }
    }

    fn say(&mut self) -> Result<()> {
        if (self.look)(self.progress) { Ok(()) } else { Err(MergeError::Stopped) }
    }

    /// What has become of a URL of the present store.
    fn moved(&self, source_id: i64) -> Result<Option<Moved>> {
        use rusqlite::OptionalExtension;
        let sql = "SELECT url_id, is_new, is_taken FROM temp.moved_url WHERE source_id = ?1";
        let moved = self.db.prepare_cached(sql)?.query_row([source_id], |row| {
            Ok(Moved { url_id: row.get(0)?, is_new: row.get(1)?, is_taken: row.get(2)? })
        });
        Ok(moved.optional()?)
    }

    fn note_moved(&self, source_id: i64, moved: Moved) -> Result<()> {
        let sql = "INSERT INTO temp.moved_url(source_id, url_id, is_new, is_taken) VALUES (?1, ?2, ?3, ?4)";
        self.db.prepare_cached(sql)?.execute(params![source_id, moved.url_id, moved.is_new, moved.is_taken])?;
        Ok(())
    }
}

/// A URL of a source in the merge.
#[derive(Clone, Copy, Debug)]
struct Moved {
    url_id: i64,
    /// It was not there before.
    is_new: bool,
    /// What the merge says of its page is what this source says.
    is_taken: bool,
}

/// Whether a URL with this outcome was asked for.
fn is_fetch(outcome: i64) -> bool {
    [Outcome::Ok, Outcome::HttpError, Outcome::Failed, Outcome::Quarantined].iter().any(|o| *o as i64 == outcome)
}

#[cfg(test)]
mod tests;
