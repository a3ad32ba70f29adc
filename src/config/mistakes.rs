//! Mistakes in a config file, told without what may be secret.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::de::DeTable;

use seine_core::record::nearest::nearest;

/// The error of a config with line, column and a pointer; lines that may hold a secret are not shown.
pub(super) fn explained(text: &str, error: &toml::de::Error) -> String {
    const MAY_HOLD_SECRETS: [&str; 9] =
        ["header", "proxy", "auth", "password", "token", "body", "notify", "url", "secret"];
    let at = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    // A value may span several lines, so the key above decides too; so does the name of the table.
    let key = text[..start].lines().rev().map(str::trim_start).find(|line| line.contains('=')).unwrap_or_default();
    let table = text[..start].lines().rev().map(str::trim_start).find(|line| line.starts_with('[')).unwrap_or_default();
    let is_value = !line.contains('=');
    let hides = |text: &str| MAY_HOLD_SECRETS.iter().any(|word| text.contains(word));
    if hides(line) || hides(table) || is_value && hides(key) {
        let column = before.len() - start + 1;
        // `invalid type: string "…", expected …`
        let message = match (error.message().find('"'), error.message().rfind('"')) {
            (Some(first), Some(last)) if error.message().starts_with("invalid ") && first < last => {
                format!("{}\"***{}", &error.message()[..first], &error.message()[last..])
            }
            _ => error.message().to_owned(),
        };
        return format!("line {}, column {column}: {message}", before.matches('\n').count() + 1);
    }
    let text = error.to_string().trim_end().to_owned();
    match plainer(error.message(), line) {
        Some(plain) => text.replace(error.message(), &plain),
        None => text,
    }
}

/// Refuses every key of `table`, by its place; those that are known are `known`.
pub(super) fn refuse_all(table: DeTable<'_>, known: &[&str]) -> Result<(), toml::de::Error> {
    toml::Deserializer::from(Spanned::new(0..0, table)).deserialize_map(Unknown(known))
}

/// Tables that there can be several of.
const TABLES: [&str; 4] = ["collection", "host", "processor", "job"];

/// Words that others use, and the key here.
const MEANINGS: [(&[&str], &str); 5] = [
    (&["rule", "rules", "item", "items", "scraper", "scrape"], "collection"),
    (&["site", "sites", "domain", "domains"], "host"),
    (&["pipeline", "pipelines", "program", "programs"], "processor"),
    (&["urls", "url", "start_urls", "seeds", "lists"], "inputs"),
    (&["download_delay", "wait", "throttle"], "delay"),
];

/// Keys that are listed beside the one that was meant, at most.
const SHOWN_WITH_ADVICE: usize = 20;

/// A key that is none; the keys there are.
struct Unknown<'a>(&'a [&'a str]);

impl<'de> Visitor<'de> for Unknown<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no further keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        map.next_key_seed(self).map(|_| ())
    }
}

impl<'de> DeserializeSeed<'de> for Unknown<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let key = String::deserialize(deserializer)?;
        let names: Vec<_> = self.0.iter().map(|&name| name.to_owned()).collect();
        let meaning = MEANINGS.iter().find(|(words, name)| words.contains(&&*key) && self.0.contains(name));
        let meant = meaning.map(|(_, name)| *name).or_else(|| nearest(&names, &key));
        // All names of a whole config are more than anybody reads.
        let text = match meant {
            Some(name) if TABLES.contains(&name) => format!("did you mean `[[{name}]]`?"),
            Some(name) if names.len() > SHOWN_WITH_ADVICE => format!("did you mean `{name}`?"),
            Some(name) => format!("did you mean `{name}`? There are `{}`", names.join("`, `")),
            None => format!("expected one of `{}`", names.join("`, `")),
        };
        Err(D::Error::custom(format!("unknown field `{key}`, {text}")))
    }
}

/// `message`, the mistake in `line`, in the words of a config file.
fn plainer(message: &str, line: &str) -> Option<String> {
    let name = line.trim().strip_prefix('[')?.split(']').next()?;
    let is_single = TABLES.contains(&name) && message.contains("expected a sequence");
    is_single.then(|| format!("there can be several of these: write [[{name}]]"))
}
