//! Dates in the text of a page.

use std::sync::LazyLock;

use regex::Regex;

use super::super::rules::dates;
use super::super::rules::locale::Locale;

/// Longest text in which a date is looked for, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 160;
/// No page is older.
const FIRST_YEAR: &str = "1990";
/// None is from the far future.
const LAST_YEAR: &str = "2099";

static DATE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?x)
        \b\d{4}[-/.]\d{1,2}[-/.]\d{1,2}\b
        | \b\d{1,2}(?:st|nd|rd|th|er|\.|º)?[\s\u{a0}-]+(?:of\s|de\s)?\p{L}{3,12}\.?,?[\s\u{a0}-]+(?:de\s)?\d{4}\b
        | \p{L}{3,12}\.?\s+\d{1,2}(?:st|nd|rd|th)?,?\s+\d{4}\b
        | \b\d{1,2}[./-]\d{1,2}[./-]\d{4}\b
        | \d{4}\s?[年년]\s?\d{1,2}\s?[月월]\s?\d{1,2}\s?[日일]";
    Regex::new(pattern).expect("it is one")
});
static CHANGED: LazyLock<Regex> = LazyLock::new(|| {
    let words = r"(?i)\b(?:updated?|modified|edited|revised|reviewed|changed|aktualisiert|geändert|stand|mis à jour|modifié|actualizado|aggiornato)\b";
    Regex::new(words).expect("it is one")
});

/// What a date is the date of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Published,
    Modified,
}

/// The first date of a text, `YYYY-MM-DD`, and what the text says of it.
pub(super) fn date(text: &str, locale: Option<&Locale>) -> Option<(String, Kind)> {
    if text.len() > MAX_TEXT_BYTES || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    DATE.find_iter(text).find_map(|found| {
        let date = dates::moment(found.as_str(), locale, None, None)?.date()?;
        let is_likely = &*date >= FIRST_YEAR && &date[..4] <= LAST_YEAR;
        let kind = if CHANGED.is_match(&text[..found.start()]) { Kind::Modified } else { Kind::Published };
        is_likely.then_some((date, kind))
    })
}

/// The date in the path of a URL: `/2026/11/22/`.
pub(super) fn of_path(path: &str) -> Option<String> {
    static PATH: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"/((?:19|20)\d\d)[/-]?(\d\d)[/-]?(\d\d)(?:/|-|_|$)").expect("it is one"));
    let found = PATH.captures(path)?;
    let date = dates::moment(&format!("{}-{}-{}", &found[1], &found[2], &found[3]), None, None, None)?.date()?;
    (&*date >= FIRST_YEAR).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_found_among_words_with_what_they_are_the_dates_of() {
        for (text, found) in [
            ("Published on May 3rd, 2026 by Ada", Some(("2026-05-03", Kind::Published))),
            ("Last updated: 3 May 2026", Some(("2026-05-03", Kind::Modified))),
            ("Ada · 2026-05-03 · 5 min", Some(("2026-05-03", Kind::Published))),
            ("3. Mai 2026, 10:00 Uhr", Some(("2026-05-03", Kind::Published))),
            ("2026年5月3日", Some(("2026-05-03", Kind::Published))),
            ("born 3 May 1815", None),
            ("tomorrow", None),
            ("5 of 2026", None),
        ] {
            let found = found.map(|(date, kind)| (date.to_owned(), kind));
            assert_eq!(date(text, None), found, "{text}");
        }
        let american = Locale::named("en-US");
        assert_eq!(date("03/05/2026", american.as_ref()).map(|(date, _)| date).as_deref(), Some("2026-03-05"));
        assert_eq!(of_path("/blog/2026/05/03/title").as_deref(), Some("2026-05-03"));
        assert_eq!(of_path("/blog/2026/55/03/title"), None);
    }
}
