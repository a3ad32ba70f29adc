//! Which strings were there before: numbers them in order of appearance.

use std::hash::{BuildHasher, RandomState};

const FEWEST_SLOTS: usize = 256;
/// A table that grew beyond this is given back after the page.
const KEPT_SLOTS: usize = 4 * 1024;

/// An open-addressed table of numbers; the strings themselves stay with the caller. The hash is keyed at
/// random, so that no page can choose strings that collide.
#[derive(Default)]
pub struct Seen {
    keys: RandomState,
    /// One more than the number of a string; 0 is an empty slot.
    slots: Vec<u32>,
    hashes: Vec<u64>,
}

impl Seen {
    /// Forgets all strings.
    pub fn clear(&mut self) {
        self.hashes.clear();
        if self.slots.len() > KEPT_SLOTS {
            self.slots = Vec::new();
        }
        self.slots.fill(0);
    }

    /// Whether `string` is new; it then has the next number. `string_at` gives the string with a number.
    pub fn is_new<'s>(&mut self, string: &str, string_at: impl Fn(usize) -> &'s str) -> bool {
        if self.slots.len() < 2 * (self.hashes.len() + 1) {
            self.grow();
        }
        let hash = self.keys.hash_one(string);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            match self.slots[slot] as usize {
                0 => {
                    self.hashes.push(hash);
                    self.slots[slot] = self.hashes.len() as u32;
                    return true;
                }
                number if self.hashes[number - 1] == hash && string_at(number - 1) == string => return false,
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    fn grow(&mut self) {
        let len = (2 * self.slots.len()).max(FEWEST_SLOTS);
        self.slots.clear();
        self.slots.resize(len, 0);
        for (number, &hash) in self.hashes.iter().enumerate() {
            let mut slot = hash as usize & (len - 1);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (len - 1);
            }
            self.slots[slot] = number as u32 + 1;
        }
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
