//! The rows of hosts, and their ids kept at hand.

use rusqlite::{OptionalExtension, params};

use super::{Result, Store};
use seine_core::protocol::{HostId, ImportEntry};

/// Host ids kept at hand; past it the cache starts anew. More than the lines of one transaction.
const CACHED_HOSTS: usize = 100_000;

impl Store {
    /// Looks up the hosts of lines that are about to be imported, list by list, in the order of the index of hosts: line
    /// by line they would lead all over it.
    ///
    /// # Errors
    /// [`crate::StoreError`]
    pub fn find_hosts<'a>(&mut self, lines: impl Iterator<Item = (usize, &'a [ImportEntry])>) -> Result<()> {
        // Most lines of a list that is read again need none.
        let lines = lines.filter(|(file, _)| !self.reread[*file]);
        let mut names: Vec<_> = lines.flat_map(|(_, entries)| entries).filter_map(|entry| entry.url.host()).collect();
        names.sort_unstable();
        names.dedup();
        let unknown = names.iter().filter(|name| !self.host_ids.contains_key(**name)).count();
        if self.host_ids.len() + unknown > CACHED_HOSTS {
            self.host_ids.clear();
        }
        names.retain(|name| !self.host_ids.contains_key(*name));
        let mut find = self.statement("SELECT host_id, listed FROM host WHERE name = ?1")?;
        let mut found = Vec::new();
        for name in names {
            found.extend(find.query_row([name], |row| Ok((name, (row.get(0)?, row.get(1)?)))).optional()?);
        }
        drop(find);
        self.host_ids.extend(found.into_iter().map(|(name, host)| (name.to_owned(), host)));
        Ok(())
    }

    /// The row of a host; `listed` if a list names it.
    pub(super) fn host_id(&mut self, name: &str, listed: bool) -> Result<HostId> {
        if let Some(&(host_id, known_as_listed)) = self.host_ids.get(name)
            && known_as_listed >= listed
        {
            return Ok(host_id);
        }
        let known = self
            .statement("SELECT host_id, listed FROM host WHERE name = ?1")?
            .query_row([name], |row| Ok((row.get::<_, HostId>(0)?, row.get::<_, bool>(1)?)))
            .optional()?;
        let host_id = match known {
            Some((host_id, was_listed)) => {
                if listed && !was_listed {
                    self.statement("UPDATE host SET listed = 1 WHERE host_id = ?1")?.execute([host_id])?;
                }
                host_id
            }
            None => {
                self.statement("INSERT INTO host(name, listed) VALUES (?1, ?2)")?.execute(params![name, listed])?;
                self.db.last_insert_rowid()
            }
        };
        if self.host_ids.len() >= CACHED_HOSTS {
            self.host_ids.clear();
        }
        let listed = listed || known.is_some_and(|(_, was_listed)| was_listed);
        self.host_ids.insert(name.to_owned(), (host_id, listed));
        Ok(host_id)
    }
}
