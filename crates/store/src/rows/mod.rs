//! Rows of a table or query, as they were at one moment, in constant memory and beside a running crawl.
//!
//! A read transaction sees one snapshot, but as long as it lasts the writer cannot start its log anew. So where rows
//! have a key and never change once they are there (pages, links, requests, attempts, problems, tables), they are read
//! in many short transactions, each of a few MiB that are in memory before they are handed on: however slowly they are
//! taken, the log stays small. Which of them were there at the start is known by a [`Snapshot`]. All else (items, which
//! change; an order other than that of the key; queries of the user's own) is read in one transaction.

mod chunk;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement};

use self::chunk::Chunk;
use super::StoreError;
use super::collections::quoted;
use super::outcomes;
use super::tables::{Column, ColumnType, Table, TableError, no_column};

/// Keys that one short transaction looks at, at most.
const CHUNK_KEYS: i64 = 50_000;

/// Why rows cannot be selected.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// No such table or column.
    #[error(transparent)]
    Table(#[from] TableError),
    /// SQLite's words on a condition.
    #[error("--where is no condition over {table}: {message}")]
    Condition {
        /// The table.
        table: String,
        /// The words of SQLite.
        message: String,
    },
    /// SQLite's words on a query.
    #[error("not a query: {0}")]
    Query(String),
    /// The rows of this table are of no single run.
    #[error("rows of {0} belong to no run; --run and --changed-since do not apply")]
    NoRun(String),
    /// There is no such run.
    #[error("there is no run {0}; the table runs lists them")]
    NoSuchRun(i64),
    /// Nothing was ever crawled.
    #[error("there is no run in this store")]
    NoRunAtAll,
    /// Only pages have an order of the lists.
    #[error("--order-by input is for pages, not for {0}")]
    NoInputOrder(String),
    /// Rows that name no host.
    #[error("rows of {0} belong to no host; --split-by host does not apply")]
    NoHost(String),
}

impl From<rusqlite::Error> for SelectError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Table(error.into())
    }
}

impl From<StoreError> for SelectError {
    fn from(error: StoreError) -> Self {
        Self::Table(error.into())
    }
}

/// The rows wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// A condition in SQL over the table's columns.
    pub condition: Option<String>,
    /// Those of this run.
    pub run: Option<i64>,
    /// Those of later runs.
    pub changed_since: Option<i64>,
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// That of the table's key, or any.
    #[default]
    Key,
    /// Of pages: that of the lists, a row for each line of them.
    Input,
    /// By the host of their URL; its name comes as the last column, called [`GROUP`].
    Host,
    /// By their run; likewise.
    Run,
}

/// Name of the column that [`Order::Host`] and [`Order::Run`] add.
pub const GROUP: &str = "_group";

/// A key by which rows are read in pieces: `bound` tells which were there at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    column: &'static str,
    bound: Bound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Pages,
    Requests,
    Problems,
}

/// Rows to be read.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Name of the table, or `query`.
    pub name: String,
    /// The columns of a row, in its order.
    pub columns: Vec<Column>,
    /// For one transaction.
    sql: String,
    /// For many: by which key, and the rows of a range of it.
    pieces: Option<(Key, String)>,
}

impl Selection {
    /// Rows of `table`: those that pass `filter`, of their columns those called `columns` (all if `None`).
    ///
    /// # Errors
    /// [`SelectError`]
    pub fn of_table(
        db: &Connection,
        table: &Table,
        columns: Option<&[String]>,
        filter: &Filter,
        order: Order,
    ) -> Result<Self, SelectError> {
        let all = || table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
        let mut chosen = Vec::new();
        for name in columns.map_or_else(all, <[String]>::to_vec) {
            let found = table.columns.iter().find(|column| column.name == name);
            chosen.push(found.cloned().ok_or_else(|| no_column(&table.name, &name, all()))?);
        }
        let from = match (order, table.name.as_str()) {
            (Order::Input, "pages") => format!("({}) AS pages", lines()),
            (Order::Input, other) => return Err(SelectError::NoInputOrder(other.to_owned())),
            (_, name) => quoted(name),
        };
        let condition = condition(db, table, &from, filter)?;
        let mut list: Vec<_> = chosen.iter().map(|column| quoted(&column.name)).collect();
        let group = match order {
            Order::Key | Order::Input => None,
            Order::Host => Some(host(table)?),
            Order::Run => Some(run(table).ok_or_else(|| SelectError::NoRun(table.name.clone()))?),
        };
        if let Some(group) = &group {
            list.push(format!("{group} AS {GROUP}"));
            chosen.push(Column::new(GROUP, ColumnType::Any));
        }
        // A subquery may see something else in the next transaction.
        let asks_again = filter.condition.as_ref().is_some_and(|sql| sql.to_ascii_lowercase().contains("select"));
        let key = if order == Order::Key && !asks_again { key(db, &table.name)? } else { None };
        let list = list.join(", ");
        let pieces = key.map(|key| {
            let Key { column, .. } = key;
            let range = format!("{column} > ?1 AND {column} <= ?2");
            (key, format!("SELECT {column}, {list} FROM {from} WHERE {range} AND {condition} ORDER BY {column}"))
        });
        let ordered = match order {
            Order::Key => String::new(),
            Order::Input => " ORDER BY _file_id, input_line".to_owned(),
            Order::Host | Order::Run => format!(" ORDER BY {GROUP}"),
        };
        let sql = format!("SELECT {list} FROM {from} WHERE {condition}{ordered}");
        Ok(Self { name: table.name.clone(), columns: chosen, sql, pieces })
    }

    /// Rows of a query of the user's own.
    ///
    /// # Errors
    /// [`SelectError::Query`] if it is no single statement that only reads.
    pub fn of_query(db: &Connection, sql: &str) -> Result<Self, SelectError> {
        let columns = {
            let statement = query(db, sql)?;
            let mut taken = HashSet::new();
            let names = statement.column_names().map(|name| {
                let mut unique = name.to_owned();
                let mut number = 1;
                while !taken.insert(unique.to_lowercase()) {
                    number += 1;
                    unique = format!("{name}_{number}");
                }
                Column::new(unique, ColumnType::Any)
            });
            names.collect()
        };
        Ok(Self { name: "query".to_owned(), columns, sql: sql.to_owned(), pieces: None })
    }

    /// Reads in one transaction, though it could be done in pieces.
    pub fn at_once(&mut self) {
        self.pieces = None;
    }

    /// Whether it is read in many short transactions.
    pub fn in_pieces(&self) -> bool {
        self.pieces.is_some()
    }

    /// Hands every row to `each`, until it fails.
    ///
    /// # Errors
    /// Those of `each`; [`StoreError`] as one of its kind.
    pub fn read<E: From<StoreError>>(
        &self,
        db: &Connection,
        snapshot: &Snapshot,
        mut each: impl FnMut(&[ValueRef<'_>]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some((key, sql)) = &self.pieces else {
            let columns = self.columns.len();
            let mut statement = db.prepare(&self.sql).map_err(StoreError::from)?;
            let mut rows = statement.query([]).map_err(StoreError::from)?;
            while let Some(row) = rows.next().map_err(StoreError::from)? {
                let mut cells = Vec::with_capacity(columns);
                for at in 0..columns {
                    cells.push(row.get_ref(at).map_err(StoreError::from)?);
                }
                each(&cells)?;
            }
            return Ok(());
        };
        let mut statement = db.prepare(sql).map_err(StoreError::from)?;
        let last = snapshot.last(key.bound);
        let mut after = 0;
        let mut chunk = Chunk::default();
        while after < last {
            let until = after.saturating_add(CHUNK_KEYS).min(last);
            after = chunk.fill(&mut statement, after, until, |id| snapshot.had(key.bound, id))?;
            for row in chunk.rows(self.columns.len()) {
                each(&row)?;
            }
        }
        Ok(())
    }
}

/// A statement that is alone, takes no parameters and only reads.
fn query<'a>(db: &'a Connection, sql: &str) -> Result<Statement<'a>, SelectError> {
    let statement = db.prepare(sql).map_err(|error| SelectError::Query(words(&error)))?;
    if statement.column_count() == 0 || !statement.readonly() {
        return Err(SelectError::Query("only statements that read are allowed".to_owned()));
    }
    if statement.parameter_count() > 0 {
        return Err(SelectError::Query("it has parameters, and nothing to put in their place".to_owned()));
    }
    Ok(statement)
}

/// SQLite's own words, without the query.
fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, offset, .. } if *offset > 0 => format!("{msg} (at byte {offset})"),
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::MultipleStatement => "more than one statement".to_owned(),
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    }
}

/// `filter` in SQL, over the columns of `from`.
pub(super) fn condition(db: &Connection, table: &Table, from: &str, filter: &Filter) -> Result<String, SelectError> {
    let mut all = vec!["1".to_owned()];
    if let Some(own) = &filter.condition {
        let wrong = |message: String| SelectError::Condition { table: table.name.clone(), message };
        // By itself first: what only makes sense between brackets would reach beyond them.
        let alone = format!("SELECT 1 FROM {from} WHERE {own}\n");
        let bracketed = format!("SELECT 1 FROM {from} WHERE (\n{own}\n)");
        for sql in [alone, bracketed] {
            let statement = db.prepare(&sql).map_err(|error| match error {
                rusqlite::Error::SqlInputError { msg, .. } => wrong(msg),
                other => wrong(words(&other)),
            })?;
            if statement.parameter_count() > 0 {
                return Err(wrong("it has parameters, and nothing to put in their place".to_owned()));
            }
        }
        all.push(format!("(\n{own}\n)"));
    }
    for (operator, number) in [("=", filter.run), (">", filter.changed_since)] {
        if let Some(number) = number {
            let run = run(table).ok_or_else(|| SelectError::NoRun(table.name.clone()))?;
            all.push(format!("{run} {operator} {number}"));
        }
    }
    Ok(all.join(" AND "))
}

/// The run a row is of.
fn run(table: &Table) -> Option<String> {
    if let Some(own) = ["run_id", "_run_id"].into_iter().find(|own| table.has(own)) {
        return Some(own.to_owned());
    }
    // Links and tables of a page.
    (table.name != "inputs" && table.has("url_id"))
        .then(|| format!("(SELECT p.run_id FROM page p WHERE p.url_id = {}.url_id)", quoted(&table.name)))
}

/// The host a row is of.
fn host(table: &Table) -> Result<String, SelectError> {
    if table.has("host") {
        return Ok("host".to_owned());
    }
    let url = ["url", "_url", "from_url", "raw_url", "origin"].into_iter().find(|url| table.has(url));
    url.map(|url| format!("host_of({url})")).ok_or_else(|| SelectError::NoHost(table.name.clone()))
}

/// The key by which rows of `table` can be read in pieces: what is there does not change. Of pages that does not hold
/// while a later run replaces them.
fn key(db: &Connection, table: &str) -> Result<Option<Key>, StoreError> {
    let stays = !db
        .prepare("SELECT 1 FROM run WHERE ended_by IS NOT 'completed' AND run_id > (SELECT min(run_id) FROM run)")?
        .exists([])?;
    Ok(Some(match table {
        "pages" | "links" | "tables" if stays => Key { column: "url_id", bound: Bound::Pages },
        "requests" | "attempts" => Key { column: "request_id", bound: Bound::Requests },
        "extract_problems" if stays => Key { column: "problem_id", bound: Bound::Problems },
        _ => return Ok(None),
    }))
}

/// The columns of `pages` for every line of every list, also where its URL is still pending or was named before.
fn lines() -> String {
    format!(
        "\
    SELECT u.url_id, u.url, (SELECT f.name FROM file f WHERE f.file_id = i.file_id) AS input_file, i.line AS input_line, i.columns AS input_columns, \
           CASE WHEN p.outcome <> 3 THEN coalesce(p.final_url, u.url) END AS final_url, \
           {} AS outcome, \
           p.status, p.error, p.error_message, p.title, p.h1, p.description, p.canonical, p.lang, \
           p.content_type, p.charset, b.bytes AS body_bytes, \
           CASE WHEN b.hash IS NOT NULL THEN lower(hex(b.hash)) END AS body_hash, \
           strftime('%Y-%m-%dT%H:%M:%S', p.fetched_at / 1000, 'unixepoch') \
             || printf('.%03dZ', p.fetched_at % 1000) AS fetched_at, \
           p.elapsed_ms, CASE WHEN p.url_id IS NOT NULL THEN u.attempts END AS attempts, \
           CASE WHEN p.url_id IS NOT NULL THEN u.depth END AS depth, p.run_id, p.redirects, p.meta_robots, \
           e.metadata, e.text, e.markdown, p.changed, \
           CASE u.kind WHEN 0 THEN 'page' WHEN 1 THEN 'sitemap' WHEN 2 THEN 'feed' WHEN 3 THEN 'asset' END AS kind, \
           (SELECT w.url FROM url w WHERE w.url_id = u.found_on) AS found_on, \
           strftime('%Y-%m-%dT%H:%M:%S', u.changed_at / 1000, 'unixepoch') \
             || printf('.%03dZ', u.changed_at % 1000) AS lastmod, \
           (SELECT w.url FROM same_page s CROSS JOIN page o ON o.url_id = s.same_as CROSS JOIN url w ON w.url_id = s.same_as \
            WHERE s.url_id = u.url_id AND o.outcome = 0 \
              AND NOT EXISTS (SELECT 1 FROM same_page n WHERE n.url_id = s.same_as)) AS same_as, \
           CASE p.soft_404 WHEN 1 THEN 'says_so' WHEN 2 THEN 'like_404' END AS soft_404, i.file_id AS _file_id \
    FROM input i \
    CROSS JOIN url u ON u.url_id = i.url_id \
    LEFT JOIN page p ON p.url_id = +u.url_id \
    LEFT JOIN body b ON b.body_id = p.body_id \
    LEFT JOIN page_extra e ON e.url_id = p.url_id",
        outcomes::name_of("p.outcome")
    )
}

/// The rows that were there at one moment, of all that is read in pieces: a bit for each URL, and the last of what is only ever
/// appended to.
#[derive(Debug, Default)]
pub struct Snapshot {
    finished: Vec<u64>,
    last_request: i64,
    last_problem: i64,
}

impl Snapshot {
    /// Takes note of what is there: in the transaction that `db` is in, or one of its own.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn take(db: &Connection) -> Result<Self, StoreError> {
        let _transaction = if db.is_autocommit() { Some(db.unchecked_transaction()?) } else { None };
        let last = |table: &str, key: &str| {
            db.query_row(&format!("SELECT coalesce(max({key}), 0) FROM {table}"), [], |row| row.get::<_, i64>(0))
        };
        let mut snapshot = Self {
            finished: Vec::new(),
            last_request: last("request", "request_id")?,
            last_problem: last("extract_problem", "problem_id")?,
        };
        let mut select = db.prepare("SELECT url_id FROM url WHERE outcome IS NOT NULL ORDER BY url_id")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let url_id: usize = row.get(0)?;
            if snapshot.finished.len() <= url_id / 64 {
                snapshot.finished.resize(url_id / 64 + 1, 0);
            }
            snapshot.finished[url_id / 64] |= 1 << (url_id % 64);
        }
        Ok(snapshot)
    }

    /// Whether the URL had its outcome.
    pub fn had_page(&self, url_id: i64) -> bool {
        let Ok(url_id) = usize::try_from(url_id) else { return false };
        self.finished.get(url_id / 64).is_some_and(|bits| bits >> (url_id % 64) & 1 == 1)
    }

    /// The last request there was; 0 if there was none.
    pub fn last_request(&self) -> i64 {
        self.last_request
    }

    fn last(&self, bound: Bound) -> i64 {
        match bound {
            Bound::Pages => i64::try_from(self.finished.len() * 64).unwrap_or(i64::MAX),
            Bound::Requests => self.last_request,
            Bound::Problems => self.last_problem,
        }
    }

    fn had(&self, bound: Bound, id: i64) -> bool {
        bound != Bound::Pages || self.had_page(id)
    }
}
