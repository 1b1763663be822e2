//! A table from byte keys to values, cleared and filled again at every commit.

use std::hash::{BuildHasher, Hasher};

use super::hash::{INLINE_MAX, mix, pack, packed_length, unpack};

/// Slots of an empty table. A power of two.
const SLOTS_MIN: usize = 1024;

/// Topmost byte of the second integer of a key that is too long to be packed.
const LONG_TAG: u64 = 0xFF << 56;

/// Keys and values, in open addressing: one probe of one half cache line finds a small key.
///
/// Iterates in the order in which the keys came first, which depends on the keys alone.
#[derive(Debug)]
pub(crate) struct KeyTable<P> {
    /// A power of two; at most half of them are taken.
    slots: Vec<Slot<P>>,
    /// Taken slots, oldest first.
    order: Vec<u32>,
    /// Keys that do not fit into a slot.
    long: Vec<Box<[u8]>>,
    hasher: foldhash::fast::FixedState,
}

/// `high` is zero in a free slot: a packed key has its length plus one in the topmost byte, a long key
/// [`LONG_TAG`] and its place in `long` below.
#[derive(Clone, Debug, Default)]
struct Slot<P> {
    low: u64,
    high: u64,
    payload: P,
}

impl<P: Clone + Default> Default for KeyTable<P> {
    fn default() -> Self {
        Self {
            slots: vec![Slot::default(); SLOTS_MIN],
            order: Vec::new(),
            long: Vec::new(),
            hasher: foldhash::fast::FixedState::default(),
        }
    }
}

impl<P: Clone + Default> KeyTable<P> {
    /// Number of keys.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no key.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The value of `key`, which is made by default if the key is new; and whether it is.
    ///
    /// # Panics
    /// At 2³¹ keys: commits are cut long before.
    #[inline]
    pub(crate) fn entry(&mut self, key: &[u8]) -> (&mut P, bool) {
        if key.len() > INLINE_MAX {
            return self.entry_long(key);
        }
        let (low, high) = pack(key);
        let mask = self.slots.len() - 1;
        let mut at = mix(low, high) as usize & mask;
        loop {
            let slot = &self.slots[at];
            if slot.low == low && slot.high == high {
                return (&mut self.slots[at].payload, false);
            }
            if slot.high == 0 {
                return (self.insert(at, low, high), true);
            }
            at = (at + 1) & mask;
        }
    }

    /// The value of `key`, if it is in the table.
    #[must_use]
    pub(crate) fn get(&self, key: &[u8]) -> Option<&P> {
        let mask = self.slots.len() - 1;
        let is_long = key.len() > INLINE_MAX;
        let (low, high) = if is_long { (self.hash_long(key), LONG_TAG) } else { pack(key) };
        let mut at = self.home(low, high) & mask;
        loop {
            let slot = &self.slots[at];
            let same =
                if is_long { self.is_long(slot, low, key) } else { slot.low == low && slot.high == high };
            if same {
                return Some(&slot.payload);
            }
            if slot.high == 0 {
                return None;
            }
            at = (at + 1) & mask;
        }
    }

    /// Calls `each` with every key and its value, oldest key first, until it fails.
    ///
    /// # Errors
    /// The first error of `each`.
    pub(crate) fn try_for_each<E>(&self, mut each: impl FnMut(&[u8], &P) -> Result<(), E>) -> Result<(), E> {
        for &at in &self.order {
            let slot = &self.slots[at as usize];
            if slot.high >= LONG_TAG {
                each(&self.long[long_index(slot.high)], &slot.payload)?;
            } else {
                each(&unpack(slot.low, slot.high)[..packed_length(slot.high)], &slot.payload)?;
            }
        }
        Ok(())
    }

    /// Forgets all keys; keeps the memory.
    pub(crate) fn clear(&mut self) {
        for at in self.order.drain(..) {
            self.slots[at as usize] = Slot::default();
        }
        self.long.clear();
    }

    /// Takes the free slot `at`, growing the table if it is half full.
    #[cold]
    #[inline(never)]
    fn insert(&mut self, at: usize, low: u64, high: u64) -> &mut P {
        let at = if 2 * (self.order.len() + 1) > self.slots.len() {
            self.grow();
            self.free_slot(low, high)
        } else {
            at
        };
        self.order.push(u32::try_from(at).expect("a table has fewer than 2^32 slots"));
        let slot = &mut self.slots[at];
        slot.low = low;
        slot.high = high;
        &mut slot.payload
    }

    #[inline(never)]
    fn entry_long(&mut self, key: &[u8]) -> (&mut P, bool) {
        let mask = self.slots.len() - 1;
        let low = self.hash_long(key);
        let mut at = self.home(low, LONG_TAG) & mask;
        loop {
            let slot = &self.slots[at];
            if self.is_long(slot, low, key) {
                return (&mut self.slots[at].payload, false);
            }
            if slot.high == 0 {
                let high = LONG_TAG | self.long.len() as u64;
                self.long.push(key.into());
                return (self.insert(at, low, high), true);
            }
            at = (at + 1) & mask;
        }
    }

    #[inline]
    fn is_long(&self, slot: &Slot<P>, low: u64, key: &[u8]) -> bool {
        slot.high >= LONG_TAG && slot.low == low && *self.long[long_index(slot.high)] == *key
    }

    #[inline]
    fn hash_long(&self, key: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(key);
        hasher.finish()
    }

    /// Where probing begins; a long key's place in `long` has no part in it.
    #[inline]
    fn home(&self, low: u64, high: u64) -> usize {
        mix(low, if high >= LONG_TAG { LONG_TAG } else { high }) as usize
    }

    fn free_slot(&self, low: u64, high: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = self.home(low, high) & mask;
        while self.slots[at].high != 0 {
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self) {
        let larger = vec![Slot::default(); 2 * self.slots.len()];
        let mut old = std::mem::replace(&mut self.slots, larger);
        let mut order = std::mem::take(&mut self.order);
        for place in &mut order {
            let slot = std::mem::take(&mut old[*place as usize]);
            let at = self.free_slot(slot.low, slot.high);
            self.slots[at] = slot;
            *place = u32::try_from(at).expect("a table has fewer than 2^32 slots");
        }
        self.order = order;
    }
}

fn long_index(high: u64) -> usize {
    (high & !LONG_TAG) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use super::*;

    /// Keys of all lengths with many repetitions, from a small generator.
    fn keys() -> impl Iterator<Item = Vec<u8>> {
        let mut state = 7u64;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let length = (state >> 60) as usize + if state >> 40 & 7 == 0 { 12 } else { 0 };
            let seed = (state >> 33) % 40_000;
            (0..length).map(|at| (seed >> (at % 5 * 3)) as u8).collect()
        })
    }

    #[test]
    fn a_table_agrees_with_a_map_and_iterates_in_order_of_first_use() {
        let mut table = KeyTable::<u64>::default();
        for round in 0..3 {
            let mut map = BTreeMap::<Vec<u8>, u64>::new();
            let mut order = Vec::new();
            for key in keys().take(100_000).skip(round * 1000) {
                let (count, new) = table.entry(&key);
                *count += 1;
                assert_eq!(new, !map.contains_key(&key));
                if new {
                    order.push(key.clone());
                }
                *map.entry(key).or_default() += 1;
            }
            assert_eq!(table.len(), map.len());
            assert!(map.iter().all(|(key, count)| table.get(key) == Some(count)));
            assert_eq!(table.get(b"a key that is long and not there"), None);
            assert_eq!(table.get(b"not there"), None);
            let mut seen = Vec::new();
            let Ok(()) = table.try_for_each(|key, count| {
                assert_eq!(map[key], *count);
                seen.push(key.to_vec());
                Ok::<(), Infallible>(())
            });
            assert_eq!(seen, order);
            table.clear();
            assert!(table.is_empty());
            assert_eq!(table.get(&seen[0]), None);
        }
    }
}
