//! The order of a host's URLs, and the budgets of what pages name.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::found::{START, follow_all, follow_by, list, naming};
use super::*;
use crate::order::{Budget, Order};
use seine_core::protocol::Position;

/// A value is the number of URLs' dots behind the host; budgets by the beginning of a path, and by depth.
#[derive(Debug, Default)]
struct Rules {
    ranks: &'static str,
    paths: &'static [(&'static str, u64)],
    depths: &'static [(u32, u64)],
    text: String,
}

fn rules(ranks: &'static str, paths: &'static [(&'static str, u64)], depths: &'static [(u32, u64)]) -> Rules {
    let text = if paths.is_empty() && depths.is_empty() { String::new() } else { format!("{paths:?}{depths:?}") };
    Rules { ranks, paths, depths, text }
}

impl Order for Rules {
    fn priorities(&self) -> &str {
        self.ranks
    }

    fn priority(&self, url: &str) -> i32 {
        if !self.ranks.is_empty() && url.contains(self.ranks) { 10 } else { 0 }
    }

    fn budgets(&self) -> &str {
        &self.text
    }

    fn budgets_of(&self, _: &str, url: &str, depth: u32) -> Vec<Budget> {
        let path = url.splitn(4, '/').nth(3).unwrap_or_default();
        let paths = self.paths.iter().filter(|(start, _)| path.starts_with(start));
        let paths = paths.map(|(name, urls)| Budget { name: (*name).to_owned(), urls: *urls, is_of_host: true });
        let depths = self.depths.iter().filter(|(of, _)| *of == depth);
        let depths = depths.map(|(of, urls)| Budget { name: format!("depth {of}"), urls: *urls, is_of_host: false });
        paths.chain(depths).collect()
    }
}

fn open(place: &Place, rules: Rules) -> Store {
    follow_by(place, None, super::found::ALL, Some(Arc::new(rules)))
}

/// Rules whose process is killed when they have been asked so often.
#[derive(Debug)]
struct Dying {
    rules: Rules,
    left: AtomicU64,
}

impl Dying {
    fn live(&self) {
        let left = self.left.fetch_sub(1, Ordering::Relaxed);
        assert_ne!(left, 0, "killed");
    }
}

impl Order for Dying {
    fn priorities(&self) -> &str {
        self.rules.priorities()
    }

    fn priority(&self, url: &str) -> i32 {
        self.live();
        self.rules.priority(url)
    }

    fn budgets(&self) -> &str {
        self.rules.budgets()
    }

    fn budgets_of(&self, host: &str, url: &str, depth: u32) -> Vec<Budget> {
        self.live();
        self.rules.budgets_of(host, url, depth)
    }
}

/// URLs of the first host in the order in which they are asked for, and the elders that come along.
fn pulled(store: &mut Store, limit: u32) -> [Vec<UrlId>; 2] {
    let pull = Pull { refills: vec![(1, Position::START, limit)], ..Pull::default() };
    let host = store.pull(&pull).expect("a pull").0.remove(0);
    [host.urls, host.elders].map(|urls| urls.iter().map(|candidate| candidate.url_id).collect())
}

fn rows(place: &Place) -> Vec<String> {
    place.rows("SELECT substr(url, 18), outcome, error_message FROM pages WHERE outcome = 'skipped' ORDER BY url")
}

#[test]
fn what_has_a_higher_value_is_asked_for_first_and_the_rest_is_not_forgotten() {
    let place = Place::new();
    let mut store = open(&place, rules("/shop/", &[], &[]));
    list(&mut store, &[START, "http://a.example/x", "http://a.example/shop/1"]);
    assert_eq!(pulled(&mut store, 100), [vec![3, 1, 2], vec![]]);
    let named: Vec<_> = (2..30).map(|number| format!("http://a.example/shop/{number}")).collect();
    let named: Vec<_> = named.iter().map(String::as_str).chain(["http://a.example/y"]).collect();
    put(&mut store, &naming(1, START, 0, &named));
    assert_eq!(store.growth().hosts, [(1, -10)]);
    let [urls, elders] = pulled(&mut store, 16);
    assert_eq!((urls, elders), ((3..=18).collect(), vec![2]));
    // Another run of the program with other rules, and one with none.
    store.close();
    let mut store = open(&place, rules("/y", &[], &[]));
    assert_eq!(pulled(&mut store, 2)[0], [32, 2]);
    store.close();
    let mut store = open(&place, Rules::default());
    assert_eq!(pulled(&mut store, 3)[0], [2, 3, 4]);
}

#[test]
fn a_budget_is_exact_and_a_higher_one_lets_in_what_was_found_first() {
    let place = Place::new();
    let mut store = open(&place, rules("", &[("", 6), ("blog/", 2)], &[]));
    list(&mut store, &[START]);
    let blog = ["http://a.example/blog/1", "http://a.example/blog/2", "http://a.example/blog/3", "http://b.example/x"];
    put(&mut store, &naming(1, START, 0, &blog));
    put(&mut store, &naming(2, blog[0], 1, &["http://a.example/blog/4", "http://a.example/1", "http://a.example/2"]));
    put(&mut store, &naming(3, blog[1], 1, &["http://a.example/3", "http://a.example/4"]));
    let beyond = ["4|skipped|budget: = 6", "blog/3|skipped|budget:blog/ = 2", "blog/4|skipped|budget:blog/ = 2"];
    assert_eq!((rows(&place), store.pending()), (beyond.map(str::to_owned).to_vec(), 3));
    store.close();
    // The same once more, and then another one: what was found first comes in first, and nothing twice.
    let store = open(&place, rules("", &[("", 6), ("blog/", 2)], &[]));
    assert_eq!(store.pending(), 3);
    store.close();
    let store = open(&place, rules("", &[("", 8), ("blog/", 3)], &[]));
    assert_eq!((rows(&place), store.pending()), (vec!["blog/4|skipped|budget:blog/ = 2".to_owned()], 5));
    assert_eq!(place.rows("SELECT sum(urls) FROM total WHERE outcome = 6"), ["1"]);
    store.close();
    // A lower one skips what is still pending.
    let mut store = open(&place, rules("", &[("", 6)], &[]));
    assert_eq!(store.pending(), 3);
    // What a list names comes in.
    list(&mut store, &[START, "http://a.example/4", "http://a.example/9"]);
    follow_all(&mut store);
    assert_eq!(store.pending(), 5);
    store.close();
    let store = open(&place, Rules::default());
    assert_eq!((rows(&place), store.pending()), (Vec::new(), 7));
    assert_eq!(place.rows("SELECT count(*) FROM spent"), ["0"]);
}

#[test]
fn a_budget_of_a_depth_has_room_for_what_is_found_to_be_nearer() {
    let place = Place::new();
    let mut store = open(&place, rules("", &[], &[(2, 1)]));
    list(&mut store, &[START, "http://a.example/0"]);
    put(&mut store, &naming(1, START, 0, &["http://a.example/1"]));
    put(
        &mut store,
        &naming(3, "http://a.example/1", 1, &["http://a.example/3", "http://a.example/4", "http://a.example/5"]),
    );
    assert_eq!(rows(&place), ["4|skipped|budget:depth 2 = 1", "5|skipped|budget:depth 2 = 1"]);
    put(&mut store, &naming(2, "http://a.example/0", 0, &["http://a.example/5"]));
    assert_eq!((rows(&place), store.pending()), (vec!["4|skipped|budget:depth 2 = 1".to_owned()], 2));
}

#[test]
fn a_later_run_keeps_to_a_budget_too() {
    let place = Place::new();
    let budget = || rules("", &[("", 2)], &[]);
    let mut store = open(&place, budget());
    list(&mut store, &[START]);
    let named = ["http://a.example/1", "http://a.example/2"];
    put(&mut store, &naming(1, START, 0, &named));
    put(&mut store, &naming(2, named[0], 1, &[]));
    store.end(EndedBy::Completed).expect("the end");
    let mut store = open(&place, budget());
    list(&mut store, &[START]);
    put(&mut store, &naming(1, START, 0, &named));
    put(&mut store, &naming(2, named[0], 1, &[]));
    follow_all(&mut store);
    assert_eq!(store.pending(), 0);
    // A page that is gone leaves room for another one in the run after that.
    store.end(EndedBy::Completed).expect("the end");
    let mut store = open(&place, budget());
    list(&mut store, &[START]);
    put(&mut store, &naming(1, START, 0, &named[1..]));
    follow_all(&mut store);
    store.end(EndedBy::Completed).expect("the end");
    let store = open(&place, budget());
    assert_eq!((rows(&place), store.pending()), (Vec::new(), 1));
}

#[test]
fn a_budget_holds_for_what_is_to_be_tried_again_unless_a_list_names_it() {
    for ended_by in [EndedBy::Completed, EndedBy::Limit] {
        let place = Place::new();
        let budget = || rules("", &[("", 2)], &[]);
        let mut store = open(&place, budget());
        list(&mut store, &[START]);
        let named = ["http://a.example/1", "http://a.example/2", "http://a.example/3"];
        put(&mut store, &naming(1, START, 0, &named));
        put(&mut store, &naming(2, named[0], 1, &[]));
        store.end(ended_by).expect("the end");
        let beyond = ["2|skipped|budget: = 2", "3|skipped|budget: = 2"].map(str::to_owned).to_vec();
        assert_eq!(rows(&place), beyond);
        let mut db = open_for_writing(&place.path).expect("a store");
        assert_eq!(retry::make_pending(&mut db, "error = 'budget'").expect("URLs"), 2);
        drop(db);
        let mut store = open(&place, budget());
        assert_eq!((rows(&place), store.pending()), (beyond, 0), "{ended_by:?}");
        if ended_by == EndedBy::Completed {
            continue;
        }
        list(&mut store, &[START, named[2]]);
        follow_all(&mut store);
        assert_eq!(store.pending(), 1);
        // Without a budget they come.
        let mut db = open_for_writing(&place.path).expect("a store");
        assert_eq!(retry::make_pending(&mut db, "error = 'budget'").expect("URLs"), 1);
        drop(db);
        store.close();
        assert_eq!(open(&place, Rules::default()).pending(), 2);
    }
}

#[test]
fn rules_that_are_laid_step_by_step_go_on_where_a_kill_has_left_them() {
    let prepared = || {
        let place = Place::new();
        let mut store = open(&place, rules("", &[("", 40)], &[]));
        list(&mut store, &[START]);
        let named: Vec<_> = (2..32).map(|number| format!("http://a.example/{number}")).collect();
        put(&mut store, &naming(1, START, 0, &named.iter().map(String::as_str).collect::<Vec<_>>()));
        for number in 2..12 {
            put(&mut store, &naming(number, &named[number as usize - 2], 1, &[]));
        }
        store.close();
        place
    };
    let state = "SELECT url_id, outcome, rank FROM url UNION ALL SELECT budget, urls, NULL FROM spent";
    let by = || rules("/1", &[("", 20)], &[]);
    let expected = {
        let place = prepared();
        open(&place, by()).close();
        place.rows(state)
    };
    assert!(expected.iter().any(|row| row.ends_with("|6|0")) && expected.iter().any(|row| row.ends_with("|-10")));
    for kills in [&[4][..], &[33, 3], &[10, 10, 10, 10], &[60, 1, 1]] {
        let place = prepared();
        let order = |left| Arc::new(Dying { rules: by(), left: AtomicU64::new(left) });
        for left in kills {
            let run = || follow_by(&place, None, super::found::ALL, Some(order(*left)));
            assert!(catch_unwind(AssertUnwindSafe(run)).is_err(), "{left} of {kills:?}");
        }
        // Whoever goes on has less to do.
        let rest = order(1000);
        follow_by(&place, None, super::found::ALL, Some(rest.clone())).close();
        let asked = 1000 - rest.left.load(Ordering::Relaxed);
        assert_eq!(place.rows(state), expected, "{kills:?}");
        assert!(kills == [4] || asked < 60, "{asked} after {kills:?}");
        assert_eq!(place.rows("SELECT count(*) FROM order_rule WHERE kind LIKE 'laying%'"), ["0"]);
    }
}
