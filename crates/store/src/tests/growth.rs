//! What the work of a crawl costs as its store grows: bytes written, bytes of the file.
//!
//! A page of a large store must not be dearer than one of a small one. Bytes are counted where the kernel counts what this
//! thread hands to `write`, so a test of them is as exact as the program itself, and independent of how busy the machine is.

use std::path::Path;

use super::{Place, line, page};
use crate::insert::{Again, ListFile, Only, Session, Store};
use seine_core::protocol::{EndedBy, ImportEntry, PageHead};

/// Lines of one transaction: what the writer takes together.
const LINES: u64 = 32 * 1024;

/// A crawl of made-up pages.
#[derive(Clone, Copy, Debug)]
struct Crawl {
    pages: u64,
    hosts: u64,
    /// Pages of one transaction.
    rows: u64,
    /// The list names one host after the other; `false`: it is shuffled.
    by_host: bool,
}

/// What it has cost.
#[derive(Clone, Copy, Debug)]
struct Cost {
    written: u64,
    cpu_ms: u64,
    file: u64,
}

impl Crawl {
    /// The host of a line, from 0, and which of the host's pages it names.
    fn url_of(&self, line: u64) -> (u64, u64) {
        let per_host = self.pages / self.hosts;
        if self.by_host { (line / per_host, line % per_host) } else { (scattered(line) % self.hosts, line) }
    }

    /// The line of the page that is fetched as the nth, from 0: all hosts are fetched from at the same pace.
    fn fetched(&self, nth: u64) -> u64 {
        let per_host = self.pages / self.hosts;
        if self.by_host { nth % self.hosts * per_host + nth / self.hosts } else { nth }
    }

    fn lines(&self, from: u64) -> Vec<ImportEntry> {
        let to = (from + LINES).min(self.pages);
        let url = |at: u64| {
            let (host, number) = self.url_of(at);
            format!("https://www.host-{host}.example/articles/{}/{number}.html", scattered(number) % 97)
        };
        (from..to).map(|at| line(at + 1, &url(at))).collect()
    }

    fn record(&self, at: u64, run: u64) -> (PageHead, Vec<u8>) {
        let (host, _) = self.url_of(at);
        let mut body = Vec::with_capacity(320);
        (0..40).for_each(|part| body.extend(scattered(at * 64 + part).to_le_bytes()));
        let (mut head, zstd) = page(at as i64 + 1, &body);
        head.requests[0].host = format!("www.host-{host}.example");
        head.requests[0].headers = body[..120].to_vec();
        head.started_at += run * 100_000_000 + at;
        head.not_modified = run > 1;
        if run > 1 {
            (head.body, head.page) = (None, None);
            return (head, Vec::new());
        }
        (head, zstd)
    }

    /// Runs it once more.
    fn run(&self, place: &Path, run: u64) -> Cost {
        let (written, cpu) = (written(), cpu_ms());
        let (mut store, _) = Store::open(place, &session(run)).expect("a store");
        store.keep_at_hand(16 << 20);
        for from in (0..self.pages).step_by(LINES as usize) {
            let lines = self.lines(from);
            let import = |store: &mut Store| {
                store.find_hosts([(0, &lines[..])].into_iter())?;
                store.import(0, &lines)
            };
            store.transaction(import).expect("an import");
        }
        store.transaction(|store| store.import_end(0, self.pages)).expect("the end of the list");
        for from in (0..self.pages).step_by(self.rows as usize) {
            let rows = from..(from + self.rows).min(self.pages);
            let commit = |store: &mut Store| {
                rows.clone().try_for_each(|nth| {
                    let (head, zstd) = self.record(self.fetched(nth), run);
                    store.page(&head, &zstd).map(drop)
                })
            };
            store.transaction(commit).expect("pages");
        }
        let run_id = store.run_id();
        store.end(EndedBy::Completed).expect("the end");
        crate::told::note(place, run_id, true).expect("told");
        let file = std::fs::metadata(place).expect("the store").len();
        Cost { written: self::written() - written, cpu_ms: cpu_ms() - cpu, file }
    }
}

fn session(run: u64) -> Session {
    Session {
        pid: 1,
        config: "{}".into(),
        lists: vec![ListFile { name: "urls.txt".into(), fingerprint: Some(run.to_string()) }],
        collections: Vec::new(),
        again: Again { only: Only::All, fetched_before: u64::MAX >> 1, revisit: None },
        keep: crate::versions::Keep { versions: 3, since: 0 },
        requests_since: 0,
        reading: [0; 16],
        processors: Vec::new(),
        finishes_untold: false,
        is_demo: false,
        follow: None,
        order: None,
    }
}

/// A number that looks like chance (splitmix64).
fn scattered(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Bytes that this thread has handed to `write` so far.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").expect("counts");
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: ")).expect("a count");
    line.parse().expect("a number")
}

/// User and system time of this thread.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("counts");
    let fields: Vec<_> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    (fields[11].parse::<u64>().expect("ticks") + fields[12].parse::<u64>().expect("ticks")) * 10
}

#[test]
fn a_page_of_a_larger_store_writes_no_more() {
    let costs = [2_500, 10_000].map(|pages| {
        let place = Place::new();
        let crawl = Crawl { pages, hosts: 1000, rows: 100, by_host: false };
        [1, 2].map(|run| crawl.run(&place.path, run).written as f64 / pages as f64)
    });
    for (run, (small, large)) in (1..).zip(costs[0].into_iter().zip(costs[1])) {
        assert!(
            large < 1.1 * small,
            "run {run}: {small:.0} bytes a page, and {large:.0} in a store four times as large"
        );
    }
}

#[test]
fn what_users_look_up_is_indexed_when_a_run_is_complete_and_not_before() {
    let place = Place::new();
    let indexes = "SELECT name FROM sqlite_schema WHERE name LIKE 'lookup.%' ORDER BY name";
    let crawl = |pages| Crawl { pages, hosts: 100, rows: 5_000, by_host: false };
    crawl(1_000).run(&place.path, 1);
    assert_eq!(place.rows(indexes), ["lookup.request", "lookup.url"]);
    // A run that adds much does without them until its end.
    let mut store = Store::open(&place.path, &session(2)).expect("a store").0;
    let grown = crawl(22_000);
    let mut import = |from: u64, lines: usize| {
        store.transaction(|store| store.import(0, &grown.lines(from)[..lines])).expect("an import");
    };
    import(0, 1_050);
    assert_eq!(place.rows(indexes), ["lookup.request", "lookup.url"]);
    import(1_050, 10_000);
    assert_eq!(place.rows(indexes), ["lookup.request"]);
    store.end(EndedBy::Interrupted).expect("the end");
    assert_eq!(place.rows(indexes), ["lookup.request"]);
    Store::open(&place.path, &session(2)).expect("a store").0.end(EndedBy::Completed).expect("the end");
    assert_eq!(place.rows(indexes), ["lookup.request", "lookup.url"]);
    assert_eq!(place.rows("PRAGMA integrity_check"), ["ok"]);
}

/// `PAGES=10000 ROWS=512 LISTS=shuffled KEEP=/tmp/crawl.db cargo test --release -p seine-store a_page_costs -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes and some GB: prints what a page costs in stores of three sizes"]
fn a_page_costs() {
    let of = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.into());
    let numbers = |list: &str| list.split(',').map(|number| number.parse().expect("a number")).collect::<Vec<u64>>();
    println!("list        pages rows run   KB/page  us/page  file/page");
    for list in of("LISTS", "shuffled,by-host").split(',') {
        for pages in numbers(&of("PAGES", "10000,100000,1000000")) {
            for rows in numbers(&of("ROWS", "100,512")) {
                let place = Place::new();
                let crawl = Crawl { pages, hosts: 1000, rows, by_host: list == "by-host" };
                for run in 1..=2 {
                    let Cost { written, cpu_ms, file } = crawl.run(&place.path, run);
                    println!(
                        "{list:8} {pages:8} {rows:4} {run:3} {:9.2} {:8.1} {:10.0}",
                        written as f64 / pages as f64 / 1000.0,
                        cpu_ms as f64 * 1000.0 / pages as f64,
                        file as f64 / pages as f64,
                    );
                    if let Ok(kept) = std::env::var("KEEP") {
                        std::fs::copy(&place.path, kept).expect("a copy");
                    }
                }
            }
        }
    }
}
