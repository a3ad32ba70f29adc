//! URLs that pages name: one outcome each, whatever names them, whatever an earlier run has fetched.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Place, line, page, put};
use crate::follow::{Follow, StoredLinks};
use crate::insert::{Again, Growth, ListFile, Only, Session, Store};
use crate::{StoreError, revisit};
use seine_core::protocol::{EndedBy, Ending, Found, PageHead, Place as At, Pull, Sweep, UrlKind, Verdict};
use seine_core::record::links::{Link, Links, read_json};
use seine_core::record::{CrawlUrl, ErrorClass, Failure, Outcome, UrlId};

/// Follows all that is on `a.example` and on listed hosts, so far.
#[derive(Debug)]
struct ToHosts {
    max_depth: Option<u32>,
    nothing_new: Option<u64>,
}

impl Follow for ToHosts {
    fn scope(&self) -> &str {
        "host"
    }

    fn root(&self, listed: &str) -> Option<String> {
        CrawlUrl::parse(listed).ok().map(|url| url.host)
    }

    fn admits(
        &self,
        found: &str,
        is_root: &mut dyn FnMut(&str) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        is_root(&CrawlUrl::parse(found).expect("a URL").host)
    }

    fn of_stored(&self, page: &StoredLinks, _: At) -> Vec<Found> {
        read_json(&page.links, &page.page).iter().map(|link| found(link.url)).collect()
    }

    fn canonical(&self, _: &str, named: &str) -> Option<Found> {
        Some(found(named))
    }

    fn nothing_new(&self) -> Option<u64> {
        self.nothing_new
    }

    fn max_depth(&self) -> Option<u32> {
        self.max_depth
    }
}

fn found(url: &str) -> Found {
    let CrawlUrl { url, host, key } = CrawlUrl::parse(url).expect("a URL");
    let start = url.find("//").expect("a scheme") as u32 + 2;
    let host = (start, start + host.len() as u32);
    Found { url, host, key, kind: UrlKind::Page, changed_at: None, stands: false, trap: None }
}

/// A store of a crawl that follows links from the list `urls.txt`.
fn follow(place: &Place, max_depth: Option<u32>, again: Again) -> Store {
    follow_by(place, max_depth, again, None)
}

/// The same with an order and budgets.
pub(super) fn follow_by(
    place: &Place,
    max_depth: Option<u32>,
    again: Again,
    order: Option<Arc<dyn crate::order::Order>>,
) -> Store {
    open(place, ToHosts { max_depth, nothing_new: None }, again, order)
}

fn open(place: &Place, rules: ToHosts, again: Again, order: Option<Arc<dyn crate::order::Order>>) -> Store {
    let session = Session {
        pid: 1,
        config: "{}".into(),
        lists: vec![ListFile { name: "urls.txt".into(), fingerprint: None }],
        collections: Vec::new(),
        again,
        keep: crate::versions::Keep { versions: 3, since: 0 },
        requests_since: 0,
        reading: [0; 16],
        processors: Vec::new(),
        finishes_untold: false,
        is_demo: false,
        follow: Some(Arc::new(rules)),
        order,
    };
    Store::open(&place.path, &session).expect("a store").0
}

pub(super) const ALL: Again = Again { only: Only::All, fetched_before: u64::MAX >> 1, revisit: None };

pub(super) fn list(store: &mut Store, urls: &[&str]) {
    let lines: Vec<_> = (1..).zip(urls).map(|(number, url)| line(number, url)).collect();
    super::import(store, &lines);
}

/// The record of the page that `url_id` is, with links to `urls`.
pub(super) fn naming(url_id: UrlId, url: &str, depth: u32, urls: &[&str]) -> (PageHead, Vec<u8>) {
    let (mut head, zstd) = page(url_id, format!("{urls:?}").as_bytes());
    let links: Links = urls.iter().map(|url| Link { url, ..Link::default() }).collect();
    head.page = Some(seine_core::protocol::PageFields { links: Some(links.to_json(url)), ..Default::default() });
    head.found = urls.iter().map(|url| found(url)).collect();
    head.place = At { depth, kind: UrlKind::Page };
    (head, zstd)
}

fn unchanged(url_id: UrlId) -> (PageHead, Vec<u8>) {
    let (mut head, _) = page(url_id, b"");
    (head.not_modified, head.page, head.body) = (true, None, None);
    (head, Vec::new())
}

fn pending(store: &mut Store) -> BTreeSet<String> {
    let sweep = Sweep { after: 0, hosts: 100, urls: 1000, but: Vec::new(), until: i64::MAX };
    let pull = Pull { sweep: Some(sweep), per_host: 1000, ..Pull::default() };
    let (hosts, _) = store.pull(&pull).expect("what is pending");
    hosts.into_iter().flat_map(|host| host.urls).map(|candidate| candidate.url).collect()
}

pub(super) fn follow_all(store: &mut Store) {
    for _ in 0..100 {
        if store.to_follow() == 0 {
            return;
        }
        store.transaction(|store| store.follow_stored(2)).expect("links are followed");
    }
    panic!("it never ends");
}

fn set(urls: &[&str]) -> BTreeSet<String> {
    urls.iter().map(|url| (*url).to_owned()).collect()
}

pub(super) const START: &str = "http://a.example/";

#[test]
fn what_a_page_names_within_the_scope_is_pending_once() {
    let place = Place::new();
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START]);
    let named = ["http://a.example/1", "http://a.example/2#x", "http://a.example/1", "http://b.example/", START];
    put(&mut store, &naming(1, START, 0, &named));
    assert_eq!(pending(&mut store), set(&["http://a.example/1", "http://a.example/2"]));
    assert_eq!((store.pending(), store.growth()), (2, Growth { hosts: vec![(1, 0)], again: false }));
    put(&mut store, &naming(2, "http://a.example/1", 1, &["http://a.example/2", START]));
    assert_eq!((store.pending(), store.growth()), (1, Growth::default()));
    // A record that comes twice names nothing twice.
    assert_eq!(put(&mut store, &naming(2, "http://a.example/1", 1, &["http://a.example/9"])), Verdict::Known);
    put(&mut store, &naming(3, "http://a.example/2", 1, &[]));
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(
        place.rows("SELECT url, depth, kind, found_on, input_file FROM pages"),
        [
            "http://a.example/|0|page|-|urls.txt",
            "http://a.example/1|1|page|http://a.example/|-",
            "http://a.example/2|1|page|http://a.example/|-"
        ]
    );
    assert_eq!(place.rows("SELECT urls, ok FROM runs"), ["3|3"]);
}

#[test]
fn a_trap_is_recorded_and_not_pending() {
    let place = Place::new();
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START]);
    let mut naming = naming(1, START, 0, &["http://a.example/x/x/x/x"]);
    naming.0.found[0].trap = Some("trap:repeating_segments".into());
    put(&mut store, &naming);
    assert_eq!(store.pending(), 0);
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(
        place.rows("SELECT url, outcome, error, error_message FROM pages WHERE depth = 1"),
        ["http://a.example/x/x/x/x|skipped|trap|trap:repeating_segments"]
    );
    // It is one for the next run, too.
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START]);
    put(&mut store, &naming);
    follow_all(&mut store);
    assert_eq!(store.pending(), 0);
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(place.rows("SELECT count(*) FROM url WHERE unlisted_by IS NOT NULL"), ["0"]);
}

/// The pages that count as another.
fn same(place: &Place) -> Vec<String> {
    place.rows("SELECT url, same_as FROM pages WHERE same_as IS NOT NULL ORDER BY url")
}

fn with_canonical(url_id: UrlId, url: &str, depth: u32, canonical: &str) -> (PageHead, Vec<u8>) {
    let (mut head, zstd) = naming(url_id, url, depth, &[]);
    if let Some(page) = &mut head.page {
        page.canonical = Some(canonical.to_owned());
    }
    (head, zstd)
}

#[test]
fn a_page_counts_as_its_canonical_one_once_that_is_there() {
    let place = Place::new();
    let mut store = follow(&place, Some(0), ALL);
    list(&mut store, &[START, "http://a.example/b"]);
    put(&mut store, &with_canonical(1, START, 0, "http://a.example/c"));
    put(&mut store, &with_canonical(2, "http://a.example/b", 0, "http://b.example/out-of-scope"));
    assert_eq!(pending(&mut store), set(&["http://a.example/c"]), "it is as near as the page that names it");
    assert_eq!(same(&place), Vec::<String>::new(), "nobody knows whether it is there");
    put(&mut store, &with_canonical(3, "http://a.example/c", 0, "http://a.example/c"));
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(same(&place), ["http://a.example/|http://a.example/c"]);

    // The next run finds it again, though no link leads there and the page that names it is as it was.
    let mut store = follow(&place, Some(0), ALL);
    list(&mut store, &[START, "http://a.example/b"]);
    put(&mut store, &unchanged(1));
    follow_all(&mut store);
    assert_eq!(pending(&mut store), set(&["http://a.example/b", "http://a.example/c"]));
    let (mut gone, zstd) = page(3, b"");
    gone.ending = Ending::Final { outcome: Outcome::HttpError, failure: None };
    put(&mut store, &(gone, zstd));
    put(&mut store, &unchanged(2));
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(same(&place), Vec::<String>::new(), "the page stands for itself again");
    assert_eq!(place.rows("SELECT count(*) FROM url WHERE unlisted_by IS NOT NULL"), ["0"]);
}

#[test]
fn chains_and_circles_of_canonical_urls_hide_no_page() {
    let place = Place::new();
    let mut store = follow(&place, None, ALL);
    let urls =
        ["http://a.example/1", "http://a.example/2", "http://a.example/3", "http://a.example/x", "http://a.example/y"];
    list(&mut store, &urls);
    for (url_id, canonical) in (1..).zip([urls[1], urls[2], urls[2], urls[4], urls[3]]) {
        put(&mut store, &with_canonical(url_id, urls[url_id as usize - 1], 0, canonical));
    }
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(same(&place), ["http://a.example/2|http://a.example/3"]);
    let db = crate::open_for_reading(&place.path).expect("a store");
    assert_eq!(crate::follow::FoundCounts::of(&db).expect("counts").same_pages, 1);
}

#[test]
fn a_shorter_way_leads_farther_where_depth_is_limited() {
    // start -> far -> end, and later start2 -> far: only then is the end within two links.
    let place = Place::new();
    let mut store = follow(&place, Some(2), ALL);
    list(&mut store, &[START, "http://a.example/start2"]);
    put(&mut store, &naming(1, START, 0, &["http://a.example/way"]));
    put(&mut store, &naming(3, "http://a.example/way", 1, &["http://a.example/far"]));
    put(&mut store, &naming(4, "http://a.example/far", 2, &["http://a.example/end"]));
    assert_eq!(pending(&mut store), set(&["http://a.example/start2"]));
    put(&mut store, &naming(2, "http://a.example/start2", 0, &["http://a.example/far"]));
    assert_eq!((pending(&mut store).len(), store.to_follow(), store.pending()), (0, 1, 1));
    follow_all(&mut store);
    assert_eq!(pending(&mut store), set(&["http://a.example/end"]));
    // A fetcher that had the page before the shorter way was known passed over links that lead on now.
    let (mut head, zstd) = naming(5, "http://a.example/end", 3, &["http://a.example/beyond"]);
    head.found.clear();
    put(&mut store, &(head, zstd));
    follow_all(&mut store);
    assert_eq!(pending(&mut store), set(&[]), "depth 3 is too far");
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(
        place.rows("SELECT url, depth FROM pages WHERE depth > 0 ORDER BY url"),
        ["http://a.example/end|2", "http://a.example/far|1", "http://a.example/way|1"]
    );
}

#[test]
fn a_new_run_finds_again_what_is_still_named_and_the_rest_is_gone() {
    let place = Place::new();
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START]);
    put(&mut store, &naming(1, START, 0, &["http://a.example/1", "http://a.example/2"]));
    put(&mut store, &naming(2, "http://a.example/1", 1, &["http://a.example/deep"]));
    put(&mut store, &naming(3, "http://a.example/2", 1, &[]));
    put(&mut store, &naming(4, "http://a.example/deep", 2, &[]));
    store.end(EndedBy::Completed).expect("the end");

    // The start has not been modified, but /1 has, and names another page.
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START]);
    assert_eq!(pending(&mut store), set(&[START]));
    put(&mut store, &unchanged(1));
    assert_eq!(store.pending(), 1, "its stored links are still to be followed");
    follow_all(&mut store);
    assert_eq!(store.growth(), Growth { hosts: vec![(1, 0)], again: true });
    assert_eq!(pending(&mut store), set(&["http://a.example/1", "http://a.example/2"]));
    put(&mut store, &naming(2, "http://a.example/1", 1, &["http://a.example/new"]));
    put(&mut store, &unchanged(3));
    follow_all(&mut store);
    put(&mut store, &naming(5, "http://a.example/new", 2, &[START]));
    assert_eq!(store.pending(), 0);
    store.end(EndedBy::Completed).expect("the end");
    let gone = place.rows("SELECT url FROM url WHERE unlisted_by = 2 AND relisted_by IS NULL");
    assert_eq!(gone, ["http://a.example/deep"]);

    // It comes back.
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START]);
    put(&mut store, &naming(1, START, 0, &["http://a.example/deep"]));
    assert_eq!(pending(&mut store), set(&["http://a.example/deep"]));
    drop(store);
    let gone = place.rows("SELECT url FROM url WHERE unlisted_by IS NOT NULL AND relisted_by IS NULL");
    assert!(gone.is_empty(), "{gone:?}");
}

#[test]
fn pages_that_are_not_due_lead_on_all_the_same() {
    let place = Place::new();
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START]);
    put(&mut store, &naming(1, START, 0, &["http://a.example/1"]));
    put(&mut store, &naming(2, "http://a.example/1", 1, &["http://a.example/2"]));
    put(&mut store, &naming(3, "http://a.example/2", 2, &[]));
    store.end(EndedBy::Completed).expect("the end");
    // Made due by hand: the farthest page alone.
    let db = rusqlite::Connection::open(&place.path).expect("a store");
    db.execute_batch("UPDATE page SET fetched_at = 4000000000000; UPDATE page SET fetched_at = 1 WHERE url_id = 3")
        .expect("times");
    drop(db);
    let due = Again { revisit: Some(revisit::Revisit { min_ms: 1000, max_ms: 1000 }), ..ALL };
    let mut store = follow(&place, None, due);
    list(&mut store, &[START]);
    assert_eq!((store.pending(), store.to_follow()), (1, 1));
    follow_all(&mut store);
    assert_eq!(pending(&mut store), set(&["http://a.example/2"]));
    put(&mut store, &naming(3, "http://a.example/2", 2, &[]));
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(place.rows("SELECT count(*) FROM url WHERE unlisted_by IS NOT NULL"), ["0"]);
}

#[test]
fn what_is_still_to_be_followed_outlives_the_writer() {
    let place = Place::new();
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START]);
    put(&mut store, &naming(1, START, 0, &["http://a.example/1"]));
    put(&mut store, &naming(2, "http://a.example/1", 1, &[]));
    store.end(EndedBy::Completed).expect("the end");
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START]);
    put(&mut store, &unchanged(1));
    drop(store);
    let mut store = follow(&place, None, ALL);
    assert_eq!((store.pending(), store.to_follow()), (1, 1));
    follow_all(&mut store);
    assert_eq!(pending(&mut store), set(&["http://a.example/1"]));
    drop(store);
    // A crawl that follows nothing waits for nothing.
    assert_eq!(place.open().pending(), 1);
}

#[test]
fn a_failure_keeps_what_the_page_led_to() {
    let place = Place::new();
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START]);
    put(&mut store, &naming(1, START, 0, &["http://a.example/1"]));
    put(&mut store, &naming(2, "http://a.example/1", 1, &[]));
    store.end(EndedBy::Completed).expect("the end");
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START]);
    let (mut failed, _) = unchanged(1);
    failed.not_modified = false;
    failed.ending =
        Ending::Final { outcome: Outcome::Failed, failure: Some(Failure::new(ErrorClass::Timeout, "no answer")) };
    put(&mut store, &(failed, Vec::new()));
    follow_all(&mut store);
    assert_eq!(pending(&mut store), set(&["http://a.example/1"]));
}

#[test]
fn a_list_takes_over_what_pages_have_named() {
    let place = Place::new();
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START]);
    put(&mut store, &naming(1, START, 0, &["http://a.example/1"]));
    list(&mut store, &[START, "http://a.example/1"]);
    drop(store);
    let rows = place.rows("SELECT url, depth, line FROM url ORDER BY url_id");
    assert_eq!(rows, ["http://a.example/|0|1", "http://a.example/1|0|2"]);
    // An edited list forgets its own URLs, not those that pages name.
    let mut store = follow(&place, None, ALL);
    put(&mut store, &naming(2, "http://a.example/1", 0, &["http://a.example/2"]));
    list(&mut store, &["http://a.example/other"]);
    store.transaction(|store| store.import_end(0, 1)).expect("the end of the list");
    assert_eq!(pending(&mut store), set(&["http://a.example/2", "http://a.example/other"]));
}

/// The record of `page` with these assets beside its links.
fn showing(mut record: (PageHead, Vec<u8>), assets: &[&str]) -> (PageHead, Vec<u8>) {
    record.0.found.extend(assets.iter().map(|url| Found { kind: UrlKind::Asset, ..found(url) }));
    record
}

#[test]
fn assets_come_with_their_page_from_wherever_they_are_and_however_deep_it_is() {
    let place = Place::new();
    let mut store = follow(&place, Some(0), ALL);
    list(&mut store, &[START]);
    let page = naming(1, START, 0, &["http://a.example/deeper", "http://cdn.example/a.jpg"]);
    put(&mut store, &showing(page, &["http://cdn.example/a.css", "http://a.example/b.png"]));
    assert_eq!(pending(&mut store), set(&["http://cdn.example/a.css", "http://a.example/b.png"]));
}

#[test]
fn style_sheets_that_name_one_another_come_to_an_end() {
    let place = Place::new();
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START]);
    put(&mut store, &showing(naming(1, START, 0, &[]), &["http://cdn.example/1.css"]));
    for number in 1..=20 {
        let (this, next) =
            (format!("http://cdn.example/{number}.css"), format!("http://cdn.example/{}.css", number + 1));
        if pending(&mut store).is_empty() {
            assert_eq!(number, 6, "five of them are asked for");
            return;
        }
        assert_eq!(pending(&mut store), set(&[&this]));
        let mut record = showing(naming(number + 1, &this, 1, &[]), &[&next]);
        record.0.place = At { depth: number as u32, kind: UrlKind::Asset };
        put(&mut store, &record);
    }
    panic!("it never ends");
}

#[test]
fn what_is_shown_and_linked_to_is_a_page_whichever_came_first() {
    let place = Place::new();
    let mut store = follow(&place, None, ALL);
    list(&mut store, &[START, "http://a.example/2"]);
    let shown = "http://a.example/shown";
    put(&mut store, &showing(naming(1, START, 0, &[]), &[shown]));
    let mut asset = naming(3, shown, 1, &["http://a.example/beyond"]);
    asset.0.place.kind = UrlKind::Asset;
    asset.0.found.clear();
    put(&mut store, &asset);
    put(&mut store, &naming(2, "http://a.example/2", 0, &[shown]));
    follow_all(&mut store);
    assert_eq!(pending(&mut store), set(&["http://a.example/beyond"]), "its own links count now");
    let db = crate::open_for_reading(&place.path).expect("the store");
    let kind: i64 = db.query_row("SELECT kind FROM url WHERE url_id = 3", [], |row| row.get(0)).expect("a URL");
    assert_eq!(kind, UrlKind::Page as i64);
}

/// A store of a crawl that does not follow links to a host any more after three pages in a row that bring nothing new.
fn quiet(place: &Place) -> Store {
    open(place, ToHosts { max_depth: None, nothing_new: Some(3) }, ALL, None)
}

/// As [`naming`], with a text of this number.
fn saying(text: u64, (mut head, _): (PageHead, Vec<u8>)) -> (PageHead, Vec<u8>) {
    let body = format!("{} {}", head.url_id, head.started_at);
    head.body = page(head.url_id, body.as_bytes()).0.body;
    if let Some(fields) = &mut head.page {
        fields.likeness = blake3::hash(&text.to_le_bytes()).as_bytes()[..16].try_into().ok();
    }
    (head, body.into_bytes())
}

fn numbered(number: i64) -> String {
    format!("http://a.example/{number}")
}

#[test]
fn links_to_a_host_end_where_its_pages_bring_nothing_new() {
    let place = Place::new();
    let mut store = quiet(&place);
    list(&mut store, &[START, "http://b.example/"]);
    // Each page names the next one; from the fourth on they say what the third says. The fifth is one of a kind.
    let texts = [1, 2, 3, 3, 5, 3, 3, 3];
    put(&mut store, &saying(1, naming(1, START, 0, &[&numbered(3)])));
    for (number, text) in (3..).zip(&texts[1..]) {
        // Killed and continued between any two: what was counted is in the store.
        drop(store);
        store = quiet(&place);
        put(&mut store, &saying(*text, naming(number, &numbered(number), 1, &[&numbered(number + 1)])));
    }
    assert_eq!(pending(&mut store), set(&["http://b.example/"]));
    let skipped = "SELECT url, error, error_message FROM pages WHERE outcome = 'skipped'";
    assert_eq!(place.rows(skipped), ["http://a.example/10|trap|trap:nothing_new"]);
    // Another host goes on; its page that says what a.example said is new there.
    put(&mut store, &saying(3, naming(2, "http://b.example/", 0, &["http://b.example/y", START, &numbered(11)])));
    assert_eq!(pending(&mut store), set(&["http://b.example/y"]));
}

#[test]
fn a_new_text_opens_a_host_again_and_so_does_a_new_run_or_a_list() {
    let place = Place::new();
    let mut store = quiet(&place);
    list(&mut store, &[START, &numbered(2), &numbered(3), &numbered(4), &numbered(5)]);
    for number in 1..=4 {
        put(&mut store, &saying(1, naming(number, &numbered(number), 0, &[&numbered(90 + number)])));
    }
    // Three pages of four brought nothing new: the fourth had no say any more.
    assert_eq!(place.rows("SELECT url FROM pages WHERE error = 'trap'"), [numbered(94)]);
    put(&mut store, &saying(5, naming(5, &numbered(5), 0, &[&numbered(94), &numbered(95)])));
    assert_eq!(place.rows("SELECT url FROM pages WHERE error = 'trap'"), [numbered(94)]);
    let mut all: BTreeSet<_> = [91, 92, 93, 95].map(numbered).into();
    assert_eq!(pending(&mut store), all);
    for (url_id, number) in place.rows("SELECT url_id FROM url WHERE outcome IS NULL").iter().zip([91, 92, 93, 95]) {
        let url_id = url_id.parse().expect("a number");
        put(&mut store, &saying(number, naming(url_id, &numbered(number as i64), 1, &[])));
    }
    store.end(EndedBy::Completed).expect("the end");
    let mut store = quiet(&place);
    list(&mut store, &[START]);
    put(&mut store, &saying(1, naming(1, START, 0, &[&numbered(94)])));
    all = [94].map(numbered).into();
    assert_eq!(pending(&mut store), all);
}
