//! `seine process`: stored records put through programs of the user's.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::crawl;
use super::session::{DISK_FULL, INTERRUPTED, STOPPED, TERMINATED, USAGE};
use crate::cli::ProcessArgs;
use crate::config::processors::Processor;
use crate::config::{CrawlOptions, ProgressMode};
use crate::console::log;
use crate::console::progress::Progress;
use crate::console::text::{grouped, printable};
use crate::processors::{self, Ended};
use seine_core::protocol::processing::Tally;
use seine_core::protocol::reextract::Cause;
use seine_unix::Signal;
use seine_unix::signals::Signals;
use seine_unix::{limits, program, title};

/// Runs the processors; returns the exit code.
///
/// # Errors
/// No such store or config, or whatever keeps the work from starting.
pub fn run(args: &ProcessArgs) -> Result<i32> {
    let settings = CrawlOptions::load(&args.config)?.resolve(limits::available_cpus())?;
    let processors = chosen(settings.programs.processor, args)?;
    check_programs(&processors)?;
    let path = args.db.or(&settings.store.db);
    let inherited = log::init(args.verbose, None)?;
    // Closed again at once: no connection may live through the forks to come.
    drop(super::session::open_store(&path)?);
    limits::raise_descriptor_limit().context("cannot ask for the limit of open files")?;
    let signals = Signals::new().context("cannot watch for signals")?;
    let lock = crawl::lock(&path)?;
    title::set(title::Role::Supervisor);
    let begun = Instant::now();
    let progress = Progress::new(ProgressMode::Auto, args.quiet);
    let failed = args.retry_failed;
    match processors::run(processors::ProcessStart { lock, processors, failed, signals, inherited, progress })? {
        Ended::Done(tallies) => {
            tell(args, &tallies, begun.elapsed())?;
            Ok(if tallies.iter().any(|tally| tally.stopped.is_some()) { STOPPED } else { 0 })
        }
        Ended::Stopped(signal) => {
            super::session::tell("seine: stopped; the same command goes on\n");
            Ok(if signal == Signal::SIGINT { INTERRUPTED } else { TERMINATED })
        }
        Ended::Failed { message, cause } => {
            let advice = if cause == Cause::Usage { "" } else { "; the same command goes on" };
            super::session::tell(&format!("seine: {}{advice}\n", printable(&message)));
            Ok(match cause {
                Cause::Usage => USAGE,
                Cause::DiskFull => DISK_FULL,
                Cause::Failure => STOPPED,
            })
        }
    }
}

fn chosen(mut processors: Vec<Processor>, args: &ProcessArgs) -> Result<Vec<Processor>> {
    let names: Vec<_> = processors.iter().map(|processor| processor.name.clone()).collect();
    if let Some(unknown) = args.only.iter().find(|name| !names.contains(name)) {
        bail!("{} has no [[processor]] named {unknown:?}; it has {}", args.config.display(), names.join(", "));
    }
    processors.retain(|processor| args.only.is_empty() || args.only.contains(&processor.name));
    if processors.is_empty() {
        bail!("{} has no [[processor]], so there is nothing to do", args.config.display());
    }
    Ok(processors)
}

fn tell(args: &ProcessArgs, tallies: &[Tally], elapsed: Duration) -> Result<()> {
    if args.json {
        let json = json!({ "processors": as_json(tallies), "elapsed_ms": elapsed.as_millis() as u64 });
        super::session::written(writeln!(io::stdout(), "{json}"))?;
    }
    let is_bad = tallies.iter().any(|tally| tally.stopped.is_some());
    if !args.quiet || is_bad {
        super::session::tell(&as_text(tallies));
    }
    Ok(())
}

/// Fails for a processor whose program is not there.
///
/// # Errors
/// The first of them.
pub fn check_programs(processors: &[Processor]) -> Result<()> {
    for processor in processors {
        let program = processor.command.first().map(String::as_str).unwrap_or_default();
        if !program::is_there(program) {
            bail!("processor {}: there is no program {program:?}", processor.name);
        }
    }
    Ok(())
}

/// As JSON, by name.
pub fn as_json(tallies: &[Tally]) -> Value {
    let of = |tally: &Tally| json!({ "records": tally.records, "items": tally.items, "failed": tally.failed, "stopped": tally.stopped });
    Value::Object(tallies.iter().map(|tally| (tally.name.clone(), of(tally))).collect())
}

/// For people.
pub fn as_text(tallies: &[Tally]) -> String {
    let mut text = String::new();
    for tally in tallies {
        let (records, items) = (grouped(tally.records), grouped(tally.items));
        let _ = write!(text, "seine: {}: {records} records answered with {items} items", tally.name);
        if tally.failed > 0 {
            let failed = grouped(tally.failed);
            let _ =
                write!(text, "; {failed} failed: SELECT * FROM extract_problems WHERE collection = '{}'", tally.name);
        }
        text.push('\n');
        if let Some(why) = &tally.stopped {
            let _ = writeln!(
                text,
                "seine: {}: given up, its program {}; mend it, then the same command goes on",
                tally.name,
                printable(why)
            );
        }
    }
    text
}
