//! Versions of the schema: each step brings the store from one version to the next.

mod history;

use std::borrow::Cow;
use std::path::Path;

use rusqlite::{Connection, Transaction, params};

use super::{StoreError, collections};
use seine_core::record::KeyKind;
use seine_core::record::dedup::dedup_text;

/// From one version to the next: statements, and what statements cannot do.
struct Step {
    sql: &'static str,
    then: fn(&Transaction<'_>) -> rusqlite::Result<()>,
}

/// Step *n* makes version *n + 1*. Steps are never edited once released; new ones are added at the end.
const STEPS: &[Step] = &[
    Step { sql: include_str!("schema.sql"), then: |_| Ok(()) },
    Step { sql: include_str!("2.sql"), then: normalise_keys },
    Step { sql: include_str!("3.sql"), then: |_| Ok(()) },
    Step { sql: include_str!("4.sql"), then: |_| Ok(()) },
    Step { sql: include_str!("5.sql"), then: |_| Ok(()) },
    // It put four bytes of the host before each key, and 7 takes them away again: of no use to who takes both.
    Step { sql: "", then: |_| Ok(()) },
    Step { sql: include_str!("7.sql"), then: |_| Ok(()) },
    // Of its links' URLs a page's row tells no more than the page's own does: older rows are read as before, but older
    // programs would not know.
    Step { sql: "", then: |_| Ok(()) },
    Step { sql: include_str!("9.sql"), then: |_| Ok(()) },
    Step { sql: include_str!("10.sql"), then: |_| Ok(()) },
    Step { sql: include_str!("11.sql"), then: |_| Ok(()) },
    Step { sql: include_str!("12.sql"), then: history::compact },
    Step { sql: include_str!("13.sql"), then: |_| Ok(()) },
    Step { sql: include_str!("14.sql"), then: |_| Ok(()) },
    Step { sql: include_str!("15.sql"), then: |_| Ok(()) },
];

/// The version that brought collections.
const FIRST_WITH_COLLECTIONS: usize = 3;

/// The version this program writes.
pub const VERSION: usize = STEPS.len();

/// The views belong to the program, not to the file: they are laid anew with every step.
const VIEWS: &str = include_str!("views.sql");

/// The statement that makes the view `name`, if it is one of ours, as SQLite keeps it.
pub(super) fn view(name: &str) -> Option<&'static str> {
    VIEWS.split(';').filter_map(|statement| Some(&statement[statement.find("CREATE VIEW ")?..])).find(|statement| {
        let own = statement.trim_start_matches("CREATE VIEW ").split_whitespace().next().unwrap_or_default();
        own.eq_ignore_ascii_case(name)
    })
}

/// Version of an open store; 0 for an empty file.
///
/// # Errors
/// [`StoreError`] if it cannot be read.
pub fn version(db: &Connection) -> Result<usize, StoreError> {
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    // A negative version is nobody's; treat it as from the future.
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// Since version 2 the percent-encoding of a URL does not tell it from another. URLs that have become one keep their
/// rows, and the later ones their old keys: nothing that was crawled is lost, and new lines find the first.
fn normalise_keys(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let mut select =
        transaction.prepare("SELECT url_id, url FROM url WHERE host_id IS NOT NULL AND instr(url, '%') > 0")?;
    let mut update = transaction.prepare("UPDATE OR IGNORE url SET key = ?2 WHERE url_id = ?1")?;
    let mut rows = select.query([])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let (url_id, url): (i64, String) = (row.get(0)?, row.get(1)?);
        if let Cow::Owned(text) = dedup_text(&url) {
            keys.push((url_id, hash_key(text.as_bytes())));
        }
    }
    for (url_id, key) in keys {
        update.execute(params![url_id, key])?;
    }
    Ok(())
}

/// The key of a URL up to version 5, which begins with that of today.
fn hash_key(text: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[KeyKind::Url as u8]);
    hasher.update(text);
    let mut key = [0; 16];
    key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    key
}

/// Brings `db` to [`VERSION`] in one transaction.
///
/// # Errors
/// [`StoreError::Newer`] if it is later than this program; anything SQLite reports.
pub fn migrate(db: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let found = version(db)?;
    let Some(steps) = STEPS.get(found..) else {
        return Err(StoreError::Newer { path: path.into(), found, known: VERSION });
    };
    if steps.is_empty() {
        return Ok(());
    }
    if found > 0 {
        tracing::info!(path = %path.display(), found, now = VERSION, "bringing the store to the present version");
        // An index of a long list is sorted first, and that shall not be in memory however large it gets.
        db.pragma_update(None, "temp_store", "file")?;
    }
    let transaction = db.transaction()?;
    // Views of collections belong to the program too, and their names may have become its own.
    let of_collections = if found >= FIRST_WITH_COLLECTIONS { collections::all(&transaction)? } else { Vec::new() };
    collections::drop_views(&transaction, &of_collections)?;
    for step in steps {
        transaction.execute_batch(step.sql)?;
        (step.then)(&transaction)?;
    }
    transaction.execute_batch(VIEWS)?;
    collections::lay_views(&transaction, &of_collections)?;
    // Not before: a step may ask where the store comes from.
    transaction.pragma_update(None, "user_version", VERSION as i64)?;
    transaction.commit()?;
    db.pragma_update(None, "temp_store", "memory")?;
    Ok(())
}

#[cfg(test)]
mod tests;
