//! The channel to the supervisor: orders in, redirects and holdings out.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use seine_core::protocol::{FromFetcher, Generation, Hello, Job, Lease, OriginFacts, PROTOCOL_VERSION, ToFetcher};
use seine_core::record::{Failure, UrlId};
use seine_unix::channel::{Channel, ChannelError};

/// Leases come in bounded batches; nothing legitimate is near this.
const CEILING: usize = 64 << 20;

/// An order of the supervisor.
#[derive(Debug)]
pub enum Order {
    /// Use this page queue from now on.
    Queue(OwnedFd),
    /// Fetch these.
    Lease(Lease),
    /// Give back what is queued of this host.
    Recall(String),
    /// Have no more requests in flight of this host than so many.
    Places(String, u32),
    /// Take over what the store knows of an origin.
    Origin(OriginFacts),
    /// Find out whether one of these URLs can be reached now.
    Probe(Vec<String>),
    /// Start nothing new, finish, exit.
    Drain,
    /// Give up what is in flight, exit.
    Cancel,
    /// It closed its end: it is dead.
    SupervisorGone,
}

/// A way to tell the supervisor something from anywhere in the fetcher.
#[derive(Clone, Debug)]
pub struct Speaker(mpsc::UnboundedSender<FromFetcher>);

impl Speaker {
    /// The URL goes on at another host.
    ///
    /// Bounded by the leases: each URL can be redirected away once per lease.
    pub fn redirected(&self, host: String, job: Job) {
        self.say(FromFetcher::Redirected { host, job });
    }

    /// The URL could not be requested, perhaps by our own fault. Bounded like [`Self::redirected`].
    pub fn unreached(&self, host: String, job: Job, failure: Failure, began: u64) {
        self.say(FromFetcher::Unreached { host, job, failure, began });
    }

    /// One of the URLs to be probed that can be reached.
    pub fn probed(&self, reached: Option<String>) {
        self.say(FromFetcher::Probed(reached));
    }

    /// These URLs of a host are not to be fetched before `wait` is over.
    pub fn returned(&self, host: String, jobs: Vec<Job>, wait: Duration) {
        self.say(FromFetcher::Returned { host, jobs, wait_ms: wait.as_millis() as u64 });
    }

    /// The smallest gap between requests to a host.
    pub fn pace(&self, host: String, delay: Duration) {
        self.say(FromFetcher::Pace { host, delay_ms: delay.as_millis() as u64 });
    }

    /// No more of this host's requests are in flight than were asked for.
    pub fn shrunk(&self, host: String) {
        self.say(FromFetcher::Shrunk(host));
    }

    /// Asks for what the store knows of this origin.
    pub fn ask_origin(&self, origin: String) {
        self.say(FromFetcher::AskOrigin(origin));
    }

    /// For the user.
    pub fn warn(&self, message: String) {
        self.say(FromFetcher::Warning(message));
    }

    fn say(&self, message: FromFetcher) {
        // The receiver lives as long as the process.
        let _ = self.0.send(message);
    }
}

/// See the module.
#[derive(Debug)]
pub struct Control {
    channel: Channel,
    /// A second descriptor of the channel's socket, for the reactor.
    readiness: Rc<UnixStream>,
    speaker: Speaker,
    spoken: mpsc::UnboundedReceiver<FromFetcher>,
    ready: VecDeque<Order>,
}

impl Control {
    /// Takes over a nonblocking socket and introduces this fetcher.
    ///
    /// # Errors
    /// The reactor or the socket refuses.
    pub fn new(socket: OwnedFd, generation: Generation) -> Result<Self, ChannelError> {
        let readiness = UnixStream::from_std(socket.try_clone()?.into())?;
        let mut channel = Channel::new(socket, CEILING);
        channel.send(&FromFetcher::Hello(Hello { version: PROTOCOL_VERSION, generation }), None)?;
        channel.flush()?;
        let (sender, spoken) = mpsc::unbounded_channel();
        Ok(Self { channel, readiness: Rc::new(readiness), speaker: Speaker(sender), spoken, ready: VecDeque::new() })
    }

    /// A way to speak for any part of the fetcher.
    pub fn speaker(&self) -> Speaker {
        self.speaker.clone()
    }

    /// Answers a new queue.
    pub fn holding(&self, url_ids: Vec<UrlId>) {
        let _ = self.speaker.0.send(FromFetcher::Holding(url_ids));
    }

    /// The next order. Meanwhile sends what was spoken. Cancel-safe.
    ///
    /// # Errors
    /// The channel is broken.
    pub async fn next(&mut self) -> Result<Order, ChannelError> {
        loop {
            if let Some(order) = self.ready.pop_front() {
                return Ok(order);
            }
            let wants_write = !self.channel.flush()?;
            let interest = if wants_write { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            let readiness = Rc::clone(&self.readiness);
            tokio::select! {
                biased;
                Some(message) = self.spoken.recv() => self.channel.send(&message, None)?,
                ready = readiness.ready(interest) => {
                    let ready = ready?;
                    if ready.is_writable() && wants_write {
                        let flushed = self.channel.flush()?;
                        exhausted_unless(&readiness, Interest::WRITABLE, flushed);
                    }
                    if ready.is_readable() {
                        // Reads until nothing is left, or a turn's worth: then the readiness must stay.
                        let emptied = self.channel.receive()?;
                        exhausted_unless(&readiness, Interest::READABLE, !emptied);
                        self.take_orders()?;
                    }
                }
            }
        }
    }

    fn take_orders(&mut self) -> Result<(), ChannelError> {
        while let Some(message) = self.channel.next::<ToFetcher>()? {
            self.ready.push_back(match message {
                ToFetcher::Queue => match self.channel.take_fd() {
                    Some(fd) => Order::Queue(fd),
                    None => return Err(io::Error::from(io::ErrorKind::InvalidData).into()),
                },
                ToFetcher::Lease(lease) => Order::Lease(lease),
                ToFetcher::Recall(host) => Order::Recall(host),
                ToFetcher::Share { host, places } => Order::Places(host, places),
                ToFetcher::Origin(facts) => Order::Origin(facts),
                ToFetcher::Probe(urls) => Order::Probe(urls),
                ToFetcher::Drain => Order::Drain,
                ToFetcher::Cancel => Order::Cancel,
            });
        }
        if self.channel.has_ended() {
            self.ready.push_back(Order::SupervisorGone);
        }
        Ok(())
    }
}

/// Tells the reactor that the socket would block, unless `more` can be done with it at once.
fn exhausted_unless(socket: &UnixStream, interest: Interest, more: bool) {
    if !more {
        let _ = socket.try_io(interest, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }
}
