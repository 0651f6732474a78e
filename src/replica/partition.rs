//! A partition as its leader: append, high watermark, and who waits for it.
//!
//! Readers take no lock: they see the published end of the log and the high watermark, both atomic. A writer holds the
//! log's own short lock. With one replica the high watermark follows what is written, or what is synced where the topic
//! asks for a sync now (`flush.messages`, `flush.ms`). One sync is under way at a time; what is written meanwhile is
//! covered by the next: group commit.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, MutexGuard};

use arc_swap::ArcSwap;
use log::error;

use crate::model::{
    ErrorCode, IsolationLevel, LeaderEpoch, Offset, PartitionIndex, TimestampMs, TimestampType, TopicId,
    TopicIdPartition,
};
use crate::record::control::EndTxnMarker;
use crate::record::header::{HEADER_SIZE, Header};
use crate::record::validate::{self, RecordError, Rules};
use crate::replica::traffic::Traffic;
use crate::replica::watch::SharedShards;
use crate::stdx::mutex::Mutex;
use crate::storage::log::{
    Admission, Appended, Deletion, Flush, Log, Mark, Origin, ReadError, Removal, RetentionConfig, Slice,
};
use crate::storage::recent::Kept;
use crate::storage::{self, AppendError};

/// `RecordBatch.NO_PARTITION_LEADER_EPOCH`
const NO_LEADER_EPOCH: i32 = -1;

/// Why an append was refused: an answer of the protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    pub error: ErrorCode,
    pub message: Option<String>,
    /// Single records at fault (KIP-467).
    pub record_errors: Vec<RecordError>,
    /// The log's start, where it was the log that refused.
    pub log_start_offset: Option<Offset>,
}

impl From<ErrorCode> for Refused {
    fn from(error: ErrorCode) -> Refused {
        Refused { error, message: None, record_errors: Vec::new(), log_start_offset: None }
    }
}

impl From<AppendError> for Refused {
    fn from(refused: AppendError) -> Refused {
        Refused { message: Some(refused.to_string()), ..refused.code().into() }
    }
}

impl From<validate::Refused> for Refused {
    fn from(refused: validate::Refused) -> Refused {
        let (message, record_errors) = (Some(refused.message), refused.record_errors);
        Refused { message, record_errors, ..refused.error.into() }
    }
}

#[derive(Default)]
struct Syncing {
    under_way: bool,
    /// Something was written since the sync began that asks for one, too.
    again: bool,
}

/// A log and what its leader knows of it.
pub struct Partition {
    /// Unique within this process, also among partitions of the same name one after the other.
    pub number: u64,
    pub topic_id: TopicId,
    pub topic: Arc<str>,
    pub index: PartitionIndex,
    pub log: Log,
    pub traffic: Traffic,
    /// Shards that want to hear of progress.
    pub waiting: SharedShards,
    /// Shards that will write what is pending at the end of their turn.
    pub dirty: SharedShards,
    rules: ArcSwap<Rules>,
    leader_epoch: AtomicI32,
    syncing: Mutex<Syncing>,
}

impl Partition {
    /// A partition that this broker leads in `epoch`. With one replica all that its log holds is committed.
    pub fn new(number: u64, log: Log, epoch: LeaderEpoch, rules: Rules) -> Partition {
        assert!(log.log_start_offset() <= log.log_end_offset(), "a log ends behind its start");
        log.advance_high_watermark(log.log_end_offset());
        let identity = log.identity();
        Partition {
            number,
            topic_id: identity.topic_id,
            topic: identity.topic.as_str().into(),
            index: identity.partition,
            traffic: Traffic::default(),
            waiting: SharedShards::default(),
            dirty: SharedShards::default(),
            rules: ArcSwap::from_pointee(rules),
            leader_epoch: AtomicI32::new(epoch.0),
            syncing: Mutex::default(),
            log,
        }
    }

    pub fn key(&self) -> TopicIdPartition {
        TopicIdPartition { topic_id: self.topic_id, index: self.index.0 }
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    /// Another leadership begins, of this broker or of another that this process plays.
    pub fn lead_in(&self, epoch: LeaderEpoch) -> Result<(), storage::Error> {
        if epoch > self.leader_epoch() {
            self.leader_epoch.store(epoch.0, Ordering::Release);
            self.log.assign_epoch(epoch)?;
        }
        Ok(())
    }

    pub fn high_watermark(&self) -> Offset {
        self.log.high_watermark()
    }

    /// Moves the high watermark up to what is committed by now, and with it the last stable offset. The caller tells those
    /// who wait.
    fn advance(&self, committed: Offset) {
        self.log.advance_high_watermark(committed);
    }

    /// The first offset of a transaction that is open, or whose marker is not committed; the high watermark where there is
    /// none.
    pub fn last_stable_offset(&self) -> Offset {
        self.log.last_stable_offset()
    }

    /// How far a reader of this isolation level may see.
    pub fn readable_end(&self, isolation: IsolationLevel) -> Offset {
        match isolation {
            IsolationLevel::ReadUncommitted => self.high_watermark(),
            IsolationLevel::ReadCommitted => self.last_stable_offset(),
        }
    }

    pub fn set_rules(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
    }

    pub fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Whether `cleanup.policy` contains `compact`.
    pub fn is_compacted(&self) -> bool {
        self.rules.load().compacted
    }

    /// Compares the epoch that a client believes in with ours (KIP-320); -1 is no belief.
    pub fn check_leader_epoch(&self, epoch: i32) -> Result<(), ErrorCode> {
        let ours = self.leader_epoch().0;
        match epoch {
            NO_LEADER_EPOCH => Ok(()),
            _ if epoch < ours => Err(ErrorCode::FencedLeaderEpoch),
            _ if epoch > ours => Err(ErrorCode::UnknownLeaderEpoch),
            _ => Ok(()),
        }
    }

    /// Judges the records of a Produce request of `version` and takes them into the log's order. They are written by
    /// the next [`Partition::write_pending`]. A batch of a transaction that is not open here must have been admitted.
    pub fn append(
        &self,
        version: i16,
        records: &[u8],
        now: TimestampMs,
        admission: Admission,
    ) -> Result<Appended, Refused> {
        self.try_append(version, records, now, admission).map_err(|refused| {
            // `ReplicaManager.appendRecordsToLeader` leaves the start out for these, `KafkaApis` for all that it
            // refuses itself.
            let is_known = matches!(
                refused.error,
                ErrorCode::CorruptMessage
                    | ErrorCode::MessageTooLarge
                    | ErrorCode::RecordListTooLarge
                    | ErrorCode::KafkaStorageError
            );
            let reaches_log = validate::is_one_batch(version, records);
            if reaches_log {
                // The same ones are no failures there.
                self.traffic.note_refusal(!is_known);
            }
            let tells_start = reaches_log && !is_known;
            Refused { log_start_offset: tells_start.then(|| self.log.log_start_offset()), ..refused }
        })
    }

    fn try_append(
        &self,
        version: i16,
        records: &[u8],
        now: TimestampMs,
        admission: Admission,
    ) -> Result<Appended, Refused> {
        let accepted = validate::validate(&self.rules.load(), version, now, records)?;
        let mut stamped = Vec::new();
        let bytes = if accepted.is_stamped() {
            stamped.extend_from_slice(accepted.bytes());
            accepted.stamp(&mut stamped);
            &stamped
        } else {
            accepted.bytes()
        };
        let appended = self.log.append(bytes, Origin::Client(admission), self.leader_epoch(), now);
        assert!(
            appended.as_ref().is_ok_and(|at| at.base_offset <= at.last_offset) || appended.is_err(),
            "a batch has records"
        );
        if let Ok(appended) = &appended {
            self.traffic.note_append((appended.last_offset.0 - appended.base_offset.0 + 1) as u64, bytes.len());
        }
        appended.map_err(Refused::from)
    }

    /// Whether a transaction of exactly this epoch is open, so that its batches need no admission; a producer of an older
    /// epoch is refused.
    pub fn has_open_transaction(&self, producer_id: i64, epoch: i16) -> Result<bool, Refused> {
        Ok(self.log.has_open_transaction(producer_id, epoch)?)
    }

    /// Whether a producer may write within a transaction that is open here, or admitted.
    pub fn check_transaction(&self, producer: (i64, i16), admission: Admission) -> Result<(), AppendError> {
        self.log.check_transaction(producer, admission)
    }

    /// A batch could not be admitted for now, and will come again: what its producer sent behind it must not get in before.
    /// A log that takes nothing more takes neither.
    pub fn note_unverified(&self, batch: &Header) {
        _ = self.log.note_unverified(batch);
    }

    fn syncing(&self) -> MutexGuard<'_, Syncing> {
        self.syncing.lock()
    }

    /// Writes what all shards have appended. The answer is a sync that the caller must see to.
    pub fn write_pending(&self, now: TimestampMs) -> Option<Flush> {
        self.write_and_keep(now, &mut Kept::default())
    }

    /// As [`Partition::write_pending`]; where a shard waits for it, what was written is kept for its fetches.
    pub fn write_and_keep(&self, now: TimestampMs, kept: &mut Kept) -> Option<Flush> {
        let is_wanted = kept.keeps_anything() && !self.waiting.is_empty();
        // What the disk did was told where it happened, once for the whole directory.
        let written = self.log.write_and_keep(is_wanted).ok().flatten();
        let rolled = written.as_ref().is_some_and(|written| written.rolled);
        if let Some(recent) = written.and_then(|written| written.recent) {
            kept.keep(recent);
        }
        if self.log.is_offline() {
            return None;
        }
        // Also where there was nothing to write, or no room: an append that needs a new segment writes what came before
        // it, and may then not find the room for the segment. What it has written counts, though it is refused itself.
        let end = self.log.log_end_offset();
        if end > self.high_watermark() {
            if self.log.wants_sync(now) {
                return self.begin_sync();
            }
            self.advance(end);
        }
        // No request waits for it: it keeps recovery short (Kafka's "flush-log" after a roll).
        if rolled { self.begin_sync() } else { None }
    }

    fn begin_sync(&self) -> Option<Flush> {
        let mut syncing = self.syncing();
        if syncing.under_way {
            syncing.again = true;
            return None;
        }
        self.start_sync(&mut syncing)
    }

    fn start_sync(&self, syncing: &mut Syncing) -> Option<Flush> {
        assert!(!syncing.under_way, "one sync at a time");
        match self.log.flush() {
            // The sync that has just ended had covered everything: it saw a write whose writer was not here yet.
            Ok(flush) if flush.is_empty() => {
                self.advance(flush.up_to);
                None
            }
            Ok(flush) => {
                syncing.under_way = true;
                Some(flush)
            }
            Err(_) => None,
        }
    }

    /// A sync has ended. The answer is the next one, if something waits for it.
    pub fn handle_synced(&self, flush: &Flush, result: Result<(), String>, now: TimestampMs) -> Option<Flush> {
        let again = {
            let mut syncing = self.syncing();
            assert!(syncing.under_way, "a sync ends that has begun");
            syncing.under_way = false;
            std::mem::take(&mut syncing.again)
        };
        match result {
            Err(failure) => {
                self.log.fail_sync(&failure);
                None
            }
            Ok(()) => {
                self.log.flushed(flush, now);
                self.advance(flush.up_to);
                if again { self.begin_sync() } else { None }
            }
        }
    }

    /// The time of the batch that holds the record at `offset`, or the first that is left behind it: that of the batch's first
    /// record, or of its append where that is what the topic keeps. `None` where no record is committed from there on, or
    /// the batch cannot be read. Blocks.
    pub fn time_at(&self, offset: Offset) -> Option<TimestampMs> {
        let from = offset.max(self.log.log_start_offset());
        let slice = self.log.read(from, self.high_watermark(), HEADER_SIZE as u64, true).ok()??;
        let mut bytes = [0; HEADER_SIZE];
        let read = slice.file.read_at(&mut bytes, slice.position.0).ok()?;
        let header = Header::parse(&bytes[..read])?;
        Some(TimestampMs(match header.timestamp_type() {
            TimestampType::CreateTime => header.base_timestamp,
            TimestampType::LogAppendTime => header.max_timestamp,
        }))
    }

    /// Syncs what was written, here and now; `false` if a sync is under way elsewhere. Blocks.
    pub fn flush(&self, now: TimestampMs) -> bool {
        let next = {
            let mut syncing = self.syncing();
            if syncing.under_way {
                return false;
            }
            self.start_sync(&mut syncing)
        };
        self.run_syncs(next, now);
        true
    }

    fn run_syncs(&self, mut next: Option<Flush>, now: TimestampMs) {
        while let Some(flush) = next {
            let result = flush.run().map_err(|failure| failure.to_string());
            next = self.handle_synced(&flush, result, now);
        }
    }

    /// Writes what is pending, and syncs it here and now where the topic asks for a sync. Blocks.
    pub fn write_and_sync(&self, now: TimestampMs) {
        let flush = self.write_pending(now);
        self.run_syncs(flush, now);
    }

    /// Takes a batch of the broker's own into the log's order, to be written by the next [`Partition::write_pending`].
    pub fn append_own(&self, batch: &[u8], now: TimestampMs, admission: Admission) -> Result<Appended, AppendError> {
        self.log.append(batch, Origin::Coordinator(admission), self.leader_epoch(), now)
    }

    /// Takes the marker that ends a producer's transaction into the log's order. `transaction_version` is the one by which
    /// the transaction was made.
    pub fn append_marker(
        &self,
        producer: (i64, i16),
        marker: EndTxnMarker,
        transaction_version: i16,
        now: TimestampMs,
    ) -> Result<Appended, AppendError> {
        self.log.append_marker(producer, marker, transaction_version, self.leader_epoch(), now)
    }

    /// Lets go of the segments that are older, or more, than retention allows; what is left is to unlink them. Blocks.
    pub fn delete_old_segments(&self, now: TimestampMs, retention: &RetentionConfig) -> Option<Removal> {
        if self.log.is_offline() {
            return None;
        }
        let delete = || self.log.delete_old_segments(now, self.high_watermark(), retention);
        let deleted = match delete() {
            // Where another thread syncs at the moment, the next look finds it done.
            Ok(Deletion::SyncFirst) if self.flush(now) => delete(),
            first => first,
        };
        match deleted {
            Ok(Deletion::Removed(removal)) => Some(removal),
            Ok(Deletion::Nothing | Deletion::SyncFirst) => None,
            // It was closed or deleted meanwhile, or the disk has failed, which was told where it happened.
            Err(failure) if failure.is_io() || self.log.is_offline() => None,
            Err(failure) => {
                error!("cannot delete old segments of {}-{}: {failure}", self.topic, self.index);
                None
            }
        }
    }

    /// All that the log holds is durable, in a copy.
    pub fn note_durable(&self) {
        self.advance(self.log.log_end_offset());
    }

    /// Whether everything below a mark is committed; `Err` if that will never be.
    pub fn is_committed(&self, mark: Mark) -> Result<bool, ErrorCode> {
        // The high watermark first: it never passes what was taken back before that could be seen.
        let is_reached = self.high_watermark() >= mark.end;
        if !self.log.holds(mark) {
            return Err(ErrorCode::KafkaStorageError);
        }
        if is_reached {
            return Ok(true);
        }
        if self.log.is_offline() { Err(ErrorCode::KafkaStorageError) } else { Ok(false) }
    }

    /// The records from an offset on, as far as a reader may see and `max_bytes` allow.
    pub fn read(
        &self,
        from: Offset,
        isolation: IsolationLevel,
        max_bytes: u64,
        at_least_one: bool,
    ) -> Result<Option<Slice>, ErrorCode> {
        self.read_below(Offset(i64::MAX), from, isolation, max_bytes, at_least_one)
    }

    /// The same of a broker that has no record from `end` on.
    pub fn read_below(
        &self,
        end: Offset,
        from: Offset,
        isolation: IsolationLevel,
        max_bytes: u64,
        at_least_one: bool,
    ) -> Result<Option<Slice>, ErrorCode> {
        let up_to = self.readable_end(isolation).min(end);
        let read = match isolation {
            IsolationLevel::ReadUncommitted => self.log.read(from, up_to, max_bytes, at_least_one),
            IsolationLevel::ReadCommitted => self.log.read_committed(from, up_to, max_bytes, at_least_one),
        };
        read.map_err(|error| match error {
            ReadError::OutOfRange(_) => ErrorCode::OffsetOutOfRange,
            ReadError::Storage(failure) => {
                if failure.is_device_failure() {
                    self.log.health().fail(&failure);
                } else {
                    error!("cannot read {}-{}: {failure}", self.topic, self.index);
                    // Kafka counts what it has no answer for; of a failed disk it tells by the error.
                    self.traffic.note_failed_read();
                }
                ErrorCode::KafkaStorageError
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::simulated_disk::SimulatedDisk;
    use crate::model::Uuid;
    use crate::record::builder::{Builder, Options, Record};
    use crate::storage::log::{Checkpointed, Identity, LogConfig};

    const NOW: TimestampMs = TimestampMs(1_767_225_600_000);

    fn partition(flush_messages: i64) -> Partition {
        partition_on(&SimulatedDisk::default(), LogConfig { flush_messages, ..LogConfig::default() })
    }

    fn partition_on(disk: &SimulatedDisk, config: LogConfig) -> Partition {
        let identity = Identity { topic: "t".into(), partition: PartitionIndex(0), topic_id: Uuid::ONE };
        let disk = Arc::new(disk.clone());
        let log = Log::open(disk, "t-0".into(), config, identity, Checkpointed::default(), NOW).unwrap();
        Partition::new(1, log, LeaderEpoch(0), Rules::default())
    }

    fn append(partition: &Partition) -> Mark {
        let mut builder = Builder::new(Options::default());
        builder.append(&Record { timestamp: NOW, value: Some(b"value"), ..Record::default() });
        partition.append(9, &builder.build(), NOW, Admission::None).unwrap().mark()
    }

    #[test]
    fn what_is_written_is_committed_where_no_sync_is_asked_for() {
        let partition = partition(i64::MAX);
        let end = append(&partition);
        assert_eq!(partition.is_committed(end), Ok(false));
        assert!(partition.write_pending(NOW).is_none());
        assert_eq!(partition.is_committed(end), Ok(true));
    }

    #[test]
    fn a_sync_commits_and_the_next_covers_what_came_meanwhile() {
        let partition = partition(1);
        let first = append(&partition);
        let flush = partition.write_pending(NOW).unwrap();
        let second = append(&partition);
        assert!(partition.write_pending(NOW).is_none(), "one sync at a time");
        assert_eq!(partition.is_committed(first), Ok(false));
        flush.run().unwrap();
        let next = partition.handle_synced(&flush, Ok(()), NOW).unwrap();
        assert_eq!((partition.is_committed(first), partition.is_committed(second)), (Ok(true), Ok(false)));
        assert!(partition.handle_synced(&next, Ok(()), NOW).is_none());
        assert_eq!(partition.is_committed(second), Ok(true));
    }

    #[test]
    fn nothing_is_left_to_sync_when_the_last_one_saw_everything() {
        let partition = partition(1);
        append(&partition);
        let flush = partition.write_pending(NOW).unwrap();
        let second = append(&partition);
        assert!(partition.write_pending(NOW).is_none());
        let covering = partition.log.flush().unwrap();
        partition.log.flushed(&covering, NOW);
        assert!(partition.handle_synced(&flush, Ok(()), NOW).is_none());
        assert_eq!(partition.is_committed(second), Ok(true));
        append(&partition);
        assert!(partition.write_pending(NOW).is_some(), "the next write is synced again");
    }

    /// What waits to be written is written by an append that then finds no room for the segment that it needs.
    #[test]
    fn what_was_written_before_a_refusal_is_committed() {
        let mut builder = Builder::new(Options::default());
        builder.append(&Record { timestamp: NOW, value: Some(b"value"), ..Record::default() });
        let batch = builder.build();
        for flush_messages in [1, i64::MAX] {
            let (disk, size) = (SimulatedDisk::default(), batch.len() as u64);
            let config = LogConfig { flush_messages, segment_bytes: 2 * size, ..LogConfig::default() };
            let partition = partition_on(&disk, config);
            append(&partition);
            partition.write_and_sync(NOW);
            let written = append(&partition);
            disk.limit_space(Some(size));
            assert_eq!(
                partition.append(9, &batch, NOW, Admission::None).unwrap_err().error,
                ErrorCode::KafkaStorageError
            );
            assert_eq!(partition.is_committed(written), Ok(false));
            let flush = partition.write_pending(NOW);
            assert_eq!(flush.is_some(), flush_messages == 1);
            if let Some(flush) = flush {
                assert_eq!(partition.is_committed(written), Ok(false));
                flush.run().unwrap();
                assert!(partition.handle_synced(&flush, Ok(()), NOW).is_none());
            }
            assert_eq!(partition.is_committed(written), Ok(true));
        }
    }

    /// A batch of producer 4 within a transaction.
    fn inside(epoch: i16, sequence: i32) -> Vec<u8> {
        let mut builder = Builder::new(Options {
            producer_id: 4,
            producer_epoch: epoch,
            base_sequence: sequence,
            is_transactional: true,
            ..Options::default()
        });
        builder.append(&Record { timestamp: NOW, value: Some(b"value"), ..Record::default() });
        builder.build()
    }

    /// `UnifiedLog.fetchLastStableOffsetMetadata`
    #[test]
    fn a_transaction_is_stable_when_its_marker_is_committed() {
        let partition = partition(1);
        append(&partition);
        partition.append(9, &inside(0, 0), NOW, Admission::Added).unwrap();
        partition.write_and_sync(NOW);
        let known = || (partition.last_stable_offset().0, partition.high_watermark().0);
        assert_eq!(known(), (1, 2));
        let marker = EndTxnMarker { commit: false, coordinator_epoch: 0 };
        let end = partition.append_marker((4, 1), marker, 2, NOW).unwrap().mark();
        let flush = partition.write_pending(NOW).unwrap();
        assert_eq!(known(), (1, 2), "the marker waits for its sync");
        assert_eq!(partition.readable_end(IsolationLevel::ReadCommitted), Offset(1));
        flush.run().unwrap();
        assert!(partition.handle_synced(&flush, Ok(()), NOW).is_none());
        assert_eq!((known(), partition.is_committed(end)), ((3, 3), Ok(true)));
        let slice = partition.read(Offset(0), IsolationLevel::ReadCommitted, 1000, true).unwrap().unwrap();
        assert_eq!(slice.aborted.len(), 1);
    }

    #[test]
    fn what_begins_a_transaction_must_be_admitted() {
        let partition = partition(i64::MAX);
        let append = |epoch, sequence, admission| {
            let appended = partition.append(9, &inside(epoch, sequence), NOW, admission);
            appended.map(|at| at.base_offset.0).map_err(|refused| refused.error)
        };
        let has_open = |epoch| partition.has_open_transaction(4, epoch).map_err(|refused| refused.error);
        assert_eq!((has_open(1), append(1, 0, Admission::None)), (Ok(false), Err(ErrorCode::InvalidTxnState)));
        // It could not be verified: what comes behind it must not get in before it.
        partition.note_unverified(&Header::parse(&inside(1, 0)).unwrap());
        assert_eq!(append(1, 1, Admission::Verified), Err(ErrorCode::OutOfOrderSequenceNumber));
        assert_eq!(append(1, 0, Admission::Verified), Ok(0));
        assert_eq!((has_open(1), append(1, 1, Admission::None)), (Ok(true), Ok(1)));
        assert_eq!(has_open(0), Err(ErrorCode::InvalidProducerEpoch));
        assert_eq!(append(0, 2, Admission::Added), Err(ErrorCode::InvalidProducerEpoch));
        let marker = EndTxnMarker { commit: true, coordinator_epoch: 3 };
        let code = |refused: AppendError| refused.code();
        let end = |epoch, version| {
            partition.append_marker((4, epoch), marker, version, NOW).map(|at| at.base_offset.0).map_err(code)
        };
        assert_eq!(end(1, 2), Err(ErrorCode::InvalidProducerEpoch));
        assert_eq!(end(2, 2), Ok(2));
        assert_eq!((has_open(2), append(2, 0, Admission::None)), (Ok(false), Err(ErrorCode::InvalidTxnState)));
        assert_eq!(append(2, 1, Admission::Added), Err(ErrorCode::OutOfOrderSequenceNumber), "it begins with 0");
        assert_eq!(append(2, 0, Admission::Added), Ok(3));
        let older = partition.append_marker((4, 3), EndTxnMarker { coordinator_epoch: 2, ..marker }, 2, NOW);
        assert_eq!(older.map_err(code).unwrap_err(), ErrorCode::TransactionCoordinatorFenced);
    }

    #[test]
    fn a_failed_sync_is_never_tried_again() {
        let partition = partition(1);
        let end = append(&partition);
        let flush = partition.write_pending(NOW).unwrap();
        append(&partition);
        assert!(partition.write_pending(NOW).is_none());
        assert!(partition.handle_synced(&flush, Err("input/output error".into()), NOW).is_none());
        assert_eq!(partition.is_committed(end), Err(ErrorCode::KafkaStorageError));
    }

    #[test]
    fn a_flush_by_the_clock_leaves_the_way_to_one_under_way() {
        let partition = partition(1);
        let end = append(&partition);
        let flush = partition.write_pending(NOW).unwrap();
        assert!(!partition.flush(NOW));
        flush.run().unwrap();
        assert!(partition.handle_synced(&flush, Ok(()), NOW).is_none(), "it asks for no second one");
        assert_eq!(partition.is_committed(end), Ok(true));
        assert!(partition.flush(NOW), "nothing is left to sync");
    }

    #[test]
    fn a_flush_by_the_clock_commits_what_waits_for_a_sync() {
        let partition = partition(i64::MAX);
        append(&partition);
        partition.write_pending(NOW);
        assert_eq!(partition.log.recovery_point(), Offset(0));
        assert!(partition.flush(NOW));
        assert_eq!(partition.log.recovery_point(), partition.high_watermark());
    }

    #[test]
    fn old_segments_go_though_their_successor_was_not_synced() {
        let partition = partition(i64::MAX);
        let end = append(&partition);
        partition.write_pending(NOW);
        let retention = RetentionConfig { delete: true, retention_ms: 10, retention_bytes: -1 };
        assert!(partition.delete_old_segments(NOW, &retention).is_none());
        let removal = partition.delete_old_segments(TimestampMs(NOW.0 + 11), &retention).unwrap();
        assert!(!removal.is_empty());
        assert_eq!((partition.log.log_start_offset(), partition.log.recovery_point()), (end.end, end.end));
        partition.log.set_offline();
        assert!(partition.delete_old_segments(TimestampMs(NOW.0 + 11), &retention).is_none());
    }

    #[test]
    fn a_log_that_refuses_names_its_start() {
        let partition = partition(i64::MAX);
        let end = append(&partition);
        partition.write_pending(NOW);
        partition.log.delete_records_before(end.end).unwrap();
        let mut builder = Builder::new(Options::default());
        builder.append(&Record { timestamp: NOW, value: Some(b"value"), ..Record::default() });
        let good = builder.build();
        let start_for = |bytes: &[u8]| partition.append(9, bytes, NOW, Admission::None).unwrap_err().log_start_offset;
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        assert_eq!(start_for(&with(7, 9)), Some(end.end), "the base offset is not 0");
        assert_eq!(start_for(&with(20, good[20] ^ 1)), None, "the checksum is wrong");
        assert_eq!(start_for(&good[..good.len() - 1]), None);
        assert_eq!(start_for(&good.repeat(2)), None);
        // Kafka counts the first one as failed, the second one as asked for, and the last two, which reach no log, not at all.
        let counts = partition.traffic.read();
        assert_eq!((counts.produces, counts.failed_produces, counts.records_in), (1 + 2, 1, 1));
    }

    #[test]
    fn epochs_are_compared_as_in_kip_320() {
        let partition = partition(1);
        assert_eq!(partition.check_leader_epoch(-1), Ok(()));
        assert_eq!(partition.check_leader_epoch(0), Ok(()));
        assert_eq!(partition.check_leader_epoch(-2), Err(ErrorCode::FencedLeaderEpoch));
        assert_eq!(partition.check_leader_epoch(1), Err(ErrorCode::UnknownLeaderEpoch));
    }
}
