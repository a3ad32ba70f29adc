//! Types for time: an instant of the monotonic clock and one of the wall clock cannot be mixed up.
//!
//! Both count milliseconds. Neither reads a clock: `seine_unix::clock` does. Arithmetic saturates, since instants come
//! out of stores and messages too.

/// An instant of the monotonic clock, which all processes of one machine share. Only differences have a meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(u64);

/// An instant of the wall clock: milliseconds since the Unix epoch. It means the same in every run, and may be moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(u64);

/// The same instant on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Deadlines and pauses of this run.
    pub mono: Mono,
    /// Times that the store keeps.
    pub wall: Wall,
}

macro_rules! instant {
    ($name:ident) => {
        impl $name {
            /// Not later than any other.
            pub const EARLIEST: Self = Self(0);

            /// The instant at which the clock shows `ms`.
            pub const fn from_ms(ms: u64) -> Self {
                Self(ms)
            }

            /// What the clock shows, in milliseconds.
            pub const fn ms(self) -> u64 {
                self.0
            }

            /// The instant `ms` milliseconds later.
            pub const fn plus_ms(self, ms: u64) -> Self {
                Self(self.0.saturating_add(ms))
            }

            /// The instant `ms` milliseconds earlier.
            pub const fn minus_ms(self, ms: u64) -> Self {
                Self(self.0.saturating_sub(ms))
            }

            /// Milliseconds from `earlier` to this; 0 if that is later.
            pub const fn ms_since(self, earlier: Self) -> u64 {
                self.0.saturating_sub(earlier.0)
            }
        }
    };
}

instant!(Mono);
instant!(Wall);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_and_sums_saturate() {
        let (early, late) = (Mono::from_ms(100), Mono::from_ms(350));
        assert_eq!((late.ms_since(early), early.ms_since(late)), (250, 0));
        assert_eq!((early.plus_ms(250), late.minus_ms(250)), (late, early));
        assert_eq!(early.minus_ms(101), Mono::EARLIEST);
        assert_eq!(late.plus_ms(u64::MAX).ms(), u64::MAX);
    }
}
