//! Connected stream sockets between processes: bytes, and descriptors passed along with them.
//!
//! No call here raises SIGPIPE: a peer that has gone is an error of the write.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, getsockopt, sendmsg, setsockopt, socketpair,
    sockopt,
};

/// Most slices the kernel takes in one call.
const MAX_SLICES: usize = 1024;
/// Most descriptors one message can carry (the kernel's `SCM_MAX_FD`).
const MAX_PASSED_FDS: usize = 253;

/// What a read or write does on one end of a pair when it cannot go on at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It waits.
    Blocking,
    /// It fails with [`io::ErrorKind::WouldBlock`].
    Nonblocking,
}

/// Two connected ends, each in its own mode. Both are closed on exec.
///
/// # Errors
/// No descriptors left.
pub fn stream_pair(first: Mode, second: Mode) -> io::Result<(OwnedFd, OwnedFd)> {
    let ends = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
    for (end, mode) in [(&ends.0, first), (&ends.1, second)] {
        if mode == Mode::Nonblocking {
            fcntl(end, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
    }
    Ok(ends)
}

/// Asks for a send buffer of `bytes` on `socket` and returns what the kernel made of it: it doubles
/// the number for its own bookkeeping and caps it at `net.core.wmem_max`. On a Unix socket this alone
/// bounds what lies between the two ends.
///
/// # Errors
/// Not a socket.
pub fn set_send_buffer(socket: impl AsFd, bytes: usize) -> io::Result<usize> {
    setsockopt(&socket, sockopt::SndBuf, &bytes)?;
    Ok(getsockopt(&socket, sockopt::SndBuf)?)
}

/// Sends as much of `slices` as fits now and returns how many bytes that was. Slices beyond the
/// 1,024th wait for the next call.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when nothing fits, [`io::ErrorKind::BrokenPipe`] when the peer has gone.
pub fn send_vectored(socket: BorrowedFd<'_>, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    send(socket, &slices[..slices.len().min(MAX_SLICES)], &[])
}

/// Sends as much of `bytes` as fits now, a copy of `fd` with the first of them, and returns how many
/// bytes that was. What is left of `bytes` is to be sent without the descriptor.
///
/// # Errors
/// As [`send_vectored`]; [`io::ErrorKind::InvalidInput`] for a descriptor without any byte, because a
/// stream carries descriptors only along with bytes.
pub fn send_with_fd(socket: BorrowedFd<'_>, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<usize> {
    let slices = [IoSlice::new(bytes)];
    let Some(fd) = fd else { return send(socket, &slices, &[]) };
    if bytes.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a descriptor travels only with at least one byte"));
    }
    send(socket, &slices, &[ControlMessage::ScmRights(&[fd.as_raw_fd()])])
}

fn send(socket: BorrowedFd<'_>, slices: &[IoSlice<'_>], control: &[ControlMessage<'_>]) -> io::Result<usize> {
    loop {
        match sendmsg::<UnixAddr>(socket.as_raw_fd(), slices, control, MsgFlags::MSG_NOSIGNAL, None) {
            Err(Errno::EINTR) => {}
            answer => return Ok(answer?),
        }
    }
}

/// Room for the control data of one message with as many descriptors as the kernel would ever put
/// into it, aligned as its header wants. 8 bytes a piece: 253 descriptors of 4 bytes and the header.
type ControlBuffer = [u64; MAX_PASSED_FDS.div_ceil(2) + 8];

/// Receives what has arrived, at most `buf`, and the descriptor that came with it; 0 bytes mean that
/// the peer has gone and all it sent has been read. Received descriptors are closed on exec.
///
/// A descriptor comes out no later than the first byte it was sent with, but earlier bytes may come
/// out in the same call; two descriptors sent apart never do.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`] when nothing has arrived. [`io::ErrorKind::InvalidData`] when a message
/// carried several descriptors (all are closed), or its descriptor was lost because this process may
/// open no more. The bytes are lost then: the channel cannot be used further.
pub fn recv_with_fds(socket: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut slice = IoSliceMut::new(buf);
    let mut control: ControlBuffer = [0; _];
    // SAFETY: all-zero bytes are a valid `msghdr` (null pointers with zero lengths).
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = ptr::from_mut(&mut slice).cast();
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = mem::size_of_val(&control) as _;

    let received = loop {
        // SAFETY: `message` points to one `IoSliceMut` (laid out as an iovec) over `buf`, and to `control`
        // with its true length; all of them live on this frame, or are borrowed by it, for the whole call.
        let answer = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
        match usize::try_from(answer) {
            Ok(bytes) => break bytes,
            Err(_) if Errno::last() == Errno::EINTR => {}
            Err(_) => return Err(io::Error::last_os_error()),
        }
    };

    let mut passed = take_passed_fds(&message);
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a passed descriptor was lost; raise the limit of open files",
        ));
    }
    if passed.len() > 1 {
        let text = format!("{} descriptors in one message; one is allowed", passed.len());
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok((received, passed.pop()))
}

/// Takes ownership of every descriptor the kernel has just put into `message`, so that none is leaked
/// whatever the caller thinks of the message.
fn take_passed_fds(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut passed = Vec::new();
    // SAFETY: `message` was filled by recvmsg: its control pointer and length describe the valid part of
    // the buffer on the caller's frame, within which CMSG_FIRSTHDR and CMSG_NXTHDR stay (or yield null).
    // Each SCM_RIGHTS item holds `cmsg_len - CMSG_LEN(0)` bytes of descriptors, read without assuming
    // their alignment. The kernel opened them for this process and nobody else knows them yet.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let data_len = ((*header).cmsg_len as usize).saturating_sub(libc::CMSG_LEN(0) as usize);
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                for index in 0..data_len / mem::size_of::<RawFd>() {
                    passed.push(OwnedFd::from_raw_fd(data.add(index).read_unaligned()));
                }
            }
            header = libc::CMSG_NXTHDR(message, header);
        }
    }
    passed
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use nix::fcntl::FdFlag;

    use super::*;

    fn nonblocking_pair() -> (OwnedFd, OwnedFd) {
        stream_pair(Mode::Nonblocking, Mode::Nonblocking).unwrap()
    }

    #[test]
    fn each_end_has_its_own_mode_and_is_closed_on_exec() {
        let (first, second) = stream_pair(Mode::Nonblocking, Mode::Blocking).unwrap();
        let is_nonblocking = |fd: &OwnedFd| fcntl(fd, FcntlArg::F_GETFL).unwrap() & OFlag::O_NONBLOCK.bits() != 0;
        assert!(is_nonblocking(&first) && !is_nonblocking(&second));
        for end in [&first, &second] {
            assert_eq!(fcntl(end, FcntlArg::F_GETFD).unwrap(), FdFlag::FD_CLOEXEC.bits());
        }
    }

    #[test]
    fn a_passed_descriptor_works_at_the_other_end_and_is_closed_on_exec() {
        let (left, right) = nonblocking_pair();
        let (reader, writer) = io::pipe().unwrap();
        assert_eq!(send_with_fd(left.as_fd(), b"take this", Some(writer.as_fd())).unwrap(), 9);
        drop(writer);
        let mut buf = [0; 64];
        let (received, passed) = recv_with_fds(right.as_fd(), &mut buf).unwrap();
        assert_eq!(&buf[..received], b"take this");
        let passed = passed.unwrap();
        assert_eq!(fcntl(&passed, FcntlArg::F_GETFD).unwrap(), FdFlag::FD_CLOEXEC.bits());
        File::from(passed).write_all(b"hello").unwrap();
        let mut text = String::new();
        // Ends only because the passed copy was the last writer.
        { reader }.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }

    #[test]
    fn descriptors_sent_apart_are_received_apart_and_in_order() {
        let (left, right) = nonblocking_pair();
        let null = File::open("/dev/null").unwrap();
        send_with_fd(left.as_fd(), b"a", None).unwrap();
        send_with_fd(left.as_fd(), b"b", Some(null.as_fd())).unwrap();
        send_with_fd(left.as_fd(), b"c", Some(null.as_fd())).unwrap();
        let (mut bytes, mut passed_after) = (Vec::new(), Vec::new());
        while bytes.len() < 3 {
            let mut buf = [0; 64];
            let (received, passed) = recv_with_fds(right.as_fd(), &mut buf).unwrap();
            bytes.extend_from_slice(&buf[..received]);
            passed_after.extend(passed.map(|_| bytes.len()));
        }
        assert_eq!(bytes, b"abc");
        assert_eq!(passed_after, [2, 3]);
    }

    #[test]
    fn several_descriptors_in_one_message_are_all_closed() {
        let (left, right) = nonblocking_pair();
        let (reader, writer) = io::pipe().unwrap();
        let many = vec![writer.as_raw_fd(); MAX_PASSED_FDS];
        for fds in [&many[..2], &many[..]] {
            send(left.as_fd(), &[IoSlice::new(b"x")], &[ControlMessage::ScmRights(fds)]).unwrap();
            let refused = recv_with_fds(right.as_fd(), &mut [0; 8]).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
            assert!(refused.to_string().starts_with(&format!("{} descriptors", fds.len())));
        }
        drop(writer);
        // End of file comes only if no copy of the writing end is left open.
        let mut rest = Vec::new();
        { reader }.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty());
    }

    #[test]
    fn a_descriptor_needs_a_byte_to_travel_with() {
        let (left, _right) = nonblocking_pair();
        let refused = send_with_fd(left.as_fd(), b"", Some(left.as_fd())).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn an_empty_socket_would_block_and_a_closed_one_ends() {
        let (left, right) = nonblocking_pair();
        let nothing = recv_with_fds(right.as_fd(), &mut [0; 8]).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        drop(left);
        let (received, passed) = recv_with_fds(right.as_fd(), &mut [0; 8]).unwrap();
        assert_eq!((received, passed.is_none()), (0, true));
        let broken = send_vectored(right.as_fd(), &[IoSlice::new(b"x")]).unwrap_err();
        assert_eq!(broken.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn slices_arrive_in_order_and_more_than_the_kernel_takes_are_left_over() {
        let (left, right) = nonblocking_pair();
        assert_eq!(send_vectored(left.as_fd(), &[IoSlice::new(b"head"), IoSlice::new(b"body")]).unwrap(), 8);
        let mut buf = [0; 64];
        let (received, _) = recv_with_fds(right.as_fd(), &mut buf).unwrap();
        assert_eq!(&buf[..received], b"headbody");
        let many = vec![IoSlice::new(b"."); MAX_SLICES + 1];
        assert_eq!(send_vectored(left.as_fd(), &many).unwrap(), MAX_SLICES);
    }

    #[test]
    fn a_full_send_buffer_would_block() {
        let (left, _right) = nonblocking_pair();
        let granted = set_send_buffer(&left, 16 * 1024).unwrap();
        assert_eq!(granted, 32 * 1024);
        let chunk = [0; 4096];
        let mut sent = 0;
        let full = loop {
            match send_vectored(left.as_fd(), &[IoSlice::new(&chunk)]) {
                Ok(bytes) => sent += bytes,
                Err(error) => break error,
            }
            assert!(sent <= 2 * granted, "the buffer never fills");
        };
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
        assert!(sent > 0);
    }
}
