//! The history of one URL, fetch by fetch.

use std::io::Write;

use anyhow::{Result, bail};
use serde_json::json;

use super::prose::Prose;
use super::report::state;
use super::{DiffPlan, json as report_json, text};
use crate::cli::{DiffArgs, DiffFormat};
use crate::commands::writing::{Desk, has_colour};
use crate::console::text::at_ms;
use crate::console::text::printable;
use seine_export::ExportError;
use seine_store::diff::Run;
use seine_store::diff::history::{Fetch, history};

/// Tells of every fetch from that of run `from` to that of run `to`; whether anything differs.
pub(super) fn tell(
    args: &DiffArgs,
    plan: &DiffPlan,
    desk: &Desk<'_>,
    url: &str,
    from: Option<&Run>,
    to: Option<&Run>,
) -> Result<bool> {
    let Some(history) = history(desk.db, url.trim()).map_err(ExportError::from)? else {
        bail!("{} is not in {}", printable(url.trim()), args.db.display());
    };
    // From what it was as of the earlier run on.
    let first = from.and_then(|from| history.as_of(from.run_id)).map_or(i64::MIN, |fetch| fetch.run_id);
    let last = to.map_or(i64::MAX, |to| to.run_id);
    let fetches = history.fetches.iter().filter(|fetch| (first..=last).contains(&fetch.run_id));
    let mut output = desk.output()?;
    let is_json = plan.format == DiffFormat::Json;
    let has_colour = has_colour(plan.file.as_deref());
    if is_json {
        write!(output, "{{\"url\":{},\n\"versions\":[", json!(history.url)).map_err(ExportError::from)?;
    } else {
        writeln!(output, "{}", printable(&history.url)).map_err(ExportError::from)?;
    }
    let (mut differs, mut earlier, mut content) = (false, None::<&Fetch>, None::<&Fetch>);
    for fetch in fetches {
        let change = change(earlier, content, fetch);
        differs |= change.is_some_and(|change| change != "fetched");
        // Compare with the last fetch that was ok: a failure in between is no version.
        let prose = match content.filter(|content| fetch.is_ok() && content.hash != fetch.hash) {
            Some(content) => Some(Prose::between(desk.db, &history, content, fetch)?),
            None => None,
        };
        if is_json {
            let mut object = report_json::fetch(fetch);
            object["change"] = json!(change);
            if let Some(prose) = &prose {
                report_json::add_prose(&mut object, prose);
            }
            let separator = if earlier.is_none() { "\n" } else { ",\n" };
            write!(output, "{separator}{object}").map_err(ExportError::from)?;
        } else {
            let at = at_ms(fetch.fetched_at.try_into().unwrap_or_default());
            let (run_id, state, change) = (fetch.run_id, state(Some(fetch)), change.unwrap_or("as it was"));
            writeln!(output, "  run {run_id}  {at}  {}  {change}", printable(&state)).map_err(ExportError::from)?;
            match &prose {
                Some(Prose::Differs(diff)) => text::lines(&mut output, diff, has_colour)?,
                Some(Prose::Silent(reason)) => writeln!(output, "    {reason}").map_err(ExportError::from)?,
                None => {}
            }
        }
        earlier = Some(fetch);
        content = if fetch.is_ok() { Some(fetch) } else { content };
    }
    if is_json {
        writeln!(output, "]}}").map_err(ExportError::from)?;
    }
    output.commit()?;
    Ok(differs)
}

/// The differences of a fetch from the one before; `None` if there are none.
fn change(earlier: Option<&Fetch>, content: Option<&Fetch>, fetch: &Fetch) -> Option<&'static str> {
    match (earlier, content) {
        (None, _) => Some("fetched"),
        (Some(earlier), Some(_)) if !earlier.is_ok() && fetch.is_ok() => Some("back"),
        (Some(earlier), None) if !earlier.is_ok() && fetch.is_ok() => Some("new"),
        (Some(_), Some(content)) if fetch.is_ok() => (content.hash != fetch.hash).then_some("changed"),
        (Some(earlier), _) if earlier.is_ok() && fetch.says_gone() => Some("gone"),
        (Some(earlier), _) => ((earlier.outcome, earlier.status) != (fetch.outcome, fetch.status)).then_some("status"),
    }
}
