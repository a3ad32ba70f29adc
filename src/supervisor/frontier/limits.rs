//! How much of a host may be leased at a time, and how much of the frontier is in memory.

use std::fmt;
use std::rc::Rc;

/// The limits of one host.
#[derive(Clone, Copy, Debug)]
pub struct HostLimits {
    /// Smallest gap between request starts.
    pub delay_ms: u64,
    /// URLs of one host that may be leased to a fetcher and not committed.
    pub window: u32,
    /// URLs of one host that may be leased for the first time; 0: any.
    pub urls: u64,
    /// Requests in flight.
    pub places: u32,
    /// Longest pause that it may ask for. A later time in the store was written by a clock that was wrong.
    pub longest_pause_ms: u64,
    /// Whether nothing else limits it, so that several fetchers may have a part of them each.
    pub shared: bool,
}

/// The limits of each host, by name.
#[derive(Clone)]
pub struct LimitsOf(Rc<dyn Fn(&str) -> HostLimits>);

impl LimitsOf {
    /// As `of` says.
    pub fn new(of: impl Fn(&str) -> HostLimits + 'static) -> Self {
        Self(Rc::new(of))
    }

    /// The same for all.
    pub fn all(limits: HostLimits) -> Self {
        Self::new(move |_| limits)
    }

    /// Those of the host called `name`.
    pub fn host(&self, name: &str) -> HostLimits {
        (self.0)(name)
    }
}

impl fmt::Debug for LimitsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LimitsOf")
    }
}

/// How much of the frontier is in memory.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// URLs held at most, whatever the length of the lists.
    pub urls: usize,
    /// Hosts asked for in one pull, and 16 times as many URLs of new ones.
    pub hosts_per_pull: usize,
}
