//! What brings nothing new, found in stores that are made up.

use super::*;
use crate::open_for_writing;
use crate::tests::{Place, line, page, put};
use seine_core::protocol::{EndedBy, Ending, PageHead};

/// A page of this text: those of one number are alike, those of others are not.
fn text(url_id: UrlId, number: u64, body: &str) -> (PageHead, Vec<u8>) {
    let (mut head, zstd) = page(url_id, body.as_bytes());
    let fields = head.page.as_mut().expect("fields");
    // Hashes of what is far from each other.
    let bytes: [u8; 16] = blake3::hash(&number.to_le_bytes()).as_bytes()[..16].try_into().expect("16 bytes");
    fields.likeness = Some(bytes);
    (head, zstd)
}

fn nearly((mut head, zstd): (PageHead, Vec<u8>), bits: u32) -> (PageHead, Vec<u8>) {
    if let Some(likeness) = head.page.as_mut().and_then(|fields| fields.likeness.as_mut()) {
        *likeness = (Likeness::from_be_bytes(*likeness) ^ ((1 << bits) - 1)).to_be_bytes();
    }
    (head, zstd)
}

fn tiny(url_id: UrlId, body: &str) -> (PageHead, Vec<u8>) {
    let (head, zstd) = text(url_id, 0, body);
    let fields = head.page.map(|fields| seine_core::protocol::PageFields { likeness: None, ..fields });
    (PageHead { page: fields, ..head }, zstd)
}

fn with_404((head, zstd): (PageHead, Vec<u8>)) -> (PageHead, Vec<u8>) {
    let ending = Ending::Final { outcome: Outcome::HttpError, failure: None };
    (PageHead { ending, status: Some(404), ..head }, zstd)
}

fn saying_so((mut head, zstd): (PageHead, Vec<u8>)) -> (PageHead, Vec<u8>) {
    if let Some(fields) = &mut head.page {
        fields.says_missing = true;
    }
    (head, zstd)
}

/// A store with these pages, whose numbers are their places, at these hosts.
fn stored(pages: impl IntoIterator<Item = (&'static str, (PageHead, Vec<u8>))>) -> Place {
    let place = Place::new();
    let mut store = place.open();
    let (hosts, pages): (Vec<_>, Vec<_>) = pages.into_iter().unzip();
    let lines = (1..).zip(&hosts).map(|(number, host)| line(number, &format!("http://{host}.example/{number}")));
    let lines: Vec<_> = lines.collect();
    crate::tests::import(&mut store, &lines);
    for page in &pages {
        put(&mut store, page);
    }
    store.end(EndedBy::Completed).expect("the end");
    place
}

fn alike(place: &Place) -> Alike {
    Alike::of(&open_for_writing(&place.path).expect("a store")).expect("what was found")
}

#[test]
fn pages_of_a_host_that_say_nearly_the_same_are_named_with_the_first_of_them() {
    let place = stored([
        ("a", text(1, 1, "1")),
        ("a", text(2, 2, "2")),
        ("a", nearly(text(3, 1, "3"), 2)),
        ("b", text(4, 1, "4")),
        ("a", nearly(text(5, 1, "5"), NEAR_BITS + 1)),
        ("a", text(6, 2, "6")),
        ("a", tiny(7, "same")),
        ("a", tiny(8, "same")),
        ("a", with_404(text(9, 2, "9"))),
    ]);
    // The fifth differs from the first in too many bits, and from the third in few enough.
    let expected = [
        "http://a.example/3|http://a.example/1|2|3",
        "http://a.example/5|http://a.example/3|5|5",
        "http://a.example/6|http://a.example/2|0|6",
    ];
    assert_eq!(place.rows("SELECT * FROM near_duplicates ORDER BY url_id"), expected);
    assert_eq!(alike(&place).near_duplicates, 3);
}

#[test]
fn what_is_found_is_as_the_pages_are_now_and_is_not_sought_if_none_has_changed() {
    let place = stored([("a", text(1, 1, "1")), ("a", text(2, 1, "2"))]);
    assert_eq!(alike(&place).near_duplicates, 1);
    let stale = "SELECT is_stale FROM alike";
    assert_eq!(place.rows(stale), ["0"]);
    let mut store = place.open();
    assert_eq!(place.rows(stale), ["0"]);
    crate::tests::import(&mut store, &[line(3, "http://a.example/3")]);
    put(&mut store, &text(3, 1, "3"));
    assert_eq!(place.rows(stale), ["1"]);
    // Killed: the run goes on, and at its end all is as it should be.
    drop(store);
    assert_eq!(alike(&place).near_duplicates, 1);
    place.open().end(EndedBy::Completed).expect("the end");
    assert_eq!((alike(&place).near_duplicates, place.rows(stale)), (2, vec!["0".to_owned()]));
}

#[test]
fn a_page_that_says_so_or_is_like_an_answer_with_404_is_a_soft_404() {
    let of = |first: [(&'static str, (PageHead, Vec<u8>)); 5]| {
        let others = (6..20).map(|number| ("a", text(number, number as u64, &number.to_string())));
        let place = stored(first.into_iter().chain(others));
        let rows = place.rows("SELECT input_line, soft_404 FROM pages WHERE soft_404 IS NOT NULL");
        assert_eq!(alike(&place).soft_404, rows.len() as u64);
        rows
    };
    let first = [
        ("a", with_404(text(1, 1, "1"))),
        ("a", nearly(text(2, 1, "2"), 3)),
        ("a", saying_so(text(3, 3, "3"))),
        ("b", text(4, 1, "4")),
        ("a", saying_so(with_404(text(5, 5, "5")))),
    ];
    assert_eq!(of(first), ["2|like_404", "3|says_so"]);
    let tiny = [
        ("a", with_404(tiny(1, "gone"))),
        ("a", tiny(2, "gone")),
        ("a", tiny(3, "going")),
        ("b", tiny(4, "gone")),
        ("a", text(5, 5, "gone")),
    ];
    assert_eq!(of(tiny), ["2|like_404"]);
}

#[test]
fn an_answer_with_404_that_is_like_most_pages_says_nothing() {
    let shell = |number| ("a", text(number, 1, "1"));
    let place = stored([("a", with_404(text(1, 1, "1")))].into_iter().chain((2..20).map(shell)));
    assert_eq!(alike(&place).soft_404, 0);
}

#[test]
fn a_page_is_a_soft_404_no_longer_than_its_host_says_so() {
    let others = (3..9).map(|number| ("a", text(number, number as u64, &number.to_string())));
    let place = stored([("a", with_404(text(1, 1, "1"))), ("a", text(2, 1, "2"))].into_iter().chain(others));
    assert_eq!(alike(&place).soft_404, 1);
    let mut db = open_for_writing(&place.path).expect("a store");
    crate::retry::make_pending(&mut db, "url LIKE '%/1'").expect("pending again");
    drop(db);
    let mut store = place.open();
    put(&mut store, &text(1, 90, "1"));
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(alike(&place).soft_404, 0);
}

#[test]
fn a_host_with_the_pages_of_another_is_its_mirror() {
    let on = |host: &'static str, from: i64, to: i64, shift: i64| {
        (from..to).map(move |number| (host, text(number, number as u64, &(number - shift).to_string())))
    };
    // b has 19 of 20 of a's pages; c has the same as a, and more; d and e are others.
    let b = on("b", 21, 41, 20)
        .map(|(host, page)| if page.0.url_id == 30 { (host, text(30, 30, "x")) } else { (host, page) });
    let pages =
        on("a", 1, 21, 0).chain(b).chain(on("c", 41, 71, 40)).chain(on("d", 71, 81, 0)).chain(on("e", 81, 86, 80));
    let place = stored(pages);
    let mirrors = alike(&place).mirrors;
    let told: Vec<_> =
        mirrors.iter().map(|m| format!("{} of {}: {} of {}", m.host, m.of_host, m.same, m.pages)).collect();
    // All of a's pages are c's, which has more of its own; b's are those of a, which came first.
    assert_eq!(told, ["a.example of c.example: 20 of 20", "b.example of a.example: 19 of 20"]);
}

#[test]
fn a_host_whose_last_thousand_pages_say_what_others_said_is_named() {
    let all = |last_new: i64| {
        let pages = (1..=1100).map(move |number| {
            let is_new = number <= 100 || number == last_new;
            ("a", text(number, if is_new { number as u64 } else { number as u64 % 100 + 1 }, &number.to_string()))
        });
        alike(&stored(pages)).nothing_new
    };
    assert_eq!(all(0), [Quiet { host: "a.example".into(), pages: 1000 }]);
    assert_eq!(all(600), []);
}

#[test]
fn what_would_take_too_long_is_left_and_done_at_another_end() {
    let place = stored([("a", text(1, 1, "one")), ("a", nearly(text(2, 1, "two"), 1)), ("b", text(3, 3, "three"))]);
    let before = alike(&place);
    assert_eq!(before.near_duplicates, 1);
    let mut db = open_for_writing(&place.path).expect("a store");
    let other_reading = [7; 16];
    assert!(!find(&mut db, &other_reading, Duration::ZERO).expect("no error"));
    assert_eq!(Alike::of(&db).expect("what was found"), before);
    assert!(find(&mut db, &other_reading, Duration::from_secs(60)).expect("no error"));
    let reading: Vec<u8> = db.query_row("SELECT reading FROM alike", [], |row| row.get(0)).expect("a row");
    assert_eq!(reading, other_reading);
}
