//! Whether a batch may be appended (`UnifiedLog.analyzeAndValidateProducerState`, `ProducerAppendInfo`). It reads only. The
//! texts of the refusals are Kafka's, since clients see them.

use super::{NO_PRODUCER_EPOCH, Producers, Remembered, comes_after};
use crate::model::Offset;
use crate::record::header::Header;
use crate::storage::config::Identity;
use crate::storage::error::AppendError;

/// The first version of transactions in which each marker raises the producer's epoch (KIP-890).
const RAISES_EPOCH_SINCE: i16 = 2;
/// What Kafka names as the version of a batch that is no marker (`TransactionVersion.TV_UNKNOWN`).
const UNKNOWN_VERSION: i16 = -1;

/// What the coordinator of transactions has said of a batch that would begin a transaction in this partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Admission {
    /// It was not asked: the batch must belong to a transaction that is open here already.
    #[default]
    None,
    /// The partition is in the producer's transaction; or the broker is told not to ask.
    Verified,
    /// The partition was added to the producer's transaction just now (Produce since version 12). Its producer begins each
    /// epoch with sequence 0, so no other sequence can be the first.
    Added,
}

/// The one that appends, which decides how much is checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A producer: epoch, sequence and transaction count.
    Client(Admission),
    /// A coordinator of ours: no sequences, only epoch and transaction.
    Coordinator(Admission),
    /// The coordinator of transactions, in this epoch of its own, with a marker.
    Marker { transaction_version: i16, coordinator_epoch: i32 },
}

/// Where a batch would stand; for the text of a refusal.
#[derive(Clone, Copy)]
pub struct Destination<'a> {
    pub identity: &'a Identity,
    pub offset: Offset,
}

impl Destination<'_> {
    fn partition(&self) -> String {
        format!("{}-{}", self.identity.topic, self.identity.partition)
    }

    /// The words with which Kafka tells it, nearly always.
    fn told(&self) -> String {
        format!("at offset {} in partition {}", self.offset, self.partition())
    }
}

impl Producers {
    /// Whether a batch may be appended; the remembered batch if it is the repetition of one.
    pub fn check(
        &self,
        batch: &Header,
        origin: Origin,
        to: &Destination<'_>,
    ) -> Result<Option<Remembered>, AppendError> {
        let producer = self.by_id.get(&batch.producer_id);
        match origin {
            Origin::Client(_) if batch.is_control() => {
                let why = "Clients are not allowed to write control records in topic partition";
                return Err(AppendError::InvalidRecord(format!("{why} {}", to.partition())));
            }
            Origin::Client(admission) => {
                if let Some(known) = producer.and_then(|producer| producer.repeated(batch)) {
                    return Ok(Some(known));
                }
                self.check_epoch(batch, admission, to)?;
                self.check_sequence(batch, admission, to)?;
            }
            Origin::Coordinator(admission) => {
                assert!(!batch.is_control(), "a marker comes from the coordinator of transactions");
                self.check_epoch(batch, admission, to)?;
            }
            Origin::Marker { transaction_version, coordinator_epoch } => {
                assert!(batch.is_control() && batch.is_transactional(), "a marker ends a transaction");
                return self.check_marker(batch, transaction_version, coordinator_epoch, to).map(|()| None);
            }
        }
        let has_open = producer.is_some_and(|producer| producer.txn_first_offset.is_some());
        if has_open && !batch.is_transactional() {
            // Kafka puts its `LogOffsetMetadata` here, without a place in a segment.
            let (id, offset) = (batch.producer_id, to.offset);
            let offset = format!("(offset={offset}, segment=[-1:-1])");
            let why = format!("Expected transactional write from producer {id} at offset {offset} in partition");
            return Err(AppendError::InvalidTxnState(format!("{why} {}", to.partition())));
        }
        Ok(None)
    }

    /// Whether a transaction of exactly this epoch is open; a producer of an older epoch is refused.
    pub fn has_open_transaction(&self, producer_id: i64, epoch: i16) -> Result<bool, AppendError> {
        let Some(producer) = self.by_id.get(&producer_id) else { return Ok(false) };
        if epoch < producer.epoch {
            let known = producer.epoch;
            return Err(AppendError::InvalidProducerEpoch(format!(
                "Epoch of producer {producer_id} is {epoch}, which is smaller than the last seen epoch {known}"
            )));
        }
        Ok(producer.txn_first_offset.is_some() && producer.epoch == epoch)
    }

    /// Whether the producer may write within a transaction.
    pub fn check_transaction(&self, producer_id: i64, epoch: i16, admission: Admission) -> Result<(), AppendError> {
        if self.has_open_transaction(producer_id, epoch)? || admission != Admission::None {
            return Ok(());
        }
        Err(AppendError::InvalidTxnState("Record was not part of an ongoing transaction".into()))
    }

    fn check_epoch(&self, batch: &Header, admission: Admission, to: &Destination<'_>) -> Result<(), AppendError> {
        if batch.is_transactional() {
            self.check_transaction(batch.producer_id, batch.producer_epoch, admission)?;
        }
        match self.by_id.get(&batch.producer_id) {
            Some(producer) if batch.producer_epoch < producer.epoch => {
                Err(stale(batch, "<", producer.epoch, UNKNOWN_VERSION, to))
            }
            _ => Ok(()),
        }
    }

    /// Whether the sequence goes on where the log has the producer's last one (`ProducerAppendInfo.checkSequence`).
    fn check_sequence(&self, batch: &Header, admission: Admission, to: &Destination<'_>) -> Result<(), AppendError> {
        let (id, first) = (batch.producer_id, batch.base_sequence);
        let wrong = |why: String| Err(AppendError::OutOfOrderSequence(why));
        let producer = self.by_id.get(&id);
        let has_batches = producer.is_some_and(|producer| producer.last_batch().is_some());
        if admission == Admission::Added && first != 0 && !has_batches {
            return wrong(format!(
                "Invalid sequence number for producer {id} {}: {first} (incoming seq. number). Expected sequence 0 for \
                 transactions v2 idempotent producer with no existing state.",
                to.told()
            ));
        }
        let Some(producer) = producer else {
            return match self.must_come_first(batch) {
                Some(earliest) => wrong(format!(
                    "Out of order sequence number for producer {id} {}: {first} (incoming seq. number), {earliest} \
                     (earliest seen sequence)",
                    to.told()
                )),
                None => Ok(()),
            };
        };
        // Without an epoch its records are gone from the log (retention, DeleteRecords): any sequence may follow.
        if producer.epoch == NO_PRODUCER_EPOCH {
            return Ok(());
        }
        if batch.producer_epoch != producer.epoch {
            let (asked, known) = (batch.producer_epoch, producer.epoch);
            return match first {
                0 => Ok(()),
                _ => wrong(format!(
                    "Invalid sequence number for new epoch of producer {id} {}: {asked} (request epoch), {first} (seq. \
                     number), {known} (current producer epoch)",
                    to.told()
                )),
            };
        }
        let last = producer.last_sequence();
        if i64::from(first) == i64::from(last) + 1 || (first == 0 && last == i32::MAX) {
            return Ok(());
        }
        wrong(format!(
            "Out of order sequence number for producer {id} {}: {first} (incoming seq. number), {last} (current end \
             sequence number)",
            to.told()
        ))
    }

    /// The sequence that this batch of an unknown producer would overtake.
    fn must_come_first(&self, batch: &Header) -> Option<i32> {
        let (epoch, first) = self.taken_back.get(&batch.producer_id)?;
        (*epoch == batch.producer_epoch && comes_after(batch.base_sequence, *first)).then_some(*first)
    }

    /// Whether a marker is of the transaction that is open, and from the coordinator that is in office
    /// (`ProducerAppendInfo.appendEndTxnMarker`).
    fn check_marker(
        &self,
        batch: &Header,
        transaction_version: i16,
        coordinator_epoch: i32,
        to: &Destination<'_>,
    ) -> Result<(), AppendError> {
        let has_open = self.has_open_transaction(batch.producer_id, batch.producer_epoch)?;
        let Some(producer) = self.by_id.get(&batch.producer_id) else { return Ok(()) };
        assert!(batch.producer_epoch >= producer.epoch, "an older epoch is refused already");
        // The coordinator raises the epoch before each marker: one that is open in the marker's epoch is the next. A marker
        // that comes again finds none open. What began in the last epoch of all can only end in it (KAFKA-19999).
        if has_open && transaction_version >= RAISES_EPOCH_SINCE && batch.producer_epoch != i16::MAX {
            return Err(stale(batch, "<=", producer.epoch, transaction_version, to));
        }
        if coordinator_epoch < producer.coordinator_epoch {
            return Err(AppendError::TransactionCoordinatorFenced(format!(
                "Invalid coordinator epoch for producerId {} {}: {coordinator_epoch} (zombie), {} (current)",
                batch.producer_id,
                to.told(),
                producer.coordinator_epoch
            )));
        }
        Ok(())
    }
}

fn stale(batch: &Header, comparison: &str, known: i16, transaction_version: i16, to: &Destination<'_>) -> AppendError {
    AppendError::InvalidProducerEpoch(format!(
        "Epoch of producer {} at offset {} in {} is {}, which is {comparison} the last seen epoch {known} (TV{transaction_version})",
        batch.producer_id,
        to.offset,
        to.partition(),
        batch.producer_epoch,
    ))
}
