//! Dates and times as pages write them: ISO 8601, RFC 2822, with the names of months, with a format.

use std::borrow::Cow;

use jiff::Timestamp;
use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::{rfc2822, strtime, temporal};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use super::locale::Locale;
use super::numbers::digit_of;

/// Longest text that is looked at, in bytes.
const MAX_BYTES: usize = 200;

/// A date, with what is known beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// As it is written.
    date: Date,
    time: Option<Time>,
    /// If the offset from UTC was told.
    offset: Option<Offset>,
}

impl Moment {
    /// `YYYY-MM-DD`, as written.
    pub fn date(&self) -> Option<String> {
        (1..=9999).contains(&self.date.year()).then(|| self.date.to_string())
    }

    /// `YYYY-MM-DDTHH:MM:SS[.fff]`: in UTC with `Z` if the offset is known; midnight if the time is not.
    pub fn datetime(&self) -> Option<String> {
        let written = self.date.to_datetime(self.time.unwrap_or(Time::midnight()));
        // A time of day in no year that a timestamp could be in is one all the same, so civil time is counted with.
        let civil = match self.offset {
            Some(offset) => written.checked_sub(offset.seconds().seconds()).ok()?,
            None => written,
        };
        if !(1..=9999).contains(&civil.year()) {
            return None;
        }
        let zulu = if self.offset.is_some() { "Z" } else { "" };
        let has_fraction = civil.subsec_nanosecond() >= 1_000_000;
        Some(if has_fraction { format!("{civil:.3}{zulu}") } else { format!("{civil:.0}{zulu}") })
    }

    /// The same, a time without an offset being one of `zone`. A date without a time stays what it is.
    pub fn within(self, zone: Option<&TimeZone>) -> Self {
        match (self.time, self.offset, zone) {
            (Some(time), None, Some(zone)) => {
                Self { offset: Some(offset_in(zone, self.date.to_datetime(time))), ..self }
            }
            _ => self,
        }
    }

    /// Seconds of the Unix epoch if `number` has 10 digits, milliseconds if it has 13; any other is no date.
    pub fn of_epoch(number: i64) -> Option<Self> {
        let at = match number {
            1_000_000_000..10_000_000_000 => Timestamp::from_second(number).ok()?,
            1_000_000_000_000..10_000_000_000_000 => Timestamp::from_millisecond(number).ok()?,
            _ => return None,
        };
        Some(Self::of_timestamp(at))
    }

    fn of_timestamp(at: Timestamp) -> Self {
        let civil = Offset::UTC.to_datetime(at);
        Self { date: civil.date(), time: Some(civil.time()), offset: Some(Offset::UTC) }
    }
}

/// The offset of a zone at a time of its clocks; at a time that they show twice, or never, that from before.
fn offset_in(zone: &TimeZone, civil: DateTime) -> Offset {
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset,
        AmbiguousOffset::Gap { before, .. } | AmbiguousOffset::Fold { before, .. } => before,
    }
}

/// The time zone of that name: `Europe/Berlin`, `UTC`, `+02:00`. It does not depend on the machine.
pub fn zone(name: &str) -> Option<TimeZone> {
    match numeric_offset(name) {
        Some(offset) => Some(TimeZone::fixed(offset)),
        None => TimeZoneDatabase::bundled().get(name).ok(),
    }
}

/// The date that `text` tells; by `format` (strptime) if there is one. `zone` is that of a time without an offset.
pub fn moment(text: &str, locale: Option<&Locale>, format: Option<&str>, zone: Option<&TimeZone>) -> Option<Moment> {
    let text = &*plain(text.trim());
    if text.len() > MAX_BYTES {
        return None;
    }
    let moment = match format {
        Some(format) => formatted(text, format),
        None => iso(text).or_else(|| mail(text)).or_else(|| epoch(text)).or_else(|| words::read(text, locale, zone)),
    };
    moment.map(|moment| moment.within(zone))
}

/// `text` with the digits and commas that every script has, and without marks of direction.
fn plain(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let is_mark = |c: &char| matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let plain = |c| if c == '،' { ',' } else { digit_of(c).unwrap_or(c) };
    Cow::Owned(text.chars().filter(|c| !is_mark(c)).map(plain).collect())
}

/// Checks a format; the error is the mistake in it.
pub fn check_format(format: &str) -> Result<(), String> {
    // Whatever cannot be written cannot be read either.
    let zoned = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let written = strtime::format(format, &zoned).map_err(|error| error.to_string())?;
    match strtime::parse(format, &written) {
        Ok(parsed) if parsed.to_date().is_ok() || parsed.to_timestamp().is_ok() => Ok(()),
        Ok(_) => Err("the format lacks year, month or day".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn formatted(text: &str, format: &str) -> Option<Moment> {
    let parsed = strtime::parse(format, text).ok()?;
    match parsed.to_date() {
        Ok(date) => {
            let time = parsed.to_time().ok();
            let named = |time: Time| Some(offset_in(&self::zone(parsed.iana_time_zone()?)?, date.to_datetime(time)));
            Some(Moment { date, time, offset: parsed.offset().or_else(|| named(time?)) })
        }
        Err(_) => parsed.to_timestamp().ok().map(Moment::of_timestamp),
    }
}

fn iso(text: &str) -> Option<Moment> {
    // Years of four digits only: other runs of digits are no dates.
    if text.as_bytes().get(..4)?.iter().any(|byte| !byte.is_ascii_digit()) || !text.contains('-') {
        return None;
    }
    let pieces = temporal::DateTimeParser::new().parse_pieces(text).ok()?;
    let (date, time) = (pieces.date(), pieces.time());
    let Some(time) = time else { return Some(Moment { date, time, offset: None }) };
    let offset = match (pieces.to_numeric_offset(), pieces.time_zone_annotation()) {
        (Some(offset), _) => Some(offset),
        (None, None) => None,
        (None, Some(_)) => {
            let zone = pieces.to_time_zone_with(&TimeZoneDatabase::bundled()).ok()??;
            Some(offset_in(&zone, date.to_datetime(time)))
        }
    };
    Some(Moment { date, time: Some(time), offset })
}

/// RFC 2822, whatever the day of the week is said to be.
fn mail(text: &str) -> Option<Moment> {
    // Zones that it does not know, as CEST, it says to be UTC.
    let last = text.rsplit(' ').next().unwrap_or_default();
    if last.starts_with(|c: char| c.is_alphabetic()) && !matches!(last, "GMT" | "UT" | "EST" | "EDT" | "PST" | "PDT") {
        return None;
    }
    let zoned = rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_zoned(text).ok()?;
    Some(Moment { date: zoned.date(), time: Some(zoned.time()), offset: Some(zoned.offset()) })
}

fn epoch(text: &str) -> Option<Moment> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok().and_then(Moment::of_epoch)).flatten()
}

/// `+02:00`, `-0500`, `+2`.
fn numeric_offset(text: &str) -> Option<Offset> {
    let (sign, digits) = match text.chars().next()? {
        '+' => (1, &text[1..]),
        '-' => (-1, &text[1..]),
        '−' => (-1, text.strip_prefix('−')?),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let is_number = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(hours) || !is_number(minutes) {
        return None;
    }
    let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
    let is_offset = hours <= 14 && minutes < 60;
    is_offset.then(|| Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()).flatten()
}

mod words;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_pages_write_them() {
        for (text, datetime) in [
            ("2026-11-22", "2026-11-22T00:00:00"),
            ("2026-11-22T14:30", "2026-11-22T14:30:00"),
            ("2026-11-22 14:30:05.25", "2026-11-22T14:30:05.250"),
            ("2026-11-22T14:30:05Z", "2026-11-22T14:30:05Z"),
            ("2026-11-22T23:30:05-05:00", "2026-11-23T04:30:05Z"),
            ("2026-11-22T14:30:05.123456+0200", "2026-11-22T12:30:05.123Z"),
            ("Sun, 22 Nov 2026 14:30:05 GMT", "2026-11-22T14:30:05Z"),
            ("Sun, 22 Nov 2026 14:30:05 -0500", "2026-11-22T19:30:05Z"),
            ("1795357805", "2026-11-22T14:30:05Z"),
            ("1795357805000", "2026-11-22T14:30:05Z"),
            ("22 November 2026", "2026-11-22T00:00:00"),
            ("Published on November 22nd, 2026 at 2:30 pm", "2026-11-22T14:30:00"),
            ("Sun Nov 22, 2026 12:05am", "2026-11-22T00:05:00"),
            ("12:05 a.m., Nov 22, 2026", "2026-11-22T00:05:00"),
            ("am 22. November 2026 um 12:15 Uhr", "2026-11-22T12:15:00"),
            ("12:15, am 22. November 2026", "2026-11-22T12:15:00"),
            ("22. März 2026", "2026-03-22T00:00:00"),
            ("1er août 2026", "2026-08-01T00:00:00"),
            ("3 de mayo de 2026", "2026-05-03T00:00:00"),
            ("22-Nov-2026", "2026-11-22T00:00:00"),
            ("22.11.2026, 14:30 Uhr", "2026-11-22T14:30:00"),
            ("22/11/2026", "2026-11-22T00:00:00"),
            ("11/22/2026", "2026-11-22T00:00:00"),
            ("2026/11/22", "2026-11-22T00:00:00"),
            ("3-4-2026", "2026-04-03T00:00:00"),
        ] {
            assert_eq!(
                moment(text, None, None, None).and_then(|moment| moment.datetime()).as_deref(),
                Some(datetime),
                "{text}"
            );
        }
        for text in
            ["", "soon", "2026", "2026-13-01", "03/04/2026", "22 Nov", "Nov 2026", "31 February 2026", "12.5.26"]
        {
            assert_eq!(moment(text, None, None, None), None, "{text}");
        }
    }

    #[test]
    fn a_number_is_an_epoch_only_with_so_many_digits() {
        let read = |number| Moment::of_epoch(number).and_then(|moment| moment.datetime());
        assert_eq!(read(1_795_357_805).as_deref(), Some("2026-11-22T14:30:05Z"));
        assert_eq!(read(1_795_357_805_250).as_deref(), Some("2026-11-22T14:30:05.250Z"));
        for number in [0, 2026, 20_261_122, -1_795_357_805, 17_953_578_051, i64::MIN, i64::MAX] {
            assert_eq!(read(number), None, "{number}");
            assert_eq!(moment(&number.to_string(), None, None, None), None, "{number}");
        }
    }

    #[test]
    fn the_locale_decides_what_could_be_two_things() {
        let date =
            |locale| moment("03/04/2026", Locale::named(locale).as_ref(), None, None).and_then(|moment| moment.date());
        assert_eq!(date("us").as_deref(), Some("2026-03-04"));
        assert_eq!(date("en").as_deref(), Some("2026-03-04"));
        assert_eq!(date("en-GB").as_deref(), Some("2026-04-03"));
        assert_eq!(date("fr").as_deref(), Some("2026-04-03"));
    }

    #[test]
    fn the_date_of_a_moment_is_the_one_that_is_written() {
        let moment = moment("2026-11-22T23:30:05-05:00", None, None, None).expect("a date");
        assert_eq!(moment.date().as_deref(), Some("2026-11-22"));
    }

    #[test]
    fn a_format_is_all_that_counts_where_there_is_one() {
        let read = |text, format| moment(text, None, Some(format), None).and_then(|moment| moment.datetime());
        assert_eq!(read("22|11|26", "%d|%m|%y").as_deref(), Some("2026-11-22T00:00:00"));
        assert_eq!(read("2026-11-22 14:30 +0200", "%Y-%m-%d %H:%M %z").as_deref(), Some("2026-11-22T12:30:00Z"));
        assert_eq!(read("1795357805", "%s").as_deref(), Some("2026-11-22T14:30:05Z"));
        assert_eq!(read("2026-11-22", "%d.%m.%Y"), None);
        assert!(check_format("%d.%m.%Y").is_ok() && check_format("%s").is_ok());
        assert!(check_format("%d.%m").is_err() && check_format("%Q!").is_err() && check_format("%").is_err());
    }

    #[track_caller]
    fn hold(rows: &[(&str, Option<&str>)]) {
        for (text, datetime) in rows {
            let read = moment(text, None, None, None).and_then(|moment| moment.datetime());
            assert_eq!(read.as_deref(), *datetime, "{text:?}");
        }
    }

    #[test]
    fn a_told_offset_is_never_lost() {
        hold(&[
            ("2026-11-22 14:30:05 +0200", Some("2026-11-22T12:30:05Z")),
            ("2026-11-22 14:30:05 +02:00", Some("2026-11-22T12:30:05Z")),
            ("2026-11-22T14:30:05 −05:00", Some("2026-11-22T19:30:05Z")),
            ("2026-11-22 14:30:05 UTC", Some("2026-11-22T14:30:05Z")),
            ("2026-11-22 14:30:05 EST", Some("2026-11-22T19:30:05Z")),
            ("2026-11-22 14:30:05.25 CET", Some("2026-11-22T13:30:05.250Z")),
            ("2026-11-22T14:30:05[Europe/Berlin]", Some("2026-11-22T13:30:05Z")),
            ("Mon, 22 Nov 2026 14:30:05 -0500", Some("2026-11-22T19:30:05Z")),
            ("Mon, 22 Nov 2026 14:30:05 GMT", Some("2026-11-22T14:30:05Z")),
            ("Sun, 06 Nov 94 08:49:37 GMT", Some("1994-11-06T08:49:37Z")),
            ("Wed, 22 Jul 2026 14:30:05 CEST", Some("2026-07-22T12:30:05Z")),
            ("Sun, 22 Nov 2026 14:30:05 +0200 (CEST)", Some("2026-11-22T12:30:05Z")),
            ("Sun Nov 22 2026 14:30:05 GMT+0200 (Eastern European Time)", Some("2026-11-22T12:30:05Z")),
            ("Sun Nov 22 14:30:05 CET 2026", Some("2026-11-22T13:30:05Z")),
            ("Nov 22, 2026 2:30 pm EST", Some("2026-11-22T19:30:00Z")),
            ("Nov 22, 2026, 2:30pm PT", Some("2026-11-22T22:30:00Z")),
            ("July 22, 2026 at 2:30 p.m. ET", Some("2026-07-22T18:30:00Z")),
            ("22.11.2026 14:30 Uhr MEZ", Some("2026-11-22T13:30:00Z")),
            ("22 Nov 2026 14:30 UTC+5:30", Some("2026-11-22T09:00:00Z")),
            ("22 Nov 2026 14:30 UTC +2", Some("2026-11-22T12:30:00Z")),
            ("22 Nov 2026 14:30z", Some("2026-11-22T14:30:00Z")),
            ("22 Nov 2026 14:30 IST", None),
            ("22 Nov 2026 14:30 BST", None),
        ]);
    }

    #[test]
    fn times_are_read_as_countries_write_them() {
        hold(&[
            ("22 novembre 2026 à 14h30", Some("2026-11-22T14:30:00")),
            ("22 novembre 2026 à 14 h 30", Some("2026-11-22T14:30:00")),
            ("le 22/11/2026 à 9h", Some("2026-11-22T09:00:00")),
            ("22 November 2026 14:30:05.25", Some("2026-11-22T14:30:05.250")),
            ("22.11.2026 14:30:05,5", Some("2026-11-22T14:30:05.500")),
            ("22. november 2026 kl. 14.30", Some("2026-11-22T14:30:00")),
            ("22.11.2026 14.30 Uhr", Some("2026-11-22T14:30:00")),
            ("22.11.2026, 9 Uhr", Some("2026-11-22T09:00:00")),
            ("November 22, 2026, 2 pm", Some("2026-11-22T14:00:00")),
            ("November 22, 2026, 12am", Some("2026-11-22T00:00:00")),
            ("22 de noviembre de 2026 a las 2:30 p. m.", Some("2026-11-22T14:30:00")),
            ("2026年11月22日 14時30分", Some("2026-11-22T14:30:00")),
            ("2026年11月22日 下午2:30", Some("2026-11-22T14:30:00")),
            ("2026년 11월 22일 오후 2:30", Some("2026-11-22T14:30:00")),
            ("2026-11-22T24:00:00", Some("2026-11-23T00:00:00")),
            ("2026-12-31 24:00 UTC", Some("2027-01-01T00:00:00Z")),
            ("2026-12-31T23:59:60Z", Some("2026-12-31T23:59:59Z")),
            ("22 Nov 2026 23:59:60", Some("2026-11-22T23:59:59")),
            ("22 Nov 2026 25:30", None),
            ("22 Nov 2026 10:00 - 12:00", None),
        ]);
    }

    #[test]
    fn months_have_their_names_in_many_languages() {
        for (text, date) in [
            ("17. mai 2026", "2026-05-17"),
            ("6. maj 2026", "2026-05-06"),
            ("1 augusti 2026", "2026-08-01"),
            ("24. desember 2026", "2026-12-24"),
            ("5 marca 2026", "2026-03-05"),
            ("11 listopadu 2026", "2026-11-11"),
            ("3 września 2026", "2026-09-03"),
            ("1. července 2026", "2026-07-01"),
            ("1. června 2026", "2026-06-01"),
            ("29 Ekim 2026", "2026-10-29"),
            ("9 мая 2026 г.", "2026-05-09"),
            ("24 серпня 2026", "2026-08-24"),
            ("25 Μαρτίου 2026", "2026-03-25"),
            ("2026. március 15.", "2026-03-15"),
            ("1 decembrie 2026", "2026-12-01"),
            ("17 agustus 2026", "2026-08-17"),
            ("6. joulukuuta 2026", "2026-12-06"),
            ("mar. 24 nov. 2026", "2026-11-24"),
            ("24 Mar 2026", "2026-03-24"),
        ] {
            assert_eq!(
                moment(text, None, None, None).and_then(|moment| moment.date()).as_deref(),
                Some(date),
                "{text}"
            );
        }
        let listopad = |locale| {
            let locale = Locale::named(locale);
            moment("11 listopada 2026", locale.as_ref(), None, None).and_then(|moment| moment.date())
        };
        assert_eq!(listopad("pl").as_deref(), Some("2026-11-11"));
        assert_eq!(listopad("hr").as_deref(), Some("2026-10-11"));
        assert_eq!(listopad("de"), None);
        assert_eq!(moment("1 jui 2026", None, None, None), None);
    }

    #[test]
    fn a_time_zone_is_that_of_times_without_an_offset() {
        let berlin = zone("Europe/Berlin").expect("there is one");
        let read = |text, format| moment(text, None, format, Some(&berlin)).and_then(|moment| moment.datetime());
        for (text, datetime) in [
            ("2026-11-22 14:30", "2026-11-22T13:30:00Z"),
            ("22. Juli 2026, 14:30", "2026-07-22T12:30:00Z"),
            ("22.07.2026 14:30 BST", "2026-07-22T12:30:00Z"),
            ("2026-11-22T14:30:00-05:00", "2026-11-22T19:30:00Z"),
            ("2026-11-22", "2026-11-22T00:00:00"),
            ("1795357805", "2026-11-22T14:30:05Z"),
            // Clocks go forward and back.
            ("2026-03-29 02:30", "2026-03-29T01:30:00Z"),
            ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),
        ] {
            assert_eq!(read(text, None).as_deref(), Some(datetime), "{text}");
        }
        assert_eq!(read("22|11|26 9", Some("%d|%m|%y %H")).as_deref(), Some("2026-11-22T08:00:00Z"));
        assert!(zone("+02:00").is_some() && zone("UTC").is_some());
        assert!(zone("Europe/Atlantis").is_none() && zone("").is_none() && zone("+25:00").is_none());
    }

    #[test]
    fn every_year_from_1_to_9999_is_one_and_no_text_breaks_the_reading() {
        hold(&[
            ("9999-12-31", Some("9999-12-31T00:00:00")),
            ("9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59Z")),
            ("9999-12-31T23:59:59-01:00", None),
            ("9999-12-31T24:00:00", None),
            ("0001-01-01T00:00:00Z", Some("0001-01-01T00:00:00Z")),
            ("0001-01-01T00:00:00+01:00", None),
            ("0000-01-01", None),
            ("10000-01-01", None),
        ]);
        let pieces = [
            "2026",
            "22",
            "11",
            "Nov",
            "mai",
            "14:30",
            "14h",
            "24:00",
            ":60",
            "+02:00",
            "+",
            "-",
            "−",
            "UTC",
            "CEST",
            "ET",
            ".",
            "/",
            ",",
            " ",
            "pm",
            "p. m.",
            "年",
            "月",
            "오후",
            "T",
            "Z",
            "99999999999",
            "[Europe/Berlin]",
            "(",
            "é",
        ];
        let mut dice = seine_testkit::Dice::new();
        let berlin = zone("Europe/Berlin").expect("there is one");
        for _ in 0..20_000 {
            let len = dice.below(10);
            let text: String = (0..len).map(|_| pieces[dice.below(pieces.len())]).collect();
            for zone in [None, Some(&berlin)] {
                if let Some(datetime) = moment(&text, None, None, zone).and_then(|moment| moment.datetime()) {
                    assert!(datetime.trim_end_matches('Z').parse::<DateTime>().is_ok(), "{text:?}: {datetime}");
                }
            }
        }
    }
}
