//! `seine init`: a config file to begin with, for the site that it is pointed at.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use url::Url;

use super::session::tell;
use crate::cli::InitArgs;
use crate::config::{CrawlOptions, Fetching};
use crate::console::text::printable;
use crate::fetcher::robots_txt::RobotsReader;
use crate::fetcher::single::PageReader;
use seine_core::record::CrawlUrl;
use seine_page::extract::extras::{self, Wanted};
use seine_unix::clock::CpuBudget;

/// Types of JSON-LD that are on pages of every kind, and no reason for rules.
const EVERYWHERE: [&str; 6] = ["WebSite", "WebPage", "Organization", "BreadcrumbList", "SearchAction", "ImageObject"];

/// Writes the file.
///
/// # Errors
/// It is there, or cannot be written; what is no URL.
pub fn run(args: &InitArgs) -> Result<i32> {
    let path = &args.output;
    if path.symlink_metadata().is_ok() {
        bail!("{} is there already, and is left as it is; -o names another file", path.display());
    }
    let site = args.url.as_deref().map(|text| Site::of(text, args.offline)).transpose()?;
    let text = config(site.as_ref());
    // What this program cannot read it shall not recommend.
    CrawlOptions::of_text(text.clone(), path).context("the config that was about to be written is not understood")?;
    File::create_new(path)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                anyhow::anyhow!("{} is there already, and is left as it is", path.display())
            }
            _ => anyhow::Error::new(error).context(format!("cannot write {}", path.display())),
        })?;
    if let Some(problem) = site.as_ref().and_then(|site| site.problem.as_deref()) {
        tell(&format!("seine: the file says only what holds for every site: {}\n", printable(problem)));
    }
    let lists = if site.is_some() { "" } else { " urls.txt" };
    tell(&format!(
        "seine: {path} is written; look through it, then\n  seine plan -c {path}{lists}      (what would be asked of whom)\n  seine \
         crawl -c {path}{lists}\n",
        path = path.display()
    ));
    Ok(0)
}

/// What there is to know of a site before a crawl.
struct Site {
    url: Url,
    /// What its robots.txt says of our agent, in a line; asked for.
    robots: Option<String>,
    has_sitemaps: bool,
    is_allowed: bool,
    title: Option<String>,
    /// Types of what the page describes in JSON-LD.
    types: Vec<String>,
    /// Why more is not known.
    problem: Option<String>,
}

impl Site {
    fn of(text: &str, offline: bool) -> Result<Self> {
        let url = CrawlUrl::parse(text.trim()).map_err(|error| anyhow::anyhow!("{}: {error}", printable(text)))?;
        let url = Url::parse(&url.url)?;
        let mut site = Self {
            url,
            robots: None,
            has_sitemaps: false,
            is_allowed: true,
            title: None,
            types: Vec::new(),
            problem: None,
        };
        if !offline {
            site.ask()?;
        }
        Ok(site)
    }

    fn ask(&mut self) -> Result<()> {
        let mut settings = CrawlOptions::default().resolve(1)?;
        settings.read_files()?;
        let settings: Fetching = settings.fetching();
        let file = RobotsReader::new(&settings)?.read(&self.url, &settings.politeness.robots_agent);
        match &file.rules {
            Err(problem) => {
                self.problem = Some(format!("{}: {problem}", file.url));
                return Ok(());
            }
            Ok(rules) => {
                self.has_sitemaps = !rules.sitemaps().is_empty();
                self.is_allowed = rules.decide(&self.url).allowed;
                let mut says = format!("{}: {} rules are about seine", file.url, rules.rule_count());
                if let Some(delay) = rules.crawl_delay() {
                    let _ = write!(says, ", one request every {} at most", humantime::format_duration(delay));
                }
                let _ = write!(says, ", {} sitemaps", rules.sitemaps().len());
                self.robots = Some(says);
            }
        }
        if !self.is_allowed {
            self.problem = Some(format!("{} does not allow {}", file.url, self.url));
            return Ok(());
        }
        let page = match PageReader::new(&settings)?.read(&self.url) {
            Ok(page) if (200..300).contains(&page.status) => page,
            Ok(page) => {
                self.problem = Some(format!("{} answers with status {}", page.url, page.status));
                return Ok(());
            }
            Err(error) => {
                self.problem = Some(error.to_string());
                return Ok(());
            }
        };
        let wanted = Wanted { metadata: true, ..Wanted::default() };
        let content_type = page.content_type.as_deref().map(str::as_bytes);
        let budget = CpuBudget::new(settings.http.parse_timeout.0);
        let found = extras::extras(&page.body, content_type, &page.url, wanted, &|| budget.is_left());
        let metadata: Value = found.and_then(|found| serde_json::from_str(&found.metadata?).ok()).unwrap_or_default();
        self.title = metadata["title"].as_str().map(str::to_owned);
        let types = metadata["jsonld_types"].as_array().into_iter().flatten().filter_map(Value::as_str);
        self.types = types.filter(|name| !EVERYWHERE.contains(name)).map(str::to_owned).collect();
        Ok(())
    }

    /// The host as the beginning of file names.
    fn name(&self) -> String {
        let host = self.url.host_str().unwrap_or("crawl").trim_start_matches("www.");
        host.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' }).collect()
    }
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A text of a site's within a comment.
fn remark(text: &str) -> String {
    printable(text).chars().take(200).collect()
}

fn config(site: Option<&Site>) -> String {
    let mut text = String::new();
    let out = &mut text;
    // Writing to a string never fails.
    let _ = match site {
        Some(site) => writeln!(out, "# A crawl of {}.", remark(site.url.as_str())),
        None => writeln!(out, "# A crawl of the URLs in lists: seine crawl -c THIS_FILE urls.txt"),
    };
    let _ = writeln!(
        out,
        "# Every key is a flag of the same name, with _ for -; a flag wins over the file. All there are: seine crawl --help"
    );
    if let Some(site) = site {
        if let Some(title) = &site.title {
            let _ = writeln!(out, "#\n# The page calls itself: {}", remark(title));
        }
        if let Some(robots) = &site.robots {
            let _ = writeln!(out, "# {}", remark(robots));
        }
        if !site.is_allowed {
            let _ = writeln!(out, "# It does NOT allow seine to fetch this page; a crawl keeps to that.");
        }
    }
    let (inputs, db) = match site {
        Some(site) => (format!("inputs = [{}]", quoted(site.url.as_str())), format!("{}.db", site.name())),
        None => ("# inputs = [\"urls.txt\"]".to_owned(), "crawl.db".to_owned()),
    };
    let follow = site.is_some();
    let sitemap = match site {
        Some(site) if site.has_sitemaps => "sitemap = [\"auto\"]",
        _ => "# sitemap = [\"auto\"]",
    };
    let _ = write!(
        out,
        r#"
# URLs, and lists of them; those of the command line replace these.
{inputs}

# The store: one SQLite file with everything.
db = {db}

# Follow links, within "host" (or "page", "prefix", "domain"), so many links deep.
follow = {follow}
scope = "host"
# depth = 3

# The sitemaps that robots.txt names.
{sitemap}

# Of what is followed only what matches, and not what matches: regular expressions.
# include = ["/product/"]
# exclude = ["/login", "\\?sort="]

# Who asks. A name and a way to reach you make many a site kinder.
# user_agent = "mybot/1.0 (+https://me.example/bot)"

# Between two requests to a host; a longer Crawl-delay of its robots.txt holds, too.
delay = "500ms"

# Stop after so many pages: good for a first look. The same command again goes on.
limit = 1000

# The main text of pages, for `seine search`; also as Markdown.
text = true
# markdown = true

"#,
        db = quoted(&db),
    );
    let types = site.map(|site| &*site.types).unwrap_or_default();
    if let Some(first) = types.first() {
        let all: Vec<_> = types.iter().map(|name| remark(name)).collect();
        let _ = writeln!(out, "# The page describes in JSON-LD: {}.", all.join(", "));
        let _ = writeln!(out, "# So data like this may be had, without any selector:");
        let name: String = first.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        let name = if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { "things".to_owned() };
        let _ = write!(
            out,
            "[[collection]]\nname = {}\n[collection.fields]\nname        = {{ jsonld = \"$..name\" }}\ndescription = {{ jsonld = \
             \"$..description\" }}\nimage       = {{ jsonld = \"$..image\" }}\n",
            quoted(&format!("{name}_data"))
        );
    } else {
        let _ = write!(
            out,
            r#"# What is to be found on pages: rules, tried with  seine try URL --config THIS_FILE
# [[collection]]
# name  = "products"
# match = "/product/"
# [collection.fields]
# title = "h1"
# price = {{ css = ".price", type = "number" }}
"#
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn site() -> Site {
        Site {
            url: Url::parse("https://www.a.test/x?y=\"z").unwrap(),
            robots: Some("r\n\u{202e}evil = true".to_owned()),
            has_sitemaps: true,
            is_allowed: true,
            title: Some("T\"\nlimit = 1\n".to_owned()),
            types: Vec::new(),
            problem: None,
        }
    }

    fn read(text: &str) -> CrawlOptions {
        CrawlOptions::of_text(text.to_owned(), Path::new("seine.toml"))
            .unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    #[test]
    fn a_config_is_understood_whatever_a_site_says_of_itself() {
        let CrawlOptions(settings) = read(&config(Some(&site())));
        assert_eq!(settings.sources.inputs, [Path::new("https://www.a.test/x?y=%22z")]);
        assert_eq!(settings.store.db, Path::new("a.test.db"));
        assert_eq!((settings.budgets.limit, settings.follow.sitemap), (Some(1000), vec!["auto".to_owned()]));
        for types in [vec!["Product"], vec!["]] \n\"", "1"]] {
            let types = types.into_iter().map(str::to_owned).collect();
            let CrawlOptions(settings) = read(&config(Some(&Site { types, ..site() })));
            assert_eq!(settings.extraction.collection.len(), 1);
        }
        let CrawlOptions(settings) = read(&config(None));
        assert!(settings.sources.inputs.is_empty() && !settings.follow.follow);
    }

    #[test]
    fn what_is_commented_out_is_understood_too() {
        let text: String = config(None)
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(setting) if setting.contains(" = ") || setting.starts_with('[') => format!("{setting}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let CrawlOptions(settings) = read(&text);
        assert_eq!((settings.extraction.collection.len(), settings.follow.depth), (1, Some(3)));
    }
}
