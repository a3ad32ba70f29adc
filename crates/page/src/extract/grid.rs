//! Which columns of a table its cells fill, by their `colspan` and `rowspan`.

use super::arena::Element;

/// Most columns that one cell spans (HTML standard section 4.9.11).
const MAX_COLSPAN: usize = 1000;
/// Most rows that one cell spans (the same).
const MAX_ROWSPAN: usize = 65_534;

/// How many columns a cell spans, from 1.
pub(super) fn columns(cell: Element<'_>) -> usize {
    span(cell, "colspan").map_or(1, |columns| columns.clamp(1, MAX_COLSPAN))
}

/// How many rows a cell spans, from 1; with 0 it says: to the end of their group, which ends all spans.
pub(super) fn rows(cell: Element<'_>) -> usize {
    match span(cell, "rowspan") {
        Some(0) => MAX_ROWSPAN,
        Some(rows) => rows.min(MAX_ROWSPAN),
        None => 1,
    }
}

/// A number by the HTML standard's "rules for parsing non-negative integers": what follows it is passed over (`2;`).
fn span(cell: Element<'_>, name: &str) -> Option<usize> {
    let text = cell.attr(name)?.trim_ascii_start();
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = &text[..text.bytes().take_while(u8::is_ascii_digit).count()];
    // A number that overflows is larger than any cell may span.
    (!digits.is_empty()).then(|| digits.parse().unwrap_or(usize::MAX))
}

/// The columns that cells of earlier rows fill in later rows, each with a value.
pub(super) struct Spans<T>(Vec<Option<(usize, T)>>);

impl<T> Default for Spans<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> Spans<T> {
    /// Columns up to the last that a cell reaches down into.
    pub fn width(&self) -> usize {
        self.0.len()
    }

    /// Whether a cell of an earlier row fills this column.
    pub fn is_filled(&self, column: usize) -> bool {
        matches!(self.0.get(column), Some(Some((1.., _))))
    }

    /// The value of the cell of an earlier row that fills this column; counts this row as filled.
    pub fn take(&mut self, column: usize) -> Option<T> {
        let (left, value) = self.0.get_mut(column)?.as_mut().filter(|(left, _)| *left > 0)?;
        *left -= 1;
        Some(value.clone())
    }

    /// From the next row on a cell fills the column for so many rows.
    pub fn hang(&mut self, column: usize, rows: usize, value: T) {
        if self.0.len() <= column {
            self.0.resize(column + 1, None);
        }
        self.0[column] = Some((rows, value));
    }

    /// Forgets the columns at the end that nothing fills any more.
    pub fn shrink(&mut self) {
        while self.0.pop_if(|span| !matches!(span, Some((1.., _)))).is_some() {}
    }

    /// Ends a group of rows: no cell reaches beyond.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
