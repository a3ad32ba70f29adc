//! The room as its users see it: whole lists in, entries out, by file and by pipe.

use seine_testkit::Dice;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use flate2::Compression;
use flate2::write::GzEncoder;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tempfile::TempDir;

use super::*;

/// Line, raw URL, columns, and "ok" or the reason.
type Row = (u64, String, String, String);

fn row(entry: &Entry) -> Row {
    let verdict = entry.url.as_ref().map_or_else(Clone::clone, |_| "ok".to_owned());
    (entry.line, entry.raw_url.clone(), entry.columns.clone().unwrap_or_default(), verdict)
}

fn rows(entries: &[Entry]) -> Vec<Row> {
    entries.iter().map(row).collect()
}

fn ok(line: u64, raw_url: &str, columns: &str) -> Row {
    (line, raw_url.to_owned(), columns.to_owned(), "ok".to_owned())
}

fn column(column: &str) -> ListOptions {
    ListOptions { url_column: Some(column.to_owned()), url_field: None }
}

fn field(field: &str) -> ListOptions {
    ListOptions { url_column: None, url_field: Some(field.to_owned()) }
}

/// All entries, and the error that ended the list early if one did.
fn drain(list: &mut UrlList) -> (Vec<Entry>, Option<ListError>) {
    let mut entries = Vec::new();
    loop {
        match list.next() {
            Ok(Step::Entry(entry)) => entries.push(entry),
            Ok(Step::Skipping) => {}
            Ok(Step::Pending) => {
                let mut fds = [PollFd::new(list.fd().expect("only what can be polled is pending"), PollFlags::POLLIN)];
                assert_ne!(poll(&mut fds, PollTimeout::from(30_000u16)).expect("poll"), 0, "nothing came for 30 s");
            }
            Ok(Step::End) => return (entries, None),
            Err(error) => {
                assert!(matches!(list.next(), Ok(Step::End)), "after an error the list is over");
                return (entries, Some(error));
            }
        }
    }
}

fn open_file(name: &str, content: &[u8], options: &ListOptions) -> Result<UrlList, ListError> {
    let dir = TempDir::new().expect("temporary directory");
    let path = dir.path().join(name);
    fs::write(&path, content).expect("write");
    open(&[Source::Path(path)], options).map(|mut lists| lists.remove(0))
}

fn read_file(name: &str, content: &[u8], options: &ListOptions) -> Vec<Entry> {
    let (entries, error) = drain(&mut open_file(name, content, options).expect("opens"));
    assert!(error.is_none(), "{error:?}");
    entries
}

fn text(content: &[u8]) -> Vec<Row> {
    rows(&read_file("list.txt", content, &ListOptions::default()))
}

fn csv(content: &str) -> Vec<Row> {
    rows(&read_file("list.csv", content.as_bytes(), &ListOptions::default()))
}

fn open_error(name: &str, content: &[u8], options: &ListOptions) -> String {
    match open_file(name, content, options) {
        Ok(_) => panic!("{name} opened"),
        Err(error) => error.to_string(),
    }
}

fn gz(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).expect("to memory");
    encoder.finish().expect("to memory")
}

fn zst(content: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).expect("encoder");
    encoder.include_checksum(true).expect("supported");
    encoder.write_all(content).expect("to memory");
    encoder.finish().expect("to memory")
}

/// A list read from a pipe, and the pipe's other end.
fn piped(name: &str, options: &ListOptions) -> (UrlList, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("pipe");
    let input = Input::new(File::from(OwnedFd::from(reader))).expect("open");
    (UrlList::new(name, input, options).expect("format"), writer)
}

fn held_bytes(list: &UrlList) -> usize {
    let Records::Lines { lines, .. } = &list.records else { panic!("no list of lines") };
    lines.held_bytes()
}

#[test]
fn every_line_of_text_is_an_entry_but_blanks_and_comments() {
    let content = "\u{feff}# comment\r\n\r\nhttps://a.example/\r\n  \t https://b.example/x y \n\
                   \t# indented comment\n\u{a0}\nhttps://c.example/#part\n\u{feff}https://d.example/\nhttps://e.example";
    assert_eq!(
        text(content.as_bytes()),
        [
            ok(3, "https://a.example/", ""),
            ok(4, "https://b.example/x y", ""),
            ok(7, "https://c.example/#part", ""),
            ok(8, "https://d.example/", ""),
            ok(9, "https://e.example", ""),
        ]
    );
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_url() {
    assert_eq!(text("\u{feff}https://a.example/".as_bytes()), [ok(1, "https://a.example/", "")]);
    let entries = csv("\u{feff}url,b\nhttps://a.example/,1\n");
    assert_eq!(entries, [ok(2, "https://a.example/", r#"{"b":"1"}"#)]);
    let json = "\u{feff}{\"url\":\"https://a.example/\"}".as_bytes();
    assert_eq!(rows(&read_file("a.jsonl", json, &ListOptions::default())), [ok(1, "https://a.example/", "")]);
}

#[test]
fn utf_16_is_named_and_not_guessed_at() {
    for mark in [[0xff, 0xfe], [0xfe, 0xff]] {
        let mut content = mark.to_vec();
        content.extend("https://a.example/\n".encode_utf16().flat_map(u16::to_le_bytes));
        for name in ["list.txt", "list.csv", "list.jsonl"] {
            assert!(open_error(name, &content, &ListOptions::default()).contains("UTF-16"), "{name}");
        }
    }
}

#[test]
fn a_rejected_line_says_why_and_the_next_one_counts() {
    let mut content = b"example.com/page\nhttps://u:secret@a.example/\nhttps://a.example/\xff\n".to_vec();
    content.extend(b"ftp://a.example/\nhttps://a.example/\0\nhttps://b.example/\n");
    let entries = text(&content);
    assert_eq!(entries[0].3, "URL without a scheme; write \"https://example.com/page\"");
    assert_eq!(entries[1].1, "https://***@a.example/");
    assert!(entries[1].3.contains("user name or password"));
    assert_eq!(entries[2].1, "https://a.example/\u{fffd}");
    assert!(entries[2].3.starts_with("not UTF-8 text: byte 19 "));
    assert!(entries[3].3.contains("ftp"));
    assert_eq!(entries[4], ok(5, "https://a.example/\0", ""));
    assert_eq!(entries[5], ok(6, "https://b.example/", ""));
}

#[test]
fn a_line_of_64_kib_is_read_and_a_longer_one_is_rejected_in_constant_memory() {
    for extra in [0, 1, 100_000, 3_000_000] {
        let long = format!("https://a.example/{}", "x".repeat(64 * 1024 - 18 + extra));
        let content = format!("https://a.example/\n{long}\n#{long}\nhttps://b.example/\n{long}");
        let mut list = open_file("list.txt", content.as_bytes(), &ListOptions::default()).expect("opens");
        let (entries, error) = drain(&mut list);
        assert!(error.is_none());
        assert_eq!(entries.iter().map(|entry| entry.line).collect::<Vec<_>>(), [1, 2, 4, 5]);
        let reason = entries[1].url.as_ref().expect_err("too long for a URL");
        assert_eq!(reason == "longer than 64 KiB", extra > 0, "{reason}");
        assert_eq!(entries[3].url.as_ref(), Err(reason));
        assert_eq!(entries[1].raw_url, long[..2048]);
        assert!(held_bytes(&list) <= 128 * 1024);
    }
}

#[test]
fn a_decompression_bomb_costs_turns_and_no_memory() {
    let mut content = vec![b' '; 24 << 20];
    content.extend(b"\nhttps://a.example/\n");
    for bomb in [gz(&content), zst(&content)] {
        let dir = TempDir::new().expect("temporary directory");
        let path = dir.path().join("bomb");
        fs::write(&path, &bomb).expect("write");
        let mut list =
            UrlList::new("bomb", Input::open(&path).expect("open"), &ListOptions::default()).expect("format");
        let mut turns = 0;
        let first = loop {
            match list.next().expect("sound") {
                Step::Skipping => turns += 1,
                step => break step,
            }
            assert!(held_bytes(&list) <= 128 * 1024);
        };
        assert!(turns >= 10, "{turns} turns");
        let Step::Entry(first) = first else { panic!("{first:?}") };
        assert_eq!(row(&first), (1, String::new(), String::new(), "longer than 64 KiB".to_owned()));
        assert_eq!(rows(&drain(&mut list).0), [ok(2, "https://a.example/", "")]);
    }
}

#[test]
fn a_csv_column_holds_the_url_and_the_others_travel_along() {
    let content = "id,URL,note\r\n1,https://a.example/,\"x, \"\"y\"\"\"\r\n\r\n2, https://b.example/ ,\r\n";
    assert_eq!(
        csv(content),
        [
            ok(2, "https://a.example/", r#"{"id":"1","note":"x, \"y\""}"#),
            ok(4, "https://b.example/", r#"{"id":"2","note":""}"#),
        ]
    );
    let entries = read_file("list.tsv", b"a,b\tlink\n1\thttps://a.example/\n", &column("link"));
    assert_eq!(rows(&entries), [ok(2, "https://a.example/", r#"{"a,b":"1"}"#)]);
    let entries = read_file("list", b"link,b\nhttps://a.example/,1\n", &column("1"));
    assert_eq!(rows(&entries), [ok(2, "https://a.example/", r#"{"b":"1"}"#)]);
    assert_eq!(csv("link\nhttps://a.example/\n"), [ok(2, "https://a.example/", "")]);
}

#[test]
fn a_csv_list_without_a_header_loses_no_line() {
    assert_eq!(csv("https://a.example/\nhttps://b.example/\n").len(), 2);
    let entries = read_file("list.csv", b"1,https://a.example/\n2,https://b.example/\n", &column("2"));
    assert_eq!(
        rows(&entries),
        [ok(1, "https://a.example/", r#"{"column_1":"1"}"#), ok(2, "https://b.example/", r#"{"column_1":"2"}"#)]
    );
}

#[test]
fn semicolons_and_tabs_are_seen_where_no_comma_is() {
    assert_eq!(csv("id;url\n1;https://a.example/?a,b\n"), [ok(2, "https://a.example/?a,b", r#"{"id":"1"}"#)]);
    let entries = read_file("list", b"id\turl\n1\thttps://a.example/\n", &column("url"));
    assert_eq!(rows(&entries), [ok(2, "https://a.example/", r#"{"id":"1"}"#)]);
}

#[test]
fn line_numbers_are_right_after_line_breaks_in_quotes() {
    let content = "url,note\n\nhttps://a.example/,\"one\r\ntwo\n\nthree\"\r\n\nhttps://b.example/,x\n";
    assert_eq!(
        csv(content),
        [
            ok(3, "https://a.example/", r#"{"note":"one\r\ntwo\n\nthree"}"#),
            ok(8, "https://b.example/", r#"{"note":"x"}"#),
        ]
    );
}

#[test]
fn a_row_with_too_few_or_too_many_columns_is_no_mystery() {
    let entries = csv("id,url,note\n1\n2,https://a.example/\n3,https://b.example/,x,y,z\n4,,x\n");
    assert_eq!(
        entries[0],
        (2, "1".to_owned(), r#"{"id":"1"}"#.to_owned(), "a row of 1 column has no column \"url\"".to_owned())
    );
    assert_eq!(entries[1], ok(3, "https://a.example/", r#"{"id":"2"}"#));
    let columns = r#"{"id":"3","note":"x","column_4":"y","column_5":"z"}"#;
    assert_eq!(entries[2], ok(4, "https://b.example/", columns));
    let columns = r#"{"id":"4","note":"x"}"#.to_owned();
    assert_eq!(entries[3], (5, "4,,x".to_owned(), columns, "no URL in column \"url\"".to_owned()));
}

#[test]
fn a_row_that_is_not_utf_8_is_rejected_alone() {
    let content = b"url,note\nhttps://a.example/,\xe9\nhttps://b.example/,\xc3\xa9\nhttps://c.example/\xc3,\xa9\n";
    let entries = rows(&read_file("list.csv", content, &ListOptions::default()));
    assert_eq!(entries[0].1, "https://a.example/,\u{fffd}");
    assert!(entries[0].3.starts_with("not UTF-8"));
    assert_eq!(entries[1], ok(3, "https://b.example/", r#"{"note":"é"}"#));
    assert!(entries[2].3.starts_with("not UTF-8"));
}

#[test]
fn a_quote_that_is_never_closed_costs_one_line() {
    let good: String = (0..4000).map(|n| format!("https://a.example/{n},n\n")).collect();
    for (tail, until) in [(&good[..200], "before the list ends"), (&good[..], "within 64 KiB")] {
        let tail = &tail[..=tail.rfind('\n').expect("has lines")];
        let entries = csv(&format!("url,note\nhttps://a.example/,\"oops\n{tail}"));
        assert_eq!(entries[0].1, "https://a.example/,\"oops");
        assert!(entries[0].3.ends_with(until), "{}", entries[0].3);
        assert_eq!(entries.len(), 1 + tail.lines().count());
        assert!(entries[1..].iter().all(|entry| entry.3 == "ok"));
        let lines: Vec<u64> = entries.iter().map(|entry| entry.0).collect();
        assert_eq!(lines, (2..2 + lines.len() as u64).collect::<Vec<_>>());
    }
    let error = open_error("list.csv", b"url,\"note\nhttps://a.example/,x\n", &ListOptions::default());
    assert!(error.contains("quote"), "{error}");
}

#[test]
fn quotes_that_open_on_every_line_cost_linear_time() {
    let content = "url,b\nhttps://a.example/,1\n".to_owned() + &"x\"y,\"z\n".repeat(60_000);
    assert_eq!(csv(&content).len(), 60_001);
}

#[test]
fn an_overlong_csv_record_is_rejected_and_the_next_row_counts() {
    let long = "x".repeat(70_000);
    let content = format!(
        "url,b\nhttps://a.example/,{long}\nhttps://b.example/,1\nhttps://c.example/,\"o\n{long}\n\
                           https://d.example/,2\n"
    );
    let entries = csv(&content);
    assert_eq!(entries.iter().map(|entry| entry.0).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
    assert_eq!(entries[0].3, "longer than 64 KiB");
    assert_eq!(entries[1], ok(3, "https://b.example/", r#"{"b":"1"}"#));
    assert!(entries[2].3.contains("before an overlong line"));
    assert_eq!(entries[3].3, "longer than 64 KiB");
    assert_eq!(entries[4], ok(6, "https://d.example/", r#"{"b":"2"}"#));
    assert!(open_error("a.csv", format!("{long}\nx\n").as_bytes(), &ListOptions::default()).contains("64 KiB"));
}

#[test]
fn two_urls_in_one_cell_are_not_joined() {
    let entries = csv("url,b\n\"https://a.example/\nhttps://b.example/\",1\nhttps://c.example/,2\n");
    assert!(entries[0].3.contains("line break"), "{entries:?}");
}

#[test]
fn a_jsonl_field_holds_the_url_and_the_others_travel_along() {
    let content = br#"{"id": 12345678901234567890123, "url": "https:\/\/a.example\/", "tags": ["x", {"y": 1.50}]}

  {"url":" https://b.example/ "}
{"link":"https://c.example/"}
{"url":null,"id":1}
{"url":"","id":1}
{"url":"nothing","id":1}
{"url":"https://u:secret@d.example/" "id":1}
["https://e.example/"]
"#;
    let entries = rows(&read_file("list.jsonl", content, &ListOptions::default()));
    assert_eq!(
        entries[..2],
        [
            ok(1, "https://a.example/", r#"{"id":12345678901234567890123,"tags":["x", {"y": 1.50}]}"#),
            ok(3, "https://b.example/", ""),
        ]
    );
    let verdicts: Vec<(u64, &str)> = entries[2..].iter().map(|entry| (entry.0, entry.3.as_str())).collect();
    assert_eq!(
        verdicts,
        [
            (4, "no field \"url\" among \"link\"; name the URL's field with --url-field"),
            (5, "field \"url\" is null, not text"),
            (6, "no URL in field \"url\""),
            (7, "not a URL: relative URL without a base"),
            (8, "malformed JSON at column 38: expected `,` or `}`"),
            (9, "not a JSON object; one object per line is expected"),
        ]
    );
    assert_eq!(entries[5].2, r#"{"id":1}"#);
    assert_eq!(entries[6].1, r#"{"url":"https://***@d.example/" "id":1}"#);
}

#[test]
fn lines_of_a_shard_have_their_urls_and_columns_whatever_the_options_are_and_may_be_none() {
    use seine_core::record::origin::{Origin, head, shard_line, split_columns};
    let origin = |line| Origin { list: "urls.csv".to_owned(), line };
    let long = format!("{{\"url\":\"other\",\"text\":\"{}\"}}", "x".repeat(200 * 1024));
    let content = [
        head(0, 2),
        shard_line(&origin(7), "https://a.example/", None, Some(&long)),
        shard_line(&origin(9), "nonsense", Some("no URL in column \"link\""), None),
        shard_line(&origin(11), "https://b.example/#x", None, None),
    ]
    .join("\n");
    for options in [ListOptions::default(), field("page.href"), column("link")] {
        let entries = read_file("shard-0.jsonl", content.as_bytes(), &options);
        let rows = rows(&entries);
        let origins: Vec<_> = entries
            .iter()
            .map(|entry| split_columns(entry.columns.as_deref().expect("columns")).expect("an origin"))
            .collect();
        assert_eq!(origins, [(origin(7), Some(long.clone())), (origin(9), None), (origin(11), None)]);
        let told: Vec<_> = rows.iter().map(|row| (row.0, row.1.as_str(), row.3.as_str())).collect();
        let reason = "no URL in column \"link\"";
        assert_eq!(told, [(2, "https://a.example/", "ok"), (3, "nonsense", reason), (4, "https://b.example/#x", "ok")]);
    }
    // One to which no domain has come is a list all the same, and one with nothing but rejected lines.
    for content in [head(1, 2), content.lines().step_by(2).collect::<Vec<_>>().join("\n")] {
        let entries = read_file("shard-1.jsonl", content.as_bytes(), &ListOptions::default());
        assert_eq!(entries.len(), content.lines().count() - 1);
    }
    assert!(open_file("a.jsonl", b"{\"_seine\":1}\n", &ListOptions::default()).is_err());
}

#[test]
fn a_jsonl_field_may_be_a_path() {
    let content = br#"{"page":{"url":"https://a.example/","n":1},"id":2}"#;
    let entries = read_file("list.ndjson", content, &field("page.url"));
    assert_eq!(rows(&entries), [ok(1, "https://a.example/", r#"{"page":{"n":1},"id":2}"#)]);
    assert_eq!(read_file("list", content, &field("page.url")), entries);
}

#[test]
fn the_name_tells_the_format_before_the_options_do() {
    let both = ListOptions { url_column: Some("u".into()), url_field: Some("f".into()) };
    let entries = read_file("A.CSV", b"u,b\nhttps://a.example/,1\n", &both);
    assert_eq!(rows(&entries), [ok(2, "https://a.example/", r#"{"b":"1"}"#)]);
    let entries = read_file("a.JSONL", br#"{"f":"https://a.example/","b":1}"#, &both);
    assert_eq!(rows(&entries), [ok(1, "https://a.example/", r#"{"b":1}"#)]);
    assert!(open_error("a.txt", b"https://a.example/\n", &both).contains("--url-column"));
    assert!(open_error("a.csv", b"id,link\n", &ListOptions::default()).contains("\"id\", \"link\""));
}

#[test]
fn a_list_that_is_missing_a_directory_or_empty_stops_everything_before_the_start() {
    let dir = TempDir::new().expect("temporary directory");
    let path = |name: &str| Source::Path(dir.path().join(name));
    fs::write(dir.path().join("good"), "https://a.example/\n").expect("write");
    let opened = |sources: &[Source]| open(sources, &ListOptions::default());
    let error = opened(&[path("good"), path("gone")]).err().expect("missing");
    assert!(matches!(&error, ListError::Missing { name, .. } if name.ends_with("gone")), "{error}");
    let error = opened(&[Source::Path(dir.path().to_owned())]).err().expect("directory");
    assert!(matches!(error, ListError::Directory { .. }));
    let contents: [&[u8]; 6] = [b"", b"\n \r\n", b"# only\n#comments", "\u{feff}".as_bytes(), &gz(b""), &zst(b"\n")];
    for content in contents {
        fs::write(dir.path().join("empty"), content).expect("write");
        let error = opened(&[path("good"), path("empty")]).err().expect("empty");
        assert!(matches!(&error, ListError::Empty { name } if name.ends_with("empty")), "{error}");
    }
    assert!(matches!(open_file("a.csv", b"url,b\n", &ListOptions::default()).err(), Some(ListError::Empty { .. })));
}

#[test]
fn a_file_given_twice_is_read_once() {
    let dir = TempDir::new().expect("temporary directory");
    let (one, two) = (dir.path().join("one"), dir.path().join("two"));
    fs::write(&one, "https://a.example/\n").expect("write");
    std::os::unix::fs::symlink(&one, &two).expect("link");
    let lists = open(&[&one, &two, &one].map(|path| Source::Path(path.clone())), &ListOptions::default());
    let lists = lists.expect("opens");
    assert_eq!(lists.len(), 1);
    assert_eq!(lists[0].name(), one.to_str().expect("UTF-8"));
}

#[test]
fn a_path_need_not_be_utf_8() {
    let dir = TempDir::new().expect("temporary directory");
    let path = dir.path().join(std::ffi::OsStr::from_bytes(b"l\xffst.csv"));
    fs::write(&path, "url,b\nhttps://a.example/,1\n").expect("write");
    let mut list = open(&[path.into()], &ListOptions::default()).expect("opens").remove(0);
    assert!(list.name().ends_with("l\u{fffd}st.csv"));
    assert_eq!(rows(&drain(&mut list).0), [ok(2, "https://a.example/", r#"{"b":"1"}"#)]);
    assert_eq!(Source::from(PathBuf::from("-")), Source::Stdin);
    assert_eq!(Source::from(PathBuf::from("./-")), Source::Path(PathBuf::from("./-")));
}

#[test]
fn a_fingerprint_changes_with_the_file_and_only_files_have_one() {
    let dir = TempDir::new().expect("temporary directory");
    let path = dir.path().join("list");
    let fingerprint = || open(&[Source::Path(path.clone())], &ListOptions::default()).expect("opens")[0].fingerprint();
    fs::write(&path, "https://a.example/\n").expect("write");
    let first = fingerprint().expect("a file");
    assert!(first.starts_with("Fingerprint { size: 19, mtime_ns: "), "stores keep this text: {first}");
    assert_eq!(fingerprint(), Some(first.clone()));
    fs::write(&path, "https://a.example/\nhttps://b.example/\n").expect("write");
    assert_ne!(fingerprint(), Some(first));
    let table = |column: Option<&str>| {
        let options = ListOptions { url_column: column.map(str::to_owned), url_field: None };
        let name = dir.path().join("list.csv");
        fs::write(&name, "a,url\nhttps://a.example/,https://b.example/\n").expect("write");
        open(&[Source::Path(name)], &options).expect("opens")[0].fingerprint().expect("a file")
    };
    assert!(table(Some("a")).ends_with("} column \"a\""), "another column is another list");
    assert!(table(None).ends_with('}'));
    let (list, _writer) = piped("-", &ListOptions::default());
    assert_eq!(list.fingerprint(), None);
}

#[test]
fn a_slow_pipe_is_pending_until_its_line_is_whole() {
    let (mut list, mut writer) = piped("-", &ListOptions::default());
    assert_eq!(list.next().expect("sound"), Step::Pending);
    assert!(list.fd().is_some_and(|fd| fd.as_raw_fd() > 2));
    writer.write_all(b"https://a.example/\nhttps://b.ex").expect("write");
    assert!(matches!(list.next().expect("sound"), Step::Entry(entry) if entry.raw_url == "https://a.example/"));
    assert_eq!(list.next().expect("sound"), Step::Pending);
    assert_eq!(list.next().expect("sound"), Step::Pending);
    writer.write_all(b"ample/").expect("write");
    assert_eq!(list.next().expect("sound"), Step::Pending);
    drop(writer);
    assert!(matches!(list.next().expect("sound"), Step::Entry(entry) if entry.raw_url == "https://b.example/"));
    assert_eq!(list.next().expect("sound"), Step::End);
    assert_eq!(list.next().expect("sound"), Step::End);
}

#[test]
fn a_compressed_pipe_may_pause_anywhere_for_any_time() {
    for content in [gz(b"https://a.example/\n"), zst(b"https://a.example/\n")] {
        let (mut list, mut writer) = piped("-", &ListOptions::default());
        let mut entries = Vec::new();
        for byte in content {
            writer.write_all(&[byte]).expect("write");
            // Far more calls than a decoder takes without progress before it gives up.
            for _ in 0..40 {
                match list.next().expect("sound") {
                    Step::Entry(entry) => entries.push(entry),
                    step => assert!(matches!(step, Step::Pending | Step::Skipping)),
                }
            }
        }
        drop(writer);
        entries.extend(drain(&mut list).0);
        assert_eq!(rows(&entries), [ok(1, "https://a.example/", "")]);
    }
}

#[test]
fn opening_a_fifo_waits_for_its_first_entry() {
    let dir = TempDir::new().expect("temporary directory");
    let path = dir.path().join("fifo");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    let writer = std::thread::spawn({
        let path = path.clone();
        move || fs::write(path, "# first a comment\nhttps://a.example/\n")
    });
    let mut list = open(&[Source::Path(path.clone())], &ListOptions::default()).expect("opens").remove(0);
    assert_eq!(rows(&drain(&mut list).0), [ok(2, "https://a.example/", "")]);
    writer.join().expect("no panic").expect("write");
    let writer = std::thread::spawn(move || fs::OpenOptions::new().write(true).open(dir.path().join("fifo")).map(drop));
    let error = open(&[Source::Path(path)], &ListOptions::default()).err().expect("empty");
    assert!(matches!(error, ListError::Empty { .. }), "{error}");
    writer.join().expect("no panic").expect("open");
}

#[test]
fn compressed_lists_may_have_parts_padding_and_any_name() {
    let (one, two) = (b"https://a.example/\nhttps://b.ex", b"ample/\n");
    let expected = [ok(1, "https://a.example/", ""), ok(2, "https://b.example/", "")];
    let gzip = [gz(one), gz(b""), gz(two), vec![0; 1000]].concat();
    let zstd = [b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(), zst(one), zst(b""), zst(two)].concat();
    let plain = [one.as_slice(), two].concat();
    for content in [gzip, zstd, plain] {
        for name in ["list", "list.txt.gz", "list.zst"] {
            assert_eq!(rows(&read_file(name, &content, &ListOptions::default())), expected, "{name}");
        }
    }
    let entries = read_file("list.csv.gz", &gz(b"url,b\nhttps://a.example/,1\n"), &ListOptions::default());
    assert_eq!(rows(&entries), [ok(2, "https://a.example/", r#"{"b":"1"}"#)]);
}

#[test]
fn what_is_no_list_is_named_whatever_it_is_called_and_packed_in() {
    let sitemap = "<?xml version=\"1.0\"?>\n<urlset><url><loc>https://a.example/</loc></url></urlset>\n";
    for (content, what) in [
        (b"\xfd7zXZ\0....".as_slice(), "xz -dc"),
        (b"PK\x03\x04..", "a zip archive"),
        (b"BZh91AY&SY..", "bzip2 -dc"),
        (b"%PDF-1.4\n1 0 obj", "a PDF document"),
        (b"<!DOCTYPE html>\n<html><body>\n", "--follow"),
        (sitemap.as_bytes(), "--sitemap https://"),
        (b"[{\"url\": \"https://a.example/\"}]\n", "jq -c"),
        (b"SQLite format 3\0....", "--db"),
        (b"WARC/1.0\r\n", "seine import"),
        (&[0; 100], "no text"),
    ] {
        for name in ["list", "list.txt", "list.csv", "list.tsv", "list.jsonl"] {
            let error = open_error(name, content, &ListOptions::default());
            assert!(error.contains(what) && error.contains(name), "{name}: {error}");
        }
        for packed in [gz(content), zst(content)] {
            assert!(open_error("list", &packed, &ListOptions::default()).contains(what), "{what}");
        }
        let (mut list, mut writer) = piped("-", &ListOptions::default());
        let content = content.to_vec();
        let feeder = std::thread::spawn(move || content.iter().try_for_each(|byte| writer.write_all(&[*byte])));
        let error = drain(&mut list).1.expect("refused").to_string();
        assert!(error.contains(what), "byte by byte: {error}");
        let _ = feeder.join().expect("no panic");
    }
    assert!(
        open_error("list.txt", b"{\"url\": \"https://a.example/\"}\n", &ListOptions::default()).contains("--url-field")
    );
}

#[test]
fn lines_may_end_as_old_macs_wrote_them() {
    let expected = [ok(2, "https://a.example/", r#"{"n":"one, two"}"#), ok(3, "https://b.example/", r#"{"n":"x"}"#)];
    let content = "url,n\rhttps://a.example/,\"one, two\"\rhttps://b.example/,x\r";
    assert_eq!(csv(content), expected);
    let packed = gz(content.as_bytes());
    assert_eq!(rows(&read_file("list.csv.gz", &packed, &ListOptions::default())), expected);
    let lines = ["https://a.example/\rhttps://b.example/", "https://a.example/\r\rhttps://b.example/\r"];
    assert_eq!(lines.map(|content| text(content.as_bytes()).len()), [2, 2]);
    let entries =
        read_file("a.jsonl", b"{\"url\":\"https://a.example/\"}\r{\"url\":\"https://b.example/\"}\r", &field("url"));
    assert_eq!(entries.len(), 2);
    assert_eq!(
        text(b"https://a.example/\r"),
        [ok(1, "https://a.example/", "")],
        "a single line has no end but its own"
    );
    // One break within quotes makes no such file.
    let entries = csv("url,\"a\rb\"\nhttps://a.example/,1\nhttps://b.example/,2\n");
    assert_eq!(entries[0], ok(2, "https://a.example/", r#"{"a\rb":"1"}"#));
}

#[test]
fn a_table_with_other_separators_is_read_or_refused() {
    for separator in ["|", "^", ";", "\t", "~", "\u{1}", "\u{1f}"] {
        let content = ["id,link,n", "1,https://a.example/?a=1,x"].join("\n").replace(',', separator);
        for name in ["list", "list.csv"] {
            let entries = read_file(name, content.as_bytes(), &column("link"));
            let expected = [ok(2, "https://a.example/?a=1", r#"{"id":"1","n":"x"}"#)];
            assert_eq!(rows(&entries), expected, "{separator:?} in {name}");
        }
        let error = open_error("list.csv", content.replace("link", "address").as_bytes(), &ListOptions::default());
        assert!(error.contains("\"id\", \"address\", \"n\""), "{separator:?}: {error}");
    }
    let error = open_error("list.csv", b"id:url:n\n1:https://a.example/:x\n", &ListOptions::default());
    assert!(error.contains("separated by \":\""), "{error}");
    let error = open_error("list.csv", b"https://a.example/|x\nhttps://b.example/|y\n", &ListOptions::default());
    assert!(error.contains("header row"), "{error}");
}

#[test]
fn a_list_without_a_single_url_is_refused_with_advice() {
    let refused = |name: &str, content: &str| open_error(name, content.as_bytes(), &ListOptions::default());
    let error = refused("hosts", "# mine\nexample.com\nwww.example.org/x\n");
    assert!(error.contains("2 of its lines are rejected, the first is line 2"), "{error}");
    assert!(error.contains("write \"https://example.com\"") && error.contains("sed 's|^|https://|'"), "{error}");
    let error = refused("table", "1,https://a.example/\n2,https://b.example/\n");
    assert!(error.contains("--url-column") && !error.contains("sed"), "{error}");
    assert!(refused("a.jsonl", "{\"link\":\"https://a.example/\"}\n").contains("--url-field"));
    assert!(refused("a.csv", "id,url\n1,\n2,none\n").contains("no URL in column \"url\""));
    let many = "x\n".repeat(20_000);
    assert!(refused("many", &many).contains("20000 of its lines"));
    let entries = text(format!("{many}https://a.example/\n").as_bytes());
    assert_eq!((entries.len(), &*entries[20_000].1), (20_001, "https://a.example/"));
}

#[test]
fn a_list_of_lists_is_seen_by_the_files_it_names() {
    let dir = TempDir::new().expect("temporary directory");
    fs::write(dir.path().join("a.txt"), "https://a.example/\n").expect("write");
    fs::write(dir.path().join("lists"), "a.txt\nb.txt\n").expect("write");
    let error = open(&[Source::Path(dir.path().join("lists"))], &ListOptions::default()).err().expect("refused");
    assert!(error.to_string().contains("xargs seine crawl < "), "{error}");
}

#[test]
fn a_pipe_without_a_url_is_refused_at_its_end_or_read_on_after_many_lines() {
    let opened = |content: Vec<u8>| {
        let dir = TempDir::new().expect("temporary directory");
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
        let writer = std::thread::spawn({
            let path = path.clone();
            move || fs::write(path, content)
        });
        let list = open(&[Source::Path(path)], &ListOptions::default()).map(|mut lists| drain(&mut lists[0]).0);
        let _ = writer.join().expect("no panic");
        list
    };
    let error = opened(b"example.com\nexample.org\n".to_vec()).expect_err("refused").to_string();
    assert!(error.contains("2 of its lines") && error.contains("sed 's|^|https://|'"), "{error}");
    for rejected in [3, 5000] {
        let content = "x\n".repeat(rejected) + "https://a.example/\n";
        let entries = opened(content.into_bytes()).expect("opens");
        assert_eq!(entries.len(), rejected + 1);
        assert!(entries[rejected].url.is_ok() && entries[0].url.is_err());
        assert!(entries.iter().zip(1..).all(|(entry, line)| entry.line == line));
    }
}

#[test]
fn a_line_without_an_end_is_refused_in_constant_memory() {
    // Nothing but blanks, as often as they are read.
    let (mut list, mut writer) = piped("-", &ListOptions::default());
    let feeder = std::thread::spawn(move || while writer.write_all(&[b' '; 65536]).is_ok() {});
    let error = drain(&mut list).1.expect("refused").to_string();
    assert!(error.contains("line 1 is longer than 64 MiB"), "{error}");
    assert!(held_bytes(&list) <= 128 * 1024);
    drop(list);
    feeder.join().expect("no panic");
    let error = open(&["/dev/zero".into()].map(Source::Path), &ListOptions::default()).err().expect("refused");
    assert!(error.to_string().contains("no text"), "{error}");
}

#[test]
fn urls_given_themselves_are_one_list() {
    let dir = TempDir::new().expect("temporary directory");
    let file = dir.path().join("list");
    fs::write(&file, "https://c.example/\n").expect("write");
    let opened = |urls: [&str; 2]| {
        let [first, second] = urls.map(|url| Source::from(PathBuf::from(url)));
        open(&[first, Source::Path(file.clone()), second], &ListOptions::default())
    };
    let mut lists = opened(["HTTPS://a.example/x", "http://b.example/"]).expect("opens");
    let names = [lists[0].name().to_owned(), lists[1].name().to_owned()];
    assert_eq!((lists.len(), names), (2, ["command line".to_owned(), file.to_string_lossy().into_owned()]));
    assert_eq!(rows(&drain(&mut lists[0]).0), [ok(1, "HTTPS://a.example/x", ""), ok(2, "http://b.example/", "")]);
    let fingerprint = |urls| opened(urls).expect("opens")[0].fingerprint().expect("URLs have one");
    assert_eq!(
        fingerprint(["https://a.example/", "https://b.example/"]),
        fingerprint(["https://a.example/", "https://b.example/"])
    );
    assert_ne!(
        fingerprint(["https://a.example/", "https://b.example/"]),
        fingerprint(["https://b.example/", "https://a.example/"])
    );
    let error = opened(["https://u:hunter2@a.example/", "https://b.example/"]).err().expect("refused").to_string();
    assert!(
        error.contains("https://***@a.example/") && error.contains("user name") && !error.contains("hunter2"),
        "{error}"
    );
    // A file of that name is another list.
    let folder = std::env::current_dir().expect("a folder");
    assert!(!folder.join("command line").exists());
    assert_eq!(
        Source::from(PathBuf::from("./https://a.example/")),
        Source::Path(PathBuf::from("./https://a.example/"))
    );
}

#[test]
fn a_word_that_is_no_file_is_answered_with_the_url_that_was_meant() {
    let missing =
        |word: &str| open(&[PathBuf::from(word).into()], &ListOptions::default()).err().expect(word).to_string();
    for (word, url) in [
        ("example.com", "for a URL write https://example.com"),
        ("www.example.co.uk/x?y=1", "for a URL write https://www.example.co.uk/x?y=1"),
        ("//example.org/", "for a URL write https://example.org/"),
        ("localhost:8080/x", "for a URL write https://localhost:8080/x"),
        ("127.0.0.1/x", "for a URL write https://127.0.0.1/x"),
        ("no-such-list.txt", "for a URL write https://…"),
        ("no-such-list", "for a URL write https://…"),
        ("Cargo.toml/x", "for a URL write https://…"),
        ("htp://example.com/", "for a URL write https://…"),
    ] {
        let error = missing(word);
        assert!(error.contains("no such file") && error.ends_with(url), "{word}: {error}");
    }
    let long = format!("example.com/{}", "x".repeat(5000));
    assert!(missing(&long).contains("no such file"));
    let archive = open(&[Source::Archive("https://a.example/x.warc.gz".into())], &ListOptions::default());
    assert!(archive.err().expect("no file").to_string().contains("download it first"));
}

#[test]
fn a_truncated_list_gives_what_it_has_and_then_the_line_of_the_error() {
    let content: String = (0..40).map(|n| format!("https://a.example/{}\n", n * n)).collect();
    let whole = read_file("list", content.as_bytes(), &ListOptions::default());
    // The first byte of zstd's magic number alone is a "(" like any other.
    for (shortest, packed) in [(1, gz(content.as_bytes())), (2, zst(content.as_bytes()))] {
        for cut in shortest..packed.len() {
            let (entries, error) = match open_file("list", &packed[..cut], &ListOptions::default()) {
                Ok(mut list) => drain(&mut list),
                Err(error) => (Vec::new(), Some(error)),
            };
            assert_eq!(entries, whole[..entries.len()]);
            let reached = entries.len() as u64 + 1;
            assert!(
                matches!(&error, Some(ListError::Truncated { name, line, .. }) if name.ends_with("list") && *line == reached),
                "cut at {cut}: {error:?} after {} entries",
                entries.len()
            );
        }
    }
}

#[test]
fn a_damaged_list_never_passes_for_a_sound_one() {
    let content: String = (0..40).map(|n| format!("https://a.example/{}\n", n * n)).collect();
    let whole = read_file("list", content.as_bytes(), &ListOptions::default());
    for (name, packed) in [("list.gz", gz(content.as_bytes())), ("list.zst", zst(content.as_bytes()))] {
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 0x55;
            let (entries, error) = match open_file(name, &damaged, &ListOptions::default()) {
                Ok(mut list) => drain(&mut list),
                Err(error) => (Vec::new(), Some(error)),
            };
            // Times and the like in the header may change without harm.
            assert!(error.is_some() || entries == whole, "{name}: byte {at} of {}", packed.len());
        }
    }
    let (entries, error) = drain(
        &mut open_file("list", &[gz(b"https://a.example/\n"), b"tail".to_vec()].concat(), &ListOptions::default())
            .expect("opens"),
    );
    assert_eq!(entries.len(), 1);
    assert!(matches!(error, Some(ListError::Corrupt { line: 2, format: "gzip", .. })), "{error:?}");
}

#[test]
fn a_pipe_in_any_pieces_gives_the_same_entries_as_a_file() {
    let long = "x".repeat(70_000);
    let text =
        format!("\u{feff}# c\r\nhttps://a.example/\r\n\r\nexample.com\nhttps://é.example/ü\n#{long}\n{long}\nhttp://b");
    let csv = format!(
        "\u{feff}id,url,n\r\n1,https://a.example/,\"x\r\n\"\"y\"\r\n\r\n2\r\n3,https://b.example/,{long}\n\
         4,https://c.example/,ü,5,6\n5,https://d.example/,\"open\n6,https://e.example/,z"
    );
    let tsv = csv.replace(',', "\t");
    let jsonl = format!(
        "{{\"id\":1,\"url\":\"https://a.example/\"}}\r\n\n{{\"url\":1}}\n{{\"x\":\"{long}\"}}\n{{]\n{{\"url\":\"http://b\"}}"
    );
    let mac = "id,url,n\r1,https://a.example/,\"x, y\"\r2\r\r3,https://b.example/,z\r4,https://c.example/,".to_owned();
    let lists = [("a.txt", text), ("a.csv", csv), ("a.tsv", tsv), ("a.jsonl", jsonl), ("mac.csv", mac)];
    for (name, content) in lists {
        let content = content.as_bytes();
        let expected = read_file(name, content, &ListOptions::default());
        assert!(expected.len() >= 4 && expected.iter().any(|entry| entry.url.is_ok()), "{name}");
        let halves = content.split_at(content.len() / 3);
        let (gzips, zstds) = ([gz(halves.0), gz(halves.1)].concat(), [zst(halves.0), zst(halves.1)].concat());
        for bytes in [content.to_vec(), gzips, zstds] {
            // Seed 0 stands for one byte at a time.
            for seed in 0..4u64 {
                println!("{name}, {} bytes, seed {seed}", bytes.len());
                let (mut list, mut writer) = piped(name, &ListOptions::default());
                let bytes = bytes.clone();
                let feeder = std::thread::spawn(move || {
                    let (mut dice, mut rest) = (Dice::of(seed), bytes.as_slice());
                    while !rest.is_empty() {
                        let most = if seed == 0 { 1 } else { [1, 7, 300, 60_000][dice.below(4)] };
                        let (piece, others) = rest.split_at((dice.below(most) + 1).min(rest.len()));
                        writer.write_all(piece).expect("the reader reads to the end");
                        rest = others;
                    }
                });
                let (entries, error) = drain(&mut list);
                feeder.join().expect("no panic");
                assert!(error.is_none(), "{error:?}");
                assert_eq!(entries, expected, "{name}, seed {seed}");
            }
        }
    }
}
