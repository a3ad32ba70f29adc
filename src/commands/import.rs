//! `seine import`: the pages of archives, without lists and without the network.

use anyhow::Result;

use super::crawl;
use crate::cli::CrawlArgs;

/// Imports; returns the exit code.
///
/// # Errors
/// Whatever keeps it from starting.
pub fn run(mut args: CrawlArgs) -> Result<i32> {
    let mut archives = std::mem::take(&mut args.options.inputs);
    let mut settings = crawl::settings(args)?;
    // A config file may serve `crawl` too, lists and all.
    settings.inputs.clear();
    archives.append(&mut settings.from_warc);
    settings.from_warc = archives;
    crawl::with(&settings)
}
