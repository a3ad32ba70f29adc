//! Who is told of the end of a run: what he gets, how often it is tried, and that nothing secret is shown on the way.

use std::collections::HashMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{Place, Reply, Request, Signal, Site, eventually};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;
use serde_json::Value;

const SECRET: &str = "whsec_c3dvcmRmaXNoLXN3b3JkZmlzaA==";

/// A receiver of webhooks, and what it got.
struct Hook {
    site: Site,
    got: Arc<Mutex<Vec<HashMap<String, String>>>>,
}

impl Hook {
    fn new(answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let got = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&got);
        let site = Site::new(move |request: &Request| {
            keep.lock().expect("nobody panics with it").push(request.headers.clone());
            answer(request.nth)
        });
        Self { site, got }
    }

    fn url(&self) -> String {
        self.site.url("/services/swordfish?token=swordfish")
    }

    fn got(&self) -> Vec<HashMap<String, String>> {
        self.got.lock().expect("nobody panics with it").clone()
    }

    /// The bodies, after a look at what has to come with each.
    fn messages(&self) -> Vec<Value> {
        let messages = self.got().into_iter().map(|request| {
            assert_eq!((&*request[":method"], &*request["content-type"]), ("POST", "application/json"));
            serde_json::from_str(&request[":body"]).expect("the body is JSON")
        });
        messages.collect()
    }
}

/// Pages of which each may get another text.
fn pages(place: &Place, count: usize) -> (Site, Arc<Mutex<String>>) {
    let text = Arc::new(Mutex::new("one".to_owned()));
    let shown = Arc::clone(&text);
    let site = Site::new(move |request| match request.number() {
        0 => Reply::page(&shown.lock().expect("nobody panics with it")),
        _ => Reply::page(&request.path),
    });
    place.list("urls.txt", site.urls(count));
    (site, text)
}

#[test]
fn a_webhook_gets_the_signed_summary_and_is_asked_again_after_what_may_pass() {
    let place = Place::new();
    let (_site, _) = pages(&place, 5);
    let hook = Hook::new(|nth| if nth <= 2 { Reply::status(503) } else { Reply::status(204) });
    place.write("hook", format!("{SECRET}\n"));
    let arguments =
        ["urls.txt", "--notify-url", &hook.url(), "--notify-secret-file", "hook", "-v", "--log-file", "log"];
    let ended = place.crawl(&arguments).run().expect(0);
    let (messages, requests) = (hook.messages(), hook.got());
    assert_eq!(messages.len(), 3, "two refusals, then it was taken:\n{}", ended.stderr);
    assert!(ended.elapsed >= Duration::from_secs(3), "one second, then two");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64.decode(&SECRET["whsec_".len()..]).expect("base64"));
    for request in &requests {
        let signed = format!("{}.{}.{}", request["webhook-id"], request["webhook-timestamp"], request[":body"]);
        let tag = BASE64.decode(request["webhook-signature"].strip_prefix("v1,").expect("a version")).expect("base64");
        hmac::verify(&key, signed.as_bytes(), &tag).expect("the signature is right");
        assert_eq!(request["webhook-id"], requests[0]["webhook-id"], "the same message");
    }
    let message = &messages[2];
    assert_eq!((&message["type"], &message["data"]["exit_code"]), (&"run.completed".into(), &0.into()));
    assert_eq!(message["data"]["outcomes"]["ok"], 5);
    assert_eq!(message["data"]["db"], place.db().to_str().expect("paths of tests are UTF-8"));
    assert_eq!(message["data"]["changes"], Value::Null, "there is no earlier run");

    // Neither the secret nor path and query of the URL, anywhere.
    let store = fs::read(place.db()).expect("the store");
    let texts = [fs::read(place.path("log")).expect("the log"), store, ended.stderr.into_bytes(), ended.stdout];
    for text in texts {
        let text = String::from_utf8_lossy(&text);
        assert!(!text.contains("swordfish") && !text.contains("c3dvcmRmaXNo"), "{text}");
    }
}

#[test]
fn what_will_not_pass_is_not_tried_again_and_the_exit_code_stays() {
    let place = Place::new();
    let (_site, _) = pages(&place, 3);
    let hook = Hook::new(|_| Reply::status(400));
    let ended = place.crawl(&["urls.txt", "--notify-url", &hook.url()]).run().expect(0);
    assert_eq!(hook.got().len(), 1);
    let ended = ended.says(&format!("cannot notify {}: it answered 400 (1 attempt)", hook.site.url("")));
    assert!(!ended.stderr.contains("swordfish"), "{}", ended.stderr);
    // A redirect is no answer of the one that was named.
    let elsewhere = Hook::new(|_| Reply::redirect(302, "/elsewhere"));
    place.crawl(&["urls.txt", "--notify-url", &elsewhere.url()]).run().expect(0).says("it answered 302");
    assert_eq!(elsewhere.got().len(), 1);

    // Nobody listens there.
    let dead = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    place.write("url", format!("http://{dead}/swordfish?swordfish\n"));
    let ended = place.crawl(&["urls.txt", "--notify-url-file", "url", "--notify-retries", "1"]).run().expect(0);
    let ended = ended.says(&format!("cannot notify http://{dead}: connect: ")).says("(2 attempts)");
    assert!(!ended.stderr.contains("swordfish"), "{}", ended.stderr);
}

#[test]
fn a_program_gets_the_message_and_may_work_on_the_store() {
    let place = Place::new();
    let (_site, _) = pages(&place, 4);
    let seine = env!("CARGO_BIN_EXE_seine");
    // `retry` needs the lock.
    let script = format!(
        "cat >message; echo \"$SEINE_EVENT $SEINE_RUN $SEINE_EXIT_CODE $SEINE_ENDED_BY\" >variables; \
         {seine} retry \"$SEINE_DB\" --where \"outcome = 'ok'\" --dry-run; \
         {seine} crawl --db \"$SEINE_DB\" --quiet --min-free-disk 0; echo \"code $?\" >&2"
    );
    place.write("c.toml", format!("notify = ['sh', '-c', '''{script}''']"));
    let ended = place.crawl(&["urls.txt", "--config", "c.toml", "--json"]).run().expect(0);
    let ended = ended.says("4 URLs would be crawled again").says("code 0");
    let message: Value = serde_json::from_slice(&fs::read(place.path("message")).expect("a message")).expect("JSON");
    assert_eq!(message["data"]["outcomes"]["ok"], 4);
    let variables = fs::read_to_string(place.path("variables")).expect("variables");
    assert_eq!(variables.trim(), "run.completed 1 0 completed");
    assert_eq!(ended.json()["outcomes"]["ok"], 4, "standard output is that of the crawl alone");
}

#[test]
fn a_program_that_fails_or_never_ends_is_told_of_and_leaves_nothing() {
    let place = Place::new();
    let (_site, _) = pages(&place, 2);
    let crawl = |command: &str| place.crawl(&["urls.txt", "--notify", command, "--notify-timeout", "500ms"]);
    crawl("sh -c 'exit 7'").run().expect(0).says("cannot notify by \"sh\": it ended with exit status: 7");
    // It reads nothing, and what it has started goes with it.
    let ended =
        crawl("sh -c 'sleep 1000 & sleep 1000'").run().expect(0).says("did not end within 500ms and was killed");
    assert!(ended.elapsed < Duration::from_secs(20), "{:?}", ended.elapsed);
    let ended = crawl("sh -c 'while :; do echo y; done'").run().expect(0).says("did not end within 500ms");
    assert!(ended.elapsed < Duration::from_secs(20), "{:?}", ended.elapsed);
    // Found out before anything is fetched.
    crawl("no-such-program-here --x").run().expect(2).says("no-such-program-here");
    place.write("empty", "\n");
    place.crawl(&["urls.txt", "--notify-secret-file", "empty"]).run().expect(2).says("notify_secret_file");
}

#[test]
fn a_signal_while_somebody_is_told_ends_it_at_once() {
    let place = Place::new();
    let (_site, _) = pages(&place, 2);
    let hook = Hook::new(|_| Reply::status(200).held());
    for arguments in [["--notify-url", &hook.url()], ["--notify", "sh -c 'echo here >&2; sleep 1000'"]] {
        let running = place.crawl(&["urls.txt", "--json"]).args(&arguments);
        let mut running = running.start();
        if arguments[0] == "--notify" {
            running.wait_to_hear("here");
        } else {
            hook.site.wait_for_hits(1);
        }
        let asked = Instant::now();
        running.signal(Signal::SIGTERM);
        let ended = running.wait().expect(0).says("a signal came");
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
        assert_eq!(ended.json()["ended_by"], "completed");
    }
}

#[test]
fn only_changes_are_told_of_if_only_they_are_wanted() {
    let place = Place::new();
    let (_site, text) = pages(&place, 6);
    let hook = Hook::new(|_| Reply::status(200));
    let arguments = ["urls.txt", "--json", "--notify-url", &hook.url(), "--notify-on", "change,failure"];
    let crawl = || place.crawl(&arguments).run();
    crawl().expect(0);
    assert_eq!(hook.got().len(), 1, "all is new");
    let ended = crawl().expect(0).says("  changes: none\n");
    assert_eq!((hook.got().len(), &ended.json()["changes"]["changed"]), (1, &0.into()));
    "two".clone_into(&mut text.lock().expect("nobody panics with it"));
    let ended = crawl().expect(0).says("  changes: 1 changed\n");
    assert_eq!(ended.json()["changes"]["changed"], 1);
    assert_eq!((hook.got().len(), &hook.messages()[1]["data"]["changes"]["changed"]), (2, &1.into()));
    // Nothing to do: the change before is not told of again.
    place.crawl(&arguments).args(&["--max-age", "1day"]).run().expect(0);
    assert_eq!(hook.got().len(), 2);
    // A failure, which is no change.
    place.crawl(&arguments).args(&["--min-free-disk", "8EiB"]).run().expect(5);
    let last = hook.messages().pop().expect("a message");
    assert_eq!((hook.got().len(), &last["type"], &last["data"]["exit_code"]), (3, &"run.failed".into(), &5.into()));
    assert!(last["data"]["error"].as_str().is_some_and(|error| error.contains("--min-free-disk")), "{last}");
}

#[test]
fn a_log_in_json_stays_one_whatever_a_program_says() {
    let place = Place::new();
    let (_site, _) = pages(&place, 2);
    let command = "sh -c 'echo to stdout; printf \"to stderr\\nno end\" >&2; exit 3'";
    let ended = place.crawl(&["urls.txt", "--log-format", "json", "--notify", command]).run().expect(0);
    assert_eq!(ended.stderr, "");
    let text = String::from_utf8(ended.stdout).expect("UTF-8");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let told: Vec<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    for said in ["to stdout", "to stderr", "no end"] {
        assert!(told.contains(&said), "{told:?}");
    }
    assert!(told.iter().any(|line| line.contains("exit status: 3")), "{told:?}");
    assert_eq!(lines.last().expect("a summary")["event"], "summary");
}

#[test]
fn rules_for_the_host_of_a_webhook_hold_and_headers_of_the_crawl_do_not() {
    let place = Place::new();
    let (site, _) = pages(&place, 2);
    let hook = Hook::new(|_| Reply::status(200));
    let host = hook.site.url("").replace("http://", "");
    let host = host.split(':').next().expect("a host").to_owned();
    place.write("token", "swordfish\n");
    place.write(
        "c.toml",
        format!("header = ['X-Crawl: 1']\n[[host]]\nmatch = '{host}'\nauth = {{ token_file = 'token' }}\nheaders = ['X-Hook: 1']"),
    );
    place.crawl(&["urls.txt", "--config", "c.toml", "--notify-url", &hook.url()]).run().expect(0);
    let got = hook.got();
    assert_eq!((&*got[0]["authorization"], &*got[0]["x-hook"]), ("Bearer swordfish", "1"));
    assert!(!got[0].contains_key("x-crawl"));
    eventually("the pages", || site.count() == 2);
}
