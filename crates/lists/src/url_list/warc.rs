//! An archive as a list: the URLs of its responses, each with the place of its record.
//!
//! The number of a record takes the place of a line's. A `revisit` record has the payload of an earlier response of the
//! same archive, whose place goes with its own; where there is none it is passed over and counted.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::Path;

use super::input::{Fingerprint, Input};
use super::{Entry, ListError, Step};
use crate::archive::warc::{Damage, Found, Head, Kind, Scan};

/// Payloads that revisits can refer to, of one archive. About 40 bytes each.
const MAX_PAYLOADS: usize = 500_000;

/// Key of a payload: the beginning of the hash of its digest.
type PayloadKey = [u8; 16];

/// The name of the archive at `path`: absolute, since fetchers open it by this name, in later runs too.
pub(super) fn name(path: &Path) -> Result<String, ListError> {
    let lossy = || path.to_string_lossy().into_owned();
    let absolute = std::path::absolute(path).map_err(|source| ListError::Open { name: lossy(), source })?;
    absolute.into_os_string().into_string().map_err(|_| ListError::Path { name: lossy() })
}

/// See the module.
pub(super) struct Responses {
    name: String,
    fingerprint: Option<Fingerprint>,
    file: Option<File>,
    scan: Option<Scan>,
    /// Records so far.
    number: u64,
    payloads: HashMap<PayloadKey, u64>,
    /// Revisits that refer to no response of this archive.
    lone_revisits: u64,
}

impl Responses {
    /// The archive in `input`, if it begins with a record.
    pub(super) fn checked(name: &str, input: Input) -> Result<Self, ListError> {
        let name = name.to_owned();
        if !input.is_regular() {
            let source =
                io::Error::new(io::ErrorKind::InvalidInput, "an archive must be a file, to be read at any place");
            return Err(ListError::Open { name, source });
        }
        let fingerprint = input.fingerprint();
        let file = input.into_file();
        let again = file.try_clone().map_err(|source| ListError::Open { name: name.clone(), source })?;
        let mut scan = Scan::new(file).map_err(|source| match source {
            Damage::Head(_) => ListError::NoArchive { name: name.clone() },
            source => ListError::Archive { name: name.clone(), at: 0, source },
        })?;
        loop {
            match scan.next() {
                Found::Record(head) if head.kind == Kind::Other => {}
                Found::Passing => {}
                Found::Record(_) => break,
                Found::End if scan.losses().count() == 0 => return Err(ListError::Empty { name }),
                Found::End => return Err(ListError::Damaged { name, losses: scan.losses().to_string() }),
            }
        }
        // It starts over when its turn comes: until then it holds no buffer.
        let (payloads, lone_revisits) = (HashMap::new(), 0);
        Ok(Self { name, fingerprint, file: Some(again), scan: None, number: 0, payloads, lone_revisits })
    }

    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    pub(super) fn note(&self) -> Option<String> {
        (self.lone_revisits > 0).then(|| {
            format!(
                "{}: {} revisit records refer to no response of this archive; they were passed over",
                self.name, self.lone_revisits
            )
        })
    }

    /// The next URL, or that much was passed over.
    pub(super) fn next(&mut self) -> Result<Step, ListError> {
        let name = || self.name.clone();
        let scan = match (&mut self.scan, self.file.take()) {
            (Some(scan), _) => scan,
            (none, Some(file)) => {
                none.insert(Scan::new(file).map_err(|source| ListError::Archive { name: name(), at: 0, source })?)
            }
            (None, None) => return Ok(Step::End),
        };
        match scan.next() {
            Found::End => {
                let losses = scan.losses();
                let damaged =
                    (losses.count() > 0).then(|| ListError::Damaged { name: name(), losses: losses.to_string() });
                (self.scan, self.payloads) = (None, HashMap::new());
                damaged.map_or(Ok(Step::End), Err)
            }
            Found::Passing => Ok(Step::Skipping),
            Found::Record(head) => {
                self.number += 1;
                Ok(self.entry(&head).map_or(Step::Skipping, Step::Entry))
            }
        }
    }

    /// The entry for a record, if it is one for a URL.
    fn entry(&mut self, head: &Head) -> Option<Entry> {
        let target = head.target.as_deref()?;
        // Archives hold look-ups and screenshots too, under URLs of their own.
        let scheme = target.split(':').next().unwrap_or_default();
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return None;
        }
        let payload = head.payload_digest.as_deref().map(payload_key);
        let payload_at = match head.kind {
            Kind::Other => return None,
            Kind::Response | Kind::Resource => {
                if let Some(payload) = payload
                    && self.payloads.len() < MAX_PAYLOADS
                {
                    self.payloads.entry(payload).or_insert(head.at);
                }
                None
            }
            Kind::Revisit => match payload.and_then(|payload| self.payloads.get(&payload)) {
                Some(&at) => Some(at),
                None => {
                    self.lone_revisits += 1;
                    return None;
                }
            },
        };
        Some(Entry { archived_at: Some(head.at), payload_at, ..Entry::new(self.number, target.trim(), None) })
    }
}

fn payload_key(digest: &str) -> PayloadKey {
    let mut key = PayloadKey::default();
    key.copy_from_slice(&blake3::hash(digest.trim().to_ascii_lowercase().as_bytes()).as_bytes()[..16]);
    key
}
