//! One record of a list as an entry: accepted, or rejected with a reason a person can act on.

use std::borrow::Cow;

use super::lines::MAX_RECORD_BYTES;
use seine_core::record::{BadUrl, CrawlUrl};

/// Bytes of a rejected record's text that are kept.
const MAX_REJECTED_BYTES: usize = 2 * 1024;

/// Longest reason.
const MAX_REASON_BYTES: usize = 400;

/// Longest text that a reason repeats in a suggestion.
const MAX_SUGGESTED_BYTES: usize = 200;

/// Beginning of the reason for a text that lacks only the scheme of a URL.
pub(super) const NO_SCHEME: &str = "URL without a scheme";

/// One record of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Physical line on which the record starts, from 1.
    pub line: u64,
    /// The URL as given, without blanks around it. Of a rejected record at most 2 KiB, without user names and
    /// passwords; the whole record where no URL could be told in it.
    pub raw_url: String,
    /// The record's other columns or fields as the text of a JSON object, in their order; `None` if it has none.
    pub columns: Option<String>,
    /// The URL to crawl, or why there is none.
    pub url: Result<CrawlUrl, String>,
    /// Of an archive: the byte at which the record with its answer begins.
    pub archived_at: Option<u64>,
    /// If that is a `revisit`: the byte at which the record with its payload begins.
    pub payload_at: Option<u64>,
}

impl Entry {
    /// The entry for `raw_url`, which has no blanks around it.
    pub(super) fn new(line: u64, raw_url: &str, columns: Option<String>) -> Self {
        // The URL standard drops line breaks and tabs silently, which would make one URL of two.
        if memchr::memchr3(b'\t', b'\n', b'\r', raw_url.as_bytes()).is_some() {
            let reason = "URL with a tab or line break inside; a table needs --url-column, a quote may be missing";
            return Self { columns, ..Self::rejected(line, &hide_before_last_at(raw_url, 0), reason.to_owned()) };
        }
        match CrawlUrl::parse(raw_url) {
            Ok(url) => {
                Self { line, raw_url: raw_url.to_owned(), columns, url: Ok(url), archived_at: None, payload_at: None }
            }
            Err(bad) => {
                let safe = without_userinfo(raw_url, &bad);
                let reason = match with_scheme(&safe, &bad) {
                    Some(whole) => format!("{NO_SCHEME}; write {whole:?}"),
                    None => bad.to_string(),
                };
                Self { columns, ..Self::rejected(line, &safe, reason) }
            }
        }
    }

    /// The entry for a line of a shard, which was found to be none when it was `rejected`.
    pub(super) fn of_shard(line: u64, raw_url: &str, rejected: Option<String>, columns: String) -> Self {
        match rejected {
            Some(reason) => Self { columns: Some(columns), ..Self::rejected(line, raw_url, reason) },
            None => Self::new(line, raw_url, Some(columns)),
        }
    }

    /// The entry for a `record` in which no URL can be told.
    pub(super) fn unusable(line: u64, record: &[u8], reason: String) -> Self {
        let text = String::from_utf8_lossy(record);
        Self::rejected(line, &hide_all_userinfo(text.trim()), reason)
    }

    /// The entry for a record of which only the `head` was kept.
    pub(super) fn overlong(line: u64, head: &[u8]) -> Self {
        Self::unusable(line, head, format!("longer than {} KiB", MAX_RECORD_BYTES / 1024))
    }

    fn rejected(line: u64, raw_url: &str, reason: String) -> Self {
        let raw_url = cut(raw_url, MAX_REJECTED_BYTES).to_owned();
        let reason = match cut(&reason, MAX_REASON_BYTES) {
            whole if whole.len() == reason.len() => reason,
            head => format!("{head}…"),
        };
        Self { line, raw_url, columns: None, url: Err(reason), archived_at: None, payload_at: None }
    }
}

/// The reason for a text that is not UTF-8.
pub(super) fn not_utf8(error: &std::str::Utf8Error) -> String {
    format!("not UTF-8 text: byte {} of the record; convert the list, for example with iconv", error.valid_up_to() + 1)
}

/// The longest head of `text` within `max_bytes`, cut between characters.
fn cut(text: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

/// `raw_url` as it was probably meant, if only its scheme is missing.
fn with_scheme(raw_url: &str, bad: &BadUrl) -> Option<String> {
    let may_lack_scheme = match bad {
        BadUrl::Syntax(url::ParseError::RelativeUrlWithoutBase) => true,
        // "example.com:8080/x" reads as the scheme "example.com".
        BadUrl::Scheme(scheme) => raw_url.as_bytes().get(scheme.len() + 1).is_some_and(u8::is_ascii_digit),
        _ => false,
    };
    if !may_lack_scheme || raw_url.len() > MAX_SUGGESTED_BYTES || raw_url.contains(' ') {
        return None;
    }
    let whole = format!("https://{}", raw_url.trim_start_matches(['/', '\\']));
    let url = CrawlUrl::parse(&whole).ok()?;
    (url.host.contains('.') || url.host == "localhost").then_some(whole)
}

/// `raw_url`, rejected as `bad`, with `***` for its user name and password. In doubt it hides too much.
fn without_userinfo<'a>(raw_url: &'a str, bad: &BadUrl) -> Cow<'a, str> {
    let Some(start) = authority_start(raw_url) else { return raw_url.into() };
    let rest = &raw_url[start..];
    let authority = &rest[..rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len())];
    // A password with a "/" in it ends the authority early, and its beginning stands where a port would.
    let has_odd_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.bytes().any(|b| !b.is_ascii_digit()));
    if authority.contains('@') {
        let (before, after) = raw_url.split_at(start + authority.len());
        (hide_before_last_at(before, start) + after).into()
    } else if has_odd_port || matches!(bad, BadUrl::Credentials) {
        hide_before_last_at(raw_url, start).into()
    } else {
        raw_url.into()
    }
}

/// Start of the authority of `raw_url`, or of the user name if that only may be one; `None` if an "@" hides no secret
/// (`mailto:`).
fn authority_start(raw_url: &str) -> Option<usize> {
    let slashes = |text: &str| text.len() - text.trim_start_matches(['/', '\\']).len();
    let (scheme, rest) = raw_url.split_once(':').unwrap_or_default();
    let scheme = scheme.trim_start_matches(|c| c <= ' ');
    let is_scheme = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    match slashes(rest) {
        0 if scheme.eq_ignore_ascii_case("mailto") => None,
        // "user:password@host": what reads as a scheme is none.
        0 if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) => Some(slashes(raw_url)),
        n if is_scheme => Some(raw_url.len() - rest.len() + n),
        _ => Some(slashes(raw_url)),
    }
}

/// `text` with `***` for what lies between `start` and its last "@".
fn hide_before_last_at(text: &str, start: usize) -> String {
    match text[start..].rfind('@') {
        Some(at) => format!("{}***{}", &text[..start], &text[start + at..]),
        None => text.to_owned(),
    }
}

/// `text`, which may hold any number of URLs anywhere, with `***` for their user names and passwords.
fn hide_all_userinfo(text: &str) -> Cow<'_, str> {
    if !text.contains('@') {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len());
    let mut rest = text;
    // "://", and ":\/\/" as some JSON writers put it.
    while let Some(colon) = rest.find(":/").into_iter().chain(rest.find(":\\")).min() {
        let (before, after) = rest.split_at(colon + 1);
        let url = after.trim_start_matches(['/', '\\']);
        let end = url.find(|c: char| c.is_whitespace() || "/\\?#\"'<>".contains(c)).unwrap_or(url.len());
        safe.push_str(before);
        safe.push_str(&after[..after.len() - url.len()]);
        safe.push_str(&hide_before_last_at(&url[..end], 0));
        rest = &url[end..];
    }
    safe.push_str(rest);
    safe.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(raw_url: &str) -> String {
        Entry::new(1, raw_url, None).url.expect_err(raw_url)
    }

    #[test]
    fn a_url_without_a_scheme_is_answered_with_the_whole_url() {
        for (raw, whole) in [
            ("example.com/page", "https://example.com/page"),
            ("//example.com/page", "https://example.com/page"),
            ("example.com:8080/page", "https://example.com:8080/page"),
            ("localhost:8080", "https://localhost:8080"),
            ("example.com/@name", "https://example.com/@name"),
            ("bücher.example", "https://bücher.example"),
        ] {
            assert_eq!(reason(raw), format!("URL without a scheme; write {whole:?}"));
        }
    }

    #[test]
    fn no_scheme_is_suggested_where_it_would_not_help() {
        for raw in ["/page", "hello", "two words", "htp://example.com", "mailto:a@example.com", "user:pw@example.com"] {
            assert!(!reason(raw).contains("without a scheme"), "{raw}: {}", reason(raw));
        }
        assert!(reason("htp://example.com").contains("\"htp\""));
    }

    #[test]
    fn secrets_in_a_url_never_reach_the_record() {
        for (raw, kept) in [
            ("https://user:hunter2@example.com/a?b", "https://***@example.com/a?b"),
            ("https://hunter2@example.com", "https://***@example.com"),
            ("HTTPS://user:hunt@er2@example.com/a@b", "HTTPS://***@example.com/a@b"),
            ("https:user:hunter2@example.com/", "https:***@example.com/"),
            ("https:/user:hunter2@example.com/", "https:/***@example.com/"),
            ("https:\\\\user:hunter2@example.com/", "https:\\\\***@example.com/"),
            ("https:////user:hunter2@example.com/", "https:////***@example.com/"),
            ("\u{1}https://user:hunter2@example.com/", "\u{1}https://***@example.com/"),
            ("https://user:hunt/er2@example.com/", "https://***@example.com/"),
            ("ftp://user:hunter2@example.com/", "ftp://***@example.com/"),
            ("user:hunter2@example.com/", "***@example.com/"),
            ("user:hunt/er2@example.com/", "***@example.com/"),
            ("//user:hunter2@example.com/", "//***@example.com/"),
            ("https://user:hunter2@[bad", "https://***@[bad"),
            ("ht\ttps://user:hunter2@example.com/", "***@example.com/"),
        ] {
            let entry = Entry::new(1, raw, None);
            assert_eq!(entry.raw_url, kept);
            let reason = entry.url.expect_err(raw);
            assert!(!reason.contains("hunt"), "{raw}: {reason}");
        }
    }

    #[test]
    fn an_at_sign_that_hides_nothing_is_kept() {
        for raw in ["mailto:me@example.com", "example.com/@me", "htp://example.com/@me", "https://exa mple.com/@me"] {
            assert_eq!(Entry::new(1, raw, None).raw_url, raw);
        }
    }

    #[test]
    fn secrets_in_an_unusable_record_are_hidden_wherever_they_are() {
        let record =
            br#"{"a":"https:\/\/u:secret@one.example\/","b":"ftp://u:secret@two.example" http://three.example/@me"#;
        let kept = r#"{"a":"https:\/\/***@one.example\/","b":"ftp://***@two.example" http://three.example/@me"#;
        assert_eq!(Entry::unusable(1, record, "why".to_owned()).raw_url, kept);
    }

    #[test]
    fn a_rejected_record_is_cut_between_characters() {
        let entry = Entry::unusable(7, "é".repeat(3000).as_bytes(), "r".repeat(9000));
        assert_eq!(entry.raw_url.len(), MAX_REJECTED_BYTES);
        assert_eq!(entry.url.expect_err("rejected").chars().count(), MAX_REASON_BYTES + 1);
        assert_eq!(Entry::unusable(7, format!("x{}", "é".repeat(3000)).as_bytes(), String::new()).raw_url.len(), 2047);
    }

    #[test]
    fn a_tab_or_line_break_inside_joins_nothing() {
        for raw in ["https://a.example/\thttps://b.example/", "https://a.example/\nhttps://b.example/", "http://a\rb/"]
        {
            assert!(reason(raw).contains("tab or line break"));
        }
    }
}
