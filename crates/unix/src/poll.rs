//! Waits for any of several descriptors, with a deadline.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};

/// What to wait for on a descriptor. That the peer hangs up is always waited for as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read.
    Read,
    /// Room to write.
    Write,
    /// Either.
    Both,
    /// Only that the peer hangs up.
    HangUp,
}

impl Interest {
    /// `Read` or `Both`, depending on whether there is something to write too.
    pub fn read_and(wants_to_write: bool) -> Self {
        if wants_to_write { Self::Both } else { Self::Read }
    }
}

/// What a descriptor is ready for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// A read will not wait: bytes, end of file or an error.
    pub readable: bool,
    /// A write will not wait: room or an error.
    pub writable: bool,
    /// The peer has gone. What it sent before can still be read.
    pub hung_up: bool,
}

/// Descriptors to wait for together; made anew for every turn of a loop.
///
/// Level-triggered: whatever is ready and not dealt with is ready again in the next turn. A descriptor
/// that has hung up is ready for ever, so its owner reads it to the end and leaves it out.
#[derive(Debug, Default)]
pub struct PollSet<'fd> {
    fds: Vec<PollFd<'fd>>,
}

impl<'fd> PollSet<'fd> {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `fd` and returns the place at which [`PollSet::ready`] answers for it.
    pub fn add(&mut self, fd: BorrowedFd<'fd>, interest: Interest) -> usize {
        let flags = match interest {
            Interest::Read => PollFlags::POLLIN,
            Interest::Write => PollFlags::POLLOUT,
            Interest::Both => PollFlags::POLLIN | PollFlags::POLLOUT,
            Interest::HangUp => PollFlags::empty(),
        };
        self.fds.push(PollFd::new(fd, flags));
        self.fds.len() - 1
    }

    /// How many were added.
    pub fn len(&self) -> usize {
        self.fds.len()
    }

    /// Whether none was added: a wait is a pause then.
    pub fn is_empty(&self) -> bool {
        self.fds.is_empty()
    }

    /// Waits until a descriptor is ready or `timeout` has passed (`None`: for ever), and returns how many
    /// are ready. Never returns before the time because a signal came or a fraction was cut off.
    ///
    /// # Errors
    /// No memory for the wait.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        // A timeout beyond what the clock can say is for ever.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match nix::poll::poll(&mut self.fds, left.map_or(PollTimeout::NONE, rounded_up)) {
                Err(Errno::EINTR) => {}
                // A time longer than one call can wait.
                Ok(0) if deadline.is_none_or(|deadline| Instant::now() < deadline) => {}
                answer => return Ok(usize::try_from(answer?).unwrap_or(0)),
            }
        }
    }

    /// What the descriptor added at `place` was ready for when [`PollSet::wait`] returned.
    ///
    /// # Panics
    /// If nothing was added at `place`.
    pub fn ready(&self, place: usize) -> Ready {
        let flags = self.fds[place].revents().unwrap_or(PollFlags::POLLERR);
        let failed = flags.intersects(PollFlags::POLLERR | PollFlags::POLLNVAL);
        let hung_up = flags.contains(PollFlags::POLLHUP);
        Ready {
            readable: flags.contains(PollFlags::POLLIN) || hung_up || failed,
            writable: flags.contains(PollFlags::POLLOUT) || failed,
            hung_up,
        }
    }
}

/// In milliseconds, rounded up: rounded down, the last fraction before a deadline would be spent on
/// turns that wait 0 ms. At most what one call can wait (24 days).
fn rounded_up(timeout: Duration) -> PollTimeout {
    let millis = timeout.as_nanos().div_ceil(1_000_000);
    i32::try_from(millis).ok().and_then(|millis| PollTimeout::try_from(millis).ok()).unwrap_or(PollTimeout::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;
    use std::os::fd::AsFd;

    use super::*;
    use crate::pair::{Mode, recv_with_fds, send_vectored, set_send_buffer, stream_pair};

    #[test]
    fn a_fraction_of_a_millisecond_is_waited_for_in_full() {
        assert_eq!(rounded_up(Duration::ZERO), PollTimeout::ZERO);
        assert_eq!(rounded_up(Duration::from_nanos(1)), PollTimeout::from(1_u8));
        assert_eq!(rounded_up(Duration::from_millis(7)), PollTimeout::from(7_u8));
        assert_eq!(rounded_up(Duration::from_micros(7_001)), PollTimeout::from(8_u8));
        assert_eq!(rounded_up(Duration::MAX), PollTimeout::MAX);
    }

    #[test]
    fn a_wait_never_ends_before_its_time() {
        let (left, _right) = stream_pair(Mode::Nonblocking, Mode::Nonblocking).unwrap();
        let timeout = Duration::from_micros(2_300);
        let mut set = PollSet::new();
        let place = set.add(left.as_fd(), Interest::Read);
        let start = Instant::now();
        assert_eq!(set.wait(Some(timeout)).unwrap(), 0);
        assert!(start.elapsed() >= timeout);
        assert_eq!(set.ready(place), Ready::default());
    }

    #[test]
    fn each_descriptor_answers_at_its_own_place() {
        let (left, right) = stream_pair(Mode::Nonblocking, Mode::Nonblocking).unwrap();
        send_vectored(left.as_fd(), &[IoSlice::new(b"x")]).unwrap();
        let mut set = PollSet::new();
        let quiet = set.add(left.as_fd(), Interest::Read);
        let loud = set.add(right.as_fd(), Interest::read_and(true));
        assert_eq!(set.wait(None).unwrap(), 1);
        assert_eq!(set.ready(quiet), Ready::default());
        assert_eq!(set.ready(loud), Ready { readable: true, writable: true, hung_up: false });
    }

    #[test]
    fn a_full_socket_becomes_writable_when_its_peer_has_read() {
        let (left, right) = stream_pair(Mode::Nonblocking, Mode::Nonblocking).unwrap();
        set_send_buffer(&left, 8 * 1024).unwrap();
        let chunk = [0; 4096];
        while send_vectored(left.as_fd(), &[IoSlice::new(&chunk)]).is_ok() {}
        let is_writable = || {
            let mut set = PollSet::new();
            let place = set.add(left.as_fd(), Interest::Write);
            set.wait(Some(Duration::ZERO)).unwrap();
            set.ready(place).writable
        };
        assert!(!is_writable());
        let mut buf = [0; 4096];
        while recv_with_fds(right.as_fd(), &mut buf).is_ok() {}
        assert!(is_writable());
    }

    #[test]
    fn a_peer_that_has_gone_is_noticed_without_asking() {
        let (left, right) = stream_pair(Mode::Nonblocking, Mode::Nonblocking).unwrap();
        drop(right);
        let mut set = PollSet::new();
        let place = set.add(left.as_fd(), Interest::HangUp);
        assert_eq!(set.wait(None).unwrap(), 1);
        assert!(set.ready(place).hung_up && set.ready(place).readable);
    }
}
