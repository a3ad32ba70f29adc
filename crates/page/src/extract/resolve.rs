//! Relative URL to absolute URL, as [`url::Url::join`] does, but fast for the plain ones.
//!
//! Most links of a page are plain paths whose answer is a prefix of the base and the link itself. Whatever
//! needs more (odd bytes, dots inside, unknown hosts) goes to the `url` crate, so the answers are its own. The query of
//! a link is percent-encoded in the charset of its page, as the URL standard has it; plain ones are the same in all.

use std::borrow::Cow;
use std::sync::LazyLock;

use encoding_rs::{EncoderResult, Encoding, UTF_8};
use url::{ParseError, Position, Url};

use seine_core::record::{self, BadUrl, MAX_URL_BYTES};

/// Hosts remembered as written the way the `url` crate writes them.
const MAX_ORIGINS: usize = 16;

/// The URL that the links of a page at `url` are relative to: its first `<base href>`, unless that is not a URL or has the
/// scheme `javascript:` or `data:` (HTML standard: "frozen base URL").
pub fn document_base(url: &Url, href: Option<&str>, charset: &'static Encoding) -> Url {
    let base = href.filter(|href| href.len() <= MAX_URL_BYTES).and_then(|href| join(url, href, charset).ok());
    // Each link may copy the base, so a base that is too long is ignored.
    base.filter(|base| !matches!(base.scheme(), "data" | "javascript") && base.as_str().len() <= MAX_URL_BYTES)
        .unwrap_or_else(|| url.clone())
}

/// Resolves the links of one page.
pub struct Resolver<'b> {
    base: &'b Url,
    charset: &'static Encoding,
    /// Ends of the parts of the base as text: scheme and host, last slash of the path, path, query.
    origin_end: usize,
    directory_end: usize,
    path_end: usize,
    query_end: usize,
    /// Whether links that lead on from it can be crawled.
    is_plain: bool,
    /// Scheme and host, as in `https://example.org`, of links seen to be written in the standard form.
    origins: Vec<String>,
    next_origin: usize,
    /// The last answer.
    url: String,
}

impl<'b> Resolver<'b> {
    /// A resolver for links relative to `base`, written in a page in this charset.
    pub fn new(base: &'b Url, charset: &'static Encoding) -> Self {
        let path_end = base[..Position::AfterPath].len();
        Self {
            base,
            charset,
            origin_end: base[..Position::BeforePath].len(),
            directory_end: base[..Position::AfterPath].rfind('/').map_or(path_end, |slash| slash + 1),
            path_end,
            query_end: base[..Position::AfterQuery].len(),
            is_plain: record::check(base).is_ok(),
            origins: Vec::new(),
            next_origin: 0,
            url: String::new(),
        }
    }

    /// The absolute URL of `href` without its fragment.
    ///
    /// # Errors
    /// [`BadUrl`] if it is none that can be crawled: not http(s), not a URL, with a password, or too long.
    pub fn resolve(&mut self, href: &str) -> Result<&str, BadUrl> {
        if href.len() > MAX_URL_BYTES {
            return Err(BadUrl::TooLong(href.len()));
        }
        self.url.clear();
        match self.resolve_plain(href) {
            Some((prefix, rest)) => {
                self.url.push_str(prefix);
                self.url.push_str(rest);
            }
            None => self.url = self.resolve_any(href)?,
        }
        if self.url.len() <= MAX_URL_BYTES { Ok(&self.url) } else { Err(BadUrl::TooLong(self.url.len())) }
    }

    fn resolve_any(&mut self, href: &str) -> Result<String, BadUrl> {
        let mut url = join(self.base, href, self.charset).map_err(BadUrl::Syntax)?;
        record::check(&url)?;
        url.set_fragment(None);
        let origin = &url[..Position::BeforePath];
        if href.starts_with(origin) && !self.origins.iter().any(|known| known == origin) {
            let origin = origin.to_owned();
            if self.origins.len() < MAX_ORIGINS {
                self.origins.push(origin);
            } else {
                self.origins[self.next_origin] = origin;
                self.next_origin = (self.next_origin + 1) % MAX_ORIGINS;
            }
        }
        Ok(url.into())
    }

    /// The answer if it can be told without parsing: a part of the base and what follows it.
    fn resolve_plain<'h>(&self, href: &'h str) -> Option<(&'b str, &'h str)> {
        let base = self.base.as_str();
        if !self.is_plain {
            return None;
        }
        let (mut prefix_end, mut rest) = (self.directory_end, href);
        match *href.as_bytes() {
            [] => return Some((&base[..self.query_end], "")),
            [b'/', b'/', ..] => return None,
            [b'/', ..] => prefix_end = self.origin_end,
            [b'?', ..] => prefix_end = self.path_end,
            [b'h', b't', b't', b'p', b':' | b's', ..] => {
                let own = &base[..self.origin_end];
                let mut known = self.origins.iter().map(String::as_str).chain([own]);
                if let Some(path) =
                    known.find_map(|origin| href.strip_prefix(origin).filter(|path| path.starts_with('/')))
                {
                    return is_plain(path).then_some(("", href));
                }
            }
            [b'.', ..] => loop {
                if let Some(after) = rest.strip_prefix("./") {
                    rest = after;
                } else if let Some(after) = rest.strip_prefix("../") {
                    rest = after;
                    let parent = base[self.origin_end..prefix_end - 1].rfind('/');
                    prefix_end = parent.map_or(prefix_end, |slash| self.origin_end + slash + 1);
                } else {
                    break;
                }
            },
            _ => {}
        }
        if starts_with_scheme(rest) || !is_plain(rest) {
            return None;
        }
        Some((&base[..prefix_end], rest))
    }
}

/// The URL standard's "encoding-parse a URL".
///
/// # Errors
/// It is no URL.
pub fn join(base: &Url, href: &str, charset: &'static Encoding) -> Result<Url, ParseError> {
    if charset.output_encoding() == UTF_8 || href.is_ascii() {
        return base.join(href);
    }
    Url::options().base_url(Some(base)).encoding_override(Some(&|text| in_charset(text, charset))).parse(href)
}

/// The bytes of `text` in `charset`; a character that it does not have becomes a character reference, escaped already.
fn in_charset<'t>(text: &'t str, charset: &'static Encoding) -> Cow<'t, [u8]> {
    if text.is_ascii() {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut encoder = charset.new_encoder();
    let mut rest = text;
    loop {
        let mut buffer = [0; 1024];
        let (result, read, written) = encoder.encode_from_utf8_without_replacement(rest, &mut buffer, true);
        bytes.extend_from_slice(&buffer[..written]);
        rest = &rest[read..];
        match result {
            EncoderResult::InputEmpty => return Cow::Owned(bytes),
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(char) => bytes.extend(format!("%26%23{}%3B", u32::from(char)).bytes()),
        }
    }
}

/// Whether a colon in the first segment may make `href` start with a scheme.
fn starts_with_scheme(href: &str) -> bool {
    href.bytes().find(|byte| matches!(byte, b':' | b'/' | b'?')) == Some(b':')
}

/// Whether `rest`, a path and perhaps a query, is written as the `url` crate writes it. Errs on the side of no.
fn is_plain(rest: &str) -> bool {
    const PATH: u8 = 1;
    const QUERY: u8 = 2;
    static PLAIN: LazyLock<[u8; 256]> = LazyLock::new(|| {
        let mut plain = [0; 256];
        for byte in 0..=255u8 {
            if byte.is_ascii_alphanumeric() || b"-_~!$&()*+,;=:@/%".contains(&byte) {
                plain[byte as usize] = PATH | QUERY;
            }
        }
        plain[b'.' as usize] = PATH | QUERY;
        plain[b'\'' as usize] = PATH;
        plain[b'?' as usize] = QUERY;
        plain
    });
    let plain = &*PLAIN;
    let bytes = rest.as_bytes();
    let mut part = PATH;
    // A dot that starts a segment may make it `.` or `..`, and so may one written `%2e`.
    let mut starts_segment = true;
    for (at, &byte) in bytes.iter().enumerate() {
        if plain[byte as usize] & part == 0 {
            if byte != b'?' {
                return false;
            }
            part = QUERY;
        }
        if part == PATH {
            let is_dot = byte == b'.' || byte == b'%' && matches!(bytes[at..], [_, b'2', b'e' | b'E', ..]);
            if is_dot && starts_segment {
                return false;
            }
            starts_segment = byte == b'/';
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_that_of_the_url_crate() {
        let bases = [
            "http://example.org/",
            "https://example.org/a/b/c.html?x=1#y",
            "http://example.org:8080/a//b/",
            "http://user:pw@example.org/a/./b",
            "http://[::1]/a",
            "ftp://example.org/a/b",
            "mailto:someone@example.org",
            "data:text/html,x",
        ];
        let pieces = [
            "",
            "/",
            "//",
            ".",
            "..",
            "./",
            "../",
            "a",
            "b.html",
            "?",
            "?q=1",
            "&",
            ":",
            "%2e",
            "%2E%2e",
            "%20",
            "%",
            " ",
            "\t",
            "\n",
            "\\",
            "'",
            "\"",
            "<",
            "^",
            "|",
            "{",
            "`",
            "[",
            "ä",
            "\u{0}",
            "#",
            "#f",
            "@",
            "~",
            ";",
            "http:",
            "https:",
            "HTTP://",
            "http://example.org",
            "https://example.org",
            "http://example.org:80",
            "http://x.y",
            "http://X.y",
            "http://x.y/../",
            "javascript:",
            "mailto:x@y",
            "c:",
            "C|",
            "*",
            "=",
            "+",
            ",",
            "$",
        ];
        let mut compared = 0;
        for base in bases {
            let base = Url::parse(base).expect("a URL");
            let mut resolver = Resolver::new(&base, UTF_8);
            for first in pieces {
                for second in pieces {
                    for third in ["", "/", "..", "a", ":", "?", " ", "#", "%2e", "http://x.y"] {
                        let href = format!("{first}{second}{third}");
                        let expected = base.join(&href).ok().filter(|url| record::check(url).is_ok()).map(|mut url| {
                            url.set_fragment(None);
                            String::from(url)
                        });
                        assert_eq!(resolver.resolve(&href).ok(), expected.as_deref(), "{href:?} on {base}");
                        compared += 1;
                    }
                }
            }
        }
        assert!(compared > 100_000);
    }

    #[test]
    fn plain_links_are_resolved_without_parsing() {
        let base = Url::parse("https://example.org/a/b/c.html").expect("a URL");
        let mut resolver = Resolver::new(&base, encoding_rs::WINDOWS_1252);
        for href in ["d.html", "../d/e.html?x=a:b", "./d", "/d/e", "", "?page=2", "../../../d", "https://example.org/x"]
        {
            assert!(resolver.resolve_plain(href).is_some(), "{href}");
        }
        assert!(resolver.resolve_plain("http://other.example/x").is_none());
        assert!(resolver.resolve("http://other.example/x").is_ok());
        assert!(resolver.resolve_plain("http://other.example/y").is_some());
    }

    #[test]
    fn what_cannot_be_crawled_says_why() {
        let base = Url::parse("https://example.org/").expect("a URL");
        let mut resolver = Resolver::new(&base, UTF_8);
        for href in ["a".repeat(MAX_URL_BYTES), "ä".repeat(MAX_URL_BYTES / 4), "a".repeat(MAX_URL_BYTES + 1)] {
            assert!(matches!(resolver.resolve(&href), Err(BadUrl::TooLong(_))));
        }
        for (href, reason) in [
            ("javascript:x", "not an http(s) URL: scheme \"javascript\""),
            ("http://", "not a URL: empty host"),
            ("http://a.example:x/", "not a URL: invalid port number"),
        ] {
            assert_eq!(resolver.resolve(href).unwrap_err().to_string(), reason);
        }
        assert_eq!(resolver.resolve("http://user:pw@a.example/"), Err(BadUrl::Credentials));
        let base = Url::parse("https://user:pw@example.org/").expect("a URL");
        assert_eq!(Resolver::new(&base, UTF_8).resolve("/x"), Err(BadUrl::Credentials));
    }

    #[test]
    fn queries_are_encoded_in_the_charset_of_the_page() {
        let base = Url::parse("https://example.org/?x").expect("a URL");
        for (label, href, expected) in [
            ("utf-8", "/ä?ä#ä", "/%C3%A4?%C3%A4"),
            ("windows-1252", "/ä?ä#ä", "/%C3%A4?%E4"),
            ("windows-1252", "?€='x'", "/?%80=%27x%27"),
            ("windows-1252", "?a=中&b=1", "/?a=%26%2320013%3B&b=1"),
            ("shift_jis", "?日本", "/?%93%FA%96{"),
            ("gbk", "?中", "/?%D6%D0"),
            ("koi8-r", "?я", "/?%D1"),
            ("iso-2022-jp", "?あ", "/?%1B$B$%22%1B(B"),
            // Pages in these send UTF-8.
            ("utf-16le", "?ä", "/?%C3%A4"),
            ("replacement", "?ä", "/?%C3%A4"),
        ] {
            let charset = Encoding::for_label(label.as_bytes()).expect("a charset");
            let mut resolver = Resolver::new(&base, charset);
            let answer = resolver.resolve(href).expect("a URL");
            assert_eq!(answer, format!("https://example.org{expected}"), "{href} in {label}");
        }
        let long = format!("?{}", "я".repeat(3000));
        let mut resolver = Resolver::new(&base, encoding_rs::KOI8_R);
        let answer = resolver.resolve(&long).expect("a URL");
        assert_eq!(answer.len(), "https://example.org/?".len() + 3 * 3000);
    }
}
