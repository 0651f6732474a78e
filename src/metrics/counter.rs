//! A count that one thread raises and any thread reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// Two threads that raised the same one could lose counts; [`Recorder`](super::Recorder) sees to it that there is one.
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) const fn new() -> Counter {
        Counter(AtomicU64::new(0))
    }

    /// A load and a store instead of one atomic addition, which would lock the cache line for nothing.
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
