//! The summary of a crawl, for people and for programs. `crawl` ends with it, `status` shows it.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::fill;
use crate::console::text::{grouped, printable, size};
use crate::supervisor::Report;
use seine_core::record::Outcome;
use seine_store::alike::{Alike, Mirror, Quiet};
use seine_store::diff::Changes;
use seine_store::examples::Example;
use seine_store::follow::FoundCounts;
use seine_store::read::{HostLine, Summary};

/// Drifted fields named in a summary for people.
const DRIFTS_SHOWN: usize = 10;
/// Classes of failure of which a summary for people has examples.
const CLASSES_SHOWN: usize = 8;
/// Characters of a URL or message in an example.
const EXAMPLE_CHARS: usize = 160;

/// In which state the crawl is, in a word.
fn state(summary: &Summary, owner: Option<u32>) -> &'static str {
    match &summary.run {
        _ if owner.is_some() => "running",
        None => "empty",
        Some(run) if run.ended_at.is_none() => "killed",
        Some(_) if summary.pending > 0 => "unfinished",
        Some(_) => "finished",
    }
}

/// For people. `report` adds what only the invocation that just ended knows.
pub fn text(summary: &Summary, db: &Path, owner: Option<u32>, report: Option<&Report>) -> String {
    let mut text = String::new();
    let state = state(summary, owner);
    let _ = write!(text, "{}: {state}", db.display());
    if let Some(owner) = owner {
        let _ = write!(text, " (pid {owner})");
    }
    if let Some(run) = &summary.run {
        let _ = write!(text, ", run {} since {}", run.run_id, run.started_at);
        if let Some(ended_by) = run.ended_by.as_deref().filter(|by| *by != "completed") {
            let _ = write!(text, ", stopped: {ended_by}");
        }
    }
    text.push('\n');
    let _ = write!(text, "  {} URLs", grouped(summary.urls));
    for outcome in Outcome::ALL.map(Outcome::name) {
        match summary.outcomes.get(outcome) {
            Some(0) | None => {}
            Some(count) => {
                let _ = write!(text, ", {} {outcome}", grouped(*count));
            }
        }
    }
    if summary.pending > 0 {
        let _ = write!(text, ", {} pending", grouped(summary.pending));
    }
    text.push('\n');
    if let Some(found) = &summary.found {
        let _ = writeln!(text, "  found: {}", found_in_words(found));
    }
    alike(&mut text, &summary.alike);
    if !summary.errors.is_empty() {
        let mut errors: Vec<_> = summary.errors.iter().collect();
        errors.sort_by_key(|(class, count)| (std::cmp::Reverse(**count), (*class).clone()));
        let errors: Vec<_> = errors.iter().map(|(class, count)| format!("{} {class}", grouped(**count))).collect();
        let _ = writeln!(text, "  errors: {}", errors.join(", "));
        examples(&mut text, summary, db);
    }
    let (fetched, elapsed, bytes) = pace(summary, report);
    if fetched > 0 && !elapsed.is_zero() {
        let _ = writeln!(
            text,
            "  {} in {} ({:.1} pages/s), {} of bodies",
            grouped(fetched),
            short(elapsed),
            fetched as f64 / elapsed.as_secs_f64(),
            size(bytes)
        );
    }
    data(&mut text, summary);
    if let Some(changes) = &summary.changes {
        let _ = writeln!(text, "  changes: {}", changes_in_words(changes));
    }
    if let Some(run) = summary.run.as_ref().filter(|run| run.requests_forgotten > 0) {
        let _ = writeln!(
            text,
            "  forgotten: {} requests of old runs (see --keep-requests)",
            grouped(run.requests_forgotten)
        );
    }
    hosts(&mut text, "slowest", &summary.slowest_hosts, |host| format!("{} ms", grouped(host.mean_ms)));
    hosts(&mut text, "most failing", &summary.failing_hosts, |host| {
        format!("{} of {}", grouped(host.failed), grouped(host.failed + host.fetched))
    });
    if let Some(report) = report {
        let tally = &report.tally;
        let deaths = tally.fetcher_crashes + tally.writer_crashes;
        if deaths > 0 {
            let _ = writeln!(
                text,
                "  {} of its processes died and were replaced; {} URLs were leased again",
                grouped(deaths),
                grouped(tally.leased_again)
            );
        }
    }
    // A store may be somebody else's, and its texts are written to a terminal.
    text.lines().flat_map(|line| [printable(line), "\n".to_owned()]).collect()
}

/// For programs: one object.
///
/// # Errors
/// None in practice; plain values serialise.
pub fn json(summary: &Summary, db: &Path, owner: Option<u32>, report: Option<&Report>) -> Result<Value> {
    let mut value = serde_json::to_value(summary)?;
    let (fetched, elapsed, bytes) = pace(summary, report);
    let seconds = elapsed.as_secs_f64();
    value["db"] = json!(db.to_string_lossy());
    value["state"] = json!(state(summary, owner));
    value["pid"] = json!(owner);
    value["fetched"] = json!(fetched);
    value["elapsed_s"] = json!(seconds);
    value["pages_per_s"] = json!(if seconds > 0.0 { fetched as f64 / seconds } else { 0.0 });
    value["bytes"] = json!(bytes);
    if let Some(report) = report {
        value["ended_by"] = json!(report.ended_by.name());
        value["failed_share"] = json!(report.tally.failed_share());
        value["resumed"] = json!(report.tally.resumed);
        value["retries"] = json!(report.tally.retries);
        value["lines"] = json!(report.tally.lines);
        value["leased_again"] = json!(report.tally.leased_again);
        value["stale_records"] = json!(report.tally.stale_records);
        value["fetcher_crashes"] = json!(report.tally.fetcher_crashes);
        value["writer_crashes"] = json!(report.tally.writer_crashes);
        if !report.processors.is_empty() {
            value["processors"] = super::process::as_json(&report.processors);
        }
        value["sandbox"] = json!(report.walls.map(|walls| json!({"calls": walls.calls, "files": walls.files})));
        value["list_failures"] = json!(report.list_failures);
    }
    Ok(value)
}

/// URLs fetched, the time that took, and their bytes: of the invocation if there was one, else of the run.
fn pace(summary: &Summary, report: Option<&Report>) -> (u64, Duration, u64) {
    let requested = |outcomes: &[u64; Outcome::ALL.len()]| -> u64 {
        let unasked = [Outcome::Rejected, Outcome::RobotsDenied].map(|outcome| outcomes[outcome as usize]);
        outcomes.iter().sum::<u64>() - unasked.iter().sum::<u64>()
    };
    match (report, &summary.run) {
        (Some(report), _) => {
            let fetched = requested(&report.tally.outcomes) - requested(&report.tally.outcomes_before);
            (fetched, report.elapsed, report.tally.bytes)
        }
        (None, Some(run)) => (requested(&run.outcomes), Duration::from_millis(run.active_ms), run.bytes),
        (None, None) => (0, Duration::ZERO, 0),
    }
}

/// What went wrong, by example: of the most frequent classes of failure.
fn examples(text: &mut String, summary: &Summary, db: &Path) {
    let mut classes: Vec<_> = summary.error_examples.iter().collect();
    classes.sort_by_key(|(class, _)| std::cmp::Reverse(summary.errors.get(*class)));
    for (class, examples) in classes.iter().take(CLASSES_SHOWN) {
        for Example { url, message } in *examples {
            let said = message.as_deref().map_or_else(String::new, |message| format!(": {}", shortened(message)));
            let _ = writeln!(text, "    {class} {}{said}", shortened(url));
        }
    }
    if let Some(example) = classes.first().and_then(|(_, examples)| examples.first()) {
        let _ = writeln!(text, "    more about one: seine why {} '{}'", db.display(), printable(&example.url));
    }
}

/// A text of a site as part of a line.
fn shortened(text: &str) -> String {
    let shown = printable(text);
    match shown.char_indices().nth(EXAMPLE_CHARS) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown.to_string(),
    }
}

fn data(text: &mut String, summary: &Summary) {
    if !summary.items.is_empty() || summary.problems > 0 {
        let items: Vec<_> = summary.items.iter().map(|(name, count)| format!("{} {name}", grouped(*count))).collect();
        let _ = write!(text, "  items: {}", if items.is_empty() { "none".to_owned() } else { items.join(", ") });
        if summary.problems > 0 {
            let s = if summary.problems == 1 { "" } else { "s" };
            let _ = write!(text, "; {} problem{s} (see the view extract_problems)", grouped(summary.problems));
        }
        text.push('\n');
    }
    for (name, fill) in &summary.fill {
        text.push_str(&fill::as_text(name, fill));
    }
    for drift in summary.drifts.iter().take(DRIFTS_SHOWN) {
        let field = if drift.field.is_empty() { "pages with items" } else { &drift.field };
        let host = drift.host.as_deref().map_or_else(String::new, |host| format!(" on {}", printable(host)));
        let (before, now) = (100.0 * drift.before, 100.0 * drift.now);
        let _ = writeln!(text, "  DRIFT: {}: {field}{host}: found in {now:.0} %, was {before:.0} %", drift.collection);
    }
    if summary.drifts.len() > DRIFTS_SHOWN {
        let _ = writeln!(text, "  and {} more (see the view field_rates)", summary.drifts.len() - DRIFTS_SHOWN);
    }
}

/// `3 new, 12 changed, 1 gone`
fn changes_in_words(changes: &Changes) -> String {
    let Changes { new, changed, gone, back, status, items_added, items_changed, items_removed, .. } = changes;
    let counts = [
        (new, "new"),
        (changed, "changed"),
        (&gone.unwrap_or(0), "gone"),
        (back, "back"),
        (status, "with another status"),
    ];
    let of_items = [(items_added, "added"), (items_changed, "changed"), (items_removed, "removed")];
    let some: Vec<_> = counts
        .into_iter()
        .filter(|(count, _)| **count > 0)
        .map(|(count, what)| format!("{} {what}", grouped(*count)))
        .chain(
            of_items
                .into_iter()
                .filter(|(count, _)| **count > 0)
                .map(|(count, what)| format!("{} item{} {what}", grouped(*count), if *count == 1 { "" } else { "s" })),
        )
        .collect();
    if some.is_empty() { "none".to_owned() } else { some.join(", ") }
}

/// `1,200 by pages, 30 by sitemaps, 5 links deep at most; traps: 12 calendar`
fn found_in_words(found: &FoundCounts) -> String {
    let FoundCounts { by_pages, by_sitemaps, by_feeds, by_robots, assets, deepest, traps, same_pages } = found;
    let by = [(by_pages, "pages"), (by_sitemaps, "sitemaps"), (by_feeds, "feeds"), (by_robots, "robots.txt")];
    let some = by.into_iter().filter(|(count, _)| **count > 0);
    let mut parts: Vec<_> = some.map(|(count, what)| format!("{} by {what}", grouped(*count))).collect();
    if *assets > 0 {
        parts.push(format!("{} asset{}", grouped(*assets), if *assets == 1 { "" } else { "s" }));
    }
    if parts.is_empty() {
        return "nothing that no list names".to_owned();
    }
    if *deepest > 0 {
        let s = if *deepest == 1 { "" } else { "s" };
        parts.push(format!("{deepest} link{s} deep at most"));
    }
    let traps: Vec<_> = traps.iter().map(|(trap, count)| format!("{} {trap}", grouped(*count))).collect();
    let traps = if traps.is_empty() { String::new() } else { format!("; traps: {}", traps.join(", ")) };
    let same_pages = match same_pages {
        0 => String::new(),
        1 => "; 1 counts as the page that it names as canonical".to_owned(),
        more => format!("; {} count as the page that they name as canonical", grouped(*more)),
    };
    format!("{}{traps}{same_pages}", parts.join(", "))
}

/// What brings nothing new, a line for each kind, with what can be done about it.
fn alike(text: &mut String, alike: &Alike) {
    let Alike { near_duplicates, soft_404, mirrors, nothing_new } = alike;
    let counts = [
        ("near-duplicates", near_duplicates, "the view near_duplicates"),
        ("soft 404s", soft_404, "soft_404 in the view pages; links --broken --soft"),
    ];
    for (what, count, place) in counts.iter().filter(|(_, count, _)| **count > 0) {
        let _ = writeln!(text, "  {what}: {} ({place})", grouped(**count));
    }
    for Mirror { host, of_host, same, pages } in mirrors {
        let (same, pages) = (grouped(*same), grouped(*pages));
        let _ = writeln!(
            text,
            "  mirror: {same} of {pages} pages of {} are those of {}",
            printable(host),
            printable(of_host)
        );
    }
    for Quiet { host, pages } in nothing_new {
        let _ = writeln!(
            text,
            "  nothing new: the last {} pages of {} say what others said; to end there: --nothing-new, --budget or --exclude",
            grouped(*pages),
            printable(host)
        );
    }
}

fn hosts(text: &mut String, label: &str, hosts: &[HostLine], show: impl Fn(&HostLine) -> String) {
    if !hosts.is_empty() {
        let hosts: Vec<_> = hosts.iter().map(|host| format!("{} {}", printable(&host.host), show(host))).collect();
        let _ = writeln!(text, "  {label}: {}", hosts.join(", "));
    }
}

fn short(elapsed: Duration) -> String {
    let millis = elapsed.as_millis() as u64;
    let rounded = if millis < 10_000 { millis / 10 * 10 } else { millis / 1000 * 1000 };
    humantime::format_duration(Duration::from_millis(rounded)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use seine_core::record::items::Fill;
    use seine_store::read::RunSummary;

    #[test]
    fn no_text_of_a_store_steers_the_terminal() {
        let escape = "\u{1b}]0;x\u{7}\u{9b}31m\u{202e}";
        let run = RunSummary {
            run_id: 1,
            started_at: escape.into(),
            ended_at: Some(escape.into()),
            ended_by: Some(escape.into()),
            active_ms: 1,
            requests_forgotten: 0,
            outcomes: Default::default(),
            bytes: 0,
        };
        let named = |count: u64| [(escape.to_owned(), count)].into();
        let host = || HostLine { host: escape.into(), fetched: 1, failed: 1, mean_ms: 1 };
        let summary = Summary {
            run: Some(run),
            errors: named(1),
            items: named(1),
            fill: [(escape.to_owned(), Fill::default())].into(),
            slowest_hosts: vec![host()],
            failing_hosts: vec![host()],
            alike: Alike {
                mirrors: vec![Mirror { host: escape.into(), of_host: escape.into(), same: 1, pages: 1 }],
                nothing_new: vec![Quiet { host: escape.into(), pages: 1 }],
                ..Alike::default()
            },
            ..Summary::default()
        };
        let text = text(&summary, Path::new("crawl.db"), None, None);
        assert!(text.lines().count() > 6, "{text:?}");
        let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!text.contains(steers), "{text:?}");
    }
}
