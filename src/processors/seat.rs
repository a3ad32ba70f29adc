//! One seat of a processor: its program, the record that is in it, and what has come back so far.

use std::io;
use std::time::{Duration, Instant};

use seine_unix::Pid;
use seine_unix::poll::{Interest, PollSet, Ready};
use seine_unix::program::{Got, Program, Rights};

use super::answer;

/// Read from a program in one turn at most, so that the others have theirs.
const TURN_BYTES: usize = 1 << 20;
/// The end of a line of errors that is kept.
const ERROR_BYTES: usize = 500;

/// Starts of a program whose errors are in the log (`-v`) line by line. One that dies of record after record writes the same
/// again and again: that is for those who want all (`-vv`).
const STARTS_LOGGED: u32 = 3;

/// From the end of a program's output to its own.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// News from a program.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing that matters yet.
    Nothing,
    /// The answer to its record, one line.
    Answer(Vec<u8>),
    /// The program has ended or was killed; the reason, for people.
    Dead(String),
}

/// Where the pipes of a seat are among what is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    stdout: usize,
    stderr: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Seat {
    program: Option<Program>,
    /// Of its record.
    line: Vec<u8>,
    written: usize,
    answer: Vec<u8>,
    /// Until when the answer is waited for; `None`: it has no record.
    deadline: Option<Instant>,
    errors: Errors,
    starts: u32,
}

/// The last line a program wrote to its standard error.
#[derive(Debug, Default)]
struct Errors {
    line: Vec<u8>,
    last: String,
    is_known: bool,
}

impl Errors {
    fn take(&mut self, name: &str, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line(name);
            } else if self.line.len() < ERROR_BYTES {
                self.line.push(byte);
            }
        }
    }

    fn end_line(&mut self, name: &str) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_owned();
        if !line.is_empty() {
            if self.is_known {
                tracing::debug!(processor = name, "{line}");
            } else {
                tracing::info!(processor = name, "{line}");
            }
            self.last = line;
        }
    }
}

impl Seat {
    /// Starts the program, if none runs.
    ///
    /// # Errors
    /// As [`Program::start`].
    pub fn start(&mut self, command: &[String], rights: Rights) -> io::Result<()> {
        if self.program.is_none() {
            self.errors = Errors { is_known: self.starts >= STARTS_LOGGED, ..Errors::default() };
            self.answer.clear();
            self.program = Some(Program::start_with(command, &[], rights)?);
            self.starts += 1;
        }
        Ok(())
    }

    /// Gives it a record; the answer is to be there within `timeout`.
    pub fn begin(&mut self, line: Vec<u8>, timeout: Duration) {
        (self.line, self.written) = (line, 0);
        self.deadline = Some(Instant::now() + timeout);
    }

    /// Whether its program is the process `pid`.
    pub fn has(&self, pid: Pid) -> bool {
        self.program.as_ref().is_some_and(|program| program.pid() == pid)
    }

    /// Until when something is waited for.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Adds its pipes to what is waited for; says where.
    pub fn poll<'a>(&'a self, set: &mut PollSet<'a>) -> Option<Places> {
        let program = self.program.as_ref()?;
        let [stdout, stderr] = program.outputs();
        let stdin = program.stdin().filter(|_| self.written < self.line.len());
        if let Some(stdin) = stdin {
            set.add(stdin, Interest::Write);
        }
        Some(Places { stdout: set.add(stdout, Interest::Read), stderr: set.add(stderr, Interest::Read) })
    }

    /// Writes and reads what can be; `places` are those of [`Self::poll`], `name` is the processor's.
    pub fn turn(&mut self, places: Option<Places>, ready: impl Fn(usize) -> Ready, name: &str) -> Heard {
        self.write();
        let Some(places) = places else { return Heard::Nothing };
        if ready(places.stderr).readable {
            self.read_errors(name);
        }
        if ready(places.stdout).readable { self.read(name) } else { Heard::Nothing }
    }

    /// Sends what fits of the record. A program that no longer reads may still have answered.
    fn write(&mut self) {
        let Some(program) = &mut self.program else { return };
        while self.written < self.line.len() {
            match program.write(&self.line[self.written..]) {
                Ok(0) => return,
                Ok(n) => self.written += n,
                Err(_) => {
                    program.close_input();
                    self.written = self.line.len();
                }
            }
        }
    }

    fn read_errors(&mut self, name: &str) {
        let Some(program) = &mut self.program else { return };
        let mut buffer = [0; 16 * 1024];
        for _ in 0..TURN_BYTES / buffer.len() {
            match program.read_errors(&mut buffer) {
                Got::Bytes(n) => self.errors.take(name, &buffer[..n]),
                Got::Nothing | Got::End => return,
            }
        }
    }

    fn read(&mut self, name: &str) -> Heard {
        let mut buffer = [0; 64 * 1024];
        for _ in 0..TURN_BYTES / buffer.len() {
            let Some(program) = &mut self.program else { return Heard::Nothing };
            match program.read(&mut buffer) {
                Got::Bytes(n) => {
                    let before = self.answer.len();
                    self.answer.extend_from_slice(&buffer[..n]);
                    let end = buffer[..n].iter().position(|byte| *byte == b'\n').map(|at| before + at);
                    if let Some(heard) = self.heard(end, name) {
                        return heard;
                    }
                }
                Got::Nothing => return Heard::Nothing,
                Got::End => return self.ended(name),
            }
        }
        Heard::Nothing
    }

    /// Whether the answer is whole, or none of ours.
    fn heard(&mut self, end: Option<usize>, name: &str) -> Option<Heard> {
        if self.deadline.is_none() {
            return Some(self.kill("said something nobody had asked for", name));
        }
        match end {
            Some(end) if end + 1 < self.answer.len() => Some(self.kill("answered more than one line", name)),
            Some(end) => {
                let mut answer = std::mem::take(&mut self.answer);
                answer.truncate(end);
                self.rest();
                Some(Heard::Answer(answer))
            }
            None if self.answer.len() > answer::MAX_BYTES => {
                Some(self.kill("answered a line of more than 32 MiB", name))
            }
            None => None,
        }
    }

    /// The program has closed its output: it has ended, or is about to. Its last line may lack its end.
    fn ended(&mut self, name: &str) -> Heard {
        if self.deadline.is_some() && !self.answer.trim_ascii().is_empty() {
            let answer = std::mem::take(&mut self.answer);
            self.rest();
            self.program = None;
            return Heard::Answer(answer);
        }
        self.kill("", name)
    }

    /// Kills the program if it has had its time.
    pub fn watch(&mut self, now: Instant, timeout: Duration, name: &str) -> Heard {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            let why = format!("did not answer within {}", humantime::format_duration(timeout));
            return self.kill(&why, name);
        }
        Heard::Nothing
    }

    /// Kills the program; `why` is empty if it has ended by itself.
    fn kill(&mut self, why: &str, name: &str) -> Heard {
        self.read_errors(name);
        self.errors.end_line(name);
        // One that has closed its output is about to end; how it ends is worth a moment.
        let patience = if why.is_empty() { LAST_WORDS } else { Duration::ZERO };
        let status = self.program.take().and_then(|program| program.end(patience));
        let mut reason = match (why, status) {
            ("", Some(status)) => format!("ended ({status})"),
            ("", None) => "ended".to_owned(),
            (why, _) => why.to_owned(),
        };
        if !self.errors.last.is_empty() {
            reason = format!("{reason}: {}", self.errors.last);
        }
        self.answer.clear();
        self.rest();
        Heard::Dead(reason)
    }

    fn rest(&mut self) {
        self.deadline = None;
        self.line = Vec::new();
        self.written = 0;
    }

    /// Lets the program know that nothing more comes.
    pub fn close(&mut self) {
        if let Some(program) = &mut self.program {
            program.close_input();
        }
    }

    /// Waits for the program to end, up to `patience`; then it is killed.
    pub fn end(&mut self, patience: Duration) {
        if let Some(program) = self.program.take() {
            program.end(patience);
        }
    }
}
