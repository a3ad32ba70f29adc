//! The texts of a run that shall end where nothing new comes: what a page brings is known in the transaction that writes it.
//!
//! So the counts are exact whoever is killed when. A run knows the texts that it has seen itself: a new one begins anew, and so
//! does one that goes on with the rule that it did not have before.

use rusqlite::{Connection, params};

use super::near::{Likeness, PARTS, part};
use crate::StoreError;
use seine_core::protocol::HostId;
use seine_core::record::NEAR_BITS;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Texts with a part in common with which one is compared at most.
const COMPARED: u32 = 256;

/// The part under which pages without likeness are known, by their bodies.
const BODIES: i64 = -1;

/// Forgets all of it.
pub(crate) fn forget(db: &Connection) -> Result<()> {
    db.execute_batch("DELETE FROM known_text; UPDATE host SET nothing_new = 0 WHERE nothing_new <> 0")?;
    Ok(())
}

/// A page of a host has come, with this text and body; `is_missing`: it says that it is not there. Counts whether it brings
/// anything new.
pub(crate) fn note(
    db: &Connection,
    host_id: HostId,
    likeness: Option<Likeness>,
    body_id: Option<i64>,
    is_missing: bool,
) -> Result<()> {
    let is_new = match (likeness, body_id) {
        _ if is_missing => false,
        (Some(likeness), _) => !is_text_known(db, host_id, likeness)? && note_text(db, host_id, likeness)?,
        (None, Some(body_id)) => insert(db, host_id, BODIES, body_id, &[])?,
        (None, None) => false,
    };
    let sql = if is_new {
        "UPDATE host SET nothing_new = 0 WHERE host_id = ?1 AND nothing_new <> 0"
    } else {
        "UPDATE host SET nothing_new = nothing_new + 1 WHERE host_id = ?1"
    };
    db.prepare_cached(sql)?.execute([host_id])?;
    Ok(())
}

/// Pages of a host, the last ones, that brought nothing new.
pub(crate) fn quiet_pages(db: &Connection, host_id: HostId) -> Result<u64> {
    let mut select = db.prepare_cached("SELECT nothing_new FROM host WHERE host_id = ?1")?;
    Ok(select.query_row([host_id], |row| row.get(0))?)
}

fn is_text_known(db: &Connection, host_id: HostId, likeness: Likeness) -> Result<bool> {
    let mut select =
        db.prepare_cached("SELECT text FROM known_text WHERE host_id = ?1 AND part = ?2 AND bits = ?3 LIMIT ?4")?;
    for at in 0..PARTS {
        let mut rows = select.query(params![host_id, at, part(likeness, at), COMPARED])?;
        while let Some(row) = rows.next()? {
            let text = Likeness::from_be_bytes(row.get(0)?);
            if (text ^ likeness).count_ones() <= NEAR_BITS {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Always true: the text was not there.
fn note_text(db: &Connection, host_id: HostId, likeness: Likeness) -> Result<bool> {
    for at in 0..PARTS {
        insert(db, host_id, at.into(), part(likeness, at).into(), &likeness.to_be_bytes())?;
    }
    Ok(true)
}

/// Whether it was not there.
fn insert(db: &Connection, host_id: HostId, part: i64, bits: i64, text: &[u8]) -> Result<bool> {
    let mut insert = db.prepare_cached(
        "INSERT INTO known_text(host_id, part, bits, text) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?;
    Ok(insert.execute(params![host_id, part, bits, text])? == 1)
}
