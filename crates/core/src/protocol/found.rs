//! URLs that pages, sitemaps and feeds name.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::record::UrlKey;

/// How a URL came into the crawl.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Links on the shortest way to it that is known: 0 for what a list names.
    pub depth: u32,
    /// The kind of document that is expected there.
    pub kind: UrlKind,
}

/// The kind of document that is expected at a URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum UrlKind {
    /// A page.
    #[default]
    Page = 0,
    /// A sitemap, or an index of some.
    Sitemap = 1,
    /// A feed.
    Feed = 2,
    /// Something that a page shows or runs: an image, a script, a style sheet.
    Asset = 3,
}

impl UrlKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Page, Self::Sitemap, Self::Feed, Self::Asset];

    /// The name in views.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Sitemap => "sitemap",
            Self::Feed => "feed",
            Self::Asset => "asset",
        }
    }

    /// The text by which processes know of a URL of this kind. That of an asset says nothing of it as a page, for which other
    /// rules hold.
    pub fn known_as(self, url: &str) -> Cow<'_, str> {
        if self == Self::Asset { Cow::Owned(format!("asset {url}")) } else { Cow::Borrowed(url) }
    }

    /// The kind of this number in the store.
    pub fn from_number(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|n| Self::ALL.get(n)).copied()
    }
}

/// A URL that a page, a sitemap or a feed names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Normalised URL.
    pub url: String,
    /// Byte range of the host in `url`.
    pub host: (u32, u32),
    /// Deduplication key.
    pub key: UrlKey,
    /// The kind of document that is expected there.
    pub kind: UrlKind,
    /// When it last changed, as a sitemap or feed has it, in milliseconds of the Unix epoch.
    pub changed_at: Option<u64>,
    /// It has not changed for so long that it is not asked for: what is known of it stands.
    pub stands: bool,
    /// The rule that says it is a trap: it is recorded and never asked for.
    pub trap: Option<String>,
}

impl Found {
    /// The host.
    pub fn host(&self) -> &str {
        self.url.get(self.host.0 as usize..self.host.1 as usize).unwrap_or_default()
    }
}
