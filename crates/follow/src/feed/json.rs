//! JSON Feed: its items as they come, so that those before a break are there.

use std::collections::VecDeque;
use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use url::Url;

use super::item::folded;
use super::{Item, MAX_FEED_ITEMS, WANTED};
use crate::dates;
use crate::document::{self, NotRead, Note, Notes, absolute};
use crate::text::Utf8;

/// The items of a JSON Feed.
///
/// # Errors
/// It is JSON, but has no list of items.
pub(super) fn read(mut text: Utf8<'_>, head: &str, url: &Url, notes: &mut Notes) -> Result<VecDeque<Item>, NotRead> {
    let mut json = String::new();
    // Pieces are no matter here: the whole is bounded.
    loop {
        text.restart();
        let mut chunk = String::new();
        match text.by_ref().take(1 << 20).read_to_string(&mut chunk) {
            Ok(0) => break,
            Ok(_) => json.push_str(&chunk),
            Err(error) => {
                notes.broken(json.len() as u64, &error.to_string());
                break;
            }
        }
    }
    if text.is_cut() {
        notes.add(Note::TooLong);
    }
    let mut found = Found { url, items: VecDeque::new(), has_items: false, notes };
    let mut deserializer = serde_json::Deserializer::from_str(&json);
    let ended = FeedSeed(&mut found).deserialize(&mut deserializer);
    if !found.has_items {
        return Err(document::other(head, WANTED));
    }
    if let Err(error) = ended {
        let before: usize = json.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        found.notes.broken((before + error.column()) as u64, &error.to_string());
    }
    Ok(found.items)
}

struct Found<'f> {
    url: &'f Url,
    items: VecDeque<Item>,
    has_items: bool,
    notes: &'f mut Notes,
}

/// The fields of an item that are read; one of the wrong type counts as absent.
#[derive(Default, Deserialize)]
#[serde(default)]
struct JsonItem {
    url: Loose,
    external_url: Loose,
    id: Loose,
    title: Loose,
    date_published: Loose,
    date_modified: Loose,
}

/// A string, or nothing.
#[derive(Default)]
struct Loose(Option<String>);

impl Found<'_> {
    fn add(&mut self, item: JsonItem) {
        let hrefs = [&item.url, &item.external_url].into_iter().filter_map(|field| field.0.as_deref());
        let id = item.id.0.as_deref().filter(|id| id.starts_with("http"));
        let Some(url) = hrefs.chain(id).find_map(|href| absolute(self.url, href)) else {
            let told = item.url.0.or(item.external_url.0).or(item.id.0);
            return self.notes.unusable(&told.unwrap_or_default());
        };
        let date = |field: &Loose| field.0.as_deref().and_then(dates::epoch_ms);
        self.items.push_back(Item {
            url,
            title: item.title.0.as_deref().map(folded).unwrap_or_default(),
            published: date(&item.date_published),
            updated: date(&item.date_modified),
        });
    }
}

/// The object around all.
struct FeedSeed<'s, 'f>(&'s mut Found<'f>);

impl<'de> DeserializeSeed<'de> for FeedSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FeedSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON Feed")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "items" {
                map.next_value_seed(ItemsSeed(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// The list of items.
struct ItemsSeed<'s, 'f>(&'s mut Found<'f>);

impl<'de> DeserializeSeed<'de> for ItemsSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of items")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<(), S::Error> {
        self.0.has_items = true;
        while self.0.items.len() < MAX_FEED_ITEMS
            && let Some(item) = items.next_element::<JsonItem>()?
        {
            self.0.add(item);
        }
        if items.next_element::<IgnoredAny>()?.is_some() {
            self.0.notes.add(Note::TooManyItems);
            while items.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(match value {
            serde_json::Value::String(text) => Some(text),
            _ => None,
        }))
    }
}
