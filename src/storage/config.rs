//! What a log is told when it is opened: whose it is, the part of its topic's configuration that it obeys, and what the
//! checkpoints of its directory say about it. Values only.

use super::index;
use crate::model::{Offset, PartitionIndex, TopicId};

/// Positions in `.index` are 31 bits wide.
pub(super) const MAX_SEGMENT_BYTES: u64 = i32::MAX as u64;

/// The part of a topic's configuration that a log obeys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogConfig {
    /// `segment.bytes`
    pub segment_bytes: u64,
    /// `segment.ms`
    pub segment_ms: i64,
    /// `segment.jitter.ms`
    pub segment_jitter_ms: i64,
    /// `segment.index.bytes`
    pub segment_index_bytes: u64,
    /// `index.interval.bytes`
    pub index_interval_bytes: u64,
    /// `preallocate`: the space of a whole segment is reserved with its first write. Kafka makes the file as long at
    /// once, which shows its size and reserves nothing.
    pub preallocate: bool,
    /// `flush.messages`
    pub flush_messages: i64,
    /// `flush.ms`
    pub flush_ms: i64,
    /// `producer.id.expiration.ms`
    pub producer_id_expiration_ms: i64,
    /// `klamm.copy.max.bytes`: a larger batch is written at once, from where it was received.
    pub copy_max_bytes: usize,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3_600_000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            preallocate: false,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            producer_id_expiration_ms: 24 * 3_600_000,
            copy_max_bytes: 64 << 10,
        }
    }
}

impl LogConfig {
    /// What positions in an index can name bounds it, whatever the configuration says.
    pub(super) fn segment_bytes(&self) -> u64 {
        self.segment_bytes.min(MAX_SEGMENT_BYTES)
    }

    pub(super) fn max_offset_entries(&self) -> usize {
        (self.segment_index_bytes as usize / index::OFFSET_ENTRY_BYTES).max(1)
    }

    /// One place stays free for the entry that sealing adds (`TimeIndex.isFull`).
    pub(super) fn max_time_entries(&self) -> usize {
        (self.segment_index_bytes as usize / index::TIME_ENTRY_BYTES).saturating_sub(1).max(1)
    }

    /// How long a segment may wait for its roll. The jitter spreads the rolling of many partitions that began together;
    /// it is the same for a segment whenever it is asked, where Kafka draws it when it makes or opens the segment.
    pub(super) fn roll_after_ms(&self, of: &Identity, base_offset: Offset) -> i64 {
        let bound = self.segment_jitter_ms.min(self.segment_ms).max(0) as u64;
        let jitter_ms = if bound == 0 { 0 } else { (of.mixed_with(base_offset) % bound) as i64 };
        assert!(jitter_ms >= 0 && (jitter_ms as u64) <= bound, "a segment is rolled earlier, never later");
        self.segment_ms.saturating_sub(jitter_ms)
    }
}

/// Whose log it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    pub topic: String,
    pub partition: PartitionIndex,
    pub topic_id: TopicId,
}

impl Identity {
    /// A number that looks like chance, another one for each partition and each of its offsets (FNV-1a).
    fn mixed_with(&self, offset: Offset) -> u64 {
        const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        let (partition, offset) = (self.partition.0.to_be_bytes(), offset.0.to_be_bytes());
        let bytes = self.topic.as_bytes().iter().chain(&partition).chain(&offset);
        let mixed = bytes.fold(BASIS, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
        mixed ^ (mixed >> 32)
    }
}

/// What the checkpoints of the log directory say about a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Checkpointed {
    pub log_start_offset: Offset,
    /// Everything below is on the platter.
    pub recovery_point: Offset,
    /// The broker that had the log before stopped in order.
    pub clean: bool,
}
