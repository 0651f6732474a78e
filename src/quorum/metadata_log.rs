//! `__cluster_metadata-0`: the log of Kafka's KRaft records that the image is made of, kept by a quorum of one.
//!
//! What is committed is what is synced. Each start is a new raft epoch, told in `quorum-state` before the first record
//! of it is written, and begins with a LeaderChange control record, as Kafka's own quorum does. A log that Apache Kafka
//! wrote goes on in the form that it has: its snapshots, its kraft.version and its voters are read and left alone.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use log::{info, warn};

use crate::codec::{Message, Reader};
use crate::io::disk::Disk;
use crate::metadata::record::AbortTransactionRecord;
use crate::metadata::{Ignored, Image, METADATA_VERSION, METADATA_VERSION_LEVEL, Record, at_level, fresh_cluster};
use crate::model::{LeaderEpoch, NodeId, Offset, PartitionIndex, TimestampMs, Uuid};
use crate::quorum::metadata_snapshot::{self, Policy, Quorum, SnapshotId};
use crate::quorum::quorum_state::{self, QuorumState};
use crate::quorum::replay::{self, MAX_BATCH_BYTES, Replayed};
use crate::record::builder::{self, Builder, Options};
use crate::record::control::{self, ControlType};
use crate::record::control_messages::leader_change_message::{LeaderChangeMessage, Voter};
use crate::record::control_messages::voters_record::{self, VotersRecord};
use crate::replica::view::{Leadership, VoterEndpoint};
use crate::storage::health::Health;
use crate::storage::log::{Admission, Appended, Checkpointed, Identity, Log, Origin};
use crate::storage::{AppendError, Error};

/// The directory's name within the first log directory.
pub const DIRECTORY: &str = "__cluster_metadata-0";
const TOPIC: &str = "__cluster_metadata";

/// Records that stand in the log as one batch, as the cluster's level has them.
#[derive(Clone, PartialEq, Debug)]
pub struct MetadataBatch {
    pub base_offset: Offset,
    pub records: Vec<Record<'static>>,
}

impl MetadataBatch {
    /// Applies the records to an image that has all that stands before them; the answer is what had no effect.
    pub fn apply(&self, image: &mut Image) -> Vec<(Offset, Ignored)> {
        assert!(image.offset() < self.base_offset.0, "batches are applied in the order of the log");
        let offsets = (self.base_offset.0..).map(Offset);
        let apply = |(offset, record): (Offset, &Record<'_>)| Some((offset, image.apply(record, offset.0)?));
        offsets.zip(&self.records).filter_map(apply).collect()
    }

    /// As [`MetadataBatch::apply`]; what has no effect is a line in the log.
    pub fn apply_or_warn(&self, image: &mut Image) {
        for (offset, ignored) in self.apply(image) {
            warn!("metadata record at offset {offset} has no effect: {ignored:?}");
        }
    }
}

/// The log, in the epoch of this start.
pub struct MetadataLog {
    disk: Arc<dyn Disk>,
    log: Log,
    epoch: LeaderEpoch,
    policy: Policy,
    quorum: Quorum,
    /// Written since the last snapshot.
    bytes_since: u64,
    /// When the last snapshot was made, or this process began.
    snapshot_time: TimestampMs,
    last_append: TimestampMs,
}

impl MetadataLog {
    /// Opens or makes the log in a log directory, replays it, and begins the epoch of this start. A metadata transaction
    /// that the last leader left open ends here without effect, as with Kafka's next leader. Blocks.
    pub fn open(
        disk: Arc<dyn Disk>,
        (log_directory, health): (&Path, &Arc<Health>),
        node_id: NodeId,
        policy: Policy,
        now: TimestampMs,
    ) -> Result<(MetadataLog, Image), Error> {
        let directory = log_directory.join(DIRECTORY);
        let identity = Identity { topic: TOPIC.into(), partition: PartitionIndex(0), topic_id: Uuid::ONE };
        let (config, checkpointed) = (policy.log.clone(), Checkpointed::default());
        let log = Log::open_in(health, disk.clone(), directory.clone(), config, identity, checkpointed, now)?;
        log.tell_loss();
        metadata_snapshot::remove_unfinished(&*disk, &directory)?;
        let replayed = replay::replay(&*disk, &log)?;
        replay::check_levels(log_directory, &replayed.image)?;
        let found = quorum_state::read(&*disk, &directory);
        check_voters(&directory, node_id, &found, &replayed)?;
        let known = log.latest_epoch().unwrap_or_default().max(found.epoch).max(replayed.snapshot_epoch);
        let Some(epoch) = known.0.checked_add(1).map(LeaderEpoch) else {
            let why = format!("the quorum has no epoch behind {known}");
            return Err(Error::Unusable { path: directory, why });
        };
        assert!(epoch > found.epoch && epoch > replayed.snapshot_epoch, "a leader's epoch is new");
        quorum_state::write(&*disk, &directory, node_id, epoch, replayed.quorum.kraft_version)?;
        let (quorum, bytes_since) = (replayed.quorum, replayed.bytes);
        let (snapshot_time, last_append) = (now, now);
        let mut metadata_log =
            MetadataLog { disk, log, epoch, policy, quorum, bytes_since, snapshot_time, last_append };
        let written = metadata_log.append_leader_change(node_id, now);
        written.map_err(AppendError::into_error)?;
        let mut image = replayed.image;
        if image.in_transaction() {
            info!("the metadata log ends inside a transaction, which is aborted");
            let abort = AbortTransactionRecord { reason: Some("the last leader did not end it".into()) };
            let written = metadata_log.append_and_apply(&[Record::AbortTransaction(abort)], &mut image, now);
            written.map_err(AppendError::into_error)?;
        }
        Ok((metadata_log, image))
    }

    /// What this node is in the log's quorum. Endpoints that cannot be read are not told.
    pub fn leadership(&self) -> Leadership {
        let record = self.quorum.voters_record.as_deref();
        let voters = record.and_then(|bytes| VotersRecord::decode(&mut Reader::new(bytes), 0).ok());
        let voter = voters.and_then(|record| record.voters.into_iter().next()).unwrap_or_default();
        let endpoint = |endpoint: &voters_record::Endpoint<'_>| VoterEndpoint {
            listener: endpoint.name.to_string(),
            host: endpoint.host.to_string(),
            port: endpoint.port,
        };
        Leadership {
            leader_epoch: self.epoch,
            kraft_version: self.quorum.kraft_version,
            directory_id: voter.voter_directory_id,
            endpoints: voter.endpoints.iter().map(endpoint).collect(),
        }
    }

    /// Writes the first records of a cluster, and commits them. `formatted` are those that a tool has left in a file of its own; Apache Kafka
    /// 4.4 leaves them in a snapshot at offset 0, which has been replayed but is no state of the log (KIP-1170,
    /// `QuorumController.handleLoadBootstrap`). Blocks.
    pub fn begin_cluster(
        &mut self,
        image: &mut Image,
        formatted: Option<Vec<Record<'static>>>,
        min_insync_replicas: i32,
        now: TimestampMs,
    ) -> Result<(), Error> {
        let in_snapshot = std::mem::take(image);
        let formatted = formatted.or_else(|| (in_snapshot.metadata_version() > 0).then(|| in_snapshot.to_records()));
        let fresh = fresh_cluster(formatted, min_insync_replicas);
        self.append_and_apply(&fresh, image, now).map_err(AppendError::into_error)?;
        self.sync(now)
    }

    /// Where the next record will stand.
    pub fn end_offset(&self) -> Offset {
        self.log.log_end_offset()
    }

    /// The message is of version 0, whatever the kraft.version: Apache Kafka 4.3 reads no other.
    fn append_leader_change(&self, node_id: NodeId, now: TimestampMs) -> Result<(), AppendError> {
        let voter = Voter { voter_id: node_id.0, ..Voter::default() };
        let message = LeaderChangeMessage {
            leader_id: node_id.0,
            voters: vec![voter.clone()],
            granting_voters: vec![voter],
            ..LeaderChangeMessage::default()
        };
        let mut value = Vec::new();
        message.encode(&mut value, 0).map_err(|error| AppendError::InvalidRecord(error.to_string()))?;
        let batch = control::control_batch(Options::default(), now, ControlType::LeaderChange, &value);
        self.log.append(&batch, Origin::Coordinator(Admission::None), self.epoch, now)?;
        self.log.write_pending()?;
        Ok(())
    }

    /// Writes records as one batch, in the form that the image's level asks for; `None` if nothing is to be written. They
    /// are committed by the next [`MetadataLog::sync`], and no image that is shown has them before.
    pub fn append(
        &mut self,
        records: &[Record<'static>],
        image: &Image,
        now: TimestampMs,
    ) -> Result<Option<MetadataBatch>, AppendError> {
        let level = level_of(records, image);
        let fitted: Vec<_> = records.iter().filter_map(|record| at_level(record, level)).collect();
        if fitted.is_empty() {
            return Ok(None);
        }
        let batch = encode(&fitted, now)?;
        let end = self.end_offset();
        let Appended { base_offset, .. } =
            self.log.append(&batch, Origin::Coordinator(Admission::None), self.epoch, now)?;
        assert_eq!(base_offset, end, "a batch begins where the log ended");
        (self.bytes_since, self.last_append) = (self.bytes_since + batch.len() as u64, now);
        self.log.write_pending()?;
        let records: Vec<_> = fitted.into_iter().map(|(record, _)| record.into_owned()).collect();
        let written = Offset(base_offset.0 + records.len() as i64);
        assert_eq!(self.end_offset(), written, "each record has an offset");
        Ok(Some(MetadataBatch { base_offset, records }))
    }

    /// As [`MetadataLog::append`], and applies the records.
    pub(super) fn append_and_apply(
        &mut self,
        records: &[Record<'static>],
        image: &mut Image,
        now: TimestampMs,
    ) -> Result<(), AppendError> {
        if let Some(batch) = self.append(records, image, now)? {
            batch.apply_or_warn(image);
        }
        Ok(())
    }

    /// Commits everything written so far. Blocks.
    pub fn sync(&self, now: TimestampMs) -> Result<(), Error> {
        let flush = self.log.flush()?;
        flush.run().inspect_err(|failure| self.log.fail_sync(&failure.to_string()))?;
        self.log.flushed(&flush, now);
        assert!(self.log.recovery_point() >= self.end_offset(), "all that was appended is synced");
        Ok(())
    }

    /// Makes a snapshot if it is time for one (`SnapshotGenerator`), and lets old ones go. Everything in the image must be
    /// committed. Blocks.
    pub fn snapshot_if_due(&mut self, image: &Image, now: TimestampMs) -> Result<(), Error> {
        let interval_ms = self.policy.max_interval_ms;
        let is_late = interval_ms > 0 && now.0.saturating_sub(self.snapshot_time.0) >= interval_ms;
        let is_due = self.bytes_since >= self.policy.max_bytes_between || is_late;
        if !is_due || self.bytes_since == 0 || image.in_transaction() {
            return Ok(());
        }
        let directory = self.log.directory();
        let id = SnapshotId { end_offset: self.log.log_end_offset(), epoch: self.epoch };
        assert!(image.offset() < id.end_offset.0, "a snapshot stands for what is below its offset");
        // Also where it fails: the disk is not asked again at each change.
        (self.bytes_since, self.snapshot_time) = (0, now);
        let written = metadata_snapshot::write(&*self.disk, directory, id, image, &self.quorum, self.last_append, now);
        let timestamp = |path: &Path| replay::last_timestamp(&*self.disk, path);
        let cleaned =
            written.and_then(|()| metadata_snapshot::clean(&*self.disk, &self.log, &self.policy, timestamp, now));
        cleaned.inspect_err(|failure| self.log.health().note(failure))
    }

    /// Ends the log in order. Blocks.
    pub fn close(&self, now: TimestampMs) -> Result<(), Error> {
        self.log.close(now).map(|_| ())
    }
}

/// The level in which records are written: the cluster's, or the one that they give to a cluster which has none yet.
fn level_of(records: &[Record<'_>], image: &Image) -> i16 {
    let given = |record: &Record<'_>| match record {
        Record::FeatureLevel(feature) if feature.name == METADATA_VERSION => Some(feature.feature_level),
        _ => None,
    };
    match image.metadata_version() {
        0 => records.iter().find_map(given).unwrap_or(METADATA_VERSION_LEVEL),
        level => level,
    }
}

fn encode(records: &[(Cow<'_, Record<'_>>, i16)], now: TimestampMs) -> Result<Vec<u8>, AppendError> {
    let mut builder = Builder::new(Options::default());
    let mut value = Vec::new();
    for (record, version) in records {
        value.clear();
        let encoded = record.encode(&mut value, *version);
        encoded.map_err(|error| AppendError::InvalidRecord(error.to_string()))?;
        builder.append(&builder::Record { timestamp: now, key: None, value: Some(&value), headers: &[] });
    }
    if builder.size_bytes() > MAX_BATCH_BYTES {
        return Err(AppendError::InvalidRecord("the change needs too many metadata records".into()));
    }
    Ok(builder.build())
}

/// Klamm is a quorum of one: a log that other voters have a say in is not its own to continue.
fn check_voters(path: &Path, node: NodeId, found: &QuorumState, replayed: &Replayed) -> Result<(), Error> {
    let none = found.voters.is_empty();
    let voters = replayed.voters.as_ref().or(Some(&found.voters).filter(|_| !none));
    match voters {
        Some(voters) if *voters != [node.0] => {
            let why =
                format!("the metadata quorum has the voters {voters:?}, but Klamm can only be its one voter {node}");
            Err(Error::NotOurs { path: path.to_path_buf(), why })
        }
        _ => Ok(()),
    }
}
