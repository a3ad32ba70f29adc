//! Common to sitemaps, feeds and lists of links: telling what a document is, and what is wrong with it.

use std::fmt;

use seine_core::record::{self, MAX_URL_BYTES};
use url::Url;

use crate::text::Utf8;

/// Most bytes that are quoted of what a site sent.
const MAX_QUOTED_BYTES: usize = 80;

/// How far a form with a password is looked for in a page that came instead of a document.
const MAX_LOOKED_AT: usize = 256 << 10;

/// A document that is none of the kind that was expected. The text says "it is …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRead {
    /// There is no text in it.
    #[error("it is empty")]
    Empty,
    /// A page for people: an error page, a front page, a login.
    #[error("it is an HTML page{}, not a {wanted}", if *.asks_for_password { " that asks for a password" } else { "" })]
    Html {
        /// The expected kind.
        wanted: &'static str,
        /// Whether it has a field for a password.
        asks_for_password: bool,
    },
    /// XML of another kind.
    #[error("it is XML, but no {wanted}: its outermost element is {root:?}")]
    OtherXml {
        /// The expected kind.
        wanted: &'static str,
        /// The name of the outermost element.
        root: String,
    },
    /// Something else, or broken at its very beginning.
    #[error("it is no {wanted}: it begins with {head:?}")]
    Other {
        /// The expected kind.
        wanted: &'static str,
        /// Its first characters.
        head: String,
    },
    /// A gzip file that cannot be unpacked.
    #[error("it is a gzip file that cannot be unpacked: {0}")]
    Gzip(String),
}

/// Something that is wrong with a document of which entries were read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// It breaks off; what comes before was read.
    Broken {
        /// Byte of the decompressed text, as UTF-8, at which it does.
        at: u64,
        /// The mistake there.
        problem: String,
    },
    /// A sitemap of more than 50,000 URLs. All are read.
    TooManyUrls,
    /// More items or links than are read of a feed or list.
    TooManyItems,
    /// More bytes, decompressed, than are read; the rest is not.
    TooLong,
    /// Entries without a URL that can be crawled were left out.
    Unusable {
        /// How many.
        count: u64,
        /// The text of the first; empty if it has none.
        first: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken { at, problem } => {
                write!(f, "it breaks off at byte {at}: {problem}; what comes before was read")
            }
            Self::TooManyUrls => f.write_str("it has more than the 50,000 URLs that a sitemap may have"),
            Self::TooManyItems => f.write_str("it has more items than are read; the rest was left out"),
            Self::TooLong => f.write_str("it is too long; the rest was not read"),
            Self::Unusable { count, first } => {
                write!(f, "{count} without a URL that can be crawled left out, the first: {first:?}")
            }
        }
    }
}

/// The form of a text, by its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Empty,
    Xml,
    Json,
    Text,
}

/// Beginnings of documents that may stand behind a warning of the program that writes them.
const ROOTS: &[&str] = &["<?xml", "<urlset", "<sitemapindex", "<rss", "<feed", "<rdf:RDF", "<!DOCTYPE html", "<html"];

impl Form {
    pub fn of(head: &str) -> Self {
        let head = head.trim_start();
        match head.bytes().next() {
            None => Self::Empty,
            Some(b'<') => Self::Xml,
            Some(b'{') => Self::Json,
            Some(_) if ROOTS.iter().any(|root| head.contains(root)) => Self::Xml,
            Some(_) => Self::Text,
        }
    }
}

/// Opens `body`, of which at most so many bytes are read; its text, and how that begins.
///
/// # Errors
/// [`NotRead::Empty`] and [`NotRead::Gzip`].
pub(crate) fn open<'b>(
    body: &'b [u8],
    content_type: Option<&[u8]>,
    max_bytes: u64,
) -> Result<(Utf8<'b>, String), NotRead> {
    let mut text = Utf8::new(body, content_type, max_bytes);
    let head = text.head().map_err(|error| NotRead::Gzip(quoted(&error.to_string())))?;
    if head.trim_start().is_empty() { Err(NotRead::Empty) } else { Ok((text, head)) }
}

/// The error for an HTML page of which `body` is the whole.
pub(crate) fn html(body: &[u8], wanted: &'static str) -> NotRead {
    let looked_at = body[..body.len().min(MAX_LOOKED_AT)].to_ascii_lowercase();
    let has = |text: &[u8]| looked_at.windows(text.len()).any(|window| window == text);
    let asks_for_password = [&b"type=\"password\""[..], b"type='password'", b"type=password"].into_iter().any(has);
    NotRead::Html { wanted, asks_for_password }
}

/// The error for a text that begins with `head`.
pub(crate) fn other(head: &str, wanted: &'static str) -> NotRead {
    NotRead::Other { wanted, head: quoted(head.trim_start()) }
}

/// As much of a text as is quoted.
pub(crate) fn quoted(text: &str) -> String {
    cut(text, MAX_QUOTED_BYTES).to_owned()
}

/// The longest beginning of `text` within `max_bytes`.
pub(crate) fn cut(text: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

/// The absolute URL of `href` without its fragment, if it is one that can be crawled.
pub(crate) fn absolute(base: &Url, href: &str) -> Option<String> {
    let href = href.trim();
    // Control characters are those of a broken file, not of a URL.
    if href.is_empty() || href.len() > MAX_URL_BYTES || href.contains(|c: char| c.is_control()) {
        return None;
    }
    let mut url = base.join(href).ok()?;
    record::check(&url).ok()?;
    url.set_fragment(None);
    (url.as_str().len() <= MAX_URL_BYTES).then(|| url.into())
}

/// The notes of a document, each kind once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Vec<Note>);

impl Notes {
    pub fn all(&self) -> &[Note] {
        &self.0
    }

    pub fn add(&mut self, note: Note) {
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    pub fn broken(&mut self, at: u64, problem: &str) {
        self.add(Note::Broken { at, problem: quoted(problem) });
    }

    /// One more entry that cannot be used.
    pub fn unusable(&mut self, text: &str) {
        for note in &mut self.0 {
            if let Note::Unusable { count, .. } = note {
                *count += 1;
                return;
            }
        }
        self.0.push(Note::Unusable { count: 1, first: quoted(text.trim()) });
    }
}
