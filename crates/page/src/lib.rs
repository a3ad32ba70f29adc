//! Bytes in, findings out: pure functions, no network, no file, no clock.
//!
//! - [`extract`]: fields, items, text and links of a page.
//! - [`robots`]: what a robots.txt allows.
//!
//! The tokenizer and the rules of the tree are code of our own on purpose: one pass without a tree costs a tenth of what
//! html5ever's tree does, and a differential test holds it to that tree.

#![forbid(unsafe_code)]

pub mod extract;
pub mod robots;
