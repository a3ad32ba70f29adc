//! The settings that hold for one host: the common ones, and those that differ there.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::values::{Header, HttpChoice, ProxyUrl};

/// First pause before a repeated attempt; it doubles with each ...
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// ... up to this.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// The longest pause before an attempt at a URL, after so many that failed and one more.
pub fn longest_backoff(failed: u16) -> Duration {
    FIRST_RETRY.saturating_mul(1 << failed.min(10)).min(LONGEST_RETRY)
}

/// Text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What holds for one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPolicy {
    /// Smallest gap between request starts.
    pub delay: Duration,
    /// Requests in flight.
    pub concurrency: usize,
    /// URLs of one invocation; 0: any.
    pub limit: u64,
    /// Headers beside the common ones.
    pub headers: Vec<Header>,
    /// The `Authorization` header.
    pub authorization: Option<Secret>,
    /// Whether cookies are taken and sent.
    pub cookies: bool,
    /// Whether robots.txt is obeyed.
    pub robots: bool,
    /// In which versions of HTTP it is asked.
    pub http: HttpChoice,
    /// How to connect.
    pub proxies: Proxies,
    /// Whether any certificate is accepted.
    pub insecure: bool,
    /// Our certificate and its key.
    pub client_cert: Option<PathBuf>,
}

/// How to connect to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxies {
    /// As to all others.
    Common,
    /// By these in turn; empty: directly.
    These(Vec<ProxyUrl>),
}
