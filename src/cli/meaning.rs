//! Tips for words that are no verb or flag here: what other programs call by them, and what it is called here.
//!
//! clap suggests whatever is spelt alike, which sends `--include` to `--insecure` and `run` to `prune`. A suggestion
//! stays only if it can be a slip of the pen.

use std::num::{ParseFloatError, ParseIntError};

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use strsim::osa_distance;

/// Verbs of other programs, and the verb here.
const VERBS: [(&[&str], &str); 20] = [
    (&["run", "start", "fetch", "get", "scrape", "download", "spider", "resume", "continue"], "crawl"),
    (&["estimate", "forecast", "dry-run", "simulate", "count"], "plan"),
    (&["query", "select", "db"], "sql"),
    (&["info", "stats", "summary", "show", "list", "ls"], "status"),
    (&["check", "verify", "validate"], "audit"),
    (&["shard", "partition", "distribute"], "split"),
    (&["join", "combine", "union", "concat"], "merge"),
    (&["clean", "gc", "vacuum", "compact"], "prune"),
    (&["replay", "refetch", "redo"], "retry"),
    (&["copy", "snapshot", "clone"], "backup"),
    (&["find", "grep", "fulltext"], "search"),
    (&["new", "create", "setup", "startproject", "genspider"], "init"),
    (&["completion", "autocomplete"], "completions"),
    (&["save", "dump", "write", "convert"], "export"),
    (&["compare", "changes"], "diff"),
    (&["shell", "preview", "test"], "try"),
    (&["cron", "daemon", "watch", "serve"], "schedule"),
    (&["parse", "rules", "reparse"], "extract"),
    (&["inspect", "history", "trace", "log"], "why"),
    (&["check-links", "linkcheck", "linkchecker", "broken", "dead-links"], "links"),
];

/// Flags of other programs, and what to do here.
const FLAGS: [(&[&str], &str); 22] = [
    (
        &["recurse", "mirror", "m", "follow-links", "crawl-links", "spider"],
        "--follow follows links; --scope and --depth say how far",
    ),
    (
        &["depth-limit", "crawl-depth", "recursion-depth"],
        "--depth is what you look for: how many links away from the lists",
    ),
    (
        &["accept", "include-pattern", "allow", "filter", "pattern", "match"],
        "--include is what you look for: --include '/products/' follows only links whose URL matches",
    ),
    (
        &["reject", "exclude-pattern", "deny", "ignore", "skip"],
        "--exclude is what you look for: --exclude '/login' leaves out links whose URL matches",
    ),
    (
        &["domains", "domain", "allowed-domains", "same-domain", "include-subdomains"],
        "--scope domain follows links to all hosts of the domains that are listed",
    ),
    (&["span-hosts", "external", "follow-external", "offsite"], "--scope any follows links to other hosts"),
    (&["no-parent", "prefix", "subtree"], "--scope prefix follows links below the listed URLs only"),
    (
        &["p", "requisites", "resources", "images", "media", "with-assets", "css", "scripts"],
        "--assets fetches the images, styles, scripts and media that pages show, too",
    ),
    (&["sitemaps", "sitemap-url", "sitemap-urls", "from-sitemap"], "--sitemap URL takes the URLs of a sitemap"),
    (&["feeds", "feed-url", "rss", "atom"], "--feed URL takes the URLs of a feed"),
    (
        &["dry-run", "simulate", "estimate"],
        "seine plan, in the place of seine crawl, tells what would be asked of whom and how long it takes",
    ),
    (
        &["resume", "continue", "restart", "checkpoint", "jobdir"],
        "no flag is needed: the same command again goes on where the last one ended",
    ),
    (
        &["output-document", "output-dir", "out", "directory-prefix", "format"],
        "pages go into the store that --db names; -o pages.csv writes them elsewhere, too, and seine export whenever you like",
    ),
    (
        &["input", "input-file", "urls", "url", "url-list", "list", "i", "seed", "seeds", "start-url", "start-urls"],
        "URLs and lists are named without a flag: seine crawl https://example.com/ urls.txt",
    ),
    (
        &["force", "overwrite", "refresh", "no-cache", "timestamping"],
        "the same command over a finished crawl asks every page for changes; --only and --max-age choose which",
    ),
    (&["threads", "workers", "parallel", "parallelism", "jobs", "processes"], "--concurrency is what you look for"),
    (&["throttle", "sleep", "pause", "interval", "limit-rate", "rate-limit"], "--delay and --rate set the pace"),
    (&["no-check-certificate", "no-verify", "verify-ssl"], "--insecure HOST accepts any certificate of that host"),
    (
        &["render", "browser", "headless", "js", "javascript", "wait-for"],
        "pages are taken as the site sends them; no script of theirs is run",
    ),
    (
        &["user", "password", "auth", "http-user", "http-password", "token"],
        "user names and tokens belong into a config file: [[host]] with auth, so that no secret is on a command line",
    ),
    (&["database", "store", "store-path"], "--db names the store"),
    (&["select", "selector", "xpath", "fields"], "what to find on pages is said in a config file: [[collection]]"),
];

/// Puts tips by meaning in the place of those by spelling.
pub(super) fn explain(error: &mut clap::Error) {
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let Some(word) = text_of(error, ContextKind::InvalidSubcommand) else { return };
            keep_what_is_close(error, ContextKind::SuggestedSubcommand, &word);
            if let Some(verb) = lookup(&VERBS, &word) {
                error.remove(ContextKind::SuggestedSubcommand);
                tip(error, format!("seine {verb} does that here; seine {verb} --help tells more"));
            }
        }
        ErrorKind::UnknownArgument => {
            let Some(word) = text_of(error, ContextKind::InvalidArg) else { return };
            if word.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
                tip(error, "no number or time here can be negative".to_owned());
                return;
            }
            keep_what_is_close(error, ContextKind::SuggestedArg, &word);
            if let Some(advice) = lookup(&FLAGS, word.trim_start_matches('-')) {
                error.remove(ContextKind::SuggestedArg);
                tip(error, advice.to_owned());
            }
        }
        _ => {}
    }
}

/// The mistake in a number, in plainer words than Rust's own; `None` if the error is about something else.
pub(super) fn of_number(source: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    if source.is::<ParseFloatError>() {
        return Some("not a number");
    }
    let is_too_large = |error: &ParseIntError| matches!(error.kind(), std::num::IntErrorKind::PosOverflow);
    let error = source.downcast_ref::<ParseIntError>()?;
    Some(if is_too_large(error) { "too large a number" } else { "not a whole number" })
}

fn text_of(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        _ => None,
    }
}

fn keep_what_is_close(error: &mut clap::Error, kind: ContextKind, word: &str) {
    if matches!(error.get(ContextKind::Suggested), Some(ContextValue::StyledStrs(tips)) if tips.is_empty()) {
        // clap prints an empty line for an empty list of tips.
        error.remove(ContextKind::Suggested);
    }
    let kept = match error.remove(kind) {
        Some(ContextValue::String(name)) if is_close(word, &name) => ContextValue::String(name),
        Some(ContextValue::Strings(mut names)) => {
            names.retain(|name| is_close(word, name));
            if names.is_empty() {
                return;
            }
            ContextValue::Strings(names)
        }
        _ => return,
    };
    error.insert(kind, kept);
}

/// Whether `word` can be a slip of the pen for `name`, or its beginning.
fn is_close(word: &str, name: &str) -> bool {
    let bare = |text: &str| text.trim_start_matches('-').replace('_', "-");
    let (word, name) = (bare(word), bare(name));
    let most_edits = (word.chars().count() / 3).max(1);
    word.len() >= 3 && name.starts_with(&word) || osa_distance(&word, &name) <= most_edits
}

fn lookup(table: &[(&[&str], &'static str)], word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase().replace('_', "-");
    table.iter().find(|(words, _)| words.contains(&word.as_str())).map(|(_, meaning)| *meaning)
}

/// Adds a tip in the place of clap's own, which is to write `--` before the word.
fn tip(error: &mut clap::Error, text: String) {
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(text)]));
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::Cli;

    fn told(words: &[&str]) -> String {
        let mut error = Cli::try_parse_from([&["seine"], words].concat()).expect_err("nothing is called so");
        explain(&mut error);
        error.to_string()
    }

    #[test]
    fn words_of_other_programs_lead_to_what_is_meant() {
        for (words, tip) in [
            (&["run", "urls.txt"][..], "seine crawl does that"),
            (&["resume"], "seine crawl does that"),
            (&["query", "crawl.db"], "seine sql does that"),
            (&["crawl", "urls.txt", "--spider"], "--follow follows links"),
            (&["crawl", "urls.txt", "--mirror"], "--follow follows links"),
            (&["crawl", "urls.txt", "--include-pattern=x"], "--include is what you look for"),
            (&["crawl", "urls.txt", "--reject", "x"], "--exclude is what you look for"),
            (&["crawl", "urls.txt", "--domains", "a.example"], "--scope domain"),
            (&["crawl", "urls.txt", "--no-parent"], "--scope prefix"),
            (&["crawl", "urls.txt", "--span-hosts"], "--scope any"),
            (&["crawl", "urls.txt", "--requisites"], "--assets fetches"),
            (&["crawl", "--sitemaps", "x"], "--sitemap URL"),
            (&["crawl", "--rss", "x"], "--feed URL"),
            (&["crawl", "urls.txt", "--dry-run"], "seine plan, in the place of"),
            (&["crawl", "urls.txt", "--resume"], "the same command again goes on"),
            (&["crawl", "urls.txt", "--crawl_depth", "3"], "--depth is what you look for"),
            (&["crawl", "urls.txt", "--out", "x.csv"], "-o pages.csv writes them elsewhere"),
            (&["crawl", "-i", "urls.txt"], "URLs and lists are named without a flag"),
            (&["crawl", "--url", "https://a.example/"], "seine crawl https://example.com/"),
            (&["crawl", "urls.txt", "--threads", "4"], "--concurrency is what you look for"),
            (&["crawl", "urls.txt", "--delay", "-1s"], "can be negative"),
        ] {
            let told = told(words);
            assert!(told.contains(tip), "{words:?}: {told}");
            for unlike in ["--insecure'", "--resolve'", "prune", "similar", "as a value"] {
                assert!(!told.contains(unlike), "{words:?}: {told}");
            }
        }
    }

    #[test]
    fn names_that_people_know_from_other_programs_are_understood() {
        for words in [
            &["-r", "-l", "3"][..],
            &["--recursive", "--max-depth", "3", "--include-regex", "x", "--reject-regex", "y"],
            &["--follow", "--level", "3", "--accept-regex", "x", "--exclude-regex", "y"],
        ] {
            let line = [&["seine", "crawl", "https://a.example/"], words].concat();
            Cli::try_parse_from(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        }
    }

    #[test]
    fn slips_of_the_pen_are_still_seen() {
        for (words, meant) in [
            (&["crawl", "--concurency", "3"][..], "'--concurrency'"),
            (&["crawl", "--user_agent", "x"], "'--user-agent'"),
            (&["crawl", "--robot-agent", "x"], "'--robots-agent'"),
            (&["crwal", "urls.txt"], "'crawl'"),
            (&["exprot"], "'export'"),
        ] {
            assert!(told(words).contains(meant), "{words:?}: {}", told(words));
        }
    }

    #[test]
    fn no_tip_is_about_a_word_that_is_a_verb_or_flag_of_a_crawl() {
        let cli = Cli::command();
        for (words, verb) in VERBS {
            assert!(cli.find_subcommand(verb).is_some(), "{verb}");
            assert!(words.iter().all(|word| cli.find_subcommand(word).is_none()), "{words:?}");
        }
        let crawl = cli.find_subcommand("crawl").expect("there is one");
        let is_flag = |word: &&str| {
            crawl.get_arguments().any(|flag| {
                flag.get_long() == Some(word) || flag.get_all_aliases().is_some_and(|names| names.contains(word))
            })
        };
        for (words, _) in FLAGS {
            assert!(!words.iter().any(is_flag), "{words:?}");
        }
    }
}
