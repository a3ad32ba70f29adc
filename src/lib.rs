//! seine: files of URLs in, one SQLite file of scraped data out.
//!
//! ```text
//!              URL files, stdin                                    Ctrl-C, SIGTERM
//!                     │                                                  │
//!           ┌─────────▼──────────────────────────────────────────────────▼──┐
//!           │ S  supervisor: one thread, poll(2) + signalfd, no runtime     │──► progress line, exit code
//!           │    reads lists · partitions by host · leases · reaps, respawns│
//!           └──┬───────────────┬───────────────┬─────────────▲──────────────┘
//!      Lease   │               │               │             │ Committed, Candidates (after COMMIT)
//!           ┌──▼────┐      ┌───▼───┐       ┌───▼───┐     ┌───┴──────────────┐
//!           │ F0    │      │ F1    │  ...  │ Fn    │     │ W  writer        │
//!           │fetcher│      │fetcher│       │fetcher│     │ store lock held  │
//!           └──┬────┘      └───┬───┘       └───┬───┘     │ the one SQLite   │
//!              │  page queue (one framed Unix  │         │ connection that  │
//!              └───────────────┴──── stream each) ──────►│ writes           │
//!                                                        └──────┬───────────┘
//!                                                           crawl.db (WAL) ◄── seine export / sql, any SQLite reader
//! ```
//!
//! # The life of one URL
//!
//! 1. [`url_list`](seine_lists::url_list) reads its line, checks and normalises it; a bad line becomes a rejected record, never a silent skip.
//!    URLs of the command line are lines of a list of their own. What is no list is refused before anything starts.
//!    A record of an [`archive`](seine_lists::archive) is a line too, and where it lies goes along.
//! 2. [`supervisor::feed`] sends it to the writer, which gives it an id (one row per normalised URL); it is *pending*.
//! 3. [`supervisor::frontier`] pulls it from the store into the window that is in memory, host by host.
//! 4. [`supervisor::partition`] names the slot its host lives in ([`supervisor::lanes`]: the slots that share one without
//!    a pace); [`supervisor::ledger`] notes the lease.
//! 5. [`fetcher::origins`] finds out whether [`robots`](seine_page::robots).txt allows it: from the store, or by an errand of the first URL
//!    that wants to know. [`fetcher::hosts`] holds it until [`fetcher::pace`] and the places for requests permit; the URLs
//!    of a host that is to be left alone go back to the frontier.
//! 6. [`fetcher::http`](seine_http) requests it, of addresses that may be connected to; a redirect to another host goes back to the
//!    supervisor, what is transient is recorded as such and comes again later. [`supervisor::breaker`] judges the host,
//!    [`supervisor::outage`] whether it is our own network that is out.
//!    What an archive has is read there instead, without 5 and without regard for anybody's pace.
//!    What an earlier run has fetched is asked for with the validators of its answer, and may be *not modified*.
//! 7. The status row names it while [`extract`](seine_page::extract) turns bytes into fields, links and the items of [`extract::rules`](seine_page::extract::rules): should
//!    that kill the process, it is known what did. Twice is enough for *quarantine*. What takes long does so on a
//!    thread of its own, so that requests go on.
//! 8. [`fetcher::outbox`] frames the record and waits for room: this wait is the backpressure.
//! 9. [`writer`] adds it to a batch; page, links, items, body and the URL's outcome are committed in one transaction. What
//!    the page was before becomes history.
//! 10. After COMMIT the supervisor hears of it: the lease is closed, the window opens, progress moves.
//! 11. Nothing pending, nothing leased, lists read: fetchers drain, the writer sees every queue's end, closes the
//!     store; the supervisor reaps all and prints the summary.
//!
//! # What comes after
//!
//! ```text
//! extract:  S ─► W (store) ── page, compressed ──► E0, E1 … (rules) ── items ──► W: temp tables, compare, one COMMIT
//! process:  S ─► P (read-only) ── JSON line ──► the user's programs ── JSON line ──► P ── queue ──► W: items + mark, one COMMIT
//! export:   rows of one snapshot ──► a temporary file ──► its name
//! diff:     two runs of one snapshot, counted, then told page by page ──► text, JSON, CSV, HTML
//! split:    lines of lists ── hash of the domain ──► shards in a folder ──► its name
//! merge:    stores, one after the other, each one snapshot ──► all in one transaction, or a new file ──► its name
//! links:    links of one snapshot ── each target looked up ──► text, JSON, CSV, JUnit, annotations
//! report:   one snapshot, walked over once for each question ──► one HTML page
//! ```
//!
//! [`reextract`] applies rules again to stored pages, [`processors`] puts records through programs of the user's, beside a
//! crawl or later; [`pool`] is the plan of who has what. The store is the queue between them all.
//!
//! # Again and again
//!
//! [`schedule`] starts this program itself, when a cron text says so: each run is a child that begins afresh, and never two
//! are on one store.
//!
//! # Who waits for whom
//!
//! Fetchers wait for the writer, the writer for the disk, and nobody else for anybody: so nothing can deadlock. The
//! supervisor and the writer never block on what they say to each other: what does not fit the socket is kept, and is
//! bounded by what was asked or entrusted and is not answered. The supervisor always reads. A fetcher's questions to the
//! store go by way of the supervisor and keep only the host waiting that they are about. Nothing on disk is ever
//! "leased": what has no outcome is pending, so after any crash there is nothing to repair. E waits for W, P for W and
//! its programs, likewise.
//!
//! # Rooms
//!
//! ```text
//! crates/core      the nouns: record · protocol · values · policy · tally                       → nobody
//! crates/unix      fork, channels, signals, locks, limits, status rows; the only unsafe code     → core
//! crates/page      bytes → fields, items, text, links; robots.txt; pure                          → core
//! crates/follow    which URLs a crawl finds: scope, filters, traps, sitemaps, feeds; pure         → core
//! crates/lists     URL lists and archives, as streams                                            → core
//! crates/http      one request, safely: client, TLS, proxies, cookies, resolver, guard, limits   → core
//! crates/store     schema · write (one transaction for a page) · read                            → core
//! crates/export    rows of a store as files, a file for each format                              → store
//! crates/site      the demo site                                                                 → core
//! crates/testkit   for tests alone                                                               → nobody
//! src/walls        what each process needs; the rest is kept from it
//! src/config       options, declared once → settings          src/console   progress, text, logs
//! src/supervisor   loop · plan · frontier · ledger · lanes · breaker · feed
//! src/fetcher      control · hosts · visit                    src/writer    batches into the store
//! src/processors   programs of the user's                     src/reextract rules applied again
//! src/following · src/ordering  settings of links, order and budgets, as fetchers and the writer apply them
//! src/schedule · src/notify · src/commands (a file for each verb)
//! ```
//!
//! Cargo keeps the walls between crates. Within `src/` rooms use each other without a circle: the store is opened by
//! the writer, its kin and commands; commands ask a fetcher's rooms for single decisions ([`fetcher::robots_txt`],
//! [`fetcher::retry_after`], [`seine_http::address`]) or a single page ([`fetcher::single`]) and never are one. They
//! hand rows of the store to [`seine_export`], which reads nothing else, and the summary of a run to [`notify`], which
//! tells others. `schedule` knows commands as arguments only. The supervisor sees no tokio, reqwest or rusqlite; a
//! fetcher no rusqlite; the writer no reqwest or tokio. `tests/it/architecture.rs` fails on a forbidden `use`.

#![forbid(unsafe_code)]

pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
pub mod fetcher;
pub mod following;
pub mod notify;
pub mod ordering;
pub mod pool;
pub mod processors;
pub mod reextract;
pub mod schedule;
pub mod supervisor;
pub mod walls;
pub mod writer;
