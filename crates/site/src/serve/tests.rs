//! The server, asked by a plain blocking client that hides nothing of what comes over the wire.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::super::{listed_urls, trouble};
use super::*;

/// A server on a port of its own; ends when dropped.
struct Served {
    address: SocketAddr,
    control: Option<UnixStream>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Served {
    fn start() -> Self {
        Self::within(BOUNDS)
    }

    fn within(bounds: Bounds) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its number");
        let (control, theirs) = UnixStream::pair().expect("a socket pair");
        let thread = thread::spawn(move || serve_within(listener, theirs, bounds));
        Self { address, control: Some(control), thread: Some(thread) }
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a deadline");
        Client { stream, unread: Vec::new() }
    }

    fn stop(&mut self) -> io::Result<()> {
        drop(self.control.take());
        self.thread.take().map_or(Ok(()), |t| t.join().expect("the server does not panic"))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

struct Client {
    stream: TcpStream,
    unread: Vec<u8>,
}

#[derive(Debug)]
struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Client {
    fn send(&mut self, request: &str) {
        self.stream.write_all(request.as_bytes()).expect("the server reads");
    }

    fn get(&mut self, target: &str) -> io::Result<Response> {
        self.send(&format!("GET {target} HTTP/1.1\r\nHost: shop.test\r\n\r\n"));
        self.receive(true)
    }

    /// Reads one response; `UnexpectedEof` if the connection ends before it does.
    fn receive(&mut self, has_body: bool) -> io::Result<Response> {
        let end = loop {
            match memmem::find(&self.unread, b"\r\n\r\n") {
                Some(end) => break end + 4,
                None => self.more()?,
            }
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).expect("an ASCII head");
        let status = head[9..12].parse().expect("a status");
        let announced = head.lines().find_map(|l| l.strip_prefix("Content-Length: "));
        let length = if has_body { announced.map_or(0, |n| n.parse().expect("a number")) } else { 0 };
        while self.unread.len() < length {
            self.more()?;
        }
        Ok(Response { status, head, body: self.unread.drain(..length).collect() })
    }

    fn more(&mut self) -> io::Result<()> {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            n => {
                self.unread.extend_from_slice(&piece[..n]);
                Ok(())
            }
        }
    }

    /// Whether the server has closed in good order with nothing more to say.
    fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && self.more().is_err_and(|e| e.kind() == ErrorKind::UnexpectedEof)
    }
}

#[test]
fn one_connection_carries_many_requests() {
    let server = Served::start();
    let mut client = server.connect();
    for path in ["/", "/p/tide-clock", "/no-such-page", "/terms.txt"] {
        let response = client.get(path).expect("an answer");
        assert_eq!(response.status, if path == "/no-such-page" { 404 } else { 200 }, "{path}");
        assert!(response.head.contains("Connection: keep-alive\r\n"));
    }
}

#[test]
fn requests_sent_at_once_are_answered_in_their_order() {
    let server = Served::start();
    let mut client = server.connect();
    client.send(
        "GET /gone/winter-sale HTTP/1.1\r\nHost: x\r\n\r\nHEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET \
        /error/500 HTTP/1.1\r\n\r\n",
    );
    let statuses = [true, false, true].map(|has_body| client.receive(has_body).expect("an answer").status);
    assert_eq!(statuses, [410, 200, 500]);
}

#[test]
fn head_announces_the_length_of_the_body_it_does_not_send() {
    let server = Served::start();
    let mut client = server.connect();
    let whole = client.get("/about").expect("an answer");
    client.send("HEAD /about HTTP/1.1\r\nHost: shop.test\r\n\r\n");
    let head = client.receive(false).expect("an answer").head;
    assert!(head.contains(&format!("Content-Length: {}\r\n", whole.body.len())));
    assert_eq!(client.get("/about").expect("an answer").body, whole.body);
}

#[test]
fn a_client_that_asks_to_close_is_closed() {
    let server = Served::start();
    for request in ["GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"] {
        let mut client = server.connect();
        client.send(request);
        assert_eq!(client.receive(true).expect("an answer").status, 200);
        assert!(client.is_closed(), "{request}");
    }
}

#[test]
fn a_page_that_did_not_change_is_not_sent_again() {
    let server = Served::start();
    let mut client = server.connect();
    let first = client.get("/journal/archive").expect("an answer");
    let tag = first.head.lines().find_map(|l| l.strip_prefix("ETag: ")).expect("a tag").to_owned();
    client.send(&format!("GET /journal/archive HTTP/1.1\r\nHost: shop.test\r\nIf-None-Match: \"x\", W/{tag}\r\n\r\n"));
    let second = client.receive(false).expect("an answer");
    assert_eq!(second.status, 304);
    assert!(!second.head.contains("Content-"), "{}", second.head);
    assert_eq!(client.get("/about").expect("the connection is in step").status, 200);
}

#[test]
fn the_gzip_page_says_so_and_decodes() {
    let server = Served::start();
    let response = server.connect().get("/journal/archive").expect("an answer");
    assert!(response.head.contains("Content-Encoding: gzip\r\n"));
    let mut html = String::new();
    flate2::read::GzDecoder::new(&response.body[..]).read_to_string(&mut html).expect("gzip");
    assert!(html.contains("<h1>The whole journal</h1>"));
}

#[test]
fn a_flaky_page_is_well_at_the_second_try() {
    let server = Served::start();
    assert_eq!(server.connect().get("/flaky/1").expect("an answer").status, 503);
    assert_eq!(server.connect().get("/flaky/1").expect("an answer").status, 200);
}

#[test]
fn a_reset_comes_after_half_of_the_body() {
    let server = Served::start();
    let mut client = server.connect();
    assert_eq!(client.get("/broken/reset").expect_err("no whole answer").kind(), ErrorKind::ConnectionReset);
    assert!(!client.unread.is_empty(), "the head and some of the body came");
}

#[test]
fn a_truncated_body_ends_in_good_order() {
    let server = Served::start();
    let mut client = server.connect();
    assert_eq!(client.get("/broken/truncated").expect_err("no whole answer").kind(), ErrorKind::UnexpectedEof);
    assert!(client.unread.starts_with(b"<!DOCTYPE html>"));
}

#[test]
fn a_closed_connection_says_nothing() {
    let server = Served::start();
    let mut client = server.connect();
    assert_eq!(client.get("/").expect("an answer").status, 200);
    assert_eq!(client.get("/broken/closed").expect_err("no answer").kind(), ErrorKind::UnexpectedEof);
    assert!(client.unread.is_empty());
}

#[test]
fn the_slow_page_is_as_late_as_it_says_and_holds_up_nobody() {
    let server = Served::start();
    let (mut slow, mut quick) = (server.connect(), server.connect());
    let start = Instant::now();
    slow.send("GET /slow HTTP/1.1\r\n\r\n");
    assert_eq!(quick.get("/about").expect("an answer").status, 200);
    let overtook = slow.stream.set_nonblocking(true).is_ok() && slow.stream.peek(&mut [0]).is_err();
    // On a machine so busy that the quick page took that long there is nothing to see.
    assert!(overtook || start.elapsed() >= trouble::SLOW);
    slow.stream.set_nonblocking(false).expect("a blocking socket");
    assert_eq!(slow.receive(true).expect("an answer").status, 200);
    assert!(start.elapsed() >= trouble::SLOW);
}

#[test]
fn every_listed_url_comes_over_the_wire_as_the_site_answers_it() {
    let server = Served::start();
    let site = Site::default();
    let mut client = server.connect();
    for target in listed_urls("") {
        let answer = site.answer("GET", &target, "shop.test");
        match (answer.fault, client.get(&target)) {
            (None, Ok(response)) => {
                assert_eq!((response.status, &response.body), (answer.status, &answer.body), "{target}")
            }
            (Some(_), Err(_)) => client = server.connect(),
            (fault, got) => panic!("{target}: {fault:?} gave {got:?}"),
        }
    }
}

#[test]
fn what_is_no_request_is_refused_and_hung_up_on() {
    let server = Served::start();
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(BOUNDS.head_bytes));
    let overlong = format!("{endless}\r\n\r\n");
    for (request, status) in [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (&endless, 431),
        (&overlong, 431),
        ("POST /search HTTP/1.1\r\nContent-Length: 5\r\n\r\nq=sea", 405),
    ] {
        let mut client = server.connect();
        client.send(request);
        assert_eq!(client.receive(true).expect("an answer").status, status);
        assert!(client.is_closed(), "{status}");
    }
}

#[test]
fn a_client_that_never_finishes_its_request_is_let_go() {
    let server = Served::within(Bounds { idle: Duration::from_millis(50), ..BOUNDS });
    let mut client = server.connect();
    client.send("GET / HTTP/1.1\r\nHost:");
    assert!(client.more().is_err());
}

#[test]
fn a_connection_too_many_waits_for_its_turn() {
    let server = Served::within(Bounds { connections: 1, ..BOUNDS });
    let (mut first, mut second) = (server.connect(), server.connect());
    assert_eq!(first.get("/about").expect("an answer").status, 200);
    second.send("GET /about HTTP/1.1\r\n\r\n");
    assert_eq!(first.get("/").expect("an answer").status, 200);
    second.stream.set_nonblocking(true).expect("a socket");
    assert_eq!(second.stream.peek(&mut [0]).expect_err("no answer yet").kind(), ErrorKind::WouldBlock);
    second.stream.set_nonblocking(false).expect("a socket");
    drop(first);
    assert_eq!(second.receive(true).expect("an answer").status, 200);
}

#[test]
fn a_sale_has_begun_as_soon_as_that_is_said() {
    let server = Served::start();
    let (site, book) = (Site::default(), "/p/the-keeper-s-winter");
    let mut client = server.connect();
    assert_eq!(client.get(book).expect("an answer").body, site.answer("GET", book, "shop.test").body);
    begin_sale(server.control.as_ref().expect("it runs")).expect("it is told");
    site.begin_sale();
    assert_eq!(client.get(book).expect("an answer").body, site.answer("GET", book, "shop.test").body);
}

#[test]
fn the_server_ends_when_its_control_socket_closes() {
    let mut server = Served::start();
    let mut client = server.connect();
    assert_eq!(client.get("/").expect("an answer").status, 200);
    server.stop().expect("a clean end");
    assert!(client.more().is_err());
}
