use super::*;
use crate::items::{Collections, ItemPage};
use crate::migrations;
use crate::past::{self, State};
use seine_core::record::items::{Collection, Field, FieldCount, FieldType, Item, PageItems, item_key};

/// A store with runs 1 to 4, complete but for the last, and URLs 1 to 9.
fn store() -> Connection {
    let mut db = Connection::open_in_memory().expect("memory");
    migrations::migrate(&mut db, std::path::Path::new("memory")).expect("a schema");
    db.execute_batch(
        "INSERT INTO run(run_id, started_at, pid, last_at, seine_version, config, ended_by)
           VALUES (1, 0, 1, 0, '', '{}', 'completed'), (2, 0, 1, 0, '', '{}', 'completed'),
                  (3, 0, 1, 0, '', '{}', 'completed'), (4, 0, 1, 0, '', '{}', 'limit');
         INSERT INTO host(host_id, name) VALUES (1, 'a.example');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9)
           INSERT INTO url(url_id, key, url, host_id) SELECT i, randomblob(16), 'https://a.example/' || i, 1 FROM n;",
    )
    .expect("rows");
    db
}

/// A fetch as the writer records it: what was there becomes history. Bodies are called by a letter; `'='` is a 304.
fn fetch(db: &Connection, url_id: i64, run_id: i64, status: u16, body: char) {
    let (outcome, hash) = match status {
        0 => (2, None),
        200 => (0, Some([body as u8])),
        _ => (1, None),
    };
    let now = State {
        outcome,
        status: (status > 0).then_some(status),
        error: None,
        hash: hash.map(|hash| hash.to_vec()),
        title: None,
    };
    let since = past::pass_on(db, url_id, (body != '=').then_some(&now)).expect("a past").since;
    if body == '=' {
        db.execute(
            "UPDATE page SET content_at = coalesce(content_at, fetched_at), content_run = coalesce(content_run, run_id), \
               run_id = ?2, fetched_at = ?2 * 10, not_modified = 1, since_run = ?3, same_id = ?4 WHERE url_id = ?1",
            (url_id, run_id, since.run_id, since.same_id),
        )
        .expect("a page");
        return;
    }
    if let Some(hash) = hash {
        db.execute("INSERT OR IGNORE INTO body(body_id, hash, bytes) VALUES (?1, ?2, 1)", (u32::from(body), hash))
            .expect("a body");
    }
    db.execute(
        "INSERT OR REPLACE INTO page(url_id, run_id, outcome, status, body_id, fetched_at, since_run, same_id) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?2 * 10, ?6, ?7)",
        (url_id, run_id, outcome, now.status, hash.map(|_| u32::from(body)), since.run_id, since.same_id),
    )
    .expect("a page");
    db.execute("UPDATE url SET outcome = ?2 WHERE url_id = ?1", (url_id, outcome)).expect("a URL");
}

fn scope(db: &Connection, from: i64, to: i64) -> Scope {
    let run = |run_id| Run::numbered(db, run_id).expect("runs");
    Scope::between(run(from).as_ref(), &run(to).expect("a run"))
}

fn told_pages(db: &Connection, from: i64, to: i64) -> Vec<String> {
    let mut told = Vec::new();
    let state = |fetch: Option<&history::Fetch>| {
        fetch.map_or_else(
            || "-".into(),
            |fetch| fetch.status.map_or_else(|| "failed".into(), |status| status.to_string()),
        )
    };
    pages::pages(db, &scope(db, from, to), |page| {
        let (url_id, kind) = (page.history.url_id, page.kind.name());
        told.push(format!("{url_id} {kind} {} {}", state(page.before), state(Some(page.after))));
        Ok::<_, StoreError>(())
    })
    .expect("pages");
    told
}

#[test]
fn every_way_a_page_can_differ_has_its_name() {
    let db = store();
    // Changed, unmodified, gone, back, never ok before, failing, still failing, new.
    for (url_id, run_id, status, body) in [
        (1, 1, 200, 'a'),
        (2, 1, 200, 'a'),
        (3, 1, 200, 'a'),
        (4, 1, 200, 'a'),
        (5, 1, 404, '-'),
        (6, 1, 200, 'a'),
        (7, 1, 0, '-'),
        (1, 2, 200, 'b'),
        (2, 2, 200, '='),
        (3, 2, 410, '-'),
        (4, 2, 404, '-'),
        (5, 2, 200, 'a'),
        (6, 2, 0, '-'),
        (7, 2, 0, '-'),
        (8, 2, 200, 'a'),
        (1, 3, 200, 'a'),
        (2, 3, 200, 'a'),
        (3, 3, 403, '-'),
        (4, 3, 200, 'a'),
        (9, 3, 500, '-'),
    ] {
        fetch(&db, url_id, run_id, status, body);
    }
    assert_eq!(
        told_pages(&db, 1, 2),
        [
            "1 changed 200 200",
            "3 gone 200 410",
            "4 gone 200 404",
            "5 new 404 200",
            "6 status 200 failed",
            "8 new - 200"
        ]
    );
    assert_eq!(told_pages(&db, 2, 3), ["1 changed 200 200", "3 status 410 403", "4 back 404 200", "9 status - 500"]);
    // What came and went in between is not told of.
    assert_eq!(
        told_pages(&db, 1, 3),
        ["3 status 200 403", "5 new 404 200", "6 status 200 failed", "8 new - 200", "9 status - 500"]
    );
    assert_eq!(told_pages(&db, 3, 4), [""; 0]);
    let counted = counts(&db, None, 3).expect("counts");
    let expected =
        Changes { from_run: Some(2), to_run: 3, changed: 1, gone: Some(0), back: 1, status: 2, ..Changes::default() };
    assert_eq!(counted, expected);
    let first = counts(&db, None, 1).expect("counts");
    assert_eq!((first.from_run, first.new, first.status, first.any()), (None, 5, 2, true));
}

#[test]
fn what_lists_name_no_more_is_gone_and_an_incomplete_run_tells_nothing_of_that() {
    let db = store();
    for url_id in 1..=4 {
        fetch(&db, url_id, 1, if url_id == 4 { 404 } else { 200 }, 'a');
    }
    fetch(&db, 3, 4, 404, '-');
    db.execute_batch(
        "UPDATE url SET unlisted_by = 2 WHERE url_id IN (1, 4); UPDATE url SET unlisted_by = 4 WHERE url_id = 2",
    )
    .expect("lists");
    assert_eq!(told_pages(&db, 1, 2), ["1 gone 200 200"]);
    assert_eq!(told_pages(&db, 2, 3), [""; 0]);
    assert_eq!(told_pages(&db, 1, 4), ["3 status 200 404"]);
    assert_eq!(counts(&db, None, 4).expect("counts").gone, None);
    // Not fetched for now: what was, was.
    db.execute_batch("UPDATE url SET outcome = NULL; DELETE FROM page WHERE url_id = 3").expect("pending");
    assert_eq!(told_pages(&db, 1, 2), ["1 gone 200 200"]);
}

fn collection(name: &str, key: &[&str]) -> Collection {
    let field = |name: &str| Field { name: name.into(), kind: FieldType::Json, many: false, fields: Vec::new() };
    Collection {
        name: name.into(),
        key: key.iter().map(|key| (*key).to_owned()).collect(),
        fields: vec![field("k"), field("v")],
    }
}

/// Items of page `url_id` as run `run_id` finds them, in the collections `keyed` and `placed`.
fn find(db: &Connection, url_id: i64, run_id: i64, keyed: &[(&str, i64)], placed: &[&str]) {
    fetch(db, url_id, run_id, 200, char::from(b'a' + u8::try_from(run_id).expect("few runs")));
    let mut collections =
        Collections::declare(db, &[collection("keyed", &["k"]), collection("placed", &[])], true).expect("collections");
    let mut found = PageItems::default();
    for (number, (key, value)) in (0..).zip(keyed) {
        let data = serde_json::json!({"k": key, "v": value}).to_string();
        found.items.push(Item { collection: 0, number, key: Some(item_key(key)), data });
    }
    for (number, value) in (0..).zip(placed) {
        found.items.push(Item { collection: 1, number, key: None, data: serde_json::json!({"v": value}).to_string() });
    }
    found.counts = (0..2).map(|collection| FieldCount { collection, field: None, of: 1, found: 1 }).collect();
    let of = ItemPage { url_id, host_id: 1, run_id, fetched_at: run_id as u64 * 10 };
    collections.insert(db, &of, &found).expect("items");
    collections.write_rates(db).expect("rates");
}

fn told_items(db: &Connection, from: i64, to: i64) -> Vec<String> {
    let mut told = Vec::new();
    let compared = items::Compared::of(db).expect("collections");
    items::items(db, &scope(db, from, to), &compared, |item| {
        let what = match &item.kind {
            ItemKind::Added(data) | ItemKind::Removed(data) => format!("{} {}", data["k"], data["v"]),
            ItemKind::Changed(before, after) => format!("{} {} -> {}", after["k"], before["v"], after["v"]),
        };
        told.push(format!("{} {} {what}", item.collection.name, item.kind.name()).replace('"', ""));
        Ok::<_, StoreError>(())
    })
    .expect("items");
    told
}

#[test]
fn items_with_a_key_are_followed_from_page_to_page_and_run_to_run() {
    let db = store();
    find(&db, 1, 1, &[("a", 1), ("b", 1), ("c", 1)], &[]);
    find(&db, 2, 1, &[("d", 1)], &[]);
    find(&db, 1, 2, &[("a", 2), ("b", 1)], &[]);
    fetch(&db, 2, 2, 200, '=');
    // b moves to another page; d's page is gone.
    find(&db, 1, 3, &[("a", 2), ("e", 1)], &[]);
    find(&db, 3, 3, &[("b", 3)], &[]);
    fetch(&db, 2, 3, 404, '-');
    assert_eq!(told_items(&db, 1, 2), ["keyed changed a 1 -> 2", "keyed removed c 1"]);
    assert_eq!(told_items(&db, 2, 3), ["keyed changed b 1 -> 3", "keyed removed d 1", "keyed added e 1"]);
    assert_eq!(
        told_items(&db, 1, 3),
        [
            "keyed changed a 1 -> 2",
            "keyed changed b 1 -> 3",
            "keyed removed c 1",
            "keyed removed d 1",
            "keyed added e 1"
        ]
    );
    // A run that is not complete tells of no item that it is gone; one without rules neither.
    find(&db, 1, 4, &[("a", 3)], &[]);
    assert_eq!(told_items(&db, 3, 4), ["keyed changed a 2 -> 3"]);
    db.execute_batch("UPDATE run SET ended_by = 'completed'").expect("a run");
    assert_eq!(told_items(&db, 3, 4), ["keyed changed a 2 -> 3", "keyed removed e 1"]);
    db.execute_batch("DELETE FROM field_rate WHERE run_id = 4").expect("rates");
    assert_eq!(told_items(&db, 3, 4), ["keyed changed a 2 -> 3"]);
}

#[test]
fn one_more_in_front_of_a_list_is_one_more() {
    let db = store();
    find(&db, 1, 1, &[], &["a", "b", "c"]);
    find(&db, 1, 2, &[], &["x", "a", "b", "c"]);
    find(&db, 1, 3, &[], &["x", "c", "B"]);
    assert_eq!(told_items(&db, 1, 2), ["placed added null x"]);
    assert_eq!(told_items(&db, 2, 3), ["placed removed null a", "placed changed null b -> B"]);
    assert_eq!(told_items(&db, 1, 3), ["placed changed null a -> x", "placed removed null b", "placed added null B"]);
}
