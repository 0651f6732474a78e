//! Which shards want to hear of progress of a partition: one bit each, set before looking and cleared by telling.
//!
//! A shard that wants to wait sets its bit *first* and looks at the partition's state *second*; a writer that makes progress
//! publishes it first and takes the bits second. Whatever the order of the two, the progress is seen or told.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use crate::model::MAX_SHARDS;

// A bit each.
const _: () = assert!(MAX_SHARDS == u64::BITS as usize);

/// A shard of this process, numbered from 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ShardId(pub u8);

impl ShardId {
    fn bit(self) -> u64 {
        1 << self.0
    }
}

/// A set of shards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shards(u64);

impl Shards {
    pub fn iter(self) -> impl Iterator<Item = ShardId> {
        (0..MAX_SHARDS as u8).map(ShardId).filter(move |shard| self.0 & shard.bit() != 0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// A set of shards that all shards change.
#[derive(Default, Debug)]
pub struct SharedShards(AtomicU64);

impl SharedShards {
    /// Adds a shard; `true` if it was not in.
    pub fn add(&self, shard: ShardId) -> bool {
        // A bit that is still there will be taken, and told, after whatever is published from now on.
        let is_there = self.0.load(Ordering::SeqCst) & shard.bit() != 0;
        let is_new = !is_there && self.0.fetch_or(shard.bit(), Ordering::SeqCst) & shard.bit() == 0;
        // What the caller looks at next must not have been read before the bit was set.
        fence(Ordering::SeqCst);
        is_new
    }

    pub fn remove(&self, shard: ShardId) {
        self.0.fetch_and(!shard.bit(), Ordering::SeqCst);
    }

    /// Whether no shard is in it at the moment; a hint, as others change it.
    pub fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// Empties the set and answers what was in it.
    pub fn take(&self) -> Shards {
        // What the caller has published must be visible before the bits are looked at.
        fence(Ordering::SeqCst);
        // Reading first keeps the common case, no shard waits, free of a locked instruction.
        if self.0.load(Ordering::SeqCst) == 0 {
            return Shards::default();
        }
        Shards(self.0.swap(0, Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taking_empties() {
        let shards = SharedShards::default();
        assert!(shards.add(ShardId(3)) && !shards.add(ShardId(3)) && shards.add(ShardId(63)));
        shards.remove(ShardId(63));
        assert_eq!(shards.take().iter().collect::<Vec<_>>(), [ShardId(3)]);
        assert!(shards.take().is_empty());
    }
}
