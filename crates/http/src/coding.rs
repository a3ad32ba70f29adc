//! Content codings undone: gzip, deflate, br and zstd as a push decoder with a ceiling on its output.
//!
//! Done here and not by the client, because here a decoder can be stopped at the ceiling, its windows
//! are bounded, and data that ends early is told apart from data that is damaged.

use std::fmt;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use zstd::stream::raw::{DParameter, InBuffer, Operation, OutBuffer};

/// The value of the `Accept-Encoding` header.
pub const ACCEPTED: &str = "gzip, deflate, br, zstd";

/// Codings one answer may stack; more is an attack, not a web server.
const MAX_STACKED: usize = 4;

/// Output of one decoder step.
const STEP_BYTES: usize = 16 * 1024;

/// Largest zstd window accepted, as a power of two: 8 MiB, the ceiling of RFC 9659.
const ZSTD_WINDOW_LOG: u32 = 23;

/// One content coding that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// Why decoding stopped before its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The output would pass the ceiling.
    Full,
    /// The data ended before the coding's own end.
    Short(Coding),
    /// The data is not of this coding.
    Corrupt(Coding, String),
}

/// A `Content-Encoding` that cannot be decoded here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// A registered coding without a decoder.
    Coding(String),
    /// More than [`MAX_STACKED`] codings.
    TooMany(usize),
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        })
    }
}

/// The codings of an answer, in the order in which its sender applied them.
///
/// Words that name no coding at all (`utf-8`, `none`) are met on real sites beside plain bodies; like
/// browsers, this takes them for no coding.
pub(super) fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, Unknown> {
    let mut found = Vec::new();
    for value in headers.get_all(CONTENT_ENCODING) {
        for word in value.as_bytes().split(|&byte| byte == b',') {
            let word = word.trim_ascii().to_ascii_lowercase();
            found.push(match &word[..] {
                b"gzip" | b"x-gzip" => Coding::Gzip,
                b"deflate" => Coding::Deflate,
                b"br" => Coding::Brotli,
                b"zstd" => Coding::Zstd,
                b"compress" | b"x-compress" | b"exi" | b"pack200-gzip" | b"aes128gcm" | b"dcb" | b"dcz" => {
                    return Err(Unknown::Coding(String::from_utf8_lossy(&word).into_owned()));
                }
                _ => continue,
            });
        }
    }
    if found.len() > MAX_STACKED { Err(Unknown::TooMany(found.len())) } else { Ok(found) }
}

/// Undoes a stack of codings: push the bytes as they come, then [`Decoder::finish`].
pub(super) struct Decoder {
    /// The coding applied last comes first.
    stages: Vec<Stage>,
}

impl Decoder {
    /// A decoder for `codings` in the order in which they were applied.
    pub(super) fn new(codings: &[Coding]) -> Self {
        Self { stages: codings.iter().rev().map(|&coding| Stage::new(coding)).collect() }
    }

    /// Decodes `input` onto the end of `out`, which never grows past `ceiling` bytes but is filled up to there.
    pub(super) fn push(&mut self, input: &[u8], out: &mut Vec<u8>, ceiling: usize) -> Result<(), Stop> {
        push(&mut self.stages, input, out, ceiling)
    }

    /// Checks that every coding reached its own end. No data at all is a whole, empty body.
    pub(super) fn finish(self) -> Result<(), Stop> {
        match self.stages.iter().find(|stage| matches!(stage.state, State::Inside)) {
            Some(stage) => Err(Stop::Short(stage.coding)),
            None => Ok(()),
        }
    }
}

/// Makes room for `extra` more bytes: doubling, but never past `ceiling`, so that a body near its limit
/// does not reserve twice of it.
pub(super) fn grow(out: &mut Vec<u8>, extra: usize, ceiling: usize) {
    let needed = out.len() + extra;
    if needed > out.capacity() {
        out.reserve_exact((out.capacity() * 2).min(ceiling).max(needed) - out.len());
    }
}

fn push(stages: &mut [Stage], mut input: &[u8], out: &mut Vec<u8>, ceiling: usize) -> Result<(), Stop> {
    let Some((stage, rest)) = stages.split_first_mut() else {
        let fits = &input[..input.len().min(ceiling.saturating_sub(out.len()))];
        grow(out, fits.len(), ceiling);
        out.extend_from_slice(fits);
        return if fits.len() < input.len() { Err(Stop::Full) } else { Ok(()) };
    };
    while stage.wants(input) {
        let (consumed, produced) = stage.step(input)?;
        input = &input[consumed..];
        push(rest, &stage.output[..produced], out, ceiling)?;
        // A step that left room in its output has nothing more to give until it gets more input.
        if consumed == 0 && produced == 0 || input.is_empty() && produced < stage.output.len() {
            break;
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum State {
    /// No byte seen.
    Fresh,
    /// In the middle of a stream.
    Inside,
    /// At the end of a stream; another may follow.
    Ended,
}

/// One coding being undone.
struct Stage {
    coding: Coding,
    state: State,
    /// Made at the first byte: an answer without a body costs no window, and deflate needs a look at it.
    engine: Option<Engine>,
    output: Box<[u8]>,
}

enum Engine {
    Inflate(Decompress),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Zstd(zstd::stream::raw::Decoder<'static>),
}

impl Stage {
    fn new(coding: Coding) -> Self {
        Self { coding, state: State::Fresh, engine: None, output: vec![0; STEP_BYTES].into() }
    }

    /// Whether a step with `input` can do anything. Bytes behind the end of a stream are another stream
    /// where the format allows a series (gzip members, zstd frames), else padding to skip, as browsers do.
    fn wants(&self, input: &[u8]) -> bool {
        match (self.state, self.coding) {
            (State::Fresh, _) => !input.is_empty(),
            (State::Inside, _) => true,
            (State::Ended, Coding::Gzip) => input.first() == Some(&0x1f),
            (State::Ended, Coding::Zstd) => !input.is_empty(),
            (State::Ended, Coding::Deflate | Coding::Brotli) => false,
        }
    }

    /// Decodes some of `input` into `self.output`: (bytes consumed, bytes produced).
    fn step(&mut self, input: &[u8]) -> Result<(usize, usize), Stop> {
        let corrupt = |cause: String| Stop::Corrupt(self.coding, cause);
        if matches!((self.state, self.coding), (State::Ended, Coding::Gzip)) {
            self.engine = None;
        }
        let engine = match &mut self.engine {
            Some(engine) => engine,
            none => none.insert(Engine::new(self.coding, input).map_err(corrupt)?),
        };
        let (consumed, produced, ended) = engine.step(input, &mut self.output).map_err(corrupt)?;
        self.state = if ended { State::Ended } else { State::Inside };
        Ok((consumed, produced))
    }
}

impl Engine {
    fn new(coding: Coding, input: &[u8]) -> Result<Self, String> {
        Ok(match coding {
            Coding::Gzip => Self::Inflate(Decompress::new_gzip(15)),
            // "deflate" means zlib (RFC 9110 §8.4.1.2), but some servers send the bare stream. The first
            // byte decides: a zlib header has the method 8 there and a window of at most 2^15, which
            // no sane bare stream starts with.
            Coding::Deflate => {
                let first = input.first().copied().unwrap_or_default();
                Self::Inflate(Decompress::new(first & 0x0f == 8 && first >> 4 <= 7))
            }
            // Strict: without the "large window" extension, whose windows reach 1 GiB.
            Coding::Brotli => Self::Brotli(Box::new(BrotliState::new_strict(
                StandardAlloc::default(),
                StandardAlloc::default(),
                StandardAlloc::default(),
            ))),
            Coding::Zstd => {
                let mut decoder = zstd::stream::raw::Decoder::new().map_err(|error| error.to_string())?;
                let window = DParameter::WindowLogMax(ZSTD_WINDOW_LOG);
                decoder.set_parameter(window).map_err(|error| error.to_string())?;
                Self::Zstd(decoder)
            }
        })
    }

    /// Decodes some of `input` into `output`: (bytes consumed, bytes produced, end of the stream).
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<(usize, usize, bool), String> {
        match self {
            Self::Inflate(inflate) => {
                let (read, written) = (inflate.total_in(), inflate.total_out());
                let status = inflate.decompress(input, output, FlushDecompress::None).map_err(|e| e.to_string())?;
                // Differences of one call: no larger than the slices.
                let (read, written) = (inflate.total_in() - read, inflate.total_out() - written);
                Ok((read as usize, written as usize, status == Status::StreamEnd))
            }
            Self::Brotli(state) => {
                let (mut input_left, mut read) = (input.len(), 0);
                let (mut output_left, mut written, mut total) = (output.len(), 0, 0);
                match BrotliDecompressStream(
                    &mut input_left,
                    &mut read,
                    input,
                    &mut output_left,
                    &mut written,
                    output,
                    &mut total,
                    state,
                ) {
                    BrotliResult::ResultFailure => Err("invalid brotli stream".to_owned()),
                    result => Ok((read, written, matches!(result, BrotliResult::ResultSuccess))),
                }
            }
            Self::Zstd(decoder) => {
                let mut from = InBuffer::around(input);
                let mut to = OutBuffer::around(output);
                let expected = decoder.run(&mut from, &mut to).map_err(|error| error.to_string())?;
                Ok((from.pos(), to.pos(), expected == 0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const CEILING: usize = 1 << 20;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 3).unwrap()
    }

    /// A brotli stream of stored blocks: what an encoder at its laziest would write.
    fn brotli(bytes: &[u8]) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.put(0, 1); // a window of 2^16
        for block in bytes.chunks(1 << 16) {
            bits.put(0, 1); // not the last
            bits.put(0, 2); // four nibbles of length
            bits.put(block.len() as u32 - 1, 16);
            bits.put(1, 1); // stored
            bits.align();
            bits.bytes.extend_from_slice(block);
        }
        bits.put(0b11, 2); // last and empty
        bits.align();
        bits.bytes
    }

    #[derive(Default)]
    struct Bits {
        bytes: Vec<u8>,
        pending: u32,
        count: u32,
    }

    impl Bits {
        fn put(&mut self, value: u32, width: u32) {
            for bit in 0..width {
                self.pending |= (value >> bit & 1) << self.count;
                self.count += 1;
                if self.count == 8 {
                    self.align();
                }
            }
        }

        fn align(&mut self) {
            if self.count > 0 {
                self.bytes.push(self.pending as u8);
                (self.pending, self.count) = (0, 0);
            }
        }
    }

    fn text() -> Vec<u8> {
        (0..6_000u32).flat_map(|n| format!("{} ", n.wrapping_mul(2_654_435_761)).into_bytes()).collect()
    }

    fn decode(codings: &[Coding], input: &[u8], step: usize, ceiling: usize) -> Result<Vec<u8>, Stop> {
        let mut decoder = Decoder::new(codings);
        let mut out = Vec::new();
        for piece in input.chunks(step) {
            decoder.push(piece, &mut out, ceiling)?;
        }
        decoder.finish()?;
        Ok(out)
    }

    type Encode = fn(&[u8]) -> Vec<u8>;

    const ALL: [(Coding, Encode); 5] = [
        (Coding::Gzip, gzip),
        (Coding::Deflate, zlib),
        (Coding::Deflate, bare),
        (Coding::Brotli, brotli),
        (Coding::Zstd, zstd),
    ];

    #[test]
    fn every_coding_is_undone_whole_and_byte_by_byte() {
        let text = text();
        for (coding, encode) in ALL {
            for (input, step) in [(&text[..], usize::MAX), (&text[..], 4096), (&text[..2000], 1), (&[], 1)] {
                assert_eq!(decode(&[coding], &encode(input), step, CEILING).as_deref(), Ok(input), "{coding} {step}");
            }
        }
    }

    #[test]
    fn output_of_exactly_the_ceiling_passes_and_one_byte_more_does_not() {
        let text = text();
        for (coding, encode) in ALL {
            let wire = encode(&text);
            assert!(decode(&[coding], &wire, 1000, text.len()).is_ok(), "{coding}");
            assert_eq!(decode(&[coding], &wire, 1000, text.len() - 1), Err(Stop::Full), "{coding}");
        }
    }

    #[test]
    fn data_cut_anywhere_is_short_and_never_whole() {
        for (coding, encode) in ALL {
            let wire = encode(&text()[..400]);
            for end in 1..wire.len() {
                assert_eq!(decode(&[coding], &wire[..end], 700, CEILING), Err(Stop::Short(coding)), "{coding} {end}");
            }
        }
    }

    #[test]
    fn no_bytes_at_all_are_an_empty_body() {
        for (coding, _) in ALL {
            assert_eq!(decode(&[coding], b"", 1, CEILING), Ok(Vec::new()));
        }
    }

    #[test]
    fn a_page_that_is_not_encoded_is_corrupt() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            let answer = decode(&[coding], b"<!doctype html><title>plain</title>", 100, CEILING);
            assert!(matches!(answer, Err(Stop::Corrupt(c, _)) if c == coding), "{answer:?}");
        }
        for coding in [Coding::Brotli, Coding::Deflate] {
            let answer = decode(&[coding], &[0xff; 500], 100, CEILING);
            assert!(matches!(answer, Err(Stop::Corrupt(c, _)) if c == coding), "{answer:?}");
        }
    }

    #[test]
    fn a_wrong_checksum_is_corrupt() {
        for (coding, encode) in [(Coding::Gzip, gzip as Encode), (Coding::Deflate, zlib)] {
            let mut wire = encode(b"checked");
            // The last byte of zlib's checksum; gzip's stands before four bytes of length.
            let at = wire.len() - if coding == Coding::Gzip { 5 } else { 1 };
            wire[at] ^= 0x40;
            assert!(matches!(decode(&[coding], &wire, 100, CEILING), Err(Stop::Corrupt(..))), "{coding}");
        }
    }

    #[test]
    fn gzip_members_and_zstd_frames_follow_one_another() {
        for (coding, encode) in [(Coding::Gzip, gzip as Encode), (Coding::Zstd, zstd)] {
            let wire = [encode(b"one "), encode(b"two "), encode(b"three")].concat();
            for step in [1, 7, usize::MAX] {
                assert_eq!(decode(&[coding], &wire, step, CEILING).as_deref(), Ok(&b"one two three"[..]), "{coding}");
            }
        }
    }

    #[test]
    fn padding_behind_the_end_is_skipped() {
        for (coding, encode) in &ALL[..4] {
            let wire = [encode(b"page"), vec![0; 100]].concat();
            assert_eq!(decode(&[*coding], &wire, 50, CEILING).as_deref(), Ok(&b"page"[..]), "{coding}");
        }
    }

    #[test]
    fn stacked_codings_are_undone_in_reverse() {
        let wire = zstd(&gzip(&zlib(b"three deep")));
        let stack = [Coding::Deflate, Coding::Gzip, Coding::Zstd];
        assert_eq!(decode(&stack, &wire, 3, CEILING).as_deref(), Ok(&b"three deep"[..]));
        assert_eq!(decode(&stack, &wire[..wire.len() - 1], 3, CEILING), Err(Stop::Short(Coding::Zstd)));
    }

    #[test]
    fn windows_beyond_the_standards_are_refused() {
        // A zstd frame that declares a window of 2^27, and a brotli stream with the large-window mark.
        let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 17 << 3, 0x01, 0x00, 0x00];
        assert!(matches!(decode(&[Coding::Zstd], &zstd, 100, CEILING), Err(Stop::Corrupt(..))));
        assert!(matches!(decode(&[Coding::Brotli], &[0x11, 0x1e, 0, 0], 100, CEILING), Err(Stop::Corrupt(..))));
    }

    fn header(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn header_values_are_read_as_browsers_read_them() {
        assert_eq!(codings(&header(&[])), Ok(vec![]));
        assert_eq!(codings(&header(&["GZIP"])), Ok(vec![Coding::Gzip]));
        assert_eq!(
            codings(&header(&["deflate, x-gzip", "br"])),
            Ok(vec![Coding::Deflate, Coding::Gzip, Coding::Brotli])
        );
        assert_eq!(codings(&header(&["identity", "", "utf-8,none"])), Ok(vec![]));
        assert_eq!(codings(&header(&["compress"])), Err(Unknown::Coding("compress".into())));
        assert_eq!(codings(&header(&["gzip,gzip,gzip,gzip,gzip"])), Err(Unknown::TooMany(5)));
    }

    #[test]
    fn room_doubles_but_stays_below_the_ceiling() {
        let mut out = vec![0; 600];
        grow(&mut out, 100, 1000);
        assert_eq!(out.capacity(), 1000);
        grow(&mut out, 400, 1000);
        assert_eq!(out.capacity(), 1000);
    }
}
