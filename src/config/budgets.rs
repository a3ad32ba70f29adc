//! When a run stops, and when it has failed.

use std::time::Duration;

use serde::Serialize;

use super::bounds::{some, some_bytes};
use super::group::group;
use seine_core::values::{Share, Size, Span};

group! {
    /// How much a run may take, and what it is judged by.
    #[derive(Serialize)]
    pub struct Budgets {
        /// End with exit code 6 if rules find a field less often than in the last complete run, by more than its `drift`
        #[arg(long)]
        fail_on_drift: bool;

        /// Stop after so many URLs, resumable (exit code 3) [default: no limit]
        #[arg(long, value_name = "N")]
        limit: Option<u64>, some;

        /// Stop after this time, resumable (exit code 3) [default: no limit]
        #[arg(long, value_name = "DURATION")]
        max_wall: Option<Span>;

        /// Stop after so much of bodies, decompressed, resumable (exit code 3); what is in flight then is finished
        /// [default: no limit]
        #[arg(long, value_name = "SIZE")]
        max_bytes: Option<Size>, some_bytes;

        /// Take so many URLs of each host; the rest stays pending for the next run of the same command (exit code 3); 0 for
        /// no limit [default: 0]
        #[arg(long, value_name = "N")]
        host_limit: u64;

        /// Stop when the store's file system has less room than this, resumable (exit code 5); 0 for never [default: 1GiB]
        #[arg(long, value_name = "SIZE")]
        min_free_disk: Size = Size(1 << 30);

        /// End with exit code 1 if more than this share of the URLs ended in an error (http_error, failed, quarantined),
        /// "20%" or "0.2"; 100% for never [default: 25%]
        #[arg(long, value_name = "SHARE")]
        fail_threshold: Share = Share(0.25);

        /// Time for requests in flight to finish when the crawl is stopped [default: 8s]
        #[arg(long, value_name = "DURATION")]
        grace: Span = Span(Duration::from_secs(8));

        /// How long to wait for room on a full disk before stopping, resumable (exit code 5) [default: 1m]
        #[arg(long, value_name = "DURATION")]
        disk_wait: Span = Span(Duration::from_secs(60));

        /// How long to wait for the network when nothing can be reached any more before stopping, resumable (exit code 3)
        /// [default: 10m]
        // Longer than a router takes to start, or a provider to renew an address.
        #[arg(long, value_name = "DURATION")]
        outage_wait: Span = Span(Duration::from_secs(600));
    }
}
