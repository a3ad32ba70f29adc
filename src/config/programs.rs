//! Programs: those of the user's that records are put through, and this one when it is due.

use serde::Serialize;

use super::group::group;
use super::jobs::JobEntry;
use super::processors::Processor;

group! {
    /// Processors and scheduled jobs.
    #[derive(Serialize)]
    pub struct Programs {
        /// Programs that records are put through; a config key only.
        #[arg(skip)]
        #[serde(skip_serializing_if = "Vec::is_empty")]
        processor: Vec<Processor>;

        /// The jobs of `seine schedule`; a config key only, which a crawl ignores.
        #[arg(skip)]
        #[serde(skip_serializing)]
        job: Vec<JobEntry>;
    }
}
