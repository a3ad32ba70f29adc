//! Which charset a body is written in, by the WHATWG "encoding sniffing algorithm" without its guesses.
//!
//! Order: byte order mark, `charset` of the Content-Type header, `<meta>` (or an XML declaration) within
//! the first [`PRESCAN_BYTES`], `<meta>` anywhere behind, at which browsers read a page anew ("change the encoding"), and
//! then UTF-8 if the bytes are valid UTF-8, else windows-1252. XML and JSON have rules of their own.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

/// How far a declaration inside the document is looked for at first, as browsers do.
pub const PRESCAN_BYTES: usize = 1024;

/// Elements whose contents are text up to their end tag.
const RAW_TEXT: [&[u8]; 8] = [b"script", b"style", b"title", b"textarea", b"iframe", b"xmp", b"noembed", b"noframes"];

/// The text of `body` and the charset it was read as. Valid UTF-8 is borrowed; what cannot be decoded
/// becomes U+FFFD.
pub fn decode<'b>(body: &'b [u8], content_type: Option<&[u8]>) -> (Cow<'b, str>, &'static Encoding) {
    if let Some((charset, mark)) = Encoding::for_bom(body) {
        return (charset.decode_without_bom_handling(&body[mark..]).0, charset);
    }
    let declared = content_type
        .and_then(header_charset)
        .or_else(|| utf_16_without_mark(body))
        .or_else(|| prescan(&body[..body.len().min(PRESCAN_BYTES)]))
        .or_else(|| late_meta(body));
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

/// The text of a style sheet and its charset (CSS Syntax Module Level 3, §3.2): that of the header or of `@charset`, else
/// UTF-8, with U+FFFD for bytes that are none.
pub fn decode_css<'b>(body: &'b [u8], content_type: Option<&[u8]>) -> (Cow<'b, str>, &'static Encoding) {
    if let Some((charset, mark)) = Encoding::for_bom(body) {
        return (charset.decode_without_bom_handling(&body[mark..]).0, charset);
    }
    let named = || {
        let rest = body.strip_prefix(b"@charset \"")?;
        let end = rest.iter().take(PRESCAN_BYTES).position(|byte| *byte == b'"')?;
        Encoding::for_label(&rest[..end]).map(as_ascii_superset)
    };
    let charset = content_type.and_then(header_charset).or_else(named).unwrap_or(UTF_8);
    (charset.decode_without_bom_handling(body).0, charset)
}

/// The text of an XML `body`: in the charset of the header or of its declaration, else UTF-8 (XML 1.0 §4.3.3), with U+FFFD
/// for bytes that are none. Elements of the document declare nothing.
pub fn decode_xml<'b>(body: &'b [u8], content_type: Option<&[u8]>) -> Cow<'b, str> {
    if let Some((charset, mark)) = Encoding::for_bom(body) {
        return charset.decode_without_bom_handling(&body[mark..]).0;
    }
    let declared = content_type
        .and_then(header_charset)
        .or_else(|| utf_16_without_mark(body))
        .or_else(|| xml_declaration(&body[..body.len().min(PRESCAN_BYTES)]).map(as_ascii_superset));
    declared.unwrap_or(UTF_8).decode_without_bom_handling(body).0
}

/// UTF-16 of either order, if a body without a byte order mark begins with `<` and a letter, `?` or `!` in it (XML 1.0,
/// appendix F).
pub fn utf_16_without_mark(body: &[u8]) -> Option<&'static Encoding> {
    let begins_markup = |c: u8| c.is_ascii_alphabetic() || matches!(c, b'?' | b'!');
    match *body {
        [b'<', 0, c, 0, ..] if begins_markup(c) => Some(UTF_16LE),
        [0, b'<', 0, c, ..] if begins_markup(c) => Some(UTF_16BE),
        _ => None,
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
    Prescan { head, at: 0, skips_raw_text: false }.run().or_else(|| xml_declaration(head)).map(as_ascii_superset)
}

/// The charset that a `<meta>` of the document declares, wherever it stands: not one within a script and the like.
fn late_meta(body: &[u8]) -> Option<&'static Encoding> {
    // Most pages have no such word, so that their tags need not be read.
    let word = b"charset";
    let mut starts = memchr::memchr2_iter(b'c', b'C', body);
    starts.find(|&at| body.get(at..at + word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word)))?;
    Prescan { head: body, at: 0, skips_raw_text: true }.run().map(as_ascii_superset)
}

/// The charset that a declaration read as ASCII can mean: it cannot be true of UTF-16.
fn as_ascii_superset(charset: &'static Encoding) -> &'static Encoding {
    if charset == UTF_16BE || charset == UTF_16LE {
        UTF_8
    } else if charset == X_USER_DEFINED {
        WINDOWS_1252
    } else {
        charset
    }
}

struct Prescan<'b> {
    head: &'b [u8],
    at: usize,
    /// Whether the insides of elements that hold text are passed over, as a parser does; the standard's prescan does not.
    skips_raw_text: bool,
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
                let name_len = rest.iter().position(|&b| is_space(b) || b == b'>')?;
                self.at += name_len;
                while self.attribute()?.is_some() {}
                if self.skips_raw_text {
                    self.skip_raw_text(&rest[1..name_len])?;
                }
            } else if matches!(rest, [b'<', b'!' | b'/' | b'?', ..]) {
                self.at += memchr::memchr(b'>', rest)? + 1;
            } else {
                self.at += 1;
            }
        }
    }

    /// Passes over the text of an element whose start tag was read, if it holds nothing else.
    fn skip_raw_text(&mut self, name: &[u8]) -> Option<()> {
        let name = name.split(|&byte| byte == b'/').next().unwrap_or(name);
        let is_raw = RAW_TEXT.iter().any(|raw| raw.eq_ignore_ascii_case(name));
        if !is_raw {
            return Some(());
        }
        loop {
            self.at += memchr::memmem::find(self.head.get(self.at..)?, b"</")? + 2;
            let end = self.head.get(self.at..self.at + name.len())?;
            if end.eq_ignore_ascii_case(name) {
                return Some(());
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
    // Blank lines before it are against the standard, but common.
    let head = head.trim_ascii_start();
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
    fn a_declaration_past_the_first_kilobyte_counts_where_a_browser_sees_an_element() {
        let at = |bytes: usize, page: &str| charset_of((" ".repeat(bytes) + page).as_bytes(), None);
        for bytes in [PRESCAN_BYTES - 10, PRESCAN_BYTES, 100_000] {
            assert_eq!(at(bytes, "<meta charset=koi8-r>"), "KOI8-R");
            assert_eq!(at(bytes, "<p><meta http-equiv=content-type content='text/html; charset=big5'>"), "Big5");
        }
        for hidden in [
            "<script>'<meta charset=koi8-r>'</script>",
            "<STYLE/><meta charset=koi8-r></style>",
            "<title><meta charset=koi8-r></title>",
            "<textarea><meta charset=koi8-r>",
            "<!-- <meta charset=koi8-r> -->",
            "<p title='<meta charset=koi8-r>'>",
        ] {
            assert_eq!(at(2000, hidden), "UTF-8", "{hidden}");
            assert_eq!(at(2000, &format!("{hidden}</textarea><meta charset=big5>")), "Big5", "{hidden}");
        }
        let header = Some("text/html; charset=utf-8");
        assert_eq!(charset_of((" ".repeat(2000) + "<meta charset=koi8-r>").as_bytes(), header), "UTF-8");
    }

    #[test]
    fn xml_declares_its_charset_at_its_beginning_or_is_utf_8() {
        for (body, header, text) in [
            (&b"<?xml version='1.0' encoding='iso-8859-1'?><a>\xE4</a>"[..], None, "<a>ä</a>"),
            (b"\n \r\n<?xml version='1.0' encoding='iso-8859-1'?><a>\xE4</a>", None, "<a>ä</a>"),
            (b"<a>\xC3\xA4 \xE4</a>", None, "<a>ä \u{FFFD}</a>"),
            (b"<a><meta charset=\"koi8-r\"/>\xC3\xA4</a>", None, "<a><meta charset=\"koi8-r\"/>ä</a>"),
            (b"<a>\xE4</a>", Some("text/xml; charset=iso-8859-1"), "<a>ä</a>"),
            (b"<\0?\0x\0m\0l\0?\0>\0<\0a\0>\0\xE4\0", None, "<a>ä"),
            (b"\0<\0r\0>\0\xE4", None, "<r>ä"),
            (b"\xFE\xFF\0<\0r\0>", None, "<r>"),
        ] {
            let decoded = decode_xml(body, header.map(str::as_bytes));
            assert!(decoded.ends_with(text), "{decoded}");
        }
        assert_eq!(charset_of(b"<\0!\0d\0o\0", None), "UTF-16LE");
        assert_eq!(charset_of(b"\n<?xml version='1.0' encoding='koi8-r'?><html>", None), "KOI8-R");
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
