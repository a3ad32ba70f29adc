//! Plain lists: one URL a line, `#` comments, blank lines.

use super::entry::{Entry, not_utf8};
use super::lines::{Advance, Lines};
use super::{ListError, Step};

/// The next line's entry.
#[inline]
pub(super) fn next(lines: &mut Lines) -> Result<Step, ListError> {
    loop {
        match lines.advance()? {
            Advance::Line => {}
            Advance::Pending => return Ok(Step::Pending),
            Advance::Skipping => return Ok(Step::Skipping),
            Advance::End => return Ok(Step::End),
        }
        // Lists put together with `cat` have byte order marks in the middle.
        let line = lines.line();
        let line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line).trim_ascii();
        if line.first().is_none_or(|&first| first == b'#') && !(line.is_empty() && lines.is_overlong()) {
            continue;
        }
        if lines.is_overlong() {
            return Ok(Step::Entry(Entry::overlong(lines.number(), line)));
        }
        match std::str::from_utf8(line).map(str::trim) {
            Ok("") => {}
            Ok(raw_url) => return Ok(Step::Entry(Entry::new(lines.number(), raw_url, None))),
            Err(error) => return Ok(Step::Entry(Entry::unusable(lines.number(), line, not_utf8(&error)))),
        }
    }
}
