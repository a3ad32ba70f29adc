//! The pages of archives are taken as those of the network are, without it: each once, whatever happens.

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use crate::support::{Dice, Place, Reply, Signal, Site, within};
use flate2::Compression;
use flate2::write::GzEncoder;

fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes.as_ref()).unwrap();
    encoder.finish().unwrap()
}

/// A record with further WARC fields, each on a line of its own.
fn record(kind: &str, url: &str, fields: &str, block: impl AsRef<[u8]>) -> Vec<u8> {
    let block = block.as_ref();
    let mut record = format!(
        "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2024-05-01T10:00:00Z\r\n\
         {fields}Content-Length: {}\r\n\r\n",
        block.len()
    )
    .into_bytes();
    record.extend_from_slice(block);
    record.extend_from_slice(b"\r\n\r\n");
    record
}

fn answer(head: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    [head.replace('\n', "\r\n").as_bytes(), b"\r\n\r\n", body.as_ref()].concat()
}

fn page(title: &str) -> Vec<u8> {
    let body = format!("<title>{title}</title><a href=/next>next</a>");
    answer(&format!("HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: {}", body.len()), body)
}

fn response(url: &str, block: impl AsRef<[u8]>) -> Vec<u8> {
    record("response", url, "Content-Type: application/http; msgtype=response\r\n", block)
}

fn archive(records: &[Vec<u8>]) -> Vec<u8> {
    records.iter().flat_map(gzip).collect()
}

#[test]
fn pages_of_an_archive_are_recorded_as_if_the_sites_had_just_sent_them() {
    let place = Place::new();
    let html = "<title>T</title><p>some text that is long enough";
    let payload = "WARC-Payload-Digest: sha1:AAAA\r\n";
    let records = [
        record("warcinfo", "", "", "software: none"),
        record("request", "http://a.test/", "", "GET / HTTP/1.1\r\n\r\n"),
        record("response", "http://a.test/", payload, page("one")),
        response(
            "http://a.test/gzip",
            answer("HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Encoding: gzip", gzip(html)),
        ),
        response(
            "http://a.test/undone",
            answer("HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Encoding: gzip", html),
        ),
        response(
            "http://a.test/br-undone",
            answer("HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Encoding: br", html),
        ),
        response(
            "http://a.test/chunked",
            answer(
                "HTTP/1.1 200 OK\nContent-Type: text/html\nTransfer-Encoding: chunked",
                "10\r\n<title>T</title>\r\n0\r\n\r\n",
            ),
        ),
        response(
            "http://a.test/renamed",
            answer(
                "HTTP/1.1 200\nContent-Type: text/html; charset=iso-8859-1\nX-Crawler-Content-Encoding: gzip",
                b"<title>\xe4</title>",
            ),
        ),
        response("http://b.test/gone", answer("HTTP/2 404 \nContent-Type: text/plain", "gone")),
        response("http://b.test/moved", answer("HTTP/1.1 301 Moved\nLocation: http://c.test/", "")),
        response("http://b.test/busy", answer("HTTP/1.1 503 Busy\nRetry-After: 1000", "")),
        record("resource", "https://b.test/data", "Content-Type: application/json\r\n", "{}"),
        record("revisit", "http://b.test/again", payload, answer("HTTP/1.1 200 OK", "")),
        record("revisit", "http://b.test/lost", payload, answer("HTTP/1.1 404 No\nContent-Type: text/html", "")),
        record("revisit", "http://b.test/lone", "WARC-Payload-Digest: sha1:BBBB\r\n", answer("HTTP/1.1 200 OK", "")),
        response("http://a.test/", page("another")),
        record("metadata", "http://a.test/", "", "x"),
        response("dns:a.test", "a.test A 127.0.0.1"),
    ];
    for (name, bytes) in [("a.warc.gz", archive(&records)), ("a.warc", records.concat())] {
        place.write(name, bytes);
        let db = format!("{name}.db");
        let ended = place.crawl(&["--from-warc", name, "--db", &db, "--json"]).run().expect(0);
        let ended = ended.says("1 revisit records refer to no response");
        let summary = ended.json();
        assert_eq!((&summary["lines"], &summary["urls"]), (&13.into(), &12.into()), "one URL is there twice");
        let store = crate::support::Store::open(&place.path(&db));
        assert_eq!(
            store.rows("SELECT url, outcome, status, title, charset, attempts FROM pages ORDER BY url"),
            [
                "http://a.test/|ok|200|one|UTF-8|0",
                "http://a.test/br-undone|ok|200|T|UTF-8|0",
                "http://a.test/chunked|ok|200|T|UTF-8|0",
                "http://a.test/gzip|ok|200|T|UTF-8|0",
                "http://a.test/renamed|ok|200|ä|windows-1252|0",
                "http://a.test/undone|ok|200|T|UTF-8|0",
                "http://b.test/again|ok|200|one|UTF-8|0",
                "http://b.test/busy|http_error|503|-|-|0",
                "http://b.test/gone|http_error|404|-|-|0",
                "http://b.test/lost|http_error|404|one|UTF-8|0",
                "http://b.test/moved|http_error|301|-|-|0",
                "https://b.test/data|ok|200|-|-|0",
            ],
            "{name}"
        );
        assert_eq!(store.rows("SELECT DISTINCT fetched_at FROM pages"), ["2024-05-01T10:00:00.000Z"]);
        assert_eq!(store.number("SELECT count(*) FROM requests"), 0, "nobody was asked for anything");
        assert_eq!(store.number("SELECT line FROM inputs WHERE raw_url = 'http://b.test/again'"), 13, "{name}");
        store.assert_sound();
        place.seine(&["audit", &db]).run().expect(0);
        let cat = place.seine(&["cat", &db, "http://a.test/gzip"]).run().expect(0);
        assert_eq!(String::from_utf8_lossy(&cat.stdout), html);
    }
}

#[test]
fn import_is_a_crawl_of_archives_alone() {
    let place = Place::new();
    place.write("a.warc.gz", archive(&[response("http://a.test/", page("one"))]));
    place.write(
        "b.warc.gz",
        archive(&[response("http://b.test/", page("two")), response("http://a.test/", page("no"))]),
    );
    place.write("c.toml", "inputs = ['nowhere.txt']\nmetadata = true");
    place.seine(&["import", "a.warc.gz", "b.warc.gz", "--config", "c.toml"]).run().expect(0);
    assert_eq!(place.store().rows("SELECT title FROM pages ORDER BY url"), ["one", "two"]);
    // Nothing is left to do, and nothing is done twice.
    place.seine(&["import", "a.warc.gz", "b.warc.gz"]).run().expect(0);
    assert_eq!(place.store().number("SELECT count(*) FROM runs"), 1);
    place.seine(&["import"]).run().expect(2);
    place.seine(&["retry", "crawl.db", "--where", "title = 'two'"]).run().expect(0);
    assert_eq!(place.store().rows("SELECT title, run_id FROM pages ORDER BY url"), ["one|1", "two|2"]);
}

#[test]
fn what_is_damaged_is_a_failed_url_and_the_rest_is_read() {
    let place = Place::new();
    let noise = Dice::of(7).noise(60_000);
    let long = answer("HTTP/1.1 200 OK\nContent-Type: application/octet-stream", &noise);
    let mut damaged = gzip(response("http://a.test/damaged", &long));
    let middle = damaged.len() / 2;
    damaged[middle..middle + 100].fill(0);
    let cut = gzip(response("http://a.test/cut", &long));
    let bytes = [
        gzip(response("http://a.test/good", page("good"))),
        damaged,
        gzip(response("http://a.test/no-http", "hello")),
        gzip(response("http://a.test/short", answer("HTTP/1.1 200 OK\nContent-Length: 9", "abc"))),
        gzip(record("response", "http://a.test/truncated", "WARC-Truncated: length\r\n", page("t"))),
        gzip(response(
            "http://a.test/bad-gzip",
            answer("HTTP/1.1 200 OK\nContent-Encoding: gzip", b"\x1f\x8b\x08nonsense"),
        )),
        gzip(response("http://a.test/large", answer("HTTP/1.1 200 OK", vec![b'x'; 200_000]))),
        gzip(response("http://a.test/fine", page("fine"))),
        cut[..cut.len() / 2].to_vec(),
    ];
    place.write("a.warc.gz", bytes.concat());
    let ended = place.crawl(&["--from-warc", "a.warc.gz", "--max-body", "100KB"]).run().expect(2);
    let (first, last) = (bytes[0].len(), bytes.concat().len() - bytes[8].len());
    ended
        .says(&format!("2 places are damaged: at byte {first} (http://a.test/damaged): the gzip data"))
        .says(&format!("at byte {last} (http://a.test/cut): the archive ends within the record"));
    let store = place.store();
    assert_eq!(
        store.rows("SELECT substr(url, 15), outcome, error FROM pages ORDER BY url"),
        [
            "bad-gzip|failed|encoding",
            "cut|failed|truncated",
            "damaged|failed|encoding",
            "fine|ok|-",
            "good|ok|-",
            "large|failed|too_large",
            "no-http|failed|protocol",
            "short|failed|truncated",
            "truncated|failed|truncated",
        ]
    );
    let at = bytes[0].len();
    let message = store.row("SELECT error_message FROM pages WHERE url LIKE '%damaged'");
    assert!(message.contains(&format!("record at byte {at} of ")), "{message}");
    store.assert_sound();
}

#[test]
fn a_record_nobody_can_name_makes_the_archive_a_damaged_list() {
    let place = Place::new();
    let first = gzip(response("http://a.test/one", page("one")));
    let mut second = gzip(response("http://a.test/two", page("two")));
    second[3..40].fill(0xff);
    let third = gzip(response("http://a.test/three", page("three")));
    place.write("a.warc.gz", [&first[..], &second, &third].concat());
    let ended = place.seine(&["import", "a.warc.gz"]).run().expect(2);
    ended.says(&format!("at byte {}", first.len()));
    assert_eq!(place.store().rows("SELECT title FROM pages ORDER BY url"), ["one", "three"]);
    for (name, bytes) in [
        (
            "one-piece.warc.gz",
            gzip([response("http://a.test/", page("a")), response("http://b.test/", page("b"))].concat()),
        ),
        ("list.warc", b"http://a.test/\n".to_vec()),
        ("empty.warc", Vec::new()),
    ] {
        place.write(name, bytes);
        place.seine(&["import", name, "--db", "none.db"]).run().expect(2).says(name);
    }
    assert!(!place.path("none.db").exists());
}

/// How a record is compressed.
type Pack = fn(&[u8]) -> Vec<u8>;

/// The same record with another length.
fn lying(record: &[u8], by: i64) -> Vec<u8> {
    let text = String::from_utf8_lossy(record).into_owned();
    let (before, after) = text.split_once("Content-Length: ").unwrap();
    let (length, rest) = after.split_once("\r\n").unwrap();
    format!("{before}Content-Length: {}\r\n{rest}", length.parse::<i64>().unwrap() + by).into_bytes()
}

#[test]
fn a_length_that_lies_or_a_cut_is_told_and_costs_no_other_record() {
    let packings: [(&str, Pack); 3] = [
        ("a.warc", <[u8]>::to_vec),
        ("a.warc.gz", |bytes| gzip(bytes)),
        ("a.warc.zst", |bytes| zstd::encode_all(bytes, 3).unwrap()),
    ];
    let of = |name: &str| response(&format!("http://a.test/{name}"), page(name));
    for (name, pack) in packings {
        for by in [1_000_000, 300, -20, 2, -1, 4] {
            let place = Place::new();
            let first = pack(&of("one"));
            let bytes = [first.clone(), pack(&lying(&of("two"), by)), pack(&of("three")), pack(&of("four"))];
            place.write(name, bytes.concat());
            let ended = place.seine(&["import", name, "--json"]).run().expect(2);
            let place_of_it = format!("1 place is damaged: at byte {} (http://a.test/two): the ", first.len());
            let ended = ended.says(&place_of_it);
            assert!(ended.json()["list_failures"][0].as_str().is_some_and(|text| text.contains(&place_of_it)));
            let store = place.store();
            assert_eq!(
                store.rows("SELECT substr(url, 15), outcome, title, error FROM pages ORDER BY url"),
                ["four|ok|four|-", "one|ok|one|-", "three|ok|three|-", "two|failed|-|truncated"],
                "{name} {by}"
            );
            store.assert_sound();
        }
        // Cut within its last record, be it within the line ends behind it.
        let whole = [pack(&of("one")), pack(&of("two"))];
        for cut in [whole[1].len() / 2, whole[1].len() / 4, 3] {
            let place = Place::new();
            place.write(name, &whole.concat()[..whole[0].len() + whole[1].len() - cut]);
            let ended = place.seine(&["import", name]).run().expect(2);
            ended.says(&format!("at byte {}", whole[0].len())).says("the archive ends within the record");
            assert_eq!(place.store().row("SELECT title FROM pages WHERE outcome = 'ok' AND url LIKE '%/one'"), "one");
        }
        // A page that is an archive is a page.
        let place = Place::new();
        let inner = [of("inner"), of("other")].concat();
        let block = answer("HTTP/1.1 200 OK\nContent-Type: text/plain", &inner);
        place.write(name, [pack(&response("http://a.test/outer", block)), pack(&of("last"))].concat());
        place.seine(&["import", name]).run().expect(0);
        assert_eq!(place.store().rows("SELECT substr(url, 15) FROM pages ORDER BY 1"), ["last", "outer"]);
    }
}

#[test]
fn archives_and_lists_go_together_and_what_is_archived_is_not_asked_for() {
    let site = Site::new(|request| Reply::page(&format!("live {}", request.path)));
    let place = Place::new();
    place.list("urls.txt", site.urls(3));
    let archived = site.urls(2).into_iter().chain(["http://archived.test/".to_owned()]);
    let records: Vec<_> = archived.map(|url| response(&url, page("archived"))).collect();
    place.write("a.warc.gz", archive(&records));
    place.crawl(&["urls.txt", "--from-warc", "a.warc.gz"]).run().expect(0);
    assert_eq!(site.count(), 1);
    let titles = "SELECT count(*) FILTER (title = 'archived'), count(*) FILTER (title LIKE 'live%') FROM pages";
    assert_eq!(place.store().row(&titles.replace("FILTER (", "FILTER (WHERE ")), "3|1");
}

#[test]
fn an_archive_is_read_without_regard_for_pace_and_without_any_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let place = Place::new();
    // What the archive says of the host is long past.
    let busy = answer("HTTP/1.1 503 Busy\nRetry-After: 1000", "");
    let block = |n| if n % 2 == 0 { page(&format!("page {n}")) } else { busy.clone() };
    let records: Vec<_> = (0..500).map(|n| response(&format!("http://127.0.0.1:{port}/{n}"), block(n))).collect();
    place.write("a.warc.gz", archive(&records));
    let arguments = ["--from-warc", "a.warc.gz", "--delay", "10s", "--rate", "1/s", "--host-failures", "2"];
    let ended = place.obedient_crawl(&arguments).run().expect(0);
    assert!(ended.elapsed < Duration::from_secs(20), "{:?}", ended.elapsed);
    assert_eq!(
        place.store().rows("SELECT outcome, error, count(*) FROM pages GROUP BY 1, 2 ORDER BY 1"),
        ["http_error|-|250", "ok|-|250"]
    );
    assert!(listener.accept().is_err(), "somebody has connected");
}

const HOSTS: usize = 4;
const PAGES: usize = 2000;

fn large_archive(place: &Place) {
    let records: Vec<_> = (0..PAGES)
        .map(|n| {
            let text = "<p>Some text that makes a page of it.".repeat(20 + n % 50);
            let body = format!("<title>{n}</title><a href=/next/{n}>next</a>{text}");
            let head = format!("HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: {}", body.len());
            response(&format!("http://h{}.test/{n}", n % HOSTS), answer(&head, body))
        })
        .collect();
    place.write("a.warc.gz", archive(&records));
}

fn assert_complete(place: &Place) {
    let store = place.store();
    let counts =
        store.row("SELECT count(*), count(DISTINCT url), count(DISTINCT title) FROM pages WHERE outcome = 'ok'");
    assert_eq!(counts, format!("{PAGES}|{PAGES}|{PAGES}"));
    assert_eq!(store.number("SELECT count(*) FROM links"), PAGES as i64);
    store.assert_sound();
}

#[test]
fn killed_fetchers_and_writers_lose_no_archived_page() {
    let (place, mut dice) = (Place::new(), Dice::new());
    large_archive(&place);
    let mut running = place.crawl(&["--from-warc", "a.warc.gz"]).start();
    let mut kills = 0;
    while kills < 4 && !within(dice.millis(50, 400), || running.has_ended()) {
        let role = if kills == 2 { running.find("writer") } else { running.fetchers().into_iter().next() };
        if let Some(victim) = role {
            victim.signal(Signal::SIGKILL);
            kills += 1;
        }
    }
    println!("{kills} kills");
    running.wait().expect(0);
    assert_complete(&place);
    assert!(kills > 0, "it was over before anybody was killed");
}

#[test]
fn a_killed_import_goes_on_where_it_was_from_any_folder() {
    let (place, mut dice) = (Place::new(), Dice::new());
    large_archive(&place);
    let mut kills = 0;
    for _ in 0..3 {
        let mut running = place.crawl(&["--from-warc", "a.warc.gz"]).start();
        if within(dice.millis(200, 700), || running.has_ended()) {
            running.wait().expect(0);
            break;
        }
        running.kill_supervisor();
        kills += 1;
    }
    println!("{kills} kills");
    place.crawl(&["--from-warc", "a.warc.gz", "--limit", "100"]).run();
    // The store knows where the archive is.
    let elsewhere = Place::new();
    let db = place.db();
    elsewhere.crawl(&["--db", "none"]).db(&db).run().expect(0);
    place.crawl(&["--from-warc", "a.warc.gz"]).run().expect(0);
    assert_complete(&place);
}
