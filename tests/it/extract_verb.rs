//! `seine extract`: rules applied again to stored bodies; whoever is killed, all has changed or nothing.

use std::fs;

use crate::support::{Crawl, Dice, Place, Reply, Running, Signal, Site, Store, within};

const PAGES: usize = 200;

const RULES: &str = r#"
[[collection]]
name = "products"
key  = ["sku"]
[collection.fields]
sku   = { css = ".sku", required = true }
title = "h1"
price = { css = ".price", type = "number" }

[[collection]]
name = "notes"
each = "li"
[collection.fields]
text = { css = "b" }
"#;

/// As [`RULES`], but prices are found elsewhere, products have one field more, and some notes are none.
const NEW_RULES: &str = r#"
[[collection]]
name = "products"
key  = ["sku"]
[collection.fields]
sku   = { css = ".sku", required = true }
title = "h1"
price = { css = ".new", type = "number" }
shop  = { css = "title" }

[[collection]]
name = "notes"
each = "li.kept"
[collection.fields]
text = { css = "b" }
"#;

/// Everything rules have made, in all columns.
const EVERYTHING: [&str; 4] = [
    "SELECT *, hex(key) FROM item ORDER BY item_id",
    "SELECT url, collection, item, field, problem, found FROM extract_problems ORDER BY 1, 2, 3, 4",
    "SELECT * FROM field_rate ORDER BY 1, 2, 3",
    "SELECT name, sql FROM sqlite_schema ORDER BY 1",
];

fn everything(store: &Store) -> Vec<String> {
    EVERYTHING.iter().flat_map(|sql| store.rows(sql)).collect()
}

/// A store of 200 pages with 100 products, each on two pages, and three notes a page.
fn crawled(place: &Place, arguments: &[&str]) {
    let site = Site::with_hosts(2, |request| {
        let number = request.number();
        let price = if number % 10 == 0 { "sold out".to_owned() } else { number.to_string() };
        let filling = "<p>Some text that makes a page of it.".repeat(200);
        Reply::html(format!(
            "<title>Shop</title><h1>Thing {number}</h1><i class=sku>s{}</i><i class=price>{price}</i><i class=new>{number}.5</i>\
             <ul><li class=kept><b>one</b><li><b>two</b><li class=kept><b>three</b></ul>{filling}",
            number % 100
        ))
    });
    place.write("rules.toml", RULES);
    place.write("new.toml", NEW_RULES);
    place.list("urls.txt", site.urls(PAGES));
    place.crawl(&["urls.txt", "--quiet", "--config", "rules.toml"]).args(arguments).run().expect(0);
}

fn extract<'a>(place: &'a Place, config: &str, more: &[&str]) -> Crawl<'a> {
    place.seine(&["extract", "crawl.db", "--config", config, "--workers", "2"]).args(more)
}

fn extractors(running: &Running<'_>) -> Vec<crate::support::Member> {
    running.family().into_iter().filter(|member| member.title.starts_with("seine: extractor ")).collect()
}

#[test]
fn the_same_rules_change_nothing() {
    let place = Place::new();
    crawled(&place, &[]);
    let before = everything(&place.store());
    let ended = extract(&place, "rules.toml", &["--json"]).run().expect(0);
    let json = ended.json();
    assert_eq!((&json["pages"], &json["applied"], &json["problems"]), (&PAGES.into(), &true.into(), &20.into()));
    for (collection, same) in [("products", 100), ("notes", 3 * PAGES)] {
        let counts = ["added", "removed", "changed", "same"].map(|kind| json["collections"][collection][kind].as_u64());
        assert_eq!(counts, [Some(0), Some(0), Some(0), Some(same as u64)], "{collection}");
    }
    assert_eq!(place.store_files(), ["crawl.db"]);
    assert_eq!(everything(&place.store()), before);
}

#[test]
fn a_diff_shows_what_other_rules_change_and_changes_nothing() {
    let place = Place::new();
    crawled(&place, &[]);
    let before = everything(&place.store());
    let ended = extract(&place, "new.toml", &["--diff"]).run().expect(0);
    let text = String::from_utf8(ended.stdout).expect("text");
    assert!(text.contains("products: 0 added, 0 removed, 100 changed, 0 the same"), "{text}");
    assert!(
        text.contains("notes: 200 added") || text.contains("notes: 0 added, 200 removed, 200 changed, 200 the same"),
        "{text}"
    );
    assert!(text.contains("shop: null → \"Shop\"") && text.contains("nothing was changed"), "{text}");
    assert!(!text.contains(" % of "), "all fields are found: {text}");
    let json = extract(&place, "new.toml", &["--diff", "--json"]).run().expect(0).json();
    let example = &json["collections"]["products"]["examples"]["changed"][0];
    assert!(example["fields"]["price"]["new"].as_f64().is_some_and(|price| price.fract() == 0.5), "{example}");
    assert_eq!((&example["fields"]["shop"]["new"], example["fields"].get("title")), (&"Shop".into(), None));
    assert_eq!(json["collections"]["products"]["examples"]["changed"].as_array().map(Vec::len), Some(5));
    assert_eq!((&json["applied"], &json["problems"]), (&false.into(), &0.into()));
    assert_eq!(everything(&place.store()), before);
}

#[test]
fn a_body_larger_than_max_body_is_not_read_whatever_the_store_says() {
    let place = Place::new();
    crawled(&place, &[]);
    let bomb = zstd::bulk::compress(&vec![b' '; 64 << 20], 1).expect("packed");
    assert!(bomb.len() < 100_000);
    // One says how large it is, the other does not.
    let db = rusqlite::Connection::open(place.db()).expect("a store");
    for (body_id, bytes) in [(1, 64 << 20), (2, 1000)] {
        db.execute("UPDATE body SET bytes = ?2, zstd = ?3 WHERE body_id = ?1", rusqlite::params![body_id, bytes, bomb])
            .expect("a bomb");
    }
    let url = "SELECT url FROM pages WHERE url_id = (SELECT url_id FROM page WHERE body_id = 1)";
    let url: String = db.query_row(url, [], |row| row.get(0)).expect("a page");
    drop(db);
    let json = extract(&place, "rules.toml", &["--json"]).run().expect(0).json();
    assert_eq!((&json["pages"], &json["unread"]), (&(PAGES - 2).into(), &2.into()));
    let errors = json["unread_pages"].as_array().expect("pages").iter().map(|page| page["error"].as_str());
    let mut errors: Vec<_> = errors.collect();
    errors.sort_unstable();
    assert_eq!(errors, [Some("damaged"), Some("too_large")]);
    let ended = place.seine(&["try", &url, "--db", "crawl.db", "--config", "rules.toml"]).run().expect(2);
    assert!(ended.stderr.contains("larger than 10485760 bytes; set max_body"), "{}", ended.stderr);
}

#[test]
fn other_rules_are_applied_as_if_the_pages_had_been_crawled_with_them() {
    let (place, other) = (Place::new(), Place::new());
    crawled(&place, &[]);
    let kept = "SELECT group_concat(item_id || ':' || first_seen, ',' ORDER BY item_id) FROM item JOIN collection USING(collection_id) WHERE name = 'products'";
    let ids = place.store().rows(kept);
    extract(&place, "new.toml", &["--json"]).run().expect(0);
    // The same store, emptied of items.
    fs::copy(place.db(), other.db()).expect("a copy");
    rusqlite::Connection::open(other.db())
        .expect("a store")
        .execute_batch("DELETE FROM item; DELETE FROM field_rate")
        .expect("emptied");
    other.write("new.toml", NEW_RULES);
    let json = extract(&other, "new.toml", &["--json"]).run().expect(0).json();
    assert_eq!(
        (&json["collections"]["products"]["added"], &json["collections"]["notes"]["added"]),
        (&100.into(), &400.into())
    );
    for sql in [
        "SELECT sku, title, price, shop, _url, _last_seen FROM products ORDER BY sku",
        "SELECT text, _url, number FROM notes JOIN item ON item_id = _item_id ORDER BY 2, 3",
        "SELECT * FROM field_rates ORDER BY 1, 2, 3, 4",
    ] {
        assert_eq!(place.store().rows(sql), other.store().rows(sql), "{sql}");
    }
    assert_eq!(place.store().rows(kept), ids, "items keep their ids and first sights");
    assert_eq!(place.store().rows("SELECT DISTINCT text FROM notes ORDER BY 1"), ["one", "three"]);
    assert_eq!(place.store().number("SELECT count(*) FROM extract_problems"), 0);
    place.store().assert_sound();
}

#[test]
fn text_markdown_metadata_and_tables_are_those_of_a_crawl() {
    const ALL: [&str; 4] = ["--text", "--markdown", "--metadata", "--tables"];
    let site = Site::new(|request| match request.number() {
        3 => Reply::bytes("text/plain", "no HTML"),
        number => Reply::html(format!(
            "<html lang=en><title>Page {number}</title><meta name=author content=Ines><nav>menu</nav><article><h1>Title</h1>\
             <p>{}</p><table><tr><td>a<td>{number}</table></article>",
            "A sentence that is long enough to be the main text of a page. ".repeat(5)
        )),
    });
    let (crawled, extracted) = (Place::new(), Place::new());
    for place in [&crawled, &extracted] {
        place.list("urls.txt", site.urls(6));
    }
    crawled.crawl(&["urls.txt", "--quiet"]).args(&ALL).run().expect(0);
    extracted.crawl(&["urls.txt", "--quiet"]).run().expect(0);
    let texts = "SELECT url, text, markdown, metadata FROM pages ORDER BY url";
    assert_eq!(
        extracted.store().number("SELECT count(*) FROM pages WHERE coalesce(text, markdown, metadata) IS NOT NULL"),
        0
    );
    let extract = |flags: &[&str]| {
        extracted.seine(&["extract", "crawl.db", "--json"]).args(flags).run().expect(0).json()["extras"].clone()
    };
    let counts = |pages: u64, changed: u64| serde_json::json!({ "pages": pages, "changed": changed });
    assert_eq!(extract(&["--text", "--diff"]), counts(5, 5));
    assert_eq!(extracted.store().number("SELECT count(text) FROM pages"), 0, "only compared");
    assert_eq!(extract(&["--text"]), counts(5, 5));
    extracted.write("all.toml", "text = true\nmarkdown = true\nmetadata = true\ntables = true\n");
    assert_eq!(extract(&["--config", "all.toml"]), counts(5, 5));
    assert_eq!(extract(&ALL), counts(5, 0));
    for sql in [texts, "SELECT url, table_number, row_number, cells FROM tables ORDER BY 1, 2, 3"] {
        assert_eq!(extracted.store().rows(sql), crawled.store().rows(sql), "{sql}");
    }
    assert_eq!(extracted.store().number("SELECT count(*) FROM tables"), 5);
    // Without anything to look for there is nothing to do.
    extracted.seine(&["extract", "crawl.db"]).run().expect(2).says("--config");
}

#[test]
fn after_other_rules_the_next_crawl_with_them_asks_for_changes_only() {
    let place = Place::new();
    let site = Site::new(|request| {
        if request.headers.contains_key("if-none-match") {
            return Reply::status(304);
        }
        let number = request.number();
        let page = format!(
            "<title>Shop</title><h1>T</h1><i class=sku>s{number}</i><i class=new>{number}</i><ul><li class=kept><b>x</b></ul>"
        );
        Reply::html(page).header("ETag", "\"one\"")
    });
    place.write("rules.toml", RULES);
    place.write("new.toml", NEW_RULES);
    place.list("urls.txt", site.urls(20));
    let crawl = |more: &[&str]| {
        let ended = place.crawl(&["urls.txt"]).args(more).run().expect(0);
        let last = "SELECT count(*) FROM history WHERE not_modified AND run_id = (SELECT max(run_id) FROM runs)";
        (place.store().number(last), ended.stderr)
    };
    assert_eq!(crawl(&["--config", "rules.toml", "--text"]).0, 0);
    extract(&place, "new.toml", &["--quiet"]).run().expect(0);
    let (unchanged, said) = crawl(&["--config", "new.toml", "--text"]);
    assert_eq!(unchanged, 20, "{said}");
    assert!(!said.contains("unlike the last run"), "{said}");
    assert_eq!(place.store().number("SELECT count(*) FROM products WHERE shop = 'Shop'"), 20);
    assert_eq!(place.store().number("SELECT count(text) FROM pages"), 20);
    // The rules of before: what the store has by now is not what they find.
    let (unchanged, said) = crawl(&["--config", "rules.toml", "--text"]);
    assert_eq!(unchanged, 0);
    assert!(said.contains("has other rules; what has not changed is fetched whole this once"), "{said}");
}

#[test]
fn any_number_of_workers_finds_the_same() {
    let mut found = Vec::new();
    for workers in ["1", "2", "5"] {
        let place = Place::new();
        crawled(&place, &[]);
        place.seine(&["extract", "crawl.db", "--config", "new.toml", "--workers", workers]).run().expect(0);
        // When each page was fetched is another in every crawl; which of two pages came last is then too.
        found.push(place.store().rows("SELECT sku, shop, count(*) FROM products GROUP BY 1, 2 ORDER BY 1"));
        assert_eq!(place.store().number("SELECT count(*) FROM notes"), 2 * PAGES as i64);
    }
    assert!(found.iter().all(|rows| *rows == found[0] && rows.len() == 100));
}

#[test]
fn a_condition_names_the_pages_and_items_of_others_stay() {
    let place = Place::new();
    crawled(&place, &[]);
    let json = extract(&place, "new.toml", &["--json", "--where", "url LIKE '%/7'"]).run().expect(0).json();
    let pages = json["pages"].as_u64().expect("a number");
    assert_eq!(pages, place.store().number("SELECT count(*) FROM pages WHERE url LIKE '%/7'") as u64);
    assert_eq!(json["collections"]["notes"]["removed"], pages);
    assert_eq!(place.store().number("SELECT count(*) FROM notes"), 3 * PAGES as i64 - pages as i64);
    for (condition, says) in [("nonsense > 1", "no such column"), ("1; DELETE FROM item", "one condition")] {
        extract(&place, "new.toml", &["--where", condition]).run().expect(2).says(says);
    }
}

#[test]
fn bodies_that_were_never_stored_are_counted_and_their_items_stay() {
    let place = Place::new();
    crawled(&place, &["--no-store-bodies"]);
    let before = everything(&place.store());
    let ended = extract(&place, "new.toml", &["--json"]).run().expect(0).says("no stored body");
    assert_eq!((&ended.json()["pages"], &ended.json()["not_stored"]), (&0.into(), &PAGES.into()));
    // Only the views are those of the new rules.
    let items = place.store().rows(EVERYTHING[0]);
    assert_eq!(items, before[..items.len()]);
    assert_eq!(items.len(), 100 + 3 * PAGES);
}

#[test]
fn what_cannot_be_done_is_an_error_and_changes_nothing() {
    let place = Place::new();
    extract(&place, "none.toml", &[]).run().expect(2).says("cannot read none.toml");
    crawled(&place, &[]);
    let before = everything(&place.store());
    place.write("empty.toml", "delay = '1s'\n");
    extract(&place, "empty.toml", &[]).run().expect(2).says("no [[collection]]");
    place.write("bad.toml", "[[collection]]\nname = 'x'\n[collection.fields]\na = 'h1['\n");
    extract(&place, "bad.toml", &[]).run().expect(2).says("bad.toml");
    place.write("taken.toml", "[[collection]]\nname = 'pages'\n[collection.fields]\na = 'h1'\n");
    extract(&place, "taken.toml", &[]).run().expect(2);
    place.seine(&["extract", "none.db", "--config", "rules.toml"]).run().expect(2).says("no crawl store");
    assert!(!place.path("none.db").exists());
    assert_eq!(everything(&place.store()), before);
}

#[test]
fn beside_a_crawl_only_a_diff_is_allowed() {
    let place = Place::new();
    crawled(&place, &[]);
    let site = Site::new(|_| Reply::page("held").held());
    place.list("more.txt", site.urls(1));
    let running = place.crawl(&["more.txt", "--quiet"]).start();
    running.the("writer");
    extract(&place, "new.toml", &[]).beside().run().expect(4).says("lock is held");
    let ended = extract(&place, "new.toml", &["--diff", "--json"]).beside().run().expect(0);
    assert_eq!(ended.json()["collections"]["products"]["changed"], 100, "{}", ended.stderr);
    site.release();
    running.wait().expect(0);
}

/// Rules that take their time.
fn slow_rules(place: &Place) {
    let mut rules = NEW_RULES.to_owned();
    for n in 0..200 {
        rules.push_str(&format!("\n[[collection]]\nname = \"c{n}\"\n[collection.fields]\na = \"p:nth-child(2n+{n})\"\nb = \"ul li:last-child b\"\n"));
    }
    place.write("slow.toml", rules);
}

#[test]
fn a_killed_extractor_is_replaced_and_nothing_is_missing() {
    let mut dice = Dice::new();
    let place = Place::new();
    crawled(&place, &[]);
    slow_rules(&place);
    let mut running = extract(&place, "slow.toml", &["--json"]).start();
    let mut kills = 0;
    while kills < 5 && !within(dice.millis(20, 150), || running.has_ended()) {
        // A page that two extractors died of is given up. When all have worked for a while, the replacement among them,
        // they are past the page that the last kill interrupted.
        let extractors = extractors(&running);
        if let Some(extractor) = extractors.first().filter(|_| extractors.iter().all(|one| one.cpu_ms() >= 200)) {
            extractor.signal(Signal::SIGKILL);
            kills += 1;
        }
    }
    assert!(kills >= 2, "too fast to be killed");
    let json = running.wait().expect(0).json();
    assert_eq!((&json["pages"], &json["unread"]), (&PAGES.into(), &0.into()), "{kills} kills");
    assert_eq!(place.store().number("SELECT count(*) FROM notes"), 2 * PAGES as i64);
    place.store().assert_sound();
}

#[test]
fn whoever_of_the_others_is_killed_all_has_changed_or_nothing() {
    let mut dice = Dice::new();
    let place = Place::new();
    crawled(&place, &[]);
    slow_rules(&place);
    let before = everything(&place.store());
    for role in ["writer", "supervisor", "writer", "supervisor", "writer", "supervisor"] {
        let running = extract(&place, "slow.toml", &[]).start();
        let victim = running.the(role);
        let _ = within(dice.millis(0, 500), || false);
        victim.signal(Signal::SIGKILL);
        // `wait` has its say about processes that are left.
        let ended = running.wait();
        let now = everything(&place.store());
        match (role, ended.code) {
            (_, Some(0)) => panic!("too fast to be killed"),
            ("writer", code) => assert_eq!(code, Some(3), "{}", ended.stderr),
            _ => assert_eq!(ended.signal, Some(9)),
        }
        assert_eq!(now, before, "{role}");
        place.store().assert_sound();
    }
}

#[test]
fn stopped_by_a_signal_nothing_has_changed() {
    let place = Place::new();
    crawled(&place, &[]);
    slow_rules(&place);
    let before = everything(&place.store());
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let running = extract(&place, "slow.toml", &[]).start();
        running.the("extractor 1");
        running.signal(signal);
        running.wait().expect(code).says("as it was");
        assert_eq!(everything(&place.store()), before);
    }
}

#[test]
fn a_stopped_extractor_is_taken_for_stuck_and_replaced() {
    let place = Place::new();
    crawled(&place, &[]);
    slow_rules(&place);
    let text = fs::read_to_string(place.path("slow.toml")).expect("rules");
    place.write("slow.toml", format!("parse_timeout = '1s'\n{text}"));
    let mut running = extract(&place, "slow.toml", &["--json"]).start();
    let extractor = running.the("extractor 0");
    extractor.signal(Signal::SIGSTOP);
    running.wait_to_hear("is stuck for");
    let json = running.wait().expect(0).json();
    assert_eq!(json["pages"].as_u64().zip(json["unread"].as_u64()).map(|(a, b)| a + b), Some(PAGES as u64));
}

#[test]
fn a_page_that_takes_too_long_keeps_its_items_and_is_named() {
    let place = Place::new();
    crawled(&place, &[]);
    slow_rules(&place);
    let text = fs::read_to_string(place.path("slow.toml")).expect("rules");
    place.write("slow.toml", format!("parse_timeout = '1ms'\n{text}"));
    let json = extract(&place, "slow.toml", &["--json"]).run().expect(0).json();
    let (read, unread) = (json["pages"].as_u64().expect("a number"), json["unread"].as_u64().expect("a number"));
    assert_eq!(read + unread, PAGES as u64);
    assert!(unread > 0, "1 ms was enough for every page");
    assert_eq!(json["unread_pages"][0]["error"], "parse_timeout");
    assert_eq!(place.store().number("SELECT count(*) FROM notes") as u64, 2 * read + 3 * unread);
}
