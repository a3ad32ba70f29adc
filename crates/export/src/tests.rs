//! What each format makes of values that nobody wishes for.

use std::fs;
use std::io::Read;
use std::path::Path;

use ::parquet::file::reader::{FileReader, SerializedFileReader};

use super::markdown::Markdown;
use super::show::Show;
use super::split::{By, Split, file_name};
use super::target::{Folder, Output, Packing};
use super::*;
use seine_store::tables::ColumnType;

fn columns(columns: &[(&str, ColumnType)]) -> Vec<Column> {
    columns.iter().map(|(name, kind)| Column::new(*name, kind.clone())).collect()
}

fn texts(names: &[&str]) -> Vec<Column> {
    names.iter().map(|name| Column::new(*name, ColumnType::Text)).collect()
}

fn text(text: &str) -> Cell<'_> {
    Cell::Text(text.as_bytes())
}

fn fill(mut sink: Box<dyn Sink>, columns: &[Column], rows: &[&[Cell<'_>]]) -> Result<Finished> {
    sink.table("t", columns)?;
    for row in rows {
        sink.row(row)?;
    }
    sink.finish()
}

/// The bytes of a file of `format`.
fn file(format: Format, style: Style, columns: &[Column], rows: &[&[Cell<'_>]]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("export");
    let output = Output::file(&path, None).expect("a file");
    fill(sink(format, output, style).expect("a sink"), columns, rows).expect("an export");
    assert_eq!(names(folder.path()), ["export"]);
    fs::read(path).expect("it has its name")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// One member of a zip file, which are written one after another.
fn member(zip: &[u8], name: &str) -> String {
    let short = |at: usize| usize::from(u16::from_le_bytes([zip[at], zip[at + 1]]));
    let is_it = |&at: &usize| {
        zip[at..].starts_with(b"PK\x03\x04")
            && zip[at + 30..].starts_with(name.as_bytes())
            && short(at + 26) == name.len()
    };
    let at = (0..zip.len() - 30).find(is_it).unwrap_or_else(|| panic!("no {name}"));
    let mut content = String::new();
    let packed = &zip[at + 30 + name.len() + short(at + 28)..];
    flate2::read::DeflateDecoder::new(packed).read_to_string(&mut content).expect("deflated UTF-8");
    content
}

#[test]
fn csv_quotes_what_has_to_be_and_tells_nothing_from_the_empty_text() {
    let long = "x".repeat(1 << 20);
    let rows: [&[Cell<'_>]; 4] = [
        &[text("a,b"), text("say \"hi\""), text("two\r\nlines")],
        &[Cell::Null, text(""), text("nul \0 byte")],
        &[Cell::Integer(-5), Cell::Real(1.0), Cell::Text(b"bad \xff byte")],
        &[Cell::Blob(&[0, 255]), Cell::Null, text(&long)],
    ];
    let bytes = file(Format::Csv, Style::default(), &texts(&["a", "b", "c,d"]), &rows);
    let expected = format!(
        "a,b,\"c,d\"\r\n\"a,b\",\"say \"\"hi\"\"\",\"two\r\nlines\"\r\n,\"\",nul \0 byte\r\n-5,1.0,bad \u{fffd} byte\r\n\
         AP8=,,{long}\r\n"
    );
    assert_eq!(bytes, expected.as_bytes());
    let tabs = file(Format::Tsv, Style::default(), &texts(&["a", "b"]), &[&[text("x\ty"), text("a,b")]]);
    assert_eq!(tabs, b"a\tb\r\n\"x\ty\"\ta,b\r\n");
    let lonely = file(Format::Csv, Style::default(), &texts(&["a"]), &[&[Cell::Null]]);
    assert_eq!(lonely, b"a\r\n\"\"\r\n", "an empty line would be no row");
}

#[test]
fn no_cell_is_a_formula_where_that_was_asked_for() {
    let style = Style { spreadsheet_safe: true, bom: true };
    let rows: [&[Cell<'_>]; 3] = [
        &[text("=1+1"), text("+1"), text("@x")],
        &[text("\tx"), text("-1\""), Cell::Integer(-1)],
        &[text("a=b"), text("\u{ff1d}1"), text("\r=1")],
    ];
    let bytes = file(Format::Csv, style, &texts(&["=a", "b", "c"]), &rows);
    let expected = "\u{feff}\"'=a\",b,c\r\n\"'=1+1\",\"'+1\",\"'@x\"\r\n\"'\tx\",\"'-1\"\"\",-1\r\n\
                    a=b,\"'\u{ff1d}1\",\"'\r=1\"\r\n";
    assert_eq!(String::from_utf8_lossy(&bytes), expected);
}

#[test]
fn json_has_the_types_of_its_columns_and_a_line_for_each_row() {
    let columns = columns(&[
        ("n", ColumnType::Integer),
        ("b", ColumnType::Bool),
        ("j", ColumnType::Json),
        ("l", ColumnType::List(Box::new(ColumnType::Text))),
        ("t", ColumnType::Text),
    ]);
    let rows: [&[Cell<'_>]; 3] = [
        &[Cell::Integer(1), Cell::Integer(1), text("{\"a\":\n[1, 2.50]}"), text("[\"x\"]"), text("{\"no\":\"json\"}")],
        &[Cell::Real(0.1), Cell::Integer(7), text("{broken\n"), Cell::Null, Cell::Text(b"\xff\0\n")],
        &[Cell::Real(f64::INFINITY), Cell::Null, Cell::Null, Cell::Null, Cell::Blob(b"\0")],
    ];
    let lines = String::from_utf8(file(Format::Jsonl, Style::default(), &columns, &rows)).expect("UTF-8");
    assert_eq!(
        lines.lines().collect::<Vec<_>>(),
        [
            r#"{"n":1,"b":true,"j":{"a": [1, 2.50]},"l":["x"],"t":"{\"no\":\"json\"}"}"#,
            r#"{"n":0.1,"b":7,"j":"{broken\n","l":null,"t":"�\u0000\n"}"#,
            r#"{"n":null,"b":null,"j":null,"l":null,"t":"AA=="}"#,
        ]
    );
    let array: serde_json::Value =
        serde_json::from_slice(&file(Format::Json, Style::default(), &columns, &rows)).expect("JSON");
    assert_eq!(array.as_array().map(Vec::len), Some(3));
    let none = file(Format::Json, Style::default(), &columns, &[]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&none).expect("JSON"), serde_json::json!([]));
}

fn goods() -> Vec<Column> {
    let specs = ColumnType::Record(columns(&[
        ("name", ColumnType::Text),
        ("values", ColumnType::List(Box::new(ColumnType::Real))),
    ]));
    columns(&[
        ("url", ColumnType::Text),
        ("price", ColumnType::Real),
        ("stock", ColumnType::Integer),
        ("is_new", ColumnType::Bool),
        ("on", ColumnType::Date),
        ("at", ColumnType::Timestamp),
        ("tags", ColumnType::List(Box::new(ColumnType::Text))),
        ("specs", ColumnType::List(Box::new(specs))),
        ("any", ColumnType::Json),
    ])
}

#[test]
fn parquet_gives_back_lists_records_and_nothing_as_they_were() {
    let rows: [&[Cell<'_>]; 3] = [
        &[
            text("u1"),
            Cell::Integer(2),
            Cell::Real(5.0),
            Cell::Integer(1),
            text("1969-12-31"),
            text("2026-11-22T10:00:00.25Z"),
            text(r#"["a", null, "b\u0000"]"#),
            text(r#"[{"name": "n", "values": [1, 2.5]}, {"values": []}, null, {"name": 7}]"#),
            text(r#"{"x": [1]}"#),
        ],
        &[Cell::Null; 9],
        &[
            Cell::Text(b"bad \xff"),
            Cell::Real(0.5),
            Cell::Integer(i64::MIN),
            Cell::Integer(0),
            text("2026-02-28"),
            text("2026-11-22T10:00:00"),
            text("[]"),
            text("[]"),
            Cell::Null,
        ],
    ];
    let bytes = bytes::Bytes::from(file(Format::Parquet, Style::default(), &goods(), &rows));
    let reader = SerializedFileReader::new(bytes).expect("a Parquet file");
    let found: Vec<_> = reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row").to_string()).collect();
    assert_eq!(
        found,
        [
            "{url: \"u1\", price: 2.0, stock: 5, is_new: true, on: 1969-12-31, at: 2026-11-22 10:00:00.250000 +00:00, \
             tags: [\"a\", null, \"b\0\"], specs: [{name: \"n\", values: [1.0, 2.5]}, {name: null, values: []}, null, \
             {name: \"7\", values: null}], any: \"{\"x\": [1]}\"}",
            "{url: null, price: null, stock: null, is_new: null, on: null, at: null, tags: null, specs: null, any: null}",
            "{url: \"bad \u{fffd}\", price: 0.5, stock: -9223372036854775808, is_new: false, on: 2026-02-28, \
             at: 2026-11-22 10:00:00.000000 +00:00, tags: [], specs: [], any: null}",
        ]
    );
}

#[test]
fn a_value_that_parquet_cannot_hold_is_null_and_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("goods.parquet");
    let export = |at: usize, value: &str| {
        let mut row = [Cell::Null; 9];
        row[0] = text("https://a.example/1");
        row[at] = text(value);
        let mut sink =
            sink(Format::Parquet, Output::file(&path, None).expect("a file"), Style::default()).expect("a sink");
        sink.table("t", &goods()).expect("a table");
        for cells in [&[Cell::Null; 9], &row, &row] {
            sink.row(cells).expect("a row");
        }
        let notes = sink.finish().expect("an export").notes;
        let bytes = bytes::Bytes::from(fs::read(&path).expect("a file"));
        let reader = SerializedFileReader::new(bytes).expect("a Parquet file");
        let rows: Vec<_> =
            reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row").to_string()).collect();
        assert_eq!(rows.len(), 3, "every row is there");
        (notes, rows[2].clone())
    };
    assert_eq!(
        export(1, "12,50").0,
        ["2 values are null: not what the column holds; row 2 of t (url https://a.example/1): column \"price\" holds \
          \"12,50\", which is no number"]
    );
    for (at, value, wanted) in [
        (2, "9223372036854775808", "whole number"),
        (4, "10000-01-01", "date"),
        (4, "+292277-01-01", "date"),
        (5, "yesterday", "time"),
        (5, "2026-11-22T24:00:00", "time"),
        (5, "292277-01-01T00:00:00Z", "time"),
        (6, "{\"a\": 1}", "list"),
        (6, "[broken", "JSON"),
        (7, "[{\"values\": [\"x\"]}]", "number"),
    ] {
        let (notes, _) = export(at, value);
        assert!(notes.len() == 1 && notes[0].ends_with(&format!("which is no {wanted}")), "{value}: {notes:?}");
    }
    for (at, value, held) in [
        (4, "9999-12-31", "on: 9999-12-31"),
        (5, "9999-12-31T23:59:59Z", "at: 9999-12-31 23:59:59.000000 +00:00"),
        (5, "2026-12-31T23:59:60Z", "at: 2026-12-31 23:59:59.000000 +00:00"),
        (5, "2026-11-22T14:30:00+02:00", "at: 2026-11-22 12:30:00.000000 +00:00"),
    ] {
        let (notes, row) = export(at, value);
        assert!(notes.is_empty() && row.contains(held), "{value}: {notes:?} {row}");
    }
    for (value, days) in [("1970-01-01", 0), ("1969-12-31", -1), ("0000-01-01", -719_528), ("9999-12-31", 2_932_896)] {
        assert_eq!(cell::days(value), Some(days), "{value}");
    }
}

#[test]
fn parquet_row_groups_are_bounded_in_bytes() {
    let long = "x".repeat(1 << 20);
    let row: &[Cell<'_>] = &[text(&long)];
    let bytes = file(Format::Parquet, Style::default(), &texts(&["long"]), &vec![row; 70]);
    let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).expect("a Parquet file");
    let groups: Vec<_> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups, [32, 32, 6]);
}

#[test]
fn sqlite_has_the_values_as_they_were_in_typed_columns() {
    let columns = columns(&[("a", ColumnType::Integer), ("A", ColumnType::Text), ("q\"q", ColumnType::Any)]);
    let rows: [&[Cell<'_>]; 2] = [
        &[Cell::Integer(i64::MAX), text("nul \0\n"), Cell::Blob(&[0])],
        &[Cell::Null, Cell::Text(b"\xff"), Cell::Real(0.5)],
    ];
    let bytes = file(Format::Sqlite, Style::default(), &columns, &rows);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t.db");
    fs::write(&path, bytes).expect("a file");
    let db = rusqlite::Connection::open(path).expect("an SQLite file");
    let schema: String = db.query_row("SELECT sql FROM sqlite_schema", [], |row| row.get(0)).expect("one table");
    assert_eq!(schema, "CREATE TABLE \"t\"(\n  \"a\" INTEGER,\n  \"A_\" TEXT,\n  \"q\"\"q\" \n)");
    let found: Vec<String> = db
        .prepare("SELECT quote(a) || quote(CAST(\"A_\" AS BLOB)) || quote(\"q\"\"q\") FROM t")
        .and_then(|mut select| select.query_map([], |row| row.get(0))?.collect())
        .expect("rows");
    assert_eq!(found, ["9223372036854775807X'6E756C20000A'X'00'", "NULLX'FF'0.5"]);
}

#[test]
fn a_workbook_has_typed_cells_and_goes_on_on_further_sheets() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("book.xlsx");
    let columns = columns(&[
        ("name", ColumnType::Text),
        ("n", ColumnType::Integer),
        ("is", ColumnType::Bool),
        ("at", ColumnType::Timestamp),
        ("on", ColumnType::Date),
    ]);
    let long = "é".repeat(40_000);
    let rows: [&[Cell<'_>]; 3] = [
        &[text("=1+1"), Cell::Integer(-3), Cell::Integer(1), text("2026-11-22T12:00:00Z"), text("1970-01-02")],
        &[text("nul \0 <&>"), Cell::Integer(i64::MAX), Cell::Null, text("1880-01-01T00:00:00Z"), text("soon")],
        &[text(&long), Cell::Real(f64::NAN), Cell::Null, Cell::Null, Cell::Null],
    ];
    let mut book = Box::new(xlsx::Xlsx::new(Output::file(&path, None).expect("a file")).expect("a book").with_rows(3));
    book.table("a/very:long*name?of[a]table with more", &columns).expect("a sheet");
    rows.iter().for_each(|row| book.row(row).expect("a row"));
    assert_eq!(book.finish().expect("a book").notes, ["1 cell was cut: Excel takes 32767 characters at most"]);
    assert_eq!(names(folder.path()), ["book.xlsx"], "temporary files have no names");
    let zip = fs::read(path).expect("a file");
    let sheet = member(&zip, "xl/worksheets/sheet1.xml");
    for cell in [
        "<t>=1+1</t>",
        "<v>-3</v>",
        "t=\"b\"><v>1</v>",
        "<v>46348.5</v>",
        "<v>25570</v>",
        "<t>nul _x0000_ &lt;&amp;&gt;</t>",
        "<t>9223372036854775807</t>",
        "<t>1880-01-01T00:00:00Z</t>",
        "<t>soon</t>",
    ] {
        assert!(sheet.contains(cell), "{cell} is not in {sheet}");
    }
    assert!(!sheet.contains("<f>"), "a formula");
    assert!(member(&zip, "xl/worksheets/sheet2.xml").contains("é</t>"));
    let book = member(&zip, "xl/workbook.xml");
    assert!(
        book.contains("\"a_very_long_name_of_a_table wit\"") && book.contains("\"a_very_long_name_of_a_table w 2\""),
        "{book}"
    );
}

#[test]
fn markdown_files_have_safe_names_and_front_matter_that_is_yaml() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("md");
    let columns = columns(&[
        ("url_id", ColumnType::Integer),
        ("url", ColumnType::Text),
        ("markdown", ColumnType::Text),
        ("title", ColumnType::Text),
        ("metadata", ColumnType::Json),
        ("status", ColumnType::Integer),
    ]);
    let long = format!("https://a.example/{}", "x/é".repeat(500));
    let urls = [
        "https://a.example/",
        "https://a.example/docs/intro.html",
        "https://a.example/docs_intro.html",
        "https://a.example/..%2f..%2fetc/passwd?q=../x",
        "https://[::1]:8080/x",
        &long,
    ];
    let mut sink = Box::new(Markdown::new(Folder::new(&target).expect("a folder")));
    sink.table("pages", &columns).expect("a table");
    for (url_id, url) in (1..).zip(urls) {
        let title = text("a: \"b\"\n---\n# c");
        let row =
            [Cell::Integer(url_id), text(url), text("# Hello\n\n"), title, text("{\"a\":\n1}"), Cell::Integer(200)];
        sink.row(&row).expect("a page");
    }
    sink.row(&[Cell::Integer(9), text("https://a.example/none"), Cell::Null, Cell::Null, Cell::Null, Cell::Null])
        .expect("a page without");
    assert!(!target.exists(), "not before all is there");
    let notes = sink.finish().expect("a folder").notes;
    assert_eq!(notes, ["1 page has no Markdown (crawl with --markdown for it): https://a.example/none"]);
    assert_eq!(names(&target), ["1", "a.example"]);
    let found = names(&target.join("a.example"));
    assert_eq!(found.len(), 5, "{found:?}");
    for name in ["index.md", "docs_intro.html.md", "docs_intro.html-3.md", "etc_passwd_q_.._x.md"] {
        assert!(found.contains(&name.to_owned()), "{name} is not in {found:?}");
    }
    assert!(found.iter().all(|name| name.len() < 140), "{found:?}");
    let page = fs::read_to_string(target.join("a.example/index.md")).expect("a file");
    assert_eq!(page, "---\ntitle: \"a: \\\"b\\\"\\n---\\n# c\"\nmetadata: {\"a\": 1}\nstatus: 200\n---\n\n# Hello\n");
}

#[test]
fn no_page_takes_the_name_of_another_and_front_matter_is_printable() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("md");
    let columns = texts(&["url_id", "url", "markdown", "title"]);
    let title = "a\u{7f}\u{85}b\u{2028}\u{feff}é\u{2029}";
    let pages = [("1", "/a"), ("3", "/a-4"), ("4", "/a/"), ("5", "/a-4-2"), ("6", "/a-4")];
    let urls = pages.map(|(_, path)| format!("https://a.example{path}"));
    let rows: Vec<[Cell<'_>; 4]> =
        pages.iter().zip(&urls).map(|((id, _), url)| [text(id), text(url), text("x"), text(title)]).collect();
    let rows: Vec<&[Cell<'_>]> = rows.iter().map(|row| &row[..]).collect();
    fill(Box::new(Markdown::new(Folder::new(&target).expect("a folder"))), &columns, &rows).expect("an export");
    let target = target.join("a.example");
    assert_eq!(names(&target), ["a-4-2-5.md", "a-4-2.md", "a-4-6.md", "a-4.md", "a.md"]);
    let page = fs::read_to_string(target.join("a.md")).expect("a file");
    assert_eq!(page, "---\ntitle: \"a\\u007f\\u0085b\\u2028\\ufeffé\\u2029\"\n---\n\nx\n");
}

#[test]
fn markdown_files_are_called_as_people_read_their_urls() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("out");
    let columns = [("url_id", ColumnType::Integer), ("url", ColumnType::Text), ("markdown", ColumnType::Text)];
    let columns = columns.map(|(name, kind)| Column::new(name, kind));
    let mut sink = Box::new(Markdown::new(Folder::new(&target).expect("a folder")));
    sink.table("pages", &columns).expect("a table");
    let urls = [
        "https://a.example/%C3%BCber",
        "https://a.example/%e6%97%a5%E6%9C%AC/x",
        "https://a.example/p?q=%C3%A9t%C3%A9&n=1",
        "https://a.example/%E4",
        "https://a.example/%2e%2e%2fout%00",
        "https://a.example/a%2Fb",
    ];
    for (url_id, url) in (1..).zip(urls) {
        sink.row(&[Cell::Integer(url_id), Cell::Text(url.as_bytes()), Cell::Text(b"x")]).expect("a row");
    }
    sink.finish().expect("an export");
    let expected = ["E4.md", "a_b.md", "out.md", "p_q_été_n_1.md", "über.md", "日本_x.md"];
    assert_eq!(names(&target.join("a.example")), expected);
}

#[test]
fn names_of_files_never_lead_out_of_their_folder() {
    for (text, name) in [
        ("..", "_"),
        ("/etc/passwd", "etc_passwd"),
        (".hidden", "hidden"),
        ("a\0b\nc", "a_b_c"),
        ("", "_"),
        ("日本", "日本"),
    ] {
        assert_eq!(file_name(text, 50), name, "{text:?}");
    }
    assert_eq!(file_name(&"日".repeat(50), 50), "日".repeat(16));
}

#[test]
fn a_folder_has_a_file_for_each_group_and_takes_its_name_in_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("out");
    let split =
        |by| Box::new(Split::new(Folder::new(&target).expect("a folder"), Format::Csv, Style::default(), by, false));
    let rows: [&[Cell<'_>]; 4] = [
        &[text("1"), Cell::Null],
        &[text("2"), text("a.example")],
        &[text("3"), text("a.example")],
        &[text("4"), text("a/example")],
    ];
    fill(split(By::Host), &texts(&["n"]), &rows).expect("an export");
    assert_eq!(names(&target), ["a.example.csv", "a_example.csv", "none.csv"]);
    assert_eq!(fs::read(target.join("a.example.csv")).expect("a file"), b"n\r\n2\r\n3\r\n");
    let error = Folder::new(&target).err().expect("it is not empty").to_string();
    assert!(error.contains("not empty"), "{error}");
    fs::remove_dir_all(&target).expect("a folder");
    fill(split(By::Rows(2)), &texts(&["n"]), &rows.map(|row| &row[..1])).expect("an export");
    assert_eq!(names(&target), ["part-00001.csv", "part-00002.csv"]);
    drop(Folder::new(&folder.path().join("dropped")).expect("a folder"));
    assert_eq!(names(folder.path()), ["out"]);
}

#[test]
fn hosts_whose_names_are_one_as_files_are_numbered() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("out");
    let split = Split::new(Folder::new(&target).expect("a folder"), Format::Csv, Style::default(), By::Host, false);
    let rows = ["a-3", "a", "a/", "a//", "a///"].map(|host| [text(host), text(host)]);
    fill(Box::new(split), &texts(&["n"]), &rows.each_ref().map(|row| &row[..])).expect("an export");
    assert_eq!(names(&target), ["a-2.csv", "a-3.csv", "a-4.csv", "a-5.csv", "a.csv"]);
}

#[test]
fn a_temporary_name_is_that_of_one_export_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.csv");
    let (first, second) = (Output::file(&path, None).expect("a file"), Output::file(&path, None).expect("a file"));
    drop(first);
    let left = names(folder.path());
    assert!(matches!(&left[..], [name] if name.starts_with(".a.csv.") && name.ends_with(".partial")), "{left:?}");
    second.commit().expect("nobody removed it");
    assert_eq!(names(folder.path()), ["a.csv"]);
    assert!(Output::file(&folder.path().join("none/a.csv"), None).is_err());
}

#[test]
fn a_file_takes_its_name_when_it_is_whole_and_not_before() {
    use std::io::Write;
    let folder = tempfile::tempdir().expect("a folder");
    for (name, packing) in [("a.csv", None), ("a.csv.gz", Some(Packing::Gzip)), ("a.csv.zst", Some(Packing::Zstd))] {
        let path = folder.path().join(name);
        assert_eq!(Packing::of_path(&path), packing);
        fs::write(&path, "earlier").expect("a file");
        let mut output = Output::file(&path, packing).expect("a file");
        output.write_all(b"half").expect("room");
        drop(output);
        assert_eq!(fs::read(&path).expect("a file"), b"earlier");
        let mut output = Output::file(&path, packing).expect("a file");
        output.write_all(b"whole").expect("room");
        output.commit().expect("a file");
        let bytes = fs::read(&path).expect("a file");
        let mut content = Vec::new();
        match packing {
            None => content = bytes,
            Some(Packing::Gzip) => {
                flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut content).expect("gzip");
            }
            Some(Packing::Zstd) => content = zstd::decode_all(&bytes[..]).expect("zstd"),
        }
        assert_eq!(content, b"whole");
    }
    assert_eq!(names(folder.path()), ["a.csv", "a.csv.gz", "a.csv.zst"]);
}

#[test]
fn what_is_no_file_is_written_to_and_never_replaced() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    for format in [Format::Csv, Format::Sqlite] {
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).expect("a pipe")
        });
        let output = Output::file(&pipe, None).expect("a pipe");
        fill(sink(format, output, Style::default()).expect("a sink"), &texts(&["a"]), &[&[text("b")]])
            .expect("an export");
        let bytes = reader.join().expect("no panic");
        assert!(bytes == b"a\r\nb\r\n" || bytes.starts_with(b"SQLite format 3\0"), "{format:?}");
    }
    assert!(fs::metadata(&pipe).expect("still there").file_type().is_fifo());
    // A file that is replaced keeps its readers.
    let secret = folder.path().join("secret.csv");
    fs::write(&secret, "").expect("a file");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("a file of ours");
    Output::file(&secret, None).expect("a file").commit().expect("a file");
    assert_eq!(fs::metadata(&secret).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(names(folder.path()), ["pipe", "secret.csv"]);
}

#[test]
fn people_see_columns_that_line_up_and_nothing_that_harms_their_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t");
    let rows: [&[Cell<'_>]; 2] = [
        &[Cell::Integer(7), text("日本\u{1b}[31m\n"), text("x")],
        &[Cell::Integer(1000), Cell::Null, text("a long tail")],
    ];
    let show = |terminal| {
        let output = Output::file(&path, None).expect("a file");
        fill(Box::new(Show::new(output, terminal)), &texts(&["n", "word", "tail"]), &rows).expect("an export");
        fs::read_to_string(&path).expect("a file")
    };
    assert_eq!(
        show(None),
        "n     word        tail\n----  ----------  -----------\n   7  日本\u{fffd}[31m   x\n1000              a long tail\n"
    );
    let narrow = show(Some(22));
    assert!(narrow.ends_with("1000              a l…\n"), "{narrow}");
}

#[test]
fn columns_that_a_terminal_has_no_room_for_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let rows: [&[Cell<'_>]; 1] = [&[text("long enough"), text("x"), text("y")]];
    let notes = |width| {
        let output = Output::file(&folder.path().join("t"), None).expect("a file");
        let finished = fill(Box::new(Show::new(output, width)), &texts(&["first", "second", "third"]), &rows);
        finished.expect("an export").notes
    };
    assert_eq!([notes(None), notes(Some(80)), notes(Some(22))], [const { Vec::<String>::new() }; 3], "all are there");
    assert!(notes(Some(21))[0].starts_with("1 column did not fit the terminal: third;"));
    assert!(notes(Some(11))[0].starts_with("2 columns did not fit the terminal: second, third;"));
}

#[test]
fn a_long_value_makes_no_other_row_long() {
    let long = "x".repeat(1 << 20);
    let mut rows: Vec<[Cell<'_>; 2]> = vec![[text("a"), Cell::Integer(1)]; 500];
    rows[7] = [text(&long), text(&long)];
    let rows: Vec<&[Cell<'_>]> = rows.iter().map(|row| &row[..]).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("t");
    let show = Show::new(Output::file(&path, None).expect("a file"), None);
    fill(Box::new(show), &texts(&["a", "b"]), &rows).expect("an export");
    let shown = fs::read(&path).expect("a file");
    assert!(shown.len() > 2 << 20, "all of it is there");
    assert!(shown.len() < (2 << 20) + 502 * 130, "{} bytes", shown.len());
}

#[test]
fn a_name_tells_the_format() {
    for (name, format) in [
        ("a.CSV", Some(Format::Csv)),
        ("a.ndjson.zst", Some(Format::Jsonl)),
        ("x/a.warc.gz", Some(Format::Warc)),
        ("a.b.xlsx", Some(Format::Xlsx)),
        ("a.gz", None),
        ("csv", None),
    ] {
        assert_eq!(Format::of_path(Path::new(name)), format, "{name}");
    }
}
