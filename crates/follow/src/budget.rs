//! How many URLs of a host a crawl takes in by itself, by path, and how many at a depth.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The path that stands for the whole host.
pub const EVERY_PATH: &str = "*";

/// URLs of each host whose paths begin so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathBudget {
    /// The beginning of a path, or [`EVERY_PATH`].
    pub path: String,
    /// URLs at most.
    pub urls: u64,
}

/// URLs so many links from a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthBudget {
    /// Links from a list.
    pub depth: u32,
    /// URLs at most.
    pub urls: u64,
}

impl PathBudget {
    /// Whether `url` counts.
    pub fn covers(&self, url: &str) -> bool {
        self.path == EVERY_PATH || path_of(url).starts_with(&self.path)
    }
}

/// The part of a URL behind its host: path and query.
fn path_of(url: &str) -> &str {
    let behind_scheme = url.find("//").map_or(0, |at| at + 2);
    let path = url[behind_scheme..].find('/').map_or(url.len(), |at| behind_scheme + at);
    &url[path..]
}

impl FromStr for PathBudget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, urls) = pair(text, "'/blog/=500' or '*=10000'")?;
        if path != EVERY_PATH && !path.starts_with('/') {
            return Err(format!(
                "{path:?} is no beginning of a path; write '/blog/=500', or '*=10000' for all of a host"
            ));
        }
        Ok(Self { path: path.to_owned(), urls })
    }
}

impl FromStr for DepthBudget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (depth, urls) = pair(text, "'1=1000'")?;
        match depth.parse() {
            Ok(depth @ 1..) => Ok(Self { depth, urls }),
            _ => Err(format!(
                "{depth:?} is no number of links; what lists name has depth 0 and no budget: write '1=1000'"
            )),
        }
    }
}

fn pair<'t>(text: &'t str, example: &str) -> Result<(&'t str, u64), String> {
    let pair = text.rsplit_once('=').and_then(|(key, urls)| Some((key.trim(), urls.trim().parse().ok()?)));
    pair.ok_or_else(|| format!("{text:?} has no number of URLs behind a last \"=\"; write {example}"))
}

impl fmt::Display for PathBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.path, self.urls)
    }
}

impl fmt::Display for DepthBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "depth {} = {}", self.depth, self.urls)
    }
}

/// A budget as an entry of a table, `"/blog/" = 500`.
pub trait Entry: FromStr<Err = String> {
    /// The key.
    fn key(&self) -> String;

    /// URLs at most.
    fn urls(&self) -> u64;
}

impl Entry for PathBudget {
    fn key(&self) -> String {
        self.path.clone()
    }

    fn urls(&self) -> u64 {
        self.urls
    }
}

impl Entry for DepthBudget {
    fn key(&self) -> String {
        self.depth.to_string()
    }

    fn urls(&self) -> u64 {
        self.urls
    }
}

/// Reads a table of budgets.
///
/// # Errors
/// Those of the entries.
pub fn from_table<'de, D: Deserializer<'de>, E: Entry>(deserializer: D) -> Result<Vec<E>, D::Error> {
    let table = BTreeMap::<String, u64>::deserialize(deserializer)?;
    table.iter().map(|(key, urls)| format!("{key}={urls}").parse().map_err(D::Error::custom)).collect()
}

/// Writes budgets as a table.
///
/// # Errors
/// Those of the serializer.
pub fn to_table<S: Serializer, E: Entry>(budgets: &[E], serializer: S) -> Result<S::Ok, S::Error> {
    budgets.iter().map(|budget| (budget.key(), budget.urls())).collect::<BTreeMap<_, _>>().serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_covers_the_paths_that_begin_so() {
        let covers = |budget: &str, url: &str| budget.parse::<PathBudget>().expect("a budget").covers(url);
        assert!(covers("/blog/=5", "https://a.test/blog/1") && covers("*=5", "https://a.test/blog/1"));
        assert!(covers("/list?page=2=5", "https://a.test/list?page=27"));
        for url in ["https://a.test/", "https://a.test/blog", "https://blog/", "https://a.test/x/blog/"] {
            assert!(!covers("/blog/=5", url), "{url}");
        }
    }

    #[test]
    fn a_budget_that_is_none_says_what_to_write() {
        let path = |text: &str| text.parse::<PathBudget>().unwrap_err();
        let depth = |text: &str| text.parse::<DepthBudget>().unwrap_err();
        assert!(path("/blog/").contains("write '/blog/=500'") && path("blog=5").contains("no beginning of a path"));
        assert!(depth("1").contains("write '1=1000'") && depth("0=5").contains("what lists name"));
        assert_eq!("3=5".parse(), Ok(DepthBudget { depth: 3, urls: 5 }));
    }
}
