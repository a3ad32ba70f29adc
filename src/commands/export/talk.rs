//! Progress and notes of an export, on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::plan::{Destination, ExportPlan};
use crate::console::text::{grouped, size};
use seine_export::{Finished, Format};

/// Rows between two looks at the clock.
const LOOK_EVERY: u64 = 1024;
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// Tells a person on standard error how far an export is.
pub(super) struct Talk {
    quiet: bool,
    shows: bool,
    pub rows: u64,
    due: Instant,
    shown: bool,
    pub notes: Vec<String>,
}

impl Talk {
    pub fn new(quiet: bool, to_stdout: bool) -> Self {
        let shows = !quiet && io::stderr().is_terminal() && !(to_stdout && io::stdout().is_terminal());
        Self { quiet, shows, rows: 0, due: Instant::now() + SHOW_EVERY, shown: false, notes: Vec::new() }
    }

    /// One more row; whether it is time to look around.
    pub fn row(&mut self) -> bool {
        self.rows += 1;
        let looks = self.rows.is_multiple_of(LOOK_EVERY);
        if looks && self.shows && Instant::now() >= self.due {
            let _ = write!(io::stderr(), "\r{} rows", grouped(self.rows));
            self.due = Instant::now() + SHOW_EVERY;
            self.shown = true;
        }
        looks
    }

    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    pub fn done(&mut self, plan: &ExportPlan, finished: &Finished) {
        self.clear();
        if self.quiet {
            return;
        }
        for note in self.notes.iter().chain(&finished.notes) {
            let _ = writeln!(io::stderr(), "seine: {note}");
        }
        let what = if plan.format == Format::Warc { "answer" } else { "row" };
        let rows = format!("{} {what}{}", grouped(self.rows), if self.rows == 1 { "" } else { "s" });
        let _ = match &plan.place {
            Destination::Stdout => Ok(()),
            Destination::File(path, _) => {
                let bytes = path.metadata().map_or(0, |meta| meta.len());
                writeln!(io::stderr(), "seine: {rows} in {} ({})", path.display(), size(bytes))
            }
            Destination::Folder(path) => writeln!(io::stderr(), "seine: {rows} in the folder {}", path.display()),
        };
    }
}
