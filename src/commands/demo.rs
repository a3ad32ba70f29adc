//! `seine demo`: a sample site on a loopback port, crawled for real.
//!
//! The site is a process of its own; the crawl takes the same way as `seine crawl --follow --sitemap auto`, from a URL list
//! in a file and with rules in another, which a reader may edit: the next demo goes by them.

use std::io::Write;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::{crawl, session};
use crate::cli::DemoArgs;
use crate::config::{AUTO, Chosen, CrawlOptions, Follow, Settings, Size, Span};
use crate::console::log;
use crate::console::text::printable;
use seine_lists::url_list::{self, ListOptions, Source};
use seine_store::diff::{self, Changes, Run};
use seine_store::read::is_demo;
use seine_store::{StoreError, open_at_rest, open_for_reading, open_for_writing, retry};
use seine_unix::fork::{Death, ForkSpec, fork};
use seine_unix::signals::{self, Signals};
use seine_unix::{limits, title};

/// Rules for the shop's products.
const RULES: &str = include_str!("../../config/demo.toml");
/// The pages of spare parts: two thousand, which nobody would wait for.
const SPARE_PARTS: &str = "/parts/[0-9]";
/// The pages of products, over `pages`.
const PRODUCTS: &str = "url LIKE '%/p/%'";
/// Products shown at the end.
const SHOWN: u32 = 5;
/// What a demo that was stopped does not do.
const AGAIN: &str = "run the same command to begin anew: a demo does not go on";

/// Serves, crawls, sums up; returns the exit code of the crawl.
///
/// # Errors
/// Whatever keeps the crawl from starting.
pub fn run(args: &DemoArgs) -> Result<i32> {
    let inherited = log::init(0, None)?;
    let list = beside(&args.db, ".urls.txt");
    start_afresh(&args.db, &list)?;
    let rules = beside(&args.db, ".toml");
    let options = options(args, &list, &rules)?;
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on a loopback port")?;
    let origin = format!("http://{}", listener.local_addr()?);
    let signals = Signals::new().context("cannot watch for signals")?;
    let site = start_site(listener)?;

    std::fs::File::create(&list)
        .and_then(|mut file| file.write_all(seine_site::url_list(&origin).as_bytes()))
        .with_context(|| format!("cannot write the URL list {}", list.display()))?;

    let settings = options.resolve(limits::available_cpus())?;
    let lists = url_list::open(&[Source::Path(list.clone())], &ListOptions::default())?;
    if !args.quiet {
        eprintln!(
            "seine: sample site at {origin}, its start page in {}, rules for its products in {}",
            list.display(),
            rules.display()
        );
    }
    let report = crawl::crawl(&settings, lists, signals, inherited.clone(), crawl::Whose::Demo)?;
    let mut code = crawl::finish(&settings, report, AGAIN)?;
    let mut changes = None;
    if code == 0 {
        seine_site::begin_sale(&site).context("cannot tell the sample site to change its prices")?;
        (code, changes) = second_run(&settings, inherited)?;
        if code != 0 && !args.quiet {
            session::tell(&format!("seine: the demo's second run was stopped; {AGAIN}\n"));
        }
    }
    drop(site);
    let _ = signals::reap();
    if let Some(changes) = changes.filter(|_| !args.quiet && code == 0) {
        session::tell(&format!("{}{}", products(&args.db)?, advice(&args.db, &rules, &origin, &changes)));
    }
    Ok(code)
}

/// Starts the process of the sample site; it ends when what is returned is closed, so with this process at the latest.
fn start_site(listener: TcpListener) -> Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair().context("cannot make a socket pair")?;
    let keep = [listener.as_raw_fd(), theirs.as_raw_fd()];
    let spec = ForkSpec { role: title::Role::DemoSite, keep: &keep, death: Death::Kill };
    fork(spec, move || match seine_site::serve(listener, theirs) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("seine: the sample site failed: {error}");
            1
        }
    })?;
    Ok(ours)
}

/// What has changed, and what there is to look at.
fn advice(db: &Path, rules: &Path, origin: &str, changes: &Changes) -> String {
    let (db, rules) = (db.display(), rules.display());
    format!(
        "a sale has begun, so run 2 asked for the products again: {} changed pages, {} changed items\n\
         next:\n  \
         seine links {db} --broken     (which links are dead, and on which pages)\n  \
         seine report {db} -o site.html     (the whole site on one page)\n  \
         seine diff {db}     (what the second run found changed)\n  \
         seine sql {db} 'SELECT outcome, error, count(*) FROM pages GROUP BY 1, 2'\n  \
         seine export {db} --table products -o products.csv\n  \
         seine try {origin}/p/oyster-knife --db {db} --config {rules}\n  \
         seine extract {db} --config {rules}     (after a change of the rules)\n  \
         seine crawl https://example.com/ --follow --sitemap auto     (your own site)\n",
        changes.changed, changes.items_changed
    )
}

/// Asks for the products once more, as `seine retry` would; returns the exit code, and what has changed.
fn second_run(settings: &Settings, inherited: Vec<RawFd>) -> Result<(i32, Option<Changes>)> {
    let mut settings = settings.clone();
    // What is to be said was said of the first run.
    settings.console.quiet = true;
    settings.console.json = false;
    // Links would lead on to everything else.
    settings.follow = Follow::default();
    let settings = crawl::within_limits(&settings)?;
    let db = &settings.store.db;
    let lock = crawl::lock(db)?;
    // Closed again at once: no connection may live through the forks to come.
    retry::make_pending(&mut open_for_writing(db)?, PRODUCTS)?;
    let signals = Signals::new().context("cannot watch for signals")?;
    let report = crawl::crawl_locked(&settings, Vec::new(), lock, signals, inherited, crawl::Whose::Demo)?;
    let code = crawl::finish(&settings, report, AGAIN)?;
    let store = open_for_reading(db)?;
    let Some(run) = Run::last(&store, 0)? else { return Ok((code, None)) };
    Ok((code, Some(diff::counts(&store, None, run.run_id)?)))
}

/// The settings: those of the file with the rules, which is made if there is none, and what the sample site allows.
fn options(args: &DemoArgs, list: &Path, rules: &Path) -> Result<CrawlOptions> {
    let mut options = if rules.exists() {
        CrawlOptions::load(rules)?
    } else {
        std::fs::write(rules, RULES).with_context(|| format!("cannot write the rules {}", rules.display()))?;
        CrawlOptions::of_text(RULES.to_owned(), rules)?
    };
    let written = &mut options.0;
    written.sources.inputs = vec![list.to_owned()];
    written.store.db.clone_from(&args.db);
    written.follow.follow = true;
    written.follow.sitemap = vec![AUTO.to_owned()];
    let mut in_file = written.follow.clone();
    in_file.exclude.push(SPARE_PARTS.to_owned());
    written.follow.order(&in_file, Vec::new());
    // It is our own site, and whoever looks on has better things to do than to wait for pages that never will be well.
    written.politeness.delay = Span(Duration::from_millis(5));
    written.politeness.adaptive = Chosen::by_user(false);
    written.politeness.max_retry_after = Span(Duration::from_millis(100));
    written.http.retries = 1;
    // It is small, and so may be the disk.
    written.budgets.min_free_disk = Size(0);
    written.console.json = args.json;
    written.console.quiet = args.quiet;
    Ok(options)
}

/// Some of the products found, a line for each; nothing if the rules are other ones by now.
fn products(db: &Path) -> Result<String> {
    let store = open_for_reading(db)?;
    let Ok(mut select) = store.prepare("SELECT title, price, in_stock FROM products ORDER BY price DESC LIMIT ?1")
    else {
        return Ok(String::new());
    };
    let rows = select.query_map([SHOWN], |row| {
        let (title, price): (Option<String>, Option<f64>) = (row.get(0)?, row.get(1)?);
        let stock = if row.get(2)? { "" } else { ", sold out" };
        Ok(format!("  {:>8.2}  {}{stock}\n", price.unwrap_or_default(), printable(&title.unwrap_or_default())))
    })?;
    let lines = rows.collect::<Result<String, _>>().unwrap_or_default();
    Ok(format!("products, the dearest of them:\n{lines}"))
}

/// The file that belongs to the demo whose store is `db`.
fn beside(db: &Path, suffix: &str) -> PathBuf {
    let mut path = db.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Removes what an earlier demo left: its site had another port, so nothing of it could be gone on with. What is not a
/// demo's is refused, store and list; both are looked at before either is touched, and the store under its lock.
fn start_afresh(db: &Path, list: &Path) -> Result<()> {
    let kept = |path: &Path, what: &str| {
        anyhow!(
            "{} is {what}, and the demo begins with an empty store: it is left untouched; choose another file with --db",
            path.display()
        )
    };
    match std::fs::read(list) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", list.display())),
        Ok(text) if seine_site::is_url_list(&text) => {}
        Ok(_) => return Err(kept(list, "no URL list of the demo")),
    }
    match std::fs::metadata(db) {
        Ok(found) if !found.is_file() || found.len() > 0 => {}
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot look at {}", db.display())),
    }
    let _lock = crawl::lock(db)?;
    match open_at_rest(db).and_then(|store| is_demo(&store)) {
        Ok(true) => {}
        // No demo of this version has made it.
        Ok(false) | Err(StoreError::Older { .. } | StoreError::NoTables { .. }) => {
            return Err(kept(db, "a crawl that is not the demo's"));
        }
        Err(error) => return Err(error.into()),
    }
    for suffix in ["-wal", "-shm", ""] {
        let mut path = db.as_os_str().to_owned();
        path.push(suffix);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", Path::new(&path).display()));
            }
            _ => {}
        }
    }
    Ok(())
}
