//! The numbers of a run, as they are counted while it goes.

use std::collections::HashMap;

use crate::record::{ErrorClass, Outcome};

/// Numbers of the run, for progress and exit code.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Ends by outcome, earlier invocations of the run included.
    pub outcomes: [u64; Outcome::ALL.len()],
    /// The same when this invocation began.
    pub outcomes_before: [u64; Outcome::ALL.len()],
    /// Failures of this invocation by class.
    pub errors: HashMap<ErrorClass, u64>,
    /// URLs without outcome.
    pub pending: u64,
    /// Decompressed bytes of this invocation.
    pub bytes: u64,
    /// Attempts that will be repeated.
    pub retries: u64,
    /// Lines of lists committed by this invocation.
    pub lines: u64,
    /// Records of URLs that had an outcome already, or of fetchers that were given up.
    pub stale_records: u64,
    /// Fetchers that died.
    pub fetcher_crashes: u64,
    /// Writers that died.
    pub writer_crashes: u64,
    /// URLs leased again because a process died while they were in flight.
    pub leased_again: u64,
    /// Why the store cannot grow at the moment.
    pub disk_full: Option<String>,
    /// Nothing can be reached at the moment.
    pub outage: bool,
    /// The store was found unusable.
    pub fatal: Option<String>,
    /// Whether the store was ever open.
    pub opened: bool,
    /// Whether an unfinished run went on.
    pub resumed: bool,
}

impl Tally {
    /// Share of the run's URLs that ended in an error, from 0 to 1, of all that ended and were URLs; `None` if there is
    /// none. What robots.txt denies and what is skipped is no error.
    pub fn failed_share(&self) -> Option<f64> {
        let count = |outcome: Outcome| self.outcomes[outcome as usize];
        let all = self.outcomes.iter().sum::<u64>() - count(Outcome::Rejected);
        (all > 0).then(|| Outcome::ERRORS.map(count).iter().sum::<u64>() as f64 / all as f64)
    }
}
