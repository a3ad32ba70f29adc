//! The Harbour Shop: a small site inside the binary, so that `seine demo` has something real to crawl.
//!
//! Half of the room is pure: [`Site::answer`] turns a request line into an [`Answer`], the same bytes every
//! time. [`url_list`] names where the demo begins, and [`listed_urls`] a page of every kind together with how it must
//! end ([`expected`]). The other half, `serve`, speaks HTTP/1.1 on a listener that the caller opened.
//!
//! The site is a shop as people build them, and it has the troubles that real sites have: pages in old
//! charsets, redirect chains and a loop, answers that come late, in part, at the second try or not at all, a link to nowhere and a calendar without end.
//!
//! - `pages`: which path gives which answer; [`Site`], the only state (how often a flaky page was asked for)
//! - `listing`: the URL list of the demo; a page of every kind, and how each ends
//! - `trouble`: the pages that go wrong, and the page that links them
//! - `shop`, `journal`, `calendar`, `feeds`, `picture`: the good pages; `catalog` and `goods`: what is
//!   for sale; `layout`: the frame of every page
//! - `serve`: sockets, bounds and the faults of an [`Answer`]

#![forbid(unsafe_code)]

mod calendar;
mod catalog;
mod feeds;
mod goods;
mod journal;
mod layout;
mod listing;
mod pages;
mod picture;
mod serve;
mod shop;
mod trouble;

use std::time::Duration;

pub use listing::{Expected, expected, is_url_list, listed_urls, url_list};
pub use pages::Site;
pub use serve::{begin_sale, serve};

/// What the site says to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Header fields; length, date and connection are added when it is sent.
    pub headers: Vec<(String, String)>,
    /// The body, encoded as `Content-Encoding` says; not sent to HEAD.
    pub body: Vec<u8>,
    /// How long to wait before the first byte.
    pub delay: Duration,
    /// What goes wrong on the wire.
    pub fault: Option<Fault>,
}

/// What goes wrong on the wire while an [`Answer`] is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is reset after half of the body.
    ResetMidBody,
    /// The connection is closed in good order after half of the body that `Content-Length` announced.
    TruncatedLength,
    /// The connection is closed without a byte.
    CloseBeforeResponse,
}
