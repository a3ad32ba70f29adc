//! What operators do to a crawl and its files: logs are rotated, stores copied, moved and removed, limits set.

use std::fs;
use std::time::Duration;

use crate::support::{Dice, Place, Reply, Signal, Site, Store, eventually};

fn pages() -> Site {
    Site::new(|request| Reply::page(&request.path))
}

#[test]
fn a_log_that_is_truncated_goes_on_from_its_beginning() {
    let place = Place::new();
    let site =
        Site::new(|request| if request.number() < 20 { Reply::page("soon") } else { Reply::page("held").held() });
    place.list("urls.txt", site.urls(40));
    let running = place.crawl(&["urls.txt", "-v", "--log-file", "log"]).start();
    let log = place.path("log");
    let lines = || fs::read_to_string(&log).unwrap_or_default().lines().filter(|line| line.contains(": 200 ")).count();
    eventually("the first lines", || lines() == 20);
    // As logrotate's copytruncate does it.
    fs::copy(&log, place.path("log.1")).expect("a copy");
    fs::OpenOptions::new().write(true).truncate(true).open(&log).expect("an empty log");
    site.release();
    running.wait().expect(0);
    let text = fs::read(&log).expect("a log");
    assert!(!text.contains(&0), "a hole where the old lines were");
    assert_eq!(lines(), 20);
}

#[test]
fn a_store_copied_without_its_log_is_known_for_one() {
    let place = Place::new();
    let site = Site::new(|request| if request.number() < 3 { Reply::page("soon") } else { Reply::page("held").held() });
    place.list("urls.txt", site.urls(6));
    let running = place.crawl(&["urls.txt"]).start();
    eventually("committed pages", || {
        Store::try_open(&place.db()).is_ok_and(|store| {
            store.0.query_row("SELECT count(*) >= 3 FROM page", [], |row| row.get(0)).unwrap_or(false)
        })
    });
    fs::copy(place.db(), place.path("copy.db")).expect("a copy");
    site.release();
    running.wait().expect(0);
    for verb in [&["status", "copy.db"][..], &["audit", "copy.db"], &["export", "copy.db", "-o", "x.csv"]] {
        let ended = place.seine(verb).run().expect(2).says("copied without copy.db-wal");
        assert!(!ended.stderr.contains("0 URLs"), "{}", ended.stderr);
    }
    assert!(fs::metadata(place.path("copy.db")).is_ok_and(|found| found.len() <= 4096), "it is left as it is");
}

#[test]
fn a_name_that_looks_like_a_uri_is_a_name() {
    let (place, site) = (Place::new(), pages());
    place.list("urls.txt", site.urls(3));
    let db = place.path("file:x.db");
    place.crawl(&["urls.txt", "--db", "file:x.db?mode=memory"]).run().expect(0);
    assert!(place.path("file:x.db?mode=memory").exists());
    place.crawl(&["urls.txt", "--db", "file:x.db"]).run().expect(0);
    assert!(db.exists() && !place.path("x.db").exists());
    let status = place.seine(&["status", "file:x.db", "--json"]).run().expect(0).json();
    assert_eq!(status["outcomes"]["ok"], 3);
    place.seine(&["export", "file:x.db", "-o", "file:out.sqlite"]).run().expect(0);
    assert!(place.path("file:out.sqlite").exists() && !place.path("out.sqlite").exists());
}

#[test]
fn a_store_that_is_taken_away_ends_the_crawl_soon() {
    for replaced in [false, true] {
        let place = Place::new();
        let site = Site::new(|request| match request.number() {
            0 => Reply::page("soon"),
            _ => Reply::page("late").after(Duration::from_millis(300)),
        });
        place.list("urls.txt", site.urls(2000));
        let mut running = place.crawl(&["urls.txt", "--host-concurrency", "1", "--log-file", "log"]).start();
        site.wait_for_hits(2);
        fs::rename(place.db(), place.path("elsewhere.db")).expect("it can be moved");
        if replaced {
            fs::write(place.db(), "somebody else's").expect("another file");
        }
        running.wait_to_hear("was removed, moved or replaced");
        let ended = running.wait_within(Duration::from_secs(60));
        assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        assert!(site.count() < 1000, "{} requests", site.count());
        let log = fs::read_to_string(place.path("log")).expect("a log");
        assert!(log.lines().any(|line| line.contains("ERROR") && line.contains("was removed, moved or")), "{log}");
        // What was there is left alone, and nothing is made anew.
        assert_eq!(fs::read(place.db()).ok(), replaced.then(|| b"somebody else's".to_vec()));
        // The file that was moved has what was fetched.
        assert!(Store::open(&place.path("elsewhere.db")).number("SELECT count(*) FROM page") > 0);
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_named_and_ends_the_run_resumable() {
    let place = Place::new();
    let noise = Dice::new().noise(40_000);
    let site = Site::new(move |request| {
        let mut body = noise.clone();
        body[..8].copy_from_slice(&(request.number() as u64).to_le_bytes());
        Reply::bytes("application/octet-stream", body)
    });
    place.list("urls.txt", site.urls(60));
    // In blocks of 512 or 1024 bytes, as shells have it: less than the pages need, more than an empty store.
    let limited = ["sh", "-c", "ulimit -f 1000; exec \"$0\" \"$@\""];
    let ended = place.crawl(&["urls.txt", "--disk-wait", "1s"]).under(&limited).run();
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert!(ended.stderr.contains("(ulimit -f)") && !ended.stderr.contains("SIGXFSZ"), "{}", ended.stderr);
    place.crawl(&["urls.txt"]).run().expect(0);
    assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 60);
    place.store().assert_sound();
}

/// A store of three pages, changed by somebody else.
fn changed_by(place: &Place, sql: &str) {
    let site = pages();
    place.list("urls.txt", site.urls(3));
    place.crawl(&["urls.txt", "--quiet"]).run().expect(0);
    rusqlite::Connection::open(place.db()).and_then(|db| db.execute_batch(sql)).expect("a change");
}

const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS i FROM n";

#[test]
fn what_somebody_else_has_put_into_a_store_is_refused_at_the_door_of_every_verb() {
    for (sql, name) in [
        ("CREATE TRIGGER mischief AFTER INSERT ON page BEGIN DELETE FROM item; END".to_owned(), "trigger \"mischief\""),
        (format!("DROP VIEW runs; CREATE VIEW runs AS {ENDLESS}"), "view \"runs\""),
    ] {
        let place = Place::new();
        changed_by(&place, &sql);
        place.write("rules.toml", "text = true");
        for verb in [
            &["status", "crawl.db"][..],
            &["audit", "crawl.db"],
            &["why", "crawl.db", "http://a.test/"],
            &["cat", "crawl.db", "http://a.test/"],
            &["sql", "crawl.db"],
            &["export", "crawl.db", "-o", "x.csv"],
            &["diff", "crawl.db"],
            &["prune", "crawl.db"],
            &["extract", "crawl.db", "--config", "rules.toml"],
            &["retry", "crawl.db", "--where", "1"],
            &["crawl", "urls.txt"],
        ] {
            place.seine(verb).run().expect(2).says(name);
        }
    }
}

#[test]
fn a_query_without_an_end_is_ended_by_ctrl_c() {
    let place = Place::new();
    changed_by(&place, &format!("CREATE VIEW mine AS {ENDLESS}"));
    // What writes no file leaves signals to the system; and who starts tests in the background has SIGINT ignored.
    for (verb, signal) in [
        (&["export", "crawl.db", "--table", "mine", "-o", "x.csv"][..], Signal::SIGINT),
        (&["export", "crawl.db", "--table", "mine"], Signal::SIGTERM),
        (&["sql", "crawl.db", "SELECT * FROM mine", "--timeout", "0"], Signal::SIGTERM),
    ] {
        let running = place.seine(verb).start();
        let busy = || running.family().first().is_some_and(|one| one.cpu_ms() > 200);
        eventually("a query at work", busy);
        running.signal(signal);
        let ended = running.wait();
        let number = signal as i32;
        assert!(ended.code == Some(128 + number) || ended.signal == Some(number), "{verb:?}: {ended:?}");
        assert!(!place.path("x.csv").exists());
    }
}
