//! Jobs: a command, the times it is due, and the store it works on.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::cron::Cron;
use super::zone::Zone;

/// The treatment of a run that is due while another uses the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// It is left out
    #[default]
    Skip,
    /// It follows at once, however often it was due meanwhile
    Queue,
}

/// The use that is made of the standard output of a job's runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// It is the scheduler's own.
    Shared,
    /// It is a summary, kept as the last one.
    Summary,
    /// The same, and the user has asked to see it.
    ShownSummary,
    /// It is a log of one JSON object a line, passed on as it comes; the summary is one of the lines.
    Log,
}

/// A job.
#[derive(Clone, Debug)]
pub struct Job {
    /// Tells it from the others.
    pub name: String,
    /// When it is due ...
    pub cron: Cron,
    /// ... by the clocks of this zone.
    pub zone: Zone,
    /// Each run is put off by up to this, at random.
    pub jitter: Duration,
    /// Once at the start too.
    pub run_on_start: bool,
    /// Due while the store is in use.
    pub overlap: Overlap,
    /// Whether what was missed is made up for, by one run.
    pub catch_up: bool,
    /// The arguments of its runs.
    pub arguments: Vec<OsString>,
    /// The use that is made of their output.
    pub output: Output,
    /// The store as the command names it, if it has one.
    pub db: Option<PathBuf>,
    /// The same store whatever it was called by: absolute, without links. Two jobs with the same never run at once.
    pub store: Option<PathBuf>,
}

impl Job {
    /// The first time after `seen` that the cron text names, and when its run is due: later by the jitter, which is
    /// random but the same whenever it is asked for.
    pub fn next_after(&self, seen: Timestamp, seed: u64) -> Option<(Timestamp, Timestamp)> {
        let named = self.cron.next_after(seen, self.zone.rules())?;
        let due = named.checked_add(self.jitter_of(named, seed)).ok()?;
        Some((named, due))
    }

    fn jitter_of(&self, named: Timestamp, seed: u64) -> SignedDuration {
        let most = u64::try_from(self.jitter.as_millis()).unwrap_or(u64::MAX);
        let mut hash = blake3::Hasher::new();
        hash.update(&seed.to_le_bytes()).update(&named.as_second().to_le_bytes()).update(self.name.as_bytes());
        let mut number = [0; 8];
        hash.finalize_xof().fill(&mut number);
        let millis = u64::from_le_bytes(number) % most.saturating_add(1);
        SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}
