//! `seine demo`: a sample site on a loopback port, crawled for real.
//!
//! The site is a process of its own; the crawl takes the same way as `seine crawl`, from a URL list in a file.

use std::io::Write;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::crawl;
use crate::cli::DemoArgs;
use crate::config::{Chosen, CrawlOptions, Size, Span};
use crate::console::log;
use seine_lists::url_list::{self, ListOptions, Source};
use seine_store::read::is_demo;
use seine_store::{StoreError, open_at_rest};
use seine_unix::fork::{Death, ForkSpec, fork};
use seine_unix::signals::{self, Signals};
use seine_unix::{limits, title};

/// Serves, crawls, sums up; returns the exit code of the crawl.
///
/// # Errors
/// Whatever keeps the crawl from starting.
pub fn run(args: &DemoArgs) -> Result<i32> {
    let inherited = log::init(0, None)?;
    let list = list_of(&args.db);
    start_afresh(&args.db, &list)?;
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on a loopback port")?;
    let origin = format!("http://{}", listener.local_addr()?);

    // Its end closes when this process ends, however it ends; the site ends with it.
    let (ours, theirs) = UnixStream::pair().context("cannot make a socket pair")?;
    let signals = Signals::new().context("cannot watch for signals")?;
    let keep = [listener.as_raw_fd(), theirs.as_raw_fd()];
    let spec = ForkSpec { role: title::Role::DemoSite, keep: &keep, death: Death::Kill };
    fork(spec, move || match seine_site::serve(listener, seine_site::closed(theirs)) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("seine: the sample site failed: {error}");
            1
        }
    })?;

    std::fs::File::create(&list)
        .and_then(|mut file| file.write_all(seine_site::url_list(&origin).as_bytes()))
        .with_context(|| format!("cannot write the URL list {}", list.display()))?;

    let mut options = CrawlOptions::default();
    let written = &mut options.0;
    written.sources.inputs.push(list.clone());
    written.store.db.clone_from(&args.db);
    // It is our own site.
    written.politeness.delay = Span(std::time::Duration::from_millis(20));
    written.politeness.adaptive = Chosen::by_user(false);
    // It is small, and so may be the disk.
    written.budgets.min_free_disk = Size(0);
    written.console.json = args.json;
    written.console.quiet = args.quiet;
    let settings = options.resolve(limits::available_cpus())?;
    let lists = url_list::open(&[Source::Path(list.clone())], &ListOptions::default())?;
    if !args.quiet {
        eprintln!(
            "seine: sample site at {origin}, its {} URLs in {}",
            seine_site::listed_urls(&origin).len(),
            list.display()
        );
    }
    let report = crawl::crawl(&settings, lists, signals, inherited, crawl::Whose::Demo)?;
    drop(ours);
    let code = crawl::finish(&settings, report, crawl::GO_ON)?;
    let _ = signals::reap();
    if !args.quiet {
        let db = args.db.display();
        eprint!(
            "next:\n  \
             seine status {db}\n  \
             seine sql {db} 'SELECT outcome, count(*) FROM pages GROUP BY outcome'\n  \
             seine export {db} -o demo.csv\n  \
             seine try {origin}/ --db {db} --css h1\n  \
             seine cat {db} {origin}/ | head\n  \
             seine crawl urls.txt --db crawl.db     (your own list: one URL a line)\n"
        );
    }
    Ok(code)
}

/// The URL list of the demo whose store is `db`.
fn list_of(db: &Path) -> PathBuf {
    let mut list = db.as_os_str().to_owned();
    list.push(".urls.txt");
    list.into()
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
        Ok(false) | Err(StoreError::Older { .. }) => return Err(kept(db, "a crawl that is not the demo's")),
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
