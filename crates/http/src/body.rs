//! Bodies of bounded size: how one is received, decoded and kept within the memory budget.
//!
//! Worst case for `n` requests in flight: `n` × ([`SMALL`] + [`HELD`] + what the client buffers unread,
//! at most 408 KiB over HTTP/1.1 and [`STREAM_WINDOW`] over HTTP/2) + `large_bodies` × (`max_body_bytes`
//! + one decoder's window, at most 16 MiB).

use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use reqwest::{Response, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::Want;
use super::coding::{Coding, Decoder, Stop, Unknown, codings, grow};
use super::failure::{failure, in_body};
use seine_core::record::{ErrorClass, Failure};

/// Bytes that every body may hold; a larger one first waits for one of the large-body permits.
pub const SMALL: usize = 256 * 1024;

/// Encoded bytes that are collected before a decoder is made: most bodies end within them, and a decoder
/// that lives for one call only costs no memory while the network is slow.
const HELD: usize = 64 * 1024;

/// Unread bytes that an HTTP/2 stream may pile up.
pub(super) const STREAM_WINDOW: u32 = 256 * 1024;

/// Bodies that are received and worked on at a time. When many answers come at once the rest waits where it costs
/// nothing, in the system's buffers, and those that are read are done with while they are still in the processor's
/// caches.
pub(super) const TURNS: usize = 32;

/// A body that has not come to its end by then goes on without its turn: the network may take its time.
const TURN_TIME: Duration = Duration::from_millis(20);

/// A body that has waited so long for its permit is read without one: sites end connections that are not read from.
pub(super) const LONGEST_TURN_WAIT: Duration = Duration::from_secs(1);

/// Bytes and time spent on a body that is not kept: reading a short one to its end keeps its connection usable.
const UNREAD_BYTES: u64 = 16 * 1024;
const UNREAD_TIME: Duration = Duration::from_secs(1);

/// Decoded bytes that a body may come to however few were received, and how many times what was received a larger
/// one may come to: text does not shrink to a two-hundredth, what does is made to fill memories.
const BOMB_FLOOR: usize = 1 << 20;
const BOMB_RATIO: u64 = 200;

/// How long a body may be slow for.
const PATIENCE: u32 = 10;

/// How often its speed is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The decoded bytes of an answer. A large one holds a permit of the memory budget until it is dropped, another one
/// mostly a turn to be read: so drop it as soon as its bytes have been used.
#[derive(Default)]
pub struct Body {
    bytes: Bytes,
    permit: Option<OwnedSemaphorePermit>,
    turn: Option<OwnedSemaphorePermit>,
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes.len())
    }
}

impl Body {
    fn new(bytes: impl Into<Bytes>, permit: Option<OwnedSemaphorePermit>) -> Self {
        Self { bytes: bytes.into(), permit, turn: None }
    }

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
    turns: Arc<Semaphore>,
    /// Bytes per second.
    min_speed: u64,
}

impl Budget {
    pub(super) fn new(max_body_bytes: u64, large_bodies: usize, min_speed: u64) -> Self {
        let permits = large_bodies.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            max_body: usize::try_from(max_body_bytes).unwrap_or(usize::MAX),
            large: Arc::new(Semaphore::new(permits)),
            turns: Arc::new(Semaphore::new(TURNS)),
            min_speed,
        }
    }

    #[cfg(test)]
    pub(super) fn turns(&self) -> &Arc<Semaphore> {
        &self.turns
    }
}

/// The bytes that came within the last seconds, to be looked at once a second.
struct Pace {
    next: Instant,
    /// Bytes received by each of the last looks, in a ring.
    looks: [u64; PATIENCE as usize],
    count: usize,
}

impl Pace {
    fn new(received: u64) -> Self {
        Self { next: Instant::now() + LOOK, looks: [received; PATIENCE as usize], count: 0 }
    }

    /// Looks: whether fewer than `min_speed` bytes a second have come for as long as one has patience.
    fn is_too_slow(&mut self, received: u64, min_speed: u64) -> bool {
        // Not `+=`: looks missed while this process slept are no sign of a slow site.
        self.next = Instant::now() + LOOK;
        self.count += 1;
        let slot = &mut self.looks[self.count % PATIENCE as usize];
        let came = received - std::mem::replace(slot, received);
        self.count >= PATIENCE as usize && came < min_speed.saturating_mul(u64::from(PATIENCE))
    }
}

/// The time limit of one request, from its start to the last byte of its body.
pub(super) struct Deadline<'a> {
    limit: Duration,
    sleep: Pin<&'a mut Sleep>,
    paused: Duration,
}

/// The time limit passed.
pub(super) struct Elapsed;

impl<'a> Deadline<'a> {
    /// `sleep` must end `limit` after the request's start.
    pub(super) fn new(limit: Duration, sleep: Pin<&'a mut Sleep>) -> Self {
        Self { limit, sleep, paused: Duration::ZERO }
    }

    /// The limit as configured.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// How long it has been off the clock.
    pub(super) fn paused(&self) -> Duration {
        self.paused
    }

    /// Runs `work` against the limit.
    pub(super) async fn bound<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Elapsed> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = &mut self.sleep => Err(Elapsed),
        }
    }

    /// Ends when the limit has passed.
    async fn passed(&mut self) {
        (&mut self.sleep).await;
    }

    /// Runs `work` off the clock: the limit moves by the time it takes.
    async fn pause<T>(&mut self, work: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let done = work.await;
        self.paused += start.elapsed();
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
    /// Bytes of the body after decoding.
    limit: usize,
    /// Whether a body beyond the limit is cut there, or else no body at all.
    cut: bool,
    pace: Pace,
    turn: Option<OwnedSemaphorePermit>,
    /// When it is given up.
    turn_ends: Instant,
    /// Content-Length.
    expected: Option<u64>,
    received: u64,
    grows: Option<&'a dyn Fn(usize)>,
}

/// Why a body is not decoded to its end.
enum End {
    Stop(Stop),
    Failure(Failure),
}

impl From<Stop> for End {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl<'a, 'b> Reader<'a, 'b> {
    pub(super) fn new(response: Response, deadline: &'a mut Deadline<'b>, budget: &'a Budget, want: Want) -> Self {
        let expected = response.content_length();
        let (limit, cut) = match want {
            Want::Page => (budget.max_body, false),
            Want::Robots { limit } => (limit, true),
        };
        let pace = Pace::new(0);
        Self {
            response,
            deadline,
            budget,
            limit,
            cut,
            pace,
            turn: None,
            turn_ends: Instant::now(),
            expected,
            received: 0,
            grows: None,
        }
    }

    /// Tells `grows` how many bytes the body has come to, while it is a large one.
    pub(super) fn telling(self, grows: Option<&'a dyn Fn(usize)>) -> Self {
        Self { grows, ..self }
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
        if self.expected == Some(0) {
            return Ok(Body::default());
        }
        let codings = codings?;
        self.take_turn().await;
        let mut body = match &codings[..] {
            [] => self.plain().await?,
            codings => self.encoded(codings).await?,
        };
        body.turn = self.turn.take();
        Ok(body)
    }

    /// Reads a body that is not kept, within bounds; how it ends does not matter.
    pub(super) async fn skip(&mut self) {
        let start = Instant::now();
        let rest =
            async { while self.received <= UNREAD_BYTES && self.chunk().await.is_ok_and(|chunk| chunk.is_some()) {} };
        if tokio::time::timeout_at(start + UNREAD_TIME, rest).await.is_err() {
            tracing::trace!("gave up on a body that nobody reads");
        }
    }

    async fn plain(&mut self) -> Result<Body, Failure> {
        let expected = self.expected.map(|expected| usize::try_from(expected).unwrap_or(usize::MAX));
        if expected.is_some_and(|expected| expected > self.limit) && !self.cut {
            return Err(self.too_large());
        }
        let mut next = self.chunk().await?;
        let is_whole = |chunk: &mut Bytes| Some(chunk.len()) == expected && chunk.len() <= SMALL.min(self.limit);
        // Of HTTP/2 the end of the stream is still to come: who does not wait for it cancels the stream.
        if self.response.version() <= Version::HTTP_11
            && let Some(whole) = next.take_if(is_whole)
        {
            // As most small pages come: without a copy.
            return Ok(Body::new(whole, None));
        }
        // A permit is for bytes that have come; a Content-Length only promises them.
        let mut bytes = Vec::with_capacity(expected.unwrap_or(0).min(self.limit).min(SMALL));
        let mut permit = None;
        while let Some(chunk) = next {
            let room = self.limit - bytes.len();
            if chunk.len() > room && !self.cut {
                return Err(self.too_large());
            }
            let chunk = &chunk[..chunk.len().min(room)];
            if bytes.len() + chunk.len() > SMALL && permit.is_none() {
                permit = Some(self.permit().await);
            }
            let ceiling = if permit.is_some() { self.limit } else { SMALL };
            grow(&mut bytes, chunk.len(), ceiling);
            bytes.extend_from_slice(chunk);
            if permit.is_some() {
                self.tell(bytes.len());
            }
            if chunk.len() == room && self.cut {
                break;
            }
            next = self.chunk().await?;
        }
        Ok(Body::new(bytes, permit))
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
        let ceiling = SMALL.min(self.limit);
        if next.is_none() {
            let mut bytes = Vec::with_capacity((held.len() * 4).min(ceiling));
            let mut decoder = Decoder::new(codings);
            match decoder.push(&held, &mut bytes, ceiling).and_then(|()| decoder.finish()) {
                Ok(()) => return Ok(Body::new(bytes, None)),
                // Decoding once more costs less than keeping a decoder and its output through the wait.
                Err(Stop::Full) if ceiling < self.limit => {}
                Err(Stop::Full) if self.cut => return Ok(Body::new(bytes, None)),
                Err(stop) => return Err(self.stopped(stop)),
            }
        }
        let permit = self.permit().await;
        let mut bytes = Vec::new();
        match self.decoded(codings, held, next, &mut bytes).await {
            Ok(()) => Ok(Body::new(bytes, Some(permit))),
            Err(End::Stop(Stop::Full)) if self.cut => Ok(Body::new(bytes, Some(permit))),
            Err(End::Stop(stop)) => Err(self.stopped(stop)),
            Err(End::Failure(failure)) => Err(failure),
        }
    }

    /// Decodes onto `bytes` what is `held`, then what is `next`, then what is still to come.
    async fn decoded(
        &mut self,
        codings: &[Coding],
        held: Vec<u8>,
        mut next: Option<Bytes>,
        bytes: &mut Vec<u8>,
    ) -> Result<(), End> {
        let mut decoder = Decoder::new(codings);
        decoder.push(&held, bytes, self.ceiling())?;
        drop(held);
        self.tell(bytes.len());
        while let Some(chunk) = next {
            decoder.push(&chunk, bytes, self.ceiling())?;
            self.tell(bytes.len());
            // A decoder can be fed for ever without an output: empty blocks, skippable frames.
            if self.received > (self.limit as u64).saturating_add(HELD as u64) {
                return Err(Stop::Full.into());
            }
            next = self.chunk().await?;
        }
        Ok(decoder.finish()?)
    }

    /// Bytes that what has been received may come to.
    fn ceiling(&self) -> usize {
        let unsuspicious = usize::try_from(self.received.saturating_mul(BOMB_RATIO)).unwrap_or(usize::MAX);
        self.limit.min(unsuspicious.max(BOMB_FLOOR))
    }

    fn tell(&self, large_bytes: usize) {
        if let Some(grows) = self.grows {
            grows(large_bytes);
        }
    }

    fn too_large(&self) -> Failure {
        failure(ErrorClass::TooLarge, format!("the body passes the limit of {} bytes (--max-body)", self.limit))
    }

    fn stopped(&self, stop: Stop) -> Failure {
        match stop {
            Stop::Full if self.ceiling() < self.limit => failure(
                ErrorClass::TooLarge,
                format!(
                    "a decompression bomb: {} bytes received come to more than {} bytes, a ratio beyond {BOMB_RATIO}",
                    self.received,
                    self.ceiling()
                ),
            ),
            Stop::Full => self.too_large(),
            Stop::Short(coding) => failure(
                ErrorClass::Truncated,
                format!("the {coding} data of the body ends early, after {} bytes", self.received),
            ),
            Stop::Corrupt(coding, cause) => {
                failure(ErrorClass::Encoding, format!("the body is not valid {coding} data: {cause}"))
            }
        }
    }

    async fn take_turn(&mut self) {
        let turns = Arc::clone(&self.budget.turns);
        self.turn = match Arc::clone(&turns).try_acquire_owned() {
            Ok(turn) => Some(turn),
            Err(_) => {
                let turn = tokio::time::timeout(LONGEST_TURN_WAIT, turns.acquire_owned());
                self.off_the_clock(turn).await.ok().map(|turn| turn.expect("this semaphore is never closed"))
            }
        };
        self.turn_ends = Instant::now() + TURN_TIME;
    }

    async fn permit(&mut self) -> OwnedSemaphorePermit {
        // Its holder may need it for as long as a large page takes.
        self.turn = None;
        let permit = Arc::clone(&self.budget.large).acquire_owned();
        self.off_the_clock(permit).await.expect("this semaphore is never closed")
    }

    /// Time spent on waiting for ourselves, not for the site.
    async fn off_the_clock<T>(&mut self, wait: impl Future<Output = T>) -> T {
        let done = self.deadline.pause(wait).await;
        self.pace = Pace::new(self.received);
        done
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let look = std::pin::pin!(tokio::time::sleep_until(self.pace.next));
            let is_watched = self.budget.min_speed > 0;
            let has_turn = self.turn.is_some();
            tokio::select! {
                biased;
                chunk = self.response.chunk() => {
                    let chunk = chunk.map_err(|error| in_body(&error, self.received, self.expected))?;
                    self.received += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
                    return Ok(chunk);
                }
                () = self.deadline.passed() => {
                    let (received, limit) = (self.received, self.deadline.limit());
                    let message = format!("body not complete within {limit:?}, {received} bytes received");
                    return Err(failure(ErrorClass::Timeout, message));
                }
                () = tokio::time::sleep_until(self.turn_ends), if has_turn => self.turn = None,
                () = look, if is_watched => {
                    let (received, min_speed) = (self.received, self.budget.min_speed);
                    if self.pace.is_too_slow(received, min_speed) {
                        let message = format!(
                            "fewer than {min_speed} bytes a second for {PATIENCE} seconds (--min-speed), \
                             {received} bytes received"
                        );
                        return Err(failure(ErrorClass::Timeout, message));
                    }
                }
            }
        }
    }
}
