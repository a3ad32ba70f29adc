//! The built-in fields of a page, gathered while its tokens go by.

use std::borrow::Cow;

use encoding_rs::Encoding;
use url::Url;

use super::assets;
use super::captures::Owner;
use super::likeness::Words;
use super::limits;
use super::resolve::{self, Resolver};
use super::robots::Directives;
use super::seen::Seen;
use super::style;
use super::tags::{DECODED_TEXT, Tag};
use super::text::{MAX_CHAR_BYTES, Nul, attribute_value, decode_into, fold_into};
use super::tokenize::{Token, Tokenizer};
use super::tree::{Insertion, Tree, without_line_end};
use super::{AGENT, MAX_ANCHOR_BYTES, MAX_LINKS, MAX_LINKS_TOTAL_BYTES, MAX_TEXT_BYTES, More};
use seine_core::record::items::Excess;
use seine_core::record::links::{Element, Link, Links};
use seine_core::record::{self, BadUrl, HtmlFields, MAX_URL_BYTES};

/// Buffers that serve one page after the other.
#[derive(Default)]
pub struct Scratch {
    tree: Tree,
    seen: Seen,
    words: Words,
}

impl Scratch {
    /// The words of the page that was read last, but for those of links and of what frames it.
    pub(super) fn words(&self) -> &Words {
        &self.words
    }
}

/// A link as the page writes it; the base may come later.
struct Anchor<'d> {
    /// Without fragment.
    href: Cow<'d, str>,
    rel: &'d str,
    /// The `alt` of an area, which has no text.
    alt: Option<&'d str>,
    element: Element,
}

struct Page<'d, 's> {
    tokens: Tokenizer<'d>,
    tree: &'s mut Tree,
    seen: &'s mut Seen,
    /// `None`: nobody wants to know.
    words: Option<&'s mut Words>,
    title: Option<String>,
    has_h1: bool,
    lang: Option<String>,
    description: Option<String>,
    robots: Directives,
    base: Option<&'d str>,
    canonical: Option<&'d str>,
    anchors: Vec<Anchor<'d>>,
    /// URLs that other elements name: an anchor, which has a text, comes before them wherever it stands.
    others: Vec<Anchor<'d>>,
    /// What the page shows, plays and runs; `None`: nobody wants to know.
    assets: Option<Vec<Anchor<'d>>>,
}

/// Tokens or links between two questions whether to go on: milliseconds, even on the worst of pages.
const TURN: usize = 4096;

/// The fields of `document`, which was read in `charset` and whose links are relative to `url` unless it says
/// otherwise, and what it had beyond a limit; `None` once `keep_going` says no. Behind the links come the page's assets, if
/// those are wanted.
pub fn extract(
    scratch: &mut Scratch,
    more: More,
    document: &str,
    charset: &'static Encoding,
    url: &Url,
    keep_going: &dyn Fn() -> bool,
) -> Option<(HtmlFields, Vec<Excess>)> {
    scratch.tree.clear();
    scratch.seen.clear();
    scratch.words.clear();
    let mut page = Page {
        tokens: if more.assets { Tokenizer::with_all_attributes(document) } else { Tokenizer::new(document) },
        tree: &mut scratch.tree,
        seen: &mut scratch.seen,
        words: more.likeness.then_some(&mut scratch.words),
        title: None,
        has_h1: false,
        lang: None,
        description: None,
        robots: Directives::default(),
        base: None,
        canonical: None,
        anchors: Vec::new(),
        others: Vec::new(),
        assets: more.assets.then(Vec::new),
    };
    page.read(keep_going)?;
    page.finish(url, charset, keep_going)
}

impl<'d> Page<'d, '_> {
    fn read(&mut self, keep_going: &dyn Fn() -> bool) -> Option<()> {
        for token in 1_usize.. {
            if token.is_multiple_of(TURN) && !keep_going() {
                return None;
            }
            let wants_text = self.tree.wants_text();
            match self.tokens.next(wants_text || self.words.is_some(), self.tree.stack.in_foreign()) {
                Token::Text(text) => {
                    self.note_words(text);
                    if wants_text {
                        self.tree.text(text, true);
                    }
                }
                Token::Cdata(text) => self.tree.text(text, false),
                Token::Start { name, self_closing } => {
                    let tag = name.tag();
                    if tag == Tag::Html
                        && self.lang.is_none()
                        && !self.tree.in_template()
                        && !self.tree.stack.in_foreign()
                    {
                        let lang = self.tokens.attribute("lang").map(attribute_value);
                        self.lang = lang.map(|lang| self.tree.stack.captures.met.cut(&limits::LANG, &lang).to_owned());
                    }
                    let tokens = &self.tokens;
                    let insertion = self.tree.start(name, self_closing, |name| tokens.attribute(name));
                    match insertion {
                        Insertion::Ignored => {}
                        Insertion::Text => self.text_element(tag, keep_going)?,
                        Insertion::Plaintext => {
                            let text = self.tokens.rest();
                            self.tree.text(text, false);
                        }
                        Insertion::Opened | Insertion::Empty => {
                            self.element(tag, insertion == Insertion::Opened, keep_going)?;
                        }
                    }
                }
                Token::End(name) => self.tree.end(name),
                Token::Doctype(rest) => self.tree.doctype(rest),
                Token::Comment(_) => {}
                Token::EndOfDocument => break,
            }
        }
        self.tree.finish();
        Some(())
    }

    /// Takes the words of a text if they are what the page itself says: not a link, and not what frames it.
    #[inline]
    fn note_words(&mut self, text: &str) {
        const OTHERS: [Tag; 6] = [Tag::A, Tag::Nav, Tag::Footer, Tag::Aside, Tag::Select, Tag::Template];
        let Some(words) = &mut self.words else { return };
        let counts = &self.tree.stack.counts;
        if OTHERS.iter().all(|tag| counts[*tag as usize] == 0) && !self.tree.stack.in_foreign() {
            words.add(text);
        }
    }

    #[inline]
    fn element(&mut self, tag: Tag, is_open: bool, keep_going: &dyn Fn() -> bool) -> Option<()> {
        if self.assets.is_some() {
            self.note_assets(tag, keep_going)?;
        }
        match tag {
            Tag::A => self.anchor(is_open, None),
            Tag::Area if !self.tree.stack.in_foreign() => {
                self.anchor(false, Some(self.tokens.attribute("alt").unwrap_or_default()));
            }
            Tag::H1 if !self.has_h1 && self.tree.is_of_document() => {
                self.has_h1 = true;
                self.tree.capture(Owner::H1);
            }
            Tag::Base if self.base.is_none() && self.tree.is_of_document() => self.base = self.tokens.attribute("href"),
            Tag::Link if self.tree.is_of_document() => self.link(),
            Tag::Meta if self.tree.is_of_document() => self.meta(),
            _ => {}
        }
        Some(())
    }

    fn text_element(&mut self, tag: Tag, keep_going: &dyn Fn() -> bool) -> Option<()> {
        if tag == Tag::Iframe {
            self.frame();
        }
        if self.assets.is_some() {
            self.note_assets(tag, keep_going)?;
        }
        let text = self.tokens.raw_text(tag);
        if tag == Tag::Style && self.assets.is_some() {
            self.note_style(text, keep_going)?;
        }
        let text = if tag == Tag::Textarea { without_line_end(text) } else { text };
        let is_encoded = tag.is(DECODED_TEXT);
        if tag == Tag::Title && self.title.is_none() && self.tree.is_of_document() {
            let mut title = String::new();
            decode_into(&mut title, text, MAX_TEXT_BYTES + MAX_CHAR_BYTES, Nul::Replaced);
            title.truncate(self.tree.stack.captures.met.within(&limits::TITLE, &title).len());
            self.title = Some(title);
        }
        // Only contents that a browser shows belong to the text of the elements around them.
        let is_read = matches!(tag, Tag::Title | Tag::Textarea | Tag::Xmp);
        if is_read && self.tree.stack.captures.want_text() {
            if is_encoded {
                self.tree.stack.captures.push_encoded(text, Nul::Replaced);
            } else {
                self.tree.stack.captures.push_plain(text, Nul::Replaced);
            }
        }
        Some(())
    }

    fn anchor(&mut self, is_open: bool, alt: Option<&'d str>) {
        let Some(href) = self.tokens.attribute("href") else { return };
        if has_other_scheme(href.trim_start_matches(|char| char <= ' ')) {
            return;
        }
        if href.len() > MAX_URL_BYTES {
            return self.tree.stack.captures.met.note(&limits::LINK_URL);
        }
        if self.anchors.len() == MAX_LINKS {
            return self.tree.stack.captures.met.note(&limits::LINKS);
        }
        let href = match attribute_value(href) {
            Cow::Borrowed(href) => Cow::Borrowed(without_fragment(href)),
            Cow::Owned(href) => Cow::Owned(without_fragment(&href).to_owned()),
        };
        if has_other_scheme(&href) {
            return;
        }
        let anchors = &self.anchors;
        if self.seen.is_new(&href, |number| anchors[number].href.as_ref()) {
            let number = self.anchors.len();
            let rel = self.tokens.attribute("rel").unwrap_or_default();
            let element = if alt.is_some() { Element::Area } else { Element::A };
            self.anchors.push(Anchor { href, rel, alt, element });
            if is_open {
                self.tree.capture(Owner::Anchor(number));
            }
        }
    }

    fn link(&mut self) {
        let Some(written) = self.tokens.attribute("rel") else { return };
        let rel = attribute_value(written);
        let is = |name: &str| rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(name));
        if is("canonical") && self.canonical.is_none() {
            self.canonical = self.tokens.attribute("href");
        }
        // An alternate style sheet is none of the page's other forms.
        let leads_on = is("next") || is("prev") || is("alternate") && !is("stylesheet");
        if let Some(href) = self.tokens.attribute("href").filter(|_| leads_on) {
            self.other(attribute_value(href), written, Element::Link);
        }
    }

    fn frame(&mut self) {
        if let Some(src) = self.tokens.attribute("src") {
            self.other(attribute_value(src), "", Element::Frame);
        }
    }

    /// A URL that is named by another element than an anchor.
    fn other(&mut self, href: Cow<'d, str>, rel: &'d str, element: Element) {
        if href.len() > MAX_URL_BYTES {
            return self.tree.stack.captures.met.note(&limits::LINK_URL);
        }
        if self.anchors.len() + self.others.len() >= MAX_LINKS {
            return self.tree.stack.captures.met.note(&limits::LINKS);
        }
        let href = match href {
            Cow::Borrowed(href) => Cow::Borrowed(without_fragment(href)),
            Cow::Owned(href) => Cow::Owned(without_fragment(&href).to_owned()),
        };
        if !has_other_scheme(&href) {
            self.others.push(Anchor { href, rel, alt: Some(""), element });
        }
    }

    /// Notes what the start tag just read names of the page's assets. `None`: told to stop.
    fn note_assets(&mut self, tag: Tag, keep_going: &dyn Fn() -> bool) -> Option<()> {
        let Some(found) = &mut self.assets else { return Some(()) };
        let alt = if tag == Tag::Img { self.tokens.attribute("alt") } else { None };
        let mut has_room = true;
        assets::of_tag(tag, &self.tokens, keep_going, &mut |href, element| {
            has_room &= push_asset(found, href, alt, element);
        })?;
        if !has_room {
            self.tree.stack.captures.met.note(&limits::LINKS);
        }
        Some(())
    }

    /// Notes what a `<style>` names. `None`: told to stop.
    fn note_style(&mut self, css: &str, keep_going: &dyn Fn() -> bool) -> Option<()> {
        let Some(found) = &mut self.assets else { return Some(()) };
        let mut has_room = true;
        style::urls(css, keep_going, &mut |url, element| {
            has_room &= push_asset(found, Cow::Owned(url.to_owned()), None, element);
        })?;
        if !has_room {
            self.tree.stack.captures.met.note(&limits::LINKS);
        }
        Some(())
    }

    fn meta(&mut self) {
        let Some(content) = self.tokens.attribute("content") else { return };
        if let Some(directive) = self.tokens.attribute("http-equiv") {
            if attribute_value(directive).eq_ignore_ascii_case("refresh")
                && let Some(target) = refresh_target(&attribute_value(content))
            {
                self.other(Cow::Owned(target.to_owned()), "", Element::Refresh);
            }
            return;
        }
        let Some(name) = self.tokens.attribute("name") else { return };
        let name = attribute_value(name);
        if name.eq_ignore_ascii_case("description") && self.description.is_none() {
            let mut description = String::new();
            let limit = MAX_TEXT_BYTES + MAX_CHAR_BYTES;
            fold_into(&mut description, &attribute_value(content), limit, Nul::Replaced);
            description.truncate(self.tree.stack.captures.met.within(&limits::DESCRIPTION, &description).len());
            self.description = Some(description);
        } else if name.eq_ignore_ascii_case("robots") || name.eq_ignore_ascii_case(AGENT) {
            self.robots.add(AGENT, &attribute_value(content));
        }
    }

    fn finish(
        self,
        url: &Url,
        charset: &'static Encoding,
        keep_going: &dyn Fn() -> bool,
    ) -> Option<(HtmlFields, Vec<Excess>)> {
        let base = resolve::document_base(url, self.base.map(attribute_value).as_deref(), charset);
        let base = &base;
        let canonical = self.canonical.and_then(|href| join(base, href, charset));
        let canonical = canonical.filter(|url| record::check(url).is_ok()).map(String::from);

        let mut links = Links::with_capacity(self.anchors.len());
        let captures = &mut self.tree.stack.captures;
        let mut resolver = Resolver::new(base, charset);
        let mut total_bytes = 0;
        self.seen.clear();
        let links_end = (self.anchors.len() + self.others.len()).min(MAX_LINKS);
        let assets = self.assets.iter().flatten();
        let mut first_asset = 0;
        for (number, anchor) in self.anchors.iter().chain(&self.others).take(links_end).chain(assets).enumerate() {
            if number % TURN == TURN - 1 && !keep_going() {
                return None;
            }
            if number == links_end {
                // An image may be linked to and shown.
                self.seen.clear();
                first_asset = links.len();
            }
            let url = match resolver.resolve(&anchor.href) {
                Ok(url) => url,
                Err(error) => {
                    if matches!(error, BadUrl::TooLong(_)) {
                        captures.met.note(&limits::LINK_URL);
                    }
                    continue;
                }
            };
            if !self.seen.is_new(url, |number| links.get(first_asset + number).url) {
                continue;
            }
            let rel = attribute_value(anchor.rel);
            let rel = captures.met.cut(&limits::LINK_REL, &rel);
            let alt = anchor.alt.map(|alt| {
                let mut text = String::new();
                fold_into(&mut text, &attribute_value(alt), MAX_ANCHOR_BYTES + MAX_CHAR_BYTES, Nul::Replaced);
                captures.met.within(&limits::LINK_TEXT, &text).to_owned()
            });
            // The texts of anchors are bounded where they are gathered.
            total_bytes += url.len() + rel.len() + alt.as_deref().unwrap_or_default().len();
            if total_bytes > MAX_LINKS_TOTAL_BYTES {
                captures.met.note(&limits::LINK_BYTES);
                break;
            }
            let text = alt.as_deref().unwrap_or_else(|| captures.anchor(number));
            links.push(Link { url, text, rel, element: anchor.element, ..Link::default() });
        }
        if self.robots.is_cut() {
            captures.met.note(&limits::ROBOTS);
        }
        let fields = HtmlFields {
            title: self.title,
            h1: captures.h1.take(),
            description: self.description,
            canonical,
            robots: self.robots.joined(),
            lang: self.lang,
            links,
        };
        Some((fields, std::mem::take(&mut captures.met).told()))
    }
}

/// Adds an asset, if it is one; whether there was room for it.
fn push_asset<'d>(found: &mut Vec<Anchor<'d>>, href: Cow<'d, str>, alt: Option<&'d str>, element: Element) -> bool {
    let is_url = href.len() <= MAX_URL_BYTES && !href.is_empty() && !href.starts_with('#');
    if !is_url || has_other_scheme(href.trim_start_matches(|char| char <= ' ')) {
        return true;
    }
    if found.len() < MAX_LINKS {
        found.push(Anchor { href, rel: "", alt: Some(alt.unwrap_or_default()), element });
        return true;
    }
    false
}

/// `href` as written, resolved against `base`, unless it is too long.
fn join(base: &Url, href: &str, charset: &'static Encoding) -> Option<Url> {
    if href.len() > MAX_URL_BYTES {
        return None;
    }
    resolve::join(base, &attribute_value(href), charset).ok().filter(|url| url.as_str().len() <= MAX_URL_BYTES)
}

/// `href` without what the URL standard strips and without its fragment, so that more repetitions are seen.
fn without_fragment(href: &str) -> &str {
    let href = href.trim_matches(|char| char <= ' ');
    match memchr::memchr(b'#', href.as_bytes()) {
        // A space before the fragment belongs to the URL; at the end it would not.
        Some(at) if at > 0 && href.as_bytes()[at - 1] <= b' ' => &href[..=at],
        Some(at) => &href[..at],
        None => href,
    }
}

/// The URL in the content of a `<meta http-equiv=refresh>`, by the shared declarative refresh steps of the HTML standard:
/// a time, then perhaps `;` or `,`, `url`, `=` and a quoted URL. `None` if it is the page itself.
fn refresh_target(content: &str) -> Option<&str> {
    let rest = content.trim_start().trim_start_matches(|char: char| char.is_ascii_digit() || char == '.');
    let after_time = rest.trim_start();
    let rest = match after_time.strip_prefix([';', ',']) {
        Some(rest) => rest.trim_start(),
        // What is stuck to the time makes it none.
        None if rest.len() == after_time.len() => return None,
        None => after_time,
    };
    let has_word = rest.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("url"));
    let named = has_word.then(|| rest[3..].trim_start().strip_prefix('=')).flatten();
    let url = named.map_or(rest, str::trim_start);
    let url = match url.strip_prefix(['"', '\'']) {
        Some(quoted) => quoted.split(&url[..1]).next().unwrap_or_default(),
        None => url,
    };
    (!url.is_empty()).then_some(url)
}

/// Whether `href` starts with a scheme other than http and https. Errs on the side of no.
fn has_other_scheme(href: &str) -> bool {
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let end = href.bytes().position(|byte| !is_scheme(byte));
    match end {
        Some(end) if href.as_bytes()[end] == b':' && href.as_bytes()[0].is_ascii_alphabetic() => {
            !href[..end].eq_ignore_ascii_case("http") && !href[..end].eq_ignore_ascii_case("https")
        }
        _ => false,
    }
}
