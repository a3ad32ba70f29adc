//! Sitemaps, feeds and lists of links: what they name can be crawled, is judged the same twice, and a document that is
//! read again says the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seine_core::record::CrawlUrl;
use seine_follow::sitemap::Entry;
use seine_follow::{Feed, Filter, Identity, Judged, Month, Rules, SamePage, Scope, Sitemap, Slash, Traps, llms};
use seine_fuzz::{check_dedup, choice};
use url::Url;

/// Content-Type headers a document comes with.
const HEADERS: [Option<&[u8]>; 4] =
    [None, Some(b"text/xml; charset=utf-16"), Some(b"text/xml; charset=iso-8859-1"), Some(b"application/json")];

fn rules() -> Rules {
    let same_page = SamePage {
        r#match: "*".to_owned(),
        drop_parameters: Some(vec!["utm_*".to_owned()]),
        sort_parameters: Some(true),
        drop_index: Some(true),
        fold_www: Some(true),
        https: Some(true),
        trailing_slash: Some(Slash::Drop),
        canonical: Some(true),
    };
    let identity = Identity::new(vec![same_page]).expect("good rules");
    Rules::new(identity, Filter::default(), Traps::all(Month::new(2026, 11)))
}

/// Holds a URL of a document against what is promised of it.
fn check(rules: &Rules, url: &str) {
    let crawled = CrawlUrl::parse(url).expect("what a document names can be crawled");
    assert_eq!(crawled.url, url, "it is in standard form");
    check_dedup(url);
    if let Judged::Follow(found) | Judged::Trap(found, _) = rules.judge(url) {
        let again = rules.explain(&found.url).expect("what is judged can be judged");
        assert_eq!(again.url, found, "of {url}");
        for scope in Scope::ALL {
            let root = scope.root(&found.url);
            assert!(root.is_none() || scope.admits(&found.url, |text| Some(text) == root.as_deref()), "{scope}: {url}");
        }
    }
}

/// Every URL of the document, whichever it is, in order.
fn urls(kind: usize, body: &[u8], header: Option<&[u8]>, url: &Url) -> Vec<String> {
    match kind {
        0 => {
            Sitemap::open(body, header, url).map_or_else(|_| Vec::new(), |sitemap| sitemap.flat_map(of_entry).collect())
        }
        1 => Feed::open(body, header, url).map_or_else(|_| Vec::new(), |feed| feed.map(|item| item.url).collect()),
        _ => llms::read(body, header, url)
            .map_or_else(|_| Vec::new(), |(links, _)| links.into_iter().map(|link| link.url).collect()),
    }
}

fn of_entry(entry: Entry) -> Vec<String> {
    match entry {
        Entry::Page(page) => [page.url].into_iter().chain(page.extras.into_iter().map(|extra| extra.url)).collect(),
        Entry::Sitemap(child) => vec![child.url],
    }
}

fuzz_target!(|data: &[u8]| {
    let (chosen, body) = choice(data);
    let (kind, header) = (chosen % 3, HEADERS[chosen / 3 % 4]);
    let url = Url::parse("https://www.example.org/maps/sitemap.xml").expect("a URL");
    let found = urls(kind, body, header, &url);
    assert_eq!(urls(kind, body, header, &url), found);
    let rules = rules();
    found.iter().for_each(|url| check(&rules, url));
});
