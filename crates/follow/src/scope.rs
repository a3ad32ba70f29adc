//! Scope: how far from the listed URLs a crawl may go.
//!
//! A listed URL is noted under one text, its root. A found URL is inside if one of the texts that may stand for it is
//! noted. The store keeps the table of noted texts; what is here is pure.
//!
//! Schemes do not count, as they do not for a host's pace: a site that is listed with `http` links to itself with
//! `https`. Nor does `www.`, which the front page of many a site adds or takes away.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use seine_core::record::dedup::dedup_text;
use serde::{Deserialize, Serialize};

use crate::parts::{Parts, without_www};

/// Directories of a path that count for [`Scope::Prefix`]; what is deeper counts as the last of them. A URL of 16 KiB
/// could have 16,000, and each would have to be looked up.
pub const MAX_PREFIXES: usize = 64;

/// How far from the listed URLs a crawl may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The paths of the listed URLs, whatever the query: the further pages of a listing (`?page=2`).
    Page,
    /// The directories of the listed URLs, and what lies below them.
    Prefix,
    /// The hosts of the listed URLs.
    #[default]
    Host,
    /// Their registrable domains by the public suffix list, so `docs.example.co.uk` and `example.co.uk` are one.
    Domain,
    /// The listed URLs: nothing new is found.
    List,
    /// Everything.
    Any,
}

/// A word that names no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no scope is called {0:?}; there are page, prefix, host, domain, list and any")]
pub struct UnknownScope(pub String);

impl Scope {
    /// Every scope, the narrowest first; `List` and `Any` need no table.
    pub const ALL: [Self; 6] = [Self::Page, Self::Prefix, Self::Host, Self::Domain, Self::List, Self::Any];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Prefix => "prefix",
            Self::Host => "host",
            Self::Domain => "domain",
            Self::List => "list",
            Self::Any => "any",
        }
    }

    /// The text under which the listed `url` is noted: an http(s) URL as [`CrawlUrl`](seine_core::record::CrawlUrl) has
    /// it. None if this scope needs no table ([`List`](Self::List), [`Any`](Self::Any)).
    pub fn root(self, url: &str) -> Option<String> {
        self.roots(url).iter().last().map(str::to_owned)
    }

    /// The texts of which one must be noted if the found `url` is to be inside, at most [`MAX_PREFIXES`]. None for
    /// [`List`](Self::List) and [`Any`](Self::Any), which [`Scope::admits`] tells apart.
    pub fn roots(self, url: &str) -> Roots<'_> {
        let text = dedup_text(url);
        let start = Parts::of(&text).map_or(0, |parts| self.start(&text, &parts));
        let ends = Parts::of(&text).map_or_else(Vec::new, |parts| self.ends(&text, &parts));
        Roots { text, start, ends }
    }

    /// Whether the found `url` is inside, with a look at the table for each text that may be noted.
    pub fn admits(self, url: &str, is_noted: impl FnMut(&str) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::List => false,
            _ => self.roots(url).iter().any(is_noted),
        }
    }

    /// Where the texts start in that of the URL.
    fn start(self, text: &str, parts: &Parts<'_>) -> usize {
        let host = parts.host().trim_end_matches('.');
        let site = match self {
            Self::Domain => domain(host),
            _ => without_www(host),
        };
        offset(text, parts.authority) + host.len() - site.len()
    }

    /// Where they end, the shortest first.
    fn ends(self, text: &str, parts: &Parts<'_>) -> Vec<usize> {
        let path = offset(text, parts.path);
        match self {
            Self::List | Self::Any => Vec::new(),
            Self::Host | Self::Domain => {
                let host = parts.host();
                vec![offset(text, host) + host.trim_end_matches('.').len()]
            }
            Self::Page => vec![path + parts.path.len()],
            Self::Prefix => {
                let slashes = parts.path.bytes().enumerate().filter(|(_, byte)| *byte == b'/');
                slashes.take(MAX_PREFIXES).map(|(at, _)| path + at + 1).collect()
            }
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(word: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.name() == word).ok_or_else(|| UnknownScope(word.to_owned()))
    }
}

/// The texts that may stand for a URL in the table of what is inside.
#[derive(Clone, Debug)]
pub struct Roots<'u> {
    text: Cow<'u, str>,
    start: usize,
    ends: Vec<usize>,
}

impl Roots<'_> {
    /// The texts, the widest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.ends.iter().map(|end| &self.text[self.start..*end])
    }
}

/// The registrable domain of `host`; the host itself if it is an address, or has none (`localhost`, `github.io`).
pub fn domain(host: &str) -> &str {
    let is_address = host.ends_with(']') || host.parse::<Ipv4Addr>().is_ok();
    if is_address { host } else { psl::domain_str(host).unwrap_or(host) }
}

/// Where `part`, a slice of `text`, starts in it.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr() as usize - text.as_ptr() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(scope: Scope, listed: &str, root: Option<&str>, inside: &[&str], outside: &[&str]) {
        let noted = scope.root(listed);
        assert_eq!(noted.as_deref(), root);
        let is_inside = |url: &str| scope.admits(url, |text| Some(text) == noted.as_deref());
        for url in inside {
            assert!(is_inside(url), "{scope}: {url} is not inside {listed}: {:?}", scope.roots(url));
        }
        for url in outside {
            assert!(!is_inside(url), "{scope}: {url} is inside {listed}");
        }
    }

    #[test]
    fn a_host_is_the_site_with_and_without_www_in_both_schemes() {
        check(
            Scope::Host,
            "https://example.org/docs/",
            Some("example.org"),
            &["https://example.org/", "http://example.org:8080/x", "https://www.example.org/", "https://example.org./"],
            &["https://docs.example.org/", "https://example.com/", "https://notexample.org/", "https://www.org/"],
        );
        check(
            Scope::Host,
            "http://www.example.org/",
            Some("example.org"),
            &["https://example.org/a"],
            &["https://shop.example.org/"],
        );
        check(Scope::Host, "http://[::1]:81/", Some("[::1]"), &["http://[::1]/"], &["http://[::2]/"]);
    }

    #[test]
    fn a_prefix_is_the_directory_and_what_lies_below() {
        check(
            Scope::Prefix,
            "https://example.org/docs/guide/start.html?lang=en",
            Some("example.org/docs/guide/"),
            &[
                "https://example.org/docs/guide/",
                "http://www.example.org/docs/guide/a/b/c.html",
                "https://example.org/docs/guide/?q=/../x",
            ],
            &[
                "https://example.org/docs/guide",
                "https://example.org/docs/",
                "https://example.org/docs/guidelines/",
                "https://example.org:8080/docs/guide/",
                "https://example.com/docs/guide/",
            ],
        );
        check(Scope::Prefix, "https://example.org/docs", Some("example.org/"), &["https://example.org/blog/x"], &[]);
    }

    #[test]
    fn spellings_of_one_directory_are_one() {
        check(
            Scope::Prefix,
            "https://example.org/%7euser/",
            Some("example.org/~user/"),
            &["https://example.org/~user/a", "https://example.org/%7Euser/%61"],
            &["https://example.org/%2Fuser/"],
        );
    }

    #[test]
    fn a_page_is_its_path_with_any_query() {
        check(
            Scope::Page,
            "https://example.org/search?q=a",
            Some("example.org/search"),
            &["https://example.org/search?q=a&page=2", "https://example.org/search"],
            &["https://example.org/search/", "https://example.org/"],
        );
    }

    #[test]
    fn a_domain_is_what_somebody_registered() {
        check(
            Scope::Domain,
            "https://docs.example.co.uk/a",
            Some("example.co.uk"),
            &["http://example.co.uk/", "https://a.b.example.co.uk./x"],
            &["https://other.co.uk/", "https://co.uk/"],
        );
        let others = ["https://other.github.io/", "https://github.io/"];
        check(Scope::Domain, "https://me.github.io/", Some("me.github.io"), &["https://a.me.github.io/"], &others);
        check(Scope::Domain, "http://127.0.0.1:8000/", Some("127.0.0.1"), &["http://127.0.0.1/"], &["http://0.0.0.1/"]);
        check(
            Scope::Domain,
            "http://localhost/",
            Some("localhost"),
            &["https://localhost:1/"],
            &["http://a.localhost/"],
        );
    }

    #[test]
    fn a_list_finds_nothing_new_and_any_finds_all() {
        check(Scope::List, "https://example.org/", None, &[], &["https://example.org/", "https://example.org/a"]);
        check(Scope::Any, "https://example.org/", None, &["https://elsewhere.example/"], &[]);
    }

    #[test]
    fn deep_paths_cost_no_more_than_so_many_looks() {
        let deep = format!("https://example.org{}x", "/a".repeat(8000));
        assert_eq!(Scope::Prefix.roots(&deep).iter().count(), MAX_PREFIXES);
        let deeper = format!("https://example.org{}y", "/a".repeat(8001));
        let noted = Scope::Prefix.root(&deep);
        assert!(Scope::Prefix.admits(&deeper, |text| Some(text) == noted.as_deref()));
    }

    #[test]
    fn scopes_are_called_by_their_words() {
        for scope in Scope::ALL {
            assert_eq!(scope.name().parse(), Ok(scope));
        }
        let error = "hosts".parse::<Scope>().expect_err("no scope");
        assert_eq!(
            error.to_string(),
            "no scope is called \"hosts\"; there are page, prefix, host, domain, list and any"
        );
    }
}
