//! What of an archive could not be read.

use std::error::Error;
use std::fmt;

use super::Damage;

/// Losses that are told one by one.
const TOLD: usize = 5;

/// A place of an archive where something is damaged.
#[derive(Debug)]
pub struct Loss {
    /// Its byte.
    pub at: u64,
    /// The URL of its record, if that is known.
    pub target: Option<String>,
    /// What is wrong.
    pub damage: Damage,
    /// From there to the next record that was found.
    pub bytes: u64,
}

/// All of them, counted.
#[derive(Debug, Default)]
pub struct Losses {
    count: u64,
    first: Vec<Loss>,
    /// Where the last one begins, if no record was found behind it yet.
    open: Option<u64>,
}

impl Losses {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The first of them.
    pub fn first(&self) -> &[Loss] {
        &self.first
    }

    /// Whether no record was found since the last one.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn add(&mut self, at: u64, target: Option<String>, damage: Damage) {
        self.count += 1;
        self.open = Some(at);
        if self.first.len() < TOLD {
            self.first.push(Loss { at, target, damage, bytes: 0 });
        }
    }

    /// A record, or the end, was found at byte `at`.
    pub(super) fn until(&mut self, at: u64) {
        if let Some(from) = self.open.take()
            && let Some(last) = self.first.last_mut().filter(|last| last.at == from)
        {
            last.bytes = at.saturating_sub(from);
        }
    }
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.count, if self.count == 1 { "place is damaged" } else { "places are damaged" })?;
        for (number, loss) in self.first.iter().enumerate() {
            write!(f, "{} at byte {}", if number == 0 { ":" } else { ";" }, loss.at)?;
            if let Some(target) = &loss.target {
                write!(f, " ({target})")?;
            }
            write!(f, ": {}", loss.damage)?;
            let mut source = loss.damage.source();
            while let Some(cause) = source {
                write!(f, ": {cause}")?;
                source = cause.source();
            }
            if loss.bytes > 0 {
                write!(f, "; {} bytes on to the next record", loss.bytes)?;
            }
        }
        match self.count - self.first.len() as u64 {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}
