//! An index beside a store whose pages come, change and go.

use std::path::PathBuf;

use rusqlite::{Connection, params};

use super::*;
use crate::open_for_writing;

struct Shop {
    folder: tempfile::TempDir,
    db: Connection,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = open_for_writing(&folder.path().join("shop.db")).unwrap();
        db.execute_batch(
            "INSERT INTO run(run_id, started_at, pid, last_at, seine_version, config) VALUES (1, 1, 1, 1, '1', '{}');
             INSERT INTO host(host_id, name) VALUES (1, 'a.test')",
        )
        .unwrap();
        Self { folder, db }
    }

    fn page(&self, url_id: i64, title: &str, text: Option<&str>) {
        self.db
            .execute(
                "INSERT OR REPLACE INTO url(url_id, key, url, host_id, outcome) VALUES (?1, ?2, ?3, 1, 0)",
                params![url_id, url_id.to_le_bytes(), format!("https://a.test/{url_id}")],
            )
            .unwrap();
        self.db
            .execute(
                "INSERT OR REPLACE INTO page(url_id, run_id, outcome, status, title, fetched_at) VALUES (?1, 1, 0, 200, ?2, 1)",
                params![url_id, title],
            )
            .unwrap();
        self.db
            .execute("INSERT OR REPLACE INTO page_extra(url_id, text) VALUES (?1, ?2)", params![url_id, text])
            .unwrap();
    }

    fn path(&self) -> PathBuf {
        path_of(&self.folder.path().join("shop.db"))
    }

    fn update(&self) -> Updated {
        Index::open(&self.path(), false).unwrap().update(&self.db, || true).unwrap()
    }

    /// The ends of the URLs that have the words, the best first.
    fn found(&self, words: &str) -> Vec<String> {
        self.hits(words).into_iter().map(|hit| hit.url.rsplit('/').next().unwrap().to_owned()).collect()
    }

    fn hits(&self, words: &str) -> Vec<Hit> {
        let index = Index::open(&self.path(), false).unwrap();
        index.find(&self.db, &[words.to_owned()], 10).unwrap()
    }
}

#[test]
fn an_index_follows_its_store_and_reads_only_what_is_new() {
    let shop = Shop::new();
    shop.page(1, "Brass telescope", Some("Twenty times, for the desk of a captain."));
    shop.page(2, "Sea chart", Some("Printed on heavy paper: the Café of the captain's daughter."));
    shop.page(3, "About us", None);
    assert_eq!(shop.update(), Updated { taken: 3, dropped: 0, pages: 3, with_text: 2 });
    assert_eq!(shop.update(), Updated { taken: 0, dropped: 0, pages: 3, with_text: 2 });
    assert_eq!(shop.found("captain"), ["1", "2"]);
    assert_eq!(shop.found("captain -chart"), ["1"]);
    assert_eq!(shop.found("cafe PAPER"), ["2"]);
    assert_eq!(shop.found("\"heavy chart\""), [""; 0]);
    assert_eq!(shop.found("tele* OR about"), ["3", "1"]);

    shop.page(2, "Sea chart", Some("Sold out."));
    shop.page(4, "Captain's log", Some("A book."));
    shop.db.execute_batch("DELETE FROM page WHERE url_id = 1").unwrap();
    assert_eq!(shop.update(), Updated { taken: 2, dropped: 2, pages: 3, with_text: 2 });
    assert_eq!(shop.found("captain"), ["4"]);
    assert_eq!(shop.found("paper"), [""; 0]);
    assert_eq!(shop.found("sold"), ["2"]);
}

#[test]
fn a_snippet_shows_the_words_where_they_stand() {
    let shop = Shop::new();
    let text = format!("{}the brass telescope of the captain{}", "word ".repeat(200), " word".repeat(200));
    shop.page(1, "Page", Some(&text));
    shop.update();
    let hits = shop.hits("telescope");
    assert!(hits[0].snippet.contains("brass \u{2}telescope\u{3} of"), "{hits:?}");
    assert!(hits[0].snippet.starts_with('…') && hits[0].snippet.len() < 300, "{hits:?}");
    assert!(hits[0].score > 0.0 && hits[0].title.as_deref() == Some("Page"));
}

#[test]
fn a_file_that_is_no_index_is_left_alone_and_one_of_another_layout_is_made_anew() {
    let shop = Shop::new();
    shop.page(1, "Lamp", None);
    shop.update();
    Connection::open(shop.path()).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert_eq!(shop.update().taken, 1);
    {
        let bytes =
            &b"notes of mine, longer than a header of SQLite's, which has one hundred bytes: so it is looked at"[..];
        std::fs::write(shop.path(), bytes.repeat(2)).unwrap();
        assert!(matches!(Index::open(&shop.path(), true), Err(SearchError::Foreign(_))));
        assert_eq!(std::fs::read(shop.path()).unwrap(), bytes.repeat(2));
    }
    std::fs::remove_file(shop.path()).unwrap();
    Connection::open(shop.path()).unwrap().execute_batch("CREATE TABLE mine(x)").unwrap();
    assert!(matches!(Index::open(&shop.path(), true), Err(SearchError::Foreign(_))));
}
