//! JSONL lists: one object a line, one field with the URL, the others kept.

use super::entry::{Entry, not_utf8};
use super::json::{Split, field_names, split, string};
use super::lines::{Advance, Lines};
use super::{ListError, Step};
use seine_core::record::origin::{self, ShardLine};

/// Field names a reason lists at most.
const MAX_NAMES: usize = 8;

/// The field that has the URL unless another is named.
const USUAL: &str = "url";

/// The objects of one list.
pub(super) struct Objects {
    /// Name of the URL's field, or path to it.
    field: String,
}

impl Objects {
    pub(super) fn new(field: Option<String>) -> Self {
        Self { field: field.unwrap_or_else(|| USUAL.to_owned()) }
    }

    /// The field that was asked for, if it is not the usual one.
    pub(super) fn asked_for(&self) -> Option<&str> {
        (self.field != USUAL).then_some(&self.field)
    }

    /// The next object's entry.
    pub(super) fn next(&mut self, lines: &mut Lines) -> Result<Step, ListError> {
        loop {
            match lines.advance()? {
                Advance::Line => {}
                Advance::Pending => return Ok(Step::Pending),
                Advance::Skipping => return Ok(Step::Skipping),
                Advance::End => return Ok(Step::End),
            }
            if lines.is_overlong() {
                return Ok(Step::Entry(Entry::overlong(lines.number(), lines.line())));
            }
            let record = lines.line().trim_ascii_end();
            if !record.trim_ascii_start().is_empty() {
                match std::str::from_utf8(record).ok().and_then(origin::read_shard_line) {
                    Some(ShardLine::Head) => lines.are_of_shard(),
                    Some(ShardLine::Record { raw_url, rejected, columns, .. }) => {
                        return Ok(Step::Entry(Entry::of_shard(lines.number(), &raw_url, rejected, columns)));
                    }
                    None => return Ok(Step::Entry(self.entry(lines.number(), record))),
                }
            }
        }
    }

    fn entry(&self, line: u64, record: &[u8]) -> Entry {
        let text = match std::str::from_utf8(record) {
            Ok(text) => text,
            Err(error) => return Entry::unusable(line, record, not_utf8(&error)),
        };
        let Split { field, rest } = match split(text, &self.field) {
            Ok(split) => split,
            Err(reason) => return Entry::unusable(line, record, reason),
        };
        let reason = match field.map(string) {
            Some(Ok(raw_url)) if !raw_url.trim().is_empty() => return Entry::new(line, raw_url.trim(), rest),
            Some(Ok(_)) => format!("no URL in field {:?}", self.field),
            Some(Err(kind)) => format!("field {:?} is {kind}, not text", self.field),
            None => {
                let names: Vec<String> = field_names(text).iter().take(MAX_NAMES).map(|n| format!("{n:?}")).collect();
                format!("no field {:?} among {}; name the URL's field with --url-field", self.field, names.join(", "))
            }
        };
        Entry { columns: rest, ..Entry::unusable(line, record, reason) }
    }
}
