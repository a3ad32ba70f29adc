//! What each part of a crawl costs, apart from the others: see `docs/benchmarks.md`.
//!
//! Pages are those of the demo site, or all files below the folder that `SEINE_BENCH_PAGES` names (at most 500).

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use seine::supervisor::frontier::{Demand, Frontier, HostLimits, LimitsOf, Room, Swept};
use seine::supervisor::partition::Partition;
use seine_core::protocol::frame::{FrameBuffer, encode_head};
use seine_core::protocol::{
    BodyHead, Candidate, Ending, HostCandidates, ImportEntry, ImportUrl, PageFields, PageHead, Place, RecordHead,
    RequestHead, RequestKind, UrlKind,
};
use seine_core::record::{CrawlUrl, HttpVersion, Outcome, UrlId};
use seine_core::time::{Mono, Now};
use seine_page::extract::extras::{Wanted, extras};
use seine_page::extract::rules::{Page, Rules};
use seine_page::extract::{Extractor, is_html};
use seine_site::{Site, listed_urls};
use seine_store::insert::{Again, ListFile, Only, Session, Store};
use seine_store::versions::Keep;
use url::Url;

const HTML: Option<&[u8]> = Some(b"text/html; charset=utf-8");
const MOST_PAGES: usize = 500;

/// Ten fields, as a shop would be read.
const RULES: &str = r#"
[[collection]]
name = "things"
[collection.fields]
title = "title"
heading = "h1"
price = { css = ".price", type = "number" }
in_stock = { css = ".stock", matches = "in stock", type = "bool" }
image = { css = "img", attr = "src", type = "url" }
tags = { css = ".tag", many = true }
released = { css = "time", attr = "datetime", type = "datetime" }
sku = { jsonld = "$..sku" }
description = { meta = "description" }
cells = { css = "td", many = true }
"#;

fn main_url() -> Url {
    Url::parse("http://bench.example/docs/page.html").expect("a URL")
}

/// HTML bodies.
fn pages() -> Vec<Vec<u8>> {
    let mut pages = Vec::new();
    match std::env::var_os("SEINE_BENCH_PAGES") {
        Some(folder) => gather(Path::new(&folder), &mut pages),
        None => {
            let (site, origin) = (Site::default(), "http://bench.example");
            let bodies = listed_urls(origin).into_iter().map(|url| {
                let path = url.strip_prefix(origin).unwrap_or("/").to_owned();
                site.answer("GET", &path, "bench.example").body
            });
            pages.extend(bodies.filter(|body| is_html(None, body)));
        }
    }
    assert!(!pages.is_empty(), "there are no HTML pages");
    pages
}

fn gather(folder: &Path, pages: &mut Vec<Vec<u8>>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if pages.len() >= MOST_PAGES {
            return;
        }
        if path.is_dir() {
            gather(&path, pages);
        } else if let Ok(body) = fs::read(&path)
            && is_html(None, &body)
        {
            pages.push(body);
        }
    }
}

/// Extraction, by what is asked for.
fn extraction(c: &mut Criterion) {
    let (pages, url) = (pages(), main_url());
    let mut group = c.benchmark_group("extraction");
    group.throughput(Throughput::Elements(pages.len() as u64)).sample_size(20);
    group.bench_function("built-in fields", |b| {
        let mut extractor = Extractor::new();
        b.iter(|| pages.iter().for_each(|body| drop(black_box(extractor.html(body, HTML, &url)))));
    });
    let rules = Rules::read(RULES).expect("rules");
    group.bench_function("ten fields by rules", |b| {
        b.iter(|| {
            for body in &pages {
                let page = Page { url: &url, listed_url: url.as_str(), content_type: HTML, body };
                drop(black_box(rules.apply(&page, &|| true)));
            }
        });
    });
    let wanted = Wanted { metadata: true, text: true, markdown: false, tables: true };
    group.bench_function("metadata, text, tables", |b| {
        b.iter(|| pages.iter().for_each(|body| drop(black_box(extras(body, HTML, &url, wanted, &|| true)))));
    });
    group.bench_function("hash and zstd", |b| {
        b.iter(|| {
            for body in &pages {
                black_box((blake3::hash(body), zstd::bulk::compress(body, 1).expect("compressed")));
            }
        });
    });
    group.finish();
}

fn head(url_id: UrlId, body: &[u8]) -> PageHead {
    let links: Vec<_> = (0..60).map(|n| format!(r#"["http://bench.example/{url_id}/{n}","link {n}",""]"#)).collect();
    PageHead {
        url_id,
        generation: 1,
        ending: Ending::Final { outcome: Outcome::Ok, failure: None },
        final_url: None,
        hops: Vec::new(),
        status: Some(200),
        started_at: 1_700_000_000_123,
        elapsed_ms: 7,
        requests: vec![RequestHead {
            url: None,
            host: "bench.example".into(),
            kind: RequestKind::Page,
            started_us: 1_700_000_000_123_456,
            elapsed_ms: 7,
            gap_ms: 0,
            status: Some(200),
            error: None,
            bytes: body.len() as u64,
            remote_ip: Some([127, 0, 0, 1].into()),
            http_version: Some(HttpVersion::Http11),
            headers: Vec::new(),
        }],
        attempt: 1,
        hold_until: 0,
        not_modified: false,
        validators: None,
        meta_robots: None,
        content_type: Some("text/html".into()),
        charset: Some("UTF-8".into()),
        body: Some(BodyHead { bytes: body.len() as u64, hash: *blake3::hash(body).as_bytes() }),
        page: Some(PageFields {
            title: Some(format!("Page {url_id}")),
            links: Some(format!("[{}]", links.join(","))),
            ..PageFields::default()
        }),
        items: None,
        extras: None,
        found: Vec::new(),
        finds_more: false,
        place: Place::default(),
    }
}

/// The frame codec: a page's record there and back.
fn frames(c: &mut Criterion) {
    let body = vec![7; 4096];
    let record = RecordHead::Page(head(1, &body));
    let mut group = c.benchmark_group("frames");
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode", |b| b.iter(|| black_box(encode_head(&record, body.len()).expect("a frame"))));
    let mut frame = encode_head(&record, body.len()).expect("a frame");
    frame.extend(&body);
    group.bench_function("decode", |b| {
        let mut buffer = FrameBuffer::new(64 << 20);
        b.iter(|| {
            let mut rest = &frame[..];
            while !rest.is_empty() {
                let room = buffer.room();
                let n = room.len().min(rest.len());
                room[..n].copy_from_slice(&rest[..n]);
                buffer.received(n);
                rest = &rest[n..];
            }
            let received = buffer.next().expect("sound").expect("whole");
            black_box(received.message::<RecordHead>().expect("a record"));
        });
    });
    group.finish();
}

fn store(folder: &Path) -> Store {
    let session = Session {
        pid: std::process::id(),
        config: "{}".into(),
        lists: vec![ListFile { name: "urls.txt".into(), fingerprint: None }],
        collections: Vec::new(),
        processors: Vec::new(),
        again: Again { only: Only::All, fetched_before: 0, revisit: None },
        requests_since: 0,
        keep: Keep { versions: 3, since: 0 },
        reading: [0; 16],
        finishes_untold: false,
        is_demo: false,
        follow: None,
        order: None,
    };
    Store::open(&folder.join("crawl.db"), &session).expect("a store").0
}

fn lines(count: u64) -> Vec<ImportEntry> {
    let line = |line: u64| {
        let url = CrawlUrl::parse(&format!("http://h{}.bench.example/page/{line}", line % 500)).expect("a URL");
        let host = (7, 7 + url.host.len() as u32);
        ImportEntry {
            line,
            raw_url: None,
            columns: None,
            url: ImportUrl::Accepted { url: url.url, host, key: url.key },
            archived_at: None,
            payload_at: None,
            kind: UrlKind::Page,
        }
    };
    (1..=count).map(line).collect()
}

/// The writer's work: lines and pages into a new store, 1,000 to a transaction.
fn writer(c: &mut Criterion) {
    const ROWS: u64 = 10_000;
    let mut group = c.benchmark_group("writer");
    group.throughput(Throughput::Elements(ROWS)).sample_size(10);
    let entries = lines(ROWS);
    let new_store = || {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(folder.path());
        (folder, store)
    };
    let import = |store: &mut Store| {
        for batch in entries.chunks(1000) {
            store.transaction(|store| store.import(0, batch)).expect("imported");
        }
    };
    group.bench_function("lines", |b| {
        b.iter_batched_ref(new_store, |(_, store)| import(store), BatchSize::PerIteration);
    });
    for kib in [4, 20] {
        // As compressed pages are: not to be compressed again, each another one.
        let bodies: Vec<Vec<u8>> = (0..ROWS)
            .map(|n| {
                let mut seed = blake3::Hasher::new();
                seed.update(&n.to_le_bytes());
                let mut body = vec![0; kib * 1024];
                seed.finalize_xof().fill(&mut body);
                body
            })
            .collect();
        let heads: Vec<_> = (1..).zip(&bodies).map(|(url_id, body)| head(url_id, body)).collect();
        group.bench_function(format!("pages with bodies of {kib} KiB"), |b| {
            let prepared = || {
                let (folder, mut store) = new_store();
                import(&mut store);
                (folder, store)
            };
            let write = |(_, store): &mut (tempfile::TempDir, Store)| {
                for (heads, bodies) in heads.chunks(1000).zip(bodies.chunks(1000)) {
                    let written = store.transaction(|store| {
                        heads.iter().zip(bodies).try_for_each(|(head, body)| store.page(head, body).map(drop))
                    });
                    written.expect("written");
                }
            };
            b.iter_batched_ref(prepared, write, BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// The frontier's work for a URL, from the store's answer to the closed lease.
fn frontier(c: &mut Criterion) {
    const HOSTS: i64 = 200;
    const URLS: i64 = 50;
    let mut group = c.benchmark_group("frontier");
    group.throughput(Throughput::Elements((HOSTS * URLS) as u64));
    let candidates = || -> Vec<HostCandidates> {
        let of_host = |host_id: i64| {
            let urls = (0..URLS).map(|n| Candidate {
                rank: 0,
                url_id: host_id * URLS + n,
                url: format!("http://h{host_id}.bench.example/{n}"),
                attempts: 0,
                forgiven: 0,
                due_at: 0,
                place: Place::default(),
                validators: None,
                archived: None,
            });
            let host = format!("h{host_id}.bench.example");
            HostCandidates { host_id, host, hold_until: 0, urls: urls.collect(), elders: Vec::new(), more: false }
        };
        (1..=HOSTS).map(of_host).collect()
    };
    group.bench_function("pulled, leased, closed", |b| {
        let work = |hosts: Vec<HostCandidates>| {
            let limits =
                HostLimits { delay_ms: 0, window: 40, urls: 0, places: 4, shared: false, longest_pause_ms: 300_000 };
            let room = Room { urls: 65_536, hosts_per_pull: 128 };
            let mut frontier = Frontier::new(Partition::new(2), LimitsOf::all(limits), 5, room);
            let (mut allowance, mut closed) = (u64::MAX, 0);
            frontier.pulled(hosts, Swept::Nothing, |_| false, Now::default());
            while frontier.urls() > 0 {
                for slot in 0..2 {
                    let demand = Demand { slot, room: 256, allowance: &mut allowance, asked_at: None };
                    for (host, lease) in frontier.lease(demand, Mono::from_ms(1)) {
                        lease.jobs.iter().for_each(|_| frontier.closed(host, slot, Mono::from_ms(1)));
                        closed += lease.jobs.len();
                    }
                }
            }
            closed
        };
        b.iter_batched(candidates, |hosts| black_box(work(hosts)), BatchSize::LargeInput);
    });
    group.finish();
}

/// A line of a list: parsed, normalised, hashed.
fn urls(c: &mut Criterion) {
    let mut group = c.benchmark_group("urls");
    group.throughput(Throughput::Elements(1));
    for (name, url) in [
        ("plain", "https://www.example.com/catalogue/page-17.html?ref=list"),
        ("to be normalised", "HTTPS://Example.COM:443/a/../b%7euser/./c?q=%C3%A4 ö#part"),
    ] {
        group.bench_function(name, |b| b.iter(|| black_box(CrawlUrl::parse(black_box(url)).expect("a URL"))));
    }
    group.finish();
}

criterion_group!(parts, extraction, frames, writer, frontier, urls);
criterion_main!(parts);
