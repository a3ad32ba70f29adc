//! `seine search`: pages that have words, the best first.

use std::io::{self, Write};
use std::path::Path;

use anyhow::Result;
use serde_json::json;

use super::interrupt::Interrupt;
use super::session::{Coded, DISK_FULL, INTERRUPTED, tell, written};
use super::writing::has_colour;
use crate::cli::SearchArgs;
use crate::console::text::{grouped, printable};
use seine_store::StoreError;
use seine_store::search::{Hit, Index, MARKS, SearchError, Updated, path_of};

/// No page has the words.
const NONE_FOUND: i32 = 1;

/// Looks for the words.
///
/// # Errors
/// No such store, no word, or an index that cannot be made.
pub fn run(args: &SearchArgs) -> Result<i32> {
    let path = args.store();
    let db = super::session::open_store(path)?;
    let hits = found(args, path, &db).map_err(|error| match error {
        SearchError::Store(StoreError::Full(why)) => {
            let message = format!("no room on disk for {}: {why}", path_of(path).display());
            anyhow::Error::new(Coded { code: DISK_FULL, message })
        }
        other => other.into(),
    })?;
    let Some(hits) = hits else {
        let message = "interrupted; the next search goes on with the index".to_owned();
        return Err(Coded { code: INTERRUPTED, message }.into());
    };
    let text: String = match args.json {
        true => hits.iter().map(|hit| format!("{}\n", as_json(hit))).collect(),
        false => as_text(&hits, has_colour(None)),
    };
    written(io::stdout().lock().write_all(text.as_bytes()))?;
    if hits.is_empty() && !args.quiet {
        tell(&format!("seine: no page of {} has that\n", path.display()));
    }
    Ok(if hits.is_empty() { NONE_FOUND } else { 0 })
}

/// `None`: a signal came while the index was being made.
fn found(args: &SearchArgs, path: &Path, db: &rusqlite::Connection) -> Result<Option<Vec<Hit>>, SearchError> {
    let mut index = Index::open(&path_of(path), args.rebuild)?;
    let interrupt = Interrupt::new().ok();
    let came = || interrupt.as_ref().is_some_and(|interrupt| interrupt.came().is_some());
    let updated = index.update(db, || !came())?;
    if came() {
        return Ok(None);
    }
    if !args.quiet {
        tell(&notes(path, updated));
    }
    index.find(db, args.words(), args.limit).map(Some)
}

fn notes(path: &Path, updated: Updated) -> String {
    let mut notes = String::new();
    if updated.taken > 0 {
        let s = if updated.taken == 1 { "" } else { "s" };
        notes +=
            &format!("seine: the words of {} page{s} are in {} now\n", grouped(updated.taken), path_of(path).display());
    }
    if updated.with_text == 0 && updated.pages > 0 {
        notes += &format!(
            "seine: only titles are looked at: no page has its main text; seine extract {} --text stores it, without asking \
             any site\n",
            path.display()
        );
    }
    notes
}

fn as_json(hit: &Hit) -> String {
    let mut line = json!(hit);
    line["snippet"] = hit.snippet.replace(MARKS, "").into();
    line.to_string()
}

fn as_text(hits: &[Hit], has_colour: bool) -> String {
    let [open, close] = if has_colour { ["\x1b[1m", "\x1b[0m"] } else { ["", ""] };
    let mut text = String::new();
    for hit in hits {
        text += &format!("{}\n", printable(&hit.url));
        if let Some(title) = &hit.title {
            text += &format!("  {}\n", printable(title));
        }
        // Marks are control characters, and so none that a site has sent is left when they become colours.
        let pieces = hit.snippet.split_inclusive(MARKS).map(|piece| match piece.chars().next_back() {
            Some(mark) if mark == MARKS[0] => printable(&piece[..piece.len() - 1]) + open,
            Some(mark) if mark == MARKS[1] => printable(&piece[..piece.len() - 1]) + close,
            _ => printable(piece),
        });
        let snippet: String = pieces.collect();
        if !snippet.is_empty() {
            text += &format!("  {snippet}\n");
        }
    }
    text
}
