//! The fetches of a URL that ended it, and what follows from them for a run.
//!
//! They are read from the last one back, and no further than what is asked depends on: to tell two late runs apart nothing is
//! read of what was long before them.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row};

use super::Result;
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
    /// Earliest first; from which one on, that depends on who asked.
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
}

/// Where to go on after a fetch.
enum Back {
    /// To the fetch before.
    Fetch,
    /// To the last one before that found something else.
    State,
    /// Nowhere.
    Enough,
}

/// Histories asked for one by one; that of the last URL is kept at hand.
pub(super) struct Histories<'db> {
    /// They reach back to where this run, and what it had to go by, is known.
    from: i64,
    url: CachedStatement<'db>,
    present: CachedStatement<'db>,
    past: CachedStatement<'db>,
    same: CachedStatement<'db>,
    last: History,
}

impl<'db> Histories<'db> {
    /// All that tells what URLs were as of `from` and later runs.
    pub fn since(db: &'db Connection, from: i64) -> Result<Self> {
        Ok(Self {
            from,
            url: db.prepare_cached("SELECT url, unlisted_by, relisted_by FROM url WHERE url_id = ?1")?,
            present: db.prepare_cached(
                "SELECT p.run_id, p.outcome, p.status, p.error, p.not_modified, b.hash, p.body_id, p.fetched_at, p.title, \
                        p.same_id \
                 FROM page p LEFT JOIN body b ON b.body_id = p.body_id WHERE p.url_id = ?1",
            )?,
            past: db.prepare_cached(
                "SELECT run_id, outcome, status, error, not_modified, body_hash, body_id, fetched_at, title, same_id \
                 FROM past_page INDEXED BY past_url WHERE url_id = ?1 ORDER BY past_id DESC",
            )?,
            same: db.prepare_cached(
                "SELECT run_id, fetched_at, not_modified, before_id FROM same_fetch WHERE fetch_id = ?1",
            )?,
            last: History::default(),
        })
    }

    /// The history of a URL; without fetches if it has none.
    ///
    /// Of what was before the first run that is asked for it has, of each state of the page, the last fetch, and no state
    /// before one that was ok.
    pub fn of(&mut self, url_id: i64) -> Result<&History> {
        if self.last.url_id != url_id {
            let found = self.url.query_row([url_id], |row| {
                Ok(History {
                    url_id,
                    url: row.get(0)?,
                    unlisted_by: row.get(1)?,
                    relisted_by: row.get(2)?,
                    fetches: Vec::new(),
                })
            });
            let mut found = found.optional()?.unwrap_or_else(|| History { url_id, ..History::default() });
            let from = self.from;
            self.walk(url_id, |fetch| {
                found.fetches.push(fetch.clone());
                match fetch {
                    later if later.run_id > from => Back::Fetch,
                    ok if ok.is_ok() => Back::Enough,
                    _ => Back::State,
                }
            })?;
            found.fetches.reverse();
            self.last = found;
        }
        Ok(&self.last)
    }

    /// Whether a run after `since`, up to `until`, that `counts` had a whole answer of the page, of a later time than `time`.
    pub fn is_read(
        &mut self,
        url_id: i64,
        (since, until): (i64, i64),
        time: i64,
        counts: impl Fn(i64) -> bool,
    ) -> Result<bool> {
        let mut is_read = false;
        self.walk(url_id, |fetch| {
            if fetch.run_id <= since {
                return Back::Enough;
            }
            if !fetch.is_ok() {
                return Back::State;
            }
            is_read = fetch.run_id <= until && !fetch.not_modified && fetch.fetched_at > time && counts(fetch.run_id);
            if is_read { Back::Enough } else { Back::Fetch }
        })?;
        Ok(is_read)
    }

    /// Calls `visit` for the fetches of a URL, the last one first.
    fn walk(&mut self, url_id: i64, mut visit: impl FnMut(&Fetch) -> Back) -> Result<()> {
        let present = self.present.query_row([url_id], fetch).optional()?.flatten();
        let mut past = self.past.query([url_id])?;
        let mut state = present;
        loop {
            if let Some((mut fetch, mut same_id)) = state.take() {
                loop {
                    match visit(&fetch) {
                        Back::Enough => return Ok(()),
                        Back::State => break,
                        Back::Fetch => {}
                    }
                    let Some(before) = same_id else { break };
                    let row =
                        self.same.query_row([before], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)));
                    (fetch.run_id, fetch.fetched_at, fetch.not_modified, same_id) = row?;
                }
            }
            let Some(row) = past.next()? else { return Ok(()) };
            state = self::fetch(row)?;
        }
    }
}

/// The last fetch of a state and the one before it; `None` if it is not known how it ended.
fn fetch(row: &Row<'_>) -> rusqlite::Result<Option<(Fetch, Option<i64>)>> {
    let Some(outcome) = row.get::<_, Option<i64>>(1)?.and_then(Outcome::from_number) else { return Ok(None) };
    let fetch = Fetch {
        run_id: row.get(0)?,
        outcome,
        status: row.get(2)?,
        error: row.get(3)?,
        not_modified: row.get(4)?,
        hash: row.get(5)?,
        body_id: row.get(6)?,
        fetched_at: row.get(7)?,
        title: row.get(8)?,
    };
    Ok(Some((fetch, row.get(9)?)))
}

/// The whole history of the URL that `text` is; `None` if the store does not know it.
///
/// # Errors
/// [`StoreError`](crate::StoreError)
pub fn history(db: &Connection, text: &str) -> Result<Option<History>> {
    let Ok(url) = CrawlUrl::parse(text) else { return Ok(None) };
    let url_id = find_url(db, &url.host, &url.key)?;
    url_id.map(|url_id| Ok(Histories::since(db, i64::MIN)?.of(url_id)?.clone())).transpose()
}
