//! Run after run.

use super::overview::NAME_CHARS;
use super::{counted, more};
use crate::commands::html::chart::{Bar, columns};
use crate::commands::html::table::{Column, Table};
use crate::commands::html::{self, Markup};
use crate::console::text::{grouped, size, span_ms};
use seine_core::record::Outcome;
use seine_store::report::{RunLine, Site};

/// Runs in the table.
const ROWS: usize = 10;

/// What each run has fetched.
pub(super) fn runs(site: &Site) -> Markup {
    let mut section = html::heading("runs", "Runs", Some(&grouped(site.run_count)));
    if site.runs.len() > 1 {
        let bars: Vec<_> = site.runs.iter().map(bar).collect();
        section.push(columns("URLs that each run has fetched", &bars));
        section.push(Markup::raw(
            "<ul class=\"legend\"><li><i class=\"good\"></i>ok</li><li><i class=\"bad\"></i>failed</li></ul>",
        ));
    }
    let mut table = Table::new(&[
        Column::Text("Run"),
        Column::Word("Ended"),
        Column::Number("ok"),
        Column::Number("failed"),
        Column::Number("Size"),
        Column::Number("Time"),
    ]);
    for run in site.runs.iter().rev().take(ROWS) {
        let begun = Markup::text(&format!("begun {} UTC", html::short_date(run.started_at))).within("small", "");
        let ended = match run.ended_by.as_deref() {
            Some("completed") => Markup::text("complete"),
            Some(other) => Markup::cut(&other.replace('_', " "), NAME_CHARS).within("span", "tag warn"),
            None => Markup::text("not yet").within("span", "tag"),
        };
        let (ok, failed) = counts(run);
        table.row([
            Markup::text(&run.run_id.to_string()).with(&begun),
            ended,
            Markup::number(ok),
            Markup::number(failed),
            Markup::text(&size(run.bytes)),
            Markup::text(&span_ms(run.active_ms)),
        ]);
    }
    section.push(table.done());
    section.push(more(site.runs.len().min(ROWS), site.run_count, "runs"));
    section
}

fn counts(run: &RunLine) -> (u64, u64) {
    let of = |outcome: Outcome| run.outcomes[outcome as usize];
    (of(Outcome::Ok), Outcome::ERRORS.into_iter().map(of).sum())
}

fn bar(run: &RunLine) -> Bar {
    let (ok, failed) = counts(run);
    Bar {
        name: run.run_id.to_string(),
        hint: format!(
            "run {}, {}: {} ok, {} failed",
            run.run_id,
            html::short_date(run.started_at),
            counted(ok, "URL", "URLs"),
            grouped(failed)
        ),
        parts: [(ok, "good"), (failed, "bad")],
    }
}
