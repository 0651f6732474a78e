//! `__cluster_metadata-0`: the log of Kafka's KRaft records that the image is made of, kept by a quorum of one.
//!
//! What is committed is what is synced. Each start is a new raft epoch, told in `quorum-state` before the first record
//! of it is written, and begins with a LeaderChange control record, as Kafka's own quorum does.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use log::warn;

use crate::codec::Message;
use crate::io::disk::Disk;
use crate::metadata::{Image, Record, record_version};
use crate::model::{LeaderEpoch, NodeId, Offset, PartitionIndex, TimestampMs, Uuid};
use crate::record::batches::Batches;
use crate::record::builder::{self, Builder, Options};
use crate::record::control::{self, ControlType};
use crate::record::control_messages::leader_change_message::{LeaderChangeMessage, Voter};
use crate::storage::log::{Checkpointed, Identity, Log, LogConfig, Origin};
use crate::storage::{AppendError, Error};

/// The directory's name within the first log directory.
pub const DIRECTORY: &str = "__cluster_metadata-0";
const TOPIC: &str = "__cluster_metadata";
const QUORUM_STATE: &str = "quorum-state";
/// A quorum-state has a few hundred bytes.
const MAX_QUORUM_STATE_BYTES: u64 = 64 * 1024;
/// Read at once when the log is replayed; a batch of metadata has at most 8 MiB.
const REPLAY_BYTES: u64 = 1024 * 1024;
/// `KafkaRaftClient.MAX_BATCH_SIZE_BYTES`
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;

/// The log, in the epoch of this start.
pub struct MetadataLog {
    log: Log,
    epoch: LeaderEpoch,
}

impl MetadataLog {
    /// Opens or makes the log in a log directory and replays it. Blocks.
    pub fn open(
        disk: Arc<dyn Disk>,
        log_directory: &Path,
        node_id: NodeId,
        now: TimestampMs,
    ) -> Result<(MetadataLog, Image), Error> {
        let directory = log_directory.join(DIRECTORY);
        let identity = Identity { topic: TOPIC.into(), partition: PartitionIndex(0), topic_id: Uuid::ONE };
        let config = LogConfig::default();
        let log = Log::open(disk.clone(), directory.clone(), config, identity, Checkpointed::default(), now)?;
        let image = replay(&log)?;
        let known = log.latest_epoch().unwrap_or_default().max(read_epoch(&*disk, &directory));
        let epoch = LeaderEpoch(known.0 + 1);
        write_quorum_state(&*disk, &directory, node_id, epoch)?;
        let metadata_log = MetadataLog { log, epoch };
        metadata_log.append_leader_change(node_id, now).map_err(AppendError::into_error)?;
        Ok((metadata_log, image))
    }

    /// Where the next record will stand.
    pub fn end_offset(&self) -> Offset {
        self.log.log_end_offset()
    }

    fn append_leader_change(&self, node_id: NodeId, now: TimestampMs) -> Result<(), AppendError> {
        let voter = |id: NodeId| Voter { voter_id: id.0, ..Voter::default() };
        let message = LeaderChangeMessage {
            leader_id: node_id.0,
            voters: vec![voter(node_id)],
            granting_voters: vec![voter(node_id)],
            ..LeaderChangeMessage::default()
        };
        let mut value = Vec::new();
        message.encode(&mut value, 0).map_err(|error| AppendError::InvalidRecord(error.to_string()))?;
        let batch = control::control_batch(Options::default(), now, ControlType::LeaderChange, &value);
        self.log.append(&batch, Origin::Coordinator, self.epoch, now)?;
        self.log.write_pending(now)?;
        Ok(())
    }

    /// Writes records as one batch, and applies them to the image. They are committed by the next
    /// [`MetadataLog::sync`], so nobody may be told of them before.
    pub fn append(&self, records: &[Record<'_>], image: &mut Image, now: TimestampMs) -> Result<(), AppendError> {
        if records.is_empty() {
            return Ok(());
        }
        let batch = encode(records, image.metadata_version(), now)?;
        let appended = self.log.append(&batch, Origin::Coordinator, self.epoch, now)?;
        self.log.write_pending(now)?;
        for (at, record) in records.iter().enumerate() {
            let offset = appended.base_offset.0 + at as i64;
            if let Some(ignored) = image.apply(record, offset) {
                warn!("metadata record at offset {offset} has no effect: {ignored:?}");
            }
        }
        Ok(())
    }

    /// Commits everything written so far. Blocks.
    pub fn sync(&self, now: TimestampMs) -> Result<(), Error> {
        let flush = self.log.flush()?;
        flush.run().inspect_err(|_| self.log.set_offline())?;
        self.log.flushed(&flush, now);
        Ok(())
    }

    /// Ends the log in order. Blocks.
    pub fn close(&self, now: TimestampMs) -> Result<(), Error> {
        self.log.close(now).map(|_| ())
    }
}

fn encode(records: &[Record<'_>], metadata_version: i16, now: TimestampMs) -> Result<Vec<u8>, AppendError> {
    let mut builder = Builder::new(Options::default());
    let mut value = Vec::new();
    for record in records {
        value.clear();
        let encoded = record.encode(&mut value, record_version(record, metadata_version));
        encoded.map_err(|error| AppendError::InvalidRecord(error.to_string()))?;
        builder.append(&builder::Record { timestamp: now, key: None, value: Some(&value), headers: &[] });
    }
    if builder.size_bytes() > MAX_BATCH_BYTES {
        return Err(AppendError::InvalidRecord("the change needs too many metadata records".into()));
    }
    Ok(builder.build())
}

/// The image that the log's records make, from its start to its end.
fn replay(log: &Log) -> Result<Image, Error> {
    let mut image = Image::default();
    let mut from = log.log_start_offset();
    let end = log.log_end_offset();
    while from < end {
        let unreadable = |why: String| Error::Unusable { path: log.directory().to_path_buf(), why };
        let slice = log.read(from, end, REPLAY_BYTES, true).map_err(|error| unreadable(error.to_string()))?;
        let Some(slice) = slice else { break };
        let mut bytes = vec![0; slice.length as usize];
        let read = slice.file.read_at(&mut bytes, slice.position.0).map_err(Error::io("read", log.directory()))?;
        let next = replay_batches(&bytes[..read], &mut image).map_err(unreadable)?;
        if next <= from {
            return Err(unreadable(format!("no batch can be read at offset {from}")));
        }
        from = next;
    }
    Ok(image)
}

/// Applies whole batches; answers the offset behind the last one. The rest may be a batch that was cut by the reading.
fn replay_batches(bytes: &[u8], image: &mut Image) -> Result<Offset, String> {
    let mut next = Offset(-1);
    for batch in Batches::new(bytes).map_while(Result::ok) {
        if !batch.header.is_control() {
            let unpacked = batch.unpack(MAX_BATCH_BYTES).map_err(|error| error.to_string())?;
            let mut records = batch.records(&unpacked);
            while let Some(record) = records.next() {
                let record = record.map_err(|error| error.to_string())?;
                let offset = records.offset(&record);
                let (decoded, _) = Record::decode(record.value.unwrap_or_default()).map_err(|e| e.to_string())?;
                if let Some(ignored) = image.apply(&decoded, offset) {
                    warn!("metadata record at offset {offset} has no effect: {ignored:?}");
                }
            }
        }
        next = batch.header.last_offset().next();
    }
    Ok(next)
}

fn quorum_state_path(directory: &Path) -> PathBuf {
    directory.join(QUORUM_STATE)
}

/// The epoch in `quorum-state`; 0 if there is none that can be read: the log's own epochs count then.
fn read_epoch(disk: &dyn Disk, directory: &Path) -> LeaderEpoch {
    let content = disk.read_small(&quorum_state_path(directory), MAX_QUORUM_STATE_BYTES).unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    let behind = text.split("\"leaderEpoch\"").nth(1).unwrap_or_default();
    let digits: String = behind.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    LeaderEpoch(digits.parse().unwrap_or(0))
}

/// Version 0 of Kafka's file (`QuorumStateData`): this node leads, being the only voter.
fn write_quorum_state(disk: &dyn Disk, directory: &Path, node: NodeId, epoch: LeaderEpoch) -> Result<(), Error> {
    let content = format!(
        "{{\"clusterId\":\"\",\"leaderId\":{node},\"leaderEpoch\":{epoch},\"votedId\":-1,\"appliedOffset\":0,\
         \"currentVoters\":[{{\"voterId\":{node}}}],\"data_version\":0}}"
    );
    let path = quorum_state_path(directory);
    disk.replace(&path, content.as_bytes()).map_err(Error::io("write", &path))
}
