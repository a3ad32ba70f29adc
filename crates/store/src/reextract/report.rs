//! The difference that was found, counted and with examples: read from the temporary tables.

use std::collections::HashMap;

use rusqlite::params;

use super::{Result, Rework};
use crate::collections;
use crate::fill::as_declared;
use seine_core::protocol::reextract::{CollectionChanges, Example, Report};
use seine_core::record::items::{Collection, Fill};

/// Items shown of each kind.
const EXAMPLES: u32 = 5;

/// Counts pages whose text, Markdown, metadata or tables are other ones than those in the store.
const CHANGED_EXTRAS: &str = "SELECT count(*) FROM temp.extra x LEFT JOIN page_extra e ON e.url_id = x.url_id
  WHERE (coalesce(x.metadata, e.metadata), coalesce(x.text, e.text), coalesce(x.markdown, e.markdown), coalesce(x.tables, e.tables))
    IS NOT (e.metadata, e.text, e.markdown, e.tables)";

impl Rework {
    pub(super) fn report(&self) -> Result<Report> {
        let count = |sql: &str| self.db.query_row(sql, [], |row| row.get::<_, u64>(0));
        let mut report = Report {
            pages: count("SELECT count(*) FROM temp.page_read")?,
            not_stored: self.not_stored,
            problems: count("SELECT count(*) FROM temp.problem")?,
            with_extras: count("SELECT count(*) FROM temp.extra")?,
            changed_extras: count(CHANGED_EXTRAS)?,
            ..Report::default()
        };
        let ids = self
            .db
            .prepare("SELECT number, collection_id FROM temp.declared")?
            .query_map([], |row| Ok((row.get::<_, usize>(0)?, row.get::<_, Option<i64>>(1)?)))?
            .collect::<Result<HashMap<_, _>, _>>()?;
        for (number, collection) in self.declared.iter().enumerate() {
            let of = |table: &str| {
                let sql = format!("SELECT count(*) FROM temp.{table} WHERE collection = ?1");
                self.db.query_row(&sql, [number], |row| row.get::<_, u64>(0))
            };
            let had = match ids.get(&number).copied().flatten() {
                Some(id) => {
                    self.db.query_row("SELECT count(*) FROM item WHERE collection_id = ?1", [id], |row| row.get(0))?
                }
                None => 0,
            };
            let (added, removed, changed) = (of("added")?, of("removed")?, of("changed")?);
            report.collections.push(CollectionChanges {
                name: collection.name.clone(),
                fill: self.fill(number, collection)?,
                added,
                removed,
                changed,
                same: u64::saturating_sub(had, removed + changed),
                added_examples: self.examples(
                    "SELECT u.url, NULL, f.data FROM temp.added d CROSS JOIN temp.fresh f USING(fresh_id) \
                     CROSS JOIN url u ON u.url_id = f.url_id WHERE d.collection = ?1 ORDER BY d.fresh_id LIMIT ?2",
                    number,
                )?,
                removed_examples: self.examples(
                    "SELECT u.url, i.data, NULL FROM temp.removed d CROSS JOIN item i USING(item_id) \
                     CROSS JOIN url u ON u.url_id = i.url_id WHERE d.collection = ?1 ORDER BY d.item_id LIMIT ?2",
                    number,
                )?,
                changed_examples: self.examples(
                    "SELECT u.url, i.data, f.data FROM temp.changed d CROSS JOIN temp.fresh f USING(fresh_id) \
                     CROSS JOIN item i ON i.item_id = f.item_id CROSS JOIN url u ON u.url_id = f.url_id \
                     WHERE d.collection = ?1 ORDER BY d.fresh_id LIMIT ?2",
                    number,
                )?,
            });
        }
        report.left_alone = collections::all(&self.db)?
            .into_iter()
            .filter(|(id, _)| !ids.values().any(|declared| *declared == Some(*id)))
            .map(|(_, collection)| collection.name)
            .collect();
        Ok(report)
    }

    /// How well the rules of a collection fit the pages read, which are of all runs and hosts.
    fn fill(&self, number: usize, collection: &Collection) -> Result<Fill> {
        let mut select = self.db.prepare_cached("SELECT name, of_items, found FROM temp.rate WHERE collection = ?1")?;
        let mut rows = select.query([number])?;
        let mut fill = Fill::default();
        while let Some(row) = rows.next()? {
            fill.add(&row.get::<_, String>(0)?, row.get(1)?, row.get(2)?);
        }
        as_declared(&mut fill, collection);
        Ok(fill)
    }

    fn examples(&self, sql: &str, number: usize) -> Result<Vec<Example>> {
        let mut select = self.db.prepare(sql)?;
        let rows = select.query_map(params![number, EXAMPLES], |row| {
            Ok(Example { url: row.get(0)?, before: row.get(1)?, after: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
