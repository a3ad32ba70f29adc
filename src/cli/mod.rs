//! The command line: every verb and flag, once. Settings of a crawl are declared in [`crate::config`].

mod everyday;
mod meaning;
mod shells;
mod site;
mod store;
mod unused;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use clap::error::{ContextKind, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::engine::ArgValueCandidates;

use self::everyday::{BACKUP_EXIT_CODES, COMPLETIONS_HELP, INIT_EXIT_CODES, SEARCH_EXIT_CODES};
pub use self::everyday::{BackupArgs, CompletionsArgs, InitArgs, ManArgs, SearchArgs};
pub use self::shells::VARIABLE;
use self::site::{LINKS_EXIT_CODES, REPORT_EXIT_CODES};
pub use self::site::{LinksArgs, LinksFormat, ReportArgs, Statuses};
pub use self::store::{StoreAndQuery, StoreArg};
use self::unused::{Importing, Planning, Retrying, Useful};
use crate::config::{Given, Settings, Share, Sources, Span, Store};
use crate::schedule::cron::Cron;
use crate::schedule::job::Overlap;
use crate::schedule::zone::Zone;
use seine_export::Format;
use seine_unix::say::{self, Level};

macro_rules! exit_codes {
    () => {
        "\
Exit codes:
  0        every URL has an outcome
  1        as 0, but not one URL ended ok, or too many failed (--fail-threshold)
  2        usage, config or input error
  3        stopped by a budget (--limit and the like), an outage or failing processes; resumable
  4        the store is held by another run
  5        out of disk, or below --min-free-disk; resumable
  6        as 0, but a field drifted (--fail-on-drift)
  130/143  stopped by SIGINT/SIGTERM; resumable"
    };
}

const EXIT_CODES: &str = exit_codes!();

const CRAWL_HELP: &str = concat!(
    "\
Sizes are written 512KiB or 10MiB, durations 500ms, 2s or 1h 30m; a bare number is bytes or seconds.

",
    exit_codes!(),
    "

Examples:
  seine crawl https://example.com/ more.txt  URLs, and files of them, into crawl.db
  seine crawl urls.txt                      again, it goes on or asks for changes
  seine crawl shop.csv --url-column link    the other columns of the table travel along
  seine crawl urls.txt -c shop.toml -j 16   with the settings and rules of a file
  seine crawl urls.txt --delay 2 -A 'mybot/1 (+https://me.example/bot)' -H 'Accept-Language: de'
  seine crawl urls.txt --limit 100 --db first-look.db -v"
);

const PLAN_EXIT_CODES: &str = "\
Exit codes:
  0  told
  2  usage, config or input error

Every other flag of a crawl is taken too, so `plan` can stand for `crawl` in any command; it changes nothing here.
The time is the shortest there can be: if every site answered at once, and asked for no longer delay itself.";

const WHY_EXIT_CODES: &str = "\
Exit codes:
  0  the store knows the URL
  2  it does not, or there is no such store";

const AUDIT_EXIT_CODES: &str = "\
Exit codes:
  0  every limit was kept, and nothing is missing
  1  one was not, or something is
  2  usage error, or no such store";

const PRUNE_EXIT_CODES: &str = "\
Exit codes:
  0  done
  2  usage error, or no such store
  4  the store is held by a crawl
  5  out of disk: making the file smaller takes as much room again as what is left in it";

const SPLIT_EXIT_CODES: &str = "\
Exit codes:
  0        the folder has all shards
  2        usage or input error, or the folder has something else in it; nothing was written
  4        the store is held by a crawl
  5        out of disk; nothing was written
  130/143  stopped by SIGINT/SIGTERM; nothing was written

Examples:
  seine split urls.txt --shards 16 -o shards        shards/shard-0.jsonl to shard-15.jsonl
  seine split crawl.db --shards 4 -o stores         what is pending: stores/shard-0.db to shard-3.db
  seine crawl shards/shard-3.jsonl --db stores/3.db on any machine
  seine merge crawl.db stores/*.db                  all of it together";

const MERGE_EXIT_CODES: &str = "\
Exit codes:
  0        merged; what was there already was passed over
  2        usage error, no such store, one that is damaged or of another version, or a URL that two
           stores have fetched in the same run; nothing has changed
  4        OUT is held by a crawl
  5        out of disk; nothing has changed
  130/143  stopped by SIGINT/SIGTERM; nothing has changed

A new store has its name when it is whole; in one that is there all comes in one transaction.";

const EXTRACT_EXIT_CODES: &str = "\
Exit codes:
  0        done; with --diff: compared
  2        usage, config or store error; nothing has changed
  3        its processes failed; nothing has changed
  4        the store is held by a crawl
  5        out of disk; nothing has changed
  130/143  stopped by SIGINT/SIGTERM; nothing has changed";

const PROCESS_EXIT_CODES: &str = "\
Exit codes:
  0        every record has its answer, or is kept as a problem
  2        usage, config or store error
  3        a program ended again and again, or a process failed; the same command goes on
  4        the store is held by a crawl
  5        out of disk; the same command goes on
  130/143  stopped by SIGINT/SIGTERM; the same command goes on";

const ROBOTS_EXIT_CODES: &str = "\
Exit codes:
  0  all URLs are allowed
  1  at least one is not
  2  usage or input error";

const TRY_EXIT_CODES: &str = "\
Exit codes:
  0  every collection that is about the page has an item; or only selectors were asked for
  1  one has none, or none is about the page
  2  usage error, a broken config, or no page";

const EXPORT_EXIT_CODES: &str = "\
Exit codes:
  0        the export is whole; also if a pipe was closed by its reader
  2        usage error, no such store, table or column, or no such condition or query
  5        out of disk; nothing was written
  130/143  stopped by SIGINT/SIGTERM; nothing was written

A file is written beside its name and renamed when it is whole; a folder likewise.
Pages, links, requests, attempts, problems and tables are read in short transactions,
all else in one; either way the rows are those of the start.";

const DIFF_EXIT_CODES: &str = "\
Exit codes, those of diff(1):
  0        nothing differs; also if a pipe was closed by its reader
  1        something does
  2        usage error, no such store, run, collection or URL, or no two complete runs
  5        out of disk; nothing was written
  130/143  stopped by SIGINT/SIGTERM; nothing was written

As of a run a URL is what its last fetch up to then made it: any two runs can be held against each other.";

const SCHEDULE_EXIT_CODES: &str = "\
Exit codes:
  0        --status: told
  2        usage or config error, or a state that cannot be used
  4        another scheduler is at work with the same state
  130/143  ended by SIGINT/SIGTERM; a run that went was asked to stop, and can be gone on with

Cron texts have five fields, or six with the second first:
  minute (0-59)  hour (0-23)  day of month (1-31)  month (1-12, jan-dec)  day of week (0-7, sun-sat)
Each is *, a number, a list (1,5), a range (1-5) or steps (*/10). If both days are restricted, either is enough.
@yearly, @monthly, @weekly, @daily and @hourly are short for such texts.";

const HEALTH_EXIT_CODES: &str = "\
Exit codes:
  0  healthy: the last run that ended is complete, recent, and enough of its pages are ok; or one is at
     work that began not longer ago and moves; or there is none yet and a scheduler has it still to come
  1  not so; the reason is one line on standard output
  2  usage error";

const SQL_EXIT_CODES: &str = "\
Exit codes:
  0  the query was answered
  2  usage error, no such store, no such query, or it took too long";

const EXPLAIN_EXIT_CODES: &str = "\
Exit codes:
  0  every line was answered
  2  a line was no such object; its answer is {\"error\": ...}, the others are answered all the same;
     or a config that cannot be used, and nothing is answered

Questions and answers, one JSON object a line:
  robots       {robots_b64, user_agent, url}   {allowed, rule, line}
  crawl-delay  {robots_b64, user_agent}        {crawl_delay_s}
  url          {base, href, page_encoding?}    {url, reason}
  same-url     {a, b, canonical?}              {same}
  address      {url}                           {allowed, reason}
  retry-after  {header, now}                   {wait_s, capped}
  title        {content_type?, body_b64}       {title, encoding}
What there is none of is null. Of same-url, canonical is what the page at a names so. Of retry-after, now is a number of seconds of the Unix epoch or a date.";

/// Turns files of URLs into one SQLite file of scraped data.
#[derive(Debug, Parser)]
#[command(name = "seine", version, long_version = long_version(), about, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Cli {
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
}

/// What `--version` says, and `-V` does not.
fn long_version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        format!(
            "{}\nbuilt for {} {}, {}\nSQLite {} with FTS5, TLS by rustls with ring, store version {}",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH,
            if cfg!(target_env = "musl") { "static (musl)" } else { "dynamic (glibc)" },
            rusqlite::version(),
            seine_store::migrations::VERSION,
        )
    });
    &TEXT
}

impl Cli {
    /// The arguments of this process, or the message and exit code that follow from them. A value that may hold a
    /// password is not repeated.
    #[must_use]
    pub fn of_process() -> Self {
        const MAY_HOLD_SECRETS: [&str; 5] = ["--proxy", "--header", "--body", "--notify", "--notify-url"];
        shells::answer();
        Self::try_parse().unwrap_or_else(|mut error| {
            meaning::explain(&mut error);
            if error.use_stderr() && chooses_json(std::env::args_os()) {
                say::in_json();
            }
            let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
            if error.kind() == ErrorKind::ValueValidation
                && MAY_HOLD_SECRETS.iter().any(|name| argument.split(' ').next() == Some(name))
                && let Some(source) = std::error::Error::source(&error)
            {
                let message = format!("invalid value for '{argument}': {source}");
                refuse(&Self::command().error(ErrorKind::ValueValidation, message));
            }
            if let (Some(problem), Some(value)) =
                (std::error::Error::source(&error).and_then(meaning::of_number), error.get(ContextKind::InvalidValue))
            {
                let message = format!("invalid value '{value}' for '{argument}': {problem}");
                refuse(&Self::command().error(ErrorKind::ValueValidation, message));
            }
            refuse(&error)
        })
    }
}

/// Tells what is wrong with the arguments, or what was asked for (`--help`), and ends the process.
fn refuse(error: &clap::Error) -> ! {
    if !say::is_json() {
        error.exit();
    }
    let text = error.to_string();
    say::say(Level::Error, text.strip_prefix("error: ").unwrap_or(&text));
    std::process::exit(error.exit_code())
}

/// Whether `--log-format json` is among the arguments, though they cannot be understood.
fn chooses_json(arguments: impl Iterator<Item = std::ffi::OsString>) -> bool {
    let mut before = std::ffi::OsString::new();
    for argument in arguments {
        if argument == "--log-format=json" || before == "--log-format" && argument == "json" {
            return true;
        }
        before = argument;
    }
    false
}

/// The verbs.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, for the life of the program")]
pub enum Command {
    /// Fetch every URL of the lists and store what was found; the same command again goes on, or asks for changes
    #[command(after_help = CRAWL_HELP)]
    Crawl(CrawlArgs),
    /// Take the pages of archives (.warc, .warc.gz, .warc.zst) as a crawl takes those of the network, without it
    #[command(after_help = EXIT_CODES)]
    Import(ImportArgs),
    /// Tell what a crawl of these lists would ask of whom, and how long that takes at least; no site is asked
    #[command(after_help = PLAN_EXIT_CODES)]
    Plan(PlanArgs),
    /// Write a commented config file for a crawl of a site
    #[command(after_help = INIT_EXIT_CODES)]
    Init(InitArgs),
    /// Serve a small sample site on a loopback port and crawl it
    Demo(DemoArgs),
    /// Show what a crawl has come to: finished, running or dead
    Status(StatusArgs),
    /// Print the stored body of a URL, byte for byte
    #[command(allow_missing_positional = true)]
    Cat(CatArgs),
    /// Tell the life of one URL: who named it, robots.txt, requests, waits, redirects, outcome
    #[command(after_help = WHY_EXIT_CODES, allow_missing_positional = true)]
    Why(WhyArgs),
    /// Prove from the record that every limit was kept, and that nothing is missing
    #[command(after_help = AUDIT_EXIT_CODES)]
    Audit(AuditArgs),
    /// Let old versions of pages go, and give their room on disk back
    #[command(after_help = PRUNE_EXIT_CODES)]
    Prune(PruneArgs),
    /// Split lists, or what is pending in a store, into shards for several machines; a domain is in one of them
    #[command(after_help = SPLIT_EXIT_CODES)]
    Split(SplitArgs),
    /// Put stores together, those of shards for instance; again, it takes what has come to them since
    #[command(after_help = MERGE_EXIT_CODES)]
    Merge(MergeArgs),
    /// Copy the store as it is at one moment, beside a running crawl too
    #[command(after_help = BACKUP_EXIT_CODES, allow_missing_positional = true)]
    Backup(BackupArgs),
    /// Make URLs pending again and crawl them
    #[command(after_help = EXIT_CODES)]
    Retry(RetryArgs),
    /// Read the stored bodies again, for rules, text, Markdown, metadata and tables, without asking any site
    #[command(after_help = EXTRACT_EXIT_CODES)]
    Extract(ExtractArgs),
    /// Put stored pages or items through programs of your own, each record once
    #[command(after_help = PROCESS_EXIT_CODES)]
    Process(ProcessArgs),
    /// Tell what robots.txt files allow
    #[command(after_help = ROBOTS_EXIT_CODES)]
    Robots(RobotsArgs),
    /// Tell which links are broken, where links lead, and who links to a page
    #[command(after_help = LINKS_EXIT_CODES)]
    Links(LinksArgs),
    /// Write a page about a whole site: outcomes, broken links, redirects, slow and large pages, titles, pace, growth
    #[command(after_help = REPORT_EXIT_CODES)]
    Report(ReportArgs),
    /// Write pages, links, items and all else as CSV, JSON, Parquet, SQLite, XLSX, GraphML, Markdown or WARC
    #[command(after_help = EXPORT_EXIT_CODES)]
    Export(ExportArgs),
    /// Tell what differs between two runs: pages that are new, changed, gone or back, items field by field
    #[command(after_help = DIFF_EXIT_CODES)]
    Diff(DiffArgs),
    /// Look for words in the titles and main texts of stored pages
    #[command(after_help = SEARCH_EXIT_CODES)]
    Search(SearchArgs),
    /// Ask the store in SQL; nothing can be changed
    #[command(after_help = SQL_EXIT_CODES)]
    Sql(SqlArgs),
    /// Answer questions from standard input as the crawler would decide them
    #[command(after_help = EXPLAIN_EXIT_CODES)]
    Explain(ExplainArgs),
    /// Show what rules and selectors find on one page, and why a field is empty
    #[command(after_help = TRY_EXIT_CODES)]
    Try(TryArgs),
    /// Run other verbs when they are due, by cron texts; never two on one store
    #[command(after_help = SCHEDULE_EXIT_CODES)]
    Schedule(ScheduleArgs),
    /// Tell whether a store is kept up to date, as an exit code for health checks
    #[command(after_help = HEALTH_EXIT_CODES)]
    Health(HealthArgs),
    /// Print what makes a shell complete commands of seine, with the tables and collections of a store
    #[command(after_help = COMPLETIONS_HELP)]
    Completions(CompletionsArgs),
    /// Write man pages into a folder
    Man(ManArgs),
}

/// `seine crawl`
#[derive(Args, Debug)]
pub struct CrawlArgs {
    /// Settings from a TOML file; flags win over it. See config/seine.example.toml
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Lists and archives.
    #[command(flatten)]
    pub sources: Given<Sources>,
    /// The store.
    #[command(flatten)]
    pub store: Given<Store>,
    /// Every other setting.
    #[command(flatten)]
    pub flags: Given<Settings>,
}

/// `seine import`
#[derive(Args, Debug)]
pub struct ImportArgs {
    /// Archives
    #[arg(value_name = "FILE", required = true)]
    pub archives: Vec<PathBuf>,
    /// Settings from a TOML file; flags win over it. See config/seine.example.toml
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The store.
    #[command(flatten)]
    pub store: Given<Store>,
    /// How they are read, and all else as in a crawl.
    #[command(flatten)]
    pub flags: Useful<Importing>,
}

/// `seine plan`
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// Settings from a TOML file; flags win over it. See config/seine.example.toml
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Lists and archives.
    #[command(flatten)]
    pub sources: Given<Sources>,
    /// The store of the crawl; it is not looked at
    #[arg(long, value_name = "FILE", hide = true)]
    pub db: Option<PathBuf>,
    /// The export at the end of the crawl; there is none
    #[arg(short, long, value_name = "FILE", hide = true)]
    pub output: Option<PathBuf>,
    /// Tell whether a link to this URL would be followed, and which rule decides; may be repeated
    #[arg(long, value_name = "URL", help_heading = "Following links")]
    pub check: Vec<String>,
    /// Every other setting.
    #[command(flatten)]
    pub flags: Useful<Planning>,
}

/// `seine demo`
#[derive(Args, Debug)]
pub struct DemoArgs {
    /// The store
    #[arg(long, value_name = "FILE", default_value = "demo.db")]
    pub db: PathBuf,
    /// Print the summary as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Only warnings and errors on standard error
    #[arg(short, long)]
    pub quiet: bool,
}

/// `seine status`
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `seine cat`
#[derive(Args, Debug)]
pub struct CatArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// A URL of it, as in a list
    #[arg(value_name = "URL")]
    pub url: String,
}

/// `seine why`
#[derive(Args, Debug)]
pub struct WhyArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// A URL of it, or the text of a rejected line, as in a list
    #[arg(value_name = "URL")]
    pub url: String,
    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `seine audit`
#[derive(Args, Debug)]
pub struct AuditArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// Show every host, not only the 20 that came closest to their limit
    #[arg(long)]
    pub all: bool,
    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `seine prune`
#[derive(Args, Debug)]
pub struct PruneArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// Versions of a page that keep their bodies, the last one included; 0 for all of them [default: as the last run]
    #[arg(long, value_name = "N")]
    pub keep_versions: Option<u32>,
    /// Let the bodies of earlier versions go that the site had longer ago than this [default: as the last run]
    #[arg(long, value_name = "DURATION")]
    pub keep_for: Option<Span>,
    /// Forget requests of earlier runs made longer ago than this, but those that the pages of now are the answers to
    /// [default: as the last run]
    #[arg(long, value_name = "DURATION")]
    pub keep_requests: Option<Span>,
    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `seine retry`
#[derive(Args, Debug)]
pub struct RetryArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// Which URLs: a condition in SQL over the columns of `pages`, "error = 'timeout'"; rejected lines never are
    #[arg(long = "where", value_name = "SQL")]
    pub condition: String,
    /// Only say how many they are
    #[arg(long)]
    pub dry_run: bool,
    /// Settings from a TOML file; flags win over it. See config/seine.example.toml
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How they are crawled.
    #[command(flatten)]
    pub flags: Useful<Retrying>,
}

/// `seine extract`
#[derive(Args, Debug)]
pub struct ExtractArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// The rules: every `[[collection]]` of this file, and its text, markdown, metadata and tables; collections it does
    /// not name stay as they are
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["metadata", "text", "markdown", "tables"])]
    pub config: Option<PathBuf>,
    /// What pages say of themselves, as in a crawl
    #[arg(long)]
    pub metadata: bool,
    /// The main text of pages, as in a crawl
    #[arg(long)]
    pub text: bool,
    /// The main text of pages as Markdown, as in a crawl
    #[arg(long)]
    pub markdown: bool,
    /// The tables of pages, as in a crawl
    #[arg(long)]
    pub tables: bool,
    /// Only show what would be added, removed and changed, with examples; beside a running crawl too
    #[arg(long)]
    pub diff: bool,
    /// Which pages: a condition in SQL over the columns of `pages`, "url LIKE '%/p/%'"; items of others stay
    #[arg(long = "where", value_name = "SQL")]
    pub condition: Option<String>,
    /// Processes that apply the rules [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub workers: Option<u8>,
    /// Print what came of it as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Only warnings and errors on standard error
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log to standard error
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// `seine process`
#[derive(Args, Debug)]
pub struct ProcessArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// The programs: every `[[processor]]` of this file
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Only this processor; may be repeated
    #[arg(long, value_name = "NAME")]
    pub only: Vec<String>,
    /// Once more what they failed on before
    #[arg(long)]
    pub retry_failed: bool,
    /// Print what came of it as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// Only warnings and errors on standard error
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log to standard error, what the programs write to theirs too
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// `seine robots`
#[derive(Args, Debug)]
pub struct RobotsArgs {
    /// URLs, whose robots.txt files are read; local files: lists of URLs, or a robots.txt. With --file URLs or paths
    #[arg(value_name = "URL|FILE")]
    pub targets: Vec<String>,
    /// The name the files are searched for [default: first word of the User-Agent]
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Check this URL or path instead, at each site; may be repeated
    #[arg(long, value_name = "URL")]
    pub url: Vec<String>,
    /// Settings of a crawl from a TOML file: user agent, proxies, host rules
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Take the rules from this file, and ask nobody
    #[arg(long, value_name = "ROBOTS.TXT")]
    pub file: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// `seine try`
#[derive(Args, Debug)]
pub struct TryArgs {
    /// The page: a URL, which is fetched; a file; or - for standard input. With --suggest there may be several
    #[arg(value_name = "URL|FILE", required = true)]
    pub targets: Vec<String>,
    /// Rules, and settings of a crawl, from a TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Show what this selector matches; may be repeated
    #[arg(long, value_name = "SELECTOR")]
    pub css: Vec<String>,
    /// Show what this XPath finds; may be repeated
    #[arg(long, value_name = "EXPRESSION")]
    pub xpath: Vec<String>,
    /// Propose rules that find this value, which you see on one of the pages, on all of them: price=19.90; may be
    /// repeated
    #[arg(long, value_name = "FIELD=VALUE", conflicts_with_all = ["css", "xpath"])]
    pub suggest: Vec<String>,
    /// Take the body of the URL from this store, and ask nobody
    #[arg(long, value_name = "DB")]
    pub db: Option<PathBuf>,
    /// The URL that `match` sees and links are relative to [default: the page's own]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Ask for the page even if robots.txt forbids it
    #[arg(long)]
    pub ignore_robots: bool,
    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `seine export`
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// pages, links, items, inputs, attempts, requests, runs, robots_files, extract_problems, field_rates, tables, a
    /// collection or a view of your own; several for xlsx, sqlite and folders [default: pages; links for graphml]
    #[arg(long, value_name = "NAME", value_delimiter = ',', add = ArgValueCandidates::new(shells::tables))]
    pub table: Vec<String>,
    /// [default: by the name of the output, else csv; jsonl for the table items]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<Format>,
    /// A file, compressed if it is called .gz or .zst; a folder (NAME/); - for standard output [default: -]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Only these rows: a condition in SQL over the table's columns, "status = 200". Those of the input file are in one,
    /// "input_columns ->> 'sku' = '17'"
    #[arg(long = "where", value_name = "SQL")]
    pub condition: Option<String>,
    /// Only these columns, in this order; those of the input file by their own names
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Only rows of this run, a number or `last`
    #[arg(long, value_name = "N|last")]
    pub run: Option<WhichRun>,
    /// Only rows of runs after this one; of items those that were last said by one
    #[arg(long, value_name = "N")]
    pub changed_since: Option<i64>,
    /// Pages in the order of the lists: a row for every line, also for duplicates and what is pending
    #[arg(long, value_name = "ORDER", value_enum)]
    pub order_by: Option<OrderBy>,
    /// A folder with a file for each host, for each run, or for so many rows
    #[arg(long, value_name = "host|run|ROWS")]
    pub split_by: Option<SplitBy>,
    /// The rows of this query instead of a table's
    #[arg(long, value_name = "QUERY", conflicts_with_all = ["table", "condition", "columns", "run", "changed_since", "order_by"])]
    pub sql: Option<String>,
    /// CSV and TSV: put ' before texts that a spreadsheet would take for formulas
    #[arg(long)]
    pub spreadsheet_safe: bool,
    /// CSV and TSV: begin with a byte order mark, for Excel
    #[arg(long)]
    pub bom: bool,
    /// No progress and no notes
    #[arg(short, long)]
    pub quiet: bool,
}

impl ExportArgs {
    /// An export of the store `db` to `output`, as if nothing else were said.
    pub fn of(db: &Path, output: &Path) -> Self {
        Self {
            db: StoreArg::named(db),
            table: Vec::new(),
            format: None,
            output: Some(output.to_owned()),
            condition: None,
            columns: Vec::new(),
            run: None,
            changed_since: None,
            order_by: None,
            split_by: None,
            sql: None,
            spreadsheet_safe: false,
            bom: false,
            quiet: false,
        }
    }
}

/// Which run `--run` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichRun {
    /// The latest.
    Last,
    /// The one of this number.
    Number(i64),
}

impl std::str::FromStr for WhichRun {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "last" => Ok(Self::Last),
            _ => text.parse().map(Self::Number).map_err(|_| "must be the number of a run, or last".to_owned()),
        }
    }
}

/// Orders of an export other than the store's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OrderBy {
    /// By list and line
    Input,
}

/// The group of rows that makes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitBy {
    /// The host of a row's URL.
    Host,
    /// The run of a row.
    Run,
    /// So many rows.
    Rows(u64),
}

impl std::str::FromStr for SplitBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("host", _) => Ok(Self::Host),
            ("run", _) => Ok(Self::Run),
            (_, Ok(rows @ 1..)) => Ok(Self::Rows(rows)),
            _ => Err("must be host, run, or a number of rows".to_owned()),
        }
    }
}

/// `seine diff`
#[derive(Args, Clone, Debug)]
pub struct DiffArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// The earlier run: a number, `last` for the last complete one, `last-1` for the complete one before that
    /// [default: the last complete one before the later run]
    #[arg(long, value_name = "RUN")]
    pub from: Option<CompleteRun>,
    /// The later run, likewise [default: last]
    #[arg(long, value_name = "RUN")]
    pub to: Option<CompleteRun>,
    /// The same in other words: twice, the earlier run and the later one; once, a run that is held against the last
    #[arg(long, value_name = "RUN", conflicts_with_all = ["from", "to"])]
    pub run: Vec<CompleteRun>,
    /// Only these; text is changed pages with their main text [default: pages,items]
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    pub only: Vec<DiffPart>,
    /// With each changed page, what differs in its main text; every such page is read for that
    #[arg(long)]
    pub text: bool,
    /// Only items of this collection; may be repeated
    #[arg(long, value_name = "NAME", add = ArgValueCandidates::new(shells::collections))]
    pub collection: Vec<String>,
    /// Only these pages and their items: a condition in SQL over the columns of `pages`, "url LIKE '%/p/%'"
    #[arg(long = "where", value_name = "SQL")]
    pub condition: Option<String>,
    /// The history of this URL, fetch by fetch, with the differences in its main text
    #[arg(long, value_name = "URL", conflicts_with_all = ["only", "text", "collection", "condition", "summary", "limit"])]
    pub url: Option<String>,
    /// Only how much differs
    #[arg(long)]
    pub summary: bool,
    /// [default: by the name of the output, else text]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<DiffFormat>,
    /// A file, compressed if it is called .gz or .zst; - for standard output [default: -]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Text and HTML: show so many of each kind, 0 for all [default: 20, in HTML 1000]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// CSV: put ' before texts that a spreadsheet would take for formulas
    #[arg(long)]
    pub spreadsheet_safe: bool,
}

/// Which run `seine diff` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompleteRun {
    /// The complete run with so many complete ones after it.
    Last(u32),
    /// The one of this number.
    Number(i64),
}

impl std::str::FromStr for CompleteRun {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let run = match text.strip_prefix("last") {
            Some("") => Some(Self::Last(0)),
            Some(back) => back.strip_prefix('-').and_then(|back| back.parse().ok()).map(Self::Last),
            None => text.parse().ok().map(Self::Number),
        };
        run.ok_or_else(|| "must be the number of a run, last, or last-1".to_owned())
    }
}

/// The kinds of difference that `seine diff` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffPart {
    /// Pages
    Pages,
    /// Items, field by field
    Items,
    /// Changed pages with what differs in their main text
    Text,
}

/// The formats of `seine diff`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
    /// Comma-separated values (RFC 4180): a row for each page, and for each field of an item
    Csv,
    /// One HTML page that needs nothing else
    Html,
}

/// Shards of a list: each is an open file while it is split.
const MAX_SHARDS: i64 = 4096;

/// `seine split`
#[derive(Args, Debug)]
pub struct SplitArgs {
    /// Lists as in a crawl, - for standard input; or one store
    #[arg(value_name = "FILE", required = true)]
    pub inputs: Vec<PathBuf>,
    /// So many shards
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_SHARDS))]
    pub shards: u32,
    /// What is never in two of them
    #[arg(long, value_name = "WHAT", value_enum, default_value = "domain")]
    pub by: Together,
    /// The folder; one that has nothing but an earlier split is replaced
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    /// CSV/TSV: the column that holds the URL, by name or number [default: url]
    #[arg(long, value_name = "NAME")]
    pub url_column: Option<String>,
    /// JSONL: the field that holds the URL [default: url]
    #[arg(long, value_name = "FIELD")]
    pub url_field: Option<String>,
    /// Counts as one JSON object
    #[arg(long)]
    pub json: bool,
    /// No progress on standard error
    #[arg(short, long)]
    pub quiet: bool,
}

/// What `seine split` keeps together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Together {
    /// All hosts of a registrable domain (public suffix list)
    Domain,
    /// Each host
    Host,
}

/// `seine merge`
#[derive(Args, Debug)]
pub struct MergeArgs {
    /// The store they are put into; made if there is none
    #[arg(value_name = "OUT")]
    pub out: PathBuf,
    /// The stores, in this order; they are only read
    #[arg(value_name = "DB", required = true)]
    pub stores: Vec<PathBuf>,
    /// Counts as one JSON object
    #[arg(long)]
    pub json: bool,
    /// No progress on standard error
    #[arg(short, long)]
    pub quiet: bool,
}

/// `seine schedule`
#[derive(Args, Debug)]
pub struct ScheduleArgs {
    /// The jobs: every `[[job]]` of this file; see config/schedule.example.toml
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cron", "timezone", "jitter", "run_on_start", "overlap", "catch_up", "command"])]
    pub config: Option<PathBuf>,
    /// When the command is due, "0 3 * * *", "*/10 * * * *", "@daily"
    #[arg(long, value_name = "CRON", requires = "command")]
    pub cron: Option<Cron>,
    /// By the clocks of this zone, "Europe/Vienna" [default: that of TZ or of the system, else UTC]
    #[arg(long, value_name = "ZONE", requires = "cron")]
    pub timezone: Option<Zone>,
    /// Put each run off by up to this, at random [default: 0]
    #[arg(long, value_name = "DURATION", requires = "cron")]
    pub jitter: Option<Span>,
    /// Run at the start too
    #[arg(long, requires = "cron")]
    pub run_on_start: bool,
    /// How to treat a run that is due while the one before it still goes
    #[arg(long, value_name = "WHAT", value_enum, default_value = "skip")]
    pub overlap: Overlap,
    /// Make up for what was missed or cut short, while the machine slept or the scheduler was not running, by one run
    #[arg(long, requires = "cron")]
    pub catch_up: bool,
    /// The file of what is known of the jobs [default: beside the first job's store, crawl.db.schedule.json, or beside
    /// the config]
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Only tell how the last runs ended, what they said, and when the next are due
    #[arg(long)]
    pub status: bool,
    /// --status as one JSON object
    #[arg(long, requires = "status")]
    pub json: bool,
    /// The command: a verb of seine and its arguments
    #[arg(value_name = "COMMAND", last = true, requires = "cron")]
    pub command: Vec<OsString>,
}

/// `seine health`
#[derive(Args, Debug)]
pub struct HealthArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// How long ago the last complete run may have ended
    #[arg(long, value_name = "DURATION", default_value = "26h")]
    pub max_age: Span,
    /// Which share of a run's pages may have failed, http_error and quarantined included
    #[arg(long, value_name = "SHARE", default_value = "50%")]
    pub fail_threshold: Share,
    /// The state of a scheduler that has to be at work [default: what lies beside the store, if anything]
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `seine sql`
#[derive(Args, Clone, Debug)]
pub struct SqlArgs {
    /// Store and query.
    #[command(flatten)]
    pub asked: StoreAndQuery,
    /// How the rows are shown
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "table")]
    pub format: SqlFormat,
    /// Show so many rows; 0 for all [default: 200 in a table on a terminal, else all]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Stop it after so long; 0 for no limit. Time in which its output waits to be read does not count
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub timeout: Span,
}

/// How `seine sql` shows rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SqlFormat {
    /// Columns that line up; on a terminal they are cut to its width
    Table,
    /// Comma-separated values (RFC 4180)
    Csv,
    /// One JSON array of objects
    Json,
}

/// `seine explain`
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The subject of the questions
    #[arg(value_name = "KIND", value_enum)]
    pub kind: ExplainKind,
    /// same-url: go by the same_page rules of this TOML file too, and by the session ids of its traps
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// The subjects of questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExplainKind {
    /// Whether a robots.txt allows a URL
    Robots,
    /// The Crawl-delay of a robots.txt, however long
    CrawlDelay,
    /// The URL that a link leads to
    Url,
    /// Whether two URLs are one to the crawl
    SameUrl,
    /// Whether the address of a URL may be connected to
    Address,
    /// How long a Retry-After header makes the crawler wait
    RetryAfter,
    /// Title and charset of a page
    Title,
}
