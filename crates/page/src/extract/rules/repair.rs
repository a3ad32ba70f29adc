//! Text that is nearly JSON to JSON: what templates and careless programs write, and what sixty-four bits cannot hold.
//!
//! Text that is JSON already stays as it is, but for numbers that are too large: those become strings, as written.

/// Digits that may be more than sixty-four bits hold.
const LONG_NUMBER: usize = 19;

/// Marks that templates put around JSON for old browsers, and the mark of byte order.
pub(super) const MARKS: [&str; 7] = ["<!--", "-->", "//<![CDATA[", "//]]>", "<![CDATA[", "]]>", "\u{FEFF}"];

/// Words of JavaScript that JSON has no value for.
const NO_VALUES: [&str; 4] = ["undefined", "-Infinity", "Infinity", "NaN"];

/// Whether a number may be in `text` that is too long to be kept as one.
pub(super) fn has_long_number(text: &str) -> bool {
    let mut digits = 0;
    text.bytes().any(|byte| {
        digits = if byte.is_ascii_digit() { digits + 1 } else { 0 };
        digits == LONG_NUMBER
    })
}

/// `text` without comments, marks of templates and commas too many; with raw line ends in strings as spaces, escapes
/// that are none as what they escape, halves of characters as U+FFFD, and values that JSON does not have as `null`.
pub(super) fn repaired(text: &str) -> String {
    let mut repair = Repair { fixed: String::with_capacity(text.len()), rest: text };
    while let Some(c) = repair.rest.chars().next() {
        if let Some(mark) = MARKS.iter().find(|mark| repair.rest.starts_with(**mark)) {
            repair.rest = &repair.rest[mark.len()..];
        } else if let Some(word) = NO_VALUES.iter().find(|word| repair.rest.starts_with(**word)) {
            repair.fixed.push_str("null");
            repair.rest = &repair.rest[word.len()..];
        } else if repair.rest.starts_with("/*") {
            repair.rest = repair.rest.find("*/").map_or("", |end| &repair.rest[end + 2..]);
        } else if repair.rest.starts_with("//") {
            repair.rest = repair.rest.find('\n').map_or("", |end| &repair.rest[end..]);
        } else if c == '"' {
            repair.string();
        } else if c == '-' || c.is_ascii_digit() {
            repair.number();
        } else {
            repair.mark(c);
        }
    }
    repair.fixed
}

struct Repair<'t> {
    fixed: String,
    rest: &'t str,
}

impl Repair<'_> {
    /// Takes `len` bytes as they are.
    fn take(&mut self, len: usize) {
        let (taken, rest) = self.rest.split_at(len);
        self.fixed.push_str(taken);
        self.rest = rest;
    }

    /// A bracket, colon, comma, white space or word.
    fn mark(&mut self, c: char) {
        if matches!(c, '}' | ']') {
            let len = self.fixed.trim_end().len();
            if self.fixed[..len].ends_with(',') {
                self.fixed.truncate(len - 1);
            }
        }
        self.take(c.len_utf8());
    }

    fn number(&mut self) {
        let is_of_it = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        let len = self.rest.bytes().take_while(is_of_it).count();
        let number = &self.rest[..len];
        let is_whole = !number.contains(['.', 'e', 'E']);
        let fits = if is_whole {
            number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok()
        } else {
            number.parse::<f64>().is_ok_and(f64::is_finite)
        };
        let is_number = number.parse::<f64>().is_ok();
        if fits || !is_number {
            return self.take(len);
        }
        self.fixed.push('"');
        self.take(len);
        self.fixed.push('"');
    }

    fn string(&mut self) {
        self.take(1);
        while let Some(c) = self.rest.chars().next() {
            match c {
                '"' => return self.take(1),
                '\\' => self.escape(),
                c if c < ' ' => {
                    self.fixed.push(' ');
                    self.rest = &self.rest[1..];
                }
                c => self.take(c.len_utf8()),
            }
        }
    }

    /// A backslash in a string and what it escapes.
    fn escape(&mut self) {
        match self.rest.as_bytes().get(1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.take(2),
            Some(b'u') => match (unit(self.rest), self.rest.get(6..).and_then(unit)) {
                (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => self.take(12),
                (Some(0xD800..=0xDFFF), _) => {
                    self.fixed.push('\u{FFFD}');
                    self.rest = &self.rest[6..];
                }
                (Some(_), _) => self.take(6),
                (None, _) => self.rest = &self.rest[1..],
            },
            _ => self.rest = &self.rest[1..],
        }
    }
}

/// The number that `\uXXXX` at the start of a text writes.
fn unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_json_stays_as_it_is() {
        for text in [
            r#"{"a": [1, -2.5e3, "x // y", "<!-- NaN \u00e4 \ud83d\ude00 \\"], "b": null, "c": 18446744073709551615}"#,
            "[]",
            "\"\"",
        ] {
            assert_eq!(repaired(text), text);
        }
    }

    #[test]
    fn a_value_that_cannot_be_kept_harms_no_other() {
        for (text, value) in [
            (
                r#"["a", "x\ud83d", "\ude00y", "\ud83d\u0041", "\ud83d\ude00"]"#,
                json!(["a", "x\u{FFFD}", "\u{FFFD}y", "\u{FFFD}A", "\u{1F600}"]),
            ),
            ("[1, 1e400, -1e999]", json!([1, "1e400", "-1e999"])),
            (
                "[12345678901234567890123, -9223372036854775809, 9223372036854775807]",
                json!(["12345678901234567890123", "-9223372036854775809", i64::MAX]),
            ),
            ("[NaN, Infinity, -Infinity, undefined, 1,]", json!([null, null, null, null, 1])),
            (r#"["it\'s", "\x41", "\u00", "\u+123"]"#, json!(["it's", "x41", "u00", "u+123"])),
            ("[\"a\nb\"]", json!(["a b"])),
        ] {
            assert_eq!(serde_json::from_str::<Value>(&repaired(text)).unwrap(), value, "{text}");
        }
    }

    #[test]
    fn no_text_breaks_the_repair() {
        let pieces = [
            "\"", "\\", "\\u", "d83d", "{", "}", "[", "]", ",", ":", "1", "e", "-", ".", "ä", "//", "/*", "*/", "\n",
            "<!--", "NaN",
        ];
        let mut dice = seine_testkit::Dice::new();
        for _ in 0..20_000 {
            let text: String = (0..dice.below(12)).map(|_| pieces[dice.below(pieces.len())]).collect();
            let once = repaired(&text);
            if serde_json::from_str::<Value>(&text).is_ok() {
                let (before, after) = (serde_json::from_str::<Value>(&text), serde_json::from_str::<Value>(&once));
                assert_eq!(before.unwrap(), after.unwrap(), "{text}");
            }
        }
    }
}
