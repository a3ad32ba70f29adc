//! Links as JSON: one object, `{"db", "links": [...], "counts"}` with each link on a line of its own, or a line for each
//! link and nothing else.

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::report::{Report, Result, is_told};
use seine_export::target::Output;
use seine_export::{Cell, cell};
use seine_store::links::{Counts, Link};
use seine_store::tables::{Column, ColumnType};

/// Objects that are written as they come.
pub(super) struct Json {
    output: Output,
    columns: Vec<Column>,
    is_object: bool,
    is_first: bool,
}

impl Json {
    /// One object.
    pub fn object(mut output: Output, db: PathBuf, columns: &[Column]) -> Result<Self> {
        write!(output, "{{\"db\":{},\n\"links\":[", json!(db.to_string_lossy()))?;
        Ok(Self { is_object: true, ..Self::lines(output, columns) })
    }

    /// An object a line.
    pub fn lines(output: Output, columns: &[Column]) -> Self {
        Self { output, columns: columns.to_vec(), is_object: false, is_first: true }
    }
}

/// A value of the view.
fn value(column: &Column, cell: &Cell<'_>) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) if column.kind == ColumnType::Bool => (*number != 0).into(),
        Cell::Integer(number) => (*number).into(),
        Cell::Real(number) => (*number).into(),
        Cell::Text(_) | Cell::Blob(_) => cell::text(cell).unwrap_or_default().into(),
    }
}

impl Report for Json {
    fn link(&mut self, link: &Link<'_>) -> Result<()> {
        let of_view = self.columns.iter().zip(link.cells).filter(|(column, _)| is_told(column));
        let mut object: Map<String, Value> =
            of_view.map(|(column, cell)| (column.name.clone(), value(column, cell))).collect();
        let target = link.target;
        object.insert("state".into(), link.state.name().into());
        object.insert("outcome".into(), json!(target.outcome.map(|outcome| outcome.name())));
        object.insert("status".into(), json!(target.status));
        object.insert("error".into(), json!(target.error));
        object.insert("final_url".into(), json!(target.final_url));
        let object = Value::Object(object);
        let is_first = std::mem::take(&mut self.is_first);
        match (self.is_object, is_first) {
            (true, true) => write!(self.output, "\n{object}")?,
            (true, false) => write!(self.output, ",\n{object}")?,
            (false, _) => writeln!(self.output, "{object}")?,
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, counts: &Counts) -> Result<()> {
        if self.is_object {
            writeln!(self.output, "],\n\"counts\":{}}}", json!(counts))?;
        }
        self.output.commit()
    }
}
