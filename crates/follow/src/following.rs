//! Which links of a page are followed: those of the parts that lead on, unless they or the page say otherwise.

use seine_core::protocol::{Found, Place, UrlKind};
use seine_core::record::CrawlUrl;
use seine_core::record::links::{Element, Link, Links};

use crate::{Judged, Rules};

/// What a crawl follows.
#[derive(Debug)]
pub struct Following {
    /// Which URLs are followed.
    pub rules: Rules,
    /// Links of pages are; otherwise only what sitemaps and feeds name.
    pub links: bool,
    /// Images, scripts, style sheets and media of pages are fetched too, wherever they are.
    pub assets: bool,
    /// Links that say `nofollow` are, too.
    pub ignore_nofollow: bool,
    /// Links from a listed URL to the farthest page; `None`: any number.
    pub max_depth: Option<u32>,
}

impl Following {
    /// The URLs that may be asked for, of those that a page at this place names: `robots` is what it asks of robots, directives
    /// separated by commas.
    pub fn leads_on(&self, place: Place, robots: Option<&str>) -> LeadsOn {
        let links = match place.kind {
            UrlKind::Sitemap | UrlKind::Feed => true,
            UrlKind::Asset => false,
            UrlKind::Page => {
                let has_room = self.max_depth.is_none_or(|most| place.depth < most);
                self.links && has_room && (self.ignore_nofollow || !robots.is_some_and(says_nofollow))
            }
        };
        LeadsOn { links, assets: self.assets }
    }

    /// The URL to ask for because of this link of a page that `leads_on`, unless it is `known`; `None` if it leads nowhere,
    /// which is noted there.
    pub fn found(&self, link: Link<'_>, leads_on: LeadsOn, known: &impl KnownUrls) -> Option<Found> {
        if link.element.is_asset() {
            return if leads_on.assets { self.asset(link, known) } else { None };
        }
        if !leads_on.links {
            return None;
        }
        let kind = if link.element == Element::Sitemap { UrlKind::Sitemap } else { UrlKind::Page };
        if link.is_outside || !self.ignore_nofollow && has_nofollow(link.rel) || known.has(link.url) {
            return None;
        }
        let Some(found) = self.named(link.url, kind, None) else {
            known.note_useless(link.url);
            return None;
        };
        // Rules for what is the same page may have made it another URL.
        (found.url == link.url || !known.has(&found.url)).then_some(found)
    }

    /// The URL of an asset. It leads nowhere but to what it needs itself, so no trap is looked for.
    fn asset(&self, link: Link<'_>, known: &impl KnownUrls) -> Option<Found> {
        let text = UrlKind::Asset.known_as(link.url);
        if known.has(&text) {
            return None;
        }
        let Some(url) = self.rules.judge_asset(link.url) else {
            known.note_useless(&text);
            return None;
        };
        let is_other = url.url != link.url;
        let found = found_of(url, UrlKind::Asset, None, None);
        (!is_other || !known.has(&UrlKind::Asset.known_as(&found.url))).then_some(found)
    }

    /// The URL to ask for because something names it.
    pub fn named(&self, url: &str, kind: UrlKind, changed_at: Option<u64>) -> Option<Found> {
        match self.rules.judge(url) {
            Judged::Follow(url) => Some(found_of(url, kind, changed_at, None)),
            Judged::Trap(url, trap) => Some(found_of(url, kind, changed_at, Some(format!("trap:{trap}")))),
            Judged::Excluded | Judged::Unusable => None,
        }
    }

    /// The URL that a page of `host` counts as, since it names it as its canonical one, if rules let it.
    pub fn canonical(&self, host: &str, named: &str) -> Option<Found> {
        self.rules.canonical(host, named).map(|url| found_of(url, UrlKind::Page, None, None))
    }

    /// The URLs to ask for because of all these links of a page.
    pub fn of_links(&self, links: &Links, leads_on: LeadsOn) -> Vec<Found> {
        links.iter().filter_map(|link| self.found(link, leads_on, &NoneKnown)).collect()
    }
}

/// The URLs that may be asked for, of those that a page names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadsOn {
    /// Its links.
    pub links: bool,
    /// Its images, scripts, style sheets and media.
    pub assets: bool,
}

impl LeadsOn {
    /// Whether anything may.
    pub fn is_any(self) -> bool {
        self.links || self.assets
    }
}

fn found_of(url: CrawlUrl, kind: UrlKind, changed_at: Option<u64>, trap: Option<String>) -> Found {
    // The host stands after the scheme's slashes, and behind what names a user, which such URLs have not.
    let start = url.url.find("//").map_or(0, |at| at + 2);
    let host = (start as u32, (start + url.host.len()) as u32);
    Found { url: url.url, host, key: url.key, kind, changed_at, stands: false, trap }
}

/// URLs that need not be told of any more.
pub trait KnownUrls {
    /// Whether this is one of them.
    fn has(&self, url: &str) -> bool;

    /// Whatever names this URL, it leads nowhere.
    fn note_useless(&self, url: &str);
}

/// None is known.
struct NoneKnown;

impl KnownUrls for NoneKnown {
    fn has(&self, _: &str) -> bool {
        false
    }

    fn note_useless(&self, _: &str) {}
}

/// Whether a `rel` has the word `nofollow`.
fn has_nofollow(rel: &str) -> bool {
    rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("nofollow"))
}

/// Whether directives for robots say that no link of the page is to be followed.
fn says_nofollow(directives: &str) -> bool {
    directives.split(',').map(str::trim).any(|word| matches!(word, "nofollow" | "none"))
}
