//! The rules by which URLs come into a crawl that no list names. The store keeps the books; others know the rules.

use std::collections::BTreeMap;
use std::fmt::Debug;

use rusqlite::Connection;
use seine_core::protocol::{Found, Place, UrlKind};
use serde::Serialize;

use crate::StoreError;

/// See the module.
pub trait Follow: Debug + Send + Sync {
    /// The scope's name and settings: roots that were noted for another one are of no use.
    fn scope(&self) -> &str;

    /// The text that a listed URL stands for in the scope; `None`: none is needed.
    fn root(&self, listed: &str) -> Option<String>;

    /// Whether `found` is in the scope, `is_root` telling which texts stand for a listed URL.
    ///
    /// # Errors
    /// Those of `is_root`.
    fn admits(
        &self,
        found: &str,
        is_root: &mut dyn FnMut(&str) -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError>;

    /// The URLs to follow of a page that was stored before.
    fn of_stored(&self, page: &StoredLinks, place: Place) -> Vec<Found>;

    /// The URL that a page of `host` counts as if that is in scope, since it names it as its canonical one; `None`: it is not
    /// believed.
    fn canonical(&self, host: &str, named: &str) -> Option<Found>;

    /// After so many pages of a host that brought nothing new, its links to that host are not followed any more; `None`: they are
    /// all the same.
    fn nothing_new(&self) -> Option<u64>;

    /// Links from a listed URL to the farthest page that is fetched; `None`: any number.
    fn max_depth(&self) -> Option<u32>;
}

/// The links of a page as the store keeps them.
#[derive(Debug)]
pub struct StoredLinks {
    /// The page's URL.
    pub page: String,
    /// JSON, see [`Links::to_json`](seine_core::record::links::Links::to_json).
    pub links: String,
    /// What the page asks of robots.
    pub robots: Option<String>,
    /// The URL that it names as its canonical one.
    pub canonical: Option<String>,
}

/// URLs of a store that no list names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FoundCounts {
    /// Named first by pages.
    pub by_pages: u64,
    /// Named first by sitemaps.
    pub by_sitemaps: u64,
    /// Named first by feeds.
    pub by_feeds: u64,
    /// Sitemaps that a robots.txt names, or that lie where most do.
    pub by_robots: u64,
    /// What pages show, play and run, and no page links to.
    pub assets: u64,
    /// Links from a listed URL to the farthest of them.
    pub deepest: u32,
    /// Those that were not asked for, by the trap that they are in.
    pub traps: BTreeMap<String, u64>,
    /// Pages that count as another since they name it as their canonical one.
    pub same_pages: u64,
}

impl FoundCounts {
    /// Counts them. Reads every URL, so it is for the end of a run.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn of(db: &Connection) -> Result<Self, StoreError> {
        let mut counts = Self::default();
        let mut kinds = db.prepare(
            "SELECT f.kind, u.kind, count(*), max(u.depth) FROM url u CROSS JOIN url f ON f.url_id = u.found_on \
             WHERE u.file_id IS NULL GROUP BY 1, 2",
        )?;
        let mut rows = kinds.query([])?;
        while let Some(row) = rows.next()? {
            let of_kind = |column| Ok::<_, StoreError>(UrlKind::from_number(row.get(column)?).unwrap_or_default());
            let kinds = (of_kind(0)?, of_kind(1)?);
            let count = match kinds {
                (_, UrlKind::Asset) => &mut counts.assets,
                (UrlKind::Sitemap, _) => &mut counts.by_sitemaps,
                (UrlKind::Feed, _) => &mut counts.by_feeds,
                // Such a robots.txt stands in the store under the page for which it was asked.
                (UrlKind::Page | UrlKind::Asset, UrlKind::Sitemap) => &mut counts.by_robots,
                (UrlKind::Page | UrlKind::Asset, _) => &mut counts.by_pages,
            };
            *count += row.get::<_, u64>(2)?;
            if kinds.1 != UrlKind::Asset {
                counts.deepest = counts.deepest.max(row.get(3)?);
            }
        }
        let mut traps = db.prepare("SELECT error_message, count(*) FROM page WHERE error = 'trap' GROUP BY 1")?;
        let mut rows = traps.query([])?;
        while let Some(row) = rows.next()? {
            let said: String = row.get(0)?;
            counts.traps.insert(said.trim_start_matches("trap:").to_owned(), row.get(1)?);
        }
        // As the view `pages` has it.
        counts.same_pages = db.query_row(
            "SELECT count(*) FROM same_page s CROSS JOIN page p ON p.url_id = s.same_as \
             WHERE p.outcome = 0 AND NOT EXISTS (SELECT 1 FROM same_page o WHERE o.url_id = s.same_as)",
            [],
            |row| row.get(0),
        )?;
        Ok(counts)
    }
}
