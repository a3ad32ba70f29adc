//! Texts being collected: one buffer that the open headings and anchors share.
//!
//! Elements nest, so the text of an inner one lies inside that of the outer one: each capture is a place in
//! the buffer where it starts. What no open capture still needs is not kept.

use std::ops::Range;

use super::limits::{self, Limit, Met};
use super::text::{MAX_CHAR_BYTES, Nul, boundary, decode_into, fold_into};
use super::{MAX_ANCHOR_BYTES, MAX_ANCHORS_TOTAL_BYTES, MAX_TEXT_BYTES};

/// Memory for the texts of links beyond this is freed before the next page.
const KEPT_BYTES: usize = 64 * 1024;
const KEPT_RANGES: usize = 4 * 1024;

/// The element or link whose text is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The first `<h1>`.
    H1,
    /// The link with this index.
    Anchor(usize),
}

impl Owner {
    /// Bytes that are collected: a few more than are kept show whether there are more.
    fn max_bytes(self) -> usize {
        let kept = match self {
            Self::H1 => MAX_TEXT_BYTES,
            Self::Anchor(_) => MAX_ANCHOR_BYTES,
        };
        kept + MAX_CHAR_BYTES
    }

    fn limit(self) -> &'static Limit {
        match self {
            Self::H1 => &limits::H1,
            Self::Anchor(_) => &limits::LINK_TEXT,
        }
    }
}

/// Identifies an open capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureId(u32);

impl CaptureId {
    /// No capture.
    pub const NONE: Self = Self(0);
}

#[derive(Debug)]
struct Capture {
    id: CaptureId,
    owner: Owner,
    start: usize,
}

/// The open captures and the texts that are complete.
#[derive(Debug, Default)]
pub struct Captures {
    buffer: String,
    open: Vec<Capture>,
    last_id: u32,
    /// Length of the buffer at which every open capture has all that it may keep.
    enough: usize,
    /// Of those that are kept and of the first that was not.
    anchors_total_bytes: usize,
    /// The limits that were met.
    pub(super) met: Met,
    /// Text of the first `<h1>`.
    pub h1: Option<String>,
    /// Texts of links, one behind the other in the order in which they ended ...
    anchors: String,
    /// ... and where the text of each link is, by its index.
    anchor_ranges: Vec<Range<usize>>,
}

impl Captures {
    /// Forgets everything but the memory it holds, if that is little.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.open.clear();
        self.anchors.clear();
        self.anchors.shrink_to(KEPT_BYTES);
        self.anchor_ranges.clear();
        self.anchor_ranges.shrink_to(KEPT_RANGES);
        self.met = Met::default();
        self.h1 = None;
        self.last_id = 0;
        self.enough = 0;
        self.anchors_total_bytes = 0;
    }

    /// The text of the link with this index.
    pub fn anchor(&self, link: usize) -> &str {
        self.anchor_ranges.get(link).and_then(|range| self.anchors.get(range.clone())).unwrap_or_default()
    }

    /// Whether text that comes now belongs to anything.
    #[inline]
    pub fn want_text(&self) -> bool {
        self.buffer.len() < self.enough
    }

    /// Adds text with character references.
    pub fn push_encoded(&mut self, text: &str, nul: Nul) {
        decode_into(&mut self.buffer, text, self.enough, nul);
    }

    /// Adds text without character references.
    pub fn push_plain(&mut self, text: &str, nul: Nul) {
        fold_into(&mut self.buffer, text, self.enough, nul);
    }

    /// The place that text pushed now would have.
    #[inline]
    pub fn mark(&self) -> usize {
        self.buffer.len()
    }

    /// Starts to collect the text of `owner`.
    pub fn open(&mut self, owner: Owner) -> CaptureId {
        self.last_id += 1;
        let id = CaptureId(self.last_id);
        self.open.push(Capture { id, owner, start: self.buffer.len() });
        self.enough = self.enough.max(self.buffer.len() + owner.max_bytes());
        id
    }

    /// Ends the capture `id`, with the text up to `mark`.
    pub fn close(&mut self, id: CaptureId, mark: usize) {
        let Some(index) = self.open.iter().rposition(|capture| capture.id == id) else { return };
        let Capture { owner, start, .. } = self.open.remove(index);
        let end = boundary(&self.buffer, mark.max(start));
        let text = self.buffer.get(start..end).unwrap_or_default();
        // A space at the start counts as text until here, so the limit is applied to what remains.
        let text = self.met.within(owner.limit(), text.trim_start());
        match owner {
            Owner::H1 => self.h1 = Some(text.to_owned()),
            Owner::Anchor(link) => {
                self.anchors_total_bytes += text.len();
                if self.anchors_total_bytes > MAX_ANCHORS_TOTAL_BYTES {
                    self.met.note(&limits::LINK_TEXTS);
                } else {
                    if self.anchor_ranges.len() <= link {
                        self.anchor_ranges.resize(link + 1, 0..0);
                    }
                    let start = self.anchors.len();
                    self.anchors.push_str(text);
                    self.anchor_ranges[link] = start..self.anchors.len();
                }
            }
        }
        self.enough = self.open.iter().map(|capture| capture.start + capture.owner.max_bytes()).max().unwrap_or(0);
        self.buffer.truncate(boundary(&self.buffer, self.enough));
    }
}
