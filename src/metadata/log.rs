//! Between records and the batches of `__cluster_metadata-0`: one decision is one batch, which is one atomic change.
//!
//! Pure bytes to values and back; reading and appending the files is the caller's business.

use super::apply::Ignored;
use super::features::{METADATA_VERSION_LEVEL, record_version};
use super::image::Image;
use super::record::Record;
use crate::codec::{DecodeError, EncodeError};
use crate::model::{LeaderEpoch, Offset, TimestampMs};
use crate::record::batches::{self, Batch};
use crate::record::builder::{self, Builder, Options};
use crate::record::{compression, records};
use std::fmt;

/// The most bytes that a batch of the metadata log unpacks to: twice what Kafka's `BatchAccumulator` writes.
const MAX_BATCH_BYTES: usize = 16 << 20;

/// Why a batch of the metadata log cannot be replayed.
#[derive(Debug)]
pub enum Error {
    Batch(batches::Error),
    Checksum { base_offset: i64 },
    Compression(compression::Error),
    Records(records::Error),
    Record { offset: i64, error: DecodeError },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Batch(error) => error.fmt(f),
            Error::Checksum { base_offset } => write!(f, "the checksum of the batch at offset {base_offset} is wrong"),
            Error::Compression(error) => error.fmt(f),
            Error::Records(error) => error.fmt(f),
            Error::Record { offset, error } => write!(f, "metadata record at offset {offset}: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl Image {
    /// Replays one batch. Control batches (leader changes, snapshot heads) only move the offset on. Returns what was
    /// ignored, with offsets.
    pub fn apply_batch(&mut self, batch: &Batch<'_>) -> Result<Vec<(i64, Ignored)>, Error> {
        let header = &batch.header;
        if !batch.is_intact() {
            return Err(Error::Checksum { base_offset: header.base_offset });
        }
        let mut ignored = Vec::new();
        if !header.is_control() {
            let unpacked = batch.unpack(MAX_BATCH_BYTES).map_err(Error::Compression)?;
            let mut walk = batch.records(&unpacked);
            while let Some(entry) = walk.next() {
                let entry = entry.map_err(Error::Records)?;
                let offset = walk.offset(&entry);
                let frame = entry.value.unwrap_or_default();
                let (record, _) = Record::decode(frame).map_err(|error| Error::Record { offset, error })?;
                ignored.extend(self.apply(&record, offset).map(|reason| (offset, reason)));
            }
        }
        self.offset = header.last_offset().0;
        Ok(ignored)
    }

    /// The batch that holds these records, in the versions that the cluster's `metadata.version` asks for.
    pub fn encode_batch(
        &self,
        records: &[Record<'_>],
        base_offset: Offset,
        leader_epoch: LeaderEpoch,
        timestamp: TimestampMs,
    ) -> Result<Vec<u8>, EncodeError> {
        let metadata_version = match self.metadata_version() {
            0 => METADATA_VERSION_LEVEL, // the batch that begins a cluster
            version => version,
        };
        let mut builder = Builder::new(Options { base_offset, leader_epoch, ..Options::default() });
        let mut frame = Vec::new();
        for record in records {
            frame.clear();
            record.encode(&mut frame, record_version(record, metadata_version))?;
            builder.append(&builder::Record { timestamp, value: Some(&frame), ..Default::default() });
        }
        Ok(builder.build())
    }
}
