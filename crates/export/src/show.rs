//! Rows for people: a table whose columns are as wide as their first values need, cut to the width of a terminal.

use std::io::Write;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::target::Output;
use super::{Cell, Finished, Result, Sink, cell};
use seine_store::tables::Column;

/// Rows that are looked at before the first is shown.
const LOOKED_AT: usize = 500;
/// Memory of these, so that there are fewer if they are long.
const LOOKED_AT_BYTES: usize = 4 << 20;
/// Columns get no wider than this for the sake of others; on a terminal the last takes what is left.
const MAX_WIDTH: usize = 60;
/// Cells between two columns.
const GAP: usize = 2;
/// Characters of a value that are looked at: nobody sees more.
const MAX_CHARS: usize = 4096;

/// A table for people.
pub struct Show {
    output: Output,
    /// Of the terminal, if it is one.
    terminal: Option<usize>,
    names: Vec<String>,
    waiting: Vec<Vec<Shown>>,
    waiting_bytes: usize,
    widths: Option<Vec<usize>>,
    /// Columns of which the terminal shows nothing.
    hidden: Vec<String>,
}

struct Shown {
    text: String,
    is_number: bool,
}

impl Show {
    /// One for `output`; `terminal` is the width of the terminal that it is.
    pub fn new(output: Output, terminal: Option<usize>) -> Self {
        Self {
            output,
            terminal,
            names: Vec::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            widths: None,
            hidden: Vec::new(),
        }
    }

    /// Finds the widths and shows what has waited for them.
    fn begin(&mut self) -> Result<Vec<usize>> {
        let mut widths: Vec<usize> = self.names.iter().map(|name| name.width()).collect();
        for row in &self.waiting {
            for (width, shown) in widths.iter_mut().zip(row) {
                *width = (*width).max(shown.text.width());
            }
        }
        // The last column of a terminal takes what is left; whoever is none can scroll, so longer values run over.
        let capped = if self.terminal.is_some() { widths.len().saturating_sub(1) } else { widths.len() };
        widths[..capped].iter_mut().for_each(|width| *width = (*width).min(MAX_WIDTH));
        let mut end = 0;
        for (name, width) in self.names.iter().zip(&widths) {
            if self.terminal.is_some_and(|terminal| end >= terminal) {
                self.hidden.push(name.clone());
            }
            end += width + GAP;
        }
        let header = self.names.iter().map(|name| Shown { text: name.clone(), is_number: false }).collect::<Vec<_>>();
        let rule = widths.iter().map(|&width| Shown { text: "-".repeat(width), is_number: false }).collect::<Vec<_>>();
        let waiting = std::mem::take(&mut self.waiting);
        for row in [header, rule].into_iter().chain(waiting) {
            self.write(&widths, &row)?;
        }
        Ok(widths)
    }

    fn write(&mut self, widths: &[usize], row: &[Shown]) -> Result<()> {
        let mut line = String::new();
        let mut room = self.terminal.unwrap_or(usize::MAX);
        for (at, (shown, &width)) in row.iter().zip(widths).enumerate() {
            if at > 0 {
                let gap = GAP.min(room);
                line.extend(std::iter::repeat_n(' ', gap));
                room -= gap;
            }
            let cut = if self.terminal.is_some() { width.min(room) } else { usize::MAX };
            let text = fitting(&shown.text, cut);
            let blank = width.min(room).saturating_sub(text.width());
            if shown.is_number {
                line.extend(std::iter::repeat_n(' ', blank));
            }
            line.push_str(&text);
            if !shown.is_number {
                line.extend(std::iter::repeat_n(' ', blank));
            }
            room = room.saturating_sub(width.max(text.width()));
        }
        writeln!(self.output, "{}", line.trim_end())?;
        Ok(())
    }
}

impl Sink for Show {
    fn table(&mut self, _name: &str, columns: &[Column]) -> Result<()> {
        self.names = columns.iter().map(|column| harmless(&column.name)).collect();
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let most = if self.terminal.is_some() { MAX_CHARS } else { usize::MAX };
        let row: Vec<_> = cells
            .iter()
            .map(|value| {
                let text = cell::text(value).unwrap_or_default();
                let end = text.char_indices().nth(most).map_or(text.len(), |(end, _)| end);
                let is_number = matches!(value, Cell::Integer(_) | Cell::Real(_));
                Shown { text: harmless(&text[..end]), is_number }
            })
            .collect();
        if let Some(widths) = self.widths.take() {
            self.write(&widths, &row)?;
            self.widths = Some(widths);
            return Ok(());
        }
        self.waiting_bytes += row.iter().map(|shown| shown.text.len()).sum::<usize>();
        self.waiting.push(row);
        if self.waiting.len() >= LOOKED_AT || self.waiting_bytes >= LOOKED_AT_BYTES {
            self.widths = Some(self.begin()?);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Finished> {
        if self.widths.is_none() {
            self.begin()?;
        }
        self.output.commit()?;
        let mut notes = Vec::new();
        if !self.hidden.is_empty() {
            let (count, s) = (self.hidden.len(), if self.hidden.len() == 1 { "" } else { "s" });
            let names = self.hidden.join(", ");
            notes.push(format!(
                "{count} column{s} did not fit the terminal: {names}; SELECT fewer, or take --format csv or json"
            ));
        }
        Ok(Finished { notes })
    }
}

/// Makes harmless what a site could do to a terminal or to the table: control and direction-changing characters.
fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                '\u{fffd}'
            }
            c => c,
        })
        .collect()
}

/// `text` within so many cells of a terminal, with an ellipsis for what does not fit.
fn fitting(text: &str, cells: usize) -> String {
    if text.width() <= cells {
        return text.to_owned();
    }
    let mut fits = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used >= cells {
            break;
        }
        fits.push(c);
    }
    if cells > 0 {
        fits.push('…');
    }
    fits
}
