//! Places within pages: those that a page has (`id="a"`, `<a name="a">`), and those that its links lead to (`href="b#a"`).
//!
//! Tokens are enough for that, and no tree is built: an element that the parser would drop has its place all the same.

use std::borrow::Cow;
use std::collections::HashSet;

use url::Url;

use super::resolve::join;
use super::tags::{DECODED_TEXT, RAW_TEXT, Tag};
use super::text::attribute_value;
use super::tokenize::{Token, Tokenizer};
use super::{MAX_LINKS, MAX_LINKS_TOTAL_BYTES, charset};
use seine_core::record::{self, MAX_URL_BYTES};

/// After so many tokens or links it is asked whether to go on.
const TURN: usize = 4096;

/// The places of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchors {
    names: HashSet<String>,
    /// Links to places, each once, in the order of the page.
    pub links: Vec<AnchorLink>,
}

/// A link to a place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AnchorLink {
    /// The page, without fragment.
    pub url: String,
    /// The fragment, as it stands in the URL.
    pub fragment: String,
}

impl Anchors {
    /// Whether the page has the place that `fragment` names, as a browser would find it (HTML standard, "find a potential
    /// indicated element").
    pub fn has(&self, fragment: &str) -> bool {
        let decoded = decoded(fragment);
        self.names.contains(fragment) || self.names.contains(&*decoded) || decoded.eq_ignore_ascii_case("top")
    }
}

/// The places of the page `body`, which was decompressed already, and those that it leads to; `url` is where it came from.
/// `None` as soon as `keep_going` says no.
pub fn anchors(body: &[u8], content_type: Option<&[u8]>, url: &Url, keep_going: &dyn Fn() -> bool) -> Option<Anchors> {
    let (document, charset) = charset::decode(body, content_type);
    let mut tokens = Tokenizer::with_all_attributes(&document);
    let (mut names, mut hrefs, mut base) = (HashSet::new(), Vec::new(), None);
    for token in 1_usize.. {
        if token.is_multiple_of(TURN) && !keep_going() {
            return None;
        }
        let name = match tokens.next(false, false) {
            Token::Start { name, .. } => name,
            Token::EndOfDocument => break,
            _ => continue,
        };
        let tag = name.tag();
        let of_anchor = if tag == Tag::A { tokens.attribute("name") } else { None };
        names
            .extend(tokens.attribute("id").into_iter().chain(of_anchor).map(|name| attribute_value(name).into_owned()));
        match tag {
            Tag::A | Tag::Area if hrefs.len() < MAX_LINKS => {
                hrefs.extend(tokens.attribute("href").filter(|href| href.contains('#')).map(attribute_value));
            }
            Tag::Base if base.is_none() => base = tokens.attribute("href").map(attribute_value),
            _ => {}
        }
        if tag.is(RAW_TEXT | DECODED_TEXT) {
            tokens.raw_text(tag);
        }
    }
    let base = base.filter(|href| href.len() <= MAX_URL_BYTES).and_then(|href| join(url, &href, charset).ok());
    let links = links(&hrefs, base.as_ref().unwrap_or(url), charset, keep_going)?;
    Some(Anchors { names, links })
}

fn links(
    hrefs: &[Cow<'_, str>],
    base: &Url,
    charset: &'static encoding_rs::Encoding,
    keep_going: &dyn Fn() -> bool,
) -> Option<Vec<AnchorLink>> {
    let (mut links, mut seen, mut bytes) = (Vec::new(), HashSet::new(), 0);
    for (number, href) in hrefs.iter().enumerate() {
        if number % TURN == TURN - 1 && !keep_going() {
            return None;
        }
        let Some(mut url) =
            Some(href).filter(|href| href.len() <= MAX_URL_BYTES).and_then(|href| join(base, href, charset).ok())
        else {
            continue;
        };
        let Some(fragment) = url.fragment().and_then(place).map(str::to_owned) else { continue };
        url.set_fragment(None);
        let link = AnchorLink { url: url.into(), fragment };
        bytes += link.url.len() + link.fragment.len();
        if bytes > MAX_LINKS_TOTAL_BYTES {
            break;
        }
        let is_web = Url::parse(&link.url).is_ok_and(|url| record::check(&url).is_ok());
        if is_web && seen.insert(link.clone()) {
            links.push(link);
        }
    }
    Some(links)
}

/// The place that a fragment names, if it names one: not the state of a script (`#!/a`, `#/a`), not a text to be found.
fn place(fragment: &str) -> Option<&str> {
    let place = fragment.split(":~:").next().unwrap_or(fragment);
    (!place.is_empty() && !place.starts_with(['!', '/'])).then_some(place)
}

/// `fragment` without percent-encoding.
fn decoded(fragment: &str) -> Cow<'_, str> {
    if !fragment.contains('%') {
        return Cow::Borrowed(fragment);
    }
    let mut bytes = Vec::with_capacity(fragment.len());
    let mut rest = fragment.as_bytes();
    while let [byte, after @ ..] = rest {
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        rest = match (*byte, digit(0).zip(digit(1))) {
            (b'%', Some((high, low))) => {
                bytes.push((high * 16 + low) as u8);
                &after[2..]
            }
            (byte, _) => {
                bytes.push(byte);
                after
            }
        };
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(page: &str) -> Anchors {
        let url = Url::parse("https://a.example/b/c").expect("a URL");
        anchors(page.as_bytes(), Some(b"text/html; charset=utf-8"), &url, &|| true).expect("told to go on")
    }

    #[test]
    fn places_are_ids_of_any_element_and_names_of_anchors() {
        let page = of(
            "<h2 id=one>1</h2><my-tag ID='t&amp;wo'><a name=three></a><p name=four><!-- id=five --><script>'<i id=six>'</script>\
                       <h3 id='größe'>",
        );
        for place in ["one", "t&wo", "t%26wo", "three", "gr%C3%B6%C3%9Fe", "größe", "top", "TOP"] {
            assert!(page.has(place), "{place}");
        }
        for none in ["four", "five", "six", "One", "tw", "%", "%zz"] {
            assert!(!page.has(none), "{none}");
        }
    }

    #[test]
    fn links_to_places_are_absolute_and_each_once() {
        let page = of(
            "<base href=/d/><a href=#x>1</a><a href='e#y&amp;z'>2</a><a href=#x>3</a><a href=f>4</a><area href='//b.example/#%20'>\
                       <a href=#>5</a><a href=#!/route>6</a><a href=#/route>7</a><a href=#:~:text=x>8</a><a href='#a:~:text=x'>9</a>\
                       <a href=mailto:a#b>10</a><a href='https://u:p@a.example/#x'>11</a>",
        );
        let links: Vec<_> = page.links.iter().map(|link| format!("{} {}", link.url, link.fragment)).collect();
        assert_eq!(
            links,
            ["https://a.example/d/ x", "https://a.example/d/e y&z", "https://b.example/ %20", "https://a.example/d/ a"]
        );
    }

    #[test]
    fn a_page_is_given_up_when_its_time_is_over() {
        let page = "<p id=x>".repeat(TURN + 1);
        let url = Url::parse("https://a.example/").expect("a URL");
        assert_eq!(anchors(page.as_bytes(), None, &url, &|| false), None);
    }
}
