//! A plan as text for people and as JSON.

use std::cmp::Reverse;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Outlook;
use super::forecast::{Decider, Slow};
use super::survey::{HostCount, SHOWN_LINES};
use crate::console::text::{grouped, printable, span_ms};

/// Hosts that are shown as the largest.
const SHOWN_HOSTS: usize = 10;

/// Characters of a rejected line that are shown.
const SHOWN_CHARS: usize = 80;

/// As one JSON object.
pub(super) fn json(outlook: &Outlook) -> Value {
    let Outlook { survey, forecast, .. } = outlook;
    let seconds = |ms: u64| ms as f64 / 1000.0;
    let slow = |slow: &Slow| json!({ "host": slow.host, "urls": slow.urls, "delay_s": seconds(slow.delay_ms), "shortest_s": seconds(slow.ms) });
    json!({
        "lists": survey.lists.iter().map(|list| json!({
            "list": list.name, "lines": list.lines, "urls": list.urls, "duplicates": list.duplicates,
            "rejected": list.rejected,
        })).collect::<Vec<_>>(),
        "urls": survey.urls,
        "archived": survey.archived,
        "duplicates": survey.duplicates,
        "has_all_duplicates": survey.has_all_duplicates,
        "rejected": survey.rejected,
        "rejected_lines": survey.rejected_lines.iter().map(|line| json!({
            "list": line.list, "line": line.line, "raw_url": line.text, "reason": line.reason,
        })).collect::<Vec<_>>(),
        "hosts": survey.hosts.len(),
        "largest_hosts": largest(&survey.hosts).iter().map(|host| json!({
            "host": &*host.name, "urls": host.urls,
        })).collect::<Vec<_>>(),
        "fetchers": outlook.fetchers.iter().map(|(hosts, urls)| json!({
            "hosts": hosts, "urls": urls,
        })).collect::<Vec<_>>(),
        "hosts_in_lanes": outlook.in_lanes,
        "urls_of_a_run": forecast.urls,
        "robots_files": forecast.robots,
        "shortest_s": seconds(forecast.shortest_ms),
        "decided_by": match forecast.decided_by {
            Decider::Host => "host",
            Decider::Rate => "rate",
            Decider::Nothing => "nothing",
        },
        "slowest_hosts": forecast.slowest.iter().map(slow).collect::<Vec<_>>(),
        "follows": outlook.follows,
        "checked": outlook.checks.verdicts().map(|verdict| verdict.json()).collect::<Vec<_>>(),
    })
}

/// As text.
pub(super) fn text(outlook: &Outlook) -> String {
    let mut text = String::new();
    lists(&mut text, outlook);
    hosts(&mut text, outlook);
    fetchers(&mut text, outlook);
    time(&mut text, outlook);
    if outlook.follows {
        let _ = writeln!(text, "what pages, sitemaps and feeds name comes on top");
    }
    for line in outlook.checks.verdicts().flat_map(|verdict| verdict.lines()) {
        let _ = writeln!(text, "{}", printable(&line));
    }
    text
}

fn lists(text: &mut String, outlook: &Outlook) {
    let survey = &outlook.survey;
    let counts = |urls: u64, duplicates: u64, at_least: &str, rejected: u64| {
        let mut parts = vec![number(urls, "URL")];
        parts.extend((duplicates > 0).then(|| format!("{at_least}{}", number(duplicates, "duplicate"))));
        parts.extend((rejected > 0).then(|| format!("{} rejected", grouped(rejected))));
        parts.join(", ")
    };
    let at_least = if survey.has_all_duplicates { "" } else { "at least " };
    let all = counts(survey.urls + survey.archived, survey.duplicates, at_least, survey.rejected);
    let _ = writeln!(text, "{}: {all}", number(survey.lists.len() as u64, "list"));
    for list in &survey.lists {
        let counts = counts(list.urls, list.duplicates, at_least, list.rejected);
        let _ = writeln!(text, "  {}: {}: {counts}", printable(&list.name), number(list.lines, "line"));
    }
    if survey.archived > 0 {
        let _ = writeln!(text, "  {} of them are in archives, and are asked of nobody", grouped(survey.archived));
    }
    if survey.rejected > 0 {
        let _ = writeln!(text, "rejected:");
    }
    for line in &survey.rejected_lines {
        let shown: String = printable(&line.text).chars().take(SHOWN_CHARS).collect();
        let _ = writeln!(text, "  {}:{}: {}: {shown}", printable(&line.list), line.line, printable(&line.reason));
    }
    if survey.rejected > SHOWN_LINES as u64 {
        let _ = writeln!(text, "  and {} more", grouped(survey.rejected - SHOWN_LINES as u64));
    }
}

fn hosts(text: &mut String, outlook: &Outlook) {
    let hosts = &outlook.survey.hosts;
    let largest = largest(hosts);
    let _ = writeln!(
        text,
        "{}{}",
        number(hosts.len() as u64, "host"),
        if hosts.is_empty() { "" } else { ", the largest:" }
    );
    let width = largest.first().map_or(0, |host| grouped(host.urls).len());
    for host in &largest {
        let _ = writeln!(text, "  {:>width$}  {}", grouped(host.urls), printable(&host.name));
    }
}

fn fetchers(text: &mut String, outlook: &Outlook) {
    let shares: Vec<_> = outlook
        .fetchers
        .iter()
        .map(|(hosts, urls)| format!("{} with {}", number(*hosts, "host"), number(*urls, "URL")))
        .collect();
    let _ = writeln!(text, "{}: {}", number(shares.len() as u64, "fetcher"), shares.join("; "));
    if outlook.in_lanes > 0 && shares.len() > 1 {
        let hosts = number(outlook.in_lanes, "host");
        let _ = writeln!(text, "  {hosts} without a delay may be asked by several fetchers at once");
    }
}

fn time(text: &mut String, outlook: &Outlook) {
    let forecast = &outlook.forecast;
    let requests = match forecast.robots {
        0 => number(forecast.urls, "URL"),
        robots => format!("{} and {}", number(forecast.urls, "URL"), number(robots, "robots.txt")),
    };
    let time = span_ms(forecast.shortest_ms);
    match forecast.decided_by {
        Decider::Nothing => {
            let _ = writeln!(text, "shortest time: no pace is set, so the sites decide ({requests})");
        }
        Decider::Rate => {
            let _ = writeln!(text, "shortest time: {time}, by the rate over all hosts ({requests})");
        }
        Decider::Host => {
            let _ = writeln!(text, "shortest time: {time} ({requests}), by the hosts that take longest:");
        }
    }
    if forecast.decided_by != Decider::Host {
        return;
    }
    // Those that take less than half of it have no say.
    let deciding: Vec<_> = forecast.slowest.iter().filter(|slow| slow.ms >= forecast.shortest_ms.div_ceil(2)).collect();
    let width = deciding.iter().map(|slow| span_ms(slow.ms).len()).max().unwrap_or(0);
    for slow in deciding {
        let every = span_ms(slow.delay_ms);
        let _ = writeln!(
            text,
            "  {:>width$}  {}: {}, one every {every}",
            span_ms(slow.ms),
            printable(&slow.host),
            number(slow.urls, "URL")
        );
    }
}

fn largest(hosts: &[HostCount]) -> Vec<&HostCount> {
    let mut order: Vec<_> = hosts.iter().collect();
    let rank = |host: &&HostCount| (Reverse(host.urls), host.name.clone());
    if order.len() > SHOWN_HOSTS {
        order.select_nth_unstable_by_key(SHOWN_HOSTS - 1, rank);
        order.truncate(SHOWN_HOSTS);
    }
    order.sort_by_key(rank);
    order
}

/// `1 URL`, `2,000 URLs`.
fn number(count: u64, noun: &str) -> String {
    let plural = if count == 1 {
        ""
    } else if noun == "robots.txt" {
        " files"
    } else {
        "s"
    };
    format!("{} {noun}{plural}", grouped(count))
}
