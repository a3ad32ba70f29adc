//! robots.txt, as a site sees who obeys it.

use std::time::Duration;

use crate::support::{Place, Reply, Request, Signal, Site};

/// A site whose robots.txt says this; every other path is a page.
fn site_with(robots: &'static str) -> Site {
    Site::new(move |request| match request.path.as_str() {
        "/robots.txt" => Reply::bytes("text/plain", robots),
        path => Reply::page(path),
    })
}

#[test]
fn what_is_forbidden_is_never_asked_for_and_the_rule_is_named() {
    let site = site_with(
        "# ours\nUser-agent: *\nDisallow: /private\nAllow: /private/open$\n\nUser-agent: other\nDisallow: /\n",
    );
    let place = Place::new();
    place.list("urls.txt", ["/", "/private/x", "/private/open", "/private/open/more"].map(|path| site.url(path)));
    place.obedient_crawl(&["urls.txt"]).run().expect(0);
    let store = place.store();
    assert_eq!(
        store.rows("SELECT outcome, error, attempts FROM pages ORDER BY url"),
        ["ok|-|1", "ok|-|1", "robots_denied|robots|0", "robots_denied|robots|0"].map(str::to_owned).to_vec(),
        "{:?}",
        store.rows("SELECT url, outcome FROM pages ORDER BY url")
    );
    let message = store.row("SELECT error_message FROM pages WHERE outcome = 'robots_denied' LIMIT 1");
    assert_eq!(message, format!("Disallow: /private (line 3 of {})", site.url("/robots.txt")));
    assert_eq!((site.hits_of("/private/x"), site.hits_of("/robots.txt"), site.count()), (0, 1, 3));
    assert_eq!(store.row("SELECT robots_denied, ok FROM runs"), "2|2");
    store.assert_sound();
}

#[test]
fn the_agent_is_the_first_word_of_the_user_agent_or_a_name_of_its_own() {
    let site = site_with("User-agent: examplebot\nDisallow: /\n\nUser-agent: *\nAllow: /\n");
    for (arguments, allowed) in [
        (&["urls.txt"][..], 1),
        (&["urls.txt", "--user-agent", "ExampleBot/1.0 (+https://example.com)"], 0),
        (&["urls.txt", "--robots-agent", "examplebot"], 0),
        (&["urls.txt", "--robots-agent", "examplebot", "--ignore-robots"], 1),
    ] {
        let place = Place::new();
        place.list("urls.txt", [site.url("/page")]);
        place.obedient_crawl(arguments).run();
        assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), allowed, "{arguments:?}");
    }
}

#[test]
fn it_is_read_once_per_run_and_origin_even_over_restarts_and_many_fetchers() {
    let site = Site::with_hosts(6, |request| match request.path.as_str() {
        "/robots.txt" => Reply::bytes("text/plain", "User-agent: *\nDisallow: /7\n"),
        path => Reply::page(path).after(Duration::from_millis(5)),
    });
    let place = Place::new();
    place.list("urls.txt", site.urls(300));
    let arguments = ["urls.txt", "--fetchers", "3", "--host-concurrency", "2"];
    let running = place.obedient_crawl(&arguments).start();
    site.wait_for_hits(60);
    running.signal(Signal::SIGTERM);
    running.wait().expect(143);
    place.obedient_crawl(&arguments).run().expect(0);
    assert_eq!(site.hits_of("/robots.txt"), 6, "one for each origin");
    assert_eq!(place.store().number("SELECT count(*) FROM robots_files WHERE status = 200"), 6);
    place.store().assert_sound();
}

#[test]
fn a_site_without_the_file_allows_everything() {
    for status in [404, 403, 401, 410] {
        let site = Site::new(move |request| match request.path.as_str() {
            "/robots.txt" => Reply::status(status).body("User-agent: *\nDisallow: /"),
            path => Reply::page(path),
        });
        let place = Place::new();
        place.list("urls.txt", site.urls(3));
        place.obedient_crawl(&["urls.txt"]).run().expect(0);
        assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 3, "{status}");
        assert_eq!(place.store().number("SELECT status FROM robots_files"), i64::from(status));
    }
}

#[test]
fn a_site_that_cannot_say_allows_nothing_and_is_asked_again() {
    let site = Site::new(|request| match request.path.as_str() {
        "/robots.txt" => Reply::status(503),
        path => Reply::page(path),
    });
    let place = Place::new();
    place.list("urls.txt", site.urls(3));
    place.obedient_crawl(&["urls.txt", "--retries", "1"]).run().expect(1);
    let store = place.store();
    assert_eq!(
        store.rows("SELECT DISTINCT outcome, error, attempts FROM pages"),
        ["robots_denied|robots_unreachable|2"],
        "{:?}",
        store.rows("SELECT url, outcome, error, attempts, error_message FROM pages")
    );
    assert_eq!(site.count(), site.hits_of("/robots.txt"), "nothing but the file was asked for");
    assert_eq!(store.row("SELECT status, error FROM robots_files"), "503|robots_unreachable");
}

#[test]
fn a_site_that_recovers_is_crawled() {
    let site = Site::new(|request| match (request.path.as_str(), request.nth) {
        ("/robots.txt", 1) => Reply::status(500),
        ("/robots.txt", _) => Reply::bytes("text/plain", "User-agent: *\nDisallow: /2"),
        (path, _) => Reply::page(path),
    });
    let place = Place::new();
    place.list("urls.txt", ["/1", "/2", "/3"].map(|path| site.url(path)));
    place.obedient_crawl(&["urls.txt"]).run().expect(0);
    assert_eq!(place.store().rows("SELECT outcome FROM pages ORDER BY url"), ["ok", "robots_denied", "ok"]);
}

#[test]
fn redirects_lead_to_the_file_on_the_same_host_and_on_others() {
    let answer = |request: &Request| match (request.host, request.path.as_str()) {
        (0, "/robots.txt") => Reply::redirect(301, "/real-robots"),
        (0, "/real-robots") => Reply::redirect(302, request.url_at(1, "/shared-robots")),
        (1, "/shared-robots") => Reply::bytes("text/plain", "User-agent: *\nDisallow: /secret\n"),
        (1, "/robots.txt") => Reply::status(404),
        // Too many of them, and that is as good as none.
        (2, path) if path.starts_with("/r") => Reply::redirect(302, format!("{path}r")),
        (_, path) => Reply::page(path),
    };
    let (site, place) = (Site::with_hosts(3, answer), Place::new());
    let urls = (0..3).flat_map(|host| ["/secret", "/public"].map(|path| (host, path)));
    place.list("urls.txt", urls.map(|(host, path)| site.url_at(host, path)));
    place.obedient_crawl(&["urls.txt", "--delay", "50ms"]).run().expect(0);
    let store = place.store();
    let denied = store.rows("SELECT url FROM pages WHERE outcome = 'robots_denied'");
    assert_eq!(denied, [site.url_at(0, "/secret")], "rules found at another host speak for the first");
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 5);
    assert_eq!(site.hits_of("/shared-robots"), 1);
    // The first request, and five redirects at most.
    assert_eq!(site.hits().iter().filter(|hit| hit.host == 2 && hit.path.starts_with("/rob")).count(), 6);
    assert_eq!(store.number("SELECT count(*) FROM requests WHERE kind = 'robots'"), 3 + 1 + 6);
}

#[test]
fn a_file_that_lies_at_a_broken_host_is_missed_at_home_and_nobody_hangs() {
    let answer = |request: &Request| match (request.host, request.path.as_str()) {
        (0, "/robots.txt") => Reply::redirect(301, request.url_at(1, "/robots.txt")),
        (1, "/robots.txt") => Reply::status(500),
        (2, "/robots.txt") => Reply::redirect(301, request.url_at(3, "/elsewhere")),
        (3, "/elsewhere") => Reply::reset(),
        (_, path) => Reply::page(path),
    };
    let (site, place) = (Site::with_hosts(4, answer), Place::new());
    let of = |host: usize| ["/1", "/2"].map(|path| site.url_at(host, path));
    place.list("urls.txt", (0..4).flat_map(of));
    place.obedient_crawl(&["urls.txt", "--retries", "1", "--allow-private"]).run().expect(0);
    let store = place.store();
    let outcome = |host: usize| {
        let like = site.url_at(host, "/%");
        store.rows(&format!("SELECT DISTINCT outcome, error FROM pages WHERE url LIKE '{like}'"))
    };
    assert_eq!(outcome(0), ["robots_denied|robots_unreachable"]);
    assert_eq!(outcome(1), ["robots_denied|robots_unreachable"]);
    assert_eq!(outcome(2), ["robots_denied|robots_unreachable"]);
    assert_eq!(outcome(3), ["ok|-"]);
    assert!(!site.hits().iter().any(|hit| hit.host != 3 && ["/1", "/2"].contains(&&*hit.path)));
    store.assert_sound();
}

#[test]
fn a_crawl_delay_is_the_pace_up_to_its_cap() {
    for (cap, expected) in [("30s", 400), ("150ms", 150)] {
        let site = site_with("User-agent: *\nCrawl-delay: 0.4\n");
        let place = Place::new();
        place.list("urls.txt", site.urls(4));
        let ended = place.obedient_crawl(&["urls.txt", "--max-crawl-delay", cap]).run().expect(0);
        let at: Vec<_> = site.hits().iter().map(|hit| hit.at).collect();
        // From the file itself on.
        assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(expected - 20)), "{at:?}");
        assert_eq!(ended.stderr.contains("Crawl-delay of 0.4 s"), expected < 400, "{}", ended.stderr);
        assert_eq!(place.store().row("SELECT crawl_delay_s FROM robots_files"), "0.4");
        assert_eq!(place.store().number("SELECT max(gap_ms) FROM requests"), expected as i64);
    }
}

#[test]
fn a_redirect_into_what_is_forbidden_is_not_followed() {
    let answer = |request: &Request| match (request.host, request.path.as_str()) {
        (1, "/robots.txt") => Reply::bytes("text/plain", "User-agent: *\nDisallow: /x\n"),
        (0, "/robots.txt") => Reply::status(404),
        (0, path) => Reply::redirect(302, request.url_at(1, path)),
        (_, path) => Reply::page(path),
    };
    let (site, place) = (Site::with_hosts(2, answer), Place::new());
    place.list("urls.txt", [site.url_at(0, "/x"), site.url_at(0, "/y"), site.url_at(1, "/z")]);
    place.obedient_crawl(&["urls.txt"]).run().expect(0);
    let rows = place.store().rows("SELECT outcome, final_url FROM pages ORDER BY url_id");
    assert_eq!(rows[0], format!("robots_denied|{}", site.url_at(1, "/x")));
    assert!(rows[1].starts_with("ok|"), "{rows:?}");
    assert!(!site.hits().iter().any(|hit| hit.host == 1 && hit.path == "/x"));
}

#[test]
fn what_pages_and_headers_ask_of_robots_is_recorded() {
    let site = Site::new(|request| match request.path.as_str() {
        "/robots.txt" => Reply::status(404),
        "/both" => Reply::html("<title>t</title><meta name=robots content='NoFollow'>")
            .header("X-Robots-Tag", "otherbot: noarchive")
            .header("X-Robots-Tag", "seine: noindex"),
        "/file" => Reply::bytes("application/pdf", "%PDF").header("X-Robots-Tag", "none"),
        path => Reply::page(path),
    });
    let place = Place::new();
    place.list("urls.txt", ["/both", "/file", "/neither"].map(|path| site.url(path)));
    place.obedient_crawl(&["urls.txt"]).run().expect(0);
    assert_eq!(
        place.store().rows("SELECT meta_robots FROM pages ORDER BY url_id"),
        ["noindex, nofollow", "noindex, nofollow", "-"]
    );
}
