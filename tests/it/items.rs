//! Rules of a config file: items go with their page, once, whoever is killed; drift is named.

use std::time::Duration;

use crate::support::{Dice, Place, Reply, Signal, Site, within};

const PAGES: usize = 400;
/// Every product is on three pages, the last of which says something else.
const PRODUCTS: usize = PAGES / 2;

const RULES: &str = r#"
[[collection]]
name = "products"
each = "div.product"
key = ["sku"]
[collection.fields]
sku = { css = ".sku", required = true }
title = "h2"
price = { css = ".price", type = "number" }
tags = { css = ".tag", many = true }

[[collection]]
name = "headings"
[collection.fields]
text = "h1"
"#;

fn shop() -> Site {
    Site::with_hosts(5, |request| {
        let number = request.number();
        let products: String = (0..3)
            .map(|at| {
                let sku = (number + at) % PRODUCTS;
                format!(
                    "<div class=product><b class=sku>s{sku}</b><h2>Thing {sku}</h2><i class=price>$1,{sku:03}.50</i>\
                     <u class=tag>a</u><u class=tag>b</u></div>"
                )
            })
            .collect();
        Reply::html(format!("<title>t</title><h1>Page {number}</h1>{products}<div class=product>no sku</div>"))
            .after(Duration::from_millis(5))
    })
}

fn assert_all_items(place: &Place) {
    let store = place.store();
    let count = |sql: &str| store.number(sql);
    assert_eq!(count("SELECT count(*) FROM pages WHERE outcome = 'ok'"), PAGES as i64);
    assert_eq!(count("SELECT count(*) FROM products"), PRODUCTS as i64);
    assert_eq!(count("SELECT count(DISTINCT sku) FROM products"), PRODUCTS as i64);
    assert_eq!(
        count(
            "SELECT count(*) FROM products WHERE title = 'Thing ' || substr(sku, 2) AND price = 1000.5 + substr(sku, 2)"
        ),
        PRODUCTS as i64
    );
    assert_eq!(store.row("SELECT DISTINCT tags FROM products"), r#"["a","b"]"#);
    assert_eq!(count("SELECT count(*) FROM headings"), PAGES as i64);
    assert_eq!(count("SELECT count(DISTINCT _url) FROM headings"), PAGES as i64);
    assert_eq!(
        store.row("SELECT count(*), min(field), min(problem) FROM extract_problems"),
        format!("{PAGES}|sku|missing")
    );
    let rate = "SELECT sum(of_items), sum(found) FROM field_rates WHERE collection = 'products' AND field =";
    assert_eq!(store.row(&format!("{rate} 'title'")), format!("{}|{}", 4 * PAGES, 3 * PAGES));
    assert_eq!(store.row(&format!("{rate} ''")), format!("{PAGES}|{PAGES}"));
    store.assert_sound();
}

#[test]
fn items_go_with_their_pages() {
    let (site, place) = (shop(), Place::new());
    place.write("rules.toml", RULES);
    place.list("urls.txt", site.urls(PAGES));
    let ended = place.crawl(&["urls.txt", "--config", "rules.toml", "--delay", "0", "--json"]).run().expect(0);
    assert_eq!(ended.json()["items"]["products"], PRODUCTS);
    assert_eq!(ended.json()["problems"], PAGES);
    assert_all_items(&place);
}

#[test]
fn items_are_exact_whatever_is_killed() {
    let (site, place, mut dice) = (shop(), Place::new(), Dice::new());
    place.write("rules.toml", RULES);
    place.list("urls.txt", site.urls(PAGES));
    // A round that finds all done must not begin another run.
    let arguments = ["urls.txt", "--config", "rules.toml", "--delay", "20ms", "--only", "new", "--json"];
    for round in 0.. {
        let mut running = place.crawl(&arguments).start();
        if within(dice.millis(150, 500), || running.has_ended()) || round == 6 {
            running.wait().expect(0);
            break;
        }
        // One of them first, or none; then the one whose end is everybody's.
        let first = match dice.between(0, 3) {
            0 => None,
            1 => running.find("writer"),
            _ => running.fetchers().into_iter().next(),
        };
        if let Some(first) = first {
            first.signal(Signal::SIGKILL);
            if within(dice.millis(100, 400), || running.has_ended()) {
                drop(running.wait());
                continue;
            }
        }
        drop(running.kill_supervisor());
    }
    assert_all_items(&place);
}

#[test]
fn a_mistake_in_a_rule_is_shown_before_anything_starts() {
    let (site, place) = (shop(), Place::new());
    place.list("urls.txt", site.urls(1));
    place.write(
        "rules.toml",
        "delay = \"1s\"\n[[collection]]\nname = \"x\"\n[collection.fields]\ntitle = \"h1 >> b\"\n",
    );
    let ended = place.crawl(&["urls.txt", "--config", "rules.toml"]).run().expect(2);
    assert!(ended.stderr.contains("line 5"), "{}", ended.stderr);
    assert!(ended.stderr.contains("rules.toml") && ended.stderr.contains('^'), "{}", ended.stderr);
    assert_eq!(site.count(), 0);
    assert!(!place.db().exists());
}

#[test]
fn a_field_that_is_not_found_any_more_is_named_and_can_be_a_failure() {
    let site = Site::new(|request| {
        // The site is rebuilt: the price has another class.
        let class = if request.number() < 20 { "price" } else { "amount" };
        Reply::html(format!("<div class=product><b class=sku>s{}</b><i class={class}>5</i></div>", request.number()))
    });
    let place = Place::new();
    place.write("rules.toml", RULES);
    place.list("urls.txt", site.urls(20));
    let arguments = ["urls.txt", "--config", "rules.toml", "--delay", "0", "--fail-on-drift", "--only", "new"];
    place.crawl(&arguments).run().expect(0);
    place.list("urls.txt", site.urls(40));
    let ended = place.crawl(&arguments).run().expect(6);
    assert!(ended.stderr.contains("DRIFT: products: price on 127."), "{}", ended.stderr);
    assert!(ended.stderr.contains("found in 0 %, was 100 %"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("sku"), "{}", ended.stderr);
}

#[test]
fn headers_are_kept_without_secrets_or_not_at_all() {
    let site = Site::new(|request| {
        Reply::redirect(302, "http://me:swordfish@127.0.0.1/")
            .header("X-Odd", "caf\u{e9}")
            .header("Set-Cookie", "session=swordfish; Path=/")
            .header("Link", "<https://swordfish@a.test/>; rel=next")
            .header("X-Auth-Token", "swordfish")
            .header("X-Echo", request.headers["authorization"].clone())
    });
    for (name, flag, kept) in [("with", "--store-headers=true", true), ("without", "--store-headers=false", false)] {
        let place = Place::new();
        place.list("urls.txt", site.urls(1));
        let db = place.path(&format!("{name}.db"));
        let arguments = ["urls.txt", "--delay", "0", flag, "--header", "Authorization: Bearer swordfish"];
        place.crawl(&arguments).db(&db).run().expect(1);
        let store = crate::support::Store::open(&db);
        let packed: Option<Vec<u8>> =
            store.0.query_row("SELECT headers FROM request", [], |row| row.get(0)).expect("one request");
        assert_eq!(packed.is_some(), kept);
        let Some(packed) = packed else { continue };
        let lines = seine_core::record::headers::unpack(&packed).expect("not damaged");
        let lines = String::from_utf8(lines).expect("UTF-8");
        assert!(lines.contains("x-odd: caf\u{e9}\r\n"), "{lines}");
        for line in ["set-cookie: session=; Path=/", "location: http://***@127.0.0.1/", "x-auth-token: ***"] {
            assert!(lines.contains(&format!("{line}\r\n")), "{lines}");
        }
        assert!(!lines.contains("swordfish"), "{lines}");
    }
}

#[test]
fn a_rule_that_matches_nothing_is_said_by_crawl_and_extract() {
    let (site, place) = (shop(), Place::new());
    let rules = r#"
[[collection]]
name = "products"
each = "div.product"
[collection.fields]
title  = "h2"
weight = { css = ".weight", type = "number" }

[[collection]]
name = "offers"
match = "/nowhere/"
[collection.fields]
text = "h1"
"#;
    place.write("rules.toml", rules);
    place.list("urls.txt", site.urls(10));
    let said = |text: &str| {
        assert!(text.contains("\n  offers: 0 items; match fits no page\n"), "{text}");
        assert!(text.contains("\n  products: weight 0 %, title 75 % of 40\n"), "{text}");
    };
    let fills = |fill: &serde_json::Value, other: &serde_json::Value| {
        let field = |name: &str, found: u64| serde_json::json!({ "field": name, "of": 40, "found": found });
        let fields = [field("title", 30), field("weight", 0)];
        assert_eq!(*fill, serde_json::json!({ "pages": 10, "pages_with_items": 10, "fields": fields }));
        assert_eq!(*other, serde_json::json!({ "pages": 0, "pages_with_items": 0, "fields": [] }));
    };
    let crawl = ["urls.txt", "--config", "rules.toml", "--delay", "0"];
    said(&place.crawl(&crawl).run().expect(0).stderr);
    let other = Place::new();
    other.write("rules.toml", rules);
    other.list("urls.txt", site.urls(10));
    let json = other.crawl(&crawl).args(&["--json"]).run().expect(0).json();
    fills(&json["fill"]["products"], &json["fill"]["offers"]);
    let extract = ["extract", "crawl.db", "--config", "rules.toml"];
    said(&place.seine(&extract).run().expect(0).stderr);
    let collections = &place.seine(&extract).args(&["--json"]).run().expect(0).json()["collections"];
    fills(&collections["products"]["fill"], &collections["offers"]["fill"]);
}

#[test]
fn what_a_page_has_beyond_a_limit_is_told() {
    let site = Site::new(|request| match request.number() {
        0 => Reply::html(format!("<title>{}</title><p>x", "long ".repeat(20_000))),
        1 => Reply::html("<table>".to_owned() + &"<tr><td>1<td colspan=999>2".repeat(600)),
        _ => Reply::html("<title>t</title><table><tr><td>1</table>"),
    });
    let place = Place::new();
    place.list("urls.txt", site.urls(3));
    let ended = place.crawl(&["urls.txt", "--tables", "--delay", "0"]).run().expect(0);
    assert!(ended.stderr.contains("2 problems (see the view extract_problems)"), "{}", ended.stderr);
    let store = place.store();
    let told = "SELECT group_concat(field || ': ' || found, ' | ' ORDER BY field) FROM extract_problems \
                WHERE collection = 'page' AND problem = 'too_many' AND item IS NULL";
    assert_eq!(
        store.row(told),
        "tables: more than 500000 cells: the rest is left out | title: more than 65536 bytes: cut"
    );
    assert_eq!(store.number("SELECT count(*) FROM tables"), 501);
    let extract = "[[collection]]\nname = 'titles'\n[collection.fields]\ntitle = 'title'\n";
    place.write("rules.toml", extract);
    place.seine(&["extract", "crawl.db", "--config", "rules.toml"]).run().expect(0);
    assert_eq!(store.number("SELECT count(*) FROM extract_problems WHERE collection = 'page'"), 2, "they stay");
    place.crawl(&["urls.txt", "--delay", "0"]).run().expect(0);
    assert_eq!(
        store.number("SELECT count(*) FROM extract_problems WHERE field = 'tables'"),
        0,
        "each fetch says its own"
    );
    assert_eq!(store.number("SELECT count(*) FROM extract_problems WHERE field = 'title'"), 1);
}
