//! The store belongs to one crawl at a time and to this program alone; readers are always welcome.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Place, Reply, Site, Store, eventually};
use rusqlite::Connection;

fn pages() -> Site {
    Site::new(|request| Reply::page(&request.path))
}

/// A store with a finished crawl of `urls` pages.
fn finished(urls: usize) -> (Place, Site) {
    let (place, site) = (Place::new(), pages());
    place.list("urls.txt", site.urls(urls));
    place.crawl(&["urls.txt"]).run().expect(0);
    (place, site)
}

/// Crawls into `db`, which must be refused with `word` and stay as it is, byte for byte.
fn assert_refused(place: &Place, site: &Site, db: &Path, word: &str) {
    let before = fs::read(db).expect("the file is there");
    let requests = site.count();
    let ended = place.crawl(&["urls.txt"]).db(db).run().expect(2).says(word);
    assert!(ended.stderr.contains(db.to_str().expect("paths of tests are UTF-8")), "{}", ended.stderr);
    assert!(fs::read(db).expect("the file is there") == before, "{} was changed", db.display());
    assert_eq!(site.count(), requests, "a request was made");
    for verb in [["status"].as_slice(), &["cat"]] {
        let arguments = [
            verb,
            &[db.to_str().expect("paths of tests are UTF-8")],
            if verb == ["cat"] { &["http://127.0.0.1/"] } else { &[] },
        ];
        place.seine(&arguments.concat()).run().expect(2);
    }
    assert!(fs::read(db).expect("the file is there") == before, "{} was changed by a reader", db.display());
}

#[test]
fn a_second_crawl_into_the_same_store_is_refused_at_once_and_told_who_has_it() {
    let (place, site) = (Place::new(), Site::new(|request| Reply::page(&request.path).held()));
    place.list("urls.txt", site.urls(3));
    let running = place.crawl(&["urls.txt"]).start();
    site.wait_for_hits(3);
    // Not by `Place`, which would look for a free lock afterwards.
    let began = Instant::now();
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_seine"))
        .args(["crawl", "urls.txt", "--db", "crawl.db"])
        .current_dir(place.path(""))
        .output()
        .expect("the program can be run");
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(4), "{text}");
    assert!(text.contains(&format!("pid {}", running.group)) && text.contains("crawl.db"), "{text}");
    assert!(text.contains("--db"), "the flag it advises is the one there is: {text}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(site.count(), 3);
    site.release();
    running.wait().expect(0);
    place.crawl(&["urls.txt"]).run().expect(0);
}

#[test]
fn readers_see_whole_pages_all_through_a_crawl_and_never_wait_for_it() {
    let slow = |request: &crate::support::Request| Reply::page(&request.path).after(Duration::from_millis(5));
    let (place, site) = (Place::new(), Site::with_hosts(4, slow));
    place.list("urls.txt", site.urls(400));
    let mut running = place.crawl(&["urls.txt"]).start();
    eventually("a store", || {
        Store::try_open(&place.db()).is_ok_and(|store| store.0.prepare("SELECT 1 FROM pages").is_ok())
    });
    let store = place.store();
    let (mut reads, mut last, mut longest) = (0, 0, Duration::ZERO);
    while !running.has_ended() {
        let began = Instant::now();
        let seen = store.number("SELECT count(*) FROM pages");
        assert_eq!(store.number("SELECT count(*) FROM pages WHERE outcome = 'ok' AND title IS NULL"), 0, "half a page");
        longest = longest.max(began.elapsed());
        assert!(seen >= last, "{seen} pages after {last}");
        (reads, last) = (reads + 1, seen);
    }
    drop(store);
    running.wait().expect(0);
    println!("{reads} reads during the crawl, the longest took {longest:?}");
    assert!(reads >= 10, "{reads} reads");
    assert!(longest < Duration::from_secs(3), "a reader waited for {longest:?}");
    place.store().assert_sound();
}

#[test]
fn a_reader_that_stays_in_its_transaction_sees_the_same_pages_and_stops_nobody() {
    let (place, site) = (Place::new(), Site::with_hosts(4, |request| Reply::page(&request.path).held()));
    place.list("urls.txt", site.urls(100));
    let running = place.crawl(&["urls.txt"]).start();
    site.wait_for_hits(16);
    let reader = place.store();
    reader.0.execute_batch("BEGIN").expect("a reader may begin");
    let before = reader.number("SELECT count(*) FROM pages");
    site.release();
    eventually("all pages", || place.store().number("SELECT count(*) FROM pages") == 100);
    assert_eq!(reader.number("SELECT count(*) FROM pages"), before);
    drop(reader);
    running.wait().expect(0);
    place.store().assert_sound();
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_as_it_is() {
    let (place, site) = (Place::new(), pages());
    place.list("urls.txt", site.urls(3));
    let text = place.write("notes.txt", "my notes\n".repeat(1000));
    assert_refused(&place, &site, &text, "not a crawl store");
    let short = place.write("short.txt", "x");
    assert_refused(&place, &site, &short, "not a crawl store");

    let foreign = place.path("foreign.db");
    let db = Connection::open(&foreign).expect("a database can be made");
    db.execute_batch("CREATE TABLE url(a); INSERT INTO url VALUES (1)").expect("a database can be made");
    db.close().expect("it can be closed");
    assert_refused(&place, &site, &foreign, "another program");
}

#[test]
fn a_foreign_database_is_left_as_it_is_even_if_its_last_writes_are_still_in_its_log() {
    let (place, site) = (Place::new(), pages());
    place.list("urls.txt", site.urls(3));
    let open = place.path("open.db");
    let db = Connection::open(&open).expect("a database can be made");
    db.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE a(b); INSERT INTO a VALUES (1)").expect("and filled");
    // As a program that was killed leaves it.
    let (foreign, log) = (place.path("foreign.db"), place.path("foreign.db-wal"));
    fs::copy(&open, &foreign).expect("it can be copied");
    fs::copy(place.path("open.db-wal"), &log).expect("its log can be copied");
    drop(db);
    let before = fs::read(&log).expect("the log is there");
    assert!(!before.is_empty());
    assert_refused(&place, &site, &foreign, "another program");
    assert!(fs::read(&log).is_ok_and(|after| after == before), "the log of a foreign database was touched");
}

#[test]
fn a_damaged_store_is_refused_and_left_as_it_is() {
    let (place, site) = finished(200);
    let whole = fs::read(place.db()).expect("the store is there");
    let page = 8192;

    let mut torn = whole.clone();
    torn.truncate(whole.len() / 2 / page * page);
    let path = place.write("torn.db", torn);
    assert_refused(&place, &site, &path, "torn.db");

    let mut overwritten = whole.clone();
    overwritten[100..page * 3].fill(0xa5);
    let path = place.write("overwritten.db", overwritten);
    assert_refused(&place, &site, &path, "overwritten.db");

    let mut headless = whole;
    headless[..16].fill(0);
    let path = place.write("headless.db", headless);
    assert_refused(&place, &site, &path, "not a crawl store");
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_as_it_is() {
    let (place, site) = finished(3);
    let db = Connection::open(place.db()).expect("the store is there");
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("it has a version");
    db.pragma_update(None, "user_version", version + 1).expect("it can be raised");
    db.execute_batch("PRAGMA journal_mode = delete").expect("nobody else is there");
    db.close().expect("it can be closed");
    assert_refused(&place, &site, &place.db(), "newer seine");
}

#[test]
fn what_cannot_be_a_file_is_refused_at_once() {
    let (place, site) = (Place::new(), pages());
    place.list("urls.txt", site.urls(3));
    fs::create_dir(place.path("folder")).expect("a folder can be made");
    place.crawl(&["urls.txt"]).db(&place.path("folder")).run().expect(2).says("not a regular file");
    place.crawl(&["urls.txt"]).db(&place.path("no/such/folder.db")).run().expect(2).says("folder");
    place.crawl(&["urls.txt"]).db(Path::new("/dev/null")).run().expect(2).says("not a regular file");
    assert_eq!(site.count(), 0);
}

#[test]
fn an_empty_file_becomes_a_store() {
    let (place, site) = (Place::new(), pages());
    place.list("urls.txt", site.urls(3));
    place.write("crawl.db", "");
    place.crawl(&["urls.txt"]).run().expect(0);
    place.store().assert_sound();
}
