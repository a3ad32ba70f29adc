//! What went wrong in a run, by example: a few URLs of each class of failure with what was said of them.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde::Serialize;

use super::StoreError;

/// Examples of each class.
const OF_EACH: usize = 3;

/// A URL that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The URL.
    pub url: String,
    /// What was said of it; HTTP errors have no more than their status.
    pub message: Option<String>,
}

/// Up to three examples of each of these classes of failure in run `run_id`, with messages that differ. `errors` has the
/// number of each class, so that no more is read than has to be.
///
/// # Errors
/// [`StoreError`]
pub fn of_errors(
    db: &Connection,
    run_id: i64,
    errors: &BTreeMap<String, u64>,
) -> Result<BTreeMap<String, Vec<Example>>, StoreError> {
    let mut examples: BTreeMap<String, Vec<Example>> = BTreeMap::new();
    let mut unseen = errors.clone();
    let mut url_of = db.prepare("SELECT url FROM url WHERE url_id = ?1")?;
    let mut select = db.prepare(
        "SELECT coalesce(error, 'http_' || status), url_id, error_message FROM page \
         WHERE run_id = ?1 AND (error IS NOT NULL OR status NOT BETWEEN 200 AND 299) ORDER BY url_id",
    )?;
    let mut rows = select.query(params![run_id])?;
    while !unseen.is_empty()
        && let Some(row) = rows.next()?
    {
        let class: String = row.get(0)?;
        let Some(left) = unseen.get_mut(&class) else { continue };
        *left = left.saturating_sub(1);
        let is_last = *left == 0;
        let message: Option<String> = row.get(2)?;
        let known = examples.entry(class.clone()).or_default();
        if message.is_none() || known.iter().all(|example| example.message != message) {
            known.push(Example { url: url_of.query_row(params![row.get::<_, i64>(1)?], |row| row.get(0))?, message });
        }
        if is_last || known.len() == OF_EACH {
            unseen.remove(&class);
        }
    }
    Ok(examples)
}
