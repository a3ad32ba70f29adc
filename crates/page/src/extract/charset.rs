//! Which charset a body is written in, by the WHATWG "encoding sniffing algorithm" without its guesses.
//!
//! Order: byte order mark, `charset` of the Content-Type header, `<meta>` (or an XML declaration) within
//! the first [`PRESCAN_BYTES`], and then UTF-8 if the bytes are valid UTF-8, else windows-1252.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252, X_USER_DEFINED};

/// How far a declaration inside the document is looked for, as browsers do.
pub const PRESCAN_BYTES: usize = 1024;

/// The text of `body` and the charset it was read as. Valid UTF-8 is borrowed; what cannot be decoded
/// becomes U+FFFD.
pub fn decode<'b>(body: &'b [u8], content_type: Option<&[u8]>) -> (Cow<'b, str>, &'static Encoding) {
    if let Some((charset, mark)) = Encoding::for_bom(body) {
        return (charset.decode_without_bom_handling(&body[mark..]).0, charset);
    }
    let declared = content_type.and_then(header_charset).or_else(|| prescan(&body[..body.len().min(PRESCAN_BYTES)]));
    if let Some(charset) = declared {
        return (charset.decode_without_bom_handling(body).0, charset);
    }
    match std::str::from_utf8(body) {
        Ok(text) => (Cow::Borrowed(text), UTF_8),
        Err(_) => (WINDOWS_1252.decode_without_bom_handling(body).0, WINDOWS_1252),
    }
}

/// The text of a JSON `body`: UTF-8 (RFC 8259 §8.1), with U+FFFD for bytes that are none; a `charset` of the header counts
/// only where the bytes are no UTF-8, and nothing inside of the text is a declaration.
pub fn decode_json<'b>(body: &'b [u8], content_type: Option<&[u8]>) -> Cow<'b, str> {
    if let Some((charset, mark)) = Encoding::for_bom(body) {
        return charset.decode_without_bom_handling(&body[mark..]).0;
    }
    match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => content_type.and_then(header_charset).unwrap_or(UTF_8).decode_without_bom_handling(body).0,
    }
}

/// The type and subtype of a Content-Type header, as written; `None` if it is not of the form `type/subtype`.
pub fn essence(content_type: &[u8]) -> Option<&[u8]> {
    let end = content_type.iter().position(|b| matches!(b, b';' | b',')).unwrap_or(content_type.len());
    let essence = content_type[..end].trim_ascii();
    let slash = essence.iter().position(|&b| b == b'/')?;
    (slash > 0 && slash + 1 < essence.len()).then_some(essence)
}

/// The `charset` parameter of a Content-Type header, if it names a charset that exists.
fn header_charset(content_type: &[u8]) -> Option<&'static Encoding> {
    let mut rest = content_type;
    while let Some(semicolon) = rest.iter().position(|&b| b == b';') {
        rest = rest[semicolon + 1..].trim_ascii_start();
        let name_end = rest.iter().position(|b| matches!(b, b';' | b'=')).unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        rest = after;
        let Some(value) = after.strip_prefix(b"=") else { continue };
        let mut unquoted = Vec::new();
        if let Some(quoted) = value.strip_prefix(b"\"") {
            let mut bytes = quoted.iter();
            while let Some(&byte) = bytes.next() {
                match byte {
                    b'"' => break,
                    b'\\' => unquoted.extend(bytes.next()),
                    _ => unquoted.push(byte),
                }
            }
            rest = bytes.as_slice();
        } else {
            let end = value.iter().position(|&b| b == b';').unwrap_or(value.len());
            unquoted.extend_from_slice(value[..end].trim_ascii_end());
            rest = &value[end..];
        }
        if name.eq_ignore_ascii_case(b"charset") {
            return Encoding::for_label(&unquoted);
        }
    }
    None
}

/// WHATWG "prescan a byte stream to determine its encoding"; `head` is all that may be looked at.
fn prescan(head: &[u8]) -> Option<&'static Encoding> {
    Prescan { head, at: 0 }.run().or_else(|| xml_declaration(head)).map(|charset| {
        // The declaration was read as ASCII, so it cannot be true of UTF-16.
        if charset == encoding_rs::UTF_16BE || charset == encoding_rs::UTF_16LE {
            UTF_8
        } else if charset == X_USER_DEFINED {
            WINDOWS_1252
        } else {
            charset
        }
    })
}

struct Prescan<'b> {
    head: &'b [u8],
    at: usize,
}

impl Prescan<'_> {
    /// `None` also where the standard aborts because the bytes ran out.
    fn run(&mut self) -> Option<&'static Encoding> {
        loop {
            self.at += memchr::memchr(b'<', self.head.get(self.at..)?)?;
            let rest = &self.head[self.at..];
            if rest.starts_with(b"<!--") {
                // The dashes of the opening may be those of the end: `<!-->` is a whole comment.
                self.at += 2 + memchr::memmem::find(&rest[2..], b"-->")? + 3;
            } else if starts_with_word(rest, b"<meta") {
                self.at += b"<meta".len();
                if let Some(charset) = self.meta()? {
                    return Some(charset);
                }
            } else if matches!(rest, [b'<', b'/', letter, ..] | [b'<', letter, ..] if letter.is_ascii_alphabetic()) {
                self.at += rest.iter().position(|&b| is_space(b) || b == b'>')?;
                while self.attribute()?.is_some() {}
            } else if matches!(rest, [b'<', b'!' | b'/' | b'?', ..]) {
                self.at += memchr::memchr(b'>', rest)? + 1;
            } else {
                self.at += 1;
            }
        }
    }

    /// The charset that one `<meta>` declares. The outer `None` says that the bytes ran out.
    fn meta(&mut self) -> Option<Option<&'static Encoding>> {
        let mut seen: Vec<Vec<u8>> = Vec::new();
        let mut is_pragma = false;
        let mut needs_pragma = None;
        let mut charset: Option<Option<&'static Encoding>> = None;
        while let Some((name, value)) = self.attribute()? {
            if seen.contains(&name) {
                continue;
            }
            match name.as_slice() {
                b"http-equiv" => is_pragma |= value == b"content-type",
                b"content" if charset.is_none() => {
                    if let Some(named) = charset_in_content(&value) {
                        charset = Some(Some(named));
                        needs_pragma = Some(true);
                    }
                }
                b"charset" => {
                    charset = Some(Encoding::for_label(&value));
                    needs_pragma = Some(false);
                }
                _ => {}
            }
            seen.push(name);
        }
        Some(match needs_pragma {
            None => None,
            Some(true) if !is_pragma => None,
            Some(_) => charset.flatten(),
        })
    }

    /// WHATWG "get an attribute", lower-cased: `Some(None)` at the end of the tag, `None` if the bytes ran out.
    #[allow(clippy::type_complexity, reason = "the three answers of the standard's algorithm, used in two places")]
    fn attribute(&mut self) -> Option<Option<(Vec<u8>, Vec<u8>)>> {
        while is_space(self.peek()?) || self.peek()? == b'/' {
            self.at += 1;
        }
        if self.peek()? == b'>' {
            return Some(None);
        }
        let (mut name, mut value) = (Vec::new(), Vec::new());
        loop {
            match self.peek()? {
                b'=' if !name.is_empty() => break,
                b if is_space(b) => {
                    while is_space(self.peek()?) {
                        self.at += 1;
                    }
                    if self.peek()? != b'=' {
                        return Some(Some((name, value)));
                    }
                    break;
                }
                b'/' | b'>' => return Some(Some((name, value))),
                b => name.push(b.to_ascii_lowercase()),
            }
            self.at += 1;
        }
        self.at += 1;
        while is_space(self.peek()?) {
            self.at += 1;
        }
        match self.peek()? {
            quote @ (b'"' | b'\'') => loop {
                self.at += 1;
                let byte = self.peek()?;
                if byte == quote {
                    self.at += 1;
                    return Some(Some((name, value)));
                }
                value.push(byte.to_ascii_lowercase());
            },
            b'>' => return Some(Some((name, value))),
            _ => {}
        }
        loop {
            let byte = self.peek()?;
            if is_space(byte) || byte == b'>' {
                return Some(Some((name, value)));
            }
            value.push(byte.to_ascii_lowercase());
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.head.get(self.at).copied()
    }
}

/// WHATWG "extracting a character encoding from a meta element"; `content` is lower-cased.
fn charset_in_content(content: &[u8]) -> Option<&'static Encoding> {
    let mut rest = content;
    loop {
        rest = &rest[memchr::memmem::find(rest, b"charset")? + b"charset".len()..];
        rest = rest.trim_ascii_start();
        let Some(value) = rest.strip_prefix(b"=") else { continue };
        let value = value.trim_ascii_start();
        let label = match value.first()? {
            quote @ (b'"' | b'\'') => {
                let quoted = &value[1..];
                &quoted[..memchr::memchr(*quote, quoted)?]
            }
            _ => &value[..value.iter().position(|&b| is_space(b) || b == b';').unwrap_or(value.len())],
        };
        return Encoding::for_label(label);
    }
}

/// WHATWG "get an XML encoding".
fn xml_declaration(head: &[u8]) -> Option<&'static Encoding> {
    if !head.starts_with(b"<?xml") {
        return None;
    }
    let declaration = &head[..memchr::memchr(b'>', head)?];
    let rest = &declaration[memchr::memmem::find(declaration, b"encoding")? + b"encoding".len()..];
    let value = trim_controls(trim_controls(rest).strip_prefix(b"=")?);
    let quote = *value.first().filter(|b| matches!(b, b'"' | b'\''))?;
    let label = &value[1..];
    let label = &label[..memchr::memchr(quote, label)?];
    if label.iter().any(|&b| b <= b' ') {
        return None;
    }
    Encoding::for_label(label)
}

fn trim_controls(bytes: &[u8]) -> &[u8] {
    &bytes[bytes.iter().position(|&b| b > b' ').unwrap_or(bytes.len())..]
}

fn starts_with_word(bytes: &[u8], word: &[u8]) -> bool {
    bytes.len() > word.len()
        && bytes[..word.len()].eq_ignore_ascii_case(word)
        && (is_space(bytes[word.len()]) || bytes[word.len()] == b'/')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charset_of(body: &[u8], content_type: Option<&str>) -> &'static str {
        decode(body, content_type.map(str::as_bytes)).1.name()
    }

    #[test]
    fn a_byte_order_mark_beats_everything_and_is_no_text() {
        let (text, charset) = decode(b"\xEF\xBB\xBFabc", Some(b"text/html; charset=koi8-r"));
        assert_eq!((text.as_ref(), charset.name()), ("abc", "UTF-8"));
        let (text, charset) = decode(b"\xFF\xFEa\0b\0", None);
        assert_eq!((text.as_ref(), charset.name()), ("ab", "UTF-16LE"));
    }

    #[test]
    fn the_header_beats_the_document() {
        let page = b"<meta charset=koi8-r>";
        assert_eq!(charset_of(page, Some("text/html; charset=iso-8859-2")), "ISO-8859-2");
        assert_eq!(
            charset_of(page, Some("text/html;a=\"x;charset=utf-8\\\"\" ; CHARSET=\"iso-8859-2\"")),
            "ISO-8859-2"
        );
        assert_eq!(charset_of(page, Some("text/html; charset=nonsense")), "KOI8-R");
        assert_eq!(charset_of(page, Some("text/html; charset")), "KOI8-R");
        assert_eq!(charset_of(page, Some("text/html")), "KOI8-R");
    }

    #[test]
    fn the_document_declares_its_charset_in_every_form_of_the_standard() {
        for (page, charset) in [
            ("<meta charset=shift_jis>", "Shift_JIS"),
            ("<META/CHARSET = 'Shift_JIS'/>", "Shift_JIS"),
            ("<meta charset=big5 charset=koi8-r>", "Big5"),
            ("<meta http-equiv=Content-Type content='text/html; charset=koi8-r'>", "KOI8-R"),
            ("<meta content='text/html; charset=\"koi8-r\"' http-equiv=content-type>", "KOI8-R"),
            ("<meta content='charset charset = koi8-r; x' http-equiv=content-type>", "KOI8-R"),
            ("<meta content='text/html; charset=koi8-r'>", "UTF-8"),
            ("<meta http-equiv=refresh content='charset=koi8-r'>", "UTF-8"),
            ("<!-- <meta charset=koi8-r> --><meta charset=big5>", "Big5"),
            ("<!--><meta charset=big5>", "Big5"),
            ("<p title='<meta charset=koi8-r>'><meta charset=big5>", "Big5"),
            ("</p title='<meta charset=koi8-r>'><meta charset=big5>", "Big5"),
            ("<?x <meta charset=koi8-r><meta charset=big5>", "Big5"),
            ("<metal charset=koi8-r><meta charset=big5>", "Big5"),
            ("<meta charset=unknown><meta charset=big5>", "Big5"),
            ("<meta charset=utf-16>", "UTF-8"),
            ("<meta charset=utf-16be>", "UTF-8"),
            ("<meta charset=x-user-defined>", "windows-1252"),
            ("<meta charset=latin1>", "windows-1252"),
            ("<?xml version='1.0' encoding='koi8-r'?><p>", "KOI8-R"),
            ("<?xml version='1.0' encoding='koi8-r'?><meta charset=big5>", "Big5"),
            ("<?xml encoding='koi 8'?><p>", "UTF-8"),
        ] {
            assert_eq!(charset_of(page.as_bytes(), None), charset, "{page}");
        }
    }

    #[test]
    fn a_declaration_past_the_first_kilobyte_comes_too_late() {
        let late = format!("{}<meta charset=koi8-r>", " ".repeat(PRESCAN_BYTES));
        assert_eq!(charset_of(late.as_bytes(), None), "UTF-8");
        let cut = format!("{}<meta charset=koi8-r>", " ".repeat(PRESCAN_BYTES - 10));
        assert_eq!(charset_of(cut.as_bytes(), None), "UTF-8");
    }

    #[test]
    fn undeclared_bytes_are_utf_8_if_they_can_be_and_windows_1252_otherwise() {
        let (text, charset) = decode("<p>ä".as_bytes(), None);
        assert!(matches!(text, Cow::Borrowed("<p>ä")) && charset == UTF_8);
        let (text, charset) = decode(b"<p>\xE4\x80", None);
        assert_eq!((text.as_ref(), charset.name()), ("<p>ä€", "windows-1252"));
    }

    #[test]
    fn json_is_utf_8_and_declares_no_charset_inside() {
        assert_eq!(decode_json(b"{\"a\": \"\xC3\xA4\xFF\"}", None), "{\"a\": \"ä\u{FFFD}\"}");
        assert_eq!(decode_json("\"<meta charset=koi8-r>ä\"".as_bytes(), None), "\"<meta charset=koi8-r>ä\"");
        assert_eq!(decode_json(b"\"\xE4\"", Some(b"application/json; charset=iso-8859-1")), "\"ä\"");
        assert_eq!(decode_json("\"ä\"".as_bytes(), Some(b"application/json; charset=iso-8859-1")), "\"ä\"");
        assert_eq!(decode_json(b"\xEF\xBB\xBF1", None), "1");
        assert_eq!(decode_json(b"\xFF\xFE1\0", None), "1");
    }

    #[test]
    fn bytes_that_are_not_of_the_declared_charset_become_replacement_characters() {
        assert_eq!(decode(b"a\xFFb", Some(b"text/html;charset=utf-8")).0, "a\u{FFFD}b");
    }

    #[test]
    fn the_essence_of_a_content_type_is_its_type_and_subtype() {
        assert_eq!(essence(b" Text/HTML ; charset=x"), Some(&b"Text/HTML"[..]));
        assert_eq!(essence(b"text/html"), Some(&b"text/html"[..]));
        assert_eq!(essence(b"text"), None);
        assert_eq!(essence(b"/html"), None);
        assert_eq!(essence(b""), None);
    }
}
