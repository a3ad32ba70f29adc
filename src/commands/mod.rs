//! The verbs: one file for each. A verb takes its arguments and returns the exit code.

pub mod audit;
pub mod backup;
pub mod cat;
mod changed_settings;
pub mod completions;
pub mod crawl;
pub mod demo;
pub mod diff;
pub mod explain;
pub mod export;
pub mod extract;
mod fill;
pub mod health;
mod html;
pub mod import;
pub mod init;
mod interrupt;
pub mod links;
pub mod man;
pub mod merge;
pub mod notify;
pub mod plan;
pub mod process;
pub mod prune;
pub mod report;
pub mod retry;
pub mod robots;
pub mod schedule;
pub mod search;
pub mod session;
pub mod split;
pub mod sql;
pub mod status;
pub mod summary;
pub mod try_rules;
pub mod why;
mod writing;

use anyhow::Result;

use crate::cli::Command;

/// Does what was asked for.
///
/// # Errors
/// Whatever keeps it from being done; the exit code is [`session::USAGE`] then, unless the error is a [`session::Coded`].
pub fn run(command: Command) -> Result<i32> {
    match command {
        Command::Crawl(args) => crawl::run(args),
        Command::Import(args) => import::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Init(args) => init::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Cat(args) => cat::run(&args),
        Command::Why(args) => why::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Prune(args) => prune::run(&args),
        Command::Split(args) => split::run(&args),
        Command::Merge(args) => merge::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Retry(args) => retry::run(args),
        Command::Robots(args) => robots::run(&args),
        Command::Links(args) => links::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Search(args) => search::run(&args),
        Command::Sql(args) => sql::run(&args),
        Command::Explain(args) => explain::run(args),
        Command::Extract(args) => extract::run(&args),
        Command::Process(args) => process::run(&args),
        Command::Try(args) => try_rules::run(&args),
        Command::Schedule(args) => schedule::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}
