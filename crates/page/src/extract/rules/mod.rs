//! Rules in, items out: finds the items of a config file's collections on a page. Pure: no I/O, no clock.
//!
//! [`Rules::read`] compiles a config file; [`Rules::apply`] parses a page once, whatever the number of collections, and
//! gives items, problems and counts. What a page costs is bounded in memory by the constants here, and in time by the
//! caller, who is asked all along whether to go on.
//!
//! - `read`: a config file's text to `compiled` rules; `error`: its mistakes
//! - `selector`, `xpath`, `path`: CSS, XPath and JSONPath; `finder`: elements by XPath, their text, and steps
//! - `document`: a page as what it is; [`dom`] with `lists`, `xml`, [`json`], `repair`, `microdata`: how that is read
//! - `apply`: rules on a page; `places`: what stands where they look; `values`, `numbers`, `dates`, by `locale` and the words of `money`: text to values
//! - [`explain`]: why a rule finds what it finds; [`suggest`]: rules that find a value
//! - `budget`: when to stop

mod apply;
mod budget;
mod compiled;
pub(in crate::extract) mod dates;
mod document;
pub mod dom;
mod error;
pub mod explain;
mod finder;
pub mod json;
mod lists;
pub(in crate::extract) mod locale;
mod microdata;
mod money;
mod numbers;
mod path;
mod places;
mod read;
mod repair;
mod selector;
pub mod suggest;
mod values;
mod xml;
mod xpath;

use std::sync::Arc;

use url::Url;

pub use budget::Budget;
pub use error::RuleError;
pub use selector::{Selector, SelectorError};
pub use xpath::{MAX_XPATH_DEPTH, MAX_XPATH_TOKENS, XPath, XPathError};

use crate::extract::parsed::Parsed;
use compiled::Compiled;
use document::{Document, Kind};
use seine_core::record::items::{Collection, PageItems};

/// Most collections of a config file.
pub const MAX_COLLECTIONS: usize = 1000;
/// Most fields of a collection, or of a nested field.
pub const MAX_FIELDS: usize = 500;
/// How deep fields may be nested.
pub const MAX_NESTING: usize = 5;
/// Most items of one collection on one page; further ones are a problem (`too_many`) and passed over.
pub const MAX_ITEMS: usize = 20_000;
/// Most values, or nested records, of one field of one item; likewise.
pub const MAX_FIELD_VALUES: usize = 10_000;
/// Most bytes of one value; a longer one is a problem and not kept.
pub const MAX_VALUE_BYTES: usize = 1 << 20;
/// Most bytes of an item; a larger one is a problem and not kept.
pub const MAX_ITEM_BYTES: usize = 2 << 20;
/// Most bytes of all items of a page; further ones are a problem and passed over.
pub const MAX_PAGE_BYTES: usize = 16 << 20;
/// Most problems that are told of one page; the last of them says `too_many`.
pub const MAX_PROBLEMS: usize = 1000;

/// Tables, views and indexes of every store: a collection's view cannot have these names.
pub const RESERVED_NAMES: [&str; 60] = [
    "alike",
    "attempts",
    "body",
    "body_key",
    "collection",
    "ended_url",
    "extract_problem",
    "extract_problem_url",
    "extract_problems",
    "field_rate",
    "field_rates",
    "file",
    "frontier",
    "gone_item",
    "gone_item_run",
    "history",
    "host",
    "input",
    "inputs",
    "item",
    "item_key",
    "item_place",
    "item_url",
    "items",
    "known_text",
    "links",
    "loose_body",
    "mirror",
    "near_duplicate",
    "near_duplicates",
    "new_body",
    "order_rule",
    "page",
    "page_extra",
    "page_link",
    "pages",
    "past_bad",
    "past_body",
    "past_item",
    "past_page",
    "past_url",
    "processed",
    "quiet_host",
    "request",
    "requests",
    "robots",
    "robots_files",
    "run",
    "runs",
    "same_fetch",
    "same_page",
    "scope",
    "scope_root",
    "spent",
    "tables",
    "to_follow",
    "told_run",
    "total",
    "url",
    "url_key",
];

/// A page that rules are applied to.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Its URL after redirects.
    pub url: &'a Url,
    /// The URL that was asked for.
    pub listed_url: &'a str,
    /// The Content-Type header, if there was one.
    pub content_type: Option<&'a [u8]>,
    /// The body, decompressed.
    pub body: &'a [u8],
}

/// Compiled rules of a config file. Cheap to clone. By default none.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    collections: Vec<Collection>,
    compiled: Vec<Compiled>,
}

impl Rules {
    /// Reads and compiles every `[[collection]]` of a config file's text. Other keys are not looked at.
    ///
    /// # Errors
    /// [`RuleError`] for the first mistake.
    pub fn read(config_text: &str) -> Result<Self, RuleError> {
        let (collections, compiled) = read::read(config_text)?;
        Ok(Self { shared: Arc::new(Shared { collections, compiled }) })
    }

    /// Whether there is no collection.
    pub fn is_empty(&self) -> bool {
        self.shared.collections.is_empty()
    }

    /// As declared, in the order of the config: [`seine_core::record::items::Item::collection`] is the index.
    pub fn collections(&self) -> &[Collection] {
        &self.shared.collections
    }

    /// By how much the share of items that have a field may fall before that is named; `None` if the collection does
    /// not say.
    pub fn drift(&self, collection: usize) -> Option<f64> {
        self.shared.compiled.get(collection)?.drift
    }

    /// Whether any collection is about this page. Cheap: the body is not parsed.
    pub fn wants(&self, page: &Page<'_>) -> bool {
        Kind::of(page).is_some_and(|kind| self.shared.compiled.iter().any(|rules| rules.is_about(page, kind)))
    }

    /// The items that the rules find on a page; `None` as soon as `keep_going`, asked all along, says no.
    pub fn apply(&self, page: &Page<'_>, keep_going: &dyn Fn() -> bool) -> Option<PageItems> {
        self.apply_to(&Parsed::new(page.body, page.content_type), page, keep_going)
    }

    /// The same on a page of which a tree may be there already.
    pub fn apply_to(&self, parsed: &Parsed<'_>, page: &Page<'_>, keep_going: &dyn Fn() -> bool) -> Option<PageItems> {
        let mut found = PageItems::default();
        let Some(kind) = Kind::of(page) else { return Some(found) };
        let about: Vec<_> =
            (0_u16..).zip(&self.shared.compiled).filter(|(_, rules)| rules.is_about(page, kind)).collect();
        if about.is_empty() {
            return Some(found);
        }
        let budget = Budget::new(keep_going);
        let document = Document::parse(parsed, page, kind, &budget)?;
        for (number, rules) in about {
            apply::collection(&document, rules, number, &budget, &mut found)?;
        }
        Some(found)
    }
}

impl Compiled {
    /// Whether these rules are about a page whose body is of that kind.
    fn is_about(&self, page: &Page<'_>, kind: Kind) -> bool {
        match &self.matches {
            Some(pattern) => pattern.is_match(page.url.as_str()) || pattern.is_match(page.listed_url),
            None => kind == if self.is_json { Kind::Json } else { Kind::Html },
        }
    }
}

#[cfg(test)]
mod tests;
