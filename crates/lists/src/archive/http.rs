//! The HTTP message that a response record holds: its head, and its payload without the framing of the connection.
//!
//! Archives hold what crawlers saw, or what they made of it: some keep chunks and content codings as they came, some
//! undo them and keep the headers, some rename those (`X-Crawler-…`, `x-orig-…`). So a header is believed only if the
//! bytes agree with it.

/// The first bytes of gzip and zstd.
const MAGICS: [&[u8]; 2] = [b"\x1f\x8b", b"\x28\xb5\x2f\xfd"];

/// Most header fields of an answer; later ones are passed over.
const MAX_FIELDS: usize = 1000;

/// An HTTP answer as an archive has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'b> {
    /// Its status code, 100 to 999.
    pub status: u16,
    /// Names and values, as they stand there.
    pub fields: Vec<(&'b [u8], Vec<u8>)>,
    /// What follows the head.
    pub body: &'b [u8],
}

/// Why a block is no HTTP answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It begins with something else.
    #[error("no HTTP status line")]
    StatusLine,
    /// The end of the head is missing.
    #[error("the head of the answer has no end")]
    Head,
}

/// The answer in `block`.
///
/// # Errors
/// [`Malformed`] if it is none.
pub fn parse(block: &[u8]) -> Result<Message<'_>, Malformed> {
    let (line, mut rest) = line(block).ok_or(Malformed::Head)?;
    let status = status(line).ok_or(Malformed::StatusLine)?;
    let mut fields: Vec<(&[u8], Vec<u8>)> = Vec::new();
    loop {
        let Some((line, after)) = self::line(rest) else {
            // A head alone, cut where its empty line would be.
            return if rest.is_empty() { Ok(Message { status, fields, body: rest }) } else { Err(Malformed::Head) };
        };
        rest = after;
        if line.is_empty() {
            return Ok(Message { status, fields, body: rest });
        }
        // A line that goes on (RFC 9112 section 5.2).
        if line.starts_with(b" ") || line.starts_with(b"\t") {
            if let Some((_, value)) = fields.last_mut() {
                value.push(b' ');
                value.extend_from_slice(line.trim_ascii());
            }
            continue;
        }
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        if fields.len() < MAX_FIELDS {
            fields.push((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii().to_vec()));
        }
    }
}

impl Message<'_> {
    /// The values of all fields called `name`.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let fields = self.fields.iter().filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes()));
        fields.map(|(_, value)| &value[..])
    }

    /// The body without chunks, if it has any, and whether its end is there.
    pub fn payload(&self) -> (Vec<u8>, bool) {
        let is_chunked = self.values("transfer-encoding").any(|value| {
            value.to_ascii_lowercase().split(|&byte| byte == b',').any(|coding| coding.trim_ascii() == b"chunked")
        });
        if is_chunked && let Some(payload) = unchunked(self.body) {
            return payload;
        }
        let expected =
            self.values("content-length").next().and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        let is_whole =
            !self.length_counts(is_chunked) || expected.is_none_or(|expected: u64| self.body.len() as u64 >= expected);
        (self.body.to_vec(), is_whole)
    }

    /// Whether `Content-Length` is the length of this body, if the archive has all of it.
    fn length_counts(&self, is_chunked: bool) -> bool {
        // Of what a GET would have got (RFC 9110 section 8.6): of the method nothing is known here.
        let has_none = matches!(self.status, 204 | 304) || self.body.is_empty();
        // With chunks or codings undone and the headers kept, a length says nothing.
        let is_coded = self.values("content-encoding").any(|value| !value.eq_ignore_ascii_case(b"identity"));
        !is_chunked && !has_none && (!is_coded || MAGICS.iter().any(|magic| self.body.starts_with(magic)))
    }
}

/// The line that `bytes` begin with, without its end, and what follows.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    Some((bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]), &bytes[end + 1..]))
}

fn status(line: &[u8]) -> Option<u16> {
    let mut words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let version = words.next()?;
    if !version.get(..5)?.eq_ignore_ascii_case(b"HTTP/") {
        return None;
    }
    let status = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    (100..1000).contains(&status).then_some(status)
}

/// The data of chunks (RFC 9112 section 7.1) and whether the last one is there; `None` if these are no chunks: a body
/// with its chunks undone can begin with a number too.
fn unchunked(body: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut data = Vec::with_capacity(body.len());
    let mut rest = body;
    loop {
        let Some((head, after)) = crlf_line(rest) else {
            // Cut within the size of a further chunk, or before it.
            let is_cut = rest.len() < body.len() && rest.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'\r');
            return is_cut.then_some((data, false));
        };
        let size = size(head)?;
        if size == 0 {
            return is_trailer(after).then_some((data, true));
        }
        let Some((chunk, after)) = after.split_at_checked(size) else {
            data.extend_from_slice(after);
            return Some((data, false));
        };
        data.extend_from_slice(chunk);
        match after.strip_prefix(b"\r\n") {
            Some(after) => rest = after,
            None => return matches!(after, b"" | b"\r").then_some((data, false)),
        }
    }
}

/// The size in the line before a chunk.
fn size(line: &[u8]) -> Option<usize> {
    let digits = line.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    let is_size = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    usize::from_str_radix(std::str::from_utf8(digits).ok().filter(|_| is_size)?, 16).ok()
}

/// Whether `bytes` are what follows the last chunk: fields and an empty line.
fn is_trailer(mut bytes: &[u8]) -> bool {
    while let Some((line, after)) = crlf_line(bytes) {
        if line.is_empty() {
            return after.is_empty();
        }
        if !line.contains(&b':') {
            return false;
        }
        bytes = after;
    }
    false
}

/// As [`line()`], of lines that end as those of the protocol must.
fn crlf_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memmem::find(bytes, b"\r\n")?;
    Some((&bytes[..end], &bytes[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(block: &str) -> (String, bool) {
        let (payload, is_whole) = parse(block.as_bytes()).unwrap().payload();
        (String::from_utf8(payload).unwrap(), is_whole)
    }

    #[test]
    fn a_message_is_read_as_tolerantly_as_archives_need() {
        for (block, status, fields) in [
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\nx", 200, vec![("A", "b")]),
            ("HTTP/2 404\nA:b \n c\n\nx", 404, vec![("A", "b c")]),
            ("http/1.0  500  no\r\nnonsense\r\nÄ: ü\r\n\r\n", 500, vec![("Ä", "ü")]),
            ("HTTP/1.1 200 OK\r\n", 200, vec![]),
        ] {
            let message = parse(block.as_bytes()).unwrap();
            assert_eq!(message.status, status, "{block}");
            let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes().to_vec())).collect();
            assert_eq!(message.fields, fields, "{block}");
        }
        for block in
            ["", "<html>\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 abc\n\n", "HTTP/1.1 99\n\n", "HTTP/1.1 200 OK\r\nA: b"]
        {
            assert!(parse(block.as_bytes()).is_err(), "{block}");
        }
    }

    #[test]
    fn a_payload_is_whole_or_known_not_to_be() {
        for (head, body, expected) in [
            ("", "abc", ("abc", true)),
            ("Content-Length: 3\r\n", "abc", ("abc", true)),
            ("Content-Length: 4\r\n", "abc", ("abc", false)),
            // Of the body as it was compressed.
            ("Content-Length: 2\r\n", "abc", ("abc", true)),
            ("Transfer-Encoding: chunked\r\n", "2;x=y\r\nab\r\n1\r\nc\r\n0\r\nA: b\r\n\r\n", ("abc", true)),
            ("Transfer-Encoding: gzip, Chunked\r\n", "2\r\nab\r\n", ("ab", false)),
            ("Transfer-Encoding: chunked\r\n", "5\r\nab", ("ab", false)),
            ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n", ("", true)),
            ("Transfer-Encoding: chunked\r\n", "2\r\nab\r\n1", ("ab", false)),
            // Undone by who wrote the archive.
            ("Transfer-Encoding: chunked\r\n", "0\n1\n2\n", ("0\n1\n2\n", true)),
            ("Transfer-Encoding: chunked\r\n", "0\r\n1\r\n", ("0\r\n1\r\n", true)),
            ("Transfer-Encoding: chunked\r\n", "1\r\n22\r\n", ("1\r\n22\r\n", true)),
            ("Transfer-Encoding: chunked\r\n", "2\r\nab\r\n0\r\n\r\nc", ("2\r\nab\r\n0\r\n\r\nc", true)),
            ("Content-Encoding: br\r\nContent-Length: 9\r\n", "abc", ("abc", true)),
            ("Content-Encoding: gzip\r\nContent-Length: 9\r\n", "abc", ("abc", true)),
            ("Content-Encoding: identity\r\nContent-Length: 9\r\n", "abc", ("abc", false)),
            // That of a HEAD.
            ("Content-Length: 9\r\n", "", ("", true)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 99\r\n", "<html>\n", ("<html>\n", true)),
            ("X-Crawler-Transfer-Encoding: chunked\r\n", "2\r\nab\r\n", ("2\r\nab\r\n", true)),
            ("Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\nab\r\n", ("ffffffffffffffff\r\nab\r\n", true)),
        ] {
            let found = payload(&format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}"));
            assert_eq!((found.0.as_str(), found.1), expected, "{head}{body}");
        }
        let block = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n\x1f\x8b\x08";
        assert!(!parse(block).unwrap().payload().1, "it is coded, so its length counts");
        assert_eq!(payload("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n\n"), ("\n".to_owned(), true));
    }
}
