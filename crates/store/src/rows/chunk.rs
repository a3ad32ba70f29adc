//! Rows in memory, as many as one short transaction reads.

use rusqlite::types::ValueRef;
use rusqlite::{Row, Statement};

use crate::StoreError;

/// Memory of the rows read in one short transaction; those of one key are never torn apart.
const CHUNK_BYTES: usize = 4 << 20;

/// Rows in memory, packed.
#[derive(Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    cells: Vec<Packed>,
}

enum Packed {
    Null,
    Integer(i64),
    Real(f64),
    Text(usize, usize),
    Blob(usize, usize),
}

impl Chunk {
    /// Takes the rows after the key `after` until there are enough, at most until the key `until`; the key up to
    /// which they are all there.
    pub(super) fn fill(
        &mut self,
        statement: &mut Statement<'_>,
        after: i64,
        until: i64,
        wanted: impl Fn(i64) -> bool,
    ) -> Result<i64, StoreError> {
        self.bytes.clear();
        self.cells.clear();
        let columns = statement.column_count();
        let mut last = after;
        let mut rows = statement.query([after, until])?;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            if id != last && self.bytes.len() + self.cells.len() * size_of::<Packed>() >= CHUNK_BYTES {
                return Ok(last);
            }
            last = id;
            if wanted(id) {
                self.push(row, columns)?;
            }
        }
        Ok(until)
    }

    fn push(&mut self, row: &Row<'_>, columns: usize) -> Result<(), StoreError> {
        for at in 1..columns {
            let start = self.bytes.len();
            self.cells.push(match row.get_ref(at)? {
                ValueRef::Null => Packed::Null,
                ValueRef::Integer(number) => Packed::Integer(number),
                ValueRef::Real(number) => Packed::Real(number),
                ValueRef::Text(text) => {
                    self.bytes.extend_from_slice(text);
                    Packed::Text(start, self.bytes.len())
                }
                ValueRef::Blob(blob) => {
                    self.bytes.extend_from_slice(blob);
                    Packed::Blob(start, self.bytes.len())
                }
            });
        }
        Ok(())
    }

    pub(super) fn rows(&self, columns: usize) -> impl Iterator<Item = Vec<ValueRef<'_>>> {
        self.cells.chunks(columns.max(1)).map(|cells| {
            let cells = cells.iter().map(|cell| match *cell {
                Packed::Null => ValueRef::Null,
                Packed::Integer(number) => ValueRef::Integer(number),
                Packed::Real(number) => ValueRef::Real(number),
                Packed::Text(start, end) => ValueRef::Text(&self.bytes[start..end]),
                Packed::Blob(start, end) => ValueRef::Blob(&self.bytes[start..end]),
            });
            cells.collect()
        })
    }
}
