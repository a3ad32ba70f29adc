//! `seine try --suggest`: rules that find what a person has seen.

use std::fmt::Write as _;
use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{Tried, counted, shown};
use crate::cli::TryArgs;
use crate::commands::session::written;
use crate::config::CrawlOptions;
use crate::console::text::printable;
use seine_page::extract::rules::Page;
use seine_page::extract::rules::suggest::{Suggestion, suggest};
use seine_unix::clock::CpuBudget;

/// Proposals that are shown of each field.
const SHOWN: usize = 6;

/// Some value was not found, or no rule finds it.
const NOT_FOUND: i32 = 1;

/// Proposes rules on all pages.
///
/// # Errors
/// A broken config, or no page.
pub(super) fn run(args: &TryArgs) -> Result<i32> {
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    for text in &args.suggest {
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
                wanted.push((name.trim(), value.trim()));
            }
            _ => bail!("--suggest {}: expected FIELD=VALUE, such as price=19.90", printable(text)),
        }
    }
    if args.url.is_some() && args.targets.len() > 1 {
        bail!("--url is of one page, here are {}", args.targets.len());
    }
    let options = match &args.config {
        Some(path) => CrawlOptions::load(path)?,
        None => CrawlOptions::default(),
    };
    let mut settings = options.resolve(1)?;
    settings.politeness.ignore_robots |= args.ignore_robots;
    settings.read_files()?;
    let settings = settings.fetching();
    let tried: Vec<Tried> =
        args.targets.iter().map(|target| Tried::of(args, target, &settings)).collect::<Result<_>>()?;
    let pages: Vec<Page<'_>> = tried.iter().map(Tried::page).collect();
    let mut fields = Vec::new();
    for (name, value) in wanted {
        let each = settings.http.parse_timeout.0;
        // Every page is read twice, and asked for many rules.
        let budget = CpuBudget::new(each.saturating_mul(u32::try_from(4 * pages.len()).unwrap_or(u32::MAX)));
        let found = suggest(&pages, value, &|| budget.is_left()).with_context(|| {
            let limit = humantime::format_duration(each);
            format!(
                "--suggest {}: takes more than four times {limit} of CPU time a page (parse_timeout)",
                printable(name)
            )
        })?;
        fields.push((name, value, found));
    }
    let text = if args.json { format!("{}\n", json_of(&fields, &tried)) } else { text_of(&fields, &tried) };
    written(io::stdout().lock().write_all(text.as_bytes()))?;
    Ok(if fields.iter().all(|(.., found)| !found.is_empty()) { 0 } else { NOT_FOUND })
}

type Found<'a> = (&'a str, &'a str, Vec<Suggestion>);

fn json_of(fields: &[Found<'_>], tried: &[Tried]) -> Value {
    let field = |(name, value, found): &Found<'_>| {
        let rule = |found: &Suggestion| {
            let pages: Vec<_> =
                found.found.iter().map(|(count, first)| json!({"count": count, "first": first})).collect();
            json!({"rule": found.rule, "pages": found.pages(), "found": pages})
        };
        json!({"field": name, "value": value, "rules": found.iter().map(rule).collect::<Vec<_>>()})
    };
    let pages: Vec<_> = tried.iter().map(|tried| tried.url.as_str()).collect();
    json!({"pages": pages, "suggested": fields.iter().map(field).collect::<Vec<_>>(), "config": config(fields)})
}

fn text_of(fields: &[Found<'_>], tried: &[Tried]) -> String {
    let mut out = String::new();
    for (name, value, found) in fields {
        // Writing to a string never fails.
        let _ = writeln!(out, "{} = {}", printable(name), shown(value));
        if found.is_empty() {
            let _ = writeln!(out, "  no rule finds just this; is it on a page as it is written here?\n");
            continue;
        }
        for found in found.iter().take(SHOWN) {
            let _ = writeln!(out, "  {}", printable(&found.rule));
            let counts: Vec<_> = found.found.iter().map(|(count, _)| *count).collect();
            let (least, most) =
                (counts.iter().min().copied().unwrap_or_default(), counts.iter().max().copied().unwrap_or_default());
            let range = if least == most { most.to_string() } else { format!("{least} to {most}") };
            let on = format!("on {} of {}", found.pages(), counted(tried.len(), "page"));
            let firsts = found.found.iter().map(|(_, first)| first.as_deref().map_or_else(|| "-".to_owned(), shown));
            let _ = writeln!(out, "    {on}, {range} a page: {}", firsts.take(5).collect::<Vec<_>>().join(" | "));
        }
        let _ = writeln!(out);
    }
    out + &config(fields)
}

/// The best rule of each field, to go on with.
fn config(fields: &[Found<'_>]) -> String {
    let mut config = "[[collection]]\nname = \"things\"\n[collection.fields]\n".to_owned();
    for (name, _, found) in fields {
        if let Some(best) = found.first() {
            let is_bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
            let name = if is_bare { (*name).to_owned() } else { Value::from(*name).to_string() };
            let _ = writeln!(config, "{} = {}", printable(&name), printable(&best.rule));
        }
    }
    config
}
