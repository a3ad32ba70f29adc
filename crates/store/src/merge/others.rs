//! What refers to URLs, on its way into a merge: items, marks of processors, requests, robots.txt files.

use std::collections::HashSet;

use rusqlite::types::Type;
use rusqlite::{OptionalExtension, params, params_from_iter};

use super::source::Source;
use super::{Brought, Merge, MergeError, Moved, Result};
use crate::statement::insert;
use crate::{StoreError, collections};
use seine_core::record::items::{Collection, ItemKey, ProblemKind, item_key};

/// A store with more collections was made by no crawl.
const MOST_COLLECTIONS: usize = 10_000;

/// Columns of `request` that are taken as they are, after its URL, its run and its host.
const REQUEST_COLUMNS: [(&str, Type); 13] = [
    ("url", Type::Text),
    ("kind", Type::Integer),
    ("attempt", Type::Integer),
    ("is_last", Type::Integer),
    ("started_us", Type::Integer),
    ("elapsed_ms", Type::Integer),
    ("gap_ms", Type::Integer),
    ("status", Type::Integer),
    ("error", Type::Text),
    ("bytes", Type::Integer),
    ("remote_ip", Type::Text),
    ("http_version", Type::Integer),
    ("headers", Type::Blob),
];

/// Where `started_us` is among them.
const STARTED_US: usize = 4;

/// Columns of `robots` that are taken as they are.
const ROBOTS_COLUMNS: [(&str, Type); 11] = [
    ("origin", Type::Text),
    ("run_id", Type::Integer),
    ("fetched_at", Type::Integer),
    ("final_url", Type::Text),
    ("status", Type::Integer),
    ("error", Type::Text),
    ("error_message", Type::Text),
    ("bytes", Type::Integer),
    ("crawl_delay_ms", Type::Integer),
    ("sitemaps", Type::Text),
    ("zstd", Type::Blob),
];

/// An item as a source has it, with the merge's ids.
struct Item {
    collection_id: i64,
    key: Option<ItemKey>,
    url_id: i64,
    number: i64,
    run_id: i64,
    data: String,
    first_seen: i64,
    last_seen: i64,
    first_run: Option<i64>,
}

/// The same as the merge has it.
struct KnownItem {
    item_id: i64,
    url_id: i64,
    number: i64,
    run_id: i64,
    data: String,
    last_seen: i64,
}

/// A mark that a record is processed.
#[derive(Clone, Copy)]
struct Mark {
    of: i64,
    record: i64,
    version: i64,
    items: i64,
    failed: bool,
}

impl Merge<'_> {
    /// Declares the collections of a store.
    pub(super) fn take_collections(&mut self, source: &Source) -> Result<()> {
        self.collections.clear();
        let all = "SELECT collection_id, name, declared FROM collection ORDER BY collection_id";
        source.each(all, [], |row| {
            if self.collections.len() >= MOST_COLLECTIONS {
                return Err(source.damaged("it has too many collections"));
            }
            let (id, name, declared): (i64, String, String) =
                (source.get(row, 0)?, source.get(row, 1)?, source.get(row, 2)?);
            let ours = if name == collections::OF_PAGES {
                collections::of_pages(self.db)
            } else {
                match serde_json::from_str::<Collection>(&declared) {
                    Ok(collection) if collection.name == name => collections::declare(self.db, &collection),
                    _ => return Err(source.damaged(&format!("the collection {name:?} is not what it says"))),
                }
            };
            let ours = ours.map_err(|error| match error {
                StoreError::NameTaken(_) => MergeError::Source { path: source.path.clone(), source: error },
                other => other.into(),
            })?;
            self.collections.insert(id, ours);
            Ok(())
        })
    }

    /// Takes which pages count as others, and whose links are still to be followed.
    pub(super) fn take_references(&mut self, source: &Source) -> Result<()> {
        source.each("SELECT url_id, same_as FROM same_page", [], |row| {
            if let (Some(moved), Some(same_as)) = (self.moved(source.get(row, 0)?)?, self.moved(source.get(row, 1)?)?)
                && moved.is_taken
            {
                self.db
                    .prepare_cached("INSERT OR REPLACE INTO same_page(url_id, same_as) VALUES (?1, ?2)")?
                    .execute([moved.url_id, same_as.url_id])?;
            }
            Ok(())
        })?;
        source.each("SELECT url_id FROM to_follow", [], |row| {
            if let Some(moved) = self.moved(source.get(row, 0)?)?.filter(|moved| moved.is_taken) {
                self.db
                    .prepare_cached("INSERT OR IGNORE INTO to_follow(url_id) VALUES (?1)")?
                    .execute([moved.url_id])?;
            }
            Ok(())
        })
    }

    /// Takes the items of a store, and how often its fields were found.
    pub(super) fn take_items(&mut self, source: &Source, brought: &mut Brought) -> Result<()> {
        let mut of_processors = HashSet::new();
        source.each("SELECT DISTINCT collection_id FROM processed", [], |row| {
            of_processors.insert(source.get::<i64>(row, 0)?);
            Ok(())
        })?;
        let all = "SELECT item_id, collection_id, key, url_id, number, run_id, data, first_seen, last_seen, first_run \
                   FROM item ORDER BY item_id";
        source.each(all, [], |row| {
            let collection_id = source.get(row, 1)?;
            let key: Option<ItemKey> = source.get(row, 2)?;
            // The keys of answers are made of ids, and come with their marks.
            if key.is_some() && of_processors.contains(&collection_id) {
                return Ok(());
            }
            let (Some(moved), Some(collection_id)) =
                (self.moved(source.get(row, 3)?)?, self.collections.get(&collection_id).copied())
            else {
                return Ok(());
            };
            if key.is_none() && !moved.is_taken {
                return Ok(());
            }
            let item = Item {
                collection_id,
                key,
                url_id: moved.url_id,
                number: source.get(row, 4)?,
                run_id: source.get(row, 5)?,
                data: source.get(row, 6)?,
                first_seen: source.get(row, 7)?,
                last_seen: source.get(row, 8)?,
                first_run: source.get(row, 9)?,
            };
            let (item_id, is_news) = self.put_item(&item)?;
            brought.items += u64::from(is_news);
            self.note_item(source.get(row, 0)?, item_id)?;
            self.row()
        })?;
        self.drop_items(source)?;
        self.take_marks(source, brought)?;
        self.take_past_items(source)?;
        self.take_rates(source)
    }

    fn note_item(&self, source_id: i64, item_id: i64) -> Result<()> {
        self.db
            .prepare_cached("INSERT OR REPLACE INTO temp.moved_item(source_id, item_id) VALUES (?1, ?2)")?
            .execute([source_id, item_id])?;
        Ok(())
    }

    fn moved_item(&self, source_id: i64) -> Result<Option<i64>> {
        let sql = "SELECT item_id FROM temp.moved_item WHERE source_id = ?1";
        Ok(self.db.prepare_cached(sql)?.query_row([source_id], |row| row.get(0)).optional()?)
    }

    /// Writes an item; of one that several pages have, the page fetched last counts. Its id, and whether it is news.
    fn put_item(&self, item: &Item) -> Result<(i64, bool)> {
        let known = |row: &rusqlite::Row<'_>| {
            Ok(KnownItem {
                item_id: row.get(0)?,
                url_id: row.get(1)?,
                number: row.get(2)?,
                run_id: row.get(3)?,
                data: row.get(4)?,
                last_seen: row.get(5)?,
            })
        };
        let found = if item.key.is_some() {
            self.db
                .prepare_cached(
                    "SELECT item_id, url_id, number, run_id, data, last_seen FROM item WHERE collection_id = ?1 AND key = ?2",
                )?
                .query_row(params![item.collection_id, item.key], known)
                .optional()?
        } else {
            self.db
                .prepare_cached(
                    "SELECT item_id, url_id, number, run_id, data, last_seen FROM item \
                     WHERE url_id = ?1 AND collection_id = ?2 AND number = ?3 AND key IS NULL",
                )?
                .query_row([item.url_id, item.collection_id, item.number], known)
                .optional()?
        };
        let Some(known) = found else {
            insert!(
                self.db,
                "INSERT INTO",
                item {
                    collection_id: item.collection_id,
                    key: item.key,
                    url_id: item.url_id,
                    number: item.number,
                    run_id: item.run_id,
                    data: item.data,
                    first_seen: item.first_seen,
                    last_seen: item.last_seen,
                    first_run: item.first_run,
                }
            )?;
            return Ok((self.db.last_insert_rowid(), true));
        };
        let wins = (item.last_seen, item.url_id, item.number) >= (known.last_seen, known.url_id, known.number);
        let is_other = item.data != known.data;
        // What an earlier run has found is history, whichever store it was found by.
        let past = match wins {
            true if known.run_id < item.run_id => Some((known.run_id, &known.data, known.last_seen, item.run_id)),
            false if item.run_id < known.run_id => Some((item.run_id, &item.data, item.last_seen, known.run_id)),
            _ => None,
        };
        if let Some((run_id, data, seen_at, replaced_by)) = past.filter(|_| is_other && item.key.is_some()) {
            self.put_past_item(known.item_id, run_id, data, seen_at, Some(replaced_by))?;
        }
        let is_news = wins && (is_other || item.run_id != known.run_id || item.url_id != known.url_id);
        self.db
            .prepare_cached(
                "UPDATE item SET url_id = iif(?2, ?3, url_id), number = iif(?2, ?4, number), run_id = iif(?2, ?5, run_id), \
                   data = iif(?2, ?6, data), last_seen = max(last_seen, ?8), \
                   first_run = iif(?7 <= first_seen, ?9, first_run), first_seen = min(first_seen, ?7) \
                 WHERE item_id = ?1",
            )?
            .execute(params![
                known.item_id,
                wins,
                item.url_id,
                item.number,
                item.run_id,
                item.data,
                item.first_seen,
                item.last_seen,
                item.first_run,
            ])?;
        Ok((known.item_id, is_news))
    }

    fn put_past_item(
        &self,
        item_id: i64,
        run_id: i64,
        data: &str,
        seen_at: i64,
        replaced_by: Option<i64>,
    ) -> Result<()> {
        // After each run it was one thing: what was seen last.
        let later = self
            .db
            .prepare_cached("SELECT 1 FROM past_item WHERE item_id = ?1 AND run_id = ?2 AND seen_at >= ?3")?
            .exists([item_id, run_id, seen_at])?;
        if later {
            return Ok(());
        }
        self.db
            .prepare_cached("DELETE FROM past_item WHERE item_id = ?1 AND run_id = ?2")?
            .execute([item_id, run_id])?;
        insert!(
            self.db,
            "INSERT INTO",
            past_item { item_id: item_id, run_id: run_id, data: data, seen_at: seen_at, replaced_by: replaced_by }
        )?;
        Ok(())
    }

    /// Items without a key go that their page has no more in the source.
    fn drop_items(&mut self, source: &Source) -> Result<()> {
        let mut all = self.db.prepare("SELECT source_id, url_id FROM temp.moved_url WHERE is_taken AND NOT is_new")?;
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            let (from, url_id): (i64, i64) = (row.get(0)?, row.get(1)?);
            let mut ours = self
                .db
                .prepare_cached("SELECT item_id, collection_id, number FROM item WHERE url_id = ?1 AND key IS NULL")?;
            let ours = ours
                .query_map([url_id], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?
                .collect::<rusqlite::Result<Vec<(i64, (i64, i64))>>>()?;
            if ours.is_empty() {
                continue;
            }
            let mut theirs = HashSet::new();
            source.each("SELECT collection_id, number FROM item WHERE url_id = ?1 AND key IS NULL", [from], |row| {
                if let Some(&collection_id) = self.collections.get(&source.get(row, 0)?) {
                    theirs.insert((collection_id, source.get::<i64>(row, 1)?));
                }
                Ok(())
            })?;
            for (item_id, _) in ours.iter().filter(|(_, place)| !theirs.contains(place)) {
                self.db.prepare_cached("DELETE FROM item WHERE item_id = ?1")?.execute([item_id])?;
            }
        }
        Ok(())
    }

    /// Takes what items said before, and those that are gone.
    fn take_past_items(&mut self, source: &Source) -> Result<()> {
        source.each("SELECT item_id, run_id, data, seen_at, replaced_by FROM past_item", [], |row| {
            if let Some(item_id) = self.moved_item(source.get(row, 0)?)? {
                let data: String = source.get(row, 2)?;
                let (run_id, seen_at) = (source.get(row, 1)?, source.get(row, 3)?);
                self.put_past_item(item_id, run_id, &data, seen_at, source.get(row, 4)?)?;
            }
            self.row()
        })?;
        let all = "SELECT item_id, collection_id, url_id, number, run_id, data, first_run, gone_by FROM gone_item \
                   ORDER BY item_id";
        source.each(all, [], |row| {
            let (Some(moved), Some(&collection_id)) =
                (self.moved(source.get(row, 2)?)?, self.collections.get(&source.get(row, 1)?))
            else {
                return Ok(());
            };
            let (number, run_id, gone_by): (i64, i64, i64) =
                (source.get(row, 3)?, source.get(row, 4)?, source.get(row, 7)?);
            let place = [moved.url_id, collection_id, number, gone_by];
            let is_new = self
                .db
                .prepare_cached(
                    "INSERT OR IGNORE INTO temp.known_gone(url_id, collection_id, number, gone_by) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(place)?
                == 1;
            if !is_new {
                return Ok(());
            }
            let data: String = source.get(row, 5)?;
            let item_id = self.unused_item()?;
            insert!(
                self.db,
                "INSERT INTO",
                gone_item {
                    item_id: item_id,
                    collection_id: collection_id,
                    url_id: moved.url_id,
                    number: number,
                    run_id: run_id,
                    data: data,
                    first_run: source.get::<i64>(row, 6)?,
                    gone_by: gone_by,
                }
            )?;
            self.note_gone(source, source.get(row, 0)?, item_id)
        })
    }

    /// What an item said before it was gone.
    fn note_gone(&self, source: &Source, source_id: i64, item_id: i64) -> Result<()> {
        let past = "SELECT run_id, data, seen_at, replaced_by FROM past_item WHERE item_id = ?1";
        source.each(past, [source_id], |row| {
            let data: String = source.get(row, 1)?;
            self.put_past_item(item_id, source.get(row, 0)?, &data, source.get(row, 2)?, source.get(row, 3)?)
        })
    }

    /// An id that no item has or had.
    fn unused_item(&self) -> Result<i64> {
        insert!(
            self.db,
            "INSERT INTO",
            item { collection_id: 0, url_id: 0, number: 0, run_id: 0, data: "", first_seen: 0, last_seen: 0 }
        )?;
        let item_id = self.db.last_insert_rowid();
        self.db.prepare_cached("DELETE FROM item WHERE item_id = ?1")?.execute([item_id])?;
        Ok(item_id)
    }

    /// Takes which records processors have had, with their answers.
    fn take_marks(&mut self, source: &Source, brought: &mut Brought) -> Result<()> {
        let all = "SELECT collection_id, record, version, items, failed FROM processed ORDER BY collection_id, record";
        source.each(all, [], |row| {
            let mark = Mark {
                of: source.get(row, 0)?,
                record: source.get(row, 1)?,
                version: source.get(row, 2)?,
                items: source.get(row, 3)?,
                failed: source.get(row, 4)?,
            };
            let Some(&collection_id) = self.collections.get(&mark.of) else { return Ok(()) };
            if let Some((record, is_item)) = self.record(source, &mark)? {
                self.take_mark(source, &mark, collection_id, record, is_item, brought)?;
            }
            self.row()
        })
    }

    /// The record of a mark here, and whether it is an item: its version tells, and of one that has changed since the answer.
    fn record(&self, source: &Source, mark: &Mark) -> Result<Option<(i64, bool)>> {
        let page: Option<i64> = source.one(
            "SELECT coalesce(content_at, fetched_at) FROM page WHERE url_id = ?1",
            [mark.record],
            |row| row.get(0),
        )?;
        let item: Option<String> =
            source.one("SELECT data FROM item WHERE item_id = ?1", [mark.record], |row| row.get(0))?;
        let is_item = if page == Some(mark.version) {
            false
        } else if item.as_deref().map(version_of) == Some(mark.version) {
            true
        } else {
            let first = item_key(&format!("[{},0]", mark.record));
            let sql = "SELECT url_id FROM item WHERE collection_id = ?1 AND key = ?2";
            let answered: Option<i64> = source.one(sql, params![mark.of, first], |row| row.get(0))?;
            page.is_none() || answered.is_some_and(|url_id| url_id != mark.record)
        };
        let record = if is_item {
            self.moved_item(mark.record)?
        } else {
            self.moved(mark.record)?.filter(|moved| moved.is_taken).map(|moved| moved.url_id)
        };
        Ok(record.map(|record| (record, is_item)))
    }

    fn take_mark(
        &mut self,
        source: &Source,
        mark: &Mark,
        collection_id: i64,
        record: i64,
        is_item: bool,
        brought: &mut Brought,
    ) -> Result<()> {
        let had = self
            .db
            .prepare_cached("SELECT version, items, failed FROM processed WHERE collection_id = ?1 AND record = ?2")?
            .query_row([collection_id, record], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, bool>(2)?))
            })
            .optional()?;
        if had == Some((mark.version, mark.items, mark.failed)) {
            return self.note_answers(source, mark, collection_id, record);
        }
        // Of an item that several stores have the answer counts that is to what it says now.
        if is_item && had.is_some() {
            let sql = "SELECT data FROM item WHERE item_id = ?1";
            let says: Option<String> = self.db.prepare_cached(sql)?.query_row([record], |row| row.get(0)).optional()?;
            if says.is_none_or(|says| version_of(&says) != mark.version) {
                return Ok(());
            }
        }
        let key = |record: i64, number: i64| item_key(&format!("[{record},{number}]"));
        for number in 0..mark.items {
            let sql = "SELECT item_id, url_id, run_id, data, first_seen, last_seen, first_run FROM item \
                       WHERE collection_id = ?1 AND key = ?2";
            let mut item = None;
            source.each(sql, params![mark.of, key(mark.record, number)], |row| {
                let Some(moved) = self.moved(source.get(row, 1)?)? else { return Ok(()) };
                let found = Item {
                    collection_id,
                    key: Some(key(record, number)),
                    url_id: moved.url_id,
                    number,
                    run_id: source.get(row, 2)?,
                    data: source.get(row, 3)?,
                    first_seen: source.get(row, 4)?,
                    last_seen: source.get(row, 5)?,
                    first_run: source.get(row, 6)?,
                };
                item = Some((source.get::<i64>(row, 0)?, found));
                Ok(())
            })?;
            let Some((source_id, item)) = item else { break };
            let (item_id, is_news) = self.put_item(&item)?;
            brought.items += u64::from(is_news);
            self.note_item(source_id, item_id)?;
        }
        for number in mark.items..had.map_or(0, |(_, items, _)| items) {
            self.db
                .prepare_cached("DELETE FROM item WHERE collection_id = ?1 AND key = ?2")?
                .execute(params![collection_id, key(record, number)])?;
        }
        insert!(
            self.db,
            "INSERT INTO",
            processed {
                collection_id: collection_id,
                record: record,
                version: mark.version,
                items: mark.items,
                failed: mark.failed,
            },
            "ON CONFLICT DO UPDATE SET version = :version, items = :items, failed = :failed"
        )?;
        self.take_failure(source, mark, collection_id, record, is_item)
    }

    /// Notes the answers of a mark that is here already: other marks may be of them.
    fn note_answers(&self, source: &Source, mark: &Mark, collection_id: i64, record: i64) -> Result<()> {
        for number in 0..mark.items {
            let sql = "SELECT item_id FROM item WHERE collection_id = ?1 AND key = ?2";
            let theirs: Option<i64> =
                source
                    .one(sql, params![mark.of, item_key(&format!("[{},{number}]", mark.record))], |row| row.get(0))?;
            let ours = item_key(&format!("[{record},{number}]"));
            let ours: Option<i64> =
                self.db.prepare_cached(sql)?.query_row(params![collection_id, ours], |row| row.get(0)).optional()?;
            let (Some(theirs), Some(ours)) = (theirs, ours) else { break };
            self.note_item(theirs, ours)?;
        }
        Ok(())
    }

    /// Takes why a processor failed on a record.
    fn take_failure(&self, source: &Source, mark: &Mark, collection_id: i64, record: i64, is_item: bool) -> Result<()> {
        let url = "SELECT url_id FROM item WHERE item_id = ?1";
        let (theirs, ours): (Option<i64>, Option<i64>) = if is_item {
            let ours = self.db.prepare_cached(url)?.query_row([record], |row| row.get(0)).optional()?;
            (source.one(url, [mark.record], |row| row.get(0))?, ours)
        } else {
            (Some(mark.record), Some(record))
        };
        let (Some(theirs), Some(url_id)) = (theirs, ours) else { return Ok(()) };
        let number = |record: i64| is_item.then_some(record);
        self.db
            .prepare_cached("DELETE FROM extract_problem WHERE url_id = ?1 AND collection_id = ?2 AND number IS ?3")?
            .execute(params![url_id, collection_id, number(record)])?;
        let sql = "SELECT run_id, field, found FROM extract_problem \
                   WHERE url_id = ?1 AND collection_id = ?2 AND number IS ?3 AND kind = ?4";
        let failure: Option<(i64, String, String)> =
            source.one(sql, params![theirs, mark.of, number(mark.record), ProblemKind::Processor as i64], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        if let Some((run_id, field, found)) = failure {
            insert!(
                self.db,
                "INSERT INTO",
                extract_problem {
                    url_id: url_id,
                    run_id: run_id,
                    collection_id: collection_id,
                    number: number(record),
                    field: field,
                    kind: ProblemKind::Processor as i64,
                    found: found,
                }
            )?;
        }
        Ok(())
    }

    /// Takes how often fields were found; of a host that two stores have, for each field the count of more items.
    fn take_rates(&mut self, source: &Source) -> Result<()> {
        if self.wanted.is_some() {
            return Ok(());
        }
        source.each("SELECT run_id, collection_id, host_id, counts FROM field_rate", [], |row| {
            let Some(&collection_id) = self.collections.get(&source.get(row, 1)?) else { return Ok(()) };
            let host_id = self.host(source, source.get(row, 2)?)?;
            let (run_id, counts): (i64, String) = (source.get(row, 0)?, source.get(row, 3)?);
            type Rates = std::collections::BTreeMap<String, (u64, u64)>;
            let Ok(theirs) = serde_json::from_str::<Rates>(&counts) else {
                return Err(source.damaged("a rate of fields is no count"));
            };
            let sql = "SELECT counts FROM field_rate WHERE run_id = ?1 AND collection_id = ?2 AND host_id = ?3";
            let known: Option<String> = self
                .db
                .prepare_cached(sql)?
                .query_row([run_id, collection_id, host_id], |row| row.get(0))
                .optional()?;
            let mut rates = known.and_then(|known| serde_json::from_str::<Rates>(&known).ok()).unwrap_or_default();
            for (field, rate) in theirs {
                let known = rates.entry(field).or_insert(rate);
                *known = (*known).max(rate);
            }
            let counts = serde_json::to_string(&rates).expect("names and numbers always serialise");
            self.db
                .prepare_cached(
                    "INSERT INTO field_rate(run_id, collection_id, host_id, counts) VALUES (?1, ?2, ?3, ?4) \
                     ON CONFLICT DO UPDATE SET counts = excluded.counts",
                )?
                .execute(params![run_id, collection_id, host_id, counts])?;
            Ok(())
        })
    }

    /// Takes the requests of a store.
    pub(super) fn take_requests(&mut self, source: &Source, brought: &mut Brought) -> Result<()> {
        let names = REQUEST_COLUMNS.map(|(name, _)| name).join(", ");
        let kinds = REQUEST_COLUMNS.map(|(_, kind)| kind);
        let places = vec!["?"; REQUEST_COLUMNS.len() + 3].join(", ");
        let mut insert =
            self.db.prepare(&format!("INSERT INTO request(url_id, run_id, host_id, {names}) VALUES ({places})"))?;
        let mut has_index = false;
        source.each(&format!("SELECT url_id, run_id, host_id, {names} FROM request ORDER BY request_id"), [], |row| {
            let moved = self.moved(source.get(row, 0)?)?;
            if moved.is_none() && self.wanted.is_some() {
                return Ok(());
            }
            let host_id = self.host(source, source.get(row, 2)?)?;
            let values = source.values(row, 3, &kinds)?;
            let started_us = match values[STARTED_US] {
                rusqlite::types::Value::Integer(at) => at,
                _ => return Err(source.damaged("a request has no time")),
            };
            let moved = match moved {
                Some(moved) => moved,
                // Its URL is gone. What it was is told by host and time, so that it is here once.
                None => Moved { url_id: id_of_gone(host_id, started_us), is_new: false, is_taken: false },
            };
            let run_id: i64 = source.get(row, 1)?;
            if !moved.is_new {
                if !std::mem::replace(&mut has_index, true) {
                    self.db.execute_batch("CREATE INDEX IF NOT EXISTS \"lookup.request\" ON request(url_id)")?;
                }
                let is_known = self
                    .db
                    .prepare_cached(
                        "SELECT 1 FROM request INDEXED BY \"lookup.request\" \
                         WHERE url_id = ?1 AND run_id = ?2 AND host_id = ?3 AND started_us = ?4",
                    )?
                    .exists([moved.url_id, run_id, host_id, started_us])?;
                if is_known {
                    return self.row();
                }
            }
            let ids = [moved.url_id, run_id, host_id].map(rusqlite::types::Value::Integer);
            insert.execute(params_from_iter(ids.into_iter().chain(values)))?;
            brought.requests += 1;
            self.row()
        })
    }

    /// Takes the robots.txt files that were read last.
    pub(super) fn take_robots(&mut self, source: &Source) -> Result<()> {
        let names = ROBOTS_COLUMNS.map(|(name, _)| name);
        let kinds = ROBOTS_COLUMNS.map(|(_, kind)| kind);
        let set = names[1..].iter().map(|name| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", ");
        let (columns, places) = (names.join(", "), vec!["?"; names.len()].join(", "));
        let mut put = self.db.prepare(&format!(
            "INSERT INTO robots({columns}) VALUES ({places}) ON CONFLICT(origin) DO UPDATE SET {set} \
             WHERE excluded.fetched_at > fetched_at"
        ))?;
        source.each(&format!("SELECT {columns} FROM robots ORDER BY robots_id"), [], |row| {
            put.execute(params_from_iter(source.values(row, 0, &kinds)?))?;
            Ok(())
        })
    }

    /// Takes by which rules links were followed and URLs were put in order; where stores differ, the next crawl begins anew.
    pub(super) fn take_rules(&mut self, source: &Source) -> Result<()> {
        let scope = "SELECT kind FROM scope";
        let theirs: Option<String> = source.one(scope, [], |row| row.get(0))?;
        let ours: Option<String> = self.db.query_row(scope, [], |row| row.get(0)).optional()?;
        match theirs {
            Some(theirs) if ours.as_ref().is_none_or(|ours| *ours == theirs) => {
                if ours.is_none() {
                    self.db.prepare_cached("INSERT INTO scope(kind) VALUES (?1)")?.execute([theirs])?;
                }
                source.each("SELECT root FROM scope_root", [], |row| {
                    let root: String = source.get(row, 0)?;
                    if self.wanted.is_some_and(|wanted| !wanted(host_of(&root))) {
                        return Ok(());
                    }
                    self.db
                        .prepare_cached("INSERT INTO scope_root(root) VALUES (?1) ON CONFLICT DO NOTHING")?
                        .execute([root])?;
                    Ok(())
                })?;
            }
            Some(_) => self.db.execute_batch("DELETE FROM scope_root; DELETE FROM scope")?,
            None => {}
        }
        let rule = "SELECT rules FROM order_rule WHERE kind = ?1";
        for kind in ["priorities", "budgets"] {
            let theirs: String = source.one(rule, [kind], |row| row.get(0))?.unwrap_or_default();
            let ours: Option<String> = self.db.prepare_cached(rule)?.query_row([kind], |row| row.get(0)).optional()?;
            let is_first = ours.is_none() && self.progress.stores == 0 && self.first_last_run == 0;
            let rules = match ours.unwrap_or_default() {
                // No rules are called so.
                _ if kind == "budgets" && !theirs.is_empty() => "merged".to_owned(),
                ours if ours == theirs => continue,
                _ if is_first => theirs,
                _ => "merged".to_owned(),
            };
            self.db
                .prepare_cached("INSERT OR REPLACE INTO order_rule(kind, rules) VALUES (?1, ?2)")?
                .execute([kind, &rules])?;
        }
        Ok(())
    }
}

/// The version of an item by what it says, as a processor is told it.
fn version_of(data: &str) -> i64 {
    let mut hash = [0; 8];
    hash.copy_from_slice(&blake3::hash(data.as_bytes()).as_bytes()[..8]);
    i64::from_le_bytes(hash)
}

/// The host that a root of the scope begins with.
fn host_of(root: &str) -> &str {
    let end = match root.find(']') {
        Some(end) if root.starts_with('[') => end + 1,
        _ => root.find([':', '/']).unwrap_or(root.len()),
    };
    &root[..end]
}

/// An id for the URL of a request that is gone: below those of all others.
fn id_of_gone(host_id: i64, started_us: i64) -> i64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&host_id.to_le_bytes()).update(&started_us.to_le_bytes());
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    -(i64::from_le_bytes(bytes) & (i64::MAX >> 1)) - 1
}
