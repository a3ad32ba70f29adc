use super::*;
use crate::{drift, migrations};
use seine_core::record::items::{Excess, Field, FieldType, Problem, ProblemKind, item_key};

fn field(name: &str, kind: FieldType) -> Field {
    Field { name: name.into(), kind, many: false, fields: Vec::new() }
}

fn products() -> Collection {
    let tags = Field { many: true, ..field("tags", FieldType::Text) };
    let fields = vec![field("sku", FieldType::Text), field("price", FieldType::Number), tags];
    Collection { name: "products".into(), key: vec!["sku".into()], fields }
}

fn notes() -> Collection {
    Collection { name: "notes".into(), key: Vec::new(), fields: vec![field("it's", FieldType::Bool)] }
}

/// A store with URLs 1 to 99 of host 1 and two runs.
fn store() -> Connection {
    let mut db = Connection::open_in_memory().expect("memory");
    migrations::migrate(&mut db, std::path::Path::new("memory")).expect("a schema");
    db.execute_batch(
        "INSERT INTO host(host_id, name) VALUES (1, 'a.example');
         INSERT INTO run(run_id, started_at, pid, last_at, seine_version, config, ended_by)
           VALUES (1, 0, 1, 0, '', '{}', 'completed'), (2, 0, 1, 0, '', '{}', NULL);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
           INSERT INTO url(url_id, key, url, host_id) SELECT i, randomblob(16), 'https://a.example/' || i, 1 FROM n;",
    )
    .expect("rows");
    db
}

fn of(url_id: UrlId, run_id: i64, fetched_at: u64) -> ItemPage {
    ItemPage { url_id, host_id: 1, run_id, fetched_at }
}

fn item(collection: u16, number: u32, key: Option<&str>, data: &str) -> Item {
    Item { collection, number, key: key.map(item_key), data: data.into() }
}

fn found(items: Vec<Item>) -> PageItems {
    PageItems { items, ..PageItems::default() }
}

fn rows(db: &Connection, sql: &str) -> Vec<String> {
    let mut select = db.prepare(sql).expect("a query");
    let columns = select.column_count();
    let rows = select.query_map([], |row| {
        let cells: Vec<_> = (0..columns)
            .map(|at| match row.get_ref_unwrap(at) {
                rusqlite::types::ValueRef::Null => "-".into(),
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                rusqlite::types::ValueRef::Real(number) => format!("{number:?}"),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                rusqlite::types::ValueRef::Blob(_) => "blob".into(),
            })
            .collect();
        Ok(cells.join("|"))
    });
    rows.expect("rows").collect::<Result<_, _>>().expect("rows")
}

#[test]
fn a_record_on_many_pages_says_what_the_last_fetched_said_in_whatever_order_they_come() {
    let pages = [
        (of(1, 1, 100), r#"{"sku":"a","price":1}"#),
        (of(2, 1, 300), r#"{"sku":"a","price":2}"#),
        (of(3, 1, 200), r#"{"sku":"a","price":3}"#),
    ];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let db = store();
        let mut collections = Collections::declare(&db, &[products()], false).expect("a collection");
        // Each twice: a record that comes again changes nothing.
        for at in order.into_iter().chain(order) {
            let (of, data) = pages[at];
            collections.insert(&db, &of, &found(vec![item(0, 0, Some("[\"a\"]"), data)])).expect("an item");
        }
        assert_eq!(
            rows(&db, "SELECT sku, price, _url, first_seen, last_seen FROM products JOIN item ON item_id = _item_id"),
            ["a|2|https://a.example/2|100|300"],
            "in the order {order:?}"
        );
    }
}

#[test]
fn of_two_on_one_page_the_later_counts() {
    let db = store();
    let mut collections = Collections::declare(&db, &[products()], false).expect("a collection");
    let twice = vec![item(0, 0, Some("k"), r#"{"price":1}"#), item(0, 1, Some("k"), r#"{"price":2}"#)];
    collections.insert(&db, &of(1, 1, 5), &found(twice)).expect("items");
    assert_eq!(rows(&db, "SELECT price, number FROM products JOIN item ON item_id = _item_id"), ["2|1"]);
}

#[test]
fn a_page_fetched_again_has_the_items_it_has_now() {
    let db = store();
    let mut collections = Collections::declare(&db, &[notes()], false).expect("a collection");
    let whole = FieldCount { collection: 0, field: None, of: 1, found: 1 };
    let page = |items| PageItems { items, counts: vec![whole], ..PageItems::default() };
    let three = (0..3).map(|number| item(0, number, None, r#"{"it's":true}"#)).collect();
    collections.insert(&db, &of(1, 1, 100), &page(three)).expect("items");
    collections.insert(&db, &of(2, 1, 100), &page(vec![item(0, 0, None, "{}")])).expect("items");
    collections.insert(&db, &of(1, 2, 200), &page(vec![item(0, 1, None, r#"{"it's":false}"#)])).expect("items");
    let columns = "url_id, number, \"it's\", first_seen, last_seen";
    assert_eq!(
        rows(&db, &format!("SELECT {columns} FROM notes JOIN item ON item_id = _item_id ORDER BY 1")),
        ["1|1|0|100|200", "2|0|-|100|100"]
    );
}

#[test]
fn views_have_types_and_follow_their_declaration() {
    let db = store();
    let mut collections = Collections::declare(&db, &[products()], false).expect("a collection");
    let data = r#"{"sku":"a","price":9.5,"tags":["x","y"]}"#;
    collections.insert(&db, &of(1, 1, 5), &found(vec![item(0, 0, Some("a"), data)])).expect("an item");
    assert_eq!(rows(&db, "SELECT sku, price, tags, typeof(price) FROM products"), [r#"a|9.5|["x","y"]|real"#]);
    let later = Collection { fields: vec![field("price", FieldType::Number)], ..products() };
    let again = Collections::declare(&db, &[later], false).expect("a collection");
    assert_eq!(again.rows[0].0, collections.rows[0].0);
    let columns = db.prepare("SELECT * FROM products").expect("a view").column_count();
    assert_eq!(columns, 1 + crate::collections::OWN_COLUMNS.len());
    let taken = Collection { name: "Pages".into(), ..products() };
    assert!(matches!(Collections::declare(&db, &[taken], false), Err(StoreError::NameTaken(_))));
}

#[test]
fn rates_add_up_over_pages_and_reopenings() {
    let db = store();
    for page in 1..=4 {
        let mut collections = Collections::declare(&db, &[products()], false).expect("a collection");
        let counts = vec![
            FieldCount { collection: 0, field: None, of: 1, found: 1 },
            FieldCount { collection: 0, field: Some(1), of: 10, found: page },
        ];
        let problem = Problem {
            collection: 0,
            number: Some(0),
            field: "price".into(),
            kind: ProblemKind::Unparsable,
            found: "soon".into(),
        };
        let page_items = PageItems { items: Vec::new(), problems: vec![problem], counts };
        collections.insert(&db, &of(i64::from(page), 2, 5), &page_items).expect("counts");
        collections.write_rates(&db).expect("rates");
    }
    let rates = "SELECT run_id, collection, host, field, of_items, found, rate FROM field_rates ORDER BY field";
    assert_eq!(rows(&db, rates), ["2|products|a.example||4|4|1.0", "2|products|a.example|price|40|10|0.25"]);
    let problems = "SELECT url, collection, item, field, problem, found, run_id FROM extract_problems LIMIT 1";
    assert_eq!(rows(&db, problems), ["https://a.example/1|products|0|price|unparsable|soon|2"]);
}

#[test]
fn a_field_that_falls_is_named_and_one_that_stays_is_not() {
    let db = store();
    let put = |run: i64, host: i64, counts: &str| {
        let sql = "INSERT INTO field_rate(run_id, collection_id, host_id, counts) VALUES (?1, 1, ?2, ?3)";
        db.execute(sql, params![run, host, counts]).expect("a row");
    };
    Collections::declare(&db, &[products()], false).expect("a collection");
    db.execute_batch("INSERT INTO host(host_id, name) VALUES (2, 'b.example'), (3, 'c.example')").expect("hosts");
    put(1, 1, r#"{"":[20,20],"price":[20,20],"sku":[20,19]}"#);
    put(2, 1, r#"{"":[20,20],"price":[20,8],"sku":[20,15]}"#);
    // Two small hosts are judged together, and only for what no host was judged for alone.
    for host in [2, 3] {
        put(1, host, r#"{"price":[6,6],"tags":[6,6]}"#);
        put(2, host, r#"{"price":[6,0],"tags":[6,1]}"#);
    }
    let names = |limit: f64| {
        let drifts = drift::drifts(&db, 2, |_| limit).expect("drifts");
        drifts.iter().map(|d| format!("{} {:?} {:.2} {:.2}", d.field, d.host, d.before, d.now)).collect::<Vec<_>>()
    };
    assert_eq!(names(0.3), ["tags None 1.00 0.17", "price Some(\"a.example\") 1.00 0.40"]);
    assert_eq!(names(0.9), [""; 0]);
    db.execute_batch("UPDATE run SET ended_by = 'limit' WHERE run_id = 1").expect("a run");
    assert_eq!(names(0.3), [""; 0], "the earlier run is not complete");
}

#[test]
fn what_a_page_had_beyond_a_limit_is_a_problem_of_no_collection_of_rules() {
    let db = store();
    let beyond = |field: &str| Excess { field: field.into(), found: "more than 2 cells: the rest is left out".into() };
    let extras = PageExtras { beyond: vec![beyond("tables"), beyond("")], ..PageExtras::default() };
    db.execute_batch("INSERT INTO page(url_id, run_id, outcome, fetched_at, attempt) VALUES (3, 2, 0, 5, 1)")
        .expect("a page");
    insert_extras(&db, 3, &extras).expect("problems");
    insert_extras(&db, 3, &PageExtras::default()).expect("nothing");
    let problems =
        "SELECT url, collection, item, field, problem, found, run_id FROM extract_problems ORDER BY problem_id";
    assert_eq!(
        rows(&db, problems),
        [
            "https://a.example/3|page|-|tables|too_many|more than 2 cells: the rest is left out|2",
            "https://a.example/3|page|-||too_many|more than 2 cells: the rest is left out|2",
        ]
    );
    assert_eq!(collections::all(&db).expect("collections"), [], "it is none of the collections");
    assert_eq!(rows(&db, "SELECT count(*) FROM page_extra"), ["0"]);
}
