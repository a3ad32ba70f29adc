//! Settings, from flags and files to what is in force.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::{Args, Command, FromArgMatches};
use serde_json::{Map, Value};

use super::group::Group;
use super::mistakes::explained;
use super::*;

fn command() -> Command {
    Given::<Settings>::augment_args(Command::new("test").no_binary_name(true))
}

/// What a config file and the flags of a command line come to.
fn written(text: &str, flags: &[&str]) -> CrawlOptions {
    let matches = command().try_get_matches_from(flags).unwrap();
    CrawlOptions::read(text).unwrap().with(&Given::from_arg_matches(&matches).unwrap())
}

fn resolved(text: &str, flags: &[&str]) -> Settings {
    written(text, flags).resolve(2).unwrap()
}

#[test]
fn a_flag_wins_over_the_file() {
    let file = "delay = '2s'\nretries = 7\nheader = ['A: file']\ncookies = true";
    let settings = resolved(file, &["--delay", "0", "--header", "A: flag"]);
    assert_eq!((settings.politeness.delay, settings.http.retries), (Span(Duration::ZERO), 7));
    assert!(settings.http.cookies, "a flag that is not given takes nothing back");
    let headers: Vec<_> = settings.http.header.iter().map(|header| &*header.value).collect();
    assert_eq!(headers, ["file", "flag"], "both count, and the later replaces the earlier");
}

#[test]
fn a_flag_is_a_word_against_the_key_of_another_name() {
    let console = |file: &str, flags: &[&str]| {
        let Console { quiet, verbose, .. } = resolved(file, flags).console;
        (quiet, verbose)
    };
    assert_eq!(console("quiet = true", &[]), (true, 0));
    assert_eq!(console("quiet = true", &["-v"]), (false, 1));
    assert_eq!(console("verbose = 2", &["-v"]), (false, 2));
    assert_eq!(console("verbose = 2", &["-q"]), (true, 0));
    for (flags, kept) in
        [(&[][..], true), (&["--no-store-bodies"], false), (&["--no-store-bodies", "--store-bodies"], true)]
    {
        assert_eq!(resolved("", flags).extraction.store_bodies, kept, "{flags:?}");
    }
    assert!(resolved("store_bodies = false", &["--store-bodies"]).extraction.store_bodies);
    let file = "notify_url_file = 'secret'";
    assert!(resolved(file, &["--notify-retries", "1"]).notify.notify_url_file.is_some());
    assert!(resolved(file, &["--notify-url", "https://a.example/"]).notify.notify_url_file.is_none());
}

#[test]
fn an_option_that_was_not_given_is_as_its_help_says() {
    let shown = |text: &str| Some(format!("{:?}", CrawlOptions::read(text).ok()?.resolve(2).ok()?));
    let mut checked = BTreeSet::new();
    for argument in command().get_arguments() {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let Some((_, default)) = help.rsplit_once("[default: ") else { continue };
        let default = default.trim_end_matches(']');
        let key = argument.get_id().as_str();
        // Texts that tell what there is instead of a value.
        let told = ["url", "no limit", "never", "all", "seine/VERSION"].contains(&default) && key != "only";
        if told || default.contains(' ') {
            continue;
        }
        // Numbers are written without quotes, all else with them.
        let said = shown(&format!("{key} = {default}")).or_else(|| shown(&format!("{key} = '{default}'")));
        assert_eq!(said, shown(""), "{key} is {default} by its help");
        checked.insert(key.to_owned());
    }
    assert!(checked.len() > 25, "{checked:?}");
}

#[test]
fn what_is_read_of_pages_is_told_by_every_option_of_its_group() {
    let reading = |text: &str| resolved(text, &[]).extraction.reading();
    let mut seen = BTreeSet::from([reading("")]);
    for key in Extraction::keys() {
        let other = match *key {
            "collection" => "[[collection]]\nname = 'a'".to_owned(),
            "metadata" | "text" | "markdown" | "tables" => format!("{key} = true"),
            "store_bodies" => "store_bodies = false".to_owned(),
            _ => panic!("say here how {key} can be other than by default"),
        };
        assert!(seen.insert(reading(&other)), "{key} makes no difference");
    }
    assert!(seen.insert(reading("[[collection]]\nname = 'b'")));
    assert_eq!(reading("timeout = '1s'"), reading(""), "how pages are asked for does not matter");
}

#[test]
fn stores_of_before_the_groups_need_not_read_every_page_anew() {
    let hex = |text: &str| resolved(text, &[]).extraction.reading().map(|byte| format!("{byte:02x}")).concat();
    assert_eq!(hex(""), "ec61cd7e73e0a63ee1fdea30bc49a00c");
    let rules = "metadata = true\nstore_bodies = false\n[[collection]]\nname = 'a'\nfields = { t = 'h1' }";
    assert_ne!(hex(rules), "505c8acdc44b6eac8ddefbe4642dda31", "metadata has another reader than then");
}

#[test]
fn what_is_read_for_links_belongs_to_how_pages_are_read() {
    let reading = |text: &str| {
        let options = resolved(text, &[]);
        options.extraction.reading_with(options.follow.reads())
    };
    let words = reading("near_duplicates = true");
    assert_eq!(words, reading("follow = true\nnothing_new = 9"));
    let all = [reading(""), words, reading("assets = true"), reading("assets = true\nnear_duplicates = true")];
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 4);
    // As `seine extract` finds it in a store.
    for text in ["", "near_duplicates = true", "follow = true\nnothing_new = 9\nassets = true"] {
        let options = resolved(text, &[]);
        assert_eq!(options.extraction.reading_after(&options.to_json()), Some(reading(text)), "{text}");
    }
    assert_eq!(resolved("follow = true\nnothing_new = 9", &[]).follow.ends_after(), Some(9));
    assert_eq!(resolved("follow = true\nnothing_new = 9\nallow_trap = ['all']", &[]).follow.ends_after(), None);
}

#[test]
fn no_key_belongs_to_two_groups() {
    let error = CrawlOptions::read("no_such_key_at_all = 1").unwrap_err().to_string();
    let (_, listed) = error.split_once("expected one of ").unwrap();
    let keys: Vec<_> = listed.trim().split(", ").collect();
    assert!(keys.len() > 70, "{error}");
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{error}");
}

#[test]
fn an_unknown_key_is_shown_with_its_line_and_what_was_meant() {
    let error = CrawlOptions::read("retries = 1\ndelai = '2s'").unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("delai") && error.contains("did you mean `delay`?"), "{error}");
    for (text, line, meant) in [
        ("text = true\n[[collections]]\nname = 'x'", 2, "did you mean `[[collection]]`?"),
        ("[[rules]]\nname = 'x'", 1, "did you mean `[[collection]]`?"),
        ("[[hosts]]\nmatch = 'x'", 1, "did you mean `[[host]]`?"),
        ("[collection]\nname = 'x'", 1, "write [[collection]]"),
        ("start_urls = ['https://a.test/']", 1, "did you mean `inputs`?"),
        ("[[job]]\nnam = 'x'", 2, "expected one of `name`"),
    ] {
        let error = super::mistakes::explained(text, &CrawlOptions::read(text).unwrap_err());
        assert!(error.contains(&format!("line {line}")) && error.contains(meant), "{text}: {error}");
        assert!(error.len() < 400, "{text}: {error}");
    }
    let error = CrawlOptions::read("no_store_bodies = true").unwrap_err().to_string();
    assert!(error.contains("did you mean `store_bodies`?"), "a flag that is no key: {error}");
}

#[test]
fn a_bare_number_is_seconds_or_bytes() {
    for (text, millis) in [("5", 5000), ("0.25", 250), (" 1e1 ", 10_000)] {
        assert_eq!(text.parse(), Ok(Span(Duration::from_millis(millis))), "{text}");
    }
    for text in ["-1", "inf", "nan", "1e300", "soon", ""] {
        let error = text.parse::<Span>().unwrap_err();
        assert!(error.contains("500ms, 2s or 1h 30m"), "{text}: {error}");
    }
    let settings = resolved("delay = 2\njitter = 0.5\nmax_body = 1048576", &["--wait", "3", "--max-time", "7.5"]);
    assert_eq!(
        (settings.politeness.delay, settings.politeness.jitter),
        (Span(Duration::from_secs(3)), Span(Duration::from_millis(500)))
    );
    assert_eq!((settings.http.timeout, settings.http.max_body), (Span(Duration::from_millis(7500)), Size(1 << 20)));
    for text in ["delay = -2", "delay = true", "max_body = -1", "max_body = 1.5"] {
        let error = CrawlOptions::read(text).unwrap_err().to_string();
        assert!(error.contains("500ms") || error.contains("10MiB"), "{text}: {error}");
    }
    assert_eq!("0".parse::<Span>(), Ok(Span(Duration::ZERO)));
    assert_eq!("1h 30m".parse::<Span>(), Ok(Span(Duration::from_secs(5400))));
    assert_eq!("10 MiB".parse::<Size>(), Ok(Size(10 << 20)));
}

#[test]
fn names_of_curl_wget_and_scrapy_are_understood() {
    let flags = [
        ["-H", "A: 1"],
        ["-A", "Bot/1"],
        ["-x", "http://p.test:1"],
        ["-k", "a.test"],
        ["-j", "7"],
        ["-X", "PUT"],
        ["--max-retries", "9"],
        ["--max-redirs", "4"],
        ["--download-maxsize", "5MiB"],
        ["--cacert", "ca.pem"],
        ["--load-cookies", "c.txt"],
        ["--data", "x=1"],
        ["--download-delay", "2"],
        ["--concurrent-requests-per-domain", "3"],
    ];
    let Settings { http, crew, politeness, .. } = resolved("", flags.as_flattened());
    assert_eq!(
        (http.header.len(), &*http.user_agent, http.proxy.len(), &*http.insecure),
        (1, "Bot/1", 1, &["a.test".to_owned()][..])
    );
    assert_eq!((*crew.concurrency, &**http.method, http.retries, http.max_redirects), (7, "PUT", 9, 4));
    assert_eq!((http.max_body, http.ca_cert.len(), http.cookies), (Size(5 << 20), 1, true));
    assert_eq!((http.body.as_deref(), politeness.delay.0.as_secs(), politeness.host_concurrency), (Some("x=1"), 2, 3));
}

#[test]
fn a_mistake_beside_a_secret_is_told_without_it() {
    for text in [
        "[notify]\nurl = \"https://user:swordfish@hooks.test/x\"",
        "[notify]\nurl = \"https://hooks.test/swordfish",
        "[notify]\ncommand = [\"tell\", \"swordfish\", 3]",
        "header = [\n  \"Cookie: a=b\",\n  \"swordfish\",\n]",
        "proxy = \"http://me:swordfish@[\"",
    ] {
        let error = CrawlOptions::read(text).unwrap_err();
        let told = explained(text, &error);
        assert!(!told.contains("swordfish"), "{told}");
    }
}

#[test]
fn secrets_in_headers_are_never_written_down() {
    let flags = ["--header", "Authorization: Bearer swordfish"];
    assert!(!format!("{:?}", written("", &flags)).contains("swordfish"));
    assert!(!resolved("", &flags).to_json().contains("swordfish"));
}

#[test]
fn flags_are_shown_without_their_values() {
    let matches = command().try_get_matches_from(["--header", "Authorization: swordfish"]).unwrap();
    let shown = format!("{:?}", Given::<Settings>::from_arg_matches(&matches).unwrap());
    assert!(shown.contains("header") && !shown.contains("swordfish"), "{shown}");
}

#[test]
fn the_record_of_a_run_is_one_flat_object_without_secrets() {
    let text = "body = 'swordfish'\nnotify = ['tell', 'swordfish']\ninsecure = ['a.test']\n\
                proxy = ['http://u:swordfish@p.test:1']";
    let json = resolved(text, &[]).to_json();
    assert!(!json.contains("swordfish"), "{json}");
    let record: Map<String, Value> = serde_json::from_str(&json).unwrap();
    // What makes no difference to the result, may be a secret, or is told as part of another key.
    let left_out = ["body", "insecure", "allow_private", "job", "collection", "processor", "output"];
    let keys = [
        Sources::keys(),
        Store::keys(),
        Lists::keys(),
        Follow::keys(),
        Recrawl::keys(),
        Crew::keys(),
        Politeness::keys(),
        Http::keys(),
        Extraction::keys(),
        Budgets::keys(),
        Programs::keys(),
    ];
    let expected: BTreeSet<_> = keys.concat().into_iter().filter(|key| !left_out.contains(key)).collect();
    assert_eq!(record.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected);
    let of_some = |key: &str| record[key].to_string();
    assert_eq!(["delay", "max_body", "keep_for"].map(of_some), ["\"500ms\"", "10485760", "null"]);
    assert_eq!(record["host"][0]["insecure"], true);
}

#[test]
fn the_text_of_the_rules_is_kept_but_never_written_down() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.toml");
    let text = "header = ['Authorization: swordfish']\n[[collection]]\nname = 'a'\nfields = { t = 'h1' }";
    std::fs::write(&path, text).unwrap();
    let settings = CrawlOptions::load(&path).unwrap().resolve(1).unwrap();
    assert_eq!(&*settings.extraction.rules_text, text);
    assert!(!format!("{settings:?}{}", settings.to_json()).contains("swordfish"));
    assert!(
        settings.to_json().contains(r#""collection":[{"fields":{"t":"h1"},"name":"a"}]"#),
        "{}",
        settings.to_json()
    );
}

#[test]
fn no_fetcher_goes_without_a_request_to_spend() {
    let settings = CrawlOptions::read("concurrency = 3\nfetchers = 8").unwrap().resolve(16).unwrap();
    assert_eq!(*settings.crew.fetchers, 3);
}

#[test]
fn a_machine_of_many_cores_has_as_many_fetchers_as_there_can_be() {
    let settings = CrawlOptions::read("concurrency = 1000").unwrap().resolve(1000).unwrap();
    assert_eq!(*settings.crew.fetchers, 256);
}

#[test]
fn no_host_has_more_than_all_have_together() {
    let mut settings = resolved("[[host]]\nmatch = 'a.test'\nconcurrency = 50", &[]);
    settings.lower_concurrency(3);
    assert_eq!(["a.test", "b.test"].map(|name| settings.politeness.policy(name).concurrency), [3, 3]);
}

#[test]
fn values_that_cannot_work_are_refused() {
    for (text, says) in [
        ("fetchers = 0", "fetchers = 0: must be from 1 to 256"),
        ("concurrency = 0", "concurrency = 0: must be from 1 to 65536"),
        ("host_concurrency = 0", "host_concurrency = 0: must be"),
        ("timeout = '0'", "timeout = 0: must be longer"),
        ("notify_timeout = '0'", "notify_timeout = 0: must be longer"),
        ("delay = '2days'", "delay = 2days: must be at most 1day"),
        ("max_body = '0B'", "max_body = 0 B: must be"),
        ("limit = 0", "limit = 0: must be at least 1"),
        ("max_bytes = '0B'", "max_bytes = 0: must be at least 1B"),
        ("max_redirects = 1001", "max_redirects = 1001: must be"),
        ("revisit_min = '2h'\nrevisit_max = '1h'", "revisit_max = 1h: must not be less"),
        ("robots_agent = 'a b'", "robots_agent = \"a b\": must be one word"),
        ("accept_types = ['Text']", "accept_types = \"text\": must be media types"),
        ("method = 'connect'", "method = \"connect\": must be"),
        ("user_agent = \"a\\u0001\"", "user_agent = \"a\\u{1}\": must not"),
    ] {
        let error = CrawlOptions::read(text).unwrap().resolve(1).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
    }
}

#[test]
fn the_version_of_http_is_a_flag_a_key_and_a_rule() {
    let rule = "http = '2'\n[[host]]\nmatch = 'old.test'\nhttp = '1.1'\n[[host]]\nmatch = 'any.test'\nhttp = 'auto'";
    let of = |settings: &Settings, host: &str| settings.politeness.policy(host).http.to_string();
    let settings = resolved(rule, &[]);
    assert_eq!(["a.test", "old.test", "any.test"].map(|host| of(&settings, host)), ["2", "1.1", "auto"]);
    let settings = resolved(rule, &["--http", "1.1"]);
    assert_eq!(["a.test", "any.test"].map(|host| of(&settings, host)), ["1.1", "auto"]);
    assert_eq!(of(&resolved("", &[]), "a.test"), "auto");
    let error = CrawlOptions::read("http = '3'").unwrap_err().to_string();
    assert!(error.contains("\"auto\", \"1.1\" or \"2\""), "{error}");
}

#[test]
fn what_is_not_said_follows_from_what_is() {
    let Settings { politeness, http, recrawl, .. } = resolved(
        "delay = '0'\nuser_agent = 'Bot-x/1'\nbody = 'x'\ncookie_file = 'c'\nrevisit_min = '60days'\n\
         allow_private = true",
        &[],
    );
    assert!(!*politeness.adaptive && politeness.cookies && http.cookies && http.network.allow_private);
    assert_eq!((&**politeness.robots_agent, &**http.method), ("Bot-x", "POST"));
    assert_eq!(*recrawl.revisit_max, recrawl.revisit_min);
    let said = resolved("delay = '0'\nadaptive = true\nbody = 'x'\nmethod = 'PUT'", &[]);
    assert!(*said.politeness.adaptive);
    assert_eq!(*said.http.method, "PUT");
    let flags = resolved("delay = '0'", &["--adaptive", "--method", "PATCH"]);
    assert!(*flags.politeness.adaptive && *flags.http.method == "PATCH");
    assert!(!*resolved("", &["--adaptive=false"]).politeness.adaptive);
}
