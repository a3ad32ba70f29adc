//! Why a list cannot be read. What is wrong with one line is no error: it is an entry's reason.

use std::io;

use super::decode::Fault;
use super::foreign::Foreign;
use crate::archive::warc::Damage;

/// Why a list cannot be read (on); the cause, if another layer knows it, is the source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// It cannot be opened.
    #[error("cannot open URL list {name}")]
    Open {
        /// The list.
        name: String,
        /// The cause.
        source: io::Error,
    },
    /// It is a directory.
    #[error("cannot read URL list {name}: it is a directory; name the files in it: {}/*", name.trim_end_matches('/'))]
    Directory {
        /// The list.
        name: String,
    },
    /// Nothing is in it.
    #[error("URL list {name} is empty: it has no line that is more than blank, comment or header")]
    Empty {
        /// The list.
        name: String,
    },
    /// Its name does not tell CSV from JSONL, and the options ask for both.
    #[error(
        "cannot tell the format of URL list {name}: --url-column says CSV, --url-field says JSONL; \
         give only one of them or a name that ends in .csv, .tsv or .jsonl"
    )]
    Ambiguous {
        /// The list.
        name: String,
    },
    /// A read failed.
    #[error("cannot read URL list {name} at line {line}")]
    Read {
        /// The list.
        name: String,
        /// The line that could not be completed.
        line: u64,
        /// The cause.
        source: io::Error,
    },
    /// Compressed data that stop early.
    #[error("cannot read URL list {name} at line {line}: its {format} data end early; fetch or compress it again")]
    Truncated {
        /// The list.
        name: String,
        /// The line that could not be completed.
        line: u64,
        /// gzip or zstd.
        format: &'static str,
    },
    /// Damaged compressed data.
    #[error("cannot read URL list {name} at line {line}: its {format} data are damaged; fetch or compress it again")]
    Corrupt {
        /// The list.
        name: String,
        /// The line that could not be completed.
        line: u64,
        /// gzip or zstd.
        format: &'static str,
        /// What the decoder says.
        source: io::Error,
    },
    /// An archive of which not all could be read.
    #[error("cannot read all of archive {name}: {losses}")]
    Damaged {
        /// The archive.
        name: String,
        /// How many places, where and why.
        losses: String,
    },
    /// An archive that cannot be read.
    #[error("cannot read archive {name}: at byte {at}")]
    Archive {
        /// The archive.
        name: String,
        /// Where the trouble begins.
        at: u64,
        /// What it is.
        source: Damage,
    },
    /// A file that is no archive.
    #[error(
        "cannot read archive {name}: it does not begin as a WARC file does; a list of URLs goes to: seine crawl {name}"
    )]
    NoArchive {
        /// The file.
        name: String,
    },
    /// A path that the store cannot hold.
    #[error("cannot use archive {name}: its path is no UTF-8 text; give it another name")]
    Path {
        /// The archive.
        name: String,
    },
    /// There is no such file.
    #[error("cannot open {name}: no such file; for a URL write {url}")]
    Missing {
        /// The word that was given.
        name: String,
        /// The URL that was meant, or how one begins.
        url: String,
    },
    /// A URL that was given itself and cannot be crawled.
    #[error("cannot crawl {url}: {reason}")]
    BadUrl {
        /// The URL, without user name and password.
        url: String,
        /// The mistake.
        reason: String,
    },
    /// An archive that is given by its URL.
    #[error("cannot open archive {name}: archives are files; download it first: curl -O {name}")]
    RemoteArchive {
        /// The URL.
        name: String,
    },
    /// A file that is no list.
    #[error("cannot take {name} for a URL list: it is {what}; {advice}")]
    Foreign {
        /// The file.
        name: String,
        /// The format found.
        what: &'static str,
        /// What to do.
        advice: String,
    },
    /// Not one record with a URL.
    #[error(
        "URL list {name} has no URL: {lines} of its lines are rejected, the first is line {line}: {reason}{advice}"
    )]
    NoUrl {
        /// The list.
        name: String,
        /// How many records it has.
        lines: u64,
        /// Line of the first.
        line: u64,
        /// Why that is rejected.
        reason: String,
        /// What to do, after a semicolon; empty if the reason says it.
        advice: String,
    },
    /// A line without an end.
    #[error("cannot read URL list {name}: line {line} is longer than 64 MiB, so it is no list of URLs")]
    Endless {
        /// The list.
        name: String,
        /// The line.
        line: u64,
    },
    /// A CSV header that is no row.
    #[error("cannot read the CSV header of URL list {name}: {reason}")]
    Header {
        /// The list.
        name: String,
        /// Why not.
        reason: String,
    },
    /// The CSV column asked for is not there.
    #[error("URL list {name} has no column {wanted:?}; {advice}")]
    NoSuchColumn {
        /// The list.
        name: String,
        /// Text of `--url-column`.
        wanted: String,
        /// The nearest name, and all names.
        advice: String,
    },
    /// Several CSV columns, none of them called `url`.
    #[error("URL list {name} has no column \"url\"; {advice}")]
    WhichColumn {
        /// The list.
        name: String,
        /// What to do, and all names.
        advice: String,
    },
}

impl ListError {
    /// `fault` of the list `name` while its line `line` was read.
    pub(super) fn at(name: &str, line: u64, fault: Fault) -> Self {
        let name = name.to_owned();
        match fault {
            Fault::Read(source) => Self::Read { name, line, source },
            Fault::Truncated(format) => Self::Truncated { name, line, format },
            Fault::Corrupt(format, source) => Self::Corrupt { name, line, format, source },
            Fault::Foreign(Foreign { what, advice }) => {
                let advice = advice.replace("FILE", &name);
                Self::Foreign { name, what, advice }
            }
        }
    }
}
