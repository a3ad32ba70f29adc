//! Arguments in, exit code out.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use seine::cli::Cli;
use seine::commands;
use seine::commands::session::{Coded, USAGE};
use seine_unix::say::{Level, say};
use seine_unix::{limits, title};

fn main() -> ExitCode {
    let cli = Cli::of_process();
    // After the arguments were read: titles overwrite them.
    title::init();
    limits::survive_file_limit();
    let code = commands::run(cli.command).unwrap_or_else(|error| {
        say(Level::Error, &format!("seine: {error:#}"));
        error.downcast_ref::<Coded>().map_or(USAGE, |coded| coded.code)
    });
    ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))
}
