//! Whether a store is laid out as this program lays it out.
//!
//! A store may be somebody else's. A trigger on one of our tables changes what is written, and a view in the place of one of
//! ours can keep whoever reads it busy for ever: both are refused by name before anything is read. Tables, indexes and views
//! of the user's own, beside ours, are not looked at.

use std::path::Path;

use rusqlite::Connection;

use super::{StoreError, migrations};

/// Our tables.
const TABLES: [&str; 37] = [
    "alike",
    "body",
    "body_key",
    "collection",
    "ended_url",
    "extract_problem",
    "field_rate",
    "file",
    "gone_item",
    "host",
    "input",
    "item",
    "known_text",
    "loose_body",
    "mirror",
    "near_duplicate",
    "new_body",
    "order_rule",
    "page",
    "page_extra",
    "page_link",
    "past_item",
    "past_page",
    "processed",
    "quiet_host",
    "request",
    "robots",
    "run",
    "same_fetch",
    "same_page",
    "scope",
    "scope_root",
    "spent",
    "to_follow",
    "told_run",
    "total",
    "url",
];

/// Checks the store at `path`, of a version that is known.
///
/// # Errors
/// [`StoreError::Tampered`] if there is something that no crawl makes.
pub(super) fn check(db: &Connection, path: &Path, version: usize) -> Result<(), StoreError> {
    let mut select = db.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type <> 'index'")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let [kind, name, table]: [String; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
        let sql = row.get::<_, Option<String>>(3)?.unwrap_or_default();
        let our_view = migrations::view(&name);
        let is_ours = |name: &str| {
            migrations::view(name).is_some() || TABLES.iter().any(|table| table.eq_ignore_ascii_case(name))
        };
        let is_wrong = match kind.as_str() {
            "trigger" => is_ours(&table),
            // Views of earlier versions are laid anew.
            "view" if our_view.is_some() => version == migrations::VERSION && our_view != Some(sql.as_str()),
            "view" => is_ours(&name),
            _ => our_view.is_some() || is_ours(&name) && sql.to_ascii_uppercase().starts_with("CREATE VIRTUAL"),
        };
        if is_wrong {
            return Err(StoreError::Tampered { path: path.into(), kind, name });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
