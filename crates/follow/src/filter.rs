//! `--include` and `--exclude`: regular expressions in one order, of which the last that matches a URL decides.

use regex::{RegexSet, RegexSetBuilder};

/// Largest memory of all patterns, compiled, in bytes.
pub(crate) const MAX_FILTER_BYTES: usize = 16 << 20;

/// Patterns that match every URL, as people write them.
const EVERYTHING: &[&str] =
    &["", "^", ".", ".*", ".+", "^.*", "^.*$", "http", "://", "/", "^http", "^https?://", "https?://"];

/// The effect of a rule on the URLs that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// They are followed.
    Include,
    /// They are not.
    Exclude,
}

impl Verb {
    /// The flag that gives such a rule.
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Include => "--include",
            Self::Exclude => "--exclude",
        }
    }
}

/// One `--include` or `--exclude`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterRule {
    /// The effect on the URLs that match.
    pub verb: Verb,
    /// Regular expression that is looked for anywhere in a URL, whose text is ASCII as the URL standard writes it.
    pub pattern: String,
}

/// A rule that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {:?}: {}{problem}", rule.verb.flag(), rule.pattern, place(*at))]
pub struct BadPattern {
    /// The rule.
    pub rule: FilterRule,
    /// The character of the pattern at which the mistake is, from 1; none if it is no single one.
    pub at: Option<usize>,
    /// The mistake, and what to write instead.
    pub problem: String,
}

fn place(at: Option<usize>) -> String {
    at.map_or_else(String::new, |at| format!("at character {at}: "))
}

/// Which URLs the rules let in.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    rules: Vec<FilterRule>,
    set: RegexSet,
}

/// Whether a URL is let in, and by which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it is.
    pub admitted: bool,
    /// The number of the rule in [`Filter::rules`]; none if none matched.
    pub rule: Option<usize>,
}

impl Filter {
    /// Compiles `rules`, which are in the order in which they were given.
    ///
    /// # Errors
    /// [`BadPattern`] for the first that cannot be used; for the last, if all together are too large.
    pub fn new(rules: Vec<FilterRule>) -> Result<Self, BadPattern> {
        for rule in &rules {
            check(&rule.pattern).map_err(|(at, problem)| BadPattern { rule: rule.clone(), at, problem })?;
        }
        let set = RegexSetBuilder::new(rules.iter().map(|rule| &rule.pattern))
            .size_limit(MAX_FILTER_BYTES)
            .dfa_size_limit(MAX_FILTER_BYTES)
            .build();
        match (set, rules.last()) {
            (Ok(set), _) => Ok(Self { rules, set }),
            (Err(_), Some(last)) => {
                let problem = "the patterns are too large together; write fewer alternatives and repetitions";
                Err(BadPattern { rule: last.clone(), at: None, problem: problem.to_owned() })
            }
            (Err(_), None) => Ok(Self::default()),
        }
    }

    /// The rules in their order.
    pub fn rules(&self) -> &[FilterRule] {
        &self.rules
    }

    /// Rules that never decide, each with the later one that always does in their stead: it has the same pattern, or one
    /// that matches everything. Something else was meant.
    pub fn overruled(&self) -> impl Iterator<Item = (&FilterRule, &FilterRule)> {
        self.rules.iter().enumerate().filter_map(|(number, rule)| {
            let covers = |later: &&FilterRule| later.pattern == rule.pattern || EVERYTHING.contains(&&*later.pattern);
            self.rules[number + 1..].iter().find(covers).map(|later| (rule, later))
        })
    }

    /// Whether `url`, as the URL standard writes it, is let in.
    ///
    /// The last rule that matches decides. A URL that none matches is out if the first rule includes, since then only
    /// what is named is wanted, and in if it excludes.
    pub fn decide(&self, url: &str) -> Decision {
        let Some(first) = self.rules.first() else { return Decision { admitted: true, rule: None } };
        let rule = self.set.matches(url).iter().next_back();
        let admitted = match rule {
            Some(rule) => self.rules[rule].verb == Verb::Include,
            None => first.verb == Verb::Exclude,
        };
        Decision { admitted, rule }
    }
}

/// Whether `pattern` can match a URL at all; if not, at which character and why.
pub(crate) fn check(pattern: &str) -> Result<(), (Option<usize>, String)> {
    let character = |offset: usize| Some(pattern[..offset].chars().count() + 1);
    if let Err(error) = regex_syntax::Parser::new().parse(pattern) {
        let (offset, problem) = match &error {
            regex_syntax::Error::Parse(error) => (Some(error.span().start.offset), error.kind().to_string()),
            regex_syntax::Error::Translate(error) => (Some(error.span().start.offset), error.kind().to_string()),
            _ => (None, "no regular expression".to_owned()),
        };
        return Err((offset.and_then(character), format!("{problem}; syntax: https://docs.rs/regex")));
    }
    if let Some((offset, odd)) = pattern.char_indices().find(|(_, c)| !c.is_ascii()) {
        let mut bytes = [0; 4];
        let escapes: String = odd.encode_utf8(&mut bytes).bytes().map(|byte| format!("%{byte:02X}")).collect();
        let problem = format!("{odd:?} stands in no URL; write {escapes} in a path or query, xn--… in a host name");
        return Err((character(offset), problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(rules: &[(Verb, &str)]) -> Result<Filter, BadPattern> {
        Filter::new(rules.iter().map(|&(verb, pattern)| FilterRule { verb, pattern: pattern.to_owned() }).collect())
    }

    #[track_caller]
    fn check_all(rules: &[(Verb, &str)], decisions: &[(&str, bool, Option<usize>)]) {
        let filter = filter(rules).expect("good patterns");
        for &(rest, admitted, rule) in decisions {
            let url = format!("https://example.org{rest}");
            assert_eq!(filter.decide(&url), Decision { admitted, rule }, "{url}");
        }
    }

    use Verb::{Exclude, Include};

    #[test]
    fn without_rules_everything_is_in() {
        check_all(&[], &[("/", true, None), ("/a?b", true, None)]);
    }

    #[test]
    fn with_only_includes_the_rest_is_out() {
        check_all(
            &[(Include, "/docs/"), (Include, r"\.pdf$")],
            &[("/docs/a", true, Some(0)), ("/a.pdf", true, Some(1)), ("/", false, None), ("/a.pdf?x", false, None)],
        );
    }

    #[test]
    fn with_only_excludes_the_rest_is_in() {
        check_all(&[(Exclude, "/private/")], &[("/private/a", false, Some(0)), ("/", true, None)]);
    }

    #[test]
    fn the_last_match_wins() {
        check_all(
            &[(Include, "/docs/"), (Exclude, "/docs/old/"), (Include, "/docs/old/keep")],
            &[
                ("/docs/a", true, Some(0)),
                ("/docs/old/a", false, Some(1)),
                ("/docs/old/keep", true, Some(2)),
                ("/blog/", false, None),
            ],
        );
    }

    #[test]
    fn the_first_rule_says_what_becomes_of_the_rest() {
        check_all(
            &[(Exclude, "/private/"), (Include, "/private/open/")],
            &[("/private/a", false, Some(0)), ("/private/open/a", true, Some(1)), ("/blog/", true, None)],
        );
    }

    #[test]
    fn rules_that_never_decide_are_told() {
        let overruled = |rules: &[(Verb, &str)]| {
            let filter = filter(rules).expect("good patterns");
            filter.overruled().map(|(rule, by)| (rule.pattern.clone(), by.pattern.clone())).collect::<Vec<_>>()
        };
        assert_eq!(overruled(&[(Exclude, "/a/"), (Include, "/a/b/"), (Exclude, "/b/")]), []);
        assert_eq!(overruled(&[(Exclude, ".*"), (Include, "/a/")]), []);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(overruled(&[(Include, "/a/"), (Exclude, "/a/")]), [pair("/a/", "/a/")]);
        assert_eq!(
            overruled(&[(Include, "/a/"), (Include, "/b/"), (Exclude, ".*")]),
            [pair("/a/", ".*"), pair("/b/", ".*")]
        );
        // Each of them matches every URL.
        for everything in EVERYTHING {
            let filter = filter(&[(Exclude, everything)]).expect("a good pattern");
            assert!(
                ["http://a.test/", "https://a.test/b?c"].iter().all(|url| !filter.decide(url).admitted),
                "{everything}"
            );
        }
    }

    #[test]
    fn a_bad_pattern_is_shown_with_its_place() {
        let error =
            |verb, pattern| filter(&[(Include, "good"), (verb, pattern)]).expect_err("a bad pattern").to_string();
        assert_eq!(
            error(Exclude, "/a/(b"),
            "--exclude \"/a/(b\": at character 4: unclosed group; syntax: https://docs.rs/regex"
        );
        assert_eq!(
            error(Include, "*.html"),
            "--include \"*.html\": at character 1: repetition operator missing expression; syntax: https://docs.rs/regex"
        );
        assert_eq!(
            error(Include, "/straße"),
            "--include \"/straße\": at character 6: 'ß' stands in no URL; \
             write %C3%9F in a path or query, xn--… in a host name"
        );
        assert!(error(Include, "((a{999}){99}){9}").contains("too large"));
    }
}
