//! A forest of decision trees: what `crates/page/model/train.py` has learned, and how it is asked.
//!
//! `model.bin` is: a hash of the names of the numbers (u64), which a test holds to the names that the program has; a number
//! of trees (u16); then for each tree the number of its forks (u16), the forks (index of a number u8, bound f32, two branches
//! i16) and its leaves (f32). A branch of 0 and above is a fork, one below 0 the leaf of that number's complement. All
//! little-endian.
//!
//! Several rows go through a tree side by side, each as many steps as the tree is deep: a processor waits for no row's
//! step while it has those of the others, and has nothing to guess.

use std::sync::LazyLock;

/// The one that the program has.
pub(super) static MODEL: LazyLock<Model> = LazyLock::new(|| {
    Model::read(include_bytes!("model.bin")).expect("the table is part of the program, a test reads it")
});

/// Rows that are judged at once.
pub(super) const LANES: usize = 8;

/// The numbers of a row; those that there are not are 0.
pub(super) type Numbers = [f32; 256];

/// A forest, and the names of the numbers that it asks for.
pub(super) struct Model {
    /// Hash of the names.
    #[cfg(test)]
    pub names: u64,
    pub forest: Forest,
}

/// Trees whose answers are added up.
pub(super) struct Forest {
    places: Vec<Place>,
    /// Of each place that is a leaf, what it says.
    answers: Vec<f32>,
    trees: Vec<Tree>,
}

/// The first place of a tree, and the steps to its deepest leaf.
#[derive(Clone, Copy)]
struct Tree {
    root: u16,
    depth: u16,
}

/// A fork or a leaf. From a fork it goes on at `next`, or behind it if the number is above the bound; a leaf, whose bound
/// nothing is above, leads to itself.
#[derive(Clone, Copy)]
struct Place {
    bound: f32,
    next: u16,
    number: u8,
}

/// A fork as the table has it.
struct Fork {
    bound: f32,
    branches: [i16; 2],
    number: u8,
}

/// FNV-1a of `names`, a line each.
#[cfg(test)]
pub(super) fn hash_of<'n>(names: impl IntoIterator<Item = &'n str>) -> u64 {
    let bytes = names.into_iter().flat_map(|name| name.bytes().chain(*b"\n"));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

impl Model {
    fn read(mut bytes: &[u8]) -> Option<Self> {
        let _names = u64::from_le_bytes(take(&mut bytes)?);
        let forest = Forest::read(&mut bytes)?;
        bytes.is_empty().then_some(Self {
            #[cfg(test)]
            names: _names,
            forest,
        })
    }
}

impl Forest {
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let mut forest = Self { places: Vec::new(), answers: Vec::new(), trees: Vec::new() };
        for _ in 0..u16::from_le_bytes(take(bytes)?) {
            let count = u16::from_le_bytes(take(bytes)?);
            if count == 0 || count > i16::MAX as u16 {
                return None;
            }
            let mut forks = Vec::new();
            for at in 0..count as i16 {
                let [number] = take(bytes)?;
                let bound = f32::from_le_bytes(take(bytes)?);
                let branches = [i16::from_le_bytes(take(bytes)?), i16::from_le_bytes(take(bytes)?)];
                // Forks lead to later ones alone, so that each tree ends.
                let own = count as i16;
                if branches.iter().any(|branch| *branch >= own || *branch < -own - 1 || (0..=at).contains(branch)) {
                    return None;
                }
                forks.push(Fork { bound, branches, number });
            }
            let mut leaves = Vec::new();
            for _ in 0..=count {
                leaves.push(f32::from_le_bytes(take(bytes)?));
            }
            forest.plant(&forks, &leaves)?;
        }
        Some(forest)
    }

    /// Adds a tree. `None`: there is no room for it.
    fn plant(&mut self, forks: &[Fork], leaves: &[f32]) -> Option<()> {
        let root = self.leaf(0.0)?;
        let mut depth = 0;
        let mut branches = vec![(root, 0_i16, 0_u16)];
        while let Some((place, branch, above)) = branches.pop() {
            depth = depth.max(above);
            match usize::try_from(branch).ok().map(|fork| forks.get(fork)) {
                None => self.answers[usize::from(place)] = *leaves.get(!branch as usize)?,
                Some(fork) => {
                    let fork = fork?;
                    let (next, behind) = (self.leaf(0.0)?, self.leaf(0.0)?);
                    self.places[usize::from(place)] = Place { bound: fork.bound, next, number: fork.number };
                    branches.extend([(next, fork.branches[0], above + 1), (behind, fork.branches[1], above + 1)]);
                }
            }
        }
        self.trees.push(Tree { root, depth });
        Some(())
    }

    /// One more place, which is a leaf.
    fn leaf(&mut self, answer: f32) -> Option<u16> {
        let number = u16::try_from(self.places.len()).ok()?;
        self.places.push(Place { bound: f32::INFINITY, next: number, number: 0 });
        self.answers.push(answer);
        Some(number)
    }

    /// Of each row, the probability that its numbers are those of main text.
    pub fn probabilities(&self, rows: &[Numbers; LANES]) -> [f32; LANES] {
        let mut sums = [0.0; LANES];
        for tree in &self.trees {
            let mut at = [tree.root; LANES];
            for _ in 0..tree.depth {
                for (at, row) in at.iter_mut().zip(rows) {
                    let place = self.places[usize::from(*at)];
                    *at = place.next + u16::from(row[usize::from(place.number)] > place.bound);
                }
            }
            for (sum, at) in sums.iter_mut().zip(at) {
                *sum += self.answers[usize::from(at)];
            }
        }
        sums.map(|sum| 1.0 / (1.0 + (-sum).exp()))
    }
}

/// The next bytes of a table.
fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_leads_each_row_to_its_leaf_and_a_broken_table_is_refused() {
        let mut table = vec![1, 0, 2, 0];
        for (number, bound, branches) in [(0_u8, 1.5_f32, [-1_i16, 1]), (1, -2.0, [-2, -3])] {
            table.push(number);
            table.extend(bound.to_le_bytes());
            branches.iter().for_each(|branch| table.extend(branch.to_le_bytes()));
        }
        [-10.0_f32, 0.0, 10.0].iter().for_each(|leaf| table.extend(leaf.to_le_bytes()));
        let forest = Forest::read(&mut &table[..]).unwrap();
        let mut rows = [[0.0; 256]; LANES];
        let expected = [([1.5, 9.0], 0.0), ([2.0, -2.0], 0.5), ([2.0, 0.0], 1.0)];
        for (row, (numbers, _)) in rows.iter_mut().zip(expected) {
            row[..2].copy_from_slice(&numbers);
        }
        for (found, (row, probability)) in forest.probabilities(&rows).into_iter().zip(expected) {
            assert!((found - probability).abs() < 0.001, "{row:?}");
        }
        assert!(Forest::read(&mut &table[..table.len() - 1]).is_none());
        // A fork that leads to itself.
        table[9] = 0;
        table[10] = 0;
        assert!(Forest::read(&mut &table[..]).is_none());
    }
}
