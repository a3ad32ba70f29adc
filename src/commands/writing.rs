//! Verbs that read one snapshot of a store and write one file, or standard output: whole or not at all.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rusqlite::Connection;

use super::export::plan::is_of_store;
use super::export::{coded, is_io};
use super::interrupt::Interrupt;
use seine_export::ExportError;
use seine_export::target::{self, Output, Packing};
use seine_store::guard::guard;
use seine_unix::lock;

/// Steps of SQLite's machine between two looks for a signal.
const STEPS: i32 = 100_000;

/// The file that `--output` names; `None`: standard output.
///
/// # Errors
/// It belongs to the store.
pub(super) fn file_of(output: Option<&Path>, db: &Path) -> Result<Option<PathBuf>> {
    let file = output.filter(|path| *path != Path::new("-"));
    if let Some(path) = file.filter(|path| is_of_store(path, db)) {
        bail!("{} belongs to the store; choose another file", path.display());
    }
    Ok(file.map(Path::to_owned))
}

/// Who asks the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// The user, in SQL: nothing but reading is allowed.
    User,
    /// This program alone, which may need temporary tables.
    Program,
}

/// A snapshot, the way out, and whether to stop.
pub(super) struct Desk<'d> {
    pub db: &'d Connection,
    file: Option<&'d Path>,
    is_live: bool,
    interrupt: Option<Interrupt>,
}

impl Desk<'_> {
    /// Opens the output. Beside a crawl nobody who reads slowly may hold up its log, so rows for a pipe are spooled.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn output(&self) -> Result<Output, ExportError> {
        match self.file {
            Some(path) => Output::file(path, Packing::of_path(path)),
            None if self.is_live => Output::spooled(None),
            None => Output::stdout(None),
        }
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// [`ExportError::Interrupted`] after a signal.
    pub fn look(&self) -> Result<(), ExportError> {
        match self.interrupt.as_ref().and_then(Interrupt::came) {
            Some(_) => Err(ExportError::Interrupted),
            None => Ok(()),
        }
    }
}

/// Opens the store at `db` and lets `write` write what it finds to `file`, or to standard output. `None`: whoever read
/// there has seen enough.
///
/// # Errors
/// No such store; those of `write`, with the exit code that they have.
pub(super) fn written<T>(
    db: &Path,
    file: Option<&Path>,
    asks: Asks,
    write: impl FnOnce(&Desk<'_>) -> Result<T>,
) -> Result<Option<T>> {
    // Asked before the store is opened: closing its file takes SQLite's locks away.
    let is_live = lock::owner(db).is_some();
    let mut db = super::session::open_store(db)?;
    if asks == Asks::User {
        guard(&mut db)?;
    }
    // To a pipe a signal may end the process as it is; a file has to be taken away.
    let interrupt = if file.is_some() { Some(Interrupt::new()?) } else { None };
    if let Some(interrupt) = interrupt.clone() {
        db.progress_handler(STEPS, Some(move || interrupt.came().is_some()))?;
    }
    let snapshot = db.unchecked_transaction()?;
    let desk = Desk { db: &snapshot, file, is_live, interrupt };
    match write(&desk) {
        Ok(written) => Ok(Some(written)),
        Err(error) => match error.downcast::<ExportError>() {
            // A reader that has seen enough is no failure.
            Ok(error) if file.is_none() && is_io(&error, io::ErrorKind::BrokenPipe) => Ok(None),
            Ok(error) => Err(coded(error, desk.interrupt.as_ref())),
            Err(other) => Err(other),
        },
    }
}

/// Whether text for people has colours: on a terminal that has some, unless the user wants none.
pub(super) fn has_colour(file: Option<&Path>) -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    file.is_none()
        && target::is_terminal()
        && !is_set("NO_COLOR")
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
