//! A tree as Markdown.
//!
//! `dom_query` writes it; but of HTML that Markdown has no signs for it loses the bounds between words, and tables whose
//! rows differ in length. So it gets a copy that Markdown can say: tables are grids, blocks of all kinds are `<div>`,
//! line breaks of code are line breaks, headings have one line, images are those that scripts put in place.

use std::collections::HashMap;

use dom_query::Document;
use ego_tree::iter::Edge;
use ego_tree::{NodeId, NodeRef};
use scraper::node::Element;
use scraper::{Html, Node};

use super::blocks::is_block;
use super::copy::{self, Writer, push_end, push_tag, push_text};
use super::extras::Page;
use super::grid::{self, Spans};
use super::images;
use super::limits::{self, Met};

/// Wider tables, which are no tables for readers, are written cell by cell.
const MAX_COLUMNS: usize = 100;

/// The Markdown of `tree` without the elements called one of `without`; nothing if it is no tree that can be written
/// within bounds. `None`: told to stop.
pub(super) fn markdown(tree: &Html, without: &[&str], page: &Page, met: &mut Met) -> Option<Option<String>> {
    let mut writer = ForMarkdown { widths: widths(tree, page)?, ..ForMarkdown::default() };
    let (html, is_cut) = copy::copy(tree, without, &mut writer, page)?;
    if is_cut {
        met.note(&limits::MARKDOWN_ELEMENTS);
    }
    let is_tame = copy::is_tame(&html, page)?;
    Some(is_tame.then(|| Document::from(html).md(None).trim().to_owned()))
}

/// Columns of the tables that can be written as grids: those without tables in them, of a reasonable width.
fn widths(tree: &Html, page: &Page) -> Option<HashMap<NodeId, usize>> {
    let mut widths = HashMap::new();
    let mut open: Vec<Measured> = Vec::new();
    for (n, edge) in tree.tree.root().traverse().enumerate() {
        if !page.goes_on(n) {
            return None;
        }
        let (node, is_start) = match edge {
            Edge::Open(node) => (node, true),
            Edge::Close(node) => (node, false),
        };
        let Some(element) = node.value().as_element() else { continue };
        match (element.name(), is_start) {
            ("table", true) => {
                if let Some(outer) = open.last_mut() {
                    outer.is_grid = false;
                }
                open.push(Measured { is_grid: true, ..Measured::default() });
            }
            ("table", false) => {
                let measured = open.pop().filter(|table| table.is_grid && table.width > 0);
                widths.extend(measured.map(|table| (node.id(), table.width)));
            }
            (name, is_start) => {
                if let Some(table) = open.last_mut() {
                    table.measure(name, element, is_start);
                }
            }
        }
    }
    Some(widths)
}

/// A table whose columns are being counted.
#[derive(Default)]
struct Measured {
    is_grid: bool,
    width: usize,
    row: Row,
}

impl Measured {
    fn measure(&mut self, name: &str, element: &Element, is_start: bool) {
        match (name, is_start) {
            _ if !self.is_grid => {}
            ("tr", true) => self.row.column = 0,
            ("td" | "th", true) => {
                self.row.fill();
                self.row.cell(element);
            }
            ("tr", false) => {
                self.row.fill_to(self.row.spans.width());
                self.width = self.width.max(self.row.column);
                self.is_grid = self.width <= MAX_COLUMNS;
            }
            ("thead" | "tbody" | "tfoot", _) => self.row.spans.clear(),
            _ => {}
        }
        self.is_grid &= self.row.column <= MAX_COLUMNS;
    }
}

/// The current column of a row, and the columns that cells of earlier rows fill.
#[derive(Default)]
struct Row {
    column: usize,
    /// Whether it is a heading's cell.
    spans: Spans<bool>,
    is_heading: bool,
}

impl Row {
    /// Passes over the columns that are filled from above; their number.
    fn fill(&mut self) -> usize {
        let from = self.column;
        while let Some(is_heading) = self.spans.take(self.column) {
            self.is_heading = is_heading;
            self.column += 1;
        }
        self.column - from
    }

    /// Passes over all columns up to this one; their number.
    fn fill_to(&mut self, width: usize) -> usize {
        let from = self.column;
        while self.column < width {
            self.spans.take(self.column);
            self.column += 1;
        }
        self.spans.shrink();
        self.column - from
    }

    /// Passes over the columns of a cell; those beside its first.
    fn cell(&mut self, element: &Element) -> usize {
        let (columns, rows) = (grid::columns(element).min(MAX_COLUMNS + 1), grid::rows(element));
        self.is_heading = element.name() == "th";
        for _ in 0..columns {
            if rows > 1 {
                self.spans.hang(self.column, rows - 1, self.is_heading);
            }
            self.column += 1;
        }
        columns - 1
    }
}

/// A table being written.
enum Table {
    /// As rows of so many cells.
    Grid { columns: usize, row: Row, is_begun: bool },
    /// Cell by cell.
    Blocks,
}

/// Writes what Markdown can say.
#[derive(Default)]
struct ForMarkdown {
    widths: HashMap<NodeId, usize>,
    tables: Vec<Table>,
    heading: Option<NodeId>,
    /// A `<pre>`, and where its contents begin.
    pre: Option<(NodeId, usize)>,
    cell: Option<NodeId>,
    /// Elements of code that are open in a cell.
    code: usize,
}

impl Writer for ForMarkdown {
    fn start(&mut self, html: &mut String, node: NodeRef<'_, Node>, element: &Element, page: &Page) -> usize {
        let name = element.name();
        if self.pre.is_some() || self.heading.is_some() && (name == "br" || is_block(name)) {
            self.start_in_line(html, name, node, page);
            return 0;
        }
        match name {
            "table" => self.start_table(html, node),
            "caption" | "colgroup" | "col" | "thead" | "tbody" | "tfoot" | "tr" | "td" | "th"
                if !self.tables.is_empty() =>
            {
                return self.start_part(html, node, name, page);
            }
            "pre" => {
                if self.cell.is_none() {
                    // A line end right behind the tag would be none of the text.
                    push_tag(html, name, node, page, None);
                    html.push('\n');
                }
                self.pre = Some((node.id(), html.len()));
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.heading = Some(node.id());
                push_tag(html, if self.cell.is_some() { "b" } else { name }, node, page, None);
            }
            "code" if self.cell.is_some() => {
                self.code += 1;
                push_tag(html, name, node, page, None);
            }
            "img" => {
                let picture = images::picture(node, page);
                push_tag(html, name, node, page, picture.as_deref());
            }
            _ => push_tag(html, spoken(name), node, page, None),
        }
        0
    }

    fn text(&mut self, html: &mut String, text: &str) {
        if self.code > 0 && self.pre.is_none() && text.contains('\n') {
            // A cell has no lines.
            return push_text(html, &text.replace('\n', " "));
        }
        push_text(html, text);
    }

    fn end(&mut self, html: &mut String, node: NodeRef<'_, Node>, element: &Element) -> usize {
        let name = element.name();
        if let Some((pre, from)) = self.pre {
            if pre == node.id() {
                self.pre = None;
                self.end_pre(html, from);
            } else if name == "code" && self.cell.is_none() {
                push_end(html, name);
            } else if is_block(name) && html.len() > from && !html.ends_with('\n') {
                html.push('\n');
            }
            return 0;
        }
        if let Some(heading) = self.heading {
            if heading == node.id() {
                self.heading = None;
                push_end(html, if self.cell.is_some() { "b" } else { name });
                return 0;
            } else if name == "br" || is_block(name) {
                html.push(' ');
                return 0;
            }
        }
        match name {
            "table" => match self.tables.pop() {
                Some(Table::Grid { is_begun: true, .. }) => push_end(html, "table"),
                Some(Table::Grid { .. }) => {}
                Some(Table::Blocks) | None => push_end(html, "div"),
            },
            "caption" | "colgroup" | "col" | "thead" | "tbody" | "tfoot" | "tr" | "td" | "th"
                if !self.tables.is_empty() =>
            {
                return self.end_part(html, node, element);
            }
            "code" if self.cell.is_some() => {
                self.code = self.code.saturating_sub(1);
                push_end(html, name);
            }
            _ => push_end(html, spoken(name)),
        }
        0
    }
}

impl ForMarkdown {
    /// An element in code or in a heading, of which Markdown has one line.
    fn start_in_line(&self, html: &mut String, name: &str, node: NodeRef<'_, Node>, page: &Page) {
        match self.pre {
            None => html.push(' '),
            Some(_) if name == "br" => html.push('\n'),
            Some((_, from)) if is_block(name) && html.len() > from && !html.ends_with('\n') => html.push('\n'),
            // It tells the language.
            Some(_) if name == "code" && self.cell.is_none() => push_tag(html, name, node, page, None),
            Some(_) => {}
        }
    }

    /// A `<pre>` has no place in a cell, but its lines have.
    fn end_pre(&mut self, html: &mut String, from: usize) {
        if self.cell.is_none() {
            return push_end(html, "pre");
        }
        let lines = html.split_off(from);
        for line in lines.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
            html.push_str(&format!("<div><code>{line}</code></div>"));
        }
    }

    fn start_table(&mut self, html: &mut String, node: NodeRef<'_, Node>) {
        self.tables.push(match self.widths.get(&node.id()) {
            Some(&columns) => Table::Grid { columns, row: Row::default(), is_begun: false },
            None => {
                html.push_str("<div>");
                Table::Blocks
            }
        });
    }

    fn start_part(&mut self, html: &mut String, node: NodeRef<'_, Node>, name: &str, page: &Page) -> usize {
        let Some(Table::Grid { row, is_begun, .. }) = self.tables.last_mut() else {
            if matches!(name, "caption" | "tr" | "td" | "th") {
                push_tag(html, "div", node, page, None);
            }
            return 0;
        };
        match name {
            // Markdown has none: it stands before the table.
            "caption" => {
                if std::mem::take(is_begun) {
                    push_end(html, "table");
                }
                push_tag(html, "div", node, page, None);
            }
            "tr" => {
                if !std::mem::replace(is_begun, true) {
                    html.push_str("<table>");
                }
                html.push_str("<tr>");
                (row.column, row.is_heading) = (0, false);
            }
            "td" | "th" => {
                let filled = row.fill();
                push_cells(html, filled, row.is_heading);
                html.push_str(if name == "th" { "<th>" } else { "<td>" });
                (self.cell, self.code) = (Some(node.id()), 0);
                return filled;
            }
            "thead" | "tbody" | "tfoot" => row.spans.clear(),
            _ => {}
        }
        0
    }

    fn end_part(&mut self, html: &mut String, node: NodeRef<'_, Node>, element: &Element) -> usize {
        let name = element.name();
        let Some(Table::Grid { columns, row, .. }) = self.tables.last_mut() else {
            if matches!(name, "caption" | "tr" | "td" | "th") {
                push_end(html, "div");
            }
            return 0;
        };
        match name {
            "caption" => push_end(html, "div"),
            "tr" => {
                let filled = row.fill_to(*columns);
                push_cells(html, filled, row.is_heading);
                push_end(html, name);
                return filled;
            }
            "td" | "th" if self.cell == Some(node.id()) => {
                self.cell = None;
                push_end(html, name);
                let filled = row.cell(element);
                push_cells(html, filled, row.is_heading);
                return filled;
            }
            "thead" | "tbody" | "tfoot" => row.spans.clear(),
            _ => {}
        }
        0
    }
}

/// Writes empty cells.
fn push_cells(html: &mut String, count: usize, is_heading: bool) {
    (0..count).for_each(|_| html.push_str(if is_heading { "<th></th>" } else { "<td></td>" }));
}

/// The name under which an element is written: a block of which Markdown has no own is one like others.
fn spoken(name: &str) -> &str {
    match name {
        "article" | "blockquote" | "section" | "div" | "p" | "ul" | "ol" | "li" | "hr" => name,
        "menu" | "dir" => "ul",
        name if is_block(name) => "div",
        name => name,
    }
}
