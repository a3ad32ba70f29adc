//! The pace that was kept with each host, as the record of all requests proves it.

use super::overview::NAME_CHARS;
use super::{counted, more, note};
use crate::commands::html::table::{Column, Table};
use crate::commands::html::{self, Markup};
use crate::console::text::grouped;
use seine_store::audit::HostPace;
use seine_store::report::Site;

/// Hosts that came closest to their limits.
pub(super) fn pace(site: &Site) -> Markup {
    let audit = &site.audit;
    let mut section = html::heading("pace", "Pace", None);
    if audit.requests == 0 {
        section.push(note("Nobody was asked for anything."));
        return section;
    }
    let verdict = match audit.violations {
        0 => "every gap between two requests was kept".to_owned(),
        count => format!("{} shorter than its limit", counted(count, "gap was", "gaps were")),
    };
    section.push(note(&format!(
        "{} to {}; {verdict}. Hosts that came closest to their limits come first.",
        counted(audit.requests, "request", "requests"),
        counted(audit.hosts, "host", "hosts")
    )));
    let mut table = Table::new(&[
        Column::Text("Host"),
        Column::Number("Requests"),
        Column::Number("Smallest gap"),
        Column::Number("Limit"),
        Column::Number("Most in 1 s"),
        Column::Number("Most at once"),
        Column::Word("Kept"),
    ]);
    audit.tightest.iter().for_each(|host| table.row(row(host)));
    section.push(table.done());
    section.push(more(audit.tightest.len(), audit.hosts, "hosts"));
    section
}

fn row(host: &HostPace) -> [Markup; 7] {
    let ms = |us: Option<u64>| us.map_or_else(|| "–".to_owned(), |us| format!("{} ms", grouped(us / 1000)));
    let kept = match host.violations {
        0 => Markup::text("yes").within("span", "tag good"),
        count => Markup::text(&format!("{} short", grouped(count))).within("span", "tag bad"),
    };
    [
        Markup::cut(&host.host, NAME_CHARS),
        Markup::number(host.requests),
        Markup::text(&ms(host.smallest_gap_us)),
        Markup::text(&ms(host.limit_us)),
        Markup::number(host.largest_rate),
        Markup::number(host.most_in_flight),
        kept,
    ]
}
