//! Indexes for those who ask: `WHERE url = …` on any view is a look-up, in every program that reads SQLite.
//!
//! A crawl has no use for them, and kept up page by page they would cost it more than all else in a large store. So they
//! are made when a run is complete, sorted at once, which costs a page a few microseconds and each index its bytes once. A
//! later run keeps them up as long as it adds little; one that adds much drops them first and makes them anew.
//! Without them, before the end of a first run, the same questions are answered from end to end.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::StoreError;

/// Making them takes no longer: whoever waits for the end of a run waits for it too, and a writer that does nothing else for
/// two minutes is taken for dead.
const MOST_TIME: Duration = Duration::from_secs(45);

/// A run that adds fewer rows keeps the indexes up, however small the store was.
const FEW_ROWS: u64 = 100;

/// One that adds a larger part of what was there drops them: one of so many. Rows of a page each go to another leaf of the
/// index, which has some hundred of them: so this is about where all of it would be written, and again with each commit.
const LARGE_PART: u64 = 64;

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 100_000;

/// An index, and how much has come to it.
#[derive(Debug)]
struct Lookup {
    /// With a dot, which no collection has in its name.
    name: &'static str,
    of: &'static str,
    /// Rows that its table had.
    before: u64,
    added: u64,
    is_dropped: bool,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Lookups([Lookup; 2]);

impl Lookups {
    /// As the store has them.
    pub fn of(db: &Connection) -> Result<Self, StoreError> {
        let of = |name, of, rows| {
            let before = db.query_row(rows, [], |row| row.get(0))?;
            Ok::<_, StoreError>(Lookup { name, of, before, added: 0, is_dropped: false })
        };
        Ok(Self([
            of("lookup.url", "url(url)", "SELECT coalesce(max(url_id), 0) FROM url")?,
            of("lookup.request", "request(url_id)", "SELECT coalesce(max(request_id), 0) FROM request")?,
        ]))
    }

    /// The open transaction adds so many URLs and requests.
    pub fn grow(&mut self, db: &Connection, urls: u64, requests: u64) -> Result<(), StoreError> {
        for (lookup, rows) in self.0.iter_mut().zip([urls, requests]) {
            lookup.added += rows;
            if !lookup.is_dropped && lookup.added > FEW_ROWS.max(lookup.before / LARGE_PART) {
                db.execute_batch(&format!("DROP INDEX IF EXISTS \"{}\"", lookup.name))?;
                lookup.is_dropped = true;
            }
        }
        Ok(())
    }

    /// The open transaction is undone.
    pub fn forget(&mut self) {
        self.0.iter_mut().for_each(|lookup| lookup.is_dropped = false);
    }

    /// Makes those that are not there. One that takes too long or has no room is left to a later run.
    pub fn make(&self, db: &mut Connection) {
        // What is sorted shall not be in memory however long it gets.
        let _ = db.pragma_update(None, "temp_store", "file");
        let begun = Instant::now();
        for lookup in &self.0 {
            let _ = db.progress_handler(STEPS, Some(move || begun.elapsed() > MOST_TIME));
            let made = db.execute_batch(&format!("CREATE INDEX IF NOT EXISTS \"{}\" ON {}", lookup.name, lookup.of));
            let _ = db.progress_handler(0, None::<fn() -> bool>);
            match made {
                Ok(()) => tracing::debug!(index = lookup.name, took = ?begun.elapsed(), "look-ups are indexed"),
                Err(error) => tracing::warn!(index = lookup.name, %error, "look-ups by URL stay slow"),
            }
        }
        let _ = db.pragma_update(None, "temp_store", "memory");
    }
}
