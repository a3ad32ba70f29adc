//! What selectors find on our tree, beside what they find on `scraper`'s.

use scraper::ElementRef;
use selectors::context::SelectorCaches;

use super::*;
use crate::extract::arena::judge;
use crate::extract::arena::tests::soup;

const SELECTORS: &[&str] = &[
    "*",
    "p",
    "P",
    "a[href]",
    "a[HREF='1']",
    "[href='2' i]",
    "[a]",
    "[b='1'][a]",
    "div > p",
    "div p",
    "p + p",
    "p ~ b",
    "b i, i b",
    "p:first-child",
    "p:last-child",
    "li:nth-child(2n+1)",
    "td:nth-of-type(2)",
    "td:first-of-type",
    "p:only-child",
    "tr:nth-last-child(1)",
    ":root",
    ":root > body",
    ":empty",
    "p:empty",
    ":not(p):not(div)",
    ":is(p, div) > b",
    ":where(b, i)",
    "div:has(p)",
    "p:has(> b)",
    "table:has(+ p)",
    "svg *",
    "foreignObject",
    "foreignobject",
    "x-y",
    "X-Y",
    "template *",
    "template > b",
    "select option",
    "table tr td:first-child",
    "ul li > a[href]",
    "body > *",
    "html, p, b",
    "input[type=hidden]",
    "input[type^=hid]",
    "[type$=den]",
    "[type*=dd]",
    "[type|=hidden]",
    "[type~=hidden]",
    "g, desc, mi",
    "noscript p",
    "p:not(:has(b))",
    "* > * > *",
    "title",
    "annotation-xml",
    "html > head > *",
];

#[test]
fn selectors_find_what_they_find_on_the_tree_of_scraper() {
    let compiled: Vec<_> = SELECTORS
        .iter()
        .map(|css| (*css, Selector::parse(css).expect(css), scraper::Selector::parse(css).expect(css)))
        .collect();
    let mut dice = seine_testkit::Dice::new();
    let budget = Budget::new(&|| true);
    let (mut found, mut pages) = (0, 0);
    for _ in 0..100 {
        let page = format!("{}<p class=x><b>y</b><ul><li><a href=1>z</a><li></ul>", soup(&mut dice));
        let parsed = Parsed::new(page.as_bytes(), Some(b"text/html; charset=utf-8"));
        let dom = parsed.dom(&|| true).expect("nobody stopped it");
        let html = judge::html(&page);
        let theirs: Vec<_> = html.tree.root().descendants().filter_map(ElementRef::wrap).collect();
        let ours: Vec<_> = dom.tree().elements().map(|element| element.id().index()).collect();
        assert_eq!(ours.len(), theirs.len(), "{page}");
        pages += 1;
        for (css, selector, other) in &compiled {
            let is_found: Vec<_> = dom
                .select(selector, None, usize::MAX, &budget)
                .expect("nobody stopped it")
                .into_iter()
                .map(|index| ours.binary_search(&index).expect("an element"))
                .collect();
            let should: Vec<_> = (0..theirs.len()).filter(|index| other.matches(&theirs[*index])).collect();
            assert_eq!(is_found, should, "{css} on {page}");
            found += should.len();
        }
        for (index, element) in ours.iter().zip(&theirs) {
            let html = dom.inner_html(*index, usize::MAX, &budget).expect("nobody stopped it");
            assert_eq!(html, element.inner_html(), "inside {} of {page}", element.value().name());
        }
        // In an element, as an item's fields are looked for.
        let mut caches = SelectorCaches::default();
        for (index, _) in ours.iter().zip(&theirs).filter(|(_, element)| element.value().name() == "div") {
            let selector = Selector::parse(":scope > *").expect("a selector");
            let inside = dom.select(&selector, Some(*index), usize::MAX, &budget).expect("nobody stopped it");
            let children: Vec<_> = dom
                .element(*index)
                .into_iter()
                .flat_map(crate::extract::arena::Element::child_elements)
                .map(|child| child.id().index())
                .collect();
            assert_eq!(inside, children, "{page}");
            let mut context = Selector::context(dom.element(*index), &mut caches);
            let scope = Selector::parse(":scope").expect("a selector");
            let element = dom.element(*index).expect("an element");
            assert_eq!(scope.matches(element, &mut context, &budget), Some(true));
        }
    }
    assert!(pages == 100 && found > 3_000, "{found}");
}
