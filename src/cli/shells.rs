//! What shells are told: completions of this command line, names of a store's tables among them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;

use super::Cli;
use crate::config::DEFAULT_DB;
use seine_store::open_for_reading;
use seine_store::tables::{TABLES, Table};

/// Under this name a shell says that it asks for completions.
pub const VARIABLE: &str = "SEINE_COMPLETE";

/// Answers a shell that asks what fits, and ends the process then.
pub fn answer() {
    if std::env::var_os(VARIABLE).is_some() {
        CompleteEnv::with_factory(Cli::command).var(VARIABLE).complete();
    }
}

/// Tables of the store that the words on the command line name.
pub(super) fn tables() -> Vec<CompletionCandidate> {
    let Ok(db) = open_for_reading(&store(std::env::args_os().skip(1))) else {
        return TABLES.iter().map(CompletionCandidate::new).collect();
    };
    Table::names(&db).unwrap_or_default().into_iter().map(CompletionCandidate::new).collect()
}

/// Collections of that store.
pub(super) fn collections() -> Vec<CompletionCandidate> {
    let names = open_for_reading(&store(std::env::args_os().skip(1))).and_then(|db| seine_store::collections::all(&db));
    names.unwrap_or_default().into_iter().map(|(_, collection)| CompletionCandidate::new(collection.name)).collect()
}

/// The store among the words so far: what --db names, else the first file that is one.
fn store<W: AsRef<OsStr>>(words: impl Iterator<Item = W>) -> PathBuf {
    let mut first = None;
    let mut is_named = false;
    for word in words {
        let word = word.as_ref();
        if is_named {
            return word.into();
        }
        if let Some(name) = word.to_str().and_then(|word| word.strip_prefix("--db=")) {
            return name.into();
        }
        is_named = word == "--db";
        if first.is_none() && open_for_reading(Path::new(word)).is_ok() {
            first = Some(word.into());
        }
    }
    first.unwrap_or_else(|| DEFAULT_DB.into())
}
