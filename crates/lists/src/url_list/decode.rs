//! Bytes of a list with its compression undone, in steps of bounded size.
//!
//! gzip and zstd are recognised by their first bytes, not by the name, so standard input and
//! misnamed files work too. One step reads at most once and decodes into one buffer of fixed size:
//! a decompression bomb costs time, never memory. The first decoded bytes are judged: a file that is no
//! list ([`super::foreign`]) is a fault.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;
use zstd::stream::raw::{Decoder as ZstdDecoder, Operation};

use super::foreign::{Foreign, Verdict, is_binary, judge};
use super::input::Input;

/// Size of each of the two buffers (as read, as decoded).
const BUFFER_BYTES: usize = 64 * 1024;

/// The outcome of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// [`Decoded::chunk`] has bytes.
    Data,
    /// Progress, but no bytes yet: step again.
    Again,
    /// Nothing to read now.
    Pending,
    /// No byte will follow.
    End,
}

/// Why the bytes end early.
#[derive(Debug)]
pub(super) enum Fault {
    /// The read failed.
    Read(io::Error),
    /// The compressed data stop before their end.
    Truncated(&'static str),
    /// The compressed data are damaged.
    Corrupt(&'static str, io::Error),
    /// It is no list.
    Foreign(Foreign),
}

/// The decoded bytes of one [`Input`].
pub(super) struct Decoded {
    input: Input,
    /// The compression its name announces.
    announced: Option<&'static str>,
    /// Whether JSON objects are expected.
    json: bool,
    stage: Stage,
    /// Decoded bytes not yet consumed (compressed lists only).
    out: Window,
    /// The decoded bytes have passed for a list.
    is_judged: bool,
    line_end: u8,
}

enum Stage {
    /// The first bytes, until they tell what they are.
    Sniff(Window),
    Plain(Window),
    Gzip {
        decoder: Box<GzDecoder<Window>>,
        /// Between two members: padding with zeros is allowed here, and the end.
        is_between: bool,
    },
    Zstd {
        decoder: ZstdDecoder<'static>,
        raw: Window,
        /// Inside a frame: the end would be early here.
        is_inside: bool,
        /// The decoder may hold bytes that did not fit.
        has_more: bool,
    },
}

impl Decoded {
    /// The bytes of `input`; `json` says that JSON objects are expected.
    pub(super) fn new(input: Input, announced: Option<&'static str>, json: bool) -> Self {
        let (stage, out) = (Stage::Sniff(Window::default()), Window::default());
        Self { input, announced, json, stage, out, is_judged: false, line_end: b'\n' }
    }

    /// The byte that ends a line: `\r` where the first bytes have that and no `\n` (as old Macs wrote), else `\n`.
    pub(super) fn line_end(&self) -> u8 {
        self.line_end
    }

    pub(super) fn input(&self) -> &Input {
        &self.input
    }

    pub(super) fn into_input(self) -> Input {
        self.input
    }

    /// Bytes at hand.
    pub(super) fn chunk(&self) -> &[u8] {
        if self.is_judged { self.decoded() } else { &[] }
    }

    /// Bytes at hand, judged or not.
    fn decoded(&self) -> &[u8] {
        match &self.stage {
            Stage::Sniff(_) => &[],
            Stage::Plain(raw) => raw.unread(),
            Stage::Gzip { .. } | Stage::Zstd { .. } => self.out.unread(),
        }
    }

    /// Marks the first `n` bytes of the chunk as used.
    pub(super) fn consume(&mut self, n: usize) {
        match &mut self.stage {
            Stage::Sniff(_) => {}
            Stage::Plain(raw) => raw.consume(n),
            Stage::Gzip { .. } | Stage::Zstd { .. } => self.out.consume(n),
        }
    }

    /// One bounded step towards more bytes. Call it when the chunk is empty.
    pub(super) fn fill(&mut self) -> Result<Fill, Fault> {
        let fill = self.step()?;
        if self.is_judged {
            return Ok(fill);
        }
        let is_all = fill == Fill::End || self.out.is_full() || matches!(self.stage, Stage::Plain(_));
        let head = self.decoded();
        if head.is_empty() || !is_all && is_undecided(head, self.json) {
            // Decoded bytes are kept until they are enough: it must not depend on the pieces that a pipe gives.
            return Ok(if fill == Fill::Data { Fill::Again } else { fill });
        }
        if let Verdict::Foreign(foreign) = judge(head, true, self.json) {
            return Err(Fault::Foreign(foreign));
        }
        self.line_end = line_end(head);
        self.is_judged = true;
        Ok(Fill::Data)
    }

    fn step(&mut self) -> Result<Fill, Fault> {
        match &mut self.stage {
            Stage::Sniff(raw) => {
                let is_all = raw.is_last || raw.is_full();
                let kind = match sniff(raw.unread(), raw.is_last) {
                    None => return raw.fill(&mut self.input),
                    Some(Kind::Plain) if !is_all && is_undecided(raw.unread(), self.json) => {
                        return raw.fill(&mut self.input);
                    }
                    Some(kind) => kind,
                };
                let raw = std::mem::take(raw);
                self.stage = match (kind, self.announced) {
                    // Text under a name in .gz is fine (downloads get unpacked on the way), rubbish is not.
                    (Kind::Plain, Some(format)) if raw.unread().iter().any(|&byte| is_binary(byte)) => {
                        return Err(Fault::Corrupt(
                            format,
                            io::Error::other("the first bytes are not those of the format"),
                        ));
                    }
                    (Kind::Plain, _) => Stage::Plain(raw),
                    (Kind::Gzip, _) => Stage::Gzip { decoder: Box::new(GzDecoder::new(raw)), is_between: false },
                    (Kind::Zstd, _) => Stage::Zstd {
                        decoder: ZstdDecoder::new().map_err(Fault::Read)?,
                        raw,
                        is_inside: false,
                        has_more: false,
                    },
                };
                Ok(if self.decoded().is_empty() { Fill::Again } else { Fill::Data })
            }
            // The end is asked for once: a terminal would want a second Ctrl-D.
            Stage::Plain(raw) if raw.is_last => Ok(Fill::End),
            Stage::Plain(raw) => match raw.fill(&mut self.input)? {
                Fill::Again if raw.is_last => Ok(Fill::End),
                Fill::Again => Ok(Fill::Data),
                other => Ok(other),
            },
            Stage::Gzip { decoder, is_between } => {
                if *is_between {
                    let raw = decoder.get_mut();
                    raw.skip_zeros();
                    if raw.unread().is_empty() {
                        return if raw.is_last { Ok(Fill::End) } else { raw.fill(&mut self.input) };
                    }
                    if raw.unread()[0] != 0x1f {
                        return Err(Fault::Corrupt(
                            "gzip",
                            io::Error::other("something else follows the compressed data"),
                        ));
                    }
                    let raw = std::mem::take(raw);
                    decoder.reset(raw);
                    *is_between = false;
                }
                match decoder.read(self.out.room()) {
                    Ok(0) => {
                        *is_between = true;
                        Ok(Fill::Again)
                    }
                    Ok(n) => {
                        self.out.end += n;
                        Ok(Fill::Data)
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => decoder.get_mut().fill(&mut self.input),
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Fault::Truncated("gzip")),
                    Err(error) => Err(Fault::Corrupt("gzip", error)),
                }
            }
            Stage::Zstd { decoder, raw, is_inside, has_more } => {
                // The zstd library fails after a few calls without progress: call it only if it has something to do.
                if raw.unread().is_empty() && !*has_more {
                    return match (raw.is_last, *is_inside) {
                        (false, _) => raw.fill(&mut self.input),
                        (true, true) => Err(Fault::Truncated("zstd")),
                        (true, false) => Ok(Fill::End),
                    };
                }
                let out = self.out.room();
                let capacity = out.len();
                let status = decoder.run_on_buffers(raw.unread(), out).map_err(|e| Fault::Corrupt("zstd", e))?;
                raw.consume(status.bytes_read);
                self.out.end += status.bytes_written;
                *has_more = status.remaining != 0 && status.bytes_written == capacity;
                if status.bytes_read > 0 || status.bytes_written > 0 {
                    *is_inside = status.remaining != 0;
                }
                Ok(if status.bytes_written > 0 { Fill::Data } else { Fill::Again })
            }
        }
    }
}

/// A buffer and what of it is not used yet. As a reader it reports "would block" where more is to
/// come: that is what lets a decoder stop in the middle of anything.
#[derive(Default)]
struct Window {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// No byte will be added.
    is_last: bool,
}

impl Window {
    fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The room behind what is unread; all of the buffer if nothing is. Allocated on first use, so that waiting lists
    /// are small.
    fn room(&mut self) -> &mut [u8] {
        self.buffer.resize(BUFFER_BYTES, 0);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// Whether there is no room behind what is unread.
    fn is_full(&self) -> bool {
        self.end == BUFFER_BYTES
    }

    fn skip_zeros(&mut self) {
        self.start += self.unread().iter().take_while(|&&byte| byte == 0).count();
    }

    /// Reads once, behind what is still unread.
    fn fill(&mut self, input: &mut Input) -> Result<Fill, Fault> {
        match input.read(self.room()).map_err(Fault::Read)? {
            None => return Ok(Fill::Pending),
            Some(0) => self.is_last = true,
            Some(n) => self.end += n,
        }
        Ok(Fill::Again)
    }
}

impl Read for Window {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.fill_buf()?.read(buffer)?;
        self.consume(n);
        Ok(n)
    }
}

impl BufRead for Window {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end && !self.is_last {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(self.unread())
    }

    fn consume(&mut self, n: usize) {
        self.start = (self.start + n).min(self.end);
    }
}

/// How a list is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Gzip,
    Zstd,
}

/// First bytes of compressed data. None of them can begin a list in text.
const MAGIC: [(&[u8], Kind); 2] = [(b"\x1f\x8b", Kind::Gzip), (b"\x28\xb5\x2f\xfd", Kind::Zstd)];

/// Whether more bytes are needed to say what `head` is and how its lines end.
fn is_undecided(head: &[u8], json: bool) -> bool {
    memchr::memchr(b'\n', head).is_none() || judge(head, false, json) == Verdict::Undecided
}

fn line_end(head: &[u8]) -> u8 {
    let has_inner = |byte| memchr::memchr(byte, head).is_some_and(|at| at + 1 < head.len());
    if has_inner(b'\r') && memchr::memchr(b'\n', head).is_none() { b'\r' } else { b'\n' }
}

/// The compression of a list that begins with `head`; `None` if it takes more bytes to tell and there are more.
fn sniff(head: &[u8], is_whole: bool) -> Option<Kind> {
    // zstd's skippable frames (0x184D2A50 to 5F) may come first: pzstd writes them.
    if let [0x50..=0x5f, b'*', b'M', 0x18, ..] = head {
        return Some(Kind::Zstd);
    }
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(*kind);
    }
    let is_skippable_so_far = matches!(head, [0x50..=0x5f] | [0x50..=0x5f, b'*'] | [0x50..=0x5f, b'*', b'M']);
    let is_undecided = is_skippable_so_far || MAGIC.iter().any(|(magic, _)| magic.starts_with(head));
    // A list that breaks off inside a gzip or zstd magic number is a truncated list, not text.
    match head {
        _ if is_undecided && !is_whole => None,
        [0x1f] => Some(Kind::Gzip),
        [0x28, 0xb5, ..] if is_undecided => Some(Kind::Zstd),
        _ => Some(Kind::Plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_is_named_as_soon_as_the_bytes_allow_and_not_before() {
        assert_eq!(sniff(b"h", false), Some(Kind::Plain));
        assert_eq!(sniff(b"\x1f", false), None);
        assert_eq!(sniff(b"\x1f\x8b", false), Some(Kind::Gzip));
        assert_eq!(sniff(b"P*M", false), None);
        assert_eq!(sniff(b"P*M\x18", false), Some(Kind::Zstd));
        assert_eq!(sniff(b"Pa", false), Some(Kind::Plain));
        assert_eq!(sniff(b"", true), Some(Kind::Plain));
        assert_eq!(sniff(b"P", true), Some(Kind::Plain));
        assert_eq!(sniff(b"PK", false), Some(Kind::Plain));
        assert_eq!(sniff(b"\x28\xb5\x2f", true), Some(Kind::Zstd));
    }
}
