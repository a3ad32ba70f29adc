//! A plain record whose length is not believed at once: what is right, and where the next record is.
//!
//! Nobody marks the end of a plain record but its length. If it lies, records that it jumps over look like a part of the
//! block; if it is right and what follows is damaged, a block that is an archive itself (a page may be one) has heads too.
//! They are told apart by where a chain of such records leads: that of a block ends where the block does, with its last
//! record; that of records jumped over goes on beyond.

use std::fs::File;
use std::io::{BufReader, Read};

use super::{
    Begun, Damage, Found, HEAD_MAGIC, Head, MOST_LOST, Scan, State, TURN_BYTES, head, is_head, is_versioned,
    past_padding, seek,
};

/// Bytes behind a block that are looked at, padding for the most part.
const LOOKED_AT: u64 = 4096;
/// Heads that are tried in one turn.
const TRIED_AT_ONCE: u32 = 32;

/// What comes behind a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follows {
    /// Two line ends, and then a head or the end of the file.
    Record,
    /// Two line ends and something else.
    Ends,
    /// Something else.
    Other,
    /// The file ends before the record does.
    Nothing,
}

impl Follows {
    /// Whether the record can be whole.
    fn is_end(self) -> bool {
        !matches!(self, Self::Other | Self::Nothing)
    }
}

/// See the module.
pub(super) struct Doubt {
    file: BufReader<File>,
    head: Head,
    /// Where its block ends if the length is right.
    end: u64,
    follows: Follows,
    /// Heads are looked for from here on.
    from: u64,
    /// Heads that were tried and are none, or none of a whole record.
    tried: u32,
    /// The first record in the block, and where the chain that begins with it has come to.
    chain: Option<(u64, u64)>,
}

impl Scan {
    /// Hands out a plain record whose length can be believed.
    pub(super) fn weigh(&mut self, begun: Begun, mut file: BufReader<File>) -> Result<Found, Damage> {
        let end = begun.end();
        let follows = follows(&mut file, &begun)?;
        if follows == Follows::Record {
            seek(&mut file, end)?;
            self.state = State::Before(file);
            return Ok(Found::Record(begun.head));
        }
        let from = begun.head.at + begun.bytes;
        let doubt = Doubt { file, head: begun.head, end, follows, from, tried: 0, chain: None };
        self.state = State::Doubt(Box::new(doubt));
        Ok(Found::Passing)
    }

    /// One turn of the search for records in the block.
    pub(super) fn doubt(&mut self, mut doubt: Box<Doubt>) -> Result<Found, Damage> {
        let Some((first, at)) = doubt.chain else {
            if !doubt.search()? {
                return self.decide(*doubt, None);
            }
            self.state = State::Doubt(doubt);
            return Ok(Found::Passing);
        };
        if at == doubt.end {
            // Where the next head is without line ends before it, or the file's end, the block has taken in whole records.
            let has_taken = match doubt.follows {
                Follows::Nothing => true,
                Follows::Other => doubt.has_head(at)?,
                Follows::Ends | Follows::Record => false,
            };
            return self.decide(*doubt, has_taken.then_some(first));
        }
        match whole(&mut doubt.file, at)? {
            Some(next) if at < doubt.end => {
                doubt.chain = Some((first, next));
                self.state = State::Doubt(doubt);
                Ok(Found::Passing)
            }
            _ => self.decide(*doubt, Some(first)),
        }
    }

    /// `jumped_over` is the first of the records that the length has jumped over, if there are any.
    fn decide(&mut self, doubt: Doubt, jumped_over: Option<u64>) -> Result<Found, Damage> {
        let Doubt { file, head, end, follows, .. } = doubt;
        let is_whole = follows.is_end() && jumped_over.is_none();
        let damage = match follows {
            _ if jumped_over.is_some() => Some(Damage::Length(head.block_bytes)),
            Follows::Record | Follows::Ends => None,
            Follows::Nothing => Some(Damage::Short),
            Follows::Other => Some(Damage::Length(head.block_bytes)),
        };
        if let Some(damage) = damage {
            self.losses.add(head.at, head.target.clone(), damage);
        }
        match (jumped_over, is_whole) {
            (Some(first), _) => self.lose(file, first)?,
            // What comes there is no head, and will be told of.
            (None, true) => {
                let mut file = file;
                seek(&mut file, end)?;
                self.state = State::Before(file);
                Found::Passing
            }
            (None, false) => self.lose(file, end)?,
        };
        // By its end alone `read` could not know that it has jumped over others.
        Ok(if is_whole || !follows.is_end() { Found::Record(head) } else { Found::Passing })
    }
}

impl Doubt {
    fn has_head(&mut self, at: u64) -> Result<bool, Damage> {
        seek(&mut self.file, at)?;
        Ok(head(&mut self.file, at).is_ok())
    }

    /// Looks for the first whole record in the block; whether it is found, or to be looked for further.
    fn search(&mut self) -> Result<bool, Damage> {
        seek(&mut self.file, self.from)?;
        let mut bytes = Vec::new();
        let most = TURN_BYTES.min(self.end.saturating_sub(self.from).saturating_add(HEAD_MAGIC.len() as u64 - 1));
        self.file.by_ref().take(most).read_to_end(&mut bytes).map_err(Damage::Io)?;
        let mut tried = 0;
        for found in memchr::memmem::find_iter(&bytes, HEAD_MAGIC) {
            let at = self.from + found as u64;
            if !is_versioned(&bytes[found..]) {
                continue;
            }
            if let Some(next) = whole(&mut self.file, at)? {
                self.chain = Some((at, next));
                return Ok(true);
            }
            tried += 1;
            self.tried += 1;
            if self.tried == MOST_LOST {
                return Ok(false);
            }
            if tried == TRIED_AT_ONCE {
                self.from = at + 1;
                return Ok(true);
            }
        }
        // One that only begins here is found next time.
        self.from += (bytes.len() as u64).saturating_sub(HEAD_MAGIC.len() as u64 - 1);
        Ok(bytes.len() as u64 == TURN_BYTES)
    }
}

/// Where the record at byte `at` ends, with its line ends, if there is one that can be whole.
fn whole(file: &mut BufReader<File>, at: u64) -> Result<Option<u64>, Damage> {
    seek(file, at)?;
    let Ok(begun) = head(file, at) else { return Ok(None) };
    let is_end = matches!(follows(file, &begun)?, Follows::Record | Follows::Ends);
    Ok(is_end.then(|| begun.end() + begun.ends.len() as u64))
}

/// What comes behind the block of a record, if it has the length that it says.
fn follows(file: &mut BufReader<File>, begun: &Begun) -> Result<Follows, Damage> {
    let end = begun.end();
    if end > file.get_ref().metadata().map_err(Damage::Io)?.len() {
        return Ok(Follows::Nothing);
    }
    seek(file, end)?;
    let mut behind = Vec::new();
    file.by_ref().take(LOOKED_AT).read_to_end(&mut behind).map_err(Damage::Io)?;
    Ok(match behind.strip_prefix(begun.ends).map(past_padding) {
        Some(rest) if rest.is_empty() || is_head(rest) => Follows::Record,
        Some(_) => Follows::Ends,
        None if begun.ends.starts_with(&behind) => Follows::Nothing,
        None => Follows::Other,
    })
}
