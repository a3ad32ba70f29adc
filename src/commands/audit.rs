//! `seine audit`: what the record proves, for people and for programs.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;

use crate::cli::AuditArgs;
use crate::console::text::at_us;
use crate::console::text::{grouped, printable};
use seine_store::audit::{Audit, HostPace, audit};

/// Hosts shown without `--all`.
const HOSTS_SHOWN: usize = 20;

/// Audits a store.
///
/// # Errors
/// No such store.
pub fn run(args: &AuditArgs) -> Result<i32> {
    let db = super::session::open_store(&args.db)?;
    let shown = if args.all { usize::MAX } else { HOSTS_SHOWN };
    let audit = audit(&db, shown).with_context(|| format!("cannot read {}", args.db.display()))?;
    let text = if args.json {
        let mut value = serde_json::to_value(&audit)?;
        value["db"] = json!(args.db.to_string_lossy());
        format!("{value}\n")
    } else {
        text(&audit, &args.db)
    };
    super::session::written(io::stdout().write_all(text.as_bytes()))?;
    Ok(i32::from(!audit.fine))
}

fn text(audit: &Audit, db: &Path) -> String {
    let mut text = format!("{}: {}\n", db.display(), if audit.fine { "fine" } else { "NOT FINE" });
    let _ = write!(
        text,
        "  pace      {} requests to {} host{}",
        grouped(audit.requests),
        grouped(audit.hosts),
        if audit.hosts == 1 { "" } else { "s" }
    );
    if let (Some(first), Some(last)) = (audit.first_us, audit.last_us) {
        let _ = write!(text, " from {} to {}", at_us(first), at_us(last));
    }
    let _ = match audit.violations {
        0 => writeln!(text, "; every gap was kept"),
        1 => writeln!(text, "; 1 GAP WAS TOO SHORT"),
        more => writeln!(text, "; {} GAPS WERE TOO SHORT", grouped(more)),
    };
    if let Some(rate) = &audit.rate {
        let verdict = if rate.is_fine() { "kept" } else { "NOT KEPT" };
        let _ = writeln!(
            text,
            "  rate      at most {} requests within a second of the last run; {} allows {}: {verdict}",
            grouped(rate.largest),
            rate.limit,
            grouped(rate.allowed)
        );
    }
    completeness(&mut text, audit);
    hosts(&mut text, &audit.tightest);
    if !audit.shown_violations.is_empty() {
        text.push_str("too short:\n");
    }
    for violation in &audit.shown_violations {
        let _ = writeln!(
            text,
            "  {}  {} ms of {} ms  {}  {}",
            at_us(violation.started_us),
            millis(violation.gap_us),
            millis(violation.limit_us),
            printable(&violation.host),
            printable(violation.url.as_deref().unwrap_or_default())
        );
    }
    let hidden = audit.violations - audit.shown_violations.len() as u64;
    if hidden > 0 {
        let _ = writeln!(text, "  and {} more", grouped(hidden));
    }
    text
}

fn completeness(text: &mut String, audit: &Audit) {
    let found = &audit.completeness;
    let sign = if found.lines == found.lines_ended + found.lines_pending { "=" } else { "IS NOT" };
    let _ = writeln!(
        text,
        "  lists     {} lines {sign} {} with an outcome + {} pending",
        grouped(found.lines),
        grouped(found.lines_ended),
        grouped(found.lines_pending)
    );
    let verdict = match (found.without_page, found.stray_pages) {
        (0, 0) => "one for each URL with an outcome, none for any other".to_owned(),
        (missing, stray) => format!("{} MISSING, {} WITHOUT AN OUTCOME", grouped(missing), grouped(stray)),
    };
    let _ = writeln!(text, "  pages     {}: {verdict}", grouped(found.pages));
    if found.pages != found.counted {
        let _ = writeln!(text, "  runs      THEY COUNTED {} URLS THAT ENDED", grouped(found.counted));
    }
    let _ = writeln!(text, "  file      quick_check: {}", printable(&found.quick_check));
}

fn hosts(text: &mut String, hosts: &[HostPace]) {
    const HEAD: [&str; 8] =
        ["host", "requests", "smallest gap", "limit", "most in 1 s", "most at once", "first", "last"];
    if hosts.is_empty() {
        return;
    }
    let rows: Vec<[String; 8]> = hosts
        .iter()
        .map(|host| {
            let ms = |us: Option<u64>| us.map_or_else(|| "-".to_owned(), |us| format!("{} ms", millis(us)));
            [
                printable(&host.host),
                grouped(host.requests),
                ms(host.smallest_gap_us),
                ms(host.limit_us),
                grouped(host.largest_rate),
                grouped(host.most_in_flight),
                at_us(host.first_us),
                at_us(host.last_us),
            ]
        })
        .collect();
    let mut widths = HEAD.map(str::len);
    for row in &rows {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = (*width).max(cell.chars().count()));
    }
    for row in [HEAD.map(str::to_owned)].iter().chain(&rows) {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Names and times to the left, numbers to the right.
            let _ =
                if matches!(at, 1..=5) { write!(line, "  {cell:>width$}") } else { write!(line, "  {cell:<width$}") };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// Microseconds as milliseconds, to the last digit that tells.
fn millis(us: u64) -> String {
    let (whole, part) = (grouped(us / 1000), us % 1000);
    if part == 0 || us >= 10_000_000 { whole } else { format!("{whole}.{part:03}") }
}
