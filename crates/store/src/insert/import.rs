//! Lines of lists on their way into the store: new URLs, URLs to be fetched again, and what an edited list forgets.

use rusqlite::{OptionalExtension, params};

use super::Only;
use super::order::Counted;
use super::{Change, Result, Store};
use crate::NO_HOST;
use crate::statement::insert;
use seine_core::protocol::{HostId, ImportEntry, ImportUrl, Imported, UrlKind};
use seine_core::record::{ErrorClass, Outcome, UrlId, UrlKey};

/// All that is known of a line before it is taken.
enum Named {
    /// It was read before, just as it is now, and names this URL.
    Url(UrlId),
    /// It names some URL of this host.
    OfHost(HostId),
}

impl Store {
    /// Takes lines of list `file`. Counts in the answer are of this batch; `pending` is left to the caller.
    ///
    /// # Errors
    /// [`crate::StoreError`]
    pub fn import(&mut self, file: usize, entries: &[ImportEntry]) -> Result<Imported> {
        let file_id = self.lists[file].0;
        let mut report = Imported { lines: entries.len() as u64, ..Imported::default() };
        let named = entries.iter().map(|entry| self.named(file, entry)).collect::<Result<Vec<_>>>()?;
        // Looked up once: for millions of lines that is worth a tenth of their time.
        let mut insert_url = self.db.prepare_cached(
            "INSERT INTO url(key, url, host_id, outcome, in_frontier, file_id, line, archived_at, payload_at, kind, rank) \
             VALUES (?1, ?2, ?3, ?4, ?4 IS NULL, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT(host_id, key) DO NOTHING",
        )?;
        let mut insert_line = self.db.prepare_cached(
            "INSERT INTO input(file_id, line, raw_url, columns, url_id) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT DO NOTHING",
        )?;
        // URLs that are not fetched again, and those that a page had named before.
        let (mut standing, mut nearer) = (Vec::new(), Vec::new());
        // New ones that count against budgets, and those that only a page had named.
        let (mut counted, mut taken_in) = (Vec::new(), Vec::new());
        for (entry, named) in entries.iter().zip(named) {
            let host_id = match named {
                Named::Url(url_id) => {
                    let ended = self.fetch_again(url_id)?;
                    let again = self.change.count_again(ended);
                    report.again += again;
                    if again == 0 {
                        standing.push(url_id);
                    }
                    continue;
                }
                Named::OfHost(host_id) => host_id,
            };
            let (key, url, outcome) = key_and_text(entry);
            let rank = if outcome.is_none() { self.rank(url) } else { 0 };
            let new = insert_url.execute(params![
                key,
                url,
                host_id,
                outcome.map(|o| o as i64),
                file_id,
                entry.line,
                entry.archived_at,
                entry.payload_at,
                entry.kind as i64,
                rank,
            ])? == 1;
            let (url_id, stored) = if new {
                (self.db.last_insert_rowid(), None)
            } else {
                self.statement("SELECT url_id, url FROM url WHERE host_id = ?1 AND key = ?2")?
                    .query_row(params![host_id, key], |row| Ok((row.get(0)?, Some(row.get::<_, String>(1)?))))?
            };
            // The same URL may be spelled differently; the line keeps its own spelling.
            let spelled = stored.is_some_and(|stored| stored != url).then_some(url);
            let raw_url = entry.raw_url.as_deref().or(spelled);
            let known_line = insert_line.execute(params![file_id, entry.line, raw_url, entry.columns, url_id])? == 0;
            if known_line && self.change_line(file_id, entry, raw_url, url_id)? && !self.relisted[file] {
                // Written down: the end of the list may be reached by another writer.
                self.statement("UPDATE file SET relisted = 1 WHERE file_id = ?1")?.execute([file_id])?;
                self.relisted[file] = true;
            }
            report.duplicates += u64::from(!new && !known_line);
            if new {
                report.new += 1;
                report.ahead |= rank < 0;
                self.change.count_new(outcome);
                if self.has_budgets() {
                    counted.push((host_id, entry));
                }
                if let ImportUrl::Rejected { reason, .. } = &entry.url {
                    report.rejected += 1;
                    self.rejected_page(url_id, reason)?;
                }
            } else {
                self.list_again(url_id)?;
                if self.list_found(file_id, entry, url_id)? {
                    nearer.push(url_id);
                    taken_in.push((url_id, host_id, entry));
                }
                if entry.archived_at.is_some() {
                    self.move_in_archive(file_id, entry, url_id)?;
                } else {
                    let ended = self.fetch_again(url_id)?;
                    let again = self.change.count_again(ended);
                    report.again += again;
                    if again == 0 {
                        standing.push(url_id);
                    }
                }
            }
        }
        drop((insert_url, insert_line));
        for (host_id, entry) in counted {
            self.count_entry(host_id, entry)?;
        }
        for (url_id, host_id, entry) in taken_in {
            // Whatever the rules for links are, a list names it.
            let was_beyond = self.is_beyond_budget(url_id)?;
            if self.let_in(url_id)? {
                report.again += 1;
                if was_beyond {
                    self.count_entry(host_id, entry)?;
                }
            }
        }
        self.follow_from(entries, &standing, &nearer)?;
        Ok(report)
    }

    /// Counts a line's URL against the budgets.
    fn count_entry(&mut self, host_id: HostId, entry: &ImportEntry) -> Result<()> {
        match &entry.url {
            ImportUrl::Accepted { url, .. } if entry.kind == UrlKind::Page => {
                self.count_listed(&Counted { host_id, host: entry.url.host().unwrap_or_default(), url, depth: 0 })
            }
            ImportUrl::Accepted { .. } | ImportUrl::Rejected { .. } => Ok(()),
        }
    }

    /// Looks up the URL or at least the host of a line of list `file`.
    fn named(&mut self, file: usize, entry: &ImportEntry) -> Result<Named> {
        // Of an archive that has changed every place has to be learned anew.
        let is_reread = self.reread[file] && entry.archived_at.is_none();
        let known = if is_reread { self.unchanged(self.lists[file].0, entry)? } else { None };
        Ok(match (known, entry.url.host()) {
            (Some(url_id), _) => Named::Url(url_id),
            (None, Some(host)) => Named::OfHost(self.host_id(host, true)?),
            (None, None) => Named::OfHost(NO_HOST),
        })
    }

    /// What lines of a list mean for the links that are followed: their URLs make the scope, and those that are not
    /// fetched again lead on all the same.
    fn follow_from(&mut self, entries: &[ImportEntry], standing: &[UrlId], nearer: &[UrlId]) -> Result<()> {
        if self.follow.is_none() {
            return Ok(());
        }
        for entry in entries {
            if let ImportUrl::Accepted { url, .. } = &entry.url {
                self.note_root(url)?;
            }
        }
        standing.iter().try_for_each(|url_id| self.see_listed(*url_id))?;
        nearer.iter().try_for_each(|url_id| self.follow_later(*url_id))
    }

    /// Notes that a list names a URL that only pages have named before; says whether it is so.
    fn list_found(&self, file_id: i64, entry: &ImportEntry, url_id: UrlId) -> Result<bool> {
        let sql = "UPDATE url SET depth = 0, file_id = ?2, line = ?3 WHERE url_id = ?1 AND file_id IS NULL";
        Ok(self.statement(sql)?.execute(params![url_id, file_id, entry.line])? == 1)
    }

    /// Notes that a list names a URL again, if one did no more.
    pub(super) fn list_again(&self, url_id: UrlId) -> Result<()> {
        // A URL that this run found listed no more has only moved from one list to another.
        self.statement(
            "UPDATE url SET unlisted_by = iif(unlisted_by = ?2, NULL, unlisted_by), \
                            relisted_by = iif(unlisted_by = ?2, NULL, ?2) \
             WHERE url_id = ?1 AND unlisted_by IS NOT NULL AND relisted_by IS NULL",
        )?
        .execute(params![url_id, self.run_id])?;
        Ok(())
    }

    /// Notes the place of a pending URL's answer in an archive that has changed.
    fn move_in_archive(&self, file_id: i64, entry: &ImportEntry, url_id: UrlId) -> Result<()> {
        self.statement(
            "UPDATE url SET archived_at = ?2, payload_at = ?5 WHERE url_id = ?1 AND outcome IS NULL AND file_id = ?3 \
               AND line = ?4 AND (archived_at IS NOT ?2 OR payload_at IS NOT ?5) \
               AND NOT EXISTS (SELECT 1 FROM page WHERE page.url_id = url.url_id)",
        )?
        .execute(params![url_id, entry.archived_at, file_id, entry.line, entry.payload_at])?;
        Ok(())
    }

    /// Makes a URL pending again, if it was fetched by an earlier run and is of those to be fetched again; the answer
    /// says how it had ended. Its page stays what it is until the new one comes.
    pub(super) fn fetch_again(&self, url_id: UrlId) -> Result<Option<usize>> {
        let of_kind = match self.again.only {
            _ if !self.has_past => return Ok(None),
            Only::New => return Ok(None),
            Only::All => "TRUE",
            Only::Failed => "p.outcome NOT IN (0, 6)",
            Only::Changed => {
                "(p.changed OR p.since_changed OR EXISTS (SELECT 1 FROM past_page h INDEXED BY past_url \
                   WHERE h.url_id = p.url_id AND (h.changed OR h.since_changed)))"
            }
        };
        let outcome = self
            .statement(&format!(
                "UPDATE url SET outcome = NULL, in_frontier = 1, due_at = 0, forgiven = attempts, archived_at = NULL, payload_at = NULL \
                 WHERE url_id = ?1 AND outcome IS NOT NULL AND outcome <> 3 AND EXISTS ( \
                   SELECT 1 FROM page p WHERE p.url_id = url.url_id AND p.run_id < ?2 AND p.fetched_at < ?3 AND p.error IS NOT 'budget' AND {of_kind} \
                     AND (?4 IS NULL OR p.fetched_at + max(?4, min(?5, coalesce(p.revisit_ms, 0))) <= ?6)) \
                 RETURNING (SELECT outcome FROM page WHERE page.url_id = url.url_id)"
            ))?
            .query_row(
                params![
                    url_id,
                    self.run_id,
                    self.again.fetched_before,
                    self.again.revisit.map(|revisit| revisit.min_ms),
                    self.again.revisit.map(|revisit| revisit.max_ms),
                    self.inserted_at,
                ],
                |row| row.get::<_, usize>(0),
            )
            .optional()?;
        Ok(outcome)
    }

    /// The URL of a line that was read before, just as it is now: most lines of a list that is read again are.
    fn unchanged(&self, file_id: i64, entry: &ImportEntry) -> Result<Option<UrlId>> {
        let (ImportUrl::Accepted { key, .. } | ImportUrl::Rejected { key, .. }) = &entry.url;
        let found = self
            .statement(
                "SELECT u.url_id FROM input i CROSS JOIN url u ON u.url_id = i.url_id \
                 WHERE i.file_id = ?1 AND i.line = ?2 AND u.key = ?3 AND i.raw_url IS ?4 AND i.columns IS ?5",
            )?
            .query_row(params![file_id, entry.line, key, entry.raw_url, entry.columns], |row| row.get(0))
            .optional()?;
        Ok(found)
    }

    /// Puts right a line that was read before; says whether it named another URL then.
    fn change_line(&self, file_id: i64, entry: &ImportEntry, raw_url: Option<&str>, url_id: UrlId) -> Result<bool> {
        // Either the same line again, or the file has changed since.
        let earlier: UrlId = self
            .statement("SELECT url_id FROM input WHERE file_id = ?1 AND line = ?2")?
            .query_row(params![file_id, entry.line], |row| row.get(0))?;
        self.statement(
            "UPDATE input SET raw_url = ?3, columns = ?4, url_id = ?5 WHERE file_id = ?1 AND line = ?2 \
             AND (url_id, raw_url, columns) IS NOT (?5, ?3, ?4)",
        )?
        .execute(params![file_id, entry.line, raw_url, entry.columns, url_id])?;
        Ok(earlier != url_id)
    }

    fn rejected_page(&self, url_id: UrlId, reason: &str) -> Result<()> {
        insert!(
            self.db,
            "INSERT INTO",
            page {
                url_id: url_id,
                run_id: self.run_id,
                error: ErrorClass::Rejected.name(),
                error_message: reason,
                fetched_at: self.inserted_at,
                outcome: Outcome::Rejected as i64,
            },
            "ON CONFLICT DO NOTHING",
        )?;
        Ok(())
    }

    /// Notes that list `file` was read to its end, and forgets what an edited list no longer names: its old lines,
    /// and URLs that no line names any more and that were never fetched.
    ///
    /// # Errors
    /// [`crate::StoreError`]
    pub fn import_end(&mut self, file: usize, lines: u64) -> Result<()> {
        let (file_id, list) = &self.lists[file];
        let cut = self.db.execute("DELETE FROM input WHERE file_id = ?1 AND line > ?2", params![file_id, lines])?;
        let relisted: bool =
            self.db.query_row("SELECT relisted FROM file WHERE file_id = ?1", [file_id], |row| row.get(0))?;
        if cut > 0 || relisted {
            let unnamed = "WHERE in_frontier AND outcome IS NULL AND file_id IS NOT NULL AND url_id NOT IN (SELECT url_id FROM input)";
            let has_page = "url_id IN (SELECT url_id FROM page)";
            let gone =
                self.db.execute(&format!("DELETE FROM url INDEXED BY frontier {unnamed} AND NOT {has_page}"), [])?;
            self.change.pending -= gone as i64;
            // URLs that earlier runs have fetched stay as they left them.
            let mut restore = self.db.prepare(&format!(
                "UPDATE url INDEXED BY frontier SET in_frontier = 0, \
                   outcome = (SELECT p.outcome FROM page p WHERE p.url_id = url.url_id) {unnamed} AND {has_page} RETURNING outcome"
            ))?;
            let mut restored = restore.query([])?;
            while let Some(row) = restored.next()? {
                self.change.pending -= 1;
                if let Some(total) = self.change.totals.get_mut(row.get::<_, usize>(0)?) {
                    *total += 1;
                }
            }
            drop(restored);
            drop(restore);
            self.db.execute(
                "UPDATE url SET unlisted_by = ?1, relisted_by = NULL \
                 WHERE (unlisted_by IS NULL OR relisted_by IS NOT NULL) AND file_id IS NOT NULL AND outcome IS NOT NULL \
                   AND url_id NOT IN (SELECT url_id FROM input)",
                [self.run_id],
            )?;
            self.db.execute_batch(
                "CREATE TEMP TABLE first AS
                   SELECT url_id, file_id, min(line) AS line FROM input GROUP BY url_id;
                 CREATE UNIQUE INDEX temp.first_url ON first(url_id);
                 UPDATE url SET file_id = first.file_id, line = first.line FROM temp.first
                   WHERE first.url_id = url.url_id AND NOT EXISTS (
                     SELECT 1 FROM input i WHERE i.file_id = url.file_id AND i.line = url.line AND i.url_id = url.url_id);
                 DROP TABLE temp.first;",
            )?;
        }
        self.db.execute(
            "UPDATE file SET complete = ?2, lines = ?3, read_in = ?4, relisted = 0 WHERE file_id = ?1",
            params![file_id, list.fingerprint, lines, self.run_id],
        )?;
        self.relisted[file] = false;
        Ok(())
    }
}

/// The key of a line's URL, its text, and the outcome it has from the start.
fn key_and_text(entry: &ImportEntry) -> (&UrlKey, &str, Option<Outcome>) {
    match &entry.url {
        ImportUrl::Accepted { url, key, .. } => (key, url, None),
        ImportUrl::Rejected { key, .. } => (key, entry.raw_url.as_deref().unwrap_or_default(), Some(Outcome::Rejected)),
    }
}

impl Change {
    /// Counts a URL that was not in the store.
    pub(super) fn count_new(&mut self, outcome: Option<Outcome>) {
        self.urls += 1;
        match outcome {
            Some(outcome) => {
                self.outcomes[outcome as usize] += 1;
                self.totals[outcome as usize] += 1;
            }
            None => self.pending += 1,
        }
    }

    /// URLs of a host have become pending, one of them with this rank.
    pub(super) fn has_grown(&mut self, host_id: HostId, rank: i32) {
        let lowest = self.grown.entry(host_id).or_insert(rank);
        *lowest = rank.min(*lowest);
    }

    /// Counts a URL that is pending again, having ended so before; how many these are.
    pub(super) fn count_again(&mut self, ended: Option<usize>) -> u64 {
        let Some(outcome) = ended else { return 0 };
        self.pending += 1;
        if let Some(total) = self.totals.get_mut(outcome) {
            *total -= 1;
        }
        1
    }
}
