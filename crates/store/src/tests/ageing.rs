//! What a run and a diff cost depends on what has changed in it, not on how many runs were before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::diff::{self, Changes};
use crate::insert::{Again, Only};
use crate::versions::Keep;
use seine_core::record::items::{Collection, Field, FieldCount, FieldType, Item, PageItems, item_key};

const PAGES: u64 = 400;
const RUNS: u64 = 20;
/// Pages of one commit.
const AT_ONCE: usize = 40;

/// What a run finds.
#[derive(Clone, Copy, Debug)]
enum Site {
    /// 304, all over.
    NotModified,
    /// The same bodies.
    Same,
    /// One page in twenty with another body, the others not modified.
    Lively,
    /// None answers any more.
    Down,
}

fn session() -> Session {
    let field = |name: &str| Field { name: name.into(), kind: FieldType::Json, many: false, fields: Vec::new() };
    let collection = |name: &str, key: &[&str]| Collection {
        name: name.into(),
        key: key.iter().map(|&key| key.into()).collect(),
        fields: vec![field("sku"), field("price")],
    };
    Session {
        finishes_untold: false,
        is_demo: false,
        follow: None,
        order: None,
        pid: 1,
        config: "{}".into(),
        lists: vec![ListFile { name: "urls.txt".into(), fingerprint: Some("1".into()) }],
        collections: vec![collection("products", &["sku"]), collection("cards", &[])],
        processors: Vec::new(),
        again: Again { only: Only::All, fetched_before: u64::MAX >> 1, revisit: None },
        keep: Keep { versions: 3, since: 0 },
        requests_since: 0,
        reading: [0; 16],
    }
}

fn items(url_id: UrlId, version: u64) -> PageItems {
    let data = format!(r#"{{"sku":{url_id},"price":{version}}}"#);
    let of = |collection, key| Item { collection, number: 0, key, data: data.clone() };
    PageItems {
        items: vec![of(0, Some(item_key(&url_id.to_string()))), of(1, None)],
        problems: Vec::new(),
        counts: (0..2).map(|collection| FieldCount { collection, field: None, of: 1, found: 1 }).collect(),
    }
}

fn answer(site: Site, run: u64, url_id: UrlId) -> (PageHead, Vec<u8>) {
    let is_other = run > 1 && matches!(site, Site::Lively) && url_id % 20 == 0;
    let version = if is_other { run } else { 1 };
    let (mut head, zstd) = page(url_id, format!("page {url_id} of version {version}").as_bytes());
    head.started_at += run * 86_400_000 + url_id as u64;
    head.attempt = run as u16;
    head.items = Some(Box::new(items(url_id, version)));
    let is_down = run > 1 && matches!(site, Site::Down);
    if is_down {
        let failure = Failure::new(ErrorClass::Timeout, "no answer");
        head.ending = Ending::Final { outcome: Outcome::Failed, failure: Some(failure) };
        (head.status, head.body, head.page, head.items) = (None, None, None, None);
        return (head, Vec::new());
    }
    if run > 1 && matches!(site, Site::NotModified | Site::Lively) && !is_other {
        head.not_modified = true;
        (head.body, head.page, head.items) = (None, None, None);
        return (head, Vec::new());
    }
    (head, zstd)
}

/// What a run has cost: bytes written, and steps that SQLite takes to tell it from the one before.
struct Cost {
    bytes: u64,
    steps: u64,
    changes: Changes,
}

fn crawl(path: &Path, site: Site, run: u64) -> Cost {
    let (mut store, _) = Store::open(path, &session()).expect("a store");
    let lines: Vec<_> = (1..=PAGES).map(|n| line(n, &format!("https://h{}.example/{n}", n % 20))).collect();
    import(&mut store, &lines);
    store.transaction(|store| store.import_end(0, PAGES)).expect("the end of the list");
    // Hosts take turns, so pages come in another order than that of the list.
    let order: Vec<_> = (0..PAGES).map(|n| (n * 47 % PAGES) as UrlId + 1).collect();
    for some in order.chunks(AT_ONCE) {
        let put = |store: &mut Store| {
            some.iter().try_for_each(|&url_id| {
                let (head, zstd) = answer(site, run, url_id);
                store.page(&head, &zstd).map(drop)
            })
        };
        store.transaction(put).expect("pages");
    }
    // All that was written since the last run has left the log empty.
    let bytes = std::fs::metadata(super::super::wal_of(path)).expect("a log").len();
    store.end(EndedBy::Completed).expect("the end");
    let mut db = open_for_reading(path).expect("a store");
    let steps = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&steps);
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    db.progress_handler(1, Some(count)).expect("steps are counted");
    let changes = diff::counts(&db, None, run as i64).expect("what differs");
    Cost { bytes, steps: steps.load(Ordering::Relaxed), changes }
}

#[test]
fn the_twentieth_run_and_its_diff_cost_what_the_second_did() {
    for (site, changed) in [(Site::NotModified, 0), (Site::Same, 0), (Site::Lively, PAGES / 20), (Site::Down, 0)] {
        let place = Place::new();
        let costs: Vec<_> = (1..=RUNS).map(|run| crawl(&place.path, site, run)).collect();
        // The second run of a site that is down is the one in which that changed.
        let (early, late) = (&costs[2], &costs[RUNS as usize - 1]);
        let told =
            format!("{site:?}: {} and {} bytes, {} and {} steps", early.bytes, late.bytes, early.steps, late.steps);
        println!("{told}");
        assert!(late.bytes * 4 <= early.bytes * 5, "{told}");
        assert!(late.steps * 10 <= early.steps * 11, "{told}");
        let Changes { changed: pages, items_changed, new, status, .. } = late.changes;
        assert_eq!((pages, items_changed, new, status), (changed, changed * 2, 0, 0), "{site:?}");
        let fetches = place.rows("SELECT count(*), count(DISTINCT run_id) FROM history");
        assert_eq!(fetches, [format!("{}|{RUNS}", PAGES * RUNS)], "{site:?}");
    }
}

#[test]
fn requests_of_old_runs_go_but_for_those_that_pages_are_the_answers_to() {
    let place = Place::new();
    for run in 1..=3 {
        crawl(&place.path, Site::Lively, run);
    }
    let of_run = "SELECT run_id, count(*) FROM requests GROUP BY 1";
    let all = [format!("1|{PAGES}"), format!("2|{PAGES}"), format!("3|{PAGES}")];
    assert_eq!(place.rows(of_run), all, "a time long ago lets nothing go");

    let mut session = session();
    session.requests_since = u64::MAX >> 1;
    let (mut store, _) = Store::open(&place.path, &session).expect("a store");
    let lines: Vec<_> = (1..=PAGES).map(|n| line(n, &format!("https://h{}.example/{n}", n % 20))).collect();
    import(&mut store, &lines);
    put(&mut store, &answer(Site::NotModified, 4, 20));
    store.end(EndedBy::Interrupted).expect("the end");
    assert_eq!(place.rows(of_run)[..3], all, "not before the run is complete");

    let (mut store, _) = Store::open(&place.path, &session).expect("a store");
    for url_id in (1..=PAGES as UrlId).filter(|url_id| *url_id != 20) {
        put(&mut store, &answer(Site::NotModified, 4, url_id));
    }
    store.end(EndedBy::Completed).expect("the end");
    // Pages that run 3 found changed have its answers, the others those of the first run.
    let changed = PAGES / 20;
    let left = [format!("1|{}", PAGES - changed), format!("3|{changed}"), format!("4|{PAGES}")];
    assert_eq!(place.rows(of_run), left);
    assert_eq!(place.rows("SELECT run_id, forgotten, requests_gone FROM run"), ["1|0|1", "2|0|1", "3|0|1", "4|800|0"]);
    assert_eq!(
        read::summary(&open_for_reading(&place.path).expect("a store"))
            .expect("a summary")
            .run
            .expect("a run")
            .requests_forgotten,
        2 * PAGES
    );
    let audit = audit::audit(&open_for_reading(&place.path).expect("a store"), 3).expect("an audit");
    assert!(audit.completeness.is_fine(), "{:?}", audit.completeness);
    assert_eq!(place.rows("SELECT count(*) FROM history"), [(4 * PAGES).to_string()], "of the history nothing goes");
}
