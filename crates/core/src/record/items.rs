//! What rules find on pages: collections, their fields, items, problems. No I/O.

use serde::{Deserialize, Serialize};

/// Longest text of a page that a [`Problem`] quotes, in bytes of UTF-8.
pub const MAX_FOUND_BYTES: usize = 500;

/// A collection as it was declared: what the store needs for its view, and an export for its types.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// Its name, and that of its view.
    pub name: String,
    /// Names of the fields that tell one item from another; empty: its page and its number there do.
    pub key: Vec<String>,
    /// Its fields, in the order they were declared.
    pub fields: Vec<Field>,
}

/// A field of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name: the column of the view, the key in the item's JSON.
    pub name: String,
    /// The type of its value; of each of its values if `many`.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Whether its value is an array.
    #[serde(default)]
    pub many: bool,
    /// The fields of a nested record; empty unless `kind` is [`FieldType::Record`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

/// What a field's values are, in JSON and in exports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldType {
    /// A string, white space folded.
    #[default]
    Text,
    /// A JSON number.
    Number,
    /// A JSON number without fraction, within 64 bits.
    Integer,
    /// `true` or `false`.
    Bool,
    /// An absolute URL.
    Url,
    /// `YYYY-MM-DD`.
    Date,
    /// ISO 8601: `YYYY-MM-DDTHH:MM:SS[.fff][Z]`; in UTC with `Z` if the page told the offset, otherwise without either.
    Datetime,
    /// Any JSON.
    Json,
    /// An object of `fields`.
    Record,
}

/// What the rules found on one page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageItems {
    /// In the order of the collections, then of the page.
    pub items: Vec<Item>,
    /// What was not as declared.
    pub problems: Vec<Problem>,
    /// How often each field was there.
    pub counts: Vec<FieldCount>,
}

/// One record of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Index of the collection, in the order of the config.
    pub collection: u16,
    /// Which of the page's items of this collection, from 0.
    pub number: u32,
    /// Of the values of the collection's key; `None` if it has none.
    pub key: Option<ItemKey>,
    /// A JSON object: every field in declared order, `null` if nothing was found.
    pub data: String,
}

/// Under which an item is one with another: see [`item_key`].
pub type ItemKey = [u8; 16];

/// Key of an item: first 16 bytes of the BLAKE3 hash of the JSON array of its key fields' values.
pub fn item_key(values_json: &str) -> ItemKey {
    let mut key = ItemKey::default();
    key.copy_from_slice(&blake3::hash(values_json.as_bytes()).as_bytes()[..16]);
    key
}

/// Something on a page that is not as a rule says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Index of the collection.
    pub collection: u16,
    /// Which of the page's items, from 0; `None`: it is of the page as a whole.
    pub number: Option<u32>,
    /// The field, with a path into nested ones (`specs.name`); empty if it is of no single field.
    pub field: String,
    /// What is wrong.
    pub kind: ProblemKind,
    /// The text found, at most [`MAX_FOUND_BYTES`]; empty if none was.
    pub found: String,
}

/// What is wrong with a page, for queries: names are never reworded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum ProblemKind {
    /// A required field (or one of the key) is missing: the item was not kept.
    Missing = 0,
    /// The text is no value of the field's type: the field is null, or the item was not kept if the field is required.
    Unparsable = 1,
    /// The body is not what the rule reads (no JSON, no XML).
    NotReadable = 2,
    /// More than can be kept: the rest of the items or values was passed over.
    TooMany = 3,
    /// A processor failed on it.
    Processor = 4,
}

impl ProblemKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Missing, Self::Unparsable, Self::NotReadable, Self::TooMany, Self::Processor];

    /// The stable name (column `problem` of the view `extract_problems`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unparsable => "unparsable",
            Self::NotReadable => "not_readable",
            Self::TooMany => "too_many",
            Self::Processor => "processor",
        }
    }
}

/// How often one field was found on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldCount {
    /// Index of the collection.
    pub collection: u16,
    /// Index of the field among the collection's; `None`: the collection as a whole, so that `of` is 1 (a page that
    /// matched) and `found` tells whether it had an item.
    pub field: Option<u16>,
    /// Items that could have it.
    pub of: u32,
    /// Items that had it, with a value of its type.
    pub found: u32,
}

/// How well the rules of one collection fit the pages they were applied to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Pages that the collection is about.
    pub pages: u64,
    /// Those of them that had an item.
    pub pages_with_items: u64,
    /// The fields in declared order; none if no page was about the collection.
    pub fields: Vec<FieldFill>,
}

/// How often one field was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldFill {
    /// Its name.
    pub field: String,
    /// Items that could have it.
    pub of: u64,
    /// Items that had it, with a value of its type.
    pub found: u64,
}

impl Fill {
    /// Adds what was counted of `field` elsewhere; the empty name is that of the collection as a whole.
    pub fn add(&mut self, field: &str, of: u64, found: u64) {
        if field.is_empty() {
            self.pages += of;
            self.pages_with_items += found;
            return;
        }
        match self.fields.iter_mut().find(|fill| fill.field == field) {
            Some(fill) => {
                fill.of += of;
                fill.found += found;
            }
            None => self.fields.push(FieldFill { field: field.to_owned(), of, found }),
        }
    }
}

/// What a page says beyond its items, where it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageExtras {
    /// `--metadata`: a JSON object.
    pub metadata: Option<String>,
    /// `--text`: the main text.
    pub text: Option<String>,
    /// `--markdown`: the main text as Markdown.
    pub markdown: Option<String>,
    /// `--tables`: a JSON array, one array of rows for each table, a row being an array of strings.
    pub tables: Option<String>,
    /// What the page had beyond a limit: of these, and of its title, links and the like.
    pub beyond: Vec<Excess>,
}

impl PageExtras {
    /// Whether it says nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Something that a page had more of than is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excess {
    /// The column of `pages` or the view that lacks it (`title`, `links`, `tables`); empty if it is the page's end.
    pub field: String,
    /// Which limit was met, and what became of the rest; within [`MAX_FOUND_BYTES`].
    pub found: String,
}
