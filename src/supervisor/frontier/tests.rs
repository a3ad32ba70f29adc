use super::pull::{FIRST_DEPTH, LONGEST_SWEEP_PAUSE_MS};
use super::*;
use seine_core::protocol::{Candidate, HostCandidates, HostId, Position};
use seine_core::time::{Now, Wall};

/// Both clocks show `ms`.
fn now(ms: u64) -> Now {
    Now { mono: Mono::from_ms(ms), wall: Wall::from_ms(ms) }
}

const FIRST: Mono = Mono::from_ms(1);
const LIMITS: HostLimits =
    HostLimits { delay_ms: 0, window: 100, urls: 0, places: 4, longest_pause_ms: 10_000, shared: false };

fn frontier() -> Frontier {
    let room = Room { urls: 1000, hosts_per_pull: 8 };
    Frontier::new(Partition::new(1), LimitsOf::all(LIMITS), 5, room)
}

fn host(host_id: HostId, url_ids: std::ops::Range<UrlId>, more: bool) -> HostCandidates {
    let candidate = |url_id| Candidate {
        url_id,
        rank: 0,
        url: format!("http://h{host_id}/{url_id}"),
        attempts: 0,
        forgiven: 0,
        due_at: 0,
        validators: None,
        place: seine_core::protocol::Place::default(),
        archived: None,
    };
    let urls = url_ids.map(candidate).collect();
    HostCandidates { host_id, host: format!("h{host_id}"), hold_until: 0, urls, elders: Vec::new(), more }
}

fn lease_all(frontier: &mut Frontier) -> Vec<HostRef> {
    let demand = Demand { slot: 0, room: 1000, allowance: &mut u64::MAX.clone(), asked_at: None };
    let leases = frontier.lease(demand, FIRST);
    leases.iter().flat_map(|(at, lease)| lease.jobs.iter().map(|_| *at)).collect()
}

fn lease_at(frontier: &mut Frontier, now: u64) -> usize {
    let demand = Demand { slot: 0, room: 1000, allowance: &mut u64::MAX.clone(), asked_at: None };
    frontier.lease(demand, Mono::from_ms(now)).iter().map(|(_, lease)| lease.jobs.len()).sum()
}

#[test]
fn a_sweep_passes_over_hosts_that_are_here_unless_nothing_is_left() {
    let mut frontier = frontier();
    let first = frontier.pull(9, FIRST).unwrap().sweep.unwrap();
    assert_eq!((first.after, first.but.len()), (0, 0));
    frontier.pulled(vec![host(1, 10..12, false), host(2, 20..22, false)], Swept::Round, |_| false, now(1));
    let next = frontier.pull(9, FIRST).unwrap().sweep.unwrap();
    assert_eq!(next.but, [1, 2]);
    frontier.pulled(Vec::new(), Swept::Round, |_| false, now(1));
    lease_all(&mut frontier);
    let later = FIRST.plus_ms(LONGEST_SWEEP_PAUSE_MS);
    assert!(frontier.pull(9, later).unwrap().sweep.unwrap().but.is_empty());
}

#[test]
fn a_host_that_has_run_dry_is_asked_for_again_if_the_store_has_grown_meanwhile() {
    let mut frontier = frontier();
    frontier.pull(9, FIRST).unwrap();
    frontier.pulled(vec![host(1, 10..12, false)], Swept::Round, |_| false, now(1));
    let leased = lease_all(&mut frontier);
    frontier.closed(leased[0], 0, FIRST);
    assert_eq!(frontier.pull(9, FIRST).unwrap().refills, []);
    frontier.pulled(Vec::new(), Swept::Round, |_| false, now(1));
    frontier.store_grew(false);
    frontier.closed(leased[1], 0, FIRST);
    // After what it has had: new URLs have greater ids.
    assert_eq!(frontier.pull(9, FIRST).unwrap().refills, [(1, Position { rank: 0, url_id: 11 }, FIRST_DEPTH)]);
    // The answer is lost with the writer, and what it had committed may have been pending before.
    frontier.pull_lost();
    assert_eq!(frontier.pull(9, FIRST).unwrap().refills, [(1, Position::START, FIRST_DEPTH)]);
    frontier.pulled(vec![host(1, 30..31, false)], Swept::Nothing, |_| false, now(1));
    assert_eq!(lease_all(&mut frontier).len(), 1);
}

#[test]
fn waits_of_the_store_are_bounded_whatever_the_clock_says_now() {
    const DAY: u64 = 86_400_000;
    for (hold_until, due_at, attempts, bound) in [
        // The clock was a day ahead when these were written.
        (DAY + 8_000, 0, 1, 10_000),
        (0, DAY + 8_000, 1, 10_000),
        (DAY + 8_000, DAY + 500, 1, 10_000),
        // A backoff may be longer than what a site may ask for.
        (0, DAY + 50_000, 9, 60_000),
        (8_000, 0, 1, 8_000),
        (0, 500, 1, 500),
    ] {
        let mut frontier = frontier();
        frontier.pull(9, FIRST).unwrap();
        let mut candidates = HostCandidates { hold_until, ..host(1, 10..11, false) };
        (candidates.urls[0].due_at, candidates.urls[0].attempts) = (due_at, attempts);
        let began = Now { mono: FIRST, wall: Wall::from_ms(0) };
        frontier.pulled(vec![candidates], Swept::Round, |_| false, began);
        frontier.tick(Mono::from_ms(bound));
        assert_eq!(lease_at(&mut frontier, bound), 0, "{hold_until} {due_at}");
        frontier.tick(Mono::from_ms(1 + bound));
        assert_eq!(lease_at(&mut frontier, 1 + bound), 1, "{hold_until} {due_at}");
    }
}

#[test]
fn a_round_of_several_pulls_over_hosts_that_have_had_their_limits_ends_the_run() {
    const HOSTS: HostId = 200;
    const URLS_OF_EACH: u32 = 2;
    let limits = HostLimits { urls: 1, ..LIMITS };
    let room = Room { urls: 1000, hosts_per_pull: 8 };
    let mut frontier = Frontier::new(Partition::new(1), LimitsOf::all(limits), 5, room);
    let mut cut_short = 0;
    for now in (1..100).map(|n| now(n * LONGEST_SWEEP_PAUSE_MS)) {
        if let Some(pull) = frontier.pull(9, now.mono) {
            let sweep = pull.sweep.unwrap();
            let most = sweep.hosts.min(sweep.urls / URLS_OF_EACH) as usize;
            let next: Vec<_> = (sweep.after + 1..=HOSTS).take(most).collect();
            let reached = next.last().copied().filter(|last| *last < HOSTS);
            cut_short += usize::from(reached.is_some());
            let hosts = next.into_iter().map(|id| host(id, id * 10 + 1..id * 10 + 3, false)).collect();
            frontier.pulled(hosts, reached.map_or(Swept::Round, Swept::UpTo), |_| false, now);
        }
        lease_all(&mut frontier).into_iter().for_each(|at| frontier.closed(at, 0, now.mono));
        frontier.tick(now.mono);
        if frontier.is_spent() {
            assert!(cut_short > 0, "the round was of one pull");
            return;
        }
    }
    panic!("it is never spent");
}

#[test]
fn the_answer_of_a_sweep_is_not_taken_for_one_that_a_host_still_waits_for() {
    let mut frontier = frontier();
    frontier.pull(9, FIRST).unwrap();
    frontier.pulled(vec![host(1, 50..52, false)], Swept::Round, |_| false, now(1));
    let leased = lease_all(&mut frontier);
    // Nothing is left to lease, so the sweep looks at all hosts; then this one is to be asked for as well.
    let sweep = frontier.pull(9, FIRST.plus_ms(LONGEST_SWEEP_PAUSE_MS)).unwrap();
    assert_eq!((sweep.refills.len(), sweep.sweep.unwrap().but.len()), (0, 0));
    frontier.store_grew(true);
    frontier.closed(leased[0], 0, FIRST);
    frontier.pulled(vec![host(1, 1..3, true)], Swept::Round, |_| false, now(1));
    // On from what the sweep has brought, or from the beginning: not from what was known before.
    assert_eq!(frontier.pull(9, FIRST).unwrap().refills, [(1, Position::START, FIRST_DEPTH)]);
}

#[test]
fn urls_that_are_pending_again_are_found_before_those_already_pulled() {
    let mut frontier = frontier();
    frontier.pull(9, FIRST).unwrap();
    frontier.pulled(vec![host(1, 50..52, false)], Swept::Round, |_| false, now(1));
    let leased = lease_all(&mut frontier);
    frontier.store_grew(true);
    frontier.closed(leased[0], 0, FIRST);
    assert_eq!(frontier.pull(9, FIRST).unwrap().refills, [(1, Position::START, FIRST_DEPTH)]);
}

#[test]
fn the_host_that_takes_longest_says_how_long_a_run_takes_at_least() {
    let limits = HostLimits { delay_ms: 500, ..LIMITS };
    let room = Room { urls: 1000, hosts_per_pull: 8 };
    let mut frontier = Frontier::new(Partition::new(1), LimitsOf::all(limits), 5, room);
    assert_eq!(frontier.shortest_ms(10), 0, "nothing is known yet");
    frontier.pull(9, FIRST).unwrap();
    frontier.pulled(vec![host(1, 10..12, false), host(2, 20..30, true)], Swept::Round, |_| false, now(1));
    assert_eq!(frontier.shortest_ms(1000), 10 * 500, "there may be hosts that no sweep has reached");
    frontier.pull(9, FIRST).unwrap();
    frontier.pulled(Vec::new(), Swept::Round, |_| false, now(1));
    assert_eq!(frontier.shortest_ms(1000), (10 + 988) * 500, "all that is not here is of the one host that has more");
    assert!(!lease_all(&mut frontier).is_empty());
    assert_eq!(frontier.shortest_ms(1000), (10 + 988) * 500, "what is leased is not done");
}

/// The ids in the order in which they are leased, one after the other.
fn leased_in_order(frontier: &mut Frontier) -> Vec<UrlId> {
    let mut ids = Vec::new();
    loop {
        let demand = Demand { slot: 0, room: 1, allowance: &mut u64::MAX.clone(), asked_at: None };
        let leases = frontier.lease(demand, FIRST);
        let Some((at, lease)) = leases.first() else { return ids };
        ids.extend(lease.jobs.iter().map(|job| job.url_id));
        frontier.closed(*at, 0, FIRST);
    }
}

#[test]
fn lower_ranks_are_leased_first_and_now_and_then_the_oldest_of_the_others() {
    let mut frontier = frontier();
    frontier.pull(99, FIRST).unwrap();
    let mut candidates = host(1, 10..30, false);
    candidates.urls.iter_mut().filter(|url| url.url_id >= 13).for_each(|url| url.rank = -5);
    candidates.urls.sort_by_key(|url| (url.rank, url.url_id));
    candidates.elders = candidates.urls.split_off(17);
    frontier.pulled(vec![candidates], Swept::Round, |_| false, now(1));
    let mut expected: Vec<_> = (13..30).collect();
    expected.insert(7, 10);
    expected.insert(15, 11);
    expected.push(12);
    assert_eq!(leased_in_order(&mut frontier), expected);
}

#[test]
fn what_has_a_lower_rank_than_all_that_is_queued_is_asked_for_at_once() {
    let mut frontier = frontier();
    frontier.pull(99, FIRST).unwrap();
    frontier.pulled(vec![host(1, 10..26, true)], Swept::Round, |_| false, now(1));
    frontier.hosts_grew(&[(1, 0)], false, FIRST);
    assert!(frontier.pull(99, FIRST).unwrap().refills.is_empty(), "there is enough of such");
    frontier.pulled(Vec::new(), Swept::Round, |_| false, now(1));
    frontier.hosts_grew(&[(1, -3)], false, FIRST);
    assert_eq!(frontier.pull(99, FIRST).unwrap().refills, [(1, Position::START, FIRST_DEPTH)]);
    let mut candidates = host(1, 30..32, false);
    candidates.urls.iter_mut().for_each(|url| url.rank = -3);
    frontier.pulled(vec![candidates], Swept::Nothing, |_| false, now(1));
    assert_eq!(leased_in_order(&mut frontier)[..3], [30, 31, 10]);
}
