//! Links that lead out of a crawl: their targets are asked for once, by a crawl of their own into a store beside the first.
//!
//! So pace, robots.txt, retries, resuming and asking again only after a time are those of every crawl, and the first store
//! stays what it is. Of an answer no more than its head is read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::LinksArgs;
use crate::commands::session::open_store;
use crate::commands::{crawl, session};
use crate::config::{
    Budgets, CrawlOptions, Extraction, Follow, Notify, Only, Programs, Recrawl, Settings, Share, Sources, Store,
};
use crate::console::log;
use crate::console::text::grouped;
use seine_core::record::CrawlUrl;
use seine_lists::url_list::UrlList;
use seine_store::guard::guard;
use seine_store::links::{Links, LinksError, Scope, State, is_crawled_host};
use seine_unix::signals::Signals;

/// The name of the list of targets.
const LIST: &str = "links that lead out";
/// Bodies of this type are wanted: of none.
const NO_TYPE: &str = "none/none";

/// The store of the targets that links of the store `db` lead out to: `crawl.external.db` for `crawl.db`.
pub(super) fn store_of(db: &Path) -> PathBuf {
    let mut name = db.file_stem().unwrap_or_default().to_owned();
    name.push(".external");
    if let Some(extension) = db.extension() {
        name.push(".");
        name.push(extension);
    }
    db.with_file_name(name)
}

/// Asks for all targets that links in `scope` lead out to and that were not asked for of late. The exit code of a crawl
/// that did not come to its end; `None`: what is known of them is in [`store_of`].
///
/// # Errors
/// No such store, page or condition; whatever keeps a crawl from starting.
pub(super) fn check(args: &LinksArgs, scope: Scope) -> Result<Option<i32>> {
    let urls = targets(&args.db, scope)?;
    if urls.is_empty() {
        return Ok(None);
    }
    if !args.quiet {
        let (count, s) = (urls.len() as u64, if urls.len() == 1 { "" } else { "s" });
        session::tell(&format!(
            "seine: {} target{s} on other hosts; answers go to {}\n",
            grouped(count),
            store_of(&args.db).display()
        ));
    }
    let mut settings = settings(args)?;
    let inherited = log::init(settings.console.verbose, settings.console.log_file.as_deref())?;
    let lists = vec![UrlList::named(LIST, urls.into_iter().collect())?];
    let signals = Signals::new()?;
    let report = crawl::crawl(&settings, lists, signals, inherited, crawl::Whose::Users)?;
    let is_complete = report.ended_by == seine_core::protocol::EndedBy::Completed;
    // What became of them is told with the links.
    settings.console.quiet = true;
    let code = crawl::finish(&settings, report, crawl::GO_ON)?;
    Ok((!is_complete).then_some(code))
}

/// The targets on hosts that the crawl had nothing to do with, each once. On its own hosts it has asked for what it may.
fn targets(db: &Path, scope: Scope) -> Result<BTreeSet<String>> {
    let mut db = open_store(db)?;
    guard(&mut db)?;
    let snapshot = db.unchecked_transaction()?;
    let mut urls = BTreeSet::new();
    Links::of(&snapshot, scope)?.read(&snapshot, |link| {
        if link.state != State::Unchecked || link.target.url_id.is_some() {
            return Ok(());
        }
        if let Ok(url) = CrawlUrl::parse(&link.to_url)
            && !urls.contains(&url.url)
            && !is_crawled_host(&snapshot, &url.host)?
        {
            urls.insert(url.url);
        }
        Ok::<_, LinksError>(())
    })?;
    Ok(urls)
}

/// Those of the config file as far as they say how to ask.
fn settings(args: &LinksArgs) -> Result<Settings> {
    let CrawlOptions(written) = args.config.as_deref().map(CrawlOptions::load).transpose()?.unwrap_or_default();
    let mut settings = Settings {
        sources: Sources::default(),
        store: Store { db: store_of(&args.db), output: None },
        follow: Follow::default(),
        recrawl: Recrawl { only: Only::All, max_age: args.max_age, ..Recrawl::default() },
        extraction: Extraction::default(),
        // Dead links are what is looked for.
        budgets: Budgets { fail_threshold: Share(1.0), ..Budgets::default() },
        notify: Notify::default(),
        programs: Programs::default(),
        ..written
    };
    settings.http.accept_types = vec![NO_TYPE.to_owned()];
    settings.console.quiet = args.quiet;
    settings.console.json = false;
    crawl::settings(CrawlOptions(settings), args.config.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_of_targets_lies_beside_the_first() {
        for (db, external) in
            [("crawl.db", "crawl.external.db"), ("a/b.c.sqlite", "a/b.c.external.sqlite"), ("x", "x.external")]
        {
            assert_eq!(store_of(Path::new(db)), Path::new(external));
        }
    }
}
