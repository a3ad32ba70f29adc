//! CSV as RFC 4180 has it, and the same with tabs: lines end in CR LF, NULL is nothing and the empty text is `""`.

use std::io::Write;

use super::target::Output;
use super::{Cell, Finished, Result, Sink, Style, cell};
use seine_store::tables::Column;

/// A file of separated values.
pub struct Csv {
    output: Output,
    separator: u8,
    style: Style,
    line: Vec<u8>,
}

impl Csv {
    /// One into `output`.
    pub fn new(output: Output, separator: u8, style: Style) -> Self {
        Self { output, separator, style, line: Vec::new() }
    }

    fn push(&mut self, text: &str) {
        // A separator and quotes stand before whatever is within, so a guard is the first thing a spreadsheet sees.
        let guard = self.style.spreadsheet_safe && is_formula(text);
        let bytes = text.as_bytes();
        let special = |&byte: &u8| byte == self.separator || matches!(byte, b'"' | b'\r' | b'\n');
        if guard || bytes.is_empty() || bytes.iter().any(special) {
            self.line.push(b'"');
            if guard {
                self.line.push(b'\'');
            }
            for piece in bytes.split_inclusive(|&byte| byte == b'"') {
                self.line.extend_from_slice(piece);
                if piece.ends_with(b"\"") {
                    self.line.push(b'"');
                }
            }
            self.line.push(b'"');
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self) -> Result<()> {
        self.line.extend_from_slice(b"\r\n");
        self.output.write_all(&self.line)?;
        self.line.clear();
        Ok(())
    }
}

impl Sink for Csv {
    fn table(&mut self, _name: &str, columns: &[Column]) -> Result<()> {
        if self.style.bom {
            self.output.write_all("\u{feff}".as_bytes())?;
        }
        for (at, column) in columns.iter().enumerate() {
            if at > 0 {
                self.line.push(self.separator);
            }
            self.push(&column.name);
        }
        self.end_line()
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        for (at, value) in cells.iter().enumerate() {
            if at > 0 {
                self.line.push(self.separator);
            }
            match value {
                // An empty line would be no row.
                Cell::Null if cells.len() == 1 => self.line.extend_from_slice(b"\"\""),
                Cell::Null => {}
                // A negative number is no formula.
                Cell::Integer(number) => write!(self.line, "{number}")?,
                Cell::Real(number) => self.line.extend_from_slice(cell::real(*number).as_bytes()),
                Cell::Text(_) | Cell::Blob(_) => {
                    let text = cell::text(value).unwrap_or_default();
                    self.push(&text);
                }
            }
        }
        self.end_line()
    }

    fn finish(self: Box<Self>) -> Result<Finished> {
        self.output.commit()?;
        Ok(Finished::default())
    }
}

/// Whether a spreadsheet may take the text for a formula (OWASP, "CSV Injection").
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
}
