//! `seine try`: rules and selectors on one page.

use crate::support::{Place, Reply, Site};
use serde_json::{Value, json};

const CONFIG: &str = "delay = '0s'
[[collection]]
name = 'products'
match = '/p/'
each = 'div.product'
key = ['sku']
[collection.fields]
title = 'h1'
sku = { css = 'b', required = true }
price = { css = '.price', type = 'number' }
";

const PAGE: &str = "<!doctype html><title>Shop</title><div class=product><h1>Kettle</h1><b>A1</b>
<p class=price>$1,299.00</p></div>";

fn site() -> Site {
    Site::new(|request| match request.path.as_str() {
        "/robots.txt" => Reply::bytes("text/plain", "User-agent: *\nDisallow: /p/secret\n"),
        "/old" => Reply::redirect(301, "/p/1"),
        _ => Reply::html(PAGE),
    })
}

#[track_caller]
fn says(place: &Place, arguments: &[&str], code: i32) -> String {
    String::from_utf8(place.seine(arguments).run().expect(code).stdout).expect("text")
}

#[track_caller]
fn object(place: &Place, arguments: &[&str], code: i32) -> Value {
    serde_json::from_str(&says(place, arguments, code)).expect("one object")
}

#[test]
fn a_page_is_fetched_as_a_crawl_does_it_and_shows_what_each_rule_finds() {
    let (place, site) = (Place::new(), site());
    place.write("rules.toml", CONFIG);
    let found = object(&place, &["try", &site.url("/old"), "--config", "rules.toml", "--json"], 0);
    assert_eq!((&found["url"], &found["status"]), (&json!(site.url("/p/1")), &json!(200)));
    let collection = &found["collections"][0];
    assert_eq!((&collection["items"], &collection["problems"]), (&json!(1), &json!([])));
    let fields = &collection["shown"][0]["fields"];
    assert_eq!(fields["price"]["value"], 1299.0);
    assert_eq!((&fields["title"]["value"], &fields["title"]["source"]), (&json!("Kettle"), &json!("css h1")));
    assert_eq!(site.hits_of("/robots.txt"), 2, "asked before each of the two requests");

    place.seine(&["try", &site.url("/p/secret")]).run().expect(2).says("Disallow: /p/secret (line 2)");
    assert_eq!(site.hits_of("/p/secret"), 0);
    says(&place, &["try", &site.url("/p/secret"), "--ignore-robots"], 0);
    assert_eq!(site.hits_of("/p/secret"), 1);
}

#[test]
fn a_field_that_is_empty_says_why() {
    let place = Place::new();
    let broken = CONFIG
        .replace("'h1'", "'div.product h1.titel'")
        .replace("{ css = 'b', required", "{ css = 'b', attr = 'id', required");
    place.write("rules.toml", &broken);
    place.write("page.html", PAGE.replace("<b>", "<b class=x title=y>").replace("$1,299.00", "call us\u{1b}[m"));
    let arguments = ["try", "page.html", "--config", "rules.toml", "--url", "https://shop.example/p/1"];
    let text = says(&place, &arguments, 1);
    for part in [
        "products: 0 items of 1 candidate",
        "`div.product h1` matches 1",
        "none with attribute \"id\"; the first has class, title",
        "item 0 price unparsable: call us\u{fffd}[m",
        "item 0 sku missing",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "what a page says never reaches a terminal raw");
    let text = says(&place, &arguments[..4], 1);
    assert!(text.contains("not about this page: match = \"/p/\" is not found in file:///"), "{text}");
}

#[test]
fn selectors_show_count_first_hits_and_their_place() {
    let place = Place::new();
    place.write("page.html", "<div id=main><p>a</p><p class=x>b <i>c</i></p></div><p>d</p>");
    let found = object(&place, &["try", "page.html", "--css", "#main p", "--css", "div > p.y", "--json"], 0);
    assert_eq!(
        found["selectors"],
        json!([
            {"selector": "#main p", "count": 2, "why": null, "hits": [
                {"path": "html > body > div#main > p:nth-of-type(1)", "text": "a"},
                {"path": "html > body > div#main > p.x:nth-of-type(2)", "text": "b c"},
            ]},
            {"selector": "div > p.y", "count": 0, "hits": [], "why": "matches nothing; `div > p` matches 2"},
        ])
    );
    place.seine(&["try", "page.html", "--css", "p::text"]).run().expect(2).says("--css, column 2");
    place.seine(&["try", "missing.html"]).run().expect(2).says("missing.html");
}

#[test]
fn without_rules_the_built_in_fields_are_shown() {
    let place = Place::new();
    place.write("page.html", "<title>T</title><h1>H</h1><a href=x>y</a>");
    let found = object(&place, &["try", "page.html", "--json"], 0);
    assert_eq!(
        (&found["fields"]["title"], &found["fields"]["h1"], &found["fields"]["links"]),
        (&json!("T"), &json!("H"), &json!(0))
    );
    assert!(says(&place, &["try", "page.html"], 0).contains("title       \"T\""));
}

#[test]
fn a_stored_body_is_tried_without_asking_anybody() {
    let (place, site) = (Place::new(), site());
    place.write("rules.toml", CONFIG);
    place.list("urls.txt", [site.url("/old")]);
    place.crawl(&["urls.txt"]).run().expect(0);
    let asked = site.count();
    let url = site.url("/old");
    let found = object(&place, &["try", &url, "--db", "crawl.db", "--config", "rules.toml", "--json"], 0);
    assert_eq!((&found["url"], &found["collections"][0]["items"]), (&json!(site.url("/p/1")), &json!(1)));
    assert_eq!(site.count(), asked);
    place.seine(&["try", &site.url("/never"), "--db", "crawl.db"]).run().expect(2).says("is not in this store");
}

#[test]
fn nothing_starts_with_a_broken_rule() {
    let (place, site) = (Place::new(), site());
    place.write("rules.toml", CONFIG.replace("'h1'", "'h1['"));
    place.list("urls.txt", [site.url("/p/1")]);
    for arguments in
        [&["crawl", "urls.txt", "--config", "rules.toml"][..], &["try", "urls.txt", "--config", "rules.toml"]]
    {
        let ended = place.seine(arguments).run().expect(2).says("config rules.toml: line 8, column 12");
        ended.says("           ^\nexpected [name]");
    }
    assert_eq!(site.count(), 0);
    assert!(!place.db().exists());
}

#[test]
fn an_xpath_shows_what_it_finds_or_where_it_is_broken() {
    let place = Place::new();
    place.write("page.html", PAGE);
    let arguments =
        ["try", "page.html", "--xpath", "//p/@class", "--xpath", "count(//p)", "--xpath", "//div/h2", "--json"];
    let found = object(&place, &arguments, 0);
    assert_eq!(found["selectors"][0]["hits"], json!([{"path": null, "text": "price"}]));
    assert_eq!((&found["selectors"][1]["count"], &found["selectors"][1]["hits"][0]["text"]), (&json!(1), &json!("1")));
    assert_eq!(found["selectors"][2]["why"], "finds nothing; `//div` finds 1");
    let text = says(&place, &["try", "page.html", "--xpath", "//h1"], 0);
    assert!(text.contains("xpath //h1: 1 hit\n  html > body > div.product > h1\n    \"Kettle\"\n"), "{text}");
    let broken = place.seine(&["try", "page.html", "--xpath", "//p[contain(., 'x')]"]).run().expect(2);
    broken.says("--xpath, column 5").says("did you mean `contains`");
}

#[test]
fn rules_are_proposed_that_find_a_value_on_several_pages() {
    let (place, site) = (Place::new(), site());
    place.write("other.html", PAGE.replace("$1,299.00", "$7.50").replace("Kettle", "Pot"));
    let url = site.url("/p/1");
    let arguments = ["try", &url, "other.html", "--suggest", "price=7.50", "--suggest", "name = Kettle"];
    let text = says(&place, &arguments, 0);
    for part in [
        "price = 7.50\n  { css = \".price\", type = \"number\" }\n    on 2 of 2 pages, 1 a page: 1299.0 | 7.5\n",
        "name = Kettle\n  \"h1\"\n    on 2 of 2 pages, 1 a page: Kettle | Pot\n",
        "[collection.fields]\nprice = { css = \".price\", type = \"number\" }\nname = \"h1\"\n",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    let found = object(&place, &[&arguments[..], &["--json"]].concat(), 0);
    let best = &found["suggested"][0]["rules"][0];
    assert_eq!((&best["pages"], &best["found"][0]), (&json!(2), &json!({"count": 1, "first": "1299.0"})));
    // What is proposed is a config file.
    place.write("proposed.toml", found["config"].as_str().expect("text"));
    let tried = object(&place, &["try", "other.html", "--config", "proposed.toml", "--json"], 0);
    let fields = &tried["collections"][0]["shown"][0]["fields"];
    assert_eq!((&fields["price"]["value"], &fields["name"]["value"]), (&json!(7.5), &json!("Pot")));

    let none = says(&place, &["try", "other.html", "--suggest", "price=8.50"], 1);
    assert!(none.contains("no rule finds just this"), "{none}");
    place.seine(&["try", "other.html", "--suggest", "8.50"]).run().expect(2).says("expected FIELD=VALUE");
    place.seine(&["try", "other.html", "other.html"]).run().expect(2).says("but with --suggest");
}
