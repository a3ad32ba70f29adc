//! How many versions of a page keep their bodies.
//!
//! An earlier fetch of a page stays in `past_page` as long as the store does: when, what came of it, and the hash of the
//! body. The bodies themselves go, the oldest first: at the page's next change, and all at once by `seine prune`.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, params};

use super::{StoreError, bodies, requests};
use seine_core::record::UrlId;

/// Bodies that go in one transaction.
const BODIES_AT_ONCE: usize = 1000;
/// URLs whose old bodies go in one transaction.
const URLS_AT_ONCE: usize = 1000;

/// The versions of a page that keep their bodies. The last one always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many, the last one included; 0: any number.
    pub versions: u32,
    /// Those the site was last seen to have at this time or later, in milliseconds of the Unix epoch.
    pub since: u64,
}

/// Counts of all that [`prune`] has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Pruned {
    /// Versions of pages that have lost their bodies.
    pub versions: u64,
    /// Bodies nobody refers to any more.
    pub bodies: u64,
    /// Their compressed bytes.
    pub bytes: u64,
    /// Requests of earlier runs.
    pub requests: u64,
}

/// Takes their bodies from the old versions of a page; says how many there were. The bodies themselves go with
/// [`sweep`], unless somebody else has them too.
///
/// # Errors
/// [`StoreError`]
pub fn drop_old(db: &Connection, url_id: UrlId, keep: Keep) -> Result<u64, StoreError> {
    let current: Option<i64> = db
        .prepare_cached("SELECT body_id FROM page WHERE url_id = ?1")?
        .query_row([url_id], |row| row.get(0))
        .optional()?
        .flatten();
    let versions = db
        .prepare_cached(
            "SELECT body_id, max(fetched_at) FROM past_page INDEXED BY past_url WHERE url_id = ?1 AND body_id IS NOT NULL AND body_id IS NOT ?2 \
             GROUP BY body_id ORDER BY max(run_id) DESC, 2 DESC",
        )?
        .query_map(params![url_id, current], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(i64, u64)>, _>>()?;
    let mut dropped = 0;
    for (at, (body_id, seen_at)) in versions.into_iter().enumerate() {
        // Of a page that has none now the last one it had counts as the first.
        let number = at + 1 + usize::from(current.is_some());
        let too_many = keep.versions > 0 && number > keep.versions as usize;
        if number == 1 || !(too_many || seen_at < keep.since) {
            continue;
        }
        db.prepare_cached(
            "UPDATE past_page INDEXED BY past_url SET body_id = NULL WHERE url_id = ?1 AND body_id = ?2",
        )?
        .execute(params![url_id, body_id])?;
        db.prepare_cached("INSERT OR IGNORE INTO loose_body(body_id) VALUES (?1)")?.execute([body_id])?;
        dropped += 1;
    }
    Ok(dropped)
}

/// Removes the bodies that nobody refers to any more, of those that were dropped, for about as long as `most`; bodies and
/// their compressed bytes. What is left goes another time.
///
/// # Errors
/// [`StoreError`]
pub fn sweep(db: &mut Connection, most: Duration) -> Result<(u64, u64), StoreError> {
    let began = Instant::now();
    if !db.query_row("SELECT EXISTS (SELECT 1 FROM loose_body)", [], |row| row.get::<_, bool>(0))? {
        return Ok((0, 0));
    }
    let transaction = db.transaction()?;
    transaction.execute_batch(
        "DELETE FROM loose_body WHERE EXISTS (SELECT 1 FROM past_page p WHERE p.body_id = loose_body.body_id);
         DELETE FROM loose_body WHERE body_id IN
           (SELECT p.body_id FROM page p WHERE p.body_id IN (SELECT body_id FROM loose_body));",
    )?;
    transaction.commit()?;
    let mut swept = (0, 0);
    while began.elapsed() < most {
        let transaction = db.transaction()?;
        let loose = transaction
            .prepare_cached(
                "SELECT body_id, coalesce(length(zstd), 0) FROM loose_body LEFT JOIN body USING(body_id) LIMIT ?1",
            )?
            .query_map([BODIES_AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<Vec<(i64, u64)>, _>>()?;
        if loose.is_empty() {
            break;
        }
        for (body_id, bytes) in loose {
            let removed = bodies::remove(&transaction, body_id)?;
            transaction.prepare_cached("DELETE FROM loose_body WHERE body_id = ?1")?.execute([body_id])?;
            swept = (swept.0 + u64::from(removed), swept.1 + bytes);
        }
        transaction.commit()?;
    }
    Ok(swept)
}

/// Applies `keep` to all pages, and removes bodies nobody refers to; with `requests_before`, in milliseconds of the Unix
/// epoch, also requests from before that time (see [`requests`]). The caller holds the
/// store's lock; what is killed in the middle has done a part of it, and may be repeated.
///
/// # Errors
/// [`StoreError`]
pub fn prune(db: &mut Connection, keep: Keep, requests_before: Option<u64>) -> Result<Pruned, StoreError> {
    let mut pruned = Pruned::default();
    let mut after = UrlId::MIN;
    loop {
        let transaction = db.transaction()?;
        let url_ids = transaction
            .prepare_cached(
                "SELECT DISTINCT url_id FROM past_page INDEXED BY past_url WHERE url_id > ?1 AND body_id IS NOT NULL ORDER BY url_id LIMIT ?2",
            )?
            .query_map(params![after, URLS_AT_ONCE], |row| row.get(0))?
            .collect::<Result<Vec<UrlId>, _>>()?;
        let Some(&last) = url_ids.last() else { break };
        after = last;
        for url_id in url_ids {
            pruned.versions += drop_old(&transaction, url_id, keep)?;
        }
        transaction.commit()?;
    }
    // Also those that a retry or an end by kill has left behind.
    db.execute_batch(
        "INSERT OR IGNORE INTO loose_body(body_id) SELECT body_id FROM body
           WHERE body_id NOT IN (SELECT body_id FROM page WHERE body_id IS NOT NULL)",
    )?;
    (pruned.bodies, pruned.bytes) = sweep(db, Duration::MAX)?;
    if let Some(before) = requests_before {
        pruned.requests = requests::prune(db, before)?;
    }
    Ok(pruned)
}
