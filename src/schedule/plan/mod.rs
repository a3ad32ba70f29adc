//! Decides which runs to start, put off or skip. It has neither clock nor processes: callers pass the time and the runs
//! that have ended.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::job::{Job, Overlap};
use super::state::{JobState, RunState, State};
use seine_unix::invocation::Birth;
use seine_unix::signals::Exit;

/// A run that was due longer ago than this counts as missed: the machine was asleep, or its clock was put forward.
pub const LATE: SignedDuration = SignedDuration::from_secs(60);

/// A clock put back by more than this was wrong before: times are not waited for a second time then. As in Vixie's cron.
const PUT_RIGHT: SignedDuration = SignedDuration::from_hours(3);

/// Missed times that are counted one by one.
const COUNTED: u64 = 10_000;

/// Exit code of a run whose store is held by another process.
const HELD: i32 = 4;

/// After so long a run that goes on with what was cut short is tried again if the store was held: most likely by what is
/// left of the one that was cut short.
const TRY_AGAIN_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Why a run starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is due.
    Due,
    /// The scheduler has started.
    Start,
    /// Runs were missed, or the last one was cut short.
    CatchUp,
}

/// An obstacle to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Busy {
    /// The run before it.
    Itself,
    /// A run of the job of this name, on the same store.
    Other(String),
    /// The run before it, which starts only now.
    Late,
}

/// An action or a message. Jobs are named by their index.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Start a run that was due then; what came of it is told to [`Plan::started`] or [`Plan::ended`].
    Start(usize, Timestamp, Why),
    /// A run that was due then has been left out.
    Skipped(usize, Timestamp, Busy),
    /// It waits.
    Waits(usize, Timestamp, Busy),
    /// So many due times have passed unseen, the last of them then; whether a run makes up for them.
    Missed(usize, u64, Timestamp, bool),
    /// The clock was put back a long way.
    PutBack(usize),
    /// The last run was cut short when the scheduler ended; whether it goes on now.
    CutShort(usize, bool),
}

/// All jobs with what is known of them.
#[derive(Debug)]
pub struct Plan {
    standings: Vec<Standing>,
    seed: u64,
    is_stopping: bool,
}

#[derive(Debug)]
struct Standing {
    job: Job,
    state: JobState,
    /// The next time of the cron text, and when its run is due.
    next: Option<(Timestamp, Timestamp)>,
    /// Set while a run waits for the store.
    waits: Option<(Timestamp, Why)>,
    /// Whether the last run that started makes up for others, or goes on with one.
    goes_on: bool,
    /// When that is tried again because the store was held.
    again: Option<Timestamp>,
}

impl Plan {
    /// The plan at `now`, going on from `before`. `is_alive` says whether a run of an earlier scheduler still goes.
    pub fn new(
        jobs: Vec<Job>,
        mut before: State,
        now: Timestamp,
        is_alive: impl Fn(Birth) -> bool,
    ) -> (Self, Vec<Step>) {
        let seed = before.seed;
        let mut plan = Self { standings: Vec::new(), seed, is_stopping: false };
        for job in jobs {
            let state = before.jobs.remove(&job.name).unwrap_or_default();
            plan.standings.push(Standing { job, state, next: None, waits: None, goes_on: false, again: None });
        }
        let mut steps = Vec::new();
        for at in 0..plan.standings.len() {
            plan.take_up(at, now, &is_alive, &mut steps);
        }
        (plan, steps)
    }

    /// Goes on with a job where an earlier scheduler has left it.
    fn take_up(&mut self, at: usize, now: Timestamp, is_alive: impl Fn(Birth) -> bool, steps: &mut Vec<Step>) {
        let standing = &mut self.standings[at];
        let (cron, timezone) = (standing.job.cron.text().to_owned(), standing.job.zone.to_string());
        if (&standing.state.cron, &standing.state.timezone) != (&cron, &timezone) {
            // Of other times none was missed.
            standing.state.seen = None;
        }
        standing.state.cron = cron;
        standing.state.timezone = timezone;
        standing.state.db = standing.job.store.as_ref().map(|store| store.to_string_lossy().into_owned());
        if standing.state.running.is_some_and(|run| !run.process.is_some_and(&is_alive)) {
            standing.state.running = None;
            standing.state.is_cut_short = true;
        }
        let mut catch_up = false;
        if standing.state.is_cut_short {
            steps.push(Step::CutShort(at, standing.job.catch_up));
            catch_up = true;
        }
        let waited = standing.state.waiting.take();
        if standing.state.seen.is_none() {
            standing.state.seen = Some(now);
        }
        let (missed, mut last) = self.pass(at, now, SignedDuration::ZERO, steps);
        let missed = missed + u64::from(waited.is_some());
        last = last.or(waited);
        let standing = &mut self.standings[at];
        if let Some(last) = last {
            standing.state.missed += missed;
            steps.push(Step::Missed(at, missed, last, standing.job.catch_up));
            catch_up = true;
        }
        if catch_up && standing.job.catch_up {
            standing.waits = Some((now, Why::CatchUp));
        } else if standing.job.run_on_start {
            standing.waits = Some((now, Why::Start));
        }
    }

    /// Passes over the times that have come more than `late` ago: how many, and when the last was due.
    fn pass(
        &mut self,
        at: usize,
        now: Timestamp,
        late: SignedDuration,
        steps: &mut Vec<Step>,
    ) -> (u64, Option<Timestamp>) {
        let seed = self.seed;
        let standing = &mut self.standings[at];
        let mut seen = standing.state.seen.unwrap_or(now);
        if seen.duration_since(now) > PUT_RIGHT {
            (seen, standing.next) = (now, None);
            steps.push(Step::PutBack(at));
        }
        let (mut count, mut last) = (0, None);
        loop {
            if standing.next.is_none() {
                standing.next = standing.job.next_after(seen, seed);
            }
            let Some((named, due)) = standing.next.filter(|(_, due)| now.duration_since(*due) > late) else { break };
            (count, last) = (count + 1, Some(due));
            (seen, standing.next) = (named, None);
            if count == COUNTED {
                let recent = now.checked_sub(late).and_then(|at| at.checked_sub(standing.job.jitter)).unwrap_or(now);
                seen = seen.max(recent);
            }
        }
        standing.state.seen = Some(seen);
        standing.state.last_due = last.or(standing.state.last_due);
        (count, last)
    }

    /// The actions at `now`.
    pub fn look(&mut self, now: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.is_stopping {
            return steps;
        }
        for at in 0..self.standings.len() {
            let (missed, last) = self.pass(at, now, LATE, &mut steps);
            let standing = &mut self.standings[at];
            if let Some(last) = last {
                standing.state.missed += missed;
                // A run that goes or waits makes up for what was missed meanwhile.
                let is_made_up = standing.job.catch_up && standing.state.running.is_none() && standing.waits.is_none();
                steps.push(Step::Missed(at, missed, last, is_made_up));
                if is_made_up {
                    standing.waits = Some((now, Why::CatchUp));
                }
            }
            self.come_due(at, now, &mut steps);
            let standing = &mut self.standings[at];
            if standing.again.take_if(|again| *again <= now).is_some() {
                standing.waits.get_or_insert((now, Why::CatchUp));
            }
        }
        self.start_waiting(now, &mut steps);
        steps
    }

    /// Deals with the times of a job that have just come.
    fn come_due(&mut self, at: usize, now: Timestamp, steps: &mut Vec<Step>) {
        while let Some((named, due)) = self.standings[at].next.filter(|(_, due)| *due <= now) {
            let busy = self.busy(at);
            let seed = self.seed;
            let standing = &mut self.standings[at];
            standing.state.seen = Some(named);
            standing.state.last_due = Some(due);
            standing.next = standing.job.next_after(named, seed);
            match (standing.waits, busy) {
                // The run that makes up for others makes up for this one too.
                (Some((_, Why::CatchUp | Why::Start)), None) => {}
                (Some((_, Why::Due)), None) => {
                    standing.state.skipped += 1;
                    steps.push(Step::Skipped(at, due, Busy::Late));
                }
                (None, None) => standing.waits = Some((due, Why::Due)),
                (None, Some(busy)) if standing.job.overlap == Overlap::Queue => {
                    standing.waits = Some((due, Why::Due));
                    steps.push(Step::Waits(at, due, busy));
                }
                (_, Some(busy)) => {
                    standing.state.skipped += 1;
                    steps.push(Step::Skipped(at, due, busy));
                }
            }
        }
    }

    /// Starts what waits and can, the longest waiting first.
    fn start_waiting(&mut self, now: Timestamp, steps: &mut Vec<Step>) {
        let mut waiting: Vec<_> =
            (0..self.standings.len()).filter_map(|at| self.standings[at].waits.map(|(since, _)| (since, at))).collect();
        waiting.sort_unstable();
        for (_, at) in waiting {
            if self.runs_in_the_way(at).is_some() {
                continue;
            }
            let standing = &mut self.standings[at];
            let Some((due, why)) = standing.waits.take() else { continue };
            standing.state.running = Some(RunState { process: None });
            standing.state.last_start = Some(now);
            standing.state.last_end = None;
            (standing.state.last_exit, standing.state.last_signal) = (None, None);
            standing.goes_on = why == Why::CatchUp || standing.state.is_cut_short;
            standing.again = None;
            standing.state.is_cut_short = false;
            standing.state.runs += 1;
            steps.push(Step::Start(at, due, why));
        }
    }

    /// The obstacle that keeps a run of the job from starting now: a run, or one that was first to wait for the same store.
    fn busy(&self, at: usize) -> Option<Busy> {
        let waits = || {
            let others = (0..self.standings.len()).filter(|&other| other != at && self.is_same_store(at, other));
            let mut waiting = others.filter(|&other| self.standings[other].waits.is_some());
            waiting.next().map(|other| Busy::Other(self.standings[other].job.name.clone()))
        };
        self.runs_in_the_way(at).or_else(waits)
    }

    fn runs_in_the_way(&self, at: usize) -> Option<Busy> {
        if self.standings[at].state.running.is_some() {
            return Some(Busy::Itself);
        }
        let mut others = (0..self.standings.len()).filter(|&other| other != at && self.is_same_store(at, other));
        let other = others.find(|&other| self.standings[other].state.running.is_some())?;
        Some(Busy::Other(self.standings[other].job.name.clone()))
    }

    fn is_same_store(&self, one: usize, other: usize) -> bool {
        let store = |at: usize| self.standings[at].job.store.as_ref();
        store(one).is_some() && store(one) == store(other)
    }

    /// The run that was to be started has this process.
    pub fn started(&mut self, at: usize, process: Option<Birth>) {
        self.standings[at].state.running = Some(RunState { process });
    }

    /// The job's run has ended, with this exit if it was seen.
    pub fn ended(&mut self, at: usize, now: Timestamp, exit: Option<Exit>, summary: Option<serde_json::Value>) {
        let is_stopping = self.is_stopping;
        let state = &mut self.standings[at].state;
        state.running = None;
        state.last_end = Some(now);
        (state.last_exit, state.last_signal) = match exit {
            Some(Exit::Code(code)) => (Some(code), None),
            Some(Exit::Signal(signal)) => (None, Some(signal)),
            None => (None, None),
        };
        let was_told_to_stop = matches!(exit, Some(Exit::Signal(_) | Exit::Code(130 | 143)));
        state.is_cut_short = exit.is_none() || (is_stopping && was_told_to_stop);
        if let Some(summary) = summary {
            state.last_summary = Some(summary);
        }
        let standing = &mut self.standings[at];
        if standing.goes_on && exit == Some(Exit::Code(HELD)) {
            standing.state.is_cut_short = true;
            standing.again = now.checked_add(TRY_AGAIN_AFTER).ok().filter(|_| standing.job.catch_up && !is_stopping);
        }
        if exit.is_none() && standing.job.catch_up && !is_stopping {
            standing.waits.get_or_insert((now, Why::CatchUp));
        }
    }

    /// The run that was to be started could not be.
    pub fn not_started(&mut self, at: usize, now: Timestamp) {
        let state = &mut self.standings[at].state;
        state.running = None;
        state.last_end = Some(now);
    }

    /// Starts nothing from now on.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// When there is something to do next; `None` if nothing is ever due again, or starts any more.
    pub fn next_due(&self) -> Option<Timestamp> {
        if self.is_stopping {
            return None;
        }
        self.standings.iter().flat_map(|standing| [standing.next.map(|(_, due)| due), standing.again]).flatten().min()
    }

    /// The jobs.
    pub fn jobs(&self) -> impl Iterator<Item = (&Job, &JobState)> {
        self.standings.iter().map(|standing| (&standing.job, &standing.state))
    }

    /// The job at `at`.
    pub fn job(&self, at: usize) -> &Job {
        &self.standings[at].job
    }

    /// When the next run of the job at `at` is due.
    pub fn next_due_of(&self, at: usize) -> Option<Timestamp> {
        self.standings[at].next.map(|(_, due)| due)
    }

    /// When the job at `at` is tried again because the store was held.
    pub fn again(&self, at: usize) -> Option<Timestamp> {
        self.standings[at].again
    }

    /// How long the last run of the job at `at` took.
    pub fn last_took(&self, at: usize) -> Option<Duration> {
        let state = &self.standings[at].state;
        state.last_end?.duration_since(state.last_start?).try_into().ok()
    }

    /// The file as it is to be now.
    pub fn state(&self) -> State {
        let mut state = State::new(self.seed);
        for standing in &self.standings {
            let mut job = standing.state.clone();
            job.next_due = standing.next.map(|(_, due)| due);
            match standing.waits {
                Some((since, Why::Due)) => job.waiting = Some(since),
                // Of no due time, so none is missed if it does not come to it; there is still something to make up for.
                Some((_, Why::CatchUp)) => job.is_cut_short = true,
                Some((_, Why::Start)) | None => {}
            }
            state.jobs.insert(standing.job.name.clone(), job);
        }
        state
    }
}

#[cfg(test)]
mod tests;
