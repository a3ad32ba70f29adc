//! Differences as one HTML page: items first, since rules were written for what matters most, then pages.

use std::io::Write;

use serde_json::Value;

use super::marks::{marked, unified};
use super::prose::Prose;
use super::report::{Head, Report, Result, Shown, became, cut, plain, which};
use crate::commands::html::{self, Figure, Markup};
use crate::console::text::grouped;
use seine_export::target::Output;
use seine_store::diff::{Changes, ItemChange, ItemKind, PageChange, PageKind, fields};

/// Characters of a value that are shown.
const VALUE_CHARS: usize = 1000;

/// A page in the making.
pub(super) struct Html {
    output: Output,
    shown: Shown,
    /// Sections that are written: those without rows are left out of the page.
    has_pages: bool,
    has_items: bool,
    made: Markup,
}

impl Html {
    pub fn new(output: Output, shown: Shown) -> Self {
        Self { output, shown, has_pages: false, has_items: false, made: Markup::default() }
    }

    fn end_section(&mut self, more: Option<String>) -> Result<()> {
        let more = more.map(|more| Markup::text(&format!("… and {more}")).within("p", "more"));
        Ok(writeln!(self.output, "{}</section>", more.unwrap_or_default())?)
    }
}

/// The class of a kind of difference.
fn class_of(kind: &str) -> &'static str {
    match kind {
        "new" | "added" | "back" => "tag good",
        "gone" | "removed" => "tag bad",
        "changed" => "tag warn",
        _ => "tag",
    }
}

fn figures(head: &Head<'_>) -> Markup {
    let Changes { items_added, items_changed, items_removed, gone, .. } = head.changes;
    let mut all = Vec::new();
    let mut figure = |count: Option<u64>, caption: &str| {
        let number = count.map_or_else(|| "?".to_owned(), grouped);
        all.push(Figure { number, caption: caption.to_owned(), class: "" });
    };
    if head.has_items {
        let items = [(items_added, "items added"), (items_changed, "items changed"), (items_removed, "items removed")];
        items.into_iter().for_each(|(count, caption)| figure(Some(*count), caption));
    }
    if head.has_pages {
        let of = |kind| Some(head.changes.pages(kind));
        figure(of(PageKind::New), "pages new");
        figure(of(PageKind::Changed), "pages changed");
        figure(*gone, "pages gone");
        figure(of(PageKind::Back), "pages back");
        figure(of(PageKind::Status), "of another status");
    }
    html::figures(&all)
}

impl Report for Html {
    fn begin(&mut self, head: &Head<'_>) -> Result<()> {
        (self.has_pages, self.has_items) = (head.has_pages, head.has_items);
        let name = head.db.file_name().unwrap_or(head.db.as_os_str());
        let lede = format!(
            "Run {} of {} against run {} of {}.",
            head.to.run_id,
            html::date(head.to.started_at),
            head.from.run_id,
            html::date(head.from.started_at)
        );
        let shell = html::Head {
            kind: "What has changed",
            title: name.to_string_lossy().into_owned(),
            lede: Markup::text(&lede),
        };
        html::begin(&mut self.output, &shell)?;
        writeln!(self.output, "{}", figures(head))?;
        for note in head.notes() {
            writeln!(self.output, "{}", Markup::text(&note).within("p", "more"))?;
        }
        let made = Markup::text(&head.db.display().to_string()).within("code", "");
        self.made = Markup::raw("Made of ").with(&made).with(&Markup::raw(concat!(
            " by seine ",
            env!("CARGO_PKG_VERSION"),
            "."
        )));
        Ok(())
    }

    fn has_items_first(&self) -> bool {
        true
    }

    fn items(&mut self) -> Result<()> {
        if self.has_items {
            writeln!(self.output, "<section>\n{}", html::heading("items", "Items", None))?;
        }
        Ok(())
    }

    fn item(&mut self, item: &ItemChange<'_>) -> Result<()> {
        if !self.shown.item(&item.kind) {
            return Ok(());
        }
        let kind = item.kind.name();
        let what = format!("{} {}", item.collection.name, cut(&which(item), VALUE_CHARS));
        let head = Markup::text(kind)
            .within("span", class_of(kind))
            .with(&Markup::raw(" "))
            .with(&Markup::text(&what).within("span", "what"))
            .with(&Markup::raw(" "))
            .with(&Markup::link(item.url))
            .within("p", "");
        let rows = match &item.kind {
            ItemKind::Added(data) | ItemKind::Removed(data) => whole(data),
            ItemKind::Changed(before, after) => changed(before, after),
        };
        let change = head.with(&rows.within("table", "")).within("div", "change");
        Ok(writeln!(self.output, "{change}")?)
    }

    fn pages(&mut self) -> Result<()> {
        if self.has_items {
            let more = self.shown.more_items();
            self.end_section(more)?;
        }
        if self.has_pages {
            writeln!(self.output, "<section>\n{}", html::heading("pages", "Pages", None))?;
        }
        Ok(())
    }

    fn shows(&self, kind: PageKind) -> bool {
        self.shown.shows(kind)
    }

    fn page(&mut self, page: &PageChange<'_>, prose: Option<&Prose>) -> Result<()> {
        if !self.shown.page(page.kind) {
            return Ok(());
        }
        let kind = page.kind.name();
        let mut head = Markup::text(kind).within("span", class_of(kind)).with(&Markup::raw(" "));
        head.push(Markup::link(&page.history.url));
        if let Some(became) = became(page) {
            head.push(Markup::raw(" ").with(&Markup::text(&became).within("span", "note")));
        }
        let mut change = head.within("p", "");
        match prose {
            Some(Prose::Differs(text)) => change.push(unified(text)),
            Some(Prose::Silent(reason)) => change.push(Markup::text(reason).within("p", "note")),
            None => {}
        }
        Ok(writeln!(self.output, "{}", change.within("div", "change"))?)
    }

    fn finish(mut self: Box<Self>, _has_body: bool) -> Result<()> {
        if self.has_pages {
            let more = self.shown.more_pages();
            self.end_section(more)?;
        }
        html::end(&mut self.output, &self.made)?;
        self.output.commit()
    }
}

/// A row for each field of an item that came or went.
fn whole(data: &Value) -> Markup {
    let value = |value: &Value| Markup::cut(&plain(value), VALUE_CHARS);
    let Value::Object(fields) = data else {
        return row(&[Markup::default(), value(data)]);
    };
    let mut rows = Markup::default();
    for (name, field) in fields.iter().filter(|(_, field)| !field.is_null()) {
        rows.push(row(&[Markup::cut(name, VALUE_CHARS), value(field)]));
    }
    rows
}

/// A row for each field that differs: before, after.
fn changed(before: &Value, after: &Value) -> Markup {
    let mut rows = Markup::default();
    for field in fields::compare(before, after) {
        let text = |side: Option<&Value>| side.map(|value| cut(&plain(value), VALUE_CHARS));
        let [before, after] = match (text(field.before), text(field.after)) {
            (Some(before), Some(after)) => marked(&before, &after),
            (before, after) => {
                [before, after].map(|side| side.map_or_else(Markup::default, |text| Markup::text(&text)))
            }
        };
        let path = Markup::cut(&field.path, VALUE_CHARS);
        rows.push(row(&[path, before.within("del", ""), after.within("ins", "")]));
    }
    rows
}

fn row(cells: &[Markup]) -> Markup {
    let mut row = Markup::default();
    cells.iter().for_each(|cell| row.push(cell.clone().within("td", "")));
    row.within("tr", "")
}
