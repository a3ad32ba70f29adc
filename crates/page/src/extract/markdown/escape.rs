//! Text that is to stay what it is, where CommonMark and GFM would read more into it.

use std::borrow::Cow;

/// Longest name of a character reference, and then some.
const MAX_REFERENCE_BYTES: usize = 34;

/// What is around a word.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around {
    /// The character before it.
    pub before: Option<char>,
    /// Whether white space or the end of a line follows for certain.
    pub ends: bool,
    /// Whether it is in a cell of a table, where `|` is the end.
    pub in_cell: bool,
    /// Whether marks are open, which may end right behind it.
    pub in_marks: bool,
    /// Whether it is the text of a link, where `]` is the end.
    pub in_link: bool,
}

/// Appends a word without white space.
pub(super) fn push_word(out: &mut String, word: &str, around: Around) {
    let mut before = around.before;
    for (at, char) in word.char_indices() {
        let rest = &word[at + char.len_utf8()..];
        let next = rest.chars().next();
        if char.is_ascii_punctuation() && has_meaning(char, before, next, rest, around) {
            out.push('\\');
        }
        out.push(char);
        before = Some(char);
    }
}

fn has_meaning(char: char, before: Option<char>, next: Option<char>, rest: &str, around: Around) -> bool {
    let is_alone = before.is_none_or(char::is_whitespace) && next.is_none() && around.ends && !around.in_marks;
    match char {
        '`' | '[' => true,
        ']' => around.in_link,
        '|' => around.in_cell,
        '*' | '~' => !is_alone,
        // Within a word it is a letter like others.
        '_' => !(is_alone || before.is_some_and(char::is_alphanumeric) && next.is_some_and(char::is_alphanumeric)),
        '\\' => next.is_none_or(|next| next.is_ascii_punctuation()),
        '<' => next.map_or(!around.ends, |next| next.is_ascii_alphabetic() || matches!(next, '/' | '!' | '?')),
        '&' => may_be_reference(rest, around.ends),
        _ => false,
    }
}

/// Whether what follows `&` is a character reference, or may become one.
fn may_be_reference(rest: &str, ends: bool) -> bool {
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
    let len = rest.bytes().take(MAX_REFERENCE_BYTES).take_while(is_of_name).count();
    match rest.as_bytes().get(len) {
        Some(b';') => len > 0,
        Some(_) => false,
        None => !ends,
    }
}

/// A line of a paragraph that would begin another block.
pub(super) fn line(line: &str) -> Cow<'_, str> {
    match block_start(line) {
        Some(at) => Cow::Owned(format!("{}\\{}", &line[..at], &line[at..])),
        None => Cow::Borrowed(line),
    }
}

/// Where to escape a line so that it begins no block.
fn block_start(line: &str) -> Option<usize> {
    let bytes = line.as_bytes();
    let run = |byte: u8| bytes.iter().take_while(|own| **own == byte).count();
    let stands_off = |at: usize| matches!(bytes.get(at), None | Some(b' '));
    match *bytes.first()? {
        b'#' => ((1..=6).contains(&run(b'#')) && stands_off(run(b'#'))).then_some(0),
        b'>' => Some(0),
        b'+' => stands_off(1).then_some(0),
        // A list, a line across the page, the line below a heading or below the head of a table.
        b'-' | b'=' | b':' | b'|' if bytes.iter().all(|byte| b"-=:| ".contains(byte)) => Some(0),
        b'-' => stands_off(1).then_some(0),
        b'*' | b'_' => bytes
            .iter()
            .all(|byte| b"*_ ".contains(byte))
            .then_some(0)
            .or_else(|| (bytes[0] == b'*' && stands_off(1)).then_some(0)),
        b'0'..=b'9' => {
            let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
            (digits <= 9 && matches!(bytes.get(digits), Some(b'.' | b')')) && stands_off(digits + 1)).then_some(digits)
        }
        _ => None,
    }
}

/// The text of a heading: a run of `#` at its end would be taken off.
pub(super) fn heading(text: &str) -> Cow<'_, str> {
    let kept = text.trim_end_matches('#');
    if kept.len() < text.len() && (kept.is_empty() || kept.ends_with(' ')) {
        return Cow::Owned(format!("{kept}\\{}", &text[kept.len()..]));
    }
    Cow::Borrowed(text)
}

/// The destination of a link or an image.
pub(super) fn destination(url: &str) -> Cow<'_, str> {
    let has_brackets = url.bytes().any(|byte| matches!(byte, b'(' | b')'));
    let has_meaning =
        |char: char| matches!(char, '<' | '>' | '\\' | '|' | '`') || char.is_whitespace() || char.is_control();
    let has_reference = |url: &str| url.match_indices('&').any(|(at, _)| may_be_reference(&url[at + 1..], true));
    if !has_brackets && !url.contains(has_meaning) && !has_reference(url) {
        return Cow::Borrowed(url);
    }
    let mut written = String::with_capacity(url.len() + 16);
    for (at, char) in url.char_indices() {
        match char {
            char if has_meaning(char) => {
                char.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| written.push_str(&format!("%{byte:02X}")));
            }
            '&' if may_be_reference(&url[at + 1..], true) => written.push_str("\\&"),
            char => written.push(char),
        }
    }
    if has_brackets { Cow::Owned(format!("<{written}>")) } else { Cow::Owned(written) }
}

/// Text within HTML.
pub(super) fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
