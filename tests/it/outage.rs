//! When our own network or resolver is out, no site is blamed: the crawl pauses, says so, and goes on by itself.
//!
//! Each test runs once more in a network of its own (`unshare`), where it can be cut off without harm to anybody and
//! names are what it says; without the right to do so it is skipped, and says so.

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::crawl::is_permitted;
use crate::support::{Place, Reply, Signal, Site, eventually};

const INSIDE: &str = "SEINE_TEST_NETWORK_OF_ITS_OWN";
const OUT: &str = "nothing can be reached any more";
const BACK: &str = "the network is back";

/// Whether this process has a network of its own. If not, the test of this name is run in one.
fn is_alone(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        run("ip", &["link", "set", "lo", "up"]);
        return true;
    }
    if is_permitted("unshare", &["-rnm", "ip", "link", "set", "lo", "up"]) {
        let program = std::env::current_exe().expect("a test is a program");
        let status = Command::new("unshare")
            .arg("-rnm")
            .arg(program)
            .args([
                "--exact",
                &format!("{}::{test}", module_path!().rsplit("::").next().unwrap_or_default()),
                "--nocapture",
            ])
            .env(INSIDE, "1")
            .status();
        assert!(status.is_ok_and(|status| status.success()), "{test} in a network of its own");
    }
    false
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status();
    assert!(status.is_ok_and(|status| status.success()), "{program} {arguments:?}");
}

/// Cuts off all hosts of a site but the first, or mends that.
fn route(verb: &str) {
    run("ip", &["route", verb, "unreachable", "127.0.0.0/25", "table", "local"]);
}

/// A site that keeps no connection, so that nothing is on its way for long.
fn site() -> Site {
    Site::with_hosts(6, |request| Reply::page(&request.path).header("Connection", "close"))
}

/// URLs of those that can be cut off.
fn urls(site: &Site, count: usize) -> Vec<String> {
    (0..count).map(|n| site.url_at(1 + n % 5, &format!("/{n}"))).collect()
}

fn assert_whole(place: &Place, urls: usize) {
    let store = place.store();
    assert_eq!(store.row("SELECT count(*), min(outcome), max(outcome) FROM pages"), format!("{urls}|ok|ok"));
    store.assert_sound();
}

const ARGUMENTS: [&str; 5] = ["urls.txt", "--delay", "20ms", "--timeout", "3s"];

#[test]
fn without_a_network_the_crawl_pauses_and_goes_on_by_itself_with_nothing_lost() {
    if !is_alone("without_a_network_the_crawl_pauses_and_goes_on_by_itself_with_nothing_lost") {
        return;
    }
    let (place, site) = (Place::new(), site());
    place.list("urls.txt", urls(&site, 400));
    let mut running = place.obedient_crawl(&ARGUMENTS).args(&["--host-failures", "1", "--json"]).start();
    site.wait_for_hits(30);
    route("add");
    running.wait_to_hear(OUT);
    // Longer than a host that is down would have had.
    thread::sleep(Duration::from_secs(3));
    assert!(!running.has_ended());
    let asked = site.count();
    assert!(asked < 400, "all was asked before the cut");
    route("del");
    running.wait_to_hear(BACK);
    let ended = running.wait().expect(0);
    assert_eq!(ended.stderr.matches(OUT).count(), 1, "{}", ended.stderr);
    assert_whole(&place, 400);
    // What was on its way when the cut came may have been lost with it; nothing else was an attempt.
    let (json, store) = (ended.json(), place.store());
    assert!(json["retries"].as_i64().expect("a number") <= 10, "{json}");
    assert_eq!(store.number("SELECT count(*) FROM requests WHERE error = 'network'"), 0);
}

#[test]
fn whatever_ends_the_crawl_in_the_pause_the_same_command_goes_on() {
    if !is_alone("whatever_ends_the_crawl_in_the_pause_the_same_command_goes_on") {
        return;
    }
    let (place, site) = (Place::new(), site());
    place.list("urls.txt", urls(&site, 200));
    let cut_off = |hits| {
        let mut running = place.obedient_crawl(&ARGUMENTS).start();
        site.wait_for_hits(hits);
        route("add");
        running.wait_to_hear(OUT);
        running
    };
    let interrupted = cut_off(20);
    interrupted.signal(Signal::SIGINT);
    interrupted.wait_within(Duration::from_secs(20)).expect(130);
    route("del");
    cut_off(60).kill_supervisor();
    // Without a network from the beginning: nobody has answered yet.
    let mut third = place.obedient_crawl(&ARGUMENTS).start();
    third.wait_to_hear(OUT);
    let fetcher = third.the("fetcher 0");
    fetcher.signal(Signal::SIGKILL);
    eventually("a new fetcher", || third.find("fetcher 0").is_some_and(|new| new.pid != fetcher.pid));
    route("del");
    third.wait_to_hear(BACK);
    third.wait().expect(0);
    assert_whole(&place, 200);
}

#[test]
fn an_outage_without_end_ends_the_crawl_resumable() {
    if !is_alone("an_outage_without_end_ends_the_crawl_resumable") {
        return;
    }
    let (place, site) = (Place::new(), site());
    place.list("urls.txt", urls(&site, 100));
    route("add");
    let ended = place.obedient_crawl(&ARGUMENTS).args(&["--outage-wait", "1s", "--json"]).run().expect(3).says(OUT);
    let json = ended.json();
    assert_eq!((json["ended_by"].as_str(), json["pending"].as_i64()), (Some("outage"), Some(100)), "{json}");
    assert_eq!(place.store().rows("SELECT DISTINCT ended_by FROM runs"), ["outage"]);
    route("del");
    place.obedient_crawl(&ARGUMENTS).run().expect(0);
    assert_whole(&place, 100);
    assert_eq!(place.store().number("SELECT max(attempts) FROM pages"), 1);
}

/// Answers what `*.hN.test` is with 127.0.0.N, and nothing else; nothing at all while it is `out`.
fn name_server(place: &Place, is_out: &Arc<AtomicBool>) {
    let socket = UdpSocket::bind("127.0.0.53:53").expect("nobody else is here");
    let config = place.write("resolv.conf", "nameserver 127.0.0.53\n");
    run("mount", &["--bind", config.to_str().expect("paths of tests are UTF-8"), "/etc/resolv.conf"]);
    let is_out = Arc::clone(is_out);
    thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((length, asker)) = socket.recv_from(&mut packet) {
            let answer = answer(&packet[..length], is_out.load(Ordering::Relaxed));
            let _ = socket.send_to(&answer, asker);
        }
    });
}

/// The answer to one question (RFC 1035 section 4).
fn answer(query: &[u8], is_out: bool) -> Vec<u8> {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] > 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..=at + length]).into_owned());
        at += 1 + length;
    }
    let question = &query[12..at + 5];
    let is_ipv4 = question[question.len() - 4..][..2] == [0, 1];
    let host: Option<u8> = labels.iter().rev().nth(1).and_then(|label| label.strip_prefix('h')?.parse().ok());
    let (code, answers) = match host {
        _ if is_out => (2, 0),
        None => (2, 0),
        Some(_) => (0, u8::from(is_ipv4)),
    };
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]);
    answer.extend(question);
    if answers > 0 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, host.unwrap_or_default()]);
    }
    answer
}

/// One URL of each of so many names, which lead to the hosts of the site.
fn named_urls(site: &Site, count: usize) -> Vec<String> {
    let url = |n: usize| {
        let at = n % 6;
        let port = site.url_at(at, "").rsplit(':').next().map(str::to_owned).unwrap_or_default();
        format!("http://n{n}.h{}.test:{port}/{n}", at + 1)
    };
    (0..count).map(url).collect()
}

#[test]
fn a_resolver_that_fails_for_a_moment_costs_no_host_an_attempt() {
    if !is_alone("a_resolver_that_fails_for_a_moment_costs_no_host_an_attempt") {
        return;
    }
    let (place, site, is_out) = (Place::new(), site(), Arc::new(AtomicBool::new(false)));
    name_server(&place, &is_out);
    place.list("urls.txt", named_urls(&site, 600));
    let mut running = place.crawl(&["urls.txt", "--rate", "200/s", "--json"]).start();
    site.wait_for_hits(50);
    is_out.store(true, Ordering::Relaxed);
    running.wait_to_hear(OUT);
    thread::sleep(Duration::from_secs(3));
    assert!(!running.has_ended());
    is_out.store(false, Ordering::Relaxed);
    running.wait_to_hear(BACK);
    let json = running.wait().expect(0).json();
    assert_whole(&place, 600);
    assert_eq!((json["retries"].as_i64(), site.count()), (Some(0), 600), "{json}");
}

#[test]
fn a_zone_that_nobody_can_resolve_ends_as_such_while_others_answer_or_have_answered() {
    if !is_alone("a_zone_that_nobody_can_resolve_ends_as_such_while_others_answer_or_have_answered") {
        return;
    }
    let (place, site, is_out) = (Place::new(), site(), Arc::new(AtomicBool::new(false)));
    name_server(&place, &is_out);
    // At the beginning, when nobody has answered yet; in between; and at the end, when nobody else is left.
    let dead = |numbers: std::ops::Range<usize>| numbers.map(|n| format!("http://n{n}.dead.test/"));
    let (first, rest) = (named_urls(&site, 60), named_urls(&site, 120));
    let list = dead(0..20).chain(first).chain(dead(20..40)).chain(rest.into_iter().skip(60)).chain(dead(40..60));
    place.list("urls.txt", list);
    let many = (0..200).map(|n| format!("http://one.dead.test/{n}"));
    place.list("many.txt", many);
    let ended = place.crawl(&["urls.txt", "many.txt"]).run().expect(0);
    assert!(!ended.stderr.contains(OUT), "{}", ended.stderr);
    let store = place.store();
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 120);
    let sql = "SELECT min(attempts), max(attempts) FROM pages WHERE error = 'resolver' AND url LIKE '%/'";
    assert_eq!(store.row(sql), "3|3", "tried again like what is refused");
    let sql = "SELECT count(*) FROM pages WHERE url LIKE 'http://n%.dead.test/' AND error = 'resolver'";
    assert_eq!(store.number(sql), 60);
    assert!(store.number("SELECT count(*) FROM pages WHERE url LIKE 'http://one.%' AND error = 'host_down'") > 180);
    assert!(store.number("SELECT count(*) FROM requests WHERE error = 'resolver'") >= 180, "they are told of");
    store.assert_sound();
}
