//! The elements of RSS and Atom to items.

use seine_core::record::MAX_URL_BYTES;
use url::Url;

use super::Item;
use crate::dates;
use crate::document::{Note, Notes, absolute, cut};
use crate::xml::{Piece, Tag, Xml};

/// Longest title, in bytes.
const MAX_TITLE_BYTES: usize = 1024;

/// When a text is longer than this, the rest of it is not kept: no URL is so long.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// Most bases that are kept of elements within each other.
const MAX_BASES: usize = 16;

/// Prefixes of the elements that are read; those of others (`media:title`) are about something else.
const PREFIXES: &[&str] = &["", "rss", "atom", "atom10", "a10", "dc", "dcterms", "feedburner"];

/// An item as it is written.
#[derive(Debug, Default)]
struct Draft {
    /// The link of it, with the base that it is relative to.
    link: Option<(Url, String)>,
    /// The link of an Atom entry that is for something else than reading, if there is no other.
    other_link: Option<(Url, String)>,
    /// Its id, which is a link if it looks like one.
    id: Option<(Url, String)>,
    title: String,
    published: Option<i64>,
    updated: Option<i64>,
}

/// Where in a feed the reader is.
#[derive(Debug)]
pub(super) struct Items {
    /// URLs that others are relative to, each with the depth of the element that says so.
    bases: Vec<(usize, Url)>,
    draft: Option<Draft>,
    /// The depth of the open item's children.
    child_depth: usize,
    /// The field that the text to come is for, and the depth of its element.
    field: Option<(Field, usize)>,
    text: String,
    has_ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Title,
    Link,
    /// The `guid` of RSS that is a link, the `id` of Atom.
    Id,
    /// The address behind the one that counts clicks.
    Original,
    Published,
    Updated,
}

impl Items {
    /// For the feed at `url` with this outermost element.
    pub fn new(url: &Url, root: &Tag<'_>) -> Self {
        let mut items = Self {
            bases: vec![(0, url.clone())],
            draft: None,
            child_depth: 0,
            field: None,
            text: String::new(),
            has_ended: false,
        };
        items.read_base(root, 1);
        items
    }

    /// The next item with a link.
    pub fn next(&mut self, xml: &mut Xml<'_>, notes: &mut Notes) -> Option<Item> {
        loop {
            let depth = xml.depth() + 1;
            let done = match xml.next() {
                Some(Piece::Open(tag)) => self.open(&tag, depth),
                Some(Piece::Text(text)) => {
                    if self.field.is_some() && self.text.len() <= MAX_TEXT_BYTES {
                        self.text.push_str(&text);
                    }
                    None
                }
                Some(Piece::Close(name, depth)) => self.close(&name, depth),
                Some(Piece::Html) => None,
                None => {
                    self.end(xml, notes);
                    return self.draft.take().and_then(Draft::finish);
                }
            };
            let Some(draft) = done else { continue };
            let told = draft.told();
            match draft.finish() {
                Some(item) => return Some(item),
                None => notes.unusable(&told),
            }
        }
    }

    fn end(&self, xml: &Xml<'_>, notes: &mut Notes) {
        match xml.broken() {
            Some(broken) => notes.broken(broken.at, &broken.problem),
            None if xml.is_cut() => notes.add(Note::TooLong),
            None if !self.has_ended => notes.broken(xml.position(), "its end is missing"),
            None => {}
        }
    }

    fn base(&self) -> &Url {
        &self.bases.last().expect("that of the feed itself stays").1
    }

    fn read_base(&mut self, tag: &Tag<'_>, depth: usize) {
        // Each link has a copy of its base, so none may be longer than a URL.
        let join = |base: &str| self.base().join(base.trim()).ok().filter(|base| base.as_str().len() <= MAX_URL_BYTES);
        if self.bases.len() < MAX_BASES
            && let Some(base) = tag.attribute("xml:base").and_then(|base| join(&base))
        {
            self.bases.push((depth, base));
        }
    }

    /// Begins the element at `depth`; the item before it, if that was never closed.
    fn open(&mut self, tag: &Tag<'_>, depth: usize) -> Option<Draft> {
        let name = tag.name();
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if !PREFIXES.iter().any(|prefix| tag.prefix().eq_ignore_ascii_case(prefix)) {
            return None;
        }
        let is_item = is("item") || is("entry");
        if is_item || is("channel") || is("link") {
            self.read_base(tag, depth);
        }
        if is_item {
            let about = tag.attribute("rdf:about").map(|about| (self.base().clone(), about));
            self.child_depth = depth + 1;
            self.field = None;
            return self.draft.replace(Draft { id: about, ..Draft::default() });
        }
        if self.draft.is_some() && depth == self.child_depth {
            self.open_child(tag, depth);
        }
        None
    }

    /// Begins an element of an item.
    fn open_child(&mut self, tag: &Tag<'_>, depth: usize) {
        let field = match &*tag.name().to_ascii_lowercase() {
            "title" if !tag.prefix().starts_with("dc") => Field::Title,
            "link" => match tag.attribute("href") {
                Some(href) => return self.read_link(tag.attribute("rel"), href),
                None => Field::Link,
            },
            // It is a link unless it says otherwise.
            "guid" if tag.attribute("isPermaLink").is_none_or(|is| is.trim().eq_ignore_ascii_case("true")) => Field::Id,
            "id" => Field::Id,
            "origlink" => Field::Original,
            "pubdate" | "published" | "issued" | "created" | "date" => Field::Published,
            "updated" | "modified" => Field::Updated,
            _ => return,
        };
        self.field = Some((field, depth));
        self.text.clear();
    }

    /// Keeps the link of an Atom entry: the first one for reading, or else the first of all but those to itself,
    /// to files and to replies.
    fn read_link(&mut self, rel: Option<String>, href: String) {
        let link = (self.base().clone(), href);
        let Some(draft) = &mut self.draft else { return };
        match rel.as_deref().map(str::trim) {
            None | Some("" | "alternate") => draft.link = draft.link.take().or(Some(link)),
            Some("related" | "via") => draft.other_link = draft.other_link.take().or(Some(link)),
            Some(_) => {}
        }
    }

    /// Ends the element at `depth`; the item, if it is one.
    fn close(&mut self, name: &str, depth: usize) -> Option<Draft> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        self.has_ended |= is("rss") || is("rdf") || is("feed");
        // Links in titles and the like lie deeper.
        if let Some((field, _)) = self.field.take_if(|(_, at)| depth <= *at) {
            self.finish(field);
        }
        self.bases.retain(|(at, _)| *at == 0 || *at < depth);
        if is("item") || is("entry") { self.draft.take() } else { None }
    }

    fn finish(&mut self, field: Field) {
        let base = self.base().clone();
        let Some(draft) = &mut self.draft else { return };
        let text = self.text.trim();
        if text.is_empty() {
            return;
        }
        match field {
            Field::Title => draft.title = folded(text),
            Field::Link => draft.link = draft.link.take().or(Some((base, text.to_owned()))),
            Field::Original => draft.link = Some((base, text.to_owned())),
            Field::Id => draft.id = Some((base, text.to_owned())),
            Field::Published => draft.published = draft.published.or_else(|| dates::epoch_ms(text)),
            Field::Updated => draft.updated = draft.updated.or_else(|| dates::epoch_ms(text)),
        }
    }
}

impl Draft {
    /// Its link as it is written.
    fn told(&self) -> String {
        let link = self.link.as_ref().or(self.other_link.as_ref()).or(self.id.as_ref());
        link.map_or_else(String::new, |(_, text)| text.clone())
    }

    fn finish(self) -> Option<Item> {
        let link = [self.link, self.other_link].into_iter().flatten().find_map(|(base, href)| absolute(&base, &href));
        // An id is no link that one follows, as `tag:example.org,2026:1`, unless it is written as one.
        let id = || self.id.filter(|(_, id)| id.starts_with("http")).and_then(|(base, id)| absolute(&base, &id));
        let url = link.or_else(id)?;
        Some(Item { url, title: self.title, published: self.published, updated: self.updated })
    }
}

/// A title in one line. Many are HTML within the XML.
pub(super) fn folded(text: &str) -> String {
    let plain = htmlize::unescape(cut(text, MAX_TITLE_BYTES));
    let words = plain.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let mut title = String::new();
    for word in words {
        if title.len() + word.len() >= MAX_TITLE_BYTES {
            break;
        }
        if !title.is_empty() {
            title.push(' ');
        }
        title.push_str(word);
    }
    title
}
