//! A crawl as a whole: its exit code, its summary, its budgets, and what running it again does.

use std::time::Duration;

use crate::support::{Place, Reply, Signal, Site, eventually};

fn pages() -> Site {
    Site::new(|request| Reply::page(&request.path))
}

#[test]
fn a_finished_crawl_leaves_one_file_with_every_page() {
    let (site, place) = (Site::with_hosts(4, |request| Reply::page(&request.path)), Place::new());
    place.list("urls.txt", site.urls(100));
    let ended = place.crawl(&["urls.txt"]).run().expect(0).says("100 ok");
    assert!(ended.stdout.is_empty(), "standard output is for results that were asked for");
    assert_eq!(place.store_files(), ["crawl.db"]);
    let store = place.store();
    assert_eq!(
        store.row("SELECT count(*), sum(status), count(DISTINCT title) FROM pages WHERE outcome = 'ok'"),
        "100|20000|100"
    );
    assert_eq!(site.count(), 100);
    store.assert_sound();
}

#[test]
fn one_fetcher_or_more_of_them_than_hosts_make_no_difference() {
    for fetchers in ["1", "5"] {
        let (site, place) = (Site::with_hosts(2, |request| Reply::page(&request.path)), Place::new());
        place.list("urls.txt", site.urls(40));
        place.crawl(&["urls.txt", "--fetchers", fetchers]).run().expect(0);
        assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 40);
        assert_eq!(site.count(), 40);
    }
}

#[test]
fn the_summary_as_json_agrees_with_the_store() {
    let (place, site) = (
        Place::new(),
        Site::new(|request| match request.number() {
            n if n < 5 => Reply::page("page"),
            n if n < 7 => Reply::status(404).body("no"),
            _ => Reply::page("cut").cut_after(3),
        }),
    );
    place.list("urls.txt", site.urls(10).into_iter().chain(["no url".to_owned()]));
    let ended = place.crawl(&["urls.txt", "--json", "--retries", "0"]).run().expect(0);
    let (json, store) = (ended.json(), place.store());
    for outcome in ["ok", "http_error", "failed", "rejected", "quarantined"] {
        let counted = store.number(&format!("SELECT count(*) FROM pages WHERE outcome = '{outcome}'"));
        assert_eq!(json["outcomes"][outcome], counted, "{outcome}");
        assert_eq!(store.number(&format!("SELECT {outcome} FROM runs")), counted, "{outcome}");
    }
    assert_eq!(json["urls"], 11);
    assert_eq!(json["lines"], 11);
    assert_eq!(json["fetched"], 10);
    assert_eq!(json["pending"], 0);
    assert_eq!(json["bytes"], store.number("SELECT sum(body_bytes) FROM pages"));
    assert_eq!((json["state"].as_str(), json["ended_by"].as_str()), (Some("finished"), Some("completed")));
    assert_eq!(json["errors"], serde_json::json!({ "http_404": 2, "truncated": 3, "rejected": 1 }));
    let status = place.seine(&["status", "crawl.db", "--json"]).run().expect(0).json();
    assert_eq!(status["outcomes"], json["outcomes"]);
    assert_eq!((status["state"].as_str(), status["pid"].as_i64()), (Some("finished"), None));
}

#[test]
fn a_quiet_crawl_says_nothing() {
    let (site, place) = (pages(), Place::new());
    place.list("urls.txt", site.urls(3));
    let ended = place.crawl(&["urls.txt", "--quiet"]).run().expect(0);
    assert_eq!((ended.stdout.as_slice(), ended.stderr.as_str()), (b"".as_slice(), ""));
}

#[test]
fn the_exit_code_is_one_if_not_a_single_url_ended_ok() {
    let (site, place) = (Site::new(|_| Reply::status(404)), Place::new());
    place.list("urls.txt", site.urls(3));
    place.crawl(&["urls.txt"]).run().expect(1);
    // A list without any URL is none.
    place.write("nonsense.txt", "no url\n");
    place.crawl(&["nonsense.txt", "--db", "other.db"]).run().expect(2).says("has no URL");
    assert!(!place.path("other.db").exists());
}

#[test]
fn a_limit_stops_the_crawl_exactly_there_and_the_next_run_goes_on() {
    let (site, place) = (Site::with_hosts(3, |request| Reply::page(&request.path)), Place::new());
    place.list("urls.txt", site.urls(30));
    for done in [7, 14, 21] {
        let ended = place.crawl(&["urls.txt", "--limit", "7", "--json"]).run().expect(3);
        assert_eq!(ended.json()["ended_by"], "limit");
        assert_eq!(ended.json()["pending"], 30 - done);
        assert_eq!(site.count(), done);
    }
    // Without a list it goes on with what is pending.
    let ended = place.crawl(&["--json"]).run().expect(0);
    assert_eq!(ended.json()["resumed"], true);
    let store = place.store();
    assert_eq!(store.row("SELECT count(*), ok, ended_by FROM runs"), "1|30|completed");
    assert_eq!(site.count(), 30);
    store.assert_sound();
}

#[test]
fn a_limit_is_reached_even_if_something_has_to_be_tried_again() {
    let place = Place::new();
    let site = Site::new(|request| match (request.path.as_str(), request.nth) {
        ("/0", 1) => Reply::status(503),
        (path, _) => Reply::page(path),
    });
    place.list("urls.txt", (0..30).map(|n| site.url(&format!("/{n}"))));
    let ended = place.crawl(&["urls.txt", "--limit", "5", "--delay", "1ms", "--json"]).run().expect(3);
    assert_eq!(ended.json()["ended_by"], "limit");
    assert_eq!(place.store().number("SELECT count(*) FROM pages"), 5);
    assert_eq!(site.count(), 6);
}

#[test]
fn the_wall_clock_budget_stops_the_crawl_and_the_next_run_goes_on() {
    let (site, place) = (pages(), Place::new());
    place.list("urls.txt", site.urls(200));
    let ended = place.crawl(&["urls.txt", "--max-wall", "1s", "--delay", "50ms"]).run().expect(3).says("--max-wall");
    assert!(ended.elapsed >= Duration::from_secs(1) && ended.elapsed < Duration::from_secs(10), "{:?}", ended.elapsed);
    let before = site.count();
    assert!((1..60).contains(&before), "{before} requests in a second, 50 ms apart");
    assert_eq!(place.store().number("SELECT count(*) FROM pages"), before as i64);
    place.crawl(&["urls.txt"]).run().expect(0);
    assert_eq!(site.count(), 200);
    place.store().assert_sound();
}

#[test]
fn a_finished_crawl_asks_for_nothing_when_it_is_run_again_for_what_is_new() {
    let (site, place) = (pages(), Place::new());
    place.list("urls.txt", site.urls(10));
    place.crawl(&["urls.txt"]).run().expect(0);
    let before = place.store().rows("SELECT * FROM runs");
    let ended = place.crawl(&["urls.txt", "--only", "new", "--json"]).run().expect(0);
    assert_eq!(ended.json()["fetched"], 0);
    assert_eq!(site.count(), 10);
    assert_eq!(place.store().rows("SELECT * FROM runs"), before, "a run that found nothing to do leaves no trace");
}

#[test]
fn the_status_of_a_crawl_is_told_while_it_runs_and_after() {
    let (site, place) = (Site::new(|request| Reply::page(&request.path).held()), Place::new());
    place.list("urls.txt", site.urls(5));
    place.seine(&["status", "crawl.db"]).run().expect(2).says("no crawl store");
    let running = place.crawl(&["urls.txt"]).start();
    site.wait_for_hits(4);
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_seine"))
        .args(["status", "--json"])
        .arg(place.db())
        .output()
        .expect("the program can be run");
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("it prints JSON");
    assert_eq!((status["state"].as_str(), status["pending"].as_i64()), (Some("running"), Some(5)));
    assert_eq!(status["pid"], running.group);
    site.release();
    running.wait().expect(0);
    let status = place.seine(&["status", "crawl.db"]).run().expect(0);
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(text.contains("finished") && text.contains("5 ok"), "{text}");
}

#[test]
fn the_processes_of_a_crawl_show_their_roles() {
    let (site, place) = (Site::new(|request| Reply::page(&request.path).held()), Place::new());
    place.list("urls.txt", site.urls(8));
    let running = place.crawl(&["urls.txt", "--fetchers", "3"]).start();
    site.wait_for_hits(4);
    eventually("five processes", || running.family().len() == 5);
    let mut titles: Vec<_> = running.family().into_iter().map(|member| member.title).collect();
    titles.sort();
    assert_eq!(
        titles,
        ["seine: fetcher 0", "seine: fetcher 1", "seine: fetcher 2", "seine: supervisor", "seine: writer"]
    );
    let children = crate::support::family::children_of(running.group);
    assert_eq!(children.len(), 4, "all are children of the supervisor");
    site.release();
    running.wait().expect(0);
}

#[test]
fn the_demo_crawls_its_own_site_into_a_fresh_store() {
    let place = Place::new();
    let mut sites = Vec::new();
    for _ in 0..2 {
        let ended = place.seine(&["demo", "--db", "crawl.db", "--json"]).run().expect(0);
        let json = ended.json();
        assert_eq!((json["state"].as_str(), json["pending"].as_i64()), (Some("finished"), Some(0)));
        assert!(json["outcomes"]["ok"].as_i64().is_some_and(|ok| ok > 50), "{json}");
        let store = place.store();
        assert_eq!(store.number("SELECT count(*) FROM runs"), 2, "it begins anew");
        sites.extend(store.rows("SELECT DISTINCT substr(url, 1, 17) FROM pages WHERE url LIKE 'http://127.%'"));
        store.assert_sound();
    }
    assert!(sites.iter().all(|site| site.starts_with("http://127.0.0.1:")), "{sites:?}");
}

#[test]
fn the_demo_has_rules_shows_five_products_and_is_soon_over() {
    let place = Place::new();
    let ended = place.seine(&["demo", "--db", "demo.db"]).run().expect(0).says("items: 40 products");
    let shown: Vec<_> = ended.stderr.lines().skip_while(|line| !line.starts_with("products")).skip(1).take(7).collect();
    assert!(shown[..5].iter().all(|line| line.trim().starts_with(|c: char| c.is_ascii_digit())), "{shown:?}");
    assert!(shown[5].starts_with("a sale has begun") && shown[6] == "next:", "{shown:?}");
    // It waits for no page that never will be well.
    assert!(ended.elapsed < Duration::from_secs(15), "{:?}", ended.elapsed);
    // Rules that were edited stay, and the next demo goes by them.
    place.write("demo.db.toml", "[[collection]]\nname = 'headings'\n[collection.fields]\ntext = 'h1'\n");
    let ended = place.seine(&["demo", "--db", "demo.db"]).run().expect(0).says(" headings");
    assert!(!ended.stderr.contains("products,"), "{}", ended.stderr);
}

#[test]
fn the_demo_finds_its_pages_by_links_and_the_sitemap() {
    let place = Place::new();
    place.seine(&["demo", "--db", "crawl.db", "--quiet"]).run().expect(0);
    let list = std::fs::read_to_string(place.path("crawl.db.urls.txt")).expect("a list");
    assert_eq!(list.lines().filter(|line| !line.starts_with('#')).count(), 1, "{list}");
    let store = place.store();
    let depths = |path: &str| store.rows(&format!("SELECT DISTINCT depth > 0 FROM pages WHERE url LIKE '%{path}'"));
    assert_eq!(depths("/trouble"), ["1"], "a link led there");
    assert_eq!(depths("/catalogue/2024"), ["1"], "a link of a page that was found itself");
    assert_eq!(depths("/wholesale"), ["0"], "the sitemap names it");
    let linked_from = store.rows("SELECT element FROM links WHERE to_url LIKE '%/wholesale'");
    assert_eq!(linked_from, ["entry"], "no page links to it");
    assert_eq!(store.row("SELECT status FROM pages WHERE url LIKE '%/catalogue/2024'"), "200", "a soft 404");
    // Nobody is made to wait for two thousand spare parts, and nobody asks for what robots.txt forbids.
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE url LIKE '%/parts/%' OR url LIKE '%/private/%'"), 0);
    // The calendar goes on for ever; asked for are this month and those of three years.
    let calendar = "url LIKE '%/calendar/%'";
    let fetched = store.number(&format!("SELECT count(*) FROM pages WHERE {calendar} AND outcome = 'ok'"));
    assert!((36..=37).contains(&fetched), "{fetched}");
    let rest = "SELECT DISTINCT outcome, error, error_message FROM pages WHERE outcome <> 'ok' AND";
    assert_eq!(store.rows(&format!("{rest} {calendar}")), ["skipped|trap|trap:calendar"]);
    let skipped = store.number("SELECT count(*) FROM pages WHERE error = 'trap'");
    assert!((12..=13).contains(&skipped), "{skipped}");
    store.assert_sound();
    let broken = place.seine(&["links", "crawl.db", "--broken"]).run().expect(1);
    let broken = String::from_utf8(broken.stdout).expect("UTF-8");
    let (page, link) = broken.split_once("/about\n").expect("the page with the link");
    assert!(page.starts_with("http://127.0.0.1:") && link.trim_start().starts_with("404"), "{broken}");
    assert!(link.lines().next().is_some_and(|line| line.contains("/about/map")), "{broken}");
}

#[test]
fn the_second_run_of_the_demo_finds_that_books_are_cheaper() {
    let place = Place::new();
    let ended = place.seine(&["demo", "--db", "demo.db"]).run().expect(0);
    assert!(ended.stderr.contains("7 changed pages, 6 changed items"), "{}", ended.stderr);
    assert!(ended.stderr.contains("seine diff demo.db"), "{}", ended.stderr);
    let diff = place.seine(&["diff", "demo.db"]).run().expect(1);
    let diff = String::from_utf8(diff.stdout).expect("UTF-8");
    assert!(diff.contains("0 new, 7 changed, 0 gone, 0 back, 0 of another status"), "{diff}");
    assert!(diff.contains("price 16.0 → 12.8"), "{diff}");
}

#[test]
fn a_demo_that_is_stopped_gives_no_false_advice() {
    let place = Place::new();
    let mut running = place.seine(&["demo", "--db", "demo.db"]).start();
    running.wait_to_hear("crawling into");
    running.the("writer");
    running.signal(Signal::SIGINT);
    let ended = running.wait();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(ended.stderr.contains("begin anew") && !ended.stderr.contains("to go on"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("next:"), "{}", ended.stderr);
}

#[test]
fn a_demo_that_is_stopped_in_its_second_run_says_how_to_begin_anew() {
    let place = Place::new();
    let running = place.seine(&["demo", "--db", "demo.db"]).start();
    let first = running.the("writer").pid;
    // The second writer is held, so that its run cannot end before it is told to.
    let mut second = None;
    eventually("the writer of the second run", || {
        second = running.find("writer").filter(|writer| writer.pid != first);
        second.is_some()
    });
    let second = second.expect("waited for above");
    second.signal(Signal::SIGSTOP);
    running.signal(Signal::SIGINT);
    second.signal(Signal::SIGCONT);
    let ended = running.wait();
    assert_eq!(ended.code, Some(130), "{}", ended.stderr);
    assert!(ended.stderr.contains("second run was stopped; run the same command to begin anew"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("seine links"), "{}", ended.stderr);
}

#[test]
fn the_demo_leaves_everything_alone_that_no_demo_has_made() {
    let (site, place) = (pages(), Place::new());
    place.list("urls.txt", site.urls(3));
    // Whoever crawls into the store of a demo has a crawl in it.
    place.seine(&["demo", "--db", "demo.db", "--quiet"]).run().expect(0);
    place.crawl(&["urls.txt", "--db", "demo.db"]).run();
    place.crawl(&["urls.txt"]).run().expect(0);
    // One that was stopped before it had fetched anything is a crawl too.
    place.crawl(&["urls.txt", "--db", "begun.db", "--limit", "1"]).run().expect(3);
    place.write("notes.txt", "my notes\n");
    place.write("own.db.urls.txt", "https://example.com/\n");
    place.list("demo.db.urls.txt", ["https://example.com/"]);
    for (db, text) in [
        ("crawl.db", "a crawl that is not the demo's"),
        ("begun.db", "a crawl that is not the demo's"),
        ("notes.txt", "not a crawl store"),
        ("own.db", "own.db.urls.txt is no URL list of the demo"),
        ("demo.db", "demo.db.urls.txt is no URL list of the demo"),
    ] {
        let files = || {
            let mut files: Vec<_> = std::fs::read_dir(place.path("."))
                .expect("a folder")
                .map(|file| file.expect("a file").path())
                .filter(|path| !path.to_string_lossy().contains("std"))
                .map(|path| (path.clone(), std::fs::read(path).expect("its bytes")))
                .collect();
            files.sort();
            files
        };
        let before = files();
        let ended = place.seine(&["demo", "--db", db]).run().expect(2).says(text);
        assert!(ended.stderr.contains("--db"), "{}", ended.stderr);
        assert!(before == files(), "{db}");
    }
    std::fs::remove_file(place.path("demo.db.urls.txt")).expect("a list");
    place.seine(&["demo", "--db", "demo.db"]).run().expect(2).says("a crawl that is not the demo's");
    // Of a store that another crawl is at work on nothing is known.
    let held = Site::new(|request| Reply::page(&request.path).held());
    place.list("held.txt", held.urls(2));
    let running = place.crawl(&["held.txt", "--db", "held.db"]).db(&place.path("held.db")).start();
    held.wait_for_hits(1);
    place.seine(&["demo", "--db", "held.db"]).run().expect(4);
    held.release();
    running.wait().expect(0);
}
