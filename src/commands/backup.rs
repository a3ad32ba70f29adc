//! `seine backup`: the store of one moment under another name, whole or not at all.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde_json::json;

use super::export::plan::is_of_store;
use super::interrupt::Interrupt;
use super::session::{Coded, DISK_FULL, INTERRUPTED, TERMINATED, tell, written};
use crate::cli::BackupArgs;
use crate::console::text::size;
use seine_store::StoreError;
use seine_store::backup::{self, Copied};

const SHOW_EVERY: Duration = Duration::from_millis(200);

/// Copies.
///
/// # Errors
/// No such store, no room, or a file of that name.
pub fn run(args: &BackupArgs) -> Result<i32> {
    let (from, to): (&Path, &Path) = (&args.db, &args.to);
    if is_of_store(to, from) {
        bail!("{} belongs to the store; choose another file", to.display());
    }
    let is_there = |to: &Path| format!("{} is there already; --force replaces it", to.display());
    if to.symlink_metadata().is_ok() && !args.force {
        bail!(is_there(to));
    }
    // What belongs to the file that is replaced would be taken for the copy's own.
    if let Some(log) = ["-wal", "-journal"].map(|ending| beside(to, ending)).into_iter().find(|log| log.exists()) {
        bail!("{} is there: somebody is at work on {}, or was; choose another file", log.display(), to.display());
    }
    let interrupt = Interrupt::new()?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let partial = tempfile::Builder::new()
        .prefix(&partial_name(to))
        .suffix(".partial")
        .tempfile_in(folder)
        .with_context(|| format!("cannot write {}", to.display()))?;
    // A temporary file is its user's alone; a copy is for whom the store is.
    partial.as_file().set_permissions(fs::metadata(from).map_or_else(
        |_| fs::metadata(partial.path()).map(|meta| meta.permissions()),
        |meta| Ok(meta.permissions()),
    )?)?;
    let mut line = Line::new(args.quiet);
    let copied = backup::copy(from, partial.path(), |copied| {
        line.show(copied);
        interrupt.came().is_none()
    });
    line.clear();
    let no_room = |why: String| Coded { code: DISK_FULL, message: format!("cannot write {}: {why}", to.display()) };
    match copied {
        Ok(Some(_)) => {}
        Ok(None) => {
            let code = if interrupt.came() == Some(Signal::SIGINT) { INTERRUPTED } else { TERMINATED };
            return Err(Coded { code, message: "interrupted; nothing was written".to_owned() }.into());
        }
        Err(StoreError::Full(why)) => return Err(no_room(why).into()),
        Err(error) => return Err(anyhow::Error::new(error).context(format!("cannot copy {}", from.display()))),
    }
    partial.as_file().sync_all().map_err(|error| no_room(error.to_string()))?;
    let bytes = partial.as_file().metadata().map_or(0, |meta| meta.len());
    let named = match args.force {
        true => partial.persist(to),
        false => partial.persist_noclobber(to),
    };
    if let Err(error) = named {
        if error.error.kind() == io::ErrorKind::AlreadyExists {
            bail!(is_there(to));
        }
        return Err(error.error).with_context(|| format!("cannot write {}", to.display()));
    }
    // The name is on disk too, as far as the file system can say so.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    if args.json {
        let line = json!({ "db": from.to_string_lossy(), "to": to.to_string_lossy(), "bytes": bytes });
        written(writeln!(io::stdout(), "{line}"))?;
    } else if !args.quiet {
        tell(&format!("seine: {} copied to {} ({})\n", from.display(), to.display(), size(bytes)));
    }
    Ok(0)
}

fn partial_name(to: &Path) -> String {
    format!(".{}.", to.file_name().unwrap_or_default().to_string_lossy())
}

fn beside(to: &Path, ending: &str) -> std::path::PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// How far it is, for a person on a terminal.
struct Line {
    shows: bool,
    due: Instant,
    shown: bool,
}

impl Line {
    fn new(quiet: bool) -> Self {
        Self { shows: !quiet && io::stderr().is_terminal(), due: Instant::now() + SHOW_EVERY, shown: false }
    }

    fn show(&mut self, Copied { pages, of }: Copied) {
        if self.shows && Instant::now() >= self.due {
            tell(&format!("\r{} %", pages * 100 / of.max(1)));
            self.due = Instant::now() + SHOW_EVERY;
            self.shown = true;
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            tell("\r\x1b[K");
        }
    }
}
