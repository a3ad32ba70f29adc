//! Pages that were made to stall or kill a crawler, whatever is asked of them: each is its own trouble and nobody else's.

use std::time::{Duration, Instant};

use crate::support::{Place, Reply, Site};

/// Pages that cost seconds of work, on a machine that may have much else to do.
const LONG: Duration = Duration::from_secs(400);

/// Everything that can be wanted of a page.
const ALL: [&str; 4] = ["--text", "--markdown", "--tables", "--metadata"];

/// Selectors whose cost grows with the square of a page, or more; and a descendant `:has()`.
const RULES: &str = r#"
[[collection]]
name = "all"
match = ".*"
each = "li, p, div"
[collection.fields]
a = "a"
href = { css = "a", attr = "href", many = true }
title = { css = "h1", many = true }
html = { css = "td:has(h1)", html = true }
[[collection]]
name = "costly"
match = ".*"
[collection.fields]
has = { css = "td:has(h1), div:has(u)", many = true }
later = { css = "p:has(~ u), * ~ * ~ u", many = true }
nth = { css = ":nth-last-child(7n)", many = true }
deep = { css = "* * * * * u", many = true }
type = { css = "i:nth-last-of-type(3)", many = true }
"#;

/// Takes more time than there is with [`endless_rules`].
fn endless() -> String {
    format!("<!doctype html><title>endless</title>{}", "<p>x".repeat(6000))
}

/// Each paragraph looks at all that follow, two hundred times over.
fn endless_rules() -> String {
    let fields: String = (0..200).map(|n| format!("t{n} = 'p:has(~ u{n})'\n")).collect();
    format!("[[collection]]\nname = 'a'\nmatch = '.*'\n[collection.fields]\nh = 'h1'\n{fields}")
}

/// The page of the report: 16,000 elements within one another, 240 KB.
fn nested() -> String {
    format!("<!doctype html><title>n</title><table><tr><td>{}</table>", "<div><span>x ".repeat(16_000))
}

/// Pages of some 200 KB, by name.
fn shapes() -> Vec<(&'static str, String)> {
    let long = |part: &str| part.repeat(100_000 / part.len());
    let numbered = |count: usize, part: &dyn Fn(usize) -> String| (0..count).map(part).collect::<String>();
    vec![
        ("anchors", long("<a><b><i><div>")),
        ("divs", long("<div>")),
        ("nested", nested()),
        ("tables", long("<table><tr><td>")),
        ("tables of headings", long("<table><tr><td><h1>x")),
        ("lists", long("<ul><li>x")),
        ("siblings", format!("<body>{}", long("<i></i>"))),
        ("paragraphs", long("<p>x")),
        ("comments", format!("{}{}", long("<!---->"), long("<i></i>"))),
        ("attributes", format!("<p {}>x", numbered(20_000, &|n| format!("a{n} ")))),
        ("classes", format!("<div class='{}'>{}", numbered(10_000, &|n| format!("c{n} ")), long("<p>x"))),
        ("formatting", format!("<p>{}{}", numbered(500, &|n| format!("<b id={n}>")), long("<p>x"))),
        ("misnested", long("<b><p></b>")),
        ("bodies", numbered(5_000, &|n| format!("<body a{n}=1>"))),
        ("forms", long("<form><div></form>")),
        ("templates", long("<template>")),
        ("svg", long("<svg><g>")),
        ("cells", format!("<table>{}", long("<td>x"))),
        ("spans", format!("<table>{}", long("<tr><td rowspan=65534 colspan=1000>"))),
        ("json-ld", format!("<script type=application/ld+json>{}</script>", long("[{\"a\":"))),
        ("references", long("&amp;&notit;&#x41;")),
        ("words", long("word, and, ")),
        ("open tag", format!("<p {}", long("x='"))),
    ]
}

#[test]
fn whatever_a_page_is_made_of_it_ends_as_ok_or_as_out_of_time() {
    let names: Vec<_> = shapes().iter().map(|(name, _)| name.replace(' ', "-")).collect();
    let pages: Vec<_> = shapes().into_iter().map(|(_, page)| page).collect();
    let count = pages.len();
    let site = Site::new(move |request| {
        let kind = if request.path.starts_with("/xml") { "text/xml" } else { "text/html" };
        Reply::bytes(kind, pages[request.number() % pages.len()].clone())
    });
    let place = Place::new();
    place.write("rules.toml", RULES);
    let of = |kind: &str| (0..count).map(|n| site.url(&format!("/{kind}/{}/{n}", names[n]))).collect::<Vec<_>>();
    place.list("urls.txt", [of("html"), of("xml")].concat());
    let arguments = ["urls.txt", "--config", "rules.toml", "--parse-timeout", "200ms", "--json"];
    let ended = place.crawl(&arguments).args(&ALL).start().wait_within(LONG).expect(0);
    let json = ended.json();
    assert_eq!((&json["fetcher_crashes"], &json["pending"]), (&0.into(), &0.into()), "{}", ended.stderr);
    let store = place.store();
    let odd =
        store.rows("SELECT url, outcome, error FROM pages WHERE outcome <> 'ok' AND error IS NOT 'parse_timeout'");
    assert!(odd.is_empty(), "{odd:?}");
    store.assert_sound();
}

#[test]
fn pages_nested_too_deep_for_a_selector_end_no_fetcher_and_no_run() {
    let site = Site::new(|request| match request.number() % 7 {
        3 => Reply::html(nested()),
        _ => Reply::page(&request.path),
    });
    let place = Place::new();
    let rules =
        "[[collection]]\nname = 'a'\nmatch = '.*'\n[collection.fields]\nt = 'td:has(h1), div:has(u)'\nh = 'td'\n";
    place.write("rules.toml", rules);
    place.list("urls.txt", site.urls(40));
    let arguments = ["urls.txt", "--config", "rules.toml", "--parse-timeout", "1m", "--json"];
    let ended = place.crawl(&arguments).start().wait_within(LONG).expect(0);
    assert_eq!(ended.json()["fetcher_crashes"], 0, "{}", ended.stderr);
    assert_eq!(place.store().row("SELECT count(*), min(outcome), max(outcome) FROM pages"), "40|ok|ok");
    // Those who read stored pages, or one, survive it too.
    place.seine(&["extract", "crawl.db", "--config", "rules.toml"]).start().wait_within(LONG).expect(0);
    let page = place.write("page.html", nested());
    let page = page.to_string_lossy();
    place.write("patient.toml", "parse_timeout = '1m'\n");
    let selectors = ["--css", "td:has(h1)", "--css", "td:has(span)"];
    let found = place.seine(&["try", &page, "--config", "patient.toml", "--json"]).args(&selectors).run().json();
    assert_eq!((&found["selectors"][0]["count"], &found["selectors"][1]["count"]), (&0.into(), &1.into()));
}

#[test]
fn pages_that_take_all_the_time_there_is_delay_nobody_else() {
    const HOSTILE: usize = 8;
    const OTHERS: usize = 40;
    let site = Site::with_hosts(2, |request| match request.host {
        0 => Reply::html(endless()),
        _ => Reply::page(&request.path),
    });
    let place = Place::new();
    place.write("rules.toml", endless_rules());
    let others: Vec<_> = (0..OTHERS).map(|n| site.url_at(1, &format!("/{n}"))).collect();
    let hostile: Vec<_> = (0..HOSTILE).map(|n| site.url_at(0, &format!("/{n}"))).collect();
    // One fetcher, so that they cannot but meet.
    place.list("urls.txt", hostile.iter().chain(&others));
    let arguments =
        ["urls.txt", "--config", "rules.toml", "--fetchers", "1", "--delay", "20ms", "--parse-timeout", "1s"];
    let begun = Instant::now();
    let ended = place.crawl(&arguments).args(&["--text", "--tables", "--json"]).start().wait_within(LONG).expect(0);
    let all = begun.elapsed();
    let last = site.hits().iter().filter(|hit| hit.host == 1).map(|hit| hit.at).max();
    let others = last.expect("the other host was asked") - begun;
    println!("the others took {others:?} beside pages that took {all:?}");
    assert_eq!(ended.json()["fetcher_crashes"], 0, "{}", ended.stderr);
    assert_eq!(
        place.store().rows("SELECT outcome, error, count(*) FROM pages GROUP BY 1, 2 ORDER BY 3"),
        [format!("failed|parse_timeout|{HOSTILE}"), format!("ok|-|{OTHERS}")]
    );
    assert!(all >= Duration::from_secs(HOSTILE as u64), "each has its second of work: {all:?} in all");
    assert!(others < all / 2, "the others waited for them: {others:?} of {all:?}");
}

#[test]
fn a_page_that_takes_too_long_is_said_to_by_those_who_try_it() {
    let place = Place::new();
    place.write("rules.toml", format!("parse_timeout = '300ms'\n{}", endless_rules()));
    let page = place.write("page.html", endless());
    let page = page.to_string_lossy();
    place.seine(&["try", &page, "--config", "rules.toml"]).run().expect(2).says("more than 300ms of CPU time");
}
