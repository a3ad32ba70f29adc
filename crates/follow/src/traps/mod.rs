//! Traps: URLs that a site makes without end. Each has a name, limits and a switch.
//!
//! A page that is cut by mistake is a page that nobody gets, while a trap that is found late costs some requests. So
//! the limits are far from what ordinary sites have: each is where a trap comes to sooner or later.
//!
//! Sources: Heritrix (`PathologicalPathDecideRule`, `TooManyPathSegmentsDecideRule`), the URL filter of Nutch, and the
//! links of calendars, shops, forums and wikis.

mod calendar;
mod query;
mod segments;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::{Deserialize, Serialize};

use crate::parts::Parts;

/// Longest URL that is no `long_url`, in bytes: what servers take at most, if nobody has told them otherwise.
pub const MAX_LONG_URL: usize = 8192;

/// A way in which a site makes URLs without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trap {
    /// The path repeats itself: `/a/b/a/b/a/b`, as relative links do that lead to a page like their own.
    RepeatingSegments,
    /// A day or month far from now, as calendars link to.
    Calendar,
    /// A session id. Such URLs are not cut: they are followed without it.
    SessionId,
    /// A query that grows from page to page.
    GrowingQuery,
    /// A path of too many segments.
    DepthOfPath,
    /// A URL that is too long.
    LongUrl,
    /// Another page of a host of which the last pages brought nothing new. No URL looks like one: the store counts pages.
    NothingNew,
}

/// A word that names no trap.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no trap is called {0:?}; there are repeating_segments, calendar, session_id, growing_query, depth_of_path, long_url and nothing_new"
)]
pub struct UnknownTrap(pub String);

impl Trap {
    /// Every trap.
    pub const ALL: [Self; 7] = [
        Self::RepeatingSegments,
        Self::Calendar,
        Self::SessionId,
        Self::GrowingQuery,
        Self::DepthOfPath,
        Self::LongUrl,
        Self::NothingNew,
    ];

    /// The name in config files and, behind `trap:`, in reasons.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RepeatingSegments => "repeating_segments",
            Self::Calendar => "calendar",
            Self::SessionId => "session_id",
            Self::GrowingQuery => "growing_query",
            Self::DepthOfPath => "depth_of_path",
            Self::LongUrl => "long_url",
            Self::NothingNew => "nothing_new",
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Trap {
    type Err = UnknownTrap;

    fn from_str(word: &str) -> Result<Self, UnknownTrap> {
        Self::ALL.into_iter().find(|trap| trap.name() == word).ok_or_else(|| UnknownTrap(word.to_owned()))
    }
}

/// A month of a year, by which `calendar` measures distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    /// Months since January of the year 0.
    months: i32,
}

impl Month {
    /// The month `month` (1 to 12) of `year`.
    pub const fn new(year: i32, month: i32) -> Self {
        Self { months: year.saturating_mul(12).saturating_add(month - 1) }
    }

    /// The month, in UTC, of a moment in milliseconds of the Unix epoch. Moments that no calendar has are at its ends.
    pub fn of_epoch_ms(ms: i64) -> Self {
        let end = if ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let date = Offset::UTC.to_datetime(Timestamp::from_millisecond(ms).unwrap_or(end));
        Self::new(date.year().into(), date.month().into())
    }
}

/// The traps that are looked for.
#[derive(Clone, Debug)]
pub struct Traps {
    /// One bit for each of [`Trap::ALL`].
    on: u8,
    now: Month,
}

impl Traps {
    /// These traps, at this time.
    pub fn new(on: impl IntoIterator<Item = Trap>, now: Month) -> Self {
        Self { on: on.into_iter().fold(0, |on, trap| on | 1 << trap as u8), now }
    }

    /// All traps, at this time.
    pub fn all(now: Month) -> Self {
        Self::new(Trap::ALL, now)
    }

    /// None.
    pub const fn off() -> Self {
        Self { on: 0, now: Month::new(1970, 1) }
    }

    /// Whether this one is looked for.
    pub const fn has(&self, trap: Trap) -> bool {
        self.on & 1 << trap as u8 != 0
    }

    /// The trap that `url` is in, an http(s) URL as the URL standard writes it.
    pub fn find(&self, url: &str) -> Option<Trap> {
        let parts = Parts::of(url)?;
        let is_in = |trap: &Trap| {
            self.has(*trap)
                && match trap {
                    Trap::RepeatingSegments => segments::repeat(&parts),
                    Trap::DepthOfPath => segments::are_too_many(&parts),
                    Trap::Calendar => calendar::is_far(&parts, self.now),
                    Trap::GrowingQuery => query::grows(&parts),
                    Trap::LongUrl => url.len() > MAX_LONG_URL,
                    Trap::SessionId | Trap::NothingNew => false,
                }
        };
        Trap::ALL.into_iter().find(is_in)
    }
}

impl Default for Traps {
    fn default() -> Self {
        Self::off()
    }
}
