//! The jobs of `seine schedule` as a config file declares them.
//!
//! ```toml
//! [[job]]
//! name     = "nightly"
//! cron     = "0 3 * * *"
//! timezone = "Europe/Vienna"
//! command  = ["crawl", "urls.txt", "--db", "crawl.db"]
//! ```

use serde::Deserialize;
use toml::Spanned;

use super::Span;
use crate::schedule::cron::Cron;
use crate::schedule::job::Overlap;
use crate::schedule::zone::Zone;

/// One `[[job]]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobEntry {
    /// Tells it from the others.
    pub name: Spanned<String>,
    /// When it is due.
    pub cron: Cron,
    /// By the clocks of this zone; by default those of `TZ` or of the system.
    #[serde(default)]
    pub timezone: Option<Zone>,
    /// Each run is put off by up to this, at random.
    #[serde(default)]
    pub jitter: Option<Span>,
    /// Once at the start too.
    #[serde(default)]
    pub run_on_start: bool,
    /// Due while the store is in use.
    #[serde(default)]
    pub overlap: Overlap,
    /// Whether missed runs are made up for, by one.
    #[serde(default)]
    pub catch_up: bool,
    /// A verb of seine and its arguments; no shell reads them.
    pub command: Spanned<Vec<String>>,
}
