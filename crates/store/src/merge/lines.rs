//! Lists and their lines on their way into a merge.
//!
//! A line of a shard goes back to the list and line that it was of. Any other list keeps its name, unless the merge has a list
//! of that name with other URLs: then the name of its store goes before it.

use rusqlite::{OptionalExtension, params};

use super::source::{AT_HAND, Source};
use super::{Brought, Merge, Result};
use seine_core::record::UrlKey;
use seine_core::record::origin::split_columns;

impl Merge<'_> {
    /// Finds out under which names the lists of a store go on.
    pub(super) fn take_lists(&mut self, source: &Source) -> Result<()> {
        self.lists.clear();
        let mut lists = Vec::new();
        source.each("SELECT file_id, name FROM file ORDER BY file_id", [], |row| {
            if lists.len() >= AT_HAND {
                return Err(source.damaged("it has too many lists"));
            }
            lists.push((source.get::<i64>(row, 0)?, source.get::<String>(row, 1)?));
            Ok(())
        })?;
        for (file_id, name) in lists {
            let name = if self.is_other_list(source, file_id, &name)? {
                let store = source.path.file_name().unwrap_or_default().to_string_lossy();
                format!("{store}: {name}")
            } else {
                name
            };
            self.lists.insert(file_id, name);
        }
        Ok(())
    }

    /// Whether the merge has a list of this name with another URL on some line, which is not one of the source's.
    fn is_other_list(&self, source: &Source, file_id: i64, name: &str) -> Result<bool> {
        let known: Option<i64> = self
            .db
            .prepare_cached("SELECT file_id FROM file WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        let Some(known) = known else { return Ok(false) };
        let mut ours = self.db.prepare_cached(
            "SELECT (SELECT h.name FROM host h WHERE h.host_id = u.host_id), u.key FROM input i CROSS JOIN url u USING(url_id) \
             WHERE i.file_id = ?1 AND i.line = ?2",
        )?;
        let mut is_other = false;
        let theirs = "SELECT i.line, i.columns, (SELECT h.name FROM host h WHERE h.host_id = u.host_id), u.key \
                      FROM input i CROSS JOIN url u USING(url_id) WHERE i.file_id = ?1";
        source.each(theirs, [file_id], |row| {
            let columns: Option<String> = source.get(row, 1)?;
            if is_other || columns.as_deref().and_then(split_columns).is_some() {
                return Ok(());
            }
            let line: i64 = source.get(row, 0)?;
            let named: (Option<String>, UrlKey) = (source.get(row, 2)?, source.get(row, 3)?);
            let here = ours.query_row([known, line], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            if let Some(here) = here.filter(|here| *here != named) {
                is_other = !knows(source, &here)?;
            }
            Ok(())
        })?;
        Ok(is_other)
    }

    /// Takes the lines of a store.
    pub(super) fn take_lines(&mut self, source: &Source, brought: &mut Brought) -> Result<()> {
        let all = "SELECT i.file_id, i.line, i.raw_url, i.columns, i.url_id, u.url, (u.file_id, u.line) = (i.file_id, i.line) \
                   FROM input i CROSS JOIN url u ON u.url_id = i.url_id ORDER BY i.file_id, i.line";
        source.each(all, [], |row| {
            let Some(moved) = self.moved(source.get(row, 4)?)? else { return Ok(()) };
            let columns: Option<String> = source.get(row, 3)?;
            let (file_id, line, columns) = match columns.as_deref().and_then(split_columns) {
                Some((origin, columns)) => {
                    let Ok(line) = i64::try_from(origin.line) else { return Err(source.damaged("a line has no number")) };
                    (self.list(&origin.list)?, line, columns)
                }
                None => {
                    let file_id: i64 = source.get(row, 0)?;
                    let Some(name) = self.lists.get(&file_id).cloned() else {
                        return Err(source.damaged(&format!("there is no list {file_id}")));
                    };
                    (self.list(&name)?, source.get(row, 1)?, columns)
                }
            };
            let mut raw_url: Option<String> = source.get(row, 2)?;
            if !moved.is_new && raw_url.is_none() {
                // It may be spelled differently here.
                let theirs: String = source.get(row, 5)?;
                let sql = "SELECT url FROM url WHERE url_id = ?1";
                let ours: String = self.db.prepare_cached(sql)?.query_row([moved.url_id], |row| row.get(0))?;
                raw_url = (theirs != ours).then_some(theirs);
            }
            let written = self
                .db
                .prepare_cached(
                    "INSERT INTO input(file_id, line, raw_url, columns, url_id) VALUES (?1, ?2, ?3, ?4, ?5) \
                     ON CONFLICT DO UPDATE SET raw_url = excluded.raw_url, columns = excluded.columns, url_id = excluded.url_id \
                     WHERE (raw_url, columns, url_id) IS NOT (excluded.raw_url, excluded.columns, excluded.url_id)",
                )?
                .execute(params![file_id, line, raw_url, columns, moved.url_id])?;
            brought.lines += written as u64;
            if source.get::<Option<bool>>(row, 6)?.unwrap_or(false) {
                self.db
                    .prepare_cached("UPDATE url SET file_id = ?2, line = ?3 WHERE url_id = ?1 AND file_id IS NULL")?
                    .execute([moved.url_id, file_id, line])?;
            }
            if written > 0 {
                self.db
                    .prepare_cached("UPDATE file SET lines = ?2 WHERE file_id = ?1 AND lines < ?2")?
                    .execute([file_id, line])?;
            }
            self.row()
        })
    }

    /// The list of this name.
    fn list(&mut self, name: &str) -> Result<i64> {
        if let Some(&file_id) = self.files.get(name) {
            return Ok(file_id);
        }
        self.db.prepare_cached("INSERT INTO file(name) VALUES (?1) ON CONFLICT DO NOTHING")?.execute([name])?;
        let file_id: i64 =
            self.db.prepare_cached("SELECT file_id FROM file WHERE name = ?1")?.query_row([name], |row| row.get(0))?;
        if self.files.len() >= AT_HAND {
            self.files.clear();
        }
        self.files.insert(name.to_owned(), file_id);
        Ok(file_id)
    }
}

/// Whether a store has this URL, by host and key.
fn knows(source: &Source, (host, key): &(Option<String>, UrlKey)) -> Result<bool> {
    let sql = "SELECT 1 FROM url u WHERE u.host_id = coalesce((SELECT h.host_id FROM host h WHERE h.name = ?1), 0) AND u.key = ?2";
    Ok(source.one(sql, params![host, key], |_| Ok(()))?.is_some())
}
