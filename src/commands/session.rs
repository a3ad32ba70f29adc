//! Shared by all verbs: exit codes, opening a store, and writing to standard output and error.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use rusqlite::Connection;

use seine_store::{StoreError, open_for_reading, open_for_writing};
use seine_unix::lock::StoreLock;
use seine_unix::say::{Level, say};

/// Exit code: complete, but no URL ended ok, or too few (`--fail-threshold`).
pub const FAILED: i32 = 1;
/// Exit code: usage, config or input error.
pub const USAGE: i32 = 2;
/// Exit code: stopped by a budget, an outage of the network or failing processes, resumable.
pub const STOPPED: i32 = 3;
/// Exit code: the store is held by another run.
pub const HELD: i32 = 4;
/// Exit code: out of disk, resumable.
pub const DISK_FULL: i32 = 5;
/// Exit code: complete, but a field is found less often than before (`--fail-on-drift`).
pub const DRIFTED: i32 = 6;
/// Exit code: stopped by SIGINT, resumable.
pub const INTERRUPTED: i32 = 130;
/// Exit code: stopped by SIGTERM, resumable.
pub const TERMINATED: i32 = 143;

/// Opens a store for reading; what SQLite says of it comes with its name. One of an earlier version is brought up to
/// date first, if nobody is at work on it.
pub fn open_store(path: &Path) -> Result<Connection> {
    let opened = match open_for_reading(path) {
        // Of a store that somebody is at work on the version is that one's business.
        Err(older @ StoreError::Older { .. }) => match StoreLock::acquire(path) {
            Ok(_lock) => {
                say(Level::Info, &being_updated(path));
                open_for_writing(path).map(drop).and_then(|()| open_for_reading(path))
            }
            Err(_) => Err(older),
        },
        other => other,
    };
    opened.map_err(|error| match error {
        StoreError::Sqlite(_) => anyhow::Error::new(error).context(format!("cannot open store {}", path.display())),
        other => other.into(),
    })
}

/// The notice before a migration, which takes long on a large store.
pub fn being_updated(path: &Path) -> String {
    format!("seine: {} is of an earlier version and is being brought up to date", path.display())
}

/// Tells people, on standard error. Whether anybody reads along makes no difference.
pub fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The result of writing to standard output; a reader that closes the pipe early (`seine … | head`) is no failure.
pub fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}

/// An error with an exit code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Coded {
    /// The exit code.
    pub code: i32,
    /// The full sentence.
    pub message: String,
}
