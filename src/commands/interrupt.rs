//! Ctrl-C while a file is written: looked for, so that what is half done can be taken away.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use seine_unix::signals::Signals;

/// SIGINT and SIGTERM, waiting to be looked for.
#[derive(Clone)]
pub(super) struct Interrupt {
    signals: Arc<Mutex<Signals>>,
    came: Arc<AtomicI32>,
}

impl Interrupt {
    pub fn new() -> Result<Self> {
        let signals = Signals::new().context("cannot watch for signals")?;
        Ok(Self { signals: Arc::new(Mutex::new(signals)), came: Arc::new(AtomicI32::new(0)) })
    }

    pub fn came(&self) -> Option<Signal> {
        if let Ok(mut signals) = self.signals.try_lock() {
            for signal in signals.read().filter(|signal| *signal != Signal::SIGCHLD) {
                self.came.store(signal as i32, Ordering::Relaxed);
            }
        }
        Signal::try_from(self.came.load(Ordering::Relaxed)).ok()
    }
}
