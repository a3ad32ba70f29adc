//! `seine sql`: one statement that reads, its rows for people or programs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rusqlite::ErrorCode;

use crate::cli::{SqlArgs, SqlFormat};
use seine_export::show::Show;
use seine_export::target::{self, Output};
use seine_export::{ExportError, Format, Sink, Style, sink};
use seine_store::StoreError;
use seine_store::guard::guard;
use seine_store::rows::{SelectError, Selection, Snapshot};
use seine_store::tables::TableError;
use seine_unix::lock;

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// Answers the query on standard output.
///
/// # Errors
/// No such store, no query, or it takes too long.
pub fn run(args: &SqlArgs) -> Result<i32> {
    // Asked before the store is opened: closing its file takes SQLite's locks away.
    let is_live = lock::owner(&args.db).is_some();
    let mut db = super::session::open_store(&args.db)?;
    guard(&mut db)?;
    let clock = Clock::new();
    if !args.timeout.is_zero() {
        let (clock, limit) = (clock.clone(), args.timeout);
        db.progress_handler(STEPS, Some(move || clock.spent() > limit))?;
    }
    let answered = answer(args, &db, is_live, &clock);
    match answered {
        Ok(()) => Ok(0),
        Err(ExportError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(error) if is_late(&error) => {
            let limit = humantime::format_duration(args.timeout);
            bail!("the query took more than {limit}; --timeout allows more")
        }
        Err(error) => Err(error.into()),
    }
}

fn answer(args: &SqlArgs, db: &rusqlite::Connection, is_live: bool, clock: &Clock) -> Result<(), ExportError> {
    let selection = Selection::of_query(db, &args.query)?;
    let terminal = if target::is_terminal() { terminal_size::terminal_size() } else { None };
    // Beside a crawl nobody who scrolls through rows may hold up its log.
    let output = if is_live { Output::spooled(None)? } else { Output::stdout(None)? };
    let mut sink: Box<dyn Sink> = match args.format {
        SqlFormat::Table => Box::new(Show::new(output, terminal.map(|(width, _)| usize::from(width.0)))),
        SqlFormat::Csv => sink(Format::Csv, output, Style::default())?,
        SqlFormat::Json => sink(Format::Json, output, Style::default())?,
    };
    sink.table(&selection.name, &selection.columns)?;
    selection.read(db, &Snapshot::default(), |cells| {
        let begun = Instant::now();
        sink.row(cells)?;
        clock.forgive(begun.elapsed());
        Ok::<_, ExportError>(())
    })?;
    sink.finish()?;
    Ok(())
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
