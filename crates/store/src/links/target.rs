//! The target of a link: what the crawl made of it, looked up by its key.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use rusqlite::{Connection, OptionalExtension, Statement, params};

use crate::StoreError;
use seine_core::record::{CrawlUrl, Outcome, UrlId};

/// Memory of the targets that are kept at hand.
const MEMO_BYTES: usize = 4 << 20;

/// The state of a link: whether its target is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The target answered with success, after redirects, or was passed over for its type.
    Ok,
    /// It answered with an error, or not at all.
    Broken,
    /// It was not asked for: no list names it and nothing followed it, robots.txt forbids it, or it is still pending.
    Unchecked,
}

impl State {
    /// The name in every format: never reworded.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Broken => "broken",
            Self::Unchecked => "unchecked",
        }
    }
}

/// What the crawl knows of a URL that something links to; of one that it does not know, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Its number, if it is in the store.
    pub url_id: Option<UrlId>,
    /// How it ended; `None`: it is pending, or unknown.
    pub outcome: Option<Outcome>,
    /// Status of the last answer, after redirects.
    pub status: Option<u16>,
    /// The class of error.
    pub error: Option<String>,
    /// Where redirects led; `None` without any.
    pub final_url: Option<String>,
    /// It came with success and is not there, if that is asked for.
    pub is_soft_404: bool,
}

impl Target {
    /// The state of a link to it; an answer with one of the `accepted` statuses is no error.
    pub fn state(&self, accepted: &[RangeInclusive<u16>]) -> State {
        let has = |statuses: &[RangeInclusive<u16>]| {
            self.status.is_some_and(|status| statuses.iter().any(|range| range.contains(&status)))
        };
        match self.outcome {
            Some(Outcome::Ok) if self.is_soft_404 => State::Broken,
            Some(Outcome::Ok) => State::Ok,
            Some(Outcome::HttpError) if has(accepted) => State::Ok,
            // Of what was passed over the headers came; of what a rule kept from being asked for nothing did.
            Some(Outcome::Skipped) if has(&[200..=299]) => State::Ok,
            Some(outcome) if Outcome::ERRORS.contains(&outcome) => State::Broken,
            _ => State::Unchecked,
        }
    }

    /// The reason for its state in a word: `404`, `soft_404`, `timeout`, `robots_denied`, `pending`, `unknown`.
    pub fn reason(&self) -> String {
        match (self.url_id, self.outcome, self.status, &self.error) {
            (None, ..) => "unknown".to_owned(),
            (_, None, ..) => "pending".to_owned(),
            _ if self.is_soft_404 => "soft_404".to_owned(),
            (_, Some(_), Some(status), None) => status.to_string(),
            (_, Some(_), _, Some(error)) => error.clone(),
            (_, Some(outcome), None, None) => outcome.name().to_owned(),
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.error.as_ref().map_or(0, String::len) + self.final_url.as_ref().map_or(0, String::len)
    }
}

/// Whether a link to `to_url` leads to `url`.
pub(super) fn is_same(url: &CrawlUrl, to_url: &str) -> bool {
    // Both have their host in the same form, and most links that differ do so early.
    to_url == url.url || CrawlUrl::parse(to_url).is_ok_and(|to| to.key == url.key && to.host == url.host)
}

/// What the store knows of URLs, looked up one by one.
pub struct Targets<'db> {
    select: Statement<'db>,
    select_final: Statement<'db>,
    memo: HashMap<String, Target>,
    memo_bytes: usize,
    soft: bool,
    /// Of another store, for those that this one does not know.
    others: Option<Box<Targets<'db>>>,
}

impl<'db> Targets<'db> {
    /// Those of this store; `soft`: a soft 404 is broken.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn new(db: &'db Connection, soft: bool) -> Result<Self, StoreError> {
        let select = db.prepare(
            "SELECT u.url_id, p.outcome, p.status, p.error, p.final_url, p.soft_404 IS NOT NULL FROM url u LEFT JOIN page p ON p.url_id = u.url_id \
             WHERE u.host_id = (SELECT host_id FROM host WHERE name = ?1) AND u.key = ?2",
        )?;
        let select_final = db.prepare("SELECT final_url FROM page WHERE url_id = ?1")?;
        Ok(Self { select, select_final, memo: HashMap::new(), memo_bytes: 0, soft, others: None })
    }

    /// These, and of URLs that this store does not know what another says of them; of those the number is the other's.
    pub fn or(self, others: Option<Targets<'db>>) -> Self {
        Self { others: others.map(Box::new), ..self }
    }

    /// Whether redirects led from this URL to another that is in the store with a page of its own.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn is_elsewhere(&mut self, url_id: UrlId) -> Result<bool, StoreError> {
        let final_url: Option<Option<String>> = self.select_final.query_row([url_id], |row| row.get(0)).optional()?;
        let Some(final_url) = final_url.flatten() else { return Ok(false) };
        let target = self.find(&final_url)?;
        Ok(target.outcome == Some(Outcome::Ok) && target.final_url.is_none() && target.url_id != Some(url_id))
    }

    /// What is known of `to_url`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn find(&mut self, to_url: &str) -> Result<&Target, StoreError> {
        if !self.memo.contains_key(to_url) {
            let target = self.look_up(to_url)?;
            if self.memo_bytes > MEMO_BYTES {
                self.memo.clear();
                self.memo_bytes = 0;
            }
            self.memo_bytes += to_url.len() + size_of::<String>() + target.bytes();
            self.memo.insert(to_url.to_owned(), target);
        }
        Ok(&self.memo[to_url])
    }

    fn look_up(&mut self, to_url: &str) -> Result<Target, StoreError> {
        let own = self.look_up_here(to_url)?;
        match &mut self.others {
            Some(others) if own.url_id.is_none() => others.look_up(to_url),
            _ => Ok(own),
        }
    }

    fn look_up_here(&mut self, to_url: &str) -> Result<Target, StoreError> {
        // A link that is no URL to a crawl cannot have been followed.
        let Ok(url) = CrawlUrl::parse(to_url) else { return Ok(Target::default()) };
        let found = self.select.query_row(params![url.host, url.key], |row| {
            Ok(Target {
                url_id: Some(row.get(0)?),
                outcome: row.get::<_, Option<i64>>(1)?.and_then(Outcome::from_number),
                status: row.get(2)?,
                error: row.get(3)?,
                final_url: row.get(4)?,
                is_soft_404: self.soft && row.get(5)?,
            })
        });
        Ok(found.optional()?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(outcome: Outcome, status: Option<u16>, error: Option<&str>) -> Target {
        let error = error.map(str::to_owned);
        Target { url_id: Some(1), outcome: Some(outcome), status, error, ..Target::default() }
    }

    #[test]
    fn a_link_is_broken_if_its_target_was_asked_for_and_did_not_come() {
        for (target, accepted, state, reason) in [
            (target(Outcome::Ok, Some(200), None), &[][..], State::Ok, "200"),
            (target(Outcome::HttpError, Some(404), None), &[], State::Broken, "404"),
            (target(Outcome::HttpError, Some(403), None), &[403..=403, 429..=429], State::Ok, "403"),
            (target(Outcome::HttpError, Some(500), None), &[403..=403], State::Broken, "500"),
            (target(Outcome::Failed, None, Some("timeout")), &[], State::Broken, "timeout"),
            (target(Outcome::Quarantined, Some(200), Some("crash")), &[200..=200], State::Broken, "crash"),
            (target(Outcome::RobotsDenied, None, Some("robots")), &[], State::Unchecked, "robots"),
            (target(Outcome::Skipped, Some(200), Some("content_type")), &[], State::Ok, "content_type"),
            (target(Outcome::Skipped, None, None), &[], State::Unchecked, "skipped"),
            (
                Target { is_soft_404: true, ..target(Outcome::Ok, Some(200), None) },
                &[200..=200],
                State::Broken,
                "soft_404",
            ),
            (Target { url_id: Some(1), ..Target::default() }, &[], State::Unchecked, "pending"),
            (Target::default(), &[], State::Unchecked, "unknown"),
        ] {
            assert_eq!((target.state(accepted), &*target.reason()), (state, reason), "{target:?}");
        }
    }

    #[test]
    fn links_lead_to_a_url_however_it_is_written() {
        let url = CrawlUrl::parse("https://a.example/~me").expect("a URL");
        for same in ["https://a.example/~me", "https://a.example/%7eme", "https://A.example/%7Eme"] {
            assert!(is_same(&url, same), "{same}");
        }
        for other in ["https://b.example/~me", "http://a.example/~me", "https://a.example/~me/", "mailto:a", ""] {
            assert!(!is_same(&url, other), "{other}");
        }
    }
}
