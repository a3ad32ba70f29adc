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
        let mut counter = Counter::new(MAX_KEYS);
        for mut list in lists {
            counter.begin(list.name());
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

struct Counter {
    survey: Survey,
    /// Index of each host in the survey.
    hosts: HashMap<Rc<str>, usize>,
    seen: HashSet<UrlKey>,
    /// So many keys are kept at most.
    max_keys: usize,
}

impl Counter {
    fn new(max_keys: usize) -> Self {
        let survey = Survey { has_all_duplicates: true, ..Survey::default() };
        Self { survey, hosts: HashMap::new(), seen: HashSet::new(), max_keys }
    }

    /// The entries to come are those of the list called `name`.
    fn begin(&mut self, name: &str) {
        let name = name.to_owned();
        self.survey.lists.push(ListCount { name, lines: 0, urls: 0, duplicates: 0, rejected: 0 });
    }

    fn count(&mut self, entry: Entry) {
        let Self { survey, hosts, seen, max_keys } = self;
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
        if seen.contains(&url.key) {
            list.duplicates += 1;
            survey.duplicates += 1;
            return;
        }
        if seen.len() < *max_keys {
            seen.insert(url.key);
        } else {
            survey.has_all_duplicates = false;
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

#[cfg(test)]
mod tests {
    use seine_core::record::CrawlUrl;

    use super::*;

    fn entry(line: u64, url: &str) -> Entry {
        let parsed = CrawlUrl::parse(url).map_err(|bad| bad.to_string());
        Entry { line, raw_url: url.to_owned(), columns: None, url: parsed, archived_at: None, payload_at: None }
    }

    #[test]
    fn beyond_the_keys_that_are_kept_duplicates_are_a_lower_bound() {
        let survey = |max_keys| {
            let mut counter = Counter::new(max_keys);
            counter.begin("list");
            for (line, path) in (1..).zip(["a", "b", "a", "c", "c", "b"]) {
                counter.count(entry(line, &format!("https://h.test/{path}")));
            }
            counter.survey
        };
        let (all, some) = (survey(3), survey(2));
        assert_eq!((all.urls, all.duplicates, all.has_all_duplicates), (3, 3, true));
        assert_eq!((some.urls, some.duplicates, some.has_all_duplicates), (4, 2, false));
        assert_eq!((all.hosts.len(), all.hosts[0].urls), (1, 3));
    }

    #[test]
    fn what_an_archive_answers_is_asked_of_no_host() {
        let mut counter = Counter::new(10);
        counter.begin("a.warc");
        counter.count(Entry { archived_at: Some(7), ..entry(1, "https://h.test/a") });
        counter.begin("list");
        counter.count(entry(1, "https://h.test/a"));
        counter.count(entry(2, "https://h.test/b"));
        let survey = counter.survey;
        assert_eq!((survey.archived, survey.urls, survey.duplicates, survey.hosts[0].urls), (1, 1, 1, 1));
    }
}
