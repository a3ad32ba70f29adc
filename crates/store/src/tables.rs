//! All that can be read as a table: the views that users are promised, with their columns and the types of these.

use rusqlite::{Connection, OptionalExtension};

use super::{StoreError, collections};
use seine_core::record::items::{Field, FieldType};
use seine_core::record::nearest::nearest;

/// Views of `views.sql`, in the order they are offered.
pub const TABLES: [&str; 13] = [
    "pages",
    "links",
    "items",
    "inputs",
    "attempts",
    "requests",
    "runs",
    "robots_files",
    "extract_problems",
    "field_rates",
    "tables",
    "history",
    "near_duplicates",
];

/// The type of a column's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// Text.
    Text,
    /// A number of 64 bits without fraction.
    Integer,
    /// A number of double precision.
    Real,
    /// 0 or 1 in the store.
    Bool,
    /// `YYYY-MM-DD`.
    Date,
    /// ISO 8601; without an offset it is taken to be UTC.
    Timestamp,
    /// JSON text.
    Json,
    /// JSON text: an array of one type.
    List(Box<Self>),
    /// JSON text: an object of these.
    Record(Vec<Column>),
    /// Whatever a query yields.
    Any,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The type of its values.
    pub kind: ColumnType,
}

impl Column {
    /// A column.
    pub fn new(name: impl Into<String>, kind: ColumnType) -> Self {
        Self { name: name.into(), kind }
    }
}

/// One of [`TABLES`], the view of a collection, or a view that a user has made.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
}

/// Why there is no such table or column.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// No view of this name.
    #[error("there is no table {name:?}; {}", advice(nearest, known))]
    NoTable {
        /// As asked for.
        name: String,
        /// The name that may have been meant.
        nearest: Option<String>,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The table has no such column.
    #[error("{table} has no column {name:?}; {}", advice(nearest, known))]
    NoColumn {
        /// Its name.
        table: String,
        /// As asked for.
        name: String,
        /// The name that may have been meant.
        nearest: Option<String>,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<rusqlite::Error> for TableError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

fn advice(nearest: &Option<String>, known: &[String]) -> String {
    let hint = nearest.as_ref().map_or(String::new(), |name| format!("did you mean {name:?}? "));
    format!("{hint}there are: {}", known.join(", "))
}

impl Table {
    /// The table called `name`; case does not matter, as in SQL.
    ///
    /// # Errors
    /// [`TableError::NoTable`] names those that there are.
    pub fn find(db: &Connection, name: &str) -> Result<Self, TableError> {
        let known = db
            .query_row(
                "SELECT name FROM sqlite_schema WHERE type = 'view' AND name = ?1 COLLATE NOCASE",
                [name],
                |row| row.get::<_, String>(0),
            )
            .optional()?;
        let Some(view) = known else {
            let mut known: Vec<String> = TABLES.map(str::to_owned).into();
            known.extend(collections::all(db)?.into_iter().map(|(_, collection)| collection.name));
            let nearest = nearest(&known, name).map(str::to_owned);
            return Err(TableError::NoTable { name: name.to_owned(), nearest, known });
        };
        let collection = match TABLES.contains(&view.as_str()) {
            true => None,
            false => collections::all(db)?.into_iter().map(|(_, found)| found).find(|found| found.name == view),
        };
        let select = db.prepare(&format!("SELECT * FROM {}", collections::quoted(&view)))?;
        let columns = select.column_names().map(|column| {
            let declared = collection.iter().flat_map(|collection| &collection.fields);
            let kind = match declared.into_iter().find(|field| field.name == column) {
                Some(field) => of_field(field),
                None if collection.is_some() || TABLES.contains(&view.as_str()) => of_column(&view, column),
                None => ColumnType::Any,
            };
            Column::new(column, kind)
        });
        let columns = columns.collect();
        drop(select);
        Ok(Self { name: view, columns })
    }

    /// The names of all that [`Table::find`] finds.
    ///
    /// # Errors
    /// Whatever SQLite reports.
    pub fn names(db: &Connection) -> Result<Vec<String>, StoreError> {
        let mut names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'view'")?;
        let names = names.query_map([], |row| row.get(0))?;
        let mut names: Vec<_> = names.collect::<Result<_, _>>()?;
        names.sort_unstable();
        Ok(names)
    }

    /// Whether it has the column.
    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|own| own.name == column)
    }
}

/// The error that `name` is none of `known`, the columns of `table`.
pub fn no_column(table: &str, name: &str, known: Vec<String>) -> TableError {
    let nearest = nearest(&known, name).map(str::to_owned);
    TableError::NoColumn { table: table.to_owned(), name: name.to_owned(), nearest, known }
}

fn of_field(field: &Field) -> ColumnType {
    let kind = match field.kind {
        FieldType::Text | FieldType::Url => ColumnType::Text,
        FieldType::Number => ColumnType::Real,
        FieldType::Integer => ColumnType::Integer,
        FieldType::Bool => ColumnType::Bool,
        FieldType::Date => ColumnType::Date,
        FieldType::Datetime => ColumnType::Timestamp,
        // A record without fields says nothing about its values.
        FieldType::Record if field.fields.is_empty() => ColumnType::Json,
        FieldType::Json => ColumnType::Json,
        FieldType::Record => {
            ColumnType::Record(field.fields.iter().map(|field| Column::new(&field.name, of_field(field))).collect())
        }
    };
    if field.many { ColumnType::List(Box::new(kind)) } else { kind }
}

/// The type of a column of `views.sql`, or one of a collection's own.
fn of_column(view: &str, column: &str) -> ColumnType {
    match (view, column) {
        ("extract_problems", "found") => ColumnType::Text,
        (_, "started_at" | "ended_at" | "fetched_at" | "first_seen" | "last_seen" | "_first_seen" | "_last_seen") => {
            ColumnType::Timestamp
        }
        (_, "lastmod") => ColumnType::Timestamp,
        (_, "rate" | "crawl_delay_s") => ColumnType::Real,
        (_, "input_columns" | "_input_columns" | "redirects" | "metadata" | "data" | "config")
        | ("inputs", "columns") => ColumnType::Json,
        (_, "sitemaps" | "cells") => ColumnType::List(Box::new(ColumnType::Text)),
        (_, "url_id" | "run_id" | "item_id" | "request_id" | "problem_id" | "_item_id" | "_run_id")
        | (_, "input_line" | "line" | "status" | "body_bytes" | "bytes" | "elapsed_ms" | "gap_ms")
        | (
            _,
            "internal" | "nofollow" | "attempts" | "attempt" | "depth" | "item" | "of_items" | "found" | "table_number"
            | "row_number",
        )
        | (_, "changed" | "not_modified" | "distance")
        | (
            "runs",
            "urls" | "ok" | "http_error" | "failed" | "rejected" | "quarantined" | "robots_denied" | "skipped",
        ) => ColumnType::Integer,
        _ => ColumnType::Text,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_column_has_the_type_that_the_page_of_views_says() {
        let mut db = Connection::open_in_memory().expect("memory");
        crate::migrations::migrate(&mut db, Path::new("memory")).expect("a schema");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/views.md");
        let page = std::fs::read_to_string(file).expect("the page of views");
        let mut of_view = None;
        let mut compared = 0;
        for line in page.lines() {
            if line.starts_with("### ") {
                // What a column holds in turn.
                of_view = None;
            } else if let Some(heading) = line.strip_prefix("## ") {
                of_view = Some(Table::find(&db, heading.trim_matches('`')).expect("a view"));
            }
            let (Some(view), [_, name, kind, ..]) = (&of_view, &*line.split('|').map(str::trim).collect::<Vec<_>>())
            else {
                continue;
            };
            let Some(column) = view.columns.iter().find(|column| column.name == name.trim_matches('`')) else {
                continue;
            };
            let fits = match *kind {
                "integer" => column.kind == ColumnType::Integer,
                "real" => column.kind == ColumnType::Real,
                "text, JSON" => matches!(column.kind, ColumnType::Json | ColumnType::List(_)),
                "text" => column.kind == if is_time(name) { ColumnType::Timestamp } else { ColumnType::Text },
                _ => false,
            };
            assert!(fits, "{}.{}: {kind}, but {:?}", view.name, column.name, column.kind);
            compared += 1;
        }
        assert!(compared > 130, "only {compared} columns");
    }

    fn is_time(name: &str) -> bool {
        let name = name.trim_matches('`');
        name.ends_with("_at") || name.ends_with("_seen") || name == "lastmod"
    }
}
