//! Frames from another process, which may have been taken over: nothing they say makes the reader panic, hold more than
//! the ceiling, or see other frames because the bytes came in other pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seine_core::protocol::FrameBuffer;
use seine_core::protocol::messages::{FromFetcher, FromWriter, RecordHead, ToFetcher, ToWriter};
use seine_core::protocol::processing::{FromHost, Processed};
use seine_fuzz::choice;

const CEILING: usize = 64 * 1024;

fuzz_target!(|data: &[u8]| {
    let (size, bytes) = choice(data);
    let whole = frames(bytes, bytes.len().max(1));
    let pieces = frames(bytes, 1 + size);
    assert_eq!(pieces, whole, "in pieces of {}", 1 + size);
    for (head, tail) in whole.0 {
        assert!(head.len() + tail.len() <= CEILING);
    }
});

/// Heads and tails of all frames, and whether the reader gave up.
fn frames(bytes: &[u8], size: usize) -> (Vec<(Vec<u8>, Vec<u8>)>, bool) {
    let mut buffer = FrameBuffer::new(CEILING);
    let mut frames = Vec::new();
    for piece in bytes.chunks(size) {
        let mut piece = piece;
        while !piece.is_empty() {
            let room = buffer.room();
            let taken = room.len().min(piece.len());
            room[..taken].copy_from_slice(&piece[..taken]);
            buffer.received(taken);
            piece = &piece[taken..];
            loop {
                match buffer.next() {
                    Ok(Some(frame)) => {
                        let _ = frame.message::<ToWriter>();
                        let _ = frame.message::<FromWriter>();
                        let _ = frame.message::<ToFetcher>();
                        let _ = frame.message::<FromFetcher>();
                        let _ = frame.message::<RecordHead>();
                        let _ = frame.message::<FromHost>();
                        let _ = frame.message::<Processed>();
                        frames.push((frame.head.to_vec(), frame.tail.to_vec()));
                    }
                    Ok(None) => break,
                    Err(_) => return (frames, true),
                }
            }
        }
    }
    (frames, false)
}
