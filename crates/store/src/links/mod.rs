//! Links held against what the crawl made of their targets: which are broken, and who links to a page; and the pages of
//! that graph.
//!
//! Links are read in the order of their pages, one at a time, and the target of each is looked up by its key, as that of
//! a line of a list is. So memory does not depend on how many there are, and time grows with them. Most links of a site
//! lead to the same few pages: what was found of the last targets is kept at hand.

mod target;

use std::borrow::Cow;
use std::ops::RangeInclusive;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;

use super::collections::quoted;
use super::read::find_url;
use super::rows::{Filter, SelectError, condition};
use super::tables::{Column, Table};
use super::{NO_HOST, StoreError};
use seine_core::record::{CrawlUrl, Outcome, UrlId};
use target::is_same;
pub use target::{State, Target, Targets};

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
    /// A soft 404 is broken.
    pub soft: bool,
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
    soft: bool,
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
        Ok(Self { columns: table.columns, places, sql, to: scope.to, accepted: scope.accepted, once, soft: scope.soft })
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
        visit: impl FnMut(&Link<'_>) -> Result<(), E>,
    ) -> Result<Counts, E> {
        self.read_with(db, None, visit)
    }

    /// As [`Links::read`]; of targets that `db` does not know `others` tells, which is another store.
    ///
    /// # Errors
    /// Those of `visit`; [`StoreError`] as one of its kind.
    pub fn read_with<E: From<StoreError>>(
        &self,
        db: &Connection,
        others: Option<&Connection>,
        mut visit: impl FnMut(&Link<'_>) -> Result<(), E>,
    ) -> Result<Counts, E> {
        let mut targets = Targets::new(db, self.soft)?.or(others.map(|db| Targets::new(db, self.soft)).transpose()?);
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

/// Whether the crawl has business with this host: a list names a URL of it, or a link to it was followed.
///
/// # Errors
/// [`StoreError`]
pub fn is_crawled_host(db: &Connection, host: &str) -> Result<bool, StoreError> {
    let mut select =
        db.prepare_cached("SELECT 1 FROM url WHERE host_id = (SELECT host_id FROM host WHERE name = ?1) LIMIT 1")?;
    Ok(select.exists([host])?)
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

/// An HTML page whose body is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPage {
    /// Its number.
    pub url_id: UrlId,
    /// Its URL.
    pub url: String,
    /// Where redirects led; `None` without any.
    pub final_url: Option<String>,
    /// Its `Content-Type`.
    pub content_type: Option<String>,
    /// Number of its body.
    pub body_id: i64,
}

const STORED_PAGE: &str = "SELECT u.url_id, u.url, p.final_url, p.content_type, p.body_id \
     FROM page p CROSS JOIN url u ON u.url_id = p.url_id CROSS JOIN body b ON b.body_id = p.body_id \
     WHERE p.outcome = 0 AND p.charset IS NOT NULL AND b.zstd IS NOT NULL";

fn stored_page(row: &Row<'_>) -> rusqlite::Result<StoredPage> {
    Ok(StoredPage {
        url_id: row.get(0)?,
        url: row.get(1)?,
        final_url: row.get(2)?,
        content_type: row.get(3)?,
        body_id: row.get(4)?,
    })
}

/// Hands every HTML page with a stored body to `visit`, until it fails.
///
/// # Errors
/// Those of `visit`; [`StoreError`] as one of its kind.
pub fn stored_pages<E: From<StoreError>>(
    db: &Connection,
    mut visit: impl FnMut(&StoredPage) -> Result<(), E>,
) -> Result<(), E> {
    let mut select = db.prepare(&format!("{STORED_PAGE} ORDER BY p.url_id")).map_err(StoreError::from)?;
    let pages = select.query_map([], stored_page).map_err(StoreError::from)?;
    pages.into_iter().try_for_each(|page| visit(&page.map_err(StoreError::from)?))
}

/// One of them; `None` if it is none.
///
/// # Errors
/// [`StoreError`]
pub fn stored_page_of(db: &Connection, url_id: UrlId) -> Result<Option<StoredPage>, StoreError> {
    let mut select = db.prepare_cached(&format!("{STORED_PAGE} AND p.url_id = ?1"))?;
    Ok(select.query_row([url_id], stored_page).optional()?)
}

/// A text of a row; what is none is empty.
fn text(cell: ValueRef<'_>) -> Cow<'_, str> {
    match cell {
        ValueRef::Text(bytes) => String::from_utf8_lossy(bytes),
        _ => Cow::Borrowed(""),
    }
}
