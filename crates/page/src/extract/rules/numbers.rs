//! Numbers as pages write them: `$1,299.00`, `1.299,00 €`, `1 299,00`, `1'299.–`.

/// How a country writes numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locale {
    decimal: char,
    /// Between groups of digits; all groups of a number have the same.
    groups: &'static [char],
    /// Groups of two digits before the last of three, as in India.
    pairs: bool,
    /// Whether the month comes first in 05/06/2024; `None`: nobody said.
    pub(super) month_first: Option<bool>,
}

/// What is allowed as a locale; a country may follow (`de-AT`).
pub const LOCALES: [&str; 25] = [
    "en", "us", "gb", "in", "ch", "de", "at", "fr", "es", "it", "nl", "pt", "br", "da", "sv", "no", "fi", "pl", "cs",
    "sk", "hu", "ro", "tr", "ru", "uk",
];

impl Default for Locale {
    fn default() -> Self {
        Self { decimal: '.', groups: &[','], pairs: false, month_first: None }
    }
}

impl Locale {
    /// The locale of that name; one of [`LOCALES`], whatever its case, also with a country behind it.
    pub fn named(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let (language, country) = name.split_once(['-', '_']).unwrap_or((&name, ""));
        let is = |known: &str| language == known || country == known;
        if !LOCALES.contains(&language) {
            return None;
        }
        Some(if is("ch") || country == "li" {
            Self { decimal: '.', groups: &['\'', '’', ' '], pairs: false, month_first: Some(false) }
        } else if is("in") {
            Self { decimal: '.', groups: &[','], pairs: true, month_first: Some(false) }
        } else if matches!(language, "en" | "us" | "gb") {
            let month_first = language == "us" || language == "en" && matches!(country, "" | "us");
            Self { month_first: Some(month_first), ..Self::default() }
        } else {
            Self { decimal: ',', groups: &['.', ' ', '\''], pairs: false, month_first: Some(false) }
        })
    }
}

/// The one number of `text`, as JSON would write it; units, currencies and words may stand around it. `None` if there
/// is none, more than one, or one that is not grouped as numbers are.
pub fn decimal(text: &str, locale: &Locale) -> Option<String> {
    let chars: Vec<char> = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let run = |at: usize| chars[at.min(chars.len())..].iter().take_while(|c| c.is_ascii_digit()).count();
    let first = chars.iter().position(char::is_ascii_digit)?;
    let has_point = first > 0 && chars[first - 1] == locale.decimal;
    let start = if has_point { first - 1 } else { first };
    let mut number = String::new();
    let mut at = first;
    if has_point {
        number.push('0');
        at = start;
    } else {
        let mut group = run(at);
        number.extend(&chars[at..at + group]);
        at += group;
        let mut separator = None;
        while let Some(&c) = chars.get(at)
            && locale.groups.contains(&c)
            && separator.is_none_or(|before| before == c)
            && (1..=3).contains(&group)
        {
            group = run(at + 1);
            let more = chars.get(at + 1 + group).is_some_and(|next| *next == c) && digit(at + 2 + group);
            if group != 3 && !(locale.pairs && group == 2 && more) {
                break;
            }
            separator = Some(c);
            number.extend(&chars[at + 1..at + 1 + group]);
            at += 1 + group;
        }
    }
    if chars.get(at) == Some(&locale.decimal) && digit(at + 1) {
        let len = run(at + 1);
        number.push('.');
        number.extend(&chars[at + 1..at + 1 + len]);
        at += 1 + len;
    }
    if chars[at..].iter().any(char::is_ascii_digit) {
        return None;
    }
    // JSON has no leading zeros.
    let significant = number.trim_start_matches('0');
    let lacks_zero = significant.is_empty() || significant.starts_with('.');
    let sign = if is_negative(&chars[..start]) { "-" } else { "" };
    Some(format!("{sign}{}{significant}", if lacks_zero { "0" } else { "" }))
}

/// Whether what stands before a number ends in its sign: `-5`, `- 5`, `−$5`, `Change: -5`; but neither `A-5` nor `A - 5`.
fn is_negative(before: &[char]) -> bool {
    let is_sign = |c: &char| matches!(c, '-' | '−');
    let Some(at) = before.iter().rposition(is_sign) else { return false };
    let between = &before[at + 1..];
    if at == 0 {
        return between.len() <= 5;
    }
    matches!(before[at - 1], ' ' | ':' | '(' | '$' | '€' | '£')
        && between.len() <= 3
        && between.iter().all(|c| !c.is_alphanumeric() && *c != ' ')
}

/// A number as machines write it.
pub fn plain(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    if !is_plain {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_their_country_writes_them() {
        for (locale, text, number) in [
            ("en", "$1,299.00", Some("1299.00")),
            ("en", "1299", Some("1299")),
            ("en", "USD 1,234,567.5 incl. VAT", Some("1234567.5")),
            ("en", ".99", Some("0.99")),
            ("en", "007", Some("7")),
            ("en", "0", Some("0")),
            ("en", "-5", Some("-5")),
            ("en", "− $5.50", Some("-5.50")),
            ("en", "Change: -5%", Some("-5")),
            ("en", "Model A-5", Some("5")),
            ("en", "Price - 5", Some("5")),
            ("en", "12 m²", Some("12")),
            ("en", "1,29", None),
            ("en", "1,2999", None),
            ("en", "12,34,567", None),
            ("en", "1234,567", None),
            ("en", "4.5 out of 5", None),
            ("en", "10-20", None),
            ("en", "call us", None),
            ("en", "", None),
            ("en", "1.2.3", None),
            ("de", "1.299,00 €", Some("1299.00")),
            ("de", "1.299", Some("1299")),
            ("de", "0,5", Some("0.5")),
            ("de", "1.299,-", Some("1299")),
            ("de", "1,299.00", None),
            ("de-CH", "CHF 1'299.50", Some("1299.50")),
            ("ch", "1’299.–", Some("1299")),
            ("fr", "1 299,00", Some("1299.00")),
            ("fr", "1\u{202F}299\u{A0}€", Some("1299")),
            ("fr", "2 x 1 299,00", None),
            ("in", "₹12,34,567.00", Some("1234567.00")),
            ("in", "1,23,45", None),
        ] {
            let locale = Locale::named(locale).expect(locale);
            assert_eq!(decimal(text, &locale).as_deref(), number, "{text}");
        }
        for name in LOCALES {
            assert!(Locale::named(name).is_some(), "{name}");
        }
        assert!(Locale::named("xx").is_none());
    }

    #[test]
    fn no_text_breaks_the_reading() {
        for text in ["'", "’1’", "1.", ".", ",1", "-", "-.5", "٣", "1٣", "9".repeat(400).as_str()] {
            for locale in LOCALES {
                let locale = Locale::named(locale).expect("it is one");
                if let Some(number) = decimal(text, &locale) {
                    assert!(
                        serde_json::from_str::<serde_json::Value>(&number).is_ok() || number.len() > 300,
                        "{text}: {number}"
                    );
                }
            }
        }
    }
}
