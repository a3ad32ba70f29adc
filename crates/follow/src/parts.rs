//! The parts of a URL in standard form, as slices of its text.

use memchr::memchr;

/// Where the parts of an http(s) URL without user name, password and fragment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts<'u> {
    /// Host, and port unless it is the scheme's own.
    pub authority: &'u str,
    /// With its first slash.
    pub path: &'u str,
    /// Without the question mark.
    pub query: Option<&'u str>,
}

impl<'u> Parts<'u> {
    /// The parts of `url`; none if it does not begin as an http(s) URL does.
    pub fn of(url: &'u str) -> Option<Self> {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
        let (rest, query) = match memchr(b'?', rest.as_bytes()) {
            Some(mark) => (&rest[..mark], Some(&rest[mark + 1..])),
            None => (rest, None),
        };
        let (authority, path) = rest.split_at(memchr(b'/', rest.as_bytes()).unwrap_or(rest.len()));
        Some(Self { authority, path, query })
    }

    /// The host without the port.
    pub fn host(&self) -> &'u str {
        match self.authority.rfind(':') {
            Some(colon) if !self.authority.ends_with(']') => &self.authority[..colon],
            _ => self.authority,
        }
    }

    /// The segments of the path that are not empty.
    pub fn segments(&self) -> impl Iterator<Item = &'u str> + use<'u> {
        self.path.split('/').filter(|segment| !segment.is_empty())
    }

    /// Names and values of the query, as written; a value is empty where there is none.
    pub fn parameters(&self) -> impl Iterator<Item = (&'u str, &'u str)> + use<'u> {
        let pieces = self.query.into_iter().flat_map(|query| query.split('&')).filter(|piece| !piece.is_empty());
        pieces.map(|piece| piece.split_once('=').unwrap_or((piece, "")))
    }
}

/// `host` without the `www.` at its start, unless nothing with a dot in it is left.
pub(crate) fn without_www(host: &str) -> &str {
    let mut bare = host;
    while let Some(rest) = bare.strip_prefix("www.").filter(|rest| rest.trim_end_matches('.').contains('.')) {
        bare = rest;
    }
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_url_are_slices_of_it() {
        let parts = Parts::of("https://example.org:8080/a//b/?x=1&&y&z=").expect("a URL");
        assert_eq!((parts.authority, parts.host(), parts.path), ("example.org:8080", "example.org", "/a//b/"));
        assert!(parts.segments().eq(["a", "b"]));
        assert!(parts.parameters().eq([("x", "1"), ("y", ""), ("z", "")]));
        let bare = Parts::of("http://[::1]/").expect("a URL");
        assert_eq!((bare.host(), bare.path, bare.query), ("[::1]", "/", None));
        assert_eq!(Parts::of("http://[::1]:81/?").map(|parts| (parts.host(), parts.query)), Some(("[::1]", Some(""))));
        assert_eq!(Parts::of("ftp://example.org/"), None);
    }

    #[test]
    fn www_is_taken_off_where_a_site_is_left() {
        for (host, bare) in [
            ("www.example.org", "example.org"),
            ("www.www.example.org", "example.org"),
            ("www.com", "www.com"),
            ("www.com.", "www.com."),
            ("wwww.example.org", "wwww.example.org"),
            ("example.org", "example.org"),
        ] {
            assert_eq!(without_www(host), bare);
        }
    }
}
