//! What the fuzz targets share. Each target is one program; its first lines say what it holds true.
//!
//! ```text
//! cargo install cargo-fuzz
//! mkdir -p fuzz/corpus/TARGET
//! cargo +nightly fuzz run TARGET fuzz/corpus/TARGET fuzz/seeds/TARGET -- -dict=fuzz/seeds/TARGET.dict
//! ```

use seine_core::record::dedup::dedup_text;
use url::Url;

/// Holds the deduplication text of `url`, an http(s) URL in standard form, against its promises.
///
/// # Panics
/// If one is broken.
pub fn check_dedup(url: &str) {
    let text = dedup_text(url);
    assert!(text.len() <= url.len());
    assert_eq!(dedup_text(&text), text, "of {url}");
    let parsed = Url::parse(&text).expect("the text is a URL");
    assert_eq!(parsed.as_str(), text, "of {url}");
    // Nothing but escapes changed: no character of the URL's structure came or went.
    let structure = |text: &str| text.bytes().filter(|byte| b"/?&=+#;:@%".contains(byte)).count();
    let decoded = (url.len() - text.len()) / 2;
    assert_eq!(structure(&text) + decoded, structure(url), "of {url}");
}

/// The first byte of `data`, which chooses, and the rest.
pub fn choice(data: &[u8]) -> (usize, &[u8]) {
    data.split_first().map_or((0, data), |(&first, rest)| (first.into(), rest))
}
