//! URL lists: files of URLs in, one [`Entry`] per record out.
//!
//! - [`open`] opens every list before anything starts: a missing or empty one costs no half a run.
//! - [`UrlList`] is one list; [`UrlList::next`] never waits and holds one record, however long the list is.
//! - [`Entry`] is one record: a URL, or the reason why it is none, with the other columns beside it.
//!
//! Inside, bytes take this way: `input` (what can be read now) → `decode` (gzip and zstd undone) →
//! `lines` (physical lines, numbered) → `csv` with `columns`, `jsonl` with `json`, or plain text →
//! `entry`; those of an archive through `warc`. Each step does a bounded amount of work, so a poll loop can own all of it.

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
mod warc;

pub use entry::Entry;
pub use error::ListError;
pub use input::Fingerprint;

use input::Input;
use lines::Lines;
use seine_core::protocol::UrlKind;

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
    /// A WARC file: its URLs, with their answers.
    Archive(PathBuf),
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
            Source::Archive(path) => (warc::name(path)?, Input::open(path)),
            Source::Stdin => ("-".to_owned(), Input::stdin()),
        };
        let input = input.map_err(|source| ListError::Open { name: name.clone(), source })?;
        if input.is_dir() {
            return Err(ListError::Directory { name });
        }
        if seen.insert(input.identity()) {
            opened.push((source, name, input));
        }
    }
    let opened = opened.into_iter().map(|(source, name, input)| match source {
        Source::Archive(_) => UrlList::archive(&name, input),
        Source::Path(_) | Source::Stdin => UrlList::checked(&name, input, options),
    });
    opened.collect()
}

/// One list, read forward.
pub struct UrlList {
    name: Arc<str>,
    records: Records,
    /// Read already to know that the list is not empty.
    first: Option<Entry>,
    is_finished: bool,
    kind: UrlKind,
}

/// Where its records come from.
enum Records {
    Lines { lines: Lines, format: Format },
    Archive(warc::Responses),
}

/// How records are told apart in lines.
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

    /// What is expected at its URLs: pages, unless told.
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
            Records::Archive(_) => None,
        }
    }

    /// The state of a regular file at the time it was opened; `None` for all else.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match &self.records {
            Records::Lines { lines, .. } => lines.input().fingerprint(),
            Records::Archive(responses) => responses.fingerprint(),
        }
    }

    /// What is worth knowing of it, once it was read to its end.
    pub fn note(&self) -> Option<String> {
        match &self.records {
            Records::Lines { .. } => None,
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
        if let Some(entry) = self.first.take() {
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
        };
        self.is_finished = matches!(step, Ok(Step::End) | Err(_));
        step
    }

    /// The list in `input`, if it has a first record.
    fn checked(name: &str, input: Input, options: &ListOptions) -> Result<Self, ListError> {
        let mut list = Self::new(name, input, options)?;
        loop {
            let step = list.next()?;
            let Records::Lines { lines, .. } = &list.records else { return Ok(list) };
            match step {
                Step::Entry(first) => list.first = Some(first),
                Step::Skipping => continue,
                Step::Pending => {
                    let waited = lines.input().wait();
                    waited.map_err(|source| ListError::Open { name: name.to_owned(), source })?;
                    continue;
                }
                Step::End => return Err(ListError::Empty { name: name.to_owned() }),
            }
            if !lines.input().is_regular() {
                return Ok(list);
            }
            // Files start over when their turn comes: until then they hold no buffer, however many there are.
            let Records::Lines { lines, .. } = list.records else { return Ok(list) };
            let mut input = lines.into_input();
            input.rewind().map_err(|source| ListError::Open { name: name.to_owned(), source })?;
            return Self::new(name, input, options);
        }
    }

    /// The archive in `input`, if it has a first record.
    fn archive(name: &str, input: Input) -> Result<Self, ListError> {
        let responses = warc::Responses::checked(name, input)?;
        Ok(Self {
            name: name.into(),
            records: Records::Archive(responses),
            first: None,
            is_finished: false,
            kind: UrlKind::Page,
        })
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
        Ok(Self {
            name,
            records: Records::Lines { lines, format },
            first: None,
            is_finished: false,
            kind: UrlKind::Page,
        })
    }
}

#[cfg(test)]
mod tests;
