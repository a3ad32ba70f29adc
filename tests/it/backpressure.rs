//! A writer that does not keep up makes everyone wait; it makes nobody's memory grow.

use std::time::{Duration, Instant};

use crate::support::{Dice, Place, Reply, Signal, Site, eventually, within};

const PAGES: usize = 240;
const PAGE_BYTES: usize = 200 * 1024;
const FETCHERS: usize = 2;
const CONCURRENCY: usize = 16;
/// What a fetcher may hold of finished records, whose bytes do not compress here: its outbox, one record beyond it, and
/// what the socket takes.
const HELD_BYTES: usize = (4 << 20) + PAGE_BYTES + (1 << 20);

#[test]
fn a_stopped_writer_stops_the_requests_and_bounds_the_memory_of_the_fetchers() {
    let body = Dice::new().noise(PAGE_BYTES);
    let site = Site::with_hosts(4, move |request| {
        let mut body = body.clone();
        // Each a little different, so that each is stored.
        body[..8].copy_from_slice(&(request.number() as u64).to_le_bytes());
        Reply::bytes("application/octet-stream", body)
    });
    let place = Place::new();
    place.list("urls.txt", site.urls(PAGES));
    let arguments = ["urls.txt", "--concurrency", "16", "--host-concurrency", "4", "--json"];
    let running = place.crawl(&arguments).start();
    site.wait_for_hits(20);
    let writer = running.the("writer");
    writer.signal(Signal::SIGSTOP);
    let stopped_at = site.count();

    let memory = || running.fetchers().iter().map(|fetcher| fetcher.pss_kib()).sum::<u64>() / 1024;
    let (mut most, mut count, mut since) = (0, stopped_at, Instant::now());
    eventually("the requests stop", || {
        most = most.max(memory());
        if site.count() != count {
            (count, since) = (site.count(), Instant::now());
        }
        since.elapsed() >= Duration::from_millis(1500)
    });
    let more = count - stopped_at;
    let bound = FETCHERS * HELD_BYTES.div_ceil(PAGE_BYTES) + CONCURRENCY;
    println!("{more} of at most {bound} requests after the writer stopped; fetchers held {most} MiB");
    assert!(count < PAGES, "all pages were fetched while nobody wrote them");
    assert!(more <= bound, "{more} requests after the writer stopped, at most {bound} have a place");
    // Twice the records for buffers on the way, and what an idle process of this build takes.
    let bound = (FETCHERS * (2 * HELD_BYTES / (1 << 20) + 24) + 2 * CONCURRENCY * PAGE_BYTES / (1 << 20)) as u64;
    assert!(most <= bound, "{most} MiB in {FETCHERS} fetchers; {bound} are enough");
    assert!(
        !within(Duration::from_millis(500), || site.count() > count),
        "a request was made though nothing is written"
    );

    writer.signal(Signal::SIGCONT);
    let ended = running.wait().expect(0);
    let json = ended.json();
    assert_eq!(
        (&json["fetcher_crashes"], &json["writer_crashes"], &json["leased_again"]),
        (&0.into(), &0.into(), &0.into())
    );
    let store = place.store();
    assert_eq!(
        store.row("SELECT count(*), count(DISTINCT body_hash) FROM pages WHERE outcome = 'ok'"),
        format!("{PAGES}|{PAGES}")
    );
    assert_eq!(site.count(), PAGES);
    store.assert_sound();
}
