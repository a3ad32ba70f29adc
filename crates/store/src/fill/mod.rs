//! How well rules fit the pages of a run: what was found of each field, over all hosts.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::StoreError;
use seine_core::record::items::{Collection, Fill};

/// The fill of `declared` collections in run `run_id`, by name. A collection that no page was about has no pages; all
/// are left out of a run that applied its rules to no page, since it can tell nothing of them.
///
/// # Errors
/// [`StoreError`]
pub fn fills(db: &Connection, run_id: i64, declared: &[Collection]) -> Result<BTreeMap<String, Fill>, StoreError> {
    let mut fills = BTreeMap::new();
    for collection in declared {
        fills.insert(collection.name.clone(), of(db, run_id, collection)?);
    }
    if fills.values().all(|fill| fill.pages == 0) && !has_read(db, run_id)? {
        fills.clear();
    }
    Ok(fills)
}

fn of(db: &Connection, run_id: i64, collection: &Collection) -> Result<Fill, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT n.key, n.value ->> 0, n.value ->> 1 FROM collection c \
         CROSS JOIN field_rate f ON f.run_id = ?2 AND f.collection_id = c.collection_id \
         CROSS JOIN json_each(f.counts) n WHERE c.name = ?1",
    )?;
    let mut rows = select.query(params![collection.name, run_id])?;
    let mut fill = Fill::default();
    while let Some(row) = rows.next()? {
        fill.add(&row.get::<_, String>(0)?, row.get(1)?, row.get(2)?);
    }
    as_declared(&mut fill, collection);
    Ok(fill)
}

/// Brings the fields into declared order; those that are not declared any more, since a resumed run may have begun with
/// other rules, go.
pub(super) fn as_declared(fill: &mut Fill, collection: &Collection) {
    let place = |name: &str| collection.fields.iter().position(|field| field.name == name);
    fill.fields.retain(|field| place(&field.field).is_some());
    fill.fields.sort_by_key(|field| place(&field.field));
}

/// Whether the run got a whole answer: what was not modified is not read again.
fn has_read(db: &Connection, run_id: i64) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM page WHERE run_id = ?1 AND outcome = 0 AND NOT not_modified)";
    Ok(db.query_row(sql, [run_id], |row| row.get(0))?)
}

#[cfg(test)]
mod tests;
