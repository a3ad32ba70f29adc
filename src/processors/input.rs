//! A record as the JSON line that a program gets.

use std::os::fd::OwnedFd;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use crate::config::processors::{BodyForm, Processor};
use seine_page::extract::{charset, is_html};
use seine_store::body::{unpack, unpack_into};
use seine_store::processed::{Page, Record, What};
use seine_unix::program::{nameless_file, path_of};

/// Largest body that goes into a line, in bytes.
pub const MAX_INLINE_BYTES: u64 = 32 << 20;

/// A line, its line end included, and the file it speaks of.
#[derive(Debug)]
pub struct Line {
    /// One JSON object.
    pub bytes: Vec<u8>,
    /// Open as long as the program may read it.
    pub file: Option<OwnedFd>,
}

/// The line for `record`.
///
/// # Errors
/// Why the program cannot have it, for people.
pub fn line(record: &Record, processor: &Processor) -> Result<Line, String> {
    let mut object = Map::new();
    object.insert("id".into(), record.id.into());
    let mut file = None;
    match &record.what {
        What::Item { url, data } => {
            object.insert("collection".into(), json!(processor.collection));
            object.insert("url".into(), json!(url));
            let data = serde_json::from_str(data).map_err(|_| "its data is no JSON".to_owned())?;
            object.insert("data".into(), data);
        }
        What::Page(page) => {
            describe(&mut object, page);
            if let Some((bytes, zstd)) = &page.body {
                file = add_body(&mut object, page, *bytes, zstd, processor.body)?;
            }
        }
    }
    let mut bytes = serde_json::to_vec(&object).map_err(|error| error.to_string())?;
    bytes.push(b'\n');
    Ok(Line { bytes, file })
}

fn describe(object: &mut Map<String, Value>, page: &Page) {
    object.insert("url".into(), json!(page.url));
    object.insert("final_url".into(), json!(page.final_url.as_ref().unwrap_or(&page.url)));
    object.insert("status".into(), json!(page.status));
    object.insert("content_type".into(), json!(page.content_type));
    object.insert("title".into(), json!(page.title));
    if let Some(text) = &page.text {
        object.insert("text".into(), json!(text));
    }
    object.insert("fetched_at".into(), json!(page.fetched_at));
}

fn add_body(
    object: &mut Map<String, Value>,
    page: &Page,
    bytes: u64,
    zstd: &[u8],
    form: BodyForm,
) -> Result<Option<OwnedFd>, String> {
    if form == BodyForm::Inline && bytes > MAX_INLINE_BYTES {
        return Err(format!("its body of {bytes} bytes is too large for a line; body = \"file\" takes any"));
    }
    if form == BodyForm::File {
        let file = nameless_file(|file| unpack_into(zstd, bytes, file))
            .map_err(|error| format!("cannot write its body to a temporary file: {error}"))?;
        object.insert("path".into(), json!(path_of(&file)));
        return Ok(Some(file));
    }
    let body = unpack(zstd, bytes, MAX_INLINE_BYTES).map_err(|error| format!("its stored body is {error}"))?;
    let content_type = page.content_type.as_deref().map(str::as_bytes);
    if is_text(content_type, &body) {
        let (text, _) = charset::decode(&body, content_type);
        object.insert("body".into(), json!(text));
    } else {
        object.insert("body_base64".into(), json!(BASE64.encode(&body)));
    }
    Ok(None)
}

/// Whether a body is text by its type: what a program can read as a string.
fn is_text(content_type: Option<&[u8]>, body: &[u8]) -> bool {
    let Some(essence) = content_type.and_then(charset::essence) else {
        return is_html(content_type, body) || std::str::from_utf8(body).is_ok();
    };
    let essence = essence.to_ascii_lowercase();
    let ends = |end: &str| essence.ends_with(end.as_bytes());
    essence.starts_with(b"text/") || ["json", "xml", "javascript", "/x-ndjson"].into_iter().any(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn processor(text: &str) -> Processor {
        toml::from_str(&format!("name = 'p'\ncommand = ['x']\n{text}")).expect("a processor")
    }

    fn page(content_type: &str, body: &[u8]) -> Record {
        let zstd = zstd::bulk::compress(body, 1).expect("a small body");
        let page = Page {
            url: "http://a/".into(),
            content_type: Some(content_type.into()),
            body: Some((body.len() as u64, zstd)),
            ..Page::default()
        };
        Record { id: 7, version: 1, url_id: 7, what: What::Page(Box::new(page)) }
    }

    fn read(line: &Line) -> Value {
        assert_eq!(line.bytes.iter().position(|byte| *byte == b'\n'), Some(line.bytes.len() - 1), "one line");
        serde_json::from_slice(&line.bytes).expect("JSON")
    }

    #[test]
    fn text_comes_as_text_whatever_its_charset_and_the_rest_as_base64() {
        let bodies = processor("input = 'bodies'");
        let text = read(&line(&page("text/html; charset=iso-8859-1", b"caf\xe9\n"), &bodies).unwrap());
        assert_eq!(
            (&text["body"], &text["id"], &text["final_url"]),
            (&json!("café\n"), &json!(7), &json!("http://a/"))
        );
        let image = read(&line(&page("image/png", b"\x89PNG"), &bodies).unwrap());
        assert_eq!((&image["body_base64"], image.get("body")), (&json!("iVBORw=="), None));
    }

    #[test]
    fn a_file_is_there_as_long_as_its_line() {
        let made = line(&page("video/mp4", b"frames"), &processor("input = 'bodies'\nbody = 'file'")).unwrap();
        let path = read(&made)["path"].as_str().unwrap().to_owned();
        assert_eq!(std::fs::read(&path).unwrap(), b"frames");
        drop(made);
        assert!(std::fs::read(&path).is_err());
    }

    #[test]
    fn a_body_that_is_damaged_or_too_large_is_said_to_be_so() {
        let mut record = page("text/plain", b"x");
        if let What::Page(page) = &mut record.what {
            page.body = Some((5, b"no zstd".to_vec()));
        }
        assert!(line(&record, &processor("input = 'bodies'")).unwrap_err().contains("damaged"));
        if let What::Page(page) = &mut record.what {
            page.body = Some((MAX_INLINE_BYTES + 1, Vec::new()));
        }
        assert!(line(&record, &processor("input = 'bodies'")).unwrap_err().contains("file"));
    }
}
