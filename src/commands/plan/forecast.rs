//! The shortest time a crawl can take: what its pace alone makes of it, if every site answered at once.
//!
//! A host of `n` requests with a delay `d` between their starts takes `(n - 1) d`, and hosts are asked beside each
//! other, so the one that takes longest decides. A rate over all hosts is like one host with all requests. What sites
//! want themselves (`Crawl-delay`, `Retry-After`), how long they take and how often they fail only makes it longer.

use std::time::Duration;

/// Hosts that are named as those which decide.
const NAMED: usize = 10;

/// The requests of one host.
pub(super) struct Load<'a> {
    pub host: &'a str,
    /// URLs that one run takes of it.
    pub urls: u64,
    pub delay_ms: u64,
    /// Its robots.txt is requested first.
    pub asks_robots: bool,
}

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Forecast {
    /// The shortest time.
    pub shortest_ms: u64,
    /// What the time follows from.
    pub decided_by: Decider,
    /// The hosts that take longest by themselves, longest first.
    pub slowest: Vec<Slow>,
    /// URLs that one run takes, by the limits in force.
    pub urls: u64,
    /// Robots.txt files beside them, one a host at least.
    pub robots: u64,
}

/// What a shortest time follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decider {
    /// The host that takes longest.
    Host,
    /// The rate over all hosts.
    Rate,
    /// No pace is set.
    Nothing,
}

/// A host that takes long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slow {
    pub host: String,
    pub urls: u64,
    pub delay_ms: u64,
    pub ms: u64,
}

impl Load<'_> {
    fn requests(&self) -> u64 {
        self.urls + u64::from(self.asks_robots)
    }

    fn ms(&self) -> u64 {
        self.requests().saturating_sub(1).saturating_mul(self.delay_ms)
    }

    /// URLs that can be requested within `ms`.
    fn urls_within(&self, ms: u64) -> u64 {
        let starts = ms.checked_div(self.delay_ms).map_or(u64::MAX, |gaps| gaps.saturating_add(1));
        starts.saturating_sub(u64::from(self.asks_robots)).min(self.urls)
    }
}

impl Forecast {
    /// The forecast for `loads` with `gap` between any two requests, of a run that takes `limit` URLs at most.
    pub fn of(loads: &[Load<'_>], gap: Option<Duration>, limit: Option<u64>) -> Self {
        let all: u64 = loads.iter().map(|load| load.urls).sum();
        let urls = limit.map_or(all, |limit| limit.min(all));
        let by_hosts = if urls < all { shortest(loads, urls) } else { loads.iter().map(Load::ms).max().unwrap_or(0) };
        // Which hosts a limit lets be asked is not known beforehand, but that one of them is.
        let asked = if urls < all { loads.len().min(1) } else { loads.len() };
        let robots = loads.iter().filter(|load| load.asks_robots).count().min(asked) as u64;
        let starts = (urls + robots).saturating_sub(1);
        let by_rate = gap.map_or(0, |gap| (gap.as_nanos().saturating_mul(starts.into()) / 1_000_000) as u64);
        let decided_by = match by_hosts.max(by_rate) {
            0 => Decider::Nothing,
            longest if longest == by_hosts => Decider::Host,
            _ => Decider::Rate,
        };
        Self { shortest_ms: by_hosts.max(by_rate), decided_by, slowest: slowest(loads), urls, robots }
    }
}

/// The time within which `urls` of all can be requested, by halving.
fn shortest(loads: &[Load<'_>], urls: u64) -> u64 {
    let (mut too_short, mut enough) = (None, loads.iter().map(Load::ms).max().unwrap_or(0));
    while too_short.map_or(enough > 0, |short: u64| short + 1 < enough) {
        let ms = too_short.map_or(0, |short| short + (enough - short) / 2);
        let can = loads.iter().fold(0_u64, |sum, load| sum.saturating_add(load.urls_within(ms)));
        if can >= urls { enough = ms } else { too_short = Some(ms) }
    }
    enough
}

fn slowest(loads: &[Load<'_>]) -> Vec<Slow> {
    let mut order: Vec<&Load<'_>> = loads.iter().collect();
    let rank = |load: &&Load<'_>| (std::cmp::Reverse((load.ms(), load.urls)), load.host.to_owned());
    if order.len() > NAMED {
        order.select_nth_unstable_by_key(NAMED - 1, rank);
        order.truncate(NAMED);
    }
    order.sort_by_key(rank);
    let slow =
        |load: &Load<'_>| Slow { host: load.host.to_owned(), urls: load.urls, delay_ms: load.delay_ms, ms: load.ms() };
    order.into_iter().map(slow).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(host: &str, urls: u64, delay_ms: u64) -> Load<'_> {
        Load { host, urls, delay_ms, asks_robots: false }
    }

    #[test]
    fn the_host_that_takes_longest_decides() {
        let loads = [load("many", 1000, 100), load("slow", 100, 2000), load("free", 50_000, 0), load("one", 1, 60_000)];
        let forecast = Forecast::of(&loads, None, None);
        assert_eq!((forecast.shortest_ms, forecast.decided_by), (99 * 2000, Decider::Host));
        let names: Vec<_> = forecast.slowest.iter().map(|slow| &*slow.host).collect();
        assert_eq!(names, ["slow", "many", "free", "one"]);
        let polite = Load { asks_robots: true, ..load("one", 1, 60_000) };
        assert_eq!(Forecast::of(&[polite], None, None).shortest_ms, 60_000, "its robots.txt comes first");
    }

    #[test]
    fn a_rate_over_all_is_a_pace_too() {
        let loads = [load("a", 100, 10), load("b", 101, 10)];
        let gap = Some(Duration::from_millis(20));
        let forecast = Forecast::of(&loads, gap, None);
        assert_eq!((forecast.shortest_ms, forecast.decided_by), (200 * 20, Decider::Rate));
        assert_eq!(Forecast::of(&loads[..0], gap, None).decided_by, Decider::Nothing);
        assert_eq!(Forecast::of(&[load("a", 9, 0)], None, None).decided_by, Decider::Nothing);
    }

    #[test]
    fn a_limit_is_reached_as_soon_as_all_hosts_together_can() {
        // In 3 s: 4 of a, 2 of b, 1 of c.
        let loads = [load("a", 100, 1000), load("b", 100, 2000), load("c", 1, 5000)];
        for (limit, ms) in [(7, 3000), (8, 4000), (3, 0), (1, 0), (201, 198_000), (500, 198_000)] {
            let forecast = Forecast::of(&loads, None, Some(limit));
            assert_eq!((forecast.urls, forecast.shortest_ms), (limit.min(201), ms), "limit {limit}");
        }
    }
}
