//! Lines of the URL lists on their way to the writer, a few batches ahead of its commits.
//!
//! Batches are kept until their commit is reported, so that a writer that died in between gets them again. That makes
//! a list read from a pipe as safe as a file, as long as the supervisor lives.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::with_causes;
use seine_core::protocol::{FrameError, ImportEntry, ImportUrl, ToWriter, encode};
use seine_core::record::{KeyKind, url_key};
use seine_lists::url_list::{Entry, Step, UrlList};

/// Lines per batch, at most ...
const LINES: usize = 1024;
/// ... bytes of text ...
const BYTES: usize = 128 * 1024;
/// ... and time spent on reading them: the supervisor has other things to do.
const TURN: Duration = Duration::from_millis(3);

/// See the module.
pub struct Feed {
    lists: Vec<UrlList>,
    /// Batches sent and not committed, at most.
    window: usize,
    /// The list being read.
    at: usize,
    /// Line of the last entry read from it.
    last_line: u64,
    entries: Vec<ImportEntry>,
    entry_bytes: usize,
    /// Encoded batches that were sent, oldest first.
    unacknowledged: VecDeque<Vec<u8>>,
    /// Nothing to read now on a pipe.
    waiting: bool,
    known: Option<Vec<bool>>,
    failures: Vec<String>,
}

/// What one turn has brought.
#[derive(Debug, Default)]
pub struct Turn {
    /// For the writer, encoded.
    pub frames: Vec<Vec<u8>>,
    /// Lists that failed, and what is worth knowing of others: for people.
    pub warnings: Vec<String>,
}

impl Feed {
    /// Will read `lists` one after the other, at most `window` batches ahead of the writer's commits.
    pub fn new(lists: Vec<UrlList>, window: usize) -> Self {
        Self {
            lists,
            window,
            at: 0,
            last_line: 0,
            entries: Vec::new(),
            entry_bytes: 0,
            unacknowledged: VecDeque::new(),
            waiting: false,
            known: None,
            failures: Vec::new(),
        }
    }

    /// A writer came up. `known` says which lists the store has read to their ends before; the first writer's word
    /// counts. Returns what earlier writers have not acknowledged, to be sent again.
    pub fn writer_is_up(&mut self, known: Vec<bool>) -> Vec<Vec<u8>> {
        self.known.get_or_insert(known);
        self.unacknowledged.iter().cloned().collect()
    }

    /// The oldest batch was committed.
    pub fn acknowledged(&mut self) {
        self.unacknowledged.pop_front();
    }

    /// All lists are read and committed.
    pub fn is_done(&self) -> bool {
        self.at == self.lists.len() && self.unacknowledged.is_empty()
    }

    /// All lists are read.
    pub fn is_read(&self) -> bool {
        self.at == self.lists.len()
    }

    /// What went wrong with lists that could not be read to their ends.
    pub fn failures(&self) -> &[String] {
        &self.failures
    }

    /// Whether reading could go on at once.
    pub fn is_ready(&self) -> bool {
        !self.waiting && self.at < self.lists.len() && self.unacknowledged.len() < self.window && self.known.is_some()
    }

    /// The descriptor that says when more can be read from a pipe, if that is what is waited for.
    pub fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        if self.waiting { self.lists.get(self.at)?.fd() } else { None }
    }

    /// The descriptor polled readable.
    pub fn wake(&mut self) {
        self.waiting = false;
    }

    /// Reads on for one turn.
    ///
    /// # Errors
    /// A batch does not fit a frame.
    pub fn turn(&mut self) -> Result<Turn, FrameError> {
        let mut turn = Turn::default();
        let mut has_failed = false;
        let deadline = Instant::now() + TURN;
        while self.is_ready() && !has_failed {
            if self.known.as_ref().is_some_and(|known| known.get(self.at) == Some(&true)) {
                self.next_list();
                continue;
            }
            let mut ended = false;
            while self.entries.len() < LINES && self.entry_bytes < BYTES && !ended && !self.waiting {
                // A clock read per line would cost as much as the line.
                if self.entries.len().is_multiple_of(64) && Instant::now() >= deadline {
                    break;
                }
                match self.lists[self.at].next() {
                    Ok(Step::Entry(entry)) => self.take(entry),
                    Ok(Step::Pending) => self.waiting = true,
                    Ok(Step::Skipping) => {
                        if Instant::now() >= deadline {
                            break;
                        }
                    }
                    Ok(Step::End) => ended = true,
                    Err(error) => {
                        let failure = format!("{}; what was read before it is crawled", with_causes(&error));
                        self.failures.push(failure.clone());
                        turn.warnings.push(failure);
                        (has_failed, ended) = (true, true);
                    }
                }
            }
            if !self.entries.is_empty() {
                let entries = std::mem::take(&mut self.entries);
                self.entry_bytes = 0;
                turn.frames.push(self.keep(&ToWriter::Import { file: self.at as u32, entries })?);
            }
            if ended {
                // A list that failed is not marked as read: the next crawl tries it again.
                if !has_failed {
                    turn.warnings.extend(self.lists[self.at].note());
                    turn.frames.push(self.keep(&ToWriter::ImportEnd { file: self.at as u32, lines: self.last_line })?);
                }
                self.next_list();
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        Ok(turn)
    }

    fn next_list(&mut self) {
        self.at += 1;
        self.last_line = 0;
        self.waiting = false;
    }

    fn keep(&mut self, message: &ToWriter) -> Result<Vec<u8>, FrameError> {
        let frame = encode(message)?;
        self.unacknowledged.push_back(frame.clone());
        Ok(frame)
    }

    fn take(&mut self, entry: Entry) {
        self.last_line = entry.line;
        self.entry_bytes += entry.raw_url.len() + entry.columns.as_ref().map_or(0, String::len) + 64;
        let (raw_url, url) = match entry.url {
            Ok(url) => {
                // The host stands after the scheme's slashes; without it nothing would have been accepted.
                let start = url.url.find("//").map_or(0, |at| at + 2);
                let host = (start as u32, (start + url.host.len()) as u32);
                let raw_url = (entry.raw_url != url.url).then_some(entry.raw_url);
                (raw_url, ImportUrl::Accepted { url: url.url, host, key: url.key })
            }
            Err(reason) => {
                let key = url_key(KeyKind::Rejected, entry.raw_url.as_bytes());
                (Some(entry.raw_url), ImportUrl::Rejected { key, reason })
            }
        };
        self.entries.push(ImportEntry {
            line: entry.line,
            raw_url,
            columns: entry.columns,
            url,
            kind: self.lists[self.at].kind(),
            archived_at: entry.archived_at,
            payload_at: entry.payload_at,
        });
    }
}
