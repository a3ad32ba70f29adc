//! Progress of a crawl on standard error: one line on a terminal, a line every 30 s elsewhere, and warnings. A program
//! that reads along ([`say::is_json`]) gets the same numbers every 30 s as an event.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::text::{grouped, printable, size};
use crate::config::ProgressMode;
use seine_core::record::Outcome;
use seine_core::tally::Tally;
use seine_unix::say::{self, Level};

/// How often the line on a terminal changes.
const LINE_EVERY: Duration = Duration::from_millis(200);
/// How often a line is written where there is no terminal.
const REPORT_EVERY: Duration = Duration::from_secs(30);
/// The rate is that of this time.
const RATE_OVER: Duration = Duration::from_secs(10);

/// Numbers that are not in the tally.
#[derive(Clone, Copy, Debug, Default)]
pub struct Live {
    /// Requests under way.
    pub in_flight: u64,
    /// Bytes of finished records not yet with the writer.
    pub queue_bytes: u64,
    /// Hosts with URLs in memory.
    pub hosts: usize,
    /// Whether lists are still being read.
    pub reading_lists: bool,
    /// Whether the run is ending.
    pub draining: bool,
    /// The shortest time that the pace of hosts allows for what is pending.
    pub shortest: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Line,
    Reports,
    Silent,
}

/// See the module.
#[derive(Debug)]
pub struct Progress {
    style: Style,
    shown: bool,
    due: Instant,
    /// (when, URLs done) of late.
    history: VecDeque<(Instant, u64)>,
}

impl Progress {
    /// Progress on standard error as `mode` wants it.
    pub fn new(mode: ProgressMode, quiet: bool) -> Self {
        let style = match mode {
            _ if quiet => Style::Silent,
            ProgressMode::Never => Style::Silent,
            _ if say::is_json() => Style::Reports,
            ProgressMode::Always => Style::Line,
            ProgressMode::Auto if stderr().is_terminal() => Style::Line,
            ProgressMode::Auto => Style::Reports,
        };
        let due = Instant::now() + if style == Style::Reports { REPORT_EVERY } else { Duration::ZERO };
        Self { style, shown: false, due, history: VecDeque::new() }
    }

    /// Says something that stays, unless progress is silent.
    pub fn note(&mut self, text: &str) {
        if self.style != Style::Silent {
            self.say(Level::Info, text);
        }
    }

    /// Says something that stays, whatever the mode.
    pub fn warn(&mut self, text: &str) {
        self.say(Level::Warn, &format!("seine: {text}"));
    }

    fn say(&mut self, level: Level, text: &str) {
        self.clear();
        say::say(level, &printable(text));
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }

    /// When [`Self::update`] is due.
    pub fn due(&self) -> Option<Instant> {
        (self.style != Style::Silent).then_some(self.due)
    }

    /// Shows the present numbers if it is time.
    pub fn update(&mut self, tally: &Tally, live: &Live) {
        let done: u64 = tally.outcomes.iter().sum();
        if self.is_time(done) {
            let text = self.text(tally, live, done);
            let fields = json!({
                "done": done,
                "pending": tally.pending,
                "reading_lists": live.reading_lists,
                "finishing": live.draining,
                "pages_per_s": self.rate(),
                "in_flight": live.in_flight,
                "hosts": live.hosts,
                "errors": errors(tally),
                "bytes": tally.bytes,
                "queue_bytes": live.queue_bytes,
                "disk_full": tally.disk_full.is_some(),
                "outage": tally.outage,
            });
            self.show(&text, fields);
        }
    }

    /// The same for work that is nothing but so many `things`.
    pub fn count(&mut self, done: u64, total: u64, things: &str) {
        if self.is_time(done) {
            let rate = self.rate();
            let mut text = format!("{}/{} | {rate:.0} {things}/s", grouped(done), grouped(total));
            if rate > 0.1 && total > done {
                let left = Duration::from_secs(((total - done) as f64 / rate) as u64);
                let _ = write!(text, " | {} left", humantime::format_duration(left));
            }
            self.show(&text, json!({ "done": done, "total": total }));
        }
    }

    /// Whether something is to be shown now; notes how much is done then.
    fn is_time(&mut self, done: u64) -> bool {
        let now = Instant::now();
        if self.history.is_empty() {
            // The first report counts from here.
            self.history.push_back((now, done));
        }
        if self.style == Style::Silent || now < self.due {
            return false;
        }
        self.history.push_back((now, done));
        while self.history.len() > 2 && now - self.history[0].0 > RATE_OVER {
            self.history.pop_front();
        }
        true
    }

    fn show(&mut self, text: &str, fields: Value) {
        let now = Instant::now();
        if self.style == Style::Line {
            self.due = now + LINE_EVERY;
            self.shown = true;
            let width = terminal_size::terminal_size_of(stderr()).map_or(120, |(width, _)| usize::from(width.0));
            let text: String = text.chars().take(width.saturating_sub(1)).collect();
            let _ = write!(stderr(), "\r{text}\x1b[K");
            let _ = stderr().flush();
        } else {
            self.due = now + REPORT_EVERY;
            if say::is_json() {
                let fields: Map<_, _> = fields.as_object().cloned().unwrap_or_default();
                say::event("progress", Level::Info, text, fields);
            } else {
                let _ = writeln!(stderr(), "{text}");
            }
        }
    }

    fn text(&self, tally: &Tally, live: &Live, done: u64) -> String {
        let mut text = String::new();
        let total = done + tally.pending;
        let more = if live.reading_lists { "+" } else { "" };
        let _ = write!(text, "{}/{}{more}", grouped(done), grouped(total));
        let rate = self.rate();
        let _ = write!(text, " | {rate:.0} pages/s | {} in flight", live.in_flight);
        let _ = write!(text, " | {} errors | {}", grouped(errors(tally)), size(tally.bytes));
        if live.queue_bytes > 0 {
            let _ = write!(text, " | queue {}", size(live.queue_bytes));
        }
        if tally.disk_full.is_some() {
            text.push_str(" | DISK FULL, waiting for room");
        } else if tally.outage && !live.draining {
            text.push_str(" | NO NETWORK, waiting for it");
        } else if live.draining {
            text.push_str(" | finishing");
        } else if let Some(left) = left(tally.pending, rate, live.shortest) {
            let _ = write!(text, " | {} left", humantime::format_duration(left));
        }
        text
    }

    fn rate(&self) -> f64 {
        let (Some(first), Some(last)) = (self.history.front(), self.history.back()) else { return 0.0 };
        let seconds = (last.0 - first.0).as_secs_f64();
        if seconds > 0.0 { (last.1 - first.1) as f64 / seconds } else { 0.0 }
    }
}

/// How long what is `pending` takes, to the second: at the present rate, and as long as the host that takes longest.
/// Many hosts that are done soon say little of one that has only begun.
fn left(pending: u64, rate: f64, shortest: Duration) -> Option<Duration> {
    let by_rate = if rate > 0.1 { pending as f64 / rate } else { 0.0 };
    let seconds = shortest.as_secs().max(by_rate as u64);
    (pending > 0 && (rate > 0.1 || seconds > 0)).then(|| Duration::from_secs(seconds))
}

fn errors(tally: &Tally) -> u64 {
    Outcome::ERRORS.iter().map(|outcome| tally.outcomes[*outcome as usize]).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_that_of_the_host_that_takes_longest() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(left(1000, 100.0, Duration::from_millis(400_500)), seconds(400), "one host is behind the others");
        assert_eq!(
            left(1000, 10.0, Duration::from_secs(20)),
            seconds(100),
            "it answers more slowly than its pace allows"
        );
        assert_eq!(left(100, 0.05, Duration::from_secs(3000)), seconds(3000), "the rate of a slow crawl says nothing");
        assert_eq!(left(100, 0.0, Duration::ZERO), None);
        assert_eq!(left(0, 100.0, Duration::from_secs(9)), None);
    }
}
