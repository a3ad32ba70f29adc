//! Bytes in, findings out: pure functions, no network, no file, no clock.
//!
//! - [`extract`]: fields, items, text and links of a page.
//! - [`robots`]: what a robots.txt allows.

#![forbid(unsafe_code)]

pub mod extract;
pub mod robots;
