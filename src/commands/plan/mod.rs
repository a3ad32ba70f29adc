//! `seine plan`: what a crawl of some lists would ask of whom, and how long that takes at least. No site is asked, and no
//! store is made.
//!
//! - `check`: which rule decides about a URL that pages may name.
//! - `survey`: reads the lists and counts, host by host.
//! - `forecast`: the shortest time under the pace in force. Pure.
//! - `told`: both of them as text and as JSON.

mod check;
mod forecast;
mod survey;
mod told;

use std::io::{self, Write};

use anyhow::{Result, bail};

use super::{crawl, session};
use crate::cli::PlanArgs;
use crate::config::Settings;
use crate::supervisor;
use crate::supervisor::partition::Partition;
use check::Checks;
use forecast::{Forecast, Load};
use seine_core::protocol::Slot;
use survey::Survey;

/// The counts of some lists, and what follows from them.
struct Outlook {
    survey: Survey,
    forecast: Forecast,
    /// Hosts and URLs of each fetcher, as hosts are shared out at first.
    fetchers: Vec<(u64, u64)>,
    /// Hosts that several fetchers may ask at once: nothing but a number of requests in flight limits them.
    in_lanes: u64,
    checks: Checks,
    /// Whether pages come on top that the lists do not name.
    follows: bool,
}

/// Surveys; returns the exit code.
///
/// # Errors
/// A list or a setting that cannot be used.
pub fn run(args: PlanArgs) -> Result<i32> {
    let mut options = crawl::written(args.config.as_deref(), &args.flags)?;
    args.sources.lay_over(&mut options.0.sources);
    let settings = crawl::settings(options, args.config)?;
    let lists = crawl::lists(&settings)?;
    if lists.is_empty() {
        bail!("no URL list given; give URLs, name a file of them, or - for standard input");
    }
    let settings = crawl::within_limits(&settings)?;
    let mut checks = Checks::new(args.check, &settings.follow, &settings.politeness)?;
    let survey = Survey::of(lists, &mut checks)?;
    let outlook = outlook(survey, checks, &settings);
    let text = if settings.console.json { told::json(&outlook).to_string() + "\n" } else { told::text(&outlook) };
    session::written(io::stdout().write_all(text.as_bytes()))?;
    Ok(0)
}

/// The outlook that `survey` makes if it is crawled with `settings`.
fn outlook(survey: Survey, checks: Checks, settings: &Settings) -> Outlook {
    let crawling = settings.crawling();
    let limits = supervisor::limits_of(&crawling);
    let slots = *crawling.crew.fetchers;
    let mut partition =
        if crawling.politeness.takes_cookies() { Partition::by_site(slots) } else { Partition::new(slots) };
    let (mut fetchers, mut in_lanes) = (vec![(0, 0); slots], 0);
    let mut loads = Vec::with_capacity(survey.hosts.len());
    for host in &survey.hosts {
        let of_host = limits.host(&host.name);
        let slot: Slot = partition.settle(&host.name);
        let (hosts, urls) = &mut fetchers[usize::from(slot)];
        (*hosts, *urls) = (*hosts + 1, *urls + host.urls);
        in_lanes += u64::from(of_host.shared);
        let urls = if of_host.urls == 0 { host.urls } else { host.urls.min(of_host.urls) };
        let asks_robots = crawling.politeness.policy(&host.name).robots;
        loads.push(Load { host: &host.name, urls, delay_ms: of_host.delay_ms, asks_robots });
    }
    let gap = crawling.politeness.rate.map(|rate| rate.gap());
    let forecast = Forecast::of(&loads, gap, crawling.budgets.limit);
    Outlook { survey, forecast, fetchers, in_lanes, checks, follows: settings.follow.is_on() }
}
