//! The flags of a command line, to be laid over a config file.

use std::fmt;
use std::marker::PhantomData;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use seine_follow::{FilterRule, Verb};

/// The flags of `T`, as far as they were given.
#[derive(Clone)]
pub struct Given<T> {
    matches: ArgMatches,
    of: PhantomData<T>,
}

impl<T: Args + Default> Given<T> {
    /// Replaces what was given; leaves the rest as it is.
    pub fn lay_over(&self, settings: &mut T) {
        let mut given = self.matches.clone();
        let ids: Vec<_> = given.ids().cloned().collect();
        for id in ids {
            // A switch that was not given has the value false, which must not override the file.
            if given.value_source(id.as_str()) != Some(ValueSource::CommandLine) {
                let _ = given.try_clear_id(id.as_str());
            }
        }
        settings.update_from_arg_matches_mut(&mut given).expect("these are the flags of its own declaration");
    }

    /// `--include` and `--exclude` in the order of the line.
    pub(super) fn patterns(&self) -> Vec<FilterRule> {
        let mut all = Vec::new();
        for (verb, flag) in [(Verb::Include, "include"), (Verb::Exclude, "exclude")] {
            let Ok(Some(patterns)) = self.matches.try_get_many::<String>(flag) else { continue };
            let places = self.matches.indices_of(flag).into_iter().flatten();
            all.extend(
                places.zip(patterns).map(|(place, pattern)| (place, FilterRule { verb, pattern: pattern.clone() })),
            );
        }
        all.sort_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, rule)| rule).collect()
    }

    /// The defaults with what was given.
    pub fn alone(&self) -> T {
        let mut settings = T::default();
        self.lay_over(&mut settings);
        settings
    }
}

/// Names only: values may be secrets.
impl<T> fmt::Debug for Given<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.matches.ids()).finish()
    }
}

impl<T: Args> Args for Given<T> {
    fn augment_args(command: Command) -> Command {
        // In an update no flag is required.
        T::augment_args_for_update(command)
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }
}

impl<T: Args> FromArgMatches for Given<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { matches: matches.clone(), of: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.matches = matches.clone();
        Ok(())
    }
}
