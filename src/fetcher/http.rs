//! One HTTP request: a URL in, one answer or one classified failure out.
//!
//! A redirect is an answer like any other here, since the host it names may live in another process. An
//! answer is whole or it is a [`Failure`]: a body that was cut, damaged or too large never looks clean.

mod body;
mod coding;
mod failure;
mod tls;

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, COOKIE, ETAG, HeaderMap, HeaderName, HeaderValue,
    LAST_MODIFIED, LOCATION, PROXY_AUTHORIZATION, RETRY_AFTER, USER_AGENT,
};
use reqwest::{Client, Method, Request, Response, StatusCode, Version};
use url::Url;

pub use self::body::{Body, SMALL};
use self::body::{Budget, Deadline, Elapsed, Reader, STREAM_WINDOW};
use crate::record::{ErrorClass, Failure, HttpVersion};

/// Header lines accepted in an answer; hyper alone stops at 100, and real sites send more.
const MAX_HEADERS: usize = 512;

/// Bytes of headers accepted over HTTP/2, close to what HTTP/1.1 gets (408 KiB, hyper's read buffer).
const MAX_HEADER_BYTES: u32 = 384 * 1024;

/// What a crawler of web pages asks for.
const ACCEPTED: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

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
    /// SHIM
    pub min_speed: u64,
    /// SHIM
    pub accept_types: Vec<String>,
    /// SHIM
    pub resolve: Vec<crate::config::Resolve>,
    /// SHIM
    pub networks: crate::config::values::Networks,
    /// SHIM
    pub proxies: Vec<crate::config::ProxyUrl>,
    /// SHIM
    pub ca_certs: Vec<std::path::PathBuf>,
    /// SHIM
    pub cookie_file: Option<std::path::PathBuf>,
}

/// SHIM
pub struct Ask<'a> {
    /// SHIM
    pub url: &'a Url,
    /// SHIM
    pub policy: &'a crate::config::hosts::HostPolicy,
    /// SHIM
    pub listed: bool,
    /// SHIM
    pub elsewhere: bool,
    /// SHIM
    pub method: &'a Method,
    /// SHIM
    pub body: Option<&'a str>,
    /// SHIM
    pub want: Want,
}
/// SHIM
pub enum Want {
    /// SHIM
    Page,
    /// SHIM
    Robots {
        /// SHIM
        limit: usize,
    },
}
/// SHIM
pub struct Exchange {
    /// SHIM
    pub status: Option<u16>,
    /// SHIM
    pub remote_ip: Option<std::net::IpAddr>,
    /// SHIM
    pub http_version: Option<HttpVersion>,
    /// SHIM
    pub bytes: u64,
    /// SHIM
    pub answer: Result<Answer, Failure>,
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
    /// No TLS version is left to offer.
    #[error("cannot set up TLS")]
    Tls(#[source] rustls::Error),
    /// The client refused its settings.
    #[error("cannot set up the HTTP client")]
    Client(#[source] reqwest::Error),
}

/// One whole answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code, 200 to 999.
    pub status: u16,
    /// The version of HTTP the answer came in.
    pub http_version: HttpVersion,
    /// `Content-Type`; bytes that are no UTF-8 are replaced.
    pub content_type: Option<String>,
    /// `Location` as sent.
    pub location: Option<Vec<u8>>,
    /// `Retry-After` as sent.
    pub retry_after: Option<Vec<u8>>,
    /// `ETag` as sent.
    pub etag: Option<Vec<u8>>,
    /// `Last-Modified` as sent.
    pub last_modified: Option<Vec<u8>>,
    /// SHIM
    pub x_robots_tag: Vec<String>,
    /// SHIM
    pub skipped: Option<String>,
    /// The decoded body; empty if [`Answer::is_redirect`].
    pub body: Body,
    /// Bytes of the body that were received, before decoding.
    pub wire_bytes: u64,
    /// The address that answered.
    pub remote_addr: Option<SocketAddr>,
}

impl Answer {
    /// Whether this answer sends the request elsewhere: a status that redirects, with a `Location`.
    pub fn is_redirect(&self) -> bool {
        self.location.is_some() && matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }
}

/// The client of one fetcher: connections, TLS state and memory budget. Clones share them.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    /// Set on each request, because the client's own defaults hold one value per name.
    headers: HeaderMap,
    budget: Budget,
    timeout: Duration,
    connect_timeout: Duration,
}

impl Http {
    /// A client that follows `options`. Reads no file and opens no socket; must be used within one tokio
    /// runtime.
    ///
    /// # Errors
    /// [`HttpError`] if a header cannot be sent.
    pub fn new(options: &HttpOptions) -> Result<Self, HttpError> {
        Self::with_roots(options, tls::system_roots)
    }

    fn with_roots(
        options: &HttpOptions,
        roots: fn() -> std::sync::Arc<rustls::RootCertStore>,
    ) -> Result<Self, HttpError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::config(roots).map_err(HttpError::Tls)?)
            .connect_timeout(options.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .tcp_nodelay(true)
            .pool_max_idle_per_host(options.host_concurrency.max(1))
            .pool_idle_timeout(options.idle_time)
            .http1_max_headers(MAX_HEADERS)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            // No limit of its own: bodies that wait for a permit would use up a shared window, and with it
            // starve the very body they wait for.
            .http2_initial_connection_window_size(i32::MAX as u32)
            .build()
            .map_err(HttpError::Client)?;
        Ok(Self {
            client,
            headers: headers(options)?,
            budget: Budget::new(options.max_body_bytes, options.large_bodies),
            timeout: options.timeout,
            connect_timeout: options.connect_timeout,
        })
    }

    /// Requests `url` exactly as it is serialised (without its fragment).
    ///
    /// # Errors
    /// The [`Failure`] that kept the URL from a whole answer.
    pub async fn get(&self, url: &Url) -> Result<Answer, Failure> {
        self.request_(url, self.headers.clone()).await
    }

    /// Requests `url`, to which the site of another origin has led: what identifies the user to that one
    /// (RFC 9110 §15.4, `Authorization`, `Cookie` and their like) is not sent.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn get_elsewhere(&self, url: &Url) -> Result<Answer, Failure> {
        let mut headers = self.headers.clone();
        for secret in [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION] {
            headers.remove(secret);
        }
        self.request_(url, headers).await
    }

    /// SHIM
    pub async fn request(&self, ask: &Ask<'_>) -> Exchange {
        let answer = if ask.elsewhere { self.get_elsewhere(ask.url).await } else { self.get(ask.url).await };
        let a = answer.as_ref().ok();
        Exchange {
            status: a.map(|a| a.status),
            remote_ip: a.and_then(|a| a.remote_addr).map(|a| a.ip()),
            http_version: a.map(|a| a.http_version),
            bytes: a.map_or(0, |a| a.wire_bytes),
            answer,
        }
    }

    async fn request_(&self, url: &Url, headers: HeaderMap) -> Result<Answer, Failure> {
        let sleep = std::pin::pin!(tokio::time::sleep(self.timeout));
        let mut deadline = Deadline::new(self.timeout, sleep);
        let mut request = Request::new(Method::GET, url.clone());
        *request.headers_mut() = headers;
        let response = match deadline.bound(self.client.execute(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(failure::before_answer(&error, url, self.connect_timeout)),
            Err(Elapsed) => {
                return Err(failure::failure(ErrorClass::Timeout, format!("no answer within {:?}", self.timeout)));
            }
        };
        let mut answer = head(&response)?;
        let mut reader = Reader::new(response, &mut deadline, &self.budget);
        if answer.is_redirect() {
            reader.skip().await;
        } else {
            answer.body = reader.body().await?;
        }
        answer.wire_bytes = reader.received();
        Ok(answer)
    }
}

/// The answer to come: all but its body.
fn head(response: &Response) -> Result<Answer, Failure> {
    let protocol = |message: String| failure::failure(ErrorClass::Protocol, message);
    // Other informational answers never reach us; this one would leave HTTP.
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(protocol("the answer switches to another protocol, which nobody asked for".to_owned()));
    }
    let http_version = match response.version() {
        Version::HTTP_10 => HttpVersion::Http10,
        Version::HTTP_11 => HttpVersion::Http11,
        Version::HTTP_2 => HttpVersion::Http2,
        other => return Err(protocol(format!("the answer came in {other:?}"))),
    };
    let header = |name: HeaderName| response.headers().get(name).map(|value| value.as_bytes().to_vec());
    Ok(Answer {
        status: response.status().as_u16(),
        http_version,
        content_type: header(CONTENT_TYPE).map(|value| String::from_utf8_lossy(&value).into_owned()),
        location: header(LOCATION),
        retry_after: header(RETRY_AFTER),
        etag: header(ETAG),
        last_modified: header(LAST_MODIFIED),
        x_robots_tag: Vec::new(),
        skipped: None,
        body: Body::default(),
        wire_bytes: 0,
        remote_addr: response.remote_addr(),
    })
}

/// The headers of every request: the defaults, then the user's.
fn headers(options: &HttpOptions) -> Result<HeaderMap, HttpError> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(coding::ACCEPTED));
    headers.insert(USER_AGENT, value(USER_AGENT.as_str(), &options.user_agent)?);
    let mut own = HeaderMap::new();
    for (name, text) in &options.headers {
        let parsed: HeaderName = name.trim().parse().map_err(|_| HttpError::HeaderName(name.clone()))?;
        if RESERVED.contains(&parsed.as_str()) {
            return Err(HttpError::Reserved(name.clone()));
        }
        let mut value = value(name, text)?;
        value.set_sensitive(true);
        own.append(parsed, value);
    }
    headers.extend(own);
    Ok(headers)
}

fn value(name: &str, text: &str) -> Result<HeaderValue, HttpError> {
    HeaderValue::from_str(text.trim()).map_err(|_| HttpError::HeaderValue(name.to_owned()))
}

#[cfg(test)]
mod tests;
