//! The life of one URL, as the store remembers it: `seine why`.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde_json::value::RawValue;
use url::Url;

use super::StoreError;
use super::read::find_url;
use seine_core::record::{CrawlUrl, KeyKind, MAX_ROBOTS_BYTES, url_key};

/// Everything that is known of one URL. Times are milliseconds of the Unix epoch.
#[derive(Debug, Serialize)]
pub struct Life {
    /// The URL as it is requested; of a rejected line its text.
    pub url: String,
    /// The text asked for, if it is another spelling.
    pub asked: Option<String>,
    /// Whether that spelling is another URL, which counts as the same by its percent-encoding.
    pub is_equivalent: bool,
    /// Its number in the store.
    pub url_id: i64,
    /// The host whose pace it obeys; `None` if it was rejected.
    pub host: Option<String>,
    /// Every line that names it.
    pub inputs: Vec<InputLine>,
    /// The robots.txt of its origin, if one was read.
    pub robots: Option<RobotsLine>,
    /// Whether the run ignored robots.txt files.
    pub ignores_robots: bool,
    /// Every request that was made for it, in order.
    pub requests: Vec<RequestLine>,
    /// The pauses between its attempts.
    pub waits: Vec<Wait>,
    /// How it ended; `None` as long as it is pending.
    pub ending: Option<EndingLine>,
    /// What it waits for; `None` if it has ended.
    pub pending: Option<Pending>,
}

/// A line of a list.
#[derive(Debug, Serialize)]
pub struct InputLine {
    /// The list.
    pub file: String,
    /// Its line, from 1.
    pub line: u64,
    /// The text there.
    pub raw_url: String,
    /// The other columns, a JSON object.
    pub columns: Option<Box<RawValue>>,
}

/// The robots.txt of the URL's origin, as last read, and what it says of the URL.
#[derive(Debug, Serialize)]
pub struct RobotsLine {
    /// Its URL.
    pub url: String,
    /// The URL that redirects led to.
    pub final_url: Option<String>,
    /// When it was read.
    pub fetched_at: u64,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Why it could not be read.
    pub error: Option<String>,
    /// The same for people.
    pub error_message: Option<String>,
    /// The name it was searched for.
    pub agent: String,
    /// Whether the URL may be fetched.
    pub allowed: bool,
    /// The rule that decides.
    pub rule: Option<String>,
    /// Its line.
    pub line: Option<u32>,
    /// `Crawl-delay`, before any cap.
    pub crawl_delay_ms: Option<u64>,
}

/// The decision of a robots.txt on one URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RobotsVerdict {
    /// Whether it may be fetched.
    pub allowed: bool,
    /// The rule that decides, if one does.
    pub rule: Option<String>,
    /// Its line, from 1.
    pub line: Option<u32>,
}

/// Reads the text of a robots.txt for the agent of that name, and says what holds for the URL: the store keeps the text
/// and does not know the rules.
pub type Judge<'a> = &'a dyn Fn(&[u8], &str, &Url) -> RobotsVerdict;

/// One request.
#[derive(Debug, Serialize)]
pub struct RequestLine {
    /// At the URL, from 1.
    pub attempt: u16,
    /// `page` or `robots`.
    pub kind: &'static str,
    /// The URL requested.
    pub url: String,
    /// The host asked.
    pub host: String,
    /// Microseconds of the Unix epoch.
    pub started_us: u64,
    /// Until its last byte.
    pub elapsed_ms: u64,
    /// Smallest gap to the host's request before it that was in force.
    pub gap_ms: u64,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Class of the error.
    pub error: Option<String>,
    /// Of the body, as received.
    pub bytes: u64,
    /// Address of the server.
    pub remote_ip: Option<String>,
    /// `HTTP/1.1` and the like.
    pub http_version: Option<&'static str>,
    /// The run it belongs to.
    pub run_id: i64,
}

/// The pause between two attempts.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Wait {
    /// The attempt before which it lies.
    pub before_attempt: u16,
    /// From the end of the last request to the start of the next.
    pub waited_ms: u64,
    /// Its reason.
    pub cause: WaitCause,
    /// The end of the attempt before: a class of error, or `http_503`.
    pub after: Option<String>,
}

/// The reason for a pause between two attempts. Each pause ends only when the host's turn has come, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitCause {
    /// It had ended, and was made pending again.
    Retry,
    /// The crawl was stopped in between.
    LaterRun,
    /// The host asked to be left alone (429, 503): as long as `Retry-After` said, or the backoff without it.
    HostHeld,
    /// Exponential backoff after a failure that may pass.
    Backoff,
}

/// How the URL ended.
#[derive(Debug, Serialize)]
pub struct EndingLine {
    /// The outcome's name.
    pub outcome: String,
    /// Status of the last answer.
    pub status: Option<u16>,
    /// Class of the error.
    pub error: Option<String>,
    /// The same for people.
    pub error_message: Option<String>,
    /// The URL that redirects led to.
    pub final_url: Option<String>,
    /// The URLs before that, with their statuses: an array of pairs.
    pub redirects: Option<Box<RawValue>>,
    /// Start of the last attempt.
    pub fetched_at: u64,
    /// Decompressed.
    pub body_bytes: Option<u64>,
    /// The title of the page.
    pub title: Option<String>,
    /// The run that ended it.
    pub run_id: i64,
}

/// The state of a URL without outcome.
#[derive(Debug, Serialize)]
pub struct Pending {
    /// Attempts so far.
    pub attempts: u16,
    /// Not to be tried before; 0: now.
    pub due_at: u64,
    /// The host asked to be left alone until then; 0: it did not.
    pub host_held_until: u64,
}

struct FoundUrl {
    url_id: i64,
    url: String,
    host: Option<String>,
    held_until: u64,
    outcome: Option<i64>,
    attempts: u16,
    forgiven: u16,
    due_at: u64,
}

/// All that the store knows of the URL that `text` is, or of the rejected line of this text; `None` if nothing.
///
/// # Errors
/// [`StoreError`]
pub fn life(db: &Connection, text: &str, judge: Judge<'_>) -> Result<Option<Life>, StoreError> {
    // One snapshot, so that its parts agree with each other.
    let db = db.unchecked_transaction()?;
    let parsed = CrawlUrl::parse(text).ok();
    let (host, key) = match &parsed {
        Some(url) => (url.host.as_str(), url.key),
        None => ("", url_key(KeyKind::Rejected, text.as_bytes())),
    };
    let Some(url_id) = find_url(&db, host, &key)? else { return Ok(None) };
    let found = db.query_row(
        "SELECT u.url, (SELECT h.name FROM host h WHERE h.host_id = u.host_id), \
                coalesce((SELECT h.hold_until FROM host h WHERE h.host_id = u.host_id), 0), \
                u.outcome, u.attempts, u.forgiven, u.due_at \
         FROM url u WHERE u.url_id = ?1",
        [url_id],
        |row| {
            Ok(FoundUrl {
                url_id,
                url: row.get(0)?,
                host: row.get(1)?,
                held_until: row.get(2)?,
                outcome: row.get(3)?,
                attempts: row.get(4)?,
                forgiven: row.get(5)?,
                due_at: row.get(6)?,
            })
        },
    )?;
    let ending = if found.outcome.is_some() { ending(&db, found.url_id)? } else { None };
    let config = config(&db, ending.as_ref().map(|ending| ending.run_id))?;
    let requests = requests(&db, &found)?;
    let waits = waits(&requests, found.forgiven);
    Ok(Some(Life {
        is_equivalent: parsed.as_ref().is_some_and(|url| url.url != found.url),
        asked: (text != found.url).then(|| text.to_owned()),
        url_id: found.url_id,
        inputs: inputs(&db, found.url_id, &found.url)?,
        robots: match (&found.host, Url::parse(&found.url)) {
            (Some(_), Ok(url)) => robots(&db, &url, config["robots_agent"].as_str().unwrap_or_default(), judge)?,
            _ => None,
        },
        ignores_robots: config["ignore_robots"].as_bool().unwrap_or(false),
        requests,
        waits,
        pending: found.outcome.is_none().then_some(Pending {
            attempts: found.attempts,
            due_at: found.due_at,
            host_held_until: found.held_until,
        }),
        ending,
        host: found.host,
        url: found.url,
    }))
}

/// The settings of a run; of the latest without its number. Null if there was none.
///
/// # Errors
/// [`StoreError`]
pub fn config(db: &Connection, run_id: Option<i64>) -> Result<serde_json::Value, StoreError> {
    let text: Option<String> = db
        .query_row(
            "SELECT config FROM run WHERE ?1 IS NULL OR run_id = ?1 ORDER BY run_id DESC LIMIT 1",
            [run_id],
            |row| row.get(0),
        )
        .optional()?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

fn inputs(db: &Connection, url_id: i64, url: &str) -> Result<Vec<InputLine>, StoreError> {
    let mut statement = db.prepare(
        "SELECT (SELECT f.name FROM file f WHERE f.file_id = i.file_id), i.line, coalesce(i.raw_url, ?2), i.columns \
         FROM input i WHERE i.url_id = ?1 ORDER BY i.file_id, i.line",
    )?;
    let lines = statement.query_map(params![url_id, url], |row| {
        Ok(InputLine { file: row.get(0)?, line: row.get(1)?, raw_url: row.get(2)?, columns: json(row, 3)? })
    })?;
    Ok(lines.collect::<Result<_, _>>()?)
}

/// A column that holds JSON, as it is.
fn json(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Box<RawValue>>> {
    Ok(row.get::<_, Option<String>>(at)?.and_then(|text| RawValue::from_string(text).ok()))
}

fn robots(db: &Connection, url: &Url, agent: &str, judge: Judge<'_>) -> Result<Option<RobotsLine>, StoreError> {
    let origin = url.origin().ascii_serialization();
    let found = db
        .query_row(
            "SELECT final_url, fetched_at, status, error, error_message, crawl_delay_ms, zstd FROM robots \
             WHERE origin = ?1",
            [&origin],
            |row| {
                let line = RobotsLine {
                    url: format!("{origin}/robots.txt"),
                    final_url: row.get(0)?,
                    fetched_at: row.get(1)?,
                    status: row.get(2)?,
                    error: row.get(3)?,
                    error_message: row.get(4)?,
                    agent: agent.to_owned(),
                    allowed: true,
                    rule: None,
                    line: None,
                    crawl_delay_ms: row.get(5)?,
                };
                Ok((line, row.get::<_, Option<Vec<u8>>>(6)?))
            },
        )
        .optional()?;
    Ok(found.map(|(mut line, zstd)| {
        if line.error.is_some() {
            line.allowed = false;
        } else if line.status.is_some_and(|status| (200..300).contains(&status))
            && let Some(zstd) = zstd
        {
            // One that is damaged allows nothing, as in a crawl.
            let text = zstd::bulk::decompress(&zstd, MAX_ROBOTS_BYTES);
            let text = text.unwrap_or_else(|_| b"user-agent: *\ndisallow: /".to_vec());
            let decision = judge(&text, agent, url);
            (line.allowed, line.rule, line.line) = (decision.allowed, decision.rule, decision.line);
        }
        line
    }))
}

fn requests(db: &Connection, found: &FoundUrl) -> Result<Vec<RequestLine>, StoreError> {
    let mut statement = db.prepare(
        "SELECT r.attempt, r.kind, r.url, (SELECT h.name FROM host h WHERE h.host_id = r.host_id), r.started_us, r.elapsed_ms, r.gap_ms, r.status, r.error, r.bytes, \
                r.remote_ip, r.http_version, r.run_id \
         FROM request r WHERE r.url_id = ?1 ORDER BY r.started_us, r.request_id",
    )?;
    let lines = statement.query_map(params![found.url_id], |row| {
        Ok(RequestLine {
            attempt: row.get(0)?,
            kind: if row.get::<_, i64>(1)? == 0 { "page" } else { "robots" },
            url: row.get::<_, Option<String>>(2)?.unwrap_or_else(|| found.url.clone()),
            host: row.get(3)?,
            started_us: row.get(4)?,
            elapsed_ms: row.get(5)?,
            gap_ms: row.get(6)?,
            status: row.get(7)?,
            error: row.get(8)?,
            bytes: row.get(9)?,
            remote_ip: row.get(10)?,
            http_version: match row.get::<_, Option<i64>>(11)? {
                Some(10) => Some("HTTP/1.0"),
                Some(11) => Some("HTTP/1.1"),
                Some(20) => Some("HTTP/2"),
                _ => None,
            },
            run_id: row.get(12)?,
        })
    })?;
    Ok(lines.collect::<Result<_, _>>()?)
}

/// The pauses between attempts. `forgiven` attempts were made before the URL was last made pending again.
fn waits(requests: &[RequestLine], forgiven: u16) -> Vec<Wait> {
    let mut waits = Vec::new();
    for pair in requests.windows(2) {
        let [before, after] = pair else { continue };
        if before.attempt == after.attempt {
            continue;
        }
        let ended_us = before.started_us.saturating_add(before.elapsed_ms.saturating_mul(1000));
        let cause = match before.status {
            _ if before.attempt == forgiven => WaitCause::Retry,
            _ if before.run_id != after.run_id => WaitCause::LaterRun,
            Some(429 | 503) if before.error.is_none() => WaitCause::HostHeld,
            _ => WaitCause::Backoff,
        };
        waits.push(Wait {
            before_attempt: after.attempt,
            waited_ms: after.started_us.saturating_sub(ended_us) / 1000,
            cause,
            after: before.error.clone().or_else(|| before.status.map(|status| format!("http_{status}"))),
        });
    }
    waits
}

fn ending(db: &Connection, url_id: i64) -> Result<Option<EndingLine>, StoreError> {
    let ending = db
        .query_row(
            "SELECT v.outcome, v.status, v.error, v.error_message, v.final_url, v.redirects, p.fetched_at, \
                    v.body_bytes, v.title, v.run_id \
             FROM pages v CROSS JOIN page p USING(url_id) WHERE v.url_id = ?1",
            [url_id],
            |row| {
                Ok(EndingLine {
                    outcome: row.get(0)?,
                    status: row.get(1)?,
                    error: row.get(2)?,
                    error_message: row.get(3)?,
                    final_url: row.get(4)?,
                    redirects: json(row, 5)?,
                    fetched_at: row.get(6)?,
                    body_bytes: row.get(7)?,
                    title: row.get(8)?,
                    run_id: row.get(9)?,
                })
            },
        )
        .optional()?;
    Ok(ending)
}
