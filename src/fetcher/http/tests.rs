//! The client against servers that behave, and against servers that do not: raw sockets on loopback.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;

/// Patience of tests in which nothing is slow.
const AMPLE: Duration = Duration::from_secs(30);
/// Patience of tests that wait for it to end.
const BRIEF: Duration = Duration::from_millis(300);

fn options() -> HttpOptions {
    HttpOptions {
        user_agent: "seine-test/1 (+https://example.org/bot)".into(),
        headers: Vec::new(),
        timeout: AMPLE,
        connect_timeout: AMPLE,
        max_body_bytes: 4 << 20,
        host_concurrency: 8,
        large_bodies: 2,
    }
}

fn client(change: impl FnOnce(&mut HttpOptions)) -> Http {
    let mut options = options();
    change(&mut options);
    Http::with_roots(&options, authority_roots).unwrap()
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
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
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

// Whole answers.

#[tokio::test]
async fn an_answer_carries_what_the_record_needs() {
    let site = Site::says(
        "HTTP/1.1 404 Not Here\r\nContent-Type: text/html; charset=\"caf\u{e9}\"\r\nRetry-After: 120\r\n\
         ETag: W/\"a\"\r\nLast-Modified: Sat, 01 Jan 2022 00:00:00 GMT\r\nContent-Length: 5\r\n\r\nhello",
    )
    .await;
    let answer = answer(&site).await;
    assert_eq!((answer.status, answer.http_version.name()), (404, "HTTP/1.1"));
    assert_eq!(answer.content_type.as_deref(), Some("text/html; charset=\"caf\u{e9}\""));
    assert_eq!(answer.retry_after.as_deref(), Some(&b"120"[..]));
    assert_eq!(answer.etag.as_deref(), Some(&b"W/\"a\""[..]));
    assert_eq!(answer.last_modified.as_deref(), Some(&b"Sat, 01 Jan 2022 00:00:00 GMT"[..]));
    assert_eq!((answer.location.as_deref(), answer.is_redirect()), (None, false));
    assert_eq!((&answer.body[..], answer.wire_bytes), (&b"hello"[..], 5));
    assert_eq!(answer.remote_addr, Some((Ipv4Addr::LOCALHOST, site.port).into()));
}

#[tokio::test]
async fn every_way_to_end_a_body_is_understood() {
    for (bytes, body) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", ""),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\nContent-Encoding: gzip\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Encoding: gzip\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"),
        ("HTTP/1.0 200 OK\r\n\r\nuntil the end", "until the end"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", "abcde"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailer: 1\r\n\r\n", "a"),
        ("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        ("HTTP/1.1 200 \r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", "ok"),
    ] {
        assert_eq!(&answer(&Site::says(bytes).await).await.body[..], body.as_bytes(), "{bytes}");
    }
}

#[tokio::test]
async fn encoded_bodies_arrive_decoded() {
    let text = "seine ".repeat(10_000);
    let zlib = {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    for (coding, wire) in [
        ("gzip", gzip(text.as_bytes())),
        ("deflate", zlib),
        ("zstd", zstd::encode_all(text.as_bytes(), 3).unwrap()),
        ("gzip, gzip", gzip(&gzip(text.as_bytes()))),
        ("utf-8", text.clone().into_bytes()),
    ] {
        let answer = answer(&Site::says(encoded(coding, &wire)).await).await;
        assert_eq!(answer.wire_bytes, wire.len() as u64);
        assert!(answer.body[..] == *text.as_bytes(), "{coding}");
    }
    // Stored brotli, as its reference encoder writes five bytes.
    let answer = answer(&Site::says(encoded("br", b"\x0b\x02\x80hello\x03")).await).await;
    assert_eq!(&answer.body[..], b"hello");
}

#[tokio::test]
async fn large_bodies_arrive_whole_in_every_framing() {
    let body: Vec<u8> = (0..600_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let chunked = {
        let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in body.chunks(70_001) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    };
    let closed = [b"HTTP/1.1 200 OK\r\n\r\n", &body[..]].concat();
    for bytes in
        [page(&body), chunked, closed, encoded("gzip", &gzip(&body)), encoded("gzip", &gzip(&vec![7; 300_000]))]
    {
        let answer = answer(&Site::says(bytes).await).await;
        assert!(answer.body.is_large());
        assert!(answer.body[..] == body[..] || answer.body[..] == vec![7; 300_000][..]);
    }
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_passes() {
    let http = client(|options| options.max_body_bytes = 1000);
    for bytes in [page(&[1; 1000]), encoded("gzip", &gzip(&[1; 1000])), {
        [b"HTTP/1.1 200 OK\r\n\r\n", &[1; 1000][..]].concat()
    }] {
        assert_eq!(http.get(&Site::says(bytes).await.url("/")).await.unwrap().body.len(), 1000);
    }
}

#[tokio::test]
async fn three_hundred_headers_pass_and_a_flood_is_refused() {
    let headers = |count: usize, bytes: usize| {
        let value = "v".repeat(bytes);
        let lines: String = (0..count).map(|n| format!("X-{n}: {value}\r\n")).collect();
        format!("HTTP/1.1 200 OK\r\n{lines}Content-Length: 2\r\n\r\nok")
    };
    assert_eq!(&answer(&Site::says(headers(300, 20)).await).await.body[..], b"ok");
    assert_eq!(&answer(&Site::says(headers(10, 30_000)).await).await.body[..], b"ok");
    assert_failure(&failure_from(headers(600, 20)).await, ErrorClass::Protocol, "too large");
    assert_failure(&failure_from(headers(20, 30_000)).await, ErrorClass::Protocol, "too large");
}

#[tokio::test]
async fn requests_reuse_their_connection() {
    let site = Site::new(|mut peer| async move {
        loop {
            let answer = match &peer.request().await {
                head if head.is_empty() => return,
                head if head.starts_with("GET /moved ") => {
                    format!("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 9\r\n\r\n{}", "x".repeat(9))
                        .into_bytes()
                }
                head if head.starts_with("GET /gzip ") => encoded("gzip", &gzip(b"page")),
                _ => page(b"page"),
            };
            peer.write(&answer).await;
        }
    })
    .await;
    let http = client(|_| ());
    for path in ["/", "/gzip", "/moved", "/gzip", "/"] {
        http.get(&site.url(path)).await.unwrap();
    }
    assert_eq!(site.connections(), 1);
}

#[tokio::test]
async fn bytes_behind_a_body_are_never_another_pages_answer() {
    let site = Site::new(|mut peer| async move {
        let number = peer.number;
        while !peer.request().await.is_empty() {
            let answer = [page(format!("page of connection {number}").as_bytes()), page(b"smuggled")].concat();
            peer.write(&answer).await;
        }
    })
    .await;
    let http = client(|_| ());
    for number in 0..10 {
        let answer = http.get(&site.url("/")).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&answer.body), format!("page of connection {number}"));
    }
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_no_failure() {
    let closed = Arc::new(Semaphore::new(0));
    let signal = closed.clone();
    let site = Site::new(move |mut peer| {
        let signal = signal.clone();
        async move {
            peer.request().await;
            peer.write(&page(b"once")).await;
            let _ = peer.stream.shutdown().await;
            signal.add_permits(1);
            peer.hang().await;
        }
    })
    .await;
    let http = client(|_| ());
    for _ in 0..5 {
        assert_eq!(&http.get(&site.url("/")).await.unwrap().body[..], b"once");
        closed.acquire().await.unwrap().forget();
        // The end is on this machine already; each turn lets the client's task look at its socket.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(site.connections(), 5);
}

#[tokio::test]
async fn a_redirect_is_an_answer_whose_body_nobody_reads() {
    for (head, rest) in [
        ("HTTP/1.1 301 Moved\r\nContent-Length: 100000000\r\n", vec![b'x'; 100_000]),
        ("HTTP/1.1 302 Found\r\nContent-Length: 10\r\n", b"cut".to_vec()),
        ("HTTP/1.1 307 Temporary\r\nTransfer-Encoding: chunked\r\n", b"zz\r\n".to_vec()),
        ("HTTP/1.1 308 Permanent\r\nContent-Encoding: gzip\r\n", b"no gzip".to_vec()),
    ] {
        let head = format!("{head}Location: /caf\u{e9}?q#f\r\n\r\n");
        let answer = answer(&Site::says([head.as_bytes(), &rest].concat()).await).await;
        assert!(answer.is_redirect());
        assert_eq!(answer.location.as_deref(), Some("/caf\u{e9}?q#f".as_bytes()));
        assert!(answer.body.is_empty());
        assert!(answer.wire_bytes <= 100_000, "{}", answer.wire_bytes);
    }
}

#[tokio::test]
async fn a_redirect_with_an_endless_body_does_not_wait_for_it() {
    let site = Site::new(|mut peer| async move {
        peer.request().await;
        peer.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 10\r\n\r\n").await;
        peer.hang().await;
    })
    .await;
    let answer = client(|options| options.timeout = BRIEF).get(&site.url("/")).await.unwrap();
    assert_eq!(answer.status, 302);
}

#[tokio::test]
async fn a_redirect_status_without_a_location_keeps_its_body() {
    let answer = answer(&Site::says("HTTP/1.1 302 Found\r\nContent-Length: 4\r\n\r\nwhat").await).await;
    assert_eq!((answer.is_redirect(), &answer.body[..]), (false, &b"what"[..]));
}

// The request.

async fn request_for(http: &Http, path: &str) -> String {
    let heads = Arc::new(OnceLock::new());
    let seen = heads.clone();
    let site = Site::new(move |mut peer| {
        let seen = seen.clone();
        async move {
            let _ = seen.set(peer.request().await);
            peer.write(&page(b"")).await;
            peer.close().await;
        }
    })
    .await;
    http.get(&site.url(path)).await.unwrap();
    let head = heads.get().unwrap().clone();
    head.replace(&site.port.to_string(), "PORT")
}

#[tokio::test]
async fn the_request_is_the_url_as_serialised() {
    let http = client(|_| ());
    let all: String = (0x21..0x7f).filter(|c| !b"?#/\\".contains(c)).map(char::from).collect();
    for path in ["/", "/a/../b//c/.", "/%7Euser/%c3%A9/\u{e9}", &format!("/{all}?{all}"), "/?", "/x#fragment"] {
        let url: Url = format!("http://127.0.0.1{path}").parse().unwrap();
        let sent = request_for(&http, path).await;
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        assert_eq!(sent.lines().next(), Some(&format!("GET {target} HTTP/1.1")[..]));
    }
}

#[tokio::test]
async fn headers_are_the_defaults_and_the_users() {
    let lines = |head: String| -> Vec<String> {
        let mut lines: Vec<_> = head.lines().skip(1).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(
        lines(request_for(&client(|_| ()), "/").await),
        [
            "accept-encoding: gzip, deflate, br, zstd",
            "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "host: 127.0.0.1:PORT",
            "user-agent: seine-test/1 (+https://example.org/bot)",
        ]
    );
    let http = client(|options| {
        options.headers = [("Accept", "*/*"), ("X-Two", "1"), ("x-two", "2"), ("User-Agent", "other")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
    });
    assert_eq!(
        lines(request_for(&http, "/").await),
        [
            "accept-encoding: gzip, deflate, br, zstd",
            "accept: */*",
            "host: 127.0.0.1:PORT",
            "user-agent: other",
            "x-two: 1",
            "x-two: 2",
        ]
    );
}

#[test]
fn a_bad_header_is_named_without_its_value() {
    let error = |name: &str, value: &str| {
        let mut options = options();
        options.headers = vec![(name.to_owned(), value.to_owned())];
        Http::new(&options).unwrap_err().to_string()
    };
    assert_eq!(error("X Y", "secret"), "invalid header name \"X Y\"");
    let message = error("Cookie", "secret\r\nX: y");
    assert!(message.starts_with("invalid value for header \"Cookie\"") && !message.contains("secret"), "{message}");
    assert_eq!(error("Content-Length", "5"), "header \"Content-Length\" cannot be set; it belongs to the connection");
    assert!(
        !format!("{:?}", client(|options| options.headers = vec![("Cookie".into(), "secret".into())]))
            .contains("secret")
    );
}

// No connection.

#[tokio::test]
async fn a_name_that_does_not_resolve_is_dns() {
    // Too long for a name, so that no resolver is asked.
    let url: Url = format!("http://{}.invalid/", "a".repeat(64)).parse().unwrap();
    let failure = failure_of(&client(|_| ()), &url).await;
    assert_failure(&failure, ErrorClass::Dns, "cannot resolve aaaa");
}

#[tokio::test]
async fn a_refused_connection_is_connect() {
    // Bound and not listening: nobody else can take the port.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    for scheme in ["http", "https"] {
        let failure = failure_of(&client(|_| ()), &format!("{scheme}://127.0.0.1:{port}/").parse().unwrap()).await;
        let message = format!("cannot connect to 127.0.0.1:{port}: connection refused");
        assert_eq!(failure, (ErrorClass::Connect, message));
    }
}

#[tokio::test]
async fn a_connection_that_takes_too_long_is_timeout() {
    let site = Site::new(Peer::hang).await;
    let http = client(|options| options.connect_timeout = BRIEF);
    let failure = failure_of(&http, &site.tls_url("127.0.0.1")).await;
    assert_eq!(failure, (ErrorClass::Timeout, "no connection to 127.0.0.1 within 300ms".into()));
}

// No answer.

#[tokio::test]
async fn no_answer_in_time_is_timeout() {
    let site = Site::new(|mut peer| async move {
        peer.request().await;
        peer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ").await;
        peer.hang().await;
    })
    .await;
    let failure = failure_of(&client(|options| options.timeout = BRIEF), &site.url("/")).await;
    assert_eq!(failure, (ErrorClass::Timeout, "no answer within 300ms".into()));
}

#[tokio::test]
async fn a_close_before_the_answer_is_reset() {
    for bytes in ["", "HTTP/1.1 200 OK\r\nContent-"] {
        assert_failure(
            &failure_from(bytes).await,
            ErrorClass::Reset,
            "127.0.0.1 closed the connection before its answer",
        );
    }
}

#[tokio::test]
async fn a_reset_before_the_answer_is_reset() {
    let site = Site::new(|mut peer| async move {
        peer.request().await;
        peer.reset();
    })
    .await;
    let failure = failure_of(&client(|_| ()), &site.url("/")).await;
    assert_failure(&failure, ErrorClass::Reset, "127.0.0.1 reset the connection before its answer");
}

#[tokio::test]
async fn what_is_not_http_is_protocol() {
    for bytes in [
        "<html>HTTP/0.9 lives</html>",
        "SSH-2.0-OpenSSH_9.6\r\n",
        "HTTP/1.1 20x OK\r\n\r\n",
        "HTTP/3.7 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ] {
        let failure = failure_from(bytes).await;
        assert_failure(&failure, ErrorClass::Protocol, "the answer ");
    }
}

#[tokio::test]
async fn a_server_that_speaks_first_is_protocol() {
    let site = Site::new(|mut peer| async move {
        peer.write(b"220 mail.example ESMTP\r\n").await;
        peer.close().await;
    })
    .await;
    let failure = failure_of(&client(|_| ()), &site.url("/")).await;
    assert_failure(&failure, ErrorClass::Protocol, "the answer of 127.0.0.1 is not HTTP");
}

// No whole body.

#[tokio::test]
async fn a_body_that_trickles_past_the_limit_is_timeout() {
    let site = Site::new(|mut peer| async move {
        peer.request().await;
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await;
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        while peer.write(b"x").await {
            tick.tick().await;
        }
    })
    .await;
    let failure = failure_of(&client(|options| options.timeout = BRIEF), &site.url("/")).await;
    assert_failure(&failure, ErrorClass::Timeout, "body not complete within 300ms, ");
}

#[tokio::test]
async fn a_body_that_ends_early_is_truncated() {
    for (bytes, message) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour", "after 4 of 10 bytes"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "after 0 of 10 bytes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "early, after 0 bytes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfive!\r\n", "early, after 5 bytes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfi", "early, after 2 bytes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", "early, after 1 bytes"),
    ] {
        assert_failure(&failure_from(bytes).await, ErrorClass::Truncated, message);
    }
}

#[tokio::test]
async fn an_encoded_body_that_ends_early_is_truncated() {
    let noise: Vec<u8> = (0..150_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for text in [&b"a page"[..], &noise] {
        for (coding, wire) in [("gzip", gzip(text)), ("zstd", zstd::encode_all(text, 1).unwrap())] {
            let failure = failure_from(encoded(coding, &wire[..wire.len() - 1])).await;
            assert_failure(&failure, ErrorClass::Truncated, &format!("the {coding} data of the body ends early"));
        }
    }
}

#[tokio::test]
async fn a_reset_in_the_body_is_reset() {
    let site = Site::new(|mut peer| async move {
        peer.request().await;
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour").await;
        peer.reset();
    })
    .await;
    let failure = failure_of(&client(|_| ()), &site.url("/")).await;
    assert_failure(&failure, ErrorClass::Reset, "connection reset after 4 bytes of the body");
}

#[tokio::test]
async fn broken_chunks_are_protocol() {
    for chunks in ["zz\r\nx\r\n", "5\r\nfive!six", "ffffffffffffffffff\r\n"] {
        let failure = failure_from(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")).await;
        assert_failure(&failure, ErrorClass::Protocol, "broken chunks after");
    }
}

#[tokio::test]
async fn a_body_in_no_known_encoding_is_encoding() {
    for (coding, body) in
        [("gzip", "<html>plain</html>"), ("zstd", "<html>plain</html>"), ("br", "\u{7f}\u{7f}\u{7f}\u{7f}")]
    {
        let failure = failure_from(encoded(coding, body.as_bytes())).await;
        assert_failure(&failure, ErrorClass::Encoding, &format!("the body is not valid {coding} data"));
    }
    let failure = failure_from(encoded("compress", b"x")).await;
    assert_failure(&failure, ErrorClass::Encoding, "nobody here can undo the encoding \"compress\"");
}

// The limits on size.

#[tokio::test]
async fn a_body_beyond_the_limit_is_too_large() {
    let http = client(|options| options.max_body_bytes = 1000);
    for bytes in [
        page(&[1; 1001]),
        encoded("gzip", &gzip(&[1; 1001])),
        encoded("gzip", &gzip(&vec![0; 300_000])),
        [b"HTTP/1.1 200 OK\r\n\r\n", &[1; 1001][..]].concat(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n".to_vec(),
    ] {
        let failure = failure_of(&http, &Site::says(bytes).await.url("/")).await;
        assert_eq!(failure, (ErrorClass::TooLarge, "the body passes the limit of 1000 bytes (--max-body)".into()));
    }
}

#[tokio::test]
async fn an_endless_body_is_left_as_soon_as_it_passes_the_limit() {
    // Zeros by the million, plain; as one gzip member after the other; and as zstd frames of nothing.
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 0, 0x10, 0, 0][..], &[0; 4096]].concat();
    for (coding, piece) in [("identity", vec![0; 4096]), ("gzip", gzip(&vec![0; 100_000])), ("zstd", skippable)] {
        let sent = Arc::new(AtomicUsize::new(0));
        let (count, piece) = (sent.clone(), Arc::new(piece));
        let site = Site::new(move |mut peer| {
            let (count, piece) = (count.clone(), piece.clone());
            async move {
                peer.request().await;
                peer.write(format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n").as_bytes()).await;
                while peer.write(&piece).await {
                    count.fetch_add(piece.len(), Ordering::SeqCst);
                }
            }
        })
        .await;
        let failure = failure_of(&client(|options| options.max_body_bytes = 1 << 20), &site.url("/")).await;
        assert_eq!(failure.0, ErrorClass::TooLarge, "{coding}: {failure:?}");
        // What the limit allows, and what the sockets of both sides hold.
        assert!(sent.load(Ordering::SeqCst) < 12 << 20, "{coding}: {}", sent.load(Ordering::SeqCst));
    }
}

// The memory budget.

#[tokio::test]
async fn many_large_bodies_share_one_permit_without_deadlock() {
    let plain = page(&vec![3; 400_000]);
    let packed = encoded("gzip", &gzip(&vec![3; 400_000]));
    let site = Site::new(move |mut peer| {
        let answer = if peer.number.is_multiple_of(2) { plain.clone() } else { packed.clone() };
        async move {
            peer.request().await;
            peer.write(&answer).await;
            peer.close().await;
        }
    })
    .await;
    let http = client(|options| options.large_bodies = 1);
    let large = AtomicUsize::new(0);
    let downloads = (0..8).map(|_| async {
        let body = http.get(&site.url("/")).await.unwrap().body;
        assert_eq!(large.fetch_add(1, Ordering::SeqCst), 0, "two large bodies at a time");
        tokio::task::yield_now().await;
        assert_eq!((body.len(), body.is_large()), (400_000, true));
        large.fetch_sub(1, Ordering::SeqCst);
        drop(body);
    });
    futures_util::future::join_all(downloads).await;
}

#[tokio::test]
async fn waiting_for_a_permit_does_not_count_against_the_limit() {
    let site = Site::says(page(&vec![3; 2_000_000])).await;
    let http = client(|options| {
        options.large_bodies = 1;
        options.timeout = BRIEF;
    });
    let first = http.get(&site.url("/")).await.unwrap();
    let url = site.url("/");
    let second = http.get(&url);
    let release = async {
        tokio::time::sleep(BRIEF * 2).await;
        drop(first);
    };
    let (second, ()) = tokio::join!(second, release);
    assert_eq!(second.unwrap().body.len(), 2_000_000);
}

#[tokio::test]
async fn small_bodies_pass_while_every_permit_is_taken() {
    let large = Site::says(page(&vec![3; SMALL + 1])).await;
    let http = client(|options| options.large_bodies = 1);
    let held = http.get(&large.url("/")).await.unwrap();
    assert!(held.body.is_large());
    for bytes in [page(&vec![3; SMALL]), encoded("gzip", &gzip(&vec![3; SMALL]))] {
        let small = http.get(&Site::says(bytes).await.url("/")).await.unwrap();
        assert_eq!((small.body.len(), small.body.is_large()), (SMALL, false));
    }
}

#[tokio::test]
async fn a_failed_or_dropped_download_gives_its_permit_back() {
    let cut = Site::says("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\ncut").await;
    let asked = Arc::new(Semaphore::new(0));
    let signal = asked.clone();
    let stuck = Site::new(move |mut peer| {
        let signal = signal.clone();
        async move {
            peer.request().await;
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").await;
            signal.add_permits(1);
            peer.hang().await;
        }
    })
    .await;
    let whole = Site::says(page(&vec![3; 1_000_000])).await;
    let http = client(|options| options.large_bodies = 1);
    assert_failure(&failure_of(&http, &cut.url("/")).await, ErrorClass::Truncated, "3 of 1000000");
    let url = stuck.url("/");
    tokio::select! {
        _ = http.get(&url) => panic!("this server never ends its answer"),
        _ = asked.acquire() => {}
    }
    assert_eq!(http.get(&whole.url("/")).await.unwrap().body.len(), 1_000_000);
}

// TLS and HTTP/2.

struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    roots: Arc<rustls::RootCertStore>,
}

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| {
        let mut params = rcgen::CertificateParams::new([]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(params.self_signed(&key).unwrap().der().clone()).unwrap();
        Authority { issuer: rcgen::Issuer::new(params, key), roots: Arc::new(roots) }
    })
}

fn authority_roots() -> Arc<rustls::RootCertStore> {
    authority().roots.clone()
}

/// A TLS server with a certificate for `name` that ends in `year`.
fn acceptor(name: &str, year: i32, protocols: &[&str]) -> tokio_rustls::TlsAcceptor {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(year, 1, 1);
    let certificate = params.signed_by(&key, &authority().issuer).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config).into()
}

async fn tls_site(name: &str, year: i32, answer: impl Into<Vec<u8>>, notify: bool) -> Site {
    let acceptor = acceptor(name, year, &["http/1.1"]);
    let answer = Arc::new(answer.into());
    Site::new(move |peer| {
        let (acceptor, answer) = (acceptor.clone(), answer.clone());
        async move {
            let Ok(mut stream) = acceptor.accept(peer.stream).await else { return };
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(&answer).await;
            let _ = stream.flush().await;
            if notify {
                let _ = stream.shutdown().await;
            }
            let (stream, _) = stream.into_inner();
            Peer { stream, number: 0 }.close().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_trusted_site_answers_over_tls() {
    let site = tls_site("127.0.0.1", 4000, "HTTP/1.1 200 OK\r\n\r\nsafe", true).await;
    let answer = client(|_| ()).get(&site.tls_url("127.0.0.1")).await.unwrap();
    assert_eq!((answer.http_version, &answer.body[..]), (HttpVersion::Http11, &b"safe"[..]));
}

#[tokio::test]
async fn bad_certificates_are_tls() {
    for (name, year, system, message) in [
        ("127.0.0.1", 4000, true, "UnknownIssuer"),
        ("127.0.0.1", 2001, false, "certificate expired"),
        ("example.org", 4000, false, "certificate not valid for name \"127.0.0.1\""),
    ] {
        let site = tls_site(name, year, page(b"never"), true).await;
        let http = if system { Http::new(&options()).unwrap() } else { client(|_| ()) };
        let failure = failure_of(&http, &site.tls_url("127.0.0.1")).await;
        assert_failure(&failure, ErrorClass::Tls, "TLS with 127.0.0.1 failed: invalid peer certificate: ");
        assert_failure(&failure, ErrorClass::Tls, message);
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_tls() {
    let site = Site::new(|mut peer| async move {
        peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        peer.close().await;
    })
    .await;
    let failure = failure_of(&client(|_| ()), &site.tls_url("127.0.0.1")).await;
    assert_failure(&failure, ErrorClass::Tls, "TLS with 127.0.0.1 failed: received corrupt message");
}

#[tokio::test]
async fn a_handshake_cut_short_is_reset() {
    for tear in [true, false] {
        let site = Site::new(move |mut peer| async move {
            let _ = peer.stream.read_u8().await;
            if tear { peer.reset() } else { peer.close().await }
        })
        .await;
        let failure = failure_of(&client(|_| ()), &site.tls_url("127.0.0.1")).await;
        assert_failure(&failure, ErrorClass::Reset, "closed the connection during the TLS handshake");
    }
}

#[tokio::test]
async fn a_tls_stream_cut_without_its_end_mark_is_truncated() {
    for answer in ["HTTP/1.1 200 OK\r\n\r\nhalf a pa", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf a pa"] {
        let site = tls_site("127.0.0.1", 4000, answer, false).await;
        let failure = failure_of(&client(|_| ()), &site.tls_url("127.0.0.1")).await;
        assert_failure(&failure, ErrorClass::Truncated, "after 9 ");
    }
}

/// What an HTTP/2 server does with a request.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Page(usize),
    HeadFlood,
    Refuse,
    ResetInBody,
    EndEarly,
    GoAway,
}

async fn http2_site(deed: Deed) -> Site {
    let acceptor = acceptor("127.0.0.1", 4000, &["h2", "http/1.1"]);
    Site::new(move |peer| {
        let acceptor = acceptor.clone();
        async move {
            let stream = acceptor.accept(peer.stream).await.unwrap();
            let mut connection = h2::server::Builder::new().handshake::<_, bytes::Bytes>(stream).await.unwrap();
            let mut ping = connection.ping_pong();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                if let Deed::GoAway = deed {
                    connection.abrupt_shutdown(h2::Reason::INADEQUATE_SECURITY);
                    continue;
                }
                let ping = ping.take();
                tokio::spawn(async move {
                    let mut head = http::Response::builder();
                    match deed {
                        Deed::Refuse => return respond.send_reset(h2::Reason::INTERNAL_ERROR),
                        Deed::ResetInBody | Deed::EndEarly => head = head.header("content-length", 100),
                        Deed::HeadFlood => head = head.header("x-flood", "v".repeat(200_000)),
                        Deed::Page(_) | Deed::GoAway => {}
                    }
                    let mut body = respond.send_response(head.body(()).unwrap(), false).unwrap();
                    let bytes = match deed {
                        Deed::Page(length) => vec![7; length],
                        _ => b"four".to_vec(),
                    };
                    let last = !matches!(deed, Deed::ResetInBody);
                    body.send_data(bytes.into(), last).unwrap();
                    if let (false, Some(mut ping)) = (last, ping) {
                        // A reset throws away what has not been sent; the answer to a second ping says
                        // that all before it has.
                        for _ in 0..2 {
                            ping.ping(h2::Ping::opaque()).await.unwrap();
                        }
                        body.send_reset(h2::Reason::CANCEL);
                    }
                });
            }
        }
    })
    .await
}

#[tokio::test]
async fn http2_is_spoken_where_offered() {
    let site = http2_site(Deed::Page(5)).await;
    let http = client(|_| ());
    for _ in 0..3 {
        let answer = http.get(&site.tls_url("127.0.0.1")).await.unwrap();
        assert_eq!((answer.http_version.name(), answer.body.len()), ("HTTP/2", 5));
    }
    assert_eq!(site.connections(), 1);
}

#[tokio::test]
async fn http2_takes_headers_as_large_as_http1_does() {
    let site = http2_site(Deed::HeadFlood).await;
    let answer = client(|_| ()).get(&site.tls_url("127.0.0.1")).await.unwrap();
    assert_eq!(&answer.body[..], b"four");
}

#[tokio::test]
async fn http2_failures_have_their_classes() {
    for (deed, class, message) in [
        (
            Deed::Refuse,
            ErrorClass::Reset,
            "no answer from 127.0.0.1: HTTP/2: stream error received: unexpected internal",
        ),
        // The end of the connection may overtake its reason.
        (Deed::GoAway, ErrorClass::Reset, "127.0.0.1"),
        (Deed::ResetInBody, ErrorClass::Reset, "stream reset after 4 bytes of the body"),
        (Deed::EndEarly, ErrorClass::Truncated, "after 0 of 100 bytes"),
    ] {
        let site = http2_site(deed).await;
        let failure = failure_of(&client(|_| ()), &site.tls_url("127.0.0.1")).await;
        assert_failure(&failure, class, message);
    }
}

#[tokio::test]
async fn large_bodies_on_one_http2_connection_share_one_permit_without_deadlock() {
    let site = http2_site(Deed::Page(2_000_000)).await;
    let http = client(|options| options.large_bodies = 1);
    let downloads = (0..8).map(|_| async {
        assert_eq!(http.get(&site.tls_url("127.0.0.1")).await.unwrap().body.len(), 2_000_000);
    });
    futures_util::future::join_all(downloads).await;
}
