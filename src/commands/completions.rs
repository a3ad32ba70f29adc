//! `seine completions`: what makes a shell ask this program what fits.

use std::io;

use anyhow::{Context, Result};
use clap_complete::env::Shells;

use super::session::written;
use crate::cli::{CompletionsArgs, VARIABLE};

/// Prints the script.
///
/// # Errors
/// It cannot be written.
pub fn run(args: &CompletionsArgs) -> Result<i32> {
    let name = args.shell.to_string();
    let shells = Shells::builtins();
    let shell = shells.completer(&name).with_context(|| format!("no completions for {name}"))?;
    let mut script = Vec::new();
    shell.write_registration(VARIABLE, "seine", "seine", "seine", &mut script)?;
    written(io::Write::write_all(&mut io::stdout().lock(), &script))?;
    Ok(0)
}
