//! The HTTP message that a response record holds: its head, and its payload without the framing of the connection.
//!
//! Archives hold what crawlers saw, or what they made of it: some keep chunks and content codings as they came, some
//! undo them and keep the headers, some rename those (`X-Crawler-…`, `x-orig-…`). So a header is believed only if the
//! bytes agree with it.

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
        // With chunks undone and the header kept, a length says nothing.
        let is_whole = is_chunked || expected.is_none_or(|expected: u64| self.body.len() as u64 >= expected);
        (self.body.to_vec(), is_whole)
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

/// The data of chunks (RFC 9112 section 7.1) and whether the last one is there; `None` if these are no chunks.
fn unchunked(body: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut data = Vec::with_capacity(body.len());
    let mut rest = body;
    let mut is_first = true;
    loop {
        let Some((head, after)) = line(rest) else { return (!is_first).then_some((data, false)) };
        let digits = head.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        let size = std::str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let Some(size) = size.filter(|_| digits.len() <= 8) else {
            return (!is_first).then_some((data, false));
        };
        if size == 0 {
            return Some((data, true));
        }
        is_first = false;
        let chunk = &after[..after.len().min(size)];
        data.extend_from_slice(chunk);
        if chunk.len() < size {
            return Some((data, false));
        }
        rest = &after[size..];
        rest = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest);
    }
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
            ("Transfer-Encoding: chunked\r\n", "2;x=y\r\nab\r\n1\nc\r\n0\r\n\r\n", ("abc", true)),
            ("Transfer-Encoding: gzip, Chunked\r\n", "2\r\nab\r\n", ("ab", false)),
            ("Transfer-Encoding: chunked\r\n", "5\r\nab", ("ab", false)),
            ("Transfer-Encoding: chunked\r\n", "0\r\n\r\n", ("", true)),
            // Undone by who wrote the archive.
            ("Transfer-Encoding: chunked\r\nContent-Length: 99\r\n", "<html>\n", ("<html>\n", true)),
            ("X-Crawler-Transfer-Encoding: chunked\r\n", "2\r\nab\r\n", ("2\r\nab\r\n", true)),
            ("Transfer-Encoding: chunked\r\n", "ffffffffffffffff\r\nab\r\n", ("ffffffffffffffff\r\nab\r\n", true)),
        ] {
            let found = payload(&format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}"));
            assert_eq!((found.0.as_str(), found.1), expected, "{head}{body}");
        }
    }
}
