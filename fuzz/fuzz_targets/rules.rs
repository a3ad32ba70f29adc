//! Rules on pages, and config files of rules: no bytes break either; items are JSON of the declared fields in their
//! order, and limits hold; it stops if it is told to.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use seine_core::record::items::MAX_FOUND_BYTES;
use seine_fuzz::choice;
use seine_page::extract::rules::{MAX_ITEM_BYTES, MAX_PROBLEMS, Page, Rules};
use url::Url;

const CONFIG: &str = r#"
[[collection]]
name = "elements"
match = "."
each = "div, item, li"
[collection.fields]
text = "b"
number = { css = "i", type = "number", locale = "de", many = true }
moment = { css = "time", attr = "datetime", type = "datetime" }
html = { css = ":has(b)", html = true }
nested = { each = "p:nth-child(2)", fields = { own = { own = true }, day = { css = "u", type = "date" } } }
[[collection]]
name = "whole"
match = "."
[collection.fields]
linked = { jsonld = "$..a", many = true }
script = { css = "script", json = "$[?@.a > 1]", type = "json" }
micro = { microdata = "a.b", type = "url" }
meta = { meta = "og:title", regex = "(\\w+) ", type = "integer" }
flag = { css = "b", matches = "x" }
value = { json = "$.a[*].b", type = "json", many = true }
"#;

const CONTENT_TYPES: [Option<&[u8]>; 4] = [Some(b"text/html"), Some(b"application/json"), Some(b"text/xml"), None];

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::read(CONFIG).expect("the rules of this target"));

fuzz_target!(|data: &[u8]| {
    let (chosen, body) = choice(data);
    let text = String::from_utf8_lossy(body);
    if let Err(error) = Rules::read(&text) {
        assert!(error.line >= 1 && error.column >= 1 && !error.message.is_empty(), "{error}");
    }
    let url = Url::parse("https://example.org/dir/page.html?q=1").expect("a URL");
    let page = Page { url: &url, listed_url: url.as_str(), content_type: CONTENT_TYPES[chosen % 4], body };
    let found = RULES.apply(&page, &|| true).expect("told to go on");
    for item in &found.items {
        assert!(item.data.len() <= MAX_ITEM_BYTES);
        let value: serde_json::Value = serde_json::from_str(&item.data).expect("JSON");
        let names: Vec<_> = value.as_object().expect("an object").keys().collect();
        let fields = &RULES.collections()[usize::from(item.collection)].fields;
        assert_eq!(names, fields.iter().map(|field| &field.name).collect::<Vec<_>>());
    }
    assert!(found.problems.len() <= MAX_PROBLEMS);
    assert!(found.problems.iter().all(|problem| problem.found.len() <= MAX_FOUND_BYTES));
    assert_eq!(RULES.apply(&page, &|| true).as_ref(), Some(&found), "the same again");
    if let Some(again) = RULES.apply(&page, &|| false) {
        assert_eq!(again, found, "it stops, or is done");
    }
});
