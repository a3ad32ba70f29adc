//! The life of a fetcher: it follows the supervisor's orders, drains, and hands over what it has finished.

use std::io;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::FetcherSetup;
use super::client::http_options;
use super::control::{Control, Order};
use super::hosts::Hosts;
use super::outbox::Outbox;
use super::visit::{Finder, Visitor, VisitorSetup};
use crate::following::{FollowError, following, selector};
use seine_core::protocol::Slot;
use seine_http::{Http, HttpError};
use seine_page::extract::rules::{RuleError, Rules};
use seine_unix::channel::ChannelError;
use seine_unix::limits::{Heap, fit_heap};
use seine_unix::say::{Level, say};
use seine_unix::status::Row;

/// How often the status row shows that the runtime turns.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// Connections from which on the memory of their buffers, up to 400 KiB each and empty while an answer is waited for,
/// matters more than the few percent of CPU time it costs to spare it.
const MANY_CONNECTIONS: usize = 256;

/// Why a fetcher cannot begin.
#[derive(Debug, thiserror::Error)]
enum SetupError {
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("control channel: {0}")]
    Control(#[from] ChannelError),
    /// Unlikely: the process that started the crawl has read the rules before.
    #[error(transparent)]
    Rules(#[from] RuleError),
    /// Likewise.
    #[error(transparent)]
    Follow(#[from] FollowError),
}

/// A fetcher at work.
struct Fetcher {
    control: Control,
    hosts: Hosts,
    outbox: Outbox,
}

/// Runs a fetcher to its end; the return value is the exit code.
pub(super) async fn live(setup: FetcherSetup, row: &'static Row) -> i32 {
    let slot = setup.slot;
    let (mut fetcher, visitor) = match Fetcher::new(setup, row) {
        Ok(made) => made,
        Err(error) => {
            say(Level::Error, &format!("seine: fetcher {slot}: {error}"));
            return 1;
        }
    };
    tokio::task::spawn_local(beat(slot, visitor, row));
    match fetcher.run().await {
        ControlFlow::Continue(()) => 0,
        ControlFlow::Break(code) => code,
    }
}

/// Shows in the status row that the runtime turns, and ends the process if one of its threads never will.
async fn beat(slot: Slot, visitor: Rc<Visitor>, row: &'static Row) {
    let mut interval = tokio::time::interval(HEARTBEAT);
    loop {
        interval.tick().await;
        row.beat();
        if let Some(url_id) = visitor.endless() {
            // No thread can be ended by another. The supervisor reads in the row what it was.
            say(Level::Error, &format!("seine: fetcher {slot}: url {url_id} keeps it busy without end; it gives up"));
            row.begin_work(url_id);
            std::process::abort();
        }
    }
}

impl Fetcher {
    fn new(setup: FetcherSetup, row: &'static Row) -> Result<(Self, Rc<Visitor>), SetupError> {
        let FetcherSetup { slot: _, generation, control, concurrency, rate, known, settings, .. } = setup;
        fit_heap(if concurrency >= MANY_CONNECTIONS { Heap::ManyBuffers } else { Heap::Ordinary });
        let http = Http::new(&http_options(&settings))?;
        let control = Control::new(control, generation)?;
        let rules = Rules::read(&settings.extraction.rules_text)?;
        let finder = following(&settings.follow)?
            .zip(known)
            .map(|(following, known)| Finder::new(following, known, settings.follow.since_ms));
        let follow_css = selector(&settings.follow)?;
        let outbox = Outbox::new(generation, row, settings.buffers.outbox_bytes);
        let settings = Rc::new(settings);
        let speaker = control.speaker();
        let visitor = Rc::new(Visitor::new(VisitorSetup {
            http,
            outbox: outbox.clone(),
            speaker: speaker.clone(),
            generation,
            settings: Rc::clone(&settings),
            rules,
            follow_css,
            finder,
            row,
        }));
        let places = Arc::new(Semaphore::new(concurrency));
        let hosts = Hosts::new(Rc::clone(&visitor), speaker, places, rate, settings, row);
        Ok((Self { control, hosts, outbox }, visitor))
    }

    /// From the first order until all is sent; `Break` is the exit code of an end before that.
    async fn run(&mut self) -> ControlFlow<i32> {
        let sender = tokio::task::spawn_local(self.outbox.clone().send_all());
        self.obey().await?;
        self.drain().await?;
        self.outbox.close();
        tokio::select! {
            _ = sender => {}
            // Nobody will commit what is left.
            () = self.supervisor_gone() => {}
        }
        ControlFlow::Continue(())
    }

    /// Follows orders until one is to come to an end.
    async fn obey(&mut self) -> ControlFlow<i32> {
        loop {
            match self.control.next().await {
                Ok(Order::Queue(socket)) => {
                    if let Err(error) = self.connect(socket) {
                        tracing::warn!(%error, "cannot use the new page queue");
                        return ControlFlow::Break(1);
                    }
                    self.hosts.ask_again();
                }
                Ok(Order::Lease(lease)) => self.hosts.lease(lease),
                Ok(Order::Recall(host)) => self.hosts.recall(&host),
                Ok(Order::Places(host, places)) => self.hosts.set_places(host, places as usize),
                Ok(Order::Origin(facts)) => self.hosts.learn(facts),
                Ok(Order::Probe(urls)) => self.hosts.probe(&urls),
                Ok(Order::Drain) => {
                    self.hosts.drain();
                    return ControlFlow::Continue(());
                }
                Ok(Order::Cancel) => {
                    self.hosts.cancel();
                    return ControlFlow::Continue(());
                }
                Ok(Order::SupervisorGone) => return ControlFlow::Break(0),
                Err(error) => {
                    tracing::warn!(%error, "control channel lost");
                    return ControlFlow::Break(1);
                }
            }
        }
    }

    /// Waits until what is in flight has ended, or is cancelled. New queues are still taken, since the writer may die in
    /// the meantime.
    async fn drain(&mut self) -> ControlFlow<i32> {
        loop {
            tokio::select! {
                () = self.hosts.idle() => return ControlFlow::Continue(()),
                order = self.control.next() => match order {
                    Ok(Order::Queue(socket)) => {
                        if self.connect(socket).is_err() {
                            return ControlFlow::Break(1);
                        }
                    }
                    Ok(Order::Cancel) => {
                        self.hosts.cancel();
                        return ControlFlow::Continue(());
                    }
                    Ok(
                        Order::Lease(_)
                        | Order::Recall(_)
                        | Order::Places(..)
                        | Order::Origin(_)
                        | Order::Probe(_)
                        | Order::Drain,
                    ) => {}
                    Ok(Order::SupervisorGone) | Err(_) => return ControlFlow::Break(0),
                }
            }
        }
    }

    /// Ends when the supervisor is gone; until then serves new queues to the closing outbox.
    async fn supervisor_gone(&mut self) {
        loop {
            match self.control.next().await {
                Ok(Order::Queue(socket)) => {
                    if self.connect(socket).is_err() {
                        return;
                    }
                }
                Ok(Order::SupervisorGone) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// Sends over a new page queue from now on: whole records that were not sent yet, and an interrupted one again.
    fn connect(&self, socket: OwnedFd) -> io::Result<()> {
        let mut holding = self.hosts.holding();
        holding.extend(self.outbox.holding());
        self.outbox.connect(socket)?;
        self.control.holding(holding);
        Ok(())
    }
}
