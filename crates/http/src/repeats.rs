//! Requests that are made again at once, since what failed was their connection and not the site.
//!
//! A server may close a connection that it has kept open at any time, also at the moment in which it is used again. Such
//! a request is repeated on a fresh connection if its method is idempotent (RFC 9112 §9.3.1). The client itself repeats
//! only what it has not begun to send, and tells nobody whether a connection was a fresh one; so it is known here which
//! ones have answered before.
//!
//! Where HTTP/2 fails as such, the request is repeated over HTTP/1.1, and so are later ones made to that origin.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::http::Extensions;
use hyper_util::client::legacy::connect::HttpInfo;
use reqwest::Response;
use tokio::time::Instant;
use url::{Origin, Url};

use super::failure;

/// Connections noted before the ones that can no longer be reused are forgotten.
const MAX_KNOWN: usize = 1024;

/// Origins without HTTP/2 that are known at once.
const MAX_WITHOUT_HTTP2: usize = 10_000;

/// Both ends of a connection, ours first.
type Ends = (SocketAddr, SocketAddr);

/// The connections of one [`Http`](super::Http) that were used before, and the origins where HTTP/2 fails.
#[derive(Debug)]
pub(super) struct Repeats {
    /// When each of those that have answered did so last, and how many are to be known before some are forgotten.
    answered: Mutex<(HashMap<Ends, Instant>, usize)>,
    without_http2: Mutex<HashSet<Origin>>,
    /// How long after an answer its connection can be in use at most.
    lasting: Duration,
}

impl Repeats {
    /// For connections that last so long after an answer.
    pub(super) fn new(lasting: Duration) -> Self {
        Self { answered: Mutex::new((HashMap::new(), MAX_KNOWN)), without_http2: Mutex::default(), lasting }
    }

    /// Notes that the connection of `response` has answered.
    pub(super) fn answered(&self, response: &Response) {
        let Some(ends) = response.extensions().get().map(ends) else { return };
        let now = Instant::now();
        let mut answered = self.lock();
        let (known, most) = &mut *answered;
        known.insert(ends, now);
        if known.len() > *most {
            known.retain(|_, at| now.duration_since(*at) < self.lasting);
            // Twice what is left, so that forgetting costs each answer next to nothing.
            *most = (2 * known.len()).max(MAX_KNOWN);
        }
    }

    /// Whether `error` means that a connection which had answered before was no longer there for this request.
    pub(super) fn was_reused(&self, error: &reqwest::Error) -> bool {
        let Some(connected) = failure::lost_connection(error) else { return false };
        let mut extras = Extensions::new();
        connected.get_extras(&mut extras);
        let last = extras.get().and_then(|info| self.lock().0.get(&ends(info)).copied());
        // The system may have given the port of an old connection to a new one.
        last.is_some_and(|at| at.elapsed() < self.lasting)
    }

    /// Notes that HTTP/2 fails at the origin of `url`: whether that is news.
    pub(super) fn http2_failed(&self, url: &Url) -> bool {
        let mut without = self.without_http2.lock().unwrap_or_else(PoisonError::into_inner);
        if without.len() >= MAX_WITHOUT_HTTP2 {
            // They are found out again.
            without.clear();
        }
        without.insert(url.origin())
    }

    /// Whether the origin of `url` is known to be one where HTTP/2 fails.
    pub(super) fn is_without_http2(&self, url: &Url) -> bool {
        let without = self.without_http2.lock().unwrap_or_else(PoisonError::into_inner);
        !without.is_empty() && without.contains(&url.origin())
    }

    fn lock(&self) -> MutexGuard<'_, (HashMap<Ends, Instant>, usize)> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ends(info: &HttpInfo) -> Ends {
    (info.local_addr(), info.remote_addr())
}
