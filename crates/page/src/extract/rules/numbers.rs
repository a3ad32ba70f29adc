//! Numbers as pages write them: `$1,299.00`, `1.299,00 €`, `1 299,00`, `1'299.–`, `Rs.499`, `($5.00)`, `1.2k`, `1½`.
//!
//! Pages write for people, so a text is read as its one number or not at all: a wrong price costs more than a missing
//! one, which is seen. Text that could be two numbers a hundred times apart is not read as either.

use super::locale::Locale;
use super::money::{self, Scale, is_space};

/// The no-break space; within a number it separates groups of digits in every country.
const HARD_SPACE: char = '\u{A0}';
/// The sign that can be nothing else, unlike a hyphen.
const MINUS: char = '−';

/// The one number of `text`, as JSON would write it; units, currencies and words may stand around it. `None` if there
/// is none, more than one, or one that could be read in several ways.
pub fn decimal(text: &str, locale: &Locale) -> Option<String> {
    let chars = normalised(text);
    let number = first_number(&chars, locale)?;
    let (before, after) = (&chars[..number.start], &chars[number.end..]);
    let currency = money::currency_before(unsigned(before));
    let after = without_quantity(after, currency.is_some())?;
    if money::is_of_cents(before, after) {
        return None;
    }
    let scale = money::scale(after, currency.is_some(), !number.fraction.is_empty(), locale);
    let (power, behind) = match scale {
        Scale::One => (0, after),
        Scale::Power(power, len) => (power, &after[len..]),
        Scale::Unclear => return None,
    };
    let currency_len = money::currency_after(behind);
    let is_money = currency.is_some() || currency_len > 0;
    if number.is_thousands_or_thousandths && is_money {
        return None;
    }
    let is_negative = is_negative(before, &behind[currency_len..], &number, is_money)?;
    Some(number.written(power, is_negative))
}

/// `text` in the characters that numbers are read in: ASCII digits, few kinds of spaces, apostrophes and signs.
fn normalised(text: &str) -> Vec<char> {
    let mut chars = Vec::with_capacity(text.len());
    for c in text.chars() {
        let c = match c {
            // Marks of direction and of breaks have no width.
            '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2069}'
            | '\u{61C}'
            | '\u{FEFF}'
            | '\u{AD}' => continue,
            '\u{A0}' | '\u{202F}' | '\u{2007}'..='\u{200A}' => HARD_SPACE,
            '’' | '‘' | 'ʼ' | '´' | '`' | '＇' => '\'',
            '．' => '.',
            '，' => ',',
            '（' => '(',
            '）' => ')',
            '﹣' | '－' => MINUS,
            '‐' | '‑' => '-',
            '―' => '—',
            c if c.is_whitespace() => ' ',
            c => digit_of(c).unwrap_or(c),
        };
        match (chars.last(), c) {
            (Some(' '), ' ' | HARD_SPACE) => {}
            (Some(&HARD_SPACE), ' ' | HARD_SPACE) => {
                chars.pop();
                chars.push(' ');
            }
            _ => chars.push(c),
        }
    }
    chars
}

/// The ASCII digit that a digit of another script is.
pub(super) fn digit_of(c: char) -> Option<char> {
    const ZEROS: [u32; 19] = [
        0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20,
        0x1040, 0x17E0, 0x1810, 0xFF10,
    ];
    let code = u32::from(c);
    ZEROS.iter().find_map(|zero| char::from_digit(code.checked_sub(*zero).filter(|digit| *digit < 10)?, 10))
}

/// Decimals of a sign for a fraction.
fn fraction_of(c: char) -> Option<&'static str> {
    Some(match c {
        '½' => "5",
        '¼' => "25",
        '¾' => "75",
        '⅓' => "33333333333333333",
        '⅔' => "66666666666666667",
        '⅕' => "2",
        '⅖' => "4",
        '⅗' => "6",
        '⅘' => "8",
        '⅙' => "16666666666666667",
        '⅚' => "83333333333333333",
        '⅛' => "125",
        '⅜' => "375",
        '⅝' => "625",
        '⅞' => "875",
        _ => return None,
    })
}

/// A number, and where it stands.
struct Number {
    start: usize,
    end: usize,
    whole: String,
    fraction: String,
    /// `1.299` without a locale: as a price it could be 1299 or 1.299.
    is_thousands_or_thousandths: bool,
}

impl Number {
    /// As JSON has it, times a power of ten.
    fn written(&self, power: usize, is_negative: bool) -> String {
        let moved = power.min(self.fraction.len());
        let mut whole = format!("{}{}", self.whole, &self.fraction[..moved]);
        whole.extend(std::iter::repeat_n('0', power - moved));
        let whole = whole.trim_start_matches('0');
        let whole = if whole.is_empty() { "0" } else { whole };
        let fraction = &self.fraction[moved..];
        let (sign, point) = (if is_negative { "-" } else { "" }, if fraction.is_empty() { "" } else { "." });
        format!("{sign}{whole}{point}{fraction}")
    }
}

fn first_number(chars: &[char], locale: &Locale) -> Option<Number> {
    let start = chars.iter().position(|c| c.is_ascii_digit() || fraction_of(*c).is_some())?;
    let (runs, separators, mut end) = runs(chars, start, locale);
    let has_comma = separators.iter().any(|c| matches!(c, '.' | ','));
    let mut number = if runs.is_empty() {
        Number { start, end, whole: "0".to_owned(), fraction: String::new(), is_thousands_or_thousandths: false }
    } else {
        number_of(&runs, &separators, locale)?
    };
    (number.start, number.end) = (start, end);
    let is_leading = start > 0 && matches!(chars[start - 1], '.' | ',' | '٫');
    if is_leading && has_leading_point(chars, start, &runs, locale)? {
        if !separators.is_empty() {
            return None;
        }
        number.fraction = std::mem::replace(&mut number.whole, "0".to_owned());
        number.start -= 1;
    }
    // `1½`, `1 ½`.
    let gap = usize::from(!runs.is_empty() && chars.get(end).is_some_and(|c| is_space(*c)));
    if let Some(fraction) = chars.get(end + gap).copied().and_then(fraction_of) {
        if has_comma || is_leading {
            return None;
        }
        fraction.clone_into(&mut number.fraction);
        end += gap + 1;
        number.end = end;
    }
    // `10²` is 100; of a footnote's mark nothing is known either.
    let is_odd = |c: Option<&char>| c.is_some_and(|c| c.is_numeric());
    (!is_odd(chars.get(end)) && !is_odd(number.start.checked_sub(1).map(|at| &chars[at]))).then_some(number)
}

/// Runs of digits, what separates them, and where they end.
fn runs(chars: &[char], start: usize, locale: &Locale) -> (Vec<String>, Vec<char>, usize) {
    let run = |at: usize| chars[at.min(chars.len())..].iter().take_while(|c| c.is_ascii_digit()).count();
    let (mut runs, mut separators, mut at) = (Vec::<String>::new(), Vec::new(), start);
    loop {
        let len = run(at);
        if len == 0 {
            return (runs, separators, at);
        }
        runs.push(chars[at..at + len].iter().collect());
        at += len;
        let Some(&c) = chars.get(at) else { return (runs, separators, at) };
        let next = run(at + 1);
        let is_separator = match c {
            '.' | ',' | '\'' | '٫' | '٬' => next > 0,
            HARD_SPACE => next == 3 && len <= 3,
            ' ' => next == 3 && len <= 3 && locale.groups.contains(&' '),
            _ => false,
        };
        if !is_separator {
            return (runs, separators, at);
        }
        separators.push(if c == ' ' { HARD_SPACE } else { c });
        at += 1;
    }
}

fn number_of(runs: &[String], separators: &[char], locale: &Locale) -> Option<Number> {
    let mut is_thousands_or_thousandths = false;
    let first_group_fits = (1..=3).contains(&runs[0].len()) && !runs[0].starts_with('0');
    let last = runs.last()?;
    let is_single = separators.len() == 1;
    let has_decimals = match separators.last() {
        None => false,
        Some('٫') => true,
        Some('٬' | '\'' | &HARD_SPACE) => false,
        Some(c) if locale.language.is_some() => {
            *c == locale.decimal || locale.second_decimal == Some(*c) && (1..=2).contains(&last.len())
        }
        // Nobody said: where English could not have written it, the rest of the world did.
        Some(',') => {
            separators.iter().filter(|c| **c == ',').count() == 1 && !(is_single && last.len() == 3 && first_group_fits)
        }
        Some(_) => {
            is_thousands_or_thousandths = is_single && last.len() == 3 && first_group_fits;
            separators.iter().filter(|c| **c == '.').count() == 1
        }
    };
    let groups = separators.len() - usize::from(has_decimals);
    if groups > 0 {
        let c = separators[0];
        let is_same = separators[..groups].iter().all(|other| *other == c);
        let is_decimal = has_decimals && separators.last() == Some(&c);
        let is_allowed = matches!(c, '\'' | '٬' | HARD_SPACE)
            || if locale.language.is_some() { locale.groups.contains(&c) } else { matches!(c, '.' | ',') };
        let pairs = c == ',' && (locale.pairs || locale.language.is_none());
        if !is_same || is_decimal || !is_allowed || !first_group_fits || !are_groups(&runs[..=groups], pairs) {
            return None;
        }
    }
    Some(Number {
        start: 0,
        end: 0,
        whole: runs[..=groups].concat(),
        fraction: if has_decimals { last.clone() } else { String::new() },
        is_thousands_or_thousandths,
    })
}

/// Whether groups have the digits that groups have; the first was looked at already.
fn are_groups(groups: &[String], pairs: bool) -> bool {
    let Some((last, middle)) = groups[1..].split_last() else { return true };
    let all_are = |len: usize| middle.iter().all(|group| group.len() == len);
    last.len() == 3 && (all_are(3) || pairs && groups[0].len() <= 2 && all_are(2))
}

/// Whether the point or comma right before a number is of it: `.99`, `$.99`; but not `Rs.499`. `None`: that is unclear.
fn has_leading_point(chars: &[char], start: usize, runs: &[String], locale: &Locale) -> Option<bool> {
    let (c, len) = (chars[start - 1], runs.first()?.len());
    let before = start.checked_sub(2).map(|at| chars[at]);
    match before {
        Some(letter) if letter.is_alphabetic() || letter == '/' => {
            let (word, _) = money::last_word(&chars[..start]);
            (c == '.' && (money::is_abbreviation(&word) || len > 2 && letter != '/')).then_some(false)
        }
        // Dots that lead to it.
        Some('.' | ',') => None,
        // `₹.499`
        Some('₹' | '₨' | '৳') => (c == '.' && len > 2).then_some(false),
        Some(c) if c.is_ascii_digit() => None,
        before => {
            let is_decimal = match (locale.language, c) {
                (_, '٫') => true,
                (Some(_), c) => c == locale.decimal || locale.second_decimal == Some(c) && len <= 2,
                (None, c) => c == '.' || len <= 2,
            };
            let is_money = before.is_some() && money::currency_before(&chars[..start - 1]).is_some();
            (is_decimal && !(is_money && len > 2)).then_some(true)
        }
    }
}

/// The text `after` a number without the quantity that it is the price of (`$4.99 / 100 g`). `None`: there is one more
/// number.
fn without_quantity(after: &[char], is_money_before: bool) -> Option<&[char]> {
    let is_digit = |c: &char| c.is_ascii_digit() || fraction_of(*c).is_some();
    let Some(second) = after.iter().position(is_digit) else { return Some(after) };
    let len = after[second..].iter().take_while(|c| c.is_ascii_digit()).count();
    let behind = &after[second + len..];
    let currency = money::currency_after(after);
    let between: String = after[currency.min(second)..second].iter().collect();
    let between = between.replace(HARD_SPACE, " ");
    let between = between.trim().trim_start_matches('(').to_lowercase();
    let is_of = matches!(between.as_str(), "/" | "per" | "pro" | "je" | "par" | "por" | "pour" | "za" | "за");
    let has_unit = money::trimmed_start(behind).first().is_some_and(|c| c.is_alphabetic());
    (is_of && has_unit && len > 0 && (is_money_before || currency > 0) && !behind.iter().any(is_digit))
        .then(|| &after[..second])
}

/// `before` without a sign right before the number, so that a currency in front of it is seen: `€ -5`.
fn unsigned(before: &[char]) -> &[char] {
    match money::trimmed_end(before) {
        [rest @ .., '-' | MINUS | '–' | '('] => rest,
        rest => rest,
    }
}

/// Whether a number is below zero: `-5`, `−$5`, `$-5`, `- 5,00 €`, `($5.00)`, `5.00-`; but neither `A-5` nor `A - 5`,
/// the items of a list (`- 12 items`) or a count in parentheses, `(128)`. `None`: that is unclear.
fn is_negative(before: &[char], after: &[char], number: &Number, is_money: bool) -> Option<bool> {
    let is_dash = |c: char| matches!(c, '-' | MINUS | '–');
    let is_price = is_money || number.fraction.len() == 2;
    // Accounts: nothing but the number and its currency.
    let opening = money::trimmed_end(before);
    let opening = &opening[..money::currency_before(opening).unwrap_or(opening.len())];
    if let ([outer @ .., '('], [')', rest @ ..]) = (money::trimmed_end(opening), money::trimmed_start(after)) {
        let outer = &outer[..money::currency_before(outer).unwrap_or(outer.len())];
        let rest = &rest[money::currency_after(rest)..];
        if money::trimmed_end(outer).is_empty() && money::trimmed_start(rest).is_empty() {
            return Some(is_price);
        }
    }
    // `5.00-`, as some accounts have it; `5-` is a range without end or `5-pack`.
    if let [dash, rest @ ..] = after
        && is_dash(*dash)
        && (rest.is_empty() || is_space(rest[0]) && money::currency_after(rest) > 0)
    {
        return (number.fraction.len() == 2).then_some(true);
    }
    // Right before the number, or before its currency.
    let ends = [before.len(), money::currency_before(before).unwrap_or(before.len())];
    for end in ends {
        let rest = money::trimmed_end(&before[..end]);
        let Some((dash, rest)) = rest.split_last().filter(|(dash, _)| is_dash(**dash)) else { continue };
        let is_apart = rest.len() + 1 < end;
        let Some(c) = rest.last() else {
            // `- 5,00 €` is a discount, `- 12 items` an item of a list.
            let is_word = money::trimmed_start(after).iter().take_while(|c| c.is_alphabetic()).count() >= 3;
            return match (is_apart, *dash) {
                (false, _) | (true, MINUS) => Some(true),
                _ if is_money => Some(true),
                _ if is_word => Some(false),
                _ => None,
            };
        };
        let is_after_word = money::trimmed_end(rest).last().is_some_and(|c| c.is_alphanumeric());
        return match c {
            c if is_dash(*c) => None,
            // `Rs-499` is 499, `EUR-5` may be less than nothing.
            c if c.is_alphanumeric() && money::currency_before(rest).is_some() => None,
            c if c.is_alphanumeric() => Some(false),
            c if is_space(*c) && is_apart && is_after_word && *dash != MINUS => Some(false),
            '/' | '.' | ',' | '#' | '_' => Some(false),
            _ => Some(true),
        };
    }
    Some(false)
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
    use seine_testkit::Dice;

    use super::super::locale::LOCALES;
    use super::*;

    fn locale_of(name: &str) -> Locale {
        if name.is_empty() { Locale::default() } else { Locale::named(name).expect(name) }
    }

    fn hold(rows: &[(&str, &str, Option<&str>)]) {
        for (locale, text, number) in rows {
            assert_eq!(decimal(text, &locale_of(locale)).as_deref(), *number, "{text:?} in {locale:?}");
        }
    }

    #[test]
    fn numbers_are_read_as_their_country_writes_them() {
        hold(&[
            ("en", "$1,299.00", Some("1299.00")),
            ("en", "1299", Some("1299")),
            ("en", "USD 1,234,567.5 incl. VAT", Some("1234567.5")),
            ("en", ".99", Some("0.99")),
            ("en", "007", Some("7")),
            ("en", "0", Some("0")),
            ("en", "12 m²", Some("12")),
            ("en", "1,29", None),
            ("en", "1,2999", None),
            ("en", "12,34,567", None),
            ("en", "1234,567", None),
            ("en", "0,123", None),
            ("en", "4.5 out of 5", None),
            ("en", "10-20", None),
            ("en", "call us", None),
            ("en", "", None),
            ("en", "1.2.3", None),
            ("de", "1.299,00 €", Some("1299.00")),
            ("de", "1.299", Some("1299")),
            ("de", "0,5", Some("0.5")),
            ("de", "0.123", None),
            ("de", "12.50", None),
            ("de", ".99", None),
            ("de", "1.299,-", Some("1299")),
            ("de", "1,299.00", None),
            ("de-CH", "CHF 1'299.50", Some("1299.50")),
            ("de-CH", "CHF 25.–", Some("25")),
            ("fr-CH", "Fr. 25,50", Some("25.50")),
            ("de-CH", "1,299", None),
            ("ch", "1’299.–", Some("1299")),
            ("fr", "1 299,00", Some("1299.00")),
            ("fr", "1\u{202F}299\u{A0}€", Some("1299")),
            ("fr", "2 x 1 299,00", None),
            ("in", "₹12,34,567.00", Some("1234567.00")),
            ("in", "1,23,45", None),
            ("es", "1.299,00", Some("1299.00")),
            ("es-MX", "$1,299.00", Some("1299.00")),
            ("es-MX", "1,299", Some("1299")),
            ("en-ZA", "R 1 299,99", Some("1299.99")),
            ("en-ZA", "R1,299.99", Some("1299.99")),
            ("ar", "١٬٢٩٩٫٥٠ ر.س", Some("1299.50")),
            ("fa", "۱٬۲۹۹", Some("1299")),
            ("hi", "१२,३४,५६७", Some("1234567")),
            ("ja", "１，２９９円", Some("1299")),
        ]);
    }

    #[test]
    fn where_nobody_said_the_country_only_what_cannot_be_misread_is_a_number() {
        hold(&[
            ("", "1.299,00 €", Some("1299.00")),
            ("", "1,299.00", Some("1299.00")),
            ("", "19,99 €", Some("19.99")),
            ("", "1.299.000", Some("1299000")),
            ("", "0,500 kg", Some("0.500")),
            ("", "1\u{2009}299,50", Some("1299.50")),
            ("", "1'299.50", Some("1299.50")),
            ("", "₹12,34,567", Some("1234567")),
            ("", "1,299", Some("1299")),
            ("", "1.299", Some("1.299")),
            ("", "1.299 €", None),
            ("", "R$ 1.299", None),
            ("", "0.499 €", Some("0.499")),
            ("", "1 299", None),
            ("", "1.299.00", None),
            ("", "5'11", None),
        ]);
    }

    #[test]
    fn the_point_of_an_abbreviation_is_none_of_the_number() {
        hold(&[
            ("", "Rs.499", Some("499")),
            ("", "Rs.50", Some("50")),
            ("", "Rs. 1,499.50", Some("1499.50")),
            ("", "Rs.499/-", Some("499")),
            ("", "Ksh.1500", Some("1500")),
            ("", "KSh.1,500.00", Some("1500.00")),
            ("", "Fr.25", Some("25")),
            ("ch", "Fr.25.50", Some("25.50")),
            ("", "S/.25", Some("25")),
            ("", "S/.25.90", Some("25.90")),
            ("", "B/.5.00", Some("5.00")),
            ("id", "Rp.15.000", Some("15000")),
            ("", "₹.499", Some("499")),
            ("", "₹.50", None),
            ("", "No.5", Some("5")),
            ("", "kr.25", Some("25")),
            ("ru", "руб.25", Some("25")),
            ("", "د.إ.25", Some("25")),
            ("", "USD.99", None),
            ("", "INR.1500", Some("1500")),
            ("", "$.99", Some("0.99")),
            ("", "$.499", None),
            ("", "Soup.....5", None),
            ("", ",89", Some("0.89")),
            ("", ",899", None),
            ("de", ",89", Some("0.89")),
            ("de", "nur ,89 €", Some("0.89")),
            ("en", ",89", None),
            ("de", "-,50", Some("-0.50")),
            ("", "-,50", Some("-0.50")),
            ("en", "-,50", None),
            ("en", "-.50", Some("-0.50")),
            ("", "Total,89", None),
        ]);
    }

    #[test]
    fn a_sign_is_one_only_where_it_can_be_nothing_else() {
        hold(&[
            ("en", "-5", Some("-5")),
            ("en", "− $5.50", Some("-5.50")),
            ("en", "−5", Some("-5")),
            ("en", "–5 %", Some("-5")),
            ("en", "-$5.50", Some("-5.50")),
            ("en", "$-5.50", Some("-5.50")),
            ("en", "-USD 5.50", Some("-5.50")),
            ("de", "EUR -5,00", Some("-5.00")),
            ("de", "-5,00 €", Some("-5.00")),
            ("de", "- 5,00 €", Some("-5.00")),
            ("de", "Rabatt: - 5,00 €", Some("-5.00")),
            ("en", "EUR-5", None),
            ("en", "Rs-499", None),
            ("en", "Change: -5%", Some("-5")),
            ("en", "Model A-5", Some("5")),
            ("en", "Price - 5", Some("5")),
            ("en", "- 12 items", Some("12")),
            ("en", "– 12 items", Some("12")),
            ("en", "- 5", None),
            ("en", "--5", None),
            ("en", "(5.00)", Some("-5.00")),
            ("en", "($1,299.00)", Some("-1299.00")),
            ("en", "$(5)", Some("-5")),
            ("de", "(5,00 €)", Some("-5.00")),
            ("en", "(5.00) USD", Some("-5.00")),
            ("en", "(-5.00)", Some("-5.00")),
            ("en", "(128)", Some("128")),
            ("en", "(4.5)", Some("4.5")),
            ("en", "Reviews (128)", Some("128")),
            ("en", "VAT ($5.00)", Some("5.00")),
            ("en", "5.00-", Some("-5.00")),
            ("de", "5,00- €", Some("-5.00")),
            ("en", "5-", None),
            ("en", "5-pack", Some("5")),
            ("de", "25,-", Some("25")),
            ("ch", "25.-", Some("25")),
            ("en", "+5", Some("5")),
        ]);
    }

    #[test]
    fn fractions_thousands_and_millions_are_counted() {
        hold(&[
            ("en", "1½", Some("1.5")),
            ("en", "1 ½ cups", Some("1.5")),
            ("en", "½", Some("0.5")),
            ("en", "2¾", Some("2.75")),
            ("en", "1⅓", Some("1.33333333333333333")),
            ("en", "1.5½", None),
            ("en", "10²", None),
            ("en", "1.2k", Some("1200")),
            ("en", "12K reviews", Some("12000")),
            ("fr", "1,2 k avis", Some("1200")),
            ("en", "14k gold", None),
            ("en", "300 K", None),
            ("en", "3M", Some("3000000")),
            ("en", "$1.25M", Some("1250000")),
            ("en", "£1.5m", Some("1500000")),
            ("en", "1.5 m", Some("1.5")),
            ("fr", "3,4 M €", Some("3400000")),
            ("en", "3 M", None),
            ("en", "€5 million", Some("5000000")),
            ("de", "2,5 Mio. €", Some("2500000")),
            ("de", "1,2 Mrd. Euro", Some("1200000000")),
            ("de", "2 Milliarden", Some("2000000000")),
            ("en", "2 billion", Some("2000000000")),
            ("de", "2 Billionen", None),
            ("en", "$1.2bn", Some("1200000000")),
            ("en", "5B", None),
            ("de", "5 TEUR", Some("5000")),
            ("de", "5 k€", Some("5000")),
            ("in", "₹1.5 lakh", Some("150000")),
            ("in", "₹2.5 Cr", Some("25000000")),
            ("zh", "1.2万人", Some("12000")),
            ("ja", "3万円", Some("30000")),
            ("zh", "5千克", Some("5")),
            ("ru", "1,5 млн ₽", Some("1500000")),
            ("ru", "12 тыс. руб.", Some("12000")),
            ("pt", "R$ 5 mil", Some("5000")),
            ("", "5 mil", None),
            ("en", "5 millimetres", Some("5")),
            ("en", "5 km", Some("5")),
            ("en", "99¢", None),
            ("en", "50 cents", None),
        ]);
    }

    #[test]
    fn a_price_is_read_without_the_quantity_it_is_of_and_a_range_is_none() {
        hold(&[
            ("en", "from $5", Some("5")),
            ("de", "ab 25,00 €", Some("25.00")),
            ("en", "$4.99 / 100 g", Some("4.99")),
            ("de", "(0,50 €/100 ml)", Some("0.50")),
            ("de", "1,99 € pro 1 kg", Some("1.99")),
            ("de", "1,99 €/kg", Some("1.99")),
            ("en", "$5 - $10", None),
            ("en", "$5–10", None),
            ("en", "2 for $5", None),
            ("en", "3 x $5", None),
            ("en", "4.5/5", None),
            ("en", "$5 / 12", None),
        ]);
    }

    /// Conventions of numbers by language, from CLDR: group, decimal, pairs.
    const CONVENTIONS: [(&str, char, char, bool); 44] = [
        ("en", ',', '.', false),
        ("en-GB", ',', '.', false),
        ("en-IN", ',', '.', true),
        ("hi", ',', '.', true),
        ("bn", ',', '.', true),
        ("de", '.', ',', false),
        ("de-AT", '\u{A0}', ',', false),
        ("de-CH", '’', '.', false),
        ("it-CH", '’', '.', false),
        ("fr", '\u{202F}', ',', false),
        ("fr-CA", '\u{A0}', ',', false),
        ("es", '.', ',', false),
        ("es-MX", ',', '.', false),
        ("es-AR", '.', ',', false),
        ("it", '.', ',', false),
        ("nl", '.', ',', false),
        ("pt", '\u{A0}', ',', false),
        ("br", '.', ',', false),
        ("da", '.', ',', false),
        ("sv", '\u{A0}', ',', false),
        ("nb", '\u{A0}', ',', false),
        ("fi", '\u{A0}', ',', false),
        ("is", '.', ',', false),
        ("pl", '\u{A0}', ',', false),
        ("cs", '\u{A0}', ',', false),
        ("sk", ' ', ',', false),
        ("sl", '.', ',', false),
        ("hr", '.', ',', false),
        ("sr", '.', ',', false),
        ("bg", '\u{A0}', ',', false),
        ("hu", '\u{A0}', ',', false),
        ("ro", '.', ',', false),
        ("el", '.', ',', false),
        ("tr", '.', ',', false),
        ("ru", '\u{A0}', ',', false),
        ("uk", ' ', ',', false),
        ("lt", '\u{A0}', ',', false),
        ("et", '\u{A0}', ',', false),
        ("id", '.', ',', false),
        ("vi", '.', ',', false),
        ("ja", ',', '.', false),
        ("zh", ',', '.', false),
        ("ar", '٬', '٫', false),
        ("he", ',', '.', false),
    ];

    fn written(whole: u64, cents: Option<u64>, group: char, point: char, pairs: bool) -> String {
        let digits: Vec<char> = whole.to_string().chars().rev().collect();
        let mut out = String::new();
        for (at, digit) in digits.iter().enumerate() {
            let begins =
                if pairs { at == 3 || at > 3 && (at - 3).is_multiple_of(2) } else { at > 0 && at.is_multiple_of(3) };
            if begins {
                out.push(group);
            }
            out.push(*digit);
        }
        let mut out: String = out.chars().rev().collect();
        if let Some(cents) = cents {
            out.push_str(&format!("{point}{cents:02}"));
        }
        out
    }

    #[test]
    fn what_countries_write_is_read_back_with_every_currency_around_it() {
        let mut dice = Dice::new();
        let around = [
            ("", ""),
            ("$", ""),
            ("€ ", ""),
            ("", " €"),
            ("", "\u{A0}€"),
            ("US$ ", ""),
            ("Rs.", ""),
            ("Rs. ", ""),
            ("CHF ", ""),
            ("", " kr"),
            ("", " zł"),
            ("Ksh.", ""),
            ("R$ ", ""),
            ("¥", ""),
            ("", " руб."),
            ("from ", ""),
            ("S/.", ""),
            ("Fr.", ""),
            ("", " incl. VAT"),
            ("\u{200E}", "\u{200F} ₪"),
            ("Preis: ", " EUR"),
            ("", " / kg"),
        ];
        for (name, group, point, pairs) in CONVENTIONS {
            let locale = locale_of(name);
            for _ in 0..300 {
                let len = u32::try_from(dice.between(1, 9)).expect("small");
                let whole = dice.between(0, 10_u64.pow(len) - 1);
                let cents = dice.chance(50).then(|| dice.between(0, 99));
                let (before, after) = around[dice.below(around.len())];
                let text = format!("{before}{}{after}", written(whole, cents, group, point, pairs));
                let value = match cents {
                    Some(cents) => format!("{whole}.{cents:02}"),
                    None => whole.to_string(),
                };
                assert_eq!(decimal(&text, &locale), Some(value.clone()), "{text:?} in {name}");
                let minus = format!("-{before}{}{after}", written(whole, cents, group, point, pairs));
                if before.chars().all(|c| !c.is_alphabetic()) || before.ends_with('.') {
                    assert_eq!(decimal(&minus, &locale), Some(format!("-{value}")), "{minus:?} in {name}");
                }
                // Without a locale a price with cents is the same number, or none.
                if cents.is_some() {
                    let read = decimal(&text, &Locale::default());
                    assert!(read.is_none() || read == Some(value), "{text:?} became {read:?}");
                }
            }
        }
    }

    #[test]
    fn no_text_breaks_the_reading_and_what_is_read_is_json() {
        let pieces = [
            "'", "’", "1", "12", "123", "0", ".", ",", "-", "−", "–", "(", ")", " ", "\u{A0}", "$", "€", "Rs.", "Fr.",
            "k", "M", "½", "٣", "٫", "/", "100 g", "per", "万", "²", "%", "CHF", "S/.", "mil", "¢", "\u{200F}",
        ];
        let mut dice = Dice::new();
        for _ in 0..10_000 {
            let len = dice.below(10);
            let text: String = (0..len).map(|_| pieces[dice.below(pieces.len())]).collect();
            for locale in ["", "en", "de", "ch", "in", "ar"] {
                if let Some(number) = decimal(&text, &locale_of(locale)) {
                    assert!(serde_json::from_str::<f64>(&number).is_ok(), "{text:?}: {number}");
                }
            }
        }
        for locale in LOCALES {
            let locale = locale_of(locale);
            assert!(decimal(&"9".repeat(400), &locale).is_some());
        }
        assert!(Locale::named("xx").is_none());
    }
}
