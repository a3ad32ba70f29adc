//! The order in which the URLs of a host are asked for, and the budgets of what pages name.
//!
//! A URL is counted in the transaction that takes it in, so the counts are exact whoever is killed when. What lists name
//! counts, and is always taken in. What is beyond a budget is in the store as `skipped`: once the budget is raised, it comes
//! in, the first that was found before the others.

use std::time::{Duration, Instant};

use rusqlite::{OptionalExtension, params};

use super::{Result, Store};
use crate::order::Budget;
use crate::past;
use seine_core::protocol::{HostId, UrlKind};
use seine_core::record::{ErrorClass, Failure, Outcome, UrlId};

/// Budgets of the whole crawl are counted under this host, which no URL has.
const WHOLE_CRAWL: HostId = 0;

/// A URL as its budgets see it.
pub(super) struct Counted<'u> {
    pub host_id: HostId,
    pub host: &'u str,
    pub url: &'u str,
    pub depth: u32,
}

/// A URL that is counted anew.
struct Recounted {
    url_id: UrlId,
    host_id: HostId,
    host: String,
    url: String,
    depth: u32,
    is_pending: bool,
}

impl Store {
    /// The rank of a URL.
    pub(super) fn rank(&self, url: &str) -> i32 {
        self.order.as_ref().map_or(0, |order| -order.priority(url))
    }

    /// Whether there are budgets.
    pub(super) fn has_budgets(&self) -> bool {
        self.order.as_ref().is_some_and(|order| !order.budgets().is_empty())
    }

    /// Counts a URL that a page names, if all its budgets have room; otherwise says which has none.
    pub(super) fn take_in(&mut self, url: &Counted<'_>) -> Result<Option<Failure>> {
        if !self.has_budgets() {
            return Ok(None);
        }
        let budgets = self.budgets_of(url);
        for budget in &budgets {
            if self.spent(url.host_id, budget)? >= budget.urls {
                let message = format!("budget:{} = {}", budget.name, budget.urls);
                return Ok(Some(Failure::new(ErrorClass::Budget, message)));
            }
        }
        self.spend(url.host_id, &budgets)?;
        Ok(None)
    }

    /// Counts a URL that a list names.
    pub(super) fn count_listed(&mut self, url: &Counted<'_>) -> Result<()> {
        if self.has_budgets() { self.spend(url.host_id, &self.budgets_of(url)) } else { Ok(()) }
    }

    fn budgets_of(&self, url: &Counted<'_>) -> Vec<Budget> {
        self.order.as_ref().map_or_else(Vec::new, |order| order.budgets_of(url.host, url.url, url.depth))
    }

    fn spent(&self, host_id: HostId, budget: &Budget) -> Result<u64> {
        let spent = self
            .statement("SELECT urls FROM spent WHERE host_id = ?1 AND budget = ?2")?
            .query_row(params![counted_under(host_id, budget), budget.name], |row| row.get(0))
            .optional()?;
        Ok(spent.unwrap_or(0))
    }

    fn spend(&self, host_id: HostId, budgets: &[Budget]) -> Result<()> {
        for budget in budgets {
            self.statement(
                "INSERT INTO spent(host_id, budget, urls) VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET urls = urls + 1",
            )?
            .execute(params![counted_under(host_id, budget), budget.name])?;
        }
        Ok(())
    }

    /// Lets in a URL that a page named and that was skipped for a trap or a budget; says whether it was.
    pub(super) fn let_in(&mut self, url_id: UrlId) -> Result<bool> {
        let skipped_in = self
            .statement(
                "UPDATE url SET outcome = NULL, in_frontier = 1, due_at = 0 WHERE url_id = ?1 AND outcome = ?2 \
                   AND EXISTS (SELECT 1 FROM page WHERE url_id = ?1 AND error IN ('trap', 'budget')) \
                 RETURNING (SELECT run_id FROM page WHERE page.url_id = url.url_id)",
            )?
            .query_row(params![url_id, Outcome::Skipped as i64], |row| row.get::<_, i64>(0))
            .optional()?;
        let Some(skipped_in) = skipped_in else { return Ok(false) };
        self.ended.revoke(&self.db, url_id)?;
        if skipped_in == self.run_id {
            self.change.revoked += 1;
            past::keep_but_last(&self.db, url_id)?;
        } else {
            past::keep(&self.db, url_id)?;
        }
        self.statement("DELETE FROM page WHERE url_id = ?1")?.execute([url_id])?;
        self.change.count_again(Some(Outcome::Skipped as usize));
        Ok(true)
    }

    /// Lets in a URL that is skipped for a budget, if there is room for it now.
    pub(super) fn try_again(&mut self, url_id: UrlId, url: &Counted<'_>) -> Result<bool> {
        Ok(self.is_beyond_budget(url_id)? && self.take_in(url)?.is_none() && self.let_in(url_id)?)
    }

    /// Whether a URL is skipped because a budget had no room for it.
    pub(super) fn is_beyond_budget(&self, url_id: UrlId) -> Result<bool> {
        Ok(self.statement("SELECT 1 FROM page WHERE url_id = ?1 AND error = 'budget'")?.exists([url_id])?)
    }

    /// Puts the store's URLs in order and counts them anew, if that was done by other rules; `is_new_run`: counts them in
    /// any case, since what is gone leaves room.
    pub(super) fn lay_order(&mut self, is_new_run: bool) -> Result<()> {
        let order = self.order.clone();
        let priorities = order.as_ref().map_or("", |order| order.priorities());
        self.lay("priorities", priorities, false, Self::lay_ranks)?;
        let budgets = order.as_ref().map_or("", |order| order.budgets());
        self.lay("budgets", budgets, is_new_run && !budgets.is_empty(), Self::lay_budgets)
    }

    /// Lays `rules` over the URLs of the store, unless they lie there already and it is not to be done `anew`. Step by step, each in
    /// a transaction of its own that notes how far it has come: whoever is killed in between, the next one goes on.
    fn lay(&mut self, kind: &str, rules: &str, anew: bool, step: Step) -> Result<()> {
        let rule_of = |kind: &str| {
            self.statement("SELECT rules FROM order_rule WHERE kind = ?1")?
                .query_row([kind], |row| row.get::<_, String>(0))
                .optional()
                .map_err(crate::StoreError::from)
        };
        let laying = format!("laying {kind}");
        let mut next = match rule_of(&laying)? {
            Some(begun) if !anew => Some(Laid::read(&begun, rules)),
            None if !anew && rule_of(kind)?.unwrap_or_default() == rules => None,
            _ => Some(Laid::default()),
        };
        let mut told = Instant::now();
        while let Some(laid) = next {
            next = self.transaction(|store| {
                let next = step(store, laid)?;
                let mut note = store.statement("INSERT OR REPLACE INTO order_rule(kind, rules) VALUES (?1, ?2)")?;
                match next {
                    Some(next) => note.execute([&laying, &next.write(rules)])?,
                    None => {
                        store.statement("DELETE FROM order_rule WHERE kind = ?1")?.execute([&laying])?;
                        note.execute([kind, rules])?
                    }
                };
                drop(note);
                Ok(next)
            })?;
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                tracing::info!(url_id = laid.after, kind, "laying other rules over the URLs of the store");
            }
        }
        Ok(())
    }

    /// Puts the next URLs in order.
    fn lay_ranks(&mut self, laid: Laid) -> Result<Option<Laid>> {
        let mut urls = self.statement(
            "SELECT url_id, url, rank FROM url WHERE url_id > ?1 AND host_id <> 0 ORDER BY url_id LIMIT ?2",
        )?;
        let mut update = self.statement("UPDATE url SET rank = ?2 WHERE url_id = ?1")?;
        let mut rows = urls.query(params![laid.after, STEP])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let url_id = row.get::<_, UrlId>(0)?;
            let rank = self.rank(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?);
            if rank != row.get::<_, i32>(2)? {
                update.execute(params![url_id, rank])?;
            }
            last = Some(Laid { after: url_id, ..laid });
        }
        Ok(last)
    }

    /// Counts what is in; then takes the others in the order in which they were found, as long as there is room.
    fn lay_budgets(&mut self, laid: Laid) -> Result<Option<Laid>> {
        if laid == Laid::default() {
            self.db.execute("DELETE FROM spent", [])?;
        }
        let is_in = !laid.is_second;
        let Some(urls) = self.next_to_count(laid.after, is_in)? else {
            return Ok(is_in.then_some(Laid { after: 0, is_second: true }));
        };
        for url in &urls {
            if is_in {
                self.count_listed(&url.counted())?;
                continue;
            }
            match (self.take_in(&url.counted())?, url.is_pending) {
                (None, false) => {
                    self.let_in(url.url_id)?;
                }
                (Some(failure), true) => {
                    self.end_one(url.url_id, Outcome::Skipped, &failure)?;
                }
                (None, true) | (Some(_), false) => {}
            }
        }
        Ok(urls.last().map(|last| Laid { after: last.url_id, ..laid }))
    }

    /// Some of the pages after `after` that are in whatever the budgets are, or are not; `None` at their end.
    fn next_to_count(&self, after: UrlId, is_in: bool) -> Result<Option<Vec<Recounted>>> {
        // Of the table of pages only those are looked at that were skipped.
        let mut select = self.statement(
            "SELECT u.url_id, u.host_id, (SELECT h.name FROM host h WHERE h.host_id = u.host_id), u.url, u.depth, \
               u.outcome IS NULL FROM url u \
             WHERE u.url_id > ?1 AND u.host_id <> 0 AND u.kind = ?3 \
               AND (u.unlisted_by IS NULL OR u.relisted_by IS NOT NULL) \
               AND CASE coalesce(iif(u.outcome = ?2, (SELECT p.error FROM page p WHERE p.url_id = u.url_id), ''), '') \
                   WHEN 'trap' THEN FALSE WHEN 'budget' THEN NOT ?4 \
                   ELSE (u.file_id IS NOT NULL OR u.outcome IS NOT NULL) = ?4 END \
             ORDER BY u.url_id LIMIT ?5",
        )?;
        let urls = select
            .query_map(params![after, Outcome::Skipped as i64, UrlKind::Page as i64, is_in, STEP], |row| {
                Ok(Recounted {
                    url_id: row.get(0)?,
                    host_id: row.get(1)?,
                    host: row.get(2)?,
                    url: row.get(3)?,
                    depth: row.get(4)?,
                    is_pending: row.get(5)?,
                })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        Ok((!urls.is_empty()).then_some(urls))
    }
}

/// One step of work over all URLs, from where another has ended; where it has ended in turn, unless there is nothing left to do.
type Step = fn(&mut Store, Laid) -> Result<Option<Laid>>;

/// How far rules are laid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Laid {
    /// The URLs up to this one are done.
    after: UrlId,
    /// All are done for the first time, and these for the second.
    is_second: bool,
}

impl Laid {
    fn write(self, rules: &str) -> String {
        format!("{} {} {rules}", u8::from(self.is_second), self.after)
    }

    /// From what was written; from the beginning, if that was of other rules.
    fn read(written: &str, rules: &str) -> Self {
        let mut parts = written.splitn(3, ' ');
        let (second, after, of) = (parts.next(), parts.next(), parts.next());
        match after.and_then(|after| after.parse().ok()) {
            Some(after) if of == Some(rules) => Self { after, is_second: second == Some("1") },
            _ => Self::default(),
        }
    }
}

/// URLs of one step: some tenths of a second. Of few a test has several.
const STEP: u32 = if cfg!(test) { 3 } else { 20_000 };

/// It is told as often how far the work has come.
const TELL_EVERY: Duration = Duration::from_secs(5);

impl Recounted {
    fn counted(&self) -> Counted<'_> {
        Counted { host_id: self.host_id, host: &self.host, url: &self.url, depth: self.depth }
    }
}

fn counted_under(host_id: HostId, budget: &Budget) -> HostId {
    if budget.is_of_host { host_id } else { WHOLE_CRAWL }
}
