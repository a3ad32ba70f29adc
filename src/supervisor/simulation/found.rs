//! Pages that name others: new ones, and such that an earlier run has fetched. All of them are found, whoever dies.

use super::*;

/// Ids of pages that an earlier run has fetched; lower than those of pages that are new.
const OLD: std::ops::Range<UrlId> = 1000..1040;
/// Ids of pages that are found, by a listed page or by one that was found.
const NEW: UrlId = 2000;
const NEW_BY_NEW: UrlId = 2600;

/// What a commit has made pending.
#[derive(Default)]
pub(super) struct Growth {
    pub hosts: BTreeMap<HostId, i32>,
    pub again: bool,
}

/// The pages that one names.
fn named_by(id: UrlId) -> Vec<UrlId> {
    let mut named = Vec::new();
    match id {
        ..1000 => {
            named.extend((id % 5 == 0).then_some(OLD.start + id / 5).filter(|old| OLD.contains(old)));
            named.extend((id % 3 == 0).then_some(NEW + id));
        }
        1000..2000 => named.push(NEW + 500 + id - OLD.start),
        2000..2600 => named.extend((id % 2 == 0).then_some(NEW_BY_NEW + id - NEW)),
        // Back to where it came from: known already.
        _ => named.push(id - NEW_BY_NEW + NEW),
    }
    named
}

impl World {
    /// The store as an earlier run has left it.
    pub(super) fn lay_old_pages(&mut self) {
        for id in OLD {
            let url = StoredUrl { host: self.host_of_found(id), outcome: Some(Outcome::Ok), attempts: 1, due_at: 0 };
            self.disk.urls.insert(id, url);
            self.disk.old.insert(id);
        }
    }

    fn host_of_found(&self, id: UrlId) -> usize {
        1 + self.list[id as usize % self.list.len()]
    }

    /// The negative of the priority of a page.
    pub(super) fn rank(&self, id: UrlId) -> i32 {
        if self.setup.ranks { [0, -10, 5, 0, -3][id as usize % 5] } else { 0 }
    }

    /// Makes pending what the page names that has just ended.
    pub(super) fn find(&mut self, finder: UrlId, growth: &mut Growth) {
        if !self.setup.follows {
            return;
        }
        for id in named_by(finder) {
            let host = self.host_of_found(id);
            if self.disk.old.remove(&id) {
                let url = self.disk.urls.get_mut(&id).expect("old pages are there");
                (url.outcome, growth.again) = (None, true);
            } else if !self.disk.urls.contains_key(&id) && id >= NEW {
                self.disk.urls.insert(id, StoredUrl { host, outcome: None, attempts: 0, due_at: 0 });
            } else {
                continue;
            }
            let rank = self.rank(id);
            let lowest = growth.hosts.entry(host as HostId).or_insert(rank);
            *lowest = rank.min(*lowest);
        }
    }
}

#[test]
fn what_pages_name_gets_one_outcome_whoever_dies_when() {
    let (mut kills, mut found, mut again) = (0, 0, 0);
    for seed in seeds(60) {
        let setup = Setup { follows: true, ranks: seed % 2 == 0, ..Setup::default() };
        let (mut world, actions) = World::with(seed, setup, Disk::default());
        world.lay_old_pages();
        world.carry_out(actions);
        while world.over.is_none() {
            if world.random.chance(1) && world.random.chance(20) && world.may_kill() {
                let who = match world.random.below(world.fetchers.len() + 1) {
                    0 => Who::Writer,
                    slot => Who::Fetcher(slot as Slot - 1),
                };
                world.murder(who);
            }
            world.step();
        }
        assert_eq!(world.over, Some(EndedBy::Completed), "seed {seed}");
        assert_eq!((world.disk.pending(), world.plan.leased()), (0, 0), "seed {seed}");
        let ok = world.disk.urls.iter().filter(|(_, url)| url.outcome == Some(Outcome::Ok)).map(|(id, _)| *id);
        for id in ok.filter(|id| !world.disk.old.contains(id)).flat_map(named_by) {
            let url = world.disk.urls.get(&id);
            assert!(
                url.is_some_and(|url| url.outcome.is_some()),
                "seed {seed}: {id} is named and not fetched: {url:?}"
            );
            assert!(!world.disk.old.contains(&id), "seed {seed}: {id} is named and was not fetched again");
        }
        kills += world.kills;
        found += world.disk.urls.range(NEW..).count();
        again += OLD.count() - world.disk.old.len();
    }
    assert!(kills > 60 && found > 3000 && again > 300, "{kills} kills, {found} found, {again} again: it tests little");
}
