//! Proxies take turns, and rest when they fail.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use tokio::time::Instant;
use url::Url;

use seine_core::policy::Proxies;
use seine_core::values::ProxyUrl;

/// Rest of a proxy after its first failure; each further one doubles it.
const FIRST_REST: Duration = Duration::from_secs(10);

/// Longest rest.
const LONGEST_REST: Duration = Duration::from_secs(300);

/// All proxies met so far.
pub(super) struct Rotation {
    common: Vec<ProxyUrl>,
    /// Says of which hosts `NO_PROXY` keeps proxies away.
    environment: Matcher,
    states: Mutex<States>,
}

#[derive(Default)]
struct States {
    /// Counts turns.
    turn: u64,
    of: HashMap<ProxyUrl, State>,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// Its last turn.
    used: u64,
    rest: Duration,
    rests_until: Option<Instant>,
}

impl State {
    fn is_resting(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|until| until > now)
    }
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotation").field("common", &self.common).finish_non_exhaustive()
    }
}

impl Rotation {
    /// Turns among `common`, but for the hosts of `no_proxy` (the value of `NO_PROXY`: names, addresses, networks).
    pub(super) fn new(common: Vec<ProxyUrl>, no_proxy: &str) -> Self {
        // It only matters whether any proxy matches, not which one.
        let environment = Matcher::builder().all("http://any.invalid").no(no_proxy).build();
        Self { common, environment, states: Mutex::default() }
    }

    /// The proxies for `url`; none: a direct connection.
    pub(super) fn of<'a>(&'a self, url: &Url, proxies: &'a Proxies) -> &'a [ProxyUrl] {
        let list = match proxies {
            Proxies::Common => &self.common,
            Proxies::These(list) => list,
        };
        let bypassed = || url.as_str().parse::<Uri>().is_ok_and(|uri| self.environment.intercept(&uri).is_none());
        if list.is_empty() || bypassed() { &[] } else { list }
    }

    /// The one of `list` whose turn it is, without those `tried` already. Where all rest, the one that has rested
    /// longest gets a first try: better a poor chance than none.
    pub(super) fn next<'a>(&self, list: &'a [ProxyUrl], tried: &[&ProxyUrl]) -> Option<&'a ProxyUrl> {
        let mut states = self.lock();
        let now = Instant::now();
        let state = |proxy: &ProxyUrl| states.of.get(proxy).copied().unwrap_or_default();
        let untried = list.iter().filter(|proxy| !tried.contains(proxy)).map(|proxy| (proxy, state(proxy)));
        let awake = untried.clone().filter(|(_, state)| !state.is_resting(now)).min_by_key(|(_, state)| state.used);
        let chosen = match awake {
            None if tried.is_empty() => untried.min_by_key(|(_, state)| state.rests_until)?.0,
            None => return None,
            Some((proxy, _)) => proxy,
        };
        states.turn += 1;
        let turn = states.turn;
        states.of.entry(chosen.clone()).or_default().used = turn;
        Some(chosen)
    }

    /// `proxy` has led to an answer.
    pub(super) fn works(&self, proxy: &ProxyUrl) {
        if let Some(state) = self.lock().of.get_mut(proxy) {
            (state.rest, state.rests_until) = (Duration::ZERO, None);
        }
    }

    /// `proxy` has failed: it has to rest.
    pub(super) fn fails(&self, proxy: &ProxyUrl) {
        let mut states = self.lock();
        let state = states.of.entry(proxy.clone()).or_default();
        let now = Instant::now();
        // A request that fails while the proxy rests began before: it is the same trouble, seen twice.
        if !state.is_resting(now) {
            state.rest = (state.rest * 2).clamp(FIRST_REST, LONGEST_REST);
            state.rests_until = Some(now + state.rest);
            tracing::info!(%proxy, rest = ?state.rest, "a proxy fails; others take its turns");
        }
    }

    fn lock(&self) -> MutexGuard<'_, States> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<ProxyUrl> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn turns(rotation: &Rotation, list: &[ProxyUrl], count: usize) -> Vec<String> {
        let turn = |_| rotation.next(list, &[]).unwrap().url().host_str().unwrap().to_owned();
        (0..count).map(turn).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn proxies_take_turns_and_rest_longer_each_time() {
        let (rotation, all) = (Rotation::new(Vec::new(), ""), list(&["a", "b", "c"]));
        assert_eq!(turns(&rotation, &all, 4), ["a", "b", "c", "a"]);
        rotation.fails(&all[1]);
        // Failures of requests that were under way change nothing.
        rotation.fails(&all[1]);
        assert_eq!(turns(&rotation, &all, 3), ["c", "a", "c"]);
        tokio::time::advance(FIRST_REST).await;
        assert_eq!(turns(&rotation, &all, 1), ["b"]);
        rotation.fails(&all[1]);
        tokio::time::advance(FIRST_REST).await;
        assert_eq!(turns(&rotation, &all, 3), ["a", "c", "a"]);
        for _ in 0..10 {
            tokio::time::advance(LONGEST_REST).await;
            rotation.fails(&all[1]);
        }
        tokio::time::advance(LONGEST_REST).await;
        assert_eq!(turns(&rotation, &all, 1), ["b"]);
        rotation.works(&all[1]);
        rotation.fails(&all[1]);
        tokio::time::advance(FIRST_REST).await;
        assert_eq!(turns(&rotation, &all, 3), ["c", "a", "b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_tried_once_and_one_even_if_all_rest() {
        let (rotation, all) = (Rotation::new(Vec::new(), ""), list(&["a", "b"]));
        let first = rotation.next(&all, &[]).unwrap();
        let second = rotation.next(&all, &[first]).unwrap();
        assert!(first != second && rotation.next(&all, &[first, second]).is_none());
        rotation.fails(&all[1]);
        tokio::time::advance(Duration::from_secs(1)).await;
        rotation.fails(&all[0]);
        assert_eq!(rotation.next(&all, &[]), Some(&all[1]));
        assert_eq!(rotation.next(&all, &[&all[1]]), None);
    }

    #[test]
    fn rules_come_before_the_common_ones_and_no_proxy_before_both() {
        let rotation = Rotation::new(list(&["common.test"]), "direct.test, 10.0.0.0/8,fd00::1");
        let these = Proxies::These(list(&["own.test"]));
        let of = |url: &str, proxies: &Proxies| rotation.of(&url.parse().unwrap(), proxies).to_vec();
        assert_eq!(of("https://a.test/", &Proxies::Common), list(&["common.test"]));
        assert_eq!(of("https://a.test/", &these), list(&["own.test"]));
        assert_eq!(of("http://a.test/", &Proxies::These(Vec::new())), []);
        for direct in
            ["http://direct.test/", "https://www.direct.test:8443/x?y", "http://10.1.2.3/", "http://[fd00::1]/"]
        {
            assert_eq!((of(direct, &Proxies::Common), of(direct, &these)), (vec![], vec![]), "{direct}");
        }
        assert_eq!(Rotation::new(list(&["p"]), "*").of(&"http://a.test/".parse().unwrap(), &Proxies::Common), []);
    }
}
