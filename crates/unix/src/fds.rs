//! Closes every file descriptor that was not asked for.
//!
//! A forgotten copy of a socket end is the classic fault of forking programs: the peer waits for an
//! end of file that never comes, because some unrelated child still holds the other end.

use std::os::fd::RawFd;
use std::{fs, io};

/// First descriptor after standard input, output and error, which every process keeps.
const FIRST_CLOSABLE: u32 = 3;

/// Whether `fd` is open in this process.
pub(super) fn is_open(fd: RawFd) -> bool {
    // SAFETY: F_GETFD only reads the flags of a number; a number nobody has opened is answered with EBADF.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}

/// Closes every descriptor from 3 up that is not in `keep`.
///
/// For the child arm of a fork alone: values of the parent's frames may still name the descriptors
/// closed here, which is sound only because those frames never run again.
pub(super) fn close_all_but(keep: &[RawFd]) {
    let gaps = gaps_between(keep);
    if gaps.iter().all(|&(first, last)| close_range(first, last).is_ok()) {
        return;
    }
    // Kernels before 5.9, and sandboxes that do not know the call.
    close_one_by_one(&gaps);
}

/// The ranges of descriptors from 3 up that lie between those of `keep`, both ends included.
fn gaps_between(keep: &[RawFd]) -> Vec<(u32, u32)> {
    let mut keep: Vec<u32> =
        keep.iter().filter_map(|&fd| u32::try_from(fd).ok()).filter(|&fd| fd >= FIRST_CLOSABLE).collect();
    keep.sort_unstable();
    keep.dedup();
    let mut gaps = Vec::with_capacity(keep.len() + 1);
    let mut next = FIRST_CLOSABLE;
    for fd in keep {
        if fd > next {
            gaps.push((next, fd - 1));
        }
        next = fd + 1;
    }
    gaps.push((next, u32::MAX));
    gaps
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    // By number, because not every C library wraps it.
    // SAFETY: plain numbers in, no memory touched. The descriptors belong to the parent's values, which
    // the calling child arm never uses or drops (see `close_all_but`).
    let answer = unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn close_one_by_one(gaps: &[(u32, u32)]) {
    // Collected before the first close: the listing itself reads through a descriptor.
    let listed: Option<Vec<u32>> = fs::read_dir("/proc/self/fd").ok().map(|entries| {
        entries.flatten().filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).collect()
    });
    let open = listed.unwrap_or_else(|| {
        let soft_limit = super::limits::descriptor_limit().unwrap_or(1024);
        (FIRST_CLOSABLE..u32::try_from(soft_limit).unwrap_or(u32::MAX)).collect()
    });
    for fd in open {
        if gaps.iter().any(|&(first, last)| (first..=last).contains(&fd)) {
            // SAFETY: as in `close_range`; a number that is already closed is answered with EBADF.
            unsafe { libc::close(fd.cast_signed()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn gaps_leave_exactly_the_kept_descriptors_open() {
        assert_eq!(gaps_between(&[]), [(3, u32::MAX)]);
        assert_eq!(gaps_between(&[3]), [(4, u32::MAX)]);
        assert_eq!(gaps_between(&[9, 5, 5, 4]), [(3, 3), (6, 8), (10, u32::MAX)]);
        assert_eq!(gaps_between(&[0, 1, 2, -1]), [(3, u32::MAX)]);
    }

    #[test]
    fn an_open_descriptor_is_told_from_a_number_nobody_opened() {
        let file = fs::File::open("/dev/null").unwrap();
        assert!(is_open(file.as_raw_fd()));
        assert!(!is_open(-1));
        assert!(!is_open(RawFd::MAX));
    }
}
