//! Merges of stores that are made by hand, with times of the test's own.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::Value;

use super::MergeError;
use crate::insert::{Only, Store};
use crate::plans::merging::{answered, id_of, into_known, into_new};
use crate::plans::verbs::{finish, found, import, line, open, page, put};
use crate::{audit, open_for_reading, open_for_writing, retry};
use seine_core::protocol::{EndedBy, Ending};
use seine_core::record::items::item_key;
use seine_core::record::{ErrorClass, Failure, Outcome};
use seine_testkit::Dice;

const URL: &str = "https://a.example/1";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// A run in which `url` says `text` at `at`.
fn fetched(path: &Path, url: &str, at: u64, text: &str) {
    let store = begun(path, url, at, text);
    finish(path, store);
}

fn begun(path: &Path, url: &str, at: u64, text: &str) -> Store {
    let mut store = open(path, Only::All, &at.to_string());
    import(&mut store, &[line(1, url)]);
    let (mut head, body) = page(id_of(path, url), at, text.as_bytes());
    head.requests[0].started_us = at * 1000;
    // The same item, whatever page it is on.
    let mut items = found(1, text);
    items.items[0].key = Some(item_key("[\"k\"]"));
    head.items = Some(Box::new(items));
    put(&mut store, &(head, body));
    store
}

fn rows(path: &Path, sql: &str) -> Vec<String> {
    let db = open_for_reading(path).expect("a store");
    let mut select = db.prepare(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
    let columns = select.column_count();
    let rows = select.query_map([], |row| {
        let values = (0..columns).map(|column| {
            Ok(match row.get(column)? {
                Value::Null => "-".to_owned(),
                Value::Integer(number) => number.to_string(),
                Value::Text(text) => text,
                other => format!("{other:?}"),
            })
        });
        Ok(values.collect::<rusqlite::Result<Vec<_>>>()?.join(" "))
    });
    rows.and_then(Iterator::collect).unwrap_or_else(|error| panic!("{error}: {sql}"))
}

/// Whether counts and pages agree; times of these stores are no pace.
fn assert_complete(path: &Path) {
    let db: Connection = open_for_reading(path).expect("a store");
    let audit = audit::audit(&db, 1).expect("an audit");
    assert!(audit.completeness.is_fine(), "{:?}", audit.completeness);
    let counted = rows(
        path,
        "SELECT (SELECT count(*) FROM history) - (SELECT sum(ok + http_error + failed + rejected + \
                              quarantined + robots_denied + skipped) FROM run)",
    );
    assert_eq!(counted, ["0"]);
}

#[test]
fn of_an_item_on_pages_of_two_stores_the_page_fetched_last_counts_in_whatever_order_they_come() {
    let folder = Folder::new();
    let (a, b) = (folder.path("a.db"), folder.path("b.db"));
    fetched(&a, URL, 100, "early");
    fetched(&b, "https://b.example/1", 200, "late");
    for (name, order) in [("1.db", [&a, &b]), ("2.db", [&b, &a])] {
        let out = folder.path(name);
        into_new(&out, &order.map(Clone::clone)).expect("a merge");
        into_known(&out, &order.map(Clone::clone)).expect("a merge");
        assert_eq!(rows(&out, "SELECT sku, _url FROM products"), ["late https://b.example/1"]);
        assert_eq!(
            rows(&out, "SELECT run_id, data FROM past_item"),
            [""; 0],
            "it was never something else after a run"
        );
        assert_eq!(
            rows(&out, "SELECT first_seen, last_seen, first_run FROM item WHERE key IS NOT NULL"),
            ["100 200 1"]
        );
        assert_complete(&out);
    }
    // A later run of the first finds something else.
    fetched(&a, URL, 300, "last");
    let out = folder.path("1.db");
    into_known(&out, &[a]).expect("a merge");
    assert_eq!(rows(&out, "SELECT sku, _url FROM products"), [format!("last {URL}")]);
    let past = "SELECT p.run_id, p.data ->> 'sku', replaced_by FROM past_item p JOIN item i USING(item_id) WHERE i.key IS NOT NULL";
    assert_eq!(rows(&out, past), ["1 late 2"]);
}

#[test]
fn a_url_that_went_from_one_store_to_another_between_runs_has_the_history_of_both() {
    let folder = Folder::new();
    let (a, b) = (folder.path("a.db"), folder.path("b.db"));
    fetched(&a, URL, 100, "first");
    // Another store has its first run without it, and then it is there.
    fetched(&b, "https://b.example/1", 110, "b");
    fetched(&b, URL, 200, "second");
    for (name, order) in [("1.db", [&a, &b]), ("2.db", [&b, &a])] {
        let out = folder.path(name);
        into_new(&out, &order.map(Clone::clone)).expect("a merge");
        let again = into_known(&out, &order.map(Clone::clone)).expect("a merge");
        assert!(again.iter().all(|one| one.fetches == 0 && one.requests == 0), "{again:?}");
        let history = format!("SELECT run_id, changed FROM history WHERE url = '{URL}' ORDER BY run_id");
        assert_eq!(rows(&out, &history), ["1 -", "2 1"], "{name}");
        assert_eq!(
            rows(&out, "SELECT run_id, changed FROM page p JOIN url u USING(url_id) WHERE url LIKE '%a.example%'"),
            ["2 1"]
        );
        assert_eq!(rows(&out, &format!("SELECT count(*) FROM requests WHERE url = '{URL}'")), ["2"]);
        assert_complete(&out);
    }
}

#[test]
fn a_fetch_that_was_taken_back_is_taken_back_in_the_merge_too() {
    let folder = Folder::new();
    let (a, out) = (folder.path("a.db"), folder.path("out.db"));
    let store = begun(&a, URL, 100, "first");
    store.end(EndedBy::Interrupted).expect("the end");
    into_new(&out, std::slice::from_ref(&a)).expect("a merge");
    assert_eq!(rows(&out, "SELECT ended_by, ok FROM run"), ["interrupted 1"]);
    retry::make_pending(&mut open_for_writing(&a).expect("a store"), "TRUE").expect("URLs");
    fetched(&a, URL, 5000, "second");
    into_known(&out, std::slice::from_ref(&a)).expect("a merge");
    assert_eq!(rows(&out, "SELECT ended_by, urls, ok FROM run"), ["completed 1 1"]);
    assert_eq!(rows(&out, "SELECT fetched_at FROM page"), ["5000"]);
    assert_eq!(rows(&out, "SELECT fetched, failed FROM host WHERE name = 'a.example'"), ["1 0"]);
    assert_complete(&out);
    // Another store that has the URL in the same run is another matter.
    let b = folder.path("b.db");
    fetched(&b, URL, 7000, "third");
    let refused = into_known(&out, &[a.clone(), b.clone()]).expect_err("a conflict");
    match refused {
        MergeError::Twice { url, run_id: 1, first, second } => assert_eq!((url.as_str(), first, second), (URL, a, b)),
        other => panic!("{other}"),
    }
    assert_eq!(rows(&out, "SELECT fetched_at FROM page"), ["5000"]);
}

#[test]
fn answers_of_processors_stay_with_their_records_though_all_have_other_ids() {
    let folder = Folder::new();
    let stores = ["a", "b"].map(|name| folder.path(&format!("{name}.db")));
    for (at, path) in stores.iter().enumerate() {
        fetched(path, &format!("https://{at}.example/1"), 100 + at as u64, &format!("text {at}"));
        answered(path, &format!("of {at}"));
    }
    let out = folder.path("out.db");
    let reversed = [stores[1].clone(), stores[0].clone()];
    into_new(&folder.path("reversed.db"), &reversed).expect("a merge");
    into_new(&out, &stores).expect("a merge");
    let said = "SELECT u.url, c.name, i.data ->> 'sku' FROM item i JOIN url u USING(url_id) JOIN collection c USING(collection_id) \
                WHERE c.name IN ('echoes', 'prices') ORDER BY 1, 2, 3";
    let both = stores.iter().flat_map(|path| rows(path, said)).collect::<Vec<_>>();
    // The one product is what the second store says, and so is what was answered to it.
    let both = both.into_iter().filter(|row| !row.contains("prices of 0")).collect::<Vec<_>>();
    assert_eq!(both.len(), 6, "{both:?}");
    assert_eq!(rows(&out, said), both);
    assert_eq!(rows(&folder.path("reversed.db"), said), both);
    // The marks are those of the records: nothing is to be done once more.
    let marks = "SELECT count(*) FROM processed m JOIN page p ON p.url_id = m.record AND m.version = p.fetched_at";
    assert_eq!(rows(&out, marks)[0].parse::<usize>(), Ok(2));
    let again = into_known(&out, &stores).expect("a merge");
    assert_eq!(rows(&out, said), both, "{again:?}");
}

#[test]
fn requests_of_urls_that_are_gone_are_kept_once() {
    let folder = Folder::new();
    let (a, out) = (folder.path("a.db"), folder.path("out.db"));
    fetched(&a, URL, 100, "first");
    open_for_writing(&a).expect("a store").execute("UPDATE request SET url_id = 77", []).expect("a change");
    into_new(&out, std::slice::from_ref(&a)).expect("a merge");
    into_known(&out, std::slice::from_ref(&a)).expect("a merge");
    assert_eq!(rows(&out, "SELECT count(*), count(url), max(url_id) < 0 FROM requests"), ["1 0 1"]);
}

#[test]
fn a_merge_that_is_stopped_has_changed_nothing() {
    let folder = Folder::new();
    let (a, b, out) = (folder.path("a.db"), folder.path("b.db"), folder.path("out.db"));
    fetched(&a, URL, 100, "first");
    fetched(&b, "https://b.example/1", 200, "late");
    into_new(&out, &[a]).expect("a merge");
    let before = std::fs::read(&out).expect("a store");
    let mut db = open_for_writing(&out).expect("a store");
    let stopped = super::merge(&mut db, &out, &[b], &mut |progress| progress.stores == 0);
    assert!(matches!(stopped, Err(MergeError::Stopped)));
    drop(db);
    assert_eq!(rows(&out, "SELECT url FROM url"), [URL]);
    assert_eq!(before.len(), std::fs::read(&out).expect("a store").len());
}

/// All that is said of a store, but for its ids.
fn said(path: &Path) -> Vec<String> {
    assert_complete(path);
    let mut said = Vec::new();
    for sql in [
        "SELECT 'url', u.url, u.outcome, u.attempts, u.file_id IS NULL, u.line, u.in_frontier FROM url u",
        "SELECT 'page', u.url, p.run_id, p.outcome, p.status, p.error, p.title, p.fetched_at, p.changed, p.not_modified, p.content_at, \
           p.content_run, p.since_run, p.since_changed, b.hash IS NULL, p.etag FROM page p JOIN url u USING(url_id) LEFT JOIN body b USING(body_id)",
        "SELECT 'history', url, run_id, outcome, status, error, changed, not_modified, body_hash, body_bytes, fetched_at FROM history",
        "SELECT 'link', from_url, to_url, text FROM links",
        "SELECT 'table', url, cells FROM tables",
        "SELECT 'problem', url, run_id, field, problem FROM extract_problems",
        "SELECT 'item', u.url, i.number, hex(i.key), i.run_id, i.data, i.first_seen, i.last_seen, i.first_run FROM item i JOIN url u USING(url_id)",
        "SELECT 'past item', u.url, i.number, hex(i.key), p.run_id, p.data, p.seen_at, p.replaced_by FROM past_item p JOIN item i USING(item_id) \
           JOIN url u USING(url_id)",
        "SELECT 'gone item', u.url, g.number, g.run_id, g.data, g.first_run, g.gone_by FROM gone_item g JOIN url u USING(url_id)",
        "SELECT 'request', url, run_id, attempt, started_at, status FROM requests",
        "SELECT 'run', run_id, ended_by, urls, ok, http_error, failed, bytes FROM run",
        "SELECT 'host', name, fetched, failed, elapsed_ms FROM host WHERE host_id > 0",
        "SELECT 'total', outcome, urls FROM total WHERE urls > 0",
        "SELECT 'line', file, line, raw_url, columns FROM inputs",
        "SELECT 'body', hex(hash), bytes FROM body b WHERE body_id IN (SELECT body_id FROM page UNION SELECT body_id FROM past_page)",
        "SELECT 'rate', run_id, collection, host, field, of_items, found FROM field_rates",
    ] {
        said.extend(rows(path, sql));
    }
    said.sort();
    said
}

/// What becomes of a URL in a round.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Says(u64),
    NotModified,
    NotFound,
    Fails,
    /// An attempt in vain: it stays pending.
    Again,
    Waits,
}

/// The URLs of one store in one round, each with its fate and time.
fn round(path: &Path, lines: &[(u64, String)], fates: &[(Fate, u64)], number: u64, stops: bool) {
    let mut store = open(path, Only::All, &number.to_string());
    import(&mut store, &lines.iter().map(|(number, url)| line(*number, url)).collect::<Vec<_>>());
    for ((number, url), (fate, at)) in lines.iter().zip(fates) {
        let text = if let Fate::Says(version) = fate { format!("{} of {url}", version % 3) } else { String::new() };
        let (mut head, mut body) = page(id_of(path, url), *at, text.as_bytes());
        head.requests[0].started_us = at * 1000;
        head.requests[0].host = url::Url::parse(url).expect("a URL").host_str().expect("a host").to_owned();
        let mut items = found(1, &text);
        items.items[0].key = Some(item_key(url));
        if let Fate::Says(version) = fate {
            // Sometimes there is none of the second kind.
            items.items.truncate(if version % 2 == 0 { 1 } else { 2 });
            items.problems.truncate(*version as usize % 2);
        }
        head.items = Some(Box::new(items));
        let page = head.page.as_mut().expect("a page");
        (page.title, page.canonical) = (Some(text), None);
        let failure = |class| Some(Failure::new(class, "why"));
        match fate {
            Fate::Waits => continue,
            Fate::Says(_) => {}
            Fate::NotModified => head.not_modified = true,
            Fate::NotFound => {
                head.ending = Ending::Final { outcome: Outcome::HttpError, failure: None };
                head.status = Some(404);
            }
            Fate::Fails => {
                head.ending = Ending::Final { outcome: Outcome::Failed, failure: failure(ErrorClass::Timeout) };
                head.status = None;
            }
            Fate::Again => head.ending = Ending::Retry { due_at: *number, failure: failure(ErrorClass::Timeout) },
        }
        if !matches!(fate, Fate::Says(_)) {
            (head.body, head.page, head.items, head.extras) = (None, None, None, None);
            body = Vec::new();
        }
        put(&mut store, &(head, body));
    }
    if stops {
        store.end(EndedBy::Interrupted).expect("the end");
    } else {
        finish(path, store);
    }
}

#[test]
fn whatever_happens_to_shards_and_however_they_are_merged_it_is_what_one_store_has() {
    const SHARDS: usize = 4;
    for _ in 0..seine_testkit::rounds(2) {
        let mut dice = Dice::new();
        let folder = Folder::new();
        let stores = (0..SHARDS).map(|number| folder.path(&format!("{number}.db"))).collect::<Vec<_>>();
        let (one, many) = (folder.path("one.db"), folder.path("many.db"));
        let urls = (1..=24).map(|n| (n, format!("https://h{}.example/{n}", n % 9))).collect::<Vec<_>>();
        let shard = |number: u64| (number % 9) as usize % SHARDS;
        let (mut at, mut pending, mut was_ok) = (1000, vec![true; urls.len()], vec![false; urls.len()]);
        let mut is_new = true;
        for number in 0..6 {
            let stops = number < 5 && dice.chance(40);
            if pending.iter().all(|pending| !pending) {
                pending.fill(true);
            }
            let mut fates = Vec::new();
            for url in 0..urls.len() {
                at += dice.between(100, 200);
                let fate = match dice.below(10) {
                    _ if !pending[url] => Fate::Waits,
                    0 | 1 if stops => Fate::Waits,
                    2 if stops => Fate::Again,
                    3 | 4 if was_ok[url] => Fate::NotModified,
                    5 => Fate::NotFound,
                    6 => Fate::Fails,
                    _ => Fate::Says(dice.between(0, 5)),
                };
                pending[url] = matches!(fate, Fate::Waits | Fate::Again) && pending[url];
                was_ok[url] = match fate {
                    Fate::Says(_) | Fate::NotModified => true,
                    Fate::NotFound | Fate::Fails => false,
                    Fate::Waits | Fate::Again => was_ok[url],
                };
                fates.push((fate, at));
            }
            // One that is over in one store and not in another would have the next run begin there too early.
            let stops =
                stops && (0..SHARDS).all(|of| (0..urls.len()).any(|url| pending[url] && shard(url as u64 + 1) == of));
            if !stops {
                for (url, (fate, at)) in fates.iter_mut().enumerate() {
                    if std::mem::take(&mut pending[url]) {
                        (*fate, was_ok[url]) = (Fate::Says(*at), true);
                    }
                }
            }
            round(&one, &urls, &fates, number, stops);
            for (of, store) in stores.iter().enumerate() {
                let own = (0..urls.len()).filter(|url| shard(*url as u64 + 1) == of);
                let (lines, fates): (Vec<_>, Vec<_>) = own.map(|url| (urls[url].clone(), fates[url])).unzip();
                round(store, &lines, &fates, number, stops);
            }
            let mut order = stores.clone();
            for last in (1..order.len()).rev() {
                order.swap(last, dice.below(last + 1));
            }
            if dice.chance(50) {
                // In two goes.
                let (first, rest) = order.split_at(dice.below(SHARDS - 1) + 1);
                for some in [first, rest] {
                    if std::mem::take(&mut is_new) { into_new(&many, some) } else { into_known(&many, some) }
                        .expect("a merge");
                }
            } else {
                if std::mem::take(&mut is_new) { into_new(&many, &order) } else { into_known(&many, &order) }
                    .expect("a merge");
            }
            for path in [&many, &folder.path("at-once.db")] {
                if path != &many {
                    into_new(path, &order).expect("a merge");
                }
                let (one, many) = (said(&one), said(path));
                let only = |a: &[String], b: &[String]| {
                    a.iter().filter(|row| !b.contains(row)).take(8).map(|row| format!("  {row}\n")).collect::<String>()
                };
                assert!(
                    one == many,
                    "round {number}: only in the one:\n{}only in {}:\n{}",
                    only(&one, &many),
                    path.display(),
                    only(&many, &one)
                );
            }
        }
    }
}

#[test]
#[ignore = "takes minutes and some 10 GB: prints what a merge of twenty stores of 50,000 pages costs"]
fn what_a_merge_of_twenty_stores_costs() {
    const STORES: usize = 20;
    let pages: u64 = std::env::var("SEINE_TEST_PAGES").ok().and_then(|pages| pages.parse().ok()).unwrap_or(50_000);
    let folder = Folder::new();
    let mut dice = Dice::of(1);
    let stores = (0..STORES).map(|number| folder.path(&format!("{number}.db"))).collect::<Vec<_>>();
    for (number, path) in stores.iter().enumerate() {
        let mut store = open(path, Only::All, "1");
        let mut made = 0;
        while made < pages {
            let some = made..(made + 500).min(pages);
            let lines = some.clone().map(|n| {
                line(number as u64 * pages + n + 1, &format!("https://host{}.shard{number}.example/{n}", n % 100))
            });
            import(&mut store, &lines.collect::<Vec<_>>());
            store
                .transaction(|store| {
                    for n in some.clone() {
                        // Some 12 KiB that pack to some 3.
                        let noise = dice
                            .noise(2048)
                            .iter()
                            .fold(String::new(), |text, byte| text + &format!("{byte:02x} w{} ", n % 7));
                        let (mut head, body) = page(n as i64 + 1, 1000 + n, noise.as_bytes());
                        head.requests[0].started_us = (1000 + n) * 1000;
                        head.items = None;
                        let links = (0..50).map(|link| format!("[\"/page/{link}\",\"link {link}\",\"\"]"));
                        let page = head.page.as_mut().expect("a page");
                        page.links = Some(format!("[{}]", links.collect::<Vec<_>>().join(",")));
                        page.canonical = None;
                        store.page(&head, &body)?;
                    }
                    Ok(())
                })
                .expect("pages");
            made = some.end;
        }
        finish(path, store);
    }
    let size = |path: &Path| std::fs::metadata(path).expect("a file").len() >> 20;
    println!("{STORES} stores of {pages} pages, {} MiB each", size(&stores[0]));
    let status = |key: &str| {
        let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
        status.lines().find_map(|line| line.strip_prefix(key).map(|rest| rest.trim().to_owned())).unwrap_or_default()
    };
    let cpu = || {
        let stat = std::fs::read_to_string("/proc/self/stat").expect("it is there");
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect::<Vec<_>>();
        (fields[11].parse::<u64>().unwrap_or(0) + fields[12].parse::<u64>().unwrap_or(0)) * 10
    };
    let out = folder.path("out.db");
    let measure = |what: &str, work: &dyn Fn() -> u64| {
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let (began, cpu_before) = (std::time::Instant::now(), cpu());
        let fetches = work();
        println!(
            "{what}: {fetches} fetches in {:.1?}, {} ms of CPU, peak {}, {} MiB",
            began.elapsed(),
            cpu() - cpu_before,
            status("VmHWM:"),
            size(&out)
        );
    };
    let fetches = |brought: Vec<super::Brought>| brought.iter().map(|one| one.fetches).sum::<u64>();
    measure("all into a new store", &|| fetches(into_new(&out, &stores).expect("a merge")));
    measure("again", &|| fetches(into_known(&out, &stores).expect("a merge")));
    std::fs::remove_file(&out).expect("it can be removed");
    into_new(&out, &stores[..10]).expect("a merge");
    measure("ten more into one that is there", &|| fetches(into_known(&out, &stores[10..]).expect("a merge")));
    assert_complete(&out);
}
