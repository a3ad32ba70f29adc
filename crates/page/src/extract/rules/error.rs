//! Mistakes in rules: where they are, what is wrong, what is allowed.

use std::fmt;
use std::ops::Range;

/// A mistake in a rule: line, column, the line itself with a pointer, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    /// Line of the config file, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The mistake, and what is allowed.
    pub message: String,
    /// The line and a pointer under it, if there is a place.
    shown: String,
}

impl RuleError {
    /// A mistake at `span`, bytes of `text`.
    pub(super) fn new(text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let at = crate::extract::text::boundary(text, span.start);
        let before = &text[..at];
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let source = text[start..].lines().next().unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = text[start..at].chars().count() + 1;
        let end = crate::extract::text::boundary(text, span.end).clamp(at, start + source.len().max(at - start));
        let width = text[at..end].chars().count().max(1);
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        // Tabs stay tabs, so that the pointer stands where the mistake does.
        let indent: String = text[start..at].chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let shown = format!("{margin} |\n{number} | {source}\n{margin} | {indent}{}", "^".repeat(width));
        Self { line, column, message: message.into(), shown }
    }

    /// The TOML itself is broken.
    pub(super) fn of_toml(text: &str, error: &toml::de::Error) -> Self {
        Self::new(text, error.span().unwrap_or(0..0), error.message())
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}\n{}\n{}", self.line, self.column, self.shown, self.message)
    }
}

impl std::error::Error for RuleError {}

/// Of which of the `allowed` words `word` may be a slip, and all of them.
pub(super) fn allowed(word: &str, allowed: &[&str]) -> String {
    let nearest = allowed
        .iter()
        .map(|known| (strsim::damerau_levenshtein(word, known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().max(word.len()).div_ceil(3));
    let all = allowed.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
    match nearest {
        Some((_, known)) => format!("did you mean `{known}`? Allowed are {all}"),
        None => format!("allowed are {all}"),
    }
}

/// The place in the file of byte `offset` of the text of a TOML string; `span` is the string with its quotes.
pub(super) fn within_string(text: &str, span: &Range<usize>, offset: usize) -> usize {
    let raw = &text[span.clone()];
    let quotes = if raw.starts_with("\"\"\"") || raw.starts_with("'''") { 3 } else { 1 };
    let mut at = quotes;
    if quotes == 3 {
        at += if raw[at..].starts_with("\r\n") { 2 } else { usize::from(raw[at..].starts_with('\n')) };
    }
    if raw.starts_with('\'') {
        return span.start + (at + offset).min(raw.len());
    }
    let mut left = offset;
    while left > 0 {
        let Some(c) = raw[at..].chars().next() else { break };
        let (escape, decoded) = match (c, raw[at..].chars().nth(1)) {
            ('\\', Some('x')) => (4, hex_len(raw, at + 2, 2)),
            ('\\', Some('u')) => (6, hex_len(raw, at + 2, 4)),
            ('\\', Some('U')) => (10, hex_len(raw, at + 2, 8)),
            // A line that goes on: where the rest is does not matter that much.
            ('\\', Some('\n' | '\r')) => break,
            ('\\', Some(_)) => (2, 1),
            _ => (c.len_utf8(), c.len_utf8()),
        };
        at = (at + escape).min(raw.len());
        left = left.saturating_sub(decoded);
    }
    span.start + at
}

/// Bytes in UTF-8 of the character with the hexadecimal number at `at`.
fn hex_len(raw: &str, at: usize, digits: usize) -> usize {
    let number = raw.get(at..at + digits).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    number.and_then(char::from_u32).map_or(1, char::len_utf8)
}
