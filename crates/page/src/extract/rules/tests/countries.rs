//! Numbers, prices, dates and times as CLDR says that 56 countries and languages write them: each is read as what was
//! written, or not at all.
//!
//! `countries.tsv` has a few of each; `SEINE_TEST_COUNTRIES` names a file with more.

use std::collections::BTreeMap;

use serde_json::Value;
use url::Url;

use super::super::compiled::{Place, Source};
use super::super::locale::Locale;
use super::super::values::{Raw, Verdict, convert};
use seine_core::record::items::FieldType;

#[test]
fn what_countries_write_is_read_or_is_no_value() {
    let more = std::env::var("SEINE_TEST_COUNTRIES").ok();
    let more = more.map(|file| std::fs::read_to_string(file).expect("a file"));
    let rows = more.as_deref().unwrap_or(include_str!("countries.tsv"));
    let base = Url::parse("https://example.org/").expect("a URL");
    let (mut wrong, mut counts) = (Vec::new(), BTreeMap::<&str, (usize, usize)>::new());
    for row in rows.lines() {
        let [kind, locale, text, value] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row:?}") };
        let field = match kind {
            "number" | "price" => FieldType::Number,
            _ if kind.starts_with("date") => FieldType::Date,
            _ => FieldType::Datetime,
        };
        let source = Source {
            place: Place::Meta(String::new()),
            regex: None,
            matches: None,
            locale: Some(Locale::named(locale).expect("a locale")),
            format: None,
            zone: None,
            trim: true,
        };
        let (all, read) = counts.entry(kind).or_default();
        *all += 1;
        let Verdict::Value(found) = convert(Raw::Text(text), field, &source, &base) else {
            continue;
        };
        *read += 1;
        let is_right = match serde_json::from_str(&found).expect("JSON") {
            Value::String(text) => text == value,
            number => number.as_f64() == value.parse().ok(),
        };
        if !is_right {
            wrong.push(format!("{row} was read as {found}"));
        }
    }
    for (kind, (all, read)) in &counts {
        println!("{kind}: {read} of {all} are read");
        // Years of two digits are not.
        assert!(kind.ends_with("-short") || 10 * read > 9 * all, "{kind}: only {read} of {all} are read");
    }
    assert!(wrong.is_empty(), "{} are read wrongly:\n{}", wrong.len(), wrong.join("\n"));
}
