//! What a crawl reads of pages and keeps, compared with what the last run did: said at its start, in one line.

use std::fmt::Write as _;

use serde_json::Value;

use crate::config::Extraction;
use seine_store::beginning::LastReading;

/// How this crawl differs from the last run.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// A sentence.
    pub text: String,
    /// Whether something that the store has is lost or no longer brought up to date.
    pub is_loss: bool,
}

/// How a crawl that keeps `now` of pages, by the hash of all that it reads of them, and has these `processors` differs from the last run; `None` if it does not. If it
/// `fetches_again`, pages that have not changed come whole once, since what the store has of them cannot stand.
pub(super) fn since(
    last: &LastReading,
    now: &Extraction,
    reading: &[u8; 16],
    processors: &[&str],
    fetches_again: bool,
) -> Option<Difference> {
    let before = Extraction::of_run(&last.config)?;
    let is_read_alike = last.reading == Some(*reading);
    let (mut losses, mut news) = if is_read_alike { (Vec::new(), Vec::new()) } else { parts(&before, now) };
    let idle: Vec<_> =
        processors_of(&last.config).into_iter().filter(|name| !processors.contains(&name.as_str())).collect();
    if !idle.is_empty() {
        losses.push(format!("no processor {}: seine process does its work later", idle.join(", ")));
    }
    if is_read_alike && losses.is_empty() {
        return None;
    }
    let is_loss = !losses.is_empty();
    losses.append(&mut news);
    let mut text = if losses.is_empty() {
        "the stored pages were last read with other settings than these".to_owned()
    } else {
        format!("unlike the last run, this one has {}", losses.join("; "))
    };
    if fetches_again && !is_read_alike {
        let _ = write!(text, "; what has not changed is fetched whole this once");
    }
    Some(Difference { text, is_loss })
}

/// The parts of pages that are not read any more, with what that means, and those that are read anew.
fn parts(before: &Extraction, now: &Extraction) -> (Vec<String>, Vec<String>) {
    let (mut losses, mut news) = (Vec::new(), Vec::new());
    let names = |of: &Extraction| -> Vec<String> {
        of.collection.iter().filter_map(|one| one.get("name")?.as_str().map(str::to_owned)).collect()
    };
    let named = names(now);
    let left: Vec<_> = names(before).into_iter().filter(|name| !named.contains(name)).collect();
    if !left.is_empty() {
        let rules = if named.is_empty() { "no rules" } else { "no rules for them" };
        losses.push(format!("{rules}: the items of {} stay as they are and grow old (--config)", left.join(", ")));
    } else if before.collection != now.collection {
        news.push(if before.collection.is_empty() { "rules" } else { "other rules" }.to_owned());
    }
    for (flag, had, has) in [
        ("--metadata", before.metadata, now.metadata),
        ("--text", before.text, now.text),
        ("--markdown", before.markdown, now.markdown),
        ("--tables", before.tables, now.tables),
    ] {
        match (had, has) {
            (true, false) => losses.push(format!("no {flag}: pages that are fetched again lose theirs")),
            (false, true) => news.push(flag.to_owned()),
            _ => {}
        }
    }
    if before.store_bodies != now.store_bodies {
        news.push(if now.store_bodies { "--store-bodies" } else { "--no-store-bodies" }.to_owned());
    }
    (losses, news)
}

/// The names of the processors among the settings of a run.
fn processors_of(config: &str) -> Vec<String> {
    let config: Value = serde_json::from_str(config).unwrap_or_default();
    let all = config["processor"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CrawlOptions;

    fn extraction(toml: &str) -> Extraction {
        CrawlOptions::read(toml).expect("a config").resolve(1).expect("settings").extraction
    }

    fn said(before: &str, now: &str) -> Option<(String, bool)> {
        let before = extraction(before);
        let config = serde_json::json!({ "collection": before.collection, "text": before.text, "tables": before.tables,
            "store_bodies": before.store_bodies, "delay": "1s" });
        let last = LastReading { config: config.to_string(), reading: Some(before.reading()) };
        since(&last, &extraction(now), &extraction(now).reading(), &[], false)
            .map(|difference| (difference.text, difference.is_loss))
    }

    #[test]
    fn what_differs_is_said_and_what_it_means() {
        let rules = |name: &str, selector: &str| {
            format!("[[collection]]\nname = '{name}'\n[collection.fields]\na = '{selector}'\n")
        };
        let (goods, other) = (rules("goods", "h1"), rules("goods", "h2"));
        assert_eq!(said(&goods, &goods), None);
        assert_eq!(said("text = true", "text = true\ntimeout = '3s'"), None);
        let has = |text: &str, is_loss: bool| Some((format!("unlike the last run, this one has {text}"), is_loss));
        assert_eq!(said("", &goods), has("rules", false));
        assert_eq!(said(&goods, &other), has("other rules", false));
        let lost = "no rules: the items of goods stay as they are and grow old (--config)";
        assert_eq!(said(&goods, ""), has(lost, true));
        let lost = "no rules for them: the items of goods stay as they are and grow old (--config)";
        assert_eq!(said(&goods, &rules("other", "h1")), has(lost, true));
        let both = "no --text: pages that are fetched again lose theirs; --tables";
        assert_eq!(said("text = true", "tables = true"), has(both, true));
        assert_eq!(said("", "store_bodies = false"), has("--no-store-bodies", false));
    }

    #[test]
    fn a_processor_that_is_missing_is_named_whatever_else_is_the_same() {
        let now = extraction("");
        let config = r#"{"processor": [{"name": "lang"}, {"name": "faces"}, 3]}"#.to_owned();
        let last = LastReading { config, reading: Some(now.reading()) };
        let text = |processors: &[&str]| {
            since(&last, &now, &now.reading(), processors, true).map(|difference| difference.text)
        };
        assert_eq!(text(&["faces", "lang", "new"]), None);
        let expected = "unlike the last run, this one has no processor lang: seine process does its work later";
        assert_eq!(text(&["faces"]).as_deref(), Some(expected));
    }

    #[test]
    fn settings_of_a_store_that_mean_nothing_say_nothing() {
        for config in ["", "[]", "{\"collection\": 3}", "{\"text\": \"yes\"}", &"[".repeat(100_000)] {
            let last = LastReading { config: config.to_owned(), reading: None };
            assert_eq!(since(&last, &extraction(""), &extraction("").reading(), &[], true), None, "{config:.20}");
        }
    }

    #[test]
    fn pages_read_with_several_settings_are_fetched_whole_and_that_is_said() {
        let last = LastReading { config: "{}".into(), reading: Some([7; 16]) };
        let text = since(&last, &extraction(""), &extraction("").reading(), &[], true).expect("a difference").text;
        assert_eq!(
            text,
            "the stored pages were last read with other settings than these; what has not changed is fetched whole this once"
        );
    }
}
