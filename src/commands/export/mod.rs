//! `seine export`: rows of the store as a file that other programs read.

pub(super) mod plan;
mod talk;

use std::io;

use anyhow::Result;
use nix::sys::signal::Signal;
use rusqlite::{Connection, OptionalExtension};

use self::plan::{Destination, ExportPlan};
use self::talk::Talk;
use super::interrupt::Interrupt;
use super::session::{Coded, DISK_FULL, INTERRUPTED, TERMINATED};
use crate::cli::{ExportArgs, WhichRun};
use seine_export::graphml::Graphml;
use seine_export::layout::Layout;
use seine_export::markdown::{self, Markdown};
use seine_export::warc::{Sent, Warc};
use seine_export::{Cell, ExportError, Finished, Format};
use seine_store::guard::guard;
use seine_store::links::{self, Links, LinksError, Scope};
use seine_store::rows::{Filter, SelectError, Selection, Snapshot};
use seine_store::tables::{Column, ColumnType, Table};
use seine_store::{StoreError, archive};
use seine_unix::lock;

/// Steps of SQLite's machine between two looks for a signal.
const STEPS: i32 = 100_000;

/// Exports; nothing is there under the output's name before it is whole.
///
/// # Errors
/// No such store, table, column, condition or query; the output cannot be written.
pub fn run(args: &ExportArgs) -> Result<i32> {
    let plan = ExportPlan::of(args)?;
    // Asked before the store is opened: closing its file takes SQLite's locks away.
    let is_live = lock::owner(&args.db).is_some();
    let mut db = super::session::open_store(&args.db)?;
    guard(&mut db)?;
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
            // A reader that has seen enough is no failure.
            if plan.goes_to_stdout() && is_io(&error, io::ErrorKind::BrokenPipe) {
                return Ok(0);
            }
            Err(coded(error, interrupt.as_ref()))
        }
    }
}

/// The error with the exit code that it has.
pub(super) fn coded(error: ExportError, interrupt: Option<&Interrupt>) -> anyhow::Error {
    if let Some(signal) = interrupt.and_then(Interrupt::came) {
        let code = if signal == Signal::SIGINT { INTERRUPTED } else { TERMINATED };
        return Coded { code, message: ExportError::Interrupted.to_string() }.into();
    }
    if is_io(&error, io::ErrorKind::StorageFull) || is_io(&error, io::ErrorKind::FileTooLarge) || is_full(&error) {
        return Coded { code: DISK_FULL, message: format!("{:#}", anyhow::Error::new(error)) }.into();
    }
    error.into()
}

pub(super) fn is_io(error: &ExportError, kind: io::ErrorKind) -> bool {
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

fn export(
    args: &ExportArgs,
    plan: &ExportPlan,
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
        let is_packed = matches!(plan.place, Destination::File(_, Some(_)));
        let snapshot = Snapshot::take(db)?;
        let sent = Sent { accept: seine_http::ACCEPTED, accept_encoding: seine_http::ACCEPTED_CODINGS };
        let mut warc = Warc::new(plan.output(false)?, is_packed, sent)?;
        archive::answers(db, &snapshot, &filter, |answer| {
            look()?;
            talk.row();
            warc.answer(db, answer)
        })?;
        talk.rows = warc.answers();
        return warc.finish();
    }
    if plan.format == Format::Graphml {
        return graph(plan, db, filter, is_live, talk, &mut look);
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
        // If one table has to be read in one transaction, the others are read in it too.
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

/// Exports the graph of links: every URL, then every link that passes `filter`.
fn graph(
    plan: &ExportPlan,
    db: &Connection,
    filter: Filter,
    is_live: bool,
    talk: &mut Talk,
    look: &mut dyn FnMut() -> Result<(), ExportError>,
) -> Result<Finished, ExportError> {
    let snapshot = db.unchecked_transaction().map_err(StoreError::from)?;
    let links = Links::of(&snapshot, Scope { filter, ..Scope::default() }).map_err(|error| match error {
        LinksError::Store(error) => ExportError::Store(error),
        LinksError::Select(error) => ExportError::Select(error),
        LinksError::UnknownPage(url) => unreachable!("no page was named: {url}"),
    })?;
    let mut graph = Graphml::new(plan.output(is_live)?, links.columns())?;
    links::nodes(&snapshot, |node| {
        look()?;
        graph.node(node)
    })?;
    links.read(&snapshot, |link| {
        if talk.row() {
            look()?;
        }
        graph.edge(link)
    })?;
    look()?;
    graph.finish()
}

/// Rows of the table `name`, and how they become those of the export.
fn selected(
    args: &ExportArgs,
    plan: &ExportPlan,
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
    found.ok_or_else(|| wanted.map_or(SelectError::NoRunAtAll, SelectError::NoSuchRun).into())
}
