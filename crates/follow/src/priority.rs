//! Which URLs of a host are asked for first: values by regular expressions.

use std::fmt;
use std::str::FromStr;

use regex::{RegexSet, RegexSetBuilder};
use serde::{Deserialize, Serialize};

use crate::filter::{MAX_FILTER_BYTES, check};

/// Values lie between this and its negative.
pub const MAX_PRIORITY: i32 = 1_000_000;

/// The value of URLs that match.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Preference {
    /// Regular expression that is looked for anywhere in a URL.
    pub r#match: String,
    /// Their value; that of others is 0.
    pub value: i32,
}

/// A value that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--priority {rule:?}: {problem}")]
pub struct BadPreference {
    /// The rule.
    pub rule: String,
    /// The mistake, and what to write instead.
    pub problem: String,
}

/// All values.
#[derive(Clone, Debug, Default)]
pub struct Priorities {
    rules: Vec<Preference>,
    set: RegexSet,
}

impl Priorities {
    /// Compiles `rules`, which are in the order in which they were given.
    ///
    /// # Errors
    /// [`BadPreference`] for the first that cannot be used; for the last, if all together are too large.
    pub fn new(rules: Vec<Preference>) -> Result<Self, BadPreference> {
        let bad = |rule: &Preference, problem| BadPreference { rule: rule.to_string(), problem };
        for rule in &rules {
            check(&rule.r#match).map_err(|(at, problem)| {
                bad(rule, at.map_or_else(String::new, |at| format!("at character {at}: ")) + &problem)
            })?;
            if rule.value.unsigned_abs() > MAX_PRIORITY.unsigned_abs() {
                return Err(bad(rule, format!("the value must be from -{MAX_PRIORITY} to {MAX_PRIORITY}")));
            }
        }
        let set = RegexSetBuilder::new(rules.iter().map(|rule| &rule.r#match))
            .size_limit(MAX_FILTER_BYTES)
            .dfa_size_limit(MAX_FILTER_BYTES)
            .build();
        match (set, rules.last()) {
            (Ok(set), _) => Ok(Self { rules, set }),
            (Err(_), Some(last)) => Err(bad(last, "the patterns are too large together".to_owned())),
            (Err(_), None) => Ok(Self::default()),
        }
    }

    /// The rules in their order.
    pub fn rules(&self) -> &[Preference] {
        &self.rules
    }

    /// The rule that gives `url` its value: the last that matches it.
    pub fn rule(&self, url: &str) -> Option<&Preference> {
        if self.rules.is_empty() {
            return None;
        }
        self.set.matches(url).iter().next_back().and_then(|number| self.rules.get(number))
    }

    /// The value of `url`; 0 if no rule matches it.
    pub fn of(&self, url: &str) -> i32 {
        self.rule(url).map_or(0, |rule| rule.value)
    }
}

impl FromStr for Preference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rule = text
            .rsplit_once('=')
            .and_then(|(pattern, value)| Some(Self { r#match: pattern.to_owned(), value: value.trim().parse().ok()? }));
        rule.ok_or_else(|| format!("{text:?} has no value behind a last \"=\"; write '/product/=10'"))
    }
}

impl fmt::Display for Preference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.r#match, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priorities(rules: &[&str]) -> Result<Priorities, BadPreference> {
        Priorities::new(rules.iter().map(|rule| rule.parse().expect("a rule")).collect())
    }

    #[test]
    fn the_last_rule_that_matches_decides() {
        let priorities = priorities(&["/product/=10", "/product/old=-5", r"\?a=1=3"]).expect("good rules");
        let of = |path: &str| priorities.of(&format!("https://a.test{path}"));
        assert_eq!(["/", "/product/1", "/product/old/1", "/x?a=1", "/product/?a=1"].map(of), [0, 10, -5, 3, 3]);
        assert_eq!(Priorities::default().of("https://a.test/"), 0);
    }

    #[test]
    fn a_rule_that_cannot_be_used_says_why() {
        assert!("/product/".parse::<Preference>().unwrap_err().contains("write '/product/=10'"));
        assert!("/product/=x".parse::<Preference>().is_err());
        let said = |rule: &str| priorities(&[rule]).unwrap_err().to_string();
        assert!(said("(=1").starts_with("--priority \"(=1\": "), "{}", said("(=1"));
        assert!(said("a=9999999").ends_with("must be from -1000000 to 1000000"), "{}", said("a=9999999"));
    }
}
