//! URLs on their way into a merge, each with its page, its history, and what belongs to a page alone.

use std::collections::HashSet;

use rusqlite::types::{Type, Value};
use rusqlite::{OptionalExtension, Row, params, params_from_iter};

use super::fetches::{self, Fetch, Fetches, HistoryError};
use super::source::{AT_HAND, Source};
use super::{Brought, Merge, MergeError, Moved, Result, is_fetch};
use crate::NO_HOST;
use crate::past::Since;
use crate::statement::insert;
use seine_core::protocol::UrlKind;
use seine_core::record::items::ProblemKind;
use seine_core::record::{Outcome, UrlKey};

/// A request is the first of a fetch that began so many milliseconds before it, or less.
const FIRST_REQUEST_MS: i64 = 20;

/// Columns of `page` that are taken as they are, after its URL: not those of its history and its body.
const PAGE_COLUMNS: [(&str, Type); 25] = [
    ("run_id", Type::Integer),
    ("final_url", Type::Text),
    ("redirects", Type::Text),
    ("status", Type::Integer),
    ("error", Type::Text),
    ("error_message", Type::Text),
    ("title", Type::Text),
    ("h1", Type::Text),
    ("description", Type::Text),
    ("canonical", Type::Text),
    ("lang", Type::Text),
    ("content_type", Type::Text),
    ("charset", Type::Text),
    ("fetched_at", Type::Integer),
    ("elapsed_ms", Type::Integer),
    ("meta_robots", Type::Text),
    ("outcome", Type::Integer),
    ("etag", Type::Text),
    ("last_modified", Type::Text),
    ("changed", Type::Integer),
    ("not_modified", Type::Integer),
    ("attempt", Type::Integer),
    ("content_at", Type::Integer),
    ("revisit_ms", Type::Integer),
    ("content_run", Type::Integer),
];

/// Where `changed` is among them.
const CHANGED: usize = 19;

/// A URL as its store has it.
struct Url {
    url_id: i64,
    key: UrlKey,
    url: String,
    host_id: i64,
    outcome: Option<i64>,
    attempts: i64,
    due_at: i64,
    depth: i64,
    forgiven: i64,
    archived_at: Option<i64>,
    payload_at: Option<i64>,
    unlisted_by: Option<i64>,
    relisted_by: Option<i64>,
    kind: i64,
    found_on: Option<i64>,
    seen_in: Option<i64>,
    changed_at: Option<i64>,
    rank: i32,
}

/// As the merge has it already.
struct Known {
    url_id: i64,
    outcome: Option<i64>,
    attempts: i64,
}

/// The fetches of both sides in one order.
struct United {
    all: Vec<Fetch>,
    /// Which of them the merge has not had; by run and time.
    new: HashSet<(i64, i64)>,
    /// Those that it has had and that are none any more.
    dropped: Vec<Fetch>,
    /// It is what the merge has.
    is_ours: bool,
    /// It is what the source has.
    is_theirs: bool,
}

impl Merge<'_> {
    /// Takes all URLs of a store.
    pub(super) fn take_urls(&mut self, source: &Source, brought: &mut Brought) -> Result<()> {
        let columns = "url_id, key, url, host_id, outcome, attempts, due_at, depth, forgiven, archived_at, payload_at, \
                       unlisted_by, relisted_by, kind, found_on, seen_in, changed_at, rank";
        let mut take = |merge: &mut Self, row: &Row<'_>| {
            let url = Url::of(row).map_err(|error| source.error(error))?;
            if url.outcome.is_some_and(|outcome| !(0..Outcome::ALL.len() as i64).contains(&outcome)) {
                return Err(source.damaged(&format!("{} has the outcome {:?}", url.url, url.outcome)));
            }
            brought.pending += u64::from(url.outcome.is_none());
            merge.take_url(source, &url, brought)?;
            merge.progress.urls += 1;
            merge.row()
        };
        let Some(wanted) = self.wanted else {
            return source.each(&format!("SELECT {columns} FROM url ORDER BY url_id"), [], |row| take(self, row));
        };
        let pending = format!(
            "SELECT {columns} FROM url INDEXED BY frontier WHERE in_frontier AND outcome IS NULL AND host_id = ?1 \
             ORDER BY rank, url_id"
        );
        source.each("SELECT host_id, name FROM host ORDER BY host_id", [], |row| {
            let name: String = source.get(row, 1)?;
            if !wanted(&name) {
                return Ok(());
            }
            source.each(&pending, [source.get::<i64>(row, 0)?], |row| take(self, row))
        })
    }

    fn take_url(&mut self, source: &Source, url: &Url, brought: &mut Brought) -> Result<()> {
        let host_id = self.host(source, url.host_id)?;
        let theirs = self.read(source, url)?;
        let known = self
            .db
            .prepare_cached("SELECT url_id, outcome, attempts FROM url WHERE host_id = ?1 AND key = ?2")?
            .query_row(params![host_id, url.key], |row| {
                Ok(Known { url_id: row.get(0)?, outcome: row.get(1)?, attempts: row.get(2)? })
            })
            .optional()?;
        match known {
            None => self.take_new(source, url, host_id, theirs, brought),
            Some(known) => self.take_known(source, url, host_id, &known, theirs, brought),
        }
    }

    fn read(&self, source: &Source, url: &Url) -> Result<Fetches> {
        let read = fetches::read(&source.db, url.url_id, source.has_past, true).map_err(|error| match error {
            HistoryError::Sqlite(error) => source.error(error),
            HistoryError::Endless => source.damaged(&format!("the history of {} has no end", url.url)),
        })?;
        for fetch in &read.all {
            if !(0..Outcome::ALL.len() as i64).contains(&fetch.state.outcome)
                || !(1..=source.last_run).contains(&fetch.run_id)
            {
                return Err(source.damaged(&format!(
                    "a fetch of {} in run {} has the outcome {}",
                    url.url, fetch.run_id, fetch.state.outcome
                )));
            }
        }
        Ok(read)
    }

    /// Takes a URL that is not there yet.
    fn take_new(
        &mut self,
        source: &Source,
        url: &Url,
        host_id: i64,
        theirs: Fetches,
        brought: &mut Brought,
    ) -> Result<()> {
        let found_on = match url.found_on {
            Some(found_on) => self.moved(found_on)?.map(|moved| moved.url_id),
            None => None,
        };
        insert!(
            self.db,
            "INSERT INTO",
            url {
                key: url.key,
                url: url.url,
                host_id: host_id,
                outcome: url.outcome,
                in_frontier: url.outcome.is_none(),
                attempts: url.attempts,
                due_at: url.due_at,
                depth: url.depth,
                forgiven: url.forgiven,
                archived_at: url.archived_at,
                payload_at: url.payload_at,
                unlisted_by: url.unlisted_by,
                relisted_by: url.relisted_by,
                kind: url.kind,
                found_on: found_on,
                seen_in: url.seen_in,
                changed_at: url.changed_at,
                rank: url.rank,
            }
        )?;
        let url_id = self.db.last_insert_rowid();
        self.note_moved(url.url_id, Moved { url_id, is_new: true, is_taken: true })?;
        self.counts.of_run(theirs.all.first().map_or(source.last_run, |first| first.run_id)).urls += 1;
        brought.urls += 1;
        if let Some(outcome) = url.outcome {
            self.counts.totals[outcome as usize] += 1;
        }
        let mut all = theirs.all;
        for fetch in &mut all {
            self.counts.fetch(host_id, fetch, 1);
            fetch.body_id = self.body(source, fetch.body_id, brought)?;
        }
        brought.fetches += all.len() as u64;
        let since = fetches::write_past(self.db, url_id, &all)?;
        self.copy_page(source, url.url_id, url_id, all.last(), since)?;
        self.copy_content(source, url.url_id, url_id)
    }

    /// Takes what a store knows of a URL that is there.
    fn take_known(
        &mut self,
        source: &Source,
        url: &Url,
        host_id: i64,
        known: &Known,
        theirs: Fetches,
        brought: &mut Brought,
    ) -> Result<()> {
        let url_id = known.url_id;
        let ours = fetches::read(self.db, url_id, true, false).map_err(|error| match error {
            HistoryError::Sqlite(error) => MergeError::from(error),
            HistoryError::Endless => MergeError::Damaged {
                path: self.path.to_owned(),
                what: format!("the history of {} has no end", url.url),
            },
        })?;
        let same_ids = ours.same_ids.clone();
        let mut united = self.unite(source, url, ours.all, theirs.all)?;
        // A fetch that found nothing else, or failed, says nothing of what is on the page.
        let says = |fetch: &&Fetch| has_content(fetch) && !fetch.not_modified;
        let last_said = united.all.iter().rev().find(says).or(united.all.last());
        let content_is_theirs =
            united.is_theirs || !united.is_ours && last_said.is_some_and(|fetch| fetch.is_of_source);
        for fetch in &united.dropped {
            self.counts.fetch(host_id, fetch, -1);
        }
        if !united.is_ours {
            for fetch in &mut united.all {
                if united.new.contains(&fetch.id()) {
                    self.counts.fetch(host_id, fetch, 1);
                    brought.fetches += 1;
                }
                if fetch.is_of_source {
                    fetch.body_id = self.body(source, fetch.body_id, brought)?;
                }
            }
            fetches::remove_past(self.db, url_id, &same_ids)?;
            let since = fetches::write_past(self.db, url_id, &united.all)?;
            match united.all.last() {
                Some(last) if last.is_of_source => self.copy_page(source, url.url_id, url_id, Some(last), since)?,
                last => {
                    self.db
                        .prepare_cached(
                            "UPDATE page SET since_run = ?2, since_changed = ?3, same_id = ?4, changed = ?5 WHERE url_id = ?1",
                        )?
                        .execute(params![
                            url_id,
                            since.run_id,
                            since.changed,
                            since.same_id,
                            last.and_then(|last| last.changed)
                        ])?;
                }
            }
        }
        // Where both know the same, the one that has gone on to a later run knows what is to be done.
        let state_is_theirs = match (united.is_ours, united.is_theirs) {
            (true, true) => {
                self.first_last_run <= source.last_run && (known.outcome.is_some() || url.attempts >= known.attempts)
            }
            (_, is_theirs) => is_theirs || united.all.last().is_some_and(|last| last.is_of_source),
        };
        if state_is_theirs {
            self.take_state(url, known)?;
        }
        self.come_together(url, url_id)?;
        self.note_moved(url.url_id, Moved { url_id, is_new: false, is_taken: content_is_theirs })?;
        if content_is_theirs { self.replace_content(source, url.url_id, url_id) } else { Ok(()) }
    }

    /// Puts the fetches of both sides into one order.
    fn unite(&self, source: &Source, url: &Url, ours: Vec<Fetch>, theirs: Vec<Fetch>) -> Result<United> {
        let ids = |fetches: &[Fetch]| fetches.iter().map(Fetch::id).collect::<HashSet<_>>();
        let (of_ours, of_theirs) = (ids(&ours), ids(&theirs));
        let new = of_theirs.difference(&of_ours).copied().collect::<HashSet<_>>();
        let is_ours = new.is_empty();
        let is_theirs = of_ours.is_subset(&of_theirs);
        if is_ours || is_theirs {
            let all = if is_ours { ours } else { theirs };
            return Ok(United { all, new, dropped: Vec::new(), is_ours, is_theirs });
        }
        let (mut kept, mut dropped) = (Vec::new(), Vec::new());
        let mut beaten = HashSet::new();
        for fetch in ours {
            let rivals =
                || theirs.iter().filter(|their| their.run_id == fetch.run_id && !of_ours.contains(&their.id()));
            if of_theirs.contains(&fetch.id()) || rivals().next().is_none() {
                kept.push(fetch);
            } else if self.was_made_by(source, url, &fetch, &theirs)? || !is_fetch(fetch.state.outcome) {
                // It was taken back there, or it is no fetch and another store has made one.
                dropped.push(fetch);
            } else if rivals().any(|their| is_fetch(their.state.outcome)) {
                return Err(self.twice(source, url, &fetch));
            } else {
                beaten.extend(rivals().map(Fetch::id));
                kept.push(fetch);
            }
        }
        kept.extend(theirs.into_iter().filter(|fetch| !of_ours.contains(&fetch.id()) && !beaten.contains(&fetch.id())));
        kept.sort_by_key(Fetch::id);
        tell_changes(&mut kept);
        let new = new.difference(&beaten).copied().collect::<HashSet<_>>();
        let is_ours = new.is_empty() && dropped.is_empty();
        Ok(United { all: kept, new, dropped, is_ours, is_theirs: false })
    }

    /// Whether a fetch that the source does not have was made by it all the same: a request of it is there, which belongs to
    /// none of those it has.
    fn was_made_by(&self, source: &Source, url: &Url, fetch: &Fetch, theirs: &[Fetch]) -> Result<bool> {
        let mut was_made = false;
        let near = |at: i64, fetch: &Fetch| (0..=FIRST_REQUEST_MS).contains(&(at - fetch.fetched_at));
        let sql = "SELECT started_us / 1000 FROM request WHERE url_id = ?1 AND run_id = ?2";
        source.each(sql, [url.url_id, fetch.run_id], |row| {
            let at = source.get(row, 0)?;
            was_made |= near(at, fetch) && !theirs.iter().any(|their| near(at, their));
            Ok(())
        })?;
        Ok(was_made)
    }

    /// Two stores have fetched a URL in one run: which one it was besides `source`.
    fn twice(&self, source: &Source, url: &Url, fetch: &Fetch) -> MergeError {
        let made_it = |path: &&std::path::PathBuf| {
            let Ok(other) = Source::open(path) else { return false };
            let sql = "SELECT u.url_id FROM url u WHERE u.host_id = (SELECT h.host_id FROM host h WHERE h.name = ?1) \
                         AND u.key = ?2";
            let host = url::Url::parse(&url.url).ok().and_then(|url| url.host_str().map(str::to_owned));
            let Ok(Some(url_id)) = other.one(sql, params![host, url.key], |row| row.get::<_, i64>(0)) else {
                return false;
            };
            fetches::read(&other.db, url_id, other.has_past, true)
                .is_ok_and(|fetches| fetches.all.iter().any(|other| other.id() == fetch.id()))
        };
        let others = &self.sources[..self.progress.stores];
        let first = others.iter().find(made_it).map_or(self.path, |path| path.as_path());
        MergeError::Twice {
            url: url.url.clone(),
            run_id: fetch.run_id,
            first: first.to_owned(),
            second: source.path.clone(),
        }
    }

    /// What is to be done with a URL is what the source says.
    fn take_state(&mut self, url: &Url, known: &Known) -> Result<()> {
        if let Some(outcome) = known.outcome {
            self.counts.totals[outcome as usize] -= 1;
        }
        if let Some(outcome) = url.outcome {
            self.counts.totals[outcome as usize] += 1;
        }
        self.db
            .prepare_cached(
                "UPDATE url SET outcome = ?2, in_frontier = ?2 IS NULL, attempts = ?3, due_at = ?4, forgiven = ?5, archived_at = ?6, \
                   payload_at = ?7, unlisted_by = ?8, relisted_by = ?9, rank = ?10 \
                 WHERE url_id = ?1 AND (outcome, attempts, due_at, forgiven, archived_at, payload_at, unlisted_by, relisted_by, rank) \
                   IS NOT (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                known.url_id,
                url.outcome,
                url.attempts,
                url.due_at,
                url.forgiven,
                url.archived_at,
                url.payload_at,
                url.unlisted_by,
                url.relisted_by,
                url.rank,
            ])?;
        Ok(())
    }

    /// It is as near as the nearer of both says, and a page if it is one to either.
    fn come_together(&self, url: &Url, url_id: i64) -> Result<()> {
        let asset = UrlKind::Asset as i64;
        self.db
            .prepare_cached(
                "UPDATE url SET depth = min(depth, ?2), kind = iif(kind = ?4, ?3, kind), \
                   seen_in = nullif(max(coalesce(seen_in, 0), coalesce(?5, 0)), 0), changed_at = coalesce(?6, changed_at) \
                 WHERE url_id = ?1 AND (depth > ?2 OR kind = ?4 AND ?3 <> ?4 OR coalesce(?5, 0) > coalesce(seen_in, 0) \
                   OR ?6 IS NOT NULL AND ?6 IS NOT changed_at)",
            )?
            .execute(params![url_id, url.depth, url.kind, asset, url.seen_in, url.changed_at])?;
        Ok(())
    }

    /// The host of a source, as the merge has it.
    pub(super) fn host(&mut self, source: &Source, host_id: i64) -> Result<i64> {
        if host_id == NO_HOST {
            return Ok(NO_HOST);
        }
        if let Some(&known) = self.hosts.get(&host_id) {
            return Ok(known);
        }
        let host = source.one("SELECT name, listed, hold_until FROM host WHERE host_id = ?1", [host_id], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?, row.get::<_, i64>(2)?))
        })?;
        let Some((name, listed, hold_until)) = host else {
            return Err(source.damaged(&format!("there is no host {host_id}")));
        };
        let known: i64 = self
            .db
            .prepare_cached(
                "INSERT INTO host(name, listed, hold_until) VALUES (?1, ?2, ?3) ON CONFLICT(name) DO UPDATE \
                   SET listed = max(listed, excluded.listed), hold_until = max(hold_until, excluded.hold_until) \
                 RETURNING host_id",
            )?
            .query_row(params![name, listed, hold_until], |row| row.get(0))?;
        if self.hosts.len() >= AT_HAND {
            self.hosts.clear();
        }
        self.hosts.insert(host_id, known);
        Ok(known)
    }

    /// The body of a source, as the merge has it: the same bytes are there once.
    fn body(&mut self, source: &Source, body_id: Option<i64>, brought: &mut Brought) -> Result<Option<i64>> {
        let Some(body_id) = body_id else { return Ok(None) };
        if let Some(&known) = self.body_ids.get(&body_id) {
            return Ok(Some(known));
        }
        let Some(body) = source.body(body_id)? else { return Ok(None) };
        let known = match self.bodies.kept(self.db, &body.hash)? {
            Some((known, true)) => known,
            found => {
                let packed = source.packed(body_id, &body)?.unwrap_or_else(|()| {
                    brought.damaged_bodies += 1;
                    None
                });
                if found.is_none() || packed.is_some() {
                    brought.bodies += 1;
                    brought.bytes += packed.as_ref().map_or(0, Vec::len) as u64;
                }
                self.bodies.id(self.db, &body.hash, body.bytes, packed.as_deref())?
            }
        };
        if self.body_ids.len() >= AT_HAND {
            self.body_ids.clear();
        }
        self.body_ids.insert(body_id, known);
        Ok(Some(known))
    }

    /// Writes the page's row as the source has it; `last` is its fetch.
    fn copy_page(&self, source: &Source, from: i64, url_id: i64, last: Option<&Fetch>, since: Since) -> Result<()> {
        let names = PAGE_COLUMNS.map(|(name, _)| name).join(", ");
        let kinds = PAGE_COLUMNS.map(|(_, kind)| kind);
        let mut values = None;
        source.each(&format!("SELECT {names} FROM page WHERE url_id = ?1"), [from], |row| {
            values = Some(source.values(row, 0, &kinds)?);
            Ok(())
        })?;
        let Some(mut values) = values else { return Ok(()) };
        if let Some(last) = last {
            // As it differs from what is known before it here.
            values[CHANGED] = last.changed.map_or(Value::Null, |changed| Value::Integer(changed.into()));
        }
        let body_id = last.and_then(|last| last.body_id);
        let more = [Some(url_id), body_id, since.run_id, since.changed.map(i64::from), since.same_id];
        let places = vec!["?"; PAGE_COLUMNS.len() + more.len()].join(", ");
        self.db
            .prepare_cached(&format!(
                "INSERT OR REPLACE INTO page({names}, url_id, body_id, since_run, since_changed, same_id) VALUES ({places})"
            ))?
            .execute(params_from_iter(values.into_iter().chain(more.map(|id| id.map_or(Value::Null, Value::Integer)))))?;
        Ok(())
    }

    /// Writes what was found on a page that was not there.
    fn copy_content(&self, source: &Source, from: i64, url_id: i64) -> Result<()> {
        if let Some(links) = source.one(LINKS, [from], |row| row.get::<_, String>(0))? {
            self.db
                .prepare_cached("INSERT OR REPLACE INTO page_link(url_id, links) VALUES (?1, ?2)")?
                .execute(params![url_id, links])?;
        }
        if let Some([metadata, text, markdown, tables]) = source.one(EXTRAS, [from], extras)? {
            insert!(
                self.db,
                "INSERT OR REPLACE INTO",
                page_extra { url_id: url_id, metadata: metadata, text: text, markdown: markdown, tables: tables }
            )?;
        }
        for problem in self.problems(source, from)? {
            self.insert_problem(url_id, &problem)?;
        }
        Ok(())
    }

    /// Writes what was found on a page in the place of what is there, where that is something else.
    fn replace_content(&self, source: &Source, from: i64, url_id: i64) -> Result<()> {
        let theirs = source.one(LINKS, [from], |row| row.get::<_, String>(0))?;
        let ours = self.db.prepare_cached(LINKS)?.query_row([url_id], |row| row.get::<_, String>(0)).optional()?;
        if theirs != ours {
            self.db.prepare_cached("DELETE FROM page_link WHERE url_id = ?1")?.execute([url_id])?;
        }
        let their_extras = source.one(EXTRAS, [from], extras)?;
        let our_extras = self.db.prepare_cached(EXTRAS)?.query_row([url_id], extras).optional()?;
        if their_extras != our_extras {
            self.db.prepare_cached("DELETE FROM page_extra WHERE url_id = ?1")?.execute([url_id])?;
        }
        let their_problems = self.problems(source, from)?;
        let our_problems = {
            let mut select = self.db.prepare_cached(PROBLEMS)?;
            let rows = select.query_map(params![url_id, ProblemKind::Processor as i64], problem)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()?
        };
        if their_problems != our_problems {
            self.db
                .prepare_cached("DELETE FROM extract_problem WHERE url_id = ?1 AND kind <> ?2")?
                .execute(params![url_id, ProblemKind::Processor as i64])?;
        }
        self.db.prepare_cached("DELETE FROM same_page WHERE url_id = ?1")?.execute([url_id])?;
        if theirs != ours
            && let Some(links) = theirs
        {
            self.db
                .prepare_cached("INSERT OR REPLACE INTO page_link(url_id, links) VALUES (?1, ?2)")?
                .execute(params![url_id, links])?;
        }
        if their_extras != our_extras
            && let Some([metadata, text, markdown, tables]) = their_extras
        {
            insert!(
                self.db,
                "INSERT OR REPLACE INTO",
                page_extra { url_id: url_id, metadata: metadata, text: text, markdown: markdown, tables: tables }
            )?;
        }
        if their_problems != our_problems {
            their_problems.iter().try_for_each(|problem| self.insert_problem(url_id, problem))?;
        }
        Ok(())
    }

    /// Problems of a page but those of processors, with the merge's ids.
    fn problems(&self, source: &Source, from: i64) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        source.each(PROBLEMS, params![from, ProblemKind::Processor as i64], |row| {
            let mut problem = problem(row).map_err(|error| source.error(error))?;
            if let Some(&collection_id) = self.collections.get(&problem.collection_id) {
                problem.collection_id = collection_id;
                problems.push(problem);
            }
            Ok(())
        })?;
        Ok(problems)
    }

    fn insert_problem(&self, url_id: i64, problem: &Problem) -> Result<()> {
        insert!(
            self.db,
            "INSERT INTO",
            extract_problem {
                url_id: url_id,
                run_id: problem.run_id,
                collection_id: problem.collection_id,
                number: problem.number,
                field: problem.field,
                kind: problem.kind,
                found: problem.found,
            }
        )?;
        Ok(())
    }
}

const LINKS: &str = "SELECT links FROM page_link WHERE url_id = ?1";
const EXTRAS: &str = "SELECT metadata, text, markdown, tables FROM page_extra WHERE url_id = ?1";
const PROBLEMS: &str = "SELECT run_id, collection_id, number, field, kind, found FROM extract_problem \
                        WHERE url_id = ?1 AND kind <> ?2 ORDER BY problem_id";

fn extras(row: &Row<'_>) -> rusqlite::Result<[Option<String>; 4]> {
    Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
}

#[derive(PartialEq)]
struct Problem {
    run_id: i64,
    collection_id: i64,
    number: Option<i64>,
    field: String,
    kind: i64,
    found: String,
}

fn problem(row: &Row<'_>) -> rusqlite::Result<Problem> {
    Ok(Problem {
        run_id: row.get(0)?,
        collection_id: row.get(1)?,
        number: row.get(2)?,
        field: row.get(3)?,
        kind: row.get(4)?,
        found: row.get(5)?,
    })
}

impl Url {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            url_id: row.get(0)?,
            key: row.get(1)?,
            url: row.get(2)?,
            host_id: row.get(3)?,
            outcome: row.get(4)?,
            attempts: row.get(5)?,
            due_at: row.get(6)?,
            depth: row.get(7)?,
            forgiven: row.get(8)?,
            archived_at: row.get(9)?,
            payload_at: row.get(10)?,
            unlisted_by: row.get(11)?,
            relisted_by: row.get(12)?,
            kind: row.get(13)?,
            found_on: row.get(14)?,
            seen_in: row.get(15)?,
            changed_at: row.get(16)?,
            rank: row.get(17)?,
        })
    }
}

/// Whether a page says something of itself by this fetch: a failure leaves what was there.
fn has_content(fetch: &Fetch) -> bool {
    [Outcome::Ok, Outcome::HttpError].iter().any(|outcome| *outcome as i64 == fetch.state.outcome)
}

/// Whether a fetch has found another body, where the one before it is another store's.
fn tell_changes(all: &mut [Fetch]) {
    for at in 1..all.len() {
        let (before, rest) = all.split_at_mut(at);
        let Some(fetch) = rest.first_mut().filter(|fetch| fetch.changed.is_none() && has_content(fetch)) else {
            continue;
        };
        let last = before.iter().rev().find(|before| before.state.outcome == fetch.state.outcome);
        fetch.changed = last.map(|last| last.state.hash != fetch.state.hash);
    }
}
