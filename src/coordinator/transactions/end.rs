//! The end of a transaction: decided (`TransactionCoordinator.endTransaction`), and complete when its markers are
//! written.

use super::init::new_producer_id;
use super::state::{State, Transaction};
use super::{EPOCH_BUMP_SINCE, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Step, TransactionCommand, Transactions};
use crate::coordinator::machine::Producer;
use crate::model::ErrorCode;

/// The answer to an EndTxn: what the producer is from now on, which clients before transaction version 2 are not told.
pub type Ended = Result<Producer, ErrorCode>;

impl Transactions {
    /// EndTxn of a client. A repeated request of transaction version 2 is known by its epoch, which is one behind.
    pub fn end_transaction(
        &mut self,
        step: &mut Step<'_>,
        transactional_id: &str,
        producer: Producer,
        commit: bool,
        client_version: i16,
    ) -> Ended {
        if transactional_id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let known = self.of(transactional_id)?;
        if client_version < EPOCH_BUMP_SINCE {
            self.end_first(step, transactional_id, &known.clone(), producer, commit)
        } else {
            self.end_second(step, transactional_id, &known.clone(), producer, commit, client_version)
        }
    }

    /// Transaction versions 0 and 1: the epoch stays, so a repeated request cannot be told from the next one.
    fn end_first(
        &mut self,
        step: &mut Step<'_>,
        transactional_id: &str,
        known: &Transaction,
        producer: Producer,
        commit: bool,
    ) -> Ended {
        if known.producer_id != producer.id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if known.epoch != producer.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        let unknown = Producer { id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH };
        match (known.state, commit) {
            (State::Ongoing, _) => {
                let mut next = known.to(prepared(commit), step.wall.0);
                (next.next_producer_id, next.client_version) = (NO_PRODUCER_ID, 0);
                self.prepare(step, transactional_id, next);
                Ok(unknown)
            }
            (State::CompleteCommit, true) | (State::CompleteAbort, false) => Ok(unknown),
            (State::PrepareCommit | State::PrepareAbort, _) => Err(ErrorCode::ConcurrentTransactions),
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }

    /// Transaction version 2 (KIP-890): the epoch rises with each end.
    fn end_second(
        &mut self,
        step: &mut Step<'_>,
        transactional_id: &str,
        known: &Transaction,
        producer: Producer,
        commit: bool,
        client_version: i16,
    ) -> Ended {
        // Before all else: the producer id may be another one when the markers are written.
        if known.state.is_prepared() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let is_current = producer.epoch == known.epoch;
        let is_before = i32::from(known.epoch) == i32::from(producer.epoch) + 1;
        // The epochs of the id were used up, and the client has not heard of the new one.
        let is_of_previous =
            known.previous_producer_id == producer.id && producer.epoch == i16::MAX - 1 && known.epoch == 0;
        if known.producer_id != producer.id && !is_of_previous {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        let is_repeated = is_before || is_of_previous;
        let is_epoch_right = match known.state {
            State::CompleteCommit | State::CompleteAbort => is_repeated || is_current,
            _ => is_current,
        };
        if !is_epoch_right {
            return Err(ErrorCode::ProducerFenced);
        }
        match (known.state, commit) {
            (State::Ongoing, _) => {}
            (State::CompleteCommit, true) | (State::CompleteAbort, false) if is_repeated => {
                return Ok(known.producer());
            }
            // The client need not know whether it has sent anything, and aborts what may be nothing.
            (State::Empty | State::CompleteAbort, false) => {}
            (State::CompleteCommit, false) if !is_repeated => {}
            _ => return Err(ErrorCode::InvalidTxnState),
        }
        self.prepare_raised(step, transactional_id, known, commit, client_version)
    }

    /// Prepares the end with the next epoch (`TransactionMetadata.prepareAbortOrCommit`).
    fn prepare_raised(
        &mut self,
        step: &mut Step<'_>,
        transactional_id: &str,
        known: &Transaction,
        commit: bool,
        client_version: i16,
    ) -> Ended {
        let next_producer_id = if known.is_exhausted() { new_producer_id(step)? } else { NO_PRODUCER_ID };
        let mut next = known.to(prepared(commit), step.wall.0);
        // An epoch that should never have been used ends as it is, so that the id can go on.
        next.epoch = known.epoch.saturating_add(1);
        next.last_epoch = known.epoch;
        next.next_producer_id = next_producer_id;
        next.client_version = client_version;
        if known.state != State::Ongoing {
            next.start_ms = step.wall.0;
        }
        let after = next.producer_after();
        self.prepare(step, transactional_id, next);
        Ok(after)
    }

    fn prepare(&mut self, step: &mut Step<'_>, transactional_id: &str, next: Transaction) {
        self.put(step, transactional_id, next);
        let (id, prepared) = self.by_id.get_key_value(transactional_id).expect("it was just put there");
        step.out.commands.push(TransactionCommand::Markers(prepared.markers(id)));
    }

    /// Aborts an open transaction whose producer is gone or was replaced: its epoch rises, so that the producer cannot go on.
    /// As the broker is the one that asks, the cluster's transaction version decides how
    /// (`prepareFenceProducerEpoch`, then `endTransaction`).
    pub(super) fn fence(&mut self, step: &mut Step<'_>, transactional_id: &str) -> Result<(), ErrorCode> {
        let known = self.of(transactional_id)?.clone();
        assert_eq!(known.state, State::Ongoing, "only what is open is fenced");
        if step.version >= EPOCH_BUMP_SINCE {
            return self.prepare_raised(step, transactional_id, &known, false, step.version).map(|_| ());
        }
        let mut next = known.to(State::PrepareAbort, step.wall.0);
        next.epoch = known.epoch.saturating_add(1);
        next.last_epoch = NO_PRODUCER_EPOCH;
        (next.next_producer_id, next.client_version) = (NO_PRODUCER_ID, 0);
        self.prepare(step, transactional_id, next);
        Ok(())
    }

    /// Whether markers of this producer still have to be written: the state may have moved on since they were commanded.
    pub fn is_ending(&self, transactional_id: &str, producer: Producer, commit: bool) -> bool {
        let known = self.by_id.get(transactional_id);
        known.is_some_and(|known| known.state == prepared(commit) && known.producer() == producer)
    }

    /// Whether the markers of the id's transaction are on their way.
    pub fn is_prepared(&self, transactional_id: &str) -> bool {
        self.by_id.get(transactional_id).is_some_and(|known| known.state.is_prepared())
    }

    /// All markers are written, and what is left of the transaction is its result.
    pub fn complete(&mut self, step: &mut Step<'_>, transactional_id: &str, producer: Producer, commit: bool) {
        if !self.is_ending(transactional_id, producer, commit) {
            return;
        }
        let completed = self.by_id.get(transactional_id).map(|known| known.completed(step.wall.0));
        self.put(step, transactional_id, completed.expect("what ends is known"));
    }
}

fn prepared(commit: bool) -> State {
    if commit { State::PrepareCommit } else { State::PrepareAbort }
}
