//! Text as extraction keeps it: character references decoded, white space folded, length bounded.

use std::borrow::Cow;

use htmlize::Context;
use memchr::{memchr, memchr3};

/// The treatment of NUL characters, which depends on the kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nul {
    /// Nothing (text of HTML elements).
    Dropped,
    /// U+FFFD (raw text, SVG, MathML).
    Replaced,
}

/// The value of an attribute, given as written in the document.
pub fn attribute_value(raw: &str) -> Cow<'_, str> {
    if is_as_written(raw) {
        return Cow::Borrowed(raw);
    }
    let mut value = String::with_capacity(raw.len());
    push_attribute_value(&mut value, raw);
    Cow::Owned(value)
}

/// Whether there is nothing to decode: no character reference, no CR, no NUL.
#[inline]
pub(super) fn is_as_written(raw: &str) -> bool {
    memchr3(b'&', b'\r', 0, raw.as_bytes()).is_none()
}

/// Appends the value of an attribute, given as written.
pub(super) fn push_attribute_value(value: &mut String, raw: &str) {
    push_decoded(value, raw, Some(Context::Attribute), Nul::Replaced);
}

/// Appends text, given as written in the document, with its white space but for line ends.
pub(super) fn push_text(text: &mut String, raw: &str, has_references: bool, nul: Nul) {
    push_decoded(text, raw, has_references.then_some(Context::General), nul);
}

fn push_decoded(decoded: &mut String, raw: &str, references: Option<Context>, nul: Nul) {
    let mut rest = raw;
    while let Some(at) = memchr3(b'&', b'\r', 0, rest.as_bytes()) {
        decoded.push_str(&rest[..at]);
        rest = &rest[at..];
        match (rest.as_bytes()[0], references) {
            (b'&', Some(context)) => {
                let reference = &rest[..reference_len(rest)];
                decoded.push_str(&decode(reference, context));
                rest = &rest[reference.len()..];
            }
            (b'&', None) => {
                decoded.push('&');
                rest = &rest[1..];
            }
            (b'\r', _) => {
                decoded.push('\n');
                rest = rest.strip_prefix("\r\n").unwrap_or(&rest[1..]);
            }
            _ => {
                if nul == Nul::Replaced {
                    decoded.push('\u{FFFD}');
                }
                rest = &rest[1..];
            }
        }
    }
    decoded.push_str(rest);
}

/// Most bytes of one character.
pub(super) const MAX_CHAR_BYTES: usize = 4;

/// Appends text with character references to `folded`, as [`fold_into`] does.
pub fn decode_into(folded: &mut String, mut text: &str, limit: usize, nul: Nul) {
    while let Some(at) = memchr(b'&', text.as_bytes()) {
        fold_into(folded, &text[..at], limit, nul);
        if folded.len() >= limit {
            return;
        }
        text = &text[at..];
        let reference = &text[..reference_len(text)];
        fold_into(folded, &decode(reference, Context::General), limit, nul);
        text = &text[reference.len()..];
    }
    fold_into(folded, text, limit, nul);
}

/// Appends `text` to `folded`, each run of white space (Unicode's, so no-break spaces too) as one space,
/// also across calls. Stops soon after `folded` is `limit` bytes long.
pub fn fold_into(folded: &mut String, text: &str, limit: usize, nul: Nul) {
    let bytes = text.as_bytes();
    let mut run = 0;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte > b' ' && !matches!(byte, 0xC2 | 0xE1..=0xE3) {
            at += 1;
            continue;
        }
        // Only these lead bytes start a white space character beyond ASCII.
        let Some(char) = text[at..].chars().next() else { break };
        let next = at + char.len_utf8();
        if char.is_whitespace() || char == '\0' {
            push_bounded(folded, &text[run..at], limit);
            if folded.len() >= limit {
                return;
            }
            run = next;
            if char == '\0' {
                if nul == Nul::Replaced {
                    folded.push('\u{FFFD}');
                }
            } else if !folded.is_empty() && !folded.ends_with(' ') {
                folded.push(' ');
            }
        }
        at = next;
    }
    push_bounded(folded, &text[run..], limit);
}

/// `text` cut to at most `limit` bytes, at a character boundary.
pub fn cut(text: &str, limit: usize) -> &str {
    &text[..boundary(text, limit)]
}

/// The largest character boundary of `text` not after `at`.
pub fn boundary(text: &str, at: usize) -> usize {
    if at >= text.len() {
        return text.len();
    }
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

fn push_bounded(folded: &mut String, text: &str, limit: usize) {
    folded.push_str(cut(text, limit.saturating_sub(folded.len())));
}

/// Longest name of a character reference, with `&` and `;`, and then some.
const MAX_REFERENCE_BYTES: usize = 40;

/// Length of what may be one character reference at the start of `text`, up to a byte that ends it.
fn reference_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    // A number may have any length; no reference has a longer name than this.
    let (mut len, limit) = if bytes.get(1) == Some(&b'#') { (2, bytes.len()) } else { (1, MAX_REFERENCE_BYTES) };
    while len < limit && bytes.get(len).is_some_and(u8::is_ascii_alphanumeric) {
        len += 1;
    }
    // In attributes `=` says that `&name` without `;` is no reference, so the decoder has to see it.
    len + usize::from(matches!(bytes.get(len), Some(b';' | b'=')))
}

fn decode(reference: &str, context: Context) -> Cow<'_, str> {
    match reference {
        "&lt;" => Cow::Borrowed("<"),
        "&gt;" => Cow::Borrowed(">"),
        "&amp;" => Cow::Borrowed("&"),
        "&quot;" => Cow::Borrowed("\""),
        "&nbsp;" => Cow::Borrowed("\u{A0}"),
        _ => htmlize::unescape_in(reference, context),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut folded = String::new();
        decode_into(&mut folded, text, 1000, Nul::Dropped);
        folded
    }

    #[test]
    fn white_space_of_every_kind_folds_to_one_space() {
        assert_eq!(folded("a \t\r\n\u{A0}\u{2003}\u{3000}\u{85}&nbsp;&#32;b"), "a b");
        assert_eq!(folded("  \n"), "");
        assert_eq!(folded("a\0b Âé \u{200B}\u{E000}"), "ab Âé \u{200B}\u{E000}");
    }

    #[test]
    fn references_follow_the_standard_in_text_and_in_attributes() {
        for (raw, text, attribute) in [
            ("&amp;&lt&GT;&quot", "&<>\"", "&<>\""),
            ("&times2 &times= &times; &times", "×2 ×= × ×", "&times2 &times= × ×"),
            ("&notit; &notin; &nosuch; &;&", "¬it; ∉ &nosuch; &;&", "&notit; ∉ &nosuch; &;&"),
            ("&#65&#x41;&#X4a;&#;&#x;&#", "AAJ&#;&#x;&#", "AAJ&#;&#x;&#"),
            (
                "&#0;&#x80;&#xD800;&#x110000;&#99999999999999999999;",
                "\u{FFFD}€\u{FFFD}\u{FFFD}\u{FFFD}",
                "\u{FFFD}€\u{FFFD}\u{FFFD}\u{FFFD}",
            ),
            ("&ampamp;&am&amp;p;", "&amp;&am&p;", "&ampamp;&am&p;"),
            ("?a=1&copy=2&lt=3", "?a=1©=2<=3", "?a=1&copy=2&lt=3"),
            ("&CounterClockwiseContourIntegral;", "∳", "∳"),
        ] {
            assert_eq!(folded(raw), text, "{raw}");
            assert_eq!(attribute_value(raw), attribute, "{raw}");
        }
    }

    #[test]
    fn attributes_keep_their_white_space_but_for_line_ends() {
        assert_eq!(attribute_value(" a\r\nb\rc\n\t\0&#13;"), " a\nb\nc\n\t\u{FFFD}\r");
    }

    #[test]
    fn text_stops_at_its_limit_within_no_character() {
        for limit in 0..12 {
            let mut folded = String::new();
            decode_into(&mut folded, "äö&auml; &euro;x äö", limit, Nul::Dropped);
            assert!(folded.len() <= limit.max(1) + 1, "{limit}: {folded}");
        }
        assert_eq!(cut("aä", 2), "a");
        assert_eq!(cut("aä", 3), "aä");
        assert_eq!(cut("aä", 9), "aä");
    }
}
