//! Whose fault it is when a host cannot be reached: its own, or that of our network or resolver.
//!
//! A silent resolver and a missing route look alike for every host, so such a failure
//! ([`ErrorClass::may_be_ours`]) is only a *doubt* at first: it is not recorded. A probe settles it. It asks
//! whether hosts that answered before, the *witnesses*, can be reached now; nothing is requested of them.
//!
//! - One can: the failure is the host's own and counts like a refused connection. So a dead zone ends in bounded time, even
//!   when nobody else is left to be fetched.
//! - None can: it is an *outage*. All doubts are forgotten as if nothing had been asked, the crawl pauses, and probes
//!   follow at growing intervals until one of them succeeds.
//!
//! Where nothing has answered yet, hosts in doubt are probed themselves, and others that wait for their turn; and it takes
//! some time more to call it an outage. Pure.

use std::collections::VecDeque;

use seine_core::protocol::Slot;
use seine_core::record::{ErrorClass, Failure, UrlId};
use seine_core::time::Mono;

/// Smallest gap between two probes.
const PROBE_GAP_MS: u64 = 250;
/// An outage is probed again after this part of the time it has lasted, so it ends hardly later than it could ...
const PART_OF_OUTAGE: u64 = 4;
/// ... but not sooner than after this ...
const FIRST_PAUSE_MS: u64 = 500;
/// ... and not later.
const LONGEST_PAUSE_MS: u64 = 15_000;
/// A probe without an answer for so long is repeated: its fetcher is out of order.
const PROBE_LOST_MS: u64 = 20_000;
/// How long anybody may take to be the first who answers, before it is called an outage.
const FIRST_ANSWER_MS: u64 = 2_000;
/// Witnesses and hosts in doubt that are remembered.
const REMEMBERED: usize = 8;
/// How many of them one probe asks.
const PROBED: usize = 3;
/// Doubts from which on nothing is leased until they are settled.
const MANY_DOUBTS: usize = 256;

/// See the module.
#[derive(Debug, Default)]
pub struct Outage {
    /// How long an outage may last.
    wait_ms: u64,
    /// Hosts that answered, with a name and without.
    named: Recent,
    nameless: Recent,
    /// When anybody answered last.
    answered_at: Option<Mono>,
    /// In the order of their arrival.
    doubts: Vec<Doubt>,
    in_doubt: Recent,
    probe: Option<Probe>,
    next_probe_at: Mono,
    pause: Option<Pause>,
    /// End of the last outage: what began before failed by it.
    ended_at: Mono,
}

#[derive(Debug)]
struct Doubt {
    url_id: UrlId,
    failure: Failure,
    at: Mono,
    /// Nobody at all could be reached at about the same time.
    was_alone: bool,
}

impl Doubt {
    /// Whether only hosts with a name can tell.
    fn needs_name(&self) -> bool {
        self.failure.class == ErrorClass::Resolver
    }
}

/// A probe under way.
#[derive(Debug)]
struct Probe {
    slot: Slot,
    at: Mono,
    /// Names were looked up for it.
    by_name: bool,
    /// It asks hosts that have answered before.
    has_witness: bool,
}

#[derive(Debug)]
struct Pause {
    since: Mono,
    by_name: bool,
}

/// What a probe has brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Failures that are the hosts' own.
    pub theirs: Vec<(UrlId, Failure)>,
    /// Those that count for nobody.
    pub ours: Vec<UrlId>,
    /// What the user is to be told.
    pub news: Option<News>,
}

/// What has changed.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// An outage has begun; one of the failures that tell.
    Out(Failure),
    /// It is over, after so many milliseconds.
    Back(u64),
}

impl Outage {
    /// All is well, as far as is known. An outage may last for `wait_ms`.
    pub fn new(wait_ms: u64) -> Self {
        Self { wait_ms, ..Self::default() }
    }

    /// Whether fetching is paused.
    pub fn is_on(&self) -> bool {
        self.pause.is_some()
    }

    /// Whether nothing is to be leased at present.
    pub fn holds(&self) -> bool {
        self.is_on() || self.doubts.len() >= MANY_DOUBTS
    }

    /// Whether an outage has lasted for too long.
    pub fn is_overdue(&self, now: Mono) -> bool {
        self.pause.as_ref().is_some_and(|pause| now.ms_since(pause.since) >= self.wait_ms)
    }

    /// The host of this URL has answered.
    pub fn answered(&mut self, host: &str, url: &str, now: Mono) {
        self.answered_at = Some(now);
        self.witness(host, url, now);
    }

    fn witness(&mut self, host: &str, url: &str, now: Mono) {
        let witnesses = if has_name(host) { &mut self.named } else { &mut self.nameless };
        if witnesses.note(host, url) && self.is_on() {
            // It is news of before the outage, or of its end: soon known.
            self.next_probe_at = self.next_probe_at.min(now.plus_ms(PROBE_GAP_MS));
        }
    }

    /// A request that `began` then could not reach its host; `host` and `url` are those of the list. Whether it counts for
    /// nobody; if not, that is to be found out.
    pub fn failed(&mut self, url_id: UrlId, host: &str, url: &str, failure: Failure, began: Mono, now: Mono) -> bool {
        self.in_doubt.note(host, url);
        if self.is_on() || began < self.ended_at {
            return true;
        }
        self.doubts.push(Doubt { url_id, failure, at: now, was_alone: false });
        false
    }

    /// The URLs that the fetcher of `slot` shall try to reach now, if any; `others` are hosts not asked so far, each with
    /// one of its URLs.
    pub fn probe<'a>(
        &mut self,
        slot: Slot,
        others: impl Iterator<Item = (&'a str, &'a str)>,
        now: Mono,
    ) -> Option<Vec<String>> {
        let is_under_way = self.probe.as_ref().is_some_and(|probe| now < probe.at.plus_ms(PROBE_LOST_MS));
        if is_under_way || now < self.next_probe_at {
            return None;
        }
        let by_name = match &self.pause {
            None if self.doubts.is_empty() => return None,
            None => {
                self.next_probe_at = now.plus_ms(PROBE_GAP_MS);
                self.doubts.iter().any(Doubt::needs_name)
            }
            Some(pause) => {
                let part = now.ms_since(pause.since) / PART_OF_OUTAGE;
                self.next_probe_at = now.plus_ms(part.clamp(FIRST_PAUSE_MS, LONGEST_PAUSE_MS));
                pause.by_name
            }
        };
        let mut urls = self.named.next(PROBED, by_name);
        if !by_name {
            urls.extend(self.nameless.next(PROBED - urls.len(), false));
        }
        let has_witness = !urls.is_empty();
        // Those in doubt as well: witnesses may have gone down meanwhile.
        urls.extend(self.in_doubt.next(if has_witness { 1 } else { PROBED }, by_name));
        if !has_witness {
            urls.extend(
                others.filter(|(host, _)| !by_name || has_name(host)).take(PROBED).map(|(_, url)| url.to_owned()),
            );
        }
        self.probe = Some(Probe { slot, at: now, by_name, has_witness });
        Some(urls)
    }

    /// The fetcher of `slot` is gone.
    pub fn lost(&mut self, slot: Slot) {
        if self.probe.take_if(|probe| probe.slot == slot).is_some() {
            self.next_probe_at = Mono::EARLIEST;
        }
    }

    /// What came of the probe of `slot`: a host that could be reached, with its URL.
    pub fn probed(&mut self, slot: Slot, reached: Option<(&str, &str)>, now: Mono) -> Findings {
        let Some(probe) = self.probe.take_if(|probe| probe.slot == slot) else { return Findings::default() };
        if let Some((host, url)) = reached {
            self.witness(host, url, now);
        }
        match &self.pause {
            Some(pause) if reached.is_some() => {
                let news = Some(News::Back(now.ms_since(pause.since)));
                (self.pause, self.ended_at, self.next_probe_at) = (None, now, now);
                Findings { news, ..Findings::default() }
            }
            Some(_) => Findings::default(),
            None if reached.is_some() => self.settle(&probe),
            None => self.unreached(&probe, now),
        }
    }

    /// The doubts that came before `probe` are the hosts' own failures, unless the network has come back in between.
    fn settle(&mut self, probe: &Probe) -> Findings {
        let mut findings = Findings::default();
        let is_settled = |doubt: &mut Doubt| doubt.at <= probe.at && (probe.by_name || !doubt.needs_name());
        for doubt in self.doubts.extract_if(.., is_settled) {
            match doubt.was_alone {
                true => findings.ours.push(doubt.url_id),
                false => findings.theirs.push((doubt.url_id, doubt.failure)),
            }
        }
        findings
    }

    fn unreached(&mut self, probe: &Probe, now: Mono) -> Findings {
        let Some(Doubt { at: first, failure, .. }) = self.doubts.first() else { return Findings::default() };
        let (first, failure) = (*first, failure.clone());
        if !probe.has_witness {
            // Somebody may be about to answer, or is a witness by now.
            let is_witnessed = !self.named.is_empty() || !probe.by_name && !self.nameless.is_empty();
            let is_early = now < first.plus_ms(FIRST_ANSWER_MS);
            // Hosts without names answer all the time, and nobody with one ever has: so it is not the network.
            let is_theirs = !is_early && self.answered_at.is_some_and(|at| at > first.plus_ms(FIRST_ANSWER_MS / 2));
            self.doubts.iter_mut().for_each(|doubt| doubt.was_alone = !is_theirs);
            if is_theirs {
                return self.settle(&Probe { by_name: true, ..*probe });
            }
            if is_witnessed || is_early {
                return Findings::default();
            }
        }
        let news = Some(News::Out(failure));
        let by_name = probe.by_name;
        let ours = self.doubts.drain(..).map(|doubt| doubt.url_id).collect();
        self.pause = Some(Pause { since: now, by_name });
        self.next_probe_at = now.plus_ms(FIRST_PAUSE_MS);
        Findings { ours, news, theirs: Vec::new() }
    }
}

/// The hosts met last, each with a URL of it.
#[derive(Debug, Default)]
struct Recent(VecDeque<(Box<str>, String)>);

impl Recent {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is a new one.
    fn note(&mut self, host: &str, url: &str) -> bool {
        if self.0.iter().any(|(known, _)| **known == *host) {
            return false;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((host.into(), url.to_owned()));
        true
    }

    /// URLs of the next hosts in turn, at most so many; `by_name`: of such with names only.
    fn next(&mut self, most: usize, by_name: bool) -> Vec<String> {
        let mut urls = Vec::new();
        for _ in 0..self.0.len() {
            if urls.len() == most {
                break;
            }
            self.0.rotate_left(1);
            let Some((host, url)) = self.0.back() else { break };
            if !by_name || has_name(host) {
                urls.push(url.clone());
            }
        }
        urls
    }
}

/// Whether `host` has a name, for which a resolver is needed; as the URL standard writes hosts.
fn has_name(host: &str) -> bool {
    let is_address = host.starts_with('[') || host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    !is_address && host != "localhost" && !host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT_MS: u64 = 60_000;
    const NOBODY: [(&str, &str); 0] = [];
    const SOMEBODY: Option<(&str, &str)> = Some(("a.test", "http://a.test/"));

    fn at(ms: u64) -> Mono {
        Mono::from_ms(ms)
    }

    fn resolver() -> Failure {
        Failure::new(ErrorClass::Resolver, "cannot resolve")
    }

    fn network() -> Failure {
        Failure::new(ErrorClass::Network, "network is unreachable")
    }

    fn url(host: &str) -> String {
        format!("http://{host}/")
    }

    /// A witness, and a doubt at 100.
    fn doubted(witness: &str, failure: Failure) -> Outage {
        let mut outage = Outage::new(WAIT_MS);
        outage.answered(witness, &url(witness), at(0));
        assert!(!outage.failed(1, "b.test", &url("b.test"), failure, at(90), at(100)));
        outage
    }

    #[test]
    fn while_a_witness_can_be_reached_a_failure_is_the_hosts_own() {
        let mut outage = doubted("a.test", resolver());
        assert_eq!(outage.probe(0, NOBODY.into_iter(), at(100)).unwrap(), [url("a.test"), url("b.test")]);
        assert!(!outage.failed(2, "c.test", &url("c.test"), resolver(), at(110), at(120)));
        assert_eq!(outage.probe(0, NOBODY.into_iter(), at(130)), None, "one at a time");
        let found = outage.probed(0, SOMEBODY, at(140));
        assert_eq!(found, Findings { theirs: vec![(1, resolver())], ..Findings::default() });
        assert!(!outage.is_on());
        assert_eq!(outage.probe(0, NOBODY.into_iter(), at(150)), None, "not so soon");
        assert!(outage.probe(0, NOBODY.into_iter(), at(350)).is_some(), "the second came after the probe had begun");
        assert_eq!(outage.probed(0, SOMEBODY, at(360)).theirs, [(2, resolver())]);
        assert_eq!(outage.probe(0, NOBODY.into_iter(), at(10_000)), None, "nothing is in doubt");
    }

    #[test]
    fn if_no_witness_can_be_reached_failures_count_for_nobody_until_one_can() {
        let mut outage = doubted("a.test", network());
        outage.probe(0, NOBODY.into_iter(), at(100)).unwrap();
        let found = outage.probed(0, None, at(110));
        assert_eq!(found, Findings { ours: vec![1], news: Some(News::Out(network())), ..Findings::default() });
        assert!(outage.is_on() && outage.holds());
        assert!(outage.failed(2, "c.test", &url("c.test"), network(), at(105), at(120)));
        let mut probes = Vec::new();
        for now in (120..60_110).step_by(10) {
            if outage.probe(0, NOBODY.into_iter(), at(now)).is_some() {
                probes.push(now);
                assert_eq!(outage.probed(0, None, at(now)), Findings::default());
            }
            assert!(!outage.is_overdue(at(now)));
        }
        let gaps: Vec<u64> = probes.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.is_sorted() && gaps[0] == FIRST_PAUSE_MS && gaps[gaps.len() - 1] > 10_000, "{gaps:?}");
        outage.probe(0, NOBODY.into_iter(), at(75_000)).unwrap();
        assert!(outage.is_overdue(at(60_110)));
        assert_eq!(outage.probed(0, SOMEBODY, at(75_010)).news, Some(News::Back(74_900)));
        assert!(!outage.is_on() && !outage.holds() && !outage.is_overdue(at(200_000)));
        assert!(
            outage.failed(3, "c.test", &url("c.test"), network(), at(75_000), at(75_020)),
            "it began in the outage"
        );
        assert!(!outage.failed(3, "c.test", &url("c.test"), network(), at(75_020), at(75_030)));
    }

    #[test]
    fn a_host_without_a_name_is_no_witness_for_the_resolver() {
        for address in ["127.0.0.1", "[::1]", "localhost", "a.localhost"] {
            let mut outage = doubted(address, resolver());
            assert_eq!(outage.probe(0, NOBODY.into_iter(), at(100)).unwrap(), [url("b.test")], "{address}");
            let mut outage = doubted(address, network());
            assert_eq!(
                outage.probe(0, NOBODY.into_iter(), at(100)).unwrap(),
                [url(address), url("b.test")],
                "{address}"
            );
        }
    }

    #[test]
    fn before_anybody_has_answered_the_first_to_do_so_is_waited_for() {
        let mut outage = Outage::new(WAIT_MS);
        outage.failed(1, "b.test", &url("b.test"), resolver(), at(90), at(100));
        for now in (100..100 + FIRST_ANSWER_MS).step_by(PROBE_GAP_MS as usize) {
            assert_eq!(outage.probe(0, NOBODY.into_iter(), at(now)).unwrap(), [url("b.test")]);
            assert_eq!(outage.probed(0, None, at(now)), Findings::default());
        }
        outage.probe(0, NOBODY.into_iter(), at(2_100)).unwrap();
        let mut witnessed = doubted("a.test", resolver());
        witnessed.probe(0, NOBODY.into_iter(), at(2_100)).unwrap();
        assert!(outage.probed(0, None, at(2_100)).news.is_some());
        outage.probe(0, NOBODY.into_iter(), at(2_600)).unwrap();
        outage.probed(0, None, at(2_610));
        // It was in flight.
        outage.answered("a.test", &url("a.test"), at(2_620));
        assert_eq!(outage.probe(0, NOBODY.into_iter(), at(2_870)).unwrap(), [url("a.test"), url("b.test")], "at once");
    }

    #[test]
    fn a_name_nobody_knows_beside_addresses_that_answer_is_no_outage() {
        let mut outage = doubted("127.0.0.1", resolver());
        let mut theirs = Vec::new();
        for now in (100..4_000).step_by(PROBE_GAP_MS as usize) {
            outage.answered("127.0.0.1", &url("127.0.0.1"), at(now));
            if outage.probe(0, NOBODY.into_iter(), at(now)).is_some() {
                theirs.extend(outage.probed(0, None, at(now)).theirs);
            }
            assert!(!outage.is_on());
        }
        assert_eq!(theirs, [(1, resolver())]);
    }

    #[test]
    fn a_probe_that_died_with_its_fetcher_is_repeated() {
        let mut outage = doubted("a.test", network());
        outage.probe(0, NOBODY.into_iter(), at(100)).unwrap();
        outage.lost(1);
        assert_eq!(outage.probe(1, NOBODY.into_iter(), at(400)), None);
        outage.lost(0);
        assert!(outage.probe(1, NOBODY.into_iter(), at(401)).is_some());
        assert_eq!(outage.probed(0, None, at(402)), Findings::default(), "not its own");
        assert!(outage.probe(0, NOBODY.into_iter(), at(401 + PROBE_LOST_MS)).is_some(), "no answer");
    }

    #[test]
    fn many_doubts_keep_back_what_would_only_be_doubted_too() {
        let mut outage = doubted("a.test", network());
        outage.probe(0, NOBODY.into_iter(), at(100)).unwrap();
        for url_id in 2..=MANY_DOUBTS as UrlId {
            assert!(!outage.holds());
            outage.failed(url_id, "b.test", &url("b.test"), network(), at(90), at(100));
        }
        assert!(outage.holds() && !outage.is_on());
        assert_eq!(outage.probed(0, SOMEBODY, at(110)).theirs.len(), MANY_DOUBTS);
        assert!(!outage.holds());
    }
}
