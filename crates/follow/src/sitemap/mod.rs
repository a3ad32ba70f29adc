//! Sitemaps: XML, indexes of others, gzip files of them, lists of URLs as text, and feeds.
//!
//! Sources: <https://www.sitemaps.org/protocol.html>, and Google's extensions for images, videos, news and languages
//! (<https://developers.google.com/search/docs/crawling-indexing/sitemaps/overview>). Mistakes that sites make are
//! read as they were meant: names in capitals, relative URLs, dates of any form, elements that are not closed.
//!
//! A reader never holds more than one entry; the body is decompressed and decoded as it goes.

#[cfg(test)]
mod tests;
mod urlset;

use std::io::BufRead;

use url::Url;

use crate::document::{self, Form, NotRead, Note, Notes, absolute};
use crate::feed::Feed;
use crate::text::{MAX_DOCUMENT_BYTES, Utf8};
use crate::xml::{Piece, Xml};
use urlset::{Draft, Urlset};

/// URLs that a sitemap may have by the protocol. More are read, and noted.
pub const MAX_SITEMAP_URLS: u64 = 50_000;

/// The name of such documents in errors.
const WANTED: &str = "sitemap";

/// One entry of a sitemap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A page.
    Page(Page),
    /// Another sitemap.
    Sitemap(Child),
}

/// A page of a sitemap. URLs are absolute, http(s), and without fragment; whether they may stand in this sitemap is
/// another question ([`locate`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its URL.
    pub url: String,
    /// When it changed last, in milliseconds of the Unix epoch; of news without it, when they appeared.
    pub lastmod: Option<i64>,
    /// The last moment that this may mean, which is the end of the day if it is a date without a time. A page may have
    /// changed since a moment if this is not before it.
    pub lastmod_until: Option<i64>,
    /// Images, videos and translations, at most [`MAX_EXTRAS`].
    pub extras: Vec<Extra>,
}

/// Most extra links of a page, as many as Google reads images.
pub const MAX_EXTRAS: usize = 1000;

/// A link of a page in a sitemap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extra {
    /// Its kind.
    pub kind: ExtraKind,
    /// Its URL.
    pub url: String,
}

/// Targets of extra links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExtraKind {
    /// `image:loc`.
    Image,
    /// `video:content_loc`, `video:player_loc`, `video:thumbnail_loc`.
    Video,
    /// `xhtml:link rel="alternate"`: the page in another language.
    Alternate,
}

/// A sitemap of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its URL.
    pub url: String,
    /// When it changed last, in milliseconds of the Unix epoch.
    pub lastmod: Option<i64>,
    /// The last moment that this may mean, as of a [`Page`].
    pub lastmod_until: Option<i64>,
}

/// The form of a sitemap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `<urlset>`.
    Urls,
    /// `<sitemapindex>`.
    Index,
    /// One URL a line.
    Text,
    /// RSS, Atom or JSON Feed.
    Feed,
}

/// Where a URL is, seen from the sitemap that names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the sitemap's directory or below, where the protocol has it.
    Below,
    /// Elsewhere on its host. The protocol allows it to sitemaps that the host's robots.txt names; so do crawlers.
    SameHost,
    /// On another host, whose robots.txt would have to name the sitemap.
    OtherHost,
}

/// Where `url` is, seen from the sitemap at `sitemap`. Scheme and port do not count, as they do not for the pace.
pub fn locate(sitemap: &Url, url: &Url) -> Place {
    if sitemap.host_str() != url.host_str() {
        return Place::OtherHost;
    }
    let directory = &sitemap.path()[..sitemap.path().rfind('/').map_or(0, |slash| slash + 1)];
    if url.path().starts_with(directory) { Place::Below } else { Place::SameHost }
}

/// The URL that a `Sitemap:` line of the robots.txt at `robots` means; none if it is none that can be crawled.
pub fn of_robots(robots: &Url, line: &str) -> Option<String> {
    absolute(robots, line)
}

/// A sitemap, read entry by entry. [`Sitemap::notes`] says, best at the end, what is wrong with it.
pub struct Sitemap<'b> {
    source: Source<'b>,
    kind: Kind,
    base: Url,
    notes: Notes,
    urls: u64,
}

enum Source<'b> {
    Xml(Box<Xml<'b>>, Urlset),
    Text(Box<Utf8<'b>>, u64),
    Feed(Box<Feed<'b>>),
    Ended,
}

impl<'b> Sitemap<'b> {
    /// Opens `body`, the answer of `url` with its transfer's encoding undone; a `.gz` file is unpacked here.
    ///
    /// # Errors
    /// [`NotRead`] if it is none: a page for people, XML or text of another kind, nothing at all.
    pub fn open(body: &'b [u8], content_type: Option<&[u8]>, url: &Url) -> Result<Self, NotRead> {
        Self::open_within(body, content_type, url, MAX_DOCUMENT_BYTES)
    }

    fn open_within(body: &'b [u8], content_type: Option<&[u8]>, url: &Url, max_bytes: u64) -> Result<Self, NotRead> {
        let (text, head) = document::open(body, content_type, max_bytes)?;
        let (source, kind) = match Form::of(&head) {
            Form::Xml => Self::open_xml(text, &head, body, content_type, url)?,
            Form::Json => (Source::Feed(Box::new(Feed::open(body, content_type, url)?)), Kind::Feed),
            Form::Text if has_url(&head) => (Source::Text(Box::new(text), 0), Kind::Text),
            Form::Text | Form::Empty => return Err(document::other(&head, WANTED)),
        };
        Ok(Self { source, kind, base: url.clone(), notes: Notes::default(), urls: 0 })
    }

    fn open_xml(
        text: Utf8<'b>,
        head: &str,
        body: &'b [u8],
        content_type: Option<&[u8]>,
        url: &Url,
    ) -> Result<(Source<'b>, Kind), NotRead> {
        let mut xml = Xml::new(text);
        let root = loop {
            match xml.next() {
                Some(Piece::Open(tag)) => break tag.name().to_ascii_lowercase(),
                Some(Piece::Html) => return Err(document::html(body, WANTED)),
                Some(Piece::Text(_) | Piece::Close(..)) => {}
                None => return Err(document::other(head, WANTED)),
            }
        };
        match &*root {
            "urlset" => Ok((Source::Xml(Box::new(xml), Urlset::default()), Kind::Urls)),
            "sitemapindex" => Ok((Source::Xml(Box::new(xml), Urlset::default()), Kind::Index)),
            "rss" | "feed" | "rdf" => Ok((Source::Feed(Box::new(Feed::open(body, content_type, url)?)), Kind::Feed)),
            "html" | "head" | "body" => Err(document::html(body, WANTED)),
            _ => Err(NotRead::OtherXml { wanted: WANTED, root: document::quoted(&root) }),
        }
    }

    /// Its form.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// All that is wrong with it, as far as it has been read.
    pub fn notes(&self) -> &[Note] {
        match &self.source {
            Source::Feed(feed) => feed.notes(),
            _ => self.notes.all(),
        }
    }

    fn next_draft(&mut self) -> Option<Draft> {
        match &mut self.source {
            Source::Xml(xml, urlset) => {
                let draft = urlset.next(xml);
                if draft.is_none() {
                    if let Some((at, problem)) = urlset.break_of(xml) {
                        self.notes.broken(at, &problem);
                    }
                    if xml.is_cut() {
                        self.notes.add(Note::TooLong);
                    }
                }
                draft
            }
            Source::Text(text, at) => next_line(text, at, &mut self.notes),
            Source::Feed(_) | Source::Ended => None,
        }
    }

    fn entry(&mut self, draft: Draft) -> Option<Entry> {
        let Some(url) = absolute(&self.base, &draft.loc) else {
            self.notes.unusable(&draft.loc);
            return None;
        };
        self.urls += 1;
        if self.urls > MAX_SITEMAP_URLS {
            self.notes.add(Note::TooManyUrls);
        }
        let when = draft.lastmod.or(draft.published);
        let (lastmod, lastmod_until) = (when.map(|when| when.ms), when.map(|when| when.until_ms));
        if draft.is_sitemap {
            return Some(Entry::Sitemap(Child { url, lastmod, lastmod_until }));
        }
        let mut extras = Vec::with_capacity(draft.extras.len());
        for (kind, href) in draft.extras {
            match absolute(&self.base, &href) {
                Some(url) => extras.push(Extra { kind, url }),
                None => self.notes.unusable(&href),
            }
        }
        Some(Entry::Page(Page { url, lastmod, lastmod_until, extras }))
    }
}

impl Iterator for Sitemap<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        if let Source::Feed(feed) = &mut self.source {
            return feed.next().map(|item| {
                let lastmod = item.updated.or(item.published);
                Entry::Page(Page { url: item.url, lastmod, lastmod_until: lastmod, extras: Vec::new() })
            });
        }
        loop {
            let Some(draft) = self.next_draft() else {
                self.source = Source::Ended;
                return None;
            };
            if let Some(entry) = self.entry(draft) {
                return Some(entry);
            }
        }
    }
}

/// Whether one of the first lines of a text is a URL.
fn has_url(head: &str) -> bool {
    let is_url = |line: &str| Url::parse(line.trim()).is_ok_and(|url| seine_core::record::check(&url).is_ok());
    head.lines().filter(|line| !line.trim().is_empty()).take(10).any(is_url)
}

/// The next line of a text that is not blank; `at` is where it begins.
fn next_line(text: &mut Utf8<'_>, at: &mut u64, notes: &mut Notes) -> Option<Draft> {
    let mut line = Vec::new();
    loop {
        line.clear();
        text.restart();
        match text.read_until(b'\n', &mut line) {
            Ok(0) => break,
            // Half a URL is another one.
            Ok(_) if text.is_cut() && !line.ends_with(b"\n") => break,
            Ok(read) => *at += read as u64,
            Err(error) => {
                notes.broken(*at, &error.to_string());
                return None;
            }
        }
        let loc = String::from_utf8_lossy(line.trim_ascii());
        if !loc.is_empty() && !loc.starts_with('#') {
            return Some(Draft { loc: loc.into_owned(), ..Draft::default() });
        }
    }
    if text.is_cut() {
        notes.add(Note::TooLong);
    }
    None
}
