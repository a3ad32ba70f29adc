//! Many machines: lists and stores split into shards, crawled apart, and merged into what one crawl would have come to.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Dice, Ended, Place, Reply, Signal, Site, Store};
use serde_json::Value;

const HOSTS: usize = 12;
const PAGES: usize = 120;
const SHARDS: usize = 5;

/// Pages of all kinds; some say something else in the second version of the site, and some are gone then.
fn site() -> (Site, Arc<AtomicUsize>) {
    let version = Arc::new(AtomicUsize::new(1));
    let of_site = Arc::clone(&version);
    let site = Site::with_hosts(HOSTS, move |request| {
        let (version, number) = (of_site.load(Ordering::SeqCst), request.number());
        if request.path == "/robots.txt" {
            return Reply::bytes("text/plain", "User-agent: *\nDisallow: /13\n");
        }
        match number {
            7 | 8 if version == 2 => return Reply::status(404),
            17 => return Reply::redirect(302, "/18"),
            19 => return Reply::status(500),
            23 => return Reply::hang_up(),
            _ => {}
        }
        let version = if number.is_multiple_of(5) { version } else { 1 };
        let tag = format!("\"{number}-{version}\"");
        if number.is_multiple_of(2) && request.headers.get("if-none-match") == Some(&tag) {
            return Reply::status(304);
        }
        // Some bodies are the same everywhere.
        let said = if number.is_multiple_of(10) { 0 } else { number };
        let rows = "<tr><td>a</td><td>b</td></tr>".repeat(2);
        let parts = (0..=(number + version) % 3).map(|n| format!("<li class=part>{n} of v{version}</li>"));
        Reply::html(format!(
            "<title>{said} v{version}</title><a href=/next>n</a><p class=price>{version}.5</p><p class=id>{number}</p>\
             <p class=brand>brand {}</p><table><tr><th>x</th><th>y</th></tr>{rows}</table>{}",
            number % 3,
            parts.collect::<String>()
        ))
        .header("ETag", tag)
    });
    (site, version)
}

const RULES: &str = r#"
tables = true
metadata = true
[[collection]]
name = "things"
key = ["id"]
[collection.fields]
id = { css = ".id", type = "integer" }
price = { css = ".price", type = "number", required = true }
stock = { css = ".stock", required = true }
[[collection]]
name = "parts"
each = ".part"
[collection.fields]
what = { css = ":scope" }
[[collection]]
name = "brands"
key = ["name"]
[collection.fields]
name = { css = ".brand" }
"#;

/// What the views say, but for times and ids.
fn said(db: &Path) -> Vec<String> {
    let store = Store::open(db);
    store.assert_sound();
    let mut said = Vec::new();
    for sql in [
        "SELECT 'page', url, input_file, input_line, input_columns, final_url, outcome, status, error, error_message, title, h1, \
           description, canonical, lang, content_type, charset, body_bytes, body_hash, attempts, depth, run_id, redirects, \
           meta_robots, metadata, text, markdown, changed, kind, found_on, lastmod, same_as FROM pages ORDER BY url",
        "SELECT 'input', file, line, raw_url, columns, outcome, reason FROM inputs ORDER BY file, line",
        "SELECT 'link', from_url, to_url, text, rel, element, internal, nofollow FROM links ORDER BY 2, 3, 4, 5",
        "SELECT 'run', run_id, ended_by, urls, ok, http_error, failed, rejected, quarantined, robots_denied, skipped, bytes \
           FROM runs ORDER BY run_id",
        "SELECT 'request', url, host, requested_url, kind, attempt, status, error, bytes, http_version, run_id FROM requests \
           WHERE kind = 'page' ORDER BY url, run_id, attempt, requested_url",
        "SELECT 'robots', host, run_id, count(*) FROM requests WHERE kind = 'robots' GROUP BY 2, 3 ORDER BY 2, 3",
        "SELECT 'attempt', url, attempt, status, error, run_id FROM attempts ORDER BY url, run_id, attempt",
        "SELECT 'robots file', origin, final_url, status, error, bytes, crawl_delay_s FROM robots_files ORDER BY origin",
        "SELECT 'item', collection, url, run_id, data FROM items WHERE collection <> 'brands' ORDER BY 2, 3, 5",
        "SELECT 'thing', id, price, stock, _url, _run_id, _input_columns FROM things ORDER BY id",
        "SELECT 'brand', name FROM brands ORDER BY name",
        "SELECT 'problem', url, collection, item, field, problem, found, run_id FROM extract_problems ORDER BY 2, 3, 4, 5",
        "SELECT 'rate', run_id, collection, host, field, of_items, found FROM field_rates ORDER BY 2, 3, 4, 5",
        "SELECT 'table', url, table_number, row_number, cells FROM tables ORDER BY 2, 3, 4",
        "SELECT 'history', url, run_id, outcome, status, error, changed, not_modified, body_hash, body_bytes, title FROM history \
           ORDER BY url, run_id",
        "SELECT 'host', name, listed, fetched, failed FROM host WHERE host_id > 0 ORDER BY name",
        "SELECT 'past item', i.data ->> 'id', h.run_id, h.data, h.replaced_by FROM past_item h JOIN item i USING(item_id) \
           ORDER BY 2, 3",
        "SELECT 'gone item', u.url, g.number, g.run_id, g.data, g.first_run, g.gone_by FROM gone_item g JOIN url u USING(url_id) \
           ORDER BY 2, 3",
        "SELECT 'body', lower(hex(hash)), bytes, zstd IS NOT NULL FROM body ORDER BY 2",
        "SELECT 'total', outcome, urls FROM total WHERE urls > 0 ORDER BY 2",
    ] {
        said.extend(store.rows(sql));
    }
    // Rows that are alike but for their ids come in any order.
    said.sort();
    said
}

#[track_caller]
fn assert_same(one: &[String], other: &[String]) {
    let (of_one, of_other) = (one.iter().collect::<BTreeSet<_>>(), other.iter().collect::<BTreeSet<_>>());
    let only = |a: &BTreeSet<&String>, b: &BTreeSet<&String>| {
        a.difference(b).take(10).map(|row| format!("  {row}\n")).collect::<String>()
    };
    assert!(
        one == other,
        "{} and {} rows; only in the first:\n{}only in the second:\n{}",
        one.len(),
        other.len(),
        only(&of_one, &of_other),
        only(&of_other, &of_one)
    );
}

fn shard(number: usize) -> (String, String) {
    (format!("shards/shard-{number}.jsonl"), format!("{number}.db"))
}

fn merge(place: &Place, out: &str) -> Ended {
    let stores = (0..SHARDS).map(|number| shard(number).1).collect::<Vec<_>>();
    let mut arguments = vec!["merge", out, "--json"];
    arguments.extend(stores.iter().map(String::as_str));
    place.seine(&arguments).run()
}

const FLAGS: [&str; 7] = ["--config", "rules.toml", "--delay", "0", "--retries", "0", "--host-failures=0"];

fn crawl_shards(place: &Place) {
    for number in 0..SHARDS {
        let (list, db) = shard(number);
        place.obedient_crawl(&[&[list.as_str(), "--db", &db], &FLAGS[..]].concat()).run().expect(0);
    }
}

fn lists(place: &Place, site: &Site) {
    place.write("rules.toml", RULES);
    let rows = site.urls(PAGES).into_iter().enumerate().map(|(n, url)| format!("{n},{url},\"a \"\"b\"\"\"\n"));
    place.write("more.csv", format!("url,link,note\n{}x,nonsense,c\n", rows.skip(60).collect::<String>()));
    // Some twice, one spelled differently, one no URL.
    let mut urls = site.urls(80);
    urls.push(format!("{}#top", site.urls(3)[2]));
    urls.push("nonsense".to_owned());
    place.write("urls.csv", format!("link\n{}\n", urls.join("\n")));
    place.list("urls.txt", urls);
}

#[test]
fn shards_crawled_apart_and_merged_are_what_one_crawl_comes_to() {
    let ((site, version), place) = (site(), Place::new());
    lists(&place, &site);
    let split = ["split", "urls.csv", "more.csv", "--url-column", "link", "--shards", "5", "-o", "shards", "--json"];
    let counts = place.seine(&split).run().expect(0).json();
    assert_eq!(counts["inputs"][0]["lines"], 82);
    assert_eq!(counts["inputs"][1]["lines"], 61);
    let files = counts["files"].as_array().expect("files");
    assert_eq!(files.iter().map(|file| file["urls"].as_u64().unwrap_or(0)).sum::<u64>(), 82 + 61 - 2);
    assert_eq!(files.iter().map(|file| file["rejected"].as_u64().unwrap_or(0)).sum::<u64>(), 2);

    let whole = [&["urls.csv", "more.csv", "--url-column", "link", "--db", "one.db"], &FLAGS[..]].concat();
    for run in 1..=2 {
        version.store(run, Ordering::SeqCst);
        place.obedient_crawl(&whole).run().expect(0);
        crawl_shards(&place);
        // Into the same store each time, and all at once into a new one.
        merge(&place, "many.db").expect(0);
        let once = format!("at-once-{run}.db");
        merge(&place, &once).expect(0);
        let one = said(&place.path("one.db"));
        assert!(one.len() > 1000, "{}", one.len());
        assert_same(&one, &said(&place.path("many.db")));
        assert_same(&one, &said(&place.path(&once)));
    }
    // Of what several pages have, the one fetched last counts.
    let store = Store::open(&place.path("many.db"));
    let later = "SELECT count(*) FROM brands b JOIN pages p ON p.url = b._url WHERE EXISTS (SELECT 1 FROM pages o \
                 JOIN things t ON t._url = o.url WHERE 'brand ' || (t.id % 3) = b.name AND o.fetched_at > p.fetched_at)";
    assert_eq!(store.number(later), 0);
    // Every verb takes it.
    let diff = |db: &str| {
        let json: Value = place.seine(&["diff", db, "--format", "json"]).run().expect(1).json();
        json["pages"]["counts"].clone()
    };
    assert_eq!(diff("many.db"), diff("one.db"));
    for verb in [
        &["audit", "many.db"][..],
        &["status", "many.db"],
        &["report", "many.db"],
        &["export", "many.db", "-o", "out.csv"],
        &["why", "many.db", &site.urls(1)[0]],
        &["cat", "many.db", &site.urls(1)[0]],
    ] {
        place.seine(verb).run().expect(0);
    }
    let links = |db: &str| {
        let ended = place.seine(&["links", db, "--format", "csv"]).run();
        let mut lines: Vec<_> = String::from_utf8_lossy(&ended.stdout).lines().map(str::to_owned).collect();
        lines.sort();
        (ended.code, lines)
    };
    let ((code, many), (code_of_one, one)) = (links("many.db"), links("one.db"));
    assert_eq!(code, code_of_one);
    assert_same(&many, &one);
    // And a crawl of the lists goes on from it: nothing is new.
    let more =
        [&["urls.csv", "more.csv", "--url-column", "link", "--db", "many.db", "--only", "new", "--json"], &FLAGS[..]];
    let before = site.count();
    place.obedient_crawl(&more.concat()).run().expect(0);
    assert_eq!(site.count(), before);
    // The third run asks for what has changed since.
    place.obedient_crawl(&whole).run().expect(0);
    place
        .obedient_crawl(&[&["urls.csv", "more.csv", "--url-column", "link", "--db", "many.db"], &FLAGS[..]].concat())
        .run()
        .expect(0);
    assert_same(&said(&place.path("one.db")), &said(&place.path("many.db")));
}

#[test]
fn a_merge_takes_what_is_new_and_changes_nothing_twice() {
    let ((site, _), place) = (site(), Place::new());
    lists(&place, &site);
    place.seine(&["split", "urls.txt", "--shards", "5", "-o", "shards"]).run().expect(0);
    // Each stops in the middle, and goes on later.
    let mut pending = 0;
    for number in 0..SHARDS {
        let (list, db) = shard(number);
        let flags = [&[list.as_str(), "--db", &db, "--limit", "3", "--json"], &FLAGS[..]].concat();
        let ended = place.obedient_crawl(&flags).run();
        pending += ended.json()["pending"].as_u64().unwrap_or(0);
    }
    let first = merge(&place, "many.db").expect(0).json();
    assert!(pending > 30, "{pending}");
    assert_eq!(first["pending"], pending);
    let half = said(&place.path("many.db"));
    let again = merge(&place, "many.db").expect(0).json();
    for what in ["urls", "fetches", "lines", "items", "requests", "bodies"] {
        assert_eq!(again[what], 0, "{what}");
    }
    assert_same(&half, &said(&place.path("many.db")));
    crawl_shards(&place);
    let rest = merge(&place, "many.db").expect(0).json();
    assert_eq!(rest["fetches"], pending);
    // In another order, all at once.
    let mut arguments = vec!["merge", "other.db"];
    let stores = (0..SHARDS).rev().map(|number| shard(number).1).collect::<Vec<_>>();
    arguments.extend(stores.iter().map(String::as_str));
    place.seine(&arguments).run().expect(0);
    assert_same(&said(&place.path("many.db")), &said(&place.path("other.db")));
    // The work of the unfinished merge can be gone on with, too.
    place.obedient_crawl(&[&["urls.txt", "--db", "one.db"], &FLAGS[..]].concat()).run().expect(0);
    assert_same(&said(&place.path("one.db")), &said(&place.path("many.db")));
}

#[test]
fn what_is_pending_in_a_store_is_split_crawled_apart_and_merged_into_it() {
    let ((site, version), place) = (site(), Place::new());
    lists(&place, &site);
    let whole = |db: &'static str| [&["urls.txt", "--db", db], &FLAGS[..]].concat();
    for db in ["one.db", "many.db"] {
        place.obedient_crawl(&whole(db)).run().expect(0);
    }
    version.store(2, Ordering::SeqCst);
    place.obedient_crawl(&whole("one.db")).run().expect(0);
    place.obedient_crawl(&[&whole("many.db")[..], &["--limit", "9"]].concat()).run().expect(3);
    let pending = place.seine(&["status", "many.db", "--json"]).run().expect(0).json()["pending"].clone();
    let split = place.seine(&["split", "many.db", "--shards", "3", "-o", "stores", "--json"]).run().expect(0).json();
    let urls = split["files"].as_array().expect("files").iter().filter_map(|file| file["urls"].as_u64()).sum::<u64>();
    assert_eq!(pending, urls);
    let before = site.hits_of("/0");
    let mut arguments = vec!["merge".to_owned(), "many.db".to_owned()];
    for number in 0..3 {
        let db = format!("stores/shard-{number}.db");
        let ended = place.obedient_crawl(&[&["--db", &db], &FLAGS[..]].concat()).run();
        assert!(matches!(ended.code, Some(0 | 1)), "{}", ended.stderr);
        arguments.push(db);
    }
    assert!(site.hits_of("/0") <= before + 1);
    let arguments = arguments.iter().map(String::as_str).collect::<Vec<_>>();
    place.seine(&arguments).run().expect(0);
    assert_same(&said(&place.path("one.db")), &said(&place.path("many.db")));
    // A folder with stores in it is somebody's.
    place.seine(&["split", "many.db", "--shards", "3", "-o", "stores"]).run().expect(2).says("shard-");
}

#[test]
fn crawls_that_follow_links_find_the_same_apart() {
    let version = Arc::new(AtomicUsize::new(1));
    let of_site = Arc::clone(&version);
    let site = Site::with_hosts(6, move |request| {
        let (version, number) = (of_site.load(Ordering::SeqCst), request.number());
        let next =
            if number < 8 { format!("<a href=/{}>next</a><a href=/1>first</a>", number + 1) } else { String::new() };
        // In the second version the last pages are named no more, and there are others.
        let next = if version == 2 && number == 5 { "<a href=/20>new</a>".to_owned() } else { next };
        Reply::html(format!(
            "<title>{number} of {version}</title>{next}<a href={}>elsewhere</a>",
            request.url_at(0, "/3")
        ))
    });
    let place = Place::new();
    place.list("urls.txt", (0..6).map(|host| site.url_at(host, "/0")));
    place.seine(&["split", "urls.txt", "--shards", "5", "-o", "shards"]).run().expect(0);
    for run in 1..=2 {
        version.store(run, Ordering::SeqCst);
        place.crawl(&["urls.txt", "--db", "one.db", "--follow"]).run().expect(0);
        for number in 0..SHARDS {
            let (list, db) = shard(number);
            place.crawl(&[&list, "--db", &db, "--follow"]).run().expect(0);
        }
        merge(&place, "many.db").expect(0);
        // By which of several pages a URL was found first is a matter of chance.
        let told = |db: &str| {
            let store = Store::open(&place.path(db));
            store.assert_sound();
            let mut told = store.rows("SELECT url, outcome, title, depth, run_id, changed FROM pages ORDER BY url");
            told.extend(store.rows("SELECT url, unlisted_by, relisted_by FROM url ORDER BY url"));
            told.extend(store.rows("SELECT from_url, to_url FROM links ORDER BY 1, 2"));
            told.extend(store.rows("SELECT run_id, ended_by, urls, ok FROM runs"));
            told.extend(store.rows("SELECT root FROM scope_root ORDER BY 1"));
            assert_eq!(store.number("SELECT count(*) FROM pages WHERE depth > 0 AND found_on IS NULL"), 0);
            told
        };
        let one = told("one.db");
        assert!(one.len() > 150, "{}", one.len());
        assert_same(&one, &told("many.db"));
    }
    // The merge goes on as the one does.
    for db in ["one.db", "many.db"] {
        place.crawl(&["urls.txt", "--db", db, "--follow"]).run().expect(0);
    }
    let pages = "SELECT url, title, depth, run_id FROM pages ORDER BY url";
    assert_eq!(Store::open(&place.path("one.db")).rows(pages), Store::open(&place.path("many.db")).rows(pages));
}

#[test]
fn a_killed_merge_is_as_if_it_had_never_been_and_can_be_run_again() {
    let ((site, version), place, mut dice) = (site(), Place::new(), Dice::new());
    lists(&place, &site);
    place.seine(&["split", "urls.txt", "--shards", "5", "-o", "shards"]).run().expect(0);
    crawl_shards(&place);
    let took = merge(&place, "measure.db").expect(0).elapsed.as_millis() as u64;
    let first = said(&place.path("measure.db"));
    let mut arguments = vec!["merge", "many.db"];
    let stores = (0..SHARDS).map(|number| shard(number).1).collect::<Vec<_>>();
    arguments.extend(stores.iter().map(String::as_str));
    let mut killed = 0;
    let mut kill = |signal: Signal, dice: &mut Dice| {
        let running = place.seine(&arguments).start();
        // A time, not a synchronisation: the kill may come whenever it does.
        std::thread::sleep(dice.millis(0, took * 5 / 4));
        running.signal(signal);
        let ended = running.wait();
        killed += u64::from(ended.signal.is_some() || ended.code != Some(0));
        assert!(ended.signal.is_some() || matches!(ended.code, Some(0 | 130)), "{:?}: {}", ended.code, ended.stderr);
    };
    for round in 0..8 {
        let signal = if round % 4 == 3 { Signal::SIGINT } else { Signal::SIGKILL };
        kill(signal, &mut dice);
        let db = place.path("many.db");
        // There is nothing yet, or all.
        if fs::metadata(&db).is_ok_and(|meta| meta.len() > 0) {
            assert_same(&first, &said(&db));
            if dice.chance(70) {
                fs::remove_file(&db).expect("it can be removed");
            }
        }
    }
    place.seine(&arguments).run().expect(0);
    assert_same(&first, &said(&place.path("many.db")));
    version.store(2, Ordering::SeqCst);
    crawl_shards(&place);
    merge(&place, "second.db").expect(0);
    let second = said(&place.path("second.db"));
    for _ in 0..8 {
        kill(Signal::SIGKILL, &mut dice);
        let now = said(&place.path("many.db"));
        assert!(now == first || now == second, "neither the first nor the second");
        if now == second {
            fs::copy(place.path("measure.db"), place.path("many.db")).expect("a copy");
        }
    }
    assert!(killed > 0, "no kill came in time");
    place.seine(&arguments).run().expect(0);
    assert_same(&second, &said(&place.path("many.db")));
}

#[test]
fn a_url_that_two_stores_have_fetched_in_one_run_is_told_with_both_and_nothing_changes() {
    let ((site, _), place) = (site(), Place::new());
    place.list("a.txt", site.urls(6));
    place.list("b.txt", site.urls(24).into_iter().skip(5));
    for name in ["a", "b"] {
        place.crawl(&[&format!("{name}.txt"), "--db", &format!("{name}.db")]).run().expect(0);
    }
    let url = &site.urls(6)[5];
    place.seine(&["merge", "out.db", "a.db", "b.db"]).run().expect(2).says("a.db").says("b.db").says(url).says("run 1");
    assert!(!place.path("out.db").exists());
    place.seine(&["merge", "out.db", "a.db"]).run().expect(0);
    let before = said_of(&place, "out.db");
    place.seine(&["merge", "out.db", "b.db"]).run().expect(2).says("out.db").says("b.db");
    assert_eq!(said_of(&place, "out.db"), before);
}

fn said_of(place: &Place, db: &str) -> Vec<String> {
    Store::open(&place.path(db)).rows("SELECT url, outcome, run_id FROM pages ORDER BY url")
}

#[test]
fn lists_of_one_name_and_other_urls_stay_apart() {
    let ((site, _), place) = (site(), Place::new());
    for (name, skip) in [("a", 0), ("b", 6)] {
        place.list("urls.txt", site.urls(12).into_iter().skip(skip).take(6));
        place.crawl(&["urls.txt", "--db", &format!("{name}.db")]).run().expect(0);
    }
    for _ in 0..2 {
        place.seine(&["merge", "out.db", "a.db", "b.db"]).run().expect(0);
        let store = Store::open(&place.path("out.db"));
        store.assert_sound();
        assert_eq!(
            store.rows("SELECT file, count(*), count(DISTINCT url_id) FROM inputs GROUP BY file"),
            ["b.db: urls.txt|6|6", "urls.txt|6|6"]
        );
    }
}

#[test]
fn a_store_that_is_no_store_or_is_damaged_or_is_the_target_is_refused() {
    let ((site, _), place) = (site(), Place::new());
    place.list("urls.txt", site.urls(6));
    place.crawl(&["urls.txt", "--db", "a.db"]).run().expect(0);
    place.write("text.db", "no store");
    let refused = |arguments: &[&str], says: &str| {
        place.seine(&[&["merge"], arguments].concat()).run().expect(2).says(says);
        assert!(!place.path("out.db").exists(), "{arguments:?}");
    };
    refused(&["out.db", "missing.db"], "missing.db");
    refused(&["out.db", "text.db"], "text.db");
    refused(&["a.db", "./a.db"], "leave it out");
    for (sql, says) in [
        ("UPDATE url SET outcome = 77", "outcome"),
        (
            "PRAGMA writable_schema = on; UPDATE sqlite_schema SET sql = replace(sql, 'is_last    INTEGER NOT NULL', 'is_last INTEGER') \
             WHERE name = 'request'; PRAGMA writable_schema = reset; UPDATE request SET is_last = NULL",
            "is_last",
        ),
        ("UPDATE page SET title = x'00'", "title"),
        ("UPDATE url SET host_id = 999", "host"),
        ("UPDATE run SET run_id = 9000000000000000000", "run"),
        ("UPDATE page SET same_id = 1; INSERT INTO same_fetch VALUES (1, 1, 1, 1, 1, NULL, 0)", "no end"),
        ("UPDATE page SET run_id = 7", "run 7"),
        ("CREATE TRIGGER t AFTER INSERT ON url BEGIN SELECT 1; END", "trigger"),
        ("PRAGMA user_version = 99", "newer"),
        ("PRAGMA user_version = 13", "store version 13"),
        ("INSERT INTO collection(name, declared) VALUES ('a', '{}')", "collection"),
        (
            "INSERT INTO collection(name, declared) VALUES ('run', '{\"name\":\"run\",\"key\":[],\"fields\":[]}')",
            "taken",
        ),
    ] {
        fs::copy(place.path("a.db"), place.path("bad.db")).expect("a copy");
        let db = rusqlite::Connection::open(place.path("bad.db")).expect("a store");
        db.execute_batch(&format!("PRAGMA foreign_keys = off; {sql}")).unwrap_or_else(|error| panic!("{sql}: {error}"));
        drop(db);
        refused(&["out.db", "bad.db"], says);
        // And nothing of it comes into a store that is there.
        fs::copy(place.path("a.db"), place.path("known.db")).expect("a copy");
        let ended = place.seine(&["merge", "known.db", "bad.db"]).run();
        // A request that is known is not looked at twice.
        assert!(
            ended.code == Some(2) && ended.stderr.contains("bad.db") || says == "is_last",
            "{sql}: {}",
            ended.stderr
        );
        assert_eq!(said_of(&place, "known.db"), said_of(&place, "a.db"));
    }
    // A body that is not what its hash says is nobody's.
    fs::copy(place.path("a.db"), place.path("bad.db")).expect("a copy");
    let db = rusqlite::Connection::open(place.path("bad.db")).expect("a store");
    db.execute_batch("UPDATE body SET zstd = (SELECT zstd FROM body WHERE body_id = 2) WHERE body_id = 1")
        .expect("a change");
    drop(db);
    let merged = place.seine(&["merge", "out.db", "bad.db", "--json"]).run().expect(0).json();
    assert_eq!(merged["damaged_bodies"], 1);
    let store = Store::open(&place.path("out.db"));
    store.assert_sound();
    assert_eq!(store.number("SELECT count(*) FROM body WHERE zstd IS NULL"), 1);
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE body_hash IS NOT NULL"), 6);
}

#[test]
fn a_store_that_is_being_crawled_is_read_as_it_is_and_a_target_that_is_waits_for_nobody() {
    let site = Site::with_hosts(4, |request| {
        if request.number() > 20 { Reply::page("late").held() } else { Reply::page(&request.path) }
    });
    let place = Place::new();
    place.list("urls.txt", site.urls(40));
    let running = place.crawl(&["urls.txt", "--db", "a.db"]).start();
    site.wait_for_hits(21);
    let pages = || Store::try_open(&place.path("a.db")).map_or(0, |store| store.number("SELECT count(*) FROM pages"));
    crate::support::eventually("pages", || pages() > 0);
    let merged = place.seine(&["merge", "out.db", "a.db", "--json"]).beside().run().expect(0).json();
    assert!(merged["fetches"].as_u64() > Some(0), "{merged}");
    assert!(merged["pending"].as_u64() > Some(0), "{merged}");
    place.seine(&["merge", "a.db", "out.db"]).beside().run().expect(4).says("a.db");
    place.seine(&["split", "a.db", "--shards", "2", "-o", "s"]).beside().run().expect(4);
    site.release();
    running.wait().expect(0);
    place.seine(&["merge", "out.db", "a.db"]).run().expect(0);
    let store = Store::open(&place.path("out.db"));
    store.assert_sound();
    assert_eq!(store.row("SELECT ended_by, urls, ok FROM runs"), "completed|40|40");
}

#[test]
fn a_split_is_stable_keeps_hosts_together_and_leaves_what_is_not_its_own_alone() {
    let place = Place::new();
    let urls = (0..2000).map(|n| format!("https://{}.d{}.example.com/{n}", ["a", "b"][n / 300 % 2], n % 300));
    let sites = (0..2000).map(|n| format!("https://{}.site{}.co.uk/{n}", ["a", "b"][n / 300 % 2], n % 300));
    place.list("urls.txt", urls.chain(sites));
    let split = |by: &str, folder: &str| {
        place.seine(&["split", "urls.txt", "--shards", "16", "--by", by, "-o", folder]).run().expect(0);
        let mut lines = Vec::new();
        let mut hosts: Vec<BTreeSet<String>> = Vec::new();
        for number in 0..16 {
            let text = fs::read_to_string(place.path(&format!("{folder}/shard-{number}.jsonl"))).expect("a shard");
            let of_shard = text.lines().skip(1).map(|line| serde_json::from_str(line).expect("JSON"));
            let of_shard = of_shard.collect::<Vec<Value>>();
            let host =
                |line: &Value| line["_seine"][2].as_str().unwrap_or_default()[8..].split('/').next().map(str::to_owned);
            hosts.push(of_shard.iter().filter_map(host).collect());
            let numbers = of_shard.iter().map(|line| line["_seine"][1].as_u64().unwrap_or(0)).collect::<Vec<_>>();
            assert!(numbers.is_sorted(), "the order of the list is kept");
            lines.extend(numbers);
        }
        lines.sort_unstable();
        assert_eq!(lines, (1..=4000).collect::<Vec<_>>());
        for (at, one) in hosts.iter().enumerate() {
            assert!(hosts[at + 1..].iter().all(|other| one.is_disjoint(other)), "a host is in two shards");
        }
        hosts
    };
    let by_domain = split("domain", "a");
    assert!(by_domain.iter().any(|hosts| hosts.len() > 600), "all of example.com is in one");
    let with_both = |host: &String| {
        by_domain.iter().any(|hosts| hosts.contains(host) && hosts.contains(&host.replacen('a', "b", 1)))
    };
    assert!((0..300).all(|n| with_both(&format!("a.site{n}.co.uk"))));
    assert!(split("host", "b").iter().all(|hosts| hosts.len() < 150));
    // Again, in the place of the first: the same bytes.
    let read = |name: &str| fs::read(place.path(name)).expect("a shard");
    let before = read("a/shard-7.jsonl");
    split("domain", "a");
    assert_eq!(read("a/shard-7.jsonl"), before);
    // What else is there stays, and nothing is left over.
    place.write("a/mine.txt", "mine");
    place.seine(&["split", "urls.txt", "--shards", "2", "-o", "a"]).run().expect(2).says("mine.txt");
    assert_eq!(read("a/shard-7.jsonl"), before);
    let hidden = fs::read_dir(place.path(""))
        .expect("a folder")
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0);
    // A shard is a list like any other: split again it is of the lists of the first time.
    place.seine(&["split", "b/shard-3.jsonl", "--shards", "1", "-o", "c"]).run().expect(0);
    assert_eq!(
        read("c/shard-0.jsonl").split(|b| *b == b'\n').nth(1),
        read("b/shard-3.jsonl").split(|b| *b == b'\n').nth(1)
    );
    for (arguments, says) in
        [(&["https://a.example/"][..], "no list"), (&["missing.txt"], "missing.txt"), (&["x.warc.gz"], "archive")]
    {
        let all = [&["split"], arguments, &["--shards", "2", "-o", "d"]].concat();
        place.seine(&all).run().expect(2).says(says);
        assert!(!place.path("d").exists());
    }
}

#[test]
fn a_shard_without_a_url_is_a_crawl_with_nothing_to_do() {
    let ((site, _), place) = (site(), Place::new());
    place.list("urls.txt", [site.urls(1).remove(0), "nonsense".to_owned()]);
    let split = ["split", "-", "--shards", "40", "-o", "shards"];
    place.seine(&split).stdin(fs::read(place.path("urls.txt")).expect("a list")).run().expect(0);
    let mut stores = vec!["merge".to_owned(), "out.db".to_owned()];
    for number in 0..40 {
        let (list, db) = shard(number);
        // One has nothing but a line that is no URL: not one ended ok.
        let ended = place.crawl(&[&list, "--db", &db]).run();
        assert!(matches!(ended.code, Some(0 | 1)), "{}", ended.stderr);
        stores.push(db);
    }
    place.seine(&stores.iter().map(String::as_str).collect::<Vec<_>>()).run().expect(0);
    let store = Store::open(&place.path("out.db"));
    store.assert_sound();
    assert_eq!(store.rows("SELECT file, line, outcome FROM inputs ORDER BY line"), ["-|1|ok", "-|2|rejected"]);
    assert_eq!(store.row("SELECT ended_by, urls, ok, rejected FROM runs"), "completed|2|1|1");
}

#[test]
fn a_killed_split_leaves_no_folder() {
    let (place, mut dice) = (Place::new(), Dice::new());
    place.list("urls.txt", (0..60_000).map(|n| format!("https://site{}.example/{n}", n % 5000)));
    let split = ["split", "urls.txt", "--shards", "64", "-o", "shards"];
    for _ in 0..6 {
        let running = place.seine(&split).start();
        std::thread::sleep(dice.millis(0, 400));
        running.signal(Signal::SIGKILL);
        running.wait_within(Duration::from_secs(20));
        let files = fs::read_dir(place.path("shards")).map_or(0, Iterator::count);
        assert!(files == 0 || files == 65, "{files}");
        if files > 0 {
            fs::remove_dir_all(place.path("shards")).expect("it can be removed");
        }
    }
    place.seine(&split).run().expect(0);
    assert_eq!(fs::read_dir(place.path("shards")).expect("a folder").count(), 65);
}

#[test]
fn the_recipe_for_ssh_crawls_on_all_machines_and_goes_on_when_one_was_lost() {
    let ((site, _), place) = (site(), Place::new());
    place.list("urls.txt", site.urls(48));
    // Machines are folders here: what ssh and scp do over the network is done beside it.
    let bin = place.path("bin");
    fs::create_dir(&bin).expect("a folder");
    let stub = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = bin.join(name);
        fs::write(&path, format!("#!/bin/sh\nset -eu\n{text}\n")).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
    };
    stub("ssh", "[ ! -e lost-$1 ] || exit 255; cd \"$1\"; exec sh -c \"$2\"");
    stub(
        "scp",
        "shift; machine=${1%%:*}; [ \"$machine\" != \"$1\" ] || machine=${2%%:*}; [ ! -e lost-$machine ] || exit 255\n\
         case $1 in *:*) cp \"$machine/${1#*:}\" \"$2\";; *) cp \"$1\" \"$machine/\";; esac",
    );
    let seine = env!("CARGO_BIN_EXE_seine");
    stub(
        "seine",
        &format!(
            "verb=$1; shift\n[ \"$verb\" = crawl ] || exec {seine} \"$verb\" \"$@\"\n\
             exec {seine} crawl \"$@\" --delay 0 --ignore-robots --fail-threshold 100% --fetchers 1 --min-free-disk 0"
        ),
    );
    for machine in ["one", "two", "three"] {
        fs::create_dir(place.path(machine)).expect("a folder");
    }
    let run = || {
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/ssh/crawl.sh");
        let output = std::process::Command::new("sh")
            .arg(script)
            .args(["urls.txt", "crawl.db", "one", "two", "three"])
            .current_dir(place.path(""))
            .env("PATH", path)
            .output()
            .expect("it can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let ended = || place.store().number("SELECT count(*) FROM pages");
    place.write("lost-two", "");
    run();
    assert!((1..48).contains(&ended()), "{}", ended());
    fs::remove_file(place.path("lost-two")).expect("it comes back");
    run();
    assert_eq!(ended(), 48);
    place.store().assert_sound();
}
