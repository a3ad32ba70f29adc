//! `seine crawl`: the whole way from URL lists to an exit code.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rusqlite::Connection;

use super::{Coded, DISK_FULL, DRIFTED, HELD, INTERRUPTED, STOPPED, TERMINATED, USAGE, log, process, summary};
use crate::cli::CrawlArgs;
use crate::config::processors::Processor;
use crate::config::{ConfigError, CrawlOptions, Settings};
use crate::extract::rules::Rules;
use crate::fetcher;
use crate::process::lock::{LockError, StoreLock};
use crate::process::signals::Signals;
use crate::process::{limits, title};
use crate::protocol::EndedBy;
use crate::record::Outcome;
use crate::store::drift::{DEFAULT_DRIFT, drifts};
use crate::store::insert::{Again, ListFile, Session, epoch_ms};
use crate::store::read::{self, Summary};
use crate::store::{StoreError, open_at_rest};
use crate::supervisor::progress::{Progress, printable};
use crate::supervisor::{self, Report};
use crate::url_list::{self, ListOptions, Source, UrlList};

/// Descriptors a fetcher needs beside two for each request: channels, log, resolver, TLS roots.
const SPARE_DESCRIPTORS: u64 = 64;

/// An orphaned writer is gone within its grace of one second.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(3);

/// How a crawl that was stopped goes on.
pub const GO_ON: &str = "run the same command again to go on";

/// Crawls; returns the exit code.
///
/// # Errors
/// Whatever keeps the crawl from starting.
pub fn run(args: CrawlArgs) -> Result<i32> {
    with(&settings(args)?)
}

/// Crawls as the settings say; returns the exit code.
///
/// # Errors
/// Whatever keeps the crawl from starting.
pub fn with(settings: &Settings) -> Result<i32> {
    let inherited = log::init(settings.verbose, settings.log_file.as_deref())?;
    // Archives first: what they have needs no request, whoever else names it.
    let archives = settings.from_warc.iter().cloned().map(Source::Archive);
    let sources: Vec<_> = archives.chain(settings.inputs.iter().cloned().map(Source::from)).collect();
    let options = ListOptions { url_column: settings.url_column.clone(), url_field: settings.url_field.clone() };
    let lists = url_list::open(&sources, &options)?;
    if lists.is_empty() && !settings.db.exists() {
        anyhow::bail!(
            "no URL list given, and no crawl to go on with at {}; name a file, or - for standard input",
            settings.db.display()
        );
    }
    let signals = Signals::new().context("cannot watch for signals")?;
    let outcome = crawl(settings, lists, signals, inherited)?;
    finish(settings, &outcome, GO_ON)
}

/// Flags over config file over defaults.
///
/// # Errors
/// The file, or a value that cannot be used.
pub fn settings(args: CrawlArgs) -> Result<Settings> {
    let file = match &args.config {
        Some(path) => CrawlOptions::load(path)?,
        None => CrawlOptions::default(),
    };
    let mut settings = args.options.over(file).resolve(limits::available_cpus())?;
    if let (Some(path), Err(error)) = (args.config, Rules::read(&settings.rules_text)) {
        return Err(ConfigError::Parse(path, error.to_string()).into());
    }
    process::check_programs(&settings.processor)?;
    settings.read_files()?;
    fetcher::check(&settings)?;
    Ok(settings)
}

/// What of pages these settings read and keep, as a hash: rules, extras, bodies.
fn reading(settings: &Settings) -> [u8; 16] {
    let Settings { collection, metadata, text, markdown, tables, store_bodies, .. } = settings;
    let all = serde_json::json!([collection, metadata, text, markdown, tables, store_bodies]);
    let mut hash = [0; 16];
    hash.copy_from_slice(&blake3::hash(all.to_string().as_bytes()).as_bytes()[..16]);
    hash
}

/// Takes the store and runs the crawl.
///
/// # Errors
/// The store is held or no store, or the system refuses what every run needs.
pub fn crawl(settings: &Settings, lists: Vec<UrlList>, signals: Signals, inherited: Vec<RawFd>) -> Result<Report> {
    let settings = &within_limits(settings)?;
    let lock = lock(&settings.db)?;
    crawl_locked(settings, lists, lock, signals, inherited)
}

/// As [`crawl`], of a store whose lock is held and with settings that are [`within_limits`].
///
/// # Errors
/// The system refuses what every run needs.
pub fn crawl_locked(
    settings: &Settings,
    lists: Vec<UrlList>,
    lock: StoreLock,
    signals: Signals,
    inherited: Vec<RawFd>,
) -> Result<Report> {
    let mut progress = Progress::new(settings.progress, settings.quiet);
    if let Some(kind) = lock.network_file_system() {
        progress.warn(&format!(
            "{} lies on a network file system ({kind}), where SQLite's locks are not to be relied on; \
             a local disk is safe",
            settings.db.display()
        ));
    }
    let session = Session {
        collections: Rules::read(&settings.rules_text)?.collections().to_vec(),
        reading: reading(settings),
        again: Again {
            only: settings.only,
            fetched_before: epoch_ms().saturating_sub(settings.max_age.as_millis() as u64),
        },
        processors: settings.processor.iter().map(Processor::answers).collect(),
        pid: std::process::id(),
        config: settings.to_json(),
        lists: lists
            .iter()
            .map(|list| ListFile {
                name: list.name().to_owned(),
                fingerprint: list.fingerprint().map(|fingerprint| format!("{fingerprint:?}")),
            })
            .collect(),
    };
    progress.note(&format!(
        "seine: crawling into {} with {} fetcher{}, {} requests in flight at most, {} between requests to a host",
        settings.db.display(),
        settings.fetchers,
        if settings.fetchers == 1 { "" } else { "s" },
        settings.concurrency,
        if settings.delay.is_zero() {
            "no delay".to_owned()
        } else {
            humantime::format_duration(settings.delay).to_string()
        },
    ));
    title::set(title::Role::Supervisor);
    let start = supervisor::Start { settings: settings.clone(), lists, session, lock, signals, inherited, progress };
    let report = supervisor::run(start)?;
    if report.lock.created() && fs::metadata(&settings.db).is_ok_and(|meta| meta.len() == 0) {
        // Nothing was ever stored, not even the schema: leave no empty file behind.
        let _ = fs::remove_file(&settings.db);
    }
    Ok(report)
}

/// Takes the lock of the store at `db`. A writer whose supervisor was killed is still committing what it had; it is
/// waited for, since it ends within a second. A running crawl is not.
///
/// # Errors
/// [`Coded`] with [`HELD`] if another run has it.
pub fn lock(db: &Path) -> Result<StoreLock> {
    let deadline = Instant::now() + ORPHAN_PATIENCE;
    loop {
        match StoreLock::acquire(db) {
            // One that was found by nobody has most likely just ended.
            Err(LockError::Held { owner, .. })
                if owner.is_none_or(|owner| title::role_of(owner) == Some(title::Role::Writer))
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error @ LockError::Held { .. }) => {
                return Err(Coded { code: HELD, message: error.to_string() }.into());
            }
            other => return Ok(other?),
        }
    }
}

/// Lowers the concurrency to what the limit of open files allows.
///
/// # Errors
/// It allows no request at all.
pub fn within_limits(settings: &Settings) -> Result<Settings> {
    let mut settings = settings.clone();
    let descriptors = limits::raise_descriptor_limit().context("cannot ask for the limit of open files")?;
    // A request may have a second connection beside it: the idle one of the host before.
    let per_fetcher = usize::try_from(descriptors.saturating_sub(SPARE_DESCRIPTORS) / 2).unwrap_or(usize::MAX);
    let most = per_fetcher.saturating_mul(settings.fetchers);
    if most == 0 {
        anyhow::bail!(
            "the limit of {descriptors} open files is too low; {} are needed at least (ulimit -n)",
            SPARE_DESCRIPTORS + 2
        );
    }
    if settings.concurrency > most {
        eprintln!(
            "seine: concurrency lowered from {} to {most}: the limit of open files is {descriptors} (ulimit -n)",
            settings.concurrency
        );
        settings.concurrency = most;
        settings.host_concurrency = settings.host_concurrency.min(most);
    }
    Ok(settings)
}

/// Prints the summary and finds the exit code; `again` says how a crawl that was stopped goes on.
///
/// # Errors
/// The store cannot be read, or standard output not written.
pub fn finish(settings: &Settings, report: &Report, again: &str) -> Result<i32> {
    let mut code = exit_code(report);
    if let Some(fatal) = &report.tally.fatal {
        eprintln!("seine: {fatal}");
    }
    if let Some(failure) = &report.processor_failure {
        eprintln!("seine: {}", printable(&failure.message));
        if matches!(report.ended_by, EndedBy::Completed | EndedBy::Failure) {
            code = if failure.is_usage { USAGE } else { STOPPED };
        }
    } else if code == 0 && report.processors.iter().any(|tally| tally.stopped.is_some()) {
        code = STOPPED;
    }
    let rules = Rules::read(&settings.rules_text)?;
    match open_at_rest(report.lock.path()).and_then(|db| summary_of(&db, &rules)) {
        Ok(found) => {
            if code == 0 && settings.fail_on_drift && !found.drifts.is_empty() {
                code = DRIFTED;
            }
            if settings.json {
                writeln!(io::stdout(), "{}", summary::json(&found, &settings.db, None, Some(report))?)
                    .or_else(ignore_broken_pipe)?;
            }
            if !settings.quiet || report.processors.iter().any(|tally| tally.stopped.is_some()) {
                eprint!("{}", process::as_text(&report.processors));
            }
            if !settings.quiet {
                eprint!("{}", summary::text(&found, &settings.db, None, Some(report)));
                eprint!("{}", advice(settings, report, found.pending, again));
            }
        }
        // The reason was given already.
        Err(_) if report.tally.fatal.is_some() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(code)
}

/// The summary of a store whose last run had these rules.
fn summary_of(db: &Connection, rules: &Rules) -> Result<Summary, StoreError> {
    let mut summary = read::summary(db)?;
    if let Some(run) = &summary.run
        && !rules.is_empty()
    {
        let limits: HashMap<_, _> = rules
            .collections()
            .iter()
            .enumerate()
            .map(|(at, collection)| (&*collection.name, rules.drift(at).unwrap_or(DEFAULT_DRIFT)))
            .collect();
        // A collection that is not declared any more cannot fall.
        summary.drifts = drifts(db, run.run_id, |name| limits.get(name).copied().unwrap_or(f64::INFINITY))?;
    }
    Ok(summary)
}

fn ignore_broken_pipe(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

fn advice(settings: &Settings, report: &Report, pending: u64, again: &str) -> String {
    let db = settings.db.display();
    match report.ended_by {
        EndedBy::Completed => format!("  results: seine export {db} -o pages.csv\n"),
        EndedBy::DiskFull => format!("  out of disk: make room, then {again}; {pending} to go\n"),
        _ => format!("  {again}\n"),
    }
}

/// See [`crate::cli`] for what the codes mean.
fn exit_code(report: &Report) -> i32 {
    match report.ended_by {
        EndedBy::Completed if !report.list_failures.is_empty() => USAGE,
        EndedBy::Completed => {
            let outcomes = &report.tally.outcomes;
            let none_ok = outcomes[Outcome::Ok as usize] == 0 && outcomes.iter().any(|count| *count > 0);
            i32::from(none_ok)
        }
        EndedBy::Interrupted => INTERRUPTED,
        EndedBy::Terminated => TERMINATED,
        EndedBy::Limit | EndedBy::MaxWall => STOPPED,
        EndedBy::DiskFull => DISK_FULL,
        // A store that cannot be opened is an input error; what fails later is not.
        EndedBy::Failure if !report.tally.opened && report.tally.writer_crashes == 0 => USAGE,
        EndedBy::Failure => STOPPED,
    }
}
