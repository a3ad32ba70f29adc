//! Bodies of bounded size: how one is received, decoded and kept within the memory budget.
//!
//! Worst case for `n` requests in flight: `n` × ([`SMALL`] + [`HELD`] + what the client buffers unread,
//! at most 408 KiB over HTTP/1.1 and [`STREAM_WINDOW`] over HTTP/2) + `large_bodies` × (`max_body_bytes`
//! + one decoder's window, at most 16 MiB).

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::coding::{Coding, Decoder, Stop, Unknown, codings, grow};
use super::failure::{failure, in_body};
use crate::record::{ErrorClass, Failure};

/// Bytes that every body may hold; a larger one first waits for one of the large-body permits.
pub const SMALL: usize = 256 * 1024;

/// Encoded bytes that are collected before a decoder is made: most bodies end within them, and a decoder
/// that lives for one call only costs no memory while the network is slow.
const HELD: usize = 64 * 1024;

/// Unread bytes that an HTTP/2 stream may pile up.
pub(super) const STREAM_WINDOW: u32 = 256 * 1024;

/// Bytes and time spent on the body of a redirect, which nobody reads: taking a short one keeps its
/// connection usable.
const REDIRECT_BYTES: u64 = 16 * 1024;
const REDIRECT_TIME: Duration = Duration::from_secs(1);

/// The decoded bytes of an answer. A large one holds a permit of the memory budget until it is dropped,
/// so drop it as soon as its bytes have been used.
#[derive(Debug, Default)]
pub struct Body {
    bytes: Vec<u8>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Body {
    /// Whether this body holds one of the large-body permits.
    pub fn is_large(&self) -> bool {
        self.permit.is_some()
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The limits that all bodies of a client share.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    max_body: usize,
    large: Arc<Semaphore>,
}

impl Budget {
    pub(super) fn new(max_body_bytes: u64, large_bodies: usize) -> Self {
        let permits = large_bodies.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            max_body: usize::try_from(max_body_bytes).unwrap_or(usize::MAX),
            large: Arc::new(Semaphore::new(permits)),
        }
    }

    fn too_large(&self) -> Failure {
        let message = format!("the body passes the limit of {} bytes (--max-body)", self.max_body);
        failure(ErrorClass::TooLarge, message)
    }
}

/// The time limit of one request, from its start to the last byte of its body.
pub(super) struct Deadline<'a> {
    limit: Duration,
    sleep: Pin<&'a mut Sleep>,
}

/// The time limit passed.
pub(super) struct Elapsed;

impl<'a> Deadline<'a> {
    /// `sleep` must end `limit` after the request's start.
    pub(super) fn new(limit: Duration, sleep: Pin<&'a mut Sleep>) -> Self {
        Self { limit, sleep }
    }

    /// The limit as configured.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Runs `work` against the limit.
    pub(super) async fn bound<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Elapsed> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = &mut self.sleep => Err(Elapsed),
        }
    }

    /// Runs `work` off the clock: the limit moves by the time it takes.
    async fn pause<T>(&mut self, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let done = work.await;
        let at = self.sleep.deadline() + start.elapsed();
        self.sleep.as_mut().reset(at);
        done
    }
}

/// The rest of one answer, and what has been received of it.
pub(super) struct Reader<'a, 'b> {
    response: Response,
    deadline: &'a mut Deadline<'b>,
    budget: &'a Budget,
    /// Content-Length.
    expected: Option<u64>,
    received: u64,
}

impl<'a, 'b> Reader<'a, 'b> {
    pub(super) fn new(response: Response, deadline: &'a mut Deadline<'b>, budget: &'a Budget) -> Self {
        let expected = response.content_length();
        Self { response, deadline, budget, expected, received: 0 }
    }

    /// Bytes of the body received so far, before decoding.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// The whole body, decoded.
    pub(super) async fn body(&mut self) -> Result<Body, Failure> {
        let codings = codings(self.response.headers()).map_err(|unknown| match unknown {
            Unknown::Coding(name) => failure(ErrorClass::Encoding, format!("unsupported content encoding {name:?}")),
            Unknown::TooMany(count) => {
                failure(ErrorClass::Encoding, format!("{count} content encodings stacked on one body"))
            }
        });
        match self.expected {
            Some(0) => Ok(Body::default()),
            _ => match &codings?[..] {
                [] => self.plain().await,
                codings => self.encoded(codings).await,
            },
        }
    }

    /// Takes what a redirect's body has to give within its bounds; how it ends does not matter.
    pub(super) async fn skip(&mut self) {
        let start = Instant::now();
        let rest =
            async { while self.received <= REDIRECT_BYTES && self.chunk().await.is_ok_and(|chunk| chunk.is_some()) {} };
        if tokio::time::timeout_at(start + REDIRECT_TIME, rest).await.is_err() {
            tracing::trace!("gave up on the body of a redirect");
        }
    }

    async fn plain(&mut self) -> Result<Body, Failure> {
        let mut body = Body::default();
        if let Some(expected) = self.expected {
            let expected = usize::try_from(expected).unwrap_or(usize::MAX);
            if expected > self.budget.max_body {
                return Err(self.budget.too_large());
            }
            if expected > SMALL {
                body.permit = Some(self.permit().await);
            }
            body.bytes.reserve_exact(expected);
        }
        while let Some(chunk) = self.chunk().await? {
            let needed = body.bytes.len().saturating_add(chunk.len());
            if needed > self.budget.max_body {
                return Err(self.budget.too_large());
            }
            if needed > SMALL && body.permit.is_none() {
                body.permit = Some(self.permit().await);
            }
            let ceiling = if body.permit.is_some() { self.budget.max_body } else { SMALL };
            grow(&mut body.bytes, chunk.len(), ceiling);
            body.bytes.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn encoded(&mut self, codings: &[Coding]) -> Result<Body, Failure> {
        let mut held = Vec::new();
        let mut next = None;
        while let Some(chunk) = self.chunk().await? {
            if held.len() + chunk.len() > HELD {
                next = Some(chunk);
                break;
            }
            held.extend_from_slice(&chunk);
        }
        let ceiling = SMALL.min(self.budget.max_body);
        if next.is_none() {
            let mut bytes = Vec::with_capacity((held.len() * 4).min(ceiling));
            let mut decoder = Decoder::new(codings);
            match decoder.push(&held, &mut bytes, ceiling).and_then(|()| decoder.finish()) {
                Ok(()) => return Ok(Body { bytes, permit: None }),
                // Decoding once more costs less than keeping a decoder and its output through the wait.
                Err(Stop::Full) if ceiling < self.budget.max_body => {}
                Err(stop) => return Err(self.stopped(stop)),
            }
        }
        let mut body = Body { bytes: Vec::new(), permit: Some(self.permit().await) };
        let mut decoder = Decoder::new(codings);
        self.decode(&mut decoder, &held, &mut body)?;
        drop(held);
        while let Some(chunk) = next {
            self.decode(&mut decoder, &chunk, &mut body)?;
            // A decoder can be fed for ever without an output: empty blocks, skippable frames.
            if self.received > (self.budget.max_body as u64).saturating_add(HELD as u64) {
                return Err(self.budget.too_large());
            }
            next = self.chunk().await?;
        }
        decoder.finish().map_err(|stop| self.stopped(stop))?;
        Ok(body)
    }

    fn decode(&self, decoder: &mut Decoder, input: &[u8], body: &mut Body) -> Result<(), Failure> {
        decoder.push(input, &mut body.bytes, self.budget.max_body).map_err(|stop| self.stopped(stop))
    }

    fn stopped(&self, stop: Stop) -> Failure {
        match stop {
            Stop::Full => self.budget.too_large(),
            Stop::Short(coding) => failure(
                ErrorClass::Truncated,
                format!("the {coding} data of the body ends early, after {} bytes", self.received),
            ),
            Stop::Corrupt(coding, cause) => {
                failure(ErrorClass::Encoding, format!("the body is not valid {coding} data: {cause}"))
            }
        }
    }

    async fn permit(&mut self) -> OwnedSemaphorePermit {
        let permit = self.budget.large.clone().acquire_owned();
        self.deadline.pause(permit).await.expect("this semaphore is never closed")
    }

    async fn chunk(&mut self) -> Result<Option<impl Deref<Target = [u8]> + use<>>, Failure> {
        match self.deadline.bound(self.response.chunk()).await {
            Ok(Ok(chunk)) => {
                self.received += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
                Ok(chunk)
            }
            Ok(Err(error)) => Err(in_body(&error, self.received, self.expected)),
            Err(Elapsed) => {
                let (received, limit) = (self.received, self.deadline.limit());
                let message = format!("body not complete within {limit:?}, {received} bytes received");
                Err(failure(ErrorClass::Timeout, message))
            }
        }
    }
}
