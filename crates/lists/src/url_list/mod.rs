//! URL lists: files of URLs in, one [`Entry`] per record out.
//!
//! - [`open`] opens every list before anything starts: what is missing, empty or no list costs no half a run.
//! - [`UrlList`] is one list; [`UrlList::next`] never waits and holds one record, however long the list is.
//! - [`Entry`] is one record: a URL, or the reason why it is none, with the other columns beside it.
//!
//! Inside, bytes take this way: `input` (what can be read now) → `decode` (gzip and zstd undone; `foreign` knows what is
//! no list) → `lines` (physical lines, numbered) → `csv` with `delimiter` and `columns`, `jsonl` with `json`, or plain
//! text → `entry`; those of an archive through `warc`; URLs of a command line are `given`. Each step does a bounded amount
//! of work, so a poll loop can own all of it. `opening` looks at the beginning of each list.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod columns;
mod csv;
mod decode;
mod delimiter;
mod entry;
mod error;
mod foreign;
mod given;
mod input;
mod json;
mod jsonl;
mod lines;
mod opening;
mod text;
mod warc;

pub use entry::Entry;
pub use error::ListError;
pub use opening::{open, url_meant};

use input::Input;
use lines::Lines;
use seine_core::protocol::UrlKind;

/// The place of the URL in lists that are tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// CSV: a column's name, or its number from 1. Makes lists of unknown format CSV.
    pub url_column: Option<String>,
    /// JSONL: a field's name, or a path with dots. Makes lists of unknown format JSONL.
    pub url_field: Option<String>,
}

/// A list to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A WARC file: its URLs, with their answers.
    Archive(PathBuf),
    /// A file, or anything else that has a path.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// A URL itself.
    Url(String),
}

impl From<PathBuf> for Source {
    /// As given on the command line: `-` is standard input, `https://…` and `http://…` are URLs.
    fn from(word: PathBuf) -> Self {
        match word.to_str() {
            Some("-") => Self::Stdin,
            Some(text) if columns::is_url(text.trim_start()) => Self::Url(text.to_owned()),
            _ => Self::Path(word),
        }
    }
}

/// The outcome of [`UrlList::next`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next record.
    Entry(Entry),
    /// Nothing to read now: poll [`UrlList::fd`].
    Pending,
    /// Much was read that holds no record (comments, one endless line); more is at hand: call again, without a poll.
    Skipping,
    /// No record is left.
    End,
}

/// One list, read forward.
pub struct UrlList {
    name: Arc<str>,
    records: Records,
    /// Read already to know that the list has a URL.
    first: VecDeque<Entry>,
    is_finished: bool,
    kind: UrlKind,
}

/// The source of its records.
enum Records {
    Lines { lines: Lines, format: Format },
    Archive(warc::Responses),
    Given(given::Given),
}

/// How records are told apart in lines.
enum Format {
    Text,
    Csv(Box<csv::Rows>),
    Jsonl(jsonl::Objects),
}

impl Format {
    /// Another column or field makes another list of the same file.
    fn asked_for(&self) -> String {
        match self {
            Self::Text => String::new(),
            Self::Csv(rows) => rows.asked_for().map_or(String::new(), |column| format!(" column {column:?}")),
            Self::Jsonl(objects) => objects.asked_for().map_or(String::new(), |field| format!(" field {field:?}")),
        }
    }
}

impl UrlList {
    /// The list's name as given, `-` for standard input, `command line` for URLs given themselves; lossy where it is not
    /// UTF-8.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind of document that is expected at its URLs: pages, unless told.
    pub fn kind(&self) -> UrlKind {
        self.kind
    }

    /// The list as one of URLs at which this is expected.
    #[must_use]
    pub fn of_kind(self, kind: UrlKind) -> Self {
        Self { kind, ..self }
    }

    /// The descriptor to poll for reading when [`Self::next`] says [`Step::Pending`]; `None` for files, which never do.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.records {
            Records::Lines { lines, .. } => lines.input().pollable(),
            Records::Archive(_) | Records::Given(_) => None,
        }
    }

    /// A text that is another one when the list is: of the state of a regular file at the time it was opened and of the
    /// column or field that was asked for, or of the URLs given themselves; `None` for all else.
    pub fn fingerprint(&self) -> Option<String> {
        match &self.records {
            Records::Lines { lines, format } => {
                Some(format!("{:?}{}", lines.input().fingerprint()?, format.asked_for()))
            }
            Records::Archive(responses) => Some(format!("{:?}", responses.fingerprint()?)),
            Records::Given(given) => Some(given.fingerprint().to_owned()),
        }
    }

    /// A note for people about the list, once it was read to its end.
    pub fn note(&self) -> Option<String> {
        match &self.records {
            Records::Lines { .. } | Records::Given(_) => None,
            Records::Archive(responses) => responses.note(),
        }
    }

    /// The next record. Takes a bounded time and never waits; after [`Step::End`] or an error only `End` follows.
    ///
    /// # Errors
    /// [`ListError`] if the list cannot be read on. All records before that were handed out.
    #[allow(clippy::should_implement_trait, reason = "a step is no item: it may say that there is none yet")]
    #[inline]
    pub fn next(&mut self) -> Result<Step, ListError> {
        if let Some(entry) = self.first.pop_front() {
            return Ok(Step::Entry(entry));
        }
        if self.is_finished {
            return Ok(Step::End);
        }
        let step = match &mut self.records {
            Records::Lines { lines, format } => {
                lines.start_turn();
                match format {
                    Format::Text => text::next(lines),
                    Format::Csv(rows) => rows.next(lines),
                    Format::Jsonl(objects) => objects.next(lines),
                }
            }
            Records::Archive(responses) => responses.next(),
            Records::Given(given) => Ok(given.next()),
        };
        self.is_finished = matches!(step, Ok(Step::End) | Err(_));
        step
    }

    /// A list of `urls` that has this name.
    ///
    /// # Errors
    /// [`ListError::BadUrl`] for the first that cannot be crawled.
    pub fn named(name: &str, urls: Vec<String>) -> Result<Self, ListError> {
        Ok(Self::of(name, Records::Given(given::Given::checked(urls)?)))
    }

    fn of(name: &str, records: Records) -> Self {
        Self { name: name.into(), records, first: VecDeque::new(), is_finished: false, kind: UrlKind::Page }
    }

    /// The list in `input`, in the format its name and the options tell.
    fn new(name: &str, input: Input, options: &ListOptions) -> Result<Self, ListError> {
        let lower = name.to_lowercase();
        let (stem, announced) = match () {
            () if lower.ends_with(".gz") => (&lower[..lower.len() - 3], Some("gzip")),
            () if lower.ends_with(".zst") => (&lower[..lower.len() - 4], Some("zstd")),
            () => (lower.as_str(), None),
        };
        let csv = |delimiter| Format::Csv(Box::new(csv::Rows::new(options.url_column.clone(), delimiter)));
        let jsonl = || Format::Jsonl(jsonl::Objects::new(options.url_field.clone()));
        let format = match Path::new(stem).extension().and_then(|extension| extension.to_str()) {
            Some("csv") => csv(b','),
            Some("tsv") => csv(b'\t'),
            Some("jsonl" | "ndjson") => jsonl(),
            _ => match (&options.url_column, &options.url_field) {
                (None, None) => Format::Text,
                (Some(_), None) => csv(b','),
                (None, Some(_)) => jsonl(),
                (Some(_), Some(_)) => return Err(ListError::Ambiguous { name: name.to_owned() }),
            },
        };
        let lines = Lines::new(name.into(), input, announced, matches!(format, Format::Jsonl(_)));
        Ok(Self::of(name, Records::Lines { lines, format }))
    }
}

#[cfg(test)]
mod tests;
