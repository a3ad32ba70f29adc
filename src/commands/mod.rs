//! What a user can ask for: one file per verb. Each takes its arguments and returns the exit code.

pub mod audit;
pub mod cat;
pub mod crawl;
pub mod demo;
pub mod diff;
pub mod explain;
pub mod export;
pub mod extract;
pub mod health;
pub mod import;
mod interrupt;
pub mod log;
pub mod notify;
pub mod process;
pub mod prune;
pub mod retry;
pub mod robots;
pub mod schedule;
pub mod sql;
pub mod status;
pub mod summary;
pub mod try_rules;
pub mod why;

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::Connection;

use crate::cli::Command;
use seine_store::{StoreError, open_for_reading, open_for_writing};
use seine_unix::lock::StoreLock;
use seine_unix::say::{Level, say};

/// Exit code: complete, but no URL ended ok, or too few (`--fail-threshold`).
pub const FAILED: i32 = 1;
/// Exit code: usage, config or input error.
pub const USAGE: i32 = 2;
/// Exit code: stopped by a budget or by failing processes, resumable.
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

/// Does what was asked for.
///
/// # Errors
/// Whatever keeps it from being done; the exit code is [`USAGE`] then, unless the error is a [`Coded`].
pub fn run(command: Command) -> Result<i32> {
    match command {
        Command::Crawl(args) => crawl::run(args),
        Command::Import(args) => import::run(args),
        Command::Demo(args) => demo::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Cat(args) => cat::run(&args),
        Command::Why(args) => why::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Prune(args) => prune::run(&args),
        Command::Retry(args) => retry::run(args),
        Command::Robots(args) => robots::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Sql(args) => sql::run(&args),
        Command::Explain(args) => explain::run(args),
        Command::Extract(args) => extract::run(&args),
        Command::Process(args) => process::run(&args),
        Command::Try(args) => try_rules::run(&args),
        Command::Schedule(args) => schedule::run(&args),
        Command::Health(args) => health::run(&args),
    }
}

/// Opens a store for reading; what SQLite says of it comes with its name. One of an earlier version is brought up to
/// date first, if nobody is at work on it.
fn open_store(path: &Path) -> Result<Connection> {
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

/// What is said before a long store keeps everybody waiting.
fn being_updated(path: &Path) -> String {
    format!("seine: {} is of an earlier version and is being brought up to date", path.display())
}

/// Tells people, on standard error. Whether anybody reads along makes no difference.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// What was written: a reader that has seen enough (`seine … | head`) is no failure.
fn written(result: io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}

/// Microseconds of the Unix epoch as the views write times; no time that is none.
fn at_us(epoch_us: u64) -> String {
    let timestamp = i64::try_from(epoch_us).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok());
    timestamp.map_or_else(|| "-".to_owned(), |timestamp| format!("{timestamp:.3}"))
}

/// Milliseconds of the Unix epoch, likewise.
fn at_ms(epoch_ms: u64) -> String {
    at_us(epoch_ms.saturating_mul(1000))
}

/// A span for people, to the millisecond below ten seconds.
fn span_ms(ms: u64) -> String {
    let ms = if ms < 10_000 { ms } else { ms / 1000 * 1000 };
    humantime::format_duration(Duration::from_millis(ms)).to_string()
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
