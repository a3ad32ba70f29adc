//! HTML bytes in, the built-in fields of a page out: pure functions, no HTTP, no clock.
//!
//! One pass over the bytes and no tree, but for what needs one ([`arena`]). The answers are those that a DOM built by the HTML standard gives;
//! time is linear and memory bounded for any bytes whatever.
//!
//! - [`charset`]: which charset the bytes are in
//! - [`tokenize`]: text to tokens
//! - [`tags`]: tag names and what the standard says of them
//! - [`tree`]: what tags do to the open elements, so where an element ends
//! - [`stack`]: the open elements
//! - [`doctype`]: which doctypes change that
//! - [`captures`]: the texts of open elements
//! - [`text`]: character references, white space
//! - [`resolve`]: relative URL to absolute URL
//! - [`link_header`]: the links in the head of an answer
//! - `assets`, [`style`]: what a page shows, plays and runs, and what style sheets name
//! - [`robots`]: what a page asks of robots
//! - [`seen`]: which strings of a page were there before
//! - `blocks`: which elements are lines of their own, and which are not for readers
//! - [`fields`]: the fields put together
//! - [`likeness`]: which pages say nearly the same
//! - `missing`: which pages say that they are not there
//! - [`inside`]: the links inside chosen elements
//! - [`rules`]: what the collections of a config file find; for these there is a tree
//! - [`arena`]: a tree, for what cannot do without
//! - [`parsed`]: a page that is asked for several things, with one tree for all
//! - [`anchors`]: places within a page, for whoever checks links
//! - `scripts`: superscripts and subscripts in plain text
//! - `selection`: which nodes text and Markdown are written from
//! - [`extras`]: what was asked for beyond the fields: `metadata`, `article` (main text, Markdown), `tables`

pub mod anchors;
pub mod arena;
mod article;
mod assets;
mod blocks;
pub mod captures;
pub mod charset;
pub mod doctype;
pub mod extras;
pub mod fields;
mod grid;
mod images;
pub mod inside;
pub mod likeness;
mod limits;
pub mod link_header;
mod markdown;
mod metadata;
mod missing;
pub mod parsed;
mod prose;
pub mod resolve;
pub mod robots;
pub mod rules;
mod scripts;
pub mod seen;
pub mod select;
mod selection;
pub mod stack;
pub mod style;
mod tables;
pub mod tags;
pub mod text;
pub mod tokenize;
pub mod tree;

use seine_core::record::HtmlFields;
use seine_core::record::items::Excess;

/// The name by which a page can address this program alone in `<meta name=…>`.
pub const AGENT: &str = "seine";

/// Most links kept of one page; further ones are passed over.
pub const MAX_LINKS: usize = 100_000;

/// Longest text of a link, in bytes of UTF-8; the rest is cut off.
pub const MAX_ANCHOR_BYTES: usize = 1024;

/// Longest title, heading and description, in bytes of UTF-8; the rest is cut off.
pub const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Longest `rel` and `lang`, in bytes of UTF-8; the rest is cut off.
pub const MAX_TOKEN_BYTES: usize = 256;

/// Most bytes of all link texts of one page; later texts are empty.
pub const MAX_ANCHORS_TOTAL_BYTES: usize = 16 * 1024 * 1024;

/// Most bytes of all link URLs and `rel`s of one page; later links are passed over.
pub const MAX_LINKS_TOTAL_BYTES: usize = 16 * 1024 * 1024;

/// Extracts pages, one after the other; keeps its buffers in between.
#[derive(Default)]
pub struct Extractor {
    scratch: fields::Scratch,
    more: More,
}

/// What is read of a page beyond its fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct More {
    /// What it shows, plays and runs, told among its links.
    pub assets: bool,
    /// The hash of its words.
    pub likeness: bool,
}

/// The built-in fields of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extracted {
    /// The built-in fields.
    pub fields: HtmlFields,
    /// Name of the charset the body was read in, as the WHATWG Encoding Standard writes it (`windows-1252`).
    pub charset: &'static str,
    /// The limits that it met.
    pub beyond: Vec<Excess>,
    /// A hash of its words, see [`likeness`]; `None`: there are too few, or nobody asked.
    pub likeness: Option<u128>,
    /// It has little text, and that says that the page is not there.
    pub says_missing: bool,
}

impl Extractor {
    /// An extractor with empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// An extractor that reads this, too.
    pub fn with(more: More) -> Self {
        Self { more, ..Self::default() }
    }

    /// The fields of the page `body`, which was decompressed already. `content_type` is the header's value,
    /// if there was one; `url` is where the page came from, after redirects.
    pub fn html(&mut self, body: &[u8], content_type: Option<&[u8]>, url: &url::Url) -> Extracted {
        self.html_while(body, content_type, url, &|| true).expect("told to go on to the end")
    }

    /// The same as long as `keep_going` says so, which is asked after every few thousand tokens and links: `None` as
    /// soon as it says no. There is no clock in here; what a page may cost is the caller's business.
    pub fn html_while(
        &mut self,
        body: &[u8],
        content_type: Option<&[u8]>,
        url: &url::Url,
        keep_going: &dyn Fn() -> bool,
    ) -> Option<Extracted> {
        let (document, charset) = charset::decode(body, content_type);
        let mut read = |more: More| fields::extract(&mut self.scratch, more, &document, charset, url, keep_going);
        let (fields, beyond) = read(self.more)?;
        // Few pages seem to say that they are not there: of these the words are counted, whether anybody asked or not.
        let says_missing = missing::may_say_so(&fields) && {
            if !self.more.likeness {
                read(More { likeness: true, assets: false })?;
            }
            missing::says_so(&fields, self.scratch.words().count())
        };
        let likeness = self.scratch.words().likeness().filter(|_| self.more.likeness);
        Some(Extracted { fields, charset: charset.name(), beyond, likeness, says_missing })
    }
}

/// Whether a body is HTML to be parsed: because its Content-Type says so, or, without a usable one, because
/// it starts as the MIME Sniffing Standard has HTML start (behind a UTF-8 byte order mark too).
pub fn is_html(content_type: Option<&[u8]>, body: &[u8]) -> bool {
    match content_type.and_then(charset::essence) {
        Some(essence) => {
            let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
            let is_unknown = is("unknown/unknown") || is("application/unknown") || is("*/*");
            is("text/html") || is("application/xhtml+xml") || is_unknown && looks_like_html(body)
        }
        None => looks_like_html(body),
    }
}

fn looks_like_html(body: &[u8]) -> bool {
    const STARTS: [&str; 17] = [
        "<!doctype html",
        "<html",
        "<head",
        "<script",
        "<iframe",
        "<h1",
        "<div",
        "<font",
        "<table",
        "<a",
        "<style",
        "<title",
        "<b",
        "<body",
        "<br",
        "<p",
        "<!--",
    ];
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    STARTS.iter().any(|start| {
        body.get(..start.len()).is_some_and(|bytes| bytes.eq_ignore_ascii_case(start.as_bytes()))
            && matches!(body.get(start.len()), Some(b' ' | b'>'))
    })
}

#[cfg(test)]
mod tests;
