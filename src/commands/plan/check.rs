//! Whether the crawl would follow a link to a URL, and which rule decides: `--check`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Display;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use crate::config::{Follow, HostRule, Politeness};
use crate::following::{following, rules};
use crate::ordering;
use seine_core::record::{BadUrl, CrawlUrl, UrlKey};
use seine_follow::{DepthBudget, Explained, FilterRule, PathBudget, Preference, Priorities, Rules, Scope};

/// The URLs that are asked about, and what the lists have to do with them.
#[derive(Default)]
pub(super) struct Checks {
    scope: Scope,
    asked: Vec<Asked>,
    /// Texts of which one must stand for a listed URL if a URL asked about is in scope, with the first listed one.
    roots: HashMap<String, Option<String>>,
    priorities: Priorities,
    /// Budgets by path: of all hosts, and those of single ones.
    budgets: (Vec<PathBudget>, Vec<HostRule>),
    of_depth: Vec<DepthBudget>,
    /// Pages asked about.
    keys: HashSet<UrlKey>,
    /// Those that are listed.
    listed: HashSet<UrlKey>,
}

/// A URL and what the rules make of it.
struct Asked {
    url: String,
    /// That of the URL as it is written, before the rules of what is the same page.
    key: Option<UrlKey>,
    judged: Result<Judged, BadUrl>,
}

struct Judged {
    explained: Explained,
    /// The `--include` or `--exclude` that decides.
    rule: Option<FilterRule>,
    roots: Vec<String>,
}

/// All that is to say about one URL.
pub(super) struct Verdict<'c> {
    pub asked: &'c str,
    pub scope: Scope,
    pub said: Result<Said<'c>, &'c BadUrl>,
}

/// What decides about one URL that can be crawled.
pub(super) struct Said<'c> {
    pub explained: &'c Explained,
    pub rule: Option<&'c FilterRule>,
    /// What it shares with a listed URL, and the first that is so.
    pub root: Option<(&'c str, &'c str)>,
    pub is_in_scope: bool,
    pub is_listed: bool,
    /// A list names it in the spelling of the question, of which the rules make another URL.
    pub is_listed_as_written: bool,
    pub is_followed: bool,
    /// The rule of its priority.
    pub preference: Option<&'c Preference>,
    /// The budgets that it counts against if it is found.
    pub budgets: Vec<&'c PathBudget>,
    pub of_depth: &'c [DepthBudget],
}

impl Checks {
    /// Asks the rules of `settings` about these URLs.
    ///
    /// # Errors
    /// Nothing is followed by these settings, or as [`following`].
    pub fn new(urls: Vec<String>, settings: &Follow, politeness: &Politeness) -> Result<Self> {
        if urls.is_empty() {
            return Ok(Self::default());
        }
        let priorities = ordering::priorities(settings)?;
        let rules = match following(settings)? {
            Some(following) => following.rules,
            None if priorities.rules().is_empty() => {
                bail!("--check tells whether a URL is followed, but no link is; add --follow")
            }
            None => rules(settings)?,
        };
        let mut checks = Self {
            scope: if settings.is_on() { settings.scope } else { Scope::List },
            priorities,
            budgets: (settings.budget.clone(), politeness.host.clone()),
            of_depth: settings.depth_budget.clone(),
            ..Self::default()
        };
        for url in urls {
            let judged = Judged::of(&url, &rules, checks.scope);
            if let Ok(judged) = &judged {
                checks.roots.extend(judged.roots.iter().map(|root| (root.clone(), None)));
                checks.keys.insert(judged.explained.url.key);
            }
            let key = CrawlUrl::parse(&url).ok().map(|url| url.key);
            checks.keys.extend(key);
            checks.asked.push(Asked { url, key, judged });
        }
        Ok(checks)
    }

    /// Notes a URL that a list names.
    pub fn note_listed(&mut self, url: &CrawlUrl) {
        if self.asked.is_empty() {
            return;
        }
        if self.keys.contains(&url.key) {
            self.listed.insert(url.key);
        }
        if let Some(root) = self.scope.root(&url.url)
            && let Some(listed) = self.roots.get_mut(&root)
        {
            listed.get_or_insert_with(|| url.url.clone());
        }
    }

    /// What there is to say, in the order of the questions.
    pub fn verdicts(&self) -> impl Iterator<Item = Verdict<'_>> {
        self.asked.iter().map(|asked| Verdict {
            asked: &asked.url,
            scope: self.scope,
            said: asked.judged.as_ref().map(|judged| self.said(asked.key, judged)),
        })
    }

    fn said<'c>(&'c self, key: Option<UrlKey>, Judged { explained, rule, roots }: &'c Judged) -> Said<'c> {
        let is_listed_as_written = key.is_some_and(|key| key != explained.url.key && self.listed.contains(&key));
        let is_listed = self.listed.contains(&explained.url.key);
        let root = roots.iter().find_map(|root| Some((&**root, self.roots.get(root)?.as_deref()?)));
        let is_in_scope = self.scope == Scope::Any || root.is_some();
        let is_followed = explained.decision.admitted && explained.trap.is_none() && is_in_scope;
        let CrawlUrl { url, host, .. } = &explained.url;
        let budgets = ordering::budgets_of(&self.budgets.0, &self.budgets.1, host);
        Said {
            explained,
            rule: rule.as_ref(),
            root,
            is_in_scope,
            is_listed,
            is_listed_as_written,
            is_followed,
            preference: self.priorities.rule(url),
            budgets: budgets.iter().filter(|budget| budget.covers(url)).collect(),
            of_depth: &self.of_depth,
        }
    }
}

impl Judged {
    fn of(url: &str, rules: &Rules, scope: Scope) -> Result<Self, BadUrl> {
        let explained = rules.explain(url)?;
        let rule = explained.decision.rule.and_then(|number| rules.filter().rules().get(number)).cloned();
        let roots = scope.roots(&explained.url.url).iter().map(str::to_owned).collect();
        Ok(Self { explained, rule, roots })
    }
}

impl Verdict<'_> {
    /// As one JSON object.
    pub fn json(&self) -> Value {
        let mut json = json!({ "url": self.asked, "scope": self.scope });
        match &self.said {
            Err(error) => {
                json["error"] = json!(error.to_string());
                json["followed"] = json!(false);
            }
            Ok(said) => {
                json["same_page"] = json!(said.explained.url.url);
                json["admitted"] = json!(said.explained.decision.admitted);
                json["rule"] =
                    said.rule.map_or(Value::Null, |rule| json!({ "flag": rule.verb.flag(), "pattern": rule.pattern }));
                json["trap"] = json!(said.explained.trap);
                json["in_scope"] = json!(said.is_in_scope);
                json["root"] = json!(said.root.map(|(root, _)| root));
                json["root_of"] = json!(said.root.map(|(_, listed)| listed));
                json["listed"] = json!(said.is_listed);
                json["followed"] = json!(said.is_followed);
                json["listed_as_written"] = json!(said.is_listed_as_written);
                json["priority"] = json!(said.preference.map_or(0, |rule| rule.value));
                json["budgets"] =
                    json!(said.budgets.iter().map(|one| (&one.path, one.urls)).collect::<BTreeMap<_, _>>());
            }
        }
        json
    }

    /// As lines: the URL, and below it what decides.
    pub fn lines(&self) -> Vec<String> {
        let said = match &self.said {
            Ok(said) => said,
            Err(error) => return vec![format!("{}: not followed", self.asked), format!("  it is {error}")],
        };
        let not = if said.is_followed { "" } else { "not " };
        let mut lines = vec![format!("{}: {not}followed", self.asked)];
        if said.explained.is_rewritten {
            lines.push(format!("  same page as {}", said.explained.url.url));
        }
        lines.extend(said.filter().into_iter().chain(said.trap()));
        lines.push(said.scope(self.scope));
        lines.extend(said.order());
        if said.is_listed_as_written {
            lines.push(
                "  a list names it so, and so it is asked for: what is the same page is decided of links only"
                    .to_owned(),
            );
        }
        if said.is_listed {
            lines.push("  a list names it, so it is asked for whatever these rules say".to_owned());
        }
        lines
    }
}

impl Said<'_> {
    fn filter(&self) -> Option<String> {
        let does = if self.explained.decision.admitted { "included" } else { "excluded" };
        match self.rule {
            Some(rule) => Some(format!("  {does} by {} '{}'", rule.verb.flag(), rule.pattern)),
            None if self.explained.decision.admitted => None,
            None => Some("  excluded: no --include matches it".to_owned()),
        }
    }

    fn trap(&self) -> Option<String> {
        let text = |trap| format!("  in the trap {trap}: recorded, and not asked for (--allow-trap {trap})");
        self.explained.trap.map(text)
    }

    /// Its priority and its budgets.
    fn order(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(rule) = self.preference {
            lines.push(format!("  priority {} by --priority '{rule}'", rule.value));
        }
        let counts = |budget: &dyn Display| format!("  counts against the budget {budget}");
        if self.is_followed && !self.is_listed {
            lines.extend(self.budgets.iter().map(|budget| counts(budget)));
            lines.extend(self.of_depth.iter().map(|budget| format!("{}, if it is so deep", counts(budget))));
        }
        lines
    }

    fn scope(&self, scope: Scope) -> String {
        match (scope, self.root) {
            (Scope::Any, _) => "  in scope: --scope any has everything".to_owned(),
            (Scope::List, _) => "  out of scope: --scope list has only what lists name".to_owned(),
            (_, Some((root, listed))) => format!("  in scope: {scope} {root} of {listed}"),
            (_, None) => format!("  out of scope: no list names a URL of its {scope}"),
        }
    }
}
