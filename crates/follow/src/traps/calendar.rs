//! Calendars: pages for days and months that are far from now.
//!
//! Only the page of a day or month is meant, so its date ends the path, or stands in the query: what lies below a date
//! (`/2019/05/03/some-title`) is an article. Dates in the past may be archives of any age, unless the URL says
//! that it is a calendar.

use std::ops::RangeInclusive;

use super::Month;
use crate::parts::Parts;

/// How many months ahead a date may be.
pub const MONTHS_AHEAD: i32 = 36;

/// How many months back a date of a calendar may be.
pub const MONTHS_BACK: i32 = 600;

/// From how many months ahead on a number is no year: `/2999/12` may be page 12 of the topic 2999.
const MONTHS_CREDIBLE: i32 = 1200;

/// Words that a calendar's URL often has, and other URLs too: `/events/2026-05/`, `/events/4512`.
const HINTS: &[&str] = &["cal", "agenda", "event", "events", "termine", "veranstaltungen", "schedule", "tribe"];

/// Parts of words that only a calendar's URL has: `calendar`, `eventcalendar`, `kalender`, `calendrier`.
const SIGNS: &[&str] = &["calend", "kalend"];

/// Views of calendars, which may stand around the date in a path.
const VIEWS: &[&str] = &["-", "day", "week", "month", "year", "list", "view", "grid", "map", "photo", "summary", "all"];

/// Words in the names of parameters with a date: `date`, `tribe-bar-date`, `start_date`.
const DATE_NAMES: &[&str] = &["date", "day", "month", "week", "cal", "start", "datum", "tag", "monat", "fecha", "mes"];

/// Words in the names of parameters with a time of the Unix epoch.
const TIME_NAMES: &[&str] = &["time", "timestamp", "ts", "date", "start", "day", "month", "week"];

/// Names of the parts of a date in queries.
const YEARS: &[&str] = &["year", "yr", "y", "jahr", "annee", "ano", "yyyy"];
const MONTHS: &[&str] = &["month", "mon", "mo", "m", "monat", "mois", "mes", "mm"];
const DAYS: &[&str] = &["day", "d", "tag", "jour", "dia", "dd"];

/// The names of months.
const MONTH_NAMES: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// How much a URL looks like that of a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    Plain,
    Likely,
    Sure,
}

/// A URL's word about a day or month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// A month of a year.
    Month(Month),
    /// Numbers that only counting on leads to: a month 13, a day 45.
    Nonsense,
}

/// Whether the URL is that of a day or month far from `now`.
pub(super) fn is_far(parts: &Parts<'_>, now: Month) -> bool {
    // Most URLs have no year in them, and most others would be near whatever they looked like.
    let may_be_far = has_year(parts.path) || parts.query.is_some_and(has_year);
    may_be_far && tells_far(parts, Look::Sure, now) && tells_far(parts, look(parts), now)
}

/// Whether there are four digits in a row.
fn has_year(text: &str) -> bool {
    let mut digits = 0;
    text.bytes().any(|byte| {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        digits == 4
    })
}

/// Whether a date in the URL is far from `now`, if the URL looks like that.
fn tells_far(parts: &Parts<'_>, look: Look, now: Month) -> bool {
    let is_far = |told: Told| match told {
        Told::Nonsense => true,
        Told::Month(month) => {
            let ahead = month.months - now.months;
            let is_ahead = ahead > MONTHS_AHEAD && (look == Look::Sure || ahead < MONTHS_CREDIBLE);
            is_ahead || (look == Look::Sure && ahead < -MONTHS_BACK)
        }
    };
    in_path(parts, look).into_iter().chain(in_query(parts, look)).any(is_far)
}

fn look(parts: &Parts<'_>) -> Look {
    let texts = [parts.authority, parts.path, parts.query.unwrap_or_default()];
    let words = texts.into_iter().flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric()));
    words.map(look_of).max().unwrap_or(Look::Plain)
}

fn look_of(word: &str) -> Look {
    if SIGNS
        .iter()
        .any(|sign| word.as_bytes().windows(sign.len()).any(|part| part.eq_ignore_ascii_case(sign.as_bytes())))
    {
        Look::Sure
    } else if is_one_of(word, HINTS) {
        Look::Likely
    } else {
        Look::Plain
    }
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// The date that ends the path.
fn in_path(parts: &Parts<'_>, look: Look) -> Option<Told> {
    let is_view = |segment: &str| segment.is_empty() || is_one_of(segment, VIEWS);
    let mut from_last = parts.path.rsplit('/').filter(|segment| !is_view(segment));
    let [last, before, first] = [(); 3].map(|()| from_last.next().unwrap_or_default());
    if let Some(told) = date(last) {
        return Some(told);
    }
    // Numbers of one digit are pages of a topic rather than months.
    let least = if look == Look::Sure { 1 } else { 2 };
    if let (Some(year), Some(month), Some(day)) = (year(first), month_of(before, least), number(last, least..=3)) {
        return of_numbers(year, month, Some(day), look == Look::Sure);
    }
    if look == Look::Plain {
        return None;
    }
    if let (Some(year), Some(month)) = (year(before), month_of(last, least)) {
        return of_numbers(year, month, None, look == Look::Sure);
    }
    // Anything may have a number of six digits.
    let alone = || compact(last).or_else(|| year(last).map(|year| Told::Month(Month::new(year, 1))));
    year_month(last).or_else(|| (look_of(before) == Look::Sure).then(alone).flatten())
}

/// The dates in the query.
fn in_query(parts: &Parts<'_>, look: Look) -> impl Iterator<Item = Told> {
    // Single letters may be coordinates.
    let least = if look == Look::Plain { 2 } else { 1 };
    let find = |names: &[&str]| {
        let mut parameters = parts.parameters().filter(|(name, _)| name.len() >= least);
        parameters.find(|(name, _)| is_one_of(name, names)).map(|(_, value)| value)
    };
    let pair = find(YEARS).and_then(year).zip(find(MONTHS).and_then(|month| month_of(month, 1)));
    let day = find(DAYS).and_then(|day| number(day, 1..=5));
    let pair = pair.and_then(|(year, month)| of_numbers(year, month, day, true));
    let single = parts.parameters().filter_map(move |(name, value)| {
        let is_likely = look > Look::Plain;
        let told =
            if is_likely || has_word(name, DATE_NAMES) { date(value).or_else(|| year_month(value)) } else { None };
        let told = told.or_else(|| (is_likely && has_word(name, DATE_NAMES)).then(|| compact(value)).flatten());
        told.or_else(|| (is_likely && has_word(name, TIME_NAMES)).then(|| epoch(value)).flatten())
    });
    pair.into_iter().chain(single)
}

/// Whether one of the words of which the name of a parameter is made is among `words`.
fn has_word(name: &str, words: &[&str]) -> bool {
    name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| is_one_of(word, words))
}

/// `2026-05-03`, and in any year `2026-W18`.
fn date(text: &str) -> Option<Told> {
    let (start, rest) = text.split_once('-')?;
    let year = year(start)?;
    if let Some(week) = rest.strip_prefix(['W', 'w']) {
        let month = (number(week, 1..=2)? - 1) * 12 / 53 + 1;
        return Some(Told::Month(Month::new(year, month.clamp(1, 12))));
    }
    let (month, day) = rest.split_once('-')?;
    of_numbers(year, number(month, 1..=2)?, Some(number(day, 1..=2)?), false)
}

/// `2026-05`.
fn year_month(text: &str) -> Option<Told> {
    let (start, month) = text.split_once('-')?;
    of_numbers(year(start)?, number(month, 1..=2)?, None, false)
}

/// `202605` or `20260503`.
fn compact(text: &str) -> Option<Told> {
    let digits = number(text, 6..=8)?;
    let (year, month) = match text.len() {
        6 => (digits / 100, digits % 100),
        8 => (digits / 10_000, digits / 100 % 100),
        _ => return None,
    };
    if (1000..=9999).contains(&year) { of_numbers(year, month, None, false) } else { None }
}

/// Seconds or milliseconds of the Unix epoch.
fn epoch(text: &str) -> Option<Told> {
    let is_number = (8..=14).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = if is_number { text.parse().ok()? } else { return None };
    Some(Told::Month(Month::of_epoch_ms(if text.len() > 11 { number } else { number * 1000 })))
}

/// The month that the numbers are; where they must be those of a month, others are nonsense.
fn of_numbers(year: i32, month: i32, day: Option<i32>, is_sure: bool) -> Option<Told> {
    let is_month = (0..=12).contains(&month) && day.is_none_or(|day| (0..=31).contains(&day));
    match is_month {
        true => Some(Told::Month(Month::new(year, month.max(1)))),
        false => is_sure.then_some(Told::Nonsense),
    }
}

fn year(text: &str) -> Option<i32> {
    number(text, 4..=4).filter(|year| *year >= 1000)
}

/// The number of a month, by name or as it is, with at least so many digits.
fn month_of(text: &str, least: usize) -> Option<i32> {
    let is_it = |name: &&str| name.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
    match MONTH_NAMES.iter().position(is_it) {
        Some(index) if text.len() >= 3 => i32::try_from(index + 1).ok(),
        _ => number(text, least..=5),
    }
}

/// The number that `text` is, if it has so many digits and nothing else.
fn number(text: &str, digits: RangeInclusive<usize>) -> Option<i32> {
    let is_number = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}
