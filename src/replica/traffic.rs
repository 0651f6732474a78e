//! How much clients have written to a partition and read from it. Raised by any shard, read by any thread.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

/// What clients have written to a partition and read from it since it was opened (`BrokerTopicMetrics`).
#[derive(Default, Debug)]
pub struct Traffic {
    produces: AtomicU64,
    failed_produces: AtomicU64,
    fetches: AtomicU64,
    failed_fetches: AtomicU64,
    records_in: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// The counts of a [`Traffic`], or of several together.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TrafficCounts {
    /// Batches of Produce requests, whether they were taken in or not (`TotalProduceRequestsPerSec`).
    pub produces: u64,
    /// Those of them that failed (`FailedProduceRequestsPerSec`).
    pub failed_produces: u64,
    /// Fetch requests that have looked at the partition, each counted once however long it waits (`TotalFetchRequestsPerSec`).
    pub fetches: u64,
    /// Reads that failed without the disk saying so (`FailedFetchRequestsPerSec`).
    pub failed_fetches: u64,
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

    /// A batch is refused. Not each refusal is a failure: Kafka leaves out what a healthy broker says as well.
    pub fn note_refusal(&self, is_failure: bool) {
        self.produces.fetch_add(1, Ordering::Relaxed);
        self.failed_produces.fetch_add(is_failure.into(), Ordering::Relaxed);
    }

    /// A fetch looks at the partition for the first time.
    pub fn note_look(&self) {
        self.fetches.fetch_add(1, Ordering::Relaxed);
    }

    pub fn note_failed_read(&self) {
        self.failed_fetches.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes are sent to a consumer.
    pub fn note_fetch(&self, bytes: u64) {
        self.bytes_out.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn read(&self) -> TrafficCounts {
        TrafficCounts {
            produces: self.produces.load(Ordering::Relaxed),
            failed_produces: self.failed_produces.load(Ordering::Relaxed),
            fetches: self.fetches.load(Ordering::Relaxed),
            failed_fetches: self.failed_fetches.load(Ordering::Relaxed),
            records_in: self.records_in.load(Ordering::Relaxed),
            bytes_in: self.bytes_in.load(Ordering::Relaxed),
            bytes_out: self.bytes_out.load(Ordering::Relaxed),
        }
    }
}

impl AddAssign for TrafficCounts {
    fn add_assign(&mut self, more: TrafficCounts) {
        self.produces += more.produces;
        self.failed_produces += more.failed_produces;
        self.fetches += more.fetches;
        self.failed_fetches += more.failed_fetches;
        self.records_in += more.records_in;
        self.bytes_in += more.bytes_in;
        self.bytes_out += more.bytes_out;
    }
}
