//! The interface of every format of a diff, and the values it is handed.

use std::path::Path;

use serde_json::{Map, Value};

use super::prose::Prose;
use crate::console::text::grouped;
use seine_export::ExportError;
use seine_store::diff::history::Fetch;
use seine_store::diff::{Changes, ItemChange, ItemKind, PageChange, PageKind, Run};

pub(super) type Result<T, E = ExportError> = std::result::Result<T, E>;

/// Between what, and how much differs.
pub(super) struct Head<'a> {
    pub db: &'a Path,
    pub from: &'a Run,
    pub to: &'a Run,
    pub changes: &'a Changes,
    pub has_pages: bool,
    pub has_items: bool,
    /// Collections of which only the last items are kept.
    pub left_out: &'a [String],
}

impl Head<'_> {
    /// How many pages differ, in words; `None` if they are not told of.
    pub fn pages_in_words(&self) -> Option<String> {
        let changes = self.changes;
        let gone = changes.gone.map_or_else(|| "?".to_owned(), grouped);
        let [new, changed, back, status] = [changes.new, changes.changed, changes.back, changes.status].map(grouped);
        self.has_pages
            .then(|| format!("{new} new, {changed} changed, {gone} gone, {back} back, {status} of another status"))
    }

    /// The same of items.
    pub fn items_in_words(&self) -> Option<String> {
        let changes = self.changes;
        let [added, changed, removed] =
            [changes.items_added, changes.items_changed, changes.items_removed].map(grouped);
        self.has_items.then(|| format!("{added} added, {changed} changed, {removed} removed"))
    }

    /// Sentences about differences that cannot be known.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.changes.gone.is_none() {
            let run_id = self.to.run_id;
            notes.push(format!("run {run_id} is not complete: what is gone cannot be told"));
        }
        if !self.from.is_complete() {
            let run_id = self.from.run_id;
            notes.push(format!("run {run_id} is not complete: what it did not reach is as an earlier run left it"));
        }
        if self.has_items && !self.left_out.is_empty() {
            notes.push(format!("items of processors have no history: {}", self.left_out.join(", ")));
        }
        notes
    }
}

/// Takes what differs: [`Report::begin`], then [`Report::pages`] and each page, [`Report::items`] and each item.
pub(super) trait Report {
    fn begin(&mut self, head: &Head<'_>) -> Result<()>;

    /// Whether items come before pages.
    fn has_items_first(&self) -> bool {
        false
    }

    fn pages(&mut self) -> Result<()>;

    /// Whether one more page of this kind will be shown.
    fn shows(&self, kind: PageKind) -> bool;

    fn page(&mut self, page: &PageChange<'_>, prose: Option<&Prose>) -> Result<()>;

    fn items(&mut self) -> Result<()>;

    fn item(&mut self, item: &ItemChange<'_>) -> Result<()>;

    /// Ends it; without `has_body` after [`Report::begin`] at once.
    fn finish(self: Box<Self>, has_body: bool) -> Result<()>;
}

/// How many of each kind are shown, and how many are left.
pub(super) struct Shown {
    /// Names of kinds, how many there are, how many were shown.
    pages: [(&'static str, u64, u64); PageKind::ALL.len()],
    items: [(&'static str, u64, u64); 3],
    limit: u64,
}

impl Shown {
    /// At most `limit` of each kind; 0: all.
    pub fn new(limit: u64, changes: &Changes) -> Self {
        let items =
            [("added", changes.items_added), ("changed", changes.items_changed), ("removed", changes.items_removed)];
        Self {
            pages: PageKind::ALL.map(|kind| (kind.name(), changes.pages(kind), 0)),
            items: items.map(|(name, count)| (name, count, 0)),
            limit: if limit == 0 { u64::MAX } else { limit },
        }
    }

    pub fn shows(&self, kind: PageKind) -> bool {
        self.pages[kind as usize].2 < self.limit
    }

    /// Whether this one is shown.
    pub fn page(&mut self, kind: PageKind) -> bool {
        Self::take(&mut self.pages[kind as usize].2, self.limit)
    }

    /// Whether this one is shown.
    pub fn item(&mut self, kind: &ItemKind) -> bool {
        let at = match kind {
            ItemKind::Added(_) => 0,
            ItemKind::Changed(..) => 1,
            ItemKind::Removed(_) => 2,
        };
        Self::take(&mut self.items[at].2, self.limit)
    }

    fn take(shown: &mut u64, limit: u64) -> bool {
        let shows = *shown < limit;
        *shown += u64::from(shows);
        shows
    }

    /// `12 more changed, 1 more gone`; `None` if all were shown.
    pub fn more_pages(&self) -> Option<String> {
        Self::more(&self.pages)
    }

    /// The same of items.
    pub fn more_items(&self) -> Option<String> {
        Self::more(&self.items)
    }

    fn more(kinds: &[(&str, u64, u64)]) -> Option<String> {
        let left = kinds.iter().filter(|(_, count, shown)| count > shown);
        let left: Vec<_> = left.map(|(name, count, shown)| format!("{} more {name}", grouped(count - shown))).collect();
        (!left.is_empty()).then(|| left.join(", "))
    }
}

/// A page as of a run in a word or two: `200`, `failed: timeout`, `not fetched`.
pub(super) fn state(fetch: Option<&Fetch>) -> String {
    let Some(fetch) = fetch else { return "not fetched".to_owned() };
    match (fetch.status, &fetch.error) {
        (Some(status), None) => status.to_string(),
        (_, Some(error)) if error != fetch.outcome.name() => format!("{}: {error}", fetch.outcome.name()),
        _ => fetch.outcome.name().to_owned(),
    }
}

/// The new state of a page, in a word or two; `None` if its kind says it all.
pub(super) fn became(page: &PageChange<'_>) -> Option<String> {
    match page.kind {
        PageKind::Gone if page.is_unlisted => Some("no list names it".to_owned()),
        PageKind::Gone => Some(state(Some(page.after))),
        PageKind::Status | PageKind::Back => Some(format!("{} → {}", state(page.before), state(Some(page.after)))),
        PageKind::New => page.before.map(|before| format!("{} → {}", state(Some(before)), state(Some(page.after)))),
        PageKind::Changed => None,
    }
}

/// The key of an item, if its collection has one.
pub(super) fn key(item: &ItemChange<'_>) -> Option<Map<String, Value>> {
    let (ItemKind::Added(data) | ItemKind::Removed(data) | ItemKind::Changed(_, data)) = &item.kind;
    if item.number.is_some() {
        return None;
    }
    let fields = item.collection.key.iter();
    Some(fields.map(|field| (field.clone(), data.get(field).cloned().unwrap_or_default())).collect())
}

/// Which item it is, for people: the value of its key, or its number on the page.
pub(super) fn which(item: &ItemChange<'_>) -> String {
    match (key(item), item.number) {
        (Some(key), _) => match key.len() {
            1 => key.values().next().map(plain).unwrap_or_default(),
            _ => Value::Object(key).to_string(),
        },
        (None, number) => format!("#{}", number.unwrap_or_default()),
    }
}

/// A text as it is, all else as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// At most `limit` characters of it.
pub(super) fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
