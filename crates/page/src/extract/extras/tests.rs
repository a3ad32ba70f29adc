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
    let mut metadata: Value = serde_json::from_str(&of(page).metadata.unwrap()).unwrap();
    let kind = metadata.as_object_mut().and_then(|metadata| metadata.remove("text_kind"));
    assert!(kind.is_some_and(|kind| kind.is_string()), "the text was asked for");
    metadata
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
            "title": "A title",
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
fn what_readers_see_counts_where_machines_are_told_nothing() {
    let found = metadata_of(
        "<title>The harbour | Town</title><nav><p class=author>Nobody</p></nav><h1>The harbour</h1>\
         <div class=byline>By <a rel=author href=/ada>Ada Lovelace</a> and <a rel=author href=/grace>Grace Hopper</a></div>\
         <p class=date>May 3, 2026 (updated 4 May 2026)</p><p class=changed>Last updated: 5 May 2026</p>\
         <div class=comments><p class=author>Guest Speaker</p><p class=date>6 May 2026</p></div>",
    );
    let expected = json!({
        "title": "The harbour", "author": "Ada Lovelace, Grace Hopper", "published": "2026-05-03", "modified": "2026-05-05",
        "language": "en",
    });
    assert_eq!(found, expected);
}

#[test]
fn metadata_reads_json_ld_as_sites_write_it() {
    for block in [
        r#"{"author": {"name": "Ada"}, "datePublished": "2024-05-01"}"#,
        "\n//<![CDATA[\n{\"author\": {\"name\": \"Ada\"}, \"datePublished\": \"2024-05-01\",}\n//]]>\n",
        "<!-- {\"author\": [{\"name\": \"Ada\",},], \"datePublished\": \"2024-05-01\"} -->",
        "{\"description\": \"one\ntwo\", \"author\": \"Ada\", \"datePublished\": \"2024-05-01\"}",
        r#"{"description": "\ud83d", "author": "Ada", "datePublished": "2024-05-01"}"#,
        r#"{"@type": "WebSite", "x": 1e400} {"author": "Ada", "datePublished": "2024-05-01"};"#,
        r#"[{"id": 12345678901234567890123}, {"author": "Ada", "datePublished": "2024-05-01", "x": NaN}]"#,
    ] {
        let found = metadata_of(&format!("<script type=' Application/LD+JSON; charset=utf-8'>{block}</script>"));
        assert_eq!((&found["author"], &found["published"]), (&json!("Ada"), &json!("2024-05-01")), "{block}");
    }
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
    assert_eq!(found.metadata.unwrap(), r#"{"amp":"https://example.com/c/x?q=%E4","text_kind":"whole"}"#);
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
        ("<table><tr><td>out<table><tr><td>in</table>side<td>x</table>", json!([[["in"]], [["out side", "x"]]])),
        ("<table><tr><td>a<script>no</script><br>b<td></table>", json!([[["a b", ""]]])),
        ("<table><tr><td rowspan=x colspan=-1>a</table>", json!([[["a"]]])),
        ("<table><tr><td colspan='2;'>a<td>b</table>", json!([[["a", "a", "b"]]])),
        ("<table><tr><td colspan=' +2.9' rowspan='2px'>a<tr><td>b</table>", json!([[["a", "a"], ["a", "a", "b"]]])),
        (
            "<table><tr><td><h3>Title</h3>Text<ul><li>1<li>2</ul><td>x<wbr>y<b>z</b></table>",
            json!([[["Title Text 1 2", "xyz"]]]),
        ),
        (
            "<table><tr><td><figure>a<figcaption>b</figcaption></figure><dl><dt>c<dd>d</dl></table>",
            json!([[["a b c d"]]]),
        ),
        (
            "<table><tr><td>a<noscript><img src=x></noscript><iframe><b>c</b></iframe><td>b</table>",
            json!([[["a", "b"]]]),
        ),
        (
            "<table><tr><td><pre>1\n2<br>3</pre><td><math><mi>x</mi><annotation>y</annotation></math></table>",
            json!([[["1 2 3", "x"]]]),
        ),
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
    for noise in ["Section 3", "Subscribe", "All rights", "var x"] {
        assert!(!text.contains(noise), "{noise} in {text}");
    }
    let markdown = found.markdown.unwrap();
    assert!(markdown.contains("[A map](https://example.com/a/map.html)"), "{markdown}");
    assert!(!markdown.contains("Section 3"), "{markdown}");
}

#[test]
fn the_text_of_a_short_page_is_the_body_without_what_surrounds_it() {
    let found =
        of("<nav>Menu</nav><div>One<br>two <b>three</b></div><p>Four</p><style>p{}</style><footer>Foot</footer>");
    assert_eq!(found.text.unwrap(), "One\ntwo three\n\nFour");
    let found = of("");
    assert_eq!((found.text.unwrap(), found.markdown.unwrap()), (String::new(), String::new()));
}

/// The Markdown and the text of a short page.
fn markdown_of(page: &str) -> (String, String) {
    let found = of(page);
    (found.markdown.unwrap(), found.text.unwrap())
}

#[test]
fn tables_of_any_shape_are_grids_in_markdown_and_words_in_text() {
    for (page, markdown, text) in [
        (
            "<table><tr><th>1<th>2<tr><td rowspan=2>3<td>4<tr><td>5</table>",
            "| 1 | 2 |\n| - | - |\n| 3 | 4 |\n|  | 5 |",
            "1 2\n3 4\n5",
        ),
        (
            "<table><tr><th>1<th>2<tr><td>3<tr><td>4<td>5</table>",
            "| 1 | 2 |\n| - | - |\n| 3 |  |\n| 4 | 5 |",
            "1 2\n3\n4 5",
        ),
        (
            "<table><tr><th>1<th>2<th>3<tr><td>4<td colspan='2;'>5<tr><td>6<td>7<td>8</table>",
            "| 1 | 2 | 3 |\n| - | - | - |\n| 4 | 5 |  |\n| 6 | 7 | 8 |",
            "1 2 3\n4 5\n6 7 8",
        ),
        (
            "<table><caption>C</caption><tr><td>1<td>2<tr><td>3</table>",
            "C\n\n|   |   |\n| - | - |\n| 1 | 2 |\n| 3 |  |",
            "C\n1 2\n3",
        ),
        (
            "<table><tr><td>1<table><tr><td>2<td>3</table><td>4</table>",
            "1\n\n|   |   |\n| - | - |\n| 2 | 3 |\n\n4",
            "1\n\n2 3\n\n4",
        ),
        (
            "<table><tr><th>a<tr><td><h3>Title</h3><p>Text</p><pre>x = 1\ny = 2<br>z</pre></table>",
            "| a |\n| - |\n| **Title**<br>Text<br>`x = 1`<br>`y = 2`<br>`z` |",
            "a\n\nTitle\n\nText\n\nx = 1\ny = 2\nz",
        ),
    ] {
        assert_eq!(markdown_of(page), (markdown.to_owned(), text.to_owned()), "{page}");
    }
}

#[test]
fn words_of_blocks_stay_apart_and_headings_have_one_line() {
    for (page, markdown, text) in [
        ("<dl><dt>Term<dd>Def<dt>Two<dd>Three</dl>", "**Term**\n\nDef\n\n**Two**\n\nThree", "Term\nDef\nTwo\nThree"),
        (
            "<pre>line1<br>line2<div>three</div>four</pre>",
            "```\nline1\nline2\nthree\nfour\n```",
            "line1\nline2\nthree\nfour",
        ),
        ("<pre>\n\n a\n</pre>", "```\n\n a\n```", "\n a"),
        ("<h2><div>A</div><div>title</div></h2><p>x", "## A title\n\nx", "A\ntitle\n\nx"),
        ("<h2>A<br>title</h2>", "## A title", "A\ntitle"),
        ("<figure>a<figcaption>b</figcaption></figure><summary>c</summary>d", "a\n\nb\n\n**c**\n\nd", "a\nb\n\nc\nd"),
        ("<p><math><mi>x</mi><annotation encoding=t>\\x</annotation></math> y", "x y", "x y"),
        ("<p>a<noscript><b>b</b></noscript>c", "ac", "ac"),
    ] {
        assert_eq!(markdown_of(page), (markdown.to_owned(), text.to_owned()), "{page}");
    }
}

#[test]
fn images_are_those_that_scripts_put_in_place() {
    for (image, url) in [
        ("<img src=/a.png>", Some("a.png")),
        ("<img src='data:image/gif;base64,R0' data-src=/a.png>", Some("a.png")),
        ("<img class=lazyload src=/x.png data-src=/a.png>", Some("a.png")),
        ("<img src=/placeholder.gif data-original=/a.png>", Some("a.png")),
        ("<img src=/a.png data-src=/other.png>", Some("a.png")),
        ("<img srcset='/b.png 1x, /a.png 2x'>", Some("a.png")),
        ("<img data-srcset='/b.png 320w, /a.png 640w'>", Some("a.png")),
        ("<picture><source srcset='/a.png 2x'><img src='data:,x'></picture>", Some("a.png")),
        ("<img src='data:,x'>", None),
    ] {
        let (markdown, _) = markdown_of(&format!("<p>x {image} y"));
        let expected = url.map_or(String::new(), |url| format!("![](https://example.com/{url})"));
        assert!(markdown.contains(&expected) && markdown.contains("![]") == url.is_some(), "{image}: {markdown}");
    }
    let page = article_page().replacen("<pre>", "<p><img src='data:image/gif;base64,R0' data-src=/a.png></p><pre>", 1);
    let (markdown, text) = markdown_of(&page);
    assert!(markdown.contains("![](https://example.com/a.png)"), "in an article, too: {markdown}");
    assert_eq!(text.matches("chronicle").count(), 3, "{text}");
}

#[test]
fn links_of_text_and_metadata_follow_the_base_of_the_document_alone() {
    for (base, url) in [
        ("<base href=/c/>", "https://example.com/c/x"),
        ("<base href='javascript:void(0)'>", "https://example.com/a/x"),
        ("<base href='data:,x'>", "https://example.com/a/x"),
        ("<svg><base href=/c/></svg>", "https://example.com/a/x"),
        ("<template><base href=/c/></template>", "https://example.com/a/x"),
    ] {
        let found = of(&format!("{base}<link rel=amphtml href=x><p><a href=x>y</a>"));
        assert_eq!(found.metadata.unwrap(), format!(r#"{{"amp":"{url}","text_kind":"whole"}}"#), "{base}");
        assert_eq!(found.markdown.unwrap(), format!("[y]({url})"), "{base}");
    }
}

#[test]
fn every_limit_that_a_page_meets_is_told() {
    let told = |page: &str, wanted: Wanted| {
        let url = Url::parse("https://example.com/").unwrap();
        let found = extras(page.as_bytes(), Some(b"text/html"), &url, wanted, &|| true).unwrap();
        let told = found.beyond.iter().map(|excess| format!("{}: {}", excess.field, excess.found)).collect::<Vec<_>>();
        (found, told)
    };
    let only = Wanted::default();
    let (found, problems) =
        told(&("<table>".to_owned() + &"<tr><td>1<td colspan=9>2".repeat(60_000)), Wanted { tables: true, ..only });
    let rows: Vec<Vec<Vec<String>>> = serde_json::from_str(&found.tables.unwrap()).unwrap();
    assert!(rows[0].len() * 10 == tables::MAX_CELLS && rows[0].iter().all(|row| row.len() == 10));
    assert!(problems.iter().any(|told| told == "tables: more than 500000 cells: the rest is left out"), "{problems:?}");
    let long = "word ".repeat(tables::MAX_CELL_BYTES / 4);
    let (found, problems) =
        told(&format!("<table><tr><td>{long}<td>x<tr><td>{long}</table>"), Wanted { tables: true, ..only });
    assert!(found.tables.unwrap().len() < 2 * tables::MAX_CELL_BYTES + 100);
    assert_eq!(problems, ["tables: more than 65536 bytes of a cell: cut (2 times)"]);
    let page = format!("<p>{}</p>", "word ".repeat(article::MAX_ARTICLE_BYTES / 4));
    let (found, problems) = told(&page, Wanted { text: true, ..only });
    assert!(found.text.unwrap().len() <= article::MAX_ARTICLE_BYTES);
    assert_eq!(problems, ["text: more than 4194304 bytes: cut"]);
    let meta =
        "<meta property=og:x content=y>".repeat(250) + &format!("<meta name=author content='{}'>", "n".repeat(3000));
    let (_, problems) = told(&meta, Wanted { metadata: true, ..only });
    assert_eq!(
        problems,
        [
            "metadata: more than 200 entries of a list or object: the rest is left out (50 times)",
            "metadata: more than 2048 bytes of a value: cut"
        ]
    );
    let (_, problems) = told(&article_page(), ALL);
    assert_eq!(problems, [""; 0]);
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

const WORDS: &str = "The kettle is made of steel and boils a litre of water in three minutes, which is as fast as any other \
    that we have had in our kitchen over the last years. ";

#[test]
fn comments_are_told_apart_from_the_text() {
    let comments = "<div id=comments><h2>2 comments</h2><ol class=comment-list><li id=comment-1 class='comment depth-1'>\
        <article class=comment-body><footer class=comment-meta><b class=fn>Ada Byron</b> says: <a href=#><time \
        datetime='2026-05-01T10:00:00Z'>May 1</time></a></footer><div class=comment-content><p>Mine broke after a \
        week.<p>Twice.</div><div class=reply><a href=#>Reply</a></div></article><ul class=children><li class=comment>\
        <div class=comment-author>Bo</div><p>Not mine.<script>x</script></ul></li></ol></div>";
    let page = format!(
        "<title>Kettle</title><article><h1>Kettle</h1>{}</article>{comments}",
        format!("<p>{WORDS}</p>").repeat(8)
    );
    let url = Url::parse("https://example.com/").unwrap();
    let expected = json!([
        {"author": "Ada Byron", "published": "2026-05-01T10:00:00Z", "text": "Mine broke after a week. Twice."},
        {"author": "Bo", "text": "Not mine."},
    ]);
    let only = Wanted { metadata: true, ..Wanted::default() };
    let found = extras(page.as_bytes(), None, &url, only, &|| true).unwrap();
    let metadata: Value = serde_json::from_str(&found.metadata.unwrap()).unwrap();
    assert_eq!(metadata["comments"], expected);
    assert_eq!(metadata.get("language"), None, "there is no text to tell it");
    // Comments that the text has are not told again, and none is lost.
    let found = of(&page);
    let metadata: Value = serde_json::from_str(&found.metadata.unwrap()).unwrap();
    let told = metadata.get("comments").map(Value::to_string).unwrap_or_default();
    let text = found.text.unwrap();
    for comment in ["Mine broke after a week.", "Twice.", "Not mine."] {
        assert!(told.contains(comment) != text.contains(comment), "{comment}: {told}\n{text}");
    }
    // Microdata says it without names.
    let page = "<div itemprop=comment itemscope itemtype=https://schema.org/Comment><span itemprop=author>Cy</span><p \
        itemprop=text>Good</div><p class=comment>no comment</p>";
    let found = extras(page.as_bytes(), None, &url, only, &|| true).unwrap();
    let metadata: Value = serde_json::from_str(&found.metadata.unwrap()).unwrap();
    assert_eq!(metadata["comments"], json!([{"author": "Cy", "text": "Good"}]));
}

#[test]
fn many_comments_are_bounded_and_said_to_be() {
    let many = format!("<div class=comments>{}", "<div class=comment><p>a</div>".repeat(300));
    let only = Wanted { metadata: true, ..Wanted::default() };
    let url = Url::parse("https://example.com/").unwrap();
    let found = extras(many.as_bytes(), None, &url, only, &|| true).unwrap();
    assert!(!found.beyond.is_empty());
    let metadata: Value = serde_json::from_str(&found.metadata.unwrap()).unwrap();
    assert_eq!(metadata["comments"].as_array().map(Vec::len), Some(crate::extract::metadata::MAX_ENTRIES));
    // Answers to answers, as deep as it goes.
    let deep = "<div class='comments comment'>a".repeat(3_000);
    let asked = Cell::new(0);
    let count = || {
        asked.set(asked.get() + 1);
        true
    };
    extras(deep.as_bytes(), None, &url, only, &count).unwrap();
    assert!(asked.get() < 5_000, "{}", asked.get());
}

#[test]
fn the_language_is_told_if_the_page_does_not() {
    let german = "<p>Der Kessel ist aus Stahl und kocht einen Liter Wasser in drei Minuten, was so schnell ist wie bei jedem \
        anderen, den wir in den letzten Jahren in unserer Küche hatten.</p>";
    let language = |page: &str| metadata_of(page).get("language").and_then(Value::as_str).map(str::to_owned);
    assert_eq!(language(&format!("<p>{WORDS}</p>")).as_deref(), Some("en"));
    assert_eq!(language(german).as_deref(), Some("de"));
    assert_eq!(
        language("<p>吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。</p>").as_deref(),
        Some("ja")
    );
    assert_eq!(language(&format!("<html lang=fr>{german}")), None, "it says so itself");
    assert_eq!(language("<p>12 34</p>"), None);
}
