//! Every table of a page as rows of texts, as a JSON array.
//!
//! A cell that spans rows or columns is repeated in each; a table within a cell is a table of its own and no text of
//! that cell. Tables come in the order in which they end; those without a cell are left out.

use std::rc::Rc;

use ego_tree::NodeId;
use ego_tree::iter::Edge;
use scraper::Node;
use scraper::node::Element;

use super::extras::{Page, folded};
use super::text;

/// Most cells of all tables of a page, repeated ones included; what comes after is passed over.
pub const MAX_CELLS: usize = 200_000;
/// Most bytes of their texts, repeated ones included.
pub const MAX_TABLES_BYTES: usize = 8 << 20;
/// Longest text of a cell, in bytes of UTF-8; the rest is cut off.
pub const MAX_CELL_BYTES: usize = 16 * 1024;
/// Most columns that one cell spans (HTML standard section 4.9.11).
const MAX_COLSPAN: usize = 1000;
/// Most rows that one cell spans (the same).
const MAX_ROWSPAN: usize = 65_534;

/// The tables of `page` as a JSON array of arrays of arrays of strings; `None`: told to stop.
pub(super) fn tables(page: &Page) -> Option<String> {
    let mut done: Vec<Vec<Vec<Rc<str>>>> = Vec::new();
    let mut open: Vec<Table> = Vec::new();
    let mut room = Room { cells: MAX_CELLS, bytes: MAX_TABLES_BYTES };
    let mut hidden: Option<NodeId> = None;
    for (n, edge) in page.html.tree.root().traverse().enumerate() {
        if !page.goes_on(n) {
            return None;
        }
        match edge {
            Edge::Open(node) if hidden.is_none() => match node.value() {
                Node::Element(element) => match element.name() {
                    "table" => open.push(Table::default()),
                    "script" | "style" | "template" => hidden = Some(node.id()),
                    "tr" => open.last_mut().into_iter().for_each(|table| table.start_row(&mut room)),
                    "td" | "th" => open.last_mut().into_iter().for_each(|table| table.start_cell(element, &mut room)),
                    "thead" | "tbody" | "tfoot" => {
                        open.last_mut().into_iter().for_each(|table| table.end_rows(&mut room))
                    }
                    "br" | "p" | "div" | "li" => open.last_mut().into_iter().for_each(|table| table.text(" ")),
                    _ => {}
                },
                Node::Text(text) => open.last_mut().into_iter().for_each(|table| table.text(text)),
                _ => {}
            },
            Edge::Close(node) if hidden == Some(node.id()) => hidden = None,
            Edge::Close(node) if hidden.is_none() => match node.value().as_element().map(Element::name) {
                Some("table") => {
                    if let Some(mut table) = open.pop() {
                        table.end_rows(&mut room);
                        table.rows.retain(|row| !row.is_empty());
                        done.extend((!table.rows.is_empty()).then_some(table.rows));
                    }
                }
                Some("td" | "th") => open.last_mut().into_iter().for_each(|table| table.end_cell(&mut room)),
                Some("tr") => open.last_mut().into_iter().for_each(|table| table.end_row(&mut room)),
                Some("p" | "div" | "li") => open.last_mut().into_iter().for_each(|table| table.text(" ")),
                _ => {}
            },
            _ => {}
        }
    }
    let tables: Vec<Vec<Vec<&str>>> =
        done.iter().map(|rows| rows.iter().map(|row| row.iter().map(|cell| &**cell).collect()).collect()).collect();
    Some(serde_json::to_string(&tables).unwrap_or_default())
}

/// What may still be kept.
struct Room {
    cells: usize,
    bytes: usize,
}

impl Room {
    /// Whether one more cell of this text may be kept; if so, it is counted.
    fn takes(&mut self, text: &str) -> bool {
        let (true, Some(bytes)) = (self.cells > 0, self.bytes.checked_sub(text.len())) else { return false };
        (self.cells, self.bytes) = (self.cells - 1, bytes);
        true
    }
}

/// A table being read.
#[derive(Default)]
struct Table {
    rows: Vec<Vec<Rc<str>>>,
    row: Option<Vec<Rc<str>>>,
    cell: Option<Cell>,
    /// By column: rows to come that a cell of an earlier row fills, and its text.
    spans: Vec<Option<(usize, Rc<str>)>>,
}

struct Cell {
    text: String,
    columns: usize,
    rows: usize,
}

impl Table {
    fn start_row(&mut self, room: &mut Room) {
        self.end_row(room);
        self.row = Some(Vec::new());
    }

    fn start_cell(&mut self, element: &Element, room: &mut Room) {
        self.end_cell(room);
        let span = |name, most| match element.attr(name).and_then(|value| value.trim().parse::<usize>().ok()) {
            // Of rows: to the end of their group, which ends all spans.
            Some(0) if name == "rowspan" => most,
            Some(span) => span.clamp(1, most),
            None => 1,
        };
        let (columns, rows) = (span("colspan", MAX_COLSPAN), span("rowspan", MAX_ROWSPAN));
        self.cell = Some(Cell { text: String::new(), columns, rows });
    }

    fn text(&mut self, raw: &str) {
        if let Some(cell) = &mut self.cell {
            text::fold_into(&mut cell.text, raw, MAX_CELL_BYTES, text::Nul::Dropped);
        }
    }

    fn end_cell(&mut self, room: &mut Room) {
        let Some(cell) = self.cell.take() else { return };
        let mut row = self.row.take().unwrap_or_default();
        self.fill_from_above(&mut row, room);
        let text: Rc<str> = folded(&cell.text, MAX_CELL_BYTES).into();
        for _ in 0..cell.columns {
            if !room.takes(&text) {
                break;
            }
            let column = row.len();
            row.push(Rc::clone(&text));
            if cell.rows > 1 {
                if self.spans.len() <= column {
                    self.spans.resize(column + 1, None);
                }
                self.spans[column] = Some((cell.rows - 1, Rc::clone(&text)));
            }
        }
        self.row = Some(row);
    }

    /// Appends the cells of earlier rows that come next in this one.
    fn fill_from_above(&mut self, row: &mut Vec<Rc<str>>, room: &mut Room) {
        while let Some(Some((left, text))) = self.spans.get_mut(row.len())
            && *left > 0
            && room.takes(text)
        {
            *left -= 1;
            row.push(Rc::clone(text));
        }
    }

    fn end_row(&mut self, room: &mut Room) {
        self.end_cell(room);
        let Some(mut row) = self.row.take() else { return };
        // What hangs down to the right of the last cell; where nothing does, the column is empty. The last of the spans
        // is always one that does, so that this costs as much as it adds.
        while room.cells > 0 && row.len() < self.spans.len() {
            while !matches!(self.spans.get(row.len()), Some(Some((1.., _))) | None) && room.takes("") {
                row.push("".into());
            }
            let before = row.len();
            self.fill_from_above(&mut row, room);
            if row.len() == before {
                break;
            }
        }
        while self.spans.pop_if(|span| !matches!(span, Some((1.., _)))).is_some() {}
        self.rows.push(row);
    }

    /// Ends a group of rows: no cell spans beyond.
    fn end_rows(&mut self, room: &mut Room) {
        self.end_row(room);
        self.spans.clear();
    }
}
