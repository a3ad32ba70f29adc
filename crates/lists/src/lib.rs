//! Files that name URLs, read as streams: nothing here holds a whole list in memory.
//!
//! - [`url_list`]: text, CSV, JSON lines and archives as lists of URLs.
//! - [`archive`]: WARC files, record by record.
//!
//! The reader of WARC files is our own on purpose: it finds the next record behind damage and says what was lost, and
//! reads a record at its place again.

#![forbid(unsafe_code)]

pub mod archive;
pub mod url_list;
