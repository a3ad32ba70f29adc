//! Pages that differ.

use rusqlite::Connection;

use super::history::{Fetch, Histories, History};
use super::{IS_OTHER, Result, Scope};
use crate::StoreError;

/// A difference of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageKind {
    /// It is ok for the first time.
    New,
    /// It has another body.
    Changed,
    /// It answers 404 or 410, or no list names it any more.
    Gone,
    /// It was ok once, not as of the earlier run, and is again.
    Back,
    /// Its outcome or status is another.
    Status,
}

impl PageKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::New, Self::Changed, Self::Gone, Self::Back, Self::Status];

    /// The name in every format: never reworded.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Changed => "changed",
            Self::Gone => "gone",
            Self::Back => "back",
            Self::Status => "status",
        }
    }
}

/// A page that differs.
#[derive(Clone, Copy, Debug)]
pub struct PageChange<'a> {
    /// In what.
    pub kind: PageKind,
    /// Whose.
    pub history: &'a History,
    /// As of the earlier run; `None` if it was not fetched before.
    pub before: Option<&'a Fetch>,
    /// As of the later run.
    pub after: &'a Fetch,
    /// Whether it is gone because no list names it any more.
    pub is_unlisted: bool,
}

/// Calls `visit` for each page that differs, in the order of their ids.
///
/// # Errors
/// [`StoreError`], or that of `visit`, which ends it.
pub fn pages<E: From<StoreError>>(
    db: &Connection,
    scope: &Scope,
    mut visit: impl FnMut(PageChange<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let sql = format!(
        "SELECT u.url_id FROM url u LEFT JOIN page p ON p.url_id = u.url_id WHERE {} ORDER BY u.url_id",
        scope.can_differ(IS_OTHER)
    );
    let mut histories = Histories::since(db, scope.from)?;
    let mut select = db.prepare(&sql).map_err(StoreError::from)?;
    let mut rows = select.query([]).map_err(StoreError::from)?;
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        let history = histories.of(row.get(0).map_err(StoreError::from)?)?;
        change(scope, history).map_or(Ok(()), &mut visit)?;
    }
    Ok(())
}

/// The difference of a page, if any.
fn change<'a>(scope: &Scope, history: &'a History) -> Option<PageChange<'a>> {
    let before = history.as_of(scope.from);
    let after = history.as_of(scope.to)?;
    let was_ok = before.is_some_and(Fetch::is_ok);
    let (was_unlisted, is_unlisted) = (history.is_unlisted(scope.from), history.is_unlisted(scope.to));
    let is_relisted = was_unlisted && !is_unlisted;
    let is_unlisted = scope.is_complete && is_unlisted && !was_unlisted;
    let kind = match (was_ok, after.is_ok()) {
        (true, _) if is_unlisted => PageKind::Gone,
        // It came and went in between.
        (false, _) if is_unlisted => return None,
        (true, false) if after.says_gone() && scope.is_complete => PageKind::Gone,
        (true, true) if is_relisted => PageKind::Back,
        (true, true) if before.is_some_and(|before| before.hash != after.hash) => PageKind::Changed,
        (false, true) if history.fetches.iter().any(|fetch| fetch.run_id <= scope.from && fetch.is_ok()) => {
            PageKind::Back
        }
        (false, true) => PageKind::New,
        _ if before.is_some_and(|before| (before.outcome, before.status) == (after.outcome, after.status)) => {
            return None;
        }
        _ => PageKind::Status,
    };
    Some(PageChange { kind, history, before, after, is_unlisted })
}
