//! The latest offset of each key, by a digest of the key, in memory of a fixed size (`SkimpyOffsetMap`).
//!
//! Two keys of the same digest would be taken for one and a record lost. The digest has 128 bits, as Kafka's MD5, and is
//! keyed with what no client knows, so that nobody can make such keys, which with MD5 anybody can.

use crate::model::Offset;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// Bytes of an entry: sixteen of the digest, eight of the offset.
pub const ENTRY_BYTES: usize = 24;
const _: () = assert!(ENTRY_BYTES == size_of::<[u64; 3]>(), "a slot is what the dedupe buffer is counted in");
const LEAST_SLOTS: usize = 16;
const _: () = assert!(LEAST_SLOTS >= 2, "a slot stays empty, so that every look-up ends");

/// See the module. Lookups take a few steps as long as a part of the slots stays empty; the caller sees to that.
pub struct OffsetMap {
    /// Digest in two words, then the offset plus one; zero there is an empty slot.
    slots: Vec<[u64; 3]>,
    used: usize,
    most: usize,
    key: (u64, u64),
    /// Every record up to here is in the map.
    pub latest_offset: Offset,
}

impl OffsetMap {
    /// A map for `records` records, or as many as fit into `max_bytes` when it is filled to `load_factor`.
    pub fn new(records: u64, max_bytes: u64, load_factor: f64, random: [u8; 16]) -> OffsetMap {
        let load_factor = if load_factor.is_finite() { load_factor.clamp(0.01, 0.99) } else { 0.9 };
        let wanted = (records as f64 / load_factor).ceil() as u64;
        let slots = wanted.saturating_add(1).min(max_bytes / ENTRY_BYTES as u64);
        let slots = usize::try_from(slots).unwrap_or(usize::MAX / ENTRY_BYTES).max(LEAST_SLOTS);
        let (first, second) = random.split_at(8);
        let word = |bytes: &[u8]| bytes.first_chunk().map_or(0, |b| u64::from_ne_bytes(*b));
        assert!(slots >= LEAST_SLOTS && slots as u64 <= (max_bytes / ENTRY_BYTES as u64).max(LEAST_SLOTS as u64));
        OffsetMap {
            slots: vec![[0; 3]; slots],
            used: 0,
            most: ((slots as f64 * load_factor) as usize).clamp(1, slots - 1),
            key: (word(first), word(second)),
            latest_offset: Offset(-1),
        }
    }

    pub fn len(&self) -> usize {
        self.used
    }

    /// Notes a key's offset, which no earlier one may exceed; `false` if there is no room for one more record.
    pub fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        if self.used >= self.most {
            return false;
        }
        let (at, digest) = self.find(key);
        self.used += usize::from(self.slots[at][2] == 0);
        assert!(self.used < self.slots.len(), "a slot stays empty, so that every look-up ends");
        self.slots[at] = [digest.0, digest.1, (offset.0 as u64).wrapping_add(1)];
        true
    }

    pub fn get(&self, key: &[u8]) -> Option<Offset> {
        let [_, _, word] = self.slots[self.find(key).0];
        word.checked_sub(1).map(|offset| Offset(offset as i64))
    }

    /// The slot that has the key, or would take it.
    fn find(&self, key: &[u8]) -> (usize, (u64, u64)) {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        hasher.write(key);
        let digest = hasher.finish128();
        let digest = (digest.h1, digest.h2);
        debug_assert!(self.most < self.slots.len() && self.used <= self.most, "the look-up would not end");
        let mut at = ((u128::from(digest.0) * self.slots.len() as u128) >> 64) as usize;
        while self.slots[at][2] != 0 && (self.slots[at][0], self.slots[at][1]) != digest {
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
        (at, digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn answers_as_a_map(keys in proptest::collection::vec(proptest::collection::vec(0u8..3, 0..4), 0..200)) {
            let mut map = OffsetMap::new(keys.len() as u64, u64::MAX, 0.9, [7; 16]);
            let mut plain = HashMap::new();
            for (offset, key) in keys.iter().enumerate() {
                prop_assert!(map.put(key, Offset(offset as i64)));
                plain.insert(key.clone(), Offset(offset as i64));
            }
            prop_assert_eq!(map.len(), plain.len());
            for key in keys.iter().chain([&vec![9]]) {
                prop_assert_eq!(map.get(key), plain.get(key).copied());
            }
        }
    }

    #[test]
    fn memory_is_bounded_and_the_map_says_when_it_is_full() {
        let mut map = OffsetMap::new(u64::MAX, 100 * ENTRY_BYTES as u64, 0.9, [1; 16]);
        assert_eq!(map.slots.len(), 100);
        let taken = (0..200u32).take_while(|n| map.put(&n.to_be_bytes(), Offset(1))).count();
        assert_eq!(taken, 90);
        assert_eq!(OffsetMap::new(1, 0, f64::NAN, [0; 16]).slots.len(), LEAST_SLOTS);
    }
}
