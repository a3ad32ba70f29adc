//! Everything that writes to the store. For the writer process only, and only inside [`Store::transaction`].
//!
//! Every method here may be repeated with the same arguments: a line imported twice, a record received twice or a
//! message sent again after a crash changes nothing the second time.
//!
//! - `run`: opens the store and the run that goes on or begins, and closes both.
//! - `import`: lines of lists, and which URLs they make pending.
//! - `found`: URLs that pages name.
//! - `order`: which of them are asked for first, and how many come in.
//! - `page`: what fetchers send: records of pages, requests, robots.txt files.
//! - `ending`: URLs get their outcomes, and what is counted of it.
//! - `hosts`: the rows of hosts.

mod ending;
mod found;
mod hosts;
mod import;
mod order;
mod page;
mod run;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{CachedStatement, Connection, OptionalExtension, ToSql, params, params_from_iter};

use super::StoreError;
use super::alike;
use super::bodies::Bodies;
use super::follow::Follow;
use super::frontier::Ended;
use super::items::Collections;
use super::lookups::Lookups;
use super::order::Order;
use super::outcomes::OutcomeCounts;
use super::versions::Keep;
pub use run::{Again, ListFile, Only, Session};
use seine_core::protocol::HostId;
use seine_core::protocol::processing::Processed;
use seine_core::record::{Outcome, UrlId};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The open store, its present run and the counts that go with it.
pub struct Store {
    db: Connection,
    run_id: i64,
    lists: Vec<(i64, ListFile)>,
    opened: Instant,
    /// As of the last commit.
    counts: Counts,
    /// The counts that the open transaction adds.
    change: Change,
    collections: Collections,
    reading: [u8; 16],
    again: Again,
    keep: Keep,
    requests_since: u64,
    follow: Option<Arc<dyn Follow>>,
    order: Option<Arc<dyn Order>>,
    /// Texts that are roots of the scope, or are none, as far as they were asked for.
    roots: HashMap<String, bool>,
    /// There are earlier runs.
    has_past: bool,
    /// The collections of processors' answers.
    processors: Vec<i64>,
    /// With whether they are known to be listed.
    host_ids: HashMap<String, (HostId, bool)>,
    /// Lists of which lines are in the store from an earlier reading.
    reread: Vec<bool>,
    /// Lists of which it is written down that lines differ from an earlier reading.
    relisted: Vec<bool>,
    inserted_at: u64,
    bodies: Bodies,
    ended: Ended,
    lookups: Lookups,
    growth: Growth,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    pending: u64,
    /// Pages of which the stored links are still to be followed.
    to_follow: u64,
    urls: u64,
    outcomes: OutcomeCounts,
    bytes: u64,
    active_ms: u64,
}

#[derive(Debug, Default)]
struct Change {
    pending: i64,
    urls: u64,
    outcomes: OutcomeCounts,
    /// Of the store as a whole.
    totals: [i64; Outcome::ALL.len()],
    bytes: u64,
    requests: u64,
    hosts: HashMap<HostId, HostChange>,
    to_follow: i64,
    /// Those that the run had skipped and that are pending now.
    revoked: u64,
    /// Hosts of which URLs that pages name have become pending, with the lowest rank of those.
    grown: BTreeMap<HostId, i32>,
    /// Some of those were fetched before.
    has_grown_again: bool,
    /// Pages have come that were not there, or are others than before.
    has_other_texts: bool,
}

/// What a transaction added to what is to do, but for lines of lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Growth {
    /// Hosts of which URLs have become pending, with the lowest rank of those.
    pub hosts: Vec<(HostId, i32)>,
    /// Some of those were fetched before: their ids may be lower than any.
    pub again: bool,
}

#[derive(Debug, Default)]
struct HostChange {
    fetched: u64,
    failed: u64,
    elapsed_ms: u64,
}

/// Milliseconds since the Unix epoch.
fn epoch_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// A page as one line tells it.
#[derive(Debug)]
pub struct PageLine {
    /// The URL.
    pub url: String,
    /// Time of the last request; `None` before the URL was ended.
    pub elapsed_ms: Option<u32>,
    /// The message of a failure.
    pub message: Option<String>,
}

impl Store {
    /// URLs without outcome, and pages of which the links are still to be followed, as of the last commit.
    pub fn pending(&self) -> u64 {
        self.counts.pending + self.counts.to_follow
    }

    /// What the last transactions have added to what is to do; told once.
    pub fn growth(&mut self) -> Growth {
        std::mem::take(&mut self.growth)
    }

    /// The page of a URL as one line tells it, as of the last commit.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn line_of(&self, url_id: UrlId) -> Result<Option<PageLine>> {
        let sql = "SELECT u.url, p.elapsed_ms, p.error_message FROM url u LEFT JOIN page p ON p.url_id = u.url_id \
                   WHERE u.url_id = ?1";
        let line = self.statement(sql)?.query_row([url_id], |row| {
            Ok(PageLine { url: row.get(0)?, elapsed_ms: row.get(1)?, message: row.get(2)? })
        });
        Ok(line.optional()?)
    }

    /// Runs `work` in one transaction, all or nothing.
    ///
    /// # Errors
    /// Those of `work` and of the commit; nothing has changed then.
    pub fn transaction<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.db.execute_batch("BEGIN IMMEDIATE")?;
        self.inserted_at = epoch_ms();
        let ended = self.ended;
        let result = work(self).and_then(|value| self.write_down().map(|()| value)).and_then(|value| {
            self.db.execute_batch("COMMIT")?;
            Ok(value)
        });
        let change = std::mem::take(&mut self.change);
        match &result {
            Ok(_) => {
                self.counts.add(&change);
                self.growth.hosts.extend(change.grown);
                self.growth.again |= change.has_grown_again;
            }
            Err(_) => {
                // The failed statement may have rolled back already; then this one fails, and that is fine.
                let _ = self.db.execute_batch("ROLLBACK");
                self.host_ids.clear();
                self.roots.clear();
                self.collections.forget();
                self.relisted.fill(false);
                self.bodies.forget();
                self.ended = ended;
                self.lookups.forget();
            }
        }
        result
    }

    /// Writes down what the open transaction adds to the counts: of the run, of its hosts, and of the store.
    fn write_down(&mut self) -> Result<()> {
        self.ended.leave_if_many(&self.db, self.counts.pending)?;
        self.lookups.grow(&self.db, self.change.urls, self.change.requests)?;
        self.count_run()?;
        if self.change.has_other_texts {
            alike::note_change(&self.db)?;
        }
        let mut update = self.db.prepare_cached(
            "UPDATE host SET fetched = fetched + ?2, failed = failed + ?3, elapsed_ms = elapsed_ms + ?4 \
             WHERE host_id = ?1",
        )?;
        for (host_id, host) in &self.change.hosts {
            update.execute(params![host_id, host.fetched, host.failed, host.elapsed_ms])?;
        }
        let mut total = self.db.prepare_cached(
            "INSERT INTO total(outcome, urls) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET urls = urls + excluded.urls",
        )?;
        for (outcome, change) in self.change.totals.iter().enumerate().filter(|(_, change)| **change != 0) {
            total.execute(params![outcome, change])?;
        }
        self.collections.write_rates(&self.db)
    }

    fn count_run(&self) -> Result<()> {
        let mut now = self.counts;
        now.add(&self.change);
        let others =
            [("last_at", self.inserted_at), ("active_ms", self.active_ms()), ("urls", now.urls), ("bytes", now.bytes)];
        let outcomes = Outcome::ALL.map(|outcome| (outcome.name(), now.outcomes[outcome as usize]));
        let counts: Vec<(&str, u64)> = others.into_iter().chain(outcomes).collect();
        let columns = counts.iter().map(|(column, _)| format!("{column} = ?")).collect::<Vec<_>>().join(", ");
        let values = counts.iter().map(|(_, count)| count as &dyn ToSql).chain([&self.run_id as &dyn ToSql]);
        self.statement(&format!("UPDATE run SET {columns} WHERE run_id = ?"))?.execute(params_from_iter(values))?;
        Ok(())
    }

    fn active_ms(&self) -> u64 {
        self.counts.active_ms + self.opened.elapsed().as_millis() as u64
    }

    /// Takes what a processor has said to a record.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn processed(&mut self, processed: &Processed) -> Result<()> {
        if let Some(collection_id) = self.processors.get(usize::from(processed.processor)) {
            super::processed::answer(&self.db, *collection_id, processed)?;
        }
        Ok(())
    }

    /// What waits for its index waits for no more than two rows.
    #[cfg(test)]
    pub(crate) fn tidy_at_once(&mut self) {
        self.bodies = Bodies::most(2);
        self.ended = Ended::least(2);
    }

    pub(super) fn run_id(&self) -> i64 {
        self.run_id
    }

    pub(super) fn has_past(&self) -> bool {
        self.has_past
    }

    /// Whether some URLs of a host are asked for before others.
    pub(super) fn has_order(&self) -> bool {
        self.order.as_ref().is_some_and(|order| !order.priorities().is_empty())
    }

    pub(super) fn reading(&self) -> &[u8; 16] {
        &self.reading
    }

    /// A prepared statement, from the cache.
    pub(super) fn statement(&self, sql: &str) -> Result<CachedStatement<'_>> {
        Ok(self.db.prepare_cached(sql)?)
    }
}

impl Counts {
    fn add(&mut self, change: &Change) {
        self.pending = self.pending.saturating_add_signed(change.pending);
        self.to_follow = self.to_follow.saturating_add_signed(change.to_follow);
        self.urls += change.urls;
        self.bytes += change.bytes;
        for (count, more) in self.outcomes.iter_mut().zip(change.outcomes) {
            *count += more;
        }
        let skipped = &mut self.outcomes[Outcome::Skipped as usize];
        *skipped = skipped.saturating_sub(change.revoked);
    }
}
