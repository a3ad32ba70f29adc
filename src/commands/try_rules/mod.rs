//! `seine try`: what rules and selectors find on one page, and why a field is empty; `suggest`: rules for a value.

mod suggest;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use url::Url;

use super::session::written;
use crate::cli::TryArgs;
use crate::config::{ConfigError, CrawlOptions, Fetching};
use crate::console::text::{grouped, printable};
use crate::fetcher::single::PageReader;
use seine_core::record::CrawlUrl;
use seine_core::record::items::Problem;
use seine_lists::url_list::url_meant;
use seine_page::extract::Extractor;
use seine_page::extract::rules::explain::{self, CollectionLook, ItemLook, MAX_COUNTED, SelectorLook, Tool};
use seine_page::extract::rules::{Page, Rules, Selector, XPath};
use seine_page::extract::text::cut;
use seine_store::body;
use seine_unix::clock::CpuBudget;

/// Items and hits that are shown of each collection and selector.
const SHOWN: usize = 3;
/// Problems that are shown of each collection.
const SHOWN_PROBLEMS: usize = 10;
/// Longest value on a terminal, in bytes.
const MAX_SHOWN_BYTES: usize = 160;

/// Something does not find what it should.
const NOT_FOUND: i32 = 1;

/// Tries rules on one page.
///
/// # Errors
/// A broken config or selector, or no page.
pub fn run(args: &TryArgs) -> Result<i32> {
    let [target] = args.targets.as_slice() else {
        if args.suggest.is_empty() {
            bail!("{} pages: one is tried at a time, but with --suggest", args.targets.len());
        }
        return suggest::run(args);
    };
    if !args.suggest.is_empty() {
        return suggest::run(args);
    }
    let options = match &args.config {
        Some(path) => CrawlOptions::load(path)?,
        None => CrawlOptions::default(),
    };
    let mut settings = options.resolve(1)?;
    settings.politeness.ignore_robots |= args.ignore_robots;
    let rules = match (&args.config, Rules::read(&settings.extraction.rules_text)) {
        (Some(path), Err(error)) => return Err(ConfigError::Parse(path.clone(), error.to_string()).into()),
        (_, rules) => rules?,
    };
    let mut selectors = Vec::new();
    for text in &args.css {
        let selector = Selector::parse(text).map_err(|error| misplaced("--css", text, error.at, &error.message))?;
        selectors.push((text.clone(), Tool::Css(selector)));
    }
    for text in &args.xpath {
        let xpath = XPath::parse(text).map_err(|error| misplaced("--xpath", text, error.at, &error.message))?;
        selectors.push((text.clone(), Tool::XPath(xpath)));
    }
    settings.read_files()?;
    let settings = settings.fetching();
    let tried = Tried::of(args, target, &settings)?;
    let page = tried.page();
    let budget = CpuBudget::new(settings.http.parse_timeout.0);
    let found = Found::on(&page, &rules, &selectors, &|| budget.is_left()).with_context(|| {
        format!(
            "{}: takes more than {} of CPU time (parse_timeout)",
            printable(page.url.as_str()),
            humantime::format_duration(settings.http.parse_timeout.0)
        )
    })?;
    let text = if args.json { format!("{}\n", found.json(&tried)) } else { found.text(&tried) };
    written(io::stdout().lock().write_all(text.as_bytes()))?;
    Ok(found.exit_code())
}

/// A mistake at a byte of what an option says.
fn misplaced(option: &str, text: &str, at: usize, message: &str) -> anyhow::Error {
    let column = text[..at].chars().count();
    anyhow::anyhow!("{option}, column {}\n  {text}\n  {}^\n{message}", column + 1, " ".repeat(column))
}

/// The page that rules are tried on.
struct Tried {
    url: Url,
    listed_url: String,
    status: Option<u16>,
    content_type: Option<String>,
    body: Vec<u8>,
}

impl Tried {
    fn page(&self) -> Page<'_> {
        Page {
            url: &self.url,
            listed_url: &self.listed_url,
            content_type: self.content_type.as_deref().map(str::as_bytes),
            body: &self.body,
        }
    }

    fn of(args: &TryArgs, target: &str, settings: &Fetching) -> Result<Self> {
        let target = target.trim();
        let named = match &args.url {
            Some(url) => Some(Url::parse(url).with_context(|| printable(url))?),
            None => None,
        };
        if let Some(path) = &args.db {
            let db = super::session::open_store(path)?;
            let mut body = Vec::new();
            body::cat(&db, target, settings.http.max_body.0, &mut body)?;
            let (final_url, content_type) = body::answer_of(&db, target)?;
            let url = Url::parse(&final_url).with_context(|| printable(&final_url))?;
            let listed_url = CrawlUrl::parse(target)?.url;
            return Ok(Self { url: named.unwrap_or(url), listed_url, status: None, content_type, body });
        }
        if is_http(target) {
            let listed_url =
                CrawlUrl::parse(target).map_err(|error| anyhow::anyhow!("{}: {error}", printable(target)))?.url;
            let page = PageReader::new(settings)?.read(&Url::parse(&listed_url)?)?;
            return Ok(Self {
                url: named.unwrap_or(page.url),
                listed_url,
                status: Some(page.status),
                content_type: page.content_type,
                body: page.body.to_vec(),
            });
        }
        let (body, url) = if target == "-" {
            (read_body(io::stdin().lock(), settings, "standard input")?, Url::parse("file:///dev/stdin")?)
        } else {
            let path = Path::new(target);
            let file = File::open(path).with_context(|| {
                let (word, meant) = (printable(target), printable(&url_meant(target)));
                format!("{word} is neither an http(s) URL nor a file that can be read; for a URL write {meant}")
            })?;
            let absolute = std::path::absolute(path).with_context(|| printable(target))?;
            let url = Url::from_file_path(absolute).unwrap_or(Url::parse("file:///")?);
            (read_body(file, settings, target)?, url)
        };
        let url = named.unwrap_or(url);
        let content_type = Some(guessed_type(target, &body).to_owned());
        Ok(Self { listed_url: url.to_string(), url, status: None, content_type, body })
    }
}

fn read_body(from: impl Read, settings: &Fetching, name: &str) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    from.take(settings.http.max_body.0 + 1)
        .read_to_end(&mut body)
        .with_context(|| format!("cannot read {}", printable(name)))?;
    if body.len() as u64 > settings.http.max_body.0 {
        bail!("{} is larger than max_body ({} bytes)", printable(name), grouped(settings.http.max_body.0));
    }
    Ok(body)
}

/// The content type of a file, by its name or else its first bytes.
fn guessed_type(name: &str, body: &[u8]) -> &'static str {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "json" | "jsonld" => return "application/json",
        "xml" | "rss" | "atom" => return "application/xml",
        "html" | "htm" | "xhtml" => return "text/html",
        _ => {}
    }
    let start = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii_start();
    let head = &start[..start.len().min(1024)];
    let is_html = head.windows(5).any(|part| part.eq_ignore_ascii_case(b"<html"));
    if start.starts_with(b"{") || start.starts_with(b"[") {
        "application/json"
    } else if !is_html && ["<?xml", "<rss", "<feed"].iter().any(|tag| start.starts_with(tag.as_bytes())) {
        "application/xml"
    } else {
        "text/html"
    }
}

fn is_http(target: &str) -> bool {
    let starts = |scheme: &str| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    starts("http://") || starts("https://")
}

/// The findings on it.
struct Found {
    collections: Vec<CollectionLook>,
    selectors: Vec<SelectorLook>,
    /// The built-in fields, if nothing was asked for: name and value.
    fields: Vec<(&'static str, Value)>,
}

impl Found {
    fn on(page: &Page<'_>, rules: &Rules, selectors: &[(String, Tool)], in_time: &dyn Fn() -> bool) -> Option<Self> {
        let collections = rules.explain(page, SHOWN, in_time)?;
        let selectors =
            if selectors.is_empty() { Vec::new() } else { explain::select(page, selectors, SHOWN, in_time)? };
        let mut fields = Vec::new();
        if rules.is_empty() && selectors.is_empty() {
            let extracted = Extractor::new().html_while(page.body, page.content_type, page.url, in_time)?;
            let found = extracted.fields;
            fields = vec![
                ("title", json!(found.title)),
                ("h1", json!(found.h1)),
                ("description", json!(found.description)),
                ("canonical", json!(found.canonical)),
                ("lang", json!(found.lang)),
                ("charset", json!(extracted.charset)),
                ("links", json!(found.links.len())),
            ];
        }
        Some(Self { collections, selectors, fields })
    }

    /// Every collection that is about the page has an item, and one is about it, if there are any.
    fn exit_code(&self) -> i32 {
        let mut about = self.collections.iter().filter(|look| look.mismatch.is_none()).peekable();
        let is_fine = self.collections.is_empty() || about.peek().is_some() && about.all(|look| look.items > 0);
        if is_fine { 0 } else { NOT_FOUND }
    }

    fn json(&self, tried: &Tried) -> Value {
        let collections: Vec<_> = self.collections.iter().map(collection_json).collect();
        let selectors: Vec<_> = self
            .selectors
            .iter()
            .map(|look| {
                let hits: Vec<_> = look
                    .hits
                    .iter()
                    .map(|(path, text)| json!({"path": Some(path).filter(|path| !path.is_empty()), "text": text}))
                    .collect();
                json!({"selector": look.selector, "count": look.count, "hits": hits, "why": look.why})
            })
            .collect();
        let fields: serde_json::Map<_, _> =
            self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        json!({
            "url": tried.url.as_str(), "status": tried.status, "content_type": tried.content_type,
            "bytes": tried.body.len(), "collections": collections, "selectors": selectors, "fields": fields,
        })
    }

    fn text(&self, tried: &Tried) -> String {
        let mut out = String::new();
        let status = tried.status.map_or_else(String::new, |status| format!("{status}, "));
        let kind = tried.content_type.as_deref().unwrap_or("no type");
        let bytes = grouped(tried.body.len() as u64);
        // Writing to a string never fails.
        let _ = writeln!(out, "{}: {status}{}, {bytes} bytes", printable(tried.url.as_str()), printable(kind));
        for (name, value) in &self.fields {
            let _ = writeln!(out, "  {name:<11} {}", shown(&value.to_string()));
        }
        for look in &self.collections {
            let _ = writeln!(out);
            collection_text(&mut out, look);
        }
        for look in &self.selectors {
            let _ = writeln!(out);
            let more = if look.count == MAX_COUNTED { " or more" } else { "" };
            let (kind, noun) = if look.is_xpath { ("xpath", "hit") } else { ("css", "element") };
            let _ = writeln!(out, "{kind} {}: {}{more}", printable(&look.selector), counted(look.count, noun));
            for (path, text) in &look.hits {
                let path = if path.is_empty() { String::new() } else { format!("  {}\n", printable(path)) };
                let _ = writeln!(out, "{path}    {}", shown(&json!(text).to_string()));
            }
            if let Some(why) = &look.why {
                let _ = writeln!(out, "  {}", printable(why));
            }
        }
        out
    }
}

fn collection_json(look: &CollectionLook) -> Value {
    let item = |item: &ItemLook| {
        let fields: serde_json::Map<_, _> = item
            .fields
            .iter()
            .map(|field| {
                let value: Value = serde_json::from_str(&field.value).unwrap_or_default();
                (field.name.clone(), json!({"value": value, "source": field.source, "why": field.why}))
            })
            .collect();
        json!({"number": item.number, "path": item.path, "complete": item.is_complete, "fields": fields})
    };
    let problem = |problem: &Problem| {
        json!({
            "number": problem.number, "field": problem.field, "problem": problem.kind.name(), "found": problem.found,
        })
    };
    let fields: serde_json::Map<_, _> = look.fields.iter().map(|(name, found)| (name.clone(), json!(found))).collect();
    json!({
        "name": look.name, "matches": look.mismatch.is_none(), "mismatch": look.mismatch,
        "candidates": look.candidates, "items": look.items, "why": look.why, "found": fields,
        "shown": look.shown.iter().map(item).collect::<Vec<_>>(),
        "problems": look.problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

fn collection_text(out: &mut String, look: &CollectionLook) {
    if let Some(mismatch) = &look.mismatch {
        let _ = writeln!(out, "{}: not about this page: {}", look.name, printable(mismatch));
        return;
    }
    let _ =
        writeln!(out, "{}: {} of {}", look.name, counted(look.items, "item"), counted(look.candidates, "candidate"));
    if let Some(why) = &look.why {
        let _ = writeln!(out, "  each: {}", printable(why));
    }
    let width = look.fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(30);
    for item in &look.shown {
        let path = item.path.as_deref().map(printable).unwrap_or_default();
        let kept = if item.is_complete { "" } else { " (not kept: a required field is missing)" };
        let _ = writeln!(out, "  item {}{kept}  {path}", item.number);
        for field in &item.fields {
            let value = if field.value == "null" { "-".to_owned() } else { shown(&field.value) };
            let source =
                field.source.as_deref().map_or_else(String::new, |source| format!("  [{}]", printable(source)));
            let _ = writeln!(out, "    {:<width$}  {value}{source}", printable(&field.name));
            for why in &field.why {
                let _ = writeln!(out, "    {:<width$}    {}", "", printable(why));
            }
        }
    }
    if look.candidates > look.shown.len() && !look.shown.is_empty() {
        let counts: Vec<_> = look.fields.iter().map(|(name, found)| format!("{} {found}", printable(name))).collect();
        let _ = writeln!(out, "  found in {}: {}", counted(look.candidates, "candidate"), counts.join(", "));
    }
    for problem in look.problems.iter().take(SHOWN_PROBLEMS) {
        let item = problem.number.map_or_else(|| "page".to_owned(), |number| format!("item {number}"));
        let field = if problem.field.is_empty() { String::new() } else { format!(" {}", printable(&problem.field)) };
        let found = if problem.found.is_empty() { String::new() } else { format!(": {}", shown(&problem.found)) };
        let _ = writeln!(out, "  problem: {item}{field} {}{found}", problem.kind.name());
    }
    if look.problems.len() > SHOWN_PROBLEMS {
        let _ = writeln!(out, "  ... and {} more problems", look.problems.len() - SHOWN_PROBLEMS);
    }
}

/// A value on one line of a terminal.
fn shown(text: &str) -> String {
    let short = cut(text, MAX_SHOWN_BYTES);
    let more = if short.len() < text.len() { "…" } else { "" };
    printable(short) + more
}

fn counted(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count as u64), if count == 1 { "" } else { "s" })
}
