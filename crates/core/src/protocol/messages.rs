//! What each edge of the process graph may say; one type per direction.
//!
//! ```text
//! supervisor ── ToWriter ──► writer     supervisor ── ToFetcher ──► fetcher
//! supervisor ◄─ FromWriter ─ writer     supervisor ◄─ FromFetcher ─ fetcher
//! fetcher ── RecordHead + compressed text ──► writer    (the page queue)
//! ```
//!
//! Times are milliseconds: of the Unix epoch when the name ends in `_at`, a span when it ends in `_ms`.

use serde::{Deserialize, Serialize};

use super::found::{Found, Place, UrlKind};
use super::processing::Processed;
use crate::record::items::{PageExtras, PageItems};
use crate::record::{ErrorClass, Failure, HttpVersion, Outcome, UrlId, UrlKey};

/// Raised with every change of a message. Both ends are the same binary, forked; this catches the day they are not.
pub const PROTOCOL_VERSION: u16 = 11;

/// A fetcher's seat, from 0.
pub type Slot = u16;
/// On the writer's channel, the processor host's.
pub const PROCESSORS: Slot = Slot::MAX;
/// Counts the occupants of a slot (and the writers); a message of an earlier occupant is stale.
pub type Generation = u64;
/// Row number of a host in the store.
pub type HostId = i64;

/// First frame on every channel, from the child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`] of the sender.
    pub version: u16,
    /// The sender's generation.
    pub generation: Generation,
}

/// Supervisor to writer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ToWriter {
    /// A page queue of this fetcher comes along as a file descriptor.
    Attach {
        /// The fetcher's slot.
        slot: Slot,
        /// The fetcher's generation.
        generation: Generation,
    },
    /// Lines of the URL list `file` (index into the lists of this run).
    Import {
        /// Index of the list.
        file: u32,
        /// The lines, in order.
        entries: Vec<ImportEntry>,
    },
    /// The list `file` ended; it had its last entry on line `lines`.
    ImportEnd {
        /// Index of the list.
        file: u32,
        /// Number of the last line that held an entry.
        lines: u64,
    },
    /// Asks for pending URLs.
    Pull(Pull),
    /// Asks which of these URLs still have no outcome (leases whose acknowledgement was lost with a writer).
    Recheck(Vec<UrlId>),
    /// This URL ends without a record of a fetcher: it is quarantined, or its host is down.
    End {
        /// The URL.
        url_id: UrlId,
        /// How.
        outcome: Outcome,
        /// Why.
        failure: Failure,
    },
    /// All pending URLs of this host end so; answered by [`FromWriter::HostEnded`].
    EndHost {
        /// The host.
        host_id: HostId,
        /// How.
        outcome: Outcome,
        /// Why.
        failure: Failure,
    },
    /// A fetcher asks what is known of an origin; answered by [`FromWriter::Origin`].
    AskOrigin {
        /// The fetcher's slot.
        slot: Slot,
        /// The fetcher's generation.
        generation: Generation,
        /// Scheme, host and port, as the URL standard writes an origin.
        origin: String,
    },
    /// All fetchers are gone: read every queue to its end, commit, close the store and exit.
    Stop {
        /// How the run ended, for the `runs` view.
        ended_by: EndedBy,
        /// Whether un-committed records are dropped (no room on disk) instead of waited for.
        abandon: bool,
    },
}

/// One line of a URL list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportEntry {
    /// Physical line, from 1.
    pub line: u64,
    /// The text as given, if it differs from the normalised URL.
    pub raw_url: Option<String>,
    /// The other columns of the line as a JSON object.
    pub columns: Option<String>,
    /// The URL, or why there is none.
    pub url: ImportUrl,
    /// The kind of document that is expected at the URL.
    pub kind: UrlKind,
    /// Where in the list, which is an archive, its answer is: the byte at which the record begins.
    pub archived_at: Option<u64>,
    /// If that is a `revisit`: the byte at which the record with its payload begins.
    pub payload_at: Option<u64>,
}

/// What a line of a list names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportUrl {
    /// A URL to crawl.
    Accepted {
        /// Normalised URL.
        url: String,
        /// Byte range of the host in `url`.
        host: (u32, u32),
        /// Deduplication key.
        key: UrlKey,
    },
    /// No URL that can be crawled.
    Rejected {
        /// Deduplication key of the raw text.
        key: UrlKey,
        /// The reason, for people.
        reason: String,
    },
}

impl ImportUrl {
    /// The host, if it is a URL.
    pub fn host(&self) -> Option<&str> {
        match self {
            Self::Accepted { url, host, .. } => url.get(host.0 as usize..host.1 as usize),
            Self::Rejected { .. } => None,
        }
    }
}

/// A request for pending URLs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// More URLs of these hosts: after the given position, at most so many.
    pub refills: Vec<(HostId, Position, u32)>,
    /// The next hosts with pending URLs.
    pub sweep: Option<Sweep>,
    /// At most so many URLs of each host of the sweep.
    pub per_host: u32,
}

/// A place in the order in which the URLs of a host are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Lower ones come first: the negative of the URL's priority.
    pub rank: i32,
    /// Of one rank, those that came into the crawl first.
    pub url_id: UrlId,
}

impl Position {
    /// Before every URL.
    pub const START: Self = Self { rank: i32::MIN, url_id: 0 };
}

/// A walk over the hosts that have pending URLs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Hosts with a greater id only.
    pub after: HostId,
    /// At most so many hosts.
    pub hosts: u32,
    /// No further host once so many URLs are found.
    pub urls: u32,
    /// Hosts to be passed over, ascending.
    pub but: Vec<HostId>,
    /// Where to turn back at the latest.
    pub until: HostId,
}

/// Writer to supervisor. What it says of URLs it says after COMMIT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FromWriter {
    /// First frame.
    Hello(Hello),
    /// The store is open.
    Ready(Ready),
    /// Answer to [`ToWriter::Pull`].
    Candidates {
        /// The URLs, host by host.
        hosts: Vec<HostCandidates>,
        /// Where the sweep got to; `None` if it reached the last host.
        sweep_after: Option<HostId>,
        /// URLs without outcome.
        pending: u64,
    },
    /// Lines of lists were committed.
    Imported(Imported),
    /// Records were committed.
    Committed {
        /// One for each URL.
        done: Vec<Done>,
        /// Hosts of which URLs became pending, because pages name them, with the lowest rank of those.
        grown: Vec<(HostId, i32)>,
        /// Some of these URLs were fetched before: their ids may be lower than any.
        again: bool,
        /// URLs without outcome, and pages of which the links are still to be followed.
        pending: u64,
    },
    /// Part of the answer to [`ToWriter::EndHost`].
    HostEnded {
        /// The host.
        host_id: HostId,
        /// How its URLs ended.
        outcome: Outcome,
        /// Why.
        class: ErrorClass,
        /// So many of them.
        urls: u64,
        /// Whether another part will come.
        more: bool,
        /// URLs without outcome.
        pending: u64,
    },
    /// Answer to [`ToWriter::AskOrigin`].
    Origin {
        /// The fetcher's slot.
        slot: Slot,
        /// The fetcher's generation.
        generation: Generation,
        /// What is known.
        facts: OriginFacts,
    },
    /// Answer to [`ToWriter::Recheck`]: these are still pending; the others were reported as committed just before.
    StillPending(Vec<StillPending>),
    /// All that this fetcher sent has been read and committed.
    Drained {
        /// The fetcher's slot.
        slot: Slot,
        /// The fetcher's generation.
        generation: Generation,
    },
    /// A queue carried something that is no record: the fetcher is broken.
    Broken {
        /// The fetcher's slot.
        slot: Slot,
        /// The fetcher's generation.
        generation: Generation,
        /// What was wrong.
        message: String,
    },
    /// The store cannot grow; nothing is lost, the writer tries again every second.
    Full {
        /// The system's words.
        message: String,
    },
    /// After [`FromWriter::Full`]: writing works again.
    Room,
    /// Worth knowing.
    Warning(String),
    /// The store cannot be used; the writer exits.
    Fatal {
        /// Full sentence for people.
        message: String,
        /// Whether room on disk would cure it.
        disk_full: bool,
    },
}

/// A URL in doubt that has no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StillPending {
    /// The URL.
    pub url_id: UrlId,
    /// Attempts recorded so far.
    pub attempts: u16,
    /// Not to be tried before this time.
    pub due_at: u64,
}

/// The state of the store at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// URLs without outcome.
    pub pending: u64,
    /// Counts by outcome of the run that goes on (zero for a new one), in the order of [`Outcome::ALL`].
    pub done: [u64; Outcome::ALL.len()],
    /// Whether an unfinished run goes on.
    pub resumed: bool,
    /// It was finished, but nobody has seen so.
    pub untold: bool,
    /// When the store last recorded anything; 0 if never. Hosts are given their distance from it.
    pub last_activity_at: u64,
    /// For each list: whether it was read to its end before and has not changed since.
    pub lists_known: Vec<bool>,
}

/// Pending URLs of one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostCandidates {
    /// The host's row.
    pub host_id: HostId,
    /// Its name.
    pub host: String,
    /// It asked to be left alone until this time.
    pub hold_until: u64,
    /// Its URLs, in the order in which they are to be asked for.
    pub urls: Vec<Candidate>,
    /// A few of each later rank, so that those are not asked for last of all, however many come before them.
    pub elders: Vec<Candidate>,
    /// Whether it has more after these.
    pub more: bool,
}

/// One pending URL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The URL's row.
    pub url_id: UrlId,
    /// The negative of its priority.
    pub rank: i32,
    /// The URL itself.
    pub url: String,
    /// Attempts made so far.
    pub attempts: u16,
    /// Those of them that do not count against `--retries`: it ended after them, and was made pending again.
    pub forgiven: u16,
    /// Not to be tried before this time.
    pub due_at: u64,
    /// How it came into the crawl.
    pub place: Place,
    /// By what an earlier answer can be asked for again.
    pub validators: Option<Box<Validators>>,
    /// Its answer, if an archive has it.
    pub archived: Option<Box<Archived>>,
}

/// What an answer said by which it can be asked for again (RFC 9110 section 8.8), as sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// Where in an archive an answer is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// The archive's path.
    pub file: String,
    /// The byte at which the record begins.
    pub at: u64,
    /// If that is a `revisit`: the byte at which the record with its payload begins.
    pub payload_at: Option<u64>,
}

/// Counts of committed lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Lines in this message's batch.
    pub lines: u64,
    /// URLs not known before, rejected ones included.
    pub new: u64,
    /// URLs that had an outcome and are to be fetched again.
    pub again: u64,
    /// New rejected texts.
    pub rejected: u64,
    /// Lines that named a URL known before.
    pub duplicates: u64,
    /// Some of the new ones come before others that may have been asked for.
    pub ahead: bool,
    /// URLs without outcome.
    pub pending: u64,
}

/// How the store took one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The URL.
    pub url_id: UrlId,
    /// What became of it.
    pub verdict: Verdict,
    /// Decompressed body bytes.
    pub bytes: u64,
    /// Status of the last answer.
    pub status: Option<u16>,
    /// It failed for want of its host's robots.txt.
    pub robots: bool,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The URL has this outcome now.
    Ended(Outcome, Option<ErrorClass>),
    /// It stays pending and may be tried again at this time.
    Again {
        /// Earliest time.
        due_at: u64,
        /// Why the attempt failed.
        class: Option<ErrorClass>,
    },
    /// It had an outcome already; the record was dropped.
    Known,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EndedBy {
    /// Every URL has an outcome.
    Completed,
    /// SIGINT.
    Interrupted,
    /// SIGTERM or SIGHUP.
    Terminated,
    /// `--limit`.
    Limit,
    /// `--max-wall`.
    MaxWall,
    /// `--max-bytes`.
    MaxBytes,
    /// `--host-limit`.
    HostLimit,
    /// `--min-free-disk`.
    MinFreeDisk,
    /// No room on disk.
    DiskFull,
    /// Nothing could be reached for longer than `--outage-wait`.
    Outage,
    /// A process of the crawl failed too often.
    Failure,
}

impl EndedBy {
    /// Name in the `runs` view.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
            Self::Limit => "limit",
            Self::MaxWall => "max_wall",
            Self::MaxBytes => "max_bytes",
            Self::HostLimit => "host_limit",
            Self::MinFreeDisk => "min_free_disk",
            Self::DiskFull => "disk_full",
            Self::Outage => "outage",
            Self::Failure => "failure",
        }
    }
}

/// Supervisor to fetcher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToFetcher {
    /// The page queue to use from now on comes along as a file descriptor. Answered by [`FromFetcher::Holding`].
    Queue,
    /// URLs of one host, entrusted to this fetcher.
    Lease(Lease),
    /// Give back what is queued of this host and not begun, by [`FromFetcher::Returned`].
    Recall(String),
    /// Have no more requests in flight of this host than so many, from now on: another fetcher is to have the rest.
    /// Answered by [`FromFetcher::Shrunk`] once it is so.
    Share {
        /// The host.
        host: String,
        /// Requests.
        places: u32,
    },
    /// Answer to [`FromFetcher::AskOrigin`].
    Origin(OriginFacts),
    /// Can one of these be reached? Names are looked up afresh, and nothing is requested. Answered by
    /// [`FromFetcher::Probed`].
    Probe(Vec<String>),
    /// Start no more requests, finish those in flight, send everything, exit.
    Drain,
    /// Give up what is in flight, send what is finished, exit.
    Cancel,
}

/// URLs of one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Whose pace they obey.
    pub host: String,
    /// So long ago another process may have asked the host; [`NOT_ASKED`] if no other has.
    pub asked_ms_ago: u32,
    /// Requests in flight that this fetcher may have of it.
    pub places: u32,
    /// The URLs, in order.
    pub jobs: Vec<Job>,
    /// Whether it is known to have more than these.
    pub more: bool,
}

/// See [`Lease::asked_ms_ago`].
pub const NOT_ASKED: u32 = u32::MAX;

/// What the store knows of an origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginFacts {
    /// Scheme, host and port.
    pub origin: String,
    /// Whether a list names its host.
    pub listed: bool,
    /// Its host asked to be left alone until this time.
    pub hold_until: u64,
    /// Its robots.txt, if this run has read it.
    pub robots: Option<RobotsText>,
}

/// A robots.txt as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RobotsText {
    /// Final status: with any but a success everything is allowed.
    pub status: u16,
    /// The text, compressed.
    #[serde(with = "serde_bytes")]
    pub zstd: Vec<u8>,
}

/// One URL to fetch, at whatever hop of its redirects it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The URL's row.
    pub url_id: UrlId,
    /// What to request now: the URL of the list, or where its redirects led.
    pub url: String,
    /// Attempts made before this one.
    pub attempts: u16,
    /// Those of them that do not count against `--retries`.
    pub forgiven: u16,
    /// What an earlier answer to the listed URL can be asked for again by.
    pub validators: Option<Box<Validators>>,
    /// The redirects followed so far.
    pub hops: Vec<Hop>,
    /// Start of the first request of this attempt; 0 before it.
    pub started_at: u64,
    /// Requests of this attempt that no record has reported yet.
    pub trail: Vec<RequestHead>,
    /// On the way to the robots.txt of [`Self::url`]'s origin, or back with it.
    pub errand: Option<Box<Errand>>,
    /// How it came into the crawl.
    pub place: Place,
    /// Its answer is read from here and asked of nobody.
    pub archived: Option<Box<Archived>>,
    /// It failed so, and that counts: nothing is requested any more, only recorded.
    pub failed: Option<Box<Failure>>,
}

impl Job {
    /// The URL as listed.
    pub fn listed_url(&self) -> &str {
        self.hops.first().map_or(&self.url, |hop| &hop.url)
    }

    /// The same job before its first request. What its trail has stays to be reported.
    pub fn afresh(mut self) -> Self {
        if let Some(first) = self.hops.drain(..).next() {
            self.url = first.url;
        }
        (self.started_at, self.errand, self.failed) = (0, None, None);
        self
    }
}

/// Reading a robots.txt, which may be redirected to other hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// What to request now.
    pub url: String,
    /// Redirects followed so far.
    pub hops: u8,
    /// What was found, or why nothing could be, on the way back to the host it is for.
    pub found: Option<Result<RobotsText, Failure>>,
}

/// One HTTP request that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestHead {
    /// What was requested; `None`: the URL of the record itself.
    pub url: Option<String>,
    /// The host asked.
    pub host: String,
    /// What for.
    pub kind: RequestKind,
    /// Microseconds of the Unix epoch.
    pub started_us: u64,
    /// From its start to its last byte.
    pub elapsed_ms: u32,
    /// Smallest gap to the request before it at this host that was in force.
    pub gap_ms: u32,
    /// Status of the answer.
    pub status: Option<u16>,
    /// What failed.
    pub error: Option<ErrorClass>,
    /// Bytes of the body as received.
    pub bytes: u64,
    /// The address that answered.
    pub remote_ip: Option<std::net::IpAddr>,
    /// `HTTP/1.1` and the like.
    pub http_version: Option<HttpVersion>,
    /// Header lines of the answer, packed (see [`crate::record::headers`]); empty: not kept.
    #[serde(with = "serde_bytes")]
    pub headers: Vec<u8>,
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum RequestKind {
    /// A page, or a redirect on the way to it.
    Page = 0,
    /// A robots.txt, or a redirect on the way to it.
    Robots = 1,
}

/// One redirect that was followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The URL that redirected.
    pub url: String,
    /// With which status.
    pub status: u16,
    /// The cookies it was asked with, as a number; 0 for none.
    pub cookies: u64,
    /// Whether its answer set a cookie.
    pub sets_cookie: bool,
}

/// Fetcher to supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromFetcher {
    /// First frame.
    Hello(Hello),
    /// Answer to [`ToFetcher::Queue`]: every URL this fetcher still has, whole, before its new queue.
    Holding(Vec<UrlId>),
    /// The URL goes on at another host, which may live in another fetcher.
    Redirected {
        /// The other host.
        host: String,
        /// The URL, with the new hop.
        job: Job,
    },
    /// The URL could not be requested, in a way that may be the fault of our own network or resolver
    /// ([`ErrorClass::may_be_ours`]). Nothing was recorded.
    Unreached {
        /// The host that was to be asked.
        host: String,
        /// The URL, as it was when it failed.
        job: Job,
        /// How.
        failure: Failure,
        /// When the request began, in milliseconds of the monotonic clock, which all processes share.
        began: u64,
    },
    /// Answer to [`ToFetcher::Probe`]: one of them that could be reached.
    Probed(Option<String>),
    /// The host is not to be asked for a while; what was queued comes back.
    Returned {
        /// The host.
        host: String,
        /// Its URLs, in order; without those begun.
        jobs: Vec<Job>,
        /// Nothing of it is to be leased within this span.
        wait_ms: u64,
    },
    /// The smallest gap between requests to this host is not the configured one.
    Pace {
        /// The host.
        host: String,
        /// The gap.
        delay_ms: u64,
    },
    /// Answer to [`ToFetcher::Share`].
    Shrunk(String),
    /// What does the store know of this origin? Answered by [`ToFetcher::Origin`].
    AskOrigin(String),
    /// Worth knowing.
    Warning(String),
}

/// The head of what goes through a page queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "nearly all are the large one")]
pub enum RecordHead {
    /// A URL's attempt; the tail is its body.
    Page(PageHead),
    /// A robots.txt; the tail is its text.
    Robots(RobotsHead),
    /// What a processor has said to a record.
    Processed(Processed),
}

/// The head of the record of a robots.txt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RobotsHead {
    /// The URL that wanted it.
    pub url_id: UrlId,
    /// The sender's generation.
    pub generation: Generation,
    /// Scheme, host and port it speaks for.
    pub origin: String,
    /// Where it was found, if elsewhere.
    pub final_url: Option<String>,
    /// Final status; `None`: there was no answer.
    pub status: Option<u16>,
    /// Why it could not be read.
    pub failure: Option<Failure>,
    /// Read when.
    pub fetched_at: u64,
    /// Size of its text.
    pub bytes: u64,
    /// Its `Crawl-delay` for us, before any cap.
    pub crawl_delay_ms: Option<u64>,
    /// Its `Sitemap` lines as a JSON array.
    pub sitemaps: Option<String>,
    /// Those of them that are to be read.
    pub found: Vec<Found>,
    /// The requests made for it.
    pub requests: Vec<RequestHead>,
    /// Which attempt at the URL that was, from 1.
    pub attempt: u16,
}

/// The head of a page record; the tail is the zstd-compressed body, empty if there is none to keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageHead {
    /// The URL.
    pub url_id: UrlId,
    /// The sender's generation: a record of a fetcher that was given up is refused.
    pub generation: Generation,
    /// How the URL ended, or when it may be tried again.
    pub ending: Ending,
    /// Where the redirects led, if anywhere else.
    pub final_url: Option<String>,
    /// The redirects followed.
    pub hops: Vec<Hop>,
    /// Status of the last response.
    pub status: Option<u16>,
    /// Start of the first request of this attempt.
    pub started_at: u64,
    /// From the start of the last request to its last byte.
    pub elapsed_ms: u32,
    /// The requests made, the last one last.
    pub requests: Vec<RequestHead>,
    /// Which attempt at the URL it was, from 1.
    pub attempt: u16,
    /// The host is not to be asked before this time; 0: nothing was said.
    pub hold_until: u64,
    /// It is as it was when it was fetched before: nothing below is filled in.
    pub not_modified: bool,
    /// By what it can be asked for again.
    pub validators: Option<Box<Validators>>,
    /// Directives of `X-Robots-Tag` and `<meta name=robots>`.
    pub meta_robots: Option<String>,
    /// `Content-Type` as received.
    pub content_type: Option<String>,
    /// Encoding the page was read in (WHATWG name).
    pub charset: Option<String>,
    /// Size and hash of the decompressed body.
    pub body: Option<BodyHead>,
    /// Fields of an HTML page.
    pub page: Option<PageFields>,
    /// What the rules found; `None`: none is for this page.
    pub items: Option<Box<PageItems>>,
    /// What else of the page was asked for.
    pub extras: Option<Box<PageExtras>>,
    /// URLs that it names and that are to be asked for, as far as they are not known to be in the store.
    pub found: Vec<Found>,
    /// They are too many for this message: the writer finds them by the links.
    pub finds_more: bool,
    /// How the URL came into the crawl, as the fetcher knew it when it chose these.
    pub place: Place,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// For good.
    Final {
        /// The outcome.
        outcome: Outcome,
        /// What failed, unless the outcome says it all.
        failure: Option<Failure>,
    },
    /// Transient: the URL stays pending.
    Retry {
        /// Earliest time of the next attempt.
        due_at: u64,
        /// What failed.
        failure: Option<Failure>,
    },
}

/// Identity of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyHead {
    /// Decompressed size in bytes.
    pub bytes: u64,
    /// BLAKE3 of the decompressed bytes.
    pub hash: [u8; 32],
}

/// The built-in fields of one HTML page, links as the store keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageFields {
    /// See [`crate::record::HtmlFields`].
    pub title: Option<String>,
    /// See [`crate::record::HtmlFields`].
    pub h1: Option<String>,
    /// See [`crate::record::HtmlFields`].
    pub description: Option<String>,
    /// See [`crate::record::HtmlFields`].
    pub canonical: Option<String>,
    /// See [`crate::record::HtmlFields`].
    pub lang: Option<String>,
    /// JSON, see [`Links::to_json`](crate::record::links::Links::to_json); `None` without links.
    pub links: Option<String>,
    /// A hash of its words, see [`NEAR_BITS`](crate::record::NEAR_BITS); `None`: there are too few.
    pub likeness: Option<[u8; 16]>,
    /// It says that it is not there.
    pub says_missing: bool,
}
