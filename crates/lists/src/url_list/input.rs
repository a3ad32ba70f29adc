//! One open list as bytes: never waits in a read, whatever is at the other end.
//!
//! Standard input shares its file description with the user's shell, so it is never switched to
//! `O_NONBLOCK`: a pipe-like source is asked with `poll(2)` before each read instead.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Tells one state of a regular file from another: a list whose fingerprint is known from an earlier, finished import
/// need not be read again. Stores keep its `Debug` text, so that must not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint {
    size: u64,
    mtime_ns: i64,
    inode: u64,
}

/// An open file, pipe, terminal or socket.
#[derive(Debug)]
pub(super) struct Input {
    file: File,
    /// As it was when the list was opened: a change during the import must show as a new fingerprint.
    metadata: Metadata,
    /// Where reading started; not 0 for a standard input that something else has read from.
    start: u64,
}

impl Input {
    /// Opens the file at `path`; a FIFO that nobody writes to yet does not block.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        Self::new(OpenOptions::new().read(true).custom_flags(flags).open(path)?)
    }

    /// Standard input, through a descriptor of its own.
    pub(super) fn stdin() -> io::Result<Self> {
        Self::new(File::from(io::stdin().as_fd().try_clone_to_owned()?))
    }

    /// Takes an open `file`.
    pub(super) fn new(mut file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let start = if metadata.is_file() { file.stream_position()? } else { 0 };
        Ok(Self { file, metadata, start })
    }

    /// Device and inode: equal for two names of one file.
    pub(super) fn identity(&self) -> (u64, u64) {
        (self.metadata.dev(), self.metadata.ino())
    }

    pub(super) fn is_dir(&self) -> bool {
        self.metadata.is_dir()
    }

    /// Whether the bytes are all there already and can be read twice.
    pub(super) fn is_regular(&self) -> bool {
        self.metadata.is_file()
    }

    /// The descriptor to poll, if what it gives may come late.
    pub(super) fn pollable(&self) -> Option<BorrowedFd<'_>> {
        let kind = self.metadata.file_type();
        (kind.is_fifo() || kind.is_socket() || kind.is_char_device()).then(|| self.file.as_fd())
    }

    /// The state of a regular file that is read from its beginning.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        (self.is_regular() && self.start == 0).then(|| Fingerprint {
            size: self.metadata.size(),
            mtime_ns: self.metadata.mtime().saturating_mul(1_000_000_000).saturating_add(self.metadata.mtime_nsec()),
            inode: self.metadata.ino(),
        })
    }

    /// Goes back to where reading started. Regular files only.
    pub(super) fn rewind(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.start)).map(drop)
    }

    /// The file itself.
    pub(super) fn into_file(self) -> File {
        self.file
    }

    /// Reads what is there now: `None` if nothing is, `Some(0)` at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        if !self.is_ready(PollTimeout::ZERO)? {
            return Ok(None);
        }
        loop {
            match self.file.read(buffer) {
                Ok(n) => return Ok(Some(n)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Another process read the same pipe first, or made it non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until [`Self::read`] has something to say.
    pub(super) fn wait(&self) -> io::Result<()> {
        while !self.is_ready(PollTimeout::NONE)? {}
        Ok(())
    }

    fn is_ready(&self, timeout: PollTimeout) -> io::Result<bool> {
        let Some(fd) = self.pollable() else { return Ok(true) };
        let mut fds = [PollFd::new(fd, PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            // Hang-up and error count as ready: the read then says which.
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}
