//! Differences as one JSON object: `{"from", "to", "counts", "notes", "pages": [...], "items": [...]}`. Each page and
//! each item stands on a line of its own.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::prose::Prose;
use super::report::{Head, Report, Result, key};
use crate::console::text::at_ms;
use seine_export::target::Output;
use seine_store::diff::history::Fetch;
use seine_store::diff::{ItemChange, ItemKind, PageChange, PageKind, Run, fields};

/// An object that is written as it comes.
pub(super) struct Json {
    output: Output,
    is_first: bool,
}

impl Json {
    pub fn new(output: Output) -> Self {
        Self { output, is_first: true }
    }

    /// One more element of the array that is open.
    fn element(&mut self, value: &Value) -> Result<()> {
        let separator = if std::mem::take(&mut self.is_first) { "\n" } else { ",\n" };
        Ok(write!(self.output, "{separator}{value}")?)
    }
}

fn run(run: &Run) -> Value {
    json!({
        "run_id": run.run_id,
        "started_at": at_ms(run.started_at),
        "ended_at": run.ended_at.map(at_ms),
        "ended_by": run.ended_by,
    })
}

/// A page as of a run.
pub(super) fn fetch(fetch: &Fetch) -> Value {
    let hash = fetch.hash.as_ref().map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    json!({
        "run_id": fetch.run_id,
        "fetched_at": at_ms(fetch.fetched_at.try_into().unwrap_or_default()),
        "outcome": fetch.outcome.name(),
        "status": fetch.status,
        "error": fetch.error,
        "title": fetch.title,
        "body_hash": hash,
    })
}

/// Adds what is known of a page's text.
pub(super) fn add_prose(object: &mut Value, prose: &Prose) {
    let (name, text) = match prose {
        Prose::Differs(text) => ("text_diff", text.as_str()),
        Prose::Silent(reason) => ("text_note", *reason),
    };
    object[name] = text.into();
}

impl Report for Json {
    fn begin(&mut self, head: &Head<'_>) -> Result<()> {
        let changes = head.changes;
        let mut counts = Map::new();
        if head.has_pages {
            for kind in PageKind::ALL {
                counts.insert(kind.name().into(), changes.pages(kind).into());
            }
            counts.insert("gone".into(), changes.gone.into());
        }
        if head.has_items {
            let items = [
                ("items_added", changes.items_added),
                ("items_changed", changes.items_changed),
                ("items_removed", changes.items_removed),
            ];
            counts.extend(items.map(|(name, count)| (name.to_owned(), count.into())));
        }
        write!(
            self.output,
            "{{\"db\":{},\n\"from\":{},\n\"to\":{},\n\"counts\":{},\n\"notes\":{}",
            json!(head.db.to_string_lossy()),
            run(head.from),
            run(head.to),
            Value::Object(counts),
            json!(head.notes())
        )?;
        Ok(())
    }

    fn pages(&mut self) -> Result<()> {
        Ok(write!(self.output, ",\n\"pages\":[")?)
    }

    fn shows(&self, _kind: PageKind) -> bool {
        true
    }

    fn page(&mut self, page: &PageChange<'_>, prose: Option<&Prose>) -> Result<()> {
        let mut object = json!({
            "change": page.kind.name(),
            "url": page.history.url,
            "unlisted": page.is_unlisted,
            "before": page.before.map(fetch),
            "after": fetch(page.after),
        });
        if let Some(prose) = prose {
            add_prose(&mut object, prose);
        }
        self.element(&object)
    }

    fn items(&mut self) -> Result<()> {
        self.is_first = true;
        Ok(write!(self.output, "],\n\"items\":[")?)
    }

    fn item(&mut self, item: &ItemChange<'_>) -> Result<()> {
        let mut object = json!({
            "change": item.kind.name(),
            "collection": item.collection.name,
            "url": item.url,
            "key": key(item),
            "number": item.number,
        });
        match &item.kind {
            ItemKind::Added(data) | ItemKind::Removed(data) => object["data"] = data.clone(),
            ItemKind::Changed(before, after) => {
                let changes = fields::compare(before, after).into_iter().map(|change| {
                    // A missing field is left out, which tells it from null.
                    let sides = [("before", change.before), ("after", change.after)];
                    let sides = sides.into_iter().filter_map(|(name, side)| Some((name.to_owned(), side?.clone())));
                    Value::Object([("path".to_owned(), change.path.into())].into_iter().chain(sides).collect())
                });
                object["fields"] = changes.collect();
            }
        }
        self.element(&object)
    }

    fn finish(mut self: Box<Self>, has_body: bool) -> Result<()> {
        writeln!(self.output, "{}", if has_body { "]}" } else { "}" })?;
        self.output.commit()
    }
}
