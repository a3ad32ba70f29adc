use super::*;
use crate::{open_for_reading, open_for_writing};

#[test]
fn the_tables_of_a_new_store_are_those_that_are_guarded() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = open_for_writing(&folder.path().join("crawl.db")).expect("a store");
    let mut select = db
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1")
        .expect("a query");
    let names: Vec<String> =
        select.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("names");
    let mut guarded = TABLES;
    guarded.sort_unstable();
    assert_eq!(names, guarded);
}

#[test]
fn what_somebody_has_put_in_the_way_is_refused_by_name_and_what_is_beside_is_not() {
    const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
    for (sql, name) in [
        ("CREATE TRIGGER bad AFTER INSERT ON page BEGIN DELETE FROM item; END", Some("trigger \"bad\"")),
        ("CREATE TRIGGER bad INSTEAD OF INSERT ON pages BEGIN DELETE FROM item; END", Some("trigger \"bad\"")),
        (&format!("DROP VIEW runs; CREATE VIEW runs AS {ENDLESS}"), Some("view \"runs\"")),
        (&format!("DROP TABLE total; CREATE VIEW total AS {ENDLESS}"), Some("view \"total\"")),
        ("DROP VIEW runs; CREATE TABLE runs(a)", Some("table \"runs\"")),
        (&format!("CREATE VIEW mine AS {ENDLESS}"), None),
        ("CREATE TABLE notes(a); CREATE TRIGGER own AFTER INSERT ON notes BEGIN DELETE FROM notes; END", None),
        ("CREATE INDEX mine ON page(title)", None),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("crawl.db");
        open_for_writing(&path).expect("a store").execute_batch(sql).expect("a change");
        for opened in [open_for_reading(&path), open_for_writing(&path)] {
            match (opened, name) {
                (Err(error), Some(name)) => assert!(error.to_string().contains(name), "{sql}: {error}"),
                (opened, name) => assert_eq!(opened.is_err(), name.is_some(), "{sql}"),
            }
        }
    }
}
