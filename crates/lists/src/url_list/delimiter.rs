//! The byte that separates the cells of a table, by its first line.
//!
//! The name of a list only says what to expect: spreadsheets write semicolons where the comma is the decimal sign,
//! databases write `|`. A line that can be read in two ways is refused: a wrong guess would request URLs with the
//! cells behind them.

use super::columns::is_url;
use super::csv::Cells;

/// Separators that are looked for, the likeliest first.
const KNOWN: [u8; 9] = [b'\t', b';', b',', b'|', b'^', b'~', 0x1f, 0x01, b':'];

const COLONS: &str = "its cells seem to be separated by \":\", which URLs have too; separate them by commas or tabs. \
     If it has a single column, give --url-column 1";

/// The separator of the table that begins with `line`: the `expected` one unless another is plain to see. `wanted` is the
/// name or number of the URL's column.
///
/// # Errors
/// The reason why that cannot be told.
pub(super) fn of(line: &[u8], expected: u8, wanted: Option<&str>) -> Result<u8, String> {
    let occurring: Vec<(u8, Vec<String>)> = std::iter::once(expected)
        .chain(KNOWN.into_iter().filter(|&byte| byte != expected))
        .filter(|byte| line.contains(byte))
        .map(|byte| (byte, cells(line, byte)))
        .collect();
    let wanted = wanted.unwrap_or("url").trim().to_lowercase();
    let named = occurring.iter().find(|(_, cells)| cells.iter().any(|cell| cell.to_lowercase() == wanted));
    let found = match named {
        Some((byte, _)) => Some(*byte),
        None if start_of_url(line).is_some() => of_data(line, expected, &occurring)?,
        None => of_header(expected, &occurring, wanted.parse().ok()),
    };
    match found {
        Some(b':') => Err(COLONS.to_owned()),
        found => Ok(found.unwrap_or(expected)),
    }
}

/// The separator of a header that does not name the URL's column; `number` is that of the column, if it was given.
fn of_header(expected: u8, occurring: &[(u8, Vec<String>)], number: Option<usize>) -> Option<u8> {
    let has_column = |cells: &[String]| number.is_none_or(|number| cells.len() >= number);
    // "Page: address" is the name of a single column where that is what was asked for.
    let is_possible = |byte: u8| byte == expected || byte != b':' || number != Some(1);
    occurring.iter().find(|(byte, cells)| has_column(cells) && is_possible(*byte)).map(|(byte, _)| *byte)
}

/// The separator of a first line with a URL, which so is no header.
fn of_data(line: &[u8], expected: u8, occurring: &[(u8, Vec<String>)]) -> Result<Option<u8>, String> {
    if let Some((byte, _)) = occurring.iter().find(|(_, cells)| cells.iter().skip(1).any(|cell| is_url(cell))) {
        return Ok(Some(*byte));
    }
    let Some(start) = start_of_url(line) else { return Ok(None) };
    if !line[..start].iter().all(|byte| matches!(byte, b' ' | b'"')) {
        // "7:https://a.example/": no cell is a whole URL.
        return Ok(line[..start].ends_with(b":").then_some(b':').filter(|_| !line.contains(&expected)));
    }
    let occurs = |wanted: u8| occurring.iter().any(|(byte, _)| *byte == wanted);
    // Behind a URL these can only be separators; what else there is may belong to it.
    if let Some(byte) = [expected, b'\t', 0x1f, 0x01].into_iter().find(|byte| occurs(*byte)) {
        return Ok(Some(byte));
    }
    match [b'|', b'^'].into_iter().find(|byte| occurs(*byte)) {
        Some(byte) => Err(format!(
            "its first row is one URL, or cells separated by {:?}; put a header row before it, or give the list a name \
             that does not end in .csv if it has one URL a line",
            char::from(byte)
        )),
        None => Ok(None),
    }
}

/// Start of the first URL in `line`.
fn start_of_url(line: &[u8]) -> Option<usize> {
    let line = line.to_ascii_lowercase();
    ["http://", "https://"].iter().filter_map(|scheme| memchr::memmem::find(&line, scheme.as_bytes())).min()
}

/// The cells of `line` if `delimiter` separates them.
fn cells(line: &[u8], delimiter: u8) -> Vec<String> {
    let mut cells = Cells::new(delimiter);
    cells.feed_line(line);
    cells.bytes().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str, wanted: Option<&str>) -> Result<char, String> {
        of(line.as_bytes(), b',', wanted).map(char::from)
    }

    #[test]
    fn the_separator_is_the_one_that_finds_the_column() {
        for (line, wanted, separator) in [
            ("id,url,name", None, ','),
            ("id;url;price, EUR", None, ';'),
            ("id|url|name", None, '|'),
            ("id^URL^name", None, '^'),
            ("id~url", None, '~'),
            ("id\u{1f}url", None, '\u{1f}'),
            ("id\u{1}link", Some("link"), '\u{1}'),
            ("\"id\"|\"link\"", Some("Link"), '|'),
            ("id|name, first", Some("2"), ','),
            ("id|name|link, first", Some("3"), '|'),
            ("link|name", None, '|'),
            ("url", None, ','),
            ("url\r", None, ','),
            ("Page: address", Some("1"), ','),
            ("a|\"b", None, '|'),
        ] {
            assert_eq!(found(line, wanted), Ok(separator), "{line:?} with {wanted:?}");
        }
        assert_eq!(of(b"id,url", b'\t', None), Ok(b','));
    }

    #[test]
    fn the_separator_of_a_first_row_with_a_url_leaves_that_whole() {
        for (line, wanted, separator) in [
            ("1,https://a.example/", Some("2"), ','),
            ("1;https://a.example/?x=1,2;n", Some("2"), ';'),
            ("1|https://a.example/|x", None, '|'),
            ("https://a.example/\tx", None, '\t'),
            ("https://a.example/,x", Some("1"), ','),
            ("https://a.example/x;jsessionid=1", None, ','),
            ("https://a.example/~user", None, ','),
            ("https://a.example:8080/", None, ','),
            ("\"https://a.example/\"", None, ','),
        ] {
            assert_eq!(found(line, wanted), Ok(separator), "{line:?} with {wanted:?}");
        }
    }

    #[test]
    fn a_table_that_can_be_read_in_two_ways_is_refused() {
        assert!(found("https://a.example/|x|y", None).expect_err("ambiguous").contains("header row"));
        assert!(found("https://a.example/^x", Some("1")).expect_err("ambiguous").contains("header row"));
        for line in ["id:url:name", "link:name", "7:https://a.example/:x"] {
            assert!(found(line, None).expect_err("colons").contains("separated by \":\""), "{line:?}");
        }
    }
}
