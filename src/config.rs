//! One declaration of every setting: flags, config file and documentation come from [`CrawlOptions`].
//!
//! Two steps: flags and TOML are validated apart and merged (a flag wins), then [`CrawlOptions::resolve`] fills in the
//! defaults. Nothing here opens anything but the config file, and the files that settings name for secrets
//! ([`Settings::read_files`]).
//!
//! - [`values`]: durations, sizes, headers and their like, as people write them.
//! - [`hosts`]: what differs from host to host.
//! - [`memory`]: what a crawl takes at most, and what gives way where there is less.
//! - [`notify`]: who is told of the end of a run.
//! - [`processors`]: programs of the user's that records are put through.
//! - [`jobs`]: what `seine schedule` runs when.

pub mod hosts;
pub mod jobs;
pub mod memory;
mod mistakes;
pub mod notify;
pub mod processors;
pub mod values;

use std::ffi::OsStr;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, ValueEnum};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use hosts::{HostPolicy, HostRule, Proxies, Secret};
use jobs::JobEntry;
use memory::Buffers;
use mistakes::explained;
use notify::NotifyEntry;
use processors::Processor;
pub use values::{Header, HookUrl, ProxyUrl, Rate, Resolve, RulesText, Share, Size, Span, Words};
use values::{Networks, is_token};

/// Smallest gap between request starts per host.
pub const DEFAULT_DELAY: Duration = Duration::from_millis(500);
/// Requests in flight over all fetchers.
pub const DEFAULT_CONCURRENCY: usize = 128;
/// Requests in flight per host.
pub const DEFAULT_HOST_CONCURRENCY: usize = 4;
/// From the start of a request to its last byte.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// For a connection, TLS included.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Decompressed body bytes.
pub const DEFAULT_MAX_BODY: u64 = 10 << 20;
/// Redirects followed for one URL.
pub const DEFAULT_MAX_REDIRECTS: usize = 10;
/// Attempts after the first, of what is transient.
pub const DEFAULT_RETRIES: u16 = 2;
/// Time for requests in flight after a signal.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(8);
/// How long a full disk is waited for.
pub const DEFAULT_DISK_WAIT: Duration = Duration::from_secs(60);
/// Free space on the store's file system below which a crawl stops.
pub const DEFAULT_MIN_FREE_DISK: u64 = 1 << 30;
/// Longest `Crawl-delay` of a robots.txt that is obeyed.
pub const DEFAULT_MAX_CRAWL_DELAY: Duration = Duration::from_secs(30);
/// Longest `Retry-After` that is obeyed.
pub const DEFAULT_MAX_RETRY_AFTER: Duration = Duration::from_secs(300);
/// Failures of a host in a row after which it is put aside.
pub const DEFAULT_HOST_FAILURES: u32 = 5;
/// Bytes of a body in each second, below which its request is given up.
pub const DEFAULT_MIN_SPEED: u64 = 100;
/// For one attempt to deliver a notification, and for the command.
pub const DEFAULT_NOTIFY_TIMEOUT: Duration = Duration::from_secs(30);
/// Further attempts to deliver a notification.
pub const DEFAULT_NOTIFY_RETRIES: u16 = 3;
/// CPU time for one page.
pub const DEFAULT_PARSE_TIMEOUT: Duration = Duration::from_secs(5);
/// With `--revisit adaptive`, no page is fetched again sooner.
pub const DEFAULT_REVISIT_MIN: Duration = Duration::from_secs(3600);
/// With `--revisit adaptive`, every page is fetched again after this.
pub const DEFAULT_REVISIT_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// Versions of a page that keep their bodies.
pub const DEFAULT_KEEP_VERSIONS: u32 = 3;
/// The store.
pub const DEFAULT_DB: &str = "crawl.db";
/// Says who comes, and nothing that is not so.
pub const DEFAULT_USER_AGENT: &str = concat!("seine/", env!("CARGO_PKG_VERSION"));

/// Bodies above the limit of requests in flight times this are not held at once; see the formula in the README.
const MAX_CONCURRENCY: usize = 65_536;
const MAX_FETCHERS: usize = 256;
/// The whole chain travels with a URL and has to fit a frame.
const MAX_MAX_REDIRECTS: usize = 1000;
/// A body is one frame, and a frame's length has 32 bits.
const MAX_MAX_BODY: u64 = 2 << 30;
/// No pause is longer than this, whatever a config or a site asks for.
const LONGEST_PAUSE: Duration = Duration::from_millis(crate::record::LONGEST_PAUSE_MS);

/// When to show the progress line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgressMode {
    /// A line on a terminal; in a pipe the start, a line every 30 s and the summary.
    #[default]
    Auto,
    /// The line even where standard error is no terminal.
    Always,
    /// Nothing but warnings and the summary.
    Never,
}

/// How to say what happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people, on standard error.
    #[default]
    Text,
    /// One JSON object a line, on standard output; the log file too.
    Json,
}

/// Which ends of a run are told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NotifyOn {
    /// All.
    #[default]
    Always,
    /// Those that found something new, changed or gone.
    Change,
    /// Those that failed: neither complete nor stopped by a budget or a signal.
    Failure,
}

/// Which URLs of the lists are fetched again that an earlier run has fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Only {
    /// None: only what has no outcome yet.
    New,
    /// Those that ended in an error.
    Failed,
    /// Those that have changed before.
    Changed,
    /// Every one.
    #[default]
    All,
}

/// How soon a page is fetched again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Revisits {
    /// By every run.
    #[default]
    Always,
    /// The more often the more often it has changed.
    Adaptive,
}

/// Every setting of a crawl, by flag or by config key (the same name, with `_` for `-`).
#[derive(Args, Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrawlOptions {
    /// URL lists: text (one URL a line), .csv/.tsv, .jsonl, any of them .gz or .zst; - is standard input.
    ///
    /// Without any, the crawl in the store goes on with what is pending.
    #[arg(value_name = "INPUT")]
    #[serde(default)]
    pub inputs: Vec<PathBuf>,

    /// Take the pages of this archive (.warc, .warc.gz, .warc.zst) instead of asking for them; may be repeated
    #[arg(long, value_name = "FILE")]
    #[serde(default)]
    pub from_warc: Vec<PathBuf>,

    /// The store: one SQLite file with everything [default: crawl.db]
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,

    /// CSV/TSV: the column that holds the URL, by name or number; other columns travel along [default: url]
    #[arg(long, value_name = "NAME")]
    pub url_column: Option<String>,

    /// JSONL: the field that holds the URL; other fields travel along [default: url]
    #[arg(long, value_name = "FIELD")]
    pub url_field: Option<String>,

    /// Once a crawl is finished, which URLs of its lists the next run fetches again [default: all]
    #[arg(long, value_name = "WHICH", value_enum)]
    pub only: Option<Only>,

    /// Fetch again only what was last fetched longer ago than this [default: 0]
    #[arg(long, value_name = "DURATION")]
    pub max_age: Option<Span>,

    /// How soon a page is fetched again: whenever a run comes, or by how often it has changed [default: always]
    #[arg(long, value_name = "HOW", value_enum)]
    pub revisit: Option<Revisits>,

    /// With --revisit adaptive: no page is fetched again sooner than this [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub revisit_min: Option<Span>,

    /// With --revisit adaptive: every page is fetched again after this [default: 30days]
    #[arg(long, value_name = "DURATION")]
    pub revisit_max: Option<Span>,

    /// Versions of a page that keep their bodies, the last one included; 0 for all of them [default: 3]
    #[arg(long, value_name = "N")]
    pub keep_versions: Option<u32>,

    /// Let the bodies of earlier versions go that the site had longer ago than this [default: no limit]
    #[arg(long, value_name = "DURATION")]
    pub keep_for: Option<Span>,

    /// Fetcher processes [default: one per core, fewer where the memory is limited]
    #[arg(long, value_name = "N")]
    pub fetchers: Option<usize>,

    /// Requests in flight, over all fetchers together [default: 128, fewer where the memory is limited]
    #[arg(long, value_name = "N")]
    pub concurrency: Option<usize>,

    /// Requests in flight per host [default: 4]
    #[arg(long, value_name = "N")]
    pub host_concurrency: Option<usize>,

    /// Smallest gap between request starts per host; 0 for none [default: 500ms]
    #[arg(long, value_name = "DURATION")]
    pub delay: Option<Span>,

    /// Add up to this much to each gap, at random [default: 0]
    #[arg(long, value_name = "DURATION")]
    pub jitter: Option<Span>,

    /// Lengthen the gap of a host that is slow or in trouble, never below --delay [default: true if there is a delay]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub adaptive: Option<bool>,

    /// Requests over all hosts and fetchers together, "50/s" or "600/m" [default: no limit]
    #[arg(long, value_name = "RATE")]
    pub rate: Option<Rate>,

    /// Put a host aside after so many failures in a row (no name, no connection, no answer in time), with growing
    /// pauses; after the last of them its URLs fail as host_down; 0 for never [default: 5]
    #[arg(long, value_name = "N")]
    pub host_failures: Option<u32>,

    /// Longest Retry-After that is obeyed; longer ones count as this [default: 5m]
    #[arg(long, value_name = "DURATION")]
    pub max_retry_after: Option<Span>,

    /// Ask no host for its robots.txt
    #[arg(long)]
    #[serde(default)]
    pub ignore_robots: bool,

    /// The name robots.txt files are searched for [default: first word of the User-Agent]
    #[arg(long, value_name = "NAME")]
    pub robots_agent: Option<String>,

    /// Longest Crawl-delay that is obeyed; longer ones count as this [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub max_crawl_delay: Option<Span>,

    /// For one request, from its start to the last byte [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<Span>,

    /// For a connection, TLS included [default: 10s]
    #[arg(long, value_name = "DURATION")]
    pub connect_timeout: Option<Span>,

    /// Give up a body that comes slower than this per second over 10 s; 0 for never [default: 100B]
    #[arg(long, value_name = "SIZE")]
    pub min_speed: Option<Size>,

    /// CPU time for one page; pages that need more fail as parse_timeout [default: 5s]
    #[arg(long, value_name = "DURATION")]
    pub parse_timeout: Option<Span>,

    /// The User-Agent header [default: seine/VERSION]
    #[arg(long, value_name = "TEXT")]
    pub user_agent: Option<String>,

    /// A header for every request, "Name: value"; may be repeated
    #[arg(long, value_name = "K:V")]
    #[serde(default)]
    pub header: Vec<Header>,

    /// More headers from a file, "Name: value" one a line: keeps secrets off the command line
    #[arg(long, value_name = "FILE")]
    pub header_file: Option<PathBuf>,

    /// Request method for the URLs of the lists [default: GET, or POST with --body]
    #[arg(long, value_name = "METHOD")]
    pub method: Option<String>,

    /// Request body for the URLs of the lists; name its type with --header "Content-Type: ..."
    #[arg(long, value_name = "TEXT")]
    pub body: Option<String>,

    /// Keep bodies of these types only, "text/html,image/*"; others are skipped unread; may be repeated [default: all]
    #[arg(long, value_name = "TYPES", value_delimiter = ',')]
    #[serde(default)]
    pub accept_types: Vec<String>,

    /// Take and send cookies, site by site
    #[arg(long)]
    #[serde(default)]
    pub cookies: bool,

    /// Begin with the cookies of this file (Netscape format, as browsers and curl write it); implies --cookies
    #[arg(long, value_name = "FILE")]
    pub cookie_file: Option<PathBuf>,

    /// Proxy: http://, https://, socks5:// or socks5h://; may be repeated to take turns; NO_PROXY is honoured
    #[arg(long, value_name = "URL")]
    #[serde(default)]
    pub proxy: Vec<ProxyUrl>,

    /// More proxies from a file, one a line: keeps passwords off the command line
    #[arg(long, value_name = "FILE")]
    pub proxy_file: Option<PathBuf>,

    /// Connect to this address for a host and port instead of asking DNS, as curl does; may be repeated
    #[arg(long, value_name = "HOST:PORT:ADDR")]
    #[serde(default)]
    pub resolve: Vec<Resolve>,

    /// Trust the certificate authorities of this PEM file too; may be repeated
    #[arg(long, value_name = "FILE")]
    #[serde(default)]
    pub ca_cert: Vec<PathBuf>,

    /// Accept any certificate of this host ("*.example.test" for the hosts below it); may be repeated
    #[arg(long, value_name = "HOST")]
    #[serde(default)]
    pub insecure: Vec<String>,

    /// Let redirects lead to private, loopback and other special addresses
    #[arg(long)]
    #[serde(default)]
    pub allow_private: bool,

    /// What addresses may be connected to; a config key only.
    #[arg(skip)]
    #[serde(default)]
    pub network: Networks,

    /// What differs for some hosts; a config key only.
    #[arg(skip)]
    #[serde(default)]
    pub host: Vec<HostRule>,

    /// What is to be found on pages; a config key only. Read by [`crate::extract::rules`], which knows what is allowed.
    #[arg(skip)]
    #[serde(default)]
    pub collection: Vec<toml::Value>,

    /// Programs that records are put through; a config key only.
    #[arg(skip)]
    #[serde(default)]
    pub processor: Vec<Processor>,

    /// What `seine schedule` runs when; a config key only, of which a crawl takes no notice.
    #[arg(skip)]
    #[serde(default)]
    pub job: Vec<JobEntry>,

    /// The text of the config file, if there are collections in it.
    #[arg(skip)]
    #[serde(skip)]
    pub rules_text: RulesText,

    /// Largest body, in decompressed bytes; larger ones fail as too_large [default: 10MiB]
    #[arg(long, value_name = "SIZE")]
    pub max_body: Option<Size>,

    /// Redirects followed for one URL [default: 10]
    #[arg(long, value_name = "N")]
    pub max_redirects: Option<usize>,

    /// Further attempts after a transient failure (connect, timeout, reset, truncated, 408, 425, 429, 500, 502-504) [default: 2]
    #[arg(long, value_name = "N")]
    pub retries: Option<u16>,

    /// Keep response bodies, compressed, the same bytes once [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", overrides_with = "no_store_bodies")]
    pub store_bodies: Option<bool>,

    /// Keep only size and hash of bodies
    #[arg(long, overrides_with = "store_bodies")]
    #[serde(skip)]
    pub no_store_bodies: bool,

    /// Keep the headers of answers, without the values of cookies [default: true]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub store_headers: Option<bool>,

    /// End with exit code 6 if rules find a field less often than in the last complete run, by more than its `drift`
    #[arg(long)]
    #[serde(default)]
    pub fail_on_drift: bool,
    /// Keep what HTML pages say of themselves: OpenGraph, JSON-LD types, author, dates, feeds, as a JSON object
    #[arg(long)]
    #[serde(default)]
    pub metadata: bool,

    /// Keep the main text of HTML pages, without navigation and the like
    #[arg(long)]
    #[serde(default)]
    pub text: bool,

    /// Keep the main text of HTML pages as Markdown
    #[arg(long)]
    #[serde(default)]
    pub markdown: bool,

    /// Keep the tables of HTML pages as rows of texts, spans written out, as a JSON array
    #[arg(long)]
    #[serde(default)]
    pub tables: bool,

    /// Stop after so many URLs, resumable (exit code 3) [default: no limit]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,

    /// Stop after this time, resumable (exit code 3) [default: no limit]
    #[arg(long, value_name = "DURATION")]
    pub max_wall: Option<Span>,

    /// Stop after so much of bodies, decompressed, resumable (exit code 3); what is in flight then is finished
    /// [default: no limit]
    #[arg(long, value_name = "SIZE")]
    pub max_bytes: Option<Size>,

    /// Take so many URLs of each host; the rest stays pending for the next run of the same command (exit code 3); 0 for
    /// no limit [default: 0]
    #[arg(long, value_name = "N")]
    pub host_limit: Option<u64>,

    /// Stop when the store's file system has less room than this, resumable (exit code 5); 0 for never [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    pub min_free_disk: Option<Size>,

    /// End with exit code 1 if more than this share of the URLs ended in an error (http_error, failed, quarantined),
    /// "20%" or "0.2" [default: never]
    #[arg(long, value_name = "SHARE")]
    pub fail_threshold: Option<Share>,

    /// Time for requests in flight to finish when the crawl is stopped [default: 8s]
    #[arg(long, value_name = "DURATION")]
    pub grace: Option<Span>,

    /// How long to wait for room on a full disk before stopping, resumable (exit code 5) [default: 1m]
    #[arg(long, value_name = "DURATION")]
    pub disk_wait: Option<Span>,

    /// Run this program after each run, with a JSON object on its standard input; no shell reads it
    #[arg(long, value_name = "COMMAND")]
    #[serde(skip)]
    pub notify: Option<Words>,

    /// The same in a config file, or a table with all of the following.
    #[arg(skip)]
    #[serde(rename = "notify")]
    pub notify_entry: Option<NotifyEntry>,

    /// POST the same JSON object to this URL after each run
    #[arg(long, value_name = "URL")]
    pub notify_url: Option<HookUrl>,

    /// Take the URL from this file: it may be a secret
    #[arg(long, value_name = "FILE")]
    pub notify_url_file: Option<PathBuf>,

    /// Sign what is posted with the secret in this file (Standard Webhooks)
    #[arg(long, value_name = "FILE")]
    pub notify_secret_file: Option<PathBuf>,

    /// Notify of these ends only: "change,failure" [default: always]
    #[arg(long, value_name = "WHEN", value_enum, value_delimiter = ',')]
    #[serde(default, deserialize_with = "one_or_more")]
    pub notify_on: Vec<NotifyOn>,

    /// Further attempts to post after network errors, 429 and 5xx [default: 3]
    #[arg(long, value_name = "N")]
    pub notify_retries: Option<u16>,

    /// For one attempt to post, and for the program [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub notify_timeout: Option<Span>,

    /// Show progress: a line on a terminal, one every 30 s elsewhere [default: auto]
    #[arg(long, value_name = "WHEN", value_enum)]
    pub progress: Option<ProgressMode>,

    /// Print the summary as one JSON object on standard output
    #[arg(long)]
    #[serde(default)]
    pub json: bool,

    /// Only warnings and errors on standard error
    #[arg(short, long, conflicts_with = "verbose")]
    #[serde(default)]
    pub quiet: bool,

    /// Log to standard error; -v phases, -vv leases, -vvv every URL
    #[arg(short, long, action = clap::ArgAction::Count)]
    #[serde(default)]
    pub verbose: u8,

    /// Log to this file as well, at least as -v does
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,

    /// Say everything as text on standard error, or as one JSON object a line on standard output [default: text]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub log_format: Option<LogFormat>,
}

/// What is wrong with a config file or a combination of settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] std::io::Error),
    /// The file is not valid; the text has line, column and a pointer.
    #[error("config {0}: {1}")]
    Parse(PathBuf, String),
    /// A secret that is not where a setting says.
    #[error("{setting} of host rule {rule:?}: {problem}")]
    Secret {
        /// The setting that names the place.
        setting: &'static str,
        /// The host rule's pattern.
        rule: String,
        /// What is wrong.
        problem: String,
    },
    /// A file that a setting names for a secret.
    #[error("{setting} {}: {problem}", path.display())]
    SecretFile {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong; nothing of the file.
        problem: String,
    },
    /// A value that cannot be used.
    #[error("{name} = {value}: {problem}")]
    Value {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What is wrong, and what to do.
        problem: &'static str,
    },
}

/// Every setting of a crawl with its value.
#[derive(Clone, Debug, Serialize)]
pub struct Settings {
    /// URL lists.
    #[serde(serialize_with = "lossy_paths")]
    pub inputs: Vec<PathBuf>,
    /// Archives.
    #[serde(serialize_with = "lossy_paths")]
    pub from_warc: Vec<PathBuf>,
    /// The store.
    #[serde(serialize_with = "lossy_path")]
    pub db: PathBuf,
    /// CSV column of the URL.
    pub url_column: Option<String>,
    /// JSONL field of the URL.
    pub url_field: Option<String>,
    /// What is fetched again.
    pub only: Only,
    /// Only if last fetched longer ago.
    #[serde(serialize_with = "readable")]
    pub max_age: Duration,
    /// How soon a page is fetched again.
    pub revisit: Revisits,
    /// No sooner than this, if adaptive.
    #[serde(serialize_with = "readable")]
    pub revisit_min: Duration,
    /// No later than this, if adaptive.
    #[serde(serialize_with = "readable")]
    pub revisit_max: Duration,
    /// Versions of a page that keep their bodies; 0: all.
    pub keep_versions: u32,
    /// How long earlier versions keep theirs.
    #[serde(serialize_with = "readable_option")]
    pub keep_for: Option<Duration>,
    /// Fetcher processes; never more than `concurrency`.
    pub fetchers: usize,
    /// Requests in flight.
    pub concurrency: usize,
    /// Whether the user has set the number of fetchers himself.
    #[serde(skip)]
    pub fetchers_given: bool,
    /// Whether the user has set the concurrency himself.
    #[serde(skip)]
    pub concurrency_given: bool,
    /// What the rooms keep at hand.
    #[serde(skip)]
    pub buffers: Buffers,
    /// Requests in flight per host.
    pub host_concurrency: usize,
    /// Gap between request starts per host.
    #[serde(serialize_with = "readable")]
    pub delay: Duration,
    /// Added to gaps at random, at most.
    #[serde(serialize_with = "readable")]
    pub jitter: Duration,
    /// Whether gaps follow a host's latency and errors.
    pub adaptive: bool,
    /// Over all hosts.
    pub rate: Option<Rate>,
    /// In a row; 0: never put aside.
    pub host_failures: u32,
    /// Longest obeyed.
    #[serde(serialize_with = "readable")]
    pub max_retry_after: Duration,
    /// Whether robots.txt is ignored.
    pub ignore_robots: bool,
    /// Product token that robots.txt files are searched for.
    pub robots_agent: String,
    /// Longest obeyed.
    #[serde(serialize_with = "readable")]
    pub max_crawl_delay: Duration,
    /// Of one request.
    #[serde(serialize_with = "readable")]
    pub timeout: Duration,
    /// Of a connection.
    #[serde(serialize_with = "readable")]
    pub connect_timeout: Duration,
    /// Bytes per second; 0: any.
    pub min_speed: u64,
    /// CPU time of one page.
    #[serde(serialize_with = "readable")]
    pub parse_timeout: Duration,
    /// The User-Agent header.
    pub user_agent: String,
    /// More headers. Only names are ever written down.
    #[serde(serialize_with = "header_names")]
    pub header: Vec<Header>,
    /// More headers.
    #[serde(serialize_with = "lossy_path_option")]
    pub header_file: Option<PathBuf>,
    /// Request method for listed URLs.
    pub method: String,
    /// Request body for listed URLs; may hold secrets.
    #[serde(skip)]
    pub body: Option<String>,
    /// Essences or `type/*`, lower-case; empty: all.
    pub accept_types: Vec<String>,
    /// Whether cookies are taken and sent.
    pub cookies: bool,
    /// Cookies to begin with.
    #[serde(serialize_with = "lossy_path_option")]
    pub cookie_file: Option<PathBuf>,
    /// Proxies to take turns; those of the file come with [`Settings::read_files`].
    pub proxy: Vec<ProxyUrl>,
    /// More proxies.
    #[serde(serialize_with = "lossy_path_option")]
    pub proxy_file: Option<PathBuf>,
    /// Addresses given by hand.
    pub resolve: Vec<Resolve>,
    /// More certificate authorities, PEM files.
    #[serde(serialize_with = "lossy_paths")]
    pub ca_cert: Vec<PathBuf>,
    /// What may be connected to.
    pub network: Networks,
    /// What differs for some hosts; `insecure` is among it.
    pub host: Vec<HostRule>,
    /// What is to be found on pages, for the store's record of the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub collection: Vec<toml::Value>,
    /// Programs that records are put through.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processor: Vec<Processor>,
    /// The collections as they are written: the config file's text, empty if it has no collections.
    #[serde(skip)]
    pub rules_text: RulesText,
    /// Decompressed bytes.
    pub max_body: u64,
    /// Per URL.
    pub max_redirects: usize,
    /// After the first attempt.
    pub retries: u16,
    /// Whether bodies are kept.
    pub store_bodies: bool,
    /// Whether headers of answers are kept.
    pub store_headers: bool,
    /// Whether drift is a failure.
    pub fail_on_drift: bool,
    /// Whether metadata is kept.
    pub metadata: bool,
    /// Whether the main text is kept.
    pub text: bool,
    /// Whether the main text is kept as Markdown.
    pub markdown: bool,
    /// Whether tables are kept.
    pub tables: bool,
    /// URLs of one invocation.
    pub limit: Option<u64>,
    /// Time of one invocation.
    #[serde(serialize_with = "readable_option")]
    pub max_wall: Option<Duration>,
    /// Decompressed bytes of one invocation.
    pub max_bytes: Option<u64>,
    /// URLs of one host and invocation; 0: any.
    pub host_limit: u64,
    /// Bytes; 0: never looked at.
    pub min_free_disk: u64,
    /// Share of URLs that may end in an error.
    pub fail_threshold: Option<Share>,
    /// For requests in flight at the end.
    #[serde(serialize_with = "readable")]
    pub grace: Duration,
    /// For a full disk.
    #[serde(serialize_with = "readable")]
    pub disk_wait: Duration,
    /// The program to be run after each run; its arguments may hold secrets, as all of this may.
    #[serde(skip)]
    pub notify: Option<Words>,
    /// Where to post after each run; that of the file comes with [`Settings::read_files`].
    #[serde(skip)]
    pub notify_url: Option<HookUrl>,
    /// The file with that URL.
    #[serde(skip)]
    pub notify_url_file: Option<PathBuf>,
    /// The file with the secret.
    #[serde(skip)]
    pub notify_secret_file: Option<PathBuf>,
    /// What it says, once [`Settings::read_files`] has read it.
    #[serde(skip)]
    pub notify_secret: Option<Secret>,
    /// When.
    #[serde(skip)]
    pub notify_on: Vec<NotifyOn>,
    /// After the first attempt.
    #[serde(skip)]
    pub notify_retries: u16,
    /// Of one attempt, and of the program.
    #[serde(skip)]
    pub notify_timeout: Duration,
    /// When to show progress.
    #[serde(skip)]
    pub progress: ProgressMode,
    /// Summary as JSON.
    #[serde(skip)]
    pub json: bool,
    /// Only warnings.
    #[serde(skip)]
    pub quiet: bool,
    /// Log level.
    #[serde(skip)]
    pub verbose: u8,
    /// Log file.
    #[serde(skip)]
    pub log_file: Option<PathBuf>,
    /// How things are said.
    #[serde(skip)]
    pub log_format: LogFormat,
}

impl CrawlOptions {
    /// Reads a config file.
    ///
    /// # Errors
    /// [`ConfigError`] with line and column of what is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read(path.into(), error))?;
        let mut options: Self =
            toml::from_str(&text).map_err(|error| ConfigError::Parse(path.into(), explained(&text, &error)))?;
        if let Some(entry) = options.notify_entry.take() {
            entry.spread(&mut options);
        }
        if !options.collection.is_empty() {
            options.rules_text = RulesText::from(text);
        }
        Ok(options)
    }

    /// These options over those of a config file.
    pub fn over(self, file: Self) -> Self {
        Self {
            inputs: either(self.inputs, file.inputs),
            from_warc: either(self.from_warc, file.from_warc),
            db: self.db.or(file.db),
            url_column: self.url_column.or(file.url_column),
            url_field: self.url_field.or(file.url_field),
            only: self.only.or(file.only),
            max_age: self.max_age.or(file.max_age),
            revisit: self.revisit.or(file.revisit),
            revisit_min: self.revisit_min.or(file.revisit_min),
            revisit_max: self.revisit_max.or(file.revisit_max),
            keep_versions: self.keep_versions.or(file.keep_versions),
            keep_for: self.keep_for.or(file.keep_for),
            fetchers: self.fetchers.or(file.fetchers),
            concurrency: self.concurrency.or(file.concurrency),
            host_concurrency: self.host_concurrency.or(file.host_concurrency),
            delay: self.delay.or(file.delay),
            jitter: self.jitter.or(file.jitter),
            adaptive: self.adaptive.or(file.adaptive),
            rate: self.rate.or(file.rate),
            host_failures: self.host_failures.or(file.host_failures),
            max_retry_after: self.max_retry_after.or(file.max_retry_after),
            ignore_robots: self.ignore_robots || file.ignore_robots,
            robots_agent: self.robots_agent.or(file.robots_agent),
            max_crawl_delay: self.max_crawl_delay.or(file.max_crawl_delay),
            timeout: self.timeout.or(file.timeout),
            connect_timeout: self.connect_timeout.or(file.connect_timeout),
            min_speed: self.min_speed.or(file.min_speed),
            parse_timeout: self.parse_timeout.or(file.parse_timeout),
            user_agent: self.user_agent.or(file.user_agent),
            // Both count; a flag comes later and so replaces a header of the same name.
            header: file.header.into_iter().chain(self.header).collect(),
            header_file: self.header_file.or(file.header_file),
            method: self.method.or(file.method),
            body: self.body.or(file.body),
            accept_types: either(self.accept_types, file.accept_types),
            cookies: self.cookies || file.cookies,
            cookie_file: self.cookie_file.or(file.cookie_file),
            proxy: either(self.proxy, file.proxy),
            proxy_file: self.proxy_file.or(file.proxy_file),
            resolve: either(self.resolve, file.resolve),
            ca_cert: either(self.ca_cert, file.ca_cert),
            insecure: either(self.insecure, file.insecure),
            allow_private: self.allow_private || file.allow_private,
            network: file.network,
            host: file.host,
            collection: file.collection,
            job: file.job,
            processor: file.processor,
            rules_text: file.rules_text,
            max_body: self.max_body.or(file.max_body),
            max_redirects: self.max_redirects.or(file.max_redirects),
            retries: self.retries.or(file.retries),
            store_bodies: if self.no_store_bodies { Some(false) } else { self.store_bodies.or(file.store_bodies) },
            no_store_bodies: false,
            store_headers: self.store_headers.or(file.store_headers),
            fail_on_drift: self.fail_on_drift || file.fail_on_drift,
            metadata: self.metadata || file.metadata,
            text: self.text || file.text,
            markdown: self.markdown || file.markdown,
            tables: self.tables || file.tables,
            limit: self.limit.or(file.limit),
            max_wall: self.max_wall.or(file.max_wall),
            max_bytes: self.max_bytes.or(file.max_bytes),
            host_limit: self.host_limit.or(file.host_limit),
            min_free_disk: self.min_free_disk.or(file.min_free_disk),
            fail_threshold: self.fail_threshold.or(file.fail_threshold),
            grace: self.grace.or(file.grace),
            disk_wait: self.disk_wait.or(file.disk_wait),
            notify: self.notify.or(file.notify),
            notify_entry: None,
            // A flag for the one is a word against the other.
            notify_url_file: if self.notify_url.is_some() {
                self.notify_url_file
            } else {
                self.notify_url_file.or(file.notify_url_file)
            },
            notify_url: self.notify_url.or(file.notify_url),
            notify_secret_file: self.notify_secret_file.or(file.notify_secret_file),
            notify_on: either(self.notify_on, file.notify_on),
            notify_retries: self.notify_retries.or(file.notify_retries),
            notify_timeout: self.notify_timeout.or(file.notify_timeout),
            progress: self.progress.or(file.progress),
            json: self.json || file.json,
            // A flag for the one is a word against the other.
            quiet: self.quiet || (file.quiet && self.verbose == 0),
            verbose: if self.quiet { 0 } else { self.verbose.max(file.verbose) },
            log_file: self.log_file.or(file.log_file),
            log_format: self.log_format.or(file.log_format),
        }
    }

    /// Fills in the defaults; `cpus` is what this process may use.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for what cannot be done.
    pub fn resolve(self, cpus: usize) -> Result<Settings, ConfigError> {
        let within = |name, value: usize, least: usize, most: usize, problem| {
            if (least..=most).contains(&value) {
                Ok(value)
            } else {
                Err(ConfigError::Value { name, value: value.to_string(), problem })
            }
        };
        let concurrency = within(
            "concurrency",
            self.concurrency.unwrap_or(DEFAULT_CONCURRENCY),
            1,
            MAX_CONCURRENCY,
            "must be from 1 to 65536",
        )?;
        let fetchers = within("fetchers", self.fetchers.unwrap_or(cpus), 1, MAX_FETCHERS, "must be from 1 to 256")?;
        let host_concurrency = within(
            "host_concurrency",
            self.host_concurrency.unwrap_or(DEFAULT_HOST_CONCURRENCY),
            1,
            MAX_CONCURRENCY,
            "must be from 1 to 65536",
        )?;
        let max_body = self.max_body.map_or(DEFAULT_MAX_BODY, |size| size.0);
        if max_body == 0 || max_body > MAX_MAX_BODY {
            let value = ByteSize(max_body).to_string();
            return Err(ConfigError::Value { name: "max_body", value, problem: "must be from 1 B to 2 GiB" });
        }
        let span = |name, value: Option<Span>, default: Duration| match value.map_or(default, |span| span.0) {
            zero if zero.is_zero() => Err(ConfigError::Value {
                name,
                value: "0".into(),
                problem: "must be longer; nothing would ever finish",
            }),
            span => Ok(span),
        };
        if self.limit == Some(0) {
            return Err(ConfigError::Value { name: "limit", value: "0".into(), problem: "must be at least 1" });
        }
        if self.max_bytes == Some(Size(0)) {
            return Err(ConfigError::Value { name: "max_bytes", value: "0".into(), problem: "must be at least 1B" });
        }
        let pause = |name, value: Option<Span>, default: Duration| match value.map_or(default, |span| span.0) {
            span if span <= LONGEST_PAUSE => Ok(span),
            span => Err(ConfigError::Value {
                name,
                value: humantime::format_duration(span).to_string(),
                problem: "must be at most 1day",
            }),
        };
        let delay = pause("delay", self.delay, DEFAULT_DELAY)?;
        let robots_agent = match self.robots_agent {
            Some(name)
                if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_')) =>
            {
                Some(name)
            }
            Some(name) => {
                let problem = "must be one word of letters, - and _ (RFC 9309 section 2.2.1)";
                return Err(ConfigError::Value { name: "robots_agent", value: format!("{name:?}"), problem });
            }
            None => None,
        };
        let method = match (self.method, &self.body) {
            (Some(method), _) => method,
            (None, Some(_)) => "POST".to_owned(),
            (None, None) => "GET".to_owned(),
        };
        if !is_token(&method) || method.eq_ignore_ascii_case("connect") {
            let problem = "must be a request method such as GET or POST";
            return Err(ConfigError::Value { name: "method", value: format!("{method:?}"), problem });
        }
        let accept_types: Vec<_> = self.accept_types.iter().map(|t| t.trim().to_ascii_lowercase()).collect();
        if let Some(odd) =
            accept_types.iter().find(|t| !t.split_once('/').is_some_and(|(a, b)| is_token(a) && is_token(b)))
        {
            let problem = "must be media types such as text/html or image/*";
            return Err(ConfigError::Value { name: "accept_types", value: format!("{odd:?}"), problem });
        }
        let revisit_min = span("revisit_min", self.revisit_min, DEFAULT_REVISIT_MIN)?;
        let revisit_max = span("revisit_max", self.revisit_max, DEFAULT_REVISIT_MAX.max(revisit_min))?;
        if revisit_max < revisit_min {
            let value = humantime::format_duration(revisit_max).to_string();
            return Err(ConfigError::Value {
                name: "revisit_max",
                value,
                problem: "must not be less than revisit_min",
            });
        }
        processors::check_all(&self.processor, &self.collection)?;
        let mut host = self.host;
        host.extend(self.insecure.into_iter().map(HostRule::insecure));
        for rule in &mut host {
            rule.check()?;
        }
        let mut network = self.network;
        network.allow_private |= self.allow_private;
        let user_agent = self.user_agent.unwrap_or_else(|| DEFAULT_USER_AGENT.to_owned());
        if user_agent.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err(ConfigError::Value {
                name: "user_agent",
                value: format!("{user_agent:?}"),
                problem: "must not have control characters",
            });
        }
        Ok(Settings {
            inputs: self.inputs,
            from_warc: self.from_warc,
            db: self.db.unwrap_or_else(|| DEFAULT_DB.into()),
            url_column: self.url_column,
            url_field: self.url_field,
            only: self.only.unwrap_or_default(),
            max_age: self.max_age.map_or(Duration::ZERO, |span| span.0),
            revisit: self.revisit.unwrap_or_default(),
            revisit_min,
            revisit_max,
            keep_versions: self.keep_versions.unwrap_or(DEFAULT_KEEP_VERSIONS),
            keep_for: self.keep_for.map(|span| span.0),
            // A fetcher without a single request to spend would only take memory.
            fetchers: fetchers.min(concurrency),
            concurrency,
            fetchers_given: self.fetchers.is_some(),
            concurrency_given: self.concurrency.is_some(),
            buffers: Buffers::default(),
            host_concurrency: host_concurrency.min(concurrency),
            delay,
            jitter: pause("jitter", self.jitter, Duration::ZERO)?,
            adaptive: self.adaptive.unwrap_or(!delay.is_zero()),
            rate: self.rate,
            host_failures: self.host_failures.unwrap_or(DEFAULT_HOST_FAILURES),
            max_retry_after: pause("max_retry_after", self.max_retry_after, DEFAULT_MAX_RETRY_AFTER)?,
            ignore_robots: self.ignore_robots,
            robots_agent: robots_agent.unwrap_or_else(|| first_word(&user_agent)),
            max_crawl_delay: pause("max_crawl_delay", self.max_crawl_delay, DEFAULT_MAX_CRAWL_DELAY)?,
            timeout: span("timeout", self.timeout, DEFAULT_TIMEOUT)?,
            connect_timeout: span("connect_timeout", self.connect_timeout, DEFAULT_CONNECT_TIMEOUT)?,
            min_speed: self.min_speed.map_or(DEFAULT_MIN_SPEED, |size| size.0),
            parse_timeout: span("parse_timeout", self.parse_timeout, DEFAULT_PARSE_TIMEOUT)?,
            user_agent,
            header: self.header,
            header_file: self.header_file,
            method,
            body: self.body,
            accept_types,
            cookies: self.cookies || self.cookie_file.is_some(),
            cookie_file: self.cookie_file,
            proxy: self.proxy,
            proxy_file: self.proxy_file,
            resolve: self.resolve,
            ca_cert: self.ca_cert,
            network,
            host,
            collection: self.collection,
            processor: self.processor,
            rules_text: self.rules_text,
            max_body,
            max_redirects: within(
                "max_redirects",
                self.max_redirects.unwrap_or(DEFAULT_MAX_REDIRECTS),
                0,
                MAX_MAX_REDIRECTS,
                "must be from 0 to 1000",
            )?,
            retries: self.retries.unwrap_or(DEFAULT_RETRIES),
            store_bodies: if self.no_store_bodies { false } else { self.store_bodies.unwrap_or(true) },
            store_headers: self.store_headers.unwrap_or(true),
            fail_on_drift: self.fail_on_drift,
            metadata: self.metadata,
            text: self.text,
            markdown: self.markdown,
            tables: self.tables,
            limit: self.limit,
            max_wall: self.max_wall.map(|span| span.0),
            max_bytes: self.max_bytes.map(|size| size.0),
            host_limit: self.host_limit.unwrap_or_default(),
            min_free_disk: self.min_free_disk.map_or(DEFAULT_MIN_FREE_DISK, |size| size.0),
            fail_threshold: self.fail_threshold,
            grace: self.grace.map_or(DEFAULT_GRACE, |span| span.0),
            disk_wait: self.disk_wait.map_or(DEFAULT_DISK_WAIT, |span| span.0),
            notify: self.notify,
            notify_url: self.notify_url,
            notify_url_file: self.notify_url_file,
            notify_secret_file: self.notify_secret_file,
            notify_secret: None,
            notify_on: if self.notify_on.is_empty() { vec![NotifyOn::Always] } else { self.notify_on },
            notify_retries: self.notify_retries.unwrap_or(DEFAULT_NOTIFY_RETRIES),
            notify_timeout: span("notify_timeout", self.notify_timeout, DEFAULT_NOTIFY_TIMEOUT)?,
            progress: self.progress.unwrap_or_default(),
            json: self.json,
            quiet: self.quiet,
            verbose: self.verbose,
            log_file: self.log_file,
            log_format: self.log_format.unwrap_or_default(),
        })
    }
}

impl Settings {
    /// Reads what settings keep in files and environment variables: passwords, tokens, headers, proxies. Once, at the start,
    /// so that a missing secret is an error before anything is asked for.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting; never the secret.
    pub fn read_files(&mut self) -> Result<(), ConfigError> {
        for rule in &mut self.host {
            rule.read_secrets()?;
        }
        if let Some(path) = &self.proxy_file {
            self.proxy.extend(lines_of("proxy_file", path, "a proxy: http://, https://, socks5:// or socks5h://")?);
        }
        if let Some(path) = &self.header_file {
            let headers = lines_of("header_file", path, "a header, Name: value")?;
            // A flag or key replaces a header of the same name.
            self.header.splice(0..0, headers);
        }
        if let Some(path) = &self.notify_url_file {
            let problem = "is not the http(s) URL of a webhook, without user and password".to_owned();
            let url = secret_in("notify_url_file", path)?.trim().parse().ok();
            let missing = || ConfigError::SecretFile { setting: "notify_url_file", path: path.clone(), problem };
            self.notify_url = Some(url.ok_or_else(missing)?);
        }
        if let Some(path) = &self.notify_secret_file {
            self.notify_secret = Some(Secret::new(secret_in("notify_secret_file", path)?));
        }
        Ok(())
    }

    /// What holds for the host called `name`: the common settings and the rules that match it, later ones last.
    pub fn host_policy(&self, name: &str) -> HostPolicy {
        let mut policy = HostPolicy {
            delay: self.delay,
            concurrency: self.host_concurrency,
            limit: self.host_limit,
            headers: Vec::new(),
            authorization: None,
            cookies: self.cookies,
            robots: !self.ignore_robots,
            proxies: Proxies::Common,
            insecure: false,
            client_cert: None,
        };
        for rule in self.host.iter().filter(|rule| rule.matches(name)) {
            rule.apply(&mut policy, self.concurrency);
        }
        policy
    }

    /// What `rule` alone comes to, whatever host it is for.
    pub fn policy_of(&self, rule: &HostRule) -> HostPolicy {
        let mut policy = self.host_policy("");
        rule.apply(&mut policy, self.concurrency);
        policy
    }

    /// For the store: everything that makes a difference to the result, and no secret.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain values always serialise")
    }
}

/// The product token of a User-Agent, as far as robots.txt files can name it (RFC 9309 section 2.2.1).
fn first_word(user_agent: &str) -> String {
    user_agent.chars().take_while(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '_')).collect()
}

/// The text of the file at `path`, without line ends at its end.
fn secret_in(setting: &'static str, path: &Path) -> Result<String, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::SecretFile {
        setting,
        path: path.to_owned(),
        problem: format!("cannot be read: {error}"),
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The values of the file at `path`, one a line; empty lines and those that begin with # do not count. `what` says what
/// a line must be: what it is may be a secret.
fn lines_of<T: std::str::FromStr>(setting: &'static str, path: &Path, what: &str) -> Result<Vec<T>, ConfigError> {
    let text = secret_in(setting, path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let values = lines.map(|(at, line)| {
        line.trim().parse().map_err(|_| ConfigError::SecretFile {
            setting,
            path: path.to_owned(),
            problem: format!("line {} is not {what}", at + 1),
        })
    });
    values.collect()
}

/// A value, or several in a list.
fn one_or_more<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Written<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Written<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text, or several in a list")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<T>, E> {
            T::deserialize(text.into_deserializer()).map(|value| vec![value])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, values: A) -> Result<Vec<T>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(values))
        }
    }
    deserializer.deserialize_any(Written(PhantomData))
}

/// What was given by flag, or else what the file says.
fn either<T>(flags: Vec<T>, file: Vec<T>) -> Vec<T> {
    if flags.is_empty() { file } else { flags }
}

fn readable<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*span))
}

fn readable_option<S: serde::Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => readable(span, serializer),
        None => serializer.serialize_none(),
    }
}

fn header_names<S: serde::Serializer>(headers: &[Header], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(headers.iter().map(|header| &header.name))
}

fn lossy_path<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

fn lossy_path_option<S: serde::Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => lossy_path(path, serializer),
        None => serializer.serialize_none(),
    }
}

fn lossy_paths<S: serde::Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}

/// Whether a path on the command line means standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == OsStr::new("-")
}

#[cfg(test)]
mod tests;
