//! Walls around the processes of a crawl.

use clap::ValueEnum;
use serde::Deserialize;

use super::group::group;

/// Whether processes are walled off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sandbox {
    /// As far as the kernel can.
    #[default]
    Best,
    /// Wholly, or nothing is started.
    Require,
    /// Not at all.
    Off,
}

group! {
    /// What the processes of a crawl are kept from.
    pub struct Walls {
        /// Keep fetchers from files and programs, and the writer from the network and all files but the store [default: best]
        #[arg(long, value_name = "HOW", value_enum)]
        sandbox: Sandbox;
    }
}
