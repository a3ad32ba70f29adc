//! One HTTP request: a URL in, one answer or one classified failure out.
//!
//! A redirect is an answer like any other here, since the host it names may live in another process. An
//! answer is whole or it is a [`Failure`]: a body that was cut, damaged or too large never looks clean.
//!
//! An [`Ask`] goes through here from top to bottom: may its address be connected to (`address`), which headers and
//! cookies does it get (`cookies`), by which proxy, if any (`proxies`), on which client's connections (`clients`, whose
//! names `resolver` looks up and whose TLS is set in `tls`), and should it be made again at once (`repeats`)? What
//! comes back is an answer whose body is read (`body`, `coding`), whose `fields` are understood and whose header lines
//! are `kept` without secrets, or an error that is given its class (`failure`).
//!
//! The cookie jar, the decoders and the resolver's cache are code of our own on purpose: the jar is bounded and keeps
//! sites apart, decoders stop at a ceiling before memory is taken, and no name is looked up twice for the sake of a guard.

#![forbid(unsafe_code)]

pub mod address;
mod body;
mod clients;
mod coding;
pub mod cookies;
mod failure;
mod fields;
mod kept;
mod proxies;
pub mod recorded;
mod repeats;
mod resolver;
mod tls;

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, COOKIE, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED, LOCATION, PROXY_AUTHORIZATION, RETRY_AFTER, SET_COOKIE, USER_AGENT,
};
use reqwest::{Method, Request, Response, StatusCode, Version};
use url::Url;

pub use self::body::{Body, SMALL};
use self::body::{Budget, Deadline, Reader};
use self::clients::{Clients, Way};
pub use self::coding::ACCEPTED as ACCEPTED_CODINGS;
pub use self::cookies::CookieFileError;
use self::cookies::Jar;
use self::failure::{ByProxy, failure};
pub use self::fields::location;
use self::proxies::Rotation;
use self::repeats::Repeats;
use self::resolver::{LookUp, Names, Refusal};
pub use self::tls::PemError;
use self::tls::Trust;
use seine_core::policy::{HostPolicy, Secret};
use seine_core::protocol::Validators;
use seine_core::record::{ErrorClass, Failure, HttpVersion};
use seine_core::values::{HttpChoice, Networks, ProxyUrl, Resolve};

/// The `Accept` header of every request: that of a browser, without images.
pub const ACCEPTED: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Headers that belong to the connection or to the URL: a fixed value would break the framing of requests,
/// or send every host the name of one.
const RESERVED: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Proxies that may say of a host that it cannot be reached before they are believed.
const MAX_REFUSALS: usize = 3;

/// How long a look-up of our own may hold up a request that a proxy is to make.
const LOOK_UP_TIME: Duration = Duration::from_secs(3);

/// How long it may take to find out whether anything can be reached.
const PROBE_TIME: Duration = Duration::from_secs(5);
/// Addresses of a host, or proxies, that are tried to find that out.
const MAX_PROBES: usize = 3;

/// Lines of `X-Robots-Tag`, and of `Link`, that are kept of one answer, and bytes of each.
const MAX_HEAD_LINES: usize = 32;
const MAX_HEAD_LINE_BYTES: usize = 4096;

/// How requests are made. Everything is fixed for the life of an [`Http`]. Not `Debug`: headers hold secrets.
#[derive(Clone)]
pub struct HttpOptions {
    /// The `User-Agent` header.
    pub user_agent: String,
    /// More headers for every request; a name given here replaces the default of that name.
    pub headers: Vec<(String, String)>,
    /// Limit on one request, from its start to the last byte of the body. Waiting for a large-body permit
    /// does not count.
    pub timeout: Duration,
    /// Limit on name resolution, TCP and TLS together.
    pub connect_timeout: Duration,
    /// Limit on a body after decoding.
    pub max_body_bytes: u64,
    /// Requests that may run against one host at a time: as many idle connections are kept for it.
    pub host_concurrency: usize,
    /// How long an idle connection waits for its host's next URL. A crawl of many hosts holds one or more of each it
    /// has visited within this time.
    pub idle_time: Duration,
    /// Bodies beyond [`SMALL`] bytes that may exist at a time, at least 1.
    pub large_bodies: usize,
    /// Bytes a second that a body must bring; 0: any. Waiting for a large-body permit does not count.
    pub min_speed: u64,
    /// Types of pages to be read, lower-case essences or `type/*`; empty: all.
    pub accept_types: Vec<String>,
    /// Addresses given by hand. They stand for what a name server would say, so they are judged alike.
    pub resolve: Vec<Resolve>,
    /// Addresses that may be connected to.
    pub networks: Networks,
    /// Proxies to take turns for hosts without their own; the variable `NO_PROXY` names hosts that need none.
    pub proxies: Vec<ProxyUrl>,
    /// More certificate authorities, PEM files.
    pub ca_certs: Vec<PathBuf>,
    /// Cookies to begin with, a file in Netscape's format.
    pub cookie_file: Option<PathBuf>,
    /// Whether an exchange tells the header lines of its answer.
    pub keep_headers: bool,
}

/// Why no client can be made of some [`HttpOptions`]. Never shows a header's value: it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Not a header name.
    #[error("invalid header name {0:?}")]
    HeaderName(String),
    /// The value of this header has characters that no header can carry.
    #[error("invalid value for header {0:?}; visible ASCII characters, spaces and UTF-8 text are allowed")]
    HeaderValue(String),
    /// A header that each request must set for itself.
    #[error("header {0:?} cannot be set; it belongs to the connection")]
    Reserved(String),
    /// A file of certificate authorities is no such thing.
    #[error("cannot use the certificate authorities of {0}")]
    Authorities(PemError),
    /// A client certificate is no such thing.
    #[error("cannot use the client certificate of {0}")]
    Identity(PemError),
    /// The file of cookies is no such thing.
    #[error(transparent)]
    Cookies(CookieFileError),
}

/// One request to be made.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// Requested exactly as it is serialised (without its fragment).
    pub url: &'a Url,
    /// The settings for its host.
    pub policy: &'a HostPolicy,
    /// Whether the user's own list names the host: private addresses are his business then.
    pub listed: bool,
    /// Whether the site of another origin has led here: of the common headers, those that identify the user
    /// (RFC 9110 §15.4) are not sent. Those of the policy are this host's own.
    pub elsewhere: bool,
    /// The request method.
    pub method: &'a Method,
    /// The body of the request.
    pub body: Option<&'a str>,
    /// An earlier answer, to be given again only if it has changed.
    pub validators: Option<&'a Validators>,
    /// Whether the host is to be asked for nothing more: its connection would only stay open.
    pub is_last: bool,
    /// The purpose of the answer.
    pub want: Want,
    /// Told how many bytes a body beyond [`body::SMALL`] has come to, again and again while it grows.
    pub grows: Option<&'a dyn Fn(usize)>,
}

/// The purpose of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// A page: whole, and of an accepted type.
    Page,
    /// A robots.txt: of any type, and cut where it passes the limit.
    Robots {
        /// Bytes after decoding.
        limit: usize,
    },
}

/// The result of a request: what was seen on the wire, and the answer if all went well.
#[derive(Debug)]
pub struct Exchange {
    /// The status code, once the head of an answer has arrived.
    pub status: Option<u16>,
    /// The address that answered; unknown behind a proxy.
    pub remote_ip: Option<IpAddr>,
    /// The version of HTTP the answer came in.
    pub http_version: Option<HttpVersion>,
    /// Bytes of the body that were received, before decoding.
    pub bytes: u64,
    /// How much of its time was spent on waiting for others of this fetcher.
    pub waited: Duration,
    /// From its start to the head of the answer: the look-up of the name and the connection, if one was made, among it.
    pub head_after: Option<Duration>,
    /// Header lines of a page's answer, if they are kept: `name: value` and CR LF, values as they came but for secrets.
    pub headers: Vec<u8>,
    /// The cookies of the jar that it was made with, see [`Http::cookies`].
    pub cookies: u64,
    /// The answer, or what kept the URL from one.
    pub answer: Result<Answer, Failure>,
}

impl Exchange {
    /// Of a request that has failed like this, without an answer.
    pub fn without_answer(failure: Failure) -> Self {
        let (status, remote_ip, http_version) = (None, None, None);
        Self {
            status,
            remote_ip,
            http_version,
            bytes: 0,
            waited: Duration::ZERO,
            head_after: None,
            headers: Vec::new(),
            cookies: 0,
            answer: Err(failure),
        }
    }
}

/// One whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code, 200 to 999.
    pub status: u16,
    /// `Content-Type`; bytes that are no UTF-8 are replaced.
    pub content_type: Option<String>,
    /// `Location` as sent.
    pub location: Option<Vec<u8>>,
    /// `Retry-After` as sent.
    pub retry_after: Option<Vec<u8>>,
    /// `ETag` as sent, if it is one.
    pub etag: Option<Vec<u8>>,
    /// `Last-Modified` as sent.
    pub last_modified: Option<Vec<u8>>,
    /// Whether it has a `Set-Cookie`.
    pub sets_cookie: bool,
    /// `X-Robots-Tag`, each line of it; bytes that are no UTF-8 are replaced.
    pub x_robots_tag: Vec<String>,
    /// `Link`, likewise.
    pub link: Vec<String>,
    /// The type of the body, if it is none to be read.
    pub skipped: Option<String>,
    /// The decoded body; empty if [`Answer::is_redirect`] or skipped.
    pub body: Body,
}

impl Answer {
    /// Whether this answer sends the request elsewhere: a status that redirects, with a `Location`.
    pub fn is_redirect(&self) -> bool {
        self.location.is_some() && matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }
}

/// The client of one fetcher: connections, names, cookies, TLS state and memory budget. Clones share them.
#[derive(Clone, Debug)]
pub struct Http {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    clients: Clients,
    rotation: Rotation,
    jar: Jar,
    /// Set on each request, because the client's own defaults hold one value per name.
    headers: HeaderMap,
    accept_types: Vec<String>,
    budget: Budget,
    repeats: Repeats,
    timeout: Duration,
    keep_headers: bool,
}

impl Http {
    /// A client that follows `options`. Opens no socket and reads no files but those that `options` names; must be
    /// used within one tokio runtime.
    ///
    /// # Errors
    /// [`HttpError`] if a header cannot be sent or a file cannot be used.
    pub fn new(options: &HttpOptions) -> Result<Self, HttpError> {
        Self::build(options, tls::system_roots, resolver::system())
    }

    fn build(
        options: &HttpOptions,
        roots: fn() -> Arc<rustls::RootCertStore>,
        look_up: LookUp,
    ) -> Result<Self, HttpError> {
        let trust = Trust::new(roots, &options.ca_certs).map_err(HttpError::Authorities)?;
        let jar = Jar::default();
        if let Some(path) = &options.cookie_file {
            jar.load(path).map_err(HttpError::Cookies)?;
        }
        let no_proxy = std::env::var("NO_PROXY").or_else(|_| std::env::var("no_proxy")).unwrap_or_default();
        Ok(Self {
            shared: Arc::new(Shared {
                clients: Clients::new(options, trust, Names::new(look_up)),
                rotation: Rotation::new(options.proxies.clone(), &no_proxy),
                jar,
                headers: headers(options)?,
                accept_types: options.accept_types.clone(),
                budget: Budget::new(options.max_body_bytes, options.large_bodies, options.min_speed),
                repeats: Repeats::new(options.idle_time.saturating_add(options.timeout)),
                timeout: options.timeout,
                keep_headers: options.keep_headers,
            }),
        })
    }

    /// Whether requests can be made as `policy` says.
    ///
    /// # Errors
    /// [`HttpError`] naming the header or file that cannot be used.
    pub fn check(&self, policy: &HostPolicy) -> Result<(), HttpError> {
        user_headers(policy.headers.iter().map(|header| (&header.name[..], &header.value[..])))?;
        policy.authorization.as_ref().map(authorization).transpose()?;
        match &policy.client_cert {
            Some(path) => self.shared.clients.check_identity(path).map_err(HttpError::Identity),
            None => Ok(()),
        }
    }

    /// Makes one request.
    pub async fn request(&self, ask: &Ask<'_>) -> Exchange {
        let mut seen = Seen::default();
        let mut answer = self.shared.exchange(ask, &mut seen).await;
        // In its body HTTP/2 can fail as well; what is reset there is tried again anyway.
        if let Err(failure) = &answer
            && seen.http_version == Some(HttpVersion::Http2)
            && matches!(failure.class, ErrorClass::Protocol | ErrorClass::Reset)
            && ask.policy.http == HttpChoice::Auto
            && self.shared.repeats.http2_failed(ask.url)
            && failure.class == ErrorClass::Protocol
            && ask.method.is_idempotent()
        {
            seen = Seen::default();
            answer = self.shared.exchange(ask, &mut seen).await;
        }
        let Seen { status, remote_ip, http_version, bytes, waited, head_after, headers, cookies } = seen;
        Exchange { status, remote_ip, http_version, bytes, waited, head_after, headers, cookies, answer }
    }

    /// A number for the cookies that sites and the cookie file have for `url`: the same for the same, in every process;
    /// 0 if they have none, or `policy` wants none.
    pub fn cookies(&self, url: &Url, policy: &HostPolicy) -> u64 {
        self.shared.cookies(url, policy)
    }

    /// One of `urls`, each of a host with such a policy, that can be reached now. Nothing is requested.
    pub async fn reached<'a>(&self, urls: &'a [(HostPolicy, Url)]) -> Option<&'a Url> {
        let tries =
            urls.iter().map(|(policy, url)| async move { self.shared.reaches(url, policy).await.then_some(url) });
        first(tries).await
    }
}

/// The first of what `tries` come to, all at once, that is something.
async fn first<T>(tries: impl Iterator<Item = impl Future<Output = Option<T>>>) -> Option<T> {
    let mut tries: FuturesUnordered<_> = tries.collect();
    while let Some(found) = tries.next().await {
        if found.is_some() {
            return found;
        }
    }
    None
}

/// An [`Exchange`] under way: what has been seen of it, however it ends.
#[derive(Default)]
struct Seen {
    status: Option<u16>,
    remote_ip: Option<IpAddr>,
    http_version: Option<HttpVersion>,
    bytes: u64,
    waited: Duration,
    head_after: Option<Duration>,
    headers: Vec<u8>,
    cookies: u64,
}

impl Shared {
    async fn exchange(&self, ask: &Ask<'_>, seen: &mut Seen) -> Result<Answer, Failure> {
        let begun = Instant::now();
        let sleep = std::pin::pin!(tokio::time::sleep(self.timeout));
        let mut deadline = Deadline::new(self.timeout, sleep);
        address::judge_url(ask.url, ask.listed, &self.clients.networks).map_err(|reason| {
            let host = ask.url.host_str().unwrap_or_default();
            failure(ErrorClass::BlockedAddress, format!("{host} is not to be connected to: {reason}"))
        })?;
        seen.cookies = self.cookies(ask.url, ask.policy);
        let mut headers = self.headers_for(ask)?;
        let response = match self.rotation.of(ask.url, &ask.policy.proxies) {
            [] => {
                if ask.is_last {
                    headers.insert(CONNECTION, HeaderValue::from_static("close"));
                }
                let response = deadline.bound(self.send(ask, &headers, self.way(ask, None))).await;
                let response = response.map_err(|_| match self.unanswered(ask) {
                    true => failure::unanswered(ask.url.host_str().unwrap_or_default(), self.timeout),
                    false => self.late(ErrorClass::Timeout, ""),
                })??;
                let timeout = self.clients.connect_timeout;
                let response = response.map_err(|error| match error.is_timeout() && self.unanswered(ask) {
                    true => failure::unanswered(ask.url.host_str().unwrap_or_default(), timeout),
                    false => failure::before_answer(&error, ask.url, timeout),
                })?;
                seen.remote_ip = response.remote_addr().map(|address| address.ip());
                response
            }
            proxies => {
                let mut problem = String::new();
                match deadline.bound(self.by_proxy(ask, &headers, proxies, &mut problem)).await {
                    Ok(response) => response?,
                    Err(_) if problem.is_empty() => return Err(self.late(ErrorClass::Timeout, "")),
                    // The time went to proxies: no fault of the host's.
                    Err(_) => return Err(self.late(ErrorClass::Proxy, &problem)),
                }
            }
        };
        seen.status = Some(response.status().as_u16());
        seen.head_after = Some(begun.elapsed());
        let mut answer = head(&response)?;
        seen.http_version = Some(version(&response)?);
        if self.keep_headers && ask.want == Want::Page {
            seen.headers = kept::lines(response.headers(), &headers);
        }
        if ask.policy.cookies {
            self.jar.take(ask.url, response.headers());
        }
        if ask.want == Want::Page && response.status().is_success() {
            answer.skipped = answer.content_type.as_deref().and_then(|name| self.unwanted(name));
        }
        let mut reader = Reader::new(response, &mut deadline, &self.budget, ask.want).telling(ask.grows);
        let body = if answer.is_redirect() || answer.skipped.is_some() {
            reader.skip().await;
            Ok(Body::default())
        } else {
            reader.body().await
        };
        seen.bytes = reader.received();
        seen.waited = deadline.paused();
        answer.body = body?;
        Ok(answer)
    }

    /// The answer to a request made on `way`: a second one, if the first fell victim to its connection or to HTTP/2.
    ///
    /// # Errors
    /// If there is no such way.
    async fn send(
        &self,
        ask: &Ask<'_>,
        headers: &HeaderMap,
        way: Way,
    ) -> Result<Result<Response, reqwest::Error>, Failure> {
        let response = self.clients.get(&way)?.execute(request(ask, headers)).await;
        match response {
            Ok(response) => {
                self.repeats.answered(&response);
                Ok(Ok(response))
            }
            Err(error) if ask.method.is_idempotent() && self.repeats.was_reused(&error) => {
                tracing::debug!(url = %ask.url, "a kept connection is gone; asking on a fresh one");
                let client = self.clients.get(&Way { fresh: true, ..way })?;
                Ok(client.execute(request(ask, headers)).await)
            }
            Err(error) if way.http == HttpChoice::Auto && failure::is_of_http2(&error) => {
                self.repeats.http2_failed(ask.url);
                if !ask.method.is_idempotent() {
                    return Ok(Err(error));
                }
                tracing::debug!(url = %ask.url, %error, "HTTP/2 fails; asking over HTTP/1.1");
                let client = self.clients.get(&Way { http: HttpChoice::One, ..way })?;
                Ok(client.execute(request(ask, headers)).await.inspect(|response| self.repeats.answered(response)))
            }
            Err(error) => Ok(Err(error)),
        }
    }

    /// The answer to a request made through one of `proxies`: the first that leads to one. What is wrong with those
    /// before it lands in `problem`.
    async fn by_proxy(
        &self,
        ask: &Ask<'_>,
        headers: &HeaderMap,
        proxies: &[ProxyUrl],
        problem: &mut String,
    ) -> Result<Response, Failure> {
        let host = ask.url.host_str().unwrap_or_default();
        // The proxy does the look-up that counts. One of our own tells what it must not be asked for; where there are no
        // name servers that could say, only what the user's list names is left to the proxy.
        let guard = self.clients.guard(&self.way(ask, None));
        match tokio::time::timeout(LOOK_UP_TIME, guard.resolve(host)).await {
            Ok(Ok(_)) => {}
            Ok(Err(Refusal::Blocked(blocked))) => return Err(failure::blocked(host, &blocked)),
            Ok(Err(_)) | Err(_) if ask.listed || self.clients.networks.allow_private => {}
            unresolved => {
                let is_known = matches!(unresolved, Ok(Err(Refusal::Unresolved(name))) if !name.is_temporary);
                let class = if is_known { ErrorClass::BlockedAddress } else { ErrorClass::Resolver };
                let message = format!("{host} does not resolve here, so nobody knows where a proxy would connect to");
                return Err(failure(class, message));
            }
        }
        let (mut tried, mut refused, mut class) = (Vec::new(), Vec::<&ProxyUrl>::new(), None);
        while refused.len() < MAX_REFUSALS
            && let Some(proxy) = self.rotation.next(proxies, &tried)
        {
            tried.push(proxy);
            let way = self.way(ask, Some(proxy));
            let (text, unreachable, ours) = match self.send(ask, headers, way).await? {
                // Without a tunnel the proxy answers for itself.
                Ok(response)
                    if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED && !is_tunnelled(ask, proxy) =>
                {
                    ("proxy authorization required".to_owned(), false, None)
                }
                Ok(response) => {
                    self.rotation.works(proxy);
                    // Another proxy has shown that the host can be reached, so these refused without reason.
                    refused.iter().for_each(|proxy| self.rotation.fails(proxy));
                    return Ok(response);
                }
                Err(error) => match failure::by_proxy(&error, ask.url, proxy, self.clients.connect_timeout) {
                    ByProxy::Host(failure) => {
                        self.rotation.works(proxy);
                        return Err(failure);
                    }
                    ByProxy::Proxy { problem, unreachable, ours } => (problem, unreachable, ours),
                },
            };
            if unreachable {
                self.rotation.fails(proxy);
            } else {
                refused.push(proxy);
            }
            *problem = format!("{proxy}: {text}");
            // One proxy that could be asked is proof that our side is well.
            class = if tried.len() == 1 { ours } else { class.and(ours) };
        }
        Err(failure(
            class.unwrap_or(ErrorClass::Proxy),
            format!("no proxy leads to {host}, {} tried; {problem}", tried.len()),
        ))
    }

    /// Whether the resolver still owes us the addresses of the host asked.
    fn unanswered(&self, ask: &Ask<'_>) -> bool {
        self.clients.pin(ask.url).is_none() && ask.url.host_str().is_some_and(|host| self.clients.is_asking(host))
    }

    /// Whether `url`, or a proxy on the way to it, can be reached now: its name is looked up afresh, and something takes
    /// our connection or refuses it. Nothing is sent.
    async fn reaches(&self, url: &Url, policy: &HostPolicy) -> bool {
        let proxies = self.rotation.of(url, &policy.proxies);
        let ways: Vec<_> = if proxies.is_empty() { vec![url] } else { proxies.iter().map(ProxyUrl::url).collect() };
        let tries = ways
            .into_iter()
            .take(MAX_PROBES)
            .map(|way| async move { self.clients.reaches(way, proxies.is_empty()).await.then_some(()) });
        matches!(tokio::time::timeout(PROBE_TIME, first(tries)).await, Ok(Some(())))
    }

    fn way(&self, ask: &Ask<'_>, proxy: Option<&ProxyUrl>) -> Way {
        Way {
            listed: ask.listed,
            insecure: ask.policy.insecure,
            identity: ask.policy.client_cert.clone().filter(|_| !ask.elsewhere),
            pin: self.clients.pin(ask.url),
            proxy: proxy.cloned(),
            http: match ask.policy.http {
                HttpChoice::Auto if self.repeats.is_without_http2(ask.url) => HttpChoice::One,
                choice => choice,
            },
            fresh: false,
        }
    }

    fn late(&self, class: ErrorClass, problem: &str) -> Failure {
        let separator = if problem.is_empty() { "" } else { "; " };
        failure(class, format!("no answer within {:?}{separator}{problem}", self.timeout))
    }

    fn cookies(&self, url: &Url, policy: &HostPolicy) -> u64 {
        let header = policy.cookies.then(|| self.jar.header(url, None)).flatten();
        // Its keys are fixed.
        header.map_or(0, |value| BuildHasherDefault::<DefaultHasher>::default().hash_one(value.as_bytes()).max(1))
    }

    fn headers_for(&self, ask: &Ask<'_>) -> Result<HeaderMap, Failure> {
        let mut headers = self.headers.clone();
        let unusable = |error: HttpError| failure(ErrorClass::Protocol, format!("a rule for this host: {error}"));
        let policy = ask.policy;
        if let Some(Validators { etag, last_modified }) = ask.validators {
            for (name, value) in [(IF_NONE_MATCH, etag), (IF_MODIFIED_SINCE, last_modified)] {
                let value = value.as_deref().and_then(|value| HeaderValue::from_str(value).ok());
                if let (Some(value), false) = (value, headers.contains_key(&name)) {
                    headers.insert(name, value);
                }
            }
        }
        if !policy.headers.is_empty() {
            let own = policy.headers.iter().map(|header| (&header.name[..], &header.value[..]));
            headers.extend(user_headers(own).map_err(unusable)?);
        }
        if ask.elsewhere {
            // Not even those of the host itself: a strange site shall not act in the user's name.
            for secret in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
                headers.remove(secret);
            }
        } else if let Some(secret) = &policy.authorization {
            headers.insert(AUTHORIZATION, authorization(secret).map_err(unusable)?);
        }
        if policy.cookies
            && let Some(all) = self.jar.header(ask.url, headers.get(COOKIE))
        {
            headers.insert(COOKIE, all);
        }
        Ok(headers)
    }

    /// The essence of the media type `name`, if it is none of those to be read.
    fn unwanted(&self, name: &str) -> Option<String> {
        let essence = name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is_wanted = |pattern: &String| match pattern.strip_suffix("/*") {
            Some("*") => true,
            Some(family) => essence.split('/').next() == Some(family),
            None => essence == *pattern,
        };
        (!self.accept_types.is_empty() && !essence.is_empty() && !self.accept_types.iter().any(is_wanted))
            .then_some(essence)
    }
}

/// The value of `Authorization` that a host rule asks for.
fn authorization(secret: &Secret) -> Result<HeaderValue, HttpError> {
    let mut value = value(AUTHORIZATION.as_str(), secret.reveal())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether requests pass the proxy unread.
fn is_tunnelled(ask: &Ask<'_>, proxy: &ProxyUrl) -> bool {
    ask.url.scheme() == "https" || proxy.url().scheme().starts_with("socks")
}

fn request(ask: &Ask<'_>, headers: &HeaderMap) -> Request {
    let mut request = Request::new(ask.method.clone(), ask.url.clone());
    request.headers_mut().clone_from(headers);
    *request.body_mut() = ask.body.map(|body| body.to_owned().into());
    request
}

fn version(response: &Response) -> Result<HttpVersion, Failure> {
    match response.version() {
        Version::HTTP_10 => Ok(HttpVersion::Http10),
        Version::HTTP_11 => Ok(HttpVersion::Http11),
        Version::HTTP_2 => Ok(HttpVersion::Http2),
        other => Err(failure(ErrorClass::Protocol, format!("the answer came in {other:?}"))),
    }
}

/// The answer to come: all but its body.
fn head(response: &Response) -> Result<Answer, Failure> {
    // Other informational answers never reach us; this one would leave HTTP.
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let message = "the answer switches to another protocol, which nobody asked for";
        return Err(failure(ErrorClass::Protocol, message));
    }
    let header = |name: HeaderName| response.headers().get(name).map(|value| value.as_bytes().to_vec());
    let lines = |name: &str| {
        let values = response.headers().get_all(name).iter().take(MAX_HEAD_LINES);
        let cut = values.map(|value| &value.as_bytes()[..value.len().min(MAX_HEAD_LINE_BYTES)]);
        cut.map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    };
    Ok(Answer {
        status: response.status().as_u16(),
        content_type: fields::content_type(response.headers()),
        location: header(LOCATION),
        retry_after: header(RETRY_AFTER),
        etag: fields::etag(response.headers()),
        last_modified: header(LAST_MODIFIED),
        sets_cookie: response.headers().contains_key(SET_COOKIE),
        x_robots_tag: lines("x-robots-tag"),
        link: lines("link"),
        skipped: None,
        body: Body::default(),
    })
}

/// The headers of every request: the defaults, then the user's.
fn headers(options: &HttpOptions) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(coding::ACCEPTED));
    headers.insert(USER_AGENT, value(USER_AGENT.as_str(), &options.user_agent)?);
    headers.extend(user_headers(options.headers.iter().map(|(name, value)| (&name[..], &value[..])))?);
    Ok(headers)
}

fn user_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> Result<HeaderMap, HttpError> {
    let mut own = HeaderMap::new();
    for (name, text) in headers {
        let parsed: HeaderName = name.trim().parse().map_err(|_| HttpError::HeaderName(name.to_owned()))?;
        if RESERVED.contains(&parsed.as_str()) {
            return Err(HttpError::Reserved(name.to_owned()));
        }
        let mut value = value(name, text)?;
        value.set_sensitive(true);
        own.append(parsed, value);
    }
    Ok(own)
}

fn value(name: &str, text: &str) -> Result<HeaderValue, HttpError> {
    HeaderValue::from_str(text.trim()).map_err(|_| HttpError::HeaderValue(name.to_owned()))
}

#[cfg(test)]
mod tests;
