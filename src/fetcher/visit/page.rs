//! From a body to what its record says of it: fields, items, text, hash, and the body compressed.
//!
//! All of it is CPU work, so everything here can be told to stop after some CPU time.

use std::time::Duration;

use url::Url;

use super::entries::Entries;
use crate::config::{Extraction, Fetching};
use seine_core::protocol::{BodyHead, PageFields, UrlKind};
use seine_core::record::items::{PageExtras, PageItems};
use seine_core::record::links::Links;
use seine_core::record::{ErrorClass, Failure, HtmlFields};
use seine_http::{Body, SMALL};
use seine_page::extract::extras::{Wanted, extras_of};
use seine_page::extract::parsed::Parsed;
use seine_page::extract::rules::{self, Rules, Selector};
use seine_page::extract::{Extractor, More, inside, is_html, link_header, style};
use seine_unix::clock::CpuBudget;

/// Level of compression. Pages shrink four- to fivefold at a fifth of what parsing costs; higher levels cost much
/// more for little.
const ZSTD_LEVEL: i32 = 1;

/// A whole answer that is going to be a record.
pub(super) struct Fetched {
    pub url: Url,
    pub listed_url: String,
    pub content_type: Option<String>,
    /// Whether it is what was asked for: an error page has no items and no main text.
    pub is_ok: bool,
    /// The kind of document that is expected at its URL.
    pub kind: UrlKind,
    /// `Link` headers.
    pub link_headers: Vec<String>,
    pub body: Body,
}

/// The URLs that a body names.
pub(super) enum NamedUrls {
    /// A page does, by its links.
    Links(Links),
    /// A sitemap or feed does.
    Entries(Vec<Named>),
}

impl Default for NamedUrls {
    fn default() -> Self {
        Self::Links(Links::default())
    }
}

/// An entry of a sitemap or feed.
pub(super) struct Named {
    pub url: String,
    pub kind: UrlKind,
    /// When it last changed, by its sitemap or feed, in milliseconds of the Unix epoch.
    pub changed_at: Option<u64>,
    /// The last moment that this may mean: a day without a time lasts until its end.
    pub changed_until: Option<u64>,
}

/// All that a record says of a body.
#[derive(Default)]
pub(super) struct Processed {
    pub body: Option<BodyHead>,
    pub charset: Option<&'static str>,
    pub fields: Option<PageFields>,
    /// The page's own directives for robots.
    pub robots: Option<String>,
    pub named: NamedUrls,
    /// What is wrong with a sitemap or feed that was read.
    pub notes: Vec<String>,
    pub items: Option<PageItems>,
    pub extras: Option<PageExtras>,
    pub failure: Option<Failure>,
    pub zstd: Vec<u8>,
}

/// The time that a page may take, and the parts of it that are kept.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// CPU time.
    pub parse: Duration,
    keep_body: bool,
    wanted: Wanted,
}

/// The parts of pages that were chosen by selectors.
#[derive(Clone)]
pub(super) struct Chosen {
    /// For items.
    pub rules: Rules,
    /// The elements whose links are followed; `None`: all are.
    pub follow_css: Option<Selector>,
    /// What is read beyond the fields.
    pub more: More,
}

/// Reads one page after the other; what it has allocated is used again.
pub(super) struct PageProcessor {
    extractor: Extractor,
    chosen: Chosen,
    zstd: zstd::bulk::Compressor<'static>,
    /// The buffer that bodies are compressed into.
    packed: Vec<u8>,
}

impl Fetched {
    /// Whether what it is asked for needs a tree of the page.
    pub fn needs_tree(&self, limits: &Limits, chosen: &Chosen) -> bool {
        self.is_ok
            && ((limits.wanted.is_any() || chosen.follow_css.is_some()) && is_html(self.content_type(), &self.body)
                || chosen.rules.wants(&self.for_rules()))
    }

    fn content_type(&self) -> Option<&[u8]> {
        self.content_type.as_deref().map(str::as_bytes)
    }

    /// Adds the links of its head; returns the canonical URL if that names one.
    fn add_header_links(&self, links: &mut Links) -> Option<String> {
        link_header::add_links(self.link_headers.iter().map(String::as_str), &self.url, links)
    }

    fn for_rules(&self) -> rules::Page<'_> {
        let (url, content_type) = (&self.url, self.content_type());
        rules::Page { url, listed_url: &self.listed_url, content_type, body: &self.body }
    }
}

impl Limits {
    pub fn new(settings: &Fetching) -> Self {
        let Extraction { metadata, text, markdown, tables, .. } = settings.extraction;
        Self {
            parse: settings.http.parse_timeout.0,
            keep_body: settings.extraction.store_bodies,
            wanted: Wanted { metadata, text, markdown, tables },
        }
    }
}

impl PageProcessor {
    pub fn new(chosen: Chosen) -> Self {
        let zstd = zstd::bulk::Compressor::new(ZSTD_LEVEL).expect("a fixed, valid compression level");
        let extractor = Extractor::with(chosen.more);
        Self { extractor, chosen, zstd, packed: Vec::new() }
    }

    /// Reads a page within `turn` of CPU time.
    ///
    /// # Errors
    /// The page itself, if the turn was over before the time that the limits give it.
    pub fn process(&mut self, page: Box<Fetched>, limits: &Limits, turn: Duration) -> Result<Processed, Box<Fetched>> {
        let mut processed = Processed::default();
        if page.body.is_empty() {
            let _ = self.read_others(&page, &mut processed, &|| true);
            return Ok(processed);
        }
        let budget = CpuBudget::new(turn.min(limits.parse));
        if self.extract(&page, limits.wanted, &mut processed, &|| budget.is_left()).is_none() {
            if turn < limits.parse {
                return Err(page);
            }
            let message = format!("the page took more than {:?} of CPU time (--parse-timeout)", limits.parse);
            processed.failure = Some(Failure::new(ErrorClass::ParseTimeout, message));
        }
        let body: &[u8] = &page.body;
        processed.body = Some(BodyHead { bytes: body.len() as u64, hash: *blake3::hash(body).as_bytes() });
        if limits.keep_body {
            processed.zstd = self.compress(body);
        }
        Ok(processed)
    }

    /// Adds what the page says to `into`; `None` if that takes too long.
    fn extract(
        &mut self,
        page: &Fetched,
        wanted: Wanted,
        into: &mut Processed,
        in_time: &dyn Fn() -> bool,
    ) -> Option<()> {
        let content_type = page.content_type();
        let parsed = Parsed::new(&page.body, content_type);
        if page.is_ok && matches!(page.kind, UrlKind::Sitemap | UrlKind::Feed) {
            return self.read_entries(page, into, in_time);
        }
        if is_html(content_type, &page.body) {
            let mut extracted = self.extractor.html_while(&page.body, content_type, &page.url, &in_time)?;
            into.charset = Some(extracted.charset);
            into.robots = extracted.fields.robots.take();
            let mut links = std::mem::take(&mut extracted.fields.links);
            let in_head = page.add_header_links(&mut links);
            extracted.fields.canonical = extracted.fields.canonical.or(in_head);
            self.note_outside(page, &parsed, &mut links, in_time)?;
            into.fields = Some(PageFields {
                likeness: extracted.likeness.map(u128::to_be_bytes),
                says_missing: extracted.says_missing,
                ..page_fields(extracted.fields, &links, &page.listed_url)
            });
            into.named = NamedUrls::Links(links);
            let mut found = PageExtras { beyond: extracted.beyond, ..PageExtras::default() };
            if page.is_ok && wanted.is_any() {
                let asked_for = extras_of(&parsed, &page.url, wanted, in_time)?;
                let beyond = [found.beyond, asked_for.beyond].concat();
                found = PageExtras { beyond, ..asked_for };
            }
            into.extras = (!found.is_empty()).then_some(found);
        } else {
            self.read_others(page, into, in_time)?;
        }
        let for_rules = page.for_rules();
        if page.is_ok && self.chosen.rules.wants(&for_rules) {
            into.items = Some(self.chosen.rules.apply_to(&parsed, &for_rules, in_time)?);
        }
        Some(())
    }

    /// Adds what the head of an answer says whose body is no page, or empty; and what a style sheet names, if that is wanted.
    fn read_others(&self, page: &Fetched, into: &mut Processed, in_time: &dyn Fn() -> bool) -> Option<()> {
        let mut links = Links::default();
        let canonical = page.add_header_links(&mut links);
        if self.chosen.more.assets && style::is_style(page.content_type()) {
            style::add_links(&page.body, page.content_type(), &page.url, &mut links, in_time)?;
        }
        if !links.is_empty() {
            if self.chosen.follow_css.is_some() {
                links.note_outside(|_| false);
            }
            into.fields =
                Some(page_fields(HtmlFields { canonical, ..HtmlFields::default() }, &links, &page.listed_url));
            into.named = NamedUrls::Links(links);
        }
        Some(())
    }

    /// Notes which links of an HTML page are not among those that were chosen to be followed; of an error page, none is.
    fn note_outside(
        &self,
        page: &Fetched,
        parsed: &Parsed<'_>,
        links: &mut Links,
        in_time: &dyn Fn() -> bool,
    ) -> Option<()> {
        let Some(selector) = self.chosen.follow_css.as_ref().filter(|_| !links.is_empty()) else { return Some(()) };
        if page.is_ok {
            return inside::note_outside(links, parsed, &page.url, selector, in_time);
        }
        links.note_outside(|_| false);
        Some(())
    }

    /// Adds what a sitemap or feed names.
    fn read_entries(&self, page: &Fetched, into: &mut Processed, in_time: &dyn Fn() -> bool) -> Option<()> {
        match Entries::read(page, in_time)? {
            Ok(entries) => {
                let links = (!entries.links.is_empty()).then(|| entries.links.to_json(&page.listed_url));
                into.fields = Some(PageFields { links, ..PageFields::default() });
                into.notes = entries.notes;
                into.named = NamedUrls::Entries(entries.named);
            }
            Err(error) => into.failure = Some(Failure::new(ErrorClass::Unreadable, error.to_string())),
        }
        Some(())
    }

    fn compress(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.packed.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        self.zstd
            .compress_to_buffer(bytes, &mut self.packed)
            .expect("compression into a buffer of sufficient size does not fail");
        let packed = self.packed.to_vec();
        // The outbox holds hundreds of them: each as large as it is, not as it might have been.
        self.packed.clear();
        self.packed.shrink_to(SMALL);
        packed
    }
}

/// Compresses a text as the body of a page would be.
pub(super) fn compressed(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, ZSTD_LEVEL).expect("compression into a buffer of sufficient size does not fail")
}

fn page_fields(fields: HtmlFields, links: &Links, listed_url: &str) -> PageFields {
    let links = (!links.is_empty()).then(|| links.to_json(listed_url));
    PageFields {
        title: fields.title,
        h1: fields.h1,
        description: fields.description,
        canonical: fields.canonical,
        lang: fields.lang,
        links,
        ..PageFields::default()
    }
}
