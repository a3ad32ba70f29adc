//! Records collected for one transaction.
//!
//! A batch is kept until its COMMIT has succeeded, so a full disk loses nothing, and is bounded in rows, bytes and
//! age: what a killed writer takes along has to be fetched again.
//!
//! A commit writes whole pages of the store, some twenty of them whatever it brings, so it waits for more as long as nobody
//! waits for it: while records of many hosts keep coming. A host that has much in the batch may have nothing left to
//! fetch until it hears of it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use seine_core::protocol::processing::Processed;
use seine_core::protocol::{Done, HostId, ImportEntry, Imported, PageHead, RobotsHead, Verdict};
use seine_core::record::{Failure, Outcome, UrlId};
use seine_store::StoreError;
use seine_store::insert::Store;
use seine_unix::known::Known;

/// Commit when so many rows have been collected ...
const ROWS: usize = 512;
/// ... or so many bytes of pages ...
pub const BYTES: usize = 4 << 20;
/// ... or when a record has waited so long, and no other has come meanwhile or many of its host have ...
const RECORD_AGE: Duration = Duration::from_millis(30);
/// ... or so long: a host's URLs are leased for a second ahead.
const LONGEST_AGE: Duration = Duration::from_millis(250);
/// So many records are many of a host.
const OF_ONE_HOST: u32 = 16;
/// Lines of lists may wait longer: the more of them one transaction takes, the fewer times each page of the index of
/// URLs is written. The supervisor bounds how many can come.
const LINES_AGE: Duration = Duration::from_millis(150);

/// URLs of a host that are ended in one transaction.
const HOST_ROWS: u32 = 4096;

/// One thing to write.
#[derive(Debug)]
pub enum Item {
    /// A fetcher's record.
    Page {
        /// The fields.
        head: Box<PageHead>,
        /// The compressed body.
        zstd: Vec<u8>,
        /// Size of the frame they came in.
        frame_bytes: usize,
    },
    /// Lines of a list.
    Import {
        /// Index of the list.
        file: usize,
        /// Its lines.
        entries: Vec<ImportEntry>,
    },
    /// The end of a list.
    ImportEnd {
        /// Index of the list.
        file: usize,
        /// Line of its last entry.
        lines: u64,
    },
    /// A robots.txt.
    Robots {
        /// The fields.
        head: Box<RobotsHead>,
        /// Its compressed text.
        zstd: Vec<u8>,
        /// Size of the frame they came in.
        frame_bytes: usize,
    },
    /// A processor's answer.
    Processed {
        /// The answer.
        processed: Box<Processed>,
        /// Size of the frame it came in.
        frame_bytes: usize,
    },
    /// A URL to put away.
    End {
        /// The URL.
        url_id: UrlId,
        /// How.
        outcome: Outcome,
        /// Why.
        failure: Failure,
    },
    /// A host whose pending URLs are to be put away.
    EndHost {
        /// The host.
        host_id: HostId,
        /// How.
        outcome: Outcome,
        /// Why.
        failure: Failure,
    },
}

/// What a commit did.
#[derive(Debug, Default)]
pub struct Report {
    /// The records, in order.
    pub done: Vec<Done>,
    /// The imports, in order.
    pub imported: Vec<Imported>,
    /// How long everything but lines took, apart from the transaction's own beginning and end.
    pub records_took: Duration,
    /// Hosts that were ended, with the number of URLs and what is still to do for them.
    pub hosts_ended: Vec<HostEnded>,
}

/// One transaction's part of the end of a host.
#[derive(Clone, Debug)]
pub struct HostEnded {
    /// The host.
    pub host_id: HostId,
    /// How its URLs ended.
    pub outcome: Outcome,
    /// Why.
    pub failure: Failure,
    /// Those that ended now.
    pub urls: Vec<Done>,
    /// Whether it may have more.
    pub more: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Batch {
    items: Vec<Item>,
    rows: usize,
    bytes: usize,
    line_batches: usize,
    due_at: Option<Instant>,
    /// Records by host.
    hosts: HashMap<String, u32>,
    /// When the first record came, and when a record is to be followed by another.
    first_at: Option<Instant>,
    quiet_at: Option<Instant>,
}

impl Batch {
    /// Adds `item`.
    pub fn push(&mut self, item: Item) {
        let (rows, bytes, age) = match &item {
            Item::Page { frame_bytes, .. } => (1, *frame_bytes, LONGEST_AGE),
            Item::Robots { frame_bytes, .. } => (1, *frame_bytes, RECORD_AGE),
            Item::Processed { frame_bytes, .. } => (1, *frame_bytes, RECORD_AGE),
            Item::End { .. } => (1, 0, RECORD_AGE),
            // As much work as a batch of its own.
            Item::EndHost { .. } => (ROWS, 0, RECORD_AGE),
            Item::Import { .. } => (0, 0, LINES_AGE),
            Item::ImportEnd { .. } => (0, 0, Duration::ZERO),
        };
        self.rows += rows;
        self.line_batches += usize::from(matches!(item, Item::Import { .. }));
        self.bytes += bytes;
        let now = Instant::now();
        self.be_due(now + age);
        if let Item::Page { head, .. } = &item {
            self.quiet_at = Some(now + RECORD_AGE);
            let first_at = *self.first_at.get_or_insert(now);
            if self.count_host(head) >= OF_ONE_HOST {
                self.be_due(first_at + RECORD_AGE);
            }
        }
        self.items.push(item);
    }

    fn be_due(&mut self, at: Instant) {
        self.due_at = Some(self.due_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Records of the host that this one is of.
    fn count_host(&mut self, head: &PageHead) -> u32 {
        let host = head.requests.last().map_or("", |request| request.host.as_str());
        if !self.hosts.contains_key(host) {
            self.hosts.insert(host.to_owned(), 0);
        }
        self.hosts.get_mut(host).map_or(0, |count| {
            *count += 1;
            *count
        })
    }

    /// Has the batch committed as soon as possible.
    pub fn hurry(&mut self) {
        if !self.is_empty() {
            self.due_at = Some(Instant::now());
        }
    }

    /// Records collected.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Batches of lines collected.
    pub fn line_batches(&self) -> usize {
        self.line_batches
    }

    /// Whether nothing is collected.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether more may be added before the next commit.
    pub fn has_room(&self) -> bool {
        self.rows < ROWS && self.bytes < BYTES
    }

    /// When it is to be committed at the latest.
    pub fn due_at(&self) -> Option<Instant> {
        if self.has_room() { self.due_at.into_iter().chain(self.quiet_at).min() } else { Some(Instant::now()) }
    }

    /// Whether it is to be committed now.
    pub fn is_due(&self, now: Instant) -> bool {
        !self.has_room() || self.due_at().is_some_and(|at| at <= now)
    }

    /// Writes everything in one transaction and empties the batch; after an error it is as before. URLs that pages name
    /// are noted in `known`.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn commit(&mut self, store: &mut Store, known: Option<&Known>) -> Result<Report, StoreError> {
        let items = &self.items;
        let (report, taken) = store.transaction(|store| {
            let (mut report, mut taken) = (Report::default(), Vec::new());
            let lines = items.iter().filter_map(|item| match item {
                Item::Import { file, entries } => Some((*file, &entries[..])),
                _ => None,
            });
            store.find_hosts(lines)?;
            for item in items {
                let begun = Instant::now();
                match item {
                    Item::Page { head, zstd, .. } => {
                        let done = store.page(head, zstd)?;
                        // Of a record that came too late nothing is taken.
                        if matches!(done.verdict, Verdict::Ended(..)) {
                            taken.push(&**head);
                        }
                        report.done.push(done);
                    }
                    Item::Import { file, entries } => {
                        report.imported.push(store.import(*file, entries)?);
                        continue;
                    }
                    Item::ImportEnd { file, lines } => {
                        store.import_end(*file, *lines)?;
                        report.imported.push(Imported::default());
                        continue;
                    }
                    Item::Robots { head, zstd, .. } => store.robots(head, zstd)?,
                    Item::Processed { processed, .. } => store.processed(processed)?,
                    Item::End { url_id, outcome, failure } => {
                        report.done.push(store.end_one(*url_id, *outcome, failure)?);
                    }
                    Item::EndHost { host_id, outcome, failure } => {
                        let urls = store.end_host(*host_id, *outcome, failure, HOST_ROWS)?;
                        report.hosts_ended.push(HostEnded {
                            host_id: *host_id,
                            outcome: *outcome,
                            failure: failure.clone(),
                            more: urls.len() == HOST_ROWS as usize,
                            urls,
                        });
                    }
                }
                report.records_took += begun.elapsed();
            }
            Ok((report, taken))
        })?;
        if let Some(known) = known {
            note_found(&taken, known);
        }
        *self = Self::default();
        Ok(report)
    }
}

/// Tells fetchers which URLs need not be told of any more: the store has them, or they are none of the crawl's.
fn note_found(taken: &[&PageHead], known: &Known) {
    for head in taken {
        for found in &head.found {
            known.note(&found.kind.known_as(&found.url), head.place.depth);
        }
    }
}

#[cfg(test)]
mod tests {
    use seine_core::protocol::{Ending, Place, RequestHead, RequestKind};

    use super::*;

    fn record(host: usize) -> Item {
        let request = RequestHead {
            url: None,
            host: format!("host-{host}.example"),
            kind: RequestKind::Page,
            started_us: 0,
            elapsed_ms: 1,
            gap_ms: 0,
            status: Some(200),
            error: None,
            bytes: 1,
            remote_ip: None,
            http_version: None,
            headers: Vec::new(),
        };
        let head = PageHead {
            url_id: 1,
            generation: 1,
            ending: Ending::Final { outcome: Outcome::Ok, failure: None },
            final_url: None,
            hops: Vec::new(),
            status: Some(200),
            started_at: 0,
            elapsed_ms: 1,
            requests: vec![request],
            attempt: 1,
            hold_until: 0,
            not_modified: false,
            validators: None,
            meta_robots: None,
            content_type: None,
            charset: None,
            body: None,
            page: None,
            items: None,
            extras: None,
            found: Vec::new(),
            finds_more: false,
            place: Place::default(),
        };
        Item::Page { head: Box::new(head), zstd: Vec::new(), frame_bytes: 100 }
    }

    #[test]
    fn a_batch_waits_for_records_of_many_hosts_as_long_as_they_keep_coming_and_for_those_of_one_no_longer_than_ever() {
        let began = Instant::now();
        let mut batch = Batch::default();
        (0..100).for_each(|host| batch.push(record(host)));
        let last_at = Instant::now();
        // Nothing more comes.
        assert!(batch.due_at().is_some_and(|at| at >= began + RECORD_AGE && at <= last_at + RECORD_AGE));
        // More comes again and again.
        batch.quiet_at = None;
        assert!(batch.due_at().is_some_and(|at| at >= began + LONGEST_AGE));
        (1..OF_ONE_HOST).for_each(|_| batch.push(record(7)));
        batch.quiet_at = None;
        assert!(batch.due_at().is_some_and(|at| at <= last_at + RECORD_AGE));
        // There is no room for more.
        (batch.rows()..ROWS).for_each(|host| batch.push(record(host)));
        assert!(batch.is_due(began));
    }
}
