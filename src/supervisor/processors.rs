//! The processor host beside a crawl: started when the store is open, replaced when it dies, asked to finish when every
//! page is in the store. The plan knows nothing of it: a run that has processors closes its store when they are done.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;

use super::SupervisorError;
use super::backoff::{Backoff, CrashBudget};
use crate::config::processors::Processor;
use crate::console::progress::Progress;
use crate::processors::{GRACE, host};
use seine_core::protocol::Generation;
use seine_core::protocol::processing::{FromHost, Tally, ToHost};
use seine_unix::channel::Channel;
use seine_unix::clock::monotonic_ms;
use seine_unix::fork::{Death, ForkSpec, fork};
use seine_unix::pair::{Mode, stream_pair};
use seine_unix::signals::{self, Exit};
use seine_unix::status::Row;
use seine_unix::title::Role;
use seine_unix::{Pid, Signal};

/// For the host to end its programs when it is to stop.
const STOP_MS: u64 = 3_000;
/// A host that has not said for so long how far it is, is stuck.
const STALL_MS: u64 = 120_000;

/// What the host is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// To process what is being stored.
    Work,
    /// To process what is left.
    Drain,
    /// To be gone; at this time it is killed.
    Gone { kill_at: u64 },
}

/// See the module.
pub(super) struct Beside {
    processors: Vec<Processor>,
    /// Its channel is closed once it is to stop.
    host: Option<(Pid, Option<Channel>)>,
    generation: Generation,
    writer_is_up: bool,
    start_at: u64,
    heard_at: u64,
    backoff: Backoff,
    crashes: CrashBudget,
    wish: Wish,
    /// All that there was to do is done.
    is_done: bool,
    tallies: Vec<Tally>,
    failure: Option<Failure>,
}

/// Why processors could not do what there was to do.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Full sentence for people.
    pub message: String,
    /// Whether the configuration is to blame: the crawl does not go on either.
    pub is_usage: bool,
}

impl Beside {
    /// A host for `processors`, not started yet; `None` if there are none.
    pub fn new(processors: &[Processor]) -> Option<Self> {
        (!processors.is_empty()).then(|| Self {
            processors: processors.to_vec(),
            host: None,
            generation: 0,
            writer_is_up: false,
            start_at: 0,
            heard_at: 0,
            backoff: Backoff::default(),
            crashes: CrashBudget::default(),
            wish: Wish::Work,
            is_done: false,
            tallies: Vec::new(),
            failure: None,
        })
    }

    /// The store is open, or no longer.
    pub fn writer_is_up(&mut self, is_up: bool) {
        self.writer_is_up = is_up;
    }

    /// Whether the store may be closed: the host is not there, and not to come.
    pub fn is_over(&self) -> bool {
        self.host.is_none() && (self.is_done || self.failure.is_some() || matches!(self.wish, Wish::Gone { .. }))
    }

    /// Every page is in the store.
    pub fn drain(&mut self) {
        if self.wish == Wish::Work {
            self.wish = Wish::Drain;
            self.tell_drain();
        }
    }

    /// What is left is for another time.
    pub fn stop(&mut self) {
        if !matches!(self.wish, Wish::Gone { .. }) {
            self.wish = Wish::Gone { kill_at: monotonic_ms() + STOP_MS };
            if let Some((_, channel)) = &mut self.host {
                // The end of its channel is its word to stop.
                *channel = None;
            }
        }
    }

    fn tell_drain(&mut self) {
        if let Some((_, Some(channel))) = &mut self.host {
            // One that is gone shows by its exit.
            let _ = channel.send(&ToHost::Drain, None);
            let _ = channel.flush();
        }
    }

    /// Whether they cannot work as they are configured.
    pub fn is_misconfigured(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.is_usage)
    }

    /// Its channel, for polling.
    pub fn channel(&self) -> Option<&Channel> {
        self.host.as_ref()?.1.as_ref().filter(|channel| !channel.has_ended())
    }

    /// What it has come to: numbers if it could finish, and why not if it could not.
    pub fn report(self) -> (Vec<Tally>, Option<Failure>) {
        (self.tallies, self.failure)
    }

    /// Starts a host if there is to be one now; yields the writer's end of its queue.
    ///
    /// # Errors
    /// No descriptors left.
    pub fn start(
        &mut self,
        db: &Path,
        inherited: &[RawFd],
        row: &Row,
    ) -> Result<Option<(OwnedFd, Generation)>, SupervisorError> {
        let is_wanted = !self.is_done && self.failure.is_none() && !matches!(self.wish, Wish::Gone { .. });
        if self.host.is_some() || !self.writer_is_up || !is_wanted || monotonic_ms() < self.start_at {
            return Ok(None);
        }
        let pair = || {
            stream_pair(Mode::Nonblocking, Mode::Nonblocking)
                .map_err(|error| SupervisorError::System("make a socket pair", error))
        };
        let ((ours, control), (queue, far)) = (pair()?, pair()?);
        self.generation += 1;
        row.start(self.generation);
        let mut keep = inherited.to_vec();
        keep.extend([control.as_raw_fd(), queue.as_raw_fd()]);
        let given = host::Start {
            path: db.to_owned(),
            processors: self.processors.clone(),
            failed: false,
            is_live: true,
            generation: self.generation,
            control,
            queue,
        };
        let spec = ForkSpec { role: Role::Processors, keep: &keep, death: Death::Grace(GRACE) };
        match fork(spec, || host::run(given, row)) {
            Ok(pid) => {
                tracing::info!(pid = pid.as_raw(), generation = self.generation, "processor host started");
                self.host = Some((pid, Some(Channel::new(ours, 1 << 20))));
                self.heard_at = monotonic_ms();
                if self.wish == Wish::Drain {
                    self.tell_drain();
                }
                Ok(Some((far, self.generation)))
            }
            Err(error) => {
                self.crashed(format!("could not be started ({:#})", anyhow::Error::new(error)));
                Ok(None)
            }
        }
    }

    /// Whether `pid` was the host, which has ended.
    pub fn ended(&mut self, pid: Pid, exit: Exit, progress: &mut Progress) -> bool {
        if self.host.as_ref().is_none_or(|(host, _)| *host != pid) {
            return false;
        }
        // What it said before it ended comes first.
        self.listen(progress);
        self.host = None;
        tracing::info!(%exit, "processor host has ended");
        // Without a writer it cannot go on; that is no fault of its own.
        let is_expected = self.is_done || self.failure.is_some() || matches!(self.wish, Wish::Gone { .. });
        if !is_expected && self.writer_is_up {
            self.crashed(exit.to_string());
            if self.failure.is_none() {
                progress.warn(&format!("the processor host (pid {pid}) {exit}; another takes its place"));
            }
        }
        true
    }

    fn crashed(&mut self, how: String) {
        let now = monotonic_ms();
        self.start_at = now + self.backoff.crashed(now, self.generation);
        if self.crashes.crashed(now) {
            let message = format!("the processor host {how}, again and again");
            self.failure = Some(Failure { message, is_usage: false });
        }
    }

    /// Takes what the host says.
    pub fn listen(&mut self, progress: &mut Progress) {
        let Some((pid, Some(channel))) = &mut self.host else { return };
        if channel.has_ended() {
            return;
        }
        let mut broken = channel.receive().is_err();
        while !broken {
            self.heard_at = match channel.next::<FromHost>() {
                Ok(Some(FromHost::Progress { .. })) => monotonic_ms(),
                Ok(Some(FromHost::Warning(text))) => {
                    progress.warn(&text);
                    monotonic_ms()
                }
                Ok(Some(FromHost::Done(tallies))) => {
                    self.tallies = tallies;
                    self.is_done = true;
                    monotonic_ms()
                }
                Ok(Some(FromHost::Fatal { message, usage })) => {
                    self.failure = Some(Failure { message, is_usage: usage });
                    monotonic_ms()
                }
                Ok(None) => return,
                Err(_) => {
                    broken = true;
                    self.heard_at
                }
            };
        }
        let _ = signals::kill(*pid, Signal::SIGKILL);
    }

    /// Kills a host that is stuck, or that does not stop. Silence before `since` does not count.
    pub fn watch(&mut self, since: u64, progress: &mut Progress) {
        let Some((pid, _)) = &self.host else { return };
        let now = monotonic_ms();
        let is_late = matches!(self.wish, Wish::Gone { kill_at } if now >= kill_at);
        let is_stuck = now.saturating_sub(self.heard_at.max(since)) >= STALL_MS && !self.is_done;
        if is_stuck {
            progress
                .warn(&format!("the processor host (pid {pid}) has not moved for {} s; it is killed", STALL_MS / 1000));
            self.heard_at = now;
        }
        if is_late || is_stuck {
            let _ = signals::kill(*pid, Signal::SIGKILL);
        }
    }
}
