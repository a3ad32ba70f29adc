//! The origins of one host as its fetcher knows them: whether a list names them, and their robots.txt.
//!
//! The store knows first: it is asked once, so that a robots.txt is read once per run even if the host moves from
//! fetcher to fetcher. If the store has none, the first URL that needs it goes on an *errand* to read it, and the others
//! wait.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use seine_core::protocol::{OriginFacts, RobotsText};
use seine_page::robots::{Decision, MAX_BYTES, Robots};

/// How long the URLs of a host wait for one that went to read their robots.txt, at other hosts perhaps. After that
/// another one goes.
const ERRAND_PATIENCE: Duration = Duration::from_secs(120);
/// A robots.txt that could not be read is left alone for so long, times the failures in a row ...
const FAILED_PAUSE: Duration = Duration::from_secs(1);
/// ... up to this many.
const FAILED_PAUSES: u32 = 30;

/// The URL of the robots.txt that `url` is subject to.
pub fn robots_url(url: &Url) -> String {
    format!("{}/robots.txt", origin_of(url))
}

/// Scheme, host and port of `url`.
pub fn origin_of(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The next thing that has to happen before a URL may be requested.
#[derive(Debug)]
pub enum Need {
    /// Nothing.
    Nothing,
    /// The store is to be asked about its origin.
    Facts(String),
    /// The store was asked about its origin and has not answered yet.
    Answer,
    /// Another URL reads its robots.txt, or none is to try that again so soon.
    Patience {
        /// Then it is to be asked again what is needed.
        until: Instant,
    },
    /// Its robots.txt is to be read first.
    Errand(String),
    /// It never may.
    Denied(Decision),
}

/// The origins of one host.
#[derive(Debug, Default)]
pub struct Origins(HashMap<String, OriginState>);

#[derive(Debug)]
enum OriginState {
    /// The store was asked.
    Asked,
    /// The store has answered, or an errand was quicker.
    Known {
        /// Whether a list names it.
        listed: bool,
        robots: RobotsState,
    },
}

#[derive(Debug)]
enum RobotsState {
    /// The store has none: none was read in this run.
    Unread,
    /// A URL went to read it.
    Reading { since: Instant, failures: u32 },
    /// It could not be read just now.
    Failed { until: Instant, failures: u32 },
    /// It was read, and says this.
    Read(Rc<Robots>),
}

impl Origins {
    /// The next thing that `url` needs; `obeys` if robots.txt counts here.
    pub fn need(&self, url: &Url, obeys: bool) -> Need {
        let origin = origin_of(url);
        let robots = match self.0.get(&origin) {
            None => return Need::Facts(origin),
            Some(OriginState::Asked) => return Need::Answer,
            Some(OriginState::Known { robots, .. }) => robots,
        };
        if !obeys || url.path() == "/robots.txt" {
            return Need::Nothing;
        }
        match robots {
            RobotsState::Failed { until, .. } if *until > Instant::now() => Need::Patience { until: *until },
            RobotsState::Reading { since, .. } if since.elapsed() < ERRAND_PATIENCE => {
                Need::Patience { until: *since + ERRAND_PATIENCE }
            }
            RobotsState::Unread | RobotsState::Failed { .. } | RobotsState::Reading { .. } => Need::Errand(origin),
            RobotsState::Read(rules) => {
                let decision = rules.decide(url);
                if decision.allowed { Need::Nothing } else { Need::Denied(decision) }
            }
        }
    }

    /// Whether a list names the host of `url`, as far as is known.
    pub fn is_listed(&self, url: &Url) -> bool {
        matches!(self.0.get(&origin_of(url)), Some(OriginState::Known { listed: true, .. }))
    }

    /// Whether the robots.txt of `url`'s origin names sitemaps, as far as it is known.
    pub fn names_sitemaps(&self, url: &Url) -> bool {
        match self.0.get(&origin_of(url)) {
            Some(OriginState::Known { robots: RobotsState::Read(rules), .. }) => !rules.sitemaps().is_empty(),
            _ => false,
        }
    }

    /// The store was asked about `origin`.
    pub fn asked(&mut self, origin: String) {
        self.0.insert(origin, OriginState::Asked);
    }

    /// The questions that have no answer yet.
    pub fn open_questions(&self) -> impl Iterator<Item = &String> {
        self.0.iter().filter(|(_, origin)| matches!(origin, OriginState::Asked)).map(|(name, _)| name)
    }

    /// Takes over what the store knows; returns the rules if it has them.
    pub fn learn(&mut self, facts: OriginFacts, agent: &str) -> Option<Rc<Robots>> {
        let OriginFacts { origin, listed, robots, .. } = facts;
        // An errand may have been quicker.
        if !matches!(self.0.get(&origin), None | Some(OriginState::Asked)) {
            return None;
        }
        let rules = robots.map(|text| Rc::new(rules_of(&text, agent)));
        let robots = rules.clone().map_or(RobotsState::Unread, RobotsState::Read);
        self.0.insert(origin, OriginState::Known { listed, robots });
        rules
    }

    /// A URL goes to read the robots.txt of `origin`.
    pub fn reading(&mut self, origin: String, listed: bool) {
        let failures = match self.0.get(&origin) {
            Some(OriginState::Known { robots: RobotsState::Failed { failures, .. }, .. }) => *failures,
            _ => 0,
        };
        let robots = RobotsState::Reading { since: Instant::now(), failures };
        self.0.insert(origin, OriginState::Known { listed, robots });
    }

    /// The errand has failed; another may try. At once if the host could not be reached, which is counted elsewhere; a
    /// server that works and cannot give its file is given time.
    pub fn not_read(&mut self, origin: &str, unreachable: bool) {
        if let Some(OriginState::Known { robots, .. }) = self.0.get_mut(origin)
            && let RobotsState::Reading { failures, .. } = *robots
        {
            let failures = (failures + 1).min(FAILED_PAUSES);
            let pause = if unreachable { Duration::ZERO } else { FAILED_PAUSE * failures };
            *robots = RobotsState::Failed { until: Instant::now() + pause, failures };
        }
    }

    /// The robots.txt of `url`'s origin was read.
    pub fn read(&mut self, url: &Url, rules: Rc<Robots>) {
        let listed = self.is_listed(url);
        self.0.insert(origin_of(url), OriginState::Known { listed, robots: RobotsState::Read(rules) });
    }

    /// Bytes of all rules.
    pub fn memory(&self) -> usize {
        let rules = self.0.values().map(|origin| match origin {
            OriginState::Known { robots: RobotsState::Read(rules), .. } => rules.memory(),
            _ => 0,
        });
        rules.sum()
    }

    /// Forgets what takes memory; the store will be asked again.
    pub fn forget_rules(&mut self) {
        self.0.retain(|_, origin| !matches!(origin, OriginState::Known { robots: RobotsState::Read(_), .. }));
    }
}

/// The rules for `agent` in a robots.txt; a site that has none (any status but a success) forbids nothing
/// (RFC 9309 section 2.3.1.3).
pub fn rules_of(text: &RobotsText, agent: &str) -> Robots {
    if !(200..300).contains(&text.status) || text.zstd.is_empty() {
        return Robots::default();
    }
    // Compressed by a process of this run and never longer than the limit.
    match zstd::bulk::decompress(&text.zstd, MAX_BYTES) {
        Ok(text) => Robots::parse(&text, agent),
        Err(error) => {
            tracing::warn!(%error, "a stored robots.txt is damaged; all is disallowed");
            Robots::parse(b"user-agent: *\ndisallow: /", "")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn facts(origin: &str, robots: Option<&str>) -> OriginFacts {
        let robots =
            robots.map(|text| RobotsText { status: 200, zstd: zstd::bulk::compress(text.as_bytes(), 1).unwrap() });
        OriginFacts { origin: origin.to_owned(), listed: true, hold_until: 0, robots }
    }

    #[test]
    fn a_url_waits_until_its_robots_txt_is_known() {
        let mut origins = Origins::default();
        let page = url("http://a.test:8080/x?y");
        let Need::Facts(origin) = origins.need(&page, true) else { panic!() };
        assert_eq!(origin, "http://a.test:8080");
        origins.asked(origin.clone());
        assert!(matches!(origins.need(&page, true), Need::Answer));
        assert_eq!(origins.open_questions().count(), 1);
        origins.learn(facts(&origin, None), "seine");
        assert!(matches!(origins.need(&page, true), Need::Errand(_)));
        assert!(matches!(origins.need(&page, false), Need::Nothing));
        assert!(matches!(origins.need(&url("http://a.test:8080/robots.txt"), true), Need::Nothing));
        origins.reading(origin.clone(), true);
        assert!(matches!(origins.need(&page, true), Need::Patience { .. }));
        origins.not_read(&origin, true);
        assert!(matches!(origins.need(&page, true), Need::Errand(_)));
        origins.reading(origin.clone(), true);
        origins.not_read(&origin, false);
        assert!(matches!(origins.need(&page, true), Need::Patience { .. }));
        origins.read(&page, Rc::new(Robots::parse(b"user-agent: *\ndisallow: /x", "seine")));
        assert!(matches!(origins.need(&page, true), Need::Denied(_)));
        assert!(matches!(origins.need(&url("http://a.test:8080/z"), true), Need::Nothing));
        assert!(
            matches!(origins.need(&url("http://a.test/x"), true), Need::Facts(_)),
            "another port is another origin"
        );
    }

    #[test]
    fn what_the_store_has_is_not_read_again() {
        let mut origins = Origins::default();
        origins.asked("http://a.test".into());
        origins.learn(facts("http://a.test", Some("User-agent: *\nDisallow: /private")), "seine");
        assert!(matches!(origins.need(&url("http://a.test/private"), true), Need::Denied(_)));
        assert!(origins.is_listed(&url("http://a.test/")));
        origins.forget_rules();
        assert!(matches!(origins.need(&url("http://a.test/private"), true), Need::Facts(_)));
    }

    #[test]
    fn a_site_without_the_file_forbids_nothing() {
        let text = RobotsText { status: 404, zstd: zstd::bulk::compress(b"user-agent: *\ndisallow: /", 1).unwrap() };
        assert!(rules_of(&text, "seine").decide(&url("http://a.test/x")).allowed);
    }
}
