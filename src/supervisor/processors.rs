//! The processor host beside a crawl, as the plan sees it: whether one is wanted, and what has come of it. Pure.
//!
//! A host that dies is replaced, and the next one finds in the store what is left to do. Without a writer a host cannot
//! go on; that is no fault of its own. One that cannot be had is given up, and the crawl goes on without.

use super::backoff::{Backoff, CrashBudget};
use seine_core::protocol::Generation;
use seine_core::protocol::processing::{FromHost, Tally};
use seine_core::time::Mono;

/// Why processors could not do what there was to do.
#[derive(Clone, Debug)]
pub struct ProcessorFailure {
    /// Full sentence for people.
    pub message: String,
    /// Whether the configuration is to blame: the crawl does not go on either.
    pub is_usage: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct ProcessorHost {
    up: Option<Up>,
    start_at: Mono,
    backoff: Backoff,
    crashes: CrashBudget,
    done: Option<Vec<Tally>>,
    failure: Option<ProcessorFailure>,
}

#[derive(Debug)]
struct Up {
    generation: Generation,
    /// The writer that reads its queue lives.
    has_writer: bool,
}

impl ProcessorHost {
    /// Its generation, if it is up.
    pub fn generation(&self) -> Option<Generation> {
        Some(self.up.as_ref()?.generation)
    }

    /// Whether there may be something left that it could do.
    pub fn is_wanted(&self) -> bool {
        self.done.is_none() && self.failure.is_none()
    }

    /// When it is to be started, if it is not up.
    pub fn start_at(&self) -> Option<Mono> {
        (self.up.is_none() && self.is_wanted()).then_some(self.start_at)
    }

    /// It is started; its queue leads to the writer that is up.
    pub fn start(&mut self, generation: Generation) {
        self.up = Some(Up { generation, has_writer: true });
    }

    /// The writer is gone.
    pub fn lose_writer(&mut self) {
        self.up.iter_mut().for_each(|up| up.has_writer = false);
    }

    /// Takes what it says; yields what people should know.
    pub fn hear(&mut self, message: FromHost) -> Option<String> {
        match message {
            FromHost::Progress { .. } => return None,
            FromHost::Warning(text) => return Some(text),
            FromHost::Done(tallies) => self.done = Some(tallies),
            FromHost::Fatal { message, usage } => self.failure = Some(ProcessorFailure { message, is_usage: usage }),
        }
        None
    }

    /// It is gone, `how` is for people. `is_wanted` says whether it should not be; yields what people should know then.
    pub fn exited(&mut self, how: &str, is_wanted: bool, now: Mono, seed: u64) -> Option<String> {
        let up = self.up.take()?;
        if !is_wanted || !up.has_writer {
            return None;
        }
        self.start_at = now.plus_ms(self.backoff.crashed(now, seed));
        if self.crashes.crashed(now) {
            let message = format!("the processor host {how}, again and again");
            self.failure = Some(ProcessorFailure { message, is_usage: false });
            return None;
        }
        Some(format!("the processor host {how}; another takes its place"))
    }

    /// Why it could not do what there was to do.
    pub fn failure(&self) -> Option<&ProcessorFailure> {
        self.failure.as_ref()
    }

    /// What it has come to: numbers if it could finish, and why not if it could not.
    pub fn report(&self) -> (Vec<Tally>, Option<ProcessorFailure>) {
        (self.done.clone().unwrap_or_default(), self.failure.clone())
    }
}
