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

/// The fields whose rate fell in run `run_id` by more than `limit` says for its collection, host by host; where a collection has
/// too few items of each host, over all its hosts. The largest fall first.
///
/// # Errors
/// [`StoreError`]
pub fn drifts(db: &Connection, run_id: i64, limit: impl Fn(&str) -> f64) -> Result<Vec<Drift>, StoreError> {
    let mut select = db.prepare(
        "WITH earlier AS MATERIALIZED (
           SELECT c.collection_id, c.name,
             (SELECT r.run_id FROM run r WHERE r.run_id < ?1 AND r.ended_by = 'completed' AND EXISTS
                (SELECT 1 FROM field_rate f WHERE f.run_id = r.run_id AND f.collection_id = c.collection_id)
              ORDER BY r.run_id DESC LIMIT 1) AS run_id
           FROM collection c)
         SELECT e.name, coalesce((SELECT h.name FROM host h WHERE h.host_id = f.host_id), ''), n.key, f.run_id = ?1,
                n.value ->> 0, n.value ->> 1
         FROM earlier e CROSS JOIN field_rate f ON f.run_id IN (e.run_id, ?1) AND f.collection_id = e.collection_id
         CROSS JOIN json_each(f.counts) n
         WHERE e.run_id IS NOT NULL",
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
