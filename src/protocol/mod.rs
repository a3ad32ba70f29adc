//! Messages between the processes, and how they become bytes. Knows nobody.
//!
//! - [`frame`]: length-prefixed frames; lengths are checked against a ceiling before anything is allocated.
//! - [`messages`]: what each edge may say, one type per direction.
//!
//! Every channel is a Unix stream socket; its first frame is a [`messages::Hello`].

pub mod frame;
pub mod messages;

pub use frame::{Frame, FrameBuffer, FrameError, encode};
pub use messages::*;
