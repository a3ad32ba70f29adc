//! URL lists: files of URLs in, one [`Entry`] per record out.
//!
//! - [`open`] opens every list before anything starts: a missing or empty one costs no half a run.
//! - [`UrlList`] is one list; [`UrlList::next`] never waits and holds one record, however long the list is.
//! - [`Entry`] is one record: a URL, or the reason why it is none, with the other columns beside it.
//!
//! Inside, bytes take this way: `input` (what can be read now) → `decode` (gzip and zstd undone) →
//! `lines` (physical lines, numbered) → `csv` with `columns`, `jsonl` with `json`, or plain text →
//! `entry`. Each step does a bounded amount of work, so a poll loop can own all of it.

use std::collections::HashSet;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod columns;
mod csv;
mod decode;
mod entry;
mod error;
mod input;
mod json;
mod jsonl;
mod lines;
mod text;

pub use entry::Entry;
pub use error::ListError;
pub use input::Fingerprint;

use input::Input;
use lines::Lines;

/// Where the URL is in lists that are tables.
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
    /// A file, or anything else that has a path.
    Path(PathBuf),
    /// Standard input.
    Stdin,
}

impl From<PathBuf> for Source {
    /// As given on the command line: `-` is standard input.
    fn from(path: PathBuf) -> Self {
        if path == Path::new("-") { Self::Stdin } else { Self::Path(path) }
    }
}

/// What [`UrlList::next`] came to.
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

/// Opens all `sources`, each file once, in the order given. Waits for the first record of each list, so that what is
/// empty or cannot be understood is known now; on a pipe that takes as long as its writer does.
///
/// # Errors
/// [`ListError`] naming the first list that cannot be opened, is empty or has no column for the URL.
pub fn open(sources: &[Source], options: &ListOptions) -> Result<Vec<UrlList>, ListError> {
    let mut seen = HashSet::new();
    let mut opened = Vec::new();
    for source in sources {
        let (name, input) = match source {
            Source::Path(path) => (path.to_string_lossy().into_owned(), Input::open(path)),
            Source::Stdin => ("-".to_owned(), Input::stdin()),
        };
        let input = input.map_err(|source| ListError::Open { name: name.clone(), source })?;
        if input.is_dir() {
            return Err(ListError::Directory { name });
        }
        if seen.insert(input.identity()) {
            opened.push((name, input));
        }
    }
    opened.into_iter().map(|(name, input)| UrlList::checked(&name, input, options)).collect()
}

/// One list, read forward.
pub struct UrlList {
    name: Arc<str>,
    lines: Lines,
    format: Format,
    /// Read already to know that the list is not empty.
    first: Option<Entry>,
    is_finished: bool,
}

/// How records are told apart.
enum Format {
    Text,
    Csv(Box<csv::Rows>),
    Jsonl(jsonl::Objects),
}

impl UrlList {
    /// The list's name as given, `-` for standard input; lossy where it is not UTF-8.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The descriptor to poll for reading when [`Self::next`] says [`Step::Pending`]; `None` for files, which never do.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.lines.input().pollable()
    }

    /// The state of a regular file at the time it was opened; `None` for all else.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.lines.input().fingerprint()
    }

    /// The next record. Takes a bounded time and never waits; after [`Step::End`] or an error only `End` follows.
    ///
    /// # Errors
    /// [`ListError`] if the list cannot be read on. All records before that were handed out.
    #[allow(clippy::should_implement_trait, reason = "a step is no item: it may say that there is none yet")]
    #[inline]
    pub fn next(&mut self) -> Result<Step, ListError> {
        if let Some(entry) = self.first.take() {
            return Ok(Step::Entry(entry));
        }
        if self.is_finished {
            return Ok(Step::End);
        }
        self.lines.start_turn();
        let step = match &mut self.format {
            Format::Text => text::next(&mut self.lines),
            Format::Csv(rows) => rows.next(&mut self.lines),
            Format::Jsonl(objects) => objects.next(&mut self.lines),
        };
        self.is_finished = matches!(step, Ok(Step::End) | Err(_));
        step
    }

    /// The list in `input`, if it has a first record.
    fn checked(name: &str, input: Input, options: &ListOptions) -> Result<Self, ListError> {
        let mut list = Self::new(name, input, options)?;
        loop {
            match list.next()? {
                Step::Entry(first) => list.first = Some(first),
                Step::Skipping => continue,
                Step::Pending => {
                    let waited = list.lines.input().wait();
                    waited.map_err(|source| ListError::Open { name: name.to_owned(), source })?;
                    continue;
                }
                Step::End => return Err(ListError::Empty { name: name.to_owned() }),
            }
            if !list.lines.input().is_regular() {
                return Ok(list);
            }
            // Files start over when their turn comes: until then they hold no buffer, however many there are.
            let mut input = list.lines.into_input();
            input.rewind().map_err(|source| ListError::Open { name: name.to_owned(), source })?;
            return Self::new(name, input, options);
        }
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
        let name: Arc<str> = name.into();
        let lines = Lines::new(name.clone(), input, announced);
        Ok(Self { name, lines, format, first: None, is_finished: false })
    }
}

#[cfg(test)]
mod tests;
