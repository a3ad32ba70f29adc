//! Which fetcher a host lives in.
//!
//! A host lives in exactly one slot at a time, so its pace is exact without any talk between processes. New hosts go
//! to the slot with the fewest; a slot that runs dry is given one by [`super::frontier`].

use crate::protocol::Slot;

/// Hosts per slot.
#[derive(Debug)]
pub struct Partition {
    hosts: Vec<usize>,
}

impl Partition {
    /// No hosts in `slots` slots.
    pub fn new(slots: usize) -> Self {
        Self { hosts: vec![0; slots] }
    }

    /// A slot for a new host.
    pub fn settle(&mut self) -> Slot {
        let slot = (0..self.hosts.len()).min_by_key(|&slot| self.hosts[slot]).unwrap_or(0);
        self.hosts[slot] += 1;
        slot as Slot
    }

    /// A host went from one slot to another.
    pub fn moved(&mut self, from: Slot, to: Slot) {
        self.left(from);
        self.hosts[usize::from(to)] += 1;
    }

    /// A host was forgotten.
    pub fn left(&mut self, slot: Slot) {
        self.hosts[usize::from(slot)] -= 1;
    }
}
