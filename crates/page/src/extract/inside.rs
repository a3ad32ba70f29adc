//! The links inside chosen elements of a page, for which there is a tree.

use std::collections::HashMap;

use url::Url;

use super::arena::Element;
use super::charset;
use super::resolve::{Resolver, document_base};
use super::rules::dom::Dom;
use super::rules::{Budget, Selector};
use super::tags::Tag;
use seine_core::record::links::Links;

/// Notes in `links`, those of the HTML page `body`, which of them no element names that matches `selector` or lies in one
/// that does. `url` is where the page came from, after redirects.
///
/// `None` as soon as `keep_going` says no.
pub fn note_outside(
    links: &mut Links,
    body: &[u8],
    content_type: Option<&[u8]>,
    url: &Url,
    selector: &Selector,
    keep_going: &dyn Fn() -> bool,
) -> Option<()> {
    let (document, charset) = charset::decode(body, content_type);
    let budget = Budget::new(keep_going);
    let dom = Dom::html(document, &budget)?;
    let base = dom.base_href(&budget)?;
    let base = document_base(url, base, charset);
    let mut resolver = Resolver::new(&base, charset);
    // A page can name more URLs than are kept of it, and longer ones: only those are looked for.
    let mut numbers = HashMap::with_capacity(links.len());
    for (number, link) in links.iter().enumerate() {
        numbers.entry(link.url).or_insert(number);
    }
    let mut is_inside = vec![false; links.len()];
    for href in hrefs(&dom, selector, &budget)? {
        budget.spend(href.len())?;
        if let Some(number) = resolver.resolve(href).ok().and_then(|url| numbers.get(url)) {
            is_inside[*number] = true;
        }
    }
    links.note_outside(|number| is_inside[number]);
    Some(())
}

/// The URLs as written that elements inside of what matches name.
fn hrefs<'d>(dom: &'d Dom<'d>, selector: &Selector, budget: &Budget<'_>) -> Option<Vec<&'d str>> {
    let (mut hrefs, mut end) = (Vec::new(), 0);
    dom.select_while(selector, None, budget, &mut |index| {
        // What lies in two that match was looked at with the outer one.
        for index in index.max(end)..dom.end(index) {
            budget.spend(1)?;
            hrefs.extend(dom.element(index).and_then(|element| href(element)));
        }
        end = end.max(dom.end(index));
        Some(true)
    })?;
    Some(hrefs)
}

fn href(element: Element<'_>) -> Option<&str> {
    match element.tag() {
        Tag::A | Tag::Area | Tag::Link => element.attr("href"),
        Tag::Iframe | Tag::Frame => element.attr("src"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::extract::Extractor;

    const PAGE: &str = "<base href='/d/'><nav><a href=1>one</a><p><a href='2#x'>two</a></p></nav>
        <a class=next href='../3?\u{e4}'>three</a><a href=4>four</a><div class=next><nav><a href=5>five</a></nav></div>
        <link rel=next href=6><iframe src=7></iframe><a href=1>again</a>";

    fn inside(html: &str, selector: &str, keep_going: &dyn Fn() -> bool) -> Option<Vec<String>> {
        let url = Url::parse("https://a.test/b").expect("a URL");
        let mut links = Extractor::new().html(html.as_bytes(), Some(b"text/html"), &url).fields.links;
        let selector = Selector::parse(selector).expect("a selector");
        note_outside(&mut links, html.as_bytes(), Some(b"text/html"), &url, &selector, keep_going)?;
        let path = |url: &str| url.trim_start_matches("https://a.test").to_owned();
        Some(links.iter().filter(|link| !link.is_outside).map(|link| path(link.url)).collect())
    }

    #[test]
    fn links_inside_or_at_what_matches_are_told_from_the_others() {
        for (selector, expected) in [
            ("nav", &["/d/1", "/d/2", "/d/5"][..]),
            ("nav > a", &["/d/1", "/d/5"]),
            ("a.next, link, .next nav", &["/3?%C3%A4", "/d/5", "/d/6"]),
            ("body > a, iframe", &["/d/1", "/3?%C3%A4", "/d/4", "/d/7"]),
            ("table", &[]),
            ("*", &["/d/1", "/d/2", "/3?%C3%A4", "/d/4", "/d/5", "/d/6", "/d/7"]),
        ] {
            assert_eq!(inside(PAGE, selector, &|| true).expect("time"), expected, "{selector}");
        }
    }

    #[test]
    fn a_page_without_end_is_given_up() {
        let (deep, asked) = ("<div><a href=x>".repeat(20_000), Cell::new(0));
        let gives_up = || {
            asked.set(asked.get() + 1);
            asked.get() < 50
        };
        assert_eq!(inside(&deep, "div div a", &gives_up), None);
        assert_eq!(asked.get(), 50);
    }
}
