//! Records of a WARC file: [`Scan`] goes from one to the next, [`read`] takes one at its place.
//!
//! The file is plain, or each of its records is a gzip member or a zstd frame of its own, so that every record has a
//! byte at which it can be read alone (WARC 1.1 annex D, WARC zstd). A file compressed as one piece has no such places
//! and is refused. Where a record is damaged the next one is looked for.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use flate2::bufread::GzDecoder;

/// Longest head of a record.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Bytes of records passed over in one call of [`Scan::next`]: a few milliseconds.
const TURN_BYTES: u64 = 256 * 1024;
/// Read at once from the file.
const BUFFER_BYTES: usize = 64 * 1024;
/// Largest zstd dictionary.
const MAX_DICTIONARY_BYTES: u64 = 16 << 20;
/// Bytes behind a block in its member: two line ends, and what some add.
const MOST_BEHIND: u64 = 16;
/// Largest zstd window, as a power of two.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Beginnings of records in a row that are none, after which no further one is tried.
const MOST_LOST: u32 = 1000;

const GZIP_MAGIC: &[u8] = b"\x1f\x8b\x08";
const ZSTD_MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";
/// The skippable frame that holds a dictionary for all others (WARC zstd).
const ZSTD_DICTIONARY: &[u8] = b"\x5d\x2a\x4d\x18";

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An answer.
    Response,
    /// A payload without an answer around it.
    Resource,
    /// An answer whose payload was recorded earlier.
    Revisit,
    /// Anything else.
    Other,
}

/// The head of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Where it begins, in bytes of the file.
    pub at: u64,
    /// What it is.
    pub kind: Kind,
    /// `WARC-Target-URI`.
    pub target: Option<String>,
    /// `WARC-Date`, milliseconds of the Unix epoch.
    pub date_at: Option<u64>,
    /// `WARC-Payload-Digest`, as written.
    pub payload_digest: Option<String>,
    /// `Content-Type` of the block.
    pub content_type: Option<String>,
    /// `WARC-Truncated`: why the block is not all there was.
    pub truncated: Option<String>,
    /// `Content-Length`: bytes of the block.
    pub block_bytes: u64,
}

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The file cannot be read.
    #[error("cannot read the archive")]
    Io(#[source] io::Error),
    /// The file ends within it.
    #[error("the archive ends within the record")]
    Short,
    /// Its compressed data are damaged.
    #[error("the {0} data of the record are damaged")]
    Packing(&'static str, #[source] io::Error),
    /// What is there is no record.
    #[error("no WARC record: {0}")]
    Head(&'static str),
    /// It has no place of its own.
    #[error("several records in one {0} member; compress each record on its own, for example with `warcio recompress`")]
    Together(&'static str),
    /// Its block is larger than the caller wants.
    #[error("a block of {0} bytes")]
    TooLarge(u64),
}

/// How the records of a file are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "WARC",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What a record that follows another begins with. A line of a page may look like the beginning of a plain one.
    fn magic(self) -> &'static [u8] {
        match self {
            Self::Plain => b"\nWARC/1.",
            Self::Gzip => GZIP_MAGIC,
            Self::Zstd => ZSTD_MAGIC,
        }
    }
}

/// How the records of one file are unpacked.
struct Format {
    packing: Packing,
    dictionary: Vec<u8>,
}

impl Format {
    /// That of `file`, which is left at its first record.
    fn of(file: &mut BufReader<File>) -> Result<Self, Damage> {
        file.rewind().map_err(Damage::Io)?;
        let (packing, has_dictionary) = match file.fill_buf().map_err(Damage::Io)? {
            head if head.starts_with(&GZIP_MAGIC[..2]) => (Packing::Gzip, false),
            head if head.starts_with(ZSTD_MAGIC) => (Packing::Zstd, false),
            head if head.starts_with(ZSTD_DICTIONARY) => (Packing::Zstd, true),
            head if head.starts_with(b"WARC/") || head.is_empty() => (Packing::Plain, false),
            _ => return Err(Damage::Head("the file begins with something else")),
        };
        let dictionary = if has_dictionary { dictionary(file)? } else { Vec::new() };
        Ok(Self { packing, dictionary })
    }

    /// The bytes of the record at which `file` is.
    fn unpack(&self, file: BufReader<File>) -> Result<Unpacked, Damage> {
        Ok(match self.packing {
            Packing::Plain => Unpacked::Plain(file),
            Packing::Gzip => Unpacked::Gzip(Box::new(GzDecoder::new(file))),
            Packing::Zstd => Unpacked::Zstd(zstd_frame(file, &self.dictionary)?),
        })
    }

    /// What an error of reading what is [`Unpacked`] means.
    fn damage(&self, error: io::Error) -> Damage {
        match (error.kind(), self.packing) {
            (io::ErrorKind::UnexpectedEof, _) => Damage::Short,
            (_, Packing::Plain) => Damage::Io(error),
            (_, packing) => Damage::Packing(packing.name(), error),
        }
    }
}

/// One record, or what follows the first of a plain file, unpacked.
enum Unpacked {
    Plain(BufReader<File>),
    Gzip(Box<GzDecoder<BufReader<File>>>),
    Zstd(zstd::Decoder<'static, BufReader<File>>),
}

impl Unpacked {
    fn into_file(self) -> BufReader<File> {
        match self {
            Self::Plain(file) => file,
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
        }
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

fn zstd_frame<R: BufRead>(file: R, dictionary: &[u8]) -> Result<zstd::Decoder<'static, R>, Damage> {
    let mut decoder = zstd::Decoder::with_dictionary(file, dictionary).map_err(Damage::Io)?.single_frame();
    decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(Damage::Io)?;
    Ok(decoder)
}

/// The dictionary in the skippable frame at which `file` is; it may be compressed itself.
fn dictionary(file: &mut BufReader<File>) -> Result<Vec<u8>, Damage> {
    let mut head = [0; 8];
    file.read_exact(&mut head).map_err(|_| Damage::Short)?;
    let bytes = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
    let mut frame = Vec::new();
    file.take(bytes.min(MAX_DICTIONARY_BYTES)).read_to_end(&mut frame).map_err(Damage::Io)?;
    if (frame.len() as u64) < bytes {
        return Err(Damage::Head("a zstd dictionary that is too large or cut"));
    }
    if !frame.starts_with(ZSTD_MAGIC) {
        return Ok(frame);
    }
    let mut dictionary = Vec::new();
    let unpacked = zstd_frame(&frame[..], &[])?.take(MAX_DICTIONARY_BYTES).read_to_end(&mut dictionary);
    unpacked.map_err(|error| Damage::Packing("zstd", error))?;
    Ok(dictionary)
}

/// Goes to byte `at`, or to the end if that comes first.
fn seek(file: &mut BufReader<File>, at: u64) -> Result<(), Damage> {
    let at = at.min(file.get_ref().metadata().map_err(Damage::Io)?.len());
    let here = file.stream_position().map_err(Damage::Io)?;
    // Within the buffer this reads nothing.
    file.seek_relative(at.wrapping_sub(here) as i64).map_err(Damage::Io)
}

/// Reads the record at byte `at` of the archive at `path`: head and block.
///
/// # Errors
/// [`Damage`]; [`Damage::TooLarge`] if the block has more than `most` bytes, which are not read then.
pub fn read(path: &Path, at: u64, most: u64) -> Result<(Head, Vec<u8>), Damage> {
    let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path).map_err(Damage::Io)?);
    let format = Format::of(&mut file)?;
    seek(&mut file, at)?;
    let mut unpacked = format.unpack(file)?;
    let (head, mut block) = match head(&mut unpacked, at) {
        Ok((head, ..)) if head.block_bytes > most => return Err(Damage::TooLarge(head.block_bytes)),
        Ok((head, _, ahead)) => (head, ahead),
        Err(Unreadable::Head(problem)) => return Err(Damage::Head(problem)),
        Err(Unreadable::Io(error)) => return Err(format.damage(error)),
    };
    // What was read beyond the head belongs to the block.
    block.truncate(usize::try_from(head.block_bytes).unwrap_or(usize::MAX));
    let rest = head.block_bytes - block.len() as u64;
    unpacked.by_ref().take(rest).read_to_end(&mut block).map_err(|error| format.damage(error))?;
    if (block.len() as u64) < head.block_bytes {
        return Err(Damage::Short);
    }
    if format.packing != Packing::Plain {
        // To the checksum.
        let mut end = [0; 64];
        while unpacked.read(&mut end).map_err(|error| format.damage(error))? > 0 {}
    }
    Ok((head, block))
}

/// Why there is no head.
enum Unreadable {
    Head(&'static str),
    Io(io::Error),
}

/// The head that `unpacked` begins with, how long it is, and what was read beyond it.
fn head(unpacked: &mut impl Read, at: u64) -> Result<(Head, u64, Vec<u8>), Unreadable> {
    let mut ahead = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        if let Some(end) = end_of_head(&ahead) {
            break end;
        }
        if ahead.len() >= 5 && !ahead.starts_with(b"WARC/") {
            return Err(Unreadable::Head("it does not begin with WARC/"));
        }
        if ahead.len() > MAX_HEAD_BYTES {
            return Err(Unreadable::Head("its head has no end"));
        }
        match unpacked.read(&mut chunk).map_err(Unreadable::Io)? {
            0 => return Err(Unreadable::Io(io::ErrorKind::UnexpectedEof.into())),
            n => ahead.extend_from_slice(&chunk[..n]),
        }
    };
    let head = parse(&ahead[..end], at).map_err(Unreadable::Head)?;
    ahead.drain(..end);
    Ok((head, end as u64, ahead))
}

/// Where the empty line after a head ends.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let crlf = memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4);
    let lf = memchr::memmem::find(bytes, b"\n\n").map(|at| at + 2);
    crlf.into_iter().chain(lf).min()
}

fn parse(bytes: &[u8], at: u64) -> Result<Head, &'static str> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    if !lines.next().is_some_and(|line| line.starts_with("WARC/")) {
        return Err("it does not begin with WARC/");
    }
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in lines {
        match (line.starts_with([' ', '\t']), line.split_once(':')) {
            (true, _) => {
                if let Some((_, value)) = fields.last_mut() {
                    value.push_str(line.trim());
                }
            }
            (false, Some((name, value))) => fields.push((name.trim(), value.trim().to_owned())),
            (false, None) => {}
        }
    }
    let value = |name: &str| fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let kind = match value("WARC-Type").map(|kind| kind.to_ascii_lowercase()).as_deref() {
        Some("response") => Kind::Response,
        Some("resource") => Kind::Resource,
        Some("revisit") => Kind::Revisit,
        Some(_) => Kind::Other,
        None => return Err("it has no WARC-Type"),
    };
    let block_bytes = value("Content-Length").and_then(|bytes| bytes.parse().ok()).ok_or("it has no Content-Length")?;
    let date = value("WARC-Date").and_then(|date| date.parse::<jiff::Timestamp>().ok());
    Ok(Head {
        at,
        kind,
        // WARC 1.0 as some read it has URIs in angle brackets.
        target: value("WARC-Target-URI").map(|uri| uri.trim_start_matches('<').trim_end_matches('>').to_owned()),
        date_at: date.and_then(|date| u64::try_from(date.as_millisecond()).ok()),
        payload_digest: value("WARC-Payload-Digest").cloned(),
        content_type: value("Content-Type").cloned(),
        truncated: value("WARC-Truncated").cloned(),
        block_bytes,
    })
}

/// What [`Scan::next`] came to.
#[derive(Debug)]
pub enum Found {
    /// The head of the next record.
    Record(Head),
    /// Much was passed over; more is at hand.
    Passing,
    /// No record is left.
    End,
}

/// The records of an archive, one after the other.
pub struct Scan {
    format: Format,
    state: State,
    /// Where the record at hand begins.
    at: u64,
    /// What made a record unreadable that nobody has heard of, and where; the first one.
    lost: Option<(u64, Damage)>,
    /// Such records since the last readable one.
    lost_in_a_row: u32,
}

enum State {
    /// Before a record, or at the end.
    Before(BufReader<File>),
    /// In a record of a compressed archive: so many bytes of its block are to come.
    Within(Unpacked, u64),
    /// Behind damage: the next record is looked for.
    Lost(BufReader<File>),
    Ended,
}

impl Scan {
    /// The records of `file`, from its beginning.
    ///
    /// # Errors
    /// [`Damage`] if it is no archive.
    pub fn new(file: File) -> Result<Self, Damage> {
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        let format = Format::of(&mut file)?;
        Ok(Self { format, state: State::Before(file), at: 0, lost: None, lost_in_a_row: 0 })
    }

    /// The head of the next record. Takes a bounded time. A record whose head is readable is handed out, whatever the
    /// rest of it is like; others are passed over until the end.
    ///
    /// # Errors
    /// [`Damage`] and the byte where it is, if the archive cannot be read on; at the end, if records were passed over
    /// because of it. Then it has ended; so it has after very many beginnings in a row that were none.
    #[allow(clippy::should_implement_trait, reason = "a step is no item: it may say that there is none yet")]
    pub fn next(&mut self) -> Result<Found, (u64, Damage)> {
        match self.step() {
            Ok(found) => Ok(found),
            Err(damage) => {
                self.state = State::Ended;
                Err((self.at, damage))
            }
        }
        .and_then(|found| match (found, self.lost.take()) {
            (Found::End, Some(lost)) => Err(lost),
            (found, lost) => {
                self.lost = lost;
                Ok(found)
            }
        })
    }

    fn step(&mut self) -> Result<Found, Damage> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Before(file) => self.begin(file),
            State::Within(unpacked, left) => self.pass(unpacked, left),
            State::Lost(file) => self.look(file),
            State::Ended => Ok(Found::End),
        }
    }

    fn begin(&mut self, mut file: BufReader<File>) -> Result<Found, Damage> {
        // Padding, and the empty lines after a plain record.
        loop {
            let ahead = file.fill_buf().map_err(Damage::Io)?;
            if ahead.is_empty() {
                return Ok(Found::End);
            }
            let skipped = ahead.iter().take_while(|byte| matches!(byte, 0 | b'\r' | b'\n')).count();
            let is_done = skipped < ahead.len();
            file.consume(skipped);
            if is_done {
                break;
            }
        }
        self.at = file.stream_position().map_err(Damage::Io)?;
        let mut unpacked = self.format.unpack(file)?;
        match head(&mut unpacked, self.at) {
            Ok((head, head_bytes, ahead)) => {
                self.lost_in_a_row = 0;
                self.state = if self.format.packing == Packing::Plain {
                    let mut file = unpacked.into_file();
                    seek(&mut file, self.at.saturating_add(head_bytes).saturating_add(head.block_bytes))?;
                    State::Before(file)
                } else {
                    let behind = (ahead.len() as u64).saturating_sub(head.block_bytes);
                    self.together(behind)?;
                    State::Within(unpacked, head.block_bytes.saturating_sub(ahead.len() as u64))
                };
                Ok(Found::Record(head))
            }
            Err(unreadable) => {
                let damage = match unreadable {
                    Unreadable::Head(problem) => Damage::Head(problem),
                    Unreadable::Io(error) => self.format.damage(error),
                };
                self.lost.get_or_insert((self.at, damage));
                self.lost_in_a_row += 1;
                if self.lost_in_a_row == MOST_LOST {
                    return Ok(Found::End);
                }
                self.lose(unpacked.into_file())
            }
        }
    }

    /// Goes on to the end of the record's member.
    fn pass(&mut self, mut unpacked: Unpacked, mut left: u64) -> Result<Found, Damage> {
        let mut buffer = [0; 16 * 1024];
        let (mut passed, mut behind) = (0, 0);
        while passed < TURN_BYTES {
            match unpacked.read(&mut buffer) {
                Ok(0) => {
                    self.state = State::Before(unpacked.into_file());
                    return Ok(Found::Passing);
                }
                Ok(n) => {
                    passed += n as u64;
                    behind += (n as u64).saturating_sub(left);
                    left = left.saturating_sub(n as u64);
                    self.together(behind)?;
                }
                // Whoever reads the record will say so.
                Err(_) => return self.lose(unpacked.into_file()),
            }
        }
        self.state = State::Within(unpacked, left);
        Ok(Found::Passing)
    }

    /// Refuses a member in which so many bytes follow the block of its record.
    fn together(&self, behind: u64) -> Result<(), Damage> {
        if behind > MOST_BEHIND { Err(Damage::Together(self.format.packing.name())) } else { Ok(()) }
    }

    /// Gives the record at hand up.
    fn lose(&mut self, mut file: BufReader<File>) -> Result<Found, Damage> {
        seek(&mut file, self.at + 1)?;
        self.state = State::Lost(file);
        Ok(Found::Passing)
    }

    /// Looks for the next record for one turn.
    fn look(&mut self, mut file: BufReader<File>) -> Result<Found, Damage> {
        let magic = self.format.packing.magic();
        let from = file.stream_position().map_err(Damage::Io)?;
        let mut bytes = Vec::new();
        file.by_ref().take(TURN_BYTES).read_to_end(&mut bytes).map_err(Damage::Io)?;
        let found = memchr::memmem::find(&bytes, magic);
        if found.is_none() && (bytes.len() as u64) < TURN_BYTES {
            return Ok(Found::End);
        }
        // One that only begins here is found next time.
        let next = found.unwrap_or(bytes.len() - (magic.len() - 1));
        seek(&mut file, from + next as u64)?;
        self.state = if found.is_some() { State::Before(file) } else { State::Lost(file) };
        Ok(Found::Passing)
    }
}

#[cfg(test)]
mod tests;
