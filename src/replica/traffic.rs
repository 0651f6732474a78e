//! How much clients have written to a partition and read from it. Raised by any shard, read by any thread.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

/// What clients have written to a partition and read from it since it was opened (`BrokerTopicMetrics`).
#[derive(Default, Debug)]
pub struct Traffic {
    produces: AtomicU64,
    records_in: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// The counts of a [`Traffic`], or of several together.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TrafficCounts {
    /// Batches of requests that were taken in.
    pub produces: u64,
    pub records_in: u64,
    /// Bytes of batches as they stand in the log.
    pub bytes_in: u64,
    /// Bytes of batches that were found for answers.
    pub bytes_out: u64,
}

impl Traffic {
    pub fn note_append(&self, records: u64, bytes: usize) {
        self.produces.fetch_add(1, Ordering::Relaxed);
        self.records_in.fetch_add(records, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes are sent to a consumer.
    pub fn note_fetch(&self, bytes: u64) {
        self.bytes_out.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn read(&self) -> TrafficCounts {
        TrafficCounts {
            produces: self.produces.load(Ordering::Relaxed),
            records_in: self.records_in.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
        }
    }
}

impl AddAssign for TrafficCounts {
    fn add_assign(&mut self, more: TrafficCounts) {
        self.produces += more.produces;
        self.records_in += more.records_in;
        self.bytes_in += more.bytes_in;
        self.bytes_out += more.bytes_out;
    }
}
