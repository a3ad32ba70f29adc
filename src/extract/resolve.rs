//! Relative URL to absolute URL, as [`url::Url::join`] does, but fast for the plain ones.
//!
//! Most links of a page are plain paths whose answer is a prefix of the base and the link itself. Whatever
//! needs more (odd bytes, dots inside, unknown hosts) goes to the `url` crate, so the answers are its own.

use std::sync::LazyLock;

use url::{Position, Url};

use crate::record::MAX_URL_BYTES;

/// Hosts remembered as written the way the `url` crate writes them.
const MAX_ORIGINS: usize = 16;

/// Resolves the links of one page.
pub struct Resolver<'b> {
    base: &'b Url,
    /// Ends of the parts of the base as text: scheme and host, last slash of the path, path, query.
    origin_end: usize,
    directory_end: usize,
    path_end: usize,
    query_end: usize,
    is_http: bool,
    /// Scheme and host, as in `https://example.org`, of links seen to be written in the standard form.
    origins: Vec<String>,
    next_origin: usize,
}

impl<'b> Resolver<'b> {
    /// A resolver for links relative to `base`.
    pub fn new(base: &'b Url) -> Self {
        let path_end = base[..Position::AfterPath].len();
        Self {
            base,
            origin_end: base[..Position::BeforePath].len(),
            directory_end: base[..Position::AfterPath].rfind('/').map_or(path_end, |slash| slash + 1),
            path_end,
            query_end: base[..Position::AfterQuery].len(),
            is_http: is_http(base),
            origins: Vec::new(),
            next_origin: 0,
        }
    }

    /// The absolute URL of `href` without its fragment; `None` if it is not http(s), not a URL, or longer
    /// than [`MAX_URL_BYTES`].
    pub fn resolve(&mut self, href: &str) -> Option<String> {
        let url = match self.resolve_plain(href) {
            Some(url) => url,
            None => self.resolve_any(href)?,
        };
        (url.len() <= MAX_URL_BYTES).then_some(url)
    }

    fn resolve_any(&mut self, href: &str) -> Option<String> {
        let mut url = self.base.join(href).ok().filter(is_http)?;
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
        Some(url.into())
    }

    /// The answer if it can be told without parsing.
    fn resolve_plain(&self, href: &str) -> Option<String> {
        let base = self.base.as_str();
        if !self.is_http {
            return None;
        }
        let (mut prefix_end, mut rest) = (self.directory_end, href);
        match *href.as_bytes() {
            [] => return Some(base[..self.query_end].to_owned()),
            [b'/', b'/', ..] => return None,
            [b'/', ..] => prefix_end = self.origin_end,
            [b'?', ..] => prefix_end = self.path_end,
            [b'h', b't', b't', b'p', b':' | b's', ..] => {
                let own = &base[..self.origin_end];
                let mut known = self.origins.iter().map(String::as_str).chain([own]);
                if let Some(path) =
                    known.find_map(|origin| href.strip_prefix(origin).filter(|path| path.starts_with('/')))
                {
                    return is_plain(path).then(|| href.to_owned());
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
        let mut url = String::with_capacity(prefix_end + rest.len());
        url.push_str(&base[..prefix_end]);
        url.push_str(rest);
        Some(url)
    }
}

/// Whether this is an http(s) URL.
pub fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
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
            let mut resolver = Resolver::new(&base);
            for first in pieces {
                for second in pieces {
                    for third in ["", "/", "..", "a", ":", "?", " ", "#", "%2e", "http://x.y"] {
                        let href = format!("{first}{second}{third}");
                        let expected = base.join(&href).ok().filter(is_http).map(|mut url| {
                            url.set_fragment(None);
                            String::from(url)
                        });
                        assert_eq!(resolver.resolve(&href), expected, "{href:?} on {base}");
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
        let mut resolver = Resolver::new(&base);
        for href in ["d.html", "../d/e.html?x=a:b", "./d", "/d/e", "", "?page=2", "../../../d", "https://example.org/x"]
        {
            assert!(resolver.resolve_plain(href).is_some(), "{href}");
        }
        assert!(resolver.resolve_plain("http://other.example/x").is_none());
        assert!(resolver.resolve("http://other.example/x").is_some());
        assert!(resolver.resolve_plain("http://other.example/y").is_some());
    }

    #[test]
    fn a_url_that_is_too_long_is_none() {
        let base = Url::parse("https://example.org/").expect("a URL");
        let mut resolver = Resolver::new(&base);
        assert_eq!(resolver.resolve(&"a".repeat(MAX_URL_BYTES)), None);
        assert_eq!(resolver.resolve(&"ä".repeat(MAX_URL_BYTES / 4)), None);
    }
}
