//! What is asked of a whole site: `seine links` and `seine report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::StoreArg;
use crate::config::Span;

pub(super) const LINKS_EXIT_CODES: &str = "\
Exit codes:
  0        --broken: no link is broken; else: told. Also if a pipe was closed by its reader
  1        --broken: at least one link is
  2        usage error, no such store, page or condition
  5        out of disk; nothing was written
  130/143  stopped by SIGINT/SIGTERM; nothing was written

A link is
  broken     if its target was asked for and answered with an error, or not at all; redirects count by where they end
  ok         if its target answered with success, or a status of --accept
  unchecked  if this crawl has not asked for its target: no list names it and no link to it was followed, robots.txt
             forbids it, or it is pending; --external asks for those on other hosts

Examples:
  seine links --broken                             of crawl.db, page by page
  seine links --broken --format github             annotations of a GitHub workflow; junit for other CI systems
  seine links --broken --anchors                   places within pages too
  seine links --broken --external                  targets on other hosts too: each is asked for once a day at most
  seine links --broken --accept 403,429            sites that let no program in are no broken links
  seine links --to https://example.com/old         who links to this page?
  seine links --broken --where \"to_url LIKE 'https://example.com/%'\"";

pub(super) const REPORT_EXIT_CODES: &str = "\
Exit codes:
  0        the report is written; also if a pipe was closed by its reader
  2        usage error, or no such store
  5        out of disk; nothing was written
  130/143  stopped by SIGINT/SIGTERM; nothing was written

The file is written beside its name and renamed when it is whole. It needs no network and runs no script.";

/// `seine links`
#[derive(Args, Clone, Debug)]
pub struct LinksArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// Only broken links; the exit code says whether there are any
    #[arg(long)]
    pub broken: bool,
    /// Only links whose targets this crawl has not asked for; with --broken both
    #[arg(long)]
    pub unchecked: bool,
    /// With --broken: also links to places within pages (guide#install) that stored pages do not have; every stored page
    /// is read for that
    #[arg(long, requires = "broken", conflicts_with_all = ["from", "to", "condition"])]
    pub anchors: bool,
    /// Ask for the targets on hosts that the crawl had nothing to do with, by its rules of politeness, and hold links
    /// against what becomes of them too; their answers are kept in a store beside this one (crawl.external.db)
    #[arg(long)]
    pub external: bool,
    /// With --external: answers so old are asked for again
    #[arg(long, value_name = "DURATION", default_value = "1d", requires = "external")]
    pub max_age: Span,
    /// With --external: a config file that says how to ask: pace, headers, proxies, timeouts
    #[arg(long, value_name = "FILE", requires = "external")]
    pub config: Option<PathBuf>,
    /// Only links on this page
    #[arg(long, value_name = "URL")]
    pub from: Option<String>,
    /// Only links to this URL, however they are written
    #[arg(long, value_name = "URL")]
    pub to: Option<String>,
    /// Only these links: a condition in SQL over the columns of `links`, "rel NOT LIKE '%nofollow%'"
    #[arg(long = "where", value_name = "SQL")]
    pub condition: Option<String>,
    /// With --broken: also links to pages that came with status 200 and say that they are not there (soft 404s)
    #[arg(long, requires = "broken")]
    pub soft: bool,
    /// Statuses that are no errors, "403,429" or "500-599"
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub accept: Vec<Statuses>,
    /// How they are told
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "text")]
    pub format: LinksFormat,
    /// A file, compressed if it is called .gz or .zst; - for standard output [default: -]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// CSV: put ' before texts that a spreadsheet would take for formulas
    #[arg(long)]
    pub spreadsheet_safe: bool,
    /// No summary on standard error
    #[arg(short, long)]
    pub quiet: bool,
}

/// The formats of `seine links`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LinksFormat {
    /// A paragraph for each page
    Text,
    /// One JSON object, with counts
    Json,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated values (RFC 4180)
    Csv,
    /// JUnit's XML: a suite for each page, a failure for each broken link
    Junit,
    /// Commands of a GitHub workflow: an annotation for each broken link
    Github,
}

/// A status, or a range of them: `403`, `500-599`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses(pub std::ops::RangeInclusive<u16>);

impl std::str::FromStr for Statuses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let status = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (100..=999).contains(status));
        match (status(first), status(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self(first..=last)),
            _ => Err("must be a status of three digits, 403, or a range of them, 500-599".to_owned()),
        }
    }
}

/// `seine report`
#[derive(Args, Clone, Debug)]
pub struct ReportArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// An HTML file; - for standard output [default: -]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Rows of each list; totals are those of all
    #[arg(long, value_name = "N", default_value = "25", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    /// Statuses that make no link a broken one, "403,429" or "500-599"
    #[arg(long, value_name = "STATUS", value_delimiter = ',')]
    pub accept: Vec<Statuses>,
}
