//! A page's fields: links are absolute http(s) URLs in standard form, each once; every limit holds; the same comes
//! out whatever was read before and whether or not somebody asked to go on.
#![no_main]

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use seine_core::record::MAX_URL_BYTES;
use seine_fuzz::{check_dedup, choice};
use seine_page::extract::robots::{self, directives};
use seine_page::extract::{AGENT, Extractor, MAX_ANCHOR_BYTES, MAX_LINKS, MAX_TEXT_BYTES, MAX_TOKEN_BYTES, is_html};
use url::Url;

const CONTENT_TYPES: [Option<&[u8]>; 4] =
    [Some(b"text/html; charset=utf-8"), None, Some(b"text/html; charset=windows-1252"), Some(b"application/xhtml+xml")];

const URLS: [&str; 4] = [
    "https://example.org/dir/page.html?q=1",
    "http://example.org:8080",
    "http://[::1]/a//b/./c%2e",
    "https://xn--bcher-kva.example/%7e/?",
];

thread_local! {
    static USED: RefCell<Extractor> = RefCell::default();
}

fuzz_target!(|data: &[u8]| {
    let (chosen, body) = choice(data);
    let content_type = CONTENT_TYPES[chosen % 4];
    let url = Url::parse(URLS[chosen / 4 % 4]).expect("a URL");
    is_html(content_type, body);
    let extracted = Extractor::new().html(body, content_type, &url);

    let asked = Cell::new(false);
    let again = |answer: bool| {
        let keep_going = || {
            asked.set(true);
            answer
        };
        USED.with_borrow_mut(|extractor| extractor.html_while(body, content_type, &url, &keep_going))
    };
    let stopped = again(false);
    assert_eq!(stopped.is_none(), asked.get(), "it stops if and only if it is told to");
    assert_eq!(again(true).as_ref(), Some(&extracted));

    let fields = extracted.fields;
    let texts = [&fields.title, &fields.h1, &fields.description];
    for text in texts.into_iter().flatten() {
        assert!(text.len() <= MAX_TEXT_BYTES && is_folded(text), "{text:?}");
    }
    assert!(fields.lang.is_none_or(|lang| lang.len() <= MAX_TOKEN_BYTES));
    if let Some(asks) = &fields.robots {
        assert!(!asks.is_empty() && asks.len() <= robots::MAX_BYTES, "{asks:?}");
        assert_eq!(directives(AGENT, [asks.as_str()]).as_ref(), Some(asks), "it understands its own answer");
    }
    if let Some(canonical) = &fields.canonical {
        assert!(canonical.len() <= MAX_URL_BYTES && is_standard(canonical), "{canonical}");
    }
    assert!(fields.links.len() <= MAX_LINKS);
    let mut seen = HashSet::new();
    for link in fields.links.iter() {
        assert!(is_standard(link.url) && !link.url.contains('#') && link.url.len() <= MAX_URL_BYTES, "{}", link.url);
        assert!(seen.insert(link.url), "twice: {}", link.url);
        assert!(link.text.len() <= MAX_ANCHOR_BYTES && is_folded(link.text), "{:?}", link.text);
        assert!(link.rel.len() <= MAX_TOKEN_BYTES);
        check_dedup(link.url);
    }
});

fn is_standard(url: &str) -> bool {
    Url::parse(url).is_ok_and(|parsed| matches!(parsed.scheme(), "http" | "https") && parsed.as_str() == url)
}

/// Whether white space is single spaces between words.
fn is_folded(text: &str) -> bool {
    text.trim() == text && !text.contains("  ") && !text.chars().any(|c| c.is_whitespace() && c != ' ')
}
