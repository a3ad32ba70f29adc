//! Numbers and dates as pages write them: no text breaks the readers, and a value written as machines write it is read
//! as the same again, whatever the locale.
//!
//! `SEINE_TEST_ROUNDS` makes the test longer.

use seine_testkit::Dice;
use serde_json::Value;
use url::Url;

use super::super::compiled::{Place, Source};
use super::super::locale::{LOCALES, Locale};
use super::super::values::{Raw, Verdict, convert};
use seine_core::record::items::FieldType;

/// Texts that are made.
const ROUNDS: u64 = 5_000;

/// Parts of numbers and dates, in the writing of several countries.
const PIECES: [&str; 92] = [
    "0",
    "1",
    "5",
    "9",
    "12",
    "22",
    "31",
    "99",
    "100",
    "299",
    "499",
    "2026",
    "1795357805",
    "1795357805000",
    "12345678901234567890",
    ".",
    ",",
    "'",
    "’",
    " ",
    "\u{A0}",
    "\u{202F}",
    "-",
    "−",
    "–",
    "(",
    ")",
    "/",
    ":",
    "+",
    "%",
    "$",
    "€",
    "Rs.",
    "Ksh.",
    "CHF",
    "kr",
    "zł",
    "EUR",
    "R$",
    "¥",
    "¢",
    "k",
    "M",
    "Mio.",
    "lakh",
    "万",
    "m",
    "½",
    "²",
    "٣",
    "٫",
    "٬",
    "९",
    "e",
    "E5",
    "from",
    "ab",
    "per",
    "100 g",
    "kg",
    "Nov",
    "novembre",
    "März",
    "août",
    "desember",
    "мая",
    "年",
    "月",
    "日",
    "下午",
    "am",
    "pm",
    "Uhr",
    "à",
    "um",
    "h",
    "Z",
    "UTC",
    "+02:00",
    "-0500",
    "CEST",
    "EST",
    "IST",
    "T",
    "st",
    "th",
    "Sunday",
    "24:00",
    "23:59:60",
    "9999",
    "0000",
];

fn source(locale: Option<Locale>) -> Source {
    Source {
        place: Place::Meta(String::new()),
        regex: None,
        matches: None,
        locale,
        format: None,
        zone: None,
        trim: true,
    }
}

/// A text of a few pieces, now and then with a character that nobody expects.
fn text(dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..=dice.below(9) {
        match dice.below(40) {
            0 => text.extend(u32::try_from(dice.between(0, 0x2FFFF)).ok().and_then(char::from_u32)),
            _ => text.push_str(PIECES[dice.below(PIECES.len())]),
        }
        if dice.chance(30) {
            text.push(' ');
        }
    }
    text
}

#[test]
fn values_are_read_again_as_they_were_written() {
    let rounds = seine_testkit::rounds(ROUNDS);
    let mut dice = Dice::new();
    let base = Url::parse("https://example.org/").unwrap();
    let sources: Vec<_> =
        std::iter::once(None).chain(LOCALES.iter().map(|name| Locale::named(name))).map(source).collect();
    let mut read = 0_u64;
    for _ in 0..rounds {
        let (text, source) = (text(&mut dice), &sources[dice.below(sources.len())]);
        for kind in [FieldType::Number, FieldType::Integer, FieldType::Date, FieldType::Datetime] {
            for raw in [Raw::Text(&text), Raw::Data(&text)] {
                let Verdict::Value(value) = convert(raw, kind, source, &base) else { continue };
                read += 1;
                let written = match serde_json::from_str(&value).expect("JSON") {
                    Value::String(text) => text,
                    number => number.to_string(),
                };
                let again = convert(Raw::Data(&written), kind, source, &base);
                assert_eq!(again, Verdict::Value(value.clone()), "{text:?} as {kind:?} in {:?}", source.locale);
            }
        }
    }
    assert!(read > rounds / 20, "only {read} of {rounds} texts were values");
    println!("{read} values of {rounds} texts");
}
