//! Finished records on their way to the writer.
//!
//! Bounded in bytes: a page waits for room before it is made into a record, and since its request keeps its place until
//! then, a slow writer slows the requests down. When the writer dies, records that were not sent whole stay here for the
//! queue to its successor.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::Notify;

use seine_core::protocol::frame::encode_head;
use seine_core::protocol::{FrameError, Generation, Hello, PROTOCOL_VERSION, RecordHead, encode};
use seine_core::record::UrlId;
use seine_unix::pair::send_vectored;
use seine_unix::status::Row;

/// See the module. Clones are the same outbox.
#[derive(Clone, Debug)]
pub struct Outbox(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    generation: Generation,
    row: &'static Row,
    /// No record is made while this much waits.
    room_bytes: usize,
    state: RefCell<State>,
    /// A record was added, a queue connected, or the end declared.
    news: Notify,
    /// There is room, or more than before.
    room: Notify,
}

#[derive(Debug, Default)]
struct State {
    records: VecDeque<Record>,
    bytes: usize,
    /// Bytes of the first record that are sent.
    sent: usize,
    queue: Option<Rc<UnixStream>>,
    /// Raised with every new queue.
    epoch: u64,
    hello: Option<Vec<u8>>,
    closing: bool,
}

#[derive(Debug)]
struct Record {
    ends: Option<UrlId>,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Outbox {
    /// An empty outbox without a queue; no record is made while `room_bytes` wait in it.
    pub fn new(generation: Generation, row: &'static Row, room_bytes: usize) -> Self {
        let (news, room) = (Notify::new(), Notify::new());
        Self(Rc::new(Inner { generation, row, room_bytes, state: RefCell::default(), news, room }))
    }

    /// Waits until a record may be put. What is put at once, without another wait in between, is the only record beyond
    /// the bytes there are room for.
    pub async fn room(&self) {
        loop {
            let room = self.0.room.notified();
            if self.0.state.borrow().bytes < self.0.room_bytes {
                return;
            }
            room.await;
        }
    }

    /// Queues a record; with it ends the lease of the URL `ends`, if it is one's.
    ///
    /// # Errors
    /// [`FrameError`] if the record is beyond what a frame can hold.
    pub fn put(&self, ends: Option<UrlId>, head: &RecordHead, tail: Vec<u8>) -> Result<(), FrameError> {
        let record = Record { ends, head: encode_head(head, tail.len())?, tail };
        let mut state = self.0.state.borrow_mut();
        state.bytes += record.len();
        state.records.push_back(record);
        self.show(&state);
        self.0.news.notify_one();
        Ok(())
    }

    /// URLs whose records are here, whole or begun.
    pub fn holding(&self) -> Vec<UrlId> {
        self.0.state.borrow().records.iter().filter_map(|record| record.ends).collect()
    }

    /// Sends over `socket` from now on; a record that was begun on the old queue is sent whole again.
    ///
    /// # Errors
    /// The socket cannot be used.
    pub fn connect(&self, socket: OwnedFd) -> io::Result<()> {
        let socket = StdUnixStream::from(socket);
        socket.set_nonblocking(true)?;
        let hello = Hello { version: PROTOCOL_VERSION, generation: self.0.generation };
        let hello = encode(&hello).map_err(io::Error::other)?;
        let mut state = self.0.state.borrow_mut();
        state.queue = Some(Rc::new(UnixStream::from_std(socket)?));
        state.epoch += 1;
        state.sent = 0;
        state.hello = Some(hello);
        self.0.news.notify_one();
        Ok(())
    }

    /// Nothing more will be put; [`Self::send_all`] returns when all is sent.
    pub fn close(&self) {
        self.0.state.borrow_mut().closing = true;
        self.0.news.notify_one();
    }

    /// Sends records as they come, over whatever queue there is, until closed and empty.
    pub async fn send_all(self) {
        loop {
            let news = self.0.news.notified();
            let (queue, epoch) = {
                let state = self.0.state.borrow();
                if state.closing && state.records.is_empty() {
                    return;
                }
                (state.queue.clone().filter(|_| state.hello.is_some() || !state.records.is_empty()), state.epoch)
            };
            let Some(queue) = queue else {
                news.await;
                continue;
            };
            tokio::select! {
                ready = queue.ready(Interest::WRITABLE) => {
                    let sent = ready.and_then(|_| queue.try_io(Interest::WRITABLE, || self.send_some(&queue, epoch)));
                    match sent {
                        Ok(()) => {}
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) => {
                            tracing::warn!(%error, "page queue broke; waiting for a new one");
                            let mut state = self.0.state.borrow_mut();
                            if state.epoch == epoch {
                                state.queue = None;
                                state.sent = 0;
                            }
                        }
                    }
                }
                // Perhaps a new queue.
                () = news => {}
            }
        }
    }

    /// One send of as much as fits.
    fn send_some(&self, queue: &UnixStream, epoch: u64) -> io::Result<()> {
        let mut state = self.0.state.borrow_mut();
        if state.epoch != epoch {
            return Ok(());
        }
        if let Some(hello) = &state.hello {
            let n = send_vectored(queue.as_fd(), &[IoSlice::new(hello)])?;
            // A dozen bytes on a fresh socket; anything but all of them means it is of no use.
            if n != hello.len() {
                return Err(io::ErrorKind::WriteZero.into());
            }
            state.hello = None;
        }
        // The first record may be partly sent.
        let mut skip = state.sent;
        let mut slices = Vec::with_capacity(32);
        for part in state.records.iter().take(16).flat_map(|record| [&record.head, &record.tail]) {
            let skipped = skip.min(part.len());
            skip -= skipped;
            if skipped < part.len() {
                slices.push(IoSlice::new(&part[skipped..]));
            }
        }
        if slices.is_empty() {
            return Ok(());
        }
        let mut n = send_vectored(queue.as_fd(), &slices)? + state.sent;
        while let Some(first) = state.records.front().filter(|first| first.len() <= n) {
            n -= first.len();
            state.bytes -= first.len();
            state.records.pop_front();
        }
        state.sent = n;
        self.show(&state);
        self.0.room.notify_waiters();
        Ok(())
    }

    fn show(&self, state: &State) {
        self.0.row.outbox_bytes.store(state.bytes as u64, Ordering::Relaxed);
    }
}

impl Record {
    fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }
}
