//! Words looked for in titles and main texts, by an index in a file of its own beside the store.
//!
//! - `index`: the file, brought up to date and asked.
//! - `query`: what users write, as FTS5 understands it.
//!
//! The store is only read. The index has the words and where they stand, not the texts: those are in the store. Of each page
//! it is noted what the words were taken from, so a search brings the index up to date by the pages that are new or others
//! now. It can be removed at any time.

mod index;
mod query;

pub use index::{Hit, Index, MARKS, SearchError, Updated, path_of};
pub use query::QueryError;

/// Of each page what its words are taken from: its texts, by where they come from and how long they are. That of a page
/// with no text at all is NULL.
const STAMPED: &str = "SELECT p.url_id, p.body_id, coalesce(p.content_at, p.fetched_at), octet_length(p.title), \
                       octet_length(e.text), octet_length(e.markdown) \
                       FROM page p LEFT JOIN page_extra e ON e.url_id = p.url_id WHERE p.outcome = 0 AND p.url_id > ?1 \
                       ORDER BY p.url_id LIMIT ?2";

/// What the words of a page are taken from.
const TEXTS: &str = "SELECT p.title, coalesce(e.text, e.markdown) FROM page p LEFT JOIN page_extra e ON e.url_id = p.url_id \
                     WHERE p.url_id = ?1";

/// What is shown of a page.
const SHOWN: &str = "SELECT u.url, p.title, coalesce(e.text, e.markdown, '') FROM url u \
                     CROSS JOIN page p ON p.url_id = u.url_id LEFT JOIN page_extra e ON e.url_id = u.url_id WHERE u.url_id = ?1";

/// Pages looked at in one short transaction of the store.
const PAGES_AT_ONCE: i64 = 10_000;

#[cfg(test)]
mod tests;
