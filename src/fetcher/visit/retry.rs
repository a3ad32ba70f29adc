//! The time after an answer: when its URL is tried again, and how long its host is left alone.

use std::time::Duration;

use super::{Visitor, epoch_us};
use crate::fetcher::pace::Mood;
use crate::fetcher::retry_after;
use seine_core::policy::longest_backoff;
use seine_core::protocol::Job;
use seine_http::Answer;

impl Visitor {
    /// When to try again, if at all; not before the host has been left alone for as long as it `asked`.
    pub(super) fn retry_at(&self, job: &Job, transient: bool, asked: Duration) -> Option<u64> {
        let tried = job.attempts - job.forgiven.min(job.attempts);
        // An archive says tomorrow what it says today.
        if !transient || job.archived.is_some() || tried >= self.settings.http.retries {
            return None;
        }
        Some(epoch_us() / 1000 + backoff(job).max(asked).as_millis() as u64)
    }

    /// The mood of the host that gave this answer at `now_at`.
    pub(super) fn mood(&self, job: &Job, answer: &Answer, now_at: u64) -> Mood {
        match answer.status {
            429 | 503 => {
                let value = answer.retry_after.as_deref();
                let asked = value.and_then(|value| retry_after::parse(value, retry_after::at_ms(now_at)));
                let most = self.settings.politeness.max_retry_after.0;
                Mood::Overrun { hold: asked.map_or_else(|| backoff(job), |asked| asked.min(most)) }
            }
            500.. => Mood::Unwell,
            _ => Mood::Well,
        }
    }
}

/// Whether a later attempt may well meet another status.
pub(super) const fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

/// Until when the store notes that a host is to be left alone; 0 if that is over before a restart could matter.
pub(super) fn hold_until(asked: Duration) -> u64 {
    if asked < Duration::from_secs(1) { 0 } else { epoch_us() / 1000 + asked.as_millis() as u64 }
}

/// Exponential backoff with full jitter (M. Brooker, "Exponential Backoff And Jitter", 2015): anything up to a pause
/// that doubles with each attempt. The jitter comes from the URL and the attempt, so it needs no random generator and
/// spreads URLs that failed together.
fn backoff(job: &Job) -> Duration {
    let round = job.attempts.saturating_sub(job.forgiven);
    let full = longest_backoff(round);
    let mix = (job.url_id as u64 ^ u64::from(job.attempts) << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    full.mul_f64(mix as f64 / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(url_id: i64, attempts: u16, forgiven: u16) -> Job {
        Job {
            url_id,
            url: "http://a.test/".to_owned(),
            attempts,
            forgiven,
            validators: None,
            hops: Vec::new(),
            started_at: 0,
            trail: Vec::new(),
            errand: None,
            place: seine_core::protocol::Place::default(),
            archived: None,
            failed: None,
        }
    }

    #[test]
    fn pauses_between_attempts_double_up_to_a_minute_and_urls_that_failed_together_spread() {
        for (attempts, most) in [(0, 1), (1, 2), (3, 8), (6, 60), (u16::MAX, 60)] {
            let pauses: Vec<_> = (1..100).map(|url_id| backoff(&job(url_id, attempts, 0))).collect();
            let (most, longest) = (Duration::from_secs(most), pauses.iter().max().unwrap());
            assert!(*longest <= most && *longest > most * 9 / 10, "{attempts} attempts: {longest:?}");
            assert!(*pauses.iter().min().unwrap() < most / 10, "{attempts} attempts");
        }
    }

    #[test]
    fn attempts_that_are_forgiven_lengthen_no_pause() {
        assert!((1..100).all(|url_id| backoff(&job(url_id, 6, 6)) <= longest_backoff(0)));
    }
}
