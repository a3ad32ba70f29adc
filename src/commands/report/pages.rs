//! Slow and large pages; titles and descriptions that are missing, or are those of several pages.

use super::{counted, duration, more, note};
use crate::commands::html::chart::{Bar, columns};
use crate::commands::html::table::{Column, Table};
use crate::commands::html::{self, Markup};
use crate::console::text::size as bytes;
use seine_store::report::Site;
use seine_store::report::pages::TIME_BOUNDS_MS;
use seine_store::report::repeated::Repeated;
use seine_store::report::top::Top;

/// Characters of a title or description that are shown.
const TEXT_CHARS: usize = 160;

const OF_TEXTS: &[Column; 3] = &[Column::Text("Text"), Column::Number("Pages"), Column::Text("Such as")];

/// How long answers took.
pub(super) fn speed(site: &Site) -> Markup {
    let pages = &site.pages;
    let mut section = html::heading("speed", "Speed", None);
    let (Some(median), Some(p95)) = (pages.median_ms, pages.p95_ms) else {
        section.push(note("Nothing has answered."));
        return section;
    };
    section.push(note(&format!(
        "Half of the answers took no longer than {}, nineteen of twenty no longer than {}. Each column is of answers that \
         took less than it says.",
        duration(median),
        duration(p95)
    )));
    let name = |at: usize| match TIME_BOUNDS_MS.get(at) {
        Some(bound) => duration(*bound).replace(".0 s", " s"),
        None => "more".to_owned(),
    };
    let bars = pages.times.iter().enumerate().map(|(at, count)| {
        let class = if at >= TIME_BOUNDS_MS.len() - 2 { "warn" } else { "plain" };
        let bound = if at < TIME_BOUNDS_MS.len() { "less than " } else { "" };
        let hint = format!("{bound}{}: {}", name(at), counted(*count, "page", "pages"));
        Bar { name: name(at), hint, parts: [(*count, class), (0, "pale")] }
    });
    section.push(columns("Pages by the time of their answers", &bars.collect::<Vec<_>>()));
    let mut table = Table::new(&[Column::Text("Slowest pages"), Column::Word("Status"), Column::Number("Time")]);
    for (ms, page) in pages.slowest.iter() {
        let status = page.status.map_or_else(Markup::default, |status| Markup::text(&status.to_string()));
        table.row([Markup::link(&page.url), status, Markup::text(&duration(ms))]);
    }
    section.push(table.done());
    section
}

/// How large bodies are.
pub(super) fn size(site: &Site) -> Markup {
    let mut section = html::heading("size", "Size", None);
    let largest = &site.pages.largest;
    if largest.offered() == 0 {
        section.push(note("No page has a body."));
        return section;
    }
    let mean = site.pages.bytes / largest.offered();
    section.push(note(&format!(
        "{} have a body, of {} on average, decompressed.",
        counted(largest.offered(), "URL", "URLs"),
        bytes(mean)
    )));
    let mut table = Table::new(&[Column::Text("Largest pages"), Column::Word("Type"), Column::Number("Size")]);
    for (size, page) in largest.iter() {
        let kind = page.content_type.as_deref().unwrap_or_default();
        let kind = Markup::cut(kind.split(';').next().unwrap_or_default().trim(), 40);
        table.row([Markup::link(&page.url), kind, Markup::text(&bytes(size))]);
    }
    section.push(table.done());
    section
}

/// Texts that tell pages apart in the results of a search.
pub(super) fn titles(site: &Site) -> Markup {
    let pages = &site.pages;
    let mut section = html::heading("titles", "Titles and descriptions", None);
    section.push(note(&format!(
        "Of {} that came without a redirect. Pages that name another as their original are not counted twice.",
        counted(pages.html, "HTML page", "HTML pages")
    )));
    let mut missing_texts = listed("Without a title", &pages.untitled);
    missing_texts.push(listed("Without a description", &pages.undescribed));
    let told = [
        if missing_texts.is_empty() { missing_texts } else { missing_texts.within("div", "pair") },
        repeated("The same title", OF_TEXTS, shortened, &site.titles),
        repeated("The same description", OF_TEXTS, shortened, &site.descriptions),
    ];
    if told.iter().all(Markup::is_empty) {
        section.push(note("Each has a title and a description of its own."));
    }
    told.into_iter().for_each(|part| section.push(part));
    section
}

fn heading(title: &'static str, count: u64) -> Markup {
    let count = Markup::text(&counted(count, "page", "pages")).within("span", "count");
    Markup::text(title).with(&Markup::raw(" ")).with(&count).within("h3", "")
}

pub(super) fn listed(title: &'static str, top: &Top<String>) -> Markup {
    if top.offered() == 0 {
        return Markup::default();
    }
    let mut table = Table::new(&[Column::Text("Page")]);
    top.iter().for_each(|(_, url)| table.row([Markup::link(url)]));
    let list = table.done().with(&more(top.iter().count(), top.offered(), "pages"));
    heading(title, top.offered()).with(&list).within("div", "")
}

fn shortened(text: &str) -> Markup {
    Markup::cut(text, TEXT_CHARS)
}

/// Pages in groups. A group has a row of these `columns`: what its pages have in common, shown as `show` has it, how many there
/// are, and some of them.
pub(super) fn repeated(
    title: &'static str,
    columns: &'static [Column; 3],
    show: fn(&str) -> Markup,
    repeated: &Repeated,
) -> Markup {
    if repeated.pages == 0 {
        return Markup::default();
    }
    let mut table = Table::new(columns);
    for (count, (text, examples)) in repeated.texts.iter() {
        let mut urls = Markup::default();
        examples.iter().for_each(|url| urls.push(Markup::link(url).within("div", "")));
        table.row([show(text), Markup::number(count), urls]);
    }
    let left = more(repeated.texts.iter().count(), repeated.texts.offered(), "texts");
    heading(title, repeated.pages).with(&table.done()).with(&left)
}
