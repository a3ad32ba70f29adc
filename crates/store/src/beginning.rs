//! What the next crawl of a store does: whether it goes on with a run or begins one.

use rusqlite::{Connection, OptionalExtension, params};

use super::{StoreError, frontier, told};
use seine_core::record::Outcome;

/// What the next crawl does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beginning {
    /// There was no run yet.
    First,
    /// It goes on with this run, which was stopped or killed.
    GoesOn {
        /// The run.
        run_id: i64,
        /// URLs of the store that have an outcome.
        ended: u64,
        /// Those that have none.
        pending: u64,
    },
    /// It only tells the end of this run, which nobody has seen.
    Tells {
        /// The run.
        run_id: i64,
    },
    /// It is run `run_id`: the one before is complete.
    Anew {
        /// The run to come.
        run_id: i64,
        /// URLs that are pending all the same.
        pending: u64,
        /// URLs of the lists; `None` if some of the store's belong to other lists, so that they would have to be counted.
        known: Option<u64>,
    },
}

impl Beginning {
    /// Of the store `db`, for a crawl of these lists that takes up an end which nobody has seen if it `finishes_untold`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn of(db: &Connection, lists: &[&str], finishes_untold: bool) -> Result<Self, StoreError> {
        let last = db
            .query_row("SELECT run_id, ended_by IS NOT 'completed' FROM run ORDER BY run_id DESC LIMIT 1", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?))
            })
            .optional()?;
        let Some((run_id, is_unfinished)) = last else { return Ok(Self::First) };
        if finishes_untold && told::untold(db)? == Some(run_id) {
            return Ok(Self::Tells { run_id });
        }
        let pending = frontier::pending(db)?;
        let ended = |but: i64| {
            db.query_row("SELECT coalesce(sum(urls), 0) FROM total WHERE outcome <> ?1", params![but], |row| row.get(0))
        };
        if is_unfinished {
            return Ok(Self::GoesOn { run_id, ended: ended(-1)?, pending });
        }
        let mut names = db.prepare("SELECT name FROM file")?;
        let names = names.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        let has_all = names.iter().all(|name| lists.contains(&name.as_str()));
        let known = if has_all { Some(ended(Outcome::Rejected as i64)?) } else { None };
        Ok(Self::Anew { run_id: run_id + 1, pending, known })
    }
}

/// How the last run read pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastReading {
    /// Its settings, JSON.
    pub config: String,
    /// The hash of what its pages were read for (see [`crate::insert::Session::reading`]), or what `extract` has made of
    /// it; `None` if not all of them were read for the same.
    pub reading: Option<[u8; 16]>,
}

/// How the last run read pages; `None` if there was no run.
///
/// # Errors
/// [`StoreError`]
pub fn last_reading(db: &Connection) -> Result<Option<LastReading>, StoreError> {
    let last = db
        .query_row("SELECT config, reading FROM run ORDER BY run_id DESC LIMIT 1", [], |row| {
            let reading = row.get::<_, Option<Vec<u8>>>(1)?.and_then(|hash| hash.try_into().ok());
            Ok(LastReading { config: row.get(0)?, reading })
        })
        .optional()?;
    Ok(last)
}
