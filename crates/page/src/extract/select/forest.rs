//! A forest of decision trees: what `crates/page/model/train.py` has learned, and how it is asked.
//!
//! Two forests stand one after the other in `model.bin`. Each is: a number of trees (u16), then for each tree the number
//! of its forks (u16), the forks (index of a number u8, bound f32, two branches i16) and its leaves (f32). A branch of 0
//! and above is a fork, one below 0 the leaf of that number's complement. All little-endian. A hash of the names of the
//! numbers (u64) comes first: a test holds it to the names that the program has.

use std::sync::LazyLock;

/// Of both passes.
pub(super) static MODEL: LazyLock<Model> = LazyLock::new(|| {
    Model::read(include_bytes!("model.bin")).expect("the table is part of the program, a test reads it")
});

/// Two forests.
pub(super) struct Model {
    /// Hash of the names of the numbers that the second one asks for; those of the first come first among them.
    #[cfg(test)]
    pub names: u64,
    pub first: Forest,
    pub second: Forest,
}

/// Trees whose answers are added up.
pub(super) struct Forest {
    forks: Vec<Fork>,
    leaves: Vec<f32>,
    /// Where each tree begins: a fork, and the first of its leaves.
    trees: Vec<(u32, u32)>,
}

#[derive(Clone, Copy)]
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
        let first = Forest::read(&mut bytes)?;
        let second = Forest::read(&mut bytes)?;
        bytes.is_empty().then_some(Self {
            #[cfg(test)]
            names: _names,
            first,
            second,
        })
    }
}

impl Forest {
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        let mut forest = Self { forks: Vec::new(), leaves: Vec::new(), trees: Vec::new() };
        for _ in 0..u16::from_le_bytes(take(bytes)?) {
            forest.trees.push((forest.forks.len() as u32, forest.leaves.len() as u32));
            let forks = u16::from_le_bytes(take(bytes)?);
            if forks == 0 || forks > i16::MAX as u16 {
                return None;
            }
            for _ in 0..forks {
                let [number] = take(bytes)?;
                let bound = f32::from_le_bytes(take(bytes)?);
                let branches = [i16::from_le_bytes(take(bytes)?), i16::from_le_bytes(take(bytes)?)];
                // Forks lead to later ones alone, so that each tree ends.
                let (own, at) = (forks as i16, forest.forks.len() as i16 - forest.trees.last()?.0 as i16);
                if branches.iter().any(|branch| *branch >= own || *branch < -own - 1 || (0..=at).contains(branch)) {
                    return None;
                }
                forest.forks.push(Fork { bound, branches, number });
            }
            for _ in 0..=forks {
                forest.leaves.push(f32::from_le_bytes(take(bytes)?));
            }
        }
        Some(forest)
    }

    /// The probability that these numbers are those of main text. A number that is missing counts as 0.
    pub fn probability(&self, numbers: &[f32]) -> f32 {
        let mut sum = 0.0;
        for &(forks, leaves) in &self.trees {
            let mut at = 0_i16;
            while let Some(fork) = self.forks.get(forks as usize + at as usize) {
                let number = numbers.get(usize::from(fork.number)).copied().unwrap_or_default();
                at = fork.branches[usize::from(number > fork.bound)];
                if at < 0 {
                    sum += self.leaves[leaves as usize + !at as usize];
                    break;
                }
            }
        }
        1.0 / (1.0 + (-sum).exp())
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
        for (row, probability) in [([1.5, 9.0], 0.0), ([2.0, -2.0], 0.5), ([2.0, 0.0], 1.0)] {
            assert!((forest.probability(&row) - probability).abs() < 0.001, "{row:?}");
        }
        assert!(Forest::read(&mut &table[..table.len() - 1]).is_none());
        // A fork that leads to itself.
        table[9] = 0;
        table[10] = 0;
        assert!(Forest::read(&mut &table[..]).is_none());
    }
}
