//! The processor host: reads what is to be done, feeds the user's programs, sends their answers to the writer.
//!
//! One thread, poll(2), a read-only connection. A program has one record at a time; a record that ends or stalls its
//! program goes to another once more, alone, and is kept as a problem after that. While the writer has not taken what
//! was sent, nothing new is begun.

use std::collections::{HashSet, VecDeque};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::config::processors::{Kept, Processor};
use crate::pool::{Death, Pool, Task, Window};
use seine_core::protocol::processing::{Failed, FromHost, Processed, Tally, ToHost};
use seine_core::protocol::{Generation, Hello, PROTOCOL_VERSION, RecordHead};
use seine_core::record::UrlId;
use seine_store::StoreError;
use seine_store::processed::{Record, Todo, TodoError, Wanted, What, todos};
use seine_unix::channel::{Channel, ChannelError};
use seine_unix::poll::PollSet;
use seine_unix::program::Rights;
use seine_unix::status::Row;
use seine_unix::strays;

use super::seat::{Heard, Seat};
use super::{answer, input};

/// Answers on their way to the writer, in bytes; past it nothing new is begun.
const BACKLOG_BYTES: usize = 8 << 20;
/// Programs of one processor that ended one after the other without an answer between them: it is the program.
const DEATHS_IN_A_ROW: u32 = 5;
/// Deaths of a processor's programs of which each is told; after that it is every tenth, every hundredth and so on.
const DEATHS_TOLD: u64 = 3;
/// How often the supervisor hears how far it is.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);
/// How often it is looked whether answers are lasting, once they are waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Beside a crawl, all records are looked through again after so long ...
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// ... or after so many times as long as it took.
const LOOKING_SHARE: u32 = 4;
/// After so many answers it is looked which are lasting.
const REMEMBERED: usize = 256;
/// For programs to end by themselves when all is done.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Everything the host is given at its birth.
#[derive(Debug)]
pub struct HostStart {
    /// The store.
    pub path: PathBuf,
    /// The processors.
    pub processors: Vec<Processor>,
    /// Whether what failed before is done once more.
    pub failed: bool,
    /// Whether others are still storing: until [`ToHost::Drain`] it is looked for records again and again.
    pub is_live: bool,
    /// The number of this host among those of the crawl.
    pub generation: Generation,
    /// Channel to the supervisor.
    pub control: OwnedFd,
    /// Queue to the writer.
    pub queue: OwnedFd,
}

/// Runs the host to its end; the return value is the exit code.
pub fn run(start: HostStart, row: &Row) -> i32 {
    let mut control = Channel::new(start.control, 1 << 20);
    let queue = Channel::new(start.queue, 1 << 20);
    let host = Host::new(&start.path, &start.processors, start.failed, queue);
    let worked = host.and_then(|mut host| {
        host.is_live = start.is_live;
        host.queue.send(&Hello { version: PROTOCOL_VERSION, generation: start.generation }, None)?;
        host.work(&mut control, row)
    });
    let (said, code) = match worked {
        Ok(tallies) => (FromHost::Done(tallies), 0),
        Err(Failure::Channel(error)) => {
            // Supervisor or writer is gone; what is committed stays, the rest is done next time.
            tracing::warn!(%error, "channel lost");
            return 1;
        }
        Err(Failure::Refused { message, usage }) => (FromHost::Fatal { message, usage }, 2),
        Err(Failure::Store(error)) => {
            let message = format!("cannot read the store {}: {error}", start.path.display());
            (FromHost::Fatal { message, usage: false }, 2)
        }
    };
    let _ = control.say(&said);
    code
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{message}")]
    Refused { message: String, usage: bool },
}

type Result<T, E = Failure> = std::result::Result<T, E>;

/// A record in the hands of a program.
#[derive(Debug)]
struct Job {
    id: i64,
    version: i64,
    url_id: UrlId,
    is_item: bool,
    line: input::Line,
}

/// One processor at work.
struct Lane<'a> {
    processor: &'a Processor,
    number: u16,
    todo: Todo,
    pool: Pool<Rc<Job>>,
    seats: Vec<Seat>,
    /// All records have been looked at.
    is_read: bool,
    deaths_in_a_row: u32,
    /// All deaths that were worth a warning.
    deaths: u64,
    /// Records given up since the last answer: should it turn out to be the program, they are still to be done.
    given_up: Vec<(Rc<Job>, String)>,
    tally: Tally,
    /// Records whose answers were sent, in order, and may not be lasting yet.
    sent: VecDeque<(i64, i64)>,
    /// Those, and the ones that programs are at: not to be done again.
    busy: HashSet<i64>,
    /// Looking through all records once took so long.
    looking: Duration,
    /// All were looked through then.
    looked_at: Instant,
    /// Whether it gets answers of another processor.
    is_fed: bool,
    /// Whether anything was done since all records were last looked at from the first.
    has_worked: bool,
}

struct Host<'a> {
    lanes: Vec<Lane<'a>>,
    is_live: bool,
    queue: Channel,
    total: u64,
    told_at: Instant,
}

impl<'a> Host<'a> {
    fn new(path: &std::path::Path, processors: &'a [Processor], failed: bool, queue: Channel) -> Result<Self> {
        let names: HashSet<_> = processors.iter().map(|processor| processor.name.as_str()).collect();
        let mut lanes = Vec::new();
        let refused = |message: String| Failure::Refused { message, usage: true };
        let todos =
            todos(path, &processors.iter().map(wanted).collect::<Vec<_>>(), failed).map_err(|error| match error {
                TodoError::Store(error) => error.into(),
                TodoError::Condition(..) => refused(error.to_string()),
            })?;
        for (number, (processor, todo)) in processors.iter().zip(todos).enumerate() {
            let mut pool = Pool::new(processor.workers, Window { tasks: 1, bytes: usize::MAX });
            (0..processor.workers).for_each(|seat| pool.join(seat));
            let mut seats: Vec<_> = std::iter::repeat_with(Seat::default).take(processor.workers).collect();
            // One at once: that there is no such program is told before anything else happens.
            seats[0].start(&processor.command, rights(processor.sandbox)).map_err(|error| {
                refused(format!("processor {}: cannot start {:?}: {error}", processor.name, processor.command[0]))
            })?;
            lanes.push(Lane {
                processor,
                number: number as u16,
                todo,
                pool,
                seats,
                is_read: false,
                deaths_in_a_row: 0,
                deaths: 0,
                given_up: Vec::new(),
                tally: Tally { name: processor.name.clone(), ..Tally::default() },
                sent: VecDeque::new(),
                busy: HashSet::new(),
                looking: Duration::ZERO,
                looked_at: Instant::now(),
                is_fed: processor.collection.as_deref().is_some_and(|source| names.contains(source)),
                has_worked: false,
            });
        }
        let mut total = 0;
        for lane in &lanes {
            total += lane.todo.count()?;
        }
        Ok(Self { lanes, is_live: false, queue, total, told_at: Instant::now() })
    }

    fn work(mut self, control: &mut Channel, row: &Row) -> Result<Vec<Tally>> {
        loop {
            row.beat();
            for lane in &mut self.lanes {
                if self.is_live && lane.is_to_look_again() {
                    lane.look_again()?;
                }
                lane.deal(&mut self.queue)?;
            }
            if !self.is_live && self.is_done()? {
                break;
            }
            self.turn(control)?;
            if self.told_at.elapsed() >= PROGRESS_EVERY {
                self.told_at = Instant::now();
                strays::reap(|pid| self.lanes.iter().flat_map(|lane| &lane.seats).any(|seat| seat.has(pid)));
                let done = self.lanes.iter().map(|lane| lane.tally.records + lane.tally.failed).sum();
                control.send(&FromHost::Progress { done, total: self.total.max(done) }, None)?;
            }
        }
        // All at once, so that they end side by side.
        self.lanes.iter_mut().flat_map(|lane| &mut lane.seats).for_each(Seat::close);
        let deadline = Instant::now() + END_PATIENCE;
        for seat in self.lanes.iter_mut().flat_map(|lane| &mut lane.seats) {
            seat.end(deadline.saturating_duration_since(Instant::now()));
        }
        // This process has adopted the orphans that programs have left behind.
        strays::end_all();
        Ok(self.lanes.into_iter().map(|lane| lane.tally).collect())
    }

    /// Whether nothing is left to do. Processors that get others' answers look again until there is nothing new.
    fn is_done(&mut self) -> Result<bool> {
        if !self.lanes.iter().all(Lane::is_idle) {
            return Ok(false);
        }
        for lane in &mut self.lanes {
            lane.keep_given_up(&mut self.queue)?;
        }
        if self.queue.backlog() > 0 {
            return Ok(false);
        }
        // An answer can be read back once it is committed, in the order the answers were sent; until then a writer's death may
        // still lose it.
        for lane in &mut self.lanes {
            lane.forget_lasting()?;
            if !lane.sent.is_empty() {
                return Ok(false);
            }
        }
        if !self.lanes.iter().any(|lane| lane.is_fed && lane.tally.stopped.is_none())
            || !self.lanes.iter().any(|lane| lane.has_worked)
        {
            return Ok(true);
        }
        for lane in &mut self.lanes {
            lane.has_worked = false;
            if lane.is_fed {
                lane.look_again()?;
            }
        }
        Ok(false)
    }

    /// Waits for anything, and deals with it.
    fn turn(&mut self, control: &mut Channel) -> Result<()> {
        let _ = control.flush()?;
        self.queue.flush()?;
        let now = Instant::now();
        let deadlines = self.lanes.iter().flat_map(|lane| lane.seats.iter().filter_map(Seat::deadline));
        let timeout =
            deadlines.min().map_or(PROGRESS_EVERY, |at| at.saturating_duration_since(now).min(PROGRESS_EVERY));
        let waits_for_commit = self.lanes.iter().all(Lane::is_idle);
        let mut set = PollSet::new();
        set.add(control.fd(), control.interest());
        set.add(self.queue.fd(), self.queue.interest());
        let mut places = Vec::new();
        for seat in self.lanes.iter().flat_map(|lane| &lane.seats) {
            places.push(seat.poll(&mut set));
        }
        set.wait(Some(if waits_for_commit { LOOK_EVERY } else { timeout })).map_err(ChannelError::from)?;
        let ready: Vec<_> = (0..set.len()).map(|place| set.ready(place)).collect();
        drop(set);
        let mut places = places.into_iter();
        for lane in &mut self.lanes {
            for at in 0..lane.seats.len() {
                let seat = &mut lane.seats[at];
                let heard = seat.turn(places.next().flatten(), |place| ready[place], &lane.processor.name);
                lane.heard(at, heard, &mut self.queue, control)?;
                let heard = lane.seats[at].watch(Instant::now(), lane.processor.timeout.0, &lane.processor.name);
                lane.heard(at, heard, &mut self.queue, control)?;
            }
        }
        for channel in [&mut self.queue, &mut *control] {
            channel.receive()?;
            if channel.has_ended() {
                return Err(ChannelError::Io(std::io::ErrorKind::BrokenPipe.into()).into());
            }
        }
        while let Some(ToHost::Drain) = control.next()? {
            self.is_live = false;
            for lane in &mut self.lanes {
                lane.look_again()?;
            }
        }
        Ok(())
    }
}

impl Lane<'_> {
    /// Neither at work nor able to be.
    fn is_idle(&self) -> bool {
        self.tally.stopped.is_some() || (self.is_read && self.pool.unfinished() == 0)
    }

    /// Whether it is time to look through all records anew, so that looking takes a small part of the time.
    fn is_to_look_again(&self) -> bool {
        self.is_read && self.looked_at.elapsed() >= LOOK_AGAIN.max(self.looking * LOOKING_SHARE)
    }

    /// Looks through all records anew.
    fn look_again(&mut self) -> Result<()> {
        self.forget_lasting()?;
        if self.tally.stopped.is_none() {
            self.todo.again();
            self.looking = Duration::ZERO;
            self.is_read = false;
        }
        Ok(())
    }

    /// Forgets what has its mark: it is not found again. Answers become lasting in the order they were sent.
    fn forget_lasting(&mut self) -> Result<()> {
        while let Some(&(record, version)) = self.sent.front()
            && self.todo.is_marked(record, version)?
        {
            self.sent.pop_front();
            self.busy.remove(&record);
        }
        Ok(())
    }

    /// The next record that no program has.
    fn next(&mut self) -> Result<Option<Record>> {
        let begun = Instant::now();
        loop {
            let next = self.todo.next()?;
            if next.as_ref().is_none_or(|record| !self.busy.contains(&record.id)) {
                self.looking += begun.elapsed();
                return Ok(next);
            }
        }
    }

    /// Gives records to idle programs: first those that went through another's hands.
    fn deal(&mut self, queue: &mut Channel) -> Result<()> {
        while self.tally.stopped.is_none() && queue.backlog() < BACKLOG_BYTES {
            if let Some((seat, job)) = self.pool.deal_again() {
                self.begin(seat, &job);
                continue;
            }
            let Some(seat) = self.pool.free_seat() else { return Ok(()) };
            if self.is_read {
                return Ok(());
            }
            let Some(record) = self.next()? else {
                self.is_read = true;
                self.looked_at = Instant::now();
                return Ok(());
            };
            self.has_worked = true;
            self.busy.insert(record.id);
            let line = input::line(&record, self.processor);
            let Record { id, version, url_id, what } = record;
            let is_item = matches!(what, What::Item { .. });
            match line {
                Ok(line) => {
                    let job = Rc::new(Job { id, version, url_id, is_item, line });
                    self.pool.give(seat, Task::new(job.clone(), 0));
                    self.begin(seat, &job);
                }
                Err(reason) => {
                    let line = input::Line { bytes: Vec::new(), file: None };
                    self.send(&Job { id, version, url_id, is_item, line }, Err(reason), queue)?;
                }
            }
        }
        Ok(())
    }

    /// Puts a record into a seat. A program that cannot be started shows when its time is up or the next one can.
    fn begin(&mut self, seat: usize, job: &Job) {
        if let Err(error) = self.seats[seat].start(&self.processor.command, rights(self.processor.sandbox)) {
            tracing::warn!(processor = self.processor.name, %error, "cannot start the program");
        }
        self.seats[seat].begin(job.line.bytes.clone(), self.processor.timeout.0);
    }

    fn heard(&mut self, seat: usize, heard: Heard, queue: &mut Channel, control: &mut Channel) -> Result<()> {
        match heard {
            Heard::Nothing => Ok(()),
            Heard::Answer(line) => {
                let Some(job) = self.pool.answered(seat) else { return Ok(()) };
                self.deaths_in_a_row = 0;
                self.keep_given_up(queue)?;
                self.send(&job, answer::items(&line, job.id, self.processor.max_items), queue)
            }
            Heard::Dead(why) => {
                match self.pool.died(seat) {
                    // One that ends between two records may do so.
                    Death::Idle if why.starts_with("ended") => {}
                    Death::Idle => {
                        self.deaths_in_a_row += 1;
                        self.warn(&why, "it is started anew", control)?;
                    }
                    Death::Again(job) => {
                        self.deaths_in_a_row += 1;
                        self.warn(&why, &format!("record {} is tried once more", job.id), control)?;
                    }
                    Death::GivenUp(job) => {
                        self.deaths_in_a_row += 1;
                        self.given_up.push((job, why.clone()));
                    }
                }
                self.pool.join(seat);
                if self.deaths_in_a_row > DEATHS_IN_A_ROW {
                    self.given_up.clear();
                    self.seats.iter_mut().for_each(|seat| *seat = Seat::default());
                    self.tally.stopped = Some(why);
                }
                Ok(())
            }
        }
    }

    /// Tells of the death of a program, unless there were many like it.
    fn warn(&mut self, why: &str, what_now: &str, control: &mut Channel) -> Result<()> {
        self.deaths += 1;
        let (name, deaths) = (&self.processor.name, self.deaths);
        let text = match deaths {
            ..=DEATHS_TOLD => format!("processor {name} {why}; {what_now}"),
            _ if is_power_of_ten(deaths) => {
                format!("processor {name} {why}; that was the {deaths}th time that a program of it died")
            }
            _ => return Ok(()),
        };
        Ok(control.send(&FromHost::Warning(text), None)?)
    }

    /// Sends the problems with records that were given up: another answer, or the end, shows that it was them.
    fn keep_given_up(&mut self, queue: &mut Channel) -> Result<()> {
        for (job, why) in std::mem::take(&mut self.given_up) {
            self.send(&job, Err(why), queue)?;
        }
        Ok(())
    }

    fn send(&mut self, job: &Job, answer: Result<Vec<String>, String>, queue: &mut Channel) -> Result<()> {
        match &answer {
            Ok(items) => {
                self.tally.records += 1;
                self.tally.items += items.len() as u64;
            }
            Err(_) => self.tally.failed += 1,
        }
        self.sent.push_back((job.id, job.version));
        if self.sent.len().is_multiple_of(REMEMBERED) {
            self.forget_lasting()?;
        }
        let processed = Processed {
            processor: self.number,
            record: job.id,
            is_item: job.is_item,
            version: job.version,
            url_id: job.url_id,
            answer: answer.map_err(|reason| Failed { reason }),
        };
        queue.send(&RecordHead::Processed(processed), None)?;
        let _ = queue.flush()?;
        Ok(())
    }
}

fn is_power_of_ten(count: u64) -> bool {
    count >= 10 && 10_u64.checked_pow(count.ilog10()) == Some(count)
}

fn rights(kept: Kept) -> Rights {
    match kept {
        Kept::Off => Rights::All,
        Kept::Privileges => Rights::NoMore,
        Kept::Offline => Rights::Offline,
    }
}

fn wanted(processor: &Processor) -> Wanted {
    Wanted {
        name: processor.name.clone(),
        input: processor.input,
        source: processor.collection.clone(),
        condition: processor.r#where.clone(),
    }
}
