//! One declaration of every setting: flags, config file and documentation come from [`CrawlOptions`].
//!
//! Two steps: flags and TOML are validated apart and merged (a flag wins), then [`CrawlOptions::resolve`] fills in the
//! defaults. Nothing here opens anything but the config file.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

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

/// A span of time as people write it: `500ms`, `2s`, `1h 30m`, `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        humantime::parse_duration(text.trim()).map(Self).map_err(|error| match text.trim().parse::<f64>() {
            Ok(_) => format!("{text:?} has no unit; write {text}s or {text}ms"),
            Err(_) => format!("not a duration: {error}; write 500ms, 2s or 1h 30m"),
        })
    }
}

/// A size as people write it: `512KiB`, `10 MB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size = text.parse::<ByteSize>().map_err(|_| format!("not a size: {text:?}; write 10MiB or 512KiB"))?;
        Ok(Self(size.as_u64()))
    }
}

/// A request header, `Name: value`.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// Its value; may be a secret, so it is never shown.
    pub value: String,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ***", self.name)
    }
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("a header is written Name: value")?;
        let (name, value) = (name.trim(), value.trim());
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(format!("{name:?} is no header name"));
        }
        if value.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
            return Err(format!("the value of {name} has control characters"));
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

macro_rules! deserialize_from_text {
    ($type:ty) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
deserialize_from_text!(Span);
deserialize_from_text!(Size);
deserialize_from_text!(Header);

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

    /// The store: one SQLite file with everything [default: crawl.db]
    #[arg(long, value_name = "FILE")]
    pub db: Option<PathBuf>,

    /// CSV/TSV: the column that holds the URL, by name or number; other columns travel along [default: url]
    #[arg(long, value_name = "NAME")]
    pub url_column: Option<String>,

    /// JSONL: the field that holds the URL; other fields travel along [default: url]
    #[arg(long, value_name = "FIELD")]
    pub url_field: Option<String>,

    /// Fetcher processes [default: one per core]
    #[arg(long, value_name = "N")]
    pub fetchers: Option<usize>,

    /// Requests in flight, over all fetchers together [default: 128]
    #[arg(long, value_name = "N")]
    pub concurrency: Option<usize>,

    /// Requests in flight per host [default: 4]
    #[arg(long, value_name = "N")]
    pub host_concurrency: Option<usize>,

    /// Smallest gap between request starts per host; 0 for none [default: 500ms]
    #[arg(long, value_name = "DURATION")]
    pub delay: Option<Span>,

    /// For one request, from its start to the last byte [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<Span>,

    /// For a connection, TLS included [default: 10s]
    #[arg(long, value_name = "DURATION")]
    pub connect_timeout: Option<Span>,

    /// The User-Agent header [default: seine/VERSION]
    #[arg(long, value_name = "TEXT")]
    pub user_agent: Option<String>,

    /// A header for every request, "Name: value"; may be repeated
    #[arg(long, value_name = "K:V")]
    #[serde(default)]
    pub header: Vec<Header>,

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

    /// Stop after so many URLs, resumable (exit code 3) [default: no limit]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,

    /// Stop after this time, resumable (exit code 3) [default: no limit]
    #[arg(long, value_name = "DURATION")]
    pub max_wall: Option<Span>,

    /// Time for requests in flight to finish when the crawl is stopped [default: 8s]
    #[arg(long, value_name = "DURATION")]
    pub grace: Option<Span>,

    /// How long to wait for room on a full disk before stopping, resumable (exit code 5) [default: 1m]
    #[arg(long, value_name = "DURATION")]
    pub disk_wait: Option<Span>,

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
}

/// What is wrong with a config file or a combination of settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read config {0}")]
    Read(PathBuf, #[source] std::io::Error),
    /// The file is not valid; the text has line, column and a pointer.
    #[error("config {0}: {1}")]
    Parse(PathBuf, String),
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
    /// The store.
    #[serde(serialize_with = "lossy_path")]
    pub db: PathBuf,
    /// CSV column of the URL.
    pub url_column: Option<String>,
    /// JSONL field of the URL.
    pub url_field: Option<String>,
    /// Fetcher processes; never more than `concurrency`.
    pub fetchers: usize,
    /// Requests in flight.
    pub concurrency: usize,
    /// Requests in flight per host.
    pub host_concurrency: usize,
    /// Gap between request starts per host.
    #[serde(serialize_with = "readable")]
    pub delay: Duration,
    /// Of one request.
    #[serde(serialize_with = "readable")]
    pub timeout: Duration,
    /// Of a connection.
    #[serde(serialize_with = "readable")]
    pub connect_timeout: Duration,
    /// The User-Agent header.
    pub user_agent: String,
    /// More headers. Only names are ever written down.
    #[serde(serialize_with = "header_names")]
    pub header: Vec<Header>,
    /// Decompressed bytes.
    pub max_body: u64,
    /// Per URL.
    pub max_redirects: usize,
    /// After the first attempt.
    pub retries: u16,
    /// Whether bodies are kept.
    pub store_bodies: bool,
    /// URLs of one invocation.
    pub limit: Option<u64>,
    /// Time of one invocation.
    #[serde(serialize_with = "readable_option")]
    pub max_wall: Option<Duration>,
    /// For requests in flight at the end.
    #[serde(serialize_with = "readable")]
    pub grace: Duration,
    /// For a full disk.
    #[serde(serialize_with = "readable")]
    pub disk_wait: Duration,
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
}

impl CrawlOptions {
    /// Reads a config file.
    ///
    /// # Errors
    /// [`ConfigError`] with line and column of what is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read(path.into(), error))?;
        toml::from_str(&text).map_err(|error| ConfigError::Parse(path.into(), error.to_string().trim_end().to_owned()))
    }

    /// These options over those of a config file.
    pub fn over(self, file: Self) -> Self {
        Self {
            inputs: if self.inputs.is_empty() { file.inputs } else { self.inputs },
            db: self.db.or(file.db),
            url_column: self.url_column.or(file.url_column),
            url_field: self.url_field.or(file.url_field),
            fetchers: self.fetchers.or(file.fetchers),
            concurrency: self.concurrency.or(file.concurrency),
            host_concurrency: self.host_concurrency.or(file.host_concurrency),
            delay: self.delay.or(file.delay),
            timeout: self.timeout.or(file.timeout),
            connect_timeout: self.connect_timeout.or(file.connect_timeout),
            user_agent: self.user_agent.or(file.user_agent),
            // Both count; a flag comes later and so replaces a header of the same name.
            header: file.header.into_iter().chain(self.header).collect(),
            max_body: self.max_body.or(file.max_body),
            max_redirects: self.max_redirects.or(file.max_redirects),
            retries: self.retries.or(file.retries),
            store_bodies: if self.no_store_bodies { Some(false) } else { self.store_bodies.or(file.store_bodies) },
            no_store_bodies: false,
            limit: self.limit.or(file.limit),
            max_wall: self.max_wall.or(file.max_wall),
            grace: self.grace.or(file.grace),
            disk_wait: self.disk_wait.or(file.disk_wait),
            progress: self.progress.or(file.progress),
            json: self.json || file.json,
            // A flag for the one is a word against the other.
            quiet: self.quiet || (file.quiet && self.verbose == 0),
            verbose: if self.quiet { 0 } else { self.verbose.max(file.verbose) },
            log_file: self.log_file.or(file.log_file),
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
            db: self.db.unwrap_or_else(|| DEFAULT_DB.into()),
            url_column: self.url_column,
            url_field: self.url_field,
            // A fetcher without a single request to spend would only take memory.
            fetchers: fetchers.min(concurrency),
            concurrency,
            host_concurrency: host_concurrency.min(concurrency),
            delay: self.delay.map_or(DEFAULT_DELAY, |span| span.0),
            timeout: span("timeout", self.timeout, DEFAULT_TIMEOUT)?,
            connect_timeout: span("connect_timeout", self.connect_timeout, DEFAULT_CONNECT_TIMEOUT)?,
            user_agent,
            header: self.header,
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
            limit: self.limit,
            max_wall: self.max_wall.map(|span| span.0),
            grace: self.grace.map_or(DEFAULT_GRACE, |span| span.0),
            disk_wait: self.disk_wait.map_or(DEFAULT_DISK_WAIT, |span| span.0),
            progress: self.progress.unwrap_or_default(),
            json: self.json,
            quiet: self.quiet,
            verbose: self.verbose,
            log_file: self.log_file,
        })
    }
}

impl Settings {
    /// For the store: everything that makes a difference to the result, and no secret.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain values always serialise")
    }
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

fn lossy_paths<S: serde::Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}

/// Whether a path on the command line means standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == OsStr::new("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_file() {
        let file: CrawlOptions = toml::from_str("delay = '2s'\nretries = 7\nheader = ['A: file']").unwrap();
        let flags = CrawlOptions {
            delay: Some(Span(Duration::ZERO)),
            header: vec!["A: flag".parse().unwrap()],
            ..Default::default()
        };
        let settings = flags.over(file).resolve(2).unwrap();
        assert_eq!((settings.delay, settings.retries), (Duration::ZERO, 7));
        assert_eq!(settings.header.last().unwrap().value, "flag");
    }

    #[test]
    fn an_unknown_key_is_shown_with_its_line_and_the_known_ones() {
        let error = toml::from_str::<CrawlOptions>("retries = 1\ndelai = '2s'").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("delai") && error.contains("delay"), "{error}");
    }

    #[test]
    fn a_number_without_unit_is_explained() {
        assert!("5".parse::<Span>().unwrap_err().contains("5s"));
        assert_eq!("0".parse::<Span>(), Ok(Span(Duration::ZERO)));
        assert_eq!("1h 30m".parse::<Span>(), Ok(Span(Duration::from_secs(5400))));
        assert_eq!("10 MiB".parse::<Size>(), Ok(Size(10 << 20)));
    }

    #[test]
    fn secrets_in_headers_are_never_written_down() {
        let header: Header = "Authorization: Bearer swordfish".parse().unwrap();
        let options = CrawlOptions { header: vec![header], ..Default::default() };
        assert!(!format!("{options:?}").contains("swordfish"));
        assert!(!options.resolve(1).unwrap().to_json().contains("swordfish"));
    }

    #[test]
    fn no_fetcher_goes_without_a_request_to_spend() {
        let options = CrawlOptions { concurrency: Some(3), fetchers: Some(8), ..Default::default() };
        assert_eq!(options.resolve(16).unwrap().fetchers, 3);
    }

    #[test]
    fn values_that_cannot_work_are_refused() {
        for options in [
            CrawlOptions { fetchers: Some(0), ..Default::default() },
            CrawlOptions { concurrency: Some(0), ..Default::default() },
            CrawlOptions { timeout: Some(Span(Duration::ZERO)), ..Default::default() },
            CrawlOptions { max_body: Some(Size(0)), ..Default::default() },
            CrawlOptions { limit: Some(0), ..Default::default() },
            CrawlOptions { max_redirects: Some(1001), ..Default::default() },
        ] {
            assert!(options.resolve(1).is_err());
        }
    }
}
