//! A store copied as it is at one moment, beside a running crawl too.

use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::{StoreError, check_header, connect};

/// Database pages copied between two looks around: 4 MiB of a new store.
const PAGES_AT_ONCE: i32 = 1024;

/// How far a copy is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Database pages that are copied.
    pub pages: u64,
    /// Of so many.
    pub of: u64,
}

/// Copies the store at `from` into the empty file `to`, which is on no disk for certain yet. `goes_on` hears how far it is,
/// and ends it by saying no.
///
/// One transaction reads all of it, so the copy is of one moment and is never begun again, whoever writes meanwhile; a
/// writer is not held up, but its log is not made smaller before the end. A store of an earlier version stays one.
///
/// # Errors
/// [`StoreError`]; `None` if it was ended.
pub fn copy(from: &Path, to: &Path, mut goes_on: impl FnMut(Copied) -> bool) -> Result<Option<Copied>, StoreError> {
    if !from.is_file() {
        return Err(StoreError::Missing(from.into()));
    }
    check_header(from)?;
    let from = connect(from, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let snapshot = from.unchecked_transaction()?;
    // A transaction begins when something is read.
    snapshot.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0))?;
    let mut to = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // Until it is whole it is nobody's, so it needs no journal; whoever gives it its name syncs it.
    to.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
    let copy = Backup::new(&snapshot, &mut to)?;
    loop {
        let step = copy.step(PAGES_AT_ONCE)?;
        let progress = copy.progress();
        let of = u64::try_from(progress.pagecount).unwrap_or_default();
        let copied = Copied { pages: of - u64::try_from(progress.remaining).unwrap_or_default().min(of), of };
        match step {
            StepResult::Done => return Ok(Some(copied)),
            _ if !goes_on(copied) => return Ok(None),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
