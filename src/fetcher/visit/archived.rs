//! A URL whose answer is in an archive: the answer is read there, and no site is asked.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use url::Url;

use super::record::{Answered, Ended, is_usual_sitemap};
use super::{Visit, Visitor, epoch_us, one_line};
use seine_core::protocol::{Archived, Job};
use seine_core::record::{BadUrl, ErrorClass, Failure};
use seine_http::recorded::Recorded;
use seine_lists::archive::http::{self, Message};
use seine_lists::archive::warc::{self, Damage, Head, Kind};

/// Bytes of a block beyond `--max-body`: for the head of the answer and the framing of its chunks.
const FRAMING_BYTES: u64 = 1 << 20;

impl Visitor {
    /// Records what the archive has for `job`, as if the site had just said it; its time is that of the archive.
    pub async fn archived(&self, job: Job) -> Visit {
        let now_at = epoch_us() / 1000;
        let Some(archived) = job.archived.clone() else { return Visit::over() };
        tracing::trace!(url_id = job.url_id, file = archived.file, at = archived.at, "from archive");
        let (date_at, answer) = match Url::parse(&job.url) {
            Ok(url) => {
                let (date_at, recorded) = recorded(&archived, self.settings.http.max_body.0);
                match recorded {
                    Ok(recorded) => (date_at, self.http.recorded(recorded).await.map(|answer| (url, answer))),
                    Err(failure) => (date_at, Err(failure)),
                }
            }
            Err(error) => (None, Err(Failure::new(ErrorClass::Protocol, BadUrl::Syntax(error).to_string()))),
        };
        let started_at = date_at.filter(|&date_at| date_at <= now_at).unwrap_or(now_at);
        match answer {
            Ok((url, answer)) => {
                self.row.body_bytes.fetch_add(answer.body.len() as u64, Ordering::Relaxed);
                let answered =
                    Answered { url: &url, started_at, asked: Duration::ZERO, is_guess: is_usual_sitemap(&job) };
                self.record(job, answer, answered).await;
            }
            Err(failure) => {
                let message = format!("{}; record at byte {} of {}", failure.message, archived.at, archived.file);
                let failure = Failure::new(failure.class, one_line(&message));
                self.fail(job, failure, Ended::at(started_at)).await;
            }
        }
        Visit::over()
    }
}

/// The answer that lies there, and when it was recorded.
fn recorded(archived: &Archived, max_body: u64) -> (Option<u64>, Result<Recorded, Failure>) {
    let read = |at| warc::read(Path::new(&archived.file), at, max_body.saturating_mul(2).saturating_add(FRAMING_BYTES));
    let found = read(archived.at).and_then(|found| Ok((found, archived.payload_at.map(read).transpose()?)));
    match found {
        Ok(((head, block), None)) => (head.date_at, answer(&head, block)),
        Ok(((head, block), Some((first, first_block)))) => {
            (head.date_at, answer(&first, first_block).map(|first| revisit(&block, first)))
        }
        Err(damage) => {
            let class = match &damage {
                Damage::Short | Damage::Length(_) => ErrorClass::Truncated,
                Damage::Packing(..) => ErrorClass::Encoding,
                Damage::TooLarge(_) => ErrorClass::TooLarge,
                Damage::Io(_) | Damage::Head(_) | Damage::Together(_) => ErrorClass::Protocol,
            };
            let cause = std::error::Error::source(&damage).map(|cause| format!(": {cause}")).unwrap_or_default();
            (None, Err(Failure::new(class, format!("{damage}{cause}"))))
        }
    }
}

/// The answer of a `revisit` record with `block`: its own, with the payload of the `first` one.
fn revisit(block: &[u8], first: Recorded) -> Recorded {
    // With no head, or one that says no more than that nothing has changed, it is the first answer again.
    let Some(own) = http::parse(block).ok().filter(|own| own.status != 304) else { return first };
    // The coding is that of the payload.
    let is_coding = |name: &[u8]| name.eq_ignore_ascii_case(b"content-encoding");
    let own_fields = own.fields.iter().filter(|(name, _)| !is_coding(name));
    let mut fields: Vec<_> = own_fields.map(|(name, value)| (name.to_vec(), value.clone())).collect();
    fields.extend(first.fields.into_iter().filter(|(name, _)| is_coding(name)));
    Recorded { status: own.status, fields, payload: first.payload }
}

fn answer(head: &Head, block: Vec<u8>) -> Result<Recorded, Failure> {
    if let Some(why) = &head.truncated {
        let message = format!("the archive has only the beginning of the answer (WARC-Truncated: {why})");
        return Err(Failure::new(ErrorClass::Truncated, message));
    }
    if head.kind == Kind::Resource {
        let fields = head.content_type.iter().map(|value| (b"content-type".to_vec(), value.clone().into_bytes()));
        return Ok(Recorded { status: 200, fields: fields.collect(), payload: block });
    }
    let message = http::parse(&block).map_err(|error| Failure::new(ErrorClass::Protocol, error.to_string()))?;
    let (payload, is_whole) = message.payload();
    if !is_whole {
        let message = format!("the body ends early, after {} bytes", payload.len());
        return Err(Failure::new(ErrorClass::Truncated, message));
    }
    let Message { status, fields, .. } = message;
    let fields = fields.into_iter().map(|(name, value)| (name.to_vec(), value)).collect();
    Ok(Recorded { status, fields, payload })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revisit_has_its_own_head_and_the_payload_of_the_first() {
        let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
        let first = || Recorded {
            status: 200,
            fields: vec![field("Content-Type", "text/html"), field("content-encoding", "gzip")],
            payload: b"x".to_vec(),
        };
        let own = revisit(b"HTTP/1.1 404 Gone\r\nContent-Type: text/plain\r\nContent-Encoding: br\r\n\r\n", first());
        assert_eq!((own.status, &own.payload[..]), (404, &b"x"[..]));
        assert_eq!(own.fields, [field("Content-Type", "text/plain"), field("content-encoding", "gzip")]);
        for block in [&b""[..], b"HTTP/1.1 304 Not Modified\r\nA: b\r\n\r\n"] {
            let same = revisit(block, first());
            assert_eq!((same.status, same.fields), (200, first().fields));
        }
    }
}
