//! Header lines of answers: packed and unpacked they are what they were; what is no packed text is an error; an answer
//! out of an archive is taken apart the same way however it ends its lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seine_core::record::headers::{MAX_BYTES, Packer, unpack};
use seine_lists::archive::http;

fuzz_target!(|data: &[u8]| {
    match Packer::new().pack(data) {
        Some(packed) => assert_eq!(unpack(&packed).expect("it was packed just now"), data),
        None => assert!(data.len() > MAX_BYTES),
    }
    if let Ok(lines) = unpack(data) {
        assert!(lines.len() <= MAX_BYTES);
    }
    if let Ok(message) = http::parse(data) {
        let (payload, _) = message.payload();
        let _ = payload.len();
        for name in ["content-type", "transfer-encoding", "content-encoding", "location"] {
            assert!(message.values(name).all(|value| value.len() <= data.len()));
        }
    }
});
