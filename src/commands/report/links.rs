//! Broken links with their sources, and redirects.

use std::path::Path;

use super::overview::NAME_CHARS;
use super::{counted, more, note};
use crate::commands::html::table::{Column, Table};
use crate::commands::html::{self, Markup};
use crate::console::text::grouped;
use seine_core::record::Outcome;
use seine_store::report::Site;
use seine_store::report::broken::BrokenTarget;

/// Characters of a link's text that are shown.
const TEXT_CHARS: usize = 60;

/// A word for how a URL ended, coloured.
fn tag(word: &str, is_answer: bool) -> Markup {
    Markup::cut(&word.replace('_', " "), NAME_CHARS).within("span", if is_answer { "tag warn" } else { "tag bad" })
}

/// Broken links: by target, since that is what has to be mended.
pub(super) fn broken(db: &Path, site: &Site) -> Markup {
    let links = &site.links;
    let mut section =
        html::heading("broken", "Broken links", (links.broken > 0).then(|| grouped(links.broken)).as_deref());
    let unchecked = match links.unchecked {
        0 => String::new(),
        count => format!(" {} to pages that were not asked for.", counted(count, "link leads", "links lead")),
    };
    if links.broken == 0 {
        let checked = links.ok + links.broken;
        let fine = match checked {
            0 => "No link leads to a page of this crawl.".to_owned(),
            _ => format!("None of {} is broken.", counted(checked, "checked link", "checked links")),
        };
        section.push(note(&(fine + &unchecked)));
        return section;
    }
    section.push(note(&format!(
        "On {}, to {}. {} checked.{unchecked}",
        counted(links.pages_with_broken, "page", "pages"),
        counted(site.broken_count, "address", "addresses"),
        counted(links.ok + links.broken, "link was", "links were"),
    )));
    let mut table = Table::new(&[
        Column::Text("Leads to"),
        Column::Word("Answer"),
        Column::Number("Pages"),
        Column::Text("Linked from"),
    ]);
    for target in &site.broken {
        let is_answer = target.target.outcome == Some(Outcome::HttpError);
        let answer = tag(&target.target.reason(), is_answer);
        table.row([Markup::link(&target.url), answer, Markup::number(target.pages), sources(target)]);
    }
    section.push(table.done());
    section.push(more(site.broken.len(), site.broken_count, "addresses"));
    let command = Markup::text(&format!("seine links {} --broken", db.display())).within("code", "");
    section.push(Markup::text("All of them: ").with(&command).within("p", "more"));
    section
}

fn sources(target: &BrokenTarget) -> Markup {
    let mut sources = Markup::default();
    for (url, text) in &target.sources {
        let mut source = Markup::link(url);
        if !text.is_empty() {
            let text = Markup::raw("“").with(&Markup::cut(text, TEXT_CHARS)).with(&Markup::raw("”"));
            source.push(Markup::raw(" ").with(&text.within("span", "note")));
        }
        sources.push(source.within("div", ""));
    }
    let left = target.pages - target.sources.len() as u64;
    if left > 0 {
        sources.push(Markup::text(&format!("and {}", counted(left, "page more", "pages more"))).within("small", ""));
    }
    sources.within("div", "")
}

/// Pages that were found elsewhere.
pub(super) fn redirects(site: &Site) -> Markup {
    let redirected = &site.pages.redirected;
    let count = redirected.offered();
    let mut section = html::heading("redirects", "Redirects", (count > 0).then(|| grouped(count)).as_deref());
    if count == 0 {
        section.push(note("No page was redirected."));
        return section;
    }
    section.push(note(&match site.pages.chains {
        0 => "Each of them by one redirect.".to_owned(),
        chains => format!(
            "{} by more than one redirect, which costs every visitor a detour.",
            counted(chains, "page is found", "pages are found")
        ),
    }));
    let mut table = Table::new(&[Column::Text("From"), Column::Word("By"), Column::Text("To"), Column::Word("Answer")]);
    for (_, page) in redirected.iter() {
        let by: Vec<_> = page.statuses.iter().map(u16::to_string).collect();
        let answer = match (page.status, &page.error) {
            (_, Some(error)) => tag(error, false),
            (Some(status), None) if (200..300).contains(&status) => Markup::text(&status.to_string()),
            (Some(status), None) => tag(&status.to_string(), true),
            (None, None) => Markup::default(),
        };
        let to = if page.final_url.is_empty() { Markup::default() } else { Markup::link(&page.final_url) };
        table.row([Markup::link(&page.url), Markup::cut(&by.join(", "), TEXT_CHARS), to, answer]);
    }
    section.push(table.done());
    section.push(more(redirected.iter().count(), count, "redirects"));
    section
}
