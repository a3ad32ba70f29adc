//! Files that are no lists of URLs, told by their first bytes: what each of them is, and what to type instead.

use memchr::memchr;
use memchr::memmem::find;

/// Bytes of text after which markup has said what it is.
const MARKUP_BYTES: usize = 4 * 1024;

/// Control bytes that a text may have by accident; more of them, and more than one byte in twenty, make it binary.
const STRAY_BYTES: usize = 3;

/// Bytes that tell a binary file without a line end, and what is in a zip archive.
const ENOUGH_BYTES: usize = 4 * 1024;

/// A file that is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreign {
    /// Its kind, with an article.
    pub what: &'static str,
    /// Advice; `FILE` stands for its name.
    pub advice: &'static str,
}

const fn foreign(what: &'static str, advice: &'static str) -> Foreign {
    Foreign { what, advice }
}

const AS_TEXT: &str = "a list is text with one URL a line, a table or JSONL";
const TABLE: &str = "save its table as CSV, then: seine crawl TABLE.csv --url-column NAME";

const HTML: Foreign =
    foreign("an HTML page", "links are followed from a page that has a URL: seine crawl https://… --follow");
const SITEMAP: Foreign = foreign("a sitemap", "give its URL instead: seine crawl --sitemap https://…/sitemap.xml");
const FEED: Foreign = foreign("a feed", "give its URL instead: seine crawl --feed https://…");
const XML: Foreign = foreign("XML", AS_TEXT);
const JSON_ARRAY: Foreign = foreign(
    "a JSON array",
    "write one object a line: jq -c '.[]' FILE | seine crawl - --url-field NAME (of an array of texts: jq -r '.[]' FILE | \
     seine crawl -)",
);
const JSON_OBJECT: Foreign =
    foreign("JSON", "one object a line is read as JSONL: --url-field NAME says which field has the URL");
const UTF_16: Foreign = foreign("UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 FILE | seine crawl -");
const ARCHIVE: Foreign = foreign("a WARC archive", "its pages are taken by: seine import FILE");
const XLSX: Foreign = foreign("a spreadsheet", TABLE);
const DOCUMENT: Foreign = foreign("a document of an office program", AS_TEXT);
const ZIP: Foreign = foreign("a zip archive", "unpack it and send the text: unzip -p FILE | seine crawl -");
const BINARY: Foreign = foreign("no text", AS_TEXT);

/// First bytes that no text begins with. None of them is the beginning of another.
const MAGIC: [(&[u8], Foreign); 18] = [
    (b"\xff\xfe", UTF_16),
    (b"\xfe\xff", UTF_16),
    (b"\xfd7zXZ\0", foreign("compressed by xz", "unpack it and send the text: xz -dc FILE | seine crawl -")),
    (b"BZh91AY&SY", foreign("compressed by bzip2", "unpack it and send the text: bzip2 -dc FILE | seine crawl -")),
    (b"7z\xbc\xaf\x27\x1c", foreign("a 7z archive", "unpack it first: 7z x FILE")),
    (b"Rar!\x1a\x07", foreign("a RAR archive", "unpack it first: unrar x FILE")),
    (b"PK\x03\x04", ZIP),
    (
        b"SQLite format 3\0",
        foreign(
            "an SQLite file",
            "a store is named by --db; for URLs in another one: sqlite3 FILE 'SELECT url FROM …' | seine crawl -",
        ),
    ),
    (b"PAR1", foreign("a Parquet file", "write its URLs as CSV first, with DuckDB for example")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", foreign("a file of an old office program", TABLE)),
    (b"%PDF-", foreign("a PDF document", AS_TEXT)),
    (b"{\\rtf", foreign("an RTF document", AS_TEXT)),
    (b"\x89PNG\r\n", foreign("an image", AS_TEXT)),
    (b"\xff\xd8\xff", foreign("an image", AS_TEXT)),
    (b"GIF8", foreign("an image", AS_TEXT)),
    (b"\x7fELF", foreign("a program", AS_TEXT)),
    (b"WARC/1.", ARCHIVE),
    (b"WARC/0.", ARCHIVE),
];

/// The judgement on the first bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It can be a list.
    List,
    /// It is none.
    Foreign(Foreign),
    /// More bytes are needed.
    Undecided,
}

/// Judges the file that begins with `head`. `is_all` says that there are no more bytes; JSON objects are a list only if
/// `json` is expected.
pub(super) fn judge(head: &[u8], is_all: bool, json: bool) -> Verdict {
    if let Some((_, found)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return match *found {
            ZIP if !is_all && head.len() < ENOUGH_BYTES => Verdict::Undecided,
            ZIP => Verdict::Foreign(in_zip(&head[..head.len().min(ENOUGH_BYTES)])),
            foreign => Verdict::Foreign(foreign),
        };
    }
    if !is_all && MAGIC.iter().any(|(magic, _)| magic.starts_with(head)) {
        return Verdict::Undecided;
    }
    let text = head.strip_prefix("\u{feff}".as_bytes()).unwrap_or(head).trim_ascii_start();
    match text {
        [b'<', b'!' | b'?' | b'a'..=b'z' | b'A'..=b'Z', ..] if !starts_with_url(&text[1..]) => markup(text, is_all),
        [b'[', rest @ ..] => match rest.trim_ascii_start().first() {
            Some(b'{' | b'[' | b'"' | b']') => Verdict::Foreign(JSON_ARRAY),
            None if !is_all => Verdict::Undecided,
            _ => Verdict::List,
        },
        [b'{', rest @ ..] if !json => match rest.trim_ascii_start().first() {
            Some(b'"' | b'}') => Verdict::Foreign(JSON_OBJECT),
            None if !is_all => Verdict::Undecided,
            _ => Verdict::List,
        },
        [b'<'] if !is_all => Verdict::Undecided,
        _ => binary(head, is_all),
    }
}

/// Bytes no text list has.
pub(super) fn is_binary(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c)
}

fn starts_with_url(text: &[u8]) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"http"))
}

/// Which markup it is: the first tag that tells.
fn markup(text: &[u8], is_all: bool) -> Verdict {
    const SIGNS: [(&[u8], Foreign); 12] = [
        (b"<!doctype html", HTML),
        (b"<html", HTML),
        (b"<head", HTML),
        (b"<body", HTML),
        (b"<urlset", SITEMAP),
        (b":urlset", SITEMAP),
        (b"<sitemapindex", SITEMAP),
        (b":sitemapindex", SITEMAP),
        (b"<rss", FEED),
        (b"<feed", FEED),
        (b":feed", FEED),
        (b"<rdf:rdf", FEED),
    ];
    let head = text[..text.len().min(MARKUP_BYTES)].to_ascii_lowercase();
    let found = SIGNS.iter().filter_map(|(sign, foreign)| Some((find(&head, sign)?, *foreign)));
    match found.min_by_key(|(at, _)| *at) {
        Some((_, foreign)) => Verdict::Foreign(foreign),
        None if !is_all && text.len() < MARKUP_BYTES => Verdict::Undecided,
        None => Verdict::Foreign(if head.starts_with(b"<?xml") { XML } else { HTML }),
    }
}

/// The kind of a zip archive, by the names of the files in it.
fn in_zip(head: &[u8]) -> Foreign {
    let has = |name: &[u8]| find(head, name).is_some();
    if has(b"xl/") || has(b"opendocument.spreadsheet") {
        XLSX
    } else if has(b"word/") || has(b"ppt/") || has(b"opendocument.") {
        DOCUMENT
    } else {
        ZIP
    }
}

/// Whether too many bytes of the first line are none of a text; without a line end, of as many bytes as a share can be
/// judged by.
fn binary(head: &[u8], is_all: bool) -> Verdict {
    let line = memchr(b'\n', head).map_or(head, |end| &head[..end]);
    if line.len() == head.len() && !is_all && head.len() < ENOUGH_BYTES {
        return Verdict::Undecided;
    }
    let line = &line[..line.len().min(ENOUGH_BYTES)];
    // Two of the control bytes separate the cells of some tables.
    let odd = line.iter().filter(|&&byte| is_binary(byte) && !matches!(byte, 0x01 | 0x1f)).count();
    if odd <= STRAY_BYTES || odd * 20 <= line.len() {
        return Verdict::List;
    }
    let is_wide =
        |text: usize, zero: usize| line.chunks_exact(2).take(32).all(|pair| pair[zero] == 0 && !is_binary(pair[text]));
    Verdict::Foreign(if is_wide(0, 1) || is_wide(1, 0) { UTF_16 } else { BINARY })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(head: &[u8]) -> Option<&'static str> {
        match judge(head, true, false) {
            Verdict::List => None,
            Verdict::Foreign(foreign) => Some(foreign.what),
            Verdict::Undecided => panic!("{} is all there is", head.escape_ascii()),
        }
    }

    #[test]
    fn what_is_no_list_is_called_by_its_name() {
        for (head, name) in [
            ("<!DOCTYPE html>\n<html>", "an HTML page"),
            ("\u{feff}\n <HTML><head><title>feed <rss>", "an HTML page"),
            ("<div class=\"x\">a page without a head</div>", "an HTML page"),
            ("<?xml version=\"1.0\"?>\n<!-- made by hand -->\n<urlset xmlns=\"x\">", "a sitemap"),
            ("<?xml version='1.0'?><ns:sitemapindex>", "a sitemap"),
            ("<?xml version=\"1.0\"?><rss version=\"2.0\">", "a feed"),
            ("<feed xmlns=\"http://www.w3.org/2005/Atom\">", "a feed"),
            ("<?xml version=\"1.0\"?><catalog>", "XML"),
            ("[{\"url\": \"https://a.example/\"}]", "a JSON array"),
            ("[\n  \"https://a.example/\"\n]", "a JSON array"),
            ("{\"url\": \"https://a.example/\"}\n", "JSON"),
            ("{\n  \"urls\": []}", "JSON"),
            ("WARC/1.0\r\nWARC-Type: warcinfo", "a WARC archive"),
            ("%PDF-1.7\n", "a PDF document"),
            ("PK\x03\x04....[Content_Types].xml....xl/workbook.xml", "a spreadsheet"),
            ("PK\x03\x04....word/document.xml", "a document of an office program"),
            ("PK\x03\x04....urls.txt", "a zip archive"),
            ("h\0t\0t\0p\0s\0:\0/\0/\0", "UTF-16 text"),
            ("\0h\0t\0t\0p\0s\0:\0/\0/", "UTF-16 text"),
            ("\0\0\0\0\0\0\0\0", "no text"),
        ] {
            assert_eq!(what(head.as_bytes()), Some(name), "{head:?}");
        }
        for head in
            [&b"\x89PNG\r\n\x1a\n"[..], b"\xff\xd8\xff\xe0", b"GIF89a", b"\x7fELF\x02", b"PAR1", b"Rar!\x1a\x07\0"]
        {
            assert!(what(head).is_some(), "{}", head.escape_ascii());
        }
    }

    #[test]
    fn what_may_be_a_list_is_left_to_its_reader() {
        for head in [
            "",
            "https://a.example/\n",
            "<https://a.example/>\n",
            "[https://a.example/](a link)\n",
            "[",
            "{",
            "<",
            "{a} template",
            "# <html>\nhttps://a.example/\n",
            "https://a.example/\0\nhttps://b.example/",
            "url,name\nhttps://a.example/,<html>\n",
        ] {
            assert_eq!(what(head.as_bytes()), None, "{head:?}");
        }
        assert_eq!(judge(b"{\"url\":1}", true, true), Verdict::List, "one JSON object a line is a list of its own");
    }

    #[test]
    fn no_verdict_is_given_before_the_bytes_allow_it() {
        for head in ["<", "<?xml version=\"1.0\"?>", "[", "[ \n", "{", "%P", "PK", "WARC/", ""] {
            assert_eq!(judge(head.as_bytes(), false, false), Verdict::Undecided, "{head:?}");
        }
        let endless = format!("<?xml version=\"1.0\"?>{}", " ".repeat(MARKUP_BYTES));
        assert_eq!(judge(endless.as_bytes(), false, false), Verdict::Foreign(XML));
    }
}
