//! One extractor: compressed pages in, what is found on them out, in the same order.
//!
//! It has one socket and nothing else: no store, no network, no file. It ends when the other end does.

use std::os::fd::OwnedFd;
use std::time::Duration;

use url::Url;

use seine_core::protocol::reextract::{Answer, Found, PageJob, Unread};
use seine_core::record::items::PageItems;
use seine_page::extract::extras::{Wanted, extras_of};
use seine_page::extract::is_html;
use seine_page::extract::parsed::Parsed;
use seine_page::extract::rules::{Page, Rules};
use seine_store::body::{UnpackError, unpack};
use seine_unix::channel::{Channel, ChannelError};
use seine_unix::clock::CpuBudget;
use seine_unix::poll::{Interest, PollSet};
use seine_unix::status::Row;

/// Bounds for one page.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// CPU time.
    pub parse_time: Duration,
    /// Of its body.
    pub body_bytes: u64,
}

/// The work of an extractor on each page.
#[derive(Clone, Copy)]
pub struct Worker<'a> {
    /// The rules it applies.
    pub rules: &'a Rules,
    /// Parts of pages that it keeps beside items.
    pub wanted: Wanted,
    /// Bounds for one page.
    pub limits: Limits,
}

/// How often an idle extractor shows that it is alive.
const IDLE_TURN: Duration = Duration::from_secs(1);

/// Runs the extractor to its end; the return value is the exit code.
pub fn run(socket: OwnedFd, frame_ceiling: usize, worker: Worker<'_>, row: &Row) -> i32 {
    let mut channel = Channel::new(socket, frame_ceiling);
    match work(&mut channel, worker, row) {
        Ok(()) => 0,
        Err(error) => {
            // The store's process is gone, or sent what is no page.
            tracing::warn!(%error, "channel lost");
            1
        }
    }
}

fn work(channel: &mut Channel, worker: Worker<'_>, row: &Row) -> Result<(), ChannelError> {
    loop {
        while let Some((job, zstd)) = channel.next_with_tail::<PageJob>()? {
            row.begin_work(job.url_id);
            let found = worker.read(&job, &zstd);
            let answer = Answer { url_id: job.url_id, found };
            if channel.send(&answer, None).is_err() {
                channel.send(&Answer { url_id: job.url_id, found: Err(Unread::TooMuch) }, None)?;
            }
            row.end_work();
            // An answer may be large: it is sent before the next page is read.
            while !channel.flush()? {
                wait(channel, Interest::Write, row)?;
            }
        }
        if channel.has_ended() {
            return Ok(());
        }
        wait(channel, Interest::Read, row)?;
        channel.receive()?;
    }
}

fn wait(channel: &Channel, interest: Interest, row: &Row) -> Result<(), ChannelError> {
    row.beat();
    let mut set = PollSet::new();
    set.add(channel.fd(), interest);
    set.wait(Some(IDLE_TURN))?;
    Ok(())
}

impl Worker<'_> {
    fn read(&self, job: &PageJob, zstd: &[u8]) -> Result<Found, Unread> {
        let body = unpack(zstd, job.bytes, self.limits.body_bytes).map_err(|error| match error {
            UnpackError::TooLarge => Unread::TooLarge,
            UnpackError::Damaged => Unread::Damaged,
        })?;
        let url = job.final_url.as_deref().unwrap_or(&job.listed_url);
        let Ok(url) = Url::parse(url) else { return Err(Unread::Damaged) };
        let content_type = job.content_type.as_deref().map(str::as_bytes);
        let budget = CpuBudget::new(self.limits.parse_time);
        let in_time = || budget.is_left();
        let parsed = Parsed::new(&body, content_type);
        let extras = if self.wanted.is_any() && is_html(content_type, &body) {
            Some(extras_of(&parsed, &url, self.wanted, &in_time).ok_or(Unread::Timeout)?)
        } else {
            None
        };
        let page = Page { url: &url, listed_url: &job.listed_url, content_type, body: &body };
        let items = if self.rules.wants(&page) {
            self.rules.apply_to(&parsed, &page, &in_time).ok_or(Unread::Timeout)?
        } else {
            PageItems::default()
        };
        Ok(Found { items, extras })
    }
}
