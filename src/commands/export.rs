//! `seine export`: rows of the store as a file that other programs read.

use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use rusqlite::{Connection, OptionalExtension};

use super::{Coded, DISK_FULL, INTERRUPTED, TERMINATED};
use crate::cli::{ExportArgs, OrderBy, SplitBy, WhichRun};
use crate::export::layout::Layout;
use crate::export::markdown::{self, Markdown};
use crate::export::split::{By, Split};
use crate::export::target::{Folder, Output, Packing};
use crate::export::warc::{Sent, Warc};
use crate::export::{Cell, ExportError, Finished, Format, Sink, Style, sink, target};
use crate::fetcher::http;
use crate::process::lock;
use crate::process::signals::Signals;
use crate::store::rows::{self, Filter, Order, SelectError, Selection, Snapshot};
use crate::store::tables::{Column, ColumnType, Table};
use crate::store::{StoreError, archive};
use crate::supervisor::progress::{grouped, size};

/// Steps of SQLite's machine between two looks for a signal.
const STEPS: i32 = 100_000;
/// Rows between two looks at the clock.
const LOOK_EVERY: u64 = 1024;
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// Exports; nothing is there under the output's name before it is whole.
///
/// # Errors
/// No such store, table, column, condition or query; the output cannot be written.
pub fn run(args: &ExportArgs) -> Result<i32> {
    let plan = Plan::of(args)?;
    // Asked before the store is opened: closing its file takes SQLite's locks away.
    let is_live = lock::owner(&args.db).is_some();
    let mut db = super::open_store(&args.db)?;
    rows::guard(&mut db)?;
    // To a pipe a signal may end the process as it is; files have to be taken away.
    let interrupt = if plan.goes_to_stdout() && !plan.format.holds_tables() { None } else { Some(Interrupt::new()?) };
    if let Some(interrupt) = &interrupt {
        let interrupt = interrupt.clone();
        db.progress_handler(STEPS, Some(move || interrupt.came().is_some()))?;
    }
    let mut talk = Talk::new(args.quiet, plan.goes_to_stdout());
    match export(args, &plan, &db, is_live, interrupt.as_ref(), &mut talk) {
        Ok(finished) => {
            talk.done(&plan, &finished);
            Ok(0)
        }
        Err(error) => {
            talk.clear();
            if let Some(signal) = interrupt.and_then(|interrupt| interrupt.came()) {
                let code = if signal == Signal::SIGINT { INTERRUPTED } else { TERMINATED };
                return Err(Coded { code, message: ExportError::Interrupted.to_string() }.into());
            }
            // A reader that has seen enough is no failure.
            if plan.goes_to_stdout() && is_io(&error, io::ErrorKind::BrokenPipe) {
                return Ok(0);
            }
            if is_io(&error, io::ErrorKind::StorageFull) || is_full(&error) {
                return Err(Coded { code: DISK_FULL, message: format!("{:#}", anyhow::Error::new(error)) }.into());
            }
            Err(error.into())
        }
    }
}

fn is_io(error: &ExportError, kind: io::ErrorKind) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == kind) {
            return true;
        }
        cause = error.source();
    }
    // These keep it to themselves.
    matches!(error, ExportError::Parquet(_) | ExportError::Xlsx(_))
        && format!("{error:?}").contains(&format!("{kind:?}"))
}

fn is_full(error: &ExportError) -> bool {
    matches!(error, ExportError::Sqlite(StoreError::Full(_)) | ExportError::Store(StoreError::Full(_)))
}

/// What is to be written where, as the arguments say.
struct Plan {
    tables: Vec<String>,
    format: Format,
    place: Place,
    style: Style,
    by: By,
}

enum Place {
    Stdout,
    File(PathBuf, Option<Packing>),
    Folder(PathBuf),
}

impl Plan {
    fn of(args: &ExportArgs) -> Result<Self> {
        let tables = if args.table.is_empty() { vec!["pages".to_owned()] } else { args.table.clone() };
        let output = args.output.as_deref().filter(|path| *path != Path::new("-"));
        let named = output.and_then(Format::of_path);
        let usual = if tables == ["items"] { Format::Jsonl } else { Format::Csv };
        let format = args.format.or(named).unwrap_or(usual);
        let is_folder = |path: &Path| path.as_os_str().as_encoded_bytes().ends_with(b"/") || path.is_dir();
        let by = match args.split_by {
            None => By::Table,
            Some(SplitBy::Host) => By::Host,
            Some(SplitBy::Run) => By::Run,
            Some(SplitBy::Rows(rows)) => By::Rows(rows),
        };
        let place = match output {
            None => Place::Stdout,
            Some(path) if format == Format::Markdown || by != By::Table || is_folder(path) => {
                Place::Folder(path.into())
            }
            Some(path) => Place::File(path.into(), Packing::of_path(path)),
        };
        let plan =
            Self { tables, format, place, style: Style { spreadsheet_safe: args.spreadsheet_safe, bom: args.bom }, by };
        plan.check(args)?;
        Ok(plan)
    }

    fn check(&self, args: &ExportArgs) -> Result<()> {
        let name = self.format.extension();
        match &self.place {
            Place::Stdout if self.format == Format::Markdown => bail!("markdown is a folder of files; name it with -o"),
            Place::Stdout if self.by != By::Table => bail!("--split-by makes a folder of files; name it with -o"),
            Place::Stdout if self.format.is_binary() && target::is_terminal() => {
                bail!("{name} is nothing for a terminal; name a file with -o, or a pipe")
            }
            Place::File(path, Some(_)) if !self.format.is_packed_whole() && self.format != Format::Warc => {
                bail!("{}: {name} files are compressed in themselves; leave the ending off", path.display())
            }
            Place::File(path, Some(Packing::Zstd)) if self.format == Format::Warc => {
                bail!("{}: records of WARC files are compressed with gzip (.warc.gz)", path.display())
            }
            Place::File(path, _) if is_same_file(path, &args.db) => {
                bail!("{} is the store itself; choose another file", path.display())
            }
            Place::Folder(path) if self.format == Format::Warc => {
                bail!("{}: warc is one file; name it NAME.warc.gz", path.display())
            }
            _ => {}
        }
        if self.tables.len() > 1 {
            let in_folder = matches!(self.place, Place::Folder(_)) && self.format != Format::Markdown;
            if !in_folder && !self.format.holds_tables() {
                bail!("a {name} file holds one table; several go into xlsx, sqlite or a folder (-o NAME/)");
            }
            if !args.columns.is_empty() {
                bail!("--columns is for one table");
            }
            let mut names: Vec<_> = self.tables.iter().map(|table| table.to_lowercase()).collect();
            names.sort();
            if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                bail!("table {} is named twice", twice[0]);
            }
        }
        if matches!(self.format, Format::Markdown | Format::Warc) {
            if self.tables != ["pages"] || args.sql.is_some() {
                bail!("--format {name} is for pages", name = if name == "md" { "markdown" } else { name });
            }
            if self.by != By::Table || args.order_by.is_some() {
                bail!("--split-by and --order-by have no meaning for this format");
            }
            if self.format == Format::Warc && !args.columns.is_empty() {
                bail!("--columns has no meaning for warc");
            }
        }
        if (self.style.bom || self.style.spreadsheet_safe) && !matches!(self.format, Format::Csv | Format::Tsv) {
            bail!("--bom and --spreadsheet-safe are for csv and tsv");
        }
        if args.order_by.is_some() && matches!(self.by, By::Host | By::Run) {
            bail!("--order-by input and --split-by host or run exclude each other");
        }
        if args.sql.is_some() && matches!(self.by, By::Host | By::Run) {
            bail!("--sql goes with --split-by ROWS only");
        }
        Ok(())
    }

    fn goes_to_stdout(&self) -> bool {
        matches!(self.place, Place::Stdout)
    }

    fn order(&self, args: &ExportArgs) -> Order {
        match (args.order_by, self.by) {
            (Some(OrderBy::Input), _) => Order::Input,
            (None, By::Host) => Order::Host,
            (None, By::Run) => Order::Run,
            (None, By::Table | By::Rows(_)) => Order::Key,
        }
    }

    /// Where it goes. What is read in one transaction beside a crawl must not wait for whoever reads a pipe.
    fn output(&self, must_not_wait: bool) -> Result<Output, ExportError> {
        match &self.place {
            Place::File(path, packing) => Output::file(path, packing.filter(|_| self.format.is_packed_whole())),
            _ if must_not_wait => Output::spooled(None),
            _ => Output::stdout(None),
        }
    }

    fn sink(&self, must_not_wait: bool) -> Result<Box<dyn Sink>, ExportError> {
        match &self.place {
            Place::Folder(path) if self.format == Format::Markdown => Ok(Box::new(Markdown::new(Folder::new(path)?))),
            Place::Folder(path) => {
                let has_tables = self.tables.len() > 1;
                Ok(Box::new(Split::new(Folder::new(path)?, self.format, self.style, self.by, has_tables)))
            }
            Place::File(..) | Place::Stdout => sink(self.format, self.output(must_not_wait)?, self.style),
        }
    }
}

fn is_same_file(path: &Path, other: &Path) -> bool {
    match (path.metadata(), other.metadata()) {
        (Ok(path), Ok(other)) => (path.dev(), path.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}

fn export(
    args: &ExportArgs,
    plan: &Plan,
    db: &Connection,
    is_live: bool,
    interrupt: Option<&Interrupt>,
    talk: &mut Talk,
) -> Result<Finished, ExportError> {
    let filter = Filter {
        condition: args.condition.clone(),
        run: args.run.map(|run| number_of(db, run)).transpose()?,
        changed_since: args.changed_since,
    };
    let mut look = || match interrupt.and_then(Interrupt::came) {
        Some(_) => Err(ExportError::Interrupted),
        None => Ok(()),
    };
    if plan.format == Format::Warc {
        let is_packed = matches!(plan.place, Place::File(_, Some(_)));
        let snapshot = Snapshot::take(db)?;
        let sent = Sent { accept: http::ACCEPTED, accept_encoding: http::ACCEPTED_CODINGS };
        let mut warc = Warc::new(plan.output(false)?, is_packed, sent)?;
        archive::answers(db, &snapshot, &filter, |answer| {
            look()?;
            talk.row();
            warc.answer(db, answer)
        })?;
        talk.rows = warc.answers();
        return warc.finish();
    }
    // All that is asked of the store is asked of one snapshot, the names of columns too.
    let mut transaction = Some(db.unchecked_transaction().map_err(StoreError::from)?);
    let mut all = Vec::new();
    match &args.sql {
        Some(sql) => {
            let selection = Selection::of_query(db, sql)?;
            all.push((
                Layout::plain(&Table { name: String::new(), columns: selection.columns.clone() }, None),
                selection,
            ));
        }
        None => {
            for name in &plan.tables {
                all.push(selected(args, plan, db, name, &filter)?);
            }
        }
    }
    let mut snapshot = Snapshot::default();
    if all.iter().all(|(_, selection)| selection.in_pieces()) {
        snapshot = Snapshot::take(db)?;
        transaction = None;
    } else {
        // Where one table has to be read in one transaction, the others are read in it too.
        all.iter_mut().for_each(|(_, selection)| selection.at_once());
    }
    let mut sink = plan.sink(transaction.is_some() && is_live)?;
    for (layout, selection) in &mut all {
        talk.notes.append(&mut layout.notes);
        if plan.format == Format::Parquet {
            give_types(db, selection, &snapshot, &mut layout.columns, &mut look)?;
        }
        sink.table(&selection.name, &layout.columns)?;
        selection.read(db, &snapshot, |cells| {
            if talk.row() {
                look()?;
            }
            layout.apply(cells, |cells| sink.row(cells))
        })?;
    }
    drop(transaction);
    look()?;
    sink.finish()
}

/// Rows of the table `name`, and how they become those of the export.
fn selected(
    args: &ExportArgs,
    plan: &Plan,
    db: &Connection,
    name: &str,
    filter: &Filter,
) -> Result<(Layout, Selection), ExportError> {
    let table = Table::find(db, name).map_err(SelectError::from)?;
    let mut wanted = (!args.columns.is_empty()).then(|| args.columns.clone());
    if plan.format == Format::Markdown {
        let front_matter = wanted.unwrap_or_else(|| markdown::FRONT_MATTER.map(str::to_owned).into());
        wanted = Some(Markdown::columns(&front_matter));
    }
    let layout = match plan.format.is_flat() {
        true => Layout::flat(db, &table, wanted.as_deref())?,
        false => Layout::plain(&table, wanted.as_deref()),
    };
    let selection = Selection::of_table(db, &table, layout.selected.as_deref(), filter, plan.order(args))?;
    Ok((layout, selection))
}

/// Finds types for columns of which none is known, from all rows.
fn give_types(
    db: &Connection,
    selection: &Selection,
    snapshot: &Snapshot,
    columns: &mut [Column],
    look: &mut dyn FnMut() -> Result<(), ExportError>,
) -> Result<(), ExportError> {
    if columns.iter().all(|column| column.kind != ColumnType::Any) {
        return Ok(());
    }
    let mut found: Vec<Option<ColumnType>> = vec![None; columns.len()];
    selection.read(db, snapshot, |cells| {
        for (kind, cell) in found.iter_mut().zip(cells) {
            *kind = match (kind.take(), cell) {
                (kind, Cell::Null) => kind,
                (None | Some(ColumnType::Integer), Cell::Integer(_)) => Some(ColumnType::Integer),
                (None | Some(ColumnType::Integer | ColumnType::Real), Cell::Integer(_) | Cell::Real(_)) => {
                    Some(ColumnType::Real)
                }
                _ => Some(ColumnType::Text),
            };
        }
        look()
    })?;
    for (column, kind) in columns.iter_mut().zip(found) {
        if column.kind == ColumnType::Any {
            column.kind = kind.unwrap_or(ColumnType::Text);
        }
    }
    Ok(())
}

fn number_of(db: &Connection, run: WhichRun) -> Result<i64, ExportError> {
    let (condition, wanted) = match run {
        WhichRun::Last => ("?1 IS NULL ORDER BY run_id DESC LIMIT 1", None),
        WhichRun::Number(number) => ("run_id = ?1", Some(number)),
    };
    let found = db
        .query_row(&format!("SELECT run_id FROM run WHERE {condition}"), [wanted], |row| row.get(0))
        .optional()
        .map_err(StoreError::from)?;
    found.ok_or_else(|| match wanted {
        Some(number) => ExportError::TooMuch(format!("there is no run {number}; the table runs lists them")),
        None => ExportError::TooMuch("there is no run in this store".to_owned()),
    })
}

/// SIGINT and SIGTERM, waiting to be looked for.
#[derive(Clone)]
struct Interrupt {
    signals: Arc<Mutex<Signals>>,
    came: Arc<AtomicI32>,
}

impl Interrupt {
    fn new() -> Result<Self> {
        let signals = Signals::new().context("cannot watch for signals")?;
        Ok(Self { signals: Arc::new(Mutex::new(signals)), came: Arc::new(AtomicI32::new(0)) })
    }

    fn came(&self) -> Option<Signal> {
        if let Ok(mut signals) = self.signals.try_lock() {
            for signal in signals.read().filter(|signal| *signal != Signal::SIGCHLD) {
                self.came.store(signal as i32, Ordering::Relaxed);
            }
        }
        Signal::try_from(self.came.load(Ordering::Relaxed)).ok()
    }
}

/// What a person is told meanwhile, on standard error.
struct Talk {
    quiet: bool,
    shows: bool,
    rows: u64,
    due: Instant,
    shown: bool,
    notes: Vec<String>,
}

impl Talk {
    fn new(quiet: bool, to_stdout: bool) -> Self {
        let shows = !quiet && io::stderr().is_terminal() && !(to_stdout && io::stdout().is_terminal());
        Self { quiet, shows, rows: 0, due: Instant::now() + SHOW_EVERY, shown: false, notes: Vec::new() }
    }

    /// One more row; whether it is time to look around.
    fn row(&mut self) -> bool {
        self.rows += 1;
        let looks = self.rows.is_multiple_of(LOOK_EVERY);
        if looks && self.shows && Instant::now() >= self.due {
            let _ = write!(io::stderr(), "\r{} rows", grouped(self.rows));
            self.due = Instant::now() + SHOW_EVERY;
            self.shown = true;
        }
        looks
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    fn done(&mut self, plan: &Plan, finished: &Finished) {
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
            Place::Stdout => Ok(()),
            Place::File(path, _) => {
                let bytes = path.metadata().map_or(0, |meta| meta.len());
                writeln!(io::stderr(), "seine: {rows} in {} ({})", path.display(), size(bytes))
            }
            Place::Folder(path) => writeln!(io::stderr(), "seine: {rows} in the folder {}", path.display()),
        };
    }
}
