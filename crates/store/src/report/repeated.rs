//! Texts that are to tell pages apart and do not: titles and descriptions that several pages share.
//!
//! Pages that were found elsewhere, or say that another is the original of them, are left out.

use rusqlite::{Connection, Statement};

use super::top::Top;
use crate::StoreError;
use seine_core::record::UrlId;

/// Pages that are named for each text.
const EXAMPLES: usize = 3;

/// Texts that several pages share.
#[derive(Debug)]
pub struct Repeated {
    /// The texts with the URLs of their first pages, by how many pages have them.
    pub texts: Top<(String, Vec<String>)>,
    /// Pages that share their text with another.
    pub pages: u64,
}

/// Titles that several pages share; at most `most` of them.
///
/// # Errors
/// [`StoreError`]
pub(super) fn titles(db: &Connection, most: usize) -> Result<Repeated, StoreError> {
    let sorted = db.prepare(
        "SELECT p.title, p.url_id FROM page p CROSS JOIN url u ON u.url_id = p.url_id \
         WHERE p.outcome = 0 AND p.charset IS NOT NULL AND p.final_url IS NULL AND p.title <> '' \
           AND (p.canonical IS NULL OR p.canonical = u.url) ORDER BY p.title, p.url_id",
    )?;
    repeated(db, sorted, most, 2)
}

/// Descriptions likewise.
///
/// # Errors
/// [`StoreError`]
pub(super) fn descriptions(db: &Connection, most: usize) -> Result<Repeated, StoreError> {
    let sorted = db.prepare(
        "SELECT p.description, p.url_id FROM page p CROSS JOIN url u ON u.url_id = p.url_id \
         WHERE p.outcome = 0 AND p.charset IS NOT NULL AND p.final_url IS NULL AND p.description <> '' \
           AND (p.canonical IS NULL OR p.canonical = u.url) ORDER BY p.description, p.url_id",
    )?;
    repeated(db, sorted, most, 2)
}

/// Pages that say nearly what an earlier one says, by the URL of that one, which is not counted.
///
/// # Errors
/// [`StoreError`]
pub(super) fn near_duplicates(db: &Connection, most: usize) -> Result<Repeated, StoreError> {
    let sorted = db.prepare(
        "SELECT (SELECT o.url FROM url o WHERE o.url_id = d.of_id), d.url_id FROM near_duplicate d ORDER BY d.of_id, d.url_id",
    )?;
    repeated(db, sorted, most, 1)
}

/// A text and its pages so far.
#[derive(Default)]
struct Group {
    text: String,
    pages: u64,
    first: Vec<UrlId>,
}

/// Texts that come `least` times or more in a row of `sorted`.
fn repeated(db: &Connection, mut sorted: Statement<'_>, most: usize, least: u64) -> Result<Repeated, StoreError> {
    let mut urls = db.prepare("SELECT url FROM url WHERE url_id = ?1")?;
    let mut repeated = Repeated { texts: Top::new(most), pages: 0 };
    let mut group = Group::default();
    let mut end = |group: &mut Group| -> Result<(), StoreError> {
        let Group { text, pages, first } = std::mem::take(group);
        if pages >= least {
            let first = first.iter().map(|url_id| urls.query_row([url_id], |row| row.get(0)));
            let first = first.collect::<Result<Vec<String>, _>>()?;
            repeated.pages += pages;
            repeated.texts.offer(pages, || (text, first));
        }
        Ok(())
    };
    let mut rows = sorted.query([])?;
    while let Some(row) = rows.next()? {
        let text = row.get_ref(0)?.as_bytes().unwrap_or_default();
        if group.pages == 0 || group.text.as_bytes() != text {
            end(&mut group)?;
            group.text = String::from_utf8_lossy(text).into_owned();
        }
        group.pages += 1;
        if group.first.len() < EXAMPLES {
            group.first.push(row.get(1)?);
        }
    }
    end(&mut group)?;
    Ok(repeated)
}
