//! XPath: no expression breaks it, a mistake stands within it, what it finds is found again, and different ways to say
//! the same find the same.
#![no_main]

use std::cell::Cell;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use seine_page::extract::rules::{Page, Rules, XPath};
use url::Url;

static URL: LazyLock<Url> = LazyLock::new(|| Url::parse("https://example.org/a").expect("a URL"));

fn rules(expr: &str) -> Rules {
    let quoted = serde_json::Value::from(expr).to_string().replace('\u{7F}', "\\u007F");
    Rules::read(&format!(
        "[[collection]]\nname = 'a'\nmatch = ''\n[collection.fields]\nx = {{ xpath = {quoted}, many = true }}\n\
         y = {{ xpath = '//*[1] | //text() | //@*', many = true }}"
    ))
    .expect("what is an expression is one in a config file")
}

/// What a rule finds, if it is not told to stop before: expressions may be dear, and libFuzzer has other limits.
fn found(rules: &Rules, body: &[u8]) -> Option<Vec<String>> {
    let page = Page { url: &URL, listed_url: URL.as_str(), content_type: Some(b"text/html; charset=utf-8"), body };
    let asked = Cell::new(0);
    let items = rules.apply(&page, &|| {
        asked.set(asked.get() + 1);
        asked.get() < 2_000
    })?;
    Some(items.items.into_iter().map(|item| item.data).collect())
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    // The expression is the first line, the page the rest.
    let (expr, page) = text.split_once('\n').unwrap_or((&text, "<p class=a>x<b>y</b><table><tr><th>SKU<td>1"));
    match XPath::parse(expr) {
        Err(error) => assert!(expr.is_char_boundary(error.at) && !error.message.is_empty(), "{error:?}"),
        Ok(xpath) => {
            assert_eq!(xpath.to_string(), expr);
            let once = found(&rules(expr), page.as_bytes());
            assert_eq!(found(&rules(expr), page.as_bytes()), once, "the same again");
            // In parentheses it is the same; each node's place counts, which takes another way.
            let (same, placed) = (format!("({expr})"), format!("({expr})[position() >= 1]"));
            for other in [same, placed] {
                // No nodes, or as long as may be.
                if XPath::parse(&other).is_ok()
                    && let (Some(once), Some(again)) = (&once, found(&rules(&other), page.as_bytes()))
                {
                    assert_eq!(again, *once, "{other}");
                }
            }
        }
    }
});
