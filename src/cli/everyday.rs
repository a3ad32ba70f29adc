//! Verbs beside a crawl: `seine init`, `backup`, `search`, and what packages are made with.

use std::path::{Path, PathBuf};

use clap::Args;
use clap_complete::Shell;

use super::StoreArg;
use crate::config::DEFAULT_DB;

pub(super) const INIT_EXIT_CODES: &str = "\
Exit codes:
  0  the file is written; also if the site did not answer, which is said then
  2  usage error, or there is a file of that name already: nothing is ever overwritten

Examples:
  seine init https://example.com/           asks the site for robots.txt and this page, writes seine.toml
  seine crawl -c seine.toml                 crawls as the file says
  seine init --offline -o shop.toml https://shop.example/";

pub(super) const BACKUP_EXIT_CODES: &str = "\
Exit codes:
  0        the copy is whole
  2        usage error, no such store, or there is a file of that name already
  5        out of disk; nothing was written
  130/143  stopped by SIGINT/SIGTERM; nothing was written

The copy is the store of one moment, also beside a running crawl, which goes on writing meanwhile; its log grows as long
as the copy is made. The copy is written beside its name, synced and renamed.";

pub(super) const SEARCH_EXIT_CODES: &str = "\
Exit codes:
  0    at least one page has the words
  1    none has
  2    usage error, no such store, or the index cannot be written
  5    out of disk: the index has no room
  130  interrupted; the next search goes on with the index

All words have to be on a page, in its title or its main text. \"two words\" in quotes stand together, word* is a
beginning, -word must not be there (in quotes of the shell, or behind --), and OR between words is enough of either.
The index lies beside the store (crawl.db.search). It is brought up to date by each search, and may be removed at any
time; the store itself is only read.

Examples:
  seine search brass telescope              in crawl.db
  seine search shop.db '\"sea chart\" -paper' --limit 5
  seine search shop.db teles* --json | jq -r .url";

pub(super) const COMPLETIONS_HELP: &str = "\
The script asks seine itself for what fits, so it stays true when seine is replaced by another version.

Examples:
  seine completions bash > ~/.local/share/bash-completion/completions/seine
  seine completions zsh > ~/.zfunc/_seine                       with ~/.zfunc in fpath, before compinit
  seine completions fish > ~/.config/fish/completions/seine.fish";

/// `seine init`
#[derive(Args, Debug)]
pub struct InitArgs {
    /// The site: its robots.txt and this page are asked for, to tell what there is
    #[arg(value_name = "URL")]
    pub url: Option<String>,
    /// The file to write
    #[arg(short, long, value_name = "FILE", default_value = "seine.toml")]
    pub output: PathBuf,
    /// Ask nobody
    #[arg(long)]
    pub offline: bool,
}

/// `seine backup`
#[derive(Args, Debug)]
pub struct BackupArgs {
    /// The store.
    #[command(flatten)]
    pub db: StoreArg,
    /// The copy
    #[arg(value_name = "TO")]
    pub to: PathBuf,
    /// Replace a file of that name
    #[arg(long)]
    pub force: bool,
    /// Print what came of it as one JSON object on standard output
    #[arg(long)]
    pub json: bool,
    /// No progress and no notes
    #[arg(short, long)]
    pub quiet: bool,
}

/// `seine search`
#[derive(Args, Debug)]
pub struct SearchArgs {
    /// The words; the first may be the store [default: crawl.db]
    #[arg(value_name = "[DB] WORD", required = true)]
    words: Vec<String>,
    /// The store, named as `seine crawl` names it; all else are words then
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// Show so many pages, the best first
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Make the index anew
    #[arg(long)]
    pub rebuild: bool,
    /// No notes
    #[arg(short, long)]
    pub quiet: bool,
}

impl SearchArgs {
    /// The store.
    pub fn store(&self) -> &Path {
        match (&self.db, &*self.words) {
            (Some(flag), _) => flag,
            (None, [first, ..]) if self.begins_with_store() => Path::new(first),
            _ => Path::new(DEFAULT_DB),
        }
    }

    /// The words.
    pub fn words(&self) -> &[String] {
        &self.words[usize::from(self.begins_with_store())..]
    }

    /// Whether the first of several words is called like a store, or is a file.
    fn begins_with_store(&self) -> bool {
        let is_store = |word: &str| {
            let path = Path::new(word);
            path.extension().is_some_and(|ending| ending == "db" || ending == "sqlite") || path.is_file()
        };
        self.db.is_none() && self.words.len() > 1 && is_store(&self.words[0])
    }
}

/// `seine completions`
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

/// `seine man`
#[derive(Args, Debug)]
pub struct ManArgs {
    /// The folder for seine.1 and a page for each verb; it is made if it is not there
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, Command};

    #[test]
    fn the_first_of_several_words_is_the_store_if_it_is_called_so() {
        let asked = |words: &[&str]| match Cli::try_parse_from([&["seine", "search"], words].concat()).unwrap().command
        {
            Command::Search(args) => (args.store().display().to_string(), args.words().join(" ")),
            other => panic!("{other:?}"),
        };
        let pair = |store: &str, words: &str| (store.to_owned(), words.to_owned());
        assert_eq!(asked(&["telescope"]), pair("crawl.db", "telescope"));
        assert_eq!(asked(&["brass", "telescope"]), pair("crawl.db", "brass telescope"));
        assert_eq!(asked(&["shop.db", "brass", "--", "-old"]), pair("shop.db", "brass -old"));
        assert_eq!(asked(&["shop.db"]), pair("crawl.db", "shop.db"));
        assert_eq!(asked(&["--db", "x", "shop.db", "brass"]), pair("x", "shop.db brass"));
    }
}
