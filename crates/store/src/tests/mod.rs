//! What the store promises, on real files.

mod ageing;
mod found;
mod growth;
mod order;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::insert::{ListFile, Session, Store};
use super::{StoreError, audit, life, open_for_reading, open_for_writing, read, retry};
use seine_core::protocol::{
    BodyHead, EndedBy, Ending, Hop, HostId, ImportEntry, ImportUrl, PageFields, PageHead, Position, Pull, RequestHead,
    RequestKind, RobotsHead, Sweep, UrlKind, Verdict,
};
use seine_core::record::{CrawlUrl, ErrorClass, Failure, HttpVersion, KeyKind, Outcome, UrlId, url_key};

pub(crate) struct Place {
    _folder: tempfile::TempDir,
    pub path: PathBuf,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("crawl.db");
        Self { _folder: folder, path }
    }

    pub fn open(&self) -> Store {
        self.open_lists(&[("urls.txt", None)]).0
    }

    fn open_lists(&self, lists: &[(&str, Option<&str>)]) -> (Store, seine_core::protocol::Ready) {
        self.open_as(lists, false)
    }

    fn open_as(&self, lists: &[(&str, Option<&str>)], finishes_untold: bool) -> (Store, seine_core::protocol::Ready) {
        let lists = lists.iter().map(|(name, fingerprint)| ListFile {
            name: (*name).to_owned(),
            fingerprint: fingerprint.map(str::to_owned),
        });
        let session = Session {
            pid: 1,
            config: "{}".into(),
            lists: lists.collect(),
            collections: Vec::new(),
            again: super::insert::Again {
                only: crate::insert::Only::New,
                fetched_before: u64::MAX >> 1,
                revisit: None,
            },
            keep: super::versions::Keep { versions: 3, since: 0 },
            requests_since: 0,
            reading: [0; 16],
            processors: Vec::new(),
            finishes_untold,
            is_demo: false,
            follow: None,
            order: None,
        };
        Store::open(&self.path, &session).expect("a store")
    }

    pub fn rows(&self, sql: &str) -> Vec<String> {
        let db = open_for_reading(&self.path).expect("a store");
        let mut statement = db.prepare(sql).expect("a query");
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let cells = (0..columns).map(|at| {
                Ok(match row.get_ref(at)? {
                    rusqlite::types::ValueRef::Null => "-".to_owned(),
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    other => format!("{other:?}"),
                })
            });
            Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
        });
        rows.expect("rows").collect::<Result<_, _>>().expect("rows")
    }
}

pub(crate) fn line(line: u64, raw_url: &str) -> ImportEntry {
    match CrawlUrl::parse(raw_url) {
        Ok(url) => {
            let start = url.url.find("//").expect("a scheme") as u32 + 2;
            let host = (start, start + url.host.len() as u32);
            let raw_url = (raw_url != url.url).then(|| raw_url.to_owned());
            ImportEntry {
                line,
                raw_url,
                columns: None,
                url: ImportUrl::Accepted { url: url.url, host, key: url.key },
                archived_at: None,
                payload_at: None,
                kind: UrlKind::Page,
            }
        }
        Err(error) => {
            let key = url_key(KeyKind::Rejected, raw_url.as_bytes());
            let url = ImportUrl::Rejected { key, reason: error.to_string() };
            ImportEntry {
                line,
                raw_url: Some(raw_url.to_owned()),
                columns: None,
                url,
                archived_at: None,
                payload_at: None,
                kind: UrlKind::Page,
            }
        }
    }
}

pub(crate) fn import(store: &mut Store, entries: &[ImportEntry]) -> seine_core::protocol::Imported {
    store.transaction(|store| store.import(0, entries)).expect("an import")
}

pub(crate) fn page(url_id: UrlId, body: &[u8]) -> (PageHead, Vec<u8>) {
    let head = PageHead {
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
            host: "a.example".into(),
            kind: RequestKind::Page,
            started_us: 1_700_000_000_123_456,
            elapsed_ms: 7,
            gap_ms: 500,
            status: Some(200),
            error: None,
            bytes: body.len() as u64,
            remote_ip: Some([192, 0, 2, 1].into()),
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
            title: Some("t".into()),
            links: Some(r#"[["https://b.example/","to b","nofollow"],["y","","",18]]"#.into()),
            ..PageFields::default()
        }),
        items: None,
        extras: None,
        found: Vec::new(),
        finds_more: false,
        place: seine_core::protocol::Place::default(),
    };
    (head, zstd::bulk::compress(body, 1).expect("compression"))
}

pub(crate) fn put(store: &mut Store, (head, zstd): &(PageHead, Vec<u8>)) -> Verdict {
    store.transaction(|store| store.page(head, zstd)).expect("a page").verdict
}

fn damage(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("a file");
}

#[test]
fn every_line_finds_its_outcome_and_duplicates_are_one_url() {
    let place = Place::new();
    let mut store = place.open();
    let lines = [line(1, "https://a.example/x"), line(3, "https://A.example/x#frag"), line(4, "nonsense")];
    let report = import(&mut store, &lines);
    assert_eq!((report.lines, report.new, report.rejected, report.duplicates), (3, 2, 1, 1));
    assert_eq!(store.pending(), 1);
    put(&mut store, &page(1, b"<h1>hello</h1>"));
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(
        place.rows("SELECT file, line, raw_url, outcome FROM inputs ORDER BY line"),
        ["urls.txt|1|https://a.example/x|ok", "urls.txt|3|https://A.example/x#frag|ok", "urls.txt|4|nonsense|rejected"]
    );
    assert_eq!(
        place.rows(
            "SELECT url, input_line, outcome, status, fetched_at, attempts, run_id FROM pages WHERE outcome = 'ok'"
        ),
        ["https://a.example/x|1|ok|200|2023-11-14T22:13:20.123Z|1|1"]
    );
    assert_eq!(
        place.rows("SELECT * FROM links"),
        [
            "https://a.example/x|https://b.example/|to b|nofollow|1|a|0|1",
            "https://a.example/x|https://a.example/y|||1|a|1|0"
        ]
    );
    let error = place.rows("SELECT error, error_message, final_url FROM pages WHERE outcome = 'rejected'");
    assert_eq!(error, ["rejected|not a URL: relative URL without a base|-"]);
}

#[test]
fn importing_and_recording_twice_changes_nothing() {
    let place = Place::new();
    let mut store = place.open();
    let lines = [line(1, "https://a.example/1"), line(2, "https://a.example/2"), line(3, "bad")];
    import(&mut store, &lines);
    assert!(matches!(put(&mut store, &page(1, b"one")), Verdict::Ended(Outcome::Ok, None)));
    assert_eq!(put(&mut store, &page(1, b"two")), Verdict::Known);
    let again = import(&mut store, &lines);
    assert_eq!((again.new, again.rejected, again.duplicates), (0, 0, 0));
    assert_eq!(store.pending(), 1);
    drop(store);
    assert_eq!(place.rows("SELECT count(*) FROM inputs"), ["3"]);
    assert_eq!(place.rows("SELECT count(*) FROM body"), ["1"]);
    assert_eq!(place.rows("SELECT urls, ok, rejected FROM runs"), ["3|1|1"]);
}

#[test]
fn an_edited_list_forgets_what_it_no_longer_names() {
    let place = Place::new();
    let mut store = place.open();
    import(
        &mut store,
        &[line(1, "https://a.example/1"), line(2, "https://a.example/2"), line(3, "https://a.example/3")],
    );
    store.transaction(|store| store.import_end(0, 3)).expect("the end of the list");
    put(&mut store, &page(1, b"one"));
    drop(store);
    // A line is inserted at the top, the former line 2 is gone, and the list is as long as before.
    let mut store = place.open();
    import(
        &mut store,
        &[line(1, "https://a.example/0"), line(2, "https://a.example/1"), line(3, "https://a.example/3")],
    );
    store.transaction(|store| store.import_end(0, 3)).expect("the end of the list");
    assert_eq!(store.pending(), 2);
    drop(store);
    assert_eq!(
        place.rows("SELECT line, raw_url, outcome FROM inputs"),
        ["1|https://a.example/0|pending", "2|https://a.example/1|ok", "3|https://a.example/3|pending"]
    );
    assert_eq!(place.rows("SELECT url, input_line FROM pages"), ["https://a.example/1|2"]);
    assert_eq!(place.rows("SELECT count(*) FROM url WHERE url LIKE '%/2'"), ["0"]);
}

#[test]
fn a_list_that_was_read_to_its_end_is_known_until_it_changes() {
    let place = Place::new();
    let (mut store, ready) = place.open_lists(&[("urls.txt", Some("v1"))]);
    assert_eq!(ready.lists_known, [false]);
    import(&mut store, &[line(1, "https://a.example/")]);
    store.transaction(|store| store.import_end(0, 1)).expect("the end of the list");
    drop(store);
    assert_eq!(place.open_lists(&[("urls.txt", Some("v1"))]).1.lists_known, [true]);
    assert_eq!(place.open_lists(&[("urls.txt", Some("v2"))]).1.lists_known, [false]);
    assert_eq!(place.open_lists(&[("urls.txt", None)]).1.lists_known, [false]);
}

#[test]
fn a_failed_transaction_leaves_no_trace_in_the_counts() {
    let place = Place::new();
    let mut store = place.open();
    let failed: Result<(), StoreError> = store.transaction(|store| {
        store.import(0, &[line(1, "https://a.example/")])?;
        Err(StoreError::Full("made up".into()))
    });
    assert!(failed.is_err());
    assert_eq!(store.pending(), 0);
    import(&mut store, &[line(1, "https://a.example/")]);
    assert_eq!(store.pending(), 1);
}

#[test]
fn an_unfinished_run_goes_on_and_a_finished_one_is_followed_by_another() {
    let place = Place::new();
    let mut store = place.open();
    import(&mut store, &[line(1, "https://a.example/1")]);
    drop(store);
    let (mut store, ready) = place.open_lists(&[("urls.txt", None)]);
    assert!(ready.resumed);
    assert_eq!(ready.pending, 1);
    put(&mut store, &page(1, b"x"));
    store.end(EndedBy::Completed).expect("the end");
    let store = place.open();
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(place.rows("SELECT run_id, ended_by, ok FROM runs"), ["1|completed|1"], "an idle run leaves no row");
    let mut store = place.open();
    import(&mut store, &[line(2, "https://a.example/2")]);
    store.end(EndedBy::Interrupted).expect("the end");
    assert_eq!(place.rows("SELECT run_id, ended_by, urls FROM runs"), ["1|completed|1", "2|interrupted|1"]);
}

#[test]
fn a_complete_run_goes_on_until_it_is_told() {
    let place = Place::new();
    let lists = [("urls.txt", Some("v1"))];
    let (mut store, ready) = place.open_as(&lists, true);
    assert!(!ready.untold);
    import(&mut store, &[line(1, "https://a.example/1")]);
    store.transaction(|store| store.import_end(0, 1)).expect("the end of the list");
    put(&mut store, &page(1, b"x"));
    store.end(EndedBy::Completed).expect("the end");
    let (store, ready) = place.open_as(&lists, true);
    assert!(ready.resumed && ready.untold);
    assert_eq!((ready.pending, ready.done[0], &ready.lists_known[..]), (0, 1, &[true][..]));
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(place.rows("SELECT run_id, ended_by, ok FROM runs"), ["1|completed|1"]);

    super::told::note(&place.path, 1, true).expect("a note");
    assert_eq!(super::told::untold(&open_for_reading(&place.path).expect("a store")).expect("an answer"), None);
    let (store, ready) = place.open_as(&lists, true);
    assert!(!ready.resumed && !ready.untold);
    // Nothing to do: no run, and nothing to tell.
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(super::told::untold(&open_for_reading(&place.path).expect("a store")).expect("an answer"), None);

    // One that was stopped goes on anyway; who wants a run of its own gets it.
    let (mut store, _) = place.open_as(&lists, true);
    import(&mut store, &[line(2, "https://a.example/2")]);
    store.end(EndedBy::Interrupted).expect("the end");
    assert_eq!(super::told::untold(&open_for_reading(&place.path).expect("a store")).expect("an answer"), None);
    let (mut store, ready) = place.open_as(&lists, true);
    assert!(ready.resumed && !ready.untold);
    put(&mut store, &page(2, b"x"));
    store.end(EndedBy::Completed).expect("the end");
    let (store, ready) = place.open_as(&lists, false);
    assert!(!ready.resumed && !ready.untold);
    drop(store);
    assert_eq!(place.rows("SELECT run_id, ended_by FROM runs"), ["1|completed", "2|completed", "3|-"]);
}

#[test]
fn the_runs_of_an_earlier_version_are_told_and_none_is_the_demos() {
    for (ended_by, told) in [("'completed'", "7"), ("'limit'", "3"), ("NULL", "3")] {
        let place = Place::new();
        let db = Connection::open(&place.path).expect("a file");
        let steps = ["schema.sql", "2.sql", "3.sql", "4.sql", "5.sql", "7.sql"];
        for step in steps {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(step);
            db.execute_batch(&std::fs::read_to_string(path).expect("a step")).expect("it can be taken");
        }
        db.execute_batch(&format!(
            "INSERT INTO run(run_id, started_at, ended_by, pid, last_at, seine_version, config) VALUES
               (3, 1, 'completed', 1, 2, '', '{{}}'), (7, 3, {ended_by}, 1, 4, '', '{{}}');
             PRAGMA application_id = 0x5e1e0001; PRAGMA user_version = 8;"
        ))
        .expect("rows");
        drop(db);
        drop(open_for_writing(&place.path).expect("it is brought up to date"));
        let db = open_for_reading(&place.path).expect("a store");
        assert_eq!(super::told::untold(&db).expect("an answer"), None, "{ended_by}");
        assert_eq!(place.rows("SELECT run_id FROM told_run"), [told]);
        assert_eq!(place.rows("SELECT DISTINCT demo FROM run"), ["0"]);
    }
}

#[test]
fn pulls_go_host_by_host_and_can_be_repeated() {
    let place = Place::new();
    let mut store = place.open();
    let urls: Vec<_> = (0..30).map(|n| line(n, &format!("https://h{}.example/{n}", n % 3))).collect();
    import(&mut store, &urls);
    let sweep = Pull { sweep: Some(next(0, &[])), per_host: 4, ..Pull::default() };
    let (hosts, reached) = store.pull(&sweep).expect("a pull");
    assert_eq!(reached, Some(2));
    let sizes: Vec<_> = hosts.iter().map(|host| (host.host.as_str(), host.urls.len(), host.more)).collect();
    assert_eq!(sizes, [("h0.example", 4, true), ("h1.example", 4, true)]);
    let last = hosts[0].urls[3].url_id;
    let (more, _) = store
        .pull(&Pull { refills: vec![(1, Position { rank: 0, url_id: last }, 100)], ..Pull::default() })
        .expect("a pull");
    assert_eq!((more[0].urls.len(), more[0].more), (6, false));
    let rest = Pull { sweep: Some(next(2, &[])), per_host: 4, ..Pull::default() };
    assert_eq!(store.pull(&rest).expect("a pull").1, None);
    let others = Pull { sweep: Some(next(0, &[1, 3])), per_host: 4, ..Pull::default() };
    let (hosts, reached) = store.pull(&others).expect("a pull");
    assert_eq!((hosts.len(), hosts[0].host.as_str(), reached), (1, "h1.example", None));
    let few = Sweep { urls: 3, ..next(0, &[]) };
    let (hosts, reached) = store.pull(&Pull { sweep: Some(few), per_host: 4, ..Pull::default() }).expect("a pull");
    assert_eq!((hosts.len(), hosts[0].urls.len(), reached), (1, 4, Some(1)), "no further host");
    let until = Sweep { until: 1, ..next(0, &[1]) };
    let (hosts, reached) = store.pull(&Pull { sweep: Some(until), ..Pull::default() }).expect("a pull");
    assert_eq!((hosts.len(), reached), (0, Some(1)));
}

/// Two hosts after `after`, but those of `but`.
fn next(after: HostId, but: &[HostId]) -> Sweep {
    Sweep { after, hosts: 2, urls: u32::MAX, but: but.to_vec(), until: HostId::MAX }
}

#[test]
fn a_retry_keeps_the_url_pending_with_its_attempts_and_due_time() {
    let place = Place::new();
    let mut store = place.open();
    import(&mut store, &[line(1, "https://a.example/")]);
    let (mut head, _) = page(1, b"");
    let failure = Some(Failure::new(ErrorClass::Timeout, "no answer within 30s"));
    head.ending = Ending::Retry { due_at: 5000, failure };
    let verdict = put(&mut store, &(head.clone(), Vec::new()));
    assert_eq!(verdict, Verdict::Again { due_at: 5000, class: Some(ErrorClass::Timeout) });
    let sweep = Pull { sweep: Some(next(0, &[])), per_host: 4, ..Pull::default() };
    let (hosts, _) = store.pull(&sweep).expect("a pull");
    assert_eq!((hosts[0].urls[0].attempts, hosts[0].urls[0].due_at), (1, 5000));
    head.ending = Ending::Final { outcome: Outcome::Failed, failure: Some(Failure::new(ErrorClass::Timeout, "again")) };
    head.hops = vec![Hop { url: "https://a.example/".into(), status: 302, cookies: 0, sets_cookie: false }];
    put(&mut store, &(head, Vec::new()));
    drop(store);
    assert_eq!(
        place.rows("SELECT outcome, error, error_message, attempts, redirects FROM pages"),
        [r#"failed|timeout|again|2|[["https://a.example/",302]]"#]
    );
}

#[test]
fn a_body_comes_back_byte_for_byte_and_the_same_bytes_are_stored_once() {
    let place = Place::new();
    let mut store = place.open();
    import(
        &mut store,
        &[line(1, "https://a.example/1"), line(2, "https://a.example/2"), line(3, "https://a.example/3")],
    );
    let body: Vec<u8> = (0..100_000_u32).flat_map(|n| n.wrapping_mul(n).to_le_bytes()).collect();
    // The first record of this body came from a run that kept none.
    let (head, _) = page(1, &body);
    put(&mut store, &(head, Vec::new()));
    put(&mut store, &page(2, &body));
    drop(store);
    assert_eq!(place.rows("SELECT count(*) FROM body"), ["1"]);
    let db = open_for_reading(&place.path).expect("a store");
    for url in ["https://a.example/1", "https://a.example/2"] {
        let mut out = Vec::new();
        crate::body::cat(&db, url, u64::MAX, &mut out).expect("a body");
        assert!(out == body);
    }
    let pending = crate::body::cat(&db, "https://a.example/3", u64::MAX, &mut Vec::new()).unwrap_err().to_string();
    assert!(pending.contains("pending"), "{pending}");
    let unknown = crate::body::cat(&db, "https://a.example/4", u64::MAX, &mut Vec::new()).unwrap_err().to_string();
    assert!(unknown.contains("not in this store"), "{unknown}");
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_as_it_is() {
    let place = Place::new();
    for bytes in [b"https://a.example/\n".to_vec(), vec![0; 5000], b"SQLite format 3\0garbage".to_vec()] {
        damage(&place.path, &bytes);
        assert!(open_for_writing(&place.path).is_err());
        assert!(open_for_reading(&place.path).is_err());
        assert!(std::fs::read(&place.path).expect("the file") == bytes, "a foreign file was changed");
    }
    std::fs::remove_file(&place.path).expect("the file");
    Connection::open(&place.path).and_then(|db| db.execute_batch("CREATE TABLE t(x)")).expect("a database");
    assert!(matches!(open_for_writing(&place.path), Err(StoreError::Foreign(..))));
}

#[test]
fn a_store_of_a_later_version_is_refused() {
    let place = Place::new();
    drop(place.open());
    Connection::open(&place.path).and_then(|db| db.pragma_update(None, "user_version", 99)).expect("a database");
    assert!(matches!(open_for_writing(&place.path), Err(StoreError::Newer { found: 99, .. })));
}

#[test]
fn statistics_of_a_moment_go_when_a_store_is_opened_for_writing_and_none_are_made() {
    let place = Place::new();
    let mut store = place.open();
    import(&mut store, &(1..=20_000).map(|n| line(n, &format!("https://a.example/{n}"))).collect::<Vec<_>>());
    store.end(EndedBy::Interrupted).expect("the end");
    let of_statistics = "SELECT name FROM sqlite_schema WHERE name LIKE 'sqlite_stat%'";
    assert!(place.rows(of_statistics).is_empty(), "a crawl makes none");
    // As earlier versions have left them, or a user.
    Connection::open(&place.path).expect("a store").execute_batch("ANALYZE").expect("statistics");
    assert!(!place.rows(of_statistics).is_empty());
    let plan = |db: &Connection| {
        let sql = "EXPLAIN QUERY PLAN SELECT * FROM url JOIN host ON host.host_id = url.host_id WHERE url.outcome = 0";
        let mut explain = db.prepare(sql).expect("a query");
        explain.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>().expect("a plan")
    };
    let of_another = plan(&open_for_writing(&Place::new().path).expect("a store"));
    let opened = open_for_writing(&place.path).expect("a store");
    assert_eq!(plan(&opened), of_another, "nothing of them is at hand any more");
    drop(opened);
    assert!(place.rows(of_statistics).is_empty());
}

#[test]
fn the_linked_sqlite_keeps_what_it_committed() {
    assert!(rusqlite::version_number() >= super::OLDEST_SQLITE, "{}", rusqlite::version());
}

/// The end of an attempt at the URL, `started_us` after the beginning of all.
fn attempt(url_id: UrlId, attempt: u16, started_us: u64, ending: Ending) -> (PageHead, Vec<u8>) {
    let (mut head, _) = page(url_id, b"");
    (head.requests[0].started_us, head.requests[0].status) = (head.requests[0].started_us + started_us, Some(503));
    (head.attempt, head.status, head.body, head.page, head.ending) = (attempt, Some(503), None, None, ending);
    (head, Vec::new())
}

fn failed() -> Ending {
    Ending::Final { outcome: Outcome::Failed, failure: Some(Failure::new(ErrorClass::Timeout, "no answer within 30s")) }
}

/// Three URLs of a finished run, of which the second failed and the third is no URL.
fn finished(place: &Place) {
    let mut store = place.open();
    import(&mut store, &[line(1, "https://a.example/1"), line(2, "https://a.example/2"), line(3, "bad")]);
    put(&mut store, &page(1, b"one"));
    put(&mut store, &attempt(2, 1, 500_000, failed()));
    store.end(EndedBy::Completed).expect("the end");
}

fn assert_counts_agree(place: &Place) {
    let fetches = place.rows("SELECT count(*) FROM history");
    let sums =
        place.rows("SELECT sum(ok + http_error + failed + rejected + quarantined + robots_denied + skipped) FROM runs");
    assert_eq!(fetches, sums);
    let db = open_for_reading(&place.path).expect("a store");
    let summary = read::summary(&db).expect("a summary");
    assert_eq!(summary.urls.to_string(), place.rows("SELECT count(*) FROM url")[0]);
}

fn make_pending(place: &Place, condition: &str) -> u64 {
    let matching = retry::count(&open_for_reading(&place.path).expect("a store"), condition).expect("a condition");
    let mut db = open_for_writing(&place.path).expect("a store");
    assert_eq!(retry::make_pending(&mut db, condition).expect("a retry"), matching);
    matching
}

#[test]
fn what_urls_had_that_are_made_pending_again_is_history() {
    let place = Place::new();
    finished(&place);
    assert_eq!(make_pending(&place, "error = 'timeout'"), 1);
    assert_eq!(make_pending(&place, "error = 'timeout'"), 0, "they have no outcome any more");
    assert_eq!(place.rows("SELECT outcome, attempts, forgiven FROM url WHERE url_id = 2"), ["-|1|1"]);
    assert_eq!(place.rows("SELECT fetched, failed, elapsed_ms FROM host"), ["1|1|14"]);
    assert_counts_agree(&place);
    let mut store = place.open();
    put(&mut store, &page(2, b"two"));
    store.end(EndedBy::Completed).expect("the end");
    assert_eq!(place.rows("SELECT urls, ok, failed, rejected, bytes FROM runs"), ["3|1|1|1|3", "0|1|0|0|3"]);
    assert_counts_agree(&place);
    assert_eq!(make_pending(&place, "1"), 2, "a rejected line stays one");
    assert_eq!(place.rows("SELECT count(*) FROM page_link"), ["0"]);
    assert_eq!(place.rows("SELECT sum(ok), sum(bytes), sum(rejected) FROM runs"), ["2|6|1"]);
    assert_counts_agree(&place);
}

#[test]
fn the_counts_of_an_unfinished_run_go_on_from_what_is_left() {
    let place = Place::new();
    let mut store = place.open();
    import(&mut store, &[line(1, "https://a.example/1"), line(2, "https://a.example/2")]);
    put(&mut store, &page(1, b"one"));
    store.end(EndedBy::Interrupted).expect("the end");
    assert_eq!(make_pending(&place, "outcome = 'ok' -- all of them"), 1);
    let (store, ready) = place.open_lists(&[]);
    assert_eq!((ready.pending, ready.done[Outcome::Ok as usize], ready.resumed), (2, 0, true));
    drop(store);
    assert_counts_agree(&place);
}

#[test]
fn a_condition_is_one_condition_and_harmless() {
    let place = Place::new();
    finished(&place);
    let db = open_for_reading(&place.path).expect("a store");
    for (condition, message) in [
        ("colour = 'red'", "no such column: colour"),
        ("error =", "incomplete input"),
        ("1)); DELETE FROM page; --", "syntax error"),
        ("1)); DELETE FROM page; /*", "syntax error"),
        ("1; DELETE FROM page", "one condition"),
        ("1)) OR ((1", "syntax error"),
        ("1); DELETE FROM page; --", "syntax error"),
        ("1) /*", "syntax error"),
        ("url = ?", "parameters"),
        ("json(title)", "malformed JSON"),
        ("", "incomplete input"),
    ] {
        let error = retry::count(&db, condition).expect_err(condition).to_string();
        assert!(error.contains(message), "{condition}: {error}");
    }
    assert_eq!(place.rows("SELECT count(*) FROM page"), ["3"]);
}

#[test]
fn the_life_of_a_url_has_every_part_of_it() {
    let place = Place::new();
    let mut store = place.open();
    import(&mut store, &[line(1, "https://a.example/%7Ex"), line(4, "https://A.example/~x#y"), line(5, "bad")]);
    let text = b"User-agent: *\nDisallow: /~x\n";
    let robots = RobotsHead {
        url_id: 1,
        generation: 1,
        origin: "https://a.example".into(),
        final_url: None,
        status: Some(200),
        failure: None,
        fetched_at: 1_700_000_000_000,
        bytes: text.len() as u64,
        crawl_delay_ms: Some(2000),
        sitemaps: None,
        found: Vec::new(),
        requests: Vec::new(),
        attempt: 1,
    };
    store
        .transaction(|store| store.robots(&robots, &zstd::bulk::compress(text, 1).expect("compression")))
        .expect("a robots.txt");
    let again = |due_at| Ending::Retry { due_at, failure: None };
    put(&mut store, &attempt(1, 1, 0, again(u64::MAX >> 1)));
    put(&mut store, &attempt(1, 2, 3_007_000, again(u64::MAX >> 1)));
    let db = open_for_reading(&place.path).expect("a store");
    let judge = |text: &[u8], agent: &str, url: &url::Url| {
        let decision = seine_page::robots::Robots::parse(text, agent).decide(url);
        life::RobotsVerdict { allowed: decision.allowed, rule: decision.rule, line: decision.line }
    };
    let life = |text: &str| life::life(&db, text, &judge).expect("an answer");
    let pending = life("https://a.example/~x").expect("a life");
    assert!(pending.is_equivalent && pending.ending.is_none());
    assert_eq!(pending.inputs.iter().map(|input| input.line).collect::<Vec<_>>(), [1, 4]);
    let found = pending.robots.expect("a robots.txt");
    assert_eq!((found.allowed, found.rule.as_deref(), found.line), (false, Some("Disallow: /~x"), Some(2)));
    assert_eq!(pending.pending.expect("it is pending").attempts, 2);
    let wait = life::Wait {
        before_attempt: 2,
        waited_ms: 3000,
        cause: life::WaitCause::HostHeld,
        after: Some("http_503".into()),
    };
    assert_eq!(pending.waits, [wait]);
    put(&mut store, &attempt(1, 3, 9_000_000, failed()));
    drop(store);
    assert_eq!(make_pending(&place, "outcome = 'failed'"), 1);
    let mut store = place.open();
    put(&mut store, &attempt(1, 4, 20_000_000, failed()));
    let ended = life("https://a.example/%7ex").expect("a life");
    assert_eq!(ended.waits.last().expect("a wait").cause, life::WaitCause::Retry);
    assert_eq!(ended.ending.expect("an end").error.as_deref(), Some("timeout"));
    assert_eq!(ended.requests.len(), 4);
    let rejected = life("bad").expect("a life");
    assert_eq!((rejected.host, rejected.ending.expect("an end").outcome.as_str()), (None, "rejected"));
    assert!(life("https://a.example/y").is_none() && life("worse").is_none());
}

#[test]
fn an_audit_finds_gaps_that_were_too_short() {
    let place = Place::new();
    let mut store = place.open();
    import(&mut store, &(1..=6).map(|n| line(n, &format!("https://a.example/{n}"))).collect::<Vec<_>>());
    // Each has 500 ms behind the one before, or what the clock's adjustment leaves of them.
    for (url_id, started_us) in [(3, 1_499_100), (1, 500_000), (2, 1_000_000)] {
        put(&mut store, &attempt(url_id, 1, started_us, failed()));
    }
    let audit = |shown| {
        let db = open_for_reading(&place.path).expect("a store");
        audit::audit(&db, shown).expect("an audit")
    };
    let fine = audit(5);
    assert!(fine.fine, "{fine:?}");
    assert_eq!((fine.requests, fine.hosts, fine.violations), (3, 1, 0));
    let host = &fine.tightest[0];
    assert_eq!((host.smallest_gap_us, host.limit_us), (Some(499_100), Some(500_000)));
    assert_eq!((host.largest_rate, host.most_in_flight), (3, 1));
    assert!(audit(0).tightest.is_empty());
    // The limit that counts is that of the later one.
    let (mut head, zstd) = attempt(4, 1, 1_600_000, failed());
    head.requests[0].gap_ms = 50;
    put(&mut store, &(head, zstd));
    assert!(audit(5).fine);
    put(&mut store, &attempt(5, 1, 2_098_000, failed()));
    let short = audit(5);
    assert!(!short.fine);
    assert_eq!(short.violations, 1);
    let violation = &short.shown_violations[0];
    assert_eq!((violation.gap_us, violation.limit_us), (498_000, 500_000));
    assert_eq!(violation.url.as_deref(), Some("https://a.example/5"));
    assert_eq!(short.completeness.lines_pending, 1);
}

#[test]
fn an_audit_finds_what_is_missing() {
    for (sql, broken) in [
        ("DELETE FROM page WHERE url_id = 1", "without_page"),
        ("UPDATE url SET outcome = NULL WHERE url_id = 1", "stray_pages"),
        ("DELETE FROM url WHERE url_id = 1", "lines"),
        ("UPDATE total SET urls = urls + 1 WHERE outcome = 0", "counted"),
    ] {
        let place = Place::new();
        finished(&place);
        let audit = || audit::audit(&open_for_reading(&place.path).expect("a store"), 1).expect("an audit");
        assert!(audit().fine);
        Connection::open(&place.path)
            .and_then(|db| db.execute_batch(&format!("PRAGMA foreign_keys = off; {sql}")))
            .expect("damage");
        assert!(!audit().fine, "{broken}");
    }
}

#[test]
fn an_audit_holds_the_rate_of_all_hosts_against_its_limit() {
    let place = Place::new();
    let session = Session {
        pid: 1,
        config: r#"{"rate":"2/s"}"#.into(),
        lists: Vec::new(),
        collections: Vec::new(),
        again: super::insert::Again { only: crate::insert::Only::New, fetched_before: u64::MAX >> 1, revisit: None },
        keep: super::versions::Keep { versions: 3, since: 0 },
        requests_since: 0,
        reading: [0; 16],
        processors: Vec::new(),
        finishes_untold: false,
        is_demo: false,
        follow: None,
        order: None,
    };
    let (mut store, _) = Store::open(&place.path, &session).expect("a store");
    let mut largest = Vec::new();
    for (n, started_us) in [(1, 0), (2, 500_000), (3, 1_000_000), (4, 1_200_000), (5, 1_400_000)] {
        let (mut head, zstd) = attempt(n, 1, started_us, failed());
        head.requests[0].host = format!("h{n}.example");
        put(&mut store, &(head, zstd));
        let audit = audit::audit(&open_for_reading(&place.path).expect("a store"), 1).expect("an audit");
        let rate = audit.rate.expect("a limit");
        assert_eq!((rate.limit.as_str(), rate.allowed), ("2/s", 3));
        assert_eq!(rate.is_fine(), n < 5);
        largest.push(rate.largest);
    }
    assert_eq!(largest, [1, 2, 2, 3, 4]);
}

#[test]
fn a_store_whose_making_was_cut_short_is_made_again() {
    let place = Place::new();
    drop(place.open());
    let page = std::fs::read(&place.path).expect("the store")[..4096].to_vec();
    std::fs::remove_file(&place.path).expect("a file of ours");
    // As a killed process leaves it: the first page is there, and a journal that says there was none.
    let mut journal = place.path.clone().into_os_string();
    journal.push("-journal");
    let journal = std::path::PathBuf::from(journal);
    let mut hot = vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    // No pages, any nonce, a database of 0 pages, sectors of 512 and pages of 4096 bytes.
    for number in [0_u32, 1, 0, 512, 4096] {
        hot.extend(number.to_be_bytes());
    }
    hot.resize(512, 0);
    std::fs::write(&place.path, page).expect("a file");
    std::fs::write(&journal, hot).expect("a file");
    drop(place.open());
    let header = std::fs::read(&place.path).expect("the store");
    assert_eq!(header[68..72], super::APPLICATION_ID.to_be_bytes());
    drop(place.open());
}

#[test]
fn a_store_of_an_earlier_version_knows_its_urls() {
    // Up to version 5 a hash of kind and text; in 6 four bytes of the host's before it.
    let plain =
        |_: &str, kind: &str, text: &str| blake3::hash(format!("{kind}{text}").as_bytes()).to_hex()[..32].to_owned();
    let grouped = |host: &str, kind: &str, text: &str| {
        format!("{}{}", &blake3::hash(host.as_bytes()).to_hex()[..8], &plain(host, kind, text)[..24])
    };
    let steps = [include_str!("../3.sql"), include_str!("../4.sql"), include_str!("../5.sql")].concat();
    knows_its_urls(2, "", &plain);
    knows_its_urls(5, &steps, &plain);
    knows_its_urls(6, &steps, &grouped);
}

fn knows_its_urls(version: u32, steps: &str, key: &dyn Fn(&str, &str, &str) -> String) {
    let place = Place::new();
    let db = Connection::open(&place.path).expect("a file");
    db.execute_batch(concat!(include_str!("../schema.sql"), include_str!("../2.sql"))).expect("version 2");
    db.execute_batch(steps).expect("the version");
    db.execute_batch(&format!(
        "INSERT INTO run(run_id, started_at, ended_by, pid, last_at, seine_version, config) VALUES (1, 1, 'completed', 1, 2, '', '{{}}');
         INSERT INTO host(host_id, name) VALUES (1, 'a.example');
         INSERT INTO url(url_id, key, url, host_id, outcome) VALUES
           (1, x'{}', 'https://a.example/~x', 1, NULL), (2, x'{}', 'not a URL', NULL, 3), (3, x'{}', 'https://a.example/%7Ey', 1, NULL),
           (4, x'{}', 'https://a.example/%7Ex', 1, NULL), (9, zeroblob(16), 'gone', NULL, 3);
         DELETE FROM url WHERE url_id = 9;
         INSERT INTO page(url_id, run_id, error, fetched_at) VALUES (2, 1, 'rejected', 5);
         CREATE VIEW mine AS SELECT url_id, url FROM url WHERE outcome IS NULL;
         PRAGMA application_id = 0x5e1e0001; PRAGMA user_version = {version};",
        key("a.example", "u", "https://a.example/~x"),
        key("", "r", "not a URL"),
        key("a.example", "u", "https://a.example/~y"),
        // Has become one with the first, and had lost its key to it.
        &blake3::hash(b"uhttps://a.example/%7Ex").to_hex()[..32],
    ))
    .expect("rows");
    drop(db);
    let mut store = place.open();
    let urls = ["https://a.example/%7ex", "not a URL", "https://a.example/~y", "https://a.example/new"];
    let lines: Vec<_> = (1..).zip(urls).map(|(number, url)| line(number, url)).collect();
    assert_eq!(import(&mut store, &lines).new, 1, "version {version}");
    drop(store);
    assert_eq!(place.rows("SELECT line, url_id FROM input WHERE line < 4 ORDER BY line"), ["1|1", "2|2", "3|3"]);
    assert_eq!(place.rows("SELECT DISTINCT typeof(key), length(key) FROM url"), ["blob|12"]);
    assert_eq!(place.rows("SELECT url_id FROM url WHERE host_id = 0"), ["2"]);
    assert_eq!(place.rows("SELECT max(url_id) > 9 FROM url"), ["1"], "9 was given before");
    assert_eq!(place.rows("SELECT url FROM mine WHERE url_id < 3"), ["https://a.example/~x"], "a view of the user's");
}

#[test]
fn a_store_of_an_earlier_version_keeps_its_pages() {
    let place = Place::new();
    let db = Connection::open(&place.path).expect("a file");
    db.execute_batch(concat!(include_str!("../schema.sql"), include_str!("../2.sql"))).expect("version 2");
    db.execute_batch(
        "INSERT INTO run(run_id, started_at, ended_by, pid, last_at, seine_version, config) VALUES (1, 1, 'completed', 1, 2, '', '{}');
         INSERT INTO host(host_id, name) VALUES (1, 'a.example');
         INSERT INTO url(url_id, key, url, host_id, outcome, attempts) VALUES
           (1, x'01', 'https://a.example/1', 1, 0, 1), (2, x'02', 'https://a.example/2', 1, 2, 3), (3, x'03', 'https://a.example/3', 1, NULL, 0);
         INSERT INTO page(url_id, run_id, status, title, fetched_at) VALUES (1, 1, 200, 't', 5), (2, 1, NULL, NULL, 6);
         PRAGMA application_id = 0x5e1e0001; PRAGMA user_version = 2;",
    )
    .expect("rows");
    drop(db);
    drop(place.open());
    assert_eq!(
        place.rows("SELECT url, outcome, title, run_id FROM pages"),
        ["https://a.example/1|ok|t|1", "https://a.example/2|failed|-|1"]
    );
    assert_eq!(place.rows("SELECT outcome, urls FROM total"), ["0|1", "2|1"]);
    assert_eq!(place.rows("SELECT url_id, attempt FROM page"), ["1|1", "2|3"]);
    assert_eq!(place.rows("SELECT count(*) FROM history"), ["2"]);
}

#[test]
fn a_store_of_version_10_knows_its_bodies_and_what_is_pending() {
    let place = Place::new();
    let db = Connection::open(&place.path).expect("a file");
    let steps = [
        include_str!("../schema.sql"),
        include_str!("../2.sql"),
        include_str!("../3.sql"),
        include_str!("../4.sql"),
        include_str!("../5.sql"),
        include_str!("../7.sql"),
        include_str!("../9.sql"),
        include_str!("../10.sql"),
    ];
    db.execute_batch(&steps.concat()).expect("version 10");
    let CrawlUrl { key, .. } = CrawlUrl::parse("https://a.example/1").expect("a URL");
    let body = b"the same";
    db.execute(
        "INSERT INTO url(url_id, key, url, host_id, outcome) VALUES
           (1, ?1, 'https://a.example/1', 1, NULL), (2, x'02', 'https://a.example/2', 1, 0)",
        [key],
    )
    .expect("URLs");
    db.execute("INSERT INTO body(body_id, hash, bytes) VALUES (7, ?1, 8)", [blake3::hash(body).as_bytes()])
        .expect("a body");
    db.execute_batch(
        "WITH n(i) AS (VALUES (100) UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
           INSERT INTO body(body_id, hash, bytes) SELECT i, randomblob(32), 1 FROM n;
         INSERT INTO host(host_id, name) VALUES (1, 'a.example');
         INSERT INTO run(run_id, started_at, pid, last_at, seine_version, config) VALUES (1, 1, 1, 2, '', '{}');
         PRAGMA application_id = 0x5e1e0001; PRAGMA user_version = 10;",
    )
    .expect("rows");
    drop(db);
    let mut store = place.open();
    assert_eq!(store.pending(), 1);
    let (head, zstd) = page(1, body);
    store.transaction(|store| store.page(&head, &zstd)).expect("a page");
    assert_eq!(store.pending(), 0);
    drop(store);
    assert_eq!(place.rows("SELECT p.body_id, b.zstd IS NOT NULL FROM page p JOIN body b USING(body_id)"), ["7|1"]);
    assert_eq!(place.rows("SELECT count(*) FROM body_key"), ["1902"]);
    assert_eq!(place.rows("SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'body'"), [""; 0]);
    assert_eq!(place.rows("PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn a_body_is_stored_once_wherever_its_key_is_and_after_a_transaction_that_failed() {
    let place = Place::new();
    let mut store = place.open();
    store.tidy_at_once();
    let urls = (1..=9).map(|number| line(number, &format!("https://a.example/{number}"))).collect::<Vec<_>>();
    import(&mut store, &urls);
    let put = |store: &mut Store, url_id: UrlId, body: &str| {
        let (head, zstd) = page(url_id, body.as_bytes());
        store.transaction(|store| store.page(&head, &zstd)).expect("a page");
    };
    for (url_id, body) in [(1, "a"), (2, "b"), (3, "c"), (4, "a"), (5, "c")] {
        put(&mut store, url_id, body);
    }
    let (head, zstd) = page(6, b"d");
    let failed: Result<(), _> = store.transaction(|store| {
        store.page(&head, &zstd)?;
        Err(StoreError::Full("no room".into()))
    });
    assert!(failed.is_err());
    for (url_id, body) in [(6, "d"), (7, "d"), (8, "b"), (9, "a")] {
        put(&mut store, url_id, body);
    }
    assert_eq!(store.pending(), 0);
    drop(store);
    assert_eq!(place.rows("SELECT count(*), count(DISTINCT hash) FROM body"), ["4|4"]);
    assert_eq!(place.rows("SELECT (SELECT count(*) FROM new_body) + (SELECT count(*) FROM body_key)"), ["4"]);
    assert_eq!(place.rows("SELECT count(*) FROM url WHERE in_frontier AND url_id NOT IN ended_url"), ["0"]);
    // Whoever writes next leaves nothing in the frontier that has ended.
    drop(place.open());
    assert_eq!(
        place.rows("SELECT (SELECT count(*) FROM ended_url), (SELECT count(*) FROM url WHERE in_frontier)"),
        ["0|0"]
    );
}

#[test]
fn rules_refuse_the_names_that_the_store_has_taken() {
    let place = Place::new();
    let store = place.open();
    drop(store);
    let db = open_for_reading(&place.path).expect("a store");
    let mut names = db
        .prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")
        .expect("a query");
    let names: Vec<String> =
        names.query_map([], |row| row.get(0)).expect("rows").collect::<Result<_, _>>().expect("names");
    assert_eq!(seine_page::extract::rules::RESERVED_NAMES.to_vec(), names);
}
