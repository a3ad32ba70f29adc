//! Which URLs a crawl finds: pure functions of texts. No HTTP, no clock, no store.
//!
//! - [`scope`]: how far from the listed URLs a crawl may go; the store keeps the table of what is inside.
//! - [`filter`]: `--include` and `--exclude`.
//! - [`priority`]: which URLs of a host are asked for first; [`budget`]: how many come in.
//! - [`traps`]: URLs that a site makes without end.
//! - [`identity`]: which URLs are the same page, by rules for single hosts.
//! - [`rules`]: all of it for one link.
//! - [`following`]: which links of a page are followed at all.
//! - [`sitemap`], [`feed`], [`llms`]: documents that name pages, read entry by entry.
//! - [`dates`]: when those say that a page changed.
//!
//! ```
//! use seine_follow::{Filter, FilterRule, Identity, Judged, Month, Rules, Scope, Traps, Verb};
//!
//! let exclude = FilterRule { verb: Verb::Exclude, pattern: "/private/".to_owned() };
//! let filter = Filter::new(vec![exclude])?;
//! let rules = Rules::new(Identity::default(), filter, Traps::all(Month::new(2026, 11)));
//!
//! // Of each link that is new: is it a page to crawl (`judge_parsed` if it is a `CrawlUrl` already) ...
//! let Judged::Follow(found) = rules.judge("https://example.org/docs/a.html#top") else { unreachable!() };
//! assert_eq!((found.url.as_str(), found.host.as_str()), ("https://example.org/docs/a.html", "example.org"));
//! assert_eq!(rules.judge("https://example.org/private/"), Judged::Excluded);
//!
//! // ... and in scope? The store has noted the root of each listed URL.
//! let noted = Scope::Prefix.root("https://example.org/docs/");
//! assert!(Scope::Prefix.admits(&found.url, |text| Some(text) == noted.as_deref()));
//!
//! // Of a body that is to be a sitemap: what it names, and what is wrong with it.
//! use seine_follow::{Sitemap, sitemap::Entry};
//!
//! let body = b"<urlset><url><loc>/a</loc><lastmod>2026-05-03</lastmod></url>";
//! let url = "https://example.org/sitemap.xml".parse()?;
//! let mut sitemap = Sitemap::open(body, None, &url)?;
//! let Some(Entry::Page(page)) = sitemap.next() else { unreachable!() };
//! assert_eq!((page.url.as_str(), page.lastmod), ("https://example.org/a", Some(1_777_766_400_000)));
//! assert_eq!(sitemap.next(), None);
//! assert_eq!(
//!     sitemap.notes()[0].to_string(),
//!     "it breaks off at byte 61: its end is missing; what comes before was read"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod budget;
pub mod dates;
mod document;
pub mod feed;
pub mod filter;
pub mod following;
pub mod identity;
pub mod llms;
mod parts;
pub mod priority;
pub mod rules;
pub mod scope;
mod session;
pub mod sitemap;
mod text;
pub mod traps;
mod xml;

pub use budget::{DepthBudget, PathBudget};
pub use document::{NotRead, Note};
pub use feed::Feed;
pub use filter::{BadPattern, Filter, FilterRule, Verb};
pub use following::{Following, KnownUrls};
pub use identity::{BadRule, Identity, SamePage, Slash};
pub use priority::{BadPreference, Preference, Priorities};
pub use rules::{Explained, Judged, Rules};
pub use scope::{Roots, Scope};
pub use sitemap::Sitemap;
pub use traps::{Month, Trap, Traps};
