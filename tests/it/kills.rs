//! Any process of a crawl may be killed at any moment: no page is lost, none is there twice.

use std::collections::HashSet;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{Dice, Place, Reply, Running, Signal, Site, Store, eventually, within};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const HOSTS: usize = 5;
const PAGES: usize = 600;
/// Requests in flight at most: four for each host.
const IN_FLIGHT: usize = 4 * HOSTS;
/// Pages that a kill may cost, at 250 requests a second: those in flight, and a batch of those not yet committed.
const REFETCHED_PER_KILL: usize = IN_FLIGHT + 40;

/// About three seconds of crawling.
const ARGUMENTS: [&str; 4] = ["urls.txt", "--delay", "20ms", "--json"];

fn site() -> Site {
    Site::with_hosts(HOSTS, |request| {
        let text = "<p>Some text that makes a page of it.".repeat(40 + request.number() % 50);
        Reply::html(format!("<title>{0}</title><a href=/next/{0}>next</a>{text}", request.path))
            .after(Duration::from_millis(5))
    })
}

/// What readers have seen, now and then, of a store that is being killed at.
#[derive(Default)]
struct Seen(HashSet<String>);

impl Seen {
    const ROWS: &'static str = "SELECT url, outcome, title, body_hash, fetched_at FROM pages";

    fn look(&mut self, place: &Place) {
        // There may be no store yet.
        if let Ok(store) = Store::try_open(&place.db())
            && store.0.prepare(Self::ROWS).is_ok()
        {
            self.0.extend(store.rows(Self::ROWS));
        }
    }
}

/// Checks what must be true in the end, whatever was killed: `kills` says how often.
fn assert_complete(place: &Place, site: &Site, seen: &Seen, kills: usize) {
    let store = place.store();
    assert_eq!(
        store.row("SELECT count(*), count(DISTINCT url) FROM pages WHERE outcome = 'ok'"),
        format!("{PAGES}|{PAGES}")
    );
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE '/' || title <> substr(url, -length(title) - 1) AND title <> substr(url, -length(title))"), 0);
    assert_eq!(store.number("SELECT count(*) FROM links"), PAGES as i64);
    assert_eq!(store.number("SELECT count(*) FROM inputs WHERE outcome = 'ok'"), PAGES as i64);
    assert_eq!(store.number("SELECT count(*) FROM runs"), 1, "all of it is one run");
    store.assert_sound();
    let rows: HashSet<_> = store.rows(Seen::ROWS).into_iter().collect();
    assert!(seen.0.is_subset(&rows), "a row that a reader had seen is gone or has changed");
    let again = site.count() - PAGES;
    println!("{kills} kills, {again} of {PAGES} pages fetched again; {} rows seen on the way", seen.0.len());
    assert!(again <= kills * REFETCHED_PER_KILL, "{again} pages fetched again after {kills} kills");
}

/// Waits a random time, or until the crawl ends; says whether it goes on.
fn goes_on(running: &mut Running<'_>, dice: &mut Dice, from: u64, to: u64) -> bool {
    !within(dice.millis(from, to), || running.has_ended())
}

#[test]
fn a_killed_fetcher_loses_no_page() {
    let (site, place, mut dice, mut seen) = (site(), Place::new(), Dice::new(), Seen::default());
    place.list("urls.txt", site.urls(PAGES));
    let mut running = place.crawl(&ARGUMENTS).start();
    let mut kills = 0;
    // More within ten seconds would be taken for a fault of the machine.
    while kills < 4 && goes_on(&mut running, &mut dice, 100, 600) {
        let fetchers = running.fetchers();
        if !fetchers.is_empty() {
            seen.look(&place);
            fetchers[dice.between(0, fetchers.len() as u64 - 1) as usize].signal(Signal::SIGKILL);
            kills += 1;
        }
    }
    let ended = running.wait().expect(0);
    assert!(kills >= 2, "the crawl was too short");
    assert_eq!(ended.json()["fetcher_crashes"], kills);
    assert_eq!(ended.stderr.matches("killed by signal 9").count(), kills, "{}", ended.stderr);
    assert_complete(&place, &site, &seen, kills);
}

#[test]
fn a_killed_writer_loses_no_page_and_the_run_goes_on() {
    let (site, place, mut dice, mut seen) = (site(), Place::new(), Dice::new(), Seen::default());
    place.list("urls.txt", site.urls(PAGES));
    let mut running = place.crawl(&ARGUMENTS).start();
    let fetchers: Vec<_> = ["fetcher 0", "fetcher 1"].map(|role| running.the(role).pid).into();
    let mut kills = 0;
    while kills < 4 && goes_on(&mut running, &mut dice, 100, 600) {
        if let Some(writer) = running.find("writer") {
            seen.look(&place);
            writer.signal(Signal::SIGKILL);
            kills += 1;
            eventually("another writer", || running.find("writer").is_some_and(|next| next.pid != writer.pid));
            // In the same processes as before.
            assert_eq!(running.fetchers().iter().map(|fetcher| fetcher.pid).collect::<Vec<_>>(), fetchers);
        }
    }
    let ended = running.wait().expect(0);
    assert!(kills >= 2, "the crawl was too short");
    assert_eq!(ended.json()["writer_crashes"], kills);
    assert_eq!(ended.json()["fetcher_crashes"], 0);
    assert_complete(&place, &site, &seen, kills);
}

#[test]
fn a_killed_supervisor_takes_its_children_along_and_the_next_run_completes() {
    let (site, place, mut dice, mut seen) = (site(), Place::new(), Dice::new(), Seen::default());
    place.list("urls.txt", site.urls(PAGES));
    let mut kills = 0;
    let ended = loop {
        let mut running = place.crawl(&ARGUMENTS).start();
        if kills == 6 || !goes_on(&mut running, &mut dice, 50, 900) {
            break running.wait().expect(0);
        }
        seen.look(&place);
        // `wait` has its say about children that outlive it.
        let killed = running.kill_supervisor();
        if killed.signal != Some(9) {
            // It came to its end in that very moment.
            break killed.expect(0);
        }
        kills += 1;
        seen.look(&place);
        // A crawl may die before it has written anything, or after the last of it.
        let status = place.seine(&["status", "crawl.db", "--json"]).run();
        let state = if status.code == Some(2) { "killed".into() } else { status.json()["state"].clone() };
        assert!(state == "killed" || state == "finished" && status.json()["pending"] == 0, "{status:?}");
    };
    assert!(kills >= 3, "the crawl was too short");
    assert_eq!(ended.json()["state"], "finished");
    assert_complete(&place, &site, &seen, kills);
}

#[test]
fn kills_of_everything_at_random_lose_no_page() {
    let (site, place, mut dice, mut seen) = (site(), Place::new(), Dice::new(), Seen::default());
    place.list("urls.txt", site.urls(PAGES));
    let (mut kills, mut runs) = (0, 0);
    loop {
        runs += 1;
        let mut running = place.crawl(&ARGUMENTS).start();
        let mut supervisor_lives = true;
        for _ in 0..4 {
            if kills >= 12 || !goes_on(&mut running, &mut dice, 20, 400) {
                break;
            }
            seen.look(&place);
            let family = running.family();
            if family.is_empty() {
                continue;
            }
            let victim = &family[dice.between(0, family.len() as u64 - 1) as usize];
            victim.signal(Signal::SIGKILL);
            kills += 1;
            if victim.pid == running.group {
                supervisor_lives = false;
                break;
            }
        }
        let ended = running.wait();
        if supervisor_lives {
            ended.expect(0);
            break;
        }
    }
    println!("{runs} runs");
    assert_complete(&place, &site, &seen, kills);
}

#[test]
fn the_children_are_gone_at_once_when_the_supervisor_is_killed() {
    for answer in [Reply::page("late").held(), Reply::page("early")] {
        let (site, place) = (Site::with_hosts(HOSTS, move |_| answer.clone()), Place::new());
        place.list("urls.txt", site.urls(PAGES));
        let running = place.crawl(&ARGUMENTS).start();
        site.wait_for_hits(10);
        let group = running.group;
        running.signal(Signal::SIGKILL);
        let began = Instant::now();
        place.assert_nothing_left(group, &place.db(), Duration::from_millis(1500));
        println!("all gone after {:?}", began.elapsed());
        running.wait();
    }
}

#[test]
fn a_stopped_fetcher_is_killed_and_its_pages_are_fetched_by_another() {
    let (site, place) = (Site::with_hosts(4, |request| Reply::page(&request.path)), Place::new());
    place.list("urls.txt", site.urls(60));
    let mut running = place.crawl(&["urls.txt", "--delay", "50ms", "--json"]).start();
    site.wait_for_hits(8);
    let stopped = running.the("fetcher 0");
    stopped.signal(Signal::SIGSTOP);
    let began = Instant::now();
    running.wait_to_hear("fetcher 0");
    println!("noticed after {:?}", began.elapsed());
    let ended = running.wait().expect(0).says(&format!("fetcher 0 (pid {}) has not moved for 10 s", stopped.pid));
    assert_eq!(ended.json()["fetcher_crashes"], 1);
    let store = place.store();
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE outcome = 'ok' AND attempts = 1"), 60);
    assert!(site.count() - 60 <= 8, "{} requests for 60 pages", site.count());
    store.assert_sound();
}

#[test]
fn a_pause_of_all_processes_is_no_stall() {
    let (site, place) = (Site::with_hosts(4, |request| Reply::page(&request.path)), Place::new());
    place.list("urls.txt", site.urls(60));
    let running = place.crawl(&["urls.txt", "--delay", "50ms", "--json"]).start();
    site.wait_for_hits(8);
    // As a suspended machine or a paused container.
    let family = running.family();
    family.iter().for_each(|member| member.signal(Signal::SIGSTOP));
    // Longer than a fetcher may be silent.
    thread::sleep(Duration::from_millis(10_500));
    family.iter().for_each(|member| member.signal(Signal::SIGCONT));
    let ended = running.wait().expect(0);
    assert_eq!(ended.json()["fetcher_crashes"], 0, "{}", ended.stderr);
    assert_eq!(site.count(), 60);
}

#[test]
fn a_page_that_kills_its_fetcher_twice_is_put_away_and_the_others_are_fetched() {
    // It takes long enough to read that a kill can meet it.
    let paragraph = "<p><b>x</b><a href='/p?q=1&amp;r=2'>a link</a> some text here</p>\n";
    let large = format!("<title>large</title>{}", paragraph.repeat((16 << 20) / paragraph.len()));
    let site = Site::new(move |request| {
        if request.path == "/large" { Reply::html(large.clone()) } else { Reply::page(&request.path).held() }
    });
    let place = Place::new();
    place.list("large.txt", [site.url("/large")]);
    let arguments = ["--fetchers", "1", "--max-body", "32MiB", "--json"];
    let alone = place.crawl(&["large.txt", "--db", "alone.db"]).args(&arguments[2..]).start();
    eventually("the large page is sent", || site.sent() == 1);
    let sent = Instant::now();
    alone.wait().expect(0);
    // Rather too early than too late: the machine may have been slower now than it will be.
    let pause = sent.elapsed() / 4;
    println!("a kill comes {pause:?} after the page was sent");

    place.list("urls.txt", ["/large", "/1", "/2"].map(|path| site.url(path)));
    let running = place.crawl(&arguments).args(&["urls.txt"]).start();
    // More kills would be taken for a fault of the machine; some may come before the page is being read.
    for kills in 1..=5 {
        eventually("the large page is sent", || site.sent() > kills);
        thread::sleep(pause);
        running.the("fetcher 0").signal(Signal::SIGKILL);
        eventually("its end is noticed", || running.stderr().matches("go back to the frontier").count() == kills);
        if running.stderr().matches("while working on url 1;").count() == 2 {
            break;
        }
    }
    site.release();
    let ended = running.wait().expect(0).says("url 1 is quarantined");
    assert_eq!(ended.json()["outcomes"]["quarantined"], 1);
    let store = place.store();
    assert_eq!(
        store.rows("SELECT outcome, error, status FROM pages ORDER BY input_line"),
        ["quarantined|crash|-", "ok|-|200", "ok|-|200"]
    );
    let message = store.row("SELECT error_message FROM pages WHERE outcome = 'quarantined'");
    assert!(message.contains("signal 9") && message.contains("2 times"), "{message}");
    store.assert_sound();
}

#[test]
fn fetchers_that_die_again_and_again_end_the_run_resumable() {
    let (site, place) = (Site::with_hosts(HOSTS, |request| Reply::page(&request.path).held()), Place::new());
    place.list("urls.txt", site.urls(50));
    let mut running = place.crawl(&["urls.txt", "--json"]).start();
    eventually("the run gives up", || {
        running.fetchers().iter().for_each(|fetcher| fetcher.signal(Signal::SIGKILL));
        running.has_ended()
    });
    let ended =
        running.wait().expect(3).says("fetchers failed more than five times").says("run the same command again");
    assert_eq!(ended.json()["ended_by"], "failure");
    assert_eq!(ended.json()["pending"], 50);
    site.release();
    place.crawl(&["urls.txt"]).run().expect(0);
    assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 50);
    place.store().assert_sound();
}

#[test]
fn writers_that_die_again_and_again_end_the_run_resumable() {
    let (site, place) = (Site::with_hosts(HOSTS, |request| Reply::page(&request.path).held()), Place::new());
    place.list("urls.txt", site.urls(50));
    let mut running = place.crawl(&["urls.txt", "--json"]).start();
    eventually("the run gives up", || {
        if let Some(writer) = running.find("writer") {
            writer.signal(Signal::SIGKILL);
        }
        running.has_ended()
    });
    running.wait().expect(3).says("the writer failed more than five times");
    site.release();
    place.crawl(&["urls.txt"]).run().expect(0);
    assert_eq!(place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 50);
    place.store().assert_sound();
}

/// Whether the last run is written down as complete.
fn is_complete(place: &Place) -> bool {
    let complete = "SELECT count(*) FROM runs WHERE ended_by = 'completed' \
                    AND run_id = (SELECT max(run_id) FROM runs)";
    Store::try_open(&place.db()).is_ok_and(|store| {
        store.0.query_row(complete, [], |row| row.get::<_, i64>(0)).is_ok_and(|complete| complete == 1)
    })
}

/// A place whose crawls tell a program of their end, which does not end itself before there is a file `quick`.
fn with_slow_program() -> Place {
    let place = Place::new();
    place.write(
        "c.toml",
        "notify = ['sh', '-c', 'echo \"$SEINE_RUN $SEINE_EXIT_CODE\" >>heard; test -e quick || exec sleep 1000']",
    );
    place
}

/// Starts a crawl at such a place and waits until the program is at work.
fn until_it_is_told<'a>(place: &'a Place, arguments: &[&str]) -> Running<'a> {
    let running = place.crawl(arguments).start();
    // The shell makes the file before it writes to it, and is killed with the crawl.
    let heard = || std::fs::read_to_string(place.path("heard")).is_ok_and(|heard| heard.ends_with('\n'));
    eventually("the program hears of the end", heard);
    running
}

#[test]
fn a_run_that_ended_before_anybody_saw_its_exit_code_is_only_finished() {
    type Answer = fn(&crate::support::Request) -> Reply;
    let fine: Answer = |request| Reply::page(&request.path);
    let gone: Answer = |_| Reply::status(404);
    let half: Answer = |request| if request.number() % 2 == 0 { Reply::page("x") } else { Reply::status(500) };
    for (answer, more, code) in [
        (fine, &[][..], 0),
        (gone, &[], 1),
        (half, &["--fail-threshold", "0.4", "--retries", "0"], 1),
        (fine, &["damaged.txt.gz"], 2),
    ] {
        let (site, place) = (Site::new(answer), with_slow_program());
        place.list("urls.txt", site.urls(6));
        place.write("damaged.txt.gz", &gzip(site.urls(6).join("\n").as_bytes())[..40]);
        let arguments = [&["urls.txt", "--config", "c.toml", "--json"][..], more].concat();
        let killed = until_it_is_told(&place, &arguments).kill_supervisor();
        assert_eq!((killed.signal, killed.stdout.len()), (Some(9), 0), "{}", killed.stderr);
        assert!(is_complete(&place), "it had ended");
        let (hits, pages) = (site.count(), place.store().rows("SELECT * FROM pages ORDER BY url_id"));
        let status = place.seine(&["status", "crawl.db", "--json"]).run().expect(0).json();
        assert_eq!(status["state"], "finished");

        place.write("quick", "");
        let ended = place.crawl(&arguments).run().expect(code).says("nobody saw how it ended");
        assert_eq!(site.count(), hits, "nothing is fetched");
        assert_eq!(place.store().rows("SELECT * FROM pages ORDER BY url_id"), pages);
        assert_eq!((&ended.json()["state"], &ended.json()["fetched"]), (&"finished".into(), &0.into()));
        assert_eq!(ended.json()["outcomes"], status["outcomes"]);
        assert_eq!(place.store().rows("SELECT run_id, ended_by FROM runs"), ["1|completed"]);
        let heard = std::fs::read_to_string(place.path("heard")).expect("it was told");
        assert_eq!(heard, format!("1 {code}\n1 {code}\n"), "told again: nobody knows what came of the first time");
        place.store().assert_sound();

        // Now somebody has seen it.
        let ended = place.crawl(&arguments).run();
        assert!(!ended.stderr.contains("nobody saw"), "{}", ended.stderr);
        assert!(site.count() > hits, "asked for again");
        assert_eq!(place.store().number("SELECT max(run_id) FROM runs"), 2);
    }
}

#[test]
fn while_somebody_is_being_told_of_a_run_the_next_one_is_a_run_of_its_own() {
    let (site, place) = (Site::new(|request| Reply::page(&request.path)), with_slow_program());
    place.list("urls.txt", site.urls(5));
    let telling = until_it_is_told(&place, &["urls.txt", "--config", "c.toml"]);
    let ended = place.crawl(&["urls.txt"]).run().expect(0);
    assert!(!ended.stderr.contains("nobody saw"), "{}", ended.stderr);
    assert_eq!((site.count(), place.store().number("SELECT count(*) FROM runs")), (10, 2));
    // It is not the last one any more: whether it was told makes no difference.
    telling.kill_supervisor();
    place.crawl(&["urls.txt"]).run().expect(0);
    assert_eq!((site.count(), place.store().number("SELECT count(*) FROM runs")), (15, 3));
    place.store().assert_sound();
}

#[test]
fn what_else_is_asked_for_is_done_though_nobody_saw_how_the_last_run_ended() {
    let (site, place) = (Site::new(|request| Reply::page(&request.path)), with_slow_program());
    place.list("urls.txt", site.urls(5));
    until_it_is_told(&place, &["urls.txt", "--config", "c.toml"]).kill_supervisor();
    // Other lines are not done because these are.
    place.list("more.txt", site.urls(8));
    place.crawl(&["more.txt"]).run().expect(0);
    assert_eq!((site.count(), place.store().number("SELECT count(*) FROM runs")), (8, 1));

    std::fs::remove_file(place.path("heard")).expect("it was told");
    until_it_is_told(&place, &["urls.txt", "--config", "c.toml"]).kill_supervisor();
    let hits = site.hits_of("/1");
    place.seine(&["retry", "crawl.db", "--where", "outcome = 'ok'"]).run().expect(0);
    assert_eq!(site.hits_of("/1"), hits + 1, "it was asked for by name");
    assert_eq!(place.store().number("SELECT max(run_id) FROM runs"), 3);
    place.store().assert_sound();
}

#[test]
fn kills_around_the_end_make_nobody_fetch_a_page_twice_unless_an_exit_code_was_seen() {
    const PAGES: usize = 12;
    let (mut dice, mut killed_in_time, mut seen_too_early) = (Dice::new(), 0, 0);
    for round in 0..30 {
        let site = Site::new(|request| Reply::page(&request.path));
        let place = Place::new();
        place.list("urls.txt", site.urls(PAGES));
        let mut running = place.crawl(&["urls.txt", "--json"]).start();
        while !is_complete(&place) && !running.has_ended() {
            thread::sleep(Duration::from_micros(500));
        }
        // The end takes a few milliseconds on an idle machine, and far longer on a busy one.
        let latest = [2_000, 8_000, 40_000][round % 3];
        thread::sleep(Duration::from_micros(dice.between(0, latest)));
        let ended = running.kill_supervisor();
        assert_eq!(site.count(), PAGES);
        if ended.signal.is_none() {
            ended.expect(0);
            continue;
        }
        killed_in_time += 1;
        // The last moment of all: it is written down, and the process not gone yet.
        let is_told = place.store().number("SELECT run_id FROM told_run") == 1;
        let again = place.crawl(&["urls.txt", "--json"]).run().expect(0);
        if is_told {
            seen_too_early += 1;
        } else {
            assert_eq!(site.count(), PAGES, "{}", again.stderr);
            assert_eq!(again.json()["outcomes"]["ok"], PAGES);
            assert_eq!(place.store().number("SELECT count(*) FROM runs"), 1);
        }
        place.store().assert_sound();
    }
    println!("{killed_in_time} of 30 were killed between the end and the exit, {seen_too_early} of them told");
    assert!(killed_in_time >= 3, "only {killed_in_time} kills came in time");
    // A process that stands still for a while does so there too.
    assert!(seen_too_early <= 3, "{seen_too_early} times the end was written down as seen long before the exit");
}
