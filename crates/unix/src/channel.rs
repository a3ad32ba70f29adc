//! One end of a control channel: messages in and out of a nonblocking stream socket, with descriptors beside them.
//!
//! Sending never waits: what does not fit stays in the outbox until [`Channel::flush`]. The outbox is bounded by what
//! its user has a window for.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::pair::{recv_with_fds, send_with_fd};
use super::poll::{Interest, PollSet};
use seine_core::protocol::frame::encode_head;
use seine_core::protocol::{FrameBuffer, FrameError, encode};

/// Received in one turn at most, so that the owner's loop sees its other descriptors too.
const TURN_BYTES: usize = 4 << 20;
/// The supervisor always reads: one that does not for this long is as good as dead.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a channel cannot be used any longer.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The socket failed; a peer that is gone shows as a broken pipe or as the end.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The peer sent what is no message.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// See the module.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
    inbox: FrameBuffer,
    passed: VecDeque<OwnedFd>,
    outbox: VecDeque<(Vec<u8>, Option<OwnedFd>)>,
    /// Bytes of the first outbox entry that are sent.
    sent: usize,
    ended: bool,
}

impl Channel {
    /// A channel over a nonblocking `socket`; frames over `ceiling` bytes are refused.
    pub fn new(socket: OwnedFd, ceiling: usize) -> Self {
        Self {
            socket,
            inbox: FrameBuffer::new(ceiling),
            passed: VecDeque::new(),
            outbox: VecDeque::new(),
            sent: 0,
            ended: false,
        }
    }

    /// For polling.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// What to poll for now.
    pub fn interest(&self) -> Interest {
        Interest::read_and(!self.outbox.is_empty())
    }

    /// Bytes in the outbox.
    pub fn backlog(&self) -> usize {
        self.outbox.iter().map(|(bytes, _)| bytes.len()).sum::<usize>() - self.sent
    }

    /// Whether the peer has closed its end and all it sent has been received.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Puts `message` into the outbox, and a descriptor to travel with it.
    ///
    /// # Errors
    /// [`ChannelError::Frame`] if it cannot be encoded.
    pub fn send<T: Serialize>(&mut self, message: &T, fd: Option<OwnedFd>) -> Result<(), ChannelError> {
        self.send_frame(encode(message)?, fd);
        Ok(())
    }

    /// Puts `message` into the outbox, and bulk bytes behind it.
    ///
    /// # Errors
    /// [`ChannelError::Frame`] if it cannot be encoded.
    pub fn send_with_tail<T: Serialize>(&mut self, message: &T, tail: &[u8]) -> Result<(), ChannelError> {
        let mut frame = encode_head(message, tail.len())?;
        frame.extend_from_slice(tail);
        self.send_frame(frame, None);
        Ok(())
    }

    /// Puts an encoded frame into the outbox.
    pub fn send_frame(&mut self, frame: Vec<u8>, fd: Option<OwnedFd>) {
        self.outbox.push_back((frame, fd));
    }

    /// Sends what fits; `true` if the outbox is empty now.
    ///
    /// # Errors
    /// [`ChannelError::Io`], a broken pipe if the peer is gone.
    pub fn flush(&mut self) -> Result<bool, ChannelError> {
        while let Some((bytes, fd)) = self.outbox.front_mut() {
            match send_with_fd(self.socket.as_fd(), &bytes[self.sent..], fd.as_ref().map(AsFd::as_fd)) {
                Ok(n) => {
                    *fd = None;
                    self.sent += n;
                    if self.sent == bytes.len() {
                        self.sent = 0;
                        self.outbox.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    /// A child's word to the supervisor: sends `message` and all that was to be sent before it, waiting for room.
    ///
    /// # Errors
    /// [`ChannelError::Frame`] if it cannot be encoded; [`ChannelError::Io`], timed out if the supervisor does not read.
    pub fn say<T: Serialize>(&mut self, message: &T) -> Result<(), ChannelError> {
        self.send(message, None)?;
        let deadline = Instant::now() + PATIENCE;
        while !self.flush()? {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            let mut set = PollSet::new();
            set.add(self.fd(), Interest::Write);
            set.wait(Some(left))?;
        }
        Ok(())
    }

    /// Receives what has arrived; `true` if that was all of it, `false` if there may be more.
    ///
    /// # Errors
    /// [`ChannelError::Io`]
    pub fn receive(&mut self) -> Result<bool, ChannelError> {
        loop {
            match recv_with_fds(self.socket.as_fd(), self.inbox.room()) {
                Ok((0, _)) => {
                    self.ended = true;
                    return Ok(true);
                }
                Ok((n, fd)) => {
                    self.inbox.received(n);
                    self.passed.extend(fd);
                    if self.inbox.torn_bytes() > TURN_BYTES {
                        return Ok(false);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    self.ended = true;
                    return Ok(true);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The next message that has arrived whole.
    ///
    /// # Errors
    /// [`ChannelError::Frame`]
    #[allow(clippy::should_implement_trait, reason = "what comes next depends on the type that is asked for")]
    pub fn next<T: for<'de> Deserialize<'de>>(&mut self) -> Result<Option<T>, ChannelError> {
        Ok(match self.inbox.next()? {
            Some(frame) => Some(frame.message()?),
            None => None,
        })
    }

    /// The same with the bulk bytes behind it.
    ///
    /// # Errors
    /// [`ChannelError::Frame`]
    pub fn next_with_tail<T: for<'de> Deserialize<'de>>(&mut self) -> Result<Option<(T, Vec<u8>)>, ChannelError> {
        Ok(match self.inbox.next()? {
            Some(frame) => Some((frame.message()?, frame.tail.to_vec())),
            None => None,
        })
    }

    /// The descriptor that came with the earliest message whose descriptor was not taken yet.
    pub fn take_fd(&mut self) -> Option<OwnedFd> {
        self.passed.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::{Mode, stream_pair};
    use super::*;

    fn channels() -> (Channel, Channel) {
        let (a, b) = stream_pair(Mode::Nonblocking, Mode::Nonblocking).expect("a socket pair");
        (Channel::new(a, 1 << 20), Channel::new(b, 1 << 20))
    }

    #[test]
    fn messages_and_descriptors_arrive_in_order() {
        let (mut a, mut b) = channels();
        let (file, _other) = stream_pair(Mode::Blocking, Mode::Blocking).expect("a socket pair");
        a.send(&1_u32, None).unwrap();
        a.send(&2_u32, Some(file)).unwrap();
        a.send(&3_u32, None).unwrap();
        assert!(a.flush().unwrap());
        b.receive().unwrap();
        b.receive().unwrap();
        let got: Vec<u32> = std::iter::from_fn(|| b.next().unwrap()).collect();
        assert_eq!(got, [1, 2, 3]);
        assert!(b.take_fd().is_some() && b.take_fd().is_none());
    }

    #[test]
    fn bulk_bytes_travel_behind_their_message() {
        let (mut a, mut b) = channels();
        a.send_with_tail(&"page", &[7; 5000]).unwrap();
        a.send_with_tail(&"empty", &[]).unwrap();
        a.flush().unwrap();
        b.receive().unwrap();
        assert_eq!(b.next_with_tail::<String>().unwrap(), Some(("page".to_owned(), vec![7; 5000])));
        assert_eq!(b.next_with_tail::<String>().unwrap(), Some(("empty".to_owned(), Vec::new())));
        assert_eq!(b.next_with_tail::<String>().unwrap(), None);
    }

    #[test]
    fn a_full_socket_never_blocks_and_loses_nothing() {
        let (mut a, mut b) = channels();
        let text = "x".repeat(100_000);
        for _ in 0..50 {
            a.send(&text, None).unwrap();
        }
        let mut got = 0;
        while got < 50 {
            let _ = a.flush().unwrap();
            b.receive().unwrap();
            while let Some(received) = b.next::<String>().unwrap() {
                assert_eq!(received, text);
                got += 1;
            }
        }
        drop(a);
        b.receive().unwrap();
        assert!(b.has_ended());
    }
}
