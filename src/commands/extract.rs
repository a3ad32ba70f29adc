//! `seine extract`: stored bodies read again, for rules and for what a crawl keeps of pages, or what that would change.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

use super::session::{DISK_FULL, INTERRUPTED, STOPPED, TERMINATED, USAGE};
use super::{crawl, fill};
use crate::cli::ExtractArgs;
use crate::config::{ConfigError, CrawlOptions, Extraction, ProgressMode, Settings};
use crate::console::log;
use crate::console::progress::Progress;
use crate::console::text::{grouped, printable};
use crate::reextract::{self, Ended};
use seine_core::protocol::reextract::{Cause, CollectionChanges, Example, Report};
use seine_page::extract::rules::Rules;
use seine_unix::Signal;
use seine_unix::signals::Signals;
use seine_unix::{limits, title};

/// Longest value shown of an example, in characters.
const SHOWN: usize = 100;

/// Applies the rules; returns the exit code.
///
/// # Errors
/// No such store or config, or whatever keeps the work from starting.
pub fn run(args: &ExtractArgs) -> Result<i32> {
    let settings = settings(args)?;
    let config = args.config.as_deref().unwrap_or(Path::new(""));
    let rules = Rules::read(&settings.extraction.rules_text)
        .map_err(|error| ConfigError::Parse(config.into(), error.to_string()))?;
    let Extraction { metadata, text, markdown, tables, .. } = settings.extraction;
    if rules.is_empty() && !(metadata || text || markdown || tables) {
        bail!(
            "{} has no [[collection]], and no text, markdown, metadata or tables are asked for: there is nothing to find",
            config.display()
        );
    }
    let path = args.db.or(&settings.store.db);
    let inherited = log::init(args.verbose, None)?;
    // Closed again at once: no connection may live through the forks to come.
    drop(super::session::open_store(&path)?);
    let keys = Keys::of(&rules);
    let signals = Signals::new().context("cannot watch for signals")?;
    let lock = if args.diff { None } else { Some(crawl::lock(&path)?) };
    title::set(title::Role::Supervisor);
    let begun = Instant::now();
    let ended = reextract::run(reextract::ExtractStart {
        path: path.clone(),
        lock,
        rules,
        extraction: settings.extraction.clone(),
        condition: args.condition.clone(),
        workers: args.workers.map_or_else(limits::available_cpus, usize::from),
        limits: reextract::Limits { parse_time: settings.http.parse_timeout.0, body_bytes: settings.http.max_body.0 },
        sandbox: settings.walls.sandbox,
        signals,
        inherited,
        progress: Progress::new(ProgressMode::Auto, args.quiet),
    })?;
    match ended {
        Ended::Done(report) => {
            tell(args, &report, &keys, begun.elapsed())?;
            Ok(0)
        }
        Ended::Stopped(signal) => {
            super::session::tell(&format!("seine: stopped; {} is as it was\n", path.display()));
            Ok(if signal == Signal::SIGINT { INTERRUPTED } else { TERMINATED })
        }
        Ended::Failed { message, cause } => {
            super::session::tell(&format!("seine: {}\n", printable(&message)));
            Ok(match cause {
                Cause::Usage => USAGE,
                Cause::DiskFull => DISK_FULL,
                Cause::Failure => STOPPED,
            })
        }
    }
}

/// The settings of the config file, with the flags laid over them.
fn settings(args: &ExtractArgs) -> Result<Settings> {
    let mut options = args.config.as_deref().map(CrawlOptions::load).transpose()?.unwrap_or_default();
    let extraction = &mut options.0.extraction;
    extraction.metadata |= args.metadata;
    extraction.text |= args.text;
    extraction.markdown |= args.markdown;
    extraction.tables |= args.tables;
    Ok(options.resolve(limits::available_cpus())?)
}

fn tell(args: &ExtractArgs, report: &Report, keys: &Keys, elapsed: Duration) -> Result<()> {
    if args.json {
        let mut json = as_json(report, keys, !args.diff);
        json["elapsed_ms"] = json!(elapsed.as_millis() as u64);
        super::session::written(writeln!(io::stdout(), "{json}"))?;
    }
    let text = as_text(report, keys, args, elapsed);
    if args.diff && !args.json {
        super::session::written(io::stdout().write_all(text.as_bytes()))?;
    } else if !args.quiet {
        super::session::tell(&text);
    }
    Ok(())
}

fn as_json(report: &Report, keys: &Keys, applied: bool) -> Value {
    let collections: Map<_, _> =
        report.collections.iter().map(|changes| (changes.name.clone(), of(changes, keys))).collect();
    let unread = report.unread_pages.iter().map(|(url, why)| json!({ "url": url, "error": why.name() }));
    json!({
        "applied": applied,
        "pages": report.pages,
        "not_stored": report.not_stored,
        "unread": report.unread,
        "unread_pages": unread.collect::<Vec<_>>(),
        "problems": report.problems,
        "collections": collections,
        "left_alone": report.left_alone,
        "extras": { "pages": report.with_extras, "changed": report.changed_extras },
    })
}

fn of(changes: &CollectionChanges, keys: &Keys) -> Value {
    let key = |example: &Example| match keys.key(&changes.name, example) {
        none if none.is_empty() => Value::Null,
        key => Value::Object(key),
    };
    let whole = |examples: &[Example], data: fn(&Example) -> Option<&String>| {
        let one = |example: &Example| json!({ "url": example.url, "key": key(example), "data": parsed(data(example)) });
        examples.iter().map(one).collect::<Vec<_>>()
    };
    let changed = changes.changed_examples.iter().map(|example| {
        let fields: Map<_, _> =
            differing(example).into_iter().map(|(name, old, new)| (name, json!({ "old": old, "new": new }))).collect();
        json!({ "url": example.url, "key": key(example), "fields": fields })
    });
    json!({
        "added": changes.added,
        "removed": changes.removed,
        "changed": changes.changed,
        "same": changes.same,
        "fill": changes.fill,
        "examples": {
            "added": whole(&changes.added_examples, |example| example.after.as_ref()),
            "removed": whole(&changes.removed_examples, |example| example.before.as_ref()),
            "changed": changed.collect::<Vec<_>>(),
        },
    })
}

/// The fields by which items of a collection are told apart, by its name.
struct Keys(HashMap<String, Vec<String>>);

impl Keys {
    fn of(rules: &Rules) -> Self {
        let keyed = rules.collections().iter().map(|collection| (collection.name.clone(), collection.key.clone()));
        Self(keyed.collect())
    }

    /// The key of an item, if its collection has one.
    fn key(&self, collection: &str, example: &Example) -> Map<String, Value> {
        let data = parsed(example.after.as_ref().or(example.before.as_ref()));
        let names = self.0.get(collection).into_iter().flatten();
        names.filter_map(|name| Some((name.clone(), data.get(name)?.clone()))).collect()
    }
}

/// Fields of a changed item that differ, with their values: those of the new rules first.
fn differing(example: &Example) -> Vec<(String, Value, Value)> {
    let (old, new) = (parsed(example.before.as_ref()), parsed(example.after.as_ref()));
    let names = |value: &Value| value.as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default();
    let mut all: Vec<String> = names(&new);
    all.extend(names(&old).into_iter().filter(|name| new.get(name).is_none()));
    let both = all.into_iter().map(|name| {
        let (old, new) = (old.get(&name).cloned(), new.get(&name).cloned());
        (name, old.unwrap_or_default(), new.unwrap_or_default())
    });
    both.filter(|(_, old, new)| old != new).collect()
}

fn parsed(data: Option<&String>) -> Value {
    data.and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default()
}

fn as_text(report: &Report, keys: &Keys, args: &ExtractArgs, elapsed: Duration) -> String {
    let mut text = String::new();
    let seconds = elapsed.as_secs_f64().max(0.001);
    let _ = writeln!(
        text,
        "{}{} pages read in {seconds:.1} s, {:.0} pages/s",
        if args.diff { "" } else { "seine: " },
        grouped(report.pages),
        report.pages as f64 / seconds
    );
    for changes in &report.collections {
        let CollectionChanges { name, added, removed, changed, same, .. } = changes;
        let [added, removed, changed, same] = [added, removed, changed, same].map(|count| grouped(*count));
        let _ = writeln!(text, "  {name}: {added} added, {removed} removed, {changed} changed, {same} the same");
        if report.pages > 0 {
            text.push_str(&fill::as_text(name, &changes.fill));
        }
        if args.diff {
            show_examples(&mut text, changes, keys);
        }
    }
    if report.with_extras > 0 {
        let _ = writeln!(
            text,
            "  text and the like of {} HTML pages: {} new or changed",
            grouped(report.with_extras),
            grouped(report.changed_extras)
        );
    }
    if report.problems > 0 {
        let show = if args.diff { String::new() } else { "; SELECT * FROM extract_problems shows them".to_owned() };
        let _ = writeln!(text, "  {} values or pages are not as the rules say{show}", grouped(report.problems));
    }
    if report.not_stored > 0 {
        let _ = writeln!(
            text,
            "  {} pages have no stored body (--no-store-bodies); their items stay as they are",
            grouped(report.not_stored)
        );
    }
    if report.unread > 0 {
        let _ = writeln!(text, "  {} pages could not be read; their items stay as they are:", grouped(report.unread));
        for (url, why) in &report.unread_pages {
            let _ = writeln!(text, "    {} {}", why.name(), printable(url));
        }
    }
    if !report.left_alone.is_empty() {
        let not_in =
            args.config.as_ref().map_or("not asked for".to_owned(), |file| format!("not in {}", file.display()));
        let _ = writeln!(text, "  {not_in}, so left as they are: {}", printable(&report.left_alone.join(", ")));
    }
    if args.diff {
        let _ = writeln!(text, "  nothing was changed: `seine extract` without --diff does it");
    }
    text
}

fn show_examples(text: &mut String, changes: &CollectionChanges, keys: &Keys) {
    let named = |example: &Example| {
        let key: Vec<_> = keys.key(&changes.name, example).into_iter().map(|(_, value)| short(&value)).collect();
        let separator = if key.is_empty() { "" } else { " " };
        format!("{}{separator}{}", key.join(", "), printable(&example.url))
    };
    let mut whole = |sign: char, example: &Example, data: Option<&String>| {
        let _ = writeln!(text, "    {sign} {}", named(example));
        if let Value::Object(fields) = parsed(data) {
            for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                let _ = writeln!(text, "        {name}: {}", short(value));
            }
        }
    };
    changes.added_examples.iter().for_each(|example| whole('+', example, example.after.as_ref()));
    changes.removed_examples.iter().for_each(|example| whole('-', example, example.before.as_ref()));
    for example in &changes.changed_examples {
        let _ = writeln!(text, "    ~ {}", named(example));
        for (name, old, new) in differing(example) {
            let _ = writeln!(text, "        {name}: {} → {}", short(&old), short(&new));
        }
    }
}

fn short(value: &Value) -> String {
    let text = printable(&value.to_string());
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(before: &str, after: &str) -> Example {
        Example { url: "http://a/".into(), before: Some(before.into()), after: Some(after.into()) }
    }

    #[test]
    fn only_what_differs_is_shown_gone_and_new_fields_too() {
        let found = differing(&example(r#"{"a":1,"b":"x","old":2}"#, r#"{"new":true,"b":"y","a":1}"#));
        let found: Vec<_> = found.iter().map(|(name, old, new)| format!("{name} {old} {new}")).collect();
        assert_eq!(found, ["new null true", r#"b "x" "y""#, "old 2 null"]);
    }

    #[test]
    fn an_item_with_a_key_is_named_by_it() {
        let keys = Keys(HashMap::from([("products".to_owned(), vec!["sku".to_owned()])]));
        let mut changes = CollectionChanges { name: "products".into(), ..CollectionChanges::default() };
        changes.changed_examples.push(example(r#"{"sku":"K-1","b":"x"}"#, r#"{"sku":"K-1","b":"y"}"#));
        changes.removed_examples.push(Example { after: None, ..example(r#"{"sku":"K-2"}"#, "{}") });
        let mut text = String::new();
        show_examples(&mut text, &changes, &keys);
        assert!(text.contains("    ~ \"K-1\" http://a/\n        b: "), "{text}");
        assert!(text.contains("    - \"K-2\" http://a/\n"), "{text}");
        let json = of(&changes, &keys);
        assert_eq!(json["examples"]["changed"][0]["key"], json!({ "sku": "K-1" }));
        changes.name = "pages".into();
        let mut text = String::new();
        show_examples(&mut text, &changes, &keys);
        assert!(text.contains("    ~ http://a/\n"), "{text}");
    }

    #[test]
    fn a_long_value_of_a_site_is_cut_and_cannot_steer_the_terminal() {
        let shown = short(&json!("\u{202e}".to_owned() + &"x".repeat(1000)));
        assert!(shown.chars().count() == SHOWN + 1 && shown.ends_with('…') && !shown.contains('\u{202e}'), "{shown}");
    }
}
