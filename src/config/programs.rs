//! Programs: those of the user's that records are put through, and this one when it is due.

use serde::Serialize;

use super::group::group;
use super::jobs::JobEntry;
use super::processors::Processor;

group! {
    /// What is run.
    #[derive(Serialize)]
    pub struct Programs {
        /// Programs that records are put through; a config key only.
        #[arg(skip)]
        #[serde(skip_serializing_if = "Vec::is_empty")]
        processor: Vec<Processor>;

        /// What `seine schedule` runs when; a config key only, of which a crawl takes no notice.
        #[arg(skip)]
        #[serde(skip_serializing)]
        job: Vec<JobEntry>;
    }
}
