use std::path::Path;

use rusqlite::Connection;

use super::*;
use crate::migrations;

/// A store with runs 1 to 9 and URLs 1 to 3.
fn store() -> Connection {
    let mut db = Connection::open_in_memory().expect("memory");
    migrations::migrate(&mut db, Path::new("memory")).expect("a schema");
    db.execute_batch(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9)
           INSERT INTO run(run_id, started_at, pid, last_at, seine_version, config) SELECT i, 0, 1, 0, '', '{}' FROM n;
         INSERT INTO host(host_id, name) VALUES (1, 'a.example');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3)
           INSERT INTO url(url_id, key, url, host_id) SELECT i, randomblob(12), 'https://a.example/' || i, 1 FROM n;
         INSERT INTO body(body_id, hash, bytes) VALUES (97, x'61', 1), (98, x'62', 1);",
    )
    .expect("rows");
    db
}

/// A fetch by run `run_id`; `=` is a 304, `!` a failure, any other letter a body.
fn fetch(db: &Connection, url_id: i64, run_id: i64, found: char) {
    let body = found.is_ascii_alphabetic().then_some(found as u8);
    let state = match found {
        '=' => None,
        '!' => Some(State::failed(Outcome::Failed, "timeout")),
        _ => Some(State {
            outcome: 0,
            status: Some(200),
            error: None,
            hash: body.map(|body| vec![body]),
            title: Some("t".into()),
        }),
    };
    let Passed { before, since } = pass_on(db, url_id, state.as_ref()).expect("a past");
    let Some(now) = state else {
        db.execute(
            "UPDATE page SET run_id = ?2, fetched_at = ?2 * 1000, elapsed_ms = ?2, changed = 0, not_modified = 1, since_run = ?3, \
               since_changed = ?4, same_id = ?5 WHERE url_id = ?1",
            params![url_id, run_id, since.run_id, since.changed, since.same_id],
        )
        .expect("a page");
        return;
    };
    let changed = before.filter(|before| before.outcome == now.outcome).map(|before| before.hash != now.hash);
    db.execute(
        "INSERT OR REPLACE INTO page(url_id, run_id, outcome, status, error, title, body_id, changed, fetched_at, elapsed_ms, \
           since_run, since_changed, same_id) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?2 * 1000, ?2, ?9, ?10, ?11)",
        params![
            url_id,
            run_id,
            now.outcome,
            now.status,
            now.error,
            now.title,
            body,
            changed,
            since.run_id,
            since.changed,
            since.same_id
        ],
    )
    .expect("a page");
}

fn rows(db: &Connection, sql: &str) -> Vec<String> {
    let mut select = db.prepare(sql).expect("a query");
    let rows = select.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<rusqlite::Result<_>>().expect("rows")
}

const HISTORY: &str = "SELECT concat_ws(' ', url_id, run_id, outcome, status, error, coalesce(changed, '-'), not_modified, body_hash, \
                         substr(fetched_at, 18, 2), elapsed_ms, title) \
                       FROM history ORDER BY url_id, run_id";

fn count(db: &Connection, table: &str) -> i64 {
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a count")
}

#[test]
fn the_history_has_every_fetch_whatever_it_found() {
    let db = store();
    for (run_id, found) in (1..).zip("aa==b=!!a".chars()) {
        fetch(&db, 1, run_id, found);
    }
    fetch(&db, 2, 3, 'a');
    let told = [
        "1 1 ok 200 - 0 61 01 1 t",
        "1 2 ok 200 0 0 61 02 2 t",
        "1 3 ok 304 0 1 61 03 3 t",
        "1 4 ok 304 0 1 61 04 4 t",
        "1 5 ok 200 1 0 62 05 5 t",
        "1 6 ok 304 0 1 62 06 6 t",
        "1 7 failed timeout - 0  07 7",
        "1 8 failed timeout 0 0  08 8",
        "1 9 ok 200 - 0 61 09 9 t",
        "2 3 ok 200 - 0 61 03 3 t",
    ];
    assert_eq!(rows(&db, HISTORY), told);
    assert_eq!((count(&db, "past_page"), count(&db, "same_fetch")), (3, 5));
    // Since when it was so, and whether it was changed then.
    let since = "SELECT concat_ws(' ', run_id, since_run, since_changed) FROM past_page ORDER BY past_id";
    assert_eq!(rows(&db, since), ["4 1", "6 5 1", "8 7"]);
}

#[test]
fn of_what_is_taken_back_only_the_last_fetch_is_gone() {
    let db = store();
    for (run_id, found) in (1..).zip("aa=".chars()) {
        fetch(&db, 1, run_id, found);
    }
    fetch(&db, 2, 3, 'a');
    for url_id in [1, 2] {
        keep_but_last(&db, url_id).expect("a past");
        db.execute("DELETE FROM page WHERE url_id = ?1", [url_id]).expect("no page");
    }
    assert_eq!(rows(&db, HISTORY), ["1 1 ok 200 - 0 61 01 1 t", "1 2 ok 200 0 0 61 02 2 t"]);
    fetch(&db, 1, 3, 'b');
    assert_eq!(rows(&db, HISTORY)[2..], ["1 3 ok 200 - 0 62 03 3 t"]);
}
