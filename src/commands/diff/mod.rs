//! `seine diff`: what differs between two runs.
//!
//! - `report`: what every format has to take; `text`, `json`, `csv`, `html`: one each.
//! - `prose`: two versions of a page's main text, as a unified diff; `marks`: which words of two texts differ.
//! - `versions`: one URL, from fetch to fetch.
//!
//! The store is read twice in one snapshot: first it is counted what differs, then told, one by one as it is found.

mod csv;
mod html;
mod json;
mod marks;
mod prose;
mod report;
mod text;
mod versions;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rusqlite::Connection;

use self::prose::Prose;
use self::report::{Head, Report, Shown};
use super::export::plan::known_ending;
use super::writing::{Asks, Desk, file_of, has_colour, written};
use crate::cli::{CompleteRun, DiffArgs, DiffFormat, DiffPart};
use seine_export::ExportError;
use seine_store::diff::{self, Changes, Compared, PageKind, Run, Scope};

/// Of each kind, unless told otherwise.
const SHOWN_IN_TEXT: u64 = 20;
const SHOWN_IN_HTML: u64 = 1000;
/// Exit code: something differs.
const DIFFERS: i32 = 1;

/// Tells what differs; nothing is there under the output's name before it is whole.
///
/// # Errors
/// No such store, run, collection, condition or URL; the output cannot be written.
pub fn run(args: &DiffArgs) -> Result<i32> {
    let plan = DiffPlan::of(args)?;
    let differs = written(&args.db, plan.file.as_deref(), Asks::User, |desk| match &args.url {
        Some(url) => {
            // Every fetch, unless runs were named.
            let from = named(desk.db, args.from, args.run.first())?;
            let to = named(desk.db, args.to, args.run.get(1))?;
            versions::tell(args, &plan, desk, url, from.as_ref(), to.as_ref())
        }
        None => {
            let (from, to) = runs(desk.db, args)?;
            tell(args, &plan, desk, (&from, &to))
        }
    })?;
    Ok(if differs == Some(true) { DIFFERS } else { 0 })
}

/// Format and destination of a diff.
struct DiffPlan {
    format: DiffFormat,
    file: Option<PathBuf>,
}

impl DiffPlan {
    fn of(args: &DiffArgs) -> Result<Self> {
        let file = file_of(args.output.as_deref(), &args.db)?;
        let named = file.as_deref().and_then(named_format);
        let format = args.format.or(named).unwrap_or(DiffFormat::Text);
        if args.limit.is_some() && matches!(format, DiffFormat::Json | DiffFormat::Csv) {
            bail!("--limit is for text and HTML; JSON and CSV have all");
        }
        if args.spreadsheet_safe && format != DiffFormat::Csv {
            bail!("--spreadsheet-safe is for csv");
        }
        if args.summary && matches!(format, DiffFormat::Csv | DiffFormat::Html) {
            bail!("--summary is for text and JSON");
        }
        if args.url.is_some() && matches!(format, DiffFormat::Csv | DiffFormat::Html) {
            bail!("--url is for text and JSON");
        }
        if args.run.len() > 2 {
            bail!("--run takes two runs at most");
        }
        if let (Some(path), None, None) = (&file, args.format, named) {
            known_ending(path, "txt, json, csv and html")?;
        }
        Ok(Self { format, file })
    }
}

/// The format a file's name asks for, `.gz` and `.zst` aside.
fn named_format(path: &Path) -> Option<DiffFormat> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = [".gz", ".zst"].iter().find_map(|packed| name.strip_suffix(packed)).unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "txt" | "diff" | "patch" | "log" => Some(DiffFormat::Text),
        "json" => Some(DiffFormat::Json),
        "csv" => Some(DiffFormat::Csv),
        "html" | "htm" => Some(DiffFormat::Html),
        _ => None,
    }
}

/// The two runs, the earlier one first.
fn runs(db: &Connection, args: &DiffArgs) -> Result<(Run, Run)> {
    let path = args.db.display();
    let to = match named(db, args.to, args.run.get(1))? {
        Some(to) => to,
        None => Run::last(db, 0)?.ok_or_else(|| anyhow::anyhow!("{path} has no complete run; --to N names another"))?,
    };
    let from = match named(db, args.from, args.run.first())? {
        Some(from) => from,
        None => Run::before(db, to.run_id)?.ok_or_else(|| {
            let run_id = to.run_id;
            anyhow::anyhow!("{path} has no complete run before run {run_id}, so there is nothing to hold it against")
        })?,
    };
    if from.run_id > to.run_id {
        bail!("run {} comes after run {}; name the earlier one first", from.run_id, to.run_id);
    }
    Ok((from, to))
}

/// The run that one of two arguments names.
fn named(db: &Connection, by_place: Option<CompleteRun>, by_order: Option<&CompleteRun>) -> Result<Option<Run>> {
    let Some(wanted) = by_place.or(by_order.copied()) else { return Ok(None) };
    let (found, name) = match wanted {
        CompleteRun::Last(later) => (Run::last(db, later)?, "so many complete runs".to_owned()),
        CompleteRun::Number(number) => (Run::numbered(db, number)?, format!("run {number}")),
    };
    found.map(Some).ok_or_else(|| anyhow::anyhow!("there is no {name}; `SELECT * FROM runs` lists what there is"))
}

/// The kinds of difference that are told.
struct Parts {
    pages: bool,
    items: bool,
    text: bool,
}

impl Parts {
    fn of(args: &DiffArgs) -> Self {
        let is_wanted = |part| args.only.contains(&part);
        let all = args.only.is_empty();
        Self {
            // Those of one collection alone are asked for by its name.
            pages: is_wanted(DiffPart::Pages) || all && args.collection.is_empty(),
            items: is_wanted(DiffPart::Items) || all,
            text: is_wanted(DiffPart::Text) || args.text,
        }
    }

    fn has_page(&self, kind: PageKind) -> bool {
        self.pages || self.text && kind == PageKind::Changed
    }
}

/// Whether anything differs.
fn tell(args: &DiffArgs, plan: &DiffPlan, desk: &Desk<'_>, (from, to): (&Run, &Run)) -> Result<bool> {
    let mut scope = Scope::between(Some(from), to);
    if let Some(condition) = &args.condition {
        diff::check_condition(desk.db, condition)?;
        scope.condition = Some(condition.clone());
    }
    let mut compared = Compared::of(desk.db).map_err(ExportError::from)?;
    if let Some(unknown) = compared.only(&args.collection) {
        bail!("there is no collection {unknown}; `SELECT DISTINCT collection FROM items` lists what there is");
    }
    let teller = Teller { desk, scope: &scope, compared: &compared, parts: Parts::of(args) };
    let changes = teller.count()?;
    let head = Head {
        db: &args.db,
        from,
        to,
        changes: &changes,
        has_pages: teller.parts.pages || teller.parts.text,
        has_items: teller.parts.items,
        left_out: &compared.left_out,
    };
    let mut report = report(args, plan, &changes, desk)?;
    report.begin(&head)?;
    if args.summary {
        report.finish(false)?;
        return Ok(changes.any());
    }
    if report.has_items_first() {
        teller.items(&mut *report)?;
        teller.pages(&mut *report)?;
    } else {
        teller.pages(&mut *report)?;
        teller.items(&mut *report)?;
    }
    desk.look()?;
    report.finish(true)?;
    Ok(changes.any())
}

/// Reads what differs, to count it and then to tell it.
struct Teller<'t> {
    desk: &'t Desk<'t>,
    scope: &'t Scope,
    compared: &'t Compared,
    parts: Parts,
}

impl Teller<'_> {
    fn count(&self) -> Result<Changes, ExportError> {
        let mut changes = Changes::between(self.scope);
        if self.parts.pages || self.parts.text {
            diff::pages::pages(self.desk.db, self.scope, |page| {
                if self.parts.has_page(page.kind) {
                    changes.page(page.kind);
                }
                self.desk.look()
            })?;
        }
        if self.parts.items {
            diff::items::items(self.desk.db, self.scope, self.compared, |item| {
                changes.item(&item.kind);
                self.desk.look()
            })?;
        }
        Ok(changes)
    }

    fn pages(&self, report: &mut dyn Report) -> Result<(), ExportError> {
        report.pages()?;
        if !self.parts.pages && !self.parts.text {
            return Ok(());
        }
        diff::pages::pages(self.desk.db, self.scope, |page| {
            self.desk.look()?;
            if !self.parts.has_page(page.kind) {
                return Ok(());
            }
            // Only what is shown is read.
            let with_text = self.parts.text && page.kind == PageKind::Changed && report.shows(page.kind);
            let prose = match page.before {
                Some(before) if with_text => Some(Prose::between(self.desk.db, page.history, before, page.after)?),
                _ => None,
            };
            report.page(&page, prose.as_ref())
        })
    }

    fn items(&self, report: &mut dyn Report) -> Result<(), ExportError> {
        report.items()?;
        if !self.parts.items {
            return Ok(());
        }
        diff::items::items(self.desk.db, self.scope, self.compared, |item| {
            self.desk.look()?;
            report.item(&item)
        })
    }
}

fn report(
    args: &DiffArgs,
    plan: &DiffPlan,
    changes: &Changes,
    desk: &Desk<'_>,
) -> Result<Box<dyn Report>, ExportError> {
    let output = desk.output()?;
    let shown = |usual: u64| Shown::new(args.limit.unwrap_or(usual), changes);
    Ok(match plan.format {
        DiffFormat::Text => Box::new(text::Text::new(output, has_colour(plan.file.as_deref()), shown(SHOWN_IN_TEXT))),
        DiffFormat::Json => Box::new(json::Json::new(output)),
        DiffFormat::Csv => Box::new(csv::Csv::new(output, args.spreadsheet_safe)?),
        DiffFormat::Html => Box::new(html::Html::new(output, shown(SHOWN_IN_HTML))),
    })
}
