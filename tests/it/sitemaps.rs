//! Sitemaps and feeds are pages of the crawl that name others.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{Place, Reply, Site};

fn xml(body: impl Into<String>) -> Reply {
    Reply::bytes("application/xml", body.into())
}

fn urlset(urls: &[(String, &str)]) -> String {
    let entries: String =
        urls.iter().map(|(url, lastmod)| format!("<url><loc>{url}</loc><lastmod>{lastmod}</lastmod></url>")).collect();
    format!("<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{entries}</urlset>")
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Paths that ended ok, with kind and depth.
fn found(place: &Place) -> BTreeSet<String> {
    let store = place.store();
    store.assert_sound();
    let sql = "SELECT substr(url, instr(substr(url, 9), '/') + 8) || ' ' || kind || ' ' || depth FROM pages WHERE outcome = 'ok'";
    store.rows(sql).into_iter().collect()
}

fn set(rows: &[&str]) -> BTreeSet<String> {
    rows.iter().map(|row| (*row).to_owned()).collect()
}

/// A site with an index of sitemaps that its robots.txt names, and one that nothing names.
fn site() -> Site {
    Site::with_hosts(2, |request| match request.path.as_str() {
        "/robots.txt" if request.host == 0 => Reply::bytes(
            "text/plain",
            format!("User-agent: *\nDisallow: /private\nSitemap: {}\n", request.url_at(0, "/index.xml")),
        ),
        "/index.xml" => xml(format!(
            "<sitemapindex><sitemap><loc>{}</loc></sitemap><sitemap><loc>{}</loc></sitemap></sitemapindex>",
            request.url_at(0, "/a.xml.gz"),
            request.url_at(0, "/b.txt")
        )),
        "/a.xml.gz" => {
            let urls = ["/a1", "/a2", "/private/a3"].map(|path| (request.url_at(0, path), "2026-01-02"));
            Reply::bytes("application/octet-stream", gzip(&urlset(&urls)))
        }
        "/b.txt" => {
            Reply::bytes("text/plain", format!("{}\n{}\n", request.url_at(0, "/b1"), request.url_at(1, "/elsewhere")))
        }
        "/a1" => Reply::html("<title>a1</title><a href=/linked>linked</a>"),
        "/sitemap.xml" if request.host == 1 => xml(urlset(&[(request.url_at(1, "/usual"), "")])),
        "/robots.txt" | "/sitemap.xml" => Reply::status(404),
        "/html.xml" => Reply::html("<!doctype html><html><title>Log in</title><input type=password>"),
        "/broken.xml" => xml(format!("<urlset><url><loc>{}</loc></url><url><loc>http", request.url_at(0, "/before"))),
        "/feed.rss" => xml("<rss version='2.0'><channel><item><title>One</title><link>/item1</link>\
             <pubDate>Mon, 05 Jan 2026 10:00:00 GMT</pubDate></item><item><link>/item2</link></item></channel></rss>"),
        path => Reply::page(path),
    })
}

#[test]
fn sitemaps_of_the_lists_hosts_are_found_and_read_with_those_they_name() {
    let (site, place) = (site(), Place::new());
    place.list("urls.txt", [site.url("/start"), site.url_at(1, "/start")]);
    place.obedient_crawl(&["urls.txt", "--sitemap", "auto"]).run().expect(0);
    assert_eq!(
        found(&place),
        set(&[
            "/start page 0",
            "/index.xml sitemap 0",
            "/a.xml.gz sitemap 0",
            "/b.txt sitemap 0",
            "/sitemap.xml sitemap 0",
            "/a1 page 0",
            "/a2 page 0",
            "/b1 page 0",
            "/elsewhere page 0",
            "/usual page 0",
        ])
    );
    let store = place.store();
    assert_eq!(store.row("SELECT lastmod FROM pages WHERE url LIKE '%/a2'"), "2026-01-02T00:00:00.000Z");
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE url LIKE '%/a2' AND found_on LIKE '%/a.xml.gz'"), 1);
    assert_eq!(store.row("SELECT outcome FROM pages WHERE url LIKE '%/private/a3'"), "robots_denied");
    assert_eq!(store.rows("SELECT DISTINCT element FROM links ORDER BY 1"), ["a", "entry", "sitemap"]);
    // Links are another matter.
    assert_eq!(site.hits_of("/linked"), 0);
    place.obedient_crawl(&["urls.txt", "--sitemap", "auto", "--follow"]).run().expect(0);
    assert_eq!(site.hits_of("/linked"), 1);
}

#[test]
fn where_nothing_names_a_sitemap_and_none_is_there_nothing_has_failed() {
    let (site, place) = (
        Site::new(|request| match request.path.as_str() {
            "/start" => Reply::page("start"),
            _ => Reply::status(404),
        }),
        Place::new(),
    );
    place.list("urls.txt", [site.url("/start")]);
    place.obedient_crawl(&["urls.txt", "--sitemap", "auto"]).run().expect(0);
    let row = place.store().row("SELECT outcome, error, error_message FROM pages WHERE kind = 'sitemap'");
    assert_eq!(row, "skipped|unreadable|there is no sitemap at the usual place");
}

#[test]
fn a_sitemap_that_a_robots_txt_names_and_that_is_not_there_is_an_error_wherever_it_would_be() {
    let (site, place) = (
        Site::new(|request| match request.path.as_str() {
            "/start" => Reply::page("start"),
            "/robots.txt" => Reply::bytes("text/plain", format!("Sitemap: {}\n", request.url_at(0, "/sitemap.xml"))),
            _ => Reply::status(404),
        }),
        Place::new(),
    );
    place.list("urls.txt", [site.url("/start")]);
    place.obedient_crawl(&["urls.txt", "--sitemap", "auto", "--fail-threshold", "100%"]).run().expect(0);
    assert_eq!(place.store().row("SELECT outcome, status FROM pages WHERE kind = 'sitemap'"), "http_error|404");
}

#[test]
fn a_sitemap_or_feed_can_be_all_that_is_given() {
    let (site, place) = (site(), Place::new());
    place
        .crawl(&["--sitemap", &site.url("/a.xml.gz"), "--feed", &site.url("/feed.rss"), "--delay", "0"])
        .run()
        .expect(0);
    let expected = [
        "/a.xml.gz sitemap 0",
        "/feed.rss feed 0",
        "/a1 page 0",
        "/a2 page 0",
        "/private/a3 page 0",
        "/item1 page 0",
        "/item2 page 0",
    ];
    assert_eq!(found(&place), set(&expected));
    let store = place.store();
    assert_eq!(store.row("SELECT lastmod FROM pages WHERE url LIKE '%/item1'"), "2026-01-05T10:00:00.000Z");
    assert_eq!(
        store.rows("SELECT DISTINCT input_file FROM pages WHERE input_file IS NOT NULL ORDER BY 1"),
        ["--feed", "--sitemap"]
    );
    assert_eq!(store.row("SELECT text FROM links WHERE to_url LIKE '%/item1'"), "One");
}

#[test]
fn what_is_no_sitemap_is_named_and_a_broken_one_read_as_far_as_it_goes() {
    let (site, place) = (site(), Place::new());
    let ended = place
        .crawl(&["--sitemap", &site.url("/html.xml"), "--sitemap", &site.url("/broken.xml"), "--delay", "0"])
        .run()
        .expect(0);
    assert!(ended.stderr.contains("/broken.xml: it breaks off at byte"), "{}", ended.stderr);
    assert_eq!(found(&place), set(&["/broken.xml sitemap 0", "/before page 0"]));
    let row = place.store().row("SELECT outcome, error, error_message FROM pages WHERE url LIKE '%/html.xml'");
    assert_eq!(row, "failed|unreadable|it is an HTML page that asks for a password, not a sitemap");
}

#[test]
fn only_what_has_changed_since_is_asked_for_and_the_rest_is_not_gone() {
    let (site, place) = (site(), Place::new());
    let of = |since: &str| place.crawl(&["--sitemap", &site.url("/a.xml.gz"), "--delay", "0", "--since", since]).run();
    of("2026-02-01").expect(0);
    assert_eq!(found(&place), set(&["/a.xml.gz sitemap 0"]));
    of("2026-01-01").expect(0);
    assert_eq!(found(&place).len(), 4);
    let before = site.count();
    of("last-run").expect(0);
    assert_eq!(site.count(), before + 1, "the sitemap alone");
    assert_eq!(place.store().number("SELECT count(*) FROM url WHERE unlisted_by IS NOT NULL"), 0);
    of("yesterday").expect(2).says("2026-01-31");
    place.crawl(&["--sitemap", "auto"]).run().expect(2).says("robots.txt files are not asked for");
}

#[test]
fn a_large_sitemap_keeps_what_it_says_of_each_url() {
    const URLS: usize = 3_000;
    let site = Site::new(|request| match request.path.as_str() {
        "/large.xml" => {
            let day = |number: usize| if number == 7 { "2026-03-01" } else { "2026-01-02" };
            let urls: Vec<_> =
                (0..URLS).map(|number| (request.url_at(0, &format!("/{number}")), day(number))).collect();
            xml(urlset(&urls))
        }
        path => Reply::page(path),
    });
    let place = Place::new();
    place.crawl(&["--sitemap", &site.url("/large.xml"), "--delay", "0", "--since", "2026-02-01"]).run().expect(0);
    assert_eq!(found(&place), set(&["/large.xml sitemap 0", "/7 page 0"]));
    assert_eq!(place.store().row("SELECT lastmod FROM pages WHERE url LIKE '%/7'"), "2026-03-01T00:00:00.000Z");
}

#[test]
fn a_sitemap_that_has_not_been_modified_names_what_it_named() {
    let asked = Arc::new(AtomicUsize::new(0));
    let of_site = Arc::clone(&asked);
    let site = Site::new(move |request| {
        if request.headers.contains_key("if-none-match") {
            of_site.fetch_add(1, Ordering::SeqCst);
            return Reply::status(304);
        }
        let reply = match request.path.as_str() {
            "/sitemap.xml" => xml(urlset(&[(request.url_at(0, "/1"), ""), (request.url_at(0, "/2"), "")])),
            path => Reply::page(path),
        };
        reply.header("ETag", "\"x\"")
    });
    let place = Place::new();
    for _ in 0..2 {
        place.crawl(&["--sitemap", &site.url("/sitemap.xml"), "--delay", "0"]).run().expect(0);
    }
    assert_eq!((site.count(), asked.load(Ordering::SeqCst)), (6, 3));
}
