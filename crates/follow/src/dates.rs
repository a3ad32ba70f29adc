//! Dates of sitemaps and feeds, right and wrong ones, as milliseconds of the Unix epoch.
//!
//! Sitemaps have the W3C profile of ISO 8601, Atom and JSON Feed RFC 3339, RSS RFC 822 with years of four digits. Each
//! is found in the place of the others, so one reader knows all. A time without an offset is one of UTC.

use jiff::SignedDuration;
use jiff::civil::{Date, Time};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::Offset;
use seine_core::calendar;

/// Longest text that is looked at, in bytes.
const MAX_BYTES: usize = 100;

const DAY_MS: i64 = 86_400_000;

/// British summer time, as feeds mean it; elsewhere `BST` may be another.
const BST_MINUTES: i32 = 60;

/// The time that a date means: a moment, or all of a day, a month, a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// Its first moment, in milliseconds of the Unix epoch.
    pub ms: i64,
    /// Its last moment: what is said to have changed on a day may have changed at its end.
    pub until_ms: i64,
}

/// The first moment that `text` may mean, in milliseconds of the Unix epoch; none if it tells no date.
pub fn epoch_ms(text: &str) -> Option<i64> {
    read(text).map(|when| when.ms)
}

/// The time that `text` means; none if it tells no date.
pub fn read(text: &str) -> Option<When> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_BYTES || !text.is_ascii() {
        return None;
    }
    iso(text).or_else(|| words(text)).or_else(|| number(text))
}

/// `2026`, `2026-05`, `2026-05-03`, `2026-05-03T10:00:00+02:00`, and what is written nearly so.
fn iso(text: &str) -> Option<When> {
    let starts_with_year = text.len() >= 4 && text.as_bytes()[..4].iter().all(u8::is_ascii_digit);
    let separator = text.as_bytes().get(4).copied();
    if !starts_with_year || !matches!(separator, None | Some(b'-' | b'/')) {
        return None;
    }
    let year = text[..4].parse().ok()?;
    match text.len() {
        4 => return days(Date::new(year, 1, 1).ok()?, Date::last_of_year),
        7 => return days(Date::new(year, text[5..].parse().ok()?, 1).ok()?, Date::last_of_month),
        _ => {}
    }
    let slashed = text.replacen('/', "-", 2);
    let without_zone = slashed.trim_end_matches("UTC").trim_end_matches("GMT").trim_end();
    let joined = if without_zone.contains(['T', 't']) { "" } else { "T" };
    let spaced = without_zone.replacen(' ', joined, 1).replace(' ', "");
    // A date whose time makes no sense is still a date.
    [&*slashed, &*spaced, slashed.get(..10)?].into_iter().find_map(|text| {
        let pieces = DateTimeParser::new().parse_pieces(text).ok()?;
        match pieces.time() {
            Some(time) => {
                let offset = pieces.to_numeric_offset().unwrap_or(Offset::UTC);
                let at = offset.to_timestamp(pieces.date().to_datetime(time)).ok()?;
                Some(When::at(at.as_millisecond()))
            }
            None => days(pieces.date(), |date| date),
        }
    })
}

impl When {
    fn at(ms: i64) -> Self {
        Self { ms, until_ms: ms }
    }
}

/// The days, in UTC, from `first` to the one that `last` makes of it.
fn days(first: Date, last: impl Fn(Date) -> Date) -> Option<When> {
    let midnight = |date: Date| Offset::UTC.to_timestamp(date.to_datetime(Time::midnight())).ok();
    let (ms, last) = (midnight(first)?.as_millisecond(), midnight(last(first))?.as_millisecond());
    Some(When { ms, until_ms: last + DAY_MS - 1 })
}

/// The parts of a date that is told in words, in whatever order.
#[derive(Default)]
struct Words {
    day: Option<i8>,
    month: Option<i8>,
    year: Option<i16>,
    /// Since midnight.
    time: Option<SignedDuration>,
    is_afternoon: Option<bool>,
    /// East of UTC.
    offset: SignedDuration,
}

/// `Sun, 03 May 2026 10:00:00 GMT`, `3 May 26 10:00 EST`, `May 3, 2026`, `Sun May  3 10:00:00 2026`, `03-May-2026`.
fn words(text: &str) -> Option<When> {
    let mut words = Words::default();
    for word in text.split([' ', ',', '\t', '\n', '\r']).filter(|word| !word.is_empty()) {
        match *word.split('-').collect::<Vec<_>>() {
            [day, month, year] if !day.is_empty() => [day, month, year].into_iter().for_each(|word| words.read(word)),
            _ => words.read(word),
        }
    }
    let day = days(Date::new(words.year?, words.month?, words.day?).ok()?, |date| date)?;
    let Some(time) = words.time else { return Some(day) };
    let noon = words.is_afternoon.map_or(SignedDuration::ZERO, |is_afternoon| words.half_day(is_afternoon));
    let since = i64::try_from((time + noon - words.offset).as_millis()).ok()?;
    day.ms.checked_add(since).map(When::at)
}

impl Words {
    fn read(&mut self, word: &str) {
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        if word.contains(':') && self.time.is_none() {
            self.read_time(word);
        } else if is_number && word.len() == 4 && self.year.is_none() {
            self.year = word.parse().ok();
        } else if is_number && word.len() <= 2 {
            let number: i8 = word.parse().unwrap_or_default();
            match self.day {
                None => self.day = Some(number),
                // RFC 2822, section 4.3.
                Some(_) => self.year = self.year.or(Some(i16::from(number) + if number < 50 { 2000 } else { 1900 })),
            }
        } else if let Some(month) = month(word).filter(|_| self.month.is_none()) {
            self.month = Some(month);
        } else if word.eq_ignore_ascii_case("pm") || word.eq_ignore_ascii_case("am") {
            self.is_afternoon = Some(word.eq_ignore_ascii_case("pm"));
        } else if self.time.is_some() {
            self.read_zone(word);
        }
    }

    /// `10:00`, `10:00:60`, `24:00:00`, `10:00:00.5`, `10:00:00Z`, `10:00:00+02:00`.
    fn read_time(&mut self, word: &str) {
        let end = word.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(word.len());
        let (clock, zone) = word.split_at(end);
        let mut parts = clock.split(':').map(|part| part.split('.').next().and_then(|part| part.parse::<u8>().ok()));
        let (hour, minute, second) = (parts.next().flatten(), parts.next().flatten(), parts.next().flatten());
        if let (Some(hour @ 0..=24), Some(minute @ 0..=59)) = (hour, minute) {
            let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second.unwrap_or(0).min(59));
            self.time = Some(SignedDuration::from_secs(seconds));
            self.read_zone(zone);
        }
    }

    /// `+0200`, `-05:00`, `EST`, `GMT+2`; all else is UTC.
    fn read_zone(&mut self, word: &str) {
        let after_name = word.strip_prefix("GMT").or_else(|| word.strip_prefix("UTC")).unwrap_or(word);
        if let Some(minutes) = named_offset(word).or_else(|| numeric_offset(after_name)) {
            self.offset = SignedDuration::from_mins(minutes.into());
        }
    }

    /// The hours that `am` or `pm` adds to the time.
    fn half_day(&self, is_afternoon: bool) -> SignedDuration {
        let half = SignedDuration::from_hours(12);
        match (self.time.unwrap_or_default() >= half, is_afternoon) {
            (false, true) => half,
            (true, false) => -half,
            _ => SignedDuration::ZERO,
        }
    }
}

fn month(word: &str) -> Option<i8> {
    let word = word.trim_end_matches('.');
    word.bytes().all(|byte| byte.is_ascii_alphabetic()).then(|| calendar::month(&word.to_ascii_lowercase())).flatten()
}

/// Minutes east of UTC of an offset that is named: those of RFC 822, and frequent ones. Others are taken for UTC.
fn named_offset(word: &str) -> Option<i32> {
    match &*word.to_ascii_uppercase() {
        "BST" => Some(BST_MINUTES),
        name => calendar::offset(name),
    }
}

/// Minutes east of UTC.
fn numeric_offset(text: &str) -> Option<i32> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let digits = digits.replace(':', "");
    let number: i32 = digits.parse().ok()?;
    let minutes = if digits.len() <= 2 { number * 60 } else { number / 100 * 60 + number % 100 };
    (minutes <= 18 * 60).then_some(sign * minutes)
}

/// Seconds of the Unix epoch if there are 10 digits, milliseconds if there are 13.
fn number(text: &str) -> Option<When> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.len() {
        10 if is_number => text.parse::<i64>().ok().map(|seconds| When::at(seconds * 1000)),
        13 if is_number => text.parse().ok().map(When::at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_date_without_a_time_lasts_until_its_end() {
        for (text, until) in [
            ("2026-05-03", "2026-05-03T23:59:59.999Z"),
            ("3 May 2026", "2026-05-03T23:59:59.999Z"),
            ("2024-02", "2024-02-29T23:59:59.999Z"),
            ("2026", "2026-12-31T23:59:59.999Z"),
            ("2026-05-03T10:20Z", "2026-05-03T10:20:00Z"),
            ("Sun, 03 May 2026 10:20:30 GMT", "2026-05-03T10:20:30Z"),
        ] {
            let until_ms = read(text).expect("a date").until_ms;
            assert_eq!(Timestamp::from_millisecond(until_ms).expect("in range").to_string(), until, "{text}");
        }
    }

    #[track_caller]
    fn check(pairs: &[(&str, &str)]) {
        for (text, utc) in pairs {
            let ms = epoch_ms(text).unwrap_or_else(|| panic!("{text} is a date"));
            assert_eq!(Timestamp::from_millisecond(ms).expect("in range").to_string(), *utc, "{text}");
        }
    }

    #[test]
    fn dates_of_sitemaps_are_read() {
        check(&[
            ("2026", "2026-01-01T00:00:00Z"),
            ("2026-05", "2026-05-01T00:00:00Z"),
            ("2026-05-03", "2026-05-03T00:00:00Z"),
            ("2026-05-03T10:20+02:00", "2026-05-03T08:20:00Z"),
            ("2026-05-03T10:20:30.45+02:00", "2026-05-03T08:20:30.45Z"),
            ("2026-05-03T10:20:30Z", "2026-05-03T10:20:30Z"),
            ("  2026-05-03\n", "2026-05-03T00:00:00Z"),
        ]);
    }

    #[test]
    fn dates_that_are_nearly_right_are_read_too() {
        check(&[
            ("2026-05-03T10:20:30", "2026-05-03T10:20:30Z"),
            ("2026-05-03 10:20:30", "2026-05-03T10:20:30Z"),
            ("2026-05-03 10:20:30 +0200", "2026-05-03T08:20:30Z"),
            ("2026-05-03T10:20:30+0200", "2026-05-03T08:20:30Z"),
            ("2026-05-03T10:20:30 +02:00", "2026-05-03T08:20:30Z"),
            ("2026-05-03t10:20:30z", "2026-05-03T10:20:30Z"),
            ("2026/05/03", "2026-05-03T00:00:00Z"),
            ("2026-05-03T25:61:00Z", "2026-05-03T00:00:00Z"),
            ("2026-05-03 10:20:30 UTC", "2026-05-03T10:20:30Z"),
            ("1777803630", "2026-05-03T10:20:30Z"),
            ("1777803630500", "2026-05-03T10:20:30.5Z"),
        ]);
    }

    #[test]
    fn dates_of_rss_are_read() {
        check(&[
            ("Sun, 03 May 2026 10:20:30 GMT", "2026-05-03T10:20:30Z"),
            ("Sun, 3 May 2026 10:20 +0200", "2026-05-03T08:20:00Z"),
            ("03 May 26 10:20:30 EST", "2026-05-03T15:20:30Z"),
            ("Wed, 02 Oct 02 08:00:00 EDT", "2002-10-02T12:00:00Z"),
            ("02 Oct 97 08:00:00 UT", "1997-10-02T08:00:00Z"),
            ("Sun, 03 May 2026 10:20:30 -0000", "2026-05-03T10:20:30Z"),
        ]);
    }

    #[test]
    fn dates_as_feeds_have_them_wrong_are_read() {
        check(&[
            // The wrong day of the week, none, a foreign one.
            ("Mon, 03 May 2026 10:20:30 GMT", "2026-05-03T10:20:30Z"),
            ("3 May 2026", "2026-05-03T00:00:00Z"),
            ("So, 03 Mai 2026 10:20:30 +0200", "2026-05-03T08:20:30Z"),
            ("Sunday, May 3, 2026 10:20:30 GMT", "2026-05-03T10:20:30Z"),
            ("May 3, 2026 9:05 pm", "2026-05-03T21:05:00Z"),
            ("May 3, 2026 12:05 AM", "2026-05-03T00:05:00Z"),
            ("Sun May  3 10:20:30 2026", "2026-05-03T10:20:30Z"),
            ("03-May-2026 10:20:30", "2026-05-03T10:20:30Z"),
            ("Thu, 10 Sept 2026 10:20:30 GMT+2", "2026-09-10T08:20:30Z"),
            ("Sun, 03 May 2026 10:20:30 CEST", "2026-05-03T08:20:30Z"),
            ("Sun, 03 May 2026 10:20:30 Z", "2026-05-03T10:20:30Z"),
            ("Sun, 03 May 2026 10:20:30Z", "2026-05-03T10:20:30Z"),
            ("Sun, 03 May 2026 10:20:30 Somewhere", "2026-05-03T10:20:30Z"),
            ("Sun,03 May 2026 24:00:00 GMT", "2026-05-04T00:00:00Z"),
            ("Sun, 03 May 2026 10:20:60 GMT", "2026-05-03T10:20:59Z"),
        ]);
    }

    #[test]
    fn what_is_no_date_is_none() {
        let long = "2026-05-03".repeat(20);
        for text in [
            "",
            "yesterday",
            "0000-00-00",
            "0000-00-00 00:00:00",
            "2026-13-01",
            "2026-02-30",
            "Thu, 32 May 2026 10:20:30 GMT",
            "2026-",
            "20260503",
            "99999",
            "-1",
            "10:20:30",
            "May 2026",
            "３ May 2026",
            &long,
        ] {
            assert_eq!(epoch_ms(text), None, "{text:?}");
        }
    }
}
