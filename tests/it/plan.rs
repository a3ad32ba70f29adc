//! `seine plan`: what a crawl would ask of whom, told without asking anybody.

use crate::support::{Place, Reply, Site};

#[test]
fn a_plan_counts_lines_and_hosts_and_asks_nobody() {
    let (site, place) = (Site::new(|request| Reply::page(&request.path)), Place::new());
    let own = site.url("/a");
    place.list(
        "urls.txt",
        [
            "https://a.example/1",
            "https://a.example/2",
            "https://A.example/1#top",
            "https://b.example/",
            "htp://c.example/",
            "d.example/x",
        ],
    );
    let ended =
        place.seine(&["plan", "urls.txt", &own, "--fetchers", "2", "--db", "crawl.db", "--json"]).run().expect(0);
    let plan = ended.json();
    assert_eq!(
        plan["lists"],
        serde_json::json!([
            {"list": "urls.txt", "lines": 6, "urls": 3, "duplicates": 1, "rejected": 2},
            {"list": "command line", "lines": 1, "urls": 1, "duplicates": 0, "rejected": 0},
        ])
    );
    assert_eq!((&plan["urls"], &plan["duplicates"], &plan["rejected"]), (&4.into(), &1.into(), &2.into()));
    assert_eq!((&plan["hosts"], &plan["has_all_duplicates"]), (&3.into(), &true.into()));
    assert_eq!(plan["largest_hosts"][0], serde_json::json!({"host": "a.example", "urls": 2}));
    assert_eq!(plan["rejected_lines"][1]["line"], 6);
    assert!(plan["rejected_lines"][1]["reason"].as_str().expect("text").contains("https://d.example/x"));
    let fetchers = plan["fetchers"].as_array().expect("a list");
    assert_eq!(fetchers.iter().map(|fetcher| fetcher["hosts"].as_u64().expect("a number")).sum::<u64>(), 3);
    // Its two URLs and its robots.txt, one every half second.
    assert_eq!((&plan["shortest_s"], &plan["decided_by"]), (&1.0.into(), &"host".into()));
    assert_eq!(plan["slowest_hosts"][0]["host"], "a.example");

    let told = place.seine(&["plan", "urls.txt", &own]).run().expect(0);
    let told = String::from_utf8(told.stdout).expect("UTF-8");
    for text in ["2 lists: 4 URLs, 1 duplicate, 2 rejected", "urls.txt:5: ", "2  a.example", "shortest time: 1s"] {
        assert!(told.contains(text), "{text:?} is not in:\n{told}");
    }
    assert_eq!((place.store_files(), site.count()), (Vec::new(), 0));
}

#[test]
fn the_pace_in_force_decides_how_long_a_crawl_takes_at_least() {
    let place = Place::new();
    let urls = |host: &str, count: usize| (0..count).map(|n| format!("https://{host}/{n}\n")).collect::<String>();
    place.write("urls.txt", urls("big.example", 400) + &urls("slow.example", 50) + &urls("small.example", 3));
    place.write("c.toml", "ignore_robots = true\n[[host]]\nmatch = \"slow.example\"\ndelay = \"10s\"\n");
    let plan =
        |arguments: &[&str]| place.seine(&[&["plan", "urls.txt", "--json"], arguments].concat()).run().expect(0).json();
    let decided = |plan: &serde_json::Value| (plan["shortest_s"].as_f64().unwrap(), plan["decided_by"].clone());
    assert_eq!(decided(&plan(&["--ignore-robots"])), (199.5, "host".into()));
    let config = plan(&["--config", "c.toml"]);
    assert_eq!(decided(&config), (490.0, "host".into()));
    assert_eq!(config["slowest_hosts"][0]["host"], "slow.example");
    assert_eq!(decided(&plan(&["--config", "c.toml", "--rate", "30/m"])), (904.0, "rate".into()));
    assert_eq!(decided(&plan(&["--config", "c.toml", "--limit", "100"])), (45.5, "host".into()));
    assert_eq!(decided(&plan(&["--ignore-robots", "--host-limit", "11"])), (5.0, "host".into()));
    assert_eq!(decided(&plan(&["--ignore-robots", "--delay", "0"])), (0.0, "nothing".into()));
    let shared = plan(&["--delay", "0", "--fetchers", "2"]);
    assert_eq!(shared["hosts_in_lanes"], 3);
}

#[test]
fn a_plan_of_standard_input_or_of_nothing() {
    let place = Place::new();
    let ended = place.seine(&["plan", "-", "--json"]).stdin("https://a.example/\n").run().expect(0);
    assert_eq!(ended.json()["urls"], 1);
    place.seine(&["plan"]).run().expect(2).says("no URL list given");
    place.seine(&["plan", "-", "--url-column", "x"]).stdin("a,b\n1,2\n").run().expect(2).says("no column");
    // What a crawl takes, a plan takes; what its config has wrong, a plan says.
    place.seine(&["plan", "https://a.example/", "--proxy", "http://p.test:1", "--text", "-v"]).run().expect(0);
    place.write("c.toml", "[[collection]]\nname = \"x\"\nfields = 1\n");
    place.seine(&["plan", "https://a.example/", "--config", "c.toml"]).run().expect(2).says("c.toml");
    assert_eq!(place.store_files(), [""; 0]);
}

#[test]
fn a_plan_says_of_a_url_which_rule_decides_whether_it_is_followed() {
    let place = Place::new();
    place.write(
        "c.toml",
        "follow = true\n[[same_page]]\nmatch = 'a.example'\ndrop_parameters = ['utm_*']\ntrailing_slash = 'drop'\n",
    );
    let asked = [
        "https://www.a.example/y/?utm_source=z",
        "https://a.example/x/1",
        "https://a.example/x/keep",
        "https://a.example/calendar?month=2999-01",
        "https://b.example/",
        "https://a.example/start",
        "mailto:me@a.example",
    ];
    let mut line =
        vec!["plan", "https://a.example/start", "--config", "c.toml", "--exclude", "/x/", "--include", "keep"];
    line.extend(asked.iter().flat_map(|url| ["--check", url]));
    let told = place.seine(&line).run().expect(0);
    let told = String::from_utf8(told.stdout).expect("UTF-8");
    let expected = "\
https://www.a.example/y/?utm_source=z: followed
  same page as https://www.a.example/y
  in scope: host a.example of https://a.example/start
https://a.example/x/1: not followed
  excluded by --exclude '/x/'
  in scope: host a.example of https://a.example/start
https://a.example/x/keep: followed
  included by --include 'keep'
  in scope: host a.example of https://a.example/start
https://a.example/calendar?month=2999-01: not followed
  in the trap calendar: recorded, and not asked for (--allow-trap calendar)
  in scope: host a.example of https://a.example/start
https://b.example/: not followed
  out of scope: no list names a URL of its host
https://a.example/start: followed
  in scope: host a.example of https://a.example/start
  a list names it, so it is asked for whatever these rules say
mailto:me@a.example: not followed
  it is not an http(s) URL: scheme \"mailto\"
";
    assert!(told.ends_with(expected), "{told}");

    let json = place.seine(&[&line[..], &["--json"]].concat()).run().expect(0).json();
    let of = |number: usize, key: &str| json["checked"][number][key].clone();
    assert_eq!(of(0, "same_page"), "https://www.a.example/y");
    assert_eq!(of(1, "rule"), serde_json::json!({"flag": "--exclude", "pattern": "/x/"}));
    assert_eq!((of(3, "trap"), of(3, "followed")), ("calendar".into(), false.into()));
    assert_eq!((of(0, "root"), of(0, "root_of")), ("a.example".into(), "https://a.example/start".into()));
    assert_eq!((of(4, "in_scope"), of(4, "root"), of(5, "listed")), (false.into(), ().into(), true.into()));
    let followed: Vec<bool> = (0..asked.len()).map(|number| of(number, "followed") == true).collect();
    assert_eq!(followed, [true, false, true, false, false, true, false]);
    assert_eq!(place.store_files(), [""; 0]);
}

#[test]
fn a_plan_knows_every_scope_and_refuses_to_check_what_follows_nothing() {
    let place = Place::new();
    let reason = |scope: &str, url: &str| {
        let list = "https://a.example/docs/start.html";
        let plan = ["plan", list, "--follow", "--scope", scope, "--include", "https", "--check", url];
        let told = String::from_utf8(place.seine(&plan).run().expect(0).stdout).expect("UTF-8");
        told.lines().last().expect("a line").trim().to_owned()
    };
    let of_list = "of https://a.example/docs/start.html";
    assert_eq!(reason("prefix", "https://a.example/docs/x"), format!("in scope: prefix a.example/docs/ {of_list}"));
    assert_eq!(reason("domain", "https://b.a.example/"), format!("in scope: domain a.example {of_list}"));
    assert_eq!(reason("page", "https://a.example/docs/x"), "out of scope: no list names a URL of its page");
    assert_eq!(reason("list", "https://a.example/"), "out of scope: --scope list has only what lists name");
    assert_eq!(reason("any", "https://c.example/"), "in scope: --scope any has everything");
    place.seine(&["plan", "https://a.example/", "--check", "https://a.example/"]).run().expect(2).says("add --follow");
}
