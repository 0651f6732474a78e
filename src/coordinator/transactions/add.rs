//! Partitions of a transaction: added by AddPartitionsToTxn, AddOffsetsToTxn or a Produce, and verified for a Produce of
//! an older client (`handleAddPartitionsToTransaction`, `handleVerifyPartitionsInTransaction`).

use super::state::{State, TopicPartition, Transaction};
use super::{Step, Transactions};
use crate::coordinator::machine::Producer;
use crate::model::ErrorCode;

/// Which of an id's transactions partitions belong to: it is not confused with the next one of the same producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Begun(u64);

impl Transactions {
    /// Adds partitions, which begins a transaction if none is open. `client_version` is the transaction version that the
    /// client's request stands for.
    pub fn add_partitions(
        &mut self,
        step: &mut Step<'_>,
        transactional_id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
        client_version: i16,
    ) -> Result<Begun, ErrorCode> {
        if self.is_prepared(transactional_id) {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let known = self.of_producer(transactional_id, producer)?;
        if known.state == State::Ongoing && partitions.iter().all(|partition| known.partitions.contains(partition)) {
            return Ok(Begun(known.serial));
        }
        let mut next = known.to(State::Ongoing, step.wall.0);
        next.partitions.extend(partitions.iter().cloned());
        if known.state != State::Ongoing {
            next.start_ms = step.wall.0;
        }
        next.client_version = client_version;
        self.put(step, transactional_id, next);
        Ok(Begun(self.of(transactional_id)?.serial))
    }

    /// Whether each of the partitions is in the producer's transaction: TRANSACTION_ABORTABLE where it is not. What is told
    /// counts when the coordinator has committed what it has seen.
    pub fn verify_partitions(
        &self,
        transactional_id: &str,
        producer: Producer,
        partitions: &[TopicPartition],
    ) -> Result<(Begun, Vec<ErrorCode>), ErrorCode> {
        let known = self.of_producer(transactional_id, producer)?;
        let verify = |partition| match known.partitions.contains(partition) {
            true => ErrorCode::None,
            false => ErrorCode::TransactionAbortable,
        };
        Ok((Begun(known.serial), partitions.iter().map(verify).collect()))
    }

    /// Whether a transaction that was seen open with this partition still is.
    pub fn is_open(
        &self,
        transactional_id: &str,
        producer: Producer,
        begun: Begun,
        partition: &TopicPartition,
    ) -> bool {
        let known = self.of_producer(transactional_id, producer);
        known.is_ok_and(|known| {
            known.state == State::Ongoing && known.serial == begun.0 && known.partitions.contains(partition)
        })
    }

    /// The transaction that this producer may write in.
    fn of_producer(&self, transactional_id: &str, producer: Producer) -> Result<&Transaction, ErrorCode> {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let known = self.of(transactional_id)?;
        if known.producer_id != producer.id {
            Err(ErrorCode::InvalidProducerIdMapping)
        } else if known.epoch != producer.epoch {
            Err(ErrorCode::ProducerFenced)
        } else if known.state.is_prepared() {
            Err(ErrorCode::ConcurrentTransactions)
        } else {
            Ok(known)
        }
    }
}
