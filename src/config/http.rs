//! How pages are asked for, and what one may cost.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::bounds::{lasting, refused, within};
use super::files::lines_of;
use super::group::group;
use super::{Chosen, ConfigError, lossy};
use seine_core::values::{Header, HttpChoice, Networks, ProxyUrl, Resolve, Size, Span, is_token};

/// Names this program, and no browser.
const DEFAULT_USER_AGENT: &str = concat!("seine/", env!("CARGO_PKG_VERSION"));
/// A URL carries its chain of redirects, which has to fit a frame.
const MAX_MAX_REDIRECTS: usize = 1000;
/// A body is one frame, and a frame's length has 32 bits.
const MAX_MAX_BODY: Size = Size(2 << 30);

group! {
    /// Requests and their limits.
    #[derive(Serialize)]
    pub struct Http {
        /// For one request, from its start to the last byte [default: 30s]
        #[arg(long, alias = "max-time", value_name = "DURATION")]
        timeout: Span = Span(Duration::from_secs(30)), lasting;

        /// For a connection, TLS included [default: 10s]
        #[arg(long, value_name = "DURATION")]
        connect_timeout: Span = Span(Duration::from_secs(10)), lasting;

        /// Give up a body that comes slower than this per second over 10 s; 0 for never [default: 100B]
        #[arg(long, value_name = "SIZE")]
        min_speed: Size = Size(100);

        /// CPU time for one page; pages that need more fail as parse_timeout [default: 5s]
        #[arg(long, value_name = "DURATION")]
        parse_timeout: Span = Span(Duration::from_secs(5)), lasting;

        /// The User-Agent header [default: seine/VERSION]
        #[arg(short = 'A', long, value_name = "TEXT")]
        user_agent: String = DEFAULT_USER_AGENT.to_owned(), printable;

        /// A header for every request, "Name: value"; may be repeated
        #[arg(short = 'H', long, value_name = "K:V")]
        #[serde(serialize_with = "names")]
        header: Vec<Header>;

        /// More headers from a file, "Name: value" one a line: keeps secrets off the command line
        #[arg(long, value_name = "FILE")]
        #[serde(serialize_with = "lossy::maybe")]
        header_file: Option<PathBuf>;

        /// Request method for the URLs of the lists [default: GET, or POST with --body]
        #[arg(short = 'X', long, alias = "request", value_name = "METHOD")]
        method: Chosen<String> = Chosen::by_default("GET".to_owned()), method;

        /// Request body for the URLs of the lists; name its type with --header "Content-Type: ..."
        #[arg(long, aliases = ["data", "post-data"], value_name = "TEXT")]
        #[serde(skip_serializing)]
        body: Option<String>;

        /// Keep bodies of these types only, "text/html,image/*"; others are skipped unread; may be repeated [default: all]
        #[arg(long, value_name = "TYPES", value_delimiter = ',')]
        accept_types: Vec<String>, media_types;

        /// Take and send cookies, site by site
        #[arg(long)]
        cookies: bool;

        /// Begin with the cookies of this file (Netscape format, as browsers and curl write it); implies --cookies
        #[arg(long, alias = "load-cookies", value_name = "FILE")]
        #[serde(serialize_with = "lossy::maybe")]
        cookie_file: Option<PathBuf>;

        /// Version of HTTP: 1.1, 2, or auto for 2 where it is offered and 1.1 where that fails [default: auto]
        #[arg(long, value_name = "VERSION")]
        http: HttpChoice;

        /// Proxy: http://, https://, socks5:// or socks5h://; may be repeated to take turns; NO_PROXY is honoured
        #[arg(short = 'x', long, value_name = "URL")]
        proxy: Vec<ProxyUrl>;

        /// More proxies from a file, one a line: keeps passwords off the command line
        #[arg(long, value_name = "FILE")]
        #[serde(serialize_with = "lossy::maybe")]
        proxy_file: Option<PathBuf>;

        /// Connect to this address for a host and port instead of asking DNS, as curl does; may be repeated
        #[arg(long, value_name = "HOST:PORT:ADDR")]
        resolve: Vec<Resolve>;

        /// Trust the certificate authorities of this PEM file too; may be repeated
        #[arg(long, aliases = ["cacert", "ca-certificate"], value_name = "FILE")]
        #[serde(serialize_with = "lossy::all")]
        ca_cert: Vec<PathBuf>;

        /// Accept any certificate of this host ("*.example.test" for the hosts below it); may be repeated
        #[arg(short = 'k', long, value_name = "HOST")]
        #[serde(skip_serializing)]
        insecure: Vec<String>;

        /// Let redirects lead to private, loopback and other special addresses
        #[arg(long)]
        #[serde(skip_serializing)]
        allow_private: bool;

        /// Addresses that may be connected to; a config key only.
        #[arg(skip)]
        network: Networks;

        /// Largest body, in decompressed bytes; larger ones fail as too_large [default: 10MiB]
        #[arg(long, aliases = ["max-filesize", "download-maxsize"], value_name = "SIZE")]
        max_body: Size = Size(10 << 20), within(Size(1)..=MAX_MAX_BODY, "must be from 1 B to 2 GiB");

        /// Redirects followed for one URL [default: 10]
        #[arg(long, aliases = ["max-redirs", "max-redirect"], value_name = "N")]
        max_redirects: usize = 10, within(0..=MAX_MAX_REDIRECTS, "must be from 0 to 1000");

        /// Further attempts after a transient failure (resolver, connect, network, timeout, reset, truncated, 408, 425, 429, 500, 502-504) [default: 2]
        #[arg(long, aliases = ["retry", "max-retries", "retry-times"], value_name = "N")]
        retries: u16 = 2;

        /// Keep the headers of answers, without the values of cookies [default: true]
        #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true)]
        #[arg(default_missing_value = "true")]
        store_headers: bool = true;
    }
}

impl Http {
    pub(super) fn resolve(&mut self) {
        if self.body.is_some() {
            self.method = std::mem::take(&mut self.method).or("POST".to_owned());
        }
        for kind in &mut self.accept_types {
            *kind = kind.trim().to_ascii_lowercase();
        }
        self.cookies |= self.cookie_file.is_some();
        self.network.allow_private |= self.allow_private;
    }

    pub(super) fn read_files(&mut self) -> Result<(), ConfigError> {
        if let Some(path) = &self.proxy_file {
            self.proxy.extend(lines_of("proxy_file", path, "a proxy: http://, https://, socks5:// or socks5h://")?);
        }
        if let Some(path) = &self.header_file {
            let headers = lines_of("header_file", path, "a header, Name: value")?;
            // A flag or key replaces a header of the same name.
            self.header.splice(0..0, headers);
        }
        Ok(())
    }
}

/// Of headers only the names are ever written down.
fn names<S: Serializer>(headers: &[Header], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(headers.iter().map(|header| &header.name))
}

fn printable(name: &'static str, text: &str) -> Result<(), ConfigError> {
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return refused(name, format_args!("{text:?}"), "must not have control characters");
    }
    Ok(())
}

fn method(name: &'static str, method: &Chosen<String>) -> Result<(), ConfigError> {
    if !is_token(method) || method.eq_ignore_ascii_case("connect") {
        return refused(name, format_args!("{:?}", **method), "must be a request method such as GET or POST");
    }
    Ok(())
}

fn media_types(name: &'static str, types: &[String]) -> Result<(), ConfigError> {
    let is_type = |kind: &&String| kind.trim().split_once('/').is_some_and(|(a, b)| is_token(a) && is_token(b));
    match types.iter().find(|kind| !is_type(kind)) {
        Some(odd) => refused(
            name,
            format_args!("{:?}", odd.trim().to_ascii_lowercase()),
            "must be media types such as text/html or image/*",
        ),
        None => Ok(()),
    }
}
