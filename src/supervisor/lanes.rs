//! The slots a host is asked from: one, or several at once.
//!
//! A host lives in one slot, so that its pace is exact. Where nothing but a number of requests in flight limits it, a
//! slot that has run dry may open a *lane* of it too: each lane has its share of the places, so that the sum is what the
//! host permits. Before a lane opens, the others have to have given up the places that will be its own. Pure.

use seine_core::protocol::Slot;

/// The lanes of one host.
#[derive(Debug)]
pub struct Lanes {
    open: Vec<Lane>,
    /// Into so many shares the places are divided: never fewer than before, for as long as the host is remembered.
    shares: usize,
    opening: Option<Opening>,
}

#[derive(Debug)]
struct Lane {
    slot: Slot,
    leased: u32,
    in_ring: bool,
}

#[derive(Debug)]
struct Opening {
    slot: Slot,
    /// Those that still have places of the new lane.
    waits_for: Vec<Slot>,
}

impl Lanes {
    /// The one lane of a host that lives in `home`.
    pub fn new(home: Slot) -> Self {
        Self { open: vec![Lane { slot: home, leased: 0, in_ring: false }], shares: 1, opening: None }
    }

    /// The slot the host lives in.
    pub fn home(&self) -> Slot {
        self.open[0].slot
    }

    /// A host without leases goes to another slot.
    pub fn move_to(&mut self, slot: Slot) {
        *self = Self::new(slot);
    }

    /// Whether URLs of the host may be leased to `slot`.
    pub fn has(&self, slot: Slot) -> bool {
        self.open.iter().any(|lane| lane.slot == slot)
    }

    /// The slots of all lanes.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        self.open.iter().map(|lane| lane.slot)
    }

    /// How many there are, one that is being opened included.
    pub fn count(&self) -> usize {
        self.open.len() + usize::from(self.opening.is_some())
    }

    /// Whether one is being opened.
    pub fn is_opening(&self) -> bool {
        self.opening.is_some()
    }

    /// URLs that may be leased to `slot` on top of those that are, with a window of `window` each.
    pub fn room(&self, slot: Slot, window: u32) -> u32 {
        self.lane(slot).map_or(0, |lane| window.saturating_sub(lane.leased))
    }

    /// URLs of the host were leased to `slot`.
    pub fn leased(&mut self, slot: Slot, urls: u32) {
        if let Some(lane) = self.lane_mut(slot) {
            lane.leased += urls;
        }
    }

    /// A lease to `slot` has ended.
    pub fn closed(&mut self, slot: Slot) {
        if let Some(lane) = self.lane_mut(slot) {
            lane.leased = lane.leased.saturating_sub(1);
        }
    }

    /// Notes whether the host is in the ring of `slot`; says whether that is news.
    pub fn set_in_ring(&mut self, slot: Slot, in_ring: bool) -> bool {
        self.lane_mut(slot).is_some_and(|lane| std::mem::replace(&mut lane.in_ring, in_ring) != in_ring)
    }

    /// Requests in flight that `slot` may have, of `total` of the host.
    pub fn places(&self, slot: Slot, total: u32) -> u32 {
        let at = self.open.iter().position(|lane| lane.slot == slot).unwrap_or(0) as u32;
        let shares = self.shares as u32;
        total / shares + u32::from(at < total % shares)
    }

    /// Begins to open a lane in `slot`. The slots of the present lanes are to say when they keep to their new shares.
    pub fn open(&mut self, slot: Slot) {
        self.shares = self.shares.max(self.open.len() + 1);
        self.opening = Some(Opening { slot, waits_for: self.slots().collect() });
    }

    /// `slot` keeps to its share, or has lost all it had in flight. Says which lane has come of it.
    pub fn shrunk(&mut self, slot: Slot) -> Option<Slot> {
        let opening = self.opening.as_mut()?;
        opening.waits_for.retain(|other| *other != slot);
        if !opening.waits_for.is_empty() {
            return None;
        }
        let slot = self.opening.take()?.slot;
        self.open.push(Lane { slot, leased: 0, in_ring: false });
        Some(slot)
    }

    /// Gives up the lane that was about to open; its slot.
    pub fn abandon(&mut self) -> Option<Slot> {
        self.opening.take().map(|opening| opening.slot)
    }

    /// From now on only the first lane counts; the slots of the others.
    pub fn narrow(&mut self) -> Vec<Slot> {
        self.open.drain(1..).map(|lane| lane.slot).collect()
    }

    fn lane(&self, slot: Slot) -> Option<&Lane> {
        self.open.iter().find(|lane| lane.slot == slot)
    }

    fn lane_mut(&mut self, slot: Slot) -> Option<&mut Lane> {
        self.open.iter_mut().find(|lane| lane.slot == slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_opens_when_the_others_have_made_room_and_the_sum_is_exact() {
        let mut lanes = Lanes::new(2);
        assert_eq!((lanes.home(), lanes.places(2, 7)), (2, 7));
        lanes.open(0);
        assert_eq!((lanes.places(2, 7), lanes.has(0)), (4, false));
        assert_eq!(lanes.shrunk(2), Some(0));
        assert_eq!((lanes.places(2, 7), lanes.places(0, 7)), (4, 3));
        lanes.open(1);
        assert_eq!(lanes.shrunk(2), None);
        assert_eq!(lanes.shrunk(0), Some(1));
        assert_eq!([2, 0, 1].map(|slot| lanes.places(slot, 7)), [3, 2, 2]);
        assert_eq!(lanes.narrow(), [0, 1]);
        // Those may still have requests in flight.
        assert_eq!((lanes.home(), lanes.places(2, 7)), (2, 3));
    }
}
