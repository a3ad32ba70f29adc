//! One walk over all pages.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};

use super::top::Top;
use crate::StoreError;
use crate::outcomes::OutcomeCounts;
use seine_core::record::Outcome;

/// Upper bounds of the classes of answer times, in milliseconds; the last class has none.
pub const TIME_BOUNDS_MS: [u64; 7] = [50, 100, 200, 500, 1000, 2000, 5000];
/// Answer times up to this are counted one by one, so that their median is exact.
const EXACT_MS: usize = 10_000;
/// Pages from this depth on are counted together.
pub const MAX_DEPTH: usize = 12;
/// Bytes of the redirects of one page that are looked at.
const MAX_REDIRECTS_BYTES: usize = 1 << 20;
/// Different names of errors that are told apart: there are few, but a store may be somebody else's.
const MAX_ERRORS: usize = 100;

/// All pages, by what they came to.
#[derive(Debug)]
pub struct Pages {
    /// URLs by outcome, as in [`Outcome::ALL`].
    pub outcomes: OutcomeCounts,
    /// What is not ok: `404`, `timeout`.
    pub problems: BTreeMap<String, u64>,
    /// Bytes of all bodies, decompressed; those that several pages share once for each.
    pub bytes: u64,
    /// Pages with an answer, by how long it took: the classes of [`TIME_BOUNDS_MS`].
    pub times: [u64; TIME_BOUNDS_MS.len() + 1],
    /// Half of the answers took no longer, in milliseconds.
    pub median_ms: Option<u64>,
    /// Of twenty answers nineteen took no longer.
    pub p95_ms: Option<u64>,
    /// URLs that are ok, by their distance from the lists; the last are those from [`MAX_DEPTH`] on.
    pub depths: [u64; MAX_DEPTH + 1],
    /// Those that took longest, by milliseconds.
    pub slowest: Top<PageLine>,
    /// Those with the largest bodies, by bytes.
    pub largest: Top<PageLine>,
    /// Those that were redirected, by how often.
    pub redirected: Top<Redirected>,
    /// Those that were redirected more than once.
    pub chains: u64,
    /// HTML pages that are ok and came without a redirect.
    pub html: u64,
    /// Those of them without a title.
    pub untitled: Top<String>,
    /// Those without a description.
    pub undescribed: Top<String>,
    /// Pages that came with success and are not there.
    pub soft_404s: Top<String>,
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageLine {
    /// Its URL.
    pub url: String,
    /// Status of its answer.
    pub status: Option<u16>,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
}

/// One page that was found elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirected {
    /// Its URL.
    pub url: String,
    /// Where it was found.
    pub final_url: String,
    /// Statuses of the redirects, in their order.
    pub statuses: Vec<u16>,
    /// Status of the last answer.
    pub status: Option<u16>,
    /// The error it ended in.
    pub error: Option<String>,
}

/// Answer times, for their median.
struct Times {
    exact: Vec<u64>,
    all: u64,
}

impl Times {
    fn add(&mut self, ms: u64) {
        self.exact[usize::try_from(ms).unwrap_or(EXACT_MS).min(EXACT_MS)] += 1;
        self.all += 1;
    }

    /// So many hundredths of all took no longer than this; what took longer than [`EXACT_MS`] counts as that.
    fn quantile(&self, hundredths: u64) -> Option<u64> {
        let wanted = (self.all * hundredths).div_ceil(100);
        let mut seen = 0;
        let found = self.exact.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.filter(|_| self.all > 0).map(|ms| ms as u64)
    }
}

/// Walks over all pages; lists hold at most `most` of them.
///
/// # Errors
/// [`StoreError`]
pub(super) fn pages(db: &Connection, most: usize) -> Result<Pages, StoreError> {
    let mut pages = Pages {
        outcomes: OutcomeCounts::default(),
        problems: BTreeMap::new(),
        bytes: 0,
        times: Default::default(),
        median_ms: None,
        p95_ms: None,
        depths: Default::default(),
        slowest: Top::new(most),
        largest: Top::new(most),
        redirected: Top::new(most),
        chains: 0,
        html: 0,
        untitled: Top::new(most),
        undescribed: Top::new(most),
        soft_404s: Top::new(most),
    };
    let mut times = Times { exact: vec![0; EXACT_MS + 1], all: 0 };
    let mut select = db.prepare(
        "SELECT p.outcome, p.status, p.error, p.elapsed_ms, p.redirects, p.final_url, p.content_type, b.bytes, u.url, u.depth, \
                p.charset IS NOT NULL AS is_html, coalesce(p.title, '') <> '' AS has_title, \
                coalesce(p.description, '') <> '' AS has_description, p.soft_404 IS NOT NULL AS is_soft_404 \
         FROM page p CROSS JOIN url u ON u.url_id = p.url_id LEFT JOIN body b ON b.body_id = p.body_id",
    )?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let Some(outcome) = row.get::<_, Option<i64>>("outcome")?.and_then(Outcome::from_number) else { continue };
        pages.outcomes[outcome as usize] += 1;
        pages.end(row, outcome)?;
        if !matches!(outcome, Outcome::Rejected | Outcome::RobotsDenied) {
            pages.answer(row, &mut times)?;
        }
        if outcome == Outcome::Ok {
            pages.content(row)?;
        }
    }
    (pages.median_ms, pages.p95_ms) = (times.quantile(50), times.quantile(95));
    Ok(pages)
}

impl Pages {
    /// URLs that were asked for.
    pub fn fetched(&self) -> u64 {
        let asked = [Outcome::Ok, Outcome::HttpError, Outcome::Failed, Outcome::Quarantined, Outcome::Skipped];
        asked.iter().map(|outcome| self.outcomes[*outcome as usize]).sum()
    }

    fn end(&mut self, row: &Row<'_>, outcome: Outcome) -> Result<(), StoreError> {
        if !Outcome::ERRORS.contains(&outcome) {
            return Ok(());
        }
        let error: Option<String> = row.get("error")?;
        let status: Option<u16> = row.get("status")?;
        let name = error.or_else(|| status.map(|status| status.to_string()));
        let name = name.unwrap_or_else(|| outcome.name().to_owned());
        if self.problems.len() < MAX_ERRORS || self.problems.contains_key(&name) {
            *self.problems.entry(name).or_default() += 1;
        }
        Ok(())
    }

    fn answer(&mut self, row: &Row<'_>, times: &mut Times) -> Result<(), StoreError> {
        let line = || -> Result<PageLine, rusqlite::Error> {
            Ok(PageLine { url: row.get("url")?, status: row.get("status")?, content_type: row.get("content_type")? })
        };
        let status: Option<u16> = row.get("status")?;
        if let (Some(ms), Some(_)) = (row.get::<_, Option<u64>>("elapsed_ms")?, status) {
            times.add(ms);
            let class = TIME_BOUNDS_MS.iter().position(|bound| ms < *bound).unwrap_or(TIME_BOUNDS_MS.len());
            self.times[class] += 1;
            let line = line()?;
            self.slowest.offer(ms, || line);
        }
        if let Some(bytes) = row.get::<_, Option<u64>>("bytes")? {
            self.bytes += bytes;
            let line = line()?;
            self.largest.offer(bytes, || line);
        }
        let Some(redirects) = row.get_ref("redirects")?.as_str_or_null().unwrap_or_default() else { return Ok(()) };
        // What is larger was never written by a crawl.
        let redirects = if redirects.len() <= MAX_REDIRECTS_BYTES { redirects } else { "[]" };
        let hops: Vec<(String, u16)> = serde_json::from_str(redirects).unwrap_or_default();
        self.chains += u64::from(hops.len() > 1);
        let redirected = Redirected {
            url: row.get("url")?,
            final_url: row.get::<_, Option<String>>("final_url")?.unwrap_or_default(),
            statuses: hops.iter().map(|(_, status)| *status).collect(),
            status,
            error: row.get("error")?,
        };
        self.redirected.offer(hops.len() as u64, || redirected);
        Ok(())
    }

    fn content(&mut self, row: &Row<'_>) -> Result<(), StoreError> {
        let depth = usize::try_from(row.get::<_, i64>("depth")?).unwrap_or(0);
        self.depths[depth.min(MAX_DEPTH)] += 1;
        if row.get::<_, bool>("is_soft_404")? {
            let url: String = row.get("url")?;
            self.soft_404s.offer(0, || url);
        }
        // What is found elsewhere has the title of that page.
        if !row.get::<_, bool>("is_html")? || row.get_ref("final_url")?.as_str_or_null().is_ok_and(|url| url.is_some())
        {
            return Ok(());
        }
        self.html += 1;
        let url: String = row.get("url")?;
        if !row.get::<_, bool>("has_title")? {
            self.untitled.offer(0, || url.clone());
        }
        if !row.get::<_, bool>("has_description")? {
            self.undescribed.offer(0, || url);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_that_of_all_answers() {
        let quantiles = |all: &[u64]| {
            let mut times = Times { exact: vec![0; EXACT_MS + 1], all: 0 };
            all.iter().for_each(|ms| times.add(*ms));
            (times.quantile(50), times.quantile(95))
        };
        assert_eq!(quantiles(&[]), (None, None));
        assert_eq!(quantiles(&[7]), (Some(7), Some(7)));
        assert_eq!(quantiles(&[1, 2, 3, 4]), (Some(2), Some(4)));
        let twenty: Vec<u64> = (1..=20).collect();
        assert_eq!(quantiles(&twenty), (Some(10), Some(19)));
        assert_eq!(quantiles(&[u64::MAX, 99_999]), (Some(EXACT_MS as u64), Some(EXACT_MS as u64)));
    }
}
