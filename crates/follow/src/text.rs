//! Bytes, compressed or not, in whatever charset, as a stream of UTF-8 with a limit.

use std::io::{self, BufRead, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};
use flate2::bufread::MultiGzDecoder;

/// Most decompressed bytes of a sitemap or feed that are read: the limit of the sitemap protocol.
pub const MAX_DOCUMENT_BYTES: u64 = 50 << 20;

/// Longest piece of a document that is held at once: a tag, a text, a line.
pub const MAX_PIECE_BYTES: usize = 4 << 20;

/// How many bytes are read and decoded at once, and how many are looked at to tell what the document is.
const CHUNK_BYTES: usize = 16 << 10;

/// A stream of UTF-8, with U+FFFD for all that cannot be decoded.
pub(crate) struct Utf8<'b> {
    source: Box<dyn Read + 'b>,
    decoder: Decoder,
    /// Bytes as they came, from `raw_start` on not decoded yet.
    raw: Vec<u8>,
    raw_start: usize,
    /// Decoded text, from `start` on not consumed yet.
    text: Vec<u8>,
    start: usize,
    /// How many more bytes may be read.
    left: u64,
    has_ended: bool,
    is_cut: bool,
    is_finished: bool,
    /// Bytes consumed since the last [`Utf8::restart`].
    piece: usize,
    /// Why the bytes end early.
    failure: Option<io::Error>,
}

impl<'b> Utf8<'b> {
    /// The text of `body`, which may be a gzip file, with the Content-Type header that came with it; at most so many
    /// bytes, decompressed.
    pub fn new(body: &'b [u8], content_type: Option<&[u8]>, max_bytes: u64) -> Self {
        let source: Box<dyn Read + 'b> =
            if body.starts_with(b"\x1F\x8B") { Box::new(MultiGzDecoder::new(body)) } else { Box::new(body) };
        let mut text = Self {
            source,
            decoder: UTF_8.new_decoder(),
            raw: Vec::new(),
            raw_start: 0,
            text: Vec::new(),
            start: 0,
            left: max_bytes,
            has_ended: false,
            is_cut: false,
            is_finished: false,
            piece: 0,
            failure: None,
        };
        text.read_chunk();
        text.decoder = charset(&text.raw, content_type).new_decoder();
        text
    }

    /// The beginning of the text, if nothing of it has been consumed.
    ///
    /// # Errors
    /// It is a gzip file of which nothing can be unpacked.
    pub fn head(&mut self) -> io::Result<String> {
        self.fill_buf().map(|head| String::from_utf8_lossy(head).into_owned())
    }

    /// Whether there is more than may be read.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Begins a new piece, for which [`MAX_PIECE_BYTES`] is counted anew.
    pub fn restart(&mut self) {
        self.piece = 0;
    }

    /// Fills `raw` as far as there are bytes.
    fn read_chunk(&mut self) {
        self.raw.clear();
        self.raw_start = 0;
        let room = self.left.min(CHUNK_BYTES as u64);
        match self.source.by_ref().take(room).read_to_end(&mut self.raw) {
            Ok(read) => {
                self.left -= read as u64;
                self.has_ended = read < CHUNK_BYTES || self.left == 0;
                self.is_cut = self.left == 0 && matches!(self.source.read(&mut [0]), Ok(1));
            }
            // The bytes before the failure are in `raw`, and are worth reading.
            Err(error) => {
                self.has_ended = true;
                self.failure = Some(error);
            }
        }
    }

    /// Decodes until there is text, or no more bytes.
    fn decode(&mut self) {
        self.start = 0;
        self.text.clear();
        while self.text.is_empty() && !self.is_finished {
            if self.raw_start == self.raw.len() && !self.has_ended {
                self.read_chunk();
            }
            // Room for the longest that a chunk can become.
            self.text.resize(3 * CHUNK_BYTES + 16, 0);
            let raw = &self.raw[self.raw_start..];
            let (result, read, written, _) = self.decoder.decode_to_utf8(raw, &mut self.text, self.has_ended);
            self.raw_start += read;
            self.text.truncate(written);
            self.is_finished = self.has_ended && result == CoderResult::InputEmpty;
        }
    }
}

impl Read for Utf8<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Utf8<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.piece > MAX_PIECE_BYTES {
            return Err(io::Error::other("a tag, text or line of more than 4 MiB"));
        }
        if self.start == self.text.len() {
            self.decode();
            if let Some(failure) = self.failure.take_if(|_| self.text.is_empty()) {
                return Err(failure);
            }
        }
        Ok(&self.text[self.start..])
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.piece += bytes;
    }
}

/// The charset of a document that begins with `head`: byte order mark, header, XML declaration (RFC 7303), then UTF-8
/// if the head is.
fn charset(head: &[u8], content_type: Option<&[u8]>) -> &'static Encoding {
    if let Some((charset, _)) = Encoding::for_bom(head) {
        return charset;
    }
    match head {
        [0, b'<', 0, ..] => return UTF_16BE,
        [b'<', 0, _, 0, ..] => return UTF_16LE,
        _ => {}
    }
    let is_utf8 = std::str::from_utf8(head).map_or_else(|error| error.error_len().is_none(), |_| true);
    let declared = content_type.and_then(of_header).or_else(|| of_declaration(head));
    match declared {
        // Its declaration was read byte by byte.
        Some(charset) if charset == UTF_16BE || charset == UTF_16LE => UTF_8,
        Some(charset) if charset == X_USER_DEFINED => WINDOWS_1252,
        Some(charset) => charset,
        None if is_utf8 => UTF_8,
        None => WINDOWS_1252,
    }
}

/// The `charset` parameter of a Content-Type header.
fn of_header(content_type: &[u8]) -> Option<&'static Encoding> {
    content_type.split(|byte| *byte == b';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_at(parameter.iter().position(|byte| *byte == b'=')?);
        let label = value[1..].trim_ascii().trim_ascii_start();
        let label = label.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(label);
        name.trim_ascii().eq_ignore_ascii_case(b"charset").then(|| Encoding::for_label(label))?
    })
}

/// The encoding of `<?xml version="1.0" encoding="ISO-8859-1"?>`.
fn of_declaration(head: &[u8]) -> Option<&'static Encoding> {
    let head = head.trim_ascii_start().strip_prefix(b"<?xml")?;
    let declaration = &head[..head.iter().position(|byte| *byte == b'>')?];
    let at = declaration.windows(8).position(|window| window == b"encoding")?;
    let value = declaration[at + 8..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (quote, rest) = value.split_first()?;
    let label = &rest[..rest.iter().position(|byte| byte == quote)?];
    Encoding::for_label(label)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn text(body: &[u8], content_type: Option<&str>) -> String {
        let mut text = String::new();
        Utf8::new(body, content_type.map(str::as_bytes), MAX_DOCUMENT_BYTES)
            .read_to_string(&mut text)
            .expect("UTF-8 all along");
        text
    }

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).expect("memory");
        encoder.finish().expect("memory")
    }

    fn utf16(text: &str, mark: &[u8], bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        mark.iter().copied().chain(text.encode_utf16().flat_map(bytes)).collect()
    }

    #[test]
    fn the_charset_is_that_of_the_mark_the_header_or_the_declaration() {
        let declared = "<?xml version='1.0' encoding = 'ISO-8859-1' ?><a>\u{e4}</a>";
        let latin: Vec<u8> = declared.chars().map(|c| c as u8).collect();
        assert_eq!(text(&latin, None), declared);
        assert_eq!(text(b"<a>\xE4</a>", None), "<a>ä</a>");
        assert_eq!(text(b"<a>\xE4</a>", Some("text/xml; charset=\"iso-8859-1\"")), "<a>ä</a>");
        assert_eq!(text("<a>ä</a>".as_bytes(), Some("text/xml")), "<a>ä</a>");
        assert_eq!(text("\u{feff}<a>ä</a>".as_bytes(), Some("text/xml; charset=latin1")), "<a>ä</a>");
        let wide = "<?xml version=\"1.0\" encoding=\"UTF-16\"?><a>ä€𝄞</a>";
        assert_eq!(text(&utf16(wide, b"\xFF\xFE", u16::to_le_bytes), None), wide);
        assert_eq!(text(&utf16(wide, b"\xFE\xFF", u16::to_be_bytes), None), wide);
        assert_eq!(text(&utf16(wide, b"", u16::to_le_bytes), None), wide);
        assert_eq!(text(&utf16(wide, b"", u16::to_be_bytes), None), wide);
        assert_eq!(text(wide.as_bytes(), None), wide, "it says UTF-16 and is UTF-8");
    }

    #[test]
    fn characters_may_lie_across_chunks() {
        for before in CHUNK_BYTES - 3..=CHUNK_BYTES {
            let long = format!("{}ä€𝄞{}", "a".repeat(before), "b".repeat(CHUNK_BYTES));
            assert_eq!(text(long.as_bytes(), None), long);
            let wide = utf16(&long, b"\xFF\xFE", u16::to_le_bytes);
            assert_eq!(text(&wide, None), long);
        }
    }

    #[test]
    fn a_gzip_file_is_unpacked_and_may_have_several_members() {
        assert_eq!(text(&[gzip(b"<a>"), gzip("ä</a>".as_bytes())].concat(), None), "<a>ä</a>");
    }

    #[test]
    fn what_comes_before_a_break_is_read() {
        let noise: String = (0..50_000).map(|number| format!("{:x} ", number * 2_654_435_761_u64)).collect();
        let whole = gzip(noise.as_bytes());
        let mut utf8 = Utf8::new(&whole[..whole.len() / 2], None, MAX_DOCUMENT_BYTES);
        let mut read = Vec::new();
        let error = utf8.read_to_end(&mut read).expect_err("it is cut");
        assert!(read.len() > noise.len() / 4 && noise.as_bytes().starts_with(&read), "{}: {error}", read.len());
    }

    #[test]
    fn a_bomb_ends_at_the_limit() {
        let bomb = gzip(&vec![b' '; 1 << 20]);
        for (limit, bytes) in
            [(1 << 20, 1 << 20), ((1 << 20) - 1, (1 << 20) - 1), (100_000, 100_000), (1 << 21, 1 << 20)]
        {
            let mut utf8 = Utf8::new(&bomb, None, limit);
            let read = utf8.read_to_end(&mut Vec::new()).expect("spaces");
            assert_eq!((read, utf8.is_cut()), (bytes, limit < 1 << 20));
        }
    }

    #[test]
    fn a_piece_that_never_ends_is_an_error() {
        let long = vec![b'a'; MAX_PIECE_BYTES + 2 * CHUNK_BYTES];
        let mut line = Vec::new();
        let error = Utf8::new(&long, None, MAX_DOCUMENT_BYTES).read_until(b'\n', &mut line).expect_err("too long");
        assert!(error.to_string().contains("4 MiB") && line.len() <= MAX_PIECE_BYTES + 4 * CHUNK_BYTES, "{error}");
    }
}
