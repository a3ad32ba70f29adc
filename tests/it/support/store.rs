//! The store, as any SQLite reader sees it.

use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

/// A read-only connection.
#[derive(Debug)]
pub struct Store(pub Connection);

impl Store {
    /// Opens the store at `path`, beside a crawl or not.
    pub fn open(path: &Path) -> Self {
        Self::try_open(path).expect("the store can be opened for reading")
    }

    /// The same, where there may be none yet.
    pub fn try_open(path: &Path) -> rusqlite::Result<Self> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.busy_timeout(Duration::from_secs(5))?;
        Ok(Self(db))
    }

    /// The only number a query yields.
    pub fn number(&self, sql: &str) -> i64 {
        self.0.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The rows of a query, values joined by `|`, NULL as `-`.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let mut statement = self.0.prepare(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let mut values = Vec::new();
            for column in 0..columns {
                values.push(match row.get_ref(column)? {
                    ValueRef::Null => "-".to_owned(),
                    ValueRef::Integer(number) => number.to_string(),
                    ValueRef::Real(number) => number.to_string(),
                    ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned(),
                });
            }
            Ok(values.join("|"))
        });
        rows.and_then(Iterator::collect).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The only row of a query.
    pub fn row(&self, sql: &str) -> String {
        let rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows.into_iter().next().expect("counted above")
    }

    /// Checks what must hold of every store, whatever was killed when: it is whole, and every URL with an outcome
    /// has exactly one page, every other one none.
    pub fn assert_sound(&self) {
        assert_eq!(self.rows("PRAGMA integrity_check"), ["ok"]);
        assert_eq!(self.rows("PRAGMA foreign_key_check"), [""; 0]);
        assert_eq!(
            self.number(
                "SELECT count(*) FROM url WHERE outcome IS NOT NULL AND url_id NOT IN (SELECT url_id FROM page)"
            ),
            0
        );
        assert_eq!(self.number("SELECT count(*) FROM page p JOIN url u USING(url_id) WHERE u.outcome <> p.outcome"), 0);
        assert_eq!(self.number("SELECT count(*) - count(DISTINCT url) FROM pages"), 0, "a URL has two rows");
        assert_eq!(
            self.number("SELECT count(*) FROM url WHERE outcome IS NOT NULL"),
            self.number("SELECT coalesce(sum(urls), 0) FROM total"),
            "the totals differ from the URLs"
        );
        assert_eq!(
            self.number("SELECT count(*) FROM history"),
            self.number("SELECT coalesce(sum(ok + http_error + failed + rejected + quarantined + robots_denied + skipped), 0) FROM run"),
            "the counts of the runs differ from the fetches"
        );
        assert_eq!(self.number("SELECT count(*) FROM input WHERE url_id NOT IN (SELECT url_id FROM url)"), 0);
    }
}
