//! Pages that bring nothing new: near-duplicates, soft 404s, hosts that are mirrors of others, hosts that repeat themselves.
//!
//! All of it is found at the end of a run from what the pages of the store have, and only if some have changed since it was
//! found last: so kills make no difference, and a run that finds all as it was pays nothing. Pages of a host are looked at in
//! the order in which they came into the crawl, [`AT_A_TIME`] at a time: memory does not depend on how many there are.
//!
//! - `near`: which texts are nearly the same.
//! - `known`: the texts of a run that shall end where nothing new comes, known to the writer page by page.

mod known;
mod near;

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde::Serialize;

use super::StoreError;
pub(crate) use known::{forget, note, quiet_pages};
use near::Likeness;
use seine_core::protocol::HostId;
use seine_core::record::{NEAR_BITS, Outcome, UrlId};

/// Pages of a host that are compared with each other. There are few sites of more.
pub const AT_A_TIME: usize = 500_000;

/// The last pages of a host that say what others said, from which on it is named.
pub const QUIET_PAGES: u64 = 1000;

/// Pages of a host that may be a mirror, at least ...
const MIRROR_PAGES: u64 = 10;
/// ... and how many of a hundred of them the other host has.
const MIRROR_PERCENT: u64 = 90;
/// Hosts that have a body, and pairs of hosts that have one in common, as far as they are looked at.
const HOSTS_OF_BODY: usize = 16;
const HOST_PAIRS: usize = 100_000;

/// Answers of a host with 404 that pages are held against.
const MISSING_KEPT: usize = 16;

/// Hosts of a kind that are named.
const NAMED: u32 = 5;

/// The numbers of a page in column `soft_404`.
pub(crate) const SAYS_SO: i64 = 1;
const LIKE_404: i64 = 2;

/// Steps of SQLite between two looks at the clock.
const STEPS: i32 = 100_000;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What brings nothing new, as of the end of the last run that looked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Alike {
    /// Pages that say nearly what an earlier page of their host says.
    pub near_duplicates: u64,
    /// Pages that are not there, by what they say or since they are like an answer of their host with 404, but came with 200.
    pub soft_404: u64,
    /// Hosts of which the pages are those of another; the largest first.
    pub mirrors: Vec<Mirror>,
    /// Hosts of which the last pages say what earlier ones said; those with most such pages first.
    pub nothing_new: Vec<Quiet>,
}

/// See [`Alike::mirrors`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mirror {
    /// The host.
    pub host: String,
    /// The one that has the same pages.
    pub of_host: String,
    /// Pages of the host of which that one has the same bytes.
    pub same: u64,
    /// Pages of the host.
    pub pages: u64,
}

/// See [`Alike::nothing_new`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quiet {
    /// The host.
    pub host: String,
    /// Its last pages that brought nothing new.
    pub pages: u64,
}

impl Alike {
    /// Reads what was found.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn of(db: &Connection) -> Result<Self> {
        let mut mirrors = db.prepare(
            "SELECT (SELECT h.name FROM host h WHERE h.host_id = m.host_id), (SELECT h.name FROM host h WHERE h.host_id = m.of_id), \
               m.same, m.pages FROM mirror m ORDER BY m.same DESC, m.host_id LIMIT ?1",
        )?;
        let mirrors = mirrors.query_map([NAMED], |row| {
            Ok(Mirror { host: row.get(0)?, of_host: row.get(1)?, same: row.get(2)?, pages: row.get(3)? })
        })?;
        let mut quiet = db.prepare(
            "SELECT (SELECT h.name FROM host h WHERE h.host_id = q.host_id), q.pages FROM quiet_host q \
             ORDER BY q.pages DESC, q.host_id LIMIT ?1",
        )?;
        let quiet = quiet.query_map([NAMED], |row| Ok(Quiet { host: row.get(0)?, pages: row.get(1)? }))?;
        let (near_duplicates, soft_404) =
            db.query_row("SELECT near_duplicates, soft_404 FROM alike", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self {
            near_duplicates,
            soft_404,
            mirrors: mirrors.collect::<Result<_, _>>()?,
            nothing_new: quiet.collect::<Result<_, _>>()?,
        })
    }
}

/// Pages have changed: what was found of them may not hold any more.
pub(crate) fn note_change(db: &Connection) -> Result<()> {
    db.prepare_cached("UPDATE alike SET is_stale = 1 WHERE NOT is_stale")?.execute([])?;
    Ok(())
}

/// Finds all of it anew, if pages have changed, or were read in another way than by this `reading`. `false`: that would take
/// longer than `most_time`, so what was found at an earlier end stands.
pub(crate) fn find(db: &mut Connection, reading: &[u8; 16], most_time: Duration) -> Result<bool> {
    if !db.query_row("SELECT is_stale OR reading IS NOT ?1 FROM alike", [reading], |row| row.get::<_, bool>(0))? {
        return Ok(true);
    }
    let begun = Instant::now();
    let is_over = move || begun.elapsed() > most_time;
    // Pages are sorted by their hosts, and that shall not be in memory however many there are.
    db.pragma_update(None, "temp_store", "file")?;
    db.progress_handler(STEPS, Some(is_over))?;
    let found = find_in(db, reading, &is_over);
    db.progress_handler(0, None::<fn() -> bool>)?;
    db.pragma_update(None, "temp_store", "memory")?;
    match found {
        Err(_) if is_over() => Ok(false),
        found => found,
    }
}

fn find_in(db: &mut Connection, reading: &[u8; 16], is_over: &dyn Fn() -> bool) -> Result<bool> {
    let transaction = db.transaction()?;
    transaction.execute_batch("DELETE FROM near_duplicate; DELETE FROM mirror; DELETE FROM quiet_host")?;
    let mut found = Found::default();
    let mut some = Vec::new();
    {
        let mut select = transaction.prepare(
            "SELECT u.host_id, p.url_id, p.outcome, p.likeness, p.body_id, p.soft_404 \
             FROM page p CROSS JOIN url u ON u.url_id = p.url_id \
             WHERE u.kind = 0 AND (p.outcome = 0 OR p.outcome = 1 AND p.status IN (404, 410)) ORDER BY u.host_id, p.url_id",
        )?;
        let mut rows = select.query([])?;
        let mut host = None;
        while let Some(row) = rows.next()? {
            let of_row = Some(row.get::<_, HostId>(0)?);
            if of_row != host || some.len() >= AT_A_TIME {
                if is_over() {
                    return Ok(false);
                }
                found.look_at(&transaction, host, &some)?;
                some.clear();
            }
            if of_row != host {
                found.end_host(&transaction, host)?;
                host = of_row;
            }
            some.push(Page {
                url_id: row.get(1)?,
                is_ok: row.get::<_, i64>(2)? == Outcome::Ok as i64,
                likeness: row.get::<_, Option<[u8; 16]>>(3)?.map(Likeness::from_be_bytes),
                body_id: row.get(4)?,
                soft_404: row.get(5)?,
            });
        }
        found.look_at(&transaction, host, &some)?;
        found.end_host(&transaction, host)?;
    }
    if found.pages_of.len() > 1 {
        find_mirrors(&transaction, &found.pages_of)?;
    }
    transaction.execute(
        "UPDATE alike SET is_stale = 0, reading = ?1, near_duplicates = ?2, soft_404 = ?3",
        params![reading, found.near_duplicates, found.soft_404],
    )?;
    transaction.commit()?;
    Ok(true)
}

/// A page as it is looked at.
#[derive(Clone, Copy, Debug)]
struct Page {
    url_id: UrlId,
    /// Otherwise it is an answer with 404 or 410.
    is_ok: bool,
    likeness: Option<Likeness>,
    body_id: Option<i64>,
    soft_404: Option<i64>,
}

/// What was found so far.
#[derive(Debug, Default)]
struct Found {
    near_duplicates: u64,
    soft_404: u64,
    /// Hosts that may be mirrors, with their pages.
    pages_of: BTreeMap<HostId, u64>,
    /// Of the host: its pages, and how many of them, the last ones, brought nothing new.
    pages: u64,
    quiet: u64,
}

impl Found {
    /// Looks at some pages of a host.
    fn look_at(&mut self, db: &Connection, host: Option<HostId>, pages: &[Page]) -> Result<()> {
        if host.is_none() || pages.is_empty() {
            return Ok(());
        }
        let soft = soft_404s(pages);
        let mut set = db.prepare_cached("UPDATE page SET soft_404 = ?2 WHERE url_id = ?1")?;
        for (page, soft) in pages.iter().zip(&soft) {
            self.soft_404 += u64::from(soft.is_some());
            if page.soft_404 != *soft {
                set.execute(params![page.url_id, soft])?;
            }
        }
        let with_text: Vec<usize> =
            (0..pages.len()).filter(|at| pages[*at].is_ok && pages[*at].likeness.is_some()).collect();
        let texts: Vec<_> = with_text.iter().filter_map(|at| pages[*at].likeness).collect();
        let mut is_near = vec![false; pages.len()];
        let mut insert =
            db.prepare_cached("INSERT INTO near_duplicate(url_id, of_id, distance) VALUES (?1, ?2, ?3)")?;
        for (at, near) in with_text.iter().zip(near::nearest(&texts)) {
            if let Some((of, distance)) = near {
                is_near[*at] = true;
                self.near_duplicates += 1;
                insert.execute(params![pages[*at].url_id, pages[with_text[of]].url_id, distance])?;
            }
        }
        let mut bodies = HashSet::new();
        for (at, page) in pages.iter().enumerate().filter(|(_, page)| page.is_ok) {
            let is_known = page.body_id.is_none_or(|body_id| !bodies.insert(body_id));
            let is_new = !is_near[at] && !is_known && soft[at].is_none();
            self.quiet = if is_new { 0 } else { self.quiet + 1 };
            self.pages += 1;
        }
        Ok(())
    }

    fn end_host(&mut self, db: &Connection, host: Option<HostId>) -> Result<()> {
        let (pages, quiet) = (std::mem::take(&mut self.pages), std::mem::take(&mut self.quiet));
        if let Some(host) = host {
            if quiet >= QUIET_PAGES {
                db.prepare_cached("INSERT INTO quiet_host(host_id, pages) VALUES (?1, ?2)")?
                    .execute(params![host, quiet])?;
            }
            if pages >= MIRROR_PAGES {
                self.pages_of.insert(host, pages);
            }
        }
        Ok(())
    }
}

/// Which pages are soft 404s, and why.
///
/// An answer with 404 that is like most pages of its host says nothing: so are pages that only a script would fill.
fn soft_404s(pages: &[Page]) -> Vec<Option<i64>> {
    let mut missing: Vec<Likeness> = Vec::new();
    let mut bodies = HashSet::new();
    let is_like = |likeness: Likeness, missing: &[Likeness]| {
        missing.iter().any(|other| (other ^ likeness).count_ones() <= NEAR_BITS)
    };
    for page in pages.iter().filter(|page| !page.is_ok) {
        match (page.likeness, page.body_id) {
            (Some(likeness), _) if missing.len() < MISSING_KEPT && !is_like(likeness, &missing) => {
                missing.push(likeness)
            }
            (None, Some(body_id)) => drop(bodies.insert(body_id)),
            _ => {}
        }
    }
    let is_missing = |page: &Page| match (page.likeness, page.body_id) {
        (Some(likeness), _) => is_like(likeness, &missing),
        (None, Some(body_id)) => bodies.contains(&body_id),
        (None, None) => false,
    };
    let like: Vec<bool> = pages.iter().map(|page| page.is_ok && is_missing(page)).collect();
    let (ok, alike) = (pages.iter().filter(|page| page.is_ok).count(), like.iter().filter(|like| **like).count());
    let counts = 2 * alike <= ok;
    let reason = |(page, like): (&Page, bool)| match page.soft_404 {
        _ if !page.is_ok => None,
        Some(SAYS_SO) => Some(SAYS_SO),
        _ => (like && counts).then_some(LIKE_404),
    };
    pages.iter().zip(like).map(reason).collect()
}

/// Finds hosts of which the pages are those of another: of two that are alike the one that came into the store later.
fn find_mirrors(db: &Connection, pages_of: &BTreeMap<HostId, u64>) -> Result<()> {
    let mut pairs = Pairs::default();
    let mut select = db.prepare(
        "SELECT p.body_id, u.host_id, count(*) FROM page p CROSS JOIN url u ON u.url_id = p.url_id \
         WHERE u.kind = 0 AND p.outcome = 0 AND p.body_id IS NOT NULL GROUP BY 1, 2",
    )?;
    let mut rows = select.query([])?;
    let (mut body, mut hosts) = (None, Vec::new());
    while let Some(row) = rows.next()? {
        let (of_row, host, pages) = (row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?);
        if body != Some(of_row) {
            pairs.count(&hosts);
            hosts.clear();
            body = Some(of_row);
        }
        if hosts.len() < HOSTS_OF_BODY && pages_of.contains_key(&host) {
            hosts.push((host, pages));
        }
    }
    pairs.count(&hosts);
    let mut mirrors: BTreeMap<HostId, (u64, HostId)> = BTreeMap::new();
    for (&(first, second), &[of_first, of_second]) in &pairs.same {
        let is_mirror = |host: HostId, same: u64| same * 100 >= pages_of[&host] * MIRROR_PERCENT;
        let found = if is_mirror(second, of_second) {
            (second, of_second, first)
        } else if is_mirror(first, of_first) {
            (first, of_first, second)
        } else {
            continue;
        };
        let (host, same, of) = found;
        // The pairs come in order: of several it is the first.
        let known = mirrors.entry(host).or_insert((same, of));
        if same > known.0 {
            *known = (same, of);
        }
    }
    let mut insert = db.prepare("INSERT INTO mirror(host_id, of_id, same, pages) VALUES (?1, ?2, ?3, ?4)")?;
    for (host, (same, of)) in mirrors {
        insert.execute(params![host, of, same, pages_of[&host]])?;
    }
    Ok(())
}

/// Pairs of hosts, the earlier one first, with how many pages of each the other has.
#[derive(Debug, Default)]
struct Pairs {
    same: BTreeMap<(HostId, HostId), [u64; 2]>,
}

impl Pairs {
    /// Takes the hosts that have a body, in their order, with how many pages of each have it.
    fn count(&mut self, hosts: &[(HostId, u64)]) {
        for (at, (first, of_first)) in hosts.iter().enumerate() {
            for (second, of_second) in &hosts[at + 1..] {
                let has_room = self.same.len() < HOST_PAIRS;
                let pair = (*first, *second);
                if has_room || self.same.contains_key(&pair) {
                    let same = self.same.entry(pair).or_default();
                    *same = [same[0] + of_first, same[1] + of_second];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
