//! Answers of the network as they were recorded, in the order of their requests: what a web archive is made of.

use std::io::{self, Write};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::StoreError;
use super::body::{UnpackError, unpack, unpack_into};
use super::rows::{Filter, SelectError, Snapshot, condition};
use super::tables::Table;
use seine_core::record::headers;

/// Memory of the answers read in one short transaction, their bodies apart.
const CHUNK_BYTES: usize = 4 << 20;
/// Requests that one short transaction looks at, at most.
const CHUNK_REQUESTS: i64 = 50_000;

/// One answer that was taken: the last of a page, or a redirect on the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Number of the request.
    pub request_id: i64,
    /// The URL requested.
    pub url: String,
    /// Whether that is the URL of the list, not where a redirect led.
    pub is_listed: bool,
    /// The run that did.
    pub run_id: i64,
    /// When, in microseconds of the Unix epoch.
    pub started_us: i64,
    /// The status code.
    pub status: u16,
    /// The address that answered, if it was seen.
    pub remote_ip: Option<String>,
    /// 10, 11 or 20.
    pub http_version: Option<u8>,
    /// Header lines as they came, if they were kept.
    pub headers: Option<Vec<u8>>,
    /// `Content-Type` of a page.
    pub content_type: Option<String>,
    /// The target, if it was a redirect.
    pub location: Option<String>,
    /// Its body.
    pub body: AnswerBody,
}

/// The body of an [`Answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerBody {
    /// It was empty, or that of a redirect, which is not read.
    Empty,
    /// It is in the store under this number.
    Stored(i64),
    /// It was not kept (`--no-store-bodies`).
    Gone,
}

/// Hands the answers to `each` that led to the pages which pass `filter` and are in `snapshot`.
///
/// # Errors
/// Those of `each`; [`SelectError`] and [`StoreError`] as of its kind.
pub fn answers<E: From<SelectError> + From<StoreError>>(
    db: &Connection,
    snapshot: &Snapshot,
    filter: &Filter,
    mut each: impl FnMut(&Answer) -> Result<(), E>,
) -> Result<(), E> {
    let pages = Table::find(db, "pages").map_err(SelectError::from)?;
    let condition = condition(db, &pages, "pages", filter)?;
    let sql = format!(
        "SELECT r.request_id, r.url_id, coalesce(r.url, u.url) AS requested, r.url IS NULL AS is_listed, r.run_id, r.started_us, r.status, \
                r.remote_ip, r.http_version, r.headers, r.is_last, p.content_type, p.redirects, \
                coalesce(p.final_url, u.url) AS final_url, p.body_id, b.zstd IS NOT NULL AS is_stored \
         FROM request r \
         CROSS JOIN url u ON u.url_id = r.url_id \
         CROSS JOIN page p ON p.url_id = r.url_id \
         LEFT JOIN body b ON b.body_id = p.body_id \
         WHERE r.request_id > ?1 AND r.request_id <= ?2 AND r.kind = 0 AND r.error IS NULL AND r.status IS NOT NULL \
           AND p.outcome IN (0, 1) AND r.attempt = p.attempt \
           AND (r.is_last OR r.status IN (301, 302, 303, 307, 308)) \
           AND EXISTS (SELECT 1 FROM pages WHERE pages.url_id = r.url_id AND {condition}) \
         ORDER BY r.request_id"
    );
    let mut select = db.prepare(&sql).map_err(StoreError::from)?;
    let mut after = 0;
    while after < snapshot.last_request() {
        let until = after.saturating_add(CHUNK_REQUESTS).min(snapshot.last_request());
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        let mut rows = select.query(params![after, until]).map_err(StoreError::from)?;
        after = until;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            if !snapshot.had_page(row.get("url_id").map_err(StoreError::from)?) {
                continue;
            }
            let answer = answer(row)?;
            bytes += size_of::<Answer>() + answer.url.len() + answer.headers.as_ref().map_or(0, Vec::len);
            let request_id = answer.request_id;
            chunk.push(answer);
            if bytes >= CHUNK_BYTES {
                after = request_id;
                break;
            }
        }
        // The transaction ends here.
        drop(rows);
        chunk.iter().try_for_each(&mut each)?;
    }
    Ok(())
}

fn answer(row: &Row<'_>) -> Result<Answer, StoreError> {
    let is_last: bool = row.get("is_last")?;
    let url: String = row.get("requested")?;
    let location = match is_last {
        true => None,
        false => location(&url, row.get::<_, Option<String>>("redirects")?, row.get("final_url")?),
    };
    let packed: Option<Vec<u8>> = row.get("headers")?;
    let body = match (row.get("body_id")?, row.get("is_stored")?) {
        (Some(body_id), true) if is_last => AnswerBody::Stored(body_id),
        (Some(_), false) if is_last => AnswerBody::Gone,
        _ => AnswerBody::Empty,
    };
    Ok(Answer {
        request_id: row.get("request_id")?,
        is_listed: row.get("is_listed")?,
        run_id: row.get("run_id")?,
        started_us: row.get("started_us")?,
        status: row.get("status")?,
        remote_ip: row.get("remote_ip")?,
        http_version: row.get("http_version")?,
        // A damaged text is as good as one that was not kept.
        headers: packed.and_then(|packed| headers::unpack(&packed).ok()),
        content_type: if is_last { row.get("content_type")? } else { None },
        location,
        body,
        url,
    })
}

/// The target of the redirect of `url`, by a page's `redirects` ([[url, status], ...]) and final URL.
fn location(url: &str, redirects: Option<String>, final_url: String) -> Option<String> {
    let hops: Vec<(String, u16)> = serde_json::from_str(&redirects?).ok()?;
    let at = hops.iter().position(|(hop, _)| hop == url)?;
    Some(hops.into_iter().nth(at + 1).map_or(final_url, |(next, _)| next))
}

/// A stored body, compressed.
#[derive(Debug)]
pub struct Packed {
    bytes: u64,
    zstd: Vec<u8>,
}

impl Packed {
    /// Its size, decompressed.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes it, decompressed, to `out` piece by piece: it is never in memory as a whole.
    ///
    /// # Errors
    /// It is not what was stored, or cannot be written.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        unpack_into(&self.zstd, self.bytes, out)
    }
}

/// A stored body; `None` if it is gone.
///
/// # Errors
/// [`StoreError`]
pub fn packed(db: &Connection, body_id: i64) -> Result<Option<Packed>, StoreError> {
    let mut select = db.prepare_cached("SELECT bytes, zstd FROM body WHERE body_id = ?1 AND zstd IS NOT NULL")?;
    let packed = select.query_row([body_id], |row| Ok(Packed { bytes: row.get(0)?, zstd: row.get(1)? }));
    Ok(packed.optional()?)
}

/// A stored body of at most `most` bytes, unpacked; `None` if it is gone.
///
/// # Errors
/// [`StoreError`]
pub fn body(db: &Connection, body_id: i64, most: u64) -> Result<Option<Result<Vec<u8>, UnpackError>>, StoreError> {
    Ok(packed(db, body_id)?.map(|packed| unpack(&packed.zstd, packed.bytes, most)))
}

/// The settings of a run, as JSON; an empty object if there are none.
///
/// # Errors
/// [`StoreError`]
pub fn settings(db: &Connection, run_id: i64) -> Result<serde_json::Value, StoreError> {
    let mut select = db.prepare_cached("SELECT config FROM run WHERE run_id = ?1")?;
    let config = select.query_row([run_id], |row| row.get::<_, String>(0)).optional()?.unwrap_or_default();
    Ok(serde_json::from_str(&config).unwrap_or_else(|_| serde_json::Value::Object(serde_json::Map::new())))
}
