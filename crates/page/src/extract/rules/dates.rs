//! Dates and times as pages write them: ISO 8601, RFC 2822, with the names of months, with a format.

use jiff::civil::{Date, Time};
use jiff::fmt::{rfc2822, strtime, temporal};
use jiff::{Timestamp, Zoned};

use super::locale::Locale;

/// Longest text that is looked at, in bytes.
const MAX_BYTES: usize = 200;

/// A date, with what is known beyond it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// As it is written.
    date: Date,
    time: Option<Time>,
    /// If the offset from UTC was told.
    at: Option<Timestamp>,
}

impl Moment {
    /// `YYYY-MM-DD`, as written.
    pub fn date(&self) -> Option<String> {
        (1..=9999).contains(&self.date.year()).then(|| self.date.to_string())
    }

    /// `YYYY-MM-DDTHH:MM:SS[.fff]`: in UTC with `Z` if the offset is known; midnight if the time is not.
    pub fn datetime(&self) -> Option<String> {
        if !(1..=9999).contains(&self.date.year()) {
            return None;
        }
        let subsecond = |nanoseconds: i32| nanoseconds >= 1_000_000;
        Some(match self.at {
            Some(at) if subsecond(at.subsec_nanosecond()) => format!("{at:.3}"),
            Some(at) => format!("{at:.0}"),
            None => {
                let civil = self.date.to_datetime(self.time.unwrap_or(Time::midnight()));
                if subsecond(civil.subsec_nanosecond()) { format!("{civil:.3}") } else { format!("{civil:.0}") }
            }
        })
    }

    /// Seconds of the Unix epoch if `number` has 10 digits, milliseconds if it has 13; any other is no date.
    pub fn of_epoch(number: i64) -> Option<Self> {
        let at = match number {
            1_000_000_000..10_000_000_000 => Timestamp::from_second(number).ok()?,
            1_000_000_000_000..10_000_000_000_000 => Timestamp::from_millisecond(number).ok()?,
            _ => return None,
        };
        Some(Self::of_zoned(&at.to_zoned(jiff::tz::TimeZone::UTC)))
    }

    fn of_zoned(zoned: &Zoned) -> Self {
        Self { date: zoned.date(), time: Some(zoned.time()), at: Some(zoned.timestamp()) }
    }
}

/// The date that `text` tells; by `format` (strptime) if there is one.
pub fn moment(text: &str, locale: Option<&Locale>, format: Option<&str>) -> Option<Moment> {
    let text = text.trim();
    if text.len() > MAX_BYTES {
        return None;
    }
    if let Some(format) = format {
        return formatted(text, format);
    }
    iso(text)
        .or_else(|| rfc2822::DateTimeParser::new().parse_zoned(text).ok().map(|zoned| Moment::of_zoned(&zoned)))
        .or_else(|| epoch(text))
        .or_else(|| in_words(text, locale))
}

/// What is wrong with a format, if anything is.
pub fn check_format(format: &str) -> Result<(), String> {
    // Whatever cannot be written cannot be read either.
    let zoned = Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let written = strtime::format(format, &zoned).map_err(|error| error.to_string())?;
    match strtime::parse(format, &written) {
        Ok(parsed) if parsed.to_date().is_ok() || parsed.to_timestamp().is_ok() => Ok(()),
        Ok(_) => Err("the format lacks year, month or day".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn formatted(text: &str, format: &str) -> Option<Moment> {
    let parsed = strtime::parse(format, text).ok()?;
    let at = parsed.to_timestamp().ok();
    match parsed.to_date() {
        Ok(date) => Some(Moment { date, time: parsed.to_time().ok(), at }),
        Err(_) => at.map(|at| Moment::of_zoned(&at.to_zoned(jiff::tz::TimeZone::UTC))),
    }
}

fn iso(text: &str) -> Option<Moment> {
    // Years of four digits only: other runs of digits are no dates.
    if text.as_bytes().get(..4)?.iter().any(|byte| !byte.is_ascii_digit()) || !text.contains('-') {
        return None;
    }
    let pieces = temporal::DateTimeParser::new().parse_pieces(text).ok()?;
    let (date, time) = (pieces.date(), pieces.time());
    let at = match (pieces.to_numeric_offset(), time) {
        (Some(offset), Some(time)) => Some(offset.to_timestamp(date.to_datetime(time)).ok()?),
        _ => None,
    };
    Some(Moment { date, time, at })
}

fn epoch(text: &str) -> Option<Moment> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok().and_then(Moment::of_epoch)).flatten()
}

/// Months in the languages of many pages; three letters and more of a name are enough where they tell it.
const MONTHS: [&[&str]; 12] = [
    &["january", "januar", "jänner", "janvier", "enero", "gennaio", "januari", "janeiro"],
    &["february", "februar", "feber", "février", "fevrier", "fév", "febrero", "febbraio", "februari", "fevereiro"],
    &["march", "märz", "maerz", "mrz", "mars", "marzo", "maart", "mrt", "março"],
    &["april", "avril", "avr", "abril", "aprile"],
    &["may", "mai", "mayo", "maggio", "mei", "maio"],
    &["june", "juni", "juin", "junio", "giugno", "junho"],
    &["july", "juli", "juillet", "julio", "luglio", "julho"],
    &["august", "août", "aout", "agosto", "augustus"],
    &["september", "septembre", "septiembre", "settembre", "setembro", "sept"],
    &["october", "oktober", "octobre", "octubre", "ottobre", "outubro"],
    &["november", "novembre", "noviembre", "novembro"],
    &["december", "dezember", "décembre", "decembre", "diciembre", "dicembre", "dezembro"],
];

fn month(word: &str) -> Option<i8> {
    let word = word.to_lowercase();
    if word.chars().count() < 3 {
        return None;
    }
    let is_month = |names: &[&str]| names.iter().any(|name| name.starts_with(&word));
    let mut found = MONTHS.iter().zip(1..).filter(|(names, _)| is_month(names)).map(|(_, month)| month);
    let first = found.next();
    // `jui` is both June and July.
    first.filter(|_| found.next().is_none())
}

/// `22 November 2026, 14:30`, `Nov 22nd, 2026 2:30 pm`, `22.11.2026`, `22/11/2026`.
fn in_words(text: &str, locale: Option<&Locale>) -> Option<Moment> {
    let mut months = Vec::new();
    let mut numbers: Vec<(&str, char)> = Vec::new();
    let mut time = None;
    let mut is_afternoon = None;
    // Only right behind a time: `am 22. November` is German.
    let mut is_behind_clock = false;
    for word in text.split_whitespace().flat_map(|word| word.split([',', '(', ')', '·', '|'])) {
        let was_behind_clock = std::mem::take(&mut is_behind_clock);
        if word.contains(':') {
            let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
            if let Some(found) = clock(digits) {
                if time.replace(found).is_some() {
                    return None;
                }
                is_afternoon = half(&word[digits.len()..]);
                is_behind_clock = is_afternoon.is_none();
            }
            continue;
        }
        if let Some(afternoon) = half(word) {
            if was_behind_clock {
                is_afternoon = Some(afternoon);
            }
            continue;
        }
        let mut before = ' ';
        for part in word.split_inclusive(['.', '/', '-']) {
            let separator = part.chars().last().filter(|c| matches!(c, '.' | '/' | '-')).unwrap_or(' ');
            let part = part.trim_end_matches(['.', '/', '-']);
            let digits = part.trim_end_matches(char::is_alphabetic);
            if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
                let ending = &part[digits.len()..];
                if !matches!(ending, "" | "st" | "nd" | "rd" | "th" | "er" | "º" | "ª") {
                    return None;
                }
                numbers.push((digits, if separator == ' ' { before } else { separator }));
            } else if let Some(month) = month(part) {
                months.push(month);
            }
            before = separator;
        }
    }
    let date = match (months.as_slice(), numbers.as_slice()) {
        ([month], [(a, _), (b, _)]) => {
            let (day, year) = if a.len() == 4 { (b, a) } else { (a, b) };
            (year.len() == 4).then_some(())?;
            Date::new(year.parse().ok()?, *month, day.parse().ok()?).ok()?
        }
        ([], [(a, separator), (b, other), (c, _)]) if separator == other && *separator != ' ' => {
            if a.len() == 4 {
                Date::new(a.parse().ok()?, b.parse().ok()?, c.parse().ok()?).ok()?
            } else {
                (c.len() == 4).then_some(())?;
                let (a, b): (i8, i8) = (a.parse().ok()?, b.parse().ok()?);
                let month_first = match locale.and_then(|locale| locale.month_first) {
                    _ if *separator != '/' => false,
                    Some(month_first) => month_first,
                    // Nobody said: only what can be one thing alone.
                    None if a > 12 => false,
                    None if b > 12 => true,
                    None if a == b => false,
                    None => return None,
                };
                let (day, month) = if month_first { (b, a) } else { (a, b) };
                Date::new(c.parse().ok()?, month, day).ok()?
            }
        }
        _ => return None,
    };
    let time = match (time, is_afternoon) {
        (Some(time), Some(true)) if time.hour() < 12 => {
            Some(Time::new(time.hour() + 12, time.minute(), time.second(), 0).ok()?)
        }
        (Some(time), Some(false)) if time.hour() == 12 => Some(Time::new(0, time.minute(), time.second(), 0).ok()?),
        (time, _) => time,
    };
    Some(Moment { date, time, at: None })
}

fn half(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "am" | "a.m." => Some(false),
        "pm" | "p.m." => Some(true),
        _ => None,
    }
}

fn clock(text: &str) -> Option<Time> {
    let mut parts = text.split(':').map(str::parse::<i8>);
    let (hour, minute, second) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next().unwrap_or(Ok(0)).ok()?);
    parts.next().is_none().then(|| Time::new(hour, minute, second, 0).ok()).flatten()
}

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
                moment(text, None, None).and_then(|moment| moment.datetime()).as_deref(),
                Some(datetime),
                "{text}"
            );
        }
        for text in
            ["", "soon", "2026", "2026-13-01", "03/04/2026", "22 Nov", "Nov 2026", "31 February 2026", "12.5.26"]
        {
            assert_eq!(moment(text, None, None), None, "{text}");
        }
    }

    #[test]
    fn a_number_is_an_epoch_only_with_so_many_digits() {
        let read = |number| Moment::of_epoch(number).and_then(|moment| moment.datetime());
        assert_eq!(read(1_795_357_805).as_deref(), Some("2026-11-22T14:30:05Z"));
        assert_eq!(read(1_795_357_805_250).as_deref(), Some("2026-11-22T14:30:05.250Z"));
        for number in [0, 2026, 20_261_122, -1_795_357_805, 17_953_578_051, i64::MIN, i64::MAX] {
            assert_eq!(read(number), None, "{number}");
            assert_eq!(moment(&number.to_string(), None, None), None, "{number}");
        }
    }

    #[test]
    fn the_locale_decides_what_could_be_two_things() {
        let date = |locale| moment("03/04/2026", Locale::named(locale).as_ref(), None).and_then(|moment| moment.date());
        assert_eq!(date("us").as_deref(), Some("2026-03-04"));
        assert_eq!(date("en").as_deref(), Some("2026-03-04"));
        assert_eq!(date("en-GB").as_deref(), Some("2026-04-03"));
        assert_eq!(date("fr").as_deref(), Some("2026-04-03"));
    }

    #[test]
    fn the_date_of_a_moment_is_the_one_that_is_written() {
        let moment = moment("2026-11-22T23:30:05-05:00", None, None).expect("a date");
        assert_eq!(moment.date().as_deref(), Some("2026-11-22"));
    }

    #[test]
    fn a_format_is_all_that_counts_where_there_is_one() {
        let read = |text, format| moment(text, None, Some(format)).and_then(|moment| moment.datetime());
        assert_eq!(read("22|11|26", "%d|%m|%y").as_deref(), Some("2026-11-22T00:00:00"));
        assert_eq!(read("2026-11-22 14:30 +0200", "%Y-%m-%d %H:%M %z").as_deref(), Some("2026-11-22T12:30:00Z"));
        assert_eq!(read("1795357805", "%s").as_deref(), Some("2026-11-22T14:30:05Z"));
        assert_eq!(read("2026-11-22", "%d.%m.%Y"), None);
        assert!(check_format("%d.%m.%Y").is_ok() && check_format("%s").is_ok());
        assert!(check_format("%d.%m").is_err() && check_format("%Q!").is_err() && check_format("%").is_err());
    }
}
