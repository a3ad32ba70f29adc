//! The lists of a crawl, counted as they are read.
//!
//! Memory goes with the number of hosts, and with that of URLs only up to [`MAX_KEYS`]: beyond it a URL is no longer
//! looked for among the earlier ones, and duplicates are told as "at least".

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use anyhow::{Context, Result};

use super::check::Checks;
use seine_core::record::UrlKey;
use seine_lists::url_list::{Entry, Step, UrlList};
use seine_unix::poll::{Interest, PollSet};

/// URLs whose duplicates are seen; about 16 bytes each, 110 MiB in all.
const MAX_KEYS: usize = 7_000_000;

/// Rejected lines that are shown.
pub(super) const SHOWN_LINES: usize = 5;

/// The counts of some lists.
#[derive(Default)]
pub(super) struct Survey {
    pub lists: Vec<ListCount>,
    /// In the order in which they first appear.
    pub hosts: Vec<HostCount>,
    /// URLs to be requested, once each.
    pub urls: u64,
    /// URLs that archives answer, once each.
    pub archived: u64,
    pub duplicates: u64,
    /// Whether every URL was compared with all before it.
    pub has_all_duplicates: bool,
    pub rejected: u64,
    /// The first of them.
    pub rejected_lines: Vec<RejectedLine>,
}

/// The counts of one list.
pub(super) struct ListCount {
    pub name: String,
    /// Records: lines, or rows, that are more than blank or comment.
    pub lines: u64,
    /// Those that name a URL which no line before did.
    pub urls: u64,
    pub duplicates: u64,
    pub rejected: u64,
}

/// A host and the URLs that will be requested of it.
pub(super) struct HostCount {
    pub name: Rc<str>,
    pub urls: u64,
}

/// A line that is no URL.
pub(super) struct RejectedLine {
    pub list: String,
    pub line: u64,
    pub text: String,
    pub reason: String,
}

impl Survey {
    /// Reads `lists` to their ends; `checks` are told of their URLs.
    ///
    /// # Errors
    /// A list that cannot be read on.
    pub fn of(lists: Vec<UrlList>, checks: &mut Checks) -> Result<Self> {
        let mut counter =
            Counter { survey: Self { has_all_duplicates: true, ..Self::default() }, ..Counter::default() };
        for mut list in lists {
            let name = list.name().to_owned();
            counter.survey.lists.push(ListCount { name, lines: 0, urls: 0, duplicates: 0, rejected: 0 });
            loop {
                match list.next()? {
                    Step::Entry(entry) => {
                        entry.url.iter().for_each(|url| checks.note_listed(url));
                        counter.count(entry);
                    }
                    Step::Skipping => {}
                    Step::Pending => wait_for(&list)?,
                    Step::End => break,
                }
            }
        }
        Ok(counter.survey)
    }
}

fn wait_for(list: &UrlList) -> Result<()> {
    if let Some(fd) = list.fd() {
        let mut set = PollSet::new();
        set.add(fd, Interest::Read);
        set.wait(None).context("cannot wait for a list")?;
    }
    Ok(())
}

#[derive(Default)]
struct Counter {
    survey: Survey,
    /// Index of each host in the survey.
    hosts: HashMap<Rc<str>, usize>,
    seen: HashSet<UrlKey>,
}

impl Counter {
    fn count(&mut self, entry: Entry) {
        let Self { survey, hosts, seen } = self;
        let Some(list) = survey.lists.last_mut() else { return };
        list.lines += 1;
        let url = match entry.url {
            Ok(url) => url,
            Err(reason) => {
                list.rejected += 1;
                survey.rejected += 1;
                if survey.rejected_lines.len() < SHOWN_LINES {
                    let (list, line, text) = (list.name.clone(), entry.line, entry.raw_url);
                    survey.rejected_lines.push(RejectedLine { list, line, text, reason });
                }
                return;
            }
        };
        let is_new = if seen.len() < MAX_KEYS {
            seen.insert(url.key)
        } else {
            survey.has_all_duplicates = false;
            !seen.contains(&url.key)
        };
        if !is_new {
            list.duplicates += 1;
            survey.duplicates += 1;
            return;
        }
        list.urls += 1;
        if entry.archived_at.is_some() {
            survey.archived += 1;
            return;
        }
        survey.urls += 1;
        match hosts.get(&*url.host) {
            Some(&at) => survey.hosts[at].urls += 1,
            None => {
                let name: Rc<str> = url.host.into();
                hosts.insert(name.clone(), survey.hosts.len());
                survey.hosts.push(HostCount { name, urls: 1 });
            }
        }
    }
}
