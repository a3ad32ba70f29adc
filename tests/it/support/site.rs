//! A small HTTP server on loopback addresses that does what a test wants and remembers who came when.
//!
//! A thread for each connection, bounded in number; everything ends when the [`Site`] is dropped. Several hosts are
//! several addresses of the loopback network, each on a port of its own.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::mem::{self, MaybeUninit};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use super::{DEADLINE, eventually};

/// Connections served at a time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 256;
/// A thread here needs little.
const STACK_BYTES: usize = 256 * 1024;
/// Longest head of a request.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// One request, as the test's answer is made from it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which host was asked, from 0.
    pub host: usize,
    /// Path and query.
    pub path: String,
    /// Header lines, names in lower case; and `:method` and `:body`.
    pub headers: HashMap<String, String>,
    /// How often this host was asked for this path, this time included.
    pub nth: usize,
    origins: Arc<Vec<String>>,
}

impl Request {
    /// The absolute URL of `path` at another host.
    pub fn url_at(&self, host: usize, path: &str) -> String {
        format!("{}{path}", self.origins[host])
    }

    /// The number at the end of the path.
    pub fn number(&self) -> usize {
        let digits = self.path.rsplit(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        digits.parse().unwrap_or(0)
    }
}

/// What a request is answered with.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delay: Duration,
    is_held: bool,
    way: Way,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// As it should be.
    Whole,
    /// With so many bytes of the announced body, then the end.
    Cut(usize),
    /// The connection is torn down without an answer.
    Reset,
    /// The connection is closed without an answer.
    HangUp,
    /// The body is everything that is sent.
    Raw,
}

impl Reply {
    /// 200 with this body.
    pub fn bytes(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).header("Content-Type", content_type).body(body)
    }

    /// 200 with an HTML page.
    pub fn html(body: impl Into<Vec<u8>>) -> Self {
        Self::bytes("text/html; charset=utf-8", body)
    }

    /// An HTML page with this title.
    pub fn page(title: &str) -> Self {
        Self::html(format!("<!doctype html><title>{title}</title><h1>{title}</h1><p>A page."))
    }

    /// This status, without a body.
    pub fn status(status: u16) -> Self {
        let (headers, body, delay) = (Vec::new(), Vec::new(), Duration::ZERO);
        Self { status, headers, body, delay, is_held: false, way: Way::Whole }
    }

    /// A redirect.
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::status(status).header("Location", location)
    }

    /// No answer but a torn connection.
    pub fn reset() -> Self {
        Self { way: Way::Reset, ..Self::status(200) }
    }

    /// No answer but a closed connection.
    pub fn hang_up() -> Self {
        Self { way: Way::HangUp, ..Self::status(200) }
    }

    /// These bytes instead of HTTP, then the end.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { way: Way::Raw, ..Self::status(200).body(bytes) }
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With this body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Not before this time has passed.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Not before [`Site::release`].
    pub fn held(mut self) -> Self {
        self.is_held = true;
        self
    }

    /// Announces the whole body and sends only so much of it.
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.way = Way::Cut(bytes);
        self
    }
}

/// One request that came.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Which host was asked.
    pub host: usize,
    /// Path and query.
    pub path: String,
    /// When the kernel had its last byte, to a few milliseconds: not when a thread here got its turn.
    pub at: Instant,
}

#[derive(Debug, Default)]
struct State {
    hits: Vec<Hit>,
    counts: HashMap<(usize, String), usize>,
    at_once: HashMap<usize, usize>,
    most_at_once: usize,
    most_at_once_of_host: usize,
    connections: HashMap<u64, TcpStream>,
    connected: u64,
    sent: usize,
    is_released: bool,
    is_stopping: bool,
}

type Answer = dyn Fn(&Request) -> Reply + Send + Sync;

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    origins: Arc<Vec<String>>,
    answer: Box<Answer>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// See the module.
pub struct Site {
    shared: Arc<Shared>,
    addresses: Vec<SocketAddr>,
    acceptors: Vec<JoinHandle<()>>,
}

impl Site {
    /// One host.
    pub fn new(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_hosts(1, answer)
    }

    /// So many hosts, from 127.0.0.1 on.
    pub fn with_hosts(hosts: usize, answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let bind = |host| TcpListener::bind((format!("127.0.0.{}", host + 1), 0)).expect("loopback can be listened on");
        let listeners: Vec<_> = (0..hosts).map(bind).collect();
        let address = |listener: &TcpListener| listener.local_addr().expect("a bound socket has an address");
        let addresses: Vec<_> = listeners.iter().map(address).collect();
        let origins = Arc::new(addresses.iter().map(|address| format!("http://{address}")).collect());
        let shared =
            Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), origins, answer: Box::new(answer) });
        let accept = |(host, listener)| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || accept_all(&shared, host, &listener))
        };
        let acceptors = listeners.into_iter().enumerate().map(accept).collect();
        Self { shared, addresses, acceptors }
    }

    /// The absolute URL of `path` at the first host.
    pub fn url(&self, path: &str) -> String {
        self.url_at(0, path)
    }

    /// The absolute URL of `path` at a host.
    pub fn url_at(&self, host: usize, path: &str) -> String {
        format!("{}{path}", self.shared.origins[host])
    }

    /// `/0`, `/1` … of all hosts in turn.
    pub fn urls(&self, count: usize) -> Vec<String> {
        let hosts = self.addresses.len();
        (0..count).map(|n| self.url_at(n % hosts, &format!("/{n}"))).collect()
    }

    /// Everything that was asked for, in order.
    pub fn hits(&self) -> Vec<Hit> {
        self.shared.state().hits.clone()
    }

    /// How many requests have come.
    pub fn count(&self) -> usize {
        self.shared.state().hits.len()
    }

    /// How often any host was asked for `path`.
    pub fn hits_of(&self, path: &str) -> usize {
        self.shared.state().hits.iter().filter(|hit| hit.path == path).count()
    }

    /// How many connections were made.
    pub fn connections(&self) -> u64 {
        self.shared.state().connected
    }

    /// How many answers were sent to their last byte.
    pub fn sent(&self) -> usize {
        self.shared.state().sent
    }

    /// Waits until so many requests have come.
    pub fn wait_for_hits(&self, count: usize) {
        eventually(&format!("{count} requests"), || self.count() >= count);
    }

    /// Most requests that were being answered at the same time.
    pub fn most_at_once(&self) -> usize {
        self.shared.state().most_at_once
    }

    /// The same, of any single host.
    pub fn most_at_once_of_host(&self) -> usize {
        self.shared.state().most_at_once_of_host
    }

    /// Lets all held answers go, present and future ones.
    pub fn release(&self) {
        self.shared.state().is_released = true;
        self.shared.changed.notify_all();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        {
            let mut state = self.shared.state();
            state.is_stopping = true;
            for connection in state.connections.values() {
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
        self.shared.changed.notify_all();
        for address in &self.addresses {
            // Wakes the acceptor.
            let _ = TcpStream::connect(address);
        }
        for acceptor in self.acceptors.drain(..) {
            let _ = acceptor.join();
        }
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.shared.state();
        while !state.connections.is_empty() && Instant::now() < deadline {
            state =
                self.shared.changed.wait_timeout(state, Duration::from_secs(1)).unwrap_or_else(|e| e.into_inner()).0;
        }
    }
}

fn accept_all(shared: &Arc<Shared>, host: usize, listener: &TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept() else { continue };
        let Ok(copy) = stream.try_clone() else { continue };
        let mut state = shared.state();
        while state.connections.len() >= MAX_CONNECTIONS && !state.is_stopping {
            state = shared.changed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        if state.is_stopping {
            return;
        }
        state.connected += 1;
        let number = state.connected;
        state.connections.insert(number, copy);
        drop(state);
        let theirs = Arc::clone(shared);
        let served = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || {
            let _ = serve(&theirs, host, stream);
            theirs.state().connections.remove(&number);
            theirs.changed.notify_all();
        });
        if served.is_err() {
            shared.state().connections.remove(&number);
        }
    }
}

/// Answers request after request of one connection.
fn serve(shared: &Shared, host: usize, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some((path, headers)) = read_head(&mut reader)? {
        let at = Instant::now().checked_sub(since_last_byte(&stream)).unwrap_or_else(Instant::now);
        let request = {
            let mut state = shared.state();
            state.hits.push(Hit { host, path: path.clone(), at });
            let nth = state.counts.entry((host, path.clone())).or_default();
            *nth += 1;
            let nth = *nth;
            *state.at_once.entry(host).or_default() += 1;
            state.most_at_once = state.most_at_once.max(state.at_once.values().sum());
            state.most_at_once_of_host = state.most_at_once_of_host.max(state.at_once[&host]);
            Request { host, path, headers, nth, origins: Arc::clone(&shared.origins) }
        };
        let reply = (shared.answer)(&request);
        wait(shared, &reply);
        // Before the last byte: whoever has read it may come again at once, and is not there twice.
        if let Some(count) = shared.state().at_once.get_mut(&host) {
            *count -= 1;
        }
        let goes_on = send(&stream, &reply)?;
        shared.state().sent += 1;
        if !goes_on {
            break;
        }
    }
    Ok(())
}

fn wait(shared: &Shared, reply: &Reply) {
    let until = Instant::now() + reply.delay;
    let mut state = shared.state();
    loop {
        let now = Instant::now();
        let is_held = reply.is_held && !state.is_released;
        if state.is_stopping || (now >= until && !is_held) {
            return;
        }
        let limit = if now < until { until - now } else { DEADLINE };
        state = shared.changed.wait_timeout(state, limit).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
    }
}

/// Path and headers of the next request; `None` if there is none.
fn read_head(reader: &mut BufReader<TcpStream>) -> io::Result<Option<(String, HashMap<String, String>)>> {
    let mut path = None;
    let mut headers: HashMap<String, String> = HashMap::new();
    let mut bytes = 0;
    loop {
        let mut line = String::new();
        bytes += reader.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() || bytes > MAX_HEAD_BYTES {
            let length = headers.get("content-length").and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            headers.insert(":body".to_owned(), String::from_utf8_lossy(&body).into_owned());
            return Ok(path.map(|path| (path, headers)));
        }
        if path.is_none() {
            let mut words = line.split(' ');
            headers.insert(":method".to_owned(), words.next().unwrap_or_default().to_owned());
            path = Some(words.next().unwrap_or_default().to_owned());
        } else if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
    }
}

/// Sends `reply`; says whether the connection can be used again.
fn send(mut stream: &TcpStream, reply: &Reply) -> io::Result<bool> {
    let sent = match reply.way {
        Way::Reset => {
            let linger = libc::linger { l_onoff: 1, l_linger: 0 };
            setsockopt(&stream, sockopt::Linger, &linger).map_err(io::Error::from)?;
            return Ok(false);
        }
        Way::HangUp => return Ok(false),
        Way::Raw => {
            stream.write_all(&reply.body)?;
            return Ok(false);
        }
        Way::Cut(bytes) => &reply.body[..bytes],
        Way::Whole => &reply.body[..],
    };
    let mut answer = format!("HTTP/1.1 {} Status\r\n", reply.status).into_bytes();
    for (name, value) in &reply.headers {
        answer.extend(format!("{name}: {value}\r\n").bytes());
    }
    if !matches!(reply.status, 204 | 304) {
        answer.extend(format!("Content-Length: {}\r\n", reply.body.len()).bytes());
    }
    answer.extend(b"\r\n");
    answer.extend(sent);
    stream.write_all(&answer)?;
    Ok(reply.way == Way::Whole)
}

/// How long ago the kernel received the last byte of `stream`.
fn since_last_byte(stream: &TcpStream) -> Duration {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = mem::size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the socket is open as long as `stream` lives, and the kernel writes at most `length` bytes into `info`,
    // which is that large; all zeros is a valid value for what it leaves out.
    let info = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        );
        info.assume_init()
    };
    Duration::from_millis(info.tcpi_last_data_recv.into())
}
