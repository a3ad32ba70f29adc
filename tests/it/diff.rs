//! What differs between two runs: told right, whatever the runs were, and harmless to whoever reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Dice, Place, Reply, Request, Site};
use rusqlite::Connection;
use serde_json::{Value, json};

const RULES: &str = r##"
[[collection]]
name = "things"
each = "li.thing"
key = ["id"]
[collection.fields]
id = ".id"
price = { css = ".price", type = "number" }
specs = { each = ".spec", fields = { name = "b", value = "i" } }

[[collection]]
name = "cards"
each = "p.card"
[collection.fields]
text = ".text"
"##;

const ARGUMENTS: [&str; 9] =
    ["urls.txt", "--delay", "0", "--config", "rules.toml", "--retries", "0", "--host-failures", "0"];

/// A site that answers as `answer` has it for its present version.
fn changing(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> (Site, Arc<AtomicUsize>) {
    let version = Arc::new(AtomicUsize::new(1));
    let of_site = Arc::clone(&version);
    (Site::new(move |request| answer(request, of_site.load(Ordering::SeqCst))), version)
}

fn thing(id: &str, price: f64, weight: &str) -> String {
    format!(
        "<li class=thing><b class=id>{id}</b><i class=price>{price}</i>\
         <span class=spec><b>weight</b><i>{weight}</i></span></li>"
    )
}

fn card(text: &str) -> String {
    format!("<p class=card><b class=text>{text}</b></p>")
}

/// Pages: 0 has things, 1 has cards, 2 goes, 3 fails, 4 comes, 5 stays (304).
fn shop(request: &Request, version: usize) -> Reply {
    let first = version == 1;
    match request.number() {
        0 if first => Reply::html(thing("a", 12.99, "2 kg") + &thing("b", 1.0, "1 g")),
        0 => Reply::html(thing("a", 9.99, "3 kg") + &thing("c", 2.5, "1 g")),
        1 if first => Reply::html(card("one") + &card("two") + &card("\u{1b}[2Jthree")),
        1 => Reply::html(card("=zero") + &card("one") + &card("two") + &card("&lt;three>")),
        2 if first => Reply::html(thing("d", 4.0, "1 t")),
        2 => Reply::status(404),
        3 if first => Reply::html("<title>three</title>"),
        3 => Reply::hang_up(),
        4 if first => Reply::status(404),
        4 => Reply::html("<title>four</title>"),
        _ if request.headers.contains_key("if-none-match") => Reply::status(304),
        _ => Reply::html("<title>five</title>").header("ETag", "\"5\""),
    }
}

/// The shop, crawled twice.
fn crawled_twice() -> (Site, Place) {
    let ((site, version), place) = (changing(shop), Place::new());
    place.write("rules.toml", RULES);
    place.list("urls.txt", site.urls(6));
    place.crawl(&ARGUMENTS).run().expect(0);
    version.store(2, Ordering::SeqCst);
    place.crawl(&ARGUMENTS).run().expect(0);
    (site, place)
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// `seine diff ARGUMENTS --format json`, with its exit code held against what it says.
fn diff(place: &Place, arguments: &[&str]) -> Value {
    let ended = place.seine(&["diff", "crawl.db", "--format", "json"]).args(arguments).run();
    let json = ended.json();
    let counts = json["counts"].as_object().expect("counts");
    let differs = counts.values().any(|count| count.as_u64().is_some_and(|count| count > 0));
    assert_eq!(ended.code, Some(i32::from(differs)), "{json}");
    let told = |name: &str| json[name].as_array().map_or(0, Vec::len) as u64;
    let sum = |is_item: bool| {
        counts
            .iter()
            .filter(|(name, _)| name.starts_with("items_") == is_item)
            .filter_map(|(_, n)| n.as_u64())
            .sum::<u64>()
    };
    if json.get("pages").is_some() {
        assert_eq!((told("pages"), told("items")), (sum(false), sum(true)), "{json}");
    }
    json
}

#[test]
fn pages_are_told_one_by_one_and_items_field_by_field() {
    let (site, place) = crawled_twice();
    let url = |number: usize| site.urls(6)[number].clone();
    let ended = place.seine(&["diff"]).run().expect(1);
    let text = text_of(&ended.stdout);
    let expected = format!(
        "  pages  1 new, 2 changed, 1 gone, 0 back, 1 of another status
  items  3 added, 1 changed, 3 removed
changed  {0}
changed  {1}
gone     {2}  404
status   {3}  200 → failed: {error}
new      {4}  404 → 200
",
        url(0),
        url(1),
        url(2),
        url(3),
        url(4),
        error = place.store().row("SELECT error FROM pages WHERE outcome = 'failed'"),
    );
    assert!(text.contains(&expected), "{text}\nshould have\n{expected}");
    for part in [
        format!(
            "changed  things a  {}\n         price 12.99 → 9.99\n         specs[0].value \"2 kg\" → \"3 kg\"\n",
            url(0)
        ),
        format!("removed  things b  {}\n", url(0)),
        format!("removed  things d  {}\n", url(2)),
        format!("added    things c  {}\n", url(0)),
        format!("added    cards #0  {}\n         {{\"text\":\"=zero\"}}\n", url(1)),
        format!("removed  cards #2  {}\n", url(1)),
        format!("added    cards #3  {}\n", url(1)),
    ] {
        assert!(text.contains(&part), "{text}\nshould have\n{part}");
    }
    assert!(!text.contains('\u{1b}'), "{text:?}");

    let json = diff(&place, &[]);
    let page = &json["pages"][2];
    assert_eq!((&page["change"], &page["before"]["status"]), (&"gone".into(), &200.into()));
    assert_eq!((&page["after"]["status"], &page["unlisted"]), (&404.into(), &false.into()));
    let changed = json["items"].as_array().expect("items").iter().find(|item| item["change"] == "changed");
    let changed = changed.expect("a changed item");
    assert_eq!(changed["key"], json!({"id": "a"}));
    assert_eq!(
        changed["fields"],
        json!([{"path": "price", "before": 12.99, "after": 9.99},
               {"path": "specs[0].value", "before": "2 kg", "after": "3 kg"}])
    );
}

#[test]
fn what_is_told_can_be_chosen() {
    let (site, place) = crawled_twice();
    let counts = |arguments: &[&str]| diff(&place, arguments)["counts"].clone();
    assert_eq!(counts(&["--only", "items"]), json!({"items_added": 3, "items_changed": 1, "items_removed": 3}));
    assert_eq!(counts(&["--collection", "cards"]), json!({"items_added": 2, "items_changed": 0, "items_removed": 1}));
    assert_eq!(counts(&["--where", "url LIKE '%/0'", "--only", "pages"])["changed"], 1);
    assert_eq!(counts(&["--where", "url LIKE '%/0'"])["items_added"], 1);
    assert_eq!(counts(&["--where", "FALSE"])["new"], 0);
    assert_eq!(diff(&place, &["--summary"]).get("pages"), None);
    let text = text_of(&place.seine(&["diff", "--limit", "1"]).run().expect(1).stdout);
    assert!(
        text.contains("... and 1 more changed; --limit 0") && text.contains("... and 2 more added, 2 more removed;"),
        "{text}"
    );
    let usage = |arguments: &[&str], says: &str| {
        let ended = place.seine(&["diff", "crawl.db"]).args(arguments).run().expect(2);
        assert!(ended.stdout.is_empty());
        ended.says(says);
    };
    usage(&["--collection", "nothing"], "there is no collection nothing");
    usage(&["--where", "TRUE) OR (TRUE"], "--where is no condition");
    usage(&["--from", "7"], "there is no run 7");
    usage(&["--from", "last", "--to", "last-1"], "run 2 comes after run 1");
    usage(&["--from", "first"], "must be the number of a run");
    usage(&["--run", "1", "--run", "2", "--run", "2"], "two runs at most");
    usage(&["-o", "crawl.db"], "belongs to the store");
    usage(&["--format", "json", "--limit", "3"], "--limit is for text");
    usage(&["--url", "https://elsewhere.example/"], "is not in crawl.db");
    drop(site);
}

#[test]
fn runs_are_named_in_many_ways_and_one_alone_cannot_be_compared() {
    let ((site, version), place) = (changing(shop), Place::new());
    place.write("rules.toml", RULES);
    place.list("urls.txt", site.urls(6));
    place.seine(&["diff"]).run().expect(2).says("no crawl store");
    place.crawl(&ARGUMENTS).run().expect(0);
    place.seine(&["diff"]).run().expect(2).says("no complete run before run 1");
    version.store(2, Ordering::SeqCst);
    place.crawl(&ARGUMENTS).run().expect(0);
    place.crawl(&ARGUMENTS).run().expect(0);
    let runs = |arguments: &[&str]| {
        let json = diff(&place, arguments);
        (json["from"]["run_id"].as_i64(), json["to"]["run_id"].as_i64(), json["counts"]["changed"].as_i64())
    };
    let second_against_first = (Some(1), Some(2), Some(2));
    assert_eq!(runs(&[]), (Some(2), Some(3), Some(0)));
    assert_eq!(place.seine(&["diff"]).run().code, Some(0), "two equal runs");
    assert_eq!(runs(&["--from", "1"]), (Some(1), Some(3), Some(2)));
    assert_eq!(runs(&["--run", "last-2"]), (Some(1), Some(3), Some(2)));
    assert_eq!(runs(&["--to", "2"]), second_against_first);
    assert_eq!(runs(&["--to", "last-1"]), second_against_first);
    assert_eq!(runs(&["--run", "1", "--run", "2"]), second_against_first);
    assert_eq!(runs(&["--from", "last", "--to", "last"]), (Some(3), Some(3), Some(0)));
}

#[test]
fn a_run_that_is_not_complete_tells_of_nothing_that_it_is_gone() {
    let ((site, version), place) = (changing(shop), Place::new());
    place.write("rules.toml", RULES);
    place.list("urls.txt", site.urls(6));
    place.crawl(&ARGUMENTS).run().expect(0);
    version.store(2, Ordering::SeqCst);
    place.crawl(&ARGUMENTS).args(&["--limit", "5"]).run().expect(3);
    place.seine(&["diff"]).run().expect(2).says("no complete run before run 1");
    let json = diff(&place, &["--from", "1", "--to", "2"]);
    assert_eq!((&json["counts"]["gone"], &json["counts"]["changed"]), (&Value::Null, &2.into()));
    // What an answer said is told all the same; that things are gone is not.
    assert_eq!((&json["counts"]["status"], &json["counts"]["items_removed"]), (&2.into(), &1.into()));
    assert_eq!(json["notes"], json!(["run 2 is not complete: what is gone cannot be told"]));
}

#[test]
fn what_a_list_names_no_more_is_gone_and_what_it_names_again_is_there() {
    let ((site, _), place) = (changing(|request, _| shop(request, 1)), Place::new());
    place.write("rules.toml", RULES);
    for count in [6, 1, 6] {
        place.list("urls.txt", site.urls(count));
        place.crawl(&ARGUMENTS).run().expect(0);
        if count == 1 {
            let json = diff(&place, &[]);
            // Of five URLs one was a 404 before.
            assert_eq!((&json["counts"]["gone"], &json["counts"]["status"]), (&4.into(), &0.into()));
            assert!(json["pages"].as_array().expect("pages").iter().all(|page| page["unlisted"] == true), "{json}");
            assert_eq!(json["counts"]["items_removed"], 4);
        }
    }
    assert_eq!(diff(&place, &["--from", "1"])["counts"]["gone"], 0);
}

#[test]
fn texts_are_compared_as_far_as_they_are_kept() {
    let page = |version: usize| {
        let line = |number: usize| {
            let version = if number == 4 { version } else { 1 };
            format!(
                "<p>Paragraph {number} of the article, of which this is version {version}, long enough to be one.</p>"
            )
        };
        format!("<title>t</title><article>{}</article>", (1..9).map(line).collect::<String>())
    };
    let (site, version) = changing(move |request, version| match request.number() {
        0 => Reply::html(page(version)),
        1 => Reply::bytes("application/json", format!("{{\"a\":{version},\"b\":[1]}}")),
        2 => Reply::bytes("image/png", format!("{version}")),
        _ if version == 2 => Reply::hang_up(),
        _ => Reply::bytes("text/plain", format!("a\nb\nversion {version}\n")),
    });
    let place = Place::new();
    place.write("rules.toml", "");
    place.list("urls.txt", site.urls(4));
    for number in 1..=3 {
        version.store(number, Ordering::SeqCst);
        place.crawl(&ARGUMENTS).run().expect(0);
    }
    let json = diff(&place, &["--only", "text", "--from", "1"]);
    let pages = json["pages"].as_array().expect("pages");
    assert_eq!(pages.len(), 4);
    let text = |at: usize| pages[at]["text_diff"].as_str().unwrap_or_else(|| panic!("{}", pages[at]));
    assert!(text(0).starts_with("--- run 1\n+++ run 3\n@@ ") && text(0).contains("\n-Paragraph 4 of"), "{}", text(0));
    assert!(!text(0).contains("Paragraph 1 of") && text(0).contains("\n Paragraph 3 of"), "{}", text(0));
    assert!(text(1).contains("-  \"a\": 1,\n+  \"a\": 3,\n"), "{}", text(1));
    assert_eq!(pages[2]["text_note"], "it is no text");
    assert_eq!(text(3), "--- run 1\n+++ run 3\n@@ -1,3 +1,3 @@\n a\n b\n-version 1\n+version 3\n");

    // One URL from fetch to fetch: the failure in between is told, and is no version.
    let url = site.urls(4)[3].clone();
    let told = text_of(&place.seine(&["diff", "crawl.db", "--url", &url]).run().expect(1).stdout);
    let states: Vec<_> =
        told.lines().filter(|line| line.starts_with("  run ")).map(|line| line.rsplit("  ").next()).collect();
    assert_eq!(states, [Some("fetched"), Some("status"), Some("back")], "{told}");
    assert!(told.contains("    -version 1\n    +version 3\n"), "{told}");
    let told =
        place.seine(&["diff", "crawl.db", "--url", &url, "--format", "json", "--to", "2"]).run().expect(1).json();
    assert_eq!(told["versions"].as_array().map(Vec::len), Some(2), "{told}");

    let db = Connection::open(place.db()).expect("the store");
    db.execute_batch("UPDATE body SET zstd = NULL").expect("bodies are pruned");
    drop(db);
    let json = diff(&place, &["--only", "text", "--from", "1"]);
    assert_eq!(json["pages"][0]["text_note"], "a version of its body is not kept");
}

#[test]
fn files_are_whole_and_texts_of_sites_are_texts() {
    let (_site, place) = crawled_twice();
    place.seine(&["diff", "crawl.db", "-o", "changes.csv", "--spreadsheet-safe"]).run().expect(1);
    let csv = std::fs::read_to_string(place.path("changes.csv")).expect("a file");
    assert!(csv.starts_with("what,change,url,collection,key,number,field,before,after,text_diff\r\n"), "{csv}");
    assert!(csv.contains(",things,\"{\"\"id\"\":\"\"a\"\"}\",,price,12.99,9.99,\r\n"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + 5 + 3 + 2 + 3);
    place.seine(&["diff", "crawl.db", "-o", "changes.html", "--text"]).run().expect(1);
    let html = std::fs::read_to_string(place.path("changes.html")).expect("a file");
    assert!(html.contains("&lt;three&gt;") && !html.contains("<three>"), "{html}");
    crate::report::assert_closed(&html);
    assert!(html.find("id=\"items\"") < html.find("id=\"pages\""), "items come first: {html}");
    assert!(
        html.contains("<td>specs[0].value</td><td><del><b>2</b> kg</del></td><td><ins><b>3</b> kg</ins></td>"),
        "{html}"
    );
    assert!(html.contains("default-src 'none'") && !html.contains("<script") && html.ends_with("</html>\n"), "{html}");
    place.seine(&["diff", "crawl.db", "-o", "changes.json.gz"]).run().expect(1);
    place.seine(&["diff", "crawl.db", "-o", "nowhere/changes.json"]).run().expect(2).says("cannot write");
    let names = std::fs::read_dir(place.path(".")).expect("a folder").flatten().map(|entry| entry.file_name());
    let partial: Vec<_> = names.filter(|name| name.to_string_lossy().ends_with(".partial")).collect();
    assert!(partial.is_empty(), "{partial:?}");
    // Whoever reads the pipe may stop.
    place.seine(&["diff", "crawl.db", "--limit", "0"]).under(&["sh", "-c", "\"$@\" | head -n 1", "sh"]).run().expect(0);
}

#[test]
fn a_crawl_is_not_disturbed() {
    let (site, version) = changing(|request, version| match version {
        3 => Reply::html(format!("<title>{}</title>", request.number())).after(Duration::from_millis(40)),
        _ => Reply::html(format!("<title>{version}</title>")),
    });
    let place = Place::new();
    place.write("rules.toml", RULES);
    place.list("urls.txt", site.urls(40));
    for number in 1..=2 {
        version.store(number, Ordering::SeqCst);
        place.crawl(&ARGUMENTS).run().expect(0);
    }
    version.store(3, Ordering::SeqCst);
    let running = place.crawl(&ARGUMENTS).start();
    site.wait_for_hits(90);
    let ended = place.seine(&["diff", "crawl.db", "--format", "json"]).beside().run().expect(1);
    // The last complete runs, as they were, whatever was fetched since.
    assert_eq!((&ended.json()["to"]["run_id"], &ended.json()["counts"]["changed"]), (&2.into(), &40.into()));
    running.wait().expect(0);
    place.store().assert_sound();
}

/// What a page of the random site is in one run.
#[derive(Clone, Debug, PartialEq)]
enum State {
    Ok { things: BTreeMap<String, u64>, cards: Vec<u64> },
    Status(u16),
    HangsUp,
}

fn random_state(dice: &mut Dice, page: usize, before: Option<&State>) -> State {
    match dice.between(0, 9) {
        0 => State::Status(404),
        1 => State::Status(410),
        2 => State::Status(500),
        3 => State::HangsUp,
        4..=6 if before.is_some() => before.cloned().expect("asked above"),
        _ => {
            let things = (0..4).filter(|_| dice.between(0, 2) > 0).map(|id| format!("{page}-{id}")).collect::<Vec<_>>();
            let cards = (0..dice.between(0, 4)).map(|_| dice.between(0, 3)).collect();
            State::Ok { things: things.into_iter().map(|id| (id, dice.between(0, 2))).collect(), cards }
        }
    }
}

fn answer(state: &State, request: &Request) -> Reply {
    match state {
        State::Status(status) => Reply::status(*status),
        State::HangsUp => Reply::hang_up(),
        State::Ok { things, cards } => {
            let mut body = String::from("<title>t</title>");
            for (id, price) in things {
                let _ = write!(body, "<li class=thing><b class=id>{id}</b><i class=price>{price}</i></li>");
            }
            body.extend(cards.iter().map(|text| card(&text.to_string())));
            let tag = format!("\"{:x}\"", body.len() * 1000 + body.bytes().map(usize::from).sum::<usize>());
            // Every other page can be asked whether it has changed.
            let is_asked = request.headers.get("if-none-match") == Some(&format!("{tag}{body:?}"));
            let reply = if is_asked { Reply::status(304) } else { Reply::html(body.clone()) };
            if request.number().is_multiple_of(2) { reply.header("ETag", format!("{tag}{body:?}")) } else { reply }
        }
    }
}

/// The states of one page in each run, and what follows from them.
struct Model<'a>(&'a [State]);

impl Model<'_> {
    fn last_ok(&self, run: usize) -> Option<usize> {
        (1..=run).rev().find(|run| matches!(self.0[run - 1], State::Ok { .. }))
    }

    fn is_gone(&self, run: usize) -> bool {
        let telling = (1..=run).rev().find(|run| !matches!(self.0[run - 1], State::HangsUp | State::Status(500)));
        telling.is_some_and(|run| matches!(self.0[run - 1], State::Status(404 | 410)))
    }

    fn page(&self, from: usize, to: usize) -> Option<&'static str> {
        let (before, after) = (&self.0[from - 1], &self.0[to - 1]);
        match (before, after) {
            _ if before == after => None,
            (State::Ok { .. }, State::Ok { .. }) => Some("changed"),
            (State::Ok { .. }, State::Status(404 | 410)) => Some("gone"),
            (_, State::Ok { .. }) => Some(if self.last_ok(from).is_some() { "back" } else { "new" }),
            _ => Some("status"),
        }
    }

    fn things(&self, run: usize) -> BTreeMap<String, u64> {
        if self.is_gone(run) {
            return BTreeMap::new();
        }
        let found = |run: usize| match &self.0[run - 1] {
            State::Ok { things, .. } => Some(things),
            _ => None,
        };
        let ids: BTreeSet<_> = (1..=run).filter_map(found).flat_map(BTreeMap::keys).collect();
        let all = ids.into_iter().filter_map(|id| {
            // Once it came again nothing tells that it was away.
            let last =
                (1..=self.0.len()).rev().find(|run| found(*run).is_some_and(|things| things.contains_key(id)))?;
            let missed = (last + 1..=self.0.len()).find(|run| found(*run).is_some());
            let value = (1..=run).rev().find_map(|run| found(run)?.get(id))?;
            (missed.is_none_or(|missed| missed > run)).then(|| (id.clone(), *value))
        });
        all.collect()
    }

    fn cards(&self, run: usize) -> Vec<u64> {
        match self.last_ok(run).map(|run| &self.0[run - 1]) {
            Some(State::Ok { cards, .. }) if !self.is_gone(run) => cards.clone(),
            _ => Vec::new(),
        }
    }

    /// Lines of what differs in the items.
    fn items(&self, from: usize, to: usize, lines: &mut Vec<String>) {
        let (before, after) = (self.things(from), self.things(to));
        for id in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
            match (before.get(id), after.get(id)) {
                (Some(before), Some(after)) if before != after => lines.push(format!("{id} {before} {after}")),
                (Some(_), None) => lines.push(format!("{id} removed")),
                (None, Some(_)) => lines.push(format!("{id} added")),
                _ => {}
            }
        }
        let numbered = |cards: Vec<u64>| cards.into_iter().enumerate().collect::<Vec<_>>();
        let (mut before, mut after) = (numbered(self.cards(from)), numbered(self.cards(to)));
        // Equal ones in pairs, the first of them first.
        let mut at = 0;
        while at < after.len() {
            match before.iter().position(|(_, text)| *text == after[at].1) {
                Some(pair) => drop((before.remove(pair), after.remove(at))),
                None => at += 1,
            }
        }
        for number in 0..5 {
            let of = |cards: &[(usize, u64)]| cards.iter().find(|(other, _)| *other == number).map(|(_, text)| *text);
            match (of(&before), of(&after)) {
                (Some(before), Some(after)) => lines.push(format!("card {number} {before} {after}")),
                (Some(before), None) => lines.push(format!("card {number} {before} removed")),
                (None, Some(after)) => lines.push(format!("card {number} {after} added")),
                (None, None) => {}
            }
        }
    }
}

/// Lines of what is told of items.
fn told_items(json: &Value, lines: &mut Vec<String>) {
    let number = |value: &Value| value.as_f64().map(|number| number.to_string()).unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned).unwrap_or_default();
    for item in json["items"].as_array().expect("items") {
        let change = item["change"].as_str().expect("a change");
        let which = match item["key"]["id"].as_str() {
            Some(id) => id.to_owned(),
            None => format!("card {}", item["number"]),
        };
        let field = &item["fields"][0];
        lines.push(match (change, item["collection"].as_str()) {
            ("changed", Some("things")) => format!("{which} {} {}", number(&field["before"]), number(&field["after"])),
            ("changed", _) => format!("{which} {} {}", text(&field["before"]), text(&field["after"])),
            (_, Some("things")) => format!("{which} {change}"),
            _ => format!("{which} {} {change}", text(&item["data"]["text"])),
        });
    }
}

#[test]
fn any_two_runs_of_a_random_site_differ_as_its_states_do() {
    const PAGES: usize = 16;
    const RUNS: usize = 5;
    let mut dice = Dice::new();
    let now = Arc::new(Mutex::new(Vec::<State>::new()));
    let of_site = Arc::clone(&now);
    let site = Site::new(move |request| {
        let states = of_site.lock().expect("no thread panics with it");
        states.get(request.number()).map_or_else(|| Reply::status(404), |state| answer(state, request))
    });
    let place = Place::new();
    place.write("rules.toml", RULES);
    place.list("urls.txt", site.urls(PAGES));
    let mut states: Vec<Vec<State>> = vec![Vec::new(); PAGES];
    for _ in 0..RUNS {
        for (page, states) in states.iter_mut().enumerate() {
            let next = random_state(&mut dice, page, states.last());
            states.push(next);
        }
        *now.lock().expect("no thread panics with it") =
            states.iter().map(|states| states.last().expect("one was added").clone()).collect();
        assert!(matches!(place.crawl(&ARGUMENTS).run().code, Some(0 | 1)));
    }
    place.store().assert_sound();
    for (from, to) in (1..RUNS).flat_map(|from| (from + 1..=RUNS).map(move |to| (from, to))) {
        let json = diff(&place, &["--from", &from.to_string(), "--to", &to.to_string()]);
        let (mut pages, mut items) = (Vec::new(), Vec::new());
        for (page, states) in states.iter().enumerate() {
            let model = Model(states);
            pages.extend(model.page(from, to).map(|change| format!("{} {change}", site.urls(PAGES)[page])));
            model.items(from, to, &mut items);
        }
        let told = json["pages"].as_array().expect("pages").iter();
        let told: Vec<_> = told
            .map(|page| {
                format!("{} {}", page["url"].as_str().unwrap_or_default(), page["change"].as_str().unwrap_or_default())
            })
            .collect();
        assert_eq!(told, pages, "pages of run {to} against {from}");
        let mut told = Vec::new();
        told_items(&json, &mut told);
        told.sort();
        items.sort();
        assert_eq!(told, items, "items of run {to} against {from}: {states:#?}");
    }
}
