//! How many requests the journal does not keep, and how new the newest of them is: what a judgement of all requests must know.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::model::TimestampMs;

/// Requests that are not kept, and when the newest of them came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lost {
    pub count: u64,
    pub newest: TimestampMs,
}

impl Lost {
    pub const NONE: Lost = Lost { count: 0, newest: TimestampMs(i64::MIN) };

    pub fn and(self, other: Lost) -> Lost {
        Lost { count: self.count + other.count, newest: self.newest.max(other.newest) }
    }
}

/// Requests that were not taken in: written by the shard alone, read by any thread.
pub(super) struct Missed {
    count: AtomicU64,
    newest_ms: AtomicI64,
}

impl Default for Missed {
    fn default() -> Missed {
        Missed { count: AtomicU64::new(0), newest_ms: AtomicI64::new(i64::MIN) }
    }
}

impl Missed {
    pub(super) fn add(&self, at: TimestampMs) {
        self.newest_ms.store(at.0.max(self.newest_ms.load(Ordering::Relaxed)), Ordering::Relaxed);
        self.count.store(self.count.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    pub(super) fn get(&self) -> Lost {
        let count = self.count.load(Ordering::Acquire);
        Lost { count, newest: TimestampMs(self.newest_ms.load(Ordering::Relaxed)) }
    }
}
