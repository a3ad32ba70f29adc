//! The client against servers that behave, and against servers that do not: raw sockets on loopback.

mod answers;
mod failures;
mod guard;
mod headers;
mod jar;
mod limits;
mod proxied;
mod requests;
mod reused;
mod secure;

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use self::resolver::NoAnswer;
use self::secure::authority_roots;
use super::*;
use seine_core::policy::Proxies;

/// Patience of tests in which nothing is slow.
const AMPLE: Duration = Duration::from_secs(30);
/// Patience of tests that wait for it to end.
const BRIEF: Duration = Duration::from_millis(300);

fn options() -> HttpOptions {
    HttpOptions {
        idle_time: Duration::from_secs(10),
        user_agent: "seine-test/1 (+https://example.org/bot)".into(),
        headers: Vec::new(),
        timeout: AMPLE,
        connect_timeout: AMPLE,
        max_body_bytes: 4 << 20,
        host_concurrency: 8,
        large_bodies: 2,
        min_speed: 0,
        accept_types: Vec::new(),
        resolve: Vec::new(),
        networks: Networks::default(),
        proxies: Vec::new(),
        ca_certs: Vec::new(),
        cookie_file: None,
        keep_headers: true,
    }
}

fn policy() -> HostPolicy {
    HostPolicy {
        delay: Duration::ZERO,
        concurrency: 8,
        limit: 0,
        headers: Vec::new(),
        authorization: None,
        cookies: false,
        robots: true,
        proxies: Proxies::Common,
        insecure: false,
        client_cert: None,
        http: HttpChoice::Auto,
    }
}

fn policy_with(change: impl FnOnce(&mut HostPolicy)) -> HostPolicy {
    let mut policy = policy();
    change(&mut policy);
    policy
}

/// A request for a page of a listed host.
fn ask<'a>(url: &'a Url, policy: &'a HostPolicy) -> Ask<'a> {
    Ask {
        url,
        policy,
        listed: true,
        elsewhere: false,
        method: &Method::GET,
        body: None,
        validators: None,
        is_last: false,
        want: Want::Page,
        grows: None,
    }
}

impl Http {
    /// A page of a listed host without rules.
    async fn get(&self, url: &Url) -> Result<Answer, Failure> {
        self.request(&ask(url, &policy())).await.answer
    }
}

fn client(change: impl FnOnce(&mut HttpOptions)) -> Http {
    let mut options = options();
    change(&mut options);
    Http::build(&options, authority_roots, resolver::system()).unwrap()
}

/// A client for which every name has the addresses that `look_up` tells.
fn client_where(
    look_up: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static,
    change: impl FnOnce(&mut HttpOptions),
) -> Http {
    let mut options = options();
    change(&mut options);
    let look_up: LookUp = Arc::new(move |name| {
        let found = look_up(&name);
        Box::pin(async move {
            if found.is_empty() {
                Err(NoAnswer { message: "no such name".to_owned(), is_temporary: false })
            } else {
                Ok(found)
            }
        })
    });
    Http::build(&options, authority_roots, look_up).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A server whose every connection runs one task; dropping it ends them all.
struct Site {
    port: u16,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Site {
    async fn new<F: Future<Output = ()> + Send>(serve: impl Fn(Peer) -> F + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let accepting = tokio::spawn(async move {
            let mut tasks = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let number = count.fetch_add(1, Ordering::SeqCst);
                let serve = serve.clone();
                tasks.spawn(async move { serve(Peer { stream, number }).await });
            }
        });
        Self { port, connections, accepting }
    }

    /// A server that gives the first request of each connection these bytes, then closes.
    async fn says(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Arc::new(answer.into());
        Self::new(move |mut peer| {
            let answer = answer.clone();
            async move {
                peer.request().await;
                peer.write(&answer).await;
                peer.close().await;
            }
        })
        .await
    }

    fn url(&self, path: &str) -> Url {
        format!("http://127.0.0.1:{}{path}", self.port).parse().unwrap()
    }

    fn tls_url(&self, host: &str) -> Url {
        format!("https://{host}:{}/", self.port).parse().unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One connection, from the server's side.
struct Peer {
    stream: TcpStream,
    number: usize,
}

impl Peer {
    /// The head of the next request; empty when there is none.
    async fn request(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return String::new(),
            }
        }
        String::from_utf8(head).unwrap()
    }

    /// Writes as much as the client takes: whether it took all.
    async fn write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Says that nothing more will come, and waits for the client to do the same: no reset.
    async fn close(mut self) {
        let _ = self.stream.shutdown().await;
        let _ = tokio::io::copy(&mut self.stream, &mut tokio::io::sink()).await;
    }

    fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }

    /// Keeps the connection open and silent until the client gives up.
    async fn hang(mut self) {
        let _ = tokio::io::copy(&mut self.stream, &mut tokio::io::sink()).await;
    }
}

fn page(body: &[u8]) -> Vec<u8> {
    encoded("identity", body)
}

fn encoded(coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

async fn answer(site: &Site) -> Answer {
    client(|_| ()).get(&site.url("/")).await.unwrap()
}

async fn failure_of(http: &Http, url: &Url) -> (ErrorClass, String) {
    let failure = http.get(url).await.expect_err("this server gives no whole answer");
    (failure.class, failure.message)
}

#[track_caller]
fn assert_failure(actual: &(ErrorClass, String), class: ErrorClass, message: &str) {
    assert!(actual.0 == class && actual.1.contains(message), "{actual:?} is not {class:?} with {message:?}");
}

/// What becomes of an answer of these bytes.
async fn failure_from(bytes: impl Into<Vec<u8>>) -> (ErrorClass, String) {
    let site = Site::says(bytes).await;
    failure_of(&client(|_| ()), &site.url("/")).await
}
