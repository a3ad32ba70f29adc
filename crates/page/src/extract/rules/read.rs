//! A config file's text to compiled rules. Every mistake has its place in the file, and what is allowed there.

use std::ops::Range;

use jiff::tz::TimeZone;
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::compiled::{Compiled, Each, FieldRule, Origin, Place, Source, Take};
use super::error::{RuleError, allowed, within_string};
use super::finder::{Finder, From, Step, TextTest};
use super::locale::{LOCALES, Locale};
use super::microdata::PropertyPath;
use super::path::Path;
use super::selector::Selector;
use super::xpath::XPath;
use super::{MAX_COLLECTIONS, MAX_FIELDS, MAX_NESTING, RESERVED_NAMES, dates};
use seine_core::record::items::{Collection, Field, FieldType};

/// Longest name of a collection or field, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// Most bytes a compiled pattern may take.
pub(super) const MAX_REGEX_BYTES: usize = 4 << 20;

const COLLECTION_KEYS: [&str; 7] = ["name", "match", "each", "key", "fields", "drift", "timezone"];
const EACH_KEYS: [&str; 6] = ["css", "xpath", "text", "step", "json", "jsonld"];
const TYPES: [(&str, FieldType); 8] = [
    ("text", FieldType::Text),
    ("number", FieldType::Number),
    ("integer", FieldType::Integer),
    ("bool", FieldType::Bool),
    ("url", FieldType::Url),
    ("date", FieldType::Date),
    ("datetime", FieldType::Datetime),
    ("json", FieldType::Json),
];
/// Keys that say where to look.
const SOURCE_KEYS: [&str; 16] = [
    "css",
    "xpath",
    "text",
    "step",
    "attr",
    "html",
    "own",
    "json",
    "jsonld",
    "microdata",
    "meta",
    "regex",
    "matches",
    "locale",
    "format",
    "timezone",
];
/// Keys that say what becomes of the text; each source may have its own `trim`.
const VALUE_KEYS: [&str; 6] = ["type", "many", "join", "default", "required", "trim"];
const NESTED_KEYS: [&str; 4] = ["each", "fields", "many", "required"];

type Spot<'t> = Spanned<DeValue<'t>>;
type Entries<'a, 't> = Vec<(&'a str, Range<usize>, &'a Spot<'t>)>;

/// The collections of a config file and how they are found.
pub(super) fn read(text: &str) -> Result<(Vec<Collection>, Vec<Compiled>), RuleError> {
    let file = DeTable::parse(text).map_err(|error| RuleError::of_toml(text, &error))?;
    let reader = Reader { text };
    let (mut declared, mut compiled) = (Vec::<Collection>::new(), Vec::new());
    let Some((_, _, collections)) = entries(file.get_ref()).into_iter().find(|(key, ..)| *key == "collection") else {
        return Ok((declared, compiled));
    };
    let DeValue::Array(collections) = collections.get_ref() else {
        return Err(reader.at(collections, "expected [[collection]]"));
    };
    for collection in collections.iter() {
        let (known, rules) = reader.collection(collection, &declared)?;
        declared.push(known);
        compiled.push(rules);
    }
    Ok((declared, compiled))
}

/// In the order of the file.
fn entries<'a, 't>(table: &'a DeTable<'t>) -> Entries<'a, 't> {
    let mut entries: Vec<_> = table.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span(), value)).collect();
    entries.sort_by_key(|(_, span, _)| span.start);
    entries
}

struct Reader<'t> {
    text: &'t str,
}

impl<'t> Reader<'t> {
    fn error(&self, span: Range<usize>, message: impl Into<String>) -> RuleError {
        RuleError::new(self.text, span, message)
    }

    fn at(&self, value: &Spot<'_>, message: impl Into<String>) -> RuleError {
        self.error(value.span(), message)
    }

    /// At byte `offset` of the text of a string.
    fn inside(&self, value: &Spot<'_>, offset: usize, message: impl Into<String>) -> RuleError {
        let start = within_string(self.text, &value.span(), offset);
        self.error(start..start + 1, message)
    }

    fn table<'a>(&self, value: &'a Spot<'t>, expected: &str) -> Result<&'a DeTable<'t>, RuleError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => Err(self.at(value, format!("expected {expected}"))),
        }
    }

    fn string<'a>(&self, value: &'a Spot<'t>) -> Result<&'a str, RuleError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(self.at(value, "expected a text in quotes")),
        }
    }

    fn flag(&self, value: &Spot<'t>) -> Result<bool, RuleError> {
        match value.get_ref() {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => Err(self.at(value, "expected true or false")),
        }
    }

    fn known(&self, entries: &Entries<'_, 't>, keys: &[&str], of: &str) -> Result<(), RuleError> {
        match entries.iter().find(|(key, ..)| !keys.contains(key)) {
            Some((key, span, _)) => {
                Err(self.error(span.clone(), format!("unknown key `{key}` of {of}; {}", allowed(key, keys))))
            }
            None => Ok(()),
        }
    }

    fn collection(&self, value: &Spot<'t>, earlier: &[Collection]) -> Result<(Collection, Compiled), RuleError> {
        let table = self.table(value, "[[collection]] with name and fields")?;
        let entries = entries(table);
        self.known(&entries, &COLLECTION_KEYS, "a collection")?;
        if earlier.len() >= MAX_COLLECTIONS {
            return Err(self.at(value, format!("there are at most {MAX_COLLECTIONS} collections")));
        }
        let entry = |name: &str| entries.iter().find(|(key, ..)| *key == name).map(|(.., value)| *value);
        let Some(name) = entry("name") else {
            return Err(self.at(value, "the collection has no `name`"));
        };
        let name = self.collection_name(name, earlier)?;
        let matches = entry("match").map(|value| self.regex(value, false)).transpose()?;
        let each = entry("each").map(|value| self.each(value)).transpose()?;
        let Some(fields) = entry("fields") else {
            return Err(self.at(value, format!("the collection `{name}` has no fields: [collection.fields]")));
        };
        let mut fields = self.fields(fields, matches!(each, Some(Each::Json(_) | Each::Jsonld(_))), 1)?;
        if let Some(zone) = entry("timezone").map(|value| self.zone(value)).transpose()? {
            set_zone(&mut fields, &zone);
        }
        let key = match entry("key") {
            Some(value) => self.key(value, &mut fields)?,
            None => Vec::new(),
        };
        let drift = entry("drift").map(|value| self.share(value)).transpose()?;
        let mut uses = Uses::default();
        uses.each(each.as_ref());
        if !matches!(each, Some(Each::Json(_) | Each::Jsonld(_))) {
            uses.fields(&fields);
        }
        let declared = Collection {
            name: name.to_owned(),
            key: key.iter().map(|at| fields[*at].name.clone()).collect(),
            fields: fields.iter().map(declared).collect(),
        };
        let compiled = Compiled {
            matches,
            each,
            key,
            fields,
            drift,
            is_json: uses.json && !uses.tree,
            uses_json: uses.json,
            uses_tree: uses.tree,
            uses_jsonld: uses.jsonld,
        };
        Ok((declared, compiled))
    }

    fn collection_name<'a>(&self, value: &'a Spot<'t>, earlier: &[Collection]) -> Result<&'a str, RuleError> {
        let name = self.string(value)?;
        let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !is_plain || name.len() > MAX_NAME_BYTES {
            let message = format!(
                "the name of a collection is a letter and then letters, digits, `_` and `-`, at most {MAX_NAME_BYTES}"
            );
            return Err(self.at(value, message));
        }
        if earlier.iter().any(|other| other.name.eq_ignore_ascii_case(name)) {
            return Err(self.at(value, format!("there is a collection `{name}` already")));
        }
        if RESERVED_NAMES.iter().any(|taken| taken.eq_ignore_ascii_case(name))
            || name.to_ascii_lowercase().starts_with("sqlite_")
        {
            return Err(self.at(value, format!("`{name}` is a table or view of every store; choose another name")));
        }
        Ok(name)
    }

    fn share(&self, value: &Spot<'t>) -> Result<f64, RuleError> {
        let number = match value.get_ref() {
            DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        };
        number
            .filter(|share| (0.0..=1.0).contains(share))
            .ok_or_else(|| self.at(value, "expected a share from 0 to 1, such as 0.3"))
    }

    /// The key's fields, which are required from now on.
    fn key(&self, value: &Spot<'t>, fields: &mut [FieldRule]) -> Result<Vec<usize>, RuleError> {
        let names = match value.get_ref() {
            DeValue::Array(names) => names.iter().collect(),
            DeValue::String(_) => vec![value],
            _ => return Err(self.at(value, "expected names of fields: [\"sku\"]")),
        };
        let mut key = Vec::new();
        for name in names {
            let text = self.string(name)?;
            let Some(at) = fields.iter().position(|field| field.name == text) else {
                let known: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
                return Err(self.at(name, format!("there is no field `{text}`; {}", allowed(text, &known))));
            };
            let field = &mut fields[at];
            if field.many || matches!(field.kind, FieldType::Json | FieldType::Record) {
                return Err(self.at(name, format!("`{text}` cannot be of the key: it is no single plain value")));
            }
            if field.default.is_some() {
                let message = format!("`{text}` cannot be of the key: all items without one would be the same");
                return Err(self.at(name, message));
            }
            if key.contains(&at) {
                return Err(self.at(name, format!("`{text}` is of the key already")));
            }
            field.required = true;
            key.push(at);
        }
        Ok(key)
    }

    fn each(&self, value: &Spot<'t>) -> Result<Each, RuleError> {
        match value.get_ref() {
            DeValue::String(text) if text.starts_with('$') => Ok(Each::Json(self.path(value)?)),
            DeValue::String(text) if XPath::is_meant(text) => {
                let from = From::XPath(self.xpath(value)?);
                self.each_found(value, Finder { from, text: None, steps: Vec::new() })
            }
            DeValue::String(_) => Ok(Each::Css(self.selector(value)?)),
            DeValue::Table(table) => {
                let entries = entries(table);
                self.known(&entries, &EACH_KEYS, "`each`")?;
                match entries.as_slice() {
                    [("css", _, value)] => Ok(Each::Css(self.selector(value)?)),
                    [("json", _, value)] => Ok(Each::Json(self.path(value)?)),
                    [("jsonld", _, value)] => Ok(Each::Jsonld(self.path(value)?)),
                    _ => {
                        let names = |key: &str| entries.iter().filter(|(name, ..)| *name == key).count();
                        let is_one = names("css") + names("xpath") == 1 && names("json") + names("jsonld") == 0;
                        match self.finder(value, &entries)? {
                            Some(finder) if is_one => self.each_found(value, finder),
                            _ => Err(self.at(value, "expected one of css, xpath, json, jsonld")),
                        }
                    }
                }
            }
            _ => Err(self.at(value, "expected a CSS selector, an XPath, or { json = \"$.items[*]\" }")),
        }
    }

    fn each_found(&self, value: &Spot<'t>, finder: Finder) -> Result<Each, RuleError> {
        if finder.finds_elements() {
            Ok(Each::Found(finder))
        } else {
            Err(self
                .at(value, "`each` is of elements, and this XPath finds none: `//tr`, not `//tr/@id` or `count(//tr)`"))
        }
    }

    /// Elements by more than a selector, if `xpath`, `text` or `step` is there.
    fn finder(&self, whole: &Spot<'t>, entries: &Entries<'_, 't>) -> Result<Option<Finder>, RuleError> {
        let entry = |name: &str| entries.iter().find(|(key, ..)| *key == name);
        let from = match (entry("css"), entry("xpath"), entry("text").or(entry("step"))) {
            (Some(_), Some(_), _) => {
                let message = "`css` and `xpath`: one place a source; a list of sources gives fallbacks";
                return Err(self.at(whole, message));
            }
            (_, Some((.., xpath)), _) => From::XPath(self.xpath(xpath)?),
            (Some((.., css)), None, Some(_)) => From::Css(self.selector(css)?),
            (None, None, Some((name, span, _))) => {
                return Err(self.error(span.clone(), format!("`{name}` is of elements: it needs `css` or `xpath`")));
            }
            (_, None, None) => return Ok(None),
        };
        let text = entry("text").map(|(.., text)| self.text_test(text)).transpose()?;
        let steps = entry("step").map(|(.., steps)| self.steps(steps)).transpose()?.unwrap_or_default();
        let finder = Finder { from, text, steps };
        if !finder.finds_elements()
            && let Some((name, span, _)) = entry("text").or(entry("step"))
        {
            return Err(self.error(span.clone(), format!("`{name}` is of elements, and this XPath finds none")));
        }
        Ok(Some(finder))
    }

    fn text_test(&self, value: &Spot<'t>) -> Result<TextTest, RuleError> {
        let text = self.string(value)?;
        if text.trim().is_empty() {
            return Err(self.at(value, "expected a text, such as \"SKU\", or a pattern, such as \"/^SKU:?$/\""));
        }
        match TextTest::pattern(text) {
            Some((pattern, at)) => self.regex_of(value, pattern, at, true).map(TextTest::Fits),
            None => Ok(TextTest::contains(text)),
        }
    }

    fn steps(&self, value: &Spot<'t>) -> Result<Vec<Step>, RuleError> {
        let steps = match value.get_ref() {
            DeValue::Array(steps) if !steps.is_empty() => steps.iter().collect(),
            DeValue::String(_) => vec![value],
            _ => return Err(self.at(value, "expected a step such as \"next td\", or a list of them")),
        };
        let parse = |step| {
            Step::parse(self.string(step)?).map_err(|(at, message)| {
                let place = |offset| within_string(self.text, &step.span(), offset);
                self.error(place(at.start)..place(at.end).max(place(at.start) + 1), message)
            })
        };
        steps.into_iter().map(parse).collect()
    }

    fn xpath(&self, value: &Spot<'t>) -> Result<XPath, RuleError> {
        XPath::parse(self.string(value)?).map_err(|error| self.inside(value, error.at, error.message))
    }

    fn fields(&self, value: &Spot<'t>, in_value: bool, depth: usize) -> Result<Vec<FieldRule>, RuleError> {
        let table = self.table(value, "a table of fields: title = \"h1\"")?;
        let entries = entries(table);
        if entries.is_empty() || entries.len() > MAX_FIELDS {
            return Err(self.at(value, format!("there must be from 1 to {MAX_FIELDS} fields")));
        }
        if depth > MAX_NESTING {
            return Err(self.at(value, format!("fields are nested more than {MAX_NESTING} deep")));
        }
        let mut fields: Vec<FieldRule> = Vec::new();
        for (name, span, value) in entries {
            let is_odd = |c: char| c.is_control() || matches!(c, '"' | '\'' | '\\' | '`');
            if name.is_empty() || name.len() > MAX_NAME_BYTES || name.starts_with('_') || name.contains(is_odd) {
                let message = format!(
                    "the name of a field has from 1 to {MAX_NAME_BYTES} bytes, no `_` at its start, no quotes, \
                     backslashes or control characters"
                );
                return Err(self.error(span, message));
            }
            if fields.iter().any(|other| other.name.eq_ignore_ascii_case(name)) {
                return Err(self.error(span, format!("there is a field `{name}` already (case makes no difference)")));
            }
            fields.push(self.field(name, value, in_value, depth)?);
        }
        Ok(fields)
    }

    fn field(&self, name: &str, value: &Spot<'t>, in_value: bool, depth: usize) -> Result<FieldRule, RuleError> {
        let mut field = FieldRule {
            name: name.to_owned(),
            kind: FieldType::Text,
            many: false,
            required: false,
            default: None,
            join: None,
            from: Origin::Sources(Vec::new()),
        };
        let sources = match value.get_ref() {
            DeValue::String(_) => vec![value],
            DeValue::Array(list) if list.is_empty() => return Err(self.at(value, "there is no source in this list")),
            DeValue::Array(list) => list.iter().collect(),
            DeValue::Table(table) => {
                let entries = entries(table);
                if entries.iter().any(|(key, ..)| matches!(*key, "each" | "fields")) {
                    return self.nested(field, value, &entries, in_value, depth);
                }
                match entries.iter().find(|(key, ..)| *key == "sources") {
                    Some((.., list)) => {
                        let keys: Vec<_> = VALUE_KEYS.iter().copied().chain(["sources"]).collect();
                        self.known(&entries, &keys, "a field with `sources`")?;
                        match list.get_ref() {
                            DeValue::Array(list) if !list.is_empty() => list.iter().collect(),
                            _ => {
                                return Err(
                                    self.at(list, "expected a list of sources: [\"h1\", { meta = \"og:title\" }]")
                                );
                            }
                        }
                    }
                    None => vec![value],
                }
            }
            _ => return Err(self.at(value, "expected a CSS selector, an XPath, a table { css = … } or a list of them")),
        };
        let mut told = Told::default();
        let mut trims = true;
        if let DeValue::Table(table) = value.get_ref() {
            trims = self.value_keys(&entries(table), &mut field, &mut told)?;
        }
        let mut compiled = Vec::new();
        for source in sources {
            let (place, trim) = match source.get_ref() {
                DeValue::String(_) => (self.shorthand(source)?, trims),
                DeValue::Table(table) => {
                    let entries = entries(table);
                    let trim = if std::ptr::eq(source, value) {
                        trims
                    } else {
                        self.value_keys(&entries, &mut field, &mut told)? && trims
                    };
                    (self.source(source, &entries)?, trim)
                }
                _ => return Err(self.at(source, "expected a CSS selector or a table such as { css = \"h1\" }")),
            };
            if in_value && matches!(place.place, Place::Css { .. } | Place::Found { .. } | Place::Microdata(_)) {
                return Err(self.at(source, "there are no elements in a value of JSON; say `json`"));
            }
            compiled.push(Source { trim, ..place });
        }
        self.agree(value, &mut field, &mut compiled, &told)?;
        field.from = Origin::Sources(compiled);
        Ok(field)
    }

    /// Reads a field's keys about its value; returns whether texts are trimmed.
    fn value_keys(&self, entries: &Entries<'_, 't>, field: &mut FieldRule, told: &mut Told) -> Result<bool, RuleError> {
        let mut trims = true;
        for (key, span, value) in entries {
            if !VALUE_KEYS.contains(key) {
                continue;
            }
            if *key == "trim" {
                trims = self.flag(value)?;
                continue;
            }
            if told.keys.iter().any(|(known, _)| known == key) && *key != "type" {
                return Err(
                    self.error(span.clone(), format!("`{key}` was said already; it is of the field as a whole"))
                );
            }
            match *key {
                "type" => {
                    let name = self.string(value)?;
                    let Some((_, kind)) = TYPES.iter().find(|(known, _)| *known == name) else {
                        let names = TYPES.map(|(name, _)| name);
                        return Err(self.at(value, format!("unknown type `{name}`; {}", allowed(name, &names))));
                    };
                    if told.has("type") && field.kind != *kind {
                        return Err(self.at(value, "the sources of one field have one type"));
                    }
                    field.kind = *kind;
                }
                "many" => field.many = self.flag(value)?,
                "required" => field.required = self.flag(value)?,
                "join" => field.join = Some(self.string(value)?.to_owned()),
                // Once the type is known, which may stand behind it.
                _ => field.default = Some(json_of(value.get_ref()).to_string()),
            }
            told.keys.push(((*key).to_owned(), value.span()));
        }
        Ok(trims)
    }

    /// Whether what was said of a field goes together.
    fn agree(
        &self,
        value: &Spot<'t>,
        field: &mut FieldRule,
        sources: &mut [Source],
        told: &Told,
    ) -> Result<(), RuleError> {
        let span = |key: &str| told.span(key).unwrap_or_else(|| value.span());
        if sources.iter().any(|source| source.matches.is_some()) {
            if told.has("type") && field.kind != FieldType::Bool {
                return Err(self.error(span("type"), "`matches` gives true or false: type = \"bool\""));
            }
            field.kind = FieldType::Bool;
        }
        if field.join.is_some() && field.many {
            return Err(self.error(span("join"), "`join` makes one text of many; without `many`"));
        }
        if field.join.is_some() && field.kind != FieldType::Text {
            return Err(self.error(span("join"), "only texts can be joined"));
        }
        if field.required && field.default.is_some() {
            return Err(self.error(span("default"), "what has a default is never missing; leave out `required`"));
        }
        if let Some(default) = &field.default {
            let default: Value = serde_json::from_str(default).unwrap_or_default();
            let fits = match (&default, field.many) {
                (Value::Array(values), true) => values.iter().all(|value| fits(value, field.kind)),
                (_, true) => false,
                (value, false) => fits(value, field.kind),
            };
            if !fits {
                let many = if field.many { "a list, each " } else { "" };
                return Err(self.error(span("default"), format!("expected {many}{}", expected(field.kind))));
            }
            if let Value::Number(number) = &default
                && field.kind == FieldType::Number
                && let Some(number) = number.as_f64()
            {
                field.default = Some(Value::from(number).to_string());
            }
        }
        for source in sources {
            if source.format.is_some() && !matches!(field.kind, FieldType::Date | FieldType::Datetime) {
                return Err(self.at(value, "`format` is of dates: type = \"date\" or \"datetime\""));
            }
            if source.zone.is_some() && field.kind != FieldType::Datetime {
                return Err(self.at(value, "`timezone` is of times: type = \"datetime\""));
            }
            if let Place::Css { selector: None, take: Take::Text } = source.place
                && source.regex.is_none()
                && source.matches.is_none()
            {
                return Err(self.at(value, "where is it to be found? One of css, xpath, jsonld, json, microdata, meta"));
            }
        }
        Ok(())
    }

    fn nested(
        &self,
        mut field: FieldRule,
        value: &Spot<'t>,
        entries: &Entries<'_, 't>,
        in_value: bool,
        depth: usize,
    ) -> Result<FieldRule, RuleError> {
        self.known(entries, &NESTED_KEYS, "a nested field")?;
        let entry = |name: &str| entries.iter().find(|(key, ..)| *key == name).map(|(.., value)| *value);
        let each = entry("each").map(|value| self.each(value)).transpose()?;
        let Some(fields) = entry("fields") else {
            return Err(self.at(value, "`each` needs `fields`: { each = \"tr\", fields = { name = \"th\" } }"));
        };
        let in_value = in_value || matches!(each, Some(Each::Json(_) | Each::Jsonld(_)));
        let fields = self.fields(fields, in_value, depth + 1)?;
        field.kind = FieldType::Record;
        field.many = match entry("many") {
            Some(many) => self.flag(many)?,
            None => each.is_some(),
        };
        field.required = entry("required").map(|required| self.flag(required)).transpose()?.unwrap_or_default();
        field.from = Origin::Nested { each, fields };
        Ok(field)
    }

    fn shorthand(&self, value: &Spot<'t>) -> Result<Source, RuleError> {
        let text = self.string(value)?;
        let place = if text.starts_with('$') {
            Place::Json(self.path(value)?)
        } else if XPath::is_meant(text) {
            let finder = Finder { from: From::XPath(self.xpath(value)?), text: None, steps: Vec::new() };
            Place::Found { finder, take: Take::Text }
        } else {
            Place::Css { selector: Some(self.selector(value)?), take: Take::Text }
        };
        Ok(Source { place, regex: None, matches: None, locale: None, format: None, zone: None, trim: true })
    }

    fn source(&self, whole: &Spot<'t>, entries: &Entries<'_, 't>) -> Result<Source, RuleError> {
        let keys: Vec<_> =
            SOURCE_KEYS.iter().chain(&VALUE_KEYS).chain(&["each", "fields", "sources"]).copied().collect();
        self.known(entries, &keys, "a field")?;
        if let Some((key, span, _)) = entries.iter().find(|(key, ..)| matches!(*key, "each" | "fields" | "sources")) {
            return Err(self.error(span.clone(), format!("`{key}` cannot stand here")));
        }
        let entry = |name: &str| entries.iter().find(|(key, ..)| *key == name).map(|(.., value)| *value);
        let mut places = Vec::new();
        for key in ["jsonld", "microdata", "meta"] {
            if let Some(value) = entry(key) {
                let place = match key {
                    "jsonld" => Place::Jsonld(self.path(value)?),
                    "microdata" => self.microdata(value)?,
                    _ => Place::Meta(self.string(value)?.trim().to_ascii_lowercase()),
                };
                places.push((key, place));
            }
        }
        let finder = self.finder(whole, entries)?;
        let is_found = finder.is_some();
        if let Some(finder) = finder {
            let key = if matches!(finder.from, From::Css(_)) { "css" } else { "xpath" };
            places.push((key, Place::Found { finder, take: Take::Text }));
        }
        let selector = entry("css").filter(|_| !is_found).map(|value| self.selector(value)).transpose()?;
        let path = entry("json").map(|value| self.path(value)).transpose()?;
        let mut takes = Vec::new();
        if let Some(value) = entry("attr") {
            takes.push(("attr", Take::Attribute(self.string(value)?.to_owned())));
        }
        for (key, take) in [("html", Take::Html), ("own", Take::OwnText)] {
            if let Some(value) = entry(key)
                && self.flag(value)?
            {
                takes.push((key, take));
            }
        }
        match (selector, path) {
            (Some(selector), Some(path)) => {
                takes.push(("json", Take::Json(path)));
                places.push(("css", Place::Css { selector: Some(selector), take: Take::Text }));
            }
            (None, Some(path)) if is_found => takes.push(("json", Take::Json(path))),
            (None, Some(path)) => places.push(("json", Place::Json(path))),
            (Some(selector), None) => places.push(("css", Place::Css { selector: Some(selector), take: Take::Text })),
            (None, None) if places.is_empty() => places.push(("css", Place::Css { selector: None, take: Take::Text })),
            (None, None) => {}
        }
        if places.len() > 1 {
            let names: Vec<_> = places.iter().map(|(name, _)| format!("`{name}`")).collect();
            let message = format!("{}: one place a source; a list of sources gives fallbacks", names.join(" and "));
            return Err(self.at(whole, message));
        }
        if takes.len() > 1 {
            let names: Vec<_> = takes.iter().map(|(name, _)| format!("`{name}`")).collect();
            return Err(self.at(whole, format!("only one of {}", names.join(" and "))));
        }
        let Some((_, mut place)) = places.pop() else { return Err(self.at(whole, "expected a source")) };
        if let Some((name, taken)) = takes.pop() {
            match &mut place {
                Place::Found { finder, .. } if !finder.finds_elements() => {
                    return Err(self.at(whole, format!("`{name}` is of elements, and this XPath finds none")));
                }
                Place::Css { take, .. } | Place::Found { take, .. } => *take = taken,
                _ => return Err(self.at(whole, format!("`{name}` is of elements: it needs `css` or `xpath`"))),
            }
        }
        let locale = entry("locale").map(|value| self.locale(value)).transpose()?;
        let format = entry("format").map(|value| self.format(value)).transpose()?;
        let zone = entry("timezone").map(|value| self.zone(value)).transpose()?;
        Ok(Source {
            place,
            regex: entry("regex").map(|value| self.group_regex(value)).transpose()?,
            matches: entry("matches").map(|value| self.regex(value, true)).transpose()?,
            locale,
            format,
            zone,
            trim: true,
        })
    }

    /// `offers.price`: the property within that property.
    fn microdata(&self, value: &Spot<'t>) -> Result<Place, RuleError> {
        PropertyPath::parse(self.string(value)?)
            .map(Place::Microdata)
            .ok_or_else(|| self.at(value, "expected names of properties: \"name\", \"offers.price\""))
    }

    fn locale(&self, value: &Spot<'t>) -> Result<Locale, RuleError> {
        let name = self.string(value)?;
        Locale::named(name).ok_or_else(|| {
            self.at(
                value,
                format!("unknown locale `{name}`; {}, also with a country: `de-AT`", allowed(name, &LOCALES)),
            )
        })
    }

    fn format(&self, value: &Spot<'t>) -> Result<String, RuleError> {
        let format = self.string(value)?;
        dates::check_format(format).map_err(|problem| {
            self.at(value, format!("{problem}; expected a format of strptime such as \"%d.%m.%Y %H:%M\""))
        })?;
        Ok(format.to_owned())
    }

    fn zone(&self, value: &Spot<'t>) -> Result<TimeZone, RuleError> {
        let name = self.string(value)?;
        dates::zone(name).ok_or_else(|| {
            self.at(
                value,
                format!("unknown time zone `{name}`; expected a name such as \"Europe/Berlin\" or \"+02:00\""),
            )
        })
    }

    fn selector(&self, value: &Spot<'t>) -> Result<Selector, RuleError> {
        Selector::parse(self.string(value)?).map_err(|error| self.inside(value, error.at, error.message))
    }

    fn path(&self, value: &Spot<'t>) -> Result<Path, RuleError> {
        Path::parse(self.string(value)?).map_err(|error| self.inside(value, error.at, error.message))
    }

    /// A pattern whose first group is what is read: so every match must have it, if there is one.
    fn group_regex(&self, value: &Spot<'t>) -> Result<Regex, RuleError> {
        let regex = self.regex(value, false)?;
        let pattern = self.string(value)?;
        if regex.captures_len() > 1 && regex_syntax::parse(pattern).is_ok_and(|pattern| !has_first_group(&pattern)) {
            let message = "the first group is what is read, and not every match has it; put one group around all that is \
                           wanted, and (?:…) around what is not";
            return Err(self.at(value, message));
        }
        Ok(regex)
    }

    fn regex(&self, value: &Spot<'t>, case_insensitive: bool) -> Result<Regex, RuleError> {
        self.regex_of(value, self.string(value)?, 0, case_insensitive)
    }

    /// A pattern that stands at byte `start` of a text.
    fn regex_of(
        &self,
        value: &Spot<'t>,
        pattern: &str,
        start: usize,
        case_insensitive: bool,
    ) -> Result<Regex, RuleError> {
        if let Err(error) = regex_syntax::Parser::new().parse(pattern) {
            let (at, message) = match &error {
                regex_syntax::Error::Parse(error) => (error.span().start.offset, error.kind().to_string()),
                regex_syntax::Error::Translate(error) => (error.span().start.offset, error.kind().to_string()),
                _ => (0, "no regular expression".to_owned()),
            };
            return Err(self.inside(value, start + at, format!("{message}; syntax: https://docs.rs/regex")));
        }
        RegexBuilder::new(pattern)
            .case_insensitive(case_insensitive)
            .size_limit(MAX_REGEX_BYTES)
            .dfa_size_limit(MAX_REGEX_BYTES)
            .build()
            .map_err(|_| self.at(value, "the regular expression is too large"))
    }
}

/// Whether every match of a pattern has its first group.
fn has_first_group(pattern: &Hir) -> bool {
    match pattern.kind() {
        HirKind::Capture(group) => group.index == 1 || has_first_group(&group.sub),
        HirKind::Concat(parts) => parts.iter().any(has_first_group),
        HirKind::Alternation(ways) => ways.iter().all(has_first_group),
        HirKind::Repetition(repeated) => repeated.min > 0 && has_first_group(&repeated.sub),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}

/// The keys of a field as a whole, with their places in the file.
#[derive(Default)]
struct Told {
    keys: Vec<(String, Range<usize>)>,
}

impl Told {
    fn span(&self, key: &str) -> Option<Range<usize>> {
        self.keys.iter().find(|(known, _)| known == key).map(|(_, span)| span.clone())
    }

    fn has(&self, key: &str) -> bool {
        self.span(key).is_some()
    }
}

/// The kinds of content that rules read.
#[derive(Default)]
struct Uses {
    json: bool,
    tree: bool,
    jsonld: bool,
}

impl Uses {
    fn each(&mut self, each: Option<&Each>) {
        match each {
            Some(Each::Css(_) | Each::Found(_)) => self.tree = true,
            Some(Each::Jsonld(_)) => (self.tree, self.jsonld) = (true, true),
            Some(Each::Json(_)) => self.json = true,
            None => {}
        }
    }

    fn fields(&mut self, fields: &[FieldRule]) {
        for field in fields {
            match &field.from {
                Origin::Sources(sources) => {
                    for source in sources {
                        match source.place {
                            Place::Json(_) => self.json = true,
                            Place::Jsonld(_) => (self.tree, self.jsonld) = (true, true),
                            _ => self.tree = true,
                        }
                    }
                }
                Origin::Nested { each, fields } => {
                    self.each(each.as_ref());
                    if matches!(each, None | Some(Each::Css(_) | Each::Found(_))) {
                        self.fields(fields);
                    }
                }
            }
        }
    }
}

/// The time zone of all fields that have none of their own.
fn set_zone(fields: &mut [FieldRule], zone: &TimeZone) {
    for field in fields {
        match &mut field.from {
            Origin::Sources(sources) => {
                for source in sources.iter_mut().filter(|source| source.zone.is_none()) {
                    source.zone = Some(zone.clone());
                }
            }
            Origin::Nested { fields, .. } => set_zone(fields, zone),
        }
    }
}

fn declared(field: &FieldRule) -> Field {
    let fields = match &field.from {
        Origin::Nested { fields, .. } => fields.iter().map(declared).collect(),
        Origin::Sources(_) => Vec::new(),
    };
    Field { name: field.name.clone(), kind: field.kind, many: field.many, fields }
}

fn fits(value: &Value, kind: FieldType) -> bool {
    match kind {
        FieldType::Text => value.is_string(),
        FieldType::Url => value.as_str().is_some_and(|text| url::Url::parse(text).is_ok()),
        FieldType::Number => value.is_number(),
        FieldType::Integer => value.is_i64(),
        FieldType::Bool => value.is_boolean(),
        FieldType::Date => value.as_str().is_some_and(|text| text.parse::<jiff::civil::Date>().is_ok()),
        FieldType::Datetime => value.as_str().is_some_and(|text| {
            text.parse::<jiff::civil::DateTime>().is_ok() || text.parse::<jiff::Timestamp>().is_ok()
        }),
        FieldType::Json => true,
        FieldType::Record => false,
    }
}

fn expected(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Text => "a text in quotes",
        FieldType::Url => "an absolute URL in quotes",
        FieldType::Number => "a number",
        FieldType::Integer => "a number without fraction",
        FieldType::Bool => "true or false",
        FieldType::Date => "a date in quotes: \"2026-01-31\"",
        FieldType::Datetime => "a time in quotes: \"2026-01-31T12:00:00\"",
        FieldType::Json | FieldType::Record => "a value",
    }
}

fn json_of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(number) => {
            i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(number) => number.as_str().replace('_', "").parse::<f64>().map_or(Value::Null, Value::from),
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Datetime(time) => Value::from(time.to_string()),
        DeValue::Array(values) => values.iter().map(|value| json_of(value.get_ref())).collect(),
        DeValue::Table(table) => {
            entries(table).into_iter().map(|(key, _, value)| (key.to_owned(), json_of(value.get_ref()))).collect()
        }
    }
}
