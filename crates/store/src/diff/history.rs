//! Every fetch of a URL that ended it, and what follows from it for a run.

use rusqlite::{CachedStatement, Connection, Row, Rows};

use super::Result;
use crate::StoreError;
use crate::read::find_url;
use seine_core::record::{CrawlUrl, Outcome};

/// A fetch of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The run that made it.
    pub run_id: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// Of the answer; of one that was not modified that of the answer it confirms.
    pub status: Option<u16>,
    /// Class of the error.
    pub error: Option<String>,
    /// The site said that all is as it was (304).
    pub not_modified: bool,
    /// Of the body, also if that is kept no more; `None` if it was empty or not asked for.
    pub hash: Option<Vec<u8>>,
    /// The body, if it has a row.
    pub body_id: Option<i64>,
    /// When, in milliseconds of the Unix epoch.
    pub fetched_at: i64,
    /// The title of the page.
    pub title: Option<String>,
}

impl Fetch {
    /// Whether it ended ok.
    pub fn is_ok(&self) -> bool {
        self.outcome == Outcome::Ok
    }

    /// Whether the answer says that there is no such page.
    pub fn says_gone(&self) -> bool {
        self.outcome == Outcome::HttpError && matches!(self.status, Some(404 | 410))
    }
}

/// A URL and its fetches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Its number in the store.
    pub url_id: i64,
    /// As it is requested.
    pub url: String,
    /// The last run whose lists named it no more.
    pub unlisted_by: Option<i64>,
    /// The run after that whose lists named it again.
    pub relisted_by: Option<i64>,
    /// Earliest first.
    pub fetches: Vec<Fetch>,
}

impl History {
    /// The fetch that made the URL what it is as of `run_id`.
    pub fn as_of(&self, run_id: i64) -> Option<&Fetch> {
        self.fetches.iter().rev().find(|fetch| fetch.run_id <= run_id)
    }

    /// Whether no list named it any more, as of `run_id`. Only the last time is known.
    pub fn is_unlisted(&self, run_id: i64) -> bool {
        self.unlisted_by.is_some_and(|unlisted_by| unlisted_by <= run_id)
            && self.relisted_by.is_none_or(|relisted_by| relisted_by > run_id)
    }

    /// Whether the page is known to be no more, as of `run_id`: a failure to fetch it says nothing of that.
    pub fn is_gone(&self, run_id: i64) -> bool {
        let up_to = self.fetches.iter().rev().filter(|fetch| fetch.run_id <= run_id);
        let telling = up_to.into_iter().find(|fetch| fetch.is_ok() || fetch.says_gone());
        self.is_unlisted(run_id) || telling.is_some_and(Fetch::says_gone)
    }

    /// The first of the runs that `counts` which had a whole answer of the page after this time.
    pub fn read_after(&self, time: i64, counts: impl Fn(i64) -> bool) -> Option<i64> {
        let whole = self.fetches.iter().filter(|fetch| fetch.is_ok() && !fetch.not_modified);
        let mut runs = whole.filter(|fetch| fetch.fetched_at > time).map(|fetch| fetch.run_id);
        runs.find(|run_id| counts(*run_id))
    }

    fn push(&mut self, mut fetch: Fetch) {
        if fetch.not_modified && fetch.status == Some(304) {
            let confirmed = self.fetches.iter().rev().find(|fetch| fetch.is_ok());
            fetch.status = confirmed.and_then(|fetch| fetch.status);
        }
        self.fetches.push(fetch);
    }
}

/// The histories of the URLs for which a condition on `url u` and `page p` holds, in the order of their ids.
pub(super) fn sql(condition: &str) -> String {
    // A row for each past fetch, the present one beside it, or one row without a past.
    format!(
        "SELECT u.url_id, u.url, u.unlisted_by, u.relisted_by, \
                p.run_id, p.outcome, p.status, p.error, p.not_modified, b.hash, p.body_id, p.fetched_at, p.title, \
                h.run_id, h.outcome, h.status, h.error, h.not_modified, h.body_hash, h.body_id, h.fetched_at, h.title \
         FROM url u LEFT JOIN page p ON p.url_id = u.url_id LEFT JOIN body b ON b.body_id = p.body_id \
         LEFT JOIN past_page h ON h.url_id = u.url_id \
         WHERE {condition} ORDER BY u.url_id, h.run_id, h.fetched_at"
    )
}

/// Columns of [`sql`] where the present fetch begins, and a past one.
const PRESENT: usize = 4;
const PAST: usize = 13;

/// Calls `visit` for each history of a query made by [`sql`].
pub(super) fn each<E: From<StoreError>>(
    mut rows: Rows<'_>,
    mut visit: impl FnMut(&History) -> Result<(), E>,
) -> Result<(), E> {
    let mut history = History::default();
    let mut present = None;
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        if row.get::<_, i64>(0).map_err(StoreError::from)? != history.url_id {
            finish(&mut history, &mut present, &mut visit)?;
            (history, present) = begin(row).map_err(StoreError::from)?;
        }
        if let Some(fetch) = fetch(row, PAST).map_err(StoreError::from)? {
            history.push(fetch);
        }
    }
    finish(&mut history, &mut present, &mut visit)
}

fn begin(row: &Row<'_>) -> rusqlite::Result<(History, Option<Fetch>)> {
    let history = History {
        url_id: row.get(0)?,
        url: row.get(1)?,
        unlisted_by: row.get(2)?,
        relisted_by: row.get(3)?,
        fetches: Vec::new(),
    };
    Ok((history, fetch(row, PRESENT)?))
}

fn finish<E>(
    history: &mut History,
    present: &mut Option<Fetch>,
    visit: &mut impl FnMut(&History) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(present) = present.take() {
        history.push(present);
    }
    if history.fetches.is_empty() { Ok(()) } else { visit(history) }
}

/// The fetch in the columns from `at` on; `None` if there is none, or if it is not known how it ended.
fn fetch(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Fetch>> {
    let Some(run_id) = row.get::<_, Option<i64>>(at)? else { return Ok(None) };
    let Some(outcome) = row.get::<_, Option<i64>>(at + 1)?.and_then(Outcome::from_number) else { return Ok(None) };
    Ok(Some(Fetch {
        run_id,
        outcome,
        status: row.get(at + 2)?,
        error: row.get(at + 3)?,
        not_modified: row.get(at + 4)?,
        hash: row.get(at + 5)?,
        body_id: row.get(at + 6)?,
        fetched_at: row.get(at + 7)?,
        title: row.get(at + 8)?,
    }))
}

/// Histories asked for one by one; that of the last URL is kept at hand.
pub(super) struct Histories<'db> {
    select: CachedStatement<'db>,
    last: History,
}

impl<'db> Histories<'db> {
    pub fn new(db: &'db Connection) -> Result<Self> {
        Ok(Self { select: db.prepare_cached(&sql("u.url_id = ?1"))?, last: History::default() })
    }

    /// The history of a URL; without fetches if it has none.
    pub fn of(&mut self, url_id: i64) -> Result<&History> {
        if self.last.url_id != url_id {
            let mut found = History { url_id, ..History::default() };
            each(self.select.query([url_id])?, |history| {
                found = history.clone();
                Ok::<_, StoreError>(())
            })?;
            self.last = found;
        }
        Ok(&self.last)
    }
}

/// The history of the URL that `text` is; `None` if the store does not know it.
///
/// # Errors
/// [`StoreError`]
pub fn history(db: &Connection, text: &str) -> Result<Option<History>> {
    let Ok(url) = CrawlUrl::parse(text) else { return Ok(None) };
    let url_id = find_url(db, &url.host, &url.key)?;
    url_id.map(|url_id| Ok(Histories::new(db)?.of(url_id)?.clone())).transpose()
}
