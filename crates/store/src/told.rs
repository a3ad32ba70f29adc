//! Whether anybody has seen how the last run ended.
//!
//! A run is complete when it is over, and told when the process that did it is about to exit. Between the two the summary
//! is printed and programs are told; who is killed there leaves a run that the same command finishes once more, with
//! nothing to fetch (see [`super::insert::Store::open`]).

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::{BUSY_TIMEOUT, StoreError, open_for_writing, wal_of};

/// How long readers are waited for when the log is to be emptied.
const READERS_PATIENCE: Duration = Duration::from_millis(100);

/// The last run, if it is complete and nobody has seen so yet.
///
/// # Errors
/// [`StoreError`]
pub fn untold(db: &Connection) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT run_id FROM run WHERE run_id = (SELECT max(run_id) FROM run) AND ended_by = 'completed' \
                 AND run_id > (SELECT run_id FROM told_run)";
    let mut select = db.prepare(sql)?;
    let mut rows = select.query([])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}

pub(super) fn set(db: &Connection, run_id: i64) -> Result<(), StoreError> {
    db.execute("UPDATE told_run SET run_id = ?1 WHERE run_id < ?1", [run_id])?;
    Ok(())
}

/// Notes that run `run_id` is told. Nothing but the exit shall come after it, and it takes no longer than it must: whatever
/// has to wait for the disk comes before. If the store `is_ours` and nothing waits in its log, a power cut can take back
/// no more than this one row, and the run is told twice.
///
/// # Errors
/// [`StoreError`]
pub fn note(path: &Path, run_id: i64, is_ours: bool) -> Result<(), StoreError> {
    let db = open_for_writing(path)?;
    let log_bytes = || std::fs::metadata(wal_of(path)).map_or(0, |log| log.len());
    if is_ours && log_bytes() > 0 {
        db.busy_timeout(READERS_PATIENCE)?;
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        db.busy_timeout(BUSY_TIMEOUT)?;
    }
    if is_ours && log_bytes() == 0 {
        db.pragma_update(None, "synchronous", "off")?;
    } else {
        // Some reader needs the log: it stays, as it would if that one were the last to leave.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    }
    set(&db, run_id)?;
    // With the last connection the log goes.
    db.close().map_err(|(_, error)| error.into())
}
