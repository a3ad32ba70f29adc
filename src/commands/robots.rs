//! `seine robots`: what robots.txt files allow, and which line says so.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, StdoutLock, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use url::Url;

use super::session::USAGE;
use crate::cli::RobotsArgs;
use crate::config::{CrawlOptions, Fetching};
use crate::console::text::{grouped, printable};
use crate::fetcher::robots_txt::{RobotsFile, RobotsReader};
use seine_core::record::CrawlUrl;
use seine_lists::url_list::{self, ListOptions, Source, Step, UrlList};
use seine_page::robots::{MAX_BYTES, Robots};
use seine_unix::poll::{Interest, PollSet};

/// A file is a list of URLs if one of its first records is a URL.
const RECORDS_LOOKED_AT: usize = 100;

/// Rules kept at hand; past it all are forgotten, and read anew where they are needed.
const RULES_BYTES: usize = 64 << 20;

/// Checks URLs.
///
/// # Errors
/// Nothing to check, or a file that cannot be read.
pub fn run(args: &RobotsArgs) -> Result<i32> {
    let options = match &args.config {
        Some(path) => CrawlOptions::load(path)?,
        None => CrawlOptions::default(),
    };
    let mut settings = options.resolve(1)?;
    settings.read_files()?;
    let settings = settings.fetching();
    let agent = args.agent.clone().unwrap_or_else(|| settings.politeness.robots_agent.to_string());
    let out = BufWriter::new(io::stdout().lock());
    let mut check =
        Check { settings, agent, json: args.json, out, reader: None, sites: HashMap::new(), sites_bytes: 0, code: 0 };
    let done = check.all(args).and_then(|()| check.out.flush().map_err(Into::into));
    match done {
        Err(error) if is_broken_pipe(&error) => Ok(check.code),
        other => other.map(|()| check.code),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

struct Check {
    settings: Fetching,
    agent: String,
    json: bool,
    out: BufWriter<StdoutLock<'static>>,
    /// Made for the first site that is asked.
    reader: Option<RobotsReader>,
    /// By origin.
    sites: HashMap<String, Rc<RobotsFile>>,
    /// Bytes they take.
    sites_bytes: usize,
    code: i32,
}

impl Check {
    fn all(&mut self, args: &RobotsArgs) -> Result<()> {
        if let Some(path) = &args.file {
            return self.file(path, args.targets.iter().chain(&args.url));
        }
        if args.targets.is_empty() {
            bail!("nothing to check; name URLs, a list of them or a robots.txt");
        }
        for target in &args.targets {
            if is_http(target) {
                match CrawlUrl::parse(target.trim()) {
                    Ok(url) => self.site(&url, &args.url)?,
                    Err(error) => bail!("{}: {error}", printable(target)),
                }
                continue;
            }
            let path = PathBuf::from(target);
            match list(&path)? {
                Some(list) => self.list(list, &args.url)?,
                None => self.file(&path, args.url.iter())?,
            }
        }
        Ok(())
    }

    /// The URLs of a list.
    fn list(&mut self, mut list: UrlList, others: &[String]) -> Result<()> {
        loop {
            match list.next()? {
                Step::Entry(entry) => match entry.url {
                    Ok(url) => self.site(&url, others)?,
                    Err(reason) => {
                        eprintln!("seine: {} line {}: {}", list.name(), entry.line, printable(&reason));
                        self.code = USAGE;
                    }
                },
                Step::Pending => {
                    if let Some(fd) = list.fd() {
                        let mut set = PollSet::new();
                        set.add(fd, Interest::Read);
                        set.wait(None).context("cannot wait for a list")?;
                    }
                }
                Step::Skipping => {}
                Step::End => return Ok(()),
            }
        }
    }

    /// A URL by the rules of its site; or `others` at the same site.
    fn site(&mut self, url: &CrawlUrl, others: &[String]) -> Result<()> {
        let url = Url::parse(&url.url)?;
        if others.is_empty() {
            return self.url(&url);
        }
        for other in others {
            let other = url.join(other).with_context(|| printable(other))?;
            self.url(&Url::parse(&CrawlUrl::try_from(other)?.url)?)?;
        }
        Ok(())
    }

    fn url(&mut self, url: &Url) -> Result<()> {
        let file = self.rules_of(url)?;
        self.say(url.as_str(), url, &file)?;
        // Flush: a person who waits for a slow site sees the answers so far.
        Ok(self.out.flush()?)
    }

    fn rules_of(&mut self, url: &Url) -> Result<Rc<RobotsFile>> {
        let origin = url.origin().ascii_serialization();
        if let Some(file) = self.sites.get(&origin) {
            return Ok(Rc::clone(file));
        }
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(RobotsReader::new(&self.settings)?),
        };
        let file = Rc::new(reader.read(url, &self.agent));
        if self.sites_bytes > RULES_BYTES {
            self.sites.clear();
            self.sites_bytes = 0;
        }
        self.sites_bytes += 1000 + file.rules.as_ref().map_or(0, Robots::memory);
        self.sites.insert(origin, Rc::clone(&file));
        Ok(file)
    }

    /// URLs or paths by the rules of a local file; without any, what it says at all.
    fn file<'u>(&mut self, path: &Path, urls: impl Iterator<Item = &'u String>) -> Result<()> {
        let mut text = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut text))
            .with_context(|| format!("cannot read {}", path.display()))?;
        let rules = Robots::parse(&text, &self.agent);
        // For paths; nobody is asked.
        let base = Url::parse("http://localhost/").expect("a fixed, valid URL");
        let mut urls = urls.peekable();
        if urls.peek().is_none() {
            return self.essentials(path, &rules);
        }
        let file = RobotsFile { url: path.to_string_lossy().into_owned(), status: None, rules: Ok(rules) };
        for text in urls {
            let url = base.join(text).with_context(|| printable(text))?;
            self.say(text, &url, &file)?;
        }
        Ok(())
    }

    fn essentials(&mut self, path: &Path, rules: &Robots) -> Result<()> {
        let (count, sitemaps, asked) = (rules.rule_count(), rules.sitemaps(), rules.crawl_delay());
        if self.json {
            let delay = asked.map(|delay| delay.as_secs_f64());
            let value = json!({
                "robots_url": path.to_string_lossy(), "agent": self.agent, "rules": count, "crawl_delay_s": delay,
                "sitemaps": sitemaps,
            });
            return Ok(writeln!(self.out, "{value}")?);
        }
        let delay = asked.map_or_else(|| "no Crawl-delay".to_owned(), |delay| format!("Crawl-delay {}", span(delay)));
        let plural =
            |count: usize, noun: &str| format!("{} {noun}{}", grouped(count as u64), if count == 1 { "" } else { "s" });
        let (rules, maps) = (plural(count, "rule"), plural(sitemaps.len(), "sitemap"));
        writeln!(self.out, "{}: for {}: {rules}, {delay}, {maps}", path.display(), printable(&self.agent))?;
        for sitemap in sitemaps {
            writeln!(self.out, "  {}", printable(sitemap))?;
        }
        Ok(())
    }

    /// The answer of `file` for `url`, which is shown as `name`.
    fn say(&mut self, name: &str, url: &Url, file: &RobotsFile) -> Result<()> {
        let decision = file.rules.as_ref().map(|rules| rules.decide(url));
        let allowed = decision.as_ref().is_ok_and(|decision| decision.allowed);
        let (rule, line) = decision.as_ref().map_or((None, None), |decision| (decision.rule.as_deref(), decision.line));
        if !allowed {
            self.code = self.code.max(1);
        }
        let reason = match (&decision, file.status) {
            (Err(problem), _) => Some(format!("it could not be read: {problem}")),
            (Ok(_), Some(status)) if !(200..300).contains(&status) => Some(format!("there is none: status {status}")),
            (Ok(decision), _) if !decision.allowed && rule.is_none() => {
                Some("its rules are too many to be tried on this URL".to_owned())
            }
            _ => None,
        };
        let asked = file.rules.as_ref().ok().and_then(Robots::crawl_delay);
        let own = self.settings.politeness.policy(url.host_str().unwrap_or_default()).delay;
        let delay = asked.map_or(own, |asked| asked.min(self.settings.politeness.max_crawl_delay.0).max(own));
        if self.json {
            let value = json!({
                "url": name, "allowed": allowed, "rule": rule, "line": line, "robots_url": file.url,
                "status": file.status, "reason": reason, "agent": self.agent, "delay_s": delay.as_secs_f64(),
                "crawl_delay_s": asked.map(|delay| delay.as_secs_f64()),
            });
            return Ok(writeln!(self.out, "{value}")?);
        }
        writeln!(self.out, "{:<11} {}", if allowed { "allowed" } else { "disallowed" }, printable(name))?;
        let why = match (rule, line, reason) {
            (Some(rule), Some(line), _) => format!("{rule} (line {line} of {})", file.url),
            (.., Some(reason)) => format!("{}: {reason}", file.url),
            _ => format!("no rule of {} is about it", file.url),
        };
        let asked = match asked {
            Some(asked) if asked > delay => format!(" (Crawl-delay {}, capped)", span(asked)),
            Some(asked) => format!(" (Crawl-delay {})", span(asked)),
            None => String::new(),
        };
        writeln!(self.out, "{:<11} {}; delay {}{asked}", "", printable(&why), span(delay))?;
        Ok(())
    }
}

/// To the millisecond, however long.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    humantime::format_duration(Duration::new(seconds, span.subsec_millis() * 1_000_000)).to_string()
}

fn is_http(target: &str) -> bool {
    let starts = |scheme: &str| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    starts("http://") || starts("https://")
}

/// The list in the file at `path`; `None` if the file is a robots.txt.
fn list(path: &Path) -> Result<Option<UrlList>> {
    let source = [Source::from(path.to_owned())];
    let open = || url_list::open(&source, &ListOptions::default());
    if source == [Source::Stdin] {
        return Ok(open()?.pop());
    }
    if !path.exists() {
        let word = path.to_string_lossy();
        let meant = url_list::url_meant(&word);
        bail!("{} is neither an http(s) URL nor a file; for a URL write {}", printable(&word), printable(&meant));
    }
    let Ok(Some(mut first)) = open().map(|mut lists| lists.pop()) else { return Ok(None) };
    for _ in 0..RECORDS_LOOKED_AT {
        match first.next() {
            Ok(Step::Entry(entry)) if entry.url.is_ok() => return Ok(open()?.pop()),
            Ok(Step::Entry(_) | Step::Skipping) => {}
            Ok(Step::Pending | Step::End) | Err(_) => break,
        }
    }
    Ok(None)
}
