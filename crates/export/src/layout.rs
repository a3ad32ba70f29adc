//! The columns of an export: those of its table, and those that the input file had beside its URLs.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use rusqlite::Connection;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Cell, Result};
use seine_store::StoreError;
use seine_store::collections::INPUT_COLUMNS;
use seine_store::rows::SelectError;
use seine_store::tables::{Column, ColumnType, Table, no_column};

/// More different columns than this in the input files are no columns but data; they stay in `input_columns`.
const MAX_INPUT_COLUMNS: usize = 1000;

/// The columns that hold the input file's own columns: of pages, and of the views of collections.
const SOURCES: [&str; 2] = ["input_columns", INPUT_COLUMNS];

/// A line's columns by name, as they were written.
type Written<'a> = HashMap<String, &'a RawValue>;

/// How rows of the store become rows of the export.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Columns of the export.
    pub columns: Vec<Column>,
    /// Columns to be read from the table; `None`: all.
    pub selected: Option<Vec<String>>,
    /// Things a user should know.
    pub notes: Vec<String>,
    /// The source of each column; `None`: they are those that were read.
    sources: Option<Vec<CellSource>>,
    /// The cell that holds the input file's own columns.
    source_at: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum CellSource {
    Cell(usize),
    Input(String),
}

impl Layout {
    /// The columns as they are in the table: those called `wanted`, or all.
    pub fn plain(table: &Table, wanted: Option<&[String]>) -> Self {
        let columns = match wanted {
            None => table.columns.clone(),
            Some(wanted) => {
                let find = |name: &String| table.columns.iter().find(|column| column.name == *name).cloned();
                wanted.iter().filter_map(find).collect()
            }
        };
        let selected = wanted.map(<[String]>::to_vec);
        Self { columns, selected, notes: Vec::new(), sources: None, source_at: 0 }
    }

    /// The same, the columns of input files standing for `input_columns`: after the others, under their own names, with
    /// `input_` before those that are taken.
    ///
    /// # Errors
    /// `wanted` names what is no column.
    pub fn flat(db: &Connection, table: &Table, wanted: Option<&[String]>) -> Result<Self> {
        let Some(source) = SOURCES.into_iter().find(|source| table.has(source)) else {
            return Ok(Self::plain(table, wanted));
        };
        let Some(inputs) = input_columns(db)? else {
            let mut layout = Self::plain(table, wanted);
            layout.notes.push(format!(
                "the lists have more than {MAX_INPUT_COLUMNS} different columns; they are in the column {source}, as JSON"
            ));
            return Ok(layout);
        };
        let mut taken: HashSet<String> = table.columns.iter().map(|column| column.name.to_lowercase()).collect();
        let mut own = Vec::with_capacity(inputs.len());
        for key in inputs {
            let mut name = key.clone();
            while !taken.insert(name.to_lowercase()) {
                name.insert_str(0, "input_");
            }
            own.push((name, key));
        }
        let names: Vec<String> = match wanted {
            Some(wanted) => wanted.to_vec(),
            None => {
                let tables = table.columns.iter().map(|column| column.name.clone()).filter(|name| name != source);
                tables.chain(own.iter().map(|(name, _)| name.clone())).collect()
            }
        };
        let (mut columns, mut selected, mut sources) = (Vec::new(), Vec::new(), Vec::new());
        for name in names {
            if let Some(column) = table.columns.iter().find(|column| column.name == name) {
                sources.push(CellSource::Cell(selected.len()));
                selected.push(name);
                columns.push(column.clone());
            } else if let Some((_, key)) = own.iter().find(|(own, _)| *own == name) {
                sources.push(CellSource::Input(key.clone()));
                columns.push(Column::new(name, ColumnType::Text));
            } else {
                let known = table.columns.iter().map(|column| &column.name).chain(own.iter().map(|(name, _)| name));
                return Err(SelectError::from(no_column(&table.name, &name, known.cloned().collect())).into());
            }
        }
        let source_at = selected.len();
        if sources.iter().any(|source| matches!(source, CellSource::Input(_))) {
            selected.push(source.to_owned());
            return Ok(Self {
                columns,
                selected: Some(selected),
                notes: Vec::new(),
                sources: Some(sources),
                source_at,
            });
        }
        Ok(Self { columns, selected: Some(selected), notes: Vec::new(), sources: None, source_at })
    }

    /// The row of the export that `cells` make. A last column that was only read to group rows stays the last.
    ///
    /// # Errors
    /// Those of `then`.
    pub fn apply(&self, cells: &[Cell<'_>], then: impl FnOnce(&[Cell<'_>]) -> Result<()>) -> Result<()> {
        let Some(sources) = &self.sources else { return then(cells) };
        let inputs = match cells.get(self.source_at) {
            Some(Cell::Text(text)) => serde_json::from_slice::<Written<'_>>(text).unwrap_or_default(),
            _ => Written::new(),
        };
        let texts: Vec<Option<Cow<'_, str>>> = sources
            .iter()
            .map(|source| match source {
                CellSource::Cell(_) => None,
                CellSource::Input(key) => inputs.get(key).and_then(|value| text_of(value.get())),
            })
            .collect();
        let mut row: Vec<Cell<'_>> = sources
            .iter()
            .zip(&texts)
            .map(|(source, text)| match (source, text) {
                (CellSource::Cell(at), _) => cells[*at],
                (CellSource::Input(_), Some(text)) => Cell::Text(text.as_bytes()),
                (CellSource::Input(_), None) => Cell::Null,
            })
            .collect();
        row.extend(cells.get(self.source_at + 1..).unwrap_or_default());
        then(&row)
    }
}

/// The text of a JSON value: of a string what it says, of all else how it is written; `None` for null.
fn text_of(value: &str) -> Option<Cow<'_, str>> {
    if value == "null" {
        return None;
    }
    if !value.starts_with('"') {
        return Some(value.into());
    }
    if let Ok(text) = serde_json::from_str::<String>(value) {
        return Some(text.into());
    }
    // Half of a surrogate pair is no character. As bytes it can be read all the same; its first byte is 0xED.
    let bytes: Vec<u8> = serde_json::from_str::<ByteText>(value).map_or_else(|_| value.into(), |text| text.0);
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if chunk.invalid().first() == Some(&0xed) {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    Some(text.into())
}

/// A JSON string as bytes, whatever its escapes stand for.
struct ByteText(Vec<u8>);

impl<'de> serde::Deserialize<'de> for ByteText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = ByteText;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> std::result::Result<ByteText, E> {
                Ok(ByteText(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// The names in an object, in their order.
struct Names(Vec<String>);

impl<'de> serde::Deserialize<'de> for Names {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Object;
        impl<'de> serde::de::Visitor<'de> for Object {
            type Value = Names;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> std::result::Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Names of the columns that lines of lists have beside their URL, in the order they first appear; `None` if they are
/// too many.
fn input_columns(db: &Connection) -> Result<Option<Vec<String>>> {
    let mut select = db.prepare("SELECT columns FROM input WHERE columns IS NOT NULL").map_err(StoreError::from)?;
    let mut rows = select.query([]).map_err(StoreError::from)?;
    let (mut known, mut names) = (HashSet::new(), Vec::new());
    while let Some(row) = rows.next().map_err(StoreError::from)? {
        let Ok(text) = row.get_ref(0).map_err(StoreError::from)?.as_bytes() else { continue };
        for name in serde_json::from_slice::<Names>(text).map_or_else(|_| Vec::new(), |names| names.0) {
            if !known.contains(&name) {
                known.insert(name.clone());
                names.push(name);
            }
        }
        if names.len() > MAX_INPUT_COLUMNS {
            return Ok(None);
        }
    }
    Ok(Some(names))
}
