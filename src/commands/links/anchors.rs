//! Links to places within pages (`guide#install`), held against the places that stored pages have.
//!
//! Every stored page is read once for its links, and once more if another page leads to a place of it. What is to be
//! looked for meanwhile lies in a temporary database of SQLite, which goes to disk when it grows.

use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};
use url::Url;

use super::report::{Report, Result};
use crate::commands::writing::Desk;
use seine_export::ExportError;
use seine_page::extract::anchors::{AnchorLink, Anchors, anchors};
use seine_store::links::{Counts, Link, Links, State, StoredPage, Target, Targets, stored_page_of, stored_pages};
use seine_store::{StoreError, archive};

/// The places of a page have to be found within this; then it is passed over.
const READ_TIME: Duration = Duration::from_secs(10);
/// A larger body is not read: a store may be somebody else's, and say anything of its bodies.
const MAX_BODY_BYTES: u64 = 64 << 20;
/// The class of error of a link whose target is there and has no such place.
const NO_ANCHOR: &str = "no_anchor";

/// Links to places, as far as they are known.
pub(super) struct Places {
    scratch: Connection,
    /// The last page with a broken link.
    broken_page: Option<i64>,
}

impl Places {
    pub fn new() -> Result<Self> {
        // A database without a name is a temporary file, which is only made when its cache is full.
        let scratch = Connection::open("").map_err(StoreError::from)?;
        let tables = "PRAGMA journal_mode = off; PRAGMA synchronous = off;
             CREATE TABLE broken_page(page_id INTEGER PRIMARY KEY);
             CREATE TABLE wanted(target_id INTEGER, fragment TEXT, page_id INTEGER, url TEXT,
                                 PRIMARY KEY(target_id, fragment, page_id, url)) WITHOUT ROWID;
             CREATE TABLE missing(page_id INTEGER, url TEXT, fragment TEXT, target_id INTEGER,
                                  PRIMARY KEY(page_id, url, fragment)) WITHOUT ROWID;
             BEGIN";
        scratch.execute_batch(tables).map_err(StoreError::from)?;
        Ok(Self { scratch, broken_page: None })
    }

    /// Notes a page that has a broken link, so that it is counted once.
    pub fn note(&mut self, page_id: i64) -> Result<()> {
        if self.broken_page.replace(page_id) != Some(page_id) {
            self.run("INSERT OR IGNORE INTO broken_page VALUES (?1)", params![page_id])?;
        }
        Ok(())
    }

    /// Looks for all places, adds what it finds to `counts` and tells `report` of those that are not there.
    pub fn tell(&self, desk: &Desk<'_>, links: &Links, counts: &mut Counts, report: &mut dyn Report) -> Result<()> {
        counts.ok += self.collect(desk)?;
        counts.ok += self.look_up(desk)?;
        counts.links = counts.ok + counts.broken + counts.unchecked;
        let mut select = self
            .scratch
            .prepare("SELECT page_id, url, fragment, target_id FROM missing ORDER BY page_id")
            .map_err(StoreError::from)?;
        let mut rows = select.query([]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            desk.look()?;
            let (page_id, url, fragment): (i64, String, String) = columns(row)?;
            let page = stored_page_of(desk.db, page_id)?;
            let target = Target {
                url_id: Some(row.get(3).map_err(StoreError::from)?),
                outcome: Some(seine_core::record::Outcome::Ok),
                error: Some(NO_ANCHOR.to_owned()),
                ..Target::default()
            };
            counts.links += 1;
            counts.broken += 1;
            counts.pages_with_broken +=
                self.run("INSERT OR IGNORE INTO broken_page VALUES (?1)", params![page_id])? as u64;
            let from_url = page.map(|page| page.url).unwrap_or_default();
            tell(report, links, page_id, &from_url, &format!("{url}#{fragment}"), &target)?;
        }
        Ok(())
    }

    /// Reads every page for its links to places; how many lead to places of the page itself that are there.
    fn collect(&self, desk: &Desk<'_>) -> Result<u64> {
        let (mut targets, mut there) = (Targets::new(desk.db, false)?, 0);
        stored_pages(desk.db, |page| {
            desk.look()?;
            there += self.page(desk.db, page, &mut targets)?;
            Ok::<_, ExportError>(())
        })?;
        Ok(there)
    }

    fn page(&self, db: &Connection, page: &StoredPage, targets: &mut Targets<'_>) -> Result<u64> {
        // Its links are told with the page that redirects led to.
        if targets.is_elsewhere(page.url_id)? {
            return Ok(0);
        }
        let Some((url, found)) = read(db, page)? else { return Ok(0) };
        let (mut there, own) = (0, page.url_id);
        for AnchorLink { url: to_url, fragment } in &found.links {
            match if *to_url == url { Some(own) } else { targets.find(to_url)?.url_id } {
                Some(target_id) if target_id == own && found.has(fragment) => there += 1,
                Some(target_id) if target_id == own => self.miss(own, to_url, fragment, own)?,
                Some(target_id) => {
                    let row = params![target_id, fragment, own, to_url];
                    self.run("INSERT OR IGNORE INTO wanted VALUES (?1, ?2, ?3, ?4)", row)?;
                }
                None => {}
            }
        }
        Ok(there)
    }

    /// Looks up places of other pages; how many are there. Of a page whose body is not stored nothing can be told.
    fn look_up(&self, desk: &Desk<'_>) -> Result<u64> {
        let mut select = self
            .scratch
            .prepare("SELECT page_id, url, fragment, target_id FROM wanted ORDER BY target_id")
            .map_err(StoreError::from)?;
        let mut rows = select.query([]).map_err(StoreError::from)?;
        let (mut there, mut target): (u64, (i64, Option<Anchors>)) = (0, (0, None));
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            desk.look()?;
            let (page_id, url, fragment): (i64, String, String) = columns(row)?;
            let target_id: i64 = row.get(3).map_err(StoreError::from)?;
            if target.0 != target_id {
                let page = stored_page_of(desk.db, target_id)?;
                let found = page.map(|page| read(desk.db, &page)).transpose()?.flatten();
                target = (target_id, found.map(|(_, anchors)| anchors));
            }
            match &target.1 {
                Some(anchors) if anchors.has(&fragment) => there += 1,
                Some(_) => self.miss(page_id, &url, &fragment, target_id)?,
                None => {}
            }
        }
        Ok(there)
    }

    fn miss(&self, page_id: i64, url: &str, fragment: &str, target_id: i64) -> Result<()> {
        let row = params![page_id, url, fragment, target_id];
        self.run("INSERT OR IGNORE INTO missing VALUES (?1, ?2, ?3, ?4)", row).map(drop)
    }

    fn run(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize> {
        let mut statement = self.scratch.prepare_cached(sql).map_err(StoreError::from)?;
        Ok(statement.execute(values).map_err(StoreError::from)?)
    }
}

fn columns(row: &rusqlite::Row<'_>) -> Result<(i64, String, String), StoreError> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

/// The places of a stored page and its own URL; `None` if it cannot be read.
fn read(db: &Connection, page: &StoredPage) -> Result<Option<(String, Anchors)>> {
    let Ok(mut url) = Url::parse(page.final_url.as_ref().unwrap_or(&page.url)) else { return Ok(None) };
    url.set_fragment(None);
    let Some(Ok(body)) = archive::body(db, page.body_id, MAX_BODY_BYTES)? else { return Ok(None) };
    let begun = Instant::now();
    let content_type = page.content_type.as_deref().map(str::as_bytes);
    let found = anchors(&body, content_type, &url, &|| begun.elapsed() < READ_TIME);
    Ok(found.map(|found| (url.into(), found)))
}

/// Tells of a link as if it were a row of the view `links`.
fn tell(
    report: &mut dyn Report,
    links: &Links,
    page_id: i64,
    from_url: &str,
    to_url: &str,
    target: &Target,
) -> Result<()> {
    let cell = |name: &str| match name {
        "url_id" => ValueRef::Integer(page_id),
        "from_url" => ValueRef::Text(from_url.as_bytes()),
        "to_url" => ValueRef::Text(to_url.as_bytes()),
        _ => ValueRef::Null,
    };
    let cells: Vec<_> = links.columns().iter().map(|column| cell(&column.name)).collect();
    report.link(&Link {
        page_id,
        from_url: from_url.into(),
        to_url: to_url.into(),
        text: "".into(),
        cells: &cells,
        target,
        state: State::Broken,
    })
}
