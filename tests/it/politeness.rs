//! Politeness, as the sites see it: the distance of requests and their number at a time.
//!
//! Each test here runs alone, so that the machine's own delays stay small beside those that are measured.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::support::{Place, Reply, Signal, Site, eventually};

const DELAY: Duration = Duration::from_millis(300);

static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The gaps between the requests that `host` saw, smallest first.
fn gaps(site: &Site, host: usize) -> Vec<Duration> {
    let mut at: Vec<Instant> = site.hits().into_iter().filter(|hit| hit.host == host).map(|hit| hit.at).collect();
    at.sort();
    let mut gaps: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.sort();
    gaps
}

fn assert_paced(site: &Site, host: usize, requests: usize) {
    let gaps = gaps(site, host);
    println!("host {host}: {} gaps, smallest {:?}, largest {:?}", gaps.len(), gaps.first(), gaps.last());
    assert_eq!(gaps.len() + 1, requests, "requests to host {host}");
    let smallest = gaps.first().copied().unwrap_or(DELAY);
    assert!(smallest >= DELAY.mul_f64(0.9), "host {host} was asked twice within {smallest:?}; gaps: {gaps:?}");
}

#[test]
fn requests_to_one_host_keep_their_distance_whatever_fetchers_there_are() {
    let _alone = alone();
    let (site, place) = (Site::with_hosts(5, |request| Reply::page(&request.path)), Place::new());
    place.list("urls.txt", site.urls(40));
    place.crawl(&["urls.txt", "--delay", "300ms"]).run().expect(0);
    for host in 0..5 {
        assert_paced(&site, host, 8);
    }
    // Distance is not idleness: hosts are asked side by side.
    let hits = site.hits();
    let all = hits.last().expect("there were some").at - hits[0].at;
    assert!(all < DELAY * 7 * 3, "{all:?} for eight requests to each of five hosts");
}

#[test]
fn redirects_keep_their_distance_on_one_host_and_when_many_lead_to_one() {
    let _alone = alone();
    let (site, place) = (
        Site::with_hosts(4, |request| match (request.host, request.path.as_str()) {
            // Two hops on the host itself.
            (0, path) if path.starts_with("/chain/") => Reply::redirect(302, format!("/hop{path}")),
            // All others send everybody there.
            (1.., path) => Reply::redirect(302, request.url_at(0, path)),
            (_, path) => Reply::page(path),
        }),
        Place::new(),
    );
    let chains = (0..3).map(|n| site.url_at(0, &format!("/chain/{n}")));
    let across = (0..6).map(|n| site.url_at(1 + n % 3, &format!("/across/{n}")));
    place.list("urls.txt", chains.chain(across));
    place.crawl(&["urls.txt", "--delay", "300ms"]).run().expect(0);
    assert_paced(&site, 0, 3 * 2 + 6);
    for host in 1..4 {
        assert_paced(&site, host, 2);
    }
    assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 9);
}

#[test]
fn hosts_keep_their_distance_over_the_death_of_a_fetcher_and_over_a_restart() {
    let _alone = alone();
    let (site, place) = (Site::with_hosts(2, |request| Reply::page(&request.path)), Place::new());
    place.list("urls.txt", site.urls(24));
    let running = place.crawl(&["urls.txt", "--delay", "300ms"]).start();
    site.wait_for_hits(4);
    for fetcher in running.fetchers() {
        fetcher.signal(Signal::SIGKILL);
    }
    site.wait_for_hits(10);
    running.kill_supervisor();
    place.crawl(&["urls.txt", "--delay", "300ms"]).run().expect(0);
    for host in 0..2 {
        let requests = site.hits().iter().filter(|hit| hit.host == host).count();
        assert_paced(&site, host, requests);
    }
    assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 24);
}

#[test]
fn a_host_never_has_more_requests_at_a_time_than_it_was_promised() {
    let _alone = alone();
    let slow = |request: &crate::support::Request| Reply::page(&request.path).after(Duration::from_millis(20));
    let (site, place) = (Site::with_hosts(3, slow), Place::new());
    place.list("urls.txt", site.urls(150));
    place.crawl(&["urls.txt", "--host-concurrency", "3"]).run().expect(0);
    assert_eq!(site.most_at_once_of_host(), 3, "the promise is kept, and it is made use of");
    assert_eq!(site.count(), 150);
}

#[test]
fn all_fetchers_together_never_have_more_requests_at_a_time_than_allowed() {
    let _alone = alone();
    let slow = |request: &crate::support::Request| Reply::page(&request.path).after(Duration::from_millis(20));
    let (site, place) = (Site::with_hosts(9, slow), Place::new());
    place.list("urls.txt", site.urls(180));
    let arguments = ["urls.txt", "--fetchers", "3", "--concurrency", "7", "--host-concurrency", "7"];
    place.crawl(&arguments).run().expect(0);
    assert!(site.most_at_once() <= 7, "{} at once", site.most_at_once());
    assert!(site.most_at_once() >= 5, "{} at once: the share of some fetcher lies idle", site.most_at_once());
    assert_eq!(site.count(), 180);
}

#[test]
fn a_slow_host_does_not_hold_up_the_others() {
    let _alone = alone();
    let answer = |request: &crate::support::Request| {
        let page = Reply::page(&request.path);
        if request.host == 0 { page.held() } else { page }
    };
    let (site, place) = (Site::with_hosts(4, answer), Place::new());
    place.list("urls.txt", site.urls(80));
    let running = place.crawl(&["urls.txt", "--concurrency", "16"]).start();
    eventually("the other hosts are done", || site.hits().iter().filter(|hit| hit.host > 0).count() == 60);
    assert_eq!(site.hits().iter().filter(|hit| hit.host == 0).count(), 4);
    site.release();
    running.wait().expect(0);
    assert_eq!(site.count(), 80);
}

#[test]
fn a_host_without_a_pace_is_asked_over_few_connections_and_told_which_request_is_the_last() {
    const HOSTS: usize = 12;
    const EACH: usize = 12;
    let _alone = alone();
    let last = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&last);
    let site = Site::with_hosts(HOSTS, move |request| {
        if request.headers.get("connection").is_some_and(|value| value == "close") {
            noted.lock().unwrap().push(request.host);
        }
        Reply::page(&request.path)
    });
    let place = Place::new();
    place.list("urls.txt", site.urls(HOSTS * EACH));
    let arguments = ["urls.txt", "--delay", "0", "--fetchers", "1", "--concurrency", "2", "--host-concurrency", "1"];
    place.crawl(&arguments).run().expect(0);
    assert_eq!(site.count(), HOSTS * EACH);
    // In turn, one request each, they would all have been kept or made again and again.
    assert!(site.connections() <= 2 * HOSTS as u64, "{} connections", site.connections());
    let mut last = last.lock().unwrap().clone();
    last.sort_unstable();
    assert_eq!(last, (0..HOSTS).collect::<Vec<_>>());
}

#[test]
fn hosts_share_places_so_that_none_has_to_give_up_its_connections() {
    const HOSTS: usize = 4;
    const PLACES: u64 = 96;
    let _alone = alone();
    let site = Site::with_hosts(HOSTS, |request| Reply::page(&request.path).after(Duration::from_millis(30)));
    let place = Place::new();
    // They do not end together: the places of those that have are for the others.
    let urls = (0..6000).map(|number| site.url_at(number % HOSTS, &format!("/{number}")));
    place.list("urls.txt", urls.collect::<Vec<_>>());
    let arguments = ["urls.txt", "--delay", "0", "--concurrency", "96", "--host-concurrency", "96", "--fetchers", "1"];
    place.crawl(&arguments).run().expect(0);
    assert_eq!(site.count(), 6000);
    println!("{} connections", site.connections());
    assert!(site.connections() <= 4 * PLACES, "{} connections", site.connections());
}
