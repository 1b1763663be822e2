//! The only source of chance: xoshiro256**, seeded by splitmix64, forked by purpose.

use std::ops::Range;

use crate::config::Chance;

/// A stream of pseudo-random numbers.
///
/// A fork depends on the seed and the purpose alone, never on how much was drawn: a consumer that draws once
/// more does not disturb the others.
#[derive(Clone, Debug)]
pub struct Prng {
    seed: u64,
    state: [u64; 4],
}

impl Prng {
    /// The stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut mixed = seed;
        let state = std::array::from_fn(|_| splitmix(&mut mixed));
        Self { seed, state }
    }

    /// The stream that belongs to `purpose` under this one's seed.
    #[must_use]
    pub fn fork(&self, purpose: &str) -> Self {
        self.fork_numbered(purpose, 0)
    }

    /// The `number`th stream that belongs to `purpose` under this one's seed.
    #[must_use]
    pub fn fork_numbered(&self, purpose: &str, number: u64) -> Self {
        // FNV-1a: short names, no adversary.
        let name = purpose.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut mixed = self.seed ^ name.rotate_left(17);
        let first = splitmix(&mut mixed);
        let mut numbered = first ^ number;
        Self::new(splitmix(&mut numbered))
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let drawn = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        drawn
    }

    /// A number in `0..bound`.
    ///
    /// # Panics
    /// If `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "no number lies below zero");
        // The bias of a multiplication is below 2⁻⁶⁴ × bound: nothing here can tell.
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        (wide >> 64) as u64
    }

    /// An index into something of `size` items.
    ///
    /// # Panics
    /// If `size` is zero.
    pub fn index(&mut self, size: usize) -> usize {
        self.below(size as u64) as usize
    }

    /// A number in `range`.
    ///
    /// # Panics
    /// If `range` is empty.
    pub fn range(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }

    /// True with probability one half.
    pub fn coin(&mut self) -> bool {
        self.next_u64() >> 63 == 1
    }

    /// True with probability `chance`.
    pub fn chance(&mut self, chance: Chance) -> bool {
        self.below(u64::from(Chance::ALWAYS.0)) < u64::from(chance.0)
    }

    /// One of `items`.
    ///
    /// # Panics
    /// If `items` is empty.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// Brings `items` into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (2..=items.len()).rev() {
            items.swap(end - 1, self.index(end));
        }
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }
}

pub(crate) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fork_does_not_depend_on_what_was_drawn() {
        let mut root = Prng::new(3);
        let before = root.fork("disk").next_u64();
        root.next_u64();
        assert_eq!(before, root.fork("disk").next_u64());
        assert_ne!(before, root.fork("mesh").next_u64());
        assert_ne!(before, root.fork_numbered("disk", 1).next_u64());
    }

    #[test]
    fn the_generator_is_xoshiro256_star_star() {
        // Reference values of the authors' C code for the state 1, 2, 3, 4.
        let mut prng = Prng { seed: 0, state: [1, 2, 3, 4] };
        let drawn: [u64; 4] = std::array::from_fn(|_| prng.next_u64());
        assert_eq!(drawn, [11520, 0, 1_509_978_240, 1_215_971_899_390_074_240]);
    }

    #[test]
    fn chances_hold_at_their_ends_and_in_the_middle() {
        let mut prng = Prng::new(1);
        assert!((0..1000).all(|_| prng.chance(Chance::ALWAYS)));
        assert!(!(0..1000).any(|_| prng.chance(Chance::NEVER)));
        let half = (0..10_000).filter(|_| prng.chance(Chance(500_000))).count();
        assert!((4_700..5_300).contains(&half), "{half} of 10000");
    }
}
