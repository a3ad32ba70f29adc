//! Programs of the user's that records are put through.
//!
//! ```toml
//! [[processor]]
//! name    = "language"
//! command = ["python3", "language.py"]
//! input   = "pages"
//! workers = 2
//! timeout = "30s"
//! fields  = { lang = "text", words = "integer" }
//! ```

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use toml::Spanned;

use super::ConfigError;
use seine_core::protocol::processing::Input;
use seine_core::record::items::{Collection, Field, FieldType};
use seine_core::values::Span;

/// From a record's way into the program to its answer; for the first one, the program's start included.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Items of one answer: many more than a page has to say, and few enough for one transaction.
pub const DEFAULT_MAX_ITEMS: usize = 10_000;

/// A program of the user's: one JSON line in, one JSON line out.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Processor {
    /// Its name, and that of the collection of its answers.
    pub name: String,
    /// The program and its arguments; no shell reads them. Arguments may be secrets: only the program is written down.
    #[serde(serialize_with = "program_only")]
    pub command: Vec<String>,
    /// The records it gets.
    pub input: Input,
    /// The collection whose items it gets, with `input = "items"`.
    #[serde(default)]
    pub collection: Option<String>,
    /// Which records: a condition in SQL over the columns of `pages`, or of the collection's view.
    #[serde(default)]
    pub r#where: Option<String>,
    /// How bodies come along, with `input = "bodies"`.
    #[serde(default)]
    pub body: BodyForm,
    /// How many of it run side by side.
    #[serde(default = "one")]
    pub workers: usize,
    /// For one record.
    #[serde(default = "default_timeout", serialize_with = "span")]
    pub timeout: Span,
    /// Items of one answer; more are a problem of the record.
    #[serde(default = "default_max_items")]
    pub max_items: usize,
    /// What it is kept from.
    #[serde(default, skip_serializing_if = "Kept::is_default")]
    pub sandbox: Kept,
    /// Columns of the view of its answers, with their types.
    #[serde(default, serialize_with = "types")]
    pub fields: BTreeMap<String, Spanned<FieldType>>,
}

/// How a body comes to a processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BodyForm {
    /// In the line: `body` if it is text, `body_base64` if not.
    #[default]
    Inline,
    /// In a file that can be read as long as the record is not answered: `path`.
    File,
}

/// What a processor is kept from: it reads what strangers have sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// Rights that its user does not have: no set-user-ID program gives it more.
    #[default]
    Privileges,
    /// The network too.
    Offline,
    /// Nothing.
    Off,
}

impl Kept {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

fn one() -> usize {
    1
}

fn default_timeout() -> Span {
    Span(DEFAULT_TIMEOUT)
}

fn default_max_items() -> usize {
    DEFAULT_MAX_ITEMS
}

/// Most of one program side by side.
const MAX_WORKERS: usize = 256;

impl Processor {
    /// Whether it makes sense by itself.
    ///
    /// # Errors
    /// [`ConfigError::Value`]
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |name, value: &str, problem| Err(ConfigError::Value { name, value: format!("{value:?}"), problem });
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if !is_name(&self.name) {
            return wrong("processor.name", &self.name, "must be a letter, then letters, digits and _");
        }
        if self.command.first().is_none_or(String::is_empty) {
            return wrong("processor.command", &self.name, "needs a program: command = [\"python3\", \"script.py\"]");
        }
        if self.workers == 0 || self.workers > MAX_WORKERS {
            return wrong("processor.workers", &self.workers.to_string(), "must be from 1 to 256");
        }
        if self.max_items == 0 {
            return wrong("processor.max_items", "0", "must be at least 1; nothing could ever be answered");
        }
        if self.timeout.0.is_zero() {
            return wrong("processor.timeout", "0", "must be longer; nothing would ever be answered");
        }
        match (self.input, &self.collection) {
            (Input::Items, None) => {
                return wrong("processor.input", "items", "needs the collection: collection = \"products\"");
            }
            (Input::Pages | Input::Bodies, Some(name)) => {
                return wrong("processor.collection", name, "goes with input = \"items\" only");
            }
            _ => {}
        }
        if self.collection.as_ref() == Some(&self.name) {
            return wrong("processor.collection", &self.name, "is that of its own answers; it would never end");
        }
        if self.body == BodyForm::File && self.input != Input::Bodies {
            return wrong("processor.body", "file", "goes with input = \"bodies\" only");
        }
        for (name, kind) in &self.fields {
            let own = ["_item_id", "_url", "_run_id", "_first_seen", "_last_seen", "_input_columns"];
            if name.is_empty() || name.contains('"') || own.iter().any(|own| own.eq_ignore_ascii_case(name)) {
                return wrong("processor.fields", name, "cannot be the name of a column");
            }
            if *kind.get_ref() == FieldType::Record {
                return wrong("processor.fields", name, "must be a plain type; use json for what is nested");
            }
        }
        Ok(())
    }

    /// The collection of its answers.
    pub fn answers(&self) -> Collection {
        let mut fields: Vec<_> = self.fields.iter().collect();
        fields.sort_by_key(|(_, kind)| kind.span().start);
        let field = |(name, kind): (&String, &Spanned<FieldType>)| Field {
            name: name.clone(),
            kind: *kind.get_ref(),
            many: false,
            fields: Vec::new(),
        };
        Collection { name: self.name.clone(), key: Vec::new(), fields: fields.into_iter().map(field).collect() }
    }
}

/// Whether the processors of a config go together with each other and with its collections.
///
/// # Errors
/// [`ConfigError::Value`]
pub fn check_all(processors: &[Processor], collections: &[toml::Value]) -> Result<(), ConfigError> {
    let declared = collections.iter().filter_map(|collection| collection.get("name").and_then(toml::Value::as_str));
    let mut names: Vec<_> = declared.map(str::to_lowercase).collect();
    for processor in processors {
        processor.check()?;
        let name = processor.name.to_lowercase();
        if names.contains(&name) {
            let value = format!("{:?}", processor.name);
            let problem = "is the name of another collection or processor";
            return Err(ConfigError::Value { name: "processor.name", value, problem });
        }
        names.push(name);
    }
    Ok(())
}

fn program_only<S: Serializer>(command: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(command.first())
}

fn span<S: Serializer>(span: &Span, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(span.0))
}

fn types<S: Serializer>(fields: &BTreeMap<String, Spanned<FieldType>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(fields.iter().map(|(name, kind)| (name, kind.get_ref())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CrawlOptions;

    fn read(text: &str) -> Result<Vec<Processor>, String> {
        let options = CrawlOptions::read(text).map_err(|error| error.to_string())?;
        options.resolve(1).map(|settings| settings.programs.processor).map_err(|error| error.to_string())
    }

    #[test]
    fn a_processor_is_read_with_its_columns_in_order() {
        let text = "[[processor]]\nname = 'lang'\ncommand = ['python3', 'secret']\ninput = 'pages'\n\
                    fields = { words = 'integer', lang = 'text' }";
        let read = read(text).unwrap();
        let names: Vec<_> = read[0].answers().fields.into_iter().map(|field| (field.name, field.kind)).collect();
        assert_eq!(names, [("words".into(), FieldType::Integer), ("lang".into(), FieldType::Text)]);
        assert_eq!((read[0].workers, read[0].timeout.0), (1, DEFAULT_TIMEOUT));
        assert!(!serde_json::to_string(&read).unwrap().contains("secret"));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let with = |rest: &str| read(&format!("[[processor]]\nname = 'p'\ncommand = ['x']\n{rest}"));
        assert!(with("input = 'pages'").is_ok());
        for (rest, says) in [
            ("input = 'tables'", "unknown variant"),
            ("input = 'items'", "needs the collection"),
            ("input = 'pages'\ncollection = 'c'", "goes with input"),
            ("input = 'items'\ncollection = 'p'", "never end"),
            ("input = 'pages'\nworkers = 0", "from 1 to 256"),
            ("input = 'pages'\ntimeout = '0'", "must be longer"),
            ("input = 'pages'\nmax_items = 0", "at least 1"),
            ("input = 'pages'\nbody = 'file'", "bodies"),
            ("input = 'pages'\nfields = { a = 'record' }", "plain type"),
            ("input = 'pages'\nshell = true", "unknown field"),
            ("input = 'pages'\n[[collection]]\nname = 'P'", "another collection"),
        ] {
            let error = with(rest).unwrap_err();
            assert!(error.contains(says), "{rest}: {error}");
        }
        assert!(read("[[processor]]\nname = 'a b'\ncommand = ['x']\ninput = 'pages'").is_err());
        assert!(read("[[processor]]\nname = 'a'\ncommand = []\ninput = 'pages'").is_err());
    }
}
