//! One declaration of every setting: flags, config file and documentation come from [`CrawlOptions`].
//!
//! Two steps: flags and TOML are validated apart and merged (a flag wins), then [`CrawlOptions::resolve`] makes
//! [`Settings`] of them. Nothing here opens anything but the config file, and the files that settings name for secrets
//! ([`Settings::read_files`]).
//!
//! - `settings`: every option with its value, the defaults filled in.
//! - [`values`](seine_core::values): durations, sizes, headers and their like, as people write them.
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
mod settings;

use std::ffi::OsStr;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use hosts::HostRule;
use jobs::JobEntry;
use mistakes::explained;
use notify::NotifyEntry;
use processors::Processor;
use seine_core::values::Networks;
pub use seine_core::values::{Header, HookUrl, ProxyUrl, Rate, Resolve, RulesText, Share, Size, Span, Words};
pub use settings::Settings;

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

    /// What is to be found on pages; a config key only. Read by [`seine_page::extract::rules`], which knows what is allowed.
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

/// Whether a path on the command line means standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == OsStr::new("-")
}

#[cfg(test)]
mod tests;
