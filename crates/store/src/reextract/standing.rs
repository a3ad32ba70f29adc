//! Which stored pages the next crawl may leave as they are when the site says that they have not changed.
//!
//! A crawl asks for a page conditionally if it was read for the same things as are wanted now. Once rules were applied to
//! all stored pages, that is what they were read for: only those that could not be read are to be fetched whole again.

use rusqlite::params;

use super::{Result, Rework};

impl Rework {
    /// Writes down what the pages of each run are read for from now on, as `reading_of` finds it in the run's settings.
    /// Pages that were not read lose their validators, so that they are fetched whole.
    pub(super) fn let_stand(&self, reading_of: &dyn Fn(&str) -> Option<[u8; 16]>) -> Result<()> {
        // NULL: its pages were not all read for the same, so nobody knows what they lack.
        let mut select = self.db.prepare("SELECT run_id, config, reading FROM run WHERE reading IS NOT NULL")?;
        let runs = select
            .query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?)))?
            .collect::<Result<Vec<_>, _>>()?;
        let mut update = self.db.prepare("UPDATE run SET reading = ?2 WHERE run_id = ?1")?;
        let mut any = false;
        for (run_id, config, before) in runs {
            // A setting of a later version is not understood: the run stays as it is, and its pages are fetched whole.
            if let Some(reading) = reading_of(&config).filter(|reading| before != reading) {
                update.execute(params![run_id, reading])?;
                any = true;
            }
        }
        if any {
            self.db.execute_batch(
                "UPDATE page SET etag = NULL, last_modified = NULL
                   WHERE outcome = 0 AND coalesce(etag, last_modified) IS NOT NULL
                     AND url_id NOT IN (SELECT url_id FROM temp.page_read)",
            )?;
        }
        Ok(())
    }
}
