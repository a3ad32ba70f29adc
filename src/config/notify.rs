//! Settings of notifications at the end of a run. In a config file they can be a table, or only the command.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::ConfigError;
use super::bounds::lasting;
use super::files::secret_in;
use super::group::{Group, group};
use super::mistakes::refuse_all;
use seine_core::policy::Secret;
use seine_core::values::{HookUrl, Span, Words};

/// Which ends of a run are told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyOn {
    /// All.
    #[default]
    Always,
    /// Those that found something new, changed or gone.
    Change,
    /// Those that failed: neither complete nor stopped by a budget or a signal.
    Failure,
}

group! {
    /// Receivers of notifications, the ends they are told of, and the attempts to reach them.
    pub struct Notify {
        /// Run this program after each run, with a JSON object on its standard input; no shell reads it
        #[arg(long, value_name = "COMMAND")]
        notify: Option<Words>;

        /// POST the same JSON object to this URL after each run
        #[arg(long, value_name = "URL")]
        notify_url: Option<HookUrl>;

        /// Take the URL from this file: it may be a secret
        #[arg(long, value_name = "FILE")]
        notify_url_file: Option<PathBuf>;

        /// Sign what is posted with the secret in this file (Standard Webhooks)
        #[arg(long, value_name = "FILE")]
        notify_secret_file: Option<PathBuf>;

        /// Notify of these ends only: "change,failure" [default: always]
        #[arg(long, value_name = "WHEN", value_enum, value_delimiter = ',')]
        #[serde(deserialize_with = "one_or_more")]
        notify_on: Vec<NotifyOn> = vec![NotifyOn::Always];

        /// Further attempts to post after network errors, 429 and 5xx [default: 3]
        #[arg(long, value_name = "N")]
        notify_retries: u16 = 3;

        /// For one attempt to post, and for the program [default: 30s]
        #[arg(long, value_name = "DURATION")]
        notify_timeout: Span = Span(Duration::from_secs(30)), lasting;
    }
    beside {
        /// The secret in that file, once it is read.
        #[arg(skip)]
        notify_secret: Option<Secret>;
    }
}

impl Notify {
    /// Of a flag that is a word against another key of the file, the flag counts.
    pub(super) fn settle(&mut self, flags: &Self) {
        if flags.notify_url.is_some() {
            self.notify_url_file.clone_from(&flags.notify_url_file);
        }
    }

    pub(super) fn resolve(&mut self) {
        if self.notify_on.is_empty() {
            self.notify_on.push(NotifyOn::Always);
        }
    }

    pub(super) fn read_files(&mut self) -> Result<(), ConfigError> {
        if let Some(path) = &self.notify_url_file {
            let problem = "is not the http(s) URL of a webhook, without user and password".to_owned();
            let url = secret_in("notify_url_file", path)?.trim().parse().ok();
            let missing = || ConfigError::SecretFile { setting: "notify_url_file", path: path.clone(), problem };
            self.notify_url = Some(url.ok_or_else(missing)?);
        }
        if let Some(path) = &self.notify_secret_file {
            self.notify_secret = Some(Secret::new(secret_in("notify_secret_file", path)?));
        }
        Ok(())
    }
}

/// Puts what stands in a table `[notify]` where the keys of the same meaning are, `notify_url` for `url`. Where a key
/// stands in both places, the one outside of the table counts.
pub(super) fn spread(table: &mut DeTable<'_>) -> Result<(), toml::de::Error> {
    let Some((key, entry)) = table.remove_entry("notify") else { return Ok(()) };
    let span = entry.span();
    let own = match entry.into_inner() {
        DeValue::Table(own) => own,
        command @ (DeValue::String(_) | DeValue::Array(_)) => {
            table.insert(key, Spanned::new(span, command));
            return Ok(());
        }
        other => return ValueDeserializer::from(Spanned::new(span, other)).deserialize_any(CommandOrTable),
    };
    let full = |key: &str| if key == "command" { "notify".to_owned() } else { format!("notify_{key}") };
    let (own, unknown): (DeTable<'_>, DeTable<'_>) =
        own.into_iter().partition(|(key, _)| Notify::keys().contains(&&*full(key.get_ref())));
    let names: Vec<_> = Notify::keys().iter().map(|key| key.strip_prefix("notify_").unwrap_or("command")).collect();
    refuse_all(unknown, &names)?;
    for (key, value) in own {
        let name = full(key.get_ref());
        if !table.contains_key(&*name) {
            table.insert(Spanned::new(key.span(), name.into()), value);
        }
    }
    Ok(())
}

/// Reads the value of `notify`; its error names the kinds of value that are allowed.
struct CommandOrTable;

impl Visitor<'_> for CommandOrTable {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command, as a text or as a list of its words, or a table")
    }
}

/// A value, or several in a list.
fn one_or_more<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Written<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Written<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text, or several in a list")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            T::deserialize(text.into_deserializer()).map(|value| vec![value])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<Vec<T>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(values))
        }
    }
    deserializer.deserialize_any(Written(PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CrawlOptions;

    fn read(text: &str) -> Result<Notify, toml::de::Error> {
        CrawlOptions::read(text).map(|options| options.0.notify)
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
            let notify = read(text).unwrap();
            assert_eq!((notify.notify.as_ref(), &*notify.notify_on), (Some(&command), &[NotifyOn::Change][..]));
        }
        let notify = read("[notify]\nurl = \"https://a.example/x\"\nsecret_file = \"s\"\nretries = 1").unwrap();
        assert!(notify.notify_url.is_some() && notify.notify_secret_file.is_some());
        assert_eq!((notify.notify, notify.notify_retries), (None, 1));
    }

    #[test]
    fn a_key_outside_of_the_table_counts() {
        assert_eq!(read("notify_retries = 7\n[notify]\nretries = 1").unwrap().notify_retries, 7);
    }

    #[test]
    fn a_mistake_has_its_place() {
        let error = read("[notify]\nurl = \"https://a.example/\"\nonn = \"change\"").unwrap_err();
        assert!(error.message().contains("unknown field `onn`, did you mean `on`?"), "{error}");
        assert!(error.message().contains("`command`") && !error.message().contains("`delay`"), "{error}");
        let error = read("notify = 3").unwrap_err();
        assert!(error.message().contains("a command") && error.message().contains("or a table"), "{error}");
        let error = read("[notify]\non = \"sometimes\"").unwrap_err();
        assert!(error.message().contains("sometimes") && error.message().contains("change"), "{error}");
    }
}
