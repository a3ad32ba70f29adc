//! One fetcher's page queue, as the writer reads it.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use super::batch::{Batch, Item};
use seine_core::protocol::{FrameBuffer, Generation, Hello, PROTOCOL_VERSION, RecordHead, Slot};

/// How far a queue has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueState {
    /// The fetcher has not introduced itself yet.
    Expected,
    /// Records may come.
    Open,
    /// Read to its end; what was torn off in the middle of a frame is dropped.
    Ended,
    /// It carried what is no record; nothing more is read from it.
    Broken(String),
}

/// See the module.
#[derive(Debug)]
pub struct Queue {
    socket: UnixStream,
    slot: Slot,
    generation: Generation,
    buffer: FrameBuffer,
    state: QueueState,
}

impl Queue {
    /// The queue of this fetcher, frames up to `ceiling` bytes.
    pub fn new(socket: OwnedFd, slot: Slot, generation: Generation, ceiling: usize) -> Self {
        Self {
            socket: UnixStream::from(socket),
            slot,
            generation,
            buffer: FrameBuffer::new(ceiling),
            state: QueueState::Expected,
        }
    }

    /// For polling.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whose queue it is.
    pub fn fetcher(&self) -> (Slot, Generation) {
        (self.slot, self.generation)
    }

    /// How far it has been read.
    pub fn state(&self) -> &QueueState {
        &self.state
    }

    /// Whether nothing more will come from it.
    pub fn has_ended(&self) -> bool {
        matches!(self.state, QueueState::Ended | QueueState::Broken(_))
    }

    /// Reads once what has arrived and moves whole records into `batch`.
    pub fn read(&mut self, batch: &mut Batch) {
        if self.has_ended() {
            return;
        }
        match self.socket.read(self.buffer.room()) {
            Ok(0) => {
                let torn = self.buffer.torn_bytes();
                if torn > 0 {
                    tracing::warn!(slot = self.slot, torn, "dropped the torn last frame of a dead fetcher");
                }
                self.state = QueueState::Ended;
            }
            Ok(n) => {
                self.buffer.received(n);
                if let Err(message) = self.take_frames(batch) {
                    self.state = QueueState::Broken(message);
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => {
                tracing::warn!(slot = self.slot, %error, "page queue failed");
                self.state = QueueState::Ended;
            }
        }
    }

    fn take_frames(&mut self, batch: &mut Batch) -> Result<(), String> {
        while let Some(frame) = self.buffer.next().map_err(|error| error.to_string())? {
            if self.state == QueueState::Expected {
                let hello: Hello = frame.message().map_err(|error| error.to_string())?;
                if hello != (Hello { version: PROTOCOL_VERSION, generation: self.generation }) {
                    return Err(format!("hello of generation {} for {}", hello.generation, self.generation));
                }
                self.state = QueueState::Open;
                continue;
            }
            let head: RecordHead = frame.message().map_err(|error| error.to_string())?;
            let generation = match &head {
                RecordHead::Page(head) => head.generation,
                RecordHead::Robots(head) => head.generation,
                RecordHead::Processed(_) => self.generation,
            };
            if generation != self.generation {
                return Err(format!("record of generation {generation} for {}", self.generation));
            }
            let frame_bytes = frame.head.len() + frame.tail.len();
            let zstd = frame.tail.to_vec();
            batch.push(match head {
                RecordHead::Processed(processed) => Item::Processed { processed: Box::new(processed), frame_bytes },
                RecordHead::Page(head) => Item::Page { head: Box::new(head), zstd, frame_bytes },
                RecordHead::Robots(head) => Item::Robots { head: Box::new(head), zstd, frame_bytes },
            });
        }
        Ok(())
    }
}
