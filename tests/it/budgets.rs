//! What a crawl that nobody watches may spend: it stops in order, says why, and the same command goes on.

use crate::support::{Place, Reply, Site};

const BODY: usize = 10_000;

/// Pages of [`BODY`] bytes on three hosts.
fn pages() -> Site {
    Site::with_hosts(3, |request| {
        let mut body = format!("<title>{}</title>", request.path).into_bytes();
        body.resize(BODY, b' ');
        Reply::html(body)
    })
}

/// No page was asked for twice, and every URL is in the store.
fn assert_whole(place: &Place, site: &Site, urls: usize) {
    let store = place.store();
    assert_eq!(store.row("SELECT count(*), count(DISTINCT url), min(outcome) FROM pages"), format!("{urls}|{urls}|ok"));
    assert_eq!(site.count(), urls, "no page twice");
    assert_eq!(store.row("SELECT count(*), min(ended_by) FROM runs"), "1|completed");
    store.assert_sound();
}

#[test]
fn a_budget_of_bytes_stops_the_crawl_and_the_same_command_goes_on() {
    let (place, site) = (Place::new(), pages());
    place.list("urls.txt", site.urls(120));
    // Twenty pages, and what is in flight then.
    let arguments = ["urls.txt", "--max-bytes", "200kB", "--concurrency", "4", "--delay", "50ms", "--json"];
    let ended = place.crawl(&arguments).run().expect(3).says("--max-bytes have come");
    let json = ended.json();
    assert_eq!((json["ended_by"].as_str(), json["state"].as_str()), (Some("max_bytes"), Some("unfinished")));
    let first = site.count();
    assert!((20..=60).contains(&first), "{first} pages for 20");
    assert_eq!(json["fetched"].as_u64(), Some(first as u64), "what was in flight is kept");
    let mut runs = 1;
    while place.crawl(&arguments).run().code == Some(3) {
        runs += 1;
        assert!(runs < 10, "it does not come to an end");
    }
    assert_whole(&place, &site, 120);
}

#[test]
fn a_host_has_its_limit_and_the_rest_comes_with_the_next_runs() {
    let (place, site) = (Place::new(), pages());
    // 60, 25 and 5 URLs; the window of a pull is 16.
    let of = |host: usize, count: usize| (0..count).map(move |n| (host, n));
    let urls: Vec<_> = of(0, 60).chain(of(1, 25)).chain(of(2, 5)).collect();
    place.list("urls.txt", urls.iter().map(|(host, n)| site.url_at(*host, &format!("/{n}"))));
    let arguments = ["urls.txt", "--host-limit", "20", "--json"];
    for (counts, code) in [([20, 20, 5], 3), ([40, 25, 5], 3), ([60, 25, 5], 0)] {
        let ended = place.crawl(&arguments).run().expect(code);
        let hits = site.hits();
        let found = [0, 1, 2].map(|host| hits.iter().filter(|hit| hit.host == host).count());
        assert_eq!(found, counts);
        assert_eq!(ended.json()["ended_by"], if code == 3 { "host_limit" } else { "completed" });
    }
    assert_whole(&place, &site, 90);
}

#[test]
fn a_host_rule_has_the_last_word_on_the_limit_of_its_host() {
    let (place, site) = (Place::new(), pages());
    place.list("urls.txt", site.urls(90));
    let config = "host_limit = 3\n[[host]]\nmatch = '127.0.0.1'\nlimit = 0\n[[host]]\nmatch = '127.0.0.2'\nlimit = 7";
    place.write("c.toml", config);
    place.crawl(&["urls.txt", "--config", "c.toml"]).run().expect(3);
    let of_host = |at: usize| site.hits().iter().filter(|hit| hit.host == at).count();
    assert_eq!([0, 1, 2].map(of_host), [30, 7, 3]);
}

#[test]
fn urls_that_redirect_or_come_again_count_once() {
    let (place, site) = (
        Place::new(),
        Site::with_hosts(2, |request| match (request.host, request.number() % 2) {
            (0, 0) => Reply::redirect(302, request.url_at(1, &request.path)),
            (0, _) if request.nth == 1 => Reply::status(503).header("Retry-After", "0"),
            _ => Reply::page(&request.path),
        }),
    );
    place.list("urls.txt", (0..12).map(|n| site.url_at(0, &format!("/{n}"))));
    let arguments = ["urls.txt", "--host-limit", "6", "--json", "--host-failures", "0", "--allow-private"];
    assert_eq!(place.crawl(&arguments).run().expect(3).json()["outcomes"]["ok"], 6);
    assert_eq!(place.crawl(&arguments).run().expect(0).json()["outcomes"]["ok"], 12);
}

#[test]
fn a_disk_with_too_little_room_is_named_and_nothing_is_fetched() {
    let (place, site) = (Place::new(), pages());
    place.list("urls.txt", site.urls(10));
    let arguments = ["urls.txt", "--min-free-disk", "8EiB"];
    place.crawl(&arguments).run().expect(5).says("left, less than the 8.0 EiB of --min-free-disk; nothing was fetched");
    assert_eq!(place.store_files(), Vec::<String>::new());

    place.crawl(&["urls.txt", "--limit", "4"]).run().expect(3);
    let ended = place.crawl(&arguments).args(&["--json"]).run().expect(5).says("make room, then run the same command");
    assert_eq!(ended.json()["ended_by"], "min_free_disk");
    assert_eq!(site.count(), 4);
    place.crawl(&["urls.txt"]).run().expect(0);
    assert_whole(&place, &site, 10);
}

#[test]
fn a_share_of_errors_above_the_threshold_is_a_failure() {
    let (place, site) = (
        Place::new(),
        Site::new(|request| if request.number() < 3 { Reply::status(404) } else { Reply::page(&request.path) }),
    );
    // Three of ten, and a line that is no URL and does not count.
    place.list("urls.txt", site.urls(10).into_iter().chain(["no url".to_owned()]));
    for (threshold, code) in [("30%", 0), ("0.29", 1), ("0", 1), ("1", 0)] {
        let ended = place.crawl(&["urls.txt", "--db", &format!("{threshold}.db"), "--fail-threshold", threshold]);
        let ended = ended.args(&["--json"]).run().expect(code);
        assert_eq!(ended.json()["failed_share"], 0.3);
        assert_eq!(
            ended.stderr.contains("30 % of the URLs ended in an error, more than"),
            code == 1,
            "{}",
            ended.stderr
        );
    }
    // What is not complete is not judged.
    let ended = place.crawl(&["urls.txt", "--db", "part.db", "--fail-threshold", "0", "--limit", "5"]).run();
    ended.expect(3);
    place.crawl(&["urls.txt", "--db", "odd.db", "--fail-threshold", "20"]).run().expect(2).says("20% or 0.2");
}

#[test]
fn a_run_of_which_more_than_a_quarter_failed_shows_it_without_being_asked_to() {
    let site = Site::new(|request| match request.number() {
        ..25 => Reply::status(404),
        _ => Reply::page(&request.path),
    });
    let place = Place::new();
    place.list("well.txt", site.urls(100));
    place.list("badly.txt", site.urls(99));
    let crawl = |list, db| place.seine(&["crawl", list, "--db", db, "--delay", "0", "--ignore-robots"]);
    crawl("well.txt", "well.db").run().expect(0);
    crawl("badly.txt", "badly.db").run().expect(1).says("more than the 25 % of --fail-threshold");
}
