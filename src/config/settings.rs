//! The settings of a crawl: groups, from a config file and from flags, checked one by one and against each other.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::DeTable;

use super::flags::Given;
use super::group::Group;
use super::memory::Buffers;
use super::mistakes::{explained, refuse_all};
use super::processors::Processor;
use super::{
    Budgets, ConfigError, Console, Crew, Extraction, Follow, Http, Lists, Notify, Politeness, Programs, Recrawl,
    Sandbox, Sources, Store, Walls, notify, processors,
};
use seine_core::values::RulesText;

/// Every setting of a crawl with its value. As [`Args`] it has the flags that all verbs have which crawl; [`Sources`] and
/// [`Store`] are the others'.
#[derive(Args, Clone, Debug, Default, Serialize)]
pub struct Settings {
    /// Lists and archives.
    #[arg(skip)]
    #[serde(flatten)]
    pub sources: Sources,
    /// The store.
    #[arg(skip)]
    #[serde(flatten)]
    pub store: Store,
    /// How lists are read.
    #[command(flatten, next_help_heading = "Lists")]
    #[serde(flatten)]
    pub lists: Lists,
    /// Links, sitemaps and feeds.
    #[command(flatten, next_help_heading = "Following links")]
    #[serde(flatten)]
    pub follow: Follow,
    /// Pages that are fetched again.
    #[command(flatten, next_help_heading = "Fetching again")]
    #[serde(flatten)]
    pub recrawl: Recrawl,
    /// How many work at a time.
    #[command(flatten, next_help_heading = "Pace and politeness")]
    #[serde(flatten)]
    pub crew: Crew,
    /// Pace and robots.txt.
    #[command(flatten, next_help_heading = "Pace and politeness")]
    #[serde(flatten)]
    pub politeness: Politeness,
    /// Requests and their limits.
    #[command(flatten, next_help_heading = "Requests")]
    #[serde(flatten)]
    pub http: Http,
    /// The parts of pages that are read and kept.
    #[command(flatten, next_help_heading = "What is kept")]
    #[serde(flatten)]
    pub extraction: Extraction,
    /// How much a run may take.
    #[command(flatten, next_help_heading = "When to stop")]
    #[serde(flatten)]
    pub budgets: Budgets,
    /// Notifications of its end; all of it may be secret.
    #[command(flatten, next_help_heading = "Notifications")]
    #[serde(skip)]
    pub notify: Notify,
    /// Progress, summary and logs.
    #[command(flatten, next_help_heading = "Output")]
    #[serde(skip)]
    pub console: Console,
    /// What processes are kept from: no difference to what is found.
    #[command(flatten, next_help_heading = "Safety")]
    #[serde(skip)]
    pub walls: Walls,
    /// Processors and scheduled jobs.
    #[command(flatten)]
    #[serde(flatten)]
    pub programs: Programs,
}

/// Whether the option of this name is about lists.
pub fn is_of_lists(option: &str) -> bool {
    Lists::keys().contains(&option)
}

/// Whether it says what is found beyond the lists.
pub fn is_of_following(option: &str) -> bool {
    Follow::keys().contains(&option)
}

/// Whether it is about asking sites: all that makes no difference to what is read from archives.
pub fn is_of_requests(option: &str) -> bool {
    const OF_ANSWERS: [&str; 5] = ["parse_timeout", "accept_types", "max_body", "max_redirects", "store_headers"];
    let is_of_http = Http::keys().contains(&option) && !OF_ANSWERS.contains(&option);
    is_of_http || Politeness::keys().contains(&option) || option == "outage_wait"
}

/// Whether it chooses what the next run over the lists fetches again.
pub fn is_of_the_next_run(option: &str) -> bool {
    ["only", "max_age", "revisit", "revisit_min", "revisit_max"].contains(&option)
}

/// Whether it decides how soon requests can be made, and how many.
pub fn is_of_pace(option: &str) -> bool {
    const PACE: [&str; 6] = ["delay", "rate", "host_concurrency", "ignore_robots", "limit", "host_limit"];
    Crew::keys().contains(&option) || PACE.contains(&option)
}

/// Settings as they are written, in a file and by flags: not checked, and without defaults that follow from others.
#[derive(Clone, Debug, Default)]
pub struct CrawlOptions(pub Settings);

/// The settings of a crawl's processes: without those of notifications and console.
#[derive(Clone, Debug)]
pub struct Crawling {
    /// How many work at a time.
    pub crew: Crew,
    /// Pace and robots.txt.
    pub politeness: Politeness,
    /// Requests and their limits.
    pub http: Http,
    /// The parts of pages that are read and kept.
    pub extraction: Extraction,
    /// Links, sitemaps and feeds.
    pub follow: Follow,
    /// How much a run may take.
    pub budgets: Budgets,
    /// Whether processes are walled off.
    pub sandbox: Sandbox,
    /// Archives that fetchers read answers from.
    pub archives: Vec<PathBuf>,
    /// Programs that records are put through.
    pub processor: Vec<Processor>,
}

impl Crawling {
    /// The settings that a fetcher gets.
    pub fn fetching(&self) -> Fetching {
        Fetching {
            politeness: self.politeness.clone(),
            http: self.http.clone(),
            extraction: self.extraction.clone(),
            follow: self.follow.clone(),
            buffers: self.crew.buffers.clone(),
        }
    }
}

/// The settings for making requests, by a fetcher or by a verb that asks for a single page.
#[derive(Clone, Debug)]
pub struct Fetching {
    /// Pace and robots.txt.
    pub politeness: Politeness,
    /// Requests and their limits.
    pub http: Http,
    /// The parts of pages that are read and kept.
    pub extraction: Extraction,
    /// Links, sitemaps and feeds.
    pub follow: Follow,
    /// Sizes of buffers.
    pub buffers: Buffers,
}

impl CrawlOptions {
    /// Reads a config file.
    ///
    /// # Errors
    /// [`ConfigError`] with line and column of what is wrong.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read(path.into(), error))?;
        Self::of_text(text, path)
    }

    /// As [`Self::load`], of the text that is to be in the file `path`.
    ///
    /// # Errors
    /// [`ConfigError::Parse`]
    pub fn of_text(text: String, path: &Path) -> Result<Self, ConfigError> {
        let mut options =
            Self::read(&text).map_err(|error| ConfigError::Parse(path.into(), explained(&text, &error)))?;
        if !options.0.extraction.collection.is_empty() {
            options.0.extraction.rules_text = RulesText::from(text);
        }
        Ok(options)
    }

    /// As [`Self::load`], of the text of a file that has none of the rules.
    ///
    /// # Errors
    /// The mistake, with its place.
    pub fn read(text: &str) -> Result<Self, toml::de::Error> {
        groups(text).map(Self).map_err(|mut error| {
            error.set_input(Some(text));
            error
        })
    }

    /// With `flags` laid over.
    #[must_use]
    pub fn with(self, given: &Given<Settings>) -> Self {
        let Self(file) = self;
        let mut both = file.clone();
        given.lay_over(&mut both);
        let flags = given.alone();
        both.console.settle(&flags.console, &file.console);
        both.notify.settle(&flags.notify);
        both.follow.order(&file.follow, given.patterns());
        // Headers of file and flags add up; a flag comes later, and so replaces a header of the same name.
        both.http.header = file.http.header.into_iter().chain(flags.http.header).collect();
        Self(both)
    }

    /// Checks all, and fills in what follows; `cpus` is what this process may use.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for what cannot be done.
    pub fn resolve(self, cpus: usize) -> Result<Settings, ConfigError> {
        let Self(mut all) = self;
        all.check()?;
        all.crew.resolve(cpus);
        all.follow.resolve(all.politeness.ignore_robots)?;
        all.recrawl.resolve()?;
        all.http.resolve();
        all.extraction.resolve();
        all.notify.resolve();
        all.politeness.resolve(&all.crew, &all.http, &all.budgets)?;
        processors::check_all(&all.programs.processor, &all.extraction.collection)?;
        Ok(all)
    }
}

impl Settings {
    fn check(&self) -> Result<(), ConfigError> {
        let Self {
            sources,
            store,
            lists,
            follow,
            recrawl,
            crew,
            politeness,
            http,
            extraction,
            budgets,
            notify,
            console,
            walls,
            programs,
        } = self;
        let groups: [&dyn Group; 14] = [
            sources, store, lists, follow, recrawl, crew, politeness, http, extraction, budgets, notify, console,
            walls, programs,
        ];
        groups.iter().try_for_each(|group| group.check())
    }

    /// Reads what settings keep in files and environment variables: passwords, tokens, headers, proxies. Once, at the start,
    /// so that a missing secret is an error before anything is asked for.
    ///
    /// # Errors
    /// [`ConfigError`] naming the setting; never the secret.
    pub fn read_files(&mut self) -> Result<(), ConfigError> {
        self.politeness.read_files()?;
        self.http.read_files()?;
        self.notify.read_files()
    }

    /// Lowers the requests in flight, and with them what one host may have.
    pub fn lower_concurrency(&mut self, most: usize) {
        self.crew.concurrency.replace(most);
        self.politeness.cap(most);
    }

    /// The settings that the processes of a crawl get.
    pub fn crawling(&self) -> Crawling {
        Crawling {
            crew: self.crew.clone(),
            politeness: self.politeness.clone(),
            http: self.http.clone(),
            extraction: self.extraction.clone(),
            follow: self.follow.clone(),
            budgets: self.budgets.clone(),
            sandbox: self.walls.sandbox,
            archives: self.sources.from_warc.clone(),
            processor: self.programs.processor.clone(),
        }
    }

    /// The settings for making requests.
    pub fn fetching(&self) -> Fetching {
        self.crawling().fetching()
    }

    /// For the store: everything that makes a difference to the result, and no secret.
    pub fn to_json(&self) -> String {
        let mut all = serde_json::to_value(self).expect("plain values always serialise");
        if self.extraction.collection.is_empty() {
            all.as_object_mut().map(|all| all.remove("collection"));
        }
        all.to_string()
    }
}

/// Reads a flat table, of which each group takes its keys.
fn groups(text: &str) -> Result<Settings, toml::de::Error> {
    let mut table = DeTable::parse(text)?.into_inner();
    notify::spread(&mut table)?;
    let mut keys = Keys { table, known: Vec::new() };
    let settings = Settings {
        sources: keys.take()?,
        store: keys.take()?,
        lists: keys.take()?,
        follow: keys.take()?,
        recrawl: keys.take()?,
        crew: keys.take()?,
        politeness: keys.take()?,
        http: keys.take()?,
        extraction: keys.take()?,
        budgets: keys.take()?,
        notify: keys.take()?,
        console: keys.take()?,
        walls: keys.take()?,
        programs: keys.take()?,
    };
    refuse_all(keys.table, &keys.known)?;
    Ok(settings)
}

/// Keys that no group has taken yet.
struct Keys<'a> {
    table: DeTable<'a>,
    /// Those that a group would have taken.
    known: Vec<&'static str>,
}

impl Keys<'_> {
    fn take<T: Group + DeserializeOwned>(&mut self) -> Result<T, toml::de::Error> {
        self.known.extend(T::keys());
        let own = T::keys().iter().filter_map(|key| self.table.remove_entry(*key)).collect();
        T::deserialize(toml::Deserializer::from(Spanned::new(0..0, own)))
    }
}
