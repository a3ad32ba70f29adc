//! Schedules: runs start when they are due, never two on one store, and no death of anybody loses a run or the record
//! of it.

use std::fs;
use std::time::Duration;

use crate::support::{Crawl, Dice, Ended, Place, Reply, Running, Signal, Site, eventually, family};
use serde_json::Value;

/// Due every second.
const SECONDS: &str = "* * * * * *";
/// Due when no test runs any more.
const NEVER: &str = "0 0 29 2 *";
/// How tests crawl: no delay, no robots.txt.
const QUICK: [&str; 7] = ["--delay", "0", "--ignore-robots", "--fetchers", "1", "--quiet", "--host-concurrency=4"];
const URLS: usize = 40;

fn pages() -> Site {
    Site::new(|request| Reply::page(&request.path))
}

fn slow() -> Site {
    Site::new(|request| Reply::page(&request.path).after(Duration::from_millis(100)))
}

/// Time enough to end a crawl in its midst, however busy the machine.
fn slower() -> Site {
    Site::new(|request| Reply::page(&request.path).after(Duration::from_millis(300)))
}

/// `seine schedule FLAGS -- crawl urls.txt`, quickly.
fn scheduled<'a>(place: &'a Place, flags: &[&str], crawl: &[&str]) -> Crawl<'a> {
    let command = [flags, &["--", "crawl", "urls.txt"], &QUICK, crawl].concat();
    place.seine(&["schedule"]).args(&command)
}

/// The same, started.
fn schedule<'a>(place: &'a Place, flags: &[&str], crawl: &[&str]) -> Running<'a> {
    scheduled(place, flags, crawl).start()
}

fn status(place: &Place) -> Value {
    place
        .seine(&["schedule", "--status", "--json", "--state", "crawl.db.schedule.json"])
        .beside()
        .run()
        .expect(0)
        .json()
}

/// What is known of the job `crawl`; null as long as there is no state.
fn job(place: &Place) -> Value {
    let text = fs::read(place.path("crawl.db.schedule.json")).unwrap_or_default();
    serde_json::from_slice::<Value>(&text).map_or(Value::Null, |state| state["jobs"]["crawl"].clone())
}

fn health(place: &Place, arguments: &[&str]) -> Ended {
    place.seine(&["health"]).args(arguments).beside().run()
}

fn stop(running: Running) -> Ended {
    running.signal(Signal::SIGTERM);
    running.wait().expect(143)
}

/// Nothing is missing, and nothing was asked for twice.
fn assert_all_crawled_once(place: &Place, site: &Site) {
    let store = place.store();
    assert_eq!(store.row("SELECT count(*), ended_by FROM runs"), "1|completed", "it is one run");
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), URLS as i64);
    assert_eq!(site.count(), URLS);
    store.assert_sound();
}

#[test]
fn runs_start_when_they_are_due_and_their_summaries_are_kept() {
    let (site, place) = (pages(), Place::new());
    place.list("urls.txt", site.urls(3));
    let running = schedule(&place, &["--cron", SECONDS, "--timezone", "Europe/Vienna"], &[]);
    eventually("two runs and a summary", || {
        let job = job(&place);
        job["runs"].as_u64() >= Some(3) && job["last_summary"]["urls"] == 3
    });
    let told = status(&place);
    assert_eq!(told["pid"], running.group);
    assert_eq!(told["jobs"]["crawl"]["timezone"], "Europe/Vienna");
    let text = place.seine(&["schedule", "--status"]).beside().run().expect(0);
    let text = String::from_utf8(text.stdout).unwrap();
    for part in ["the scheduler runs (pid ", "[Europe/Vienna]", "3 URLs, 3 ok", "0 missed"] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    let ended = stop(running).says("next due ").says("started, due ").says("exited with code 0");
    assert_eq!(ended.stdout, b"", "the summary is kept, not printed");
    assert_eq!(status(&place)["pid"], Value::Null);
    assert!(place.store().number("SELECT count(*) FROM runs") >= 2);
    place.store().assert_sound();
    let files = place.store_files();
    assert!(!files.iter().any(|name| name.ends_with(".lock") || name.ends_with(".new")), "{files:?}");
}

#[test]
fn a_log_in_json_is_passed_on_line_by_line_and_its_summary_is_kept() {
    let (site, place) = (pages(), Place::new());
    place.list("urls.txt", site.urls(3));
    let command = ["--cron", NEVER, "--run-on-start", "--", "crawl", "urls.txt", "--log-format", "json"];
    let crawl = &QUICK.iter().copied().filter(|flag| *flag != "--quiet").collect::<Vec<_>>();
    let mut running = place.seine(&["schedule"]).args(&command).args(crawl).beside().start();
    running.wait_to_hear("exited with code 0");
    let ended = stop(running);
    let lines = String::from_utf8(ended.stdout).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.len() > 1, "{lines:?}");
    assert_eq!((&lines[lines.len() - 1]["event"], &lines[lines.len() - 1]["urls"]), (&"summary".into(), &3.into()));
    assert_eq!(job(&place)["last_summary"], lines[lines.len() - 1]);
}

#[test]
fn a_run_stops_gracefully_with_its_scheduler_and_goes_on_with_the_next() {
    let (site, place) = (slower(), Place::new());
    place.list("urls.txt", site.urls(URLS));
    let running = schedule(&place, &["--cron", NEVER, "--run-on-start"], &[]);
    site.wait_for_hits(8);
    stop(running).says("the scheduler ends when its run stops").says("exited with code 143");
    let before = site.count();
    assert!(before < URLS, "it did not stop");
    assert_eq!(place.store().row("SELECT count(*), ended_by FROM runs"), "1|terminated");
    assert_eq!((&job(&place)["last_exit"], &job(&place)["is_cut_short"]), (&143.into(), &true.into()));
    let mut running = schedule(&place, &["--cron", NEVER, "--catch-up"], &[]);
    running.wait_to_hear("exited with code 0");
    stop(running).says("its last run was cut short").says("started, to catch up");
    assert_all_crawled_once(&place, &site);
}

#[test]
fn a_scheduler_that_is_killed_leaves_a_crawl_that_stops_and_a_state_to_go_on_from() {
    let (site, place) = (slower(), Place::new());
    place.list("urls.txt", site.urls(URLS));
    let running = schedule(&place, &["--cron", NEVER, "--run-on-start"], &[]);
    site.wait_for_hits(8);
    eventually("the state names the run", || job(&place)["running"]["process"]["pid"].is_number());
    let crawl = family::children_of(running.group);
    assert_eq!(crawl.len(), 1, "{crawl:?}");
    running.signal(Signal::SIGKILL);
    // At once: the crawl of the dead one still stops, and holds the store.
    let mut next = schedule(&place, &["--cron", NEVER, "--catch-up"], &[]);
    next.wait_to_hear("exited with code 0");
    // It has let go of the store; whoever is its parent now may take a moment to notice its end.
    eventually("the crawl of the dead one ends", || crawl[0].now().is_none());
    stop(next).says("started, to catch up");
    drop(running);
    assert_all_crawled_once(&place, &site);
}

#[test]
fn a_state_is_whole_whenever_its_scheduler_is_killed() {
    let (site, place, mut dice) = (pages(), Place::new(), Dice::new());
    place.list("urls.txt", site.urls(1));
    place.crawl(&["urls.txt"]).run().expect(0);
    let mut runs = 0;
    for _ in 0..12 {
        let command = ["--cron", SECONDS, "--run-on-start", "--", "status", "crawl.db"];
        let running = place.seine(&["schedule"]).args(&command).beside().start();
        std::thread::sleep(dice.millis(1, 250));
        running.signal(Signal::SIGKILL);
        running.wait();
        let state = place.path("crawl.db.schedule.json");
        if state.exists() {
            let told = status(&place)["jobs"]["status"]["runs"].as_u64().expect("a number");
            assert!(told >= runs, "runs were forgotten");
            runs = told;
        }
    }
    assert!(runs > 0, "it was never killed late enough");
}

#[test]
fn a_second_scheduler_with_the_same_state_is_refused() {
    let place = Place::new();
    place.list("urls.txt", ["http://127.0.0.1:9/"]);
    let mut running = schedule(&place, &["--cron", NEVER], &[]);
    running.wait_to_hear("next due");
    let command = ["schedule", "--cron", NEVER, "--", "crawl", "urls.txt"];
    place.seine(&command).beside().run().expect(4).says(&format!("pid {}", running.group));
    stop(running);
}

#[test]
fn what_is_due_while_a_crawl_goes_is_skipped_and_a_second_signal_kills() {
    let (site, place) = (Site::new(|request| Reply::page(&request.path).held()), Place::new());
    place.list("urls.txt", site.urls(2));
    let mut running = scheduled(&place, &["--cron", SECONDS], &["--grace", "1h"]).beside().start();
    running.wait_to_hear("its last run is still going");
    assert_eq!(job(&place)["runs"], 1);
    running.signal(Signal::SIGINT);
    running.wait_to_hear("a second signal kills");
    running.signal(Signal::SIGINT);
    running.wait().expect(130).says("killed by signal 9");
    assert_eq!(job(&place)["last_signal"], 9);
    // The writer of a killed crawl commits what it has first.
    eventually("a free store", || {
        place.seine(&["status", "crawl.db", "--json"]).beside().run().expect(0).json()["pid"].is_null()
    });
    place.store().assert_sound();
}

#[test]
fn a_crawl_that_stops_at_its_max_wall_goes_on_when_next_due() {
    let (site, place) = (slow(), Place::new());
    place.list("urls.txt", site.urls(URLS));
    let mut running = schedule(&place, &["--cron", SECONDS], &["--max-wall", "400ms"]);
    running.wait_to_hear("exited with code 3");
    running.wait_to_hear("exited with code 0");
    stop(running);
    let store = place.store();
    assert_eq!(store.row("SELECT count(*) FROM history WHERE run_id = 1 AND outcome = 'ok'"), URLS.to_string());
    assert_eq!(store.row("SELECT ended_by FROM runs WHERE run_id = 1"), "completed");
    store.assert_sound();
}

#[test]
fn a_store_that_is_held_by_another_process_is_told_as_such() {
    let (site, place) = (Site::new(|request| Reply::page(&request.path).held()), Place::new());
    place.list("urls.txt", site.urls(1));
    let by_hand = place.crawl(&["urls.txt"]).start();
    site.wait_for_hits(1);
    let mut running = place
        .seine(&["schedule", "--cron", NEVER, "--run-on-start", "--", "crawl", "urls.txt", "--quiet"])
        .beside()
        .start();
    running.wait_to_hear("exited with code 4 (the store is held by another process)");
    stop(running);
    drop(by_hand);
}

#[test]
fn jobs_of_one_store_take_turns_and_what_other_verbs_print_is_passed_on() {
    let (site, place) = (pages(), Place::new());
    place.list("urls.txt", site.urls(2));
    let crawl: Vec<_> = ["crawl", "urls.txt", "--db", "./crawl.db"].iter().chain(&QUICK).collect();
    place.write(
        "jobs.toml",
        format!(
            "delay = '2s'\n[[job]]\nname = 'crawl'\ncron = '{SECONDS}'\noverlap = 'queue'\ncommand = {crawl:?}\n\
             [[job]]\nname = 'ask'\ncron = '{SECONDS}'\noverlap = 'queue'\n\
             command = ['sql', 'crawl.db', \"SELECT 'forty' || '-two'\", '--format', 'csv']\n"
        ),
    );
    let mut running = place.seine(&["schedule", "--config", "jobs.toml", "--state", "crawl.db.schedule.json"]).start();
    running.wait_to_hear("ask: waits");
    eventually("both have run", || {
        let told = status(&place);
        told["jobs"]["ask"]["last_exit"] == 0 && told["jobs"]["crawl"]["last_summary"]["urls"] == 2
    });
    let ended = stop(running).says("is at work on the same store");
    assert!(!ended.stderr.contains("held by another"), "{}", ended.stderr);
    let stdout = String::from_utf8(ended.stdout).unwrap();
    assert!(stdout.contains("forty-two"), "{stdout:?}");
    // The same file serves a crawl, which takes no notice of the jobs.
    place.crawl(&["urls.txt", "--config", "jobs.toml"]).run().expect(0);
}

#[test]
fn what_cannot_be_kept_is_an_error_before_anything_starts() {
    let place = Place::new();
    let refused = |arguments: &[&str], words: &[&str]| {
        let ended = place.seine(&["schedule"]).args(arguments).run().expect(2);
        for word in words {
            assert!(ended.stderr.contains(word), "{word:?} is not in:\n{}", ended.stderr);
        }
    };
    refused(&["--cron", "0 24 * * *", "--", "crawl", "x"], &["hour \"24\"", "    ^^"]);
    refused(&["--cron", NEVER, "--timezone", "Europe/Vena", "--", "crawl", "x"], &["Europe/Vena"]);
    refused(&["--cron", NEVER, "--", "crwl", "x"], &["crwl"]);
    refused(&["--cron", NEVER, "--", "crawl", "-"], &["standard input"]);
    refused(&["--cron", NEVER, "--", "schedule", "--status"], &["cannot be a job"]);
    refused(&["--cron", NEVER], &["COMMAND"]);
    refused(&[], &["nothing to do"]);
    refused(&["--status"], &["no schedule is known at crawl.db.schedule.json"]);
    let job = |lines: &str| {
        place.write("jobs.toml", format!("[[job]]\nname = 'a'\n{lines}\n"));
    };
    job("cron = '0 24 * * *'\ncommand = ['crawl', 'x']");
    refused(&["--config", "jobs.toml"], &["jobs.toml", "line 3", "hour \"24\""]);
    job("cron = '@daily'\ntimezone = 'Mars/Olympus'\ncommand = ['crawl', 'x']");
    refused(&["--config", "jobs.toml"], &["line 4", "Mars/Olympus"]);
    job("cron = '@daily'\ncommand = ['crawl', 'x']\nevery = 'day'");
    refused(&["--config", "jobs.toml"], &["line 5", "every"]);
    job("cron = '@daily'\ncommand = ['crawl', '--frob']");
    refused(&["--config", "jobs.toml"], &["jobs.toml:4", "--frob"]);
    job("cron = '@daily'\ncommand = ['crawl', 'x']\n[[job]]\nname = 'a'\ncron = '@daily'\ncommand = ['crawl', 'x']");
    refused(&["--config", "jobs.toml"], &["jobs.toml:6", "name of its own"]);
    place.write("jobs.toml", "delay = '1s'\n");
    refused(&["--config", "jobs.toml"], &["no [[job]]"]);
    // A state elsewhere by mistake is not written over.
    let precious = place.write("precious", "text");
    refused(&["--cron", NEVER, "--state", "precious", "--", "crawl", "x"], &["no state of a schedule"]);
    assert_eq!(fs::read(precious).unwrap(), b"text");
    assert!(!place.path("crawl.db.schedule.json").exists());
}

#[test]
fn health_follows_a_store_from_before_its_first_run() {
    let (site, place) = (slow(), Place::new());
    place.list("urls.txt", site.urls(12));
    let unhealthy = |reason: &str, arguments: &[&str]| {
        let text = String::from_utf8(health(&place, arguments).expect(1).stdout).unwrap();
        assert!(text.starts_with("unhealthy: ") && text.contains(reason) && text.lines().count() == 1, "{text}");
    };
    let healthy = |reason: &str| {
        let text = String::from_utf8(health(&place, &[]).expect(0).stdout).unwrap();
        assert!(text.starts_with("healthy: ") && text.contains(reason), "{text}");
    };
    unhealthy("there is no crawl in crawl.db yet", &[]);
    let mut running = schedule(&place, &["--cron", NEVER], &[]);
    running.wait_to_hear("next due");
    healthy("the first run of crawl is due ");
    assert!(!place.db().exists(), "health has made it");
    stop(running);
    unhealthy("there is no crawl", &[]);
    unhealthy("no scheduler is at work", &["--state", "crawl.db.schedule.json"]);
    // Beside a running writer.
    let running = place.crawl(&["urls.txt"]).start();
    site.wait_for_hits(4);
    eventually("a run in the store", || health(&place, &[]).code == Some(0));
    healthy("run 1 is at work since ");
    running.wait().expect(0);
    let files = place.store_files();
    let before = fs::read(place.db()).unwrap();
    healthy("12 of 12 ok");
    unhealthy("longer than --max-age", &["--max-age", "0s"]);
    let told = health(&place, &["--json"]).expect(0).json();
    assert_eq!((&told["healthy"], &told["run_id"], &told["ended_by"]), (&true.into(), &1.into(), &"completed".into()));
    assert_eq!(place.store_files(), files, "health leaves a trace");
    assert!(fs::read(place.db()).unwrap() == before, "health has written");
    // Killed, and nobody goes on.
    let running = place.crawl(&["urls.txt"]).start();
    site.wait_for_hits(16);
    running.kill_supervisor();
    unhealthy("run 2 was killed", &[]);
    fs::write(place.path("other.db"), "no store").unwrap();
    unhealthy("not a crawl store", &["--db", "other.db"]);
    for wrong in [["--max-age", "x"], ["--fail-threshold", "50"]] {
        health(&place, &wrong).expect(2);
    }
}
