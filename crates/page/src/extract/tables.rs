//! Every table of a page as rows of texts, as a JSON array.
//!
//! A cell that spans rows or columns is repeated in each; a table within a cell is a table of its own and no text of
//! that cell. Tables come in the order in which they end; those without a cell are left out.

use std::rc::Rc;

use super::arena::{Edge, Element, NodeId};
use super::blocks::{hides, is_block};
use super::extras::Page;
use super::grid::{self, Spans};
use super::limits::{self, Limit, Met};
use super::text;

/// Most cells of all tables of a page, repeated ones included; what comes after is left out.
pub const MAX_CELLS: usize = 500_000;
/// Most bytes of their texts, repeated ones included.
pub const MAX_TABLES_BYTES: usize = 8 << 20;
/// Longest text of a cell, in bytes of UTF-8; the rest is cut off.
pub const MAX_CELL_BYTES: usize = 64 * 1024;

/// The tables of `page` as a JSON array of arrays of arrays of strings; `None`: told to stop.
pub(super) fn tables(page: &Page, met: &mut Met) -> Option<String> {
    let mut reader = Reader { done: Vec::new(), open: Vec::new(), room: Room::default(), met };
    let mut hidden: Option<NodeId> = None;
    for (n, edge) in page.tree.root().edges().enumerate() {
        if !page.goes_on(n) {
            return None;
        }
        match edge {
            Edge::Open(node) if hidden.is_none() => match (node.as_element(), node.as_text()) {
                (Some(element), _) if hides(element) => hidden = Some(node.id()),
                (Some(element), _) => reader.start(element),
                (None, Some(text)) => reader.text(text),
                (None, None) => {}
            },
            Edge::Close(node) if hidden == Some(node.id()) => hidden = None,
            Edge::Close(node) if hidden.is_none() => {
                if let Some(element) = node.as_element() {
                    reader.end(element.name());
                }
            }
            _ => {}
        }
    }
    if let Some(limit) = reader.room.refused {
        reader.met.note(limit);
    }
    let tables: Vec<Vec<Vec<&str>>> = reader
        .done
        .iter()
        .map(|rows| rows.iter().map(|row| row.iter().map(|cell| &**cell).collect()).collect())
        .collect();
    Some(serde_json::to_string(&tables).unwrap_or_default())
}

/// The tables read so far, and those that are open, the innermost last.
struct Reader<'m> {
    done: Vec<Vec<Vec<Rc<str>>>>,
    open: Vec<Table>,
    room: Room,
    met: &'m mut Met,
}

impl Reader<'_> {
    fn start(&mut self, element: Element<'_>) {
        let name = element.name();
        if name == "table" {
            // Its texts are none of the cell around it, but they keep the words around it apart.
            self.text(" ");
            self.open.push(Table::default());
            return;
        }
        let Some(table) = self.open.last_mut() else { return };
        match name {
            "tr" => table.start_row(&mut self.room, self.met),
            "td" | "th" => table.start_cell(element, &mut self.room, self.met),
            "thead" | "tbody" | "tfoot" => table.end_rows(&mut self.room, self.met),
            "br" => table.text(" "),
            name if is_block(name) => table.text(" "),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(table) = self.open.last_mut() {
            table.text(text);
        }
    }

    fn end(&mut self, name: &str) {
        let Some(table) = self.open.last_mut() else { return };
        match name {
            "table" => {
                table.end_rows(&mut self.room, self.met);
                let mut rows = self.open.pop().map(|table| table.rows).unwrap_or_default();
                rows.retain(|row| !row.is_empty());
                self.done.extend((!rows.is_empty()).then_some(rows));
            }
            "td" | "th" => table.end_cell(&mut self.room, self.met),
            "tr" => table.end_row(&mut self.room, self.met),
            name if is_block(name) => table.text(" "),
            _ => {}
        }
    }
}

/// The cells and bytes that may still be kept.
struct Room {
    cells: usize,
    bytes: usize,
    /// The limit that was met first: from then on nothing is taken, so that no row has holes.
    refused: Option<&'static Limit>,
}

impl Default for Room {
    fn default() -> Self {
        Self { cells: MAX_CELLS, bytes: MAX_TABLES_BYTES, refused: None }
    }
}

impl Room {
    /// Whether one more cell of this text may be kept; if so, it is counted.
    fn takes(&mut self, text: &str) -> bool {
        if self.refused.is_none() {
            match (self.cells.checked_sub(1), self.bytes.checked_sub(text.len())) {
                (Some(cells), Some(bytes)) => (self.cells, self.bytes) = (cells, bytes),
                (None, _) => self.refused = Some(&limits::CELLS),
                (_, None) => self.refused = Some(&limits::TABLES_BYTES),
            }
        }
        self.refused.is_none()
    }
}

/// A table being read.
#[derive(Default)]
struct Table {
    rows: Vec<Vec<Rc<str>>>,
    row: Option<Vec<Rc<str>>>,
    cell: Option<Cell>,
    /// Texts of cells of earlier rows.
    spans: Spans<Rc<str>>,
}

struct Cell {
    text: String,
    columns: usize,
    rows: usize,
}

impl Table {
    fn start_row(&mut self, room: &mut Room, met: &mut Met) {
        self.end_row(room, met);
        self.row = Some(Vec::new());
    }

    fn start_cell(&mut self, element: Element<'_>, room: &mut Room, met: &mut Met) {
        self.end_cell(room, met);
        self.cell = Some(Cell { text: String::new(), columns: grid::columns(element), rows: grid::rows(element) });
    }

    fn text(&mut self, raw: &str) {
        if let Some(cell) = &mut self.cell {
            text::fold_into(&mut cell.text, raw, MAX_CELL_BYTES + text::MAX_CHAR_BYTES, text::Nul::Dropped);
        }
    }

    fn end_cell(&mut self, room: &mut Room, met: &mut Met) {
        let Some(cell) = self.cell.take() else { return };
        let mut row = self.row.take().unwrap_or_default();
        self.fill_from_above(&mut row, room);
        let text: Rc<str> = met.within(&limits::CELL, &cell.text).into();
        for _ in 0..cell.columns {
            if !room.takes(&text) {
                break;
            }
            if cell.rows > 1 {
                self.spans.hang(row.len(), cell.rows - 1, Rc::clone(&text));
            }
            row.push(Rc::clone(&text));
        }
        self.row = Some(row);
    }

    /// Appends the cells of earlier rows that come next in this one.
    fn fill_from_above(&mut self, row: &mut Vec<Rc<str>>, room: &mut Room) {
        while let Some(text) = self.spans.take(row.len()) {
            if !room.takes(&text) {
                break;
            }
            row.push(text);
        }
    }

    fn end_row(&mut self, room: &mut Room, met: &mut Met) {
        self.end_cell(room, met);
        let Some(mut row) = self.row.take() else { return };
        // Columns right of the last cell are filled by cells of earlier rows, or empty. The last of the spans always
        // reaches into this row, so the work is no more than the cells that it adds.
        while room.refused.is_none() && row.len() < self.spans.width() {
            while row.len() < self.spans.width() && !self.spans.is_filled(row.len()) && room.takes("") {
                row.push("".into());
            }
            self.fill_from_above(&mut row, room);
        }
        self.spans.shrink();
        // The row that was too much is left out as a whole.
        if room.refused.is_none() {
            self.rows.push(row);
        }
    }

    /// Ends a group of rows: no cell spans beyond.
    fn end_rows(&mut self, room: &mut Room, met: &mut Met) {
        self.end_row(room, met);
        self.spans.clear();
    }
}
