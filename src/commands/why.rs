//! `seine why`: the life of one URL, for people and for programs.

use std::fmt::Write as _;
use std::io::{self, Write};

use anyhow::{Context, Result, bail};

use crate::cli::WhyArgs;
use crate::console::text::{at_ms, at_us, span_ms};
use crate::console::text::{grouped, printable, size};
use seine_page::robots::Robots;
use seine_store::life::{EndingLine, Life, Pending, RequestLine, RobotsLine, RobotsVerdict, Wait, WaitCause, life};
use seine_unix::clock;
use url::Url;

/// Tells what the store knows of the URL.
///
/// # Errors
/// No such store, or no such URL in it.
pub fn run(args: &WhyArgs) -> Result<i32> {
    let db = super::session::open_store(&args.db)?;
    let found = life(&db, args.url.trim(), &judge).with_context(|| format!("cannot read {}", args.db.display()))?;
    let Some(life) = found else {
        let (url, db) = (printable(args.url.trim()), args.db.display());
        bail!("{url} is not in {db}; `sqlite3 {db} \"SELECT raw_url FROM inputs\"` lists what is");
    };
    let text = if args.json { serde_json::to_string(&life)? + "\n" } else { text(&life, clock::wall().ms()) };
    super::session::written(io::stdout().write_all(text.as_bytes()))?;
    Ok(0)
}

fn judge(text: &[u8], agent: &str, url: &Url) -> RobotsVerdict {
    let decision = Robots::parse(text, agent).decide(url);
    RobotsVerdict { allowed: decision.allowed, rule: decision.rule, line: decision.line }
}

/// For people; texts of sites are made harmless.
fn text(life: &Life, now_at: u64) -> String {
    let mut text = format!("{}\n", printable(&life.url));
    let mut say = |label: &str, line: &str| {
        let _ = writeln!(text, "  {label:<11} {}", printable(line).trim_end());
    };
    match (&life.asked, life.is_equivalent) {
        (Some(_), true) => say("", "the URL asked for differs in its percent-encoding only, and so is the same"),
        (Some(asked), false) => say("", &format!("the normal form of {asked}")),
        (None, _) => {}
    }
    for (at, input) in life.inputs.iter().enumerate() {
        let mut line = format!("{} line {}", input.file, grouped(input.line));
        if input.raw_url != life.url {
            let _ = write!(line, ", as {}", input.raw_url);
        }
        if let Some(columns) = &input.columns {
            let _ = write!(line, ", with {columns}");
        }
        say(if at == 0 { "named by" } else { "" }, &line);
    }
    if let Some(host) = &life.host {
        say("host", host);
    }
    if life.ignores_robots {
        say("robots.txt", "ignored (--ignore-robots)");
    } else if let Some(robots) = &life.robots {
        robots_lines(robots).iter().enumerate().for_each(|(at, line)| {
            say(if at == 0 { "robots.txt" } else { "" }, line);
        });
    } else if life.host.is_some() {
        say("robots.txt", "not read");
    }
    let columns = Columns::of(&life.requests);
    let mut waits = life.waits.iter().peekable();
    let mut attempt = 0;
    for (at, request) in life.requests.iter().enumerate() {
        if request.attempt != attempt {
            attempt = request.attempt;
            if let Some(wait) = waits.next_if(|wait| wait.before_attempt == attempt) {
                say("", &waited(wait));
            }
        }
        say(if at == 0 { "requests" } else { "" }, &columns.line(request, life));
    }
    if let Some(ending) = &life.ending {
        ending_lines(ending, &mut say);
    }
    if let Some(pending) = &life.pending {
        say("outcome", &pending_line(pending, now_at));
    }
    text
}

fn robots_lines(robots: &RobotsLine) -> Vec<String> {
    let mut first = robots.url.clone();
    if let Some(final_url) = &robots.final_url {
        let _ = write!(first, ", found at {final_url}");
    }
    let _ = write!(first, ", read {}", at_ms(robots.fetched_at));
    if let Some(status) = robots.status {
        let _ = write!(first, ", status {status}");
    }
    let word = if robots.allowed { "allows" } else { "does not allow" };
    let mut second = format!("{word} it to {}", robots.agent);
    match (&robots.rule, robots.line, &robots.error) {
        (Some(rule), Some(line), _) => {
            let _ = write!(second, ": {rule} (line {line})");
        }
        (.., Some(error)) => {
            let message = robots.error_message.as_deref().unwrap_or_default();
            let _ = write!(second, ": {error}: {message}");
        }
        _ if robots.allowed => second.push_str(": no rule is about it"),
        _ => second.push_str(": its rules are too many to be tried on it"),
    }
    if let Some(delay) = robots.crawl_delay_ms {
        let _ = write!(second, "; Crawl-delay {}", span_ms(delay));
    }
    vec![first, second]
}

fn waited(wait: &Wait) -> String {
    let after = wait.after.as_deref().unwrap_or("no answer");
    let cause = match wait.cause {
        WaitCause::Retry => "it had ended, and was made pending again".to_owned(),
        WaitCause::LaterRun => format!("a later run tried again, after {after}"),
        WaitCause::HostHeld => format!("the host was left alone after {after} (Retry-After, or else backoff)"),
        WaitCause::Backoff => format!("backoff after {after}"),
    };
    format!("  ... {} later: {cause}", span_ms(wait.waited_ms))
}

/// Widths of what stands in columns.
struct Columns {
    attempt: usize,
    result: usize,
    elapsed: usize,
    size: usize,
}

impl Columns {
    fn of(requests: &[RequestLine]) -> Self {
        let widest = |text: fn(&RequestLine) -> String| requests.iter().map(|r| text(r).len()).max().unwrap_or(0);
        Self {
            attempt: widest(|request| request.attempt.to_string()),
            result: widest(result),
            elapsed: widest(elapsed),
            size: widest(|request| size(request.bytes)),
        }
    }

    fn line(&self, request: &RequestLine, life: &Life) -> String {
        let mut line = format!(
            "{}  #{:<attempt$}  {:<result$}  {:>elapsed$}  {:>size$}",
            at_us(request.started_us),
            request.attempt,
            result(request),
            elapsed(request),
            size(request.bytes),
            attempt = self.attempt,
            result = self.result,
            elapsed = self.elapsed,
            size = self.size,
        );
        for part in [request.http_version, request.remote_ip.as_deref()].into_iter().flatten() {
            let _ = write!(line, "  {part}");
        }
        if request.url != life.url {
            let _ = write!(line, "  {}", request.url);
        }
        line
    }
}

fn result(request: &RequestLine) -> String {
    match (&request.error, request.status) {
        (Some(error), Some(status)) => format!("{status} {error}"),
        (Some(error), None) => error.clone(),
        (None, Some(status)) => status.to_string(),
        (None, None) => "-".to_owned(),
    }
}

fn elapsed(request: &RequestLine) -> String {
    format!("{} ms", grouped(request.elapsed_ms))
}

fn ending_lines(ending: &EndingLine, say: &mut impl FnMut(&str, &str)) {
    let hops: Vec<(String, u16)> =
        ending.redirects.as_ref().and_then(|json| serde_json::from_str(json.get()).ok()).unwrap_or_default();
    for (at, (url, status)) in hops.iter().enumerate() {
        let to = hops.get(at + 1).map(|(next, _)| next).or(ending.final_url.as_ref());
        say(if at == 0 { "redirects" } else { "" }, &format!("{status} {url} -> {}", to.map_or("", String::as_str)));
    }
    let mut line = ending.outcome.clone();
    if let Some(status) = ending.status {
        let _ = write!(line, ", status {status}");
    }
    match (&ending.error, &ending.error_message) {
        (Some(error), Some(message)) => {
            let _ = write!(line, ", {error}: {message}");
        }
        (Some(error), None) => {
            let _ = write!(line, ", {error}");
        }
        _ => {}
    }
    let _ = write!(line, ", {}, run {}", at_ms(ending.fetched_at), ending.run_id);
    say("outcome", &line);
    if let Some(bytes) = ending.body_bytes {
        say("body", &size(bytes));
    }
    if let Some(title) = &ending.title {
        say("title", title);
    }
}

fn pending_line(pending: &Pending, now_at: u64) -> String {
    let mut line = "pending".to_owned();
    if pending.attempts > 0 {
        let attempts = pending.attempts;
        let _ = write!(line, " after {attempts} attempt{}", if attempts == 1 { "" } else { "s" });
    }
    if pending.due_at > now_at {
        let _ = write!(line, ", due {} (in {})", at_ms(pending.due_at), span_ms(pending.due_at - now_at));
    } else {
        line.push_str(", due now");
    }
    if pending.host_held_until > now_at {
        let _ = write!(line, "; its host asked to be left alone until {}", at_ms(pending.host_held_until));
    }
    line
}
