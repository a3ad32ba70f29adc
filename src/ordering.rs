//! Which URLs of a host are asked for first, and how many a crawl takes in by itself, as its settings have it, for the
//! writer.

use std::sync::Arc;

use crate::config::{Follow, HostRule, Politeness};
use seine_follow::{BadPreference, DepthBudget, PathBudget, Priorities};
use seine_store::order::{Budget, Order};

/// `priority`, compiled.
///
/// # Errors
/// [`BadPreference`]
pub fn priorities(settings: &Follow) -> Result<Priorities, BadPreference> {
    Priorities::new(settings.priority.clone())
}

/// What the settings say of the order and the number of URLs; `None` if nothing.
///
/// # Errors
/// [`BadPreference`]
pub fn for_store(follow: &Follow, politeness: &Politeness) -> Result<Option<Arc<dyn Order>>, BadPreference> {
    let priorities = priorities(follow)?;
    let of_host = politeness.host.iter().filter(|rule| !rule.budget.is_empty()).cloned().collect();
    let mut books = Books {
        ranked_by: lines(priorities.rules().iter()),
        counted_by: String::new(),
        priorities,
        of_all: follow.budget.clone(),
        of_host,
        of_depth: follow.depth_budget.clone(),
    };
    if follow.is_on() {
        books.counted_by = books.budgets_as_text();
    }
    let is_any = !books.ranked_by.is_empty() || !books.counted_by.is_empty();
    Ok(is_any.then(|| -> Arc<dyn Order> { Arc::new(books) }))
}

/// The budgets of a host by path: those of the last rule that names it, otherwise those of all.
pub fn budgets_of<'s>(all: &'s [PathBudget], rules: &'s [HostRule], host: &str) -> &'s [PathBudget] {
    let own = rules.iter().rev().find(|rule| !rule.budget.is_empty() && rule.matches(host));
    own.map_or(all, |rule| &rule.budget)
}

#[derive(Debug)]
struct Books {
    priorities: Priorities,
    of_all: Vec<PathBudget>,
    of_host: Vec<HostRule>,
    of_depth: Vec<DepthBudget>,
    ranked_by: String,
    counted_by: String,
}

impl Books {
    fn budgets_as_text(&self) -> String {
        let of_hosts = self.of_host.iter().map(|rule| format!("[{}]\n{}", rule.r#match, lines(rule.budget.iter())));
        lines(self.of_all.iter()) + &lines(self.of_depth.iter()) + &of_hosts.collect::<String>()
    }
}

impl Order for Books {
    fn priorities(&self) -> &str {
        &self.ranked_by
    }

    fn priority(&self, url: &str) -> i32 {
        self.priorities.of(url)
    }

    fn budgets(&self) -> &str {
        &self.counted_by
    }

    fn budgets_of(&self, host: &str, url: &str, depth: u32) -> Vec<Budget> {
        let of_host = budgets_of(&self.of_all, &self.of_host, host).iter().filter(|budget| budget.covers(url));
        let of_host = of_host.map(|budget| Budget { name: budget.path.clone(), urls: budget.urls, is_of_host: true });
        let of_depth = self.of_depth.iter().filter(|budget| budget.depth == depth);
        let of_depth =
            of_depth.map(|budget| Budget { name: format!("depth {depth}"), urls: budget.urls, is_of_host: false });
        of_host.chain(of_depth).collect()
    }
}

/// One a line.
fn lines<T: ToString>(rules: impl Iterator<Item = T>) -> String {
    rules.map(|rule| rule.to_string() + "\n").collect()
}
