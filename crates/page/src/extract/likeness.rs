//! A hash of what a page says that differs in few bits where two pages differ in few words: a simhash of 128 bits.
//!
//! Moses Charikar, "Similarity estimation techniques from rounding algorithms" (2002); Manku, Jain and Das Sarma,
//! "Detecting near-duplicates for web crawling" (2007). Each word counts once, whatever its place: a list that is sorted in
//! another way says the same. Words are cut at bytes, with no regard to character references or to elements inside of a
//! word: what two pages write alike is cut alike.
//!
//! With the 64 bits of those papers, in a site of 10,000 pages that have 70 % of their words in common each has a page that
//! differs in 3 bits or fewer by mere chance (each bit is another with a probability of 1/4). Of 128 bits, 6 or fewer differ for one
//! in 10^9 of such pairs.

use std::hash::{BuildHasherDefault, Hasher};
use std::ops::RangeInclusive;

use hashbrown::HashSet;

/// Fewest words of which a hash says something: below, pages that have nothing in common but the words of their frame are alike.
pub const MIN_WORDS: usize = 24;

/// Words of a page that are looked at: so many take a MiB, and no page for readers has as many.
const MAX_WORDS: usize = 1 << 16;

/// Room for words that is kept from page to page.
const KEPT_WORDS: usize = 1 << 12;

/// Bits of a count of words.
const PLANES: usize = 17;

/// Words of one page, gathered text by text.
#[derive(Debug, Default)]
pub(super) struct Words {
    seen: HashSet<u64, BuildHasherDefault<AsItIs>>,
    /// How many words have which bit in their hash: the lowest bits of all 128 counts, then the next ones, and so on.
    counts: [[u64; 2]; PLANES],
}

impl Words {
    /// Forgets the page.
    pub fn clear(&mut self) {
        self.seen.clear();
        self.seen.shrink_to(KEPT_WORDS);
        self.counts = Default::default();
    }

    /// Different words that were there.
    pub fn count(&self) -> usize {
        self.seen.len()
    }

    /// Takes a text as the document writes it; it begins and ends with a word.
    pub fn add(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let (mut word, mut ideograph) = (0, 0);
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let folded = FOLDED[usize::from(byte)];
            if folded > LONGEST_MARK {
                // Seven bits of each: letters and digits of a usual word do not touch each other.
                word = u64::rotate_left(word, 7) ^ u64::from(folded);
                ideograph = 0;
                at += 1;
                continue;
            }
            if word != 0 {
                self.note(word);
                word = 0;
            }
            if IDEOGRAPHS.contains(&byte) {
                // There are no spaces between words: any two characters are one.
                let char = bytes.get(at..at + 3).unwrap_or_default();
                let char = char.iter().fold(0, |char, &byte| char << 8 | u64::from(byte));
                let char = if char < FIRST_IDEOGRAPH { 0 } else { char };
                if ideograph != 0 && char != 0 {
                    self.note(ideograph << 24 | char);
                }
                ideograph = char;
            } else {
                ideograph = 0;
            }
            at += usize::from(folded);
        }
        if word != 0 {
            self.note(word);
        }
    }

    #[inline]
    fn note(&mut self, word: u64) {
        let hash = mixed(word);
        if self.seen.len() >= MAX_WORDS || !self.seen.insert(hash) {
            return;
        }
        let mut carry = [hash, mixed(hash)];
        for count in &mut self.counts {
            let both = [count[0] & carry[0], count[1] & carry[1]];
            *count = [count[0] ^ carry[0], count[1] ^ carry[1]];
            carry = both;
            if carry == [0, 0] {
                break;
            }
        }
    }

    /// The hash; `None` if there are too few words.
    pub fn likeness(&self) -> Option<u128> {
        if self.count() < MIN_WORDS {
            return None;
        }
        let counts = self.counts.map(|[low, high]| u128::from(high) << 64 | u128::from(low));
        let has_most = |bit: u32| {
            let count: usize =
                counts.iter().enumerate().map(|(plane, bits)| ((bits >> bit & 1) as usize) << plane).sum();
            2 * count > self.count()
        };
        Some((0..u128::BITS).fold(0, |hash, bit| hash | u128::from(has_most(bit)) << bit))
    }
}

/// A hash is its own hash.
#[derive(Debug, Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0 << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// All bits depend on all bits (the finaliser of SplitMix64).
#[inline]
const fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ bits >> 31
}

/// First bytes of kana and ideographs (U+3000 to U+9FFF).
const IDEOGRAPHS: RangeInclusive<u8> = 0xE3..=0xE9;

/// U+3040, behind the marks, as its bytes.
const FIRST_IDEOGRAPH: u64 = 0xE3_81_80;

/// Bytes of a mark.
const LONGEST_MARK: u8 = 3;

/// What each byte is to a word: itself, in lower case if it is ASCII; or it begins what is in none, and that has so many bytes.
const FOLDED: [u8; 256] = {
    let mut folded = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        folded[byte] = match byte as u8 {
            byte @ (b'0'..=b'9' | b'a'..=b'z' | 0x80..=0xC1) => byte,
            byte @ b'A'..=b'Z' => byte | 0x20,
            0..0x80 => 1,
            // U+0080 to U+00BF.
            0xC2 => 2,
            // Punctuation and signs (U+2000 to U+2FFF); forms of other characters (from U+F000 on).
            0xE2..=0xE9 | 0xEF => LONGEST_MARK,
            byte => byte,
        };
        byte += 1;
    }
    folded
};

#[cfg(test)]
mod tests {
    use super::*;
    use seine_core::record::NEAR_BITS;
    use seine_testkit::Dice;

    fn likeness(text: &str) -> Option<u128> {
        let mut words = Words::default();
        words.add(text);
        words.likeness()
    }

    fn distance(a: &str, b: &str) -> u32 {
        let of = |text| likeness(text).expect("enough words");
        (of(a) ^ of(b)).count_ones()
    }

    /// So many words of a language of 5,000.
    fn prose(dice: &mut Dice, words: usize) -> String {
        (0..words).map(|_| format!("w{} ", dice.below(5000))).collect()
    }

    #[test]
    fn the_same_words_in_any_order_and_case_are_the_same() {
        let text = prose(&mut Dice::of(1), 200);
        let mut words: Vec<_> = text.split(' ').collect();
        words.reverse();
        assert_eq!(distance(&text, &words.join(",\u{a0}\u{2014} \n")), 0);
        assert_eq!(distance(&text, &text.to_uppercase()), 0);
        assert_eq!(distance(&text, &format!("{text}{text}")), 0);
    }

    #[test]
    fn few_other_words_are_near_and_other_texts_far() {
        let mut dice = Dice::of(2);
        let (mut nearest, mut far) = (128, 0);
        for _ in 0..200 {
            let text = prose(&mut dice, 400);
            let one_word_more = format!("{text} visited1{}", dice.below(1 << 30));
            far += u32::from(distance(&text, &one_word_more) > NEAR_BITS);
            nearest = nearest.min(distance(&text, &prose(&mut dice, 400)));
        }
        assert!(far <= 5, "{far} of 200");
        assert!(nearest > 4 * NEAR_BITS, "{nearest}");
    }

    #[test]
    fn a_frame_of_words_does_not_make_two_pages_one() {
        let mut dice = Dice::of(3);
        let frame = prose(&mut dice, 300);
        let nearest = (0..200).map(|_| {
            let [a, b] = [0, 1].map(|_| format!("{frame} {}", prose(&mut dice, 40)));
            distance(&a, &b)
        });
        let nearest = nearest.min().expect("some");
        assert!(nearest > NEAR_BITS, "{nearest}");
    }

    #[test]
    fn texts_without_spaces_are_told_apart_and_marks_are_no_words() {
        let a = "ある日の暮方の事である。一人の下人が、羅生門の下で雨やみを待っていた。広い門の下には、この男のほかに誰もいない。";
        let b = "国境の長いトンネルを抜けると雪国であった。夜の底が白くなった。信号所に汽車が止まった。向側の座席から娘が立って来て。";
        assert_eq!(distance(a, &a.replace(['、', '。'], "！ ")), 0);
        assert!(distance(a, b) > 2 * NEAR_BITS);
        assert_eq!(likeness("、。！… — “” «» \u{a0} . , ; "), None);
        let mut words = Words::default();
        words.add("für наш ไทย 한국어 x");
        assert_eq!(words.count(), 5);
    }

    #[test]
    fn few_words_say_nothing_and_a_page_leaves_nothing_behind() {
        let few: String = (0..MIN_WORDS - 1).map(|word| format!("a{word} ")).collect();
        assert_eq!(likeness(&format!("{few}{few}")), None);
        assert!(likeness(&format!("{few}b")).is_some());
        let mut words = Words::default();
        words.add(&prose(&mut Dice::of(4), 100_000));
        assert!(words.likeness().is_some());
        words.clear();
        words.add(&few);
        assert_eq!((words.likeness(), words.count()), (None, MIN_WORDS - 1));
    }
}
