//! `seine merge`: stores put together.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde_json::json;

use super::crawl;
use super::interrupt::Interrupt;
use super::session::{Coded, DISK_FULL, INTERRUPTED, TERMINATED, written};
use crate::cli::MergeArgs;
use crate::console::text::{grouped, size};
use seine_store::merge::{self, Brought, MergeError, Progress};
use seine_store::{StoreError, open_for_writing};

const SHOW_EVERY: Duration = Duration::from_millis(200);

/// Merges; returns the exit code.
///
/// # Errors
/// A store that cannot be used, or two that do not go together.
pub fn run(args: &MergeArgs) -> Result<i32> {
    let out: &Path = &args.out;
    let stores = stores(out, &args.stores)?;
    let lock = crawl::lock(out)?;
    let interrupt = Interrupt::new()?;
    let mut talk = Talk::new(args.quiet, &stores);
    let mut look = |progress: Progress| {
        talk.show(progress);
        interrupt.came().is_none()
    };
    let is_new = fs::metadata(out).map_or(true, |meta| meta.len() == 0);
    let merged = if is_new { into_new(out, &stores, &mut look) } else { into_known(out, &stores, &mut look) };
    talk.clear();
    if merged.is_err() && lock.created() {
        let _ = fs::remove_file(out);
    }
    drop(lock);
    let brought = merged.map_err(|error| coded(error, &interrupt))?;
    let text = if args.json { as_json(out, &brought).to_string() } else { as_text(out, &brought) };
    written(writeln!(io::stdout(), "{text}"))?;
    Ok(0)
}

/// The stores to be read, each once.
fn stores(out: &Path, named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let whole = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut seen = vec![whole(out)];
    let mut stores = Vec::new();
    for path in named {
        let place = whole(path);
        if place == seen[0] {
            bail!("{} is the store that all is put into; leave it out", path.display());
        }
        if !seen.contains(&place) {
            seen.push(place);
            stores.push(path.clone());
        }
    }
    Ok(stores)
}

/// Nobody can see a new store before it is whole: so it is made without a log, under another name.
fn into_new(
    out: &Path,
    stores: &[PathBuf],
    look: &mut dyn FnMut(Progress) -> bool,
) -> Result<Vec<Brought>, MergeError> {
    // A link is followed, so that what it names is replaced. Who holds the lock of the store has this name too: what is there
    // was left by one that was killed.
    let out = fs::canonicalize(out).unwrap_or_else(|_| out.to_owned());
    let mut hidden = OsString::from(".");
    hidden.push(out.file_name().unwrap_or_default());
    hidden.push(".merging");
    let partial = out.with_file_name(hidden);
    let merged = make(&partial, &out, stores, look);
    if merged.is_err() {
        let _ = fs::remove_file(&partial);
    }
    merged
}

fn make(
    partial: &Path,
    out: &Path,
    stores: &[PathBuf],
    look: &mut dyn FnMut(Progress) -> bool,
) -> Result<Vec<Brought>, MergeError> {
    let on_disk = |error| MergeError::Store(of_disk(out, error));
    // As a crawl makes its store: open to those who may see new files here.
    File::create(partial).map_err(on_disk)?;
    let mut db = merge::fresh(partial)?;
    let brought = merge::merge(&mut db, out, stores, look)?;
    merge::finish_fresh(db, partial)?;
    fs::rename(partial, out).map_err(on_disk)?;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(on_disk)?;
    Ok(brought)
}

fn of_disk(path: &Path, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::Full(error.to_string())
        }
        _ => StoreError::Sync(path.to_owned(), error),
    }
}

/// Of a store that is there its readers see the one state or the other, since all is one transaction in its log.
fn into_known(
    out: &Path,
    stores: &[PathBuf],
    look: &mut dyn FnMut(Progress) -> bool,
) -> Result<Vec<Brought>, MergeError> {
    let mut db = open_for_writing(out)?;
    let brought = merge::merge(&mut db, out, stores, look)?;
    // What readers keep in the log goes with the last of them.
    let _ = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    Ok(brought)
}

/// The error with the exit code that it has.
pub(super) fn coded(error: MergeError, interrupt: &Interrupt) -> anyhow::Error {
    match (&error, interrupt.came()) {
        (MergeError::Stopped, Some(signal)) => {
            let code = if signal == Signal::SIGINT { INTERRUPTED } else { TERMINATED };
            Coded { code, message: format!("seine: {error}") }.into()
        }
        (MergeError::Store(StoreError::Full(_)) | MergeError::Source { source: StoreError::Full(_), .. }, _) => {
            Coded { code: DISK_FULL, message: format!("{error}; nothing has changed") }.into()
        }
        _ => error.into(),
    }
}

/// How far it is, for people on a terminal.
pub(super) struct Talk<'t> {
    shows: bool,
    due: Instant,
    shown: bool,
    stores: &'t [PathBuf],
}

impl<'t> Talk<'t> {
    pub fn new(quiet: bool, stores: &'t [PathBuf]) -> Self {
        let shows = !quiet && io::stderr().is_terminal();
        Self { shows, due: Instant::now() + SHOW_EVERY, shown: false, stores }
    }

    pub fn show(&mut self, progress: Progress) {
        if !self.shows || Instant::now() < self.due {
            return;
        }
        self.due = Instant::now() + SHOW_EVERY;
        self.shown = true;
        let (at, of) = (progress.stores + 1, self.stores.len());
        let _ = match self.stores.get(progress.stores) {
            Some(store) => {
                let urls = grouped(progress.urls);
                write!(io::stderr(), "\r\x1b[K{at} of {of}: {}, {urls} URLs", store.display())
            }
            None => write!(io::stderr(), "\r\x1b[K{of} stores read"),
        };
    }

    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn sum(brought: &[Brought]) -> Brought {
    let mut all = Brought::default();
    for one in brought {
        all.urls += one.urls;
        all.fetches += one.fetches;
        all.lines += one.lines;
        all.items += one.items;
        all.requests += one.requests;
        all.bodies += one.bodies;
        all.bytes += one.bytes;
        all.damaged_bodies += one.damaged_bodies;
        all.pending += one.pending;
    }
    all
}

fn as_json(out: &Path, brought: &[Brought]) -> serde_json::Value {
    let mut all = json!(sum(brought));
    all["store"] = json!(out.to_string_lossy());
    let stores = brought.iter().map(|one| {
        let mut value = json!(one);
        value["store"] = json!(one.store.to_string_lossy());
        value
    });
    all["stores"] = stores.collect();
    all
}

fn as_text(out: &Path, brought: &[Brought]) -> String {
    let mut text = String::new();
    for one in brought {
        text += &format!("{}: {}\n", one.store.display(), told(one));
    }
    let all = sum(brought);
    text + &format!("{}: {}", out.display(), told(&all))
}

fn told(one: &Brought) -> String {
    let mut parts = Vec::new();
    for (count, what) in [
        (one.urls, "URLs"),
        (one.fetches, "fetches"),
        (one.lines, "lines"),
        (one.items, "items"),
        (one.requests, "requests"),
    ] {
        if count > 0 {
            parts.push(format!("{} {what}", grouped(count)));
        }
    }
    if one.bodies > 0 {
        parts.push(format!("{} bodies ({})", grouped(one.bodies), size(one.bytes)));
    }
    let mut text = if parts.is_empty() { "nothing new".to_owned() } else { format!("{} new", parts.join(", ")) };
    if one.pending > 0 {
        text += &format!("; {} URLs are pending", grouped(one.pending));
    }
    if one.damaged_bodies > 0 {
        text += &format!("; {} bodies were damaged and left out", grouped(one.damaged_bodies));
    }
    text
}

/// Whether a file is a store, or any SQLite file.
///
/// # Errors
/// It cannot be read.
pub(super) fn is_sqlite(path: &Path) -> Result<bool> {
    use std::io::Read;
    if !fs::metadata(path).is_ok_and(|meta| meta.is_file()) {
        return Ok(false);
    }
    let mut head = [0; 16];
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let read = file.take(16).read(&mut head).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(read == 16 && &head == b"SQLite format 3\0")
}
