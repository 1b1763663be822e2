//! Keys as two integers, and their hash.
//!
//! A key of up to 15 bytes *is* the two integers: its bytes, and its length in the topmost byte. Comparing
//! and hashing it touches no memory. Longer keys are represented by a 64-bit hash and compared by their bytes.

/// Longest key that fits into the two integers. Bytes.
pub(super) const INLINE_MAX: usize = 15;

/// Multipliers without structure: digits of pi.
const MIX_LOW: u64 = 0x243f_6a88_85a3_08d3;
const MIX_HIGH: u64 = 0x1319_8a2e_0370_7344;

/// Packs a key of at most [`INLINE_MAX`] bytes.
#[inline(always)]
pub(super) fn pack(key: &[u8]) -> (u64, u64) {
    debug_assert!(key.len() <= INLINE_MAX);
    let length = key.len();
    let tag = (length as u64 + 1) << 56;
    if let (Some(first), Some(last)) = (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        // Of the last eight bytes only those are kept that the first eight do not hold.
        let kept = u64::from_le_bytes(*last).checked_shr(8 * (16 - length as u32)).unwrap_or(0);
        return (u64::from_le_bytes(*first), kept | tag);
    }
    if let (Some(first), Some(last)) = (key.first_chunk::<4>(), key.last_chunk::<4>()) {
        let high = u64::from(u32::from_le_bytes(*last)) << (8 * (length - 4));
        return (u64::from(u32::from_le_bytes(*first)) | high, tag);
    }
    let Some((&first, _)) = key.split_first() else { return (0, tag) };
    let middle = u64::from(key[length / 2]) << (8 * (length / 2));
    let last = u64::from(key[length - 1]) << (8 * (length - 1));
    (u64::from(first) | middle | last, tag)
}

/// The key's bytes behind each other, of which the first [`packed_length`] are meant.
#[inline]
pub(super) fn unpack(low: u64, high: u64) -> [u8; 16] {
    (u128::from(low) | u128::from(high) << 64).to_le_bytes()
}

/// Bytes of a packed key.
#[inline]
pub(super) fn packed_length(high: u64) -> usize {
    (high >> 56) as usize - 1
}

/// Hash of a packed key.
#[inline(always)]
pub(super) fn mix(low: u64, high: u64) -> u64 {
    let product = u128::from(low ^ MIX_LOW) * u128::from(high ^ MIX_HIGH);
    (product as u64) ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_keeps_every_byte_and_the_length() {
        for length in 0..=INLINE_MAX {
            let key: Vec<u8> = (0..length).map(|at| 0xF0 ^ (17 * at as u8 + 1)).collect();
            let (low, high) = pack(&key);
            assert_eq!(packed_length(high), length);
            assert_eq!(&unpack(low, high)[..length], &key);
        }
    }

    #[test]
    fn keys_that_differ_only_in_trailing_zeros_are_packed_differently() {
        let packed: Vec<_> = (0..=INLINE_MAX).map(|length| pack(&vec![0; length])).collect();
        for (at, one) in packed.iter().enumerate() {
            assert!(packed[at + 1..].iter().all(|other| other != one));
        }
    }
}
