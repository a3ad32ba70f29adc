//! The index of pending URLs, and how those that have ended leave it.
//!
//! It is in the order of hosts, and a crawl takes from all hosts in turn: each page would touch another leaf. So a URL that
//! has ended stays in the index and is noted in `ended_url`, which is small; many at a time leave the index in its order. Who
//! reads pending URLs asks for those of `in_frontier` without an outcome.

use rusqlite::Connection;

use super::StoreError;

/// So many URLs that have ended are in the index at least before they leave it ...
const ENDED: u64 = 16 * 1024;

/// ... and one for so many that are pending: so each leaf of the index is written for many of them, however large it is ...
const PENDING: u64 = 16;

/// ... but no more than this: whoever looks for a host's first pending URL passes over them.
const MOST_ENDED: u64 = 8 * ENDED;

type Result<T> = std::result::Result<T, StoreError>;

/// URLs that are pending.
pub(super) fn pending(db: &Connection) -> Result<u64> {
    let sql =
        "SELECT (SELECT count(*) FROM url INDEXED BY frontier WHERE in_frontier) - (SELECT count(*) FROM ended_url)";
    Ok(db.query_row(sql, [], |row| row.get(0))?)
}

/// The URLs that have ended and are in the index still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    /// How many these are; those of the open transaction too.
    urls: u64,
    least: u64,
}

impl Default for Ended {
    fn default() -> Self {
        Self::least(ENDED)
    }
}

impl Ended {
    /// None yet, and they do not leave before they are so many.
    pub const fn least(least: u64) -> Self {
        Self { urls: 0, least }
    }

    /// Notes one that has just ended.
    pub fn note(&mut self, db: &Connection, url_id: i64) -> Result<()> {
        db.prepare_cached("INSERT INTO ended_url(url_id) VALUES (?1)")?.execute([url_id])?;
        self.urls += 1;
        Ok(())
    }

    /// One is pending again, and may have ended a moment ago.
    pub fn revoke(&mut self, db: &Connection, url_id: i64) -> Result<()> {
        self.urls -= db.prepare_cached("DELETE FROM ended_url WHERE url_id = ?1")?.execute([url_id])? as u64;
        Ok(())
    }

    /// Takes them out of the index if they have become many beside those that are `pending`.
    pub fn leave_if_many(&mut self, db: &Connection, pending: u64) -> Result<()> {
        let many = (pending / PENDING).clamp(self.least, MOST_ENDED);
        if self.urls >= many { self.leave(db) } else { Ok(()) }
    }

    /// Takes them out of the index.
    pub fn leave(&mut self, db: &Connection) -> Result<()> {
        leave(db)?;
        self.urls = 0;
        Ok(())
    }
}

/// Takes those out of the index that the last writer has left there.
pub(super) fn tidy(db: &Connection) -> Result<()> {
    if db.query_row("SELECT EXISTS (SELECT 1 FROM ended_url)", [], |row| row.get(0))? {
        let transaction = db.unchecked_transaction()?;
        leave(&transaction)?;
        transaction.commit()?;
    }
    Ok(())
}

fn leave(db: &Connection) -> Result<()> {
    db.prepare_cached("UPDATE url SET in_frontier = 0 WHERE url_id IN (SELECT url_id FROM ended_url)")?.execute([])?;
    db.prepare_cached("DELETE FROM ended_url")?.execute([])?;
    Ok(())
}
