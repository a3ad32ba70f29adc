//! How many processes and requests a crawl has, and what they keep at hand.

use serde::Serialize;

use super::Chosen;
use super::bounds::{MAX_CONCURRENCY, chosen, within};
use super::group::group;
use super::memory::Buffers;

/// Requests in flight over all fetchers.
pub const DEFAULT_CONCURRENCY: usize = 128;
const MAX_FETCHERS: usize = 256;

group! {
    /// How many work at a time.
    #[derive(Serialize)]
    pub struct Crew {
        /// Fetcher processes [default: one per core, fewer where the memory is limited]
        #[arg(long, value_name = "N")]
        fetchers: Chosen<usize> = Chosen::by_default(1), chosen(within(1..=MAX_FETCHERS, "must be from 1 to 256"));

        /// Requests in flight, over all fetchers together [default: 128, fewer where the memory is limited]
        #[arg(short = 'j', long, aliases = ["concurrent-requests", "max-concurrency", "parallel-max"], value_name = "N")]
        concurrency: Chosen<usize> = Chosen::by_default(DEFAULT_CONCURRENCY),
            chosen(within(1..=MAX_CONCURRENCY, "must be from 1 to 65536"));
    }
    beside {
        /// Sizes of the buffers of all rooms.
        #[arg(skip)]
        buffers: Buffers;
    }
}

impl Crew {
    pub(super) fn resolve(&mut self, cpus: usize) {
        self.fetchers = self.fetchers.or(cpus.clamp(1, MAX_FETCHERS));
        // A fetcher that may have no request in flight would only take memory.
        self.fetchers.replace((*self.fetchers).min(*self.concurrency));
    }
}
