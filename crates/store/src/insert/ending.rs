//! URLs get their outcomes, and what is counted of it.

use rusqlite::{OptionalExtension, params};

use super::{Result, Store};
use crate::past::{self, Passed, State};
use crate::statement::insert;
use seine_core::protocol::{Done, HostId, Verdict};
use seine_core::record::{Failure, Outcome, UrlId};

impl Store {
    /// Ends a URL of which no fetcher will send a record.
    ///
    /// # Errors
    /// [`crate::StoreError`]
    pub fn end_one(&mut self, url_id: UrlId, outcome: Outcome, failure: &Failure) -> Result<Done> {
        let mut done = Done { url_id, verdict: Verdict::Known, bytes: 0, status: None, robots: false };
        // A quarantined URL was being worked on; others were not asked for.
        let attempts = u32::from(outcome == Outcome::Quarantined);
        if let Some((host_id, _)) = self.end_url(url_id, outcome, attempts)? {
            done.verdict = Verdict::Ended(outcome, Some(failure.class));
            let since = self.pass_on(url_id, Some(&State::failed(outcome, failure.class.name())))?.since;
            insert!(
                self.db,
                "INSERT OR REPLACE INTO",
                page {
                    url_id: url_id,
                    run_id: self.run_id,
                    error: failure.class.name(),
                    error_message: failure.message,
                    fetched_at: self.inserted_at,
                    outcome: outcome as i64,
                    since_run: since.run_id,
                    since_changed: since.changed,
                    same_id: since.same_id,
                }
            )?;
            self.count_host(host_id, outcome, 0);
        }
        Ok(done)
    }

    /// Ends pending URLs of a host, at most `limit` of them, but those whose answers are in an archive; says which.
    ///
    /// # Errors
    /// [`crate::StoreError`]
    pub fn end_host(&mut self, host_id: HostId, outcome: Outcome, failure: &Failure, limit: u32) -> Result<Vec<Done>> {
        let url_ids = self
            .statement(
                "SELECT url_id FROM url INDEXED BY frontier WHERE in_frontier AND outcome IS NULL AND host_id = ?1 \
                   AND archived_at IS NULL ORDER BY rank, url_id LIMIT ?2",
            )?
            .query_map(params![host_id, limit], |row| row.get(0))?
            .collect::<Result<Vec<UrlId>, _>>()?;
        url_ids.into_iter().map(|url_id| self.end_one(url_id, outcome, failure)).collect()
    }

    /// Gives a pending URL its outcome; `None` if it has one already (or is not known), else its host and its depth.
    pub(super) fn end_url(&mut self, url_id: UrlId, outcome: Outcome, attempts: u32) -> Result<Option<(HostId, u32)>> {
        let ended = self
            .statement(
                "UPDATE url SET outcome = ?2, attempts = attempts + ?3 WHERE url_id = ?1 AND outcome IS NULL \
                 RETURNING host_id, depth",
            )?
            .query_row(params![url_id, outcome as i64, attempts], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if ended.is_some() {
            self.ended.note(&self.db, url_id)?;
            self.change.pending -= 1;
            self.change.outcomes[outcome as usize] += 1;
            self.change.totals[outcome as usize] += 1;
        }
        Ok(ended)
    }

    pub(super) fn count_host(&mut self, host_id: HostId, outcome: Outcome, elapsed_ms: u32) {
        let host = self.change.hosts.entry(host_id).or_default();
        match outcome {
            Outcome::Ok | Outcome::HttpError | Outcome::Skipped => host.fetched += 1,
            Outcome::Failed | Outcome::Quarantined => host.failed += 1,
            Outcome::Rejected | Outcome::RobotsDenied => {}
        }
        host.elapsed_ms += u64::from(elapsed_ms);
    }

    /// The page that a URL has becomes history, because a fetch has found `now`: see [`past::pass_on`].
    pub(super) fn pass_on(&self, url_id: UrlId, now: Option<&State>) -> Result<Passed> {
        if self.has_past { past::pass_on(&self.db, url_id, now) } else { Ok(Passed::default()) }
    }
}
