//! Settings of progress, summary and logs.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::group::group;

/// When to show the progress line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgressMode {
    /// A line on a terminal; in a pipe the start, a line every 30 s and the summary.
    #[default]
    Auto,
    /// The line even where standard error is no terminal.
    Always,
    /// Nothing but warnings and the summary.
    Never,
}

/// How to say what happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people, on standard error.
    #[default]
    Text,
    /// One JSON object a line, on standard output; the log file too.
    Json,
}

group! {
    /// Progress, summary and logs of a crawl.
    pub struct Console {
        /// Show progress: a line on a terminal, one every 30 s elsewhere [default: auto]
        #[arg(long, value_name = "WHEN", value_enum)]
        progress: ProgressMode;

        /// Print the summary as one JSON object on standard output
        #[arg(long)]
        json: bool;

        /// Only warnings and errors on standard error
        #[arg(short, long, conflicts_with = "verbose")]
        quiet: bool;

        /// Log to standard error; -v a line for each URL and phases, -vv leases too, -vvv every request
        #[arg(short, long, action = clap::ArgAction::Count)]
        verbose: u8;

        /// Log to this file as well, at least as -v does
        #[arg(long, value_name = "FILE")]
        log_file: Option<PathBuf>;

        /// Say everything as text on standard error, or as one JSON object a line on standard output [default: text]
        #[arg(long, value_name = "FORMAT", value_enum)]
        log_format: LogFormat;
    }
}

impl Console {
    /// Of a flag that is a word against another key of the file, the flag counts.
    pub(super) fn settle(&mut self, flags: &Self, file: &Self) {
        self.quiet = flags.quiet || (file.quiet && flags.verbose == 0);
        self.verbose = if flags.quiet { 0 } else { flags.verbose.max(file.verbose) };
    }
}
