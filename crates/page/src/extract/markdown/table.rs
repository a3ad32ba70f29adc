//! Tables: GFM's, or HTML where a head has several storeys, or blocks where the table is but a frame.

use super::super::arena::{Element, NodeRef};
use super::super::article::MAX_ARTICLE_BYTES;
use super::super::blocks::is_block_tag;
use super::super::grid::{self, Spans};
use super::super::tags::Tag;
use super::blocks::Gap;
use super::inline::Inline;
use super::{Place, Writer, escape};

/// A row of cells, the columns that others fill being empty.
#[derive(Default)]
struct Row {
    cells: Vec<String>,
    is_heading: bool,
}

/// The rows of a table that are kept, and its caption.
#[derive(Default)]
struct Shape<'p> {
    captions: Vec<Element<'p>>,
    /// Each with whether a group of rows begins with it, and whether it is of the head.
    rows: Vec<(Element<'p>, bool, bool)>,
}

impl<'p> Writer<'p> {
    /// A table.
    pub(super) fn table(&mut self, table: Element<'p>) -> Option<()> {
        let shape = self.shape(table);
        if self.place != Place::Blocks || self.is_frame(table, &shape) {
            return self.as_blocks(table);
        }
        self.end_block(Gap::Empty);
        for caption in &shape.captions {
            self.inside(**caption)?;
            self.end_block(Gap::Empty);
        }
        let written = if has_storeys(&shape) { Some(self.html(&shape)?) } else { self.grid(&shape)? };
        if let Some(written) = written {
            self.blocks.lines(&written);
            self.last_list = None;
        }
        self.blocks.gap(Gap::Empty);
        Some(())
    }

    fn shape(&self, table: Element<'p>) -> Shape<'p> {
        let mut shape = Shape::default();
        let kept = |node: NodeRef<'p>| node.as_element().filter(|element| self.selection.keeps(element.id()));
        for part in table.children().filter_map(kept) {
            match part.tag() {
                Tag::Caption => shape.captions.push(part),
                Tag::Tr => shape.rows.push((part, false, false)),
                Tag::Thead | Tag::Tbody | Tag::Tfoot => {
                    let rows = part.children().filter_map(kept).filter(|row| row.is(Tag::Tr));
                    shape.rows.extend(rows.enumerate().map(|(n, row)| (row, n == 0, part.is(Tag::Thead))));
                }
                _ => {}
            }
        }
        shape
    }

    /// Whether a table only puts things beside each other: it has tables in it, or one column.
    fn is_frame(&self, table: Element<'p>, shape: &Shape<'p>) -> bool {
        let is_kept_table = |node: NodeRef<'p>| {
            node.as_element().is_some_and(|inner| inner.is(Tag::Table)) && self.selection.keeps(node.id())
        };
        let has_head = shape.rows.first().is_some_and(|(row, _, _)| is_heading(*row));
        let is_narrow = shape.rows.iter().all(|(row, _, _)| cells(*row).nth(1).is_none());
        matches!(table.attr("role"), Some("presentation" | "none"))
            || is_narrow && !(has_head && shape.rows.len() > 1)
            || shape.rows.len() == 1 && !has_head && shape.rows.iter().any(|(row, _, _)| cells(*row).any(has_blocks))
            || table.descendants().any(is_kept_table)
    }

    fn as_blocks(&mut self, table: Element<'p>) -> Option<()> {
        self.end_block(Gap::Empty);
        for part in table.children() {
            self.node(part)?;
        }
        self.end_block(Gap::Empty);
        Some(())
    }

    /// The table as GFM has it; nothing if it has no cells.
    fn grid(&mut self, shape: &Shape<'p>) -> Option<Option<String>> {
        let mut rows: Vec<Row> = Vec::new();
        let mut spans: Spans<()> = Spans::default();
        let (mut width, mut bytes) = (0, 0);
        for (element, is_first, _) in &shape.rows {
            if *is_first {
                spans.clear();
            }
            let mut row = Row { cells: Vec::new(), is_heading: is_heading(*element) };
            for cell in cells(*element) {
                while spans.take(row.cells.len()).is_some() {
                    row.cells.push(String::new());
                }
                let (columns, down) = (grid::columns(cell), grid::rows(cell));
                let text = if self.selection.keeps(cell.id()) { self.cell(cell)? } else { String::new() };
                bytes += text.len();
                let at = row.cells.len();
                row.cells.push(text);
                row.cells.resize(at + columns, String::new());
                if down > 1 {
                    (at..at + columns).for_each(|column| spans.hang(column, down - 1, ()));
                }
            }
            while row.cells.len() < spans.width() {
                spans.take(row.cells.len());
                row.cells.push(String::new());
            }
            spans.shrink();
            while row.cells.len() > 1 && row.cells.last().is_some_and(String::is_empty) && row.cells.len() > width {
                // What spans beyond the last column that says something is no column.
                row.cells.pop();
            }
            width = width.max(row.cells.len());
            bytes += row.cells.len() * 3;
            rows.push(row);
            if bytes > MAX_ARTICLE_BYTES || rows.len() * width > MAX_ARTICLE_BYTES {
                break;
            }
        }
        rows.retain(|row| !row.cells.iter().all(String::is_empty));
        if rows.is_empty() {
            return Some(None);
        }
        let mut written = String::new();
        let mut rows = rows.iter().peekable();
        match rows.next_if(|first| first.is_heading) {
            Some(head) => push_row(&mut written, &head.cells, width),
            None => push_row(&mut written, &vec![" ".to_owned(); width], width),
        }
        written.push_str("\n|");
        (0..width).for_each(|_| written.push_str(" - |"));
        for row in rows {
            if written.len() > MAX_ARTICLE_BYTES {
                break;
            }
            written.push('\n');
            push_row(&mut written, &row.cells, width);
        }
        Some(Some(written))
    }

    /// The text of a cell in one line.
    fn cell(&mut self, cell: Element<'p>) -> Option<String> {
        let line = std::mem::replace(&mut self.line, Inline::of(true));
        let place = std::mem::replace(&mut self.place, Place::Cell);
        self.inside(*cell)?;
        self.place = place;
        Some(std::mem::replace(&mut self.line, line).take())
    }

    /// The table as HTML, with its spans.
    fn html(&mut self, shape: &Shape<'p>) -> Option<String> {
        let mut written = "<table>".to_owned();
        for (row, _, _) in &shape.rows {
            if written.len() > MAX_ARTICLE_BYTES {
                break;
            }
            written.push_str("\n<tr>");
            for cell in cells(*row) {
                let name = if cell.is(Tag::Th) { "th" } else { "td" };
                written.push_str(&format!("<{name}"));
                for (attribute, count) in [("colspan", grid::columns(cell)), ("rowspan", grid::rows(cell))] {
                    if count > 1 {
                        written.push_str(&format!(" {attribute}=\"{count}\""));
                    }
                }
                written.push('>');
                let mut inside = Html { out: String::new(), space: false };
                for edge in cell.edges().skip(1) {
                    self.seen += 1;
                    if !self.page.goes_on(self.seen) {
                        return None;
                    }
                    self.html_edge(&mut inside, edge, cell);
                }
                written.push_str(inside.out.trim());
                written.push_str(&format!("</{name}>"));
            }
            written.push_str("</tr>");
        }
        Some(written + "\n</table>")
    }

    fn html_edge(&self, html: &mut Html, edge: super::super::arena::Edge<'p>, cell: Element<'p>) {
        use super::super::arena::Edge;
        let (node, is_open) = match edge {
            Edge::Open(node) => (node, true),
            Edge::Close(node) => (node, false),
        };
        if !self.selection.keeps(node.id()) || node.id() == cell.id() {
            return;
        }
        if let Some(text) = node.as_text().filter(|_| is_open) {
            return html.text(text);
        }
        let Some(element) = node.as_element() else { return };
        let slash = if is_open { "" } else { "/" };
        match element.tag() {
            Tag::A => match element.attr("href").and_then(|href| self.target(href)) {
                Some(url) if is_open => {
                    html.tag(&format!("<a href=\"{}\">", escape::html(&url).replace('"', "&quot;")))
                }
                Some(_) => html.tag("</a>"),
                None => {}
            },
            Tag::B | Tag::Strong | Tag::I | Tag::Em | Tag::Code | Tag::Sup | Tag::Sub | Tag::Del => {
                html.tag(&format!("<{slash}{}>", element.name()));
            }
            Tag::Br if is_open => html.out.push_str("<br>"),
            _ if is_block_tag(element.tag()) && !html.out.is_empty() && !html.out.ends_with("<br>") && is_open => {
                html.out.push_str("<br>");
            }
            _ => {}
        }
    }
}

/// The inside of a cell as HTML in one line.
struct Html {
    out: String,
    space: bool,
}

impl Html {
    fn text(&mut self, text: &str) {
        for (n, word) in text.split_whitespace().enumerate() {
            if (n > 0 || self.space || text.starts_with(char::is_whitespace)) && !self.out.is_empty() {
                self.out.push(' ');
            }
            self.space = false;
            self.out.push_str(&escape::html(word));
        }
        self.space |= text.ends_with(char::is_whitespace);
    }

    fn tag(&mut self, tag: &str) {
        if std::mem::take(&mut self.space) {
            self.out.push(' ');
        }
        self.out.push_str(tag);
    }
}

fn push_row(out: &mut String, cells: &[String], width: usize) {
    out.push('|');
    for n in 0..width {
        match cells.get(n).map_or("", |cell| cell) {
            blank if blank.trim().is_empty() => {
                out.push(' ');
                out.push_str(blank);
            }
            cell => {
                out.push(' ');
                out.push_str(cell.trim());
            }
        }
        out.push_str(" |");
    }
}

fn cells(row: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    row.children().filter_map(NodeRef::as_element).filter(|cell| cell.is(Tag::Td) || cell.is(Tag::Th))
}

/// Whether a row is one of headings: all its cells are.
fn is_heading(row: Element<'_>) -> bool {
    let is_in_head = row.parent_element().is_some_and(|parent| parent.is(Tag::Thead));
    let mut of_row = cells(row).peekable();
    of_row.peek().is_some() && (is_in_head || of_row.all(|cell| cell.is(Tag::Th)))
}

fn has_blocks(cell: Element<'_>) -> bool {
    cell.children().filter_map(NodeRef::as_element).any(|inner| is_block_tag(inner.tag()))
}

/// Whether the head has several rows and cells that span them: GFM has one row for it.
fn has_storeys(shape: &Shape<'_>) -> bool {
    let head = shape.rows.iter().take_while(|(row, _, is_head)| *is_head || cells(*row).all(|cell| cell.is(Tag::Th)));
    let spans = |row: Element<'_>| cells(row).any(|cell| grid::columns(cell) > 1 || grid::rows(cell) > 1);
    let (mut count, mut is_spanned) = (0, false);
    for (row, _, _) in head {
        count += 1;
        is_spanned |= spans(*row);
    }
    count > 1 && is_spanned && count < shape.rows.len()
}
