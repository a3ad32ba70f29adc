//! Broken links by their target: what is to be mended once, however many pages have it.

use std::ops::RangeInclusive;

use rusqlite::{Connection, params};

use crate::StoreError;
use crate::links::{Counts, Links, LinksError, Scope, State, Target};
use seine_core::record::Outcome;

/// Pages that are named for each target.
const SOURCES: u64 = 3;
/// Characters of a link's text that are kept.
const TEXT_CHARS: usize = 200;

/// A URL that broken links lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenTarget {
    /// It.
    pub url: String,
    /// What became of it.
    pub target: Target,
    /// Pages that link to it.
    pub pages: u64,
    /// The first of them, each with the link's text.
    pub sources: Vec<(String, String)>,
}

/// Links by state, the targets of the broken ones that most pages link to (at most `most`), and how many targets there
/// are.
///
/// # Errors
/// [`LinksError`]
pub(super) fn broken(
    db: &Connection,
    most: usize,
    accepted: &[RangeInclusive<u16>],
) -> Result<(Counts, Vec<BrokenTarget>, u64), LinksError> {
    // Gone with the connection, and on disk if they are many.
    db.execute_batch(
        "DROP TABLE IF EXISTS temp.broken; DROP TABLE IF EXISTS temp.broken_source;
         CREATE TEMP TABLE broken(url_id INTEGER PRIMARY KEY, pages INTEGER NOT NULL);
         CREATE TEMP TABLE broken_source(url_id INTEGER, number INTEGER, page_id INTEGER NOT NULL, text TEXT NOT NULL,
                                         PRIMARY KEY(url_id, number)) WITHOUT ROWID",
    )?;
    let mut count = db.prepare(
        "INSERT INTO temp.broken(url_id, pages) VALUES (?1, 1) ON CONFLICT(url_id) DO UPDATE SET pages = pages + 1 \
         RETURNING pages",
    )?;
    let mut source =
        db.prepare("INSERT INTO temp.broken_source(url_id, number, page_id, text) VALUES (?1, ?2, ?3, ?4)")?;
    let links = Links::of(db, Scope { accepted: accepted.to_vec(), once: true, ..Scope::default() })?;
    let counts = links.read(db, |link| {
        if let (State::Broken, Some(url_id)) = (link.state, link.target.url_id) {
            let pages: u64 = count.query_row([url_id], |row| row.get(0)).map_err(StoreError::from)?;
            if pages <= SOURCES {
                let text: String = link.text.chars().take(TEXT_CHARS).collect();
                source.execute(params![url_id, pages, link.page_id, text]).map_err(StoreError::from)?;
            }
        }
        Ok::<_, StoreError>(())
    })?;
    let all = db.query_row("SELECT count(*) FROM temp.broken", [], |row| row.get(0))?;
    Ok((counts, first(db, most)?, all))
}

fn first(db: &Connection, most: usize) -> Result<Vec<BrokenTarget>, StoreError> {
    let mut sources = db.prepare(
        "SELECT u.url, s.text FROM temp.broken_source s CROSS JOIN url u ON u.url_id = s.page_id WHERE s.url_id = ?1 \
         ORDER BY s.number",
    )?;
    let mut select = db.prepare(
        "SELECT u.url, b.url_id, b.pages, p.outcome, p.status, p.error, p.final_url FROM temp.broken b \
         CROSS JOIN url u ON u.url_id = b.url_id CROSS JOIN page p ON p.url_id = b.url_id \
         ORDER BY b.pages DESC, b.url_id LIMIT ?1",
    )?;
    let mut rows = select.query([most])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let url_id: i64 = row.get(1)?;
        let target = Target {
            url_id: Some(url_id),
            outcome: row.get::<_, Option<i64>>(3)?.and_then(Outcome::from_number),
            status: row.get(4)?,
            error: row.get(5)?,
            final_url: row.get(6)?,
            ..Target::default()
        };
        let sources = sources.query_map([url_id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let sources = sources.collect::<Result<_, _>>()?;
        found.push(BrokenTarget { url: row.get(0)?, target, pages: row.get(2)?, sources });
    }
    Ok(found)
}
