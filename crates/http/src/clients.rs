//! The clients behind one [`Http`](super::Http): one for each way to connect, made when first needed.
//!
//! A client keeps connections of its own, so what tells clients apart is what no connection may be shared across:
//! whether its hosts may be private ones, whether certificates count, who we are, and through which proxy.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Client, Proxy};
use url::{Host, Url};

use super::body::STREAM_WINDOW;
use super::failure::{failure, is_no_way};
use super::resolver::{Guard, Names};
use super::tls::{Checks, PemError, Trust};
use super::{HttpOptions, MAX_PROBES, address, first};
use seine_core::record::{ErrorClass, Failure};
use seine_core::values::{HttpChoice, Networks, ProxyUrl};

/// Header lines accepted in an answer; hyper alone stops at 100, and real sites send more.
const MAX_HEADERS: usize = 512;

/// Bytes of headers accepted over HTTP/2, close to what HTTP/1.1 gets (408 KiB, hyper's read buffer).
const MAX_HEADER_BYTES: u32 = 384 * 1024;

/// One way to connect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Way {
    /// To a host of the user's own list.
    pub(super) listed: bool,
    /// Certificates of its hosts are not checked.
    pub(super) insecure: bool,
    /// With this certificate and key of ours.
    pub(super) identity: Option<PathBuf>,
    /// To the addresses of this entry of `--resolve`.
    pub(super) pin: Option<usize>,
    /// Through this proxy.
    pub(super) proxy: Option<ProxyUrl>,
    /// In these versions of HTTP.
    pub(super) http: HttpChoice,
    /// On a connection that nothing else has used or will use.
    pub(super) fresh: bool,
}

/// The addresses given by hand for one host and port.
#[derive(Debug)]
struct Pin {
    host: String,
    port: u16,
    addresses: Arc<[IpAddr]>,
}

/// The clients made so far and what others are made of.
#[derive(Debug)]
pub(super) struct Clients {
    made: Mutex<HashMap<Way, Client>>,
    trust: Trust,
    names: Arc<Names>,
    pub(super) networks: Arc<Networks>,
    pins: Vec<Pin>,
    pub(super) connect_timeout: Duration,
    idle_per_host: usize,
    idle_time: Duration,
}

impl Clients {
    pub(super) fn new(options: &HttpOptions, trust: Trust, names: Names) -> Self {
        let mut pins: Vec<Pin> = Vec::new();
        for entry in &options.resolve {
            let addresses =
                options.resolve.iter().filter(|other| (&other.host, other.port) == (&entry.host, entry.port));
            pins.push(Pin {
                host: entry.host.clone(),
                port: entry.port,
                addresses: addresses.map(|entry| entry.address).collect(),
            });
        }
        Self {
            made: Mutex::default(),
            trust,
            names: Arc::new(names),
            networks: Arc::new(options.networks.clone()),
            pins,
            connect_timeout: options.connect_timeout,
            idle_per_host: options.host_concurrency.max(1),
            idle_time: options.idle_time,
        }
    }

    /// The entry of `--resolve` that is for `url`.
    pub(super) fn pin(&self, url: &Url) -> Option<usize> {
        let is_for = |pin: &Pin| url.host_str() == Some(&pin.host) && url.port_or_known_default() == Some(pin.port);
        self.pins.iter().position(is_for)
    }

    /// The resolver for this way: names, and the addresses that may be connected to.
    pub(super) fn guard(&self, way: &Way) -> Guard {
        let pin = way.pin.and_then(|pin| self.pins.get(pin));
        Guard {
            names: self.names.clone(),
            networks: self.networks.clone(),
            listed: way.listed,
            pinned: pin.map(|pin| (pin.host.clone(), pin.addresses.clone())),
            proxy: way.proxy.as_ref().and_then(|proxy| proxy.url().host_str()).map(str::to_owned),
        }
    }

    /// Whether the resolver still owes an answer about `name`.
    pub(super) fn is_asking(&self, name: &str) -> bool {
        self.names.is_asking(name)
    }

    /// Whether the resolver has an answer about the host of `url` now, and the way to its addresses is open: somebody
    /// takes the connection or refuses it. `guarded` hosts are connected to only where requests would be.
    pub(super) async fn reaches(&self, url: &Url, guarded: bool) -> bool {
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else { return false };
        let addresses = match (self.pin(url), host) {
            (Some(pin), _) => self.pins[pin].addresses.to_vec(),
            (None, Host::Ipv4(ip)) => vec![ip.into()],
            (None, Host::Ipv6(ip)) => vec![ip.into()],
            (None, Host::Domain(name)) => match self.names.ask_afresh(name).await {
                Ok(addresses) => addresses,
                // The resolver says that there is no such name, so it can be reached.
                Err(none) => return !none.is_temporary,
            },
        };
        let is_open = |ip: &IpAddr| !guarded || address::judge(*ip, true, &self.networks).is_ok();
        let tries = addresses.into_iter().filter(is_open).take(MAX_PROBES).map(|ip| async move {
            match tokio::net::TcpStream::connect((ip, port)).await {
                Err(error) if is_no_way(error.kind()) || error.kind() == ErrorKind::TimedOut => None,
                Ok(_) | Err(_) => Some(()),
            }
        });
        first(tries).await.is_some()
    }

    /// The client for `way`.
    ///
    /// # Errors
    /// If there is none, since a certificate or proxy of the user's is no good.
    pub(super) fn get(&self, way: &Way) -> Result<Client, Failure> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(way) {
            return Ok(client.clone());
        }
        let client = self.make(way)?;
        made.insert(way.clone(), client.clone());
        Ok(client)
    }

    /// Whether the file at `path` holds a certificate and its key.
    ///
    /// # Errors
    /// [`PemError`] with the mistake.
    pub(super) fn check_identity(&self, path: &Path) -> Result<(), PemError> {
        self.trust.config(Checks::All, Some(path), HttpChoice::Auto).map(drop)
    }

    fn make(&self, way: &Way) -> Result<Client, Failure> {
        let checks = match way.insecure {
            false => Checks::All,
            true => Checks::NoneBut(way.proxy.as_ref().and_then(|proxy| proxy.url().host_str()).map(str::to_owned)),
        };
        let tls = self.trust.config(checks, way.identity.as_deref(), way.http);
        let tls =
            tls.map_err(|error| failure(ErrorClass::Tls, format!("cannot use the client certificate {error}")))?;
        let builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(self.guard(way)))
            .connect_timeout(self.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .tcp_nodelay(true)
            .pool_max_idle_per_host(if way.fresh { 0 } else { self.idle_per_host })
            .pool_idle_timeout(self.idle_time)
            .http1_max_headers(MAX_HEADERS)
            // As RFC 9112 §5.1 and §5.2 have it for user agents; a line that is no field at all costs itself alone.
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .http2_max_header_list_size(MAX_HEADER_BYTES)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            // No limit of its own: bodies that wait for a permit would use up a shared window, and with it
            // starve the very body they wait for.
            .http2_initial_connection_window_size(i32::MAX as u32);
        let builder = match way.http {
            HttpChoice::Auto => builder,
            HttpChoice::One => builder.http1_only(),
            HttpChoice::Two => builder.http2_prior_knowledge(),
        };
        let builder = match &way.proxy {
            None => builder,
            Some(proxy) => {
                // Neither error repeats the URL: it may hold a password.
                let unusable = || failure(ErrorClass::Proxy, format!("the proxy {proxy} cannot be used"));
                // The client takes a proxy it cannot read for none at all and would connect directly.
                let matcher = Matcher::builder().all(proxy.url().as_str()).build();
                if matcher.intercept(&Uri::from_static("http://a/")).is_none() {
                    return Err(unusable());
                }
                builder.proxy(Proxy::all(proxy.url().clone()).map_err(|_| unusable())?)
            }
        };
        builder.build().map_err(|error| failure(ErrorClass::Protocol, format!("cannot make a client: {error}")))
    }
}
