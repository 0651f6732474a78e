//! The end of a transaction: decided (`TransactionCoordinator.endTransaction`), and complete when its markers are
//! written.

use super::init::new_producer_id;
use super::state::{State, Transaction};
use super::{EPOCH_BUMP_SINCE, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, Step, TransactionCommand, Transactions};
use crate::coordinator::machine::Producer;
use crate::model::ErrorCode;

/// The answer to an EndTxn: what the producer is from now on, which clients before transaction version 2 are not told.
pub type Ended = Result<Producer, ErrorCode>;

/// What an EndTxn asks for in the state that the id is in.
enum Wanted {
    End,
    /// The client repeats a request that was done.
    Known,
}

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
            if let Wanted::End = known.judge_first(producer, commit)? {
                let next = known.ending(commit, step.wall.0);
                self.prepare(step, transactional_id, next);
            }
            return Ok(Producer { id: NO_PRODUCER_ID, epoch: NO_PRODUCER_EPOCH });
        }
        match known.judge_second(producer, commit)? {
            Wanted::Known => Ok(known.producer()),
            Wanted::End => {
                let next = known.ending_raised(step, commit, client_version)?;
                let after = next.producer_after();
                self.prepare(step, transactional_id, next);
                Ok(after)
            }
        }
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
        let known = self.of(transactional_id)?;
        assert_eq!(known.state, State::Ongoing, "only what is open is fenced");
        let next = if step.version >= EPOCH_BUMP_SINCE {
            known.ending_raised(step, false, step.version)?
        } else {
            let epoch = known.epoch.saturating_add(1);
            Transaction { epoch, last_epoch: NO_PRODUCER_EPOCH, ..known.ending(false, step.wall.0) }
        };
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

impl Transaction {
    /// Transaction versions 0 and 1: the epoch stays, so a repeated request cannot be told from the next one.
    fn judge_first(&self, producer: Producer, commit: bool) -> Result<Wanted, ErrorCode> {
        if self.producer_id != producer.id {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        if self.epoch != producer.epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        match (self.state, commit) {
            (State::Ongoing, _) => Ok(Wanted::End),
            (State::CompleteCommit, true) | (State::CompleteAbort, false) => Ok(Wanted::Known),
            (State::PrepareCommit | State::PrepareAbort, _) => Err(ErrorCode::ConcurrentTransactions),
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }

    /// Transaction version 2 (KIP-890): the epoch rises with each end.
    fn judge_second(&self, producer: Producer, commit: bool) -> Result<Wanted, ErrorCode> {
        // Before all else: the producer id may be another one when the markers are written.
        if self.state.is_prepared() {
            return Err(ErrorCode::ConcurrentTransactions);
        }
        let is_current = producer.epoch == self.epoch;
        let is_before = i32::from(self.epoch) == i32::from(producer.epoch) + 1;
        // The epochs of the id were used up, and the client has not heard of the new one.
        let is_of_previous =
            self.previous_producer_id == producer.id && producer.epoch == i16::MAX - 1 && self.epoch == 0;
        if self.producer_id != producer.id && !is_of_previous {
            return Err(ErrorCode::InvalidProducerIdMapping);
        }
        let is_repeated = is_before || is_of_previous;
        let is_epoch_right = match self.state {
            State::CompleteCommit | State::CompleteAbort => is_repeated || is_current,
            _ => is_current,
        };
        if !is_epoch_right {
            return Err(ErrorCode::ProducerFenced);
        }
        match (self.state, commit) {
            (State::CompleteCommit, true) | (State::CompleteAbort, false) if is_repeated => Ok(Wanted::Known),
            // The client need not know whether it has sent anything, and aborts what may be nothing.
            (State::Ongoing, _) | (State::Empty | State::CompleteAbort, false) => Ok(Wanted::End),
            (State::CompleteCommit, false) if !is_repeated => Ok(Wanted::End),
            _ => Err(ErrorCode::InvalidTxnState),
        }
    }

    /// Prepared to end with the epoch that it has, as before transaction version 2.
    fn ending(&self, commit: bool, now_ms: i64) -> Transaction {
        let next = self.to(prepared(commit), now_ms);
        Transaction { next_producer_id: NO_PRODUCER_ID, client_version: 0, ..next }
    }

    /// Prepared to end with the next epoch (`TransactionMetadata.prepareAbortOrCommit`).
    fn ending_raised(&self, step: &mut Step<'_>, commit: bool, client_version: i16) -> Result<Transaction, ErrorCode> {
        let next_producer_id =
            if self.is_exhausted() { new_producer_id(step, self.producer_id)? } else { NO_PRODUCER_ID };
        let start_ms = if self.state == State::Ongoing { self.start_ms } else { step.wall.0 };
        // An epoch that should never have been used ends as it is, so that the id can go on.
        let (epoch, last_epoch) = (self.epoch.saturating_add(1), self.epoch);
        let next = self.to(prepared(commit), step.wall.0);
        Ok(Transaction { epoch, last_epoch, next_producer_id, client_version, start_ms, ..next })
    }
}

fn prepared(commit: bool) -> State {
    if commit { State::PrepareCommit } else { State::PrepareAbort }
}
