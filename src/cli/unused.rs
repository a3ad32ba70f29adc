//! Flags of a crawl in verbs that crawl in part: those that such a verb has no use for are not in its help.

use std::marker::PhantomData;
use std::ops::Deref;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::config::{self, Given, Settings};

/// A verb that takes the flags of a crawl.
pub trait Verb {
    /// Whether the option of this name makes a difference to it.
    fn uses(option: &str) -> bool;

    /// The reason why a flag without use is refused; `None` if it is let pass.
    const REFUSAL: Option<&'static str>;
}

/// Takes archives and asks no site.
#[derive(Clone, Copy, Debug)]
pub enum Importing {}

impl Verb for Importing {
    const REFUSAL: Option<&'static str> = Some("archives are read without lists and without the network");

    fn uses(option: &str) -> bool {
        !config::is_of_lists(option) && !config::is_of_requests(option)
    }
}

/// Crawls what a store knows.
#[derive(Clone, Copy, Debug)]
pub enum Retrying {}

impl Verb for Retrying {
    const REFUSAL: Option<&'static str> = Some("the URLs are those of the store, which --where chooses");

    fn uses(option: &str) -> bool {
        !config::is_of_lists(option) && !config::is_of_the_next_run(option)
    }
}

/// Tells what a crawl would do, by the same command line.
#[derive(Clone, Copy, Debug)]
pub enum Planning {}

impl Verb for Planning {
    const REFUSAL: Option<&'static str> = None;

    fn uses(option: &str) -> bool {
        let is_of_crawl = config::is_of_lists(option) || config::is_of_following(option) || config::is_of_pace(option);
        is_of_crawl || option == "json"
    }
}

/// The flags of a crawl, of which `V` uses some.
#[derive(Clone, Debug)]
pub struct Useful<V> {
    given: Given<Settings>,
    of: PhantomData<V>,
}

impl<V> Deref for Useful<V> {
    type Target = Given<Settings>;

    fn deref(&self) -> &Given<Settings> {
        &self.given
    }
}

impl<V: Verb> Args for Useful<V> {
    fn augment_args(command: Command) -> Command {
        let others: Vec<_> = command.get_arguments().map(|arg| arg.get_id().clone()).collect();
        Given::<Settings>::augment_args(command).mut_args(|arg| {
            let is_hidden = !others.contains(arg.get_id()) && !V::uses(arg.get_id().as_str());
            if is_hidden { arg.hide(true) } else { arg }
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<V: Verb> FromArgMatches for Useful<V> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = Given::from_arg_matches(matches)?;
        if let Some(refusal) = V::REFUSAL {
            // Only flags of a crawl are asked for: the verb's own, such as --config, are none of its settings.
            let is_given = |option: &str| matches.value_source(option) == Some(ValueSource::CommandLine);
            let all = Given::<Settings>::augment_args(Command::new("crawl"));
            let names = all.get_arguments().map(|arg| arg.get_id().as_str());
            if let Some(name) = names.into_iter().find(|name| !V::uses(name) && is_given(name)) {
                let flag = name.replace('_', "-");
                let message = format!("unexpected argument '--{flag}' found: {refusal}\n");
                return Err(clap::Error::raw(ErrorKind::UnknownArgument, message));
            }
        }
        Ok(Self { given, of: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::cli::Cli;

    /// The flags in the help of `verb`.
    fn shown(verb: &str) -> Vec<String> {
        let cli = Cli::command();
        let verb = cli.find_subcommand(verb).expect("there is one");
        verb.get_arguments().filter(|arg| !arg.is_hide_set()).map(|arg| arg.get_id().to_string()).collect()
    }

    #[test]
    fn verbs_that_crawl_in_part_show_the_flags_they_use_and_no_others() {
        let has = |verb: &str, name: &str| shown(verb).iter().any(|shown| shown == name);
        for network in ["proxy", "delay", "ignore_robots", "user_agent", "timeout", "retries", "url_column", "rate"] {
            assert!(!has("import", network), "{network}");
            assert!(has("crawl", network), "{network}");
        }
        for at_home in
            ["text", "max_body", "parse_timeout", "accept_types", "db", "config", "fetchers", "json", "limit"]
        {
            assert!(has("import", at_home), "{at_home}");
        }
        assert!(has("retry", "proxy") && !has("retry", "url_column") && !has("retry", "max_age"));
        assert!(has("plan", "delay") && has("plan", "url_column") && !has("plan", "proxy"));
        assert!(has("plan", "follow") && has("plan", "exclude") && has("plan", "check"));
    }

    #[test]
    fn a_flag_without_use_is_refused_with_the_reason_and_a_plan_takes_the_line_of_a_crawl() {
        let parse = |words: &[&str]| Cli::try_parse_from([&["seine"], words].concat());
        let error = parse(&["import", "a.warc", "--proxy", "http://p.test:1"]).expect_err("no use").to_string();
        assert!(error.contains("'--proxy'") && error.contains("without the network"), "{error}");
        assert!(parse(&["import", "a.warc", "-A", "x"]).expect_err("no use").to_string().contains("'--user-agent'"));
        assert!(parse(&["retry", "--where", "1", "--url-field", "x"]).is_err());
        assert!(parse(&["import", "a.warc", "--text", "--max-body", "1MiB"]).is_ok());
        let crawl = ["urls.txt", "--delay", "2", "--proxy", "http://p.test:1", "--db", "x.db", "-v", "--text"];
        for verb in ["crawl", "plan"] {
            assert!(parse(&[&[verb], &crawl[..]].concat()).is_ok(), "{verb}");
        }
    }
}
