//! GraphML: the graph of a site. Nodes are URLs, edges are links.
//!
//! Every URL of the store is a node, and each other URL that a link leads to becomes one just before its first edge, so
//! that a reader finds both ends of an edge declared. Which of those others are there already is noted in a temporary
//! database of SQLite, which goes to disk when it grows.

use std::io::Write;

use rusqlite::Connection;

use super::target::Output;
use super::{Finished, Result, cell, xml};
use seine_core::record::{CrawlUrl, KeyKind, url_key};
use seine_store::StoreError;
use seine_store::links::{Link, Node};
use seine_store::tables::{Column, ColumnType};

/// Attributes of nodes, with their types.
const NODE_KEYS: [(&str, &str); 5] =
    [("url", "string"), ("title", "string"), ("outcome", "string"), ("status", "int"), ("depth", "int")];

/// Columns of the view `links` that the ends of an edge say already.
const ENDS: [&str; 3] = ["from_url", "to_url", "url_id"];

/// A graph in the making.
pub struct Graphml {
    output: Output,
    /// Columns of the view `links` that are attributes of edges, with their places in a row.
    edge_columns: Vec<(usize, String)>,
    elsewhere: Elsewhere,
    line: String,
}

impl Graphml {
    /// One into `output`; `columns` are those of the view `links`.
    ///
    /// # Errors
    /// The output cannot be written, or there is no room for temporary files.
    pub fn new(mut output: Output, columns: &[Column]) -> Result<Self> {
        writeln!(
            output,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xsi:schemaLocation=\"http://graphml.graphdrawing.org/xmlns \
             http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd\">"
        )?;
        for (name, kind) in NODE_KEYS {
            writeln!(output, "<key id=\"{name}\" for=\"node\" attr.name=\"{name}\" attr.type=\"{kind}\"/>")?;
        }
        let mut edge_columns = Vec::new();
        for (at, column) in columns.iter().enumerate().filter(|(_, column)| !ENDS.contains(&&*column.name)) {
            let (name, kind) = (xml::escaped(&column.name), type_of(&column.kind));
            writeln!(output, "<key id=\"link_{name}\" for=\"edge\" attr.name=\"{name}\" attr.type=\"{kind}\"/>")?;
            edge_columns.push((at, name));
        }
        writeln!(output, "<graph id=\"site\" edgedefault=\"directed\">")?;
        Ok(Self { output, edge_columns, elsewhere: Elsewhere::new()?, line: String::new() })
    }

    /// A URL of the store. All of them come before the first link.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn node(&mut self, node: &Node) -> Result<()> {
        self.line = format!("<node id=\"n{}\">", node.url_id);
        let status = node.status.map(|status| status.to_string());
        let outcome = node.outcome.map_or("pending", |outcome| outcome.name());
        for (key, value) in [
            ("url", Some(&*node.url)),
            ("title", node.title.as_deref()),
            ("outcome", Some(outcome)),
            ("status", status.as_deref()),
            ("depth", Some(&*node.depth.to_string())),
        ] {
            if let Some(value) = value {
                self.data(key, value);
            }
        }
        self.end_line("</node>")
    }

    /// A link.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn edge(&mut self, link: &Link<'_>) -> Result<()> {
        let target = match link.target.url_id {
            Some(url_id) => format!("n{url_id}"),
            None => self.elsewhere(&link.to_url)?,
        };
        self.line = format!("<edge source=\"n{}\" target=\"{target}\">", link.page_id);
        for at in 0..self.edge_columns.len() {
            let (place, name) = &self.edge_columns[at];
            let (key, value) = (format!("link_{name}"), cell::text(&link.cells[*place]));
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                self.data(&key, &value);
            }
        }
        self.end_line("</edge>")
    }

    /// That was all.
    ///
    /// # Errors
    /// The output cannot be written or named.
    pub fn finish(mut self) -> Result<Finished> {
        writeln!(self.output, "</graph>\n</graphml>")?;
        self.output.commit()?;
        Ok(Finished::default())
    }

    /// The node of a URL that the store does not have, declared if it is not yet.
    fn elsewhere(&mut self, url: &str) -> Result<String> {
        let key = match CrawlUrl::parse(url) {
            Ok(url) => url.key,
            Err(_) => url_key(KeyKind::Rejected, url.as_bytes()),
        };
        let id = key.iter().fold(String::from("x"), |id, byte| format!("{id}{byte:02x}"));
        if self.elsewhere.is_new(&key)? {
            self.line = format!("<node id=\"{id}\">");
            self.data("url", url);
            self.end_line("</node>")?;
        }
        Ok(id)
    }

    fn data(&mut self, key: &str, value: &str) {
        let value = xml::escaped(value);
        self.line.push_str(&format!("<data key=\"{key}\">{value}</data>"));
    }

    fn end_line(&mut self, end: &str) -> Result<()> {
        Ok(writeln!(self.output, "{}{end}", self.line)?)
    }
}

/// The type of an attribute, as GraphML calls it.
fn type_of(kind: &ColumnType) -> &'static str {
    match kind {
        ColumnType::Integer | ColumnType::Bool => "long",
        ColumnType::Real => "double",
        _ => "string",
    }
}

/// Keys of URLs that are nodes though the store does not have them.
struct Elsewhere(Connection);

impl Elsewhere {
    fn new() -> Result<Self> {
        // A database without a name is a temporary file, which is only made when its cache is full.
        let db = Connection::open("").map_err(StoreError::from)?;
        db.execute_batch(
            "PRAGMA journal_mode = off; PRAGMA synchronous = off;
             CREATE TABLE seen(key BLOB PRIMARY KEY) WITHOUT ROWID; BEGIN",
        )
        .map_err(StoreError::from)?;
        Ok(Self(db))
    }

    /// Whether this key comes for the first time.
    fn is_new(&self, key: &[u8]) -> Result<bool> {
        let mut insert = self.0.prepare_cached("INSERT OR IGNORE INTO seen VALUES (?1)").map_err(StoreError::from)?;
        Ok(insert.execute([key]).map_err(StoreError::from)? == 1)
    }
}
