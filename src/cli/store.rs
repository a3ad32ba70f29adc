//! Which store a verb works on: its first argument, or `--db` as in a crawl.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::DEFAULT_DB;

/// The store of a verb that reads or changes one.
#[derive(Args, Clone, Debug)]
pub struct StoreArg {
    /// The store [default: crawl.db]
    #[arg(id = "store", value_name = "DB")]
    first: Option<PathBuf>,
    /// The same, named as `seine crawl` names it
    #[arg(id = "db", long = "db", value_name = "FILE", conflicts_with = "store")]
    flag: Option<PathBuf>,
}

impl StoreArg {
    /// As if the store at `path` were named.
    pub fn named(path: &Path) -> Self {
        Self { first: None, flag: Some(path.to_owned()) }
    }

    /// The store that was named; else `config`, that of a config file.
    pub fn or(&self, config: &Path) -> PathBuf {
        self.flag.as_deref().or(self.first.as_deref()).unwrap_or(config).to_path_buf()
    }
}

/// The store that was named; else the one that a crawl has by itself.
impl Deref for StoreArg {
    type Target = Path;

    fn deref(&self) -> &Path {
        self.flag.as_deref().or(self.first.as_deref()).unwrap_or(Path::new(DEFAULT_DB))
    }
}

/// Store and query of `seine sql`. Either may be left out, so a single argument is the one or the other.
#[derive(Args, Clone, Debug)]
pub struct StoreAndQuery {
    /// The store [default: crawl.db]
    #[arg(id = "store", value_name = "DB")]
    first: Option<String>,
    /// One statement that reads: "SELECT outcome, count(*) FROM pages GROUP BY 1". Without one, all that can be read is
    /// listed: the views and their columns
    #[arg(id = "query", value_name = "QUERY", conflicts_with = "db")]
    second: Option<String>,
    /// The store, named as `seine crawl` names it
    #[arg(id = "db", long = "db", value_name = "FILE")]
    flag: Option<PathBuf>,
}

impl StoreAndQuery {
    /// The store.
    pub fn store(&self) -> &Path {
        match (&self.flag, &self.first) {
            (Some(flag), _) => flag,
            (None, Some(first)) if self.second.is_some() || !is_query(first) => Path::new(first),
            _ => Path::new(DEFAULT_DB),
        }
    }

    /// The query, if there is one.
    pub fn query(&self) -> Option<&str> {
        match (&self.second, &self.first) {
            (Some(second), _) => Some(second),
            (None, Some(first)) if self.flag.is_some() || is_query(first) => Some(first),
            _ => None,
        }
    }
}

/// Whether an argument is SQL and no file: it begins with a word that a statement which reads can begin with.
fn is_query(argument: &str) -> bool {
    const BEGINNINGS: [&str; 5] = ["select", "with", "values", "explain", "pragma"];
    let text = argument.trim_start();
    let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    BEGINNINGS.contains(&word.to_ascii_lowercase().as_str())
        && rest.starts_with(|c: char| c.is_whitespace() || matches!(c, '(' | '*' | '"' | '\''))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, Command};

    fn command(words: &[&str]) -> Result<Command, clap::Error> {
        Cli::try_parse_from([&["seine"], words].concat()).map(|cli| cli.command)
    }

    #[test]
    fn every_verb_takes_its_store_by_place_or_by_flag_and_has_the_same_default() {
        for (verb, more) in [
            ("status", &[][..]),
            ("cat", &["https://a.test/"]),
            ("why", &["https://a.test/"]),
            ("audit", &[]),
            ("prune", &[]),
            ("backup", &["copy.db"]),
            ("retry", &["--where", "1"]),
            ("extract", &["--config", "c.toml"]),
            ("process", &["--config", "c.toml"]),
            ("export", &[]),
            ("diff", &[]),
            ("links", &[]),
            ("report", &[]),
            ("sql", &["SELECT 1"]),
            ("health", &[]),
        ] {
            let store = |before: &[&str]| {
                let store = match command(&[&[verb], before, more].concat()).unwrap_or_else(|error| panic!("{error}")) {
                    Command::Status(args) => args.db.to_path_buf(),
                    Command::Cat(args) => args.db.to_path_buf(),
                    Command::Why(args) => args.db.to_path_buf(),
                    Command::Audit(args) => args.db.to_path_buf(),
                    Command::Prune(args) => args.db.to_path_buf(),
                    Command::Backup(args) => args.db.to_path_buf(),
                    Command::Retry(args) => args.db.to_path_buf(),
                    Command::Extract(args) => args.db.to_path_buf(),
                    Command::Process(args) => args.db.to_path_buf(),
                    Command::Export(args) => args.db.to_path_buf(),
                    Command::Diff(args) => args.db.to_path_buf(),
                    Command::Links(args) => args.db.to_path_buf(),
                    Command::Report(args) => args.db.to_path_buf(),
                    Command::Sql(args) => args.asked.store().to_path_buf(),
                    Command::Health(args) => args.db.to_path_buf(),
                    other => panic!("{other:?}"),
                };
                store.to_string_lossy().into_owned()
            };
            assert_eq!(
                [store(&[]), store(&["x.db"]), store(&["--db", "x.db"])],
                ["crawl.db", "x.db", "x.db"],
                "{verb}"
            );
            let both = [&[verb, "x.db", "--db", "y.db"], more].concat();
            assert!(command(&both).is_err(), "{verb} has one store");
        }
    }

    #[test]
    fn a_single_argument_of_sql_is_the_store_or_the_query() {
        let asked = |words: &[&str]| match command(&[&["sql"], words].concat()).unwrap() {
            Command::Sql(args) => {
                (args.asked.store().display().to_string(), args.asked.query().unwrap_or_default().to_owned())
            }
            other => panic!("{other:?}"),
        };
        let pair = |store: &str, query: &str| (store.to_owned(), query.to_owned());
        assert_eq!(asked(&[]), pair("crawl.db", ""));
        for store in ["x.db", "select.db", "my crawl.db", "with", "./values (1).db"] {
            assert_eq!(asked(&[store]), pair(store, ""));
        }
        for query in ["SELECT 1", " select(1)", "WITH a AS (VALUES (1)) SELECT * FROM a", "values (1)"] {
            assert_eq!(asked(&[query]), pair("crawl.db", query));
            assert_eq!(asked(&["x.db", query]), pair("x.db", query));
        }
        assert_eq!(asked(&["--db", "x.db", "DELETE FROM page"]), pair("x.db", "DELETE FROM page"));
    }
}
