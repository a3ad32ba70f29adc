use std::path::PathBuf;

use super::*;
use crate::items::Collections;
use seine_core::record::items::{Field, FieldCount, FieldType, Item, Problem, ProblemKind, item_key};

fn products() -> Collection {
    let fields = ["sku", "price"].map(|name| Field {
        name: name.into(),
        kind: FieldType::Text,
        many: false,
        fields: Vec::new(),
    });
    Collection { name: "products".into(), key: vec!["sku".into()], fields: fields.into() }
}

fn notes() -> Collection {
    Collection { name: "notes".into(), key: Vec::new(), ..products() }
}

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    /// A store with pages 1 to 9 of run 1, fetched at 100 to 900, page 9 without a stored body; and what `found` says
    /// of each.
    fn new(found: impl Fn(i64) -> PageItems) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("crawl.db");
        let place = Self { _folder: folder, path };
        let db = crate::open_for_writing(&place.path).expect("a store");
        db.execute_batch(
            "INSERT INTO host(host_id, name) VALUES (1, 'a.example');
             INSERT INTO run(run_id, started_at, pid, last_at, seine_version, config) VALUES (1, 0, 1, 0, '', '{}');
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9)
               INSERT INTO url(url_id, key, url, host_id, outcome) SELECT i, randomblob(16), 'https://a.example/' || i, 1, 0 FROM n;
             INSERT INTO body(body_id, hash, bytes, zstd) SELECT url_id, randomblob(32), 1, iif(url_id < 9, x'00', NULL) FROM url;
             INSERT INTO page(url_id, run_id, body_id, fetched_at, outcome) SELECT url_id, 1, url_id, url_id * 100, 0 FROM url;",
        )
        .expect("rows");
        let mut collections = Collections::declare(&db, &[products(), notes()], false).expect("collections");
        for page in 1..=9 {
            let of = ItemPage { url_id: page, host_id: 1, run_id: 1, fetched_at: page as u64 * 100 };
            collections.insert(&db, &of, &found(page)).expect("items");
        }
        collections.write_rates(&db).expect("rates");
        place
    }

    /// Applies `found` again in the given order of pages.
    fn again(
        &self,
        condition: Option<&str>,
        writes: bool,
        found: impl Fn(i64) -> PageItems,
        backwards: bool,
    ) -> Report {
        let mut rework = Rework::open(&self.path, vec![products(), notes()], condition, writes).expect("a store");
        let mut pages = Vec::new();
        let mut after = 0;
        while let Some((origin, job, zstd)) = rework.next(after).expect("a page") {
            assert_eq!((job.url_id, zstd), (origin.url_id, vec![0]));
            after = origin.url_id;
            pages.push(origin);
        }
        assert_eq!(rework.to_read(), pages.len() as u64);
        if backwards {
            pages.reverse();
        }
        for origin in pages {
            rework.keep(&origin, &found(origin.url_id)).expect("kept");
        }
        let report = rework.prepare(&|_| None).expect("a comparison");
        if writes {
            rework.commit().expect("a commit");
        }
        report
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        let db = crate::open_for_reading(&self.path).expect("a store");
        let mut select = db.prepare(sql).expect("a query");
        select.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("texts")
    }

    fn everything(&self) -> Vec<String> {
        let mut all = self.rows(
            "SELECT concat_ws('|', item_id, collection_id, hex(key), url_id, number, run_id, data, first_seen, last_seen) \
             FROM item ORDER BY item_id",
        );
        all.extend(self.rows(
            "SELECT concat_ws('|', url_id, collection_id, number, field, kind, found) FROM extract_problem ORDER BY 1",
        ));
        all.extend(
            self.rows("SELECT concat_ws('|', run_id, collection_id, host_id, counts) FROM field_rate ORDER BY 1"),
        );
        all
    }
}

/// Every page has a note with `text`, and pages share products three by three.
fn found(page: i64, text: &str) -> PageItems {
    let sku = format!("s{}", page / 3);
    let count = |collection, field| FieldCount { collection, field, of: 1, found: 1 };
    PageItems {
        items: vec![
            Item {
                collection: 0,
                number: 0,
                key: Some(item_key(&sku)),
                data: format!(r#"{{"sku":"{sku}","price":"{page}"}}"#),
            },
            Item { collection: 1, number: 0, key: None, data: format!(r#"{{"sku":null,"price":"{text}"}}"#) },
        ],
        problems: vec![Problem {
            collection: 1,
            number: Some(0),
            field: "sku".into(),
            kind: ProblemKind::Missing,
            found: text.into(),
        }],
        counts: vec![count(0, None), count(0, Some(0)), count(0, Some(1)), count(1, None), count(1, Some(1))],
    }
}

fn counts(report: &Report) -> Vec<[u64; 4]> {
    report.collections.iter().map(|c| [c.added, c.removed, c.changed, c.same]).collect()
}

#[test]
fn the_same_rules_change_nothing_whatever_the_order() {
    for backwards in [false, true] {
        let place = Place::new(|page| if page == 9 { PageItems::default() } else { found(page, "x") });
        let before = place.everything();
        let report = place.again(None, true, |page| found(page, "x"), backwards);
        assert_eq!(counts(&report), [[0, 0, 0, 3], [0, 0, 0, 8]]);
        assert_eq!((report.pages, report.not_stored, report.problems), (8, 1, 8));
        assert_eq!(place.everything(), before);
    }
}

#[test]
fn other_rules_change_what_differs_and_keep_ids_and_first_sights() {
    let place = Place::new(|page| found(page, "x"));
    let ids = place
        .rows("SELECT group_concat(item_id || ':' || first_seen) FROM item WHERE url_id < 9 AND collection_id = 2");
    // Page 2 has nothing any more, page 4 has a second note, all others another text.
    let new = |page| match page {
        2 => PageItems::default(),
        4 => {
            let mut two = found(page, "y");
            two.items.push(Item { number: 1, ..two.items[1].clone() });
            two
        }
        _ => found(page, "y"),
    };
    let before = place.everything();
    let shown = place.again(None, false, new, false);
    assert_eq!(place.everything(), before, "only compared");
    let report = place.again(None, true, new, true);
    // The product of pages 6 to 8 is that of page 8 only if page 9, which keeps what it has, has none of it.
    assert_eq!(counts(&report), [[0, 0, 1, 3], [1, 1, 7, 1]]);
    assert_eq!(counts(&shown), counts(&report));
    let example = &report.collections[1].changed_examples[0];
    assert_eq!(example.before.as_deref(), Some(r#"{"sku":null,"price":"x"}"#));
    assert_eq!(example.after.as_deref(), Some(r#"{"sku":null,"price":"y"}"#));
    assert_eq!(report.collections[1].removed_examples[0].url, "https://a.example/2");
    assert_eq!(place.rows("SELECT price FROM products WHERE sku = 's0'"), ["1"]);
    let kept = place.rows(
        "SELECT group_concat(item_id || ':' || first_seen) FROM item WHERE url_id < 9 AND collection_id = 2 AND number = 0",
    );
    let without_page_2: Vec<_> = ids[0].split(',').filter(|id| !id.ends_with(":200")).collect();
    assert_eq!(kept[0], without_page_2.join(","));
    let place_of_page_9 = place.rows("SELECT price FROM notes WHERE _url = 'https://a.example/9'");
    assert_eq!(place_of_page_9, ["x"]);
    let texts = place.rows("SELECT DISTINCT found FROM extract_problems ORDER BY 1");
    assert_eq!(texts, ["x", "y"], "those of page 9 stay");
    let rate =
        place.rows("SELECT found || '/' || of_items FROM field_rates WHERE collection = 'notes' AND field = 'price'");
    assert_eq!(rate, ["7/7"]);
}

#[test]
fn pages_that_a_condition_leaves_out_keep_their_items_and_rates_stay() {
    let place = Place::new(|page| found(page, "x"));
    let rates = place.rows("SELECT counts FROM field_rate");
    let report = place.again(Some("url LIKE '%/4' -- and no more"), true, |page| found(page, "y"), false);
    // Page 5 was fetched later than page 4 and says what their product is.
    assert_eq!((counts(&report), report.pages), (vec![[0, 0, 0, 4], [0, 0, 1, 8]], 1));
    assert_eq!(place.rows("SELECT price FROM products WHERE sku = 's1'"), ["5"]);
    assert_eq!(place.rows("SELECT counts FROM field_rate"), rates);
}

#[test]
fn what_a_page_had_when_it_was_fetched_before_stays() {
    let place = Place::new(|page| found(page, "x"));
    let db = crate::open_for_writing(&place.path).expect("a store");
    // Page 8 was fetched again since, without its items.
    db.execute_batch("UPDATE page SET fetched_at = 5000 WHERE url_id = 8").expect("a page");
    drop(db);
    let report = place.again(None, true, |page| if page == 8 { PageItems::default() } else { found(page, "x") }, false);
    assert_eq!(counts(&report), [[0, 0, 0, 4], [0, 0, 0, 9]]);
}

#[test]
fn what_is_not_committed_never_was() {
    let place = Place::new(|page| found(page, "x"));
    let before = place.everything();
    let mut rework = Rework::open(&place.path, vec![products()], None, true).expect("a store");
    let (origin, ..) = rework.next(0).expect("a page").expect("a page");
    rework.keep(&origin, &PageItems::default()).expect("kept");
    let report = rework.prepare(&|_| None).expect("a comparison");
    assert_eq!((report.collections[0].removed, report.left_alone), (0, vec!["notes".to_owned()]));
    drop(rework);
    assert_eq!(place.everything(), before);
}

#[test]
fn a_condition_that_is_none_is_refused() {
    let place = Place::new(|page| found(page, "x"));
    for condition in ["nonsense", "1); DELETE FROM item; SELECT (1", "url = ?", "1) OR (1"] {
        let refused = Rework::open(&place.path, vec![products()], Some(condition), true);
        assert!(matches!(refused, Err(ReworkError::Condition(_))), "{condition}");
    }
}

#[test]
fn what_new_rules_find_was_there_as_long_as_its_page() {
    let nothing = |_| PageItems::default();
    let place = Place::new(nothing);
    let db = crate::open_for_writing(&place.path).expect("a store");
    // In run 2 the site says of pages 1 to 3 that they are as they were, 4 to 6 have another body, 7 is fetched for the
    // first time; the key of 8 was on page 5 before.
    db.execute_batch(
        "UPDATE run SET ended_by = 'completed';
         INSERT INTO run(run_id, started_at, pid, last_at, seine_version, config, ended_by)
           VALUES (2, 1000, 1, 0, '', '{}', 'completed');
         INSERT INTO past_page(url_id, run_id, outcome, body_id, not_modified, fetched_at)
           SELECT url_id, run_id, iif(url_id < 7, 0, 2), body_id, 0, fetched_at FROM page WHERE url_id < 9;
         INSERT INTO body(body_id, hash, bytes, zstd) SELECT url_id + 10, randomblob(32), 1, x'00' FROM page WHERE url_id IN (4, 5, 6);
         UPDATE page SET run_id = 2, content_at = fetched_at, fetched_at = 1000 + url_id, not_modified = 1 WHERE url_id < 4;
         UPDATE page SET run_id = 2, body_id = body_id + 10, fetched_at = 1000 + url_id WHERE url_id BETWEEN 4 AND 6;
         UPDATE page SET run_id = 2, fetched_at = 1000 + url_id WHERE url_id IN (7, 8);",
    )
    .expect("a second run");
    drop(db);
    let of_page = |page: i64| {
        let mut found = found(page, "a note");
        let sku = if page == 8 { "s5".to_owned() } else { format!("s{page}") };
        found.items[0].key = Some(item_key(&sku));
        found
    };
    for backwards in [false, true] {
        let report = place.again(None, true, of_page, backwards);
        assert_eq!(
            counts(&report),
            if backwards { [[0, 0, 0, 7], [0, 0, 0, 8]] } else { [[7, 0, 0, 0], [8, 0, 0, 0]] }
        );
        let db = crate::open_for_reading(&place.path).expect("a store");
        let changes = crate::diff::counts(&db, Some(1), 2).expect("what differs");
        let items = (changes.items_added, changes.items_changed, changes.items_removed);
        assert_eq!(items, (3, 0, 0), "the product of page 7, and the notes of 7 and 8: {changes:?}");
    }
}

#[test]
fn pages_read_for_new_rules_may_stand_and_those_not_read_may_not() {
    let place = Place::new(|page| found(page, "x"));
    let db = crate::open_for_writing(&place.path).expect("a store");
    db.execute_batch("UPDATE run SET reading = zeroblob(16), config = 'old'; UPDATE page SET etag = 'e'")
        .expect("a run");
    drop(db);
    let stands = || {
        place.rows(
            "SELECT concat_ws('|', p.url_id, hex(r.reading)) FROM page p CROSS JOIN run r USING(run_id) \
             WHERE p.etag IS NOT NULL ORDER BY p.url_id",
        )
    };
    let zeros = "0".repeat(32);
    let apply = |condition: Option<&str>, reading: Option<[u8; 16]>| {
        let mut rework = Rework::open(&place.path, vec![products()], condition, true).expect("a store");
        let mut after = 0;
        while let Some((origin, ..)) = rework.next(after).expect("a page") {
            after = origin.url_id;
            // Page 8 cannot be read, and page 9 has no stored body.
            if after != 8 {
                rework.keep(&origin, &PageItems::default()).expect("kept");
                let extras = PageExtras { text: Some(format!("text {after}")), ..PageExtras::default() };
                rework.keep_extras(&origin, &extras).expect("kept");
            }
        }
        let report = rework.prepare(&|config| reading.filter(|_| config == "old")).expect("a comparison");
        rework.commit().expect("a commit");
        (report.with_extras, report.changed_extras)
    };
    // Only some pages, or settings that say nothing: the next crawl asks as before.
    assert_eq!(apply(Some("url LIKE '%/4'"), Some([1; 16])), (1, 1));
    assert_eq!(apply(None, None), (7, 6));
    assert_eq!(stands(), (1..=9).map(|page| format!("{page}|{zeros}")).collect::<Vec<_>>());
    assert_eq!(apply(None, Some([1; 16])), (7, 0));
    assert_eq!(stands(), (1..=7).map(|page| format!("{page}|{}", "01".repeat(16))).collect::<Vec<_>>());
    assert_eq!(place.rows("SELECT text FROM page_extra ORDER BY url_id")[6], "text 7");
    let db = crate::open_for_reading(&place.path).expect("a store");
    let last = crate::beginning::last_reading(&db).expect("a run").expect("a run");
    assert_eq!((last.config.as_str(), last.reading), ("old", Some([1; 16])));
}
