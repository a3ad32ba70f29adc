//! `seine status`: what a crawl has come to.

use std::io::{self, Write};

use anyhow::{Context, Result};

use crate::cli::StatusArgs;
use crate::commands::summary;
use seine_store::read;
use seine_unix::lock;

/// Prints the summary of a finished, running or dead crawl.
///
/// # Errors
/// No such store.
pub fn run(args: &StatusArgs) -> Result<i32> {
    let db = super::session::open_store(&args.db)?;
    let summary = read::summary(&db).with_context(|| format!("cannot read {}", args.db.display()))?;
    let owner = lock::owner(&args.db);
    let text = if args.json {
        summary::json(&summary, &args.db, owner, None)?.to_string()
    } else {
        summary::text(&summary, &args.db, owner, None)
    };
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        other => other.map(|()| 0).context("cannot write to standard output"),
    }
}
