//! Differences as CSV: a row for each page, for each item that was added or removed, and for each field that changed.

use super::prose::Prose;
use super::report::{Head, Report, Result, key, plain, state};
use seine_export::target::Output;
use seine_export::{Cell, Format, Sink, Style, sink};
use seine_store::diff::{ItemChange, ItemKind, PageChange, PageKind, fields};
use seine_store::tables::{Column, ColumnType};

/// Columns, in their order.
const COLUMNS: [&str; 10] =
    ["what", "change", "url", "collection", "key", "number", "field", "before", "after", "text_diff"];

/// Rows into a file.
pub(super) struct Csv {
    sink: Box<dyn Sink>,
}

impl Csv {
    pub fn new(output: Output, spreadsheet_safe: bool) -> Result<Self> {
        Ok(Self { sink: sink(Format::Csv, output, Style { spreadsheet_safe, bom: false })? })
    }

    /// A row; of `None` there is nothing.
    fn row(&mut self, cells: [Option<&str>; COLUMNS.len()]) -> Result<()> {
        self.sink.row(&cells.map(|cell| cell.map_or(Cell::Null, |text| Cell::Text(text.as_bytes()))))
    }
}

impl Report for Csv {
    fn begin(&mut self, _head: &Head<'_>) -> Result<()> {
        self.sink.table("diff", &COLUMNS.map(|name| Column::new(name, ColumnType::Text)))
    }

    fn pages(&mut self) -> Result<()> {
        Ok(())
    }

    fn shows(&self, _kind: PageKind) -> bool {
        true
    }

    fn page(&mut self, page: &PageChange<'_>, prose: Option<&Prose>) -> Result<()> {
        let before = page.before.map(|before| state(Some(before)));
        let after = if page.is_unlisted { "unlisted".to_owned() } else { state(Some(page.after)) };
        let text = match prose {
            Some(Prose::Differs(text)) => Some(text.as_str()),
            Some(Prose::Silent(_)) | None => None,
        };
        let (change, url) = (page.kind.name(), page.history.url.as_str());
        self.row([Some("page"), Some(change), Some(url), None, None, None, None, before.as_deref(), Some(&after), text])
    }

    fn items(&mut self) -> Result<()> {
        Ok(())
    }

    fn item(&mut self, item: &ItemChange<'_>) -> Result<()> {
        let key = key(item).map(|key| serde_json::Value::Object(key).to_string());
        let number = item.number.map(|number| number.to_string());
        let (change, url, collection) = (item.kind.name(), item.url, item.collection.name.as_str());
        let mut row = |field: Option<&str>, before: Option<String>, after: Option<String>| {
            self.row([
                Some("item"),
                Some(change),
                Some(url),
                Some(collection),
                key.as_deref(),
                number.as_deref(),
                field,
                before.as_deref(),
                after.as_deref(),
                None,
            ])
        };
        match &item.kind {
            ItemKind::Added(data) => row(None, None, Some(data.to_string())),
            ItemKind::Removed(data) => row(None, Some(data.to_string()), None),
            ItemKind::Changed(before, after) => fields::compare(before, after)
                .into_iter()
                .try_for_each(|field| row(Some(&field.path), field.before.map(plain), field.after.map(plain))),
        }
    }

    fn finish(self: Box<Self>, _has_body: bool) -> Result<()> {
        self.sink.finish().map(|_| ())
    }
}
