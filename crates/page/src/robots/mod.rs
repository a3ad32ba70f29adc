//! robots.txt (RFC 9309): what one crawler may fetch of one site. Pure functions, no HTTP, no clock.
//!
//! - `lines`: bytes to records
//! - `pattern`: the form in which patterns and paths are compared, and how
//!
//! Where the RFC leaves room, the files of real sites decide, as the large crawlers read them:
//!
//! - Only `Allow` and `Disallow` end the `User-agent` lines of a group (section 2.2.4: other records must not interfere
//!   with those of the RFC). `Crawl-delay` is none of the RFC's: it is for the agents that are named right above it.
//! - Frequent misspellings (`Dissallow`) and a missing colon (`disallow /x`) are understood.
//! - A pattern that starts with neither `/` nor `*` is read as if it started with `/`.
//! - The delays of several groups for the same agent: the longest counts.
//!
//! Time and memory are linear in the file, and a decision costs at most one walk over path and pattern for each rule,
//! up to [`MAX_WORK`] in sum.

mod lines;
mod pattern;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::time::Duration;

use lines::Directive;
use seine_core::record::MAX_ROBOTS_BYTES;
use url::Url;

/// Most bytes of a file that are read; what is beyond is ignored, with the line it begins in.
pub const MAX_BYTES: usize = MAX_ROBOTS_BYTES;

/// Most bytes of a line that are read; the rest of it is ignored.
pub const MAX_LINE_BYTES: usize = 16 * 1024;

/// Most `Sitemap` lines kept of a file.
pub const MAX_SITEMAPS: usize = 1000;

/// Most bytes that wildcards may look at in one decision. Where thousands of them meet a URL of many kilobytes and
/// spend more, nobody knows whether a rule forbids it: the URL is disallowed. The largest files of real sites, on the
/// longest URL, need little more than half.
pub const MAX_WORK: usize = 32 * 1024 * 1024;

/// The rules of a file that apply to one crawler. The default is those of a site without the file: none.
#[derive(Clone, Debug, Default)]
pub struct Robots {
    /// The most specific first, `allow` before `disallow`: the first that matches decides.
    rules: Vec<Rule>,
    /// The texts of all rules.
    text: Vec<u8>,
    crawl_delay: Option<Duration>,
    sitemaps: Vec<String>,
}

/// The agents that lines are for.
#[derive(Default)]
struct Group {
    /// Whether ours is among them.
    applies: bool,
    /// Past its `User-agent` lines: another one begins the next.
    begun: bool,
}

/// One line of a group. Its text is twice in [`Robots::text`]: from `start` as written, from `middle` to `end` to be
/// compared.
#[derive(Clone, Copy, Debug)]
struct Rule {
    start: u32,
    middle: u32,
    end: u32,
    line: u32,
    allow: bool,
    anchored: bool,
}

/// Whether a URL may be fetched, and which line says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether the URL may be fetched.
    pub allowed: bool,
    /// The rule that decided, its pattern as written (`Disallow: /x*`); none when no rule matched, or too many were
    /// to be tried ([`MAX_WORK`]).
    pub rule: Option<String>,
    /// The rule's line in the file, counted from 1.
    pub line: Option<u32>,
}

impl Robots {
    /// The rules of the file `text` for `agent`, of which only the [`product_token`] counts.
    pub fn parse(text: &[u8], agent: &str) -> Self {
        let agent = product_token(agent).as_bytes();
        let mut robots = Self::default();
        // Groups for `*` count until the first group that names the agent.
        let mut named = false;
        let (mut rules, mut delays) = (Group::default(), Group::default());
        for (number, line) in lines::lines(text) {
            let Some((directive, value)) = lines::record(line) else { continue };
            match directive {
                Directive::UserAgent => {
                    for group in [&mut rules, &mut delays] {
                        if group.begun {
                            *group = Group::default();
                        }
                    }
                    if !agent.is_empty() && lines::token(value).eq_ignore_ascii_case(agent) {
                        if !named {
                            robots.forget_rules();
                        }
                        (rules.applies, delays.applies, named) = (true, true, true);
                    } else if !named && lines::is_any_agent(value) {
                        (rules.applies, delays.applies) = (true, true);
                    }
                }
                Directive::Sitemap => {
                    if !value.is_empty() && robots.sitemaps.len() < MAX_SITEMAPS {
                        robots.sitemaps.push(String::from_utf8_lossy(value).into_owned());
                    }
                }
                Directive::Allow | Directive::Disallow => {
                    (rules.begun, delays.begun) = (true, true);
                    if rules.applies {
                        robots.add_rule(directive == Directive::Allow, value, number);
                    }
                }
                Directive::CrawlDelay => {
                    delays.begun = true;
                    if delays.applies {
                        robots.crawl_delay = robots.crawl_delay.max(lines::seconds(value));
                    }
                }
                Directive::OtherMember => delays.begun = true,
            }
        }
        robots.rules.sort_by_key(|rule| (Reverse(rule.octets()), !rule.allow));
        robots.rules.shrink_to_fit();
        robots.text.shrink_to_fit();
        robots
    }

    fn forget_rules(&mut self) {
        self.rules.clear();
        self.text.clear();
        self.crawl_delay = None;
    }

    fn add_rule(&mut self, allow: bool, written: &[u8], line: u32) {
        if written.is_empty() {
            return;
        }
        let start = self.text_len();
        self.text.extend_from_slice(written);
        let middle = self.text_len();
        let anchored = pattern::push_pattern(&mut self.text, written);
        self.rules.push(Rule { start, middle, end: self.text_len(), line, allow, anchored });
    }

    fn text_len(&self) -> u32 {
        u32::try_from(self.text.len()).expect("rules of MAX_BYTES, at most five times as long, end before 2^32")
    }

    /// Whether `url` may be fetched. Only its path and query are looked at: that it belongs to the site of this file
    /// is the caller's to know.
    pub fn decide(&self, url: &Url) -> Decision {
        self.decide_within(url, MAX_WORK).0
    }

    /// The decision, and how many bytes of the path wildcards looked at, which is little more than `max_work`.
    fn decide_within(&self, url: &Url, max_work: usize) -> (Decision, usize) {
        let path = pattern::path(url);
        let mut work = 0;
        if path == b"/robots.txt" {
            return (Decision { allowed: true, rule: None, line: None }, work);
        }
        for rule in &self.rules {
            let pattern = &self.text[rule.middle as usize..rule.end as usize];
            if pattern::matches(pattern, rule.anchored, &path, &mut work) {
                let written = String::from_utf8_lossy(&self.text[rule.start as usize..rule.middle as usize]);
                let directive = if rule.allow { "Allow" } else { "Disallow" };
                let rule_text = Some(format!("{directive}: {written}"));
                return (Decision { allowed: rule.allow, rule: rule_text, line: Some(rule.line) }, work);
            }
            if work > max_work {
                return (Decision { allowed: false, rule: None, line: None }, work);
            }
        }
        (Decision { allowed: true, rule: None, line: None }, work)
    }

    /// How long the site asks to wait between two requests; as it says, however long.
    pub fn crawl_delay(&self) -> Option<Duration> {
        self.crawl_delay
    }

    /// The `Sitemap` lines of the whole file, as written, at most [`MAX_SITEMAPS`].
    pub fn sitemaps(&self) -> &[String] {
        &self.sitemaps
    }

    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.rules.len()
    }

    /// About how many bytes of heap this holds.
    pub fn memory(&self) -> usize {
        self.rules.capacity() * size_of::<Rule>()
            + self.text.capacity()
            + self.sitemaps.capacity() * size_of::<String>()
            + self.sitemaps.iter().map(String::capacity).sum::<usize>()
    }
}

impl Rule {
    /// How specific the rule is: the octets of its pattern, `*` and `$` included.
    fn octets(&self) -> u32 {
        self.end - self.middle + u32::from(self.anchored)
    }
}

/// The name by which robots.txt files know a crawler: the first product of its User-Agent header, up to the first
/// character that is not a letter, `_` or `-`. Empty if it starts with another one; then only groups for `*` apply.
pub fn product_token(user_agent: &str) -> &str {
    let start = user_agent.trim_start();
    let length = lines::token(start.as_bytes()).len();
    &start[..length]
}
