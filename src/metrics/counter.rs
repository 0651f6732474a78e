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
        self.set(self.get().wrapping_add(more));
    }

    /// Takes away what was added before.
    pub(super) fn subtract(&self, less: u64) {
        assert!(self.get() >= less, "what is taken away was added");
        self.set(self.get() - less);
    }

    pub(super) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
