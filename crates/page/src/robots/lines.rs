//! Bytes to lines, lines to records.

use std::time::Duration;

use super::{MAX_BYTES, MAX_LINE_BYTES};

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    UserAgent,
    Allow,
    Disallow,
    CrawlDelay,
    Sitemap,
    /// Belongs to the agents above it as `Crawl-delay` does, but says nothing to us.
    OtherMember,
}

/// Names of directives, in lower case, with the misspellings that are frequent. Everything else is passed over.
const NAMES: &[(&str, Directive)] = &[
    ("user-agent", Directive::UserAgent),
    ("useragent", Directive::UserAgent),
    ("user agent", Directive::UserAgent),
    ("allow", Directive::Allow),
    ("disallow", Directive::Disallow),
    ("dissallow", Directive::Disallow),
    ("dissalow", Directive::Disallow),
    ("disalow", Directive::Disallow),
    ("diasllow", Directive::Disallow),
    ("disallaw", Directive::Disallow),
    ("crawl-delay", Directive::CrawlDelay),
    ("crawl delay", Directive::CrawlDelay),
    ("crawldelay", Directive::CrawlDelay),
    ("sitemap", Directive::Sitemap),
    ("sitemaps", Directive::Sitemap),
    ("site-map", Directive::Sitemap),
    ("request-rate", Directive::OtherMember),
    ("visit-time", Directive::OtherMember),
    ("noindex", Directive::OtherMember),
    ("host", Directive::OtherMember),
];

/// The lines that are read of a file, each with its number, counted from 1.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    let mut rest = within_max_bytes(text);
    rest = rest.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(rest);
    let mut number = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let (line, ended) = rest.split_at(end);
        rest = match ended {
            [b'\r', b'\n', next @ ..] | [_, next @ ..] => next,
            [] => &[],
        };
        number += 1;
        Some((number, &line[..line.len().min(MAX_LINE_BYTES)]))
    })
}

/// The whole lines within the first [`MAX_BYTES`]: half a rule could say the opposite of the whole one.
fn within_max_bytes(text: &[u8]) -> &[u8] {
    match text.get(..MAX_BYTES) {
        Some(read) if text.len() > MAX_BYTES => {
            &read[..memchr::memrchr2(b'\r', b'\n', read).map_or(0, |last_end| last_end + 1)]
        }
        _ => text,
    }
}

/// What a line says, and of what; none if it is blank, a comment or says nothing known.
pub(super) fn record(line: &[u8]) -> Option<(Directive, &[u8])> {
    let line = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
    let (name, value) = match memchr::memchr(b':', line) {
        Some(colon) => (line[..colon].trim_ascii_end(), line[colon + 1..].trim_ascii_start()),
        None => two_words(line)?,
    };
    let (_, directive) = NAMES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()))?;
    Some((*directive, value))
}

/// Splits what lacks the colon: two words are name and value, more are prose.
fn two_words(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = line.iter().position(u8::is_ascii_whitespace)?;
    let (name, value) = (&line[..space], line[space..].trim_ascii_start());
    (!value.iter().any(u8::is_ascii_whitespace)).then_some((name, value))
}

/// The product token that `value` starts with, perhaps none.
pub(super) fn token(value: &[u8]) -> &[u8] {
    let is_token = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'-');
    &value[..value.iter().position(|byte| !is_token(byte)).unwrap_or(value.len())]
}

/// Whether the value of a User-agent line stands for every crawler.
pub(super) fn is_any_agent(value: &[u8]) -> bool {
    value.split(u8::is_ascii_whitespace).next() == Some(b"*")
}

/// The delay that the first word of `value` is. Only digits and a point: no signs, exponents, `inf` or `nan`.
pub(super) fn seconds(value: &[u8]) -> Option<Duration> {
    let word = value.split(u8::is_ascii_whitespace).next()?;
    let word = str::from_utf8(word).ok()?;
    let plain = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain { Duration::try_from_secs_f64(word.parse().ok()?).ok() } else { None }
}
