//! The memory that requests in flight hold as a whole: what was received and is not handled, what is answered and not sent.
//!
//! Beyond the limit the shards take in less instead of letting it grow: of the frames that do not fit into the hot buffer
//! one for each shard goes on, and a connection whose answers have not left has nothing more handled. What is held at most is
//! therefore the limit, and for each shard one largest frame, and for each connection one hot buffer and an answer.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Where `queued.max.request.bytes` does not say otherwise; there Kafka has no limit.
const DEFAULT_LIMIT_BYTES: usize = 512 << 20;

/// Counts for all shards, on a cache line of its own.
#[repr(align(64))]
pub struct RequestMemory {
    held_bytes: AtomicUsize,
    limit_bytes: usize,
}

impl RequestMemory {
    /// `queued_max_request_bytes` as configured: -1 is the default.
    pub fn new(queued_max_request_bytes: i64) -> RequestMemory {
        let limit_bytes = usize::try_from(queued_max_request_bytes).ok().filter(|limit| *limit > 0);
        RequestMemory { held_bytes: AtomicUsize::new(0), limit_bytes: limit_bytes.unwrap_or(DEFAULT_LIMIT_BYTES) }
    }

    pub fn is_short(&self) -> bool {
        self.held_bytes.load(Ordering::Relaxed) >= self.limit_bytes
    }

    pub fn held_bytes(&self) -> usize {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// A connection that held `before` bytes holds `after` now.
    pub fn change(&self, before: usize, after: usize) {
        if after > before {
            self.held_bytes.fetch_add(after - before, Ordering::Relaxed);
        } else if after < before {
            let held = self.held_bytes.fetch_sub(before - after, Ordering::Relaxed);
            assert!(held >= before - after, "what is given back was counted before");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_can_be_held_again() {
        let memory = RequestMemory::new(100);
        memory.change(0, 60);
        assert!(!memory.is_short());
        memory.change(0, 40);
        assert!(memory.is_short());
        memory.change(60, 59);
        assert!(!memory.is_short());
        memory.change(59, 0);
        memory.change(40, 0);
        assert_eq!(memory.held_bytes(), 0);
        assert_eq!(RequestMemory::new(-1).limit_bytes, DEFAULT_LIMIT_BYTES);
    }
}
