//! Files that name URLs, read as streams: nothing here holds a whole list in memory.
//!
//! - [`url_list`]: text, CSV, JSON lines and archives as lists of URLs.
//! - [`archive`]: WARC files, record by record.

#![forbid(unsafe_code)]

pub mod archive;
pub mod url_list;
