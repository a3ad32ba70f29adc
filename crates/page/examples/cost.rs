//! What a page costs, part by part, beside `scraper`:
//! `cargo run --profile bench -p seine-page --example cost -- RULES.toml EVERY FOLDER…`
//!
//! Every so-manyth HTML file below the folders is read; the figures are processor time in milliseconds a page. The
//! selectors are those that the rules file names with `css = "…"` or as a field's whole rule.

use std::hint::black_box;
use std::path::PathBuf;

use seine_page::extract::{Extractor, More, arena, charset, rules};
use seine_unix::clock::thread_cpu;
use url::Url;

const HTML: Option<&[u8]> = Some(b"text/html; charset=utf-8");

/// Times that every page is read.
const ROUNDS: u32 = 5;

fn main() {
    let mut arguments = std::env::args().skip(1);
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

    let mut extractor = Extractor::new();
    cost("fields", &pages, |body| drop(black_box(extractor.html(body, HTML, &url))));
    let mut with_words = Extractor::with(More { likeness: true, ..More::default() });
    cost("fields and likeness", &pages, |body| drop(black_box(with_words.html(body, HTML, &url))));
    cost("tree", &pages, |body| {
        let document = charset::decode(body, HTML).0;
        drop(black_box(arena::parse(document, arena::MAX_NODES, &|| true)));
    });
    let apply = |body: &[u8]| {
        let page = rules::Page { url: &url, listed_url: url.as_str(), content_type: HTML, body };
        drop(black_box(rules.apply(&page, &|| true)));
    };
    cost("rules", &pages, apply);
    cost("fields and rules", &pages, |body| {
        drop(black_box(extractor.html(body, HTML, &url)));
        apply(body);
    });
    cost("scraper: tree", &pages, |body| {
        drop(black_box(scraper::Html::parse_document(&charset::decode(body, HTML).0)));
    });
    cost("scraper: tree and selectors", &pages, |body| {
        let tree = scraper::Html::parse_document(&charset::decode(body, HTML).0);
        for selector in &selectors {
            for element in tree.select(selector) {
                black_box(element.text().collect::<String>());
            }
        }
    });
}

fn cost(name: &str, pages: &[Vec<u8>], mut read: impl FnMut(&[u8])) {
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
