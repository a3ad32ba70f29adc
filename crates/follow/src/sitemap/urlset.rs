//! The elements of `<urlset>` and `<sitemapindex>` to entries.

use super::{ExtraKind, MAX_EXTRAS};
use crate::dates::{self, When};
use crate::xml::{Piece, Tag, Xml};

/// When a text is longer than this, the rest of it is not kept: no URL is so long.
const MAX_TEXT_BYTES: usize = 64 << 10;

/// An entry as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub is_sitemap: bool,
    /// Empty if there is none.
    pub loc: String,
    pub lastmod: Option<When>,
    /// Of news.
    pub published: Option<When>,
    pub extras: Vec<(ExtraKind, String)>,
}

/// Where in an entry the reader is.
#[derive(Debug, Default)]
pub(super) struct Urlset {
    draft: Option<Draft>,
    /// The element of an extension that is open.
    inside: Option<Inside>,
    /// The field that the text to come is for.
    field: Option<Field>,
    text: String,
    /// Whether the outermost element has ended.
    has_ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    Image,
    Video,
    News,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Loc,
    Lastmod,
    Published,
    Extra(ExtraKind),
}

impl Urlset {
    /// The next entry of which there is anything.
    pub fn next(&mut self, xml: &mut Xml<'_>) -> Option<Draft> {
        loop {
            let done = match xml.next() {
                Some(Piece::Open(tag)) => self.open(&tag),
                Some(Piece::Text(text)) => {
                    if self.field.is_some() && self.text.len() <= MAX_TEXT_BYTES {
                        self.text.push_str(&text);
                    }
                    None
                }
                Some(Piece::Close(name, _)) => self.close(&name),
                Some(Piece::Html) => None,
                // The last entry counts as far as it is whole, though its end is missing.
                None => return self.draft.take().filter(|draft| !draft.loc.is_empty()),
            };
            if done.is_some() {
                return done;
            }
        }
    }

    /// Where and why the document breaks off, if it does.
    pub fn break_of(&self, xml: &Xml<'_>) -> Option<(u64, String)> {
        match xml.broken() {
            Some(broken) => Some((broken.at, broken.problem.clone())),
            None if !self.has_ended && !xml.is_cut() => Some((xml.position(), "its end is missing".to_owned())),
            None => None,
        }
    }

    /// Begins an element; the entry before it, if that was never closed.
    fn open(&mut self, tag: &Tag<'_>) -> Option<Draft> {
        let name = tag.name();
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let is_of_extension = ["image", "video", "news"].iter().any(|known| tag.prefix().eq_ignore_ascii_case(known));
        if !is_of_extension && (is("url") || is("sitemap")) {
            let before = self.draft.replace(Draft { is_sitemap: is("sitemap"), ..Draft::default() });
            (self.inside, self.field) = (None, None);
            return before.filter(|draft| !draft.loc.is_empty());
        }
        let draft = self.draft.as_mut()?;
        let is_of_image = self.inside == Some(Inside::Image) || tag.prefix().eq_ignore_ascii_case("image");
        self.field = if is("loc") {
            Some(if is_of_image { Field::Extra(ExtraKind::Image) } else { Field::Loc })
        } else if is("content_loc") || is("player_loc") || is("thumbnail_loc") {
            Some(Field::Extra(ExtraKind::Video))
        } else if is("lastmod") {
            Some(Field::Lastmod)
        } else if is("publication_date") && self.inside == Some(Inside::News) {
            Some(Field::Published)
        } else {
            None
        };
        self.text.clear();
        if is("image") {
            self.inside = Some(Inside::Image);
        } else if is("video") {
            self.inside = Some(Inside::Video);
        } else if is("news") {
            self.inside = Some(Inside::News);
        } else if is("link")
            && let Some(href) = alternate(tag)
            && draft.extras.len() < MAX_EXTRAS
        {
            draft.extras.push((ExtraKind::Alternate, href));
        }
        None
    }

    /// Ends an element; the entry, if it is one.
    fn close(&mut self, name: &str) -> Option<Draft> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("urlset") || is("sitemapindex") {
            self.has_ended = true;
        }
        if let Some(field) = self.field.take() {
            self.finish(field);
        }
        if is("image") || is("video") || is("news") {
            self.inside = None;
        }
        if is("url") || is("sitemap") {
            self.inside = None;
            return self.draft.take();
        }
        None
    }

    /// Keeps the text of a field; the first of its kind counts.
    fn finish(&mut self, field: Field) {
        let Some(draft) = &mut self.draft else { return };
        let text = self.text.trim();
        match field {
            Field::Loc if draft.loc.is_empty() => draft.loc = text.to_owned(),
            Field::Loc => {}
            Field::Lastmod => draft.lastmod = draft.lastmod.or_else(|| dates::read(text)),
            Field::Published => draft.published = draft.published.or_else(|| dates::read(text)),
            Field::Extra(kind) if draft.extras.len() < MAX_EXTRAS && !text.is_empty() => {
                draft.extras.push((kind, text.to_owned()));
            }
            Field::Extra(_) => {}
        }
    }
}

/// The target of `<xhtml:link rel="alternate" hreflang="de" href="…">`.
fn alternate(tag: &Tag<'_>) -> Option<String> {
    let rel = tag.attribute("rel")?;
    let is_alternate = rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("alternate"));
    tag.attribute("href").filter(|href| is_alternate && !href.trim().is_empty())
}
