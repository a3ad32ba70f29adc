//! The frame codec: `[head length: u32 LE][tail length: u32 LE][head][tail]`.
//!
//! The head is a message (postcard); the tail is bulk bytes that are never copied through a serialiser: a page's
//! compressed body. A peer is another process of ours, but it may be broken or taken over: lengths are checked
//! before memory is taken, and a head that does not decode is an error, not a panic.

use serde::{Deserialize, Serialize};

/// Bytes before the head.
pub const PREFIX_BYTES: usize = 8;

/// Largest head any message may have. Leases, imports and candidates are cut into batches far below it; a page's
/// fields are bounded by the extractor.
pub const MAX_HEAD_BYTES: usize = 64 * 1024 * 1024;

/// A buffer keeps at most this much room between frames; a larger one is given back after the frame that needed it.
const KEPT_BYTES: usize = 1024 * 1024;

/// Room offered to each read.
const READ_BYTES: usize = 64 * 1024;

/// What can be wrong with received bytes. After any of these the stream is useless and must be closed.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The announced length passes the channel's ceiling.
    #[error("frame of {announced} bytes announced; the ceiling is {ceiling}")]
    TooLong {
        /// Head and tail together.
        announced: u64,
        /// What this channel allows.
        ceiling: usize,
    },
    /// The head is not the expected message.
    #[error("frame does not decode")]
    Malformed(#[from] postcard::Error),
}

/// One received frame, borrowed from its buffer.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The encoded message.
    pub head: &'a [u8],
    /// Bulk bytes; empty for most messages.
    pub tail: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Decodes the head.
    ///
    /// # Errors
    /// [`FrameError::Malformed`] if it is not a `T`.
    pub fn message<T: Deserialize<'a>>(&self) -> Result<T, FrameError> {
        Ok(postcard::from_bytes(self.head)?)
    }
}

/// Prefix and head of `message` as bytes, ready to be followed by `tail_bytes` bytes of tail.
///
/// # Errors
/// [`FrameError::TooLong`] if the head passes [`MAX_HEAD_BYTES`] or the tail `u32`.
pub fn encode_head<T: Serialize>(message: &T, tail_bytes: usize) -> Result<Vec<u8>, FrameError> {
    let mut bytes = postcard::to_extend(message, vec![0; PREFIX_BYTES])?;
    let head = bytes.len() - PREFIX_BYTES;
    if head > MAX_HEAD_BYTES || u32::try_from(tail_bytes).is_err() {
        return Err(FrameError::TooLong { announced: (head + tail_bytes) as u64, ceiling: MAX_HEAD_BYTES });
    }
    bytes[..4].copy_from_slice(&(head as u32).to_le_bytes());
    bytes[4..8].copy_from_slice(&(tail_bytes as u32).to_le_bytes());
    Ok(bytes)
}

/// A whole frame without tail.
///
/// # Errors
/// As [`encode_head`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    encode_head(message, 0)
}

/// Received bytes, cut into frames.
#[derive(Debug)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
    /// Start of what has not been handed out yet.
    start: usize,
    /// End of what has been received.
    end: usize,
    ceiling: usize,
}

impl FrameBuffer {
    /// A buffer that refuses frames of more than `ceiling` bytes (head and tail together).
    pub fn new(ceiling: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, ceiling }
    }

    /// Room to read into; call [`Self::received`] with the number of bytes that arrived. Never empty.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
            if self.bytes.len() > KEPT_BYTES {
                self.bytes = Vec::new();
            }
        }
        let wanted = self.announced().map_or(READ_BYTES, |total| {
            // The length was checked when the prefix arrived: see `next`.
            let missing = total.min(self.ceiling + PREFIX_BYTES).saturating_sub(self.end - self.start);
            missing.max(READ_BYTES)
        });
        if self.bytes.len() - self.end < wanted {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            if self.bytes.len() < self.end + wanted {
                self.bytes.resize(self.end + wanted, 0);
            }
        }
        &mut self.bytes[self.end..]
    }

    /// `n` bytes were written to the front of [`Self::room`].
    pub fn received(&mut self, n: usize) {
        self.end += n;
        assert!(self.end <= self.bytes.len(), "received no more than there was room for");
    }

    /// The next whole frame, if it has arrived.
    ///
    /// # Errors
    /// [`FrameError::TooLong`] as soon as the prefix announces too much.
    #[allow(clippy::should_implement_trait, reason = "a lending iterator: the frame borrows the buffer")]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, FrameError> {
        let Some(total) = self.announced() else { return Ok(None) };
        if total - PREFIX_BYTES > self.ceiling {
            return Err(FrameError::TooLong { announced: (total - PREFIX_BYTES) as u64, ceiling: self.ceiling });
        }
        if self.end - self.start < total {
            return Ok(None);
        }
        let head_bytes = self.length_at(self.start);
        let frame = &self.bytes[self.start + PREFIX_BYTES..self.start + total];
        self.start += total;
        let (head, tail) = frame.split_at(head_bytes);
        Ok(Some(Frame { head, tail }))
    }

    /// Bytes of an unfinished frame: not zero at end of stream means the sender died in the middle of it.
    pub fn torn_bytes(&self) -> usize {
        self.end - self.start
    }

    /// Length of the frame at the front, prefix included, once its prefix has arrived.
    fn announced(&self) -> Option<usize> {
        (self.end - self.start >= PREFIX_BYTES)
            .then(|| PREFIX_BYTES + self.length_at(self.start) + self.length_at(self.start + 4))
    }

    fn length_at(&self, at: usize) -> usize {
        let mut four = [0; 4];
        four.copy_from_slice(&self.bytes[at..at + 4]);
        u32::from_le_bytes(four) as usize
    }
}

#[cfg(test)]
mod tests {
    use seine_testkit::Dice;

    use super::*;

    fn feed(buffer: &mut FrameBuffer, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = buffer.room();
            let n = room.len().min(bytes.len());
            room[..n].copy_from_slice(&bytes[..n]);
            buffer.received(n);
            bytes = &bytes[n..];
        }
    }

    fn stream() -> (Vec<u8>, Vec<(String, Vec<u8>)>) {
        let messages = vec![
            (String::new(), vec![]),
            ("a lease".to_owned(), vec![1, 2, 3]),
            ("x".repeat(300), vec![7; 5000]),
            ("last".to_owned(), vec![]),
        ];
        let mut bytes = Vec::new();
        for (head, tail) in &messages {
            bytes.extend(encode_head(head, tail.len()).unwrap());
            bytes.extend(tail);
        }
        (bytes, messages)
    }

    fn drain(buffer: &mut FrameBuffer, into: &mut Vec<(String, Vec<u8>)>) {
        while let Some(frame) = buffer.next().unwrap() {
            into.push((frame.message().unwrap(), frame.tail.to_vec()));
        }
    }

    #[test]
    fn frames_split_at_every_byte_arrive_whole() {
        let (bytes, messages) = stream();
        for cut in 0..=bytes.len() {
            let mut buffer = FrameBuffer::new(1 << 20);
            let mut got = Vec::new();
            feed(&mut buffer, &bytes[..cut]);
            drain(&mut buffer, &mut got);
            feed(&mut buffer, &bytes[cut..]);
            drain(&mut buffer, &mut got);
            assert_eq!(got, messages, "cut at {cut}");
            assert_eq!(buffer.torn_bytes(), 0);
        }
    }

    #[test]
    fn frames_fed_one_byte_at_a_time_arrive_whole() {
        let (bytes, messages) = stream();
        let mut buffer = FrameBuffer::new(1 << 20);
        let mut got = Vec::new();
        for byte in bytes {
            feed(&mut buffer, &[byte]);
            drain(&mut buffer, &mut got);
        }
        assert_eq!(got, messages);
    }

    #[test]
    fn a_frame_over_the_ceiling_is_refused_before_memory_is_taken() {
        let mut buffer = FrameBuffer::new(1000);
        feed(&mut buffer, &[0xff; PREFIX_BYTES]);
        assert!(matches!(buffer.next(), Err(FrameError::TooLong { ceiling: 1000, .. })));
        assert!(buffer.room().len() <= READ_BYTES + 1000 + PREFIX_BYTES);
    }

    #[test]
    fn a_torn_frame_is_seen() {
        let (bytes, _) = stream();
        let mut buffer = FrameBuffer::new(1 << 20);
        feed(&mut buffer, &bytes[..bytes.len() - 1]);
        while buffer.next().unwrap().is_some() {}
        assert!(buffer.torn_bytes() > 0);
    }

    #[test]
    fn a_large_buffer_is_given_back() {
        let mut buffer = FrameBuffer::new(16 << 20);
        feed(&mut buffer, &encode_head(&"big", 8 << 20).unwrap());
        feed(&mut buffer, &vec![0; 8 << 20]);
        assert_eq!(buffer.next().unwrap().unwrap().tail.len(), 8 << 20);
        assert!(buffer.room().len() <= KEPT_BYTES);
    }

    #[test]
    fn garbage_never_panics() {
        use crate::protocol::messages::{FromFetcher, FromWriter, PageHead, ToFetcher, ToWriter};
        let mut dice = Dice::of(0x5e1e);
        for round in 0..2000 {
            let mut buffer = FrameBuffer::new(4096);
            let mut bytes: Vec<u8> = dice.noise(300);
            if round % 2 == 0 {
                // A plausible prefix, so that the head decoders see garbage too.
                bytes[..8].copy_from_slice(&[100, 0, 0, 0, 20, 0, 0, 0]);
            }
            feed(&mut buffer, &bytes);
            while let Ok(Some(frame)) = buffer.next() {
                let _ = frame.message::<ToWriter>();
                let _ = frame.message::<FromWriter>();
                let _ = frame.message::<ToFetcher>();
                let _ = frame.message::<FromFetcher>();
                let _ = frame.message::<PageHead>();
            }
        }
    }
}
