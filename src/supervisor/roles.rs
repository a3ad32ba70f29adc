//! The children of a crawl: their posts, what they are given at birth, and what they may say.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use super::Supervisor;
use super::events::{Event, Who};
use crate::processors::{GRACE, host};
use crate::{fetcher, writer};
use seine_core::protocol::frame::MAX_HEAD_BYTES;
use seine_core::protocol::{Generation, Slot};
use seine_unix::channel::{Channel, ChannelError};
use seine_unix::crew::{CrewError, Member, Post};
use seine_unix::fork::Death;
use seine_unix::strays;
use seine_unix::title::Role;

/// A fetcher that has not shown for so long that its runtime turns is killed.
const FETCHER_STALL: Duration = Duration::from_secs(10);
/// The same for the writer, which may have to wait for a slow disk, and for the host, which reads it.
const STORE_STALL: Duration = Duration::from_secs(120);
/// The writer's worst batch, see [`writer::batch`], waits at most this long for its parent's death to be noticed.
const WRITER_GRACE: Duration = Duration::from_secs(1);

/// The posts of a crawl with so many fetchers.
pub(super) fn posts(fetchers: usize) -> Vec<Post<Who>> {
    let post = |who, title, death, stall| Post { who, title, death, stall: Some(stall) };
    let mut posts = vec![
        post(Who::Writer, Role::Writer, Death::Grace(WRITER_GRACE), STORE_STALL),
        post(Who::Processors, Role::Processors, Death::Grace(GRACE), STORE_STALL),
    ];
    posts.extend(
        (0..fetchers).map(|slot| post(Who::Fetcher(slot as Slot), Role::Fetcher(slot), Death::Kill, FETCHER_STALL)),
    );
    posts
}

impl Member for Who {
    type Said = Event;

    fn hear(self, generation: Generation, channel: &mut Channel) -> Result<Option<Event>, ChannelError> {
        Ok(match self {
            Self::Writer => channel.next()?.map(|message| Event::Writer(generation, message)),
            Self::Fetcher(slot) => channel.next()?.map(|message| Event::Fetcher(slot, generation, message)),
            Self::Processors => channel.next()?.map(|message| Event::Processors(generation, message)),
        })
    }
}

impl Supervisor {
    pub(super) fn spawn_writer(&mut self, generation: Generation) -> Result<(), CrewError> {
        let (lock, session, settings, known) = (&self.lock, &self.session, &self.settings, &self.known);
        self.crew.spawn(Who::Writer, generation, &[lock.fd().as_raw_fd()], |control, row| {
            let start = writer::WriterStart {
                path: lock.path().to_owned(),
                session: session.clone(),
                control,
                generation,
                frame_ceiling: frame_ceiling(settings.http.max_body.0),
                cache_bytes: settings.crew.buffers.cache_bytes,
                line_batches: settings.crew.buffers.line_batches,
                known: known.clone(),
                sandbox: settings.sandbox,
            };
            writer::run(start, row)
        })
    }

    pub(super) fn spawn_fetcher(&mut self, slot: Slot, generation: Generation) -> Result<(), CrewError> {
        let (settings, rate, known) = (&self.settings, self.rate, &self.known);
        self.crew.spawn(Who::Fetcher(slot), generation, &[], |control, row| {
            let setup = fetcher::FetcherSetup {
                slot,
                generation,
                control,
                concurrency: part(*settings.crew.concurrency, *settings.crew.fetchers, usize::from(slot)),
                rate,
                known: known.clone(),
                settings: settings.fetching(),
                sandbox: settings.sandbox,
                archives: settings.archives.clone(),
            };
            fetcher::run(setup, row)
        })
    }

    /// `queue` leads to the writer.
    pub(super) fn spawn_processors(&mut self, generation: Generation, queue: OwnedFd) -> Result<(), CrewError> {
        // A host that is killed leaves the processes that its programs have started.
        strays::adopt();
        strays::end_programs();
        let (path, processors) = (self.lock.path(), &self.settings.processor);
        self.crew.spawn(Who::Processors, generation, &[queue.as_raw_fd()], |control, row| {
            let start = host::HostStart {
                path: path.to_owned(),
                processors: processors.clone(),
                failed: false,
                is_live: true,
                generation,
                control,
                queue,
            };
            host::run(start, row)
        })
    }
}

/// The part of the requests in flight for one of `slots` fetchers; the sum is exactly `total`.
fn part(total: usize, slots: usize, slot: usize) -> usize {
    total / slots + usize::from(slot < total % slots)
}

/// Largest frame of a page queue: a body that does not compress, and its fields.
fn frame_ceiling(max_body: u64) -> usize {
    let body = usize::try_from(max_body).unwrap_or(usize::MAX);
    body.saturating_add(body / 64).saturating_add(MAX_HEAD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_exactly() {
        for total in 1..200 {
            for slots in 1..=total.min(17) {
                assert_eq!((0..slots).map(|slot| part(total, slots, slot)).sum::<usize>(), total);
                assert!((0..slots).all(|slot| part(total, slots, slot) > 0));
            }
        }
    }
}
