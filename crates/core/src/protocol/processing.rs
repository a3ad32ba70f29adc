//! What processors have to say: one [`Processed`] for each record they were given, on a queue to the writer.

use serde::{Deserialize, Serialize};

use crate::record::UrlId;

/// What a processor gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Input {
    /// Pages that ended ok: their URLs and fields.
    Pages,
    /// The same with their stored bodies.
    Bodies,
    /// Items of a collection.
    Items,
}

/// What became of one record. Comes again only if the mark that goes with it was not committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Processed {
    /// Index of the processor, in the order of the config.
    pub processor: u16,
    /// The record: id of a URL or of an item.
    pub record: i64,
    /// Whether it is an item.
    pub is_item: bool,
    /// Which state of the record it was: one that is other later is processed again.
    pub version: i64,
    /// The page the record is, or is of.
    pub url_id: UrlId,
    /// Its answer.
    pub answer: Result<Vec<String>, Failed>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// For people; may hold text of a program or a site.
    pub reason: String,
}

/// The supervisor to the processor host. The end of the channel means: stop at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToHost {
    /// Nothing more will be stored but by processors: do what is left, then exit.
    Drain,
}

/// The processor host to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromHost {
    /// So many records are answered, of about so many.
    Progress {
        /// Answered or failed.
        done: u64,
        /// What there was to do when it was last counted.
        total: u64,
    },
    /// Worth knowing.
    Warning(String),
    /// Everything that could be done is done and lasting; the host exits.
    Done(Vec<Tally>),
    /// A processor cannot be had at all; nothing was done.
    Fatal {
        /// Full sentence for people.
        message: String,
        /// Whether the configuration is to blame.
        usage: bool,
    },
}

/// What one processor has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Its name.
    pub name: String,
    /// Records answered.
    pub records: u64,
    /// Items of the answers.
    pub items: u64,
    /// Records without an answer, kept as problems.
    pub failed: u64,
    /// Why it was given up; its records stay to be done.
    pub stopped: Option<String>,
}

/// The writer to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromMarker {
    /// The store is open and every processor has its collection.
    Ready,
    /// Nothing more can be written.
    Fatal {
        /// Full sentence for people.
        message: String,
        /// Why.
        cause: super::reextract::Cause,
    },
}
