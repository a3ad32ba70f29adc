//! HTML pages for people, made of what sites said: one shell for all of them.
//!
//! - [`markup`]: HTML in the making; texts get in escaped, and in no other way.
//! - [`table`], [`chart`]: rows and figures, readable at any width, in light and dark.
//!
//! A page needs nothing else: no script, no font, no picture; its policy forbids it to fetch anything.

pub mod chart;
pub mod markup;
pub mod table;

use std::io::{self, Write};

pub(super) use markup::Markup;

const STYLE: &str = include_str!("style.css");

/// The head of a page.
pub(super) struct Head {
    /// In a word or two: what kind of page it is.
    pub kind: &'static str,
    /// What it is about.
    pub title: String,
    /// A line below that: of when, of what.
    pub lede: Markup,
}

/// Begins a page.
///
/// # Errors
/// `output` cannot be written.
pub(super) fn begin(output: &mut dyn Write, head: &Head) -> io::Result<()> {
    let title = Markup::text(&head.title);
    write!(
        output,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title} – {kind}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header class=\"top\">\n<p class=\"kind\">{kind}</p>\n<h1>{title}</h1>\n<p class=\"lede\">{lede}</p>\n</header>\n",
        kind = head.kind,
        lede = head.lede,
    )
}

/// Ends it with a line about how it came about.
///
/// # Errors
/// `output` cannot be written.
pub(super) fn end(output: &mut dyn Write, made: &Markup) -> io::Result<()> {
    write!(output, "<footer>{made}</footer>\n</main>\n</body>\n</html>\n")
}

/// A number with what it counts.
pub(super) struct Figure {
    pub number: String,
    pub caption: String,
    /// `good`, `bad`, or nothing.
    pub class: &'static str,
}

/// The numbers that matter most.
pub(super) fn figures(figures: &[Figure]) -> Markup {
    let mut list = Markup::default();
    for Figure { number, caption, class } in figures {
        let number = Markup::text(number).within("b", class);
        list.push(number.with(&Markup::text(caption).within("span", "")).within("li", ""));
    }
    list.within("ul", "figures")
}

/// A heading with how many there are of what follows.
pub(super) fn heading(id: &'static str, title: &'static str, count: Option<&str>) -> Markup {
    let mut heading = Markup::text(title);
    if let Some(count) = count {
        heading.push(Markup::raw(" "));
        heading.push(Markup::text(count).within("span", "count"));
    }
    heading.element("h2", &format!("id=\"{id}\""))
}

/// Links to the sections of the page.
pub(super) fn contents(sections: &[(&'static str, &'static str)]) -> Markup {
    let mut list = Markup::default();
    for (id, title) in sections {
        list.push(Markup::text(title).element("a", &format!("href=\"#{id}\"")));
        list.push(Markup::raw("\n"));
    }
    list.within("nav", "")
}

/// Milliseconds of the Unix epoch as people write them: `30 November 2026, 21:05 UTC`.
pub(super) fn date(epoch_ms: u64) -> String {
    let time = i64::try_from(epoch_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| "–".to_owned(), |time| time.strftime("%-d %B %Y, %H:%M UTC").to_string())
}

/// The same, as short as it goes in a table: `2026-11-30 21:05`.
pub(super) fn short_date(epoch_ms: u64) -> String {
    let time = i64::try_from(epoch_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| "–".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_forbids_itself_the_network_and_scripts() {
        let head = Head { kind: "Test", title: "<script>".to_owned(), lede: Markup::text("a & b") };
        let mut page = Vec::new();
        begin(&mut page, &head).expect("a page");
        end(&mut page, &Markup::default()).expect("a page");
        let page = String::from_utf8(page).expect("UTF-8");
        assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""), "{page}");
        assert!(page.contains("<h1>&lt;script&gt;</h1>") && !page.contains("<script"), "{page}");
        for elsewhere in ["url(", "@import", "http:", "https:", "src="] {
            assert!(!page.contains(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn times_are_told_in_words() {
        assert_eq!(date(1_796_072_745_000), "30 November 2026, 21:05 UTC");
        assert_eq!(short_date(0), "1970-01-01 00:00");
        assert_eq!(date(u64::MAX), "–");
    }
}
