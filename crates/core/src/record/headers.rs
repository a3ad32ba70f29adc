//! Header lines of answers, small: compressed with a dictionary of what most of them say.

use std::io;

use zstd::bulk::{Compressor, Decompressor};

/// Longest header lines kept of one answer, in bytes; longer ones are not kept at all.
pub const MAX_BYTES: usize = 64 * 1024;

/// Never edited: headers in stores can be read with it only. A better one would be a second one, told by its magic.
const DICTIONARY: &[u8] = include_bytes!("headers.dict");

const LEVEL: i32 = 1;

/// Packs header lines.
pub struct Packer(Compressor<'static>);

impl Packer {
    /// A packer with its dictionary loaded.
    ///
    /// # Panics
    /// Never: level and dictionary are fixed and valid.
    pub fn new() -> Self {
        let mut compressor = Compressor::with_dictionary(LEVEL, DICTIONARY).expect("a fixed, valid dictionary");
        // Who reads knows the most it can be.
        let _ = compressor.include_contentsize(false);
        let _ = compressor.include_dictid(false);
        Self(compressor)
    }

    /// `lines` packed; `None` if they are more than [`MAX_BYTES`].
    pub fn pack(&mut self, lines: &[u8]) -> Option<Vec<u8>> {
        if lines.len() > MAX_BYTES {
            return None;
        }
        self.0.compress(lines).ok()
    }
}

impl Default for Packer {
    fn default() -> Self {
        Self::new()
    }
}

/// The header lines of the column `headers` of the table `request`.
///
/// # Errors
/// It is damaged.
pub fn unpack(packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut decompressor = Decompressor::with_dictionary(DICTIONARY)?;
    let mut lines = decompressor.decompress(packed, MAX_BYTES)?;
    // Made for the longest there may be, and many are kept at a time.
    lines.shrink_to_fit();
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were_and_are_small() {
        let lines = b"server: nginx/1.22.1\r\ndate: Sat, 21 Nov 2026 10:11:12 GMT\r\ncontent-type: text/html\r\n\
            content-length: 20412\r\nlast-modified: Tue, 03 Mar 2026 09:00:01 GMT\r\nconnection: keep-alive\r\n\
            etag: \"67c56e01-4fbc\"\r\naccept-ranges: bytes\r\nx-odd: \xff\xfe\r\n";
        let packed = Packer::new().pack(lines).expect("short enough");
        let unpacked = unpack(&packed).expect("not damaged");
        assert_eq!(unpacked, lines);
        assert!(unpacked.capacity() < 2 * lines.len(), "{} bytes for {}", unpacked.capacity(), lines.len());
        assert!(packed.len() < lines.len() / 2, "{} of {} bytes", packed.len(), lines.len());
    }

    #[test]
    fn too_long_headers_are_not_kept_and_damage_is_an_error() {
        assert_eq!(Packer::new().pack(&vec![b'a'; MAX_BYTES + 1]), None);
        assert!(unpack(b"no such thing").is_err());
    }
}
