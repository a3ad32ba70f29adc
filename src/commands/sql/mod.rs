//! `seine sql`: one statement that reads, its rows for people or programs.
//!
//! - `names`: the views and columns that a query can name.

mod names;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rusqlite::{Connection, ErrorCode};

use crate::cli::{SqlArgs, SqlFormat};
use crate::config::Span;
use crate::console::text::grouped;
use seine_export::show::Show;
use seine_export::target::{self, Output};
use seine_export::{Cell, ExportError, Format, Sink, Style, sink};
use seine_store::StoreError;
use seine_store::guard::guard;
use seine_store::rows::{SelectError, Selection, Snapshot};
use seine_store::tables::{Column, ColumnType, TableError};
use seine_unix::lock;
use seine_unix::say::{Level, say};

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// Rows that a table on a terminal has, unless told otherwise: more would push the first ones out of sight.
const ROWS_ON_TERMINAL: u64 = 200;

/// Answers the query on standard output; without a query, lists what there is.
///
/// # Errors
/// No such store, no query, or it takes too long.
pub fn run(args: &SqlArgs) -> Result<i32> {
    let path = args.asked.store();
    // Asked before the store is opened: closing its file takes SQLite's locks away.
    let is_live = lock::owner(path).is_some();
    let mut db = super::session::open_store(path)?;
    guard(&mut db)?;
    let clock = Clock::new();
    let Span(timeout) = args.timeout;
    if !timeout.is_zero() {
        let clock = clock.clone();
        db.progress_handler(STEPS, Some(move || clock.spent() > timeout))?;
    }
    let answered = match args.asked.query() {
        Some(query) => answer(args, query, &db, is_live, &clock),
        None => list(args, &db),
    };
    match answered {
        Ok(()) => Ok(0),
        Err(ExportError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) if is_late(&error) => {
            let limit = humantime::format_duration(timeout);
            bail!("the query took more than {limit}; --timeout allows more")
        }
        Err(ExportError::Select(SelectError::Query(problem))) => {
            let advice = names::advice(&names::views(&db)?, args.asked.query().unwrap_or_default(), &problem);
            bail!("not a query: {problem}{}", advice.map_or_else(String::new, |advice| format!("; {advice}")))
        }
        Err(error) => Err(error.into()),
    }
}

fn answer(args: &SqlArgs, query: &str, db: &Connection, is_live: bool, clock: &Clock) -> Result<(), ExportError> {
    let selection = Selection::of_query(db, query)?;
    let terminal = terminal_width();
    // Beside a crawl nobody who scrolls through rows may hold up its log.
    let output = if is_live { Output::spooled(None)? } else { Output::stdout(None)? };
    let mut sink: Box<dyn Sink> = match args.format {
        SqlFormat::Table => Box::new(Show::new(output, terminal)),
        SqlFormat::Csv => sink(Format::Csv, output, Style::default())?,
        SqlFormat::Json => sink(Format::Json, output, Style::default())?,
    };
    let usual = if args.format == SqlFormat::Table && target::is_terminal() { ROWS_ON_TERMINAL } else { 0 };
    let most = args.limit.unwrap_or(usual);
    let mut rows = 0;
    sink.table(&selection.name, &selection.columns)?;
    let read = selection.read(db, &Snapshot::default(), |cells| {
        if most > 0 && rows == most {
            return Err(End::Enough);
        }
        rows += 1;
        let begun = Instant::now();
        sink.row(cells)?;
        clock.forgive(begun.elapsed());
        Ok(())
    });
    let has_more = match read {
        Ok(()) => false,
        Err(End::Enough) => true,
        Err(End::Failed(error)) => return Err(error),
    };
    for note in sink.finish()?.notes {
        say(Level::Info, &format!("seine: {note}"));
    }
    if has_more {
        say(Level::Info, &format!("seine: there are more rows than these {}; --limit 0 shows all", grouped(most)));
    }
    Ok(())
}

/// Why no more rows are read.
enum End {
    /// There are as many as are to be shown.
    Enough,
    Failed(ExportError),
}

impl<E: Into<ExportError>> From<E> for End {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Writes which views there are, with their columns.
fn list(args: &SqlArgs, db: &Connection) -> Result<(), ExportError> {
    let views = names::views(db).map_err(StoreError::from)?;
    let format = match args.format {
        SqlFormat::Table => {
            let text = names::as_text(&views, terminal_width());
            io::stdout().write_all(text.as_bytes())?;
            let store = args.asked.store().display();
            say(Level::Info, &format!("seine: one of these: seine sql {store} \"SELECT * FROM pages LIMIT 10\""));
            return Ok(());
        }
        SqlFormat::Csv => Format::Csv,
        SqlFormat::Json => Format::Json,
    };
    let mut sink = sink(format, Output::stdout(None)?, Style::default())?;
    sink.table("views", &["view", "column"].map(|name| Column::new(name, ColumnType::Text)))?;
    for view in &views {
        for column in &view.columns {
            sink.row(&[Cell::Text(view.name.as_bytes()), Cell::Text(column.as_bytes())])?;
        }
    }
    sink.finish().map(drop)
}

/// The width of standard output if it is a terminal.
fn terminal_width() -> Option<usize> {
    let size = if target::is_terminal() { terminal_size::terminal_size() } else { None };
    size.map(|(width, _)| usize::from(width.0))
}

fn is_late(error: &ExportError) -> bool {
    let store = match error {
        ExportError::Store(error) => error,
        ExportError::Select(SelectError::Table(TableError::Store(error))) => error,
        _ => return false,
    };
    matches!(store, StoreError::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted))
}

/// The time a query takes, without that in which its output waits.
#[derive(Clone)]
struct Clock {
    begun: Instant,
    forgiven_ns: Arc<AtomicU64>,
}

impl Clock {
    fn new() -> Self {
        Self { begun: Instant::now(), forgiven_ns: Arc::default() }
    }

    fn spent(&self) -> Duration {
        self.begun.elapsed().saturating_sub(Duration::from_nanos(self.forgiven_ns.load(Ordering::Relaxed)))
    }

    fn forgive(&self, span: Duration) {
        self.forgiven_ns.fetch_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
