//! The metadata of a page as one JSON object. It has a key only if the page has a value for it.
//!
//! | key | what | from |
//! | --- | --- | --- |
//! | `title` | the title, without the site's name | headings that share words with what follows; `og:title`, JSON-LD, `<title>` |
//! | `og`, `twitter` | objects; a property that is there more than once is an array | `<meta property="og:…">`, `<meta name="twitter:…">` |
//! | `jsonld_types` | the types of what JSON-LD describes | `@type`, at the top or in `@graph` |
//! | `author` | names, joined by ", " | JSON-LD, meta, `rel=author`, bylines that are seen |
//! | `published`, `modified` | ISO 8601 dates, as written | JSON-LD, `article:*_time`, meta, microdata, `<time>`; dates that are seen, the URL's path (`YYYY-MM-DD`) |
//! | `site_name` | the name | `og:site_name`, JSON-LD publisher, `application-name` |
//! | `keywords` | array | meta, `article:tag`, JSON-LD |
//! | `generator`, `license` | text; URL or text | meta; `rel=license`, meta, JSON-LD |
//! | `feeds` | array of {url, type, title?} | `<link rel=alternate>` of RSS, Atom, JSON Feed |
//! | `hreflang` | array of {lang, url} | `<link rel=alternate hreflang>` |
//! | `icons` | array of {url, rel, sizes?, type?} | `<link rel=icon>` and its like |
//! | `amp` | URL | `<link rel=amphtml>` |
//! | `comments` | array of {author?, published?, text}: those that the main text leaves out | elements that say so |
//! | `language` | code, if the page does not tell it; with the main text only | a detector, of the main text |

mod byline;
mod comments;
mod language;
mod title;
mod visible;
mod when;

pub(super) use comments::comments;
pub(super) use language::language;
use serde_json::{Map, Value, json};

use self::visible::Visible;
use super::arena::{Element, NodeRef};
use super::extras::Page;
use super::limits::{self, Met};
use super::rules::Budget;
use super::rules::json::{MAX_BLOCKS, holds_jsonld, read_block};
use super::tags::Tag;

/// Longest value, in bytes of UTF-8; the rest is cut off.
pub const MAX_VALUE_BYTES: usize = 2048;
/// Most entries of an array or object.
pub const MAX_ENTRIES: usize = 200;

/// What a page tells of itself.
#[derive(Debug, Default)]
pub(super) struct Told(Map<String, Value>);

impl Told {
    /// Its title.
    pub fn title(&self) -> Option<&str> {
        self.0.get("title").and_then(Value::as_str)
    }

    /// One more thing, if there is any.
    pub fn add(&mut self, key: &str, value: Option<Value>) {
        self.0.extend(value.map(|value| (key.to_owned(), value)));
    }

    /// All of it as JSON.
    pub fn json(self) -> String {
        Value::Object(self.0).to_string()
    }
}

/// The metadata of `page`; `None`: told to stop.
pub(super) fn metadata(page: &Page, met: &mut Met) -> Option<Told> {
    let mut found = Found { met: std::mem::take(met), ..Found::default() };
    let mut seen = Visible::new(page);
    let mut scripts = 0;
    for (n, element) in page.tree.elements().enumerate() {
        if !page.goes_on(n) {
            return None;
        }
        match element.tag() {
            Tag::Meta => found.meta(element),
            Tag::Link => found.link(element, page),
            Tag::Script if holds_jsonld(element) => {
                if scripts == MAX_BLOCKS {
                    found.met.note(&limits::JSONLD_BLOCKS);
                    continue;
                }
                scripts += 1;
                found.script(element, page)?;
            }
            Tag::Time => found.time(element),
            Tag::A => found.anchor(element, page),
            _ => {}
        }
        if let Some(property) = element.attr("itemprop")
            && element.tag() != Tag::Meta
            && let Some(value) = element.attr("content").or_else(|| element.attr("datetime"))
        {
            found.dated(&property.to_ascii_lowercase(), value);
        }
        seen.element(element);
    }
    seen.offer(&mut found, page);
    *met = std::mem::take(&mut found.met);
    Some(Told(found.object()))
}

/// The values found so far. If several places have a value, the lowest rank counts, and of equal ranks the first.
#[derive(Default)]
struct Found {
    met: Met,
    og: Map<String, Value>,
    twitter: Map<String, Value>,
    jsonld_types: Vec<Value>,
    sources: title::Sources,
    title: String,
    author: Ranked,
    published: Ranked,
    modified: Ranked,
    site_name: Ranked,
    generator: Ranked,
    license: Ranked,
    amp: Ranked,
    keywords: Vec<String>,
    tags: Vec<String>,
    jsonld_keywords: Vec<String>,
    feeds: Vec<Value>,
    hreflang: Vec<Value>,
    icons: Vec<Value>,
}

#[derive(Default)]
struct Ranked(Option<(u8, String)>);

impl Ranked {
    fn offer(&mut self, met: &mut Met, rank: u8, raw: &str) {
        if self.0.as_ref().is_none_or(|(best, _)| rank < *best) {
            let value = met.folded(&limits::METADATA_VALUE, raw);
            if !value.is_empty() {
                self.0 = Some((rank, value));
            }
        }
    }

    /// Names of authors, as a byline has them.
    fn offer_names(&mut self, met: &mut Met, rank: u8, raw: &str) {
        // What is too long for a byline is cut like other values.
        if raw.len() > limits::METADATA_VALUE.most() {
            self.offer(met, rank, raw);
        } else if let Some(names) = byline::names(raw, true) {
            self.offer(met, rank, &names);
        }
    }

    /// Whether nothing of this rank or a lower one is there.
    fn lacks(&self, rank: u8) -> bool {
        self.0.as_ref().is_none_or(|(best, _)| *best > rank)
    }

    fn offer_date(&mut self, met: &mut Met, rank: u8, raw: &str) {
        if is_iso_date(raw.trim()) {
            self.offer(met, rank, raw);
        }
    }
}

impl Found {
    fn meta(&mut self, element: Element<'_>) {
        let Some(content) = element.attr("content") else { return };
        for attribute in ["property", "name", "itemprop"] {
            let Some(name) = element.attr(attribute).filter(|name| name.len() <= 100) else { continue };
            let name = name.trim().to_ascii_lowercase();
            if let Some(key) = name.strip_prefix("og:") {
                put(&mut self.met, &mut self.og, key, content);
                if key == "title" && self.sources.social.is_empty() {
                    self.sources.social = self.met.folded(&limits::METADATA_VALUE, content);
                }
                if key == "site_name" {
                    self.site_name.offer(&mut self.met, 0, content);
                }
            } else if let Some(key) = name.strip_prefix("twitter:") {
                put(&mut self.met, &mut self.twitter, key, content);
            } else {
                self.named(&name, content);
            }
        }
    }

    fn named(&mut self, name: &str, content: &str) {
        match name {
            "author" | "dc.creator" | "dcterms.creator" | "citation_author" | "parsely-author" | "sailthru.author" => {
                self.author.offer_names(&mut self.met, 1, content);
            }
            // Facebook's own wants a profile's URL here; a name is as common.
            "article:author" if !content.trim_start().starts_with("http") => {
                self.author.offer_names(&mut self.met, 2, content)
            }
            "article:tag" => keep(&mut self.met, &mut self.tags, [content]),
            "keywords" | "news_keywords" => keep(&mut self.met, &mut self.keywords, content.split([',', ';'])),
            "application-name" => self.site_name.offer(&mut self.met, 2, content),
            "generator" => self.generator.offer(&mut self.met, 0, content),
            "license" | "dc.rights" | "dcterms.license" | "dcterms.rights" => {
                self.license.offer(&mut self.met, 2, content)
            }
            name => self.dated(name, content),
        }
    }

    fn dated(&mut self, name: &str, value: &str) {
        match name {
            "article:published_time" | "og:published_time" => self.published.offer_date(&mut self.met, 1, value),
            "article:modified_time" | "og:updated_time" => self.modified.offer_date(&mut self.met, 1, value),
            "datepublished" => self.published.offer_date(&mut self.met, 2, value),
            "datemodified" => self.modified.offer_date(&mut self.met, 2, value),
            "date"
            | "dc.date"
            | "dc.date.issued"
            | "dcterms.date"
            | "dcterms.created"
            | "dcterms.issued"
            | "publish-date"
            | "publish_date"
            | "pubdate"
            | "publication_date"
            | "parsely-pub-date"
            | "sailthru.date"
            | "citation_publication_date"
            | "citation_date" => self.published.offer_date(&mut self.met, 3, value),
            "last-modified" | "dcterms.modified" | "dc.date.modified" | "revised" => {
                self.modified.offer_date(&mut self.met, 3, value)
            }
            _ => {}
        }
    }

    fn time(&mut self, element: Element<'_>) {
        let Some(datetime) = element.attr("datetime") else { return };
        if element.attr("pubdate").is_some() {
            self.published.offer_date(&mut self.met, 4, datetime);
        }
        self.published.offer_date(&mut self.met, 5, datetime);
    }

    fn anchor(&mut self, element: Element<'_>, page: &Page) {
        let Some(rel) = element.attr("rel") else { return };
        if has_word(rel, "license") {
            self.license.offer(
                &mut self.met,
                1,
                &element.attr("href").and_then(|href| page.absolute(href)).unwrap_or_default(),
            );
        }
        if has_word(rel, "author") {
            let text: String = element.descendants().take(40).filter_map(NodeRef::as_text).collect();
            self.author.offer_names(&mut self.met, 3, &text);
        }
    }

    fn link(&mut self, element: Element<'_>, page: &Page) {
        let (Some(rel), Some(href)) = (element.attr("rel"), element.attr("href")) else { return };
        let Some(url) = page.absolute(href) else { return };
        let mut attribute = |name| {
            let value = element.attr(name).map(|value| self.met.folded(&limits::METADATA_VALUE, value));
            value.filter(|value| !value.is_empty())
        };
        if has_word(rel, "alternate") {
            let kind = attribute("type").unwrap_or_default().to_ascii_lowercase();
            if let Some(lang) = attribute("hreflang") {
                push(&mut self.met, &mut self.hreflang, json!({"lang": lang, "url": url}));
            } else if matches!(
                kind.split(';').next().unwrap_or_default().trim(),
                "application/rss+xml" | "application/atom+xml" | "application/feed+json" | "application/rdf+xml"
            ) {
                let feed = object([("url", Some(url)), ("type", Some(kind)), ("title", attribute("title"))]);
                push(&mut self.met, &mut self.feeds, feed);
            }
        } else if has_word(rel, "icon") || has_word(rel, "apple-touch-icon") || has_word(rel, "mask-icon") {
            let (sizes, kind) = (attribute("sizes"), attribute("type"));
            let rel = self.met.folded(&limits::METADATA_VALUE, rel).to_ascii_lowercase();
            push(
                &mut self.met,
                &mut self.icons,
                object([("url", Some(url)), ("rel", Some(rel)), ("sizes", sizes), ("type", kind)]),
            );
        } else if has_word(rel, "amphtml") {
            self.amp.offer(&mut self.met, 0, &url);
        } else if has_word(rel, "license") {
            self.license.offer(&mut self.met, 0, &url);
        }
    }

    fn script(&mut self, element: Element<'_>, page: &Page) -> Option<()> {
        let text = element.text();
        let (values, _) = read_block(&text, &Budget::new(page.keep_going))?;
        for node in values.iter().flat_map(as_array) {
            self.described(node);
            for node in as_array(&node["@graph"]) {
                self.described(node);
            }
        }
        Some(())
    }

    /// A node of JSON-LD.
    fn described(&mut self, node: &Value) {
        for kind in as_array(&node["@type"]).iter().filter_map(Value::as_str) {
            let kind = Value::from(self.met.folded(&limits::METADATA_VALUE, kind));
            if !self.jsonld_types.contains(&kind) {
                push(&mut self.met, &mut self.jsonld_types, kind);
            }
        }
        self.author.offer_names(&mut self.met, 0, &names(&node["author"]));
        if self.sources.headline.is_empty() {
            let headline = node["headline"].as_str().unwrap_or_default();
            self.sources.headline = self.met.folded(&limits::METADATA_VALUE, headline);
        }
        self.published.offer_date(&mut self.met, 0, node["datePublished"].as_str().unwrap_or_default());
        self.modified.offer_date(&mut self.met, 0, node["dateModified"].as_str().unwrap_or_default());
        self.site_name.offer(&mut self.met, 1, &names(&node["publisher"]));
        self.license.offer(
            &mut self.met,
            3,
            node["license"].as_str().or(node["license"]["url"].as_str()).unwrap_or_default(),
        );
        for keyword in as_array(&node["keywords"]).iter().filter_map(Value::as_str) {
            keep(&mut self.met, &mut self.jsonld_keywords, keyword.split(','));
        }
    }

    fn object(self) -> Map<String, Value> {
        let mut object = Map::new();
        let text = |ranked: Ranked| ranked.0.map_or(Value::Null, |(_, value)| value.into());
        let keywords = [self.keywords, self.tags, self.jsonld_keywords].into_iter().find(|words| !words.is_empty());
        for (key, value) in [
            ("title", if self.title.is_empty() { Value::Null } else { self.title.into() }),
            ("og", Value::Object(self.og)),
            ("twitter", Value::Object(self.twitter)),
            ("jsonld_types", Value::Array(self.jsonld_types)),
            ("author", text(self.author)),
            ("published", text(self.published)),
            ("modified", text(self.modified)),
            ("site_name", text(self.site_name)),
            ("keywords", keywords.unwrap_or_default().into()),
            ("generator", text(self.generator)),
            ("license", text(self.license)),
            ("feeds", Value::Array(self.feeds)),
            ("hreflang", Value::Array(self.hreflang)),
            ("icons", Value::Array(self.icons)),
            ("amp", text(self.amp)),
        ] {
            let is_empty = match &value {
                Value::Array(entries) => entries.is_empty(),
                Value::Object(entries) => entries.is_empty(),
                value => value.is_null(),
            };
            if !is_empty {
                object.insert(key.to_owned(), value);
            }
        }
        object
    }
}

/// Whether a date or time is one of ISO 8601 (RFC 3339), with or without an offset.
fn is_iso_date(text: &str) -> bool {
    text.len() <= 64
        && (text.parse::<jiff::Timestamp>().is_ok()
            || text.parse::<jiff::civil::DateTime>().is_ok()
            || text.parse::<jiff::civil::Date>().is_ok())
}

/// The values of an array, the value itself if it is not an array, nothing if it is `null`.
fn as_array(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(values) => values,
        value => std::slice::from_ref(value),
    }
}

/// Names of persons or organisations: texts, or what is called `name`.
fn names(value: &Value) -> String {
    let names = as_array(value).iter().filter_map(|one| one.as_str().or_else(|| one["name"].as_str()));
    let names: Vec<_> = names.map(str::trim).filter(|name| !name.is_empty() && !name.starts_with("http")).collect();
    names[..names.len().min(MAX_ENTRIES)].join(", ")
}

fn has_word(rel: &str, word: &str) -> bool {
    rel.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case(word))
}

/// An object of those that are there.
fn object<const N: usize>(entries: [(&str, Option<String>); N]) -> Value {
    let entries = entries.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.into())));
    Value::Object(entries.collect())
}

fn push(met: &mut Met, values: &mut Vec<Value>, value: Value) {
    if values.len() < MAX_ENTRIES {
        values.push(value);
    } else {
        met.note(&limits::METADATA_ENTRIES);
    }
}

fn keep<'w>(met: &mut Met, words: &mut Vec<String>, new: impl IntoIterator<Item = &'w str>) {
    for word in new {
        let word = met.folded(&limits::METADATA_VALUE, word);
        if word.is_empty() || words.contains(&word) {
            continue;
        }
        if words.len() == MAX_ENTRIES {
            return met.note(&limits::METADATA_ENTRIES);
        }
        words.push(word);
    }
}

/// Adds a property; one that is there already becomes an array.
fn put(met: &mut Met, properties: &mut Map<String, Value>, key: &str, content: &str) {
    let value = Value::from(met.folded(&limits::METADATA_VALUE, content));
    let has_room = properties.len() < MAX_ENTRIES;
    match properties.get_mut(key) {
        Some(Value::Array(values)) => push(met, values, value),
        Some(first) => *first = json!([first.take(), value]),
        None if has_room => {
            properties.insert(key.to_owned(), value);
        }
        None => met.note(&limits::METADATA_ENTRIES),
    }
}
