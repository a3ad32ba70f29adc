use seine_testkit::Dice;
use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

const ALL: Wanted = Wanted { metadata: true, text: true, markdown: true, tables: true };

fn of(page: &str) -> PageExtras {
    let url = Url::parse("https://example.com/a/b.html").unwrap();
    extras(page.as_bytes(), Some(b"text/html; charset=utf-8"), &url, ALL, &|| true).unwrap()
}

fn metadata_of(page: &str) -> Value {
    serde_json::from_str(&of(page).metadata.unwrap()).unwrap()
}

fn tables_of(page: &str) -> Value {
    serde_json::from_str(&of(page).tables.unwrap()).unwrap()
}

#[test]
fn metadata_is_what_the_page_says_and_no_more() {
    assert_eq!(metadata_of("<p>nothing"), json!({}));
    let page = r#"<html><head>
        <meta property="og:title" content=" A  title "><meta property="og:image" content="/1.png">
        <meta property="og:image" content="/2.png"><meta property="og:site_name" content="Example News">
        <meta name="twitter:card" content="summary"><meta name="generator" content="Hugo 0.1">
        <meta name="keywords" content="a, b,a ,">
        <meta property="article:published_time" content="2024-05-01T10:00:00+02:00">
        <meta name="author" content="Meta Person"><meta name="date" content="yesterday">
        <link rel="alternate" type="application/rss+xml" title="News" href="/feed.xml">
        <link rel="alternate" hreflang="de" href="../de/b.html"><link rel="amphtml" href="?amp">
        <link rel="shortcut icon" href="/favicon.ico" sizes="16x16"><link rel="license" href="//cc.example/by/4.0">
        <script type="application/ld+json">{"@context": "https://schema.org", "@graph": [
          {"@type": ["NewsArticle", "Article"], "author": [{"name": "Ada"}, {"name": "Grace"}],
           "dateModified": "2024-05-02", "publisher": {"name": "Publisher"}},
          {"@type": "WebSite"}]}</script>
        <script type="application/ld+json">{"broken": </script>
        </head><body><time datetime="2023-01-01">then</time>"#;
    assert_eq!(
        metadata_of(page),
        json!({
            "og": {"title": "A title", "image": ["/1.png", "/2.png"], "site_name": "Example News"},
            "twitter": {"card": "summary"},
            "jsonld_types": ["NewsArticle", "Article", "WebSite"],
            "author": "Ada, Grace",
            "published": "2024-05-01T10:00:00+02:00",
            "modified": "2024-05-02",
            "site_name": "Example News",
            "keywords": ["a", "b"],
            "generator": "Hugo 0.1",
            "license": "https://cc.example/by/4.0",
            "feeds": [{"url": "https://example.com/feed.xml", "type": "application/rss+xml", "title": "News"}],
            "hreflang": [{"lang": "de", "url": "https://example.com/de/b.html"}],
            "icons": [{"url": "https://example.com/favicon.ico", "rel": "shortcut icon", "sizes": "16x16"}],
            "amp": "https://example.com/a/b.html?amp",
        })
    );
}

#[test]
fn dates_are_kept_as_written_if_they_are_dates() {
    for (written, is_kept) in [
        ("2024-05-01", true),
        ("2024-05-01T10:00Z", true),
        ("2024-05-01T10:00:00.123+0200", true),
        ("2024-05-01 10:00:00", true),
        ("2024-13-01", false),
        ("May 1st, 2024", false),
        ("", false),
    ] {
        let page = format!(r#"<time datetime="{written}">x</time>"#);
        let expected = if is_kept { json!({"published": written}) } else { json!({}) };
        assert_eq!(metadata_of(&page), expected, "{written}");
    }
}

#[test]
fn links_are_relative_to_the_base_in_the_charset_of_the_page() {
    let page = b"<base href='/c/'><meta charset=iso-8859-1><link rel=amphtml href='x?q=\xE4'>";
    let url = Url::parse("https://example.com/a/b.html").unwrap();
    let found = extras(page, Some(b"text/html"), &url, ALL, &|| true).unwrap();
    assert_eq!(found.metadata.unwrap(), r#"{"amp":"https://example.com/c/x?q=%E4"}"#);
}

#[test]
fn tables_are_rows_of_texts_with_spans_written_out() {
    for (page, tables) in [
        ("<p>no table", json!([])),
        ("<table></table><table><tr></table>", json!([])),
        ("<table><tr><th>a<th> b  c<tr><td>1<td><b>2</b>\n3</table>", json!([[["a", "b c"], ["1", "2 3"]]])),
        ("<table><tr><td colspan=2>a<td>b<tr><td>1<td>2<td>3</table>", json!([[["a", "a", "b"], ["1", "2", "3"]]])),
        (
            "<table><tr><td rowspan=2>a<td>b<tr><td>c<tr><td>d<td>e</table>",
            json!([[["a", "b"], ["a", "c"], ["d", "e"]]]),
        ),
        ("<table><tr><td>a<td rowspan=3>b<tr><tr><td>c</table>", json!([[["a", "b"], ["", "b"], ["c", "b"]]])),
        (
            "<table><tbody><tr><td rowspan=0>a<td>b<tr><td>c</tbody><tbody><tr><td>d</tbody></table>",
            json!([[["a", "b"], ["a", "c"], ["d"]]]),
        ),
        ("<table><tr><td>out<table><tr><td>in</table>side<td>x</table>", json!([[["in"]], [["outside", "x"]]])),
        ("<table><tr><td>a<script>no</script><br>b<td></table>", json!([[["a b", ""]]])),
        ("<table><tr><td rowspan=x colspan=-1>a</table>", json!([[["a"]]])),
    ] {
        assert_eq!(tables_of(page), tables, "{page}");
    }
}

#[test]
fn spans_cannot_make_a_table_large() {
    for page in [
        "<table><tr><td colspan=1000 rowspan=65534>x".to_owned() + &"<tr>".repeat(100_000),
        format!("<table><tr>{}<td rowspan=65534>x{}", "<td>".repeat(90_000), "<tr>".repeat(300_000)),
        format!("<table><tr>{}{}", "<td>".repeat(90_000), "<tr>".repeat(300_000)),
        format!("<table><tr><td colspan=1000 rowspan=9>{}", "long text ".repeat(100_000)),
    ] {
        let begun = Instant::now();
        let tables = of_tables(&page);
        let cells: usize = tables.iter().flatten().map(Vec::len).sum();
        let bytes: usize = tables.iter().flatten().flatten().map(String::len).sum();
        assert!(cells <= tables::MAX_CELLS && bytes <= tables::MAX_TABLES_BYTES, "{cells} cells of {bytes} bytes");
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }
}

fn of_tables(page: &str) -> Vec<Vec<Vec<String>>> {
    let url = Url::parse("https://example.com/").unwrap();
    let wanted = Wanted { tables: true, ..Wanted::default() };
    let found = extras(page.as_bytes(), Some(b"text/html"), &url, wanted, &|| true).unwrap();
    serde_json::from_str(&found.tables.unwrap()).unwrap()
}

const ARTICLE: &str = "The harbour of the town was built by fishermen, as the chronicle tells, in the year of the great \
    storm. It has been widened three times since, and each time somebody found, under the stones, another wall.";

fn article_page() -> String {
    let nav: String = (0..20).map(|n| format!("<li><a href=/{n}>Section {n}</a>")).collect();
    format!(
        "<title>The harbour | Town</title><nav><ul>{nav}</ul></nav><div class=sidebar>Subscribe now</div>\
         <article><h2>How it <i>came</i> to be</h2><p>{ARTICLE}</p><p>{ARTICLE} <a href=map.html>A map</a>.</p>\
         <pre>line one\n  line two</pre><ul><li>first</li><li>second</li></ul><p>{ARTICLE}</p></article>\
         <footer>All rights reserved</footer><script>var x = 'p';</script>"
    )
}

#[test]
fn main_text_is_the_article_with_its_paragraphs() {
    let found = of(&article_page());
    let text = found.text.unwrap();
    assert_eq!(text.matches("chronicle").count(), 3, "{text}");
    assert!(text.contains("How it came to be\n\nThe harbour of"), "{text}");
    assert!(text.contains("line one\n  line two\n\nfirst\nsecond\n\nThe harbour"), "{text}");
    for noise in ["Section 3", "Subscribe", "All rights", "var x"] {
        assert!(!text.contains(noise), "{noise} in {text}");
    }
    let markdown = found.markdown.unwrap();
    assert!(markdown.contains("## How it *came* to be") && markdown.contains("- first"), "{markdown}");
    assert!(markdown.contains("[A map](https://example.com/a/map.html)"), "{markdown}");
    assert!(!markdown.contains("Section 3"), "{markdown}");
}

#[test]
fn where_there_is_no_article_the_text_is_the_body_without_what_surrounds_it() {
    let found =
        of("<nav>Menu</nav><div>One<br>two <b>three</b></div><p>Four</p><style>p{}</style><footer>Foot</footer>");
    assert_eq!(found.text.unwrap(), "One\ntwo three\n\nFour");
    let found = of("");
    assert_eq!((found.text.unwrap(), found.markdown.unwrap()), (String::new(), String::new()));
}

#[test]
fn what_is_no_html_or_not_wanted_gives_nothing() {
    let url = Url::parse("https://example.com/").unwrap();
    let body = b"<title>x</title>";
    assert_eq!(extras(body, Some(b"image/png"), &url, ALL, &|| true), Some(PageExtras::default()));
    assert_eq!(extras(body, None, &url, Wanted::default(), &|| false), Some(PageExtras::default()));
    let only = Wanted { metadata: true, ..Wanted::default() };
    let found = extras(body, Some(b"text/html"), &url, only, &|| true).unwrap();
    assert!(found.metadata.is_some() && found.text.is_none() && found.tables.is_none() && found.markdown.is_none());
}

#[test]
fn told_to_stop_it_stops_wherever_it_is() {
    let page = article_page() + &"<p>a <b>b</b><table><tr><td>c</table>".repeat(500);
    let url = Url::parse("https://example.com/").unwrap();
    let asked = Cell::new(0);
    let count = |answer: bool| {
        asked.set(asked.get() + 1);
        answer
    };
    extras(page.as_bytes(), Some(b"text/html"), &url, ALL, &|| count(true)).unwrap();
    let all = asked.replace(0);
    assert!(all > 50, "asked {all} times only");
    for stop_at in (1..=all).step_by(7).chain([all]) {
        asked.set(0);
        let found = extras(page.as_bytes(), Some(b"text/html"), &url, ALL, &|| count(asked.get() + 1 < stop_at));
        assert_eq!(found, None, "went on after {stop_at} of {all}");
    }
}

#[test]
fn hostile_pages_end_in_bounded_time_and_on_a_small_stack() {
    let pages = [
        ("nested", "<div>".repeat(5_000_000)),
        ("closed", "<div>".repeat(20_000) + "text" + &"</div>".repeat(20_000)),
        ("tables", "<table><tr><td>".repeat(3_000)),
        ("lists", "<ul><li>x".repeat(20_000)),
        ("quotes", "<blockquote>".repeat(90) + &"<p>x, y, and z, and more</p>".repeat(5_000)),
        ("formatting", "<b><i><u><p>x".repeat(2_000)),
        (
            "reopened",
            "<p><math><mi>".to_owned()
                + &(0..80).map(|n| format!("<b id=b{n}>")).collect::<String>()
                + &"<p>x, y, and z".repeat(40_000),
        ),
        ("one text", "word, ".repeat(300_000)),
        ("json", format!("<script type=application/ld+json>{}", "[".repeat(500_000))),
        ("breaks", "x<br>".repeat(20_000)),
    ];
    for (name, page) in pages {
        let work = move || {
            let begun = Instant::now();
            let url = Url::parse("https://example.com/").unwrap();
            let in_time = || begun.elapsed() < Duration::from_secs(2);
            let _ = extras(page.as_bytes(), Some(b"text/html"), &url, ALL, &in_time);
            begun.elapsed()
        };
        let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap();
        let took = thread.join().unwrap_or_else(|_| panic!("{name} panicked"));
        assert!(took < Duration::from_secs(60), "{name} took {took:?}");
    }
}

#[test]
fn random_pages_give_something_and_never_panic() {
    const WORDS: [&str; 36] = [
        "<div>",
        "</div>",
        "<p>",
        "</p>",
        "<table>",
        "<tr>",
        "<td rowspan=3>",
        "<th colspan=2>",
        "</table>",
        "<pre>",
        "<ul>",
        "<li>",
        "<a href='x'>",
        "</a>",
        "<img src=y alt=z>",
        "<h1>",
        "</h2>",
        "<b>",
        "</b>",
        "<svg>",
        "<math>",
        "<noscript>",
        "<template>",
        "<select>",
        "<br>",
        "text, and more of it. ",
        "ä€\u{1F600}",
        "\0",
        "&amp;&#0;",
        "<meta property=og:x content=y>",
        "<script type=application/ld+json>[{\"@type\":\"A\"}]</script>",
        "<article>",
        "<blockquote>",
        "<code>",
        "<time datetime=2024-01-01>",
        "<em>* _ # [x]</em>",
    ];
    let mut dice = Dice::of(0x5e1e_0004);
    let mut random = |n: usize| dice.below(n);
    let url = Url::parse("https://example.com/").unwrap();
    for round in 0..150 {
        let mut page = Vec::new();
        for _ in 0..random(200) {
            match random(20) {
                0 => page.push(random(256) as u8),
                _ => page.extend_from_slice(WORDS[random(WORDS.len())].as_bytes()),
            }
        }
        let found = extras(&page, Some(b"text/html"), &url, ALL, &|| true).unwrap();
        for json in [found.metadata.unwrap(), found.tables.unwrap()] {
            serde_json::from_str::<Value>(&json).unwrap_or_else(|error| panic!("round {round}: {error}: {json}"));
        }
    }
}
