//! An Excel workbook: a sheet for each table, further ones where it has more rows than a sheet.
//!
//! Rows go to a temporary file at once; the workbook is put together in the end.

use std::collections::HashSet;

use rust_xlsxwriter::{Format, Workbook, Worksheet};

use super::target::Output;
use super::{Cell, ExportError, Finished, Result, Sink, cell};
use seine_store::tables::{Column, ColumnType};

/// Rows of a sheet, the header among them.
const MAX_ROWS: u32 = 1_048_576;
const MAX_COLUMNS: usize = 16_384;
/// Characters of a cell, counted as UTF-16.
const MAX_CHARS: usize = 32_767;
/// Characters of a sheet's name.
const MAX_NAME: usize = 31;
/// 1970-01-01 as Excel counts days; below 61 it counts a day that never was.
const EPOCH_DAY: f64 = 25_569.0;
const FIRST_DAY: f64 = 61.0;
/// Whole numbers up to this are exact.
const MAX_EXACT: u64 = 1 << 53;

/// A workbook.
pub struct Xlsx {
    book: Workbook,
    output: Output,
    table: String,
    columns: Vec<Column>,
    sheet: usize,
    names: HashSet<String>,
    next_row: u32,
    max_rows: u32,
    formats: Formats,
    cut: u64,
}

struct Formats {
    header: Format,
    date: Format,
    time: Format,
}

impl Xlsx {
    /// One into `output`.
    ///
    /// # Errors
    /// No temporary files can be made beside it.
    pub fn new(output: Output) -> Result<Self> {
        let mut book = Workbook::new();
        if let Some(folder) = output.path().and_then(|path| path.parent()) {
            let folder = if folder.as_os_str().is_empty() { ".".as_ref() } else { folder };
            book.set_tempdir(folder)?;
        }
        let formats = Formats {
            header: Format::new().set_bold(),
            date: Format::new().set_num_format("yyyy-mm-dd"),
            time: Format::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
        };
        Ok(Self {
            book,
            output,
            table: String::new(),
            columns: Vec::new(),
            sheet: 0,
            names: HashSet::new(),
            next_row: 0,
            max_rows: MAX_ROWS,
            formats,
            cut: 0,
        })
    }

    #[cfg(test)]
    pub(super) fn with_rows(mut self, max_rows: u32) -> Self {
        self.max_rows = max_rows;
        self
    }

    fn begin_sheet(&mut self) -> Result<()> {
        let name = self.sheet_name();
        self.sheet = self.names.len() - 1;
        let sheet = self.book.add_worksheet_with_constant_memory()?;
        sheet.set_name(name)?;
        sheet.set_freeze_panes(1, 0)?;
        for (at, column) in (0..).zip(&self.columns) {
            let (name, was_cut) = fitting(&column.name);
            self.cut += u64::from(was_cut);
            sheet.write_string_with_format(0, at, name, &self.formats.header)?;
        }
        self.next_row = 1;
        Ok(())
    }

    /// The table's name as far as a sheet can have it, with a number if it is taken.
    fn sheet_name(&mut self) -> String {
        let legal = |c: char| if c.is_control() || "[]:*?/\\'".contains(c) { '_' } else { c };
        let name: String = self.table.chars().map(legal).collect();
        let mut number = 1;
        loop {
            let ending = if number == 1 { String::new() } else { format!(" {number}") };
            let mut name = name.clone();
            while name.encode_utf16().count() + ending.len() > MAX_NAME {
                name.pop();
            }
            name.push_str(&ending);
            if self.names.insert(name.to_lowercase()) {
                return name;
            }
            number += 1;
        }
    }
}

impl Sink for Xlsx {
    fn table(&mut self, name: &str, columns: &[Column]) -> Result<()> {
        if columns.len() > MAX_COLUMNS {
            let message = format!("{name} has {} columns, a sheet at most {MAX_COLUMNS}", columns.len());
            return Err(ExportError::TooMuch(message));
        }
        name.clone_into(&mut self.table);
        self.columns = columns.to_vec();
        self.begin_sheet()
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        if self.next_row == self.max_rows {
            self.begin_sheet()?;
        }
        let sheet = self.book.worksheet_from_index(self.sheet)?;
        for ((at, column), value) in (0..).zip(&self.columns).zip(cells) {
            self.cut += u64::from(write(sheet, (self.next_row, at), &column.kind, value, &self.formats)?);
        }
        self.next_row += 1;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Finished> {
        self.book.save_to_writer(&mut self.output)?;
        self.output.commit()?;
        let mut finished = Finished::default();
        if self.cut > 0 {
            let (cells, are) = if self.cut == 1 { ("cell", "was") } else { ("cells", "were") };
            finished.notes.push(format!("{} {cells} {are} cut: Excel takes {MAX_CHARS} characters at most", self.cut));
        }
        Ok(finished)
    }
}

/// Writes one cell; whether its text had to be cut.
fn write(
    sheet: &mut Worksheet,
    (row, at): (u32, u16),
    kind: &ColumnType,
    value: &Cell<'_>,
    formats: &Formats,
) -> Result<bool> {
    match value {
        Cell::Null => return Ok(false),
        Cell::Integer(number @ 0..=1) if *kind == ColumnType::Bool => {
            sheet.write_boolean(row, at, *number == 1)?;
            return Ok(false);
        }
        Cell::Integer(number) if number.unsigned_abs() <= MAX_EXACT => {
            sheet.write_number(row, at, *number as f64)?;
            return Ok(false);
        }
        Cell::Real(number) if number.is_finite() => {
            sheet.write_number(row, at, *number)?;
            return Ok(false);
        }
        _ => {}
    }
    let text = cell::text(value).unwrap_or_default();
    let day = match kind {
        ColumnType::Timestamp => {
            cell::micros(&text).map(|us| (us as f64 / cell::DAY_US as f64 + EPOCH_DAY, &formats.time))
        }
        ColumnType::Date => cell::days(&text).map(|days| (f64::from(days) + EPOCH_DAY, &formats.date)),
        _ => None,
    };
    if let Some((day, format)) = day.filter(|(day, _)| *day >= FIRST_DAY) {
        sheet.write_number_with_format(row, at, day, format)?;
        return Ok(false);
    }
    let (text, was_cut) = fitting(&text);
    sheet.write_string(row, at, text)?;
    Ok(was_cut)
}

/// As much of `text` as a cell takes, and whether it is not all.
fn fitting(text: &str) -> (&str, bool) {
    if text.len() <= MAX_CHARS {
        return (text, false);
    }
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > MAX_CHARS {
            return (&text[..at], true);
        }
    }
    (text, false)
}
