//! The page of limits, row by row, held against the constants of the source.

use super::constants::{Constants, grouped};
use super::markdown::{page, section, table};

/// How a page writes a number.
enum Unit {
    Count,
    Bytes,
    /// A power of two of bytes.
    Log,
    Seconds,
    Milliseconds,
    Days,
}
use Unit::*;

impl Unit {
    fn write(&self, number: u64) -> String {
        match self {
            Count => grouped(number),
            Bytes if number >= 1 << 30 => format!("{} GiB", number >> 30),
            Bytes if number >= 1 << 20 => format!("{} MiB", number >> 20),
            Bytes if number >= 1 << 10 => format!("{} KiB", number >> 10),
            Bytes => format!("{number} bytes"),
            Log => Bytes.write(1 << number),
            Seconds => format!("{number} s"),
            Milliseconds => format!("{} s", number / 1000),
            Days => format!("{} day", number / 86_400_000),
        }
    }
}

/// First cells of the page, with the file and the name of the constant that decides; no file where the name is enough.
const LIMITS: &[(&str, &str, &str, Unit)] = &[
    ("`--concurrency`, `--host-concurrency`", "", "MAX_CONCURRENCY", Count),
    ("--fetchers", "", "MAX_FETCHERS", Count),
    ("--max-body", "", "MAX_MAX_BODY", Bytes),
    ("--max-redirects", "", "MAX_MAX_REDIRECTS", Count),
    ("`--delay`, `--jitter`, `--max-retry-after`, `--max-crawl-delay`", "record/mod.rs", "LONGEST_PAUSE_MS", Days),
    ("`workers` of a `[[processor]]`", "", "MAX_WORKERS", Count),
    ("`--shards` of `seine split`", "", "MAX_SHARDS", Count),
    ("a URL", "", "MAX_URL_BYTES", Bytes),
    ("a line, or a record of CSV or JSONL", "", "MAX_RECORD_BYTES", Bytes),
    ("a line of a shard", "", "MAX_SHARD_LINE_BYTES", Bytes),
    ("a line that is passed over", "lines.rs", "MAX_LINE_BYTES", Bytes),
    ("a rejected line's text that is kept", "", "MAX_REJECTED_BYTES", Bytes),
    ("nesting of JSON", "json.rs", "MAX_DEPTH", Count),
    ("rejected lines of a pipe before its first URL", "", "HELD_RECORDS", Count),
    ("URLs whose duplicates `seine plan` sees", "", "MAX_KEYS", Count),
    ("longest adaptive delay", "", "LONGEST_ADAPTED", Seconds),
    ("pauses for a host that is down", "", "PAUSES_MS", Milliseconds),
    ("pauses for a host that says 429 or 503", "", "BUSY_PAUSES_MS", Milliseconds),
    ("longest backoff of a retry", "", "LONGEST_RETRY", Seconds),
    ("longest rest of a proxy that fails", "", "LONGEST_REST", Seconds),
    ("times that a page may kill its fetcher", "", "DEATHS_PER_URL", Count),
    ("deaths of processes within 10 s that end a crawl", "", "CRASHES", Count),
    ("header fields", "", "MAX_HEADERS", Count),
    ("header fields, together", "", "MAX_HEADER_BYTES", Bytes),
    ("stored headers of an answer", "record/headers.rs", "MAX_BYTES", Bytes),
    ("growth of a body by decompression", "", "BOMB_RATIO", Count),
    ("codings of a body on top of each other", "", "MAX_STACKED", Count),
    ("window of a body in zstd", "coding.rs", "ZSTD_WINDOW_LOG", Log),
    ("redirects of a robots.txt", "robots_answer.rs", "MAX_REDIRECTS", Count),
    ("robots.txt", "", "MAX_ROBOTS_BYTES", Bytes),
    ("sitemaps of a robots.txt", "", "MAX_SITEMAPS", Count),
    ("cookies of a site", "", "MAX_PER_SITE", Count),
    ("a cookie", "", "MAX_COOKIE_BYTES", Bytes),
    ("cookies of a fetcher", "cookies.rs", "MAX_BYTES", Bytes),
    ("`title`, `h1`, `description`", "extract/mod.rs", "MAX_TEXT_BYTES", Bytes),
    ("`rel`, `lang`", "", "MAX_TOKEN_BYTES", Bytes),
    ("links of a page", "", "MAX_LINKS", Count),
    ("a link's text", "", "MAX_ANCHOR_BYTES", Bytes),
    ("lines of `Link` headers of an answer", "", "MAX_HEAD_LINES", Count),
    ("a line of a `Link` header", "", "MAX_HEAD_LINE_BYTES", Bytes),
    ("links in the headers of an answer", "", "MAX_HEADER_LINKS", Count),
    ("link URLs of a page, together", "", "MAX_LINKS_TOTAL_BYTES", Bytes),
    ("link texts of a page, together", "", "MAX_ANCHORS_TOTAL_BYTES", Bytes),
    ("directives in `meta_robots`", "extract/robots.rs", "MAX_BYTES", Bytes),
    ("main text, Markdown", "", "MAX_ARTICLE_BYTES", Bytes),
    ("a value of `metadata`", "metadata/mod.rs", "MAX_VALUE_BYTES", Bytes),
    ("entries of a list in `metadata`", "", "MAX_ENTRIES", Count),
    ("JSON-LD blocks of a page", "", "MAX_BLOCKS", Count),
    ("table cells of a page", "", "MAX_CELLS", Count),
    ("table texts of a page", "", "MAX_TABLES_BYTES", Bytes),
    ("a cell", "", "MAX_CELL_BYTES", Bytes),
    ("nodes of a tree for text, metadata, tables", "arena/mod.rs", "MAX_NODES", Count),
    ("a found URL", "", "MAX_LONG_URL", Bytes),
    ("segments of its path", "", "MAX_SEGMENTS", Count),
    ("a segment that follows itself", "", "MAX_SAME", Count),
    ("a series of segments that follows itself", "", "MAX_SERIES", Count),
    ("numbers and short codes that follow themselves", "", "MAX_SAME_CODES", Count),
    ("segments that stood before in the path", "", "MAX_REPEATED", Count),
    ("its query", "", "MAX_QUERY_BYTES", Bytes),
    ("its parameters", "", "MAX_PARAMETERS", Count),
    ("parameters of one name", "", "MAX_SAME_NAMES", Count),
    ("parameters of one name and value", "", "MAX_SAME_PARAMETERS", Count),
    ("months that a calendar may be ahead", "", "MONTHS_AHEAD", Count),
    ("months that a calendar may be back", "", "MONTHS_BACK", Count),
    ("directories of a URL for `--scope prefix`", "", "MAX_PREFIXES", Count),
    ("different words of a page that is compared, at least", "", "MIN_WORDS", Count),
    ("different words of a page that are looked at", "likeness.rs", "MAX_WORDS", Count),
    ("bits in which the hashes of near-duplicates differ", "", "NEAR_BITS", Count),
    ("pages of a host that are compared with each other", "alike/mod.rs", "AT_A_TIME", Count),
    ("different words of a page that says that it is not there", "missing.rs", "MAX_WORDS", Count),
    ("pages with nothing new, the last of a host", "", "QUIET_PAGES", Count),
    ("all `--include` and `--exclude`, compiled", "", "MAX_FILTER_BYTES", Bytes),
    ("a name in a same-page rule", "", "MAX_PATTERN_BYTES", Bytes),
    ("a sitemap or feed, unpacked", "", "MAX_DOCUMENT_BYTES", Bytes),
    ("a tag, text or line of it", "", "MAX_PIECE_BYTES", Bytes),
    ("its open elements", "", "MAX_OPEN", Count),
    ("URLs of a sitemap", "", "MAX_SITEMAP_URLS", Count),
    ("images and the like of a page of a sitemap", "", "MAX_EXTRAS", Count),
    ("items of a feed", "", "MAX_FEED_ITEMS", Count),
    ("an `llms.txt`", "", "MAX_LLMS_BYTES", Bytes),
    ("links of an `llms.txt`", "", "MAX_LLMS_LINKS", Count),
    ("collections of a config file", "", "MAX_COLLECTIONS", Count),
    ("fields of a collection, or of a nested field", "rules/mod.rs", "MAX_FIELDS", Count),
    ("words of an XPath", "", "MAX_XPATH_TOKENS", Count),
    ("nesting of an XPath", "", "MAX_XPATH_DEPTH", Count),
    ("nesting of fields", "", "MAX_NESTING", Count),
    ("name of a collection or field", "rules/read.rs", "MAX_NAME_BYTES", Bytes),
    ("compiled regular expression", "", "MAX_REGEX_BYTES", Bytes),
    ("nodes of a tree for rules", "arena/mod.rs", "MAX_NODES", Count),
    ("values of a JSON document", "", "MAX_VALUES", Count),
    ("values of a JSON-LD block", "", "MAX_BLOCK_VALUES", Count),
    ("items of a collection on a page", "rules/mod.rs", "MAX_ITEMS", Count),
    ("values of a field of an item", "", "MAX_FIELD_VALUES", Count),
    ("a value", "rules/mod.rs", "MAX_VALUE_BYTES", Bytes),
    ("an item", "", "MAX_ITEM_BYTES", Bytes),
    ("all items of a page", "", "MAX_PAGE_BYTES", Bytes),
    ("problems told of a page", "", "MAX_PROBLEMS", Count),
    ("text quoted by a problem", "", "MAX_FOUND_BYTES", Bytes),
    ("items below which a field is not judged for drift", "", "LEAST_ITEMS", Count),
    ("a body in a processor's line", "", "MAX_INLINE_BYTES", Bytes),
    ("a processor's answer", "answer.rs", "MAX_BYTES", Bytes),
    ("a body that `seine diff --text` compares", "diff/prose.rs", "MAX_BODY_BYTES", Bytes),
    ("head of a WARC record", "warc/mod.rs", "MAX_HEAD_BYTES", Bytes),
    ("payloads that a `revisit` can refer to, of one archive", "", "MAX_PAYLOADS", Count),
    ("window of a `.zst` archive", "warc/mod.rs", "ZSTD_WINDOW_LOG", Log),
    ("rows of an XLSX sheet", "", "MAX_ROWS", Count),
    ("characters of an XLSX cell", "xlsx.rs", "MAX_CHARS", Count),
    ("a line of `seine explain`", "explain.rs", "MAX_LINE_BYTES", Bytes),
];

#[test]
fn every_limit_is_what_the_source_says() {
    let page = page("docs/reference/limits.md");
    let headings = page.lines().filter(|line| line.starts_with("## "));
    let rows: Vec<_> = headings.flat_map(|heading| table(section(&page, heading))).collect();
    let constants = Constants::read();
    let described: Vec<_> = rows.iter().map(|row| &*row[0]).collect();
    assert_eq!(described, LIMITS.iter().map(|(what, ..)| *what).collect::<Vec<_>>());
    for (row, (what, file, name, unit)) in rows.iter().zip(LIMITS) {
        let written: Vec<_> = constants.get(file, name).iter().map(|number| unit.write(*number)).collect();
        assert!(
            row[1].contains(&written.join(", ")),
            "{what}: the page says {}, {name} {}",
            row[1],
            written.join(", ")
        );
    }
}

#[test]
fn the_traps_are_as_large_as_their_guide_says() {
    let guide = page("docs/guide/following.md");
    let constants = Constants::read();
    let number = |name| constants.get("", name)[0];
    for (row, said) in [
        ("calendar", format!("more than {} months ahead", number("MONTHS_AHEAD"))),
        ("calendar", format!("more than {} months ago", number("MONTHS_BACK"))),
        ("growing_query", format!("more than {} bytes", grouped(number("MAX_QUERY_BYTES")))),
        ("growing_query", format!("or {} parameters", number("MAX_PARAMETERS"))),
        ("growing_query", format!("one name more than {} times", number("MAX_SAME_NAMES"))),
        ("depth_of_path", format!("more than {} segments", number("MAX_SEGMENTS"))),
        ("long_url", format!("more than {} bytes", grouped(number("MAX_LONG_URL")))),
    ] {
        let line = guide.lines().find(|line| line.starts_with(&format!("| `{row}` |"))).expect("a row for each trap");
        assert!(line.contains(&said), "{row}: {said}");
    }
}
