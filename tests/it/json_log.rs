//! `--log-format json`: whatever a crawl has to say is one JSON object a line on standard output, and nothing else is.

use crate::support::crawl::Ended;
use crate::support::{Place, Reply, Signal, Site};
use serde_json::Value;

fn site() -> Site {
    Site::new(|request| if request.number() == 3 { Reply::status(404) } else { Reply::page(&request.path) })
}

/// The lines, each of which has what every line has; nothing may be on standard error.
fn lines(ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.stderr, "");
    let text = String::from_utf8(ended.stdout.clone()).expect("the log is UTF-8");
    assert!(text.is_empty() || text.ends_with('\n'));
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    for line in &lines {
        for name in ["time", "level", "event", "role", "message"] {
            assert!(line[name].is_string(), "no {name} in {line}");
        }
    }
    lines
}

#[test]
fn every_line_is_an_object_and_the_summary_is_the_last() {
    let (place, site) = (Place::new(), site());
    place.list("urls.txt", site.urls(30).into_iter().chain(["no url".to_owned()]));
    for more in [&[][..], &["--json"], &["-vvv", "--json"], &["-v", "--log-file", "log"]] {
        let ended = place.crawl(&["urls.txt", "--log-format", "json"]).args(more).run().expect(0);
        let lines = lines(&ended);
        let (last, before) = lines.split_last().expect("a summary");
        assert_eq!((&last["event"], &last["ended_by"]), (&"summary".into(), &"completed".into()));
        assert_eq!(last["outcomes"]["ok"], 29);
        assert!(before.iter().all(|line| line["event"] == "log"), "{before:?}");
        assert!(before[0]["message"].as_str().is_some_and(|message| message.starts_with("crawling into ")));
        let roles: std::collections::BTreeSet<_> = before.iter().filter_map(|line| line["role"].as_str()).collect();
        assert_eq!(roles.contains("fetcher 0"), more.contains(&"-vvv"), "{roles:?}");
    }
    let file = std::fs::read_to_string(place.path("log")).expect("a log file");
    assert!(file.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{file}");
}

#[test]
fn quiet_leaves_warnings_and_what_json_asks_for() {
    let (place, site) = (Place::new(), site());
    place.list("urls.txt", site.urls(5));
    let quiet = ["urls.txt", "--log-format", "json", "--quiet"];
    assert_eq!(lines(&place.crawl(&quiet).run().expect(0)), Vec::<Value>::new());
    let lines = lines(&place.crawl(&quiet).args(&["--json"]).run().expect(0));
    assert_eq!((lines.len(), &lines[0]["event"]), (1, &"summary".into()));
}

#[test]
fn what_goes_wrong_is_a_line_too() {
    let (place, site) = (Place::new(), site());
    place.list("urls.txt", site.urls(5));
    place.write("bad.toml", "log_format = 'json'\ndelay = true");
    place.write("json.toml", "log_format = 'json'");
    let json = ["--log-format", "json"];
    for (arguments, code, told) in [
        (&["missing.txt"][..], 2, "missing.txt"),
        (&["urls.txt", "--db", "no/such/folder/crawl.db"], 2, "no/such/folder"),
        (&["urls.txt", "--delay", "soon"], 2, "soon"),
        (&["urls.txt", "--no-such-flag"], 2, "--no-such-flag"),
        (&["urls.txt", "--config", "bad.toml"], 2, "bad.toml"),
        (&["urls.txt", "--min-free-disk", "8EiB"], 5, "--min-free-disk"),
    ] {
        let ended = place.seine(&["crawl"]).args(arguments).args(&json).run().expect(code);
        let lines = lines(&ended);
        let said = |line: &Value| line["message"].as_str().is_some_and(|message| message.contains(told));
        assert!(lines.iter().any(|line| line["level"] == "error" && said(line)), "{arguments:?}: {lines:?}");
    }
    // The key of a config file, for what is wrong after it was read.
    let lines = lines(&place.crawl(&["missing.txt", "--config", "json.toml"]).run().expect(2));
    assert_eq!((lines.len(), &lines[0]["level"]), (1, &"error".into()));
}

#[test]
fn deaths_and_signals_are_told_in_lines() {
    let (place, site) = (Place::new(), Site::new(|request| Reply::page(&request.path).held()));
    place.list("urls.txt", site.urls(40));
    let running = place.crawl(&["urls.txt", "--log-format", "json", "--grace", "0s"]).start();
    site.wait_for_hits(2);
    running.the("fetcher 0").signal(Signal::SIGKILL);
    crate::support::eventually("a new fetcher", || running.fetchers().len() == 2);
    running.signal(Signal::SIGTERM);
    let lines = lines(&running.wait().expect(143));
    let told = |text: &str| lines.iter().any(|line| line["message"].as_str().is_some_and(|told| told.contains(text)));
    assert!(told("was killed by signal 9") && told("asked to stop"), "{lines:?}");
    assert_eq!(lines.last().expect("a summary")["ended_by"], "terminated");
}

#[test]
fn a_log_that_nobody_reads_is_no_reason_to_stop() {
    let (place, site) = (Place::new(), site());
    place.list("urls.txt", site.urls(20));
    let seine = env!("CARGO_BIN_EXE_seine");
    let script = format!(
        "{seine} crawl urls.txt --min-free-disk 0 --ignore-robots --delay 0 --log-format json -vvv --json; echo $? >code"
    );
    let status = std::process::Command::new("sh")
        .args(["-c", &format!("({script}) | head -n 1 >first")])
        .current_dir(place.path(""))
        .stderr(std::process::Stdio::null())
        .status();
    assert!(status.expect("sh can be run").success());
    crate::support::eventually("its exit code", || {
        std::fs::read(place.path("code")).is_ok_and(|code| !code.is_empty())
    });
    assert_eq!(std::fs::read_to_string(place.path("code")).expect("a code").trim(), "0");
    assert_eq!(place.store().number("SELECT count(*) FROM pages"), 20);
}
