//! Collections in the store: their rows, and a view for each.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use seine_core::record::items::{Collection, Field, FieldType};

/// Columns of a collection's view beside its fields; no field may be called so.
pub const OWN_COLUMNS: [&str; 6] = ["_item_id", "_url", "_run_id", "_first_seen", "_last_seen", INPUT_COLUMNS];

/// The column with what the list had beside the URL of an item's page, as JSON.
pub const INPUT_COLUMNS: &str = "_input_columns";

/// Under which the problems of pages stand that are of no collection. It is the name of a table, so that no collection can
/// have it.
pub const OF_PAGES: &str = "page";

/// The id under which the problems of pages stand that are of no collection.
///
/// # Errors
/// Whatever SQLite reports.
pub fn of_pages(db: &Connection) -> Result<i64, StoreError> {
    db.prepare_cached("INSERT OR IGNORE INTO collection(name, declared) VALUES (?1, '{}')")?.execute([OF_PAGES])?;
    let select = "SELECT collection_id FROM collection WHERE name = ?1";
    Ok(db.prepare_cached(select)?.query_row([OF_PAGES], |row| row.get(0))?)
}

/// Makes the row of a collection, or brings it up to date, and lays its view; the id of the row.
///
/// # Errors
/// [`StoreError`]; [`StoreError::NameTaken`] if the name is that of another table or view.
pub fn declare(db: &Connection, collection: &Collection) -> Result<i64, StoreError> {
    let declared = serde_json::to_string(collection).expect("names and types always serialise");
    let known = db
        .query_row("SELECT collection_id, declared FROM collection WHERE name = ?1", [&collection.name], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })
        .optional()?;
    let collection_id = match known {
        Some((collection_id, earlier)) if earlier == declared => return Ok(collection_id),
        Some((collection_id, _)) => {
            db.execute(
                "UPDATE collection SET declared = ?2 WHERE collection_id = ?1",
                params![collection_id, declared],
            )?;
            db.execute_batch(&format!("DROP VIEW IF EXISTS {}", quoted(&collection.name)))?;
            collection_id
        }
        None => {
            if is_taken(db, &collection.name)? {
                return Err(StoreError::NameTaken(collection.name.clone()));
            }
            db.execute("INSERT INTO collection(name, declared) VALUES (?1, ?2)", params![collection.name, declared])?;
            db.last_insert_rowid()
        }
    };
    db.execute_batch(&view(collection_id, collection))?;
    Ok(collection_id)
}

/// All collections of a store with their ids, in the order they were first declared.
///
/// # Errors
/// Whatever SQLite reports.
pub fn all(db: &Connection) -> Result<Vec<(i64, Collection)>, StoreError> {
    let mut select =
        db.prepare("SELECT collection_id, name, declared FROM collection WHERE name <> ?1 ORDER BY collection_id")?;
    let rows = select.query_map([OF_PAGES], |row| {
        let (collection_id, name, declared): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let collection = serde_json::from_str(&declared).unwrap_or_else(|_| Collection {
            name,
            key: Vec::new(),
            fields: Vec::new(),
        });
        Ok((collection_id, collection))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes the views of collections away, before the schema changes.
///
/// # Errors
/// Whatever SQLite reports.
pub fn drop_views(db: &Connection, all: &[(i64, Collection)]) -> Result<(), StoreError> {
    all.iter().try_for_each(|(_, collection)| {
        Ok(db.execute_batch(&format!("DROP VIEW IF EXISTS {}", quoted(&collection.name)))?)
    })
}

/// Lays them anew, of all whose names are not taken now: items of the others are in the view `items` only.
///
/// # Errors
/// Whatever SQLite reports.
pub fn lay_views(db: &Connection, all: &[(i64, Collection)]) -> Result<(), StoreError> {
    all.iter().try_for_each(|(collection_id, collection)| {
        if is_taken(db, &collection.name)? {
            return Ok(());
        }
        Ok(db.execute_batch(&view(*collection_id, collection))?)
    })
}

fn is_taken(db: &Connection, name: &str) -> Result<bool, StoreError> {
    Ok(db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE")?.exists([name])?)
}

/// The view of a collection: a column for each field, then [`OWN_COLUMNS`]. Lists and records are JSON text.
fn view(collection_id: i64, collection: &Collection) -> String {
    let time = |column: &str, name: &str| {
        format!(
            "strftime('%Y-%m-%dT%H:%M:%S', {column} / 1000, 'unixepoch') || printf('.%03dZ', {column} % 1000) AS {name}"
        )
    };
    // As in the view items: seen too when its page is asked for and has not been modified.
    let seen = "iif(t.last_seen >= coalesce(p.content_at, p.fetched_at), p.fetched_at, t.last_seen)";
    let mut columns: Vec<_> = collection.fields.iter().map(column).collect();
    columns.extend(["t.item_id AS _item_id".into(), "u.url AS _url".into(), "t.run_id AS _run_id".into()]);
    columns.extend([time("t.first_seen", "_first_seen"), time(seen, "_last_seen")]);
    columns.push(format!("i.columns AS {INPUT_COLUMNS}"));
    format!(
        "CREATE VIEW {} AS\nSELECT {}\nFROM item t LEFT JOIN url u ON u.url_id = t.url_id LEFT JOIN page p ON p.url_id = t.url_id \
         LEFT JOIN input i ON i.file_id = u.file_id AND i.line = u.line\nWHERE t.collection_id = {collection_id}",
        quoted(&collection.name),
        columns.join(",\n       ")
    )
}

fn column(field: &Field) -> String {
    // The path of one key: within double quotes, as SQLite's JSON functions have it. Names hold no quotes.
    let path = format!("'$.\"{}\"'", field.name.replace('\'', "''"));
    let is_json = field.many || matches!(field.kind, FieldType::Json | FieldType::Record);
    let value = if is_json {
        // A JSON null is no value.
        format!("CASE json_type(t.data, {path}) WHEN 'null' THEN NULL ELSE t.data -> {path} END")
    } else {
        format!("t.data ->> {path}")
    };
    format!("{value} AS {}", quoted(&field.name))
}

/// An SQL identifier.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
