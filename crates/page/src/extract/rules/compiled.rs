//! Rules as they are applied: everything that can be wrong with them is right.

use jiff::tz::TimeZone;
use regex::Regex;

use super::finder::Finder;
use super::locale::Locale;
use super::microdata::PropertyPath;
use super::path::Path;
use super::selector::Selector;
use seine_core::record::items::FieldType;

/// A collection's rules.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    /// Searched in the URL; `None`: all pages of its kind.
    pub matches: Option<Regex>,
    pub each: Option<Each>,
    /// Numbers of the key's fields.
    pub key: Vec<usize>,
    pub fields: Vec<FieldRule>,
    pub drift: Option<f64>,
    /// Whether all it reads is JSON bodies.
    pub is_json: bool,
    /// Whether it reads JSON bodies.
    pub uses_json: bool,
    /// Whether it reads a tree.
    pub uses_tree: bool,
    /// Whether it reads JSON-LD.
    pub uses_jsonld: bool,
}

/// The element or value for each of which there is an item or a nested record.
#[derive(Clone, Debug)]
pub(super) enum Each {
    /// An element.
    Css(Selector),
    /// An element, by more than a selector.
    Found(Finder),
    /// A value of a JSON body, or of the value around it.
    Json(Path),
    /// A value of the page's JSON-LD.
    Jsonld(Path),
}

/// A field's rules.
#[derive(Clone, Debug)]
pub(super) struct FieldRule {
    pub name: String,
    pub kind: FieldType,
    pub many: bool,
    pub required: bool,
    /// As JSON.
    pub default: Option<String>,
    /// Between all texts found, which then are one.
    pub join: Option<String>,
    pub from: Origin,
}

/// The origin of a field's value.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The first of these that finds something.
    Sources(Vec<Source>),
    /// Records with fields of their own.
    Nested {
        /// `None`: one, of what is around it.
        each: Option<Each>,
        fields: Vec<FieldRule>,
    },
}

/// A place to look, and what to do with the text there.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub place: Place,
    pub regex: Option<Regex>,
    pub matches: Option<Regex>,
    pub locale: Option<Locale>,
    pub format: Option<String>,
    /// Of times that do not tell their offset.
    pub zone: Option<TimeZone>,
    pub trim: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Place {
    /// Elements; `None`: the item's own.
    Css {
        selector: Option<Selector>,
        take: Take,
    },
    /// Elements by more than a selector; or what an XPath is.
    Found {
        finder: Finder,
        take: Take,
    },
    Json(Path),
    Jsonld(Path),
    /// Elements with the property.
    Microdata(PropertyPath),
    /// Name or property of a `<meta>`, in lower case.
    Meta(String),
}

/// The part of an element that is taken.
#[derive(Clone, Debug)]
pub(super) enum Take {
    Text,
    OwnText,
    Html,
    Attribute(String),
    /// Values of the JSON that its text is.
    Json(Path),
}

impl Take {
    /// As a person would name it of what is found so.
    fn of(&self, found: String) -> String {
        match self {
            Self::Attribute(name) => format!("{found}, attr {name}"),
            Self::Html => format!("{found}, html"),
            Self::OwnText => format!("{found}, own text"),
            Self::Json(_) => format!("{found}, json"),
            Self::Text => found,
        }
    }
}

impl Source {
    /// Whether white space is folded before anything else is done. A number's stays: a no-break space is one between
    /// groups of digits, where a plain one may be between two numbers.
    pub fn folds(&self, kind: FieldType) -> bool {
        let is_number = matches!(kind, FieldType::Number | FieldType::Integer) && self.regex.is_none();
        self.trim && !is_number
    }

    /// As a person would name it.
    pub fn name(&self) -> String {
        match &self.place {
            Place::Css { selector, take } => {
                let selector =
                    selector.as_ref().map_or_else(|| "the item".to_owned(), |selector| format!("css {selector}"));
                take.of(selector)
            }
            Place::Found { finder, take } => take.of(finder.to_string()),
            Place::Json(path) => format!("json {path}"),
            Place::Jsonld(path) => format!("jsonld {path}"),
            Place::Microdata(path) => format!("microdata {path}"),
            Place::Meta(name) => format!("meta {name}"),
        }
    }
}
