//! Links are followed, within a scope: each URL once, whoever is killed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{Dice, Place, Reply, Request, Signal, Site, within};

/// A page that links to these paths.
fn page(title: &str, links: &[&str]) -> Reply {
    let links: String = links.iter().map(|link| format!("<a href=\"{link}\">{link}</a> ")).collect();
    Reply::html(format!("<title>{title}</title>{links}"))
}

/// Follows links of the site from `/`, and says which paths were found, with their outcomes.
fn follow(place: &Place, site: &Site, arguments: &[&str]) -> BTreeSet<String> {
    place.list("urls.txt", [site.url("/")]);
    place.crawl(&["urls.txt", "--delay", "0", "--follow"]).args(arguments).run().expect(0);
    paths(place)
}

fn paths(place: &Place) -> BTreeSet<String> {
    let store = place.store();
    store.assert_sound();
    let paths = "SELECT substr(url, instr(substr(url, 9), '/') + 8) FROM pages WHERE outcome = 'ok' ORDER BY 1";
    store.rows(paths).into_iter().collect()
}

fn set(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

/// Links that lead everywhere a link can.
fn small_site() -> Site {
    Site::with_hosts(2, |request: &Request| {
        match request.path.as_str() {
        "/" => page(
            "start",
            &["/a", "/a#fragment", "b?x=1", "//127.0.0.9:1/nobody", &request.url_at(1, "/other"), "/", "mailto:x@y", "/docs/"],
        ),
        "/a" => page("a", &["/", "/b?x=1", "/a/deep"]),
        "/b?x=1" => page("b", &["/a"]).header("X-Robots-Tag", "noindex"),
        "/a/deep" => Reply::html(
            "<title>deep</title><a rel='ugc nofollow' href=/unwanted>no</a><a href=/gone>gone</a><link rel=next href=/next>
             <iframe src=/frame></iframe>",
        ),
        "/next" | "/frame" => page("more", &["/"]),
        "/docs/" => page("docs", &["/docs/one", "/closed"]),
        "/docs/one" => page("one", &["two", "/docs/"]),
        "/docs/two" => page("two", &[]),
        "/closed" => page("closed", &["/beyond"]).header("X-Robots-Tag", "nofollow"),
        "/other" | "/unwanted" | "/beyond" => page("out", &["/further"]),
        _ => Reply::status(404),
    }
    })
}

const ALL_OF_HOST: &[&str] =
    &["/", "/a", "/a/deep", "/b?x=1", "/closed", "/docs/", "/docs/one", "/docs/two", "/frame", "/next"];

#[test]
fn links_are_followed_on_the_hosts_of_the_list_and_each_page_is_asked_for_once() {
    let (site, place) = (small_site(), Place::new());
    assert_eq!(follow(&place, &site, &[]), set(ALL_OF_HOST));
    let store = place.store();
    assert_eq!(site.count(), ALL_OF_HOST.len() + 1, "one is not found");
    assert_eq!(store.row("SELECT depth, status FROM pages WHERE url LIKE '%/gone'"), "3|404");
    assert_eq!(store.row("SELECT depth, found_on FROM pages WHERE url LIKE '%/docs/two'").split('|').next(), Some("3"));
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE found_on IS NULL"), 1);
    let which =
        "SELECT DISTINCT substr(from_url, instr(substr(from_url, 9), '/') + 8) FROM links WHERE to_url LIKE '%/gone'";
    assert_eq!(store.rows(which), ["/a/deep"]);
    assert_eq!(store.row("SELECT internal, nofollow FROM links WHERE to_url LIKE '%/unwanted'"), "1|1");
    assert_eq!(store.number("SELECT count(*) FROM links WHERE NOT internal"), 2);
    assert_eq!(
        store.rows("SELECT element FROM links WHERE to_url LIKE '%/next' OR to_url LIKE '%/frame'"),
        ["link", "iframe"]
    );
}

#[test]
fn nofollow_can_be_ignored() {
    let (site, place) = (small_site(), Place::new());
    let found = follow(&place, &site, &["--ignore-nofollow"]);
    assert!(set(&["/unwanted", "/beyond"]).is_subset(&found), "{found:?}");
}

#[test]
fn depth_is_counted_in_links_from_the_list() {
    for (depth, found) in [
        ("0", &["/"][..]),
        ("1", &["/", "/a", "/b?x=1", "/docs/"]),
        ("2", &["/", "/a", "/a/deep", "/b?x=1", "/closed", "/docs/", "/docs/one"]),
    ] {
        let (site, place) = (small_site(), Place::new());
        assert_eq!(follow(&place, &site, &["--depth", depth]), set(found), "depth {depth}");
        assert_eq!(site.count(), found.len());
    }
}

#[test]
fn the_scope_says_how_far_links_may_lead() {
    let (site, place) = (small_site(), Place::new());
    place.list("urls.txt", [site.url("/docs/one")]);
    place.crawl(&["urls.txt", "--delay", "0", "--follow", "--scope", "prefix"]).run().expect(0);
    assert_eq!(paths(&place), set(&["/docs/", "/docs/one", "/docs/two"]));

    let place = Place::new();
    place.list("urls.txt", [site.url("/"), site.url("/docs/")]);
    place.crawl(&["urls.txt", "--delay", "0", "--follow", "--scope", "list"]).run().expect(0);
    assert_eq!(paths(&place), set(&["/", "/docs/"]));

    let place = Place::new();
    let found = follow(&place, &site, &["--scope", "any", "--retries", "0", "--host-failures", "1"]);
    assert!(found.contains("/other"), "{found:?}");
    // Nobody is there, which is known because it was asked.
    assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE url LIKE '%nobody%'"), 1);

    let place = Place::new();
    place.list("urls.txt", [site.url("/"), site.url_at(1, "/nothing")]);
    place.crawl(&["urls.txt", "--delay", "0", "--follow"]).run().expect(0);
    assert!(paths(&place).contains("/other"), "a host is in the scope whatever the list names of it");
}

#[test]
fn a_listed_front_page_that_has_moved_takes_its_new_host_into_the_scope() {
    let place = Place::new();
    let site = Site::with_hosts(2, |request| match (request.host, request.path.as_str()) {
        (0, "/") => Reply::redirect(301, request.url_at(1, "/home")),
        (0, "/page") => Reply::redirect(302, request.url_at(1, "/login")),
        _ => page(&request.path, &["/about"]),
    });
    place.list("urls.txt", [site.url_at(0, "/page")]);
    place.crawl(&["urls.txt", "--delay", "0", "--follow", "--allow-private"]).run().expect(0);
    assert_eq!(site.hits_of("/about"), 0, "a login is no new home");
    place.list("front.txt", [site.url_at(0, "/")]);
    place
        .crawl(&["front.txt", "--delay", "0", "--follow", "--allow-private"])
        .db(&place.path("front.db"))
        .run()
        .expect(0);
    assert_eq!(site.hits_of("/about"), 1);
}

#[test]
fn of_include_and_exclude_the_last_that_matches_counts() {
    let (site, place) = (small_site(), Place::new());
    let found = follow(&place, &site, &["--exclude", "/docs/", "--include", "/docs/$"]);
    assert_eq!(found, set(ALL_OF_HOST).difference(&set(&["/docs/one", "/docs/two"])).cloned().collect());
    let place = Place::new();
    let found = follow(&place, &site, &["--include", "/docs/$", "--exclude", "/docs/"]);
    assert_eq!(found, set(&["/"]));
    let place = Place::new();
    place.write(
        "seine.toml",
        "follow = true\ndelay = '0s'\ninclude = ['/docs/']\nexclude = ['two']\ninputs = ['urls.txt']\n",
    );
    place.list("urls.txt", [site.url("/")]);
    place.crawl(&["--config", "seine.toml", "--include", "/a$"]).run().expect(0);
    assert_eq!(paths(&place), set(&["/", "/a", "/docs/", "/docs/one"]));
}

#[test]
fn what_cannot_be_followed_is_said_before_anything_is_asked_for() {
    let (site, place) = (small_site(), Place::new());
    place.list("urls.txt", [site.url("/")]);
    for (arguments, says) in [
        (&["--depth", "3"][..], "add --follow"),
        (&["--follow", "--include", "(x"], "--include \"(x\""),
        (&["--follow", "--follow-css", "nav >> a"], "--follow-css \"nav >> a\": at byte 4"),
        (&["--follow-css", "nav"], "add --follow"),
        (&["--follow", "--scope", "galaxy"], "page, prefix, host, domain, list and any"),
        (&["--follow", "--allow-trap", "mouse"], "repeating_segments"),
    ] {
        place.crawl(&["urls.txt"]).args(arguments).run().expect(2).says(says);
    }
    assert_eq!((site.count(), place.store_files().len()), (0, 0));
}

#[test]
fn links_in_the_head_of_an_answer_are_followed_whatever_its_body_is() {
    let site = Site::new(|request| match request.path.as_str() {
        "/" => page("start", &["/a"]).header("Link", "</api>; rel=\"canonical\", </style.css>; rel=preload"),
        "/api" => Reply::bytes("application/json", "[1]").header("Link", "<?page=2>; rel=next"),
        "/api?page=2" => Reply::html("<p>2").header("Link", "</no>; rel=\"next nofollow\", </last>; rel=prev"),
        "/a" | "/last" => page("end", &[]),
        _ => Reply::status(404),
    });
    let place = Place::new();
    assert_eq!(follow(&place, &site, &[]), set(&["/", "/a", "/api", "/api?page=2", "/last"]));
    assert_eq!(site.count(), 5);
    let store = place.store();
    let links = "SELECT rel, count(*), min(internal) FROM links WHERE element = 'header' GROUP BY 1 ORDER BY 1";
    assert_eq!(store.rows(links), ["canonical|1|1", "next|1|1", "next nofollow|1|1", "prev|1|1"]);
}

#[test]
fn only_links_in_chosen_elements_are_followed_and_all_are_recorded() {
    let site = Site::new(|request| {
        if request.headers.contains_key("if-none-match") {
            return Reply::status(304);
        }
        let reply = match request.path.as_str() {
            "/" => {
                Reply::html("<nav><b><a href=/in>in</a></b></nav><a class=next href=/next>next</a><a href=/out>out</a>")
                    .header("Link", "</header>; rel=next")
            }
            "/in" => Reply::html("<title>in</title><a href=/out>out</a>"),
            "/next" => Reply::bytes("application/json", "[]").header("Link", "</more>; rel=next"),
            _ => page("out", &[]),
        };
        reply.header("ETag", "\"1\"")
    });
    let place = Place::new();
    // The second run knows its pages by what the store has of them.
    for run in 1..=2 {
        let found = follow(&place, &site, &["--follow-css", "nav, a.next"]);
        assert_eq!(found, set(&["/", "/in", "/next"]), "run {run}");
        assert_eq!(site.count(), 3 * run);
    }
    let links = "SELECT substr(to_url, instr(substr(to_url, 9), '/') + 8), element FROM links ORDER BY 1, 2";
    assert_eq!(place.store().rows(links), ["/header|header", "/in|a", "/more|header", "/next|a", "/out|a", "/out|a"]);
    // All of them are there for whoever follows all.
    assert_eq!(follow(&Place::new(), &site, &[]), set(&["/", "/header", "/in", "/more", "/next", "/out"]));
}

#[test]
fn a_trap_is_named_and_not_entered() {
    let place = Place::new();
    // A relative link on a page that is there under every path below its own.
    let site = Site::new(|request| match request.path.len() {
        0..500 => page("trap", &["more/more/x/", "/calendar?month=2999-01"]),
        _ => Reply::status(500),
    });
    let found = follow(&place, &site, &[]);
    assert!(found.len() < 10, "{found:?}");
    let store = place.store();
    let traps = store.rows("SELECT DISTINCT error, error_message FROM pages WHERE outcome = 'skipped' ORDER BY 2");
    assert_eq!(traps, ["trap|trap:calendar", "trap|trap:repeating_segments"]);
    assert_eq!(follow(&place, &site, &[]), found, "nor is it by a later run");
    assert_eq!(site.hits_of("/calendar?month=2999-01"), 0);
    let place = Place::new();
    follow(&place, &site, &["--allow-trap", "calendar", "--depth", "1"]);
    assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE url LIKE '%2999%' AND outcome = 'ok'"), 1);
}

#[test]
fn a_page_with_more_links_than_a_message_holds_leads_to_all_of_them() {
    const LINKS: usize = 60_000;
    let place = Place::new();
    let site = Site::new(|request| match request.path.as_str() {
        "/" => {
            let tail = "x".repeat(235);
            let links: String = (0..LINKS).map(|number| format!("<a href='/{number}/{tail}'>{number}</a>")).collect();
            Reply::html(format!("{links}<a href='/{}'>too long</a>", "y".repeat(1 << 20)))
        }
        _ => Reply::page("x"),
    });
    place.list("urls.txt", [site.url("/")]);
    place.crawl(&["urls.txt", "--delay", "0", "--follow", "--limit", "5", "--max-body", "20MiB"]).run().expect(3);
    let store = place.store();
    store.assert_sound();
    let found = store.number("SELECT count(*) FROM url");
    let left = store.number("SELECT count(*) FROM to_follow");
    assert!(found == LINKS as i64 + 1 || left == 1, "{found} URLs, {left} pages to follow");
    place.crawl(&["urls.txt", "--delay", "0", "--follow", "--limit", "5"]).run().expect(3);
    assert_eq!(place.store().number("SELECT count(*) FROM url"), LINKS as i64 + 1);
}

#[test]
fn the_summary_says_what_was_found_by_whom() {
    let site = Site::new(|request| match request.path.as_str() {
        "/" => page("start", &["/a", "/calendar?month=2999-01"]),
        "/a" => page("a", &["/b"]),
        "/sitemap.xml" => Reply::bytes(
            "text/xml",
            format!(
                "<urlset><url><loc>{0}</loc></url><url><loc>{0}1</loc></url></urlset>",
                request.url_at(0, "/mapped")
            ),
        ),
        "/robots.txt" => Reply::status(404),
        _ => page("end", &[]),
    });
    let crawl = |place: &Place, arguments: &[&str]| {
        place.list("urls.txt", [site.url("/")]);
        place.obedient_crawl(&["urls.txt"]).args(arguments).run().expect(0)
    };
    assert!(crawl(&Place::new(), &["--json"]).json().get("found").is_none());
    let place = Place::new();
    let json = crawl(&place, &["--follow", "--sitemap", "auto", "--json"]).json();
    let found = serde_json::json!({
        "by_pages": 3, "by_sitemaps": 2, "by_feeds": 0, "by_robots": 1, "assets": 0, "deepest": 2, "traps": {"calendar": 1},
        "same_pages": 0,
    });
    assert_eq!(json["found"], found);
    crawl(&place, &["--follow"])
        .says("found: 3 by pages, 2 by sitemaps, 1 by robots.txt, 2 links deep at most; traps: 1 calendar");
}

const PAGES: usize = 300;

/// Pages on three hosts that name three others each, near and far; by the first one all can be reached.
fn large_site() -> Site {
    Site::with_hosts(3, |request| {
        let number = if request.path == "/" { 0 } else { request.number() };
        let links: String = [number * 2 + 1, number * 2 + 2, (number * 7 + 3) % PAGES, number / 2]
            .into_iter()
            .filter(|number| *number < PAGES)
            .map(|number| format!("<a href='{}'>{number}</a>", request.url_at(number % 3, &format!("/{number}"))))
            .collect();
        let text = "<p>Some text that makes a page of it.".repeat(20 + number % 50);
        Reply::html(format!("<title>{number}</title>{links}{text}")).after(Duration::from_millis(4))
    })
}

/// About two seconds of crawling.
const KILLED: [&str; 6] = ["urls.txt", "--delay", "15ms", "--follow", "--json", "--host-concurrency=3"];

fn list_hosts(place: &Place, site: &Site) {
    place.list("urls.txt", [site.url_at(0, "/0"), site.url_at(1, "/1"), site.url_at(2, "/2")]);
}

fn assert_all_found(place: &Place) {
    let store = place.store();
    store.assert_sound();
    let all = format!("{PAGES}|{PAGES}|{PAGES}");
    assert_eq!(
        store.row("SELECT count(*), count(DISTINCT url), count(DISTINCT title) FROM pages WHERE outcome = 'ok'"),
        all
    );
    assert_eq!(store.row("SELECT count(*), sum(ok) FROM runs"), format!("1|{PAGES}"));
    assert_eq!(store.number("SELECT count(*) FROM url WHERE outcome IS NULL"), 0);
    assert_eq!(store.number("SELECT count(*) FROM to_follow"), 0);
}

#[test]
fn a_page_counts_as_the_one_that_it_names_as_canonical_where_that_is_wanted() {
    let canonical = |title: &str, href: &str| {
        Reply::html(format!("<title>{title}</title><link rel=canonical href=\"{href}\"><a href=/of-{title}>x</a>"))
    };
    let site = Site::with_hosts(2, move |request: &Request| match &*request.path {
        "/" => page("start", &["/sorted?by=price", "/a.pdf", "/wrong", "/dead", "/empty", "/x"])
            .header("Link", "</>; rel=canonical"),
        "/sorted?by=price" => canonical("sorted", "/list#top"),
        "/list" => canonical("list", "/list"),
        "/a.pdf" => Reply::bytes("application/pdf", "%PDF").header("Link", "</list>; rel=canonical"),
        "/wrong" => canonical("wrong", &request.url_at(1, "/elsewhere")),
        "/dead" => canonical("dead", "/gone"),
        "/empty" => Reply::bytes("text/html", "").header("Link", "</behind>; rel=next, </list>; rel=\"canonical\""),
        "/x" => canonical("x", "/y"),
        "/y" => canonical("y", "/x"),
        "/gone" => Reply::status(404),
        _ => page("other", &[]),
    });
    let same = |place: &Place| {
        place.store().rows("SELECT substr(url, instr(substr(url, 9), '/') + 8), substr(same_as, instr(substr(same_as, 9), '/') + 8) FROM pages WHERE same_as IS NOT NULL ORDER BY 1")
    };
    let (plain, place) = (Place::new(), Place::new());
    let without = follow(&plain, &site, &[]);
    assert!(same(&plain).is_empty());
    let named = plain
        .store()
        .row("SELECT substr(canonical, instr(substr(canonical, 9), '/') + 8) FROM pages WHERE url LIKE '%/a.pdf'");
    assert_eq!(named, "/list", "of the Link header");
    assert!(without.contains("/behind"), "the head of an empty answer is read: {without:?}");

    let found = follow(&place, &site, &["--canonical"]);
    let more: Vec<_> = found.difference(&without).map(String::as_str).collect();
    assert_eq!(
        more,
        ["/list", "/of-list", "/of-y", "/y"].into_iter().filter(|path| !without.contains(*path)).collect::<Vec<_>>()
    );
    assert!(without.is_subset(&found), "no page is lost");
    assert_eq!(same(&place), ["/a.pdf|/list", "/empty|/list", "/sorted?by=price|/list"]);
    place.seine(&["crawl", "urls.txt", "--db", "x.db", "--canonical"]).run().expect(2).says("add --follow");
}

#[test]
fn whoever_is_killed_the_same_pages_are_found() {
    let (site, place, mut dice) = (large_site(), Place::new(), Dice::new());
    list_hosts(&place, &site);
    let mut running = place.crawl(&KILLED).start();
    let mut kills = 0;
    // More within ten seconds would be taken for a fault of the machine.
    while kills < 4 && !within(dice.millis(100, 500), || running.has_ended()) {
        let family: Vec<_> = running.family();
        let victims: Vec<_> = family
            .into_iter()
            .filter(|one| ["writer", "fetcher 0", "fetcher 1"].iter().any(|role| one.is(role)))
            .collect();
        if !victims.is_empty() {
            victims[dice.between(0, victims.len() as u64 - 1) as usize].signal(Signal::SIGKILL);
            kills += 1;
        }
    }
    running.wait().expect(0);
    assert!(kills >= 2, "the crawl was too short");
    assert_all_found(&place);
}

#[test]
fn a_killed_supervisor_finds_the_rest_later() {
    let (site, place, mut dice) = (large_site(), Place::new(), Dice::new());
    list_hosts(&place, &site);
    for _ in 0..3 {
        let mut running = place.crawl(&KILLED).start();
        if within(dice.millis(200, 700), || running.has_ended()) {
            running.wait().expect(0);
            break;
        }
        running.kill_supervisor();
    }
    place.crawl(&KILLED).run().expect(0);
    assert_all_found(&place);
}

#[test]
fn a_limit_counts_found_pages_and_the_next_run_goes_on() {
    let (site, place) = (large_site(), Place::new());
    list_hosts(&place, &site);
    let limited = ["urls.txt", "--delay", "0", "--follow", "--limit", "50"];
    for run in 1..=3 {
        place.crawl(&limited).run().expect(3);
        assert_eq!(site.count(), 50 * run);
    }
    place.crawl(&["urls.txt", "--delay", "0", "--follow"]).run().expect(0);
    assert_eq!(site.count(), PAGES);
    assert_all_found(&place);
}

#[test]
fn a_second_run_asks_for_changes_and_says_what_is_new_and_gone() {
    let version = Arc::new(AtomicUsize::new(1));
    let of_site = Arc::clone(&version);
    let site = Site::new(move |request| {
        let version = of_site.load(Ordering::SeqCst);
        let (links, version): (&[&str], _) = match (request.path.as_str(), version) {
            ("/", _) => (&["/list", "/still"], 1),
            ("/list", 1) => (&["/old", "/kept"], 1),
            ("/list", _) => (&["/kept", "/new"], 2),
            _ => (&[], 1),
        };
        let tag = format!("\"{version}\"");
        if request.headers.get("if-none-match") == Some(&tag) {
            return Reply::status(304);
        }
        page(&format!("{} {version}", request.path), links).header("ETag", tag)
    });
    let place = Place::new();
    follow(&place, &site, &[]);
    assert_eq!(site.count(), 5);
    version.store(2, Ordering::SeqCst);
    follow(&place, &site, &[]);
    // All but the one that nothing names any more, and the new one.
    assert_eq!((site.count(), site.hits_of("/old"), site.hits_of("/new")), (10, 1, 1));
    let json = place.seine(&["diff", "crawl.db", "--format", "json"]).run().expect(1).json();
    let told: BTreeSet<_> = json["pages"]
        .as_array()
        .expect("pages")
        .iter()
        .filter_map(|page| Some((page["change"].as_str()?, page["url"].as_str()?.rsplit('/').next()?)))
        .map(|(change, name)| (change.to_owned(), name.to_owned()))
        .collect();
    let expected = [("changed", "list"), ("gone", "old"), ("new", "new")];
    assert_eq!(told, expected.map(|(change, url)| (change.to_owned(), url.to_owned())).into());
    // The third run finds nothing else.
    follow(&place, &site, &[]);
    assert_eq!((site.count(), site.hits_of("/old")), (15, 1));
}

/// Two hosts: pages on the first, most of what they show on the second, where no page is anybody's business.
fn illustrated_site() -> Site {
    let bytes = |kind: &str| Reply::bytes(kind, b"bytes".to_vec());
    Site::with_hosts(2, move |request: &Request| match request.path.as_str() {
        "/" => Reply::html(format!(
            "<title>start</title><link rel=stylesheet href={0}/main.css><img src=/logo.png srcset='/logo-2.png 2x'>
             <script src={0}/app.js></script><a href=/more>more</a><a href={0}/page>elsewhere</a>
             <img src=/secret/x.png><img src=/tracker.gif><img src=/gone.png>",
            request.url_at(1, "")
        )),
        "/more" => Reply::html("<title>more</title><img src=/logo.png><img src='big one.jpg'>"),
        "/main.css" => Reply::bytes(
            "text/css",
            "@import url(fonts.css); @import 'loop.css'; body { background: url(\"i/bg.png\") }",
        ),
        "/fonts.css" => Reply::bytes("text/css", "@font-face { src: url(f.woff2) }"),
        "/loop.css" => Reply::bytes("text/css", "@import 'main.css';"),
        "/robots.txt" => Reply::bytes("text/plain", "User-agent: *\nDisallow: /secret/\n"),
        "/logo.png" | "/logo-2.png" | "/i/bg.png" | "/big%20one.jpg" | "/tracker.gif" => bytes("image/png"),
        "/app.js" => bytes("text/javascript"),
        "/f.woff2" => bytes("font/woff2"),
        "/page" => page("elsewhere", &["/further"]),
        _ => Reply::status(404),
    })
}

const ASSETS: &[&str] = &[
    "/app.js",
    "/big%20one.jpg",
    "/f.woff2",
    "/fonts.css",
    "/i/bg.png",
    "/logo-2.png",
    "/logo.png",
    "/loop.css",
    "/main.css",
];

#[test]
fn assets_are_fetched_with_their_pages_once_each_and_kept() {
    let (site, place) = (illustrated_site(), Place::new());
    place.list("urls.txt", [site.url("/")]);
    let arguments = ["urls.txt", "--delay", "0", "--follow", "--assets", "--exclude", "tracker"];
    let ended = place.obedient_crawl(&arguments).run().expect(0);
    ended.says("assets");
    let store = place.store();
    let of_kind = |kind: &str| {
        let path = "substr(url, instr(substr(url, 9), '/') + 8)";
        store.rows(&format!("SELECT {path} FROM pages WHERE outcome = 'ok' AND kind = '{kind}' ORDER BY 1"))
    };
    assert_eq!(of_kind("asset"), ASSETS);
    assert_eq!(of_kind("page"), ["/", "/more"], "the other host's page is not shown but linked to");
    assert_eq!(
        store.rows("SELECT outcome FROM pages WHERE kind = 'asset' AND outcome <> 'ok' ORDER BY 1"),
        ["http_error", "robots_denied",]
    );
    assert_eq!((site.hits_of("/logo.png"), site.hits_of("/main.css"), site.hits_of("/tracker.gif")), (1, 1, 0));
    assert_eq!(store.number("SELECT count(*) FROM links WHERE to_url LIKE '%/main.css' AND element = 'style'"), 2);
    // A broken image is a broken link.
    let ended = place.seine(&["links", "crawl.db", "--broken"]).run().expect(1);
    assert!(String::from_utf8_lossy(&ended.stdout).contains("/gone.png"));
    place.seine(&["cat", "crawl.db", &site.url("/logo.png")]).run().expect(0);

    // A second run finds the same, and no page is gone.
    place.obedient_crawl(&arguments).run().expect(0);
    assert_eq!(of_kind("asset"), ASSETS);
    assert_eq!(site.hits_of("/main.css"), 2);
}

#[test]
fn assets_that_are_wanted_later_come_though_their_page_has_not_changed() {
    let site = Site::new(|request: &Request| match (request.path.as_str(), request.headers.get("if-none-match")) {
        ("/", Some(_)) => Reply::status(304),
        ("/", None) => Reply::html("<title>start</title><img src=/logo.png>").header("ETag", "\"1\""),
        ("/logo.png", _) => Reply::bytes("image/png", b"bytes".to_vec()),
        _ => Reply::status(404),
    });
    let place = Place::new();
    place.list("urls.txt", [site.url("/")]);
    let crawl = |more: &[&str]| place.crawl(&["urls.txt", "--delay", "0"]).args(more).run().expect(0);
    crawl(&[]);
    crawl(&["--assets"]).says("what has not changed is fetched whole this once");
    assert_eq!(paths(&place), set(&["/", "/logo.png"]));
    // From now on the page leads on by its stored links.
    let hits = site.hits_of("/logo.png");
    crawl(&["--assets"]);
    assert_eq!(
        (place.store().rows("SELECT not_modified FROM history WHERE url LIKE '%/' ORDER BY run_id"), hits),
        (vec!["0".to_owned(), "0".to_owned(), "1".to_owned()], 1)
    );
    assert_eq!(site.hits_of("/logo.png"), 2);
}

#[test]
fn assets_of_listed_pages_alone() {
    let (site, place) = (illustrated_site(), Place::new());
    place.list("urls.txt", [site.url("/more")]);
    place.crawl(&["urls.txt", "--delay", "0", "--page-requisites", "--include", "/nothing/"]).run().expect(0);
    assert_eq!(paths(&place), set(&["/more", "/logo.png", "/big%20one.jpg"]));
}
