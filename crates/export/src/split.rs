//! A folder of files: one for each table, or for each group of its rows. One file is open at a time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::target::{Folder, Output};
use super::{Cell, ExportError, Finished, Format, Result, Sink, Style, cell, sink};
use seine_store::tables::Column;

/// Longest name of a file, its ending apart, in bytes.
const MAX_NAME: usize = 120;

/// The rows that share a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A table.
    Table,
    /// A host; rows come with it as their last cell, and sorted by it.
    Host,
    /// A run; likewise.
    Run,
    /// So many rows.
    Rows(u64),
}

/// A folder of files of one format.
pub struct Split {
    folder: Folder,
    format: Format,
    style: Style,
    by: By,
    /// Whether each table has a folder of its own.
    has_tables: bool,
    table: String,
    columns: Vec<Column>,
    open: Option<Open>,
    parts: u64,
    taken: Taken,
    finished: Finished,
}

struct Open {
    sink: Box<dyn Sink>,
    group: Option<String>,
    rows: u64,
}

impl Split {
    /// One of `folder`; `has_tables` if more than one table is to come.
    pub fn new(folder: Folder, format: Format, style: Style, by: By, has_tables: bool) -> Self {
        Self {
            folder,
            format,
            style,
            by,
            has_tables: has_tables && by != By::Table,
            table: String::new(),
            columns: Vec::new(),
            open: None,
            parts: 0,
            taken: Taken::default(),
            finished: Finished::default(),
        }
    }

    fn begin(&mut self, group: Option<String>) -> Result<()> {
        self.end()?;
        self.parts += 1;
        let name = match (self.by, &group) {
            (By::Table, _) => self.table.clone(),
            (By::Rows(_), _) => format!("part-{:05}", self.parts),
            (By::Run, Some(run)) => format!("run-{run}"),
            (_, Some(host)) => host.clone(),
            (_, None) => "_none".to_owned(),
        };
        let mut folder = self.folder.path().to_owned();
        if self.has_tables {
            folder.push(file_name(&self.table, MAX_NAME));
            std::fs::create_dir_all(&folder).map_err(|source| ExportError::File { path: folder.clone(), source })?;
        }
        let path = self.taken.free(&folder, &file_name(&name, MAX_NAME), self.format.extension());
        let mut sink = sink(self.format, Output::file(&path, None)?, self.style)?;
        sink.table(&self.table, &self.columns)?;
        self.open = Some(Open { sink, group, rows: 0 });
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        if let Some(open) = self.open.take() {
            self.finished.notes.extend(open.sink.finish()?.notes);
        }
        Ok(())
    }
}

impl Sink for Split {
    fn table(&mut self, name: &str, columns: &[Column]) -> Result<()> {
        self.end()?;
        name.clone_into(&mut self.table);
        self.columns = columns.to_vec();
        self.parts = 0;
        // A table without rows is a file without rows; groups without rows are none.
        if matches!(self.by, By::Table | By::Rows(_)) { self.begin(None) } else { Ok(()) }
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let (cells, group) = match (self.by, cells.split_last()) {
            (By::Host | By::Run, Some((group, cells))) => (cells, cell::text(group)),
            _ => (cells, None),
        };
        let goes_on = self.open.as_ref().is_some_and(|open| match self.by {
            By::Table => true,
            By::Rows(most) => open.rows < most,
            By::Host | By::Run => open.group.as_deref() == group.as_deref(),
        });
        if !goes_on {
            self.begin(group.map(Into::into))?;
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        open.rows += 1;
        open.sink.row(cells)
    }

    fn finish(mut self: Box<Self>) -> Result<Finished> {
        self.end()?;
        self.folder.commit()?;
        Ok(self.finished)
    }
}

/// Paths that more than one file was to have, with the last number that one of these got.
#[derive(Default)]
struct Taken(HashMap<PathBuf, u64>);

impl Taken {
    /// A path in `folder` at which nothing is yet.
    fn free(&mut self, folder: &Path, name: &str, extension: &str) -> PathBuf {
        let wanted = folder.join(format!("{name}.{extension}"));
        if !wanted.exists() {
            return wanted;
        }
        let number = self.0.entry(wanted).or_insert(1);
        loop {
            *number += 1;
            let path = folder.join(format!("{name}-{number}.{extension}"));
            if !path.exists() {
                return path;
            }
        }
    }
}

/// `text` as the name of a file: letters, digits, `.`, `-` and `_`, at most `max_bytes`, never hidden or a way out.
pub fn file_name(text: &str, max_bytes: usize) -> String {
    let legal = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|&end| end <= max_bytes).last().unwrap_or(0);
    let name: String = text[..end].chars().map(legal).collect();
    let name = name.trim_matches(|c| matches!(c, '.' | '_'));
    if name.is_empty() { "_".to_owned() } else { name.to_owned() }
}
