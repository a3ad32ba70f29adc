//! HTTP/1.1 for the site: sockets, bounds, keep-alive, and faults done on purpose.
//!
//! Small and by hand, because a fault is something that an HTTP library takes care not to send. It answers
//! GET and HEAD, never reads a request body, and trusts nothing that a client sends: heads are bounded in
//! bytes and in time, connections in number.

use std::io::{self, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::{Answer, Fault, Site};

/// What one client, and all of them together, may use.
#[derive(Clone, Copy)]
struct Bounds {
    /// Longest request head.
    head_bytes: usize,
    /// Most connections at a time; more wait in the kernel's queue.
    connections: usize,
    /// Longest wait for a whole request head, and for an answer to be taken.
    idle: Duration,
}

const BOUNDS: Bounds = Bounds { head_bytes: 16 * 1024, connections: 256, idle: Duration::from_secs(60) };

/// How long a connection that we close may go on sending before it is reset.
const LINGER: Duration = Duration::from_secs(1);

/// How long [`begin_sale`] waits for the site.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pause after a failed accept; the usual cause is a lack of descriptors, which passes as connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the site on `listener` until the other end of `control` is closed or its process has died; answers under way are
/// then cut. The other end may [`begin_sale`].
///
/// Makes its own single-threaded runtime: call this from a process or thread that has no other.
///
/// # Errors
/// The runtime or the listener cannot be set up. What goes wrong with one connection ends that one only.
pub fn serve(listener: TcpListener, control: UnixStream) -> io::Result<()> {
    serve_within(listener, control, BOUNDS)
}

/// Tells the site at the other end of `control` that books are cheaper from now on, and waits until it knows.
///
/// # Errors
/// The site has ended, or takes longer than 10 s.
pub fn begin_sale(control: &UnixStream) -> io::Result<()> {
    let mut control: &UnixStream = control;
    control.set_read_timeout(Some(PATIENCE))?;
    control.write_all(&[0])?;
    control.read_exact(&mut [0])
}

/// Does what is asked for on `control`, and ends with it.
async fn obey(control: UnixStream, site: &Site) {
    let control = control.set_nonblocking(true).and_then(|()| tokio::net::UnixStream::from_std(control));
    // A socket that cannot be watched must not keep the server alive for ever: it counts as closed.
    let Ok(mut control) = control else { return };
    while matches!(control.read(&mut [0]).await, Ok(1)) {
        site.begin_sale();
        if control.write_all(&[0]).await.is_err() {
            return;
        }
    }
}

fn serve_within(listener: TcpListener, control: UnixStream, bounds: Bounds) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let site = Arc::new(Site::on(jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date()));
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::select! {
            () = obey(control, &site) => Ok(()),
            end = accept_all(&listener, &site, bounds) => end,
        }
    })
}

async fn accept_all(listener: &tokio::net::TcpListener, site: &Arc<Site>, bounds: Bounds) -> io::Result<()> {
    let seats = Arc::new(Semaphore::new(bounds.connections));
    loop {
        let seat = Arc::clone(&seats).acquire_owned().await.map_err(io::Error::other)?;
        match listener.accept().await {
            Ok((stream, _)) => {
                let site = Arc::clone(site);
                tokio::spawn(async move {
                    // An error here is a client that left: there is nobody to tell.
                    let _ = converse(stream, &site, bounds).await;
                    drop(seat);
                });
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Answers the requests of one connection, one after the other.
async fn converse(mut stream: TcpStream, site: &Site, bounds: Bounds) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::new();
    loop {
        let Ok(head) = timeout(bounds.idle, read_head(&mut stream, &mut received, bounds.head_bytes)).await else {
            return Ok(());
        };
        let request = match head? {
            Head::Ended => return Ok(()),
            Head::TooLong => Err(431),
            Head::Whole(length) => {
                let request = Request::parse(&received[..length]).ok_or(400);
                received.drain(..length);
                request
            }
        };
        let (answer, request) = match request {
            Ok(request) => (request.answer(site), request),
            Err(status) => (Answer::new(status, "text/plain", "bad request\n"), Request::default()),
        };
        if answer.fault != Some(Fault::CloseBeforeResponse) {
            sleep(answer.delay).await;
            let bytes = wire(&answer, &request);
            timeout(bounds.idle, stream.write_all(&bytes)).await??;
        }
        if answer.fault == Some(Fault::ResetMidBody) {
            // With no time to linger, the drop sends a reset instead of an orderly end.
            return stream.set_zero_linger();
        }
        if answer.fault.is_some() || !request.keep_alive {
            return finish(stream).await;
        }
    }
}

/// Closes in good order. Closing while unread bytes wait would send a reset, which can overtake the answer,
/// so what the client still sends is read and dropped for a moment.
async fn finish(mut stream: TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    let drained = async { while matches!(stream.read(&mut [0; 1024]).await, Ok(1..)) {} };
    // Out of time is as good as read to the end.
    let _ = timeout(LINGER, drained).await;
    Ok(())
}

/// What reading a request head came to.
enum Head {
    /// That many bytes are a head, blank line included.
    Whole(usize),
    /// The client has nothing more to ask.
    Ended,
    /// More bytes than a head may have.
    TooLong,
}

async fn read_head(stream: &mut TcpStream, received: &mut Vec<u8>, limit: usize) -> io::Result<Head> {
    loop {
        match memmem::find(received, b"\r\n\r\n") {
            Some(end) if end + 4 <= limit => return Ok(Head::Whole(end + 4)),
            None if received.len() < limit => {}
            _ => return Ok(Head::TooLong),
        }
        if stream.read_buf(received).await? == 0 {
            return Ok(Head::Ended);
        }
    }
}

/// What matters of a request; the default is one that is answered and then hung up on.
#[derive(Debug, Default, PartialEq, Eq)]
struct Request {
    method: String,
    target: String,
    host: String,
    if_none_match: Option<String>,
    keep_alive: bool,
}

impl Request {
    /// `None` if `head` is no HTTP/1.x request head.
    fn parse(head: &[u8]) -> Option<Self> {
        let mut lines = std::str::from_utf8(head).ok()?.trim_end_matches("\r\n").split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() || method.is_empty() || !matches!(version, "HTTP/1.0" | "HTTP/1.1") {
            return None;
        }
        let mut request = Self {
            method: method.to_owned(),
            target: target.to_owned(),
            keep_alive: version == "HTTP/1.1",
            ..Self::default()
        };
        for line in lines {
            let (name, value) = line.split_once(':')?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "host" => request.host = value.to_owned(),
                "if-none-match" => request.if_none_match = Some(value.to_owned()),
                "connection" if value.eq_ignore_ascii_case("close") => request.keep_alive = false,
                // A body is not read, so nothing after it could be told from it.
                "content-length" if value != "0" => request.keep_alive = false,
                "transfer-encoding" => request.keep_alive = false,
                _ => {}
            }
        }
        Some(request)
    }

    /// The site's answer, or 304 if the client has it already.
    fn answer(&self, site: &Site) -> Answer {
        let mut answer = site.answer(&self.method, &self.target, &self.host);
        let known = self.if_none_match.as_deref().unwrap_or_default();
        if answer.header("etag").is_some_and(|tag| known.split(',').any(|k| k.trim().trim_start_matches("W/") == tag)) {
            answer.status = 304;
            answer.headers.retain(|(name, _)| name == "ETag" || name == "Vary");
            answer.body.clear();
        }
        answer
    }
}

/// The bytes of `answer` as far as they are sent: all, or with a fault the head and half of the body.
fn wire(answer: &Answer, request: &Request) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status));
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now());
    let connection = if request.keep_alive && answer.fault.is_none() { "keep-alive" } else { "close" };
    let length = (answer.status != 304).then(|| ("Content-Length", answer.body.len().to_string()));
    let sent = answer.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let added = [("Date", date.unwrap_or_default()), ("Connection", connection.to_owned())];
    for (name, value) in sent.chain(length).chain(added).filter(|(_, value)| !value.is_empty()) {
        head.extend([name, ": ", &value, "\r\n"]);
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    if request.method != "HEAD" {
        let end = if answer.fault.is_some() { answer.body.len() / 2 } else { answer.body.len() };
        bytes.extend_from_slice(&answer.body[..end]);
    }
    bytes
}

/// The phrase after the status; nobody's program reads it, people do.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        410 => "Gone",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "",
    }
}

#[cfg(test)]
mod tests;
