//! Decoded bytes as physical lines, with their numbers.
//!
//! A line that lies whole in the buffer is lent from there; only one that crosses buffers is copied.

use std::ops::Range;
use std::sync::Arc;

use memchr::memchr;

use super::ListError;
use super::decode::{Decoded, Fill};
use super::input::Input;

/// Longest line, and longest CSV record, that is looked at. Longer ones are rejected, so that no list decides how much
/// memory it takes.
pub(super) const MAX_RECORD_BYTES: usize = 64 * 1024;

/// The same of a shard, whose lines have all that a record had and what JSON writes around it.
pub(super) const MAX_SHARD_LINE_BYTES: usize = 1024 * 1024;

/// Longest line that is passed over. A list without line ends (`/dev/zero`) is refused by it.
const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

/// Steps of [`Decoded::fill`] one call may take before the caller gets its turn.
const FILLS_PER_TURN: u32 = 16;

/// The outcome of [`Lines::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advance {
    /// [`Lines::line`] is the next one.
    Line,
    /// Nothing to read now.
    Pending,
    /// The turn is over, more is at hand.
    Skipping,
    /// No line is left.
    End,
}

/// The lines of one list.
pub(super) struct Lines {
    name: Arc<str>,
    bytes: Decoded,
    /// Beginning of a line whose end is in a later buffer, cut at [`Self::most`].
    carry: Vec<u8>,
    /// Bytes of that line so far, if it has begun.
    carried_bytes: Option<usize>,
    current: Current,
    number: u64,
    is_overlong: bool,
    /// The first line has said so.
    is_of_shard: bool,
    fills_left: u32,
}

/// The place of the current line.
enum Current {
    Carry(usize),
    /// In the chunk, which the next advance consumes up to `next`.
    Chunk {
        line: Range<usize>,
        next: usize,
    },
}

impl Lines {
    /// The lines of `input`; `announced` is the compression the name speaks of, `json` that objects are expected.
    pub(super) fn new(name: Arc<str>, input: Input, announced: Option<&'static str>, json: bool) -> Self {
        Self {
            name,
            bytes: Decoded::new(input, announced, json),
            carry: Vec::new(),
            carried_bytes: None,
            current: Current::Carry(0),
            number: 0,
            is_overlong: false,
            is_of_shard: false,
            fills_left: FILLS_PER_TURN,
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn input(&self) -> &Input {
        self.bytes.input()
    }

    pub(super) fn into_input(self) -> Input {
        self.bytes.into_input()
    }

    /// Memory held for the current line, for tests.
    #[cfg(test)]
    pub(super) fn held_bytes(&self) -> usize {
        self.carry.capacity()
    }

    /// The lines from the next one on are those of a shard.
    pub(super) fn are_of_shard(&mut self) {
        self.is_of_shard = true;
    }

    /// Whether they are.
    pub(super) fn is_of_shard(&self) -> bool {
        self.is_of_shard
    }

    /// Bytes of a line that are looked at.
    fn most(&self) -> usize {
        if self.is_of_shard { MAX_SHARD_LINE_BYTES } else { MAX_RECORD_BYTES }
    }

    /// Starts a turn: [`Self::advance`] may again work for a while.
    pub(super) fn start_turn(&mut self) {
        self.fills_left = FILLS_PER_TURN;
    }

    /// The line [`Self::advance`] found, without its end (a `\r` before a `\n` is kept), without a
    /// byte order mark, cut at so many bytes as are looked at.
    #[inline]
    pub(super) fn line(&self) -> &[u8] {
        match &self.current {
            Current::Carry(start) => &self.carry[*start..],
            Current::Chunk { line, .. } => &self.bytes.chunk()[line.clone()],
        }
    }

    /// Its number, from 1.
    #[inline]
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether [`Self::line`] is only its beginning.
    #[inline]
    pub(super) fn is_overlong(&self) -> bool {
        self.is_overlong
    }

    /// Goes to the next line.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<Advance, ListError> {
        if let Current::Chunk { next, .. } = self.current {
            self.bytes.consume(next);
            self.current = Current::Carry(self.carry.len());
        }
        loop {
            let chunk = self.bytes.chunk();
            if chunk.is_empty() {
                if self.fills_left == 0 {
                    return Ok(Advance::Skipping);
                }
                self.fills_left -= 1;
                match self.bytes.fill().map_err(|fault| ListError::at(&self.name, self.number + 1, fault))? {
                    Fill::Data | Fill::Again => continue,
                    Fill::Pending => return Ok(Advance::Pending),
                    Fill::End if self.carried_bytes.is_some() => return Ok(self.end_carried_line()),
                    Fill::End => return Ok(Advance::End),
                }
            }
            match (memchr(self.bytes.line_end(), chunk), self.carried_bytes) {
                (Some(end), None) => {
                    self.number += 1;
                    self.is_overlong = false;
                    let start = if self.number == 1 { after_bom(&chunk[..end]) } else { 0 };
                    self.current = Current::Chunk { line: start..end, next: end + 1 };
                    return Ok(Advance::Line);
                }
                (Some(end), Some(_)) => {
                    self.carry_over(end)?;
                    self.bytes.consume(end + 1);
                    return Ok(self.end_carried_line());
                }
                (None, _) => {
                    let all = chunk.len();
                    self.carry_over(all)?;
                    self.bytes.consume(all);
                }
            }
        }
    }

    /// Copies the first `n` bytes of the chunk behind the line that has begun, or begins it.
    fn carry_over(&mut self, n: usize) -> Result<(), ListError> {
        let before = self.carried_bytes.unwrap_or_else(|| {
            self.carry.clear();
            0
        });
        let room = self.most() - self.carry.len();
        self.carry.extend_from_slice(&self.bytes.chunk()[..n.min(room)]);
        let bytes = before.saturating_add(n);
        self.carried_bytes = Some(bytes);
        if bytes > MAX_LINE_BYTES {
            return Err(ListError::Endless { name: self.name.to_string(), line: self.number + 1 });
        }
        Ok(())
    }

    fn end_carried_line(&mut self) -> Advance {
        self.number += 1;
        let most = self.most();
        self.is_overlong = self.carried_bytes.take().is_some_and(|bytes| bytes > most);
        self.current = Current::Carry(if self.number == 1 { after_bom(&self.carry) } else { 0 });
        Advance::Line
    }
}

/// Start of the text in the first line.
fn after_bom(line: &[u8]) -> usize {
    if line.starts_with("\u{feff}".as_bytes()) { "\u{feff}".len() } else { 0 }
}
