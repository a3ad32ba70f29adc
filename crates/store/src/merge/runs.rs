//! Runs on their way into a merge, and what runs, hosts and the store as a whole count.
//!
//! Counts grow by the fetches that come in, not by what the sources have counted: so nothing is counted twice, however often
//! a store is merged.

use std::collections::{BTreeMap, HashMap};

use rusqlite::params;

use super::fetches::Fetch;
use super::source::Source;
use super::{Merge, Result};
use crate::frontier;
use seine_core::protocol::EndedBy;
use seine_core::record::Outcome;

/// A store with more runs was made by no crawl.
const MOST_RUNS: i64 = 10_000_000;

/// What a run has come to.
#[derive(Debug, Default)]
pub(super) struct RunCount {
    pub urls: i64,
    outcomes: [i64; Outcome::ALL.len()],
    bytes: i64,
}

/// What a host has come to.
#[derive(Debug, Default)]
struct HostCount {
    fetched: i64,
    failed: i64,
    elapsed_ms: i64,
}

/// What is to be added to the counts that are written.
#[derive(Debug, Default)]
pub(super) struct Counts {
    runs: BTreeMap<i64, RunCount>,
    hosts: HashMap<i64, HostCount>,
    pub totals: [i64; Outcome::ALL.len()],
    /// Runs of which some source says that they are not over.
    unfinished: BTreeMap<i64, bool>,
}

impl Counts {
    pub fn of_run(&mut self, run_id: i64) -> &mut RunCount {
        self.runs.entry(run_id).or_default()
    }

    /// Counts a fetch of a URL of this host, as the crawl has counted it; `sign` takes it away again.
    pub fn fetch(&mut self, host_id: i64, fetch: &Fetch, sign: i64) {
        let outcome = fetch.state.outcome;
        let run = self.of_run(fetch.run_id);
        if let Some(count) = run.outcomes.get_mut(outcome as usize) {
            *count += sign;
        }
        if !fetch.not_modified {
            run.bytes += sign * fetch.bytes.unwrap_or(0);
        }
        let host = self.hosts.entry(host_id).or_default();
        match Outcome::ALL.get(outcome as usize) {
            Some(Outcome::Ok | Outcome::HttpError) => host.fetched += sign,
            // One beyond a budget was never asked for.
            Some(Outcome::Skipped) if fetch.elapsed_ms.is_some() => host.fetched += sign,
            Some(Outcome::Failed | Outcome::Quarantined) => host.failed += sign,
            _ => {}
        }
        host.elapsed_ms += sign * fetch.elapsed_ms.unwrap_or(0);
    }
}

impl Merge<'_> {
    /// Takes the runs of a store: *n* is *n*.
    pub(super) fn take_runs(&mut self, source: &Source) -> Result<()> {
        let all = "SELECT run_id, started_at, ended_at, ended_by, pid, active_ms, last_at, seine_version, config, reading, demo, \
                          requests_gone, forgotten FROM run ORDER BY run_id";
        source.each(all, [], |row| {
            let run_id: i64 = source.get(row, 0)?;
            if !(1..=MOST_RUNS).contains(&run_id) {
                return Err(source.damaged(&format!("there is a run {run_id}")));
            }
            let ended_by: Option<String> = source.get(row, 3)?;
            let is_over = ended_by.as_deref() == Some(EndedBy::Completed.name());
            *self.counts.unfinished.entry(run_id).or_default() |= !is_over;
            let number = |column| source.get::<i64>(row, column);
            let reading: Option<Vec<u8>> = source.get(row, 9)?;
            self.db
                .prepare_cached(
                    "INSERT INTO run(run_id, started_at, ended_at, ended_by, pid, active_ms, last_at, seine_version, config, \
                       reading, demo, requests_gone, forgotten) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) \
                     ON CONFLICT(run_id) DO UPDATE SET \
                       started_at = min(started_at, excluded.started_at), last_at = max(last_at, excluded.last_at), \
                       ended_at = max(ended_at, excluded.ended_at), active_ms = max(active_ms, excluded.active_ms), \
                       ended_by = iif(excluded.ended_by IS 'completed', ended_by, excluded.ended_by), \
                       reading = iif(reading = excluded.reading, reading, NULL), demo = demo AND excluded.demo, \
                       requests_gone = max(requests_gone, excluded.requests_gone), forgotten = max(forgotten, excluded.forgotten), \
                       config = iif(json_valid(config), json_remove(config, '$.rate'), config)",
                )?
                .execute(params![
                    run_id,
                    number(1)?,
                    source.get::<Option<i64>>(row, 2)?,
                    ended_by,
                    number(4)?,
                    number(5)?,
                    number(6)?,
                    source.get::<String>(row, 7)?,
                    source.get::<String>(row, 8)?,
                    reading,
                    number(10)?,
                    number(11)?,
                    number(12)?,
                ])?;
            Ok(())
        })
    }

    /// Writes what has been counted since the last time.
    pub(super) fn write_counts(&mut self) -> Result<()> {
        let names = Outcome::ALL.map(|outcome| format!("{0} = max(0, {0} + ?)", outcome.name())).join(", ");
        let mut update = self.db.prepare_cached(&format!(
            "UPDATE run SET urls = max(0, urls + ?), bytes = max(0, bytes + ?), {names} WHERE run_id = ?"
        ))?;
        for (run_id, count) in std::mem::take(&mut self.counts.runs) {
            let values = [count.urls, count.bytes].into_iter().chain(count.outcomes).chain([run_id]);
            update.execute(rusqlite::params_from_iter(values))?;
        }
        let mut update = self.db.prepare_cached(
            "UPDATE host SET fetched = max(0, fetched + ?2), failed = max(0, failed + ?3), \
                             elapsed_ms = max(0, elapsed_ms + ?4) WHERE host_id = ?1",
        )?;
        for (host_id, count) in self.counts.hosts.drain() {
            update.execute([host_id, count.fetched, count.failed, count.elapsed_ms])?;
        }
        let mut total = self.db.prepare_cached(
            "INSERT INTO total(outcome, urls) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET urls = urls + excluded.urls",
        )?;
        for (outcome, change) in std::mem::take(&mut self.counts.totals).into_iter().enumerate() {
            if change != 0 {
                total.execute(params![outcome, change])?;
            }
        }
        Ok(())
    }

    /// Says how the runs have ended: one is complete if it is so in each store, and the last one if nothing is pending.
    pub(super) fn end_runs(&mut self) -> Result<()> {
        let pending = frontier::pending(self.db)?;
        let last: i64 = self.db.query_row("SELECT coalesce(max(run_id), 0) FROM run", [], |row| row.get(0))?;
        for (&run_id, &is_unfinished) in &self.counts.unfinished {
            if !is_unfinished && (run_id < last || pending == 0) {
                self.db
                    .prepare_cached(
                        "UPDATE run SET ended_by = 'completed', ended_at = coalesce(ended_at, last_at) \
                         WHERE run_id = ?1 AND ended_by IS NOT 'completed'",
                    )?
                    .execute([run_id])?;
            }
        }
        // One that a store has ended is not over while another has URLs of it that are pending.
        if pending > 0 {
            self.db
                .prepare_cached("UPDATE run SET ended_by = 'interrupted' WHERE run_id = ?1 AND ended_by = 'completed'")?
                .execute([last])?;
        }
        Ok(())
    }
}
