//! How hosts are spared: their pace, their robots.txt, and what differs from one to another.

use std::time::Duration;

use clap::builder::{BoolValueParser, TypedValueParser};
use serde::Serialize;

use super::bounds::{MAX_CONCURRENCY, pause, refused, within};
use super::group::group;
use super::hosts::HostRule;
use super::{Budgets, Chosen, ConfigError, Crew, Http};
use seine_core::policy::{HostPolicy, Proxies};
use seine_core::values::{HttpChoice, Rate, Span};

group! {
    /// Pace and robots.txt.
    #[derive(Serialize)]
    pub struct Politeness {
        /// Requests in flight per host [default: 4]
        #[arg(long, alias = "concurrent-requests-per-domain", value_name = "N")]
        host_concurrency: usize = 4, within(1..=MAX_CONCURRENCY, "must be from 1 to 65536");

        /// Smallest gap between request starts per host; 0 for none [default: 500ms]
        #[arg(long, aliases = ["wait", "download-delay"], value_name = "DURATION")]
        delay: Span = Span(Duration::from_millis(500)), pause;

        /// Add up to this much to each gap, at random [default: 0]
        #[arg(long, value_name = "DURATION")]
        jitter: Span = Span(Duration::ZERO), pause;

        /// Lengthen the gap of a host that is slow or in trouble, never below --delay [default: true if there is a delay]
        #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        #[arg(value_parser = BoolValueParser::new().map(Chosen::by_user))]
        adaptive: Chosen<bool>;

        /// Requests over all hosts and fetchers together, "50/s" or "600/m" [default: no limit]
        #[arg(long, value_name = "RATE")]
        rate: Option<Rate>;

        /// Put a host aside after so many failures in a row (no name, connection or certificate, no answer in time), with growing
        /// pauses; after the last of them its URLs fail as host_down; 0 for never [default: 5]
        #[arg(long, value_name = "N")]
        host_failures: u32 = 5;

        /// Longest Retry-After that is obeyed; longer ones count as this [default: 5m]
        #[arg(long, value_name = "DURATION")]
        max_retry_after: Span = Span(Duration::from_secs(300)), pause;

        /// Ask no host for its robots.txt
        #[arg(long)]
        ignore_robots: bool;

        /// The name robots.txt files are searched for [default: first word of the User-Agent]
        #[arg(long, value_name = "NAME")]
        robots_agent: Chosen<String>, product_token;

        /// Longest Crawl-delay that is obeyed; longer ones count as this [default: 30s]
        #[arg(long, value_name = "DURATION")]
        max_crawl_delay: Span = Span(Duration::from_secs(30)), pause;

        /// Rules for single hosts; a config key only.
        #[arg(skip)]
        host: Vec<HostRule>;
    }
    beside {
        /// Whether cookies are taken and sent, but where a rule says otherwise.
        #[arg(skip)]
        cookies: bool;

        /// In which versions of HTTP hosts are asked, likewise.
        #[arg(skip)]
        http: HttpChoice;

        /// URLs of a host in one invocation, likewise; 0: any.
        #[arg(skip)]
        host_limit: u64;

        /// Requests in flight over all hosts: none can have more, whatever its rule says.
        #[arg(skip)]
        total: usize;
    }
}

impl Politeness {
    /// The policy for the host called `name`: the common settings and the rules that match it, later ones last.
    pub fn policy(&self, name: &str) -> HostPolicy {
        let mut policy = HostPolicy {
            delay: self.delay.0,
            concurrency: self.host_concurrency,
            limit: self.host_limit,
            headers: Vec::new(),
            authorization: None,
            cookies: self.cookies,
            robots: !self.ignore_robots,
            http: self.http,
            proxies: Proxies::Common,
            insecure: false,
            client_cert: None,
        };
        for rule in self.host.iter().filter(|rule| rule.matches(name)) {
            rule.apply(&mut policy, self.total);
        }
        policy
    }

    /// Whether cookies are taken of any host, which the hosts of a site share.
    pub fn takes_cookies(&self) -> bool {
        self.cookies || self.host.iter().any(|rule| rule.cookies == Some(true))
    }

    /// The policy that `rule` alone makes, whatever host it is for.
    pub fn policy_of(&self, rule: &HostRule) -> HostPolicy {
        let mut policy = self.policy("");
        rule.apply(&mut policy, self.total);
        policy
    }

    /// Fills in what follows from other groups.
    pub(super) fn resolve(&mut self, crew: &Crew, http: &Http, budgets: &Budgets) -> Result<(), ConfigError> {
        self.cookies = http.cookies;
        self.http = http.http;
        self.host_limit = budgets.host_limit;
        self.cap(*crew.concurrency);
        self.adaptive = self.adaptive.or(!self.delay.0.is_zero());
        self.robots_agent = std::mem::take(&mut self.robots_agent).or(first_word(&http.user_agent));
        self.host.extend(http.insecure.iter().cloned().map(HostRule::insecure));
        self.host.iter_mut().try_for_each(HostRule::check)
    }

    /// Lowers what one host may have to what all have together.
    pub(super) fn cap(&mut self, total: usize) {
        self.total = total;
        self.host_concurrency = self.host_concurrency.min(total);
    }

    pub(super) fn read_files(&mut self) -> Result<(), ConfigError> {
        self.host.iter_mut().try_for_each(HostRule::read_secrets)
    }
}

/// The product token of a User-Agent, as far as robots.txt files can name it (RFC 9309 section 2.2.1).
fn first_word(user_agent: &str) -> String {
    user_agent.chars().take_while(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '_')).collect()
}

fn product_token(name: &'static str, token: &Chosen<String>) -> Result<(), ConfigError> {
    if token.is_by_user() && (token.is_empty() || first_word(token).len() < token.len()) {
        let problem = "must be one word of letters, - and _ (RFC 9309 section 2.2.1)";
        return refused(name, format_args!("{:?}", **token), problem);
    }
    Ok(())
}
