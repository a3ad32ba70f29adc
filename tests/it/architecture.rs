//! Who may use whom: the rule of `src/lib.rs`, held against the text of every source file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What config and its values must not name.
const CONFIG: &[&str] = &[
    "reqwest",
    "tokio",
    "rusqlite",
    "nix",
    "crate::process",
    "crate::protocol",
    "crate::store",
    "crate::fetcher",
    "crate::supervisor",
    "crate::writer",
    "crate::commands",
    "crate::url_list",
    "crate::extract",
];

/// What decides by what it is told must not name: no clock, no file, nobody to ask.
const PURE: &[&str] =
    &["nix", "libc", "std::fs", "std::io", "std::env", "std::time::Instant", "std::time::SystemTime", "jiff::Zoned"];

/// What the files of one room must not name. A crate or module of the standard library is named by its path
/// (`std::net`), a room of this program by `crate::room`.
const RULES: &[(&str, &[&str])] = &[
    (
        "supervisor",
        &[
            "tokio",
            "reqwest",
            "hyper",
            "scraper",
            "governor",
            "rusqlite",
            "zstd",
            "std::net",
            "std::thread",
            "crate::extract",
            "crate::commands",
            "crate::demo_site",
            "crate::archive",
        ],
    ),
    (
        "url_list",
        &[
            "tokio",
            "reqwest",
            "hyper",
            "scraper",
            "rusqlite",
            "std::net",
            "std::thread",
            "crate::store",
            "crate::supervisor",
            "crate::fetcher",
            "crate::writer",
            "crate::commands",
            "crate::process",
            "crate::protocol",
            "crate::config",
        ],
    ),
    (
        "archive",
        &[
            "tokio",
            "reqwest",
            "hyper",
            "scraper",
            "rusqlite",
            "nix",
            "libc",
            "std::net",
            "std::process",
            "std::thread",
            "std::env",
            "crate::",
        ],
    ),
    (
        "fetcher",
        &[
            "rusqlite",
            "scraper",
            "crate::store",
            "crate::writer",
            "crate::supervisor",
            "crate::commands",
            "crate::url_list",
        ],
    ),
    (
        "writer",
        &[
            "reqwest",
            "tokio",
            "hyper",
            "scraper",
            "governor",
            "rusqlite",
            "std::net",
            "std::thread",
            "crate::fetcher",
            "crate::supervisor",
            "crate::extract",
            "crate::commands",
            "crate::url_list",
        ],
    ),
    (
        "store",
        &[
            "tokio",
            "reqwest",
            "hyper",
            "scraper",
            "crate::supervisor",
            "crate::fetcher",
            "crate::writer",
            "crate::commands",
            "crate::url_list",
            "crate::extract",
            "crate::export",
            "std::net",
            "std::thread",
        ],
    ),
    (
        "pool.rs",
        &["tokio", "reqwest", "rusqlite", "nix", "libc", "std::fs", "std::io", "std::net", "std::time", "crate::"],
    ),
    (
        "reextract",
        &[
            "reqwest",
            "tokio",
            "hyper",
            "scraper",
            "rusqlite",
            "std::net",
            "std::thread",
            "crate::fetcher",
            "crate::writer",
            "crate::commands",
            "crate::url_list",
            "crate::config",
        ],
    ),
    (
        "processors",
        &[
            "reqwest",
            "tokio",
            "hyper",
            "scraper",
            "rusqlite",
            "std::net",
            "std::thread",
            "crate::fetcher",
            "crate::writer",
            "crate::commands",
            "crate::url_list",
        ],
    ),
    (
        "export",
        &[
            "tokio",
            "reqwest",
            "hyper",
            "scraper",
            "std::net",
            "std::thread",
            "crate::supervisor",
            "crate::fetcher",
            "crate::writer",
            "crate::commands",
            "crate::url_list",
            "crate::extract",
            "crate::process",
            "crate::protocol",
            "crate::config",
        ],
    ),
    (
        "extract",
        &[
            "reqwest",
            "tokio",
            "hyper",
            "rusqlite",
            "nix",
            "libc",
            "std::net",
            "std::time",
            "std::fs",
            "std::process",
            "std::thread",
            "std::env",
            "crate::process",
            "crate::protocol",
            "crate::store",
            "crate::fetcher",
            "crate::supervisor",
            "crate::writer",
            "crate::commands",
            "crate::url_list",
            "crate::config",
        ],
    ),
    (
        "robots",
        &[
            "reqwest",
            "tokio",
            "hyper",
            "rusqlite",
            "nix",
            "libc",
            "std::net",
            "std::fs",
            "std::process",
            "std::thread",
            "std::env",
            "std::io",
            "crate::",
        ],
    ),
    (
        "schedule",
        &[
            "tokio",
            "reqwest",
            "hyper",
            "scraper",
            "rusqlite",
            "std::net",
            "std::process::Command",
            "crate::protocol",
            "crate::store",
            "crate::fetcher",
            "crate::supervisor",
            "crate::writer",
            "crate::commands",
            "crate::url_list",
            "crate::extract",
            "crate::config",
            "crate::cli",
        ],
    ),
    ("schedule/cron.rs", PURE),
    ("schedule/job.rs", PURE),
    ("schedule/plan.rs", PURE),
    (
        "process",
        &[
            "reqwest",
            "tokio",
            "hyper",
            "scraper",
            "rusqlite",
            "crate::store",
            "crate::fetcher",
            "crate::supervisor",
            "crate::writer",
            "crate::commands",
            "crate::url_list",
            "crate::extract",
            "crate::config",
            "crate::cli",
        ],
    ),
    (
        "protocol",
        &[
            "reqwest",
            "tokio",
            "hyper",
            "rusqlite",
            "nix",
            "libc",
            "std::fs",
            "std::net::TcpStream",
            "std::net::TcpListener",
            "std::net::UdpSocket",
            "std::process",
            "crate::process",
            "crate::store",
            "crate::fetcher",
            "crate::supervisor",
            "crate::writer",
            "crate::commands",
            "crate::url_list",
            "crate::extract",
            "crate::config",
            "crate::cli",
            "crate::demo_site",
        ],
    ),
    (
        "record.rs",
        &[
            "reqwest",
            "tokio",
            "hyper",
            "rusqlite",
            "nix",
            "libc",
            "std::fs",
            "std::net",
            "std::process",
            "std::time",
            "std::io",
            "crate::",
        ],
    ),
    ("config.rs", CONFIG),
    ("config", CONFIG),
    ("record", &["reqwest", "tokio", "rusqlite", "nix", "std::fs", "std::net", "crate::"]),
    (
        "commands",
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
        "notify",
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
            "crate::store",
            "crate::writer",
            "crate::commands",
            "crate::url_list",
            "crate::extract",
            "crate::protocol",
        ],
    ),
    (
        "demo_site",
        &[
            "reqwest",
            "hyper",
            "rusqlite",
            "crate::store",
            "crate::fetcher",
            "crate::supervisor",
            "crate::writer",
            "crate::commands",
        ],
    ),
    ("main.rs", &["tokio", "reqwest", "rusqlite", "nix", "libc"]),
];

/// One source file without comments, texts and unit tests.
struct Source {
    /// Relative to `src/`.
    path: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    let sources = files.iter().filter_map(|file| {
        let path = file.strip_prefix(&root).expect("it was found there").to_string_lossy().into_owned();
        // Files of unit tests may use what they need to test.
        if path.ends_with("tests.rs") || path.contains("/tests/") || path.ends_with("simulation.rs") {
            return None;
        }
        let text = fs::read_to_string(file).expect("sources are readable text");
        let code = bare(&text);
        let code = code.split_once("#[cfg(test)]\nmod tests {").map_or(code.clone(), |(code, _)| code.to_owned());
        Some(Source { path, code })
    });
    sources.collect()
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
    path.strip_prefix(forbidden)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || forbidden.ends_with("::"))
}

#[test]
fn every_room_uses_only_whom_it_may() {
    let mut broken = Vec::new();
    let sources = sources();
    for &(room, forbidden) in RULES {
        let files: Vec<_> = sources
            .iter()
            .filter(|source| {
                source.path == room
                    || source.path.starts_with(&format!("{room}/"))
                    || source.path == format!("{room}.rs")
            })
            .collect();
        assert!(!files.is_empty(), "the room {room} is gone; take its rule away or give it its new name");
        for source in files {
            for path in paths(&source.code) {
                if forbidden.iter().any(|&forbidden| is_below(&path, forbidden)) {
                    broken.push(format!("src/{} uses {path}", source.path));
                }
            }
        }
    }
    assert!(broken.is_empty(), "forbidden by the map in src/lib.rs:\n{}", broken.join("\n"));
}

#[test]
fn the_supervisor_knows_of_the_store_only_who_is_running() {
    let names = |source: &Source| {
        paths(&source.code).into_iter().filter(|path| is_below(path, "crate::store")).collect::<Vec<_>>()
    };
    for source in sources().iter().filter(|source| source.path.starts_with("supervisor/")) {
        assert!(
            names(source).iter().all(|path| path == "crate::store::insert::Session"),
            "src/{}: {:?}",
            source.path,
            names(source)
        );
    }
}

#[test]
fn unsafe_code_lives_in_process_alone_and_says_why_it_is_sound() {
    let is_unsafe = |code: &str| code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "unsafe");
    let mut seen = 0;
    for source in sources() {
        if is_unsafe(&source.code) {
            assert!(source.path.starts_with("process/"), "unsafe code in src/{}", source.path);
            seen += 1;
        }
    }
    assert!(seen > 0, "this test sees no unsafe code at all: it looks in the wrong place");
}

#[test]
fn only_one_file_forks() {
    let forks =
        |source: &Source| paths(&source.code).iter().any(|path| path.ends_with("unistd::fork") || path == "libc::fork");
    let files: Vec<_> = sources().into_iter().filter(forks).map(|source| source.path).collect();
    assert_eq!(files, ["process/fork.rs"]);
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
