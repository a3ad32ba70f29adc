//! The lists and archives that a crawl reads, and the store it writes. Verbs differ in these, see `cli`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::group::group;
use super::lossy;

/// The store.
pub const DEFAULT_DB: &str = "crawl.db";

group! {
    /// Lists and archives.
    #[derive(Serialize)]
    pub struct Sources {
        /// URLs, and lists of them: text (one URL a line), .csv/.tsv, .jsonl, any of them .gz or .zst; - is standard input.
        ///
        /// Without any, `seine crawl` goes on with what is pending in the store.
        #[arg(value_name = "URL|FILE")]
        #[serde(serialize_with = "lossy::all")]
        inputs: Vec<PathBuf>;

        /// Take the pages of this archive (.warc, .warc.gz, .warc.zst) instead of asking for them; may be repeated
        #[arg(long, value_name = "FILE")]
        #[serde(serialize_with = "lossy::all")]
        from_warc: Vec<PathBuf>;
    }
}

group! {
    /// The store.
    #[derive(Serialize)]
    pub struct Store {
        /// The store: one SQLite file with everything [default: crawl.db]
        #[arg(long, value_name = "FILE")]
        #[serde(serialize_with = "lossy::path")]
        db: PathBuf = DEFAULT_DB.into();

        /// When the run is complete, export its store as `seine export -o` does: the pages; into .xlsx, .sqlite and folders
        /// (NAME/) the collections of the rules, too
        #[arg(short, long, value_name = "FILE")]
        #[serde(skip_serializing)]
        output: Option<PathBuf>;
    }
}

group! {
    /// How lists are read.
    #[derive(Serialize)]
    pub struct Lists {
        /// CSV/TSV: the column that holds the URL, by name or number; other columns travel along [default: url]
        #[arg(long, value_name = "NAME")]
        url_column: Option<String>;

        /// JSONL: the field that holds the URL; other fields travel along [default: url]
        #[arg(long, value_name = "FIELD")]
        url_field: Option<String>;
    }
}

/// Whether a path on the command line means standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == OsStr::new("-")
}
