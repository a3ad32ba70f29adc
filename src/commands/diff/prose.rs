//! Two versions of a page's main text, as a unified diff.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};
use similar::TextDiff;
use url::Url;

use super::report::Result;
use seine_page::extract::extras::{Wanted, extras};
use seine_page::extract::{charset, is_html};
use seine_store::body::UnpackError;
use seine_store::diff::history::{Fetch, History};
use seine_store::{StoreError, archive};

/// Lines shown around what differs.
const CONTEXT_LINES: usize = 3;
/// The text of a version has to be found within this; then it is given up.
const EXTRACT_TIME: Duration = Duration::from_secs(10);
/// After this what differs is found roughly: more lines are told of than need be.
const COMPARE_TIME: Duration = Duration::from_secs(2);
/// A larger body is not read: a store may be somebody else's, and say anything of its bodies.
const MAX_BODY_BYTES: u64 = 64 << 20;
/// A longer text is not compared.
const MAX_TEXT_BYTES: usize = 8 << 20;
/// More of a difference is not told.
const MAX_DIFF_BYTES: usize = 256 << 10;

/// The differences in the text of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prose {
    /// A unified diff, lines ended by LF.
    Differs(String),
    /// Why there is none; for people.
    Silent(&'static str),
}

impl Prose {
    /// Compares two versions of a page.
    pub fn between(db: &Connection, history: &History, before: &Fetch, after: &Fetch) -> Result<Self> {
        let of_page = "SELECT content_type, final_url FROM page WHERE url_id = ?1";
        let of_page = db.query_row(of_page, [history.url_id], |row| Ok((row.get(0)?, row.get(1)?)));
        let (content_type, final_url): (Option<String>, Option<String>) =
            of_page.optional().map_err(StoreError::from)?.unwrap_or_default();
        let Ok(url) = Url::parse(final_url.as_deref().unwrap_or(&history.url)) else {
            return Ok(Self::Silent("its URL is none"));
        };
        let text = |fetch: &Fetch| text(db, fetch, content_type.as_deref(), &url);
        Ok(match (text(before)?, text(after)?) {
            (Ok(old), Ok(new)) if old == new => Self::Silent("its text is the same"),
            (Ok(old), Ok(new)) => unified(&old, &new, before.run_id, after.run_id),
            (Err(reason), _) | (_, Err(reason)) => Self::Silent(reason),
        })
    }
}

/// The main text of a version of a page, or why there is none.
fn text(db: &Connection, fetch: &Fetch, content_type: Option<&str>, url: &Url) -> Result<Result<String, &'static str>> {
    let body = match (fetch.body_id, &fetch.hash) {
        (None, None) => Some(Ok(Vec::new())),
        (None, Some(_)) => None,
        (Some(body_id), _) => archive::body(db, body_id, MAX_BODY_BYTES)?,
    };
    let body = match body {
        Some(Ok(body)) => body,
        Some(Err(UnpackError::TooLarge)) => return Ok(Err("a version of its body is too large")),
        Some(Err(UnpackError::Damaged)) | None => return Ok(Err("a version of its body is not kept")),
    };
    let content_type = content_type.map(str::as_bytes);
    let text = if is_html(content_type, &body) {
        let begun = Instant::now();
        let wanted = Wanted { text: true, ..Wanted::default() };
        match extras(&body, content_type, url, wanted, &|| begun.elapsed() < EXTRACT_TIME) {
            Some(extras) => extras.text.unwrap_or_default(),
            None => return Ok(Err("its text takes too long to find")),
        }
    } else if is_text(content_type, &body) {
        let (text, _) = charset::decode(&body, content_type);
        match serde_json::from_str::<serde_json::Value>(&text) {
            // JSON is often one line, of which a diff would tell nothing.
            Ok(value) if !text.contains('\n') => format!("{value:#}"),
            _ => text.into_owned(),
        }
    } else {
        return Ok(Err("it is no text"));
    };
    Ok(if text.len() > MAX_TEXT_BYTES { Err("its text is too long to compare") } else { Ok(text) })
}

/// Whether a body that is no HTML is text.
fn is_text(content_type: Option<&[u8]>, body: &[u8]) -> bool {
    match content_type.and_then(charset::essence) {
        None => !body.contains(&0) && std::str::from_utf8(body).is_ok(),
        Some(essence) => {
            let essence = essence.to_ascii_lowercase();
            const ALSO: [&[u8]; 4] =
                [b"application/json", b"application/xml", b"application/javascript", b"application/x-ndjson"];
            essence.starts_with(b"text/")
                || essence.ends_with(b"+json")
                || essence.ends_with(b"+xml")
                || ALSO.contains(&essence.as_slice())
        }
    }
}

fn unified(old: &str, new: &str, old_run: i64, new_run: i64) -> Prose {
    let diff = TextDiff::configure().timeout(COMPARE_TIME).diff_lines(old, new);
    let mut unified = diff.unified_diff();
    let (old_name, new_name) = (format!("run {old_run}"), format!("run {new_run}"));
    let unified = unified.context_radius(CONTEXT_LINES).missing_newline_hint(false).header(&old_name, &new_name);
    let mut text = unified.to_string();
    if text.len() > MAX_DIFF_BYTES {
        let end = (0..=MAX_DIFF_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(text[..end].rfind('\n').map_or(end, |at| at + 1));
        text.push_str("... and more\n");
    }
    Prose::Differs(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_stands_between_lines_that_do_not() {
        let old: String = (1..=9).map(|line| format!("line {line}\n")).collect();
        let new = old.replace("line 5\n", "LINE 5\n");
        let expected = "--- run 1\n+++ run 2\n@@ -2,7 +2,7 @@\n line 2\n line 3\n line 4\n-line 5\n+LINE 5\n line 6\n \
                        line 7\n line 8\n";
        assert_eq!(unified(&old, &new, 1, 2), Prose::Differs(expected.to_owned()));
    }

    #[test]
    fn texts_with_nothing_in_common_cost_no_more_than_they_may() {
        let begun = Instant::now();
        let old: String = (0..200_000).map(|line| format!("{line}\n")).collect();
        let new: String = (0..200_000).map(|line| format!("{}\n", (line * 7_919) % 200_003)).collect();
        let Prose::Differs(text) = unified(&old, &new, 1, 2) else { panic!("they differ") };
        assert!(text.len() < MAX_DIFF_BYTES + 100 && text.ends_with("... and more\n"));
        assert!(begun.elapsed() < 20 * COMPARE_TIME, "{:?}", begun.elapsed());
    }

    #[test]
    fn text_is_what_says_so_or_can_be_read() {
        assert!(is_text(Some(b"application/ld+json; charset=utf-8"), b"") && is_text(Some(b"TEXT/plain"), b""));
        assert!(is_text(None, b"abc") && !is_text(None, b"a\0c") && !is_text(None, b"\xff"));
        assert!(!is_text(Some(b"image/png"), b"abc"));
    }
}
