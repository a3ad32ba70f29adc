//! The URLs that a page names and that are to be asked for, as far as the store may not know them yet.

use super::page::Named;
use seine_core::protocol::{Found, Place, UrlKind};
use seine_core::record::links::Links;
use seine_follow::{Following, KnownUrls};
use seine_unix::known::Known;

/// The path of a site's sitemap, unless its robots.txt says otherwise.
pub(super) const USUAL_SITEMAP: &str = "/sitemap.xml";

/// Links that are judged before other requests have their turn: a tenth of a second, if all of them are new.
const TURN: usize = 8192;

/// What is known to pages of a depth: a nearer one may lead farther.
struct KnownAt<'k> {
    known: &'k Known,
    depth: u32,
}

impl KnownUrls for KnownAt<'_> {
    fn has(&self, url: &str) -> bool {
        self.known.has(url, self.depth)
    }

    fn note_useless(&self, url: &str) {
        self.known.note(url, 0);
    }
}

/// See the module.
pub struct Finder {
    following: Following,
    known: Known,
    since: u64,
}

impl Finder {
    /// With these rules; what is in `known` is passed over, and what a sitemap or feed says has not changed since `since`,
    /// in milliseconds of the Unix epoch, is not asked for.
    pub fn new(following: Following, known: Known, since: u64) -> Self {
        Self { following, known, since }
    }

    /// What a page at `place` names that asks robots for `robots`.
    pub async fn of_page(&self, place: Place, robots: Option<&str>, links: &Links) -> Vec<Found> {
        let leads_on = self.following.leads_on(place, robots);
        if !leads_on.is_any() {
            return Vec::new();
        }
        let known = KnownAt { known: &self.known, depth: place.depth };
        let mut found = Vec::new();
        for (number, link) in links.iter().enumerate() {
            if number % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
            found.extend(self.following.found(link, leads_on, &known));
        }
        found
    }

    /// What a sitemap or feed at `place` names.
    pub(super) fn of_entries(&self, place: Place, entries: &[Named]) -> Vec<Found> {
        let new = entries.iter().filter(|entry| !self.known.has(&entry.url, place.depth));
        let found = new.filter_map(|entry| {
            let stands = entry.changed_until.is_some_and(|at| at < self.since);
            let found = self.following.named(&entry.url, entry.kind, entry.changed_at)?;
            Some(Found { stands, ..found })
        });
        found.collect()
    }

    /// The sitemaps that the robots.txt of `origin` names; the usual place if it names none.
    pub fn of_robots(&self, origin: &str, sitemaps: &[String]) -> Vec<Found> {
        let usual = [format!("{origin}{USUAL_SITEMAP}")];
        let sitemaps = if sitemaps.is_empty() { &usual } else { sitemaps };
        let named = |url: &String| self.following.named(url, UrlKind::Sitemap, None);
        sitemaps.iter().filter_map(named).collect()
    }
}
