//! Rows as they were at one moment, whoever writes meanwhile.

use std::path::PathBuf;

use rusqlite::Connection;

use super::*;
use crate::guard::guard;
use crate::{open_for_reading, open_for_writing};

/// Enough for several pieces.
const PAGES: i64 = 20_000;

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    /// A store with pages, each with two links, of two runs; every tenth URL is pending.
    fn new() -> (Self, Connection) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("crawl.db");
        let db = open_for_writing(&path).expect("a store");
        db.execute_batch(
            "INSERT INTO run(run_id, started_at, pid, last_at, seine_version, config, ended_by) \
               VALUES (1, 0, 1, 0, '', '{}', 'completed'), (2, 0, 1, 0, '', '{}', 'completed'); \
             INSERT INTO host(host_id, name) VALUES (1, 'a.example'), (2, 'b.example'); \
             INSERT INTO file(file_id, name) VALUES (1, 'urls.csv');",
        )
        .expect("rows");
        let place = Self { _folder: folder, path };
        place.add(&db, 1, PAGES);
        (place, db)
    }

    fn add(&self, db: &Connection, from: i64, to: i64) {
        db.execute_batch(&format!(
            "BEGIN; \
             CREATE TEMP TABLE n AS WITH RECURSIVE c(n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM c WHERE n < {to}) \
               SELECT n FROM c; \
             INSERT INTO url(url_id, key, url, host_id, outcome, attempts, file_id, line) \
               SELECT n, randomblob(16), 'https://' || iif(n % 2, 'a', 'b') || '.example/' || n, 1 + n % 2, \
                      iif(n % 10, 0, NULL), 1, 1, n FROM n; \
             INSERT INTO input(file_id, line, columns, url_id) SELECT 1, n, json_object('sku', 'x' || n), n FROM n; \
             INSERT INTO page(url_id, run_id, title, fetched_at, status, outcome) \
               SELECT n, 1 + (n > 100), hex(zeroblob(50)), n, 200, 0 FROM n WHERE n % 10; \
             INSERT INTO page_link(url_id, links) SELECT n, '[[\"https://x/\",\"\",null],[\"https://y/\",\"\",null]]' \
               FROM n WHERE n % 10; \
             INSERT INTO request(url_id, run_id, host_id, kind, attempt, is_last, started_us, elapsed_ms, gap_ms, bytes) \
               SELECT n, 1, 1, 0, 1, 1, 0, 0, 0, 0 FROM n WHERE n % 10; \
             DROP TABLE n; COMMIT;"
        ))
        .expect("rows");
    }
}

fn select(db: &Connection, table: &str, columns: Option<&[String]>, filter: &Filter, order: Order) -> Selection {
    Selection::of_table(db, &Table::find(db, table).expect("a table"), columns, filter, order).expect("a selection")
}

fn read(db: &Connection, selection: &Selection, snapshot: &Snapshot) -> Vec<String> {
    let mut found = Vec::new();
    selection
        .read(db, snapshot, |cells| {
            let texts = cells.iter().map(|cell| match cell {
                ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                other => format!("{other:?}"),
            });
            found.push(texts.collect::<Vec<_>>().join("|"));
            Ok::<_, StoreError>(())
        })
        .expect("rows");
    found
}

#[test]
fn in_pieces_or_at_once_the_rows_are_the_same() {
    let (place, _writer) = Place::new();
    let db = open_for_reading(&place.path).expect("a store");
    let snapshot = Snapshot::take(&db).expect("a snapshot");
    for (table, count) in [("pages", 18_000), ("links", 36_000), ("attempts", 18_000), ("requests", 18_000)] {
        let mut selection = select(&db, table, None, &Filter::default(), Order::Key);
        assert!(selection.in_pieces(), "{table}");
        let pieces = read(&db, &selection, &snapshot);
        selection.at_once();
        assert!(!selection.in_pieces());
        let whole = read(&db, &selection, &snapshot);
        assert_eq!(pieces.len(), count, "{table}");
        assert!(pieces == whole, "{table}");
    }
}

#[test]
fn a_writer_is_not_held_up_and_what_it_commits_meanwhile_is_left_out() {
    let (place, writer) = Place::new();
    let db = open_for_reading(&place.path).expect("a store");
    let before =
        read(&db, &select(&db, "pages", None, &Filter::default(), Order::Key), &Snapshot::take(&db).expect("one"));
    for table in ["pages", "links", "attempts"] {
        let snapshot = Snapshot::take(&db).expect("a snapshot");
        let selection = select(&db, table, None, &Filter::default(), Order::Key);
        let last: i64 = writer.query_row("SELECT max(url_id) FROM url", [], |row| row.get(0)).expect("a number");
        let there: usize =
            writer.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a number");
        let mut rows = 0_usize;
        selection
            .read(&db, &snapshot, |_| {
                if rows.is_multiple_of(6_000) {
                    // A pending URL of the middle ends, and others come to the end.
                    let at = rows as i64;
                    place.add(&writer, last + 1 + at, last + 1_000 + at);
                    writer.execute_batch("UPDATE url SET outcome = 0 WHERE url_id % 10 = 0 AND url_id <= 20000")?;
                    writer.execute_batch(
                        "INSERT OR IGNORE INTO page(url_id, run_id, fetched_at, outcome) SELECT url_id, 2, 0, 0 FROM url \
                         WHERE url_id % 10 = 0 AND url_id <= 20000",
                    )?;
                    // The log starts anew only when nobody reads from it.
                    let busy = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))?;
                    assert_eq!(busy, 0, "{table}: a reader holds the log after {rows} rows");
                    let wal = std::fs::metadata(crate::wal_of(&place.path)).map_or(0, |meta| meta.len());
                    assert_eq!(wal, 0);
                }
                rows += 1;
                Ok::<_, StoreError>(())
            })
            .expect("rows");
        assert_eq!(rows, there, "{table}");
    }
    assert_eq!(before.len(), 18_000);
}

#[test]
fn rows_are_chosen_by_condition_run_and_columns() {
    let (place, _writer) = Place::new();
    let db = open_for_reading(&place.path).expect("a store");
    let snapshot = Snapshot::take(&db).expect("a snapshot");
    let count =
        |table: &str, filter: &Filter| read(&db, &select(&db, table, None, filter, Order::Key), &snapshot).len();
    let where_sql = |sql: &str| Filter { condition: Some(sql.to_owned()), ..Filter::default() };
    assert_eq!(count("pages", &Filter { run: Some(1), ..Filter::default() }), 90);
    assert_eq!(count("links", &Filter { run: Some(1), ..Filter::default() }), 180);
    assert_eq!(count("links", &Filter { changed_since: Some(1), ..Filter::default() }), 35_820);
    assert_eq!(count("pages", &where_sql("url_id <= 20 OR 0 -- a comment")), 18);
    assert_eq!(count("pages", &where_sql("input_columns ->> 'sku' = 'x7'")), 1);
    assert_eq!(count("pages", &where_sql("url_id IN (SELECT max(url_id) FROM links)")), 1);
    let two = ["title".to_owned(), "url".to_owned()];
    let selection = select(&db, "pages", Some(&two), &where_sql("url_id = 1"), Order::Key);
    assert_eq!(selection.columns.iter().map(|column| &column.name[..]).collect::<Vec<_>>(), ["title", "url"]);
    let wrong = |filter: &Filter, table: &str, order| {
        let table = Table::find(&db, table).expect("a table");
        Selection::of_table(&db, &table, None, filter, order).expect_err("wrong").to_string()
    };
    assert_eq!(
        wrong(&where_sql("statsu = 1"), "pages", Order::Key),
        "--where is no condition over pages: no such column: statsu"
    );
    for sql in ["1) OR (1", "1; DROP TABLE page", "url = ?", "1 ORDER BY url", ""] {
        assert!(wrong(&where_sql(sql), "pages", Order::Key).starts_with("--where is no condition"), "{sql:?}");
    }
    assert!(wrong(&Filter { run: Some(1), ..Filter::default() }, "inputs", Order::Key).contains("belong to no run"));
    assert!(wrong(&Filter::default(), "links", Order::Input).contains("is for pages"));
    assert!(wrong(&Filter::default(), "runs", Order::Host).contains("belong to no host"));
    let error = Table::find(&db, "page").expect_err("no view").to_string();
    assert!(
        error.starts_with("there is no table \"page\"; did you mean \"pages\"? there are: pages, links"),
        "{error}"
    );
}

#[test]
fn every_line_of_the_lists_is_there_in_their_order() {
    let (place, writer) = Place::new();
    // A duplicate of the first line, at the end of another list that comes first.
    writer
        .execute_batch(
            "INSERT INTO file(file_id, name) VALUES (0, 'first.csv'); \
             INSERT INTO input(file_id, line, columns, url_id) VALUES (0, 9, '{\"sku\": \"again\"}', 1);",
        )
        .expect("rows");
    let db = open_for_reading(&place.path).expect("a store");
    let table = Table::find(&db, "pages").expect("a table");
    let selection = select(&db, "pages", None, &Filter::default(), Order::Input);
    assert_eq!(selection.columns, table.columns);
    let lines = read(&db, &selection, &Snapshot::default());
    assert_eq!(lines.len(), PAGES as usize + 1);
    let of_line = |at: usize| lines[at].clone();
    assert!(of_line(0).contains("first.csv") && of_line(0).contains("again"), "{}", of_line(0));
    assert!(of_line(10).contains("|pending|"), "{}", of_line(10));
    // Where each URL has one line, they are the pages and what is pending.
    let only =
        Filter { condition: Some("input_file = 'urls.csv' AND outcome <> 'pending'".to_owned()), ..Filter::default() };
    let ended = read(&db, &select(&db, "pages", None, &only, Order::Input), &Snapshot::default());
    let mut pages = select(&db, "pages", None, &Filter::default(), Order::Key);
    pages.at_once();
    assert!(ended == read(&db, &pages, &Snapshot::default()), "the columns of LINES are not those of pages");
}

#[test]
fn groups_come_together() {
    let (place, _writer) = Place::new();
    let mut db = open_for_reading(&place.path).expect("a store");
    guard(&mut db).expect("a guard");
    let url = ["url".to_owned()];
    let by_host = select(&db, "pages", Some(&url), &Filter::default(), Order::Host);
    let mut hosts = Vec::new();
    by_host
        .read(&db, &Snapshot::default(), |cells| {
            hosts.push(cells[1].as_str().unwrap_or_default().to_owned());
            Ok::<_, StoreError>(())
        })
        .expect("rows");
    hosts.dedup();
    assert_eq!(hosts, ["a.example", "b.example"]);
}

#[test]
fn statements_of_users_read_and_do_nothing_else() {
    let (place, _writer) = Place::new();
    let mut db = open_for_reading(&place.path).expect("a store");
    guard(&mut db).expect("a guard");
    for sql in [
        "DELETE FROM page",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'copy.db'",
        "PRAGMA journal_mode = delete",
        "PRAGMA wal_checkpoint",
        "CREATE TEMP TABLE t(a)",
        "SELECT load_extension('x')",
        "SELECT 1; SELECT 2",
        "SELECT ?1",
        "BEGIN",
        "SELEC 1",
        "",
    ] {
        assert!(Selection::of_query(&db, sql).is_err(), "{sql}");
    }
    for sql in [
        "SELECT url, count(*) OVER () FROM pages LIMIT 1",
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 3) SELECT max(n) FROM c;",
        "SELECT value FROM json_each('[1]')",
        "SELECT host_of('https://a.example/x')",
        "PRAGMA table_info(pages)",
        "EXPLAIN QUERY PLAN SELECT * FROM pages",
        "VALUES (1) -- a comment",
    ] {
        let selection = Selection::of_query(&db, sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(!read(&db, &selection, &Snapshot::default()).is_empty(), "{sql}");
    }
    let selection = Selection::of_query(&db, "SELECT 1 AS a, 2 AS A, 3 AS a").expect("a query");
    assert_eq!(selection.columns.iter().map(|column| &column.name[..]).collect::<Vec<_>>(), ["a", "A_2", "a_3"]);
}

#[test]
fn short_transactions_read_ranges_of_the_key() {
    let (place, _writer) = Place::new();
    let db = open_for_reading(&place.path).expect("a store");
    for table in ["pages", "links", "tables", "requests", "attempts", "extract_problems"] {
        let (_, sql) = select(&db, table, None, &Filter::default(), Order::Key).pieces.expect("pieces");
        let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a query");
        let plan: Vec<String> =
            explain.query_map([0, 1], |row| row.get(3)).and_then(Iterator::collect).expect("a plan");
        assert!(plan[0].contains("(rowid>? AND rowid<?)"), "{table}: {plan:?}");
        assert!(
            !plan.iter().any(|step| step.contains("TEMP B-TREE") || step.contains("MATERIALIZE")),
            "{table}: {plan:?}"
        );
    }
    // Lines come out of the primary key of `input` without being sorted.
    let sql = select(&db, "pages", None, &Filter::default(), Order::Input).sql;
    let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a query");
    let plan: Vec<String> = explain.query_map([], |row| row.get(3)).and_then(Iterator::collect).expect("a plan");
    assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{plan:?}");
}
