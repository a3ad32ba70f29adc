//! What a sitemap, a feed or a list of links names.

use super::page::{Fetched, Named};
use seine_core::protocol::UrlKind;
use seine_core::record::links::{Element, Link, Links};
use seine_follow::{Feed, NotRead, Note, Sitemap, llms, sitemap};

/// Entries that are read before the clock is looked at.
const TURN: usize = 256;

/// See the module.
#[derive(Default)]
pub(super) struct Entries {
    pub named: Vec<Named>,
    /// The same as links of the document.
    pub links: Links,
    /// What is wrong with it, though it was read.
    pub notes: Vec<String>,
}

impl Entries {
    /// Reads `page` as what is expected at its URL; `None` if that takes too long.
    pub fn read(page: &Fetched, in_time: &dyn Fn() -> bool) -> Option<Result<Self, NotRead>> {
        let (body, content_type) = (&*page.body, page.content_type.as_deref().map(str::as_bytes));
        let mut entries = Self::default();
        if page.kind == UrlKind::Feed {
            let mut feed = match Feed::open(body, content_type, &page.url) {
                Ok(feed) => feed,
                Err(error) => return Some(Err(error)),
            };
            entries.take(feed.by_ref(), in_time, |all, item| {
                let at = item.updated.or(item.published);
                all.add(&item.url, UrlKind::Page, [at, at], &item.title);
            })?;
            entries.note(feed.notes());
        } else if page.url.path().ends_with("/llms.txt") || page.url.path().ends_with("/llms-full.txt") {
            match llms::read(body, content_type, &page.url) {
                Ok((links, notes)) => {
                    links.iter().for_each(|link| entries.add(&link.url, UrlKind::Page, [None; 2], &link.title));
                    entries.note(&notes);
                }
                Err(error) => return Some(Err(error)),
            }
        } else {
            let mut sitemap = match Sitemap::open(body, content_type, &page.url) {
                Ok(sitemap) => sitemap,
                Err(error) => return Some(Err(error)),
            };
            entries.take(sitemap.by_ref(), in_time, |all, entry| match entry {
                sitemap::Entry::Page(page) => {
                    let changed = [page.lastmod, page.lastmod_until];
                    all.add(&page.url, UrlKind::Page, changed, "");
                    let others = page.extras.iter().filter(|extra| extra.kind == sitemap::ExtraKind::Alternate);
                    others.for_each(|extra| all.add(&extra.url, UrlKind::Page, changed, ""));
                }
                sitemap::Entry::Sitemap(child) => {
                    all.add(&child.url, UrlKind::Sitemap, [child.lastmod, child.lastmod_until], "");
                }
            })?;
            entries.note(sitemap.notes());
        }
        Some(Ok(entries))
    }

    fn take<E>(
        &mut self,
        entries: impl Iterator<Item = E>,
        in_time: &dyn Fn() -> bool,
        add: impl Fn(&mut Self, E),
    ) -> Option<()> {
        for (number, entry) in entries.enumerate() {
            if number % TURN == TURN - 1 && !in_time() {
                return None;
            }
            add(self, entry);
        }
        Some(())
    }

    /// `changed`: when it last changed, and the last moment that this may mean.
    fn add(&mut self, url: &str, kind: UrlKind, changed: [Option<i64>; 2], text: &str) {
        let element = if kind == UrlKind::Sitemap { Element::Sitemap } else { Element::Entry };
        self.links.push(Link { url, text, element, ..Link::default() });
        let [changed_at, changed_until] = changed.map(|at| u64::try_from(at?).ok());
        self.named.push(Named { url: url.to_owned(), kind, changed_at, changed_until });
    }

    fn note(&mut self, notes: &[Note]) {
        self.notes.extend(notes.iter().map(Note::to_string));
    }
}
