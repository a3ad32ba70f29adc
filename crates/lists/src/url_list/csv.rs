//! CSV lists: rows that may span lines, one column with the URL, the others kept as JSON.
//!
//! Lines are fed one by one to a push parser, so physical line numbers are exact and a row can wait
//! for its rest. A quote that is never closed would swallow all that follows as one cell; it costs
//! its own line only: the lines behind it are read again as rows of one line each.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use super::columns::Layout;
use super::entry::{Entry, not_utf8};
use super::lines::{Advance, Lines, MAX_RECORD_BYTES};
use super::{ListError, Step, delimiter};

/// The rows of one list.
pub(super) struct Rows {
    /// Text of `--url-column`.
    wanted: Option<String>,
    /// Delimiter by the list's name.
    delimiter: u8,
    /// Known after the first row.
    layout: Option<Layout>,
    cells: Cells,
    /// Lines of the row that is not complete, each with its `\n`.
    held: Vec<u8>,
    /// Number of the first of them.
    first_line: u64,
    again: Replay,
    /// The current line of [`Lines`] was put back.
    is_put_back: bool,
}

/// Lines to be read again, each a row of its own.
#[derive(Default)]
struct Replay {
    lines: Vec<u8>,
    start: usize,
    number: u64,
}

impl Rows {
    pub(super) fn new(wanted: Option<String>, delimiter: u8) -> Self {
        Self {
            wanted,
            delimiter,
            layout: None,
            cells: Cells::new(delimiter),
            held: Vec::new(),
            first_line: 0,
            again: Replay::default(),
            is_put_back: false,
        }
    }

    /// The column that was asked for.
    pub(super) fn asked_for(&self) -> Option<&str> {
        self.wanted.as_deref()
    }

    /// The next row's entry.
    pub(super) fn next(&mut self, lines: &mut Lines) -> Result<Step, ListError> {
        while self.again.start < self.again.lines.len() {
            if let Some(entry) = self.next_again(lines)? {
                return Ok(Step::Entry(entry));
            }
        }
        loop {
            if !std::mem::take(&mut self.is_put_back) {
                match lines.advance()? {
                    Advance::Line => {}
                    Advance::Pending => return Ok(Step::Pending),
                    Advance::Skipping => return Ok(Step::Skipping),
                    Advance::End if self.held.is_empty() => return Ok(Step::End),
                    Advance::End => return self.unclosed(lines, "before the list ends").map(Step::Entry),
                }
            }
            if lines.is_overlong() {
                if !self.held.is_empty() {
                    self.is_put_back = true;
                    return self.unclosed(lines, "before an overlong line").map(Step::Entry);
                }
                return match self.layout {
                    Some(_) => Ok(Step::Entry(Entry::overlong(lines.number(), lines.line()))),
                    None => Err(header_error(lines, "it is longer than 64 KiB")),
                };
            }
            let line = lines.line();
            if self.held.is_empty() {
                if line.trim_ascii().is_empty() {
                    continue;
                }
                self.first_line = lines.number();
                if self.layout.is_none() {
                    let delimiter = delimiter::of(line, self.delimiter, self.wanted.as_deref());
                    self.cells = Cells::new(delimiter.map_err(|reason| header_error(lines, &reason))?);
                }
            }
            if !self.cells.feed_line(line) {
                self.held.extend_from_slice(line);
                self.held.push(b'\n');
                if self.held.len() > MAX_RECORD_BYTES {
                    return self.unclosed(lines, "within 64 KiB").map(Step::Entry);
                }
                continue;
            }
            let entry = if self.held.is_empty() {
                complete(&mut self.layout, self.wanted.as_deref(), &self.cells, lines.name(), self.first_line, line)?
            } else {
                self.held.extend_from_slice(line);
                let record = std::mem::take(&mut self.held);
                let (name, number) = (lines.name(), self.first_line);
                complete(&mut self.layout, self.wanted.as_deref(), &self.cells, name, number, &record)?
            };
            if let Some(entry) = entry {
                return Ok(Step::Entry(entry));
            }
        }
    }

    /// Gives up the row that waits for its closing quote: its first line is rejected, the others come again.
    fn unclosed(&mut self, lines: &Lines, until: &str) -> Result<Entry, ListError> {
        self.cells.reset();
        if self.layout.is_none() {
            return Err(header_error(lines, &format!("a quote opened in it is not closed {until}")));
        }
        let held = std::mem::take(&mut self.held);
        let end = memchr::memchr(b'\n', &held).unwrap_or(held.len());
        let reason = format!("a quote opened on this line is not closed {until}");
        let entry = Entry::unusable(self.first_line, &held[..end], reason);
        self.again = Replay { start: (end + 1).min(held.len()), lines: held, number: self.first_line + 1 };
        Ok(entry)
    }

    /// The next of the lines to be read again, as a row; `None` for a blank one.
    fn next_again(&mut self, lines: &Lines) -> Result<Option<Entry>, ListError> {
        let Replay { lines: text, start, number } = &mut self.again;
        let rest = &text[*start..];
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        let line_number = *number;
        (*start, *number) = ((*start + end + 1).min(text.len()), *number + 1);
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        if !self.cells.feed_line(line) {
            self.cells.reset();
            let reason = "a quote opened on this line is not closed on it, after another that is not closed at all";
            return Ok(Some(Entry::unusable(line_number, line, reason.to_owned())));
        }
        complete(&mut self.layout, self.wanted.as_deref(), &self.cells, lines.name(), line_number, line)
    }
}

/// The entry of a complete row. The first row names the columns, and is an entry only if it is no header.
fn complete(
    layout: &mut Option<Layout>,
    wanted: Option<&str>,
    cells: &Cells,
    name: &str,
    line: u64,
    record: &[u8],
) -> Result<Option<Entry>, ListError> {
    if let Some(layout) = layout {
        return Ok(Some(row(layout, cells, line, record)));
    }
    let first: Vec<String> = cells.bytes().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect();
    let (found, is_header) = Layout::find(name, &first, wanted)?;
    let found = layout.insert(found);
    Ok((!is_header).then(|| row(found, cells, line, record)))
}

/// The entry of one row.
fn row(layout: &Layout, cells: &Cells, line: u64, record: &[u8]) -> Entry {
    // UTF-8 cut at ASCII delimiters is UTF-8 again, so the record is checked once and not cell by cell.
    if let Err(error) = std::str::from_utf8(record) {
        return Entry::unusable(line, record, not_utf8(&error));
    }
    let mut raw_url = None;
    let mut columns = layout.columns();
    for (index, cell) in cells.bytes().enumerate() {
        let Ok(cell) = std::str::from_utf8(cell) else {
            return Entry::unusable(line, record, "a cell is not UTF-8 text".to_owned());
        };
        if index == layout.url_index() {
            raw_url = Some(cell.trim());
        } else {
            columns.push(index, cell);
        }
    }
    let columns = columns.finish();
    match raw_url {
        Some("") => {
            let reason = format!("no URL in column {:?}", layout.url_name());
            Entry { columns, ..Entry::unusable(line, record, reason) }
        }
        Some(raw_url) => Entry::new(line, raw_url, columns),
        None => {
            let (n, s) = (cells.len(), if cells.len() == 1 { "" } else { "s" });
            let reason = format!("a row of {n} column{s} has no column {:?}", layout.url_name());
            Entry { columns, ..Entry::unusable(line, record, reason) }
        }
    }
}

fn header_error(lines: &Lines, reason: &str) -> ListError {
    ListError::Header { name: lines.name().to_owned(), reason: reason.to_owned() }
}

/// One row's cells, as the push parser fills them.
pub(super) struct Cells {
    parser: Reader,
    bytes: Vec<u8>,
    /// End of each cell in `bytes`.
    ends: Vec<usize>,
    bytes_used: usize,
    ends_used: usize,
    is_complete: bool,
}

impl Cells {
    pub(super) fn new(delimiter: u8) -> Self {
        // Only "\n" ends a row; the "\r" before it is taken off below. A "\r" elsewhere is data.
        let parser = ReaderBuilder::new().delimiter(delimiter).terminator(Terminator::Any(b'\n')).build();
        Self { parser, bytes: vec![0; 1024], ends: vec![0; 32], bytes_used: 0, ends_used: 0, is_complete: false }
    }

    fn reset(&mut self) {
        self.parser.reset();
        (self.bytes_used, self.ends_used, self.is_complete) = (0, 0, false);
    }

    /// Takes one line; whether it completes the row. The next line after that starts a new one.
    pub(super) fn feed_line(&mut self, line: &[u8]) -> bool {
        if std::mem::take(&mut self.is_complete) {
            (self.bytes_used, self.ends_used) = (0, 0);
        }
        self.is_complete = self.feed(line) || self.feed(b"\n");
        if self.is_complete
            && line.ends_with(b"\r")
            && let Some(end) = self.ends[..self.ends_used].last_mut()
            && self.bytes[..*end].ends_with(b"\r")
        {
            *end -= 1;
        }
        self.is_complete
    }

    fn feed(&mut self, mut input: &[u8]) -> bool {
        // An empty input would tell the parser that the file has ended.
        while !input.is_empty() {
            let (result, read, written, ended) =
                self.parser.read_record(input, &mut self.bytes[self.bytes_used..], &mut self.ends[self.ends_used..]);
            input = &input[read..];
            self.bytes_used += written;
            self.ends_used += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.bytes.resize(2 * self.bytes.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record | ReadRecordResult::End => return true,
            }
        }
        false
    }

    fn len(&self) -> usize {
        self.ends_used
    }

    pub(super) fn bytes(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends[..self.ends_used].iter().map(move |&end| &self.bytes[std::mem::replace(&mut start, end)..end])
    }
}
