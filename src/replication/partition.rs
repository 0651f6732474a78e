//! A partition as its leader: append, high watermark, and who waits for it.
//!
//! Readers take no lock: they see the published end of the log and the high watermark, both atomic. A writer holds the
//! log's own short lock. With one replica the high watermark follows what is written, or what is synced where the topic
//! asks for a sync now (`flush.messages`, `flush.ms`). One sync is under way at a time; what is written meanwhile is
//! covered by the next: group commit.

use std::sync::atomic::{AtomicI32, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use log::error;

use crate::model::{ErrorCode, IsolationLevel, LeaderEpoch, Offset, PartitionIndex, TimestampMs, TopicId};
use crate::record::validate::{self, RecordError, Rules};
use crate::replication::watch::SharedShards;
use crate::storage::log::{Appended, Flush, Log, Origin, ReadError, Slice};

/// Why an append was refused: an answer of the protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refused {
    pub error: ErrorCode,
    pub message: Option<String>,
    /// Single records at fault (KIP-467).
    pub record_errors: Vec<RecordError>,
}

impl From<ErrorCode> for Refused {
    fn from(error: ErrorCode) -> Refused {
        Refused { error, message: None, record_errors: Vec::new() }
    }
}

impl From<validate::Refused> for Refused {
    fn from(refused: validate::Refused) -> Refused {
        Refused { error: refused.error, message: Some(refused.message), record_errors: refused.record_errors }
    }
}

#[derive(Default)]
struct Syncing {
    under_way: bool,
    /// Something was written since the sync began that asks for one, too.
    again: bool,
}

/// See the module.
pub struct Partition {
    /// Unique within this process, also among partitions of the same name one after the other.
    pub number: u64,
    pub topic_id: TopicId,
    pub topic: Arc<str>,
    pub index: PartitionIndex,
    pub log: Log,
    /// Shards that want to hear of progress.
    pub waiting: SharedShards,
    /// Shards that will write what is pending at the end of their turn.
    pub dirty: SharedShards,
    rules: ArcSwap<Rules>,
    leader_epoch: AtomicI32,
    high_watermark: AtomicI64,
    syncing: Mutex<Syncing>,
}

impl Partition {
    /// A partition that this broker leads in `epoch`. With one replica all that its log holds is committed.
    pub fn new(number: u64, log: Log, epoch: LeaderEpoch, rules: Rules) -> Partition {
        let identity = log.identity();
        Partition {
            number,
            topic_id: identity.topic_id,
            topic: identity.topic.as_str().into(),
            index: identity.partition,
            waiting: SharedShards::default(),
            dirty: SharedShards::default(),
            rules: ArcSwap::from_pointee(rules),
            leader_epoch: AtomicI32::new(epoch.0),
            high_watermark: AtomicI64::new(log.log_end_offset().0),
            syncing: Mutex::default(),
            log,
        }
    }

    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.leader_epoch.load(Ordering::Acquire))
    }

    pub fn high_watermark(&self) -> Offset {
        Offset(self.high_watermark.load(Ordering::Acquire))
    }

    /// The first offset of an open transaction, or the high watermark where there is none.
    pub fn last_stable_offset(&self) -> Offset {
        self.high_watermark()
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

    /// Whether `cleanup.policy` contains `compact`.
    pub fn is_compacted(&self) -> bool {
        self.rules.load().compacted
    }

    /// Compares the epoch that a client believes in with ours (KIP-320); -1 is no belief.
    pub fn check_leader_epoch(&self, epoch: i32) -> Result<(), ErrorCode> {
        let ours = self.leader_epoch().0;
        match epoch {
            ..0 => Ok(()),
            _ if epoch < ours => Err(ErrorCode::FencedLeaderEpoch),
            _ if epoch > ours => Err(ErrorCode::UnknownLeaderEpoch),
            _ => Ok(()),
        }
    }

    /// Judges the records of a Produce request of `version` and takes them into the log's order. They are written by
    /// the next [`Partition::write_pending`].
    pub fn append(&self, version: i16, records: &[u8], now: TimestampMs) -> Result<Appended, Refused> {
        let accepted = validate::validate(&self.rules.load(), version, now, records)?;
        let mut stamped = Vec::new();
        let bytes = if accepted.is_stamped() {
            stamped.extend_from_slice(accepted.bytes());
            accepted.stamp(&mut stamped);
            &stamped
        } else {
            accepted.bytes()
        };
        let appended = self.log.append(bytes, Origin::Client, self.leader_epoch(), now);
        appended.map_err(|refused| Refused { message: Some(refused.to_string()), ..refused.code().into() })
    }

    fn syncing(&self) -> MutexGuard<'_, Syncing> {
        self.syncing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what all shards have appended. The answer is a sync that the caller must see to.
    pub fn write_pending(&self, now: TimestampMs) -> Option<Flush> {
        match self.log.write_pending(now) {
            Ok(None) => None,
            Ok(Some(written)) if written.wants_sync => self.begin_sync(),
            Ok(Some(written)) => {
                self.high_watermark.fetch_max(written.end_offset.0, Ordering::AcqRel);
                // Nobody waits for it: it keeps recovery short (Kafka's "flush-log" after a roll).
                if written.rolled { self.begin_sync() } else { None }
            }
            Err(failure) => {
                self.go_offline(&failure.to_string());
                None
            }
        }
    }

    fn begin_sync(&self) -> Option<Flush> {
        let mut syncing = self.syncing();
        if syncing.under_way {
            syncing.again = true;
            return None;
        }
        match self.log.flush() {
            Ok(flush) => {
                syncing.under_way = true;
                Some(flush)
            }
            Err(failure) => {
                self.go_offline(&failure.to_string());
                None
            }
        }
    }

    /// A sync has ended. The answer is the next one, if something waits for it.
    pub fn handle_synced(&self, flush: &Flush, result: Result<(), String>, now: TimestampMs) -> Option<Flush> {
        let again = {
            let mut syncing = self.syncing();
            syncing.under_way = false;
            std::mem::take(&mut syncing.again)
        };
        match result {
            Err(failure) => {
                // Nobody knows what is on the platter after a failed sync, and another would not find out.
                self.go_offline(&failure);
                None
            }
            Ok(()) => {
                self.log.flushed(flush, now);
                self.high_watermark.fetch_max(flush.up_to.0, Ordering::AcqRel);
                if again { self.begin_sync() } else { None }
            }
        }
    }

    fn go_offline(&self, why: &str) {
        if !self.log.is_offline() {
            self.log.set_offline();
        }
        error!("partition {}-{} is offline: {why}", self.topic, self.index);
    }

    /// Whether everything below `end` is committed; `Err` if that will never be.
    pub fn is_committed(&self, end: Offset) -> Result<bool, ErrorCode> {
        if self.high_watermark() >= end {
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
        let read = self.log.read(from, self.readable_end(isolation), max_bytes, at_least_one);
        read.map_err(|error| match error {
            ReadError::OutOfRange(_) => ErrorCode::OffsetOutOfRange,
            ReadError::Storage(failure) => {
                error!("cannot read {}-{}: {failure}", self.topic, self.index);
                ErrorCode::KafkaStorageError
            }
        })
    }
}
