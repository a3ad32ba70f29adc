//! The pace of the whole crawl, as one fetcher waits for it.

use seine_unix::pace::SharedPace;
use tokio::sync::Semaphore;

/// One request at a time waits for the pace, the others in line.
pub(super) struct Gate {
    pace: SharedPace,
    line: Semaphore,
}

impl Gate {
    pub fn new(pace: SharedPace) -> Self {
        Self { pace, line: Semaphore::new(1) }
    }

    /// Waits for the next start of the whole crawl, and takes it.
    pub async fn pass(&self) {
        let _turn = self.line.acquire().await;
        while let Err(wait) = self.pace.take() {
            tokio::time::sleep(wait).await;
        }
    }
}
