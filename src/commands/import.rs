//! `seine import`: the pages of archives, without lists and without the network.

use anyhow::Result;

use super::crawl;
use crate::cli::ImportArgs;

/// Imports; returns the exit code.
///
/// # Errors
/// Whatever keeps it from starting.
pub fn run(args: ImportArgs) -> Result<i32> {
    let mut options = crawl::written(args.config.as_deref(), &args.flags)?;
    args.store.lay_over(&mut options.0.store);
    let sources = &mut options.0.sources;
    // A config file may serve `crawl` too, lists and all.
    sources.inputs.clear();
    sources.from_warc.splice(0..0, args.archives);
    crawl::with(&crawl::settings(options, args.config)?)
}
