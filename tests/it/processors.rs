//! Programs of the user's: each record is answered once, whoever dies when, and nothing is left running.

use std::fs;

use crate::support::{Dice, Ended, Place, Reply, Running, Signal, Site, Store, eventually, within};

const PAGES: usize = 60;

/// Answers every line with its own id; what comes before may look at `$line` and do otherwise.
fn program(place: &Place, first: &str) -> String {
    let script = format!(
        "while read -r line; do\n  id=${{line#*\\\"id\\\":}}; id=${{id%%,*}}\n  {first}\n  \
         printf '{{\"id\":%s,\"items\":[{{\"of\":%s}}]}}\\n' \"$id\" \"$id\"\ndone\n"
    );
    let path = place.write("program.sh", script);
    // The path is in its command line, so that it can be found.
    format!("command = ['sh', '{}']", path.display())
}

fn config(place: &Place, command: &str, rest: &str) {
    place.write("p.toml", format!("[[processor]]\nname = 'echoes'\ninput = 'pages'\n{command}\n{rest}\n"));
}

/// A store with pages `/0` to `/59`, titles as their paths.
fn crawled(place: &Place) {
    let site = Site::new(|request| Reply::page(&request.path));
    place.list("urls.txt", site.urls(PAGES));
    place.crawl(&["urls.txt", "--quiet"]).run().expect(0);
}

fn process<'a>(place: &'a Place, more: &[&str]) -> crate::support::Crawl<'a> {
    place.seine(&["process", "crawl.db", "--config", "p.toml"]).args(more)
}

/// Fails unless no program that has the place's path in its command line is alive.
fn assert_no_program_left(place: &Place) {
    let path = place.path("program.sh").display().to_string();
    let alive = || -> Vec<String> {
        let entries = fs::read_dir("/proc").expect("/proc is mounted").flatten();
        let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
        lines.filter(|line| line.contains(&path)).collect()
    };
    assert!(within(crate::support::crawl::GONE_WITHIN, || alive().is_empty()), "left behind: {:?}", alive());
}

fn finish(place: &Place, running: Running<'_>) -> Ended {
    let ended = running.wait();
    assert_no_program_left(place);
    ended
}

/// Fails unless every page has exactly one answer, its own.
fn assert_all_answered(place: &Place) {
    let store = place.store();
    assert_eq!(
        store.row("SELECT count(*), count(DISTINCT url) FROM items WHERE collection = 'echoes'"),
        format!("{PAGES}|{PAGES}")
    );
    assert_eq!(
        store.number("SELECT count(*) FROM item JOIN url USING(url_id) WHERE data <> '{\"of\":' || url_id || '}'"),
        0
    );
    assert_eq!(store.number("SELECT count(*) FROM processed WHERE NOT failed AND items = 1"), PAGES as i64);
    store.assert_sound();
}

#[test]
fn every_page_is_answered_once_and_the_next_time_there_is_nothing_to_do() {
    let place = Place::new();
    crawled(&place);
    config(&place, &program(&place, ""), "workers = 3\nfields = { of = 'integer' }");
    let ended = finish(&place, process(&place, &["--json"]).start()).expect(0);
    assert_eq!(ended.json()["processors"]["echoes"]["items"], PAGES);
    assert_all_answered(&place);
    assert_eq!(place.store().rows("SELECT DISTINCT typeof(\"of\") FROM echoes"), ["integer"]);
    let again = finish(&place, process(&place, &["--json"]).start()).expect(0);
    assert_eq!(again.json()["processors"]["echoes"]["records"], 0);
    assert_all_answered(&place);
}

#[test]
fn a_program_that_dies_of_every_other_record_is_not_told_of_each_time() {
    let place = Place::new();
    crawled(&place);
    let throw = "case $id in *[02468]) echo 'Traceback, line 1' >&2; echo 'ValueError: no price' >&2; exit 1;; esac";
    config(&place, &program(&place, throw), "");
    let ended = finish(&place, process(&place, &["--json", "-v"]).start());
    let json = ended.json();
    assert_eq!(
        (&json["processors"]["echoes"]["failed"], &json["processors"]["echoes"]["records"]),
        (&30.into(), &30.into())
    );
    let lines = |text: &str| ended.stderr.lines().filter(|line| line.contains(text)).count();
    assert!((1..=5).contains(&lines("seine: processor echoes ended")), "{}", ended.stderr);
    assert!(lines("th time that a program of it died") >= 1, "{}", ended.stderr);
    assert!((1..=3).contains(&lines("Traceback")), "{}", ended.stderr);
    // Each record has its reason all the same.
    let problems = "SELECT count(*) FROM extract_problems WHERE problem = 'processor' AND found LIKE '%ValueError%'";
    assert_eq!(place.store().number(problems), 30);
}

#[test]
fn an_answer_of_too_many_items_is_a_problem_of_its_record() {
    let place = Place::new();
    crawled(&place);
    let many = "case $id in 7) printf '[{}'; for n in 1 2 3; do printf ',{}'; done; echo ']'; continue;; esac";
    config(&place, &program(&place, many), "max_items = 3");
    let ended = finish(&place, process(&place, &["--json"]).start()).expect(0);
    assert_eq!(ended.json()["processors"]["echoes"]["failed"], 1);
    let found = place.store().row("SELECT found FROM extract_problems WHERE problem = 'processor'");
    assert_eq!(found, "answers 4 items for one record, more than its max_items of 3");
}

#[test]
fn what_a_program_has_started_in_a_session_of_its_own_ends_with_it() {
    let place = Place::new();
    crawled(&place);
    let path = place.path("program.sh").display().to_string();
    let stray = format!("(setsid sh -c 'sleep 1000; true {path}' >/dev/null 2>&1 &)");
    config(&place, &program(&place, &stray), "where = \"url LIKE '%/7'\"");
    // `finish` has its say about processes that are left.
    let ended = finish(&place, process(&place, &["--json"]).start()).expect(0);
    assert_eq!(ended.json()["processors"]["echoes"]["records"], 1);
}

#[test]
fn what_a_program_has_started_ends_though_its_host_is_killed() {
    let place = Place::new();
    crawled(&place);
    let (path, begun) = (place.path("program.sh").display().to_string(), place.path("begun"));
    let stray =
        format!("(setsid sh -c 'sleep 1000; true {path}' >/dev/null 2>&1 &); touch {}; sleep 1000", begun.display());
    config(&place, &program(&place, &stray), "");
    let running = process(&place, &[]).start();
    eventually("a program at work", || begun.exists());
    running.the("processors").signal(Signal::SIGKILL);
    assert_eq!(finish(&place, running).code, Some(3));
}

#[test]
fn a_program_gets_what_it_asked_for_and_another_what_it_answered() {
    let place = Place::new();
    crawled(&place);
    let log = place.path("log");
    let keep = format!("printf '%s\\n' \"$line\" >> {}", log.display());
    config(
        &place,
        &program(&place, &keep),
        "where = \"url LIKE '%/7' -- the one\"\n[[processor]]\nname = 'seconds'\ninput = 'items'\ncollection = 'echoes'\n\
         command = ['sh', '-c', 'while read -r line; do echo \"[{},{}]\"; done']",
    );
    let ended = finish(&place, process(&place, &["--json"]).start()).expect(0);
    assert_eq!(ended.json()["processors"]["seconds"]["items"], 2);
    let lines = fs::read_to_string(log).expect("a log");
    let line: serde_json::Value = serde_json::from_str(&lines).expect("one line");
    assert_eq!((&line["title"], &line["status"]), (&"/7".into(), &200.into()));
    let urls = place.store().rows("SELECT DISTINCT url FROM items");
    assert_eq!(urls, [line["url"].as_str().expect("a URL")]);
}

#[test]
fn bodies_come_as_text_or_as_a_file() {
    let place = Place::new();
    crawled(&place);
    let script = "while read -r line; do p=${line##*path\\\":\\\"}; p=${p%%\\\"*}; \
                  printf '{\"bytes\":%s}\\n' \"$(wc -c < \"$p\")\"; done";
    let path = place.write("program.sh", script);
    let file = format!("command = ['sh', '{}']\nbody = 'file'", path.display());
    place.write(
        "p.toml",
        format!("[[processor]]\nname = 'sizes'\ninput = 'bodies'\nfields = {{ bytes = 'integer' }}\n{file}"),
    );
    finish(&place, process(&place, &[]).start()).expect(0);
    let wrong = "SELECT count(*) FROM sizes s JOIN pages p ON p.url = s._url WHERE s.bytes IS NOT p.body_bytes";
    assert_eq!(place.store().number("SELECT count(*) FROM sizes"), PAGES as i64);
    assert_eq!(place.store().number(wrong), 0);
}

#[test]
fn a_record_that_ends_its_program_twice_is_kept_as_a_problem_and_the_others_are_answered() {
    let place = Place::new();
    crawled(&place);
    let log = place.path("log");
    let die =
        format!("echo x >> {}; case \"$line\" in *'/7\"'*) echo 'cannot do sevens' >&2; exit 3;; esac", log.display());
    config(&place, &program(&place, &die), "workers = 2");
    let ended = finish(&place, process(&place, &["--json"]).start()).expect(0);
    let counts = &ended.json()["processors"]["echoes"];
    assert_eq!((&counts["records"], &counts["failed"]), (&(PAGES - 1).into(), &1.into()));
    assert_eq!(fs::read_to_string(&log).expect("a log").lines().count(), PAGES + 1, "once more, and no more");
    let problems = "SELECT substr(url, -2), collection, problem, found FROM extract_problems";
    assert_eq!(place.store().rows(problems), ["/7|echoes|processor|ended (exit status: 3): cannot do sevens"]);
    // A program that can do it is asked again on request only.
    config(&place, &program(&place, ""), "");
    assert_eq!(
        finish(&place, process(&place, &["--json"]).start()).expect(0).json()["processors"]["echoes"]["records"],
        0
    );
    finish(&place, process(&place, &["--retry-failed"]).start()).expect(0);
    assert_all_answered(&place);
    assert_eq!(place.store().number("SELECT count(*) FROM extract_problems"), 0);
}

#[test]
fn a_program_that_stalls_is_replaced_with_all_it_has_started() {
    let place = Place::new();
    crawled(&place);
    let path = place.path("program.sh").display().to_string();
    let stall = format!("case \"$line\" in *'/7\"'*) sh -c 'sleep 1000; :' {path}; esac");
    config(&place, &program(&place, &stall), "workers = 2\ntimeout = '400ms'");
    let ended = finish(&place, process(&place, &["--json"]).start()).expect(0);
    assert_eq!(ended.json()["processors"]["echoes"]["failed"], 1);
    assert_eq!(place.store().rows("SELECT found FROM extract_problems"), ["did not answer within 400ms"]);
    assert_eq!(place.store().number("SELECT count(*) FROM echoes"), PAGES as i64 - 1);
}

#[test]
fn answers_that_are_none_are_problems_and_the_program_goes_on() {
    let place = Place::new();
    crawled(&place);
    let odd = "case \"$line\" in *'/7\"'*) echo 'what?'; continue;; *'/8\"'*) echo '{\"error\":\"no eights\"}'; continue;; esac";
    config(&place, &program(&place, odd), "");
    finish(&place, process(&place, &[]).start()).expect(0);
    let problems = place.store().rows("SELECT found FROM extract_problems ORDER BY url");
    assert!(problems[0].contains("no JSON") && problems[0].ends_with("what?"), "{problems:?}");
    assert_eq!(problems[1], "no eights");
    assert_eq!(place.store().number("SELECT count(*) FROM echoes"), PAGES as i64 - 2);
}

#[test]
fn a_program_that_never_works_is_given_up_and_nothing_is_lost() {
    let place = Place::new();
    crawled(&place);
    config(&place, &program(&place, "echo 'no module named spam' >&2; exit 1"), "workers = 2");
    let ended = finish(&place, process(&place, &[]).start()).expect(3);
    assert!(ended.stderr.contains("given up") && ended.stderr.contains("no module named spam"), "{}", ended.stderr);
    assert_eq!(
        place.store().row("SELECT (SELECT count(*) FROM processed), (SELECT count(*) FROM extract_problem)"),
        "0|0"
    );
    config(&place, &program(&place, ""), "");
    finish(&place, process(&place, &[]).start()).expect(0);
    assert_all_answered(&place);
}

#[test]
fn what_cannot_be_started_or_meant_is_an_error_before_anything_is_done() {
    let place = Place::new();
    crawled(&place);
    config(&place, "command = ['no-such-program-here']", "");
    process(&place, &[]).run().expect(2).says("there is no program \"no-such-program-here\"");
    config(&place, "command = ['cat']", "where = 'nonsense = 1'");
    process(&place, &[]).run().expect(2).says("no such column");
    config(&place, "command = ['cat']", "");
    process(&place, &["--only", "others"]).run().expect(2).says("it has echoes");
    place.write("p.toml", "[[processor]]\nname = 'pages'\ninput = 'pages'\ncommand = ['cat']\n");
    process(&place, &[]).run().expect(2).says("taken");
    place.seine(&["process", "none.db", "--config", "p.toml"]).run().expect(2).says("no crawl store");
    assert!(!place.path("none.db").exists());
    assert_eq!(place.store().number("SELECT count(*) FROM processed"), 0);
}

#[test]
fn a_page_that_was_fetched_again_is_processed_again() {
    let place = Place::new();
    let site = Site::new(|request| Reply::page(&request.path));
    place.list("urls.txt", site.urls(PAGES));
    place.crawl(&["urls.txt", "--quiet"]).run().expect(0);
    config(&place, &program(&place, ""), "");
    finish(&place, process(&place, &[]).start()).expect(0);
    let again = ["retry", "crawl.db", "--where", "url LIKE '%/7'", "--quiet", "--ignore-robots"];
    place.seine(&again).run().expect(0);
    let ended = finish(&place, process(&place, &["--json"]).start()).expect(0);
    assert_eq!(ended.json()["processors"]["echoes"]["records"], 1);
    assert_all_answered(&place);
}

#[test]
fn items_are_processed_again_when_their_data_has_changed_and_only_then() {
    let place = Place::new();
    let site = Site::new(|request| {
        Reply::html(format!("<h1>{0}</h1><i>{0}</i>", if request.path == "/7" { "seven" } else { "other" }))
    });
    place.list("urls.txt", site.urls(PAGES));
    let rules = |source: &str| format!("[[collection]]\nname = 'things'\n[collection.fields]\ntext = {source}\n");
    place.write("rules.toml", rules("'h1'"));
    place.crawl(&["urls.txt", "--quiet", "--config", "rules.toml"]).run().expect(0);
    place.write(
        "p.toml",
        "[[processor]]\nname = 'lengths'\ninput = 'items'\ncollection = 'things'\nfields = { length = 'integer' }\n\
         command = ['sh', '-c', 'while read -r line; do echo \"{\\\"length\\\":${#line}}\"; done']\n",
    );
    let records =
        || finish(&place, process(&place, &["--json"]).start()).expect(0).json()["processors"]["lengths"].clone();
    assert_eq!(records()["records"], PAGES);
    let extract = |file| place.seine(&["extract", "crawl.db", "--config", file]).run().expect(0);
    extract("rules.toml");
    assert_eq!(records()["records"], 0, "nothing has changed");
    // Only one page has another text by these rules.
    place.write("rules.toml", rules("{ css = 'i', regex = '(other|sev)' }"));
    extract("rules.toml");
    let again = records();
    assert_eq!((&again["records"], &again["failed"]), (&1.into(), &0.into()));
    assert_eq!(
        place.store().number("SELECT count(*) FROM lengths"),
        PAGES as i64,
        "new answers take the place of old ones"
    );
}

/// A program slow enough for something to happen while it is at it.
fn slow(place: &Place) {
    config(place, &program(place, "sleep 0.02"), "workers = 2");
}

fn assert_begun(place: &Place) {
    eventually("an answer in the store", || {
        let sql = "SELECT count(*) FROM items WHERE collection = 'echoes'";
        let store = place.store();
        store.0.prepare(sql).is_ok() && store.number(sql) > 0
    });
}

#[test]
fn stopped_it_leaves_nothing_behind_and_goes_on_with_the_rest() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let place = Place::new();
        crawled(&place);
        slow(&place);
        let running = process(&place, &[]).start();
        assert_begun(&place);
        running.signal(signal);
        finish(&place, running).expect(code).says("goes on");
        let before = place.store().number("SELECT count(*) FROM processed");
        assert!(before < PAGES as i64, "too fast to be stopped");
        let ended = finish(&place, process(&place, &["--json"]).start()).expect(0);
        assert_eq!(ended.json()["processors"]["echoes"]["records"], PAGES as i64 - before);
        assert_all_answered(&place);
    }
}

#[test]
fn whoever_is_killed_every_page_is_answered_exactly_once() {
    let mut dice = Dice::new();
    let place = Place::new();
    crawled(&place);
    slow(&place);
    let mut runs = 0;
    loop {
        runs += 1;
        let mut running = process(&place, &[]).start();
        let lives_on = !within(dice.millis(30, 400), || running.has_ended());
        let victim = ["supervisor", "writer", "processors", "program"][dice.between(0, 3) as usize];
        if lives_on && runs < 12 {
            match victim {
                "program" => {
                    if let Some(host) = running.find("processors") {
                        crate::support::family::children_of(host.pid)
                            .first()
                            .inspect(|program| program.signal(Signal::SIGKILL));
                    }
                }
                role => drop(running.find(role).inspect(|member| member.signal(Signal::SIGKILL))),
            }
            println!("killed the {victim}");
        }
        let ended = finish(&place, running);
        if ended.code == Some(0) {
            break;
        }
    }
    println!("{runs} runs");
    assert_all_answered(&place);
}

fn crawl<'a>(place: &'a Place, more: &[&str]) -> crate::support::Crawl<'a> {
    place.crawl(&["urls.txt", "--config", "p.toml", "--json"]).args(more)
}

#[test]
fn beside_a_crawl_pages_are_processed_as_they_come_and_the_crawl_ends_when_all_are() {
    let place = Place::new();
    let site = Site::new(|request| {
        let reply = Reply::page(&request.path);
        if request.path == "/7" { reply.held() } else { reply }
    });
    place.list("urls.txt", site.urls(PAGES));
    config(&place, &program(&place, ""), "workers = 2");
    let running = crawl(&place, &[]).start();
    eventually("all but one are answered while the crawl goes on", || {
        Store::try_open(&place.db()).is_ok_and(|store| {
            let sql = "SELECT count(*) FROM items WHERE collection = 'echoes'";
            store.0.query_row(sql, [], |row| row.get::<_, i64>(0)).is_ok_and(|count| count == PAGES as i64 - 1)
        })
    });
    running.the("processors");
    site.release();
    let ended = finish(&place, running).expect(0);
    assert_eq!(ended.json()["processors"]["echoes"]["records"], PAGES, "{}", ended.stderr);
    assert_all_answered(&place);
}

#[test]
fn beside_a_crawl_one_program_gets_what_another_answers() {
    let place = Place::new();
    let site = Site::new(|request| Reply::page(&request.path));
    place.list("urls.txt", site.urls(PAGES));
    let second = "[[processor]]\nname = 'seconds'\ninput = 'items'\ncollection = 'echoes'\n\
                  command = ['sh', '-c', 'while read -r line; do echo \"[{},{}]\"; done']";
    config(&place, &program(&place, ""), second);
    let ended = finish(&place, crawl(&place, &[]).start()).expect(0);
    assert_eq!(ended.json()["processors"]["seconds"]["items"], 2 * PAGES, "{}", ended.stderr);
    assert_eq!(place.store().number("SELECT count(*) FROM seconds"), 2 * PAGES as i64);
}

#[test]
fn a_crawl_with_processors_may_be_killed_anywhere_and_each_page_is_answered_once() {
    let mut dice = Dice::new();
    let place = Place::new();
    let site = Site::with_hosts(3, |request| Reply::page(&request.path).after(std::time::Duration::from_millis(20)));
    place.list("urls.txt", site.urls(PAGES));
    slow(&place);
    let (mut runs, mut kills) = (0, 0);
    loop {
        runs += 1;
        let mut running = crawl(&place, &[]).start();
        for _ in 0..3 {
            let lives_on = !within(dice.millis(50, 400), || running.has_ended());
            if lives_on && runs < 8 {
                kills += 1;
                let role =
                    ["supervisor", "writer", "processors", "fetcher 0", "processors"][dice.between(0, 4) as usize];
                running.find(role).inspect(|member| member.signal(Signal::SIGKILL));
                println!("killed the {role}");
            }
        }
        let ended = finish(&place, running);
        if ended.code == Some(0) {
            break;
        }
        assert!(runs < 20, "never ends: {}", ended.stderr);
    }
    println!("{runs} runs, {kills} kills");
    assert_all_answered(&place);
    assert_eq!(place.store().number("SELECT count(*) FROM runs"), 1, "all of it is one run");
}

#[test]
fn stopped_while_only_processors_are_at_work_a_crawl_goes_on_with_them() {
    let place = Place::new();
    let site = Site::new(|request| Reply::page(&request.path));
    place.list("urls.txt", site.urls(PAGES));
    config(&place, &program(&place, "sleep 0.1"), "");
    let running = crawl(&place, &[]).start();
    eventually("every page is in the store, and an answer", || {
        Store::try_open(&place.db()).is_ok_and(|store| {
            let sql = "SELECT (SELECT count(*) FROM page) = 60 AND EXISTS (SELECT 1 FROM processed)";
            store.0.query_row(sql, [], |row| row.get(0)).unwrap_or(false)
        })
    });
    running.signal(Signal::SIGTERM);
    finish(&place, running).expect(143);
    assert!(place.store().number("SELECT count(*) FROM processed") < PAGES as i64);
    config(&place, &program(&place, ""), "");
    finish(&place, crawl(&place, &[]).start()).expect(0);
    assert_all_answered(&place);
    assert_eq!(site.count(), PAGES, "no page was asked for twice");
}

#[test]
fn a_crawl_whose_processors_make_no_sense_does_not_go_on() {
    let place = Place::new();
    let site = Site::new(|request| Reply::page(&request.path));
    place.list("urls.txt", site.urls(PAGES));
    config(&place, "command = ['no-such-program-here']", "");
    crawl(&place, &[]).run().expect(2).says("there is no program");
    assert!(!place.db().exists());
    config(&place, "command = ['cat']", "where = 'nonsense = 1'");
    finish(&place, crawl(&place, &[]).start()).expect(2).says("no such column");
    config(&place, &program(&place, "exit 1"), "");
    let ended = finish(&place, crawl(&place, &["--quiet"]).start()).expect(3).says("given up");
    assert_eq!(ended.json()["processors"]["echoes"]["records"], 0);
    assert_eq!(place.store().row("SELECT count(*), (SELECT count(*) FROM processed) FROM pages"), format!("{PAGES}|0"));
}

/// The example configs name their programs by paths from the top of the repository.
fn example(place: &Place, name: &str) -> crate::support::Ended {
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(top.join("config/processors").join(name)).expect("an example");
    place.write("p.toml", text.replace("config/processors/", &format!("{}/config/processors/", top.display())));
    process(place, &["--json"]).run().expect(0)
}

#[test]
fn the_language_example_tells_languages() {
    if !crate::support::crawl::is_permitted("python3", &["--version"]) {
        return;
    }
    let place = Place::new();
    let site = Site::new(|request| match request.path.as_str() {
        "/0" => Reply::html("<p>This is the page that you see. And that is all of it.<script>var der = die;</script>"),
        "/1" => Reply::html("<p>Das ist die Seite, und der Rest ist nicht da."),
        _ => Reply::html("").header("X", "y"),
    });
    place.list("urls.txt", site.urls(2));
    place.crawl(&["urls.txt", "--quiet"]).run().expect(0);
    let ended = example(&place, "language.toml");
    assert_eq!(ended.json()["processors"]["language"]["records"], 2);
    let rows = place.store().rows("SELECT lang, words, sentences FROM language ORDER BY _url");
    assert_eq!(rows, ["en|13|2", "de|10|1"]);
}

#[test]
fn the_video_example_cuts_frames_and_looks_at_each() {
    let tools = [("ffmpeg", "-version"), ("python3", "--version")];
    if !tools.iter().all(|(tool, version)| crate::support::crawl::is_permitted(tool, &[version])) {
        return;
    }
    let place = Place::new();
    let film = place.path("film.mp4");
    // Three seconds of black, then three of white.
    let parts = "color=black:s=160x90:d=3[a];color=white:s=160x90:d=3[b];[a][b]concat";
    let made = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", parts, "-r", "10"])
        .arg(&film)
        .status();
    assert!(made.expect("ffmpeg is there").success());
    let bytes = fs::read(&film).expect("a film");
    let site = Site::new(move |request| match request.path.as_str() {
        "/0" => Reply::bytes("video/mp4", bytes.clone()),
        "/1" => Reply::bytes("video/mp4", "no film at all"),
        _ => Reply::page("no film"),
    });
    place.list("urls.txt", site.urls(3));
    place.crawl(&["urls.txt", "--quiet"]).run().expect(0);
    let ended = example(&place, "video.toml");
    assert_eq!(ended.json()["processors"]["frames"]["items"], 6, "{}", ended.stderr);
    assert_eq!(ended.json()["processors"]["frames"]["failed"], 1);
    let rows = place.store().rows("SELECT second, round(brightness), plain FROM brightness ORDER BY second");
    assert_eq!(rows, ["0|0|1", "1|0|1", "2|0|1", "3|1|1", "4|1|1", "5|1|1"]);
    let problem = place.store().row("SELECT url, collection FROM extract_problems");
    assert!(problem.ends_with("/1|frames"), "{problem}");
}
