//! The numbers that matter most, and how URLs ended.

use std::path::Path;

use super::{counted, duration, percent};
use crate::commands::html::chart::{Bar, Part, columns, shares};
use crate::commands::html::table::{Column, Table};
use crate::commands::html::{self, Figure, Markup};
use crate::console::text::{grouped, size};
use seine_core::record::Outcome;
use seine_store::report::Site;
use seine_store::report::pages::MAX_DEPTH;

/// Errors that are named one by one.
const PROBLEMS: usize = 12;
/// Characters of a name that are shown: of errors and hosts, which may be anything in a store of somebody else's.
pub(super) const NAME_CHARS: usize = 100;

/// The site's name: its host, if it is one; else the file's.
pub(super) fn title(db: &Path, site: &Site) -> String {
    match &*site.audit.tightest {
        [only] if site.audit.hosts == 1 && !only.host.is_empty() => only.host.chars().take(NAME_CHARS).collect(),
        _ => db.file_name().map_or_else(|| db.display().to_string(), |name| name.to_string_lossy().into_owned()),
    }
}

/// When, and how far.
pub(super) fn lede(site: &Site) -> Markup {
    let Some(run) = site.runs.last() else { return Markup::text("Nothing was crawled yet.") };
    let mut text = format!("Run {}, begun on {}", run.run_id, html::date(run.started_at));
    text.push_str(&match run.ended_by.as_deref() {
        Some("completed") => ", is complete.".to_owned(),
        Some(other) => {
            let how: String = other.replace('_', " ").chars().take(NAME_CHARS).collect();
            format!(", was stopped ({how}).")
        }
        None => ", has not ended.".to_owned(),
    });
    if site.pending > 0 {
        text.push_str(&format!(" {} still pending.", counted(site.pending, "URL is", "URLs are")));
    }
    if site.audit.hosts > 1 {
        text.push_str(&format!(" {} hosts were asked.", grouped(site.audit.hosts)));
    }
    Markup::text(&text)
}

/// A line of numbers at the top.
pub(super) fn figures(site: &Site) -> Markup {
    let pages = &site.pages;
    let ok = pages.outcomes[Outcome::Ok as usize];
    let failed: u64 = Outcome::ERRORS.iter().map(|outcome| pages.outcomes[*outcome as usize]).sum();
    let figure =
        |number: String, caption: &str, class: &'static str| Figure { number, caption: caption.to_owned(), class };
    let if_any = |count: u64, class: &'static str| if count > 0 { class } else { "" };
    html::figures(&[
        figure(grouped(pages.fetched()), "URLs fetched", ""),
        figure(percent(ok, pages.fetched()), "of them ok", ""),
        figure(grouped(failed), "failed", if_any(failed, "bad")),
        figure(grouped(site.links.broken), "broken links", if_any(site.links.broken, "bad")),
        figure(pages.median_ms.map_or_else(|| "–".to_owned(), duration), "median answer", ""),
        figure(size(pages.bytes), "of bodies", ""),
    ])
}

/// How all URLs ended, and what went wrong.
pub(super) fn outcomes(site: &Site) -> Markup {
    let parts = Outcome::ALL.map(|outcome| Part {
        name: outcome.name().replace('_', " "),
        count: site.pages.outcomes[outcome as usize],
        class: match outcome {
            Outcome::Ok => "good",
            Outcome::HttpError => "warn",
            Outcome::Failed | Outcome::Quarantined => "bad",
            Outcome::Rejected | Outcome::RobotsDenied | Outcome::Skipped => "pale",
        },
    });
    let mut section = html::heading("outcomes", "Outcomes", None);
    section.push(shares(&parts));
    let mut pair = problems(site);
    pair.push(depths(site));
    if !pair.is_empty() {
        section.push(pair.within("div", "pair"));
    }
    section
}

fn problems(site: &Site) -> Markup {
    let mut problems: Vec<_> = site.pages.problems.iter().collect();
    if problems.is_empty() {
        return Markup::default();
    }
    problems.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), name.as_str()));
    let mut table = Table::new(&[Column::Text("What went wrong"), Column::Number("URLs")]);
    for (name, count) in problems.iter().take(PROBLEMS) {
        table.row([Markup::cut(&name.replace('_', " "), NAME_CHARS), Markup::number(**count)]);
    }
    let left: u64 = problems.iter().skip(PROBLEMS).map(|(_, count)| **count).sum();
    if left > 0 {
        table.row([Markup::text("anything else"), Markup::number(left)]);
    }
    table.done().within("div", "")
}

/// How far from the lists pages are; nothing if all of them were listed.
fn depths(site: &Site) -> Markup {
    let Some(deepest) = site.pages.depths.iter().rposition(|count| *count > 0).filter(|deepest| *deepest > 0) else {
        return Markup::default();
    };
    let bars: Vec<_> = site.pages.depths[..=deepest]
        .iter()
        .enumerate()
        .map(|(depth, count)| {
            let name = if depth == MAX_DEPTH { format!("{depth}+") } else { depth.to_string() };
            let hint = format!("depth {name}: {}", counted(*count, "page", "pages"));
            Bar { name, hint, parts: [(*count, "plain"), (0, "pale")] }
        })
        .collect();
    let heading = Markup::raw("<h3>Pages by depth</h3>");
    heading.with(&columns("Pages by their distance from the start", &bars)).within("div", "")
}
