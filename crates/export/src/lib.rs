//! Rows out: a table or query of the store as a file that other programs read.
//!
//! - [`Format`]: what there is, and which one a file's name asks for.
//! - [`target`]: where it goes: a file that is whole or not there, a pipe, a folder.
//! - [`layout`]: the columns of an export, among them those of the input file.
//! - [`csv`], [`json`], [`parquet`], [`sqlite`], [`xlsx`], [`markdown`]: one [`Sink`] each; [`split`] has one file for
//!   each group of rows. [`warc`] takes answers, not rows, and [`graphml`] links with what they lead to.
//! - [`show`]: rows for people, on a terminal.
//! - [`cell`], [`xml`]: what formats have in common: a value as text, times as numbers; a text in XML.
//!
//! A sink gets rows one by one and keeps no more of them than its format needs to be written in pieces. Nested values are
//! shredded into Parquet's levels by code of our own, so that its column writers are enough and Arrow is not needed.

#![forbid(unsafe_code)]

pub mod cell;
pub mod csv;
pub mod graphml;
pub mod json;
pub mod layout;
pub mod markdown;
pub mod parquet;
pub mod show;
pub mod split;
pub mod sqlite;
pub mod target;
pub mod warc;
pub mod xlsx;
pub mod xml;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use rusqlite::types::ValueRef;

use seine_store::StoreError;
use seine_store::rows::SelectError;
use seine_store::tables::Column;

/// The formats of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated values (RFC 4180)
    Csv,
    /// The same with tabs
    Tsv,
    /// One JSON array of objects
    Json,
    /// One JSON object a line
    Jsonl,
    /// Apache Parquet, compressed with zstd
    Parquet,
    /// An SQLite file with real tables
    Sqlite,
    /// A folder with a Markdown file for each page
    Markdown,
    /// WARC 1.1: answers as they came
    Warc,
    /// An Excel workbook, one sheet for each table
    Xlsx,
    /// GraphML: pages and the links between them, as a graph
    Graphml,
}

impl Format {
    /// The format a file's name asks for, `.gz` and `.zst` aside.
    pub fn of_path(path: &Path) -> Option<Self> {
        let mut name = path.file_name()?.to_str()?.to_ascii_lowercase();
        for packed in [".gz", ".zst"] {
            name.truncate(name.strip_suffix(packed).map_or(name.len(), str::len));
        }
        Some(match name.rsplit_once('.')?.1 {
            "csv" => Self::Csv,
            "tsv" | "tab" => Self::Tsv,
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::Jsonl,
            "parquet" => Self::Parquet,
            "sqlite" | "sqlite3" | "db" => Self::Sqlite,
            "warc" => Self::Warc,
            "xlsx" => Self::Xlsx,
            "graphml" => Self::Graphml,
            _ => return None,
        })
    }

    /// The ending of its files' names.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Tsv => "tsv",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Parquet => "parquet",
            Self::Sqlite => "sqlite",
            Self::Markdown => "md",
            Self::Warc => "warc",
            Self::Xlsx => "xlsx",
            Self::Graphml => "graphml",
        }
    }

    /// Whether it is no text, so that a terminal is no place for it.
    pub const fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Sqlite | Self::Warc | Self::Xlsx)
    }

    /// Whether a row's values stand side by side, so that the columns of an input file become columns.
    pub const fn is_flat(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv | Self::Parquet | Self::Sqlite | Self::Xlsx)
    }

    /// Whether one file holds several tables.
    pub const fn holds_tables(self) -> bool {
        matches!(self, Self::Sqlite | Self::Xlsx)
    }

    /// Whether its files may be compressed as a whole. WARC compresses each of its records.
    pub const fn is_packed_whole(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv | Self::Json | Self::Jsonl | Self::Graphml)
    }
}

/// Why an export came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The name that was asked for.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// A file.
    #[error("cannot write {}", path.display())]
    File {
        /// It.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Wherever the rows go.
    #[error("cannot write the export")]
    Output(#[from] io::Error),
    /// The Parquet writer.
    #[error("cannot write Parquet")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// The XLSX writer.
    #[error("cannot write XLSX")]
    Xlsx(#[from] rust_xlsxwriter::XlsxError),
    /// The new SQLite file.
    #[error("cannot write the SQLite file")]
    Sqlite(#[source] StoreError),
    /// Ctrl-C.
    #[error("interrupted; nothing was written")]
    Interrupted,
    /// More than the format can hold.
    #[error("{0}")]
    TooMuch(String),
    /// The folder exports go to.
    #[error("{} is there already and not empty; remove it or choose another name", .0.display())]
    NotEmpty(PathBuf),
}

/// A value of a row, as SQLite has it.
pub type Cell<'a> = ValueRef<'a>;

type Result<T, E = ExportError> = std::result::Result<T, E>;

/// Takes the rows of an export. [`Sink::table`] comes before the rows of each table; only some formats hold several.
pub trait Sink {
    /// The rows to come are those of the table `name` and have these columns.
    ///
    /// # Errors
    /// [`ExportError`]
    fn table(&mut self, name: &str, columns: &[Column]) -> Result<()>;

    /// One row: a cell for each column.
    ///
    /// # Errors
    /// [`ExportError`]
    fn row(&mut self, cells: &[Cell<'_>]) -> Result<()>;

    /// That was all: what is still in memory is written, and the file takes its name.
    ///
    /// # Errors
    /// [`ExportError`]
    fn finish(self: Box<Self>) -> Result<Finished>;
}

/// Notes on an export that is done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Things a user should know.
    pub notes: Vec<String>,
}

/// How text formats are written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// Cells that a spreadsheet would take for a formula are guarded.
    pub spreadsheet_safe: bool,
    /// UTF-8 byte order mark first.
    pub bom: bool,
}

/// A sink for one file of `format`.
///
/// # Errors
/// The file cannot be begun.
///
/// # Panics
/// Of a format that is no file of rows: [`Format::Markdown`], [`Format::Warc`] and [`Format::Graphml`].
pub fn sink(format: Format, output: target::Output, style: Style) -> Result<Box<dyn Sink>> {
    Ok(match format {
        Format::Csv => Box::new(csv::Csv::new(output, b',', style)),
        Format::Tsv => Box::new(csv::Csv::new(output, b'\t', style)),
        Format::Json => Box::new(json::Json::array(output)),
        Format::Jsonl => Box::new(json::Json::lines(output)),
        Format::Parquet => Box::new(parquet::Parquet::new(output)),
        Format::Sqlite => Box::new(sqlite::Sqlite::new(output)?),
        Format::Xlsx => Box::new(xlsx::Xlsx::new(output)?),
        Format::Markdown | Format::Warc | Format::Graphml => unreachable!("no file of rows"),
    })
}
