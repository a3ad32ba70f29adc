//! URLs that were given themselves, on a command line or in a config file: one list of them all.

use super::entry::Entry;
use super::{ListError, Step};

/// The name of their list.
pub(super) const NAME: &str = "command line";

/// The URLs, each a line of its own.
pub(super) struct Given {
    urls: std::vec::IntoIter<String>,
    number: u64,
    fingerprint: String,
}

impl Given {
    /// A list of `urls`.
    ///
    /// # Errors
    /// [`ListError::BadUrl`] for the first that cannot be crawled: a person has typed it and is there to correct it.
    pub(super) fn checked(urls: Vec<String>) -> Result<Self, ListError> {
        let mut hasher = blake3::Hasher::new();
        for url in &urls {
            let entry = Entry::new(1, url.trim(), None);
            if let Err(reason) = entry.url {
                return Err(ListError::BadUrl { url: entry.raw_url, reason });
            }
            // No URL has a line break.
            hasher.update(url.trim().as_bytes()).update(b"\n");
        }
        let fingerprint = format!("{} URLs {}", urls.len(), hasher.finalize().to_hex());
        Ok(Self { urls: urls.into_iter(), number: 0, fingerprint })
    }

    /// A text that is another for other URLs.
    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(super) fn next(&mut self) -> Step {
        self.number += 1;
        self.urls.next().map_or(Step::End, |url| Step::Entry(Entry::new(self.number, url.trim(), None)))
    }
}
