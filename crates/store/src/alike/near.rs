//! Which texts say nearly the same, by their hashes: of each the earliest that is alike.
//!
//! Of two hashes that differ in [`NEAR_BITS`] bits at most, one of the parts into which both are cut is the same. So for each
//! part those that have it in common are compared, and no others.

use seine_core::record::NEAR_BITS;

/// A hash of the words of a page, as the store keeps it.
pub(crate) type Likeness = u128;

/// Parts of a hash: one more than bits may differ.
pub(crate) const PARTS: u32 = NEAR_BITS + 1;

/// Texts with a part in common with which one is compared at most. More of them are not alike, and have the part by chance or
/// by malice.
const COMPARED: usize = 256;

/// The bits of a part.
pub(crate) const fn part(likeness: Likeness, part: u32) -> u32 {
    let (from, to) = (part * Likeness::BITS / PARTS, (part + 1) * Likeness::BITS / PARTS);
    (likeness >> from) as u32 & ((1 << (to - from)) - 1)
}

/// Of each text an earlier one that is alike, if there is any: one that is like none before, or, if it is not like that one, the
/// earliest; and in how many bits they differ.
pub(crate) fn nearest(texts: &[Likeness]) -> Vec<Option<(usize, u32)>> {
    let mut near: Vec<Option<(usize, u32)>> = vec![None; texts.len()];
    // Each with its part before it, so that sorting looks nothing up.
    let mut order: Vec<(u32, u32)> = Vec::with_capacity(texts.len());
    for at in 0..PARTS {
        order.clear();
        order.extend((0..).zip(texts).map(|(number, text)| (part(*text, at), number)));
        order.sort_unstable();
        for group in order.chunk_by(|(a, _), (b, _)| a == b) {
            compare(texts, group, &mut near);
        }
    }
    for number in 0..near.len() {
        // The earlier one was looked at before.
        if let Some((of, _)) = near[number]
            && let Some((first, _)) = near[of]
        {
            let distance = (texts[first] ^ texts[number]).count_ones();
            if distance <= NEAR_BITS {
                near[number] = Some((first, distance));
            }
        }
    }
    near
}

/// Texts that have a part in common, the earliest first.
fn compare(texts: &[Likeness], group: &[(u32, u32)], near: &mut [Option<(usize, u32)>]) {
    for (at, (_, number)) in group.iter().enumerate() {
        let text = texts[*number as usize];
        let distance = |other: u32| (texts[other as usize] ^ text).count_ones();
        let earlier = group[..at.min(COMPARED)].iter().map(|(_, other)| *other);
        let found = earlier.into_iter().find(|other| distance(*other) <= NEAR_BITS);
        let near = &mut near[*number as usize];
        if let Some(other) = found.filter(|other| near.is_none_or(|(known, _)| (*other as usize) < known)) {
            *near = Some((other as usize, distance(other)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use seine_testkit::{Dice, rounds};

    fn any(dice: &mut Dice) -> Likeness {
        dice.noise(16).iter().fold(0, |bits, byte| bits << 8 | Likeness::from(*byte))
    }

    #[test]
    fn parts_are_all_of_a_hash() {
        let bits = (0..PARTS).map(|at| part(Likeness::MAX, at).count_ones()).sum::<u32>();
        assert_eq!(bits, Likeness::BITS);
        assert_eq!(part(1 << 127, PARTS - 1).count_ones(), 1);
    }

    #[test]
    fn what_is_near_is_found_whichever_bits_differ() {
        for _ in 0..rounds(200) {
            let mut dice = Dice::new();
            let mut texts: Vec<_> = (0..50).map(|_| any(&mut dice)).collect();
            let (of, bits) = (dice.below(50), dice.between(0, NEAR_BITS.into()) as u32);
            let mut copy = texts[of];
            while (copy ^ texts[of]).count_ones() < bits {
                copy ^= 1 << dice.below(128);
            }
            texts.push(copy);
            texts.push(texts[of] ^ 0x7f << dice.below(120));
            let near = nearest(&texts);
            let has_near = |at: usize| texts[..at].iter().any(|other| (other ^ texts[at]).count_ones() <= NEAR_BITS);
            assert_eq!(near[50], Some((of, bits)));
            assert_eq!(
                (0..52).map(|at| near[at].is_some()).collect::<Vec<_>>(),
                (0..52).map(has_near).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn many_that_are_alike_are_all_like_the_first() {
        let mut dice = Dice::new();
        let first = any(&mut dice);
        let texts: Vec<_> = (0..20_000).map(|_| first ^ 1 << dice.below(128) ^ 1 << dice.below(128)).collect();
        let near = nearest(&texts);
        let alike = near.iter().filter(|near| near.is_some()).count();
        assert!(near[0].is_none() && alike > 19_900, "{alike}");
        // Those that differ in four bits from the first of them.
        assert!(near.iter().flatten().all(|(of, distance)| *of < 200 && *distance <= NEAR_BITS));
    }

    #[test]
    fn many_that_share_a_part_and_no_more_take_no_long_time() {
        let mut dice = Dice::new();
        let texts: Vec<_> = (0..20_000).map(|_| any(&mut dice) << 20).collect();
        assert!(nearest(&texts).iter().all(Option::is_none));
    }
}
