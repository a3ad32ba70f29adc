//! `seine retry`: URLs become pending again, and a crawl goes on with them.

use std::io::{self, Write};

use anyhow::{Context, Result};
use serde_json::json;

use super::crawl;
use crate::cli::RetryArgs;
use crate::config::Sources;
use crate::console::log;
use crate::console::text::grouped;
use seine_store::{open_for_writing, retry};
use seine_unix::say::{self, Level};
use seine_unix::signals::Signals;

/// Makes pending and crawls; returns the exit code of the crawl.
///
/// # Errors
/// No such store, no such condition, or whatever keeps the crawl from starting.
pub fn run(args: RetryArgs) -> Result<i32> {
    let RetryArgs { db, condition, dry_run, config, flags } = args;
    let mut options = crawl::written(config.as_deref(), &flags)?;
    // A config file may serve `crawl` too, lists and all.
    options.0.sources = Sources::default();
    options.0.store.db = db.or(&options.0.store.db);
    let settings = crawl::settings(options, config)?;
    let matching = retry::count(&super::session::open_store(&settings.store.db)?, &condition)?;
    if dry_run || matching == 0 {
        let text = match matching {
            _ if settings.console.json || say::is_json() => json!({ "matching": matching }).to_string(),
            0 => "no URL matches; nothing to do".to_owned(),
            1 => "1 URL would be crawled again".to_owned(),
            _ => format!("{} URLs would be crawled again", grouped(matching)),
        };
        super::session::written(writeln!(io::stdout(), "{text}"))?;
        return Ok(0);
    }
    let inherited = log::init(settings.console.verbose, settings.console.log_file.as_deref())?;
    let settings = crawl::within_limits(&settings)?;
    let lock = crawl::lock(&settings.store.db)?;
    // Closed again at once: no connection may live through the forks to come.
    let pending = {
        let mut db = open_for_writing(&settings.store.db)?;
        retry::make_pending(&mut db, &condition)
            .with_context(|| format!("cannot make URLs of {} pending", settings.store.db.display()))?
    };
    if !settings.console.quiet {
        let s_are = if pending == 1 { " is" } else { "s are" };
        say::say(Level::Info, &format!("seine: {} URL{s_are} pending again", grouped(pending)));
    }
    let signals = Signals::new().context("cannot watch for signals")?;
    let report = crawl::crawl_locked(&settings, Vec::new(), lock, signals, inherited, crawl::Whose::Users)?;
    crawl::finish(&settings, report, &format!("`seine crawl --db {}` goes on", settings.store.db.display()))
}
