//! Differences between two runs: pages and items as of the one, held against those as of the other.
//!
//! - [`history`]: every fetch of a URL, and what follows from it for a run.
//! - [`pages`], [`items`]: what differs, one by one, in the order of the store; nothing is kept in memory but a page's.
//! - [`fields`]: two JSON values, field by field.
//!
//! As of a run a URL is what its last fetch up to then made it, and an item is what was last found of it. Runs of one
//! store never overlap, so the numbers of runs are their order. Only URLs that were fetched or lost their place in the
//! lists after the earlier run can differ, and of those only what was found to be otherwise; of all others nothing is read but
//! since when they are as they are.

pub mod fields;
pub mod history;
pub mod items;
pub mod pages;

use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;

use super::{StoreError, retry};
pub use items::{Compared, ItemChange, ItemKind};
pub use pages::{PageChange, PageKind};

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Counts of all that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// The earlier run; `None`: there was none, and all is new.
    pub from_run: Option<i64>,
    /// The later run.
    pub to_run: i64,
    /// URLs that were ok for the first time.
    pub new: u64,
    /// URLs with another body.
    pub changed: u64,
    /// URLs that answer 404 or 410 now, or that no list names any more; `None`: the later run is not complete.
    pub gone: Option<u64>,
    /// URLs that were ok once, not as of the earlier run, and are again.
    pub back: u64,
    /// URLs with any other change of outcome or status.
    pub status: u64,
    /// Items that were not there.
    pub items_added: u64,
    /// Items with other data.
    pub items_changed: u64,
    /// Items that are no longer there.
    pub items_removed: u64,
}

impl Changes {
    /// None yet.
    pub fn between(scope: &Scope) -> Self {
        Self {
            from_run: (scope.from > 0).then_some(scope.from),
            to_run: scope.to,
            gone: scope.is_complete.then_some(0),
            ..Self::default()
        }
    }

    /// Whether anything differs.
    pub fn any(&self) -> bool {
        let Self { new, changed, gone, back, status, items_added, items_changed, items_removed, .. } = self;
        [new, changed, &gone.unwrap_or(0), back, status, items_added, items_changed, items_removed]
            .iter()
            .any(|count| **count > 0)
    }

    /// Counts one page.
    pub fn page(&mut self, kind: PageKind) {
        *match kind {
            PageKind::New => &mut self.new,
            PageKind::Changed => &mut self.changed,
            PageKind::Gone => self.gone.get_or_insert(0),
            PageKind::Back => &mut self.back,
            PageKind::Status => &mut self.status,
        } += 1;
    }

    /// Pages of this kind.
    pub fn pages(&self, kind: PageKind) -> u64 {
        match kind {
            PageKind::New => self.new,
            PageKind::Changed => self.changed,
            PageKind::Gone => self.gone.unwrap_or(0),
            PageKind::Back => self.back,
            PageKind::Status => self.status,
        }
    }

    /// Counts one item.
    pub fn item(&mut self, kind: &ItemKind) {
        *match kind {
            ItemKind::Added(_) => &mut self.items_added,
            ItemKind::Changed(..) => &mut self.items_changed,
            ItemKind::Removed(_) => &mut self.items_removed,
        } += 1;
    }
}

/// A run, as far as it is told of. Times are milliseconds of the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Its number.
    pub run_id: i64,
    /// When it began.
    pub started_at: u64,
    /// When it ended; `None`: it runs, or was killed.
    pub ended_at: Option<u64>,
    /// How it ended.
    pub ended_by: Option<String>,
}

const RUN: &str = "SELECT run_id, started_at, ended_at, ended_by FROM run";

impl Run {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { run_id: row.get(0)?, started_at: row.get(1)?, ended_at: row.get(2)?, ended_by: row.get(3)? })
    }

    /// The run of this number.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn numbered(db: &Connection, run_id: i64) -> Result<Option<Self>> {
        Ok(db.query_row(&format!("{RUN} WHERE run_id = ?1"), [run_id], Self::of).optional()?)
    }

    /// The complete run with so many complete ones after it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn last(db: &Connection, later: u32) -> Result<Option<Self>> {
        let sql = format!("{RUN} WHERE ended_by = 'completed' ORDER BY run_id DESC LIMIT 1 OFFSET ?1");
        Ok(db.query_row(&sql, [later], Self::of).optional()?)
    }

    /// The last complete run before the one of this number.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn before(db: &Connection, run_id: i64) -> Result<Option<Self>> {
        let sql = format!("{RUN} WHERE ended_by = 'completed' AND run_id < ?1 ORDER BY run_id DESC LIMIT 1");
        Ok(db.query_row(&sql, [run_id], Self::of).optional()?)
    }

    /// Whether it has done all that was to be done.
    pub fn is_complete(&self) -> bool {
        self.ended_by.as_deref() == Some("completed")
    }
}

/// The run since which a page has been as it is now.
const IS_OTHER: &str = "coalesce(p.since_run, p.run_id)";

/// The run since which nothing was found on it that could differ: after a failure, and of an answer that is whole, even if
/// its body is the same, for it may have been read by other rules.
const IS_READ: &str = "iif(p.outcome IN (0, 1), max(coalesce(p.since_run, p.run_id), coalesce(p.content_run, p.run_id)), coalesce(p.since_run, p.run_id))";

/// Between which runs, and what of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The earlier run; 0: before all of them.
    pub from: i64,
    /// The later run.
    pub to: i64,
    /// Whether the later run is complete: if not, nobody can tell what is gone.
    pub is_complete: bool,
    /// Only URLs for which this condition over the columns of `pages` holds now. Checked by [`check_condition`].
    pub condition: Option<String>,
}

impl Scope {
    /// All that differs between two runs.
    pub fn between(from: Option<&Run>, to: &Run) -> Self {
        Self { from: from.map_or(0, |run| run.run_id), to: to.run_id, is_complete: to.is_complete(), ..Self::default() }
    }

    /// A condition on rows of `url u` and `page p`: those that can differ, and are asked for. `since` says from which run on
    /// a page has been as it is.
    fn can_differ(&self, since: &str) -> String {
        let (from, to) = (self.from, self.to);
        let mut sql = format!(
            "(p.run_id IS NULL OR {since} > {from} OR u.unlisted_by > {from} AND u.unlisted_by <= {to} \
              OR u.relisted_by > {from} AND u.relisted_by <= {to}) \
             AND u.outcome IS NOT 3"
        );
        if let Some(condition) = &self.condition {
            sql.push_str(&format!(" AND u.{}", retry::is_named(condition)));
        }
        sql
    }
}

/// Whether `condition` is one over the columns of `pages`, and nothing more.
///
/// # Errors
/// [`retry::ConditionError`]
pub fn check_condition(db: &Connection, condition: &str) -> Result<(), retry::ConditionError> {
    retry::check(db, condition)
}

/// Counts what differs between run `from` and run `to`, in one snapshot. Without `from` it is the last complete run
/// before `to`; if there is none, all is new.
///
/// # Errors
/// [`StoreError`]
pub fn counts(db: &Connection, from: Option<i64>, to: i64) -> Result<Changes> {
    // The caller may have one open already.
    let _snapshot = if db.is_autocommit() { Some(db.unchecked_transaction()?) } else { None };
    let from = match from {
        Some(from) => Some(from),
        None => Run::before(db, to)?.map(|run| run.run_id),
    };
    let is_complete = Run::numbered(db, to)?.is_some_and(|run| run.is_complete());
    let scope = Scope { from: from.unwrap_or(0), to, is_complete, ..Scope::default() };
    let mut changes = Changes::between(&scope);
    pages::pages(db, &scope, |page| {
        changes.page(page.kind);
        Ok::<_, StoreError>(())
    })?;
    items::items(db, &scope, &Compared::of(db)?, |item| {
        changes.item(&item.kind);
        Ok::<_, StoreError>(())
    })?;
    Ok(changes)
}

#[cfg(test)]
mod tests;
