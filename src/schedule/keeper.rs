//! The loop that does what the plan says: one thread, poll(2) and signalfd, no runtime.
//!
//! It looks at the wall clock whenever it wakes up, and sleeps half a minute at most: so a clock that was set or a machine
//! that was asleep is noticed.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::job::{Job, Output};
use super::plan::{Busy, Plan, Step, Why};
use super::state::{State, StateError};
use seine_unix::invocation::{Birth, Invocation};
use seine_unix::poll::{Interest, PollSet};
use seine_unix::signals::{self, Exit, Signals};
use seine_unix::{Pid, Signal};

/// Longest sleep.
const NAP: Duration = Duration::from_secs(30);

/// Between two looks at a run of an earlier scheduler, whose end nobody tells.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A longer summary is not kept, nor the beginning of a longer line.
const MAX_SUMMARY_BYTES: usize = 1 << 20;

/// Everything that the loop needs.
#[derive(Debug)]
pub struct ScheduleStart {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// The file of what is known of them.
    pub state: PathBuf,
    /// Made before.
    pub signals: Signals,
    /// Takes a line for the user, without a line break.
    pub say: fn(&str),
}

struct Keeper {
    plan: Plan,
    runs: Vec<Run>,
    path: PathBuf,
    saved: State,
    say: fn(&str),
}

/// A run of ours.
struct Run {
    at: usize,
    invocation: Invocation,
    /// Its output so far; of a log, only the line that is not complete yet.
    text: Vec<u8>,
    /// The last one in its log.
    summary: Option<Value>,
}

/// Keeps the jobs until a signal comes, and their runs until they have ended; returns that signal. Callers hold the lock
/// at [`lock_path`] meanwhile.
///
/// # Errors
/// The state can be neither read nor written.
pub fn keep(start: ScheduleStart) -> Result<Signal, StateError> {
    let ScheduleStart { jobs, state: path, mut signals, say } = start;
    let before = State::load(&path)?.unwrap_or_else(|| State::new(seed()));
    let (plan, steps) = Plan::new(jobs, before, now(), Birth::is_alive);
    let saved = plan.state();
    saved.save(&path)?;
    let mut keeper = Keeper { plan, runs: Vec::new(), path, saved, say };
    for at in 0..keeper.plan.jobs().count() {
        keeper.tell(at, &format!("next due {}", keeper.next_due(at)));
    }
    keeper.take(steps);
    let mut stopped_by = None;
    loop {
        let steps = keeper.plan.look(now());
        // Save the state before each start: after a crash it is known which runs had begun.
        keeper.save();
        keeper.take(steps);
        if let Some(signal) = stopped_by.filter(|_| keeper.runs.is_empty()) {
            keeper.save();
            return Ok(signal);
        }
        keeper.wait(&signals);
        for signal in signals.read() {
            match (signal, stopped_by) {
                (Signal::SIGCHLD, _) => {}
                (_, None) => {
                    stopped_by = Some(signal);
                    keeper.stop(signal);
                }
                (_, Some(_)) => {
                    keeper.runs.iter().for_each(|run| _ = signals::kill(run.invocation.pid(), Signal::SIGKILL))
                }
            }
        }
        keeper.hear();
        // As process 1 of a container there are strangers among them.
        for (pid, exit) in signals::reap() {
            keeper.bury(pid, exit);
        }
        keeper.look_for_orphans();
    }
}

/// The wall clock, to the millisecond.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

/// A number that differs from machine to machine.
fn seed() -> u64 {
    Timestamp::now().as_nanosecond() as u64 ^ u64::from(std::process::id()).rotate_left(48)
}

impl Keeper {
    /// Does and says.
    fn take(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Start(at, due, why) => self.start(at, due, why),
                Step::Skipped(at, due, busy) => {
                    self.tell(at, &format!("skipped, due {}: {}", self.shown(at, due), self.because(busy)));
                }
                Step::Waits(at, due, busy) => {
                    self.tell(at, &format!("waits, due {}: {}", self.shown(at, due), self.because(busy)));
                }
                Step::Missed(at, count, last, is_made_up) => {
                    let last = self.shown(at, last);
                    let times = if count == 1 {
                        format!("the run due {last}")
                    } else {
                        format!("{count} runs, the last due {last}")
                    };
                    let then = match (is_made_up, self.plan.job(at).catch_up) {
                        (true, _) => "one run makes up for it",
                        (false, true) => "the run that goes makes up for it",
                        (false, false) => "nothing makes up for it (see --catch-up)",
                    };
                    self.tell(at, &format!("missed {times}; {then}"));
                }
                Step::PutBack(at) => self.tell(at, "the clock was put back; the schedule goes on from now"),
                Step::CutShort(at, goes_on) => {
                    let then =
                        if goes_on { "it goes on now" } else { "it goes on when next due (or now, with --catch-up)" };
                    self.tell(at, &format!("its last run was cut short when the scheduler ended; {then}"));
                }
            }
        }
        self.save();
    }

    fn start(&mut self, at: usize, due: Timestamp, why: Why) {
        let job = self.plan.job(at);
        match Invocation::start(&job.arguments, job.output != Output::Shared) {
            Ok(invocation) => {
                let pid = invocation.pid();
                let reason = match why {
                    Why::Due => format!("due {}", self.shown(at, due)),
                    Why::Start => "at the start".to_owned(),
                    Why::CatchUp => "to catch up".to_owned(),
                };
                self.plan.started(at, Birth::of(pid));
                // At once: who comes after a death before this knows of a run, but not whether it goes.
                self.save();
                self.runs.push(Run { at, invocation, text: Vec::new(), summary: None });
                self.tell(at, &format!("started, {reason} (pid {pid})"));
            }
            Err(error) => {
                self.plan.not_started(at, now());
                self.tell(at, &format!("cannot be started: {error}; tried again when next due, {}", self.next_due(at)));
            }
        }
    }

    /// Sleeps until something happens or is due.
    fn wait(&self, signals: &Signals) {
        let has_orphans = self.orphans().next().is_some();
        let longest = if has_orphans { LOOK_EVERY } else { NAP };
        let left = self.plan.next_due().map(|due| due.duration_since(now()));
        let nap = left.map_or(longest, |left| Duration::try_from(left).unwrap_or_default().min(longest));
        let mut set = PollSet::new();
        set.add(signals.fd(), Interest::Read);
        self.runs.iter().filter_map(|run| run.invocation.stdout()).for_each(|fd| _ = set.add(fd, Interest::Read));
        if set.wait(Some(nap)).is_err() {
            // No memory for the wait: there is none for a turn without a pause either.
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Reads what the runs have printed.
    fn hear(&mut self) {
        for run in &mut self.runs {
            run.hear(self.plan.job(run.at).output);
        }
    }

    /// A child has ended.
    fn bury(&mut self, pid: Pid, exit: Exit) {
        let Some(place) = self.runs.iter().position(|run| run.invocation.pid() == pid) else { return };
        let mut run = self.runs.swap_remove(place);
        let at = run.at;
        let output = self.plan.job(at).output;
        run.hear(output);
        if output == Output::ShownSummary {
            print(&run.text);
        }
        let summary = match output {
            Output::Log => run.summary,
            _ => serde_json::from_slice(&run.text).ok().filter(Value::is_object),
        };
        self.plan.ended(at, now(), Some(exit), summary);
        let took = self.plan.last_took(at).unwrap_or_default();
        let took = humantime::format_duration(Duration::from_millis(took.as_millis() as u64));
        let again =
            self.plan.again(at).map_or_else(String::new, |again| format!("tried again {}, ", self.shown(at, again)));
        self.tell(at, &format!("{exit}{} after {took}; {again}next due {}", meaning(exit), self.next_due(at)));
    }

    /// Runs of an earlier scheduler that still go.
    fn orphans(&self) -> impl Iterator<Item = (usize, Birth)> {
        let is_ours = |at: usize| self.runs.iter().any(|run| run.at == at);
        let jobs = self.plan.jobs().enumerate();
        jobs.filter_map(move |(at, (_, state))| Some((at, state.running?.process?)).filter(|_| !is_ours(at)))
    }

    fn look_for_orphans(&mut self) {
        let gone: Vec<_> = self.orphans().filter(|(_, process)| !process.is_alive()).collect();
        for (at, process) in gone {
            self.plan.ended(at, now(), None, None);
            self.tell(at, &format!("the run of an earlier scheduler (pid {}) has ended", process.pid));
        }
    }

    /// Starts nothing any more and asks what goes to stop.
    fn stop(&mut self, signal: Signal) {
        self.plan.stop();
        let count = self.runs.len();
        if count > 0 {
            let runs = if count == 1 { "its run stops".to_owned() } else { format!("its {count} runs stop") };
            (self.say)(&format!("{signal}: the scheduler ends when {runs}; a second signal kills"));
        }
        for run in &self.runs {
            // It may have ended just now.
            let _ = signals::kill(run.invocation.pid(), Signal::SIGTERM);
        }
    }

    fn save(&mut self) {
        let state = self.plan.state();
        if state == self.saved {
            return;
        }
        match state.save(&self.path) {
            Ok(()) => self.saved = state,
            // The schedule is worth more than the record of it; it is tried again with the next change.
            Err(error) => {
                use std::error::Error;
                let cause = error.source().map_or_else(String::new, |cause| format!(": {cause}"));
                (self.say)(&format!("{error}{cause}"));
                self.saved = state;
            }
        }
    }

    fn tell(&self, at: usize, text: &str) {
        (self.say)(&format!("{}: {text}", self.plan.job(at).name));
    }

    fn next_due(&self, at: usize) -> String {
        self.plan.next_due_of(at).map_or_else(|| "never".to_owned(), |due| self.shown(at, due))
    }

    /// An instant as the clocks of the job's zone show it.
    fn shown(&self, at: usize, instant: Timestamp) -> String {
        shown(instant, self.plan.job(at))
    }

    fn because(&self, busy: Busy) -> String {
        match busy {
            Busy::Itself => "its last run is still going".to_owned(),
            Busy::Late => "the run before it starts only now".to_owned(),
            Busy::Other(name) => format!("{name} is at work on the same store"),
        }
    }
}

impl Run {
    /// Reads what it has printed by now; of a log, passes the lines on that have come to their end.
    fn hear(&mut self, output: Output) {
        self.invocation.read(&mut self.text, MAX_SUMMARY_BYTES);
        if output != Output::Log {
            return;
        }
        let lines = self.text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.text.drain(..lines).collect();
        print(&lines);
        if let Some(summary) = lines.split(|&byte| byte == b'\n').rev().find_map(as_summary) {
            self.summary = Some(summary);
        }
        if self.text.len() == MAX_SUMMARY_BYTES {
            self.text.clear();
        }
    }
}

/// The line of a log, if it is a summary.
fn as_summary(line: &[u8]) -> Option<Value> {
    serde_json::from_slice(line).ok().filter(|line: &Value| line["event"] == "summary")
}

fn print(text: &[u8]) {
    // Nobody may be there to read it; the schedule goes on.
    let _ = io::stdout().write_all(text).and_then(|()| io::stdout().flush());
}

/// `2026-11-23T03:00:00+01:00[Europe/Vienna]`
fn shown(instant: Timestamp, job: &Job) -> String {
    format!("{:.0}", instant.to_zoned(job.zone.rules().clone()))
}

/// The meaning of an exit code of most verbs, if the number alone does not say enough.
pub fn meaning(exit: Exit) -> &'static str {
    match exit {
        Exit::Code(3) => " (stopped by a budget, an outage or failing processes; the next run goes on)",
        Exit::Code(4) => " (the store is held by another process)",
        Exit::Code(5) => " (out of disk)",
        _ => "",
    }
}

/// The file whose lock keeps a second scheduler from the state at `path`.
pub fn lock_path(path: &Path) -> PathBuf {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    lock.into()
}
