//! Links held against what the crawl made of their targets: which are broken, and who links to a page; and the pages of
//! that graph.
//!
//! Links are read in the order of their pages, one at a time, and the target of each is looked up by its key, as that of
//! a line of a list is. So memory does not depend on how many there are, and time grows with them. Most links of a site
//! lead to the same few pages: what was found of the last targets is kept at hand.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::RangeInclusive;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Statement, params};
use serde::Serialize;

use super::collections::quoted;
use super::read::find_url;
use super::rows::{Filter, SelectError, condition};
use super::tables::{Column, Table};
use super::{NO_HOST, StoreError};
use seine_core::record::{CrawlUrl, Outcome, UrlId};

/// Memory of the targets that are kept at hand.
const MEMO_BYTES: usize = 4 << 20;

/// The state of a link: whether its target is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The target answered with success, after redirects, or was passed over for its type.
    Ok,
    /// It answered with an error, or not at all.
    Broken,
    /// It was not asked for: no list names it and nothing followed it, robots.txt forbids it, or it is still pending.
    Unchecked,
}

impl State {
    /// The name in every format: never reworded.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Broken => "broken",
            Self::Unchecked => "unchecked",
        }
    }
}

/// What the crawl knows of a URL that something links to; of one that it does not know, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Its number, if it is in the store.
    pub url_id: Option<UrlId>,
    /// How it ended; `None`: it is pending, or unknown.
    pub outcome: Option<Outcome>,
    /// Status of the last answer, after redirects.
    pub status: Option<u16>,
    /// The class of error.
    pub error: Option<String>,
    /// Where redirects led; `None` without any.
    pub final_url: Option<String>,
}

impl Target {
    /// The state of a link to it; an answer with one of the `accepted` statuses is no error.
    pub fn state(&self, accepted: &[RangeInclusive<u16>]) -> State {
        let has = |statuses: &[RangeInclusive<u16>]| {
            self.status.is_some_and(|status| statuses.iter().any(|range| range.contains(&status)))
        };
        match self.outcome {
            Some(Outcome::Ok) => State::Ok,
            Some(Outcome::HttpError) if has(accepted) => State::Ok,
            // Of what was passed over the headers came; of what a rule kept from being asked for nothing did.
            Some(Outcome::Skipped) if has(&[200..=299]) => State::Ok,
            Some(outcome) if Outcome::ERRORS.contains(&outcome) => State::Broken,
            _ => State::Unchecked,
        }
    }

    /// The reason for its state in a word: `404`, `timeout`, `robots_denied`, `pending`, `unknown`.
    pub fn reason(&self) -> String {
        match (self.url_id, self.outcome, self.status, &self.error) {
            (None, ..) => "unknown".to_owned(),
            (_, None, ..) => "pending".to_owned(),
            (_, Some(_), Some(status), None) => status.to_string(),
            (_, Some(_), _, Some(error)) => error.clone(),
            (_, Some(outcome), None, None) => outcome.name().to_owned(),
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.error.as_ref().map_or(0, String::len) + self.final_url.as_ref().map_or(0, String::len)
    }
}

/// One link, and what became of its target.
#[derive(Clone, Debug)]
pub struct Link<'r> {
    /// Number of the page it stands on.
    pub page_id: UrlId,
    /// The URL of that page.
    pub from_url: Cow<'r, str>,
    /// Where it leads.
    pub to_url: Cow<'r, str>,
    /// Its text.
    pub text: Cow<'r, str>,
    /// The row of the view `links`: a value for each of [`Links::columns`].
    pub cells: &'r [ValueRef<'r>],
    /// Its target.
    pub target: &'r Target,
    /// Whether that is there.
    pub state: State,
}

/// How many links there are, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub links: u64,
    /// [`State::Ok`]
    pub ok: u64,
    /// [`State::Broken`]
    pub broken: u64,
    /// [`State::Unchecked`]
    pub unchecked: u64,
    /// Pages that have a broken link.
    pub pages_with_broken: u64,
}

/// The links that are asked for.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Those rows of the view `links`.
    pub filter: Filter,
    /// Those on this page.
    pub from: Option<CrawlUrl>,
    /// Those that lead to this URL, however it is written.
    pub to: Option<CrawlUrl>,
    /// Statuses that are no errors.
    pub accepted: Vec<RangeInclusive<u16>>,
    /// Of a page that redirects led to, and that is in the store by itself, links are told once: not again as those of the
    /// URLs that led there.
    pub once: bool,
}

/// Links that can be read.
#[derive(Debug)]
pub struct Links {
    columns: Vec<Column>,
    places: Places,
    sql: String,
    to: Option<CrawlUrl>,
    accepted: Vec<RangeInclusive<u16>>,
    once: bool,
}

/// Where in a row the columns are that are looked at here.
#[derive(Clone, Copy, Debug)]
struct Places {
    page_id: usize,
    from_url: usize,
    to_url: usize,
    text: usize,
}

/// Why links cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LinksError {
    /// The page they should stand on.
    #[error("{0} is not in the store, so nothing is known of its links")]
    UnknownPage(String),
    /// The condition.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for LinksError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Links {
    /// The links in `scope`.
    ///
    /// # Errors
    /// [`LinksError`]
    pub fn of(db: &Connection, scope: Scope) -> Result<Self, LinksError> {
        let table = Table::find(db, "links").map_err(SelectError::from)?;
        let mut condition = condition(db, &table, "links", &scope.filter)?;
        if let Some(from) = &scope.from {
            let page = find_url(db, &from.host, &from.key)?;
            let page = page.ok_or_else(|| LinksError::UnknownPage(from.url.clone()))?;
            condition.push_str(&format!(" AND url_id = {page}"));
        }
        let list: Vec<_> = table.columns.iter().map(|column| quoted(&column.name)).collect();
        let place = |name: &str| table.columns.iter().position(|column| column.name == name).unwrap_or(0);
        let places = Places {
            page_id: place("url_id"),
            from_url: place("from_url"),
            to_url: place("to_url"),
            text: place("text"),
        };
        let sql = format!("SELECT {} FROM links WHERE {condition} ORDER BY url_id", list.join(", "));
        // Of a page that was named all links are wanted.
        let once = scope.once && scope.from.is_none();
        Ok(Self { columns: table.columns, places, sql, to: scope.to, accepted: scope.accepted, once })
    }

    /// The columns of the view `links`, those of [`Link::cells`].
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Hands each link to `visit`, until it fails, and counts them. The caller has a snapshot open.
    ///
    /// # Errors
    /// Those of `visit`; [`StoreError`] as one of its kind.
    pub fn read<E: From<StoreError>>(
        &self,
        db: &Connection,
        mut visit: impl FnMut(&Link<'_>) -> Result<(), E>,
    ) -> Result<Counts, E> {
        let mut targets = Targets::new(db)?;
        let mut statement = db.prepare(&self.sql).map_err(StoreError::from)?;
        let mut rows = statement.query([]).map_err(StoreError::from)?;
        let mut tally = Tally::default();
        let mut page = (0, false);
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let cells = (0..self.columns.len()).map(|at| row.get_ref(at)).collect::<Result<Vec<_>, _>>();
            let cells = cells.map_err(StoreError::from)?;
            let page_id = cells[self.places.page_id].as_i64().unwrap_or_default();
            if self.once && page.0 != page_id {
                page = (page_id, targets.is_elsewhere(page_id)?);
            }
            let to_url = text(cells[self.places.to_url]);
            if page.1 || self.to.as_ref().is_some_and(|to| !is_same(to, &to_url)) {
                continue;
            }
            let target = targets.find(&to_url)?;
            let link = Link {
                page_id,
                from_url: text(cells[self.places.from_url]),
                text: text(cells[self.places.text]),
                to_url,
                cells: &cells,
                state: target.state(&self.accepted),
                target,
            };
            tally.add(&link);
            visit(&link)?;
        }
        Ok(tally.counts)
    }
}

/// Counts links as they come, page by page.
#[derive(Default)]
struct Tally {
    counts: Counts,
    /// The last page with a broken link.
    broken_page: Option<UrlId>,
}

impl Tally {
    fn add(&mut self, link: &Link<'_>) {
        let counts = &mut self.counts;
        counts.links += 1;
        match link.state {
            State::Ok => counts.ok += 1,
            State::Unchecked => counts.unchecked += 1,
            State::Broken => {
                counts.broken += 1;
                let is_next = self.broken_page.replace(link.page_id) != Some(link.page_id);
                counts.pages_with_broken += u64::from(is_next);
            }
        }
    }
}

/// A URL of the store as the end of links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its number.
    pub url_id: UrlId,
    /// It.
    pub url: String,
    /// Its distance from the lists.
    pub depth: i64,
    /// The title of its page.
    pub title: Option<String>,
    /// Status of its last answer.
    pub status: Option<u16>,
    /// How it ended; `None`: it is pending.
    pub outcome: Option<Outcome>,
}

/// Hands every URL of the store to `visit`, until it fails; texts of rejected lines are none.
///
/// # Errors
/// Those of `visit`; [`StoreError`] as one of its kind.
pub fn nodes<E: From<StoreError>>(db: &Connection, mut visit: impl FnMut(&Node) -> Result<(), E>) -> Result<(), E> {
    let mut select = db
        .prepare(
            "SELECT u.url_id, u.url, u.depth, p.title, p.status, p.outcome FROM url u \
             LEFT JOIN page p ON p.url_id = u.url_id WHERE u.host_id <> ?1",
        )
        .map_err(StoreError::from)?;
    let nodes = select.query_map([NO_HOST], |row| {
        Ok(Node {
            url_id: row.get(0)?,
            url: row.get(1)?,
            depth: row.get(2)?,
            title: row.get(3)?,
            status: row.get(4)?,
            outcome: row.get::<_, Option<i64>>(5)?.and_then(Outcome::from_number),
        })
    });
    nodes.map_err(StoreError::from)?.try_for_each(|node| visit(&node.map_err(StoreError::from)?))
}

/// A text of a row; what is none is empty.
fn text(cell: ValueRef<'_>) -> Cow<'_, str> {
    match cell {
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes),
        _ => Cow::Borrowed(""),
    }
}

/// Whether a link to `to_url` leads to `url`.
fn is_same(url: &CrawlUrl, to_url: &str) -> bool {
    // Both have their host in the same form, and most links that differ do so early.
    to_url == url.url || CrawlUrl::parse(to_url).is_ok_and(|to| to.key == url.key && to.host == url.host)
}

/// What the store knows of URLs, looked up one by one.
struct Targets<'db> {
    select: Statement<'db>,
    select_final: Statement<'db>,
    memo: HashMap<String, Target>,
    memo_bytes: usize,
}

impl<'db> Targets<'db> {
    fn new(db: &'db Connection) -> Result<Self, StoreError> {
        let select = db.prepare(
            "SELECT u.url_id, p.outcome, p.status, p.error, p.final_url FROM url u LEFT JOIN page p ON p.url_id = u.url_id \
             WHERE u.host_id = (SELECT host_id FROM host WHERE name = ?1) AND u.key = ?2",
        )?;
        let select_final = db.prepare("SELECT final_url FROM page WHERE url_id = ?1")?;
        Ok(Self { select, select_final, memo: HashMap::new(), memo_bytes: 0 })
    }

    /// Whether redirects led from this URL to another that is in the store with a page of its own.
    fn is_elsewhere(&mut self, url_id: UrlId) -> Result<bool, StoreError> {
        let final_url: Option<Option<String>> = self.select_final.query_row([url_id], |row| row.get(0)).optional()?;
        let Some(final_url) = final_url.flatten() else { return Ok(false) };
        let target = self.find(&final_url)?;
        Ok(target.outcome == Some(Outcome::Ok) && target.final_url.is_none() && target.url_id != Some(url_id))
    }

    fn find(&mut self, to_url: &str) -> Result<&Target, StoreError> {
        if !self.memo.contains_key(to_url) {
            let target = self.look_up(to_url)?;
            if self.memo_bytes > MEMO_BYTES {
                self.memo.clear();
                self.memo_bytes = 0;
            }
            self.memo_bytes += to_url.len() + size_of::<String>() + target.bytes();
            self.memo.insert(to_url.to_owned(), target);
        }
        Ok(&self.memo[to_url])
    }

    fn look_up(&mut self, to_url: &str) -> Result<Target, StoreError> {
        // A link that is no URL to a crawl cannot have been followed.
        let Ok(url) = CrawlUrl::parse(to_url) else { return Ok(Target::default()) };
        let found = self.select.query_row(params![url.host, url.key], |row| {
            Ok(Target {
                url_id: Some(row.get(0)?),
                outcome: row.get::<_, Option<i64>>(1)?.and_then(Outcome::from_number),
                status: row.get(2)?,
                error: row.get(3)?,
                final_url: row.get(4)?,
            })
        });
        Ok(found.optional()?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(outcome: Outcome, status: Option<u16>, error: Option<&str>) -> Target {
        let error = error.map(str::to_owned);
        Target { url_id: Some(1), outcome: Some(outcome), status, error, final_url: None }
    }

    #[test]
    fn a_link_is_broken_if_its_target_was_asked_for_and_did_not_come() {
        for (target, accepted, state, reason) in [
            (target(Outcome::Ok, Some(200), None), &[][..], State::Ok, "200"),
            (target(Outcome::HttpError, Some(404), None), &[], State::Broken, "404"),
            (target(Outcome::HttpError, Some(403), None), &[403..=403, 429..=429], State::Ok, "403"),
            (target(Outcome::HttpError, Some(500), None), &[403..=403], State::Broken, "500"),
            (target(Outcome::Failed, None, Some("timeout")), &[], State::Broken, "timeout"),
            (target(Outcome::Quarantined, Some(200), Some("crash")), &[200..=200], State::Broken, "crash"),
            (target(Outcome::RobotsDenied, None, Some("robots")), &[], State::Unchecked, "robots"),
            (target(Outcome::Skipped, Some(200), Some("content_type")), &[], State::Ok, "content_type"),
            (target(Outcome::Skipped, None, None), &[], State::Unchecked, "skipped"),
            (Target { url_id: Some(1), ..Target::default() }, &[], State::Unchecked, "pending"),
            (Target::default(), &[], State::Unchecked, "unknown"),
        ] {
            assert_eq!((target.state(accepted), &*target.reason()), (state, reason), "{target:?}");
        }
    }

    #[test]
    fn links_lead_to_a_url_however_it_is_written() {
        let url = CrawlUrl::parse("https://a.example/~me").expect("a URL");
        for same in ["https://a.example/~me", "https://a.example/%7eme", "https://A.example/%7Eme"] {
            assert!(is_same(&url, same), "{same}");
        }
        for other in ["https://b.example/~me", "http://a.example/~me", "https://a.example/~me/", "mailto:a", ""] {
            assert!(!is_same(&url, other), "{other}");
        }
    }
}
