//! Proof from the record that every limit was kept and that nothing is missing: `seine audit`.
//!
//! Requests go by in the order of their starts, sorted by SQLite, host by host; what is kept of them is bounded.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use rusqlite::{Connection, OptionalExtension};
use serde::Serialize;

use super::StoreError;

/// A gap may be this much shorter than its limit: starts are recorded by the wall clock, which is adjusted (by NTP, at
/// most half a millisecond a second) while the limit is kept by another that is not.
pub const TOLERANCE_US: u64 = 1000;

/// Rates are those of this time.
const SECOND_US: u64 = 1_000_000;

/// Violations shown; all are counted.
pub const MAX_SHOWN: usize = 100;

/// The findings. Times are microseconds of the Unix epoch, as all `*_us`.
#[derive(Debug, Default, Serialize)]
pub struct Audit {
    /// Whether every limit was kept and nothing is missing.
    pub fine: bool,
    /// Requests of all kinds, robots.txt files and redirects included.
    pub requests: u64,
    /// Hosts asked.
    pub hosts: u64,
    /// Start of the first request.
    pub first_us: Option<u64>,
    /// Start of the last.
    pub last_us: Option<u64>,
    /// Gaps that were shorter than the limit in force.
    pub violations: u64,
    /// The first of them, at most [`MAX_SHOWN`].
    pub shown_violations: Vec<Violation>,
    /// The hosts that came closest to their limits first.
    pub tightest: Vec<HostPace>,
    /// The rate over all hosts, if the last run has a limit.
    pub rate: Option<RateCheck>,
    /// Whether inputs = outcomes + pending, and what else must hold.
    pub completeness: Completeness,
}

/// The pace of one host, over all runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostPace {
    /// Its name.
    pub host: String,
    /// Requests made.
    pub requests: u64,
    /// Smallest gap between the starts of two requests, measured by what it left of the limit in force for them.
    pub smallest_gap_us: Option<u64>,
    /// That limit.
    pub limit_us: Option<u64>,
    /// Gaps below their limit.
    pub violations: u64,
    /// Most requests started within a second.
    pub largest_rate: u64,
    /// Most requests in flight at once.
    pub most_in_flight: u64,
    /// Start of its first request.
    pub first_us: u64,
    /// Start of its last.
    pub last_us: u64,
}

/// A gap that was too short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The host asked.
    pub host: String,
    /// The gap.
    pub gap_us: u64,
    /// The gap that was in force.
    pub limit_us: u64,
    /// Start of the later request.
    pub started_us: u64,
    /// The URL it was made for.
    pub url: Option<String>,
}

/// The rate over all hosts in the last run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RateCheck {
    /// `--rate`, as the last invocation had it.
    pub limit: String,
    /// Most requests started within a second.
    pub largest: u64,
    /// So many the limit allows within any second.
    pub allowed: u64,
}

/// Sums that must agree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Completeness {
    /// Lines of lists that name something.
    pub lines: u64,
    /// Those whose URL has an outcome.
    pub lines_ended: u64,
    /// Those whose URL is pending.
    pub lines_pending: u64,
    /// URLs with an outcome that have no page.
    pub without_page: u64,
    /// Pages of URLs that are pending or unknown.
    pub stray_pages: u64,
    /// Pages.
    pub pages: u64,
    /// URLs ended by all runs, as they counted them.
    pub counted: u64,
    /// The answer of `PRAGMA quick_check`.
    pub quick_check: String,
}

impl Completeness {
    /// Whether all adds up.
    pub fn is_fine(&self) -> bool {
        self.lines == self.lines_ended + self.lines_pending
            && self.without_page == 0
            && self.stray_pages == 0
            && self.pages == self.counted
            && self.quick_check == "ok"
    }
}

impl RateCheck {
    /// Whether it was kept.
    pub fn is_fine(&self) -> bool {
        self.largest <= self.allowed
    }
}

/// Audits the store; of hosts it shows the `shown` ones that came closest to their limit.
///
/// # Errors
/// [`StoreError`]
pub fn audit(db: &Connection, shown: usize) -> Result<Audit, StoreError> {
    // One snapshot, so that a running crawl does not look like a mistake.
    let db = db.unchecked_transaction()?;
    audit_in(&db, shown)
}

/// The same in the snapshot that the caller has open.
pub(super) fn audit_in(db: &Connection, shown: usize) -> Result<Audit, StoreError> {
    let mut audit = Audit { completeness: completeness(db)?, rate: rate(db)?, ..Audit::default() };
    paces(db, shown, &mut audit)?;
    audit.fine =
        audit.violations == 0 && audit.completeness.is_fine() && audit.rate.as_ref().is_none_or(RateCheck::is_fine);
    Ok(audit)
}

/// A host's pace so far.
struct Watch {
    host_id: i64,
    pace: HostPace,
    /// Starts within the last second.
    recent: VecDeque<u64>,
    /// Ends of requests in flight.
    in_flight: BinaryHeap<Reverse<u64>>,
    last_url_id: i64,
}

fn paces(db: &Connection, shown: usize, audit: &mut Audit) -> Result<(), StoreError> {
    let mut names = db.prepare("SELECT name FROM host WHERE host_id = ?1")?;
    let mut urls = db.prepare("SELECT url FROM url WHERE url_id = ?1")?;
    let mut select =
        db.prepare("SELECT host_id, started_us, elapsed_ms, gap_ms, url_id FROM request ORDER BY host_id, started_us")?;
    let mut rows = select.query([])?;
    let mut tightest = BTreeSet::new();
    let mut watch: Option<Watch> = None;
    while let Some(row) = rows.next()? {
        let (host_id, started_us): (i64, u64) = (row.get(0)?, row.get(1)?);
        let (elapsed_ms, gap_ms, url_id): (u64, u64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
        if watch.as_ref().is_none_or(|watch| watch.host_id != host_id) {
            finish(watch.take(), shown, &mut tightest, audit);
            let host = names.query_row([host_id], |row| row.get(0)).optional()?;
            watch = Some(Watch::new(host_id, host.unwrap_or_default(), started_us));
        }
        let Some(watch) = &mut watch else { continue };
        // A record that reached the store twice: one request, whoever counts.
        if watch.pace.requests > 0 && (watch.pace.last_us, watch.last_url_id) == (started_us, url_id) {
            continue;
        }
        let violation = watch.request(started_us, elapsed_ms, gap_ms.saturating_mul(1000));
        watch.last_url_id = url_id;
        if let Some(mut violation) = violation {
            audit.violations += 1;
            if audit.shown_violations.len() < MAX_SHOWN {
                violation.url = urls.query_row([url_id], |row| row.get(0)).optional()?;
                audit.shown_violations.push(violation);
            }
        }
    }
    finish(watch, shown, &mut tightest, audit);
    audit.tightest = tightest.into_iter().map(|ByTightness(pace)| pace).collect();
    Ok(())
}

/// The last request of a host has gone by.
fn finish(watch: Option<Watch>, shown: usize, tightest: &mut BTreeSet<ByTightness>, audit: &mut Audit) {
    let Some(Watch { pace, .. }) = watch else { return };
    audit.requests += pace.requests;
    audit.hosts += 1;
    audit.first_us = Some(audit.first_us.map_or(pace.first_us, |first| first.min(pace.first_us)));
    audit.last_us = audit.last_us.max(Some(pace.last_us));
    tightest.insert(ByTightness(pace));
    if tightest.len() > shown {
        tightest.pop_last();
    }
}

impl Watch {
    fn new(host_id: i64, host: String, first_us: u64) -> Self {
        let pace = HostPace {
            host,
            requests: 0,
            smallest_gap_us: None,
            limit_us: None,
            violations: 0,
            largest_rate: 0,
            most_in_flight: 0,
            first_us,
            last_us: first_us,
        };
        Self { host_id, pace, recent: VecDeque::new(), in_flight: BinaryHeap::new(), last_url_id: 0 }
    }

    /// Takes the next request; says whether it came too early. The limit is the one that was in force for it.
    fn request(&mut self, started_us: u64, elapsed_ms: u64, limit_us: u64) -> Option<Violation> {
        let pace = &mut self.pace;
        let mut violation = None;
        if pace.requests > 0 {
            let gap_us = started_us - pace.last_us;
            if pace.margin().is_none_or(|margin| margin_of(gap_us, limit_us) < margin) {
                (pace.smallest_gap_us, pace.limit_us) = (Some(gap_us), Some(limit_us));
            }
            if gap_us + TOLERANCE_US < limit_us {
                pace.violations += 1;
                violation = Some(Violation { host: pace.host.clone(), gap_us, limit_us, started_us, url: None });
            }
        }
        pace.requests += 1;
        pace.last_us = started_us;
        pace.largest_rate = pace.largest_rate.max(slide(&mut self.recent, started_us));
        while self.in_flight.peek().is_some_and(|Reverse(ended_us)| *ended_us <= started_us) {
            self.in_flight.pop();
        }
        self.in_flight.push(Reverse(started_us.saturating_add(elapsed_ms.saturating_mul(1000))));
        pace.most_in_flight = pace.most_in_flight.max(self.in_flight.len() as u64);
        violation
    }
}

/// The share of its limit that a gap leaves.
fn margin_of(gap_us: u64, limit_us: u64) -> i128 {
    i128::from(gap_us) - i128::from(limit_us)
}

impl HostPace {
    fn margin(&self) -> Option<i128> {
        Some(margin_of(self.smallest_gap_us?, self.limit_us?))
    }
}

/// The host with the least margin first; hosts without any gap last.
struct ByTightness(HostPace);

impl ByTightness {
    fn key(&self) -> (bool, Option<i128>, &str) {
        (self.0.margin().is_none(), self.0.margin(), &self.0.host)
    }
}

impl Ord for ByTightness {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for ByTightness {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByTightness {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByTightness {}

/// Adds a start; says how many there are within the second that ends with it.
fn slide(recent: &mut VecDeque<u64>, started_us: u64) -> u64 {
    while recent.front().is_some_and(|first| started_us - first >= SECOND_US) {
        recent.pop_front();
    }
    recent.push_back(started_us);
    recent.len() as u64
}

/// The largest rate of the last run, if it has a limit.
fn rate(db: &Connection) -> Result<Option<RateCheck>, StoreError> {
    let last = db
        .query_row("SELECT run_id, config ->> 'rate' FROM run ORDER BY run_id DESC LIMIT 1", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?))
        })
        .optional()?;
    let Some((run_id, Some(limit))) = last else { return Ok(None) };
    let Some(gap_us) = limit.parse::<seine_core::values::Rate>().ok().map(|rate| rate.gap().as_micros() as u64) else {
        return Ok(None);
    };
    let mut recent = VecDeque::new();
    let mut largest = 0;
    let mut select = db.prepare("SELECT started_us FROM request WHERE run_id = ?1 ORDER BY started_us")?;
    let mut rows = select.query([run_id])?;
    while let Some(row) = rows.next()? {
        largest = largest.max(slide(&mut recent, row.get(0)?));
    }
    // The first of a second is free; the others take a gap each.
    let allowed = (SECOND_US + TOLERANCE_US) / gap_us.max(1) + 1;
    Ok(Some(RateCheck { limit, largest, allowed }))
}

fn completeness(db: &Connection) -> Result<Completeness, StoreError> {
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, u64>(0));
    // Sets instead of joins: SQLite plans joins by statistics, and those of a small beginning would have it read the
    // whole of one table for each row of the other.
    let ended = "SELECT url_id FROM url WHERE outcome IS NOT NULL";
    Ok(Completeness {
        lines: number("SELECT count(*) FROM input")?,
        lines_ended: number(&format!("SELECT count(*) FROM input WHERE url_id IN ({ended})"))?,
        lines_pending: number(
            "SELECT count(*) FROM input WHERE url_id IN (SELECT url_id FROM url WHERE in_frontier AND outcome IS NULL)",
        )?,
        without_page: number(&format!("SELECT count(*) FROM ({ended} EXCEPT SELECT url_id FROM page)"))?,
        stray_pages: number("SELECT count(*) FROM (SELECT url_id FROM page EXCEPT SELECT url_id FROM url)")?,
        // One whose URL is pending again will be replaced.
        pages: number(
            "SELECT count(*) FROM page WHERE url_id NOT IN (SELECT url_id FROM url WHERE in_frontier AND outcome IS NULL)",
        )?,
        counted: number("SELECT coalesce(sum(urls), 0) FROM total")?,
        quick_check: db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?,
    })
}
