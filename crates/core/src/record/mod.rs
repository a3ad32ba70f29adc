//! The nouns every room shares: URLs and their identity, hosts, outcomes, page records. No I/O.
//!
//! - [`dedup`]: under which text two URLs are one.
//! - [`headers`]: header lines of answers, packed.
//! - [`items`]: what rules find.
//! - [`links`] of a page.
//! - [`nearest`]: which name was meant.
//! - [`origin`]: of which list and line a line of a shard was.

pub mod dedup;
pub mod headers;
pub mod items;
pub mod links;
pub mod nearest;
pub mod origin;

use std::fmt;

use serde::{Deserialize, Serialize};

use links::Links;

/// Row number of one normalised URL in the store; given by the writer, never reused.
pub type UrlId = i64;

/// Longest URL accepted, in bytes after normalisation. Longer ones are rejected: no server of note
/// accepts them (RFC 9110 §4.1 asks for 8000 at least).
pub const MAX_URL_BYTES: usize = 16 * 1024;

/// Bytes of a robots.txt that are read, RFC 9309 section 2.5; the rest is ignored.
pub const MAX_ROBOTS_BYTES: usize = 500 * 1024;

/// Two pages say nearly the same if of the hashes of their words (128 bits, see `seine_page`) so many bits differ, or fewer.
pub const NEAR_BITS: u32 = 6;

/// Longest pause of a host or between two attempts at a URL, in milliseconds, whatever a config or a site asks for.
/// Later times are those of a clock that was wrong.
pub const LONGEST_PAUSE_MS: u64 = 86_400_000;

/// A URL as the crawl knows it: normalised text, the host whose pace it obeys, and the key under
/// which duplicates meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrawlUrl {
    /// Serialised per the WHATWG URL standard, without fragment.
    pub url: String,
    /// Host name or address as the URL standard writes it, without port: the unit of politeness.
    pub host: String,
    /// See [`url_key`]; of the deduplication text ([`dedup`]).
    pub key: UrlKey,
}

/// Deduplication key of a URL (or of the raw text of a rejected line) among those of its host.
pub type UrlKey = [u8; 12];

/// Key of `text` among keys of the same `kind`, from its BLAKE3 hash; accepted URLs and rejected lines never collide.
pub fn url_key(kind: KeyKind, text: &[u8]) -> UrlKey {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[kind as u8]);
    hasher.update(text);
    let mut key = UrlKey::default();
    let length = key.len();
    key.copy_from_slice(&hasher.finalize().as_bytes()[..length]);
    key
}

/// What a [`UrlKey`] was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum KeyKind {
    /// A normalised URL.
    Url = b'u',
    /// The raw text of a line that is no acceptable URL.
    Rejected = b'r',
}

/// Why a text is not a URL that can be crawled. The text is for people and lands in the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// Not a URL by the WHATWG standard.
    #[error("not a URL: {0}")]
    Syntax(url::ParseError),
    /// A scheme other than http and https.
    #[error("not an http(s) URL: scheme {0:?}")]
    Scheme(String),
    /// No host to connect to.
    #[error("URL without a host")]
    NoHost,
    /// User name or password inside the URL.
    #[error("URL carries a user name or password; secrets do not belong in lists, send them with --header")]
    Credentials,
    /// Longer than [`MAX_URL_BYTES`].
    #[error("URL of {0} bytes; the limit is {MAX_URL_BYTES}")]
    TooLong(usize),
}

impl CrawlUrl {
    /// Checks and normalises `raw_url` (WHATWG URL standard, fragment dropped).
    ///
    /// # Errors
    /// [`BadUrl`] if it cannot be crawled.
    pub fn parse(raw_url: &str) -> Result<Self, BadUrl> {
        if raw_url.len() > MAX_URL_BYTES {
            return Err(BadUrl::TooLong(raw_url.len()));
        }
        let url = url::Url::parse(raw_url).map_err(BadUrl::Syntax)?;
        Self::try_from(url)
    }
}

impl TryFrom<url::Url> for CrawlUrl {
    type Error = BadUrl;

    fn try_from(mut url: url::Url) -> Result<Self, BadUrl> {
        check(&url)?;
        url.set_fragment(None);
        // A name that ends with a dot is the same name (RFC 1034 §3.1), and so the same host for pace and robots.txt.
        if let Some(name) = url.host_str().and_then(|host| host.strip_suffix('.')).map(str::to_owned) {
            let _ = url.set_host(Some(&name));
        }
        let host = url.host_str().ok_or(BadUrl::NoHost)?.to_owned();
        let url = String::from(url);
        if url.len() > MAX_URL_BYTES {
            return Err(BadUrl::TooLong(url.len()));
        }
        let key = url_key(KeyKind::Url, dedup::dedup_text(&url).as_bytes());
        Ok(Self { url, host, key })
    }
}

/// Whether `url` is of a kind that can be crawled; its length is another question.
///
/// # Errors
/// [`BadUrl`] if it is not.
pub fn check(url: &url::Url) -> Result<(), BadUrl> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BadUrl::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadUrl::Credentials);
    }
    Ok(())
}

/// How one URL ended. Every URL ends in exactly one of these; until then it is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Outcome {
    /// A response with a success status (2xx), whole.
    Ok = 0,
    /// A whole response with any other final status.
    HttpError = 1,
    /// No whole response; the [`ErrorClass`] says why.
    Failed = 2,
    /// Not a URL that can be crawled; never requested.
    Rejected = 3,
    /// Its processing killed a fetcher twice; not tried again.
    Quarantined = 4,
    /// The site's robots.txt does not allow it; never requested.
    RobotsDenied = 5,
    /// Its headers showed that it is nothing to keep (`--accept-types`); the body was not read.
    Skipped = 6,
}

impl Outcome {
    /// Every outcome, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Ok, Self::HttpError, Self::Failed, Self::Rejected, Self::Quarantined, Self::RobotsDenied, Self::Skipped];

    /// Those that are errors: something was asked for, or should have been, and did not come.
    pub const ERRORS: [Self; 3] = [Self::HttpError, Self::Failed, Self::Quarantined];

    /// The name users see in views, summaries and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::HttpError => "http_error",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Quarantined => "quarantined",
            Self::RobotsDenied => "robots_denied",
            Self::Skipped => "skipped",
        }
    }

    /// The outcome of this number in the store.
    pub fn from_number(number: i64) -> Option<Self> {
        usize::try_from(number).ok().and_then(|n| Self::ALL.get(n)).copied()
    }
}

/// What kept a URL from a whole response: a stable name for queries, never reworded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ErrorClass {
    /// The host name does not exist, or has no address.
    Dns,
    /// The resolver gave no answer about the host name (a temporary failure, SERVFAIL, a timeout).
    Resolver,
    /// No connection (refused).
    Connect,
    /// No way from here: no network, no route, or no local address.
    Network,
    /// The TLS handshake or the certificate failed.
    Tls,
    /// The proxy could not be reached or refused to connect.
    Proxy,
    /// A deadline passed: connect, answer or body; or the body came slower than `--min-speed`.
    Timeout,
    /// The peer closed or reset the connection before a whole answer.
    Reset,
    /// The body ended before its announced or encoded end.
    Truncated,
    /// The decompressed body passed `--max-body`.
    TooLarge,
    /// A redirect led to a URL already in its chain.
    RedirectLoop,
    /// More redirects than `--max-redirects`.
    TooManyRedirects,
    /// Not HTTP as the standards have it, or a redirect nobody can follow.
    Protocol,
    /// The content encoding could not be undone.
    Encoding,
    /// A URL led to an address that is not to be connected to: private, loopback, link-local or another special one.
    BlockedAddress,
    /// Its host failed too often in a row; see `--host-failures`.
    HostDown,
    /// Its robots.txt does not allow it.
    Robots,
    /// Its robots.txt could not be read, so nothing is allowed (RFC 9309 section 2.3.1.4).
    RobotsUnreachable,
    /// The page took more CPU time than `--parse-timeout`.
    ParseTimeout,
    /// The body's type is not among `--accept-types`.
    ContentType,
    /// The line is no URL that can be crawled.
    Rejected,
    /// Processing this page killed its fetcher.
    Crash,
    /// A page names it, and it looks like one of the endless URLs of a trap.
    Trap,
    /// It was expected to be a sitemap or a feed, and is none.
    Unreadable,
    /// A page names it, and as many as are wanted of its host, path or depth are there already.
    Budget,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [Self; 25] = [
        Self::Dns,
        Self::Resolver,
        Self::Connect,
        Self::Network,
        Self::Tls,
        Self::Proxy,
        Self::Timeout,
        Self::Reset,
        Self::Truncated,
        Self::TooLarge,
        Self::RedirectLoop,
        Self::TooManyRedirects,
        Self::Protocol,
        Self::Encoding,
        Self::BlockedAddress,
        Self::HostDown,
        Self::Robots,
        Self::RobotsUnreachable,
        Self::ParseTimeout,
        Self::ContentType,
        Self::Rejected,
        Self::Crash,
        Self::Trap,
        Self::Unreadable,
        Self::Budget,
    ];

    /// The stable name (column `error` of the view `pages`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Resolver => "resolver",
            Self::Connect => "connect",
            Self::Network => "network",
            Self::Tls => "tls",
            Self::Proxy => "proxy",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Truncated => "truncated",
            Self::TooLarge => "too_large",
            Self::RedirectLoop => "redirect_loop",
            Self::TooManyRedirects => "too_many_redirects",
            Self::Protocol => "protocol",
            Self::Encoding => "encoding",
            Self::BlockedAddress => "blocked_address",
            Self::HostDown => "host_down",
            Self::Robots => "robots",
            Self::RobotsUnreachable => "robots_unreachable",
            Self::ParseTimeout => "parse_timeout",
            Self::ContentType => "content_type",
            Self::Rejected => "rejected",
            Self::Crash => "crash",
            Self::Trap => "trap",
            Self::Unreadable => "unreadable",
            Self::Budget => "budget",
        }
    }

    /// Whether it says that the host as a whole is in trouble, not one of its pages.
    pub const fn is_of_host(self) -> bool {
        matches!(
            self,
            Self::Dns
                | Self::Resolver
                | Self::Connect
                | Self::Network
                | Self::Tls
                | Self::Timeout
                | Self::RobotsUnreachable
        )
    }

    /// Whether it takes somebody at the other end, or a resolver, to fail like this.
    pub const fn is_answer(self) -> bool {
        matches!(self, Self::Dns | Self::Connect | Self::Tls | Self::Reset | Self::Protocol)
    }

    /// Whether the fault may as well be on our side: a resolver or a network that is out looks like this for every host.
    pub const fn may_be_ours(self) -> bool {
        matches!(self, Self::Resolver | Self::Network)
    }

    /// Whether the same request may well succeed later.
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Resolver
                | Self::Connect
                | Self::Network
                | Self::Proxy
                | Self::Timeout
                | Self::Reset
                | Self::Truncated
                | Self::RobotsUnreachable
        )
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a URL has no whole response, for machines and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The stable class.
    pub class: ErrorClass,
    /// A sentence for people; may contain text a site sent.
    pub message: String,
}

impl Failure {
    /// A failure of `class` explained by `message`.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}

/// The version of HTTP an answer came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HttpVersion {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    Http11,
    /// HTTP/2.
    Http2,
}

impl HttpVersion {
    /// The version in the store.
    pub const fn number(self) -> i64 {
        match self {
            Self::Http10 => 10,
            Self::Http11 => 11,
            Self::Http2 => 20,
        }
    }

    /// The version as the standards write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

/// The built-in fields of one HTML page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HtmlFields {
    /// Text of the first `<title>`, white space folded.
    pub title: Option<String>,
    /// Text of the first `<h1>`, white space folded.
    pub h1: Option<String>,
    /// Content of the first `<meta name=description>`.
    pub description: Option<String>,
    /// Absolute URL of the first `<link rel=canonical>`.
    pub canonical: Option<String>,
    /// What the page asks of robots: the directives of all `<meta name=robots>` and `<meta name=seine>`, in lower
    /// case, each once, separated by commas.
    pub robots: Option<String>,
    /// The `lang` attribute of `<html>`.
    pub lang: Option<String>,
    /// All links, each URL once, in document order.
    pub links: Links,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_dot_at_its_end_is_the_same_host() {
        let parsed = |text: &str| CrawlUrl::parse(text).map(|url| (url.url, url.host)).expect("a URL");
        let plain = parsed("https://x.test:8443/a.?b.#c");
        assert_eq!(plain, ("https://x.test:8443/a.?b.".to_owned(), "x.test".to_owned()));
        assert_eq!(parsed("https://X.test.:8443/a.?b."), plain);
        assert_eq!(parsed("http://127.0.0.1./"), parsed("http://127.0.0.1/"));
        assert_eq!(parsed("http://[::1]/").1, "[::1]");
    }
}
