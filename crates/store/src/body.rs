//! Stored bodies, given back.
//!
//! A store may be somebody else's: a few bytes of it can unpack to gigabytes. So nothing here takes more memory than its
//! caller allows, whatever the store says of a body.

use std::io::{self, Read, Write};

use rusqlite::{Connection, OptionalExtension};

use super::StoreError;
use super::read::find_url;
use seine_core::record::CrawlUrl;

/// Why a packed body is not there for use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnpackError {
    /// It is larger than the caller takes.
    #[error("larger than allowed")]
    TooLarge,
    /// It is not what was stored.
    #[error("damaged")]
    Damaged,
}

/// The body of `bytes` bytes that `zstd` was made of, if it has at most `most`.
///
/// # Errors
/// [`UnpackError`]
pub fn unpack(zstd: &[u8], bytes: u64, most: u64) -> Result<Vec<u8>, UnpackError> {
    if bytes > most {
        return Err(UnpackError::TooLarge);
    }
    let capacity = usize::try_from(bytes).map_err(|_| UnpackError::TooLarge)?;
    zstd::bulk::decompress(zstd, capacity).map_err(|_| UnpackError::Damaged)
}

/// Writes the body of `bytes` bytes that `zstd` was made of to `out`, piece by piece: it is never in memory as a whole.
///
/// # Errors
/// It is not what was stored, or cannot be written.
pub fn unpack_into(zstd: &[u8], bytes: u64, out: &mut impl Write) -> io::Result<()> {
    let unpacked = zstd::stream::read::Decoder::with_buffer(zstd)?;
    let copied = io::copy(&mut unpacked.take(bytes.saturating_add(1)), out)?;
    if copied == bytes { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidData, UnpackError::Damaged)) }
}

/// Why a body cannot be given back.
#[derive(Debug, thiserror::Error)]
pub enum CatError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such URL in the store.
    #[error("{0} is not in this store; `SELECT url FROM pages` lists what is")]
    Unknown(String),
    /// The URL has no body.
    #[error("{url} has no stored body: {why}")]
    NoBody {
        /// The URL.
        url: String,
        /// Why not.
        why: String,
    },
    /// The caller takes no body of that size.
    #[error("the stored body of {url} is larger than {most} bytes; set max_body to read it")]
    TooLarge {
        /// The URL.
        url: String,
        /// The most that the caller takes.
        most: u64,
    },
    /// The stored bytes are not what was stored.
    #[error("the stored body of {0} is damaged")]
    Damaged(String),
    /// The output.
    #[error("cannot write the body")]
    Output(#[from] io::Error),
}

/// Writes the body stored for `raw_url`, of at most `most` bytes, to `out`, byte for byte as it was received and
/// decompressed.
///
/// # Errors
/// [`CatError`]
pub fn cat(db: &Connection, raw_url: &str, most: u64, out: &mut impl Write) -> Result<(), CatError> {
    let unknown = || CatError::Unknown(raw_url.to_owned());
    let url = CrawlUrl::parse(raw_url.trim()).map_err(|_| unknown())?;
    let url_id = find_url(db, &url.host, &url.key)?.ok_or_else(unknown)?;
    type Row = (Option<i64>, Option<String>, Option<u64>, Option<Vec<u8>>, Option<Vec<u8>>);
    let row: Row = db
        .query_row(
            "SELECT p.outcome, p.error_message, b.bytes, b.hash, b.zstd FROM url u \
             LEFT JOIN page p USING(url_id) LEFT JOIN body b USING(body_id) WHERE u.url_id = ?1",
            [url_id],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
        )
        .optional()
        .map_err(StoreError::from)?
        .ok_or_else(unknown)?;
    let no_body = |why: &str| CatError::NoBody { url: url.url.clone(), why: why.to_owned() };
    // After a failed fetch the body of the fetch before is still there.
    let earlier = match row {
        (Some(_), _, None, ..) => db
            .query_row(
                "SELECT h.outcome, NULL, b.bytes, b.hash, b.zstd FROM past_page h INDEXED BY past_url CROSS JOIN body b USING(body_id) \
                 WHERE h.url_id = ?1 AND h.outcome = 0 AND b.zstd IS NOT NULL ORDER BY h.fetched_at DESC LIMIT 1",
                [url_id],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)),
            )
            .optional()
            .map_err(StoreError::from)?,
        _ => None,
    };
    let (bytes, hash, zstd) = match earlier.unwrap_or(row) {
        (None, ..) => return Err(no_body("it is still pending")),
        (_, Some(error), None, ..) => return Err(no_body(&error)),
        (_, None, None, ..) => return Err(no_body("the answer was empty")),
        (_, _, Some(_), _, None) => return Err(no_body("it was crawled with --no-store-bodies")),
        (_, _, Some(bytes), hash, Some(zstd)) => (bytes, hash, zstd),
    };
    let damaged = || CatError::Damaged(url.url.clone());
    if bytes > most {
        return Err(CatError::TooLarge { url: url.url, most });
    }
    // Twice, so that nothing damaged is written, and no more than a piece is ever in memory.
    let mut hasher = blake3::Hasher::new();
    unpack_into(&zstd, bytes, &mut hasher).map_err(|_| damaged())?;
    if hash.as_deref() != Some(hasher.finalize().as_bytes().as_slice()) {
        return Err(damaged());
    }
    unpack_into(&zstd, bytes, out)?;
    out.flush()?;
    Ok(())
}

/// The URL at which the answer for `raw_url` was found, after redirects, and its Content-Type.
///
/// # Errors
/// [`CatError`]
pub fn answer_of(db: &Connection, raw_url: &str) -> Result<(String, Option<String>), CatError> {
    let unknown = || CatError::Unknown(raw_url.to_owned());
    let url = CrawlUrl::parse(raw_url.trim()).map_err(|_| unknown())?;
    let url_id = find_url(db, &url.host, &url.key)?.ok_or_else(unknown)?;
    let sql = "SELECT coalesce(p.final_url, u.url), p.content_type FROM url u CROSS JOIN page p USING(url_id) WHERE u.url_id = ?1";
    let row = db.query_row(sql, [url_id], |row| Ok((row.get(0)?, row.get(1)?))).optional();
    row.map_err(StoreError::from)?.ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_takes_no_more_than_its_caller_allows_whatever_the_store_says() {
        let body = vec![b'x'; 1 << 20];
        let packed = zstd::bulk::compress(&body, 1).expect("packed");
        assert!(packed.len() < 1000);
        assert_eq!(unpack(&packed, 1 << 20, 1 << 20), Ok(body));
        assert_eq!(unpack(&packed, 1 << 20, (1 << 20) - 1), Err(UnpackError::TooLarge));
        assert_eq!(unpack(&packed, u64::MAX, 1 << 20), Err(UnpackError::TooLarge));
        for said in [0, 1000, (1 << 20) + 1, u64::MAX] {
            let mut out = Vec::new();
            assert!(unpack_into(&packed, said, &mut out).is_err(), "{said}");
            assert!(out.len() as u64 <= said.saturating_add(1), "{said}");
        }
        let mut out = Vec::new();
        unpack_into(&packed, 1 << 20, &mut out).expect("the body");
        assert_eq!(out.len(), 1 << 20);
        // It says less than there is.
        assert_eq!(unpack(&packed, 1000, 1 << 20), Err(UnpackError::Damaged));
    }
}
