use std::thread;

use super::*;
use crate::config::Sandbox;
use seine_core::protocol::frame::MAX_HEAD_BYTES;
use seine_core::protocol::{ImportEntry, ImportUrl};
use seine_core::record::CrawlUrl;
use seine_store::insert::{Again, ListFile, Only};
use seine_store::versions::Keep;
use seine_unix::pair::{Mode, stream_pair};
use seine_unix::status::StatusBoard;

/// Far more answers than a socket takes that nobody reads.
const QUESTIONS: usize = 3_000;
const PATIENCE: Duration = Duration::from_secs(20);

fn session() -> Session {
    Session {
        pid: std::process::id(),
        config: "{}".into(),
        lists: vec![ListFile { name: "urls.txt".into(), fingerprint: None }],
        collections: Vec::new(),
        processors: Vec::new(),
        again: Again { only: Only::New, fetched_before: 0, revisit: None },
        keep: Keep { versions: 1, since: 0 },
        requests_since: 0,
        reading: [0; 16],
        finishes_untold: false,
        is_demo: false,
        follow: None,
        order: None,
    }
}

fn line(raw_url: &str) -> ImportEntry {
    let CrawlUrl { url, host, key, .. } = CrawlUrl::parse(raw_url).expect("a URL");
    let host = (7, 7 + host.len() as u32);
    let url = ImportUrl::Accepted { url, host, key };
    ImportEntry {
        line: 1,
        raw_url: None,
        columns: None,
        url,
        archived_at: None,
        payload_at: None,
        kind: seine_core::protocol::UrlKind::Page,
    }
}

/// Waits until `holds`.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_supervisor_that_does_not_read_keeps_nothing_from_the_store_and_hears_all_of_it_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("crawl.db");
    let (ours, theirs) = stream_pair(Mode::Nonblocking, Mode::Nonblocking).expect("a socket pair");
    let start = WriterStart {
        path: path.clone(),
        session: session(),
        control: theirs,
        generation: 1,
        frame_ceiling: 1 << 20,
        cache_bytes: 1 << 20,
        line_batches: 8,
        known: None,
        sandbox: Sandbox::Off,
    };
    let writer = thread::spawn(move || run(start, StatusBoard::new(1).expect("memory").row(0)));
    let mut control = Channel::new(ours, MAX_HEAD_BYTES);
    for n in 0..QUESTIONS {
        let origin = format!("http://h{n}.test");
        control.send(&ToWriter::AskOrigin { slot: 0, generation: 1, origin }, None).expect("it can be encoded");
    }
    let import = ToWriter::Import { file: 0, entries: vec![line("http://a.test/")] };
    control.send(&import, None).expect("it can be encoded");

    until("the writer hears what it is told", || control.flush().expect("the writer lives"));
    until("the line is in the store", || {
        let db = seine_store::open_for_reading(&path);
        db.is_ok_and(|db| db.query_row("SELECT count(*) FROM inputs", (), |row| row.get(0)) == Ok(1))
    });
    let stop = ToWriter::Stop { ended_by: EndedBy::Interrupted, abandon: false };
    control.send(&stop, None).expect("it can be encoded");
    control.flush().expect("the writer lives");

    let (mut answers, mut imported) = (0, 0);
    until("the writer has told all and is gone", || {
        control.receive().expect("the writer lives, or has closed its end");
        while let Some(message) = control.next::<FromWriter>().expect("a message") {
            match message {
                FromWriter::Origin { .. } => answers += 1,
                FromWriter::Imported(_) => imported += 1,
                _ => {}
            }
        }
        control.has_ended()
    });
    assert_eq!((answers, imported), (QUESTIONS, 1));
    assert_eq!(writer.join().expect("it does not panic"), 0);
}
