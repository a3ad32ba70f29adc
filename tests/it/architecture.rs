//! Who may use whom: the map in `src/lib.rs`, held against the text of every source file.
//!
//! Cargo keeps the walls between crates, so the rules here are about what Cargo cannot see: rooms within `src/`, and
//! parts of the standard library.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Code that decides by what it is told must not name these: no clock, no file, nobody to ask.
const PURE: &[&str] =
    &["nix", "libc", "std::fs", "std::io", "std::env", "std::time::Instant", "std::time::SystemTime", "jiff::Zoned"];

const SUPERVISOR: &[&str] = &[
    "tokio",
    "reqwest",
    "hyper",
    "scraper",
    "governor",
    "rusqlite",
    "zstd",
    "std::net",
    "std::thread",
    "seine_page",
    "seine_http",
    "seine_export",
    "seine_site",
    "seine_lists::archive",
];

/// Supervisors of work on a store that asks no site.
const AT_HOME: &[&str] =
    &["reqwest", "tokio", "hyper", "scraper", "rusqlite", "std::net", "std::thread", "seine_http", "seine_lists"];

/// Settings that the processes of a crawl have no use for: each is handed the groups that it needs, and none the secrets
/// of who is told of the end.
const WHOLE_CONFIG: &[&str] =
    &["crate::config::CrawlOptions", "crate::config::Notify", "crate::config::Settings", "crate::config::notify"];

const CONFIG: &[&str] = &[
    "reqwest",
    "tokio",
    "rusqlite",
    "nix",
    "seine_unix",
    "seine_core::protocol::messages",
    "seine_store",
    "seine_http",
    "seine_lists",
    "seine_page",
];

/// The errors of a room have types; only the verbs hold them all alike.
const ANY_ERROR: &[&str] = &["anyhow"];

/// What the files of one place must not name. A crate or a module of the standard library is named by its path
/// (`std::net`), a room of this program by `crate::room`.
const RULES: &[(&str, &[&str])] = &[
    ("src/supervisor", SUPERVISOR),
    ("src/supervisor/plan", PURE),
    ("src/supervisor/frontier", PURE),
    ("src/supervisor/ledger.rs", PURE),
    ("src/supervisor/breaker.rs", PURE),
    ("src/supervisor/outage.rs", PURE),
    ("src/fetcher", &["rusqlite", "scraper", "seine_store", "seine_export", "seine_site", "seine_lists::url_list"]),
    (
        "src/writer",
        &[
            "reqwest",
            "tokio",
            "hyper",
            "scraper",
            "governor",
            "rusqlite",
            "std::net",
            "std::thread",
            "seine_page",
            "seine_http",
            "seine_lists",
        ],
    ),
    ("src/pool.rs", &["nix", "libc", "std::fs", "std::io", "std::net", "std::time", "crate::", "seine_"]),
    ("src/reextract", AT_HOME),
    ("src/processors", AT_HOME),
    (
        "src/schedule",
        &[
            "tokio",
            "reqwest",
            "hyper",
            "scraper",
            "rusqlite",
            "std::net",
            "std::process::Command",
            "seine_core::protocol",
            "seine_store",
            "seine_http",
            "seine_lists",
            "seine_page",
        ],
    ),
    ("src/schedule/cron.rs", PURE),
    ("src/schedule/job.rs", PURE),
    ("src/schedule/plan", PURE),
    ("src/config", CONFIG),
    ("src/supervisor", ANY_ERROR),
    ("src/processors", ANY_ERROR),
    ("src/reextract", ANY_ERROR),
    ("src/writer", ANY_ERROR),
    ("src/fetcher", WHOLE_CONFIG),
    ("src/processors", WHOLE_CONFIG),
    ("src/reextract", WHOLE_CONFIG),
    ("src/supervisor", WHOLE_CONFIG),
    ("src/writer", WHOLE_CONFIG),
    ("src/console", &["tokio", "reqwest", "hyper", "scraper", "rusqlite", "std::net", "seine_store", "seine_http"]),
    (
        "src/commands",
        &[
            "reqwest",
            "tokio",
            "hyper",
            "scraper",
            // What a fetcher decides may be asked for; being one is for the supervisor's children.
            "crate::fetcher::control",
            "crate::fetcher::hosts",
            "crate::fetcher::origins",
            "crate::fetcher::outbox",
            "crate::fetcher::run",
            "crate::fetcher::visit",
            "crate::writer",
        ],
    ),
    (
        "src/notify",
        &[
            "reqwest",
            "tokio",
            "hyper",
            "scraper",
            "rusqlite",
            "nix",
            "libc",
            "std::net",
            "std::process",
            "seine_store",
            "seine_lists",
            "seine_page",
            "seine_core::protocol",
        ],
    ),
    ("src/main.rs", &["tokio", "reqwest", "rusqlite", "nix", "libc"]),
    (
        "crates/core",
        &[
            "std::fs",
            "std::net::TcpStream",
            "std::net::TcpListener",
            "std::net::UdpSocket",
            "std::process",
            "std::time::Instant",
            "std::time::SystemTime",
        ],
    ),
    ("crates/page", &["std::net", "std::time::Instant", "std::fs", "std::process", "std::thread", "std::env"]),
    ("crates/page/src/robots", &["std::io"]),
    (
        "crates/follow",
        &[
            "std::fs",
            "std::net::TcpStream",
            "std::net::UdpSocket",
            "std::process",
            "std::thread",
            "std::env",
            "std::time::Instant",
            "std::time::SystemTime",
            "jiff::Zoned",
        ],
    ),
    ("crates/lists", &["std::net", "std::thread"]),
    ("crates/lists/src/archive", &["std::process", "std::env", "nix", "libc"]),
    ("crates/store", &["std::net", "std::thread"]),
    ("crates/export", &["std::net", "std::thread"]),
];

/// One source file without comments, texts and unit tests.
struct Source {
    /// From the root of the checkout, `src/writer/batch.rs`.
    path: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    collect(&root.join("crates"), &mut files);
    files.sort();
    let sources = files.iter().filter_map(|file| {
        let path = file.strip_prefix(root).expect("it was found there").to_string_lossy().into_owned();
        // Unit tests and tools for whoever works on a crate may use whatever they need.
        let is_apart = ["/tests/", "/simulation/", "/examples/"].iter().any(|folder| path.contains(folder));
        if path.ends_with("tests.rs") || is_apart {
            return None;
        }
        let text = fs::read_to_string(file).expect("sources are readable text");
        let code = bare(&text);
        let code = code.split_once("#[cfg(test)]\nmod tests {").map_or(code.clone(), |(code, _)| code.to_owned());
        Some(Source { path, code })
    });
    sources.collect()
}

impl Source {
    /// Whether the file is `place`, or lies below it.
    fn is_in(&self, place: &str) -> bool {
        self.path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest == ".rs" || rest.starts_with('/'))
    }

    /// The room of `src/` that the file belongs to.
    fn room(&self) -> Option<&str> {
        let room = self.path.strip_prefix("src/")?.split('/').next()?.trim_end_matches(".rs");
        (!matches!(room, "lib" | "main")).then_some(room)
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the sources are there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// `text` without line comments and without the insides of strings.
fn bare(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => {
                while chars.peek().is_some_and(|&next| next != '\n') {
                    chars.next();
                }
            }
            // Not the characters '"' and b'"'.
            '"' if before != '\'' && before != '\\' => {
                code.push('"');
                let hashes = code.trim_end_matches('"').chars().rev().take_while(|&c| c == '#').count();
                skip_string(&mut chars, hashes, code.trim_end_matches('"').trim_end_matches('#').ends_with('r'));
                code.push('"');
            }
            c => code.push(c),
        }
        before = c;
    }
    code
}

fn skip_string(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, hashes: usize, is_raw: bool) {
    while let Some(c) = chars.next() {
        match c {
            '\\' if !is_raw => {
                chars.next();
            }
            '"' if !is_raw || chars.clone().take(hashes).filter(|&c| c == '#').count() == hashes => return,
            _ => {}
        }
    }
}

/// Every path that `code` names, `use` trees written out: `use a::{b, c::d}` names `a::b` and `a::c::d`.
fn paths(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let is_word = at == 0 || rest[..at].ends_with(['\n', ' ', ';', '{', '}']);
        rest = &rest[at + 4..];
        if is_word && let Some(end) = rest.find(';') {
            let tree: String = rest[..end].split_whitespace().collect::<Vec<_>>().join(" ");
            write_out("", &tree, &mut paths);
        }
    }
    // Paths in the code itself.
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    for word in code.split(|c: char| !is_part(c)).map(|word| word.trim_matches(':')) {
        if word.contains("::") {
            paths.insert(word.to_owned());
        }
    }
    paths
}

fn write_out(prefix: &str, tree: &str, paths: &mut BTreeSet<String>) {
    let tree = tree.trim();
    let Some((head, inner)) = tree.split_once('{') else {
        let tree = tree.split(" as ").next().unwrap_or(tree).trim();
        paths.insert(format!("{prefix}{tree}"));
        return;
    };
    let prefix = format!("{prefix}{head}");
    let inner = inner.strip_suffix('}').unwrap_or(inner);
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                write_out(&prefix, &inner[start..at], paths);
                start = at + 1;
            }
            _ => {}
        }
    }
    if !inner[start..].trim().is_empty() {
        write_out(&prefix, &inner[start..], paths);
    }
}

/// Whether `path` is `forbidden` or lies below it.
fn is_below(path: &str, forbidden: &str) -> bool {
    path.strip_prefix(forbidden).is_some_and(|rest| {
        rest.is_empty() || rest.starts_with("::") || forbidden.ends_with("::") || forbidden.ends_with("_")
    })
}

#[test]
fn every_room_uses_only_whom_it_may() {
    let mut broken = Vec::new();
    let sources = sources();
    for &(place, forbidden) in RULES {
        let files: Vec<_> = sources.iter().filter(|source| source.is_in(place)).collect();
        assert!(!files.is_empty(), "{place} is gone; take its rule away or give it its new name");
        for source in files {
            for path in paths(&source.code) {
                if forbidden.iter().any(|&forbidden| is_below(&path, forbidden)) {
                    broken.push(format!("{} uses {path}", source.path));
                }
            }
        }
    }
    assert!(broken.is_empty(), "forbidden by the map in src/lib.rs:\n{}", broken.join("\n"));
}

#[test]
fn no_rooms_use_each_other_in_a_circle() {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        let Some(room) = source.room() else { continue };
        let used = uses.entry(room.to_owned()).or_default();
        let rooms = paths(&source.code).into_iter().filter_map(|path| {
            path.strip_prefix("crate::").map(|path| path.split("::").next().unwrap_or_default().to_owned())
        });
        used.extend(rooms.filter(|used| used != room));
    }
    assert!(uses["commands"].contains("supervisor"), "this test sees no uses at all: {uses:?}");
    // Takes away rooms that use nobody who is left, until none is: what stays is, or uses, a circle.
    while let Some(lowest) = uses.iter().find(|(_, used)| !used.iter().any(|used| uses.contains_key(used))) {
        let lowest = lowest.0.clone();
        uses.remove(&lowest);
    }
    assert!(uses.is_empty(), "in a circle, or above one: {uses:#?}");
}

#[test]
fn the_supervisor_knows_of_the_store_only_who_is_running() {
    let names = |source: &Source| {
        paths(&source.code).into_iter().filter(|path| is_below(path, "seine_store")).collect::<Vec<_>>()
    };
    for source in sources().iter().filter(|source| source.is_in("src/supervisor")) {
        assert!(
            names(source).iter().all(|path| path == "seine_store::insert::Session"),
            "{}: {:?}",
            source.path,
            names(source)
        );
    }
}

#[test]
fn only_the_unix_crate_may_have_unsafe_code() {
    let mut roots: Vec<_> = sources().into_iter().filter(|source| source.path.ends_with("lib.rs")).collect();
    roots.extend(sources().into_iter().filter(|source| source.path == "src/main.rs"));
    let may: Vec<_> =
        roots.iter().filter(|root| !root.code.contains("#![forbid(unsafe_code)]")).map(|root| &root.path).collect();
    assert_eq!(may, ["crates/unix/src/lib.rs"]);
}

#[test]
fn only_one_file_forks() {
    let forks =
        |source: &Source| paths(&source.code).iter().any(|path| path.ends_with("unistd::fork") || path == "libc::fork");
    let files: Vec<_> = sources().into_iter().filter(forks).map(|source| source.path).collect();
    assert_eq!(files, ["crates/unix/src/fork.rs"]);
}

#[test]
fn comments_and_texts_are_no_code_and_use_trees_are_written_out() {
    let code = bare(
        "// tokio::x\nuse a::{b::{c, d as e}, self};\nlet x = \"reqwest::y\"; let q = '\"'; f::g(r#\"h::i \"j\" \"#);",
    );
    let found: Vec<_> = paths(&code).into_iter().collect();
    assert_eq!(found, ["a::b::c", "a::b::d", "a::self", "f::g"]);
    assert!(
        is_below("tokio::net::TcpStream", "tokio") && is_below("tokio", "tokio") && is_below("crate::a", "crate::")
    );
    assert!(!is_below("tokio_util::codec", "tokio") && !is_below("std::network", "std::net"));
}
