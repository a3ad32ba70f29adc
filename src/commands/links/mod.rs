//! `seine links`: links held against what the crawl made of their targets.
//!
//! - `anchors`: places within pages, looked for in stored bodies.
//! - `external`: targets outside the crawl, asked for by one of their own.
//! - `report`: what every format has to take; `text`, `json`, `csv`, `junit`, `github`: one each.

mod anchors;
mod csv;
mod external;
mod github;
mod json;
mod junit;
mod report;
mod text;

use std::path::Path;

use anyhow::{Context, Result, bail};

use self::anchors::Places;
use self::report::Report;
use super::export::plan::is_of_store;
use super::session::open_store;
use super::writing::{Asks, Desk, file_of, has_colour, written};
use crate::cli::{LinksArgs, LinksFormat};
use seine_core::record::CrawlUrl;
use seine_export::ExportError;
use seine_store::links::{Counts, Links, LinksError, Scope, State};
use seine_store::rows::Filter;

/// Exit code: a link is broken.
const BROKEN: i32 = 1;

/// Tells of links; nothing is there under the output's name before it is whole.
///
/// # Errors
/// No such store, page or condition; the output cannot be written.
pub fn run(args: &LinksArgs) -> Result<i32> {
    if matches!(args.format, LinksFormat::Junit | LinksFormat::Github) && !args.broken {
        bail!("junit and github are for --broken: they tell of failures");
    }
    if args.spreadsheet_safe && args.format != LinksFormat::Csv {
        bail!("--spreadsheet-safe is for csv");
    }
    let file = file_of(args.output.as_deref(), &args.db)?;
    let scope = Scope {
        filter: Filter { condition: args.condition.clone(), ..Filter::default() },
        from: args.from.as_deref().map(url).transpose()?,
        to: args.to.as_deref().map(url).transpose()?,
        accepted: args.accept.iter().map(|statuses| statuses.0.clone()).collect(),
        once: true,
        soft: args.soft,
    };
    if args.external {
        let db = external::store_of(&args.db);
        if file.as_deref().is_some_and(|file| is_of_store(file, &db)) {
            bail!("{} belongs to the store of external targets; choose another file", db.display());
        }
        if let Some(code) = external::check(args, scope.clone())? {
            return Ok(code);
        }
    }
    let counts = written(&args.db, file.as_deref(), Asks::User, |desk| tell(args, file.as_deref(), scope, desk))?;
    let Some(counts) = counts else { return Ok(0) };
    let is_on_stdout = args.format == LinksFormat::Text && file.is_none();
    if !args.quiet && !is_on_stdout {
        super::session::tell(&format!("seine: {}\n", report::summary(&args.db, &counts)));
    }
    Ok(if args.broken && counts.broken > 0 { BROKEN } else { 0 })
}

fn url(raw_url: &str) -> Result<CrawlUrl> {
    CrawlUrl::parse(raw_url.trim()).with_context(|| format!("{raw_url:?} is no URL that can be crawled"))
}

/// How many links there are in all that was asked for.
fn tell(args: &LinksArgs, file: Option<&Path>, scope: Scope, desk: &Desk<'_>) -> Result<Counts> {
    let links = Links::of(desk.db, scope).map_err(|error| match error {
        LinksError::Store(error) => ExportError::from(error).into(),
        other => anyhow::Error::new(other),
    })?;
    let wants = |state: State| match state {
        _ if !args.broken && !args.unchecked => true,
        State::Ok => false,
        State::Broken => args.broken,
        State::Unchecked => args.unchecked,
    };
    let mut report = report(args, file, &links, desk)?;
    let mut places = if args.anchors { Some(Places::new()?) } else { None };
    let others = external::store_of(&args.db);
    // It is not there if no link leads out.
    let others = if args.external && others.exists() { Some(open_store(&others)?) } else { None };
    let mut counts = links.read_with(desk.db, others.as_ref(), |link| {
        desk.look()?;
        if let (Some(places), State::Broken) = (&mut places, link.state) {
            places.note(link.page_id)?;
        }
        if wants(link.state) { report.link(link) } else { Ok(()) }
    })?;
    if let Some(places) = &places {
        places.tell(desk, &links, &mut counts, &mut *report)?;
    }
    desk.look()?;
    report.finish(&counts)?;
    Ok(counts)
}

fn report(
    args: &LinksArgs,
    file: Option<&Path>,
    links: &Links,
    desk: &Desk<'_>,
) -> Result<Box<dyn Report>, ExportError> {
    let output = desk.output()?;
    let db = args.db.to_path_buf();
    Ok(match args.format {
        LinksFormat::Text => Box::new(text::Text::new(output, db, has_colour(file))),
        LinksFormat::Json => Box::new(json::Json::object(output, db, links.columns())?),
        LinksFormat::Jsonl => Box::new(json::Json::lines(output, links.columns())),
        LinksFormat::Csv => Box::new(csv::Csv::new(output, links.columns(), args.spreadsheet_safe)?),
        LinksFormat::Junit => Box::new(junit::Junit::new(output, db)?),
        LinksFormat::Github => Box::new(github::Github::new(output)),
    })
}
