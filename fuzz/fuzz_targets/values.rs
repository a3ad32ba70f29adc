//! Numbers and dates as pages write them: no text breaks the readers, what they read is JSON of the declared type, and
//! written as machines do it is read as the same again, whatever the locale.
#![no_main]

use std::fmt::Write;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use seine_fuzz::choice;
use seine_page::extract::rules::{Page, Rules};
use serde_json::Value;
use url::Url;

const LOCALES: [&str; 12] = ["", "en", "de", "fr", "ch", "in", "ar", "es-MX", "ja", "ru", "tr", "sv"];

/// Rules of fields that read the same text as a number, a whole number, a date and a time, for each locale: as people
/// write it, and as machines do.
static RULES: LazyLock<Vec<Rules>> = LazyLock::new(|| {
    let rules = |locale: &&str| {
        let locale = if locale.is_empty() { String::new() } else { format!(", locale = \"{locale}\"") };
        let mut config = "[[collection]]\nname = \"values\"\nmatch = \".\"\n[collection.fields]\n".to_owned();
        for (name, place) in [("text", "css = \"p\""), ("data", "meta = \"data\"")] {
            for kind in ["number", "integer", "date", "datetime"] {
                let _ = writeln!(config, "{name}_{kind} = {{ {place}, type = \"{kind}\"{locale} }}");
            }
        }
        Rules::read(&config).expect("the rules of this target")
    };
    LOCALES.iter().map(rules).collect()
});

fuzz_target!(|data: &[u8]| {
    let (chosen, text) = choice(data);
    let rules = &RULES[chosen % LOCALES.len()];
    let found = read(rules, &String::from_utf8_lossy(text));
    for (name, value) in found.as_object().into_iter().flatten() {
        let written = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        let kind = name.split_once('_').map_or("", |(_, kind)| kind);
        assert!(if kind.contains("date") { value.is_string() } else { value.is_number() }, "{name}: {value}");
        let again = read(rules, &written);
        assert_eq!(&again[format!("data_{kind}")], value, "{name} in {:?}", LOCALES[chosen % LOCALES.len()]);
    }
});

/// What the rules read of a text; null if it is nothing.
fn read(rules: &Rules, text: &str) -> Value {
    let url = Url::parse("https://example.org/").expect("a URL");
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let body = format!("<meta name=data content=\"{text}\"><p>{text}</p>");
    let content_type = Some(&b"text/html; charset=utf-8"[..]);
    let page = Page { url: &url, listed_url: url.as_str(), content_type, body: body.as_bytes() };
    let found = rules.apply(&page, &|| true).expect("told to go on");
    found.items.first().map_or(Value::Null, |item| serde_json::from_str(&item.data).expect("JSON"))
}
