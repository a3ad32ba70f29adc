//! WARC 1.1 (ISO 28500): answers as they came, for archives and the programs that replay them.
//!
//! For each answer a request and a response record; where a body is that of an earlier answer, a revisit record that
//! refers to it. Redirects are answers too. Bodies are stored decoded, so `Content-Encoding`, `Transfer-Encoding` and
//! `Content-Length` stand there as `X-Crawler-...` (as Common Crawl does it) and the length is that of the body.
//! If header lines were not kept, the head is made of what was: status, `Content-Type`, `Location`. Requests are
//! written as they are made by default; headers of the user's own, which may hold secrets, never are.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;
use sha1::{Digest, Sha1};
use url::{Position, Url};

use super::target::Output;
use super::{ExportError, Finished, Result};
use seine_store::StoreError;
use seine_store::archive::{self, Answer, AnswerBody, Packed};

const GZIP_LEVEL: u32 = 6;
/// A larger body counts as one that is not there: no crawl stores one (`max_body`).
const MAX_BODY_BYTES: u64 = 2 << 30;
const REVISIT: &str = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest";
const CONFORMS_TO: &str = "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/";
/// Headers that are no longer true of a decoded body.
const OF_TRANSFER: [&str; 3] = ["content-encoding", "transfer-encoding", "content-length"];

/// The headers that the fetcher sends with every request.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// `Accept`
    pub accept: &'static str,
    /// `Accept-Encoding`
    pub accept_encoding: &'static str,
}

/// A WARC file.
pub struct Warc {
    output: Output,
    /// Each record is compressed by itself.
    is_packed: bool,
    sent: Sent,
    /// Bodies that are in the file: in a temporary database, since they may be many.
    written: Connection,
    /// The run of the last answer, with its user agent and request method.
    run: Option<(i64, String, String)>,
    /// Responses and revisits.
    answers: u64,
    without_body: u64,
}

/// The record that has a body.
struct Original {
    id: String,
    url: String,
    date: String,
    digest: String,
    bytes: u64,
}

impl Warc {
    /// One into `output`, its records compressed if it `is_packed`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(output: Output, is_packed: bool, sent: Sent) -> Result<Self> {
        let written = Connection::open("").map_err(StoreError::from)?;
        written
            .execute_batch(
                "PRAGMA journal_mode = off; PRAGMA cache_size = -4096; BEGIN; \
                 CREATE TABLE written(body_id INTEGER PRIMARY KEY, id TEXT, url TEXT, date TEXT, digest TEXT, bytes INTEGER)",
            )
            .map_err(StoreError::from)?;
        let mut warc = Self { output, is_packed, sent, written, run: None, answers: 0, without_body: 0 };
        let fields = format!(
            "software: seine/{}\r\nformat: WARC File Format 1.1\r\nconformsTo: {CONFORMS_TO}\r\n",
            env!("CARGO_PKG_VERSION")
        );
        let now = jiff::Timestamp::now();
        let id = record_id(&["warcinfo", &now.to_string()]);
        let head = [("WARC-Type", "warcinfo"), ("WARC-Record-ID", &id), ("WARC-Date", &format!("{now:.0}"))];
        warc.record(&head, "application/warc-fields", fields.as_bytes(), &Payload::default())?;
        Ok(warc)
    }

    /// How many answers there are.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// One answer of the store `db`.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn answer(&mut self, db: &Connection, answer: &Answer) -> Result<()> {
        let Ok(url) = Url::parse(&answer.url) else { return Ok(()) };
        let date = jiff::Timestamp::from_microsecond(answer.started_us).unwrap_or_default();
        let date = format!("{date:.0}");
        let number = answer.request_id.to_string();
        let id = record_id(&["response", &number, &date, &answer.url]);
        let original = match answer.body {
            AnswerBody::Stored(body_id) => self.original(body_id)?,
            AnswerBody::Empty | AnswerBody::Gone => None,
        };
        let body = match (answer.body, &original) {
            (AnswerBody::Empty, _) | (_, Some(_)) => Some(Payload::default()),
            (AnswerBody::Stored(body_id), None) => {
                let packed = archive::packed(db, body_id)?.filter(|packed| packed.bytes() <= MAX_BODY_BYTES);
                packed.and_then(|packed| Payload::of(packed).ok())
            }
            (AnswerBody::Gone, None) => None,
        };
        let Some(body) = body else {
            self.without_body += 1;
            return Ok(());
        };
        self.answers += 1;
        let request = self.request(db, answer, &url)?;
        let request_id = record_id(&["request", &number, &date, &answer.url]);
        let mut common = vec![("WARC-Date", date.as_str()), ("WARC-Target-URI", answer.url.as_str())];
        if let Some(ip) = &answer.remote_ip {
            common.push(("WARC-IP-Address", ip));
        }
        let mut head = vec![("WARC-Type", "request"), ("WARC-Record-ID", &request_id), ("WARC-Concurrent-To", &id)];
        head.extend(&common);
        self.record(&head, "application/http; msgtype=request", request.as_bytes(), &Payload::default())?;

        let bytes = original.as_ref().map_or(body.bytes(), |original| original.bytes);
        let http = http_head(answer, bytes);
        let digest = original.as_ref().map_or_else(|| body.digest.clone(), |original| original.digest.clone());
        let mut head = vec![("WARC-Record-ID", id.as_str()), ("WARC-Payload-Digest", &digest)];
        head.extend(&common);
        match &original {
            None => head.push(("WARC-Type", "response")),
            Some(original) => head.extend([
                ("WARC-Type", "revisit"),
                ("WARC-Profile", REVISIT),
                ("WARC-Refers-To", &original.id),
                ("WARC-Refers-To-Target-URI", &original.url),
                ("WARC-Refers-To-Date", &original.date),
            ]),
        }
        self.record(&head, "application/http; msgtype=response", &http, &body)?;
        if let (AnswerBody::Stored(body_id), None) = (answer.body, original) {
            let url = answer.url.clone();
            self.remember(body_id, &Original { id: id.clone(), url, date: date.clone(), digest, bytes })?;
        }
        Ok(())
    }

    /// That was all; the file takes its name.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(self) -> Result<Finished> {
        self.output.commit()?;
        let mut finished = Finished::default();
        if self.without_body > 0 {
            let answers = if self.without_body == 1 { "answer is" } else { "answers are" };
            let count = self.without_body;
            finished.notes.push(format!("{count} {answers} left out: their bodies were not kept, or are damaged"));
        }
        Ok(finished)
    }

    /// The head of the request as it is sent by default.
    fn request(&mut self, db: &Connection, answer: &Answer, url: &Url) -> Result<String> {
        let (user_agent, method) = match &self.run {
            Some((run_id, user_agent, method)) if *run_id == answer.run_id => (user_agent.clone(), method.clone()),
            _ => {
                let settings = archive::settings(db, answer.run_id)?;
                let text = |name: &str| settings.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
                let (user_agent, method) = (text("user_agent"), text("method"));
                self.run = Some((answer.run_id, user_agent.clone(), method.clone()));
                (user_agent, method)
            }
        };
        let method = if answer.is_listed && !method.is_empty() { &method } else { "GET" };
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let path = &url[Position::BeforePath..Position::AfterQuery];
        let Sent { accept, accept_encoding } = self.sent;
        let agent = if user_agent.is_empty() { String::new() } else { format!("User-Agent: {user_agent}\r\n") };
        Ok(format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{agent}Accept: {accept}\r\nAccept-Encoding: {accept_encoding}\r\n\r\n"
        ))
    }

    fn original(&self, body_id: i64) -> Result<Option<Original>> {
        let find = || {
            let mut select =
                self.written.prepare_cached("SELECT id, url, date, digest, bytes FROM written WHERE body_id = ?1")?;
            select
                .query_row([body_id], |row| {
                    Ok(Original {
                        id: row.get(0)?,
                        url: row.get(1)?,
                        date: row.get(2)?,
                        digest: row.get(3)?,
                        bytes: row.get(4)?,
                    })
                })
                .optional()
        };
        Ok(find().map_err(StoreError::from)?)
    }

    fn remember(&self, body_id: i64, original: &Original) -> Result<()> {
        let Original { id, url, date, digest, bytes } = original;
        let insert = || {
            let mut insert = self.written.prepare_cached("INSERT INTO written VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            insert.execute(params![body_id, id, url, date, digest, bytes])
        };
        insert().map_err(StoreError::from)?;
        Ok(())
    }

    /// One record; its block is `block` and behind it `payload`.
    fn record(&mut self, head: &[(&str, &str)], content_type: &str, block: &[u8], payload: &Payload) -> Result<()> {
        let length = block.len() as u64 + payload.bytes();
        let mut sha1 = Sha1::new_with_prefix(block);
        payload.write_to(&mut Hashed(&mut sha1))?;
        let mut text = String::from("WARC/1.1\r\n");
        for (name, value) in head {
            // An address of the list is written without line ends; nothing else could have one.
            text.extend([name, ": ", value, "\r\n"]);
        }
        text.push_str(&format!(
            "WARC-Block-Digest: {}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n",
            digest(sha1)
        ));
        let write = |mut out: &mut dyn Write| -> io::Result<()> {
            out.write_all(text.as_bytes())?;
            out.write_all(block)?;
            payload.write_to(&mut out)?;
            out.write_all(b"\r\n\r\n")
        };
        if self.is_packed {
            let mut encoder = GzEncoder::new(&mut self.output, Compression::new(GZIP_LEVEL));
            write(&mut encoder)?;
            encoder.finish().map_err(ExportError::from)?;
        } else {
            write(&mut self.output)?;
        }
        Ok(())
    }
}

/// Status line and header lines of an answer whose decoded body has so many bytes.
fn http_head(answer: &Answer, bytes: u64) -> Vec<u8> {
    // There is no text form of HTTP/2; the head is written as that of 1.1, as all archives do.
    let version = if answer.http_version == Some(10) { "1.0" } else { "1.1" };
    let reason = http::StatusCode::from_u16(answer.status).ok().and_then(|status| status.canonical_reason());
    let mut head = format!("HTTP/{version} {} {}\r\n", answer.status, reason.unwrap_or_default()).into_bytes();
    match &answer.headers {
        Some(lines) => {
            for line in lines.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)) {
                let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
                let name = &line[..colon];
                if OF_TRANSFER.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes())) {
                    head.extend_from_slice(b"X-Crawler-");
                }
                head.extend_from_slice(line);
                head.extend_from_slice(b"\r\n");
            }
        }
        None => {
            for (name, value) in [("Content-Type", &answer.content_type), ("Location", &answer.location)] {
                if let Some(value) = value {
                    let value: String = value.chars().filter(|c| !c.is_control()).collect();
                    head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
                }
            }
        }
    }
    head.extend_from_slice(format!("Content-Length: {bytes}\r\n\r\n").as_bytes());
    head
}

/// The body of a record. It is unpacked anew each time it is gone through, so that it is never in memory as a whole.
struct Payload {
    /// `None`: empty.
    packed: Option<Packed>,
    digest: String,
}

impl Payload {
    /// One that is what was stored, as far as its compression tells.
    fn of(packed: Packed) -> io::Result<Self> {
        let mut sha1 = Sha1::new();
        packed.write_to(&mut Hashed(&mut sha1))?;
        Ok(Self { packed: Some(packed), digest: digest(sha1) })
    }

    fn bytes(&self) -> u64 {
        self.packed.as_ref().map_or(0, Packed::bytes)
    }

    fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        self.packed.as_ref().map_or(Ok(()), |packed| packed.write_to(out))
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self { packed: None, digest: digest(Sha1::new()) }
    }
}

/// Takes whatever is written into a digest.
struct Hashed<'a>(&'a mut Sha1);

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// `sha1:` and the digest in Base32, as everybody writes it.
fn digest(sha1: Sha1) -> String {
    format!("sha1:{}", base32(&sha1.finalize()))
}

/// RFC 4648 section 6, of 5, 10, 15, ... bytes, which need no padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(bytes.len() * 8 / 5);
    for group in bytes.chunks(5) {
        let number = group.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
        for place in (0..8).rev() {
            text.push(char::from(ALPHABET[(number >> (place * 5) & 31) as usize]));
        }
    }
    text
}

/// The same for the same record of the same store, so that two exports of it can be compared (RFC 9562, version 8).
fn record_id(parts: &[&str]) -> String {
    let mut hash = blake3::Hasher::new();
    parts.iter().for_each(|part| {
        hash.update(part.as_bytes());
        hash.update(b"\0");
    });
    let mut id = [0; 16];
    id.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("<urn:uuid:{}-{}-{}-{}-{}>", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_that_other_programs_check() {
        assert_eq!(digest(Sha1::new_with_prefix("abc")), "sha1:VGMT4NSHA2AWVOR6EVYXQUGCNSONBWE5");
        assert_eq!(Payload::default().digest, "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ");
    }

    #[test]
    fn what_is_no_longer_true_of_a_decoded_body_is_renamed() {
        let answer = Answer {
            request_id: 1,
            url: "https://a.example/".into(),
            is_listed: true,
            run_id: 1,
            started_us: 0,
            status: 200,
            remote_ip: None,
            http_version: Some(20),
            headers: Some(b"content-type: text/html\r\nContent-Encoding: br\r\nx-odd: \xff\r\n".to_vec()),
            content_type: None,
            location: None,
            body: AnswerBody::Empty,
        };
        assert_eq!(
            http_head(&answer, 7),
            b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\nX-Crawler-Content-Encoding: br\r\nx-odd: \xff\r\n\
              Content-Length: 7\r\n\r\n"
        );
        let bare = Answer {
            headers: None,
            status: 301,
            location: Some("https://a.example/\r\nx: y".into()),
            http_version: None,
            ..answer
        };
        assert_eq!(
            String::from_utf8_lossy(&http_head(&bare, 0)),
            "HTTP/1.1 301 Moved Permanently\r\nLocation: https://a.example/x: y\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn the_same_record_has_the_same_id_and_another_has_another() {
        let id = record_id(&["response", "1"]);
        assert_eq!((id.len(), id == record_id(&["response", "1"])), ("<urn:uuid:>".len() + 36, true));
        assert_ne!(id, record_id(&["respons", "e1"]));
    }
}
