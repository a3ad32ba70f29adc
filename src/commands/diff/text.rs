//! Differences as text for people.

use std::io::Write;

use super::prose::Prose;
use super::report::{Head, Report, Result, Shown, became, cut, which};
use crate::console::text::at_ms;
use crate::console::text::printable;
use seine_export::target::Output;
use seine_store::diff::{ItemChange, ItemKind, PageChange, PageKind, Run, fields};

/// Characters of a value that are shown.
const VALUE_CHARS: usize = 160;
/// Characters of a line of text that are shown.
const LINE_CHARS: usize = 2000;

/// Colours as terminals have them (ECMA-48).
#[derive(Clone, Copy)]
enum Colour {
    Red = 31,
    Green = 32,
    Yellow = 33,
    Cyan = 36,
}

/// Lines of text; what sites sent is made harmless.
pub(super) struct Text {
    output: Output,
    has_colour: bool,
    shown: Shown,
}

impl Text {
    pub fn new(output: Output, has_colour: bool, shown: Shown) -> Self {
        Self { output, has_colour, shown }
    }

    fn painted(&self, colour: Colour, text: &str) -> String {
        if self.has_colour { format!("\x1b[{}m{text}\x1b[0m", colour as u8) } else { text.to_owned() }
    }

    fn more(&mut self, more: Option<String>) -> Result<()> {
        if let Some(more) = more {
            writeln!(self.output, "... and {more}; --limit 0 shows all")?;
        }
        Ok(())
    }
}

/// `run 2 (2026-01-02T03:04:05.678Z)`
fn named(run: &Run) -> String {
    format!("run {} ({})", run.run_id, at_ms(run.started_at))
}

impl Report for Text {
    fn begin(&mut self, head: &Head<'_>) -> Result<()> {
        writeln!(self.output, "{}: {} against {}", head.db.display(), named(head.to), named(head.from))?;
        if let Some(pages) = head.pages_in_words() {
            writeln!(self.output, "  pages  {pages}")?;
        }
        if let Some(items) = head.items_in_words() {
            writeln!(self.output, "  items  {items}")?;
        }
        for note in head.notes() {
            writeln!(self.output, "  {}", printable(&note))?;
        }
        Ok(())
    }

    fn pages(&mut self) -> Result<()> {
        Ok(())
    }

    fn shows(&self, kind: PageKind) -> bool {
        self.shown.shows(kind)
    }

    fn page(&mut self, page: &PageChange<'_>, prose: Option<&Prose>) -> Result<()> {
        if !self.shown.page(page.kind) {
            return Ok(());
        }
        let colour = match page.kind {
            PageKind::New | PageKind::Back => Colour::Green,
            PageKind::Changed => Colour::Yellow,
            PageKind::Gone => Colour::Red,
            PageKind::Status => Colour::Cyan,
        };
        let kind = self.painted(colour, &format!("{:<7}", page.kind.name()));
        write!(self.output, "{kind}  {}", printable(&page.history.url))?;
        if let Some(became) = became(page) {
            write!(self.output, "  {}", printable(&became))?;
        }
        writeln!(self.output)?;
        match prose {
            Some(Prose::Differs(text)) => self.prose(text),
            Some(Prose::Silent(reason)) => Ok(writeln!(self.output, "         {reason}")?),
            None => Ok(()),
        }
    }

    fn items(&mut self) -> Result<()> {
        let more = self.shown.more_pages();
        self.more(more)
    }

    fn item(&mut self, item: &ItemChange<'_>) -> Result<()> {
        if !self.shown.item(&item.kind) {
            return Ok(());
        }
        let colour = match item.kind {
            ItemKind::Added(_) => Colour::Green,
            ItemKind::Changed(..) => Colour::Yellow,
            ItemKind::Removed(_) => Colour::Red,
        };
        let kind = self.painted(colour, &format!("{:<7}", item.kind.name()));
        let (collection, which) = (printable(&item.collection.name), printable(&cut(&which(item), VALUE_CHARS)));
        writeln!(self.output, "{kind}  {collection} {which}  {}", printable(item.url))?;
        let value = |value: &serde_json::Value| printable(&cut(&value.to_string(), VALUE_CHARS));
        match &item.kind {
            ItemKind::Added(data) | ItemKind::Removed(data) => writeln!(self.output, "         {}", value(data))?,
            ItemKind::Changed(before, after) => {
                for field in fields::compare(before, after) {
                    let path = if field.path.is_empty() { ".".to_owned() } else { printable(&field.path) };
                    let [before, after] =
                        [field.before, field.after].map(|side| side.map_or_else(|| "nothing".to_owned(), value));
                    let (before, after) = (self.painted(Colour::Red, &before), self.painted(Colour::Green, &after));
                    writeln!(self.output, "         {path} {before} → {after}")?;
                }
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, has_body: bool) -> Result<()> {
        if has_body {
            let more = self.shown.more_items();
            self.more(more)?;
        }
        self.output.commit()
    }
}

impl Text {
    fn prose(&mut self, text: &str) -> Result<()> {
        let output = &mut self.output;
        lines(output, text, self.has_colour)
    }
}

/// The lines of a unified diff, moved in.
pub(super) fn lines(output: &mut Output, text: &str, has_colour: bool) -> Result<()> {
    for line in text.lines() {
        let colour = match line.as_bytes().first() {
            Some(b'+') if has_colour => Some(Colour::Green),
            Some(b'-') if has_colour => Some(Colour::Red),
            Some(b'@') if has_colour => Some(Colour::Cyan),
            _ => None,
        };
        let line = printable(&cut(line, LINE_CHARS));
        match colour {
            Some(colour) => writeln!(output, "    \x1b[{}m{line}\x1b[0m", colour as u8)?,
            None => writeln!(output, "    {line}")?,
        }
    }
    Ok(())
}
