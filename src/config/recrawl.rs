//! Settings for pages that an earlier run has fetched.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::bounds::{chosen, lasting, refused};
use super::group::group;
use super::{Chosen, ConfigError};
use seine_core::values::Span;

/// Which URLs of the lists are fetched again that an earlier run has fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Only {
    /// None: only what has no outcome yet.
    New,
    /// Those that ended in an error.
    Failed,
    /// Those that have changed before.
    Changed,
    /// Every one.
    #[default]
    All,
}

/// How soon a page is fetched again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Revisits {
    /// By every run.
    #[default]
    Always,
    /// The more often the more often it has changed.
    Adaptive,
}

group! {
    /// Pages that are fetched again, and versions of them that are kept.
    #[derive(Serialize)]
    pub struct Recrawl {
        /// Once a crawl is finished, which URLs of its lists the next run fetches again [default: all]
        #[arg(long, value_name = "WHICH", value_enum)]
        only: Only;

        /// Fetch again only what was last fetched longer ago than this [default: 0]
        #[arg(long, value_name = "DURATION")]
        max_age: Span = Span(Duration::ZERO);

        /// How soon a page is fetched again: whenever a run comes, or by how often it has changed [default: always]
        #[arg(long, value_name = "HOW", value_enum)]
        revisit: Revisits;

        /// With --revisit adaptive: no page is fetched again sooner than this [default: 1h]
        #[arg(long, value_name = "DURATION")]
        revisit_min: Span = Span(Duration::from_secs(3600)), lasting;

        /// With --revisit adaptive: every page is fetched again after this [default: 30days]
        #[arg(long, value_name = "DURATION")]
        revisit_max: Chosen<Span> = Chosen::by_default(Span(Duration::from_secs(30 * 24 * 3600))), chosen(lasting);

        /// Versions of a page that keep their bodies, the last one included; 0 for all of them [default: 3]
        #[arg(long, value_name = "N")]
        keep_versions: u32 = 3;

        /// Let the bodies of earlier versions go that the site had longer ago than this [default: no limit]
        #[arg(long, value_name = "DURATION")]
        keep_for: Option<Span>;

        /// At the end of a run, forget the requests of runs that were over longer ago than this, but those that the pages of now
        /// are the answers to [default: 90days]
        #[arg(long, value_name = "DURATION")]
        keep_requests: Span = Span(Duration::from_secs(90 * 24 * 3600));
    }
}

impl Recrawl {
    pub(super) fn resolve(&mut self) -> Result<(), ConfigError> {
        self.revisit_max = self.revisit_max.or(Span(self.revisit_max.0.max(self.revisit_min.0)));
        if self.revisit_max.0 < self.revisit_min.0 {
            return refused("revisit_max", *self.revisit_max, "must not be less than revisit_min");
        }
        Ok(())
    }
}
