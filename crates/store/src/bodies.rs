//! Which bodies the store has, by their hashes: the same bytes are stored once.
//!
//! Hashes are in no order, so each new one belongs on another leaf of an index, and writing a leaf for each page is what
//! makes pages dear in a large store. So the latest keys are kept at hand and in `new_body`, which only grows at its end,
//! and many at a time are put into the index `body_key` in its order. A key is the beginning of a hash; whether a body is
//! the one is said by the whole hash in its row.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;

/// So many keys wait for the index at most. At hand each takes some 40 bytes.
const NEW_BODIES: usize = 64 * 1024;

/// What bodies are looked up by: enough of a hash that two of a store hardly ever have the same.
const KEY_BYTES: usize = 6;

type Key = [u8; KEY_BYTES];
type Result<T, E = StoreError> = std::result::Result<T, E>;

/// The keys that are not in the index yet.
#[derive(Debug)]
pub(super) struct Bodies {
    /// `None`: they have to be read from the store.
    latest: Option<HashMap<Key, i64>>,
    most: usize,
}

impl Default for Bodies {
    fn default() -> Self {
        Self::most(NEW_BODIES)
    }
}

impl Bodies {
    /// Keeps so many keys out of the index at most.
    pub const fn most(most: usize) -> Self {
        Self { latest: None, most }
    }

    /// The number of the body with this hash, which is written if it is new; `zstd` is its compressed bytes, none if
    /// bodies are not kept.
    pub fn id(&mut self, db: &Connection, hash: &[u8; 32], bytes: u64, zstd: Option<&[u8]>) -> Result<i64> {
        let key = key_of(hash);
        let latest = match &mut self.latest {
            Some(latest) => latest,
            none => none.insert(load(db)?),
        };
        if let Some(body_id) = find(db, latest.get(&key).copied(), &key, hash)? {
            if zstd.is_some() {
                // Known so far by its hash only, from a run that kept no bodies.
                db.prepare_cached("UPDATE body SET zstd = ?2 WHERE body_id = ?1 AND zstd IS NULL")?
                    .execute(params![body_id, zstd])?;
            }
            return Ok(body_id);
        }
        if latest.len() >= self.most {
            index(db)?;
            latest.clear();
        }
        db.prepare_cached("INSERT INTO body(hash, bytes, zstd) VALUES (?1, ?2, ?3)")?
            .execute(params![hash, bytes, zstd])?;
        let body_id = db.last_insert_rowid();
        db.prepare_cached("INSERT INTO new_body(body_id, key) VALUES (?1, ?2)")?.execute(params![body_id, key])?;
        latest.insert(key, body_id);
        Ok(body_id)
    }

    /// The number of the body with this hash, and whether its bytes are kept; `None`: it is not there.
    pub fn kept(&mut self, db: &Connection, hash: &[u8; 32]) -> Result<Option<(i64, bool)>> {
        let key = key_of(hash);
        let latest = match &mut self.latest {
            Some(latest) => latest,
            none => none.insert(load(db)?),
        };
        let Some(body_id) = find(db, latest.get(&key).copied(), &key, hash)? else { return Ok(None) };
        let sql = "SELECT zstd IS NOT NULL FROM body WHERE body_id = ?1";
        Ok(Some((body_id, db.prepare_cached(sql)?.query_row([body_id], |row| row.get(0))?)))
    }

    /// The transaction is undone: what it has added is not there.
    pub fn forget(&mut self) {
        self.latest = None;
    }
}

/// Removes a body; says whether it was there.
pub(super) fn remove(db: &Connection, body_id: i64) -> Result<bool> {
    let key = db
        .prepare_cached("DELETE FROM body WHERE body_id = ?1 RETURNING hash")?
        .query_row([body_id], |row| row.get(0).map(|hash: [u8; 32]| key_of(&hash)))
        .optional()?;
    let Some(key) = key else { return Ok(false) };
    if db.prepare_cached("DELETE FROM new_body WHERE body_id = ?1")?.execute([body_id])? == 0 {
        db.prepare_cached("DELETE FROM body_key WHERE key = ?1 AND body_id = ?2")?.execute(params![key, body_id])?;
    }
    Ok(true)
}

fn key_of(hash: &[u8; 32]) -> Key {
    std::array::from_fn(|at| hash[at])
}

fn load(db: &Connection) -> Result<HashMap<Key, i64>> {
    let mut select = db.prepare_cached("SELECT key, body_id FROM new_body")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The body with this hash: `latest`, or one of the index.
fn find(db: &Connection, latest: Option<i64>, key: &Key, hash: &[u8; 32]) -> Result<Option<i64>> {
    if let Some(body_id) = latest
        && db.prepare_cached("SELECT 1 FROM body WHERE body_id = ?1 AND hash = ?2")?.exists(params![body_id, hash])?
    {
        return Ok(Some(body_id));
    }
    let sql = "SELECT b.body_id FROM body_key k CROSS JOIN body b ON b.body_id = k.body_id \
               WHERE k.key = ?1 AND b.hash = ?2";
    Ok(db.prepare_cached(sql)?.query_row(params![key, hash], |row| row.get(0)).optional()?)
}

/// Puts the latest keys into the index.
fn index(db: &Connection) -> Result<()> {
    db.prepare_cached("INSERT INTO body_key(key, body_id) SELECT key, body_id FROM new_body ORDER BY key")?
        .execute([])?;
    db.prepare_cached("DELETE FROM new_body")?.execute([])?;
    Ok(())
}
