//! The page about a whole site: complete, bounded, and harmless to whoever opens it.

use crate::support::{Place, Reply, Site};
use rusqlite::Connection;

const HOSTILE: &str = "</title><script>alert(1)</script>\u{202e}\" onload='x'";

/// A start page that links to ten pages, of which three have the title of others, two have none, and four are gone.
fn site() -> Site {
    Site::new(|request| {
        let escaped = HOSTILE.replace('<', "&lt;");
        match request.number() {
            _ if request.path == "/" => {
                let links = (0..10).map(|number| format!("<a href=/{number}>{escaped} {number}</a>"));
                Reply::html(format!("<title>{escaped}</title>{}", links.collect::<String>()))
            }
            number @ 0..=2 => Reply::html(format!("<title>the same</title><a href=/9>{number}</a>")),
            3 | 4 => Reply::html("<p>no title</p>"),
            5 => Reply::redirect(301, "/50"),
            50 => Reply::redirect(302, "/0"),
            _ => Reply::status(404),
        }
    })
}

fn crawled() -> (Site, Place) {
    let (site, place) = (site(), Place::new());
    let paths = ["/".to_owned()].into_iter().chain((0..10).map(|number| format!("/{number}")));
    place.list("urls.txt", paths.map(|path| site.url(&path)));
    place.crawl(&["urls.txt"]).run().expect(0);
    (site, place)
}

fn report(place: &Place, arguments: &[&str]) -> String {
    place.seine(&["report", "crawl.db", "-o", "site.html"]).args(arguments).run().expect(0);
    std::fs::read_to_string(place.path("site.html")).expect("a file")
}

/// The part of a page from the heading `id` to the end of its section.
fn section<'p>(page: &'p str, id: &str) -> &'p str {
    let (_, from) = page.split_once(&format!("<h2 id=\"{id}\">")).unwrap_or_else(|| panic!("no section {id}"));
    from.split_once("</section>").expect("its end").0
}

/// Fails unless every element of `page` that is opened is closed, in the right order.
pub fn assert_closed(page: &str) {
    const VOID: [&str; 2] = ["meta", "!doctype"];
    let mut open = Vec::new();
    for tag in page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closed in the wrong order");
        } else if !VOID.contains(&name) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

#[test]
fn a_report_is_one_page_that_needs_nothing_else() {
    let (site, place) = crawled();
    let page = report(&place, &[]);
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{page}");
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""), "{page}");
    assert_closed(&page);
    for forbidden in ["<script", " onload='x'", "\u{202e}", "src=", "url(", "@import", "<link", "<img"] {
        assert!(!page.contains(forbidden), "{forbidden} is in\n{page}");
    }
    assert!(page.contains("&lt;/title&gt;&lt;script&gt;alert(1)"), "{page}");
    // The links of the page lead to the site, and tell it nothing.
    let links = page.matches("<a class=\"url\" rel=\"noreferrer noopener\" href=\"").count();
    assert_eq!(page.matches("href=\"http").count(), links);

    let broken = section(&page, "broken");
    assert!(broken.contains("On 4 pages, to 4 addresses. 13 links were checked."), "{broken}");
    let first = broken.find(&site.url("/9")).expect("the target of most links");
    assert!(first < broken.find(&site.url("/6")).expect("another target"), "most linked first: {broken}");
    assert!(broken.contains("and 1 page more") && broken.contains("seine links crawl.db --broken"), "{broken}");
    let redirects = section(&page, "redirects");
    assert!(
        redirects.contains("1 page is found by more than one redirect") && redirects.contains("301, 302"),
        "{redirects}"
    );
    let titles = section(&page, "titles");
    for part in ["Without a title <span class=\"count\">2 pages", "The same title <span class=\"count\">3 pages"] {
        assert!(titles.contains(part), "{part} is not in\n{titles}");
    }
    assert!(
        section(&page, "outcomes").contains("<text") || section(&page, "outcomes").contains("<rect class=\"good\"")
    );
    assert!(section(&page, "speed").contains("<svg class=\"columns\""));
    assert!(section(&page, "pace").contains("every gap between two requests was kept"));
}

#[test]
fn lists_are_as_long_as_asked_for_and_totals_are_of_all() {
    let (site, place) = crawled();
    let page = report(&place, &["--limit", "1", "--accept", "410"]);
    let broken = section(&page, "broken");
    assert!(broken.contains("… and 3 more addresses") && !broken.contains(&site.url("/6")), "{broken}");
    assert!(section(&page, "titles").contains("… and 1 more pages"), "{}", section(&page, "titles"));
    let page = report(&place, &["--accept", "404"]);
    assert!(section(&page, "broken").contains("None of 13 checked links is broken."), "{page}");
}

#[test]
fn growth_is_told_run_by_run() {
    let (site, place) = crawled();
    assert!(!section(&report(&place, &[]), "runs").contains("<svg"), "one run is no growth");
    place.crawl(&["urls.txt"]).run().expect(0);
    place.list("urls.txt", [site.url("/0"), site.url("/1")]);
    place.crawl(&["urls.txt", "--limit", "1"]).run().expect(3);
    let page = report(&place, &[]);
    let runs = section(&page, "runs");
    assert_eq!(runs.matches("<rect").count(), 5, "two runs of two parts, one of one: {runs}");
    assert!(page.contains("was stopped (limit). 1 URL is still pending."), "{page}");
}

#[test]
fn a_store_with_nothing_in_it_has_a_report() {
    let place = Place::new();
    // So many lines that a URL may still come are no reason to refuse a pipe.
    place.crawl(&["-"]).stdin("nonsense\n".repeat(2000)).run();
    let page = report(&place, &[]);
    assert_closed(&page);
    for part in ["No link leads to a page of this crawl.", "Nothing has answered.", "Nobody was asked for anything."] {
        assert!(page.contains(part), "{part} is not in\n{page}");
    }
}

#[test]
fn a_report_is_whole_or_not_there() {
    let (_site, place) = crawled();
    let usage = |arguments: &[&str], says: &str| {
        place.seine(&["report", "crawl.db"]).args(arguments).run().expect(2).says(says);
    };
    usage(&["-o", "nowhere/site.html"], "cannot write");
    usage(&["-o", "crawl.db"], "belongs to the store");
    usage(&["-o", "site.csv"], "a report is HTML");
    usage(&["--limit", "0"], "0");
    place.seine(&["report", "none.db", "-o", "site.html"]).run().expect(2).says("no crawl store");
    assert!(!place.path("site.html").exists());
    let piped = place.seine(&["report", "crawl.db"]).run().expect(0);
    assert!(piped.stdout.ends_with(b"</html>\n"));
}

#[test]
fn a_store_that_lies_makes_a_page_that_is_as_small_and_as_harmless() {
    let (_site, place) = crawled();
    let db = Connection::open(place.db()).expect("the store");
    // Whatever somebody may have put there.
    db.execute_batch(
        "UPDATE page SET error = replace(hex(zeroblob(50000)), '0', '<script>'), content_type = error WHERE url_id % 2;
         UPDATE page SET redirects = '[[[\"<script>\"]]]', title = '<script>', canonical = NULL, final_url = NULL;
         UPDATE run SET ended_by = replace(hex(zeroblob(50000)), '0', '<b>');
         UPDATE host SET name = replace(hex(zeroblob(50000)), '0', '\"><i>');
         UPDATE page_link SET links = '[[\"http://127.0.0.1/\\u0000\",\"<script>\",3,\"x\"],[],{}]' WHERE url_id = 2;",
    )
    .expect("a store can say anything");
    drop(db);
    let page = report(&place, &[]);
    assert_closed(&page);
    assert!(page.len() < 200_000 && !page.contains("<script") && !page.contains("<i>"), "{} bytes", page.len());
}
