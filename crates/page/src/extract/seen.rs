//! Which strings were there before: numbers them in order of appearance.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

/// A table that grew beyond this is given back after the page.
const KEPT_STRINGS: usize = 2 * 1024;

/// The numbers of strings by their hashes; the strings themselves stay with the caller. The hash is keyed at random, so
/// that no page can choose strings that collide.
#[derive(Default)]
pub struct Seen {
    keys: RandomState,
    numbers: HashTable<(u32, u64)>,
}

impl Seen {
    /// Forgets all strings.
    pub fn clear(&mut self) {
        if self.numbers.capacity() > KEPT_STRINGS {
            self.numbers = HashTable::new();
        }
        self.numbers.clear();
    }

    /// Whether `string` is new; it then has the next number. `string_at` gives the string with a number.
    pub fn is_new<'s>(&mut self, string: &str, string_at: impl Fn(usize) -> &'s str) -> bool {
        let hash = self.keys.hash_one(string);
        let is_it = |&(number, known): &(u32, u64)| known == hash && string_at(number as usize) == string;
        if self.numbers.find(hash, is_it).is_some() {
            return false;
        }
        let number = self.numbers.len() as u32;
        self.numbers.insert_unique(hash, (number, hash), |(_, hash)| *hash);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_string_is_new_once() {
        let mut seen = Seen::default();
        for _ in 0..2 {
            let mut strings: Vec<String> = Vec::new();
            for round in 0..2 {
                for number in 0..20_000 {
                    let string = format!("string {number}");
                    assert_eq!(seen.is_new(&string, |at| strings[at].as_str()), round == 0);
                    if round == 0 {
                        strings.push(string);
                    }
                }
            }
            seen.clear();
        }
    }
}
