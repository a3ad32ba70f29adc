//! `seine crawl`: the whole way from URL lists to an exit code.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::changed_settings::{self, Difference};
use super::export::plan::ExportPlan;
use super::session::{Coded, DISK_FULL, DRIFTED, FAILED, HELD, INTERRUPTED, STOPPED, TERMINATED, USAGE};
use super::{process, summary};
use crate::cli::{CrawlArgs, ExportArgs};
use crate::config::AUTO;
use crate::config::processors::Processor;
use crate::config::{ConfigError, CrawlOptions, Given, LogFormat, Revisits, Settings, Share, Size, memory};
use crate::console::log;
use crate::console::progress::Progress;
use crate::console::text::{grouped, printable};
use crate::supervisor::{self, Report};
use crate::{config, fetcher, following, notify, ordering, walls};
use seine_core::protocol::{EndedBy, UrlKind};
use seine_core::record::Outcome;
use seine_core::tally::Tally;
use seine_lists::url_list::{self, ListOptions, Source, UrlList};
use seine_page::extract::rules::Rules;
use seine_store::beginning::{self, Beginning};
use seine_store::diff::{self, Changes};
use seine_store::drift::{DEFAULT_DRIFT, drifts};
use seine_store::fill::fills;
use seine_store::follow::FoundCounts;
use seine_store::insert::{Again, ListFile, Only, Session};
use seine_store::read::{self, Summary};
use seine_store::revisit::Revisit;
use seine_store::versions::Keep;
use seine_store::{StoreError, open_at_rest, open_for_reading, open_for_writing, told};
use seine_unix::lock::{LockError, StoreLock};
use seine_unix::say::{self, Level};
use seine_unix::signals::Signals;
use seine_unix::{clock, limits, title};

/// Descriptors a fetcher needs beside two for each request: channels, log, resolver, TLS roots.
const SPARE_DESCRIPTORS: u64 = 64;

/// An orphaned writer is gone within its grace of one second.
const ORPHAN_PATIENCE: Duration = Duration::from_secs(3);

/// Hardly any page is smaller, so a limit below has most likely lost its unit.
const TINY_BODY: Size = Size(1024);

/// How a crawl that was stopped goes on.
pub const GO_ON: &str = "run the same command again to go on";

/// Crawls; returns the exit code.
///
/// # Errors
/// Whatever keeps the crawl from starting.
pub fn run(args: CrawlArgs) -> Result<i32> {
    let mut options = written(args.config.as_deref(), &args.flags)?;
    args.sources.lay_over(&mut options.0.sources);
    args.store.lay_over(&mut options.0.store);
    with(&settings(options, args.config)?)
}

/// Crawls as the settings say; returns the exit code.
///
/// # Errors
/// Whatever keeps the crawl from starting.
pub fn with(settings: &Settings) -> Result<i32> {
    let inherited = log::init(settings.console.verbose, settings.console.log_file.as_deref())?;
    let lists = lists(settings)?;
    if lists.is_empty() && !settings.store.db.exists() {
        anyhow::bail!(
            "no URL list given, and no crawl to go on with at {}; give URLs, name a file of them, or - for standard input",
            settings.store.db.display()
        );
    }
    // Before anybody is asked for anything: a name that cannot be is told of now.
    let export = settings.store.output.as_deref().map(|output| at_the_end(settings, output)).transpose()?;
    let signals = Signals::new().context("cannot watch for signals")?;
    let outcome = crawl(settings, lists, signals, inherited, Whose::Users)?;
    let is_complete = outcome.ended_by == EndedBy::Completed;
    let code = finish(settings, outcome, GO_ON)?;
    match export {
        Some(export) if is_complete && matches!(code, 0 | FAILED | DRIFTED) => match super::export::run(&export)? {
            0 => Ok(code),
            failed => Ok(failed),
        },
        _ => Ok(code),
    }
}

/// The export at the end of a complete run.
fn at_the_end(settings: &Settings, output: &Path) -> Result<ExportArgs> {
    let mut export = ExportArgs::of(&settings.store.db, output);
    export.quiet = settings.console.quiet || settings.console.log_format == LogFormat::Json;
    let plan = ExportPlan::of(&export)?;
    if plan.goes_to_stdout() {
        anyhow::bail!("--output of a crawl names a file or a folder; seine export writes to standard output");
    }
    if plan.takes_tables() {
        export.table = vec!["pages".to_owned()];
        let rules = Rules::read(&settings.extraction.rules_text)?;
        export.table.extend(rules.collections().iter().map(|collection| collection.name.clone()));
    }
    Ok(export)
}

/// Opens the lists and archives of a crawl.
///
/// # Errors
/// The first that cannot be used.
pub fn lists(settings: &Settings) -> Result<Vec<UrlList>> {
    // Archives first: what they have needs no request, whoever else names it.
    let archives = settings.sources.from_warc.iter().cloned().map(Source::Archive);
    let sources: Vec<_> = archives.chain(settings.sources.inputs.iter().cloned().map(Source::from)).collect();
    let options =
        ListOptions { url_column: settings.lists.url_column.clone(), url_field: settings.lists.url_field.clone() };
    let mut lists = url_list::open(&sources, &options)?;
    let follow = &settings.follow;
    let sitemaps = follow.sitemap.iter().filter(|word| *word != AUTO).cloned().collect::<Vec<_>>();
    for (name, urls, kind) in
        [("--sitemap", sitemaps, UrlKind::Sitemap), ("--feed", follow.feed.clone(), UrlKind::Feed)]
    {
        if !urls.is_empty() {
            lists.push(UrlList::named(name, urls)?.of_kind(kind));
        }
    }
    Ok(lists)
}

/// Reads the config file and lays over it the flags that all crawling verbs share.
///
/// # Errors
/// The file.
pub fn written(config: Option<&Path>, flags: &Given<Settings>) -> Result<CrawlOptions> {
    // Chosen by a flag, it holds for what is wrong with the rest too.
    if flags.alone().console.log_format == LogFormat::Json {
        say::in_json();
    }
    let file = config.map(CrawlOptions::load).transpose()?;
    Ok(file.unwrap_or_default().with(flags))
}

/// Checks the options and fills in the defaults; `config` is the file that some of them come from.
///
/// # Errors
/// A value that cannot be used, or a secret that is not where it should be.
pub fn settings(options: CrawlOptions, config: Option<PathBuf>) -> Result<Settings> {
    let mut settings = options.resolve(limits::available_cpus())?;
    if let (Some(path), Err(error)) = (config, Rules::read(&settings.extraction.rules_text)) {
        return Err(ConfigError::Parse(path, error.to_string()).into());
    }
    following::following(&settings.follow)?;
    ordering::priorities(&settings.follow)?;
    let last = open_for_reading(&settings.store.db).ok().map(|db| read::last_complete_start(&db)).transpose()?;
    settings.follow.after(last.flatten());
    if settings.console.log_format == LogFormat::Json {
        say::in_json();
    }
    process::check_programs(&settings.programs.processor)?;
    settings.read_files()?;
    notify::check(&settings.notify)?;
    fetcher::check(&settings.fetching())?;
    Ok(settings)
}

/// Takes the store and runs the crawl.
///
/// # Errors
/// The store is held or no store, or the system refuses what every run needs.
pub fn crawl(
    settings: &Settings,
    lists: Vec<UrlList>,
    signals: Signals,
    inherited: Vec<RawFd>,
    whose: Whose,
) -> Result<Report> {
    let settings = &within_limits(settings)?;
    let lock = lock(&settings.store.db)?;
    crawl_locked(settings, lists, lock, signals, inherited, whose)
}

/// The person or program that a crawl's pages are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Somebody wants them.
    Users,
    /// They are the sample site's, and of no worth when the demo is over.
    Demo,
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
    whose: Whose,
) -> Result<Report> {
    let mut progress = Progress::new(settings.console.progress, settings.console.quiet);
    if let Some(kind) = lock.network_file_system() {
        progress.warn(&format!(
            "{} lies on a network file system ({kind}), where SQLite's locks are not to be relied on; \
             a local disk is safe",
            settings.store.db.display()
        ));
    }
    let session = Session {
        collections: Rules::read(&settings.extraction.rules_text)?.collections().to_vec(),
        reading: settings.extraction.reading_with(settings.follow.reads()),
        again: Again {
            only: match settings.recrawl.only {
                config::Only::New => Only::New,
                config::Only::Failed => Only::Failed,
                config::Only::Changed => Only::Changed,
                config::Only::All => Only::All,
            },
            fetched_before: clock::wall().ms().saturating_sub(settings.recrawl.max_age.0.as_millis() as u64),
            revisit: (settings.recrawl.revisit == Revisits::Adaptive).then_some(Revisit {
                min_ms: settings.recrawl.revisit_min.0.as_millis() as u64,
                max_ms: settings.recrawl.revisit_max.0.as_millis() as u64,
            }),
        },
        keep: Keep {
            versions: settings.recrawl.keep_versions,
            since: settings
                .recrawl
                .keep_for
                .map_or(0, |span| clock::wall().ms().saturating_sub(span.0.as_millis() as u64)),
        },
        requests_since: clock::wall().ms().saturating_sub(settings.recrawl.keep_requests.0.as_millis() as u64),
        processors: settings.programs.processor.iter().map(Processor::answers).collect(),
        finishes_untold: !lock.is_being_told_of(),
        is_demo: whose == Whose::Demo,
        follow: following::for_store(&settings.follow)?,
        order: ordering::for_store(&settings.follow, &settings.politeness)?,
        pid: std::process::id(),
        config: settings.to_json(),
        lists: lists
            .iter()
            .map(|list| ListFile { name: list.name().to_owned(), fingerprint: list.fingerprint() })
            .collect(),
    };
    progress.note(&format!(
        "seine: crawling into {} with {} fetcher{}, {} requests in flight at most, {} between requests to a host",
        settings.store.db.display(),
        *settings.crew.fetchers,
        if *settings.crew.fetchers == 1 { "" } else { "s" },
        *settings.crew.concurrency,
        if settings.politeness.delay.0.is_zero() {
            "no delay".to_owned()
        } else {
            humantime::format_duration(settings.politeness.delay.0).to_string()
        },
    ));
    if settings.http.max_body < TINY_BODY {
        progress.warn(&format!(
            "warning: --max-body {} is {} bytes, and larger bodies fail as too_large; 10MiB is written with its unit",
            settings.http.max_body.0, settings.http.max_body.0
        ));
    }
    if let Some(text) = beginning(settings, &session)? {
        progress.note(&text);
    }
    if let Some(difference) = changed_settings(settings)? {
        if difference.is_loss {
            progress.warn(&format!("warning: {}", difference.text));
        } else {
            progress.note(&format!("seine: {}", difference.text));
        }
    }
    if let Some(problem) = supervisor::little_room(&lock, settings.budgets.min_free_disk.0) {
        let tally = Tally { fatal: Some(format!("{problem}; nothing was fetched")), ..Tally::default() };
        return Ok(without_trace(Report::of_none(EndedBy::MinFreeDisk, tally, lock)));
    }
    if let Err(StoreError::Older { .. }) = open_for_reading(&settings.store.db) {
        // Here, and not by the writer, who is expected to be heard of before long. Closed again at once: no connection may
        // live through the forks to come.
        progress.note(&super::session::being_updated(&settings.store.db));
        drop(open_for_writing(&settings.store.db)?);
    }
    title::set(title::Role::Supervisor);
    let walls = walls::check(settings.walls.sandbox).map_err(|walls| {
        anyhow::anyhow!("sandbox = \"require\", but the walls that can be had here are: {walls}; nothing was started")
    })?;
    tracing::info!(walls = walls.map_or_else(|| "off".to_owned(), |walls| walls.to_string()), "sandbox");
    let mut settings = settings.crawling();
    // A run that goes on may have answers to read from archives of its first call.
    settings.archives.extend(archives_of(&lock)?);
    let start = supervisor::CrawlStart { settings, walls, lists, session, lock, signals, inherited, progress };
    Ok(without_trace(supervisor::run(start)?))
}

/// Says which run this is if the store has had one before: whether it goes on, or which URLs a new one asks for.
fn beginning(settings: &Settings, session: &Session) -> Result<Option<String>> {
    let db = match open_for_reading(&settings.store.db) {
        Ok(db) => db,
        // A new store; one that has to be brought up to date or is damaged is spoken of later.
        Err(_) => return Ok(None),
    };
    let lists: Vec<_> = session.lists.iter().map(|list| &*list.name).collect();
    Ok(match Beginning::of(&db, &lists, session.finishes_untold)? {
        Beginning::First => None,
        Beginning::GoesOn { run_id, ended, pending } => Some(format!(
            "seine: run {run_id} goes on: {} URLs have an outcome, {} are pending",
            grouped(ended),
            grouped(pending)
        )),
        Beginning::Tells { run_id } => Some(format!("seine: run {run_id} is complete, and its end was not seen yet")),
        Beginning::Anew { run_id, pending, .. } if pending > 0 => {
            Some(format!("seine: run {run_id} begins with {} URLs that are pending", grouped(pending)))
        }
        Beginning::Anew { .. } if lists.is_empty() => Some("seine: all done, and no list is given".to_owned()),
        Beginning::Anew { run_id, known, .. } => {
            let recrawl = &settings.recrawl;
            let urls = known.map_or("the URLs of its lists".to_owned(), |known| format!("{} URLs", grouped(known)));
            let those = match recrawl.only {
                config::Only::New => {
                    return Ok(Some(format!("seine: all done: run {run_id} asks only for what is new in the lists")));
                }
                config::Only::All => urls,
                config::Only::Failed => format!("those of {urls} that failed"),
                config::Only::Changed => format!("those of {urls} that have changed before"),
            };
            let is_due = if recrawl.max_age.0.is_zero() && recrawl.revisit == Revisits::Always {
                ""
            } else {
                ", as far as they are due"
            };
            Some(format!("seine: all done: run {run_id} asks {those} for changes{is_due}"))
        }
    })
}

/// Files that pages of an earlier call may have to be read from. What has to be made first has none.
fn archives_of(lock: &StoreLock) -> Result<Vec<PathBuf>> {
    // As in `beginning`.
    let Ok(db) = open_for_reading(lock.path()) else { return Ok(Vec::new()) };
    Ok(read::files(&db)?.into_iter().map(PathBuf::from).filter(|file| file.is_file()).collect())
}

/// Says how this crawl reads pages otherwise than the last run, if there was one.
fn changed_settings(settings: &Settings) -> Result<Option<Difference>> {
    // As in `beginning`.
    let Ok(db) = open_for_reading(&settings.store.db) else { return Ok(None) };
    let fetches_again = settings.recrawl.only != config::Only::New;
    let last = beginning::last_reading(&db)?;
    let processors: Vec<_> = settings.programs.processor.iter().map(|processor| processor.name.as_str()).collect();
    let reading = settings.extraction.reading_with(settings.follow.reads());
    Ok(last.and_then(|last| changed_settings::since(&last, &settings.extraction, &reading, &processors, fetches_again)))
}

/// Leaves no empty file behind if nothing was ever stored, not even the schema.
fn without_trace(report: Report) -> Report {
    let db = report.lock.path();
    if report.lock.created() && report.lock.is_in_place() && fs::metadata(db).is_ok_and(|meta| meta.len() == 0) {
        let _ = fs::remove_file(db);
    }
    report
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

/// Lowers fetchers, concurrency and buffers to what the limit of memory allows, and the concurrency to what the limit of
/// open files does. Says so.
///
/// # Errors
/// The latter allows no request at all.
pub fn within_limits(settings: &Settings) -> Result<Settings> {
    let mut settings = settings.clone();
    if let Some(memory) = limits::memory_limit() {
        within_memory(&mut settings, memory);
    }
    let descriptors = limits::raise_descriptor_limit().context("cannot ask for the limit of open files")?;
    // A request may have a second connection beside it: the idle one of the host before.
    let per_fetcher = usize::try_from(descriptors.saturating_sub(SPARE_DESCRIPTORS) / 2).unwrap_or(usize::MAX);
    let most = per_fetcher.saturating_mul(*settings.crew.fetchers);
    if most == 0 {
        anyhow::bail!(
            "the limit of {descriptors} open files is too low; {} are needed at least (ulimit -n)",
            SPARE_DESCRIPTORS + 2
        );
    }
    if *settings.crew.concurrency > most {
        let lowered = format!(
            "seine: concurrency lowered from {} to {most}: the limit of open files is {descriptors} (ulimit -n)",
            *settings.crew.concurrency
        );
        say::say(Level::Warn, &lowered);
        settings.lower_concurrency(most);
    }
    Ok(settings)
}

/// Lowers what the user has not set himself to what `memory` bytes have room for.
fn within_memory(settings: &mut Settings, memory: u64) {
    let fit = memory::fit(settings, memory);
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    let mut lowered = Vec::new();
    if fit.fetchers < *settings.crew.fetchers {
        let plural = if fit.fetchers == 1 { "" } else { "s" };
        lowered.push(format!("{} fetcher{plural} instead of {}", fit.fetchers, *settings.crew.fetchers));
    }
    if fit.concurrency < *settings.crew.concurrency {
        lowered.push(format!("{} requests in flight instead of {}", fit.concurrency, *settings.crew.concurrency));
    }
    if fit.parts > 1 {
        lowered.push(format!("buffers of 1/{} their size", fit.parts));
    }
    if !lowered.is_empty() && !settings.console.quiet {
        say::say(Level::Info, &format!("seine: for a limit of {} of memory: {}", mib(memory), lowered.join(", ")));
    }
    if fit.most > memory {
        let mut less = vec!["--max-body"];
        less.extend(settings.crew.fetchers.is_by_user().then_some("--fetchers"));
        less.extend(settings.crew.concurrency.is_by_user().then_some("--concurrency"));
        let warning = format!(
            "seine: warning: pages as large as --max-body ({}) may need {} of memory and the limit is {}; a page it is \
             not enough for ends as quarantined; allow more memory, or less {}",
            mib(settings.http.max_body.0),
            mib(fit.most),
            mib(memory),
            less.join(", ")
        );
        say::say(Level::Warn, &warning);
    }
    settings.crew.fetchers.replace(fit.fetchers);
    settings.lower_concurrency(fit.concurrency);
    settings.crew.buffers = fit.buffers;
}

/// Prints the summary and finds the exit code; `again` says how a crawl that was stopped goes on.
///
/// # Errors
/// The store cannot be read, or standard output not written.
pub fn finish(settings: &Settings, mut report: Report, again: &str) -> Result<i32> {
    let lost = supervisor::lost_store(&report.lock).filter(|_| report.tally.opened);
    if let Some(problem) = &lost {
        report.ended_by = EndedBy::Failure;
        report.tally.fatal.get_or_insert(problem.clone());
    }
    let mut code = exit_code(&report);
    if let Some(fatal) = &report.tally.fatal {
        tracing::error!(ended_by = report.ended_by.name(), "{fatal}");
        say::say(Level::Error, &format!("seine: {fatal}"));
    }
    if let Some(failure) = &report.processor_failure {
        say::say(Level::Error, &format!("seine: {}", printable(&failure.message)));
        if matches!(report.ended_by, EndedBy::Completed | EndedBy::Failure) {
            code = if failure.is_usage { USAGE } else { STOPPED };
        }
    } else if code == 0 && report.processors.iter().any(|tally| tally.stopped.is_some()) {
        code = STOPPED;
    }
    let rules = Rules::read(&settings.extraction.rules_text)?;
    let (mut has_changes, mut untold) = (false, None);
    let (mut json, mut message) =
        (json!({ "db": settings.store.db.to_string_lossy() }), "nothing was fetched".to_owned());
    let read = match lost {
        // What is there now is somebody else's.
        Some(_) => Err(StoreError::Missing(report.lock.path().to_owned())),
        None => open_at_rest(report.lock.path())
            .and_then(|db| Ok((told::untold(&db)?, summary_of(&db, &rules, settings.follow.is_on(), &report)?))),
    };
    match read {
        Ok((run_id, found)) => {
            untold = run_id;
            // The first run has only found something new if it has found something.
            has_changes = found.changes.as_ref().map_or(report.found_any(), Changes::any);
            if code == 0 && settings.budgets.fail_on_drift && !found.drifts.is_empty() {
                code = DRIFTED;
            }
            let too_many = too_many_failed(&report, settings.budgets.fail_threshold);
            if code == 0 && too_many.is_some() {
                code = FAILED;
            }
            let processed = process::as_text(&report.processors);
            if !processed.is_empty()
                && (!settings.console.quiet || report.processors.iter().any(|tally| tally.stopped.is_some()))
            {
                say::say(Level::Info, processed.trim_end());
            }
            if let Some(too_many) = too_many {
                say::say(Level::Warn, &format!("seine: {too_many}"));
            }
            let text = summary::text(&found, &settings.store.db, None, Some(&report));
            if settings.console.log_file.is_some() {
                // The file has the outcome too, above all if nothing else is said.
                let lines: Vec<_> = text.lines().take(2).map(str::trim).collect();
                tracing::info!("{}", lines.join(": "));
            }
            if !settings.console.quiet && !say::is_json() {
                super::session::tell(&format!("{text}{}", advice(settings, &report, found.pending, again)));
            }
            json = summary::json(&found, &settings.store.db, None, Some(&report))?;
            message = text.lines().next().unwrap_or_default().to_owned();
        }
        // The reason was given already.
        Err(_) if report.tally.fatal.is_some() => json["ended_by"] = report.ended_by.name().into(),
        Err(error) => return Err(error.into()),
    }
    if let Some(fatal) = &report.tally.fatal {
        json["error"] = fatal.as_str().into();
    }
    let end = super::notify::End { code, ended_by: report.ended_by, has_changes };
    // The program that is notified may want to work on the store, so its lock is released first.
    let telling = report.lock.tell();
    super::notify::tell(settings, end, &json);
    if say::is_json() && (settings.console.json || !settings.console.quiet) {
        say::put(&as_event(&message, json)?);
    } else if settings.console.json {
        writeln!(io::stdout(), "{json}").or_else(ignore_broken_pipe)?;
    }
    if let Some(run_id) = untold.filter(|_| telling.is_in_place()) {
        // The last word: the exit code is known from here on. If it cannot be written, the next crawl says all this again.
        let is_ours = telling.take_back();
        if let Err(error) = told::note(telling.path(), run_id, is_ours) {
            tracing::warn!(%error, "it is not written down that the end of the run was seen");
        }
    }
    Ok(code)
}

/// The summary of a store whose last run had these rules and ended as `report` says; `follows`: it found URLs by itself.
fn summary_of(db: &Connection, rules: &Rules, follows: bool, report: &Report) -> Result<Summary, StoreError> {
    let mut summary = read::summary(db)?;
    // A run that had nothing to do has left no row: the last one is an earlier one then, long told of.
    if let Some(run) = summary.run.as_ref().filter(|_| report.has_done_something())
        && diff::Run::before(db, run.run_id)?.is_some()
    {
        summary.changes = Some(diff::counts(db, None, run.run_id)?);
    }
    if follows {
        summary.found = Some(FoundCounts::of(db)?);
    }
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
        if report.has_done_something() {
            summary.fill = fills(db, run.run_id, rules.collections())?;
        }
        summary.drifts = drifts(db, run.run_id, |name| limits.get(name).copied().unwrap_or(f64::INFINITY))?;
    }
    Ok(summary)
}

/// A sentence if more URLs of a complete run ended in an error than `--fail-threshold` allows.
fn too_many_failed(report: &Report, threshold: Share) -> Option<String> {
    if report.ended_by != EndedBy::Completed {
        return None;
    }
    let share = Share(report.tally.failed_share().filter(|share| *share > threshold.0)?);
    Some(format!("{share} of the URLs ended in an error, more than the {threshold} of --fail-threshold"))
}

/// The summary as the last line of a log in JSON: the fields of `--json` after those that every line has.
fn as_event(message: &str, summary: Value) -> Result<String> {
    let mut line: Map<String, Value> =
        serde_json::from_str(&say::line("summary", Level::Info.name(), message, Map::new()))?;
    if let Value::Object(fields) = summary {
        line.extend(fields);
    }
    Ok(serde_json::to_string(&line)?)
}

fn ignore_broken_pipe(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

fn advice(settings: &Settings, report: &Report, pending: u64, again: &str) -> String {
    let db = settings.store.db.display();
    match report.ended_by {
        EndedBy::Completed => format!("  results: seine export {db} -o pages.csv\n"),
        EndedBy::DiskFull | EndedBy::MinFreeDisk => {
            format!("  out of disk: make room, then {again}; {pending} to go\n")
        }
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
            if none_ok { FAILED } else { 0 }
        }
        EndedBy::Interrupted => INTERRUPTED,
        EndedBy::Terminated => TERMINATED,
        EndedBy::Limit | EndedBy::MaxWall | EndedBy::MaxBytes | EndedBy::HostLimit | EndedBy::Outage => STOPPED,
        EndedBy::DiskFull | EndedBy::MinFreeDisk => DISK_FULL,
        // A store that cannot be opened is an input error; what fails later is not.
        EndedBy::Failure if !report.tally.opened && report.tally.writer_crashes == 0 => USAGE,
        EndedBy::Failure => STOPPED,
    }
}
