//! Items that differ.
//!
//! One with a key is the same item wherever it is found. It is gone when the page that had it was read again without it,
//! or is gone itself; should it come again, nothing tells that it was away. Those without a key are told apart by their
//! place on the page, so of two versions of a page those with equal data are the same first, then those at one place.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Row};
use serde_json::Value;

use super::history::{Histories, History};
use super::{IS_READ, Result, Scope};
use crate::{StoreError, collections};
use seine_core::record::items::Collection;

/// A difference of an item.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// It is there, with this data.
    Added(Value),
    /// Its data before and after.
    Changed(Value, Value),
    /// It is there no more; what it was.
    Removed(Value),
}

impl ItemKind {
    /// The name in every format: never reworded.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Added(_) => "added",
            Self::Changed(..) => "changed",
            Self::Removed(_) => "removed",
        }
    }
}

/// An item that differs.
#[derive(Clone, Debug)]
pub struct ItemChange<'a> {
    /// In what.
    pub kind: ItemKind,
    /// Of which collection.
    pub collection: &'a Collection,
    /// The page that had it last.
    pub url: &'a str,
    /// Its place on the page, from 0; `None` if it has a key.
    pub number: Option<u32>,
}

/// The collections whose items have a history.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    collections: HashMap<i64, Collection>,
    /// Those of processors: of their items only the last are kept.
    pub left_out: Vec<String>,
    /// In which runs pages were read for which collection.
    read: HashSet<(i64, i64)>,
}

impl Compared {
    /// All of a store.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn of(db: &Connection) -> Result<Self> {
        let mut compared = Self::default();
        let mut is_of_processor = db.prepare_cached("SELECT 1 FROM processed WHERE collection_id = ?1")?;
        for (collection_id, collection) in collections::all(db)? {
            if is_of_processor.exists([collection_id])? {
                compared.left_out.push(collection.name);
            } else {
                compared.collections.insert(collection_id, collection);
            }
        }
        // Looked up, not listed: it has a row for each host.
        let mut read = db.prepare_cached(
            "SELECT run.run_id, c.collection_id FROM run CROSS JOIN collection c NOT INDEXED WHERE EXISTS \
               (SELECT 1 FROM field_rate f WHERE f.run_id = run.run_id AND f.collection_id = c.collection_id)",
        )?;
        let read = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        compared.read = read.collect::<Result<_, _>>()?;
        Ok(compared)
    }

    /// Leaves only those of these names, all if there are none; the first name that is of no collection.
    pub fn only(&mut self, names: &[String]) -> Option<String> {
        if names.is_empty() {
            return None;
        }
        let is_known = |name: &&String| {
            self.collections.values().any(|collection| collection.name == **name) || self.left_out.contains(name)
        };
        if let Some(unknown) = names.iter().find(|name| !is_known(name)) {
            return Some(unknown.clone());
        }
        self.collections.retain(|_, collection| names.contains(&collection.name));
        self.left_out.retain(|name| names.contains(name));
        None
    }

    fn ids(&self) -> String {
        let ids: Vec<_> = self.collections.keys().map(i64::to_string).collect();
        ids.join(",")
    }
}

/// Calls `visit` for each item that differs: those without a key page by page, then the others in the order of their
/// ids.
///
/// # Errors
/// [`StoreError`], or that of `visit`, which ends it.
pub fn items<E: From<StoreError>>(
    db: &Connection,
    scope: &Scope,
    compared: &Compared,
    mut visit: impl FnMut(ItemChange<'_>) -> Result<(), E>,
) -> Result<(), E> {
    if compared.collections.is_empty() {
        return Ok(());
    }
    let mut histories = Histories::since(db, scope.from)?;
    placed(db, scope, compared, &mut histories, &mut visit)?;
    keyed(db, scope, compared, &mut histories, &mut visit)
}

/// The data that `item i` had as of a run, if it is another now.
fn past_data(run_id: i64) -> String {
    // Before version 5 it was not written down which run found something else. What was found later was replaced later: of what
    // was found before that run only the last can have stood until then, so no more is looked through.
    format!(
        "(SELECT h.data FROM past_item h WHERE h.item_id = i.item_id AND coalesce(h.replaced_by, h.run_id + 1) > {run_id} \
            AND h.run_id >= coalesce((SELECT max(f.run_id) FROM past_item f WHERE f.item_id = i.item_id \
                                        AND f.run_id < {run_id}), 0) \
          ORDER BY h.run_id, h.seen_at LIMIT 1)"
    )
}

/// Whether nothing but its data can differ of an item: its page was ok whenever it was fetched, is listed, and was not
/// read since. Most are so, and of them no history has to be looked up.
const IS_CALM: &str = "p.outcome = 0 AND u.unlisted_by IS NULL AND coalesce(p.content_at, p.fetched_at) <= i.last_seen \
     AND NOT EXISTS (SELECT 1 FROM past_page f INDEXED BY past_bad WHERE f.url_id = i.url_id AND f.outcome <> 0)";

fn keyed<E: From<StoreError>>(
    db: &Connection,
    scope: &Scope,
    compared: &Compared,
    histories: &mut Histories<'_>,
    visit: &mut impl FnMut(ItemChange<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let sql = format!(
        "SELECT i.url_id, i.collection_id, coalesce(i.first_run, i.run_id), i.last_seen, i.data, {}, {}, {IS_CALM}, i.run_id \
         FROM item i NOT INDEXED CROSS JOIN url u ON u.url_id = i.url_id LEFT JOIN page p ON p.url_id = i.url_id \
         WHERE i.key IS NOT NULL AND i.collection_id IN ({}) AND coalesce(i.first_run, i.run_id) <= {} AND {} \
         ORDER BY i.item_id",
        past_data(scope.from),
        past_data(scope.to),
        compared.ids(),
        scope.to,
        scope.can_differ(IS_READ)
    );
    let mut select = db.prepare(&sql).map_err(StoreError::from)?;
    let mut rows = select.query([]).map_err(StoreError::from)?;
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        let item = Keyed::of(row).map_err(StoreError::from)?;
        if item.is_calm && item.first_run <= scope.from && item.before == item.after {
            continue;
        }
        let Some(collection) = compared.collections.get(&item.collection_id) else { continue };
        let mut is_there = |run_id: i64, tells: bool| {
            if item.first_run > run_id || !tells {
                return Ok(item.first_run <= run_id);
            }
            let has_rules = |run_id: i64| compared.read.contains(&(run_id, item.collection_id));
            let is_missed = histories.is_read(item.url_id, (item.run_id, run_id), item.last_seen, has_rules)?;
            Ok::<_, StoreError>(!is_missed && !histories.of(item.url_id)?.is_gone(run_id))
        };
        let was = is_there(scope.from, true)?;
        let is = is_there(scope.to, scope.is_complete || !was)?;
        if !was && !is {
            continue;
        }
        let history = histories.of(item.url_id)?;
        let before = was.then(|| item.before.as_ref().unwrap_or(&item.data));
        let after = is.then(|| item.after.as_ref().unwrap_or(&item.data));
        if let Some(kind) = kind(before.map(String::as_str), after.map(String::as_str)) {
            visit(ItemChange { kind, collection, url: &history.url, number: None })?;
        }
    }
    Ok(())
}

struct Keyed {
    url_id: i64,
    collection_id: i64,
    first_run: i64,
    /// That found it last.
    run_id: i64,
    last_seen: i64,
    data: String,
    /// As of the earlier run and the later one, if they are another.
    before: Option<String>,
    after: Option<String>,
    /// See [`IS_CALM`].
    is_calm: bool,
}

impl Keyed {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            url_id: row.get(0)?,
            collection_id: row.get(1)?,
            first_run: row.get(2)?,
            last_seen: row.get(3)?,
            data: row.get(4)?,
            before: row.get(5)?,
            after: row.get(6)?,
            is_calm: row.get::<_, Option<bool>>(7)?.unwrap_or(false),
            run_id: row.get(8)?,
        })
    }
}

/// Items of one page and collection that are known by their place, as of both runs.
#[derive(Default)]
struct Placed {
    url_id: i64,
    collection_id: i64,
    before: Vec<(u32, String)>,
    after: Vec<(u32, String)>,
    /// Whether none of them is other than [`IS_CALM`].
    is_calm: bool,
}

fn placed<E: From<StoreError>>(
    db: &Connection,
    scope: &Scope,
    compared: &Compared,
    histories: &mut Histories<'_>,
    visit: &mut impl FnMut(ItemChange<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let columns = |gone_by: &str, is_calm: &str| {
        format!(
            "i.url_id, i.collection_id, i.number, coalesce(i.first_run, i.run_id), {gone_by}, i.data, {}, {}, {is_calm}",
            past_data(scope.from),
            past_data(scope.to)
        )
    };
    let pages = "CROSS JOIN url u ON u.url_id = i.url_id LEFT JOIN page p ON p.url_id = i.url_id";
    let wanted = format!(
        "+i.collection_id IN ({}) AND coalesce(i.first_run, i.run_id) <= {} AND {}",
        compared.ids(),
        scope.to,
        scope.can_differ(IS_READ)
    );
    // Both halves come in the order of pages; the first page by page.
    let sql = format!(
        "SELECT {} FROM url u LEFT JOIN page p ON p.url_id = u.url_id \
           CROSS JOIN item i ON i.url_id = u.url_id WHERE i.key IS NULL AND {wanted} \
         UNION ALL \
         SELECT {} FROM gone_item i {pages} WHERE i.gone_by > {} AND {wanted} \
         ORDER BY 1, 2, 3",
        columns("NULL", IS_CALM),
        columns("i.gone_by", "FALSE"),
        scope.from
    );
    let mut select = db.prepare(&sql).map_err(StoreError::from)?;
    let mut rows = select.query([]).map_err(StoreError::from)?;
    let mut of_page = Placed::default();
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        let next = Placed::begin(row).map_err(StoreError::from)?;
        if (next.url_id, next.collection_id) != (of_page.url_id, of_page.collection_id) {
            std::mem::replace(&mut of_page, next).compare(scope, compared, histories, visit)?;
        }
        of_page.take(row, scope).map_err(StoreError::from)?;
    }
    of_page.compare(scope, compared, histories, visit)
}

impl Placed {
    fn begin(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { url_id: row.get(0)?, collection_id: row.get(1)?, is_calm: true, ..Self::default() })
    }

    fn take(&mut self, row: &Row<'_>, scope: &Scope) -> rusqlite::Result<()> {
        let (number, first_run): (u32, i64) = (row.get(2)?, row.get(3)?);
        self.is_calm &= row.get::<_, Option<bool>>(8)?.unwrap_or(false);
        let gone_by = row.get::<_, Option<i64>>(4)?.unwrap_or(i64::MAX);
        let is_there = |run_id: i64| first_run <= run_id && run_id < gone_by;
        let data = |at: usize| match row.get::<_, Option<String>>(at)? {
            Some(past) => Ok(past),
            None => row.get(5),
        };
        if is_there(scope.from) {
            self.before.push((number, data(6)?));
        }
        if is_there(scope.to) {
            self.after.push((number, data(7)?));
        }
        Ok(())
    }

    fn compare<E: From<StoreError>>(
        mut self,
        scope: &Scope,
        compared: &Compared,
        histories: &mut Histories<'_>,
        visit: &mut impl FnMut(ItemChange<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(collection) = compared.collections.get(&self.collection_id) else { return Ok(()) };
        if self.is_calm && self.before == self.after {
            return Ok(());
        }
        let history = histories.of(self.url_id)?;
        self.forget_gone(scope, history);
        without_equals(&mut self.before, &mut self.after);
        let mut before = self.before.into_iter().peekable();
        let mut change = |number: u32, before: Option<&str>, after: Option<&str>| match kind(before, after) {
            Some(kind) => visit(ItemChange { kind, collection, url: &history.url, number: Some(number) }),
            None => Ok(()),
        };
        for (number, data) in self.after {
            while let Some((number, data)) = before.next_if(|(earlier, _)| *earlier < number) {
                change(number, Some(&data), None)?;
            }
            let earlier = before.next_if(|(earlier, _)| *earlier == number);
            change(number, earlier.as_ref().map(|(_, data)| data.as_str()), Some(&data))?;
        }
        before.try_for_each(|(number, data)| change(number, Some(&data), None))
    }

    /// Of a page that is gone there are no items.
    fn forget_gone(&mut self, scope: &Scope, history: &History) {
        let was_gone = history.is_gone(scope.from);
        if was_gone {
            self.before.clear();
        }
        if (scope.is_complete || was_gone) && history.is_gone(scope.to) {
            self.after.clear();
        }
    }
}

/// Leaves in both lists the rest when items with equal data are taken out in pairs.
fn without_equals(before: &mut Vec<(u32, String)>, after: &mut Vec<(u32, String)>) {
    let mut had: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, (_, data)) in before.iter().enumerate().rev() {
        had.entry(data).or_default().push(at);
    }
    let mut is_paired = vec![false; before.len()];
    after.retain(|(_, data)| match had.get_mut(data.as_str()).and_then(Vec::pop) {
        Some(at) => {
            is_paired[at] = true;
            false
        }
        None => true,
    });
    let mut is_paired = is_paired.into_iter();
    before.retain(|_| is_paired.next() == Some(false));
}

/// The difference of an item with this data before and after, if any.
fn kind(before: Option<&str>, after: Option<&str>) -> Option<ItemKind> {
    if before == after {
        return None;
    }
    // Data that is nested too deeply to be read as JSON is told as a text.
    let value = |data: &str| serde_json::from_str(data).unwrap_or_else(|_| Value::from(data));
    match (before.map(value), after.map(value)) {
        // The same fields in another order.
        (Some(before), Some(after)) => (before != after).then_some(ItemKind::Changed(before, after)),
        (None, Some(after)) => Some(ItemKind::Added(after)),
        (Some(before), None) => Some(ItemKind::Removed(before)),
        (None, None) => None,
    }
}
