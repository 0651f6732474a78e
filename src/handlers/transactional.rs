//! What a partition needs before it takes what a producer writes in a transaction: the transaction's coordinator must know
//! of the partition, and have committed that it does, so that the transaction's end reaches it
//! (`AddPartitionsToTxnManager`, `ReplicaManager.maybeSendPartitionsToTransactionCoordinator`).
//!
//! Kafka keeps a guard between the coordinator's answer and the append. Here the append happens under the lock of the
//! coordinator that says the transaction is open, so that no marker comes between.

use std::sync::Arc;
use std::time::Duration;

use crate::coordinator::machine::Producer;
use crate::coordinator::transactions::{Begun, EPOCH_BUMP_SINCE, TopicPartition, Transactions};
use crate::coordinator_runtime::{Barrier, TRANSACTIONS_TOPIC, TransactionCoordinator};
use crate::model::ErrorCode;
use crate::shard::context::Context;
use crate::storage::log::Admission;

/// How long a request waits for the coordinator of its transaction; one between brokers would take no longer
/// (`request.timeout.ms`).
pub(super) const ADMISSION_TIMEOUT: Duration = Duration::from_secs(30);

/// How a request takes part in its transaction, by its version (`TransactionSupportedOperation`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// The client has added the partitions before, and does not know TRANSACTION_ABORTABLE.
    Old,
    /// The client has added the partitions before.
    Verified,
    /// The request itself adds its partitions (KIP-890).
    Adds,
}

impl Form {
    /// The form of a request's version: clients know TRANSACTION_ABORTABLE since the one, requests add their partitions since
    /// the other.
    pub(super) fn of(version: i16, abortable_since: i16, adds_since: i16) -> Form {
        if version >= adds_since {
            Form::Adds
        } else if version >= abortable_since {
            Form::Verified
        } else {
            Form::Old
        }
    }

    pub(super) fn admission(self) -> Admission {
        if self == Form::Adds { Admission::Added } else { Admission::Verified }
    }
}

/// A producer that writes in a transaction.
#[derive(Clone, Copy)]
pub(super) struct Writer<'a> {
    pub(super) transactional_id: &'a str,
    pub(super) producer: Producer,
    pub(super) form: Form,
}

/// A transaction as the coordinator has shown it, and what must be committed for that to count.
#[derive(Clone)]
pub(super) struct Seen {
    begun: Begun,
    barrier: Barrier,
}

/// What the coordinator says of the partitions.
pub(super) struct Known {
    pub(super) coordinator: Arc<TransactionCoordinator>,
    pub(super) seen: Seen,
    /// One for each partition.
    pub(super) errors: Vec<ErrorCode>,
}

/// The coordinator of a transactional id, for those who write in its transactions.
pub(super) fn coordinator(context: &Context<'_>, id: &str) -> Result<Arc<TransactionCoordinator>, ErrorCode> {
    if context.view.topic(TRANSACTIONS_TOPIC).is_none() {
        return Err(ErrorCode::CoordinatorNotAvailable);
    }
    context.coordinator_anywhere::<Transactions>(id)
}

impl Writer<'_> {
    /// Adds the partitions to the transaction, or asks whether they are in it.
    pub(super) fn ask(&self, context: &mut Context<'_>, partitions: &[TopicPartition]) -> Result<Known, ErrorCode> {
        let Writer { transactional_id: id, producer, form } = *self;
        let coordinator = coordinator(context, id)?;
        let (begun, errors, barrier) = if form == Form::Adds {
            let (begun, barrier) = context.step(&coordinator, |machine, step| {
                machine.add_partitions(step, id, producer, partitions, EPOCH_BUMP_SINCE)
            })?;
            (begun.map_err(|error| self.told(error))?, vec![ErrorCode::None; partitions.len()], barrier)
        } else {
            let (verified, barrier) =
                coordinator.look(|machine| machine.verify_partitions(id, producer, partitions))?;
            let (begun, errors) = verified.map_err(|error| self.told(error))?;
            (begun, errors.into_iter().map(|error| self.told(error)).collect(), barrier)
        };
        Ok(Known { coordinator, seen: Seen { begun, barrier }, errors })
    }

    /// Whether the transaction that was seen is still open with this partition; asked under the coordinator's lock.
    pub(super) fn is_open(&self, machine: &Transactions, seen: &Seen, partition: &TopicPartition) -> bool {
        machine.is_open(self.transactional_id, self.producer, seen.begun, partition)
    }

    /// What the client expects instead of a coordinator's error.
    fn told(&self, error: ErrorCode) -> ErrorCode {
        match error {
            ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
            ErrorCode::TransactionAbortable if self.form == Form::Old => ErrorCode::InvalidTxnState,
            error => error,
        }
    }
}

impl Seen {
    /// What is still to be waited for. A look that was waited for before counts if it showed the same transaction, whatever
    /// the coordinator has written since for others.
    pub(super) fn lacks(self, before: Option<&Seen>) -> Result<Option<Seen>, ErrorCode> {
        let first = match before.filter(|before| before.begun == self.begun) {
            Some(before) => before.clone(),
            None => self,
        };
        // Kafka's word where the coordinator's log could not be written.
        let is_passed = first.barrier.is_passed().map_err(|_| ErrorCode::NotCoordinator)?;
        Ok(if is_passed { None } else { Some(first) })
    }

    /// `Err` if it will never be.
    pub(super) fn is_committed(&self) -> Result<bool, ErrorCode> {
        self.barrier.is_passed()
    }
}
