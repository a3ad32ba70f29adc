//! Hosts that want to be left alone, hosts that are down, and addresses nobody may be led to.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::{Place, Reply, Request, Site, Store};

#[test]
fn a_host_that_asks_for_a_pause_gets_it_for_all_its_urls_while_others_go_on() {
    let answer = |request: &Request| match (request.host, request.path.as_str(), request.nth) {
        (0, "/0", 1) => Reply::status(429).header("Retry-After", "2"),
        (_, path, _) => Reply::page(path),
    };
    let (site, place) = (Site::with_hosts(2, answer), Place::new());
    place.list("urls.txt", site.urls(60));
    place.crawl(&["urls.txt", "--host-concurrency", "1", "--delay", "10ms"]).run().expect(0);
    let hits = site.hits();
    let of = |host: usize| hits.iter().filter(move |hit| hit.host == host).map(|hit| hit.at).collect::<Vec<_>>();
    let (asked, other) = (of(0), of(1));
    let pause = asked.windows(2).map(|pair| pair[1] - pair[0]).max().expect("there were some");
    assert!(pause >= Duration::from_millis(1950), "{pause:?}");
    assert_eq!((asked.len(), other.len()), (31, 30));
    let others = other[29] - other[0];
    assert!(others < Duration::from_millis(1900), "the other host took {others:?}");
    assert_eq!(
        place.store().rows("SELECT attempt, status FROM attempts WHERE url LIKE '%/0' ORDER BY attempt"),
        ["1|429", "2|200"]
    );
}

#[test]
fn a_pause_asked_for_holds_over_a_restart() {
    let site = Site::new(|request| match (request.path.as_str(), request.nth) {
        ("/0", 1) => Reply::status(503).header("Retry-After", "3"),
        (path, _) => Reply::page(path),
    });
    let place = Place::new();
    place.list("urls.txt", site.urls(5));
    let arguments = ["urls.txt", "--host-concurrency", "1", "--delay", "10ms"];
    let running = place.crawl(&arguments).start();
    crate::support::eventually("the answer is recorded", || {
        Store::try_open(&place.db()).is_ok_and(|store| {
            store.number("SELECT count(*) FROM sqlite_schema WHERE name = 'attempts'") == 1
                && store.number("SELECT count(*) FROM attempts WHERE status = 503") == 1
        })
    });
    running.kill_supervisor();
    place.crawl(&arguments).run().expect(0);
    let hits: Vec<_> = site.hits().iter().map(|hit| hit.at).collect();
    assert!(hits[1] - hits[0] >= Duration::from_millis(2900), "{:?}", hits[1] - hits[0]);
    assert_eq!(hits.len(), 6);
}

#[test]
fn a_longer_pause_than_the_cap_counts_as_the_cap() {
    let date = httpdate::fmt_http_date(std::time::SystemTime::now() + Duration::from_secs(3600));
    let site = Site::new(move |request| match (request.path.as_str(), request.nth) {
        ("/0", 1) => Reply::status(503).header("Retry-After", &date),
        (path, _) => Reply::page(path),
    });
    let place = Place::new();
    place.list("urls.txt", site.urls(2));
    let ended = place.crawl(&["urls.txt", "--host-concurrency", "1", "--max-retry-after", "1s"]).run().expect(0);
    assert!(ended.elapsed > Duration::from_secs(1) && ended.elapsed < Duration::from_secs(30), "{:?}", ended.elapsed);
}

#[test]
fn a_dead_host_is_given_up_and_the_others_never_wait_for_it() {
    let (site, place) = (Site::with_hosts(2, |request| Reply::page(&request.path)), Place::new());
    // A port of its own address that refuses.
    let dead = TcpListener::bind("127.0.0.77:0").expect("loopback").local_addr().expect("bound");
    let dead_urls = (0..3000).map(|n| format!("http://{dead}/{n}"));
    place.list("urls.txt", dead_urls.chain(site.urls(40)));
    let started = Instant::now();
    let running = place.crawl(&["urls.txt", "--host-failures", "3", "--retries", "0"]).start();
    site.wait_for_hits(40);
    let living = started.elapsed();
    let ended = running.wait_within(Duration::from_secs(180)).expect(0);
    assert!(living < Duration::from_secs(20), "{living:?} for the living");
    assert!(ended.elapsed > Duration::from_secs(20), "given up after {:?} already", ended.elapsed);
    let store = place.store();
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 40);
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE outcome = 'failed'"), 3000);
    let asked = store.number("SELECT count(*) FROM requests WHERE host = '127.0.0.77'");
    assert!((6..40).contains(&asked), "{asked} requests to a dead host");
    assert!(store.number("SELECT count(*) FROM pages WHERE error = 'host_down'") >= 3000 - asked);
    assert_eq!(store.row("SELECT ok, failed FROM runs"), "40|3000");
    store.assert_sound();
}

#[test]
fn the_rate_of_the_whole_crawl_is_exact_over_all_fetchers() {
    let (site, place) = (Site::with_hosts(8, |request| Reply::page(&request.path)), Place::new());
    place.list("urls.txt", site.urls(48));
    place.crawl(&["urls.txt", "--fetchers", "3", "--rate", "20/s"]).run().expect(0);
    let mut at: Vec<_> = site.hits().iter().map(|hit| hit.at).collect();
    at.sort();
    // Starts are 50 ms apart; what the server sees is a little off.
    let all = at[47] - at[0];
    assert!(all >= Duration::from_millis(47 * 50 - 30), "{all:?}");
    for window in at.windows(21) {
        let second = window[20] - window[0];
        assert!(second >= Duration::from_millis(960), "21 requests within {second:?}");
    }
}

#[test]
fn host_rules_change_pace_headers_and_robots_of_the_hosts_they_name() {
    let answer = |request: &Request| match request.path.as_str() {
        "/robots.txt" => Reply::bytes("text/plain", "User-agent: *\nDisallow: /\n"),
        _ => Reply::page(request.headers.get("authorization").map_or("nobody", String::as_str)),
    };
    let (site, place) = (Site::with_hosts(2, answer), Place::new());
    place.list("urls.txt", site.urls(8));
    place.write("password", "swordfish\n");
    let host = site.url_at(1, "/").trim_start_matches("http://").split(':').next().expect("a host").to_owned();
    let config = format!(
        "[[host]]\nmatch = '*'\nrobots = false\n[[host]]\nmatch = '{host}'\ndelay = '200ms'\n\
         auth = {{ user = 'me', password_file = 'password' }}\n"
    );
    place.write("seine.toml", &config);
    place.obedient_crawl(&["urls.txt", "--config", "seine.toml"]).run().expect(0);
    let store = place.store();
    assert_eq!(
        store.rows("SELECT title, count(*) FROM pages GROUP BY title ORDER BY title"),
        ["Basic bWU6c3dvcmRmaXNo|4", "nobody|4"]
    );
    let mut at: Vec<_> = site.hits().iter().filter(|hit| hit.host == 1).map(|hit| hit.at).collect();
    at.sort();
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(180)), "{at:?}");
    assert_eq!(site.hits_of("/robots.txt"), 0);
    let config = store.row("SELECT config FROM runs");
    assert!(!config.contains("swordfish") && !config.contains("bWU6") && config.contains("password_file"), "{config}");
}

#[test]
fn a_redirect_never_leads_inside_unless_the_list_does_too() {
    let answer = |request: &Request| match (request.host, request.path.as_str()) {
        (0, "/in") => Reply::redirect(302, request.url_at(1, "/inside")),
        (0, "/metadata") => Reply::redirect(302, "http://169.254.169.254/latest/meta-data/"),
        (0, "/odd") => Reply::redirect(302, "http://0x7f.2/"),
        (_, path) => Reply::page(path),
    };
    let outcomes = |site: &Site, list: &[String], arguments: &[&str]| {
        let place = Place::new();
        place.list("urls.txt", list.iter().cloned());
        let mut all = vec!["urls.txt", "--retries", "0"];
        all.extend(arguments);
        place.crawl(&all).run();
        let rows = place.store().rows("SELECT outcome, error FROM pages ORDER BY url_id");
        (rows, site.hits_of("/inside"))
    };
    let site = Site::with_hosts(2, answer);
    let [inside, metadata, odd] = ["/in", "/metadata", "/odd"].map(|path| site.url_at(0, path));
    let (rows, hits) = outcomes(&site, &[inside.clone(), metadata.clone(), odd], &[]);
    assert_eq!((rows, hits), (vec!["failed|blocked_address".to_owned(); 3], 0));
    // The list names the other host as well.
    let (rows, hits) = outcomes(&site, &[inside.clone(), site.url_at(1, "/own")], &[]);
    assert_eq!((rows, hits), (vec!["ok|-".to_owned(); 2], 1));
    let (rows, hits) = outcomes(&site, &[inside, metadata], &["--allow-private"]);
    assert_eq!((rows, hits), (vec!["ok|-".to_owned(), "failed|blocked_address".to_owned()], 2));
}

#[test]
fn a_list_from_strangers_leads_nowhere_inside() {
    let (site, place) = (Site::new(|request| Reply::page(&request.path)), Place::new());
    place.list("urls.txt", [site.url("/x"), "http://169.254.169.254/".to_owned(), "http://localhost:81/".to_owned()]);
    place.write("seine.toml", "[network]\nprivate = 'deny'\n");
    place.obedient_crawl(&["urls.txt", "--config", "seine.toml"]).run().expect(1);
    assert_eq!(place.store().rows("SELECT DISTINCT outcome, error FROM pages"), ["failed|blocked_address"]);
    assert_eq!(site.count(), 0);
}

#[test]
fn the_secret_of_a_host_stays_with_its_listed_origin() {
    let answer = |request: &Request| match (request.host, request.path.as_str()) {
        (0, "/away") => Reply::redirect(307, request.url_at(1, "/landed")),
        _ => Reply::page(request.headers.get("authorization").map_or("nobody", String::as_str)),
    };
    let (site, place) = (Site::with_hosts(2, answer), Place::new());
    place.list("urls.txt", [site.url_at(0, "/home"), site.url_at(0, "/away")]);
    place.write("token", "swordfish");
    place.write("seine.toml", "[[host]]\nmatch = '*'\nauth = { token_file = 'token' }\n");
    place.crawl(&["urls.txt", "--allow-private", "--config", "seine.toml"]).run().expect(0);
    assert_eq!(place.store().rows("SELECT title FROM pages ORDER BY url_id"), ["Bearer swordfish", "nobody"]);
}

#[test]
fn what_is_wrong_with_a_secret_is_said_without_it() {
    let place = Place::new();
    place.list("urls.txt", ["http://127.0.0.1:1/".to_owned()]);
    place.write("typo.toml", "[[host]]\nmatch = 'a.test'\nauth = { user = 'me', password = 'swordfish' }\n");
    place.write("proxy.toml", "proxy = ['http://user:swordfish@[bad']\n");
    for arguments in [
        ["--proxy", "http://user:swordfish@[bad"],
        ["--header", "Authorization Bearer swordfish"],
        ["--config", "typo.toml"],
        ["--config", "proxy.toml"],
    ] {
        let ended = place.crawl(&["urls.txt"]).args(&arguments).run().expect(2);
        assert!(!ended.stderr.contains("swordfish"), "{}", ended.stderr);
    }
}

#[test]
fn types_that_are_not_wanted_are_skipped_unread() {
    let site = Site::new(|request| match request.path.as_str() {
        "/video" => Reply::bytes("video/mp4", vec![b'x'; 3_000_000]),
        "/image" => Reply::bytes("image/png", "png"),
        path => Reply::page(path),
    });
    let place = Place::new();
    place.list("urls.txt", ["/page", "/video", "/image"].map(|path| site.url(path)));
    let everything = Place::new();
    everything.list("urls.txt", [site.url("/page")]);
    everything.crawl(&["urls.txt", "--accept-types", "*/*"]).run().expect(0).says("1 ok");
    place.crawl(&["urls.txt", "--accept-types", "text/html,image/*"]).run().expect(0).says("1 skipped");
    assert_eq!(
        place.store().rows("SELECT outcome, error, content_type, body_bytes IS NULL FROM pages ORDER BY url_id"),
        ["ok|-|text/html; charset=utf-8|0", "skipped|content_type|video/mp4|1", "ok|-|image/png|0"]
    );
}

#[test]
fn cookies_come_back_to_their_site_and_to_no_other() {
    let answer = |request: &Request| {
        let cookie = request.headers.get("cookie").cloned().unwrap_or_else(|| "none".to_owned());
        match request.path.as_str() {
            "/set" => Reply::redirect(302, "/show").header("Set-Cookie", "id=42; Path=/"),
            "/away" => Reply::redirect(302, request.url_at(1, "/show")),
            _ => Reply::page(&cookie),
        }
    };
    let (site, place) = (Site::with_hosts(2, answer), Place::new());
    place.list("urls.txt", [site.url_at(0, "/set"), site.url_at(0, "/away"), site.url_at(1, "/show")]);
    place.crawl(&["urls.txt", "--cookies", "--host-concurrency", "1", "--delay", "50ms"]).run().expect(0);
    let titles = place.store().rows("SELECT title FROM pages ORDER BY url_id");
    assert_eq!(titles, ["id=42", "none", "none"]);
    let without = Place::new();
    without.list("urls.txt", [site.url_at(0, "/set")]);
    without.crawl(&["urls.txt"]).run().expect(0);
    assert_eq!(without.store().rows("SELECT title FROM pages"), ["none"]);
}

/// A wall that lets pass who sends back what was set, in each of the ways that sites build one.
fn wall(request: &Request) -> Reply {
    let cookie = request.headers.get("cookie").cloned().unwrap_or_default();
    let page = request.path.as_str();
    // Each has cookies of its own: they are asked side by side.
    let of = page.rsplit("to=").next().and_then(|path| path.split('?').next()).unwrap_or_default();
    let set = |to: String, cookie: &str| Reply::redirect(302, to).header("Set-Cookie", format!("{cookie}; Path={of}"));
    match page {
        "/self" if !cookie.contains("ok=1") => set(page.to_owned(), "ok=1"),
        "/back" if !cookie.contains("back=1") => Reply::redirect(302, "/gate?to=/back"),
        "/gate?to=/back" => set("/back".to_owned(), "back=1"),
        "/two" if !cookie.contains("one=1") => set(page.to_owned(), "one=1"),
        "/two" if !cookie.contains("two=2") => set(page.to_owned(), "two=2"),
        "/away" if !cookie.contains("away=1") => set(request.url_at(1, "/check"), "away=1"),
        "/check" if request.host == 1 => Reply::redirect(302, request.url_at(0, "/away")),
        "/count?n=1" if !cookie.contains("n=3") => set("/count?n=2".to_owned(), "n=2"),
        "/count?n=2" if !cookie.contains("n=3") => set("/count?n=1".to_owned(), "n=3"),
        // These let nobody pass.
        "/never" => set(page.to_owned(), "never=1"),
        "/plain" => Reply::redirect(302, page),
        "/other" => set(page.to_owned(), &format!("other={}", request.nth)),
        _ => Reply::page(page),
    }
}

#[test]
fn cookie_walls_let_pass_who_keeps_cookies_and_the_message_names_the_flag_to_who_does_not() {
    const WALLS: [&str; 8] = ["/self", "/back", "/two", "/away", "/count?n=1", "/never", "/plain", "/other"];
    for (flags, code, expected) in [
        (
            &["--cookies"][..],
            0,
            [
                "ok|200|-|-",
                "ok|200|-|-",
                "ok|200|-|-",
                "ok|200|-|-",
                "ok|200|-|-",
                "failed|302|redirect_loop|redirects lead back to /never",
                "failed|302|redirect_loop|redirects lead back to /plain",
                "failed|302|too_many_redirects|more than 5 redirects; the next one led to /other",
            ],
        ),
        (
            &[],
            1,
            [
                "failed|302|redirect_loop|redirects lead back to /self; HINT",
                "failed|302|redirect_loop|redirects lead back to /back; HINT",
                "failed|302|redirect_loop|redirects lead back to /two; HINT",
                "failed|302|redirect_loop|redirects lead back to /away; HINT",
                "failed|302|redirect_loop|redirects lead back to /count?n=1; HINT",
                "failed|302|redirect_loop|redirects lead back to /never; HINT",
                "failed|302|redirect_loop|redirects lead back to /plain",
                "failed|302|redirect_loop|redirects lead back to /other; HINT",
            ],
        ),
    ] {
        let (site, place) = (Site::with_hosts(2, wall), Place::new());
        place.list("urls.txt", WALLS.map(|path| site.url_at(0, path)));
        let arguments = ["urls.txt", "--allow-private", "--delay", "0", "--max-redirects", "5", "--fetchers", "2"];
        place.crawl(&[&arguments, flags].concat()).run().expect(code);
        let rows = place.store().rows("SELECT outcome, status, error, error_message FROM pages ORDER BY input_line");
        let hint = "a cookie was set on the way, which --cookies sends back";
        let rows: Vec<_> = rows
            .iter()
            .map(|row| row.replace(site.url_at(0, "").trim_end_matches('/'), "").replace(hint, "HINT"))
            .collect();
        assert_eq!(rows, expected, "{flags:?}");
    }
}

#[test]
fn a_post_is_a_get_after_a_redirect_that_says_so() {
    let site = Site::new(|request| match request.path.as_str() {
        "/see-other" => Reply::redirect(303, "/show"),
        "/same" => Reply::redirect(307, "/show"),
        _ => Reply::page(&format!("{} {}", request.headers[":method"], request.headers[":body"])),
    });
    let place = Place::new();
    place.list("urls.txt", ["/show", "/see-other", "/same"].map(|path| site.url(path)));
    place.crawl(&["urls.txt", "--body", "a=1"]).run().expect(0);
    assert_eq!(place.store().rows("SELECT title FROM pages ORDER BY url_id"), ["POST a=1", "GET", "POST a=1"]);
}

#[test]
fn what_cannot_be_used_is_an_error_before_anything_starts() {
    let place = Place::new();
    place.list("urls.txt", ["http://127.0.0.1:1/".to_owned()]);
    place.write("cookies.txt", "no cookies\n");
    place.write("seine.toml", "[[host]]\nmatch = 'a.test'\nauth = { token_file = 'nowhere' }\n");
    place.write("header.toml", "[[host]]\nmatch = 'a.test'\nheaders = ['Host: b.test']\n");
    place.write("cert.toml", "[[host]]\nmatch = 'a.test'\nclient_cert = 'urls.txt'\n");
    for (arguments, says) in [
        (["--cookie-file", "cookies.txt"], "cookies.txt"),
        (["--cookie-file", "nowhere.txt"], "nowhere.txt"),
        (["--ca-cert", "urls.txt"], "urls.txt"),
        (["--proxy-file", "nowhere.txt"], "nowhere.txt"),
        (["--proxy", "ftp://proxy.test"], "no kind of proxy"),
        (["--config", "seine.toml"], "token_file"),
        (["--rate", "fast"], "not a rate"),
        (["--resolve", "a:b"], "host:port:address"),
        (["--insecure", "*"], "not for all"),
        (["--insecure", "a.test:443"], "without port"),
        (["--config", "header.toml"], "Host"),
        (["--config", "cert.toml"], "urls.txt"),
    ] {
        place.crawl(&["urls.txt"]).args(&arguments).run().expect(2).says(says);
        assert!(!place.db().exists(), "{arguments:?}");
    }
}
