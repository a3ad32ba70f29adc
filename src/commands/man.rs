//! `seine man`: the help of all verbs as man pages.

use std::fs;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::cli::{Cli, ManArgs};

/// Writes the pages.
///
/// # Errors
/// They cannot be written.
pub fn run(args: &ManArgs) -> Result<i32> {
    let folder = &args.folder;
    fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .with_context(|| format!("cannot write man pages into {}", folder.display()))?;
    Ok(0)
}
