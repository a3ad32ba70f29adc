//! Runs a program of the user's with a message on its standard input. What it says goes where everything is said.

use std::io::{self, ErrorKind, Write};
use std::time::{Duration, Instant};

use super::Message;
use crate::console::text::printable;
use seine_unix::poll::{Interest, PollSet};
use seine_unix::program::{Got, Program, Rights};
use seine_unix::say::{self, Level};

/// How often it is asked whether to go on.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Reads of an output at a time.
const TURN: usize = 64;
/// Longest line of its output that is passed on in one piece to a log in JSON.
const MAX_LINE: usize = 64 << 10;

/// Runs `command` to its end, for `timeout` at most; then it and what it has started are killed.
///
/// # Errors
/// It cannot be started, fails, takes too long, or a signal came.
pub fn run(
    command: &[String],
    message: &Message,
    timeout: Duration,
    is_stopped: &mut dyn FnMut() -> bool,
) -> Result<(), String> {
    let mut program =
        Program::start_with(command, &message.variables, Rights::All).map_err(|error| error.to_string())?;
    let deadline = Instant::now() + timeout;
    let mut input = message.body.as_bytes();
    let mut outputs = [Output::default(), Output::default()];
    let problem = loop {
        if is_stopped() {
            break Some("a signal came before it had ended, and it was killed".to_owned());
        }
        if Instant::now() >= deadline {
            let timeout = humantime::format_duration(timeout);
            break Some(format!("it did not end within {timeout} and was killed (notify_timeout)"));
        }
        // Before its output is read to the end: afterwards there is no more.
        let has_ended = program.has_ended();
        match program.write(input) {
            Ok(written) => input = &input[written..],
            // It does not want to know.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => input = &[],
            Err(error) => break Some(format!("cannot write to it: {error}")),
        }
        if input.is_empty() {
            program.close_input();
        }
        outputs[0].pass_on(|buffer| program.read(buffer));
        outputs[1].pass_on(|buffer| program.read_errors(buffer));
        if has_ended {
            break None;
        }
        let [stdout, stderr] = program.outputs();
        let mut set = PollSet::new();
        for (fd, _) in [stdout, stderr].into_iter().zip(&outputs).filter(|(_, output)| !output.is_at_end) {
            set.add(fd, Interest::Read);
        }
        if let Some(stdin) = program.stdin() {
            set.add(stdin, Interest::Write);
        }
        set.wait(Some(LOOK_EVERY)).map_err(|error| error.to_string())?;
    };
    let ended = program.kill();
    outputs.iter_mut().for_each(Output::finish);
    match (problem, ended) {
        (Some(problem), _) => Err(problem),
        (None, Some(status)) if status.success() => Ok(()),
        (None, Some(status)) => Err(format!("it ended with {status}")),
        (None, None) => Err("nobody knows how it ended".to_owned()),
    }
}

/// One of its outputs, on its way to standard error or into lines of JSON.
#[derive(Default)]
struct Output {
    line: Vec<u8>,
    is_at_end: bool,
}

impl Output {
    fn pass_on(&mut self, mut read: impl FnMut(&mut [u8]) -> Got) {
        let mut buffer = [0; 4096];
        // A turn's worth: a program that never stops talking must not keep us from the clock.
        for _ in 0..TURN {
            if self.is_at_end {
                return;
            }
            match read(&mut buffer) {
                Got::Bytes(n) => self.take(&buffer[..n]),
                Got::Nothing => return,
                Got::End => self.is_at_end = true,
            }
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if !say::is_json() {
            let _ = io::stderr().write_all(bytes);
            return;
        }
        for &byte in bytes {
            if byte == b'\n' || self.line.len() >= MAX_LINE {
                self.finish();
            }
            if byte != b'\n' {
                self.line.push(byte);
            }
        }
    }

    fn finish(&mut self) {
        if !self.line.is_empty() {
            say::say(Level::Info, &printable(&String::from_utf8_lossy(&self.line)));
            self.line.clear();
        }
    }
}
