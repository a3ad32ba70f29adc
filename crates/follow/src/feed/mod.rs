//! Feeds: RSS 0.9x, 1.0 and 2.0, Atom, JSON Feed.
//!
//! Sources: <https://www.rssboard.org/rss-specification>, <https://web.resource.org/rss/1.0/spec>, RFC 4287 (Atom),
//! <https://www.jsonfeed.org/version/1.1/>. Items are read one by one; of a broken feed, those before the break.

mod item;
mod json;

use std::collections::VecDeque;

use url::Url;

use crate::document::{self, Form, NotRead, Note, Notes};
use crate::text::MAX_DOCUMENT_BYTES;
use crate::xml::{Piece, Xml};
use item::Items;

/// Most items of a feed that are read.
pub const MAX_FEED_ITEMS: usize = 50_000;

/// The name of such documents in errors.
const WANTED: &str = "feed";

/// One item of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The page that it is about: absolute, http(s), without fragment.
    pub url: String,
    /// Its title, white space folded, at most 1 KiB; empty if it has none.
    pub title: String,
    /// When it appeared, in milliseconds of the Unix epoch.
    pub published: Option<i64>,
    /// When it changed, in milliseconds of the Unix epoch.
    pub updated: Option<i64>,
}

/// The form of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// RSS 0.91 to 2.0.
    Rss,
    /// RSS 0.90 and 1.0, which are RDF.
    Rdf,
    /// Atom.
    Atom,
    /// JSON Feed.
    Json,
}

/// A feed, read item by item. [`Feed::notes`] says, best at the end, what is wrong with it.
pub struct Feed<'b> {
    source: Source<'b>,
    kind: Kind,
    notes: Notes,
    items: usize,
}

enum Source<'b> {
    Xml(Box<Xml<'b>>, Box<Items>),
    Json(VecDeque<Item>),
    Ended,
}

impl<'b> Feed<'b> {
    /// Opens `body`, the answer of `url` with its transfer's encoding undone; a `.gz` file is unpacked here.
    ///
    /// # Errors
    /// [`NotRead`] if it is none: a page for people, XML or text of another kind, nothing at all.
    pub fn open(body: &'b [u8], content_type: Option<&[u8]>, url: &Url) -> Result<Self, NotRead> {
        let (text, head) = document::open(body, content_type, MAX_DOCUMENT_BYTES)?;
        let mut notes = Notes::default();
        let (source, kind) = match Form::of(&head) {
            Form::Xml => {
                let (xml, items, kind) = open_xml(Xml::new(text), &head, body, url)?;
                (Source::Xml(Box::new(xml), Box::new(items)), kind)
            }
            Form::Json => (Source::Json(json::read(text, &head, url, &mut notes)?), Kind::Json),
            Form::Text | Form::Empty => return Err(document::other(&head, WANTED)),
        };
        Ok(Self { source, kind, notes, items: 0 })
    }

    /// Its form.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// All that is wrong with it, as far as it has been read.
    pub fn notes(&self) -> &[Note] {
        self.notes.all()
    }
}

fn open_xml<'b>(mut xml: Xml<'b>, head: &str, body: &[u8], url: &Url) -> Result<(Xml<'b>, Items, Kind), NotRead> {
    loop {
        match xml.next() {
            Some(Piece::Open(tag)) => {
                let kind = match &*tag.name().to_ascii_lowercase() {
                    "rss" => Kind::Rss,
                    "rdf" => Kind::Rdf,
                    "feed" => Kind::Atom,
                    "html" | "head" | "body" => return Err(document::html(body, WANTED)),
                    root => return Err(NotRead::OtherXml { wanted: WANTED, root: document::quoted(root) }),
                };
                let items = Items::new(url, &tag);
                return Ok((xml, items, kind));
            }
            Some(Piece::Html) => return Err(document::html(body, WANTED)),
            Some(Piece::Text(_) | Piece::Close(..)) => {}
            None => return Err(document::other(head, WANTED)),
        }
    }
}

impl Iterator for Feed<'_> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        if self.items == MAX_FEED_ITEMS {
            self.notes.add(Note::TooManyItems);
            self.source = Source::Ended;
        }
        let item = match &mut self.source {
            Source::Xml(xml, items) => items.next(xml, &mut self.notes),
            Source::Json(items) => items.pop_front(),
            Source::Ended => None,
        };
        match item {
            Some(_) => self.items += 1,
            None => self.source = Source::Ended,
        }
        item
    }
}

#[cfg(test)]
mod tests;
