//! Telling states apart.

use crate::prng::splitmix;

/// 128 bits over everything that a state is made of: of a million states, that two are taken for one has a chance
/// of one to 10^26.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fingerprint {
    lanes: [u64; 2],
}

impl Fingerprint {
    pub(super) fn new() -> Self {
        Self { lanes: [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344] }
    }

    pub(super) fn add(&mut self, word: u64) {
        let [left, right] = &mut self.lanes;
        *left ^= word;
        *left = splitmix(left);
        *right = right.rotate_left(29).wrapping_add(word);
        *right = splitmix(right);
    }

    pub(super) fn add_all(&mut self, words: impl IntoIterator<Item = u64>) {
        let mut count = 0;
        for word in words {
            self.add(word);
            count += 1;
        }
        self.add(count);
    }

    pub(super) fn value(&self) -> u128 {
        u128::from(self.lanes[0]) << 64 | u128::from(self.lanes[1])
    }
}
