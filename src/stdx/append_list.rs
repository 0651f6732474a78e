//! A list that one writer extends while any number of readers look at it, without a lock.
//!
//! Entries are a fixed number of words and never change once they are in. The length is published after the entry, so
//! what a reader sees below the length is complete. Two writers at once would lose entries (never memory safety): the
//! owner keeps them apart.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Entries of the first bucket; each further bucket holds four times as many as the one before.
const FIRST_BUCKET: usize = 64;
const BUCKETS: usize = 10;
const _: () = assert!(FIRST_BUCKET.is_power_of_two());
const _: () = assert!(FIRST_BUCKET.ilog2() as usize + 2 * BUCKETS < 32, "places are counted without overflow");

/// A list of entries of `WORDS` words each.
pub struct AppendList<const WORDS: usize> {
    length: AtomicUsize,
    buckets: [OnceLock<Box<[AtomicU64]>>; BUCKETS],
}

impl<const WORDS: usize> Default for AppendList<WORDS> {
    fn default() -> Self {
        AppendList { length: AtomicUsize::new(0), buckets: [const { OnceLock::new() }; BUCKETS] }
    }
}

impl<const WORDS: usize> AppendList<WORDS> {
    /// The most entries that fit: 22 million.
    pub const CAPACITY: usize = FIRST_BUCKET * ((1 << (2 * BUCKETS)) - 1) / 3;

    pub fn len(&self) -> usize {
        self.length.load(Ordering::Acquire)
    }

    /// Adds an entry; `false` if the list is full. For one writer at a time.
    pub fn push(&self, entry: [u64; WORDS]) -> bool {
        const { assert!(WORDS > 0, "an entry has a word") }
        let at = self.length.load(Ordering::Relaxed);
        if at >= Self::CAPACITY {
            return false;
        }
        let (bucket, within) = place(at);
        let words = self.buckets[bucket].get_or_init(|| zeroed(WORDS * (FIRST_BUCKET << (2 * bucket))));
        assert!((within + 1) * WORDS <= words.len(), "a part of the entry would be lost");
        for (slot, word) in words[within * WORDS..].iter().zip(entry) {
            slot.store(word, Ordering::Relaxed);
        }
        self.length.store(at + 1, Ordering::Release);
        true
    }

    /// The entry at `at`, if the list is that long.
    pub fn get(&self, at: usize) -> Option<[u64; WORDS]> {
        if at >= self.len() {
            return None;
        }
        let (bucket, within) = place(at);
        let words = self.buckets[bucket].get()?;
        Some(std::array::from_fn(|word| words[within * WORDS + word].load(Ordering::Relaxed)))
    }

    pub fn last(&self) -> Option<[u64; WORDS]> {
        self.get(self.len().checked_sub(1)?)
    }

    /// The last entry for which `below` holds, in a list whose entries are ordered so that it holds for the first ones.
    pub fn last_where(&self, below: impl Fn([u64; WORDS]) -> bool) -> Option<[u64; WORDS]> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle).is_some_and(&below) { low = middle + 1 } else { high = middle }
        }
        self.get(low.checked_sub(1)?)
    }

    pub fn iter(&self) -> impl Iterator<Item = [u64; WORDS]> {
        (0..self.len()).map_while(|at| self.get(at))
    }
}

/// The bucket of an entry and its place within it.
fn place(at: usize) -> (usize, usize) {
    let bucket = ((at / FIRST_BUCKET * 3 + 1).ilog2() / 2) as usize;
    let before = FIRST_BUCKET * ((1 << (2 * bucket)) - 1) / 3;
    debug_assert!(before <= at && at - before < FIRST_BUCKET << (2 * bucket), "entry {at} is in another bucket");
    (bucket, at - before)
}

/// Zeros that the allocator need not touch: a large bucket costs memory only as it fills.
#[allow(unsafe_code)]
fn zeroed(words: usize) -> Box<[AtomicU64]> {
    const { assert!(align_of::<u64>() == align_of::<AtomicU64>(), "the cast below needs equal alignment") }
    let plain = Box::into_raw(vec![0u64; words].into_boxed_slice());
    // SAFETY: `AtomicU64` has the size and the bit validity of `u64` (documented) and the same alignment (asserted), so
    // the box may own the memory under either type; the pointer comes from a box just given up.
    unsafe { Box::from_raw(plain as *mut [AtomicU64]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_entry_has_its_place() {
        let mut expected = (0, 0);
        for at in 0..200_000 {
            assert_eq!(place(at), expected, "entry {at}");
            expected.1 += 1;
            if expected.1 == FIRST_BUCKET << (2 * expected.0) {
                expected = (expected.0 + 1, 0);
            }
        }
        assert_eq!(place(AppendList::<1>::CAPACITY - 1).0, BUCKETS - 1);
    }

    proptest! {
        #[test]
        fn behaves_as_a_vector(steps in proptest::collection::vec(0u64..50, 0..2000), wanted in 0u64..60_000) {
            let list = AppendList::<2>::default();
            let mut model = Vec::new();
            for step in steps {
                let key = model.last().map_or(0, |[key, _]: &[u64; 2]| key + step);
                prop_assert!(list.push([key, !key]));
                model.push([key, !key]);
            }
            prop_assert_eq!(list.iter().collect::<Vec<_>>(), model.clone());
            let below = model.iter().rev().find(|[key, _]| *key <= wanted).copied();
            prop_assert_eq!(list.last_where(|[key, _]| key <= wanted), below);
            prop_assert_eq!(list.last(), model.last().copied());
        }
    }

    #[test]
    fn readers_see_only_complete_entries() {
        let list = AppendList::<2>::default();
        std::thread::scope(|scope| {
            scope.spawn(|| (0..100_000).for_each(|n| assert!(list.push([n, n * 7]))));
            scope.spawn(|| {
                while list.len() < 100_000 {
                    if let Some([n, seven]) = list.last() {
                        assert_eq!(seven, n * 7);
                    }
                }
            });
        });
    }
}
