//! A URL list: the same entries from a file and from a pipe that gives it in pieces of any size; every accepted URL
//! is in standard form, and a rejected one says why.
//!
//! How much comes out of damaged compressed data before the damage shows does depend on the pieces.
#![no_main]

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use libfuzzer_sys::fuzz_target;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::pipe2;
use seine_core::record::CrawlUrl;
use seine_fuzz::{check_dedup, choice};
use seine_lists::url_list::{Entry, ListOptions, Source, Step, open};

/// Pieces that fit a pipe of the size it is given: each takes a page of it.
const MAX_PIECES: usize = 200;

fuzz_target!(|data: &[u8]| {
    let (format, data) = choice(data);
    let (size, list) = choice(data);
    let options = match format % 4 {
        0 | 1 => ListOptions::default(),
        2 => ListOptions { url_column: Some("url".to_owned()), url_field: None },
        _ => ListOptions { url_column: None, url_field: Some("url".to_owned()) },
    };
    let whole = read(&in_a_file(list), &options);
    let size = 1 + size.max(list.len() / MAX_PIECES).min(4095);
    let pieces = read(&in_pieces(list, size), &options);
    // How much of what stands before the damage comes out depends on where the reads fell, and with it what else is found
    // to be wrong first.
    if [&whole, &pieces].into_iter().any(is_damaged) && whole.1.is_some() && pieces.1.is_some() {
        let common = whole.0.len().min(pieces.0.len());
        assert_eq!(pieces.0[..common], whole.0[..common], "in pieces of {size}");
    } else {
        assert_eq!(pieces, whole, "in pieces of {size}");
    }

    let mut line = 0;
    for entry in whole.0 {
        assert!(entry.line >= line, "records are in the order of their lines");
        line = entry.line;
        match entry.url {
            Ok(url) => {
                assert_eq!(CrawlUrl::parse(&url.url).as_ref(), Ok(&url), "a URL that was accepted is itself");
                check_dedup(&url.url);
            }
            Err(reason) => assert!(!reason.is_empty()),
        }
    }
});

/// All entries, and the error that ended the list early if one did.
type Answer = (Vec<Entry>, Option<String>);

fn is_damaged((_, error): &Answer) -> bool {
    error.as_ref().is_some_and(|error| error.contains("data are damaged"))
}

fn read(list: &OwnedFd, options: &ListOptions) -> Answer {
    let name = format!("/proc/self/fd/{}", list.as_raw_fd());
    // The lists differ in their names alone.
    let told = |error: seine_lists::url_list::ListError| Some(error.to_string().replace(&name, "NAME"));
    let mut entries = Vec::new();
    let mut lists = match open(&[Source::Path(name.clone().into())], options) {
        Ok(lists) => lists,
        Err(error) => return (entries, told(error)),
    };
    let list = lists.first_mut().expect("one was opened");
    loop {
        match list.next() {
            Ok(Step::Entry(entry)) => entries.push(entry),
            Ok(Step::Skipping) => {}
            Ok(Step::Pending) => panic!("all of it was there"),
            Ok(Step::End) => return (entries, None),
            Err(error) => return (entries, told(error)),
        }
    }
}

fn in_a_file(content: &[u8]) -> OwnedFd {
    let fd = memfd_create("list", MFdFlags::MFD_CLOEXEC).expect("a file in memory");
    let mut file = File::from(fd);
    file.write_all(content).expect("room for the list");
    file.into()
}

/// The reading end of a pipe whose every read gives one piece, however large the buffer.
fn in_pieces(content: &[u8], size: usize) -> OwnedFd {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_DIRECT).expect("a pipe");
    fcntl(writer.as_fd(), FcntlArg::F_SETPIPE_SZ(1 << 20)).expect("a pipe of that size");
    let mut writer = File::from(writer);
    for piece in content.chunks(size) {
        writer.write_all(piece).expect("room for the piece");
    }
    reader
}
