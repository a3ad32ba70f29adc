//! What the processes of `seine extract` say to each other; one type per direction.
//!
//! ```text
//! supervisor ── ToKeeper ──► writer ── PageJob + compressed body ──► extractor
//! supervisor ◄─ FromKeeper ─ writer ◄──────────── Answer ─────────── extractor
//! ```

use serde::{Deserialize, Serialize};

use super::{Generation, Slot};
use crate::record::UrlId;
use crate::record::items::{Fill, PageExtras, PageItems};

/// Supervisor to the process that has the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToKeeper {
    /// The near end of an extractor's socket comes along as a file descriptor.
    Attach {
        /// The extractor's slot.
        slot: Slot,
        /// Counts the occupants of the slot.
        generation: Generation,
    },
    /// What was prepared is to be made lasting.
    Commit,
}

/// The process that has the store to the supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromKeeper {
    /// The store is open and has so many pages to read.
    Ready {
        /// Pages whose body will be read.
        pages: u64,
    },
    /// So many of them are done.
    Progress {
        /// Answered, or given up.
        done: u64,
    },
    /// An extractor is gone; a page it had is tried once more.
    Again {
        /// The page.
        url: String,
    },
    /// All pages are done: extractors are no longer needed.
    Read,
    /// All is compared, and written if it is to be; only COMMIT is missing, which waits for [`ToKeeper::Commit`].
    Prepared(Report),
    /// It is lasting; the process exits.
    Committed,
    /// Nothing has changed and nothing will; the process exits.
    Fatal {
        /// Full sentence for people.
        message: String,
        /// Why, as far as the exit code goes.
        cause: Cause,
    },
}

/// Kinds of what keeps rules from being applied again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// What was asked for cannot be done.
    Usage,
    /// No room on disk.
    DiskFull,
    /// Anything else.
    Failure,
}

/// A page for an extractor; its compressed body is the frame's tail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageJob {
    /// Its URL's row.
    pub url_id: UrlId,
    /// The URL that was listed.
    pub listed_url: String,
    /// The URL after redirects; `None` if there were none.
    pub final_url: Option<String>,
    /// The header's value.
    pub content_type: Option<String>,
    /// Size of the body, decompressed.
    pub bytes: u64,
}

/// What became of a page, in the order the pages were sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The page.
    pub url_id: UrlId,
    /// What was found, or why nothing can be said.
    pub found: Result<Found, Unread>,
}

/// The parts of a stored page that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What the rules find.
    pub items: PageItems,
    /// Text, Markdown, metadata and tables; `None` if none of them is wanted, or the page is no HTML.
    pub extras: Option<PageExtras>,
}

/// Why rules could not be applied to a stored page. Its items stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unread {
    /// It took more CPU time than `parse_timeout`.
    Timeout,
    /// The stored bytes are not what was stored.
    Damaged,
    /// The body is larger than `max_body` of the config.
    TooLarge,
    /// What was found is more than one message can carry.
    TooMuch,
    /// Two extractors died of it.
    Crash,
}

impl Unread {
    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "parse_timeout",
            Self::Damaged => "damaged",
            Self::TooLarge => "too_large",
            Self::TooMuch => "too_much",
            Self::Crash => "crash",
        }
    }
}

/// What applying rules again came to, or would come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Pages the rules were applied to.
    pub pages: u64,
    /// Pages with a body that was never stored: their items stay as they are.
    pub not_stored: u64,
    /// Pages that could not be read: likewise.
    pub unread: u64,
    /// Some of those.
    pub unread_pages: Vec<(String, Unread)>,
    /// The collections of the config, in its order.
    pub collections: Vec<CollectionChanges>,
    /// Collections of the store that the config does not name: all of theirs stays.
    pub left_alone: Vec<String>,
    /// Pages of which text, Markdown, metadata or tables were read.
    pub with_extras: u64,
    /// Those of them for which the store had others, or none.
    pub changed_extras: u64,
    /// What was not as the rules say, on the pages read.
    pub problems: u64,
}

/// What becomes of one collection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CollectionChanges {
    /// Its name.
    pub name: String,
    /// Items that were not there.
    pub added: u64,
    /// Items that are no longer found.
    pub removed: u64,
    /// Items with other data.
    pub changed: u64,
    /// Items that stay as they are, among them those of pages that were not read.
    pub same: u64,
    /// How well its rules fit the pages read.
    pub fill: Fill,
    /// Some of the added.
    pub added_examples: Vec<Example>,
    /// Some of the removed.
    pub removed_examples: Vec<Example>,
    /// Some of the changed.
    pub changed_examples: Vec<Example>,
}

/// One item that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Its page.
    pub url: String,
    /// Its data in the store, JSON; `None` if it was not there.
    pub before: Option<String>,
    /// Its data by the new rules, JSON; `None` if it is no longer found.
    pub after: Option<String>,
}
