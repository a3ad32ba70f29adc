//! Rows on their way into a table, each value beside the name of its column.

/// Inserts one row and says how many rows that changed.
///
/// ```text
/// insert!(db, "INSERT INTO", host { name: "a.example", listed: true }, "ON CONFLICT(name) DO UPDATE SET listed = :listed")?;
/// ```
///
/// The words before the table are SQLite's; what is to happen on a conflict may follow, and calls the values by the names
/// of their columns. The compiler writes the statement, and values are bound in its order: the names cost a page nothing.
macro_rules! insert {
    (
        $db:expr, $verb:literal,
        $table:ident { $column:ident: $value:expr $(, $columns:ident: $values:expr)* $(,)? }
        $(, $conflict:literal)? $(,)?
    ) => {{
        let prepared = $db.prepare_cached(concat!(
            $verb, " ", stringify!($table), "(", stringify!($column), $(", ", stringify!($columns),)*
            ") VALUES (:", stringify!($column), $(", :", stringify!($columns),)* ")" $(, " ", $conflict)?
        ));
        match prepared {
            Ok(mut statement) => statement.execute(rusqlite::params![$value $(, $values)*]),
            Err(error) => Err(error),
        }
    }};
}

pub(crate) use insert;

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    #[test]
    fn a_row_has_each_value_in_its_column_and_a_conflict_may_name_them() {
        let db = Connection::open_in_memory().expect("a database");
        db.execute_batch("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c TEXT)").expect("a table");
        let row = || db.query_row("SELECT a, b, c FROM t", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let inserted = insert!(db, "INSERT INTO", t { c: "see", a: 1, b: "bee" }).expect("a row");
        assert_eq!((inserted, row()), (1, Ok((1, "bee".to_owned(), "see".to_owned()))));
        insert!(db, "INSERT INTO", t { b: "again", a: 1 }, "ON CONFLICT DO UPDATE SET b = :b, c = c || :a")
            .expect("a row");
        assert_eq!(row(), Ok((1, "again".to_owned(), "see1".to_owned())));
        let ignored = insert!(db, "INSERT OR IGNORE INTO", t { a: 1 });
        assert_eq!(ignored, Ok(0));
    }
}
