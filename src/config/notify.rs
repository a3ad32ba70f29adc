//! `notify` in a config file: a command, or a table with everything about notifications.

use std::fmt;
use std::path::PathBuf;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{CrawlOptions, HookUrl, NotifyOn, Span, Words};

/// What stands under `notify`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NotifyEntry(Table);

/// The keys of `[notify]`: those of the flags without their `notify_`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    command: Option<Words>,
    url: Option<HookUrl>,
    url_file: Option<PathBuf>,
    secret_file: Option<PathBuf>,
    #[serde(default, deserialize_with = "super::one_or_more")]
    on: Vec<NotifyOn>,
    retries: Option<u16>,
    timeout: Option<Span>,
}

impl NotifyEntry {
    /// Puts all of it where the flags of the same meaning are.
    pub fn spread(self, options: &mut CrawlOptions) {
        let Table { command, url, url_file, secret_file, on, retries, timeout } = self.0;
        options.notify = options.notify.take().or(command);
        options.notify_url = options.notify_url.take().or(url);
        options.notify_url_file = options.notify_url_file.take().or(url_file);
        options.notify_secret_file = options.notify_secret_file.take().or(secret_file);
        if options.notify_on.is_empty() {
            options.notify_on = on;
        }
        options.notify_retries = options.notify_retries.or(retries);
        options.notify_timeout = options.notify_timeout.or(timeout);
    }
}

impl<'de> Deserialize<'de> for NotifyEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = NotifyEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command, as a text or as a list of its words, or a table")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<NotifyEntry, E> {
                let command = Some(text.parse().map_err(E::custom)?);
                Ok(NotifyEntry(Table { command, ..Table::default() }))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, words: A) -> Result<NotifyEntry, A::Error> {
                let command = Some(Words::deserialize(SeqAccessDeserializer::new(words))?);
                Ok(NotifyEntry(Table { command, ..Table::default() }))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<NotifyEntry, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(table)).map(NotifyEntry)
            }
        }
        deserializer.deserialize_any(Written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CrawlOptions, toml::de::Error> {
        let mut options: CrawlOptions = toml::from_str(text)?;
        if let Some(entry) = options.notify_entry.take() {
            entry.spread(&mut options);
        }
        Ok(options)
    }

    #[test]
    fn a_text_a_list_and_a_table_say_the_same() {
        let command = Words(vec!["./tell".into(), "two words".into()]);
        let texts = [
            "notify = \"./tell 'two words'\"\nnotify_on = \"change\"",
            "notify = [\"./tell\", \"two words\"]\nnotify_on = [\"change\"]",
            "[notify]\ncommand = \"./tell 'two words'\"\non = \"change\"",
        ];
        for text in texts {
            let options = read(text).unwrap();
            assert_eq!((options.notify.as_ref(), &*options.notify_on), (Some(&command), &[NotifyOn::Change][..]));
        }
        let options = read("[notify]\nurl = \"https://a.example/x\"\nsecret_file = \"s\"\nretries = 1").unwrap();
        assert!(options.notify_url.is_some() && options.notify_secret_file.is_some());
        assert_eq!((options.notify, options.notify_retries), (None, Some(1)));
    }

    #[test]
    fn a_mistake_has_its_place() {
        let error = read("[notify]\nurl = \"https://a.example/\"\nonn = \"change\"").unwrap_err();
        assert!(error.message().contains("onn"), "{error}");
        assert!(read("notify = 3").unwrap_err().message().contains("a command"));
        let error = read("[notify]\non = \"sometimes\"").unwrap_err();
        assert!(error.message().contains("sometimes") && error.message().contains("change"), "{error}");
    }
}
