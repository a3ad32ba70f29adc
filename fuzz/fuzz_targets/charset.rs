//! A body's charset: the same whether it was declared, found or told, and never more than three bytes of text for
//! one of the body.
#![no_main]

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};
use libfuzzer_sys::fuzz_target;
use seine_fuzz::choice;
use seine_page::extract::charset::{decode, essence};

/// Content-Type headers a body comes with; the last stands for one that the input itself gives.
const HEADERS: [Option<&[u8]>; 12] = [
    None,
    Some(b"text/html"),
    Some(b"text/html; charset=utf-8"),
    Some(b"text/html; charset=utf-16le"),
    Some(b"text/html; charset=utf-16be"),
    Some(b"text/html; charset=gb18030"),
    Some(b"text/html; charset=iso-2022-jp"),
    Some(b"text/html; charset=\"shift_jis\""),
    Some(b"text/html; charset=euc-kr"),
    Some(b"text/html; charset=big5"),
    Some(b"text/html; charset=x-user-defined"),
    Some(b"text/html; charset=replacement"),
];

fuzz_target!(|data: &[u8]| {
    let (chosen, rest) = choice(data);
    let (header, body) = match HEADERS.get(chosen) {
        Some(&header) => (header, rest),
        None => {
            let (header, body) = rest.split_at(rest.len().min(chosen % 64));
            (Some(header), body)
        }
    };
    if let Some(essence) = header.and_then(essence) {
        assert!(essence.contains(&b'/') && !essence.contains(&b';'));
    }
    let (text, charset) = decode(body, header);
    assert!(text.len() <= 3 * body.len(), "{} bytes of {} in {}", text.len(), body.len(), charset.name());
    assert_eq!(Encoding::for_label(charset.name().as_bytes()), Some(charset));
    let mark = Encoding::for_bom(body).map_or(0, |(_, mark)| mark);
    if charset == UTF_8 {
        assert_eq!(text, String::from_utf8_lossy(&body[mark..]));
        assert_eq!(matches!(text, Cow::Borrowed(_)), std::str::from_utf8(&body[mark..]).is_ok());
    }
    // Told what was found, the same is found.
    let told = format!("text/html;charset={}", charset.name());
    assert_eq!(decode(body, Some(told.as_bytes())), (text, charset));
});
