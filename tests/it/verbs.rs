//! The verbs beside `crawl`: what they say of a crawl, of sites and of questions.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::support::{Place, Reply, Site};
use serde_json::{Value, json};

/// Standard output of `seine ARGUMENTS`, which ends with `code`.
#[track_caller]
fn says(place: &Place, arguments: &[&str], code: i32) -> String {
    let ended = place.seine(arguments).run().expect(code);
    String::from_utf8(ended.stdout).expect("text")
}

/// The objects it says, one a line.
#[track_caller]
fn objects(place: &Place, arguments: &[&str], code: i32) -> Vec<Value> {
    let text = says(place, arguments, code);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// A site with a robots.txt, a page behind a redirect, one that works at the third time, and one that never does.
fn site() -> Site {
    Site::new(|request| match request.path.as_str() {
        "/robots.txt" => Reply::bytes("text/plain", "User-agent: *\nDisallow: /private\nCrawl-delay: 0.05\n"),
        "/old" => Reply::redirect(301, "/new"),
        "/flaky" if request.nth < 3 => Reply::status(503).header("Retry-After", "1"),
        "/broken" => Reply::reset(),
        path => Reply::page(path),
    })
}

#[test]
fn the_life_of_a_url_is_told_from_its_line_to_its_outcome() {
    let (place, site) = (Place::new(), site());
    let list = ["/old", "/private/x", "/flaky", "/%7Eme", "/~me#top"].map(|path| site.url(path));
    place.list("urls.txt", list.iter().map(String::as_str).chain(["nonsense"]));
    place.obedient_crawl(&["urls.txt"]).run().expect(0);

    let old = says(&place, &["why", "crawl.db", &site.url("/old")], 0);
    for part in ["urls.txt line 1", "robots.txt, read ", "allows it to seine: no rule", "301", "/new", "ok, status 200"]
    {
        assert!(old.contains(part), "{part:?} is not in:\n{old}");
    }
    assert!(old.contains(&format!("redirects   301 {} -> {}", site.url("/old"), site.url("/new"))), "{old}");

    let denied = says(&place, &["why", "crawl.db", &site.url("/private/x")], 0);
    for part in ["does not allow it to seine: Disallow: /private (line 2); Crawl-delay 50ms", "robots_denied"] {
        assert!(denied.contains(part), "{part:?} is not in:\n{denied}");
    }

    let flaky = says(&place, &["why", "crawl.db", &site.url("/flaky")], 0);
    assert_eq!(flaky.matches("the host was left alone after http_503 (Retry-After").count(), 2, "{flaky}");
    let json = &objects(&place, &["why", "crawl.db", &site.url("/flaky"), "--json"], 0)[0];
    assert_eq!(json["waits"][0]["cause"], "host_held");
    assert!(json["waits"][0]["waited_ms"].as_u64() >= Some(900), "{json}");
    assert_eq!(
        json["requests"].as_array().map(Vec::len),
        Some(3 + json["requests"][0]["kind"].as_str().map_or(0, |kind| usize::from(kind == "robots")))
    );
    assert_eq!((&json["ending"]["outcome"], &json["pending"]), (&json!("ok"), &Value::Null));

    let twice = &objects(&place, &["why", "crawl.db", &site.url("/~me"), "--json"], 0)[0];
    assert_eq!((&twice["is_equivalent"], twice["inputs"].as_array().map(Vec::len)), (&json!(true), Some(2)));
    assert!(says(&place, &["why", "crawl.db", "nonsense"], 0).contains("rejected: not a URL"));
    place.seine(&["why", "crawl.db", &site.url("/unknown")]).run().expect(2).says("is not in crawl.db");
    place.seine(&["why", "missing.db", &site.url("/")]).run().expect(2).says("missing.db");
}

#[test]
fn a_pending_url_says_what_it_waits_for() {
    let (place, site) = (Place::new(), site());
    place.list("urls.txt", ["/1", "/2"].map(|path| site.url(path)));
    place.obedient_crawl(&["urls.txt", "--limit", "1", "--fetchers", "1"]).run().expect(3);
    let pending = place.store().row("SELECT raw_url FROM inputs WHERE outcome = 'pending'");
    assert!(says(&place, &["why", "crawl.db", &pending], 0).contains("outcome     pending, due now"));
}

#[test]
fn an_audit_proves_a_polite_crawl_and_finds_what_was_tampered_with() {
    let place = Place::new();
    let site = Site::with_hosts(3, |request| match request.path.as_str() {
        "/robots.txt" => Reply::status(404),
        path => Reply::page(path),
    });
    place.list("urls.txt", site.urls(18).into_iter().chain(["nonsense".to_owned()]));
    place.obedient_crawl(&["urls.txt", "--delay", "60ms", "--rate", "40/s"]).run().expect(0);
    let text = says(&place, &["audit", "crawl.db"], 0);
    for part in ["crawl.db: fine", "21 requests to 3 hosts", "19 lines = 19 with an outcome + 0 pending", "40/s allows"]
    {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    let audit = &objects(&place, &["audit", "crawl.db", "--json"], 0)[0];
    assert_eq!((&audit["fine"], audit["tightest"].as_array().map(Vec::len)), (&json!(true), Some(3)));
    for host in audit["tightest"].as_array().expect("hosts") {
        assert!(host["smallest_gap_us"].as_u64() >= Some(59_000), "{host}");
    }
    let tamper = |sql: &str| {
        let db = rusqlite::Connection::open(place.db()).expect("the store");
        db.execute_batch(&format!("PRAGMA foreign_keys = off; {sql}")).expect("it can be changed");
    };
    // However long the next request to its host had to wait on a machine under load, it comes 3 ms later now.
    let started_us = place.store().number("SELECT started_us FROM request WHERE request_id = 4");
    tamper(
        "UPDATE request AS own SET started_us = (SELECT min(started_us) - 3000 FROM request AS later \
           WHERE later.host_id = own.host_id AND later.started_us > own.started_us) WHERE request_id = 4",
    );
    let text = says(&place, &["audit", "crawl.db"], 1);
    assert!(text.contains("NOT FINE") && text.contains("TOO SHORT") && text.contains("ms of 60 ms"), "{text}");
    tamper(&format!("UPDATE request SET started_us = {started_us} WHERE request_id = 4"));
    says(&place, &["audit", "crawl.db"], 0);
    tamper("DELETE FROM page WHERE url_id = 2");
    assert!(says(&place, &["audit", "crawl.db"], 1).contains("1 MISSING"));
}

#[test]
fn urls_are_crawled_again_and_every_count_stays_right() {
    let place = Place::new();
    let site = Site::new(|request| match request.path.as_str() {
        "/robots.txt" => Reply::status(404),
        // Both attempts of the first crawl fail.
        "/1" | "/2" if request.nth <= 1 => Reply::status(500),
        path => Reply::page(path),
    });
    place.list("urls.txt", (0..5).map(|n| site.url(&format!("/{n}"))));
    place.obedient_crawl(&["urls.txt", "--retries", "0"]).run().expect(0);
    let retry = |more: &[&str], code| {
        let base = ["retry", "crawl.db", "--where", "status >= 500", "--delay", "0", "--fetchers", "2"];
        place.seine(&[&base, more].concat()).run().expect(code)
    };
    let dry = retry(&["--dry-run"], 0);
    assert_eq!(String::from_utf8_lossy(&dry.stdout), "2 URLs would be crawled again\n");
    assert_eq!(retry(&["--dry-run", "--json"], 0).json(), json!({"matching": 2}));
    let ended = retry(&["--json"], 0).says("2 URLs are pending again");
    let summary = ended.json();
    assert_eq!((&summary["urls"], &summary["fetched"]), (&json!(5), &json!(2)), "{summary}");
    assert_eq!((&summary["outcomes"]["ok"], &summary["outcomes"]["http_error"]), (&json!(5), &json!(0)), "{summary}");
    let store = place.store();
    assert_eq!(store.rows("SELECT ok, http_error FROM runs"), ["3|2", "2|0"], "what a run has done is done");
    assert_eq!(store.rows("SELECT attempt FROM attempts WHERE url LIKE '%/1' ORDER BY attempt"), ["1", "2"]);
    store.assert_sound();
    drop(store);
    assert_eq!(String::from_utf8_lossy(&retry(&[], 0).stdout), "no URL matches; nothing to do\n");
    assert_eq!(place.store().number("SELECT count(*) FROM runs"), 2);
    says(&place, &["audit", "crawl.db"], 0);
    assert!(says(&place, &["why", "crawl.db", &site.url("/2")], 0).contains("made pending again"));
    assert_eq!(site.hits().iter().filter(|hit| hit.path == "/0").count(), 1, "what did not match is left alone");
}

#[test]
fn a_retry_within_an_unfinished_run_counts_each_url_once() {
    let (place, site) = (Place::new(), Site::new(|request| Reply::page(&request.path)));
    place.list("urls.txt", (0..6).map(|n| site.url(&format!("/{n}"))));
    place.obedient_crawl(&["urls.txt", "--ignore-robots", "--limit", "3"]).run().expect(3);
    let again = ["retry", "crawl.db", "--where", "outcome = 'ok'", "--delay", "0", "--ignore-robots"];
    place.seine(&again).args(&["--limit", "2"]).run().expect(3).says("`seine crawl --db crawl.db` goes on");
    place.store().assert_sound();
    place.obedient_crawl(&["--ignore-robots"]).run().expect(0);
    let store = place.store();
    assert_eq!(store.rows("SELECT urls, ok, ended_by FROM runs"), ["6|6|completed"]);
    store.assert_sound();
}

#[test]
fn a_retry_that_makes_no_sense_is_refused_before_anything_changes() {
    let (place, site) = (Place::new(), Site::new(|request| Reply::page(&request.path)));
    place.list("urls.txt", [site.url("/")]);
    place.obedient_crawl(&["urls.txt"]).run().expect(0);
    let hits = site.count();
    for (arguments, message) in [
        (&["--where", "colour = 1"][..], "no such column: colour"),
        (&["--where", "1; DELETE FROM page"], "one condition"),
        (&["--where", "1", "urls.txt"], "unexpected argument 'urls.txt' found"),
        (&["--where", "1", "--db", "other.db"], "the argument '[DB]' cannot be used with '--db <FILE>'"),
    ] {
        let ended = place.seine(&["retry", "crawl.db"]).args(arguments).run();
        ended.expect(2).says(message);
    }
    place.seine(&["retry", "missing.db", "--where", "1"]).run().expect(2).says("missing.db");
    assert_eq!(site.count(), hits);
    place.store().assert_sound();
}

#[test]
fn robots_txt_files_are_asked_as_a_crawl_asks_them() {
    let place = Place::new();
    let rules = "User-agent: *\nDisallow: /p\x1b[2J\nDisallow: /x\nCrawl-delay: 99\n";
    let site = Site::with_hosts(6, move |request| match (request.host, request.path.as_str()) {
        (0, "/robots.txt") | (1, "/rules") => Reply::bytes("text/plain", rules),
        (1, "/robots.txt") => Reply::redirect(302, "/rules"),
        (2, "/robots.txt") => Reply::status(404),
        (3, "/robots.txt") => Reply::status(503),
        (4, "/robots.txt") => Reply::redirect(302, request.url_at(0, "/robots.txt")),
        _ => Reply::redirect(302, "/robots.txt"),
    });
    let check = |host: usize, path: &str, code| {
        objects(&place, &["robots", "--json", &site.url_at(host, path)], code).remove(0)
    };
    for (host, path) in [(0, "/robots.txt"), (1, "/rules")] {
        let answer = check(host, "/x/y?z", 1);
        assert_eq!((&answer["allowed"], &answer["line"]), (&json!(false), &json!(3)), "{answer}");
        assert_eq!((&answer["rule"], &answer["delay_s"]), (&json!("Disallow: /x"), &json!(30.0)), "{answer}");
        assert_eq!(answer["robots_url"], site.url_at(host, path));
    }
    assert_eq!(check(2, "/x", 0)["reason"], "there is none: status 404");
    assert_eq!(check(3, "/x", 1)["reason"], "it could not be read: it answered 503");
    assert_eq!(check(4, "/x", 0)["status"], 302, "nobody named that host, so it is not asked, as in a crawl");
    assert_eq!(check(5, "/x", 0)["status"], 302, "more redirects than five lead nowhere");
    assert_eq!(site.hits().iter().filter(|hit| hit.host == 5).count(), 6);
    let robots = site.url_at(0, "/robots.txt");
    let text = says(&place, &["robots", &site.url_at(0, "/"), "--url", "/ok", "--url", "/p%1B%5b2J"], 1);
    let expected = format!(
        "allowed     {}\n            no rule of {robots} is about it; delay 30s (Crawl-delay 1m 39s, capped)\n\
         disallowed  {}\n            Disallow: /p\u{fffd}[2J (line 2 of {robots}); delay 30s (Crawl-delay 1m 39s, capped)\n",
        site.url_at(0, "/ok"),
        site.url_at(0, "/p%1B%5b2J"),
    );
    assert_eq!(text, expected);
    // A list: each site is asked once.
    let before = site.count();
    place.list("urls.txt", ["/1", "/2", "/x"].map(|path| site.url_at(0, path)));
    assert_eq!(objects(&place, &["robots", "--json", "urls.txt"], 1).len(), 3);
    assert_eq!(site.count(), before + 1);
}

#[test]
fn a_robots_txt_is_checked_without_asking_anybody() {
    let place = Place::new();
    place.write(
        "robots.txt",
        "User-agent: a\nDisallow: /x\n\nUser-agent: *\nAllow: /\nSitemap: https://a.test/map.xml\n",
    );
    let check = |arguments: &[&str], code| says(&place, &[&["robots"], arguments].concat(), code);
    let text = check(&["--file", "robots.txt", "--agent", "a", "/x", "https://a.test/y", "--url", "/x/y"], 1);
    assert_eq!(text.lines().filter(|line| line.starts_with("disallowed  /x")).count(), 2, "{text}");
    assert!(text.contains("allowed     https://a.test/y"), "{text}");
    check(&["--file", "robots.txt", "--agent", "b", "/x"], 0);
    check(&["robots.txt", "--agent", "a", "--url", "/x"], 1);
    assert_eq!(
        check(&["robots.txt", "--agent", "a"], 0),
        "robots.txt: for a: 1 rule, no Crawl-delay, 1 sitemap\n  https://a.test/map.xml\n"
    );
    for arguments in [&["robots"][..], &["robots", "missing.txt"], &["robots", "--file", "missing.txt", "/x"]] {
        place.seine(arguments).run().expect(2);
    }
}

#[test]
fn questions_are_answered_one_by_one_as_they_come() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_seine"))
        .args(["explain", "same-url"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("seine can be started");
    let mut stdin = child.stdin.take().expect("a pipe");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    // Each answer is waited for before the next question: it must not be held back.
    for (question, answer) in [
        (r#"{"a":"http://a.test/%7Ex","b":"http://a.test/~x"}"#, r#"{"same":true}"#),
        (r#"{"a":"http://a.test/1","b":"http://a.test/2"}"#, r#"{"same":false}"#),
        ("nonsense", r#"{"error":"expected ident at line 1 column 2"}"#),
    ] {
        writeln!(stdin, "{question}").expect("it listens");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("an answer");
        assert_eq!(line.trim_end(), answer);
    }
    drop(stdin);
    assert_eq!(child.wait().expect("it ends").code(), Some(2));
}

#[test]
fn every_kind_of_question_has_the_answer_of_the_crawler() {
    let place = Place::new();
    let ask = |kind: &str, question: Value| {
        let ended = place.seine(&["explain", kind]).stdin(format!("{question}\n")).run().expect(0);
        ended.json()
    };
    // User-agent: *\nDisallow: /x\nCrawl-delay: 7
    let robots = "VXNlci1hZ2VudDogKgpEaXNhbGxvdzogL3gKQ3Jhd2wtZGVsYXk6IDc=";
    assert_eq!(
        ask("robots", json!({"robots_b64": robots, "user_agent": "seine", "url": "http://a.test/x"})),
        json!({"allowed": false, "rule": "Disallow: /x", "line": 2})
    );
    assert_eq!(ask("crawl-delay", json!({"robots_b64": robots, "user_agent": "seine"})), json!({"crawl_delay_s": 7}));
    assert_eq!(
        ask("url", json!({"base": "http://a.test/b/", "href": "?\u{e4}", "page_encoding": "windows-1252"})),
        json!({"url": "http://a.test/b/?%E4", "reason": null})
    );
    assert_eq!(ask("address", json!({"url": "http://0x7f.1/"})), json!({"allowed": false, "reason": "loopback"}));
    assert_eq!(ask("address", json!({"url": "https://example.org/"})), json!({"allowed": true, "reason": null}));
    assert_eq!(ask("retry-after", json!({"header": "900", "now": 0})), json!({"wait_s": 300, "capped": true}));
    // <title>é</title>
    assert_eq!(
        ask("title", json!({"content_type": "text/html; charset=latin1", "body_b64": "PHRpdGxlPuk8L3RpdGxlPg=="})),
        json!({"title": "é", "encoding": "windows-1252"})
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let place = Place::new();
    place.write("robots.txt", "Sitemap: https://a.test/map.xml\n".repeat(10_000));
    let mut child = Command::new(env!("CARGO_BIN_EXE_seine"))
        .args(["robots", "robots.txt"])
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .expect("seine can be started");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn links_of_a_page_carry_its_charset_in_their_queries() {
    let place = Place::new();
    let site = Site::new(|request| match request.path.as_str() {
        "/robots.txt" => Reply::status(404),
        _ => Reply::bytes("text/html; charset=windows-1252", b"<a href='/s?q=\xe4&x'>x</a>".to_vec()),
    });
    place.list("urls.txt", [site.url("/")]);
    place.obedient_crawl(&["urls.txt"]).run().expect(0);
    assert_eq!(place.store().rows("SELECT to_url FROM links"), [site.url("/s?q=%E4&x")]);
}

#[test]
fn failures_show_themselves_and_a_url_has_a_line_of_its_own() {
    let place = Place::new();
    let site = Site::new(|request| match request.path.as_str() {
        "/robots.txt" => Reply::bytes("text/plain", "User-agent: *\nDisallow: /private\n"),
        path if path.starts_with("/gone") => Reply::status(404),
        "/broken" => Reply::reset(),
        path => Reply::page(path),
    });
    let paths = ["/1", "/gone1", "/gone2", "/gone3", "/gone4", "/broken", "/private"];
    place.list("urls.txt", paths.map(|path| site.url(path)));
    let ended =
        place.obedient_crawl(&["urls.txt", "--retries", "0", "-v", "--log-file", "log", "--fail-threshold", "1"]).run();
    let told = ended.expect(0).stderr;
    let begins = |beginning: &str| told.lines().filter(|line| line.starts_with(beginning)).count();
    assert_eq!(begins(&format!("    http_404 {}", site.url("/gone"))), 3, "{told}");
    assert_eq!(begins(&format!("    reset {}: ", site.url("/broken"))), 1, "{told}");
    assert!(told.contains("    more about one: seine why crawl.db 'http"), "{told}");
    for (what, path) in [("200 ", "/1"), ("404 ", "/gone4"), ("reset ", "/broken: "), ("robots_denied ", "/private")] {
        let url = site.url(path);
        let is_line = |line: &&str| line.starts_with(what) && line.contains(&url);
        assert_eq!(told.lines().filter(is_line).count(), 1, "{what}{url}:\n{told}");
    }
    let log = std::fs::read_to_string(place.path("log")).expect("a log");
    // A page that came within half a millisecond came in `0s`.
    let line = log.lines().find(|line| line.ends_with(&format!("s {}", site.url("/1"))));
    assert!(line.is_some_and(|line| line.contains("INFO writer: 200 ")), "{log}");
    let examples = &objects(&place, &["status", "crawl.db", "--json"], 0)[0]["error_examples"];
    assert_eq!(examples["http_404"].as_array().map(Vec::len), Some(3), "{examples}");
    assert_eq!(examples["reset"][0]["url"], site.url("/broken"));
}

#[test]
fn the_log_of_a_quiet_run_has_its_outcome_and_no_url() {
    let (place, site) = (Place::new(), Site::new(|request| Reply::page(&request.path)));
    place.list("urls.txt", [site.url("/1"), site.url("/2")]);
    let ended = place.obedient_crawl(&["urls.txt", "--ignore-robots", "--quiet", "--log-file", "log"]).run().expect(0);
    assert_eq!(ended.stderr, "");
    let log = std::fs::read_to_string(place.path("log")).expect("a log");
    let outcome = |line: &&str| line.contains("crawl.db: finished, run 1") && line.ends_with(": 2 URLs, 2 ok");
    assert_eq!(log.lines().filter(outcome).count(), 1, "{log}");
    assert!(!log.contains(&site.url("/1")), "{log}");
}

#[test]
fn a_terminal_gets_so_many_rows_and_a_file_all() {
    let (place, site) = (Place::new(), Site::new(|request| Reply::page(&request.path)));
    place.list("urls.txt", [site.url("/1")]);
    place.crawl(&["urls.txt", "--quiet"]).run().expect(0);
    let query = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i FROM n";
    let all = place.seine(&["sql", "crawl.db", query]).run().expect(0);
    assert_eq!(String::from_utf8_lossy(&all.stdout).lines().filter(|line| line.trim() == "300").count(), 1);
    if !crate::support::crawl::is_permitted("script", &["--version"]) {
        return;
    }
    // A terminal of its own.
    let command = format!("{} sql {} '{query}'", env!("CARGO_BIN_EXE_seine"), place.db().display());
    let output = std::process::Command::new("script").args(["-qec", &command, "/dev/null"]).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let has = |number: &str| text.lines().any(|line| line.trim() == number);
    assert!(has("200") && !has("201"), "{text}");
    assert!(text.contains("there are more rows than these 200; --limit 0 shows all"), "{text}");
}

#[test]
fn verbose_twice_says_where_the_time_of_a_request_went() {
    let (place, site) = (Place::new(), Site::new(|request| Reply::page(&request.path)));
    place.list("urls.txt", [site.url("/1")]);
    let told = place.crawl(&["urls.txt", "-vv"]).run().expect(0).stderr;
    let line = told.lines().find(|line| line.contains("requested")).unwrap_or_default();
    let phases = ["status=200", "head_ms=", "body_ms=", "elapsed_ms=", "gap_ms=", "ip=127.0.0.1"];
    assert!(phases.iter().all(|phase| line.contains(phase)), "{told}");
    assert!(told.lines().any(|line| line.contains("page read") && line.contains("read_ms=")), "{told}");
}

#[test]
fn a_run_says_at_its_start_which_it_is() {
    let (place, site) = (Place::new(), Site::new(|request| Reply::page(&request.path)));
    place.list("urls.txt", (0..4).map(|n| site.url(&format!("/{n}"))).chain(["nonsense".to_owned()]));
    let crawl = |more: &[&str], code| {
        let arguments = [&["urls.txt", "--ignore-robots", "--fetchers", "1"], more].concat();
        place.obedient_crawl(&arguments).run().expect(code).stderr
    };
    let first = crawl(&["--limit", "2"], 3);
    assert!(!first.contains("goes on:") && !first.contains("all done"), "{first}");
    let second = crawl(&[], 0);
    assert!(second.contains("seine: run 1 goes on: ") && second.contains(" are pending"), "{second}");
    let third = crawl(&[], 0);
    assert!(third.contains("seine: all done: run 2 asks 4 URLs for changes\n"), "{third}");
    let failed = crawl(&["--only", "failed"], 0);
    assert!(failed.contains("run 3 asks those of 4 URLs that failed for changes"), "{failed}");
    place.list("other.txt", [site.url("/1")]);
    let other = place.obedient_crawl(&["other.txt", "--ignore-robots"]).run().expect(0).stderr;
    assert!(other.contains("run 3 asks the URLs of its lists for changes"), "{other}");
    let without = place.obedient_crawl(&["--ignore-robots"]).run().expect(0).stderr;
    assert!(without.contains("all done, and no list is given"), "{without}");
}

#[test]
fn the_rules_of_a_config_say_what_is_one_url_too() {
    let place = Place::new();
    place.write("c.toml", "[[same_page]]\nmatch = 'a.test'\ndrop_parameters = ['utm_*']\nfold_www = true\n");
    place.write("canonical.toml", "[[same_page]]\nmatch = '*.test'\ncanonical = true\n");
    place.write("bad.toml", "[[same_page]]\nmatsch = 'a.test'\n");
    let questions = "\
{\"a\": \"http://www.a.test/x?utm_id=1\", \"b\": \"http://a.test/x\"}
{\"a\": \"http://a.test/x.php?PHPSESSID=1\", \"b\": \"http://a.test/x.php\"}
{\"a\": \"http://b.test/x?utm_id=1\", \"b\": \"http://b.test/x\"}
";
    let answers = |arguments: &[&str]| {
        let ended = place.seine(&[&["explain", "same-url"], arguments].concat()).stdin(questions).run().expect(0);
        String::from_utf8(ended.stdout).expect("UTF-8")
    };
    let (same, other) = ("{\"same\":true}\n", "{\"same\":false}\n");
    assert_eq!(answers(&[]), other.repeat(3));
    assert_eq!(answers(&["--config", "c.toml"]), format!("{same}{same}{other}"));
    let questions = "\
{\"a\": \"http://a.test/x?p=1\", \"b\": \"http://a.test/x\", \"canonical\": \"http://a.test/x#y\"}
{\"a\": \"http://a.test/x?p=1\", \"b\": \"http://a.test/x\", \"canonical\": \"http://b.example/x\"}
{\"a\": \"http://a.test/x\", \"b\": \"http://a.test/x\", \"canonical\": \"http://a.test/y\"}
";
    let canonical = |arguments: &[&str]| {
        let ended = place.seine(&[&["explain", "same-url"], arguments].concat()).stdin(questions).run().expect(0);
        String::from_utf8(ended.stdout).expect("UTF-8")
    };
    assert_eq!(canonical(&[]), format!("{other}{other}{same}"));
    assert_eq!(canonical(&["--config", "canonical.toml"]), format!("{same}{other}{same}"));
    place.seine(&["explain", "same-url", "--config", "bad.toml"]).run().expect(2).says("matsch");
    place.seine(&["explain", "title", "--config", "c.toml"]).run().expect(2).says("same-url");
}
