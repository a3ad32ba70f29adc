//! What a page costs, part by part, beside `scraper`:
//! `cargo run --profile bench -p seine-page --example cost -- [--only PART] RULES.toml EVERY PATH…`
//!
//! A path is a folder, of which each HTML file is a page, or a text file with a path in each line. Every so-manyth page is
//! read; the figures are processor time in milliseconds a page. The selectors are those that the rules file names with
//! `css = "…"` or as a field's whole rule. With `--only`, nothing but that part is done, once a page: for `callgrind`.

use std::hint::black_box;
use std::path::PathBuf;

use seine_page::extract::extras::{Wanted, extras_of};
use seine_page::extract::parsed::Parsed;
use seine_page::extract::{Extractor, More, arena, charset, rules};
use seine_unix::clock::thread_cpu;
use url::Url;

const HTML: Option<&[u8]> = Some(b"text/html; charset=utf-8");

/// Times that every page is read.
const ROUNDS: u32 = 5;

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let only = arguments.next_if(|argument| argument == "--only").and_then(|_| arguments.next());
    let rules_path = arguments.next().expect("a file of rules");
    let every = arguments.next().and_then(|every| every.parse().ok()).expect("a number");
    let pages = pages(arguments.map(PathBuf::from).collect(), every);
    assert!(!pages.is_empty(), "there are no pages");
    let text = std::fs::read_to_string(rules_path).expect("rules");
    let rules = rules::Rules::read(&text).expect("rules");
    let selectors: Vec<_> =
        selectors(&text).iter().map(|css| scraper::Selector::parse(css).expect("a selector")).collect();
    let url = Url::parse("https://pages.example/a/b.html").expect("a URL");
    let mean = pages.iter().map(Vec::len).sum::<usize>() / pages.len();
    println!("{} pages of {mean} bytes, {} selectors", pages.len(), selectors.len());
    let cost = |name: &str, read: &mut dyn FnMut(&[u8])| match &only {
        Some(only) if only != name => {}
        Some(_) => pages.iter().for_each(|body| read(body)),
        None => cost(name, &pages, read),
    };

    let mut extractor = Extractor::new();
    let apply = |parsed: &Parsed<'_>| {
        let page = rules::Page { url: &url, listed_url: url.as_str(), content_type: HTML, body: parsed.body() };
        drop(black_box(rules.apply_to(parsed, &page, &|| true)));
    };
    cost("fields", &mut |body| drop(black_box(extractor.html(body, HTML, &url))));
    let mut with_words = Extractor::with(More { likeness: true, ..More::default() });
    cost("fields and likeness", &mut |body| drop(black_box(with_words.html(body, HTML, &url))));
    cost("tree", &mut |body| {
        let document = charset::decode(body, HTML).0;
        drop(black_box(arena::parse(document, arena::MAX_NODES, &|| true)));
    });
    cost("rules", &mut |body| apply(&Parsed::new(body, HTML)));
    let text = Wanted { text: true, ..Wanted::default() };
    cost("text", &mut |body| drop(black_box(extras_of(&Parsed::new(body, HTML), &url, text, &|| true))));
    let all = Wanted { text: true, markdown: true, metadata: true, tables: true };
    cost("all", &mut |body| {
        let parsed = Parsed::new(body, HTML);
        drop(black_box(extractor.html(body, HTML, &url)));
        apply(&parsed);
        drop(black_box(extras_of(&parsed, &url, all, &|| true)));
    });
    cost("scraper: tree", &mut |body| {
        drop(black_box(scraper::Html::parse_document(&charset::decode(body, HTML).0)));
    });
    cost("scraper: tree and selectors", &mut |body| {
        let tree = scraper::Html::parse_document(&charset::decode(body, HTML).0);
        for selector in &selectors {
            for element in tree.select(selector) {
                black_box(element.text().collect::<String>());
            }
        }
    });
}

fn cost(name: &str, pages: &[Vec<u8>], read: &mut dyn FnMut(&[u8])) {
    pages.iter().for_each(|body| read(body));
    let begun = thread_cpu();
    for _ in 0..ROUNDS {
        pages.iter().for_each(|body| read(body));
    }
    let used = (thread_cpu() - begun).as_secs_f64() * 1000.0;
    println!("{name:30} {:8.4} ms", used / f64::from(ROUNDS) / pages.len() as f64);
}

fn pages(mut folders: Vec<PathBuf>, every: usize) -> Vec<Vec<u8>> {
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        if let Ok(list) = std::fs::read_to_string(&folder) {
            paths.extend(list.lines().map(PathBuf::from));
        }
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                _ if path.extension().is_some_and(|end| end == "html") => paths.push(path),
                _ => {}
            }
        }
    }
    paths.sort();
    paths.into_iter().step_by(every).filter_map(|path| std::fs::read(path).ok()).collect()
}

/// The selectors of a file of rules whose fields are a line each.
fn selectors(rules: &str) -> Vec<String> {
    let of_line = |line: &str| {
        let (_, rule) = line.split_once('=').filter(|(key, _)| key.trim() != "name")?;
        let rule = rule.split_once("css =").map_or(rule, |(_, css)| css).trim();
        Some(rule.strip_prefix('"')?.split_once('"')?.0.to_owned())
    };
    rules.lines().filter_map(of_line).collect()
}
