//! Little-endian fields at fixed positions, and the checksum that headers share.

use crate::model::LogId;

/// CRC-32 (IEEE) over the eight little-endian bytes of `log` and then `bytes`.
pub(super) fn seeded_checksum(log: LogId, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&log.0.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// Writes `field` at `at`.
pub(super) fn put(out: &mut [u8], at: usize, field: &[u8]) {
    out[at..at + field.len()].copy_from_slice(field);
}

/// The `SIZE` bytes at `at`, which the caller knows to be there.
pub(super) fn array_at<const SIZE: usize>(bytes: &[u8], at: usize) -> [u8; SIZE] {
    let mut array = [0; SIZE];
    array.copy_from_slice(&bytes[at..at + SIZE]);
    array
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}
