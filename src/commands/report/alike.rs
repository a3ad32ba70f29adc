//! Pages that bring nothing new: those that say nearly the same, those that are not there, hosts that are the same.

use super::pages::{listed, repeated};
use super::{counted, note};
use crate::commands::html::table::{Column, Table};
use crate::commands::html::{self, Markup};
use seine_store::report::Site;

/// Characters of the name of a host that are shown.
const HOST_CHARS: usize = super::overview::NAME_CHARS;

const OF_PAGES: &[Column; 3] = &[Column::Text("Page"), Column::Number("Like it"), Column::Text("Such as")];

/// As of the end of the last run that compared pages.
pub(super) fn alike(site: &Site) -> Markup {
    let mut section = html::heading("alike", "Nothing new", None);
    let told = [
        repeated("Nearly the same page", OF_PAGES, Markup::link, &site.near_duplicates),
        listed("Not there, with status 200", &site.pages.soft_404s),
        mirrors(site),
        quiet(site),
    ];
    if told.iter().all(Markup::is_empty) {
        section.push(note("No page says that it is not there, and no host has the pages of another."));
    }
    told.into_iter().for_each(|part| section.push(part));
    section
}

fn mirrors(site: &Site) -> Markup {
    let mirrors = &site.alike.mirrors;
    if mirrors.is_empty() {
        return Markup::default();
    }
    let mut table = Table::new(&[
        Column::Text("Host"),
        Column::Text("Has the pages of"),
        Column::Number("Pages"),
        Column::Number("The same"),
    ]);
    for mirror in mirrors {
        table.row([
            Markup::cut(&mirror.host, HOST_CHARS),
            Markup::cut(&mirror.of_host, HOST_CHARS),
            Markup::number(mirror.pages),
            Markup::number(mirror.same),
        ]);
    }
    Markup::raw("<h3>Mirrors</h3>").with(&table.done())
}

fn quiet(site: &Site) -> Markup {
    let said = site.alike.nothing_new.iter().map(|quiet| {
        let host: String = quiet.host.chars().take(HOST_CHARS).collect();
        note(&format!("The last {} of {host} say what others of it said.", counted(quiet.pages, "page", "pages")))
    });
    said.fold(Markup::default(), |all, line| all.with(&line))
}
