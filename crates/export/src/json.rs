//! JSON: one object a line, or one array of objects. Values have the types of their columns; JSON stands as JSON.

use std::io::{self, Write};

use serde::de::IgnoredAny;

use super::target::Output;
use super::{Cell, Finished, Result, Sink, cell};
use seine_store::tables::{Column, ColumnType};

/// A file of JSON objects.
pub struct Json {
    output: Output,
    is_array: bool,
    is_first: bool,
    /// `"name":` and the type, for each column.
    keys: Vec<(String, ColumnType)>,
    line: Vec<u8>,
}

impl Json {
    /// One array.
    pub fn array(output: Output) -> Self {
        Self { output, is_array: true, is_first: true, keys: Vec::new(), line: Vec::new() }
    }

    /// One object a line.
    pub fn lines(output: Output) -> Self {
        Self { is_array: false, ..Self::array(output) }
    }
}

impl Sink for Json {
    fn table(&mut self, _name: &str, columns: &[Column]) -> Result<()> {
        let key = |column: &Column| format!("{}:", serde_json::Value::from(column.name.as_str()));
        self.keys = columns.iter().map(|column| (key(column), column.kind.clone())).collect();
        if self.is_array {
            self.output.write_all(b"[")?;
        }
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        if self.is_array {
            self.line.extend_from_slice(if self.is_first { b"\n" } else { b",\n" });
        }
        self.is_first = false;
        self.line.push(b'{');
        for (at, ((key, kind), value)) in self.keys.iter().zip(cells).enumerate() {
            if at > 0 {
                self.line.push(b',');
            }
            self.line.extend_from_slice(key.as_bytes());
            write(&mut self.line, kind, value)?;
        }
        self.line.push(b'}');
        if !self.is_array {
            self.line.push(b'\n');
        }
        self.output.write_all(&self.line)?;
        self.line.clear();
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Finished> {
        if self.is_array {
            self.output.write_all(b"\n]\n")?;
        }
        self.output.commit()?;
        Ok(Finished::default())
    }
}

fn write(line: &mut Vec<u8>, kind: &ColumnType, value: &Cell<'_>) -> io::Result<()> {
    match value {
        Cell::Null => line.extend_from_slice(b"null"),
        Cell::Integer(number @ 0..=1) if *kind == ColumnType::Bool => {
            line.extend_from_slice(if *number == 1 { b"true" } else { b"false" });
        }
        Cell::Integer(number) => write!(line, "{number}")?,
        // JSON has no infinity.
        Cell::Real(number) => serde_json::to_writer(line, number)?,
        Cell::Text(text) if is_json(kind) && serde_json::from_slice::<IgnoredAny>(text).is_ok() => {
            // In JSON a line ends between values only.
            line.extend(text.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }));
        }
        Cell::Text(_) | Cell::Blob(_) => serde_json::to_writer(line, &cell::text(value))?,
    }
    Ok(())
}

fn is_json(kind: &ColumnType) -> bool {
    matches!(kind, ColumnType::Json | ColumnType::List(_) | ColumnType::Record(_))
}
