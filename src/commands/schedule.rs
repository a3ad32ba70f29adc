//! `seine schedule`: runs other verbs when they are due, and tells how that went.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use jiff::Timestamp;
use serde_json::json;

use super::session::{Coded, HELD, INTERRUPTED, TERMINATED, written};
use crate::cli::{Cli, ScheduleArgs, StoreAndQuery};
use crate::config::jobs::JobEntry;
use crate::config::{CrawlOptions, DEFAULT_DB, LogFormat};
use crate::console::text::printable;
use crate::schedule::job::{Job, Output};
use crate::schedule::keeper::{self, ScheduleStart, lock_path, meaning};
use crate::schedule::state::{JobState, State};
use crate::schedule::zone::Zone;
use seine_unix::Signal;
use seine_unix::lock::{self, LockError, StoreLock};
use seine_unix::signals::{Exit, Signals};
use seine_unix::title;

/// Verbs that need somebody there, or would start themselves.
const NOT_FOR_JOBS: [&str; 5] = ["schedule", "health", "explain", "try", "help"];

/// Keeps the schedule until a signal ends it, or tells its status; returns the exit code.
///
/// # Errors
/// A job that makes no sense, a state that cannot be used or is in use.
pub fn run(args: &ScheduleArgs) -> Result<i32> {
    let jobs = jobs(args)?;
    let state = match (&args.state, jobs.is_empty()) {
        (Some(path), _) => path.clone(),
        (None, true) => state_of(Path::new(DEFAULT_DB)),
        (None, false) => default_state(&jobs, args.config.as_deref()),
    };
    if args.status {
        return status(&state, args.json);
    }
    if jobs.is_empty() {
        bail!(
            "nothing to do: name a time and a command, --cron \"0 3 * * *\" -- crawl urls.txt, or --config with [[job]]"
        );
    }
    let lock = locked(&state)?;
    // Before the first child, so that no news of one is missed.
    let signals = Signals::new().context("cannot watch for signals")?;
    title::set(title::Role::Scheduler);
    let ended = keeper::keep(ScheduleStart { jobs, state, signals, say });
    // Removed before it is given back: another scheduler may lock the file as soon as it can, and it has to stay then.
    let _ = fs::remove_file(lock.path());
    drop(lock);
    Ok(if ended? == Signal::SIGINT { INTERRUPTED } else { TERMINATED })
}

/// Everything this verb says while it runs.
fn say(line: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "seine: {}", printable(line));
}

/// The state beside a store.
pub fn state_of(db: &Path) -> PathBuf {
    let mut path = db.as_os_str().to_owned();
    path.push(".schedule.json");
    path.into()
}

fn default_state(jobs: &[Job], config: Option<&Path>) -> PathBuf {
    let first = jobs.iter().find_map(|job| job.db.as_deref());
    state_of(first.or(config).unwrap_or(Path::new("seine")))
}

/// The lock of the state at `path`.
fn locked(path: &Path) -> Result<StoreLock> {
    StoreLock::acquire(&lock_path(path)).map_err(|error| match error {
        LockError::Held { owner, .. } => {
            let owner = owner.map_or_else(|| "another process".to_owned(), |pid| format!("pid {pid}"));
            let path = path.display();
            let message = format!(
                "a scheduler is at work already with the state {path} ({owner}); end it or choose another with --state"
            );
            Coded { code: HELD, message }.into()
        }
        error @ LockError::NotOurs { .. } => error.into(),
        LockError::NotAFile { path } => anyhow!("cannot lock the state: {} is no file", path.display()),
        LockError::Open { path, source } | LockError::Lock { path, source } => anyhow!(source).context(format!(
            "cannot lock the state: {}; put it where it can be written, with --state",
            path.display()
        )),
    })
}

/// The jobs of the command line or of the config file; none if there are neither.
fn jobs(args: &ScheduleArgs) -> Result<Vec<Job>> {
    match (&args.config, &args.cron) {
        (Some(config), _) => jobs_of(config),
        (None, Some(cron)) => {
            let Described { verb, output, db, arguments } = described(args.command.clone())?;
            Ok(vec![Job {
                name: verb,
                cron: cron.clone(),
                zone: zone(args.timezone.as_ref())?,
                jitter: args.jitter.map_or(Duration::ZERO, |jitter| jitter.0),
                run_on_start: args.run_on_start,
                overlap: args.overlap,
                catch_up: args.catch_up,
                arguments,
                output,
                store: db.as_deref().map(absolute),
                db,
            }])
        }
        (None, None) => Ok(Vec::new()),
    }
}

fn jobs_of(config: &Path) -> Result<Vec<Job>> {
    let entries = CrawlOptions::load(config)?.0.programs.job;
    let text = fs::read_to_string(config).unwrap_or_default();
    let line_of = |offset: usize| text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1;
    if entries.is_empty() {
        bail!("config {}: there is no [[job]]; see config/schedule.example.toml", config.display());
    }
    let mut jobs: Vec<Job> = Vec::new();
    for JobEntry { name, cron, timezone, jitter, run_on_start, overlap, catch_up, command } in entries {
        let place = |offset| format!("config {}:{}: job {:?}", config.display(), line_of(offset), name.as_ref());
        if name.as_ref().is_empty() || jobs.iter().any(|job| job.name == *name.as_ref()) {
            bail!("{}: every job needs a name of its own", place(name.span().start));
        }
        let words = command.as_ref().iter().map(OsString::from).collect();
        let Described { output, db, arguments, .. } =
            described(words).with_context(|| format!("{}: command", place(command.span().start)))?;
        jobs.push(Job {
            name: name.as_ref().clone(),
            cron,
            zone: zone(timezone.as_ref())?,
            jitter: jitter.map_or(Duration::ZERO, |jitter| jitter.0),
            run_on_start,
            overlap,
            catch_up,
            arguments,
            output,
            store: db.as_deref().map(absolute),
            db,
        });
    }
    Ok(jobs)
}

fn zone(given: Option<&Zone>) -> Result<Zone> {
    given.cloned().map_or_else(Zone::of_system, Ok).map_err(|error| anyhow!("time zone: {error}"))
}

/// A job's command as the scheduler needs to know it.
struct Described {
    verb: String,
    arguments: Vec<OsString>,
    output: Output,
    /// The store it works on.
    db: Option<PathBuf>,
}

/// Reads a command as the program will.
fn described(mut arguments: Vec<OsString>) -> Result<Described> {
    let words = std::iter::once(OsString::from("seine")).chain(arguments.iter().cloned());
    let mut program = Cli::command();
    let matches = program.try_get_matches_from_mut(words).map_err(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            return anyhow!("it only asks for help");
        }
        let text = error.to_string();
        let first = text.split("\n\nUsage:").next().unwrap_or(&text);
        anyhow!("{}", first.trim_start_matches("error: ").trim_end())
    })?;
    let (verb, matches) = matches.subcommand().context("no verb is named")?;
    if NOT_FOR_JOBS.contains(&verb) {
        bail!("`seine {verb}` cannot be a job");
    }
    let paths = |name: &str| match matches.try_get_many::<PathBuf>(name) {
        Ok(Some(paths)) => paths.cloned().collect(),
        _ => Vec::new(),
    };
    let flag = |name: &str| matches!(matches.try_get_one::<bool>(name), Ok(Some(true)));
    if ["inputs", "archives"].into_iter().flat_map(paths).any(|path| path.as_os_str() == "-") {
        bail!("a job has no standard input; name a file instead of -");
    }
    let config = paths("config").into_iter().next();
    let of_config = config.map(|config| CrawlOptions::load(&config)).transpose()?;
    let log_format = matches.try_get_one::<LogFormat>("log_format").ok().flatten().copied();
    let log_format = log_format.or(of_config.as_ref().map(|options| options.0.console.log_format));
    let output = match verb {
        "crawl" | "import" | "retry" if log_format == Some(LogFormat::Json) => Output::Log,
        "crawl" | "import" | "retry" if flag("json") => Output::ShownSummary,
        "crawl" | "import" | "retry" => {
            // Behind the verb: at the end it might be behind a -- too.
            arguments.insert(1, "--json".into());
            Output::Summary
        }
        _ => Output::Shared,
    };
    // Asked of the declaration: matches tell an argument that was not given from one that is unknown in debug builds only.
    let has_store =
        program.find_subcommand(verb).is_some_and(|verb| verb.get_arguments().any(|arg| arg.get_id() == "db"));
    let db = if has_store { Some(store_in(verb, matches, of_config)) } else { None };
    Ok(Described { verb: verb.to_owned(), arguments, output, db })
}

/// The store of a command: what it names, or its config file, or what it takes by itself.
fn store_in(verb: &str, matches: &ArgMatches, of_config: Option<CrawlOptions>) -> PathBuf {
    if verb == "sql" {
        let asked = StoreAndQuery::from_arg_matches(matches);
        return asked.map_or_else(|_| DEFAULT_DB.into(), |asked| asked.store().to_owned());
    }
    // By flag or as the first argument, see `StoreArg`.
    let named = ["db", "store"].iter().find_map(|id| matches.try_get_one::<PathBuf>(id).ok().flatten());
    named.cloned().unwrap_or_else(|| of_config.unwrap_or_default().0.store.db)
}

/// `path` whatever it is called by.
pub fn absolute(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(real) = absolute.canonicalize() {
        return real;
    }
    // Not there yet; its folder is.
    match (absolute.parent().and_then(|folder| folder.canonicalize().ok()), absolute.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => absolute,
    }
}

/// Tells what is known of the schedule whose state is at `path`.
fn status(path: &Path, as_json: bool) -> Result<i32> {
    let state = State::load(path)?
        .ok_or_else(|| anyhow!("no schedule is known at {}; name its --config or --state", path.display()))?;
    let scheduler = lock::owner(&lock_path(path));
    let text = if as_json {
        json!({ "state": path.to_string_lossy(), "pid": scheduler, "jobs": state.jobs }).to_string()
    } else {
        as_text(path, &state, scheduler)
    };
    written(writeln!(io::stdout(), "{}", text.trim_end()))?;
    Ok(0)
}

fn as_text(path: &Path, state: &State, scheduler: Option<u32>) -> String {
    let mut text = format!("{}: ", path.display());
    let _ = match scheduler {
        Some(pid) => writeln!(text, "the scheduler runs (pid {pid})"),
        None => writeln!(text, "no scheduler runs"),
    };
    for (name, job) in &state.jobs {
        let zone = job.timezone.parse::<Zone>().or_else(|_| Zone::of_system()).ok();
        let shown = |at: Timestamp| match &zone {
            Some(zone) => format!("{:.0}", at.to_zoned(zone.rules().clone())),
            None => format!("{at:.0}"),
        };
        let _ = write!(text, "{}: {:?}, ", printable(name), job.cron);
        let _ = match (job.next_due, scheduler) {
            (Some(due), Some(_)) => writeln!(text, "next due {}", shown(due)),
            (Some(due), None) => writeln!(text, "would be due {}", shown(due)),
            (None, _) => writeln!(text, "never due"),
        };
        let _ = writeln!(text, "  {} runs, {} skipped, {} missed", job.runs, job.skipped, job.missed);
        if let Some(process) = job.running.and_then(|run| run.process).filter(|process| process.is_alive()) {
            let since = job.last_start.map_or_else(String::new, |at| format!(" since {}", shown(at)));
            let _ = writeln!(text, "  at work{since} (pid {})", process.pid);
        } else if let Some(start) = job.last_start {
            let _ = writeln!(text, "  last run {}: {}", shown(start), end_of(job));
        }
        if let Some(since) = job.waiting {
            let _ = writeln!(text, "  a run waits since {}", shown(since));
        }
        if let Some(summary) = &job.last_summary {
            let _ = writeln!(text, "  {}", in_short(summary));
        }
    }
    text
}

fn end_of(job: &JobState) -> String {
    let exit = job.last_exit.map(Exit::Code).or(job.last_signal.map(Exit::Signal));
    let took =
        job.last_end.zip(job.last_start).and_then(|(end, start)| Duration::try_from(end.duration_since(start)).ok());
    let took = took
        .map_or_else(String::new, |took| format!(" after {}", crate::console::text::span_ms(took.as_millis() as u64)));
    match exit {
        Some(exit) => format!("{exit}{}{took}", meaning(exit)),
        None => "nobody saw its end".to_owned(),
    }
}

/// The numbers of a summary that matter most.
fn in_short(summary: &serde_json::Value) -> String {
    let mut parts = vec![format!("{} URLs", summary["urls"])];
    let outcomes = summary["outcomes"].as_object().into_iter().flatten();
    parts.extend(outcomes.filter(|(_, count)| **count != 0).map(|(outcome, count)| format!("{count} {outcome}")));
    parts
        .extend(summary["pending"].as_u64().filter(|pending| *pending > 0).map(|pending| format!("{pending} pending")));
    printable(&parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(command: &[&str]) -> Result<Described> {
        described(command.iter().map(OsString::from).collect())
    }

    #[test]
    fn a_command_tells_its_store_by_whatever_way_it_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("crawl.toml");
        fs::write(&config, "db = 'of-config.db'\n").unwrap();
        let config = config.to_str().unwrap();
        for (command, db) in [
            (vec!["crawl", "x"], Some("crawl.db")),
            (vec!["crawl", "x", "--db", "a.db"], Some("a.db")),
            (vec!["crawl", "x", "--config", config], Some("of-config.db")),
            (vec!["crawl", "x", "--config", config, "--db=a.db"], Some("a.db")),
            (vec!["import", "x.warc", "--db", "a.db"], Some("a.db")),
            (vec!["retry", "a.db", "--where", "1"], Some("a.db")),
            (vec!["retry", "--db", "a.db", "--where", "1"], Some("a.db")),
            (vec!["retry", "--where", "1", "--config", config], Some("of-config.db")),
            (vec!["export", "a.db"], Some("a.db")),
            (vec!["export", "--db", "a.db"], Some("a.db")),
            (vec!["sql", "a.db", "SELECT 1"], Some("a.db")),
            (vec!["sql", "SELECT 1"], Some("crawl.db")),
            (vec!["extract", "a.db", "--config", config], Some("a.db")),
            (vec!["process", "a.db", "--config", config], Some("a.db")),
            (vec!["status"], Some("crawl.db")),
            (vec!["robots", "https://example.com/", "--config", config], None),
        ] {
            assert_eq!(of(&command).unwrap().db.as_deref(), db.map(Path::new), "{command:?}");
        }
    }

    #[test]
    fn summaries_are_asked_for_where_the_command_does_not() {
        let asked = of(&["crawl", "--", "x"]).unwrap();
        assert_eq!((asked.output, asked.arguments.join(" ".as_ref())), (Output::Summary, "crawl --json -- x".into()));
        assert_eq!(of(&["crawl", "x", "--json"]).unwrap().output, Output::ShownSummary);
        assert_eq!(of(&["status", "--json"]).unwrap().output, Output::Shared);
    }

    #[test]
    fn a_log_in_json_is_known_by_flag_and_by_config() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("crawl.toml");
        fs::write(&config, "log_format = 'json'\n").unwrap();
        let config = config.to_str().unwrap();
        for (command, output) in [
            (vec!["crawl", "x", "--log-format", "json"], Output::Log),
            (vec!["crawl", "x", "--log-format=json", "--json"], Output::Log),
            (vec!["crawl", "x", "--config", config], Output::Log),
            (vec!["retry", "a.db", "--where", "1", "--config", config], Output::Log),
            (vec!["crawl", "x", "--config", config, "--log-format", "text"], Output::Summary),
            (vec!["extract", "a.db", "--config", config], Output::Shared),
        ] {
            let described = of(&command).unwrap();
            assert_eq!(described.output, output, "{command:?}");
            let is_asked = described.arguments[1] == "--json";
            assert_eq!(is_asked, output == Output::Summary, "{command:?}");
        }
    }

    #[test]
    fn what_makes_no_sense_unattended_is_refused() {
        for command in [vec![], vec!["crawl", "-"], vec!["crawl", "--help"], vec!["explain", "url"], vec!["help"]] {
            assert!(of(&command).is_err(), "{command:?}");
        }
    }

    #[test]
    fn a_store_is_the_same_by_any_path() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().join("real");
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, folder.path().join("link")).unwrap();
        let paths = ["real/a.db", "link/a.db", "link/../real/./a.db"].map(|path| absolute(&folder.path().join(path)));
        assert_eq!((&paths[0], &paths[0]), (&paths[1], &paths[2]), "before it is there");
        fs::write(&paths[0], "").unwrap();
        assert_eq!(absolute(&folder.path().join("link/a.db")), paths[0]);
    }
}
