//! Which fetcher a host lives in.
//!
//! A host lives in exactly one slot at a time, so its pace is exact without any talk between processes; one without a
//! pace may be shared ([`super::lanes`]). New hosts go to the slot with the fewest; a slot that runs dry is given one by
//! [`super::frontier`]. With cookies, which a site's hosts share, the hosts of a site live together, for good.

use seine_core::protocol::Slot;

/// Hosts per slot.
#[derive(Debug)]
pub struct Partition {
    hosts: Vec<usize>,
    by_site: bool,
}

impl Partition {
    /// No hosts in `slots` slots.
    pub fn new(slots: usize) -> Self {
        Self { hosts: vec![0; slots], by_site: false }
    }

    /// The same, with the hosts of a site (of a registrable domain) in one slot.
    pub fn by_site(slots: usize) -> Self {
        Self { by_site: true, ..Self::new(slots) }
    }

    /// How many slots there are.
    pub fn slots(&self) -> usize {
        self.hosts.len()
    }

    /// Whether hosts stay where they were put.
    pub fn is_fixed(&self) -> bool {
        self.by_site
    }

    /// A slot for the new host called `name`.
    pub fn settle(&mut self, name: &str) -> Slot {
        let slot = if self.by_site {
            let site = psl::domain_str(name).unwrap_or(name);
            let hash = blake3::hash(site.as_bytes());
            usize::from(hash.as_bytes()[0]) * self.hosts.len() / 256
        } else {
            (0..self.hosts.len()).min_by_key(|&slot| self.hosts[slot]).unwrap_or(0)
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_of_a_site_live_together() {
        let mut partition = Partition::by_site(7);
        let slot = partition.settle("www.example.co.uk");
        assert_eq!(partition.settle("shop.example.co.uk"), slot);
        assert_eq!(partition.settle("example.co.uk"), slot);
        let others: std::collections::BTreeSet<_> = (0..50).map(|n| partition.settle(&format!("s{n}.co.uk"))).collect();
        assert!(others.len() > 3, "all in {others:?}");
    }
}
