//! The links of an answer's head: `Link` headers (RFC 8288), as far as they lead on as those of a page do.
//!
//! `<https://example.org/?page=2>; rel="next", <de.html>; rel=alternate; hreflang=de`
//!
//! The reader is tolerant: what it does not understand ends with the next comma.

use std::borrow::Cow;

use encoding_rs::UTF_8;
use url::Url;

use super::MAX_TOKEN_BYTES;
use super::resolve::Resolver;
use seine_core::record::links::{Element, Link, Links};

/// Links that are taken from the headers of one answer.
pub const MAX_HEADER_LINKS: usize = 100;

/// Relations that lead on.
const RELATIONS: [&str; 4] = ["next", "prev", "alternate", "canonical"];

/// Adds the links in `headers` that lead on from the page at `url`, at most [`MAX_HEADER_LINKS`]. Returns the first that is
/// said to be canonical.
pub fn add_links<'h>(headers: impl IntoIterator<Item = &'h str>, url: &Url, links: &mut Links) -> Option<String> {
    let mut resolver = Resolver::new(url, UTF_8);
    let all = headers.into_iter().flat_map(|header| Read { rest: header });
    let mut canonical = None;
    for named in all.filter(Named::leads_on).take(MAX_HEADER_LINKS) {
        if let Ok(url) = resolver.resolve(named.target) {
            if canonical.is_none() && named.is("canonical") {
                canonical = Some(url.to_owned());
            }
            links.push(Link { url, rel: &named.rel, element: Element::Header, ..Link::default() });
        }
    }
    canonical
}

/// One link of a header.
struct Named<'h> {
    target: &'h str,
    /// Empty as well for links that are not about the page as a whole.
    rel: Cow<'h, str>,
}

impl Named<'_> {
    fn leads_on(&self) -> bool {
        let is_one = RELATIONS.into_iter().any(|name| self.is(name));
        self.rel.len() <= MAX_TOKEN_BYTES && is_one && !self.is("stylesheet")
    }

    /// Whether this is among its relations.
    fn is(&self, name: &str) -> bool {
        self.rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(name))
    }
}

/// The links of a header, one by one.
struct Read<'h> {
    rest: &'h str,
}

impl<'h> Iterator for Read<'h> {
    type Item = Named<'h>;

    fn next(&mut self) -> Option<Named<'h>> {
        let (_, link) = self.rest.split_once('<')?;
        let (target, parameters) = link.split_once('>')?;
        let (rel, rest) = relation(parameters);
        self.rest = rest;
        Some(Named { target: target.trim(), rel })
    }
}

/// The first `rel` among the parameters of a link, and what comes behind its comma.
fn relation(text: &str) -> (Cow<'_, str>, &str) {
    let (mut rel, mut has_anchor) = (None, false);
    let mut rest = text.trim_start();
    while let Some(parameter) = rest.strip_prefix(';') {
        let (name, behind) = parameter.split_at(parameter.find(['=', ';', ',']).unwrap_or(parameter.len()));
        let (value, behind) = behind.strip_prefix('=').map_or((Cow::default(), behind), value);
        has_anchor |= name.trim().eq_ignore_ascii_case("anchor");
        if name.trim().eq_ignore_ascii_case("rel") {
            rel.get_or_insert(value);
        }
        rest = behind.trim_start();
    }
    let rel = rel.filter(|_| !has_anchor).unwrap_or_default();
    (rel, rest.split_once(',').map_or("", |(_, rest)| rest))
}

/// The value of a parameter, which may be quoted, and what comes behind it.
fn value(text: &str) -> (Cow<'_, str>, &str) {
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_at(text.find([';', ',']).unwrap_or(text.len()));
        return (Cow::Borrowed(value.trim()), rest);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (Cow::Owned(value), &quoted[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, character)| character)),
            _ => value.push(character),
        }
    }
    (Cow::Owned(value), "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[&str]) -> Vec<(String, String)> {
        let mut links = Links::default();
        let url = Url::parse("https://a.test/b/c?d").expect("a URL");
        add_links(headers.iter().copied(), &url, &mut links);
        assert!(links.iter().all(|link| link.element == Element::Header));
        links.iter().map(|link| (link.url.to_owned(), link.rel.to_owned())).collect()
    }

    #[track_caller]
    fn check(header: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(url, rel)| ((*url).to_owned(), (*rel).to_owned())).collect();
        assert_eq!(read(&[header]), expected, "{header}");
    }

    #[test]
    fn links_that_lead_on_are_taken_and_no_others() {
        check(
            r#"<?page=2>; rel="next", <https://b.test/>;rel=prev , </de>; hreflang=de; REL="alternate"; type="a,b;c""#,
            &[("https://a.test/b/c?page=2", "next"), ("https://b.test/", "prev"), ("https://a.test/de", "alternate")],
        );
        check(
            r#"</f.css>; rel=preload; as=style, </x#y>; rel="nofollow Canonical""#,
            &[("https://a.test/x", "nofollow Canonical")],
        );
        for other in ["</a>", "</a>; rel=stylesheet", "</a>; rel=\"alternate stylesheet\"", "</a>; rev=next", "next"] {
            check(other, &[]);
        }
        check("<mailto:me@a.test>; rel=next, </a>; rel=next; anchor=\"#b\", <http://[>; rel=next", &[]);
        check("</a>; rel=prev; rel=stylesheet", &[("https://a.test/a", "prev")]);
    }

    #[test]
    fn the_first_canonical_link_is_told() {
        let url = Url::parse("https://a.test/b?c").expect("a URL");
        for (headers, canonical) in [
            (
                &["</n>; rel=next, <x>; rel=\"alternate Canonical\"", "</y>; rel=canonical"][..],
                Some("https://a.test/x"),
            ),
            (&["<mailto:x@y>; rel=canonical", "</y>; rel=canonical"], Some("https://a.test/y")),
            (&["</n>; rel=next", "</y>; rel=canonical; anchor=\"#z\""], None),
        ] {
            let told = add_links(headers.iter().copied(), &url, &mut Links::default());
            assert_eq!(told.as_deref(), canonical, "{headers:?}");
        }
    }

    #[test]
    fn what_is_written_wrongly_ends_with_the_next_comma() {
        let next = [("https://a.test/a", "next")];
        for header in [
            ", ,junk, </a> ; rel = next",
            "</b>; rel=\"x\"y; rel=next, </a>; rel=next",
            "</a>;;; rel=next;",
            r#"</a>; title="a \" , <b>; rel=prev"; rel=next"#,
            "</a>;rel=\"next",
            "</b> rel=next, </a>; rel=next",
            "< /a >; rel=next, </b; rel=next",
        ] {
            check(header, &next);
        }
    }

    #[test]
    fn headers_without_end_are_read_in_bounds() {
        let many = "</a>; rel=next,".repeat(1000);
        assert_eq!(read(&[&many, &many]).len(), MAX_HEADER_LINKS);
        check(&format!("</a>; rel=\"next {}\"", "x".repeat(MAX_TOKEN_BYTES)), &[]);
        check(&"<".repeat(100_000), &[]);
        check(&"<>;".repeat(30_000), &[]);
    }
}
