//! Texts that all processes of a crawl know: a table of numbers in shared memory, made before the first fork.
//!
//! Most links of a page lead where others led before. The writer notes a URL here once it is committed, and fetchers pass
//! over what is noted, so that it is neither sent nor looked up again. A text has one place: another one takes it over, and
//! the first is then merely looked up once more. Since only what is committed is noted, or
//! would be of no use to anybody, a process killed at any instant leaves nothing to mend.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};

/// Places of the table; each takes eight bytes, and those that were never used take none.
pub const PLACES: usize = 1 << 22;

/// Bits of an entry that hold its rank; the others hold a part of the text's hash.
const RANK_BITS: u32 = 16;
const RANK_MASK: u64 = (1 << RANK_BITS) - 1;

/// See the module. Copies are the same table; it lives as long as the processes.
#[derive(Clone, Debug)]
pub struct Known {
    places: &'static [AtomicU64],
    /// Drawn before the first fork: hostile sites cannot choose texts that meet, and all processes have the same.
    hasher: RandomState,
}

impl Known {
    /// An empty table, shared by this process and all it forks.
    ///
    /// # Errors
    /// Not enough memory.
    pub fn new() -> io::Result<Self> {
        let bytes = NonZeroUsize::new(PLACES * size_of::<AtomicU64>()).expect("a table has places");
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice overlaps nothing.
        let mapped = unsafe { mmap_anonymous(None, bytes, access, MapFlags::MAP_SHARED | MapFlags::MAP_NORESERVE) }?;
        // SAFETY: page-aligned, as long as said, zeroed by the kernel (valid numbers), never unmapped, and changed by other
        // processes through the same atomics only.
        let places = unsafe { std::slice::from_raw_parts(mapped.cast::<AtomicU64>().as_ptr(), PLACES) };
        Ok(Self { places, hasher: RandomState::new() })
    }

    /// Whether `text` was noted with this rank or a lower one.
    pub fn has(&self, text: &str, rank: u32) -> bool {
        let (place, tag) = self.locate(text);
        let entry = place.load(Ordering::Relaxed);
        entry & !RANK_MASK == tag && entry & RANK_MASK <= u64::from(rank)
    }

    /// Notes `text` with its rank; ranks beyond 65,535 are not told apart and never found.
    pub fn note(&self, text: &str, rank: u32) {
        let (place, tag) = self.locate(text);
        if u64::from(rank) <= RANK_MASK {
            place.store(tag | u64::from(rank), Ordering::Relaxed);
        }
    }

    /// The place of a text, and what an entry of it begins with; never 0, which is an empty place.
    fn locate(&self, text: &str) -> (&'static AtomicU64, u64) {
        let hash = self.hasher.hash_one(text);
        let place = &self.places[hash as usize & (PLACES - 1)];
        (place, (hash & !RANK_MASK).max(1 << RANK_BITS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_with_its_rank_and_higher_ones() {
        let known = Known::new().unwrap();
        assert!(!known.has("http://a/", u32::MAX));
        known.note("http://a/", 2);
        assert_eq!([1, 2, 3].map(|rank| known.has("http://a/", rank)), [false, true, true]);
        known.note("http://a/", 1);
        assert!(known.has("http://a/", 1));
        known.note("http://b/", 70_000);
        assert!(!known.has("http://b/", 70_000) && !known.has("http://b/", 0));
    }

    #[test]
    fn copies_are_the_same_table() {
        let known = Known::new().unwrap();
        let other = known.clone();
        std::thread::spawn(move || (0..1000).for_each(|n| other.note(&format!("http://a/{n}"), 0))).join().unwrap();
        // Two of a thousand texts hardly ever meet in four million places, and a lost one is no harm.
        let lost = (0..1000).filter(|n| !known.has(&format!("http://a/{n}"), 0)).count();
        assert!(lost < 5, "{lost} of 1000");
    }
}
