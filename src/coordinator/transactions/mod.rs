//! The transactions of one partition of `__transaction_state`: who may write in which transaction, and how each ends
//! (`TransactionCoordinator`, `TransactionStateManager`).
//!
//! A request is decided, its record is written and applied in one step, and nothing else comes between. So there is none
//! of Kafka's pending states, and CONCURRENT_TRANSACTIONS is answered only while markers are on their way. What a step
//! prepares it commands: [`Markers`] go to the partitions of the transaction when the record is committed, and
//! [`Transactions::complete`] is the step behind them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod add;
mod end;
mod expire;
mod init;
mod inspect;
mod state;
mod step;
#[cfg(test)]
mod tests;

pub use self::add::Begun;
pub use self::end::Ended;
pub use self::init::InitProducerId;
pub use self::inspect::{Described, Filter, ListedTransaction};
use self::state::Transaction;
pub use self::state::{Partitions, State, TopicPartition};
pub use self::step::{Markers, Step, TransactionCommand};
use super::machine::{Machine, Output, Producer, Record};
use super::record::Unreadable;
use super::record::transaction::{Entry, Key, TransactionLogKey, TransactionLogValue, Value};
use crate::codec::Str;
use crate::model::{ErrorCode, Instant};
use crate::stdx::never::Never;

/// `RecordBatch.NO_PRODUCER_ID`
pub const NO_PRODUCER_ID: i64 = -1;
/// `RecordBatch.NO_PRODUCER_EPOCH`
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// Clients of this transaction version raise the epoch with the end of each transaction (KIP-890).
pub const EPOCH_BUMP_SINCE: i16 = 2;

/// All transactional ids of one partition.
#[derive(Default)]
pub struct Transactions {
    by_id: BTreeMap<Arc<str>, Transaction>,
    /// Those that are open: the next look for the ones whose time is over is at them alone.
    ongoing: BTreeSet<Arc<str>>,
    next_sweep: Instant,
    /// How many transactions began since the log was loaded.
    begun: u64,
}

impl Transactions {
    fn of(&self, transactional_id: &str) -> Result<&Transaction, ErrorCode> {
        self.by_id.get(transactional_id).ok_or(ErrorCode::InvalidProducerIdMapping)
    }

    /// Writes what a transactional id is from now on, and makes it so.
    fn put(&mut self, step: &mut Step<'_>, transactional_id: &str, mut next: Transaction) {
        let before = self.by_id.get_key_value(transactional_id);
        assert!(
            before.is_none_or(|(_, before)| next.may_follow(before)),
            "{transactional_id:?} goes from {before:?} to {next:?}"
        );
        step.out.records.push(record(transactional_id, Some((next.value(step.value_version()), step.value_version()))));
        let id = before.map_or_else(|| transactional_id.into(), |(id, _)| id.clone());
        if next.state == State::Ongoing {
            if self.ongoing.is_empty() {
                self.next_sweep = step.now + step.settings.abort_interval;
            }
            if self.ongoing.insert(id.clone()) {
                self.begun += 1;
                next.serial = self.begun;
            }
        } else {
            self.ongoing.remove(transactional_id);
        }
        self.by_id.insert(id, next);
    }

    fn remove(&mut self, transactional_id: &str) {
        self.by_id.remove(transactional_id);
        self.ongoing.remove(transactional_id);
    }

    /// How many transactional ids there are.
    #[cfg(test)]
    fn count(&self) -> usize {
        self.by_id.len()
    }
}

/// A record as bytes; no value is a tombstone.
fn record(transactional_id: &str, value: Option<(TransactionLogValue<'_>, i16)>) -> Record {
    let mut record = Record { key: Vec::new(), value: None };
    let key = Key::TransactionLog(TransactionLogKey { transactional_id: Str::Borrowed(transactional_id) });
    key.encode(&mut record.key).expect("an id that fits into a request fits into a record");
    if let Some((value, version)) = value {
        let bytes = record.value.insert(Vec::new());
        Value::TransactionLog(value).encode(bytes, version).expect("topics that fit into requests fit into a record");
    }
    record
}

impl Machine for Transactions {
    type Entry<'a> = Entry<'a>;
    type Reply = Never;
    type Command = TransactionCommand;
    type Step<'s> = Step<'s>;

    fn decode<'a>(key: &'a [u8], value: Option<&'a [u8]>) -> Result<Entry<'a>, Unreadable> {
        Entry::decode(key, value)
    }

    fn apply(&mut self, entry: &Entry<'_>, _: Option<i64>) -> Result<(), Unreadable> {
        let Entry::TransactionLog(key, value) = entry;
        let id = key.transactional_id.as_ref();
        let Some(value) = value else {
            self.remove(id);
            return Ok(());
        };
        let mut transaction = Transaction::read(value)?;
        let id: Arc<str> = id.into();
        if transaction.state == State::Ongoing {
            self.begun += 1;
            transaction.serial = self.begun;
            self.ongoing.insert(id.clone());
        } else {
            self.ongoing.remove(&id);
        }
        self.by_id.insert(id, transaction);
        Ok(())
    }

    /// Records of transactions are not written in transactions.
    fn end_transaction(&mut self, _: Producer, _: bool) {}

    /// Markers that were on their way are sent again (`TransactionStateManager.loadTransactionsForTxnTopicPartition`).
    fn handle_loaded(&mut self, step: &mut Step<'_>) {
        self.next_sweep = step.now + step.settings.abort_interval;
        let prepared = self.by_id.iter().filter(|(_, transaction)| transaction.state.is_prepared());
        step.out
            .commands
            .extend(prepared.map(|(id, transaction)| TransactionCommand::Markers(transaction.markers(id))));
    }

    /// Aborts what has been open for too long.
    fn handle_timers(&mut self, step: &mut Step<'_>) {
        if self.next_sweep <= step.now {
            self.next_sweep = step.now + step.settings.abort_interval;
            self.abort_timed_out(step);
        }
    }

    fn next_deadline(&self) -> Instant {
        if self.ongoing.is_empty() { Instant::NEVER } else { self.next_sweep }
    }

    fn assert_sound(&self) {
        for (id, transaction) in &self.by_id {
            let is_ongoing = transaction.state == State::Ongoing;
            assert_eq!(self.ongoing.contains(id), is_ongoing, "{id:?} is listed as it is: {transaction:?}");
            assert!(transaction.producer_id >= 0 && transaction.epoch >= 0, "{id:?} has a producer: {transaction:?}");
            assert!(
                !transaction.state.is_over() || transaction.partitions.is_empty(),
                "a transaction that is over has no partitions: {id:?}, {transaction:?}"
            );
            assert!(transaction.serial <= self.begun, "{id:?} is a transaction of the future: {transaction:?}");
        }
        assert!(self.ongoing.iter().all(|id| self.by_id.contains_key(id)), "what is open is known");
    }
}

/// What a step of this machine asks for.
type Out = Output<Never, TransactionCommand>;
