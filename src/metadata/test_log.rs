//! For tests: records to batches and back without files; in life `quorum::metadata_log` does it.

use super::apply::Ignored;
use super::image::Image;
use super::levels::{METADATA_VERSION_LEVEL, at_level};
use super::record::Record;
use crate::model::{LeaderEpoch, Offset, TimestampMs};
use crate::record::batches::Batch;
use crate::record::builder::{self, Builder, Options};

/// The most bytes that a batch of the metadata log unpacks to: twice what Kafka's `BatchAccumulator` writes.
const MAX_BATCH_BYTES: usize = 16 << 20;

impl Image {
    /// Replays one batch. Control batches (leader changes, snapshot heads) only move the offset on. Returns what was
    /// ignored, with offsets.
    pub(super) fn apply_batch(&mut self, batch: &Batch<'_>) -> Vec<(i64, Ignored)> {
        let header = &batch.header;
        assert!(batch.is_intact());
        let mut ignored = Vec::new();
        if !header.is_control() {
            let unpacked = batch.unpack(MAX_BATCH_BYTES).unwrap();
            let mut walk = batch.records(&unpacked);
            while let Some(entry) = walk.next() {
                let entry = entry.unwrap();
                let offset = walk.offset(&entry);
                let frame = entry.value.unwrap_or_default();
                let (record, _) = Record::decode(frame).unwrap();
                ignored.extend(self.apply(&record, offset).map(|reason| (offset, reason)));
            }
        }
        self.offset = header.last_offset().0;
        ignored
    }

    /// The batch that holds these records, in the versions that the cluster's `metadata.version` asks for.
    pub(super) fn encode_batch(
        &self,
        records: &[Record<'_>],
        base_offset: Offset,
        leader_epoch: LeaderEpoch,
        timestamp: TimestampMs,
    ) -> Vec<u8> {
        let metadata_version = match self.metadata_version() {
            0 => METADATA_VERSION_LEVEL, // the batch that begins a cluster
            version => version,
        };
        let mut builder = Builder::new(Options { base_offset, leader_epoch, ..Options::default() });
        let mut frame = Vec::new();
        for (record, version) in records.iter().filter_map(|record| at_level(record, metadata_version)) {
            frame.clear();
            record.encode(&mut frame, version).unwrap();
            builder.append(&builder::Record { timestamp, value: Some(&frame), ..Default::default() });
        }
        builder.build()
    }
}
