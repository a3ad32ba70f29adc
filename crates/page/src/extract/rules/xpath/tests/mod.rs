//! XPath against another's answers, its own definitions, and the hostile.

mod table;

use std::cell::Cell;

use seine_testkit::Dice;

use super::*;
use crate::extract::arena::tests::soup;
use crate::extract::parsed::Parsed;
use crate::extract::rules::Selector;
use nodes::Node;

fn parsed(page: &str) -> Parsed<'_> {
    Parsed::new(page.as_bytes(), Some(b"text/html; charset=utf-8"))
}

#[track_caller]
fn compiled(expr: &str) -> XPath {
    XPath::parse(expr).unwrap_or_else(|error| panic!("{expr}: {error:?}"))
}

/// What an expression is, for people.
fn shown(dom: &Dom<'_>, expr: &str, scope: Option<Index>) -> String {
    let budget = Budget::new(&|| true);
    let tree = Tree::of(dom);
    let value = Evaluator { tree, budget: &budget }.value(&compiled(expr).expr, scope).expect("nobody stopped it");
    match value {
        Value::Nodes(nodes) if nodes.is_empty() => "nothing".to_owned(),
        Value::Nodes(nodes) => {
            let show = |node: &Node| {
                let text = tree.text(*node, &budget).expect("nobody stopped it");
                match tree.element(*node) {
                    Some(element) => format!("<{}>{text}", element.name()),
                    None if tree.is(*node, &expr::NodeTest::Comment, expr::Axis::Child) => format!("<!>{text}"),
                    None => text.into_owned(),
                }
            };
            nodes.iter().map(show).collect::<Vec<_>>().join(" | ")
        }
        Value::Text(text) => text.into_owned(),
        Value::Number(number) => functions::written(number),
        Value::Bool(truth) => truth.to_string(),
    }
}

fn nodes(dom: &Dom<'_>, expr: &str) -> Vec<Node> {
    let budget = Budget::new(&|| true);
    let value = Evaluator { tree: Tree::of(dom), budget: &budget }.value(&compiled(expr).expr, None);
    match value.expect("nobody stopped it") {
        Value::Nodes(nodes) => nodes,
        value => panic!("{expr} is {value:?}"),
    }
}

#[test]
fn expressions_are_what_libxml2_says_they_are() {
    for (page, scope, table) in [
        (table::SHOP_PAGE, None, table::SHOP),
        (table::SHOP_PAGE, Some("tr:nth-child(2)"), table::SHOP_ROW),
        (table::ODD_PAGE, None, table::ODD),
    ] {
        let parsed = parsed(page);
        let dom = parsed.dom(&|| true).expect("nobody stopped it");
        let scope = scope.map(|css| {
            let selector = Selector::parse(css).expect(css);
            dom.select(&selector, None, 1, &Budget::new(&|| true)).expect("nobody stopped it")[0]
        });
        for (expr, expected) in table {
            assert_eq!(shown(dom, expr, scope), *expected, "{expr}");
        }
    }
}

#[test]
fn what_libxml2_does_not_know_is_there_too() {
    let page = "<!doctype html><html lang=de><body><p class='a b' id=one>x<p CLASS=c id=two lang=en-GB>Y 12<template><b>in\
                </b></template><my-tag>z</my-tag>";
    let parsed = parsed(page);
    let dom = parsed.dom(&|| true).expect("nobody stopped it");
    for (expr, expected) in [
        ("//p[has-class('b')]", "<p>x"),
        ("//p[has-class('b', 'a')]", "<p>x"),
        ("//p[has-class('b', 'c')]", "nothing"),
        ("//p[re:test(., '^y \\d+', 'i')]", "<p>Y 12inz"),
        ("re:test(//p[1], 'X')", "false"),
        ("id('two one')", "<p>x | <p>Y 12inz"),
        ("id(//p/@id)[2]", "<p>Y 12inz"),
        ("//p[lang('en')]/@id", "two"),
        ("//p[lang('DE')]/@id", "one"),
        ("//p[lang('e')]", "nothing"),
        ("//template/b", "<b>in"),
        ("//b/..", "<template>in"),
        ("//MY-TAG", "<my-tag>z"),
        ("//p[@Class='c']/@ID", "two"),
        ("count(/)", "1"),
        ("name(/ancestor-or-self::node()/*)", "html"),
        ("processing-instruction('a')", "nothing"),
        ("namespace-uri(//p)", ""),
        // As the recommendation has it: what is in its element follows an attribute.
        ("//p[2]/@id/following::b", "<b>in"),
        ("//p[1]/@id/following::my-tag", "<my-tag>z"),
    ] {
        assert_eq!(shown(dom, expr, None), expected, "{expr}");
    }
}

#[test]
fn names_of_xml_are_as_they_are_written() {
    let body = "<rss xmlns:dc='urn:dc' xmlns='urn:rss'><item dc:x='1'><dc:creator>A</dc:creator><pubDate>B</pubDate></item></rss>";
    let (dom, problem) = crate::extract::rules::xml::parse(body, &Budget::new(&|| true)).expect("nobody stopped it");
    assert_eq!(problem, None);
    for (expr, expected) in [
        ("//dc:creator", "<dc:creator>A"),
        ("//creator", "nothing"),
        ("//*[local-name()='creator']", "<dc:creator>A"),
        ("//dc:*", "<dc:creator>A"),
        ("//pubDate", "<pubDate>B"),
        ("//pubdate", "nothing"),
        ("namespace-uri(//dc:creator)", "urn:dc"),
        ("namespace-uri(//pubDate)", "urn:rss"),
        ("count(/rss/@*)", "0"),
        ("//@dc:x", "1"),
        ("name(//@*)", "dc:x"),
    ] {
        assert_eq!(shown(&dom, expr, None), expected, "{expr}");
    }
}

const AXES: [&str; 11] = [
    "ancestor",
    "ancestor-or-self",
    "child",
    "descendant",
    "descendant-or-self",
    "following",
    "following-sibling",
    "parent",
    "preceding",
    "preceding-sibling",
    "self",
];

/// Whether `to` is on an axis of `from`, by the definition.
fn is_on(tree: Tree<'_>, axis: &str, from: Node, to: Node) -> bool {
    let is_in = |node: Node, around: Node| {
        std::iter::successors(tree.parent(node), |node| tree.parent(*node)).any(|above| above == around)
    };
    match axis {
        "ancestor" => is_in(from, to),
        "ancestor-or-self" => from == to || is_in(from, to),
        "child" => tree.parent(to) == Some(from),
        "descendant" => is_in(to, from),
        "descendant-or-self" => from == to || is_in(to, from),
        "following" => to > from && !is_in(to, from),
        "following-sibling" => to > from && tree.parent(to) == tree.parent(from),
        "parent" => tree.parent(from) == Some(to),
        "preceding" => to < from && !is_in(from, to),
        "preceding-sibling" => to < from && tree.parent(to) == tree.parent(from),
        _ => from == to,
    }
}

#[test]
fn axes_are_what_they_are_defined_to_be_one_by_one_and_all_at_once() {
    let mut dice = Dice::new();
    let mut found = 0;
    for _ in 0..30 {
        let page = soup(&mut dice);
        let parsed = parsed(&page);
        let dom = parsed.dom(&|| true).expect("nobody stopped it");
        let tree = Tree::of(dom);
        let all = nodes(dom, "/descendant-or-self::node()");
        if all.len() > 150 {
            continue;
        }
        for first in AXES {
            let once: Vec<_> =
                all.iter().copied().filter(|to| all.iter().any(|from| is_on(tree, first, *from, *to))).collect();
            assert_eq!(nodes(dom, &format!("//node()/../{first}::node() | {first}::node()")).len(), {
                let parents: Vec<_> = all.iter().filter_map(|node| tree.parent(*node)).collect();
                all.iter().filter(|to| parents.iter().any(|from| is_on(tree, first, *from, **to))).count()
            });
            found += once.len();
            for second in ["child", "following-sibling", "ancestor", "descendant", "preceding"] {
                let path = format!("/descendant-or-self::node()/{first}::node()/{second}::node()");
                let twice: Vec<_> =
                    all.iter().copied().filter(|to| once.iter().any(|from| is_on(tree, second, *from, *to))).collect();
                assert_eq!(nodes(dom, &path), twice, "{path} on {page}");
                // Each node's for themselves, as places need it.
                assert_eq!(nodes(dom, &format!("{path}[position() >= 1]")), twice, "{path} on {page}");
                found += twice.len();
            }
        }
    }
    assert!(found > 10_000, "{found}");
}

#[test]
fn different_ways_to_say_the_same_find_the_same() {
    let mut dice = Dice::new();
    for _ in 0..100 {
        let page = soup(&mut dice);
        let parsed = parsed(&page);
        let dom = parsed.dom(&|| true).expect("nobody stopped it");
        for (one, other) in [
            ("//p", "/descendant-or-self::node()/child::p"),
            ("//p[1]", "/descendant-or-self::node()/child::p[position() = 1]"),
            ("//b[last()]", "//b[not(following-sibling::b)]"),
            ("//b[1]", "//b[not(preceding-sibling::b)]"),
            ("//*[b]", "//b/.."),
            ("//*[b][1]", "//*[b and not(preceding-sibling::*[b])]"),
            ("//@*[1]", "//*/attribute::*[1]"),
            ("//div//b", "//b[ancestor::div]"),
            ("//td/following-sibling::td", "//td[preceding-sibling::td]"),
            ("(//text())[position() < 4]", "(//text())[1] | (//text())[2] | (//text())[3]"),
            ("//*[contains(., 'a')]", "//text()[contains(., 'a')]/ancestor::* | //*[contains(., 'a')]"),
            ("//node()[self::text() or self::comment()]", "//text() | //comment()"),
            ("//*[count(*) = 0]", "//*[not(*)]"),
            ("//*[@*]", "//@*/.."),
            ("//p//.", "//p/descendant-or-self::node()"),
        ] {
            assert_eq!(nodes(dom, one), nodes(dom, other), "{one} and {other} on {page}");
        }
    }
}

#[test]
fn a_text_is_one_node_however_it_was_written() {
    let parsed = parsed("<p>a&amp;b&#0;c\r\nd<!--x-->e");
    let dom = parsed.dom(&|| true).expect("nobody stopped it");
    assert_eq!(nodes(dom, "//p/text()").len(), 2);
    assert_eq!(nodes(dom, "//p/node()").len(), 3);
    assert_eq!(shown(dom, "string-length(//p/text()[2]/preceding::text()[1]) > 4", None), "true");
}

#[test]
fn a_mistake_is_shown_where_it_is() {
    for (expr, at, word) in [
        ("", 0, "missing"),
        ("//", 2, "not finished"),
        ("//td[", 5, "not finished"),
        ("//td[]", 5, "predicate is missing"),
        ("//td[1", 6, "`]`"),
        ("//td]", 4, "closes nothing"),
        ("//td[contains(., 'a'", 20, "`)`"),
        ("//td[. = 'a]", 9, "not closed"),
        ("//td[@a ~= 'b']", 8, "has-class"),
        ("//td#x", 4, "@id"),
        ("//a::b", 2, "axis"),
        ("//namespace::*", 2, "no axis `namespace`"),
        ("//chld::b", 2, "did you mean `child`"),
        ("contain(., 'a')", 0, "did you mean `contains`"),
        ("//a[ends-with(@href, 'x')]", 4, "re:test"),
        ("contains(.)", 0, "2 arguments, here 1"),
        ("count('a')", 6, "path is expected"),
        ("//a | 'b'", 6, "`|` joins nodes"),
        ("'a'/b", 0, "nodes"),
        ("//a/$x", 4, "step"),
        ("$x", 0, "no variables"),
        ("//a b", 4, "operator"),
        ("ü//a!", 5, "`!`"),
        ("..[1]", 2, "parent::node()"),
        ("re:test(., '(')", 12, "docs.rs/regex"),
        ("re:test(., @a)", 11, "in quotes"),
        ("re:test(., 'a', 'q')", 16, "unknown flag"),
        ("//a/string()", 4, "around a path"),
        ("//(a|b)", 2, "parentheses"),
    ] {
        let error = XPath::parse(expr).expect_err(expr);
        assert_eq!(error.at, at, "{expr}: {error:?}");
        assert!(error.message.contains(word), "{expr}: {error:?}");
    }
    let deep = format!("{}1{}", "(".repeat(40), ")".repeat(40));
    assert!(XPath::parse(&deep).expect_err("deep").message.contains("32 deep"));
    let long = vec!["a"; 600].join(" or ");
    assert!(XPath::parse(&long).expect_err("long").message.contains("1000 words"));
    compiled(&vec!["1"; 500].join("+"));
}

#[test]
fn broken_expressions_break_nothing() {
    let mut dice = Dice::new();
    let page = "<p class=a>x<b>y</b><table><tr><th>SKU<td>1";
    let parsed = parsed(page);
    let dom = parsed.dom(&|| true).expect("nobody stopped it");
    let mut whole = 0;
    for _ in 0..3_000 {
        let table = table::SHOP;
        let mut chars: Vec<char> = table[dice.below(table.len())].0.chars().collect();
        for _ in 0..dice.below(4) {
            let at = dice.below(chars.len().max(1));
            match dice.below(3) {
                0 if !chars.is_empty() => _ = chars.remove(at.min(chars.len() - 1)),
                1 => chars.insert(
                    at.min(chars.len()),
                    ['/', '[', ']', '(', ')', '@', '*', '\'', ':', 'ä', '1', '.', '-'][dice.below(13)],
                ),
                _ => chars.truncate(at.max(1)),
            }
        }
        let text: String = chars.into_iter().collect();
        match XPath::parse(&text) {
            Ok(xpath) => {
                let mut hits = 0;
                xpath
                    .find(dom, None, &Budget::new(&|| true), &mut |_| {
                        hits += 1;
                        Some(true)
                    })
                    .expect("nobody stopped it");
                assert!(hits <= dom.len() * 2);
                assert!(xpath.beginnings().iter().all(|shorter| shorter.text.len() < text.len()));
                whole += 1;
            }
            Err(error) => assert!(text.is_char_boundary(error.at) && !error.message.is_empty(), "{text}: {error:?}"),
        }
    }
    assert!(whole > 300, "{whole}");
}

/// How often a budget is asked while an expression is answered.
fn asked(page: &str, expr: &str, most: usize) -> Option<usize> {
    let parsed = parsed(page);
    let dom = parsed.dom(&|| true).expect("nobody stopped it");
    let asked = Cell::new(0);
    let keep_going = || {
        asked.set(asked.get() + 1);
        asked.get() < most
    };
    let budget = Budget::new(&keep_going);
    compiled(expr).find(dom, None, &budget, &mut |_| Some(true))?;
    Some(asked.get())
}

#[test]
fn what_is_asked_of_all_at_once_is_linear() {
    let row = "<div><ul><li>a<li>b<li><b>c</b></ul><p>x<i>y</i></div>";
    for expr in [
        "//div//li//text()",
        "//node()//node()//node()//node()",
        "//li/following-sibling::li/following-sibling::li",
        "//li/preceding-sibling::li/..",
        "//*/following::*/following::*",
        "//*/preceding::*/preceding::*",
        "//b/ancestor::*/ancestor-or-self::*",
        "//*/../../..//i",
        "//li[1]/following-sibling::*[1]",
        "//*[.//b]",
        "//text() = //b",
        "count(//li[@class = 'x' or position() = 2])",
    ] {
        let (small, large) = (row.repeat(500), row.repeat(2_000));
        let small = asked(&small, expr, usize::MAX).expect("nobody stopped it");
        let large = asked(&large, expr, usize::MAX).expect("nobody stopped it");
        assert!(small > 2 && large < small * 6, "{expr}: {small}, then {large}");
    }
    // Nested as deep as a page may be.
    let deep = "<div>".repeat(400) + "x";
    assert!(asked(&deep, "//div//div//div//text()", usize::MAX).expect("nobody stopped it") < 20);
}

#[test]
fn what_takes_long_is_stopped() {
    let page = "<div><p>a<p>b</div>".repeat(1_000);
    for expr in [
        "//*[count(//*[count(//*) > 1]) > 1]",
        "//*[following::*[preceding::*[following::x]]]",
        "//p[. = //p[contains(/, 'zz')]]",
        "sum(//*[string-length(/) > 1])",
        "//*[translate(/, 'ab', 'ba') = normalize-space(/)]",
    ] {
        assert_eq!(asked(&page, expr, 200), None, "{expr}");
    }
}
