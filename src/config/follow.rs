//! Which URLs a crawl finds by itself: by links, sitemaps and feeds.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ConfigError;
use super::bounds::refused;
use super::extraction::ReadForFollow;
use super::group::group;
use seine_follow::{
    BadPattern, DepthBudget, Filter, FilterRule, PathBudget, Preference, SamePage, Scope, Trap, Verb, budget,
};

group! {
    /// Links, sitemaps and feeds.
    #[derive(Serialize)]
    pub struct Follow {
        /// Follow the links of pages, within --scope
        #[arg(short = 'r', long, alias = "recursive")]
        follow: bool;

        /// How far links may lead from what the lists name: page (its other queries), prefix (its folder), host, domain, list
        /// (only what lists name), any [default: host]
        #[arg(long, value_name = "SCOPE")]
        scope: Scope;

        /// Links from a listed URL to the farthest page; 0 for listed ones only [default: no limit]
        #[arg(short = 'l', long, aliases = ["max-depth", "level"], value_name = "N")]
        depth: Option<u16>;

        /// Follow only URLs that match; may be repeated, and of --include and --exclude the last that matches counts
        #[arg(long, aliases = ["include-regex", "accept-regex"], value_name = "REGEX")]
        include: Vec<String>;

        /// Do not follow URLs that match; may be repeated
        #[arg(long, aliases = ["exclude-regex", "reject-regex"], value_name = "REGEX")]
        exclude: Vec<String>;

        /// Follow only links that are, or lie in, an element that these CSS selectors match: "a.next, nav"
        #[arg(long, value_name = "SELECTORS")]
        follow_css: Option<String>;

        /// Follow links that say nofollow, and those of pages that do
        #[arg(long)]
        ignore_nofollow: bool;

        /// Follow URLs that this rule takes for one of endlessly many, or "all"; may be repeated
        #[arg(long, value_name = "TRAP", value_delimiter = ',')]
        allow_trap: Vec<String>, traps;

        /// Read this sitemap, or with "auto" those of the lists' hosts (robots.txt, /sitemap.xml); may be repeated
        #[arg(long, value_name = "URL|auto")]
        sitemap: Vec<String>;

        /// Of sitemaps and feeds take only what they say has changed since: a date, or "last-run" for the last complete run
        #[arg(long, value_name = "DATE|last-run")]
        since: Option<Since>;

        /// Read this feed and fetch its items; may be repeated
        #[arg(long, value_name = "URL")]
        feed: Vec<String>;

        /// Fetch what pages show and run, too, of whatever host: images, scripts, style sheets and what those name, fonts, media;
        /// for complete archives
        #[arg(long, alias = "page-requisites")]
        assets: bool;

        /// Ask a host for URLs that match first if N is greater than that of others, which have 0; may be repeated, and the
        /// last that matches counts: "/product/=10"
        #[arg(long, value_name = "REGEX=N")]
        priority: Vec<Preference>;

        /// Take in so many URLs of each host of which the path begins so, "/blog/=500", or of all of it, "*=10000"; what
        /// lists name counts and is always taken in; may be repeated
        #[arg(long, value_name = "PATH=N")]
        #[serde(deserialize_with = "budget::from_table", serialize_with = "budget::to_table")]
        budget: Vec<PathBudget>;

        /// Take in so many URLs that lie so many links from a listed one, "1=1000"; may be repeated
        #[arg(long, value_name = "DEPTH=N")]
        #[serde(deserialize_with = "budget::from_table", serialize_with = "budget::to_table")]
        depth_budget: Vec<DepthBudget>;

        /// A page that names another URL in scope as its canonical one counts as that, which is fetched, too
        #[arg(long)]
        canonical: bool;

        /// Find pages that say nearly what another of their host says, by their words: counted in the summary, named by the
        /// view near_duplicates
        #[arg(long)]
        near_duplicates: bool;

        /// Do not follow links to a host any more once its last N pages brought nothing new: no text that it had not had before
        /// [default: never; with 1000 and more it is named in the summary]
        #[arg(long, value_name = "N")]
        nothing_new: Option<u32>;

        /// Which URLs are the same page; a config key only.
        #[arg(skip)]
        same_page: Vec<SamePage>;
    }
    beside {
        /// Both kinds of patterns in the order in which they are tried.
        #[arg(skip)]
        patterns: Vec<FilterRule>;

        /// [`Follow::since`] in milliseconds of the Unix epoch; 0: at any time.
        #[arg(skip)]
        since_ms: u64;
    }
}

impl Follow {
    /// Whether the crawl finds URLs by itself.
    pub fn is_on(&self) -> bool {
        self.follow || self.assets || !self.sitemap.is_empty() || !self.feed.is_empty()
    }

    /// With the time of the last complete run, in milliseconds of the Unix epoch; `None`: there was none.
    pub fn after(&mut self, last_run: Option<u64>) {
        self.since_ms = match self.since {
            None => 0,
            Some(Since::Time(ms)) => ms,
            Some(Since::LastRun) => last_run.unwrap_or(0),
        };
    }

    /// What is read of pages for it, beyond their fields.
    pub fn reads(&self) -> ReadForFollow {
        ReadForFollow { assets: self.assets, words: self.near_duplicates || self.nothing_new.is_some() }
    }

    /// After so many pages of a host that brought nothing new its links are not followed any more.
    pub fn ends_after(&self) -> Option<u32> {
        self.nothing_new.filter(|_| self.traps().contains(&Trap::NothingNew))
    }

    /// Whether the sitemaps of the lists' hosts are looked for.
    pub fn finds_sitemaps(&self) -> bool {
        self.sitemap.iter().any(|sitemap| sitemap == AUTO)
    }

    /// Takes over the patterns. In a file excludes come behind includes, and flags behind both in the order in which they were given.
    pub fn order(&mut self, file: &Self, flags: Vec<FilterRule>) {
        let rules = |verb: Verb, patterns: &[String]| {
            patterns.iter().map(|pattern| FilterRule { verb, pattern: pattern.clone() }).collect::<Vec<_>>()
        };
        self.patterns = rules(Verb::Include, &file.include);
        self.patterns.extend(rules(Verb::Exclude, &file.exclude));
        self.patterns.extend(flags);
        let texts = |verb: Verb| {
            let patterns = self.patterns.iter().filter(|rule| rule.verb == verb);
            patterns.map(|rule| rule.pattern.clone()).collect()
        };
        (self.include, self.exclude) = (texts(Verb::Include), texts(Verb::Exclude));
    }

    /// `--include` and `--exclude`, compiled.
    ///
    /// # Errors
    /// The first pattern that is none.
    pub fn filter(&self) -> Result<Filter, BadPattern> {
        Filter::new(self.patterns.clone())
    }

    /// The traps that are looked for.
    pub fn traps(&self) -> Vec<Trap> {
        let is_allowed = |trap: &Trap| self.allow_trap.iter().any(|name| name == ALL || name == trap.name());
        Trap::ALL.into_iter().filter(|trap| !is_allowed(trap)).collect()
    }

    pub(super) fn resolve(&self, ignores_robots: bool) -> Result<(), ConfigError> {
        if ignores_robots && self.finds_sitemaps() {
            return refused("sitemap", AUTO, "robots.txt files are not asked for; name the URL of the sitemap");
        }
        if let Some(selectors) = self.follow_css.as_ref().filter(|_| self.is_on() && !self.follow) {
            return refused(
                "follow_css",
                selectors,
                "chooses links, but only sitemaps and feeds are read; add --follow",
            );
        }
        if self.nothing_new == Some(0) {
            return refused("nothing_new", 0, "must be at least 1");
        }
        if self.is_on() {
            return Ok(());
        }
        let alone = [
            ("depth", self.depth.map(|depth| depth.to_string())),
            ("scope", (self.scope != Scope::default()).then(|| self.scope.to_string())),
            ("follow_css", self.follow_css.clone()),
            ("include", self.include.first().cloned()),
            ("exclude", self.exclude.first().cloned()),
            ("budget", self.budget.first().map(PathBudget::to_string)),
            ("depth_budget", self.depth_budget.first().map(DepthBudget::to_string)),
            ("canonical", self.canonical.then(|| "true".to_owned())),
            ("nothing_new", self.nothing_new.map(|pages| pages.to_string())),
        ];
        match alone.into_iter().find_map(|(name, value)| Some((name, value?))) {
            Some((name, value)) => {
                refused(name, value, "says where links may lead, but none are followed; add --follow")
            }
            None => Ok(()),
        }
    }
}

/// From when on changes count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// The start of the last complete run.
    LastRun,
    /// Milliseconds of the Unix epoch.
    Time(u64),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == LAST_RUN {
            return Ok(Self::LastRun);
        }
        let date = |text: &str| text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
        let time = text.parse::<Timestamp>().ok().or_else(|| date(text));
        let ms = time.and_then(|time| u64::try_from(time.as_millisecond()).ok());
        ms.map(Self::Time)
            .ok_or_else(|| format!("{text:?} is no date; write 2026-01-31, 2026-01-31T12:00:00Z or {LAST_RUN}"))
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LastRun => f.write_str(LAST_RUN),
            Self::Time(ms) => {
                let time = i64::try_from(*ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
                time.unwrap_or(Timestamp::MAX).fmt(f)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Since {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Serialize for Since {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The word for the start of the last complete run.
const LAST_RUN: &str = "last-run";

/// The word for the sitemaps of the lists' hosts.
pub const AUTO: &str = "auto";

/// The word for every trap.
const ALL: &str = "all";

fn traps(name: &'static str, names: &[String]) -> Result<(), ConfigError> {
    match names.iter().find(|word| *word != ALL && word.parse::<Trap>().is_err()) {
        Some(word) => refused(
            name,
            format_args!("{word:?}"),
            "must be repeating_segments, calendar, session_id, growing_query, depth_of_path, long_url, nothing_new or all",
        ),
        None => Ok(()),
    }
}
