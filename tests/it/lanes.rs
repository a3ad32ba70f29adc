//! A host without a pace is shared by fetchers; what it is promised holds for all of them together.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Dice, Place, Reply, Signal, Site};

const PLACES: usize = 5;

/// What each fetcher says of itself in the end.
fn requests_of_fetchers(log: &str) -> Vec<u64> {
    let ended = log.lines().filter(|line| line.contains("Fetcher(") && line.contains(" requests="));
    ended.filter_map(|line| line.split(" requests=").nth(1)?.split(' ').next()?.parse().ok()).collect()
}

#[test]
fn one_host_is_asked_by_all_fetchers_and_never_has_more_requests_than_it_was_promised() {
    let (site, place) =
        (Site::new(|request| Reply::page(&request.path).after(Duration::from_millis(10))), Place::new());
    place.list("urls.txt", site.urls(900));
    let arguments = ["urls.txt", "--delay", "0", "--host-concurrency", "5", "--fetchers", "3", "--log-file", "log"];
    place.obedient_crawl(&arguments).run().expect(0);
    let requests = requests_of_fetchers(&std::fs::read_to_string(place.path("log")).unwrap());
    println!("requests of each fetcher: {requests:?}");
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|of_one| *of_one > 5), "{requests:?}");
    assert!((3..=PLACES).contains(&site.most_at_once()), "{} at once", site.most_at_once());
    assert_eq!(site.hits_of("/robots.txt"), 1);
    assert_eq!(site.count(), 901);
    assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 900);
    place.store().assert_sound();
}

#[test]
fn a_pause_that_one_fetcher_is_asked_for_is_kept_by_all() {
    const PAUSE: Duration = Duration::from_secs(2);
    let asked = AtomicBool::new(false);
    let site = Site::new(move |request| {
        if request.number() == 600 && !asked.swap(true, Ordering::SeqCst) {
            return Reply::status(429).header("Retry-After", "2");
        }
        Reply::page(&request.path).after(Duration::from_millis(3))
    });
    let place = Place::new();
    place.list("urls.txt", site.urls(1200));
    let arguments = ["urls.txt", "--delay", "0", "--host-concurrency", "4", "--fetchers", "2"];
    place.crawl(&arguments).run().expect(0);
    let mut starts: Vec<Instant> = site.hits().iter().map(|hit| hit.at).collect();
    starts.sort();
    let longest = starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    println!("longest silence {longest:?}");
    assert!(longest > PAUSE.mul_f64(0.9), "the host was asked again after {longest:?}");
    assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 1200);
}

#[test]
fn a_crawl_delay_found_on_the_way_ends_the_sharing() {
    const DELAY: Duration = Duration::from_millis(200);
    // One host with two ports, the second of which asks for a pace.
    let quick = Site::new(|request| Reply::page(&request.path).after(Duration::from_millis(5)));
    let slow = Site::new(|request| match request.path.as_str() {
        "/robots.txt" => Reply::bytes("text/plain", "User-agent: *\nCrawl-delay: 0.2\n"),
        path => Reply::page(path),
    });
    let place = Place::new();
    let urls = quick.urls(720);
    place.list("urls.txt", urls[..700].iter().chain(&slow.urls(5)).chain(&urls[700..]));
    let arguments =
        ["urls.txt", "--delay", "0", "--host-concurrency", "4", "--fetchers", "2", "--log-file", "log", "-q"];
    place.obedient_crawl(&arguments).run().expect(0);
    let requests = requests_of_fetchers(&std::fs::read_to_string(place.path("log")).unwrap());
    assert!(requests.iter().all(|of_one| *of_one > 5), "it was not shared: {requests:?}");
    let mut starts: Vec<Instant> = quick.hits().iter().chain(&slow.hits()).map(|hit| hit.at).collect();
    starts.sort();
    // From the first page that was asked for with the pace known.
    let paced = slow.hits().iter().filter(|hit| hit.path != "/robots.txt").map(|hit| hit.at).min().unwrap();
    let paced: Vec<_> = starts.into_iter().filter(|at| *at >= paced).collect();
    let shortest = paced.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    println!("{} requests at a pace, the shortest gap {shortest:?}", paced.len());
    assert!(paced.len() > 5 && shortest > DELAY.mul_f64(0.9), "two requests within {shortest:?}");
}

#[test]
fn fetchers_that_share_a_host_may_die() {
    let mut dice = Dice::new();
    let (site, place) = (Site::new(|request| Reply::page(&request.path).after(Duration::from_millis(2))), Place::new());
    place.list("urls.txt", site.urls(1500));
    let arguments = ["urls.txt", "--delay", "0", "--host-concurrency", "6", "--fetchers", "2"];
    let running = place.crawl(&arguments).start();
    for kill in 1..=3 {
        site.wait_for_hits(kill * 300 + dice.between(0, 50) as usize);
        let fetchers = running.fetchers();
        if let Some(fetcher) = fetchers.get(dice.between(0, fetchers.len().saturating_sub(1) as u64) as usize) {
            fetcher.signal(Signal::SIGKILL);
        }
    }
    running.wait().expect(0);
    assert!(site.most_at_once() <= 2 * 6, "the dead one's requests may still be answered");
    assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 1500);
    place.store().assert_sound();
}
