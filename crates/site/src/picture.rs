//! Small PNG pictures, drawn pixel by pixel: a sun over the sea in the colour of the shelf.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

const WIDTH: u32 = 320;
const HEIGHT: u32 = 200;
const HORIZON: u32 = 128;

/// A picture in `colour`; `seed` moves the sun and the waves, so that no two products look alike.
pub(super) fn png(colour: [u8; 3], seed: u32) -> Vec<u8> {
    let mut rows = Vec::with_capacity(((WIDTH * 3 + 1) * HEIGHT) as usize);
    let sun = (60 + seed * 53 % (WIDTH - 120), 50 + seed * 29 % 50);
    for y in 0..HEIGHT {
        rows.push(0); // filter type of the row: none
        for x in 0..WIDTH {
            rows.extend_from_slice(&pixel(colour, seed, sun, x, y));
        }
    }
    let mut header = Vec::with_capacity(13);
    header.extend_from_slice(&WIDTH.to_be_bytes());
    header.extend_from_slice(&HEIGHT.to_be_bytes());
    header.extend_from_slice(&[8, 2, 0, 0, 0]); // 8 bits a channel, RGB, deflate, standard filters, no interlace

    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut out, b"IHDR", &header);
    chunk(&mut out, b"IDAT", &compressed(&rows));
    chunk(&mut out, b"IEND", &[]);
    out
}

/// The colour at (x, y): the sun, else the sky above the horizon, else the waves below it.
fn pixel(colour: [u8; 3], seed: u32, sun: (u32, u32), x: u32, y: u32) -> [u8; 3] {
    let (dx, dy) = (x.abs_diff(sun.0), y.abs_diff(sun.1));
    if y >= HORIZON {
        let crest = (x + seed * 17 + y * 5) % 64;
        let depth = 70 - (y - HORIZON) / 2 + if crest.abs_diff(32) < (y - HORIZON) / 6 { 22 } else { 0 };
        colour.map(|c| mix(c, 24, depth))
    } else if dx * dx + dy * dy < 26 * 26 {
        [255, 246, 222]
    } else {
        colour.map(|c| mix(c, 250, 100 - y * 60 / HORIZON))
    }
}

/// `percent` of the way is `a`, the rest `b`; more than 100 is 100.
fn mix(a: u8, b: u8, percent: u32) -> u8 {
    let percent = percent.min(100);
    ((u32::from(a) * percent + u32::from(b) * (100 - percent)) / 100) as u8
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("writing to memory cannot fail")
}

/// Appends one PNG chunk: length, kind, data, and the checksum over kind and data.
fn chunk(out: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    let mut crc = Crc::new();
    crc.update(kind);
    crc.update(data);
    out.extend_from_slice(&(data.len() as u32).to_be_bytes());
    out.extend_from_slice(kind);
    out.extend_from_slice(data);
    out.extend_from_slice(&crc.sum().to_be_bytes());
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_picture_is_a_whole_png_of_the_size_it_says() {
        let png = png([58, 104, 150], 3);
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        let (mut at, mut kinds, mut pixels) = (8, Vec::new(), Vec::new());
        while at < png.len() {
            let length = u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes")) as usize;
            let (kind, data) = (&png[at + 4..at + 8], &png[at + 8..at + 8 + length]);
            let mut crc = Crc::new();
            crc.update(&png[at + 4..at + 8 + length]);
            assert_eq!(crc.sum().to_be_bytes(), png[at + 8 + length..at + 12 + length]);
            if kind == b"IDAT" {
                flate2::read::ZlibDecoder::new(data).read_to_end(&mut pixels).expect("a zlib stream");
            }
            kinds.push(kind);
            at += length + 12;
        }
        assert_eq!(kinds, [b"IHDR", b"IDAT", b"IEND"]);
        assert_eq!(pixels.len() as u32, HEIGHT * (WIDTH * 3 + 1));
    }
}
