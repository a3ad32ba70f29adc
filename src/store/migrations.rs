//! Versions of the schema: each step brings the store from one version to the next.

use std::path::Path;

use rusqlite::Connection;

use super::StoreError;

/// Step *n* makes version *n + 1*. Steps are never edited once released; new ones are added at the end.
const STEPS: &[&str] = &[include_str!("schema.sql"), include_str!("2.sql")];

/// The version this program writes.
pub const VERSION: usize = STEPS.len();

/// The views belong to the program, not to the file: they are laid anew with every step.
const VIEWS: &str = include_str!("views.sql");

/// Version of an open store; 0 for an empty file.
///
/// # Errors
/// [`StoreError`] if it cannot be read.
pub fn version(db: &Connection) -> Result<usize, StoreError> {
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    // A negative version is nobody's; treat it as from the future.
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
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
    let transaction = db.transaction()?;
    for step in steps {
        transaction.execute_batch(step)?;
    }
    transaction.execute_batch(VIEWS)?;
    transaction.pragma_update(None, "user_version", VERSION as i64)?;
    transaction.commit()?;
    Ok(())
}
