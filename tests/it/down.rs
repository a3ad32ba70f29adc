//! Hosts that cannot be talked to, in whatever way, cost a crawl about as much as one that refuses connections.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::support::{Place, Reply, Site, Store};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;

const URLS: usize = 200;
/// Pauses of 1, 4 and 16 s, some timeouts of 1 s, and little else; a machine under load may need some more.
const ABOUT_AS_LONG: Duration = Duration::from_secs(45);

/// Serves every connection to 127.0.0.`host` with `answer`, each on a thread of its own, until the test ends.
fn serve(host: u8, answer: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, host], 0))).expect("loopback can be listened on");
    let address = listener.local_addr().expect("a bound socket has an address");
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || answer(stream));
        }
    });
    address
}

/// A server whose certificate nobody has signed.
fn untrusted(host: u8) -> String {
    let made = rcgen::generate_simple_self_signed([format!("127.0.0.{host}")]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key))
        .expect("a configuration");
    let config = Arc::new(config);
    let address = serve(host, move |stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a connection");
        // The handshake fails here.
        let _ = rustls::StreamOwned::new(connection, stream).read(&mut [0; 1024]);
    });
    format!("https://{address}")
}

/// A server that says this to every request, and then nothing more; `stays` if the connection does.
fn saying(host: u8, said: &'static str, stays: bool) -> String {
    let address = serve(host, move |mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        let _ = stream.write_all(said.as_bytes());
        if stays {
            let _ = stream.read(&mut [0; 1024]);
        }
    });
    format!("http://{address}")
}

/// Crawls many URLs of each of these hosts, and some of one that is well, in about the time that a host takes which
/// refuses connections.
fn crawl(place: &Place, origins: &[String], arguments: &[&str]) -> Store {
    let site = Site::new(|request| Reply::page(&request.path));
    let urls = origins.iter().flat_map(|origin| (0..URLS).map(move |n| format!("{origin}/{n}")));
    place.list("urls.txt", urls.chain(site.urls(20)));
    let ended = place.obedient_crawl(&["urls.txt", "--timeout", "1s"]).args(arguments).run().expect(0);
    assert!(ended.elapsed < ABOUT_AS_LONG, "{:?}\n{}", ended.elapsed, ended.stderr);
    let store = place.store();
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE outcome = 'ok'"), 20);
    store.assert_sound();
    store
}

/// Of the URLs of this host a few have failed like this, and for all others nobody asked.
fn assert_given_up(store: &Store, origin: &str, outcome: &str, error: &str, given_up: &str) {
    let of_host = format!("SELECT count(*) FROM pages WHERE url LIKE '{origin}/%' AND outcome = '{outcome}'");
    assert_eq!(store.number(&format!("{of_host} AND error IN ('{error}', '{given_up}')")), URLS as i64, "{origin}");
    let asked = format!("SELECT count(*) FROM requests WHERE url LIKE '{origin}/%'");
    assert!(store.number(&asked) < 30, "{} requests to {origin}", store.number(&asked));
}

#[test]
fn a_host_whose_robots_txt_cannot_be_had_is_soon_given_up_whatever_the_reason() {
    let (place, stays) = (Place::new(), true);
    let tls = untrusted(2);
    let body = saying(3, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\nU", stays);
    let head = saying(4, "HTTP/1.1 200 OK\r\nContent-", stays);
    let mail = saying(5, "220 mail.example ESMTP\r\n", !stays);
    let cut = saying(6, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nU", !stays);
    let closed = saying(7, "", !stays);
    let store = crawl(&place, &[&tls, &body, &head, &mail, &cut, &closed].map(String::clone), &[]);
    for (origin, error) in [(tls, "tls"), (body, "timeout"), (head, "timeout")] {
        assert_given_up(&store, &origin, "failed", error, "host_down");
    }
    for origin in [mail, cut, closed] {
        assert_given_up(&store, &origin, "robots_denied", "robots_unreachable", "robots_unreachable");
    }
}

#[test]
fn a_host_with_a_bad_certificate_is_soon_given_up_without_its_robots_txt_too() {
    let (place, origin) = (Place::new(), untrusted(8));
    let store = crawl(&place, std::slice::from_ref(&origin), &["--ignore-robots", "-v", "--log-file", "log"]);
    assert_given_up(&store, &origin, "failed", "tls", "host_down");
    // Each has its line, those that nobody asked for too.
    let log = std::fs::read_to_string(place.path("log")).expect("a log");
    let is_line = |line: &&str| {
        ["INFO writer: tls ", "INFO writer: host_down "].iter().any(|what| line.contains(what))
            && line.contains(&origin)
    };
    assert_eq!(log.lines().filter(is_line).count(), URLS, "{log}");
}
