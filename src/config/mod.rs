//! One declaration of every setting: flag, key of the config file, help, type, default and check.
//!
//! Settings are groups, a file for each; a room is handed those that it needs. Flags and TOML are validated apart and laid
//! over each other (a flag wins), then [`CrawlOptions::resolve`] makes [`Settings`] of them. Nothing here opens anything but
//! the config file, and the files that settings name for secrets ([`Settings::read_files`]).
//!
//! - `group`: how an option is declared; `bounds`: what its value has to be.
//! - `settings`: all groups together, from file and flags to what is in force.
//! - The groups: `sources` (lists and the store), `follow`, `recrawl`, `crew`, `politeness`, `http`, `extraction`, `budgets`,
//!   [`notify`], `console`, `walls`, `programs`.
//! - [`Given`]: what was said on the command line; [`Chosen`]: a value of the user's, or one that follows.
//! - [`values`](seine_core::values): durations, sizes, headers and their like, as people write them.
//! - [`hosts`]: what differs from host to host.
//! - [`memory`]: what a crawl takes at most, and what gives way where there is less.
//! - [`processors`]: programs of the user's that records are put through.
//! - [`jobs`]: what `seine schedule` runs when.

mod bounds;
mod budgets;
mod chosen;
mod console;
mod crew;
mod extraction;
mod files;
mod flags;
mod follow;
mod group;
pub mod hosts;
mod http;
pub mod jobs;
mod lossy;
pub mod memory;
mod mistakes;
pub mod notify;
mod politeness;
pub mod processors;
mod programs;
mod recrawl;
mod settings;
mod sources;
mod walls;

use std::path::PathBuf;

pub use budgets::Budgets;
pub use chosen::Chosen;
pub use console::{Console, LogFormat, ProgressMode};
pub use crew::{Crew, DEFAULT_CONCURRENCY};
pub use extraction::Extraction;
pub use flags::Given;
pub use follow::{AUTO, Follow};
pub use hosts::HostRule;
pub use http::Http;
pub use notify::{Notify, NotifyOn};
pub use politeness::Politeness;
pub use programs::Programs;
pub use recrawl::{Only, Recrawl, Revisits};
pub use seine_core::values::{Header, HookUrl, ProxyUrl, Rate, Resolve, RulesText, Share, Size, Span, Words};
pub use settings::{
    CrawlOptions, Crawling, Fetching, Settings, is_of_following, is_of_lists, is_of_pace, is_of_requests,
    is_of_the_next_run,
};
pub use sources::{DEFAULT_DB, Lists, Sources, Store, is_stdin};
pub use walls::{Sandbox, Walls};

/// A mistake in a config file or a combination of settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] std::io::Error),
    /// The file is not valid; the text has line, column and a pointer.
    #[error("config {0}: {1}")]
    Parse(PathBuf, String),
    /// A secret that is not where a setting says.
    #[error("{setting} of host rule {rule:?}: {problem}")]
    Secret {
        /// The setting that names the place.
        setting: &'static str,
        /// The host rule's pattern.
        rule: String,
        /// The mistake.
        problem: String,
    },
    /// A file that a setting names for a secret.
    #[error("{setting} {}: {problem}", path.display())]
    SecretFile {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// The mistake, without any text of the file.
        problem: String,
    },
    /// A value that cannot be used.
    #[error("{name} = {value}: {problem}")]
    Value {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// The mistake, and the advice.
        problem: &'static str,
    },
}

#[cfg(test)]
mod tests;
