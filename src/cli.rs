//! The command line: every verb and flag, once. Settings of a crawl are declared in [`crate::config`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::CrawlOptions;

const EXIT_CODES: &str = "\
Exit codes:
  0        every URL has an outcome
  1        as 0, but not one URL ended ok
  2        usage, config or input error
  3        stopped by a budget (--limit, --max-wall) or by failing processes; resumable
  4        the store is held by another run
  5        out of disk; resumable
  130/143  stopped by SIGINT/SIGTERM; resumable";

/// Turns files of URLs into one SQLite file of scraped data.
#[derive(Debug, Parser)]
#[command(name = "seine", version, about, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, for the life of the program")]
pub enum Command {
    /// Fetch every URL of the lists once and store what was found; the same command again resumes
    #[command(after_help = EXIT_CODES)]
    Crawl(CrawlArgs),
    /// Serve a small sample site on a loopback port and crawl it
    Demo(DemoArgs),
    /// Show what a crawl has come to: finished, running or dead
    Status(StatusArgs),
    /// Print the stored body of a URL, byte for byte
    Cat(CatArgs),
}

/// `seine crawl`
#[derive(Args, Clone, Debug, Default)]
pub struct CrawlArgs {
    /// Settings from a TOML file; flags win over it. See config/seine.example.toml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Every other setting.
    #[command(flatten)]
    pub options: CrawlOptions,
}

/// `seine demo`
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// The store
    #[arg(long, value_name = "FILE", default_value = "demo.db")]
    pub db: PathBuf,
    /// Print the summary as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Only warnings and errors on standard error
    #[arg(short, long)]
    pub quiet: bool,
}

/// `seine status`
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// The store
    #[arg(value_name = "DB", default_value = crate::config::DEFAULT_DB)]
    pub db: PathBuf,
    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `seine cat`
#[derive(Args, Debug)]
pub struct CatArgs {
    /// The store
    #[arg(value_name = "DB")]
    pub db: PathBuf,
    /// A URL of it, as in a list
    #[arg(value_name = "URL")]
    pub url: String,
}
