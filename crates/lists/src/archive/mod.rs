//! Web archives in: WARC files (ISO 28500) as a list of records, and one record of them read at its place.
//!
//! - [`warc`]: records, one after the other or at a known byte.
//! - [`http`]: the HTTP message in a record's block.
//!
//! Reads files and nothing else: no network, no store.

pub mod http;
pub mod warc;
