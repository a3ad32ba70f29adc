//! Dates in words: `22 November 2026, 14:30`, `Nov 22nd, 2026 2:30 pm EST`, `22.11.2026 à 14h30`, `2026年11月22日`.

use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};

use super::{Moment, numeric_offset, offset_in};
use crate::extract::rules::locale::Locale;
use seine_core::calendar;

/// Names that mean a country's time, summer or winter.
const CLOCKS: [(&str, &str); 4] =
    [("ET", "America/New_York"), ("CT", "America/Chicago"), ("MT", "America/Denver"), ("PT", "America/Los_Angeles")];

/// Names that mean several things: only a rule's `timezone` tells which.
const UNCLEAR_ZONES: [&str; 8] = ["BST", "IST", "AST", "SST", "GST", "AMT", "WST", "ECT"];

/// Signs of the afternoon and the morning that stand before a time.
const HALVES: [(&str, bool); 8] = [
    ("午後", true),
    ("下午", true),
    ("晚上", true),
    ("오후", true),
    ("午前", false),
    ("上午", false),
    ("早上", false),
    ("오전", false),
];

/// The parts of a date found in a text so far.
#[derive(Default)]
struct Found<'t> {
    /// With the place among the words.
    months: Vec<(i8, usize)>,
    /// Digits, what separates them from the next, and the place.
    numbers: Vec<(&'t str, char, usize)>,
    /// The hour may be 24.
    clock: Option<(i8, Time)>,
    is_afternoon: Option<bool>,
    offset: Option<Offset>,
    clock_of: Option<&'static str>,
}

pub(super) fn read(text: &str, locale: Option<&Locale>, zone: Option<&TimeZone>) -> Option<Moment> {
    let mut text = spread(text);
    let mut found = Found::default();
    for (sign, is_afternoon) in HALVES {
        if text.contains(sign) {
            text = text.replace(sign, " ");
            found.is_afternoon = Some(is_afternoon);
        }
    }
    let words: Vec<&str> = text
        .split_whitespace()
        .flat_map(|word| word.split(['(', ')', '|', '·']))
        .filter(|word| !word.is_empty())
        .collect();
    let mut at = 0;
    while at < words.len() {
        at += found.word(&words, at, locale, zone)?;
    }
    found.moment(locale)
}

/// `text` with a space between date and time and the marks of time that have parts in one piece.
fn spread(text: &str) -> String {
    const MARKS: [(&str, &str); 16] = [
        ("p. m.", "pm"),
        ("a. m.", "am"),
        ("p.\u{A0}m.", "pm"),
        ("a.\u{A0}m.", "am"),
        ("p.\u{202F}m.", "pm"),
        ("a.\u{202F}m.", "am"),
        ("年", "/"),
        ("月", "/"),
        ("日", " "),
        ("時", ":"),
        ("时", ":"),
        ("分", " "),
        ("년", "/"),
        ("월", "/"),
        ("일", " "),
        ("분", " "),
    ];
    let mut text = text.to_owned();
    for (mark, plain) in MARKS {
        if text.contains(mark) {
            text = text.replace(&format!("{mark} "), &format!("{plain} ").replace("/ ", "/")).replace(mark, plain);
        }
    }
    let chars: Vec<char> = text.chars().collect();
    let is_digit = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(char::is_ascii_digit);
    let mut spread = String::with_capacity(text.len());
    for (at, c) in chars.iter().enumerate() {
        match c {
            'T' | 't' if is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)) => spread.push(' '),
            // A fraction of a second may follow a comma, everything else is a new word.
            ',' if !(is_digit(at.checked_sub(1)) && is_digit(Some(at + 1))) => spread.push(' '),
            _ => spread.push(*c),
        }
    }
    spread
}

impl<'t> Found<'t> {
    /// Takes the word at `at`; how many words it took. `None`: the text is no date.
    fn word(
        &mut self,
        words: &[&'t str],
        at: usize,
        locale: Option<&Locale>,
        zone: Option<&TimeZone>,
    ) -> Option<usize> {
        let word = words[at];
        let next = words.get(at + 1).copied().unwrap_or_default();
        let before = at.checked_sub(1).map_or("", |at| words[at]).trim_end_matches('.').to_lowercase();
        // The months of Vietnam have numbers.
        if matches!(word.to_lowercase().as_str(), "tháng" | "thg")
            && let Ok(month @ 1..=12) = next.trim_end_matches([',', '.']).parse()
        {
            self.months.push((month, at));
            return Some(2);
        }
        // Where times are written with points, one stands behind a whole date.
        let has_points = locale.is_some_and(|locale| matches!(locale.language, Some("da" | "fi" | "id")));
        let is_told = has_points && self.months.len() + self.numbers.len() == 3;
        if let Some((hour, time, rest)) = clock(word, next, &before, is_told) {
            if self.clock.replace((hour, time)).is_some() {
                return None;
            }
            let taken = self.behind_clock(rest, zone)?;
            return Some(1 + taken + self.after_clock(&words[at + 1 + taken..], zone)?);
        }
        // `2 pm`, `14 h 30`, `14 h`.
        let is_hour = word.len() <= 2 && is_digits(word);
        if is_hour && let Some(is_afternoon) = half(next) {
            if self.clock.replace(time_of(word, "0", "0", "")?).is_some() {
                return None;
            }
            self.is_afternoon = Some(is_afternoon);
            return Some(2 + self.after_clock(&words[at + 2..], zone)?);
        }
        if is_hour && matches!(next, "h" | "Uhr" | "uhr") {
            let minutes = words.get(at + 2).filter(|_| next == "h");
            let minutes = minutes.filter(|word| word.len() == 2 && is_digits(word));
            // `14 h 30 min 05 s`
            let seconds = match words.get(at + 3..) {
                Some(["min", seconds, "s", ..]) if minutes.is_some() && is_digits(seconds) => Some(seconds),
                _ => None,
            };
            if self.clock.replace(time_of(word, minutes.unwrap_or(&"0"), seconds.unwrap_or(&"0"), "")?).is_some() {
                return None;
            }
            let taken = 2 + usize::from(minutes.is_some());
            let has_unit = minutes.is_some() && words.get(at + taken) == Some(&"min");
            let taken = taken + usize::from(has_unit) + 2 * usize::from(seconds.is_some());
            return Some(taken + self.after_clock(&words[at + taken..], zone)?);
        }
        if matches!(word.split_once(':'), Some((hour, rest)) if is_digits(hour) && rest.starts_with(|c: char| c.is_ascii_digit()))
        {
            // It should be a time, and is none.
            return None;
        }
        if word.contains(',') {
            // No clock: `November 22,2026`.
            let mut parts = word.split(',');
            parts.try_for_each(|part| self.parts(part, at, locale))?;
            return Some(1);
        }
        self.parts(word, at, locale)?;
        Some(1)
    }

    /// Words of a date, which points, slashes and hyphens separate.
    fn parts(&mut self, word: &'t str, at: usize, locale: Option<&Locale>) -> Option<()> {
        let mut before = ' ';
        for part in word.split_inclusive(['.', '/', '-']) {
            let separator = part.chars().last().filter(|c| matches!(c, '.' | '/' | '-')).unwrap_or(' ');
            let part = part.trim_end_matches(['.', '/', '-']);
            let digits = part.trim_end_matches(char::is_alphabetic);
            if is_digits(digits) {
                let ending = &part[digits.len()..];
                if !matches!(ending, "" | "st" | "nd" | "rd" | "th" | "er" | "º" | "ª" | "ος" | "η" | "го" | "e")
                {
                    return None;
                }
                self.numbers.push((digits, if separator == ' ' { before } else { separator }, at));
            } else if let Some(month) = month(part, locale) {
                self.months.push((month, at));
            }
            before = separator;
        }
        Some(())
    }

    /// Reads a suffix attached to a time: `pm`, `Z`, `+02:00`, a letter of a unit. It takes no further words.
    fn behind_clock(&mut self, rest: &str, zone: Option<&TimeZone>) -> Option<usize> {
        if rest.is_empty() {
            return Some(0);
        }
        if let Some(is_afternoon) = half(rest) {
            self.is_afternoon = Some(is_afternoon);
        } else {
            self.zone(rest, zone)?;
        }
        Some(0)
    }

    /// Words behind a time that tell half of the day and offset; how many they are.
    fn after_clock(&mut self, words: &[&str], zone: Option<&TimeZone>) -> Option<usize> {
        let mut taken = 0;
        // `12:15 am 22. November` is German.
        let is_german = words.first() == Some(&"am")
            && words
                .get(1)
                .is_some_and(|word| is_digits(word.split('.').next().unwrap_or_default()) && word.contains('.'));
        if let Some(is_afternoon) = words.first().copied().and_then(half).filter(|_| !is_german) {
            self.is_afternoon = Some(is_afternoon);
            taken += 1;
        } else if words.first().is_some_and(|word| matches!(word.to_lowercase().as_str(), "uhr" | "h" | "hrs")) {
            taken += 1;
        } else if words.first().is_some_and(|word| may_be_half(word)) {
            return None;
        }
        if let Some(word) = words.get(taken)
            && self.zone(word, zone)?
        {
            taken += 1;
            // `UTC +2`; `+0200 (CEST)` says it twice.
            if let Some(offset) = words.get(taken).and_then(|word| numeric_offset(word)) {
                self.offset = Some(offset);
                taken += 1;
            }
        }
        Some(taken)
    }

    /// Whether a word tells the offset. `None`: it does, and nobody knows which.
    fn zone(&mut self, word: &str, zone: Option<&TimeZone>) -> Option<bool> {
        let word = word.trim_end_matches(['.', ',', ';']);
        if word.starts_with(['+', '-', '−']) && word.len() > 1 {
            if !word.bytes().any(|byte| byte.is_ascii_digit()) {
                return Some(false);
            }
            self.offset = Some(numeric_offset(word)?);
            return Some(true);
        }
        for name in ["UTC", "GMT"] {
            if let Some(rest) = word.strip_prefix(name).filter(|rest| !rest.is_empty()) {
                self.offset = Some(numeric_offset(rest)?);
                return Some(true);
            }
        }
        let upper = if word == "z" { "Z" } else { word };
        if let Some(minutes) = calendar::offset(upper) {
            self.offset = Some(Offset::from_seconds(minutes * 60).ok()?);
            return Some(true);
        }
        if let Some((_, name)) = CLOCKS.iter().find(|(name, _)| *name == word) {
            self.clock_of = Some(name);
            return Some(true);
        }
        if UNCLEAR_ZONES.contains(&word) {
            return zone.map(|_| true);
        }
        Some(false)
    }

    fn moment(mut self, locale: Option<&Locale>) -> Option<Moment> {
        if self.months.len() > 1 {
            // `mar. 24 nov. 2026` is a Tuesday; other words stand by themselves: `by Jan`, `may`.
            let numbers = &self.numbers;
            self.months.retain(|(_, at)| numbers.iter().any(|(.., number)| number.abs_diff(*at) <= 1));
            if self.months.len() == 2 && self.months[0].0 == 3 && self.months[0].1 + 2 == self.months[1].1 {
                self.months.remove(0);
            }
        }
        let date = self.date(locale)?;
        let Some((hour, time)) = self.clock else { return Some(Moment { date, time: None, offset: None }) };
        // The end of a day is the beginning of the next.
        if hour == 24 {
            let (date, time) = (date.tomorrow().ok()?, Some(time));
            return Some(Moment { date, time, offset: self.offset_at(date, Time::midnight())? });
        }
        let hour = match self.is_afternoon {
            Some(true) if hour < 12 => hour + 12,
            Some(false) if hour == 12 => 0,
            _ => hour,
        };
        let time = Time::new(hour, time.minute(), time.second(), time.subsec_nanosecond()).ok()?;
        Some(Moment { date, time: Some(time), offset: self.offset_at(date, time)? })
    }

    fn offset_at(&self, date: Date, time: Time) -> Option<Option<Offset>> {
        match self.clock_of {
            Some(name) => Some(Some(offset_in(&super::zone(name)?, date.to_datetime(time)))),
            None => Some(self.offset),
        }
    }

    fn date(&self, locale: Option<&Locale>) -> Option<Date> {
        match (self.months.as_slice(), self.numbers.as_slice()) {
            ([(month, _)], [(a, ..), (b, ..)]) => {
                let (day, year) = if a.len() == 4 { (b, a) } else { (a, b) };
                (year.len() == 4).then_some(())?;
                Date::new(year.parse().ok()?, *month, day.parse().ok()?).ok()
            }
            ([], [(a, separator, _), (b, other, _), (c, ..)])
                if *separator != ' ' && (separator == other || a.len() == 4) =>
            {
                if a.len() == 4 {
                    return Date::new(a.parse().ok()?, b.parse().ok()?, c.parse().ok()?).ok();
                }
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
                Date::new(c.parse().ok()?, month, day).ok()
            }
            _ => None,
        }
    }
}

fn month(word: &str, locale: Option<&Locale>) -> Option<i8> {
    let word = word.to_lowercase();
    // In Hebrew and Catalan what stands before a name is written as one with it.
    let word = ["ב", "d’", "d'"].iter().find_map(|start| word.strip_prefix(start)).unwrap_or(&word);
    let word = word.trim_end_matches(['׳', '॰']);
    // October in Croatia, November in Poland and Bohemia.
    if matches!(word, "lis" | "listopad" | "listopada") {
        return match locale?.language? {
            "hr" => Some(10),
            "pl" | "cs" => Some(11),
            _ => None,
        };
    }
    calendar::month(word)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a word behind a time says that it is one of the afternoon.
fn half(word: &str) -> Option<bool> {
    match word.trim_end_matches([',', ';']).to_lowercase().as_str() {
        "am" | "a.m." | "a.m" | "π.μ." | "πμ" | "pg" | "ص" | "öö" => Some(false),
        "pm" | "p.m." | "p.m" | "μ.μ." | "μμ" | "ptg" | "م" | "ös" => Some(true),
        _ => None,
    }
}

/// Whether a word looks like one that [`half`] does not know: `x.y.`
fn may_be_half(word: &str) -> bool {
    matches!(word.trim_end_matches(',').chars().collect::<Vec<_>>()[..], [a, '.', b, '.'] if a.is_alphabetic() && b.is_alphabetic())
}

/// The time that begins `word`, its hour as written, and what is behind it: `14:30:05.25Z`, `14h30`, `2:30pm`, `2pm`;
/// `14.30` where a word beside it says that it is one.
fn clock<'w>(word: &'w str, next: &str, before: &str, is_told: bool) -> Option<(i8, Time, &'w str)> {
    let digits = |text: &'w str| text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let (hour, rest) = digits(word);
    if !(1..=2).contains(&hour.len()) {
        return None;
    }
    if half(rest).is_some() {
        return time_of(hour, "0", "0", "").map(|(hour, time)| (hour, time, rest));
    }
    let is_told =
        is_told || matches!(next, "Uhr" | "uhr") || matches!(before, "kl" | "klo" | "um" | "ore" | "ora" | "alle");
    let after_hour = rest
        .strip_prefix(':')
        .or_else(|| rest.strip_prefix(['h', 'H']))
        .or_else(|| rest.strip_prefix('.').filter(|_| is_told))?;
    let (minute, rest) = digits(after_hour);
    if minute.is_empty() && rest.is_empty() && !word.ends_with(':') {
        return time_of(hour, "0", "0", "").map(|(hour, time)| (hour, time, rest));
    }
    if minute.len() != 2 {
        return None;
    }
    let (second, rest) = match rest.strip_prefix(':').or_else(|| rest.strip_prefix('.').filter(|_| is_told)) {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => digits(rest),
        Some(rest) if rest.is_empty() => ("0", rest),
        Some(_) => return None,
        None => ("0", rest),
    };
    let (fraction, rest) = match rest.strip_prefix(['.', ',']) {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    let rest = rest.trim_start_matches("min").trim_start_matches(['h', 'H']).trim_end_matches(['.', ',', ';']);
    time_of(hour, minute, second, fraction).map(|(hour, time)| (hour, time, rest))
}

fn time_of(hour: &str, minute: &str, second: &str, fraction: &str) -> Option<(i8, Time)> {
    let (hour, minute, second): (i8, i8, i8) = (hour.parse().ok()?, minute.parse().ok()?, second.parse().ok()?);
    let nanoseconds = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    if hour == 24 {
        return (minute == 0 && second == 0 && nanoseconds == 0).then(|| (hour, Time::midnight()));
    }
    // A leap second is the last one of its minute.
    let second = if second == 60 { 59 } else { second };
    Time::new(hour, minute, second, nanoseconds).ok().map(|time| (hour, time))
}
