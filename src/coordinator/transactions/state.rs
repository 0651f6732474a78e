//! One transactional id: its producer, and the state of its transaction (`TransactionMetadata`, `TransactionState`,
//! `TransactionLog`).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{EPOCH_BUMP_SINCE, Markers, NO_PRODUCER_EPOCH, NO_PRODUCER_ID};
use crate::codec::{DecodeError, Str};
use crate::coordinator::machine::Producer;
use crate::coordinator::record::Unreadable;
use crate::coordinator::record::transaction::{PartitionsSchema, TransactionLogValue};

/// A partition that takes part in a transaction.
pub type TopicPartition = (Arc<str>, i32);
pub type Partitions = BTreeSet<TopicPartition>;

/// Epochs from here on are not given to clients, so that the coordinator can always fence (`isEpochExhausted`).
const EXHAUSTED_SINCE: i16 = i16::MAX - 1;
/// The time-out of a two-phase commit, which no time ends (`isDistributedTwoPhaseCommitTxn`).
pub(super) const NO_TIMEOUT_MS: i32 = i32::MAX;
/// `txnStartTimestamp` of an id without a transaction.
pub(super) const NOT_BEGUN: i64 = -1;
/// The type of the record, for errors.
const TYPE: i16 = 0;

/// Numbers as in the records. Kafka's `Dead` and `PrepareEpochFence` live in its memory only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    Empty = 0,
    Ongoing = 1,
    PrepareCommit = 2,
    PrepareAbort = 3,
    CompleteCommit = 4,
    CompleteAbort = 5,
}

impl State {
    pub const ALL: [State; 6] = [
        State::Empty,
        State::Ongoing,
        State::PrepareCommit,
        State::PrepareAbort,
        State::CompleteCommit,
        State::CompleteAbort,
    ];

    /// As Kafka spells it.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::Ongoing => "Ongoing",
            State::PrepareCommit => "PrepareCommit",
            State::PrepareAbort => "PrepareAbort",
            State::CompleteCommit => "CompleteCommit",
            State::CompleteAbort => "CompleteAbort",
        }
    }

    /// Its markers are on their way.
    pub fn is_prepared(self) -> bool {
        matches!(self, State::PrepareCommit | State::PrepareAbort)
    }

    /// There is no transaction: the next one may begin, and the id may expire.
    pub fn is_over(self) -> bool {
        matches!(self, State::Empty | State::CompleteCommit | State::CompleteAbort)
    }

    /// `TransactionState.VALID_PREVIOUS_STATES`
    fn may_follow(self, before: State) -> bool {
        use State::*;
        match self {
            Empty => before.is_over(),
            Ongoing => before == Ongoing || before.is_over(),
            PrepareCommit => before == Ongoing,
            PrepareAbort => before == Ongoing || before.is_over(),
            CompleteCommit => before == PrepareCommit,
            CompleteAbort => before == PrepareAbort,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Transaction {
    pub producer_id: i64,
    /// The producer id before the last change of state.
    pub previous_producer_id: i64,
    /// The id that the producer goes on with when the markers are written, as its epochs are used up.
    pub next_producer_id: i64,
    pub epoch: i16,
    /// The epoch before; not in the records.
    pub last_epoch: i16,
    pub timeout_ms: i32,
    pub state: State,
    pub partitions: Partitions,
    pub start_ms: i64,
    pub update_ms: i64,
    /// The transaction version of the client that moved it last.
    pub client_version: i16,
    /// Which transaction it is of all that began here; not in the records.
    pub serial: u64,
}

impl Transaction {
    /// One that has never been, under this producer id.
    pub fn new(producer_id: i64, timeout_ms: i32, now_ms: i64) -> Transaction {
        Transaction {
            producer_id,
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            epoch: NO_PRODUCER_EPOCH,
            last_epoch: NO_PRODUCER_EPOCH,
            timeout_ms,
            state: State::Empty,
            partitions: Partitions::new(),
            start_ms: NOT_BEGUN,
            update_ms: now_ms,
            client_version: 0,
            serial: 0,
        }
    }

    pub fn producer(&self) -> Producer {
        Producer { id: self.producer_id, epoch: self.epoch }
    }

    pub fn is_exhausted(&self) -> bool {
        is_exhausted(self.epoch)
    }

    /// The same in another state, changed now.
    pub fn to(&self, state: State, now_ms: i64) -> Transaction {
        Transaction { state, update_ms: now_ms, previous_producer_id: self.producer_id, ..self.clone() }
    }

    /// Behind its markers (`TransactionMetadata.prepareComplete`).
    pub fn completed(&self, now_ms: i64) -> Transaction {
        let state = if self.state == State::PrepareCommit { State::CompleteCommit } else { State::CompleteAbort };
        let after = self.producer_after();
        let mut next = self.to(state, now_ms);
        (next.producer_id, next.epoch) = (after.id, after.epoch);
        next.next_producer_id = NO_PRODUCER_ID;
        next.partitions = Partitions::new();
        next
    }

    /// What the producer is when its markers are written.
    pub fn producer_after(&self) -> Producer {
        if self.client_version >= EPOCH_BUMP_SINCE && self.next_producer_id != NO_PRODUCER_ID {
            return Producer { id: self.next_producer_id, epoch: 0 };
        }
        self.producer()
    }

    pub fn markers(&self, transactional_id: &Arc<str>) -> Markers {
        assert!(self.state.is_prepared(), "markers end what is prepared");
        Markers {
            transactional_id: transactional_id.clone(),
            producer: self.producer(),
            commit: self.state == State::PrepareCommit,
            version: self.client_version,
            partitions: self.partitions.clone(),
        }
    }

    /// `TransactionMetadata.completeTransitionTo`
    pub fn may_follow(&self, before: &Transaction) -> bool {
        let is_same_producer = self.producer_id == before.producer_id;
        let is_epoch_right = if is_same_producer {
            self.epoch == before.epoch || i32::from(self.epoch) == i32::from(before.epoch) + 1
        } else {
            self.epoch == 0
        };
        let keeps_partitions = match self.state {
            State::Ongoing => before.partitions.is_subset(&self.partitions),
            State::PrepareCommit | State::PrepareAbort => before.partitions == self.partitions,
            State::Empty | State::CompleteCommit | State::CompleteAbort => self.partitions.is_empty(),
        };
        let keeps_time = self.timeout_ms == before.timeout_ms || self.state == State::Empty;
        self.state.may_follow(before.state) && is_epoch_right && keeps_partitions && keeps_time
    }

    /// As a record's value, with what its version can say.
    pub fn value(&self, version: i16) -> TransactionLogValue<'_> {
        let told = |value, none| if version > 0 { value } else { none };
        let mut topics: Vec<PartitionsSchema<'_>> = Vec::new();
        for (topic, partition) in &self.partitions {
            match topics.last_mut().filter(|last| *last.topic == **topic) {
                Some(last) => last.partition_ids.push(*partition),
                None => topics.push(PartitionsSchema { topic: Str::Borrowed(topic), partition_ids: vec![*partition] }),
            }
        }
        TransactionLogValue {
            producer_id: self.producer_id,
            previous_producer_id: told(self.previous_producer_id, NO_PRODUCER_ID),
            next_producer_id: told(self.next_producer_id, NO_PRODUCER_ID),
            producer_epoch: self.epoch,
            next_producer_epoch: NO_PRODUCER_EPOCH,
            transaction_timeout_ms: self.timeout_ms,
            transaction_status: self.state as i8,
            transaction_partitions: (self.state != State::Empty).then_some(topics),
            transaction_last_update_timestamp_ms: self.update_ms,
            transaction_start_timestamp_ms: self.start_ms,
            client_transaction_version: if version > 0 { self.client_version } else { 0 },
        }
    }

    /// Reads a record's value.
    pub fn read(value: &TransactionLogValue<'_>) -> Result<Transaction, Unreadable> {
        let state = State::ALL.into_iter().find(|state| *state as i8 == value.transaction_status);
        let wrong =
            || Unreadable::Value { type_id: TYPE, error: DecodeError::value("TransactionLogValue.TransactionStatus") };
        let state = state.ok_or_else(wrong)?;
        // The id that comes behind used up epochs is another one: else the transaction could not become complete.
        let next = value.next_producer_id;
        let is_next_wrong = next != NO_PRODUCER_ID && (next < 0 || next == value.producer_id);
        if value.producer_id < 0 || value.producer_epoch < 0 || is_next_wrong {
            return Err(Unreadable::Value {
                type_id: TYPE,
                error: DecodeError::value("TransactionLogValue.ProducerId"),
            });
        }
        let mut partitions = Partitions::new();
        for topic in value.transaction_partitions.iter().flatten().filter(|_| !state.is_over()) {
            let name: Arc<str> = topic.topic.as_ref().into();
            partitions.extend(topic.partition_ids.iter().map(|partition| (name.clone(), *partition)));
        }
        Ok(Transaction {
            producer_id: value.producer_id,
            previous_producer_id: value.previous_producer_id,
            next_producer_id: value.next_producer_id,
            epoch: value.producer_epoch,
            last_epoch: NO_PRODUCER_EPOCH,
            timeout_ms: value.transaction_timeout_ms,
            state,
            partitions,
            start_ms: value.transaction_start_timestamp_ms,
            update_ms: value.transaction_last_update_timestamp_ms,
            client_version: value.client_transaction_version,
            serial: 0,
        })
    }
}

pub(super) fn is_exhausted(epoch: i16) -> bool {
    epoch >= EXHAUSTED_SINCE
}
