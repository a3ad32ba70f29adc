//! The writer of `seine process`: takes answers from the host's queue and commits them with their marks.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use crate::config::processors::Processor;
use seine_core::protocol::frame::MAX_HEAD_BYTES;
use seine_core::protocol::processing::FromMarker;
use seine_core::protocol::reextract::Cause;
use seine_core::protocol::{Hello, RecordHead};
use seine_store::StoreError;
use seine_store::processed::Marks;
use seine_unix::channel::{Channel, ChannelError};
use seine_unix::poll::{Interest, PollSet};

/// Everything the writer is given at its birth.
#[derive(Debug)]
pub struct MarkerStart {
    /// The store.
    pub path: PathBuf,
    /// The processors.
    pub processors: Vec<Processor>,
    /// Channel to the supervisor.
    pub control: OwnedFd,
    /// Queue from the host.
    pub queue: OwnedFd,
}

/// Runs the writer to the end of its queue; the return value is the exit code.
pub fn run(start: MarkerStart) -> i32 {
    let mut control = Channel::new(start.control, 1 << 20);
    let mut queue = Channel::new(start.queue, MAX_HEAD_BYTES);
    let message = match work(&start.path, &start.processors, &mut control, &mut queue) {
        Ok(()) => return 0,
        Err(Failure::Channel(error)) => {
            tracing::warn!(%error, "channel lost");
            return 1;
        }
        Err(Failure::Store(error)) => error,
    };
    let path = start.path.display();
    let (message, cause) = match message {
        StoreError::Full(message) => (format!("no room on disk for {path}: {message}"), Cause::DiskFull),
        StoreError::Sqlite(error) => (format!("cannot write the store {path}: {error}"), Cause::Failure),
        other => (other.to_string(), Cause::Usage),
    };
    let _ = control.say(&FromMarker::Fatal { message, cause });
    2
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn work(
    path: &std::path::Path,
    processors: &[Processor],
    control: &mut Channel,
    queue: &mut Channel,
) -> Result<(), Failure> {
    let mut marks = Marks::open(path, &processors.iter().map(Processor::answers).collect::<Vec<_>>())?;
    control.say(&FromMarker::Ready)?;
    // Also when the supervisor dies: the host ends then, and what it has sent is worth keeping.
    let mut is_open = false;
    while !queue.has_ended() {
        let mut set = PollSet::new();
        set.add(queue.fd(), Interest::Read);
        set.wait(None).map_err(ChannelError::from)?;
        drop(set);
        queue.receive()?;
        if !is_open {
            is_open = queue.next::<Hello>()?.is_some();
        }
        let mut batch = Vec::new();
        while is_open && let Some(RecordHead::Processed(answer)) = queue.next()? {
            batch.push(answer);
        }
        if !batch.is_empty() {
            marks.commit(&batch)?;
        }
    }
    Ok(())
}
