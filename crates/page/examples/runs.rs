//! Writes the runs of the pages of a WARC file, for `model/train.py`: `runs PAGES.warc OUT` makes `OUT.jsonl` (a line a
//! page: names of the numbers, texts of the runs) and `OUT.f32` (the numbers of all runs).
//! `runs PAGES.warc --text` writes the main text of each page instead, a line each, and what a page has cost.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::time::Instant;

use seine_page::extract::extras::{self, Wanted};
use seine_page::extract::{charset, select::training};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [warc, out] = &args[..] else { return Err("usage: runs PAGES.warc OUT|--text".into()) };
    let warc = fs::read(warc)?;
    if out == "--text" {
        return texts(&warc);
    }
    let mut lines = BufWriter::new(File::create(format!("{out}.jsonl"))?);
    let mut numbers = BufWriter::new(File::create(format!("{out}.f32"))?);
    for answer in answers(&warc) {
        let (document, _) = charset::decode(body(answer), None);
        let rows = training::rows(&document).ok_or("a page that cannot be read")?;
        for number in rows.numbers.iter().flatten() {
            numbers.write_all(&number.to_le_bytes())?;
        }
        writeln!(lines, "{}", serde_json::json!({"names": rows.names, "texts": rows.texts}))?;
    }
    lines.flush()?;
    numbers.flush()?;
    Ok(())
}

/// The main texts.
fn texts(warc: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let url = url::Url::parse("https://example.org/")?;
    let wanted = Wanted { text: true, ..Wanted::default() };
    let (start, mut pages) = (Instant::now(), 0);
    for answer in answers(warc) {
        let found = extras::extras(body(answer), Some(b"text/html; charset=utf-8"), &url, wanted, &|| true);
        println!("{}", serde_json::json!({"text": found.and_then(|found| found.text)}));
        pages += 1;
    }
    eprintln!("{pages} pages, {:?} each", start.elapsed() / pages.max(1));
    Ok(())
}

/// The HTTP responses in an archive.
fn answers(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_ascii_start();
            let head_end = memchr::memmem::find(rest, b"\r\n\r\n")? + 4;
            let head = String::from_utf8_lossy(&rest[..head_end]).to_ascii_lowercase();
            let len: usize = head.split("\r\ncontent-length:").nth(1)?.lines().next()?.trim().parse().ok()?;
            let record = rest.get(head_end..head_end + len)?;
            rest = &rest[head_end + len..];
            if head.contains("warc-type: response") {
                return Some(record);
            }
        }
    })
}

/// The body of a response.
fn body(answer: &[u8]) -> &[u8] {
    memchr::memmem::find(answer, b"\r\n\r\n").map_or(&[], |end| &answer[end + 4..])
}
