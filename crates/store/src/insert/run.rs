//! A run from the opening of its store to the closing.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, params};

use super::{Change, Counts, Growth, Result, Store, epoch_ms};
use crate::alike;
use crate::bodies::Bodies;
use crate::follow::Follow;
use crate::frontier::Ended;
use crate::items::Collections;
use crate::lookups::Lookups;
use crate::order::Order;
use crate::outcomes::{self, OutcomeCounts};
use crate::revisit::Revisit;
use crate::statement::insert;
use crate::versions::{self, Keep};
use crate::{StoreError, collections, frontier, requests, told};
use seine_core::protocol::{EndedBy, Ready};
use seine_core::record::items::Collection;

/// How long readers are waited for when the write-ahead log is to be emptied.
const WAL_PATIENCE: Duration = Duration::from_millis(500);

/// How long bodies that nobody refers to are removed at the end of a run: the user waits for that end.
const SWEEP_TIME: Duration = Duration::from_secs(20);

/// How long requests of old runs are forgotten then, likewise.
const FORGET_TIME: Duration = Duration::from_secs(20);

/// Comparing pages takes no longer. With all else that an end does it stays below the two minutes after which a writer is taken
/// for dead.
const COMPARE_TIME: Duration = Duration::from_secs(30);

/// URLs of a store in which pages are compared before a user who has asked for the end sees it: half a second at most.
const COMPARED_AT_ONCE: u64 = 200_000;

/// A URL list as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListFile {
    /// As given on the command line; `-` for standard input.
    pub name: String,
    /// Changes whenever the file does; `None` for streams.
    pub fingerprint: Option<String>,
}

/// The invocation that opens a store.
#[derive(Clone, Debug)]
pub struct Session {
    /// Pid of the supervisor.
    pub pid: u32,
    /// Resolved configuration as JSON, without secrets.
    pub config: String,
    /// The lists of this run.
    pub lists: Vec<ListFile>,
    /// The collections of its rules.
    pub collections: Vec<Collection>,
    /// Those of its processors' answers.
    pub processors: Vec<Collection>,
    /// Which URLs of its lists are fetched again that earlier runs have fetched.
    pub again: Again,
    /// How many versions of a page keep their bodies.
    pub keep: Keep,
    /// At its end requests of runs are forgotten that were over before this time, in milliseconds of the Unix epoch.
    pub requests_since: u64,
    /// Hash of all that it reads and keeps of pages. A page read in another way is fetched whole, not only if it has changed.
    pub reading: [u8; 16],
    /// A complete run of which nobody has seen that it ended goes on too: to its end, at once.
    pub finishes_untold: bool,
    /// The rules by which URLs come into it that its lists do not name; `None`: none do.
    pub follow: Option<Arc<dyn Follow>>,
    /// The order in which the URLs of a host are asked for, and the budgets of what it finds; `None`: there are none.
    pub order: Option<Arc<dyn Order>>,
    /// It is the demo's, whose store is of no worth when it is over.
    pub is_demo: bool,
}

/// Which URLs of the lists are fetched again that an earlier run has fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// None: only what has no outcome yet.
    New,
    /// Those that ended in an error.
    Failed,
    /// Those that have changed before.
    Changed,
    /// Every one.
    All,
}

/// See [`Session::again`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// Of which kind.
    pub only: Only,
    /// Only those last fetched before this time, in milliseconds of the Unix epoch.
    pub fetched_before: u64,
    /// Only those that are due; `None`: all are.
    pub revisit: Option<Revisit>,
}

impl Store {
    /// Opens the store and the run: an unfinished one goes on, and one that nobody knows to be finished; otherwise a new
    /// one starts.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn open(path: &Path, session: &Session) -> Result<(Self, Ready)> {
        let mut db = crate::open_for_writing(path)?;
        let transaction = db.transaction()?;
        let now = epoch_ms();
        let begun = begin(&transaction, session, now)?;
        let mut counts = begun.counts;
        counts.pending = frontier::pending(&transaction)?;
        if session.follow.is_some() {
            counts.to_follow = transaction.query_row("SELECT count(*) FROM to_follow", [], |row| row.get(0))?;
        } else {
            // A crawl that follows nothing would wait for them in vain.
            transaction.execute("DELETE FROM to_follow", [])?;
        }
        let lists = session
            .lists
            .iter()
            .map(|list| known_list(&transaction, list, session.again.only, begun.run_id))
            .collect::<Result<Vec<_>>>()?;
        let has_past =
            transaction
                .query_row("SELECT EXISTS (SELECT 1 FROM run WHERE run_id < ?1)", [begun.run_id], |row| row.get(0))?;
        let collections = Collections::declare(&transaction, &session.collections, has_past)?;
        let processors = session
            .processors
            .iter()
            .map(|collection| collections::declare(&transaction, collection))
            .collect::<Result<_>>()?;
        let lookups = Lookups::of(&transaction)?;
        transaction.commit()?;
        let lists_known = lists.iter().map(|list| list.is_complete).collect();
        let mut store = Self {
            db,
            run_id: begun.run_id,
            reread: lists.iter().map(|list| list.has_lines).collect(),
            relisted: vec![false; lists.len()],
            lists: lists.iter().map(|list| list.file_id).zip(session.lists.iter().cloned()).collect(),
            opened: Instant::now(),
            counts,
            change: Change::default(),
            collections,
            reading: session.reading,
            again: session.again,
            keep: session.keep,
            requests_since: session.requests_since,
            follow: session.follow.clone(),
            order: session.order.clone(),
            roots: HashMap::new(),
            has_past,
            processors,
            host_ids: HashMap::new(),
            bodies: Bodies::default(),
            ended: Ended::default(),
            lookups,
            inserted_at: now,
            growth: Growth::default(),
        };
        store.transaction(|store| {
            if !begun.resumed || !store.ends_where_nothing_is_new() {
                alike::forget(&store.db)?;
            }
            store.lay_scope()
        })?;
        store.lay_order(!begun.resumed)?;
        let ready = Ready {
            pending: store.pending(),
            done: store.counts.outcomes,
            resumed: begun.resumed,
            untold: begun.untold,
            last_activity_at: begun.last_activity_at,
            lists_known,
        };
        Ok((store, ready))
    }

    /// Ends the run and leaves one tidy file. A run that found nothing to do leaves no row.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn end(mut self, ended_by: EndedBy) -> Result<()> {
        let idle =
            ended_by == EndedBy::Completed && self.counts.urls == 0 && self.counts.outcomes == OutcomeCounts::default();
        let now = epoch_ms();
        if ended_by == EndedBy::Completed {
            match versions::sweep(&mut self.db, SWEEP_TIME) {
                // Removing bodies needs some room first. They go another time.
                Err(StoreError::Full(_)) => {}
                swept => drop(swept?),
            }
            if !idle {
                match requests::forget(&mut self.db, self.run_id, self.requests_since, FORGET_TIME) {
                    Err(StoreError::Full(_)) => {}
                    forgotten => forgotten?,
                }
            }
        }
        if !idle && self.has_time_to_compare(ended_by)? {
            match alike::find(&mut self.db, &self.reading, COMPARE_TIME) {
                Ok(true) | Err(StoreError::Full(_)) => {}
                Ok(false) => tracing::warn!("pages are too many to be compared at the end of a run"),
                Err(error) => return Err(error),
            }
        }
        self.transaction(|store| {
            store.ended.leave(&store.db)?;
            if ended_by == EndedBy::Completed {
                store.forget_unseen()?;
            }
            if idle {
                store.db.execute("DELETE FROM run WHERE run_id = ?1", [store.run_id])?;
                // The next run will have this number.
                store.db.execute("UPDATE file SET read_in = NULL WHERE read_in = ?1", [store.run_id])?;
            } else {
                store.db.execute(
                    "UPDATE run SET ended_at = ?2, ended_by = ?3 WHERE run_id = ?1",
                    params![store.run_id, now, ended_by.name()],
                )?;
            }
            Ok(())
        })?;
        if ended_by == EndedBy::Completed {
            self.lookups.make(&mut self.db);
        }
        self.close();
        Ok(())
    }

    /// Whether pages are compared at an end like this: an endless site has no other than one that its user makes, who waits.
    fn has_time_to_compare(&self, ended_by: EndedBy) -> Result<bool> {
        let is_small = || {
            Ok(self.db.query_row("SELECT coalesce(sum(urls), 0) FROM total", [], |row| row.get::<_, u64>(0))?
                < COMPARED_AT_ONCE)
        };
        match ended_by {
            EndedBy::Completed | EndedBy::Limit | EndedBy::MaxWall | EndedBy::MaxBytes | EndedBy::HostLimit => Ok(true),
            EndedBy::Interrupted | EndedBy::Terminated | EndedBy::Outage => is_small(),
            EndedBy::DiskFull | EndedBy::MinFreeDisk | EndedBy::Failure => Ok(false),
        }
    }

    /// Closes the store and leaves the run open; the next crawl goes on with it.
    pub fn close(mut self) {
        // The last connection to leave empties and removes the log. With readers around it stays, so leave them none.
        self.empty_wal();
        let _ = self.db.close();
    }

    /// Keeps so many bytes of the store's pages at hand from now on. Best effort.
    pub fn keep_at_hand(&self, bytes: u64) {
        let kib = i64::try_from(bytes >> 10).unwrap_or(i64::MAX);
        let _ = self.db.pragma_update(None, "cache_size", -kib);
    }

    /// Bytes of the write-ahead log if they are more than `limit_bytes`, and whether it could be emptied.
    ///
    /// SQLite starts the log anew only when nobody reads from it. Readers that come and go never leave such a moment by
    /// themselves, so it is waited for: once all is copied into the file, new readers do without the log. A reader
    /// that stays in one transaction is waited for in vain.
    pub fn bound_wal(&mut self, path: &Path, limit_bytes: u64) -> Option<(u64, bool)> {
        let bytes = std::fs::metadata(crate::wal_of(path)).map_or(0, |meta| meta.len());
        (bytes > limit_bytes).then(|| (bytes, self.empty_wal()))
    }

    fn empty_wal(&mut self) -> bool {
        let _ = self.db.busy_timeout(WAL_PATIENCE);
        let busy = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        let _ = self.db.busy_timeout(crate::BUSY_TIMEOUT);
        matches!(busy, Ok(0))
    }
}

/// The run that goes on or begins.
struct Begun {
    run_id: i64,
    /// It goes on.
    resumed: bool,
    /// It was complete, and nobody had seen that it was.
    untold: bool,
    counts: Counts,
    /// When a run may last have made a request; 0: never.
    last_activity_at: u64,
}

fn begin(db: &Connection, session: &Session, now: u64) -> Result<Begun> {
    let untold = told::untold(db)?.filter(|_| session.finishes_untold);
    let last = last_run(db, now)?;
    let last_activity_at = last.as_ref().map_or(0, |last| last.activity_at);
    let goes_on = last.filter(|last| last.is_unfinished || untold == Some(last.run_id));
    let resumed = goes_on.is_some();
    let (run_id, counts) = match goes_on {
        Some(LastRun { run_id, counts, .. }) => {
            db.execute(
                "UPDATE run SET ended_at = NULL, ended_by = NULL, pid = ?2, config = ?3, reading = iif(reading = ?4, ?4, NULL), \
                                demo = demo AND ?5 WHERE run_id = ?1",
                params![run_id, session.pid, session.config, session.reading, session.is_demo],
            )?;
            (run_id, counts)
        }
        None => {
            insert!(
                db,
                "INSERT INTO",
                run {
                    started_at: now,
                    pid: session.pid,
                    last_at: last_activity_at,
                    seine_version: env!("CARGO_PKG_VERSION"),
                    config: session.config,
                    reading: session.reading,
                    demo: session.is_demo,
                }
            )?;
            (db.last_insert_rowid(), Counts::default())
        }
    };
    Ok(Begun { run_id, resumed, untold: untold.is_some(), counts, last_activity_at })
}

struct LastRun {
    run_id: i64,
    is_unfinished: bool,
    counts: Counts,
    activity_at: u64,
}

fn last_run(db: &Connection, now: u64) -> Result<Option<LastRun>> {
    let sql = format!(
        "SELECT run_id, ended_by IS NOT 'completed' AS is_unfinished, urls, bytes, active_ms, \
                iif(ended_at IS NULL, ?1, last_at) AS activity_at, {} FROM run ORDER BY run_id DESC LIMIT 1",
        outcomes::columns()
    );
    // A run that was killed may have made requests until a moment ago that it never recorded.
    let last = db.query_row(&sql, [now], |row| {
        let counts = Counts {
            pending: 0,
            to_follow: 0,
            urls: row.get("urls")?,
            outcomes: outcomes::counts(row)?,
            bytes: row.get("bytes")?,
            active_ms: row.get("active_ms")?,
        };
        Ok(LastRun {
            run_id: row.get("run_id")?,
            is_unfinished: row.get("is_unfinished")?,
            counts,
            activity_at: row.get("activity_at")?,
        })
    });
    Ok(last.optional()?)
}

/// A list as the store knows it.
struct KnownList {
    file_id: i64,
    /// It was read to its end, and has not changed since.
    is_complete: bool,
    /// Lines of it are in the store.
    has_lines: bool,
}

fn known_list(db: &Connection, list: &ListFile, only: Only, run_id: i64) -> Result<KnownList> {
    db.execute("INSERT INTO file(name) VALUES (?1) ON CONFLICT DO NOTHING", [&list.name])?;
    // URLs to be fetched again are found line by line: so each run reads a list for itself.
    let any_run = only == Only::New;
    let (file_id, complete) = db.query_row(
        "SELECT file_id, iif(?2 OR read_in = ?3, complete, NULL) FROM file WHERE name = ?1",
        params![list.name, any_run, run_id],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?)),
    )?;
    let has_lines =
        db.query_row("SELECT EXISTS (SELECT 1 FROM input WHERE file_id = ?1)", [file_id], |row| row.get(0))?;
    Ok(KnownList { file_id, is_complete: complete.is_some() && complete == list.fingerprint, has_lines })
}
