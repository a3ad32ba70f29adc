//! Copies while somebody writes.

use super::*;
use crate::{open_for_reading, open_for_writing};

#[test]
fn a_copy_is_of_one_moment_whatever_is_written_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("a.db"), folder.path().join("b.db"));
    let writer = open_for_writing(&from).unwrap();
    let hosts = |db: &Connection| db.query_row("SELECT count(*) FROM host", [], |row| row.get::<_, i64>(0)).unwrap();
    let add = |from: i64, to: i64| {
        let sql = "WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
                   INSERT INTO host(name) SELECT printf('%0200d', i) FROM n";
        writer.execute(sql, [from, to]).unwrap();
    };
    add(1, 40_000);
    let before = hosts(&writer);
    std::fs::File::create_new(&to).unwrap();
    let mut steps = 0;
    let copied = copy(&from, &to, |copied| {
        steps += 1;
        assert!(copied.pages < copied.of);
        add(100_000 + steps, 100_000 + steps);
        true
    });
    let copied = copied.unwrap().expect("it was not ended");
    assert!(steps > 1 && copied.pages == copied.of && copied.of > 1024, "{steps} {copied:?}");
    assert_eq!(hosts(&writer), before + steps);
    let copy = open_for_reading(&to).unwrap();
    assert_eq!(hosts(&copy), before);
    assert_eq!(copy.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(), "ok");
}

#[test]
fn a_copy_that_is_ended_says_so_and_what_is_no_store_is_not_copied() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("a.db"), folder.path().join("b.db"));
    std::fs::write(&from, "no store").unwrap();
    std::fs::File::create_new(&to).unwrap();
    assert!(matches!(copy(&from, &to, |_| true), Err(StoreError::Foreign(..))));
    assert!(matches!(copy(&folder.path().join("c.db"), &to, |_| true), Err(StoreError::Missing(_))));
    std::fs::remove_file(&from).unwrap();
    let writer = open_for_writing(&from).unwrap();
    let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) \
               INSERT INTO host(name) SELECT printf('%0200d', i) FROM n";
    writer.execute(sql, []).unwrap();
    assert_eq!(copy(&from, &to, |_| false).unwrap(), None);
}
