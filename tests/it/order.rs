//! The URLs of a host in their order, and budgets of what is found: exact, whoever is killed.

use std::time::Duration;

use crate::support::{Dice, Place, Reply, Signal, Site, within};

/// A start page that names forty pages, of which the last twenty are products.
fn shop() -> Site {
    Site::new(|request| match request.path.as_str() {
        "/" => {
            let paths = (0..20).map(|n| format!("/other/{n}")).chain((0..20).map(|n| format!("/product/{n}")));
            Reply::html(paths.map(|path| format!("<a href='{path}'>x</a>")).collect::<String>())
        }
        path => Reply::page(path),
    })
}

/// The paths that were asked for, in this order.
fn asked(site: &Site) -> Vec<String> {
    site.hits().into_iter().map(|hit| hit.path).collect()
}

#[test]
fn what_has_a_higher_value_is_asked_for_first_in_the_next_run_too() {
    let (site, place) = (shop(), Place::new());
    place.list("urls.txt", [site.url("/")]);
    let arguments =
        ["urls.txt", "--delay", "0", "--follow", "--host-concurrency", "1", "--concurrency", "1", "--fetchers", "1"];
    let crawl = |limit: &str| place.crawl(&arguments).args(&["--priority", "/product/=10", "--limit", limit]).run();
    crawl("9").expect(3);
    crawl("9").expect(3);
    let products = asked(&site).iter().filter(|path| path.contains("product")).count();
    // The start, and of every eight one that has waited longest.
    assert!((14..=16).contains(&products), "{products} of 18: {:?}", asked(&site));
    crawl("100").expect(0);
    assert_eq!((site.count(), place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'")), (41, 41));
}

#[test]
fn a_plan_tells_value_and_budgets() {
    let place = Place::new();
    let told = |arguments: &[&str]| {
        let ended = place.seine(&["plan", "https://a.example/"]).args(arguments).run().expect(0);
        String::from_utf8(ended.stdout).expect("UTF-8")
    };
    place.write(
        "c.toml",
        "follow = true\npriority = [{ match = '/product/', value = 10 }]\nbudget = { '*' = 100, '/product/' = 7 }
         depth_budget = { 3 = 5 }\n[[host]]\nmatch = 'b.example'\nbudget = { '/x' = 1 }\n[[same_page]]\nmatch = '*'\ndrop_index = true",
    );
    let plan = told(&["--config", "c.toml", "--check", "https://a.example/product/1"]);
    for text in [
        "priority 10 by --priority '/product/=10'",
        "counts against the budget * = 100",
        "counts against the budget /product/ = 7",
        "counts against the budget depth 3 = 5, if it is so deep",
    ] {
        assert!(plan.contains(text), "{text:?} is not in:\n{plan}");
    }
    let plan = told(&["--config", "c.toml", "--scope", "any", "--check", "https://b.example/product/1"]);
    assert!(!plan.contains("budget * "), "{plan}");
    let plan =
        told(&["--config", "c.toml", "https://a.example/i/index.html", "--check", "https://a.example/i/index.html"]);
    assert!(plan.contains("a list names it so, and so it is asked for"), "{plan}");
    place.seine(&["crawl", "https://a.example/", "--budget", "*=5"]).run().expect(2).says("add --follow");
    place.seine(&["crawl", "https://a.example/", "--follow", "--budget", "x=5"]).run().expect(2).says("'/blog/=500'");
    let wrong = ["crawl", "https://a.example/", "--feed", "https://a.example/f", "--follow-css", "a"];
    place.seine(&wrong).run().expect(2).says("chooses links, but only sitemaps and feeds are read; add --follow");
    place.seine(&["crawl", "https://a.example/", "--priority", "(=5"]).run().expect(2).says("--priority");
}

const PAGES: usize = 300;

/// Pages on three hosts that name five others each, near and far: more than any budget here has room for.
fn large_site() -> Site {
    Site::with_hosts(3, |request| {
        let number = request.number();
        let far = [(7, 3), (13, 5), (31, 11)].map(|(times, plus)| (number * times + plus) % PAGES);
        let links: String = [number * 2 + 1, number * 2 + 2]
            .into_iter()
            .chain(far)
            .filter(|number| *number < PAGES)
            .map(|number| {
                format!("<a href='{}'>x</a>", request.url_at(number % 3, &format!("/{}/{number}", number % 2)))
            })
            .collect();
        Reply::html(format!("<title>{number}</title>{links}")).after(Duration::from_millis(4))
    })
}

/// Of each host how many URLs were asked for, and how many of its pages of even numbers.
fn taken_in(place: &Place) -> Vec<String> {
    let store = place.store();
    store.assert_sound();
    store.rows(
        "SELECT count(*), sum(url LIKE '%/0/%') FROM pages WHERE outcome <> 'skipped' \
         GROUP BY substr(url, 8, 9) ORDER BY 1, 2",
    )
}

#[test]
fn budgets_are_exact_whoever_is_killed_and_higher_ones_let_in_more() {
    let (site, place, mut dice) = (large_site(), Place::new(), Dice::new());
    place.list("urls.txt", [site.url_at(0, "/0/0"), site.url_at(1, "/1/1"), site.url_at(2, "/0/2")]);
    let crawl = |odd: &str, even: &str| {
        let arguments = ["urls.txt", "--delay", "15ms", "--follow", "--host-concurrency", "3", "--budget", odd];
        place.crawl(&arguments).args(&["--budget", even])
    };
    let mut kills = 0;
    for _ in 0..2 {
        let mut running = crawl("/1/=25", "/0/=15").start();
        while kills < 4 && !within(dice.millis(80, 300), || running.has_ended()) {
            let victims: Vec<_> = running
                .family()
                .into_iter()
                .filter(|one| ["writer", "fetcher 0", "fetcher 1"].iter().any(|role| one.is(role)))
                .collect();
            if kills == 2 {
                break;
            }
            if !victims.is_empty() {
                victims[dice.between(0, victims.len() as u64 - 1) as usize].signal(Signal::SIGKILL);
                kills += 1;
            }
        }
        if running.has_ended() {
            running.wait().expect(0);
            break;
        }
        running.kill_supervisor();
        kills += 1;
    }
    assert!(kills > 1, "the crawl was too short");
    crawl("/1/=25", "/0/=15").run().expect(0);
    assert_eq!(taken_in(&place), ["40|15"; 3]);
    let beyond =
        place.store().rows("SELECT DISTINCT error, error_message FROM pages WHERE outcome = 'skipped' ORDER BY 2");
    assert_eq!(beyond, ["budget|budget:/0/ = 15", "budget|budget:/1/ = 25"]);
    assert_eq!(place.store().number("SELECT count(*) FROM url WHERE outcome IS NULL"), 0);
    crawl("/1/=30", "/0/=20").run().expect(0);
    assert_eq!(taken_in(&place), ["50|20"; 3]);
}

#[test]
fn a_budget_of_a_depth_is_exact() {
    let (site, place) = (large_site(), Place::new());
    place.list("urls.txt", [site.url_at(0, "/0/0")]);
    let arguments = ["urls.txt", "--delay", "0", "--follow", "--scope", "any", "--allow-private"];
    place.crawl(&arguments).args(&["--depth-budget", "2=3", "--depth-budget", "3=1"]).run().expect(0);
    let deep = "SELECT depth, count(*) FROM pages WHERE outcome = 'ok' AND depth BETWEEN 2 AND 3 GROUP BY 1";
    assert_eq!(place.store().rows(deep), ["2|3", "3|1"]);
}
