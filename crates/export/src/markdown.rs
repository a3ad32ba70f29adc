//! A folder with a Markdown file for each page that has any, its other columns as front matter (YAML).
//!
//! Files are called by host, path and query of their URL, as people read them: `example.org/docs_intro.md`, `über.md`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use serde::de::IgnoredAny;
use url::Url;

use super::split::file_name;
use super::target::Folder;
use super::{Cell, ExportError, Finished, Result, Sink, cell};
use seine_store::tables::{Column, ColumnType};

/// Columns of `pages` that are the front matter unless others are asked for.
pub const FRONT_MATTER: [&str; 6] = ["url", "title", "description", "lang", "fetched_at", "run_id"];
/// The column with the text.
pub const TEXT: &str = "markdown";

/// Longest name of a file or folder, its ending apart, in bytes.
const MAX_NAME: usize = 120;
/// Pages without Markdown that are named.
const MAX_NAMED: usize = 3;

/// A folder of Markdown files. Rows begin with `url_id`, `url` and [`TEXT`]; the others are front matter.
pub struct Markdown {
    folder: Folder,
    columns: Vec<Column>,
    without: u64,
    named: Vec<String>,
}

impl Markdown {
    /// One of `folder`.
    pub fn new(folder: Folder) -> Self {
        Self { folder, columns: Vec::new(), without: 0, named: Vec::new() }
    }

    /// The columns that rows must have for a front matter of `columns`.
    pub fn columns(columns: &[String]) -> Vec<String> {
        let needed = ["url_id", "url", TEXT].map(str::to_owned);
        needed.into_iter().chain(columns.iter().filter(|column| *column != TEXT).cloned()).collect()
    }

    fn create(&self, url_id: &str, url: &str) -> Result<(File, PathBuf)> {
        let parsed = Url::parse(url).ok();
        let host = parsed.as_ref().and_then(Url::host_str).unwrap_or("_");
        let folder = self.folder.path().join(file_name(host, MAX_NAME));
        let failed = |path: &PathBuf| {
            let path = path.clone();
            |source| ExportError::File { path, source }
        };
        fs::create_dir_all(&folder).map_err(failed(&folder))?;
        let path = parsed.as_ref().map_or(url, Url::path).trim_matches('/');
        let query = parsed.as_ref().and_then(Url::query);
        let mut name = readable(path);
        name.extend(query.map(|query| format!("_{}", readable(query))));
        let name = match file_name(&name, MAX_NAME) {
            empty if empty == "_" => "index".to_owned(),
            name => name,
        };
        let second = format!("{name}-{url_id}");
        // Even the second may be the name of another page.
        let further = (2..).map(|number: u64| format!("{second}-{number}"));
        for name in [name, second.clone()].into_iter().chain(further) {
            let path = folder.join(format!("{name}.md"));
            match File::create_new(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => return Ok((other.map_err(failed(&path))?, path)),
            }
        }
        Err(failed(&folder)(io::ErrorKind::AlreadyExists.into()))
    }
}

impl Sink for Markdown {
    fn table(&mut self, _name: &str, columns: &[Column]) -> Result<()> {
        self.columns = columns.to_vec();
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<()> {
        let [url_id, url, text, rest @ ..] = cells else { return Ok(()) };
        let url = cell::text(url).unwrap_or_default();
        let Some(text) = cell::text(text) else {
            self.without += 1;
            if self.named.len() < MAX_NAMED {
                self.named.push(url.into_owned());
            }
            return Ok(());
        };
        let mut page = Vec::with_capacity(text.len() + 512);
        page.extend_from_slice(b"---\n");
        for (column, value) in self.columns.iter().skip(3).zip(rest) {
            front_matter(&mut page, column, value)?;
        }
        page.extend_from_slice(b"---\n\n");
        page.extend_from_slice(text.trim_end().as_bytes());
        page.push(b'\n');
        let (mut file, path) = self.create(&cell::text(url_id).unwrap_or_default(), &url)?;
        file.write_all(&page).map_err(|source| ExportError::File { path, source })
    }

    fn finish(self: Box<Self>) -> Result<Finished> {
        self.folder.commit()?;
        let mut finished = Finished::default();
        if self.without > 0 {
            let (pages, have) = if self.without == 1 { ("page", "has") } else { ("pages", "have") };
            let more = match self.without - self.named.len() as u64 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let named = self.named.join(", ");
            finished.notes.push(format!(
                "{} {pages} {have} no Markdown (crawl with --markdown for it): {named}{more}",
                self.without
            ));
        }
        Ok(finished)
    }
}

/// What a part of a URL spells, if it is text: `%C3%BCber` is `über`.
fn readable(part: &str) -> String {
    percent_decode_str(part).decode_utf8().map_or_else(|_| part.to_owned(), |text| text.into_owned())
}

/// A line of YAML, of which JSON is a part; what is not known is left out.
fn front_matter(page: &mut Vec<u8>, column: &Column, value: &Cell<'_>) -> io::Result<()> {
    let Some(text) = cell::text(value) else { return Ok(()) };
    let is_plain = column.name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let name = if is_plain { column.name.clone() } else { serde_json::to_string(&column.name)? };
    printable(page, &name);
    page.extend_from_slice(b": ");
    let is_json = matches!(column.kind, ColumnType::Json | ColumnType::List(_) | ColumnType::Record(_));
    match value {
        Cell::Text(_) if is_json && serde_json::from_str::<IgnoredAny>(&text).is_ok() => {
            // Within JSON they are blanks.
            printable(page, &text.replace(['\n', '\r'], " "));
        }
        Cell::Integer(_) | Cell::Real(_) => page.extend_from_slice(text.as_bytes()),
        _ => printable(page, &serde_json::to_string(&text)?),
    }
    page.push(b'\n');
    Ok(())
}

/// Writes JSON; characters that it may have in strings and YAML may not, or takes for line ends, as escapes.
fn printable(page: &mut Vec<u8>, json: &str) {
    for piece in json.split_inclusive(is_escaped) {
        let last = piece.chars().next_back().filter(|&c| is_escaped(c));
        page.extend_from_slice(&piece.as_bytes()[..piece.len() - last.map_or(0, char::len_utf8)]);
        if let Some(c) = last {
            page.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
        }
    }
}

/// YAML 1.2.2 sections 5.1 (printable characters) and 5.4 (line ends of YAML 1.1).
fn is_escaped(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
