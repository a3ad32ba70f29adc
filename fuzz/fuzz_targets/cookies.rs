//! Cookies: whatever one site sets, no other site gets any of it; what goes over plain HTTP is never one that was set to
//! be secure; a `Cookie` header has no line ends. A file of cookies is read or named with its line.
#![no_main]

use http::{HeaderMap, HeaderValue, header::SET_COOKIE};
use libfuzzer_sys::fuzz_target;
use seine_http::cookies::Jar;
use url::Url;

fuzz_target!(|data: &[u8]| {
    let url = |text: &str| Url::parse(text).expect("a URL");
    let jar = Jar::default();
    let mut headers = HeaderMap::new();
    for line in data.split(|&byte| byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(SET_COOKIE, value);
        }
    }
    jar.take(&url("https://www.shop.co.uk/a/b"), &headers);
    for elsewhere in
        ["https://www.other.co.uk/", "https://co.uk/", "https://shop.co.uk.evil.test/", "https://192.0.2.1/"]
    {
        assert_eq!(jar.header(&url(elsewhere), None), None, "{elsewhere}");
    }
    let secure = jar.header(&url("https://www.shop.co.uk/a/b"), None);
    let plain = jar.header(&url("http://www.shop.co.uk/a/b"), None);
    for header in [&secure, &plain].into_iter().flatten() {
        assert!(header.as_bytes().iter().all(|byte| !matches!(byte, b'\r' | b'\n' | 0)));
    }
    let count = |header: &Option<HeaderValue>| {
        header.as_ref().map_or(0, |header| header.as_bytes().split(|&byte| byte == b';').count())
    };
    assert!(count(&plain) <= count(&secure));

    let mut file = tempfile::NamedTempFile::new().expect("a file");
    std::io::Write::write_all(&mut file, data).expect("room for it");
    if let Err(error) = Jar::default().load(file.path()) {
        assert!(!error.to_string().is_empty());
    }
});
