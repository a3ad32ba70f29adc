//! URL lists: every line ends in a record, whatever the list is written in.

use std::io::Write;

use crate::support::{Place, Reply, Site, eventually};
use flate2::Compression;
use flate2::write::GzEncoder;

fn pages() -> Site {
    Site::new(|request| Reply::page(&request.path))
}

#[test]
fn a_text_list_may_have_comments_blank_lines_windows_line_ends_and_a_byte_order_mark() {
    let (site, place) = (pages(), Place::new());
    let text = format!(
        "\u{feff}{}\r\n\r\n# a comment\r\n  {}  \r\n\t\r\n{}",
        site.url("/a"),
        site.url("/b"),
        site.url("/no-line-end")
    );
    place.write("urls.txt", text);
    place.crawl(&["urls.txt"]).run().expect(0);
    let store = place.store();
    assert_eq!(
        store.rows("SELECT file, line, raw_url, outcome FROM inputs ORDER BY line"),
        [
            format!("urls.txt|1|{}|ok", site.url("/a")),
            format!("urls.txt|4|{}|ok", site.url("/b")),
            format!("urls.txt|6|{}|ok", site.url("/no-line-end")),
        ]
    );
    assert_eq!(site.count(), 3);
    store.assert_sound();
}

#[test]
fn a_duplicate_is_fetched_once_and_every_line_that_names_it_has_its_outcome() {
    let (site, place) = (pages(), Place::new());
    let url = site.url("/a");
    let upper = url.replace("http", "HTTP");
    place.list("one.txt", [&url, &format!("{url}#top"), &upper, &site.url("/b")]);
    place.list("two.txt", [&url]);
    place.crawl(&["one.txt", "two.txt"]).run().expect(0);
    let store = place.store();
    assert_eq!(site.hits_of("/a"), 1);
    assert_eq!(
        store.rows("SELECT file, line, raw_url, outcome FROM inputs ORDER BY file, line"),
        [
            format!("one.txt|1|{url}|ok"),
            format!("one.txt|2|{url}#top|ok"),
            format!("one.txt|3|{upper}|ok"),
            format!("one.txt|4|{}|ok", site.url("/b")),
            format!("two.txt|1|{url}|ok"),
        ]
    );
    assert_eq!(
        store.rows("SELECT url, input_file, input_line FROM pages ORDER BY url"),
        [format!("{url}|one.txt|1"), format!("{}|one.txt|4", site.url("/b"))],
        "a page names the first line it came from"
    );
    store.assert_sound();
}

#[test]
fn a_line_that_is_no_url_is_rejected_with_its_file_its_line_and_the_reason() {
    let (site, place) = (pages(), Place::new());
    let mut text = format!("{}\nhtp://example.com/\n\nexample.com/page\n", site.url("/a")).into_bytes();
    text.extend(b"http://127.0.0.1/\xff\xfe\n");
    text.extend(b"https://user:secret@127.0.0.1/\n");
    text.extend(format!("http://127.0.0.1/{}\n", "x".repeat(20_000)).bytes());
    place.write("urls.txt", text);
    let ended = place.crawl(&["urls.txt"]).run().expect(0);
    let store = place.store();
    assert_eq!(
        store.rows("SELECT line, outcome FROM inputs ORDER BY line"),
        ["1|ok", "2|rejected", "4|rejected", "5|rejected", "6|rejected", "7|rejected"]
    );
    let reasons = store.rows("SELECT reason FROM inputs WHERE outcome = 'rejected' ORDER BY line");
    for (reason, word) in reasons.iter().zip(["htp", "https://example.com/page", "UTF-8", "password", "limit"]) {
        assert!(reason.contains(word), "{word:?} is not in {reason:?}");
    }
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE outcome = 'rejected' AND error = 'rejected'"), 5);
    assert_eq!(store.number("SELECT count(*) FROM inputs WHERE raw_url LIKE '%secret%'"), 0);
    assert!(!ended.stderr.contains("secret"));
    assert_eq!(site.count(), 1);
    store.assert_sound();
}

#[test]
fn a_list_comes_over_standard_input_as_well() {
    let (site, place) = (pages(), Place::new());
    let text = format!("{}\n{}\n", site.url("/a"), site.url("/b"));
    place.crawl(&["-"]).stdin(text).run().expect(0);
    assert_eq!(place.store().rows("SELECT file, line, outcome FROM inputs ORDER BY line"), ["-|1|ok", "-|2|ok"]);
    assert_eq!(site.count(), 2);
}

#[test]
fn compressed_lists_are_read_by_their_content() {
    let (site, place) = (pages(), Place::new());
    let gzip = |text: String| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).expect("memory takes all");
        encoder.finish().expect("memory takes all")
    };
    let zstd = |text: String| zstd::encode_all(text.as_bytes(), 1).expect("memory takes all");
    place.write("a.txt.gz", gzip(format!("{}\n", site.url("/gz"))));
    place.write("b.txt.zst", zstd(format!("{}\n", site.url("/zst"))));
    place.write("c.csv.gz", gzip(format!("id,url\n7,{}\n", site.url("/csv"))));
    place.write("misnamed.txt", gzip(format!("{}\n", site.url("/misnamed"))));
    place.crawl(&["a.txt.gz", "b.txt.zst", "c.csv.gz", "misnamed.txt"]).run().expect(0);
    assert_eq!(
        place.store().rows("SELECT file, line, outcome, columns FROM inputs ORDER BY file"),
        ["a.txt.gz|1|ok|-", "b.txt.zst|1|ok|-", "c.csv.gz|2|ok|{\"id\":\"7\"}", "misnamed.txt|1|ok|-"]
    );
}

#[test]
fn the_other_columns_of_a_csv_list_travel_with_the_page() {
    let (site, place) = (pages(), Place::new());
    let text = format!(
        "id,link,name\r\n1,{},\"Smith, Jane\"\r\n2,{},\"two\r\nlines\"\r\n3,nothing,x\r\n",
        site.url("/a"),
        site.url("/b")
    );
    place.write("urls.csv", text);
    place.crawl(&["urls.csv", "--url-column", "link"]).run().expect(0);
    let store = place.store();
    assert_eq!(
        store
            .rows("SELECT input_line, input_columns ->> 'id', input_columns ->> 'name', outcome FROM pages ORDER BY 1"),
        ["2|1|Smith, Jane|ok", "3|2|two\r\nlines|ok", "5|3|x|rejected"]
    );
    let ended = place.crawl(&["urls.csv", "--db", "other.db", "--url-column", "lnik"]).run().expect(2);
    ended.says("did you mean \"link\"?");
    assert!(!place.path("other.db").exists());
}

#[test]
fn the_other_fields_of_a_jsonl_list_travel_with_the_page() {
    let (site, place) = (pages(), Place::new());
    let text = format!(
        "{{\"url\": \"{}\", \"sku\": 12345678901234567890123, \"tags\": [\"a\"]}}\n{{\"sku\": 1}}\nno json\n",
        site.url("/a")
    );
    place.write("urls.jsonl", text);
    place.crawl(&["urls.jsonl"]).run().expect(0);
    let store = place.store();
    assert_eq!(
        store.rows("SELECT line, outcome, columns FROM inputs WHERE line = 1"),
        ["1|ok|{\"sku\":12345678901234567890123,\"tags\":[\"a\"]}"]
    );
    assert_eq!(
        store.rows("SELECT line, outcome FROM inputs WHERE line > 1 ORDER BY line"),
        ["2|rejected", "3|rejected"]
    );
}

#[test]
fn a_list_that_is_missing_empty_or_a_folder_is_refused_before_anything_starts() {
    let (site, place) = (pages(), Place::new());
    place.list("good.txt", [site.url("/a")]);
    place.write("empty.txt", "");
    place.write("comments.txt", "# nothing\n\n");
    place.write("header.csv", "url,name\n");
    std::fs::create_dir(place.path("folder")).expect("a folder can be made");
    for (name, word) in [
        ("missing.txt", "missing.txt"),
        ("empty.txt", "empty"),
        ("comments.txt", "empty"),
        ("header.csv", "empty"),
        ("folder", "directory"),
    ] {
        let ended = place.crawl(&["good.txt", name]).run().expect(2).says(word).says(name);
        assert!(ended.stdout.is_empty());
        assert_eq!(place.store_files(), [""; 0], "{name}");
    }
    place.crawl(&["-"]).stdin("").run().expect(2).says("empty");
    place.crawl(&[]).run().expect(2).says("no URL list given");
    place.crawl(&["folder/"]).run().expect(2).says("name the files in it: folder/*");
    assert_eq!(place.store_files(), [""; 0]);
    assert_eq!(site.count(), 0);
}

#[test]
fn a_list_that_breaks_off_is_crawled_up_to_there_and_the_exit_code_says_so() {
    let (site, place) = (pages(), Place::new());
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    let text: String = site.urls(400).iter().map(|url| format!("{url}\n")).collect();
    encoder.write_all(text.as_bytes()).expect("memory takes all");
    let whole = encoder.finish().expect("memory takes all");
    place.write("urls.txt.gz", &whole[..whole.len() / 2]);
    let ended = place.crawl(&["urls.txt.gz", "--json"]).run().expect(2).says("end early");
    assert_eq!(ended.json()["list_failures"].as_array().map(Vec::len), Some(1));
    let read = place.store().number("SELECT count(*) FROM pages WHERE outcome = 'ok'");
    assert!((100..400).contains(&read), "{read} lines of the half list");
    // A whole list takes its place; what is done is done.
    place.write("urls.txt.gz", whole);
    place.crawl(&["urls.txt.gz", "--only", "new"]).run().expect(0);
    let store = place.store();
    assert_eq!(store.row("SELECT count(*), sum(outcome = 'ok') FROM inputs"), "400|400");
    assert_eq!(site.count(), 400 + store.number("SELECT count(*) FROM pages WHERE outcome <> 'ok'") as usize);
    store.assert_sound();
}

#[test]
fn urls_that_differ_in_their_escapes_are_one_and_each_line_keeps_its_spelling() {
    let (site, place) = (Site::new(|request| Reply::page(&request.path)), Place::new());
    place.list("urls.txt", ["/%7Ex", "/~x", "/%7ex"].map(|path| site.url(path)));
    place.crawl(&["urls.txt"]).run().expect(0);
    place.crawl(&["urls.txt", "--only", "new"]).run().expect(0);
    assert_eq!(site.count(), 1);
    assert_eq!(site.hits_of("/%7Ex"), 1, "as it was spelled first");
    let lines = place.store().rows("SELECT raw_url, outcome FROM inputs ORDER BY line");
    assert_eq!(lines, ["/%7Ex", "/~x", "/%7ex"].map(|path| format!("{}|ok", site.url(path))));
}

#[test]
fn a_line_added_to_a_list_is_fetched_by_the_next_crawl() {
    let (site, place) = (pages(), Place::new());
    place.list("urls.txt", site.urls(3));
    place.crawl(&["urls.txt"]).run().expect(0);
    place.list("urls.txt", site.urls(5));
    place.crawl(&["urls.txt", "--only", "new"]).run().expect(0);
    assert_eq!(site.count(), 5);
    let store = place.store();
    assert_eq!(store.rows("SELECT line, outcome FROM inputs ORDER BY line"), ["1|ok", "2|ok", "3|ok", "4|ok", "5|ok"]);
    assert_eq!(store.rows("SELECT run_id, urls, ok, ended_by FROM runs"), ["1|3|3|completed", "2|2|2|completed"]);
    store.assert_sound();
}

#[test]
fn a_line_replaced_in_a_list_is_fetched_and_the_old_one_is_no_longer_waited_for() {
    let (site, place) = (pages(), Place::new());
    let urls = site.urls(6);
    place.list("urls.txt", &urls);
    // The first URL is done, the others wait.
    place.crawl(&["urls.txt", "--limit", "1"]).run().expect(3);
    let mut edited = urls.clone();
    edited[0] = site.url("/instead-of-a-page");
    edited[3] = site.url("/instead-of-a-pending-one");
    edited.truncate(5);
    place.list("urls.txt", &edited);
    let ended = place.crawl(&["urls.txt", "--json"]).run().expect(0);
    assert_eq!(ended.json()["pending"], 0);
    let store = place.store();
    let expected: Vec<_> = edited.iter().enumerate().map(|(n, url)| format!("{}|{url}|ok", n + 1)).collect();
    assert_eq!(store.rows("SELECT line, raw_url, outcome FROM inputs ORDER BY line"), expected);
    assert_eq!(store.number("SELECT count(*) FROM pages WHERE url LIKE '%/0'"), 1, "what was fetched is kept");
    for path in ["/0", "/1", "/2", "/4", "/instead-of-a-page", "/instead-of-a-pending-one"] {
        assert_eq!(site.hits_of(path), 1, "{path}");
    }
    store.assert_sound();
}

#[test]
fn the_page_of_a_url_that_left_the_list_is_never_taken_for_another_url() {
    let (site, place) = (
        Site::new(|request| {
            let page = Reply::page(&request.path);
            if request.path == "/old" { page.held() } else { page }
        }),
        Place::new(),
    );
    place.list("one.txt", [site.url("/kept"), site.url("/old")]);
    place.crawl(&["one.txt", "--limit", "1"]).run().expect(3);
    // The next crawl may ask for /old before it has read that no list names it any more. Then new URLs come.
    place.list("one.txt", [site.url("/kept")]);
    let fifo = place.path("two.txt");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a pipe can be made");
    let running = place.crawl(&["one.txt", "two.txt"]).start();
    let mut pipe = std::fs::OpenOptions::new().write(true).open(&fifo).expect("the crawl reads the pipe");
    writeln!(pipe, "{}\n{}", site.url("/first"), site.url("/second")).expect("the crawl reads the pipe");
    eventually("the new URLs are known, the old one is not", || {
        let store = place.store();
        let known = |path: &str| store.number(&format!("SELECT count(*) FROM url WHERE url LIKE '%{path}'"));
        known("/first") + known("/second") == 2 && known("/old") == 0
    });
    eventually("a request after that", || site.hits_of("/old") + site.hits_of("/first") > 0);
    site.release();
    drop(pipe);
    running.wait().expect(0);
    let store = place.store();
    assert_eq!(
        store.rows(&format!("SELECT replace(url, '{}', ''), title FROM pages ORDER BY url", site.url(""))),
        ["/first|/first", "/kept|/kept", "/second|/second"]
    );
    store.assert_sound();
}

#[test]
fn urls_on_the_command_line_are_lines_of_a_list_of_their_own() {
    let (site, place) = (pages(), Place::new());
    place.list("more.txt", [site.url("/c")]);
    let (a, b) = (site.url("/a"), site.url("/b"));
    place.crawl(&[&a, "more.txt", &b, &format!("{a}#top")]).run().expect(0);
    let store = place.store();
    assert_eq!(
        store.rows("SELECT file, line, raw_url, outcome FROM inputs ORDER BY file, line"),
        [
            format!("command line|1|{a}|ok"),
            format!("command line|2|{b}|ok"),
            format!("command line|3|{a}#top|ok"),
            format!("more.txt|1|{}|ok", site.url("/c")),
        ]
    );
    assert_eq!(site.count(), 3);
    store.assert_sound();
}

#[test]
fn the_same_urls_on_the_command_line_go_on_like_a_list_and_others_are_an_edit_of_it() {
    let (site, place) = (pages(), Place::new());
    let urls = site.urls(4);
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    place.crawl(&[&urls[..], &["--limit", "1"]].concat()).run().expect(3);
    place.crawl(&urls).run().expect(0);
    assert_eq!(site.count(), 4);
    let mut again = place.crawl(&urls).args(&["--only", "new"]).run().expect(0);
    assert_eq!(site.count(), 4, "they are known:\n{}", again.stderr);
    again = place.crawl(&urls[..3]).args(&[&site.url("/new"), "--only", "new"]).run().expect(0);
    assert_eq!(site.count(), 5, "{}", again.stderr);
    let store = place.store();
    assert_eq!(store.rows("SELECT line, outcome FROM inputs ORDER BY line"), ["1|ok", "2|ok", "3|ok", "4|ok"]);
    store.assert_sound();
}

#[test]
fn a_config_file_names_urls_beside_lists() {
    let (site, place) = (pages(), Place::new());
    place.list("urls.txt", [site.url("/b")]);
    place.write("c.toml", format!("inputs = [\"{}\", \"urls.txt\"]\n", site.url("/a")));
    place.crawl(&["--config", "c.toml"]).run().expect(0);
    assert_eq!(
        place.store().rows("SELECT file, line, outcome FROM inputs ORDER BY file"),
        ["command line|1|ok", "urls.txt|1|ok"]
    );
}

#[test]
fn a_word_that_is_neither_a_file_nor_a_url_is_answered_with_what_to_type() {
    let (site, place) = (pages(), Place::new());
    let url = site.url("/a");
    for (word, advice) in [
        ("example.com", "cannot open example.com: no such file; for a URL write https://example.com"),
        ("www.example.com/x", "for a URL write https://www.example.com/x"),
        ("missing.txt", "no such file; for a URL write https://…"),
        ("htp://example.com/", "no such file; for a URL write https://…"),
        ("http://exa mple.com/", "cannot crawl http://exa mple.com/"),
        ("https://user:hunter2@example.com/", "cannot crawl https://***@example.com/"),
    ] {
        let ended = place.crawl(&[&url, word]).run().expect(2).says(advice);
        assert!(!ended.stderr.contains("hunter2"));
        assert_eq!(place.store_files(), [""; 0], "{word}");
    }
    place.write("c.toml", "inputs = [\"example.com\"]\n");
    place.crawl(&["--config", "c.toml"]).run().expect(2).says("for a URL write https://example.com");
    place.seine(&["plan", "example.com"]).run().expect(2).says("for a URL write https://example.com");
    place.seine(&["import", "https://example.com/x.warc.gz"]).run().expect(2).says("download it first");
    place.seine(&["robots", "example.com"]).run().expect(2).says("for a URL write https://example.com");
    place.seine(&["try", "example.com"]).run().expect(2).says("for a URL write https://example.com");
    place.list("urls.txt", [&url]);
    place.seine(&["import", "urls.txt"]).run().expect(2).says("seine crawl ").says("urls.txt");
    assert_eq!((place.store_files(), site.count()), (Vec::new(), 0));
}

#[test]
fn what_is_no_list_is_recognised_before_anything_starts() {
    let (site, place) = (pages(), Place::new());
    place.list("good.txt", [site.url("/a")]);
    let sitemap = "<?xml version=\"1.0\"?><urlset><url><loc>https://a.example/</loc></url></urlset>";
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).expect("memory takes all");
        encoder.finish().expect("memory takes all")
    };
    for (name, content, advice) in [
        ("page.html", b"<!doctype html>\n<html><title>x</title>".to_vec(), "--follow"),
        ("page.txt", b"<html lang=en>".to_vec(), "an HTML page"),
        ("sitemap.xml", sitemap.into(), "--sitemap https://"),
        ("sitemap.xml.gz", gzip(sitemap.as_bytes()), "--sitemap https://"),
        ("feed.xml", b"<?xml version=\"1.0\"?>\n<rss version=\"2.0\">".to_vec(), "--feed https://"),
        ("urls.xlsx", b"PK\x03\x04\x14\0\x06\0[Content_Types].xml xl/workbook.xml".to_vec(), "a spreadsheet"),
        ("paper.pdf", b"%PDF-1.7\n%\xe2\xe3".to_vec(), "a PDF document"),
        ("urls.json", b"[\"https://a.example/\"]".to_vec(), "jq"),
        ("lines.txt", b"{\"url\": \"https://a.example/\"}".to_vec(), "--url-field"),
        ("some.warc", b"WARC/1.1\r\nWARC-Type: warcinfo\r\n".to_vec(), "seine import some.warc"),
        ("noise.bin", (0..=255).collect(), "no text"),
        ("lists.txt", b"good.txt\nother.txt\n".to_vec(), "xargs seine crawl < lists.txt"),
        ("hosts.txt", b"example.com\nexample.org/a\n".to_vec(), "sed 's|^|https://|' hosts.txt | seine crawl -"),
        ("table.csv", b"https://a.example/|x\nhttps://b.example/|y\n".to_vec(), "header row"),
    ] {
        place.write(name, &content);
        let ended = place.crawl(&["good.txt", name]).run().expect(2).says(advice).says(name);
        assert!(ended.stdout.is_empty());
        assert_eq!(place.store_files(), [""; 0], "{name}");
    }
    place.crawl(&["/dev/zero"]).run().expect(2).says("no text");
    place.crawl(&["-"]).stdin("<!doctype html>").run().expect(2).says("an HTML page");
    place.crawl(&["-"]).stdin("example.com\n").run().expect(2).says("https://example.com");
    assert_eq!((place.store_files(), site.count()), (Vec::new(), 0));
}

#[test]
fn a_host_without_a_scheme_is_rejected_with_what_to_write_where_other_lines_are_urls() {
    let (site, place) = (pages(), Place::new());
    place.list("urls.txt", ["example.com/a", &site.url("/a")]);
    place.crawl(&["urls.txt"]).run().expect(0);
    assert_eq!(
        place.store().rows("SELECT line, outcome, reason FROM inputs ORDER BY line"),
        ["1|rejected|URL without a scheme; write \"https://example.com/a\"", "2|ok|-"]
    );
}

#[test]
fn a_table_of_another_make_is_read_as_it_is_meant() {
    let (site, place) = (pages(), Place::new());
    place.write("pipes.csv", format!("id|url|price\n1|{}|19.90\n", site.url("/a")));
    place.write("mac.csv", format!("id,url\r7,{}\r8,{}\r", site.url("/b"), site.url("/c")));
    place.crawl(&["pipes.csv", "mac.csv"]).run().expect(0);
    assert_eq!(
        place.store().rows("SELECT file, line, outcome, columns FROM inputs ORDER BY file, line"),
        [
            "mac.csv|2|ok|{\"id\":\"7\"}",
            "mac.csv|3|ok|{\"id\":\"8\"}",
            "pipes.csv|2|ok|{\"id\":\"1\",\"price\":\"19.90\"}"
        ]
    );
    assert_eq!(site.count(), 3);
}

#[test]
fn values_of_a_list_come_out_as_they_were_written_and_an_odd_one_costs_no_other() {
    let (site, place) = (pages(), Place::new());
    let fields = r#""id": 12345678901234567890123, "price": 19.90, "huge": 1e400, "half": "x\ud800y", "name": "N""#;
    place.write("urls.jsonl", format!("{{\"url\": \"{}\", {fields}}}\n", site.url("/a")));
    place.crawl(&["urls.jsonl"]).run().expect(0);
    place.seine(&["export", "crawl.db", "--columns", "id,price,huge,half,name", "-o", "x.csv"]).run().expect(0);
    assert_eq!(
        std::fs::read_to_string(place.path("x.csv")).expect("written"),
        "id,price,huge,half,name\r\n12345678901234567890123,19.90,1e400,x\u{fffd}y,N\r\n"
    );
    place.seine(&["export", "crawl.db", "--columns", "input_columns", "-o", "x.jsonl"]).run().expect(0);
    let written = std::fs::read_to_string(place.path("x.jsonl")).expect("written");
    for value in ["12345678901234567890123", "19.90", "1e400", "\\ud800", "\"N\""] {
        assert!(written.contains(value), "{value}: {written}");
    }
}

#[test]
fn another_url_column_of_the_same_list_is_another_list() {
    let (site, place) = (pages(), Place::new());
    place.write("urls.csv", format!("a,b\n{},{}\n", site.url("/a"), site.url("/b")));
    for (column, path) in [("a", "/a"), ("b", "/b")] {
        place.crawl(&["urls.csv", "--url-column", column, "--only", "new"]).run().expect(0);
        assert_eq!(site.hits_of(path), 1, "{column}");
    }
    assert_eq!(site.count(), 2);
}
