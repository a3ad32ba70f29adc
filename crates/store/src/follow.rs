//! The rules by which URLs come into a crawl that no list names. The store keeps the books; others know the rules.

use std::fmt::Debug;

use seine_core::protocol::{Found, Place};

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
        is_root: &mut dyn FnMut(&str) -> Result<bool, crate::StoreError>,
    ) -> Result<bool, crate::StoreError>;

    /// The URLs to follow of a page that was stored before.
    fn of_stored(&self, page: &StoredLinks, place: Place) -> Vec<Found>;

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
}
