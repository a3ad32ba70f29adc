//! A re-run over a finished crawl: asked for changes only, kept as history, exact under kills.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Dice, Place, Reply, Site, within};

const PAGES: usize = 60;

/// Pages with an ETag; those whose number divides by 5 say something new in each version of the site, and number 7 is
/// gone in the second.
fn site() -> (Site, Arc<AtomicUsize>) {
    let version = Arc::new(AtomicUsize::new(1));
    let of_site = Arc::clone(&version);
    let site = Site::with_hosts(3, move |request| {
        let (version, number) = (of_site.load(Ordering::SeqCst), request.number());
        if number == 7 && version == 2 {
            return Reply::status(404);
        }
        let version = if number.is_multiple_of(5) { version } else { 1 };
        let tag = format!("\"{number}-{version}\"");
        if request.headers.get("if-none-match") == Some(&tag) {
            return Reply::status(304).after(Duration::from_millis(5));
        }
        let body = format!(
            "<title>v{version}</title><a href=/next>n</a><p class=price>{version}.5</p><p class=id>{number}</p>"
        );
        Reply::html(body).header("ETag", tag).after(Duration::from_millis(5))
    });
    (site, version)
}

const RULES: &str = r#"
[[collection]]
name = "things"
key = ["id"]
[collection.fields]
id = { css = ".id", type = "integer" }
price = { css = ".price", type = "number" }
"#;

#[test]
fn the_second_run_asks_for_changes_and_keeps_what_was() {
    let ((site, version), place) = (site(), Place::new());
    place.write("rules.toml", RULES);
    place.list("urls.txt", site.urls(PAGES));
    let arguments = ["urls.txt", "--delay", "0", "--config", "rules.toml", "--json"];
    place.crawl(&arguments).run().expect(0);
    let bodies = place.store().number("SELECT count(*) FROM body");
    version.store(2, Ordering::SeqCst);
    let ended = place.crawl(&arguments).run().expect(0);
    let json = ended.json();
    assert_eq!((&json["urls"], &json["pending"]), (&PAGES.into(), &0.into()));
    assert_eq!((&json["outcomes"]["ok"], &json["outcomes"]["http_error"]), (&(PAGES - 1).into(), &1.into()));
    assert_eq!(site.count(), 2 * PAGES);

    let store = place.store();
    store.assert_sound();
    let count = |sql: &str| store.number(sql);
    assert_eq!(count("SELECT count(*) FROM runs WHERE ended_by = 'completed'"), 2);
    assert_eq!(count("SELECT count(*) FROM history"), 2 * PAGES as i64);
    assert_eq!(count("SELECT count(*) FROM history WHERE run_id = 2 AND not_modified"), 47);
    assert_eq!(count("SELECT count(*) FROM history WHERE run_id = 2 AND changed"), 12);
    assert_eq!(count("SELECT count(*) FROM history WHERE run_id = 1 AND changed IS NULL AND outcome = 'ok'"), 60);
    // Unmodified pages are what they were, as of now.
    assert_eq!(count("SELECT count(*) FROM pages WHERE run_id = 2"), PAGES as i64);
    assert_eq!(count("SELECT count(*) FROM pages WHERE status = 200 AND title = 'v1' AND body_hash IS NOT NULL"), 47);
    assert_eq!(count("SELECT count(*) FROM pages WHERE title = 'v2' AND changed"), 12);
    assert_eq!(count("SELECT count(*) FROM links"), PAGES as i64 - 1);
    // Twelve new ones; the error has an empty body.
    assert_eq!(count("SELECT count(*) FROM body"), bodies + 12);
    assert_eq!(store.row("SELECT outcome, title FROM history WHERE url LIKE '%/7' AND run_id = 1"), "ok|v1");
    assert_eq!(count("SELECT count(*) FROM things WHERE price = 2.5"), 12);
    assert_eq!(count("SELECT count(*) FROM past_item WHERE data ->> 'price' = 1.5"), 12);
    // Seen again: all but that of the page that is gone.
    let again = "SELECT count(*) FROM things t JOIN runs r ON r.run_id = 2 WHERE _last_seen >= r.started_at";
    assert_eq!(count(again), PAGES as i64 - 1);
    place.seine(&["audit", "crawl.db"]).run().expect(0);
}

#[test]
fn a_page_is_fetched_whole_if_something_else_is_wanted_of_it() {
    let ((site, _), place) = (site(), Place::new());
    place.write("rules.toml", RULES);
    place.list("urls.txt", site.urls(PAGES));
    let not_modified = |arguments: &[&str]| {
        let all = [&["urls.txt", "--delay", "0"], arguments].concat();
        place.crawl(&all).run().expect(0);
        place.store().number("SELECT sum(not_modified) FROM history WHERE run_id = (SELECT max(run_id) FROM runs)")
    };
    assert_eq!(not_modified(&["--method", "HEAD"]), 0);
    assert_eq!(not_modified(&["--no-store-bodies"]), 0);
    assert_eq!(not_modified(&[]), 0, "bodies are kept now");
    assert_eq!(not_modified(&[]), PAGES as i64);
    assert_eq!(not_modified(&["--config", "rules.toml"]), 0, "there are rules now");
    assert_eq!(not_modified(&["--config", "rules.toml"]), PAGES as i64);
    let store = place.store();
    assert_eq!(store.number("SELECT count(*) FROM things"), PAGES as i64);
    assert_eq!(store.number("SELECT count(*) FROM body WHERE zstd IS NULL"), 0);
    store.assert_sound();
}

#[test]
fn a_failed_fetch_takes_nothing_away_and_can_be_retried() {
    let fails = Arc::new(AtomicUsize::new(0));
    let of_site = Arc::clone(&fails);
    let site = Site::new(move |request| match of_site.load(Ordering::SeqCst) {
        0 if request.headers.contains_key("if-none-match") => Reply::status(304),
        0 => Reply::html("<title>t</title><a href=/x>x</a>").header("ETag", "\"1\""),
        _ => Reply::hang_up(),
    });
    let place = Place::new();
    place.list("urls.txt", site.urls(3));
    let arguments = ["urls.txt", "--delay", "0", "--retries", "0", "--host-failures", "0"];
    place.crawl(&arguments).run().expect(0);
    // A retry after a run of nothing but 304.
    place.crawl(&arguments).run().expect(0);
    place.seine(&["retry", "crawl.db", "--where", "url LIKE '%1'", "--delay", "0", "--ignore-robots"]).run().expect(0);
    fails.store(1, Ordering::SeqCst);
    place.crawl(&arguments).run().expect(1);
    let store = place.store();
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE outcome = 'failed'"), 3);
    assert_eq!(store.number("SELECT count(*) FROM links"), 3);
    assert_eq!(store.number("SELECT min(bytes) FROM runs"), 0);
    store.assert_sound();
    let url = store.row("SELECT min(url) FROM pages");
    let body = place.seine(&["cat", "crawl.db", &url]).run().expect(0).stdout;
    assert!(body.starts_with(b"<title>t</title>"), "{}", String::from_utf8_lossy(&body));
}

#[test]
fn what_is_fetched_again_can_be_chosen() {
    let ((site, version), place) = (site(), Place::new());
    place.list("urls.txt", site.urls(PAGES));
    let asked = |arguments: &[&str]| {
        let before = site.count();
        let all = [&["urls.txt", "--delay", "0"], arguments].concat();
        // 1: of what was fetched nothing is ok.
        assert!(matches!(place.crawl(&all).run().code, Some(0 | 1)));
        site.count() - before
    };
    assert_eq!(asked(&[]), PAGES);
    assert_eq!(asked(&["--only", "new"]), 0);
    assert_eq!(asked(&["--only", "failed"]), 0);
    assert_eq!(asked(&["--max-age", "1h"]), 0);
    assert_eq!(place.store().number("SELECT count(*) FROM runs"), 1, "a run that finds nothing to do leaves no row");
    version.store(2, Ordering::SeqCst);
    assert_eq!(asked(&[]), PAGES);
    assert_eq!(asked(&["--only", "failed"]), 1);
    assert_eq!(asked(&["--only", "changed"]), 12);
    // Another list is no reason to fetch the first again, but for what it names.
    place.list("more.txt", site.urls(3));
    place.crawl(&["more.txt", "--delay", "0"]).run().expect(0);
    assert_eq!(asked(&["--only", "new"]), 0);
    assert_eq!(place.store().number("SELECT count(*) FROM history WHERE run_id = 5"), 3);
    place.store().assert_sound();
}

#[test]
fn a_second_run_that_is_killed_goes_on_and_fetches_nothing_twice_in_vain() {
    let ((site, version), place, mut dice) = (site(), Place::new(), Dice::new());
    place.list("urls.txt", site.urls(PAGES));
    let arguments = ["urls.txt", "--delay", "20ms"];
    place.crawl(&arguments).run().expect(0);
    version.store(2, Ordering::SeqCst);
    for _ in 0..4 {
        let mut running = place.crawl(&arguments).start();
        if within(dice.millis(50, 250), || running.has_ended()) {
            break;
        }
        drop(running.kill_supervisor());
        // Nothing of the first run is lost meanwhile.
        assert_eq!(place.store().number("SELECT count(*) FROM pages"), PAGES as i64);
    }
    if place.store().number("SELECT count(*) FROM runs WHERE run_id = 2 AND ended_by = 'completed'") == 0 {
        place.crawl(&arguments).run().expect(0);
    }
    // A kill after the very end of the second run has let a third begin.
    place.crawl(&["urls.txt", "--delay", "0", "--only", "new"]).run();
    let store = place.store();
    assert_eq!(store.number("SELECT count(*) FROM history WHERE run_id = 2"), PAGES as i64);
    assert_eq!(store.number("SELECT count(DISTINCT url) FROM history WHERE run_id = 2"), PAGES as i64);
    assert_eq!(store.number("SELECT sum(urls) FROM total"), PAGES as i64);
    store.assert_sound();
}

#[test]
fn a_url_that_a_list_names_no_more_stays_as_it_was() {
    let ((site, _), place) = (site(), Place::new());
    place.list("urls.txt", site.urls(PAGES));
    place.crawl(&["urls.txt", "--delay", "0"]).run().expect(0);
    place.list("urls.txt", site.urls(PAGES / 2));
    place.crawl(&["urls.txt", "--delay", "0"]).run().expect(0);
    let store = place.store();
    assert_eq!(site.count(), PAGES + PAGES / 2);
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), PAGES as i64);
    assert_eq!(store.number("SELECT count(*) FROM url WHERE outcome IS NULL"), 0);
    store.assert_sound();
}

/// A site of one page a URL, that says what it is told to; without validators, so that it comes whole each time.
fn telling_site() -> (Site, Arc<AtomicUsize>) {
    let version = Arc::new(AtomicUsize::new(1));
    let of_site = Arc::clone(&version);
    let site = Site::new(move |request| {
        let (version, number) = (of_site.load(Ordering::SeqCst), request.number());
        // Number 0 changes each time, number 1 never, number 2 goes to and fro.
        let version = [version, 0, version % 2][number % 3];
        Reply::html(format!("<title>{number} v{version}</title>{}", format!("<p>{number}{version}</p>").repeat(200)))
    });
    (site, version)
}

#[test]
fn old_versions_lose_their_bodies_and_prune_gives_the_room_back() {
    let ((site, version), place) = (telling_site(), Place::new());
    place.list("urls.txt", site.urls(3));
    for run in 1..=6 {
        version.store(run, Ordering::SeqCst);
        place.crawl(&["urls.txt", "--delay", "0", "--keep-versions", "4"]).run().expect(0);
    }
    let bodies_of = |number: usize| {
        format!(
            "SELECT count(DISTINCT body_id) FROM past_page WHERE url_id = (SELECT url_id FROM pages WHERE title LIKE '{number} %')"
        )
    };
    let count = |sql: &str| place.store().number(sql);
    assert_eq!(count("SELECT count(*) FROM history"), 18);
    assert_eq!(count("SELECT count(*) FROM history WHERE body_hash IS NULL"), 0, "hashes stay");
    assert_eq!(count(&bodies_of(0)), 3, "and that of now");
    assert_eq!(count(&bodies_of(1)), 0, "it has had none but that of now");
    assert_eq!(count(&bodies_of(2)), 2);
    assert_eq!(count("SELECT count(*) FROM body"), 4 + 1 + 2, "what nobody has any more is gone");

    place.seine(&["prune", "crawl.db", "--json"]).run().expect(0);
    assert_eq!(count("SELECT count(*) FROM body"), 7, "as the last run was told");
    let ended = place.seine(&["prune", "crawl.db", "--keep-versions", "1", "--keep-requests", "0s", "--json"]).run();
    let json = ended.expect(0).json();
    assert_eq!((&json["versions"], &json["bodies"], &json["requests"]), (&4.into(), &4.into(), &15.into()));
    assert!(json["size_after"].as_u64() <= json["size_before"].as_u64());
    let store = place.store();
    store.assert_sound();
    assert_eq!(store.number("SELECT count(*) FROM body"), 3);
    assert_eq!(store.number("SELECT count(*) FROM attempts"), 3, "of the pages of now");
    assert_eq!(store.number("SELECT count(*) FROM history"), 18);
    for url in site.urls(3) {
        place.seine(&["cat", "crawl.db", &url]).run().expect(0);
    }
    place.seine(&["audit", "crawl.db"]).run().expect(0);
    place.seine(&["prune", "nothing.db"]).run().expect(2);
}

#[test]
fn what_the_lists_name_no_more_is_noted_until_they_name_it_again() {
    let ((site, _), place) = (telling_site(), Place::new());
    let crawl = |urls: usize| {
        place.list("urls.txt", site.urls(urls));
        place.crawl(&["urls.txt", "--delay", "0"]).run().expect(0);
        place.store().number("SELECT count(*) FROM url WHERE unlisted_by = (SELECT max(run_id) FROM run)")
    };
    assert_eq!(crawl(6), 0);
    assert_eq!(crawl(4), 2);
    assert_eq!(crawl(3), 1);
    assert_eq!(
        place.store().number("SELECT count(*) FROM url WHERE unlisted_by IS NOT NULL AND relisted_by IS NULL"),
        3
    );
    assert_eq!(crawl(6), 0);
    assert_eq!(
        place.store().number("SELECT count(*) FROM url WHERE unlisted_by IS NOT NULL AND relisted_by IS NULL"),
        0
    );
    let diff = |from: &str, to: &str| {
        let ended = place.seine(&["diff", "crawl.db", "--from", from, "--to", to, "--format", "json"]).run().expect(1);
        let counts = ended.json()["counts"].clone();
        (counts["gone"].as_u64(), counts["back"].as_u64())
    };
    assert_eq!(diff("2", "3"), (Some(1), Some(0)));
    assert_eq!(diff("3", "4"), (Some(0), Some(3)));
}

#[test]
fn pages_that_change_are_due_more_often() {
    let ((site, version), place) = (telling_site(), Place::new());
    place.list("urls.txt", site.urls(3));
    let adaptive = ["urls.txt", "--delay", "0", "--revisit", "adaptive", "--revisit-max", "1day"];
    let crawl = |run: usize, min: &str| {
        version.store(run, Ordering::SeqCst);
        let before = site.count();
        place.crawl(&[&adaptive[..], &["--revisit-min", min]].concat()).run().expect(0);
        site.count() - before
    };
    assert_eq!(crawl(1, "1ms"), 3);
    assert_eq!(crawl(2, "1h"), 0, "none is due within an hour");
    assert_eq!(crawl(2, "1ms"), 3);
    let due = "SELECT group_concat(revisit_ms) FROM (SELECT revisit_ms FROM page ORDER BY url_id)";
    assert_eq!(place.store().row(due), "1,1,1");
    // As if a day had gone by with nothing but fetches that found no change, for one of them.
    let change = |sql: &str| rusqlite::Connection::open(place.path("crawl.db")).unwrap().execute(sql, []).unwrap();
    change("UPDATE page SET revisit_ms = iif(title LIKE '1 %', 3600000, 1000)");
    change("UPDATE page SET fetched_at = fetched_at - 1800000");
    assert_eq!(crawl(3, "1ms"), 2);
    assert_eq!(place.store().row(due), "800,3600000,800");
    change("UPDATE page SET fetched_at = fetched_at - 3600000");
    assert_eq!(crawl(4, "1ms"), 3);
    assert_eq!(place.store().row(due), "640,5040000,640");
}

#[test]
fn a_run_with_other_settings_says_what_that_means() {
    let ((site, _), place) = (site(), Place::new());
    place.write("rules.toml", RULES);
    place.list("urls.txt", site.urls(6));
    let crawl = |more: &[&str]| place.crawl(&["urls.txt"]).args(more).run().expect(0).stderr;
    let first = crawl(&["--config", "rules.toml", "--text"]);
    let same = crawl(&["--config", "rules.toml", "--text", "--user-agent", "another"]);
    for said in [&first, &same] {
        assert!(!said.contains("unlike the last run"), "{said}");
    }
    let text = "warning: unlike the last run, this one has no rules: the items of things stay as they are and grow old \
                (--config); no --text: pages that are fetched again lose theirs; what has not changed is fetched whole";
    // It is a loss, so nobody is to miss it.
    let less = crawl(&["--quiet"]);
    assert!(less.contains(text) && less.lines().count() == 1, "{less}");
    assert_eq!(place.store().number("SELECT count(*) FROM things"), 6);
    let more = crawl(&["--tables"]);
    assert!(more.contains("seine: unlike the last run, this one has --tables; what has not"), "{more}");
    assert_eq!(crawl(&["--tables", "--text", "--quiet"]), "", "what is new is no warning");
}
