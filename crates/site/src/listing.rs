//! The URL list of the demo; and a list with a page of every kind, and how each of its URLs ends.

use super::catalog::{CATEGORIES, PRODUCTS};
use super::journal::POSTS;
use super::shop::DEAD_LINK;
use super::trouble::FLAKY;
use seine_core::record::Outcome;

/// How the listed URLs end, in numbers: for a crawl of a fresh server that follows three redirects, tries
/// again at least once and waits longer than a second for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// URLs that end in [`Outcome::Ok`].
    pub ok: usize,
    /// URLs that end in [`Outcome::HttpError`].
    pub http_error: usize,
    /// URLs that end in [`Outcome::Failed`].
    pub failed: usize,
}

/// The first line of the demo's list.
const TITLE: &str = "# The Harbour Shop: every kind of page, good and bad";

/// One line of the list.
struct Listed {
    path: String,
    /// Status of the first answer; `None` if there is no answer at all.
    #[cfg_attr(not(test), expect(dead_code, reason = "what the tests hold the server to"))]
    first_status: Option<u16>,
    outcome: Outcome,
}

/// Pages of every kind on `origin` (scheme, host and port, no slash at the end), each once, normalised.
pub fn listed_urls(origin: &str) -> Vec<String> {
    all_listed().into_iter().map(|line| format!("{origin}{}", line.path)).collect()
}

/// The demo's URL list: the start page, since links and the sitemap lead to all others.
pub fn url_list(origin: &str) -> String {
    format!("{TITLE}\n# Links and the sitemap lead from here to all of them.\n{origin}/\n")
}

/// Whether `text` is such a list, on whatever origin.
pub fn is_url_list(text: &[u8]) -> bool {
    text.starts_with(TITLE.as_bytes())
}

/// How many listed URLs end how.
pub fn expected() -> Expected {
    let mut expected = Expected::default();
    for line in all_listed() {
        match line.outcome {
            Outcome::Ok => expected.ok += 1,
            Outcome::HttpError => expected.http_error += 1,
            _ => expected.failed += 1,
        }
    }
    expected
}

fn all_listed() -> Vec<Listed> {
    use Outcome::{Failed, HttpError, Ok};
    let shelves = CATEGORIES.iter().flat_map(|c| [format!("/c/{}", c.slug), format!("/c/{}?page=2", c.slug)]);
    let products = PRODUCTS.iter().map(|p| format!("/p/{}", p.slug()));
    let posts = POSTS.iter().map(|p| p.path());
    let flaky = FLAKY.iter().map(|(path, status, _)| listed(*path, Some(*status), Ok));
    all_well(["/", "/about", "/wholesale", "/search?q=brass"])
        .chain(all_well(shelves))
        .chain(all_well(products))
        // The archive is gzip-encoded, three posts are in other charsets.
        .chain(all_well(["/journal", "/journal/archive"]))
        .chain(all_well(posts))
        // The first of these has two thousand links.
        .chain(all_well(["/parts", "/parts/0001", "/parts/2000"]))
        .chain(all_well(["/sitemap.xml", "/feed.xml", "/api/products.json", "/terms.txt"]))
        .chain(all_well(["/img/shop.png", "/img/hs-105.png"]))
        // Moved: one, two and three hops to a page, and one to nowhere.
        .chain([
            listed("/old/journal", Some(308), Ok),
            listed("/old/shop", Some(301), Ok),
            listed("/go/spring", Some(307), Ok),
            listed("/go/lost", Some(302), HttpError),
        ])
        // Slow, odd, not there with a status that is well, or well only at the second try.
        .chain(all_well(["/slow", "/broken/markup", "/catalogue/2024"]))
        .chain(flaky)
        .chain([
            listed("/no-such-page", Some(404), HttpError),
            listed(DEAD_LINK, Some(404), HttpError),
            listed("/gone/winter-sale", Some(410), HttpError),
            listed("/account/orders", Some(403), HttpError),
            listed("/error/500", Some(500), HttpError),
        ])
        // No whole answer, however often one asks.
        .chain([
            listed("/loop/a", Some(302), Failed),
            listed("/broken/reset", Some(200), Failed),
            listed("/broken/truncated", Some(200), Failed),
            listed("/broken/closed", None, Failed),
        ])
        .collect()
}

fn listed(path: impl Into<String>, first_status: Option<u16>, outcome: Outcome) -> Listed {
    Listed { path: path.into(), first_status, outcome }
}

fn all_well<P: Into<String>>(paths: impl IntoIterator<Item = P>) -> impl Iterator<Item = Listed> {
    paths.into_iter().map(|path| listed(path, Some(200), Outcome::Ok))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::{Answer, Fault, Site};
    use super::*;
    use seine_core::record::CrawlUrl;

    const HOST: &str = "127.0.0.1:8080";
    const ORIGIN: &str = "http://127.0.0.1:8080";

    fn path_of(url: &str) -> &str {
        url.strip_prefix(ORIGIN).expect("a URL of the site")
    }

    /// Values of every `href` in a page that start with a slash, entities undone.
    fn links(html: &str) -> Vec<String> {
        html.split("href=\"/").skip(1).filter_map(|rest| rest.split('"').next()).map(|p| format!("/{p}")).collect()
    }

    fn is_utf8_html(answer: &Answer) -> bool {
        answer.header("content-type") == Some("text/html; charset=utf-8") && answer.header("content-encoding").is_none()
    }

    #[test]
    fn the_list_is_long_and_names_each_url_once_as_the_crawl_writes_it() {
        let urls = listed_urls(ORIGIN);
        assert_eq!(urls.len(), 98);
        for url in &urls {
            assert_eq!(CrawlUrl::parse(url).expect("a URL").url, *url);
        }
        assert_eq!(urls.iter().collect::<HashSet<_>>().len(), urls.len());
    }

    #[test]
    fn the_list_of_the_demo_is_the_start_page_and_known_again() {
        let text = url_list(ORIGIN);
        let lines: Vec<_> = text.lines().filter(|l| !l.starts_with('#')).collect();
        assert_eq!(lines, [format!("{ORIGIN}/")]);
        assert!(is_url_list(text.as_bytes()) && !is_url_list(b"https://example.com/\n"));
    }

    #[test]
    fn the_expected_outcomes_add_up_to_the_list() {
        let Expected { ok, http_error, failed } = expected();
        assert_eq!((ok, http_error, failed), (88, 6, 4));
    }

    #[test]
    fn every_listed_url_answers_first_with_the_status_of_the_table() {
        let site = Site::default();
        for line in all_listed() {
            let answer = site.answer("GET", &line.path, HOST);
            let status = (answer.fault != Some(Fault::CloseBeforeResponse)).then_some(answer.status);
            assert_eq!(status, line.first_status, "{}", line.path);
        }
    }

    #[test]
    fn every_listed_url_ends_as_the_table_says_when_redirects_and_a_retry_are_followed() {
        let site = Site::default();
        for line in all_listed() {
            let mut url = url::Url::parse(&format!("{ORIGIN}{}", line.path)).expect("a URL");
            let mut seen = HashSet::new();
            let outcome = loop {
                let target = url[url::Position::BeforePath..].to_owned();
                let mut answer = site.answer("GET", &target, HOST);
                if matches!(answer.status, 429 | 500..) {
                    answer = site.answer("GET", &target, HOST);
                }
                match answer.header("location") {
                    Some(_) if !seen.insert(target) => break Outcome::Failed,
                    Some(location) => url = url.join(location).expect("a URL"),
                    None if answer.fault.is_some() => break Outcome::Failed,
                    None if answer.status == 200 => break Outcome::Ok,
                    None => break Outcome::HttpError,
                }
            };
            assert_eq!(outcome, line.outcome, "{}", line.path);
            assert!(outcome == Outcome::Failed || seen.len() <= 3, "{}", line.path);
        }
    }

    #[test]
    fn one_link_of_the_good_pages_is_dead() {
        let site = Site::default();
        let mut dead = Vec::new();
        let troubled: HashSet<_> = links(&super::super::trouble::tour(ORIGIN)).into_iter().collect();
        let (mut waiting, mut seen) = (listed_urls(ORIGIN), HashSet::new());
        let mut followed = 0;
        while let Some(url) = waiting.pop() {
            let answer = site.answer("GET", path_of(&url), HOST);
            if answer.status != 200 || !is_utf8_html(&answer) || url.ends_with("/broken/markup") {
                continue;
            }
            for link in links(&String::from_utf8(answer.body).expect("UTF-8")) {
                // The calendar's links have no end.
                if troubled.contains(&link) || link.starts_with("/calendar/") || !seen.insert(link.clone()) {
                    continue;
                }
                match site.answer("GET", &link, HOST).status {
                    200 => waiting.push(format!("{ORIGIN}{link}")),
                    status => dead.push((path_of(&url).to_owned(), link, status)),
                }
                followed += 1;
            }
        }
        assert!(followed > 2000, "{followed}");
        assert_eq!(dead, [("/about".to_owned(), DEAD_LINK.to_owned(), 404)]);
    }

    #[test]
    fn every_good_page_closes_the_tags_it_opens() {
        const VOID: [&str; 7] = ["!doctype", "meta", "link", "img", "input", "br", "hr"];
        let site = Site::default();
        let mut checked = 0;
        for url in listed_urls(ORIGIN) {
            let answer = site.answer("GET", path_of(&url), HOST);
            if !is_utf8_html(&answer) || url.ends_with("/broken/markup") {
                continue;
            }
            let html = String::from_utf8(answer.body).expect("UTF-8");
            let mut open = Vec::new();
            for tag in html.split('<').skip(1) {
                let inside = tag.split_once('>').unwrap_or_else(|| panic!("{url}: a tag has no end: <{tag}")).0;
                let name = inside.split_ascii_whitespace().next().unwrap_or_default().to_ascii_lowercase();
                if let Some(closed) = name.strip_prefix('/') {
                    assert_eq!(open.pop().as_deref(), Some(closed), "{url}");
                } else if !VOID.contains(&name.as_str()) {
                    open.push(name);
                }
            }
            assert!(open.is_empty(), "{url}: {open:?}");
            assert_eq!((html.matches("<h1>").count(), html.matches("<title>").count()), (1, 1), "{url}");
            checked += 1;
        }
        assert!(checked > 70, "{checked}");
    }
}
