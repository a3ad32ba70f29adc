//! The calendar of the market on the quay. It has a page for whatever month one asks for, so its links never end.

use std::fmt::Write as _;

use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday, date};

use super::layout::Page;

/// The page at `path`, if it is one of the calendar's: `/calendar` is the month of `today`, `/calendar/2026-05` any other.
pub(super) fn page(path: &str, today: Date, origin: &str) -> Option<String> {
    match path.strip_prefix("/calendar")? {
        "" => Some(month(today.first_of_month(), origin)),
        rest => Some(month(first_day(rest.strip_prefix('/')?)?, origin)),
    }
}

/// The first day of a month that is written as in `2026-05`.
fn first_day(text: &str) -> Option<Date> {
    let (year, number) = text.split_once('-')?;
    let is_written_so = year.len() == 4 && number.len() == 2 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let (year, number) = is_written_so.then(|| Some((year.parse().ok()?, number.parse().ok()?)))??;
    (1..=12).contains(&number).then(|| date(year, number, 1))
}

fn path(first: Date) -> String {
    first.strftime("/calendar/%Y-%m").to_string()
}

fn month(first: Date, origin: &str) -> String {
    let name = first.strftime("%B %Y").to_string();
    let mut body = format!("<h1>{name}</h1>\n<p>The market is on the quay every Saturday.</p>\n<ul>\n");
    for day in first.series(1.day()).take(first.days_in_month() as usize).filter(|d| d.weekday() == Weekday::Saturday) {
        let _ = writeln!(body, "<li><time datetime=\"{day}\">{}</time></li>", day.strftime("%-d %B"));
    }
    body.push_str("</ul>\n<p class=\"pager\">");
    for (span, text) in [(1.month(), "Next month"), (1.year(), "A year on")] {
        // Years have four digits here, so there is a last month after all.
        if let Ok(later) = first.checked_add(span) {
            let _ = write!(body, "<a href=\"{}\">{text}</a> ", path(later));
        }
    }
    body.push_str("</p>");
    Page {
        charset: "utf-8",
        title: &name,
        description: "Market days on the quay.",
        canonical: &format!("{origin}{}", path(first)),
        crumbs: &[("/".to_owned(), "Shop")],
        body: &body,
        ..Page::default()
    }
    .html()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = date(2026, 11, 30);

    #[test]
    fn every_month_leads_to_the_next_until_years_have_five_digits() {
        let page_of = |path: &str| page(path, TODAY, "http://x").expect("a month");
        assert!(page_of("/calendar").contains("<h1>November 2026</h1>"));
        assert!(page_of("/calendar").contains("href=\"/calendar/2026-12\">Next month"));
        assert!(page_of("/calendar/2026-12").contains("href=\"/calendar/2027-01\">Next month"));
        assert!(page_of("/calendar").contains("href=\"/calendar/2027-11\">A year on"));
        assert!(!page_of("/calendar/9999-12").contains("Next month"));
    }

    #[test]
    fn a_month_has_its_saturdays() {
        let html = page("/calendar/2026-05", TODAY, "http://x").expect("a month");
        assert_eq!(html.matches("<time").count(), 5);
        assert!(html.contains("<time datetime=\"2026-05-02\">2 May</time>"));
    }

    #[test]
    fn what_is_no_month_has_no_page() {
        for path in [
            "/calendar/",
            "/calendar/2026",
            "/calendar/2026-13",
            "/calendar/2026-00",
            "/calendar/+026-01",
            "/calendars",
        ] {
            assert_eq!(page(path, TODAY, "http://x"), None, "{path}");
        }
    }
}
