//! Making URLs pending again that have an outcome: `seine retry`.
//!
//! The outcome of a URL in a run that goes on is taken back as if it had never ended, from the counts of the run and of its host
//! too; only its requests stay, since they were made. What it had in a run that is over becomes history. So the counts of
//! the runs are always those of the history.

use rusqlite::{Connection, params};

use super::{NO_HOST, StoreError, past, told};
use seine_core::record::Outcome;

/// Why a condition is none.
#[derive(Debug, thiserror::Error)]
pub enum ConditionError {
    /// SQLite's own words.
    #[error("--where is no condition over `pages`: {0}")]
    Sql(String),
    /// More than a condition.
    #[error("--where takes one condition, not a statement")]
    NotOne,
}

/// How many URLs a condition names that can be crawled again. `db` is a read-only connection: whatever the condition
/// is, it changes nothing.
///
/// # Errors
/// [`ConditionError`]
pub fn count(db: &Connection, condition: &str) -> Result<u64, ConditionError> {
    check(db, condition)?;
    let sql = format!(
        "SELECT count(*) FROM pages WHERE outcome <> 'rejected' AND {} \
         AND url_id NOT IN (SELECT url_id FROM url WHERE in_frontier AND outcome IS NULL)",
        is_named(condition)
    );
    db.query_row(&sql, [], |row| row.get(0)).map_err(|error| ConditionError::Sql(error.to_string()))
}

/// Whether `condition` is one over `pages`, and nothing more.
///
/// # Errors
/// [`ConditionError`]
pub(super) fn check(db: &Connection, condition: &str) -> Result<(), ConditionError> {
    check_over(db, "pages", "url_id", condition)
}

/// The same over another view, which has rows by the name of `id`.
///
/// # Errors
/// [`ConditionError`]
pub(super) fn check_over(db: &Connection, view: &str, id: &str, condition: &str) -> Result<(), ConditionError> {
    // By itself first: what only makes sense between brackets would reach beyond them.
    let alone = format!("SELECT 1 FROM {view} WHERE {condition}\n");
    let sql = format!("SELECT 1 FROM {view} WHERE {}", is_named_by(view, id, "0", condition));
    let statement = db.prepare(&alone).and_then(|_| db.prepare(&sql)).map_err(|error| match error {
        rusqlite::Error::SqlInputError { msg, .. } => ConditionError::Sql(msg),
        rusqlite::Error::MultipleStatement => ConditionError::NotOne,
        other => ConditionError::Sql(other.to_string()),
    })?;
    if statement.parameter_count() > 0 {
        return Err(ConditionError::Sql("it has parameters, and nothing to put in their place".to_owned()));
    }
    Ok(())
}

/// The condition stands on lines of its own, so that a comment at its end hides nothing.
pub(super) fn is_named(condition: &str) -> String {
    format!("url_id IN (SELECT url_id FROM pages WHERE (\n{condition}\n))")
}

/// The same for the one row of `view` whose `id` is `row`: it is looked up, so nothing is listed first.
pub(super) fn is_named_by(view: &str, id: &str, row: &str, condition: &str) -> String {
    format!("EXISTS (SELECT 1 FROM {view} v WHERE v.{id} = {row} AND (\n{condition}\n))")
}

/// Makes the URLs pending that the condition names, all or none; says how many. The caller holds the store's lock, and
/// [`count`] has found the condition to be one.
///
/// # Errors
/// [`StoreError`]
pub fn make_pending(db: &mut Connection, condition: &str) -> Result<u64, StoreError> {
    let transaction = db.transaction()?;
    transaction.execute_batch(
        "CREATE TEMP TABLE again(url_id INTEGER PRIMARY KEY, host_id INTEGER, run_id INTEGER, outcome INTEGER NOT NULL, \
                                 elapsed_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, is_history INTEGER NOT NULL)",
    )?;
    transaction.execute(
        &format!(
            "INSERT INTO temp.again \
             SELECT u.url_id, u.host_id, p.run_id, u.outcome, coalesce(p.elapsed_ms, 0), \
                    iif(p.not_modified, 0, coalesce(b.bytes, 0)), \
                    p.run_id IN (SELECT run_id FROM run WHERE ended_by = 'completed' OR run_id < (SELECT max(run_id) FROM run)) \
             FROM url u CROSS JOIN page p USING(url_id) LEFT JOIN body b USING(body_id) \
             WHERE u.outcome IS NOT NULL AND u.outcome <> ?1 AND u.host_id <> {NO_HOST} AND u.{}",
            is_named(condition)
        ),
        [Outcome::Rejected as i64],
    )?;
    // What is beyond a budget stays there if the next crawl has one: it counts anew.
    transaction.execute(
        "DELETE FROM order_rule WHERE kind IN ('budgets', 'laying budgets') AND EXISTS \
           (SELECT 1 FROM temp.again a CROSS JOIN page p ON p.url_id = a.url_id WHERE p.error = 'budget')",
        [],
    )?;
    let columns = Outcome::ALL.map(|outcome| {
        let (name, number) = (outcome.name(), outcome as i64);
        format!("{name} = max(0, {name} - (SELECT count(*) FILTER (WHERE outcome = {number}) FROM of_run))")
    });
    for run_id in column(&transaction, "SELECT DISTINCT run_id FROM temp.again WHERE NOT is_history")? {
        transaction.execute(
            &format!(
                "WITH of_run AS MATERIALIZED (SELECT outcome, bytes FROM temp.again WHERE run_id = ?1) \
                 UPDATE run SET {}, bytes = max(0, bytes - (SELECT coalesce(sum(bytes), 0) FROM of_run)) WHERE run_id = ?1",
                columns.join(", ")
            ),
            [run_id],
        )?;
    }
    take_from_hosts(&transaction)?;
    for outcome in Outcome::ALL {
        transaction.execute(
            "UPDATE total SET urls = urls - (SELECT count(*) FROM temp.again WHERE outcome = ?1) WHERE outcome = ?1",
            [outcome as i64],
        )?;
    }
    let count = forget(&transaction)?;
    // A user who wants some of it again knows how the last run ended.
    if let Some(run_id) = told::untold(&transaction)? {
        told::set(&transaction, run_id)?;
    }
    transaction.execute_batch("DROP TABLE temp.again")?;
    transaction.commit()?;
    Ok(count)
}

/// Takes what the unfinished run had of them from the counts of their hosts, as it was counted: see `Store::page`.
fn take_from_hosts(db: &Connection) -> Result<(), StoreError> {
    let [ok, http_error, skipped] = [Outcome::Ok, Outcome::HttpError, Outcome::Skipped].map(|outcome| outcome as i64);
    let [failed, quarantined] = [Outcome::Failed, Outcome::Quarantined].map(|outcome| outcome as i64);
    let mut of_host = db.prepare(
        "SELECT host_id, count(*) FILTER (WHERE outcome IN (?1, ?2, ?3)), count(*) FILTER (WHERE outcome IN (?4, ?5)), \
                sum(elapsed_ms) \
         FROM temp.again WHERE NOT is_history GROUP BY host_id",
    )?;
    let mut host = db.prepare(
        "UPDATE host SET fetched = max(0, fetched - ?2), failed = max(0, failed - ?3), elapsed_ms = max(0, elapsed_ms - ?4) \
         WHERE host_id = ?1",
    )?;
    let mut rows = of_host.query(params![ok, http_error, skipped, failed, quarantined])?;
    while let Some(row) = rows.next()? {
        let numbers: [i64; 4] = [row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?];
        host.execute(numbers)?;
    }
    Ok(())
}

/// Takes what the URLs have come to, one by one: so each is looked up, in tables of whatever size. How many they are.
fn forget(db: &Connection) -> Result<u64, StoreError> {
    // The counts of a run that is over stay as they are; a run that is not goes on.
    let mut forget = [
        "DELETE FROM page_link WHERE url_id = ?1",
        "DELETE FROM same_page WHERE url_id = ?1",
        "DELETE FROM page_extra WHERE url_id = ?1",
        "DELETE FROM extract_problem WHERE url_id = ?1",
        "INSERT OR IGNORE INTO loose_body(body_id) SELECT body_id FROM page WHERE url_id = ?1 AND body_id IS NOT NULL",
        "DELETE FROM page WHERE url_id = ?1",
        "UPDATE url SET outcome = NULL, in_frontier = 1, due_at = 0, forgiven = attempts WHERE url_id = ?1",
    ]
    .into_iter()
    .map(|sql| db.prepare(sql))
    .collect::<Result<Vec<_>, _>>()?;
    let mut again = db.prepare("SELECT url_id, is_history FROM temp.again ORDER BY url_id")?;
    let mut rows = again.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let (url_id, is_history): (i64, bool) = (row.get(0)?, row.get(1)?);
        if is_history {
            past::keep(db, url_id)?;
        } else {
            past::keep_but_last(db, url_id)?;
        }
        for statement in &mut forget {
            statement.execute([url_id])?;
        }
        count += 1;
    }
    Ok(count)
}

fn column(db: &Connection, sql: &str) -> Result<Vec<i64>, StoreError> {
    let mut statement = db.prepare(sql)?;
    let numbers = statement.query_map([], |row| row.get(0))?;
    Ok(numbers.collect::<Result<_, _>>()?)
}
