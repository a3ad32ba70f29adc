//! `seine report`: a page about a whole site.
//!
//! - `overview`: the numbers that matter most, and how URLs ended.
//! - `links`: broken links with their sources, redirects.
//! - `pages`: slow and large pages, titles and descriptions.
//! - `alike`: pages that bring nothing new.
//! - `pace`, `growth`: the pace kept with each host, run after run.

mod alike;
mod growth;
mod links;
mod overview;
mod pace;
mod pages;

use std::path::Path;

use anyhow::{Result, bail};

use super::html::{self, Head, Markup};
use super::writing::{Asks, Desk, file_of, written};
use crate::cli::ReportArgs;
use crate::console::text::grouped;
use seine_export::target;
use seine_export::{ExportError, Format};
use seine_store::report::Site;
use seine_unix::clock;

/// Writes the page; nothing is there under the output's name before it is whole.
///
/// # Errors
/// No such store; the output cannot be written.
pub fn run(args: &ReportArgs) -> Result<i32> {
    let file = file_of(args.output.as_deref(), &args.db)?;
    match &file {
        None if target::is_terminal() => {
            bail!("a page is nothing for a terminal; name a file with -o site.html, or a pipe")
        }
        Some(path) if Format::of_path(path).is_some() => {
            bail!("{}: a report is HTML; name it site.html", path.display())
        }
        _ => {}
    }
    written(&args.db, file.as_deref(), Asks::Program, |desk| tell(args, desk))?;
    Ok(0)
}

fn tell(args: &ReportArgs, desk: &Desk<'_>) -> Result<()> {
    let accepted: Vec<_> = args.accept.iter().map(|statuses| statuses.0.clone()).collect();
    let site = seine_store::report::site(desk.db, args.limit.into(), &accepted).map_err(|error| match desk.look() {
        // It was SQLite that was stopped.
        Err(interrupted) => anyhow::Error::new(interrupted),
        Ok(()) => anyhow::Error::new(error).context(format!("cannot read {}", args.db.display())),
    })?;
    let mut output = desk.output()?;
    page(&mut output, &args.db, &site, clock::wall().ms()).map_err(ExportError::from)?;
    desk.look()?;
    output.commit()?;
    Ok(())
}

/// Sections, in their order, with what they say.
fn sections(db: &Path, site: &Site) -> [(&'static str, &'static str, Markup); 9] {
    [
        ("outcomes", "Outcomes", overview::outcomes(site)),
        ("broken", "Broken links", links::broken(db, site)),
        ("redirects", "Redirects", links::redirects(site)),
        ("speed", "Speed", pages::speed(site)),
        ("size", "Size", pages::size(site)),
        ("titles", "Titles and descriptions", pages::titles(site)),
        ("alike", "Nothing new", alike::alike(site)),
        ("pace", "Pace", pace::pace(site)),
        ("runs", "Runs", growth::runs(site)),
    ]
}

fn page(output: &mut dyn std::io::Write, db: &Path, site: &Site, now_ms: u64) -> std::io::Result<()> {
    let sections = sections(db, site);
    let title = overview::title(db, site);
    html::begin(output, &Head { kind: "Site report", title, lede: overview::lede(site) })?;
    writeln!(output, "{}", overview::figures(site))?;
    let names: Vec<_> = sections.iter().map(|(id, title, _)| (*id, *title)).collect();
    writeln!(output, "{}", html::contents(&names))?;
    for (_, _, section) in &sections {
        writeln!(output, "<section>\n{section}\n</section>")?;
    }
    let db = Markup::text(&db.display().to_string());
    let made = format!("Made of {{}} by seine {} on {}.", env!("CARGO_PKG_VERSION"), html::date(now_ms));
    let (before, after) = made.split_once("{}").unwrap_or_default();
    html::end(output, &Markup::text(before).with(&db.within("code", "")).with(&Markup::text(after)))
}

/// A paragraph about how much a list leaves out; nothing if it has all.
fn more(shown: usize, all: u64, what: &str) -> Markup {
    match all.saturating_sub(shown as u64) {
        0 => Markup::default(),
        left => Markup::text(&format!("… and {} more {what}", grouped(left))).within("p", "more"),
    }
}

/// A paragraph in a paler tone.
fn note(text: &str) -> Markup {
    Markup::text(text).within("p", "note")
}

/// `3 pages`, `1 page`.
fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// A share of a whole, for people.
fn percent(part: u64, all: u64) -> String {
    if all == 0 {
        return "–".to_owned();
    }
    let share = part as f64 * 100.0 / all as f64;
    match share {
        share if part > 0 && share < 0.1 => "< 0.1 %".to_owned(),
        share if part < all && share > 99.9 => "> 99.9 %".to_owned(),
        share if share == share.trunc() => format!("{share:.0} %"),
        share => format!("{share:.1} %"),
    }
}

/// Milliseconds for people: `84 ms`, `1.4 s`.
fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..10_000 => format!("{:.1} s", ms as f64 / 1000.0),
        _ => format!("{} s", grouped(ms / 1000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_times_are_told_as_people_say_them() {
        let shares = [(0, 0), (0, 5), (1, 3), (1, 2), (1, 9999), (99_999, 100_000), (7, 7)];
        let told = shares.map(|(part, all)| percent(part, all));
        assert_eq!(told, ["–", "0 %", "33.3 %", "50 %", "< 0.1 %", "> 99.9 %", "100 %"]);
        assert_eq!([84, 1400, 12_999].map(duration), ["84 ms", "1.4 s", "12 s"]);
        assert_eq!(
            (counted(1, "page", "pages"), counted(2000, "page", "pages")),
            ("1 page".into(), "2,000 pages".into())
        );
    }
}
