//! The form in which patterns and paths are compared, and the comparison.
//!
//! RFC 9309 has both percent-encoded alike before they are compared octet by octet, but not so far that two different
//! URLs become one. In the form used here
//!
//! - an unreserved character (RFC 3986: letters, digits, `-._~`) is itself, encoded or not;
//! - so is a reserved one that delimits nothing here: `%3A` is `:`, and `%2A`, `%24` are the plain characters `*`, `$`;
//! - a delimiter (`/ ? & = + ; #`) differs from its encoding: `%2F` is not `/`. In the query `/` and `?` delimit
//!   nothing any more, so there they are the same;
//! - everything else, such as non-ASCII and spaces, is encoded, with upper-case digits.

use memchr::memmem;
use url::Url;

/// Stands for `*` in a compared pattern. The form never holds it otherwise: control characters are encoded.
const WILDCARD: u8 = 0;

/// Appends the pattern `written` in the form to be compared; whether it is anchored at the end of the path.
pub(super) fn push_pattern(out: &mut Vec<u8>, written: &[u8]) -> bool {
    let body = written.strip_suffix(b"$");
    if !matches!(written.first(), Some(b'/' | b'*')) {
        out.push(b'/');
    }
    push_form(out, body.unwrap_or(written), WILDCARD);
    body.is_some()
}

/// Path and query of `url` in the form to be compared.
pub(super) fn path(url: &Url) -> Vec<u8> {
    let path_and_query = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut out = Vec::with_capacity(path_and_query.len() + 1);
    if !path_and_query.starts_with('/') {
        out.push(b'/');
    }
    push_form(&mut out, path_and_query.as_bytes(), b'*');
    out
}

/// Appends `text` in the form to be compared, with `star` for each `*` that is not encoded.
fn push_form(out: &mut Vec<u8>, text: &[u8], star: u8) {
    let mut in_query = false;
    let mut rest = text;
    while let Some((&first, after_first)) = rest.split_first() {
        let (octet, encoded) = match encoded_octet(rest) {
            Some(octet) => (octet, true),
            None => (first, false),
        };
        rest = if encoded { &rest[3..] } else { after_first };
        in_query |= octet == b'?' && !encoded;
        match octet {
            b'*' if !encoded => out.push(star),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(octet),
            b':' | b'[' | b']' | b'@' | b'!' | b'$' | b'\'' | b'(' | b')' | b'*' | b',' => out.push(octet),
            b'/' | b'?' if !encoded || in_query => out.push(octet),
            // A `%` that encodes nothing stays what it is.
            b'&' | b'=' | b'+' | b';' | b'#' | b'%' if !encoded => out.push(octet),
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                out.extend([b'%', DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]]);
            }
        }
    }
}

/// The octet whose percent-encoding `text` starts with.
fn encoded_octet(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = *text else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// Whether `pattern` matches `path` from its first octet, and, if `anchored`, to its last. `work` grows by the bytes
/// of the path looked at behind wildcards: no byte is looked at twice, since what stands between two wildcards may
/// always be taken where it occurs first.
pub(super) fn matches(pattern: &[u8], anchored: bool, path: &[u8], work: &mut usize) -> bool {
    let mut pieces = pattern.split(|byte| *byte == WILDCARD);
    let Some(mut rest) = path.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let Some(last) = pieces.next_back() else { return !anchored || rest.is_empty() };
    for piece in pieces {
        match find(rest, piece, work) {
            Some(end) => rest = &rest[end..],
            None => return false,
        }
    }
    if anchored { rest.ends_with(last) } else { find(rest, last, work).is_some() }
}

/// Where `piece` first ends in `text`.
fn find(text: &[u8], piece: &[u8], work: &mut usize) -> Option<usize> {
    let end = memmem::find(text, piece).map(|start| start + piece.len());
    *work += end.unwrap_or(text.len());
    end
}
