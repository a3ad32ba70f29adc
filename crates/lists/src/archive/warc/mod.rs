//! Records of a WARC file: [`Scan`] goes from one to the next, [`read`] takes one at its place.
//!
//! The file is plain, or each of its records is a gzip member or a zstd frame of its own, so that every record has a
//! byte at which it can be read alone (WARC 1.1 annex D, WARC zstd). A file compressed as one piece has no such places
//! and is refused.
//!
//! A record's length is believed if two line ends come behind the block and then the next head, or the end: a page may
//! look like a whole archive, and be one. Otherwise it is looked at more closely (see `doubt`), and what is damaged is a
//! [`Loss`], behind which the next record is looked for.

mod doubt;
mod loss;

pub use loss::{Loss, Losses};

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
/// Bytes behind a block that are looked at: two line ends, what some add, and the beginning of the next head.
const LOOKED_AT: usize = 64;
/// Largest zstd window, as a power of two.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Beginnings of records in a row that are none, after which no further one is tried.
const MOST_LOST: u32 = 1000;

const HEAD_MAGIC: &[u8] = b"WARC/";
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
    /// What comes behind so many bytes is no end of a record.
    #[error("the record does not end where its length of {0} bytes says")]
    Length(u64),
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

    /// What a record begins with.
    fn magic(self) -> &'static [u8] {
        match self {
            Self::Plain => HEAD_MAGIC,
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
            head if head.starts_with(HEAD_MAGIC) || head.is_empty() => (Packing::Plain, false),
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
    let Begun { head, ends, ahead, .. } = match head(&mut unpacked, at) {
        Ok(begun) if begun.head.block_bytes > most => return Err(Damage::TooLarge(begun.head.block_bytes)),
        Ok(begun) => begun,
        Err(Unreadable::Head(problem)) => return Err(Damage::Head(problem)),
        Err(Unreadable::Io(error)) => return Err(format.damage(error)),
    };
    let is_plain = format.packing == Packing::Plain;
    let mut unpacked = io::Cursor::new(ahead).chain(unpacked);
    let mut block = Vec::new();
    unpacked.by_ref().take(head.block_bytes).read_to_end(&mut block).map_err(|error| format.damage(error))?;
    if (block.len() as u64) < head.block_bytes {
        return Err(if is_plain { Damage::Short } else { Damage::Length(head.block_bytes) });
    }
    let mut behind = Behind::new(ends);
    let mut buffer = [0; LOOKED_AT];
    // To the checksum, if there is one.
    let mut left = if is_plain { ends.len() as u64 } else { u64::MAX };
    while left > 0 {
        match unpacked.by_ref().take(left).read(&mut buffer).map_err(|error| format.damage(error))? {
            0 => break,
            n => {
                behind.add(&buffer[..n]);
                left -= n as u64;
            }
        }
    }
    if is_plain { behind.in_file() } else { behind.in_member(format.packing) }
        .map_or(Ok((head.clone(), block)), |damage| Err(damage(head.block_bytes)))
}

/// Makes a [`Damage`] of a record's length.
type OfLength = fn(u64) -> Damage;

/// What comes behind a block.
struct Behind {
    /// The line ends that have to.
    ends: &'static [u8],
    first: Vec<u8>,
    bytes: u64,
}

impl Behind {
    fn new(ends: &'static [u8]) -> Self {
        Self { ends, first: Vec::new(), bytes: 0 }
    }

    fn add(&mut self, bytes: &[u8]) {
        let room = LOOKED_AT - self.first.len();
        self.first.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.bytes += bytes.len() as u64;
    }

    /// What is wrong if this is all that its member has behind the block.
    fn in_member(&self, packing: Packing) -> Option<OfLength> {
        match self.first.strip_prefix(self.ends) {
            Some(rest) if is_head(past_padding(rest)) => Some(match packing {
                Packing::Gzip => |_| Damage::Together("gzip"),
                Packing::Zstd => |_| Damage::Together("zstd"),
                Packing::Plain => Damage::Length,
            }),
            Some(rest) if past_padding(rest).is_empty() && self.bytes <= LOOKED_AT as u64 => None,
            _ => Some(Damage::Length),
        }
    }

    /// What is wrong if these are the bytes behind the block in a file, as many as there have to be.
    fn in_file(&self) -> Option<OfLength> {
        match self.ends.strip_prefix(&self.first[..]) {
            Some([]) => None,
            // With half of its end a record may as well be one whose length has led here.
            Some(_) => Some(|_| Damage::Short),
            None => Some(Damage::Length),
        }
    }
}

/// `bytes` without the padding at their beginning.
fn past_padding(bytes: &[u8]) -> &[u8] {
    let padding = bytes.iter().take_while(|byte| matches!(byte, 0 | b'\r' | b'\n')).count();
    &bytes[padding..]
}

/// Whether `bytes` begin like a head.
fn is_head(bytes: &[u8]) -> bool {
    bytes.starts_with(HEAD_MAGIC)
}

/// Whether what begins like a head can be one: pages tell of archives too.
fn is_versioned(bytes: &[u8]) -> bool {
    bytes.get(HEAD_MAGIC.len()).is_none_or(u8::is_ascii_digit)
}

/// Why there is no head.
enum Unreadable {
    Head(&'static str),
    Io(io::Error),
}

/// The beginning of a record.
struct Begun {
    head: Head,
    /// Bytes of the head.
    bytes: u64,
    /// Its last two line ends: the record has the same.
    ends: &'static [u8],
    /// What was read beyond the head.
    ahead: Vec<u8>,
}

impl Begun {
    /// Where its block ends, if it has the length that it says.
    fn end(&self) -> u64 {
        self.head.at.saturating_add(self.bytes).saturating_add(self.head.block_bytes)
    }
}

/// The record that `unpacked` begins with.
fn head(unpacked: &mut impl Read, at: u64) -> Result<Begun, Unreadable> {
    let mut ahead = Vec::new();
    let mut chunk = [0; 4096];
    let (end, ends) = loop {
        if let Some(end) = end_of_head(&ahead) {
            break end;
        }
        if ahead.len() >= HEAD_MAGIC.len() && !is_head(&ahead) {
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
    Ok(Begun { head, bytes: end as u64, ends, ahead })
}

/// Where the empty line after a head ends, and the line ends that it consists of.
fn end_of_head(bytes: &[u8]) -> Option<(usize, &'static [u8])> {
    let of = |ends: &'static [u8]| memchr::memmem::find(bytes, ends).map(|at| (at + ends.len(), ends));
    of(b"\r\n\r\n").into_iter().chain(of(b"\n\n")).min()
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
    /// Members whose beginning could be read.
    members: u64,
    losses: Losses,
    /// Beginnings since the last readable record that were none.
    lost_in_a_row: u32,
}

enum State {
    /// Before a record, or at the end.
    Before(BufReader<File>),
    /// In a record of a compressed archive.
    Within(Box<Member>),
    /// Behind a record of a plain archive whose length is not believed.
    Doubt(Box<doubt::Doubt>),
    /// Behind damage: the next record is looked for.
    Lost(BufReader<File>),
    Ended,
}

/// A record of a compressed archive, at whose end it is known whether its length is right.
struct Member {
    unpacked: Unpacked,
    head: Head,
    /// Bytes of its block that are to come.
    left: u64,
    behind: Behind,
}

impl Scan {
    /// The records of `file`, from its beginning.
    ///
    /// # Errors
    /// [`Damage`] if it is no archive.
    pub fn new(file: File) -> Result<Self, Damage> {
        let mut file = BufReader::with_capacity(BUFFER_BYTES, file);
        let format = Format::of(&mut file)?;
        let state = State::Before(file);
        Ok(Self { format, state, at: 0, members: 0, losses: Losses::default(), lost_in_a_row: 0 })
    }

    /// What could not be read so far.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// The head of the next record. Takes a bounded time. A record that is damaged and whose head is readable is handed
    /// out too, if [`read`] finds the damage; others are passed over. After very many beginnings in a row that were none
    /// the archive has ended.
    #[allow(clippy::should_implement_trait, reason = "a step is no item: it may say that there is none yet")]
    pub fn next(&mut self) -> Found {
        match self.step() {
            Ok(found) => found,
            Err(damage) => {
                self.state = State::Ended;
                self.losses.add(self.at, None, damage);
                Found::End
            }
        }
    }

    fn step(&mut self) -> Result<Found, Damage> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Before(file) => self.begin(file),
            State::Within(member) => self.pass(member),
            State::Doubt(doubt) => self.doubt(doubt),
            State::Lost(file) => self.look(file),
            State::Ended => Ok(Found::End),
        }
    }

    fn begin(&mut self, mut file: BufReader<File>) -> Result<Found, Damage> {
        // Padding, and the empty lines after a plain record.
        loop {
            let ahead = file.fill_buf().map_err(Damage::Io)?;
            if ahead.is_empty() {
                self.losses.until(file.stream_position().map_err(Damage::Io)?);
                return Ok(Found::End);
            }
            let skipped = ahead.len() - past_padding(ahead).len();
            let is_done = skipped < ahead.len();
            file.consume(skipped);
            if is_done {
                break;
            }
        }
        self.at = file.stream_position().map_err(Damage::Io)?;
        let mut unpacked = self.format.unpack(file)?;
        match head(&mut unpacked, self.at) {
            Ok(begun) => {
                self.lost_in_a_row = 0;
                self.losses.until(self.at);
                if self.format.packing == Packing::Plain {
                    self.weigh(begun, unpacked.into_file())
                } else {
                    self.enter(begun, unpacked)
                }
            }
            Err(unreadable) => {
                let damage = match unreadable {
                    Unreadable::Head(problem) => Damage::Head(problem),
                    Unreadable::Io(error) => self.format.damage(error),
                };
                if !self.losses.is_open() {
                    self.losses.add(self.at, None, damage);
                }
                self.lost_in_a_row += 1;
                if self.lost_in_a_row == MOST_LOST {
                    return Ok(Found::End);
                }
                self.lose(unpacked.into_file(), self.at + 1)
            }
        }
    }

    /// Hands out the record of a member, in which more has to be looked at.
    fn enter(&mut self, begun: Begun, unpacked: Unpacked) -> Result<Found, Damage> {
        let Begun { head, ends, ahead, .. } = begun;
        self.members += 1;
        let mut member = Member { unpacked, left: head.block_bytes, head: head.clone(), behind: Behind::new(ends) };
        member.take(&ahead);
        if self.members == 1
            && let Some(damage) = member.behind.in_member(self.format.packing)
            && let together @ Damage::Together(_) = damage(0)
        {
            // All of it is made so, and none of its records can be read alone.
            return Err(together);
        }
        self.state = State::Within(Box::new(member));
        Ok(Found::Record(head))
    }

    /// Goes on to the end of the record's member.
    fn pass(&mut self, mut member: Box<Member>) -> Result<Found, Damage> {
        let mut buffer = [0; 16 * 1024];
        let mut passed = 0;
        while passed < TURN_BYTES {
            match member.unpacked.read(&mut buffer) {
                Ok(0) => {
                    let Member { unpacked, head, left, behind } = *member;
                    let wrong =
                        if left > 0 { Some(Damage::Length as OfLength) } else { behind.in_member(self.format.packing) };
                    if let Some(damage) = wrong {
                        let damage = damage(head.block_bytes);
                        self.losses.add(self.at, head.target, damage);
                    }
                    self.state = State::Before(unpacked.into_file());
                    return Ok(Found::Passing);
                }
                Ok(n) => {
                    passed += n as u64;
                    member.take(&buffer[..n]);
                }
                Err(error) => {
                    self.losses.add(self.at, member.head.target, self.format.damage(error));
                    return self.lose(member.unpacked.into_file(), self.at + 1);
                }
            }
        }
        self.state = State::Within(member);
        Ok(Found::Passing)
    }

    /// Looks for a record from byte `from` on.
    fn lose(&mut self, mut file: BufReader<File>, from: u64) -> Result<Found, Damage> {
        seek(&mut file, from)?;
        self.state = State::Lost(file);
        Ok(Found::Passing)
    }

    /// Looks for the next record for one turn.
    fn look(&mut self, mut file: BufReader<File>) -> Result<Found, Damage> {
        let magic = self.format.packing.magic();
        let from = file.stream_position().map_err(Damage::Io)?;
        let mut bytes = Vec::new();
        file.by_ref().take(TURN_BYTES).read_to_end(&mut bytes).map_err(Damage::Io)?;
        let found = memchr::memmem::find_iter(&bytes, magic)
            .find(|&at| self.format.packing != Packing::Plain || is_versioned(&bytes[at..]));
        if found.is_none() && (bytes.len() as u64) < TURN_BYTES {
            self.losses.until(from + bytes.len() as u64);
            return Ok(Found::End);
        }
        // One that only begins here is found next time.
        let next = found.unwrap_or(bytes.len() - (magic.len() - 1));
        seek(&mut file, from + next as u64)?;
        self.state = if found.is_some() { State::Before(file) } else { State::Lost(file) };
        Ok(Found::Passing)
    }
}

impl Member {
    fn take(&mut self, bytes: &[u8]) {
        let of_block = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
        self.left -= of_block as u64;
        self.behind.add(&bytes[of_block..]);
    }
}

#[cfg(test)]
mod tests;
