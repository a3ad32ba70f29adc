//! A plain SQLite file with a real table for each that is exported: no views, no indices, nothing of the store's own.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use rusqlite::types::{ToSql, ToSqlOutput};
use rusqlite::{Connection, params_from_iter};
use tempfile::TempPath;

use super::target::Output;
use super::{Cell, ExportError, Finished, Result, Sink};
use seine_store::StoreError;
use seine_store::collections::quoted;
use seine_store::tables::{Column, ColumnType};

/// A file of tables.
pub struct Sqlite {
    db: Connection,
    output: Output,
    /// The file it is made in if the output has no path.
    elsewhere: Option<TempPath>,
    insert: String,
}

impl Sqlite {
    /// One that becomes `output`.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn new(output: Output) -> Result<Self> {
        let (path, elsewhere) = match output.path() {
            Some(path) => (path.to_owned(), None),
            None => {
                let path = tempfile::NamedTempFile::new()?.into_temp_path();
                (path.to_path_buf(), Some(path))
            }
        };
        // SQLite takes a name that begins with "file:" for a URI.
        let path = if path.is_relative() { Path::new(".").join(path) } else { path };
        let db = Connection::open(path).map_err(broken)?;
        // Nobody sees the file before it is whole, and what is left of a crash is thrown away.
        db.execute_batch(
            "PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA locking_mode = exclusive; BEGIN IMMEDIATE",
        )
        .map_err(broken)?;
        Ok(Self { db, output, elsewhere, insert: String::new() })
    }
}

impl Sink for Sqlite {
    fn table(&mut self, name: &str, columns: &[Column]) -> Result<()> {
        let mut taken = HashSet::new();
        let declared: Vec<_> = columns
            .iter()
            .map(|column| {
                // As far as SQLite can tell names apart.
                let mut name = column.name.clone();
                while !taken.insert(name.to_ascii_lowercase()) {
                    name.push('_');
                }
                format!("{} {}", quoted(&name), affinity(&column.kind))
            })
            .collect();
        self.db
            .execute_batch(&format!("CREATE TABLE {}(\n  {}\n)", quoted(name), declared.join(",\n  ")))
            .map_err(broken)?;
        let places = vec!["?"; columns.len()].join(", ");
        self.insert = format!("INSERT INTO {} VALUES ({places})", quoted(name));
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let mut insert = self.db.prepare_cached(&self.insert).map_err(broken)?;
        insert.execute(params_from_iter(cells.iter().map(Borrowed))).map_err(broken)?;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Finished> {
        let Self { db, output, elsewhere, .. } = *self;
        db.execute_batch("COMMIT").map_err(broken)?;
        db.close().map_err(|(_, error)| broken(error))?;
        match elsewhere {
            None => output.commit()?,
            Some(path) => output.commit_copy(&mut File::open(&path)?)?,
        }
        Ok(Finished::default())
    }
}

/// The types that SQLite knows.
fn affinity(kind: &ColumnType) -> &'static str {
    match kind {
        ColumnType::Integer => "INTEGER",
        ColumnType::Real => "REAL",
        ColumnType::Bool => "BOOLEAN",
        ColumnType::Any => "",
        _ => "TEXT",
    }
}

struct Borrowed<'a>(&'a Cell<'a>);

impl ToSql for Borrowed<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(*self.0))
    }
}

fn broken(error: rusqlite::Error) -> ExportError {
    ExportError::Sqlite(StoreError::from(error))
}
