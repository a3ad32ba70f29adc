//! The crew: one table of the children of this process, and all that is done with children.
//!
//! A [`Post`] is data: who it is for, the child's title, when the child counts as stuck, what becomes of it without us.
//! [`Crew::spawn`] is the one function that fills a post; whatever comes after is told as [`News`]. When a post is filled
//! again, and whether at all, is for the owner of the crew to decide.
//!
//! The laws of the crew:
//!
//! 1. What a child said before its end is told before its end.
//! 2. A child that sends what is no message is killed; its end says the rest.
//! 3. A child whose loop has not turned for longer than its post allows is killed. Silence does not count while this
//!    process did not run itself: then everybody was stopped (a suspended machine, a paused container).
//! 4. No child outlives the crew.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::channel::{Channel, ChannelError};
use super::clock::monotonic_ms;
use super::fork::{Death, ForkError, ForkSpec, fork};
use super::pair::{Mode, stream_pair};
use super::poll::{Interest, PollSet};
use super::signals::{self, Exit, Signals};
use super::status::{Row, StatusBoard};
use super::title::Role;
use super::{Pid, Signal};
use seine_core::protocol::Generation;
use seine_core::protocol::frame::MAX_HEAD_BYTES;

/// If the owner's loop was late by this much, everybody was stopped.
const PAUSE_MS: u64 = 2_000;
/// Children that are let go end by themselves within this time, or are killed.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked whether that time is over.
const LOOK: Duration = Duration::from_millis(100);

/// The owner's name for a child, and the child's language.
pub trait Member: Copy + Eq + Debug {
    /// What a child can say.
    type Said;

    /// The next of what the child of this `generation` has said; `None` if no whole message has arrived.
    ///
    /// # Errors
    /// What has arrived is no message.
    fn hear(self, generation: Generation, channel: &mut Channel) -> Result<Option<Self::Said>, ChannelError>;
}

/// A place for one child.
#[derive(Clone, Copy, Debug)]
pub struct Post<W> {
    /// Who it is for.
    pub who: W,
    /// What the child is called.
    pub title: Role,
    /// What becomes of the child when this process dies.
    pub death: Death,
    /// How long its loop may stand still; `None` if that is not watched.
    pub stall: Option<Duration>,
}

/// What the crew has to tell.
#[derive(Debug)]
pub enum News<W: Member> {
    /// A signal to this process; never SIGCHLD.
    Signal(Signal),
    /// A child has spoken.
    Said(W::Said),
    /// A child's loop stood still for so long that the child was killed; its end follows.
    Stuck {
        /// Which.
        who: W,
        /// Its id.
        pid: Pid,
        /// Seconds without a sign of life.
        seconds: u64,
    },
    /// A child has ended; its post is free.
    Ended(Ended<W>),
}

/// The end of a child.
#[derive(Debug)]
pub struct Ended<W> {
    /// Which.
    pub who: W,
    /// Which of those that had the post.
    pub generation: Generation,
    /// Its id.
    pub pid: Pid,
    /// How.
    pub exit: Exit,
}

/// Why something could not be done with a child.
#[derive(Debug, thiserror::Error)]
pub enum CrewError {
    /// The system refused something that is needed.
    #[error("cannot {0}")]
    System(&'static str, #[source] io::Error),
    /// There is no child.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// A message could not be sent.
    #[error("cannot send to the {0}")]
    Channel(Role, #[source] ChannelError),
}

/// A socket pair of this process, or of this process and a child.
///
/// # Errors
/// [`CrewError::System`]
pub fn pair() -> Result<(OwnedFd, OwnedFd), CrewError> {
    stream_pair(Mode::Nonblocking, Mode::Nonblocking).map_err(|error| CrewError::System("make a socket pair", error))
}

/// See the module.
#[derive(Debug)]
pub struct Crew<W: Member> {
    signals: Signals,
    /// Descriptors that all children keep.
    inherited: Vec<RawFd>,
    seats: Vec<Seat<W>>,
    /// One row for each seat. Lives as long as the process: children use their rows until they end.
    board: &'static StatusBoard,
    arrived: VecDeque<Signal>,
    /// The seat whose news are told next.
    telling: usize,
    pauses: Pauses,
}

#[derive(Debug)]
struct Seat<W> {
    post: Post<W>,
    child: Option<Child>,
}

#[derive(Debug)]
struct Child {
    pid: Pid,
    generation: Generation,
    /// `None` for a child that is let go, or talks to others only.
    channel: Option<Channel>,
    /// More may have arrived on the channel than was received in this turn.
    has_more: bool,
    /// How it has ended, as long as that is not told.
    exit: Option<Exit>,
}

impl<W: Member> Crew<W> {
    /// A crew of empty `posts`; its children keep the `inherited` descriptors.
    ///
    /// # Errors
    /// No memory for the status of the children.
    pub fn new(signals: Signals, inherited: Vec<RawFd>, posts: Vec<Post<W>>) -> Result<Self, CrewError> {
        let board = StatusBoard::new(posts.len())
            .map_err(|error| CrewError::System("map memory for the status of processes", error))?;
        Ok(Self {
            signals,
            inherited,
            seats: posts.into_iter().map(|post| Seat { post, child: None }).collect(),
            board: Box::leak(Box::new(board)),
            arrived: VecDeque::new(),
            telling: 0,
            pauses: Pauses::new(monotonic_ms()),
        })
    }

    /// Fills the empty post of `who`: the child runs `body` with its end of a channel and its row of live numbers, and
    /// keeps the descriptors `keep`, which `body` uses.
    ///
    /// # Errors
    /// [`CrewError::Fork`] or [`CrewError::System`]; there is no child then.
    pub fn spawn(
        &mut self,
        who: W,
        generation: Generation,
        keep: &[RawFd],
        body: impl FnOnce(OwnedFd, &'static Row) -> i32,
    ) -> Result<(), CrewError> {
        let ours = self.spawn_apart(who, generation, keep, body)?;
        if let Some(child) = self.child_mut(who) {
            child.channel = Some(Channel::new(ours, MAX_HEAD_BYTES));
        }
        Ok(())
    }

    /// As [`Self::spawn`], for a child that is to talk to another: yields the other end of its channel.
    ///
    /// # Errors
    /// As there.
    pub fn spawn_apart(
        &mut self,
        who: W,
        generation: Generation,
        keep: &[RawFd],
        body: impl FnOnce(OwnedFd, &'static Row) -> i32,
    ) -> Result<OwnedFd, CrewError> {
        let (ours, theirs) = pair()?;
        let at = self.seat(who);
        let row = self.board.row(at);
        row.start(generation);
        let keep = [keep, &self.inherited, &[theirs.as_raw_fd()]].concat();
        let post = &self.seats[at].post;
        let spec = ForkSpec { role: post.title, keep: &keep, death: post.death };
        let pid = fork(spec, move || body(theirs, row))?;
        tracing::info!(?who, generation, pid = pid.as_raw(), "started");
        self.seats[at].child = Some(Child { pid, generation, channel: None, has_more: false, exit: None });
        Ok(ours)
    }

    fn seat(&self, who: W) -> usize {
        self.seats.iter().position(|seat| seat.post.who == who).expect("everybody spoken of has a post")
    }

    fn child_mut(&mut self, who: W) -> Option<&mut Child> {
        let at = self.seat(who);
        self.seats[at].child.as_mut()
    }

    fn children(&mut self) -> impl Iterator<Item = &mut Child> {
        self.seats.iter_mut().filter_map(|seat| seat.child.as_mut())
    }

    /// Whether the post of `who` is filled.
    pub fn has(&self, who: W) -> bool {
        self.seats[self.seat(who)].child.is_some()
    }

    /// Live numbers of the child of `who`, or of the last one.
    pub fn row(&self, who: W) -> &'static Row {
        self.board.row(self.seat(who))
    }

    /// Tells the child of `who` something, and passes a descriptor along. Without a child it is lost, and so is what a
    /// dead child does not read: the end that follows says so.
    ///
    /// # Errors
    /// The message cannot be encoded.
    pub fn tell(&mut self, who: W, message: &impl Serialize, fd: Option<OwnedFd>) -> Result<(), CrewError> {
        let at = self.seat(who);
        let seat = &mut self.seats[at];
        let Some(channel) = seat.child.as_mut().and_then(|child| child.channel.as_mut()) else { return Ok(()) };
        channel.send(message, fd).map_err(|error| CrewError::Channel(seat.post.title, error))
    }

    /// Tells the child of `who` what is encoded already.
    pub fn tell_frame(&mut self, who: W, frame: Vec<u8>) {
        if let Some(channel) = self.child_mut(who).and_then(|child| child.channel.as_mut()) {
            channel.send_frame(frame, None);
        }
    }

    /// Closes the channel of `who`, which tells the child to end.
    pub fn let_go(&mut self, who: W) {
        if let Some(child) = self.child_mut(who) {
            child.channel = None;
        }
    }

    /// Kills the child of `who`, if there is one.
    pub fn kill(&mut self, who: W) {
        if let Some(child) = self.child_mut(who) {
            child.kill();
        }
    }

    /// Sends what was told, and waits until there are news, or something to read from `input`, or `timeout` is over;
    /// `true` if `input` can be read.
    ///
    /// # Errors
    /// The system cannot wait.
    pub fn wait(&mut self, timeout: Duration, input: Option<BorrowedFd<'_>>) -> Result<bool, CrewError> {
        for channel in self.children().filter_map(|child| child.channel.as_mut()) {
            // A broken pipe means that the child has died; its end says the rest.
            let _ = channel.flush();
        }
        let mut set = PollSet::new();
        set.add(self.signals.fd(), Interest::Read);
        let channels = self.seats.iter().filter_map(|seat| seat.child.as_ref()?.channel.as_ref());
        for channel in channels.filter(|channel| !channel.has_ended()) {
            set.add(channel.fd(), channel.interest());
        }
        let input = input.map(|fd| set.add(fd, Interest::Read));
        set.wait(Some(timeout)).map_err(|error| CrewError::System("wait for events", error))?;
        let can_read = input.is_some_and(|place| set.ready(place).readable);
        drop(set);
        self.begin_turn();
        Ok(can_read)
    }

    fn begin_turn(&mut self) {
        self.arrived.extend(self.signals.read().filter(|signal| *signal != Signal::SIGCHLD));
        // Also without a signal: as process 1 of a container strangers' children are ours to reap, and one SIGCHLD may
        // stand for many.
        for (pid, exit) in signals::reap() {
            if let Some(child) = self.children().find(|child| child.pid == pid) {
                child.exit = Some(exit);
            }
        }
        // After reaping: all that the dead have said has arrived.
        self.children().for_each(|child| child.has_more = true);
        self.pauses.turn(monotonic_ms());
        self.telling = 0;
    }

    /// What is new since the last [`Self::wait`]; to be asked until there is nothing.
    pub fn news(&mut self) -> Option<News<W>> {
        if let Some(signal) = self.arrived.pop_front() {
            return Some(News::Signal(signal));
        }
        while let Some(seat) = self.seats.get_mut(self.telling) {
            let news = seat.news(self.board.row(self.telling), &self.pauses);
            if news.is_some() {
                return news;
            }
            self.telling += 1;
        }
        None
    }

    /// Lets all children go, kills those that do not end by themselves within a moment, and leaves no process behind.
    pub fn end_all(&mut self) {
        self.children().for_each(|child| child.channel = None);
        let deadline = Instant::now() + PATIENCE;
        while self.children().count() > 0 {
            if Instant::now() >= deadline {
                self.children().for_each(|child| child.kill());
            }
            if self.wait(LOOK, None).is_err() {
                self.children().for_each(|child| child.kill());
                return;
            }
            while self.news().is_some() {}
        }
    }

    /// Kills all children and leaves no process behind.
    pub fn kill_all(&mut self) {
        self.children().for_each(|child| child.kill());
        self.end_all();
    }
}

impl<W: Member> Drop for Crew<W> {
    fn drop(&mut self) {
        self.end_all();
    }
}

impl<W: Member> Seat<W> {
    /// What is new of this seat's child, whose row is `row`.
    fn news(&mut self, row: &Row, pauses: &Pauses) -> Option<News<W>> {
        let child = self.child.as_mut()?;
        let who = self.post.who;
        if let Some(said) = child.hear(who) {
            return Some(News::Said(said));
        }
        if let Some(exit) = child.exit {
            let number = |of: &AtomicU64| of.load(Ordering::Relaxed);
            tracing::info!(
                ?who,
                %exit,
                requests = number(&row.requests),
                body_bytes = number(&row.body_bytes),
                parse_ms = number(&row.parse_us) / 1000,
                longest_stall_ms = number(&row.max_stall_ms),
                "ended"
            );
            let (pid, generation) = (child.pid, child.generation);
            self.child = None;
            return Some(News::Ended(Ended { who, generation, pid, exit }));
        }
        let silent = pauses.counted(row.silent_ms(), monotonic_ms());
        if self.post.stall.is_none_or(|limit| silent < limit) {
            return None;
        }
        child.kill();
        // It is told once; the end will not be long in coming.
        row.beat();
        Some(News::Stuck { who, pid: child.pid, seconds: silent.as_secs() })
    }
}

impl Child {
    fn hear<W: Member>(&mut self, who: W) -> Option<W::Said> {
        let channel = self.channel.as_mut()?;
        let error = loop {
            match who.hear(self.generation, channel) {
                Ok(None) if !self.has_more || channel.has_ended() => return None,
                Ok(None) => match channel.receive() {
                    // The living have their next turn for what is left.
                    Ok(was_all) => self.has_more = !was_all && self.exit.is_some(),
                    Err(error) => break error,
                },
                Ok(said) => return said,
                Err(error) => break error,
            }
        };
        tracing::warn!(?who, %error, "a child's channel is broken; it is killed");
        self.channel = None;
        self.kill();
        None
    }

    /// One that has ended takes no notice; its id may be another's by now.
    fn kill(&self) {
        if self.exit.is_none() {
            let _ = signals::kill(self.pid, Signal::SIGKILL);
        }
    }
}

/// Tells the silence of one from a pause of all.
#[derive(Debug)]
struct Pauses {
    /// Silence before this does not count.
    since: u64,
    last_turn: u64,
}

impl Pauses {
    fn new(now: u64) -> Self {
        Self { since: now, last_turn: now }
    }

    /// The owner's loop has turned.
    fn turn(&mut self, now: u64) {
        if now.saturating_sub(self.last_turn) > PAUSE_MS {
            self.since = now;
        }
        self.last_turn = now;
    }

    /// How much counts of a silence of `silent_ms`.
    fn counted(&self, silent_ms: u64, now: u64) -> Duration {
        Duration::from_millis(silent_ms.min(now.saturating_sub(self.since)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Worker;

    impl Member for Worker {
        type Said = u32;

        fn hear(self, _: Generation, channel: &mut Channel) -> Result<Option<u32>, ChannelError> {
            channel.next()
        }
    }

    /// A seat whose child talks through the channel that comes along. Never a process: the tests have many threads.
    fn seat(exit: Option<Exit>) -> (Seat<Worker>, Channel) {
        let (ours, theirs) = pair().expect("a socket pair");
        let child = Child {
            pid: Pid::from_raw(0),
            generation: 1,
            channel: Some(Channel::new(ours, 1 << 20)),
            has_more: true,
            exit,
        };
        let stall = Some(Duration::from_secs(10));
        let post = Post { who: Worker, title: Role::Writer, death: Death::Kill, stall };
        (Seat { post, child: Some(child) }, Channel::new(theirs, 1 << 20))
    }

    fn board() -> StatusBoard {
        let board = StatusBoard::new(1).expect("memory for one row");
        board.row(0).start(1);
        board
    }

    #[test]
    fn what_a_child_said_comes_before_its_end_and_its_end_once() {
        let (mut seat, mut far) = seat(Some(Exit::Code(0)));
        for word in 0..200_u32 {
            far.send(&word, None).unwrap();
        }
        assert!(far.flush().unwrap());
        drop(far);
        let (board, pauses) = (board(), Pauses::new(monotonic_ms()));
        for word in 0..200 {
            assert!(matches!(seat.news(board.row(0), &pauses), Some(News::Said(said)) if said == word));
        }
        assert!(matches!(seat.news(board.row(0), &pauses), Some(News::Ended(_))));
        assert!(seat.news(board.row(0), &pauses).is_none());
    }

    #[test]
    fn a_child_that_sends_what_is_no_message_is_heard_no_more() {
        let (mut seat, mut far) = seat(None);
        far.send(&7_u32, None).unwrap();
        far.send_frame(vec![0xff; 64], None);
        far.send(&8_u32, None).unwrap();
        far.flush().unwrap();
        let (board, pauses) = (board(), Pauses::new(monotonic_ms()));
        assert!(matches!(seat.news(board.row(0), &pauses), Some(News::Said(7))));
        assert!(seat.news(board.row(0), &pauses).is_none());
        assert!(seat.child.as_ref().is_some_and(|child| child.channel.is_none()));
    }

    #[test]
    fn a_stuck_child_is_told_of_once() {
        let (mut seat, _far) = seat(None);
        let board = board();
        let now = monotonic_ms();
        let pauses = Pauses::new(now.saturating_sub(60_000));
        assert!(seat.news(board.row(0), &pauses).is_none());
        board.row(0).heartbeat_ms.store(now.saturating_sub(12_000), Ordering::Relaxed);
        assert!(matches!(seat.news(board.row(0), &pauses), Some(News::Stuck { seconds: 12, .. })));
        assert!(seat.news(board.row(0), &pauses).is_none());
    }

    #[test]
    fn silence_while_everybody_was_stopped_does_not_count() {
        let mut pauses = Pauses::new(0);
        for now in (0..=20_000).step_by(500) {
            pauses.turn(now);
        }
        assert_eq!(pauses.counted(11_000, 20_000), Duration::from_secs(11));
        // The machine slept for an hour.
        pauses.turn(3_620_000);
        assert_eq!(pauses.counted(3_611_000, 3_620_000), Duration::ZERO);
        pauses.turn(3_621_000);
        assert_eq!(pauses.counted(3_612_000, 3_621_000), Duration::from_secs(1));
    }
}
