//! `seine import`: the pages of archives, without lists and without the network.

use anyhow::Result;

use super::crawl;
use crate::cli::CrawlArgs;

/// Imports; returns the exit code.
///
/// # Errors
/// Whatever keeps it from starting.
pub fn run(args: CrawlArgs) -> Result<i32> {
    let mut archives = args.sources.alone().inputs;
    let mut settings = crawl::settings(args)?;
    // A config file may serve `crawl` too, lists and all.
    settings.sources.inputs.clear();
    archives.append(&mut settings.sources.from_warc);
    settings.sources.from_warc = archives;
    crawl::with(&settings)
}
