//! Answers to the supervisor: pending URLs, and what became of leases whose acknowledgement was lost.
//!
//! Asked through the writer, between its transactions, so the answers are of what is committed.

use rusqlite::{OptionalExtension, params};

use super::StoreError;
use super::insert::Store;
use seine_core::protocol::{
    Archived, Candidate, Done, HostCandidates, HostId, OriginFacts, Place, Position, Pull, RobotsText, StillPending,
    UrlKind, Validators, Verdict,
};
use seine_core::record::{Outcome, UrlId};

/// An answer to a pull stops growing here; URLs may be long, and it has to fit a frame and two processes.
const PULL_BYTES: usize = 4 << 20;

/// Of the URLs of a host one in so many is of a later rank.
const ELDERS: u32 = 8;

type Result<T, E = StoreError> = std::result::Result<T, E>;

impl Store {
    /// Pending URLs, as the supervisor asks for them; and where the sweep got to, `None` at its end.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn pull(&mut self, pull: &Pull) -> Result<(Vec<HostCandidates>, Option<HostId>)> {
        // One look at the store for all of them: each costs locks and a check of what is at hand.
        self.statement("BEGIN")?.execute([])?;
        let pulled = self.pull_all(pull);
        self.statement("COMMIT")?.execute([])?;
        pulled
    }

    fn pull_all(&self, pull: &Pull) -> Result<(Vec<HostCandidates>, Option<HostId>)> {
        let mut hosts = Vec::new();
        let mut bytes = 0;
        for &(host_id, after, limit) in &pull.refills {
            // Past the limit nothing but the word that there is more: it will be asked for again.
            let limit = if bytes < PULL_BYTES { limit } else { 0 };
            let host = self.candidates(host_id, after, limit)?;
            bytes += host.urls.iter().map(|candidate| candidate.url.len() + 32).sum::<usize>();
            hosts.push(host);
        }
        let mut reached = None;
        if let Some(sweep) = &pull.sweep {
            let mut after = sweep.after;
            let (mut found, mut urls) = (0, 0);
            while found < sweep.hosts && urls < sweep.urls as usize && after < sweep.until {
                let next = self
                    .statement(
                        "SELECT host_id FROM url INDEXED BY frontier WHERE in_frontier AND outcome IS NULL AND host_id > ?1 \
                         ORDER BY host_id LIMIT 1",
                    )?
                    .query_row([after], |row| row.get::<_, HostId>(0))
                    .optional()?;
                let Some(host_id) = next else { return Ok((hosts, None)) };
                if bytes >= PULL_BYTES {
                    break;
                }
                if sweep.but.binary_search(&host_id).is_err() {
                    let host = self.candidates(host_id, Position::START, pull.per_host)?;
                    bytes += host.urls.iter().map(|candidate| candidate.url.len() + 32).sum::<usize>();
                    found += 1;
                    urls += host.urls.len();
                    hosts.push(host);
                }
                after = host_id;
            }
            reached = Some(after);
        }
        Ok((hosts, reached))
    }

    fn candidates(&self, host_id: HostId, after: Position, limit: u32) -> Result<HostCandidates> {
        let (host, hold_until) = self
            .statement("SELECT name, hold_until FROM host WHERE host_id = ?1")?
            .query_row([host_id], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u64>(1)?)))?;
        let mut urls = self.pending_of(host_id, after, limit + 1)?;
        let more = urls.len() > limit as usize;
        urls.truncate(limit as usize);
        let elders = match urls.last() {
            Some(last) if more && self.has_order() => self.elders(host_id, last.rank, limit / ELDERS)?,
            _ => Vec::new(),
        };
        Ok(HostCandidates { host_id, host, hold_until, urls, elders, more })
    }

    /// The pending URLs of a host behind a position, in the order in which they are to be asked for.
    fn pending_of(&self, host_id: HostId, after: Position, limit: u32) -> Result<Vec<Candidate>> {
        // One after the other: of both together SQLite would read all that is before the position in its rank.
        let mut urls = self.pending_where("u.rank = ?2 AND u.url_id > ?3", host_id, after, limit)?;
        let rest = limit - urls.len() as u32;
        if rest > 0 {
            urls.extend(self.pending_where("u.rank > ?2 AND ?3 IS NOT NULL", host_id, after, rest)?);
        }
        Ok(urls)
    }

    fn pending_where(&self, behind: &str, host_id: HostId, after: Position, limit: u32) -> Result<Vec<Candidate>> {
        // A first crawl has nothing to be asked for again; a page that was read in another way, or has no body, cannot
        // stand for what is wanted now.
        let [validators, past] = if self.has_past() {
            [
                "p.etag, p.last_modified",
                "LEFT JOIN page p ON p.url_id = u.url_id AND p.outcome = 0 AND p.body_id IS NOT NULL \
                   AND EXISTS (SELECT 1 FROM run r WHERE r.run_id = p.run_id AND r.reading = ?5) ",
            ]
        } else {
            ["NULL, NULL", ""]
        };
        let mut select = self.statement(&format!(
            "SELECT u.url_id, u.url, u.attempts, u.forgiven, u.due_at, u.archived_at, \
               iif(u.archived_at IS NULL, NULL, (SELECT f.name FROM file f WHERE f.file_id = u.file_id)), {validators}, \
               u.payload_at, u.depth, u.kind, u.rank FROM url u INDEXED BY frontier {past}\
             WHERE u.in_frontier AND u.outcome IS NULL AND u.host_id = ?1 AND {behind} AND ?5 IS NOT NULL \
             ORDER BY u.rank, u.url_id LIMIT ?4"
        ))?;
        let rows = select.query_map(params![host_id, after.rank, after.url_id, limit, self.reading()], |row| {
            let validators = Validators { etag: row.get(7)?, last_modified: row.get(8)? };
            Ok(Candidate {
                validators: (validators != Validators::default()).then(|| Box::new(validators)),
                url_id: row.get(0)?,
                rank: row.get(12)?,
                url: row.get(1)?,
                attempts: row.get(2)?,
                forgiven: row.get(3)?,
                due_at: row.get(4)?,
                place: Place { depth: row.get(10)?, kind: UrlKind::from_number(row.get(11)?).unwrap_or_default() },
                archived: match (row.get(5)?, row.get::<_, Option<String>>(6)?) {
                    (Some(at), Some(file)) => Some(Box::new(Archived { file, at, payload_at: row.get(9)? })),
                    _ => None,
                },
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The first of each rank behind `rank`, `limit` in all.
    fn elders(&self, host_id: HostId, mut rank: i32, limit: u32) -> Result<Vec<Candidate>> {
        let mut elders = Vec::new();
        while elders.len() < limit as usize {
            let next = self
                .statement(
                    "SELECT rank FROM url INDEXED BY frontier WHERE in_frontier AND outcome IS NULL AND host_id = ?1 AND rank > ?2 \
                     ORDER BY rank LIMIT 1",
                )?
                .query_row(params![host_id, rank], |row| row.get(0))
                .optional()?;
            let Some(next) = next else { break };
            rank = next;
            let some = (limit / 2).max(1).min(limit - elders.len() as u32);
            let of_rank = self.pending_of(host_id, Position { rank, url_id: 0 }, some)?;
            elders.extend(of_rank.into_iter().filter(|elder| elder.rank == rank));
        }
        Ok(elders)
    }

    /// All that is known of an origin: whether a list names its host, and its robots.txt if this run has read it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn origin(&mut self, origin: &str) -> Result<OriginFacts> {
        let host = url::Url::parse(origin).ok().and_then(|url| url.host_str().map(str::to_owned));
        let (listed, hold_until) = self
            .statement("SELECT listed, hold_until FROM host WHERE name = ?1")?
            .query_row([host.unwrap_or_default()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .unwrap_or((false, 0));
        let robots = self
            .statement("SELECT status, zstd FROM robots WHERE origin = ?1 AND run_id = ?2 AND error IS NULL")?
            .query_row(params![origin, self.run_id()], |row| {
                Ok(RobotsText { status: row.get(0)?, zstd: row.get::<_, Option<Vec<u8>>>(1)?.unwrap_or_default() })
            })
            .optional()?;
        Ok(OriginFacts { origin: origin.to_owned(), listed, hold_until, robots })
    }

    /// Splits `urls` into those that have an outcome and those still pending.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn recheck(&mut self, urls: &[UrlId]) -> Result<(Vec<Done>, Vec<StillPending>)> {
        let (mut done, mut pending) = (Vec::new(), Vec::new());
        for &url_id in urls {
            let row = self
                .statement("SELECT outcome, attempts, due_at FROM url WHERE url_id = ?1")?
                .query_row([url_id], |row| Ok((row.get::<_, Option<i64>>(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            match row {
                Some((Some(outcome), ..)) => {
                    let verdict = Outcome::from_number(outcome).map_or(Verdict::Known, |o| Verdict::Ended(o, None));
                    done.push(Done { url_id, verdict, bytes: 0, status: None, robots: false });
                }
                Some((None, attempts, due_at)) => pending.push(StillPending { url_id, attempts, due_at }),
                // Forgotten with an edited list.
                None => pending.push(StillPending { url_id, attempts: 0, due_at: 0 }),
            }
        }
        Ok((done, pending))
    }
}
