use super::*;
use crate::items::{Collections, ItemPage};
use seine_core::record::items::{Field, FieldCount, FieldFill, FieldType, PageItems};

fn collection(name: &str) -> Collection {
    let field = |name: &str| Field { name: name.into(), kind: FieldType::Text, many: false, fields: Vec::new() };
    Collection { name: name.into(), key: Vec::new(), fields: vec![field("sku"), field("weight")] }
}

#[test]
fn fields_are_counted_over_all_hosts_and_a_collection_without_pages_has_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = crate::open_for_writing(&folder.path().join("crawl.db")).expect("a store");
    let declared = [collection("products"), collection("offers")];
    let mut collections = Collections::declare(&db, &declared, false).expect("collections");
    for host_id in 1..=3 {
        let count = |field, of, found| FieldCount { collection: 0, field, of, found };
        let found = PageItems {
            counts: vec![count(None, 1, u32::from(host_id < 3)), count(Some(0), 10, 9), count(Some(1), 10, 0)],
            ..PageItems::default()
        };
        let page = ItemPage { url_id: host_id, host_id, run_id: 1, fetched_at: 0 };
        collections.insert(&db, &page, &found).expect("counts");
    }
    collections.write_rates(&db).expect("rates");
    let field = |name: &str, found| FieldFill { field: name.into(), of: 30, found };
    let products = Fill { pages: 3, pages_with_items: 2, fields: vec![field("sku", 27), field("weight", 0)] };
    let expected = [("products".to_owned(), products), ("offers".to_owned(), Fill::default())];
    assert_eq!(fills(&db, 1, &declared).expect("fills"), expected.into());
}

#[test]
fn a_run_that_has_read_no_page_tells_nothing_of_its_rules() {
    let folder = tempfile::tempdir().expect("a folder");
    let db = crate::open_for_writing(&folder.path().join("crawl.db")).expect("a store");
    let declared = [collection("products")];
    Collections::declare(&db, &declared, false).expect("collections");
    let page = |url_id, not_modified| {
        db.execute(
            "INSERT INTO page(url_id, run_id, outcome, not_modified, fetched_at) VALUES (?1, 1, 0, ?2, 0)",
            [url_id, not_modified],
        )
        .expect("a page");
    };
    page(1, 1);
    assert_eq!(fills(&db, 1, &declared).expect("fills"), BTreeMap::new());
    page(2, 0);
    assert_eq!(fills(&db, 1, &declared).expect("fills"), [("products".to_owned(), Fill::default())].into());
}
