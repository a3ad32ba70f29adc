//! The rules by which the URLs of a host are asked for in order, and by which only so many come into the crawl. The store
//! keeps the books; others know the rules.

use std::fmt::Debug;

/// See the module.
pub trait Order: Debug + Send + Sync {
    /// The rules of [`Self::priority`], as text: by others the URLs of a store are put in order anew.
    fn priorities(&self) -> &str;

    /// The value of a URL: higher ones are asked for first; 0 for most.
    fn priority(&self, url: &str) -> i32;

    /// The rules of [`Self::budgets_of`], as text: by others the URLs of a store are counted anew.
    fn budgets(&self) -> &str;

    /// All budgets that a URL of `host` counts against that lies `depth` links from a list.
    fn budgets_of(&self, host: &str, url: &str, depth: u32) -> Vec<Budget>;
}

/// So many URLs are taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// What is counted, `/blog/` or `depth 2`.
    pub name: String,
    /// URLs at most.
    pub urls: u64,
    /// They are counted for each host; otherwise for the crawl.
    pub is_of_host: bool,
}
