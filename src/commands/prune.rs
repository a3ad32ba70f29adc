//! `seine prune`: old versions of pages go, and the file becomes as small as what is left.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::crawl;
use super::session::DISK_FULL;
use crate::cli::PruneArgs;
use crate::config::Recrawl;
use crate::console::text::{grouped, size};
use seine_store::versions::{self, Keep, Pruned};
use seine_store::{StoreError, life, open_for_writing};
use seine_unix::clock;

/// Prunes; returns the exit code.
///
/// # Errors
/// No such store, or one that is held.
pub fn run(args: &PruneArgs) -> Result<i32> {
    let path: &Path = &args.db;
    let last = life::config(&super::session::open_store(path)?, None)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let keep = keep(args, &last)?;
    let keep_requests = match (args.keep_requests, span(&last, "keep_requests")?) {
        (Some(given), _) => given.0,
        (None, of_last) => of_last.unwrap_or(Recrawl::default().keep_requests.0),
    };
    let requests_before = Some(before(keep_requests));
    let _lock = crawl::lock(path)?;
    let size_before = size_of(path);
    let pruned = match in_store(path, keep, requests_before) {
        Err(StoreError::Full(message)) => {
            super::session::tell(&format!(
                "seine: no room on disk to make {} smaller: {message}; it takes as much again as is left in it\n",
                path.display()
            ));
            return Ok(DISK_FULL);
        }
        other => other.with_context(|| format!("cannot prune {}", path.display()))?,
    };
    let size_after = size_of(path);
    let line = if args.json {
        let mut json = json!(pruned);
        json["size_before"] = size_before.into();
        json["size_after"] = size_after.into();
        json.to_string()
    } else {
        as_text(path, &pruned, size_before, size_after)
    };
    super::session::written(writeln!(io::stdout(), "{line}"))?;
    Ok(0)
}

fn in_store(path: &Path, keep: Keep, requests_before: Option<u64>) -> Result<Pruned, StoreError> {
    let mut db = open_for_writing(path)?;
    let pruned = versions::prune(&mut db, keep, requests_before)?;
    // It is put together in a temporary file, which shall not be in memory however large it gets.
    db.execute_batch("PRAGMA temp_store = file; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(pruned)
}

/// The limits of the flags, else those of the last run.
fn keep(args: &PruneArgs, last: &Value) -> Result<Keep> {
    let versions = match (args.keep_versions, last["keep_versions"].as_u64()) {
        (Some(versions), _) => versions,
        (None, Some(versions)) => u32::try_from(versions).unwrap_or(u32::MAX),
        (None, None) => Recrawl::default().keep_versions,
    };
    let keep_for = match args.keep_for {
        Some(given) => Some(given.0),
        None => span(last, "keep_for")?,
    };
    Ok(Keep { versions, since: keep_for.map_or(0, before) })
}

/// A duration among the settings of the last run.
fn span(last: &Value, setting: &str) -> Result<Option<Duration>> {
    let Some(text) = last[setting].as_str() else { return Ok(None) };
    humantime::parse_duration(text).map(Some).with_context(|| format!("{setting} of the last run is {text:?}"))
}

fn before(span: Duration) -> u64 {
    clock::wall().ms().saturating_sub(span.as_millis() as u64)
}

fn size_of(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

fn as_text(path: &Path, pruned: &Pruned, size_before: u64, size_after: u64) -> String {
    let mut text = format!(
        "{}: {} old versions let go, {} bodies removed ({})",
        path.display(),
        grouped(pruned.versions),
        grouped(pruned.bodies),
        size(pruned.bytes)
    );
    if pruned.requests > 0 {
        text += &format!(", {} requests forgotten", grouped(pruned.requests));
    }
    text + &format!("; the file had {}, now {}", size(size_before), size(size_after))
}
