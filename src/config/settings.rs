//! The settings of a crawl: every option with its value, checked against the others.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use serde::Serialize;

use super::hosts::HostRule;
use super::memory::Buffers;
use super::processors::{self, Processor};
use super::{
    ConfigError, CrawlOptions, DEFAULT_CONCURRENCY, DEFAULT_CONNECT_TIMEOUT, DEFAULT_DB, DEFAULT_DELAY,
    DEFAULT_DISK_WAIT, DEFAULT_GRACE, DEFAULT_HOST_CONCURRENCY, DEFAULT_HOST_FAILURES, DEFAULT_KEEP_VERSIONS,
    DEFAULT_MAX_BODY, DEFAULT_MAX_CRAWL_DELAY, DEFAULT_MAX_REDIRECTS, DEFAULT_MAX_RETRY_AFTER, DEFAULT_MIN_FREE_DISK,
    DEFAULT_MIN_SPEED, DEFAULT_NOTIFY_RETRIES, DEFAULT_NOTIFY_TIMEOUT, DEFAULT_PARSE_TIMEOUT, DEFAULT_RETRIES,
    DEFAULT_REVISIT_MAX, DEFAULT_REVISIT_MIN, DEFAULT_TIMEOUT, DEFAULT_USER_AGENT, Header, HookUrl, LogFormat,
    NotifyOn, Only, ProgressMode, ProxyUrl, Rate, Resolve, Revisits, RulesText, Share, Size, Span, Words,
};
use seine_core::policy::{HostPolicy, Proxies, Secret};
use seine_core::values::{Networks, is_token};

/// Bodies above the limit of requests in flight times this are not held at once; see the formula in the README.
pub(super) const MAX_CONCURRENCY: usize = 65_536;
const MAX_FETCHERS: usize = 256;
/// The whole chain travels with a URL and has to fit a frame.
const MAX_MAX_REDIRECTS: usize = 1000;
/// A body is one frame, and a frame's length has 32 bits.
const MAX_MAX_BODY: u64 = 2 << 30;
/// No pause is longer than this, whatever a config or a site asks for.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(seine_core::record::LONGEST_PAUSE_MS);

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
pub(super) fn secret_in(setting: &'static str, path: &Path) -> Result<String, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::SecretFile {
        setting,
        path: path.to_owned(),
        problem: format!("cannot be read: {error}"),
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The values of the file at `path`, one a line; empty lines and those that begin with # do not count. `what` says what
/// a line must be: what it is may be a secret.
pub(super) fn lines_of<T: std::str::FromStr>(
    setting: &'static str,
    path: &Path,
    what: &str,
) -> Result<Vec<T>, ConfigError> {
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
