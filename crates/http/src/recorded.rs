//! An answer that was recorded earlier, by any crawler: it goes the same way as one that comes from the network,
//! with the same limits, as far as its bytes are what its headers say.

use hyper::Response as Parts;
use reqwest::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};

use super::body::{Deadline, Reader};
use super::failure::failure;
use super::{Answer, Http, Want, head};
use seine_core::record::{ErrorClass, Failure};

/// The first bytes of codings that have such.
const GZIP_MAGIC: &[u8] = b"\x1f\x8b";
const ZSTD_MAGIC: &[u8] = b"\x28\xb5\x2f\xfd";

/// An answer as an archive has it, chunks undone.
#[derive(Debug)]
pub struct Recorded {
    /// Its status code.
    pub status: u16,
    /// Names and values of its headers.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
    /// Its body, codings undone or not.
    pub payload: Vec<u8>,
}

impl Http {
    /// The answer that `recorded` is.
    ///
    /// # Errors
    /// [`Failure`] as for a request: the body is too large, ends early, or is not what its encoding says.
    pub async fn recorded(&self, recorded: Recorded) -> Result<Answer, Failure> {
        let shared = &self.shared;
        let mut parts = Parts::new(());
        *parts.status_mut() = recorded
            .status
            .try_into()
            .map_err(|_| failure(ErrorClass::Protocol, format!("the status {} is none of HTTP", recorded.status)))?;
        let headers = parts.headers_mut();
        for (name, value) in &recorded.fields {
            // A line that cannot be a header had no effect on the recorded answer either.
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
                let _ = headers.try_append(name, value);
            }
        }
        headers.remove(TRANSFER_ENCODING);
        headers.remove(CONTENT_LENGTH);
        let coding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes().trim_ascii().to_ascii_lowercase());
        if coding.is_some_and(|coding| is_undone(&coding, &recorded.payload)) {
            headers.remove(CONTENT_ENCODING);
        }
        let response = Response::from(parts.map(|()| recorded.payload));
        let mut answer = head(&response)?;
        if response.status().is_success() {
            answer.skipped = answer.content_type.as_deref().and_then(|name| shared.unwanted(name));
        }
        if answer.skipped.is_none() {
            let sleep = std::pin::pin!(tokio::time::sleep(shared.timeout));
            let mut deadline = Deadline::new(shared.timeout, sleep);
            answer.body = Reader::new(response, &mut deadline, &shared.budget, Want::Page).body().await?;
        }
        Ok(answer)
    }
}

/// Whether who recorded a body undid its coding and kept the header.
fn is_undone(coding: &[u8], payload: &[u8]) -> bool {
    match coding {
        b"gzip" | b"x-gzip" => !payload.starts_with(GZIP_MAGIC),
        b"zstd" => !payload.starts_with(ZSTD_MAGIC),
        // Their data can begin with anything; but as text they cannot be read by chance.
        b"br" | b"deflate" => std::str::from_utf8(payload).is_ok_and(|text| text.len() > 16 || text.is_empty()),
        _ => false,
    }
}
