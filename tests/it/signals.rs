//! Signals: a crawl that is asked to stop finishes what is in flight and can be gone on with.

use std::time::{Duration, Instant};

use crate::support::crawl::is_permitted;
use crate::support::{Place, Reply, Running, Signal, Site, eventually};

const URLS: usize = 60;

fn slow() -> Site {
    Site::with_hosts(3, |request| Reply::page(&request.path).after(Duration::from_millis(250)))
}

/// Runs the crawl of `list` to its end and checks that nothing is missing and nothing was asked twice.
fn assert_resumable(place: &Place, site: &Site) {
    place.crawl(&["urls.txt"]).run().expect(0);
    let store = place.store();
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), URLS as i64);
    assert_eq!(store.row("SELECT count(*), ended_by FROM runs"), "1|completed", "it is the same run");
    assert_eq!(site.count(), URLS, "nothing that was in flight was thrown away");
    store.assert_sound();
}

#[test]
fn an_interrupt_lets_requests_in_flight_finish() {
    let (site, place) = (slow(), Place::new());
    place.list("urls.txt", site.urls(URLS));
    let running = place.crawl(&["urls.txt", "--json"]).start();
    site.wait_for_hits(12);
    running.signal(Signal::SIGINT);
    let ended = running.wait().expect(130).says("interrupted").says("run the same command again");
    assert_eq!(ended.json()["ended_by"], "interrupted");
    let before = site.count();
    assert!(before < URLS, "it did not stop");
    assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), before as i64);
    assert_resumable(&place, &site);
}

#[test]
fn a_request_to_terminate_and_a_lost_terminal_do_the_same() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let (site, place) = (slow(), Place::new());
        place.list("urls.txt", site.urls(URLS));
        let running = place.crawl(&["urls.txt", "--json"]).start();
        site.wait_for_hits(12);
        running.signal(signal);
        assert_eq!(running.wait().expect(143).json()["ended_by"], "terminated");
        assert_resumable(&place, &site);
    }
}

#[test]
fn an_interrupt_from_the_terminal_which_all_processes_get_does_the_same() {
    let (site, place) = (slow(), Place::new());
    place.list("urls.txt", site.urls(URLS));
    let running = place.crawl(&["urls.txt"]).start();
    site.wait_for_hits(12);
    running.family().iter().for_each(|member| member.signal(Signal::SIGINT));
    running.wait().expect(130);
    assert_resumable(&place, &site);
}

/// Starts a crawl of a site that does not answer and waits until it is asked for all it may be.
fn start_stuck<'a>(place: &'a Place, site: &Site, arguments: &[&str]) -> Running<'a> {
    place.list("urls.txt", site.urls(20));
    let running = place.crawl(&["urls.txt"]).args(arguments).start();
    site.wait_for_hits(4);
    running
}

#[test]
fn a_second_signal_gives_up_what_is_in_flight() {
    let (site, place) = (Site::new(|request| Reply::page(&request.path).held()), Place::new());
    let mut running = start_stuck(&place, &site, &["--grace", "50s"]);
    running.signal(Signal::SIGINT);
    running.wait_to_hear("finishing what is in flight");
    assert!(!running.has_ended());
    let second = Instant::now();
    running.signal(Signal::SIGINT);
    running.wait().expect(130);
    assert!(second.elapsed() < Duration::from_secs(10), "{:?} after the second signal", second.elapsed());
    site.release();
    place.crawl(&["urls.txt"]).run().expect(0);
    assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok' AND attempts = 1"), 20);
    place.store().assert_sound();
}

#[test]
fn what_is_in_flight_is_given_up_after_the_grace_period() {
    let (site, place) = (Site::new(|request| Reply::page(&request.path).held()), Place::new());
    let running = start_stuck(&place, &site, &["--grace", "500ms"]);
    let signalled = Instant::now();
    running.signal(Signal::SIGTERM);
    running.wait().expect(143);
    let took = signalled.elapsed();
    assert!(took >= Duration::from_millis(450) && took < Duration::from_secs(10), "{took:?}");
    assert_eq!(place.store().number("SELECT count(*) FROM url WHERE outcome IS NULL"), 20);
}

#[test]
fn a_crawl_waiting_for_lines_on_a_pipe_can_be_interrupted() {
    let (site, place) = (Site::new(|request| Reply::page(&request.path)), Place::new());
    let fifo = place.path("urls.fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a pipe can be made");
    let running = place.crawl(&["urls.fifo"]).start();
    let mut pipe = std::fs::OpenOptions::new().write(true).open(&fifo).expect("the crawl reads the pipe");
    std::io::Write::write_all(&mut pipe, format!("{}\n", site.url("/1")).as_bytes()).expect("the crawl reads the pipe");
    eventually("the line is crawled though the pipe is open", || site.count() == 1);
    running.signal(Signal::SIGINT);
    running.wait().expect(130);
    assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 1);
}

#[test]
fn as_the_first_process_of_a_container_it_ends_stops_and_reaps_as_anywhere() {
    let namespace = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    if !is_permitted(namespace[0], &[&namespace[1..], &["true"]].concat()) {
        return;
    }
    let (site, place) = (slow(), Place::new());
    place.list("urls.txt", site.urls(URLS));
    let running = place.crawl(&["urls.txt", "--json"]).under(&namespace).start();
    site.wait_for_hits(12);
    running.the("supervisor").signal(Signal::SIGTERM);
    assert_eq!(running.wait().expect(143).json()["ended_by"], "terminated");
    let before = site.count();
    assert!(before < URLS);

    // A stranger's child that became ours before we were: it is reaped, and taken for nobody of ours.
    let stranger = [&namespace[..], &["sh", "-c", "sleep 0.3 & exec \"$0\" \"$@\""]].concat();
    let ended = place.crawl(&["urls.txt", "--json"]).under(&stranger).run().expect(0);
    assert_eq!(ended.json()["fetcher_crashes"], 0);
    assert_eq!(site.count(), URLS);
    place.store().assert_sound();
}
