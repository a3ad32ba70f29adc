//! A web archive: it is read to an end in bounded steps, records lie one behind the other, and what a record is said to
//! hold can be read again from its place. Answers inside are taken apart without a panic.
#![no_main]

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use nix::sys::memfd::{MFdFlags, memfd_create};
use seine_lists::archive::http;
use seine_lists::archive::warc::{Found, Scan, read};

/// Most of one record that is read.
const MOST: u64 = 1 << 20;

fuzz_target!(|data: &[u8]| {
    let mut file = File::from(memfd_create("archive", MFdFlags::MFD_CLOEXEC).expect("a file in memory"));
    file.write_all(data).expect("room for it");
    let name = format!("/proc/self/fd/{}", file.as_raw_fd());
    let path = Path::new(&name);
    let Ok(mut scan) = File::open(path).map_err(|_| ()).and_then(|file| Scan::new(file).map_err(|_| ())) else {
        return;
    };
    let mut heads = Vec::new();
    // Each step passes over something, or there would be no end.
    for _ in 0..=2 * data.len() + 2 {
        match scan.next() {
            Found::Record(head) => heads.push(head),
            Found::Passing => {}
            Found::End => {
                for head in heads {
                    if let Ok((_, block)) = read(path, head.at, MOST) {
                        assert!(block.len() as u64 <= MOST);
                        if let Ok(message) = http::parse(&block) {
                            let _ = message.payload();
                        }
                    }
                }
                return;
            }
        }
    }
    panic!("no end after {} steps", 2 * data.len() + 2);
});
