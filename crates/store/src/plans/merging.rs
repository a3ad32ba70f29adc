//! Stores are put together, and one is split: what is new, what is known, what has gone on, and what does not go together.

use std::path::{Path, PathBuf};

use super::unseen;
use super::verbs::{collection, fetched_again, finish, first_crawl, found_url, import, line, open, page, process, put};
use crate::insert::Only;
use crate::merge::{self, Brought, MergeError};
use crate::processed::Marks;
use crate::{open_for_reading, open_for_writing};
use seine_core::protocol::processing::{Failed, Processed};

/// Merges what was made of the store at `path` and of others beside it.
pub fn merged(path: &Path) {
    let beside = |name: &str| path.with_file_name(name);
    let (grown, early, other) = (beside("grown.db"), beside("early.db"), beside("other.db"));
    for path in [&grown, &other] {
        unseen(|| drop(open_for_writing(path).expect("a store")));
    }
    first_crawl(&grown);
    std::fs::copy(&grown, &early).expect("a copy");
    fetched_again(&grown);
    process(&grown);
    let out = beside("out.db");
    into_new(&out, &[early]).expect("a merge");
    answered(&grown, "of it");
    changed(
        &grown,
        "INSERT INTO gone_item VALUES (900, 2, 1, 8, 1, '{}', 1, 2); INSERT INTO past_item VALUES (900, 1, '{}', 1, 2)",
    );
    changed(&grown, "INSERT INTO to_follow VALUES (1), (2)");
    for _ in 0..2 {
        into_known(&out, std::slice::from_ref(&grown)).expect("a merge");
    }
    // Less than there was.
    changed(&grown, "DELETE FROM item WHERE key IS NULL; UPDATE processed SET items = 1, version = 7");
    into_known(&out, std::slice::from_ref(&grown)).expect("a merge");
    // With all that may be in one, and once more.
    let all = beside("all.db");
    into_new(&all, &[path.to_owned()]).expect("a merge");
    process(&all);
    into_known(&all, &[path.to_owned()]).expect("a merge");

    // Other lines under the same name, and the same URL in the same run.
    let mut store = open(&other, Only::New, "o");
    import(&mut store, &[line(1, "https://z.example/"), line(2, "https://a.example/1")]);
    let url_id = id_of(&other, "https://a.example/1");
    let (mut head, body) = page(url_id, 105, b"other");
    head.requests[0].started_us = 105_000;
    put(&mut store, &(head, body));
    finish(&other, store);
    let refused = into_known(&out, &[grown, other]).expect_err("a conflict");
    assert!(matches!(refused, MergeError::Twice { run_id: 1, .. }), "{refused}");

    // A URL that went from one store to another between two runs.
    let (first, second) = (beside("first.db"), beside("second.db"));
    for (path, urls) in
        [(&first, ["https://x.example/"; 1].as_slice()), (&second, &["https://y.example/", "https://x.example/"])]
    {
        unseen(|| drop(open_for_writing(path).expect("a store")));
        for (at, url) in urls.iter().enumerate() {
            let mut store = open(path, Only::All, &at.to_string());
            import(&mut store, &[line(1, url)]);
            put(&mut store, &page(id_of(path, url), 300 + at as u64, url.as_bytes()));
            finish(path, store);
        }
    }
    into_new(&beside("both.db"), &[second, first]).expect("a merge");

    let shard = beside("shard.db");
    std::fs::write(&shard, "").expect("a file");
    let mut db = unseen(|| merge::fresh(&shard).expect("a store"));
    merge::split(&mut db, &shard, path, &|_| true, &mut |_| true).expect("a shard");
    merge::finish_fresh(db, &shard).expect("a store");
    drop(open_for_reading(&shard).expect("a store"));
}

/// Merges into a new store.
pub(crate) fn into_new(out: &Path, stores: &[PathBuf]) -> Result<Vec<Brought>, MergeError> {
    std::fs::write(out, "").expect("a file");
    let mut db = unseen(|| merge::fresh(out).expect("a store"));
    let brought = merge::merge(&mut db, out, stores, &mut |_| true)?;
    merge::finish_fresh(db, out).expect("a store");
    Ok(brought)
}

/// Merges into one that is there.
pub(crate) fn into_known(out: &Path, stores: &[PathBuf]) -> Result<Vec<Brought>, MergeError> {
    let mut db = open_for_writing(out).expect("a store");
    merge::merge(&mut db, out, stores, &mut |_| true)
}

/// Processors have had all of the store's pages and items, and have said this of each twice, and failed on the last.
pub(crate) fn answered(path: &Path, text: &str) {
    let all = |sql: &str| {
        let db = rusqlite::Connection::open(path).expect("a store");
        let mut select = db.prepare(sql).expect("a query");
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        rows.and_then(Iterator::collect::<Result<Vec<(i64, i64, String)>, _>>).expect("rows")
    };
    let pages = all("SELECT url_id, url_id, coalesce(content_at, fetched_at) || '' FROM page WHERE outcome = 0");
    let items = all(
        "SELECT i.item_id, i.url_id, i.data FROM item i JOIN collection c USING(collection_id) WHERE c.name = 'products'",
    );
    let version = |data: &str| {
        let mut hash = [0; 8];
        hash.copy_from_slice(&blake3::hash(data.as_bytes()).as_bytes()[..8]);
        i64::from_le_bytes(hash)
    };
    let mut marks = Marks::open(path, &[collection("echoes", &[]), collection("prices", &[])]).expect("marks");
    for (processor, records) in [pages, items].into_iter().enumerate() {
        let last = records.len() - 1;
        for (at, (record, url_id, what)) in records.into_iter().enumerate() {
            let is_item = processor == 1;
            let version = if is_item { version(&what) } else { what.parse().expect("a time") };
            let said = |number| format!("{{\"sku\":\"{text} {number}\"}}");
            let answer = if at > 0 && at == last {
                Err(Failed { reason: "it ended".into() })
            } else {
                Ok(vec![said(0), said(1)])
            };
            let processor = processor as u16;
            marks.commit(&[Processed { processor, record, is_item, version, url_id, answer }]).expect("a mark");
        }
    }
}

/// Changes the store at `path` as no program does, and unseen.
fn changed(path: &Path, sql: &str) {
    let db = rusqlite::Connection::open(path).expect("a store");
    db.execute_batch(&format!("PRAGMA foreign_keys = off; {sql}")).expect("a change");
}

/// The number of a URL that is in a store.
pub(crate) fn id_of(path: &Path, url: &str) -> i64 {
    let db = open_for_reading(path).expect("a store");
    let url = found_url(url);
    crate::read::find_url(&db, url.host(), &url.key).expect("a look-up").expect("a URL")
}
