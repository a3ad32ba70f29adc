//! A fetcher process: requests pages at each host's pace, extracts, and hands records to the writer.
//!
//! One small async runtime on one thread. The fetcher opens no database, decides nothing about the frontier and keeps
//! nothing that must survive it.
//!
//! - `life`: from the first order to the last record.
//! - [`control`]: the channel to the supervisor.
//! - [`hosts`]: one queue per host; politeness: which request may start when.
//! - [`origins`]: what is known of a host's origins, robots.txt above all.
//! - [`pace`], [`retry_after`]: when a host may be asked next.
//! - [`visit`]: the life of one URL here: request, redirects, extraction, record.
//! - `client`: how requests are made; [`seine_http`] makes them.
//! - `robots_answer`: what an answer to a request for a robots.txt means.
//! - [`outbox`]: finished records on their way to the writer; waiting for room here is the backpressure.
//!
//! Commands that run no crawl use [`robots_txt`] for one robots.txt, [`single`] for one page, and [`webhook`] to post one
//! message.

mod client;
pub mod control;
pub mod hosts;
mod life;
pub mod origins;
pub mod outbox;
pub mod pace;
pub mod retry_after;
mod robots_answer;
pub mod robots_txt;
pub mod single;
pub mod visit;
pub mod webhook;

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use tokio::runtime::LocalOptions;

use crate::config::{Fetching, Sandbox};
use crate::walls;
use client::http_options;
use seine_core::protocol::{Generation, Slot};
use seine_http::{Http, HttpError};
use seine_unix::known::Known;
use seine_unix::pace::SharedPace;
use seine_unix::say::{Level, say};
use seine_unix::status::Row;
use seine_unix::title::Role;

/// Threads for name resolution, which blocks: a thousand names that do not answer must not mean a thousand threads.
const RESOLVERS: usize = 32;

/// Threads for pages that cannot be read between requests: one for each worker of `visit::workers`.
const WORKERS: usize = 2;

/// Everything a fetcher is given at its birth.
#[derive(Debug)]
pub struct FetcherSetup {
    /// Its seat.
    pub slot: Slot,
    /// Which occupant of the seat it is.
    pub generation: Generation,
    /// Channel to the supervisor.
    pub control: OwnedFd,
    /// Requests it may have in flight: its share of the total.
    pub concurrency: usize,
    /// The pace of all fetchers together (`--rate`).
    pub rate: Option<SharedPace>,
    /// URLs that pages name and that the store has, if links are followed.
    pub known: Option<Known>,
    /// The configuration.
    pub settings: Fetching,
    /// Whether it is walled off.
    pub sandbox: Sandbox,
    /// Archives that it reads answers from.
    pub archives: Vec<PathBuf>,
}

/// Whether a fetcher can be made with these settings: so that a file that is missing or not what it should be is found
/// before anything starts. Nothing of it is kept.
///
/// # Errors
/// [`HttpError`] naming the setting or file.
pub fn check(settings: &Fetching) -> Result<(), HttpError> {
    let http = Http::new(&http_options(settings))?;
    settings.politeness.host.iter().try_for_each(|rule| http.check(&settings.politeness.policy_of(rule)))
}

/// Runs the fetcher to its end; the return value is the exit code.
pub fn run(setup: FetcherSetup, row: &'static Row) -> i32 {
    let needs = walls::of_fetcher(&setup.settings, &setup.archives);
    // Before the runtime, whose threads would stay outside, and before the first byte of a site.
    if let Err(code) = walls::put_up(setup.sandbox, Role::Fetcher(setup.slot.into()), &needs) {
        return code;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(RESOLVERS + WORKERS)
        .build_local(LocalOptions::default())
    {
        Ok(runtime) => runtime,
        Err(error) => {
            say(Level::Error, &format!("seine: fetcher {}: cannot start its runtime: {error}", setup.slot));
            return 1;
        }
    };
    let code = runtime.block_on(life::live(setup, row));
    // Requests that are still in flight were given up on purpose.
    runtime.shutdown_background();
    code
}
