//! Selector drift: fields that a run found less often than the last complete run before it.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde::Serialize;

use super::StoreError;

/// Items (or pages, for a collection as a whole) that both runs must have of a host before its rates are compared.
pub const LEAST_ITEMS: u64 = 10;

/// A fall of a rate, from 0 to 1, that is worth saying, unless the collection says otherwise.
pub const DEFAULT_DRIFT: f64 = 0.3;

/// A field that is found less often than it was.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Drift {
    /// The collection.
    pub collection: String,
    /// The field; empty: pages that matched have no items any more.
    pub field: String,
    /// The host; `None`: over all hosts together.
    pub host: Option<String>,
    /// Its rate in the earlier run, from 0 to 1.
    pub before: f64,
    /// Its rate in this run.
    pub now: f64,
}

/// What has fallen in run `run_id` by more than `limit` says for its collection, host by host; where a collection has
/// too few items of each host, over all its hosts. The largest fall first.
///
/// # Errors
/// [`StoreError`]
pub fn drifts(db: &Connection, run_id: i64, limit: impl Fn(&str) -> f64) -> Result<Vec<Drift>, StoreError> {
    let mut select = db.prepare(
        "WITH earlier AS (
           SELECT f.collection_id, max(f.run_id) AS run_id FROM field_rate f JOIN run r USING(run_id)
           WHERE f.run_id < ?1 AND r.ended_by = 'completed' GROUP BY 1)
         SELECT c.name, v.host, v.field, v.run_id = ?1, v.of_items, v.found
         FROM earlier e JOIN collection c USING(collection_id)
         JOIN field_rates v ON v.collection = c.name AND v.run_id IN (e.run_id, ?1)",
    )?;
    let mut of_host = BTreeMap::<(String, String, String), [(u64, u64); 2]>::new();
    let mut rows = select.query(params![run_id])?;
    while let Some(row) = rows.next()? {
        let counts = of_host.entry((row.get(0)?, row.get(2)?, row.get(1)?)).or_default();
        counts[usize::from(row.get::<_, bool>(3)?)] = (row.get(4)?, row.get(5)?);
    }
    let mut of_all = BTreeMap::<(String, String), [(u64, u64); 2]>::new();
    for ((collection, field, _), counts) in &of_host {
        let all = of_all.entry((collection.clone(), field.clone())).or_default();
        for (all, (of, found)) in all.iter_mut().zip(counts) {
            *all = (all.0 + of, all.1 + found);
        }
    }
    let mut drifts = Vec::new();
    let mut judge = |collection: &str, field: &str, host: Option<&str>, counts: &[(u64, u64); 2]| {
        let [(of_before, found_before), (of_now, found_now)] = *counts;
        if of_before < LEAST_ITEMS || of_now < LEAST_ITEMS {
            return false;
        }
        let (before, now) = (found_before as f64 / of_before as f64, found_now as f64 / of_now as f64);
        if before - now > limit(collection) {
            let (collection, field) = (collection.to_owned(), field.to_owned());
            drifts.push(Drift { collection, field, host: host.map(str::to_owned), before, now });
        }
        true
    };
    let mut compared = std::collections::BTreeSet::new();
    for ((collection, field, host), counts) in &of_host {
        if judge(collection, field, Some(host), counts) {
            compared.insert((collection, field));
        }
    }
    for ((collection, field), counts) in &of_all {
        if !compared.contains(&(collection, field)) {
            judge(collection, field, None, counts);
        }
    }
    drifts.sort_by(|a, b| (b.before - b.now).total_cmp(&(a.before - a.now)));
    Ok(drifts)
}
