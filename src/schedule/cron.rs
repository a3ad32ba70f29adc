//! Cron texts and the instants they name. Reads no clock: callers say after when.
//!
//! Five fields as in Vixie's cron, or six with seconds first. Where a wall clock is put forward or back:
//!
//! - a text with a fixed hour (`30 2 * * *`) names each of its times once a day: one that is left out is the first
//!   instant after the gap, one that is there twice is the earlier;
//! - a text whose hour begins with `*` (`*/15 * * * *`) goes by the time that passes: nothing in the gap, both of what is
//!   there twice.

use std::str::FromStr;

use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Deserializer};

/// A cron text that names a time at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: String,
    times: croner::Cron,
    is_every_hour: bool,
}

/// The values that a field may have.
struct Field {
    name: &'static str,
    allowed: &'static str,
    /// Letters that mean something, in upper case; each word of the field has to be one of these.
    words: &'static [&'static str],
}

const FIELDS: [Field; 6] = [
    Field { name: "second", allowed: "0-59", words: &[] },
    Field { name: "minute", allowed: "0-59", words: &[] },
    Field { name: "hour", allowed: "0-23", words: &[] },
    Field { name: "day of month", allowed: "1-31 or L for the last", words: &["L", "W", "LW"] },
    Field {
        name: "month",
        allowed: "1-12 or jan-dec",
        words: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    Field {
        name: "day of week",
        allowed: "0-7 (0 and 7 are Sunday) or sun-sat",
        words: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "L"],
    },
];

impl FromStr for Cron {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let fields_text = match &*text.to_ascii_lowercase() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            "@reboot" => return Err("@reboot names no time; what runs at the start is said by run-on-start".to_owned()),
            nickname if nickname.starts_with('@') => {
                return Err(format!("{text:?} is not known; there are @yearly, @monthly, @weekly, @daily and @hourly"));
            }
            _ => text,
        };
        let fields: Vec<&str> = fields_text.split_whitespace().collect();
        if !(5..=6).contains(&fields.len()) {
            return Err(format!(
                "{text:?} has {} fields; there have to be five (minute, hour, day of month, month, day of week), or six \
                 with the second before them",
                fields.len()
            ));
        }
        let kinds = &FIELDS[FIELDS.len() - fields.len()..];
        for (at, (field, kind)) in fields.iter().zip(kinds).enumerate() {
            if !kind.takes(field) || parse(&alone(field, at, fields.len()), false).is_none() {
                return Err(format!(
                    "{} {field:?}: not {}, *, a list (1,5), a range (1-5) or steps (*/10)\n{}",
                    kind.name,
                    kind.allowed,
                    pointer(fields_text, &fields, at)
                ));
            }
        }
        let [hour, day_of_month, _, day_of_week] = fields[fields.len() - 4..] else { return Err(text.to_owned()) };
        // As Vixie has it: either day is enough if both are restricted, and what begins with * is not.
        let both_days = day_of_month.starts_with(['*', '?']) || day_of_week.starts_with(['*', '?']);
        let times = parse(fields_text, both_days).ok_or_else(|| format!("{text:?} is no cron text"))?;
        if !ever_comes(fields_text, both_days) {
            return Err(format!("{text:?} never comes: there is no such day"));
        }
        Ok(Self { text: text.to_owned(), times, is_every_hour: hour.starts_with('*') })
    }
}

impl<'de> Deserialize<'de> for Cron {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Cron {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first instant after `after` that it names in `zone`; `None` at the end of the calendar.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if self.is_every_hour { self.next_passing(after, zone) } else { self.next_on_the_wall(after, zone) }
    }

    /// By the wall clock: each of its times once.
    fn next_on_the_wall(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut civil = zone.to_datetime(after);
        loop {
            civil = self.next_civil(civil, false)?;
            // In the second half of a repeated hour its times lie behind.
            match instant_of(civil, zone)? {
                instant if instant > after => return Some(instant),
                _ => {}
            }
        }
    }

    /// By the time that passes: from one change of the wall clock to the next.
    fn next_passing(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let (mut from, mut inclusive) = (after, false);
        loop {
            let offset = zone.to_offset(from);
            let civil = self.next_civil(offset.to_datetime(from), inclusive)?;
            let instant = offset.to_timestamp(civil).ok()?;
            match zone.following(from).next() {
                Some(change) if change.timestamp() <= instant => (from, inclusive) = (change.timestamp(), true),
                _ => return Some(instant),
            }
        }
    }

    /// The search steps from day to day: for what comes every few years it is to be asked once, not in each turn.
    fn next_civil(&self, after: DateTime, inclusive: bool) -> Option<DateTime> {
        self.times.find_next_occurrence(&after, inclusive).ok()
    }
}

/// When the wall clock of `zone` shows `civil`: the first time if it does so twice, the first instant after the gap if
/// it never does.
fn instant_of(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(civil).ok(),
        AmbiguousOffset::Fold { before, .. } => before.to_timestamp(civil).ok(),
        // By the later offset the time lies before the change.
        AmbiguousOffset::Gap { after, .. } => {
            let before_change = after.to_timestamp(civil).ok()?;
            zone.following(before_change).next().map(|change| change.timestamp())
        }
    }
}

impl Field {
    fn takes(&self, field: &str) -> bool {
        let is_word = |c: char| c.is_alphabetic();
        let upper = field.to_ascii_uppercase();
        let mut words = upper.split(|c| !is_word(c)).filter(|word| !word.is_empty());
        words.all(|word| self.words.contains(&word))
    }
}

fn parse(fields: &str, both_days: bool) -> Option<croner::Cron> {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).dom_and_dow(both_days).build();
    parser.parse(fields).ok()
}

/// Whether there is such a day at all. In 28 years each 29 February falls on each day of the week; the search for
/// what never comes would otherwise go on for thousands of years.
fn ever_comes(fields: &str, both_days: bool) -> bool {
    let second = if fields.split_whitespace().count() == 5 { "0 " } else { "" };
    let parser = CronParser::builder().year(Year::Required).dom_and_dow(both_days).build();
    let within = parser.parse(&format!("{second}{fields} 2001-2028"));
    within.is_ok_and(|cron| cron.find_next_occurrence(&DateTime::constant(2001, 1, 1, 0, 0, 0, 0), true).is_ok())
}

/// A cron text of `count` fields with `field` at its place and nothing else that could be wrong.
fn alone(field: &str, at: usize, count: usize) -> String {
    let fields: Vec<_> = (0..count).map(|other| if other == at { field } else { "*" }).collect();
    fields.join(" ")
}

/// The text with marks under the field at `at`.
fn pointer(text: &str, fields: &[&str], at: usize) -> String {
    let before: usize = fields[..at].iter().map(|field| field.chars().count() + 1).sum();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("  {line}\n  {}{}", " ".repeat(before), "^".repeat(fields[at].chars().count()))
}

#[cfg(test)]
mod tests {
    use seine_testkit::Dice;

    use super::*;

    fn cron(text: &str) -> Cron {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// The next `n` instants after `after` as the wall clock of `zone` shows them.
    fn next(text: &str, zone: &str, after: &str, n: usize) -> Vec<String> {
        let (cron, zone) = (cron(text), TimeZone::get(zone).unwrap());
        let mut at: Timestamp = after.parse().unwrap();
        let mut all = Vec::new();
        for _ in 0..n {
            at = cron.next_after(at, &zone).unwrap();
            all.push(at.to_zoned(zone.clone()).strftime("%m-%d %H:%M:%S %:z").to_string());
        }
        all
    }

    #[test]
    fn lists_ranges_steps_names_and_nicknames_are_understood() {
        let utc = |text, n| next(text, "UTC", "2026-11-22T13:07:30Z", n);
        assert_eq!(utc("0 3 * * *", 1), ["11-23 03:00:00 +00:00"]);
        assert_eq!(
            utc("5,10-20/5 14 * * *", 4).join(" "),
            "11-22 14:05:00 +00:00 11-22 14:10:00 +00:00 11-22 14:15:00 +00:00 11-22 14:20:00 +00:00"
        );
        assert_eq!(utc("0 0 1 JAN-mar/2 *", 2), ["01-01 00:00:00 +00:00", "03-01 00:00:00 +00:00"]);
        assert_eq!(utc("0 9 * * mon-FRI", 1), ["11-23 09:00:00 +00:00"]);
        assert_eq!(utc("0 9 * * 7", 1), ["11-29 09:00:00 +00:00"]);
        assert_eq!(utc("*/10 * * * * *", 2), ["11-22 13:07:40 +00:00", "11-22 13:07:50 +00:00"]);
        assert_eq!(utc("@hourly", 1), ["11-22 14:00:00 +00:00"]);
        assert_eq!(utc("@Daily", 1), utc("@midnight", 1));
        assert_eq!(utc("@weekly", 1), ["11-29 00:00:00 +00:00"]);
        assert_eq!(utc("@monthly", 1), ["12-01 00:00:00 +00:00"]);
        assert_eq!(utc("@yearly", 1), ["01-01 00:00:00 +00:00"]);
        assert_eq!(utc("0 0 29 2 *", 1), ["02-29 00:00:00 +00:00"], "of 2028");
        assert_eq!(cron(" 0 3 * * * ").text(), "0 3 * * *");
    }

    #[test]
    fn either_day_is_enough_if_both_are_restricted() {
        let utc = |text| next(text, "UTC", "2026-11-22T00:00:00Z", 3);
        // The 1st is a Tuesday.
        assert_eq!(utc("0 0 1 * mon"), ["11-23 00:00:00 +00:00", "11-30 00:00:00 +00:00", "12-01 00:00:00 +00:00"]);
        // A field that begins with * restricts nothing by itself, so both have to match.
        assert_eq!(utc("0 0 */2 * mon"), ["11-23 00:00:00 +00:00", "12-07 00:00:00 +00:00", "12-21 00:00:00 +00:00"]);
        assert_eq!(utc("0 0 1 * *"), ["12-01 00:00:00 +00:00", "01-01 00:00:00 +00:00", "02-01 00:00:00 +00:00"]);
    }

    #[test]
    fn a_fixed_time_in_the_gap_comes_once_when_the_gap_ends() {
        // 29 March 2026, 02:00 becomes 03:00.
        assert_eq!(
            next("30 2 * * *", "Europe/Vienna", "2026-03-28T12:00:00Z", 2),
            ["03-29 03:00:00 +02:00", "03-30 02:30:00 +02:00"]
        );
        // Several times in the gap are one.
        assert_eq!(
            next("10,40 2 * * *", "Europe/Vienna", "2026-03-28T12:00:00Z", 3),
            ["03-29 03:00:00 +02:00", "03-30 02:10:00 +02:00", "03-30 02:40:00 +02:00"]
        );
        assert_eq!(
            next("30 1,2,3 * * *", "Europe/Vienna", "2026-03-29T00:00:00Z", 3),
            ["03-29 01:30:00 +01:00", "03-29 03:00:00 +02:00", "03-29 03:30:00 +02:00"]
        );
        // 8 March 2026.
        assert_eq!(
            next("30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2),
            ["03-08 03:00:00 -04:00", "03-09 02:30:00 -04:00"]
        );
        // 4 October 2026, 02:00 becomes 02:30.
        assert_eq!(
            next("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2),
            ["10-04 02:30:00 +11:00", "10-05 02:15:00 +11:00"]
        );
    }

    #[test]
    fn a_fixed_time_that_is_there_twice_comes_once() {
        // 25 October 2026, 03:00 becomes 02:00.
        assert_eq!(
            next("30 2 * * *", "Europe/Vienna", "2026-10-24T12:00:00Z", 2),
            ["10-25 02:30:00 +02:00", "10-26 02:30:00 +01:00"]
        );
        // Asked in the second half, at 02:10 for the second time.
        assert_eq!(next("30 2,4 * * *", "Europe/Vienna", "2026-10-25T01:10:00Z", 1), ["10-25 04:30:00 +01:00"]);
        assert_eq!(
            next("30 1 * * *", "America/New_York", "2026-11-01T00:00:00Z", 2),
            ["11-01 01:30:00 -04:00", "11-02 01:30:00 -05:00"]
        );
        // 5 April 2026, 02:00 becomes 01:30.
        assert_eq!(
            next("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00:00Z", 2),
            ["04-05 01:45:00 +11:00", "04-06 01:45:00 +10:30"]
        );
    }

    #[test]
    fn a_wildcard_hour_goes_by_the_time_that_passes() {
        assert_eq!(
            next("30 * * * *", "Europe/Vienna", "2026-03-29T00:00:00Z", 3),
            ["03-29 01:30:00 +01:00", "03-29 03:30:00 +02:00", "03-29 04:30:00 +02:00"]
        );
        assert_eq!(
            next("30 * * * *", "Europe/Vienna", "2026-10-25T00:00:00Z", 3),
            ["10-25 02:30:00 +02:00", "10-25 02:30:00 +01:00", "10-25 03:30:00 +01:00"]
        );
        assert_eq!(
            next("0 */1 * * *", "America/New_York", "2026-11-01T04:30:00Z", 3),
            ["11-01 01:00:00 -04:00", "11-01 01:00:00 -05:00", "11-01 02:00:00 -05:00"]
        );
        assert_eq!(
            next("*/20 * * * *", "Australia/Lord_Howe", "2026-04-04T14:35:00Z", 5),
            [
                "04-05 01:40:00 +11:00",
                "04-05 01:40:00 +10:30",
                "04-05 02:00:00 +10:30",
                "04-05 02:20:00 +10:30",
                "04-05 02:40:00 +10:30"
            ]
        );
    }

    #[test]
    fn every_instant_is_later_than_the_one_before_whatever_the_zone() {
        for zone in ["Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"] {
            let zone = TimeZone::get(zone).unwrap();
            for text in ["*/7 * * * *", "*/20 1,2,3 * * *", "30 2 * * *", "0 0 * * 0", "15,45 */2 * * *"] {
                let (cron, mut at) = (cron(text), "2017-12-01T00:00:00Z".parse::<Timestamp>().unwrap());
                for _ in 0..2000 {
                    let next = cron.next_after(at, &zone).unwrap();
                    assert!(next > at, "{text} after {at}");
                    at = next;
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_pointed_at() {
        let wrong = |text: &str| text.parse::<Cron>().unwrap_err();
        assert_eq!(
            wrong("0 24 * * *"),
            "hour \"24\": not 0-23, *, a list (1,5), a range (1-5) or steps (*/10)\n  0 24 * * *\n    ^^"
        );
        assert!(wrong("* * * 13 *").starts_with("month \"13\""));
        assert!(wrong("0 0 32 * *").starts_with("day of month \"32\""));
        assert!(wrong("0 0 * * 8").starts_with("day of week \"8\""));
        assert!(wrong("60 * * * * *").starts_with("second \"60\""));
        // A name counts in its own field alone.
        assert!(wrong("mon * * * *").starts_with("minute \"mon\""));
        assert!(wrong("0 0 * mon *").starts_with("month \"mon\""));
        assert!(wrong("0 0 * * jan").starts_with("day of week \"jan\""));
        for field in ["", "x", "1-", "-1", "5-1", "*/0", "1//2", ",", "é", "1 ,"] {
            assert!(format!("{field} * * * *").parse::<Cron>().is_err(), "{field:?}");
        }
        assert!(wrong("0 3 * *").contains("has 4 fields"));
        assert!(wrong("0 0 3 * * * 2026").contains("has 7 fields"));
        assert!(wrong("@reboot").contains("run-on-start"));
        assert!(wrong("@often").contains("@hourly"));
        assert!(wrong("0 0 30 2 *").contains("never comes"));
    }

    #[test]
    fn no_text_makes_it_panic() {
        let mut dice = Dice::of(0x9e37_79b9);
        let alphabet: Vec<char> = "0123456789*/,-?LW#+@ MONJAé".chars().collect();
        for _ in 0..20_000 {
            let text: String = (0..12).map(|_| alphabet[dice.below(alphabet.len())]).collect();
            let _ = text.parse::<Cron>();
        }
    }
}
