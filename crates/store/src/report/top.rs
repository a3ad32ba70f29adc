//! The first few of many by weight, with no more in memory than those.

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Keeps the heaviest; of equal ones those that came first.
#[derive(Clone, Debug)]
pub struct Top<T> {
    most: usize,
    kept: BTreeMap<(u64, Reverse<u64>), T>,
    offered: u64,
}

impl<T> Top<T> {
    /// At most `most` of them.
    pub fn new(most: usize) -> Self {
        Self { most, kept: BTreeMap::new(), offered: 0 }
    }

    /// One more; it is only made if it is kept.
    pub fn offer(&mut self, weight: u64, make: impl FnOnce() -> T) {
        self.offered += 1;
        let key = (weight, Reverse(self.offered));
        let is_full = self.kept.len() >= self.most;
        if is_full && self.kept.first_key_value().is_none_or(|(lightest, _)| key < *lightest) {
            return;
        }
        self.kept.insert(key, make());
        if is_full {
            self.kept.pop_first();
        }
    }

    /// How many were offered.
    pub fn offered(&self) -> u64 {
        self.offered
    }

    /// Those that were kept, with their weights, the heaviest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        self.kept.iter().rev().map(|((weight, _), kept)| (*weight, kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heaviest_are_kept_and_of_equal_ones_the_first() {
        let mut top = Top::new(3);
        for (weight, name) in [(1, "a"), (5, "b"), (3, "c"), (5, "d"), (3, "e"), (0, "f")] {
            top.offer(weight, || name);
        }
        assert_eq!(top.iter().collect::<Vec<_>>(), [(5, &"b"), (5, &"d"), (3, &"c")]);
        assert_eq!(top.offered(), 6);
        let mut none = Top::new(0);
        none.offer(1, || panic!("nothing is kept"));
        assert_eq!(none.iter().count(), 0);
    }
}
