//! Items that rules found on pages, written in the page's transaction.
//!
//! Pages come in any order, and the result does not depend on it: of a record that several pages have, the page that was
//! fetched last counts (then the one with the greater id, then the later place on it).

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use super::statement::insert;
use super::{StoreError, collections};
use seine_core::protocol::HostId;
use seine_core::record::UrlId;
use seine_core::record::items::{Collection, FieldCount, Item, PageExtras, PageItems, ProblemKind};

/// Hosts and collections whose rates are kept at hand; past it they are read again.
const CACHED_RATES: usize = 10_000;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The page that items are of.
#[derive(Clone, Copy, Debug)]
pub struct ItemPage {
    /// Its URL.
    pub url_id: UrlId,
    /// Its host.
    pub host_id: HostId,
    /// The run that fetched it.
    pub run_id: i64,
    /// When, in milliseconds of the Unix epoch.
    pub fetched_at: u64,
}

/// The declared collections of a run with their rows, and the rates of the run so far.
#[derive(Debug, Default)]
pub struct Collections {
    rows: Vec<(i64, Collection)>,
    /// There are earlier runs, whose items may have said something else.
    has_past: bool,
    rates: HashMap<RateKey, Vec<FieldRate>>,
    /// Those of `rates` that the open transaction has changed.
    changed: HashSet<RateKey>,
}

/// Run, collection, host.
type RateKey = (i64, i64, HostId);

/// Of one field, or at index 0 of the collection as a whole.
#[derive(Clone, Copy, Debug, Default)]
struct FieldRate {
    of: u64,
    found: u64,
}

impl Collections {
    /// Declares `collections` in the store.
    ///
    /// # Errors
    /// [`StoreError`], [`StoreError::NameTaken`] among them.
    pub fn declare(db: &Connection, collections: &[Collection], has_past: bool) -> Result<Self> {
        let rows = collections
            .iter()
            .map(|collection| Ok((collections::declare(db, collection)?, collection.clone())))
            .collect::<Result<_>>()?;
        Ok(Self { rows, has_past, ..Self::default() })
    }

    /// Writes what was found on a page, in the place of what was found there before.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn insert(&mut self, db: &Connection, of: &ItemPage, found: &PageItems) -> Result<()> {
        for item in &found.items {
            if let Some((collection_id, _)) = self.rows.get(usize::from(item.collection)) {
                if self.has_past {
                    keep_past(db, of, *collection_id, item)?;
                }
                put(db, of, *collection_id, item)?;
            }
        }
        for count in found.counts.iter().filter(|count| count.field.is_none()) {
            if let Some((collection_id, _)) = self.rows.get(usize::from(count.collection)) {
                // Items go that the page had when it was fetched before and has no more. (Answers of an archive have its times.)
                let of_it = found.items.iter().filter(|item| item.collection == count.collection);
                let last = of_it.map(|item| i64::from(item.number)).max().unwrap_or(-1);
                let gone = "url_id = ?1 AND collection_id = ?2 AND key IS NULL AND (last_seen < ?3 OR number > ?4)";
                if self.has_past {
                    db.prepare_cached(&format!(
                        "INSERT OR IGNORE INTO gone_item(item_id, collection_id, url_id, number, run_id, data, first_run, \
                           gone_by) \
                         SELECT item_id, collection_id, url_id, number, run_id, data, first_run, ?5 FROM item \
                         WHERE {gone} AND run_id < ?5"
                    ))?
                    .execute(params![of.url_id, collection_id, of.fetched_at, last, of.run_id])?;
                }
                db.prepare_cached(&format!("DELETE FROM item WHERE {gone}"))?.execute(params![
                    of.url_id,
                    collection_id,
                    of.fetched_at,
                    last
                ])?;
            }
        }
        for problem in &found.problems {
            if let Some((collection_id, _)) = self.rows.get(usize::from(problem.collection)) {
                insert!(
                    db,
                    "INSERT INTO",
                    extract_problem {
                        url_id: of.url_id,
                        run_id: of.run_id,
                        collection_id: collection_id,
                        number: problem.number,
                        field: problem.field,
                        kind: problem.kind as i64,
                        found: problem.found,
                    }
                )?;
            }
        }
        found.counts.iter().try_for_each(|count| self.count(db, of, count))
    }

    fn count(&mut self, db: &Connection, of: &ItemPage, count: &FieldCount) -> Result<()> {
        let Some((collection_id, collection)) = self.rows.get(usize::from(count.collection)) else { return Ok(()) };
        let key = (of.run_id, *collection_id, of.host_id);
        let rates = match self.rates.get_mut(&key) {
            Some(rates) => rates,
            None => self.rates.entry(key).or_insert(read_rates(db, key, collection)?),
        };
        let index = count.field.map_or(0, |field| usize::from(field) + 1);
        if let Some(rate) = rates.get_mut(index) {
            rate.of += u64::from(count.of);
            rate.found += u64::from(count.found);
        }
        self.changed.insert(key);
        Ok(())
    }

    /// Writes the rates that have changed; before the commit.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn write_rates(&mut self, db: &Connection) -> Result<()> {
        for key in self.changed.drain() {
            let (run_id, collection_id, host_id) = key;
            let Some(rates) = self.rates.get(&key) else { continue };
            let Some((_, collection)) = self.rows.iter().find(|(row, _)| *row == collection_id) else { continue };
            let counts: serde_json::Map<_, _> = names(collection)
                .zip(rates)
                .filter(|(_, rate)| rate.of > 0)
                .map(|(name, rate)| (name.to_owned(), serde_json::json!([rate.of, rate.found])))
                .collect();
            db.prepare_cached(
                "INSERT INTO field_rate(run_id, collection_id, host_id, counts) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET counts = excluded.counts",
            )?
            .execute(params![
                run_id,
                collection_id,
                host_id,
                serde_json::Value::Object(counts).to_string()
            ])?;
        }
        if self.rates.len() > CACHED_RATES {
            self.rates.clear();
        }
        Ok(())
    }

    /// The transaction was rolled back: what is at hand may be of it.
    pub fn forget(&mut self) {
        self.rates.clear();
        self.changed.clear();
    }
}

/// The collection as a whole, then its fields.
fn names(collection: &Collection) -> impl Iterator<Item = &str> {
    std::iter::once("").chain(collection.fields.iter().map(|field| field.name.as_str()))
}

fn read_rates(db: &Connection, key: RateKey, collection: &Collection) -> Result<Vec<FieldRate>> {
    let (run_id, collection_id, host_id) = key;
    let counts: Option<String> = db
        .prepare_cached("SELECT counts FROM field_rate WHERE run_id = ?1 AND collection_id = ?2 AND host_id = ?3")?
        .query_row(params![run_id, collection_id, host_id], |row| row.get(0))
        .optional()?;
    let counts: HashMap<String, (u64, u64)> =
        counts.and_then(|counts| serde_json::from_str(&counts).ok()).unwrap_or_default();
    Ok(names(collection)
        .map(|name| counts.get(name).map_or(FieldRate::default(), |&(of, found)| FieldRate { of, found }))
        .collect())
}

/// The data that an earlier run found becomes history if the item says something else now.
fn keep_past(db: &Connection, of: &ItemPage, collection_id: i64, item: &Item) -> Result<()> {
    let is_it = if item.key.is_some() {
        // Nothing is replaced unless the page it is found on wins.
        "key = ?2 AND (?7, ?3, ?4) >= (last_seen, url_id, number)"
    } else {
        "?2 IS NULL AND key IS NULL AND url_id = ?3 AND number = ?4 AND ?7 IS NOT NULL"
    };
    db.prepare_cached(&format!(
        "INSERT OR IGNORE INTO past_item(item_id, run_id, data, seen_at, replaced_by) \
         SELECT item_id, run_id, data, last_seen, ?5 FROM item \
         WHERE collection_id = ?1 AND {is_it} AND run_id < ?5 AND data <> ?6"
    ))?
    .execute(params![collection_id, item.key, of.url_id, item.number, of.run_id, item.data, of.fetched_at])?;
    Ok(())
}

fn put(db: &Connection, of: &ItemPage, collection_id: i64, item: &Item) -> Result<()> {
    // SQLite takes one conflict for each index, and items have two.
    if item.key.is_some() {
        insert!(
            db,
            "INSERT INTO",
            item {
                collection_id: collection_id,
                key: item.key,
                url_id: of.url_id,
                number: item.number,
                run_id: of.run_id,
                data: item.data,
                first_seen: of.fetched_at,
                last_seen: of.fetched_at,
                first_run: of.run_id,
            },
            "ON CONFLICT(collection_id, key) WHERE key IS NOT NULL DO UPDATE SET \
               (url_id, number, run_id, data) = \
                 (SELECT iif(n.wins, :url_id, item.url_id), iif(n.wins, :number, item.number), \
                         iif(n.wins, :run_id, item.run_id), iif(n.wins, :data, item.data) \
                  FROM (SELECT (:last_seen, :url_id, :number) >= (item.last_seen, item.url_id, item.number) AS wins) n), \
               first_seen = min(item.first_seen, :first_seen), last_seen = max(item.last_seen, :last_seen)"
        )?;
    } else {
        insert!(
            db,
            "INSERT INTO",
            item {
                collection_id: collection_id,
                url_id: of.url_id,
                number: item.number,
                run_id: of.run_id,
                data: item.data,
                first_seen: of.fetched_at,
                last_seen: of.fetched_at,
                first_run: of.run_id,
            },
            "ON CONFLICT(url_id, collection_id, number) WHERE key IS NULL DO UPDATE SET \
               run_id = :run_id, data = :data, last_seen = :last_seen"
        )?;
    }
    Ok(())
}

/// Writes the metadata, texts and tables of a page, whose row is written already, and which limits it met.
///
/// # Errors
/// [`StoreError`]
pub fn insert_extras(db: &Connection, url_id: UrlId, extras: &PageExtras) -> Result<()> {
    let PageExtras { metadata, text, markdown, tables, beyond } = extras;
    if [metadata, text, markdown, tables].iter().any(|extra| extra.is_some()) {
        insert!(
            db,
            "INSERT OR REPLACE INTO",
            page_extra { url_id: url_id, metadata: metadata, text: text, markdown: markdown, tables: tables }
        )?;
    }
    if beyond.is_empty() {
        return Ok(());
    }
    let collection_id = collections::of_pages(db)?;
    let run_id: i64 =
        db.prepare_cached("SELECT run_id FROM page WHERE url_id = ?1")?.query_row([url_id], |row| row.get(0))?;
    for excess in beyond {
        insert!(
            db,
            "INSERT INTO",
            extract_problem {
                url_id: url_id,
                run_id: run_id,
                collection_id: collection_id,
                field: excess.field,
                kind: ProblemKind::TooMany as i64,
                found: excess.found,
            }
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
