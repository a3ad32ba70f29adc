//! `seine export` and `seine sql`, as a user runs them.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Place, Reply, Signal, Site, eventually};
use rusqlite::params;
use seine_core::record::items::{Collection, Field, FieldType};
use seine_store::{collections, open_for_writing};
use serde_json::{Value, json};

/// Never ends, and writes all the time.
const ENDLESS: &str =
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n, hex(zeroblob(500)) FROM c";

/// A crawled list with columns of its own: a page, the same body again, a redirect, an error, a duplicate, a rejected
/// line.
fn crawled() -> (Place, Site) {
    let site = Site::new(|request| match request.path.as_str() {
        "/a" | "/same" => Reply::html("<title>A, \"quoted\"</title><a href=/b>b</a>"),
        "/b" => Reply::html("<title>=1+1</title><a href=/a>a</a>"),
        "/moved" => Reply::redirect(301, "/b"),
        "/robots.txt" => Reply::status(404),
        _ => Reply::status(404).body("no such page"),
    });
    let place = Place::new();
    let lines = [
        ("a", "1", ""),
        ("same", "2", "x, y"),
        ("moved", "3", "-3"),
        ("none", "4", ""),
        ("a", "5", "again"),
        ("b", "6", ""),
    ];
    let rows: String =
        lines.iter().map(|(path, sku, note)| format!("{},{sku},\"{note}\"\n", site.url(&format!("/{path}")))).collect();
    place.write("urls.csv", format!("url,sku,title\n{rows}nonsense,7,\n"));
    place.obedient_crawl(&["urls.csv"]).run().expect(0);
    (place, site)
}

fn export(place: &Place, arguments: &[&str]) -> Vec<u8> {
    place.seine(&["export", "crawl.db"]).args(arguments).run().expect(0).stdout
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
}

fn objects(bytes: &[u8]) -> Vec<Value> {
    lines(bytes)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

fn partials(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.path("")).expect("a folder");
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.contains(".partial")).collect()
}

#[test]
fn rows_go_back_to_the_lines_they_came_from() {
    let (place, site) = crawled();
    let all = lines(&export(&place, &[]));
    assert!(
        all[0].ends_with(",metadata,text,markdown,changed,kind,found_on,lastmod,same_as,soft_404,sku,input_title"),
        "{}",
        all[0]
    );
    assert_eq!(all.len(), 1 + 6, "a row for each URL");
    let chosen = ["--columns", "sku,input_line,outcome,status,input_title", "--order-by", "input"];
    assert_eq!(
        lines(&export(&place, &chosen)),
        [
            "sku,input_line,outcome,status,input_title",
            "1,2,ok,200,\"\"",
            "2,3,ok,200,\"x, y\"",
            "3,4,ok,200,-3",
            "4,5,http_error,404,\"\"",
            "5,6,ok,200,again",
            "6,7,ok,200,\"\"",
            "7,8,rejected,,\"\"",
        ]
    );
    let found = objects(&export(&place, &["--format", "jsonl", "--where", "status = 200 AND url LIKE '%/moved'"]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["input_columns"], json!({"sku": "3", "title": "-3"}));
    assert_eq!(found[0]["redirects"], json!([[site.url("/moved"), 301]]));
    assert_eq!(found[0]["status"], json!(200));
    let safe = ["--columns", "title,sku", "--where", "input_columns ->> 'sku' = '6'", "--spreadsheet-safe", "--bom"];
    assert_eq!(export(&place, &safe), "\u{feff}title,sku\r\n\"'=1+1\",6\r\n".as_bytes());
}

#[test]
fn every_table_goes_into_every_format() {
    let (place, _site) = crawled();
    let tables = "pages,links,items,inputs,attempts,requests,runs,robots_files,extract_problems,field_rates,tables";
    for format in ["csv", "tsv", "json", "jsonl", "parquet"] {
        let folder = format!("{format}/");
        place.seine(&["export", "crawl.db", "--table", tables, "--format", format, "-o", &folder]).run().expect(0);
        assert_eq!(fs::read_dir(place.path(&folder)).expect("a folder").count(), 11, "{format}");
    }
    for name in ["all.sqlite", "all.xlsx"] {
        place.seine(&["export", "crawl.db", "--table", tables, "-o", name]).run().expect(0).says(" rows in all.");
    }
    let db = rusqlite::Connection::open(place.path("all.sqlite")).expect("an SQLite file");
    let count = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a number");
    assert_eq!(count("SELECT count(*) FROM sqlite_schema WHERE type = 'table'"), 11);
    assert_eq!(count("SELECT count(*) FROM pages WHERE sku = 3"), 1);
    for name in ["links.csv.gz", "links.jsonl.zst"] {
        place.seine(&["export", "crawl.db", "--table", "links", "-o", name]).run().expect(0);
    }
    let mut text = String::new();
    let file = fs::File::open(place.path("links.csv.gz")).expect("a file");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
    assert_eq!(text.lines().next(), Some("from_url,to_url,text,rel,url_id,element,internal,nofollow"));
    let packed = fs::read(place.path("links.jsonl.zst")).expect("a file");
    assert_eq!(objects(&zstd::decode_all(&packed[..]).expect("zstd")).len(), text.lines().count() - 1);
    assert_eq!(partials(&place), [""; 0]);
}

fn with_items(place: &Place) {
    let field = |name: &str, kind, many, fields| Field { name: name.into(), kind, many, fields };
    let products = Collection {
        name: "products".into(),
        key: vec!["sku".into()],
        fields: vec![
            field("sku", FieldType::Text, false, vec![]),
            field("price", FieldType::Number, false, vec![]),
            field("in_stock", FieldType::Bool, false, vec![]),
            field("tags", FieldType::Text, true, vec![]),
            field("specs", FieldType::Record, true, vec![field("name", FieldType::Text, false, vec![])]),
            field("released", FieldType::Date, false, vec![]),
        ],
    };
    let db = open_for_writing(&place.db()).expect("a store");
    let id = collections::declare(&db, &products).expect("a collection");
    for (number, data) in [
        json!({"sku": "a", "price": 2, "in_stock": true, "tags": ["x"], "specs": [{"name": "n"}], "released": "2026-01-31"}),
        json!({"sku": "b", "price": null, "in_stock": false, "tags": [], "specs": null, "released": null}),
    ]
    .into_iter()
    .enumerate()
    {
        db.execute(
            "INSERT INTO item(collection_id, key, url_id, number, run_id, data, first_seen, last_seen) \
             VALUES (?1, randomblob(16), 1, ?2, 1, ?3, 0, 1000)",
            params![id, number, data.to_string()],
        )
        .expect("an item");
    }
    db.execute("INSERT INTO page_extra(url_id, markdown) VALUES (1, '# A page')", []).expect("an extra");
}

#[test]
fn a_collection_has_its_own_types() {
    let (place, site) = crawled();
    with_items(&place);
    let found = objects(&export(&place, &["--table", "products", "--format", "jsonl"]));
    let url = site.url("/a");
    assert_eq!(
        found,
        [
            json!({"sku": "a", "price": 2, "in_stock": true, "tags": ["x"], "specs": [{"name": "n"}],
                   "released": "2026-01-31", "_item_id": 1, "_url": url, "_run_id": 1,
                   "_first_seen": "1970-01-01T00:00:00.000Z", "_last_seen": "1970-01-01T00:00:01.000Z",
                   "_input_columns": {"sku": "1", "title": ""}}),
            json!({"sku": "b", "price": null, "in_stock": false, "tags": [], "specs": null, "released": null,
                   "_item_id": 2, "_url": url, "_run_id": 1,
                   "_first_seen": "1970-01-01T00:00:00.000Z", "_last_seen": "1970-01-01T00:00:01.000Z",
                   "_input_columns": {"sku": "1", "title": ""}}),
        ]
    );
    let flat = export(&place, &["--table", "products", "--columns", "sku,price,input_sku,title"]);
    assert_eq!(String::from_utf8(flat).expect("UTF-8"), "sku,price,input_sku,title\r\na,2,1,\"\"\r\nb,,1,\"\"\r\n");
    let items = objects(&export(&place, &["--table", "items"]));
    assert_eq!(items[0]["data"]["sku"], json!("a"), "items are JSON lines unless told otherwise");
    place.seine(&["export", "crawl.db", "--table", "products", "-o", "p.parquet"]).run().expect(0);
    // A value that is none of its type is null there, and named.
    let db = open_for_writing(&place.db()).expect("a store");
    db.execute_batch("UPDATE item SET data = json_set(data, '$.price', 'much') WHERE item_id = 2").expect("an item");
    drop(db);
    place
        .seine(&["export", "crawl.db", "--table", "products", "-o", "p.parquet"])
        .run()
        .expect(0)
        .says("1 value is null")
        .says("row 2 of products (_item_id 2, ")
        .says("column \"price\" holds \"much\", which is no number");
    assert_eq!(partials(&place), [""; 0]);
}

#[test]
fn folders_have_a_file_for_each_page_host_or_run() {
    let (place, _site) = crawled();
    with_items(&place);
    place
        .seine(&["export", "crawl.db", "--format", "markdown", "-o", "md"])
        .run()
        .expect(0)
        .says("5 pages have no Markdown");
    let page = fs::read_to_string(place.path("md/127.0.0.1/a.md")).expect("a file");
    assert!(page.contains("title: \"A, \\\"quoted\\\"\"\n") && page.ends_with("---\n\n# A page\n"), "{page}");
    let split = |by: &str, folder: &str| {
        place.seine(&["export", "crawl.db", "--split-by", by, "-o", folder]).run().expect(0);
        let entries = fs::read_dir(place.path(folder)).expect("a folder").flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(split("host", "hosts"), ["127.0.0.1.csv", "none.csv"]);
    assert_eq!(split("run", "runs"), ["run-1.csv"]);
    assert_eq!(split("4", "parts"), ["part-00001.csv", "part-00002.csv"]);
    place.seine(&["export", "crawl.db", "--split-by", "run", "-o", "runs"]).run().expect(2).says("not empty");
}

#[test]
fn an_archive_has_requests_responses_and_revisits() {
    let (place, site) = crawled();
    for name in ["all.warc", "all.warc.gz"] {
        place.seine(&["export", "crawl.db", "-o", name]).run().expect(0).says("6 answers");
    }
    let plain = fs::read(place.path("all.warc")).expect("a file");
    let mut unpacked = Vec::new();
    let file = fs::File::open(place.path("all.warc.gz")).expect("a file");
    flate2::read::MultiGzDecoder::new(file).read_to_end(&mut unpacked).expect("gzip");
    let text = String::from_utf8_lossy(&plain).into_owned();
    let count = |text: &str, what: &str| text.matches(what).count();
    assert_eq!(count(&text, "WARC-Type: request"), 6);
    assert_eq!(count(&text, "WARC-Type: response"), 4);
    // The page behind the redirect, or the one that was listed; and the same body under another URL.
    assert_eq!(count(&text, "WARC-Type: revisit"), 2);
    assert_eq!(count(&text, "HTTP/1.1 301 Moved Permanently"), 1);
    assert_eq!(count(&text, &format!("WARC-Target-URI: {}\r\n", site.url("/moved"))), 2);
    assert_eq!(count(&text, "no such page"), 1);
    let ids = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("WARC-Record-ID")).skip(1).map(str::to_owned).collect()
    };
    assert_eq!(ids(&text), ids(&String::from_utf8_lossy(&unpacked)), "two exports of a store can be compared");
    // Every record is as long as it says, and ends where the next one begins.
    let (mut rest, mut records) = (&plain[..], 0);
    while !rest.is_empty() {
        let end = rest.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head") + 4;
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        assert!(head.starts_with("WARC/1.1\r\n"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
        let after = end + length.parse::<usize>().expect("a number");
        assert_eq!(&rest[after..after + 4], b"\r\n\r\n", "{head}");
        rest = &rest[after + 4..];
        records += 1;
    }
    assert_eq!(records, 13);
}

#[test]
fn header_lines_are_archived_as_they_came_but_for_what_no_longer_holds() {
    let (place, _site) = crawled();
    let came = b"Server: odd/1\r\ncontent-encoding: br\r\nContent-Length: 17\r\nX-Odd: \xff\r\n";
    let packed = seine_core::record::headers::Packer::new().pack(came);
    let db = open_for_writing(&place.db()).expect("a store");
    db.execute("UPDATE request SET headers = ?1 WHERE kind = 0 AND status = 404", [packed]).expect("a request");
    drop(db);
    let archive = export(&place, &["--format", "warc", "--where", "status = 404"]);
    let head = b"HTTP/1.1 404 Not Found\r\nServer: odd/1\r\nX-Crawler-content-encoding: br\r\n\
        X-Crawler-Content-Length: 17\r\nX-Odd: \xff\r\nContent-Length: 12\r\n\r\nno such page\r\n\r\n";
    assert!(archive.ends_with(head), "{}", String::from_utf8_lossy(&archive));
    assert_eq!(String::from_utf8_lossy(&archive).matches("WARC-Type: re").count(), 2, "a request and its response");
}

#[test]
fn who_is_killed_or_stopped_leaves_no_half_file() {
    let (place, _site) = crawled();
    fs::write(place.path("out.csv"), "the earlier one").expect("a file");
    for (signal, code) in [(Signal::SIGINT, Some(130)), (Signal::SIGTERM, Some(143)), (Signal::SIGKILL, None)] {
        let running = place.seine(&["export", "crawl.db", "--sql", ENDLESS, "-o", "out.csv"]).start();
        eventually("the export has begun", || {
            partials(&place).iter().any(|name| place.path(name).metadata().is_ok_and(|meta| meta.len() > 1 << 20))
        });
        running.signal(signal);
        let ended = running.wait();
        assert_eq!(ended.code, code, "{signal}: {}", ended.stderr);
        assert_eq!(fs::read(place.path("out.csv")).expect("a file"), b"the earlier one");
        let left = partials(&place);
        match signal {
            // Nobody is left to clean up.
            Signal::SIGKILL => assert_eq!(left.len(), 1),
            _ => assert_eq!(left, [""; 0], "{signal}"),
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let (place, _site) = crawled();
    for arguments in [vec!["export", "crawl.db", "--sql", ENDLESS], vec!["sql", "crawl.db", ENDLESS, "--format", "csv"]]
    {
        let mut child = Command::new(env!("CARGO_BIN_EXE_seine"))
            .args(arguments)
            .current_dir(place.path(""))
            .stdout(Stdio::piped())
            .spawn()
            .expect("seine can be started");
        let mut some = [0; 4096];
        let mut stdout = child.stdout.take().expect("a pipe");
        stdout.read_exact(&mut some).expect("rows");
        drop(stdout);
        assert!(some.starts_with(b"n,hex(zeroblob(500))\r\n1,"));
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
    }
}

#[test]
fn a_running_crawl_is_exported_as_it_is_at_that_moment() {
    let site = Site::new(|request| match request.path.as_str() {
        path if path.starts_with("/held") => Reply::page("late").held(),
        path => Reply::page(path),
    });
    let place = Place::new();
    let urls = site.urls(200).into_iter().chain([site.url("/held")]);
    place.list("urls.txt", urls);
    let running = place.crawl(&["urls.txt", "--fetchers", "1", "--host-concurrency", "8"]).start();
    eventually("some pages are there", || {
        crate::support::Store::try_open(&place.db()).is_ok_and(|store| {
            store.0.query_row("SELECT count(*) FROM pages", [], |row| row.get::<_, i64>(0)).is_ok_and(|rows| rows > 0)
        })
    });
    let count = || place.store().number("SELECT count(*) FROM pages");
    for (arguments, file) in [
        (vec!["--columns", "url_id"], None),
        (vec!["-o", "live.csv", "--columns", "url_id"], Some("live.csv")),
        (vec!["--sql", "SELECT url_id FROM pages"], None),
    ] {
        let least = count();
        // Without looking at the lock, which the crawl has.
        let ended = Command::new(env!("CARGO_BIN_EXE_seine"))
            .args(["export", "crawl.db"])
            .args(arguments)
            .current_dir(place.path(""))
            .output()
            .expect("seine can be started");
        assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
        let bytes = file.map_or(ended.stdout, |file| fs::read(place.path(file)).expect("a file"));
        let mut ids = lines(&bytes);
        let rows = ids.len() as i64 - 1;
        assert!((least..=count()).contains(&rows), "{rows} of {least} to {}", count());
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len() as i64, rows + 1, "a row twice");
    }
    let pending = export_of(&place, &["--order-by", "input", "--where", "outcome = 'pending'", "--columns", "url"]);
    assert!(pending.contains(&site.url("/held")), "{pending:?}");
    site.release();
    running.wait().expect(0);
    place.store().assert_sound();
}

/// As [`export`], beside a crawl.
fn export_of(place: &Place, arguments: &[&str]) -> Vec<String> {
    let ended = Command::new(env!("CARGO_BIN_EXE_seine"))
        .args(["export", "crawl.db"])
        .args(arguments)
        .current_dir(place.path(""))
        .output()
        .expect("seine can be started");
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    lines(&ended.stdout)
}

#[test]
fn what_cannot_be_done_is_said_before_anything_is_written() {
    let (place, _site) = crawled();
    for (arguments, words) in [
        (vec!["--table", "page"], "did you mean \"pages\"?"),
        (vec!["--columns", "url,titel"], "pages has no column \"titel\"; did you mean \"title\"?"),
        (vec!["--where", "statsu = 1"], "no such column: statsu"),
        (vec!["--sql", "DELETE FROM page"], "not authorized"),
        (vec!["--sql", "SELECT 1; SELECT 2"], "more than one statement"),
        (vec!["--run", "7"], "there is no run 7"),
        (vec!["--table", "inputs", "--run", "1"], "belong to no run"),
        (vec!["--table", "pages,links"], "holds one table"),
        (vec!["-o", "crawl.db"], "belongs to the store"),
        (vec!["-o", "x.parquet.gz"], "compressed in themselves"),
        (vec!["-o", "x.warc", "--table", "links"], "is for pages"),
        (vec!["--format", "markdown"], "name it with -o"),
        (vec!["-o", "no/such/x.csv"], "cannot write no/such/x.csv"),
        (vec!["-o", "x.duckdb"], "x.duckdb: no format is called duckdb"),
        (vec!["-o", "x.feather.gz"], "no format is called feather"),
        (vec!["-o", "x.md"], "--format markdown makes a folder"),
        (vec!["--bom", "-o", "x.json"], "--bom and --spreadsheet-safe are for csv and tsv"),
    ] {
        place.seine(&["export", "crawl.db"]).args(&arguments).run().expect(2).says(words);
    }
    let names: Vec<_> =
        fs::read_dir(place.path("")).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    assert!(names.iter().all(|name| !Path::new(name).starts_with("x.")), "{names:?}");
    place.seine(&["diff", "crawl.db", "-o", "x.docx"]).run().expect(2).says("no format is called docx");
    for arguments in [["-o", "export.data", "--format", "csv"].as_slice(), &["-o", "export"]] {
        place.seine(&["export", "--db", "crawl.db"]).args(arguments).run().expect(0);
        assert!(place.path(arguments[1]).metadata().is_ok_and(|file| file.is_file()), "{arguments:?}");
    }
    place.store().assert_sound();
    place.seine(&["export", "none.db"]).run().expect(2).says("no crawl store at none.db");
}

#[test]
fn without_a_query_all_that_can_be_asked_is_listed() {
    let (place, _site) = crawled();
    let listed = place.seine(&["sql"]).run().expect(0).says("seine sql crawl.db");
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(text.starts_with("pages") && text.contains("\nlinks ") && text.contains("\nhistory "), "{text}");
    assert!(text.contains(" error_message,") && text.lines().all(|line| line.len() <= 100), "{text}");
    let columns = place.seine(&["sql", "crawl.db", "--format", "json"]).run().expect(0).json();
    assert_eq!(columns[0], json!({"view": "pages", "column": "url_id"}));
    place.seine(&["sql", "none.db"]).run().expect(2).says("no crawl store at none.db");
}

#[test]
fn a_query_is_answered_in_time_and_changes_nothing() {
    let (place, _site) = crawled();
    let sql = |arguments: &[&str]| place.seine(&["sql", "crawl.db"]).args(arguments).run();
    let query = "SELECT outcome, count(*) AS urls FROM pages GROUP BY 1 ORDER BY 1";
    assert_eq!(
        String::from_utf8_lossy(&sql(&[query]).expect(0).stdout),
        "outcome     urls\n----------  ----\nhttp_error     1\nok             4\nrejected       1\n"
    );
    assert_eq!(
        sql(&[query, "--format", "json"]).expect(0).json(),
        json!([{"outcome": "http_error", "urls": 1}, {"outcome": "ok", "urls": 4}, {"outcome": "rejected", "urls": 1}])
    );
    assert_eq!(lines(&sql(&[query, "--format", "csv"]).expect(0).stdout)[1], "http_error,1");
    sql(&["DELETE FROM page"]).expect(2).says("not authorized");
    sql(&["SELECT 1; SELECT 2"]).expect(2).says("more than one statement");
    sql(&["SELECT count(*) FROM page_"])
        .expect(2)
        .says("no such table: page_; did you mean pages? there are: pages, links");
    sql(&["SELECT p.titel FROM pages p"])
        .expect(2)
        .says("no such column: p.titel")
        .says("did you mean title? pages has url");
    sql(&[
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c",
        "--timeout",
        "200ms",
    ])
    .expect(2)
    .says("the query took more than 200ms");
    let shown = sql(&["SELECT url FROM pages", "--limit", "2"]).expect(0).says("more rows than these 2; --limit 0");
    assert_eq!(lines(&shown.stdout).len(), 4, "two lines of head, two rows");
    let all = sql(&["SELECT url FROM pages ORDER BY 1", "--limit", "6"]).expect(0);
    assert_eq!((lines(&all.stdout).len(), all.stderr.len()), (8, 0), "nothing is left out of six");
    place.store().assert_sound();
}
