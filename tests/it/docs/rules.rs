//! The reference of rules: its keys, and every row of its tables that says what a text becomes or whether something works.

use std::collections::BTreeSet;

use seine_core::record::items::{PageItems, ProblemKind};
use seine_page::extract::rules::{Page, Rules, Selector, XPath};
use serde_json::Value;
use url::Url;

use super::markdown::{codes, first_cells, page, section, table};

const REFERENCE: &str = "docs/reference/rules.md";

fn with_field(field: &str) -> String {
    format!("[[collection]]\nname = 'c'\n[collection.fields]\nv = {field}\n")
}

fn applied(rules: &str, body: &str) -> PageItems {
    let rules = Rules::read(rules).unwrap_or_else(|error| panic!("{rules}\n{error}"));
    let url = Url::parse("https://shop.example/p/1").expect("a URL");
    let page = Page {
        url: &url,
        listed_url: url.as_str(),
        content_type: Some(b"text/html; charset=utf-8"),
        body: body.as_bytes(),
    };
    rules.apply(&page, &|| true).expect("nobody says stop")
}

/// What a field of this kind makes of `text`; `None` if it is no value.
fn made_of(text: &str, kind: &str) -> Option<Value> {
    let found =
        applied(&with_field(&format!("{{ css = 'p', {kind} }}")), &format!("<p>{}</p>", text.replace('<', "&lt;")));
    match found.problems.first().map(|problem| problem.kind) {
        None => {
            let item: Value = serde_json::from_str(&found.items[0].data).expect("items are JSON");
            Some(item["v"].clone())
        }
        Some(ProblemKind::Unparsable) => None,
        Some(other) => panic!("{text}: {}", other.name()),
    }
}

/// What is allowed in place of `wrong`, as the message of the mistake tells.
fn allowed_instead(rules: &str) -> BTreeSet<String> {
    let message = Rules::read(rules).expect_err("a mistake").to_string();
    let (_, allowed) =
        message.to_lowercase().split_once("allowed are ").map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a list");
    codes(&allowed).map(str::to_owned).collect()
}

#[test]
fn every_key_of_collections_and_fields_is_described() {
    let page = page(REFERENCE);
    let described = |heading: &str| first_cells(section(&page, heading)).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(described("## A collection"), allowed_instead("[[collection]]\nqqqqqqqq = 1"));
    let mut of_fields = described("### Sources");
    of_fields.extend(described("### Texts and steps"));
    of_fields.extend(described("### What becomes of the text"));
    // Of `css`, and of fields made of fields.
    of_fields.extend(["attr", "html", "own", "each", "fields", "sources"].map(str::to_owned));
    assert_eq!(of_fields, allowed_instead(&with_field("{ qqqqqqqq = 1 }")));
}

#[test]
fn every_type_and_locale_is_described() {
    let page = page(REFERENCE);
    let kinds: BTreeSet<_> =
        table(section(&page, "### Types")).iter().map(|row| kind_of(&row[0]).0.to_owned()).collect();
    let mut known = allowed_instead(&with_field("{ css = 'p', type = 'qqqqqqqq' }"));
    assert!(known.remove("datetime"), "it has a table of its own");
    assert_eq!(kinds, known);
    let row = table(section(&page, "### What becomes of the text"))
        .into_iter()
        .find(|row| row[0] == "locale")
        .expect("a row");
    let locales: BTreeSet<_> = codes(&row[1]).map(str::to_owned).filter(|name| name != "de-CH").collect();
    let mut known = allowed_instead(&with_field("{ css = 'p', type = 'number', locale = 'qqqqqqqq' }"));
    known.remove("de-at");
    assert_eq!(locales, known);
}

/// `number` with `locale = "de"`: the type, and what else the field says.
fn kind_of(cell: &str) -> (&str, &str) {
    if cell.contains('`') {
        let mut codes = codes(cell);
        (codes.next().unwrap_or_default(), codes.next().unwrap_or_default())
    } else {
        (cell, "")
    }
}

#[test]
fn texts_become_what_the_table_of_types_says() {
    let rows = table(section(&page(REFERENCE), "### Types"));
    assert!(rows.len() > 10);
    for row in rows {
        let (kind, more) = kind_of(&row[0]);
        let comma = if more.is_empty() { "" } else { ", " };
        let expected =
            (!row[2].starts_with("*unparsable")).then(|| serde_json::from_str::<Value>(&row[2]).expect("JSON"));
        assert_eq!(made_of(&row[1], &format!("type = '{kind}'{comma}{more}")), expected, "{row:?}");
    }
}

#[test]
fn dates_become_what_their_table_says() {
    let rows = table(section(&page(REFERENCE), "### What `date` and `datetime` return"));
    assert!(rows.len() > 10);
    for row in rows {
        let expected = |cell: &str| (!cell.starts_with("*unparsable")).then(|| Value::from(cell));
        assert_eq!(made_of(&row[0], "type = 'datetime'"), expected(&row[1]), "{row:?}");
        assert_eq!(made_of(&row[0], "type = 'date'"), expected(&row[2]), "{row:?}");
    }
}

#[test]
fn selectors_and_paths_work_or_do_not_as_their_tables_say() {
    let page = page(REFERENCE);
    let works = |row: &[String]| row[1] == "yes";
    let selectors = table(section(&page, "## Selectors"));
    let paths = table(section(&page, "## JSONPath"));
    assert!(selectors.len() > 20 && paths.len() > 5);
    for row in selectors {
        assert_eq!(Selector::parse(&row[0]).is_ok(), works(&row), "{}", row[0]);
    }
    let expressions = table(section(&page, "### XPath"));
    assert!(expressions.len() > 10);
    for row in expressions {
        assert_eq!(XPath::parse(&row[0]).is_ok(), works(&row), "{}", row[0]);
    }
    for row in paths {
        let rules = with_field(&format!("{{ json = {:?} }}", row[0]));
        assert_eq!(Rules::read(&rules).is_ok(), works(&row), "{}", row[0]);
    }
}
