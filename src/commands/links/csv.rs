//! Links as CSV: the columns of the view `links`, and what became of the target.

use super::report::{Report, Result, columns, is_told};
use seine_export::target::Output;
use seine_export::{Cell, Format, Sink, Style, sink};
use seine_store::links::{Counts, Link};
use seine_store::tables::Column;

/// Rows into a file.
pub(super) struct Csv {
    sink: Box<dyn Sink>,
    /// Whether each column of the view is told.
    told: Vec<bool>,
}

impl Csv {
    pub fn new(output: Output, of_view: &[Column], spreadsheet_safe: bool) -> Result<Self> {
        let mut sink = sink(Format::Csv, output, Style { spreadsheet_safe, bom: false })?;
        sink.table("links", &columns(of_view))?;
        Ok(Self { sink, told: of_view.iter().map(is_told).collect() })
    }
}

fn text(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Null, |text| Cell::Text(text.as_bytes()))
}

impl Report for Csv {
    fn link(&mut self, link: &Link<'_>) -> Result<()> {
        let of_view = link.cells.iter().zip(&self.told).filter(|(_, told)| **told).map(|(cell, _)| *cell);
        let target = link.target;
        let own = [
            text(Some(link.state.name())),
            text(target.outcome.map(|outcome| outcome.name())),
            target.status.map_or(Cell::Null, |status| Cell::Integer(status.into())),
            text(target.error.as_deref()),
            text(target.final_url.as_deref()),
        ];
        let row: Vec<_> = of_view.chain(own).collect();
        self.sink.row(&row)
    }

    fn finish(self: Box<Self>, _counts: &Counts) -> Result<()> {
        self.sink.finish().map(|_| ())
    }
}
