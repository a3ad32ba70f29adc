//! Rules on pages.

mod countries;
mod finder;
mod judged;
mod round_trip;

use seine_testkit::Dice;
use std::cell::Cell;
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use super::*;
use seine_core::record::items::{Field, FieldType, ProblemKind};
use seine_unix::clock::{CpuBudget, thread_cpu};

const URL: &str = "https://shop.example/p/1?x=1";

/// Rules of one collection with these fields.
fn rules_of(fields: &str) -> Rules {
    read(&format!("[[collection]]\nname = 'things'\nmatch = '.*'\n[collection.fields]\n{fields}"))
}

#[track_caller]
fn read(text: &str) -> Rules {
    Rules::read(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn apply_as(rules: &Rules, content_type: &str, body: &[u8]) -> PageItems {
    let url = Url::parse(URL).expect("a URL");
    let page = Page { url: &url, listed_url: URL, content_type: Some(content_type.as_bytes()), body };
    rules.apply(&page, &|| true).expect("told to go on to the end")
}

fn apply(rules: &Rules, html: &str) -> PageItems {
    apply_as(rules, "text/html; charset=utf-8", html.as_bytes())
}

fn data(items: &PageItems) -> Vec<Value> {
    items.items.iter().map(|item| serde_json::from_str(&item.data).expect("items are JSON")).collect()
}

/// What a single field finds on a page; the kinds of problems behind it.
fn field_as(content_type: &str, rule: &str, body: &str) -> (Value, Vec<ProblemKind>) {
    let found = apply_as(
        &rules_of(&format!("x = {rule}\nalways = {{ css = 'nothing-like-it', default = 'd' }}")),
        content_type,
        body.as_bytes(),
    );
    let value = data(&found).first().map_or(Value::Null, |item| item["x"].clone());
    // An item of nothing at all is missing; here it is the field that counts.
    (value, found.problems.iter().filter(|problem| !problem.field.is_empty()).map(|problem| problem.kind).collect())
}

#[track_caller]
fn finds(rule: &str, html: &str, expected: Value) {
    assert_eq!(field_as("text/html", rule, html), (expected, Vec::new()), "{rule} on {html}");
}

const EXAMPLE: &str = r#"
[[collection]]
name  = "products"
match = "https?://shop\\.example/p/.*"
each  = "div.product"
key   = ["sku"]
[collection.fields]
title     = "h1"
price     = { css = ".price", type = "number" }
in_stock  = { css = ".stock", matches = "in stock", type = "bool" }
image     = { css = "img.main", attr = "src", type = "url" }
tags      = { css = ".tag", many = true }
released  = { css = "time", attr = "datetime", type = "datetime" }
sku       = { jsonld = "$..sku", required = true }
rating    = { css = ".stars", regex = "([0-9.]+) out of" , type = "number" }
specs     = { each = "table.specs tr", fields = { name = "th", value = "td" } }
body_html = { css = "article", html = true }
"#;

const PRODUCT: &str = r#"<!doctype html><title>t</title>
<script type="application/ld+json">{"@graph": [{"@type": "Product", "sku": "A-1"}]}</script>
<div class=product><h1> Red
 <b>kettle</b></h1><p class=price>$1,299.00</p><p class=stock>12 In stock</p><img class=main src="/i/1.png">
<i class=tag>kitchen</i><i class=tag>red</i><time datetime="2026-11-22T10:00:00+01:00">today</time>
<span class=stars>4.5 out of 5</span>
<table class=specs><tr><th>Weight<td>2 kg<tr><th>Colour<td>red</table><article>A <em>fine</em> one</article></div>"#;

#[test]
fn the_example_of_the_readme_finds_all_its_fields() {
    let found = apply(&read(EXAMPLE), PRODUCT);
    assert_eq!(found.problems, []);
    assert_eq!(
        found.items[0].data,
        concat!(
            r#"{"title":"Red kettle","price":1299.0,"in_stock":true,"image":"https://shop.example/i/1.png","#,
            r#""tags":["kitchen","red"],"released":"2026-11-22T09:00:00Z","sku":"A-1","rating":4.5,"#,
            r#""specs":[{"name":"Weight","value":"2 kg"},{"name":"Colour","value":"red"}],"#,
            r#""body_html":"A <em>fine</em> one"}"#
        )
    );
    assert_eq!(found.items[0].key, Some(seine_core::record::items::item_key(r#"["A-1"]"#)));
    assert!(found.counts.iter().all(|count| (count.of, count.found) == (1, 1)), "{:?}", found.counts);
    assert_eq!(found.counts.len(), 11);
}

#[test]
fn collections_are_declared_as_the_file_has_them() {
    let rules = read(EXAMPLE);
    let collection = &rules.collections()[0];
    assert_eq!((collection.name.as_str(), collection.key.as_slice()), ("products", &["sku".to_owned()][..]));
    let names: Vec<_> = collection.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(
        names,
        ["title", "price", "in_stock", "image", "tags", "released", "sku", "rating", "specs", "body_html"]
    );
    let text = |name: &str| Field { name: name.into(), kind: FieldType::Text, many: false, fields: Vec::new() };
    assert_eq!(
        collection.fields[8],
        Field { name: "specs".into(), kind: FieldType::Record, many: true, fields: vec![text("name"), text("value")] }
    );
    assert_eq!(collection.fields[4], Field { many: true, ..text("tags") });
}

#[test]
fn every_source_finds_what_it_is_for() {
    finds("'h1'", "<h1>a</h1><h1>b</h1>", json!("a"));
    finds("'h1'", "<h1> a\n\u{A0}<b>b</b>c <br>d</h1>", json!("a bc d"));
    finds("'div'", "<div><p>a</p><p>b</p><script>c</script><style>d</style><template>e</template></div>", json!("a b"));
    finds("'script'", "<script>var x = 1</script>", json!("var x = 1"));
    finds("'h1'", "{% x %}<html><h1>a</h1>", json!("a"));
    finds("{ css = 'p', own = true }", "<p>a <b>b</b> c</p>", json!("a c"));
    finds("{ css = 'p', html = true }", "<p>a <b>b</b>&amp;</p>", json!("a <b>b</b>&amp;"));
    finds("{ css = 'p', trim = false }", "<p> a\n b</p>", json!(" a\n b"));
    finds("{ css = 'a', attr = 'title' }", "<a>x</a><a TITLE=' y '>z</a>", json!("y"));
    finds("{ css = 'a', attr = 'href', many = true }", "<a href=1></a><a></a><a href=2></a>", json!(["1", "2"]));
    finds("{ css = 'i', many = true }", "<i>a</i><i> </i><i>b</i>", json!(["a", "b"]));
    finds("{ css = 'i', join = '; ' }", "<i>a</i><i>b</i>", json!("a; b"));
    finds("{ css = 'p', regex = 'no\\. (\\d+)' }", "<p>no. 12 of 20</p>", json!("12"));
    finds("{ css = 'p', regex = '\\d+' }", "<p>no. 12 of 20</p>", json!("12"));
    finds("{ css = 'p', regex = 'x' }", "<p>no. 12</p>", json!(null));
    finds("{ css = 'p', regex = '(\\d+)', many = true }", "<p>a 1</p><p>b</p><p>c 3</p>", json!(["1", "3"]));
    finds("{ meta = 'og:title' }", "<meta property=OG:title content=' a '>", json!("a"));
    finds("{ meta = 'description' }", "<meta name=description content=a><meta name=description content=b>", json!("a"));
    finds("{ jsonld = '$.name' }", "<script type=application/ld+json>[{\"name\": \"a\"}]</script>", json!("a"));
    finds(
        "{ jsonld = \"$[?@['@type'] == 'B'].name\" }",
        "<script type='application/ld+json; charset=utf-8'>{\"@graph\": [{\"@type\": \"A\", \"name\": 1}, {\"@type\": \"B\", \"name\": 2}]}</script>",
        json!("2"),
    );
    finds(
        "{ jsonld = \"$..[?@['@type'] == 'Product'].name\" }",
        "<script type=application/ld+json>{\"@type\": \"Product\", \"name\": \"a\"}</script>",
        json!("a"),
    );
    finds(
        "{ jsonld = '$..author.name', many = true }",
        "<script type=application/ld+json>{\"author\": {\"name\": \"a\"}}</script>
         <script type=application/ld+json>//<![CDATA[\n{\"author\": {\"name\": [\"b\", \"c\"]},};//]]></script>",
        json!(["a", "b", "c"]),
    );
    finds(
        "{ css = 'script#s', json = '$.props.price', type = 'number' }",
        "<script id=s>window.x = {\"props\": {\"price\": 9.5}};</script>",
        json!(9.5),
    );
    let shop = "<div itemscope itemtype=Product><meta itemprop=sku content=1><b itemprop='name alternateName'>n</b>
        <a itemprop=url href=/u>x</a><img itemprop=image src=/i.png><time itemprop=releaseDate datetime=2026-01-02>x</time>
        <div itemprop=offers itemscope><span itemprop=price content=9.50>EUR 9,50</span></div></div>";
    for (path, value) in [
        ("sku", "1"),
        ("name", "n"),
        ("alternateName", "n"),
        ("url", "https://shop.example/u"),
        ("image", "https://shop.example/i.png"),
        ("releaseDate", "2026-01-02"),
        ("offers.price", "9.50"),
    ] {
        finds(&format!("{{ microdata = '{path}' }}"), shop, json!(value));
    }
}

#[test]
fn every_type_is_what_it_says() {
    for (rule, text, value) in [
        ("type = 'number'", "$1,299.00", json!(1299.0)),
        ("type = 'number', locale = 'de'", "1.299,00 €", json!(1299.0)),
        ("type = 'number', locale = 'fr'", "1 299,50", json!(1299.5)),
        ("type = 'number', locale = 'ch'", "1'299.–", json!(1299.0)),
        ("type = 'integer'", "1,234 reviews", json!(1234)),
        ("type = 'integer'", "3.00", json!(3)),
        ("type = 'bool'", "Yes", json!(true)),
        ("type = 'bool'", "0", json!(false)),
        ("matches = 'in stock'", "Not IN STOCK", json!(true)),
        ("matches = '^in stock'", "Not in stock", json!(false)),
        ("type = 'url'", "/a b?c#d", json!("https://shop.example/a%20b?c#d")),
        ("type = 'date'", "22 November 2026", json!("2026-11-22")),
        ("type = 'date', format = '%d.%m.%y'", "22.11.26", json!("2026-11-22")),
        ("type = 'date', locale = 'us'", "03/04/2026", json!("2026-03-04")),
        ("type = 'datetime'", "2026-11-22 10:00", json!("2026-11-22T10:00:00")),
        ("type = 'datetime'", "Sun, 22 Nov 2026 10:00:00 +0100", json!("2026-11-22T09:00:00Z")),
        ("type = 'json'", "{\"a\": [1]}", json!({"a": [1]})),
        ("type = 'text'", "00123", json!("00123")),
    ] {
        finds(&format!("{{ css = 'p', {rule} }}"), &format!("<p>{text}</p>"), value);
    }
    for (kind, text) in [
        ("number", "call us"),
        ("number", "1 or 2"),
        ("integer", "1.5"),
        ("integer", "99999999999999999999"),
        ("bool", "perhaps"),
        ("url", "http://["),
        ("date", "soon"),
        ("datetime", "03/04/2026"),
        ("json", "{"),
    ] {
        let found = field_as("text/html", &format!("{{ css = 'p', type = '{kind}' }}"), &format!("<p>{text}</p>"));
        assert_eq!(found, (Value::Null, vec![ProblemKind::Unparsable]), "{kind}: {text}");
    }
}

#[test]
fn data_for_machines_has_plain_numbers_whatever_the_locale() {
    let page =
        "<meta property=p content=1.299><script type=application/ld+json>{\"p\": \"1.299\", \"n\": 1.299}</script>";
    for source in ["meta = 'p'", "jsonld = '$.p'", "jsonld = '$.n'"] {
        finds(&format!("{{ {source}, type = 'number', locale = 'de' }}"), page, json!(1.299));
    }
}

#[test]
fn numbers_of_json_are_dates_only_as_epochs() {
    let page = |number: &str| format!("<script type=application/ld+json>{{\"n\": {number}}}</script>");
    let rule = "{ jsonld = '$.n', type = 'datetime' }";
    finds(rule, &page("1795357805"), json!("2026-11-22T14:30:05Z"));
    finds(rule, &page("1795357805000"), json!("2026-11-22T14:30:05Z"));
    for number in ["2026", "20261122", "-9223372036854775808"] {
        let found = field_as("text/html", rule, &page(number));
        assert_eq!(found, (Value::Null, vec![ProblemKind::Unparsable]), "{number}");
    }
}

#[test]
fn the_first_source_that_finds_something_wins() {
    let rule = "['.no', { css = 'p', type = 'number' }, { meta = 'm' }]";
    finds(rule, "<p>5</p><meta name=m content=7>", json!(5.0));
    finds(rule, "<p> </p><meta name=m content=7>", json!(7.0));
    finds("{ sources = ['.no', { meta = 'm' }], type = 'integer' }", "<meta name=m content=7>", json!(7));
    finds("{ sources = ['i', 'b'], type = 'number', many = true }", "<i>x</i><i>y</i><b>5</b>", json!([5.0]));
}

#[test]
fn a_source_without_a_value_hides_no_later_one_and_is_a_problem_only_if_none_has_any() {
    let rule = "['.no', { css = 'p', type = 'number' }, { meta = 'm' }]";
    finds(rule, "<p>x</p><meta name=m content=7>", json!(7.0));
    let found = field_as("text/html", rule, "<p>x</p><meta name=m content=y>");
    assert_eq!(found, (Value::Null, vec![ProblemKind::Unparsable; 2]));
    let required = "{ sources = ['p', 'b'], type = 'number', required = true }";
    finds(required, "<p>sold out</p><b>5</b>", json!(5.0));
    let with_default = "{ sources = ['p'], type = 'number', default = 1 }";
    assert_eq!(field_as("text/html", with_default, "<p>x</p>"), (Value::Null, vec![ProblemKind::Unparsable]));
}

#[test]
fn microdata_is_read_by_the_algorithm_of_the_standard() {
    let page = "<div itemscope itemtype=https://schema.org/Product itemref=more>
        <div itemprop=brand itemscope><meta itemprop=name content=Acme><span>Acme Ltd.</span></div>
        <div itemprop=review itemscope><b itemprop=name>Great</b><time itemprop=datePublished>2026-01-02</time></div>
        <h1 itemprop=name>Kettle</h1><data itemprop=sku value=K-1>no. 1</data><meter itemprop=rating value=4.5>****</meter>
        <link itemprop=availability href=//schema.org/InStock content=x><object itemprop=manual data=/m.pdf></object>
        <a itemprop=maker>Acme</a><span itemprop=price content=1299.00>$1,299</span></div>
        <p id=more>Weight: <b itemprop=weight>2 kg</b></p>";
    for (path, value) in [
        ("name", "Kettle"),
        ("brand.name", "Acme"),
        ("brand", "Acme"),
        ("review.name", "Great"),
        ("review", "Great"),
        ("review.datePublished", "2026-01-02"),
        ("sku", "K-1"),
        ("rating", "4.5"),
        ("availability", "https://schema.org/InStock"),
        ("manual", "https://shop.example/m.pdf"),
        ("maker", "Acme"),
        ("price", "1299.00"),
        ("weight", "2 kg"),
    ] {
        finds(&format!("{{ microdata = '{path}' }}"), page, json!(value));
    }
    finds("{ microdata = 'datePublished' }", page, json!(null));
}

#[test]
fn defaults_stand_in_for_what_is_missing() {
    let rules = rules_of(
        "a = 'p'\nb = { css = '.no', default = 7, type = 'number' }\nc = { css = '.no', many = true, default = ['x'] }",
    );
    let found = apply(&rules, "<p>a</p>");
    assert_eq!(found.items[0].data, r#"{"a":"a","b":7.0,"c":["x"]}"#);
    let counted: Vec<_> = found.counts.iter().map(|count| count.found).collect();
    assert_eq!(counted, [1, 1, 0, 0], "a default is nothing that was found");
}

#[test]
fn what_is_missing_or_odd_is_a_problem_with_its_field_and_text() {
    let rules = read(
        "[[collection]]\nname = 't'\nmatch = '.*'\neach = 'li'\nkey = ['id']\n[collection.fields]\n\
         id = { css = 'b', type = 'integer' }\nn = { each = 'i', fields = { v = { css = ':scope', type = 'number' } } }",
    );
    let found = apply(&rules, "<li><b>1</b><i>2</i><i>x</i></li><li>none</li><li><b>three</b></li><li><b>4</b></li>");
    assert_eq!(data(&found), [json!({"id": 1, "n": [{"v": 2.0}]}), json!({"id": 4, "n": null})]);
    assert_eq!(found.items.iter().map(|item| item.number).collect::<Vec<_>>(), [0, 3]);
    let problems: Vec<_> = found
        .problems
        .iter()
        .map(|problem| (problem.number, problem.field.as_str(), problem.kind, problem.found.as_str()))
        .collect();
    assert_eq!(
        problems,
        [
            (Some(0), "n.v", ProblemKind::Unparsable, "x"),
            (Some(1), "id", ProblemKind::Missing, ""),
            (Some(2), "id", ProblemKind::Unparsable, "three"),
        ]
    );
    let counts: Vec<_> = found.counts.iter().map(|count| (count.field, count.of, count.found)).collect();
    assert_eq!(counts, [(None, 1, 1), (Some(0), 4, 2), (Some(1), 4, 1)]);
}

#[test]
fn a_page_that_was_meant_and_says_nothing_is_a_problem() {
    let found = apply(&rules_of("a = 'h7'"), "<p>x");
    assert_eq!((found.items.len(), found.problems[0].kind), (0, ProblemKind::Missing));
    let found = apply(&read("[[collection]]\nname = 't'\n[collection.fields]\na = 'h7'"), "<p>x");
    assert_eq!(
        (found.items.len(), found.problems.len()),
        (0, 0),
        "without a pattern no page is meant more than others"
    );
}

#[test]
fn items_stand_in_their_element() {
    let rules = read(
        "[[collection]]\nname = 't'\neach = 'ul > li'\n[collection.fields]\na = 'b'\nhref = { attr = 'data-x' }\n\
         own = { own = true }\nunder = ':scope > i'\nall = { meta = 'm' }",
    );
    let found = apply(
        &rules,
        "<meta name=m content=M><ul><li data-x=1><b>a</b> t<p><i>no</i></p><li><i>i</i><b>b</b></ul><li><b>c</b>",
    );
    assert_eq!(
        data(&found),
        [
            json!({"a": "a", "href": "1", "own": "t", "under": null, "all": "M"}),
            json!({"a": "b", "href": null, "own": null, "under": "i", "all": "M"}),
        ]
    );
}

#[test]
fn json_bodies_are_read_by_path() {
    let rules = read(
        "[[collection]]\nname = 't'\neach = { json = '$.items[*]' }\nkey = 'id'\n[collection.fields]\n\
         id = { json = '$.id', type = 'integer' }\nname = '$.name'\ntags = { json = '$.tags', many = true }\n\
         raw = { json = '$.raw', type = 'json' }\nat = { json = '$.at', type = 'datetime' }\n\
         parts = { each = '$.parts[*]', fields = { n = '$.n' } }\nu = { json = '$.u', type = 'url' }",
    );
    let body = r#"{"items": [{"id": 1, "name": " A  b ", "tags": ["x", "y"], "raw": {"a": 1}, "at": 1795357805,
        "parts": [{"n": 1}, {}, {"n": "2"}], "u": "/u"}, {"id": "2", "name": null, "tags": "z"}]}"#;
    for content_type in ["application/json", "application/vnd.api+json; charset=utf-8", "text/html", "text/plain"] {
        let found = apply_as(&rules, content_type, body.as_bytes());
        assert_eq!(
            data(&found),
            [
                json!({"id": 1, "name": "A b", "tags": ["x", "y"], "raw": {"a": 1}, "at": "2026-11-22T14:30:05Z",
                       "parts": [{"n": "1"}, {"n": "2"}], "u": "https://shop.example/u"}),
                json!({"id": 2, "name": null, "tags": ["z"], "raw": null, "at": null, "parts": null, "u": null}),
            ],
            "{content_type}"
        );
        assert_eq!(found.problems, []);
    }
    let page = "<p>no JSON</p>";
    assert_eq!(
        apply_as(&rules, "text/html", page.as_bytes()),
        PageItems::default(),
        "no pattern: JSON bodies are meant"
    );
    let found = apply_as(&rules, "application/json", b"{\"items\": [");
    assert_eq!(found.problems[0].kind, ProblemKind::NotReadable);
}

#[test]
fn a_value_that_json_cannot_hold_harms_no_other() {
    let rules = read(
        "[[collection]]\nname = 't'\nmatch = '.'\neach = '$.items[*]'\n[collection.fields]\n\
         id = '$.id'\nprice = { json = '$.price', type = 'number' }\nall = { json = '$.id', type = 'json' }",
    );
    let body = r#"{"items": [{"id": "a\ud83d", "price": 1.5}, {"id": 12345678901234567890123, "price": 2,},
        {"id": "<meta charset=koi8-r>ä", "price": 1e400}, {"id": 18446744073709551615, "price": "3.25"},]}"#;
    let found = apply_as(&rules, "application/json", &[body.as_bytes(), b" "].concat());
    assert_eq!(
        data(&found),
        [
            json!({"id": "a\u{FFFD}", "price": 1.5, "all": "a\u{FFFD}"}),
            json!({"id": "12345678901234567890123", "price": 2.0, "all": "12345678901234567890123"}),
            json!({"id": "<meta charset=koi8-r>ä", "price": null, "all": "<meta charset=koi8-r>ä"}),
            json!({"id": "18446744073709551615", "price": 3.25, "all": 18446744073709551615_u64}),
        ]
    );
    let problems: Vec<_> = found.problems.iter().map(|problem| (problem.number, problem.found.as_str())).collect();
    assert_eq!(problems, [(Some(2), "1e400")]);
    let bad = body.replace('ä', "\u{1}").into_bytes().into_iter().map(|byte| if byte == 1 { 0xE4 } else { byte });
    let found = apply_as(&rules, "application/json", &bad.collect::<Vec<_>>());
    assert_eq!(data(&found)[2]["id"], json!("<meta charset=koi8-r>\u{FFFD}"));
    let feed = read("[[collection]]\nname = 't'\nmatch = '.'\neach = 'item'\n[collection.fields]\ntitle = 'title'");
    let found = apply_as(&feed, "text/xml", b"<rss><item><title>\xC3\xA4 \xE4</title></item></rss>");
    assert_eq!(data(&found), [json!({"title": "ä \u{FFFD}"})]);
}

#[test]
fn items_can_be_those_of_json_ld() {
    let rules = read(
        "[[collection]]\nname = 't'\neach = { jsonld = '$..itemListElement[*]' }\n[collection.fields]\n\
         n = { jsonld = '$.position', type = 'integer' }\nname = { json = '$.item.name' }",
    );
    let found = apply(
        &rules,
        "<script type=application/ld+json>{\"itemListElement\": [{\"position\": 1, \"item\": {\"name\": {\"@value\": \"a\"}}},
         {\"position\": 2}]}</script>",
    );
    assert_eq!(data(&found), [json!({"n": 1, "name": "a"}), json!({"n": 2, "name": null})]);
}

#[test]
fn feeds_and_other_xml_are_read_by_css() {
    let rules = read(
        "[[collection]]\nname = 'entries'\nmatch = '.*'\neach = 'item, entry'\n[collection.fields]\n\
         title = 'title'\nlink = { sources = [{ css = 'link[href]', attr = 'href' }, 'link'], type = 'url' }\n\
         at = { css = 'pubDate, updated', type = 'datetime' }\nmedia = { css = 'media\\:content', attr = 'url' }\n\
         by = 'dc\\:creator'\nhtml = 'content\\:encoded'",
    );
    let rss = r#"<?xml version="1.0" encoding="utf-8"?><!DOCTYPE rss [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">
        <!ENTITY x SYSTEM "file:///etc/passwd">]>
        <rss xmlns:media="m"><channel><title>Feed</title><item><title>One &amp; &#x32; &lt;b&gt; &b;&x;&nbsp;.</title>
        <link>/one</link><pubDate>Sun, 22 Nov 2026 10:00:00 GMT</pubDate><media:content url="i&amp;j.png"/>
        <dc:creator><![CDATA[A <b>]]></dc:creator><content:encoded><![CDATA[<p>x</p>]]></content:encoded></item>
        <item><TITLE>not this</TITLE><title/></item></channel></rss>"#;
    let found = apply_as(&rules, "application/rss+xml", rss.as_bytes());
    assert_eq!(
        data(&found)[0],
        json!({"title": "One & 2 <b> &b;&x; .", "link": "https://shop.example/one", "at": "2026-11-22T10:00:00Z",
               "media": "i&j.png", "by": "A <b>", "html": "<p>x</p>"})
    );
    assert_eq!(found.items.len(), 1);
    let atom = "<feed><entry><title>A</title><link href='/a'/><updated>2026-11-22T10:00:00Z</updated></entry></feed>";
    let found = apply_as(&rules, "text/xml", atom.as_bytes());
    assert_eq!(
        (&data(&found)[0]["link"], &data(&found)[0]["at"]),
        (&json!("https://shop.example/a"), &json!("2026-11-22T10:00:00Z"))
    );
    let broken = "<feed><entry><title>A</title><link href='/a'/></feed><entry><title>B</title>";
    assert_eq!(data(&apply_as(&rules, "text/xml", broken.as_bytes())).len(), 2, "what is there is taken");
    let found = apply_as(&rules, "text/xml", b"no XML at all <");
    assert_eq!(found.problems[0].kind, ProblemKind::NotReadable);
}

#[test]
fn charset_and_base_of_the_page_count() {
    let page = "<meta charset=iso-8859-1><base href=/b/><p>Preis: \u{80}</p><a href=x>y</a>";
    let body: Vec<u8> = page.chars().map(|c| c as u8).collect();
    let found = apply_as(&rules_of("p = 'p'\nu = { css = 'a', attr = 'href', type = 'url' }"), "text/html", &body);
    assert_eq!(data(&found), [json!({"p": "Preis: €", "u": "https://shop.example/b/x"})]);
}

#[test]
fn a_collection_is_about_the_pages_its_pattern_finds() {
    let url = Url::parse("https://shop.example/new/1").expect("a URL");
    let page =
        Page { url: &url, listed_url: "https://shop.example/old/1", content_type: Some(b"text/html"), body: b"<p>x" };
    let wants = |head: &str, page: &Page<'_>| {
        read(&format!("[[collection]]\nname = 't'\n{head}\n[collection.fields]\na = 'p'")).wants(page)
    };
    assert!(wants("match = '/new/\\d+$'", &page) && wants("match = '/old/'", &page) && wants("", &page));
    assert!(!wants("match = '/other/'", &page));
    let picture = Page { content_type: Some(b"image/png"), body: b"\x89PNG", ..page };
    assert!(!wants("", &picture) && !wants("match = '.*'", &picture));
    let feed = Page { content_type: Some(b"application/atom+xml"), body: b"<feed/>", ..page };
    assert!(!wants("", &feed) && wants("match = '.*'", &feed));
    assert!(Rules::default().is_empty() && !Rules::default().wants(&page));
}

#[test]
fn a_mistake_is_shown_with_its_place_and_what_is_allowed() {
    let head = "[[collection]]\nname = 'a'\n[collection.fields]\n";
    for (text, line, column, words) in [
        ("x = ", 1, 5, ""),
        ("[[collection]]\nnam = 'a'", 2, 1, "did you mean `name`"),
        ("[[collection]]\nname = 'a'", 1, 1, "no fields"),
        ("[[collection]]\n[collection.fields]\na = 'b'", 1, 1, "no `name`"),
        ("[[collection]]\nname = 'a b'\n", 2, 8, "letters, digits"),
        ("[[collection]]\nname = 'Pages'\n", 2, 8, "every store"),
        ("[[collection]]\nname = 'sqlite_x'\n", 2, 8, "every store"),
        ("collection = 3", 1, 14, "[[collection]]"),
        ("[[collection]]\nname = 'a'\nmatch = 'x('\n", 3, 11, "unclosed group"),
        ("[[collection]]\nname = 'a'\nmatch = \"\\\\d{x\"\n", 3, 14, "repetition"),
        ("[[collection]]\nname = 'a'\neach = 'div..x'\n", 3, 12, "expected"),
        ("[[collection]]\nname = 'a'\neach = { xpht = '//a' }\n", 3, 10, "did you mean `xpath`"),
        ("[[collection]]\nname = 'a'\nkey = ['skuu']\n[collection.fields]\nsku = 'b'", 3, 8, "did you mean `sku`"),
        (
            "[[collection]]\nname = 'a'\nkey = ['t']\n[collection.fields]\nt = { css = 'b', many = true }",
            3,
            8,
            "no single",
        ),
        ("[[collection]]\nname = 'a'\ndrift = 3\n[collection.fields]\nsku = 'b'", 3, 9, "from 0 to 1"),
    ] {
        let error = Rules::read(text).expect_err(text);
        assert_eq!((error.line, error.column), (line, column), "{text}\n{error}");
        assert!(error.to_string().contains(words), "{text}\n{error}");
    }
    for (field, column, words) in [
        ("t = 'h1['", 8, "[name]"),
        ("t = { cs = 'h1' }", 7, "did you mean `css`"),
        ("t = { css = 'h1', regex = 'EUR ([0-9]+)|free' }", 27, "not every match has it"),
        ("t = { css = 'h1', regex = '(?:a(b)?)+' }", 27, "not every match has it"),
        ("t = { css = 'h1', type = 'numbr' }", 26, "did you mean `number`"),
        ("t = { css = 'h1', locale = 'xx' }", 28, "allowed are"),
        ("t = { css = 'p', type = 'date', format = '%d.%m' }", 42, "strptime"),
        ("t = { css = 'p', format = '%d.%m.%Y' }", 5, "type ="),
        ("t = { css = 'p', jsonld = '$.a' }", 5, "fallbacks"),
        ("t = { css = 'p', attr = 'x', html = true }", 5, "only one"),
        ("t = { meta = 'p', attr = 'x' }", 5, "needs `css`"),
        ("t = { jsonld = '$.a[' }", 20, "JSONPath"),
        ("t = { jsonld = 'a' }", 17, "JSONPath"),
        ("t = { json = '$[?@..a]' }", 19, "inside a filter"),
        ("t = { type = 'number' }", 5, "where is it"),
        ("t = { css = 'p', many = 1 }", 25, "true or false"),
        ("t = { css = 'p', many = true, join = ',' }", 38, "without `many`"),
        ("t = { css = 'p', type = 'number', default = 'x' }", 45, "expected a number"),
        ("t = { css = 'p', required = true, default = 'x' }", 45, "never missing"),
        ("t = { css = 'p', matches = 'x', type = 'number' }", 40, "bool"),
        ("t = { css = 'p', regex = \"é(\" }", 28, "unclosed"),
        ("t = { each = 'tr' }", 5, "needs `fields`"),
        ("t = { each = 'tr', fields = { a = 'b[' } }", 37, "[name]"),
        ("t = { each = '$.a[*]', fields = { a = 'b' } }", 39, "no elements"),
        ("t = []", 5, "no source"),
        ("t = 5", 5, "expected"),
        ("t = [{ css = 'a', type = 'number' }, { css = 'b', type = 'date' }]", 58, "one type"),
        ("_t = 'p'", 1, "no `_`"),
        ("\"a'b\" = 'p'", 1, "no quotes"),
        ("t = 'p'\nT = 'p'", 1, "already"),
        ("t = { microdata = '' }", 19, "properties"),
    ] {
        let error = Rules::read(&format!("{head}{field}")).expect_err(field);
        assert_eq!(error.column, column, "{field}\n{error}");
        assert!(error.line >= 4 && error.to_string().contains(words), "{field}\n{error}");
    }
    let error = Rules::read(&format!("{head}a = 'b'\n\n\ttitle = \"h1[\"")).expect_err("a broken selector").to_string();
    let (place, rest) = error.split_once('\n').expect("more than one line");
    assert_eq!(place, "line 6, column 13");
    assert!(rest.starts_with("  |\n6 | \ttitle = \"h1[\"\n  | \t           ^\n"), "{rest}");
    let two = format!("{head}a = 'b'\n{}a = 'b'", head.replace("'a'", "'A'"));
    assert!(Rules::read(&two).expect_err("twice the same name").message.contains("already"));
}

#[test]
fn rules_can_be_used_on_any_thread() {
    fn shared<T: Send + Sync + Clone>(_: &T) {}
    shared(&Rules::default());
}

#[test]
fn names_of_json_ld_in_the_page_do_not_depend_on_its_place() {
    let page = "<div class=x><p>1</p></div><div class=x><p>2</p></div>
        <script type=application/ld+json>{\"brand\": {\"name\": \"B\"}}</script>";
    let rules = read(
        "[[collection]]\nname = 't'\neach = '.x'\n[collection.fields]\nn = 'p'\nbrand = { jsonld = '$.brand.name' }",
    );
    assert_eq!(data(&apply(&rules, page)), [json!({"n": "1", "brand": "B"}), json!({"n": "2", "brand": "B"})]);
}

/// Applies rules until they end or have asked `patience` times; how often they asked.
fn asked(rules: &Rules, content_type: &str, body: &[u8], patience: u64) -> (u64, Option<PageItems>) {
    let url = Url::parse(URL).expect("a URL");
    let page = Page { url: &url, listed_url: URL, content_type: Some(content_type.as_bytes()), body };
    let asked = Cell::new(0);
    let found = rules.apply(&page, &|| {
        asked.set(asked.get() + 1);
        asked.get() <= patience
    });
    (asked.get(), found)
}

#[test]
fn hostile_pages_end_when_they_are_told_to() {
    let rules = read(
        "[[collection]]\nname = 'a'\nmatch = '.*'\neach = 'div, span, b'\n[collection.fields]\nt = 'b i'\n\
         n = ':nth-last-child(3)'\nh = { css = ':has(u)', html = true }\ns = 'a ~ p'\nj = { jsonld = '$..a' }\n\
         [[collection]]\nname = 'b'\nmatch = '.*'\n[collection.fields]\nx = { json = '$..a..b', many = true }",
    );
    let long = |part: &str| part.repeat((1 << 14) / part.len());
    let many_formats: String = (0..3_000).map(|id| format!("<b id={id}>")).collect();
    for page in [
        long("<div>"),
        long("<span>"),
        long("<b><i>"),
        long("<b><p></b>"),
        long("<table><tr><td>"),
        long("<a><p>x"),
        long("<ul><li>x</li>"),
        format!("{}{many_formats}{}", "<div>".repeat(200), "</div>x".repeat(200)),
        format!("<script type=application/ld+json>{}</script>", long("[{\"a\":")),
        long("<svg><title>"),
        long("<template>"),
        format!("<p {}>", long("a=b ")),
    ] {
        let (questions, found) = asked(&rules, "text/html", page.as_bytes(), 100);
        assert!(found.is_some() || questions == 101, "{}: asked {questions} times", &page[..20]);
    }
    let deep = format!("{}1{}", "{\"a\":{\"b\":".repeat(60), "}}".repeat(60));
    for json in [deep, format!("[{}0]", long("{\"a\":{\"b\":1}},")), long("["), long("[[],")] {
        let (questions, found) = asked(&rules, "application/json", json.as_bytes(), 100);
        assert!(found.is_some() || questions == 101, "{}: asked {questions} times", &json[..20]);
    }
    for xml in [long("<a><b>"), long("</x>"), long("<a x='1'/>"), long("&a;"), long("<![CDATA[")] {
        let (questions, found) = asked(&rules, "text/xml", xml.as_bytes(), 100);
        assert!(found.is_some() || questions == 101, "{}: asked {questions} times", &xml[..5]);
    }
}

#[test]
fn a_budget_is_all_work_and_hardly_overrun_whatever_the_selector() {
    let siblings = "<i></i><!-- -->".repeat(20_000);
    let nested = format!("{}{}", "<div>".repeat(500), "<b></b>".repeat(20_000));
    let classes: String = (0..20_000).map(|n| format!("c{n} ")).collect();
    let classes = format!("<p class='{classes}' title='{classes}'>{}", "<b></b>".repeat(20_000));
    let comments = format!("<p>{}<i></i>{}", "<!-- -->".repeat(20_000), "<b></b>".repeat(20_000));
    for (page, selectors) in [
        (&siblings, ["i:has(~ u)", "u ~ i", "* ~ i ~ i ~ u, i:not(u ~ i)", "i:nth-last-child(3n):not(u ~ i)"]),
        (&nested, ["div:has(u)", "* * * * b:not(u b)", "u * b", "b:not(u ~ *):has(~ u)"]),
        (&classes, ["p.x b, p.y > b", "[title~=x] b", "[class$=x] > b", ".x:not(.y) .z, .q b"]),
        (&comments, ["p:not(:empty) b:not(u ~ b)", "p:empty ~ *", "p:not(:empty) > b", "i ~ b:not(u ~ b)"]),
    ] {
        // None of them finds anything.
        let of =
            |n: usize| selectors[n % 4].split(", ").map(|one| format!("{one}:not(*)")).collect::<Vec<_>>().join(", ");
        let fields: String = (0..200).map(|n| format!("f{n} = \"{}\"\n", of(n))).collect();
        let rules = rules_of(&fields);
        let (begun, limit) = (thread_cpu(), Duration::from_millis(150));
        let budget = CpuBudget::new(limit);
        let url = Url::parse("https://example.com/").expect("a URL");
        let page =
            Page { url: &url, listed_url: url.as_str(), content_type: Some(b"text/html"), body: page.as_bytes() };
        let found = rules.apply(&page, &|| budget.is_left());
        let used = thread_cpu() - begun;
        assert!(found.is_some() || used >= limit, "{selectors:?} ended after {used:?}");
        assert!(used < 2 * limit + Duration::from_millis(100), "{selectors:?} took {used:?}");
    }
}

#[test]
fn nesting_of_xml_ends_too_and_deeper_elements_follow() {
    let rules = rules_of("a = { css = 'z', many = true }\nb = { css = 'y', many = true }");
    let page = format!("<r>{}<y>1</y>{}<z>2</z></r>", "<x>".repeat(3000), "</x>".repeat(3000));
    let document = xml::parse(&page, &Budget::new(&|| true)).expect("nobody stopped it").0;
    let depth = |index| document.element(index).map_or(0, |element| element.ancestors().count());
    assert_eq!((0..document.len()).map(depth).max(), Some(crate::extract::stack::MAX_DEPTH));
    assert_eq!(document.tree().elements().count(), 3003, "no element is lost");
    let url = Url::parse("https://example.com/").expect("a URL");
    let page = Page { url: &url, listed_url: url.as_str(), content_type: Some(b"text/xml"), body: page.as_bytes() };
    let found = rules.apply(&page, &|| true).expect("nobody stopped it");
    assert_eq!(found.items.first().map(|item| item.data.as_str()), Some(r#"{"a":["2"],"b":["1"]}"#));
}

#[test]
fn what_is_too_much_is_passed_over_and_told() {
    let rules = read("[[collection]]\nname = 'a'\nmatch = '.*'\neach = 'p'\n[collection.fields]\nt = ':scope'");
    let found = apply(&rules, &"<p>x</p>".repeat(MAX_ITEMS + 10));
    assert_eq!((found.items.len(), found.problems.len(), found.problems[0].kind), (MAX_ITEMS, 1, ProblemKind::TooMany));
    let rules = rules_of("t = { css = 'p', many = true }\nu = 'b'");
    let found = apply(&rules, &format!("{}<b>b</b>", "<p>x</p>".repeat(MAX_FIELD_VALUES + 10)));
    assert_eq!(data(&found)[0]["t"].as_array().map(Vec::len), Some(MAX_FIELD_VALUES));
    assert_eq!((found.problems.len(), found.problems[0].kind), (1, ProblemKind::TooMany));
    let found = apply(&rules, &format!("<p>{}</p><b>b</b>", "x".repeat(MAX_VALUE_BYTES + 10)));
    assert_eq!((data(&found)[0]["t"].clone(), found.problems[0].kind), (Value::Null, ProblemKind::TooMany));
    assert!(found.problems[0].found.len() <= seine_core::record::items::MAX_FOUND_BYTES);
    let rules = rules_of("t = { css = 'p', many = true, type = 'number' }");
    let found = apply(&rules, &"<p>x</p>".repeat(MAX_PROBLEMS + 10));
    assert_eq!(found.problems.len(), MAX_PROBLEMS);
    assert_eq!(found.problems.last().map(|problem| problem.kind), Some(ProblemKind::TooMany));
}

#[test]
fn no_bytes_break_the_rules_and_items_are_json_in_the_declared_order() {
    const PARTS: [&str; 40] = [
        "<div class=product>",
        "</div>",
        "<h1>",
        "</h1>",
        "<p class=price>",
        "$1,2",
        "99.00",
        "<table class=specs>",
        "<tr>",
        "<th>",
        "<td>",
        "<script type=application/ld+json>",
        "{\"sku\":",
        "\"A\"",
        "}",
        "[",
        "]",
        "</script>",
        "<time datetime=",
        "2026-11-22",
        "T10:00",
        "Z>",
        "<img class=main src=",
        "http://[",
        "'",
        "\"",
        "<",
        ">",
        "&",
        "&amp;",
        "\0",
        "\u{FFFD}",
        "<article>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "\u{202E}",
        "<i class=tag>",
        "<template>",
    ];
    let rules = read(&format!(
        "{}\n[[collection]]\nname = 'b'\nmatch = '.*'\n[collection.fields]\nz = '$..sku'\na = 'h1'\n\
         m = {{ microdata = 'a.b' }}\nd = {{ css = 'p', type = 'date' }}\nq = {{ css = '*', type = 'json', many = true }}",
        EXAMPLE
            .replace("https?://shop\\\\.example/p/.*", ".*")
            .replace(", required = true", "")
            .replace("key   = [\"sku\"]", "")
    ));
    let seed = 0x5E1E;
    println!("seed {seed}");
    let mut random = Dice::of(seed);
    let mut items = 0;
    for round in 0..1500 {
        let mut body = Vec::new();
        for _ in 0..random.below(60) {
            match random.below(8) {
                0 => body.push(u8::try_from(random.below(256)).expect("a byte")),
                _ => body.extend_from_slice(PARTS[random.below(PARTS.len())].as_bytes()),
            }
        }
        let content_type =
            ["text/html", "text/html; charset=utf-16", "application/json", "text/xml", "text/plain", "x"]
                [random.below(6)];
        let found = apply_as(&rules, content_type, &body);
        for item in &found.items {
            items += 1;
            let value: Value =
                serde_json::from_str(&item.data).unwrap_or_else(|error| panic!("round {round}: {error}"));
            let names: Vec<_> = value.as_object().expect("an object").keys().map(String::as_str).collect();
            let collection = &rules.collections()[usize::from(item.collection)];
            let declared: Vec<_> = collection.fields.iter().map(|field| field.name.as_str()).collect();
            assert_eq!(names, declared, "round {round}");
        }
    }
    assert!(items > 100, "only {items} items: this test sees nothing");
}

#[test]
fn a_number_keeps_its_no_break_spaces_and_its_problem_does_not() {
    finds("{ css = 'p', type = 'number' }", "<p>\n  1&nbsp;299,50&nbsp;€\n</p>", json!(1299.5));
    finds("{ css = 'p', type = 'integer' }", "<p>1&thinsp;299</p>", json!(1299));
    finds("{ meta = 'n', type = 'integer' }", "<meta name=n content=1e3>", json!(1000));
    finds("{ meta = 'n', type = 'number' }", "<meta name=n content='Rs.499'>", json!(499.0));
    let found = apply(&rules_of("v = { css = 'p', type = 'number' }"), "<p>\n 1\n\n 2 </p>");
    assert_eq!(found.problems[0].found, "1 2");
}

#[test]
fn a_time_zone_is_said_of_a_field_or_a_collection() {
    finds(
        "{ css = 'p', type = 'datetime', timezone = 'Europe/Berlin' }",
        "<p>22.11.2026 14:30",
        json!("2026-11-22T13:30:00Z"),
    );
    let rules = read(
        "[[collection]]\nname = 'c'\ntimezone = 'Asia/Tokyo'\n[collection.fields]\nt = 'p'\n\
         a = { css = 'p', type = 'datetime' }\nb = { css = 'p', type = 'datetime', timezone = '-05:00' }\n\
         c = { css = 'p', type = 'date' }",
    );
    let found = data(&apply(&rules, "<p>2026-11-22 14:30")).remove(0);
    assert_eq!(
        (&found["a"], &found["b"], &found["c"]),
        (&json!("2026-11-22T05:30:00Z"), &json!("2026-11-22T19:30:00Z"), &json!("2026-11-22"))
    );
    for (rule, message) in [
        ("{ css = 'p', type = 'datetime', timezone = 'Europe/Atlantis' }", "unknown time zone"),
        ("{ css = 'p', timezone = 'UTC' }", "datetime"),
    ] {
        let error =
            Rules::read(&format!("[[collection]]\nname = 'c'\n[collection.fields]\nv = {rule}")).expect_err(rule);
        assert!(error.to_string().contains(message), "{error}");
    }
}
