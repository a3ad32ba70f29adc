//! Messages between the processes, and how they become bytes. Knows nobody.
//!
//! - [`found`]: URLs that pages name.
//! - [`frame`]: length-prefixed frames; lengths are checked against a ceiling before anything is allocated.
//! - [`messages`]: what each edge of a crawl may say, one type per direction; [`reextract`]: the same of `seine extract`;
//!   [`processing`]: of processors.
//!
//! Every channel is a Unix stream socket; its first frame is a [`messages::Hello`].

pub mod found;
pub mod frame;
pub mod messages;
pub mod processing;
pub mod reextract;

pub use found::{Found, Place, UrlKind};
pub use frame::{Frame, FrameBuffer, FrameError, encode};
pub use messages::*;
