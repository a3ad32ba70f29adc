//! A fetcher process: requests pages at each host's pace, extracts, and hands records to the writer.
//!
//! One small async runtime on one thread. The fetcher opens no database, decides nothing about the frontier and keeps
//! nothing that must survive it.
//!
//! - [`hosts`]: one queue per host; politeness: who may start a request when.
//! - [`origins`]: what is known of a host's origins, robots.txt above all.
//! - [`pace`], [`retry_after`]: when a host may be asked next.
//! - [`visit`]: the life of one URL here: request, redirects, extraction, record.
//! - [`http`]: one request.
//! - [`robots_txt`]: a robots.txt for somebody who only asks; [`single`]: a page for such. [`webhook`]: a message for
//!   somebody who waits for it.
//! - [`outbox`]: finished records on their way to the writer; waiting for room here is the backpressure.
//! - [`control`]: the channel to the supervisor.

pub mod control;
pub mod hosts;

pub mod origins;
pub mod outbox;
pub mod pace;
pub mod retry_after;
pub mod robots_txt;
pub mod single;
pub mod visit;
pub mod webhook;

use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::LocalOptions;
use tokio::sync::Semaphore;

use crate::config::Fetching;
use control::{Control, Order};
use hosts::Hosts;
use outbox::Outbox;
use seine_core::protocol::Generation;
use seine_http::{Http, HttpError, HttpOptions};
use seine_page::extract::rules::Rules;
use seine_unix::limits::{Heap, fit_heap};
use seine_unix::pace::SharedPace;
use seine_unix::say::{Level, say};
use seine_unix::status::Row;
use visit::Visitor;

/// How often the status row shows that the runtime turns.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// Threads for name resolution, which blocks: a thousand names that do not answer must not mean a thousand threads.
const RESOLVERS: usize = 32;

/// Threads for pages that cannot be read in between: one for each lane of `visit::process`.
const READERS: usize = 2;

/// Idle connections are kept for twice the delay and this ...
const LEAST_IDLE: Duration = Duration::from_secs(2);
/// ... or this, where nothing makes a host wait for its next request ...
const UNPACED_IDLE: Duration = Duration::from_millis(250);
/// ... but no longer.
const MOST_IDLE: Duration = Duration::from_secs(30);

/// Connections from which on the memory of their buffers, up to 400 KiB each and empty while an answer is waited for,
/// matters more than the few percent of CPU time it costs to spare it.
const MANY_CONNECTIONS: usize = 256;

/// Everything a fetcher is given at its birth.
#[derive(Debug)]
pub struct Start {
    /// Its seat.
    pub slot: u16,
    /// Which occupant of the seat it is.
    pub generation: Generation,
    /// Channel to the supervisor.
    pub control: OwnedFd,
    /// Requests it may have in flight: its share of the total.
    pub concurrency: usize,
    /// The pace of all fetchers together (`--rate`).
    pub rate: Option<SharedPace>,
    /// The configuration.
    pub settings: Fetching,
}

/// Long enough to meet a host's next request at its pace, and short, because a crawl of ten thousand hosts would hold
/// as many connections.
fn idle_time(settings: &Fetching) -> Duration {
    let is_unpaced = settings.politeness.delay.0.is_zero()
        && settings.politeness.jitter.0.is_zero()
        && !*settings.politeness.adaptive
        && settings.politeness.rate.is_none()
        && settings.politeness.host.is_empty();
    if is_unpaced { UNPACED_IDLE } else { (LEAST_IDLE + 2 * settings.politeness.delay.0).min(MOST_IDLE) }
}

/// How requests are made with these settings.
fn http_options(settings: &Fetching) -> HttpOptions {
    HttpOptions {
        user_agent: settings.http.user_agent.clone(),
        headers: settings.http.header.iter().map(|h| (h.name.clone(), h.value.clone())).collect(),
        timeout: settings.http.timeout.0,
        connect_timeout: settings.http.connect_timeout.0,
        max_body_bytes: settings.http.max_body.0,
        host_concurrency: settings.politeness.host_concurrency,
        idle_time: idle_time(settings),
        large_bodies: settings.buffers.large_bodies(settings.http.max_body.0),
        min_speed: settings.http.min_speed.0,
        accept_types: settings.http.accept_types.clone(),
        resolve: settings.http.resolve.clone(),
        networks: settings.http.network.clone(),
        proxies: settings.http.proxy.clone(),
        ca_certs: settings.http.ca_cert.clone(),
        cookie_file: settings.http.cookie_file.clone(),
        keep_headers: settings.http.store_headers,
    }
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
pub fn run(start: Start, row: &'static Row) -> i32 {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(RESOLVERS + READERS)
        .build_local(LocalOptions::default())
    {
        Ok(runtime) => runtime,
        Err(error) => {
            say(Level::Error, &format!("seine: fetcher {}: cannot start its runtime: {error}", start.slot));
            return 1;
        }
    };
    let code = runtime.block_on(fetch(start, row));
    // What is still in flight was given up on purpose.
    runtime.shutdown_background();
    code
}

async fn fetch(start: Start, row: &'static Row) -> i32 {
    let Start { slot, generation, control, concurrency, rate, settings } = start;
    fit_heap(if concurrency >= MANY_CONNECTIONS { Heap::ManyBuffers } else { Heap::Ordinary });
    let http = match Http::new(&http_options(&settings)) {
        Ok(http) => http,
        Err(error) => {
            say(Level::Error, &format!("seine: fetcher {slot}: {error}"));
            return 1;
        }
    };
    let mut control = match Control::new(control, generation) {
        Ok(control) => control,
        Err(error) => {
            say(Level::Error, &format!("seine: fetcher {slot}: control channel: {error}"));
            return 1;
        }
    };
    let rules = match Rules::read(&settings.extraction.rules_text) {
        Ok(rules) => rules,
        // Read before, by those who started the crawl.
        Err(error) => {
            say(Level::Error, &format!("seine: fetcher {slot}: {error}"));
            return 1;
        }
    };
    let outbox = Outbox::new(generation, row, settings.buffers.outbox_bytes);
    let settings = Rc::new(settings);
    let visitor = Visitor::new(http, outbox.clone(), control.speaker(), generation, Rc::clone(&settings), rules, row);
    let places = std::sync::Arc::new(Semaphore::new(concurrency));
    let visitor = Rc::new(visitor);
    let hosts = Hosts::new(Rc::clone(&visitor), control.speaker(), places, rate, settings, row);

    tokio::task::spawn_local(async move {
        let mut interval = tokio::time::interval(HEARTBEAT);
        loop {
            interval.tick().await;
            row.beat();
            if let Some(url_id) = visitor.endless() {
                // No thread can be ended by another. The supervisor reads in the row what it was.
                say(
                    Level::Error,
                    &format!("seine: fetcher {slot}: url {url_id} keeps it busy without end; it gives up"),
                );
                row.begin_work(url_id);
                std::process::abort();
            }
        }
    });
    let sender = tokio::task::spawn_local(outbox.clone().send_all());

    loop {
        match control.next().await {
            Ok(Order::Queue(socket)) => {
                // Whole records that were not sent yet go to the new queue; the rest of an interrupted one too.
                let mut holding = hosts.holding();
                holding.extend(outbox.holding());
                if let Err(error) = outbox.connect(socket) {
                    tracing::warn!(%error, "cannot use the new page queue");
                    return 1;
                }
                control.holding(holding);
                hosts.ask_again();
            }
            Ok(Order::Lease(lease)) => hosts.lease(lease),
            Ok(Order::Recall(host)) => hosts.recall(&host),
            Ok(Order::Places(host, places)) => hosts.set_places(host, places as usize),
            Ok(Order::Origin(facts)) => hosts.learn(facts),
            Ok(Order::Probe(urls)) => hosts.probe(&urls),
            Ok(Order::Drain) => {
                hosts.drain();
                break;
            }
            Ok(Order::Cancel) => {
                hosts.cancel();
                break;
            }
            Ok(Order::SupervisorGone) => return 0,
            Err(error) => {
                tracing::warn!(%error, "control channel lost");
                return 1;
            }
        }
    }

    // Draining: what is in flight ends, or is cancelled; then everything finished is sent. New queues are still
    // taken, since the writer may die in the meantime.
    loop {
        tokio::select! {
            () = hosts.idle() => break,
            order = control.next() => match order {
                Ok(Order::Queue(socket)) => {
                    let mut holding = hosts.holding();
                    holding.extend(outbox.holding());
                    if outbox.connect(socket).is_err() {
                        return 1;
                    }
                    control.holding(holding);
                }
                Ok(Order::Cancel) => {
                    hosts.cancel();
                    break;
                }
                Ok(
                    Order::Lease(_)
                    | Order::Recall(_)
                    | Order::Places(..)
                    | Order::Origin(_)
                    | Order::Probe(_)
                    | Order::Drain,
                ) => {}
                Ok(Order::SupervisorGone) | Err(_) => return 0,
            }
        }
    }
    outbox.close();
    tokio::select! {
        _ = sender => 0,
        // Nobody will commit what is left.
        () = control.gone(&outbox, &hosts) => 0,
    }
}
